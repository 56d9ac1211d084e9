//! A login backend, sound, with one switch for each way to get it wrong.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};
use yufu_web::clock;

use super::db::{Begun, Db, Facts, Outcome};
use super::platform::{Platform, Trouble};

/// A way to get it wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    BreaksWithoutCode,
    OneStatePerDevice,
    LogsOutAtCallback,
    StateUnchecked,
    StateUnbound,
    StateConstant,
    CodesReplayed,
    OpenidFromClient,
    TakesAnything,
    EchoesMarkup,
    LoginTakesLinks,
    ShowsTrace,
    ShowsSecret,
    WaitsForever,
    InsistsOnJson,
    NeedsProfile,
    TrustsProfile,
    NewEachTime,
    SameToken,
    KeyedByNickname,
    KeyedByUnionid,
    NoUnionid,
    AsciiOnly,
    Races,
    RacesLoudly,
    TicketIsSession,
    TicketsPile,
    TicketsStay,
    TicketsTravel,
    OpenidForTicket,
    TakesNumbers,
    NumbersTwice,
    NumbersAsTyped,
    FourDigits,
    SendsAlways,
    OneTry,
    GuessesForever,
    PasscodeStays,
    TellsNumbers,
    NeverRenews,
    NeverAsks,
    NeedsPlatform,
    TakesAnyToken,
    RenewsNothing,
    SessionsStay,
    LogoutEndsAll,
    UnlinksLast,
    UnlinksNothing,
    DeletionEndsNothing,
    DeletionForgotten,
    PushUnsigned,
    PushFails,
}

/// An app of the backend's.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) appid: String,
    pub(crate) secret: String,
}

pub(crate) struct Backend {
    apps: Vec<App>,
    faults: Vec<Fault>,
    platform: Platform,
    authorize: String,
    /// Whether a number is needed.
    phone: bool,
    push_token: String,
    pub(crate) db: Mutex<Db>,
}

/// A backend that runs.
pub(crate) struct Running {
    pub(crate) base: String,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) const PUSH_TOKEN: &str = "check-push-token";

/// Starts a backend on a free port.
pub(crate) async fn run(platform: &str, apps: Vec<App>, phone: bool, faults: &[Fault]) -> Running {
    let backend = Arc::new(Backend {
        apps,
        faults: faults.to_vec(),
        platform: Platform::new(platform, faults),
        authorize: platform.to_owned(),
        phone,
        push_token: PUSH_TOKEN.to_owned(),
        db: Mutex::new(Db {
            faults: faults.to_vec(),
            ..Db::default()
        }),
    });
    let routes = Router::new()
        .route("/login", get(login))
        .route("/callback", get(callback))
        .route("/api/begin", post(begin))
        .route("/api/login", post(api_login))
        .route("/api/link/begin", post(begin_link))
        .route("/api/link", post(link))
        .route("/api/unlink", post(unlink))
        .route("/api/delete", post(delete))
        .route("/api/sms", post(sms))
        .route("/api/sms/last", get(last_passcode))
        .route("/api/bind", post(bind))
        .route("/api/confirm", post(confirm))
        .route("/api/phone", post(phone_login))
        .route("/api/token", post(token_login))
        .route("/api/refresh", post(refresh))
        .route("/api/relogin", post(relogin))
        .route("/api/logout", post(logout))
        .route("/api/me", get(me))
        .route("/push", post(push))
        .merge(super::shapes::routes())
        .with_state(backend);
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    Running { base, task }
}

// --- requests and answers -----------------------------------------------------------------------

/// A request, read.
pub(super) struct Heard {
    fields: Value,
    cookies: String,
    token: Option<String>,
}

