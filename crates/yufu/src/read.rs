//! Files that people write for the sandbox, TOML or JSON: people, faults, recipes; and the bodies
//! of the control's calls. Everything that is wrong is told at once, each with its line, what is
//! wrong, and what to write instead.
//!
//! ```
//! let document = yufu::read::Document::toml("[[people]]\nname = \"mei\"\nfone = \"1\"\n");
//! for person in document.rows("people") {
//!     assert_eq!(person.text("name").as_deref(), Some("mei"));
//!     person.text("phone");
//! }
//! let complaints = document.finish().unwrap_err();
//! assert_eq!(
//!     complaints.to_string(),
//!     "line 3: there is no people[0].fone; did you mean phone?"
//! );
//! ```

mod node;

use std::cell::RefCell;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;

use node::{Node, Row, Value};

/// Something wrong, with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Complaint {
    /// The line of the file, counted from one; `None` where there is no file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Where: `faults[0].status`; empty for the whole.
    pub at: String,
    /// What is wrong, to be read after `at`.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        match (self.what.as_str(), self.at.as_str()) {
            (UNKNOWN, at) => write!(f, "there is no {at}")?,
            (what, "") => f.write_str(what)?,
            (what, at) => write!(f, "{at} {what}")?,
        }
        if self.remedy.is_empty() {
            return Ok(());
        }
        write!(f, "; {}", self.remedy)
    }
}

/// Everything that is wrong, in the order of the file. Shown one to a line.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Complaints(pub Vec<Complaint>);

impl Complaints {
    /// One complaint about no line.
    pub fn one(at: &str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self(vec![Complaint {
            line: None,
            at: at.to_owned(),
            what: what.into(),
            remedy: remedy.into(),
        }])
    }

    /// The complaints below the name of a file, as the command line tells them.
    pub fn about(&self, file: &Path) -> String {
        let lines: Vec<String> = self.0.iter().map(|it| format!("  {it}")).collect();
        format!("{} has to be mended:\n{}", file.display(), lines.join("\n"))
    }
}

impl fmt::Display for Complaints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, complaint) in self.0.iter().enumerate() {
            let end = if n == 0 { "" } else { "\n" };
            write!(f, "{end}{complaint}")?;
        }
        Ok(())
    }
}

/// What is said of a name that nobody asked for.
const UNKNOWN: &str = "is not known";

/// How a document was written, for the words of its remedies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Toml,
    Json,
}

/// A document that is being read: what was asked for, and what was wrong.
///
/// Broken text is a complaint like another, told by [`Document::finish`]; what could be read of it
/// is there, and nothing is said to be missing.
pub struct Document {
    root: Node,
    format: Format,
    broken: bool,
    complaints: RefCell<Vec<Complaint>>,
    /// Whether complaints tell their lines.
    lined: bool,
    /// What the items are called when the whole document is a list.
    items: RefCell<String>,
}

impl Document {
    /// Reads TOML.
    pub fn toml(text: &str) -> Self {
        let (root, errors) = node::toml(text);
        Self::new(root, Format::Toml, errors)
    }

    /// Reads JSON.
    pub fn json(text: &str) -> Self {
        let (root, errors) = node::json(text);
        Self::new(root, Format::Json, errors)
    }

    /// Takes JSON that was read already; no complaint will have a line.
    pub fn value(value: &serde_json::Value) -> Self {
        Self::new(Node::of(value), Format::Json, Vec::new())
    }

    /// The same document without lines: where there is but one, its number tells nothing.
    #[must_use]
    pub fn in_one_line(mut self) -> Self {
        self.lined = false;
        self
    }

    /// Looks into the outermost table: what nobody asks for in it is complained of, even where
    /// nothing is asked for at all.
    pub fn look(&self) {
        if let Value::Table(row) = &self.root.value {
            row.look();
        }
    }

