//! Servers of the operator's that are asked: for the number behind a carrier's one-tap token,
//! whether a number has a new owner, whether a captcha was solved. And what stands in for them
//! while somebody develops.
//!
//! Each is a POST of JSON. `x-yufu-timestamp` has the second, and `x-yufu-signature` says `sha256=`
//! and the hex HMAC-SHA256 of the timestamp, a full stop and the body, under the shared secret:
//! as for an SMS gateway of the operator's own.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::hmac;
use serde_json::{Value, json};
use yufu_core::secret::Secret;
use yufu_core::time::Timestamp;
use yufu_core::user::Phone;
use yufu_dialects::sms::webhook::{SIGNATURE_HEADER, TIMESTAMP_HEADER};
use yufu_web::api::ports::{Captcha, CarrierFailure, CarrierProof, NumberHistory};
use yufu_web::clock::{self, Clock};
use yufu_web::fetch::{Fetch, Outgoing};

use crate::config::Peer;

/// How long somebody who is asked may take: a person waits.
const PATIENCE: Duration = Duration::from_secs(3);
/// The most bytes of an answer.
const MOST: usize = 16 * 1024;

/// Somebody who is asked.
pub struct Asked {
    peer: Peer,
    fetch: Arc<dyn Fetch>,
}

/// What came of asking.
enum Heard {
    Said(Value),
    /// A 4xx: the question is none, says the other side.
    Refused,
    Nothing,
}

impl Asked {
    /// Somebody who is asked over `fetch`.
    pub fn new(peer: Peer, fetch: Arc<dyn Fetch>) -> Self {
        Self { peer, fetch }
    }

    async fn ask(&self, what: &'static str, question: &Value) -> Heard {
        let body = question.to_string().into_bytes();
        let timestamp = clock::real().seconds().to_string();
        let signature = signature(&self.peer.secret, &timestamp, &body);
        let header = |name: &str, value: &str| (name.to_owned(), Secret::new(value));
        let request = Outgoing {
            method: "POST",
            url: self.peer.url.clone(),
            headers: vec![
                header("content-type", "application/json"),
                header(TIMESTAMP_HEADER, &timestamp),
                header(SIGNATURE_HEADER, &signature),
            ],
            body,
            most: MOST,
            patience: PATIENCE,
        };
        let heard = match self.fetch.fetch(request).await {
            Ok(answer) => match (answer.status, serde_json::from_slice(&answer.body)) {
                (200..=299, Ok(said)) => return Heard::Said(said),
                (400..=499, _) => Heard::Refused,
                _ => Heard::Nothing,
            },
            Err(_) => Heard::Nothing,
        };
        if matches!(heard, Heard::Nothing) {
            tracing::error!(what, "no answer that says anything");
        }
        heard
    }
}

fn signature(secret: &Secret, timestamp: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(timestamp.as_bytes());
    context.update(b".");
    context.update(body);
    let tag = context.sign();
    format!("sha256={}", yufu_core::keyring::hex(tag.as_ref()))
}

#[async_trait]
impl CarrierProof for Asked {
    async fn phone_of(&self, token: &str) -> Result<Phone, CarrierFailure> {
        match self.ask("carrier", &json!({ "token": token })).await {
            Heard::Said(said) => {
                let phone = said.get("phone").and_then(Value::as_str);
                let phone = phone.and_then(|phone| Phone::parse(phone).ok());
                phone.ok_or(CarrierFailure::Failed)
            }
            Heard::Refused => Err(CarrierFailure::Invalid),
            Heard::Nothing => Err(CarrierFailure::Failed),
        }
    }
}

#[async_trait]
impl NumberHistory for Asked {
    async fn reissued(&self, phone: &Phone, since: Timestamp) -> Option<bool> {
        let question = json!({"phone": phone.as_str(), "since": since.seconds()});
        match self.ask("number history", &question).await {
            Heard::Said(said) => said.get("reissued")?.as_bool(),
            Heard::Refused | Heard::Nothing => None,
        }
    }
}

#[async_trait]
impl Captcha for Asked {
    /// No when nobody can be asked: a captcha is asked for where somebody sends too much already.
    async fn passed(&self, response: &str, address: &str) -> bool {
        let question = json!({"response": response, "address": address});
        match self.ask("captcha", &question).await {
            Heard::Said(said) => said.get("success") == Some(&Value::Bool(true)),
            Heard::Refused | Heard::Nothing => false,
        }
    }
}

// --- while somebody develops ----------------------------------------------------------------------

/// Stands in for all of them. A carrier's token is `carrier:<phone>`, or `carrier:<phone>:<mark>`
/// for several of one number, or `carrier:<phone>:<mark>:<second>` with its end; each is good once.
/// Numbers that end in 0404 have a new owner. A captcha's answer is `pass`.
pub struct Emulator {
    clock: Arc<Clock>,
    used: Mutex<BTreeSet<String>>,
}

impl Emulator {
    /// A new one, to which no token was shown yet.
    pub fn new(clock: Arc<Clock>) -> Self {
        Self {
            clock,
            used: Mutex::default(),
        }
    }

    /// Forgets which tokens were used.
    pub fn forget(&self) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.clear();
    }
}

