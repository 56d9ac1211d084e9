//! Where a request to the proxy leads: never to us under another name, never past us under ours,
//! and never with a way to say two hosts at once.

use http::uri::Authority;
use http::{Method, Request, Uri, header};

use crate::sandbox::authority::{HOSTS, known};
use crate::sandbox::proxy::target::{end_of_tunnel, has_platform, host_of, named, origin_form};

/// The first line of a request: `CONNECT example.com:443`, `GET http://example.com/`.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let line = text.lines().next().unwrap_or_default();
    let (method, target) = line.split_once(' ').unwrap_or(("CONNECT", line));
    let Ok(method) = Method::from_bytes(method.as_bytes()) else {
        return;
    };
    let Ok(uri) = target.parse::<Uri>() else {
        return;
    };
    if let Some((target, port)) = end_of_tunnel(&uri) {
        assert!(!target.host().is_empty());
        assert_eq!(target.port_u16(), Some(port));
        is_ours_alone(&target);
    }
    let Some(target) = uri.authority().cloned() else {
        return;
    };
    is_ours_alone(&target);
    for (scheme, port) in [("http", 80), ("https", 443)] {
        if has_platform(&target, scheme) {
            assert!(
                target.port_u16().is_none_or(|said| said == port),
                "{target}"
            );
        }
    }
    assert!(!has_platform(&target, "ftp") || target.port().is_none());
    let request = Request::builder().method(method).uri(uri.clone()).body(());
    let request = named(request.expect("a request of its parts"), &target);
    let host = request.headers().get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or("");
    assert!(!host.contains('@'), "{host} tells who asks");
    assert_eq!(
        request.headers().get_all(header::HOST).iter().count(),
        usize::from(!host.is_empty())
    );
    let again: Option<Authority> = host.parse().ok();
    if let Some(again) = again {
        assert_eq!(again.host(), target.host(), "the host is another one");
    }
    let origin = origin_form(&uri);
    assert!(
        origin.authority().is_none() && origin.scheme().is_none(),
        "{origin}"
    );
    if let Some(bare) = host_of(host) {
        assert_eq!(known(bare), known(target.host()), "{host}");
    }
}

/// A name is ours exactly when another reader of addresses takes it for one of ours.
fn is_ours_alone(target: &Authority) {
    let ours = known(target.host());
    if let Some(ours) = ours {
        assert!(HOSTS.contains(&ours));
    }
    let read = url::Url::parse(&format!("https://{}/", target.host()));
    let Some(read) = read.ok().and_then(|url| url.host_str().map(str::to_owned)) else {
        assert!(ours.is_none(), "{target} is no host");
        return;
    };
    let plain = read.strip_suffix('.').unwrap_or(&read);
    // Escapes are read by others; nobody resolves them here.
    if !target.host().contains('%') {
        assert_eq!(
            ours,
            HOSTS.into_iter().find(|host| *host == plain),
            "{target}"
        );
    }
}
