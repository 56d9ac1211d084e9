//! A gateway of the operator's own: JSON by POST, signed. What it is:
//!
//! - The body is `{"phone","code","scene","text"?,"id"}`.
//! - `x-yufu-timestamp` has the second, and `x-yufu-signature` says `sha256=` and the hex
//!   HMAC-SHA256 of the timestamp, a full stop and the body, under the shared secret.
//! - 2xx says taken, with `{"message_id"}` or nothing; 429, or `{"error":"limited"}`, says too
//!   many; any other 4xx says no, with a word for the console in `{"error"}`.
//! - Receipts come back signed the same way: one of, or a list of,
//!   `{"message_id","phone"?,"delivered","code"?,"at"?}`, the moment in seconds.

use aws_lc_rs::hmac;
use serde::Serialize;
use serde_json::{Map, Value};
use yufu_core::secret::{Secret, same};
use yufu_core::time::{Lifetime, Timestamp};

use super::sign::hex;
use super::{MAX_SMS_BYTES, SmsError, SmsMessage, SmsReceipt, SmsRequest, SmsSent};
use super::{json, phone, receipts, word};
use crate::http::Method;

/// The header with the second of signing.
pub const TIMESTAMP_HEADER: &str = "x-yufu-timestamp";
/// The header with the signature.
pub const SIGNATURE_HEADER: &str = "x-yufu-signature";
/// How far the signer's clock may be off.
pub const MAX_SKEW: Lifetime = Lifetime::minutes(5);

/// The operator's own gateway.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Its address; may bear secrets.
    pub url: Secret,
    /// What both sides sign with.
    pub secret: Secret,
}

#[derive(Serialize)]
struct Body<'a> {
    phone: &'a str,
    code: &'a str,
    scene: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    id: &'a str,
}

impl Webhook {
    /// A request that sends a message.
    pub fn send(&self, message: &SmsMessage, now: Timestamp) -> SmsRequest {
        let body = Body {
            phone: message.phone.as_str(),
            code: message.code.expose(),
            scene: &message.scene,
            text: message.text.as_deref(),
            id: &message.id,
        };
        // Texts alone: there is nothing in it that JSON could not say.
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let timestamp = now.seconds().to_string();
        let signature = signature(&self.secret, &timestamp, &body);
        SmsRequest {
            method: Method::Post,
            url: self.url.clone(),
            headers: vec![
                ("content-type", "application/json".to_owned()),
                (TIMESTAMP_HEADER, timestamp),
                (SIGNATURE_HEADER, signature),
            ],
            body,
        }
    }
}

/// The value of [`SIGNATURE_HEADER`] for a body that is signed in the second of
/// [`TIMESTAMP_HEADER`].
pub fn signature(secret: &Secret, timestamp: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(timestamp.as_bytes());
    context.update(b".");
    context.update(body);
    format!("sha256={}", hex(context.sign().as_ref()))
}

/// Whether what came is signed with the shared secret and fresh. The values are those of
/// [`TIMESTAMP_HEADER`] and [`SIGNATURE_HEADER`].
pub fn is_signed(
    secret: &Secret,
    timestamp: &str,
    signed: &str,
    body: &[u8],
    now: Timestamp,
) -> bool {
    let digits = timestamp.len() <= 11 && timestamp.bytes().all(|b| b.is_ascii_digit());
    let Some(at) = digits.then(|| timestamp.parse().ok()).flatten() else {
        return false;
    };
    let at = Timestamp::from_seconds(at);
    at.since(now) <= MAX_SKEW
        && now.since(at) <= MAX_SKEW
        && same(
            signature(secret, timestamp, body).as_bytes(),
            signed.as_bytes(),
        )
}

/// Reads the answer to the request for our message `id`. A gateway without numbers of its own
/// uses ours.
///
/// # Errors
/// [`SmsError`]: the gateway's refusal, or that the answer is none; so is every 5xx, behind which
/// anything may have happened.
pub fn read_sent(status: u16, body: &[u8], id: &str) -> Result<SmsSent, SmsError> {
    let answer = json(body).ok();
    let answer = answer.as_ref().and_then(Value::as_object);
    let said = |name| answer.and_then(|answer| word(answer, name));
    let error = || said("error").unwrap_or_else(|| status.to_string());
    match status {
        200..=299 if body.len() <= MAX_SMS_BYTES => Ok(SmsSent {
            message_id: said("message_id").unwrap_or_else(|| id.to_owned()),
        }),
        429 => Err(SmsError::Limited(error())),
        400..=499 if said("error").as_deref() == Some("limited") => Err(SmsError::Limited(error())),
        400..=499 => Err(SmsError::Refused(error())),
        _ => Err(SmsError::Unreadable),
    }
}

/// Reads receipts that [`is_signed`] passed.
///
/// # Errors
/// [`SmsError::Unreadable`].
pub fn read_receipts(body: &[u8]) -> Result<Vec<SmsReceipt>, SmsError> {
    receipts(body, receipt)
}

fn receipt(object: &Map<String, Value>) -> Option<SmsReceipt> {
    Some(SmsReceipt {
        message_id: word(object, "message_id")?,
        phone: word(object, "phone").and_then(|text| phone(&text)),
        delivered: object.get("delivered")?.as_bool()?,
        code: word(object, "code").unwrap_or_default(),
        at: object
            .get("at")
            .and_then(Value::as_i64)
            .map(Timestamp::from_seconds),
    })
}