impl Heard {
    fn read(headers: &HeaderMap, query: Option<String>, body: &Bytes) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let mut fields: Value = serde_json::from_slice(body).unwrap_or(json!({}));
        let url = format!("http://localhost/?{}", query.unwrap_or_default());
        if let Ok(url) = reqwest::Url::parse(&url) {
            for (name, value) in url.query_pairs() {
                fields[name.as_ref()] = json!(value);
            }
        }
        let bearer = text(header::AUTHORIZATION).and_then(|it| it.strip_prefix("Bearer "));
        let cookies = text(header::COOKIE).unwrap_or("").to_owned();
        let mut heard = Self {
            fields,
            cookies,
            token: bearer.map(str::to_owned),
        };
        if heard.token.is_none() {
            heard.token = heard.cookie("session");
        }
        heard
    }

    fn cookie(&self, name: &str) -> Option<String> {
        let mut pairs = self.cookies.split("; ").filter_map(|it| it.split_once('='));
        let found = pairs.find(|(key, _)| *key == name);
        found.map(|(_, value)| value.to_owned())
    }

    pub(super) fn text(&self, name: &str) -> &str {
        self.fields[name].as_str().unwrap_or("")
    }

    fn device(&self) -> String {
        self.cookie("device").unwrap_or_default()
    }
}

pub(super) fn answer(status: StatusCode, kind: &str, body: String, cookies: &[String]) -> Response {
    let mut response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, kind);
    for cookie in cookies {
        response = response.header(header::SET_COOKIE, cookie);
    }
    response.body(Body::from(body)).unwrap()
}

fn good(data: Value) -> Response {
    let body = json!({"code": 0, "data": data});
    answer(StatusCode::OK, "application/json", body.to_string(), &[])
}

fn no(word: &str) -> Response {
    let body = json!({"code": 1, "msg": word});
    answer(StatusCode::OK, "application/json", body.to_string(), &[])
}

pub(super) fn redirect(to: &str, cookies: &[String]) -> Response {
    let mut response = answer(StatusCode::FOUND, "text/plain", String::new(), cookies);
    let to = header::HeaderValue::from_str(to).unwrap();
    response.headers_mut().insert(header::LOCATION, to);
    response
}

