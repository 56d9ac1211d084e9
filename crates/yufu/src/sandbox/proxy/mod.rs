//! The forward proxy and the gate: how programs that call the platform by its own names reach the
//! sandbox.
//!
//! The **proxy** answers the platform's names and tunnels every other host untouched. The **gate**
//! is for those who can be sent to another address but to no proxy: TLS alone, and the name that is
//! asked for decides. Neither ever answers for another host.

mod forward;
mod names;
mod reach;
pub mod target;
#[cfg(test)]
mod tests;
pub mod traffic;

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::uri::Authority as Target;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use yufu_web::{ByProxy, Peer};

use self::forward::{Forward, unreached};
use self::names::{Names, hold};
use self::reach::{Reach, is_this_machine};
use self::target::{end_of_tunnel, has_platform, named, origin_form};
use self::traffic::Traffic;
use crate::listen::{self, DRAIN, WasCut};
use crate::sandbox::authority::{self, Authority, HOSTS};

/// The most connections at a time, the proxy's and the gate's together.
const MOST: usize = 4096;

/// The proxy and the gate.
pub(super) struct Proxy {
    /// Where it listens.
    own: SocketAddr,
    names: Names,
    forward: Router,
    /// The same, for apps on this machine: others look on.
    apps: Router,
    /// Ports of this machine that nobody need look at: those who answer there do it themselves.
    doors: Vec<u16>,
    root: String,
    traffic: Arc<Traffic>,
    room: Arc<Semaphore>,
    closing: watch::Receiver<bool>,
    /// Ends with the last connection.
    _alive: mpsc::Sender<Infallible>,
}

/// What the proxy is made of.
pub(super) struct Parts<'a> {
    /// The platform, with whoever looks on there.
    pub(super) platform: Router,
    /// Where the proxy listens.
    pub(super) own: SocketAddr,
    /// Our own ports on this machine.
    pub(super) doors: Vec<u16>,
    /// Signs for the platform's names.
    pub(super) authority: &'a Arc<Authority>,
    /// Counts.
    pub(super) traffic: Arc<Traffic>,
    /// Said when the server stops.
    pub(super) closing: watch::Receiver<bool>,
}

/// Serves the proxy and the gate until told to stop. Whoever shall look on at what apps on this
/// machine are asked is put before them by `around`.
///
/// # Errors
/// When there is no TLS to be had.
pub(super) fn open(
    parts: Parts<'_>,
    around: impl FnOnce(Router) -> Router,
) -> Result<Doorkeeper, String> {
    let (alive, ended) = mpsc::channel(1);
    let tls = parts.authority.server_config()?;
    let forward = Forward::new(parts.own, parts.traffic.clone());
    let proxy = Proxy {
        own: parts.own,
        names: Names::new(
            parts.platform,
            tls,
            parts.traffic.clone(),
            parts.closing.clone(),
        ),
        forward: forward.router(),
        apps: around(forward.router()),
        doors: parts.doors,
        root: parts.authority.root_pem().to_owned(),
        traffic: parts.traffic,
        room: Arc::new(Semaphore::new(MOST)),
        closing: parts.closing,
        _alive: alive,
    };
    Ok(Doorkeeper {
        proxy: Arc::new(proxy),
        ended,
    })
}

/// Where the proxy listens: on this machine alone, unless that was said twice.
///
/// # Errors
/// In the user's words, with what to do.
pub(super) fn place(asked: Option<IpAddr>, anywhere: bool) -> Result<IpAddr, String> {
    let place = asked.unwrap_or(Ipv4Addr::LOCALHOST.into());
    if place.to_canonical().is_loopback() || anywhere {
        return Ok(place);
    }
    Err(format!(
        "the proxy would listen on {place}, where other machines reach it and could send anything \
         through it, as if it came from here.\n  Leave --proxy-listen out; or add --proxy-anywhere, \
         on a network whose every machine you trust."
    ))
}

/// Lets connections in, and waits for the last of them at the end.
pub(super) struct Doorkeeper {
    proxy: Arc<Proxy>,
    ended: mpsc::Receiver<Infallible>,
}

