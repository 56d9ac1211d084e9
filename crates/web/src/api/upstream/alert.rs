//! What somebody should look at, kept until it is taken, so that each becomes one audit event.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use yufu_core::time::Timestamp;

/// The most alerts that wait for somebody to take them.
const MOST: usize = 100;

/// Something about an upstream that somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The name of our app there.
    pub app: String,
    /// What it is about.
    pub kind: AlertKind,
    /// In words; without secrets.
    pub detail: String,
    /// When.
    pub at: Timestamp,
}

/// What an [`Alert`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AlertKind {
    /// The upstream is not called for a while: out of reach, or a quota is used up. Raised when it
    /// begins (UPS-05).
    Degraded,
    /// The upstream refuses us, not a user: name, secret, address list. Raised when it begins, and
    /// again only after a good exchange (UPS-10).
    Misconfigured,
    /// Two answers contradict each other about who somebody is (UPS-08).
    Mismatch,
}

impl AlertKind {
    /// The word for it in logs and audit events.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Degraded => "degraded",
            Self::Misconfigured => "misconfigured",
            Self::Mismatch => "mismatch",
        }
    }
}

/// The alerts that nobody has taken yet.
#[derive(Debug, Default)]
pub(super) struct Alerts(Mutex<VecDeque<Alert>>);

impl Alerts {
    /// Logs an alert and keeps it. When nobody takes them, the first ones stay: they tell how it
    /// began.
    pub(super) fn raise(&self, app: &str, kind: AlertKind, detail: String, at: Timestamp) {
        tracing::warn!(app, kind = kind.word(), detail, "an upstream needs a look");
        let mut alerts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if alerts.len() < MOST {
            alerts.push_back(Alert {
                app: app.to_owned(),
                kind,
                detail,
                at,
            });
        }
    }

    /// All of them, oldest first.
    pub(super) fn take(&self) -> Vec<Alert> {
        let mut alerts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        alerts.drain(..).collect()
    }
}
