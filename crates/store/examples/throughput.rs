//! How fast the store is, and what it costs: code exchanges at many callers, point reads with and
//! without the cache. Run it in release; the one argument is the seconds of each part.
//!
//! CPU time is read from `/proc/self/stat` and written bytes from `/proc/self/io`, so these two
//! columns are of Linux only.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use yufu_core::id::{ClientId, GrantId, Number, UserId};
use yufu_core::secret::SecretHash;
use yufu_core::store::{Change, Event, Store};
use yufu_core::ticket::{Kind, RawTicket, Ticket};
use yufu_core::time::Timestamp;
use yufu_store::{Cached, Options, SqliteStore};

const CALLERS: u64 = 64;
const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn main() {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let span = Duration::from_secs(seconds.unwrap_or(5));
    let folder = std::env::temp_dir().join(format!("yufu-throughput-{}", std::process::id()));
    if let Err(error) = std::fs::create_dir_all(&folder) {
        return eprintln!("{}: {error}", folder.display());
    }
    let store = match SqliteStore::open(&folder.join("yufu.db"), &Options::default()) {
        Ok(store) => store,
        Err(error) => return eprintln!("{error}"),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    if let Ok(runtime) = runtime {
        runtime.block_on(measure(&store, span));
    }
    store.close();
    print_size(&folder);
    // Nothing to be done about a folder that stays.
    let _ = std::fs::remove_dir_all(&folder);
}

async fn measure(store: &SqliteStore, span: Duration) {
    println!(
        "{:44}{:>10}{:>10}{:>10}",
        "", "per s", "CPU µs", "written B"
    );
    let plain = Arc::new(store.clone());
    exchanges("code exchange, 64 callers", &plain, store, span, 0).await;
    reads("point read, 1 caller", &plain, 1, span).await;
    reads("point read, 64 callers", &plain, CALLERS, span).await;
    let cached = Arc::new(Cached::new(store.clone(), 500_000));
    exchanges("code exchange, 64 callers, cache", &cached, store, span, 1).await;
    reads("cached read, 1 caller", &cached, 1, span).await;
    reads("cached read, 64 callers", &cached, CALLERS, span).await;
}

/// Numbers as the engine draws them: milliseconds, then bits without order.
fn number(round: u64, n: u64) -> Number {
    let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 43;
    Number((((round * 1_000_000) + n / 16) << 21) | mixed)
}

fn ticket(kind: Kind, number: Number, family: Option<Number>, body: &[u8]) -> Change {
    Change::Issue(RawTicket {
        kind,
        ticket: Ticket {
            number,
            hash: SecretHash(std::array::from_fn(|i| (number.0 >> (i % 8)) as u8)),
            grant: Some(GrantId(Number(1 << 60))),
            family,
            client: Some(ClientId::new("wx0123456789abcdef")),
            user: Some(UserId(Number((1 << 60) + 1))),
            body: body.to_vec(),
            issued_at: NOW,
            expires_at: Timestamp(NOW.0 + number.0 as i64 / (1 << 21)),
            taken_at: None,
            revoked_at: None,
            version: 1,
        },
    })
}

/// What the engine commits when a code is exchanged.
fn exchange(code: Number) -> Vec<Change> {
    let access = format!(r#"{{"scopes":["snsapi_userinfo"],"n":{}}}"#, code.0);
    vec![
        Change::Take {
            kind: Kind::Code,
            number: code,
            at: NOW,
        },
        ticket(Kind::Access, code, Some(code), access.as_bytes()),
        ticket(Kind::Refresh, code, Some(code), access.as_bytes()),
        Change::Record(Event {
            number: code,
            at: NOW,
            what: "code.exchanged".into(),
            user: Some(UserId(Number((1 << 60) + 1))),
            client: Some(ClientId::new("wx0123456789abcdef")),
            detail: String::new(),
        }),
    ]
}

async fn exchanges<S: Store + 'static>(
    what: &str,
    store: &Arc<S>,
    sqlite: &SqliteStore,
    span: Duration,
    round: u64,
) {
    let most = span.as_secs() * 30_000;
    let body = br#"{"scopes":["snsapi_userinfo"],"challenge":null,"purpose":"tokens"}"#;
    for from in (0..most).step_by(5000) {
        let codes = (from..from + 5000)
            .map(|n| ticket(Kind::Code, number(round, n), None, body))
            .collect();
        if let Err(clash) = store.commit(codes).await {
            return eprintln!("{clash:?}");
        }
    }
    let next = Arc::new(AtomicU64::new(0));
    let (began, before) = (now(), usage());
    let commits = sqlite.counts().commits;
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (store, next) = (Arc::clone(store), Arc::clone(&next));
            tokio::spawn(async move {
                while began.elapsed() < span {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= most {
                        break;
                    }
                    if let Err(clash) = store.commit(exchange(number(round, n))).await {
                        eprintln!("{clash:?}");
                    }
                }
            })
        })
        .collect();
    for caller in callers {
        let _ = caller.await;
    }
    let done = next.load(Ordering::Relaxed);
    row(what, done, began, before);
    let commits = sqlite.counts().commits - commits;
    println!(
        "{:44}{:>10.1}",
        "  lists in a commit",
        done as f64 / commits as f64
    );
}

async fn reads<S: Store + 'static>(what: &str, store: &Arc<S>, callers: u64, span: Duration) {
    let done = Arc::new(AtomicU64::new(0));
    let (began, before) = (now(), usage());
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let (store, done) = (Arc::clone(store), Arc::clone(&done));
            tokio::spawn(async move {
                let mut n = caller * 997;
                let mut mine = 0;
                while mine % 64 != 0 || began.elapsed() < span {
                    n = (n * 31 + 7) % 20_000;
                    if !matches!(store.ticket(Kind::Access, number(0, n)).await, Ok(Some(_))) {
                        eprintln!("no ticket {n}");
                        break;
                    }
                    mine += 1;
                    if mine % 64 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
                done.fetch_add(mine, Ordering::Relaxed);
            })
        })
        .collect();
    for task in tasks {
        let _ = task.await;
    }
    row(what, done.load(Ordering::Relaxed), began, before);
}

#[expect(clippy::disallowed_methods, reason = "this measures")]
fn now() -> Instant {
    Instant::now()
}

/// CPU time in hundredths of a second and bytes written by this process.
fn usage() -> (u64, u64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in brackets may hold spaces; utime and stime are fields 14 and 15.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let cpu = fields.split_whitespace().skip(11).take(2);
    let cpu = cpu.filter_map(|field| field.parse::<u64>().ok()).sum();
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let written = io.lines().find_map(|line| line.strip_prefix("wchar: "));
    (cpu, written.and_then(|n| n.parse().ok()).unwrap_or(0))
}

fn row(what: &str, done: u64, began: Instant, before: (u64, u64)) {
    let after = usage();
    let rate = done as f64 / began.elapsed().as_secs_f64();
    let cpu = (after.0 - before.0) as f64 * 10_000.0 / done as f64;
    let written = (after.1 - before.1) / done.max(1);
    println!("{what:44}{rate:>10.0}{cpu:>10.2}{written:>10}");
}

fn print_size(folder: &Path) {
    let size = std::fs::metadata(folder.join("yufu.db")).map_or(0, |meta| meta.len());
    println!(
        "{:44}{:>10.1}",
        "file, MiB",
        size as f64 / f64::from(1 << 20)
    );
}
