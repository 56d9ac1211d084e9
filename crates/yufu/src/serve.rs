//! `yufu serve`: the house on the network. A process is the platform, the login backend, or both:
//! two roles beside each other, with a listener, an address and a database of their own.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use yufu_core::engine::Engine;
use yufu_core::keyring::MasterKey;
use yufu_core::time::Lifetime;
use yufu_store::{Options, SqliteStore};
use yufu_web::clock::Clock;
use yufu_web::house::Front;
use yufu_web::{House, router};

use crate::config::{Config, Login, Platform, Reach};
use crate::courier::{self, Delivery};
use crate::{chores, home, listen, login, sweeper};

/// What the roles share.
pub struct Ground {
    /// The time.
    pub clock: Arc<Clock>,
    /// Sealing keys come from it.
    pub master: MasterKey,
    /// How databases are opened.
    pub options: Options,
    /// Entries of a cache.
    pub cache_entries: usize,
    /// How long the audit is kept.
    pub keep_events: Lifetime,
    /// Said when the server stops.
    pub closing: watch::Receiver<bool>,
}

/// A role that is open: its data, what answers its requests, and what works beside them.
pub struct OpenRole {
    /// The data.
    pub store: SqliteStore,
    /// The rules over them.
    pub engine: Arc<Engine>,
    /// Forgets what is in memory alone, after the data was exchanged for others.
    pub forget: Arc<dyn Fn() + Send + Sync>,
    /// All its routes.
    pub router: Router,
    /// Tasks that end when the server stops.
    pub workers: Vec<JoinHandle<()>>,
    /// Lets those who wait hear that the server stops.
    pub close: Box<dyn Fn() + Send>,
    /// Waits for what was begun and outlives its caller; after the last answer.
    pub finish: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// A role's place on the network.
struct Door {
    /// The key of its address in the line that says ready, and of its listener there.
    words: (&'static str, &'static str),
    url: String,
    listener: TcpListener,
    address: SocketAddr,
}

impl Door {
    async fn open(words: (&'static str, &'static str), reach: &Reach) -> Result<Self, String> {
        let listener = listen::bind(reach.listen).await?;
        let address = listener.local_addr().map_err(|e| e.to_string())?;
        Ok(Self {
            words,
            url: reach.public_url.clone(),
            listener,
            address,
        })
    }
}

/// Runs until a signal asks it to stop.
///
/// # Errors
/// In the user's words, with what to do.
pub async fn run(config: Config, json: bool) -> Result<(), String> {
    let mut signals = Signals::hear()?;
    let tls = match &config.tls {
        Some((certificate, key)) => Some(listen::tls(certificate, key)?),
        None => None,
    };
    let (stop, closing) = watch::channel(false);
    let ground = Ground {
        clock: Arc::new(Clock::default()),
        master: config.master,
        options: Options {
            max_pages: config.max_pages,
            ..Options::default()
        },
        cache_entries: config.cache_entries,
        keep_events: config.keep_events,
        closing: closing.clone(),
    };
    let mut roles = Vec::new();
    let opened = open(config.platform, config.login, &ground, &mut roles).await;
    let mut servers = Vec::new();
    let mut open = Vec::new();
    if opened.is_ok() {
        say_ready(roles.iter().map(|(door, _)| door), json);
    }
    for (door, role) in roles {
        if opened.is_ok() {
            let (tls, router) = (tls.clone(), role.router.clone());
            servers.push(tokio::spawn(listen::serve(
                door.listener,
                tls,
                router,
                closing.clone(),
            )));
        }
        open.push(role);
    }
    if opened.is_ok() {
        signals.asked_to_stop().await;
    }
    for role in &open {
        (role.close)();
    }
    let _ = stop.send(true);
    for server in servers {
        let _ = server.await;
    }
    for role in open {
        role.end().await;
    }
    opened
}

/// Opens every role. One that is open when another fails is in `roles`, to be closed again.
async fn open(
    platform: Option<Platform>,
    login: Option<Login>,
    ground: &Ground,
    roles: &mut Vec<(Door, OpenRole)>,
) -> Result<(), String> {
    // All listeners first: an address in use is the commonest fault, and nothing was written yet.
    let platform = match platform {
        Some(platform) => {
            let door = Door::open(("platform", "listen"), &platform.reach).await?;
            Some((door, platform))
        }
        None => None,
    };
    let login = match login {
        Some(login) => {
            let door = Door::open(("login", "login_listen"), &login.reach).await?;
            Some((door, login))
        }
        None => None,
    };
    if let Some((door, platform)) = platform {
        let role = platform_role(platform, door.address.port(), ground).await?;
        roles.push((door, role));
    }
    if let Some((door, login)) = login {
        let role = login::role(login, door.address.port(), ground, None).await?;
        roles.push((door, role));
    }
    Ok(())
}

fn say_ready<'a>(doors: impl Iterator<Item = &'a Door>, json: bool) {
    let mut line = serde_json::Map::new();
    for door in doors {
        if json {
            line.insert(door.words.0.to_owned(), door.url.clone().into());
            line.insert(door.words.1.to_owned(), door.address.to_string().into());
        } else {
            let what = match door.words.0 {
                "platform" => "yufu serves",
                _ => "yufu logs in at",
            };
            say!("{what} {} on {}", door.url, door.address);
        }
    }
    if json {
        say!("{}", serde_json::Value::Object(line));
    }
}

