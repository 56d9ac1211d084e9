//! A store in front of a store: keeps what is read again and again.
//!
//! It is filled by what was committed, never by what was hoped for. What a commit touches is
//! dropped after the commit and before its answer; a read that began earlier cannot put the old
//! value back, because dropping a key also drops the place that the read had reserved for it. What
//! other processes touch is heard over the [`Feed`]; while that is silent, nothing kept is served.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use quick_cache::sync::Cache;
use yufu_core::client::{Client, Developer};
use yufu_core::grant::Grant;
use yufu_core::id::{ClientId, DeveloperId, GrantId, Number, UserId};
use yufu_core::keyring::Key;
use yufu_core::refusal::Fault;
use yufu_core::store::{Browse, Change, Clash, Event, GrantKey, Letter, Notice, Store, UserKey};
use yufu_core::subject::{Sector, Subject};
use yufu_core::ticket::{Kind, RawTicket};
use yufu_core::time::Timestamp;
use yufu_core::user::User;

use crate::feed::{Feed, Listener, Touched, is_kept};

/// How many groups the families are sorted into. A revoked family makes the kept tickets of its
/// group be read again, so more groups mean fewer such reads.
const GROUPS: usize = 4096;

/// A store whose hot records are kept in memory.
pub struct Cached<S> {
    inner: S,
    kept: Arc<Kept>,
}

struct Kept {
    tickets: Cache<(Kind, Number), KeptTicket>,
    clients: Cache<ClientId, Arc<Client>>,
    developers: Cache<DeveloperId, Arc<Developer>>,
    users: Cache<UserId, Arc<User>>,
    grants: Cache<GrantId, Arc<Grant>>,
    families: Families,
}

/// A ticket and the moment, in revocations, from before it was read.
#[derive(Clone)]
struct KeptTicket {
    raw: Arc<RawTicket>,
    moment: u64,
}

/// When a family was last revoked, by groups. A family has no list of its members here: its
/// revocation makes every ticket of its group that was read before it unfit, at no cost and
/// without a gap through which a read that is under way could slip.
struct Families {
    moment: AtomicU64,
    groups: Vec<AtomicU64>,
}

impl Families {
    fn new() -> Self {
        Self {
            moment: AtomicU64::new(1),
            groups: (0..GROUPS).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    fn moment(&self) -> u64 {
        self.moment.load(Ordering::SeqCst)
    }

    fn revoke(&self, family: Number) {
        // What is read from here on carries the new moment and sees the revocation.
        let moment = self.moment.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(group) = self.group(family) {
            group.fetch_max(moment, Ordering::SeqCst);
        }
    }

    fn is_fit(&self, kept: &KeptTicket) -> bool {
        kept.raw.ticket.family.is_none_or(|family| {
            self.group(family)
                .is_some_and(|group| group.load(Ordering::SeqCst) <= kept.moment)
        })
    }

    fn group(&self, family: Number) -> Option<&AtomicU64> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(family);
        self.groups.get(hash as usize % GROUPS)
    }
}

impl<S: Store + Browse + Feed> Cached<S> {
    /// Keeps up to `entries` tickets, and a quarter of that of each other record.
    pub fn new(inner: S, entries: usize) -> Self {
        let fewer = (entries / 4).max(16);
        let kept = Arc::new(Kept {
            tickets: Cache::new(entries.max(16)),
            clients: Cache::new(fewer),
            developers: Cache::new(fewer),
            users: Cache::new(fewer),
            grants: Cache::new(fewer),
            families: Families::new(),
        });
        inner.listen(Arc::clone(&kept) as Arc<dyn Listener>);
        Self { inner, kept }
    }

    /// The store behind it.
    pub fn inner(&self) -> &S {
        &self.inner
    }
}

impl Listener for Kept {
    fn committed(&self, changes: &[Change]) {
        for change in changes {
            if let Some(touched) = Touched::by(change) {
                self.touched(&touched);
            } else if let Change::Issue(raw) = change
                && is_kept(raw.kind)
            {
                let kept = KeptTicket {
                    raw: Arc::new(raw.clone()),
                    moment: self.families.moment(),
                };
                self.tickets.insert((raw.kind, raw.ticket.number), kept);
            }
        }
    }

    fn touched(&self, touched: &Touched) {
        match touched {
            Touched::Ticket(kind, number) => drop(self.tickets.remove(&(*kind, *number))),
            Touched::Family(family) => self.families.revoke(*family),
            Touched::Client(id) => drop(self.clients.remove(id)),
            Touched::Developer(id) => drop(self.developers.remove(id)),
            Touched::User(id) => drop(self.users.remove(id)),
            Touched::Grant(id) => drop(self.grants.remove(id)),
        }
    }

    fn lost(&self) {
        self.tickets.clear();
        self.clients.clear();
        self.developers.clear();
        self.users.clear();
        self.grants.clear();
    }
}

/// The kept value, or the one that `read` finds, which is then kept unless its key was dropped
/// while `read` ran. What does not exist is not kept.
macro_rules! kept {
    ($store:expr, $cache:ident, $key:expr, $read:expr) => {{
        if !$store.inner.is_heard() {
            return $read.await;
        }
        match $store.kept.$cache.get_value_or_guard_async($key).await {
            Ok(value) => Ok(Some(value)),
            Err(place) => {
                let value = $read.await?;
                if let Some(value) = &value {
                    // Fails when the key was dropped meanwhile; the next read keeps it.
                    let _ = place.insert(Arc::clone(value));
                }
                Ok(value)
            }
        }
    }};
}

#[async_trait]
impl<S: Store + Browse + Feed> Store for Cached<S> {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, Fault> {
        kept!(self, clients, id, self.inner.client(id))
    }

