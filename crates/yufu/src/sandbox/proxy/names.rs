//! Being the platform under its own names: over TLS with our certificate, or without.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use yufu_web::{ByProxy, Peer};

use super::target::host_of;
use super::text;
use super::traffic::{HandshakeFault, Traffic};
use crate::listen::{self, DRAIN, HEAD_BYTES, PATIENCE, WasCut};
use crate::sandbox::authority;

/// How long a connection may be idle, or the head of a request may take. Longer than programs
/// commonly keep a connection: a request into one that just ended fails.
pub(super) const IDLE: Duration = Duration::from_secs(75);

/// Answers under the platform's names.
pub(super) struct Names {
    router: Router,
    tls: Arc<ServerConfig>,
    traffic: Arc<Traffic>,
    closing: watch::Receiver<bool>,
}

impl Names {
    pub(super) fn new(
        router: Router,
        tls: Arc<ServerConfig>,
        traffic: Arc<Traffic>,
        closing: watch::Receiver<bool>,
    ) -> Self {
        Self {
            router,
            tls,
            traffic,
            closing,
        }
    }

    /// Shakes hands, and answers what is asked. `asked` is the name that a tunnel was opened to.
    pub(super) async fn over_tls<S>(&self, stream: S, peer: SocketAddr, asked: &str)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut closing = self.closing.clone();
        let mut asked = asked.to_owned();
        let handshake = tokio::time::timeout(PATIENCE, self.shake(stream, &mut asked));
        let shaken = tokio::select! {
            shaken = handshake => shaken.unwrap_or(Err(HandshakeFault::Slow)),
            _ = closing.changed() => return,
        };
        let stream = match shaken {
            Ok(stream) => stream,
            Err(why) => return self.traffic.failed(&asked, why),
        };
        let named = stream.get_ref().1.server_name();
        let Some(host) = named.and_then(authority::known) else {
            return self.traffic.failed(&asked, HandshakeFault::Nameless);
        };
        self.traffic.shaken();
        let by = ByProxy {
            host,
            scheme: "https",
        };
        if !self.converse(stream, peer, by).await {
            self.traffic.left(host);
        }
    }

    /// In two steps: who goes away after the first has not seen our certificate, who goes away after
    /// the second has.
    async fn shake<S>(&self, stream: S, asked: &mut String) -> Result<TlsStream<S>, HandshakeFault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await;
        let hello = hello.map_err(|error| HandshakeFault::of(&error))?;
        let named = hello.client_hello().server_name().map(str::to_owned);
        if asked.is_empty() {
            *asked = named.unwrap_or_default();
        }
        let shaken = hello.into_stream(self.tls.clone()).await;
        shaken.map_err(|error| match HandshakeFault::of(&error) {
            HandshakeFault::Gone => HandshakeFault::Left,
            why => why,
        })
    }

    /// Answers what is asked without TLS.
    pub(super) async fn plain<S>(&self, stream: S, peer: SocketAddr, host: &'static str)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let scheme = "http";
        self.converse(stream, peer, ByProxy { host, scheme }).await;
    }

    /// Whether anything was asked.
    async fn converse<S>(&self, stream: S, peer: SocketAddr, by: ByProxy) -> bool
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let asked = AtomicBool::new(false);
        let answer = |request: Request<Incoming>| {
            asked.store(true, Ordering::Relaxed);
            self.answer(request, peer, by)
        };
        hold(stream, answer, self.closing.clone()).await;
        asked.load(Ordering::Relaxed)
    }

    /// Answers one request. The host that it names must be one of the platform's, whatever the
    /// connection was made for: else a page of another site could be answered here.
    pub(super) async fn answer(
        &self,
        mut request: Request<Incoming>,
        peer: SocketAddr,
        by: ByProxy,
    ) -> Result<Response, WasCut> {
        let named = request.headers().get(header::HOST);
        let host = match named.map(HeaderValue::to_str) {
            None => Some(by.host),
            Some(named) => named.ok().and_then(host_of).and_then(authority::known),
        };
        let Some(host) = host else {
            let words = format!(
                "yufu: this connection is to {}; its requests must be for that host.\n",
                by.host
            );
            return Ok(text(StatusCode::MISDIRECTED_REQUEST, words));
        };
        if named.is_none() {
            let value = HeaderValue::from_static(host);
            request.headers_mut().insert(header::HOST, value);
        }
        // Said to a proxy, not to the platform.
        for name in ["proxy-connection", "proxy-authorization"] {
            request.headers_mut().remove(name);
        }
        self.traffic.asked(host);
        let extensions = request.extensions_mut();
        extensions.insert(Peer(peer));
        extensions.insert(ByProxy { host, ..by });
        listen::answer(self.router.clone(), request).await
    }
}

/// Serves a connection to its end; when the server is told to stop, lets the answer under way finish.
pub(super) async fn hold<S, A, F>(stream: S, answer: A, mut closing: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = Result<Response, WasCut>>,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service_fn(answer))
        .with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        // A caller that went away is no news.
        _ = &mut connection => return,
        _ = closing.changed() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(DRAIN, connection).await;
}
