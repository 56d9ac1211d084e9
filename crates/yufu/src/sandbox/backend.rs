//! The login backend beside the platform: the seeded clients are its apps there, passcodes land in
//! the inbox, and nobody has to wait long for anything.

use std::net::SocketAddr;
use std::path::Path;

use yufu_core::client::ClientKind;
use yufu_core::engine::Settings;
use yufu_core::id::ClientId;
use yufu_core::identity::{UpstreamApp, UpstreamKind};
use yufu_core::limit::Rate;
use yufu_core::login::{LoginSettings, VerifyUpstream};
use yufu_core::secret::Secret;
use yufu_core::time::Lifetime;
use yufu_dialects::wechat::push::{AesKey, PushKeys};

use super::{World, login_database};
use crate::config::{Login, Reach, Upstream};

/// Whose apps they are: one account, so one person is one unionid at all of them.
const ACCOUNT: &str = "rooms";
/// The version of the terms that the demo app shows.
pub(super) const TERMS: &str = "2026-01";
/// What signs the pushes that this backend takes: it is on one's own machine, for trying.
const PUSH_TOKEN: &str = "yufu-dev-push";
/// Their EncodingAESKey.
const PUSH_KEY: &str = "yufuDevPushKeyForTryingOnOnesOwnMachineOnly";

/// The settings of the backend of a seeded world.
pub(super) fn settings(
    world: &World,
    folder: &Path,
    platform: &str,
    app: &str,
    listen: SocketAddr,
) -> Login {
    let upstreams = upstreams(world, platform);
    let apps = upstreams.iter().map(|upstream| upstream.app.clone());
    let settings = Settings {
        login: LoginSettings {
            apps: apps.collect(),
            consent_version: Some(TERMS.to_owned()),
            // The platform is next door: asking it each time costs nothing and shows more.
            verify_upstream: VerifyUpstream::OnRelogin,
            ..impatient()
        },
        ..Settings::default()
    };
    Login {
        reach: Reach {
            public_url: format!("http://{listen}"),
            listen,
            trusted_proxies: Vec::new(),
            public_metrics: false,
        },
        store_path: login_database(folder),
        strict: false,
        phone: true,
        origins: vec![app.to_owned()],
        bind_url: String::new(),
        answer_budget: Lifetime::seconds(5),
        outgoing_allow: Vec::new(),
        outgoing_roots: None,
        upstreams,
        gateways: Vec::new(),
        webhooks: Vec::new(),
        services: Vec::new(),
        captcha: None,
        carrier: None,
        number_history: None,
        settings,
    }
}

/// One developer, one telephone: a test run sends more passcodes than any person would, to
/// numbers of every country, and nobody pays for them.
fn impatient() -> LoginSettings {
    let free = Rate {
        burst: 100_000,
        each: Lifetime::seconds(1),
    };
    LoginSettings {
        passcode_resend: Lifetime::from_millis(200),
        passcodes_hourly: 1000,
        passcodes_daily: 1000,
        address_passcodes: free,
        network_passcodes: free,
        device_passcodes: free,
        country_passcodes: free,
        all_passcodes: free,
        address_transactions: free,
        countries: Vec::new(),
        ..LoginSettings::default()
    }
}

fn upstreams(world: &World, platform: &str) -> Vec<Upstream> {
    let kinds = [
        (ClientKind::Mobile, UpstreamKind::WechatMobile),
        (ClientKind::Website, UpstreamKind::WechatWebsite),
        (ClientKind::Service, UpstreamKind::WechatService),
    ];
    let known = kinds.into_iter().filter_map(|(kind, upstream)| {
        let client = world.client(kind)?;
        Some(Upstream {
            app: UpstreamApp {
                name: kind.word().to_owned(),
                kind: upstream,
                appid: ClientId::new(&client.appid),
                union_scope: Some(ACCOUNT.to_owned()),
            },
            secret: Secret::new(&client.secret),
            base_url: Some(platform.to_owned()),
            push: push_keys(&client.appid),
        })
    });
    known.collect()
}

fn push_keys(appid: &str) -> Option<PushKeys> {
    Some(PushKeys {
        token: Secret::new(PUSH_TOKEN),
        aes_key: AesKey::parse(PUSH_KEY)?,
        appid: ClientId::new(appid),
    })
}
