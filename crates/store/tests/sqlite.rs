//! What is asked of SQLite alone: groups, full and busy disks, files of others, processes that
//! are killed, and two processes on one file.

mod world;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use yufu_core::id::Number;
use yufu_core::store::{Browse, Change, Clash, Record, Store, UserKey};
use yufu_core::ticket::Kind;
use yufu_core::time::Timestamp;
use yufu_store::{Cached, Feed, OpenError, Options, SqliteStore};

use world::{Folder, NOW, client, client_id, event, in_family, sqlite, ticket, user, user_id};

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

fn revoke(kind: Kind, number: u64) -> Change {
    Change::Revoke {
        kind,
        number: Number(number),
        at: NOW,
    }
}

async fn is_there(store: &impl Store, kind: Kind, number: u64) -> bool {
    store.ticket(kind, Number(number)).await.unwrap().is_some()
}

async fn is_revoked(store: &impl Store, number: u64) -> bool {
    let found = store.ticket(Kind::Access, Number(number)).await.unwrap();
    found.unwrap().ticket.revoked_at.is_some()
}

#[expect(clippy::disallowed_methods, reason = "these tests wait for real")]
fn now() -> Instant {
    Instant::now()
}

/// Holds the write lock as another process would.
fn hold(path: &Path) -> Connection {
    let other = Connection::open(path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_that_wait_share_a_flush() {
    let folder = Folder::new();
    let store = sqlite(&folder);
    let before = store.counts();
    let other = hold(&folder.file());
    let callers: Vec<_> = (0..200)
        .map(|n| {
            let store = store.clone();
            // Every fourth clashes with the one before it; the others do not mind.
            let number = if n % 4 == 3 { n - 1 } else { n };
            tokio::spawn(async move { store.commit(vec![issue(Kind::Code, number)]).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    other.execute_batch("ROLLBACK").unwrap();
    let mut applied = 0;
    for caller in callers {
        match caller.await.unwrap() {
            Ok(()) => applied += 1,
            Err(clash) => assert!(matches!(clash, Clash::Exists), "{clash:?}"),
        }
    }
    assert_eq!(applied, 150);
    let after = store.counts();
    assert_eq!(after.lists - before.lists, 150);
    // One for whoever came first, and few for all others.
    assert!(after.commits - before.commits <= 20, "{after:?}");
    store.close();
}

#[tokio::test]
async fn a_full_disk_fails_cleanly_and_only_who_is_too_large() {
    let folder = Folder::new();
    let small = Options {
        max_pages: Some(80),
        ..Options::default()
    };
    let store = SqliteStore::open(&folder.file(), &small).unwrap();
    store.commit(vec![issue(Kind::Code, 1)]).await.unwrap();

    // All three wait for the same transaction; the one in the middle has no room.
    let other = hold(&folder.file());
    let mut huge = vec![take(Kind::Code, 1)];
    huge.extend((0..5000).map(|n| issue(Kind::Access, n)));
    let first = store.commit(vec![issue(Kind::Code, 2)]);
    let (first, huge, last, ()) = tokio::join!(
        first,
        store.commit(huge),
        store.commit(vec![issue(Kind::Code, 3)]),
        async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            other.execute_batch("ROLLBACK").unwrap();
        }
    );
    first.unwrap();
    last.unwrap();
    let Err(Clash::Failed(fault)) = huge else {
        panic!("{huge:?}");
    };
    assert!(fault.to_string().contains("full"), "{fault}");
    assert!(!is_there(&store, Kind::Access, 0).await);
    // Its code was not burnt.
    let code = store.ticket(Kind::Code, Number(1)).await.unwrap().unwrap();
    assert_eq!(code.ticket.taken_at, None);
    // Fill it to the brim with small lists: each fails or stands, none in part.
    let mut stood = Vec::new();
    for n in 10_000..10_600 {
        let list = vec![issue(Kind::Access, n), issue(Kind::Refresh, n)];
        match store.commit(list).await {
            Ok(()) => stood.push(n),
            Err(clash) => assert!(matches!(clash, Clash::Failed(_)), "{clash:?}"),
        }
    }
    assert!(stood.len() < 600);
    for n in 10_000..10_600 {
        let there = stood.contains(&n);
        assert_eq!(is_there(&store, Kind::Access, n).await, there);
        assert_eq!(is_there(&store, Kind::Refresh, n).await, there);
    }
    store.close();

    let store = sqlite(&folder);
    store
        .commit(vec![take(Kind::Code, 1), issue(Kind::Access, 0)])
        .await
        .unwrap();
    store.close();
}

#[tokio::test]
async fn a_busy_database_fails_with_nothing_burnt() {
    let folder = Folder::new();
    let hasty = Options {
        busy_timeout: Duration::from_millis(50),
        ..Options::default()
    };
    let store = SqliteStore::open(&folder.file(), &hasty).unwrap();
    store.commit(vec![issue(Kind::Code, 1)]).await.unwrap();
    let other = hold(&folder.file());
    let list = || vec![take(Kind::Code, 1), issue(Kind::Access, 1)];
    for _ in 0..2 {
        let failed = store.commit(list()).await;
        assert!(matches!(failed, Err(Clash::Failed(_))), "{failed:?}");
        // Reading goes on.
        let code = store.ticket(Kind::Code, Number(1)).await.unwrap().unwrap();
        assert_eq!(code.ticket.taken_at, None);
        assert!(store.sweep(NOW, NOW).await.is_err());
    }
    other.execute_batch("ROLLBACK").unwrap();
    store.commit(list()).await.unwrap();
    store.close();
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let folder = Folder::new();
    let store = sqlite(&folder);
    let other = hold(&folder.file());
    let mut waiting = Vec::new();
    let mut refused = 0;
    for n in 0..6000 {
        let mut commit = Box::pin({
            let store = store.clone();
            async move { store.commit(vec![issue(Kind::Code, n)]).await }
        });
        // Poll it once: either it waits or it was refused.
        match futures_once(&mut commit).await {
            None => waiting.push((n, commit)),
            Some(Err(Clash::Failed(_))) => refused += 1,
            Some(other) => panic!("{other:?}"),
        }
    }
    assert!(refused > 1000, "{refused}");
    other.execute_batch("ROLLBACK").unwrap();
    for (_, commit) in waiting {
        commit.await.unwrap();
    }
    store.close();
}

/// Polls a future once.
async fn futures_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(cx) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn a_closed_store_has_everything_and_takes_nothing_more() {
    let folder = Folder::new();
    let store = sqlite(&folder);
    let clone = store.clone();
    let commits = (0..100).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { store.commit(vec![issue(Kind::Code, n)]).await })
    });
    let commits: Vec<_> = commits.collect();
    // Time for each of them to be in the queue.
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    store.close();
    for commit in commits {
        commit.await.unwrap().unwrap();
    }
    let late = clone.commit(vec![issue(Kind::Code, 1000)]).await;
    assert!(matches!(late, Err(Clash::Failed(_))), "{late:?}");
    drop(clone);
    let log = std::fs::metadata(folder.path().join("yufu.db-wal"));
    assert!(log.map_or(0, |meta| meta.len()) == 0);
    let again = sqlite(&folder);
    for n in 0..100 {
        assert!(is_there(&again, Kind::Code, n).await);
    }
    again.close();
}

/// Not a test of its own: the process that the next one kills.
#[tokio::test]
#[ignore = "run by the test below"]
async fn child_that_is_killed() {
    let folder = std::env::args().find_map(|arg| arg.strip_prefix("--folder=").map(str::to_owned));
    let store = match folder {
        Some(folder) => {
            SqliteStore::open(&Path::new(&folder).join("yufu.db"), &Options::default()).unwrap()
        }
        None => return,
    };
    let callers: Vec<_> = (0..8u64)
        .map(|caller| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0.. {
                    let number = caller * 1_000_000 + n;
                    let list = vec![
                        issue(Kind::Access, number),
                        issue(Kind::Refresh, number),
                        Change::Record(event(number)),
                    ];
                    store.commit(list).await.unwrap();
                    // One write each, so that no line is cut by another.
                    println!("answered {number}");
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
}

#[tokio::test]
async fn what_was_answered_survives_a_kill() {
    for round in 0..3u64 {
        let folder = Folder::new();
        // The folder goes as a filter that no test matches: the harness lets it pass.
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "child_that_is_killed",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .arg("--skip")
            .arg(format!("--folder={}", folder.path().display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        while text.matches("answered").count() < 500 + 300 * round as usize {
            if lines.read_line(&mut text).unwrap() == 0 {
                panic!("the child ended: {text}");
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        lines.read_to_string(&mut text).unwrap();
        // The last line may be cut.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let answered: Vec<u64> = whole
            .lines()
            .filter_map(|line| line.rsplit_once("answered ")?.1.parse().ok())
            .collect();
        assert!(answered.len() >= 500);
        let store = sqlite(&folder);
        for number in answered {
            assert!(is_there(&store, Kind::Access, number).await, "{number}");
            assert!(is_there(&store, Kind::Refresh, number).await, "{number}");
        }
        store.close();
    }
}

mod files {
    //! A file that is refused is not touched: not a byte, not a new file beside it.
    use super::*;

    fn refusal(path: &Path) -> OpenError {
        let inspected = SqliteStore::inspect(path);
        match SqliteStore::open(path, &Options::default()) {
            Ok(_) => panic!("opened {}", path.display()),
            Err(error) => {
                let error_text = error.to_string();
                if !matches!(error, OpenError::Unwritable { .. }) {
                    assert_eq!(inspected.unwrap_err().to_string(), error_text);
                }
                error
            }
        }
    }

    fn all_files(folder: &Folder) -> Vec<(String, Vec<u8>)> {
        let mut all: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.metadata().unwrap().is_file())
            .map(|entry| {
                let name = entry.file_name().into_string().unwrap();
                (name, std::fs::read(entry.path()).unwrap())
            })
            .collect();
        all.sort();
        all
    }

    fn is_left_alone(bytes: &[u8]) -> OpenError {
        let folder = Folder::new();
        std::fs::write(folder.file(), bytes).unwrap();
        let before = all_files(&folder);
        let error = refusal(&folder.file());
        assert!(all_files(&folder) == before);
        error
    }

    #[test]
    fn files_of_others_are_refused() {
        for bytes in [
            &b""[..],
            b"short",
            &[b'x'; 5000],
            b"SQLite format 3\0",
            "# a settings file\n".repeat(100).as_bytes(),
        ] {
            let error = is_left_alone(bytes);
            assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
        }
    }

    #[test]
    fn a_database_of_another_program_is_refused() {
        for sql in [
            "CREATE TABLE client (id TEXT)",
            "PRAGMA application_id = 7; CREATE TABLE client (id TEXT)",
            "PRAGMA user_version = 1; CREATE TABLE client (id TEXT)",
        ] {
            let folder = Folder::new();
            Connection::open(folder.file())
                .unwrap()
                .execute_batch(sql)
                .unwrap();
            let before = all_files(&folder);
            let error = refusal(&folder.file());
            assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
            assert!(all_files(&folder) == before);
        }
    }

    #[test]
    fn a_newer_shape_is_refused() {
        let folder = Folder::new();
        sqlite(&folder).close();
        let db = Connection::open(folder.file()).unwrap();
        db.execute_batch("PRAGMA user_version = 99").unwrap();
        db.close().unwrap();
        let before = all_files(&folder);
        let error = refusal(&folder.file());
        let OpenError::Newer { found: 99, known } = error else {
            panic!("{error}");
        };
        assert!(known < 99);
        assert!(all_files(&folder) == before);
    }

    #[test]
    fn a_newer_shape_that_is_only_in_the_log_is_refused() {
        let folder = Folder::new();
        sqlite(&folder).close();
        let newer = Connection::open(folder.file()).unwrap();
        newer.execute_batch("PRAGMA user_version = 99").unwrap();
        let file = std::fs::read(folder.file()).unwrap();
        let error = refusal(&folder.file());
        assert!(
            matches!(error, OpenError::Newer { found: 99, .. }),
            "{error}"
        );
        assert!(std::fs::read(folder.file()).unwrap() == file);
    }

    #[test]
    fn a_history_that_differs_is_refused() {
        let folder = Folder::new();
        sqlite(&folder).close();
        let db = Connection::open(folder.file()).unwrap();
        db.execute_batch("UPDATE migration SET checksum = 'other'")
            .unwrap();
        db.close().unwrap();
        let before = std::fs::read(folder.file()).unwrap();
        match SqliteStore::open(&folder.file(), &Options::default()) {
            Err(OpenError::Damaged { .. }) => {}
            other => panic!("{:?}", other.err()),
        }
        assert!(std::fs::read(folder.file()).unwrap() == before);
    }

    #[test]
    fn a_cut_file_is_damaged() {
        let folder = Folder::new();
        sqlite(&folder).close();
        let bytes = std::fs::read(folder.file()).unwrap();
        let error = is_left_alone(&bytes[..bytes.len() / 2]);
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    }

    #[test]
    fn a_log_without_its_file_is_not_played_into_a_new_one() {
        let folder = Folder::new();
        std::fs::write(folder.path().join("yufu.db-wal"), [7; 5000]).unwrap();
        let before = all_files(&folder);
        let error = refusal(&folder.file());
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
        assert!(all_files(&folder) == before);
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_may_read_a_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = Folder::new();
        let store = sqlite(&folder);
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", entry.path().display());
        }
        store.close();
    }

    #[test]
    fn folders_and_places_that_cannot_be_written_are_refused() {
        let folder = Folder::new();
        let error = refusal(folder.path());
        assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
        let error = refusal(&folder.path().join("no/such/folder/yufu.db"));
        assert!(matches!(error, OpenError::Unwritable { .. }), "{error}");
        assert!(all_files(&folder).is_empty());
        if cfg!(target_os = "linux") {
            // Not even root may write here.
            let error = refusal(Path::new("/proc/yufu.db"));
            assert!(matches!(error, OpenError::Unwritable { .. }), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_without_permission_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = Folder::new();
        sqlite(&folder).close();
        let mut permissions = std::fs::metadata(folder.file()).unwrap().permissions();
        permissions.set_mode(0o400);
        std::fs::set_permissions(folder.file(), permissions).unwrap();
        if std::fs::OpenOptions::new()
            .write(true)
            .open(folder.file())
            .is_ok()
        {
            // We are root, who may do anything.
            return;
        }
        let error = refusal(&folder.file());
        assert!(matches!(error, OpenError::Unwritable { .. }), "{error}");
    }

    #[test]
    fn inspection_makes_nothing() {
        let folder = Folder::new();
        let schema = SqliteStore::inspect(&folder.file()).unwrap();
        assert_eq!(schema.version, 0);
        assert_eq!(schema.pending.first(), Some(&"0001_first"));
        assert_eq!(schema.pending.len() as u32, schema.known);
        assert!(all_files(&folder).is_empty());
        sqlite(&folder).close();
        let before = all_files(&folder);
        assert_eq!(before.len(), 1, "only the file itself stays behind");
        let schema = SqliteStore::inspect(&folder.file()).unwrap();
        assert_eq!(schema.version, schema.known);
        assert!(schema.pending.is_empty());
        assert!(all_files(&folder) == before);
    }

    #[test]
    fn of_two_starts_at_once_both_open_the_same_file() {
        let folder = Folder::new();
        let path = folder.file();
        let starts: Vec<_> = (0..4)
            .map(|_| {
                let path = path.clone();
                std::thread::spawn(move || SqliteStore::open(&path, &Options::default()).unwrap())
            })
            .collect();
        let stores: Vec<_> = starts.into_iter().map(|s| s.join().unwrap()).collect();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            for (n, store) in stores.iter().enumerate() {
                let list = vec![issue(Kind::Code, n as u64)];
                store.commit(list).await.unwrap();
            }
            for store in &stores {
                for n in 0..stores.len() {
                    assert!(is_there(store, Kind::Code, n as u64).await);
                }
            }
        });
        for store in stores {
            store.close();
        }
        assert_eq!(all_files(&folder).len(), 1);
    }

    /// Files as each released shape left them must open with all that is in them:
    /// `shapes/<number>.sql` makes such a file, and this test tells what is in it.
    #[tokio::test]
    async fn what_an_older_shape_held_is_still_there() {
        let folder = Folder::new();
        let old = Connection::open(folder.file()).unwrap();
        old.execute_batch(include_str!("shapes/0001.sql")).unwrap();
        old.close().unwrap();
        let schema = SqliteStore::inspect(&folder.file()).unwrap();
        assert_eq!((schema.version, schema.pending.len()), (1, 1));
        // The second opening finds nothing to do.
        for _ in 0..2 {
            let store = sqlite(&folder);
            let found = store.client(&client_id(1)).await.unwrap();
            assert_eq!(*found.unwrap(), client(1, 1));
            let phone = world::handle(1);
            let found = store.user(UserKey::Handle(&phone)).await.unwrap();
            assert_eq!(*found.unwrap(), user(1, 2));
            let users = store.users_after(None, 9).await.unwrap();
            assert_eq!(users, [user(1, 2), user(2, 1)]);
            assert!(is_there(&store, Kind::Refresh, 3).await);
            assert!(!is_revoked(&store, 2).await);
            let sessions = store.tickets_of(user_id(1), Kind::Session).await.unwrap();
            assert_eq!(sessions.len(), 1);
            assert_eq!(sessions[0].ticket.version, 2);
            assert_eq!(store.letters(9).await.unwrap(), [world::letter(1)]);
            assert_eq!(store.notices(NOW, 9).await.unwrap(), []);
            // One at a client, and one at none: what came with a later shape knows of both.
            let mut own = event(2);
            own.client = None;
            let events = store.events_of(user_id(1), 9).await.unwrap();
            assert_eq!(events, [own, event(1)]);
            store.close();
        }
        let store = sqlite(&folder);
        let list = vec![take(Kind::Refresh, 3), issue(Kind::Device, 1)];
        store.commit(list).await.unwrap();
        assert_eq!(
            store
                .tickets_of(user_id(1), Kind::Device)
                .await
                .unwrap()
                .len(),
            1
        );
        store.close();
        let schema = SqliteStore::inspect(&folder.file()).unwrap();
        assert_eq!((schema.version, schema.pending.len()), (schema.known, 0));
    }
}

mod two_processes {
    //! Two stores on one file are what two processes are: each has its own writer and its own
    //! cache, and nothing is between them but the file.
    use super::*;

    async fn two(folder: &Folder) -> [Arc<Cached<SqliteStore>>; 2] {
        [0, 1].map(|_| Arc::new(Cached::new(sqlite(folder), 1000)))
    }

    fn close(stores: [Arc<Cached<SqliteStore>>; 2]) {
        for store in stores {
            store.inner().clone().close();
        }
    }

    #[tokio::test]
    async fn a_revocation_is_heard_within_a_second() {
        let folder = Folder::new();
        let stores = two(&folder).await;
        let [here, there] = &stores;
        for n in 0..3 {
            here.commit(vec![
                Change::Issue(in_family(Kind::Access, n, 1)),
                Change::Issue(in_family(Kind::Access, n + 10, 9)),
            ])
            .await
            .unwrap();
            for store in &stores {
                assert!(!is_revoked(&**store, n).await);
                assert!(!is_revoked(&**store, n + 10).await);
            }
        }
        there
            .commit(vec![
                revoke(Kind::Access, 0),
                Change::RevokeFamily {
                    family: Number(9),
                    at: NOW,
                },
            ])
            .await
            .unwrap();
        let began = now();
        // At once where it was committed.
        for n in [0, 10, 11, 12] {
            assert!(is_revoked(&**there, n).await);
        }
        for n in [0, 10, 11, 12] {
            while !is_revoked(&**here, n).await {
                assert!(began.elapsed() < Duration::from_millis(1100));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        assert!(!is_revoked(&**here, 1).await);
        close(stores);
    }

    #[tokio::test]
    async fn every_kept_record_is_heard_of() {
        let folder = Folder::new();
        let stores = two(&folder).await;
        let [here, there] = &stores;
        here.commit(vec![
            Change::Put(Record::Client(client(1, 1))),
            Change::Put(Record::User(user(1, 1))),
            Change::Put(Record::Developer(world::developer(1))),
            Change::Put(Record::Grant(world::grant(1, 1, 1, 1, false))),
            issue(Kind::Session, 1),
        ])
        .await
        .unwrap();
        let versions = |store: Arc<Cached<SqliteStore>>| async move {
            let grant = yufu_core::store::GrantKey::Id(world::grant_id(1));
            let developer = store.developer(world::developer_id(1)).await.unwrap();
            let session = store.ticket(Kind::Session, Number(1)).await.unwrap();
            (
                store.client(&client_id(1)).await.unwrap().unwrap().version,
                store
                    .user(UserKey::Id(user_id(1)))
                    .await
                    .unwrap()
                    .unwrap()
                    .version,
                store.grant(grant).await.unwrap().unwrap().version,
                session.unwrap().ticket.version,
                developer.unwrap().name.clone(),
            )
        };
        let before = versions(Arc::clone(here)).await;
        let mut renamed = world::developer(1);
        renamed.name = "Another".into();
        there
            .commit(vec![
                Change::Put(Record::Client(client(1, 2))),
                Change::Put(Record::User(user(1, 2))),
                Change::Put(Record::Developer(renamed)),
                Change::Put(Record::Grant(world::grant(1, 1, 1, 2, false))),
                Change::Amend {
                    kind: Kind::Session,
                    number: Number(1),
                    version: 1,
                    body: vec![],
                    expires_at: NOW,
                },
            ])
            .await
            .unwrap();
        assert_ne!(versions(Arc::clone(there)).await, before);
        // By then it has heard of it, or knows that it has not and reads the file.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        assert_eq!(
            versions(Arc::clone(here)).await,
            (2, 2, 2, 2, "Another".to_owned())
        );
        close(stores);
    }

    /// A session of the login backend is judged by its device and its user.
    #[tokio::test]
    async fn a_session_that_was_ended_elsewhere_is_over_within_a_second() {
        let folder = Folder::new();
        let stores = two(&folder).await;
        let [here, there] = &stores;
        here.commit(vec![
            issue(Kind::Device, 1),
            issue(Kind::Device, 2),
            Change::Put(Record::User(user(1, 1))),
        ])
        .await
        .unwrap();
        let judge = async |store: &Cached<SqliteStore>| {
            let device = store.ticket(Kind::Device, Number(1)).await.unwrap();
            let user = store.user(UserKey::Id(user_id(1))).await.unwrap();
            (device.unwrap().ticket.version, user.unwrap().version)
        };
        assert_eq!(judge(here).await, (1, 1));
        let end = |number| Change::Amend {
            kind: Kind::Device,
            number: Number(number),
            version: 1,
            body: br#"{"ended":1}"#.to_vec(),
            expires_at: NOW,
        };
        // In turn, so that each is heard of by itself.
        for (change, over) in [
            (end(1), (2, 1)),
            (Change::Put(Record::User(user(1, 2))), (2, 2)),
        ] {
            there.commit(vec![change]).await.unwrap();
            let began = now();
            assert_eq!(judge(there).await, over);
            while judge(here).await != over {
                assert!(began.elapsed() < Duration::from_millis(1100));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        // Who acts on what was ended elsewhere loses, and sees it the next time.
        let found = here.ticket(Kind::Device, Number(2)).await.unwrap();
        assert_eq!(found.unwrap().ticket.version, 1);
        there.commit(vec![end(2)]).await.unwrap();
        let lost = here.commit(vec![end(2)]).await;
        assert!(matches!(lost, Err(Clash::Stale)));
        let found = here.ticket(Kind::Device, Number(2)).await.unwrap();
        assert_eq!(found.unwrap().ticket.version, 2);
        close(stores);
    }

    /// By a handle the file itself is asked, so there is not even a second of the old answer.
    #[tokio::test]
    async fn a_handle_that_was_moved_elsewhere_is_moved_at_once() {
        let folder = Folder::new();
        let stores = two(&folder).await;
        let [here, there] = &stores;
        for handle in [world::handle(1), world::identity(1), world::person(1)] {
            let owner = async |store: &Cached<SqliteStore>| {
                let found = store.user(UserKey::Handle(&handle)).await.unwrap();
                found.map(|user| (user.id, user.version))
            };
            let of = |n| Change::Put(Record::Handle(handle.clone(), user_id(n)));
            let not_of = |n| Change::DropHandle(handle.clone(), user_id(n));
            let known = here.user(UserKey::Id(user_id(1))).await.unwrap();
            let mut version = known.map_or(0, |user| user.version);
            let mut first = vec![of(1)];
            if version == 0 {
                first.extend([1, 2].map(|n| Change::Put(Record::User(user(n, 1)))));
                version = 1;
            }
            here.commit(first).await.unwrap();
            for store in &stores {
                assert_eq!(owner(store).await, Some((user_id(1), version)));
                store.user(UserKey::Id(user_id(1))).await.unwrap();
            }
            there.commit(vec![not_of(1), of(2)]).await.unwrap();
            for store in &stores {
                assert_eq!(owner(store).await, Some((user_id(2), 1)));
            }
            let back = vec![
                not_of(2),
                of(1),
                Change::Put(Record::User(user(1, version + 1))),
            ];
            here.commit(back).await.unwrap();
            for store in &stores {
                assert_eq!(owner(store).await, Some((user_id(1), version + 1)));
            }
            there.commit(vec![not_of(1)]).await.unwrap();
            for store in &stores {
                assert_eq!(owner(store).await, None);
            }
            // Two processes want it: the file decides.
            let wanted = [here.commit(vec![of(1)]), there.commit(vec![of(2)])];
            let [one, two] = wanted;
            let (one, two) = tokio::join!(one, two);
            let (won, lost) = if one.is_ok() { (1, two) } else { (2, one) };
            assert!(matches!(lost, Err(Clash::Exists)));
            for store in &stores {
                assert_eq!(owner(store).await.map(|(id, _)| id), Some(user_id(won)));
            }
            there.commit(vec![not_of(won)]).await.unwrap();
        }
        close(stores);
    }

    /// While one process waits for the write lock of another it hears no news: after a second it
    /// must read the database instead of what it kept.
    #[tokio::test]
    async fn nothing_kept_is_served_when_the_feed_is_silent() {
        let folder = Folder::new();
        let stores = two(&folder).await;
        let [here, _] = &stores;
        here.commit(vec![issue(Kind::Access, 1)]).await.unwrap();
        assert!(!is_revoked(&**here, 1).await);
        let other = hold(&folder.file());
        other
            .execute(
                "UPDATE ticket SET revoked_at = 1 WHERE kind = 6 AND number = 1",
                [],
            )
            .unwrap();
        // The writer is stuck behind the lock from here on.
        let stuck = tokio::spawn({
            let here = Arc::clone(here);
            async move { here.commit(vec![issue(Kind::Code, 1)]).await }
        });
        tokio::time::sleep(Duration::from_millis(1400)).await;
        assert!(!here.inner().is_heard());
        // Committed without a word in the log, as by a program that is not ours.
        other.execute_batch("COMMIT; BEGIN IMMEDIATE").unwrap();
        assert!(is_revoked(&**here, 1).await || here.inner().is_heard());
        other.execute_batch("ROLLBACK").unwrap();
        stuck.await.unwrap().unwrap();
        close(stores);
    }

    #[tokio::test]
    async fn old_words_of_the_log_are_swept() {
        let folder = Folder::new();
        let store = sqlite(&folder);
        store
            .commit(vec![issue(Kind::Access, 1), revoke(Kind::Access, 1)])
            .await
            .unwrap();
        let db = Connection::open(folder.file()).unwrap();
        let rows = || -> i64 {
            db.query_row("SELECT count(*) FROM change_log", [], |row| row.get(0))
                .unwrap()
        };
        assert_eq!(rows(), 1);
        store.sweep(NOW, NOW).await.unwrap();
        assert_eq!(rows(), 1, "it is younger than a minute");
        db.execute_batch("UPDATE change_log SET number = number - (70000 << 21)")
            .unwrap();
        store.sweep(Timestamp(0), Timestamp(0)).await.unwrap();
        assert_eq!(rows(), 0);
        store.close();
    }

    /// The one who writes alone pays one row of log for what a cache may keep, none for the rest.
    #[tokio::test]
    async fn an_exchange_leaves_no_word_in_the_log() {
        let folder = Folder::new();
        let store = sqlite(&folder);
        store
            .commit(vec![
                issue(Kind::Code, 1),
                take(Kind::Code, 1),
                issue(Kind::Access, 1),
                issue(Kind::Refresh, 1),
                Change::Record(event(1)),
                Change::Put(Record::Client(client(1, 1))),
            ])
            .await
            .unwrap();
        let db = Connection::open(folder.file()).unwrap();
        let rows: i64 = db
            .query_row("SELECT count(*) FROM change_log", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 0);
        store.close();
    }
}