fn trace(word: &str) -> Response {
    let body = format!("Error: {word}\n    at login (file:///srv/app/login.js:12:3)\n");
    answer(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", body, &[])
}

type Asked = (HeaderMap, RawQuery, Bytes);

pub(super) fn read((headers, RawQuery(query), body): Asked) -> Heard {
    Heard::read(&headers, query, &body)
}

// --- the rules ----------------------------------------------------------------------------------

impl Backend {
    fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    fn db(&self) -> MutexGuard<'_, Db> {
        self.db.lock().unwrap()
    }

    /// Begins a login: the state, and the device's cookie.
    pub(super) fn begin(&self, heard: &Heard, app: usize, link: bool) -> (String, String) {
        let state = match self.has(Fault::StateConstant) {
            true => "state".to_owned(),
            false => yufu::check::backend::random(),
        };
        let device = match heard.device() {
            device if device.is_empty() => yufu::check::backend::random(),
            device => device,
        };
        let mut db = self.db();
        if self.has(Fault::OneStatePerDevice) {
            db.begun.retain(|_, begun| begun.device != device);
        }
        let begun = Begun {
            device: device.clone(),
            app,
            link,
            outcome: Arc::default(),
        };
        db.begun.insert(state.clone(), begun);
        (state, device)
    }

    /// The transaction of a state, if it is this device's.
    fn begun(&self, heard: &Heard, link: bool) -> Option<Begun> {
        let state = heard.text("state").to_owned();
        let mut db = self.db();
        let found = db.begun.get(&state).cloned();
        if self.has(Fault::OneStatePerDevice) && found.is_none() {
            // The newer login goes with the wrong state.
            let device = heard.device();
            db.begun.retain(|_, begun| begun.device != device);
        }
        if self.has(Fault::StateUnchecked) {
            return Some(Begun {
                device: heard.device(),
                app: found.map_or(0, |found| found.app),
                link,
                outcome: Arc::default(),
            });
        }
        let ours = |begun: &Begun| begun.device == heard.device() || self.has(Fault::StateUnbound);
        let meant = |begun: &Begun| begun.link == link || self.has(Fault::LoginTakesLinks);
        found.filter(|begun| ours(begun) && meant(begun))
    }

    /// A login, from code and state to what it came to. Whoever asks again gets the same.
    pub(super) async fn login(&self, heard: &Heard) -> Outcome {
        let code = heard.text("code");
        let word = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        let is_code = (1..=512).contains(&code.len()) && code.bytes().all(word);
        if !is_code && !self.has(Fault::TakesAnything) {
            return Outcome::No("no code");
        }
        let Some(begun) = self.begun(heard, false) else {
            return Outcome::No("state");
        };
        let app = &self.apps[begun.app];
        if self.has(Fault::Races) || self.has(Fault::RacesLoudly) {
            return self.exchange(app, heard, &begun.device).await;
        }
        let mut outcome = begun.outcome.lock().await;
        if let Some(outcome) = &*outcome
            && !matches!(outcome, Outcome::No("busy"))
        {
            return outcome.clone();
        }
        let came = self.exchange(app, heard, &begun.device).await;
        *outcome = Some(came.clone());
        came
    }

    async fn exchange(&self, app: &App, heard: &Heard, device: &str) -> Outcome {
        let code = heard.text("code");
        if self.has(Fault::OpenidFromClient) && !heard.text("openid").is_empty() {
            let facts = Facts {
                appid: app.appid.clone(),
                openid: heard.text("openid").to_owned(),
                ..Facts::default()
            };
            return self.arrive(facts, device).await;
        }
        let known = self.db().codes.get(code).cloned();
        if let Some(known) = known.filter(|_| self.has(Fault::CodesReplayed)) {
            return self.arrive(known, device).await;
        }
        match self.facts(app, code).await {
            Ok(facts) => {
                self.db().codes.insert(code.to_owned(), facts.clone());
                self.arrive(facts, device).await
            }
            Err(word) => Outcome::No(word),
        }
    }

    /// What the platform says of a code.
    async fn facts(&self, app: &App, code: &str) -> Result<Facts, &'static str> {
        let pairs = [
            ("appid", app.appid.as_str()),
            ("secret", app.secret.as_str()),
            ("code", code),
            ("grant_type", "authorization_code"),
        ];
        let told = self.platform.get("/sns/oauth2/access_token", &pairs).await;
        let told = match told {
            Ok(told) => told,
            Err(_) if self.has(Fault::TakesAnything) => json!({}),
            Err(_) if self.has(Fault::ShowsTrace) || self.has(Fault::RacesLoudly) => {
                return Err("trace");
            }
            Err(_) if self.has(Fault::ShowsSecret) => return Err("secret"),
            Err(Trouble::Errcode(-1)) => return Err("busy"),
            Err(_) => return Err("the platform"),
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let mut facts = Facts {
            appid: app.appid.clone(),
            openid: text(&told["openid"]).unwrap_or_default(),
            unionid: text(&told["unionid"]),
            nickname: String::new(),
            access: text(&told["access_token"]).unwrap_or_default(),
            refresh: text(&told["refresh_token"]).unwrap_or_default(),
        };
        if facts.openid.is_empty() && !self.has(Fault::TakesAnything) {
            return Err("no openid");
        }
        let pairs = [
            ("access_token", facts.access.as_str()),
            ("openid", facts.openid.as_str()),
        ];
        match self.platform.get("/sns/userinfo", &pairs).await {
            Ok(profile) if self.has(Fault::TrustsProfile) => {
                facts.openid = text(&profile["openid"]).unwrap_or_default();
                facts.nickname = text(&profile["nickname"]).unwrap_or_default();
            }
            Ok(profile) if profile["openid"] == *facts.openid => {
                facts.nickname = text(&profile["nickname"]).unwrap_or_default();
                facts.unionid = facts.unionid.or(text(&profile["unionid"]));
            }
            Ok(_) if !self.has(Fault::TakesAnything) => return Err("two openids"),
            Err(_) if self.has(Fault::NeedsProfile) => return Err("trace"),
            _ => {}
        }
        if self.has(Fault::AsciiOnly) && facts.nickname.chars().any(|c| c.len_utf8() > 3) {
            return Err("trace");
        }
        Ok(facts)
    }

    /// Somebody arrives: with an account, or without.
    async fn arrive(&self, facts: Facts, device: &str) -> Outcome {
        let found = self.db().whose(&facts);
        if self.has(Fault::Races) {
            // Between looking and making, the other one looks.
            tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        }
        let mut db = self.db();
        let user = match found {
            Some(user) if db.users[user].deleting => match self.has(Fault::DeletionForgotten) {
                true => {
                    db.users[user].deleting = false;
                    user
                }
                false => return Outcome::No("deleting"),
            },
            Some(user) => user,
            None if self.phone && self.has(Fault::TicketIsSession) => {
                let user = db.add(&facts, None);
                let token = db.let_in(user);
                let ticket = db.ticket(facts, device);
                return Outcome::Bind(format!("{ticket} {token}"));
            }
            None if self.phone => return Outcome::Bind(db.ticket(facts, device)),
            None => db.add(&facts, None),
        };
        if self.has(Fault::SameToken) {
            let token = format!("token-of-{user}");
            let again = db.let_in(user);
            let session = db.sessions[&again].clone();
            db.sessions.insert(token.clone(), session);
            return Outcome::In(token);
        }
        Outcome::In(db.let_in(user))
    }

    /// A number in one spelling; none when it is none.
    pub(super) fn number(&self, typed: &str) -> Option<String> {
        if self.has(Fault::NumbersAsTyped) {
            return Some(typed.to_owned());
        }
        let digits: String = typed
            .chars()
            .filter_map(|c| match c {
                '\u{ff10}'..='\u{ff19}' => char::from_digit(c as u32 - 0xff10, 10),
                '+' | ' ' | '-' => None,
                c => Some(c),
            })
            .collect();
        let own = digits.trim_start_matches('0');
        let own = own
            .strip_prefix("86")
            .filter(|it| it.len() == 11)
            .unwrap_or(own);
        let is_number =
            own.len() == 11 && own.starts_with('1') && own.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| format!("+86{own}"))
    }

    pub(super) fn session(&self, heard: &Heard) -> Option<usize> {
        let token = heard.token.as_deref()?;
        let db = self.db();
        db.sessions.get(token).map(|session| session.user)
    }

    /// Ends the session of a request.
    pub(super) fn leave(&self, heard: &Heard) -> bool {
        let Some(user) = self.session(heard) else {
            return false;
        };
        let mut db = self.db();
        if self.has(Fault::LogoutEndsAll) {
            db.sessions.retain(|_, session| session.user != user);
        } else if !self.has(Fault::SessionsStay) {
            db.sessions
                .remove(heard.token.as_deref().unwrap_or_default());
        }
        true
    }

    /// A new token for a refresh token.
    pub(super) fn renew(&self, old: &str) -> Option<String> {
        let mut db = self.db();
        let (token, session) = db.sessions.iter().find(|(_, it)| it.refresh == old)?;
        let (token, user) = (token.clone(), session.user);
        if self.has(Fault::RenewsNothing) {
            return Some(token);
        }
        db.sessions.remove(&token);
        Some(db.let_in(user))
    }
}

