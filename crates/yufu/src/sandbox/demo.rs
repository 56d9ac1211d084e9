//! The demo app 小屋 Rooms: a real relying party on an origin of its own. It knows the platform
//! by the wire alone, through the dialect's `call` mouth, as any app would.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request as HttpRequest, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use yufu_core::client::{ClientKind, Platform};
use yufu_core::id::ClientId;
use yufu_core::message::{Challenge, NativeApp};
use yufu_core::refusal::Refusal;
use yufu_core::scope::Scopes;
use yufu_core::secret::{Entropy, Secret, same};
use yufu_dialects::http::{Params, Request};
use yufu_dialects::wechat::call::{
    self, Ask, Call, CallError, Granted, Lang as ProfileLang, Upstream, UpstreamProfile,
};
use yufu_web::view::{self, Field, Lang};

use super::World;
use super::seed::BUNDLE;
use crate::ports::SystemEntropy;

/// The demo app.
pub struct Demo {
    upstreams: [Upstream; 3],
    platform: String,
    app_url: String,
    cookie: String,
    http: HttpClient<HttpConnector, Empty<Bytes>>,
    visits: Mutex<HashMap<String, Visit>>,
}

/// What the app knows of one browser.
#[derive(Clone, Default)]
struct Visit {
    /// The authorizations under way, one a tab: state, how it was asked for, PKCE verifier.
    pending: Vec<(String, ClientKind, String)>,
    login: Option<Arc<Login>>,
}

/// Somebody who is logged in.
struct Login {
    kind: ClientKind,
    code: String,
    state: String,
    granted: Granted,
    profile: Option<UpstreamProfile>,
}

/// The most browsers that are remembered.
const MAX_VISITS: usize = 1000;
/// The most authorizations under way of one browser.
const MAX_PENDING: usize = 8;
/// How long a call to the platform may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most bytes of an answer.
const MAX_ANSWER: usize = 64 * 1024;

impl Demo {
    /// The demo app of a seeded world.
    pub fn new(world: &World, platform: &str, app_url: &str) -> Arc<Self> {
        let upstream = |kind: ClientKind| {
            let client = world.client(kind);
            let text = |read: fn(&super::SeededClient) -> &String| {
                client.map(read).cloned().unwrap_or_default()
            };
            let (appid, secret) = (text(|c| &c.appid), text(|c| &c.secret));
            Upstream::new(kind, ClientId::new(&appid), Secret::new(secret)).at(platform)
        };
        let port = app_url.rsplit_once(':').map_or("", |(_, port)| port);
        Arc::new(Self {
            upstreams: [
                upstream(ClientKind::Website),
                upstream(ClientKind::Mobile),
                upstream(ClientKind::Service),
            ],
            platform: platform.to_owned(),
            app_url: app_url.to_owned(),
            cookie: format!("rooms_{port}"),
            http: HttpClient::builder(TokioExecutor::new()).build_http(),
            visits: Mutex::new(HashMap::new()),
        })
    }

    fn upstream(&self, kind: ClientKind) -> &Upstream {
        match kind {
            ClientKind::Website => &self.upstreams[0],
            ClientKind::Mobile => &self.upstreams[1],
            ClientKind::Service => &self.upstreams[2],
        }
    }

    fn visit(&self, id: &str) -> Visit {
        let visits = self.visits.lock().unwrap_or_else(PoisonError::into_inner);
        visits.get(id).cloned().unwrap_or_default()
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Visit)) {
        let mut visits = self.visits.lock().unwrap_or_else(PoisonError::into_inner);
        if visits.len() >= MAX_VISITS && !visits.contains_key(id) {
            visits.clear();
        }
        change(visits.entry(id.to_owned()).or_default());
    }

    /// Calls the platform and answers the body, whatever the status says.
    async fn ask(&self, call: &Call) -> Result<Vec<u8>, CallError> {
        let uri = call.url.expose().parse().map_err(|_| CallError::Busy)?;
        let body = async {
            let answer = self.http.get(uri).await.ok()?;
            let body = Limited::new(answer.into_body(), MAX_ANSWER)
                .collect()
                .await
                .ok()?;
            Some(body.to_bytes().to_vec())
        };
        let body = tokio::time::timeout(PATIENCE, body).await.ok().flatten();
        body.ok_or(CallError::Busy)
    }

    async fn profile(
        &self,
        kind: ClientKind,
        granted: &Granted,
    ) -> Result<UpstreamProfile, CallError> {
        let openid = granted.openid.as_str();
        let upstream = self.upstream(kind);
        let call = upstream.profile(&granted.access, openid, Some(ProfileLang::Simplified));
        call::read_profile(&self.ask(&call).await?)
    }
}

