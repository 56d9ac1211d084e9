//! Looks at all accounts and says who has two, who will, and which keys lead nowhere.
//!
//! Accounts are walked, not kept: of each handle there is a number of eight bytes and its owner's
//! id, so that a million identities take some ten megabytes. What two numbers have in common is
//! looked at again in a second walk, where the texts themselves are compared: a finding is never
//! a chance meeting of hashes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hasher as _};

use yufu_core::id::{ClientId, UserId};
use yufu_core::identity::{Identity, IdentityStatus, Provider};
use yufu_core::time::{Lifetime, Timestamp};
use yufu_core::user::{Handle, Phone, User, UserStatus};

use super::entry::{Scopes, UNKEYED};
use super::plan::Member;

/// What may be wrong with accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum)]
pub(crate) enum Kind {
    /// People who have two accounts.
    Duplicates,
    /// People who will get a second account.
    AtRisk,
    /// Keys that may be an openid or a unionid, of no app.
    Unkeyed,
    /// Accounts whose keys lead elsewhere, and keys that lead to accounts which do not have them.
    Orphans,
    /// Accounts that nobody can enter.
    ShutOut,
    /// Numbers that may have a new owner.
    Silent,
    /// Logins that were withdrawn at the platform.
    Revoked,
}

/// By what it is judged.
pub(crate) struct Rules {
    /// In which accounts unionids mean something.
    pub(crate) scopes: Scopes,
    /// Our apps, beside those that are seen.
    pub(crate) apps: Vec<ClientId>,
    /// How long a number may be silent.
    pub(crate) recycle_after: Lifetime,
    /// When.
    pub(crate) now: Timestamp,
}

/// What a handle is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Class {
    /// An openid of an app.
    Openid,
    /// A unionid of an account.
    Unionid,
    /// A number.
    Phone,
    /// A unionid that was told before another one.
    Former,
}

impl Class {
    /// Those by which two accounts may be one person's.
    const TELLING: [Self; 3] = [Self::Openid, Self::Unionid, Self::Phone];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Openid => "openid",
            Self::Unionid | Self::Former => "unionid",
            Self::Phone => "phone",
        }
    }
}

/// A handle and whose it is by that account's own word. Ordered by the handle.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Mark {
    hash: u64,
    user: UserId,
}

/// What was seen of an app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AppSeen {
    pub(crate) appid: String,
    /// The account it belongs to, by the rules or by what was seen.
    pub(crate) scope: Option<String>,
    /// Identities whose unionid is known.
    pub(crate) told: u64,
    /// Identities whose unionid is not.
    pub(crate) untold: u64,
}

/// An account in which the same person was found again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Component {
    pub(crate) members: Vec<Member>,
    pub(crate) why: BTreeSet<&'static str>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    pub(crate) people: u64,
    pub(crate) identities: u64,
    pub(crate) counts: BTreeMap<Kind, u64>,
    /// By what people have two accounts.
    pub(crate) by: BTreeMap<&'static str, u64>,
    pub(crate) apps: Vec<AppSeen>,
    pub(crate) components: Vec<Component>,
    /// Accounts whose keys lead elsewhere, and those that keys lead to in vain.
    pub(crate) misled: BTreeSet<UserId>,
    pub(crate) strays: BTreeSet<UserId>,
}

impl Findings {
    pub(crate) fn count(&self, kind: Kind) -> u64 {
        self.counts.get(&kind).copied().unwrap_or_default()
    }
}

/// The first walk: what is there.
pub(crate) struct First {
    rules: Rules,
    marks: BTreeMap<Class, Vec<Mark>>,
    apps: Vec<AppSeen>,
    places: HashMap<String, usize>,
    found: Findings,
    text: String,
}

