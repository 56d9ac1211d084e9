//! `yufu.toml`: every setting is defined once, in [`FIELDS`]. The reader, the environment
//! overrides, the reference page and the sample file all follow from that table.
//!
//! All complaints come at once, each with its line and what to do. Unknown keys are refused.
//! A newer binary starts with an older file: every field has a default or says that it is needed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use yufu_core::engine::Settings;
use yufu_core::keyring::MasterKey;
use yufu_core::limit::Rate;
use yufu_core::secret::Secret;
use yufu_core::time::Lifetime;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Text.
    Text,
    /// A whole number within bounds.
    Number(i64, i64),
    /// `true` or `false`.
    Flag,
    /// A list of texts.
    List,
}

/// One setting.
pub struct Field {
    /// Its place: table and key.
    pub path: &'static str,
    /// What it holds.
    pub shape: Shape,
    /// The default as it would be written; empty when there is none.
    pub default: &'static str,
    /// What it means, with its unit.
    pub about: &'static str,
}

macro_rules! fields {
    ($($path:literal $shape:expr, $default:literal, $about:literal;)*) => {
        /// Every setting there is.
        pub const FIELDS: &[Field] = &[$(Field { path: $path, shape: $shape, default: $default, about: $about }),*];
    };
}

const SECONDS: Shape = Shape::Number(1, 400 * 86_400);

fields! {
    "platform.public_url" Shape::Text, "", "Needed. The address under which browsers and clients reach the platform, without a path: https, or http on this machine alone.";
    "platform.listen" Shape::Text, "127.0.0.1:8420", "Where the server listens: address and port.";
    "platform.trusted_proxies" Shape::List, "[]", "IP addresses of proxies whose X-Forwarded-For is believed. Needed when a proxy in front speaks TLS: without it all callers share the proxy's address and its limits; [] if they shall.";
    "platform.poll_host" Shape::Text, "", "A second name of this server, below the public host, at which scans are polled too; the mark of scans is then sent there as well.";
    "platform.in_client_agent" Shape::Text, "", "In-client pages open only for browsers whose User-Agent holds this text; empty for all.";
    "platform.public_metrics" Shape::Flag, "false", "Whether /metrics answers everybody instead of this machine alone.";
    "tls.certificate" Shape::Text, "", "A PEM file with the certificate chain; empty when a proxy in front speaks TLS.";
    "tls.key" Shape::Text, "", "The PEM file of its private key.";
    "store.path" Shape::Text, "", "Needed. The SQLite file that holds everything.";
    "store.max_pages" Shape::Number(0, 4_294_967_294), "0", "The most pages of 2 KiB that the file may grow to; 0 for no bound.";
    "store.cache_entries" Shape::Number(0, 100_000_000), "200000", "How many tokens, clients, users and grants are kept in memory.";
    "keys.master" Shape::Text, "", "The master key as 64 hexadecimal digits. Better: keys.master_file.";
    "keys.master_file" Shape::Text, "", "A file that holds the master key as 64 hexadecimal digits; make one with: openssl rand -hex 32";
    "sms.deliver" Shape::Text, "", "Needed. Where passcodes go: \"stderr\", or \"file\" for one line of JSON each in sms.file.";
    "sms.file" Shape::Text, "", "The file for sms.deliver = \"file\".";
    "people.session_idle" SECONDS, "604800", "Seconds that a session lives without use.";
    "people.session_absolute" SECONDS, "2592000", "Seconds that a session lives at most.";
    "people.passcode_life" SECONDS, "300", "Seconds that a passcode lives.";
    "people.passcode_resend" SECONDS, "60", "Seconds until another passcode goes to the same number.";
    "people.passcode_attempts" Shape::Number(1, 100), "5", "How often a passcode may be tried.";
    "people.account_failures" Shape::Number(1, 100_000), "10", "Failed sign-ins per account and address at once; one more each minute.";
    "people.account_failures_all" Shape::Number(1, 100_000), "100", "Failed sign-ins per account from everywhere at once; one more every six seconds.";
    "people.address_failures" Shape::Number(1, 100_000), "50", "Failed sign-ins per address at once; one more every ten seconds.";
    "people.number_passcodes" Shape::Number(1, 100_000), "5", "Passcodes per number at once; one more every ten minutes.";
    "people.address_passcodes" Shape::Number(1, 100_000), "20", "Passcodes per address at once; one more each minute.";
    "people.address_authorizations" Shape::Number(1, 100_000_000), "1000", "Authorizations and QR codes begun per address at once; five more each second.";
    "wechat.interaction_life" SECONDS, "1800", "Seconds that an authorization page may be left open.";
    "wechat.scan_life" SECONDS, "300", "Seconds that a QR code lives.";
    "wechat.scan_repeat" SECONDS, "60", "Seconds for which a scan's code is said again to the poller that got it.";
    "wechat.poll_hold" Shape::Number(0, 120), "25", "Seconds that a poll is held when nothing is new.";
    "wechat.signature_window" SECONDS, "600", "Seconds that the timestamp of a signed scan may be off.";
    "wechat.platform_overlap" SECONDS, "300", "Seconds that a client's previous own token lives beside its new one.";
    "wechat.platform_ticket_life" SECONDS, "7200", "Seconds that the ticket that signs scans lives.";
    "wechat.secret_overlap" SECONDS, "604800", "Seconds that an old AppSecret works beside a new one.";
    "wechat.state_in_client" Shape::Number(1, 8192), "128", "The most bytes of a state in-client.";
    "wechat.state_scan" Shape::Number(1, 8192), "4096", "The most bytes of a state at a scan.";
    "wechat.state_native" Shape::Number(1, 8192), "1024", "The most bytes of a state at a native hand-over.";
    "audit.keep_days" Shape::Number(1, 36_500), "180", "Days that the audit is kept.";
}

