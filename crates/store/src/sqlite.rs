//! The store on one SQLite file.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::sync::oneshot;
use yufu_core::client::{Client, Developer};
use yufu_core::grant::Grant;
use yufu_core::id::{ClientId, DeveloperId, Number, UserId};
use yufu_core::keyring::Key;
use yufu_core::refusal::Fault;
use yufu_core::store::{Browse, Change, Clash, Event, GrantKey, Letter, Notice, Store, UserKey};
use yufu_core::subject::{Sector, Subject};
use yufu_core::ticket::{Kind, RawTicket};
use yufu_core::time::Timestamp;
use yufu_core::user::User;

use crate::commit::{Job, Order, Tally, Writer};
use crate::copy::CopyError;
use crate::db::{self, Source};
use crate::feed::{Feed, Hearing, Listener};
use crate::migrate::{self, OpenError, Schema};
use crate::read;

/// The most lists that wait for the writer; more are refused at once.
const QUEUE: usize = 4096;

/// How the file is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The most pages (of 2 KiB in a file that yufu made) that the file may grow to.
    pub max_pages: Option<u32>,
    /// How long a commit waits while another process writes.
    pub busy_timeout: Duration,
    /// Whether many records are to be brought in: the writer takes up to 256 MiB of memory for it.
    /// Then long lists are the fastest, say of 90 000 changes: the accounts, and after them all
    /// their handles in the order of kind and value, so that neighbours meet on a page.
    pub bulk: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_pages: None,
            busy_timeout: Duration::from_secs(5),
            bulk: false,
        }
    }
}

/// How much was written since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lists of changes that were applied.
    pub lists: u64,
    /// Transactions they took.
    pub commits: u64,
}

/// Everything in one SQLite file. Clones are the same store.
#[derive(Clone)]
pub struct SqliteStore(Arc<Inner>);

struct Inner {
    source: Source,
    orders: SyncSender<Order>,
    hearing: Arc<Hearing>,
    tally: Arc<Tally>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl SqliteStore {
    /// Opens the file; makes it when there is none, and brings an older one to the newest shape.
    ///
    /// # Errors
    /// Each [`OpenError`] says what to do; a file that is refused was not touched.
    pub fn open(path: &Path, options: &Options) -> Result<Self, OpenError> {
        let db = migrate::open(path, options.busy_timeout, options.max_pages)?;
        if options.bulk {
            db::enlarge(&db).map_err(|e| OpenError::Other {
                path: path.to_owned(),
                why: e.to_string(),
            })?;
        }
        let (orders, queue) = sync_channel(QUEUE);
        let hearing = Arc::new(Hearing::new());
        let tally = Arc::new(Tally::default());
        let writer = Writer::new(db, queue, Arc::clone(&hearing), Arc::clone(&tally));
        let writer = thread::Builder::new()
            .name("store writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|e| OpenError::Other {
                path: path.to_owned(),
                why: e.to_string(),
            })?;
        Ok(Self(Arc::new(Inner {
            source: Source::new(path),
            orders,
            hearing,
            tally,
            writer: Mutex::new(Some(writer)),
        })))
    }

    /// What [`SqliteStore::open`] would find and do; reads only.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn inspect(path: &Path) -> Result<Schema, OpenError> {
        migrate::inspect(path)
    }

    /// Finishes the commits that wait, copies the log into the file and ends the writer; it
    /// blocks until then. Other clones can still read.
    pub fn close(self) {
        // Whoever closes the file last removes its log, and only the writer can.
        self.0.source.forget();
        // When the writer is gone already there is nothing to tell it.
        let _ = self.0.orders.send(Order::Close);
        let writer = self.0.writer.lock();
        if let Some(writer) = writer.unwrap_or_else(PoisonError::into_inner).take()
            && writer.join().is_err()
        {
            tracing::error!("the store's writer ended in a panic");
        }
    }

    /// Writes everything into a file, which takes the place of an older one. What was committed
    /// when this is called is in it, and what is committed later is not, even if the future is
    /// polled later still.
    ///
    /// # Errors
    /// In words; an older file stays as it was.
    pub fn snapshot(&self, to: &Path) -> impl Future<Output = Result<(), CopyError>> + use<> {
        let (answer, heard) = oneshot::channel();
        let to = to.to_owned();
        copied(self.order(Order::Copy { to, answer }), heard)
    }

    /// Replaces everything by what a file of [`SqliteStore::snapshot`] holds, in one transaction:
    /// of this house, and of this shape. Whoever reads meanwhile sees what was or what is, and
    /// every cache over this file, in every process, drops what it kept. Secrets that were made
    /// since the copy open nothing any more, so
    /// [`yufu_core::engine::Engine::reload_keys`] is to be called after it.
    ///
    /// # Errors
    /// In words; nothing was changed.
    pub async fn restore(&self, from: &Path) -> Result<(), CopyError> {
        let (answer, heard) = oneshot::channel();
        let from = from.to_owned();
        copied(self.order(Order::PutBack { from, answer }), heard).await
    }

    /// How much was written so far.
    pub fn counts(&self) -> Counts {
        Counts {
            lists: self.0.tally.lists.load(Ordering::Relaxed),
            commits: self.0.tally.commits.load(Ordering::Relaxed),
        }
    }

    /// Handles by kind and value above `after`, at most `limit`, each with whose it is: to hold
    /// what accounts say they are known by against where that leads.
    ///
    /// # Errors
    /// The database's faults.
    pub fn handles_after(
        &self,
        after: (&str, &str),
        limit: usize,
    ) -> Result<Vec<(String, String, UserId)>, Fault> {
        self.read("walk the handles", |db| {
            read::handles_after(db, after, limit)
        })
    }

    fn read<T>(
        &self,
        what: &'static str,
        read: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, Fault> {
        self.0.source.read(read).map_err(|e| Fault::from(what, e))
    }

    fn order(&self, order: Order) -> Result<(), Fault> {
        self.0.orders.try_send(order).map_err(|e| {
            Fault::new(match e {
                TrySendError::Full(_) => "too many commits wait for the database",
                TrySendError::Disconnected(_) => "the store is closed",
            })
        })
    }
}

