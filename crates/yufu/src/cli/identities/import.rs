//! Brings accounts in, so that the same rows twice are the rows once.
//!
//! The database is the index: the account of an old user id is found by an id that is made of it,
//! and every handle is asked for before it is given away. So rows of one user need not stand
//! together, an import that was cut off is simply begun again, and memory holds one list of
//! changes, however long the export is. Only a dry run, which leaves nothing in the database to ask
//! for, remembers a number for each handle.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use yufu_core::id::UserId;
use yufu_core::identity::{Identity, IdentityKey, Person};
use yufu_core::refusal::Fault;
use yufu_core::secret::{Entropy, Layout};
use yufu_core::store::{Change, Clash, Event, Record, Store, UserKey};
use yufu_core::time::Timestamp;
use yufu_core::user::{Handle, Phone, User, UserStatus};

use super::entry::{Complaint, Entry, UNKEYED, What, account_of, is_imported};

/// About how many changes go into one list. Keys come in no order, so each list touches pages
/// everywhere, and larger lists touch each page fewer times. Still larger ones would keep the
/// logins of a house waiting that is in use.
const LIST: usize = 10_000;
/// How often a list is made anew when somebody else wrote in between.
const ROUNDS: u32 = 16;
/// How far an account is followed that was merged, and its heir merged again.
const HOPS: u32 = 16;

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Rows that were read.
    pub(crate) rows: u64,
    /// Rows that are about nothing of ours.
    pub(crate) skipped: u64,
    /// Accounts that were made.
    pub(crate) made: u64,
    /// Accounts that were there and got something new.
    pub(crate) changed: u64,
    /// Accounts that were there and had everything.
    pub(crate) same: u64,
    /// Identities that were given.
    pub(crate) identities: u64,
    /// Of those, the ones without an app.
    pub(crate) unkeyed: u64,
    /// Numbers that were given.
    pub(crate) phones: u64,
    /// What was wrong, by what it was.
    pub(crate) complaints: BTreeMap<What, u64>,
}

/// Two accounts that seem to be one person's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) from: UserId,
    pub(crate) to: UserId,
    pub(crate) why: &'static str,
}

/// What an import tells as it goes.
pub(crate) trait Told {
    /// Something is wrong with a row.
    fn complaint(&mut self, complaint: Complaint);
    /// Two accounts seem to be one person's.
    fn pair(&mut self, pair: Pair);
}

/// The rows of one user in one list.
struct Group {
    id: UserId,
    user: String,
    line: u64,
    identities: Vec<(u64, Identity)>,
    phone: Option<(u64, Phone)>,
    nickname: String,
    avatar: String,
    created_at: Option<Timestamp>,
    seen_at: Option<Timestamp>,
    disabled: bool,
    /// How many rows of it were complained of.
    faults: usize,
}

/// An import under way.
pub(crate) struct Importer<'a> {
    store: &'a dyn Store,
    entropy: &'a dyn Entropy,
    source: String,
    now: Timestamp,
    dry: Option<HashMap<u64, UserId>>,
    groups: Vec<Group>,
    places: HashMap<UserId, usize>,
    weight: usize,
    lines: (u64, u64),
    counts: Counts,
}

impl<'a> Importer<'a> {
    /// Begins. `source` names whose old ids these are.
    pub(crate) fn new(
        store: &'a dyn Store,
        entropy: &'a dyn Entropy,
        source: &str,
        dry: bool,
        now: Timestamp,
    ) -> Self {
        Self {
            store,
            entropy,
            source: source.to_owned(),
            now,
            dry: dry.then(HashMap::new),
            groups: Vec::new(),
            places: HashMap::new(),
            weight: 0,
            lines: (0, 0),
            counts: Counts::default(),
        }
    }

    /// Counts a row that was read.
    pub(crate) fn row(&mut self, is_ours: bool) {
        self.counts.rows += 1;
        self.counts.skipped += u64::from(!is_ours);
    }

