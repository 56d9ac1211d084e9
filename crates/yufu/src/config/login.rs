//! What the settings mean for the login backend.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use yufu_core::engine::Settings;
use yufu_core::id::ClientId;
use yufu_core::identity::{UpstreamApp, UpstreamKind};
use yufu_core::limit::Rate;
use yufu_core::login::{
    BindPolicy, DevicePolicy, LoginSettings, MergePolicy, VerifyUpstream, Yields,
};
use yufu_core::secret::Secret;
use yufu_core::ticket::Scene;
use yufu_core::time::Lifetime;
use yufu_dialects::sms::aliyun::{Aliyun, Signing};
use yufu_dialects::sms::tencent::Tencent;
use yufu_dialects::sms::{Slot, Template};
use yufu_dialects::wechat::push::{AesKey, PushKeys};

use crate::fetch::OutboundOptions;

use super::raw::Values;
use super::{Judge, Reach, address, rate};

/// The login backend's part.
pub struct Login {
    /// How it is reached.
    pub reach: Reach,
    /// Its own database file.
    pub store_path: PathBuf,
    /// Whether refusals show in the HTTP status.
    pub strict: bool,
    /// Whether passcodes are sent.
    pub phone: bool,
    /// Origins that may call with cookies and be returned to.
    pub origins: Vec<String>,
    /// Where a browser goes to bind a number.
    pub bind_url: String,
    /// How long a login waits for its upstream.
    pub answer_budget: Lifetime,
    /// Private hosts, addresses and networks that may be called.
    pub outgoing_allow: Vec<String>,
    /// Further roots to trust.
    pub outgoing_roots: Option<PathBuf>,
    /// Our apps at upstreams, with what only the wiring knows of them.
    pub upstreams: Vec<Upstream>,
    /// Where passcodes go, in order.
    pub gateways: Vec<Gateway>,
    /// Who hears of accounts.
    pub webhooks: Vec<Webhook>,
    /// Who may ask about session tokens.
    pub services: Vec<Service>,
    /// Who judges captchas.
    pub captcha: Option<Peer>,
    /// Who exchanges one-tap tokens.
    pub carrier: Option<Peer>,
    /// Who knows whether a number has a new owner.
    pub number_history: Option<Peer>,
    /// The engine's settings.
    pub settings: Settings,
}

/// An app of ours at an upstream.
#[derive(Clone)]
pub struct Upstream {
    /// As the rules see it.
    pub app: UpstreamApp,
    /// Our secret there.
    pub secret: Secret,
    /// The platform's origin, when it is not WeChat's own.
    pub base_url: Option<String>,
    /// What was agreed on for its pushes.
    pub push: Option<PushKeys>,
}

/// A gateway for passcodes.
#[derive(Clone)]
pub struct Gateway {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: GatewayKind,
    /// What receipts bring to be heard.
    pub receipt_key: Option<Secret>,
}

/// The sorts of gateways.
#[derive(Clone)]
pub enum GatewayKind {
    /// Aliyun, and the texts of single scenes.
    Aliyun(Box<Aliyun>, BTreeMap<String, Template>),
    /// Tencent Cloud, and the texts of single scenes.
    Tencent(Box<Tencent>, BTreeMap<String, Template>),
    /// The operator's own.
    Webhook {
        /// Where it is, and what both sides sign with.
        peer: Peer,
        /// A whole text, with gaps.
        text: Option<String>,
    },
    /// The standard error stream.
    Console,
    /// A file.
    File(PathBuf),
}

/// Another server that is asked something.
#[derive(Clone)]
pub struct Peer {
    /// Its address; it may hold a secret.
    pub url: Secret,
    /// What both sides sign with.
    pub secret: Secret,
}

/// A server that is told what happens.
#[derive(Clone)]
pub struct Webhook {
    /// Its name.
    pub name: String,
    /// Its address; it may hold a secret.
    pub url: Secret,
    /// The key of signatures.
    pub key: Secret,
    /// The beginnings of the words it hears; empty for all.
    pub events: Vec<String>,
}

/// A server that may ask about session tokens.
#[derive(Clone)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its password.
    pub secret: Secret,
}

