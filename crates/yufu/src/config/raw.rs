//! The values of a file and of the environment, by the tables alone: what they mean is judged
//! elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use yufu_core::time::Lifetime;

use super::table::{FIELDS, Field, GROUPS, Group, Shape};
use crate::read::{distance, line_of};

#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Number(i64),
    Flag(bool),
    List(Vec<String>),
    Texts(BTreeMap<String, String>),
}

/// What was read for some fields.
pub(super) struct Values {
    fields: &'static [Field],
    /// `upstream` for those of an `[[upstream]]`; empty for those that stand once.
    group: &'static str,
    /// Where the table begins.
    line: usize,
    map: BTreeMap<&'static str, (Value, String)>,
}

/// Everything that was read, and what was wrong with it.
pub(super) struct Raw {
    pub(super) once: Values,
    /// The tables of [`GROUPS`]; those of one name in the order of the file.
    pub(super) items: Vec<Values>,
    pub(super) complaints: Vec<String>,
    /// The tables that are there, be it empty.
    tables: BTreeSet<String>,
}

impl Values {
    fn new(fields: &'static [Field], group: &'static str, line: usize) -> Self {
        Self {
            fields,
            group,
            line,
            map: BTreeMap::new(),
        }
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.map.len()
    }

    pub(super) fn group(&self) -> &'static str {
        self.group
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.map.contains_key(path)
    }

    fn default_of(&self, path: &str) -> &'static str {
        let field = self.fields.iter().find(|field| field.path == path);
        field.map_or("", |field| field.default)
    }

    pub(super) fn text(&self, path: &str) -> String {
        match self.map.get(path) {
            Some((Value::Text(text), _)) => text.clone(),
            _ => self.default_of(path).to_owned(),
        }
    }

    pub(super) fn number(&self, path: &str) -> i64 {
        match self.map.get(path) {
            Some((Value::Number(number), _)) => *number,
            _ => self.default_of(path).parse().unwrap_or(0),
        }
    }

    /// The number of a field that may hold a word instead.
    pub(super) fn given_number(&self, path: &str) -> Option<i64> {
        match self.map.get(path) {
            Some((Value::Number(number), _)) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn count_of(&self, path: &str) -> u32 {
        u32::try_from(self.number(path)).unwrap_or(u32::MAX)
    }

    pub(super) fn seconds(&self, path: &str) -> Lifetime {
        Lifetime::seconds(self.number(path))
    }

    pub(super) fn size(&self, path: &str) -> usize {
        usize::try_from(self.number(path)).unwrap_or(0)
    }

    pub(super) fn flag(&self, path: &str) -> bool {
        match self.map.get(path) {
            Some((Value::Flag(flag), _)) => *flag,
            _ => self.default_of(path) == "true",
        }
    }

    pub(super) fn list(&self, path: &str) -> Vec<String> {
        match self.map.get(path) {
            Some((Value::List(items), _)) => items.clone(),
            // As the tables write it: texts without commas or quotes in them.
            _ => self
                .default_of(path)
                .split(['[', ']', ',', '"'])
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(str::to_owned)
                .collect(),
        }
    }

    pub(super) fn texts(&self, path: &str) -> BTreeMap<String, String> {
        match self.map.get(path) {
            Some((Value::Texts(texts), _)) => texts.clone(),
            _ => BTreeMap::new(),
        }
    }

    /// A complaint about a field, with its place.
    pub(super) fn complaint(&self, path: &str, what: &str) -> String {
        let place = self.map.get(path).map(|(_, place)| place.clone());
        if self.group.is_empty() {
            let place = place.unwrap_or_else(|| "missing".to_owned());
            return format!("{place}: {path} {what}");
        }
        let place = place.unwrap_or_else(|| format!("line {}", self.line));
        let (group, name) = (self.group, self.text("name"));
        if name.is_empty() || path == "name" {
            format!("{place}: {group}.{path} {what}")
        } else {
            format!("{place}: {group}.{path} of \"{name}\" {what}")
        }
    }
}

impl Raw {
    /// Reads a file and the environment over it.
    pub(super) fn read(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut raw = Self {
            once: Values::new(FIELDS, "", 1),
            items: Vec::new(),
            complaints: Vec::new(),
            tables: BTreeSet::new(),
        };
        raw.file(text);
        raw.environment(environment);
        raw
    }

    /// Whether a table is there.
    pub(super) fn has_table(&self, name: &str) -> bool {
        self.tables.contains(name)
    }

    /// Complains about a setting that stands once.
    pub(super) fn complain(&mut self, path: &str, what: &str) {
        let complaint = self.once.complaint(path, what);
        self.complaints.push(complaint);
    }

    fn file(&mut self, text: &str) {
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            self.complaints
                .push(format!("line {line}: {}; mend the TOML", error.message()));
        }
        self.table(text, "", table.get_ref());
    }

    fn table(&mut self, text: &str, prefix: &str, table: &DeTable<'_>) {
        for (key, value) in table.iter() {
            let path = if prefix.is_empty() {
                key.get_ref().to_string()
            } else {
                format!("{prefix}.{}", key.get_ref())
            };
            let line = line_of(text, key.span().start);
            let is_table = FIELDS.iter().any(|field| {
                field
                    .path
                    .strip_prefix(path.as_str())
                    .is_some_and(|rest| rest.starts_with('.'))
            });
            if let Some(group) = GROUPS.iter().find(|group| group.name == path) {
                self.group(text, group, value, line);
                continue;
            }
            match (value.get_ref(), is_table) {
                (DeValue::Table(inner), true) => {
                    self.tables.insert(path.clone());
                    self.table(text, &path, inner);
                }
                (_, true) => self
                    .complaints
                    .push(format!("line {line}: {path} is a table; write [{path}]")),
                (value, false) => {
                    put(&mut self.once, &mut self.complaints, &path, value, line);
                }
            }
        }
    }

    fn group(
        &mut self,
        text: &str,
        group: &'static Group,
        value: &Spanned<DeValue<'_>>,
        line: usize,
    ) {
        let name = group.name;
        let items = match value.get_ref() {
            DeValue::Array(items) => items.iter().collect(),
            _ => vec![value],
        };
        for item in items {
            let (DeValue::Table(table), DeValue::Array(_)) = (item.get_ref(), value.get_ref())
            else {
                self.complaints.push(format!(
                    "line {line}: there may be several of {name}; write [[{name}]]"
                ));
                return;
            };
            let mut values = Values::new(group.fields, name, line_of(text, item.span().start));
            for (key, value) in table.iter() {
                let line = line_of(text, key.span().start);
                let (complaints, value) = (&mut self.complaints, value.get_ref());
                put(&mut values, complaints, key.get_ref(), value, line);
            }
            self.tables.insert(name.to_owned());
            self.items.push(values);
        }
    }

    fn environment(&mut self, environment: &dyn Fn(&str) -> Option<String>) {
        let Self {
            once,
            items,
            complaints,
            tables,
        } = self;
        for field in FIELDS {
            let name = variable(field.path);
            let Some(text) = environment(&name) else {
                continue;
            };
            if let Some((table, _)) = field.path.split_once('.') {
                tables.insert(table.to_owned());
            }
            override_with(once, complaints, field, &text, name);
        }
        for item in items {
            for field in item.fields {
                let name = item_variable(item.group, &item.text("name"), field.path);
                if let Some(text) = environment(&name).filter(|_| field.path != "name") {
                    override_with(item, complaints, field, &text, name);
                }
            }
        }
    }
}

