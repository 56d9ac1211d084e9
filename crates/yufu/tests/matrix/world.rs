//! One backend, the platform that it logs in with, and what stands around them: each a server of
//! its own on this machine, opened by the product's own wiring. Time is turned by the tests.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::runtime::Runtime;
use tokio::sync::watch;
use yufu::home::{self, Home};
use yufu::{config, listen, login, serve};
use yufu_core::client::{ClientKind, ClientPolicy, NativeIdentity, Platform, Status};
use yufu_core::engine::{ClientDraft, Engine, Proof, Settings, UserDraft};
use yufu_core::id::{ClientId, UserId};
use yufu_core::identity::{IdentityKey, Person as UnionPerson, Provider};
use yufu_core::keyring::MasterKey;
use yufu_core::login::body::DeviceSession;
use yufu_core::message::{Act, AuthorizeRequest, Channel, NativeApp, Outcome, Step, Visitor};
use yufu_core::redirect::RedirectRule;
use yufu_core::scope::Scopes;
use yufu_core::secret::Secret;
use yufu_core::store::{Browse as _, Change, Event, Record, Store as _, UserKey};
use yufu_core::ticket::{Kind, RawTicket};
use yufu_core::time::{Lifetime, Timestamp};
use yufu_core::user::{Handle, Phone, Profile, User};
use yufu_store::{Options, SqliteStore};
use yufu_web::clock::Clock;
use yufu_web::house::Front;
use yufu_web::{House, router};

use super::app::App;
use super::gateway::Gateway;
use super::upstream::{Fault, Upstream};

/// The bundle of the mobile app.
const BUNDLE: &str = "com.example.rooms";
/// The certificate digest of the mobile app.
const DIGEST: &str = "00112233445566778899aabbccddeeff";

/// A client of the platform, and what the backend calls it.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) name: String,
    pub(crate) appid: ClientId,
    pub(crate) secret: String,
}

/// Somebody with an account at the platform.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) id: UserId,
    phone: Phone,
}

/// How a world differs from the plain one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    /// Further lines of `[login]`.
    pub(crate) login: String,
    /// Further tables.
    pub(crate) tables: String,
    /// The upstream is nobody: its port is closed.
    pub(crate) closed: bool,
    /// The mobile app does not belong to the platform's named account.
    pub(crate) loose: bool,
}

