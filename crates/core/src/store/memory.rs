//! A store in memory: the executable meaning of the port, for tests and for the model that other
//! stores are compared with.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::client::{Client, Developer};
use crate::grant::Grant;
use crate::id::{ClientId, DeveloperId, GrantId, Number, UserId};
use crate::keyring::Key;
use crate::refusal::Fault;
use crate::store::{
    Browse, Change, Clash, Event, GrantKey, Letter, Notice, Record, Store, UserKey,
};
use crate::subject::{Sector, Subject};
use crate::ticket::{Kind, RawTicket};
use crate::time::Timestamp;
use crate::user::User;

/// Keeps everything in maps behind one lock; gone with the process.
#[derive(Default)]
pub struct MemoryStore(Mutex<Maps>);

#[derive(Clone, Default)]
struct Maps {
    clients: BTreeMap<ClientId, Arc<Client>>,
    developers: BTreeMap<DeveloperId, Arc<Developer>>,
    users: BTreeMap<UserId, Arc<User>>,
    handles: HashMap<(&'static str, String), UserId>,
    grants: BTreeMap<GrantId, Arc<Grant>>,
    standing: HashMap<(UserId, ClientId), GrantId>,
    subjects: HashMap<(UserId, Sector), Subject>,
    subject_owners: HashMap<(Sector, Subject), UserId>,
    tickets: HashMap<(Kind, Number), Arc<RawTicket>>,
    families: HashMap<Number, Vec<(Kind, Number)>>,
    keys: BTreeMap<u8, Key>,
    letters: BTreeMap<Number, Letter>,
    notices: BTreeMap<Number, Notice>,
    events: BTreeMap<Number, Event>,
}

/// What takes a change back.
type Undo = Box<dyn FnOnce(&mut Maps)>;

impl MemoryStore {
    fn maps(&self) -> MutexGuard<'_, Maps> {
        // A panic while the lock was held cannot leave half a list: undo runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts a value into a map and remembers what to put back.
macro_rules! set {
    ($maps:ident, $undo:ident, $map:ident, $key:expr, $value:expr) => {{
        let key = $key;
        let before = $maps.$map.insert(key.clone(), $value);
        $undo.push(Box::new(move |maps: &mut Maps| {
            match before {
                Some(before) => maps.$map.insert(key, before),
                None => maps.$map.remove(&key),
            };
        }));
    }};
}

macro_rules! unset {
    ($maps:ident, $undo:ident, $map:ident, $key:expr) => {{
        let key = $key;
        if let Some(before) = $maps.$map.remove(&key) {
            $undo.push(Box::new(move |maps: &mut Maps| {
                maps.$map.insert(key, before);
            }));
        }
    }};
}

impl Maps {
    fn apply(&mut self, change: Change, undo: &mut Vec<Undo>) -> Result<(), Clash> {
        match change {
            Change::Take { kind, number, at } => {
                let mut raw = self.live(kind, number, Clash::Taken(kind, number))?;
                raw.ticket.taken_at = Some(at);
                set!(self, undo, tickets, (kind, number), Arc::new(raw));
            }
            Change::Issue(raw) => {
                let key = (raw.kind, raw.ticket.number);
                if self.tickets.contains_key(&key) {
                    return Err(Clash::Exists);
                }
                if let Some(family) = raw.ticket.family {
                    let mut members = self.families.get(&family).cloned().unwrap_or_default();
                    members.push(key);
                    set!(self, undo, families, family, members);
                }
                set!(self, undo, tickets, key, Arc::new(raw));
            }
            Change::Extend {
                kind,
                number,
                expires_at,
            } => {
                let mut raw = self.live(kind, number, Clash::Stale)?;
                raw.ticket.expires_at = expires_at;
                set!(self, undo, tickets, (kind, number), Arc::new(raw));
            }
            Change::Amend {
                kind,
                number,
                version,
                body,
                expires_at,
            } => {
                let mut raw = self.live(kind, number, Clash::Stale)?;
                if raw.ticket.version != version {
                    return Err(Clash::Stale);
                }
                raw.ticket.version += 1;
                raw.ticket.body = body;
                raw.ticket.expires_at = expires_at;
                set!(self, undo, tickets, (kind, number), Arc::new(raw));
            }
            Change::Revoke { kind, number, at } => self.revoke(kind, number, at, undo),
            Change::RevokeFamily { family, at } => {
                for (kind, number) in self.families.get(&family).cloned().unwrap_or_default() {
                    self.revoke(kind, number, at, undo);
                }
            }
            Change::Put(record) => self.put(record, undo)?,
            Change::DropHandle(handle, user) => {
                let (kind, value) = handle.parts();
                let key = (kind, value.to_owned());
                if self.handles.get(&key) == Some(&user) {
                    unset!(self, undo, handles, key);
                }
            }
            Change::Post(letter) => {
                if self.letters.contains_key(&letter.number) {
                    return Err(Clash::Exists);
                }
                set!(self, undo, letters, letter.number, letter);
            }
            Change::Delivered(number) => unset!(self, undo, letters, number),
            Change::Notify(notice) => {
                if self.notices.contains_key(&notice.number) {
                    return Err(Clash::Exists);
                }
                set!(self, undo, notices, notice.number, notice);
            }
            Change::Renotify(notice) => {
                if self.notices.contains_key(&notice.number) {
                    set!(self, undo, notices, notice.number, notice);
                }
            }
            Change::Notified(number) => unset!(self, undo, notices, number),
            Change::Record(event) => {
                if self.events.contains_key(&event.number) {
                    return Err(Clash::Exists);
                }
                set!(self, undo, events, event.number, event);
            }
        }
        Ok(())
    }

