//! The house is tidy: the arrows between the rooms point down, no room is a junk room, no file has
//! grown out of sight, and what the documents point at exists. A rule without a test is a wish.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Who may know whom. Anything else is an arrow that points up or across.
const ARROWS: &[(&str, &[&str])] = &[
    ("yufu-core", &[]),
    ("yufu-dialects", &["yufu-core"]),
    ("yufu-store", &["yufu-core"]),
    ("yufu-web", &["yufu-core", "yufu-dialects"]),
    (
        "yufu",
        &["yufu-core", "yufu-dialects", "yufu-store", "yufu-web"],
    ),
    ("xtask", &[]),
];

/// Names that say nothing about what is inside.
const JUNK_ROOMS: &[&str] = &[
    "helper", "helpers", "util", "utils", "common", "manager", "misc",
];

const LONG_FILE: usize = 700;
const LONGEST_FILE: usize = 900;
/// A file of tests is a list: it may be longer than a file that one has to understand as a whole.
const LONGEST_LIST: usize = 1200;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// The files of the repository: tracked, or new and not ignored.
fn files() -> Vec<String> {
    let list = [
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "-z",
    ];
    let output = Command::new("git")
        .args(list)
        .current_dir(root())
        .output()
        .expect("git lists the files");
    assert!(output.status.success(), "git lists the files");
    let names = String::from_utf8(output.stdout).unwrap();
    let names: BTreeSet<_> = names.split('\0').filter(|name| !name.is_empty()).collect();
    let there = names.into_iter().filter(|name| root().join(name).is_file());
    there.map(str::to_owned).collect()
}

/// The text files and what is in them.
fn texts() -> Vec<(String, String)> {
    let lock = |name: &str| name.ends_with(".lock") || name.ends_with("package-lock.json");
    let names = files().into_iter().filter(|name| !lock(name));
    names
        .filter_map(|name| Some((name.clone(), fs::read_to_string(root().join(name)).ok()?)))
        .collect()
}

fn is_source(name: &str) -> bool {
    let kinds = [
        "rs", "py", "mjs", "js", "css", "html", "toml", "sql", "yml", "sh",
    ];
    let kind = Path::new(name).extension().and_then(|kind| kind.to_str());
    name == ".ci/run" || kind.is_some_and(|kind| kinds.contains(&kind))
}

/// Fails with all complaints at once.
fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn arrows_between_crates_point_down() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo tells of the workspace");
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rooms: BTreeSet<String> = packages.iter().map(|p| text(&p["name"])).collect();
    let known: BTreeSet<String> = ARROWS.iter().map(|(room, _)| (*room).to_owned()).collect();
    assert_eq!(rooms, known, "a room was built or torn down");
    let mut complaints = Vec::new();
    for package in packages {
        let room = text(&package["name"]);
        let (_, allowed) = ARROWS.iter().find(|(name, _)| *name == room).unwrap();
        for dependency in package["dependencies"].as_array().unwrap() {
            let other = text(&dependency["name"]);
            if rooms.contains(&other) && !allowed.contains(&other.as_str()) {
                complaints.push(format!("{room} must not know {other}"));
            }
        }
    }
    none(complaints);
}

#[test]
fn crates_take_the_common_lints_and_libraries_never_panic() {
    let mut complaints = Vec::new();
    for (name, text) in texts() {
        let manifest = name.ends_with("Cargo.toml") && name.starts_with("crates/");
        if manifest && !text.contains("[lints]\nworkspace = true") {
            complaints.push(format!("{name} does not take the workspace's lints"));
        }
    }
    for room in ["core", "dialects", "store"] {
        let text = fs::read_to_string(root().join(format!("crates/{room}/src/lib.rs"))).unwrap();
        let head: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        for lint in ["unwrap_used", "expect_used", "panic", "indexing_slicing"] {
            let denied = head.split("cfg_attr(not(test),deny(").nth(1);
            let denied = denied.and_then(|rest| rest.split(')').next());
            let denied = denied.is_some_and(|list| {
                list.split(',')
                    .any(|item| item == format!("clippy::{lint}"))
            });
            if !denied {
                complaints.push(format!("crates/{room} does not deny clippy::{lint}"));
            }
        }
    }
    none(complaints);
}

