//! One suite for every store: what the port promises, asked of each make in the same words.

#[path = "../world/mod.rs"]
mod world;

use std::sync::Arc;

use yufu_core::id::Number;
use yufu_core::store::{Change, Clash, GrantKey, Notice, Record, UserKey};
use yufu_core::subject::{Sector, Subject};
use yufu_core::ticket::{Kind, RawTicket};
use yufu_core::time::{Lifetime, Timestamp};
use yufu_core::user::Handle;

use random::everything;
use world::{
    NOW, Whole, client, client_id, developer, developer_id, event, grant, grant_id, handle,
    in_family, key, letter, notice, ticket, user, user_id,
};

/// Runs each check on a fresh store of each make.
macro_rules! on_every_store {
    ($($check:ident),* $(,)?) => {
        on_every_store!(@make memory, $($check),*);
        on_every_store!(@make sqlite, $($check),*);
        on_every_store!(@make cached_memory, $($check),*);
        on_every_store!(@make cached_sqlite, $($check),*);
    };
    (@make $make:ident, $($check:ident),*) => {
        mod $make {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $check() {
                    let bed = crate::world::Bed::$make();
                    super::$check(std::sync::Arc::clone(&bed.store)).await;
                }
            )*
        }
    };
}

mod login;
mod random;

on_every_store!(
    every_record_comes_back_as_it_was_put,
    every_kind_of_ticket_comes_back_as_it_was_issued,
    what_does_not_exist_is_none,
    a_later_version_replaces_exactly_its_predecessor,
    a_handle_belongs_to_one_user,
    a_subject_is_drawn_once,
    one_grant_stands_for_a_pair,
    a_key_is_never_replaced,
    a_ticket_is_taken_once,
    a_ticket_is_taken_once_under_contention,
    a_list_is_applied_whole_or_not_at_all,
    an_empty_list_is_applied,
    a_later_change_of_a_list_sees_the_earlier,
    only_the_living_are_extended,
    an_amendment_needs_the_version_that_was_read,
    a_revoked_ticket_stays_as_it_was_revoked,
    a_family_is_revoked_as_one,
    the_broom_takes_what_is_past_its_retention,
    letters_wait_in_order_until_they_are_delivered,
    lists_are_in_their_order,
    a_caller_who_goes_away_loses_nothing,
);

type Store = Arc<dyn Whole>;

async fn commit(store: &Store, changes: impl Into<Vec<Change>>) {
    store.commit(changes.into()).await.unwrap();
}

async fn clash(store: &Store, changes: impl Into<Vec<Change>>) -> Outcome {
    let outcome = outcome(store.commit(changes.into()).await);
    assert_ne!(outcome, Outcome::Applied);
    outcome
}

async fn put(store: &Store, record: Record) {
    commit(store, [Change::Put(record)]).await;
}

async fn raw(store: &Store, kind: Kind, number: u64) -> Option<RawTicket> {
    let found = store.ticket(kind, Number(number)).await.unwrap();
    found.map(|raw| RawTicket::clone(&raw))
}

/// A commit's result as something that can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Applied,
    Taken(Kind, Number),
    Exists,
    Stale,
}

fn outcome(result: Result<(), Clash>) -> Outcome {
    match result {
        Ok(()) => Outcome::Applied,
        Err(Clash::Taken(kind, number)) => Outcome::Taken(kind, number),
        Err(Clash::Exists) => Outcome::Exists,
        Err(Clash::Stale) => Outcome::Stale,
        Err(Clash::Failed(fault) | Clash::Unknown(fault)) => panic!("{fault}"),
    }
}

fn take(kind: Kind, number: u64) -> Change {
    Change::Take {
        kind,
        number: Number(number),
        at: NOW,
    }
}

fn extend(kind: Kind, number: u64, to: i64) -> Change {
    Change::Extend {
        kind,
        number: Number(number),
        expires_at: Timestamp(to),
    }
}

fn amend(kind: Kind, number: u64, version: u32, body: &[u8]) -> Change {
    Change::Amend {
        kind,
        number: Number(number),
        version,
        body: body.to_vec(),
        expires_at: Timestamp(NOW.0 + 99),
    }
}

