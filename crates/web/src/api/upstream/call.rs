//! One call: whether it is made, what comes back, and what the breaker learns from it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use yufu_core::breaker::{Breaker, BreakerSettings, Outcome};
use yufu_core::time::{Lifetime, Timestamp};
use yufu_dialects::http::Method;
use yufu_dialects::wechat::call::{Call, CallError, MAX_ANSWER_BYTES, Reason};

use super::alert::AlertKind;
use super::mask::mask;
use super::{Now, UpstreamAccess, Upstreams};
use crate::fetch::{FetchError, Incoming, Outgoing};

/// An app with the state of its calls.
pub(super) struct Gate {
    pub(super) access: UpstreamAccess,
    breakers: Mutex<[Breaker; Asked::COUNT]>,
    /// Whether somebody was already told that it is set up wrongly.
    told: AtomicBool,
}

/// The calls; each has its own quota at the platform.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asked {
    Exchange,
    Profile,
    Check,
    Refresh,
}

impl Asked {
    const COUNT: usize = 4;

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Exchange => "exchange",
            Self::Profile => "profile",
            Self::Check => "check",
            Self::Refresh => "refresh",
        }
    }
}

/// Why a call brought nothing.
pub(super) enum Miss {
    /// It was not made, or is not to be made again so soon: a quota, or an open breaker.
    Shut(Lifetime),
    /// The address is none that may be called.
    Forbidden,
    /// Nobody was reached.
    Unreachable,
    /// It was sent, and nobody knows what became of it.
    Lost,
    /// The upstream said that it is busy.
    Busy,
    /// The upstream refused; its code, and its message without secrets.
    Refused(i64, String),
    /// The answer is none; why, and what it was without secrets.
    Unreadable(Option<Reason>, String),
}

/// One call, ready to be made as often as needed.
pub(super) struct Asking<'a, T> {
    pub(super) gate: &'a Gate,
    pub(super) asked: Asked,
    pub(super) call: Call,
    pub(super) read: fn(&[u8]) -> Result<T, CallError>,
    /// What must not show in any log, besides the app's secret.
    pub(super) hide: &'a [&'a str],
}

impl Upstreams {
    /// Makes one call, if the breaker lets it, and tells the breaker what it came to.
    pub(super) async fn ask<T>(
        &self,
        asking: &Asking<'_, T>,
        patience: Duration,
        now: Now<'_>,
    ) -> Result<T, Miss> {
        let (gate, asked) = (asking.gate, asking.asked);
        let admitted = gate.with(asked, |breaker| breaker.admit(now()));
        admitted.map_err(Miss::Shut)?;
        let request = Outgoing {
            method: match asking.call.method {
                Method::Get => "GET",
                Method::Post => "POST",
            },
            url: asking.call.url.clone(),
            headers: Vec::new(),
            body: Vec::new(),
            most: MAX_ANSWER_BYTES,
            patience,
        };
        let (outcome, heard) = match self.fetch.fetch(request).await {
            Ok(incoming) => asking.understand(&incoming),
            // Nobody is spared by not asking again, and the reason would be hidden.
            Err(FetchError::Forbidden) => (Outcome::Answered, Err(Miss::Forbidden)),
            Err(error) => (Outcome::Failed, Err(missed(error))),
        };
        let at = now();
        let (opened, wait) = gate.with(asked, |breaker| {
            let opened = breaker.record(outcome, at);
            let shut = matches!(outcome, Outcome::MinuteQuota | Outcome::DailyQuota);
            (opened, shut.then(|| breaker.admit(at).err()).flatten())
        });
        if opened {
            let why = match outcome {
                Outcome::MinuteQuota => "this minute's quota is used up",
                Outcome::DailyQuota => "this day's quota is used up",
                Outcome::Answered | Outcome::Failed => "it fails again and again",
            };
            let detail = format!("{}: {why}", asked.word());
            self.alerts
                .raise(gate.name(), AlertKind::Degraded, detail, at);
        }
        let heard = match (heard, wait) {
            (Err(_), Some(wait)) => Err(Miss::Shut(wait)),
            (heard, _) => heard,
        };
        if let Err(miss) = &heard {
            tracing::info!(
                app = gate.name(),
                call = asked.word(),
                why = miss.word(),
                "an upstream"
            );
        }
        heard
    }
}

