//! What the login backend asks of a store: notices, work that is due, devices, handles, walks.

use std::collections::BTreeSet;
use std::sync::Arc;

use yufu_core::id::Number;
use yufu_core::store::{Change, Event, Notice, Record, UserKey};
use yufu_core::ticket::{Kind, RawTicket};
use yufu_core::time::Timestamp;
use yufu_core::user::Handle;

use crate::world::{NOW, event, handle, identity, notice, person, ticket, user, user_id};
use crate::{Outcome, Store, amend, clash, commit, extend, outcome, put, raw, revoke, take};

on_every_store!(
    a_notice_comes_back_as_it_was_put,
    a_notice_that_is_gone_is_not_put_back,
    notices_are_due_in_their_order_unless_they_are_dead,
    a_refused_list_leaves_the_notices_as_they_were,
    what_is_due_comes_in_the_order_of_its_end,
    what_is_done_is_not_due,
    the_tickets_of_a_user_are_theirs_and_the_oldest_comes_first,
    the_tickets_of_a_user_are_told_as_they_are_now,
    the_broom_takes_the_tickets_of_a_user,
    the_walks_see_everything_once,
    the_events_of_a_user_are_the_newest,
    a_handle_is_its_kind_and_its_value,
    a_handle_moves_in_one_list,
    a_handle_that_two_want_goes_to_one,
    a_new_account_and_its_handles_go_to_one,
    a_device_is_told_as_it_is_now,
);

fn later(millis: i64) -> Timestamp {
    Timestamp(NOW.0 + millis)
}

fn numbers(tickets: &[RawTicket]) -> Vec<u64> {
    tickets.iter().map(|raw| raw.ticket.number.0).collect()
}

async fn waiting(store: &Store, now: Timestamp, limit: usize) -> Vec<u64> {
    let found = store.notices(now, limit).await.unwrap();
    found.iter().map(|notice| notice.number.0).collect()
}

async fn dead(store: &Store, limit: usize) -> Vec<u64> {
    let found = store.dead_notices(limit).await.unwrap();
    found.iter().map(|notice| notice.number.0).collect()
}

async fn owner(store: &Store, handle: &Handle) -> Option<u64> {
    let found = store.user(UserKey::Handle(handle)).await.unwrap();
    found.map(|user| user.id.0.0)
}

// --- notices ---------------------------------------------------------------------------------

async fn a_notice_comes_back_as_it_was_put(store: Store) {
    let largest = Notice {
        attempts: u32::MAX,
        data: String::new(),
        ..notice((1 << 63) - 1)
    };
    commit(&store, [notice(1), largest.clone()].map(Change::Notify)).await;
    let found = store.notices(NOW, 9).await.unwrap();
    assert_eq!(found, [notice(1), largest]);
    let again = Change::Notify(notice(1));
    assert_eq!(clash(&store, [again]).await, Outcome::Exists);

    let tried = Notice {
        attempts: 1,
        due_at: later(5),
        data: "{}".into(),
        ..notice(1)
    };
    commit(&store, [Change::Renotify(tried.clone())]).await;
    let found = store.notices(later(5), 1).await.unwrap();
    assert_eq!(found.first(), Some(&tried));
    let given_up = Notice {
        dead: true,
        ..tried
    };
    commit(&store, [Change::Renotify(given_up.clone())]).await;
    assert_eq!(store.dead_notices(9).await.unwrap(), [given_up]);
    // Somebody has it tried again.
    commit(&store, [Change::Renotify(notice(1))]).await;
    assert_eq!(store.dead_notices(9).await.unwrap(), []);
    assert_eq!(store.notices(NOW, 1).await.unwrap(), [notice(1)]);
}

async fn a_notice_that_is_gone_is_not_put_back(store: Store) {
    commit(&store, [1, 2].map(|n| Change::Notify(notice(n)))).await;
    let numbers = [1, 1, 9];
    commit(&store, numbers.map(|n| Change::Notified(Number(n)))).await;
    let late = Notice {
        dead: true,
        ..notice(9)
    };
    commit(
        &store,
        [Change::Renotify(notice(1)), Change::Renotify(late)],
    )
    .await;
    assert_eq!(waiting(&store, NOW, 9).await, [2]);
    assert!(dead(&store, 9).await.is_empty());
}

