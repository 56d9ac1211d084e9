//! `yufu.toml`: every setting is defined once, in [`table`]. The reader, the environment
//! overrides, the reference page and the sample file all follow from those tables.
//!
//! All complaints come at once, each with its line and what to do. Unknown keys are refused.
//! A newer binary starts with an older file: every field has a default or says that it is needed.

mod address;
mod document;
mod login;
mod raw;
pub mod table;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use yufu_core::engine::Settings;
use yufu_core::keyring::MasterKey;
use yufu_core::limit::Rate;
use yufu_core::secret::Secret;
use yufu_core::time::Lifetime;

use raw::{Raw, Values};

pub use document::{reference, sample};
pub use login::{Gateway, GatewayKind, Login, Peer, Service, Upstream, Webhook};
pub use raw::{item_variable, variable};

/// A finished configuration. At least one of the two roles is there.
pub struct Config {
    /// The platform.
    pub platform: Option<Platform>,
    /// The login backend.
    pub login: Option<Login>,
    /// Certificate chain and key, for every listener.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// The bound of a database's size in pages.
    pub max_pages: Option<u32>,
    /// Entries of a cache.
    pub cache_entries: usize,
    /// The master key.
    pub master: MasterKey,
    /// The file that the master key came from; `None` when it was given itself.
    pub master_file: Option<PathBuf>,
    /// How long the audit is kept.
    pub keep_events: Lifetime,
}

/// How a role is reached.
#[derive(Clone, Debug)]
pub struct Reach {
    /// The public address, without a trailing slash.
    pub public_url: String,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Believed proxies.
    pub trusted_proxies: Vec<IpAddr>,
    /// Whether `/metrics` is public.
    pub public_metrics: bool,
}

/// The platform's part.
pub struct Platform {
    /// How it is reached.
    pub reach: Reach,
    /// A second name at which scans are polled; empty for none.
    pub poll_host: String,
    /// The mark of in-client browsers.
    pub in_client_agent: String,
    /// The database file.
    pub store_path: PathBuf,
    /// Where passcodes go; `None` for the standard error stream.
    pub sms_file: Option<PathBuf>,
    /// The engine's settings.
    pub settings: Settings,
}

/// What is wrong with a configuration, all at once.
#[derive(Debug, PartialEq, Eq)]
pub struct Complaints(pub Vec<String>);

impl std::fmt::Display for Complaints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

/// Reads a configuration. `environment` answers a variable's value; `folder` is where relative
/// paths start.
///
/// # Errors
/// Everything that is wrong, one line each.
pub fn read(
    text: &str,
    folder: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, Complaints> {
    let mut judge = Judge {
        raw: Raw::read(text, environment),
        folder,
    };
    let config = judge.config();
    match config {
        Some(config) if judge.raw.complaints.is_empty() => Ok(config),
        _ => Err(Complaints(judge.raw.complaints)),
    }
}

/// Says what the values mean, and what is wrong with them.
struct Judge<'a> {
    raw: Raw,
    folder: &'a Path,
}