    /// Reads a file: JSON by its ending, else TOML.
    ///
    /// # Errors
    /// In the user's words when the file cannot be read at all.
    pub fn open(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        Ok(match path.extension().and_then(|ending| ending.to_str()) {
            Some("json") => Self::json(&text),
            _ => Self::toml(&text),
        })
    }

    fn new(root: Node, format: Format, errors: Vec<Complaint>) -> Self {
        Self {
            root,
            format,
            broken: !errors.is_empty(),
            lined: true,
            complaints: RefCell::new(errors),
            items: RefCell::default(),
        }
    }

    /// The outermost table.
    pub fn root(&self) -> Table<'_> {
        let row = match &self.root.value {
            Value::Table(row) => Some(row),
            _ => {
                if !self.broken {
                    self.complain(self.root.line, "", "this is no object", "write { … }");
                }
                None
            }
        };
        Table {
            document: self,
            row,
            line: self.root.line,
            at: String::new(),
        }
    }

    /// Whether the whole document is a list, as only JSON's can be.
    pub fn is_list(&self) -> bool {
        matches!(self.root.value, Value::List(_))
    }

    /// The tables of `[[name]]`, or of a JSON list that is the whole document, or of one under
    /// that name.
    pub fn rows(&self, name: &str) -> Vec<Table<'_>> {
        match &self.root.value {
            Value::List(items) => {
                name.clone_into(&mut self.items.borrow_mut());
                self.tables_of(name, items)
            }
            _ => self.root().tables(name),
        }
    }

    fn tables_of<'a>(&'a self, at: &str, items: &'a [Node]) -> Vec<Table<'a>> {
        let tables = items.iter().enumerate().filter_map(|(n, item)| {
            let at = format!("{at}[{n}]");
            let Value::Table(row) = &item.value else {
                let shape = self.shape("is no table", "is no object");
                self.complain(item.line, &at, shape, "write { … }");
                return None;
            };
            Some(Table {
                document: self,
                row: Some(row),
                line: item.line,
                at,
            })
        });
        tables.collect()
    }

    fn shape(&self, toml: &'static str, json: &'static str) -> &'static str {
        match self.format {
            Format::Toml => toml,
            Format::Json => json,
        }
    }

    fn complain(&self, line: usize, at: &str, what: &str, remedy: &str) {
        self.complaints.borrow_mut().push(Complaint {
            line: (line > 0).then_some(line),
            at: at.to_owned(),
            what: what.to_owned(),
            remedy: remedy.to_owned(),
        });
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Everything that was wrong, and every name that nobody asked for.
    pub fn finish(self) -> Result<(), Complaints> {
        self.unasked(&self.root, &self.items.borrow());
        let mut complaints = self.complaints.into_inner();
        complaints.sort_by_key(|complaint| complaint.line);
        if !self.lined {
            for complaint in &mut complaints {
                complaint.line = None;
            }
        }
        if complaints.is_empty() {
            Ok(())
        } else {
            Err(Complaints(complaints))
        }
    }

    /// Complains of names that nobody asked for, in the tables that were looked into.
    fn unasked(&self, node: &Node, at: &str) {
        match &node.value {
            Value::Table(row) => {
                let Some(asked) = row.asked() else {
                    return;
                };
                for (name, line, value) in &row.entries {
                    let at = join(at, name);
                    if asked.contains(name) {
                        self.unasked(value, &at);
                        continue;
                    }
                    let remedy = match nearest(name, asked.iter().map(String::as_str)) {
                        Some(near) => format!("did you mean {near}?"),
                        None if asked.is_empty() => "take it out: nothing is asked for here".into(),
                        None => format!("take it out, or write one of: {}", asked.join(", ")),
                    };
                    self.complain(*line, &at, UNKNOWN, &remedy);
                }
            }
            Value::List(items) => {
                for (n, item) in items.iter().enumerate() {
                    self.unasked(item, &format!("{at}[{n}]"));
                }
            }
            _ => {}
        }
    }
}