    fn live(&self, kind: Kind, number: Number, clash: Clash) -> Result<RawTicket, Clash> {
        match self.tickets.get(&(kind, number)) {
            Some(raw) if raw.ticket.taken_at.is_none() && raw.ticket.revoked_at.is_none() => {
                Ok(RawTicket::clone(raw))
            }
            _ => Err(clash),
        }
    }

    fn revoke(&mut self, kind: Kind, number: Number, at: Timestamp, undo: &mut Vec<Undo>) {
        if let Some(raw) = self.tickets.get(&(kind, number)) {
            let mut raw = RawTicket::clone(raw);
            if raw.ticket.revoked_at.is_none() {
                raw.ticket.revoked_at = Some(at);
                set!(self, undo, tickets, (kind, number), Arc::new(raw));
            }
        }
    }

    fn put(&mut self, record: Record, undo: &mut Vec<Undo>) -> Result<(), Clash> {
        match record {
            Record::Client(client) => {
                let before = self.clients.get(&client.id).map(|before| before.version);
                succeeds(before, client.version)?;
                set!(self, undo, clients, client.id.clone(), Arc::new(client));
            }
            Record::Developer(developer) => {
                set!(self, undo, developers, developer.id, Arc::new(developer));
            }
            Record::User(user) => {
                let before = self.users.get(&user.id).map(|before| before.version);
                succeeds(before, user.version)?;
                set!(self, undo, users, user.id, Arc::new(user));
            }
            Record::Handle(handle, user) => {
                let (kind, value) = handle.parts();
                let key = (kind, value.to_owned());
                match self.handles.get(&key) {
                    Some(owner) if *owner != user => return Err(Clash::Exists),
                    Some(_) => {}
                    None => set!(self, undo, handles, key, user),
                }
            }
            Record::Grant(grant) => {
                let before = self.grants.get(&grant.id).map(|before| before.version);
                succeeds(before, grant.version)?;
                let pair = (grant.user, grant.client.clone());
                let standing = self.standing.get(&pair).copied();
                if grant.stands() {
                    if standing.is_some_and(|id| id != grant.id) {
                        return Err(Clash::Exists);
                    }
                    set!(self, undo, standing, pair, grant.id);
                } else if standing == Some(grant.id) {
                    unset!(self, undo, standing, pair);
                }
                set!(self, undo, grants, grant.id, Arc::new(grant));
            }
            Record::Subject(user, sector, subject) => {
                let owner = (sector.clone(), subject.clone());
                if self.subjects.contains_key(&(user, sector.clone()))
                    || self.subject_owners.contains_key(&owner)
                {
                    return Err(Clash::Exists);
                }
                set!(self, undo, subject_owners, owner, user);
                set!(self, undo, subjects, (user, sector), subject);
            }
            Record::Key(key) => {
                if self.keys.contains_key(&key.version) {
                    return Err(Clash::Exists);
                }
                set!(self, undo, keys, key.version, key);
            }
        }
        Ok(())
    }
}

/// Whether a version may follow what is stored.
fn succeeds(before: Option<u32>, version: u32) -> Result<(), Clash> {
    match (before, version) {
        (None, 1) => Ok(()),
        (Some(_), 1) => Err(Clash::Exists),
        (Some(before), version) if before + 1 == version => Ok(()),
        _ => Err(Clash::Stale),
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, Fault> {
        Ok(self.maps().clients.get(id).cloned())
    }

    async fn developer(&self, id: DeveloperId) -> Result<Option<Arc<Developer>>, Fault> {
        Ok(self.maps().developers.get(&id).cloned())
    }

    async fn user(&self, key: UserKey<'_>) -> Result<Option<Arc<User>>, Fault> {
        let maps = self.maps();
        let id = match key {
            UserKey::Id(id) => Some(id),
            UserKey::Handle(handle) => {
                let (kind, value) = handle.parts();
                maps.handles.get(&(kind, value.to_owned())).copied()
            }
        };
        Ok(id.and_then(|id| maps.users.get(&id).cloned()))
    }

    async fn grant(&self, key: GrantKey<'_>) -> Result<Option<Arc<Grant>>, Fault> {
        let maps = self.maps();
        let id = match key {
            GrantKey::Id(id) => Some(id),
            GrantKey::Standing(user, client) => maps.standing.get(&(user, client.clone())).copied(),
        };
        Ok(id.and_then(|id| maps.grants.get(&id).cloned()))
    }

    async fn subject(&self, user: UserId, sector: &Sector) -> Result<Option<Subject>, Fault> {
        Ok(self.maps().subjects.get(&(user, sector.clone())).cloned())
    }

    async fn ticket(&self, kind: Kind, number: Number) -> Result<Option<Arc<RawTicket>>, Fault> {
        Ok(self.maps().tickets.get(&(kind, number)).cloned())
    }

    async fn tickets_of(&self, user: UserId, kind: Kind) -> Result<Vec<RawTicket>, Fault> {
        let maps = self.maps();
        let mut found: Vec<_> = maps
            .tickets
            .values()
            .filter(|raw| raw.kind == kind && raw.ticket.user == Some(user))
            .map(|raw| RawTicket::clone(raw))
            .collect();
        found.sort_by_key(|raw| raw.ticket.number);
        Ok(found)
    }

    async fn keys(&self) -> Result<Vec<Key>, Fault> {
        Ok(self.maps().keys.values().cloned().collect())
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<(), Clash> {
        let mut maps = self.maps();
        let mut undo = Vec::new();
        for change in changes {
            if let Err(clash) = maps.apply(change, &mut undo) {
                for step in undo.into_iter().rev() {
                    step(&mut maps);
                }
                return Err(clash);
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Browse for MemoryStore {
    async fn developers(&self) -> Result<Vec<Developer>, Fault> {
        let mut all: Vec<_> = self
            .maps()
            .developers
            .values()
            .map(|d| Developer::clone(d))
            .collect();
        all.sort_by_key(|developer| (developer.created_at, developer.id));
        Ok(all)
    }

    async fn clients(&self) -> Result<Vec<Client>, Fault> {
        let mut all: Vec<_> = self
            .maps()
            .clients
            .values()
            .map(|c| Client::clone(c))
            .collect();
        all.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(all)
    }

    async fn users(&self, limit: usize) -> Result<Vec<User>, Fault> {
        let mut all: Vec<_> = self.maps().users.values().map(|u| User::clone(u)).collect();
        all.sort_by_key(|user| (user.created_at, user.id));
        all.truncate(limit);
        Ok(all)
    }

    async fn grants_of(&self, user: UserId) -> Result<Vec<Grant>, Fault> {
        let mut all: Vec<_> = self
            .maps()
            .grants
            .values()
            .filter(|grant| grant.user == user && grant.stands())
            .map(|grant| Grant::clone(grant))
            .collect();
        all.sort_by_key(|grant| std::cmp::Reverse((grant.updated_at, grant.id)));
        Ok(all)
    }

    async fn letters(&self, limit: usize) -> Result<Vec<Letter>, Fault> {
        Ok(self.maps().letters.values().take(limit).cloned().collect())
    }

    async fn notices(&self, now: Timestamp, limit: usize) -> Result<Vec<Notice>, Fault> {
        let maps = self.maps();
        let due = maps.notices.values();
        let due = due.filter(|notice| !notice.dead && notice.due_at <= now);
        Ok(due.take(limit).cloned().collect())
    }

    async fn dead_notices(&self, limit: usize) -> Result<Vec<Notice>, Fault> {
        let maps = self.maps();
        let dead = maps.notices.values().filter(|notice| notice.dead);
        Ok(dead.take(limit).cloned().collect())
    }

    async fn due(&self, kind: Kind, now: Timestamp, limit: usize) -> Result<Vec<RawTicket>, Fault> {
        let maps = self.maps();
        let due = maps.tickets.values().filter(|raw| {
            let ticket = &raw.ticket;
            let open = ticket.taken_at.is_none() && ticket.revoked_at.is_none();
            raw.kind == kind && open && ticket.expires_at <= now
        });
        let mut due: Vec<_> = due.map(|raw| RawTicket::clone(raw)).collect();
        due.sort_by_key(|raw| (raw.ticket.expires_at, raw.ticket.number));
        due.truncate(limit);
        Ok(due)
    }

    async fn tickets(
        &self,
        kind: Kind,
        after: Option<Number>,
        limit: usize,
    ) -> Result<Vec<RawTicket>, Fault> {
        let maps = self.maps();
        let mut found: Vec<_> = maps
            .tickets
            .values()
            .filter(|raw| raw.kind == kind && after.is_none_or(|after| raw.ticket.number > after))
            .map(|raw| RawTicket::clone(raw))
            .collect();
        found.sort_by_key(|raw| raw.ticket.number);
        found.truncate(limit);
        Ok(found)
    }

    async fn users_after(&self, after: Option<UserId>, limit: usize) -> Result<Vec<User>, Fault> {
        let maps = self.maps();
        let users = maps.users.values();
        let users = users.filter(|user| after.is_none_or(|after| user.id > after));
        Ok(users.take(limit).map(|user| User::clone(user)).collect())
    }

    async fn events_of(&self, user: UserId, limit: usize) -> Result<Vec<Event>, Fault> {
        let maps = self.maps();
        let events = maps.events.values().rev();
        let events = events.filter(|event| event.user == Some(user));
        Ok(events.take(limit).cloned().collect())
    }

    async fn events(&self, limit: usize) -> Result<Vec<Event>, Fault> {
        Ok(self
            .maps()
            .events
            .values()
            .rev()
            .take(limit)
            .cloned()
            .collect())
    }

    async fn sweep(&self, now: Timestamp, events_before: Timestamp) -> Result<u64, Fault> {
        let mut maps = self.maps();
        let before = maps.tickets.len() + maps.events.len();
        maps.tickets
            .retain(|(kind, _), raw| raw.ticket.expires_at.plus(kind.retention()) > now);
        let Maps {
            families, tickets, ..
        } = &mut *maps;
        families.retain(|_, members| {
            members.retain(|key| tickets.contains_key(key));
            !members.is_empty()
        });
        maps.events.retain(|_, event| event.at >= events_before);
        Ok((before - maps.tickets.len() - maps.events.len()) as u64)
    }
}
