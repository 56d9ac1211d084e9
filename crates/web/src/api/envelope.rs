//! The envelope: how every outcome of the login API is written.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;
use serde_json::{Map, Value, json};
use yufu_core::login::LoginRefusal;
use yufu_core::secret::Secret;
use yufu_core::time::Lifetime;

use super::text;
use crate::view::Lang;

/// How the HTTP status is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Statuses {
    /// Always 200: the code in the body says what happened.
    #[default]
    Compat,
    /// The status that fits the code.
    Strict,
}

#[derive(Serialize)]
struct Envelope<'a> {
    code: u16,
    msg: &'a str,
    data: &'a Map<String, Value>,
    request_id: &'a str,
}

/// What an envelope says.
pub(crate) struct Letter<'a> {
    pub(crate) code: u16,
    pub(crate) msg: &'a str,
    pub(crate) data: Map<String, Value>,
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<i64>,
}

impl<'a> Letter<'a> {
    /// Of a good answer.
    pub(crate) fn fine(data: Map<String, Value>, lang: Lang) -> Letter<'a> {
        Letter {
            code: 0,
            msg: text::fine(lang),
            data,
            status: StatusCode::OK,
            retry_after: None,
        }
    }

    /// Of a refusal.
    pub(crate) fn refused(refusal: &LoginRefusal, lang: Lang, statuses: Statuses) -> Letter<'a> {
        let data = data(refusal);
        Letter {
            code: refusal.code(),
            msg: text::message(refusal, lang),
            retry_after: data.get("retry_after").and_then(Value::as_i64),
            data,
            status: match statuses {
                Statuses::Compat => StatusCode::OK,
                Statuses::Strict => status(refusal.code()),
            },
        }
    }

    /// Of a fault of ours: the caller tries again, and quotes the incident.
    pub(crate) fn failed(incident: &str, lang: Lang, statuses: Statuses) -> Letter<'a> {
        let mut data = Map::new();
        data.insert("incident".to_owned(), json!(incident));
        Letter {
            code: LoginRefusal::Conflict.code(),
            msg: text::fault(lang),
            data,
            status: match statuses {
                Statuses::Compat => StatusCode::OK,
                Statuses::Strict => StatusCode::INTERNAL_SERVER_ERROR,
            },
            retry_after: None,
        }
    }

    /// The whole answer.
    pub(crate) fn write(self, request_id: &str, lang: Lang) -> Response {
        let envelope = Envelope {
            code: self.code,
            msg: self.msg,
            data: &self.data,
            request_id,
        };
        let text = serde_json::to_vec(&envelope).unwrap_or_default();
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let fixed = HeaderValue::from_static;
        headers.insert(header::CONTENT_TYPE, fixed("application/json"));
        headers.insert(header::CACHE_CONTROL, fixed("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, fixed("nosniff"));
        headers.insert(header::CONTENT_LANGUAGE, fixed(lang.tag()));
        if let Ok(id) = HeaderValue::try_from(request_id) {
            headers.insert("x-request-id", id);
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The status that fits a code.
pub fn status(code: u16) -> StatusCode {
    match code {
        0 => StatusCode::OK,
        1002 | 3002 | 3003 => StatusCode::TOO_MANY_REQUESTS,
        1003 | 2006 | 2007 | 3008 | 4004 | 4006 | 4007 | 4010 | 4011 | 5006 => {
            StatusCode::FORBIDDEN
        }
        1005 | 4001 | 4002 | 4005 | 4009 => StatusCode::CONFLICT,
        2003 | 2005 | 3007 => StatusCode::BAD_GATEWAY,
        2004 => StatusCode::SERVICE_UNAVAILABLE,
        2008 | 5001..=5005 => StatusCode::UNAUTHORIZED,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// A wait in whole seconds, rounded up: who waits that long is let in.
pub(crate) fn wait(life: Lifetime) -> i64 {
    life.millis().saturating_add(999).div_euclid(1000).max(1)
}

/// What an app needs to go on after a refusal. It has no arm for the rest: a new field is written
/// or does not compile.
pub(crate) fn data(refusal: &LoginRefusal) -> Map<String, Value> {
    use LoginRefusal as R;
    let shown = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
    let value = match refusal {
        R::BadRequest { field } => json!({ "field": field }),
        R::RateLimited { retry_after }
        | R::UpstreamBusy { retry_after }
        | R::PasscodeTooSoon { retry_after }
        | R::PasscodeLimit { retry_after } => json!({ "retry_after": wait(*retry_after) }),
        R::PasscodeWrong { left } => json!({ "left": left }),
        R::PhoneTaken { reason, other } => json!({ "reason": reason.word(), "other": other }),
        R::ConfirmNeeded { candidates, ticket } => {
            let mut value = json!({ "candidates": candidates, "account": candidates.first() });
            put(&mut value, "merge_ticket", shown(ticket));
            value
        }
        R::Deleting {
            deletable_at,
            cancel_ticket,
            device_secret,
        } => {
            let mut value = json!({ "deletable_at": deletable_at.seconds() });
            put(&mut value, "cancel_ticket", shown(cancel_ticket));
            put(&mut value, "device_secret", shown(device_secret));
            value
        }
        R::StepUpRequired { proofs, after } => {
            let mut value = json!({ "proofs": proofs });
            put(&mut value, "after", after.map(|after| after.seconds()));
            value
        }
        R::SessionReplaced { at, device } => json!({ "at": at.seconds(), "device": device }),
        R::SessionKicked { at } => json!({ "at": at.seconds() }),
        R::ConsentRequired
        | R::StateInvalid
        | R::Conflict
        | R::CodeInvalid
        | R::CodeUsed
        | R::AppMisconfigured
        | R::UpstreamUnreadable
        | R::ScopeMissing
        | R::UpstreamRestricted
        | R::Reauthorize
        | R::PhoneInvalid
        | R::PasscodeOver
        | R::PasscodeExhausted
        | R::GatewayFailed
        | R::CaptchaRequired
        | R::CarrierInvalid
        | R::WechatTaken
        | R::TicketInvalid
        | R::LastIdentity
        | R::Disabled
        | R::AlreadyLinked
        | R::RecycledSuspected
        | R::SessionInvalid
        | R::SessionExpired
        | R::RefreshReused
        | R::DeviceLimit => json!({}),
    };
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Adds a member where there is something to add.
pub(crate) fn put(to: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let (Value::Object(map), Some(value)) = (to, value) {
        map.insert(name.to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_refusal_has_words_of_its_own_in_both_languages() {
        let mut seen = HashSet::new();
        for refusal in LoginRefusal::all() {
            for lang in Lang::ALL {
                let words = text::message(&refusal, lang);
                assert!(seen.insert(words), "{words}");
                assert!(words.ends_with(['.', '。']), "{words}");
                // Whoever is told of a member of `data` finds it there.
                for name in words.split("data.").skip(1) {
                    let end = name.find(|c: char| !c.is_ascii_lowercase() && c != '_');
                    let name = &name[..end.unwrap_or(name.len())];
                    assert!(data(&refusal).contains_key(name), "{words}");
                }
            }
        }
    }

    #[test]
    fn waits_are_rounded_up() {
        for (millis, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (59_999, 60)] {
            assert_eq!(wait(Lifetime::from_millis(millis)), seconds);
        }
    }

    #[test]
    fn every_status_fits_its_hundred() {
        for refusal in LoginRefusal::all() {
            let status = status(refusal.code());
            assert!(status.is_client_error() || status.is_server_error());
            assert_eq!(
                status.is_server_error(),
                [2003, 2004, 2005, 3007].contains(&refusal.code())
            );
        }
    }
}
