//! HTTP: the door of every dialect endpoint, and the pages that people see.
//!
//! Nothing here decides: the door asks a dialect to read, the engine to judge, and the dialect to
//! write. Pages turn a [`yufu_core::message::Step`] into HTML. This crate never names a store.

pub mod api;
pub mod clock;
pub mod dev;
mod door;
mod fault;
pub mod fetch;
mod form;
pub mod house;
pub mod metrics;
pub mod openapi;
mod pages;
pub mod picture;
mod session;
pub mod view;
mod wait;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum::routing::{any, get};
use yufu_dialects::DIALECTS;

pub use house::{ByProxy, House, Peer};

/// A reply of a dialect as an answer of the door, with what every answer of it carries.
pub fn answer(reply: yufu_dialects::http::Reply) -> Response {
    door::to_response(reply)
}

/// All routes of a house.
pub fn router(house: Arc<House>) -> Router {
    let mut router = Router::new();
    for dialect in DIALECTS {
        for endpoint in dialect.endpoints {
            let handler = move |State(house): State<Arc<House>>, request: Request| async move {
                door::open(&house, dialect, endpoint, request).await
            };
            router = router.route(endpoint.path, any(handler));
        }
    }
    router = pages::routes(router);
    if house.dev.is_some() {
        router = dev::routes(router);
    }
    router
        .route("/assets/{name}", get(pages::asset))
        .route(wx_login_path(), get(pages::wx_login))
        .route("/openapi.json", get(openapi::page))
        .route("/healthz", get(metrics::alive))
        .route("/readyz", get(metrics::ready))
        .route("/metrics", get(metrics::page))
        .fallback(not_found)
        .layer(axum::middleware::map_response_with_state(
            house.clone(),
            strict_transport,
        ))
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(
            fault::panicked,
        ))
        .with_state(house)
}

/// Where pages written for the platform look for the login script (`docs/facts/wechat.md` §1).
const fn wx_login_path() -> &'static str {
    "/connect/zh_CN/htmledition/js/wxLogin.js"
}

/// Where browsers come over TLS, they are told to go on doing so
/// (`docs/facts/wechat.md` §4.2: a year).
async fn strict_transport(State(house): State<Arc<House>>, mut response: Response) -> Response {
    if house.front.is_secure() {
        let year = HeaderValue::from_static("max-age=31536000");
        let headers = response.headers_mut();
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    response
}

async fn not_found(State(house): State<Arc<House>>, request: Request) -> Response {
    pages::not_found(&house, &request)
}
