//! Reaching other hosts: where the proxy may go, and how long it tries.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// How long a name and a connection may take together.
const CONNECT: Duration = Duration::from_secs(10);

/// Where the proxy may go on behalf of somebody.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    /// The address of the proxy itself: it does not call itself.
    pub(super) own: SocketAddr,
    /// Whoever asks is not on this machine: what listens for this machine alone is not theirs.
    pub(super) far: bool,
}

/// Why a host was not reached.
#[derive(Debug)]
pub(super) enum Unreached {
    /// It is the proxy itself.
    Itself,
    /// It is on this machine, and whoever asks is not.
    Guarded,
    /// No connection came about.
    Failed(io::Error),
    /// It took too long.
    Slow,
}

impl fmt::Display for Unreached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Itself => f.write_str("that is this proxy itself"),
            Self::Guarded => f.write_str("that is on the machine of the proxy, and not for others"),
            Self::Failed(error) => write!(f, "{error}"),
            Self::Slow => write!(f, "no connection within {} seconds", CONNECT.as_secs()),
        }
    }
}

impl std::error::Error for Unreached {}

impl Reach {
    /// Connects to a host.
    pub(super) async fn connect(self, host: &str, port: u16) -> Result<TcpStream, Unreached> {
        tokio::time::timeout(CONNECT, self.connect_to(host, port))
            .await
            .unwrap_or(Err(Unreached::Slow))
    }

    async fn connect_to(self, host: &str, port: u16) -> Result<TcpStream, Unreached> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in resolve(host, port).await.map_err(Unreached::Failed)? {
            self.admits(address)?;
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(Unreached::Failed(last))
    }

    fn admits(self, address: SocketAddr) -> Result<(), Unreached> {
        let ip = address.ip().to_canonical();
        let own = is_here(ip) || ip == self.own.ip();
        if own && address.port() == self.own.port() {
            Err(Unreached::Itself)
        } else if self.far && (is_here(ip) || is_link_local(ip)) {
            Err(Unreached::Guarded)
        } else {
            Ok(())
        }
    }
}

/// The addresses of a host. A name under `localhost` is this machine whatever a resolver says.
async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = if is_localhost(host) {
        "localhost"
    } else {
        host
    };
    Ok(tokio::net::lookup_host((name, port)).await?.collect())
}

/// Whether a host is this machine.
pub(super) async fn is_this_machine(host: &str) -> bool {
    let found = resolve(host, 0).await.unwrap_or_default();
    found
        .first()
        .is_some_and(|at| is_here(at.ip().to_canonical()))
}

fn is_localhost(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

fn is_here(ip: IpAddr) -> bool {
    ip.is_loopback() || ip.is_unspecified()
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

impl tower_service::Service<Uri> for Reach {
    type Response = TokioIo<TcpStream>;
    type Error = Unreached;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Unreached>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Unreached>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let reach = *self;
        Box::pin(async move {
            let port = match uri.scheme_str() {
                Some("https") => 443,
                _ => 80,
            };
            let port = uri.port_u16().unwrap_or(port);
            let stream = reach.connect(uri.host().unwrap_or_default(), port).await?;
            Ok(TokioIo::new(stream))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proxy_does_not_call_itself() {
        let own = "127.0.0.1:8425".parse().unwrap();
        let reach = Reach { own, far: false };
        for address in [
            "127.0.0.1:8425",
            "127.1.2.3:8425",
            "0.0.0.0:8425",
            "[::1]:8425",
            "[::ffff:127.0.0.1]:8425",
        ] {
            let refused = reach.admits(address.parse().unwrap());
            assert!(matches!(refused, Err(Unreached::Itself)), "{address}");
        }
        for address in ["127.0.0.1:8420", "203.0.113.7:8425", "192.168.1.7:443"] {
            assert!(reach.admits(address.parse().unwrap()).is_ok(), "{address}");
        }
    }

    #[test]
    fn others_do_not_reach_this_machine_through_it() {
        let own = "192.168.1.7:8425".parse().unwrap();
        let reach = Reach { own, far: true };
        for address in [
            "127.0.0.1:8420",
            "[::1]:22",
            "0.0.0.0:80",
            "[::ffff:127.0.0.1]:80",
            "169.254.169.254:80",
            "[fe80::1]:80",
        ] {
            let refused = reach.admits(address.parse().unwrap());
            assert!(matches!(refused, Err(Unreached::Guarded)), "{address}");
        }
        let itself = reach.admits("192.168.1.7:8425".parse().unwrap());
        assert!(matches!(itself, Err(Unreached::Itself)));
        // What listens on the network is theirs already.
        for address in ["203.0.113.7:443", "192.168.1.8:3000", "192.168.1.7:3000"] {
            assert!(reach.admits(address.parse().unwrap()).is_ok(), "{address}");
        }
    }

    #[tokio::test]
    async fn names_of_this_machine_are_known() {
        for host in [
            "127.0.0.1",
            "localhost",
            "LocalHost.",
            "app.localhost",
            "[::1]",
        ] {
            assert!(is_this_machine(host).await, "{host}");
        }
        for host in ["203.0.113.7", "[2001:db8::1]"] {
            assert!(!is_this_machine(host).await, "{host}");
        }
    }
}
