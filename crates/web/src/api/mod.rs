//! The login API: what an app and an app's own backend call, and the upstreams that it logs people
//! in with.
//!
//! A handler holds no rule: it reads, calls the engine, and writes. Everything that is the same for
//! all of them stands here once, made from the [`table`].

mod account;
mod cookies;
mod document;
mod envelope;
mod exchange;
mod flow;
mod hooks;
mod house;
mod pages;
mod phone;
pub mod ports;
mod read;
mod session;
pub mod sms;
pub mod table;
mod text;
pub mod upstream;
mod wechat;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request as HttpRequest, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::any;
use serde_json::{Map, Value};
use yufu_core::login::{LoginRefusal, LoginStop};
use yufu_core::refusal::Fault;

pub use document::{catalogue, document, text as document_text};
pub use envelope::{Statuses, status};
pub use house::{Arrivals, LoginFront, LoginHouse, LoginPorts, ReceiptKind, Service};
pub use read::try_body;
pub use text::message;

use crate::house::Peer;
use crate::view::Lang;
use crate::{clock, fault, metrics as counted, pages as shown};
use envelope::Letter;
use read::{Ask, Caller};
use table::{Endpoint, Handler, Verb};

/// What a call comes to.
pub(crate) type Said = Result<Good, LoginStop>;

/// A good answer.
#[derive(Default)]
pub(crate) struct Good {
    data: Map<String, Value>,
    cookies: Vec<HeaderValue>,
}

impl Good {
    /// With this data; anything but an object is none.
    pub(crate) fn data(value: Value) -> Self {
        let data = match value {
            Value::Object(data) => data,
            _ => Map::new(),
        };
        Self {
            data,
            cookies: Vec::new(),
        }
    }

    pub(crate) fn cookie(mut self, cookie: HeaderValue) -> Self {
        self.cookies.push(cookie);
        self
    }
}

/// All routes of the login API.
pub fn login_router(house: Arc<LoginHouse>) -> Router {
    let mut router = Router::new();
    let mut paths: Vec<(&'static str, Vec<&'static Endpoint>)> = Vec::new();
    for endpoint in table::ENDPOINTS {
        match paths.iter_mut().find(|(path, _)| *path == endpoint.path) {
            Some((_, here)) => here.push(endpoint),
            None => paths.push((endpoint.path, vec![endpoint])),
        }
    }
    for (path, here) in paths {
        let here: Arc<[&'static Endpoint]> = here.into();
        let handler = move |State(house): State<Arc<LoginHouse>>, request: HttpRequest| {
            let here = here.clone();
            async move { open(house, &here, request).await }
        };
        router = router.route(path, any(handler));
    }
    router
        .route("/assets/{name}", any(shown::served_asset))
        .fallback(nowhere)
        .layer(axum::middleware::map_response_with_state(
            house.clone(),
            strict_transport,
        ))
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(
            fault::panicked,
        ))
        .with_state(house)
}

