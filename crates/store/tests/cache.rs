//! The cache: what it may keep, when it must forget, and the race between a slow read and a
//! commit.

mod world;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::Semaphore;
use yufu_core::id::Number;
use yufu_core::store::{Change, GrantKey, Record, Store, UserKey};
use yufu_core::ticket::{Kind, RawTicket};
use yufu_store::{Cached, Listener, Touched};

use world::{
    NOW, Told, client, client_id, developer, developer_id, grant, grant_id, handle, in_family,
    ticket, user, user_id,
};

fn cached() -> Arc<Cached<Told>> {
    Arc::new(Cached::new(Told::default(), 64))
}

fn reads(store: &Cached<Told>) -> u64 {
    store.inner().reads.load(Ordering::SeqCst)
}

async fn commit(store: &Cached<Told>, changes: impl Into<Vec<Change>>) {
    store.commit(changes.into()).await.unwrap();
}

async fn read(store: &Cached<Told>, kind: Kind, number: u64) -> Option<Arc<RawTicket>> {
    store.ticket(kind, Number(number)).await.unwrap()
}

async fn is_revoked(store: &Cached<Told>, kind: Kind, number: u64) -> bool {
    let found = read(store, kind, number).await.unwrap();
    found.ticket.revoked_at.is_some()
}

fn revoke(kind: Kind, number: u64) -> Change {
    Change::Revoke {
        kind,
        number: Number(number),
        at: NOW,
    }
}

fn revoke_family(family: u64) -> Change {
    Change::RevokeFamily {
        family: Number(family),
        at: NOW,
    }
}

#[tokio::test]
async fn what_was_issued_is_kept_and_other_kinds_are_not() {
    let store = cached();
    commit(&store, Kind::ALL.map(|kind| Change::Issue(ticket(kind, 1)))).await;
    for kind in Kind::ALL {
        let before = reads(&store);
        for _ in 0..3 {
            assert_eq!(*read(&store, kind, 1).await.unwrap(), ticket(kind, 1));
        }
        let kept = matches!(kind, Kind::Access | Kind::Session | Kind::Device);
        assert_eq!(reads(&store) - before, if kept { 0 } else { 3 }, "{kind:?}");
    }
}

#[tokio::test]
async fn what_was_refused_is_not_kept() {
    let store = cached();
    let list = vec![
        Change::Issue(ticket(Kind::Access, 1)),
        Change::Take {
            kind: Kind::Code,
            number: Number(1),
            at: NOW,
        },
    ];
    store.commit(list).await.unwrap_err();
    assert!(read(&store, Kind::Access, 1).await.is_none());
}

#[tokio::test]
async fn a_kept_record_is_read_once_until_it_is_touched() {
    let store = cached();
    commit(
        &store,
        [
            Change::Put(Record::Client(client(1, 1))),
            Change::Put(Record::Developer(developer(1))),
            Change::Put(Record::User(user(1, 1))),
            Change::Put(Record::Handle(handle(1), user_id(1))),
            Change::Put(Record::Grant(grant(1, 1, 1, 1, false))),
        ],
    )
    .await;
    let read_all = || async {
        let before = reads(&store);
        store.client(&client_id(1)).await.unwrap().unwrap();
        store.developer(developer_id(1)).await.unwrap().unwrap();
        let id = UserKey::Id(user_id(1));
        store.user(id).await.unwrap().unwrap();
        let id = GrantKey::Id(grant_id(1));
        store.grant(id).await.unwrap().unwrap();
        reads(&store) - before
    };
    assert_eq!(read_all().await, 4);
    assert_eq!(read_all().await, 0);
    for (change, again) in [
        (Change::Put(Record::Client(client(1, 2))), 1),
        (Change::Put(Record::Developer(developer(1))), 1),
        (Change::Put(Record::User(user(1, 2))), 1),
        (Change::Put(Record::Grant(grant(1, 1, 1, 2, true))), 1),
        (Change::Put(Record::User(user(2, 1))), 0),
        (Change::Issue(ticket(Kind::Access, 1)), 0),
    ] {
        commit(&store, [change.clone()]).await;
        assert_eq!(read_all().await, again, "{change:?}");
        assert_eq!(read_all().await, 0);
    }
    // By handle and by pair the store is always asked.
    let before = reads(&store);
    store.user(UserKey::Handle(&handle(1))).await.unwrap();
    let pair = client_id(1);
    let standing = GrantKey::Standing(user_id(1), &pair);
    assert!(store.grant(standing).await.unwrap().is_none());
    assert_eq!(reads(&store) - before, 2);
}

