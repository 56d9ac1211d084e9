//! One small world: a house with its upstream, gateway, carrier and captcha, and devices that call.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower_service::Service as _;
use yufu_core::client::ClientKind;
use yufu_core::engine::{Engine, Hasher, Ports, Settings};
use yufu_core::id::{ClientId, Number};
use yufu_core::identity::{UpstreamApp, UpstreamKind};
use yufu_core::keyring::MasterKey;
use yufu_core::login::LoginSettings;
use yufu_core::refusal::Fault;
use yufu_core::secret::{Entropy, Secret, SecretHash};
use yufu_core::store::memory::MemoryStore;
use yufu_core::time::{Lifetime, Timestamp};
use yufu_core::user::Phone;
use yufu_dialects::wechat::call::Upstream;
use yufu_dialects::wechat::push::{AesKey, PushKeys};
use yufu_web::api::ports::{Captcha, CarrierFailure, CarrierProof, NumberHistory};
use yufu_web::api::sms::{Messenger, SendFailure};
use yufu_web::api::table::{Answers, ENDPOINTS, Endpoint};
use yufu_web::api::upstream::{UpstreamAccess, UpstreamSettings, Upstreams};
use yufu_web::api::{
    Arrivals, LoginFront, LoginHouse, LoginPorts, ReceiptKind, Service, Statuses, document,
    login_router, status,
};
use yufu_web::clock::Clock;
use yufu_web::fetch::{Fetch, FetchError, Incoming, Outgoing};

use crate::schema;

pub(crate) const TERMS: &str = "2026-01";
pub(crate) const HERE: &str = "http://login.test:8421";
pub(crate) const SITE: &str = "https://app.example";
pub(crate) const GATEWAY_SECRET: &str = "shared-with-the-gateway";
pub(crate) const PUSH_TOKEN: &str = "push-token";
pub(crate) const PUSH_KEY: [u8; 32] = [7; 32];
/// Two numbers that take messages.
pub(crate) const P1: &str = "13800000001";
pub(crate) const P2: &str = "13800000002";

/// Entropy that counts, with every bit in motion.
#[derive(Default)]
struct Counted(AtomicU64);

impl Entropy for Counted {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let mut n = self
                .0
                .fetch_add(1, Ordering::Relaxed)
                .wrapping_add(0x9e37_79b9_7f4a_7c15);
            n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(n ^ (n >> 31)).to_be_bytes()[..chunk.len()]);
        }
    }

    fn millis(&self) -> u64 {
        1_800_000_000_000 + self.0.load(Ordering::Relaxed)
    }
}

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

/// The upstream. A code `mei` logs in the person of that name; with a dash and more it is another
/// code of the same person. What else a code does stands in [`Platform::exchange`].
#[derive(Default)]
pub(crate) struct Platform {
    pub(crate) calls: Mutex<Vec<String>>,
    /// What `/sns/auth` and the refresh say; `None` for good.
    pub(crate) check: Mutex<Option<i64>>,
    pub(crate) refresh: Mutex<Option<i64>>,
    /// Unionids that are not made of the person's name.
    pub(crate) unions: Mutex<HashMap<String, String>>,
    /// Codes that were paid.
    spent: Mutex<HashMap<String, usize>>,
}