/// Everything.
pub(crate) struct World {
    pub(crate) runtime: Runtime,
    pub(crate) folder: PathBuf,
    pub(crate) platform: Arc<Engine>,
    pub(crate) platform_port: u16,
    pub(crate) upstream: Upstream,
    pub(crate) sms: Gateway,
    pub(crate) hook: Gateway,
    pub(crate) clock: Arc<Clock>,
    /// The backend's data, read beside it.
    pub(crate) store: SqliteStore,
    /// An engine over the same data, beside the backend.
    pub(crate) engine: Arc<Engine>,
    pub(crate) port: u16,
    pub(crate) mobile: Client,
    pub(crate) site: Client,
    pub(crate) config: String,
    stop: watch::Sender<bool>,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A closed port: somebody had it a moment ago.
fn closed_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A folder of one test.
fn folder() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("matrix-{}-{next}", std::process::id());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

const MASTER: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Wish::default())
    }

    /// A world whose `[login]` has further lines.
    pub(crate) fn login(lines: &str) -> Self {
        Self::with(Wish {
            login: lines.to_owned(),
            ..Wish::default()
        })
    }

    pub(crate) fn with(wish: Wish) -> Self {
        let runtime = Runtime::new().unwrap();
        let folder = folder();
        let clock = Arc::new(Clock::default());
        let (stop, closing) = watch::channel(false);
        let (platform, platform_port) =
            runtime.block_on(platform(&folder, &clock, closing.clone()));
        let (mobile, site, web) = runtime.block_on(clients(&platform, clock.now()));
        let upstream = Upstream::before(platform_port);
        let (sms, hook) = (Gateway::open(), Gateway::open());
        let listener = runtime
            .block_on(listen::bind("127.0.0.1:0".parse().unwrap()))
            .unwrap();
        let port = listener.local_addr().unwrap().port();
        let base_url = match wish.closed {
            true => format!("http://127.0.0.1:{}", closed_port()),
            false => upstream.url(),
        };
        let text = config_text(&ConfigText {
            folder: &folder,
            port,
            base_url: &base_url,
            mobile: &mobile,
            site: &site,
            web: &web,
            sms: &sms,
            hook: &hook,
            wish: &wish,
        });
        let read = config::read(&text, &folder, &|_| None);
        let read = read.unwrap_or_else(|complaints| panic!("{complaints}\n{text}"));
        let ground = serve::Ground {
            clock: clock.clone(),
            master: MasterKey::parse(MASTER).unwrap(),
            options: Options::default(),
            cache_entries: 10_000,
            keep_events: Lifetime::days(180),
            closing: closing.clone(),
        };
        let settings = read.login.as_ref().unwrap().settings.clone();
        let role = login::role(read.login.unwrap(), port, &ground, None);
        let role = runtime.block_on(role).unwrap();
        runtime.spawn(listen::serve(listener, None, role.router, closing));
        let beside = runtime.block_on(opened(&folder.join("login.db"), settings, clock.now()));
        Self {
            platform,
            platform_port,
            upstream,
            sms,
            hook,
            clock,
            store: beside.store,
            engine: beside.engine,
            port,
            mobile,
            site,
            config: text,
            stop,
            folder,
            runtime,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Turns the clock of everybody.
    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.turn(Lifetime::seconds(seconds));
    }

    pub(crate) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// The mobile app on a device.
    pub(crate) fn app(&self, device_id: &str, platform: &str) -> App {
        App::new(self.port, "mobile", device_id, platform)
    }

    // --- at the platform ----------------------------------------------------------------------

    /// Somebody new at the platform, signed in on their own phone there.
    pub(crate) fn person(&self, nickname: &str) -> Person {
        let now = self.now();
        let number = format!("1390000{:04}", self.platform_count());
        let phone = Phone::parse(&number).unwrap();
        self.wait(async {
            let draft = UserDraft {
                profile: Profile {
                    nickname: nickname.into(),
                    avatar: "https://pic.example.com/mei".into(),
                    city: "长沙".into(),
                    ..Profile::default()
                },
                phone: Some(phone.clone()),
                password: Some(Secret::new("correct horse")),
                ..UserDraft::default()
            };
            let user = self.platform.create_user(draft, now).await.unwrap();
            Person { id: user.id, phone }
        })
    }

    fn platform_count(&self) -> usize {
        self.wait(self.platform.browse().users(1000)).unwrap().len()
    }

    /// Changes somebody's profile at the platform.
    pub(crate) fn rename(&self, person: &Person, nickname: &str, avatar: &str) {
        let profile = Profile {
            nickname: nickname.into(),
            avatar: avatar.into(),
            ..Profile::default()
        };
        let saved = self.platform.save_profile(person.id, profile, self.now());
        self.wait(saved).unwrap();
    }

    /// The person agrees in the platform's client on the phone: the code that the mobile app gets.
    pub(crate) fn code(&self, person: &Person, state: &str) -> String {
        self.code_for(person, &self.mobile, "snsapi_userinfo", state)
    }

    pub(crate) fn code_for(
        &self,
        person: &Person,
        client: &Client,
        scope: &str,
        state: &str,
    ) -> String {
        let now = self.now();
        let proof = Proof::Password(Secret::new("correct horse"));
        let session = self
            .platform
            .sign_in(&person.phone, proof, "192.0.2.1", now);
        let session = self.wait(session).unwrap();
        let visitor = Visitor {
            session: Some(session.expose()),
            browser: Some(session.expose()),
            address: "192.0.2.1",
        };
        let request = AuthorizeRequest {
            client: client.appid.clone(),
            redirect: (client.name != "mobile").then(|| "https://app.example.com/cb".into()),
            response_type: Some("code".into()),
            scopes: Scopes::parse(scope, ',').unwrap(),
            state: Some(state.into()),
            challenge: None,
            channel: match client.name.as_str() {
                "mobile" => Channel::Native(NativeApp {
                    platform: Platform::Android,
                    bundle: BUNDLE.into(),
                    signature: DIGEST.into(),
                }),
                _ => Channel::InClient,
            },
            force_consent: true,
        };
        self.wait(async {
            let step = self.platform.begin(request, &visitor, now).await.unwrap();
            let step = match step {
                Step::Consent(asked, _) => {
                    let interaction = asked.interaction.expose();
                    let act = Act::Approve;
                    let step = self.platform.proceed(interaction, act, &visitor, now).await;
                    step.unwrap()
                }
                step => step,
            };
            let Step::Return(authorized) = step else {
                panic!("{step:?}");
            };
            assert_eq!(
                authorized.state.as_deref(),
                Some(state),
                "the state comes back"
            );
            match authorized.outcome {
                Outcome::Code(code) => code.expose().to_owned(),
                outcome => panic!("{outcome:?}"),
            }
        })
    }

    /// What another backend would get for a code of its own.
    pub(crate) fn foreign_token(&self, client: &Client, code: &str) -> String {
        let target = format!(
            "/sns/oauth2/access_token?appid={}&secret={}&code={code}&grant_type=authorization_code",
            client.appid, client.secret
        );
        let answer = super::wire::Wire::to(self.platform_port).ask(&super::wire::Ask::get(&target));
        answer.json()["access_token"]
            .as_str()
            .expect("a token")
            .to_owned()
    }

    /// The person takes the authorization of a client back at the platform.
    pub(crate) fn withdraw(&self, person: &Person, client: &Client) {
        self.wait(async {
            let grants = self.platform.browse().grants_of(person.id).await.unwrap();
            let grant = grants.iter().find(|grant| grant.client == client.appid);
            let id = grant.expect("a grant").id;
            let revoked = self.platform.revoke_grant(person.id, id, self.now()).await;
            revoked.unwrap();
        });
    }

    // --- whole ways ---------------------------------------------------------------------------

    /// The person logs in with the app on this device.
    pub(crate) fn arrive(&self, app: &mut App, person: &Person) -> super::app::Said {
        let state = app.prepare();
        let code = self.code(person, &state);
        app.login(&code, &state)
    }

    /// The same for a person who is new: the ticket to bind a number with.
    #[track_caller]
    pub(crate) fn ticket(&self, app: &mut App, person: &Person) -> String {
        let said = self.arrive(app, person);
        said.ok();
        assert_eq!(said.data["is_bind"], false, "{}", said.answer.text());
        assert_eq!(said.text("token"), "");
        said.text("bind_ticket").to_owned()
    }

    /// Has a passcode sent and answers it.
    #[track_caller]
    pub(crate) fn passcode(&self, app: &mut App, phone: &str, scene: &str) -> String {
        let body = serde_json::json!({"phone": phone, "scene": scene});
        let said = app.post("/user/sms/send", &body);
        said.ok();
        if let Some(device) = said.data["device_secret"].as_str() {
            app.device = Some(device.to_owned());
        }
        self.sms.passcode(Phone::parse(phone).unwrap().as_str())
    }

    /// A member: this person with this number, logged in on this device.
    #[track_caller]
    pub(crate) fn member(&self, app: &mut App, person: &Person, phone: &str) -> String {
        let ticket = self.ticket(app, person);
        let digits = self.passcode(app, phone, "bind");
        let body = serde_json::json!({"phone": phone, "sms_code": digits});
        let said = app.bind(&ticket, &body);
        said.ok();
        assert_eq!(said.data["is_bind"], true);
        said.text("uid").to_owned()
    }

    /// Somebody who logs in by number alone.
    #[track_caller]
    pub(crate) fn caller(&self, app: &mut App, phone: &str) -> String {
        let said = self.try_caller(app, phone);
        said.ok();
        said.text("uid").to_owned()
    }

    pub(crate) fn try_caller(&self, app: &mut App, phone: &str) -> super::app::Said {
        let digits = self.passcode(app, phone, "login");
        let said = app.post(
            "/user/phone/login",
            &serde_json::json!({
                "phone": phone, "sms_code": digits, "consent_version": super::app::TERMS,
                "device_id": app.device_id, "platform": app.platform,
            }),
        );
        app.keep(&said);
        said
    }

    /// The next login hears no unionid.
    pub(crate) fn without_unionid(&self) {
        for path in ["/sns/oauth2/access_token", "/sns/userinfo"] {
            let forget = |answer: &mut serde_json::Value| {
                answer.as_object_mut().unwrap().remove("unionid");
            };
            self.upstream.misbehave(path, 1, Fault::Change(forget));
        }
    }

    /// Changes something behind the backend's back, as a command does, and lets it hear of it.
    pub(crate) fn beside<T>(&self, work: impl Future<Output = T>) -> T {
        let done = self.wait(work);
        std::thread::sleep(std::time::Duration::from_millis(1100));
        done
    }

    /// The app of another client of the same company.
    pub(crate) fn page(&self, device_id: &str) -> App {
        App::new(self.port, "site", device_id, "web")
    }

    /// The person logs in at the other client.
    pub(crate) fn arrive_at_page(&self, app: &mut App, person: &Person) -> super::app::Said {
        let state = app.prepare();
        let code = self.code_for(person, &self.site, "snsapi_userinfo", &state);
        app.login(&code, &state)
    }

    // --- the state left -----------------------------------------------------------------------

    /// Every account there is.
    pub(crate) fn users(&self) -> Vec<User> {
        self.wait(self.store.users(1000)).unwrap()
    }

    #[track_caller]
    pub(crate) fn user(&self, uid: &str) -> User {
        let id = UserId::parse(uid).expect("a uid");
        let user = self.wait(self.store.user(UserKey::Id(id))).unwrap();
        User::clone(&user.expect("a user"))
    }

    /// The account that a handle leads to.
    pub(crate) fn holder(&self, handle: &Handle) -> Option<UserId> {
        let user = self.wait(self.store.user(UserKey::Handle(handle))).unwrap();
        user.map(|user| user.id)
    }

    pub(crate) fn phone_holder(&self, phone: &str) -> Option<UserId> {
        self.holder(&Handle::Phone(Phone::parse(phone).unwrap()))
    }

    /// The openid of a person at a client, as the platform knows it.
    pub(crate) fn openid(&self, person: &Person, client: &Client) -> String {
        self.wait(async {
            let grants = self.platform.browse().grants_of(person.id).await.unwrap();
            let grant = grants.iter().find(|grant| grant.client == client.appid);
            grant.expect("a grant").openid.as_str().to_owned()
        })
    }

    pub(crate) fn identity_holder(&self, client: &Client, openid: &str) -> Option<UserId> {
        self.holder(&Handle::of(&IdentityKey {
            provider: Provider::Wechat,
            app: client.appid.clone(),
            subject: openid.to_owned(),
        }))
    }

    pub(crate) fn union_holder(&self, unionid: &str) -> Option<UserId> {
        self.holder(&Handle::of_person(&UnionPerson {
            provider: Provider::Wechat,
            scope: "main".into(),
            id: unionid.to_owned(),
        }))
    }

    /// The rows of a kind.
    pub(crate) fn rows(&self, kind: Kind) -> Vec<RawTicket> {
        self.wait(self.store.tickets(kind, None, 1000)).unwrap()
    }

    /// The sessions that live.
    pub(crate) fn sessions(&self) -> usize {
        let rows = self.rows(Kind::Device);
        let living = |raw: &&RawTicket| {
            let body: serde_json::Value = serde_json::from_slice(&raw.ticket.body).unwrap();
            body.get("ended").is_none_or(serde_json::Value::is_null)
        };
        rows.iter().filter(living).count()
    }

    /// The sessions of a user that would let somebody in.
    pub(crate) fn sessions_now(&self, uid: &str) -> usize {
        let user = self.user(uid);
        let rows = self
            .wait(self.store.tickets_of(user.id, Kind::Device))
            .unwrap();
        let lives = |raw: &&RawTicket| {
            let session = raw.open::<DeviceSession>().unwrap();
            session.body.ended.is_none() && session.body.from == user.sessions_from
        };
        rows.iter().filter(lives).count()
    }

    /// Takes the number from an account, as a change from elsewhere would.
    pub(crate) async fn lose_number(&self, id: UserId) {
        let user = self.store.user(UserKey::Id(id)).await.unwrap().unwrap();
        let mut user = User::clone(&user);
        let phone = user.phone.take().unwrap();
        user.version += 1;
        let changes = vec![
            Change::Put(Record::User(user)),
            Change::DropHandle(Handle::Phone(phone), id),
        ];
        self.store.commit(changes).await.unwrap();
    }

    /// The lines of the audit, newest first.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.wait(self.store.events(1000)).unwrap()
    }

    /// How often something was written down.
    pub(crate) fn told(&self, what: &str) -> usize {
        self.events()
            .iter()
            .filter(|event| event.what == what)
            .count()
    }

    /// Looks again and again until something is so.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let began = yufu_web::clock::mark();
        while !is_so() {
            assert!(began.elapsed().as_secs() < 20, "waited in vain: {what}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

async fn opened(path: &Path, settings: Settings, now: Timestamp) -> Home {
    let master = MasterKey::parse(MASTER).unwrap();
    home::open(path, &Options::default(), 10_000, &master, settings, now)
        .await
        .unwrap()
}

async fn platform(
    folder: &Path,
    clock: &Arc<Clock>,
    closing: watch::Receiver<bool>,
) -> (Arc<Engine>, u16) {
    let mut settings = Settings::default();
    settings.address_authorizations.burst = 1_000_000;
    let home = opened(&folder.join("platform.db"), settings, clock.now()).await;
    let listener = listen::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let front = Front {
        public_url: format!("http://127.0.0.1:{port}"),
        port,
        trusted_proxies: Vec::new(),
        poll_host: String::new(),
        in_client_agent: String::new(),
        public_metrics: false,
    };
    let house = Arc::new(House::new(home.engine.clone(), clock.clone(), front, None));
    tokio::spawn(listen::serve(listener, None, router(house), closing));
    (home.engine, port)
}

async fn clients(engine: &Engine, now: Timestamp) -> (Client, Client, Client) {
    let developer = engine.create_developer("Rooms", now).await.unwrap().id;
    let make = async |kind: ClientKind, name: &str| {
        let mut policy = ClientPolicy::of(kind);
        policy.wechat_compatible = true;
        policy.code_life = Lifetime::seconds(300);
        let draft = ClientDraft {
            developer,
            kind,
            name: name.into(),
            redirects: match kind {
                ClientKind::Mobile => Vec::new(),
                _ => vec![RedirectRule::Host("app.example.com".into())],
            },
            native: NativeIdentity {
                android_package: (kind == ClientKind::Mobile).then(|| BUNDLE.into()),
                android_signature: (kind == ClientKind::Mobile).then(|| DIGEST.into()),
                ..NativeIdentity::default()
            },
            bound: true,
            policy,
            status: Status::Approved,
        };
        let (client, secret) = engine.create_client(draft, now).await.unwrap();
        Client {
            name: name.into(),
            appid: client.id.clone(),
            secret: secret.expose().to_owned(),
        }
    };
    (
        make(ClientKind::Mobile, "mobile").await,
        make(ClientKind::Service, "site").await,
        make(ClientKind::Website, "web").await,
    )
}

/// What a configuration is made of.
struct ConfigText<'a> {
    folder: &'a Path,
    port: u16,
    base_url: &'a str,
    mobile: &'a Client,
    site: &'a Client,
    web: &'a Client,
    sms: &'a Gateway,
    hook: &'a Gateway,
    wish: &'a Wish,
}

fn config_text(of: &ConfigText<'_>) -> String {
    let folder = of.folder.display();
    let (port, base_url, wish) = (of.port, of.base_url, of.wish);
    let (mobile, site) = (of.mobile, of.site);
    let account = if wish.loose {
        ""
    } else {
        "account = \"main\"\n"
    };
    format!(
        r#"[keys]
master = "{MASTER}"

[login]
public_url = "http://127.0.0.1:{port}"
listen = "127.0.0.1:{port}"
store_path = "{folder}/login.db"
trusted_proxies = ["127.0.0.1"]
outgoing_allow = ["127.0.0.1"]
{}

[[upstream]]
name = "mobile"
kind = "wechat-mobile"
appid = "{}"
secret = "{}"
base_url = "{base_url}"
push_token = "AAAAA"
push_key = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
{account}
[[upstream]]
name = "site"
kind = "wechat-service"
appid = "{}"
secret = "{}"
base_url = "{base_url}"
{account}
[[upstream]]
name = "web"
kind = "wechat-website"
appid = "{}"
secret = "{}"
base_url = "{base_url}"
{account}
[[sms_gateway]]
name = "first"
kind = "webhook"
url = "{}"
secret = "0123456789abcdef0123456789abcdef"

[[webhook]]
name = "news"
url = "{}"
secret = "0123456789abcdef0123456789abcdef"

[[service]]
name = "orders"
secret = "0123456789abcdef0123456789abcdef"

{}
"#,
        wish.login,
        mobile.appid,
        mobile.secret,
        site.appid,
        site.secret,
        of.web.appid,
        of.web.secret,
        of.sms.url("/sms"),
        of.hook.url("/news"),
        wish.tables,
    )
}
