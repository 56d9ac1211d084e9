//! What a redirect rule admits is where a browser would go by that rule, and adding parameters
//! moves nobody elsewhere. The `url` crate reads addresses as browsers do.

use url::{Host, Url};
use yufu_core::redirect::{MAX_REDIRECT_BYTES, RedirectRule, ReturnPath};

/// Three lines: a rule (`host www.example.com`), an address, a state.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.splitn(3, '\n');
    let (kind, value) = match lines.next().unwrap_or_default().split_once(' ') {
        Some((kind, value)) => (kind, value.to_owned()),
        None => ("loopback", String::new()),
    };
    let rule = match kind {
        "host" => RedirectRule::Host(value),
        "exact" => RedirectRule::Exact(value),
        "scheme" => RedirectRule::Scheme(value),
        _ => RedirectRule::Loopback,
    };
    let address = lines.next().unwrap_or_default();
    let state = lines.next().unwrap_or_default();
    let sound = rule.is_sound();
    let Ok(path) = ReturnPath::check(address, std::slice::from_ref(&rule)) else {
        return;
    };
    assert_eq!(path.as_str(), address);
    assert!(address.len() <= MAX_REDIRECT_BYTES && address.starts_with(path.origin()));
    if sound {
        admitted(&rule, address, &path);
    }
    extended(address, &path, state);
}

fn admitted(rule: &RedirectRule, address: &str, path: &ReturnPath) {
    // What cannot be parsed cannot be gone to.
    let Ok(url) = Url::parse(address) else { return };
    let is_web = matches!(url.scheme(), "http" | "https");
    assert_eq!(path.is_custom_scheme(), !is_web, "{address}");
    if is_web {
        assert!(
            url.username().is_empty() && url.password().is_none(),
            "{address}"
        );
        let origin = Url::parse(path.origin()).expect("an origin of a web address");
        assert_eq!(origin.origin(), url.origin(), "{address}");
    }
    match rule {
        RedirectRule::Exact(registered) => assert_eq!(registered, address),
        RedirectRule::Host(host) => {
            assert!(is_web && url.port().is_none(), "{address}");
            let registered = Url::parse(&format!("https://{host}/")).ok();
            let registered = registered.as_ref().and_then(Url::host_str);
            assert_eq!(url.host_str(), registered, "{address}");
        }
        RedirectRule::Loopback => {
            let here = match url.host() {
                Some(Host::Domain(name)) => name == "localhost",
                Some(Host::Ipv4(ip)) => ip.is_loopback(),
                Some(Host::Ipv6(ip)) => ip.is_loopback(),
                None => false,
            };
            assert!(is_web && here, "{address}");
        }
        RedirectRule::Scheme(scheme) => {
            assert!(!is_web, "{address}");
            assert!(url.scheme().eq_ignore_ascii_case(scheme), "{address}");
        }
    }
}

fn extended(address: &str, path: &ReturnPath, state: &str) {
    let parameters = [("code", "011abc"), ("state", state)];
    let text = path.with(&parameters);
    assert!(text.is_ascii(), "{text}");
    let (Ok(before), Ok(after)) = (Url::parse(address), Url::parse(&text)) else {
        assert!(Url::parse(address).is_err(), "{address} became {text}");
        return;
    };
    assert_eq!(before.scheme(), after.scheme(), "{text}");
    assert_eq!(before.host_str(), after.host_str(), "{text}");
    assert_eq!(before.port(), after.port(), "{text}");
    assert_eq!(before.path(), after.path(), "{text}");
    assert_eq!(before.fragment(), after.fragment(), "{text}");
    let added = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let expected: Vec<_> = before.query_pairs().into_owned().chain(added).collect();
    let pairs: Vec<_> = after.query_pairs().into_owned().collect();
    assert_eq!(pairs, expected, "{text}");
}