/// A finished configuration.
pub struct Config {
    /// The public address, without a trailing slash.
    pub public_url: String,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Believed proxies.
    pub trusted_proxies: Vec<IpAddr>,
    /// A second name at which scans are polled; empty for none.
    pub poll_host: String,
    /// The mark of in-client browsers.
    pub in_client_agent: String,
    /// Whether `/metrics` is public.
    pub public_metrics: bool,
    /// Certificate chain and key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// The database file.
    pub store_path: PathBuf,
    /// The bound of its size in pages.
    pub max_pages: Option<u32>,
    /// Entries of the cache.
    pub cache_entries: usize,
    /// The master key.
    pub master: MasterKey,
    /// The file that the master key came from; `None` when it was given itself.
    pub master_file: Option<PathBuf>,
    /// Where passcodes go; `None` for the standard error stream.
    pub sms_file: Option<PathBuf>,
    /// The engine's settings.
    pub settings: Settings,
    /// How long the audit is kept.
    pub keep_events: Lifetime,
}

/// The host of `host[:port]`; `None` when browsers would read it as something else.
fn host_of(authority: &str) -> Option<&str> {
    let end = match authority.find(']') {
        Some(end) => end + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at_checked(end)?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let port_is_sound = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|port| digits(port) && port.parse::<u16>().is_ok());
    let host_is_sound = match host.strip_prefix('[').and_then(|v6| v6.strip_suffix(']')) {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            let label = |label: &str| {
                !label.is_empty()
                    && label
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            };
            // What ends in a number is an IPv4 address to browsers, or nothing.
            let last = host.rsplit('.').next().unwrap_or_default();
            let is_number = last.starts_with(|c: char| c.is_ascii_digit())
                && (digits(last) || last.starts_with("0x") || last.starts_with("0X"));
            host.split('.').all(label) && (!is_number || host.parse::<std::net::Ipv4Addr>().is_ok())
        }
    };
    (host_is_sound && port_is_sound).then_some(host)
}

/// What is wrong with a configuration, all at once.
#[derive(Debug, PartialEq, Eq)]
pub struct Complaints(pub Vec<String>);

impl std::fmt::Display for Complaints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

#[derive(Clone, Debug)]
enum Value {
    Text(String),
    Number(i64),
    Flag(bool),
    List(Vec<String>),
}

/// The values of a file and the environment, by path, and what was wrong with them.
#[derive(Default)]
struct Raw {
    values: BTreeMap<&'static str, (Value, String)>,
    complaints: Vec<String>,
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
    let mut raw = Raw::default();
    raw.file(text);
    raw.environment(environment);
    let config = raw.finish(folder);
    match config {
        Some(config) if raw.complaints.is_empty() => Ok(config),
        _ => Err(Complaints(raw.complaints)),
    }
}