impl First {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            marks: BTreeMap::new(),
            apps: Vec::new(),
            places: HashMap::new(),
            found: Findings::default(),
            text: String::new(),
        }
    }

    /// Sees an account, or in an export a part of one.
    pub(crate) fn see(&mut self, user: &User) {
        if is_gone(user) {
            return;
        }
        self.found.people += 1;
        self.found.identities += user.identities.len() as u64;
        for kind in kinds_of(user, &self.rules) {
            *self.found.counts.entry(kind).or_default() += match kind {
                Kind::Unkeyed => of_app(user, |app| app == UNKEYED),
                Kind::Revoked => user.identities.iter().filter(|it| is_revoked(it)).count() as u64,
                _ => 1,
            };
        }
        if let Some(phone) = &user.phone {
            self.mark(Class::Phone, user.id, |text| spell_phone(text, phone));
        }
        for identity in &user.identities {
            self.mark(Class::Openid, user.id, |text| spell_key(text, identity));
            if let Some(person) = &identity.person {
                self.mark(Class::Unionid, user.id, |text| {
                    spell(
                        text,
                        person.provider.person_word(),
                        &person.scope,
                        &person.id,
                    );
                });
                for former in &identity.former {
                    self.mark(Class::Former, user.id, |text| {
                        spell(text, person.provider.person_word(), &person.scope, former);
                    });
                }
            }
            self.app(identity);
        }
    }

    fn mark(&mut self, class: Class, user: UserId, spell: impl FnOnce(&mut String)) {
        self.text.clear();
        spell(&mut self.text);
        let hash = hash(&self.text);
        self.marks
            .entry(class)
            .or_default()
            .push(Mark { hash, user });
    }

    fn app(&mut self, identity: &Identity) {
        let appid = identity.key.app.as_str();
        if appid == UNKEYED {
            return;
        }
        let place = match self.places.get(appid) {
            Some(place) => *place,
            None => {
                self.places.insert(appid.to_owned(), self.apps.len());
                self.apps.push(AppSeen {
                    appid: appid.to_owned(),
                    scope: self.rules.scopes.of(appid).map(str::to_owned),
                    ..AppSeen::default()
                });
                self.apps.len() - 1
            }
        };
        if let Some(app) = self.apps.get_mut(place) {
            match &identity.person {
                Some(person) => {
                    app.told += 1;
                    if app.scope.is_none() {
                        app.scope = Some(person.scope.clone());
                    }
                }
                None => app.untold += 1,
            }
        }
    }

    /// Ends the walk. The handles as the database has them come next, if there is one.
    pub(crate) fn end(mut self) -> Seen {
        for marks in self.marks.values_mut() {
            marks.sort_unstable();
            // In an export a user has several rows with one number.
            marks.dedup();
        }
        let of_scope = |scope: &str| {
            let seen = self
                .apps
                .iter()
                .filter(|app| app.scope.as_deref() == Some(scope));
            let seen = seen.map(|app| app.appid.as_str());
            let ours = self.rules.apps.iter().map(ClientId::as_str);
            let ours = ours.filter(|app| self.rules.scopes.of(app) == Some(scope));
            let named = self
                .rules
                .scopes
                .of_app
                .iter()
                .filter(|(_, of)| *of == scope);
            let all: BTreeSet<&str> = seen
                .chain(ours)
                .chain(named.map(|it| it.0.as_str()))
                .collect();
            all.len()
        };
        let exposed: HashSet<String> = self
            .apps
            .iter()
            .filter(|app| {
                app.scope
                    .as_deref()
                    .is_some_and(|scope| of_scope(scope) > 1)
            })
            .map(|app| app.appid.clone())
            .collect();
        let at_risk = self.apps.iter().filter(|app| exposed.contains(&app.appid));
        let at_risk = at_risk.map(|app| app.untold).sum();
        self.found.counts.insert(Kind::AtRisk, at_risk);
        self.found.apps = std::mem::take(&mut self.apps);
        let lengths = self
            .marks
            .iter()
            .map(|(class, marks)| (*class, vec![false; marks.len()]));
        Seen {
            led: lengths.collect(),
            rules: self.rules,
            marks: self.marks,
            exposed,
            found: self.found,
            text: self.text,
        }
    }
}

/// What was seen, before it is compared with where the handles lead.
pub(crate) struct Seen {
    rules: Rules,
    marks: BTreeMap<Class, Vec<Mark>>,
    /// Of each mark, whether the database's handle leads to its owner.
    led: BTreeMap<Class, Vec<bool>>,
    exposed: HashSet<String>,
    found: Findings,
    text: String,
}