    /// Counts something that is wrong.
    pub(crate) fn complain(&mut self, complaint: Complaint, told: &mut dyn Told) {
        *self.counts.complaints.entry(complaint.what).or_default() += 1;
        told.complaint(complaint);
    }

    /// Takes what a row gives; commits when a list is full.
    pub(crate) async fn take(&mut self, entry: Entry, told: &mut dyn Told) -> Result<(), String> {
        self.lines.0 = if self.lines.0 == 0 {
            entry.line
        } else {
            self.lines.0
        };
        self.lines.1 = entry.line;
        self.weight += 1 + 2 * usize::from(entry.identity.is_some());
        self.weight += usize::from(entry.phone.is_some());
        self.gather(entry, told);
        if self.weight >= LIST {
            self.settle(told).await
        } else {
            Ok(())
        }
    }

    /// Ends: what was gathered is committed.
    pub(crate) async fn finish(mut self, told: &mut dyn Told) -> Result<Counts, String> {
        self.settle(told).await?;
        Ok(self.counts)
    }

    fn gather(&mut self, entry: Entry, told: &mut dyn Told) {
        let id = account_of(&self.source, &entry.user);
        let Entry {
            line,
            user,
            identity,
            phone,
            ..
        } = entry;
        let place = *self.places.entry(id).or_insert(self.groups.len());
        if place == self.groups.len() {
            self.groups.push(Group {
                id,
                user: user.clone(),
                line,
                identities: Vec::new(),
                phone: None,
                nickname: String::new(),
                avatar: String::new(),
                created_at: None,
                seen_at: None,
                disabled: false,
                faults: 0,
            });
        }
        let Some(group) = self.groups.get_mut(place) else {
            return;
        };
        let oldest = [group.created_at, entry.created_at]
            .into_iter()
            .flatten()
            .min();
        group.created_at = oldest;
        group.seen_at = group.seen_at.max(entry.seen_at);
        group.disabled |= entry.disabled;
        if group.nickname.is_empty() {
            group.nickname = entry.nickname;
        }
        if group.avatar.is_empty() {
            group.avatar = entry.avatar;
        }
        group
            .identities
            .extend(identity.map(|identity| (line, identity)));
        match (&group.phone, phone) {
            (None, Some(phone)) => group.phone = Some((line, phone)),
            (Some((_, known)), Some(phone)) if *known != phone => {
                group.faults += 1;
                let what = What::OtherPhone;
                self.complain(
                    Complaint {
                        line,
                        user,
                        what,
                        detail: String::new(),
                    },
                    told,
                );
            }
            _ => {}
        }
    }

    /// Commits what was gathered.
    async fn settle(&mut self, told: &mut dyn Told) -> Result<(), String> {
        let groups = std::mem::take(&mut self.groups);
        self.places.clear();
        self.weight = 0;
        let lines = std::mem::take(&mut self.lines);
        if groups.is_empty() {
            return Ok(());
        }
        for _ in 0..ROUNDS {
            let mut list = List::new(self.store, self.dry.as_ref());
            for group in &groups {
                let joined = list.join(group, self.now).await;
                joined.map_err(|fault| failed(lines.0, &fault))?;
            }
            let (mut changes, outcome) = list.end();
            if !changes.is_empty() && self.dry.is_none() {
                changes.push(self.event(lines, &outcome.counts));
                match self.store.commit(changes).await {
                    Ok(()) => {}
                    Err(Clash::Failed(fault) | Clash::Unknown(fault)) => {
                        return Err(failed(lines.0, &fault));
                    }
                    // Somebody logged in or bound a number meanwhile: it is looked at again.
                    Err(_) => continue,
                }
            }
            self.keep(outcome, told);
            return Ok(());
        }
        Err(failed(
            lines.0,
            &Fault::new("others wrote the same accounts all the time"),
        ))
    }