impl Raw {
    fn file(&mut self, text: &str) {
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            self.complaints
                .push(format!("line {line}: {}; mend the TOML", error.message()));
        }
        self.table(text, "", table.get_ref());
    }

    fn table(&mut self, text: &str, prefix: &str, table: &DeTable<'_>) {
        for (key, value) in table.iter() {
            let path = if prefix.is_empty() {
                key.get_ref().to_string()
            } else {
                format!("{prefix}.{}", key.get_ref())
            };
            let line = line_of(text, key.span().start);
            let is_table = FIELDS.iter().any(|field| {
                field
                    .path
                    .strip_prefix(path.as_str())
                    .is_some_and(|rest| rest.starts_with('.'))
            });
            match (value.get_ref(), is_table) {
                (DeValue::Table(inner), true) => self.table(text, &path, inner),
                (_, true) => self
                    .complaints
                    .push(format!("line {line}: {path} is a table; write [{path}]")),
                (value, false) => self.value(&path, value, line),
            }
        }
    }

    fn value(&mut self, path: &str, value: &DeValue<'_>, line: usize) {
        let Some(field) = FIELDS.iter().find(|field| field.path == path) else {
            self.complaints.push(format!(
                "line {line}: there is no setting {path}; {}",
                match nearest(path) {
                    Some(near) => format!("did you mean {near}?"),
                    None => "take it out".to_owned(),
                }
            ));
            return;
        };
        let read = match (field.shape, value) {
            (Shape::Text, DeValue::String(text)) => Some(Value::Text(text.to_string())),
            (Shape::Number(..), DeValue::Integer(number)) => {
                i64::from_str_radix(&number.as_str().replace('_', ""), number.radix())
                    .ok()
                    .map(Value::Number)
            }
            (Shape::Flag, DeValue::Boolean(flag)) => Some(Value::Flag(*flag)),
            (Shape::List, DeValue::Array(items)) => items
                .iter()
                .map(|item: &Spanned<DeValue<'_>>| item.get_ref().as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
                .map(Value::List),
            _ => None,
        };
        match read {
            Some(value) => self.put(field, value, format!("line {line}")),
            None => self.complaints.push(format!(
                "line {line}: {path} must be {}",
                words(field.shape)
            )),
        }
    }

    fn put(&mut self, field: &'static Field, value: Value, place: String) {
        if let (Shape::Number(least, most), Value::Number(number)) = (field.shape, &value)
            && !(least..=most).contains(number)
        {
            self.complaints.push(format!(
                "{place}: {} is {number}; it must be {}",
                field.path,
                words(field.shape)
            ));
            return;
        }
        self.values.insert(field.path, (value, place));
    }

    fn environment(&mut self, environment: &dyn Fn(&str) -> Option<String>) {
        for field in FIELDS {
            let name = variable(field.path);
            let Some(text) = environment(&name) else {
                continue;
            };
            let value = match field.shape {
                Shape::Text => Some(Value::Text(text)),
                Shape::Number(..) => text.trim().parse().ok().map(Value::Number),
                Shape::Flag => text.trim().parse().ok().map(Value::Flag),
                Shape::List => {
                    let items = text
                        .split(',')
                        .map(str::trim)
                        .filter(|item| !item.is_empty());
                    Some(Value::List(items.map(str::to_owned).collect()))
                }
            };
            match value {
                Some(value) => self.put(field, value, name),
                None => self
                    .complaints
                    .push(format!("{name} must be {}", words(field.shape))),
            }
        }
    }

    fn text(&self, path: &'static str) -> String {
        match self.values.get(path) {
            Some((Value::Text(text), _)) => text.clone(),
            _ => default_of(path).to_owned(),
        }
    }

    fn number(&self, path: &'static str) -> i64 {
        match self.values.get(path) {
            Some((Value::Number(number), _)) => *number,
            _ => default_of(path).parse().unwrap_or(0),
        }
    }

    fn seconds(&self, path: &'static str) -> Lifetime {
        Lifetime::seconds(self.number(path))
    }

    fn size(&self, path: &'static str) -> usize {
        usize::try_from(self.number(path)).unwrap_or(0)
    }

    fn flag(&self, path: &'static str) -> bool {
        matches!(self.values.get(path), Some((Value::Flag(true), _)))
    }

    fn complain(&mut self, path: &str, what: &str) {
        let place = self.values.get(path).map(|(_, place)| place.clone());
        let place = place.unwrap_or_else(|| "missing".to_owned());
        self.complaints.push(format!("{place}: {path} {what}"));
    }

    fn rate(&self, path: &'static str, each: Lifetime) -> Rate {
        Rate {
            burst: u32::try_from(self.number(path)).unwrap_or(u32::MAX),
            each,
        }
    }

    fn finish(&mut self, folder: &Path) -> Option<Config> {
        let public_url = self.public_url();
        let listen = self.text("platform.listen").parse::<SocketAddr>();
        if listen.is_err() {
            self.complain(
                "platform.listen",
                "must be an address and port such as 0.0.0.0:8420",
            );
        }
        let proxies = match self.values.get("platform.trusted_proxies") {
            Some((Value::List(items), _)) => items.clone(),
            _ => Vec::new(),
        };
        let behind_a_proxy = public_url
            .as_ref()
            .is_some_and(|url| url.starts_with("https://"))
            && self.text("tls.certificate").is_empty();
        if behind_a_proxy && !self.values.contains_key("platform.trusted_proxies") {
            self.complain(
                "platform.trusted_proxies",
                "is needed with a proxy in front that speaks TLS: its IP addresses, such as [\"127.0.0.1\"]",
            );
        }
        let poll_host = self.text("platform.poll_host");
        let public_host = public_url.as_deref().and_then(|url| url.split_once("://"));
        let public_host = public_host
            .and_then(|(_, rest)| host_of(rest))
            .unwrap_or("");
        if !poll_host.is_empty() && !poll_host.ends_with(&format!(".{public_host}")) {
            self.complain("platform.poll_host", "must be a name below the public host");
        }
        let trusted_proxies: Vec<IpAddr> =
            proxies.iter().filter_map(|ip| ip.parse().ok()).collect();
        if trusted_proxies.len() != proxies.len() {
            self.complain("platform.trusted_proxies", "must hold IP addresses only");
        }
        let master = self.master(folder);
        let tls = self.tls(folder);
        let store_path = self.text("store.path");
        if store_path.is_empty() {
            self.complain(
                "store.path",
                "is needed: the file that holds everything, such as /var/lib/yufu/yufu.db",
            );
        }
        let sms_file = match (self.text("sms.deliver").as_str(), self.text("sms.file")) {
            ("stderr", _) => None,
            ("file", file) if !file.is_empty() => Some(folder.join(file)),
            ("file", _) => {
                self.complain("sms.file", "is needed with sms.deliver = \"file\"");
                None
            }
            _ => {
                self.complain("sms.deliver", "is needed: \"file\" or \"stderr\"");
                None
            }
        };
        let settings = self.settings();
        Some(Config {
            public_url: public_url?,
            listen: listen.ok()?,
            trusted_proxies,
            poll_host,
            in_client_agent: self.text("platform.in_client_agent"),
            public_metrics: self.flag("platform.public_metrics"),
            tls,
            store_path: folder.join(store_path),
            max_pages: u32::try_from(self.number("store.max_pages"))
                .ok()
                .filter(|n| *n > 0),
            cache_entries: self.size("store.cache_entries"),
            master: master?,
            master_file: Some(self.text("keys.master_file"))
                .filter(|file| !file.is_empty())
                .map(|file| folder.join(file)),
            sms_file,
            settings,
            keep_events: Lifetime::days(self.number("audit.keep_days")),
        })
    }

    /// https, or plain http for this machine alone: codes and sessions must not cross a network
    /// in clear.
    fn public_url(&mut self) -> Option<String> {
        let path = "platform.public_url";
        let url = self.text(path).trim_end_matches('/').to_owned();
        if url.is_empty() {
            self.complain(path, "is needed, such as https://login.example.com");
            return None;
        }
        let Some((scheme, rest)) = url.split_once("://") else {
            self.complain(path, "must begin with https://");
            return None;
        };
        let host = host_of(rest);
        let here = host.is_some_and(|host| ["127.0.0.1", "localhost", "[::1]"].contains(&host));
        match scheme {
            _ if host.is_none() => {
                self.complain(path, "must be scheme, host and maybe port, without a path");
            }
            "https" => return Some(url),
            "http" if here => return Some(url),
            "http" => self.complain(
                path,
                "must be https: codes and sessions would cross the network in clear",
            ),
            _ => self.complain(path, "must begin with https://"),
        }
        None
    }

    fn master(&mut self, folder: &Path) -> Option<MasterKey> {
        let (given, file) = (
            Secret::new(self.text("keys.master")),
            self.text("keys.master_file"),
        );
        let (path, text) = match (given.expose().is_empty(), file.is_empty()) {
            (false, true) => ("keys.master", given),
            (true, false) => match std::fs::read_to_string(folder.join(&file)) {
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

    fn tls(&mut self, folder: &Path) -> Option<(PathBuf, PathBuf)> {
        let (certificate, key) = (self.text("tls.certificate"), self.text("tls.key"));
        match (certificate.is_empty(), key.is_empty()) {
            (true, true) => None,
            (false, false) => Some((folder.join(certificate), folder.join(key))),
            (true, false) => {
                self.complain("tls.certificate", "is needed with tls.key");
                None
            }
            (false, true) => {
                self.complain("tls.key", "is needed with tls.certificate");
                None
            }
        }
    }

    fn settings(&self) -> Settings {
        let mut settings = Settings {
            interaction_life: self.seconds("wechat.interaction_life"),
            session_idle: self.seconds("people.session_idle"),
            session_absolute: self.seconds("people.session_absolute"),
            scan_life: self.seconds("wechat.scan_life"),
            scan_repeat: self.seconds("wechat.scan_repeat"),
            poll_hold: self.seconds("wechat.poll_hold"),
            passcode_life: self.seconds("people.passcode_life"),
            passcode_resend: self.seconds("people.passcode_resend"),
            passcode_attempts: u32::try_from(self.number("people.passcode_attempts")).unwrap_or(5),
            signature_window: self.seconds("wechat.signature_window"),
            platform_overlap: self.seconds("wechat.platform_overlap"),
            platform_ticket_life: self.seconds("wechat.platform_ticket_life"),
            secret_overlap: self.seconds("wechat.secret_overlap"),
            account_failures: self.rate("people.account_failures", Lifetime::minutes(1)),
            account_failures_all: self.rate("people.account_failures_all", Lifetime::seconds(6)),
            address_failures: self.rate("people.address_failures", Lifetime::seconds(10)),
            number_passcodes: self.rate("people.number_passcodes", Lifetime::minutes(10)),
            address_passcodes: self.rate("people.address_passcodes", Lifetime::minutes(1)),
            address_authorizations: self
                .rate("people.address_authorizations", Lifetime::from_millis(200)),
            ..Settings::default()
        };
        settings.state_limits.in_client = self.size("wechat.state_in_client");
        settings.state_limits.scan = self.size("wechat.state_scan");
        settings.state_limits.native = self.size("wechat.state_native");
        settings
    }
}

/// The environment variable of a setting: `YUFU_STORE_PATH` for `store.path`.
pub fn variable(path: &str) -> String {
    format!("YUFU_{}", path.replace('.', "_").to_ascii_uppercase())
}

fn default_of(path: &str) -> &'static str {
    FIELDS
        .iter()
        .find(|field| field.path == path)
        .map_or("", |field| field.default)
}

fn words(shape: Shape) -> String {
    match shape {
        Shape::Text => "text in quotes".to_owned(),
        Shape::Number(least, most) => format!("a whole number from {least} to {most}"),
        Shape::Flag => "true or false".to_owned(),
        Shape::List => "a list of texts, such as [\"127.0.0.1\"]".to_owned(),
    }
}

fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().iter().take(at);
    before.filter(|byte| **byte == b'\n').count() + 1
}

/// The setting whose name is closest, if any is close.
fn nearest(path: &str) -> Option<&'static str> {
    let near = FIELDS
        .iter()
        .map(|field| (distance(path, field.path), field.path))
        .min()?;
    (near.0 <= 3.max(path.len() / 4)).then_some(near.1)
}

