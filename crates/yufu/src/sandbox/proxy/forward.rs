//! Requests for other hosts that come whole, with the address in the request line: plain HTTP as
//! every proxy gets it, and HTTPS as some libraries send it. They are passed on as they are.

use std::error::Error;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::Response;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::OnceCell;
use yufu_web::Peer;

use super::reach::Reach;
use super::text;
use super::traffic::Traffic;

/// How long a connection is kept for the next request.
const IDLE: Duration = Duration::from_secs(20);
/// How many connections to one host are kept.
const KEPT: usize = 8;

/// Headers that are between two neighbours and no further (RFC 9110 §7.6.1), and what is said to a
/// proxy alone.
const HOP_BY_HOP: [HeaderName; 10] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    // It was answered here, when the body was asked for.
    header::EXPECT,
];

/// Passes requests on.
pub(super) struct Forward {
    near: Clients,
    far: Clients,
    traffic: Arc<Traffic>,
}

/// The clients for those who may reach the same.
struct Clients {
    reach: Reach,
    http: Client<Reach, Body>,
    /// Made when it is wanted: it reads the system's certificates.
    https: OnceCell<Client<HttpsConnector<Reach>, Body>>,
}

impl Clients {
    fn new(reach: Reach) -> Self {
        Self {
            reach,
            http: builder().build(reach),
            https: OnceCell::new(),
        }
    }

    async fn https(&self) -> Result<&Client<HttpsConnector<Reach>, Body>, String> {
        let make = || async {
            let config = tokio::task::spawn_blocking(tls).await;
            let config = config.map_err(|error| error.to_string())??;
            let connector = HttpsConnectorBuilder::new()
                .with_tls_config(config)
                .https_only()
                .enable_http1()
                .wrap_connector(self.reach);
            Ok(builder().build(connector))
        };
        self.https.get_or_try_init(make).await
    }
}

fn builder() -> hyper_util::client::legacy::Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(KEPT);
    builder
}

/// Who is trusted over TLS: the roots of the web and those of this machine, as its own programs
/// would.
fn tls() -> Result<rustls::ClientConfig, String> {
    let mut roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let found = rustls_native_certs::load_native_certs();
    // A certificate that cannot be read is no root; the others are.
    let _ = roots.add_parsable_certificates(found.certs);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

impl Forward {
    pub(super) fn new(own: SocketAddr, traffic: Arc<Traffic>) -> Arc<Self> {
        let clients = |far| Clients::new(Reach { own, far });
        Arc::new(Self {
            near: clients(false),
            far: clients(true),
            traffic,
        })
    }

    /// Passes requests on, as a router, so that others can stand before it.
    pub(super) fn router(self: &Arc<Self>) -> Router {
        Router::new().fallback(pass).with_state(self.clone())
    }

    async fn pass(&self, mut request: Request) -> Response {
        let peer = request.extensions().get::<Peer>();
        let clients = match peer.is_some_and(|peer| peer.0.ip().to_canonical().is_loopback()) {
            true => &self.near,
            false => &self.far,
        };
        let host = request.uri().authority().map(ToString::to_string);
        let host = host.unwrap_or_default();
        strip(request.headers_mut());
        self.traffic.forwarded(&host);
        let answer = match request.uri().scheme_str() {
            Some("https") => match clients.https().await {
                Ok(client) => client.request(request).await,
                Err(words) => return unreached(&host, &words),
            },
            _ => clients.http.request(request).await,
        };
        match answer {
            Ok(answer) => {
                let mut answer = answer.map(Body::new);
                strip(answer.headers_mut());
                answer
            }
            Err(error) => {
                self.traffic.unreached(&host);
                unreached(&host, &causes(&error))
            }
        }
    }
}

async fn pass(State(forward): State<Arc<Forward>>, request: Request) -> Response {
    forward.pass(request).await
}

/// What is said when a host was not reached.
pub(super) fn unreached(host: &str, why: &str) -> Response {
    let words = format!("yufu: {host} was not reached: {why}.\n");
    text(StatusCode::BAD_GATEWAY, words)
}

/// What caused an error, outermost left out: that one says only that there is one.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    for cause in causes {
        let said = cause.to_string();
        if !text.contains(&said) {
            let separator = if text.is_empty() { "" } else { ": " };
            let _ = write!(text, "{separator}{said}");
        }
    }
    if text.is_empty() {
        text = error.to_string();
    }
    text
}

/// Takes away what is not to be passed on.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_between_neighbours_is_not_passed_on() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", "example.com"),
            ("connection", "keep-alive, X-Mine"),
            ("connection", "close"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authorization", "Basic eA=="),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("x-mine", "1"),
            ("x-yours", "2"),
            ("cookie", "a=b"),
        ] {
            headers.append(name, value.parse().unwrap());
        }
        strip(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["cookie", "host", "x-yours"]);
    }
}
