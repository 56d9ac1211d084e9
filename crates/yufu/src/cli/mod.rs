//! The command line. It prints little, and says the next line to type.

mod backend;
mod check;
mod client;
mod control;
mod doctor;
mod identities;
mod launch;
mod manage;
mod overview;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use yufu_store::{Options, SqliteStore};
use yufu_web::clock;

use crate::config::{self, Config};
use crate::home::{self, Home};
use crate::{bench, sandbox, serve};

/// Both halves of third-party login. Without a command: `yufu dev`.
#[derive(Parser)]
#[command(name = "yufu", version, about, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Starts a platform, a login backend and a demo app on this machine; needs nothing.
    Dev(Dev),
    #[command(flatten)]
    Launch(launch::LaunchCommand),
    #[command(flatten)]
    Check(check::CheckCommand),
    #[command(flatten)]
    Control(control::ControlCommand),
    /// Serves the platform, the login backend, or both on the network.
    Serve {
        /// The settings.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Print one line of JSON when ready.
        #[arg(long)]
        json: bool,
    },
    /// Apps: create, show, review, rotate secrets.
    #[command(subcommand)]
    Client(client::ClientCommand),
    /// Who owns apps.
    #[command(subcommand)]
    Developer(manage::DeveloperCommand),
    /// People.
    #[command(subcommand)]
    User(manage::UserCommand),
    /// Codes and tokens: look at one, revoke one, issue a mini program's code.
    #[command(subcommand)]
    Token(manage::TokenCommand),
    /// The logins of your users: bring them in, find people with two accounts, make one of two.
    #[command(subcommand)]
    Identities(identities::IdentitiesCommand),
    /// The accounts of a login backend.
    #[command(subcommand)]
    Users(backend::UsersCommand),
    /// News that a webhook of a login backend did not take.
    #[command(subcommand)]
    Webhooks(backend::WebhooksCommand),
    /// The upstream tokens that a login backend keeps.
    #[command(subcommand)]
    Vault(backend::VaultCommand),
    /// The keys under which secrets are made.
    #[command(subcommand)]
    Keys(backend::KeysCommand),
    /// Checks settings, database, keys, clock and disk, and says what to mend.
    Doctor {
        #[command(flatten)]
        place: Place,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Brings the database to the shape this version needs.
    Migrate {
        #[command(flatten)]
        place: Place,
        /// Only say what would be done.
        #[arg(long)]
        dry_run: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Measures a server: one that it starts itself, or one given by its ready line.
    Bench(bench::BenchOptions),
    /// Writes every page with sample data, for designers.
    Pages {
        /// The folder to write to.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Prints the OpenAPI document of the platform's endpoints.
    #[command(name = "openapi", hide = true)]
    OpenApi,
}

/// The development server.
#[derive(Args, Default)]
struct Dev {
    /// The platform's port; 0 takes a free one.
    #[arg(long, default_value_t = 8420)]
    port: u16,
    /// The demo app's port; the next one unless given.
    #[arg(long)]
    app_port: Option<u16>,
    /// The login backend's port; the platform's and ten more unless given.
    #[arg(long)]
    login_port: Option<u16>,
    /// The forward proxy's port; the platform's and five more unless given.
    #[arg(long)]
    proxy_port: Option<u16>,
    /// Where the proxy listens, instead of at 127.0.0.1; any other address wants --proxy-anywhere.
    #[arg(long, value_name = "ADDRESS")]
    proxy_listen: Option<IpAddr>,
    /// The proxy may listen where other machines reach it: they can send anything through it.
    #[arg(long)]
    proxy_anywhere: bool,
    /// The port of the platform's own names over TLS; the platform's and six more unless given.
    #[arg(long)]
    gate_port: Option<u16>,
    /// Refuse apps that nobody registered, instead of taking them in.
    #[arg(long)]
    no_adopt: bool,
    /// Let other devices of this network reach the phone, and nothing else; at this port.
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = "8427")]
    lan: Option<u16>,
    /// Keep the data in this folder; without it, everything goes at the end.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print one line of JSON when ready.
    #[arg(long)]
    json: bool,
    /// Stop when the standard input ends.
    #[arg(long)]
    until_stdin_closes: bool,
    /// Seconds that a poll is held when nothing is new.
    #[arg(long, value_name = "SECONDS")]
    poll_hold: Option<i64>,
    /// The most pages of 2 KiB that the database may grow to.
    #[arg(long, value_name = "PAGES", hide = true)]
    max_pages: Option<u32>,
}

