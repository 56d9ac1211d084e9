use std::path::Path;

use super::*;

fn told(document: Document) -> Vec<String> {
    match document.finish() {
        Ok(()) => Vec::new(),
        Err(complaints) => complaints.0.iter().map(ToString::to_string).collect(),
    }
}

const GOOD: &str = r#"
chance = 0.5
[push]
url = "http://127.0.0.1/x"
headers = { b = "2", a = "1" }
[[faults]]
kind = "slow"
times = 3
for = ["mei", "wei"]
on = true
"#;

fn read_good(document: &Document) {
    let root = document.root();
    assert_eq!(root.real("chance", 0.0..=1.0), Some(0.5));
    let push = root.table("push").unwrap();
    assert_eq!(push.text("url").as_deref(), Some("http://127.0.0.1/x"));
    let pair = |(a, b): (&str, &str)| (a.to_owned(), b.to_owned());
    assert_eq!(
        push.pairs("headers").unwrap(),
        [("b", "2"), ("a", "1")].map(pair)
    );
    let faults = document.rows("faults");
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].one_of("kind", &["slow", "cut"]), Some("slow"));
    assert_eq!(faults[0].number("times", 1..=9), Some(3));
    assert_eq!(faults[0].real("times", 1.0..=9.0), Some(3.0));
    assert_eq!(faults[0].list("for").unwrap(), ["mei", "wei"]);
    assert_eq!(faults[0].flag("on"), Some(true));
    assert_eq!(faults[0].flag("off"), None);
    assert_eq!(
        faults[0].value("for").unwrap(),
        serde_json::json!(["mei", "wei"])
    );
}

#[test]
fn what_is_right_is_read_from_either_format() {
    let toml = Document::toml(GOOD);
    read_good(&toml);
    toml.finish().unwrap();
    let value: serde_json::Value = toml::from_str(GOOD).unwrap();
    // Written anew, the names of a table may stand in another order.
    let text = r#"{"chance": 0.5, "push": {"url": "http://127.0.0.1/x", "headers": {"b": "2", "a": "1"}},
        "faults": [{"kind": "slow", "times": 3, "for": ["mei", "wei"], "on": true, "off": null}]}"#;
    let json = Document::json(text);
    read_good(&json);
    json.finish().unwrap();
    let value = Document::value(&value);
    assert_eq!(value.rows("faults").len(), 1);
    assert_eq!(value.root().line("faults"), None);
}

#[test]
fn everything_wrong_is_told_at_once_with_its_line() {
    let text = r#"
chance = 2
push = "x"
[[faults]]
kind = "slwo"
times = 99
client = 7
for = "mei"
on = "yes"
[[faults]]
tims = 1
kind = "never"
[[faults]]
"#;
    let document = Document::toml(text);
    let root = document.root();
    root.real("chance", 0.0..=1.0);
    root.table("push");
    for fault in root.tables("faults") {
        fault.needs("kind", "kind = \"slow\"");
        fault.one_of("kind", &["slow", "cut"]);
        fault.number("times", 1..=9);
        fault.text("client");
        fault.list("for");
        fault.flag("on");
    }
    assert_eq!(
        told(document),
        [
            "line 2: chance is 2; write a number from 0 to 1",
            "line 3: push is no table; write [push] above what belongs to it",
            "line 5: faults[0].kind is \"slwo\"; did you mean \"slow\"?",
            "line 6: faults[0].times is 99; write a whole number from 1 to 9",
            "line 7: faults[0].client is no text; write it in quotes",
            "line 8: faults[0].for is no list of texts; write [\"…\", \"…\"]",
            "line 9: faults[0].on is no flag; write true or false",
            "line 11: there is no faults[1].tims; did you mean times?",
            "line 12: faults[1].kind is \"never\"; write \"slow\" or \"cut\"",
            "line 13: faults[2].kind is missing; write kind = \"slow\"",
        ]
    );
}