/// Edit distance by insertions, deletions and replacements.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = replaced.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// The sample file: every setting at its default, with what it means.
pub fn sample() -> String {
    let mut text = String::from(
        "# yufu.toml: the settings of `yufu serve --config yufu.toml`.\n\
         # Every setting may also come from the environment: YUFU_STORE_PATH for store.path.\n",
    );
    let mut table = "";
    for field in FIELDS {
        let (section, key) = field.path.split_once('.').unwrap_or(("", field.path));
        if section != table {
            let _ = write!(text, "\n[{section}]\n");
            table = section;
        }
        let written = match (field.shape, field.default) {
            (Shape::Text, default) => format!("\"{default}\""),
            (_, default) => default.to_owned(),
        };
        let _ = writeln!(text, "# {}\n# {key} = {written}", field.about);
    }
    text
}

/// The reference page.
pub fn reference() -> String {
    let mut text = String::from(
        "# Settings\n\nPrinted from the table in `crates/yufu/src/config.rs`; a test keeps it fresh.\n\n\
         | setting | environment | holds | default | meaning |\n|---|---|---|---|---|\n",
    );
    for field in FIELDS {
        let default = if field.default.is_empty() {
            "–"
        } else {
            field.default
        };
        let _ = writeln!(
            text,
            "| `{}` | `{}` | {} | `{default}` | {} |",
            field.path,
            variable(field.path),
            words(field.shape),
            field.about
        );
    }
    text
}

#[cfg(test)]
#[path = "config/tests.rs"]
mod tests;