    fn keep(&mut self, outcome: Outcome, told: &mut dyn Told) {
        let Outcome {
            counts,
            complaints,
            pairs,
            claims,
        } = outcome;
        self.counts.made += counts.made;
        self.counts.changed += counts.changed;
        self.counts.same += counts.same;
        self.counts.identities += counts.identities;
        self.counts.unkeyed += counts.unkeyed;
        self.counts.phones += counts.phones;
        for complaint in complaints {
            self.complain(complaint, told);
        }
        for pair in pairs {
            told.pair(pair);
        }
        if let Some(dry) = &mut self.dry {
            dry.extend(claims.iter().map(|(handle, user)| (short(handle), *user)));
        }
    }

    /// The audit's line of a list.
    fn event(&self, (first, last): (u64, u64), counts: &Counts) -> Change {
        let Counts {
            made,
            changed,
            identities,
            phones,
            ..
        } = counts;
        let source = &self.source;
        Change::Record(Event {
            number: Layout::Own.draw_number(self.entropy),
            at: self.now,
            what: "identities.imported".to_owned(),
            user: None,
            client: None,
            detail: format!(
                "{source}, lines {first} to {last}: {made} accounts made, {changed} changed, \
                 {identities} identities, {phones} numbers"
            ),
        })
    }
}

fn failed(line: u64, fault: &Fault) -> String {
    format!(
        "the import stopped before line {line}: {fault}.\n  What was imported stays. Run the same command again: it goes on where it was."
    )
}

/// A handle in a few bytes.
fn short(handle: &Handle) -> u64 {
    let mut hasher = DefaultHasher::new();
    handle.hash(&mut hasher);
    hasher.finish()
}

#[derive(Default)]
struct Outcome {
    counts: Counts,
    complaints: Vec<Complaint>,
    pairs: Vec<Pair>,
    claims: HashMap<Handle, UserId>,
}

/// One list of changes in the making.
struct List<'a> {
    store: &'a dyn Store,
    dry: Option<&'a HashMap<u64, UserId>>,
    /// The accounts that the list is about, as they will be.
    staged: BTreeMap<UserId, Staged>,
    handles: Vec<Change>,
    outcome: Outcome,
}

struct Staged {
    user: User,
    touched: bool,
}

impl<'a> List<'a> {
    fn new(store: &'a dyn Store, dry: Option<&'a HashMap<u64, UserId>>) -> Self {
        Self {
            store,
            dry,
            staged: BTreeMap::new(),
            handles: Vec::new(),
            outcome: Outcome::default(),
        }
    }

    /// The changes: handles that go, accounts, handles that come, as they were found.
    fn end(self) -> (Vec<Change>, Outcome) {
        let touched = self.staged.into_values().filter(|staged| staged.touched);
        let mut changes: Vec<Change> = touched
            .map(|Staged { mut user, .. }| {
                user.version += 1;
                Change::Put(Record::User(user))
            })
            .collect();
        changes.extend(self.handles);
        (changes, self.outcome)
    }

    /// The user of this id, as the list leaves it.
    async fn user(&mut self, id: UserId) -> Result<Option<User>, Fault> {
        if let Some(staged) = self.staged.get(&id) {
            return Ok(Some(staged.user.clone()));
        }
        let user = self.store.user(UserKey::Id(id)).await?;
        Ok(user.map(|user| User::clone(&user)))
    }

    /// Whose a handle is, or will be.
    async fn owner(&self, handle: &Handle) -> Result<Option<UserId>, Fault> {
        if let Some(owner) = self.outcome.claims.get(handle) {
            return Ok(Some(*owner));
        }
        if let Some(owner) = self.dry.and_then(|dry| dry.get(&short(handle))) {
            return Ok(Some(*owner));
        }
        let owner = self.store.user(UserKey::Handle(handle)).await?;
        Ok(owner.map(|user| user.id))
    }

    fn claim(&mut self, handle: Handle, user: UserId) {
        self.handles
            .push(Change::Put(Record::Handle(handle.clone(), user)));
        self.outcome.claims.insert(handle, user);
    }