fn revoke(kind: Kind, number: u64, at: i64) -> Change {
    Change::Revoke {
        kind,
        number: Number(number),
        at: Timestamp(at),
    }
}

async fn every_record_comes_back_as_it_was_put(store: Store) {
    let sector = Sector::Developer(developer_id(1));
    commit(
        &store,
        [
            Change::Put(Record::Developer(developer(1))),
            Change::Put(Record::Client(client(1, 1))),
            Change::Put(Record::User(user(1, 1))),
            Change::Put(Record::Handle(handle(1), user_id(1))),
            Change::Put(Record::Grant(grant(1, 1, 1, 1, false))),
            Change::Put(Record::Subject(
                user_id(1),
                sector.clone(),
                Subject::new("oA"),
            )),
            Change::Put(Record::Key(key(1))),
            Change::Put(Record::Key(key(0))),
            Change::Post(letter(1)),
            Change::Record(event(1)),
        ],
    )
    .await;
    // Twice: a cache answers the second time.
    for _ in 0..2 {
        let found = store.developer(developer_id(1)).await.unwrap().unwrap();
        assert_eq!(*found, developer(1));
        let found = store.client(&client_id(1)).await.unwrap().unwrap();
        assert_eq!(*found, client(1, 1));
        for key in [UserKey::Id(user_id(1)), UserKey::Handle(&handle(1))] {
            assert_eq!(*store.user(key).await.unwrap().unwrap(), user(1, 1));
        }
        for key in [
            GrantKey::Id(grant_id(1)),
            GrantKey::Standing(user_id(1), &client_id(1)),
        ] {
            let found = store.grant(key).await.unwrap().unwrap();
            assert_eq!(*found, grant(1, 1, 1, 1, false));
        }
        let found = store.subject(user_id(1), &sector).await.unwrap();
        assert_eq!(found, Some(Subject::new("oA")));
        assert_eq!(store.keys().await.unwrap(), [key(0), key(1)]);
        assert_eq!(store.letters(9).await.unwrap(), [letter(1)]);
        assert_eq!(store.events(9).await.unwrap(), [event(1)]);
    }
}

async fn every_kind_of_ticket_comes_back_as_it_was_issued(store: Store) {
    let mut all = Vec::new();
    for kind in Kind::ALL {
        // The same number in every kind: kind and number together are the name.
        all.push(ticket(kind, 5));
        let mut bare = ticket(kind, (1 << 63) - 1);
        bare.ticket.grant = None;
        bare.ticket.family = None;
        bare.ticket.client = None;
        bare.ticket.user = None;
        bare.ticket.body = (0..=255).collect();
        bare.ticket.version = u32::MAX;
        all.push(bare);
        let mut dead = in_family(kind, 0, 3);
        dead.ticket.taken_at = Some(Timestamp(0));
        dead.ticket.revoked_at = Some(Timestamp(-1));
        dead.ticket.body = Vec::new();
        all.push(dead);
    }
    commit(
        &store,
        all.iter().cloned().map(Change::Issue).collect::<Vec<_>>(),
    )
    .await;
    for _ in 0..2 {
        for issued in &all {
            let found = raw(&store, issued.kind, issued.ticket.number.0).await;
            assert_eq!(found.as_ref(), Some(issued));
        }
    }
    for issued in all {
        assert_eq!(
            clash(&store, [Change::Issue(issued)]).await,
            Outcome::Exists
        );
    }
}