/// What a session of the login backend is judged by in each call: its device and its user.
#[tokio::test]
async fn a_session_is_judged_without_a_read_until_it_is_touched() {
    let store = cached();
    let mut other = ticket(Kind::Device, 2);
    other.ticket.user = Some(user_id(2));
    commit(
        &store,
        [
            Change::Issue(ticket(Kind::Device, 1)),
            Change::Issue(other),
            Change::Put(Record::User(user(1, 1))),
            Change::Put(Record::Handle(handle(1), user_id(1))),
        ],
    )
    .await;
    let judge = || async {
        let before = reads(&store);
        let device = read(&store, Kind::Device, 1).await.unwrap();
        let user = store.user(UserKey::Id(user_id(1))).await.unwrap().unwrap();
        (device.ticket.version, user.version, reads(&store) - before)
    };
    assert_eq!(judge().await, (1, 1, 1));
    assert_eq!(judge().await, (1, 1, 0));
    let amend = |number, version| Change::Amend {
        kind: Kind::Device,
        number: Number(number),
        version,
        body: b"{}".to_vec(),
        expires_at: NOW,
    };
    for (change, seen) in [
        (amend(1, 1), (2, 1, 1)),
        (Change::Put(Record::User(user(1, 2))), (2, 2, 1)),
        (amend(2, 1), (2, 2, 0)),
        (Change::DropHandle(handle(1), user_id(1)), (2, 2, 0)),
    ] {
        commit(&store, [change.clone()]).await;
        assert_eq!(judge().await, seen, "{change:?}");
        assert_eq!(judge().await.2, 0);
    }
    // A list that is made and changed at once is kept as it ends.
    let born = [Change::Issue(ticket(Kind::Device, 3)), amend(3, 1)];
    commit(&store, born).await;
    let found = read(&store, Kind::Device, 3).await.unwrap();
    assert_eq!(found.ticket.version, 2);
    // Lists are not kept: they are told by the store itself.
    let before = reads(&store);
    for _ in 0..2 {
        let found = store.tickets_of(user_id(1), Kind::Device).await.unwrap();
        assert_eq!(found.len(), 2);
    }
    assert_eq!(reads(&store) - before, 2);
}

/// Nothing is kept under a handle, so there is nothing that could be stale: neither when it was
/// moved here nor when it was moved where nobody tells of it; and a read by handle puts nothing
/// into the cache, where news of the handle would not find it.
#[tokio::test]
async fn who_is_known_by_a_handle_is_never_stale() {
    let store = cached();
    commit(
        &store,
        [
            Change::Put(Record::User(user(1, 1))),
            Change::Put(Record::User(user(2, 1))),
            Change::Put(Record::Handle(handle(1), user_id(1))),
        ],
    )
    .await;
    let owner = || async {
        let handle = handle(1);
        let found = store.user(UserKey::Handle(&handle)).await.unwrap();
        found.map(|user| (user.id, user.version))
    };
    let shift = |from, to| {
        vec![
            Change::DropHandle(handle(1), user_id(from)),
            Change::Put(Record::Handle(handle(1), user_id(to))),
        ]
    };
    for _ in 0..2 {
        assert_eq!(owner().await, Some((user_id(1), 1)));
    }
    commit(&store, shift(1, 2)).await;
    assert_eq!(owner().await, Some((user_id(2), 1)));
    // Elsewhere, and before the news of it.
    let mut elsewhere = shift(2, 1);
    elsewhere.push(Change::Put(Record::User(user(1, 2))));
    store.inner().store.commit(elsewhere).await.unwrap();
    assert_eq!(owner().await, Some((user_id(1), 2)));
    // What was read by the handle was not kept for the id.
    let before = reads(&store);
    store.user(UserKey::Id(user_id(1))).await.unwrap();
    assert_eq!(reads(&store) - before, 1);
    let dropped = vec![Change::DropHandle(handle(1), user_id(1))];
    store.inner().store.commit(dropped).await.unwrap();
    assert_eq!(owner().await, None);
}

