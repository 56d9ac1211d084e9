//! Takes text apart, of whatever kind: what stands under a secret's name, what may be a secret by
//! its look, and the rest. One reader for queries, forms, JSON, XML, HTML and scripts, whole or
//! broken: what is looked at here is often truncated or of another type than it says, on purpose.

use super::names;

/// A piece of a text. All pieces together are the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Nothing of note.
    Plain(&'a str),
    /// The value under a secret's name, as it is spelled here, and what its mark is called.
    Named(&'static str, &'a str),
    /// The value under a name of telephone numbers.
    Phone(&'a str),
    /// A word of letters, digits, hyphens and underscores, and what stands before it.
    Word(&'a str, Before),
}

/// What stands right before a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// A plus sign, as it is or encoded.
    Plus,
    /// Anything else.
    Other,
}

/// The shortest word that is told by itself.
const SHORT: usize = 6;
/// How far a tag's attributes are looked for.
const TAG: usize = 2048;
/// The most lines of the head of a part.
const PART: usize = 6;

/// Walks over a text.
pub(super) fn walk<'a>(text: &'a str, visit: &mut dyn FnMut(Piece<'a>)) {
    Walker {
        text,
        bytes: text.as_bytes(),
        at: 0,
        plain: 0,
    }
    .walk(text.len(), visit);
}

struct Walker<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Where the plain text begins that was not told yet.
    plain: usize,
}

/// How a name's separator was written: what ends the value follows from it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// `name=value`
    Equals,
    /// `name%3Dvalue`; escaped again so many times.
    Encoded(usize),
    /// `"name": value`
    Colon,
    /// `<name>value</name>`
    Element,
    /// `interaction/value`
    Path,
    /// A part of a multipart form.
    Part,
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

