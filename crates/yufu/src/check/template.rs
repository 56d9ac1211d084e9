//! Texts with holes: `{code}` stands for a value that an earlier answer brought, or that the check
//! makes. Where a value is missing, what would hold it is left out.

use std::collections::BTreeMap;

use serde_json::Value;

/// What holes are filled with.
pub type Vars = BTreeMap<String, String>;

/// A text with holes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Plain(String),
    Hole(String),
}

impl Template {
    /// Reads a text. `{{` and `}}` are braces; a single brace that opens no hole is one too.
    pub fn read(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after;
                continue;
            }
            let name = (brace == "{")
                .then(|| rest.split_once('}'))
                .flatten()
                .filter(|(name, _)| is_name(name));
            let Some((name, after)) = name else {
                plain.push_str(brace);
                continue;
            };
            if !plain.is_empty() {
                pieces.push(Piece::Plain(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Hole(name.to_owned()));
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Plain(plain));
        }
        Self { pieces }
    }

    /// The names of its holes.
    pub fn holes(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Hole(name) => Some(name.as_str()),
            Piece::Plain(_) => None,
        })
    }

    /// The text, or the name of the first hole that nothing fills.
    ///
    /// # Errors
    /// The name of that hole.
    pub fn fill(&self, vars: &Vars) -> Result<String, String> {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Plain(plain) => text.push_str(plain),
                Piece::Hole(name) => text.push_str(vars.get(name).ok_or_else(|| name.clone())?),
            }
        }
        Ok(text)
    }

    /// As [`Template::fill`], with values spelled for an address. A value that stands at the very
    /// beginning is taken as it is: it is an address already.
    ///
    /// # Errors
    /// As for [`Template::fill`].
    pub fn fill_address(&self, vars: &Vars) -> Result<String, String> {
        let mut text = String::new();
        for (n, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Plain(plain) => text.push_str(plain),
                Piece::Hole(name) => {
                    let value = vars.get(name).ok_or_else(|| name.clone())?;
                    text.push_str(&if n == 0 {
                        value.clone()
                    } else {
                        percent(value)
                    });
                }
            }
        }
        Ok(text)
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Percent-encoding of all but the unreserved (RFC 3986 §2.3).
pub fn percent(text: &str) -> String {
    let mut spelled = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            spelled.push(char::from(byte));
        } else {
            spelled.push_str(&format!("%{byte:02X}"));
        }
    }
    spelled
}

/// Fills the texts within a JSON value; an entry whose value is missing is left out.
pub fn fill_json(value: &Value, vars: &Vars) -> Option<Value> {
    Some(match value {
        Value::String(text) => Value::String(Template::read(text).fill(vars).ok()?),
        Value::Array(items) => items
            .iter()
            .filter_map(|item| fill_json(item, vars))
            .collect(),
        Value::Object(entries) => Value::Object(
            entries
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), fill_json(value, vars)?)))
                .collect(),
        ),
        plain => plain.clone(),
    })
}

/// The names of all holes within a JSON value.
pub fn holes_of_json(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => Template::read(text).holes().map(str::to_owned).collect(),
        Value::Array(items) => items.iter().flat_map(holes_of_json).collect(),
        Value::Object(entries) => entries.values().flat_map(holes_of_json).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn vars() -> Vars {
        let pairs = [("code", "a b&c"), ("next", "/in?x=1&y"), ("empty", "")];
        pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    }

    #[test]
    fn holes_are_filled_and_braces_stay_braces() {
        let fill = |text: &str| Template::read(text).fill(&vars());
        assert_eq!(fill("x={code};").as_deref(), Ok("x=a b&c;"));
        assert_eq!(fill("{{code}} {} { a }").as_deref(), Ok("{code} {} { a }"));
        assert_eq!(fill("[{empty}]").as_deref(), Ok("[]"));
        assert_eq!(fill("{code}{nobody}"), Err("nobody".to_owned()));
        assert_eq!(fill("}{ {Code}").as_deref(), Ok("}{ {Code}"));
    }

    #[test]
    fn in_an_address_values_are_spelled_unless_they_are_the_address() {
        let fill = |text: &str| Template::read(text).fill_address(&vars());
        assert_eq!(fill("/in?code={code}").as_deref(), Ok("/in?code=a%20b%26c"));
        assert_eq!(fill("{next}").as_deref(), Ok("/in?x=1&y"));
        assert_eq!(
            fill("{next}&c={code}").as_deref(),
            Ok("/in?x=1&y&c=a%20b%26c")
        );
    }

    #[test]
    fn what_is_missing_in_json_is_left_out() {
        let body = json!({"code": "{code}", "state": "{state}", "n": 1, "in": {"x": "{state}"}, "all": ["{state}", "{code}"]});
        assert_eq!(
            fill_json(&body, &vars()),
            Some(json!({"code": "a b&c", "n": 1, "in": {}, "all": ["a b&c"]}))
        );
        assert_eq!(holes_of_json(&body).len(), 5);
    }
}