impl Platform {
    pub(crate) fn count(&self, path: &str) -> usize {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|url| url.contains(path)).count()
    }

    async fn exchange(&self, params: &HashMap<String, String>) -> Result<Value, FetchError> {
        let code = params["code"].clone();
        let times = {
            let mut spent = self.spent.lock().unwrap();
            let times = spent.entry(code.clone()).or_default();
            *times += 1;
            *times
        };
        let person = code.split(['-', '.']).next().unwrap().to_owned();
        if let Some(number) = code.strip_prefix("e.") {
            let number: i64 = number.split('-').next().unwrap().parse().unwrap();
            return Ok(json!({"errcode": number, "errmsg": "no"}));
        }
        match person.as_str() {
            "nobody" => return Err(FetchError::Unreachable),
            "busy" => return Ok(json!({"errcode": -1, "errmsg": "system error"})),
            "bug" => panic!("a bug in the client"),
            "junk" => return Ok(json!({"access_token": "t"})),
            _ => {}
        }
        if code.contains("slow") {
            tokio::time::sleep(Duration::from_secs(8)).await;
        }
        if times > 1 {
            return Ok(json!({"errcode": 40163, "errmsg": "code been used"}));
        }
        let appid = &params["appid"];
        let mut answer = json!({"access_token": format!("AT_{code}"), "expires_in": 7200,
            "refresh_token": format!("RT_{code}"), "openid": format!("o_{person}_{appid}"),
            "scope": "snsapi_userinfo"});
        self.unite(&person, &mut answer);
        Ok(answer)
    }

    /// Somebody called `lone` belongs to no Open Platform account.
    fn unite(&self, person: &str, answer: &mut Value) {
        match self.unions.lock().unwrap().get(person) {
            Some(union) => answer["unionid"] = json!(union),
            None if person.starts_with("lone") => {}
            None => answer["unionid"] = json!(format!("u_{person}")),
        }
    }

    fn openid(&self, params: &HashMap<String, String>) -> String {
        params.get("openid").cloned().unwrap_or_default()
    }

    async fn answer(
        &self,
        path: &str,
        params: &HashMap<String, String>,
    ) -> Result<Value, FetchError> {
        let refused = |number: &Mutex<Option<i64>>| {
            number
                .lock()
                .unwrap()
                .map(|n| json!({"errcode": n, "errmsg": "no"}))
        };
        match path {
            "/sns/oauth2/access_token" => self.exchange(params).await,
            "/sns/userinfo" => {
                let openid = self.openid(params);
                let name = openid.split('_').nth(1).unwrap_or("").to_owned();
                let mut answer = json!({"openid": openid, "nickname": name, "sex": 0, "province": "", "city": "",
                    "country": "", "headimgurl": "https://img.example/a.png", "privilege": []});
                self.unite(&name, &mut answer);
                Ok(answer)
            }
            "/sns/auth" => {
                Ok(refused(&self.check).unwrap_or_else(|| json!({"errcode": 0, "errmsg": "ok"})))
            }
            "/sns/oauth2/refresh_token" => {
                // The fake knows no users: the token names its own.
                let token = &params["refresh_token"];
                let person = token.trim_start_matches("RT_").split('-').next().unwrap();
                Ok(refused(&self.refresh).unwrap_or_else(|| json!({"access_token": format!("AT2_{person}"), "expires_in": 7200,
                    "refresh_token": token, "openid": format!("o_{person}_{}", params["appid"]), "scope": "snsapi_userinfo"})))
            }
            _ => Ok(json!({"errcode": 48001, "errmsg": "what"})),
        }
    }
}

#[async_trait]
impl Fetch for Platform {
    async fn fetch(&self, request: Outgoing) -> Result<Incoming, FetchError> {
        let url = request.url.expose().to_owned();
        self.calls.lock().unwrap().push(url.clone());
        let (address, query) = url.split_once('?').unwrap();
        let path = address.trim_start_matches("https://api.weixin.qq.com");
        let params: HashMap<String, String> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| {
                let value = percent_encoding::percent_decode_str(value)
                    .decode_utf8()
                    .unwrap();
                (name.to_owned(), value.into_owned())
            })
            .collect();
        let value = self.answer(path, &params).await?;
        Ok(Incoming {
            status: 200,
            body: value.to_string().into_bytes(),
        })
    }
}

/// The gateway, the carrier, the history of numbers and the captcha.
#[derive(Default)]
pub(crate) struct Others {
    pub(crate) sent: Mutex<Vec<(String, String, String)>>,
    pub(crate) failure: Mutex<Option<SendFailure>>,
    pub(crate) carrier_down: Mutex<bool>,
    pub(crate) reissued: Mutex<Option<bool>>,
    pub(crate) asked: AtomicUsize,
}

