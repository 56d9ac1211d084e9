//! Reading answers: by content, never by header or status (`docs/facts/wechat.md` §2, §7, §8).

use serde_json::{Map, Value};
use yufu_core::message::MiniSession;
use yufu_core::refusal::Refusal;
use yufu_core::scope::Scopes;
use yufu_core::secret::Secret;
use yufu_core::subject::Subject;
use yufu_core::time::Lifetime;
use yufu_core::user::{Profile, Sex};

use super::repair::mend;
use crate::http::Request;

/// The most bytes of an answer that are read.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// The most characters of the platform's message that are kept.
const MAX_MESSAGE_CHARS: usize = 200;
/// The most bytes of a token: the documents ask for room for 512 at least (§2).
const MAX_TOKEN_BYTES: usize = 2048;
/// The most bytes of an openid or unionid; the platform's have 28 (§2).
const MAX_SUBJECT_BYTES: usize = 128;
/// The longest life that is believed: ten years.
const MAX_LIFE_SECONDS: i64 = 315_360_000;

/// Why a call brought nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// The platform refused.
    Refused {
        /// Its errcode.
        code: i64,
        /// Its message without the request id.
        message: String,
    },
    /// The platform is busy, −1; the call may be made again, but a code may be spent (§8).
    Busy,
    /// The answer is not one of the platform's.
    Unreadable(Reason),
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// More than [`MAX_ANSWER_BYTES`].
    TooLarge,
    /// Nothing at all.
    Empty,
    /// A page instead of JSON.
    Html,
    /// JSON that ends too early.
    Truncated,
    /// Not JSON.
    NotJson,
    /// JSON, but no object.
    NotAnObject,
    /// A field is missing; the name says which.
    Missing(&'static str),
    /// A field is of the wrong type or shape; the name says which.
    Wrong(&'static str),
}

/// What an errcode means for a login (§8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The code is unknown, expired or another client's: begin again.
    CodeInvalid,
    /// The code was used before: begin again, and look for a double request.
    CodeUsed,
    /// The access token is dead: refresh it.
    TokenInvalid,
    /// The refresh token is dead: the user must authorize again.
    RefreshInvalid,
    /// The openid is not the access token's: somebody mixed two users up.
    SubjectMismatch,
    /// The platform is busy or we are too fast: try later.
    Busy,
    /// We are set up wrongly: the client's name, secret, address list or standing.
    Misconfigured,
    /// The token was not granted what the call needs.
    ScopeMissing,
    /// The user, or the code for risk, is restricted by the platform.
    UserLimited,
    /// None of these.
    Unknown,
}

/// What an errcode means (§8).
pub const fn meaning(code: i64) -> Meaning {
    match code {
        40029 | 42003 => Meaning::CodeInvalid,
        40163 => Meaning::CodeUsed,
        40001 | 40014 | 41001 | 42001 => Meaning::TokenInvalid,
        40030 | 41003 | 42002 | 42007 => Meaning::RefreshInvalid,
        40003 => Meaning::SubjectMismatch,
        -1 | 45009 | 45011 => Meaning::Busy,
        40002 | 40013 | 40125 | 40164 | 40243 | 41002 | 41004 | 41008 | 41009 | 43001 | 43002
        | 43003 | 48004 | 61003 | 61007 => Meaning::Misconfigured,
        48001 | 50001 => Meaning::ScopeMissing,
        40226 | 50002 => Meaning::UserLimited,
        _ => Meaning::Unknown,
    }
}

impl CallError {
    /// What it means for a login; an unreadable answer is unknown.
    pub fn meaning(&self) -> Meaning {
        match self {
            Self::Refused { code, .. } => meaning(*code),
            Self::Busy => Meaning::Busy,
            Self::Unreadable(_) => Meaning::Unknown,
        }
    }
}

/// Tokens from the platform (§7.1, §7.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The access token.
    pub access: Secret,
    /// How long it lives from now.
    pub expires_in: Lifetime,
    /// The refresh token, if one was given.
    pub refresh: Option<Secret>,
    /// The platform's name for the user, ours alone.
    pub openid: Subject,
    /// The platform's name for the user, common to all clients of our developer.
    pub unionid: Option<Subject>,
    /// What was granted; may be more than was asked for, and empty when not told.
    pub scopes: Scopes,
    /// A virtual account of a snapshot page (§3): everything about it is fake.
    pub is_snapshot: bool,
}

