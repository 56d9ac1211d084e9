//! Calls to the login backend, and how the pages show them.

use std::time::Duration;

use axum::http::{Request as HttpRequest, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Map, Value, json};
use yufu_core::secret::Secret;
use yufu_web::view::{Field, Lang, WireCall};

use super::visit::{Knock, Seat, Session};

/// How long a call may take: longer than the backend waits for WeChat.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most bytes of an answer.
const MAX_ANSWER: usize = 256 * 1024;
/// The session is over, and a refresh token may still be good.
const EXPIRED: u16 = 5002;
/// What no answer is taken for: no code of the API has this number.
const SILENCE: u16 = 0xffff;

/// The way to the backend.
pub(super) struct Api {
    http: HttpClient<HttpConnector, Full<Bytes>>,
    base: String,
}

/// What the backend said.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) code: u16,
    pub(super) msg: String,
    pub(super) data: Map<String, Value>,
}

impl Answer {
    fn read(body: Option<&[u8]>) -> Self {
        let value: Option<Value> = body.and_then(|body| serde_json::from_slice(body).ok());
        let value = value.unwrap_or_default();
        let code = value.get("code").and_then(Value::as_u64);
        let data = value.get("data").and_then(Value::as_object);
        Self {
            code: code
                .and_then(|code| u16::try_from(code).ok())
                .unwrap_or(SILENCE),
            msg: match value.get("msg").and_then(Value::as_str) {
                Some(msg) => msg.to_owned(),
                None => "no answer".to_owned(),
            },
            data: data.cloned().unwrap_or_default(),
        }
    }

    /// A text; empty when it is not there.
    pub(super) fn text(&self, name: &str) -> &str {
        self.data.get(name).and_then(Value::as_str).unwrap_or("")
    }

    /// A whole number; 0 when it is not there.
    pub(super) fn number(&self, name: &str) -> i64 {
        self.data.get(name).and_then(Value::as_i64).unwrap_or(0)
    }

    /// The members of a list.
    pub(super) fn list(&self, name: &str) -> &[Value] {
        self.data
            .get(name)
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    /// A secret; none when it is empty.
    pub(super) fn secret(&self, name: &str) -> Option<Secret> {
        Some(self.text(name))
            .filter(|text| !text.is_empty())
            .map(Secret::new)
    }
}

impl Api {
    pub(super) fn new(base: &str) -> Self {
        Self {
            http: HttpClient::builder(TokioExecutor::new()).build_http(),
            base: base.to_owned(),
        }
    }

    /// Where it is.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    async fn ask(&self, verb: &str, path: &str, seat: &Seat, lang: Lang, body: &Value) -> Answer {
        let mut request = HttpRequest::builder()
            .method(verb)
            .uri(format!("{}{path}", self.base))
            .header(header::ACCEPT_LANGUAGE, lang.tag());
        if let Some(session) = &seat.session {
            let bearer = format!("Bearer {}", session.token.expose());
            request = request.header(header::AUTHORIZATION, bearer);
        }
        if let Some(secret) = &seat.secret {
            request = request.header("x-yufu-device", secret.expose());
        }
        let bytes = match body {
            Value::Null => Bytes::new(),
            body => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Bytes::from(body.to_string())
            }
        };
        let answer = async {
            let request = request.body(Full::new(bytes)).ok()?;
            let answer = self.http.request(request).await.ok()?;
            let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
            Some(body.ok()?.to_bytes())
        };
        let answer = tokio::time::timeout(PATIENCE, answer).await.ok().flatten();
        Answer::read(answer.as_deref())
    }
}

impl Knock {
    /// Calls the backend for this device. What was said is kept for the page.
    pub(super) async fn call(&self, verb: &str, path: &str, body: Value) -> Answer {
        let seat = self.seat();
        let answer = self.demo.api.ask(verb, path, &seat, self.lang, &body).await;
        let call = wire(verb, path, &seat, &body, &answer);
        self.change(|seat| {
            seat.heard(call);
            // Whoever had no secret is given one, once.
            if let Some(secret) = answer.secret("device_secret") {
                seat.secret = Some(secret);
            }
        });
        answer
    }