async fn notices_are_due_in_their_order_unless_they_are_dead(store: Store) {
    let mut list = Vec::new();
    for (number, due_in, is_dead) in [
        (5, 0, false),
        (1, 2, false),
        (4, -7, false),
        (2, 1, false),
        (3, -9, true),
        (6, -9, true),
        (7, 3, false),
    ] {
        list.push(Change::Notify(Notice {
            due_at: later(due_in),
            dead: is_dead,
            ..notice(number)
        }));
    }
    commit(&store, list).await;
    for (now, due) in [
        (-8, &[][..]),
        (-7, &[4]),
        (-1, &[4]),
        (0, &[4, 5]),
        (1, &[2, 4, 5]),
        (2, &[1, 2, 4, 5]),
        (99, &[1, 2, 4, 5, 7]),
    ] {
        assert_eq!(waiting(&store, later(now), 9).await, due, "{now}");
        for limit in 0..due.len() {
            assert_eq!(waiting(&store, later(now), limit).await, due[..limit]);
        }
    }
    assert_eq!(waiting(&store, later(99), usize::MAX).await.len(), 5);
    assert_eq!(dead(&store, 9).await, [3, 6]);
    assert_eq!(dead(&store, 1).await, [3]);
    assert!(dead(&store, 0).await.is_empty());
}

async fn a_refused_list_leaves_the_notices_as_they_were(store: Store) {
    commit(&store, [1, 2].map(|n| Change::Notify(notice(n)))).await;
    let tried = Notice {
        attempts: 3,
        ..notice(1)
    };
    let list = [
        Change::Notify(notice(3)),
        Change::Renotify(tried),
        Change::Notified(Number(2)),
        take(Kind::Code, 1),
    ];
    let outcome = clash(&store, list).await;
    assert_eq!(outcome, Outcome::Taken(Kind::Code, Number(1)));
    let found = store.notices(NOW, 9).await.unwrap();
    assert_eq!(found, [notice(1), notice(2)]);
}

// --- what is due -----------------------------------------------------------------------------

/// A ticket that ends so many milliseconds from now.
fn ends(kind: Kind, number: u64, millis: i64) -> RawTicket {
    let mut raw = ticket(kind, number);
    raw.ticket.expires_at = later(millis);
    raw
}

async fn what_is_due_comes_in_the_order_of_its_end(store: Store) {
    let mut list = Vec::new();
    for kind in Kind::ALL {
        for (number, millis) in [(1, 3), (2, 0), (3, 1), (4, -5), (5, 1), (6, 0)] {
            list.push(Change::Issue(ends(kind, number, millis)));
        }
    }
    commit(&store, list).await;
    for kind in Kind::ALL {
        let due = async |millis, limit| {
            let found = store.due(kind, later(millis), limit).await.unwrap();
            assert!(found.iter().all(|raw| raw.kind == kind));
            numbers(&found)
        };
        for (millis, expected) in [
            (-6, &[][..]),
            (-5, &[4]),
            (0, &[4, 2, 6]),
            (1, &[4, 2, 6, 3, 5]),
            (2, &[4, 2, 6, 3, 5]),
            (3, &[4, 2, 6, 3, 5, 1]),
        ] {
            assert_eq!(due(millis, 9).await, expected, "{kind:?} {millis}");
            assert_eq!(due(millis, usize::MAX).await, expected);
            for limit in 0..expected.len() {
                assert_eq!(due(millis, limit).await, expected[..limit]);
            }
        }
        let found = store.due(kind, NOW, 1).await.unwrap();
        assert_eq!(found, [ends(kind, 4, -5)]);
    }
}

async fn what_is_done_is_not_due(store: Store) {
    for kind in Kind::ALL {
        let issue = (1..=5).map(|number| Change::Issue(ends(kind, number, 0)));
        commit(&store, issue.collect::<Vec<_>>()).await;
        commit(
            &store,
            [
                take(kind, 1),
                revoke(kind, 2, 1),
                extend(kind, 3, NOW.0 + 1),
                amend(kind, 4, 1, b"later"),
            ],
        )
        .await;
        let found = store.due(kind, NOW, 9).await.unwrap();
        assert_eq!(numbers(&found), [5], "{kind:?}");
        // An amendment ends 99 ms later, see `amend`.
        let found = store.due(kind, later(99), 9).await.unwrap();
        assert_eq!(numbers(&found), [5, 3, 4], "{kind:?}");
        assert_eq!(&*found[2].ticket.body, b"later");
    }
}

// --- the tickets of a user -------------------------------------------------------------------

fn of_user(kind: Kind, number: u64, n: u64) -> RawTicket {
    let mut raw = ticket(kind, number);
    raw.ticket.user = Some(user_id(n));
    raw
}

