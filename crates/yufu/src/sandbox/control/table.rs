//! The one table of the control. Routing, the reading of paths and queries, the OpenAPI document
//! and `docs/sandbox-api.md` are made from it, and tests loop over it.
//!
//! # To add a call
//!
//! 1. In a file of your room, write a row, with an example of each field and of the answer:
//!
//!    ```ignore
//!    pub const ROWS: &[Endpoint] = &[Endpoint {
//!        about: "Turns the clock.",
//!        fields: &[Field::may("jump", Kind::Text, "How far, forward or back.", "2h")],
//!        answer: r#"{"now":1767225600000}"#,
//!        ..Endpoint::new(Verb::Post, "/_sandbox/clock", "clock", Call::Json(turn))
//!    }];
//!    ```
//!
//! 2. Write the operation. It reads everything first, and complains where it reads
//!    ([`crate::read::Table`]); what it answers is done afterwards, and only if there was nothing
//!    to complain of:
//!
//!    ```ignore
//!    fn turn(asked: &Asked<'_>) -> Work {
//!        let jump = asked.body.text("jump");
//!        let sandbox = asked.sandbox.clone();
//!        work(async move { Ok(json!({"now": sandbox.clock.now().millis()})) })
//!    }
//!    ```
//!
//! 3. Name the rows in `TABLES`, and print the documents: `YUFU_BLESS=1 cargo test -p yufu --test
//!    documents`. A test asks each operation for its fields and compares them with the row.

use std::pin::Pin;
use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;

use super::answer::Said;
use super::{clients, document, file, glance, handset, people};
use crate::read::Table;
use crate::sandbox::snapshot;
use crate::sandbox::state::Sandbox;
use crate::sandbox::{events, flow};
use crate::sandbox::{fault, time};

/// The rows of every room.
const TABLES: &[&[Endpoint]] = &[
    glance::ROWS,
    people::ROWS,
    clients::ROWS,
    handset::ROWS,
    events::ROWS,
    flow::ROWS,
    snapshot::ROWS,
    crate::launch::calls::ROWS,
    fault::ROWS,
    time::ROWS,
    file::ROWS,
    document::ROWS,
];

/// Every call of the control.
pub fn endpoints() -> impl Iterator<Item = &'static Endpoint> {
    TABLES.iter().copied().flatten()
}

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `GET`
    Get,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
}

impl Verb {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Whether its fields come in a body; else they come in the query.
    pub const fn has_body(self) -> bool {
        matches!(self, Self::Post | Self::Put | Self::Patch)
    }
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number,
    /// A number.
    Real,
    /// A list of texts.
    Texts,
    /// An object with these fields.
    Object(&'static [Field]),
    /// A list of objects with these fields.
    Objects(&'static [Field]),
}

/// A field of a body or a query, as documents tell of it.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it must be there.
    pub must: bool,
    /// What it is, in a sentence.
    pub about: &'static str,
    /// An example: bare for texts and words, else as JSON.
    pub example: &'static str,
}

impl Field {
    /// A field that must be there.
    pub const fn must(
        name: &'static str,
        kind: Kind,
        about: &'static str,
        example: &'static str,
    ) -> Self {
        Self {
            name,
            kind,
            must: true,
            about,
            example,
        }
    }

    /// A field that may be left out.
    pub const fn may(
        name: &'static str,
        kind: Kind,
        about: &'static str,
        example: &'static str,
    ) -> Self {
        let must = false;
        Self {
            name,
            kind,
            must,
            about,
            example,
        }
    }
}

/// One method at one path.
#[derive(Clone, Copy)]
pub struct Endpoint {
    /// The method.
    pub verb: Verb,
    /// The path, with its variable parts in braces: `/_sandbox/flows/{id}.txt`.
    pub path: &'static str,
    /// Under which heading it stands.
    pub tag: &'static str,
    /// What it does, in a sentence.
    pub about: &'static str,
    /// More about it, for documents; may be empty.
    pub more: &'static str,
    /// Its fields: of the body of `POST`, `PUT` and `PATCH`, else of the query.
    pub fields: &'static [Field],
    /// An example of a good answer: JSON, or text of the media type `kind`.
    pub answer: &'static str,
    /// The media type of a good answer.
    pub kind: &'static str,
    /// Who answers.
    pub call: Call,
}

impl Endpoint {
    /// A row without fields whose answer is an empty object.
    pub const fn new(verb: Verb, path: &'static str, tag: &'static str, call: Call) -> Self {
        Self {
            verb,
            path,
            tag,
            about: "",
            more: "",
            fields: &[],
            answer: "{}",
            kind: "application/json",
            call,
        }
    }

    /// The names of the variable parts of its path, in their order.
    pub fn holes(&self) -> impl Iterator<Item = &'static str> {
        let parts = self.path.split('/');
        parts.filter_map(|part| Some(part.split_once('{')?.1.split_once('}')?.0))
    }

    /// What stands in the holes, if a path fits.
    fn fits(&self, path: &str) -> Option<Vec<(&'static str, String)>> {
        let mut holes = Vec::new();
        let (mut parts, mut pattern) = (path.split('/'), self.path.split('/'));
        loop {
            match (parts.next(), pattern.next()) {
                (None, None) => return Some(holes),
                (Some(part), Some(fixed)) => match fixed.split_once('{') {
                    None if part == fixed => {}
                    None => return None,
                    Some((before, rest)) => {
                        let (name, after) = rest.split_once('}')?;
                        let value = part.strip_prefix(before)?.strip_suffix(after)?;
                        holes.push((name, decoded(value).filter(|text| !text.is_empty())?));
                    }
                },
                _ => return None,
            }
        }
    }

