//! Others that the login backend may ask: carriers and captchas. The wiring has who speaks to them.

use async_trait::async_trait;
use yufu_core::time::Timestamp;
use yufu_core::user::Phone;

/// Why a carrier told no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CarrierFailure {
    /// The token is invalid, over or used.
    Invalid,
    /// The carrier could not be asked.
    Failed,
}

/// Tells whose number a one-tap token is of. A token is good once.
#[async_trait]
pub trait CarrierProof: Send + Sync {
    /// The number.
    async fn phone_of(&self, token: &str) -> Result<Phone, CarrierFailure>;
}

/// Tells whether carriers gave a number to somebody else.
#[async_trait]
pub trait NumberHistory: Send + Sync {
    /// Whether it has a new owner since then; `None` when nobody knows.
    async fn reissued(&self, phone: &Phone, since: Timestamp) -> Option<bool>;
}

/// Tells people from programs.
#[async_trait]
pub trait Captcha: Send + Sync {
    /// Whether the answer that came from this address is right; an answer is good once.
    async fn passed(&self, response: &str, address: &str) -> bool;
}
