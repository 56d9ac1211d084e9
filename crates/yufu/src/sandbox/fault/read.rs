//! Faults as people write them: in a body of the control or in a file, by the table of kinds.

use serde_json::{Map, Value, json};

use super::Fault;
use super::kind::{Field, KEYS, KINDS, Kind, Row, Shape};
use super::spot::{SPOTS, Spot, names, word};
use crate::read::{Complaints, Document, Table, nearest};
use crate::sandbox::span;

/// Whom a fault may be for.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The appids.
    pub clients: Vec<String>,
    /// The people's short names.
    pub people: Vec<String>,
}

/// The most times that a fault is played by count.
const MOST_TIMES: i64 = 1_000_000;

/// Reads a file of faults: one, a list, or a list under `faults`.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn read(document: Document, known: &Known) -> Result<Vec<Fault>, Complaints> {
    let faults = if document.is_list() {
        let rows = document.rows("faults");
        each(&rows, known)
    } else {
        faults(&document.root(), known)
    };
    document.finish()?;
    Ok(faults)
}

/// Reads one fault, or a list of them under `faults`; what is wrong is told by the document.
pub fn faults(table: &Table<'_>, known: &Known) -> Vec<Fault> {
    if table.has("faults") {
        let rows = table.tables("faults");
        return each(&rows, known);
    }
    if !table.has("kind") {
        let remedy = "write one, such as {\"kind\":\"drop\"}, or several under faults";
        table.complain_of_it("this is no fault", remedy);
    }
    fault(table, known).into_iter().collect()
}

fn each(rows: &[Table<'_>], known: &Known) -> Vec<Fault> {
    let read = rows.iter().filter_map(|row| {
        row.needs("kind", "one of the kinds, such as \"kind\": \"errcode\"");
        fault(row, known)
    });
    read.collect()
}

/// Reads a fault; what is wrong with it is told by the document.
fn fault(table: &Table<'_>, known: &Known) -> Option<Fault> {
    let words = KINDS.map(|row| row.word);
    let word = table.one_of("kind", &words);
    let row = KINDS.iter().find(|row| Some(row.word) == word);
    let client = name(table, "client", &known.clients, "an appid of the sandbox");
    let person = name(table, "person", &known.people, "a person of the sandbox");
    // What a list of faults tells is taken back as it is.
    for told in ["id", "left", "played"] {
        table.has(told);
    }
    let times = table.number("times", 1..=MOST_TIMES);
    let chance = table.real("chance", 0.0..=1.0);
    let Some(row) = row else {
        // Of an unknown kind nobody knows what it may be told.
        let all = KINDS.iter().flat_map(|row| row.fields);
        for name in all.map(|field| field.name).chain(["endpoint"]) {
            table.has(name);
        }
        return None;
    };
    let endpoint = endpoint(table, row);
    if person.is_some() && !spots(row, endpoint.as_deref()).any(Spot::knows_people) {
        table.complain(
            "person",
            "cannot be known there: no code or token comes with the request",
            "leave it out, or name the client",
        );
    }
    let mut kind = Map::new();
    kind.insert("kind".into(), row.word.into());
    for field in row.fields {
        if let Some(value) = value(table, field, known) {
            kind.insert(field.name.into(), value);
        }
    }
    Some(Fault {
        id: String::new(),
        kind: serde_json::from_value::<Kind>(Value::Object(kind)).ok()?,
        client,
        person,
        endpoint,
        times: times.and_then(|times| u32::try_from(times).ok()),
        chance,
        left: None,
        played: 0,
    })
}

/// Where a fault of this kind plays.
pub(super) fn spots(row: &Row, endpoint: Option<&str>) -> impl Iterator<Item = Spot> {
    let named = endpoint.map(str::to_owned);
    let spots = if endpoint.is_some() {
        row.plays
    } else {
        row.by_itself
    };
    let there = SPOTS.iter().filter(move |(path, spot)| {
        spots.contains(spot) && named.as_ref().is_none_or(|written| names(written, path))
    });
    there.map(|(_, spot)| *spot)
}

fn endpoint(table: &Table<'_>, row: &Row) -> Option<String> {
    let written = table.text("endpoint")?;
    if spots(row, Some(&written)).next().is_some() {
        return Some(written);
    }
    let fit = SPOTS.iter().filter(|(_, spot)| row.plays.contains(spot));
    let fit: Vec<&str> = fit.map(|(path, _)| word(path)).collect();
    let what = if SPOTS.iter().any(|(path, _)| names(&written, path)) {
        format!("is \"{written}\", where {} never plays", row.word)
    } else {
        format!("is \"{}\", which is no endpoint", written.escape_debug())
    };
    let last = written.rsplit('/').next().unwrap_or(&written);
    let remedy = match nearest(last, fit.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("write one of: {}", fit.join(", ")),
    };
    table.complain("endpoint", &what, &remedy);
    None
}

/// A name that must be one of these.
fn name(table: &Table<'_>, at: &str, known: &[String], what: &str) -> Option<String> {
    let written = table.text(at)?;
    if known.contains(&written) {
        return Some(written);
    }
    let remedy = match nearest(&written, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("write one of: {}", known.join(", ")),
    };
    let wrong = format!("is \"{}\", which is not {what}", written.escape_debug());
    table.complain(at, &wrong, &remedy);
    None
}

/// What is written for a field, or what it is unless something is.
fn value(table: &Table<'_>, field: &Field, known: &Known) -> Option<Value> {
    let name = field.name;
    match field.shape {
        Shape::Number(least, most, default) => {
            if default.is_none() {
                table.needs(name, &format!("\"{name}\": a number. {}", field.about));
            }
            if !table.has(name) {
                return default.map(Value::from);
            }
            table.number(name, least..=most).map(Value::from)
        }
        Shape::MaybeNumber(least, most) => table.number(name, least..=most).map(Value::from),
        Shape::Word(words) => {
            if !table.has(name) {
                return words.first().map(|word| json!(word));
            }
            table.one_of(name, words).map(Value::from)
        }
        Shape::Text(default) => {
            if !table.has(name) {
                return default.map(Value::from);
            }
            let text = table.text(name)?;
            let fits = text.len() <= 256 && !text.chars().any(char::is_control);
            if !fits {
                table.complain(
                    name,
                    "is too long or holds control characters",
                    "write at most 256 bytes",
                );
            }
            fits.then(|| text.into())
        }
        Shape::Maybe => table.text(name).map(Value::from),
        Shape::Person => {
            self::name(table, name, &known.people, "a person of the sandbox").map(Value::from)
        }
        Shape::Span => {
            table.needs(
                name,
                &format!("\"{name}\": a span of time. {}", field.about),
            );
            let text = table.text(name)?;
            if let Err(why) = span::read(&text) {
                table.complain(name, &why, span::REMEDY);
                return None;
            }
            Some(text.into())
        }
        Shape::Key => {
            table.needs(name, &format!("\"{name}\": one of {}", KEYS.join(", ")));
            table.one_of(name, &KEYS).map(Value::from)
        }
    }
}