    /// Calls the backend for whoever is logged in: a session that is over is refreshed on the way.
    ///
    /// # Errors
    /// The refusal that ends the session; it is forgotten here too.
    pub(super) async fn authed(
        &self,
        verb: &str,
        path: &str,
        body: Value,
    ) -> Result<Answer, Answer> {
        let mut answer = self.call(verb, path, body.clone()).await;
        if answer.code == EXPIRED {
            let again = self.refresh("/user/session/refresh").await;
            answer = match again.code {
                0 => self.call(verb, path, body).await,
                _ => again,
            };
        }
        if matches!(answer.code, 5001..=5005) {
            self.change(Seat::logged_out);
            return Err(answer);
        }
        Ok(answer)
    }

    /// Pays the refresh token for the next pair, by either call that takes it.
    pub(super) async fn refresh(&self, path: &str) -> Answer {
        let session = self.seat().session;
        let refresh = session.map(|session| session.refresh.expose().to_owned());
        let answer = self
            .call("POST", path, json!({ "refresh_token": refresh }))
            .await;
        if answer.code == 0 {
            self.keep(&answer);
        }
        answer
    }

    /// Keeps the session of an answer.
    pub(super) fn keep(&self, answer: &Answer) {
        let pair = (answer.secret("token"), answer.secret("refresh_token"));
        if let (Some(token), Some(refresh)) = pair {
            self.change(|seat| seat.session = Some(Session { token, refresh }));
        }
    }
}

// --- what the pages show ------------------------------------------------------------------------

/// Fields that hold secrets.
const SECRETS: [&str; 10] = [
    "token",
    "refresh_token",
    "access_token",
    "bind_ticket",
    "merge_ticket",
    "cancel_ticket",
    "device_secret",
    "state",
    "code",
    "sms_code",
];

/// The first and last characters of a secret; of a short one nothing.
pub(super) fn masked(secret: &str) -> String {
    let length = secret.chars().count();
    if length < 16 {
        return "•".repeat(length);
    }
    let head: String = secret.chars().take(6).collect();
    let tail: String = secret.chars().skip(length - 4).collect();
    format!("{head}…{tail}")
}

fn hidden(name: &str, value: &Value) -> Value {
    match value {
        Value::String(text) if SECRETS.contains(&name) => json!(masked(text)),
        Value::Object(members) => {
            let members = members.iter();
            Value::Object(
                members
                    .map(|(name, value)| (name.clone(), hidden(name, value)))
                    .collect(),
            )
        }
        Value::Array(items) => items.iter().map(|item| hidden("", item)).collect(),
        value => value.clone(),
    }
}

/// A member of a body as a line.
pub(super) fn shown(name: &str, value: &Value) -> Field {
    match hidden(name, value) {
        Value::String(text) => Field::new(name, text),
        value => Field::new(name, value.to_string()),
    }
}

fn wire(verb: &str, path: &str, seat: &Seat, body: &Value, answer: &Answer) -> WireCall {
    let mut sent = Vec::new();
    if let Some(session) = &seat.session {
        let token = masked(session.token.expose());
        sent.push(Field::new("Authorization", format!("Bearer {token}")));
    }
    if let Some(secret) = &seat.secret {
        sent.push(Field::new("X-Yufu-Device", masked(secret.expose())));
    }
    let members = body.as_object().into_iter().flatten();
    sent.extend(
        members
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| shown(name, value)),
    );
    WireCall {
        line: format!("{verb} {path}"),
        said: Some((answer.code, answer.msg.clone())),
        sent,
        got: answer
            .data
            .iter()
            .map(|(name, value)| shown(name, value))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_wherever_they_stand() {
        let long = "1AbCdEfGhIjKlMnOpQrStUvWxYz";
        let body = json!({"proof": {"code": long, "sms_code": "123456"}, "list": [{"token": long}], "uid": long});
        let text: String = body
            .as_object()
            .unwrap()
            .iter()
            .map(|(n, v)| shown(n, v).value)
            .collect();
        assert_eq!(text.matches(long).count(), 1, "{text}");
        assert!(!text.contains("123456"));
        assert_eq!(masked(long), "1AbCdE…WxYz");
    }
}
