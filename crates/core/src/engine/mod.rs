//! One engine knows what is true: who may have which code and token, when, once.
//!
//! No operation is longer than a page. Each reads, asks the type, mints, commits, returns. A lost
//! race is tried again from the reading, so that the loser sees what the winner did.

mod access;
mod account;
mod authorize;
mod keys;
pub mod login;
mod operator;
mod platform;
mod registry;
mod rehearsal;
mod scan;
mod token;

use std::sync::Arc;

use async_trait::async_trait;

use crate::client::{AuthorizeRefusal, StateLimits};
use crate::id::{ClientId, Number, UserId};
use crate::keyring::{Key, Keyring, MasterKey, Minted};
use crate::limit::{Limiter, Rate, network};
use crate::login::LoginSettings;
use crate::message::Visitor;
use crate::refusal::{Fault, Refusal, Stop};
use crate::secret::{Entropy, Layout, Secret, SecretHash};
use crate::store::{Browse, Change, Clash, Event, GrantKey, Record, Store, UserKey};
use crate::ticket::{Kind, RawTicket};
use crate::time::{Lifetime, Timestamp};

pub use account::{Proof, SignUp};
pub use keys::RotateStop;
pub use registry::{ClientDraft, ClientEdit, TokenReport, UserDraft};

/// Hashes passwords off the async threads; argon2id in the wiring.
#[async_trait]
pub trait Hasher: Send + Sync {
    /// The PHC string of a password.
    async fn hash(&self, password: Secret) -> Result<String, Fault>;
    /// Whether a password matches a PHC string. `None` takes as long and answers no.
    async fn verify(&self, password: Secret, phc: Option<String>) -> Result<bool, Fault>;
}

/// The settings of a house. Lifetimes of codes and tokens belong to each client.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long an authorization page may be left open.
    pub interaction_life: Lifetime,
    /// How long a session lives without use.
    pub session_idle: Lifetime,
    /// How long a session lives at most.
    pub session_absolute: Lifetime,
    /// How long a QR code lives (`docs/facts/wechat.md` §16: about 300 s).
    pub scan_life: Lifetime,
    /// How long a scan's code is said again to the poller that got it.
    pub scan_repeat: Lifetime,
    /// How long a poller is kept before it hears that nothing is new (§16: about 25 s).
    pub poll_hold: Lifetime,
    /// How long a passcode lives.
    pub passcode_life: Lifetime,
    /// How long until another passcode is sent to the same number.
    pub passcode_resend: Lifetime,
    /// How often a passcode may be tried.
    pub passcode_attempts: u32,
    /// How far a signed request's timestamp may be off.
    pub signature_window: Lifetime,
    /// How long a client's previous own token lives beside its new one.
    pub platform_overlap: Lifetime,
    /// How long the ticket that signs scans lives (§6: 7200 s).
    pub platform_ticket_life: Lifetime,
    /// How long an old client secret works beside a new one.
    pub secret_overlap: Lifetime,
    /// The most bytes of a state.
    pub state_limits: StateLimits,
    /// Failed sign-ins allowed per account and address.
    pub account_failures: Rate,
    /// Failed sign-ins allowed per account from everywhere.
    pub account_failures_all: Rate,
    /// Failed sign-ins allowed per address.
    pub address_failures: Rate,
    /// Authorizations and scans begun per address: each leaves a row until it is swept.
    pub address_authorizations: Rate,
    /// Passcodes sent per number.
    pub number_passcodes: Rate,
    /// Passcodes sent per address.
    pub address_passcodes: Rate,
    /// The login backend's.
    pub login: LoginSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interaction_life: Lifetime::minutes(30),
            session_idle: Lifetime::days(7),
            session_absolute: Lifetime::days(30),
            scan_life: Lifetime::minutes(5),
            scan_repeat: Lifetime::seconds(60),
            poll_hold: Lifetime::seconds(25),
            passcode_life: Lifetime::minutes(5),
            passcode_resend: Lifetime::seconds(60),
            passcode_attempts: 5,
            signature_window: Lifetime::minutes(10),
            platform_overlap: Lifetime::minutes(5),
            platform_ticket_life: Lifetime::seconds(7200),
            secret_overlap: Lifetime::days(7),
            state_limits: StateLimits::default(),
            account_failures: Rate {
                burst: 10,
                each: Lifetime::minutes(1),
            },
            account_failures_all: Rate {
                burst: 100,
                each: Lifetime::seconds(6),
            },
            address_failures: Rate {
                burst: 50,
                each: Lifetime::seconds(10),
            },
            address_authorizations: Rate {
                burst: 1000,
                each: Lifetime::from_millis(200),
            },
            number_passcodes: Rate {
                burst: 5,
                each: Lifetime::minutes(10),
            },
            address_passcodes: Rate {
                burst: 20,
                each: Lifetime::minutes(1),
            },
            login: LoginSettings::default(),
        }
    }
}

