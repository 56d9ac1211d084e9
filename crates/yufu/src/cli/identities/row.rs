//! Rows of an export: a table in CSV, or JSON objects one after the other or in one array. What
//! they hold is read one row at a time, however long the file is.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::BufRead;

use csv::StringRecord;
use serde_json::{Map, Value};

/// The most bytes of one JSON object: an account with everything about it has a few thousand.
const MOST_OBJECT_BYTES: usize = 1 << 20;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// A row as it stands in the file.
pub(crate) enum Record {
    /// Of a table.
    Table(StringRecord),
    /// An object.
    Object(Map<String, Value>),
}

/// A row and the words of its columns.
pub(crate) struct Fields<'a> {
    pub(crate) record: &'a Record,
    columns: &'a HashMap<String, usize>,
}

impl<'a> Fields<'a> {
    /// The text of the first of these columns that holds any, without blanks around it.
    pub(crate) fn text(&self, names: &[&str]) -> Cow<'a, str> {
        let texts = names.iter().map(|name| self.one(name));
        let mut filled = texts.filter(|text| !text.is_empty());
        filled.next().unwrap_or_default()
    }

    fn one(&self, name: &str) -> Cow<'a, str> {
        match self.record {
            Record::Table(row) => {
                let at = self.columns.get(&plain(name));
                let text = at.and_then(|at| row.get(*at)).unwrap_or_default().trim();
                // What databases write for nothing.
                let is_null = ["NULL", "null", "\\N"].contains(&text);
                Cow::Borrowed(if is_null { "" } else { text })
            }
            Record::Object(object) => member(object, name).map_or(Cow::Borrowed(""), text_of),
        }
    }

    /// The JSON in a column: an object's member, or the text of a table's field.
    pub(crate) fn json(&self, name: &str) -> Option<Cow<'a, Value>> {
        match self.record {
            Record::Table(_) => serde_json::from_str(&self.one(name)).ok().map(Cow::Owned),
            Record::Object(object) => match member(object, name)? {
                Value::String(text) => serde_json::from_str(text).ok().map(Cow::Owned),
                value => Some(Cow::Borrowed(value)),
            },
        }
    }
}

/// A member of an object by its name, however that is spelled.
pub(crate) fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let exact = object.get(name);
    exact.or_else(|| {
        let name = plain(name);
        let mut members = object.iter();
        members
            .find(|(key, _)| plain(key) == name)
            .map(|found| found.1)
    })
}

/// A value as a table would have it.
pub(crate) fn text_of(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text.trim()),
        Value::Number(number) => Cow::Owned(number.to_string()),
        _ => Cow::Borrowed(""),
    }
}

/// The name of a column without what projects spell differently: `union_id`, `unionId`, `UNIONID`.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(|c| !matches!(c, '_' | '-' | ' '));
    letters.flat_map(char::to_lowercase).collect()
}

/// Reads the rows of an export.
pub(crate) struct Reader<R: BufRead> {
    form: Form<R>,
    columns: HashMap<String, usize>,
    over: bool,
}

enum Form<R: BufRead> {
    Table(Box<csv::Reader<R>>),
    Objects(Objects<R>),
}

impl<R: BufRead> Reader<R> {
    /// Finds out what the export is: what begins with a bracket is JSON, anything else a table
    /// whose first line names its columns.
    ///
    /// # Errors
    /// In the user's words.
    pub(crate) fn new(mut from: R) -> Result<Self, String> {
        let head = from.fill_buf().map_err(|error| unreadable(&error))?;
        if head.starts_with(BOM) {
            from.consume(BOM.len());
        }
        let head = from.fill_buf().map_err(|error| unreadable(&error))?;
        let first = head.iter().find(|byte| !byte.is_ascii_whitespace());
        if matches!(first, Some(b'{' | b'[')) {
            return Ok(Self {
                form: Form::Objects(Objects::new(from)),
                columns: HashMap::new(),
                over: false,
            });
        }
        let mut table = csv::ReaderBuilder::new().flexible(true).from_reader(from);
        let heads = table.headers().map_err(|error| broken(&error))?;
        let columns = heads.iter().enumerate();
        let columns = columns.map(|(at, name)| (plain(name.trim()), at)).collect();
        Ok(Self {
            form: Form::Table(Box::new(table)),
            columns,
            over: false,
        })
    }

    /// Whether the export names this column; of objects nobody knows before they are read.
    pub(crate) fn has(&self, name: &str) -> bool {
        matches!(self.form, Form::Objects(_)) || self.columns.contains_key(&plain(name))
    }

    /// The next row, with the number of its line; `Err` when it cannot be read as one.
    pub(crate) fn next(&mut self) -> Option<(u64, Result<Record, String>)> {
        if self.over {
            return None;
        }
        match &mut self.form {
            Form::Table(table) => {
                let mut row = StringRecord::new();
                let read = table.read_record(&mut row);
                let line = row.position().map_or(0, csv::Position::line);
                match read {
                    Ok(false) => None,
                    Ok(true) => Some((line, Ok(Record::Table(row)))),
                    Err(error) => {
                        // A file that cannot be read any more would be asked for ever.
                        self.over = error.is_io_error();
                        let line = error.position().map_or(line, csv::Position::line);
                        Some((line, Err(broken(&error))))
                    }
                }
            }
            Form::Objects(objects) => objects.next(),
        }
    }