/// The demo app's routes.
pub fn router(demo: Arc<Demo>) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/login/{way}", get(login))
        .route("/callback/{way}", get(callback))
        .route("/app/{appid}/oauth", get(native))
        .route("/native/finish", get(native_finish))
        .route("/me", get(me).post(act))
        .route("/assets/{name}", get(asset))
        .with_state(demo)
}

/// A request to the app, read.
struct Knock {
    demo: Arc<Demo>,
    id: String,
    fresh: bool,
    lang: Lang,
    query: String,
    params: Params,
    form: Params,
    same_origin: bool,
}

impl Knock {
    async fn read(demo: Arc<Demo>, request: HttpRequest) -> Self {
        let (parts, body) = request.into_parts();
        let known = cookie(&parts.headers, &demo.cookie);
        let query = parts.uri.query().unwrap_or("").to_owned();
        let params = Request::get("", &query).params();
        let accept = parts.headers.get(header::ACCEPT_LANGUAGE);
        let lang = params
            .get("lang")
            .or(cookie(&parts.headers, "yufu_lang").as_deref())
            .and_then(Lang::from_param)
            .unwrap_or_else(|| {
                Lang::from_accept(accept.and_then(|v| v.to_str().ok()).unwrap_or(""))
            });
        let body = match Limited::new(body, MAX_ANSWER).collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => Bytes::new(),
        };
        let form = Request::post("", "", &String::from_utf8_lossy(&body)).params();
        let site = parts.headers.get("sec-fetch-site");
        Self {
            fresh: known.is_none(),
            id: known.unwrap_or_else(random),
            demo,
            lang,
            query,
            params,
            form,
            same_origin: site.is_none_or(|site| site == "same-origin"),
        }
    }

    fn done(&self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        if self.fresh {
            let cookie = format!(
                "{}={}; Path=/; HttpOnly; SameSite=Lax",
                self.demo.cookie, self.id
            );
            if let Ok(cookie) = HeaderValue::try_from(cookie) {
                headers.append(header::SET_COOKIE, cookie);
            }
        }
        if let Some(lang) = self.params.get("lang").and_then(Lang::from_param) {
            let cookie = format!("yufu_lang={}; Path=/; HttpOnly; SameSite=Lax", lang.short());
            if let Ok(cookie) = HeaderValue::try_from(cookie) {
                headers.append(header::SET_COOKIE, cookie);
            }
        }
        response
    }
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let line = headers.get(header::COOKIE)?.to_str().ok()?;
    let mut pairs = line
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='));
    pairs
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
}

