//! What the tickets of the login backend carry. As all bodies they are JSON: fields may be added
//! with a default, and the bytes of every past shape must still load.

use serde::{Deserialize, Serialize};

use crate::id::{Number, UserId};
use crate::identity::{Identity, IdentityKey, Vouched};
use crate::secret::SecretHash;
use crate::ticket::{Body, Kind};
use crate::time::Timestamp;
use crate::user::Phone;

use super::{Mode, Purpose};

/// Bytes under a key that only the caller's own secret yields, as base64url: 12 bytes of nonce,
/// then the AES-256-GCM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(pub String);

/// A login at an upstream between its beginning and its end. Of a link or a proof, the ticket's
/// user is the one that was logged in when it began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// What it is for.
    pub purpose: Purpose,
    /// How the user meets the upstream.
    pub mode: Mode,
    /// The name of our app there.
    pub app: String,
    /// The hash of the device's secret: nobody else may go on with it.
    pub device: SecretHash,
    /// The app's own name of the device.
    #[serde(default)]
    pub device_id: String,
    /// The device's platform.
    #[serde(default)]
    pub platform: String,
    /// The version of the terms that was accepted.
    #[serde(default)]
    pub consent: String,
    /// Where the browser goes afterwards, checked when the transaction began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_to: Option<String>,
    /// How far it came.
    pub stage: TransactionStage,
}

/// How far a transaction came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum TransactionStage {
    /// The user is at the upstream.
    Pending,
    /// The code is being paid; whoever comes meanwhile waits for the outcome.
    Exchanging {
        /// The keyed hash of the code.
        code: SecretHash,
        /// The hash of the idempotency key, if there was one.
        key: Option<SecretHash>,
        /// Since when.
        at: Timestamp,
    },
    /// It came to an answer, which is said again for a minute.
    Done {
        /// As in [`TransactionStage::Exchanging`].
        code: SecretHash,
        /// As in [`TransactionStage::Exchanging`].
        key: Option<SecretHash>,
        /// Since when.
        at: Timestamp,
        /// The answer, sealed under the state.
        answer: Sealed,
    },
    /// It was given up by the app: `denied`, `cancelled`, `unsupported`, …
    Closed {
        /// Why, in a word.
        reason: String,
    },
}

/// Proves an upstream login until the user has done what was asked. The ticket's user is the
/// account that it is tied to, if there is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindTicket {
    /// The hash of the device's secret.
    pub device: SecretHash,
    /// The app's own name of the device.
    #[serde(default)]
    pub device_id: String,
    /// The device's platform.
    #[serde(default)]
    pub platform: String,
    /// The version of the terms that was accepted.
    #[serde(default)]
    pub consent: String,
    /// The name of our app at the upstream.
    pub app: String,
    /// What it is good for.
    pub good_for: GoodFor,
    /// A number that was proved with it, and until when that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<(Phone, Timestamp)>,
    /// The account whose other login was proved with it (PHO-07), and until when that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<(UserId, Timestamp)>,
    /// The hash of the idempotency key with which it was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<SecretHash>,
    /// The answer to that use, sealed under the ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Sealed>,
}

/// What a [`BindTicket`] is good for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "good_for", rename_all = "snake_case")]
pub enum GoodFor {
    /// Binding a phone number (`bind_ticket`).
    Binding {
        /// What the upstream told.
        vouched: Vouched,
    },
    /// Choosing between two accounts (`merge_ticket`).
    Choosing {
        /// What the upstream told.
        vouched: Vouched,
        /// Whom the key led to; the candidate `a`.
        by_key: UserId,
        /// Whom the person led to; the candidate `b`.
        by_person: UserId,
    },
    /// Taking a deletion back and logging in (`cancel_ticket`).
    Cancelling {
        /// What the upstream told, if it was an upstream that proved the owner.
        vouched: Option<Vouched>,
    },
}