async fn what_does_not_exist_is_none(store: Store) {
    assert!(store.client(&client_id(1)).await.unwrap().is_none());
    assert!(store.developer(developer_id(1)).await.unwrap().is_none());
    assert!(
        store
            .user(UserKey::Handle(&handle(1)))
            .await
            .unwrap()
            .is_none()
    );
    assert!(store.user(UserKey::Id(user_id(1))).await.unwrap().is_none());
    let standing = GrantKey::Standing(user_id(1), &client_id(1));
    assert!(store.grant(standing).await.unwrap().is_none());
    for kind in Kind::ALL {
        assert!(raw(&store, kind, 1).await.is_none());
        assert_eq!(
            clash(&store, [take(kind, 1)]).await,
            Outcome::Taken(kind, Number(1))
        );
    }
    // None is not remembered.
    put(&store, Record::Client(client(1, 1))).await;
    put(&store, Record::User(user(1, 1))).await;
    commit(&store, [Change::Issue(ticket(Kind::Access, 1))]).await;
    assert!(store.client(&client_id(1)).await.unwrap().is_some());
    assert!(store.user(UserKey::Id(user_id(1))).await.unwrap().is_some());
    assert!(raw(&store, Kind::Access, 1).await.is_some());
}

async fn a_later_version_replaces_exactly_its_predecessor(store: Store) {
    let make: [fn(u32) -> Record; 3] = [
        |version| Record::Client(client(1, version)),
        |version| Record::User(user(1, version)),
        |version| Record::Grant(grant(1, 1, 1, version, false)),
    ];
    for record in make {
        for version in [0, 2, 3] {
            let put = Change::Put(record(version));
            assert_eq!(clash(&store, [put]).await, Outcome::Stale, "{version}");
        }
        put(&store, record(1)).await;
        put(&store, record(2)).await;
        for (version, clashes) in [
            (0, Outcome::Stale),
            (1, Outcome::Exists),
            (2, Outcome::Stale),
            (4, Outcome::Stale),
        ] {
            let put = Change::Put(record(version));
            assert_eq!(clash(&store, [put]).await, clashes, "{version}");
        }
        put(&store, record(3)).await;
    }
    assert_eq!(
        *store.client(&client_id(1)).await.unwrap().unwrap(),
        client(1, 3)
    );
    let found = store.user(UserKey::Id(user_id(1))).await.unwrap();
    assert_eq!(*found.unwrap(), user(1, 3));
    let found = store.grant(GrantKey::Id(grant_id(1))).await.unwrap();
    assert_eq!(*found.unwrap(), grant(1, 1, 1, 3, false));

    put(&store, Record::Developer(developer(1))).await;
    store.developer(developer_id(1)).await.unwrap();
    let mut renamed = developer(1);
    renamed.name = "Another".into();
    put(&store, Record::Developer(renamed.clone())).await;
    let found = store.developer(developer_id(1)).await.unwrap();
    assert_eq!(*found.unwrap(), renamed);
}

async fn a_handle_belongs_to_one_user(store: Store) {
    put(&store, Record::User(user(1, 1))).await;
    put(&store, Record::User(user(2, 1))).await;
    put(&store, Record::Handle(handle(1), user_id(1))).await;
    put(&store, Record::Handle(handle(1), user_id(1))).await;
    put(&store, Record::Handle(handle(2), user_id(1))).await;
    let steal = Change::Put(Record::Handle(handle(1), user_id(2)));
    assert_eq!(clash(&store, [steal.clone()]).await, Outcome::Exists);

    commit(&store, [Change::DropHandle(handle(1), user_id(2))]).await;
    let owner = |handle: Handle| {
        let store = Arc::clone(&store);
        async move {
            let found = store.user(UserKey::Handle(&handle)).await.unwrap();
            found.map(|user| user.id)
        }
    };
    assert_eq!(owner(handle(1)).await, Some(user_id(1)));
    commit(&store, [Change::DropHandle(handle(1), user_id(1)), steal]).await;
    assert_eq!(owner(handle(1)).await, Some(user_id(2)));
    assert_eq!(owner(handle(2)).await, Some(user_id(1)));
    // A handle of nobody: the record of the user is not there.
    put(&store, Record::Handle(handle(3), user_id(9))).await;
    assert_eq!(owner(handle(3)).await, None);
}

