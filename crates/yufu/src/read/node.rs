//! The values of a document, each with the line on which it begins.

use std::cell::{Cell, RefCell};
use std::io::Read;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Complaint, line_of};

/// A value and its line; zero when there is none.
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) value: Value,
}

pub(super) enum Value {
    Nothing,
    Text(String),
    Number(i64),
    Real(f64),
    Flag(bool),
    List(Vec<Node>),
    Table(Row),
}

/// A table: names in their order, each with its line.
pub(super) struct Row {
    pub(super) entries: Vec<(String, usize, Node)>,
    /// The names that were asked for; `None` while nobody looked into this table.
    asked: RefCell<Option<Vec<String>>>,
}

impl Row {
    fn new(entries: Vec<(String, usize, Node)>) -> Self {
        Self {
            entries,
            asked: RefCell::new(None),
        }
    }

    pub(super) fn ask(&self, name: &str) {
        let mut asked = self.asked.borrow_mut();
        let asked = asked.get_or_insert_default();
        if !asked.iter().any(|known| known == name) {
            asked.push(name.to_owned());
        }
    }

    pub(super) fn look(&self) {
        self.asked.borrow_mut().get_or_insert_default();
    }

    pub(super) fn asked(&self) -> Option<Vec<String>> {
        self.asked.borrow().clone()
    }
}

impl Node {
    fn at(line: usize, value: Value) -> Self {
        Self { line, value }
    }

    pub(super) fn text(&self) -> Option<String> {
        match &self.value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// A value that was read elsewhere: without lines.
    pub(super) fn of(value: &serde_json::Value) -> Self {
        let value = match value {
            serde_json::Value::Null => Value::Nothing,
            serde_json::Value::Bool(flag) => Value::Flag(*flag),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(number) => Value::Number(number),
                None => Value::Real(number.as_f64().unwrap_or(f64::NAN)),
            },
            serde_json::Value::String(text) => Value::Text(text.clone()),
            serde_json::Value::Array(items) => Value::List(items.iter().map(Self::of).collect()),
            serde_json::Value::Object(entries) => {
                let entries = entries.iter();
                let entries = entries.map(|(name, value)| (name.clone(), 0, Self::of(value)));
                Value::Table(Row::new(entries.collect()))
            }
        };
        Self::at(0, value)
    }

    pub(super) fn json(&self) -> serde_json::Value {
        match &self.value {
            Value::Nothing => serde_json::Value::Null,
            Value::Text(text) => text.as_str().into(),
            Value::Number(number) => (*number).into(),
            Value::Real(real) => (*real).into(),
            Value::Flag(flag) => (*flag).into(),
            Value::List(items) => items.iter().map(Self::json).collect(),
            Value::Table(row) => {
                let entries = row.entries.iter();
                entries
                    .map(|(name, _, node)| (name.clone(), node.json()))
                    .collect()
            }
        }
    }
}

/// Reads TOML, as far as it can be read, and tells what is broken in it.
pub(super) fn toml(text: &str) -> (Node, Vec<Complaint>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let complaints = errors.iter().map(|error| Complaint {
        line: Some(error.span().map_or(1, |span| line_of(text, span.start))),
        at: String::new(),
        what: error.message().to_owned(),
        remedy: "mend the TOML".to_owned(),
    });
    let row = toml_row(text, table.get_ref());
    (Node::at(1, Value::Table(row)), complaints.collect())
}

fn toml_row(text: &str, table: &DeTable<'_>) -> Row {
    let entries = table.iter().map(|(name, value)| {
        let start = name.span().start;
        let line = line_of(text, start);
        (
            start,
            (name.get_ref().to_string(), line, toml_node(text, value)),
        )
    });
    let mut entries: Vec<_> = entries.collect();
    // The table sorts by name; people read by line.
    entries.sort_by_key(|(start, _)| *start);
    Row::new(entries.into_iter().map(|(_, entry)| entry).collect())
}

fn toml_node(text: &str, value: &Spanned<DeValue<'_>>) -> Node {
    let line = line_of(text, value.span().start);
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => {
            let digits = number.as_str().replace('_', "");
            match i64::from_str_radix(&digits, number.radix()) {
                Ok(number) => Value::Number(number),
                Err(_) => Value::Real(f64::NAN),
            }
        }
        DeValue::Float(number) => {
            let digits = number.as_str().replace('_', "");
            Value::Real(digits.parse().unwrap_or(f64::NAN))
        }
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Datetime(time) => Value::Text(time.to_string()),
        DeValue::Array(items) => {
            let items = items.iter().map(|item| toml_node(text, item));
            Value::List(items.collect())
        }
        DeValue::Table(table) => Value::Table(toml_row(text, table)),
    };
    Node::at(line, value)
}

/// Reads JSON, and tells what is broken in it.
pub(super) fn json(text: &str) -> (Node, Vec<Complaint>) {
    let line = Cell::new(1);
    let lines = Lines {
        text: text.as_bytes(),
        line: &line,
    };
    let mut reader = serde_json::Deserializer::from_reader(lines);
    let node = Here(&line).deserialize(&mut reader);
    match node.and_then(|node| reader.end().map(|()| node)) {
        Ok(node) => (node, Vec::new()),
        Err(error) => {
            let what = error.to_string();
            // The place is told as ours are.
            let what = what.split(" at line ").next().unwrap_or_default();
            let complaint = Complaint {
                line: Some(error.line().max(1)),
                at: String::new(),
                what: what.to_owned(),
                remedy: "mend the JSON".to_owned(),
            };
            (Node::at(1, Value::Nothing), vec![complaint])
        }
    }
}

/// Counts the lines that were read. The deserializer takes one byte at a time.
struct Lines<'a> {
    text: &'a [u8],
    line: &'a Cell<usize>,
}

impl Read for Lines<'_> {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        let Some(place) = room.first_mut() else {
            return Ok(0);
        };
        let Some((first, rest)) = self.text.split_first() else {
            return Ok(0);
        };
        if *first == b'\n' {
            self.line.set(self.line.get() + 1);
        }
        (*place, self.text) = (*first, rest);
        Ok(1)
    }
}

/// Reads a value that begins here.
#[derive(Clone, Copy)]
struct Here<'a>(&'a Cell<usize>);

impl<'de> DeserializeSeed<'de> for Here<'_> {
    type Value = Node;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Node, D::Error> {
        let line = self.0.get();
        let value = reader.deserialize_any(self)?;
        Ok(Node::at(line, value))
    }
}

impl<'de> Visitor<'de> for Here<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(i64::try_from(number).map_or(Value::Real(f64::NAN), Value::Number))
    }

    fn visit_f64<E>(self, real: f64) -> Result<Value, E> {
        Ok(Value::Real(real))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries: Vec<(String, usize, Node)> = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            let line = self.0.get();
            if entries.iter().any(|(known, ..)| *known == name) {
                let said = format!("\"{}\" is there twice", name.escape_debug());
                return Err(A::Error::custom(said));
            }
            entries.push((name, line, map.next_value_seed(self)?));
        }
        Ok(Value::Table(Row::new(entries)))
    }
}
