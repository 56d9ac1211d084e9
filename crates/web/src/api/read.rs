//! Reading a request by the table: who asks, with what credentials, which fields. What does not
//! fit is refused here, and nothing has happened yet.

use std::sync::Arc;

use axum::body::Body as HttpBody;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use yufu_core::login::{Authenticated, Device, Idempotency, LoginRefusal, LoginStop};
use yufu_core::secret::SecretHash;
use yufu_core::time::Timestamp;
use yufu_core::user::Phone;

use super::cookies::{Cookies, Role};
use super::table::{Auth, Endpoint, Field, Kind, Need, Verb};
use super::{LoginFront, LoginHouse};
use crate::house::Peer;
use crate::view::Lang;
use crate::{form, session};

/// The most bytes of a body.
pub(crate) const MAX_BODY: usize = 16 * 1024;
/// The most bytes of a phone number as somebody typed it.
const MAX_PHONE: usize = 256;
/// The most bytes of a part of a proof.
const MAX_PART: usize = 512;
/// The most bytes of a device secret.
pub(super) const MAX_DEVICE: usize = 64;
/// The most bytes of an idempotency key.
pub(super) const MAX_KEY: usize = 512;

/// What every request tells of its caller.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) now: Timestamp,
    pub(crate) request_id: String,
    pub(crate) lang: Lang,
    pub(crate) address: String,
    /// The `Origin`, as the browser wrote it.
    pub(crate) origin: Option<String>,
    /// Whether a browser's script or page calls: then secrets go into cookies too.
    pub(crate) is_browser: bool,
    pub(crate) cookies: Cookies,
}

impl Caller {
    pub(crate) fn read(house: &LoginHouse, headers: &HeaderMap, peer: Option<&Peer>) -> Self {
        let text = |name: header::HeaderName| headers.get(name).and_then(|v| v.to_str().ok());
        let origin = text(header::ORIGIN).map(str::to_owned);
        Self {
            now: house.clock.now(),
            request_id: format!("{:016x}", house.engine.noise()),
            lang: Lang::from_accept(text(header::ACCEPT_LANGUAGE).unwrap_or("")),
            address: session::caller(&house.front.trusted_proxies, peer, headers),
            is_browser: origin.is_some() || headers.contains_key("sec-fetch-site"),
            origin,
            cookies: Cookies::read(&house.front, headers),
        }
    }
}

/// One call, read.
pub(crate) struct Ask {
    pub(crate) house: Arc<LoginHouse>,
    pub(crate) caller: Caller,
    pub(crate) body: Body,
    /// The variable end of the path.
    pub(crate) tail: String,
    /// Who is logged in, where the table asks for a session.
    who: Option<Authenticated>,
    token: Option<String>,
    device: Option<String>,
    key: Option<String>,
}

impl Ask {
    /// Reads a call and lets its caller in, as the table says.
    pub(crate) async fn read(
        house: Arc<LoginHouse>,
        endpoint: &'static Endpoint,
        caller: Caller,
        parts: &Parts,
        body: HttpBody,
    ) -> Result<Self, LoginStop> {
        let headers = &parts.headers;
        let bearer = scheme(headers, "bearer").map(str::to_owned);
        let sent = header_text(headers, "X-Yufu-Device", MAX_DEVICE)?;
        let key = header_text(headers, "Idempotency-Key", MAX_KEY)?;
        let by_cookie = (bearer.is_none() && caller.cookies.get(Role::Session).is_some())
            || (sent.is_none() && caller.cookies.get(Role::Device).is_some())
            || caller.cookies.get(Role::Refresh).is_some()
            || caller.cookies.get(Role::Bind).is_some();
        if by_cookie && !is_trusted(&house.front, headers, endpoint.verb) {
            return Err(refuse("Origin"));
        }
        let from = |role| caller.cookies.get(role).map(str::to_owned);
        let mut ask = Self {
            token: bearer.or_else(|| from(Role::Session)),
            device: sent.or_else(|| from(Role::Device)),
            key,
            who: None,
            tail: tail(endpoint, parts.uri.path()),
            body: Body::default(),
            caller,
            house,
        };
        match endpoint.auth {
            Auth::Session => ask.who = Some(ask.authenticate().await?),
            Auth::Service => check_service(&ask.house.front, headers)?,
            Auth::Nobody | Auth::Maybe => {}
        }
        if endpoint.verb == Verb::Post {
            let bytes = form::body_within(body, MAX_BODY).await;
            let bytes = bytes.map_err(|_| refuse("body"))?;
            ask.body = Body::read(endpoint, headers, &bytes)?;
        }
        Ok(ask)
    }