impl<'a> Walker<'a> {
    fn walk(&mut self, end: usize, visit: &mut dyn FnMut(Piece<'a>)) {
        let mut before = Before::Other;
        while self.at < end {
            let byte = self.bytes[self.at];
            if is_word(byte) {
                self.word(end, before, visit);
                before = Before::Other;
                continue;
            }
            let step = match byte {
                b'%' => self.escape(),
                b'\\' => self.backslash(),
                b'<' => {
                    if let Some((name, value)) = self.input() {
                        self.attribute(name, value, visit);
                        before = Before::Other;
                        continue;
                    }
                    1
                }
                _ => 1,
            };
            let is_encoded = step > 2 && self.has(self.at + step - 2, "2B");
            let is_plus = byte == b'+' || (byte == b'%' && is_encoded);
            before = if is_plus { Before::Plus } else { Before::Other };
            self.at += step;
        }
        self.at = self.at.min(self.bytes.len());
        self.tell_plain(self.at, visit);
    }

    fn tell_plain(&mut self, end: usize, visit: &mut dyn FnMut(Piece<'a>)) {
        if let Some(plain) = self.text.get(self.plain..end).filter(|p| !p.is_empty()) {
            visit(Piece::Plain(plain));
        }
        self.plain = end;
    }

    /// The length of a percent escape here, else 1. One that was escaped again, `%253F`, is one.
    fn escape(&self) -> usize {
        let hex = |at: usize| self.bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
        let mut from = self.at + 1;
        while self.has(from, "25") && hex(from + 2) && hex(from + 3) {
            from += 2;
        }
        if hex(from) && hex(from + 1) {
            from + 2 - self.at
        } else {
            1
        }
    }

    /// The length of a backslash and what belongs to it.
    fn backslash(&self) -> usize {
        match self.bytes.get(self.at + 1) {
            Some(b'u') => {
                let hex = |at: &usize| self.bytes.get(*at).is_some_and(u8::is_ascii_hexdigit);
                let digits = (self.at + 2..self.at + 6).take_while(hex).count();
                2 + digits
            }
            Some(byte) if byte.is_ascii() => 2,
            _ => 1,
        }
    }

    fn has(&self, at: usize, mark: &str) -> bool {
        let end = at + mark.len();
        self.bytes
            .get(at..end)
            .is_some_and(|here| here.eq_ignore_ascii_case(mark.as_bytes()))
    }

    fn word(&mut self, end: usize, before: Before, visit: &mut dyn FnMut(Piece<'a>)) {
        let from = self.at;
        let mut to = from;
        while to < self.bytes.len() && is_word(self.bytes[to]) {
            to += 1;
        }
        let word = &self.text[from..to];
        if self.may_be_name(from, to)
            && let Some((label, is_phone)) = named(word)
            && let Some((start, stop)) = self.value(from, to, label)
            && start >= self.plain
            && stop <= end
        {
            self.tell_plain(start, visit);
            let value = &self.text[start..stop];
            visit(if is_phone {
                Piece::Phone(value)
            } else {
                Piece::Named(label, value)
            });
            (self.at, self.plain) = (stop, stop);
            return;
        }
        if word.len() >= SHORT {
            self.tell_plain(from, visit);
            visit(Piece::Word(word, before));
            self.plain = to;
        }
        self.at = to;
    }

    /// Whether what follows a word could lead from a name to its value: most words are none, and
    /// need no closer look.
    fn may_be_name(&self, from: usize, to: usize) -> bool {
        match self.bytes.get(to) {
            Some(b'=' | b':' | b'%' | b'>' | b'/' | b'"' | b'\'' | b'\\' | b'&' | b']') => true,
            Some(b'\r' | b'\n' | b';') if self.is_part(from) => true,
            Some(b' ' | b'\t' | b'\r' | b'\n') => {
                let next = self.bytes.get(self.spaces(to));
                matches!(next, Some(b'=' | b':' | b'%'))
            }
            _ => false,
        }
    }

    /// Where the value of a name begins and ends; none where no value follows.
    fn value(&self, from: usize, to: usize, label: &str) -> Option<(usize, usize)> {
        let (mut at, quoted) = match self.quote(to) {
            Some((after, _)) => (after, true),
            None => (to, false),
        };
        let path = matches!(label, "interaction" | "uuid_path");
        let style = if path {
            let slash = ["/", "\\/", "%2F"].into_iter().find(|s| self.has(at, s))?;
            at += slash.len();
            Style::Path
        } else if let Some(start) = self.part(from, at) {
            at = start;
            Style::Part
        } else if !quoted && self.has(at, ">") && from > 0 && self.bytes[from - 1] == b'<' {
            at += 1;
            Style::Element
        } else {
            // The name of one in a group, as forms have it: `user[password]=`.
            let bracket = ["]", "%5D"].into_iter().find(|end| self.has(at, end));
            at = self.spaces(at + bracket.filter(|_| !quoted).map_or(0, str::len));
            let (style, length) = self.separator(at)?;
            at = self.spaces(at + length);
            style
        };
        // A `code` element is typography, and a number called code is an outcome.
        if style == Style::Element && label == "code" {
            return None;
        }
        let (start, stop) = self.extent(at, style)?;
        let value = &self.text[start..stop];
        let is_told = match label {
            _ if value.is_empty() => false,
            "code" => !(value.len() <= 5 && value.bytes().all(|b| b.is_ascii_digit() || b == b'-')),
            _ => true,
        };
        let is_literal = style == Style::Colon && matches!(value, "null" | "true" | "false");
        (is_told && !is_literal).then_some((start, stop))
    }

    /// Whether the word here is the name of a part of a multipart form.
    fn is_part(&self, from: usize) -> bool {
        let before = &self.bytes[..from];
        [&b"name=\""[..], b"name="]
            .iter()
            .any(|name| before.ends_with(name))
    }

    /// Where the value of a part begins whose name ends here: behind its headers, if it has more
    /// than one, and an empty line.
    fn part(&self, from: usize, to: usize) -> Option<usize> {
        let mut rest = self.text.get(to..).filter(|_| self.is_part(from))?;
        for line in 0..PART {
            let (head, after) = rest.split_once('\n')?;
            let head = head.strip_suffix('\r').unwrap_or(head);
            let is_head = match line {
                0 => head.is_empty() || head.starts_with(';'),
                _ if head.is_empty() => return Some(self.text.len() - after.len()),
                _ => head.contains(':'),
            };
            rest = after;
            if !is_head {
                return None;
            }
        }
        None
    }

    fn spaces(&self, mut at: usize) -> usize {
        while matches!(self.bytes.get(at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            at += 1;
        }
        at
    }

    /// What stands between a name and its value.
    fn separator(&self, at: usize) -> Option<(Style, usize)> {
        match self.bytes.get(at)? {
            b'=' => Some((Style::Equals, 1)),
            b':' => Some((Style::Colon, 1)),
            b'\\' if self.has(at, "\\u003d") => Some((Style::Equals, 6)),
            b'&' => {
                let written = ["&#x3D;", "&#61;"].into_iter();
                let written = written.into_iter().find(|equals| self.has(at, equals))?;
                Some((Style::Equals, written.len()))
            }
            b'%' => {
                let mut end = at + 1;
                while self.has(end, "25") {
                    end += 2;
                }
                let is_one = self.has(end, "3D") || self.has(end, "3A");
                let times = (end - at) / 2;
                is_one.then_some((Style::Encoded(times), end + 2 - at))
            }
            _ => None,
        }
    }

    /// A quote here, however it is written: where it ends, and what closes it.
    fn quote(&self, at: usize) -> Option<(usize, &'static str)> {
        let mut from = at;
        let mut slashes = 0;
        while self.has(from, "\\") {
            from += 1;
            slashes += 1;
        }
        let known: &[&'static str] = &["\"", "'", "&quot;", "&#34;", "&#39;", "&#x27;", "%22", "`"];
        let quote = known.iter().find(|quote| self.has(from, quote))?;
        let close = match (slashes, *quote) {
            (0, quote) => quote,
            (_, "\"") => "\\\"",
            (_, quote) => quote,
        };
        Some((from + quote.len(), close))
    }

    /// Where a value ends that begins here.
    fn extent(&self, at: usize, style: Style) -> Option<(usize, usize)> {
        let rest = self.text.get(at..)?;
        let find = |mark: &str| rest.find(mark).map_or(self.bytes.len(), |found| at + found);
        match style {
            Style::Part => {
                let end = find("\n--");
                let is_pair = end > at && self.bytes.get(end - 1) == Some(&b'\r');
                return Some((at, if is_pair { end - 1 } else { end }));
            }
            Style::Element => {
                const OPEN: &str = "<![CDATA[";
                return match rest.strip_prefix(OPEN) {
                    Some(inside) => {
                        let start = at + OPEN.len();
                        let end = inside.find("]]>").map_or(self.bytes.len(), |n| start + n);
                        Some((start, end))
                    }
                    None => Some((at, find("<"))),
                };
            }
            Style::Path => {
                let is_end = |b: u8| b.is_ascii_whitespace() || b"/?#&;,\"'<>)}\\".contains(&b);
                let stop = rest.bytes().position(is_end);
                return Some((at, stop.map_or(self.bytes.len(), |n| at + n)));
            }
            Style::Equals | Style::Encoded(_) | Style::Colon => {}
        }
        // In a query a quote is a letter like others, unless it closes.
        let quote = self
            .quote(at)
            .filter(|(_, close)| style == Style::Colon || *close != "%22");
        if let Some((start, close)) = quote {
            let end = self.closed(start, close);
            if style == Style::Colon || end < self.bytes.len() {
                return Some((start, end));
            }
        }
        match self.bytes.get(at)? {
            // All that a list holds.
            b'[' => Some((at + 1, find("]").max(at + 1))),
            b'{' => None,
            _ => Some((at, self.bare(at, style))),
        }
    }

    /// Where a quoted value ends.
    fn closed(&self, start: usize, close: &str) -> usize {
        let mut at = start;
        while at < self.bytes.len() {
            if self.has(at, close) {
                return at;
            }
            at += if self.bytes[at] == b'\\' { 2 } else { 1 };
        }
        self.bytes.len()
    }

    /// Where a value without quotes ends.
    fn bare(&self, from: usize, style: Style) -> usize {
        const ENDS: &[u8] = b"&;,\"'<>)}]#|\\`";
        const ENCODED: [&str; 7] = ["26", "23", "22", "3B", "2C", "20", "7D"];
        let mut at = from;
        while at < self.bytes.len() {
            let byte = self.bytes[at];
            // What ends the value is escaped as often as what began it.
            let is_encoded_end = match style {
                Style::Encoded(times) if byte == b'%' => {
                    let end = at + 1 + 2 * times;
                    let again = &self.bytes[at + 1..end.min(self.bytes.len())];
                    again.chunks(2).all(|pair| pair == b"25")
                        && ENCODED.iter().any(|mark| self.has(end, mark))
                }
                _ => false,
            };
            if byte.is_ascii_whitespace() || ENDS.contains(&byte) || is_encoded_end {
                break;
            }
            at += 1;
        }
        at
    }

    // --- tags -----------------------------------------------------------------------------------

    /// The name and the value of a field of a page, where its tag begins here.
    fn input(&self) -> Option<(&'a str, (usize, usize))> {
        let tags = ["<input", "<meta", "<button", "<option"];
        let tag = tags.into_iter().find(|tag| self.has(self.at, tag))?;
        let from = self.at + tag.len();
        let end = self.bytes.len().min(from + TAG);
        let mut end = from
            + self.bytes[from..end]
                .iter()
                .position(|b| *b == b'>')
                .unwrap_or(end - from);
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let inside = &self.text[from..end];
        let (name_from, name_to) = attribute(inside, &["name", "id"])?;
        let (start, stop) = attribute(inside, &["value", "content"])?;
        let name = &inside[name_from..name_to];
        Some((name, (from + start, from + stop)))
    }

    fn attribute(
        &mut self,
        name: &'a str,
        (start, stop): (usize, usize),
        visit: &mut dyn FnMut(Piece<'a>),
    ) {
        // Past the bracket, so that the tag is not found again.
        self.at += 1;
        self.walk_to(start, visit);
        let value = &self.text[start..stop];
        match named(name) {
            Some((_, true)) if !value.is_empty() => visit(Piece::Phone(value)),
            Some((label, false)) if !value.is_empty() => visit(Piece::Named(label, value)),
            _ => return,
        }
        (self.at, self.plain) = (stop, stop);
    }

    /// Walks up to a place, not further.
    fn walk_to(&mut self, end: usize, visit: &mut dyn FnMut(Piece<'a>)) {
        let mut part = Walker {
            text: &self.text[..end],
            bytes: &self.bytes[..end],
            at: self.at,
            plain: self.plain,
        };
        part.walk(end, visit);
        (self.at, self.plain) = (end, end);
    }
}

/// Where an attribute's value stands in a tag.
fn attribute(tag: &str, names: &[&str]) -> Option<(usize, usize)> {
    let bytes = tag.as_bytes();
    for name in names {
        for (found, _) in tag.match_indices(name) {
            let before = found.checked_sub(1).and_then(|at| bytes.get(at));
            if !before.is_some_and(u8::is_ascii_whitespace) {
                continue;
            }
            let rest = tag.get(found + name.len()..)?;
            let Some(rest) = rest.strip_prefix('=') else {
                continue;
            };
            let start = tag.len() - rest.len();
            return Some(match rest.bytes().next() {
                Some(quote @ (b'"' | b'\'')) => {
                    let inside = &rest[1..];
                    let end = inside.bytes().position(|b| b == quote);
                    (start + 1, start + 1 + end.unwrap_or(inside.len()))
                }
                _ => {
                    let end = rest.bytes().position(|b| b.is_ascii_whitespace());
                    (start, start + end.unwrap_or(rest.len()))
                }
            });
        }
    }
    None
}

/// What a name is called in a mark, and whether telephone numbers stand under it.
fn named(word: &str) -> Option<(&'static str, bool)> {
    match word {
        "interaction" => return Some(("interaction", false)),
        "qrcode" => return Some(("uuid_path", false)),
        _ => {}
    }
    match names::label(word) {
        Some(label) => Some((label, false)),
        None => names::is_phone(word).then_some(("phone", true)),
    }
}