async fn a_subject_is_drawn_once(store: Store) {
    let subject = |n, sector: &Sector, text: &str| {
        Change::Put(Record::Subject(
            user_id(n),
            sector.clone(),
            Subject::new(text),
        ))
    };
    let (one, two) = (
        Sector::Client(client_id(1)),
        Sector::Developer(developer_id(1)),
    );
    commit(&store, [subject(1, &one, "oA"), subject(1, &two, "oA")]).await;
    for taken in [
        subject(1, &one, "oB"),
        subject(2, &one, "oA"),
        subject(1, &one, "oA"),
    ] {
        assert_eq!(clash(&store, [taken]).await, Outcome::Exists);
    }
    commit(&store, [subject(2, &one, "oa")]).await;
    let found = store.subject(user_id(1), &one).await.unwrap();
    assert_eq!(found, Some(Subject::new("oA")));
    assert_eq!(store.subject(user_id(2), &two).await.unwrap(), None);
}

async fn one_grant_stands_for_a_pair(store: Store) {
    let put = |grant| Change::Put(Record::Grant(grant));
    let standing = || async {
        let key = client_id(1);
        let found = store.grant(GrantKey::Standing(user_id(1), &key)).await;
        found.unwrap().map(|grant| grant.id)
    };
    commit(&store, [put(grant(1, 1, 1, 1, false))]).await;
    let second = put(grant(2, 1, 1, 1, false));
    assert_eq!(clash(&store, [second.clone()]).await, Outcome::Exists);
    // Another pair, and a revoked one, are not in the way.
    commit(
        &store,
        [
            put(grant(3, 1, 2, 1, false)),
            put(grant(4, 2, 1, 1, false)),
            put(grant(5, 1, 1, 1, true)),
        ],
    )
    .await;
    assert_eq!(standing().await, Some(grant_id(1)));
    commit(&store, [put(grant(1, 1, 1, 2, true)), second]).await;
    assert_eq!(standing().await, Some(grant_id(2)));
    // One that was revoked cannot rise beside it.
    let risen = put(grant(1, 1, 1, 3, false));
    assert_eq!(clash(&store, [risen.clone()]).await, Outcome::Exists);
    commit(&store, [put(grant(2, 1, 1, 2, true)), risen]).await;
    assert_eq!(standing().await, Some(grant_id(1)));
    let found = store.grant(GrantKey::Id(grant_id(2))).await.unwrap();
    assert!(!found.unwrap().stands());
}

async fn a_key_is_never_replaced(store: Store) {
    put(&store, Record::Key(key(3))).await;
    let mut other = key(3);
    other.wrapped = vec![0];
    assert_eq!(
        clash(&store, [Change::Put(Record::Key(other))]).await,
        Outcome::Exists
    );
    assert_eq!(store.keys().await.unwrap(), [key(3)]);
}

async fn a_ticket_is_taken_once(store: Store) {
    commit(
        &store,
        [
            Change::Issue(ticket(Kind::Code, 1)),
            Change::Issue(ticket(Kind::Code, 2)),
        ],
    )
    .await;
    commit(&store, [take(Kind::Code, 1)]).await;
    let taken = raw(&store, Kind::Code, 1).await.unwrap();
    assert_eq!(taken.ticket.taken_at, Some(NOW));
    let again = clash(&store, [take(Kind::Code, 1)]).await;
    assert_eq!(again, Outcome::Taken(Kind::Code, Number(1)));
    // A revoked one neither.
    commit(&store, [revoke(Kind::Code, 2, 1)]).await;
    let dead = clash(&store, [take(Kind::Code, 2)]).await;
    assert_eq!(dead, Outcome::Taken(Kind::Code, Number(2)));
}

