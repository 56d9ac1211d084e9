//! A settings file is taken as a whole or refused with all complaints, and what is taken is safe.
//! The reader is the binary's own source; the rest of the binary need not be built for it.

#[expect(dead_code, unused_imports, reason = "the binary uses more of it")]
#[path = "../../crates/yufu/src"]
mod binary {
    pub(super) mod config;
}

use std::path::Path;

use binary::config as source;
use url::{Host, Url};

/// A key in a wrong form: no complaint may repeat it.
const SECRET: &str = "no-key-but-secret";

/// The text of a settings file.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    // Such settings name files, and what is in them is not ours to know.
    if text.contains("_file") {
        return;
    }
    judge(&text, &|_| None);
    judge(&text, &|name| match name {
        "YUFU_PLATFORM_PUBLIC_URL" => Some("https://login.example.com".to_owned()),
        "YUFU_STORE_PATH" => Some("yufu.db".to_owned()),
        "YUFU_KEYS_MASTER" => Some("07".repeat(32)),
        "YUFU_SMS_DELIVER" => Some("stderr".to_owned()),
        "YUFU_LOGIN_PUBLIC_URL" => Some("https://backend.example.com".to_owned()),
        "YUFU_LOGIN_STORE_PATH" => Some("login.db".to_owned()),
        _ => None,
    });
    judge(&text, &|name| {
        (name == "YUFU_KEYS_MASTER").then(|| SECRET.to_owned())
    });
}

fn judge(text: &str, environment: &dyn Fn(&str) -> Option<String>) {
    match source::read(text, Path::new("nowhere"), environment) {
        Ok(config) => is_safe(&config),
        Err(complaints) => {
            assert!(!complaints.0.is_empty(), "refused without a word");
            for complaint in &complaints.0 {
                assert!(!complaint.trim().is_empty());
                assert!(
                    text.contains(SECRET) || !complaint.contains(SECRET),
                    "{complaint}"
                );
            }
        }
    }
}

fn is_safe(config: &source::Config) {
    assert!(config.platform.is_some() || config.login.is_some());
    assert!(config.keep_events.as_seconds() > 0);
    if let Some(platform) = &config.platform {
        reached(&platform.reach);
        let settings = &platform.settings;
        assert!((0..=120).contains(&settings.poll_hold.as_seconds()));
        assert!(settings.session_idle.as_seconds() > 0 && settings.scan_life.as_seconds() > 0);
        assert!(settings.passcode_attempts > 0);
    }
    if let Some(login) = &config.login {
        reached(&login.reach);
        backend(login);
    }
}

/// Where the world reaches it, in clear only on this machine.
fn reached(reach: &source::Reach) {
    let address = &reach.public_url;
    if address.to_lowercase().contains("xn--") {
        // Whether that is a name in some script is not ours to know.
        return;
    }
    let url = Url::parse(address).expect("a public address that browsers can read");
    let here = is_here(&url);
    assert!(
        url.scheme() == "https" || (url.scheme() == "http" && here),
        "{address}"
    );
    assert!(
        url.has_host() && url.path() == "/" && !address.ends_with('/'),
        "{address}"
    );
    assert!(
        url.query().is_none() && url.fragment().is_none(),
        "{address}"
    );
    assert!(
        url.username().is_empty() && url.password().is_none(),
        "{address}"
    );
}

fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

fn backend(login: &source::Login) {
    let settings = &login.settings.login;
    assert!(settings.access_life.as_seconds() > 0 && settings.passcode_life.as_seconds() > 0);
    assert!(settings.passcode_attempts > 0 && settings.session_limit > 0);
    assert_eq!(settings.apps.len(), login.upstreams.len());
    assert!(login.phone || login.carrier.is_some() || !login.upstreams.is_empty());
    assert!(!login.phone || !login.gateways.is_empty());
    for (at, upstream) in login.upstreams.iter().enumerate() {
        let app = &upstream.app;
        assert!(is_name(&app.name) && !app.appid.as_str().is_empty());
        assert!(!upstream.secret.expose().is_empty());
        let others = &login.upstreams[..at];
        assert!(
            others
                .iter()
                .all(|other| other.app.name != app.name && other.app.appid != app.appid)
        );
    }
    let here = Url::parse(&login.reach.public_url).is_ok_and(|url| is_here(&url));
    for gateway in &login.gateways {
        assert!(is_name(&gateway.name));
        assert!(here || !matches!(gateway.kind, source::GatewayKind::Console));
        let key = gateway.receipt_key.as_ref();
        assert!(key.is_none_or(|key| is_long(key.expose())));
    }
    for service in &login.services {
        assert!(is_name(&service.name) && is_long(service.secret.expose()));
    }
    for webhook in &login.webhooks {
        assert!(is_name(&webhook.name) && webhook.signing_key().len() >= 24);
    }
}

fn is_name(name: &str) -> bool {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !name.is_empty() && name.len() <= 64 && name.bytes().all(letter)
}

fn is_long(secret: &str) -> bool {
    secret.len() >= 24 && !secret.chars().any(char::is_control)
}
