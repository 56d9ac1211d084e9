//! What the control answers: JSON, or everything that is wrong with a request at once.

use std::fmt::Display;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use crate::read::Complaints;

/// Why a call was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The HTTP status.
    pub status: StatusCode,
    /// One word for programs.
    pub code: &'static str,
    /// Everything that is wrong.
    pub complaints: Complaints,
}

impl Refused {
    /// The request has mistakes.
    pub fn bad(complaints: Complaints) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code: "request",
            complaints,
        }
    }

    /// The request names something that is not there.
    pub fn missing(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            code: "not_found",
            complaints: Complaints::one("", what, remedy),
        }
    }

    /// Something stands in the way, such as a name that is taken.
    pub fn conflict(at: &str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            status: StatusCode::CONFLICT,
            code: "conflict",
            complaints: Complaints::one(at, what, remedy),
        }
    }

    /// A fault of ours; the log has it.
    pub fn fault(error: impl Display) -> Self {
        tracing::error!(%error, "the control failed");
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            code: "fault",
            complaints: Complaints::one(
                "",
                "something in the sandbox failed",
                "its standard error has the details; try again, or start it anew",
            ),
        }
    }

    /// As an answer.
    pub fn answer(self) -> Response {
        let error = json!({"error": {"code": self.code, "complaints": self.complaints}});
        json_answer(self.status, &error)
    }
}

/// What a call of the control comes to.
pub type Said = Result<Value, Refused>;

/// JSON, never kept by anybody.
pub fn json_answer(status: StatusCode, value: &Value) -> Response {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}