    /// A call that a page of ours makes for its browser, with what the page knows: a form was
    /// checked where it was read, and cookies are all that a browser has.
    pub(crate) fn inside(
        house: Arc<LoginHouse>,
        caller: Caller,
        fields: &[(&'static str, &str)],
    ) -> Self {
        let from = |role| caller.cookies.get(role).map(str::to_owned);
        let given = |(name, text): &(&'static str, &str)| match *text {
            "" => None,
            text => Some((*name, Given::Text(text.to_owned()))),
        };
        Self {
            token: from(Role::Session),
            device: from(Role::Device),
            key: None,
            who: None,
            tail: String::new(),
            body: Body(fields.iter().filter_map(given).collect()),
            caller,
            house,
        }
    }

    /// The same with a flag set; none for an empty name.
    pub(crate) fn flagged(mut self, name: &'static str) -> Self {
        self.body.0.push((name, Given::Flag(true)));
        self
    }

    /// Lets the session's holder in.
    async fn authenticate(&self) -> Result<Authenticated, LoginStop> {
        let token = self.token.as_deref().unwrap_or_default();
        let engine = &self.house.engine;
        engine
            .authenticate(token, self.device.as_deref(), self.now())
            .await
    }

    /// Who is logged in. Only for calls whose row asks for a session.
    pub(crate) fn who(&self) -> Result<&Authenticated, LoginStop> {
        self.who
            .as_ref()
            .ok_or_else(|| LoginRefusal::SessionInvalid.into())
    }

    /// Who is logged in, for a call that goes without too.
    pub(crate) async fn maybe_who(&self) -> Result<Option<Authenticated>, LoginStop> {
        match self.token {
            Some(_) => self.authenticate().await.map(Some),
            None => Ok(None),
        }
    }

    /// The session token that was presented.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The device secret that was presented.
    pub(crate) fn device_secret(&self) -> Option<&str> {
        self.device.as_deref()
    }

    /// The time at which the request came.
    pub(crate) fn now(&self) -> Timestamp {
        self.caller.now
    }

    /// The device, as it says and proves.
    pub(crate) fn device(&self) -> Device<'_> {
        Device {
            secret: self.device.as_deref(),
            id: self.body.text("device_id"),
            platform: self.body.text("platform"),
            address: &self.caller.address,
        }
    }

    /// By which the same answer is asked for again.
    pub(crate) fn key(&self) -> Idempotency<'_> {
        Idempotency(self.key.as_deref())
    }

    /// A secret that a body may hold, or else a cookie.
    pub(crate) fn secret(&self, field: &'static str, role: Role) -> Option<&str> {
        self.body
            .some(field)
            .or_else(|| self.caller.cookies.get(role))
    }

    /// Whether secrets go into cookies too.
    pub(crate) fn wants_cookies(&self) -> bool {
        self.caller.is_browser || self.body.text("platform") == "web"
    }
}

fn refuse(field: &'static str) -> LoginStop {
    LoginRefusal::BadRequest { field }.into()
}

/// The rest of an `Authorization` of this scheme.
fn scheme<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let line = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (word, rest) = line.trim().split_once(' ')?;
    let rest = rest.trim();
    (word.eq_ignore_ascii_case(scheme) && !rest.is_empty()).then_some(rest)
}