/// The ports of an engine.
#[derive(Clone)]
pub struct Ports {
    /// The data.
    pub store: Arc<dyn Store>,
    /// Lists of the data.
    pub browse: Arc<dyn Browse>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Password hashing.
    pub hasher: Arc<dyn Hasher>,
}

/// The engine: rules over a store.
pub struct Engine {
    ports: Ports,
    keyring: Keyring,
    master: MasterKey,
    settings: Settings,
    limiter: Limiter,
}

/// Why an attempt ended: for good, or because of a lost race.
enum Halt {
    Stop(Stop),
    Clash(Clash),
}

impl<T: Into<Stop>> From<T> for Halt {
    fn from(stop: T) -> Self {
        Self::Stop(stop.into())
    }
}

impl From<Clash> for Halt {
    fn from(clash: Clash) -> Self {
        Self::Clash(clash)
    }
}

/// How often a lost race is run again. Each loser sees what the winner did, so two rounds are
/// common; where each winner moves the same row on and the store commits in batches, a round has
/// one winner of all that were queued. The bound is for a store that never agrees.
const ROUNDS: u32 = 128;

/// Runs an attempt until it wins, is refused or fails; `$round` counts the rounds from 0.
macro_rules! settled {
    (|$round:ident| $attempt:expr) => {{
        let mut $round = 0u32;
        loop {
            match $attempt.await {
                Ok(done) => break Ok(done),
                Err($crate::engine::Halt::Stop(stop)) => break Err(stop),
                Err($crate::engine::Halt::Clash(
                    $crate::store::Clash::Failed(fault) | $crate::store::Clash::Unknown(fault),
                )) => break Err($crate::refusal::Stop::Failed(fault)),
                Err($crate::engine::Halt::Clash(_)) if $round + 1 < $crate::engine::ROUNDS => {
                    $round += 1;
                }
                Err($crate::engine::Halt::Clash(_)) => {
                    break Err($crate::refusal::Stop::Failed($crate::refusal::Fault::new(
                        "lost every round of a race",
                    )));
                }
            }
        }
    }};
}
use settled;

/// Why an authorization request did not go through.
#[derive(Debug)]
pub enum AuthorizeStop {
    /// Refused, on a page or at the redirect address.
    Refused(AuthorizeRefusal),
    /// Ours.
    Failed(Fault),
}

impl From<Fault> for AuthorizeStop {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

impl From<Stop> for AuthorizeStop {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Refused(refusal) => Self::Refused(AuthorizeRefusal::Stay(refusal)),
            Stop::Failed(fault) => Self::Failed(fault),
        }
    }
}

impl Engine {
    /// Opens the house: reads the keys, or founds them in an empty store.
    ///
    /// # Errors
    /// A fault when the store fails or the keys were made under another master key.
    pub async fn open(
        ports: Ports,
        master: &MasterKey,
        settings: Settings,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let mut keys = ports.store.keys().await?;
        if keys.is_empty() {
            let new = Keyring::found(master, &*ports.entropy, now)?;
            let changes = new.iter().cloned().map(|key| Change::Put(Record::Key(key)));
            match ports.store.commit(changes.collect()).await {
                // Another process founded the house in the same moment: its keys count.
                Ok(()) | Err(Clash::Exists) => {}
                Err(Clash::Failed(fault) | Clash::Unknown(fault)) => return Err(fault),
                Err(_) => return Err(Fault::new("the keys could not be stored")),
            }
            keys = ports.store.keys().await?;
        }
        Self::with_keys(ports, &keys, master, settings, now)
    }

    fn with_keys(
        ports: Ports,
        keys: &[Key],
        master: &MasterKey,
        settings: Settings,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        Ok(Self {
            keyring: Keyring::open_at(keys, master, now)?,
            master: master.duplicate(),
            ports,
            settings,
            limiter: Limiter::default(),
        })
    }

    /// The settings of this house.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The lists of the data, for pages and commands.
    pub fn browse(&self) -> &dyn Browse {
        &*self.ports.browse
    }

    /// Counts something that will leave a row behind without anybody having proved anything.
    fn count_row(&self, visitor: &Visitor<'_>, now: Timestamp) -> Result<(), Refusal> {
        let key = format!("authorize:{}", network(visitor.address));
        let rate = self.settings.address_authorizations;
        let counted = self.limiter.attempt(&key, rate, now);
        counted.map_err(|_| Refusal::TooFast)
    }

    /// The token that a form must bring back to prove that this house made it for `binding`.
    pub fn form_token(&self, binding: &str) -> String {
        self.keyring.form_token(binding)
    }

    /// Whether a form's token is the one made for this binding.
    ///
    /// # Errors
    /// [`Refusal::FormForged`].
    pub fn check_form(&self, binding: &str, token: &str) -> Result<(), Refusal> {
        if self.keyring.form_token_matches(binding, token) {
            Ok(())
        } else {
            Err(Refusal::FormForged)
        }
    }

