//! WeChat tells a client's server what became of its users: reading such a push, and
//! writing one as the platform does. The wire is that of its document "Message push", the events
//! are those of "Authorization change" (`docs/facts/login.md` §9).
//!
//! What is encrypted is believed only after its signature, and nothing outside of the encrypted
//! part is believed at all: the compatible mode carries the same fields in clear beside it.

mod crypt;
mod fields;
mod write;

use std::fmt;

use aws_lc_rs::digest;
use yufu_core::id::ClientId;
use yufu_core::secret::{Secret, same};
use yufu_core::subject::Subject;
use yufu_core::time::Timestamp;

pub use crypt::AesKey;
pub use write::{Fresh, Mode, Sealed, Spelling, echo_query, seal};

use crate::http::{Params, Request};
use fields::Fields;

/// The most bytes of a body that are read.
pub const MAX_PUSH_BYTES: usize = 64 * 1024;
/// The platform resends what was not answered so ("Message push").
pub const PUSH_ANSWER: &str = "success";
/// The most bytes of a value that is kept.
const MAX_VALUE_BYTES: usize = 512;
/// The most bytes of the text that the check of an address wants back; the platform's have 19.
const MAX_ECHO_BYTES: usize = 256;

/// What a client and the platform agreed on for pushes ("Message push").
#[derive(Clone, Debug)]
pub struct PushKeys {
    /// The Token: it signs.
    pub token: Secret,
    /// The EncodingAESKey: it encrypts.
    pub aes_key: AesKey,
    /// Whose pushes they are; an encrypted push names its client inside.
    pub appid: ClientId,
}

/// A push that is the platform's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// What became of whom.
    pub event: PushEvent,
    /// When it was signed: refuse what is old.
    pub signed_at: Timestamp,
    /// Stands once beside its moment: a second push of the same pair is a replay.
    pub nonce: String,
}

/// What became of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushEvent {
    /// What.
    pub kind: PushKind,
    /// With which client.
    pub appid: ClientId,
    /// The client's name for the user; some pushes were seen without.
    pub openid: Option<Subject>,
    /// The developer's name for the user.
    pub unionid: Option<Subject>,
    /// When it happened; when it was signed, if the push does not say. Whole seconds.
    pub created_at: Timestamp,
}

/// The events that concern a login (`docs/facts/login.md` §9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushKind {
    /// `user_authorization_revoke`: the user took an authorization back.
    AuthorizationRevoked {
        /// What was taken back: `301` is everything that a mobile or website client has.
        info: String,
    },
    /// `user_authorization_cancellation`: the user closed the account at the platform.
    AuthorizationCancelled,
    /// `user_info_modified`: the platform cleaned the profile; drop the old one.
    InfoModified,
    /// Another event, by its word on the wire.
    Other(String),
}

impl PushKind {
    /// The event's word on the wire.
    pub fn word(&self) -> &str {
        match self {
            Self::AuthorizationRevoked { .. } => "user_authorization_revoke",
            Self::AuthorizationCancelled => "user_authorization_cancellation",
            Self::InfoModified => "user_info_modified",
            Self::Other(word) => word,
        }
    }
}

/// The push is not to be believed. Whoever sent it learns no more than that.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PushError(&'static str);

impl PushError {
    /// A word for our own log; not for the answer.
    pub const fn reason(self) -> &'static str {
        self.0
    }
}

impl fmt::Debug for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PushError({})", self.0)
    }
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the push is not to be believed")
    }
}

impl std::error::Error for PushError {}

/// The check that the platform makes when an address is registered ("Message push"): a GET whose
/// `echostr` is the answer. Returns the text to answer, as plain text.
///
/// # Errors
/// [`PushError`]: not signed with our token, or a text that no platform sends.
pub fn verify_url<'a>(
    token: &Secret,
    timestamp: &str,
    nonce: &str,
    echostr: &'a str,
    signature: &str,
) -> Result<&'a str, PushError> {
    check(token, &[timestamp, nonce], signature)?;
    // It goes into an answer: a browser must find nothing in it.
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~+/=".contains(&b);
    if echostr.len() <= MAX_ECHO_BYTES && echostr.bytes().all(is_plain) {
        Ok(echostr)
    } else {
        Err(PushError("echostr"))
    }
}

