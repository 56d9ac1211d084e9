//! Copies of a whole database: made while it is open, put back while it is read and written, and
//! refused when they are not what they seem.

mod world;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::types::Value;
use yufu_core::id::Number;
use yufu_core::keyring::Key;
use yufu_core::store::{Change, Clash, Record, Store, UserKey};
use yufu_core::ticket::Kind;
use yufu_store::{Cached, CopyError, OpenError, Options, SqliteStore};

use world::{Folder, NOW, client, client_id, event, grant, handle, sqlite, ticket, user, user_id};

fn issue(kind: Kind, number: u64) -> Change {
    Change::Issue(ticket(kind, number))
}

fn take(kind: Kind, number: u64) -> Change {
    Change::Take {
        kind,
        number: Number(number),
        at: NOW,
    }
}

fn key(fill: u8) -> Change {
    Change::Put(Record::Key(Key {
        version: 0,
        wrapped: vec![fill; 60],
        created_at: NOW,
    }))
}

/// Every row of every table but the words for other processes.
fn rows(file: &Path) -> Vec<(String, Vec<Vec<Value>>)> {
    let db = Connection::open(file).unwrap();
    let mut names = db
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'change_log' ORDER BY name")
        .unwrap();
    let names: Vec<String> = names
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let all = |name: &String| {
        let mut statement = db
            .prepare(&format!("SELECT * FROM {name} ORDER BY 1, 2"))
            .unwrap();
        let width = statement.column_count();
        let rows = statement
            .query_map([], |row| (0..width).map(|n| row.get(n)).collect())
            .unwrap();
        rows.map(Result::unwrap).collect()
    };
    names.iter().map(|name| (name.clone(), all(name))).collect()
}

/// A bit of everything.
async fn furnish(store: &impl Store) {
    let list = vec![
        key(1),
        Change::Put(Record::Client(client(1, 1))),
        Change::Put(Record::User(user(1, 1))),
        Change::Put(Record::Handle(handle(1), user_id(1))),
        Change::Put(Record::Grant(grant(1, 1, 1, 1, false))),
        Change::Record(event(1)),
        issue(Kind::Code, 1),
        issue(Kind::Access, 1),
    ];
    store.commit(list).await.unwrap();
}

/// As after a while.
async fn live(store: &impl Store) {
    let list = vec![
        Change::Put(Record::Client(client(1, 2))),
        Change::Put(Record::User(user(1, 2))),
        Change::Put(Record::User(user(2, 1))),
        Change::DropHandle(handle(1), user_id(1)),
        Change::Put(Record::Handle(handle(1), user_id(2))),
        Change::Put(Record::Grant(grant(1, 1, 1, 2, true))),
        Change::Record(event(2)),
        take(Kind::Code, 1),
        issue(Kind::Access, 2),
        Change::Revoke {
            kind: Kind::Access,
            number: Number(1),
            at: NOW,
        },
    ];
    store.commit(list).await.unwrap();
}

#[tokio::test]
async fn what_is_put_back_is_what_was() {
    let folder = Folder::new();
    let store = sqlite(&folder);
    furnish(&store).await;
    let before = rows(&folder.file());
    // A name that an address would read otherwise, over a file that is there already.
    let copy = folder.path().join("a copy?mode=memory#100%'\".db");
    fs::write(&copy, "old").unwrap();
    store.snapshot(&copy).await.unwrap();
    assert_eq!(rows(&copy), before);
    live(&store).await;
    assert_ne!(rows(&folder.file()), before);
    for _ in 0..2 {
        store.restore(&copy).await.unwrap();
        assert_eq!(rows(&folder.file()), before);
        // The gate of single use is open again, and shuts again.
        store.commit(vec![take(Kind::Code, 1)]).await.unwrap();
        let again = store.commit(vec![take(Kind::Code, 1)]).await;
        assert!(matches!(again, Err(Clash::Taken(..))));
    }
    let kept: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(".new-"))
        .collect();
    assert!(kept.is_empty(), "{kept:?}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(&copy).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    store.close();
    let again = SqliteStore::open(&folder.file(), &Options::default()).unwrap();
    again.close();
}

