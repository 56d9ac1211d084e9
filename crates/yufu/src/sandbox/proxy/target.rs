//! Where a request to the proxy leads, read from its first line.

use axum::http::uri::{Authority as Target, Uri};
use axum::http::{HeaderValue, Request, header};

/// Where a tunnel is asked to: a host, and a port, which has to be said.
pub fn end_of_tunnel(uri: &Uri) -> Option<(Target, u16)> {
    let target = uri.authority().filter(|target| !target.host().is_empty())?;
    Some((target.clone(), target.port_u16()?))
}

/// Gives the request the host of its address: that is what counts (RFC 9112 §3.2.2).
pub fn named<B>(mut request: Request<B>, target: &Target) -> Request<B> {
    let host = target.as_str().rsplit('@').next().unwrap_or_default();
    if let Ok(host) = HeaderValue::try_from(host) {
        request.headers_mut().insert(header::HOST, host);
    }
    request
}

/// Whether the platform is behind this port under its names.
pub fn has_platform(target: &Target, scheme: &str) -> bool {
    match target.port_u16() {
        None => target.port().is_none(),
        Some(port) => (port == 443 && scheme == "https") || (port == 80 && scheme == "http"),
    }
}

/// The host of an authority, without its port.
pub fn host_of(authority: &str) -> Option<&str> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port),
        None => (authority, ""),
    };
    port.bytes().all(|b| b.is_ascii_digit()).then_some(host)
}

/// The path and query of an address alone, as a server reads it.
pub fn origin_form(uri: &Uri) -> Uri {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    path.parse().unwrap_or_else(|_| Uri::from_static("/"))
}
