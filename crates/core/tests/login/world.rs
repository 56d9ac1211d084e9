//! One small world: an app's backend with its settings, a person with a phone number, devices.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use yufu_core::client::{Client, Developer};
use yufu_core::engine::login::{PhoneLogin, PhoneProof, PhoneStep};
use yufu_core::engine::{Engine, Hasher, Ports, Settings};
use yufu_core::grant::Grant;
use yufu_core::id::{ClientId, DeveloperId, Number, UserId};
use yufu_core::identity::{UpstreamApp, UpstreamKind};
use yufu_core::keyring::{Key, MasterKey};
use yufu_core::login::body::DeviceSession;
use yufu_core::login::{Device, Idempotency, LoggedIn, LoginRefusal, LoginSettings, LoginStop};
use yufu_core::refusal::Fault;
use yufu_core::secret::{Entropy, Secret};
use yufu_core::store::memory::MemoryStore;
use yufu_core::store::{Browse, Change, Clash, Event, GrantKey, Notice, Record, Store, UserKey};
use yufu_core::subject::{Sector, Subject};
use yufu_core::ticket::{Kind, RawTicket, Ticket};
use yufu_core::time::{Lifetime, Timestamp};
use yufu_core::user::{Phone, User, UserStatus};

/// When every test begins.
pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_000);
/// From where every test calls.
pub(crate) const HERE: &str = "192.0.2.1";
/// The version of the terms that everybody accepts.
pub(crate) const TERMS: &str = "2026-01";

/// Seconds after the beginning.
pub(crate) fn at(seconds: i64) -> Timestamp {
    NOW.plus(Lifetime::seconds(seconds))
}

/// A mainland number.
pub(crate) fn phone(text: &str) -> Phone {
    Phone::parse(text).unwrap()
}

/// Entropy that counts: every draw differs, every run is the same.
#[derive(Default)]
pub(crate) struct Counted(AtomicU64);

impl Entropy for Counted {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let n = self.0.fetch_add(1, Ordering::Relaxed) + 1;
            let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (n << 7);
            chunk.copy_from_slice(&mixed.to_be_bytes()[..chunk.len()]);
        }
    }

    fn millis(&self) -> u64 {
        1_800_000_000_000 + self.0.load(Ordering::Relaxed)
    }
}

/// Nobody has a password here.
struct NoPasswords;

#[async_trait]
impl Hasher for NoPasswords {
    async fn hash(&self, _password: Secret) -> Result<String, Fault> {
        Err(Fault::new("no passwords here"))
    }

    async fn verify(&self, _password: Secret, _phc: Option<String>) -> Result<bool, Fault> {
        Ok(false)
    }
}

/// A store in memory that keeps every list it applied.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) memory: MemoryStore,
    applied: Mutex<Vec<Vec<Change>>>,
    /// Lets others run before each commit, so that all read before any writes.
    pub(crate) slow: AtomicBool,
    /// A ticket as it was read some time ago: served instead of what is stored, as by a store
    /// that keeps it in memory while another process moves it on.
    pub(crate) kept: Mutex<Option<Arc<RawTicket>>>,
}

impl Recorder {
    /// The lists applied since this was last asked.
    pub(crate) fn lists(&self) -> Vec<Vec<Change>> {
        std::mem::take(&mut *self.applied.lock().unwrap())
    }

    /// The same, in words.
    pub(crate) fn changes(&self) -> Vec<Vec<String>> {
        let lists = self.lists();
        let words = |list: &Vec<Change>| list.iter().map(word).collect();
        lists.iter().map(words).collect()
    }

    /// The one list applied since this was last asked, in words.
    pub(crate) fn change(&self) -> Vec<String> {
        let mut lists = self.changes();
        assert_eq!(lists.len(), 1, "one commit: {lists:?}");
        lists.remove(0)
    }
}

/// A change in words.
fn word(change: &Change) -> String {
    match change {
        Change::Take { kind, .. } => format!("take {}", kind.word()),
        Change::Issue(raw) => format!("issue {}", raw.kind.word()),
        Change::Extend { kind, .. } => format!("extend {}", kind.word()),
        Change::Amend { kind, .. } => format!("amend {}", kind.word()),
        Change::Revoke { kind, .. } => format!("revoke {}", kind.word()),
        Change::RevokeFamily { .. } => "revoke family".into(),
        Change::Put(record) => match record {
            Record::Client(_) => "put client",
            Record::Developer(_) => "put developer",
            Record::User(_) => "put user",
            Record::Handle(..) => "put handle",
            Record::Grant(_) => "put grant",
            Record::Subject(..) => "put subject",
            Record::Key(_) => "put key",
        }
        .into(),
        Change::DropHandle(..) => "drop handle".into(),
        Change::Post(_) => "post".into(),
        Change::Delivered(_) => "delivered".into(),
        Change::Notify(notice) => format!("notify {}", notice.about),
        Change::Renotify(_) => "renotify".into(),
        Change::Notified(_) => "notified".into(),
        Change::Record(event) => format!("event {}", event.what),
    }
}