#[tokio::test]
async fn a_copy_holds_what_was_committed_when_it_was_asked_for() {
    let folder = Folder::new();
    let store = sqlite(&folder);
    furnish(&store).await;
    let copy = folder.path().join("copy.db");
    let before = store.commit(vec![issue(Kind::Code, 7)]);
    before.await.unwrap();
    // Asked for before the change, waited for after it.
    let asked = store.snapshot(&copy);
    store.commit(vec![issue(Kind::Code, 8)]).await.unwrap();
    asked.await.unwrap();
    store.restore(&copy).await.unwrap();
    let is_there = async |number| {
        let found = store.ticket(Kind::Code, Number(number)).await.unwrap();
        found.is_some()
    };
    assert!(is_there(7).await);
    assert!(!is_there(8).await);
    store.close();
}

/// Whoever reads while it happens sees one world or the other, and the new one from the answer on.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_never_see_what_was_before_from_the_answer_on() {
    let folder = Folder::new();
    let store = sqlite(&folder);
    let cached = Arc::new(Cached::new(store.clone(), 1000));
    furnish(&*cached).await;
    let copy = folder.path().join("copy.db");
    store.snapshot(&copy).await.unwrap();
    let (over, reads) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (cached, over, reads) = (cached.clone(), over.clone(), reads.clone());
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let found = cached.user(UserKey::Id(user_id(1))).await.unwrap();
                    assert!([1, 2].contains(&found.unwrap().version));
                    cached.client(&client_id(1)).await.unwrap().unwrap();
                    reads.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for _ in 0..40 {
        live(&*cached).await;
        let version = async || {
            let found = cached.user(UserKey::Id(user_id(1))).await.unwrap();
            let client = cached.client(&client_id(1)).await.unwrap().unwrap();
            let access = cached
                .ticket(Kind::Access, Number(1))
                .await
                .unwrap()
                .unwrap();
            let fresh = cached.ticket(Kind::Access, Number(2)).await.unwrap();
            let of = (found.unwrap().version, client.version);
            (of, access.ticket.revoked_at.is_some(), fresh.is_some())
        };
        assert_eq!(version().await, ((2, 2), true, true));
        store.restore(&copy).await.unwrap();
        assert_eq!(version().await, ((1, 1), false, false));
    }
    over.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
    assert!(reads.load(Ordering::Relaxed) > 100);
    store.close();
}

/// Another process on the same file drops what it kept as well.
#[tokio::test]
async fn another_process_hears_of_it() {
    let folder = Folder::new();
    let (here, there) = (sqlite(&folder), sqlite(&folder));
    let far = Cached::new(there.clone(), 100);
    furnish(&here).await;
    let copy = folder.path().join("copy.db");
    here.snapshot(&copy).await.unwrap();
    live(&here).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    let version = async || {
        let found = far.user(UserKey::Id(user_id(1))).await.unwrap();
        found.unwrap().version
    };
    assert_eq!(version().await, 2);
    here.restore(&copy).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(version().await, 1);
    // The feed goes on in both directions.
    far.commit(vec![Change::Put(Record::User(user(1, 2)))])
        .await
        .unwrap();
    assert_eq!(version().await, 2);
    there.restore(&copy).await.unwrap();
    assert_eq!(version().await, 1);
    here.close();
    there.close();
}