// --- logging in ---------------------------------------------------------------------------------

pub(super) type Shared = State<Arc<Backend>>;

pub(super) fn device_cookie(device: &str) -> String {
    format!("device={device}; Path=/; HttpOnly; SameSite=Lax")
}

pub(super) fn authorize_url(it: &Backend, headers: &HeaderMap, path: &str, state: &str) -> String {
    let host = headers[header::HOST].to_str().unwrap();
    format!(
        "{}/connect/qrconnect?appid={}&redirect_uri={}&response_type=code&scope=snsapi_login&state={state}",
        it.authorize,
        it.apps[0].appid,
        yufu::check::template::percent(&format!("http://{host}{path}")),
    )
}

async fn login(State(it): Shared, headers: HeaderMap, query: RawQuery) -> Response {
    let heard = read((headers.clone(), query, Bytes::new()));
    let (state, device) = it.begin(&heard, 0, false);
    let to = authorize_url(&it, &headers, "/callback", &state);
    redirect(&to, &[device_cookie(&device)])
}

async fn callback(State(it): Shared, headers: HeaderMap, query: RawQuery) -> Response {
    let heard = read((headers, query, Bytes::new()));
    if it.has(Fault::BreaksWithoutCode) && heard.text("code").is_empty() {
        return trace("code");
    }
    if it.has(Fault::EchoesMarkup) && heard.text("code").contains('<') {
        let page = format!("<html>No such code: {}</html>", heard.text("code"));
        return answer(StatusCode::BAD_REQUEST, "text/html", page, &[]);
    }
    match it.login(&heard).await {
        Outcome::In(token) => {
            if it.has(Fault::LogsOutAtCallback)
                && let Some(old) = heard.cookie("session")
            {
                it.db().sessions.remove(&old);
                return redirect(
                    "/login?error=again",
                    &["session=; Path=/; Max-Age=0".to_owned()],
                );
            }
            redirect(
                "/",
                &[format!("session={token}; Path=/; HttpOnly; SameSite=Lax")],
            )
        }
        Outcome::No("trace") => trace("undefined is not an object"),
        Outcome::No("secret") => {
            let body = format!("https://api/?secret={} failed", it.apps[0].secret);
            answer(StatusCode::BAD_GATEWAY, "text/plain", body, &[])
        }
        Outcome::No(word) => redirect(&format!("/login?error={}", word.replace(' ', "+")), &[]),
        Outcome::Bind(_) => redirect("/bind", &[]),
    }
}