impl Doorkeeper {
    /// Serves until told to stop, then lets answers under way finish. Tunnels are cut: nobody knows
    /// when they would end.
    pub(super) async fn serve(self, proxy: TcpListener, gate: TcpListener) {
        let Self {
            proxy: keeper,
            mut ended,
        } = self;
        tokio::join!(keeper.take(proxy, false), keeper.take(gate, true));
        drop(keeper);
        if tokio::time::timeout(DRAIN, ended.recv()).await.is_err() {
            tracing::warn!("some connections of the proxy were cut off at the end");
        }
    }
}

impl Proxy {
    async fn take(self: &Arc<Self>, listener: TcpListener, is_gate: bool) {
        let mut closing = self.closing.clone();
        while let Some((stream, peer)) = listen::accepted(&listener, &mut closing).await {
            self.traffic.connected(is_gate);
            let Ok(room) = self.room.clone().try_acquire_owned() else {
                refuse(&stream, is_gate);
                continue;
            };
            let proxy = self.clone();
            tokio::spawn(async move {
                match is_gate {
                    true => proxy.names.over_tls(stream, peer, "").await,
                    false => proxy.hear(stream, peer).await,
                }
                drop(room);
            });
        }
    }

    /// Serves a connection to the proxy.
    async fn hear(self: Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        let closing = self.closing.clone();
        let own = stream.local_addr().unwrap_or(self.own);
        let answer = |request| self.clone().answer(request, peer, own);
        hold(stream, answer, closing).await;
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
        own: SocketAddr,
    ) -> Result<Response, WasCut> {
        if request.method() == Method::CONNECT {
            return Ok(self.connect(request, peer).await);
        }
        let Some(target) = request.uri().authority().cloned() else {
            return Ok(self.own_page(request.uri().path(), own));
        };
        let scheme = match request.uri().scheme_str() {
            Some("http") => "http",
            Some("https") => "https",
            _ => return Ok(text(StatusCode::BAD_REQUEST, NO_SCHEME.to_owned())),
        };
        let request = named(request, &target);
        match authority::known(target.host()) {
            Some(host) if has_platform(&target, scheme) => {
                let (mut parts, body) = request.into_parts();
                parts.uri = origin_form(&parts.uri);
                let request = Request::from_parts(parts, body);
                let by = ByProxy { host, scheme };
                self.names.answer(request, peer, by).await
            }
            Some(host) => Ok(nothing_there(host)),
            None => self.pass_on(request, &target, scheme, peer).await,
        }
    }

    /// Passes a request for another host on.
    async fn pass_on(
        &self,
        mut request: Request<Incoming>,
        target: &Target,
        scheme: &str,
        peer: SocketAddr,
    ) -> Result<Response, WasCut> {
        request.extensions_mut().insert(Peer(peer));
        let is_door = self.doors.contains(&target.port_u16().unwrap_or(80));
        let is_app = scheme == "http" && is_this_machine(target.host()).await && !is_door;
        let router = match is_app {
            true => &self.apps,
            false => &self.forward,
        };
        listen::answer(router.clone(), request).await
    }

    /// Opens a tunnel.
    async fn connect(self: Arc<Self>, request: Request<Incoming>, peer: SocketAddr) -> Response {
        let Some((target, port)) = end_of_tunnel(request.uri()) else {
            return text(StatusCode::BAD_REQUEST, NO_PORT.to_owned());
        };
        let upstream = match (authority::known(target.host()), port) {
            (Some(host), 443 | 80) => {
                self.traffic.tunnelled(host);
                Upstream::Platform(host, port)
            }
            (Some(host), _) => return nothing_there(host),
            (None, _) => {
                let far = !peer.ip().to_canonical().is_loopback();
                let reach = Reach { own: self.own, far };
                match reach.connect(target.host(), port).await {
                    Ok(stream) => {
                        self.traffic.tunnelled_elsewhere(target.as_str());
                        Upstream::Other(stream)
                    }
                    Err(error) => {
                        self.traffic.unreached(target.as_str());
                        return unreached(target.as_str(), &error.to_string());
                    }
                }
            }
        };
        // The connection that asked is over as such when this is said; its place is held on to.
        let room = self.room.clone().try_acquire_owned();
        tokio::spawn(self.tunnel(request, upstream, peer, room.ok()));
        Response::new(Body::empty())
    }