/// Reads a push of the safe or the compatible mode: the query and the body of a POST, the body
/// told by its content. Only the encrypted part is believed.
///
/// # Errors
/// [`PushError`] for whatever is wrong: the signature, the padding and the content look alike
/// from outside.
pub fn open(keys: &PushKeys, query: &str, body: &[u8]) -> Result<Push, PushError> {
    let query = Query::read(query);
    let envelope = Fields::read(body)?;
    let encrypted = envelope.get("Encrypt").ok_or(PushError("no Encrypt"))?;
    let signature = query.get("msg_signature")?;
    let (timestamp, nonce) = (query.get("timestamp")?, query.get("nonce")?);
    check(&keys.token, &[timestamp, nonce, encrypted], signature)?;
    let clear = crypt::decrypt(&keys.aes_key, encrypted, keys.appid.as_str())?;
    push(&Fields::read(&clear)?, &keys.appid, timestamp, nonce)
}

/// Reads a push of the plain mode. Its signature does not cover the body: whoever saw one push
/// can write another, so the caller decides where that is good enough.
///
/// # Errors
/// [`PushError`] for whatever is wrong.
pub fn open_plain(
    token: &Secret,
    appid: &ClientId,
    query: &str,
    body: &[u8],
) -> Result<Push, PushError> {
    let query = Query::read(query);
    let (timestamp, nonce) = (query.get("timestamp")?, query.get("nonce")?);
    check(token, &[timestamp, nonce], query.get("signature")?)?;
    push(&Fields::read(body)?, appid, timestamp, nonce)
}

fn push(
    fields: &Fields,
    appid: &ClientId,
    timestamp: &str,
    nonce: &str,
) -> Result<Push, PushError> {
    let signed_at = seconds(timestamp).ok_or(PushError("timestamp"))?;
    let created_at = match fields.get("CreateTime") {
        Some(text) => seconds(text).ok_or(PushError("CreateTime"))?,
        None => signed_at,
    };
    if fields.get("AppID").is_some_and(|id| id != appid.as_str()) {
        return Err(PushError("AppID"));
    }
    Ok(Push {
        event: PushEvent {
            kind: kind(fields)?,
            appid: appid.clone(),
            openid: subject(fields, "OpenID")?,
            unionid: subject(fields, "UnionID")?,
            created_at,
        },
        signed_at,
        nonce: nonce.to_owned(),
    })
}

fn kind(fields: &Fields) -> Result<PushKind, PushError> {
    match (fields.get("MsgType"), fields.get("Event")) {
        (None | Some("event"), Some(word)) => Ok(match word {
            "user_authorization_revoke" => PushKind::AuthorizationRevoked {
                info: fields.get("RevokeInfo").unwrap_or_default().to_owned(),
            },
            "user_authorization_cancellation" => PushKind::AuthorizationCancelled,
            "user_info_modified" => PushKind::InfoModified,
            other => PushKind::Other(other.to_owned()),
        }),
        // Messages of other types are not about a login, and no fault of anybody.
        (Some(other), _) if other != "event" => Ok(PushKind::Other(other.to_owned())),
        _ => Err(PushError("no Event")),
    }
}

fn subject(fields: &Fields, name: &str) -> Result<Option<Subject>, PushError> {
    match fields.get(name) {
        None => Ok(None),
        Some(text) if text.len() <= 128 && text.bytes().all(|b| b.is_ascii_graphic()) => {
            Ok(Some(Subject::new(text)))
        }
        Some(_) => Err(PushError("subject")),
    }
}

/// Whole seconds since 1970, of this side of the year 10000.
fn seconds(text: &str) -> Option<Timestamp> {
    let digits = (1..=11).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let seconds = digits.then(|| text.parse().ok()).flatten()?;
    Some(Timestamp::from_seconds(seconds))
}

/// The query of a push; what stands in the body is no parameter.
struct Query(Params);

impl Query {
    fn read(query: &str) -> Self {
        Self(Request::get("", query).params())
    }

    fn get(&self, name: &'static str) -> Result<&str, PushError> {
        self.0
            .filled(name)
            .filter(|value| value.len() <= MAX_VALUE_BYTES)
            .ok_or(PushError(name))
    }
}

fn check(token: &Secret, parts: &[&str], signature: &str) -> Result<(), PushError> {
    if same(sign(token, parts).as_bytes(), signature.as_bytes()) {
        Ok(())
    } else {
        Err(PushError("signature"))
    }
}

/// SHA-1 of the token and the parts, sorted and joined, in hex ("Message push").
fn sign(token: &Secret, parts: &[&str]) -> String {
    let mut parts = parts.to_vec();
    parts.push(token.expose());
    parts.sort_unstable();
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    for part in parts {
        context.update(part.as_bytes());
    }
    let bytes = context.finish();
    bytes.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}