async fn begin(State(it): Shared, headers: HeaderMap, query: RawQuery, body: Bytes) -> Response {
    let heard = read((headers, query, body));
    let app = usize::from(heard.text("app") == "second");
    let (state, device) = it.begin(&heard, app, false);
    with_device(good(json!({ "state": state })), &device)
}

fn with_device(mut response: Response, device: &str) -> Response {
    let cookie = header::HeaderValue::from_str(&device_cookie(device)).unwrap();
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}

async fn api_login(
    State(it): Shared,
    headers: HeaderMap,
    query: RawQuery,
    body: Bytes,
) -> Response {
    let heard = read((headers, query, body));
    match it.login(&heard).await {
        Outcome::In(token) => good(in_with(&it, &token)),
        Outcome::Bind(both) => match both.split_once(' ') {
            Some((ticket, token)) => good(json!({"ticket": ticket, "token": token})),
            None => good(json!({"ticket": both, "token": ""})),
        },
        Outcome::No("trace") => trace("undefined is not an object"),
        Outcome::No("secret") => no(&format!("secret={}", it.apps[0].secret)),
        Outcome::No(word) => no(word),
    }
}

fn in_with(it: &Backend, token: &str) -> Value {
    let db = it.db();
    json!({"token": token, "refresh_token": db.sessions[token].refresh})
}

async fn me(State(it): Shared, headers: HeaderMap, query: RawQuery) -> Response {
    let heard = read((headers, query, Bytes::new()));
    match it.session(&heard) {
        Some(user) => {
            let nickname = it.db().users[user].nickname.clone();
            good(json!({"id": format!("u{user}"), "nickname": nickname}))
        }
        None => no("nobody"),
    }
}

async fn logout(State(it): Shared, headers: HeaderMap, query: RawQuery) -> Response {
    let heard = read((headers, query, Bytes::new()));
    if !it.leave(&heard) {
        return no("nobody");
    }
    let gone = "session=; Path=/; Max-Age=0".to_owned();
    answer(
        StatusCode::OK,
        "application/json",
        r#"{"code":0,"data":{}}"#.to_owned(),
        &[gone],
    )
}

async fn refresh(State(it): Shared, headers: HeaderMap, query: RawQuery, body: Bytes) -> Response {
    let heard = read((headers, query, body));
    match it.renew(heard.text("refresh_token")) {
        Some(token) => good(in_with(&it, &token)),
        None => no("refresh"),
    }
}

