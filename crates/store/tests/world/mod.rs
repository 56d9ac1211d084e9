//! What the tests of the stores share: folders that clean up after themselves, stores of every
//! make, and sample records.
#![expect(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part of it"
)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use yufu_core::client::{Client, ClientKind, ClientPolicy, ClientSecret, Developer, Status};
use yufu_core::grant::Grant;
use yufu_core::id::{ClientId, DeveloperId, GrantId, Number, UserId};
use yufu_core::identity::{IdentityKey, Person, Provider};
use yufu_core::keyring::Key;
use yufu_core::redirect::RedirectRule;
use yufu_core::refusal::Fault;
use yufu_core::scope::Scopes;
use yufu_core::secret::SecretHash;
use yufu_core::store::memory::MemoryStore;
use yufu_core::store::{Browse, Change, Clash, Event, GrantKey, Letter, Notice, Store, UserKey};
use yufu_core::subject::{Sector, Subject};
use yufu_core::ticket::{Kind, RawTicket, Ticket};
use yufu_core::time::Timestamp;
use yufu_core::user::{Handle, Phone, Profile, User};
use yufu_store::{Cached, Feed, Listener, Options, SqliteStore};

/// A folder of its own, removed with everything in it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("yufu-store-test-{}-{next}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // Left over from a process that had our id and was killed.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn file(&self) -> PathBuf {
        self.0.join("yufu.db")
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn sqlite(folder: &Folder) -> SqliteStore {
    SqliteStore::open(&folder.file(), &Options::default()).unwrap()
}

pub trait Whole: Store + Browse {}
impl<S: Store + Browse> Whole for S {}

/// A store of some make, and what must be cleaned up after it.
pub struct Bed {
    pub store: Arc<dyn Whole>,
    sqlite: Option<SqliteStore>,
    _folder: Option<Folder>,
}

impl Bed {
    pub fn memory() -> Self {
        Self {
            store: Arc::new(MemoryStore::default()),
            sqlite: None,
            _folder: None,
        }
    }

    pub fn sqlite() -> Self {
        let folder = Folder::new();
        let sqlite = sqlite(&folder);
        Self {
            store: Arc::new(sqlite.clone()),
            sqlite: Some(sqlite),
            _folder: Some(folder),
        }
    }

    pub fn cached_memory() -> Self {
        Self {
            store: Arc::new(Cached::new(Told::default(), 64)),
            sqlite: None,
            _folder: None,
        }
    }

    pub fn cached_sqlite() -> Self {
        let folder = Folder::new();
        let sqlite = sqlite(&folder);
        Self {
            store: Arc::new(Cached::new(sqlite.clone(), 64)),
            sqlite: Some(sqlite),
            _folder: Some(folder),
        }
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if let Some(sqlite) = self.sqlite.take() {
            sqlite.close();
        }
    }
}

/// The memory store with a feed: tells what it commits, counts its reads, and can be silenced or
/// held up in the middle of a read.
pub struct Told {
    pub store: MemoryStore,
    listeners: Mutex<Vec<Arc<dyn Listener>>>,
    heard: AtomicBool,
    pub reads: AtomicU64,
    /// When set, a read that has its answer waits here before it gives it.
    pub hold: Mutex<Option<Arc<tokio::sync::Semaphore>>>,
    pub held: tokio::sync::Semaphore,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            store: MemoryStore::default(),
            listeners: Mutex::default(),
            heard: AtomicBool::new(true),
            reads: AtomicU64::new(0),
            hold: Mutex::default(),
            held: tokio::sync::Semaphore::new(0),
        }
    }
}

impl Told {
    pub fn silence(&self, silent: bool) {
        self.heard.store(!silent, Ordering::SeqCst);
    }

    pub fn tell(&self, news: impl Fn(&dyn Listener)) {
        for listener in self.listeners.lock().unwrap().iter() {
            news(&**listener);
        }
    }

    async fn read<T>(&self, read: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let answer = read.await;
        let hold = self.hold.lock().unwrap().clone();
        if let Some(hold) = hold {
            self.held.add_permits(1);
            let _ = hold.acquire().await;
        }
        answer
    }
}

impl Feed for Told {
    fn listen(&self, listener: Arc<dyn Listener>) {
        self.listeners.lock().unwrap().push(listener);
    }