#[async_trait]
impl Messenger for Others {
    async fn send(
        &self,
        phone: &Phone,
        scene: &str,
        digits: &Secret,
        _id: Number,
    ) -> Result<(), SendFailure> {
        if let Some(failure) = *self.failure.lock().unwrap() {
            return Err(failure);
        }
        let message = (
            phone.as_str().to_owned(),
            scene.to_owned(),
            digits.expose().to_owned(),
        );
        self.sent.lock().unwrap().push(message);
        Ok(())
    }
}

#[async_trait]
impl CarrierProof for Others {
    async fn phone_of(&self, token: &str) -> Result<Phone, CarrierFailure> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if *self.carrier_down.lock().unwrap() {
            return Err(CarrierFailure::Failed);
        }
        let number = token.strip_prefix("sim-").ok_or(CarrierFailure::Invalid)?;
        Phone::parse(number).map_err(|_| CarrierFailure::Invalid)
    }
}

#[async_trait]
impl NumberHistory for Others {
    async fn reissued(&self, _phone: &Phone, _since: Timestamp) -> Option<bool> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        *self.reissued.lock().unwrap()
    }
}

#[async_trait]
impl Captcha for Others {
    async fn passed(&self, response: &str, _address: &str) -> bool {
        self.asked.fetch_add(1, Ordering::SeqCst);
        response == "solved"
    }
}

/// How a world differs from the usual one.
pub(crate) struct Plan {
    pub(crate) settings: LoginSettings,
    pub(crate) front: LoginFront,
    pub(crate) upstream: UpstreamSettings,
}

pub(crate) fn plan() -> Plan {
    let app = |name: &str, kind, appid: &str| UpstreamApp {
        name: name.to_owned(),
        kind,
        appid: ClientId::new(appid),
        union_scope: Some("acme".to_owned()),
    };
    Plan {
        settings: LoginSettings {
            apps: vec![
                app("phone", UpstreamKind::WechatMobile, "wx1"),
                app("site", UpstreamKind::WechatWebsite, "wx2"),
                app("service", UpstreamKind::WechatService, "wx3"),
                app("mini", UpstreamKind::WechatMini, "wx4"),
            ],
            consent_version: Some(TERMS.to_owned()),
            ..LoginSettings::default()
        },
        front: LoginFront {
            public_url: HERE.to_owned(),
            port: 8421,
            trusted_proxies: Vec::new(),
            public_metrics: true,
            origins: vec![SITE.to_owned()],
            statuses: Statuses::Strict,
            passcodes: true,
            bind_url: String::new(),
            answer_budget: Duration::from_secs(5),
            services: vec![Service {
                name: "orders".to_owned(),
                secret: SecretHash::of(b"orders-secret"),
            }],
            pushes: vec![push_keys("wx9"), push_keys("wx1")],
            arrivals: vec![
                Arrivals {
                    gateway: "ali".to_owned(),
                    kind: ReceiptKind::Aliyun,
                    key: SecretHash::of(b"receipt-key"),
                },
                Arrivals {
                    gateway: "own".to_owned(),
                    kind: ReceiptKind::Webhook(Secret::new(GATEWAY_SECRET)),
                    key: SecretHash::of(b"receipt-key"),
                },
            ],
            is_dev: false,
        },
        upstream: UpstreamSettings::default(),
    }
}

pub(crate) fn push_keys(appid: &str) -> PushKeys {
    PushKeys {
        token: Secret::new(PUSH_TOKEN),
        aes_key: AesKey::new(PUSH_KEY),
        appid: ClientId::new(appid),
    }
}

/// The world.
pub(crate) struct World {
    pub(crate) house: Arc<LoginHouse>,
    pub(crate) platform: Arc<Platform>,
    pub(crate) others: Arc<Others>,
    router: Router,
    document: Value,
    codes: AtomicUsize,
}

