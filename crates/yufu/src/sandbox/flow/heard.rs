//! What an exchange is within a login: read from the request and the answer as they were, told in
//! ties and facts, without a secret.

use super::arrow::{Bits, Door, Facts, Kind, Outcome};
use super::mark::{Marks, TieKey};
use super::ties::{Tied, Ties};
use crate::sandbox::seen::{Lane, Seen};

/// An exchange, understood.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) kind: Kind,
    pub(super) from: Lane,
    pub(super) to: Lane,
    pub(super) label: String,
    pub(super) outcome: Outcome,
    pub(super) ok: bool,
    pub(super) note: Option<&'static str>,
    pub(super) facts: Facts,
    /// What it is found by, the surest first.
    pub(super) asks: Vec<TieKey>,
    /// What it makes known.
    pub(super) gives: Vec<(Tied, TieKey)>,
    /// The client that is named.
    pub(super) appid: Option<String>,
    pub(super) door: Option<Door>,
    /// How it leads back to the app.
    pub(super) returns: Option<Returned>,
    /// The browser, by its cookie; the program, by its name and address.
    pub(super) browser: TieKey,
    pub(super) agent: TieKey,
    /// It was sent by a program, which says what it takes or who it is.
    pub(super) by_program: bool,
    /// Where the app will be answered: host and path.
    pub(super) place: Option<(TieKey, String)>,
    /// Who signed in, by telephone number.
    pub(super) phone: Option<String>,
    /// A code or token whose person is asked for. Not kept.
    pub(super) secret: Option<String>,
}

/// The way back to the app.
#[derive(Debug, Default)]
pub(super) struct Returned {
    pub(super) code: TieKey,
    pub(super) state: TieKey,
    /// The person said no, or turned away.
    pub(super) no: Option<&'static str>,
    /// Where to, without the query; none where a page goes there by itself.
    pub(super) to: Option<String>,
}

/// What reading needs.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) marks: &'a Marks,
    pub(super) ties: &'a Ties,
}

impl Context<'_> {
    /// The tie of a value; zero of none.
    pub(super) fn tie(&self, value: Option<&str>) -> TieKey {
        value
            .filter(|v| !v.is_empty())
            .map_or(0, |value| self.marks.tie(value))
    }

    pub(super) fn knows(&self, tie: TieKey) -> bool {
        tie != 0 && self.ties.get(tie).is_some()
    }

    /// The tie of a place: host and path of an address.
    pub(super) fn place(&self, address: &str) -> Option<(TieKey, String)> {
        let bare = address.split(['?', '#']).next()?;
        let after = bare.split_once("://").map_or(bare, |(_, after)| after);
        (!after.is_empty()).then(|| (self.marks.tie_of("place", after), bare.to_owned()))
    }
}

impl Heard {
    pub(super) fn new(kind: Kind, seen: &Seen, from: Lane, to: Lane) -> Self {
        let status = seen.answer.as_ref().map(|answer| answer.status.as_u16());
        let mut bits = Bits::default();
        bits.set_if(Bits::BY_PROXY, seen.by_proxy);
        bits.set_if(Bits::FAULTED, !seen.faults.is_empty());
        Self {
            kind,
            from,
            to,
            label: format!("{} {}", seen.method, short_path(path(seen))),
            outcome: status.map_or(Outcome::Cut, Outcome::Status),
            ok: status.is_some_and(|status| status < 400),
            note: None,
            facts: Facts {
                bits,
                ..Facts::default()
            },
            asks: Vec::new(),
            gives: Vec::new(),
            appid: None,
            door: None,
            returns: None,
            browser: 0,
            agent: 0,
            by_program: !seen.headers.is_empty(),
            place: None,
            phone: None,
            secret: None,
        }
    }

    /// Found by this, if it is anything.
    pub(super) fn ask(&mut self, tie: TieKey) {
        if tie != 0 && !self.asks.contains(&tie) {
            self.asks.push(tie);
        }
    }

    /// Makes this known, if it is anything.
    pub(super) fn give(&mut self, kind: Tied, tie: TieKey) {
        if tie != 0 {
            self.gives.push((kind, tie));
        }
    }

    pub(super) fn set_if(&mut self, bits: Bits, is_so: bool) {
        self.facts.bits.set_if(bits, is_so);
    }
}

/// The path of a request.
pub(super) fn path(seen: &Seen) -> &str {
    seen.target.split('?').next().unwrap_or("/")
}

/// The query of a request, without its mark.
pub(super) fn query(seen: &Seen) -> &str {
    seen.target.split_once('?').map_or("", |(_, query)| query)
}

/// A header of the request; empty when absent.
pub(super) fn header<'a>(seen: &'a Seen, name: &str) -> &'a str {
    let value = seen.headers.get(name);
    value.and_then(|value| value.to_str().ok()).unwrap_or("")
}

/// A header of the answer; empty when absent.
pub(super) fn said<'a>(seen: &'a Seen, name: &str) -> &'a str {
    let value = seen
        .answer
        .as_ref()
        .and_then(|answer| answer.headers.get(name));
    value.and_then(|value| value.to_str().ok()).unwrap_or("")
}

/// A path for a label: what may be a secret in it is left out.
pub(super) fn short_path(path: &str) -> String {
    const LONG: usize = 60;
    let mut out = String::new();
    for part in path.split('/').skip(1) {
        out.push('/');
        let is_id = part.len() >= 16 && part.bytes().any(|b| b.is_ascii_digit());
        out.push_str(if is_id { "…" } else { part });
    }
    if out.chars().count() > LONG {
        out = out.chars().take(LONG).chain(['…']).collect();
    }
    if out.is_empty() { "/".to_owned() } else { out }
}

/// Who sends a request: what its headers tell, and whether they leave no doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// A page in a browser, for certain: no program of a server's sends these headers.
    Page,
    /// A browser by its name.
    Browser,
    /// An app on a phone.
    Device,
    /// Anything else.
    Server,
}

impl Sender {
    pub(super) fn of(seen: &Seen) -> Self {
        let agent = header(seen, "user-agent");
        // Node's fetch says `sec-fetch-mode: cors`; only browsers say from which site.
        let from_site = !header(seen, "sec-fetch-site").is_empty();
        let has_origin = !header(seen, "origin").is_empty();
        let is_named = agent.contains("Mozilla/");
        if is_named && (from_site || has_origin) {
            Self::Page
        } else if agent.starts_with("Dalvik/") || agent.contains("CFNetwork/") {
            Self::Device
        } else if is_named {
            Self::Browser
        } else {
            Self::Server
        }
    }

    pub(super) const fn is_browser(self) -> bool {
        matches!(self, Self::Page | Self::Browser)
    }
}