/// A profile from the platform (§7.4). The caller compares the openid with the token's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamProfile {
    /// The platform's name for the user, ours alone.
    pub openid: Subject,
    /// The platform's name for the user, common to all clients of our developer.
    pub unionid: Option<Subject>,
    /// What the user tells of themselves; text without control characters, not yet measured.
    pub profile: Profile,
    /// Rights of the user, such as those of a carrier.
    pub privilege: Vec<String>,
}

/// What a browser brought back (§3, §11.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    /// The code; an error otherwise: [`Refusal::ConsentDenied`] or [`Refusal::ConsentCancelled`].
    pub code: Result<Secret, Refusal>,
    /// The state; compare it with the browser's own before anything else.
    pub state: Option<String>,
}

/// Reads the query of the address that the browser returned to. No code means no, and so does
/// the old `code=authdeny` (§3); the native hand-over says −2 or −4 (§11.2).
pub fn read_return(query: &str) -> Returned {
    let params = Request::get("", query).params();
    let code = match (params.filled("code"), params.get("errcode")) {
        (Some("authdeny"), _) => Err(Refusal::ConsentDenied),
        (Some(code), _) if is_plain(code, MAX_TOKEN_BYTES) => Ok(Secret::new(code)),
        (_, Some("-2")) => Err(Refusal::ConsentCancelled),
        _ => Err(Refusal::ConsentDenied),
    };
    Returned {
        code,
        state: params.get("state").map(str::to_owned),
    }
}

/// Reads the answer to an exchange or a refresh (§7.1, §7.2).
///
/// # Errors
/// [`CallError`]: the platform's refusal, or what is wrong with the answer.
pub fn read_tokens(body: &[u8]) -> Result<Granted, CallError> {
    let answer = Answer::read(body)?;
    let scopes = answer.text("scope")?.unwrap_or_default();
    let seconds = answer
        .number("expires_in")?
        .filter(|seconds| (0..=MAX_LIFE_SECONDS).contains(seconds));
    Ok(Granted {
        access: answer
            .token("access_token")?
            .ok_or(missing("access_token"))?,
        expires_in: Lifetime::seconds(seconds.ok_or(wrong("expires_in"))?),
        refresh: answer.token("refresh_token")?,
        openid: answer.subject("openid")?.ok_or(missing("openid"))?,
        unionid: answer.subject("unionid")?,
        // A service client's refresh ends with a comma (§7.2).
        scopes: Scopes::parse(&scopes, ',').ok_or(wrong("scope"))?,
        is_snapshot: answer.is_one("is_snapshotuser"),
    })
}

/// Reads the answer to a mini program's exchange (§7.5).
///
/// # Errors
/// [`CallError`]: the platform's refusal, or what is wrong with the answer. No session key is
/// wrong too: it is what the exchange is for.
pub fn read_mini(body: &[u8]) -> Result<MiniSession, CallError> {
    let answer = Answer::read(body)?;
    Ok(MiniSession {
        session_key: answer.token("session_key")?.ok_or(missing("session_key"))?,
        openid: answer.subject("openid")?.ok_or(missing("openid"))?,
        unionid: answer.subject("unionid")?,
    })
}

/// Reads the answer to a request for the profile (§7.4). Broken nicknames are mended, unknown
/// numbers are unknown, and an avatar that is no web address is left out.
///
/// # Errors
/// [`CallError`]: the platform's refusal, or what is wrong with the answer.
pub fn read_profile(body: &[u8]) -> Result<UpstreamProfile, CallError> {
    let answer = Answer::read(body)?;
    let text = |name| answer.text(name).map(Option::unwrap_or_default);
    let avatar = text("headimgurl")?;
    let is_web = avatar.starts_with("https://") || avatar.starts_with("http://");
    Ok(UpstreamProfile {
        openid: answer.subject("openid")?.ok_or(missing("openid"))?,
        unionid: answer.subject("unionid")?,
        profile: Profile {
            nickname: text("nickname")?,
            avatar: if is_web { avatar } else { String::new() },
            sex: answer
                .number("sex")?
                .and_then(|number| u64::try_from(number).ok())
                .map_or(Sex::Unknown, Sex::from_number),
            province: text("province")?,
            city: text("city")?,
            country: text("country")?,
            language: text("language")?,
        },
        privilege: answer.list("privilege"),
    })
}

