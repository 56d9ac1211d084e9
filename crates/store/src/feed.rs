//! What others wrote: the news that a cache needs so that it never serves what is no longer true.
//!
//! [`Feed`] is the port between a store and what stands in front of it. A store tells its
//! listeners of its own commits before it answers them. Of the commits of other processes it
//! learns from a log in the database, read every quarter of a second, with an overlap: a smaller
//! number may become visible after a larger one.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rusqlite::{Connection, Error, OptionalExtension};
use yufu_core::id::{ClientId, DeveloperId, GrantId, Number, UserId};
use yufu_core::store::{Change, Record};
use yufu_core::ticket::Kind;

use crate::db;

/// How often the log is read.
pub(crate) const RHYTHM: Duration = Duration::from_millis(250);
/// How long the news of a moment ago may be trusted.
const TRUST: Duration = Duration::from_secs(1);
/// How far below the highest number the log is read again.
const OVERLAP: Duration = Duration::from_secs(10);
/// How long rows of the log are kept.
const KEPT: Duration = Duration::from_secs(60);
/// After such a silence rows may be gone unread.
const MISSED: Duration = Duration::from_secs(45);
/// Random bits below the milliseconds of a number of the log.
const RANDOM_BITS: u32 = 21;

/// Something that may no longer be served from memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// A ticket was spent, prolonged, amended, revoked or swept.
    Ticket(Kind, Number),
    /// All tickets of a family were revoked.
    Family(Number),
    /// A client was changed.
    Client(ClientId),
    /// A developer was changed.
    Developer(DeveloperId),
    /// A user was changed.
    User(UserId),
    /// A grant was changed.
    Grant(GrantId),
}

impl Touched {
    /// What a change makes untrue that could be in a cache. First versions cannot be: what does
    /// not exist is never kept.
    pub(crate) fn by(change: &Change) -> Option<Self> {
        match change {
            Change::Take { kind, number, .. }
            | Change::Extend { kind, number, .. }
            | Change::Amend { kind, number, .. }
            | Change::Revoke { kind, number, .. } => {
                is_kept(*kind).then_some(Self::Ticket(*kind, *number))
            }
            Change::RevokeFamily { family, .. } => Some(Self::Family(*family)),
            Change::Put(Record::Client(client)) => {
                (client.version > 1).then(|| Self::Client(client.id.clone()))
            }
            Change::Put(Record::User(user)) => (user.version > 1).then_some(Self::User(user.id)),
            Change::Put(Record::Grant(grant)) => {
                (grant.version > 1).then_some(Self::Grant(grant.id))
            }
            Change::Put(Record::Developer(developer)) => Some(Self::Developer(developer.id)),
            Change::Put(Record::Handle(..) | Record::Subject(..) | Record::Key(_))
            | Change::Issue(_)
            | Change::DropHandle(..)
            | Change::Post(_)
            | Change::Delivered(_)
            | Change::Notify(_)
            | Change::Renotify(_)
            | Change::Notified(_)
            | Change::Record(_) => None,
        }
    }

    /// The two columns of the log.
    fn write(&self) -> (u8, String) {
        match self {
            Self::Ticket(kind, number) => (*kind as u8, number.0.to_string()),
            Self::Family(number) => (FAMILY, number.0.to_string()),
            Self::Client(id) => (CLIENT, id.as_str().to_owned()),
            Self::Developer(id) => (DEVELOPER, id.0.0.to_string()),
            Self::User(id) => (USER, id.0.0.to_string()),
            Self::Grant(id) => (GRANT, id.0.0.to_string()),
        }
    }

    /// Reads what [`Touched::write`] wrote; `None` for everything, and for words of a newer version.
    fn read(what: u8, id: &str) -> Option<Self> {
        let number = || id.parse().ok().map(Number);
        match what {
            FAMILY => number().map(Self::Family),
            CLIENT => Some(Self::Client(ClientId::new(id))),
            DEVELOPER => number().map(|n| Self::Developer(DeveloperId(n))),
            USER => number().map(|n| Self::User(UserId(n))),
            GRANT => number().map(|n| Self::Grant(GrantId(n))),
            kind => Some(Self::Ticket(Kind::from_number(kind)?, number()?)),
        }
    }
}

// Below these are the numbers of the kinds of tickets.
const FAMILY: u8 = 64;
const CLIENT: u8 = 65;
const DEVELOPER: u8 = 66;
const USER: u8 = 67;
const GRANT: u8 = 68;
/// Nothing that was kept is true any more. Read as a word that is not known, which is what it is
/// to an older version: either way everything is dropped.
const EVERYTHING: u8 = 255;

