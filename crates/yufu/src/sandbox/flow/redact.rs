//! Redaction: before anything is kept, each secret becomes a mark. What stands under a secret's
//! name in one place of an exchange is a secret everywhere in it; what earlier exchanges showed to
//! be one still is; and what looks like one is taken for one.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::mark::{self, Marks, TieKey};
use super::names;
use super::walk::{Before, Piece, walk};

/// A state that is shorter is shown: it protects nothing, and a developer wants to see it.
pub(super) const SHORT_STATE: usize = 8;
/// Values of this many characters are hidden wherever they stand, not under their name alone.
const REMEMBERED: usize = 6;
/// Values of this many characters are hidden inside longer words, too.
const GLUED: usize = 12;
/// The shortest of the platform's own secrets, a scan's uuid.
const KNOWN: usize = 16;
/// Words of this many characters with digits and letters are taken for secrets.
const LONG: usize = 32;

/// A value that stood under a secret's name.
struct Found {
    value: String,
    label: &'static str,
    tie: TieKey,
    /// Whether it is more than one word, and so is looked for by itself.
    odd: bool,
}

/// Redacts one exchange: first it hears all of it, then it writes.
pub(super) struct Redactor<'a> {
    marks: &'a Marks,
    /// What earlier exchanges showed a value to be.
    known: &'a dyn Fn(TieKey) -> Option<&'static str>,
    found: Vec<Found>,
}

impl<'a> Redactor<'a> {
    pub(super) fn new(marks: &'a Marks, known: &'a dyn Fn(TieKey) -> Option<&'static str>) -> Self {
        Self {
            marks,
            known,
            found: Vec::new(),
        }
    }

    // --- hearing --------------------------------------------------------------------------------

    /// Hears a text.
    pub(super) fn hear(&mut self, text: &str) {
        walk(text, &mut |piece| {
            if let Piece::Named(label, value) = piece {
                self.find(label, value);
            }
        });
    }

    /// Hears the body of a request or an answer: a form and JSON also as what they are, for their
    /// values may hold anything.
    pub(super) fn hear_body(&mut self, text: &str) {
        self.hear(text);
        match text.trim_start().as_bytes().first() {
            Some(b'{' | b'[') => {
                if let Ok(value) = serde_json::from_str::<Value>(text) {
                    self.hear_json(None, &value);
                }
            }
            Some(b'<') | None => {}
            Some(_) => self.hear_pairs(text),
        }
    }

    /// Hears an address.
    pub(super) fn hear_url(&mut self, url: &str) {
        self.hear(url);
        if let Some((_, query)) = url.split_once('?') {
            self.hear_pairs(query);
        }
    }

    fn hear_pairs(&mut self, query: &str) {
        for pair in query.split('&') {
            if let Some((name, value)) = pair.split_once('=')
                && let Some(label) = names::label(name)
            {
                self.remember(label, &percent_decode(&value.replace('+', " ")));
            }
        }
    }

