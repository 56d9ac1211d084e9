//! Random lists of changes, played on a store and on the memory store, which is what the port
//! means.

use std::sync::Arc;

use proptest::prelude::*;
use yufu_core::id::Number;
use yufu_core::store::memory::MemoryStore;
use yufu_core::store::{Change, Event, GrantKey, Notice, Record, UserKey};
use yufu_core::subject::{Sector, Subject};
use yufu_core::ticket::Kind;
use yufu_core::time::{Lifetime, Timestamp};
use yufu_core::user::Handle;

use crate::world::{
    Bed, NOW, client, client_id, developer, developer_id, event, grant, grant_id, handle, identity,
    key, letter, notice, person, ticket, user, user_id,
};
use crate::{Store, amend, extend, outcome, raw, revoke, take};

/// Everything that can be asked of a small world, as one comparable text.
pub(crate) async fn everything(store: &Store) -> String {
    let mut all = String::new();
    let mut note = |what: &dyn std::fmt::Debug| all.push_str(&format!("{what:?}\n"));
    for n in SMALL {
        note(&store.client(&client_id(n)).await.unwrap());
        note(&store.developer(developer_id(n)).await.unwrap());
        note(&store.user(UserKey::Id(user_id(n))).await.unwrap());
        for handle in [handle(n), identity(n), person(n)] {
            note(&store.user(UserKey::Handle(&handle)).await.unwrap());
        }
        for c in SMALL {
            let id = client_id(c);
            let standing = GrantKey::Standing(user_id(n), &id);
            note(&store.grant(standing).await.unwrap());
            let sector = Sector::Client(id.clone());
            note(&store.subject(user_id(n), &sector).await.unwrap());
        }
        note(&store.grants_of(user_id(n)).await.unwrap());
        for kind in KINDS {
            note(&raw(store, kind, n).await);
            note(&store.tickets_of(user_id(n), kind).await.unwrap());
        }
        note(&store.events_of(user_id(n), 2).await.unwrap());
    }
    for id in 0..8 {
        note(&store.grant(GrantKey::Id(grant_id(id))).await.unwrap());
    }
    note(&store.keys().await.unwrap());
    note(&store.developers().await.unwrap());
    note(&store.clients().await.unwrap());
    note(&store.users(9).await.unwrap());
    note(&store.letters(9).await.unwrap());
    note(&store.events(9).await.unwrap());
    for life in [1, 3] {
        let now = Timestamp(NOW.0 + life);
        note(&store.notices(now, 2).await.unwrap());
        for kind in KINDS {
            note(&store.due(kind, now, 2).await.unwrap());
        }
    }
    note(&store.dead_notices(2).await.unwrap());
    for after in [None, Some(1), Some(2)] {
        for kind in KINDS {
            let after = after.map(Number);
            note(&store.tickets(kind, after, 2).await.unwrap());
        }
        let after = after.map(user_id);
        note(&store.users_after(after, 2).await.unwrap());
    }
    all
}

const SMALL: std::ops::Range<u64> = 1..4;
const KINDS: [Kind; 5] = [
    Kind::Code,
    Kind::Access,
    Kind::Session,
    Kind::Device,
    Kind::Sync,
];

/// A step of a random run.
#[derive(Clone, Debug)]
enum Act {
    Commit(Vec<Change>),
    Sweep { days: i64, now: i64, events: i64 },
}

fn any_kind() -> impl Strategy<Value = Kind> {
    proptest::sample::select(&KINDS[..])
}

fn any_handle() -> impl Strategy<Value = Handle> {
    let make = proptest::sample::select(&[handle, identity, person][..]);
    (make, SMALL).prop_map(|(make, n)| make(n))
}

fn any_notice() -> impl Strategy<Value = Notice> {
    (SMALL, 0i64..4, any::<bool>()).prop_map(|(number, life, dead)| Notice {
        due_at: Timestamp(NOW.0 + life),
        dead,
        ..notice(number)
    })
}

fn any_event() -> impl Strategy<Value = Event> {
    let (user, client) = (proptest::option::of(SMALL), proptest::option::of(SMALL));
    (SMALL, user, client).prop_map(|(number, user, client)| Event {
        user: user.map(user_id),
        client: client.map(client_id),
        ..event(number)
    })
}