#[test]
fn no_room_is_a_junk_room() {
    let junk = |name: &String| {
        name.split('/').any(|part| {
            let stem = part.split('.').next().unwrap_or_default();
            JUNK_ROOMS.contains(&stem.to_lowercase().as_str())
        })
    };
    none(files().into_iter().filter(junk).collect());
}

#[test]
fn no_file_has_grown_out_of_sight() {
    let mut complaints = Vec::new();
    for (name, text) in texts().iter().filter(|(name, _)| name.ends_with(".rs")) {
        let lines = text.lines().count();
        let is_list = name.contains("/tests/");
        if lines > if is_list { LONGEST_LIST } else { LONGEST_FILE } {
            complaints.push(format!("{name} has {lines} lines"));
        } else if lines > LONG_FILE {
            println!("{name} has {lines} lines: is it one room?");
        }
    }
    none(complaints);
}

#[test]
fn nothing_is_left_for_later() {
    // In pieces, so that this file holds none of them.
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("X", "XX"),
        concat!("to", "do!"),
        concat!("unimple", "mented!"),
    ];
    let mut complaints = Vec::new();
    for (name, text) in texts().iter().filter(|(name, _)| is_source(name)) {
        for (number, line) in text.lines().enumerate() {
            if marks.iter().any(|mark| stands_alone(line, mark)) {
                complaints.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    none(complaints);
}

fn stands_alone(line: &str, mark: &str) -> bool {
    line.match_indices(mark).any(|(at, _)| {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let before = line[..at].chars().next_back();
        let after = line[at + mark.len()..].chars().next();
        !before.is_some_and(word) && (mark.ends_with('!') || !after.is_some_and(word))
    })
}

#[test]
fn no_machine_of_ours_is_named() {
    let marks = [
        concat!("/wo", "rk/"),
        concat!("/ho", "me/"),
        concat!("/Us", "ers/"),
        concat!("/ro", "ot/"),
        concat!("../sha", "red"),
        concat!(".lib", "rary/"),
    ];
    let mut complaints = Vec::new();
    for (name, text) in texts() {
        for (number, line) in text.lines().enumerate() {
            let named = marks.iter().any(|mark| {
                line.match_indices(mark).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    !before.is_some_and(|c| c.is_alphanumeric() || c == '.' || c == '}')
                })
            });
            if named {
                complaints.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    none(complaints);
}

/// The sections of a facts file: its numbered headings, and the numbered rows of their tables.
fn sections(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut section = String::new();
    for line in text.lines() {
        if line.starts_with('#') {
            let numbers = line.trim_start_matches('#').split([' ', ',']);
            let numbers = numbers.map(|word| word.trim_matches(['.', '§']));
            for number in numbers.take_while(|word| word.is_empty() || is_number(word)) {
                if !number.is_empty() {
                    section = number.to_owned();
                    found.insert(section.clone());
                }
            }
        } else if let Some(row) = line.strip_prefix("| ") {
            let number = row.split(" |").next().unwrap_or_default();
            if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) {
                found.insert(format!("{section}.{number}"));
            }
        }
    }
    found
}

fn is_number(word: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    word.split('.').all(digits)
}

/// The sections named after a mention of a facts file: `§2, §7.1` and the like.
fn named_sections(after: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = after.trim_start_matches(['`', ' ']);
    while let Some(number) = rest.strip_prefix('§') {
        let end = number.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, after) = number.split_at(end.unwrap_or(number.len()));
        if !number.is_empty() {
            found.push(number.trim_end_matches('.').to_owned());
        }
        rest = after.trim_start_matches([',', '–', ' ']);
    }
    found
}

#[test]
fn cited_facts_exist() {
    let mut facts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, text) in texts() {
        if name.starts_with("docs/facts/") {
            facts.insert(name, sections(&text));
        }
    }
    let mut complaints = Vec::new();
    let mut cited = 0;
    for (name, text) in texts() {
        // A citation may be broken over two lines of a comment.
        let lines = text
            .lines()
            .map(|line| line.trim_start().trim_start_matches(['/', '!']));
        let text = lines.collect::<Vec<_>>().join(" ").replace("  ", " ");
        for (at, _) in text.match_indices("docs/facts/") {
            let rest = &text[at..];
            let word = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
            let end = rest.find(|c| !word(c)).unwrap_or(rest.len());
            let Some(end) = rest[..end].rfind(".md") else {
                continue;
            };
            let (file, after) = rest.split_at(end + 3);
            for section in named_sections(after) {
                cited += 1;
                let known = facts.get(file);
                if !known.is_some_and(|known| known.contains(&section)) {
                    complaints.push(format!("{name}: {file} §{section} does not exist"));
                }
            }
        }
    }
    none(complaints);
    assert!(cited > 20, "citations are found at all");
}