/// Reads the answer to a check (§7.3): `Ok` when the token is alive and the user's.
///
/// # Errors
/// [`CallError`]: the platform's refusal, or what is wrong with the answer. An answer without an
/// errcode is no verdict.
pub fn read_verdict(body: &[u8]) -> Result<(), CallError> {
    let answer = Answer::read(body)?;
    answer
        .number("errcode")?
        .map(|_| ())
        .ok_or(missing("errcode"))
}

fn missing(name: &'static str) -> CallError {
    CallError::Unreadable(Reason::Missing(name))
}

fn wrong(name: &'static str) -> CallError {
    CallError::Unreadable(Reason::Wrong(name))
}

/// Visible ASCII of limited length: what tokens, codes and subjects are made of.
fn is_plain(text: &str, most: usize) -> bool {
    !text.is_empty() && text.len() <= most && text.bytes().all(|b| b.is_ascii_graphic())
}

/// An answer that is no refusal.
struct Answer(Map<String, Value>);

impl Answer {
    fn read(body: &[u8]) -> Result<Self, CallError> {
        let answer = Self(object(body).map_err(CallError::Unreadable)?);
        match answer.number("errcode")? {
            None | Some(0) => Ok(answer),
            Some(-1) => Err(CallError::Busy),
            Some(code) => Err(CallError::Refused {
                code,
                message: match answer.0.get("errmsg") {
                    Some(Value::String(text)) => message(text),
                    _ => String::new(),
                },
            }),
        }
    }

    /// A number, or a text that is one: some stand-ins quote their numbers.
    fn number(&self, name: &'static str) -> Result<Option<i64>, CallError> {
        let number = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(_) => None,
        };
        number.map(Some).ok_or(wrong(name))
    }

    fn is_one(&self, name: &'static str) -> bool {
        matches!(self.number(name), Ok(Some(1)))
    }

    /// A text without control characters.
    fn text(&self, name: &'static str) -> Result<Option<String>, CallError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => {
                Ok(Some(text.chars().filter(|c| !c.is_control()).collect()))
            }
            Some(_) => Err(wrong(name)),
        }
    }

    /// A text of visible ASCII; an empty one is none.
    fn plain(&self, name: &'static str, most: usize) -> Result<Option<&str>, CallError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) if is_plain(text, most) => Ok(Some(text)),
            Some(_) => Err(wrong(name)),
        }
    }

    fn token(&self, name: &'static str) -> Result<Option<Secret>, CallError> {
        let text = self.plain(name, MAX_TOKEN_BYTES)?;
        Ok(text.map(Secret::new))
    }

    fn subject(&self, name: &'static str) -> Result<Option<Subject>, CallError> {
        let text = self.plain(name, MAX_SUBJECT_BYTES)?;
        Ok(text.map(Subject::new))
    }

    /// The texts of a list; anything else is an empty one.
    fn list(&self, name: &'static str) -> Vec<String> {
        match self.0.get(name) {
            Some(Value::Array(items)) => items
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            _ => Vec::new(),
        }
    }
}

fn object(body: &[u8]) -> Result<Map<String, Value>, Reason> {
    if body.len() > MAX_ANSWER_BYTES {
        return Err(Reason::TooLarge);
    }
    let text = mend(body);
    match text.trim_start().chars().next() {
        None => return Err(Reason::Empty),
        Some('<') => return Err(Reason::Html),
        Some(_) => {}
    }
    match serde_json::from_str(&text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Reason::NotAnObject),
        Err(error) if error.is_eof() => Err(Reason::Truncated),
        Err(_) => Err(Reason::NotJson),
    }
}

/// The platform's message without what it appends: a request id or hints, in any of the forms
/// that were seen (§2).
fn message(text: &str) -> String {
    let end = [" rid: ", " hint: [", " hints: ["]
        .iter()
        .filter_map(|mark| text.find(mark))
        .min()
        .unwrap_or(text.len());
    text.get(..end)
        .unwrap_or_default()
        .trim_end_matches([',', ' '])
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_MESSAGE_CHARS)
        .collect()
}