/// A shared secret shorter than this is guessed.
const LEAST_SECRET: usize = 24;

/// Judges one table of several.
struct Item<'a> {
    values: &'a Values,
    folder: &'a Path,
    /// Hosts that may be called over plain http.
    allow: &'a [String],
    complaints: &'a mut Vec<String>,
}

impl Item<'_> {
    fn complain(&mut self, path: &str, what: &str) {
        self.complaints.push(self.values.complaint(path, what));
    }

    /// A text that must not be empty.
    fn needed(&mut self, path: &str) -> String {
        let text = self.values.text(path);
        if text.is_empty() {
            self.complain(path, "is needed");
        }
        text
    }

    fn secret(&mut self, path: &str) -> Option<Secret> {
        let file = format!("{path}_file");
        let (given, name) = (self.values.text(path), self.values.text(&file));
        let text = match (given.is_empty(), name.is_empty()) {
            (false, true) => given,
            (true, false) => match std::fs::read_to_string(self.folder.join(name)) {
                Ok(text) => text.trim().to_owned(),
                Err(error) => {
                    self.complain(&file, &format!("cannot be read: {error}"));
                    return None;
                }
            },
            (true, true) => {
                let last = path.rsplit('.').next().unwrap_or(path);
                self.complain(path, &format!("is needed, or {last}_file"));
                return None;
            }
            (false, false) => {
                self.complain(&file, "is given twice, in the file and here; keep one");
                return None;
            }
        };
        if text.is_empty() || text.chars().any(char::is_control) {
            self.complain(&file, "must hold one line that is not empty");
            return None;
        }
        Some(Secret::new(text))
    }

    fn secret_of_ours(&mut self, path: &str) -> Option<Secret> {
        let secret = self.secret(path)?;
        if secret.expose().len() < LEAST_SECRET {
            self.complain(
                path,
                "must have 24 characters and more; make one with: openssl rand -hex 32",
            );
            return None;
        }
        Some(secret)
    }

    fn has_secret(&self, path: &str) -> bool {
        self.values.has(path) || self.values.has(&format!("{path}_file"))
    }

    /// An address that will be called: over https, or to a host that was allowed by name.
    fn url(&mut self, path: &str) -> Option<Secret> {
        let url = self.needed(path);
        if url.is_empty() {
            return None;
        }
        let fault = match address::parts(&url) {
            None => "must be an address such as https://app.example.com/path",
            Some(parts) if parts.scheme == "https" || self.may_be_plain(parts.host) => {
                return Some(Secret::new(url));
            }
            Some(_) => "must be https, unless its host stands in login.outgoing_allow",
        };
        self.complain(path, fault);
        None
    }

    fn may_be_plain(&self, host: &str) -> bool {
        let host = host.trim_matches(['[', ']']);
        let is_address = host.parse::<std::net::IpAddr>().is_ok();
        let mut allowed = self.allow.iter();
        allowed.any(|entry| entry.eq_ignore_ascii_case(host) || (is_address && entry.contains('/')))
    }

    fn upstream(&mut self) -> Option<Upstream> {
        let values = self.values;
        let kind = UpstreamKind::parse(&self.needed("kind"));
        let appid = self.needed("appid");
        let secret = self.secret("secret");
        let account = values.text("account");
        let base_url = values.text("base_url");
        let base_url = match base_url.is_empty() {
            true => None,
            false => {
                let origin = address::origin(&base_url);
                if origin.is_none() {
                    self.complain(
                        "base_url",
                        "must be an origin such as https://login.example.com",
                    );
                }
                self.url("base_url");
                Some(origin?)
            }
        };
        let push = self.push(&appid);
        Some(Upstream {
            app: UpstreamApp {
                name: values.text("name"),
                kind: kind?,
                appid: ClientId::new(&appid),
                union_scope: Some(account).filter(|account| !account.is_empty()),
            },
            secret: secret?,
            base_url,
            push,
        })
    }

    fn push(&mut self, appid: &str) -> Option<PushKeys> {
        let token = self.values.text("push_token");
        match (token.is_empty(), self.has_secret("push_key")) {
            (true, false) => None,
            (true, true) => {
                self.complain("push_token", "is needed with push_key");
                None
            }
            (false, false) => {
                self.complain("push_key", "is needed with push_token");
                None
            }
            (false, true) => {
                let aes_key = AesKey::parse(self.secret("push_key")?.expose());
                if aes_key.is_none() {
                    self.complain("push_key", "must be 43 letters and digits");
                }
                Some(PushKeys {
                    token: Secret::new(token),
                    aes_key: aes_key?,
                    appid: ClientId::new(appid),
                })
            }
        }
    }

    fn gateway(&mut self, is_local: bool) -> Option<Gateway> {
        let kind = self.needed("kind");
        let kind = match kind.as_str() {
            "aliyun" => self.aliyun(),
            "tencent" => self.tencent(),
            "webhook" => self.webhook_gateway(),
            "console" if is_local => Some(GatewayKind::Console),
            "console" => {
                self.complain(
                    "kind",
                    "is \"console\": passcodes in a log are for a login.public_url on this machine alone",
                );
                None
            }
            "file" => {
                let path = self.needed("path");
                (!path.is_empty()).then(|| GatewayKind::File(self.folder.join(path)))
            }
            _ => None,
        };
        let receipt_key = match self.has_secret("receipt_key") {
            true => Some(self.secret_of_ours("receipt_key")?),
            false => None,
        };
        Some(Gateway {
            name: self.values.text("name"),
            kind: kind?,
            receipt_key,
        })
    }

    fn aliyun(&mut self) -> Option<GatewayKind> {
        let (id, sign) = (self.needed("key_id"), self.needed("sign_name"));
        let secret = self.secret("key_secret");
        let (template, scenes) = self.templates()?;
        let mut aliyun = Aliyun::new(&id, secret?, &sign, template);
        if self.values.text("signing") == "v1" {
            aliyun.signing = Signing::V1;
        }
        let (host, region) = (self.values.text("host"), self.values.text("region"));
        if !host.is_empty() {
            aliyun.host = host;
        }
        if !region.is_empty() {
            aliyun.region = region;
        }
        Some(GatewayKind::Aliyun(Box::new(aliyun), scenes))
    }

    fn tencent(&mut self) -> Option<GatewayKind> {
        let (id, sign) = (self.needed("key_id"), self.needed("sign_name"));
        let app = self.needed("app_id");
        let secret = self.secret("key_secret");
        let (template, scenes) = self.templates()?;
        let mut tencent = Tencent::new(&id, secret?, &app, &sign, template);
        let (host, region) = (self.values.text("host"), self.values.text("region"));
        if !host.is_empty() {
            tencent.host = host;
        }
        if !region.is_empty() {
            tencent.region = region;
        }
        Some(GatewayKind::Tencent(Box::new(tencent), scenes))
    }

    fn webhook_gateway(&mut self) -> Option<GatewayKind> {
        let (url, secret) = (self.url("url"), self.secret_of_ours("secret"));
        let text = self.values.text("text");
        if !text.is_empty() && !text.contains("{code}") {
            self.complain("text", "has no {code} in it");
        }
        Some(GatewayKind::Webhook {
            peer: Peer {
                url: url?,
                secret: secret?,
            },
            text: Some(text).filter(|text| !text.is_empty()),
        })
    }

    /// The text of every scene, and those of single scenes.
    fn templates(&mut self) -> Option<(Template, BTreeMap<String, Template>)> {
        let gaps = self.gaps()?;
        let of = |id: &str| Template {
            id: id.to_owned(),
            gaps: gaps.clone(),
        };
        let given = self.values.texts("templates");
        let known: Vec<_> = Scene::OF_LOGIN.iter().map(|scene| scene.word()).collect();
        if given.keys().any(|scene| !known.contains(&scene.as_str())) {
            let what = format!("may name the scenes {} only", known.join(", "));
            self.complain("templates", &what);
            return None;
        }
        let scenes: BTreeMap<_, _> = given
            .iter()
            .map(|(scene, id)| (scene.clone(), of(id)))
            .collect();
        let common = self.values.text("template");
        match (common.is_empty(), scenes.len() == known.len()) {
            (false, _) => Some((of(&common), scenes)),
            (true, true) => Some((scenes.values().next()?.clone(), scenes)),
            (true, false) => {
                self.complain("template", "is needed, or templates for every scene");
                None
            }
        }
    }

    fn gaps(&mut self) -> Option<Vec<(String, Slot)>> {
        let gaps = self.values.list("gaps");
        let read = gaps.iter().map(|gap| {
            let (name, slot) = gap.split_once('=')?;
            let slot = match slot {
                "{code}" => Slot::Code,
                "{minutes}" => Slot::Minutes,
                fixed => Slot::Fixed(fixed.to_owned()),
            };
            Some((name.to_owned(), slot))
        });
        let read = read.collect::<Option<Vec<_>>>();
        let read = read.filter(|gaps| gaps.iter().any(|(_, slot)| *slot == Slot::Code));
        if read.is_none() {
            self.complain(
                "gaps",
                "must be written [\"name={code}\", \"other={minutes}\"], with a {code} among them",
            );
        }
        read
    }

    fn webhook(&mut self) -> Option<Webhook> {
        let (url, secret) = (self.url("url"), self.secret("secret"));
        let secret = secret?;
        let key = match secret.expose().strip_prefix("whsec_") {
            Some(text) => STANDARD
                .decode(text)
                .ok()
                .filter(|key| key.len() >= LEAST_SECRET),
            None => {
                Some(secret.expose().as_bytes().to_vec()).filter(|key| key.len() >= LEAST_SECRET)
            }
        };
        if key.is_none() {
            self.complain(
                "secret",
                "must be whsec_ and base64 of 24 bytes and more, or any text of 24 characters and more",
            );
        }
        key?;
        Some(Webhook {
            name: self.values.text("name"),
            url: url?,
            key: secret,
            events: self.values.list("events"),
        })
    }

    fn service(&mut self) -> Option<Service> {
        Some(Service {
            name: self.values.text("name"),
            secret: self.secret_of_ours("secret")?,
        })
    }
}

