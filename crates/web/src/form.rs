//! Reading a body within limits.

use axum::body::Body;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use yufu_core::refusal::Refusal;

/// The most bytes of a request line's target.
pub(crate) const MAX_TARGET: usize = 16 * 1024;
/// The most bytes of a body.
pub(crate) const MAX_BODY: usize = 64 * 1024;

/// Reads a body of at most [`MAX_BODY`] bytes.
pub(crate) async fn body(body: Body) -> Result<Vec<u8>, Refusal> {
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(collected) => Ok(collected.to_bytes().to_vec()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge("body")),
        Err(_) => Err(Refusal::Malformed("body")),
    }
}
