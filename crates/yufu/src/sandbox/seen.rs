//! What the sandbox sees: requests and answers as they crossed a door, and what people did. Told
//! in full, secrets and all, to the book of flows alone, which redacts before it keeps anything.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use yufu_core::time::Timestamp;

/// Who takes part in a login: one lane each in the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// The person, with a phone in their hand.
    User,
    /// The mobile app.
    App,
    /// The browser.
    Browser,
    /// The app's own server.
    Backend,
    /// The platform.
    Platform,
}

/// Whose door was knocked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    /// The platform's.
    Platform,
    /// yufu's own login backend's.
    Login,
    /// The demo app's.
    Demo,
    /// An app's own, through the proxy over plain HTTP to this machine.
    App,
}

/// One request and its answer, unredacted.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When it began, in real time.
    pub began: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// Whose door.
    pub behind: Behind,
    /// Whether it came through the proxy or the gate, under the platform's own name.
    pub by_proxy: bool,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The host as it was asked for, with its port if it had one.
    pub host: String,
    /// The method.
    pub method: String,
    /// The path and query.
    pub target: String,
    /// The headers of the request.
    pub headers: HeaderMap,
    /// The body of the request, as much as was kept.
    pub body: Bytes,
    /// Whether there was more of the body, or may have been: nobody read it to its end.
    pub body_cut: bool,
    /// The answer; `None` where the connection was cut instead, by us or by the caller.
    pub answer: Option<SeenAnswer>,
    /// The faults that were played, by their word.
    pub faults: Vec<String>,
    /// The other end.
    pub peer: Option<SocketAddr>,
}

/// An answer, unredacted.
#[derive(Clone, Debug)]
pub struct SeenAnswer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as much as was kept; pictures and streams are kept without.
    pub body: Bytes,
    /// Whether a text was longer than what is kept.
    pub body_cut: bool,
}

/// Something that was done without a request of its own.
#[derive(Clone, Debug)]
pub struct Note {
    /// When, in real time.
    pub at: Timestamp,
    /// Who did it.
    pub from: Lane,
    /// To whom.
    pub to: Lane,
    /// What, as one word: `scanned`, `agreed`, `denied`, `cancelled`, `ignored`, `returned`,
    /// `pushed`, `clock`, `fault`.
    pub what: &'static str,
    /// More, in a few words; holds no secret.
    pub detail: String,
    /// The person, by short name.
    pub person: Option<String>,
    /// The appid.
    pub client: Option<String>,
    /// Values that tie it to a login, unredacted: a scan's uuid, an interaction, a code, a state.
    pub ties: Vec<(Tie, String)>,
}

/// What kind of value ties an exchange to a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tie {
    /// The `state` of the app, with the appid before it.
    State,
    /// A scan.
    Uuid,
    /// An open interaction.
    Interaction,
    /// An authorization code.
    Code,
    /// An access token.
    Access,
    /// A refresh token.
    Refresh,
}