    async fn tunnel(
        self: Arc<Self>,
        request: Request<Incoming>,
        upstream: Upstream,
        peer: SocketAddr,
        _room: Option<OwnedSemaphorePermit>,
    ) {
        let mut closing = self.closing.clone();
        let Ok(upgraded) = hyper::upgrade::on(request).await else {
            return;
        };
        let mut stream = TokioIo::new(upgraded);
        match upstream {
            Upstream::Platform(host, 443) => self.names.over_tls(stream, peer, host).await,
            Upstream::Platform(host, _) => self.names.plain(stream, peer, host).await,
            // Without a limit of idleness: when it is over is for those at its two ends to say.
            Upstream::Other(mut other) => tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut stream, &mut other) => {}
                _ = closing.changed() => {}
            },
        }
    }

    /// What is said to those who open the proxy's own address.
    fn own_page(&self, path: &str, own: SocketAddr) -> Response {
        match path {
            "/" => text(StatusCode::OK, about(own)),
            "/proxy.pac" => typed("application/x-ns-proxy-autoconfig", pac(own)),
            "/ca.pem" => typed("application/x-pem-file", self.root.clone()),
            _ => text(StatusCode::NOT_FOUND, about(own)),
        }
    }
}

/// Where a tunnel leads.
enum Upstream {
    /// To us.
    Platform(&'static str, u16),
    /// To another host.
    Other(TcpStream),
}

const NO_SCHEME: &str = "yufu: only http and https go through this proxy.\n";
const NO_PORT: &str = "yufu: a tunnel needs a host and a port, such as example.com:443.\n";

/// What is said of the platform's names elsewhere than at their ports. It is not passed on: who
/// calls the sandbox does not mean to call the real platform with the same secrets.
fn nothing_there(host: &str) -> Response {
    let words = format!("yufu: {host} answers here on ports 443 (https) and 80 (http) alone.\n");
    text(StatusCode::FORBIDDEN, words)
}

/// Tells somebody for whom there is no room, without waiting for them.
fn refuse(stream: &TcpStream, is_gate: bool) {
    let words = format!(
        "yufu: the proxy holds {MOST} connections already, and takes no more until some end.\n"
    );
    tracing::warn!("{}", words.trim_end());
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{words}",
        words.len()
    );
    // Over TLS nothing can be said before a handshake.
    if !is_gate {
        let _ = stream.try_write(answer.as_bytes());
    }
}

/// A few words as an answer.
fn text(status: StatusCode, words: String) -> Response {
    let mut response = typed("text/plain; charset=utf-8", words);
    *response.status_mut() = status;
    response
}

fn typed(kind: &'static str, words: String) -> Response {
    let mut response = Response::new(Body::from(words));
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn about(own: SocketAddr) -> String {
    let names = HOSTS.map(|host| format!("  {host}\n")).concat();
    format!(
        "This is the proxy of a yufu sandbox. It answers for\n{names}and passes everything else on.\n\n\
         Send a program through it:  yufu run -- COMMAND\n\
         Or by hand:                 HTTPS_PROXY=http://{own}, trusting http://{own}/ca.pem\n\
         For a browser:              yufu open URL, or http://{own}/proxy.pac\n"
    )
}

/// A proxy auto-configuration file: the platform's names by the proxy, the rest directly.
pub fn pac(proxy: SocketAddr) -> String {
    let names = HOSTS.map(|host| format!("  \"{host}\": 1")).join(",\n");
    format!(
        "// The platform's names go to the sandbox, everything else goes where it always went.\n\
         var names = {{\n{names}\n}};\n\
         function FindProxyForURL(url, host) {{\n\
         \x20 host = host.toLowerCase().replace(/\\.$/, \"\");\n\
         \x20 return names[host] === 1 ? \"PROXY {proxy}\" : \"DIRECT\";\n\
         }}\n"
    )
}