/// A header as text of at most so many bytes; empty is none.
fn header_text(
    headers: &HeaderMap,
    name: &'static str,
    most: usize,
) -> Result<Option<String>, LoginStop> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let text = value.to_str().map_err(|_| refuse(name))?.trim();
    if text.len() > most {
        return Err(refuse(name));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// Whether a request that is let in by cookies comes from a page of ours: a browser adds cookies to
/// whatever any page asks it to send.
pub(crate) fn is_trusted(front: &LoginFront, headers: &HeaderMap, verb: Verb) -> bool {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    match text("origin") {
        Some(origin) if origin != "null" => front.is_known(origin),
        // Nothing is changed by reading, and what is read is shown to nobody else (CORS).
        None if verb == Verb::Get => true,
        _ => text("sec-fetch-site") == Some("same-origin"),
    }
}

/// HTTP Basic of one of the operator's services.
fn check_service(front: &LoginFront, headers: &HeaderMap) -> Result<(), LoginStop> {
    let pair = scheme(headers, "basic").and_then(|text| STANDARD.decode(text).ok());
    let pair = pair.and_then(|bytes| String::from_utf8(bytes).ok());
    let known = pair
        .as_deref()
        .and_then(|pair| pair.split_once(':'))
        .is_some_and(|(name, secret)| {
            let secret = SecretHash::of(secret.as_bytes());
            // All are looked at, so that the time taken does not tell which names there are.
            let of = front.services.iter();
            of.filter(|service| (service.name == name) & (service.secret == secret))
                .count()
                > 0
        });
    if known {
        Ok(())
    } else {
        Err(LoginRefusal::SessionInvalid.into())
    }
}

/// The variable end of a path, decoded; empty where there is none or it is no text.
pub(crate) fn tail(endpoint: &Endpoint, path: &str) -> String {
    if !endpoint.has_tail() {
        return String::new();
    }
    let last = path.rsplit('/').next().unwrap_or("");
    let text = percent_decode_str(last).decode_utf8();
    text.map_or_else(|_| String::new(), |text| text.into_owned())
}

/// The fields of a body, as the table knows them.
#[derive(Default)]
pub(crate) struct Body(Vec<(&'static str, Given)>);

enum Given {
    Text(String),
    Flag(bool),
    Proof(Proof),
}

/// A proof that rides in a body: by an upstream, or by a passcode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// A login at the upstream.
    Upstream {
        /// Its code.
        code: String,
        /// Its state.
        state: String,
    },
    /// A passcode.
    Passcode(String),
}

impl Body {
    fn read(endpoint: &Endpoint, headers: &HeaderMap, bytes: &[u8]) -> Result<Self, LoginStop> {
        let given = if bytes.is_empty() {
            Map::new()
        } else {
            let media = headers
                .get(header::CONTENT_TYPE)
                .and_then(|v| v.to_str().ok());
            let media = media.unwrap_or("").split(';').next().unwrap_or("").trim();
            if !media.eq_ignore_ascii_case("application/json") {
                return Err(refuse("Content-Type"));
            }
            match serde_json::from_slice(bytes) {
                Ok(Value::Object(given)) => given,
                _ => return Err(refuse("body")),
            }
        };
        for name in endpoint.forbidden {
            if given.contains_key(*name) {
                return Err(refuse(name));
            }
        }
        let mut body = Self::default();
        for field in endpoint.fields {
            let value = given.get(field.name).filter(|value| !value.is_null());
            match value {
                Some(value) => body.0.extend(one(field, value)?),
                None if field.need == Need::Must => return Err(refuse(field.name)),
                None => {}
            }
        }
        Ok(body)
    }

    fn get(&self, name: &str) -> Option<&Given> {
        self.0
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, given)| given)
    }

    /// A text; empty when it was left out.
    pub(crate) fn text(&self, name: &str) -> &str {
        match self.get(name) {
            Some(Given::Text(text)) => text,
            _ => "",
        }
    }

    /// A text that is there.
    pub(crate) fn some(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// A flag; off when it was left out.
    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Given::Flag(true)))
    }

    /// The proof.
    pub(crate) fn proof(&self) -> Option<&Proof> {
        match self.get("proof") {
            Some(Given::Proof(proof)) => Some(proof),
            _ => None,
        }
    }

    /// The phone number.
    ///
    /// # Errors
    /// [`LoginRefusal::PhoneInvalid`] for what is none, or no mobile phone's.
    pub(crate) fn phone(&self) -> Result<Option<Phone>, LoginRefusal> {
        let Some(text) = self.some("phone") else {
            return Ok(None);
        };
        let phone = Phone::parse(text).ok().filter(Phone::is_mobile);
        phone.map(Some).ok_or(LoginRefusal::PhoneInvalid)
    }
}

