//! One seeded world: two developers, clients of each kind, three people.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use yufu_core::client::{Client, ClientKind, ClientPolicy, Developer, NativeIdentity, Status};
use yufu_core::engine::{
    AuthorizeStop, ClientDraft, ClientEdit, Engine, Hasher, Ports, Proof, Settings, UserDraft,
};
use yufu_core::grant::Grant;
use yufu_core::id::{ClientId, DeveloperId, Number, UserId};
use yufu_core::keyring::{Key, MasterKey};
use yufu_core::message::{
    AccessRequest, Act, Asked, AuthorizeRequest, Authorized, Challenge, Channel, NativeApp,
    Outcome, PollAnswer, PollRequest, PollState, ScanShown, ScanSignature, SignedIn, Step,
    TokenGrant, TokenRequest, Tokens, Visitor,
};
use yufu_core::redirect::RedirectRule;
use yufu_core::refusal::{Fault, Refusal, Stop};
use yufu_core::scope::Scopes;
use yufu_core::secret::{Entropy, Secret};
use yufu_core::store::memory::MemoryStore;
use yufu_core::store::{
    Browse, Change, Clash, Event, GrantKey, Letter, Notice, Record, Store, UserKey,
};
use yufu_core::subject::{Sector, Subject};
use yufu_core::ticket::{Kind, RawTicket};
use yufu_core::time::{Lifetime, Timestamp};
use yufu_core::user::{Phone, Profile, User};

/// When every test begins.
pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_000);
/// From where every test calls.
pub(crate) const HERE: &str = "192.0.2.1";
/// A PKCE verifier and what it must hash to (RFC 7636 appendix B).
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// The android signing-certificate digest of the mobile client.
pub(crate) const DIGEST: &str = "0123456789abcdef0123456789abcdef";

/// Seconds after the beginning.
pub(crate) fn at(seconds: i64) -> Timestamp {
    NOW.plus(Lifetime::seconds(seconds))
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

/// Hashes at once and counts how often it was asked.
#[derive(Default)]
pub(crate) struct Instant {
    pub(crate) hashed: AtomicUsize,
    pub(crate) verified: AtomicUsize,
    pub(crate) verified_nothing: AtomicUsize,
}

#[async_trait]
impl Hasher for Instant {
    async fn hash(&self, password: Secret) -> Result<String, Fault> {
        let n = self.hashed.fetch_add(1, Ordering::SeqCst);
        Ok(format!("salt{n}${}", password.expose()))
    }

    async fn verify(&self, password: Secret, phc: Option<String>) -> Result<bool, Fault> {
        self.verified.fetch_add(1, Ordering::SeqCst);
        if phc.is_none() {
            self.verified_nothing.fetch_add(1, Ordering::SeqCst);
        }
        let known = phc.as_deref().and_then(|phc| phc.split_once('$'));
        Ok(known.is_some_and(|(_, known)| known == password.expose()))
    }
}

/// What happens to a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    /// It is applied.
    Fine,
    /// It fails, and says so.
    Failed,
    /// It is applied, but nobody knows.
    UnknownApplied,
    /// It is not applied, but nobody knows.
    UnknownLost,
    /// It is not applied, nobody knows, and somebody else's rows of the same numbers are there.
    UnknownTaken,
    /// It is applied, nobody knows, and nothing can be read back.
    UnknownBlind,
    /// An event's number is in use: the whole list is refused.
    Exists,
}

/// A store in memory that keeps every list it applied and can be told to fail.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) memory: MemoryStore,
    applied: Mutex<Vec<Vec<Change>>>,
    weather: Mutex<VecDeque<Weather>>,
    blind: AtomicBool,
    /// Lets others run before each commit, so that all read before any writes.
    pub(crate) slow: AtomicBool,
}

impl Recorder {
    /// What the next commits meet.
    pub(crate) fn forecast(&self, weather: &[Weather]) {
        self.blind.store(false, Ordering::SeqCst);
        *self.weather.lock().unwrap() = weather.iter().copied().collect();
    }

    /// The lists applied since this was last asked.
    pub(crate) fn lists(&self) -> Vec<Vec<Change>> {
        std::mem::take(&mut *self.applied.lock().unwrap())
    }

