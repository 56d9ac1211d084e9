//! The book of facts is true to the code: the tests it names exist, and the sections that the
//! code cites are in it.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn book() -> String {
    fs::read_to_string(root().join("docs/facts/wechat.md")).expect("the book")
}

/// All Rust files below a folder, with their text.
fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let text = fs::read_to_string(&path).expect("text");
            found.push((path, text));
        }
    }
}

fn all_sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for folder in ["crates/dialects", "crates/core"] {
        sources(&root().join(folder), &mut found);
    }
    found
}

#[test]
fn every_test_that_the_book_names_exists() {
    let (book, sources) = (book(), all_sources());
    let mut seen = 0;
    for quoted in book.split('`').skip(1).step_by(2) {
        let Some((module, name)) = quoted.split_once("::") else {
            continue;
        };
        if module.starts_with(char::is_uppercase) {
            continue;
        }
        let holds = |(path, text): &(PathBuf, String)| {
            let stem = path.file_stem().is_some_and(|stem| stem == module);
            // A folder of tests is one module; its file is called main.
            let folder = path.ends_with(format!("{module}/main.rs"));
            (stem || folder) && text.contains(&format!("fn {name}("))
        };
        assert!(sources.iter().any(holds), "no test {quoted}");
        seen += 1;
    }
    assert!(seen > 60, "{seen}");
}

#[test]
fn every_setting_that_the_book_names_exists() {
    let sources = all_sources();
    let text = |end: &str| {
        let found = sources.iter().find(|(path, _)| path.ends_with(end));
        found.map(|(_, text)| text.as_str()).expect("a source")
    };
    let policy = text("core/src/client.rs");
    let policy = policy.split("pub struct ClientPolicy").nth(1).expect("it");
    let policy = policy.split("\n}").next().expect("its end");
    let book = book();
    for field in policy.lines().filter_map(|l| l.trim().strip_prefix("pub ")) {
        let name = field.split(':').next().expect("a name");
        assert!(book.contains(&format!("`{name}`")), "no word on {name}");
    }
    let settings = text("core/src/engine/mod.rs");
    for quoted in book.split('`').skip(1).step_by(2) {
        if let Some(name) = quoted.strip_prefix("Settings::") {
            assert!(settings.contains(&format!("pub {name}:")), "no {quoted}");
        }
    }
}

#[test]
fn every_section_that_the_code_cites_is_in_the_book() {
    let headings: Vec<String> = book()
        .lines()
        .filter_map(|line| line.strip_prefix("##"))
        .map(|line| line.trim_start_matches('#').trim().to_owned())
        .collect();
    let mut seen = 0;
    for (path, text) in all_sources() {
        for cited in text.split("docs/facts/wechat.md").skip(1) {
            let Some(section) = cited.trim_start_matches(['`', ' ']).strip_prefix('§') else {
                continue;
            };
            let number: String = section
                .chars()
                .take_while(|c| c.is_ascii_digit() || *c == '.')
                .collect();
            let number = number.trim_end_matches('.');
            if number.is_empty() {
                continue;
            }
            // §15 and §17 number rows, not headings.
            let chapter = number.split('.').next().unwrap_or(number);
            let wanted = if matches!(chapter, "6" | "15" | "17") {
                chapter
            } else {
                number
            };
            let there = headings.iter().any(|heading| {
                heading.starts_with(&format!("{wanted}."))
                    || heading.starts_with(&format!("{wanted} "))
                    || heading.contains(&format!(", {wanted} "))
            });
            assert!(there, "{} cites §{number}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
}
