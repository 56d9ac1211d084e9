//! The words of the login backend: what an app's own backend asks, and what it is told.
//!
//! The rules over them are in [`decide`]; the operations are in [`crate::engine`].

pub mod body;
pub mod decide;
pub mod devices;
mod refusal;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use refusal::{Candidate, LoginRefusal, LoginStop, Taken};

use crate::id::{Number, UserId};
use crate::identity::{UpstreamApp, Vouched, VouchedProfile};
use crate::limit::Rate;
use crate::secret::Secret;
use crate::time::{Lifetime, Timestamp};
use crate::user::Phone;

/// What a login transaction is for; one of another purpose never passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Logging in.
    Login,
    /// Linking an identity to the account that is logged in.
    Link,
    /// Proving an identity that is linked, before something that cannot be taken back.
    Reauth,
    /// Deleting the account: a [`Purpose::Reauth`] for that alone.
    Delete,
}

impl Purpose {
    /// All purposes.
    pub const ALL: [Self; 4] = [Self::Login, Self::Link, Self::Reauth, Self::Delete];

    /// The word for it on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Link => "link",
            Self::Reauth => "reauth",
            Self::Delete => "delete",
        }
    }

    /// Reads the word; `None` for any other.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.word() == word)
    }
}

/// How the user meets the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Through the platform's client on the same device, or a mini program.
    App,
    /// By a QR code on a device without the platform's client.
    Qr,
    /// In a browser, with our own callback.
    Web,
}

impl Mode {
    /// All modes.
    pub const ALL: [Self; 3] = [Self::App, Self::Qr, Self::Web];

    /// The word for it on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Qr => "qr",
            Self::Web => "web",
        }
    }

    /// Reads the word; `None` for any other.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.word() == word)
    }
}

/// What a person's device says of itself and proves. Its secret is not printed.
#[derive(Clone, Copy)]
pub struct Device<'a> {
    /// The device secret, as it was presented; `None` when none was.
    pub secret: Option<&'a str>,
    /// The app's own name of the device: a label, it proves nothing.
    pub id: &'a str,
    /// `ios`, `android`, `harmony`, `web`, `mini` or another short word.
    pub platform: &'a str,
    /// The caller's address.
    pub address: &'a str,
}

impl fmt::Debug for Device<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut device = f.debug_struct("Device");
        device.field("proved", &self.secret.is_some());
        device
            .field("id", &self.id)
            .field("platform", &self.platform);
        device.field("address", &self.address).finish()
    }
}

/// A key by which a caller asks for the same answer again.
#[derive(Clone, Copy, Debug)]
pub struct Idempotency<'a>(pub Option<&'a str>);