/// Where browsers come over TLS, they are told to go on doing so: for a year.
async fn strict_transport(
    State(house): State<Arc<LoginHouse>>,
    mut response: Response,
) -> Response {
    if house.front.is_secure() {
        let year = HeaderValue::from_static("max-age=31536000");
        response
            .headers_mut()
            .insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    response
}

/// Opens the door at a path to a request.
async fn open(
    house: Arc<LoginHouse>,
    here: &[&'static Endpoint],
    request: HttpRequest,
) -> Response {
    let caller = Caller::read(
        &house,
        request.headers(),
        request.extensions().get::<Peer>(),
    );
    let origin = caller.origin.clone();
    let mut response = if is_preflight(&request) {
        preflight(here)
    } else {
        answer(&house, here, caller, request).await
    };
    share(&house.front, origin.as_deref(), response.headers_mut());
    response
}

async fn answer(
    house: &Arc<LoginHouse>,
    here: &[&'static Endpoint],
    caller: Caller,
    request: HttpRequest,
) -> Response {
    let verb = match *request.method() {
        Method::GET | Method::HEAD => Some(Verb::Get),
        Method::POST => Some(Verb::Post),
        Method::DELETE => Some(Verb::Delete),
        _ => None,
    };
    let found = here
        .iter()
        .copied()
        .find(|endpoint| Some(endpoint.verb) == verb);
    // A HEAD that spent a code would keep its answer to itself.
    let mute = *request.method() == Method::HEAD;
    let found = found.filter(|endpoint| !(mute && endpoint.answers == table::Answers::Page));
    let Some(endpoint) = found else {
        let mut response = misplaced(&caller, "method", StatusCode::METHOD_NOT_ALLOWED);
        response.headers_mut().insert(header::ALLOW, allowed(here));
        return response;
    };
    let call = match endpoint.handler {
        Handler::Own(own) => return own(house.clone(), request).await,
        Handler::Call(call) => call,
    };
    let began = clock::mark();
    let (request_id, lang) = (caller.request_id.clone(), caller.lang);
    let (parts, body) = request.into_parts();
    let said = match Ask::read(house.clone(), endpoint, caller, &parts, body).await {
        // A caller who hangs up does not stop what has begun: half of it may be done.
        Ok(ask) => match house.run(call(ask)).await {
            Ok(said) => said,
            Err(_) => Err(Fault::new("a handler panicked").into()),
        },
        Err(stop) => Err(stop),
    };
    house.metrics.took(began.elapsed().as_secs_f64());
    written(house, endpoint, said, &request_id, lang)
}

/// Writes what a call came to, and counts it.
fn written(
    house: &LoginHouse,
    endpoint: &Endpoint,
    said: Said,
    request_id: &str,
    lang: Lang,
) -> Response {
    let statuses = house.front.statuses;
    let (letter, cookies) = match said {
        Ok(good) => {
            house.metrics.answer(endpoint.path, "ok");
            (Letter::fine(good.data, lang), good.cookies)
        }
        Err(LoginStop::Refused(refusal)) => {
            house.metrics.answer(endpoint.path, refusal.name());
            (Letter::refused(&refusal, lang, statuses), Vec::new())
        }
        Err(LoginStop::Failed(fault)) => {
            house.metrics.answer(endpoint.path, "fault");
            let incident = fault::note(&house.engine, &house.metrics, endpoint.path, &fault);
            (Letter::failed(&incident, lang, statuses), Vec::new())
        }
    };
    let mut response = letter.write(request_id, lang);
    if response.status() == StatusCode::UNAUTHORIZED {
        let scheme = match endpoint.auth {
            table::Auth::Service => "Basic realm=\"yufu\"",
            _ => "Bearer",
        };
        let scheme = HeaderValue::from_static(scheme);
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, scheme);
    }
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// A call that is none: the status tells it in both modes, for nothing of the API was reached.
fn misplaced(caller: &Caller, field: &'static str, status: StatusCode) -> Response {
    let refusal = LoginRefusal::BadRequest { field };
    let letter = Letter {
        status,
        ..Letter::refused(&refusal, caller.lang, Statuses::Strict)
    };
    letter.write(&caller.request_id, caller.lang)
}

async fn nowhere(State(house): State<Arc<LoginHouse>>, request: HttpRequest) -> Response {
    let caller = Caller::read(
        &house,
        request.headers(),
        request.extensions().get::<Peer>(),
    );
    let mut response = misplaced(&caller, "path", StatusCode::NOT_FOUND);
    share(
        &house.front,
        caller.origin.as_deref(),
        response.headers_mut(),
    );
    response
}

// --- other origins ------------------------------------------------------------------------------

fn is_preflight(request: &HttpRequest) -> bool {
    let has = |name| request.headers().contains_key(name);
    *request.method() == Method::OPTIONS
        && has(header::ORIGIN)
        && has(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight(here: &[&'static Endpoint]) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    let fixed = HeaderValue::from_static;
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allowed(here));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        fixed("authorization, content-type, idempotency-key, x-yufu-device"),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, fixed("600"));
    response
}

fn allowed(here: &[&'static Endpoint]) -> HeaderValue {
    let words: Vec<_> = here.iter().map(|endpoint| endpoint.verb.word()).collect();
    HeaderValue::try_from(words.join(", ")).unwrap_or_else(|_| HeaderValue::from_static("GET"))
}

/// Lets pages of registered origins read the answer, with their users' cookies; nobody else.
fn share(front: &LoginFront, origin: Option<&str>, headers: &mut HeaderMap) {
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    let known = origin.filter(|origin| front.origins.iter().any(|known| known == origin));
    let value = known.and_then(|origin| HeaderValue::try_from(origin).ok());
    let fixed = HeaderValue::from_static;
    match value {
        Some(origin) => {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, fixed("true"));
            let names = fixed("retry-after, x-request-id");
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, names);
        }
        None => {
            for name in [
                header::ACCESS_CONTROL_ALLOW_METHODS,
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                header::ACCESS_CONTROL_MAX_AGE,
            ] {
                headers.remove(name);
            }
        }
    }
}

// --- the house ----------------------------------------------------------------------------------

pub(crate) async fn alive(_: Arc<LoginHouse>, _: HttpRequest) -> Response {
    plain(
        StatusCode::OK,
        "text/plain; charset=utf-8",
        "ok\n".to_owned(),
    )
}

pub(crate) async fn ready(house: Arc<LoginHouse>, _: HttpRequest) -> Response {
    let (status, word) = if house.is_closing() {
        (StatusCode::SERVICE_UNAVAILABLE, "closing\n")
    } else {
        match house.engine.browse().users(1).await {
            Ok(_) => (StatusCode::OK, "ok\n"),
            Err(fault) => {
                fault::note(&house.engine, &house.metrics, "readyz", &fault);
                (StatusCode::SERVICE_UNAVAILABLE, "store\n")
            }
        }
    };
    plain(status, "text/plain; charset=utf-8", word.to_owned())
}

pub(crate) async fn metrics(house: Arc<LoginHouse>, request: HttpRequest) -> Response {
    counted::show(&house.metrics, house.front.public_metrics, &request)
}

/// An answer that is no envelope.
pub(crate) fn plain(status: StatusCode, media: &'static str, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let fixed = HeaderValue::from_static;
    headers.insert(header::CONTENT_TYPE, fixed(media));
    headers.insert(header::CACHE_CONTROL, fixed("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, fixed("nosniff"));
    response
}