async fn a_ticket_is_taken_once_under_contention(store: Store) {
    const TICKETS: u64 = 24;
    let codes = (0..TICKETS).map(|n| Change::Issue(ticket(Kind::Code, n)));
    commit(&store, codes.collect::<Vec<_>>()).await;
    let tasks: Vec<_> = (0..64u64)
        .map(|task| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut won = Vec::new();
                for step in 0..TICKETS {
                    // Everybody goes another way round, so that some meet and some do not.
                    let code = (task * 7 + step) % TICKETS;
                    let token = 1000 * task + code;
                    let list = vec![
                        Change::Issue(ticket(Kind::Access, token)),
                        take(Kind::Code, code),
                        Change::Record(event(token)),
                    ];
                    match outcome(store.commit(list).await) {
                        Outcome::Applied => won.push((code, token)),
                        lost => assert_eq!(lost, Outcome::Taken(Kind::Code, Number(code))),
                    }
                }
                won
            })
        })
        .collect();
    let mut won = Vec::new();
    for task in tasks {
        won.extend(task.await.unwrap());
    }
    let mut codes: Vec<_> = won.iter().map(|(code, _)| *code).collect();
    codes.sort_unstable();
    assert_eq!(codes, (0..TICKETS).collect::<Vec<_>>());
    // What the losers issued is not there.
    for task in 0..64 {
        for code in 0..TICKETS {
            let token = 1000 * task + code;
            let there = raw(&store, Kind::Access, token).await.is_some();
            assert_eq!(there, won.contains(&(code, token)));
        }
    }
    assert_eq!(store.events(9999).await.unwrap().len(), won.len());
}

async fn a_list_is_applied_whole_or_not_at_all(store: Store) {
    commit(
        &store,
        [
            Change::Issue(in_family(Kind::Access, 1, 1)),
            Change::Issue(ticket(Kind::Code, 1)),
            Change::Put(Record::Client(client(1, 1))),
            Change::Put(Record::User(user(1, 1))),
            Change::Put(Record::Handle(handle(1), user_id(1))),
            Change::Put(Record::Grant(grant(1, 1, 1, 1, false))),
            Change::Post(letter(1)),
            Change::Notify(notice(1)),
            Change::Notify(notice(2)),
            Change::Record(event(1)),
            take(Kind::Code, 1),
        ],
    )
    .await;
    let before = everything(&store).await;
    let everything_there_is = [
        Change::Issue(in_family(Kind::Access, 2, 1)),
        Change::Issue(ticket(Kind::Code, 2)),
        take(Kind::Code, 2),
        extend(Kind::Access, 1, 5),
        amend(Kind::Access, 1, 1, b"other"),
        revoke(Kind::Access, 2, 6),
        Change::RevokeFamily {
            family: Number(1),
            at: NOW,
        },
        Change::Put(Record::Client(client(1, 2))),
        Change::Put(Record::Developer(developer(2))),
        Change::Put(Record::User(user(1, 2))),
        Change::Put(Record::User(user(2, 1))),
        Change::DropHandle(handle(1), user_id(1)),
        Change::Put(Record::Handle(handle(1), user_id(2))),
        Change::Put(Record::Grant(grant(1, 1, 1, 2, true))),
        Change::Put(Record::Grant(grant(2, 1, 1, 1, false))),
        Change::Put(Record::Subject(
            user_id(1),
            Sector::Client(client_id(1)),
            Subject::new("oA"),
        )),
        Change::Put(Record::Key(key(1))),
        Change::Post(letter(2)),
        Change::Delivered(Number(1)),
        Change::Notify(notice(3)),
        Change::Renotify(Notice {
            dead: true,
            ..notice(2)
        }),
        Change::Notified(Number(1)),
        Change::Record(event(2)),
    ];
    let last_straws = [
        (take(Kind::Code, 1), Outcome::Taken(Kind::Code, Number(1))),
        (Change::Issue(ticket(Kind::Code, 1)), Outcome::Exists),
        (extend(Kind::Code, 1, 5), Outcome::Stale),
        (amend(Kind::Access, 1, 1, b""), Outcome::Stale),
        (Change::Put(Record::Client(client(1, 1))), Outcome::Exists),
        (Change::Put(Record::User(user(1, 9))), Outcome::Stale),
        (
            Change::Put(Record::Handle(handle(1), user_id(1))),
            Outcome::Exists,
        ),
        (
            Change::Put(Record::Grant(grant(3, 1, 1, 1, false))),
            Outcome::Exists,
        ),
        (
            Change::Put(Record::Subject(
                user_id(9),
                Sector::Client(client_id(1)),
                Subject::new("oA"),
            )),
            Outcome::Exists,
        ),
        (Change::Put(Record::Key(key(1))), Outcome::Exists),
        (Change::Post(letter(2)), Outcome::Exists),
        (Change::Notify(notice(2)), Outcome::Exists),
        (Change::Record(event(1)), Outcome::Exists),
    ];
    for (straw, clashes) in last_straws {
        let mut list = everything_there_is.to_vec();
        list.push(straw.clone());
        assert_eq!(clash(&store, list).await, clashes, "{straw:?}");
        assert_eq!(everything(&store).await, before, "{straw:?}");
    }
    commit(&store, everything_there_is).await;
    assert_ne!(everything(&store).await, before);
}