impl Judge<'_> {
    fn once(&self) -> &Values {
        &self.raw.once
    }

    fn complain(&mut self, path: &str, what: &str) {
        self.raw.complain(path, what);
    }

    fn config(&mut self) -> Option<Config> {
        let has = |judge: &Self, name: &str| judge.raw.has_table(name);
        let (is_platform, is_login) = (has(self, "platform"), has(self, "login"));
        if !is_platform && !is_login {
            let place = "missing: there is neither [platform] nor [login]; write one of them";
            self.raw.complaints.push(place.to_owned());
        }
        self.strays(is_platform, is_login);
        let platform = is_platform.then(|| self.platform());
        let login = is_login.then(|| self.login());
        let master = self.master();
        let tls = self.tls();
        if let (Some(Some(platform)), Some(Some(login))) = (&platform, &login) {
            let same = platform.store_path == login.store_path;
            let both = platform.reach.listen == login.reach.listen;
            if same {
                self.complain("login.store_path", "is the platform's file; give another");
            }
            if both
                && self
                    .listens("login.listen")
                    .is_some_and(|at| at.port() != 0)
            {
                self.complain("login.listen", "is the platform's; give another port");
            }
        }
        let file = self.once().text("keys.master_file");
        Some(Config {
            platform: part(platform)?,
            login: part(login)?,
            tls,
            max_pages: u32::try_from(self.once().number("store.max_pages"))
                .ok()
                .filter(|n| *n > 0),
            cache_entries: self.once().size("store.cache_entries"),
            master: master?,
            master_file: Some(file)
                .filter(|file| !file.is_empty())
                .map(|file| self.folder.join(file)),
            keep_events: Lifetime::days(self.once().number("audit.keep_days")),
        })
    }

    /// Complains about tables of a role that is not there: whoever wrote them believes that they
    /// do something.
    fn strays(&mut self, is_platform: bool, is_login: bool) {
        let groups = table::GROUPS.iter().map(|group| (group.name, "login"));
        let of_login = table::OF_LOGIN.iter().map(|name| (*name, "login"));
        let of_platform = table::OF_PLATFORM.iter().map(|name| (*name, "platform"));
        for (name, role) in groups.chain(of_login).chain(of_platform) {
            let is_there = if role == "login" {
                is_login
            } else {
                is_platform
            };
            if (is_platform || is_login) && !is_there && self.raw.has_table(name) {
                self.raw.complaints.push(format!(
                    "missing: [{role}] is not there, and {name} belongs to it; write [{role}], or take {name} out"
                ));
            }
        }
    }

    fn platform(&mut self) -> Option<Platform> {
        let reach = self.reach(
            "platform.public_url",
            "platform.listen",
            "platform.trusted_proxies",
        );
        let poll_host = self.once().text("platform.poll_host");
        let public_url = reach.as_ref().map(|reach| reach.public_url.as_str());
        let public_host = public_url.and_then(|url| Some(address::parts(url)?.host));
        let below = format!(".{}", public_host.unwrap_or(""));
        if !poll_host.is_empty() && !poll_host.ends_with(&below) {
            self.complain("platform.poll_host", "must be a name below the public host");
        }
        let store_path = self.once().text("store.path");
        if store_path.is_empty() {
            self.complain(
                "store.path",
                "is needed: the file that holds everything, such as /var/lib/yufu/yufu.db",
            );
        }
        let sms_file = self.sms_file();
        let settings = settings(self.once());
        Some(Platform {
            reach: Reach {
                public_metrics: self.once().flag("platform.public_metrics"),
                ..reach?
            },
            poll_host,
            in_client_agent: self.once().text("platform.in_client_agent"),
            store_path: self.folder.join(store_path),
            sms_file,
            settings,
        })
    }

    fn sms_file(&mut self) -> Option<PathBuf> {
        let values = self.once();
        match (values.text("sms.deliver").as_str(), values.text("sms.file")) {
            ("file", file) if !file.is_empty() => return Some(self.folder.join(file)),
            ("file", _) => self.complain("sms.file", "is needed with sms.deliver = \"file\""),
            ("", _) => self.complain("sms.deliver", "is needed: \"file\" or \"stderr\""),
            _ => {}
        }
        None
    }

    fn listens(&self, path: &str) -> Option<SocketAddr> {
        self.once().text(path).parse().ok()
    }

    /// The public address, the listener and the proxies of a role.
    fn reach(&mut self, url: &str, listen: &str, proxies: &str) -> Option<Reach> {
        let public_url = self.public_url(url);
        let address = self.listens(listen);
        if address.is_none() {
            self.complain(listen, "must be an address and port such as 0.0.0.0:8420");
        }
        let behind_a_proxy = public_url
            .as_ref()
            .is_some_and(|url| url.starts_with("https://"))
            && self.once().text("tls.certificate").is_empty();
        if behind_a_proxy && !self.once().has(proxies) {
            self.complain(
                proxies,
                "is needed with a proxy in front that speaks TLS: its IP addresses, such as [\"127.0.0.1\"]",
            );
        }
        let named = self.once().list(proxies);
        let trusted: Vec<IpAddr> = named.iter().filter_map(|ip| ip.parse().ok()).collect();
        if trusted.len() != named.len() {
            self.complain(proxies, "must hold IP addresses only");
        }
        Some(Reach {
            public_url: public_url?,
            listen: address?,
            trusted_proxies: trusted,
            public_metrics: false,
        })
    }

    fn public_url(&mut self, path: &str) -> Option<String> {
        let url = self.once().text(path).trim_end_matches('/').to_owned();
        let fault = match url.is_empty() {
            true => Some("is needed, such as https://login.example.com"),
            false => address::public_fault(&url),
        };
        match fault {
            Some(fault) => self.complain(path, fault),
            None => return Some(url),
        }
        None
    }

    fn master(&mut self) -> Option<MasterKey> {
        let (given, file) = (
            Secret::new(self.once().text("keys.master")),
            self.once().text("keys.master_file"),
        );
        let (path, text) = match (given.expose().is_empty(), file.is_empty()) {
            (false, true) => ("keys.master", given),
            (true, false) => match std::fs::read_to_string(self.folder.join(&file)) {
                Ok(text) => ("keys.master_file", Secret::new(text)),
                Err(error) => {
                    self.complain("keys.master_file", &format!("cannot be read: {error}"));
                    return None;
                }
            },
            (true, true) => {
                self.complain(
                    "keys.master_file",
                    "is needed; make one with: openssl rand -hex 32",
                );
                return None;
            }
            (false, false) => {
                self.complain(
                    "keys.master",
                    "and keys.master_file are both given; keep one",
                );
                return None;
            }
        };
        let key = MasterKey::parse(text.expose());
        if key.is_none() {
            self.complain(
                path,
                "must be 64 hexadecimal digits; make one with: openssl rand -hex 32",
            );
        }
        key
    }

    fn tls(&mut self) -> Option<(PathBuf, PathBuf)> {
        let values = self.once();
        let (certificate, key) = (values.text("tls.certificate"), values.text("tls.key"));
        match (certificate.is_empty(), key.is_empty()) {
            (true, true) => {}
            (false, false) => return Some((self.folder.join(certificate), self.folder.join(key))),
            (true, false) => self.complain("tls.certificate", "is needed with tls.key"),
            (false, true) => self.complain("tls.key", "is needed with tls.certificate"),
        }
        None
    }
}