/// A device that is logged in. Its ticket's user never changes, and it is never spent or revoked:
/// how it ended is part of it, so that the device can be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceSession {
    /// The hash of the device's secret.
    pub device: SecretHash,
    /// The app's own name of the device.
    #[serde(default)]
    pub device_id: String,
    /// The device's platform.
    #[serde(default)]
    pub platform: String,
    /// From which address it began.
    #[serde(default)]
    pub address: String,
    /// The identity that logged in; `None` for a phone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityKey>,
    /// The hash of the session token.
    pub access: SecretHash,
    /// Until when the session token is good.
    pub access_until: Timestamp,
    /// The hash of the refresh token.
    pub refresh: SecretHash,
    /// The hash of the session token before, and until when calls that were under way with it are
    /// still let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_before: Option<(SecretHash, Timestamp)>,
    /// The hash of the refresh token before, and until when it is answered with the present pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<(SecretHash, Timestamp)>,
    /// The end that no use can move.
    pub ends_at: Timestamp,
    /// The user's [`crate::user::User::sessions_from`] when it began, or was kept.
    pub from: Timestamp,
    /// When it began.
    pub began_at: Timestamp,
    /// When it was last refreshed.
    pub seen_at: Timestamp,
    /// When the user last proved the phone number in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_proved_at: Option<Timestamp>,
    /// When the user last proved an upstream identity in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_proved_at: Option<Timestamp>,
    /// Whether the upstream wants to see the user first (REL-04); a new login there ends this.
    #[serde(default)]
    pub suspended: bool,
    /// How it ended; `None` while it lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// By what.
    pub by: Ending,
    /// When.
    pub at: Timestamp,
    /// The device that took its place, when one did.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub device: String,
}

/// By what a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The user logged out there.
    LoggedOut,
    /// Somebody logged in elsewhere.
    Replaced,
    /// The user, the operator or a change of the account ended it from elsewhere.
    Kicked,
    /// A refresh token was used twice.
    Reused,
    /// Its token came with another device's secret.
    Stolen,
}

/// The upstream tokens of an identity. The row is found by the identity; it ends with the refresh
/// token, or with the `bind_ticket` while nobody owns the identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vault {
    /// The version of the keys it is encrypted under.
    pub key: u8,
    /// Nonce and AES-256-GCM of the [`VaultTokens`], bound to the identity; empty when erased.
    pub sealed: Sealed,
    /// Until when the access token is good.
    pub access_until: Timestamp,
    /// Until when the refresh token is good.
    pub refresh_until: Timestamp,
    /// When the upstream last vouched for them.
    pub verified_at: Timestamp,
    /// The identity, so that all vaults can be walked.
    pub identity: IdentityKey,
}

/// What is encrypted in a [`Vault`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultTokens {
    /// The access token; of a mini program the session key.
    #[serde(with = "super::clear")]
    pub access: crate::secret::Secret,
    /// The refresh token.
    #[serde(default, with = "super::clear_option")]
    pub refresh: Option<crate::secret::Secret>,
}

/// An upstream token that a device was shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Whose.
    pub identity: IdentityKey,
    /// The hash of the secret of the device that it was shown to.
    pub device: SecretHash,
    /// When. What ended all sessions since ended this too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_at: Option<Timestamp>,
}

/// An upstream code that was sent to the upstream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// By which transaction.
    pub transaction: Number,
}

/// An answer that is said again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The answer, sealed under the caller's secret and the idempotency key.
    pub sealed: Sealed,
    /// The hash of the request's words: another request under the same key is refused.
    pub request: SecretHash,
}

/// An account whose deletion was asked for; the ticket's user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// Why: `user` or `upstream` (DEL-05).
    pub by: String,
}

/// A profile that is to be read again at the upstream, or tokens to be checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sync {
    /// Whose.
    pub identity: IdentityKey,
    /// How often it was tried.
    #[serde(default)]
    pub attempts: u32,
}

/// Two accounts that were merged; the ticket's user is the one that stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merge {
    /// The account that was emptied.
    pub from: UserId,
    /// The identities that moved.
    pub identities: Vec<Identity>,
    /// The number that moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
    /// When.
    pub at: Timestamp,
    /// By whom: `user` or `operator`.
    pub by: String,
    /// Whether it was undone.
    #[serde(default)]
    pub undone: bool,
}

/// When passcodes were sent to a number, oldest first: those of the last 24 hours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sends {
    /// The times.
    pub at: Vec<Timestamp>,
}

macro_rules! bodies {
    ($($body:ident => $kind:ident),* $(,)?) => {
        $(impl Body for $body { const KIND: Kind = Kind::$kind; })*
    };
}

bodies! {
    Transaction => Transaction,
    BindTicket => Bind,
    DeviceSession => Device,
    Vault => Vault,
    Shown => Shown,
    Spent => Spent,
    Answer => Answer,
    Erasure => Erasure,
    Sync => Sync,
    Merge => Merge,
    Sends => Sends,
}
