//! The matrix itself: which rows there are, which codes they answer, and that each has its test.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use super::app::Said;

/// A line of the matrix.
#[derive(Clone, Debug)]
struct Line {
    id: String,
    layers: String,
    how: String,
    codes: Vec<i64>,
}

fn lines() -> Vec<Line> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/facts/login-matrix.tsv");
    let text = std::fs::read_to_string(path).expect("the matrix");
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| {
        let cells: Vec<&str> = line.split('\t').collect();
        let [id, layers, how, codes, claim] = cells.as_slice() else {
            panic!("five cells: {line}");
        };
        assert!(claim.ends_with('.'), "{line}");
        Line {
            id: (*id).to_owned(),
            layers: (*layers).to_owned(),
            how: (*how).to_owned(),
            codes: match *codes {
                "-" => Vec::new(),
                codes => codes.split(',').map(|code| code.parse().unwrap()).collect(),
            },
        }
    })
    .collect()
}

/// A row under test: what the app hears must be what the matrix says, all of it, in its order.
pub(crate) struct Row {
    id: &'static str,
    expected: RefCell<VecDeque<i64>>,
}

impl Row {
    #[track_caller]
    pub(crate) fn of(id: &'static str) -> Self {
        let found = lines().into_iter().find(|line| line.id == id);
        let line = found.unwrap_or_else(|| panic!("no row {id}"));
        assert_eq!(line.how, "http", "{id} is not held over HTTP");
        Self {
            id,
            expected: RefCell::new(line.codes.into()),
        }
    }

    /// The next answer that the row is about.
    #[track_caller]
    pub(crate) fn hears<'a>(&self, said: &'a Said) -> &'a Said {
        let expected = self.expected.borrow_mut().pop_front();
        let expected = expected.unwrap_or_else(|| panic!("{} has no more codes", self.id));
        assert_eq!(said.code, expected, "{}: {}", self.id, said.answer.text());
        said
    }

    /// Two answers that came at once, in either order.
    #[track_caller]
    pub(crate) fn hears_both<'a>(&self, a: &'a Said, b: &'a Said) -> (&'a Said, &'a Said) {
        let first = *self.expected.borrow().front().expect("a code");
        let (a, b) = if a.code == first { (a, b) } else { (b, a) };
        self.hears(a);
        self.hears(b);
        (a, b)
    }

    /// One of the codes that are left, which are alternatives.
    #[track_caller]
    pub(crate) fn hears_one<'a>(&self, said: &'a Said) -> &'a Said {
        let left: Vec<i64> = self.expected.borrow_mut().drain(..).collect();
        assert!(
            left.contains(&said.code),
            "{}: {}",
            self.id,
            said.answer.text()
        );
        said
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let left = self.expected.borrow();
            assert!(left.is_empty(), "{}: never heard {left:?}", self.id);
        }
    }
}

/// The tests that are there: the names of functions that bear a row's name.
fn tests() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/matrix");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let mut is_test = false;
        for line in text.lines() {
            if line.trim() == "#[test]" {
                is_test = true;
            } else if let Some(rest) = line.trim().strip_prefix("fn ") {
                let name = rest.split('(').next().unwrap().to_owned();
                if is_test {
                    found.push((name, text.clone()));
                }
                is_test = false;
            }
        }
    }
    found
}

/// `COD-03` as the beginning of a function's name.
fn prefix(id: &str) -> String {
    id.to_lowercase().replace('-', "_") + "_"
}

#[test]
fn every_row_has_its_test_and_no_manual_row_has_one() {
    let (lines, tests) = (lines(), tests());
    assert_eq!(lines.len(), 120);
    let mut tally: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut missing = Vec::new();
    for line in &lines {
        let group = line.id.split('-').next().unwrap().to_owned();
        let counted = tally.entry(group).or_default();
        let held = tests
            .iter()
            .find(|(name, _)| name.starts_with(&prefix(&line.id)));
        match (line.how.as_str(), held) {
            ("manual", None) => counted.1 += 1,
            ("manual", Some((name, _))) => panic!("{name} counts what needs a device"),
            ("http", Some((_, text))) => {
                let begins = format!("Row::of(\"{}\")", line.id);
                assert!(
                    text.contains(&begins),
                    "{} does not hold to its row",
                    line.id
                );
                counted.0 += 1;
            }
            ("http", None) => missing.push(line.id.clone()),
            (other, _) => panic!("{}: {other}", line.id),
        }
        assert!(line.how == "http" || line.layers == "S", "{}", line.id);
    }
    for (group, (held, manual)) in &tally {
        println!("{group}: {held} held by tests, {manual} manual");
    }
    assert!(missing.is_empty(), "no test: {missing:?}");
}

#[test]
fn no_code_is_unknown() {
    let known: Vec<i64> = yufu_core::login::LoginRefusal::all()
        .iter()
        .map(|refusal| i64::from(refusal.code()))
        .collect();
    for line in lines() {
        for code in line.codes {
            assert!(
                code == 0 || known.contains(&code),
                "{} says {code}",
                line.id
            );
        }
    }
}