/// The race of a cache: a read has its answer and is slow to give it, a commit makes the answer
/// untrue, and then the read puts it into the cache.
async fn a_slow_read_keeps_nothing(issued: Change, spoils: impl FnOnce(&Told)) {
    let store = cached();
    // Issued without the cache's knowledge, so that it must be read.
    store.inner().store.commit(vec![issued]).await.unwrap();
    let hold = Arc::new(Semaphore::new(0));
    *store.inner().hold.lock().unwrap() = Some(Arc::clone(&hold));
    let slow = tokio::spawn({
        let store = Arc::clone(&store);
        async move { is_revoked(&store, Kind::Access, 1).await }
    });
    store.inner().held.acquire().await.unwrap().forget();
    *store.inner().hold.lock().unwrap() = None;
    spoils(store.inner());
    // A reader who comes now does not wait for the slow one, and sees the truth.
    assert!(is_revoked(&store, Kind::Access, 1).await);
    hold.add_permits(1);
    assert!(!slow.await.unwrap(), "it was read before");
    // What it read was not kept over the truth.
    assert!(is_revoked(&store, Kind::Access, 1).await);
}

/// Runs a commit that does not wait for anything.
fn at_once<F: Future<Output = T>, T>(future: F) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("it waits"),
    }
}

#[tokio::test]
async fn a_revocation_beats_a_slow_read() {
    a_slow_read_keeps_nothing(Change::Issue(ticket(Kind::Access, 1)), |told| {
        at_once(told.commit(vec![revoke(Kind::Access, 1)])).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_revoked_family_beats_a_slow_read() {
    a_slow_read_keeps_nothing(Change::Issue(in_family(Kind::Access, 1, 7)), |told| {
        // The slow reader still has its place, so only the revocation itself can warn the next:
        // make the key free as another touch would.
        at_once(told.commit(vec![revoke_family(7)])).unwrap();
        told.tell(|listener| listener.touched(&Touched::Ticket(Kind::Access, Number(1))));
    })
    .await;
}

#[tokio::test]
async fn news_from_elsewhere_beats_a_slow_read() {
    for news in [
        |listener: &dyn Listener| {
            listener.touched(&Touched::Ticket(Kind::Access, Number(1)));
        },
        |listener: &dyn Listener| listener.lost(),
    ] {
        a_slow_read_keeps_nothing(Change::Issue(ticket(Kind::Access, 1)), move |told| {
            at_once(told.store.commit(vec![revoke(Kind::Access, 1)])).unwrap();
            told.tell(news);
        })
        .await;
    }
}

/// Whoever waits for a slow read began before the commit was answered, and may be told what was
/// true then; but what the slow one read of a revoked family is unfit for everybody after.
#[tokio::test]
async fn a_family_revoked_during_a_read_is_read_again() {
    let store = cached();
    let issued = Change::Issue(in_family(Kind::Access, 1, 7));
    store.inner().store.commit(vec![issued]).await.unwrap();
    let hold = Arc::new(Semaphore::new(0));
    *store.inner().hold.lock().unwrap() = Some(Arc::clone(&hold));
    let slow = tokio::spawn({
        let store = Arc::clone(&store);
        async move { is_revoked(&store, Kind::Access, 1).await }
    });
    store.inner().held.acquire().await.unwrap().forget();
    *store.inner().hold.lock().unwrap() = None;
    commit(&store, [revoke_family(7)]).await;
    let late = tokio::spawn({
        let store = Arc::clone(&store);
        async move { is_revoked(&store, Kind::Access, 1).await }
    });
    tokio::task::yield_now().await;
    hold.add_permits(1);
    assert!(!slow.await.unwrap());
    assert!(late.await.unwrap(), "it began after the answer");
    let before = reads(&store);
    assert!(is_revoked(&store, Kind::Access, 1).await);
    assert_eq!(reads(&store), before, "and the truth is kept");
}

#[tokio::test]
async fn a_revoked_family_leaves_others_alone() {
    let store = cached();
    commit(
        &store,
        [
            Change::Issue(in_family(Kind::Access, 1, 7)),
            Change::Issue(in_family(Kind::Access, 2, 8)),
            Change::Issue(ticket(Kind::Access, 3)),
            revoke_family(7),
            Change::Issue(in_family(Kind::Access, 4, 7)),
        ],
    )
    .await;
    let before = reads(&store);
    for (number, revoked) in [(1, true), (2, false), (3, false), (4, false)] {
        assert_eq!(is_revoked(&store, Kind::Access, number).await, revoked);
    }
    assert_eq!(reads(&store) - before, 1);
}

#[tokio::test]
async fn nothing_kept_is_served_while_the_feed_is_silent() {
    let store = cached();
    commit(
        &store,
        [
            Change::Issue(ticket(Kind::Access, 1)),
            Change::Put(Record::Client(client(1, 1))),
        ],
    )
    .await;
    assert!(store.client(&client_id(1)).await.unwrap().is_some());
    store.inner().silence(true);
    // Somebody else changes both, and we do not hear it.
    let elsewhere = vec![
        revoke(Kind::Access, 1),
        Change::Put(Record::Client(client(1, 2))),
    ];
    store.inner().store.commit(elsewhere).await.unwrap();
    assert!(is_revoked(&store, Kind::Access, 1).await);
    let found = store.client(&client_id(1)).await.unwrap().unwrap();
    assert_eq!(found.version, 2);
    // What is read in the silence is not kept either: nobody would tell of its end.
    assert!(
        !store
            .inner()
            .store
            .keys()
            .await
            .unwrap()
            .iter()
            .any(|_| true)
    );
    store.inner().tell(|listener| {
        listener.touched(&Touched::Ticket(Kind::Access, Number(1)));
        listener.touched(&Touched::Client(client_id(1)));
    });
    store.inner().silence(false);
    assert!(is_revoked(&store, Kind::Access, 1).await);
    let found = store.client(&client_id(1)).await.unwrap().unwrap();
    assert_eq!(found.version, 2);
}

#[tokio::test]
async fn after_lost_news_everything_is_read_again() {
    let store = cached();
    commit(&store, [Change::Issue(ticket(Kind::Access, 1))]).await;
    let revoked = vec![revoke(Kind::Access, 1)];
    store.inner().store.commit(revoked).await.unwrap();
    assert!(!is_revoked(&store, Kind::Access, 1).await);
    store.inner().tell(|listener| listener.lost());
    assert!(is_revoked(&store, Kind::Access, 1).await);
}

/// Many readers and one writer: a reader who begins after a revocation was answered never sees
/// the ticket alive again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_sees_a_ticket_rise_from_the_dead() {
    let store = cached();
    for number in 0..400u64 {
        let family = number % 2 == 0;
        let issued = if family {
            in_family(Kind::Access, number, number)
        } else {
            ticket(Kind::Access, number)
        };
        let issued = vec![Change::Issue(issued)];
        store.inner().store.commit(issued).await.unwrap();
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    for _ in 0..20 {
                        is_revoked(&store, Kind::Access, number).await;
                    }
                })
            })
            .collect();
        let end = if family {
            revoke_family(number)
        } else {
            revoke(Kind::Access, number)
        };
        commit(&store, [end]).await;
        for _ in 0..3 {
            assert!(is_revoked(&store, Kind::Access, number).await);
        }
        for reader in readers {
            reader.await.unwrap();
        }
        assert!(is_revoked(&store, Kind::Access, number).await);
    }
}
