//! The pages that people see, and what every page carries.

mod account;
mod interaction;
mod sign;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request as HttpRequest, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use yufu_core::client::{Client, Developer};
use yufu_core::message::{ScanShown, Step};
use yufu_core::redirect::RedirectRule;
use yufu_core::refusal::Refusal;
use yufu_core::user::User;
use yufu_dialects::DIALECTS;
use yufu_dialects::endpoint::{Dialect, Door, PageContext, ScanLook, SelfRedirect};
use yufu_dialects::http::Request;

use crate::door::Knock;
use crate::house::{ByProxy, House, Peer};
use crate::session::{self, Cookies};
use crate::{fault, form, view};

/// Adds the routes of people's pages.
pub(crate) fn routes(router: Router<Arc<House>>) -> Router<Arc<House>> {
    router
        .route("/", get(home))
        .route(
            "/interaction/{secret}",
            get(interaction::show).post(interaction::act),
        )
        .route("/account", get(account::show).post(account::act))
        .route("/account/revoke", axum::routing::post(account::revoke))
        .route(
            "/account/sign-in",
            get(account::show_sign_in).post(account::sign_in),
        )
        .route(
            "/account/sign-up",
            get(account::show_sign_up).post(account::sign_up),
        )
        .route(
            "/account/reset",
            get(account::show_reset).post(account::reset),
        )
        .route(
            "/account/password",
            get(account::show_password).post(account::password),
        )
}

async fn home(State(house): State<Arc<House>>, request: HttpRequest) -> Response {
    match &house.dev {
        Some(dev) => {
            let headers = request.headers();
            if !crate::dev::is_local(headers) {
                return not_found(&house, &request);
            }
            let lang = lang_of(&house, &request);
            html(StatusCode::OK, dev.start(&house, lang).render(), Guard::OWN)
        }
        None => go("/account"),
    }
}

/// What a page may load and be loaded by.
#[derive(Clone, Copy)]
pub(crate) struct Guard<'a> {
    /// Forms stay here. Pages that lead on to a client leave it out: browsers apply it to every
    /// hop after a form, and where a client sends its user afterwards is not ours to know.
    forms_stay: bool,
    /// Who may frame the page; nobody when empty.
    frames: &'a str,
    /// Styles from `data:` addresses are wanted.
    data_styles: bool,
    /// The page can be installed as an app.
    installs: bool,
}

impl Guard<'_> {
    /// A page whose forms stay here.
    pub(crate) const OWN: Self = Self {
        forms_stay: true,
        frames: "",
        data_styles: false,
        installs: false,
    };
    /// A page of the sandbox that its script keeps alive.
    pub(crate) const ALIVE: Self = Self {
        installs: true,
        ..Self::OWN
    };
    /// A page that leads on to a client.
    pub(crate) const LEADS_ON: Self = Self {
        forms_stay: false,
        frames: "",
        data_styles: false,
        installs: false,
    };
}

/// A page with the headers that all pages carry.
pub(crate) fn html(status: StatusCode, page: String, guard: Guard<'_>) -> Response {
    let mut policy = String::from(
        "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
         base-uri 'none'; style-src 'self'",
    );
    if guard.data_styles {
        policy.push_str(" data:");
    }
    if guard.installs {
        policy.push_str("; manifest-src 'self'");
    }
    if guard.forms_stay {
        policy.push_str("; form-action 'self'");
    }
    policy.push_str("; frame-ancestors ");
    policy.push_str(if guard.frames.is_empty() {
        "'none'"
    } else {
        guard.frames
    });
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let mut put = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    put(header::CONTENT_TYPE, "text/html; charset=utf-8");
    put(header::CONTENT_SECURITY_POLICY, &policy);
    put(header::CACHE_CONTROL, "no-store");
    put(header::REFERRER_POLICY, "no-referrer");
    put(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if guard.frames.is_empty() {
        put(header::X_FRAME_OPTIONS, "DENY");
    }
    response
}

/// Sends the browser on with 303: never again with the form it may have sent (RFC 9700 §4.12).
pub(crate) fn go(address: &str) -> Response {
    redirect(StatusCode::SEE_OTHER, address)
}

fn redirect(status: StatusCode, address: &str) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    match HeaderValue::try_from(address) {
        Ok(address) => {
            headers.insert(header::LOCATION, address);
            *response.status_mut() = status;
        }
        // A checked address is ASCII without control characters, so this is never reached.
        Err(_) => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
    }
    response
}

