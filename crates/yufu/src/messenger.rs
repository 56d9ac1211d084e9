//! Passcodes of the login backend on their way out: one gateway after the other until one takes
//! it, with the same digits, so that a message that comes late is good too (SMS-09).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use yufu_core::id::Number;
use yufu_core::secret::{Entropy, Secret};
use yufu_core::store::Letter;
use yufu_core::time::{Lifetime, Timestamp};
use yufu_core::user::Phone;
use yufu_dialects::http::Method;
use yufu_dialects::sms::aliyun::{self, Aliyun};
use yufu_dialects::sms::tencent::{self, Tencent};
use yufu_dialects::sms::webhook::{self, Webhook};
use yufu_dialects::sms::{MAX_SMS_BYTES, SmsError, SmsMessage, SmsRequest, SmsSent, Template};
use yufu_web::api::sms::{Messenger, SendFailure};
use yufu_web::clock::{self, Clock};
use yufu_web::fetch::{Fetch, Outgoing};

use crate::config::{Gateway, GatewayKind};
use crate::courier::{self, Delivery};

/// How long a gateway may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// After so many failures in a row a gateway rests.
const FAILURES: u32 = 3;
/// For so long.
const REST: Lifetime = Lifetime::seconds(30);

/// Sends passcodes through gateways.
pub struct Gateways {
    all: Vec<Way>,
    fetch: Arc<dyn Fetch>,
    entropy: Arc<dyn Entropy>,
    clock: Arc<Clock>,
    minutes: u32,
}

/// A gateway, and how it did lately.
struct Way {
    name: String,
    kind: Kind,
    health: Mutex<Health>,
}

enum Kind {
    Aliyun(Box<Aliyun>, BTreeMap<String, Template>),
    Tencent(Box<Tencent>, BTreeMap<String, Template>),
    Webhook(Webhook, Option<String>),
    /// On this machine.
    Here(Delivery),
}

#[derive(Clone, Copy, Default)]
struct Health {
    failures: u32,
    failed_at: Option<Timestamp>,
}

/// Why one gateway took nothing.
enum Miss {
    /// The number had enough of them.
    Limited(String),
    /// Anything else; the next one is asked.
    Failed(String),
}

impl Gateways {
    /// The gateways of the settings, in their order.
    pub fn new(
        gateways: Vec<Gateway>,
        fetch: Arc<dyn Fetch>,
        entropy: Arc<dyn Entropy>,
        clock: Arc<Clock>,
        passcode_life: Lifetime,
    ) -> Self {
        let ways = gateways.into_iter().map(|gateway| {
            let kind = match gateway.kind {
                GatewayKind::Aliyun(account, scenes) => Kind::Aliyun(account, scenes),
                GatewayKind::Tencent(account, scenes) => Kind::Tencent(account, scenes),
                GatewayKind::Webhook { peer, text } => {
                    let (url, secret) = (peer.url, peer.secret);
                    Kind::Webhook(Webhook { url, secret }, text)
                }
                GatewayKind::Console => Kind::Here(Delivery::Stderr),
                GatewayKind::File(path) => Kind::Here(Delivery::File(path)),
            };
            Way::new(gateway.name, kind)
        });
        // Whole minutes, and rounded down: a code must not end before its text says so.
        let minutes = u32::try_from(passcode_life.as_seconds() / 60).unwrap_or(0);
        Self {
            all: ways.collect(),
            fetch,
            entropy,
            clock,
            minutes: minutes.max(1),
        }
    }

    /// With a delivery on this machine as the last resort, or the only one.
    #[must_use]
    pub fn and_here(mut self, name: &str, delivery: Delivery) -> Self {
        self.all
            .push(Way::new(name.to_owned(), Kind::Here(delivery)));
        self
    }