fn any_record() -> impl Strategy<Value = Record> {
    prop_oneof![
        (SMALL, 0u32..5).prop_map(|(n, version)| Record::Client(client(n, version))),
        SMALL.prop_map(|n| Record::Developer(developer(n))),
        (SMALL, 0u32..5).prop_map(|(n, version)| Record::User(user(n, version))),
        (any_handle(), SMALL).prop_map(|(handle, n)| Record::Handle(handle, user_id(n))),
        // A grant never changes its pair, but pairs have several.
        (0u64..8, 1u32..5, any::<bool>()).prop_map(|(id, version, gone)| Record::Grant(grant(
            id,
            1 + id % 2,
            1,
            version,
            gone
        ))),
        (SMALL, SMALL, SMALL).prop_map(|(n, c, s)| Record::Subject(
            user_id(n),
            Sector::Client(client_id(c)),
            Subject::new(&format!("o{s}"))
        )),
        (0u8..4).prop_map(|version| Record::Key(key(version))),
    ]
}

fn any_change() -> impl Strategy<Value = Change> {
    let family = proptest::option::of(SMALL);
    let user = proptest::option::of(SMALL);
    let issue = (any_kind(), SMALL, family, user, 0i64..4);
    prop_oneof![
        3 => issue.prop_map(|(kind, number, family, user, life)| {
            let mut raw = ticket(kind, number);
            raw.ticket.family = family.map(Number);
            raw.ticket.user = user.map(user_id);
            raw.ticket.expires_at = Timestamp(NOW.0 + life);
            Change::Issue(raw)
        }),
        2 => (any_kind(), SMALL).prop_map(|(kind, number)| take(kind, number)),
        1 => (any_kind(), SMALL, 0i64..4)
            .prop_map(|(kind, number, life)| extend(kind, number, NOW.0 + life)),
        1 => (any_kind(), SMALL, 1u32..4, any::<[u8; 2]>())
            .prop_map(|(kind, number, version, body)| amend(kind, number, version, &body)),
        1 => (any_kind(), SMALL, 0i64..9).prop_map(|(kind, number, at)| revoke(kind, number, at)),
        1 => (SMALL, 0i64..9).prop_map(|(family, at)| Change::RevokeFamily {
            family: Number(family),
            at: Timestamp(at),
        }),
        5 => any_record().prop_map(Change::Put),
        1 => (any_handle(), SMALL).prop_map(|(handle, n)| Change::DropHandle(handle, user_id(n))),
        1 => (SMALL).prop_map(|number| Change::Post(letter(number))),
        1 => (SMALL).prop_map(|number| Change::Delivered(Number(number))),
        2 => any_notice().prop_map(Change::Notify),
        1 => any_notice().prop_map(Change::Renotify),
        1 => (SMALL).prop_map(|number| Change::Notified(Number(number))),
        1 => any_event().prop_map(Change::Record),
    ]
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => proptest::collection::vec(any_change(), 1..4).prop_map(Act::Commit),
        1 => (proptest::sample::select(&[1i64, 7, 400][..]), 0i64..4, 0i64..4)
            .prop_map(|(days, now, events)| Act::Sweep { days, now, events }),
    ]
}

/// Plays a run on a store and on the memory store, which is what the port means.
async fn play(store: &Store, acts: Vec<Act>) {
    let model: Store = Arc::new(MemoryStore::default());
    for act in acts {
        match act {
            Act::Commit(list) => {
                let expected = outcome(model.commit(list.clone()).await);
                let found = outcome(store.commit(list.clone()).await);
                assert_eq!(found, expected, "{list:?}");
            }
            Act::Sweep { days, now, events } => {
                let now = Timestamp(NOW.0 + now).plus(Lifetime::days(days));
                let events = Timestamp(NOW.0 + events);
                let expected = model.sweep(now, events).await.unwrap();
                assert_eq!(store.sweep(now, events).await.unwrap(), expected);
            }
        }
        assert_eq!(everything(store).await, everything(&model).await);
    }
}

fn play_on(make: fn() -> Bed, acts: Vec<Act>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let bed = make();
    runtime.block_on(play(&bed.store, acts));
}

fn runs() -> impl Strategy<Value = Vec<Act>> {
    proptest::collection::vec(any_act(), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn sqlite_does_what_memory_does(acts in runs()) {
        play_on(Bed::sqlite, acts);
    }

    #[test]
    fn a_cache_before_memory_does_what_memory_does(acts in runs()) {
        play_on(Bed::cached_memory, acts);
    }

    #[test]
    fn a_cache_before_sqlite_does_what_memory_does(acts in runs()) {
        play_on(Bed::cached_sqlite, acts);
    }
}