/// Which house a command works on.
#[derive(Args, Clone)]
pub(crate) struct Place {
    /// The settings of a served house; `yufu.toml` here when neither is given.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// The folder of `yufu dev --data DIR`.
    #[arg(long, value_name = "DIR", conflicts_with = "config", global = true)]
    data: Option<PathBuf>,
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let matches = overview::grouped(Cli::command()).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    quiet_logs();
    if matches!(cli.command, None | Some(Command::Dev(_))) {
        // Some systems give memory in pieces of 2 MiB unasked, of which a house of one developer
        // fills little. Where they cannot be told not to, nothing is lost.
        let _ = rustix::thread::disable_transparent_huge_pages(true);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return say(&format!("no threads could be started: {error}")),
    };
    let command = cli.command.unwrap_or_else(|| {
        Command::Dev(Dev {
            port: 8420,
            ..Dev::default()
        })
    });
    let done = runtime.block_on(execute(command));
    // A thread that still reads the standard input must not hold the end up.
    runtime.shutdown_background();
    match done {
        Ok(code) => code,
        Err(message) => say(&message),
    }
}

fn say(message: &str) -> ExitCode {
    eprintln!("yufu: {message}");
    ExitCode::FAILURE
}

/// Warnings and worse, to the standard error stream.
fn quiet_logs() {
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;
    let level = Targets::new().with_default(LevelFilter::WARN);
    let writer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false);
    let _ = tracing_subscriber::registry()
        .with(level)
        .with(writer)
        .try_init();
}