impl Seen {
    /// A handle as the database has it.
    pub(crate) fn handle(&mut self, kind: &str, value: &str, owner: UserId) {
        let classes: &[Class] = match kind {
            "phone" => &[Class::Phone],
            kind if Provider::ALL.iter().any(|it| it.person_word() == kind) => {
                &[Class::Unionid, Class::Former]
            }
            _ => &[Class::Openid],
        };
        self.text.clear();
        self.text.push_str(kind);
        self.text.push('\n');
        self.text.push_str(value);
        let mark = Mark {
            hash: hash(&self.text),
            user: owner,
        };
        let mut is_there = false;
        for class in classes {
            let marks = self.marks.get(class).map(Vec::as_slice).unwrap_or_default();
            if let Ok(at) = marks.binary_search(&mark) {
                is_there = true;
                if let Some(led) = self.led.get_mut(class).and_then(|led| led.get_mut(at)) {
                    *led = true;
                }
            }
        }
        if !is_there {
            self.found.strays.insert(owner);
        }
    }

    /// Ends the comparison. `with_handles` says that there was one.
    pub(crate) fn end(mut self, with_handles: bool) -> Second {
        let mut suspects: BTreeMap<Class, HashSet<u64>> = BTreeMap::new();
        for class in Class::TELLING {
            let marks = self.marks.remove(&class).unwrap_or_default();
            let led = self.led.remove(&class).unwrap_or_default();
            let mut at = 0;
            for run in marks.chunk_by(|a, b| a.hash == b.hash) {
                let led = led.get(at..at + run.len()).unwrap_or_default();
                at += run.len();
                if let [first, _, ..] = run {
                    suspects.entry(class).or_default().insert(first.hash);
                }
                // A unionid leads to one of those who have it: to the others it cannot.
                let is_shared = class == Class::Unionid && led.contains(&true);
                if with_handles && !is_shared {
                    let lost = run.iter().zip(led).filter(|(_, led)| !**led);
                    self.found.misled.extend(lost.map(|(mark, _)| mark.user));
                }
            }
        }
        let orphans = self.found.misled.len() + self.found.strays.len();
        self.found.counts.insert(Kind::Orphans, orphans as u64);
        Second {
            rules: self.rules,
            exposed: self.exposed,
            suspects,
            found: self.found,
            members: HashMap::new(),
            groups: HashMap::new(),
            text: self.text,
        }
    }
}

/// The second walk: whoever was suspected is looked at.
pub(crate) struct Second {
    rules: Rules,
    exposed: HashSet<String>,
    suspects: BTreeMap<Class, HashSet<u64>>,
    found: Findings,
    members: HashMap<UserId, Member>,
    groups: HashMap<(Class, String), BTreeSet<UserId>>,
    text: String,
}

impl Second {
    /// Whether there is anything to look at again.
    pub(crate) fn is_needed(&self) -> bool {
        !self.suspects.is_empty()
    }

    /// What is wrong with an account, by what the first walk found out.
    pub(crate) fn kinds(&self, user: &User) -> Vec<Kind> {
        let mut kinds = Vec::new();
        if is_gone(user) {
            if self.found.strays.contains(&user.id) {
                kinds.push(Kind::Orphans);
            }
            return kinds;
        }
        kinds.extend(kinds_of(user, &self.rules));
        let is_exposed =
            |it: &Identity| it.person.is_none() && self.exposed.contains(it.key.app.as_str());
        if user.identities.iter().any(is_exposed) {
            kinds.push(Kind::AtRisk);
        }
        if self.found.misled.contains(&user.id) || self.found.strays.contains(&user.id) {
            kinds.push(Kind::Orphans);
        }
        kinds
    }

    /// Sees an account again. `name` is what the export calls it.
    pub(crate) fn see(&mut self, user: &User, name: Option<&str>) {
        if is_gone(user) {
            return;
        }
        let mut is_suspect = false;
        if let Some(phone) = &user.phone {
            is_suspect |= self.group(Class::Phone, user.id, |text| spell_phone(text, phone));
        }
        for identity in &user.identities {
            is_suspect |= self.group(Class::Openid, user.id, |text| spell_key(text, identity));
            if let Some(person) = &identity.person {
                is_suspect |= self.group(Class::Unionid, user.id, |text| {
                    spell(
                        text,
                        person.provider.person_word(),
                        &person.scope,
                        &person.id,
                    );
                });
            }
        }
        // A part of somebody whose other part is suspected belongs to the picture too.
        if is_suspect || self.members.contains_key(&user.id) {
            let member = self.members.entry(user.id);
            member
                .or_insert_with(|| Member::new(user.id, name))
                .add(user);
        }
    }