#[test]
fn json_is_told_with_lines_too() {
    let text = "[\n  {\"name\": \"mei\"},\n  {\"name\": 1,\n   \"fone\": \"1\"},\n  7\n]";
    let document = Document::json(text);
    for person in document.rows("people") {
        person.text("name");
        person.text("phone");
    }
    assert_eq!(
        told(document),
        [
            "line 3: people[1].name is no text; write it in quotes",
            "line 4: there is no people[1].fone; did you mean phone?",
            "line 5: people[2] is no object; write { … }",
        ]
    );
}

#[test]
fn a_name_that_is_like_no_other_is_told_the_known_ones() {
    let document = Document::toml("zzzzzz = 1\nkind = \"x\"\n");
    document.root().text("kind");
    document.root().text("other");
    assert_eq!(
        told(document),
        ["line 1: there is no zzzzzz; take it out, or write one of: kind, other"]
    );
}

#[test]
fn what_nobody_looked_into_is_not_judged() {
    let document = Document::toml("[body]\nanything = { at = \"all\" }\n");
    assert_eq!(
        document.root().value("body").unwrap(),
        serde_json::json!({"anything": {"at": "all"}})
    );
    document.finish().unwrap();
}

#[test]
fn broken_text_is_a_complaint_and_nothing_is_said_to_be_missing() {
    let document = Document::toml("name = \nkind = \"slow\"\nx = = 2\n");
    let root = document.root();
    root.needs("person", "person = \"mei\"");
    root.text("name");
    root.text("kind");
    root.text("x");
    let told = told(document);
    assert!(told.len() >= 2, "{told:?}");
    assert!(
        told[0].starts_with("line 1: ") && told[0].ends_with("; mend the TOML"),
        "{told:?}"
    );
    assert!(
        !told.iter().any(|line| line.contains("missing")),
        "{told:?}"
    );
    for (text, line) in [
        ("", 1),
        ("{", 1),
        ("{\"a\": 1}\n\n x", 3),
        ("{\"a\": 1,\n\"a\": 2}", 2),
        ("[1,\n2,\n\n}", 4),
    ] {
        let document = Document::json(text);
        document.root().needs("a", "a");
        document.rows("a");
        let told = super::tests::told(document);
        assert_eq!(told.len(), 1, "{text}: {told:?}");
        assert!(
            told[0].starts_with(&format!("line {line}: ")),
            "{text}: {told:?}"
        );
    }
}

#[test]
fn numbers_that_are_none() {
    let document =
        Document::json("{\"a\": 1e3, \"b\": 99999999999999999999, \"c\": 1.5, \"d\": true}");
    let root = document.root();
    for name in ["a", "b", "c", "d"] {
        assert_eq!(root.number(name, 0..=9), None, "{name}");
    }
    assert_eq!(told(document).len(), 4);
    let document = Document::toml("a = nan\nb = 99999999999999999999\nc = 0x10\n");
    let root = document.root();
    assert_eq!(root.real("a", 0.0..=1.0), None);
    assert_eq!(root.number("b", 0..=9), None);
    assert_eq!(root.number("c", 0..=16), Some(16));
    assert_eq!(told(document).len(), 2);
}

#[test]
fn complaints_stand_below_the_name_of_their_file() {
    let complaints = Complaints::one("people[0]", "is broken", "mend it");
    assert_eq!(
        complaints.about(Path::new("people.toml")),
        "people.toml has to be mended:\n  people[0] is broken; mend it"
    );
    assert_eq!(
        serde_json::to_value(&complaints).unwrap(),
        serde_json::json!([{"at": "people[0]", "what": "is broken", "remedy": "mend it"}])
    );
}

#[test]
fn a_file_is_read_by_its_ending() {
    let missing = Document::open(Path::new("/nowhere/people.toml"))
        .err()
        .unwrap();
    assert!(
        missing.starts_with("/nowhere/people.toml cannot be read: "),
        "{missing}"
    );
}
