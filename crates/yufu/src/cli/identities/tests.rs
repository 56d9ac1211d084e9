//! What an import does and what the doctor counts, against a plain reckoning.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use yufu_core::id::{ClientId, Number, UserId};
use yufu_core::identity::{Identity, IdentityKey, IdentityStatus, Person, Provider};
use yufu_core::store::memory::MemoryStore;
use yufu_core::store::{Browse as _, Change, Record, Store, UserKey};
use yufu_core::time::{Lifetime, Timestamp};
use yufu_core::user::{Handle, Phone, User, UserStatus};
use yufu_store::{Options, SqliteStore};

use super::doctor::{Patient, examine};
use super::entry::{Complaint, Entry, Scopes, UNKEYED, What, account_of};
use super::examine::{Findings, First, Kind, Rules};
use super::import::{Counts, Importer, Pair, Told};
use crate::ports::SystemEntropy;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

#[derive(Default)]
struct Heard {
    whats: Vec<What>,
    pairs: Vec<Pair>,
}

impl Told for Heard {
    fn complaint(&mut self, complaint: Complaint) {
        self.whats.push(complaint.what);
    }

    fn pair(&mut self, pair: Pair) {
        self.pairs.push(pair);
    }
}

/// A row as a test writes it: user, app, openid, unionid, phone.
type Short = (u8, &'static str, &'static str, &'static str, &'static str);

fn key(app: &str, subject: &str) -> IdentityKey {
    IdentityKey {
        provider: Provider::Wechat,
        app: ClientId::new(app),
        subject: subject.to_owned(),
    }
}

fn identity(app: &str, openid: &str, unionid: &str) -> Identity {
    Identity {
        key: key(app, openid),
        person: (!unionid.is_empty()).then(|| Person {
            provider: Provider::Wechat,
            scope: "north".into(),
            id: unionid.to_owned(),
        }),
        former: Vec::new(),
        status: IdentityStatus::Linked,
        linked_at: NOW,
        nickname: String::new(),
        avatar: String::new(),
    }
}

fn entry(line: u64, (user, app, openid, unionid, phone): (u8, &str, &str, &str, &str)) -> Entry {
    Entry {
        line,
        user: user.to_string(),
        identity: (!app.is_empty()).then(|| identity(app, openid, unionid)),
        phone: (!phone.is_empty()).then(|| Phone::parse(phone).unwrap()),
        nickname: String::new(),
        avatar: String::new(),
        created_at: Some(Timestamp(i64::from(user) * 1000)),
        seen_at: None,
        disabled: false,
    }
}

fn id(user: u8) -> UserId {
    account_of("plain", &user.to_string())
}

async fn bring(store: &dyn Store, entries: Vec<Entry>, dry: bool) -> (Counts, Heard) {
    let mut heard = Heard::default();
    let mut importer = Importer::new(store, &SystemEntropy, "plain", dry, NOW);
    for entry in entries {
        importer.take(entry, &mut heard).await.unwrap();
    }
    (importer.finish(&mut heard).await.unwrap(), heard)
}

async fn brought(store: &dyn Store, rows: &[Short]) -> (Counts, Heard) {
    let entries = rows.iter().enumerate();
    let entries = entries
        .map(|(at, row)| entry(at as u64 + 2, *row))
        .collect();
    bring(store, entries, false).await
}

async fn user(store: &dyn Store, id: UserId) -> Option<User> {
    let user = store.user(UserKey::Id(id)).await.unwrap();
    user.map(|user| User::clone(&user))
}

async fn owner(store: &dyn Store, handle: &Handle) -> Option<UserId> {
    let user = store.user(UserKey::Handle(handle)).await.unwrap();
    user.map(|user| user.id)
}

fn keys(user: &User) -> Vec<(&str, &str)> {
    let keys = user.identities.iter().map(|it| &it.key);
    keys.map(|key| (key.app.as_str(), key.subject.as_str()))
        .collect()
}

/// Puts an account that was not imported.
async fn put(store: &dyn Store, user: &User) {
    let mut changes = vec![Change::Put(Record::User(user.clone()))];
    if user.version == 1 {
        for identity in &user.identities {
            let handle = Handle::of(&identity.key);
            changes.push(Change::Put(Record::Handle(handle, user.id)));
        }
    }
    store.commit(changes).await.unwrap();
}