/// The kinds of tickets that are read again and again, and so worth keeping in memory.
pub(crate) const fn is_kept(kind: Kind) -> bool {
    matches!(kind, Kind::Access | Kind::Session | Kind::Device)
}

/// Somebody in front of a store who keeps what was read.
pub trait Listener: Send + Sync {
    /// This process committed a list. Called in the order of the commits, after the commit and
    /// before its answer, whoever waits for that.
    fn committed(&self, changes: &[Change]);
    /// Something was changed by another process, or swept.
    fn touched(&self, touched: &Touched);
    /// News may have been missed: nothing that was kept can be trusted.
    fn lost(&self);
}

/// A store that tells what is no longer true.
pub trait Feed {
    /// From now on the listener hears of every commit.
    fn listen(&self, listener: Arc<dyn Listener>);
    /// Whether everything that any process committed a second ago has been told. Only then may
    /// kept things be served.
    fn is_heard(&self) -> bool;
}

/// The listeners of one store and the health of their feed.
pub(crate) struct Hearing {
    listeners: RwLock<Vec<Arc<dyn Listener>>>,
    began: clock::Instant,
    /// Milliseconds after `began`, counted from one; zero for never.
    heard: AtomicU64,
}

impl Hearing {
    pub(crate) fn new() -> Self {
        Self {
            listeners: RwLock::default(),
            began: clock::instant(),
            heard: AtomicU64::new(0),
        }
    }

    pub(crate) fn listen(&self, listener: Arc<dyn Listener>) {
        self.listeners
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(listener);
    }

    pub(crate) fn is_heard(&self) -> bool {
        match self.heard.load(Ordering::Acquire) {
            0 => false,
            heard => self.now().saturating_sub(heard - 1) < TRUST.as_millis() as u64,
        }
    }

    pub(crate) fn tell(&self, news: impl Fn(&dyn Listener)) {
        let listeners = self.listeners.read();
        for listener in listeners.unwrap_or_else(PoisonError::into_inner).iter() {
            news(&**listener);
        }
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }
}

/// Writes this store's rows of the log and reads those of the others, on the connection that
/// writes: there, `data_version` changes only when another process wrote, so being alone is free;
/// and no news can come between a commit and the telling of it.
pub(crate) struct Log {
    hearing: Arc<Hearing>,
    /// Which rows are ours.
    origin: i64,
    random: RandomState,
    last: i64,
    /// The state of the file at the last reading.
    version: Option<i64>,
    /// When it was last tried to read the rows of others, and when that last succeeded.
    tried_at: Option<u64>,
    read_at: Option<u64>,
    others: HashMap<i64, Other>,
}

/// How far the rows of another store were read.
#[derive(Default)]
struct Other {
    highest: i64,
    applied: BTreeSet<i64>,
}

impl Log {
    pub(crate) fn new(hearing: Arc<Hearing>) -> Self {
        let random = RandomState::new();
        Self {
            hearing,
            origin: (random.build_hasher().finish() >> 1) as i64,
            random,
            last: 0,
            version: None,
            tried_at: None,
            read_at: None,
            others: HashMap::new(),
        }
    }

    /// Writes a row, within the running transaction.
    pub(crate) fn write(&mut self, db: &Connection, touched: &Touched) -> Result<(), Error> {
        let (what, id) = touched.write();
        self.write_row(db, what, &id)
    }

    /// Writes that everything was changed, within the running transaction.
    pub(crate) fn write_all(&mut self, db: &Connection) -> Result<(), Error> {
        self.write_row(db, EVERYTHING, "")
    }