async fn execute(command: Command) -> Result<ExitCode, String> {
    let done = match command {
        Command::Dev(dev) => {
            sandbox::run(sandbox::DevOptions {
                port: dev.port,
                app_port: dev.app_port,
                login_port: dev.login_port,
                proxy_port: dev.proxy_port,
                proxy_listen: dev.proxy_listen,
                proxy_anywhere: dev.proxy_anywhere,
                gate_port: dev.gate_port,
                data: dev.data,
                json: dev.json,
                lent: false,
                until_stdin_closes: dev.until_stdin_closes,
                poll_hold: dev.poll_hold,
                no_adopt: dev.no_adopt,
                lan: dev.lan,
                max_pages: dev.max_pages,
            })
            .await
        }
        Command::Serve { config, json } => serve::run(read_config(&config)?, json).await,
        // Its status is that of another program.
        Command::Launch(command) => return launch::run(command).await,
        // Its status is a verdict.
        Command::Check(command) => return Ok(check::run(command).await),
        Command::Control(command) => control::run(command).await,
        Command::Client(command) => client::run(command).await,
        Command::Developer(command) => manage::developer(command).await,
        Command::User(command) => manage::user(command).await,
        Command::Token(command) => manage::token(command).await,
        Command::Identities(command) => identities::run(command).await,
        Command::Users(command) => backend::users(command).await,
        Command::Webhooks(command) => backend::webhooks(command).await,
        Command::Vault(command) => backend::vault(command).await,
        Command::Keys(command) => backend::keys(command).await,
        Command::Doctor { place, json } => doctor::run(&place, json).await,
        Command::Migrate {
            place,
            dry_run,
            json,
        } => migrate(&place, dry_run, json),
        Command::Bench(options) => bench::run(options).await,
        Command::Pages { out, json } => pages(&out, json),
        Command::OpenApi => {
            say!("{}", yufu_web::openapi::text().trim_end());
            Ok(())
        }
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// Reads a file of settings with the environment on top.
pub(crate) fn read_config(path: &Path) -> Result<Config, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    config::read(&text, folder, &variable)
        .map_err(|complaints| format!("{} has to be mended:\n{complaints}", path.display()))
}

#[expect(
    clippy::disallowed_methods,
    reason = "settings come from the environment here and nowhere else"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Place {
    /// The settings file, when this place is a served house.
    pub(crate) fn config_path(&self) -> Option<PathBuf> {
        match (&self.config, &self.data) {
            (Some(config), _) => Some(config.clone()),
            (None, Some(_)) => None,
            (None, None) => Some(PathBuf::from("yufu.toml")),
        }
    }

    /// Opens the platform's house.
    pub(crate) async fn open(&self) -> Result<Home, String> {
        self.open_role(Role::Platform).await
    }

    /// Opens the login backend's house.
    pub(crate) async fn open_login(&self) -> Result<Home, String> {
        self.open_role(Role::Login).await
    }

    pub(crate) async fn open_role(&self, role: Role) -> Result<Home, String> {
        let now = clock::real();
        if let Some(data) = &self.data {
            let file = match role {
                Role::Platform => sandbox::database(data),
                Role::Login => sandbox::login_database(data),
            };
            if !file.exists() {
                return Err(format!(
                    "there is no house in {}.\n  Start one with: yufu dev --data {}",
                    data.display(),
                    data.display()
                ));
            }
            let master = sandbox::master_key(data)?;
            let settings = yufu_core::engine::Settings::default();
            return home::open(&file, &Options::default(), 1000, &master, settings, now).await;
        }
        let path = self.config_path().unwrap_or_default();
        if self.config.is_none() && !path.exists() {
            return Err(
                "which house? Give --config yufu.toml, or --data DIR of `yufu dev --data DIR`"
                    .to_owned(),
            );
        }
        let config = read_config(&path)?;
        let options = Options {
            max_pages: config.max_pages,
            ..Options::default()
        };
        let (file, settings) = match role {
            Role::Platform => {
                let platform = config.platform.map(|it| (it.store_path, it.settings));
                platform.ok_or_else(|| absent(&path, "platform"))?
            }
            Role::Login => {
                let login = config.login.map(|it| (it.store_path, it.settings));
                login.ok_or_else(|| absent(&path, "login"))?
            }
        };
        home::open(&file, &options, 1000, &config.master, settings, now).await
    }

    /// The database files, without opening anything.
    pub(crate) fn databases(&self) -> Result<Vec<(Role, PathBuf)>, String> {
        let (platform, login) = match &self.data {
            Some(data) => {
                let login = Some(sandbox::login_database(data)).filter(|file| file.exists());
                (Some(sandbox::database(data)), login)
            }
            None => {
                let config = read_config(&self.config_path().unwrap_or_default())?;
                let platform = config.platform.map(|it| it.store_path);
                (platform, config.login.map(|it| it.store_path))
            }
        };
        let platform = platform.map(|file| (Role::Platform, file));
        let login = login.map(|file| (Role::Login, file));
        Ok(platform.into_iter().chain(login).collect())
    }
}

fn absent(path: &Path, role: &str) -> String {
    format!("{} has no [{role}]", path.display())
}

/// Which of the two halves.
#[derive(Clone, Copy)]
pub(crate) enum Role {
    /// The platform.
    Platform,
    /// The login backend.
    Login,
}

fn migrate(place: &Place, dry_run: bool, json: bool) -> Result<(), String> {
    for (_, path) in place.databases()? {
        migrate_file(&path, dry_run, json)?;
    }
    Ok(())
}

fn migrate_file(path: &Path, dry_run: bool, json: bool) -> Result<(), String> {
    let before = if path.exists() {
        let schema = SqliteStore::inspect(path).map_err(|error| error.to_string())?;
        (
            schema.version,
            schema.pending.iter().map(ToString::to_string).collect(),
        )
    } else {
        (0, vec!["a new database".to_owned()])
    };
    let (version, pending): (_, Vec<String>) = before;
    if !dry_run {
        let store = SqliteStore::open(path, &Options::default()).map_err(|e| e.to_string())?;
        store.close();
    }
    if json {
        say!(
            "{}",
            serde_json::json!({"file": path, "version": version, "pending": pending, "done": !dry_run})
        );
    } else if pending.is_empty() {
        say!("{} is up to date (version {version})", path.display());
    } else if dry_run {
        say!("{}: would apply {}", path.display(), pending.join(", "));
    } else {
        say!("{}: applied {}", path.display(), pending.join(", "));
    }
    Ok(())
}

fn pages(out: &Path, json: bool) -> Result<(), String> {
    let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    let assets = out.join("assets");
    std::fs::create_dir_all(&assets).map_err(|error| failed(&assets, error))?;
    let gallery = yufu_web::view::gallery();
    for (name, html) in &gallery {
        // Opened from the folder itself, so assets are found beside the page.
        let html = html.replace("\"/assets/", "\"assets/");
        let path = out.join(name);
        std::fs::write(&path, html).map_err(|error| failed(&path, error))?;
    }
    for name in yufu_web::view::asset_names() {
        if let Some(asset) = yufu_web::view::asset(name) {
            let path = assets.join(name);
            std::fs::write(&path, asset.bytes).map_err(|error| failed(&path, error))?;
        }
    }
    let index: String = gallery
        .iter()
        .map(|(name, _)| format!("<li><a href=\"{name}\">{name}</a></li>\n"))
        .collect();
    let page = format!(
        "<!DOCTYPE html><meta charset=\"utf-8\"><title>yufu pages</title><ul>\n{index}</ul>\n"
    );
    let path = out.join("index.html");
    std::fs::write(&path, page).map_err(|error| failed(&path, error))?;
    if json {
        say!(
            "{}",
            serde_json::json!({"pages": gallery.len(), "index": path})
        );
    } else {
        say!("{} pages. Open {}", gallery.len(), path.display());
    }
    Ok(())
}
