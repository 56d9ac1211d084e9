//! What the doors and pages share: the engine, the clock, and how the house is reached.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::Extensions;
use yufu_core::engine::Engine;
use yufu_core::time::Timestamp;

use crate::clock::{Clock, Turned};
use crate::dev::Dev;
use crate::metrics::Metrics;
use crate::wait::Waiters;

/// Everything a handler needs.
pub struct House {
    /// The rules.
    pub engine: Arc<Engine>,
    /// The time.
    pub clock: Arc<Clock>,
    /// How the house is reached and what it is careful about.
    pub front: Front,
    /// What only the development server shows.
    pub dev: Option<Dev>,
    /// What is counted.
    pub metrics: Metrics,
    pub(crate) waiters: Waiters,
    closing: AtomicBool,
}

/// How a house is reached.
#[derive(Clone, Debug)]
pub struct Front {
    /// Its public address without a trailing slash, such as `https://login.example.com`.
    pub public_url: String,
    /// The port in cookie names over plain http: 127.0.0.1 shares its cookies between ports.
    pub port: u16,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// A second name of this server, below the public host, at which scans are polled too; empty
    /// for none.
    pub poll_host: String,
    /// In-client pages open only for browsers whose User-Agent holds this; empty for all.
    pub in_client_agent: String,
    /// `/metrics` answers everybody, not only this machine.
    pub public_metrics: bool,
}

/// The address of the other end of a connection, put into each request by the accept loop.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// A request that came under one of the platform's own names, by way of the sandbox's proxy: put
/// into each such request by the accept loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByProxy {
    /// The name, without a port.
    pub host: &'static str,
    /// `http` or `https`.
    pub scheme: &'static str,
}

impl Front {
    /// Whether browsers come over TLS.
    pub fn is_secure(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// Whether the browser of a request came over TLS.
    pub(crate) fn is_secure_by(&self, by: Option<&ByProxy>) -> bool {
        by.map_or(self.is_secure(), |by| by.scheme == "https")
    }

    /// The address that others are told for what is behind this house: the platform's own where a
    /// request came by that.
    pub(crate) fn told(&self, by: Option<&ByProxy>, host: &str) -> String {
        match by {
            Some(_) => format!("https://{host}"),
            None => self.public_url.clone(),
        }
    }

    /// The host of the public address, without its port.
    pub fn host(&self) -> &str {
        let rest = self
            .public_url
            .split_once("://")
            .map_or("", |(_, rest)| rest);
        rest.split(['/', ':']).next().unwrap_or("")
    }
}

impl House {
    /// A house around an engine.
    pub fn new(engine: Arc<Engine>, clock: Arc<Clock>, front: Front, dev: Option<Dev>) -> Self {
        Self {
            engine,
            clock,
            front,
            dev,
            metrics: Metrics::default(),
            waiters: Waiters::default(),
            closing: AtomicBool::new(false),
        }
    }

    /// Lets every waiting poll answer now and no new one wait: the server is about to stop.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        self.waiters.wake_all();
    }

    /// Lets those who poll a scan look at it now: it was answered by other means than a page.
    pub fn wake_scan(&self, scan: yufu_core::id::Number) {
        self.waiters.wake(scan);
    }

    /// The time at which a request is judged: the house's, unless the sandbox turned this one.
    pub(crate) fn now_of(&self, extensions: &Extensions) -> Timestamp {
        self.clock.now().plus(Turned::of(extensions))
    }

    /// Lets everybody who waits look again: the clock was turned.
    pub fn wake_all(&self) {
        self.waiters.wake_all();
    }

    /// Whether the server is about to stop.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }
}