#[tokio::test]
async fn rows_of_a_user_are_one_account_wherever_they_stand() {
    let store = MemoryStore::default();
    let rows = [
        (1, "a", "o1", "u1", ""),
        (2, "a", "o2", "", "13800000002"),
        (1, "b", "o3", "u1", "13800000001"),
    ];
    let (counts, heard) = brought(&store, &rows).await;
    assert_eq!((counts.made, counts.identities, counts.phones), (2, 3, 2));
    assert_eq!(heard.whats, []);
    let one = user(&store, id(1)).await.unwrap();
    assert_eq!(keys(&one), [("a", "o1"), ("b", "o3")]);
    assert_eq!(one.phone.unwrap().as_str(), "+8613800000001");
    assert_eq!(
        owner(&store, &Handle::of(&key("b", "o3"))).await,
        Some(id(1))
    );
    let again = brought(&store, &rows).await.0;
    assert_eq!((again.made, again.changed, again.same), (0, 0, 2));
    let events = store.events(10).await.unwrap();
    assert_eq!(events.len(), 1, "what changes nothing leaves no line");
    assert!(
        events[0].detail.contains("lines 2 to 4: 2 accounts made"),
        "{}",
        events[0].detail
    );
}

#[tokio::test]
async fn what_another_has_is_left_out_and_said() {
    let store = MemoryStore::default();
    let (counts, heard) = brought(
        &store,
        &[
            (1, "a", "o1", "u1", "13800000001"),
            (2, "a", "o1", "", "13800000002"),
            (3, "b", "o3", "u1", "13800000001"),
            (4, "", "", "", "13800000001"),
            (5, "a", "o5", "u5", ""),
            (5, "a", "o6", "u5", ""),
            (5, "a", "o5", "u9", "13800000005"),
            (5, "", "", "", "13800000006"),
        ],
    )
    .await;
    assert_eq!(counts.made, 4, "the fourth has nothing of its own");
    let whats: BTreeSet<_> = heard.whats.iter().map(|what| what.word()).collect();
    let expected = BTreeSet::from([
        "openid-taken",
        "unionid-taken",
        "phone-taken",
        "other-openid",
        "other-unionid",
        "other-phone",
    ]);
    assert_eq!(whats, expected);
    assert_eq!(user(&store, id(4)).await, None);
    let three = user(&store, id(3)).await.unwrap();
    assert_eq!(
        three.identities[0].person.as_ref().unwrap().id,
        "u1",
        "kept beside"
    );
    let person = Handle::of_person(three.identities[0].person.as_ref().unwrap());
    assert_eq!(
        owner(&store, &person).await,
        Some(id(1)),
        "but it leads to the first"
    );
    let pairs: Vec<_> = heard
        .pairs
        .iter()
        .map(|pair| (pair.from, pair.to, pair.why))
        .collect();
    assert_eq!(
        pairs,
        [
            (id(2), id(1), "openid"),
            (id(3), id(1), "unionid"),
            (id(3), id(1), "phone")
        ]
    );
}