/// The settings of the login backend.
#[derive(Clone, Debug)]
pub struct LoginSettings {
    /// Our apps at upstreams.
    pub apps: Vec<UpstreamApp>,
    /// Whether somebody unknown must bind a phone number before there is an account (LGN-01), or
    /// may do so later (LGN-02).
    pub bind_policy: BindPolicy,
    /// Whether an account found by the phone number is linked only after the user confirmed it.
    pub merge_policy: MergePolicy,
    /// The version of the terms that must have been accepted; `None` when any word will do.
    pub consent_version: Option<String>,
    /// How long a login transaction lives.
    pub transaction_life: Lifetime,
    /// How long a `bind_ticket` and its siblings live.
    pub ticket_life: Lifetime,
    /// How long a proof (a passcode, an upstream login) counts as fresh.
    pub proof_life: Lifetime,
    /// How long a first answer is said again to the same idempotency key at login.
    pub replay_life: Lifetime,
    /// After how long an exchange that nobody finished is taken over.
    pub exchange_patience: Lifetime,
    /// How long a session's access token lives.
    pub access_life: Lifetime,
    /// How long a refresh token lives without use.
    pub refresh_idle: Lifetime,
    /// How long a session lives at most.
    pub session_absolute: Lifetime,
    /// How long a rotated refresh token is still answered with the pair that replaced it.
    pub refresh_grace: Lifetime,
    /// Who else may be logged in.
    pub device_policy: DevicePolicy,
    /// Who yields when the policy allows no more.
    pub yields: Yields,
    /// The most sessions of one user.
    pub session_limit: u32,
    /// Whether every call of a session must prove the device, not only login, bind and refresh.
    pub device_on_every_call: bool,
    /// How long a request to delete an account can be taken back.
    pub deletion_delay: Lifetime,
    /// How long until a WeChat login that cannot be proved any more may be replaced.
    pub replace_delay: Lifetime,
    /// How long a merge can be undone.
    pub merge_undo: Lifetime,
    /// How long a number may be silent before its owner is asked whether it is still theirs.
    pub recycle_after: Lifetime,
    /// Whether clients may see the upstream's access token, and log in again with it.
    pub expose_upstream_token: bool,
    /// Whether a stored upstream token is checked at `relogin`.
    pub verify_upstream: VerifyUpstream,
    /// How long an upstream that cannot be asked is taken to say what it said last.
    pub upstream_trust: Lifetime,
    /// How long a passcode lives.
    pub passcode_life: Lifetime,
    /// How long until another passcode is sent to the same number.
    pub passcode_resend: Lifetime,
    /// How often a passcode may be tried.
    pub passcode_attempts: u32,
    /// Passcodes to one number within an hour.
    pub passcodes_hourly: u32,
    /// Passcodes to one number within 24 hours.
    pub passcodes_daily: u32,
    /// Passcodes per address before a captcha is asked for.
    pub address_passcodes: Rate,
    /// Passcodes per network (/24 or /64) before a captcha is asked for.
    pub network_passcodes: Rate,
    /// Passcodes per device before a captcha is asked for.
    pub device_passcodes: Rate,
    /// Passcodes per country other than the first of [`LoginSettings::countries`].
    pub country_passcodes: Rate,
    /// All passcodes: the budget against toll fraud.
    pub all_passcodes: Rate,
    /// Calling codes that passcodes are sent to, such as `86`; empty for all.
    pub countries: Vec<String>,
    /// Numbers whose passcode is always the given one. Refused by `serve`.
    pub test_numbers: Vec<(Phone, Secret)>,
    /// Failed logins (wrong codes, forged codes) per address.
    pub address_failures: Rate,
    /// Transactions begun per address: each leaves a row.
    pub address_transactions: Rate,
    /// The names of the webhooks that hear of everything.
    pub webhooks: Vec<String>,
}

/// Whether a phone number must be bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BindPolicy {
    /// Before there is an account.
    PhoneRequired,
    /// At leisure.
    Optional,
}

/// How an account found by its phone number is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MergePolicy {
    /// After the user said so.
    Confirm,
    /// At once.
    Auto,
}

/// Who else may be logged in beside a new session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DevicePolicy {
    /// Everybody, up to the limit.
    Concurrent,
    /// One session per platform.
    OnePerPlatform,
    /// Nobody.
    Exclusive,
}

/// Who yields to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Yields {
    /// The old session is replaced.
    Old,
    /// The new login is refused.
    New,
}

/// When a stored upstream token is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VerifyUpstream {
    /// Never.
    Never,
    /// At each `relogin`.
    OnRelogin,
    /// At a `relogin` when the last check is this old.
    Every(Lifetime),
}

impl Default for LoginSettings {
    fn default() -> Self {
        let hourly = |n: u32| Rate {
            burst: n,
            each: Lifetime::seconds(3600 / i64::from(n.max(1))),
        };
        Self {
            apps: Vec::new(),
            bind_policy: BindPolicy::PhoneRequired,
            merge_policy: MergePolicy::Confirm,
            consent_version: None,
            transaction_life: Lifetime::minutes(10),
            ticket_life: Lifetime::minutes(10),
            proof_life: Lifetime::minutes(5),
            replay_life: Lifetime::seconds(60),
            exchange_patience: Lifetime::seconds(30),
            access_life: Lifetime::minutes(120),
            refresh_idle: Lifetime::days(30),
            session_absolute: Lifetime::days(90),
            refresh_grace: Lifetime::seconds(10),
            device_policy: DevicePolicy::Concurrent,
            yields: Yields::Old,
            session_limit: 12,
            device_on_every_call: false,
            deletion_delay: Lifetime::days(7),
            replace_delay: Lifetime::days(3),
            merge_undo: Lifetime::days(7),
            recycle_after: Lifetime::days(180),
            expose_upstream_token: false,
            verify_upstream: VerifyUpstream::Never,
            upstream_trust: Lifetime::days(1),
            passcode_life: Lifetime::minutes(5),
            passcode_resend: Lifetime::seconds(60),
            passcode_attempts: 5,
            passcodes_hourly: 5,
            passcodes_daily: 10,
            address_passcodes: hourly(20),
            network_passcodes: hourly(60),
            device_passcodes: hourly(5),
            country_passcodes: hourly(60),
            all_passcodes: hourly(3600),
            countries: vec!["86".to_owned()],
            test_numbers: Vec::new(),
            address_failures: Rate {
                burst: 50,
                each: Lifetime::seconds(10),
            },
            address_transactions: Rate {
                burst: 200,
                each: Lifetime::seconds(1),
            },
            webhooks: Vec::new(),
        }
    }
}