#[test]
fn links_of_the_documents_lead_somewhere() {
    let all = files();
    let pictures = all.iter().any(|name| name.starts_with("docs/img/"));
    let mut complaints = Vec::new();
    for (name, text) in texts().iter().filter(|(name, _)| name.ends_with(".md")) {
        let folder = Path::new(name).parent().unwrap_or(Path::new(""));
        for link in links(text) {
            let path = link.split('#').next().unwrap_or_default();
            let foreign = ["://", "mailto:"].iter().any(|mark| link.contains(mark));
            let foreign = foreign || link.starts_with('/');
            if path.is_empty() || foreign || (path.contains("docs/img/") && !pictures) {
                continue;
            }
            if !root().join(folder).join(path).exists() {
                complaints.push(format!("{name} leads to {link}"));
            }
        }
    }
    none(complaints);
}

/// The targets of Markdown links and of HTML pictures.
fn links(text: &str) -> Vec<&str> {
    let ends = [
        ("](", [')', ' ']),
        ("src=\"", ['"', '"']),
        ("href=\"", ['"', '"']),
    ];
    let mut found = Vec::new();
    for (start, end) in ends {
        let pieces = text.split(start).skip(1);
        found.extend(pieces.filter_map(|rest| rest.split(end).next()));
    }
    found
}

#[test]
fn tests_that_documents_name_exist() {
    let texts = texts();
    let rust: Vec<&str> = texts
        .iter()
        .filter(|(name, _)| name.ends_with(".rs"))
        .map(|(_, text)| text.as_str())
        .collect();
    let mut complaints = Vec::new();
    for (name, text) in texts.iter().filter(|(name, _)| name.ends_with(".md")) {
        for quoted in text.split('`').skip(1).step_by(2) {
            let Some((room, test)) = quoted.split_once("::") else {
                continue;
            };
            let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            let is_test = test.matches('_').count() > 1 && test.chars().all(lower);
            let there = || {
                rust.iter()
                    .any(|text| text.contains(&format!("fn {test}(")))
            };
            if room.chars().all(lower) && is_test && !there() {
                complaints.push(format!("{name} names the test {quoted}"));
            }
        }
    }
    none(complaints);
}

/// The words of a text that look like a row of the login matrix: `PHO-07`.
fn rows_named(text: &str) -> Vec<&str> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let words = text.split(|c| !word(c));
    let is_row = |word: &&str| {
        let (group, number) = word.split_once('-').unwrap_or_default();
        let group = group.len() == 3 && group.bytes().all(|b| b.is_ascii_uppercase());
        group && number.len() == 2 && number.bytes().all(|b| b.is_ascii_digit())
    };
    words.filter(is_row).collect()
}