fn put(
    values: &mut Values,
    complaints: &mut Vec<String>,
    key: &str,
    value: &DeValue<'_>,
    line: usize,
) {
    let dot = if values.group.is_empty() { "" } else { "." };
    let whole = format!("{}{dot}{key}", values.group);
    let Some(field) = values.fields.iter().find(|field| field.path == key) else {
        complaints.push(format!(
            "line {line}: there is no setting {whole}; {}",
            match nearest(&whole) {
                Some(near) => format!("did you mean {near}?"),
                None => "take it out".to_owned(),
            }
        ));
        return;
    };
    let place = format!("line {line}");
    match written(value) {
        Some(value) if is_of(field.shape, &value) => keep(values, complaints, field, value, place),
        _ => complaints.push(format!("{place}: {whole} must be {}", words(field.shape))),
    }
}

/// Keeps a value of the right sort, if it is within bounds.
fn keep(
    values: &mut Values,
    complaints: &mut Vec<String>,
    field: &'static Field,
    value: Value,
    place: String,
) {
    let dot = if values.group.is_empty() { "" } else { "." };
    let said = match (field.shape, &value) {
        (
            Shape::Number(least, most) | Shape::WordOrNumber(_, least, most),
            Value::Number(number),
        ) if !(least..=most).contains(number) => Some(number.to_string()),
        (Shape::Word(known) | Shape::WordOrNumber(known, ..), Value::Text(text))
            if !known.contains(&text.as_str()) =>
        {
            Some(format!("\"{}\"", text.escape_default()))
        }
        _ => None,
    };
    match said {
        Some(said) => complaints.push(format!(
            "{place}: {}{dot}{} is {said}; it must be {}",
            values.group,
            field.path,
            words(field.shape)
        )),
        None => {
            values.map.insert(field.path, (value, place));
        }
    }
}

/// Puts what the environment says over what the file says.
fn override_with(
    values: &mut Values,
    complaints: &mut Vec<String>,
    field: &'static Field,
    text: &str,
    name: String,
) {
    match parsed(field.shape, text) {
        Some(value) => keep(values, complaints, field, value, name),
        None => complaints.push(format!("{name} must be {}", words(field.shape))),
    }
}