/// A login transaction that was begun.
#[derive(Debug)]
pub struct Prepared {
    /// The state: it goes to the upstream and comes back with the code.
    pub state: Secret,
    /// The app that the user is sent to.
    pub app: UpstreamApp,
    /// How the user goes there.
    pub mode: Mode,
    /// How long the state is good for.
    pub life: Lifetime,
    /// The device's new secret, when it proved none.
    pub device_secret: Option<Secret>,
}

/// A session's secrets, as they go to the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionPair {
    /// The session token: opaque, sent with each call.
    #[serde(with = "clear")]
    pub token: Secret,
    /// The refresh token: it pays for the next pair, once.
    #[serde(with = "clear")]
    pub refresh_token: Secret,
    /// How long the session token lives.
    pub expires_in: Lifetime,
}

/// Somebody who is logged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedIn {
    /// The session.
    pub pair: SessionPair,
    /// Who.
    pub user: UserId,
    /// Whether a phone number is bound.
    pub is_bind: bool,
    /// The name and picture, when the upstream told them at this login.
    pub profile: Option<VouchedProfile>,
    /// The upstream's access token, where that is allowed.
    #[serde(default, with = "clear_option")]
    pub upstream_token: Option<Secret>,
    /// Whether the upstream could not be asked and its last word counts (REL-06).
    #[serde(default)]
    pub upstream_unverified: bool,
}

/// What a login came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginAnswer {
    /// Logged in.
    Bound(LoggedIn),
    /// A phone number must be bound first.
    Unbound {
        /// What proves the upstream login until then.
        #[serde(with = "clear")]
        bind_ticket: Secret,
        /// The name and picture to greet with.
        profile: Option<VouchedProfile>,
        /// The upstream's access token, where that is allowed.
        #[serde(default, with = "clear_option")]
        upstream_token: Option<Secret>,
    },
}

/// Somebody who called with a session token that is good.
#[derive(Clone, Debug)]
pub struct Authenticated {
    /// The session.
    pub session: Number,
    /// Who.
    pub user: UserId,
    /// Whether a phone number is bound.
    pub is_bind: bool,
    /// When the session token ends.
    pub expires_at: Timestamp,
    /// Which device and platform it was given to.
    pub device_id: String,
    /// Which device and platform it was given to.
    pub platform: String,
    /// When the user last proved themselves in this session.
    pub authenticated_at: Timestamp,
}

/// What an upstream gave for a code, read and checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Exchanged {
    /// Who it is, by the upstream's word.
    pub vouched: Vouched,
    /// The upstream's tokens.
    pub tokens: body::VaultTokens,
    /// How long its access token lives.
    pub access_life: Lifetime,
    /// How long its refresh token lives; zero when there is none.
    pub refresh_life: Lifetime,
    /// Whether the profile could not be read now and is to be read later (UPS-11).
    pub profile_due: bool,
}

/// Why an upstream gave nothing for a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExchangeFailure {
    /// The code was certainly not spent: nobody was reached, or the upstream said that it is busy.
    /// The same code may be sent again.
    Unspent {
        /// How long to wait.
        retry_after: Lifetime,
    },
    /// The upstream does not know the code (any more).
    CodeInvalid,
    /// The code was used before.
    CodeUsed,
    /// An answer was lost, and the next try heard that the code was used: by ourselves (UPS-02).
    Lost,
    /// We are set up wrongly there.
    Misconfigured,
    /// The answer cannot be believed; what it was, with secrets masked, for the audit.
    Unreadable(String),
    /// The upstream restricts this user.
    Restricted,
    /// Our app may not do this there.
    ScopeMissing,
}

/// Secrets inside answers that are kept sealed: written in clear there and nowhere else.
pub(crate) mod clear {
    use super::Secret;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(secret: &Secret, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(secret.expose())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
        String::deserialize(from).map(Secret::new)
    }
}

/// As [`clear`], for secrets that may be absent.
pub(crate) mod clear_option {
    use super::Secret;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        secret: &Option<Secret>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match secret {
            Some(secret) => to.serialize_some(secret.expose()),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Secret>, D::Error> {
        Option::<String>::deserialize(from).map(|text| text.map(Secret::new))
    }
}
