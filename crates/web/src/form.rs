//! Reading a body within limits.

use std::time::Duration;

use axum::body::Body;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use yufu_core::refusal::Refusal;

/// The most bytes of a request line's target.
pub(crate) const MAX_TARGET: usize = 16 * 1024;
/// The most bytes of a body.
pub(crate) const MAX_BODY: usize = 64 * 1024;
/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(15);

/// Reads a body of at most [`MAX_BODY`] bytes.
pub(crate) async fn body(body: Body) -> Result<Vec<u8>, Refusal> {
    body_within(body, MAX_BODY).await
}

/// Reads a body of at most this many bytes.
pub(crate) async fn body_within(body: Body, most: usize) -> Result<Vec<u8>, Refusal> {
    let whole = Limited::new(body, most).collect();
    match tokio::time::timeout(PATIENCE, whole).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes().to_vec()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge("body")),
        Ok(Err(_)) | Err(_) => Err(Refusal::Malformed("body")),
    }
}
