//! How fast accounts can be brought in, each with two handles. Run it in release; the arguments are
//! the accounts, the changes in a list, and `plain` for a store that was not opened for it.
//!
//! Handles are as they are in life: their order has nothing to do with that of the accounts.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use yufu_core::id::{ClientId, Number, UserId};
use yufu_core::identity::{Identity, IdentityKey, IdentityStatus, Person, Provider};
use yufu_core::store::{Change, Clash, Record, Store};
use yufu_core::time::Timestamp;
use yufu_core::user::{Handle, User};
use yufu_store::{Cached, Options, SqliteStore};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
/// How many lists are under way besides the one that is made: the writer never waits for the next,
/// and has each for itself.
const AHEAD: usize = 1;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse().ok());
    let accounts = number(0).unwrap_or(1_000_000);
    let changes = number(1).unwrap_or(90_000);
    let options = Options {
        bulk: !arguments.iter().any(|word| word == "plain"),
        ..Options::default()
    };
    let folder = std::env::temp_dir().join(format!("yufu-import-{}", std::process::id()));
    if let Err(error) = std::fs::create_dir_all(&folder) {
        return eprintln!("{}: {error}", folder.display());
    }
    let file = folder.join("yufu.db");
    match SqliteStore::open(&file, &options) {
        Ok(store) => {
            // As in the running program: a cache listens to every list.
            let cached = Arc::new(Cached::new(store.clone(), 100_000));
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .build();
            if let Ok(runtime) = runtime {
                runtime.block_on(import(cached, accounts, (changes / 3).max(1)));
            }
            store.close();
            let size = std::fs::metadata(&file).map_or(0, |meta| meta.len());
            println!("{:>10} bytes of file for each", size / accounts.max(1));
        }
        Err(error) => eprintln!("{error}"),
    }
    // Nothing to be done about a folder that stays.
    let _ = std::fs::remove_dir_all(&folder);
}

async fn import(store: Arc<Cached<SqliteStore>>, accounts: u64, in_a_list: u64) {
    println!("{:>10} {:>10} {:>10}", "accounts", "per s", "making");
    let began = now();
    let (mut making, mut said) = (Duration::ZERO, (began, 0));
    let mut waiting = VecDeque::new();
    for from in (0..accounts).step_by(in_a_list as usize) {
        let to = (from + in_a_list).min(accounts);
        let before = now();
        let mut list: Vec<_> = (from..to).flat_map(account).collect();
        // The handles last and in their own order, as the tree has them: neighbours meet on a page.
        list.sort_by(|a, b| place(a).cmp(&place(b)));
        making += before.elapsed();
        let store = Arc::clone(&store);
        waiting.push_back(tokio::spawn(async move { store.commit(list).await }));
        while waiting.len() > AHEAD
            && let Some(first) = waiting.pop_front()
        {
            settle(first).await;
        }
        if to - said.1 >= 100_000 {
            let rate = (to - said.1) as f64 / said.0.elapsed().as_secs_f64();
            println!("{to:>10} {rate:>10.0} {:>9.1}s", making.as_secs_f64());
            said = (now(), to);
        }
    }
    for rest in waiting {
        settle(rest).await;
    }
    let rate = accounts as f64 / began.elapsed().as_secs_f64();
    println!("{:>10} {rate:>10.0}", "all");
}

/// Where a change stands in its list.
fn place(change: &Change) -> Option<(&str, &str)> {
    match change {
        Change::Put(Record::Handle(handle, _)) => Some(handle.parts()),
        _ => None,
    }
}

async fn settle(list: tokio::task::JoinHandle<Result<(), Clash>>) {
    match list.await {
        Ok(Ok(())) => {}
        lost => eprintln!("{lost:?}"),
    }
}

/// An account, and what it is known by.
fn account(n: u64) -> [Change; 3] {
    // Bits without order, different for each.
    let mixed = u128::from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) * 0xd134_2543_de82_ef95_0001;
    let key = IdentityKey {
        provider: Provider::Wechat,
        app: ClientId::new("wx0123456789abcdef"),
        subject: format!("o{:027x}", mixed & ((1 << 108) - 1)),
    };
    let person = Person {
        provider: Provider::Wechat,
        scope: "north".into(),
        id: format!("u{:027x}", mixed.rotate_left(64) & ((1 << 108) - 1)),
    };
    let handles = [Handle::of(&key), Handle::of_person(&person)];
    let id = UserId(Number(((NOW.0 as u64 + n / 64) << 21) | (n % 64)));
    let mut user = User::new(id, NOW);
    user.profile.nickname = format!("用户 {n}");
    user.identities.push(Identity {
        key,
        person: Some(person),
        former: Vec::new(),
        status: IdentityStatus::Linked,
        linked_at: NOW,
        nickname: format!("用户 {n}"),
        avatar: format!("https://img.example.com/{n}/132"),
    });
    let [one, two] = handles.map(|handle| Change::Put(Record::Handle(handle, id)));
    [Change::Put(Record::User(user)), one, two]
}

#[expect(clippy::disallowed_methods, reason = "this measures")]
fn now() -> Instant {
    Instant::now()
}