impl World {
    pub(crate) async fn new() -> Arc<Self> {
        Self::of(plan()).await
    }

    pub(crate) async fn of(plan: Plan) -> Arc<Self> {
        let entropy = Arc::new(Counted::default());
        let store = Arc::new(MemoryStore::default());
        let platform = Arc::new(Platform::default());
        let others = Arc::new(Others::default());
        let clock = Arc::new(Clock::default());
        let access = |app: &UpstreamApp| UpstreamAccess {
            app: app.clone(),
            upstream: Upstream::new(
                match app.kind {
                    UpstreamKind::WechatMobile | UpstreamKind::WechatMini => ClientKind::Mobile,
                    UpstreamKind::WechatWebsite => ClientKind::Website,
                    UpstreamKind::WechatService => ClientKind::Service,
                },
                app.appid.clone(),
                Secret::new("app-secret"),
            ),
        };
        let apps = plan.settings.apps.iter().map(access).collect();
        let upstreams = Upstreams::new(apps, platform.clone(), entropy.clone(), plan.upstream);
        let master = MasterKey::draw(&*entropy);
        let ports = Ports {
            store: store.clone(),
            browse: store,
            entropy,
            hasher: Arc::new(NoPasswords),
        };
        let settings = Settings {
            login: plan.settings,
            ..Settings::default()
        };
        let engine = Engine::open(ports, &master, settings, clock.now())
            .await
            .unwrap();
        let house = Arc::new(LoginHouse::new(
            Arc::new(engine),
            clock,
            plan.front,
            Arc::new(upstreams),
            others.clone(),
            LoginPorts {
                carrier: Some(others.clone()),
                numbers: Some(others.clone()),
                captcha: Some(others.clone()),
            },
        ));
        Arc::new(Self {
            router: login_router(house.clone()),
            document: document(HERE),
            house,
            platform,
            others,
            codes: AtomicUsize::new(0),
        })
    }

    pub(crate) fn turn(&self, seconds: i64) {
        self.house.clock.turn(Lifetime::seconds(seconds));
    }

    /// A code that nobody used before.
    pub(crate) fn code(&self, person: &str) -> String {
        format!("{person}-{}", self.codes.fetch_add(1, Ordering::SeqCst))
    }

    /// The digits that were last sent to a number.
    pub(crate) fn digits(&self, phone: &str) -> String {
        let phone = Phone::parse(phone).unwrap();
        let sent = self.others.sent.lock().unwrap();
        let last = sent.iter().rev().find(|(to, _, _)| to == phone.as_str());
        last.expect("a passcode was sent").2.clone()
    }