    fn complain(&mut self, line: u64, group: &Group, what: What, other: Option<UserId>) {
        let detail = other.map_or_else(String::new, |other| other.to_string());
        self.outcome.complaints.push(Complaint {
            line,
            user: group.user.clone(),
            what,
            detail,
        });
    }

    /// Gives a user's account what its rows hold.
    async fn join(&mut self, group: &Group, now: Timestamp) -> Result<(), Fault> {
        let found = self.account(group).await?;
        let is_new = found.is_none();
        let mut user = match found {
            Some(user) if user.status == UserStatus::Deleted => {
                self.complain(group.line, group, What::Gone, None);
                return Ok(());
            }
            Some(user) => user,
            None => new_user(group, now),
        };
        let before = user.clone();
        for (line, identity) in &group.identities {
            self.give(&mut user, *line, identity, group).await?;
        }
        if let Some((line, phone)) = &group.phone {
            self.number(&mut user, *line, phone, group).await?;
        }
        let counts = &mut self.outcome.counts;
        match (is_new, user == before) {
            (true, true) => {
                // One that is not made is no second one.
                self.outcome.pairs.retain(|pair| pair.from != user.id);
                if group.faults == 0
                    && self
                        .outcome
                        .complaints
                        .iter()
                        .all(|it| it.user != group.user)
                {
                    self.complain(group.line, group, What::Nothing, None);
                }
                return Ok(());
            }
            (true, false) => counts.made += 1,
            (false, true) => counts.same += 1,
            (false, false) => counts.changed += 1,
        }
        let touched = user != before;
        let staged = Staged { touched, user };
        match self.staged.get_mut(&staged.user.id) {
            Some(known) => {
                known.touched |= staged.touched;
                known.user = staged.user;
            }
            None => {
                self.staged.insert(staged.user.id, staged);
            }
        }
        Ok(())
    }

    /// The account of a group: the one that an import made for it, or the heir of that; or the one
    /// that the same WeChat login made by itself before the import came.
    async fn account(&mut self, group: &Group) -> Result<Option<User>, Fault> {
        let mut found = self.user(group.id).await?;
        if found.is_none() {
            for (_, identity) in &group.identities {
                let owner = self.owner(&Handle::of(&identity.key)).await?;
                if let Some(owner) = owner.filter(|owner| !is_imported(*owner)) {
                    found = self.user(owner).await?;
                    break;
                }
            }
        }
        for _ in 0..HOPS {
            match found.as_ref().map(|user| user.status) {
                Some(UserStatus::Merged(heir)) => found = self.user(heir).await?,
                _ => break,
            }
        }
        Ok(found)
    }

    /// Gives an account an identity.
    async fn give(
        &mut self,
        user: &mut User,
        line: u64,
        identity: &Identity,
        group: &Group,
    ) -> Result<(), Fault> {
        let at = user
            .identities
            .iter()
            .position(|known| known.key == identity.key);
        if let Some(at) = at {
            return self.fill(user, at, line, identity, group).await;
        }
        let is_unkeyed = identity.key.app.as_str() == UNKEYED;
        if is_unkeyed
            && user
                .identities
                .iter()
                .any(|known| explains(known, &identity.key))
        {
            return Ok(());
        }
        let handle = Handle::of(&identity.key);
        if let Some(other) = self.owner(&handle).await?.filter(|owner| *owner != user.id) {
            self.complain(line, group, What::OpenidTaken, Some(other));
            self.outcome.pairs.push(Pair {
                from: user.id,
                to: other,
                why: "openid",
            });
            return Ok(());
        }
        let at_app = |known: &Identity| known.key.app == identity.key.app;
        if !is_unkeyed && user.identities.iter().any(at_app) {
            self.complain(line, group, What::OtherOpenid, None);
            return Ok(());
        }
        self.supersede(user, identity);
        if let Some(person) = &identity.person {
            self.person(user, line, person, group).await?;
        }
        self.claim(handle, user.id);
        self.outcome.counts.identities += 1;
        self.outcome.counts.unkeyed += u64::from(is_unkeyed);
        user.identities.push(identity.clone());
        Ok(())
    }

