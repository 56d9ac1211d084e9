//! The demo app 小屋 Rooms: a site with accounts, on an origin of its own. Its server keeps one
//! session for each browser and calls the login backend for it, as any app team's server would; it
//! holds no secret of WeChat's and no database. It builds the addresses that people are sent to
//! with the dialect's `call` mouth, and every page tells what went over the wire.
//!
//! A browser may be several devices at once: `/device/2/` is the second.

mod account;
mod api;
mod enter;
mod errand;
mod visit;

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request as HttpRequest, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use yufu_core::client::ClientKind;
use yufu_core::id::ClientId;
use yufu_core::secret::Secret;
use yufu_dialects::wechat::call::Upstream;
use yufu_web::view::{self, DemoError, Field, Text as T};

use super::{Doors, World};
use api::{Answer, Api};
use visit::{Knock, Visits};

/// The demo app.
pub struct Demo {
    upstreams: [Upstream; 3],
    platform: String,
    app_url: String,
    cookie: String,
    api: Api,
    visits: Mutex<Visits>,
}

impl Demo {
    /// The demo app of a seeded world.
    pub(super) fn new(world: &World, doors: &Doors) -> Arc<Self> {
        let platform = &doors.platform.url;
        let upstream = |kind: ClientKind| {
            let appid = world.client(kind).map(|client| client.appid.as_str());
            // The secret is the backend's; here it would only lie about.
            let appid = ClientId::new(appid.unwrap_or_default());
            Upstream::new(kind, appid, Secret::new("")).at(platform)
        };
        Arc::new(Self {
            upstreams: [
                upstream(ClientKind::Website),
                upstream(ClientKind::Mobile),
                upstream(ClientKind::Service),
            ],
            platform: platform.clone(),
            app_url: doors.app.url.clone(),
            cookie: format!("rooms_{}", doors.app.address.port()),
            api: Api::new(&doors.login.url),
            visits: Mutex::default(),
        })
    }

    fn upstream(&self, kind: ClientKind) -> &Upstream {
        match kind {
            ClientKind::Website => &self.upstreams[0],
            ClientKind::Mobile => &self.upstreams[1],
            ClientKind::Service => &self.upstreams[2],
        }
    }

    /// Where passcodes can be read.
    fn inbox(&self) -> String {
        format!("{}/dev/inbox", self.platform)
    }
}

/// The demo app's routes.
pub fn router(demo: Arc<Demo>) -> Router {
    Router::new()
        .route("/assets/{name}", get(asset))
        .fallback(open)
        .with_state(demo)
}

async fn open(State(demo): State<Arc<Demo>>, request: HttpRequest) -> Response {
    let mut knock = Knock::read(demo, request).await;
    let path = knock.path.clone();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let post = match knock.method {
        Method::GET | Method::HEAD => false,
        Method::POST => true,
        _ => return knock.done(knock.leave("/")),
    };
    let response = match (post, parts.as_slice()) {
        (false, []) => enter::home(&knock, None),
        (true, []) => enter::chosen(&knock),
        (false, ["login", way]) => enter::leave(&knock, way).await,
        (false, ["callback", _] | ["native", "finish"]) => enter::back(&mut knock).await,
        (false, ["app", appid, "oauth"]) => enter::native(&mut knock, appid).await,
        (false, ["me"]) => account::me(&knock).await,
        (true, ["me"]) => account::act(&knock).await,
        (false, ["devices"]) => account::devices(&knock).await,
        (true, ["devices"]) => account::remove(&knock).await,
        (false, ["security"]) => account::security(&knock).await,
        (true, ["security"]) => account::link(&knock).await,
        (post, [name]) => match errand::kind(name) {
            Some(ask) if post => errand::act(&knock, ask).await,
            Some(ask) => errand::show(&knock, ask).await,
            None => knock.leave("/"),
        },
        _ => knock.leave("/"),
    };
    knock.done(response)
}

/// A page of the app; pictures may come from the platform beside it, and a form may lead there.
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
    let platform = &demo.platform;
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self' data: {platform}; base-uri 'none'; \
         form-action 'self' {platform}; frame-ancestors 'none'"
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

/// The page of what did not work; what to do comes first among `links`.
fn failed(knock: &Knock, code: i32, msg: &str, facts: Vec<Field>, links: &[(T, &str)]) -> Response {
    let link = |(text, path): &(T, &str)| {
        let href = format!("{}{path}", knock.base);
        (knock.lang.t(*text).to_owned(), href)
    };
    let view = DemoError {
        lang: knock.lang,
        frame: knock.frame(None),
        code,
        msg: msg.to_owned(),
        facts,
        links: links.iter().map(link).collect(),
    };
    page(&knock.demo, view.render())
}

/// The page of a refusal of the login API.
fn refused(knock: &Knock, answer: &Answer) -> Response {
    let again = knock.seat().again();
    let links: &[(T, &str)] = match answer.code {
        2003 | 2004 | 2007 => &[(T::RoomsUsePhone, "/phone"), (T::TryAgain, &again)],
        // The session is held up until then: there is no way back to it.
        2008 => &[(T::RoomsAuthorize, &again), (T::RoomsUsePhone, "/phone")],
        2001 | 2002 | 2005 | 2006 | 4002 => &[(T::TryAgain, &again), (T::RoomsUsePhone, "/phone")],
        4004 | 4009 | 4010 => &[(T::RoomsSecurity, "/security")],
        _ => &[(T::TryAgain, "/")],
    };
    let facts = answer
        .data
        .iter()
        .map(|(name, value)| api::shown(name, value));
    failed(
        knock,
        i32::from(answer.code),
        &answer.msg,
        facts.collect(),
        links,
    )
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
