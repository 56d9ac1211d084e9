//! The port to the data: reads, and a list of changes that is committed all-or-nothing.
//!
//! Single use, revocation, audit and outgoing letters are changes in that list.
//! [`memory::MemoryStore`] is the executable meaning of the port; the conformance suite of
//! `yufu-store` holds every store to it.

pub mod memory;

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::client::{Client, Developer};
use crate::grant::Grant;
use crate::id::{ClientId, DeveloperId, GrantId, Number, UserId};
use crate::keyring::Key;
use crate::refusal::Fault;
use crate::subject::{Sector, Subject};
use crate::ticket::{Kind, RawTicket};
use crate::time::Timestamp;
use crate::user::{Handle, Phone, User};

/// How a user is found.
#[derive(Clone, Copy, Debug)]
pub enum UserKey<'a> {
    /// By id.
    Id(UserId),
    /// By something unique that they are known by.
    Handle(&'a Handle),
}

/// How a grant is found.
#[derive(Clone, Copy, Debug)]
pub enum GrantKey<'a> {
    /// By id, standing or revoked.
    Id(GrantId),
    /// The one that stands between a user and a client.
    Standing(UserId, &'a ClientId),
}

/// A record that is put whole.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// Inserted with version 1; later versions replace exactly their predecessor.
    Client(Client),
    /// Inserted or replaced.
    Developer(Developer),
    /// Inserted with version 1; later versions replace exactly their predecessor.
    User(User),
    /// Inserted; a no-op when this user has it already, a clash when another does.
    Handle(Handle, UserId),
    /// Inserted with version 1; later versions replace exactly their predecessor. At most one
    /// that is not revoked stands for a user and a client.
    Grant(Grant),
    /// Inserted; a clash when the user has one in this sector or the subject is taken in it.
    Subject(UserId, Sector, Subject),
    /// Inserted; a clash when the version exists.
    Key(Key),
}

/// One change of a list. The list is applied in order, whole or not at all.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The single-use gate: spends a ticket that is neither spent nor revoked, else
    /// [`Clash::Taken`]. Expiry is the engine's to judge: the store knows no time.
    Take {
        /// The ticket's kind.
        kind: Kind,
        /// The ticket's number.
        number: Number,
        /// When.
        at: Timestamp,
    },
    /// Inserts a ticket; [`Clash::Exists`] when kind and number are in use.
    Issue(RawTicket),
    /// Moves the end of a ticket that is neither spent nor revoked, else [`Clash::Stale`].
    Extend {
        /// The ticket's kind.
        kind: Kind,
        /// The ticket's number.
        number: Number,
        /// The new end.
        expires_at: Timestamp,
    },
    /// Replaces body and end of a ticket of exactly this version that is neither spent nor
    /// revoked, and counts its version up; else [`Clash::Stale`].
    Amend {
        /// The ticket's kind.
        kind: Kind,
        /// The ticket's number.
        number: Number,
        /// The version that was read.
        version: u32,
        /// The new body.
        body: Vec<u8>,
        /// The new end.
        expires_at: Timestamp,
    },
    /// Revokes a ticket; a no-op when it is revoked or does not exist.
    Revoke {
        /// The ticket's kind.
        kind: Kind,
        /// The ticket's number.
        number: Number,
        /// When.
        at: Timestamp,
    },
    /// Revokes every ticket of a family that is not revoked yet.
    RevokeFamily {
        /// The family: the number of the code that all descend from.
        family: Number,
        /// When.
        at: Timestamp,
    },
    /// Puts a record; [`Clash::Exists`] or [`Clash::Stale`] as the record says.
    Put(Record),
    /// Takes a handle from a user; a no-op when the user does not have it.
    DropHandle(Handle, UserId),
    /// Hands a letter to the courier, who delivers it after the commit.
    Post(Letter),
    /// Takes a delivered letter out of the courier's bag.
    Delivered(Number),
    /// Hands a notice to the courier, who tells a webhook after the commit.
    Notify(Notice),
    /// Replaces a notice that could not be delivered; a no-op when it is gone.
    Renotify(Notice),
    /// Takes a delivered notice out of the courier's bag.
    Notified(Number),
    /// Writes a line of the audit.
    Record(Event),
}

/// A message to a person, delivered after the commit that decided it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// Orders the letters.
    pub number: Number,
    /// To which phone.
    pub to: Phone,
    /// What it is about: the word of a [`crate::ticket::Scene`].
    pub about: String,
    /// The passcode in clear; it leaves the store with the delivery.
    pub passcode: String,
    /// When it was posted.
    pub posted_at: Timestamp,
}

/// News for a webhook, delivered at least once after the commit that made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Orders the notices; the message's id for whoever hears it twice.
    pub number: Number,
    /// The name of the webhook.
    pub to: String,
    /// What happened: a dotted word such as `user.created`.
    pub about: String,
    /// To whom.
    pub user: UserId,
    /// More about it, as JSON; free of secrets.
    pub data: String,
    /// When it happened.
    pub posted_at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried (again).
    pub due_at: Timestamp,
    /// Whether it is tried no more.
    pub dead: bool,
}