/// A step of the engine as an answer to a browser at a dialect's door.
pub(crate) fn step(dialect: &Dialect, step: Step) -> Response {
    match step {
        Step::Authenticate(asked) | Step::Consent(asked, _) => {
            go(&format!("/interaction/{}", asked.interaction.expose()))
        }
        Step::Return(authorized) => redirect(StatusCode::FOUND, &(dialect.finish)(&authorized)),
        // A scan is shown by the door itself, and its answer by the interaction's page.
        Step::Scan(_) | Step::ScanAnswered { .. } => go("/"),
    }
}

/// The page that shows a QR code.
pub(crate) fn scan(knock: &Knock<'_>, shown: &ScanShown, look: &ScanLook) -> Response {
    let house = knock.house;
    let lang = if look.english {
        view::Lang::En
    } else {
        knock
            .cookies
            .lang(knock.request.params().get("lang"), &knock.headers)
    };
    let confirm = format!("/connect/confirm?uuid={}", shown.uuid.expose());
    let page = view::Scan {
        lang,
        app: app(&shown.client, None),
        uuid: shown.uuid.expose().to_owned(),
        poll_url: "/connect/l/qrconnect".to_owned(),
        redirect_uri: shown
            .return_path
            .as_ref()
            .map_or("", |path| path.as_str())
            .to_owned(),
        state: shown.state.clone(),
        denial_returns: shown.client.policy.scan_denial_returns,
        self_redirect: match look.self_redirect {
            SelfRedirect::Default => view::SelfRedirect::Default,
            SelfRedirect::Frame => view::SelfRedirect::True,
            SelfRedirect::Top => view::SelfRedirect::False,
        },
        login_type: if look.iframe { "jssdk" } else { "" }.to_owned(),
        style: if look.white {
            view::Ink::White
        } else {
            view::Ink::Black
        },
        stylelite: look.lite,
        href: look.href.clone(),
        framed: look.iframe,
        status: view::ScanState::Waiting,
        seconds_left: u32::try_from(shown.life.as_seconds()).unwrap_or(0),
        renew_href: String::new(),
        dev_confirm: house.dev.as_ref().map(|_| confirm),
    };
    let frames = frame_ancestors(&shown.client);
    let guard = Guard {
        forms_stay: true,
        frames: &frames,
        data_styles: look.href.is_some(),
        installs: false,
    };
    html(StatusCode::OK, page.render(), guard)
}

/// Who may frame a client's QR page: the hosts it registered, nobody else.
fn frame_ancestors(client: &Client) -> String {
    let mut sources = vec!["'self'".to_owned()];
    for rule in &client.redirects {
        match rule {
            RedirectRule::Host(host) => {
                sources.push(format!("https://{host}"));
                sources.push(format!("http://{host}"));
            }
            RedirectRule::Loopback => {
                sources.extend(["http://127.0.0.1:*".into(), "http://localhost:*".into()]);
            }
            RedirectRule::Exact(_) | RedirectRule::Scheme(_) => {}
        }
    }
    sources.join(" ")
}

/// The error page of a refused authorization, with the platform's number and words. The status is
/// the platform's: 200 (`docs/facts/wechat.md` §9).
pub(crate) fn refused(
    dialect: &Dialect,
    refusal: &Refusal,
    door: Door,
    lang: view::Lang,
) -> Response {
    let text = (dialect.page)(refusal, &PageContext { door });
    let page = view::ErrorPage {
        text: text.text,
        source: Some(text.source.to_owned()),
        number: text.number,
        fix: Some(match lang {
            view::Lang::Zh => text.fix_zh,
            view::Lang::En => text.fix_en,
        }),
        ..view::ErrorPage::new(lang, trouble(refusal))
    };
    html(StatusCode::OK, page.render(), Guard::OWN)
}

