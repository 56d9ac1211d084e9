//! Tickets: one shape for everything that is secret, expires, and may be spent or revoked.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::id::{ClientId, GrantId, Number, UserId};
use crate::keyring::Presented;
use crate::message::{Challenge, Channel};
use crate::redirect::ReturnPath;
use crate::refusal::{Fault, Refusal};
use crate::scope::Scopes;
use crate::secret::SecretHash;
use crate::time::{Lifetime, Timestamp};

/// What a ticket is for. The numbers are kept in databases and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Kind {
    /// An authorization between its request and its answer.
    Interaction = 1,
    /// A signed-in browser.
    Session = 2,
    /// A QR code waiting for a phone.
    Scan = 3,
    /// A code sent to a phone number.
    Passcode = 4,
    /// An authorization code.
    Code = 5,
    /// An access token.
    Access = 6,
    /// A refresh token.
    Refresh = 7,
    /// The nonce of a signed request: its existence is the refusal of the next.
    Nonce = 8,
    /// A client's standing with the platform: its latest own token and signing ticket.
    Platform = 9,
    /// A login at an upstream between its beginning and its end: its secret is the `state`.
    Transaction = 10,
    /// Proves an upstream login until a phone number is bound, or a choice made.
    Bind = 11,
    /// A device that is logged in at the login backend: its secrets are session and refresh token.
    Device = 12,
    /// The upstream tokens of an identity, encrypted.
    Vault = 13,
    /// An upstream token that a device was shown, by its keyed hash.
    Shown = 14,
    /// An upstream code that was sent to the upstream: its existence is the refusal of the next.
    Spent = 15,
    /// An answer that is said again to the same idempotency key, sealed.
    Answer = 16,
    /// An account whose deletion was asked for; due at its end.
    Erasure = 17,
    /// A profile that is to be read again; due at its end.
    Sync = 18,
    /// Two accounts that were merged; final at its end.
    Merge = 19,
    /// When passcodes were sent to a number.
    Sends = 20,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 20] = [
        Self::Interaction,
        Self::Session,
        Self::Scan,
        Self::Passcode,
        Self::Code,
        Self::Access,
        Self::Refresh,
        Self::Nonce,
        Self::Platform,
        Self::Transaction,
        Self::Bind,
        Self::Device,
        Self::Vault,
        Self::Shown,
        Self::Spent,
        Self::Answer,
        Self::Erasure,
        Self::Sync,
        Self::Merge,
        Self::Sends,
    ];

    /// The kind of a number kept in a database.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// The word for it in commands and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Interaction => "interaction",
            Self::Session => "session",
            Self::Scan => "scan",
            Self::Passcode => "passcode",
            Self::Code => "code",
            Self::Access => "access",
            Self::Refresh => "refresh",
            Self::Nonce => "nonce",
            Self::Platform => "platform",
            Self::Transaction => "transaction",
            Self::Bind => "bind",
            Self::Device => "device",
            Self::Vault => "vault",
            Self::Shown => "shown",
            Self::Spent => "spent",
            Self::Answer => "answer",
            Self::Erasure => "erasure",
            Self::Sync => "sync",
            Self::Merge => "merge",
            Self::Sends => "sends",
        }
    }

    /// How long a dead ticket is kept, so that 40163, 42001 and 42002 stay true answers.
    pub const fn retention(self) -> Lifetime {
        match self {
            Self::Refresh => Lifetime::days(30),
            Self::Nonce => Lifetime::minutes(30),
            // Over is over: nothing asks how these ended.
            Self::Interaction | Self::Scan | Self::Passcode => Lifetime::minutes(60),
            // How a session ended is told to the device for a week.
            Self::Device => Lifetime::days(7),
            // What is due is done before it is swept, also after a long standstill.
            Self::Erasure | Self::Sync | Self::Merge => Lifetime::days(400),
            _ => Lifetime::days(1),
        }
    }
}

