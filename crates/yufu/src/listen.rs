//! The accept loop: every handshake in its own task with a limit of time, so that one silent
//! client stops nobody; and an end that waits for answers under way, but not for ever.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use yufu_web::Peer;

/// An answer with this among its extensions is not given: the connection ends without a byte of it,
/// as if the network had lost it.
#[derive(Clone, Copy, Debug)]
pub struct Cut;

/// Why a connection ended when its answer was [`Cut`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct WasCut;

impl std::fmt::Display for WasCut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the answer was cut off on purpose")
    }
}

impl std::error::Error for WasCut {}

/// How long a handshake, or the head of a request, may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);
/// How long answers under way may take once the server is told to stop.
pub(crate) const DRAIN: Duration = Duration::from_secs(10);
/// Room for the head of a request: our own limit of the request line is lower and says so in the
/// dialect's tongue.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;

/// Binds a listener, with words for what commonly goes wrong.
///
/// # Errors
/// In the user's words, with what to do.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::AddrInUse => format!(
                "{address} is in use.\n  Stop the program that holds it, or take another port (0 takes a free one)."
            ),
            ErrorKind::PermissionDenied => format!(
                "{address} may not be opened.\n  Ports below 1024 need more rights; take a higher one behind a proxy."
            ),
            ErrorKind::AddrNotAvailable => {
                format!("{address} is no address of this machine.\n  Try 127.0.0.1 or 0.0.0.0.")
            }
            _ => format!("{address} cannot be opened: {error}"),
        }
    })
}

/// Reads a certificate chain and its key.
///
/// # Errors
/// In the user's words, naming the file.
pub fn tls(certificate: &Path, key: &Path) -> Result<TlsAcceptor, String> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| format!("{}: {error}", certificate.display()))?;
    if chain.is_empty() {
        return Err(format!(
            "{}: no certificate in this file",
            certificate.display()
        ));
    }
    let private =
        PrivateKeyDer::from_pem_file(key).map_err(|error| format!("{}: {error}", key.display()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| {
            format!(
                "{} and {} do not match: {error}",
                certificate.display(),
                key.display()
            )
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves until told to stop, then lets answers under way finish.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    mut closing: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    while let Some((stream, peer)) = accepted(&listener, &mut closing).await {
        let (router, watcher) = (router.clone(), graceful.watcher());
        match &tls {
            None => {
                // Plain HTTP speaks version 1 only: nobody needs version 2 without TLS, and to
                // guess the version means to wait for bytes without an end.
                tokio::spawn(connection(stream, peer, router, watcher, false));
            }
            Some(acceptor) => {
                let handshake = tokio::time::timeout(PATIENCE, acceptor.accept(stream));
                let mut closing = closing.clone();
                tokio::spawn(async move {
                    // A client that says nothing does not hold the end up.
                    let shaken = tokio::select! {
                        shaken = handshake => shaken,
                        _ = closing.changed() => return,
                    };
                    if let Ok(Ok(stream)) = shaken {
                        let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                        connection(stream, peer, router, watcher, h2).await;
                    }
                });
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some answers were cut off at the end");
    }
}

/// The next connection; `None` when the server is told to stop.
pub(crate) async fn accepted(
    listener: &TcpListener,
    closing: &mut watch::Receiver<bool>,
) -> Option<(TcpStream, SocketAddr)> {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = closing.changed() => return None,
        };
        match accepted {
            Ok((stream, peer)) => {
                let _ = stream.set_nodelay(true);
                return Some((stream, peer));
            }
            Err(error) => {
                // Out of file descriptors, mostly: give others time to finish.
                tracing::warn!(%error, "accept");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Serves one connection to its end.
async fn connection<S>(
    stream: S,
    peer: SocketAddr,
    router: Router,
    watcher: hyper_util::server::graceful::Watcher,
    h2: bool,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        answer(router.clone(), request)
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder = if h2 {
        builder.http2_only()
    } else {
        builder.http1_only()
    };
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PATIENCE)
        .keep_alive_timeout(PATIENCE)
        .max_header_list_size(64 * 1024);
    let connection = builder
        .serve_connection(TokioIo::new(stream), service)
        .into_owned();
    // A client that went away is no news.
    let _ = watcher.watch(connection).await;
}

/// A router's answer, unless it was [`Cut`].
pub(crate) async fn answer<B>(
    router: Router,
    request: hyper::Request<B>,
) -> Result<axum::response::Response, WasCut>
where
    B: hyper::body::Body<Data = axum::body::Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    let Ok(answer) = TowerToHyperService::new(router).call(request).await;
    match answer.extensions().get::<Cut>() {
        Some(Cut) => Err(WasCut),
        None => Ok(answer),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use axum::response::IntoResponse as _;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn an_answer_that_is_cut_is_not_a_byte_long() {
        let router = Router::new()
            .route("/told", get(|| async { "told" }))
            .route(
                "/cut",
                get(|| async {
                    let mut answer = "never told".into_response();
                    answer.extensions_mut().insert(Cut);
                    answer
                }),
            );
        let listener = bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, closing) = watch::channel(false);
        let server = tokio::spawn(serve(listener, None, router, closing));
        let mut stream = TcpStream::connect(address).await.unwrap();
        let ask = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        stream.write_all(ask("/told").as_bytes()).await.unwrap();
        let mut told = [0; 1024];
        let length = stream.read(&mut told).await.unwrap();
        assert!(told[..length].ends_with(b"told"));
        stream.write_all(ask("/cut").as_bytes()).await.unwrap();
        assert_eq!(stream.read(&mut told).await.unwrap(), 0);
        stop.send(true).unwrap();
        server.await.unwrap();
    }
}