    /// How much of its path is fixed: where several fit, the one with most of it is meant.
    fn fixed(&self) -> usize {
        let holes: usize = self.holes().map(|name| name.len() + 2).sum();
        self.path.len() - holes
    }
}

/// A part of a path as it was meant.
fn decoded(part: &str) -> Option<String> {
    // A plus sign is a blank in a query, and itself in a path.
    let query = format!("x={}", part.replace('+', "%2B").replace('&', "%26"));
    let params = yufu_dialects::http::Request::get("", &query).params();
    params.get("x").map(str::to_owned)
}

/// What a request asks for.
pub struct Asked<'a> {
    /// The sandbox.
    pub sandbox: &'a Arc<Sandbox>,
    /// The fields, of the body or of the query. Whatever is not asked for is complained of.
    pub body: Table<'a>,
    /// What stands in the holes of the path.
    pub holes: &'a [(&'static str, String)],
}

impl Asked<'_> {
    /// What stands in a hole of the path.
    pub fn hole(&self, name: &str) -> &str {
        let found = self.holes.iter().find(|(known, _)| *known == name);
        found.map_or("", |(_, value)| value.as_str())
    }
}

/// What is to be done once everything was read.
pub type Work = Pin<Box<dyn Future<Output = Said> + Send>>;

/// Work that is done when there is nothing to complain of.
pub fn work(doing: impl Future<Output = Said> + Send + 'static) -> Work {
    Box::pin(doing)
}

/// A call that answers in its own way, such as a stream.
pub type Own = fn(Arc<Sandbox>, Request) -> Pin<Box<dyn Future<Output = Response> + Send>>;

/// Who answers.
#[derive(Clone, Copy)]
pub enum Call {
    /// Reads fields and answers JSON.
    Json(fn(&Asked<'_>) -> Work),
    /// Reads and answers for itself.
    Own(Own),
}

/// What a path and a method lead to.
pub enum Found {
    /// A row, and what stands in the holes of its path.
    Row(&'static Endpoint, Vec<(&'static str, String)>),
    /// The path takes these methods.
    Verbs(Vec<&'static str>),
    /// There is no such path; the nearest there is.
    Nothing(Option<&'static str>),
}

/// Finds the row of a request.
pub fn find(method: &str, path: &str) -> Found {
    let fitting = endpoints().filter_map(|row| Some((row, row.fits(path)?)));
    let mut fitting: Vec<_> = fitting.collect();
    fitting.sort_by_key(|(row, _)| std::cmp::Reverse(row.fixed()));
    // An answer to HEAD is that to GET without its body.
    let method = if method == "HEAD" { "GET" } else { method };
    let meant = fitting
        .iter()
        .position(|(row, _)| row.verb.word() == method);
    match meant {
        Some(at) => {
            let (row, holes) = fitting.swap_remove(at);
            Found::Row(row, holes)
        }
        None if fitting.is_empty() => {
            let paths = endpoints().map(|row| row.path);
            Found::Nothing(crate::read::nearest(path, paths))
        }
        None => Found::Verbs(fitting.iter().map(|(row, _)| row.verb.word()).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn row(path: &'static str) -> Endpoint {
        Endpoint::new(
            Verb::Get,
            path,
            "",
            Call::Json(|_| work(async { Ok(().into()) })),
        )
    }

    #[test]
    fn paths_fit_with_what_stands_in_their_holes() {
        let text = row("/_sandbox/flows/{id}.txt");
        let fits = |path| text.fits(path);
        assert_eq!(
            fits("/_sandbox/flows/f1.txt"),
            Some(vec![("id", "f1".to_owned())])
        );
        for other in [
            "/_sandbox/flows/f1",
            "/_sandbox/flows/.txt",
            "/_sandbox/flows/f1.txt/x",
            "/_sandbox/flows",
            "/_sandbox/flow/f1.txt",
        ] {
            assert_eq!(fits(other), None, "{other}");
        }
        let name = |path| {
            row("/people/{name}")
                .fits(path)
                .map(|holes| holes[0].1.clone())
        };
        assert_eq!(name("/people/m%C3%A9i+a%26b").as_deref(), Some("méi+a&b"));
        assert_eq!(name("/people/%ff"), None);
        assert!(text.fixed() > row("/_sandbox/flows/{id}").fixed());
    }

    #[test]
    fn what_is_not_there_is_told_with_the_nearest_there_is() {
        assert!(matches!(find("GET", "/_sandbox/state"), Found::Row(..)));
        assert!(matches!(find("HEAD", "/_sandbox/state"), Found::Row(..)));
        assert!(matches!(find("POST", "/_sandbox/state"), Found::Verbs(verbs) if verbs == ["GET"]));
        let near = find("GET", "/_sandbox/stats");
        assert!(matches!(near, Found::Nothing(Some("/_sandbox/state"))));
        assert!(matches!(
            find("GET", "/_sandbox/xyzxyzxyzxyz/q"),
            Found::Nothing(None)
        ));
    }
}