/// A ticket with a typed body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket<B> {
    /// Finds the row, together with the kind.
    pub number: Number,
    /// The stored half of the secret.
    pub hash: SecretHash,
    /// The grant it hangs from.
    pub grant: Option<GrantId>,
    /// The code that all tokens of one exchange descend from; it can be revoked as one.
    pub family: Option<Number>,
    /// The client it was made for.
    pub client: Option<ClientId>,
    /// The user it speaks for.
    pub user: Option<UserId>,
    /// What it means.
    pub body: B,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When its life ends: from this millisecond on it is dead.
    pub expires_at: Timestamp,
    /// When it was spent.
    pub taken_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Counts its amendments; an amendment of an older version is refused by the store.
    pub version: u32,
}

/// A ticket as the store keeps it: its kind beside it, its body as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawTicket {
    /// What it is for.
    pub kind: Kind,
    /// The ticket with its body unread.
    pub ticket: Ticket<Vec<u8>>,
}

/// What a kind of ticket carries. Bodies are JSON; fields may be added with a default, and the
/// bytes of every past shape are kept as files that must still load.
pub trait Body: Serialize + DeserializeOwned {
    /// The kind that carries this body.
    const KIND: Kind;
}

impl<B> Ticket<B> {
    /// Whether it is alive: neither spent, nor revoked, nor past its time.
    pub fn is_alive(&self, now: Timestamp) -> bool {
        self.taken_at.is_none() && self.revoked_at.is_none() && now < self.expires_at
    }

    /// The same ticket with another body.
    pub fn with<C>(self, body: C) -> Ticket<C> {
        Ticket {
            number: self.number,
            hash: self.hash,
            grant: self.grant,
            family: self.family,
            client: self.client,
            user: self.user,
            body,
            issued_at: self.issued_at,
            expires_at: self.expires_at,
            taken_at: self.taken_at,
            revoked_at: self.revoked_at,
            version: self.version,
        }
    }
}

impl<B: Body> Ticket<B> {
    /// The form that the store keeps.
    ///
    /// # Errors
    /// A fault when the body cannot be written, which plain structs can.
    pub fn seal(self) -> Result<RawTicket, Fault> {
        let body = serde_json::to_vec(&self.body).map_err(|e| Fault::from("write a ticket", e))?;
        Ok(RawTicket {
            kind: B::KIND,
            ticket: self.with(body),
        })
    }
}

impl RawTicket {
    /// Reads the body.
    ///
    /// # Errors
    /// A fault when the row is of another kind or its body cannot be read.
    pub fn open<B: Body>(&self) -> Result<Ticket<B>, Fault> {
        if self.kind != B::KIND {
            return Err(Fault::new("a ticket of another kind"));
        }
        let body = serde_json::from_slice(&self.ticket.body)
            .map_err(|e| Fault::from("read a ticket", e))?;
        Ok(self.ticket.clone().with(body))
    }
}

/// An authorization between its request and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interaction {
    /// By which door it came.
    pub channel: Channel,
    /// Where the answer goes; `None` for the phone's side of a scan.
    pub return_path: Option<ReturnPath>,
    /// What is asked for.
    pub scopes: Scopes,
    /// Handed back as it came.
    pub state: Option<String>,
    /// The PKCE challenge.
    pub challenge: Option<Challenge>,
    /// The hash of the browser's own cookie: nobody else may go on with it.
    pub browser: SecretHash,
    /// Ask even where a grant stands.
    pub force_consent: bool,
    /// The scan that this interaction answers.
    pub scan: Option<Number>,
}

/// What an interaction needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Somebody must sign in.
    Authenticate,
    /// The user must be asked.
    Consent,
    /// Nothing: the answer may go out.
    Return,
}

impl Interaction {
    /// What comes next: the only place that decides it.
    ///
    /// In-client, `snsapi_base` is silent, and so is anything that a standing grant covers unless
    /// consent is forced (`docs/facts/wechat.md` §3). Scans and native hand-overs always ask.
    pub fn next(&self, user: Option<UserId>, grant: Option<&crate::grant::Grant>) -> Next {
        if user.is_none() {
            return Next::Authenticate;
        }
        let only_base = self.scopes.iter().all(|scope| scope == crate::scope::BASE);
        let covered = grant.is_some_and(|grant| grant.covers(&self.scopes));
        let silent = self.channel == Channel::InClient
            && self.scan.is_none()
            && !self.force_consent
            && (only_base || covered);
        if silent { Next::Return } else { Next::Consent }
    }
}

