//! SMS gateways: requests as plain values, and their answers and receipts read by content. Like a
//! dialect, a gateway reads no clock and sends nothing.
//!
//! Sign with real time: the gateways refuse what is more than some minutes off.

pub mod aliyun;
mod sign;
pub mod tencent;
pub mod webhook;

use std::fmt;

use serde_json::{Map, Value};
use yufu_core::secret::Secret;
use yufu_core::time::Timestamp;
use yufu_core::user::Phone;

use crate::http::Method;

/// The most bytes of an answer or a batch of receipts that are read.
pub const MAX_SMS_BYTES: usize = 64 * 1024;
/// The most bytes of a gateway's word or number that is kept.
const MAX_WORD_BYTES: usize = 128;

/// A passcode on its way to a phone.
#[derive(Clone, Debug)]
pub struct SmsMessage {
    /// To whom.
    pub phone: Phone,
    /// The passcode.
    pub code: Secret,
    /// What it is for, by the word of its scene.
    pub scene: String,
    /// How long it is good, in minutes.
    pub minutes: u32,
    /// The whole text, for a gateway that takes one.
    pub text: Option<String>,
    /// Our own number of the message.
    pub id: String,
}

/// A text that the gateway's operator approved, and what goes into its gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its name at the gateway.
    pub id: String,
    /// Its gaps in order: Aliyun fills them by name, Tencent Cloud by place.
    pub gaps: Vec<(String, Slot)>,
}

/// What goes into a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The passcode.
    Code,
    /// How long it is good, in minutes.
    Minutes,
    /// Always this.
    Fixed(String),
}

impl Template {
    /// A text with one gap, named `code`, for the passcode.
    pub fn of_code(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            gaps: vec![("code".to_owned(), Slot::Code)],
        }
    }

    fn fill<'a>(&'a self, message: &SmsMessage) -> impl Iterator<Item = (&'a str, String)> {
        let (code, minutes) = (message.code.clone(), message.minutes);
        self.gaps.iter().map(move |(name, slot)| {
            let value = match slot {
                Slot::Code => code.expose().to_owned(),
                Slot::Minutes => minutes.to_string(),
                Slot::Fixed(text) => text.clone(),
            };
            (name.as_str(), value)
        })
    }
}

/// A request to a gateway. Address and body bear the passcode and are not printed. The `Host`
/// header is not among the headers: it is signed as it stands in the address.
#[derive(Clone)]
pub struct SmsRequest {
    /// The method.
    pub method: Method,
    /// The address with its query.
    pub url: Secret,
    /// Headers; names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl fmt::Debug for SmsRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.expose();
        let end = url.find('?').unwrap_or(url.len());
        f.debug_struct("SmsRequest")
            .field("method", &self.method)
            .field("url", &url.get(..end).unwrap_or_default())
            .finish_non_exhaustive()
    }
}

/// The gateway took the message; it is not there yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsSent {
    /// The gateway's number of the message: receipts name it.
    pub message_id: String,
}

/// Why a gateway did not take a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SmsError {
    /// Too many to this phone, or too fast: try later. Holds the gateway's word, for the console.
    Limited(String),
    /// Anything else that it said no to. Holds the gateway's word, for the console.
    Refused(String),
    /// The answer is not one of the gateway's: whether a message goes out is unknown.
    Unreadable,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsReceipt {
    /// The gateway's number of the message.
    pub message_id: String,
    /// To whom it went; `None` when the gateway's spelling is none of ours.
    pub phone: Option<Phone>,
    /// Whether it arrived.
    pub delivered: bool,
    /// The gateway's word for it.
    pub code: String,
    /// When; `None` when the gateway does not say.
    pub at: Option<Timestamp>,
}

/// Reads a JSON value of bounded size.
fn json(body: &[u8]) -> Result<Value, SmsError> {
    let small = body.len() <= MAX_SMS_BYTES;
    let value = small.then(|| serde_json::from_slice(body).ok()).flatten();
    value.ok_or(SmsError::Unreadable)
}

/// Reads receipts: a list of objects, or one alone.
fn receipts(
    body: &[u8],
    one: fn(&Map<String, Value>) -> Option<SmsReceipt>,
) -> Result<Vec<SmsReceipt>, SmsError> {
    let items = match json(body)? {
        Value::Array(items) => items,
        item => vec![item],
    };
    let read = items.iter().map(|item| one(item.as_object()?));
    read.collect::<Option<_>>().ok_or(SmsError::Unreadable)
}

/// A word or number of the gateway's: visible ASCII of limited length. Numbers may stand bare.
fn word(object: &Map<String, Value>, name: &str) -> Option<String> {
    let text = match object.get(name)? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let plain = text.bytes().all(|b| b.is_ascii_graphic());
    (plain && !text.is_empty() && text.len() <= MAX_WORD_BYTES).then_some(text)
}

/// A phone as gateways write it: with or without `+`, mainland numbers with or without 86.
fn phone(text: &str) -> Option<Phone> {
    let bare = || Phone::parse(&format!("+{text}")).ok();
    Phone::parse(text).ok().or_else(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_are_read_as_gateways_write_them() {
        for (text, number) in [
            ("13800000001", "+8613800000001"),
            ("8613800000001", "+8613800000001"),
            ("+8613800000001", "+8613800000001"),
            ("85291234567", "+85291234567"),
        ] {
            assert_eq!(phone(text).unwrap().as_str(), number);
        }
        assert_eq!(phone("x"), None);
    }

    #[test]
    fn a_request_is_printed_without_its_passcode() {
        let request = SmsRequest {
            method: Method::Post,
            url: Secret::new("https://gateway.example/send?code=123456"),
            headers: vec![("authorization", "hush".to_owned())],
            body: b"123456".to_vec(),
        };
        let text = format!("{request:?}");
        assert!(text.contains("https://gateway.example/send"), "{text}");
        assert!(!text.contains("123456") && !text.contains("hush"), "{text}");
    }
}