#[tokio::test]
async fn a_dry_run_says_the_same_and_writes_nothing() {
    let (store, dry) = (MemoryStore::default(), MemoryStore::default());
    let rows = [
        (1, "a", "o1", "u1", "13800000001"),
        (2, "a", "o1", "", "13800000001"),
        (3, "b", "o3", "u1", ""),
    ];
    let entries = || rows.iter().map(|row| entry(2, *row)).collect();
    let (real, said) = bring(&store, entries(), false).await;
    let (would, heard) = bring(&dry, entries(), true).await;
    assert_eq!((real, said.whats), (would, heard.whats));
    assert!(dry.users(10).await.unwrap().is_empty());
    assert!(dry.events(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn whoever_logged_in_before_the_import_came_gets_the_rows() {
    let store = MemoryStore::default();
    let mut own = User::new(UserId(Number(1_767_225_600_000 << 21)), NOW);
    own.identities.push(identity("a", "o1", ""));
    put(&store, &own).await;
    let rows = [
        (1, "a", "o1", "u1", "13800000001"),
        (1, "b", "o2", "u1", ""),
    ];
    let (counts, heard) = brought(&store, &rows).await;
    assert_eq!(
        (counts.made, counts.changed, heard.whats),
        (0, 1, Vec::new())
    );
    let joined = user(&store, own.id).await.unwrap();
    assert_eq!(keys(&joined), [("a", "o1"), ("b", "o2")]);
    assert_eq!(
        joined.identities[0].person.as_ref().unwrap().id,
        "u1",
        "told now"
    );
    assert_eq!(user(&store, id(1)).await, None);
    assert_eq!(brought(&store, &rows).await.0.same, 1);
}

#[tokio::test]
async fn the_heir_of_a_merged_account_gets_its_rows_and_a_deleted_one_none() {
    let store = MemoryStore::default();
    brought(
        &store,
        &[
            (1, "a", "o1", "", ""),
            (2, "b", "o2", "", ""),
            (3, "c", "o3", "", ""),
        ],
    )
    .await;
    for (from, status) in [(1, UserStatus::Merged(id(2))), (3, UserStatus::Deleted)] {
        let mut gone = user(&store, id(from)).await.unwrap();
        gone.status = status;
        gone.identities.clear();
        gone.version += 1;
        put(&store, &gone).await;
    }
    let free = Change::DropHandle(Handle::of(&key("a", "o1")), id(1));
    store.commit(vec![free]).await.unwrap();
    let (counts, heard) = brought(&store, &[(1, "a", "o1", "", ""), (3, "c", "o3", "", "")]).await;
    assert_eq!((counts.made, counts.changed), (0, 1));
    assert_eq!(heard.whats, [What::Gone]);
    let heir = user(&store, id(2)).await.unwrap();
    assert_eq!(keys(&heir), [("b", "o2"), ("a", "o1")]);
}

#[tokio::test]
async fn a_key_with_its_app_takes_the_place_of_the_same_key_without() {
    for (unionid, person_stays) in [("x", true), ("u1", false), ("", false)] {
        let store = MemoryStore::default();
        brought(&store, &[(1, UNKEYED, "x", "x", "")]).await;
        let openid = if person_stays { "o1" } else { "x" };
        let keyed = vec![entry(2, (1, "a", openid, unionid, ""))];
        let (counts, heard) = bring(&store, keyed, false).await;
        assert_eq!((counts.changed, heard.whats), (1, Vec::new()), "{unionid}");
        let one = user(&store, id(1)).await.unwrap();
        assert_eq!(keys(&one), [("a", openid)]);
        assert_eq!(owner(&store, &Handle::of(&key(UNKEYED, "x"))).await, None);
        let person = identity("a", "", "x").person.unwrap();
        let leads = owner(&store, &Handle::of_person(&person)).await;
        assert_eq!(leads.is_some(), person_stays, "{unionid}");
        // And the poorer export does not bring it back.
        let (counts, _) = brought(&store, &[(1, UNKEYED, "x", "x", "")]).await;
        assert_eq!(counts.changed, 0, "{unionid}");
    }
}

fn rules() -> Rules {
    Rules {
        scopes: Scopes {
            of_all: Some("north".into()),
            ..Scopes::default()
        },
        apps: Vec::new(),
        recycle_after: Lifetime::days(180),
        now: NOW,
    }
}

/// Walks over accounts and handles without a database.
fn looked_at(users: &[User], handles: &[(Handle, UserId)]) -> Findings {
    let mut first = First::new(rules());
    users.iter().for_each(|user| first.see(user));
    let mut seen = first.end();
    for (handle, owner) in handles {
        let (kind, value) = handle.parts();
        seen.handle(kind, value, *owner);
    }
    let mut second = seen.end(true);
    users.iter().for_each(|user| second.see(user, None));
    second.end()
}

fn known(n: u64, identities: Vec<Identity>) -> User {
    let mut user = User::new(UserId(Number(n)), NOW);
    user.identities = identities;
    user
}

#[test]
fn every_kind_of_finding_is_counted_once() {
    let clean = known(1, vec![identity("a", "o1", "u1")]);
    let mut silent = known(2, vec![identity("a", "o2", "u2")]);
    silent.phone = Some(Phone::parse("13800000002").unwrap());
    silent.created_at = NOW.minus(Lifetime::days(181));
    let untold = known(3, vec![identity("a", "o3", "")]);
    let mut revoked = known(4, vec![identity("b", "o4", "u4")]);
    revoked.identities[0].status = IdentityStatus::Revoked;
    let empty = known(5, Vec::new());
    let unkeyed = known(6, vec![identity(UNKEYED, "x", "")]);
    let mut merged = known(7, Vec::new());
    merged.status = UserStatus::Merged(UserId(Number(1)));
    let users = [clean, silent, untold, revoked, empty, unkeyed, merged];
    let mut handles = Vec::new();
    for user in &users {
        handles.extend(
            user.phone
                .clone()
                .map(|phone| (Handle::Phone(phone), user.id)),
        );
        for identity in &user.identities {
            handles.push((Handle::of(&identity.key), user.id));
            handles.extend(
                identity
                    .person
                    .iter()
                    .map(|it| (Handle::of_person(it), user.id)),
            );
        }
    }
    let found = looked_at(&users, &handles);
    assert_eq!((found.people, found.identities), (6, 5));
    for (kind, count) in [
        (Kind::Duplicates, 0),
        (Kind::AtRisk, 1),
        (Kind::Unkeyed, 1),
        (Kind::Orphans, 0),
        (Kind::ShutOut, 2),
        (Kind::Silent, 1),
        (Kind::Revoked, 1),
    ] {
        assert_eq!(found.count(kind), count, "{kind:?}");
    }
    // One handle leads elsewhere, one to an account that was merged.
    for handle in &mut handles {
        if handle.0 == Handle::of(&key("a", "o1")) {
            handle.1 = UserId(Number(7));
        }
    }
    let found = looked_at(&users, &handles);
    assert_eq!(found.misled, BTreeSet::from([UserId(Number(1))]));
    assert_eq!(found.strays, BTreeSet::from([UserId(Number(7))]));
    assert_eq!(found.count(Kind::Orphans), 2);
}

#[test]
fn people_with_two_accounts_are_found_by_all_they_share() {
    let phone = |text: &str| Some(serde_json::from_value::<Phone>(text.into()).unwrap());
    let mut a = known(1, vec![identity("a", "o1", "u1")]);
    let b = known(2, vec![identity("b", "o2", "u1")]);
    let mut c = known(3, vec![identity("b", "o3", "")]);
    // The same number, stored in two spellings.
    (a.phone, c.phone) = (phone("+8613800000001"), phone("13800000001"));
    let mut d = known(4, vec![identity("b", "o3", "u4")]);
    d.phone = phone("+8613800000004");
    let e = known(5, vec![identity("c", "o5", "u5")]);
    let found = looked_at(&[a, b, c, d, e], &[]);
    assert_eq!(
        found.count(Kind::Duplicates),
        1,
        "one person, by way of each other"
    );
    let by: Vec<_> = found.by.iter().map(|(why, n)| (*why, *n)).collect();
    assert_eq!(by, [("openid", 1), ("phone", 1), ("unionid", 1)]);
    let members: Vec<_> = found.components[0]
        .members
        .iter()
        .map(|it| it.id.0.0)
        .collect();
    assert_eq!(members, [1, 2, 3, 4]);
}

#[test]
fn a_unionid_of_another_account_is_another_person() {
    let a = known(1, vec![identity("a", "o1", "u1")]);
    let mut b = known(2, vec![identity("b", "o2", "u1")]);
    b.identities[0].person.as_mut().unwrap().scope = "south".into();
    assert_eq!(looked_at(&[a, b], &[]).count(Kind::Duplicates), 0);
}

// --- random rows against a plain reckoning -------------------------------------------------------

/// What an import should make of rows, reckoned the long way.
#[derive(Default)]
struct Reckoned {
    logins: BTreeMap<u8, BTreeMap<u8, (u8, Option<u8>)>>,
    phones: BTreeMap<u8, u8>,
}

/// User, app, openid, unionid, phone.
type Drawn = (u8, u8, u8, Option<u8>, Option<u8>);

fn reckon(rows: &[Drawn]) -> Reckoned {
    let mut reckoned = Reckoned::default();
    let (mut keys, mut numbers) = (BTreeMap::new(), BTreeMap::new());
    let mut order: Vec<u8> = Vec::new();
    for (user, ..) in rows {
        if !order.contains(user) {
            order.push(*user);
        }
    }
    for user in order {
        for (_, app, openid, unionid, _) in rows.iter().filter(|row| row.0 == user) {
            let logins = reckoned.logins.entry(user).or_default();
            match logins.get_mut(app) {
                Some((known, told)) if known == openid => *told = told.or(*unionid),
                Some(_) => {}
                None => {
                    if *keys.entry((*app, *openid)).or_insert(user) == user {
                        logins.insert(*app, (*openid, *unionid));
                    }
                }
            }
        }
        let phone = rows
            .iter()
            .filter(|row| row.0 == user)
            .find_map(|row| row.4);
        if let Some(phone) = phone
            && *numbers.entry(phone).or_insert(user) == user
        {
            reckoned.phones.insert(user, phone);
        }
    }
    let phones = &reckoned.phones;
    reckoned
        .logins
        .retain(|user, logins| !logins.is_empty() || phones.contains_key(user));
    reckoned
}

impl Reckoned {
    /// How many people have two accounts: groups that share unionids.
    fn duplicates(&self) -> u64 {
        let mut groups: Vec<(BTreeSet<u8>, BTreeSet<u8>)> = Vec::new();
        for (user, logins) in &self.logins {
            let mut joined = (BTreeSet::from([*user]), BTreeSet::new());
            joined.1.extend(logins.values().filter_map(|login| login.1));
            let (near, far): (Vec<_>, Vec<_>) = groups
                .into_iter()
                .partition(|group| !group.1.is_disjoint(&joined.1));
            for group in near {
                joined.0.extend(group.0);
                joined.1.extend(group.1);
            }
            groups = far;
            groups.push(joined);
        }
        groups.iter().filter(|group| group.0.len() > 1).count() as u64
    }

    /// Logins without a unionid, when there is more than one app.
    fn at_risk(&self) -> u64 {
        let logins = || self.logins.values().flatten();
        let apps: BTreeSet<_> = logins().map(|(app, _)| app).collect();
        let untold = logins().filter(|(_, login)| login.1.is_none()).count() as u64;
        if apps.len() > 1 { untold } else { 0 }
    }
}

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let row = (
        0..8u8,
        0..3u8,
        0..10u8,
        proptest::option::of(0..6u8),
        proptest::option::of(0..8u8),
    );
    proptest::collection::vec(row, 0..40)
}

fn entries(rows: &[Drawn]) -> Vec<Entry> {
    let entry = |(at, row): (usize, &Drawn)| {
        let (user, app, openid, unionid, phone) = row;
        let text =
            |prefix: &str, n: &Option<u8>| n.map_or_else(String::new, |n| format!("{prefix}{n}"));
        let (unionid, phone) = (text("u", unionid), text("1380000000", phone));
        let (app, openid) = (format!("wx{app}"), format!("o{openid}"));
        entry(at as u64 + 2, (*user, &app, &openid, &unionid, &phone))
    };
    rows.iter().enumerate().map(entry).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_doctor_counts_what_a_plain_reckoning_counts(rows in drawn()) {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let next = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("yufu-identities-{}-{next}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let store = SqliteStore::open(&folder.join("login.db"), &Options::default()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (found, before, after, again) = runtime.block_on(async {
            bring(&store, entries(&rows), false).await;
            let found = examine(&Patient::House(&store), rules(), None).await.unwrap();
            let before = store.users_after(None, 100).await.unwrap();
            let again = bring(&store, entries(&rows), false).await.0;
            (found, before, store.users_after(None, 100).await.unwrap(), again)
        });
        store.close();
        std::fs::remove_dir_all(&folder).unwrap();
        let reckoned = reckon(&rows);
        prop_assert_eq!(found.people, reckoned.logins.len() as u64);
        let logins: usize = reckoned.logins.values().map(BTreeMap::len).sum();
        prop_assert_eq!(found.identities, logins as u64);
        prop_assert_eq!(found.count(Kind::Duplicates), reckoned.duplicates());
        prop_assert_eq!(found.count(Kind::AtRisk), reckoned.at_risk());
        prop_assert_eq!(found.count(Kind::Orphans), 0);
        let numbers = before.iter().filter(|user| user.phone.is_some()).count();
        prop_assert_eq!(numbers, reckoned.phones.len());
        prop_assert_eq!(before, after, "the same rows twice are the rows once");
        prop_assert_eq!((again.made, again.changed, again.identities, again.phones), (0, 0, 0, 0));
    }
}