/// A signed-in browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// When the user proved themselves.
    pub authenticated_at: Timestamp,
    /// The end that no use of the session can move.
    pub ends_at: Timestamp,
    /// The user's [`crate::user::User::sessions_from`] when it began: it ends with it.
    #[serde(default)]
    pub from: Timestamp,
}

/// A QR code waiting for a phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scan {
    /// By which door it came.
    pub channel: Channel,
    /// Where the page goes with the code; `None` for a signed scan.
    pub return_path: Option<ReturnPath>,
    /// What is asked for.
    pub scopes: Scopes,
    /// Handed back as it came.
    pub state: Option<String>,
    /// The PKCE challenge.
    pub challenge: Option<Challenge>,
    /// The hash of the cookie of the page that began it; `None` when the uuid alone suffices.
    pub browser: Option<SecretHash>,
    /// How far it came.
    pub stage: ScanStage,
}

/// How far a scan came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum ScanStage {
    /// No phone yet, 408.
    Waiting,
    /// A phone has opened it, 404.
    Scanned,
    /// The user turned away, 403; the same code may be scanned again.
    Cancelled,
    /// The user agreed; the code is minted at the first poll that may have it.
    Approved {
        /// The grant that stands.
        grant: GrantId,
        /// Who agreed.
        user: UserId,
    },
    /// The code was handed out and is said again to the same poller for a minute, 405.
    Paid {
        /// The code's number.
        code: Number,
        /// The version of the keys it was made under.
        version: u8,
        /// When it was first handed out.
        at: Timestamp,
    },
}

/// A code sent to a phone number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passcode {
    /// What it may be used for.
    pub scene: Scene,
    /// HMAC of scene, number and digits; the digits are never stored.
    pub mac: SecretHash,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// Makes the MAC of this sending another than that of the last one with the same digits.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub nonce: u64,
    /// Nonces and MACs of the ones that this one replaced, so that a late message is told apart
    /// from a wrong guess.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<(u64, SecretHash)>,
    /// Whether it was used.
    #[serde(default, skip_serializing_if = "is_false")]
    pub used: bool,
}

/// What a passcode may be used for; one of another scene never matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scene {
    /// Signing in.
    SignIn,
    /// Making an account.
    SignUp,
    /// A forgotten password.
    Reset,
    /// Logging in at the login backend, which makes an account where there is none.
    Login,
    /// Binding a number to an upstream login.
    Bind,
    /// A new number for an account.
    Change,
    /// Proving the number that an account has.
    Verify,
}

impl Scene {
    /// The scenes of the login backend.
    pub const OF_LOGIN: [Self; 4] = [Self::Login, Self::Bind, Self::Change, Self::Verify];

    /// Reads the word of one of [`Scene::OF_LOGIN`]; `None` for any other.
    pub fn parse(word: &str) -> Option<Self> {
        Self::OF_LOGIN
            .into_iter()
            .find(|known| known.word() == word)
    }

    /// The word for it in rows and letters.
    pub const fn word(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::SignUp => "sign_up",
            Self::Reset => "reset",
            Self::Login => "login",
            Self::Bind => "bind",
            Self::Change => "change",
            Self::Verify => "verify",
        }
    }
}

/// An authorization code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// What the user agreed to.
    pub scopes: Scopes,
    /// The PKCE challenge to be met.
    pub challenge: Option<Challenge>,
    /// Which exchange it is for.
    #[serde(default)]
    pub purpose: CodePurpose,
    /// Whether it speaks for a virtual user (`docs/facts/wechat.md` §3, snapshot pages).
    #[serde(default, skip_serializing_if = "is_false")]
    pub snapshot: bool,
}

/// Which exchange a code is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodePurpose {
    /// For tokens.
    #[default]
    Tokens,
    /// For a mini program's session (`docs/facts/wechat.md` §7.5).
    Mini,
}

/// An access token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// What it may do; empty for a client's own token.
    pub scopes: Scopes,
    /// The grant's [`crate::grant::Grant::tokens_from`] at the exchange: it ends with it.
    #[serde(default, skip_serializing_if = "is_start")]
    pub from: Timestamp,
    /// Whether it speaks for a virtual user.
    #[serde(default, skip_serializing_if = "is_false")]
    pub snapshot: bool,
}