impl Gate {
    pub(super) fn new(access: UpstreamAccess, settings: BreakerSettings) -> Self {
        Self {
            access,
            breakers: Mutex::new([Breaker::new(settings); Asked::COUNT]),
            told: AtomicBool::new(false),
        }
    }

    /// As if nothing had ever failed.
    pub(super) fn forget(&self, settings: BreakerSettings) {
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        *breakers = [Breaker::new(settings); Asked::COUNT];
        self.mended();
    }

    /// The name of the app.
    pub(super) fn name(&self) -> &str {
        &self.access.app.name
    }

    /// Whether nobody was told yet that it is set up wrongly; from now on somebody was.
    pub(super) fn tell(&self) -> bool {
        !self.told.swap(true, Ordering::Relaxed)
    }

    /// It is set up rightly.
    pub(super) fn mended(&self) {
        self.told.store(false, Ordering::Relaxed);
    }

    /// Whether a call is not made at this moment.
    pub(super) fn is_shut(&self, asked: Asked, now: Timestamp) -> bool {
        self.with(asked, |breaker| breaker.is_open(now))
    }

    fn with<T>(&self, asked: Asked, act: impl FnOnce(&mut Breaker) -> T) -> T {
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut breakers[asked as usize])
    }
}

impl<T> Asking<'_, T> {
    /// Reads an answer by its content; the status counts only where there is none (UPS-07).
    fn understand(&self, incoming: &Incoming) -> (Outcome, Result<T, Miss>) {
        let reason = match (self.read)(&incoming.body) {
            Ok(answer) => return (Outcome::Answered, Ok(answer)),
            Err(CallError::Busy) => return (Outcome::Failed, Err(Miss::Busy)),
            Err(CallError::Refused { code, message }) => {
                let outcome = match code {
                    45011 => Outcome::MinuteQuota,
                    45009 => Outcome::DailyQuota,
                    _ => Outcome::Answered,
                };
                let message = self.mask(message.as_bytes());
                return (outcome, Err(Miss::Refused(code, message)));
            }
            Err(CallError::Unreadable(reason)) => reason,
        };
        match incoming.status {
            429 => (Outcome::MinuteQuota, Err(Miss::Busy)),
            // Somebody in front waited in vain for somebody who may have spent the code.
            504 => (Outcome::Failed, Err(Miss::Lost)),
            500.. => (Outcome::Failed, Err(Miss::Busy)),
            _ => {
                let text = self.mask(&incoming.body);
                (Outcome::Failed, Err(Miss::Unreadable(Some(reason), text)))
            }
        }
    }

    fn mask(&self, text: &[u8]) -> String {
        let mut hide = vec![self.gate.access.upstream.secret.expose()];
        hide.extend_from_slice(self.hide);
        mask(text, &hide)
    }
}

impl Miss {
    /// For logs.
    fn word(&self) -> String {
        match self {
            Self::Shut(wait) => format!("not called for {} ms", wait.millis()),
            Self::Forbidden => "forbidden".to_owned(),
            Self::Unreachable => "unreachable".to_owned(),
            Self::Lost => "lost".to_owned(),
            Self::Busy => "busy".to_owned(),
            Self::Refused(code, message) => format!("errcode {code}: {message}"),
            Self::Unreadable(reason, _) => match reason {
                Some(reason) => format!("unreadable: {reason:?}"),
                None => "unreadable: too large".to_owned(),
            },
        }
    }
}

fn missed(error: FetchError) -> Miss {
    match error {
        FetchError::Forbidden => Miss::Forbidden,
        FetchError::Unreachable => Miss::Unreachable,
        FetchError::Lost => Miss::Lost,
        FetchError::TooLarge => {
            let text = format!("more than {MAX_ANSWER_BYTES} bytes");
            Miss::Unreadable(None, text)
        }
    }
}
