//! The kinds of faults as a page and as part of the API description, printed from their table.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::kind::{Field, KEYS, KINDS, Row, Shape};
use super::spot::{SPOTS, Spot, word};

const HEAD: &str = "\
# Faults of the sandbox

What the platform of `yufu dev` can do wrong on demand. This page is printed from the table of kinds \
(`crates/yufu/src/sandbox/fault/kind.rs`) by the test `documents` and must not be edited by hand \
(`YUFU_BLESS=1 cargo test -p yufu --test documents` writes it anew). Which client library notices \
which fault, and how, is in [conformance/FAULTS.md](../conformance/FAULTS.md).

A fault is set by REST, as one object, a list, or a list under `faults`; what is wrong with it is \
told all at once.

```
curl -s http://127.0.0.1:8420/_sandbox/faults -H \"Authorization: Bearer $YUFU_SANDBOX_TOKEN\" \\
  -d '{\"kind\":\"errcode\",\"code\":45011,\"endpoint\":\"access_token\",\"times\":3}'
```

`GET` tells the faults with how often each was played, `DELETE /_sandbox/faults/{id}` takes one away, \
`DELETE /_sandbox/faults` all of them.

## Whom a fault is for

| field | meaning |
|---|---|
| `client` | Only requests of this client, by its appid. |
| `person` | Only requests that are about this person, by short name: known by the code or token that comes along. |
| `endpoint` | Only at this address: a path, or its last words, such as `access_token` or `sns/auth`. Without it a fault plays wherever its kind does by itself. |
| `times` | Only so many times, counted exactly however many requests come at once. |
| `chance` | Only with this chance, from 0 to 1. |

Faults play in the order in which they were set. Before the platform acts: waits, another time to be \
judged by, another state, an answer in its place. After it: an answer in its place, damage to its \
answer, callbacks that go astray, waits and cuts. Of several answers in its place the first counts. \
A fault that damages an answer counts as played when there was something to damage: `missing` \
`unionid` does nothing to an answer without one.

`when` tells whether the platform had acted: `before` spends nothing, `after` burns the code, and \
the next try with it hears 40163.

## The kinds

| kind | what happens | plays at | told |
|---|---|---|---|
";

const TAIL: &str = "
## Rows of the login matrix

What the rows of [facts/login-matrix.tsv](facts/login-matrix.tsv) about a failing platform are tried with.

| row | fault |
|---|---|
| UPS-01 | `drop` `before`: the connection ends before anything was done. A name that does not resolve, a closed port or a certificate that is refused are not made here: leave the proxy out |
| UPS-02 | `drop` at `access_token`: the code is burnt, the answer is lost |
| UPS-03 | `errcode` −1 |
| UPS-04, UPS-05 | `errcode` 45011, 45009 |
| UPS-06 | `truncated`, `html`, `status` |
| UPS-07 | `errcode_zero`, `extra`, `content_type` |
| UPS-08 | `missing` `openid`, `other_openid`, `duplicate` |
| UPS-09 | `slow` with 8000 ms at `access_token` |
| UPS-10 | `errcode` 40013, 40125, 40001 |
| UPS-11 | `errcode` −1 or 40001, `slow` or `drop` at `userinfo` |
| UPS-12 | `userinfo_denied` |
| UPS-13 | `errcode` 50002 |

## The endpoints

| endpoint | path |
|---|---|
";

/// `docs/sandbox-faults.md`.
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    for row in &KINDS {
        let told: Vec<String> = row.fields.iter().map(told).collect();
        let told = if told.is_empty() {
            "–".to_owned()
        } else {
            told.join("<br>")
        };
        let (word, about) = (row.word, row.about);
        let _ = writeln!(page, "| `{word}` | {about} | {} | {told} |", places(row));
    }
    page.push_str("\n## Examples\n\n```json\n");
    for row in &KINDS {
        let _ = writeln!(page, "{}", row.example);
    }
    page.push_str("```\n");
    page.push_str(TAIL);
    for (path, _) in SPOTS {
        let _ = writeln!(page, "| `{}` | `{path}` |", word(path));
    }
    page
}

/// The endpoints where a kind can play, as they are written.
pub fn endpoints(row: &Row) -> impl Iterator<Item = &'static str> {
    let paths = SPOTS.iter().filter(|(_, spot)| row.plays.contains(spot));
    paths.map(|(path, _)| word(path))
}

