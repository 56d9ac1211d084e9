//! The documents that are printed from the code are as fresh as the code.
//! `YUFU_BLESS=1 cargo test -p yufu --test documents` prints them anew.

use std::path::Path;

use yufu::config;
use yufu::sandbox::control::document;

fn fresh(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name);
    if std::env::var_os("YUFU_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == text,
        "docs/{name} is stale: print it anew with YUFU_BLESS=1"
    );
}

#[test]
fn the_reference_and_the_sample_of_the_settings_are_fresh() {
    fresh("settings.md", &config::reference());
    fresh("yufu.toml", &config::sample());
}

#[test]
fn the_page_of_the_control_is_fresh() {
    fresh("sandbox-api.md", &document::page());
}

/// A block of code below `<!-- examples/… -->` is that file.
fn with_examples(text: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<!-- examples/") {
        let (name, after) = after.split_once(" -->\n").expect("an end of the comment");
        let (fence, after) = after.split_once('\n').expect("a block");
        let (_, after) = after.split_once("```\n").expect("an end of the block");
        let path = root.join("examples").join(name);
        let file = std::fs::read_to_string(&path);
        let file = file.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        out += &format!("{before}<!-- examples/{name} -->\n{fence}\n{file}```\n");
        rest = after;
    }
    out + rest
}

#[test]
fn the_snippets_are_the_files_that_are_tested() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    for (name, at_least) in [("ci.md", 7), ("run.md", 1)] {
        let text = std::fs::read_to_string(docs.join(name)).unwrap();
        assert!(text.matches("<!-- examples/").count() >= at_least, "{name}");
        fresh(name, &with_examples(&text));
    }
}

#[test]
fn the_page_of_the_faults_is_fresh() {
    fresh("sandbox-faults.md", &yufu::sandbox::fault::reference());
}

#[test]
fn the_document_of_the_findings_is_fresh() {
    fresh("findings.md", &yufu::sandbox::flow::findings());
}