#[test]
fn rows_of_the_matrix_that_are_named_exist() {
    let matrix = fs::read_to_string(root().join("docs/facts/login-matrix.tsv")).unwrap();
    let rows = matrix.lines().filter(|line| !line.starts_with('#'));
    let rows: BTreeSet<&str> = rows.filter_map(|line| line.split('\t').next()).collect();
    let groups: BTreeSet<&str> = rows.iter().filter_map(|row| row.get(..3)).collect();
    let mut complaints = Vec::new();
    let mut in_book = BTreeSet::new();
    let mut named = 0;
    for (name, text) in texts() {
        for row in rows_named(&text) {
            if !groups.contains(&row[..3]) {
                continue;
            }
            named += 1;
            if name == "docs/facts/login.md" {
                in_book.insert(row.to_owned());
            }
            if !rows.contains(row) {
                complaints.push(format!("{name} names the row {row}"));
            }
        }
    }
    none(complaints);
    assert!(
        named > 300 && in_book.len() > 50,
        "{named}, {}",
        in_book.len()
    );
}

#[test]
fn settings_that_documents_name_exist() {
    let settings = fs::read_to_string(root().join("docs/settings.md")).unwrap();
    let tables: BTreeSet<&str> = settings
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('.'))
        .map(|(table, _)| table)
        .collect();
    let groups = settings
        .lines()
        .filter_map(|line| line.strip_prefix("## `[["));
    let groups: BTreeSet<&str> = groups.filter_map(|line| line.split(']').next()).collect();
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let mut complaints = Vec::new();
    let mut named = 0;
    for (name, text) in texts().iter().filter(|(name, _)| name.ends_with(".md")) {
        for quoted in text.split('`').skip(1).step_by(2) {
            if let Some(group) = quoted
                .strip_prefix("[[")
                .and_then(|rest| rest.strip_suffix("]]"))
            {
                if !groups.contains(group) {
                    complaints.push(format!("{name} names {quoted}"));
                }
                continue;
            }
            // `login.statuses = "strict"` names it too.
            let path = quoted.split(" = ").next().unwrap_or(quoted);
            let Some((table, key)) = path.split_once('.') else {
                continue;
            };
            let is_setting = tables.contains(table) && key.chars().all(letter) && !key.is_empty();
            let is_file = ["rs", "md", "db", "toml", "json"].contains(&key);
            if !is_setting || is_file {
                continue;
            }
            named += 1;
            if !settings.contains(&format!("| `{path}` |")) {
                complaints.push(format!("{name} names the setting {path}"));
            }
        }
    }
    none(complaints);
    assert!(named > 40, "{named}");
}

#[test]
fn what_webhooks_hear_is_documented() {
    let guide = fs::read_to_string(root().join("docs/login-backend.md")).unwrap();
    let mut told = BTreeSet::new();
    for (name, text) in texts() {
        if !name.starts_with("crates/core/src/engine/login/") {
            continue;
        }
        for quoted in text.split('"').skip(1).step_by(2) {
            let known = ["user.", "identity.", "session."];
            let (_, event) = quoted.split_once('.').unwrap_or_default();
            let plain = |c: char| c.is_ascii_lowercase() || c == '_';
            if known.iter().any(|start| quoted.starts_with(start))
                && !event.is_empty()
                && event.chars().all(plain)
            {
                told.insert(quoted.to_owned());
            }
        }
    }
    // Lines of the audit alone.
    for silent in ["session.began", "user.erased"] {
        assert!(told.remove(silent), "{silent}");
    }
    assert!(told.len() > 15, "{told:?}");
    let missing = told
        .iter()
        .filter(|word| !guide.contains(&format!("`{word}`")));
    none(
        missing
            .map(|word| format!("docs/login-backend.md has no word on {word}"))
            .collect(),
    );
}
