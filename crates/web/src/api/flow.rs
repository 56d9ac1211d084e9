//! Browsers: sent to the upstream, taken back from it.

use std::sync::Arc;

use axum::extract::Request as HttpRequest;
use axum::http::StatusCode;
use axum::response::Response;

use super::{LoginHouse, plain};

pub(crate) async fn leave(_: Arc<LoginHouse>, _: HttpRequest) -> Response {
    plain(StatusCode::NOT_FOUND, "text/plain", String::new())
}

pub(crate) async fn back(_: Arc<LoginHouse>, _: HttpRequest) -> Response {
    plain(StatusCode::NOT_FOUND, "text/plain", String::new())
}