    /// An identity that the account has: its person is told if none was.
    async fn fill(
        &mut self,
        user: &mut User,
        at: usize,
        line: u64,
        identity: &Identity,
        group: &Group,
    ) -> Result<(), Fault> {
        let known = user
            .identities
            .get(at)
            .and_then(|known| known.person.clone());
        match (known, &identity.person) {
            (None, Some(person)) => {
                self.person(user, line, person, group).await?;
                if let Some(known) = user.identities.get_mut(at) {
                    known.person = Some(person.clone());
                }
            }
            (Some(known), Some(person)) if known != *person => {
                self.complain(line, group, What::OtherUnionid, None);
            }
            _ => {}
        }
        Ok(())
    }

    /// The handle of a person. Where it is another account's, the identity keeps the unionid and
    /// goes without the handle: both accounts work, and the doctor finds them.
    async fn person(
        &mut self,
        user: &User,
        line: u64,
        person: &Person,
        group: &Group,
    ) -> Result<(), Fault> {
        let handle = Handle::of_person(person);
        match self.owner(&handle).await? {
            None => self.claim(handle, user.id),
            Some(owner) if owner == user.id => {}
            Some(other) => {
                self.complain(line, group, What::UnionidTaken, Some(other));
                self.outcome.pairs.push(Pair {
                    from: user.id,
                    to: other,
                    why: "unionid",
                });
            }
        }
        Ok(())
    }

    /// A key with its app takes the place of the same key without one.
    fn supersede(&mut self, user: &mut User, identity: &Identity) {
        let (gone, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut user.identities)
            .into_iter()
            .partition(|known| known.key.app.as_str() == UNKEYED && explains(identity, &known.key));
        user.identities = kept;
        for known in gone {
            let mut handles = vec![Handle::of(&known.key)];
            // What was kept as a unionid was an openid all along.
            let bogus = known
                .person
                .filter(|person| identity.person.as_ref() != Some(person));
            handles.extend(bogus.as_ref().map(Handle::of_person));
            for handle in handles {
                self.handles
                    .push(Change::DropHandle(handle.clone(), user.id));
                self.outcome.claims.remove(&handle);
            }
        }
    }

    /// Gives an account a number.
    async fn number(
        &mut self,
        user: &mut User,
        line: u64,
        phone: &Phone,
        group: &Group,
    ) -> Result<(), Fault> {
        match &user.phone {
            Some(known) if known == phone => return Ok(()),
            Some(_) => {
                self.complain(line, group, What::OtherPhone, None);
                return Ok(());
            }
            None => {}
        }
        let handle = Handle::Phone(phone.clone());
        match self.owner(&handle).await?.filter(|owner| *owner != user.id) {
            Some(other) => {
                self.complain(line, group, What::PhoneTaken, Some(other));
                self.outcome.pairs.push(Pair {
                    from: user.id,
                    to: other,
                    why: "phone",
                });
            }
            None => {
                self.claim(handle, user.id);
                self.outcome.counts.phones += 1;
                user.phone = Some(phone.clone());
            }
        }
        Ok(())
    }
}

/// Whether an identity with its app is what a key without one stood for.
fn explains(known: &Identity, unkeyed: &IdentityKey) -> bool {
    let subject = &unkeyed.subject;
    let is_person = known
        .person
        .as_ref()
        .is_some_and(|person| person.id == *subject);
    known.key.app.as_str() != UNKEYED && (known.key.subject == *subject || is_person)
}

fn new_user(group: &Group, now: Timestamp) -> User {
    let mut user = User::new(group.id, group.created_at.unwrap_or(now));
    user.version = 0;
    user.profile.nickname.clone_from(&group.nickname);
    user.profile.avatar.clone_from(&group.avatar);
    // Without it the number of everybody old would be suspected to have a new owner.
    user.seen_at = group.seen_at.filter(|at| *at <= now);
    if group.disabled {
        user.status = UserStatus::Restricted;
    }
    user
}
