//! The list of rows in `docs/check.md` is printed from the table.

use std::path::Path;

use yufu::check::rows::{self, UNJUDGED};

const START: &str = "YUFU_BLESS=1 cargo test -p yufu --test check -->\n";
const END: &str = "<!-- end of rows -->";

fn rows() -> String {
    let all = rows::all();
    let mut text = format!(
        "{} rows of 120 are judged. A row is skipped where the recipe has not what it needs.\n\n",
        all.len()
    );
    text.push_str("| Row | What is done | What must hold | Needs |\n|---|---|---|---|\n");
    for row in &all {
        let needs: Vec<String> = row.needs.iter().map(|need| need.word()).collect();
        let line = format!(
            "| {} | {} | {} | {} |\n",
            row.id,
            row.does,
            row.holds,
            needs.join(", ")
        );
        text.push_str(&line);
    }
    text.push_str("\nThese are not judged:\n\n| Row | Why |\n|---|---|\n");
    for (id, reason) in UNJUDGED {
        text.push_str(&format!("| {id} | {reason} |\n"));
    }
    text
}

#[test]
fn the_list_of_rows_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/check.md");
    let kept = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = kept.split_once(START).expect("the list begins");
    let (_, tail) = rest.split_once(END).expect("the list ends");
    let fresh = format!("{head}{START}{}{END}{tail}", rows());
    if std::env::var_os("YUFU_BLESS").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(
        kept == fresh,
        "docs/check.md is stale: print it anew with YUFU_BLESS=1"
    );
}