    /// The same, in words.
    pub(crate) fn changes(&self) -> Vec<Vec<String>> {
        let lists = self.lists();
        lists
            .iter()
            .map(|list| list.iter().map(word).collect())
            .collect()
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
            Record::Subject(_, Sector::Client(_), _) => "put openid",
            Record::Subject(_, Sector::Developer(_), _) => "put unionid",
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
        if self.blind.load(Ordering::SeqCst) {
            return Err(Fault::new("nothing can be read"));
        }
        self.memory.ticket(kind, number).await
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
        let next = self.weather.lock().unwrap().pop_front();
        let unknown = || Err(Clash::Unknown(Fault::new("the line was cut")));
        match next.unwrap_or(Weather::Fine) {
            Weather::Failed => return Err(Clash::Failed(Fault::new("disk full"))),
            Weather::UnknownLost => return unknown(),
            Weather::UnknownTaken => {
                let foreign = changes.into_iter().filter_map(|change| match change {
                    Change::Issue(mut raw) => {
                        let looked_up =
                            matches!(raw.kind, Kind::Nonce | Kind::Passcode | Kind::Platform);
                        match looked_up {
                            true => raw.ticket.body.push(b' '),
                            false => raw.ticket.hash.0[0] ^= 1,
                        }
                        Some(Change::Issue(raw))
                    }
                    _ => None,
                });
                self.memory.commit(foreign.collect()).await?;
                return unknown();
            }
            Weather::Exists => return Err(Clash::Exists),
            weather => {
                self.memory.commit(changes.clone()).await?;
                self.applied.lock().unwrap().push(changes);
                if weather == Weather::Fine {
                    return Ok(());
                }
                let blind = weather == Weather::UnknownBlind;
                self.blind.store(blind, Ordering::SeqCst);
                unknown()
            }
        }
    }
}

#[async_trait]
impl Browse for Recorder {
    async fn developers(&self) -> Result<Vec<Developer>, Fault> {
        self.memory.developers().await
    }
    async fn clients(&self) -> Result<Vec<Client>, Fault> {
        self.memory.clients().await
    }
    async fn users(&self, limit: usize) -> Result<Vec<User>, Fault> {
        self.memory.users(limit).await
    }
    async fn grants_of(&self, user: UserId) -> Result<Vec<Grant>, Fault> {
        self.memory.grants_of(user).await
    }
    async fn letters(&self, limit: usize) -> Result<Vec<Letter>, Fault> {
        self.memory.letters(limit).await
    }
    async fn notices(&self, now: Timestamp, limit: usize) -> Result<Vec<Notice>, Fault> {
        self.memory.notices(now, limit).await
    }
    async fn dead_notices(&self, limit: usize) -> Result<Vec<Notice>, Fault> {
        self.memory.dead_notices(limit).await
    }
    async fn due(&self, kind: Kind, now: Timestamp, limit: usize) -> Result<Vec<RawTicket>, Fault> {
        self.memory.due(kind, now, limit).await
    }
    async fn tickets(
        &self,
        kind: Kind,
        after: Option<Number>,
        limit: usize,
    ) -> Result<Vec<RawTicket>, Fault> {
        self.memory.tickets(kind, after, limit).await
    }
    async fn users_after(&self, after: Option<UserId>, limit: usize) -> Result<Vec<User>, Fault> {
        self.memory.users_after(after, limit).await
    }
    async fn events_of(&self, user: UserId, limit: usize) -> Result<Vec<Event>, Fault> {
        self.memory.events_of(user, limit).await
    }
    async fn events(&self, limit: usize) -> Result<Vec<Event>, Fault> {
        self.memory.events(limit).await
    }
    async fn sweep(&self, now: Timestamp, events_before: Timestamp) -> Result<u64, Fault> {
        self.memory.sweep(now, events_before).await
    }
}

/// A client and its secret.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) id: ClientId,
    pub(crate) kind: ClientKind,
    pub(crate) secret: Secret,
}

/// A person, their password and how they call.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) id: UserId,
    pub(crate) phone: Phone,
    pub(crate) password: &'static str,
}

pub(crate) struct World {
    pub(crate) engine: Arc<Engine>,
    pub(crate) store: Arc<Recorder>,
    pub(crate) hasher: Arc<Instant>,
    /// Of the first developer: one client of each kind, and a service client not bound to the
    /// developer's account.
    pub(crate) site: App,
    pub(crate) mobile: App,
    pub(crate) page: App,
    pub(crate) loose: App,
    /// Of the second developer.
    pub(crate) other: App,
    pub(crate) mei: Person,
    pub(crate) wei: Person,
    pub(crate) an: Person,
    pub(crate) developers: [DeveloperId; 2],
}

