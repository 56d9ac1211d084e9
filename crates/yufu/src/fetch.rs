//! The one client that calls other servers: upstreams, SMS gateways, webhooks.
//!
//! It goes where it is sent and nowhere else: no redirects, no cookies, no proxy out of the
//! environment, no roots but those that are compiled in or named in the configuration. It speaks
//! HTTP/1.1 alone: with one request at a time on a connection it is always known whether a request
//! was sent, and login codes are good for one.

mod guard;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, Request, Url};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use yufu_web::fetch::{Fetch, FetchError, Incoming, Outgoing};

use guard::Guard;

/// How long a name, a connection and a handshake may take together, so that there is time left
/// to try again.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a connection is kept for the next request. Less than servers commonly keep theirs: a
/// request into a connection that just ended is one whose fate nobody knows.
const IDLE: Duration = Duration::from_secs(20);
/// How many connections to one host are kept.
const KEPT: usize = 8;

/// What the client may do.
#[derive(Clone, Debug, Default)]
pub struct OutboundOptions {
    /// Hosts, addresses and networks that may be called although they are private, and over
    /// plain http.
    pub allow: Vec<String>,
    /// Whether this machine may be called, as in development.
    pub dev: bool,
    /// A PEM file with further roots to trust.
    pub extra_roots: Option<PathBuf>,
}

/// The client.
pub struct Outbound {
    client: reqwest::Client,
    guard: Arc<Guard>,
}

impl Outbound {
    /// Reads the roots and the allow-list.
    ///
    /// # Errors
    /// In the user's words, naming the file or the entry.
    pub fn new(options: OutboundOptions) -> Result<Self, String> {
        let guard = Arc::new(Guard::new(&options.allow, options.dev)?);
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(options.extra_roots.as_deref())?)
            .dns_resolver(Names(guard.clone()))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .http1_only()
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(KEPT)
            .user_agent(concat!("yufu/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| format!("the client for other servers: {}", causes(&error)))?;
        Ok(Self { client, guard })
    }

    /// The request as the library wants it; `None` when it is none that may be sent.
    fn write(&self, outgoing: Outgoing, sent: &Arc<AtomicBool>) -> Option<Request> {
        let url = Url::parse(outgoing.url.expose()).ok()?;
        if !self.guard.admits(&url) {
            return None;
        }
        let method = match outgoing.method {
            "GET" => Method::GET,
            "POST" => Method::POST,
            _ => return None,
        };
        let mut body = Some(Bytes::from(outgoing.body));
        if method == Method::GET {
            // No body at all: a length of zero would be sent, which servers do not expect here.
            body = body.filter(|body| !body.is_empty());
        }
        let mut request = Request::new(method, url);
        for (name, value) in &outgoing.headers {
            let mut value = HeaderValue::from_str(value.expose()).ok()?;
            value.set_sensitive(true);
            request
                .headers_mut()
                .append(HeaderName::from_bytes(name.as_bytes()).ok()?, value);
        }
        *request.body_mut() = Some(reqwest::Body::wrap(Marked {
            body,
            sent: sent.clone(),
        }));
        Some(request)
    }

    async fn send(&self, request: Request, most: usize) -> Result<Incoming, Trouble> {
        let mut response = self.client.execute(request).await?;
        let told = response.content_length().unwrap_or(0);
        if usize::try_from(told).is_ok_and(|told| told > most) {
            return Err(Trouble::TooLarge);
        }
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await? {
            if body.len() + piece.len() > most {
                return Err(Trouble::TooLarge);
            }
            body.extend_from_slice(&piece);
        }
        Ok(Incoming {
            status: response.status().as_u16(),
            body,
        })
    }
}

#[async_trait]
impl Fetch for Outbound {
    async fn fetch(&self, request: Outgoing) -> Result<Incoming, FetchError> {
        let (most, patience) = (request.most, request.patience);
        let sent = Arc::new(AtomicBool::new(false));
        let Some(request) = self.write(request, &sent) else {
            tracing::info!("an address or header that is not called with");
            return Err(FetchError::Forbidden);
        };
        let host = request.url().host_str().unwrap_or_default().to_owned();
        let answer = tokio::time::timeout(patience, self.send(request, most)).await;
        let (error, cause) = match answer {
            Ok(Ok(incoming)) => return Ok(incoming),
            Ok(Err(Trouble::TooLarge)) => (FetchError::TooLarge, String::new()),
            Ok(Err(Trouble::Library(error))) => (judge(&error, &sent), causes(&error)),
            Err(_) => (lost(&sent), "no answer in time".to_owned()),
        };
        tracing::info!(host, ?error, cause, "another server");
        Err(error)
    }
}

enum Trouble {
    TooLarge,
    Library(reqwest::Error),
}

impl From<reqwest::Error> for Trouble {
    fn from(error: reqwest::Error) -> Self {
        Self::Library(error)
    }
}

fn judge(error: &reqwest::Error, sent: &AtomicBool) -> FetchError {
    if chain(error).any(|cause| cause.is::<Refused>()) {
        FetchError::Forbidden
    } else {
        lost(sent)
    }
}

fn lost(sent: &AtomicBool) -> FetchError {
    if sent.load(Ordering::Acquire) {
        FetchError::Lost
    } else {
        FetchError::Unreachable
    }
}

/// An error and what caused it.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// What caused an error, for logs. The error itself is left out: it prints the whole address, and
/// addresses bear secrets.
fn causes(error: &reqwest::Error) -> String {
    let mut text = String::new();
    for cause in chain(error).skip(1) {
        let separator = if text.is_empty() { "" } else { ": " };
        let _ = write!(text, "{separator}{cause}");
    }
    text
}

/// The body of a request, which tells when the request is about to be written into a connection:
/// until then nothing of it was sent, whatever goes wrong. The library asks a body whether it is
/// at its end at that moment and not before, so that it can write the head.
struct Marked {
    body: Option<Bytes>,
    sent: Arc<AtomicBool>,
}

impl Body for Marked {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.sent.store(true, Ordering::Release);
        Poll::Ready(self.body.take().map(|body| Ok(Frame::data(body))))
    }

    fn is_end_stream(&self) -> bool {
        self.sent.store(true, Ordering::Release);
        self.body.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let length = self.body.as_ref().map_or(0, Bytes::len);
        SizeHint::with_exact(length as u64)
    }
}

/// Resolves names, and leaves out the addresses that may not be called: here and not before,
/// for a name may lead elsewhere each time it is asked (DNS rebinding).
struct Names(Arc<Guard>);

/// All addresses of a name are private ones.
#[derive(Debug)]
struct Refused;

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the name leads to addresses that may not be called")
    }
}

impl Error for Refused {}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let trusted = guard.knows(name.as_str());
            let allowed: Vec<SocketAddr> = found
                .filter(|address| trusted || guard.allows(address.ip()))
                .collect();
            if allowed.is_empty() {
                return Err(Refused.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Who is trusted over TLS: the roots of the web, compiled in, and those of a file. The machine's
/// own store is not asked; it differs from place to place, and in small containers it is empty.
pub(crate) fn tls(extra: Option<&Path>) -> Result<rustls::ClientConfig, String> {
    let mut roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(file) = extra {
        let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
        let before = roots.len();
        let found = CertificateDer::pem_file_iter(file).map_err(|e| wrong(&e))?;
        for root in found {
            let added = roots.add(root.map_err(|e| wrong(&e))?);
            added.map_err(|e| wrong(&e))?;
        }
        if roots.len() == before {
            return Err(wrong(&"no certificate in this file"));
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}
