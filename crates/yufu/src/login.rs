//! The login backend's role: its data, its ports to other servers, its routes, its workers.

use std::sync::Arc;
use std::time::Duration;

use yufu_core::client::ClientKind;
use yufu_core::identity::UpstreamKind;
use yufu_core::secret::{Entropy, SecretHash};
use yufu_dialects::wechat::call;
use yufu_web::api::upstream::{UpstreamAccess, UpstreamSettings, Upstreams};
use yufu_web::api::{
    Arrivals, LoginFront, LoginHouse, LoginPorts, ReceiptKind, Service, Statuses, login_router,
};
use yufu_web::dev::Inbox;
use yufu_web::fetch::Fetch;

use crate::config::{self, Gateway, GatewayKind, Login, Peer};
use crate::courier::{self, Delivery};
use crate::fetch::{Outbound, OutboundOptions};
use crate::messenger::Gateways;
use crate::peer::{Asked, Emulator};
use crate::ports::SystemEntropy;
use crate::serve::{Ground, OpenRole};
use crate::{chores, home, sweeper};

/// What only the development server has.
pub struct Dev {
    /// Where passcodes land.
    pub inbox: Arc<Inbox>,
}

/// Opens the role.
///
/// # Errors
/// In the user's words, with what to do.
pub async fn role(
    login: Login,
    port: u16,
    ground: &Ground,
    dev: Option<Dev>,
) -> Result<OpenRole, String> {
    check_gateways(&login.gateways, dev.is_some())?;
    let outbound = OutboundOptions {
        dev: dev.is_some(),
        ..login.outbound()
    };
    let fetch: Arc<dyn Fetch> =
        Arc::new(Outbound::new(outbound).map_err(|error| format!("login.outgoing: {error}"))?);
    let home = home::open(
        &login.store_path,
        &ground.options,
        ground.cache_entries,
        &ground.master,
        login.settings.clone(),
        ground.clock.now(),
    )
    .await?;
    let emulator = dev.as_ref().map(|_| {
        let clock = ground.clock.clone();
        Arc::new(Emulator::new(clock))
    });
    let ports = ports(&login, &fetch, emulator.clone());
    let front = front(&login, port, dev.is_some());
    let upstreams = Arc::new(upstreams(&login.upstreams, &fetch));
    let mut gateways = Gateways::new(
        login.gateways,
        fetch.clone(),
        Arc::new(SystemEntropy),
        ground.clock.clone(),
        login.settings.login.passcode_life,
    );
    if let Some(dev) = dev {
        gateways = gateways.and_here("inbox", Delivery::Inbox(dev.inbox));
    }
    let (engine, clock) = (home.engine, ground.clock.clone());
    let house = Arc::new(LoginHouse::new(
        engine.clone(),
        clock.clone(),
        front,
        upstreams.clone(),
        Arc::new(gateways),
        ports,
    ));
    let closing = || ground.closing.clone();
    let workers = vec![
        tokio::spawn(sweeper::run(
            home.store.clone(),
            clock.clone(),
            ground.keep_events,
            closing(),
        )),
        tokio::spawn(chores::keys(engine.clone(), clock.clone(), closing())),
        tokio::spawn(chores::ends(engine.clone(), clock.clone(), closing())),
        tokio::spawn(chores::profiles(
            engine.clone(),
            upstreams.clone(),
            clock.clone(),
            closing(),
        )),
        tokio::spawn(chores::alerts(
            home.store.clone(),
            upstreams.clone(),
            closing(),
        )),
        tokio::spawn(courier::notices::run(
            home.store.clone(),
            login.webhooks,
            fetch,
            clock,
            closing(),
        )),
    ];
    let (closed, finished) = (house.clone(), house.clone());
    Ok(OpenRole {
        store: home.store,
        engine,
        forget: Arc::new(move || {
            upstreams.forget();
            if let Some(emulator) = &emulator {
                emulator.forget();
            }
        }),
        router: login_router(house),
        workers,
        close: Box::new(move || closed.close()),
        // An exchange that nobody waits for any more goes on: its code is spent.
        finish: Box::pin(async move { finished.finished().await }),
    })
}