/// What the writer says of a copy.
async fn copied(
    ordered: Result<(), Fault>,
    heard: oneshot::Receiver<Result<(), CopyError>>,
) -> Result<(), CopyError> {
    ordered?;
    let gone = |_| Err(Fault::new("the store's writer is gone").into());
    heard.await.unwrap_or_else(gone)
}

#[async_trait]
impl Store for SqliteStore {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, Fault> {
        self.read(
            "read a client",
            |db| Ok(read::client(db, id)?.map(Arc::new)),
        )
    }

    async fn developer(&self, id: DeveloperId) -> Result<Option<Arc<Developer>>, Fault> {
        self.read("read a developer", |db| {
            Ok(read::developer(db, id)?.map(Arc::new))
        })
    }

    async fn user(&self, key: UserKey<'_>) -> Result<Option<Arc<User>>, Fault> {
        self.read("read a user", |db| Ok(read::user(db, key)?.map(Arc::new)))
    }

    async fn grant(&self, key: GrantKey<'_>) -> Result<Option<Arc<Grant>>, Fault> {
        self.read("read a grant", |db| Ok(read::grant(db, key)?.map(Arc::new)))
    }

    async fn subject(&self, user: UserId, sector: &Sector) -> Result<Option<Subject>, Fault> {
        self.read("read a subject", |db| read::subject(db, user, sector))
    }

    async fn ticket(&self, kind: Kind, number: Number) -> Result<Option<Arc<RawTicket>>, Fault> {
        self.read("read a ticket", |db| {
            Ok(read::ticket(db, kind, number)?.map(Arc::new))
        })
    }

    async fn tickets_of(&self, user: UserId, kind: Kind) -> Result<Vec<RawTicket>, Fault> {
        self.read("list the tickets of a user", |db| {
            read::tickets_of(db, user, kind)
        })
    }

    async fn keys(&self) -> Result<Vec<Key>, Fault> {
        self.read("read the keys", read::keys)
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<(), Clash> {
        let (answer, heard) = oneshot::channel();
        self.order(Order::Commit(Job { changes, answer }))
            .map_err(Clash::Failed)?;
        // Without an answer the writer may have come to any point.
        heard
            .await
            .unwrap_or_else(|_| Err(Clash::Unknown(Fault::new("the store's writer is gone"))))
    }
}

#[async_trait]
impl Browse for SqliteStore {
    async fn developers(&self) -> Result<Vec<Developer>, Fault> {
        self.read("list the developers", read::developers)
    }

    async fn clients(&self) -> Result<Vec<Client>, Fault> {
        self.read("list the clients", read::clients)
    }

    async fn users(&self, limit: usize) -> Result<Vec<User>, Fault> {
        self.read("list the users", |db| read::users(db, limit))
    }

    async fn grants_of(&self, user: UserId) -> Result<Vec<Grant>, Fault> {
        self.read("list the grants", |db| read::grants_of(db, user))
    }

    async fn letters(&self, limit: usize) -> Result<Vec<Letter>, Fault> {
        self.read("list the letters", |db| read::letters(db, limit))
    }

    async fn notices(&self, now: Timestamp, limit: usize) -> Result<Vec<Notice>, Fault> {
        self.read("list the notices", |db| read::notices(db, now, limit))
    }

    async fn dead_notices(&self, limit: usize) -> Result<Vec<Notice>, Fault> {
        self.read("list the dead notices", |db| read::dead_notices(db, limit))
    }

    async fn due(&self, kind: Kind, now: Timestamp, limit: usize) -> Result<Vec<RawTicket>, Fault> {
        self.read("list what is due", |db| read::due(db, kind, now, limit))
    }

    async fn tickets(
        &self,
        kind: Kind,
        after: Option<Number>,
        limit: usize,
    ) -> Result<Vec<RawTicket>, Fault> {
        self.read("walk the tickets", |db| {
            read::tickets(db, kind, after, limit)
        })
    }

    async fn users_after(&self, after: Option<UserId>, limit: usize) -> Result<Vec<User>, Fault> {
        self.read("walk the users", |db| read::users_after(db, after, limit))
    }

    async fn events_of(&self, user: UserId, limit: usize) -> Result<Vec<Event>, Fault> {
        self.read("list a user's events", |db| {
            read::events_of(db, user, limit)
        })
    }

    async fn events(&self, limit: usize) -> Result<Vec<Event>, Fault> {
        self.read("list the events", |db| read::events(db, limit))
    }

    async fn sweep(&self, now: Timestamp, events_before: Timestamp) -> Result<u64, Fault> {
        let (answer, heard) = oneshot::channel();
        self.order(Order::Sweep {
            now,
            events_before,
            answer,
        })?;
        heard
            .await
            .unwrap_or_else(|_| Err(Fault::new("the store's writer is gone")))
    }
}

impl Feed for SqliteStore {
    fn listen(&self, listener: Arc<dyn Listener>) {
        self.0.hearing.listen(listener);
    }

    fn is_heard(&self) -> bool {
        self.0.hearing.is_heard()
    }
}