#[async_trait]
impl Store for Recorder {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, Fault> {
        self.memory.client(id).await
    }
    async fn developer(&self, id: DeveloperId) -> Result<Option<Arc<Developer>>, Fault> {
        self.memory.developer(id).await
    }
    async fn user(&self, key: UserKey<'_>) -> Result<Option<Arc<User>>, Fault> {
        self.memory.user(key).await
    }
    async fn grant(&self, key: GrantKey<'_>) -> Result<Option<Arc<Grant>>, Fault> {
        self.memory.grant(key).await
    }
    async fn subject(&self, user: UserId, sector: &Sector) -> Result<Option<Subject>, Fault> {
        self.memory.subject(user, sector).await
    }
    async fn ticket(&self, kind: Kind, number: Number) -> Result<Option<Arc<RawTicket>>, Fault> {
        let kept = self.kept.lock().unwrap().clone();
        match kept.filter(|kept| kept.kind == kind && kept.ticket.number == number) {
            Some(kept) => Ok(Some(kept)),
            None => self.memory.ticket(kind, number).await,
        }
    }
    async fn tickets_of(&self, user: UserId, kind: Kind) -> Result<Vec<RawTicket>, Fault> {
        self.memory.tickets_of(user, kind).await
    }
    async fn keys(&self) -> Result<Vec<Key>, Fault> {
        self.memory.keys().await
    }
    async fn commit(&self, changes: Vec<Change>) -> Result<(), Clash> {
        if self.slow.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        self.memory.commit(changes.clone()).await?;
        self.applied.lock().unwrap().push(changes);
        Ok(())
    }
}

/// An app's backend.
pub(crate) struct World {
    pub(crate) engine: Arc<Engine>,
    pub(crate) store: Arc<Recorder>,
    /// The lists of the store.
    pub(crate) lists: Arc<Lists>,
    pub(crate) ports: Ports,
    pub(crate) master: MasterKey,
}