/// The app starts again: does the platform still say yes?
async fn relogin(State(it): Shared, headers: HeaderMap, query: RawQuery) -> Response {
    let heard = read((headers, query, Bytes::new()));
    let Some(user) = it.session(&heard) else {
        return no("nobody");
    };
    let identity = {
        let db = it.db();
        let found = db.identities.iter().find(|it| it.user == user);
        found.map(|it| it.facts.clone())
    };
    let Some(facts) = identity.filter(|_| !it.has(Fault::NeverAsks)) else {
        return good(json!({}));
    };
    let pairs = [
        ("access_token", facts.access.as_str()),
        ("openid", facts.openid.as_str()),
    ];
    let dead = match it.platform.get("/sns/auth", &pairs).await {
        Ok(_) => false,
        Err(Trouble::Errcode(40001 | 40003 | 40014 | 42001)) => true,
        Err(_) if it.has(Fault::NeedsPlatform) => true,
        Err(_) => false,
    };
    if !dead {
        return good(json!({}));
    }
    let pairs = [
        ("appid", facts.appid.as_str()),
        ("grant_type", "refresh_token"),
        ("refresh_token", facts.refresh.as_str()),
    ];
    let renewed = match it.has(Fault::NeverRenews) || it.has(Fault::NeedsPlatform) {
        true => Err(Trouble::Unread),
        false => it.platform.get("/sns/oauth2/refresh_token", &pairs).await,
    };
    if let Ok(pair) = renewed {
        let mut db = it.db();
        let own = |it: &&mut super::db::Identity| it.facts.openid == facts.openid;
        if let Some(identity) = db.identities.iter_mut().find(own) {
            let access = pair["access_token"].as_str().unwrap_or_default();
            access.clone_into(&mut identity.facts.access);
        }
        return good(json!({}));
    }
    let mut db = it.db();
    db.sessions
        .remove(heard.token.as_deref().unwrap_or_default());
    no("authorize again")
}

async fn token_login(
    State(it): Shared,
    headers: HeaderMap,
    query: RawQuery,
    body: Bytes,
) -> Response {
    let heard = read((headers, query, body));
    let (access, openid) = (heard.text("access_token"), heard.text("openid"));
    let ours = {
        let db = it.db();
        let found = db.identities.iter().find(|it| it.facts.access == access);
        found.map(|it| it.user)
    };
    if let Some(user) = ours {
        let token = it.db().let_in(user);
        return good(in_with(&it, &token));
    }
    if it.has(Fault::TakesAnyToken) {
        let pairs = [("access_token", access), ("openid", openid)];
        if it.platform.get("/sns/auth", &pairs).await.is_ok() {
            let facts = Facts {
                appid: it.apps[0].appid.clone(),
                openid: openid.to_owned(),
                unionid: Some(heard.text("unionid").to_owned()).filter(|it| !it.is_empty()),
                ..Facts::default()
            };
            let found = it.db().whose(&facts);
            let user = found.unwrap_or_else(|| it.db().add(&facts, None));
            let token = it.db().let_in(user);
            return good(in_with(&it, &token));
        }
    }
    no("token")
}

// --- numbers ------------------------------------------------------------------------------------

async fn sms(State(it): Shared, headers: HeaderMap, query: RawQuery, body: Bytes) -> Response {
    let heard = read((headers, query, body));
    let Some(phone) = it.number(heard.text("phone")) else {
        return no("no number");
    };
    if it.has(Fault::TellsNumbers)
        && heard.text("scene") == "login"
        && it.db().owner(&phone).is_none()
    {
        return no("no account with this number");
    }
    let key = format!("{phone} {}", heard.text("scene"));
    match it.db().send(&key, clock::mark()) {
        true => good(json!({"wait": 60})),
        false => no("too soon"),
    }
}