async fn an_empty_list_is_applied(store: Store) {
    commit(&store, []).await;
}

async fn a_later_change_of_a_list_sees_the_earlier(store: Store) {
    let twice = [
        Change::Issue(ticket(Kind::Code, 1)),
        take(Kind::Code, 1),
        take(Kind::Code, 1),
    ];
    let outcome = clash(&store, twice).await;
    assert_eq!(outcome, Outcome::Taken(Kind::Code, Number(1)));
    commit(
        &store,
        [
            Change::Issue(ticket(Kind::Session, 1)),
            amend(Kind::Session, 1, 1, b"a"),
            amend(Kind::Session, 1, 2, b"b"),
            extend(Kind::Session, 1, NOW.0 + 5),
        ],
    )
    .await;
    let found = raw(&store, Kind::Session, 1).await.unwrap().ticket;
    assert_eq!((found.version, &*found.body), (3, &b"b"[..]));
    assert_eq!(found.expires_at, Timestamp(NOW.0 + 5));
}

async fn only_the_living_are_extended(store: Store) {
    for kind in [Kind::Access, Kind::Refresh] {
        commit(
            &store,
            [1, 2, 3].map(|number| Change::Issue(ticket(kind, number))),
        )
        .await;
        raw(&store, kind, 1).await.unwrap();
        commit(&store, [extend(kind, 1, NOW.0 + 1)]).await;
        let found = raw(&store, kind, 1).await.unwrap().ticket;
        assert_eq!(found.expires_at, Timestamp(NOW.0 + 1));
        assert_eq!(found.version, 1);
        commit(&store, [take(kind, 2), revoke(kind, 3, 1)]).await;
        for number in [2, 3, 4] {
            let outcome = clash(&store, [extend(kind, number, 1)]).await;
            assert_eq!(outcome, Outcome::Stale);
        }
    }
}

async fn an_amendment_needs_the_version_that_was_read(store: Store) {
    for kind in [Kind::Session, Kind::Scan] {
        commit(
            &store,
            [1, 2, 3].map(|number| Change::Issue(ticket(kind, number))),
        )
        .await;
        raw(&store, kind, 1).await.unwrap();
        commit(&store, [amend(kind, 1, 1, b"new")]).await;
        let found = raw(&store, kind, 1).await.unwrap().ticket;
        assert_eq!((found.version, &*found.body), (2, &b"new"[..]));
        assert_eq!(found.expires_at, Timestamp(NOW.0 + 99));
        commit(&store, [take(kind, 2), revoke(kind, 3, 1)]).await;
        for (number, version) in [(1, 1), (1, 3), (1, 0), (2, 1), (3, 1), (4, 1)] {
            let outcome = clash(&store, [amend(kind, number, version, b"x")]).await;
            assert_eq!(outcome, Outcome::Stale);
        }
    }
}

async fn a_revoked_ticket_stays_as_it_was_revoked(store: Store) {
    for kind in [Kind::Access, Kind::Code] {
        commit(
            &store,
            [1, 2].map(|number| Change::Issue(ticket(kind, number))),
        )
        .await;
        raw(&store, kind, 1).await.unwrap();
        commit(&store, [revoke(kind, 1, 11), take(kind, 2)]).await;
        commit(
            &store,
            [
                revoke(kind, 1, 12),
                revoke(kind, 2, 13),
                revoke(kind, 3, 14),
            ],
        )
        .await;
        let found = raw(&store, kind, 1).await.unwrap().ticket;
        assert_eq!(found.revoked_at, Some(Timestamp(11)));
        let found = raw(&store, kind, 2).await.unwrap().ticket;
        let ends = (found.taken_at, found.revoked_at);
        assert_eq!(ends, (Some(NOW), Some(Timestamp(13))));
        assert!(raw(&store, kind, 3).await.is_none());
    }
}