impl World {
    pub(crate) async fn new() -> Self {
        // A test is one address, and its time stands still.
        let mut settings = Settings::default();
        settings.address_authorizations.burst = 1_000_000;
        Self::with(settings).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let store = Arc::new(Recorder::default());
        let hasher = Arc::new(Instant::default());
        let entropy = Arc::new(Counted::default());
        let ports = Ports {
            store: store.clone(),
            browse: store.clone(),
            entropy: entropy.clone(),
            hasher: hasher.clone(),
        };
        let master = MasterKey::draw(&*entropy);
        let engine = Engine::open(ports, &master, settings, NOW).await.unwrap();
        let north = engine.create_developer("North", NOW).await.unwrap().id;
        let south = engine.create_developer("South", NOW).await.unwrap().id;
        let make = async |developer, kind, name, bound| {
            let draft = draft(developer, kind, name, bound);
            let (client, secret) = engine.create_client(draft, NOW).await.unwrap();
            let (id, kind) = (client.id, client.kind);
            App { id, kind, secret }
        };
        let site = make(north, ClientKind::Website, "Site", true).await;
        let mobile = make(north, ClientKind::Mobile, "Mobile", true).await;
        let page = make(north, ClientKind::Service, "Page", true).await;
        let loose = make(north, ClientKind::Service, "Loose", false).await;
        let other = make(south, ClientKind::Website, "Other", true).await;
        let person = async |nickname: &str, phone, password| {
            let draft = UserDraft {
                profile: Profile {
                    nickname: nickname.into(),
                    ..Profile::default()
                },
                phone: Some(Phone::parse(phone).unwrap()),
                password: Some(Secret::new(password)),
                ..UserDraft::default()
            };
            let user = engine.create_user(draft, NOW).await.unwrap();
            Person {
                id: user.id,
                phone: user.phone.unwrap(),
                password,
            }
        };
        let mei = person("梅 é 🐟", "13800000001", "mei's password").await;
        let wei = person("Wei", "13800000002", "wei's password").await;
        let an = person("An", "13800000003", "an's password").await;
        store.lists();
        Self {
            engine: Arc::new(engine),
            store,
            hasher,
            site,
            mobile,
            page,
            loose,
            other,
            mei,
            wei,
            an,
            developers: [north, south],
        }
    }

    /// Changes the settings of a client; no trace of it stays in the list of changes.
    pub(crate) async fn set(&self, app: &App, change: impl Fn(&mut ClientPolicy)) {
        let mut policy = self.client(app).await.policy.clone();
        change(&mut policy);
        let edit = ClientEdit {
            policy: Some(policy),
            ..ClientEdit::default()
        };
        self.engine.edit_client(&app.id, edit, NOW).await.unwrap();
        self.store.lists();
    }

    pub(crate) async fn client(&self, app: &App) -> Arc<Client> {
        self.store.client(&app.id).await.unwrap().unwrap()
    }

    pub(crate) async fn user(&self, person: &Person) -> Arc<User> {
        let user = self.store.user(UserKey::Id(person.id)).await;
        user.unwrap().unwrap()
    }

    pub(crate) async fn grant(&self, person: &Person, app: &App) -> Option<Arc<Grant>> {
        let key = GrantKey::Standing(person.id, &app.id);
        self.store.grant(key).await.unwrap()
    }

    /// Signs a person in, at this moment; no trace of it stays in the list of changes.
    pub(crate) async fn sign_in(&self, person: &Person, now: Timestamp) -> String {
        let proof = Proof::Password(Secret::new(person.password));
        let session = self.engine.sign_in(&person.phone, proof, HERE, now).await;
        self.store.lists();
        session.unwrap().expose().to_owned()
    }

    pub(crate) async fn signed_in(&self, session: &str, now: Timestamp) -> Option<SignedIn> {
        self.engine.session(Some(session), now).await.unwrap()
    }

    pub(crate) async fn begin(
        &self,
        request: AuthorizeRequest,
        visitor: &Visitor<'_>,
        now: Timestamp,
    ) -> Result<Step, Stop> {
        match self.engine.begin(request, visitor, now).await {
            Ok(step) => Ok(step),
            Err(AuthorizeStop::Refused(refused)) => {
                let yufu_core::client::AuthorizeRefusal::Stay(refusal) = refused else {
                    panic!("nothing is said to the redirect address: {refused:?}");
                };
                Err(refusal.into())
            }
            Err(AuthorizeStop::Failed(fault)) => Err(fault.into()),
        }
    }

    /// Begins a scan in this browser and answers its uuid.
    pub(crate) async fn scan(&self, app: &App, browser: &str, now: Timestamp) -> String {
        let step = self.begin(scan_request(app), &stranger(browser), now).await;
        shown(step.unwrap()).uuid.expose().to_owned()
    }

    /// Opens a scan on a phone of this session and answers the interaction.
    pub(crate) async fn open(&self, uuid: &str, session: &str, now: Timestamp) -> String {
        let step = self.engine.open_scan(uuid, &user(session), now).await;
        consent(step.unwrap()).interaction.expose().to_owned()
    }