    /// A row with the words of its columns.
    pub(crate) fn fields<'a>(&'a self, record: &'a Record) -> Fields<'a> {
        Fields {
            record,
            columns: &self.columns,
        }
    }
}

fn unreadable(error: &std::io::Error) -> String {
    format!("it cannot be read: {error}")
}

fn broken(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "is not UTF-8".to_owned(),
        csv::ErrorKind::Io(error) => unreadable(error),
        _ => "is no row of a table".to_owned(),
    }
}

/// Cuts a stream into its objects, without keeping more than one.
struct Objects<R> {
    bytes: std::io::Bytes<R>,
    line: u64,
    over: bool,
}

impl<R: BufRead> Objects<R> {
    fn new(from: R) -> Self {
        Self {
            bytes: from.bytes(),
            line: 1,
            over: false,
        }
    }

    fn next(&mut self) -> Option<(u64, Result<Record, String>)> {
        if self.over {
            return None;
        }
        let mut object = Vec::new();
        let mut cut = Cut::default();
        let mut began = self.line;
        loop {
            let byte = match self.bytes.next() {
                Some(Ok(byte)) => byte,
                Some(Err(error)) => {
                    self.over = true;
                    return Some((self.line, Err(unreadable(&error))));
                }
                None => {
                    self.over = true;
                    let half = "ends in the middle of an object".to_owned();
                    return (!object.is_empty()).then_some((began, Err(half)));
                }
            };
            if byte == b'\n' {
                self.line += 1;
            }
            if object.is_empty() {
                // Between objects: the brackets and commas of an array, blanks.
                if byte != b'{' {
                    continue;
                }
                began = self.line;
            }
            object.push(byte);
            if object.len() > MOST_OBJECT_BYTES {
                self.over = true;
                let what = "begins an object larger than 1 MiB".to_owned();
                return Some((began, Err(what)));
            }
            if cut.ends_with(byte) {
                break;
            }
        }
        let read = serde_json::from_slice(&object);
        let read = read
            .map(Record::Object)
            .map_err(|_| "is no JSON".to_owned());
        Some((began, read))
    }
}

/// Follows the brackets of an object, those within its texts aside.
#[derive(Default)]
struct Cut {
    depth: u32,
    in_text: bool,
    escaped: bool,
}

impl Cut {
    /// Whether this byte is the object's last.
    fn ends_with(&mut self, byte: u8) -> bool {
        if self.in_text {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_text = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.depth == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, columns: &[&str]) -> Vec<(u64, String)> {
        let mut reader = Reader::new(text.as_bytes()).unwrap();
        let mut rows = Vec::new();
        while let Some((line, record)) = reader.next() {
            let said = match record {
                Ok(record) => reader.fields(&record).text(columns).into_owned(),
                Err(what) => what,
            };
            rows.push((line, said));
        }
        rows
    }

    #[test]
    fn columns_are_found_however_they_are_spelled() {
        for text in [
            "user,union_id\n1,u1\n",
            "\u{feff}USER,unionId\r\n1,u1\r\n",
            "{\"user\":1,\"unionid\":\"u1\"}",
        ] {
            assert_eq!(rows(text, &["union_id"])[0].1, "u1", "{text}");
        }
        assert_eq!(rows("a,b\nNULL,\\N\n", &["a", "b"]), [(2, String::new())]);
        assert_eq!(rows("a,b\n,2\n", &["a", "b"]), [(2, "2".to_owned())]);
    }

    #[test]
    fn objects_stand_alone_or_in_an_array_on_one_line_or_many() {
        let (one, two) = (
            "{\"a\":\"x}\\\"{\"}",
            "{\n\"a\":[{\"b\":2}],\n \"a\": \"y\"}",
        );
        for text in [
            format!("{one}\n{two}\n"),
            format!("[{one},\n{two}]"),
            format!("[\n{one}\n,\n{two}]\n"),
        ] {
            let said: Vec<_> = rows(&text, &["a"]).into_iter().map(|row| row.1).collect();
            assert_eq!(said, ["x}\"{", "y"], "{text}");
        }
        assert_eq!(rows("{\"a\":1}\n\n{\"a\":2}", &["a"])[1].0, 3);
    }

    #[test]
    fn what_is_broken_is_said_with_its_line() {
        assert_eq!(
            rows("{\"a\":1}\n{oops}\n{\"a\":2}", &["a"]),
            [(1, "1".into()), (2, "is no JSON".into()), (3, "2".into())]
        );
        assert_eq!(
            rows("{\"a\":1}\n{\"a\":", &["a"])[1],
            (2, "ends in the middle of an object".into())
        );
        let mut reader = Reader::new(&b"a\nx\n\xff\ny\n"[..]).unwrap();
        assert!(reader.next().unwrap().1.is_ok());
        let (line, what) = reader.next().unwrap();
        assert_eq!((line, what.err().unwrap().as_str()), (3, "is not UTF-8"));
        assert!(reader.next().unwrap().1.is_ok());
    }
}
