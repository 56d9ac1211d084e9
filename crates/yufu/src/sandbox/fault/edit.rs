//! Damage to JSON answers that leaves every other byte where it was.

use std::ops::Range;

/// What is done to an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// A field is gone.
    Missing(String),
    /// A field stands twice; the later one says this.
    Duplicate(String, Option<String>),
    /// A field more, in front.
    Extra(String, String),
    /// A good answer begins with `"errcode":0,"errmsg":"ok"`.
    ErrcodeZero,
    /// Numbers are texts.
    Strings,
    /// The openid is somebody else's.
    OtherOpenid,
    /// The nickname is damaged.
    Mojibake(How),
    /// The answer ends here, or in the middle.
    Truncated(Option<usize>),
}

/// How a nickname is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Read as Latin-1 and written as UTF-8: `æ¢…`.
    Latin1,
    /// Its last character is cut in two: no UTF-8.
    Bytes,
    /// A control character stands in it as it is: no JSON.
    Control,
}

/// A member of the outermost object: where its key begins and its value ends, and the value.
#[derive(Debug, PartialEq, Eq)]
struct Member<'a> {
    key: &'a str,
    whole: Range<usize>,
    value: Range<usize>,
}

impl Edit {
    /// The answer after the edit; `None` where there is nothing to edit.
    pub(super) fn apply(&self, body: &[u8]) -> Option<Vec<u8>> {
        if let Self::Truncated(at) = self {
            let at = at.unwrap_or(body.len() / 2);
            return (at < body.len()).then(|| body[..at].to_vec());
        }
        let members = members(body)?;
        let find = |key: &str| members.iter().find(|member| member.key == key);
        match self {
            Self::Missing(key) => {
                let n = members.iter().position(|member| member.key == *key)?;
                let mut gone = members[n].whole.clone();
                // With the comma behind it, or before the last.
                match (members.get(n + 1), n.checked_sub(1)) {
                    (Some(next), _) => gone.end = next.whole.start,
                    (None, Some(before)) => gone.start = members[before].whole.end,
                    (None, None) => {}
                }
                Some(splice(body, gone, b""))
            }
            Self::Duplicate(key, value) => {
                let member = find(key)?;
                let is_text = body.get(member.value.start) == Some(&b'"');
                let again = match value {
                    Some(value) => quoted(value),
                    None if is_text => quoted("duplicate"),
                    None => "0".to_owned(),
                };
                let end = members.last()?.whole.end;
                let more = format!(",{}:{again}", quoted(key));
                Some(splice(body, end..end, more.as_bytes()))
            }
            Self::Extra(key, value) => {
                let more = format!("{}:{}", quoted(key), quoted(value));
                Some(put_first(body, &members, &more))
            }
            Self::ErrcodeZero => {
                let is_good = find("errcode").is_none();
                is_good.then(|| put_first(body, &members, "\"errcode\":0,\"errmsg\":\"ok\""))
            }
            Self::Strings => {
                let mut edited = body.to_vec();
                let numbers = members.iter().rev().filter(|member| {
                    let first = body.get(member.value.start);
                    first.is_some_and(|b| b.is_ascii_digit() || *b == b'-')
                });
                for number in numbers {
                    edited.insert(number.value.end, b'"');
                    edited.insert(number.value.start, b'"');
                }
                (edited.len() > body.len()).then_some(edited)
            }
            Self::OtherOpenid => {
                let value = find("openid")?.value.clone();
                // Within the quotes, and behind what all of a client's have in common.
                let tail = (value.start + 7).min(value.end)..value.end - 1;
                let mut other = body.get(tail.clone())?.to_vec();
                for byte in &mut other {
                    *byte = match *byte {
                        b'0'..=b'9' => b'0' + (9 - (*byte - b'0')),
                        letter if letter.is_ascii_lowercase() => letter.to_ascii_uppercase(),
                        letter => letter.to_ascii_lowercase(),
                    };
                }
                Some(splice(body, tail, &other))
            }
            Self::Mojibake(how) => {
                let value = find("nickname")?.value.clone();
                let text = std::str::from_utf8(body.get(value.clone())?).ok()?;
                let text = text.strip_prefix('"')?.strip_suffix('"')?;
                let mut damaged = b"\"".to_vec();
                match how {
                    // What is ASCII looks the same, as it does in life.
                    How::Latin1 => {
                        let read: String = text.bytes().map(char::from).collect();
                        damaged.extend(read.bytes());
                    }
                    How::Bytes => {
                        damaged.extend(text.bytes());
                        damaged.extend([0xe6, 0xa2]);
                    }
                    How::Control => {
                        damaged.extend(text.bytes());
                        damaged.push(0x02);
                    }
                }
                damaged.push(b'"');
                Some(splice(body, value, &damaged))
            }
            Self::Truncated(_) => None,
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn splice(body: &[u8], at: Range<usize>, with: &[u8]) -> Vec<u8> {
    let mut edited = Vec::with_capacity(body.len() + with.len());
    edited.extend_from_slice(body.get(..at.start).unwrap_or_default());
    edited.extend_from_slice(with);
    edited.extend_from_slice(body.get(at.end..).unwrap_or_default());
    edited
}

fn put_first(body: &[u8], members: &[Member<'_>], more: &str) -> Vec<u8> {
    match members.first() {
        Some(first) => {
            let at = first.whole.start;
            splice(body, at..at, format!("{more},").as_bytes())
        }
        None => format!("{{{more}}}").into_bytes(),
    }
}

/// The members of an object, in their order; `None` for anything else. Only the house's own JSON
/// comes here, so it is looked through, not judged.
fn members(body: &[u8]) -> Option<Vec<Member<'_>>> {
    let mut scan = Scan { body, at: 0 };
    scan.space();
    scan.eat(b'{')?;
    let mut members = Vec::new();
    loop {
        scan.space();
        if scan.eat(b'}').is_some() {
            return Some(members);
        }
        if !members.is_empty() {
            scan.eat(b',')?;
            scan.space();
        }
        let start = scan.at;
        let key = scan.string()?;
        scan.space();
        scan.eat(b':')?;
        scan.space();
        let value = scan.value()?;
        members.push(Member {
            key: std::str::from_utf8(body.get(key.start + 1..key.end - 1)?).ok()?,
            whole: start..value.end,
            value,
        });
    }
}

struct Scan<'a> {
    body: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn string(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        self.eat(b'"')?;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(start..self.at);
                }
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
    }

    fn value(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        let mut depth = 0u32;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                b',' | b'}' if depth == 0 => return (self.at > start).then_some(start..self.at),
                _ => self.at += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKENS: &str = r#"{"access_token":"81_a","expires_in":7200,"refresh_token":"81_r","openid":"oAbCdEfghij0123456789XYZ_-abc","scope":"snsapi_login"}"#;
    const PROFILE: &str = r#"{"openid":"oAbCdEfghij0123456789XYZ_-abc","nickname":"梅 \"Zoé\"","sex":0,"headimgurl":"https:\/\/e\/","privilege":["a","}"],"unionid":"oU"}"#;
    const ERROR: &str = r#"{"errcode":40029,"errmsg":"invalid code, rid: x"}"#;

    fn edited(edit: Edit, body: &str) -> String {
        let edited = edit
            .apply(body.as_bytes())
            .expect("there is something to edit");
        String::from_utf8(edited).expect("text")
    }

    fn none(edit: &Edit, body: &str) {
        assert_eq!(edit.apply(body.as_bytes()), None, "{edit:?}");
    }

    #[test]
    fn a_missing_field_takes_its_comma_along() {
        let without = |key: &str| edited(Edit::Missing(key.into()), TOKENS);
        assert!(without("access_token").starts_with(r#"{"expires_in":7200,"#));
        assert!(without("refresh_token").contains(r#":7200,"openid":"#));
        assert!(without("scope").ends_with(r#"XYZ_-abc"}"#));
        assert_eq!(edited(Edit::Missing("a".into()), r#"{"a":1}"#), "{}");
        none(&Edit::Missing("unionid".into()), TOKENS);
        none(&Edit::Missing("openid".into()), ERROR);
        let profile = edited(Edit::Missing("privilege".into()), PROFILE);
        assert!(profile.ends_with(r#"\/","unionid":"oU"}"#), "{profile}");
    }

    #[test]
    fn a_duplicate_stands_at_the_end() {
        let again = edited(Edit::Duplicate("openid".into(), None), TOKENS);
        assert!(again.ends_with(r#","scope":"snsapi_login","openid":"duplicate"}"#));
        let again = edited(Edit::Duplicate("expires_in".into(), None), TOKENS);
        assert!(again.ends_with(r#","expires_in":0}"#));
        let again = edited(
            Edit::Duplicate("unionid".into(), Some("o\"".into())),
            PROFILE,
        );
        assert!(again.ends_with(r#""unionid":"oU","unionid":"o\""}"#));
    }

    #[test]
    fn something_more_stands_in_front() {
        let more = edited(Edit::Extra("token_type".into(), "bearer".into()), TOKENS);
        assert!(more.starts_with(r#"{"token_type":"bearer","access_token":"#));
        let zero = edited(Edit::ErrcodeZero, PROFILE);
        assert!(zero.starts_with(r#"{"errcode":0,"errmsg":"ok","openid":"#));
        none(&Edit::ErrcodeZero, ERROR);
        assert_eq!(
            edited(Edit::ErrcodeZero, "{}"),
            r#"{"errcode":0,"errmsg":"ok"}"#
        );
    }

    #[test]
    fn numbers_become_texts() {
        assert!(edited(Edit::Strings, TOKENS).contains(r#""expires_in":"7200","#));
        assert!(edited(Edit::Strings, ERROR).starts_with(r#"{"errcode":"40029","#));
        assert!(edited(Edit::Strings, r#"{"errcode":-1}"#).contains(r#""-1""#));
        none(&Edit::Strings, r#"{"a":"1","b":[1]}"#);
    }

    #[test]
    fn another_openid_has_the_same_shape_and_head() {
        let other = edited(Edit::OtherOpenid, PROFILE);
        assert!(
            other.starts_with(r#"{"openid":"oAbCdEFGHIJ9876543210xyz_-ABC","#),
            "{other}"
        );
        none(&Edit::OtherOpenid, ERROR);
        // Openids that are none do no harm.
        for short in [r#"{"openid":""}"#, r#"{"openid":"o"}"#, r#"{"openid":1}"#] {
            let _ = Edit::OtherOpenid.apply(short.as_bytes());
        }
    }

    #[test]
    fn nicknames_are_damaged_in_three_ways() {
        let latin = edited(Edit::Mojibake(How::Latin1), PROFILE);
        assert!(
            latin.contains("\"nickname\":\"æ¢\u{85} \\\"ZoÃ©\\\"\""),
            "{latin}"
        );
        let bytes = Edit::Mojibake(How::Bytes)
            .apply(PROFILE.as_bytes())
            .unwrap();
        assert!(std::str::from_utf8(&bytes).is_err());
        let control = edited(Edit::Mojibake(How::Control), PROFILE);
        assert!(serde_json::from_str::<serde_json::Value>(&control).is_err());
        none(&Edit::Mojibake(How::Latin1), TOKENS);
    }

    #[test]
    fn a_truncated_answer_is_no_json() {
        let half = edited(Edit::Truncated(None), TOKENS);
        assert_eq!(half.len(), TOKENS.len() / 2);
        assert!(serde_json::from_str::<serde_json::Value>(&half).is_err());
        assert_eq!(edited(Edit::Truncated(Some(0)), TOKENS), "");
        none(&Edit::Truncated(Some(1000)), TOKENS);
        none(&Edit::Truncated(None), "");
    }

    #[test]
    fn what_is_no_object_is_left_alone() {
        for text in [
            "",
            "[]",
            "window.wx_code='';",
            "{",
            r#"{"a""#,
            r#"{"a":"#,
            r#"{"a":1"#,
        ] {
            none(&Edit::ErrcodeZero, text);
        }
        assert_eq!(members(br#" { "a" : 1 , "b" : "x" } "#).unwrap().len(), 2);
    }
}