fn join(at: &str, name: &str) -> String {
    if at.is_empty() {
        name.to_owned()
    } else {
        format!("{at}.{name}")
    }
}

/// A table of a document. Each name that is asked for is a known one.
#[derive(Clone)]
pub struct Table<'a> {
    document: &'a Document,
    row: Option<&'a Row>,
    line: usize,
    at: String,
}

impl<'a> Table<'a> {
    fn find(&self, name: &str) -> Option<(usize, &'a Node)> {
        let row = self.row?;
        row.ask(name);
        let (_, line, node) = row.entries.iter().find(|(key, ..)| key == name)?;
        (!matches!(node.value, Value::Nothing)).then_some((*line, node))
    }

    fn wrong<T>(&self, line: usize, name: &str, what: &str, remedy: &str) -> Option<T> {
        let document = self.document;
        document.complain(
            line,
            &join(&self.at, name),
            what,
            &format!("write {remedy}"),
        );
        None
    }

    /// Where this table is: `faults[0]`; empty for the outermost.
    pub fn at(&self) -> &str {
        &self.at
    }

    /// The text under a name, if it is one; another look will say what is wrong with what is none.
    pub fn peek(&self, name: &str) -> Option<String> {
        self.find(name)?.1.text()
    }

    /// The line on which a name stands, or the table begins.
    pub fn line(&self, name: &str) -> Option<usize> {
        let found = self.find(name).map_or(self.line, |(line, _)| line);
        (found > 0).then_some(found)
    }

