//! The fields of a push, from XML or JSON alike: names and texts, one level deep.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, Event};
use serde_json::{Map, Value};

use super::{MAX_PUSH_BYTES, PushError};

/// No push is nested deeper than two; other messages of the platform are, a little.
const MAX_DEPTH: usize = 16;

const NO_XML: PushError = PushError("no XML");

/// Names and texts; texts without blanks at their ends, and none that is empty.
#[derive(Default)]
pub(super) struct Fields(BTreeMap<String, String>);

impl Fields {
    /// Reads a body, told by its first character.
    pub(super) fn read(body: &[u8]) -> Result<Self, PushError> {
        if body.len() > MAX_PUSH_BYTES {
            return Err(PushError("too large"));
        }
        let text = std::str::from_utf8(body).map_err(|_| PushError("no UTF-8"))?;
        let text = text.trim_start_matches('\u{feff}').trim_start();
        if text.starts_with('<') {
            Self::of_xml(text)
        } else {
            Self::of_json(text)
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn set(&mut self, name: &str, text: &str) {
        let text = text.trim();
        if !text.is_empty() {
            self.0.insert(name.to_owned(), text.to_owned());
        }
    }

    fn of_json(text: &str) -> Result<Self, PushError> {
        let object: Map<String, Value> =
            serde_json::from_str(text).map_err(|_| PushError("no JSON"))?;
        let mut fields = Self::default();
        // One page of the platform's shows names with a blank in front. Where both are
        // there, the sound one counts: it is set last.
        let (sound, blank) = object
            .into_iter()
            .partition::<Vec<_>, _>(|(name, _)| name == name.trim());
        for (name, value) in blank.iter().chain(&sound) {
            match value {
                Value::String(text) => fields.set(name.trim(), text),
                Value::Number(number) => fields.set(name.trim(), &number.to_string()),
                _ => {}
            }
        }
        Ok(fields)
    }

    /// Reads the children of the root. A declaration of types or entities is refused, not
    /// skipped: no push has one, and they are how XML is made to explode.
    fn of_xml(text: &str) -> Result<Self, PushError> {
        let mut reader = Reader::from_str(text);
        let mut walk = Walk::default();
        loop {
            match reader.read_event().map_err(|_| NO_XML)? {
                Event::Start(start) => walk.enter(start.name().0)?,
                Event::Empty(start) => {
                    walk.enter(start.name().0)?;
                    walk.leave()?;
                }
                Event::End(_) => walk.leave()?,
                Event::Text(text) => walk.read(&text.decode().map_err(|_| NO_XML)?)?,
                Event::CData(text) => walk.read(&text.decode().map_err(|_| NO_XML)?)?,
                Event::GeneralRef(reference) => {
                    walk.read(character(&reference)?.encode_utf8(&mut [0; 4]))?;
                }
                Event::Decl(_) | Event::Comment(_) => {}
                Event::DocType(_) => return Err(PushError("a document type")),
                Event::PI(_) => return Err(PushError("an instruction")),
                Event::Eof if walk.is_over => return Ok(walk.fields),
                Event::Eof => return Err(PushError("truncated")),
            }
        }
    }
}

/// A walk through XML: where it stands, and what it found.
#[derive(Default)]
struct Walk {
    fields: Fields,
    path: Vec<String>,
    text: String,
    is_over: bool,
}

impl Walk {
    fn enter(&mut self, name: &[u8]) -> Result<(), PushError> {
        if self.is_over || self.path.len() >= MAX_DEPTH {
            return Err(PushError("too deep or too long"));
        }
        let name = std::str::from_utf8(name).map_err(|_| NO_XML)?;
        self.path.push(name.to_owned());
        self.text.clear();
        Ok(())
    }

    fn leave(&mut self) -> Result<(), PushError> {
        let name = self.path.pop().ok_or(NO_XML)?;
        if self.path.len() == 1 {
            if self.fields.get(&name).is_some() {
                return Err(PushError("a repeated field"));
            }
            self.fields.set(&name, &self.text);
        }
        self.text.clear();
        self.is_over = self.path.is_empty();
        Ok(())
    }

    fn read(&mut self, text: &str) -> Result<(), PushError> {
        if self.path.is_empty() && !text.trim().is_empty() {
            return Err(PushError("text outside"));
        }
        self.text.push_str(text);
        Ok(())
    }
}

/// One of the five that XML itself knows, or a character by its number.
fn character(reference: &BytesRef<'_>) -> Result<char, PushError> {
    let unknown = PushError("an entity");
    if let Some(c) = reference.resolve_char_ref().map_err(|_| unknown)? {
        return Ok(c);
    }
    let name = reference.decode().map_err(|_| unknown)?;
    let known = resolve_xml_entity(&name).and_then(|text| text.chars().next());
    known.ok_or(unknown)
}