async fn the_tickets_of_a_user_are_theirs_and_the_oldest_comes_first(store: Store) {
    let mut list = Vec::new();
    for kind in Kind::ALL {
        for (number, n) in [(7, 1), (3, 2), (9, 1), (1, 1), (5, (1 << 63) - 1)] {
            list.push(Change::Issue(of_user(kind, number, n)));
        }
        let mut nobodys = ticket(kind, 8);
        nobodys.ticket.user = None;
        list.push(Change::Issue(nobodys));
    }
    commit(&store, list).await;
    for kind in Kind::ALL {
        for (n, expected) in [
            (1, &[1, 7, 9][..]),
            (2, &[3]),
            ((1 << 63) - 1, &[5]),
            (3, &[]),
        ] {
            let found = store.tickets_of(user_id(n), kind).await.unwrap();
            let expected: Vec<_> = expected.iter().map(|at| of_user(kind, *at, n)).collect();
            assert_eq!(found, expected, "{kind:?} {n}");
        }
    }
}

async fn the_tickets_of_a_user_are_told_as_they_are_now(store: Store) {
    for kind in [Kind::Device, Kind::Session, Kind::Vault] {
        let issue = (1..=4).map(|number| Change::Issue(of_user(kind, number, 1)));
        commit(&store, issue.collect::<Vec<_>>()).await;
        raw(&store, kind, 1).await.unwrap();
        // The dead are among them, and a list that falls leaves no trace.
        let refused = [
            revoke(kind, 4, 1),
            Change::Issue(of_user(kind, 5, 1)),
            take(Kind::Code, 1),
        ];
        clash(&store, refused).await;
        let list = [
            amend(kind, 1, 1, b"new"),
            take(kind, 2),
            revoke(kind, 3, 1),
            Change::Issue(of_user(kind, 6, 1)),
        ];
        commit(&store, list).await;
        let found = store.tickets_of(user_id(1), kind).await.unwrap();
        assert_eq!(numbers(&found), [1, 2, 3, 4, 6]);
        let of = |i: usize| &found[i].ticket;
        assert_eq!((&*of(0).body, of(0).version), (&b"new"[..], 2));
        assert!(of(1).taken_at.is_some() && of(2).revoked_at.is_some());
        assert_eq!(found[3], of_user(kind, 4, 1));
        for found in found {
            let number = found.ticket.number.0;
            assert_eq!(raw(&store, kind, number).await, Some(found));
        }
    }
}

async fn the_broom_takes_the_tickets_of_a_user(store: Store) {
    for kind in Kind::ALL {
        for (number, over) in [(1, 0), (2, 1)] {
            let mut raw = of_user(kind, number, 1);
            raw.ticket.expires_at = later(over).minus(kind.retention());
            commit(&store, [Change::Issue(raw)]).await;
        }
        raw(&store, kind, 1).await.unwrap();
    }
    let swept = store.sweep(NOW, Timestamp(0)).await.unwrap();
    assert_eq!(swept, Kind::ALL.len() as u64);
    for kind in Kind::ALL {
        let found = store.tickets_of(user_id(1), kind).await.unwrap();
        assert_eq!(numbers(&found), [2], "{kind:?}");
        let found = store.tickets(kind, None, 9).await.unwrap();
        assert_eq!(numbers(&found), [2], "{kind:?}");
        let found = store.due(kind, NOW, 9).await.unwrap();
        assert!(!numbers(&found).contains(&1), "{kind:?}");
        assert!(raw(&store, kind, 1).await.is_none());
    }
}

// --- walks -----------------------------------------------------------------------------------