/// The page of a fault of ours.
pub(crate) fn busy(lang: view::Lang, incident: String) -> Response {
    let page = view::ErrorPage {
        incident: Some(incident),
        ..view::ErrorPage::new(lang, view::Trouble::Busy)
    };
    html(StatusCode::SERVICE_UNAVAILABLE, page.render(), Guard::OWN)
}

/// The page of an address that is none.
pub(crate) fn not_found(house: &House, request: &HttpRequest) -> Response {
    let page = view::ErrorPage::new(lang_of(house, request), view::Trouble::NotFound);
    html(StatusCode::NOT_FOUND, page.render(), Guard::OWN)
}

/// Which words a person reads for a refusal; the developer's words come from the dialect.
fn trouble(refusal: &Refusal) -> view::Trouble {
    use view::Trouble;
    match refusal {
        Refusal::ClientSuspended => Trouble::Closed,
        Refusal::TooFast | Refusal::QuotaSpent | Refusal::TooManyFailures(_) => Trouble::TooOften,
        Refusal::OpenInClient => Trouble::OpenInClient,
        Refusal::InteractionGone | Refusal::WrongBrowser => Trouble::Expired,
        Refusal::FormForged => Trouble::Forged,
        Refusal::UserRestricted => Trouble::Restricted,
        _ => Trouble::App,
    }
}

/// The dialect whose words pages of our own borrow.
pub(crate) fn page_dialect() -> &'static Dialect {
    DIALECTS[0]
}

pub(crate) fn app(client: &Client, developer: Option<&Developer>) -> view::App {
    view::App {
        name: client.name.clone(),
        developer: developer.map(|developer| developer.name.clone()),
        icon: None,
    }
}

/// A picture is shown only from our own address: pages load nothing from third parties.
pub(crate) fn own_picture(house: &House, address: &str) -> Option<String> {
    let own = address.strip_prefix(&house.front.public_url)?;
    own.starts_with('/').then(|| own.to_owned())
}

pub(crate) fn person(house: &House, user: &User) -> view::Person {
    view::Person {
        name: user.profile.nickname.clone(),
        phone: user
            .phone
            .as_ref()
            .map(|phone| phone.masked())
            .unwrap_or_default(),
        avatar: own_picture(house, &user.profile.avatar),
    }
}

fn lang_of(house: &House, request: &HttpRequest) -> view::Lang {
    let by = request.extensions().get::<ByProxy>();
    let cookies = Cookies::read(house, request.headers(), by);
    let params = Request::get("", request.uri().query().unwrap_or("")).params();
    cookies.lang(params.get("lang"), request.headers())
}

/// A request to a page, read: cookies, parameters of address and form, language, caller.
pub(crate) struct Visit {
    pub(crate) house: Arc<House>,
    pub(crate) headers: HeaderMap,
    pub(crate) cookies: Cookies,
    pub(crate) query: yufu_dialects::http::Params,
    pub(crate) form: yufu_dialects::http::Params,
    pub(crate) lang: view::Lang,
    pub(crate) address: String,
    pub(crate) path: String,
    /// The name of the platform's that was asked for, if it was one.
    pub(crate) by: Option<ByProxy>,
    pub(crate) now: yufu_core::time::Timestamp,
    set_cookies: Vec<HeaderValue>,
}

impl Visit {
    /// Reads a request; a body over the limit is a page that says so.
    pub(crate) async fn read(house: Arc<House>, request: HttpRequest) -> Result<Self, Response> {
        let now = house.now_of(request.extensions());
        let (parts, body) = request.into_parts();
        let by = parts.extensions.get::<ByProxy>().copied();
        let mut cookies = Cookies::read(&house, &parts.headers, by.as_ref());
        let raw_query = parts.uri.query().unwrap_or("");
        let query = Request::get(
            "",
            raw_query
                .get(..raw_query.len().min(form::MAX_TARGET))
                .unwrap_or(""),
        )
        .params();
        let asked = query.get("lang").and_then(view::Lang::from_param);
        let lang = cookies.lang(query.get("lang"), &parts.headers);
        let mut set_cookies = Vec::new();
        if let Some(lang) = asked {
            set_cookies.push(session::lang_cookie(lang));
        }
        match cookies.mark_browser(&house) {
            Ok(cookie) => set_cookies.extend(cookie),
            Err(fault) => return Err(busy(lang, fault::log(&house, "page", &fault))),
        }
        let body = match form::body(body).await {
            Ok(body) => body,
            Err(refusal) => return Err(refused(page_dialect(), &refusal, Door::Phone, lang)),
        };
        let form = Request::post("", "", &String::from_utf8_lossy(&body)).params();
        let address = session::address(&house, parts.extensions.get::<Peer>(), &parts.headers);
        Ok(Self {
            path: parts.uri.path().to_owned(),
            by,
            headers: parts.headers,
            house,
            cookies,
            query,
            form,
            lang,
            address,
            now,
            set_cookies,
        })
    }