    /// Sends a request as it is.
    pub(crate) async fn raw(&self, request: Request<Body>) -> Raw {
        let response = self.router.clone().call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Raw {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// Checks an envelope against the table and the document.
    fn judge(&self, endpoint: &Endpoint, raw: Raw) -> Said {
        let text = String::from_utf8(raw.body).unwrap();
        let value: Value =
            serde_json::from_str(&text).unwrap_or_else(|_| panic!("{}: {text}", endpoint.path));
        let code = u16::try_from(value["code"].as_u64().unwrap()).unwrap();
        let place = format!("{} {}", endpoint.verb.word(), endpoint.path);
        let incident = value["data"]["incident"].is_string();
        if code == 0 {
            let Answers::Data(name) = endpoint.answers else {
                panic!("{place} has no data")
            };
            let schema = &self.document["components"]["schemas"][name];
            let wrong = schema::complaints(&self.document, schema, &value["data"]);
            assert!(wrong.is_empty(), "{place}: {wrong:?}");
            self.known_members(schema, &value["data"], &place);
            assert_eq!(raw.status, StatusCode::OK);
        } else {
            assert!(
                endpoint.codes().contains(&code),
                "{place} does not tell of {code}: {text}"
            );
            if self.house.front.statuses == Statuses::Compat {
                assert_eq!(raw.status, StatusCode::OK);
            } else if !incident {
                assert_eq!(raw.status, status(code), "{place}: {text}");
            }
            let schema = &self.document["components"]["schemas"]["Refused"];
            let wrong = schema::complaints(&self.document, schema, &value);
            assert!(wrong.is_empty(), "{place}: {wrong:?}");
            let after = raw
                .headers
                .get("retry-after")
                .map(|v| v.to_str().unwrap().to_owned());
            assert_eq!(
                after,
                value["data"]["retry_after"].as_i64().map(|n| n.to_string())
            );
        }
        assert_eq!(raw.headers["cache-control"], "no-store");
        assert_eq!(raw.headers["content-type"], "application/json");
        assert_eq!(
            raw.headers["x-request-id"],
            value["request_id"].as_str().unwrap()
        );
        let keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["code", "data", "msg", "request_id"], "{place}");
        Said {
            code,
            status: raw.status,
            headers: raw.headers,
            data: value["data"].clone(),
            msg: value["msg"].as_str().unwrap().to_owned(),
            text,
        }
    }

    /// Nothing is told that the document does not name.
    fn known_members(&self, schema: &Value, data: &Value, place: &str) {
        for (index, item) in data.as_array().into_iter().flatten().enumerate() {
            let place = format!("{place}[{index}]");
            self.known_members(&schema["items"], item, &place);
        }
        let (Some(known), Some(told)) = (schema["properties"].as_object(), data.as_object()) else {
            return;
        };
        for (name, member) in told {
            let schema = known.get(name);
            let schema = schema.unwrap_or_else(|| panic!("{place} tells {name}"));
            self.known_members(schema, member, &format!("{place}.{name}"));
        }
    }
}

/// A whole answer.
pub(crate) struct Raw {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Raw {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// The cookies that are set: name and value.
pub(crate) fn cookies(headers: &HeaderMap) -> Vec<(String, String)> {
    let lines = headers
        .get_all("set-cookie")
        .iter()
        .map(|line| line.to_str().unwrap());
    let pairs = lines.map(|line| line.split(';').next().unwrap().split_once('=').unwrap());
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// An answer in the envelope.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: u16,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) data: Value,
    pub(crate) msg: String,
    pub(crate) text: String,
}

impl Said {
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.code, 0, "{}", self.text);
        self.data
    }

    /// The data of a refusal with this code.
    #[track_caller]
    pub(crate) fn no(self, code: u16) -> Value {
        assert_eq!(self.code, code, "{}", self.text);
        self.data
    }

    /// A bad request at this field.
    #[track_caller]
    pub(crate) fn bad(self, field: &str) {
        assert_eq!(self.no(1001)["field"], field);
    }
}

/// A device that calls: what it keeps, and what it says of itself.
#[derive(Clone)]
pub(crate) struct Phone1 {
    pub(crate) world: Arc<World>,
    pub(crate) device: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) refresh: Option<String>,
    pub(crate) headers: Vec<(&'static str, String)>,
}

pub(crate) fn device(world: &Arc<World>) -> Phone1 {
    Phone1 {
        world: world.clone(),
        device: None,
        token: None,
        refresh: None,
        headers: Vec::new(),
    }
}

pub(crate) fn endpoint(verb: &str, path: &str) -> &'static Endpoint {
    let fits = |endpoint: &&Endpoint| {
        let (known, given): (Vec<_>, Vec<_>) = (
            endpoint.path.split('/').collect(),
            path.split('/').collect(),
        );
        endpoint.verb.word() == verb
            && known.len() == given.len()
            && known
                .iter()
                .zip(&given)
                .all(|(known, given)| known == given || known.starts_with('{'))
    };
    ENDPOINTS
        .iter()
        .find(fits)
        .unwrap_or_else(|| panic!("{verb} {path}"))
}