async fn the_walks_see_everything_once(store: Store) {
    let numbers: BTreeSet<u64> = (0..23)
        .map(|n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1)
        .chain([0, 1, (1 << 63) - 1])
        .collect();
    let mut list = Vec::new();
    // Put in an order that is not theirs.
    for number in numbers.iter().rev() {
        list.push(Change::Issue(ticket(Kind::Vault, *number)));
        list.push(Change::Issue(ticket(Kind::Device, *number ^ 1)));
        list.push(Change::Put(Record::User(user(*number, 1))));
    }
    commit(&store, list).await;
    commit(&store, [take(Kind::Vault, 0), revoke(Kind::Vault, 1, 1)]).await;
    let all: Vec<_> = numbers.into_iter().collect();
    for limit in [1, 2, 5, 26, 27, usize::MAX] {
        let (mut walked, mut after) = (Vec::new(), None);
        loop {
            let page = store.tickets(Kind::Vault, after, limit).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.ticket.number);
            assert!(page.len() <= limit && page.iter().all(|raw| raw.kind == Kind::Vault));
            walked.extend(page.iter().map(|raw| raw.ticket.number.0));
        }
        assert_eq!(walked, all, "tickets, {limit} a page");
        let (mut walked, mut after) = (Vec::new(), None);
        loop {
            let page = store.users_after(after, limit).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            assert!(page.len() <= limit);
            walked.extend(page.iter().map(|user| user.id.0.0));
        }
        assert_eq!(walked, all, "users, {limit} a page");
    }
    assert_eq!(store.tickets(Kind::Vault, None, 0).await.unwrap(), []);
    assert_eq!(store.users_after(None, 0).await.unwrap(), []);
    assert_eq!(store.users_after(None, 1).await.unwrap(), [user(0, 1)]);
    let found = store.tickets(Kind::Vault, Some(Number(0)), 1).await;
    assert!(found.unwrap()[0].ticket.revoked_at.is_some());
}

async fn the_events_of_a_user_are_the_newest(store: Store) {
    let at_client = |number, n| Event {
        user: Some(user_id(n)),
        ..event(number)
    };
    let at_none = |number, n| Event {
        client: None,
        ..at_client(number, n)
    };
    let nobodys = Event {
        user: None,
        ..event(6)
    };
    let mine = [
        at_client(1, 1),
        at_none(3, 1),
        at_none(4, 1),
        at_client(7, 1),
    ];
    let others = [at_client(2, 2), at_none(5, 2), nobodys];
    let list = mine.iter().chain(&others).cloned().map(Change::Record);
    commit(&store, list.collect::<Vec<_>>()).await;
    let newest: Vec<_> = mine.into_iter().rev().collect();
    for limit in [0, 1, 2, 3, 4, 9] {
        let found = store.events_of(user_id(1), limit).await.unwrap();
        assert_eq!(found, newest[..limit.min(4)]);
    }
    assert_eq!(store.events_of(user_id(3), 9).await.unwrap(), []);
    store.sweep(NOW, event(4).at).await.unwrap();
    let found = store.events_of(user_id(1), 9).await.unwrap();
    assert_eq!(found, newest[..2]);
}

// --- handles ---------------------------------------------------------------------------------

async fn a_handle_is_its_kind_and_its_value(store: Store) {
    let value = "wx1\no1".to_owned();
    let provider = yufu_core::identity::Provider::Wechat;
    let twins = [
        Handle::Identity(provider, value.clone()),
        Handle::Person(provider, value),
    ];
    let all = [
        twins[0].clone(),
        twins[1].clone(),
        identity(1),
        person(1),
        handle(1),
    ];
    for (n, handle) in (1..).zip(&all) {
        put(&store, Record::User(user(n, 1))).await;
        put(&store, Record::Handle(handle.clone(), user_id(n))).await;
    }
    for (n, handle) in (1..).zip(&all) {
        assert_eq!(owner(&store, handle).await, Some(n));
        let steal = Change::Put(Record::Handle(handle.clone(), user_id(n % 5 + 1)));
        assert_eq!(clash(&store, [steal]).await, Outcome::Exists);
        // Who has it may put it again.
        put(&store, Record::Handle(handle.clone(), user_id(n))).await;
    }
    // The case of an openid matters.
    let other = Handle::Identity(provider, "wx1\nO1".into());
    assert_eq!(owner(&store, &other).await, None);
    commit(&store, [Change::DropHandle(twins[0].clone(), user_id(1))]).await;
    assert_eq!(owner(&store, &twins[0]).await, None);
    assert_eq!(owner(&store, &twins[1]).await, Some(2));
}