    fn write_row(&mut self, db: &Connection, what: u8, id: &str) -> Result<(), Error> {
        // Real milliseconds, random bits, and never backwards within one origin.
        let fresh = lowest_of(clock::millis()) | self.draw();
        self.last = fresh.max(self.last + 1);
        db.prepare_cached(
            "INSERT INTO change_log (origin, number, what, id) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((self.origin, self.last, what, id))?;
        Ok(())
    }

    /// Removes old rows, within the running transaction.
    pub(crate) fn sweep(&self, db: &Connection, most: i64) -> Result<(), Error> {
        let end = lowest_of(clock::millis().saturating_sub(KEPT.as_millis() as u64));
        let mut origin = None;
        while let Some(next) = next_origin(db, origin)? {
            db.prepare_cached(
                "DELETE FROM change_log WHERE origin = ?1 AND number IN (SELECT number \
                 FROM change_log WHERE origin = ?1 AND number < ?2 ORDER BY number LIMIT ?3)",
            )?
            .execute((next, end, most))?;
            origin = Some(next);
        }
        Ok(())
    }

    /// How long until the log should be read again.
    pub(crate) fn rest(&self) -> Duration {
        let since = self
            .tried_at
            .map(|tried_at| Duration::from_millis(self.hearing.now().saturating_sub(tried_at)));
        since.map_or(Duration::ZERO, |since| RHYTHM.saturating_sub(since))
    }

    /// Reads what others wrote since the last time and tells it.
    pub(crate) fn read(&mut self, db: &Connection) {
        let now = self.hearing.now();
        self.tried_at = Some(now);
        let silence = self.read_at.map(|read_at| now.saturating_sub(read_at));
        if silence.is_some_and(|silence| silence > MISSED.as_millis() as u64) {
            self.hearing.tell(|listener| listener.lost());
        }
        match self.catch_up(db) {
            // What was committed before `now` has been told; what came later may not have been.
            Ok(()) => {
                self.read_at = Some(now);
                self.hearing.heard.store(now + 1, Ordering::Release);
            }
            Err(error) => tracing::warn!(%error, "cannot read the log of changes"),
        }
    }

    fn catch_up(&mut self, db: &Connection) -> Result<(), Error> {
        let version = db::data_version(db)?;
        if self.version == Some(version) {
            return Ok(());
        }
        let mut origin = None;
        while let Some(next) = next_origin(db, origin)? {
            origin = Some(next);
            if next != self.origin {
                self.read_other(db, next)?;
            }
        }
        self.version = Some(version);
        Ok(())
    }

    fn read_other(&mut self, db: &Connection, origin: i64) -> Result<(), Error> {
        let other = self.others.entry(origin).or_default();
        let overlap = lowest_of(OVERLAP.as_millis() as u64);
        let from = other.highest.saturating_sub(overlap);
        let mut statement = db.prepare_cached(
            "SELECT number, what, id FROM change_log WHERE origin = ?1 AND number >= ?2 \
             ORDER BY number",
        )?;
        let mut rows = statement.query((origin, from))?;
        while let Some(row) = rows.next()? {
            let number = row.get(0)?;
            if other.applied.insert(number) {
                other.highest = other.highest.max(number);
                match Touched::read(row.get(1)?, row.get_ref(2)?.as_str()?) {
                    Some(touched) => self.hearing.tell(|listener| listener.touched(&touched)),
                    None => self.hearing.tell(|listener| listener.lost()),
                }
            }
        }
        other.applied = other
            .applied
            .split_off(&other.highest.saturating_sub(overlap));
        Ok(())
    }

    fn draw(&self) -> i64 {
        let mut hasher = self.random.build_hasher();
        hasher.write_i64(self.last);
        (hasher.finish() & ((1 << RANDOM_BITS) - 1)) as i64
    }
}

/// The smallest number of the log in this millisecond.
const fn lowest_of(millis: u64) -> i64 {
    ((millis & ((1 << 42) - 1)) << RANDOM_BITS) as i64
}

/// The origins of the log in turn, each found by one step down the tree.
fn next_origin(db: &Connection, after: Option<i64>) -> Result<Option<i64>, Error> {
    db.prepare_cached("SELECT origin FROM change_log WHERE origin > ?1 ORDER BY origin LIMIT 1")?
        .query_row([after.unwrap_or(-1)], |row| row.get(0))
        .optional()
}

/// The only clocks of this crate. They measure the feed; no rule depends on them.
mod clock {
    pub(super) use std::time::Instant;
    use std::time::SystemTime;

    #[expect(
        clippy::disallowed_methods,
        reason = "how long the feed was silent; no rule depends on it"
    )]
    pub(super) fn instant() -> Instant {
        Instant::now()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "numbers of the log hold real milliseconds; no rule depends on them"
    )]
    pub(super) fn millis() -> u64 {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_millis() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_reads_back_what_it_wrote() {
        for touched in [
            Touched::Ticket(Kind::Access, Number((1 << 63) - 1)),
            Touched::Ticket(Kind::Session, Number(0)),
            Touched::Ticket(Kind::Device, Number(5)),
            Touched::Family(Number(7)),
            Touched::Client(ClientId::new("wx1")),
            Touched::Developer(DeveloperId(Number(1))),
            Touched::User(UserId(Number(2))),
            Touched::Grant(GrantId(Number(3))),
        ] {
            let (what, id) = touched.write();
            assert_eq!(Touched::read(what, &id), Some(touched));
        }
        assert_eq!(Touched::read(200, "1"), None);
    }

    #[test]
    fn no_kind_of_ticket_is_mistaken_for_another_record() {
        assert!(Kind::ALL.into_iter().all(|kind| (kind as u8) < FAMILY));
    }
}