    fn hear_json(&mut self, label: Option<&'static str>, value: &Value) {
        match value {
            Value::String(text) => match label {
                Some(label) => self.remember(label, text),
                // An address, or JSON within JSON.
                None if text.contains(['=', '{']) => self.hear(text),
                None => {}
            },
            Value::Array(items) => {
                for item in items {
                    self.hear_json(label, item);
                }
            }
            Value::Object(members) => {
                let member = |name: &str| members.get(name).and_then(Value::as_str);
                // A field of a form, as some scripts write forms.
                if let (Some(name), Some(value)) = (member("name"), member("value"))
                    && let Some(label) = names::label(name)
                {
                    self.remember(label, value);
                }
                for (name, value) in members {
                    self.hear_json(names::label(name), value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Hears a header.
    pub(super) fn hear_header(&mut self, name: &str, value: &str) {
        match kind(name) {
            Head::Cookie => {
                for (name, value) in cookies(value) {
                    if !is_plain_cookie(name) {
                        self.find("cookie", value);
                    }
                }
            }
            Head::SetCookie => {
                if let Some((name, value)) = cookies(value).next()
                    && !is_plain_cookie(name)
                {
                    self.find("cookie", value);
                }
            }
            Head::Authorization => {
                let (scheme, value) = credential(value);
                self.find(word_of(scheme), value);
                if let Some(password) = basic(scheme, value) {
                    self.find("secret", &password);
                }
            }
            Head::Secret(label) => self.find(label, value),
            Head::Text => self.hear(value),
        }
    }

    fn find(&mut self, label: &'static str, spelled: &str) {
        let value = plain(spelled);
        self.remember(label, &value);
        // A form writes a space as a plus.
        if spelled.contains('+') {
            self.remember(label, &plain(&spelled.replace('+', " ")));
        }
    }

    fn remember(&mut self, label: &'static str, value: &str) {
        let is_short = value.chars().count() < REMEMBERED;
        if is_short || (label == "state" && value.len() < SHORT_STATE) {
            return;
        }
        let tie = self.marks.tie(value);
        if self.found.iter().any(|found| found.tie == tie) {
            return;
        }
        let odd = !value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        self.found.push(Found {
            label: (self.known)(tie).unwrap_or(canonical(label)),
            value: value.to_owned(),
            tie,
            odd,
        });
    }

    // --- writing --------------------------------------------------------------------------------

    /// Writes a text with marks for secrets.
    pub(super) fn text(&self, text: &str) -> String {
        let text = self.odd(text);
        let mut out = String::with_capacity(text.len());
        walk(&text, &mut |piece| match piece {
            Piece::Plain(plain) => out.push_str(plain),
            Piece::Named(label, value) => self.named(label, value, &mut out),
            Piece::Phone(value) => mask_field(value, &mut out),
            Piece::Word(word, before) => self.word(word, before, &mut out),
        });
        out
    }

    /// Writes a header's value with marks for secrets.
    pub(super) fn header(&self, name: &str, value: &str) -> String {
        let value = &self.odd(value);
        let mut out = String::with_capacity(value.len());
        match kind(name) {
            Head::Cookie => {
                for (at, (name, value)) in cookies(value).enumerate() {
                    if at > 0 {
                        out.push_str("; ");
                    }
                    self.cookie(name, value, &mut out);
                }
            }
            Head::SetCookie => {
                let (pair, attributes) = value.split_once(';').unwrap_or((value, ""));
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                self.cookie(name.trim(), value.trim(), &mut out);
                if !attributes.is_empty() {
                    out.push(';');
                    out.push_str(attributes);
                }
            }
            Head::Authorization => {
                let (scheme, value) = credential(value);
                out.push_str(scheme);
                if !scheme.is_empty() {
                    out.push(' ');
                }
                self.named(word_of(scheme), value, &mut out);
            }
            Head::Secret(label) => self.named(label, value, &mut out),
            Head::Text => return self.text(value),
        }
        out
    }

    fn cookie(&self, name: &str, value: &str, out: &mut String) {
        out.push_str(name);
        out.push('=');
        if is_plain_cookie(name) {
            out.push_str(value);
        } else {
            self.named("cookie", value, out);
        }
    }

    fn named(&self, label: &'static str, spelled: &str, out: &mut String) {
        let value = plain(spelled);
        // What is a mark already stays one, and what was left out stays so.
        let is_marked = value.ends_with('›') && value.contains('‹');
        if value.is_empty()
            || is_marked
            || value == "…"
            || (label == "state" && value.len() < SHORT_STATE)
        {
            out.push_str(spelled);
            return;
        }
        // Words of the platform's that stand where a code would.
        if label == "code" && value == "authdeny" {
            out.push_str(spelled);
            return;
        }
        let tie = self.marks.tie(&value);
        let found = self.found.iter().find(|found| found.tie == tie);
        let label = match found {
            Some(found) => found.label,
            None => (self.known)(tie).unwrap_or(canonical(label)),
        };
        mark::write(label, tie, out);
    }

    fn word(&self, word: &str, before: Before, out: &mut String) {
        for found in &self.found {
            if found.odd || found.value.len() > word.len() {
                continue;
            }
            if found.value == word {
                return mark::write(found.label, found.tie, out);
            }
            if found.value.len() >= GLUED
                && let Some(at) = word.find(&found.value)
            {
                self.word(&word[..at], before, out);
                mark::write(found.label, found.tie, out);
                return self.word(&word[at + found.value.len()..], Before::Other, out);
            }
        }
        if word.len() >= KNOWN {
            let tie = self.marks.tie(word);
            let looks = word.len() >= LONG && is_mixed(word);
            match (self.known)(tie) {
                Some(label) => return mark::write(label, tie, out),
                None if looks => return mark::write("secret", tie, out),
                None => {}
            }
        }
        if is_number(word, before) {
            return mask(word, out);
        }
        out.push_str(word);
    }

    /// Hides values of more than one word, in each spelling.
    fn odd<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for found in self.found.iter().filter(|found| found.odd) {
            for spelled in spellings(&found.value) {
                if text.contains(&spelled) {
                    let mut mark = String::new();
                    mark::write(found.label, found.tie, &mut mark);
                    text = Cow::Owned(text.replace(&spelled, &mark));
                }
            }
        }
        text
    }
}

/// What a mark is called: what a path holds is called by what it is.
fn canonical(label: &'static str) -> &'static str {
    match label {
        "uuid_path" => "uuid",
        label => label,
    }
}

fn is_mixed(word: &str) -> bool {
    word.bytes().any(|b| b.is_ascii_digit()) && word.bytes().any(|b| b.is_ascii_alphabetic())
}

// --- headers --------------------------------------------------------------------------------

enum Head {
    Cookie,
    SetCookie,
    Authorization,
    Secret(&'static str),
    Text,
}

fn kind(name: &str) -> Head {
    match name {
        "cookie" => Head::Cookie,
        "set-cookie" => Head::SetCookie,
        "authorization" | "proxy-authorization" => Head::Authorization,
        name => match names::label(name) {
            Some(label) => Head::Secret(label),
            None => Head::Text,
        },
    }
}

fn cookies(line: &str) -> impl Iterator<Item = (&str, &str)> {
    line.split(';').map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name.trim(), value.trim())
    })
}

/// A language is no secret, and a page is read more easily with it.
fn is_plain_cookie(name: &str) -> bool {
    name.ends_with("_lang")
}

fn credential(value: &str) -> (&str, &str) {
    value.split_once(' ').unwrap_or(("", value))
}

fn word_of(scheme: &str) -> &'static str {
    if scheme.eq_ignore_ascii_case("basic") {
        "basic"
    } else {
        "token"
    }
}

/// The password in a Basic header.
fn basic(scheme: &str, value: &str) -> Option<String> {
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
    Some(text.split_once(':')?.1.to_owned())
}

// --- spellings ------------------------------------------------------------------------------

/// A value as it is meant, whatever it was written in.
pub(super) fn plain(spelled: &str) -> Cow<'_, str> {
    let mut value = Cow::Borrowed(spelled);
    // Thrice: an address within an address within an address.
    for _ in 0..3 {
        if value.contains('%') {
            let decoded = percent_decode(&value);
            value = Cow::Owned(decoded);
        }
    }
    if value.contains('\\') {
        value = Cow::Owned(unescape(&value));
    }
    if value.contains('&') {
        let text = value.replace("&quot;", "\"").replace("&#34;", "\"");
        let text = text.replace("&#39;", "'").replace("&#x27;", "'");
        let text = text.replace("&lt;", "<").replace("&gt;", ">");
        value = Cow::Owned(text.replace("&amp;", "&"));
    }
    value
}

fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let pair = bytes.get(at + 1..at + 3);
        let hex = pair.and_then(|pair| std::str::from_utf8(pair).ok());
        match hex
            .filter(|_| *byte == b'%')
            .map(|hex| u8::from_str_radix(hex, 16))
        {
            Some(Ok(decoded)) => {
                out.push(decoded);
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

/// The text of a JSON string.
fn unescape(text: &str) -> String {
    let quoted = format!("\"{text}\"");
    serde_json::from_str(&quoted).unwrap_or_else(|_| text.replace('\\', ""))
}

/// How a value may be written.
fn spellings(value: &str) -> Vec<String> {
    let json = |text: &str| {
        let quoted = serde_json::to_string(text).unwrap_or_default();
        quoted[1..quoted.len().saturating_sub(1).max(1)].to_owned()
    };
    let percent = |upper: bool, plus: bool| {
        let mut out = String::new();
        for byte in value.bytes() {
            match byte {
                b' ' if plus => out.push('+'),
                byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                    out.push(char::from(byte));
                }
                byte if upper => out.push_str(&format!("%{byte:02X}")),
                byte => out.push_str(&format!("%{byte:02x}")),
            }
        }
        out
    };
    let html = value.replace('&', "&amp;").replace('<', "&lt;");
    let html = html.replace('>', "&gt;").replace('"', "&quot;");
    let unicode: String = value.chars().fold(String::new(), |mut out, c| {
        if c.is_ascii() {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
        out
    });
    let html_39 = html.replace('\'', "&#39;");
    let html_x27 = html.replace('\'', "&#x27;");
    let mut all = vec![
        value.to_owned(),
        json(value),
        json(value).replace('/', "\\/"),
        percent(true, false),
        percent(true, true),
        percent(false, false),
        html_39,
        html_x27,
        html,
        unicode,
    ];
    all.retain(|spelled| spelled.len() >= REMEMBERED);
    // The longest first: a shorter spelling may be a part of it.
    all.sort_by_key(|spelled| std::cmp::Reverse(spelled.len()));
    all.dedup();
    all
}

// --- telephone numbers ----------------------------------------------------------------------

/// Whether a word is a telephone number: of China by its look, of elsewhere by the plus.
fn is_number(word: &str, before: Before) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    if !(7..=15).contains(&digits) || !word.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
        return false;
    }
    if before == Before::Plus {
        return true;
    }
    let mut plain = word.bytes().filter(u8::is_ascii_digit);
    let head: Vec<u8> = plain.by_ref().take(4).collect();
    let is_mobile = |head: &[u8]| head.first() == Some(&b'1') && head.get(1) >= Some(&b'3');
    match digits {
        11 => is_mobile(&head),
        13 => head.starts_with(b"86") && head.get(2..).is_some_and(is_mobile),
        _ => false,
    }
}

/// Hides the middle of a number.
fn mask(number: &str, out: &mut String) {
    let count = number.chars().count();
    let (head, tail) = if count >= 13 { (5, 4) } else { (3, 4) };
    for (at, c) in number.chars().enumerate() {
        let shown = at < head || at + tail >= count;
        out.push(if shown || !c.is_ascii_digit() { c } else { '*' });
    }
}

/// Hides the middle of what stands under a name of telephone numbers, if it is one.
fn mask_field(value: &str, out: &mut String) {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    if digits < 5 {
        return out.push_str(value);
    }
    let escape = value.bytes().filter(|b| *b == b'%').count() * 2;
    let head = escape + if digits >= 13 { 6 } else { 3 };
    let (head, tail) = if digits < 9 { (1, 1) } else { (head, 3) };
    let count = value.chars().count();
    for (at, c) in value.chars().enumerate() {
        let shown = at < head || at + tail >= count;
        out.push(if shown || !c.is_ascii_digit() { c } else { '*' });
    }
}