impl Login {
    /// What the client for other servers may do.
    pub fn outbound(&self) -> OutboundOptions {
        OutboundOptions {
            allow: self.outgoing_allow.clone(),
            dev: false,
            extra_roots: self.outgoing_roots.clone(),
        }
    }
}

impl Webhook {
    /// The bytes that messages are signed with.
    pub fn signing_key(&self) -> Vec<u8> {
        let text = self.key.expose();
        let decoded = text
            .strip_prefix("whsec_")
            .and_then(|text| STANDARD.decode(text).ok());
        decoded.unwrap_or_else(|| text.as_bytes().to_vec())
    }
}

/// What the tables that may stand several times came to.
#[derive(Default)]
struct Groups {
    upstreams: Vec<Upstream>,
    gateways: Vec<Gateway>,
    webhooks: Vec<Webhook>,
    services: Vec<Service>,
}

impl Judge<'_> {
    pub(super) fn login(&mut self) -> Option<Login> {
        let reach = self.reach("login.public_url", "login.listen", "login.trusted_proxies");
        let store_path = self.once().text("login.store_path");
        if store_path.is_empty() {
            self.complain(
                "login.store_path",
                "is needed: the file that holds everything, such as /var/lib/yufu/login.db",
            );
        }
        let origins = self.origins();
        self.bind_url(&origins);
        let is_local = reach.as_ref().is_some_and(|reach| {
            address::parts(&reach.public_url).is_some_and(|parts| address::is_here(parts.host))
        });
        let complaints = self.raw.complaints.len();
        let groups = self.groups(is_local);
        // What was complained about once is there, if not well.
        if complaints == self.raw.complaints.len() {
            self.ways_in(&groups);
        }
        if !self.once().list("login.test_numbers").is_empty() {
            self.complain(
                "login.test_numbers",
                "is for development alone: whoever knows such a number takes its account; take it out",
            );
        }
        self.countries();
        let (captcha, carrier) = (self.peer("captcha"), self.peer("carrier"));
        let number_history = self.peer("number_history");
        let values = self.once();
        let roots = values.text("login.outgoing_roots");
        let mut settings = Settings {
            login: login_settings(values),
            ..Settings::default()
        };
        settings.login.apps = groups.upstreams.iter().map(|it| it.app.clone()).collect();
        settings.login.webhooks = groups.webhooks.iter().map(|it| it.name.clone()).collect();
        Some(Login {
            store_path: self.folder.join(store_path),
            strict: values.text("login.statuses") == "strict",
            phone: values.flag("login.phone"),
            origins,
            bind_url: values.text("login.bind_url"),
            answer_budget: values.seconds("login.answer_budget"),
            outgoing_allow: values.list("login.outgoing_allow"),
            outgoing_roots: Some(roots)
                .filter(|roots| !roots.is_empty())
                .map(|roots| self.folder.join(roots)),
            upstreams: groups.upstreams,
            gateways: groups.gateways,
            webhooks: groups.webhooks,
            services: groups.services,
            captcha,
            carrier,
            number_history,
            settings,
            reach: Reach {
                public_metrics: values.flag("login.public_metrics"),
                ..reach?
            },
        })
    }

    fn origins(&mut self) -> Vec<String> {
        let given = self.once().list("login.origins");
        let read: Vec<_> = given
            .iter()
            .filter_map(|text| address::origin(text))
            .collect();
        let sound = |origin: &String| address::public_fault(origin).is_none();
        if read.len() != given.len() || !read.iter().all(sound) {
            self.complain(
                "login.origins",
                "must hold origins only, such as https://app.example.com",
            );
        }
        read
    }

    fn bind_url(&mut self, origins: &[String]) {
        let url = self.once().text("login.bind_url");
        let is_path = url.starts_with('/') && !url.starts_with("//") && !url.contains('\\');
        let origin = address::parts(&url).and_then(|parts| {
            let end = url.len() - parts.path.len();
            address::origin(url.get(..end)?)
        });
        if !is_path && !origin.is_some_and(|origin| origins.contains(&origin)) {
            self.complain(
                "login.bind_url",
                "must be a path such as /login/bind, or an address at one of login.origins",
            );
        }
    }

    /// Judges the tables that may stand several times.
    fn groups(&mut self, is_local: bool) -> Groups {
        let items = std::mem::take(&mut self.raw.items);
        let allow = self.once().list("login.outgoing_allow");
        let mut groups = Groups::default();
        let mut names = BTreeSet::new();
        let mut appids = BTreeSet::new();
        for values in &items {
            let mut item = Item {
                values,
                folder: self.folder,
                allow: &allow,
                complaints: &mut self.raw.complaints,
            };
            let name = item.needed("name");
            let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            if !(name.is_empty() || name.len() <= 64 && name.bytes().all(letter)) {
                item.complain("name", "must be lower-case letters, digits and dashes");
            }
            if !name.is_empty() && !names.insert((values.group(), name.clone())) {
                item.complain("name", &format!("is \"{name}\" for the second time"));
            }
            match values.group() {
                "upstream" => {
                    let appid = values.text("appid");
                    if !appid.is_empty() && !appids.insert(appid) {
                        item.complain("appid", "is another upstream's already");
                    }
                    groups.upstreams.extend(item.upstream());
                }
                "sms_gateway" => groups.gateways.extend(item.gateway(is_local)),
                "webhook" => groups.webhooks.extend(item.webhook()),
                _ => groups.services.extend(item.service()),
            }
        }
        groups
    }

    /// Whether anybody can log in at all.
    fn ways_in(&mut self, groups: &Groups) {
        let phone = self.once().flag("login.phone");
        if phone && groups.gateways.is_empty() {
            self.complain(
                "login.phone",
                "needs an [[sms_gateway]]; write one, or login.phone = false",
            );
        }
        let carrier = self.raw.has_table("carrier");
        if !phone && !carrier && groups.upstreams.is_empty() {
            self.complain(
                "login.phone",
                "is false and there is no [[upstream]]: nobody could log in",
            );
        }
        let required = self.once().text("login.bind_policy") == "phone_required";
        if !phone && !carrier && required {
            self.complain(
                "login.bind_policy",
                "is \"phone_required\", and nobody could prove a phone number; write \"optional\"",
            );
        }
    }

    fn countries(&mut self) {
        let countries = self.once().list("login.countries");
        let is_code = |code: &String| code.len() <= 3 && code.bytes().all(|b| b.is_ascii_digit());
        if !countries.iter().all(is_code) {
            self.complain(
                "login.countries",
                "must hold calling codes, such as [\"86\", \"852\"]",
            );
        }
    }

    /// Another server that is asked, when its table is there.
    fn peer(&mut self, table: &str) -> Option<Peer> {
        if !self.raw.has_table(table) {
            return None;
        }
        let allow = self.once().list("login.outgoing_allow");
        let mut item = Item {
            values: &self.raw.once,
            folder: self.folder,
            allow: &allow,
            complaints: &mut self.raw.complaints,
        };
        let url = item.url(&format!("{table}.url"));
        let secret = item.secret_of_ours(&format!("{table}.secret"));
        Some(Peer {
            url: url?,
            secret: secret?,
        })
    }
}