    /// Adds the cookies that this visit sets.
    pub(crate) fn done(&mut self, mut response: Response) -> Response {
        for cookie in self.set_cookies.drain(..) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }

    pub(crate) fn set_cookie(&mut self, cookie: HeaderValue) {
        self.set_cookies.push(cookie);
    }

    /// Whether the form that was sent is one of ours.
    pub(crate) fn is_ours(&self) -> bool {
        let token = self.form.get("csrf").unwrap_or("");
        session::check_form(&self.house, &self.headers, &self.cookies, token).is_ok()
    }

    /// The token for forms of this visit's page.
    pub(crate) fn csrf(&self) -> String {
        self.house.engine.form_token(&self.cookies.binding())
    }

    /// A field of the form, without the space around it.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.form.get(name).unwrap_or("").trim()
    }

    /// The same address in the other language, with what the page was opened for.
    pub(crate) fn lang_href(&self) -> Option<String> {
        let mut address = format!("{}?lang={}", self.path, self.lang.other().short());
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_');
        for name in ["by", "next"] {
            let value = self.query.get(name).filter(|v| v.chars().all(is_plain));
            if let Some(value) = value {
                address.push_str(&format!("&{name}={value}"));
            }
        }
        Some(address)
    }

    /// The page of a stop.
    pub(crate) fn stopped(&self, stop: yufu_core::refusal::Stop) -> Response {
        match stop {
            yufu_core::refusal::Stop::Refused(refusal) => {
                refused(page_dialect(), &refusal, Door::Phone, self.lang)
            }
            yufu_core::refusal::Stop::Failed(fault) => {
                busy(self.lang, fault::log(&self.house, &self.path, &fault))
            }
        }
    }
}

/// A file that pages load. What is of the sandbox's own pages is there in the sandbox alone.
pub(crate) async fn asset(
    State(house): State<Arc<House>>,
    Path(name): Path<String>,
    request: HttpRequest,
) -> Response {
    let is_shown = house.dev.is_some() || !view::is_of_sandbox(&name);
    served(is_shown.then_some(name.as_str()), &request)
}

/// A file that the pages of the login backend load.
pub(crate) async fn served_asset(Path(name): Path<String>, request: HttpRequest) -> Response {
    let is_shown = !view::is_of_sandbox(&name);
    served(is_shown.then_some(name.as_str()), &request)
}

/// Its address holds its version, so it may be kept for a year.
fn served(name: Option<&str>, request: &HttpRequest) -> Response {
    match name.and_then(view::asset) {
        Some(asset) => file(
            asset,
            "public, max-age=31536000, immutable",
            request.headers(),
        ),
        None => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    }
}

/// The login script at the address where pages look for it; it may change, so it is kept briefly.
pub(crate) async fn wx_login(request: HttpRequest) -> Response {
    match view::asset("wxLogin.js") {
        Some(asset) => file(asset, "public, max-age=300", request.headers()),
        None => Response::new(Body::empty()),
    }
}

fn file(asset: view::Asset, keep: &'static str, headers: &HeaderMap) -> Response {
    let known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|tag| tag == asset.etag);
    let mut response = Response::new(if known {
        Body::empty()
    } else {
        Body::from(asset.bytes)
    });
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(asset.content_type),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    headers.insert(header::ETAG, HeaderValue::from_static(asset.etag));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}
