//! `yufu dev`: the same house as `serve`, with a seeded world, an inbox, a login backend and a demo
//! app beside it.

pub mod adopt;
pub mod authority;
mod backend;
pub mod control;
pub mod demo;
pub mod events;
pub mod fault;
pub mod flow;
pub mod hand;
mod lan;
mod patience;
pub mod proxy;
pub mod screens;
mod seed;
pub mod seen;
pub mod snapshot;
pub mod span;
pub mod state;
pub mod tap;
pub mod time;
mod veil;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use yufu_core::engine::Settings;
use yufu_core::id::UserId;
use yufu_core::keyring::MasterKey;
use yufu_core::secret::Secret;
use yufu_core::time::Lifetime;
use yufu_store::{Options, SqliteStore};
use yufu_web::clock::{self, Clock};
use yufu_web::dev::{Dev, Inbox};
use yufu_web::house::Front;
use yufu_web::{House, router};

use crate::courier::{self, Delivery};
use crate::home::Home;
use crate::launch::found::{self, Published, Ready};
use crate::launch::ledger::Ledger;
use crate::ports::SystemEntropy;
use crate::serve::{Ground, OpenRole};
use crate::{home, listen, login, serve, sweeper};

use authority::Authority;
use control::guard;
pub use seed::{SeededClient, SeededPerson, World};
use seen::Behind;
use snapshot::Shelf;
pub use state::{Addresses, Sandbox};

/// How `yufu dev` was asked to run.
#[derive(Clone, Debug)]
pub struct DevOptions {
    /// The platform's port; 0 for a free one.
    pub port: u16,
    /// The demo app's port; the platform's and one more unless that is 0.
    pub app_port: Option<u16>,
    /// The login backend's port; the platform's and ten more unless that is 0.
    pub login_port: Option<u16>,
    /// The forward proxy's port; the platform's and five more unless that is 0.
    pub proxy_port: Option<u16>,
    /// Where the proxy listens, instead of at 127.0.0.1.
    pub proxy_listen: Option<IpAddr>,
    /// The proxy may listen where others than this machine reach it.
    pub proxy_anywhere: bool,
    /// The port of the platform's own names over TLS; the platform's and six more unless that is 0.
    pub gate_port: Option<u16>,
    /// Do not take in apps that nobody registered.
    pub no_adopt: bool,
    /// The port at which other devices of the network reach the phone, and it alone.
    pub lan: Option<u16>,
    /// Where to keep the data; a temporary folder that goes with the process when absent.
    pub data: Option<PathBuf>,
    /// Print one line of JSON when ready.
    pub json: bool,
    /// It is for one command, and ends with it.
    pub lent: bool,
    /// Stop when the standard input ends.
    pub until_stdin_closes: bool,
    /// Seconds that a poll is held, to make tests quick.
    pub poll_hold: Option<i64>,
    /// The most pages of the database, to try a full disk.
    pub max_pages: Option<u32>,
}

/// The folder of a run, removed at its end when it is temporary.
pub(crate) struct Folder {
    /// Where it is.
    pub(crate) path: PathBuf,
    temporary: bool,
}

impl Folder {
    fn open(asked: Option<&Path>) -> Result<Self, String> {
        match asked {
            Some(path) => Self::make(path.to_owned(), false),
            None => Self::temporary("yufu"),
        }
    }

    /// A folder among the temporary files, with a name that nobody guesses.
    pub(crate) fn temporary(name: &str) -> Result<Self, String> {
        let mut bytes = [0; 8];
        yufu_core::secret::Entropy::fill(&SystemEntropy, &mut bytes);
        let name = format!("{name}-{}", yufu_core::keyring::hex(&bytes));
        Self::make(std::env::temp_dir().join(name), true)
    }