    fn group(&mut self, class: Class, user: UserId, spell: impl FnOnce(&mut String)) -> bool {
        let Some(suspects) = self.suspects.get(&class) else {
            return false;
        };
        self.text.clear();
        spell(&mut self.text);
        if !suspects.contains(&hash(&self.text)) {
            return false;
        }
        self.groups
            .entry((class, self.text.clone()))
            .or_default()
            .insert(user);
        true
    }

    /// Ends: accounts that have something in common, also by way of a third one, are one person's.
    pub(crate) fn end(mut self) -> Findings {
        let mut heads: BTreeMap<UserId, UserId> = BTreeMap::new();
        let groups: BTreeMap<_, _> = self
            .groups
            .drain()
            .filter(|(_, users)| users.len() > 1)
            .collect();
        for ((class, _), users) in &groups {
            let extra = users.len() as u64 - 1;
            *self.found.by.entry(class.word()).or_default() += extra;
            let mut users = users.iter();
            if let Some(first) = users.next() {
                for user in users {
                    join(&mut heads, *first, *user);
                }
            }
        }
        let mut components: BTreeMap<UserId, Component> = BTreeMap::new();
        let all: Vec<UserId> = heads.keys().copied().collect();
        for user in all {
            let head = head_of(&heads, user);
            if let Some(member) = self.members.remove(&user) {
                components.entry(head).or_default().members.push(member);
            }
        }
        for ((class, _), users) in &groups {
            if let Some(component) = users
                .first()
                .and_then(|user| components.get_mut(&head_of(&heads, *user)))
            {
                component.why.insert(class.word());
            }
        }
        let people = components.len() as u64;
        self.found.counts.insert(Kind::Duplicates, people);
        self.found.components = components.into_values().collect();
        self.found
    }
}

fn head_of(heads: &BTreeMap<UserId, UserId>, user: UserId) -> UserId {
    let mut at = user;
    while let Some(head) = heads.get(&at).filter(|head| **head != at) {
        at = *head;
    }
    at
}

/// Two users belong together; the smaller id heads them.
fn join(heads: &mut BTreeMap<UserId, UserId>, a: UserId, b: UserId) {
    let (a_head, b_head) = (head_of(heads, a), head_of(heads, b));
    let head = a_head.min(b_head);
    for user in [a, b, a_head, b_head] {
        heads.insert(user, head);
    }
}

fn is_gone(user: &User) -> bool {
    matches!(user.status, UserStatus::Deleted | UserStatus::Merged(_))
}

fn is_revoked(identity: &Identity) -> bool {
    identity.status == IdentityStatus::Revoked
}

fn of_app(user: &User, is_it: impl Fn(&str) -> bool) -> u64 {
    let them = user
        .identities
        .iter()
        .filter(|it| is_it(it.key.app.as_str()));
    them.count() as u64
}

/// What one account alone shows.
fn kinds_of(user: &User, rules: &Rules) -> Vec<Kind> {
    let mut kinds = Vec::new();
    let seen = user.seen_at.unwrap_or(user.created_at);
    if of_app(user, |app| app == UNKEYED) > 0 {
        kinds.push(Kind::Unkeyed);
    }
    if user.phone.is_none() && user.identities.iter().all(is_revoked) {
        kinds.push(Kind::ShutOut);
    }
    let is_silent = rules.now >= seen.plus(rules.recycle_after);
    if user.phone.is_some() && !user.identities.is_empty() && is_silent {
        kinds.push(Kind::Silent);
    }
    if user.identities.iter().any(is_revoked) {
        kinds.push(Kind::Revoked);
    }
    kinds
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_bytes());
    hasher.finish()
}

/// Writes a handle as the store keeps it, without making a text of its own for each.
fn spell(text: &mut String, kind: &str, one: &str, two: &str) {
    for part in [kind, "\n", one, "\n", two] {
        text.push_str(part);
    }
}

fn spell_key(text: &mut String, identity: &Identity) {
    let key = &identity.key;
    spell(text, key.provider.word(), key.app.as_str(), &key.subject);
}

/// A number in its one spelling, also where it was stored in another.
fn spell_phone(text: &mut String, phone: &Phone) {
    let again = Phone::parse(phone.as_str());
    let phone = again.as_ref().unwrap_or(phone);
    let handle = Handle::Phone(phone.clone());
    let (kind, value) = handle.parts();
    for part in [kind, "\n", value] {
        text.push_str(part);
    }
}