/// 32 random bytes as text.
fn random() -> String {
    let mut bytes = [0; 32];
    SystemEntropy.fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A page of the app; pictures may come from the platform beside it.
fn page(demo: &Demo, html: String) -> Response {
    let mut response = Response::new(Body::from(html));
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self' data: {}; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'",
        demo.platform
    );
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn go(address: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    if let Ok(address) = HeaderValue::try_from(address) {
        headers.insert(header::LOCATION, address);
    }
    response
}

fn failed(demo: &Demo, lang: Lang, errcode: i64, errmsg: &str) -> Response {
    let view = view::DemoError {
        lang,
        errcode,
        errmsg: errmsg.to_owned(),
        again_href: "/".to_owned(),
    };
    page(demo, view.render())
}

fn call_failed(demo: &Demo, lang: Lang, error: &CallError) -> Response {
    match error {
        CallError::Refused { code, message } => failed(demo, lang, *code, message),
        CallError::Busy => failed(demo, lang, -1, "system error"),
        CallError::Unreadable(reason) => failed(demo, lang, 0, &format!("{reason:?}")),
    }
}

async fn home(State(demo): State<Arc<Demo>>, request: HttpRequest) -> Response {
    let knock = Knock::read(demo, request).await;
    if knock.demo.visit(&knock.id).login.is_some() && knock.params.get("lang").is_none() {
        return knock.done(go("/me"));
    }
    let view = view::DemoHome {
        lang: knock.lang,
        lang_href: Some(format!("/?lang={}", knock.lang.other().short())),
        scan_href: "/login/scan".to_owned(),
        native_href: "/login/native".to_owned(),
        page_href: "/login/page".to_owned(),
        platform: knock.demo.platform.clone(),
    };
    knock.done(page(&knock.demo, view.render()))
}

fn way_of(way: &str) -> Option<ClientKind> {
    match way {
        "scan" => Some(ClientKind::Website),
        "native" => Some(ClientKind::Mobile),
        "page" => Some(ClientKind::Service),
        _ => None,
    }
}

/// Sends the browser to the platform, with a state and a verifier of this browser alone.
async fn login(
    State(demo): State<Arc<Demo>>,
    Path(way): Path<String>,
    request: HttpRequest,
) -> Response {
    let knock = Knock::read(demo, request).await;
    let Some(kind) = way_of(&way) else {
        return knock.done(go("/"));
    };
    let (state, verifier) = (random(), random());
    let scopes = match kind {
        ClientKind::Website => Scopes::of(&["snsapi_login"]),
        ClientKind::Mobile | ClientKind::Service => Scopes::of(&["snsapi_userinfo"]),
    };
    let ask = Ask {
        redirect: format!("{}/callback/{way}", knock.demo.app_url),
        scopes,
        state: Some(state.clone()),
        challenge: Some(Challenge::of(&verifier)),
        force_consent: false,
        native: (kind == ClientKind::Mobile).then(|| NativeApp {
            platform: Platform::Ios,
            bundle: BUNDLE.to_owned(),
            signature: String::new(),
        }),
    };
    knock.demo.change(&knock.id, |visit| {
        let surplus = (visit.pending.len() + 1).saturating_sub(MAX_PENDING);
        visit.pending.drain(..surplus);
        visit.pending.push((state, kind, verifier));
    });
    let address = knock.demo.upstream(kind).authorize_url(&ask);
    knock.done(go(&address))
}

async fn callback(
    State(demo): State<Arc<Demo>>,
    Path(_way): Path<String>,
    request: HttpRequest,
) -> Response {
    let knock = Knock::read(demo, request).await;
    let response = finish(&knock).await;
    knock.done(response)
}

async fn native_finish(State(demo): State<Arc<Demo>>, request: HttpRequest) -> Response {
    let knock = Knock::read(demo, request).await;
    let response = finish(&knock).await;
    knock.done(response)
}

/// The backend's part: state, code, tokens, profile.
async fn finish(knock: &Knock) -> Response {
    let demo = &knock.demo;
    let returned = call::read_return(&knock.query);
    let state = returned.state.unwrap_or_default();
    let mut pending = None;
    demo.change(&knock.id, |visit| {
        let is_this = |(sent, ..): &(String, _, _)| same(sent.as_bytes(), state.as_bytes());
        let at = visit.pending.iter().position(is_this);
        pending = at.map(|at| visit.pending.remove(at));
    });
    // The state is of this browser and of one login; a foreign one is not acted on.
    let Some((_, kind, verifier)) = pending else {
        return failed(demo, knock.lang, 0, "state");
    };
    let code = match returned.code {
        Ok(code) => code,
        Err(Refusal::ConsentCancelled) => return failed(demo, knock.lang, -2, "ERR_USER_CANCEL"),
        Err(_) => return failed(demo, knock.lang, -4, "ERR_AUTH_DENIED"),
    };
    let exchange = demo
        .upstream(kind)
        .exchange(&code, Some(&Secret::new(verifier)));
    let granted = match demo
        .ask(&exchange)
        .await
        .and_then(|body| call::read_tokens(&body))
    {
        Ok(granted) => granted,
        Err(error) => return call_failed(demo, knock.lang, &error),
    };
    let profile = match demo.profile(kind, &granted).await {
        Ok(profile) => Some(profile),
        Err(error) => return call_failed(demo, knock.lang, &error),
    };
    let login = Arc::new(Login {
        kind,
        code: masked(code.expose()),
        state,
        granted,
        profile,
    });
    demo.change(&knock.id, |visit| visit.login = Some(login));
    go("/me")
}

/// What the stand-in for the phone's app gets back from the platform.
async fn native(
    State(demo): State<Arc<Demo>>,
    Path(appid): Path<String>,
    request: HttpRequest,
) -> Response {
    let knock = Knock::read(demo, request).await;
    let returned = call::read_return(&knock.query);
    let (result, code) = match &returned.code {
        Ok(code) => (view::NativeCode::Ok, masked(code.expose())),
        Err(Refusal::ConsentCancelled) => (view::NativeCode::Cancelled, String::new()),
        Err(_) => (view::NativeCode::Denied, String::new()),
    };
    let shown = format!("{}/app/{appid}/oauth?…", knock.demo.app_url);
    let mut fields = vec![Field::new("errCode", result.number().to_string())];
    if result == view::NativeCode::Ok {
        fields.push(Field::new("code", code));
    }
    fields.push(Field::new(
        "state",
        returned.state.clone().unwrap_or_default(),
    ));
    let view = view::DemoNative {
        lang: knock.lang,
        result,
        callback: shown,
        fields,
        continue_href: (result == view::NativeCode::Ok)
            .then(|| format!("/native/finish?{}", knock.query)),
        again_href: "/login/native".to_owned(),
    };
    knock.done(page(&knock.demo, view.render()))
}

async fn me(State(demo): State<Arc<Demo>>, request: HttpRequest) -> Response {
    let knock = Knock::read(demo, request).await;
    let response = match knock.demo.visit(&knock.id).login {
        Some(login) => result(&knock, &login, None),
        None => go("/"),
    };
    knock.done(response)
}

fn result(knock: &Knock, login: &Login, done: Option<view::DemoDone>) -> Response {
    let granted = &login.granted;
    let mut token = vec![
        Field::new("access_token", masked(granted.access.expose())),
        Field::new("expires_in", granted.expires_in.as_seconds().to_string()),
    ];
    if let Some(refresh) = &granted.refresh {
        token.push(Field::new("refresh_token", masked(refresh.expose())));
    }
    token.push(Field::new("openid", granted.openid.as_str()));
    token.push(Field::new("scope", granted.scopes.to_string()));
    if let Some(unionid) = &granted.unionid {
        token.push(Field::new("unionid", unionid.as_str()));
    }
    let mut fields = Vec::new();
    let mut name = granted.openid.to_string();
    let mut avatar = None;
    if let Some(answer) = &login.profile {
        let profile = &answer.profile;
        name.clone_from(&profile.nickname);
        avatar = Some(profile.avatar.clone()).filter(|a| a.starts_with(&knock.demo.platform));
        fields = vec![
            Field::new("openid", answer.openid.as_str()),
            Field::new("nickname", &profile.nickname),
            Field::new("sex", profile.sex.number().to_string()),
            Field::new("language", &profile.language),
            Field::new("city", &profile.city),
            Field::new("province", &profile.province),
            Field::new("country", &profile.country),
            Field::new("headimgurl", &profile.avatar),
            Field::new("privilege", format!("{:?}", answer.privilege)),
        ];
        if let Some(unionid) = &answer.unionid {
            fields.push(Field::new("unionid", unionid.as_str()));
        }
    }
    let view = view::DemoResult {
        lang: knock.lang,
        csrf: knock.id.clone(),
        action: "/me".to_owned(),
        name,
        avatar,
        code: login.code.clone(),
        state: login.state.clone(),
        token,
        profile: fields,
        done,
    };
    page(&knock.demo, view.render())
}

async fn act(State(demo): State<Arc<Demo>>, request: HttpRequest) -> Response {
    let knock = Knock::read(demo, request).await;
    let response = acted(&knock).await;
    knock.done(response)
}

async fn acted(knock: &Knock) -> Response {
    let demo = &knock.demo;
    let token = knock.form.get("csrf").unwrap_or("");
    let ours = knock.same_origin && same(token.as_bytes(), knock.id.as_bytes());
    let Some(login) = demo.visit(&knock.id).login.filter(|_| ours) else {
        return go("/");
    };
    match knock.form.get("act") {
        Some("log_out") => {
            demo.change(&knock.id, |visit| *visit = Visit::default());
            go("/")
        }
        Some("userinfo") => match demo.profile(login.kind, &login.granted).await {
            Ok(profile) => {
                let login = Login {
                    profile: Some(profile),
                    ..login.again()
                };
                put(knock, login, view::DemoDone::Userinfo)
            }
            Err(error) => call_failed(demo, knock.lang, &error),
        },
        Some("refresh") => {
            let Some(refresh) = &login.granted.refresh else {
                return go("/me");
            };
            let call = demo.upstream(login.kind).refresh(refresh);
            match demo
                .ask(&call)
                .await
                .and_then(|body| call::read_tokens(&body))
            {
                Ok(granted) => {
                    // A refresh names no unionid (§7.2): what was known stays known.
                    let unionid = granted.unionid.clone().or(login.granted.unionid.clone());
                    let login = Login {
                        granted: Granted { unionid, ..granted },
                        ..login.again()
                    };
                    put(knock, login, view::DemoDone::Refreshed)
                }
                Err(error) => call_failed(demo, knock.lang, &error),
            }
        }
        _ => go("/me"),
    }
}

impl Login {
    fn again(&self) -> Self {
        Self {
            kind: self.kind,
            code: self.code.clone(),
            state: self.state.clone(),
            granted: self.granted.clone(),
            profile: self.profile.clone(),
        }
    }
}

fn put(knock: &Knock, login: Login, done: view::DemoDone) -> Response {
    let login = Arc::new(login);
    let shown = login.clone();
    knock
        .demo
        .change(&knock.id, |visit| visit.login = Some(login));
    result(knock, &shown, Some(done))
}

/// The first and last characters of a secret.
fn masked(secret: &str) -> String {
    let head: String = secret.chars().take(6).collect();
    let length = secret.chars().count();
    let tail: String = secret.chars().skip(length.saturating_sub(4)).collect();
    format!("{head}…{tail}")
}

async fn asset(Path(name): Path<String>) -> Response {
    let Some(asset) = view::asset(&name) else {
        return go("/");
    };
    let mut response = Response::new(Body::from(asset.bytes));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(asset.content_type),
    );
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=31536000, immutable"),
    );
    response
}