    async fn developer(&self, id: DeveloperId) -> Result<Option<Arc<Developer>>, Fault> {
        kept!(self, developers, &id, self.inner.developer(id))
    }

    async fn user(&self, key: UserKey<'_>) -> Result<Option<Arc<User>>, Fault> {
        match key {
            UserKey::Id(id) => kept!(self, users, &id, self.inner.user(key)),
            UserKey::Handle(_) => self.inner.user(key).await,
        }
    }

    async fn grant(&self, key: GrantKey<'_>) -> Result<Option<Arc<Grant>>, Fault> {
        match key {
            GrantKey::Id(id) => kept!(self, grants, &id, self.inner.grant(key)),
            GrantKey::Standing(..) => self.inner.grant(key).await,
        }
    }

    async fn subject(&self, user: UserId, sector: &Sector) -> Result<Option<Subject>, Fault> {
        self.inner.subject(user, sector).await
    }

    async fn ticket(&self, kind: Kind, number: Number) -> Result<Option<Arc<RawTicket>>, Fault> {
        if !is_kept(kind) || !self.inner.is_heard() {
            return self.inner.ticket(kind, number).await;
        }
        let (tickets, families) = (&self.kept.tickets, &self.kept.families);
        let key = (kind, number);
        loop {
            match tickets.get_value_or_guard_async(&key).await {
                Ok(kept) if families.is_fit(&kept) => return Ok(Some(kept.raw)),
                Ok(unfit) => {
                    tickets.remove_if(&key, |kept| kept.moment == unfit.moment);
                }
                Err(place) => {
                    let moment = families.moment();
                    let raw = self.inner.ticket(kind, number).await?;
                    if let Some(raw) = &raw {
                        let raw = Arc::clone(raw);
                        // Fails when the key was dropped meanwhile; the next read keeps it.
                        let _ = place.insert(KeptTicket { raw, moment });
                    }
                    return Ok(raw);
                }
            }
        }
    }

    async fn tickets_of(&self, user: UserId, kind: Kind) -> Result<Vec<RawTicket>, Fault> {
        self.inner.tickets_of(user, kind).await
    }

    async fn keys(&self) -> Result<Vec<Key>, Fault> {
        self.inner.keys().await
    }

    /// What was committed is heard over the feed, also when this future is dropped.
    ///
    /// A race that was lost to another process may be lost because of what is kept here, before
    /// the feed tells of it: what the list was about is read anew in the next round.
    async fn commit(&self, changes: Vec<Change>) -> Result<(), Clash> {
        let about: Vec<Touched> = changes.iter().filter_map(Touched::by).collect();
        let outcome = self.inner.commit(changes).await;
        if let Err(Clash::Taken(..) | Clash::Exists | Clash::Stale) = outcome {
            for touched in &about {
                self.kept.touched(touched);
            }
        }
        outcome
    }
}

#[async_trait]
impl<S: Store + Browse + Feed> Browse for Cached<S> {
    async fn developers(&self) -> Result<Vec<Developer>, Fault> {
        self.inner.developers().await
    }

    async fn clients(&self) -> Result<Vec<Client>, Fault> {
        self.inner.clients().await
    }

    async fn users(&self, limit: usize) -> Result<Vec<User>, Fault> {
        self.inner.users(limit).await
    }

    async fn grants_of(&self, user: UserId) -> Result<Vec<Grant>, Fault> {
        self.inner.grants_of(user).await
    }

    async fn letters(&self, limit: usize) -> Result<Vec<Letter>, Fault> {
        self.inner.letters(limit).await
    }

    async fn notices(&self, now: Timestamp, limit: usize) -> Result<Vec<Notice>, Fault> {
        self.inner.notices(now, limit).await
    }

    async fn dead_notices(&self, limit: usize) -> Result<Vec<Notice>, Fault> {
        self.inner.dead_notices(limit).await
    }

    async fn due(&self, kind: Kind, now: Timestamp, limit: usize) -> Result<Vec<RawTicket>, Fault> {
        self.inner.due(kind, now, limit).await
    }

    async fn tickets(
        &self,
        kind: Kind,
        after: Option<Number>,
        limit: usize,
    ) -> Result<Vec<RawTicket>, Fault> {
        self.inner.tickets(kind, after, limit).await
    }

    async fn users_after(&self, after: Option<UserId>, limit: usize) -> Result<Vec<User>, Fault> {
        self.inner.users_after(after, limit).await
    }

    async fn events_of(&self, user: UserId, limit: usize) -> Result<Vec<Event>, Fault> {
        self.inner.events_of(user, limit).await
    }

    async fn events(&self, limit: usize) -> Result<Vec<Event>, Fault> {
        self.inner.events(limit).await
    }

    async fn sweep(&self, now: Timestamp, events_before: Timestamp) -> Result<u64, Fault> {
        self.inner.sweep(now, events_before).await
    }
}