impl OpenRole {
    /// Waits for what is under way and for the workers, who were told to end, and closes the data.
    pub async fn end(self) {
        self.finish.await;
        for worker in self.workers {
            let _ = worker.await;
        }
        let store = self.store;
        let _ = tokio::task::spawn_blocking(move || store.close()).await;
    }
}

async fn platform_role(platform: Platform, port: u16, ground: &Ground) -> Result<OpenRole, String> {
    if let Some(path) = &platform.sms_file {
        courier::open_private(path).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let home = home::open(
        &platform.store_path,
        &ground.options,
        ground.cache_entries,
        &ground.master,
        platform.settings,
        ground.clock.now(),
    )
    .await?;
    let front = Front {
        public_url: platform.reach.public_url,
        port,
        trusted_proxies: platform.reach.trusted_proxies,
        poll_host: platform.poll_host,
        in_client_agent: platform.in_client_agent,
        public_metrics: platform.reach.public_metrics,
    };
    let house = Arc::new(House::new(home.engine, ground.clock.clone(), front, None));
    let delivery = platform.sms_file.map_or(Delivery::Stderr, Delivery::File);
    let workers = vec![
        tokio::spawn(courier::run(
            home.store.clone(),
            delivery,
            ground.clock.clone(),
            house.engine.settings().passcode_life,
            ground.closing.clone(),
        )),
        tokio::spawn(sweeper::run(
            home.store.clone(),
            ground.clock.clone(),
            ground.keep_events,
            ground.closing.clone(),
        )),
        tokio::spawn(chores::keys(
            house.engine.clone(),
            ground.clock.clone(),
            ground.closing.clone(),
        )),
    ];
    Ok(OpenRole {
        store: home.store,
        engine: house.engine.clone(),
        forget: Arc::new(|| {}),
        router: router(house.clone()),
        workers,
        close: Box::new(move || house.close()),
        finish: Box::pin(async {}),
    })
}

/// SIGTERM, SIGINT and SIGHUP (a terminal that was closed), heard from the moment this is made: before anybody is told that the server
/// is ready, or whoever stops it at once would cut it off.
pub struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// When signals cannot be heard.
    pub fn hear() -> Result<Self, String> {
        let hear = |kind| signal(kind).map_err(|error| format!("signals cannot be heard: {error}"));
        Ok(Self {
            term: hear(SignalKind::terminate())?,
            int: hear(SignalKind::interrupt())?,
            hup: hear(SignalKind::hangup())?,
        })
    }

    /// Waits for any of them.
    pub async fn asked_to_stop(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
            _ = self.hup.recv() => {}
        }
    }
}

/// Waits for SIGTERM or SIGINT from now on.
///
/// # Errors
/// When signals cannot be heard.
pub async fn asked_to_stop() -> Result<(), String> {
    Signals::hear()?.asked_to_stop().await;
    Ok(())
}