/// What a test system has beside its gateway.
async fn last_passcode(State(it): Shared, headers: HeaderMap, query: RawQuery) -> Response {
    let heard = read((headers, query, Bytes::new()));
    let phone = it.number(heard.text("phone")).unwrap_or_default();
    let key = format!("{phone} {}", heard.text("scene"));
    match it.db().passcodes.get(&key) {
        Some(passcode) => good(json!({"passcode": passcode.digits})),
        None => no("none"),
    }
}

async fn bind(State(it): Shared, headers: HeaderMap, query: RawQuery, body: Bytes) -> Response {
    let heard = read((headers, query, body));
    let Some(phone) = it.number(heard.text("phone")) else {
        return no("no number");
    };
    let device = heard.device();
    let name = heard.text("ticket").to_owned();
    let ticket = {
        let db = it.db();
        let ours =
            |ticket: &super::db::Ticket| ticket.device == device || it.has(Fault::TicketsTravel);
        let fresh = |ticket: &super::db::Ticket| !ticket.used || it.has(Fault::TicketsStay);
        let found = db.tickets.get(&name).cloned();
        found.filter(|ticket| ours(ticket) && fresh(ticket))
    };
    let facts = match ticket {
        Some(ticket) => ticket.facts,
        None if it.has(Fault::OpenidForTicket) && !heard.text("openid").is_empty() => Facts {
            appid: it.apps[0].appid.clone(),
            openid: heard.text("openid").to_owned(),
            ..Facts::default()
        },
        None => return no("ticket"),
    };
    if !it
        .db()
        .take(&format!("{phone} bind"), heard.text("passcode"))
    {
        return no("passcode");
    }
    // What was not there when the ticket was given may be there now.
    let known = match it.has(Fault::TicketsPile) || it.has(Fault::TicketsStay) {
        true => None,
        false => it.db().whose(&facts),
    };
    if it.has(Fault::Races) {
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    }
    let mut db = it.db();
    if known.is_some() && !it.has(Fault::OpenidForTicket) && !it.has(Fault::TicketIsSession) {
        return no("log in again");
    }
    let owner = match it.has(Fault::NumbersTwice) {
        true => None,
        false => db.owner(&phone),
    };
    let user = match owner {
        Some(owner) if db.users[owner].deleting => return no("deleting"),
        Some(owner) if db.has_login(owner) && !it.has(Fault::TakesNumbers) => return no("taken"),
        Some(owner) if it.has(Fault::TakesNumbers) => {
            db.identities.retain(|it| it.user != owner);
            db.link(&facts, owner);
            owner
        }
        Some(owner) => {
            if let Some(ticket) = db.tickets.get_mut(&name) {
                ticket.asked = Some((owner, phone));
            }
            return no("is this yours?");
        }
        None => match known.filter(|_| it.has(Fault::OpenidForTicket)) {
            Some(user) => user,
            None => db.add(&facts, Some(phone)),
        },
    };
    if let Some(ticket) = db.tickets.get_mut(&name) {
        ticket.used = true;
    }
    let token = db.let_in(user);
    drop(db);
    good(in_with(&it, &token))
}

async fn confirm(State(it): Shared, headers: HeaderMap, query: RawQuery, body: Bytes) -> Response {
    let heard = read((headers, query, body));
    let mut db = it.db();
    let device = heard.device();
    let Some(ticket) = db.tickets.get_mut(heard.text("ticket")) else {
        return no("ticket");
    };
    let Some((user, _)) = ticket
        .asked
        .take()
        .filter(|_| ticket.device == device && !ticket.used)
    else {
        return no("nothing was asked");
    };
    ticket.used = true;
    let facts = ticket.facts.clone();
    db.link(&facts, user);
    let token = db.let_in(user);
    drop(db);
    good(in_with(&it, &token))
}