/// Reads a body as a call at this endpoint would, for whoever tries the reader alone: the fields
/// that were given with their texts (none for what is no text), in the order of the table.
///
/// # Errors
/// The name that the refusal tells.
pub fn try_body(
    endpoint: &Endpoint,
    media: &str,
    bytes: &[u8],
) -> Result<Vec<(&'static str, Option<String>)>, String> {
    let media = HeaderValue::try_from(media).map_err(|_| "Content-Type".to_owned())?;
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, media)]);
    let body = Body::read(endpoint, &headers, bytes).map_err(|stop| match stop {
        LoginStop::Refused(LoginRefusal::BadRequest { field }) => field.to_owned(),
        _ => String::new(),
    })?;
    let told = body.0.into_iter().map(|(name, given)| match given {
        Given::Text(text) => (name, Some(text)),
        Given::Flag(_) | Given::Proof(_) => (name, None),
    });
    Ok(told.collect())
}

/// One field; `None` when it is empty and may be.
fn one(field: &Field, value: &Value) -> Result<Option<(&'static str, Given)>, LoginStop> {
    let bad = || refuse(field.name);
    let given = match (field.kind, value) {
        (Kind::Text(most), Value::String(text)) => {
            if text.len() > most || text.chars().any(char::is_control) {
                return Err(bad());
            }
            Given::Text(text.clone())
        }
        (Kind::Phone, Value::String(text)) if text.len() <= MAX_PHONE => Given::Text(text.clone()),
        (Kind::Word(words), Value::String(text)) => {
            if !text.is_empty() && !words.contains(&text.as_str()) {
                return Err(bad());
            }
            Given::Text(text.clone())
        }
        (Kind::Flag, Value::Bool(flag)) => Given::Flag(*flag),
        (Kind::Proof(names), Value::Object(parts)) => {
            Given::Proof(proof(names, parts).ok_or_else(bad)?)
        }
        _ => return Err(bad()),
    };
    match &given {
        Given::Text(text) if text.is_empty() && field.need == Need::Must => Err(bad()),
        Given::Text(text) if text.is_empty() => Ok(None),
        _ => Ok(Some((field.name, given))),
    }
}

/// A proof: both halves of an upstream's, or a passcode, not both.
fn proof(names: &[&str], parts: &Map<String, Value>) -> Option<Proof> {
    let part = |name: &str| -> Option<String> {
        match parts.get(name).filter(|_| names.contains(&name)) {
            None | Some(Value::Null) => Some(String::new()),
            Some(Value::String(text)) => {
                let fits = text.len() <= MAX_PART && !text.chars().any(char::is_control);
                fits.then(|| text.clone())
            }
            Some(_) => None,
        }
    };
    let (code, state, sms) = (part("code")?, part("state")?, part("sms_code")?);
    match (code.is_empty(), state.is_empty(), sms.is_empty()) {
        (false, false, true) => Some(Proof::Upstream { code, state }),
        (true, true, false) => Some(Proof::Passcode(sms)),
        _ => None,
    }
}