/// What the login backend's engine goes by.
fn login_settings(values: &Values) -> LoginSettings {
    let seconds = |key: &str| values.seconds(&format!("login.{key}"));
    let count = |key: &str| values.count_of(&format!("login.{key}"));
    let hourly = |key: &str| {
        let burst = count(key);
        Rate {
            burst,
            each: Lifetime::from_millis(3_600_000 / i64::from(burst.max(1))),
        }
    };
    let is = |key: &str, word: &str| values.text(&format!("login.{key}")) == word;
    let consent = values.text("login.consent_version");
    LoginSettings {
        bind_policy: match is("bind_policy", "optional") {
            true => BindPolicy::Optional,
            false => BindPolicy::PhoneRequired,
        },
        merge_policy: match is("merge_policy", "auto") {
            true => MergePolicy::Auto,
            false => MergePolicy::Confirm,
        },
        consent_version: Some(consent).filter(|version| !version.is_empty()),
        transaction_life: seconds("transaction_life"),
        ticket_life: seconds("ticket_life"),
        proof_life: seconds("proof_life"),
        replay_life: seconds("replay_life"),
        exchange_patience: seconds("exchange_patience"),
        access_life: seconds("access_life"),
        refresh_idle: seconds("refresh_idle"),
        session_absolute: seconds("session_absolute"),
        refresh_grace: seconds("refresh_grace"),
        device_policy: match values.text("login.device_policy").as_str() {
            "one_per_platform" => DevicePolicy::OnePerPlatform,
            "exclusive" => DevicePolicy::Exclusive,
            _ => DevicePolicy::Concurrent,
        },
        yields: match is("yields", "new") {
            true => Yields::New,
            false => Yields::Old,
        },
        session_limit: count("session_limit"),
        device_on_every_call: values.flag("login.device_on_every_call"),
        deletion_delay: seconds("deletion_delay"),
        replace_delay: seconds("replace_delay"),
        merge_undo: seconds("merge_undo"),
        recycle_after: seconds("recycle_after"),
        expose_upstream_token: values.flag("login.expose_upstream_token"),
        verify_upstream: match values.given_number("login.verify_upstream") {
            Some(age) => VerifyUpstream::Every(Lifetime::seconds(age)),
            None if is("verify_upstream", "on_relogin") => VerifyUpstream::OnRelogin,
            None => VerifyUpstream::Never,
        },
        upstream_trust: seconds("upstream_trust"),
        passcode_life: seconds("passcode_life"),
        passcode_resend: seconds("passcode_resend"),
        passcode_attempts: count("passcode_attempts"),
        passcodes_hourly: count("passcodes_hourly"),
        passcodes_daily: count("passcodes_daily"),
        address_passcodes: hourly("address_passcodes"),
        network_passcodes: hourly("network_passcodes"),
        device_passcodes: hourly("device_passcodes"),
        country_passcodes: hourly("country_passcodes"),
        all_passcodes: hourly("all_passcodes"),
        countries: values.list("login.countries"),
        address_failures: rate(values, "login.address_failures", Lifetime::seconds(10)),
        address_transactions: rate(values, "login.address_transactions", Lifetime::seconds(1)),
        ..LoginSettings::default()
    }
}
