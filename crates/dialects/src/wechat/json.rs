//! A JSON object written by hand: key order, spacing and escapes are part of the wire
//! (`docs/facts/wechat.md` §2).

use std::fmt::Write as _;

/// An object under construction: compact, in the order in which its fields are added.
pub(super) struct Object(String);

impl Object {
    /// An object without fields.
    pub(super) fn new() -> Self {
        Self(String::from("{"))
    }

    /// Adds a string, UTF-8 as it is, slashes as they are.
    pub(super) fn text(self, name: &str, value: &str) -> Self {
        self.string(name, value, false)
    }

    /// Adds a string whose slashes are written `\/`, as `/sns/userinfo` does.
    pub(super) fn slashed(self, name: &str, value: &str) -> Self {
        self.string(name, value, true)
    }

    /// Adds a string if there is one: the platform leaves a key out rather than empty.
    pub(super) fn maybe(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// Adds a 1 for a flag that is on; nothing for one that is off.
    pub(super) fn flag(self, name: &str, on: bool) -> Self {
        if on { self.number(name, 1) } else { self }
    }

    /// Adds a number.
    pub(super) fn number(mut self, name: &str, value: i64) -> Self {
        self.name(name);
        let _ = write!(self.0, "{value}");
        self
    }

    /// Adds JSON that is already written.
    pub(super) fn json(mut self, name: &str, value: &str) -> Self {
        self.name(name);
        self.0.push_str(value);
        self
    }

    /// The whole text.
    pub(super) fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
    }

    fn string(mut self, name: &str, value: &str, slashes: bool) -> Self {
        self.name(name);
        self.0.push('"');
        for c in value.chars() {
            match c {
                '"' => self.0.push_str("\\\""),
                '\\' => self.0.push_str("\\\\"),
                '/' if slashes => self.0.push_str("\\/"),
                '\n' => self.0.push_str("\\n"),
                '\r' => self.0.push_str("\\r"),
                '\t' => self.0.push_str("\\t"),
                c if c < ' ' => {
                    let _ = write!(self.0, "\\u{:04x}", u32::from(c));
                }
                c => self.0.push(c),
            }
        }
        self.0.push('"');
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_in_order_without_spaces() {
        let text = Object::new()
            .text("a", "x/y")
            .number("b", -7)
            .maybe("c", None)
            .slashed("d", "https://e/")
            .json("e", "[]")
            .end();
        assert_eq!(text, r#"{"a":"x/y","b":-7,"d":"https:\/\/e\/","e":[]}"#);
    }

    #[test]
    fn text_stays_utf_8_and_control_characters_are_escaped() {
        let text = Object::new().text("n", "梅 é 🐟\"\\\n\u{1}\u{7f}").end();
        assert_eq!(text, "{\"n\":\"梅 é 🐟\\\"\\\\\\n\\u0001\u{7f}\"}");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["n"], "梅 é 🐟\"\\\n\u{1}\u{7f}");
    }
}