/// A line of the audit: who did what to whom. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Orders the events.
    pub number: Number,
    /// When.
    pub at: Timestamp,
    /// What: a dotted word such as `code.exchanged`.
    pub what: String,
    /// Whose.
    pub user: Option<UserId>,
    /// By or for which client.
    pub client: Option<ClientId>,
    /// A short detail, free of secrets.
    pub detail: String,
}

/// Why a list of changes was not applied. Nothing of it was.
#[derive(Debug)]
pub enum Clash {
    /// A ticket to be taken was spent or revoked already, or does not exist.
    Taken(Kind, Number),
    /// Something to be inserted exists.
    Exists,
    /// Something to be changed was changed by another since it was read.
    Stale,
    /// The store failed and nothing was applied.
    Failed(Fault),
    /// The store failed and it is not known whether the list was applied.
    Unknown(Fault),
}

/// The data, as the engine sees it.
#[async_trait]
pub trait Store: Send + Sync {
    /// A client by its id.
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, Fault>;
    /// A developer by its id.
    async fn developer(&self, id: DeveloperId) -> Result<Option<Arc<Developer>>, Fault>;
    /// A user by id or handle.
    async fn user(&self, key: UserKey<'_>) -> Result<Option<Arc<User>>, Fault>;
    /// A grant by id, or the one that stands.
    async fn grant(&self, key: GrantKey<'_>) -> Result<Option<Arc<Grant>>, Fault>;
    /// The persisted subject of a user in a sector.
    async fn subject(&self, user: UserId, sector: &Sector) -> Result<Option<Subject>, Fault>;
    /// A ticket, alive or dead, until it is swept.
    async fn ticket(&self, kind: Kind, number: Number) -> Result<Option<Arc<RawTicket>>, Fault>;
    /// The tickets of a kind that belong to a user, alive or dead, oldest first, until they are
    /// swept. Only of [`Kind::Device`] is that kept quick.
    async fn tickets_of(&self, user: UserId, kind: Kind) -> Result<Vec<RawTicket>, Fault>;
    /// The stored keys.
    async fn keys(&self) -> Result<Vec<Key>, Fault>;
    /// Applies a list of changes, all or nothing, and answers when it is durable.
    async fn commit(&self, changes: Vec<Change>) -> Result<(), Clash>;
}

/// Lists, for people who look after the platform; and the broom.
#[async_trait]
pub trait Browse: Send + Sync {
    /// All developers, oldest first.
    async fn developers(&self) -> Result<Vec<Developer>, Fault>;
    /// All clients, oldest first.
    async fn clients(&self) -> Result<Vec<Client>, Fault>;
    /// Users, oldest first, at most `limit`.
    async fn users(&self, limit: usize) -> Result<Vec<User>, Fault>;
    /// The standing grants of a user, newest first.
    async fn grants_of(&self, user: UserId) -> Result<Vec<Grant>, Fault>;
    /// Letters waiting for the courier, oldest first, at most `limit`.
    async fn letters(&self, limit: usize) -> Result<Vec<Letter>, Fault>;
    /// Notices that are due and not dead, oldest first, at most `limit`.
    async fn notices(&self, now: Timestamp, limit: usize) -> Result<Vec<Notice>, Fault>;
    /// Notices that are tried no more, oldest first, at most `limit`.
    async fn dead_notices(&self, limit: usize) -> Result<Vec<Notice>, Fault>;
    /// Tickets of a kind whose end has come and that are neither spent nor revoked, those that
    /// ended first first, at most `limit`.
    async fn due(&self, kind: Kind, now: Timestamp, limit: usize) -> Result<Vec<RawTicket>, Fault>;
    /// Tickets of a kind by number above `after`, at most `limit`: to walk them all.
    async fn tickets(
        &self,
        kind: Kind,
        after: Option<Number>,
        limit: usize,
    ) -> Result<Vec<RawTicket>, Fault>;
    /// Users by id above `after`, at most `limit`: to walk them all.
    async fn users_after(&self, after: Option<UserId>, limit: usize) -> Result<Vec<User>, Fault>;
    /// The newest events of a user, newest first, at most `limit`. Those at a client may be missing
    /// once 20 000 newer events of anybody have been written; those at no client never are.
    async fn events_of(&self, user: UserId, limit: usize) -> Result<Vec<Event>, Fault>;
    /// The newest events, newest first, at most `limit`.
    async fn events(&self, limit: usize) -> Result<Vec<Event>, Fault>;
    /// Removes tickets whose [`Kind::retention`] is over at `now`, and events before
    /// `events_before`; a bounded number at a time. Answers how many rows went.
    async fn sweep(&self, now: Timestamp, events_before: Timestamp) -> Result<u64, Fault>;
}