    /// Whether something is written under a name. JSON's `null` is nothing.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The names that are written, in their order; all of them count as known.
    pub fn names(&self) -> Vec<&'a str> {
        let Some(row) = self.row else {
            return Vec::new();
        };
        row.entries
            .iter()
            .map(|(name, ..)| name.as_str())
            .inspect(|name| row.ask(name))
            .collect()
    }

    /// Complains when a name is not there. `remedy` says what to write: `name = "mei"`.
    pub fn needs(&self, name: &str, remedy: &str) -> bool {
        let there = self.has(name);
        if !there && !self.document.broken && self.row.is_some() {
            self.wrong::<()>(self.line, name, "is missing", remedy);
        }
        there
    }

    /// Complains of what is written under a name, with `remedy` as it stands: `write …`.
    pub fn complain(&self, name: &str, what: &str, remedy: &str) {
        let line = self.line(name).unwrap_or(0);
        self.document
            .complain(line, &join(&self.at, name), what, remedy);
    }

    /// Complains of the table as a whole.
    pub fn complain_of_it(&self, what: &str, remedy: &str) {
        self.document.complain(self.line, &self.at, what, remedy);
    }

    /// A text.
    pub fn text(&self, name: &str) -> Option<String> {
        let (line, node) = self.find(name)?;
        match &node.value {
            Value::Text(text) => Some(text.clone()),
            _ => self.wrong(line, name, "is no text", "it in quotes"),
        }
    }

    /// A whole number.
    pub fn number(&self, name: &str, bounds: RangeInclusive<i64>) -> Option<i64> {
        let (line, node) = self.find(name)?;
        let words = || format!("a whole number from {} to {}", bounds.start(), bounds.end());
        match node.value {
            Value::Number(number) if bounds.contains(&number) => Some(number),
            Value::Number(number) => self.wrong(line, name, &format!("is {number}"), &words()),
            _ => self.wrong(line, name, "is no whole number", &words()),
        }
    }

    /// A number with or without a fraction.
    pub fn real(&self, name: &str, bounds: RangeInclusive<f64>) -> Option<f64> {
        let (line, node) = self.find(name)?;
        let real = match node.value {
            #[expect(
                clippy::cast_precision_loss,
                reason = "whoever writes a number of 16 digits here means no single one of them"
            )]
            Value::Number(number) => number as f64,
            Value::Real(real) => real,
            _ => f64::NAN,
        };
        if bounds.contains(&real) {
            return Some(real);
        }
        let words = format!("a number from {} to {}", bounds.start(), bounds.end());
        let what = if real.is_nan() {
            "is no number".to_owned()
        } else {
            format!("is {real}")
        };
        self.wrong(line, name, &what, &words)
    }

    /// `true` or `false`.
    pub fn flag(&self, name: &str) -> Option<bool> {
        let (line, node) = self.find(name)?;
        match node.value {
            Value::Flag(flag) => Some(flag),
            _ => self.wrong(line, name, "is no flag", "true or false"),
        }
    }

    /// One of a few words.
    pub fn one_of(&self, name: &str, words: &[&'static str]) -> Option<&'static str> {
        let (line, node) = self.find(name)?;
        let Value::Text(text) = &node.value else {
            return self.wrong(line, name, "is no text", &quoted(words));
        };
        let found = words.iter().copied().find(|word| word == text);
        if found.is_none() {
            let what = format!("is \"{}\"", text.escape_debug());
            let remedy = match nearest(text, words.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("write {}", quoted(words)),
            };
            let at = join(&self.at, name);
            self.document.complain(line, &at, &what, &remedy);
        }
        found
    }

    /// A list of texts.
    pub fn list(&self, name: &str) -> Option<Vec<String>> {
        let (line, node) = self.find(name)?;
        let texts = match &node.value {
            Value::List(items) => items.iter().map(Node::text).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        match texts {
            Some(texts) => Some(texts),
            None => self.wrong(line, name, "is no list of texts", "[\"…\", \"…\"]"),
        }
    }

    /// A table within this one.
    pub fn table(&self, name: &str) -> Option<Table<'a>> {
        let (line, node) = self.find(name)?;
        let at = join(&self.at, name);
        match &node.value {
            Value::Table(row) => Some(Table {
                document: self.document,
                row: Some(row),
                line: node.line.max(line),
                at,
            }),
            _ => {
                let toml = format!("[{at}] above what belongs to it");
                let words = match self.document.format {
                    Format::Toml => toml.as_str(),
                    Format::Json => "{ … }",
                };
                let what = self.document.shape("is no table", "is no object");
                self.wrong(line, name, what, words)
            }
        }
    }

    /// The tables of `[[name]]`; none when nothing is there.
    pub fn tables(&self, name: &str) -> Vec<Table<'a>> {
        let Some((line, node)) = self.find(name) else {
            return Vec::new();
        };
        let at = join(&self.at, name);
        let Value::List(items) = &node.value else {
            let toml = format!("[[{at}]]: there may be several");
            let words = match self.document.format {
                Format::Toml => toml.as_str(),
                Format::Json => "[{ … }]: there may be several",
            };
            self.wrong::<()>(line, name, "is no list", words);
            return Vec::new();
        };
        self.document.tables_of(&at, items)
    }

    /// A table of texts whose names are free, such as headers, in their order.
    pub fn pairs(&self, name: &str) -> Option<Vec<(String, String)>> {
        let table = self.table(name)?;
        let pairs = table.names().into_iter();
        Some(
            pairs
                .filter_map(|name| Some((name.to_owned(), table.text(name)?)))
                .collect(),
        )
    }

    /// Whatever is written under a name, as JSON.
    pub fn value(&self, name: &str) -> Option<serde_json::Value> {
        self.find(name).map(|(_, node)| node.json())
    }
}

fn quoted(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    words.join(" or ")
}

/// The line of a byte, counted from one.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().iter().take(at);
    before.filter(|byte| **byte == b'\n').count() + 1
}

/// The word that is closest to what was written, if any is close.
pub(crate) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let all = known.into_iter();
    let (far, known) = all.map(|known| (distance(written, known), known)).min()?;
    // Of two or three letters one may be wrong, of four two.
    let most = (written.len() / 2).clamp(1, 3).max(written.len() / 4);
    (far <= most).then_some(known)
}

/// Edit distance by insertions, deletions and replacements.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = replaced.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests;