    pub(crate) async fn act(
        &self,
        interaction: &str,
        act: Act,
        visitor: &Visitor<'_>,
        now: Timestamp,
    ) -> Result<Step, Stop> {
        self.engine.proceed(interaction, act, visitor, now).await
    }

    pub(crate) async fn poll(
        &self,
        uuid: &str,
        browser: Option<&str>,
        now: Timestamp,
    ) -> PollAnswer {
        let request = PollRequest {
            uuid: Secret::new(uuid),
            last: None,
        };
        self.engine.poll(&request, browser, now).await.unwrap()
    }

    /// A whole authorization by the door of the client's kind, with all the client may ask for.
    pub(crate) async fn code(&self, app: &App, person: &Person, now: Timestamp) -> Secret {
        let session = self.sign_in(person, now).await;
        let code = match app.kind {
            ClientKind::Website => {
                let uuid = self.scan(app, "desk", now).await;
                let interaction = self.open(&uuid, &session, now).await;
                let step = self
                    .act(&interaction, Act::Approve, &user(&session), now)
                    .await;
                assert!(matches!(step, Ok(Step::ScanAnswered { allowed: true, .. })));
                paid(self.poll(&uuid, Some("desk"), now).await)
            }
            ClientKind::Service => {
                let request = page_request(app, "snsapi_userinfo");
                let step = self.begin(request, &user(&session), now).await;
                match step.unwrap() {
                    Step::Return(answer) => code_in(answer),
                    step => {
                        let asked = consent(step);
                        let secret = asked.interaction.expose();
                        let step = self.act(secret, Act::Approve, &user(&session), now).await;
                        code_of(step.unwrap())
                    }
                }
            }
            ClientKind::Mobile => {
                let step = self.begin(native_request(app), &user(&session), now).await;
                let asked = consent(step.unwrap());
                let secret = asked.interaction.expose();
                let step = self.act(secret, Act::Approve, &user(&session), now).await;
                code_of(step.unwrap())
            }
        };
        self.store.lists();
        code
    }

    pub(crate) async fn exchange(
        &self,
        app: &App,
        code: &Secret,
        now: Timestamp,
    ) -> Result<Tokens, Stop> {
        let verifier = (app.kind == ClientKind::Mobile).then(|| Secret::new(VERIFIER));
        let request = token_request(app, by_code(code, verifier));
        self.engine.exchange(&request, HERE, now).await
    }

    pub(crate) async fn tokens(&self, app: &App, person: &Person, now: Timestamp) -> Tokens {
        let code = self.code(app, person, now).await;
        let tokens = self.exchange(app, &code, now).await.unwrap();
        self.store.lists();
        tokens
    }

    pub(crate) async fn refresh(
        &self,
        app: &App,
        refresh: &Secret,
        now: Timestamp,
    ) -> Result<Tokens, Stop> {
        let grant = TokenGrant::Refresh {
            token: refresh.clone(),
            at_code_endpoint: false,
        };
        let request = TokenRequest {
            client: app.id.clone(),
            secret: None,
            grant,
        };
        self.engine.exchange(&request, HERE, now).await
    }

    pub(crate) async fn client_token(&self, app: &App, now: Timestamp) -> Result<Tokens, Stop> {
        let request = token_request(app, TokenGrant::Client);
        self.engine.exchange(&request, HERE, now).await
    }

    /// Whether an access token works: the profile is told.
    pub(crate) async fn profile(&self, access: &Secret, now: Timestamp) -> Result<(), Stop> {
        let request = AccessRequest {
            access: access.clone(),
            openid: String::new(),
        };
        self.engine.profile(&request, now).await.map(|_| ())
    }

    pub(crate) async fn letter(&self) -> Letter {
        let letters = self.store.letters(100).await.unwrap();
        letters.last().expect("a letter").clone()
    }

    pub(crate) async fn letters(&self) -> usize {
        self.store.letters(100).await.unwrap().len()
    }
}

pub(crate) fn draft(
    developer: DeveloperId,
    kind: ClientKind,
    name: &str,
    bound: bool,
) -> ClientDraft {
    let mobile = kind == ClientKind::Mobile;
    let native = NativeIdentity {
        ios_bundle: Some("com.example.app".into()),
        ios_universal_link: Some("https://app.example.com/wx/".into()),
        android_package: Some("com.example.droid".into()),
        android_signature: Some(DIGEST.into()),
        harmony_bundle: Some("com.example.oh".into()),
        harmony_identifier: Some("5765880207853".into()),
    };
    ClientDraft {
        developer,
        kind,
        name: name.into(),
        redirects: match mobile {
            true => Vec::new(),
            false => vec![RedirectRule::Host("www.example.com".into())],
        },
        native: if mobile {
            native
        } else {
            NativeIdentity::default()
        },
        bound,
        policy: ClientPolicy::of(kind),
        status: Status::Approved,
    }
}

