//! A settings file is taken as a whole or refused with all complaints, and what is taken is safe.
//! The reader is the binary's own source; the rest of the binary need not be built for it.

#[expect(dead_code, reason = "the binary uses more of it")]
#[path = "../../crates/yufu/src/config.rs"]
mod source;

use std::path::Path;

use url::{Host, Url};

/// A key in a wrong form: no complaint may repeat it.
const SECRET: &str = "no-key-but-secret";

/// The text of a settings file.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if text.contains("master_file") {
        return;
    }
    judge(&text, &|_| None);
    judge(&text, &|name| match name {
        "YUFU_PLATFORM_PUBLIC_URL" => Some("https://login.example.com".to_owned()),
        "YUFU_STORE_PATH" => Some("yufu.db".to_owned()),
        "YUFU_KEYS_MASTER" => Some("07".repeat(32)),
        "YUFU_SMS_DELIVER" => Some("stderr".to_owned()),
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
    let address = &config.public_url;
    if address.to_lowercase().contains("xn--") {
        // Whether that is a name in some script is not ours to know.
        return;
    }
    let url = Url::parse(address).expect("a public address that browsers can read");
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
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
    let settings = &config.settings;
    assert!((0..=120).contains(&settings.poll_hold.as_seconds()));
    assert!(settings.session_idle.as_seconds() > 0 && settings.scan_life.as_seconds() > 0);
    assert!(settings.passcode_attempts > 0);
    assert!(config.keep_events.as_seconds() > 0);
}