async fn a_family_is_revoked_as_one(store: Store) {
    let members = [
        in_family(Kind::Code, 1, 1),
        in_family(Kind::Access, 2, 1),
        in_family(Kind::Refresh, 3, 1),
        in_family(Kind::Access, 4, 2),
        ticket(Kind::Access, 1),
    ];
    commit(&store, members.clone().map(Change::Issue)).await;
    commit(&store, [take(Kind::Code, 1), revoke(Kind::Access, 2, 5)]).await;
    for member in &members {
        raw(&store, member.kind, member.ticket.number.0).await;
    }
    let revoke_family = |family, at| Change::RevokeFamily {
        family: Number(family),
        at: Timestamp(at),
    };
    commit(&store, [revoke_family(1, 6), revoke_family(77, 6)]).await;
    commit(&store, [revoke_family(1, 7)]).await;
    let mut ends = Vec::new();
    for member in &members {
        let found = raw(&store, member.kind, member.ticket.number.0).await;
        ends.push(found.unwrap().ticket.revoked_at.map(|at| at.0));
    }
    assert_eq!(ends, [Some(6), Some(5), Some(6), None, None]);
    // One that is born into it later is not dead.
    commit(&store, [Change::Issue(in_family(Kind::Access, 5, 1))]).await;
    let found = raw(&store, Kind::Access, 5).await.unwrap();
    assert_eq!(found.ticket.revoked_at, None);
}

async fn the_broom_takes_what_is_past_its_retention(store: Store) {
    let mut list = Vec::new();
    for kind in Kind::ALL {
        for (number, over) in [(1, 0), (2, 1)] {
            let mut raw = in_family(kind, number, 1);
            // The first is past its retention now, the second in a millisecond.
            raw.ticket.expires_at = Timestamp(NOW.0 + over).minus(kind.retention());
            list.push(Change::Issue(raw));
        }
    }
    // More than one call takes.
    for number in 10..1210 {
        let mut raw = ticket(Kind::Interaction, number);
        raw.ticket.expires_at = NOW.minus(Lifetime::days(400));
        list.push(Change::Issue(raw));
    }
    for number in 1..=3 {
        list.push(Change::Record(event(number)));
    }
    commit(&store, list).await;
    for kind in Kind::ALL {
        raw(&store, kind, 1).await.unwrap();
    }
    let events_before = event(2).at;
    let mut swept = 0;
    loop {
        match store.sweep(NOW, events_before).await.unwrap() {
            0 => break,
            rows => swept += rows,
        }
    }
    assert_eq!(swept, Kind::ALL.len() as u64 + 1200 + 1);
    for kind in Kind::ALL {
        assert!(raw(&store, kind, 1).await.is_none());
        assert!(raw(&store, kind, 2).await.is_some());
    }
    assert_eq!(store.events(9).await.unwrap(), [event(3), event(2)]);
    // What was swept is forgotten: its number may be used again, and its family is smaller.
    commit(
        &store,
        [
            Change::RevokeFamily {
                family: Number(1),
                at: NOW,
            },
            Change::Issue(in_family(Kind::Access, 1, 1)),
        ],
    )
    .await;
    let found = raw(&store, Kind::Access, 1).await.unwrap();
    assert_eq!(found.ticket.revoked_at, None);
}

async fn letters_wait_in_order_until_they_are_delivered(store: Store) {
    commit(&store, [3, 1, 2].map(|number| Change::Post(letter(number)))).await;
    let again = clash(&store, [Change::Post(letter(2))]).await;
    assert_eq!(again, Outcome::Exists);
    assert_eq!(store.letters(2).await.unwrap(), [letter(1), letter(2)]);
    commit(
        &store,
        [1, 1, 9].map(|number| Change::Delivered(Number(number))),
    )
    .await;
    assert_eq!(store.letters(9).await.unwrap(), [letter(2), letter(3)]);
    assert_eq!(store.letters(0).await.unwrap(), []);
}