/// What must be there before anything is opened, and what somebody should know.
fn check_gateways(gateways: &[Gateway], is_dev: bool) -> Result<(), String> {
    for gateway in gateways {
        match &gateway.kind {
            GatewayKind::File(path) => {
                let opened = courier::open_private(path);
                opened.map_err(|error| format!("{}: {error}", path.display()))?;
            }
            GatewayKind::Console if !is_dev => tracing::warn!(
                gateway = gateway.name,
                "PASSCODES GO TO THE STANDARD ERROR STREAM: whoever reads it can take any account"
            ),
            _ => {}
        }
    }
    Ok(())
}

fn upstreams(apps: &[config::Upstream], fetch: &Arc<dyn Fetch>) -> Upstreams {
    let access = |upstream: &config::Upstream| {
        let app = upstream.app.clone();
        let kind = match app.kind {
            // A mini program has no door of its own at the platform.
            UpstreamKind::WechatMobile | UpstreamKind::WechatMini => ClientKind::Mobile,
            UpstreamKind::WechatWebsite => ClientKind::Website,
            UpstreamKind::WechatService => ClientKind::Service,
        };
        let client = call::Upstream::new(kind, app.appid.clone(), upstream.secret.clone());
        let client = match &upstream.base_url {
            Some(origin) => client.at(origin),
            None => client,
        };
        UpstreamAccess {
            app,
            upstream: client,
        }
    };
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let apps = apps.iter().map(access).collect();
    Upstreams::new(apps, fetch.clone(), entropy, UpstreamSettings::default())
}

/// Who else is asked. In development, whoever is not named is emulated.
fn ports(login: &Login, fetch: &Arc<dyn Fetch>, emulator: Option<Arc<Emulator>>) -> LoginPorts {
    let asked = |peer: &Option<Peer>| {
        let peer = peer.clone();
        peer.map(|peer| Arc::new(Asked::new(peer, fetch.clone())))
    };
    let mut ports = LoginPorts::default();
    if let Some(emulator) = emulator {
        ports.carrier = Some(emulator.clone());
        ports.numbers = Some(emulator.clone());
        ports.captcha = Some(emulator);
    }
    if let Some(carrier) = asked(&login.carrier) {
        ports.carrier = Some(carrier);
    }
    if let Some(numbers) = asked(&login.number_history) {
        ports.numbers = Some(numbers);
    }
    if let Some(captcha) = asked(&login.captcha) {
        ports.captcha = Some(captcha);
    }
    ports
}

fn front(login: &Login, port: u16, is_dev: bool) -> LoginFront {
    let services = login.services.iter().map(|service| Service {
        name: service.name.clone(),
        secret: SecretHash::of(service.secret.expose().as_bytes()),
    });
    let pushes = login.upstreams.iter();
    let budget = u64::try_from(login.answer_budget.millis()).unwrap_or(0);
    LoginFront {
        public_url: login.reach.public_url.clone(),
        port,
        trusted_proxies: login.reach.trusted_proxies.clone(),
        public_metrics: login.reach.public_metrics,
        origins: login.origins.clone(),
        statuses: match login.strict {
            true => Statuses::Strict,
            false => Statuses::Compat,
        },
        passcodes: login.phone,
        bind_url: login.bind_url.clone(),
        answer_budget: Duration::from_millis(budget),
        services: services.collect(),
        pushes: pushes.filter_map(|it| it.push.clone()).collect(),
        arrivals: login.gateways.iter().filter_map(arrivals).collect(),
        is_dev,
    }
}

/// How a gateway tells what became of messages, when it was given a key to do so.
fn arrivals(gateway: &Gateway) -> Option<Arrivals> {
    let kind = match &gateway.kind {
        GatewayKind::Aliyun(..) => ReceiptKind::Aliyun,
        GatewayKind::Tencent(..) => ReceiptKind::Tencent,
        GatewayKind::Webhook { peer, .. } => ReceiptKind::Webhook(peer.secret.clone()),
        GatewayKind::Console | GatewayKind::File(_) => return None,
    };
    let key = gateway.receipt_key.as_ref()?;
    Some(Arrivals {
        gateway: gateway.name.clone(),
        kind,
        key: SecretHash::of(key.expose().as_bytes()),
    })
}
