//! The port to whoever sends passcodes.

use async_trait::async_trait;
use yufu_core::id::Number;
use yufu_core::secret::Secret;
use yufu_core::user::Phone;

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SendFailure {
    /// The number had enough of them, says the gateway.
    Limited,
    /// No gateway took it.
    Failed,
}

/// Sends passcodes.
#[async_trait]
pub trait Messenger: Send + Sync {
    /// Has a passcode sent; `id` is our own number of the message.
    async fn send(
        &self,
        phone: &Phone,
        scene: &str,
        digits: &Secret,
        id: Number,
    ) -> Result<(), SendFailure>;
}
