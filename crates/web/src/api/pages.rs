//! The pages of a house without pages of its own.

use std::sync::Arc;

use axum::extract::Request as HttpRequest;
use axum::http::StatusCode;
use axum::response::Response;

use super::{LoginHouse, plain};

pub(crate) async fn login(_: Arc<LoginHouse>, _: HttpRequest) -> Response {
    plain(StatusCode::NOT_FOUND, "text/plain", String::new())
}

pub(crate) async fn bind(_: Arc<LoginHouse>, _: HttpRequest) -> Response {
    plain(StatusCode::NOT_FOUND, "text/plain", String::new())
}