/// A role that is there must have come out whole.
fn part<T>(role: Option<Option<T>>) -> Option<Option<T>> {
    match role {
        None => Some(None),
        Some(None) => None,
        Some(Some(role)) => Some(Some(role)),
    }
}

fn rate(values: &Values, path: &str, each: Lifetime) -> Rate {
    Rate {
        burst: values.count_of(path),
        each,
    }
}

/// What the platform's engine goes by.
fn settings(values: &Values) -> Settings {
    let rate = |path: &str, each| rate(values, path, each);
    let mut settings = Settings {
        interaction_life: values.seconds("wechat.interaction_life"),
        session_idle: values.seconds("people.session_idle"),
        session_absolute: values.seconds("people.session_absolute"),
        scan_life: values.seconds("wechat.scan_life"),
        scan_repeat: values.seconds("wechat.scan_repeat"),
        poll_hold: values.seconds("wechat.poll_hold"),
        passcode_life: values.seconds("people.passcode_life"),
        passcode_resend: values.seconds("people.passcode_resend"),
        passcode_attempts: values.count_of("people.passcode_attempts"),
        signature_window: values.seconds("wechat.signature_window"),
        platform_overlap: values.seconds("wechat.platform_overlap"),
        platform_ticket_life: values.seconds("wechat.platform_ticket_life"),
        secret_overlap: values.seconds("wechat.secret_overlap"),
        account_failures: rate("people.account_failures", Lifetime::minutes(1)),
        account_failures_all: rate("people.account_failures_all", Lifetime::seconds(6)),
        address_failures: rate("people.address_failures", Lifetime::seconds(10)),
        number_passcodes: rate("people.number_passcodes", Lifetime::minutes(10)),
        address_passcodes: rate("people.address_passcodes", Lifetime::minutes(1)),
        address_authorizations: rate("people.address_authorizations", Lifetime::from_millis(200)),
        ..Settings::default()
    };
    settings.state_limits.in_client = values.size("wechat.state_in_client");
    settings.state_limits.scan = values.size("wechat.state_scan");
    settings.state_limits.native = values.size("wechat.state_native");
    settings
}