    fn is_heard(&self) -> bool {
        self.heard.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Store for Told {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, Fault> {
        self.read(self.store.client(id)).await
    }
    async fn developer(&self, id: DeveloperId) -> Result<Option<Arc<Developer>>, Fault> {
        self.read(self.store.developer(id)).await
    }
    async fn user(&self, key: UserKey<'_>) -> Result<Option<Arc<User>>, Fault> {
        self.read(self.store.user(key)).await
    }
    async fn grant(&self, key: GrantKey<'_>) -> Result<Option<Arc<Grant>>, Fault> {
        self.read(self.store.grant(key)).await
    }
    async fn subject(&self, user: UserId, sector: &Sector) -> Result<Option<Subject>, Fault> {
        self.read(self.store.subject(user, sector)).await
    }
    async fn ticket(&self, kind: Kind, number: Number) -> Result<Option<Arc<RawTicket>>, Fault> {
        self.read(self.store.ticket(kind, number)).await
    }
    async fn tickets_of(&self, user: UserId, kind: Kind) -> Result<Vec<RawTicket>, Fault> {
        self.read(self.store.tickets_of(user, kind)).await
    }

    async fn keys(&self) -> Result<Vec<Key>, Fault> {
        self.read(self.store.keys()).await
    }
    async fn commit(&self, changes: Vec<Change>) -> Result<(), Clash> {
        self.store.commit(changes.clone()).await?;
        self.tell(|listener| listener.committed(&changes));
        Ok(())
    }
}

#[async_trait]
impl Browse for Told {
    async fn developers(&self) -> Result<Vec<Developer>, Fault> {
        self.store.developers().await
    }
    async fn clients(&self) -> Result<Vec<Client>, Fault> {
        self.store.clients().await
    }
    async fn users(&self, limit: usize) -> Result<Vec<User>, Fault> {
        self.store.users(limit).await
    }
    async fn grants_of(&self, user: UserId) -> Result<Vec<Grant>, Fault> {
        self.store.grants_of(user).await
    }
    async fn letters(&self, limit: usize) -> Result<Vec<Letter>, Fault> {
        self.store.letters(limit).await
    }
    async fn notices(&self, now: Timestamp, limit: usize) -> Result<Vec<Notice>, Fault> {
        self.store.notices(now, limit).await
    }

    async fn dead_notices(&self, limit: usize) -> Result<Vec<Notice>, Fault> {
        self.store.dead_notices(limit).await
    }

    async fn due(&self, kind: Kind, now: Timestamp, limit: usize) -> Result<Vec<RawTicket>, Fault> {
        self.store.due(kind, now, limit).await
    }

    async fn tickets(
        &self,
        kind: Kind,
        after: Option<Number>,
        limit: usize,
    ) -> Result<Vec<RawTicket>, Fault> {
        self.store.tickets(kind, after, limit).await
    }

    async fn users_after(&self, after: Option<UserId>, limit: usize) -> Result<Vec<User>, Fault> {
        self.store.users_after(after, limit).await
    }

    async fn events_of(&self, user: UserId, limit: usize) -> Result<Vec<Event>, Fault> {
        self.store.events_of(user, limit).await
    }

    async fn events(&self, limit: usize) -> Result<Vec<Event>, Fault> {
        self.store.events(limit).await
    }
    async fn sweep(&self, now: Timestamp, events_before: Timestamp) -> Result<u64, Fault> {
        let swept = self.store.sweep(now, events_before).await?;
        // It does not say what it swept.
        self.tell(|listener| listener.lost());
        Ok(swept)
    }
}

pub const NOW: Timestamp = Timestamp(1_800_000_000_000);

pub fn developer_id(n: u64) -> DeveloperId {
    DeveloperId(Number(n))
}

pub fn user_id(n: u64) -> UserId {
    UserId(Number(n))
}

pub fn grant_id(n: u64) -> GrantId {
    GrantId(Number(n))
}

pub fn client_id(n: u64) -> ClientId {
    ClientId::new(&format!("wx{n:016x}"))
}

pub fn handle(n: u64) -> Handle {
    Handle::Phone(Phone::parse(&format!("138{n:08}")).unwrap())
}

pub fn identity(n: u64) -> Handle {
    let key = IdentityKey {
        provider: Provider::Wechat,
        app: client_id(n),
        subject: format!("oA{n}"),
    };
    Handle::of(&key)
}

pub fn person(n: u64) -> Handle {
    let person = Person {
        provider: Provider::Wechat,
        scope: "north".into(),
        id: format!("oU{n}"),
    };
    Handle::of_person(&person)
}

pub fn developer(n: u64) -> Developer {
    Developer {
        id: developer_id(n),
        name: format!("Developer {n} 开发者"),
        created_at: Timestamp(NOW.0 + n as i64),
    }
}

pub fn client(n: u64, version: u32) -> Client {
    Client {
        id: client_id(n),
        developer: developer_id(n),
        kind: ClientKind::Website,
        name: format!("App {n} \u{1f41f} v{version}"),
        secrets: vec![ClientSecret {
            hash: SecretHash([n as u8; 32]),
            created_at: NOW,
            retires_at: Some(Timestamp(NOW.0 + 1)),
        }],
        status: Status::Approved,
        reason: String::new(),
        redirects: vec![
            RedirectRule::Host("app.example".into()),
            RedirectRule::Loopback,
        ],
        scopes: ClientKind::Website.scopes(),
        native: Default::default(),
        bound: true,
        policy: ClientPolicy::of(ClientKind::Website),
        created_at: Timestamp(NOW.0 - n as i64),
        version,
    }
}

pub fn user(n: u64, version: u32) -> User {
    User {
        profile: Profile {
            nickname: format!("梅 {n} v{version} \"'\\"),
            ..Profile::default()
        },
        phone: Some(Phone::parse(&format!("138{:08}", n % 100_000_000)).unwrap()),
        password: Some("$argon2id$…".into()),
        sessions_from: NOW,
        version,
        ..User::new(user_id(n), Timestamp(NOW.0 - n as i64))
    }
}

/// The grant of user `n` to client `c`; ten grants could be made for each pair.
pub fn grant(id: u64, n: u64, c: u64, version: u32, revoked: bool) -> Grant {
    Grant {
        id: grant_id(id),
        user: user_id(n),
        client: client_id(c),
        scopes: Scopes::of(&["snsapi_userinfo"]),
        openid: Subject::new(&format!("o{n}-{c}")),
        unionid: None,
        created_at: NOW,
        updated_at: Timestamp(NOW.0 + i64::from(version)),
        tokens_from: NOW,
        revoked_at: revoked.then_some(NOW),
        version,
    }
}

pub fn ticket(kind: Kind, number: u64) -> RawTicket {
    RawTicket {
        kind,
        ticket: Ticket {
            number: Number(number),
            hash: SecretHash([number as u8; 32]),
            grant: Some(grant_id(7)),
            family: None,
            client: Some(client_id(1)),
            user: Some(user_id(1)),
            body: br#"{"scopes":["snsapi_userinfo"]}"#.to_vec(),
            issued_at: NOW,
            expires_at: Timestamp(NOW.0 + 7_200_000),
            taken_at: None,
            revoked_at: None,
            version: 1,
        },
    }
}

pub fn in_family(kind: Kind, number: u64, family: u64) -> RawTicket {
    let mut raw = ticket(kind, number);
    raw.ticket.family = Some(Number(family));
    raw
}

pub fn event(number: u64) -> Event {
    Event {
        number: Number(number),
        at: Timestamp(NOW.0 + number as i64),
        what: "code.exchanged".into(),
        user: Some(user_id(1)),
        client: Some(client_id(1)),
        detail: "细节".into(),
    }
}

pub fn letter(number: u64) -> Letter {
    Letter {
        number: Number(number),
        to: Phone::parse("13800000001").unwrap(),
        about: "sign_in".into(),
        passcode: "123456".into(),
        posted_at: NOW,
    }
}

pub fn notice(number: u64) -> Notice {
    Notice {
        number: Number(number),
        to: "crm".into(),
        about: "user.created".into(),
        user: user_id(number),
        data: r#"{"by":"梅 \"'\\"}"#.into(),
        posted_at: Timestamp(NOW.0 - 9),
        attempts: 0,
        due_at: NOW,
        dead: false,
    }
}

pub fn key(version: u8) -> Key {
    Key {
        version,
        wrapped: vec![version; 60],
        created_at: NOW,
    }
}