async fn a_handle_moves_in_one_list(store: Store) {
    for n in 1..=3 {
        put(&store, Record::User(user(n, 1))).await;
    }
    for handle in [handle(1), identity(1), person(1)] {
        put(&store, Record::Handle(handle.clone(), user_id(1))).await;
        assert_eq!(owner(&store, &handle).await, Some(1));
        let shift = |from, to| {
            [
                Change::DropHandle(handle.clone(), user_id(from)),
                Change::Put(Record::Handle(handle.clone(), user_id(to))),
            ]
        };
        commit(&store, shift(1, 2)).await;
        // Twice, should somebody have kept the first answer.
        for _ in 0..2 {
            assert_eq!(owner(&store, &handle).await, Some(2));
        }
        // It is not there any more where it is taken from.
        assert_eq!(clash(&store, shift(1, 3)).await, Outcome::Exists);
        // The list falls after the handle was moved, and after it was dropped.
        let mut falls = shift(2, 3).to_vec();
        falls.push(Change::Put(Record::User(user(3, 3))));
        assert_eq!(clash(&store, falls).await, Outcome::Stale);
        let falls = [
            Change::DropHandle(handle.clone(), user_id(2)),
            Change::Put(Record::User(user(3, 3))),
        ];
        assert_eq!(clash(&store, falls).await, Outcome::Stale);
        assert_eq!(owner(&store, &handle).await, Some(2));
        // And there and back again within one list.
        commit(&store, [shift(2, 3), shift(3, 1)].concat()).await;
        assert_eq!(owner(&store, &handle).await, Some(1));
    }
}

async fn a_handle_that_two_want_goes_to_one(store: Store) {
    for n in 1..=8 {
        put(&store, Record::User(user(n, 1))).await;
    }
    for round in 0..20 {
        let wanted = [handle(round), identity(round), person(round)][round as usize % 3].clone();
        let tasks: Vec<_> = (1..=8u64)
            .map(|n| {
                let (store, wanted) = (Arc::clone(&store), wanted.clone());
                tokio::spawn(async move {
                    let list = vec![
                        Change::Record(event(100 * round + n)),
                        Change::Put(Record::Handle(wanted, user_id(n))),
                    ];
                    (n, outcome(store.commit(list).await))
                })
            })
            .collect();
        let mut winner = None;
        for task in tasks {
            match task.await.unwrap() {
                (n, Outcome::Applied) => assert_eq!(winner.replace(n), None, "two have it"),
                (_, lost) => assert_eq!(lost, Outcome::Exists),
            }
        }
        assert!(winner.is_some());
        assert_eq!(owner(&store, &wanted).await, winner);
    }
    // What else was in the lists of the losers fell with them.
    assert_eq!(store.events(999).await.unwrap().len(), 20);
}

async fn a_new_account_and_its_handles_go_to_one(store: Store) {
    for round in 1..=20u64 {
        let tasks: Vec<_> = (0..4u64)
            .map(|n| {
                let store = Arc::clone(&store);
                let new = 100 * round + n;
                tokio::spawn(async move {
                    let list = vec![
                        Change::Put(Record::User(user(new, 1))),
                        // A handle of each one's own, and one that all want.
                        Change::Put(Record::Handle(handle(new), user_id(new))),
                        Change::Put(Record::Handle(identity(round), user_id(new))),
                    ];
                    (new, outcome(store.commit(list).await))
                })
            })
            .collect();
        let mut made = Vec::new();
        for task in tasks {
            let (new, outcome) = task.await.unwrap();
            let stands = outcome == Outcome::Applied;
            assert_eq!(owner(&store, &handle(new)).await.is_some(), stands);
            let found = store.user(UserKey::Id(user_id(new))).await.unwrap();
            assert_eq!(found.is_some(), stands);
            made.extend(stands.then_some(new));
        }
        assert_eq!(made.len(), 1);
        assert_eq!(owner(&store, &identity(round)).await, Some(made[0]));
    }
}

// --- devices ---------------------------------------------------------------------------------

async fn a_device_is_told_as_it_is_now(store: Store) {
    let body = |version: u32| format!("{version}").into_bytes();
    commit(&store, [Change::Issue(ticket(Kind::Device, 1))]).await;
    for version in 1..9 {
        for _ in 0..2 {
            let found = raw(&store, Kind::Device, 1).await.unwrap().ticket;
            assert_eq!(found.version, version);
        }
        commit(&store, [amend(Kind::Device, 1, version, &body(version))]).await;
        let found = raw(&store, Kind::Device, 1).await.unwrap().ticket;
        assert_eq!(found.body, body(version));
        let old = clash(&store, [amend(Kind::Device, 1, version, b"x")]).await;
        assert_eq!(old, Outcome::Stale);
    }
    // A user is changed and told likewise: a session is judged by both.
    put(&store, Record::User(user(1, 1))).await;
    for version in 2..9 {
        let find = async || store.user(UserKey::Id(user_id(1))).await.unwrap().unwrap();
        assert_eq!(*find().await, user(1, version - 1));
        put(&store, Record::User(user(1, version))).await;
        assert_eq!(*find().await, user(1, version));
    }
}