/// A visitor who is signed in; the session is also the browser, so that each person has their own.
pub(crate) fn user(session: &str) -> Visitor<'_> {
    Visitor {
        address: "192.0.2.1",
        session: Some(session),
        browser: Some(session),
    }
}

/// A visitor who is not signed in.
pub(crate) fn stranger(browser: &str) -> Visitor<'_> {
    Visitor {
        address: "192.0.2.1",
        session: None,
        browser: Some(browser),
    }
}

pub(crate) fn scopes(text: &str) -> Scopes {
    Scopes::parse(text, ',').unwrap()
}

pub(crate) fn page_request(app: &App, scope: &str) -> AuthorizeRequest {
    AuthorizeRequest {
        client: app.id.clone(),
        redirect: Some("https://www.example.com/cb?x=1#top".into()),
        response_type: Some("code".into()),
        scopes: scopes(scope),
        state: Some("s 1".into()),
        challenge: None,
        channel: Channel::InClient,
        force_consent: false,
    }
}

pub(crate) fn scan_request(app: &App) -> AuthorizeRequest {
    AuthorizeRequest {
        channel: Channel::Scan,
        ..page_request(app, "snsapi_login")
    }
}

pub(crate) fn native_request(app: &App) -> AuthorizeRequest {
    AuthorizeRequest {
        redirect: None,
        challenge: Some(Challenge::of(VERIFIER)),
        channel: Channel::Native(NativeApp {
            platform: yufu_core::client::Platform::Android,
            bundle: "com.example.droid".into(),
            signature: DIGEST.into(),
        }),
        ..page_request(app, "snsapi_userinfo")
    }
}

pub(crate) fn signed_request(app: &App, signature: ScanSignature) -> AuthorizeRequest {
    AuthorizeRequest {
        redirect: None,
        state: None,
        channel: Channel::SignedScan(signature),
        ..page_request(app, "snsapi_userinfo")
    }
}

pub(crate) fn by_code(code: &Secret, verifier: Option<Secret>) -> TokenGrant {
    TokenGrant::Code {
        code: code.clone(),
        verifier,
    }
}

pub(crate) fn token_request(app: &App, grant: TokenGrant) -> TokenRequest {
    TokenRequest {
        client: app.id.clone(),
        secret: Some(app.secret.clone()),
        grant,
    }
}

/// What was refused; anything else is a failed test.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(outcome: Result<T, Stop>) -> Refusal {
    match outcome {
        Err(Stop::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// That it was our fault; anything else is a failed test.
#[track_caller]
pub(crate) fn failed<T: std::fmt::Debug>(outcome: Result<T, Stop>) {
    assert!(matches!(outcome, Err(Stop::Failed(_))), "{outcome:?}");
}

#[track_caller]
pub(crate) fn consent(step: Step) -> Asked {
    match step {
        Step::Consent(asked, _) => asked,
        step => panic!("not asked: {step:?}"),
    }
}

#[track_caller]
pub(crate) fn authenticate(step: Step) -> Asked {
    match step {
        Step::Authenticate(asked) => asked,
        step => panic!("not sent to sign in: {step:?}"),
    }
}

#[track_caller]
pub(crate) fn shown(step: Step) -> ScanShown {
    match step {
        Step::Scan(shown) => shown,
        step => panic!("no scan: {step:?}"),
    }
}

#[track_caller]
pub(crate) fn returned(step: Step) -> Authorized {
    match step {
        Step::Return(answer) => answer,
        step => panic!("not answered: {step:?}"),
    }
}

#[track_caller]
pub(crate) fn code_in(answer: Authorized) -> Secret {
    match answer.outcome {
        Outcome::Code(code) => code,
        outcome => panic!("no code: {outcome:?}"),
    }
}

#[track_caller]
pub(crate) fn code_of(step: Step) -> Secret {
    code_in(returned(step))
}

#[track_caller]
pub(crate) fn paid(answer: PollAnswer) -> Secret {
    match answer {
        PollAnswer::Code(code) => code,
        answer => panic!("no code: {answer:?}"),
    }
}

#[track_caller]
pub(crate) fn state_of(answer: PollAnswer) -> PollState {
    match answer {
        PollAnswer::State(state) => state,
        PollAnswer::Code(_) => panic!("a code"),
    }
}
