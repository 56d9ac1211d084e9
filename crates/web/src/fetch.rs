//! The port to other servers: upstreams, SMS gateways, webhooks. What goes out and what comes in
//! are plain values; the wiring has the one client that sends them.

use std::time::Duration;

use async_trait::async_trait;
use yufu_core::secret::Secret;

/// A request to another server.
#[derive(Clone)]
pub struct Outgoing {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The address; it may hold a secret.
    pub url: Secret,
    /// Names and values of headers; values may be secrets.
    pub headers: Vec<(String, Secret)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// The most bytes of an answer.
    pub most: usize,
    /// How long all of it may take.
    pub patience: Duration,
}

/// An answer, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// The HTTP status.
    pub status: u16,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchError {
    /// The address is none that we call: a private one, or no address at all.
    Forbidden,
    /// Nobody was reached: nothing was sent.
    Unreachable,
    /// It was sent, at least in part, and no whole answer came in time.
    Lost,
    /// The answer is larger than asked for.
    TooLarge,
}

/// Sends requests to other servers: no redirects, no cookies, no private addresses in production.
#[async_trait]
pub trait Fetch: Send + Sync {
    /// Sends a request and reads the whole answer.
    async fn fetch(&self, request: Outgoing) -> Result<Incoming, FetchError>;
}