/// A value as the file writes it.
fn written(value: &DeValue<'_>) -> Option<Value> {
    let texts = |items: &[Spanned<DeValue<'_>>]| {
        let text = |item: &Spanned<DeValue<'_>>| item.get_ref().as_str().map(str::to_owned);
        items.iter().map(text).collect::<Option<Vec<_>>>()
    };
    match value {
        DeValue::String(text) => Some(Value::Text(text.to_string())),
        DeValue::Integer(number) => {
            let digits = number.as_str().replace('_', "");
            let number = i64::from_str_radix(&digits, number.radix());
            number.ok().map(Value::Number)
        }
        DeValue::Boolean(flag) => Some(Value::Flag(*flag)),
        DeValue::Array(items) => texts(items).map(Value::List),
        DeValue::Table(table) => {
            let pair = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
                let key: &std::borrow::Cow<'_, str> = key.get_ref();
                Some((key.to_string(), value.get_ref().as_str()?.to_owned()))
            };
            table
                .iter()
                .map(pair)
                .collect::<Option<_>>()
                .map(Value::Texts)
        }
        _ => None,
    }
}

/// Whether a value is of the sort that a field holds.
fn is_of(shape: Shape, value: &Value) -> bool {
    matches!(
        (shape, value),
        (
            Shape::Text | Shape::Word(_) | Shape::WordOrNumber(..),
            Value::Text(_)
        ) | (
            Shape::Number(..) | Shape::WordOrNumber(..),
            Value::Number(_)
        ) | (Shape::Flag, Value::Flag(_))
            | (Shape::List, Value::List(_))
            | (Shape::Texts, Value::Texts(_))
    )
}

/// A value as the environment writes it.
fn parsed(shape: Shape, text: &str) -> Option<Value> {
    let items = || {
        let items = text.split(',').map(str::trim);
        items.filter(|item| !item.is_empty())
    };
    match shape {
        Shape::Text | Shape::Word(_) => Some(Value::Text(text.to_owned())),
        Shape::WordOrNumber(..) => Some(match text.trim().parse() {
            Ok(number) => Value::Number(number),
            Err(_) => Value::Text(text.trim().to_owned()),
        }),
        Shape::Number(..) => text.trim().parse().ok().map(Value::Number),
        Shape::Flag => text.trim().parse().ok().map(Value::Flag),
        Shape::List => Some(Value::List(items().map(str::to_owned).collect())),
        Shape::Texts => items()
            .map(|item| {
                let (key, value) = item.split_once('=')?;
                Some((key.trim().to_owned(), value.trim().to_owned()))
            })
            .collect::<Option<_>>()
            .map(Value::Texts),
    }
}

/// The environment variable of a setting: `YUFU_STORE_PATH` for `store.path`.
pub fn variable(path: &str) -> String {
    format!("YUFU_{}", path.replace('.', "_").to_ascii_uppercase())
}

/// The environment variable of a setting of one of several tables:
/// `YUFU_UPSTREAM__WEB__SECRET` for `secret` of the `[[upstream]]` named `web`. Names have no
/// underscores, so no two of them share one.
pub fn item_variable(group: &str, name: &str, key: &str) -> String {
    let name = name.replace('-', "_");
    format!("YUFU_{group}__{name}__{key}").to_ascii_uppercase()
}

pub(super) fn words(shape: Shape) -> String {
    let one_of = |known: &[&str]| {
        let known: Vec<_> = known.iter().map(|word| format!("\"{word}\"")).collect();
        known.join(" or ")
    };
    match shape {
        Shape::Text => "text in quotes".to_owned(),
        Shape::Word(known) => one_of(known),
        Shape::Number(least, most) => format!("a whole number from {least} to {most}"),
        Shape::WordOrNumber(known, least, most) => {
            format!("{} or a whole number from {least} to {most}", one_of(known))
        }
        Shape::Flag => "true or false".to_owned(),
        Shape::List => "a list of texts, such as [\"127.0.0.1\"]".to_owned(),
        Shape::Texts => "a table of texts, such as { login = \"SMS_1\" }".to_owned(),
    }
}

/// The setting whose name is closest, if any is close.
fn nearest(path: &str) -> Option<String> {
    let once = FIELDS.iter().map(|field| field.path.to_owned());
    let several = GROUPS.iter().flat_map(|group| {
        let fields = group.fields.iter();
        fields.map(|field| format!("{}.{}", group.name, field.path))
    });
    let all = once.chain(several);
    let near = all.map(|known| (distance(path, &known), known)).min()?;
    (near.0 <= 3.max(path.len() / 4)).then_some(near.1)
}