fn places(row: &Row) -> String {
    let same = |a: &[Spot], b: &[Spot]| a == b;
    let named = |spots: &[Spot]| {
        let paths = SPOTS.iter().filter(|(_, spot)| spots.contains(spot));
        let words: Vec<String> = paths.map(|(path, _)| format!("`{}`", word(path))).collect();
        words.join(", ")
    };
    if same(row.plays, Spot::ALL) {
        return "what servers ask; anywhere when named".to_owned();
    }
    if same(row.plays, Spot::SERVER) {
        return "what servers ask".to_owned();
    }
    if same(row.plays, Spot::CALLBACK) {
        return "where browsers are sent back".to_owned();
    }
    if same(row.plays, row.by_itself) {
        return named(row.plays);
    }
    format!("{}; when named {}", named(row.by_itself), named(row.plays))
}

fn told(field: &Field) -> String {
    let shape = match field.shape {
        Shape::Number(least, most, None) => format!("{least} to {most}, needed"),
        Shape::Number(least, most, Some(default)) => format!("{least} to {most}, or {default}"),
        Shape::Word(words) => words.join(", "),
        Shape::Text(None) => "a text, needed".to_owned(),
        Shape::Text(Some(default)) => format!("a text, or `{default}`"),
        Shape::Maybe => "a text".to_owned(),
        Shape::MaybeNumber(least, most) => format!("{least} to {most}"),
        Shape::Span => "a span of time, needed".to_owned(),
        Shape::Person => "a short name".to_owned(),
        Shape::Key => format!("one of {}, needed", KEYS.join(", ")),
    };
    format!("`{}` ({shape}): {}", field.name, field.about)
}

/// What a fault looks like, as JSON Schema: one shape for each kind.
pub fn openapi() -> Value {
    let shapes: Vec<Value> = KINDS.iter().map(schema).collect();
    json!({"oneOf": shapes, "discriminator": {"propertyName": "kind"}})
}

fn schema(row: &Row) -> Value {
    let mut properties = Map::new();
    let mut needed = vec![json!("kind")];
    properties.insert("kind".into(), json!({"const": row.word}));
    for field in row.fields {
        let (mut shape, is_needed) = match field.shape {
            Shape::Number(least, most, default) => {
                let mut shape = json!({"type": "integer", "minimum": least, "maximum": most});
                if let Some(default) = default {
                    shape["default"] = default.into();
                }
                (shape, default.is_none())
            }
            Shape::MaybeNumber(least, most) => (
                json!({"type": "integer", "minimum": least, "maximum": most}),
                false,
            ),
            Shape::Word(words) => (
                json!({"type": "string", "enum": words, "default": words.first()}),
                false,
            ),
            Shape::Text(default) => match default {
                Some(default) => (json!({"type": "string", "default": default}), false),
                None => (json!({"type": "string"}), true),
            },
            Shape::Maybe | Shape::Person => (json!({"type": "string"}), false),
            Shape::Span => (json!({"type": "string", "example": "-10m"}), true),
            Shape::Key => (json!({"type": "string", "enum": KEYS}), true),
        };
        shape["description"] = field.about.into();
        properties.insert(field.name.into(), shape);
        if is_needed {
            needed.push(field.name.into());
        }
    }
    for (name, shape) in [
        (
            "client",
            json!({"type": "string", "description": "Only for this client, by its appid."}),
        ),
        (
            "person",
            json!({"type": "string", "description": "Only for this person, by short name."}),
        ),
        (
            "endpoint",
            json!({"type": "string", "description": "Only at this address: a path, or its last words."}),
        ),
        (
            "times",
            json!({"type": "integer", "minimum": 1, "description": "Only so many times."}),
        ),
        (
            "chance",
            json!({"type": "number", "minimum": 0, "maximum": 1, "description": "Only with this chance."}),
        ),
    ] {
        properties.insert(name.into(), shape);
    }
    let example: Value = serde_json::from_str(row.example).unwrap_or_default();
    json!({
        "type": "object",
        "title": row.word,
        "description": row.about,
        "properties": properties,
        "required": needed,
        "example": example,
    })
}