    fn make(path: PathBuf, temporary: bool) -> Result<Self, String> {
        make_private(&path).map_err(|error| {
            let remedy = match temporary {
                true => "Give another place for temporary files with TMPDIR.",
                false => "Give another folder with --data.",
            };
            format!("{} cannot be made: {error}.\n  {remedy}", path.display())
        })?;
        let path = path.canonicalize().unwrap_or(path);
        Ok(Self { path, temporary })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.temporary {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// Makes a folder that only its owner may look into.
pub(crate) fn make_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

/// Writes a file that only its owner may read.
pub(crate) fn write_private(path: &Path, content: impl AsRef<[u8]>) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content.as_ref())
}

/// The master key of a data folder: read, or made at the first start.
///
/// # Errors
/// In the user's words.
pub fn master_key(folder: &Path) -> Result<MasterKey, String> {
    let path = folder.join("yufu.key");
    match std::fs::read_to_string(&path) {
        Ok(text) => MasterKey::parse(&text)
            .ok_or_else(|| format!("{} is no master key: 64 hexadecimal digits", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if database(folder).exists() {
                return Err(format!(
                    "{} is gone, and the database beside it cannot be read without it.\n  Put the key back, or give another folder with --data.",
                    path.display()
                ));
            }
            found_key(&path)
                .map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
            master_key(folder)
        }
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}

/// Draws a key and puts it in its place whole, unless another process just did.
fn found_key(path: &Path) -> std::io::Result<()> {
    let draft = path.with_extension(format!("{}.draft", std::process::id()));
    write_private(&draft, MasterKey::draw(&SystemEntropy).write().expose())?;
    let placed = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    match placed {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        placed => placed,
    }
}

/// The database of a data folder.
pub fn database(folder: &Path) -> PathBuf {
    folder.join("yufu.db")
}

/// The login backend's database of a data folder.
pub fn login_database(folder: &Path) -> PathBuf {
    folder.join("login.db")
}

/// The addresses of a run, all of them on this machine.
struct Doors {
    platform: Door,
    app: Door,
    login: Door,
    proxy: Door,
    gate: Door,
}

/// A listener, and the address that leads to it.
struct Door {
    listener: TcpListener,
    address: SocketAddr,
    url: String,
}

impl Door {
    async fn open(port: u16) -> Result<Self, String> {
        Self::open_at(Ipv4Addr::LOCALHOST.into(), port).await
    }

    async fn open_at(ip: IpAddr, port: u16) -> Result<Self, String> {
        let listener = listen::bind(SocketAddr::from((ip, port))).await?;
        let address = listener.local_addr().map_err(|e| e.to_string())?;
        Ok(Self {
            listener,
            address,
            url: format!("http://{address}"),
        })
    }

    fn serve(self, router: axum::Router, closing: &watch::Receiver<bool>) -> JoinHandle<()> {
        tokio::spawn(listen::serve(self.listener, None, router, closing.clone()))
    }
}

impl Doors {
    /// All at once: an address in use is the commonest fault, and nothing was written yet.
    async fn open(options: &DevOptions) -> Result<Self, String> {
        let beside = |asked: Option<u16>, more: u16| match (asked, options.port) {
            (Some(asked), _) => asked,
            (None, 0) => 0,
            (None, port) => port.checked_add(more).unwrap_or(0),
        };
        let proxy = proxy::place(options.proxy_listen, options.proxy_anywhere)?;
        Ok(Self {
            platform: Door::open(options.port).await?,
            app: Door::open(beside(options.app_port, 1)).await?,
            login: Door::open(beside(options.login_port, 10)).await?,
            proxy: Door::open_at(proxy, beside(options.proxy_port, 5)).await?,
            gate: Door::open(beside(options.gate_port, 6)).await?,
        })
    }
}

impl Doors {
    fn addresses(&self) -> Addresses {
        Addresses {
            platform: self.platform.url.clone(),
            app: self.app.url.clone(),
            login: self.login.url.clone(),
            proxy: here(self.proxy.address),
            gate: self.gate.address,
        }
    }
}

/// The address by which this machine's own programs reach a listener.
fn here(listening: SocketAddr) -> SocketAddr {
    let mut address = listening;
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    address
}

/// A secret for this run: 32 hexadecimal digits.
fn draw_token() -> Secret {
    let mut bytes = [0; 16];
    yufu_core::secret::Entropy::fill(&SystemEntropy, &mut bytes);
    Secret::new(yufu_core::keyring::hex(&bytes))
}

/// The platform's settings in development.
fn settings(options: &DevOptions) -> Settings {
    let mut settings = Settings::default();
    if let Some(seconds) = options.poll_hold {
        settings.poll_hold = Lifetime::seconds(seconds.clamp(0, 120));
    }
    // One developer, one phone: a test run signs in more often than any person would.
    settings.number_passcodes.burst = 1000;
    settings.address_passcodes.burst = 1000;
    settings.address_authorizations.burst = 1_000_000;
    settings
}

/// A sandbox that answers.
pub struct Running {
    /// What it says to scripts and to other commands.
    pub ready: Ready,
    /// What its parts share.
    pub sandbox: Arc<Sandbox>,
    stop: watch::Sender<bool>,
    roles: [OpenRole; 2],
    servers: Vec<JoinHandle<()>>,
    published: Option<Published>,
    folder: Folder,
}

/// Runs the development server until it is asked to stop.
///
/// # Errors
/// In the user's words, with what to do.
pub async fn run(options: DevOptions) -> Result<(), String> {
    let mut signals = serve::Signals::hear()?;
    let running = start(&options).await?;
    say!("{}", words(&options, &running.ready));
    if options.until_stdin_closes {
        tokio::select! {
            () = signals.asked_to_stop() => {}
            () = stdin_closes() => {}
        }
    } else {
        signals.asked_to_stop().await;
    }
    running.end().await;
    Ok(())
}

/// Starts everything; when this answers, so do all doors.
///
/// # Errors
/// In the user's words, with what to do.
pub async fn start(options: &DevOptions) -> Result<Running, String> {
    let doors = Doors::open(options).await?;
    let folder = Folder::open(options.data.as_deref())?;
    // Files that are not ours are refused before anything is written beside them.
    for file in [database(&folder.path), login_database(&folder.path)] {
        SqliteStore::inspect(&file).map_err(|error| error.to_string())?;
    }
    let (stop, closing) = watch::channel(false);
    let ground = Ground {
        clock: Arc::new(Clock::default()),
        master: master_key(&folder.path)?,
        options: Options {
            max_pages: options.max_pages,
            ..Options::default()
        },
        cache_entries: 100_000,
        keep_events: Lifetime::days(180),
        closing: closing.clone(),
    };
    let founded = found_file(login_database(&folder.path), &ground.options);
    let opened = home::open(
        &database(&folder.path),
        &ground.options,
        ground.cache_entries,
        &ground.master,
        settings(options),
        ground.clock.now(),
    )
    .await;
    let _ = founded.await;
    let home = opened?;
    let now = ground.clock.now();
    let (platform, app, backend) = (&doors.platform.url, &doors.app.url, &doors.login);
    let is_new = !seed::file(&folder.path).exists();
    let world = seed::world(&home.engine, &folder.path, platform, app, now).await?;
    let asked = backend::settings(&world, &folder.path, platform, app, backend.address);
    let inbox = Arc::new(Inbox::default());
    let dev = login::Dev {
        inbox: inbox.clone(),
    };
    let login = login::role(asked, backend.address.port(), &ground, Some(dev)).await?;
    let (house, platform) = platform_role(home, &world, &doors, inbox.clone(), &ground);
    let (token, addresses) = (draw_token(), doors.addresses());
    let keeper = guard::Keeper::new(token.clone(), &addresses);
    let demo = demo::router(demo::Demo::new(&world, &doors));
    let authority = Arc::new(Authority::open(&folder.path, !folder.temporary)?);
    let ca = authority.write(&folder.path)?;
    let demo = guard::entrance(demo, &keeper);
    let shelf = Shelf::new(&folder.path, &platform, &login);
    if is_new {
        // Before anything can be changed; whoever needs it waits for it.
        shelf.keep_seed(&world)?;
    }
    let sandbox = Arc::new(Sandbox {
        house,
        platform_store: platform.store.clone(),
        login_store: login.store.clone(),
        clock: ground.clock.clone(),
        inbox,
        world: std::sync::RwLock::new(world),
        editing: tokio::sync::Mutex::default(),
        began: clock::real(),
        token,
        addresses,
        folder: folder.path.clone(),
        authority,
        ca,
        traffic: Arc::default(),
        launches: Ledger::default(),
        faults: fault::Desk::default(),
        flows: flow::Book::default(),
        auto: std::sync::Mutex::default(),
        adopter: adopt::Adopter::new(!options.no_adopt),
        phones: hand::Phones::default(),
        screens: screens::Screens::default(),
        shelf,
    });
    flow::introduce(&sandbox);
    for person in &sandbox.world().people {
        if let Some(user) = UserId::parse(&person.id) {
            sandbox.phones.set_installed(user, person.installed);
        }
    }
    for client in &sandbox.world().clients {
        if client.adopted && client.secret.is_empty() {
            sandbox.adopter.awaits(&client.appid);
        }
    }
    let lan = match options.lan {
        Some(port) => Some(lan::Door::open(port).await?),
        None => None,
    };
    let ready = Ready {
        lan: lan.as_ref().map(lan::Door::url),
        lent: options.lent,
        ..ready(&sandbox)
    };
    let watched = |router| {
        let router = guard::around(veil::over(router, &sandbox), &keeper);
        let router = screens::watch(router, &sandbox);
        let router = adopt::before(router, &sandbox);
        let router = events::watch(router, &sandbox);
        patience::around(tap::around(router, &sandbox, Behind::Platform))
    };
    let plain = sandbox.shelf.around_platform(platform.router.clone());
    let platform_router = watched(plain.clone().merge(control::routes(sandbox.clone())));
    let plain_login = sandbox.shelf.around_login(login.router.clone());
    let login_router = patience::around(tap::around(plain_login, &sandbox, Behind::Login));
    // Under the platform's own names there is the platform and nothing of the sandbox's.
    let parts = proxy::Parts {
        platform: watched(plain),
        own: doors.proxy.address,
        doors: [&doors.platform, &doors.app, &doors.login]
            .map(|door| door.address.port())
            .to_vec(),
        authority: &sandbox.authority,
        traffic: sandbox.traffic.clone(),
        closing: closing.clone(),
    };
    let proxy = proxy::open(parts, |apps| tap::around(apps, &sandbox, Behind::App))?;
    let demo = tap::around(demo, &sandbox, Behind::Demo);
    let mut servers = vec![
        tokio::spawn(proxy.serve(doors.proxy.listener, doors.gate.listener)),
        doors.platform.serve(platform_router, &closing),
        doors.login.serve(login_router, &closing),
        doors.app.serve(patience::around(demo), &closing),
    ];
    if let Some(door) = lan {
        let router = patience::around(door.router(&sandbox));
        servers.push(tokio::spawn(listen::serve(
            door.listener,
            None,
            router,
            closing.clone(),
        )));
    }
    let published = match found::publish(&ready) {
        Ok(published) => Some(published),
        Err(words) => {
            tracing::warn!("{words}");
            None
        }
    };
    Ok(Running {
        ready,
        sandbox,
        stop,
        roles: [platform, login],
        servers,
        published,
        folder,
    })
}

impl Running {
    /// Lets answers under way finish, and leaves nothing behind.
    pub async fn end(self) {
        drop(self.published);
        let [platform, login] = self.roles;
        (platform.close)();
        (login.close)();
        self.sandbox.flows.close();
        let _ = self.stop.send(true);
        for server in self.servers {
            let _ = server.await;
        }
        tokio::join!(platform.end(), login.end());
        drop(self.folder);
    }
}

/// Makes a new database file on a thread of its own: it takes many flushes, and the platform's
/// file needs as many at the same time. What goes wrong is told when the file is opened.
fn found_file(file: PathBuf, options: &Options) -> JoinHandle<()> {
    let options = options.clone();
    tokio::task::spawn_blocking(move || {
        if !file.exists()
            && let Ok(store) = SqliteStore::open(&file, &options)
        {
            store.close();
        }
    })
}

/// The platform over its data.
fn platform_role(
    home: Home,
    world: &World,
    doors: &Doors,
    inbox: Arc<Inbox>,
    ground: &Ground,
) -> (Arc<House>, OpenRole) {
    let front = Front {
        public_url: doors.platform.url.clone(),
        port: doors.platform.address.port(),
        trusted_proxies: Vec::new(),
        poll_host: String::new(),
        in_client_agent: String::new(),
        public_metrics: false,
    };
    let dev = Dev::new(doors.app.url.clone(), inbox.clone());
    world.show(&dev);
    let clock = ground.clock.clone();
    let house = Arc::new(House::new(home.engine, clock.clone(), front, Some(dev)));
    let workers = vec![
        tokio::spawn(courier::run(
            home.store.clone(),
            Delivery::Inbox(inbox),
            clock.clone(),
            house.engine.settings().passcode_life,
            ground.closing.clone(),
        )),
        tokio::spawn(sweeper::run(
            home.store.clone(),
            clock,
            ground.keep_events,
            ground.closing.clone(),
        )),
    ];
    let closed = house.clone();
    let role = OpenRole {
        store: home.store,
        engine: house.engine.clone(),
        forget: Arc::new(|| {}),
        router: router(house.clone()),
        workers,
        close: Box::new(move || closed.close()),
        finish: Box::pin(async {}),
    };
    (house, role)
}

/// Waits for the end of the standard input. The read sits on a thread of its own, so the process
/// must not wait for that thread when it ends for another reason.
async fn stdin_closes() {
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let _ = std::io::copy(&mut stdin, &mut std::io::sink());
        let _ = tell.send(());
    });
    let _ = told.await;
}

/// What a sandbox says of itself.
pub(crate) fn ready(sandbox: &Sandbox) -> Ready {
    let addresses = &sandbox.addresses;
    let world = sandbox.world.read();
    let world = world.unwrap_or_else(std::sync::PoisonError::into_inner);
    Ready {
        platform: addresses.platform.clone(),
        app: addresses.app.clone(),
        login: addresses.login.clone(),
        token: sandbox.token.expose().to_owned(),
        proxy: format!("http://{}", addresses.proxy),
        gate: addresses.gate.to_string(),
        ca: sandbox.ca.root.clone(),
        spki: sandbox.authority.spki_sha256_base64(),
        data_dir: sandbox.folder.clone(),
        pid: std::process::id(),
        began: sandbox.began.0,
        lan: None,
        lent: false,
        clients: world.clients.clone(),
        people: world.people.clone(),
    }
}

/// What is said when everything answers: one line for scripts, or a few for people.
fn words(options: &DevOptions, ready: &Ready) -> String {
    if options.json {
        return ready.line();
    }
    let mut lines = vec![
        format!(
            "yufu dev is ready. Click here first:  {}/?token={}",
            ready.app, ready.token
        ),
        format!("  platform  {}", ready.platform),
        format!("  login     {}", ready.login),
    ];
    if let Some(lan) = &ready.lan {
        lines.push(format!("  phone     {lan}  (for others on this network)"));
    }
    lines.extend(ready.clients.iter().map(|client| {
        let (kind, appid, secret) = (&client.kind, &client.appid, &client.secret);
        format!("  {kind:8}  {appid}  {secret}  {}", client.name)
    }));
    let people = ready.people.iter();
    let people: Vec<String> = people
        .map(|person| format!("{} {}", person.name, person.phone))
        .collect();
    let password = ready
        .people
        .first()
        .map_or("", |person| person.password.as_str());
    lines.push(format!(
        "  people    {} (password {password})",
        people.join(", ")
    ));
    if options.data.is_some() {
        lines.push(format!("  data      {}", ready.data_dir.display()));
    }
    lines.push("Stop with Ctrl-C.".to_owned());
    lines.join("\n")
}