    /// Random bits for things that are no secrets: request ids, incident numbers.
    pub fn noise(&self) -> u64 {
        let mut bytes = [0; 8];
        self.ports.entropy.fill(&mut bytes);
        u64::from_be_bytes(bytes)
    }

    /// A new secret for a browser's own cookie, which binds interactions and scans to it. It is
    /// not stored: what it binds keeps its hash.
    ///
    /// # Errors
    /// A fault when the keyring is empty.
    pub fn draw_browser(&self) -> Result<Secret, Fault> {
        Ok(self.mint(Kind::Interaction, Layout::Own)?.secret)
    }

    fn store(&self) -> &dyn Store {
        &*self.ports.store
    }

    fn mint(&self, kind: Kind, layout: Layout) -> Result<Minted, Fault> {
        self.keyring.mint(kind, layout, &*self.ports.entropy)
    }

    fn draw_number(&self) -> Number {
        Layout::Own.draw_number(&*self.ports.entropy)
    }

    fn browser_hash(&self, browser: &str) -> SecretHash {
        SecretHash(self.keyring.digest("browser", &[browser.as_bytes()]))
    }

    fn event(
        &self,
        what: &str,
        user: Option<UserId>,
        client: Option<&ClientId>,
        detail: &str,
        now: Timestamp,
    ) -> Change {
        Change::Record(Event {
            number: self.draw_number(),
            at: now,
            what: what.to_owned(),
            user,
            client: client.cloned(),
            detail: detail.to_owned(),
        })
    }

    /// Commits a list that depends on nothing that was read. It is made anew in each round: an
    /// event's number that is in use already shows as a lost race.
    async fn apply(&self, changes: Vec<Change>) -> Result<(), Halt> {
        Ok(self.commit(changes).await?)
    }

    /// Commits, and reads back a commit of unknown outcome before anything is answered: a list
    /// is all or nothing, so one row of it tells of the whole.
    async fn commit(&self, changes: Vec<Change>) -> Result<(), Clash> {
        let issued = changes.iter().find_map(Witness::of_secret);
        let witness = issued.or_else(|| changes.iter().find_map(Witness::of_row));
        match (self.store().commit(changes).await, witness) {
            (Err(Clash::Unknown(fault)), Some(witness)) => {
                match witness.stands(self.store()).await {
                    Ok(true) => Ok(()),
                    Ok(false) => Err(Clash::Failed(fault)),
                    Err(_) => Err(Clash::Unknown(fault)),
                }
            }
            (outcome, _) => outcome,
        }
    }
}

/// The row that tells whether a list was applied.
enum Witness {
    /// The ticket of a secret: nobody else's has its hash.
    Secret(Kind, Number, SecretHash),
    /// A ticket that is looked up by its content: whoever issued the very same one, its effect is
    /// there.
    LookedUp(Box<RawTicket>),
    /// A versioned record: likewise.
    Record(Box<Record>),
}

impl Witness {
    fn of_secret(change: &Change) -> Option<Self> {
        match change {
            Change::Issue(raw) => match raw.kind {
                Kind::Nonce
                | Kind::Passcode
                | Kind::Platform
                | Kind::Vault
                | Kind::Shown
                | Kind::Spent
                | Kind::Answer
                | Kind::Erasure
                | Kind::Sync
                | Kind::Sends => None,
                kind => Some(Self::Secret(kind, raw.ticket.number, raw.ticket.hash)),
            },
            _ => None,
        }
    }

    fn of_row(change: &Change) -> Option<Self> {
        match change {
            Change::Issue(raw) => Some(Self::LookedUp(Box::new(raw.clone()))),
            Change::Put(record @ (Record::User(_) | Record::Grant(_) | Record::Client(_))) => {
                Some(Self::Record(Box::new(record.clone())))
            }
            _ => None,
        }
    }

    async fn stands(&self, store: &dyn Store) -> Result<bool, Fault> {
        Ok(match self {
            Self::Secret(kind, number, hash) => {
                let stored = store.ticket(*kind, *number).await?;
                stored.is_some_and(|stored| stored.ticket.hash == *hash)
            }
            Self::LookedUp(issued) => {
                let stored = store.ticket(issued.kind, issued.ticket.number).await?;
                stored.is_some_and(|stored| *stored == **issued)
            }
            Self::Record(record) => match &**record {
                Record::User(put) => {
                    let stored = store.user(UserKey::Id(put.id)).await?;
                    stored.is_some_and(|stored| *stored == *put)
                }
                Record::Grant(put) => {
                    let stored = store.grant(GrantKey::Id(put.id)).await?;
                    stored.is_some_and(|stored| *stored == *put)
                }
                Record::Client(put) => {
                    let stored = store.client(&put.id).await?;
                    stored.is_some_and(|stored| *stored == *put)
                }
                _ => false,
            },
        })
    }
}