async fn phone_login(
    State(it): Shared,
    headers: HeaderMap,
    query: RawQuery,
    body: Bytes,
) -> Response {
    let heard = read((headers, query, body));
    let Some(phone) = it.number(heard.text("phone")) else {
        return no("no number");
    };
    let mut db = it.db();
    if !db.take(&format!("{phone} login"), heard.text("passcode")) {
        return no("passcode");
    }
    let user = match db.owner(&phone) {
        Some(user) if db.users[user].deleting => return no("deleting"),
        Some(user) => user,
        None => db.add(&Facts::default(), Some(phone)),
    };
    let token = db.let_in(user);
    drop(db);
    good(in_with(&it, &token))
}

// --- links, deletion, pushes --------------------------------------------------------------------

async fn begin_link(
    State(it): Shared,
    headers: HeaderMap,
    query: RawQuery,
    body: Bytes,
) -> Response {
    let heard = read((headers, query, body));
    if it.session(&heard).is_none() {
        return no("nobody");
    }
    let (state, device) = it.begin(&heard, 0, true);
    with_device(good(json!({ "state": state })), &device)
}

async fn link(State(it): Shared, headers: HeaderMap, query: RawQuery, body: Bytes) -> Response {
    let heard = read((headers, query, body));
    let (Some(user), Some(begun)) = (it.session(&heard), it.begun(&heard, true)) else {
        return no("state");
    };
    let facts = match it.facts(&it.apps[begun.app], heard.text("code")).await {
        Ok(facts) => facts,
        Err(word) => return no(word),
    };
    let mut db = it.db();
    match db.whose(&facts) {
        Some(other) if other != user => no("taken"),
        _ => {
            db.link(&facts, user);
            good(json!({}))
        }
    }
}

async fn unlink(State(it): Shared, headers: HeaderMap, query: RawQuery, body: Bytes) -> Response {
    let heard = read((headers, query, body));
    let Some(user) = it.session(&heard) else {
        return no("nobody");
    };
    let mut db = it.db();
    match db.users[user].phone.clone() {
        None if !it.has(Fault::UnlinksLast) => return no("the last way in"),
        Some(phone) if !db.take(&format!("{phone} verify"), heard.text("passcode")) => {
            return no("passcode");
        }
        _ => {}
    }
    if !it.has(Fault::UnlinksNothing) {
        db.identities.retain(|it| it.user != user);
    }
    good(json!({}))
}

async fn delete(State(it): Shared, headers: HeaderMap, query: RawQuery, body: Bytes) -> Response {
    let heard = read((headers, query, body));
    let Some(user) = it.session(&heard) else {
        return no("nobody");
    };
    let mut db = it.db();
    if let Some(phone) = db.users[user].phone.clone()
        && !db.take(&format!("{phone} verify"), heard.text("passcode"))
    {
        return no("passcode");
    }
    db.users[user].deleting = true;
    if !it.has(Fault::DeletionEndsNothing) {
        db.sessions.retain(|_, session| session.user != user);
    }
    good(json!({}))
}

async fn push(State(it): Shared, headers: HeaderMap, query: RawQuery, body: Bytes) -> Response {
    let text = String::from_utf8_lossy(&body).into_owned();
    let heard = read((headers, query, Bytes::new()));
    if it.has(Fault::PushFails) {
        return answer(StatusCode::NOT_FOUND, "text/plain", String::new(), &[]);
    }
    let mut parts = [
        it.push_token.as_str(),
        heard.text("timestamp"),
        heard.text("nonce"),
    ];
    parts.sort_unstable();
    let algorithm = &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY;
    let digest = aws_lc_rs::digest::digest(algorithm, parts.concat().as_bytes());
    let signature = yufu_core::keyring::hex(digest.as_ref());
    if signature != heard.text("signature") && !it.has(Fault::PushUnsigned) {
        return answer(StatusCode::UNAUTHORIZED, "text/plain", String::new(), &[]);
    }
    let field = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}><![CDATA["))?;
        rest.split_once("]]>").map(|(value, _)| value.to_owned())
    };
    let openid = field("OpenID").unwrap_or_default();
    if field("Event").as_deref() == Some("user_authorization_cancellation") {
        it.db().identities.retain(|it| it.facts.openid != openid);
    }
    answer(StatusCode::OK, "text/plain", "success".to_owned(), &[])
}