impl Phone1 {
    pub(crate) fn request(&self, verb: &str, path: &str) -> axum::http::request::Builder {
        let mut request = Request::builder().method(verb).uri(path);
        if let Some(device) = &self.device {
            request = request.header("x-yufu-device", device);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        request
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Said {
        let request = self
            .request("POST", path)
            .header("content-type", "application/json");
        let raw = self
            .world
            .raw(request.body(Body::from(body.to_string())).unwrap())
            .await;
        self.world.judge(endpoint("POST", path), raw)
    }

    pub(crate) async fn call(&self, verb: &str, path: &str) -> Said {
        let raw = self
            .world
            .raw(self.request(verb, path).body(Body::empty()).unwrap())
            .await;
        self.world.judge(endpoint(verb, path), raw)
    }

    pub(crate) async fn get(&self, path: &str) -> Said {
        self.call("GET", path).await
    }

    pub(crate) fn keyed(&self, key: &str) -> Self {
        let mut keyed = self.clone();
        keyed.headers.push(("idempotency-key", key.to_owned()));
        keyed
    }

    /// Begins a transaction and keeps the device's secret.
    pub(crate) async fn prepare(&mut self, more: Value) -> Value {
        let mut body = json!({"app": "phone", "consent_version": TERMS, "platform": "android", "device_id": "Pixel 9"});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let data = self.post("/user/wechat/prepare", body).await.ok();
        if let Some(secret) = data["device_secret"].as_str() {
            self.device = Some(secret.to_owned());
        }
        data
    }

    pub(crate) async fn state(&mut self) -> String {
        self.prepare(json!({})).await["state"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// A login with a new code of a person.
    pub(crate) async fn wechat(&mut self, person: &str) -> Said {
        let state = self.state().await;
        let code = self.world.code(person);
        let said = self
            .post("/user/wechat/login", json!({"code": code, "state": state}))
            .await;
        self.keep(&said);
        said
    }

    /// Keeps a session's secrets.
    pub(crate) fn keep(&mut self, said: &Said) {
        let text = |name: &str| said.data[name].as_str().filter(|text| !text.is_empty());
        if let (Some(token), Some(refresh)) = (text("token"), text("refresh_token")) {
            (self.token, self.refresh) = (Some(token.to_owned()), Some(refresh.to_owned()));
        }
    }

    /// Has a passcode sent; answers its digits. A minute passes, so that the next may be sent.
    pub(crate) async fn passcode(&mut self, phone: &str, scene: &str) -> String {
        let said = self
            .post("/user/sms/send", json!({"phone": phone, "scene": scene}))
            .await;
        let data = said.ok();
        if let Some(secret) = data["device_secret"].as_str() {
            self.device = Some(secret.to_owned());
        }
        self.world.turn(61);
        self.world.digits(phone)
    }

    /// A login by phone number.
    pub(crate) async fn by_phone(&mut self, phone: &str) -> Said {
        let digits = self.passcode(phone, "login").await;
        let body = json!({"phone": phone, "sms_code": digits, "consent_version": TERMS, "platform": "ios", "device_id": "iPhone"});
        let said = self.post("/user/phone/login", body).await;
        self.keep(&said);
        said
    }

    /// A login by WeChat of somebody new, up to the ticket.
    pub(crate) async fn ticket(&mut self, person: &str) -> String {
        let data = self.wechat(person).await.ok();
        data["bind_ticket"].as_str().unwrap().to_owned()
    }

    /// A person with both WeChat and phone number.
    pub(crate) async fn join(&mut self, person: &str, phone: &str) -> Value {
        let ticket = self.ticket(person).await;
        let digits = self.passcode(phone, "bind").await;
        let body = json!({"bind_ticket": ticket, "phone": phone, "sms_code": digits});
        let said = self.post("/user/wechat/bind", body).await;
        self.keep(&said);
        said.ok()
    }
}