/// A refresh token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refresh {
    /// What its access tokens may do.
    pub scopes: Scopes,
    /// The latest access token of this refresh token.
    pub access: Number,
    /// As [`Access::from`]; every access token of the family has it.
    #[serde(default, skip_serializing_if = "is_start")]
    pub from: Timestamp,
    /// Whether it speaks for a virtual user.
    #[serde(default, skip_serializing_if = "is_false")]
    pub snapshot: bool,
}

/// A flag that is off is not written.
fn is_false(flag: &bool) -> bool {
    !flag
}

/// A number that is nothing is not written.
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Whether nothing was ever ended: seldom is, so it is not written.
fn is_start(from: &Timestamp) -> bool {
    *from == Timestamp(0)
}

/// The nonce of a signed request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nonce {}

/// A client's standing with the platform (`docs/facts/wechat.md` §6).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlatformStanding {
    /// The latest of the client's own access tokens.
    pub access: Option<Number>,
    /// The number from which the signing ticket follows, and when it ends.
    pub ticket: Option<(Number, Timestamp)>,
}

macro_rules! bodies {
    ($($body:ident => $kind:ident),* $(,)?) => {
        $(impl Body for $body { const KIND: Kind = Kind::$kind; })*
    };
}

bodies! {
    Interaction => Interaction,
    Session => Session,
    Scan => Scan,
    Passcode => Passcode,
    Code => Code,
    Access => Access,
    Refresh => Refresh,
    Nonce => Nonce,
    PlatformStanding => Platform,
}

/// A code that may be exchanged now. Nothing else makes one, and minting tokens needs one.
#[derive(Debug)]
pub struct Redeemed {
    /// The code's number: spent in the same commit in which the tokens are born.
    pub number: Number,
    /// The grant the tokens hang from.
    pub grant: GrantId,
    /// The user they speak for.
    pub user: UserId,
    /// What they may do.
    pub scopes: Scopes,
    /// Whether they speak for a virtual user.
    pub snapshot: bool,
}

/// What a redeemer shows besides the client's own proof.
pub struct CodeProof<'a> {
    /// The code as it was presented.
    pub presented: &'a Presented,
    /// The PKCE verifier.
    pub verifier: Option<&'a str>,
    /// Which exchange it is presented at.
    pub purpose: CodePurpose,
}

impl Ticket<Code> {
    /// Judges a redemption: mine, unspent, in time, PKCE (RFC 6749 §4.1.3, RFC 7636 §4.6).
    ///
    /// # Errors
    /// [`Refusal::UnknownCode`], [`Refusal::SpentCode`], [`Refusal::ExpiredCode`] (or unknown, by
    /// the client's setting), [`Refusal::VerifierMismatch`]. A refused code is not spent.
    pub fn redeem(
        &self,
        client: &crate::client::AuthenticatedClient,
        proof: &CodeProof<'_>,
        now: Timestamp,
    ) -> Result<Redeemed, Refusal> {
        let client = client.client();
        let mine = self.client.as_ref() == Some(&client.id) && self.body.purpose == proof.purpose;
        let (Some(grant), Some(user)) = (self.grant, self.user) else {
            return Err(Refusal::UnknownCode);
        };
        if !proof.presented.proves(&self.hash) || !mine || self.revoked_at.is_some() {
            return Err(Refusal::UnknownCode);
        }
        if self.taken_at.is_some() {
            return Err(Refusal::SpentCode);
        }
        if now >= self.expires_at {
            return Err(if client.policy.names_expired_code {
                Refusal::ExpiredCode
            } else {
                Refusal::UnknownCode
            });
        }
        if let Some(challenge) = &self.body.challenge {
            let met = proof
                .verifier
                .is_some_and(|verifier| challenge.is_met_by(verifier));
            if !met {
                return Err(Refusal::VerifierMismatch);
            }
        }
        Ok(Redeemed {
            number: self.number,
            grant,
            user,
            scopes: self.body.scopes.clone(),
            snapshot: self.body.snapshot,
        })
    }
}