#[async_trait]
impl CarrierProof for Emulator {
    async fn phone_of(&self, token: &str) -> Result<Phone, CarrierFailure> {
        let mut parts = token.split(':');
        let (scheme, phone) = (parts.next(), parts.next().unwrap_or_default());
        let phone = Phone::parse(phone)
            .ok()
            .filter(|_| scheme == Some("carrier"));
        let phone = phone.ok_or(CarrierFailure::Invalid)?;
        let end = parts.nth(1).map(str::parse);
        let lives = match end {
            None => true,
            Some(Ok(end)) => self.clock.now() < Timestamp::from_seconds(end),
            Some(Err(_)) => false,
        };
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        match lives && used.insert(token.to_owned()) {
            true => Ok(phone),
            false => Err(CarrierFailure::Invalid),
        }
    }
}

#[async_trait]
impl NumberHistory for Emulator {
    async fn reissued(&self, phone: &Phone, _since: Timestamp) -> Option<bool> {
        Some(phone.as_str().ends_with("0404"))
    }
}

#[async_trait]
impl Captcha for Emulator {
    async fn passed(&self, response: &str, _address: &str) -> bool {
        response == "pass"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use yufu_dialects::sms::webhook::is_signed;
    use yufu_web::fetch::{FetchError, Incoming};

    const SECRET: &str = "a secret of 24 characters";

    /// Says one thing, once it is sure who asks.
    struct Always(Result<(u16, &'static str), FetchError>);

    #[async_trait]
    impl Fetch for Always {
        async fn fetch(&self, request: Outgoing) -> Result<Incoming, FetchError> {
            let header = |name: &str| {
                let mut headers = request.headers.iter();
                headers.find(|(known, _)| known == name).unwrap().1.clone()
            };
            assert!(is_signed(
                &Secret::new(SECRET),
                header(TIMESTAMP_HEADER).expose(),
                header(SIGNATURE_HEADER).expose(),
                &request.body,
                clock::real(),
            ));
            self.0.map(|(status, body)| Incoming {
                status,
                body: body.as_bytes().to_vec(),
            })
        }
    }

    fn asked(answer: Result<(u16, &'static str), FetchError>) -> Asked {
        let peer = Peer {
            url: Secret::new("https://peer.example/"),
            secret: Secret::new(SECRET),
        };
        Asked::new(peer, Arc::new(Always(answer)))
    }

    #[tokio::test]
    async fn a_carrier_tells_a_number_or_why_not() {
        let phone = Phone::parse("+8613800000001").unwrap();
        for (answer, expected) in [
            (Ok((200, "{\"phone\":\"+8613800000001\"}")), Ok(phone)),
            (
                Ok((200, "{\"phone\":\"none\"}")),
                Err(CarrierFailure::Failed),
            ),
            (Ok((200, "nonsense")), Err(CarrierFailure::Failed)),
            (Ok((404, "")), Err(CarrierFailure::Invalid)),
            (Ok((500, "")), Err(CarrierFailure::Failed)),
            (Err(FetchError::Lost), Err(CarrierFailure::Failed)),
        ] {
            assert_eq!(
                asked(answer).phone_of("token").await,
                expected,
                "{answer:?}"
            );
        }
    }

    #[tokio::test]
    async fn who_cannot_be_asked_says_nothing() {
        let phone = Phone::parse("+8613800000001").unwrap();
        for (answer, reissued, passed) in [
            (
                Ok((200, "{\"reissued\":true,\"success\":true}")),
                Some(true),
                true,
            ),
            (
                Ok((200, "{\"reissued\":false,\"success\":false}")),
                Some(false),
                false,
            ),
            (
                Ok((200, "{\"reissued\":1,\"success\":\"true\"}")),
                None,
                false,
            ),
            (Ok((503, "{}")), None, false),
            (Err(FetchError::Unreachable), None, false),
        ] {
            let asked = asked(answer);
            let since = Timestamp::from_seconds(0);
            assert_eq!(asked.reissued(&phone, since).await, reissued, "{answer:?}");
            assert_eq!(asked.passed("x", "192.0.2.1").await, passed, "{answer:?}");
        }
    }

    #[tokio::test]
    async fn an_emulated_token_is_good_once_and_until_its_end() {
        let clock = Arc::new(Clock::default());
        let emulator = Emulator::new(clock.clone());
        let end = clock.now().seconds() + 60;
        for (token, good) in [
            ("carrier:+8613800000001".to_owned(), true),
            ("carrier:+8613800000001".to_owned(), false),
            ("carrier:+8613800000001:again".to_owned(), true),
            (format!("carrier:+8613800000001:a:{end}"), true),
            (format!("carrier:+8613800000001:b:{}", end - 61), false),
            ("carrier:+8613800000001:b:soon".to_owned(), false),
            ("carrier:x".to_owned(), false),
            ("+8613800000001".to_owned(), false),
        ] {
            assert_eq!(emulator.phone_of(&token).await.is_ok(), good, "{token}");
        }
        let new = Phone::parse("+8613800000404").unwrap();
        let old = Phone::parse("+8613800000405").unwrap();
        assert_eq!(emulator.reissued(&new, clock.now()).await, Some(true));
        assert_eq!(emulator.reissued(&old, clock.now()).await, Some(false));
        assert!(emulator.passed("pass", "").await && !emulator.passed("x", "").await);
    }
}