async fn lists_are_in_their_order(store: Store) {
    // Clients and users with larger numbers are older, developers younger (see `world`); the
    // fourth of each is as old as the first.
    let mut list = Vec::new();
    for n in 1..=3 {
        list.push(Change::Put(Record::Developer(developer(n))));
        list.push(Change::Put(Record::Client(client(n, 1))));
        list.push(Change::Put(Record::User(user(n, 1))));
        list.push(Change::Record(event(n)));
        list.push(Change::Put(Record::Grant(grant(n, 1, n, 1, false))));
    }
    let mut twin = (developer(4), client(4, 1), user(4, 1));
    twin.0.created_at = developer(1).created_at;
    twin.1.created_at = client(1, 1).created_at;
    twin.2.created_at = user(1, 1).created_at;
    list.push(Change::Put(Record::Developer(twin.0)));
    list.push(Change::Put(Record::Client(twin.1)));
    list.push(Change::Put(Record::User(twin.2)));
    list.push(Change::Put(Record::Grant(grant(4, 1, 4, 1, true))));
    list.push(Change::Put(Record::Grant(grant(5, 2, 1, 1, false))));
    list.push(Change::Put(Record::Grant(grant(1, 1, 1, 2, false))));
    commit(&store, list).await;
    let ids: Vec<_> = store.developers().await.unwrap();
    let ids: Vec<_> = ids.iter().map(|developer| developer.id.0.0).collect();
    assert_eq!(ids, [1, 4, 2, 3]);
    let ids = store.clients().await.unwrap();
    let ids: Vec<_> = ids.iter().map(|client| client.id.clone()).collect();
    assert_eq!(ids, [3, 2, 1, 4].map(client_id));
    let ids = store.users(3).await.unwrap();
    let ids: Vec<_> = ids.iter().map(|user| user.id.0.0).collect();
    assert_eq!(ids, [3, 2, 1]);
    // The first was confirmed last; the others at once, so the larger number comes first.
    let ids = store.grants_of(user_id(1)).await.unwrap();
    let ids: Vec<_> = ids.iter().map(|grant| grant.id.0.0).collect();
    assert_eq!(ids, [1, 3, 2]);
    assert_eq!(store.events(2).await.unwrap(), [event(3), event(2)]);
}

async fn a_caller_who_goes_away_loses_nothing(store: Store) {
    for n in 0..64 {
        let changes = vec![
            Change::Issue(ticket(Kind::Code, n)),
            Change::Issue(ticket(Kind::Session, n)),
            Change::Record(event(n)),
        ];
        let store = Arc::clone(&store);
        let task = tokio::spawn(async move { store.commit(changes).await });
        if n % 2 == 0 {
            tokio::task::yield_now().await;
        }
        task.abort();
        let _ = task.await;
    }
    // Whatever was in the queue is served before this.
    commit(&store, [Change::Record(event(1000))]).await;
    for n in 0..64 {
        let code = raw(&store, Kind::Code, n).await;
        let session = raw(&store, Kind::Session, n).await;
        assert_eq!(code.is_some(), session.is_some());
    }
    for n in 0..64 {
        let changes = vec![revoke(Kind::Session, n, 1)];
        if raw(&store, Kind::Session, n).await.is_some() {
            let lost = Arc::clone(&store);
            let task = tokio::spawn(async move { lost.commit(changes).await });
            tokio::task::yield_now().await;
            task.abort();
            let answered = task.await.is_ok();
            commit(&store, []).await;
            let kept = raw(&store, Kind::Session, n).await.unwrap();
            // A cache that went without the news would go on serving it.
            let again = raw(&store, Kind::Session, n).await.unwrap();
            assert_eq!(kept, again);
            if answered {
                assert!(kept.ticket.revoked_at.is_some());
            }
        }
    }
}