/// The app of the world at the upstream.
pub(crate) fn mobile_app() -> UpstreamApp {
    UpstreamApp {
        name: "mobile".into(),
        kind: UpstreamKind::WechatMobile,
        appid: ClientId::new("wx0123456789abcdef"),
        union_scope: Some("main".into()),
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A world with other settings of the login backend.
    pub(crate) async fn with(change: impl FnOnce(&mut LoginSettings)) -> Self {
        let mut settings = Settings::default();
        settings.login.apps = vec![mobile_app()];
        settings.login.webhooks = vec!["hook".into()];
        change(&mut settings.login);
        let store = Arc::new(Recorder::default());
        let lists = Arc::new(Lists(store.clone()));
        let entropy = Arc::new(Counted::default());
        let ports = Ports {
            store: store.clone(),
            browse: lists.clone(),
            entropy: entropy.clone(),
            hasher: Arc::new(NoPasswords),
        };
        let master = MasterKey::draw(&*entropy);
        let engine = Engine::open(ports.clone(), &master, settings, NOW).await;
        store.lists();
        Self {
            engine: Arc::new(engine.unwrap()),
            store,
            lists,
            ports,
            master,
        }
    }

    /// A device's own secret. Any well-formed secret of the house will do.
    pub(crate) fn device(&self) -> String {
        self.engine.draw_browser().unwrap().expose().to_owned()
    }

    /// Logs in by a phone number that its carrier vouches for.
    pub(crate) async fn try_login(
        &self,
        number: &Phone,
        device: Device<'_>,
        now: Timestamp,
    ) -> Result<LoggedIn, LoginStop> {
        let request = PhoneLogin {
            phone: number,
            proof: PhoneProof::Carrier,
            consent: TERMS,
            fresh: false,
            reissued: Some(false),
            device,
            key: Idempotency(None),
        };
        match self.engine.phone_login(request, now).await? {
            PhoneStep::Done(logged_in) => Ok(logged_in),
            step @ PhoneStep::AskCarrier { .. } => panic!("{step:?}"),
        }
    }

    /// The same where nothing stands in the way; no trace of it stays in the list of changes.
    pub(crate) async fn login(
        &self,
        number: &Phone,
        device: Device<'_>,
        now: Timestamp,
    ) -> LoggedIn {
        let logged_in = self.try_login(number, device, now).await.unwrap();
        self.store.lists();
        logged_in
    }

    /// Every account there is.
    pub(crate) async fn lists_users(&self) -> Vec<User> {
        self.lists.users(1000).await.unwrap()
    }

    pub(crate) async fn user(&self, id: UserId) -> User {
        let user = self.store.user(UserKey::Id(id)).await.unwrap();
        User::clone(&user.unwrap())
    }

    /// Changes a user behind the engine's back; no trace of it stays in the list of changes.
    pub(crate) async fn alter(&self, id: UserId, change: impl FnOnce(&mut User)) {
        let mut user = self.user(id).await;
        change(&mut user);
        user.version += 1;
        let put = Change::Put(Record::User(user));
        self.store.memory.commit(vec![put]).await.unwrap();
    }

    pub(crate) async fn set_status(&self, id: UserId, status: UserStatus) {
        self.alter(id, |user| user.status = status).await;
    }

    /// The rows of a user's sessions, oldest first.
    pub(crate) async fn rows(&self, user: UserId) -> Vec<Ticket<DeviceSession>> {
        let rows = self.store.tickets_of(user, Kind::Device).await.unwrap();
        rows.iter().map(|row| row.open().unwrap()).collect()
    }

    /// Changes a session's row behind the engine's back.
    pub(crate) async fn alter_row(&self, number: Number, change: impl FnOnce(&mut DeviceSession)) {
        let raw = self.store.ticket(Kind::Device, number).await.unwrap();
        let ticket = raw.unwrap().open::<DeviceSession>().unwrap();
        let mut body = ticket.body.clone();
        change(&mut body);
        let amend = Change::Amend {
            kind: Kind::Device,
            number,
            version: ticket.version,
            body: serde_json::to_vec(&body).unwrap(),
            expires_at: ticket.expires_at,
        };
        self.store.memory.commit(vec![amend]).await.unwrap();
    }

    /// What the audit says, oldest first, in words.
    pub(crate) async fn events(&self) -> Vec<(String, String)> {
        let mut events = self.lists.events(1000).await.unwrap();
        events.reverse();
        let words = |event: Event| (event.what, event.detail);
        events.into_iter().map(words).collect()
    }

    /// What the webhooks are told, oldest first.
    pub(crate) async fn notices(&self) -> Vec<Notice> {
        self.lists.notices(Timestamp(i64::MAX), 1000).await.unwrap()
    }
}

/// A device of the world.
pub(crate) fn device<'a>(secret: &'a str, id: &'a str, platform: &'a str) -> Device<'a> {
    Device {
        secret: Some(secret),
        id,
        platform,
        address: HERE,
    }
}

/// What was refused.
pub(crate) fn refused<T: std::fmt::Debug>(outcome: Result<T, LoginStop>) -> LoginRefusal {
    match outcome {
        Err(LoginStop::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// The lists of a [`Recorder`].
pub(crate) struct Lists(Arc<Recorder>);

macro_rules! lists {
    ($($name:ident($($arg:ident: $type:ty),*) -> $out:ty;)*) => {
        #[async_trait]
        impl Browse for Lists {
            $(async fn $name(&self, $($arg: $type),*) -> Result<$out, Fault> {
                self.0.memory.$name($($arg),*).await
            })*
        }
    };
}

lists! {
    developers() -> Vec<Developer>;
    clients() -> Vec<Client>;
    users(limit: usize) -> Vec<User>;
    grants_of(user: UserId) -> Vec<Grant>;
    letters(limit: usize) -> Vec<yufu_core::store::Letter>;
    notices(now: Timestamp, limit: usize) -> Vec<Notice>;
    dead_notices(limit: usize) -> Vec<Notice>;
    due(kind: Kind, now: Timestamp, limit: usize) -> Vec<RawTicket>;
    tickets(kind: Kind, after: Option<Number>, limit: usize) -> Vec<RawTicket>;
    users_after(after: Option<UserId>, limit: usize) -> Vec<User>;
    events_of(user: UserId, limit: usize) -> Vec<Event>;
    events(limit: usize) -> Vec<Event>;
    sweep(now: Timestamp, events_before: Timestamp) -> u64;
}