    async fn ask(&self, way: &Way, message: &SmsMessage, id: Number) -> Result<SmsSent, Miss> {
        // The gateways compare with their own clocks: the time that is turned is not theirs.
        let real = clock::real();
        let request = match &way.kind {
            Kind::Here(delivery) => return self.here(delivery, message, id),
            Kind::Aliyun(account, scenes) => {
                let mut account = account.clone();
                if let Some(template) = scenes.get(&message.scene) {
                    account.template = template.clone();
                }
                account.send(message, real, &self.nonce())
            }
            Kind::Tencent(account, scenes) => {
                let mut account = account.clone();
                if let Some(template) = scenes.get(&message.scene) {
                    account.template = template.clone();
                }
                account.send(message, real)
            }
            Kind::Webhook(gateway, text) => {
                let mut message = message.clone();
                message.text = text.as_ref().map(|text| filled(text, &message));
                gateway.send(&message, real)
            }
        };
        let answer = self.fetch.fetch(outgoing(request)).await;
        let answer = answer.map_err(|error| Miss::Failed(format!("{error:?}")))?;
        let read = match &way.kind {
            Kind::Aliyun(..) => aliyun::read_sent(&answer.body),
            Kind::Tencent(..) => tencent::read_sent(&answer.body),
            _ => webhook::read_sent(answer.status, &answer.body, &message.id),
        };
        read.map_err(|error| match error {
            SmsError::Limited(word) => Miss::Limited(word),
            SmsError::Refused(word) => Miss::Failed(word),
            SmsError::Unreadable => Miss::Failed(format!("HTTP {}, unreadable", answer.status)),
        })
    }

    fn here(&self, delivery: &Delivery, message: &SmsMessage, id: Number) -> Result<SmsSent, Miss> {
        let letter = Letter {
            number: id,
            to: message.phone.clone(),
            about: message.scene.clone(),
            passcode: message.code.expose().to_owned(),
            posted_at: self.clock.now(),
        };
        let delivered = courier::deliver(delivery, &letter);
        delivered.map_err(|error| Miss::Failed(error.to_string()))?;
        Ok(SmsSent {
            message_id: message.id.clone(),
        })
    }

    fn nonce(&self) -> String {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        yufu_core::keyring::hex(&bytes)
    }
}

impl Way {
    fn new(name: String, kind: Kind) -> Self {
        Self {
            name,
            kind,
            health: Mutex::default(),
        }
    }

    fn health(&self) -> std::sync::MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rests(&self, now: Timestamp) -> bool {
        let health = *self.health();
        // A failure of the future was one before the clock was turned back.
        let lately = |at: Timestamp| at <= now && now < at.plus(REST);
        health.failures >= FAILURES && health.failed_at.is_some_and(lately)
    }

    fn did(&self, well: bool, now: Timestamp) {
        let mut health = self.health();
        *health = match well {
            true => Health::default(),
            false => Health {
                failures: health.failures.saturating_add(1),
                failed_at: Some(now),
            },
        };
    }
}

fn filled(text: &str, message: &SmsMessage) -> String {
    text.replace("{minutes}", &message.minutes.to_string())
        .replace("{code}", message.code.expose())
}

fn outgoing(request: SmsRequest) -> Outgoing {
    let headers = request.headers.into_iter();
    Outgoing {
        method: match request.method {
            Method::Get => "GET",
            _ => "POST",
        },
        url: request.url,
        headers: headers
            .map(|(name, value)| (name.to_owned(), Secret::new(value)))
            .collect(),
        body: request.body,
        most: MAX_SMS_BYTES,
        patience: PATIENCE,
    }
}

#[async_trait]
impl Messenger for Gateways {
    async fn send(
        &self,
        phone: &Phone,
        scene: &str,
        digits: &Secret,
        id: Number,
    ) -> Result<(), SendFailure> {
        let message = SmsMessage {
            phone: phone.clone(),
            code: digits.clone(),
            scene: scene.to_owned(),
            minutes: self.minutes,
            text: None,
            id: format!("{:016x}", id.0),
        };
        let now = self.clock.now();
        let (resting, fit): (Vec<_>, Vec<_>) = self.all.iter().partition(|way| way.rests(now));
        // Those that rest are asked when nobody else is left: a bad chance is better than none.
        for way in fit.into_iter().chain(resting) {
            let (gateway, message_id) = (&way.name, &message.id);
            match self.ask(way, &message, id).await {
                Ok(sent) => {
                    way.did(true, self.clock.now());
                    let theirs = sent.message_id;
                    tracing::info!(gateway, message_id, theirs, "a passcode was taken");
                    return Ok(());
                }
                Err(Miss::Limited(word)) => {
                    // The next gateway would only annoy the same number more.
                    tracing::warn!(gateway, message_id, word, "the number had enough");
                    return Err(SendFailure::Limited);
                }
                Err(Miss::Failed(word)) => {
                    way.did(false, self.clock.now());
                    tracing::warn!(gateway, message_id, word, "a passcode was not taken");
                }
            }
        }
        tracing::error!("no gateway took a passcode");
        Err(SendFailure::Failed)
    }
}

#[cfg(test)]
mod tests;