#[tokio::test]
async fn a_copy_that_is_not_what_it_seems_changes_nothing() {
    let folder = Folder::new();
    let store = sqlite(&folder);
    furnish(&store).await;
    let good = folder.path().join("good.db");
    store.snapshot(&good).await.unwrap();
    live(&store).await;
    let before = rows(&folder.file());

    let file = |name: &str| folder.path().join(name);
    let altered = |name: &str, sql: &str| {
        let path = file(name);
        fs::copy(&good, &path).unwrap();
        let db = Connection::open(&path).unwrap();
        db.execute_batch(sql).unwrap();
        path
    };
    let with_bytes = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let path = file(name);
        let mut bytes = fs::read(&good).unwrap();
        change(&mut bytes);
        fs::write(&path, bytes).unwrap();
        path
    };
    let other = Folder::new();
    let stranger = sqlite(&other);
    stranger.commit(vec![key(2)]).await.unwrap();
    let strange = file("strange.db");
    stranger.snapshot(&strange).await.unwrap();
    stranger.close();

    type Is = fn(&CopyError) -> bool;
    let foreign: Is = |e| matches!(e, CopyError::File(OpenError::Foreign { .. }));
    let damaged: Is = |e| {
        matches!(
            e,
            CopyError::Damaged { .. } | CopyError::File(OpenError::Damaged { .. })
        )
    };
    let cases: Vec<(PathBuf, Is)> = vec![
        (file("none.db"), |e| matches!(e, CopyError::Missing(_))),
        (folder.path().to_owned(), foreign),
        (with_bytes("empty.db", &|bytes| bytes.clear()), foreign),
        (with_bytes("text.db", &|bytes| bytes.fill(b'x')), foreign),
        (altered("program.db", "PRAGMA application_id = 1"), foreign),
        (
            with_bytes("short.db", &|bytes| bytes.truncate(5000)),
            damaged,
        ),
        // The pages after the first hold something else.
        (
            with_bytes("torn.db", &|bytes| bytes[2048..9000].fill(0xa5)),
            damaged,
        ),
        (altered("less.db", "DROP TABLE notice"), damaged),
        (altered("more.db", "CREATE TABLE more (a INTEGER)"), damaged),
        (
            altered(
                "view.db",
                "DROP TABLE notice; CREATE VIEW notice AS SELECT 1",
            ),
            damaged,
        ),
        (altered("old.db", "PRAGMA user_version = 1"), |e| {
            matches!(e, CopyError::Older { found: 1, .. })
        }),
        (altered("new.db", "PRAGMA user_version = 99"), |e| {
            matches!(e, CopyError::File(OpenError::Newer { .. }))
        }),
        (strange, |e| matches!(e, CopyError::Another(_))),
        (altered("keyless.db", "DELETE FROM key"), |e| {
            matches!(e, CopyError::Another(_))
        }),
    ];
    for (path, is) in cases {
        let refused = store.restore(&path).await.unwrap_err();
        assert!(is(&refused), "{}: {refused:?}", path.display());
        assert_eq!(rows(&folder.file()), before, "{}", path.display());
        // The writer is as before.
        let clash = store.commit(vec![take(Kind::Code, 1)]).await;
        assert!(matches!(clash, Err(Clash::Taken(..))));
    }
    store.restore(&good).await.unwrap();
    assert_ne!(rows(&folder.file()), before);
    store.close();
}

#[tokio::test]
async fn what_does_not_fit_is_not_put_back_in_part() {
    let folder = Folder::new();
    let store = sqlite(&folder);
    furnish(&store).await;
    let large: Vec<_> = (0..5000).map(|n| issue(Kind::Refresh, n)).collect();
    store.commit(large).await.unwrap();
    let copy = folder.path().join("copy.db");
    store.snapshot(&copy).await.unwrap();
    store.close();

    let small = Options {
        max_pages: Some(120),
        ..Options::default()
    };
    let file = folder.path().join("small.db");
    let store = SqliteStore::open(&file, &small).unwrap();
    furnish(&store).await;
    let before = rows(&file);
    let refused = store.restore(&copy).await.unwrap_err();
    assert!(refused.to_string().contains("full"), "{refused}");
    assert_eq!(rows(&file), before);
    live(&store).await;
    store.close();
}

#[tokio::test]
async fn a_copy_that_cannot_be_written_leaves_the_older_one() {
    let folder = Folder::new();
    let store = sqlite(&folder);
    furnish(&store).await;
    let nowhere = folder.path().join("nowhere").join("copy.db");
    let refused = store.snapshot(&nowhere).await.unwrap_err();
    assert!(
        matches!(refused, CopyError::File(OpenError::Unwritable { .. })),
        "{refused:?}"
    );
    // A folder stands where the copy should be.
    let taken = folder.path().join("taken");
    fs::create_dir(&taken).unwrap();
    store.snapshot(&taken).await.unwrap_err();
    assert_eq!(
        fs::read_dir(folder.path())
            .unwrap()
            .filter(|entry| {
                let name = entry.as_ref().unwrap().file_name();
                name.to_string_lossy().contains(".new-")
            })
            .count(),
        0
    );
    live(&store).await;
    store.clone().close();
    let closed = store.snapshot(&folder.path().join("late.db")).await;
    assert!(matches!(closed, Err(CopyError::Failed(_))));
}
