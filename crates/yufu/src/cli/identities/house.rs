//! Which login backend a command works on, and how it is opened.

use std::path::{Path, PathBuf};

use clap::Args;
use yufu_core::engine::Settings;
use yufu_core::keyring::MasterKey;
use yufu_core::login::LoginSettings;
use yufu_core::store::Store;
use yufu_core::store::memory::MemoryStore;
use yufu_store::{Options, SqliteStore};
use yufu_web::clock;

use crate::cli::{Place, read_config};
use crate::home::{self, Home};
use crate::sandbox;

/// Which login backend a command works on, and how it answers.
#[derive(Args, Clone)]
pub(crate) struct House {
    #[command(flatten)]
    place: Place,
    /// A login backend's database by itself, without its settings.
    #[arg(long, value_name = "FILE", global = true, conflicts_with_all = ["config", "data"])]
    store: Option<PathBuf>,
    /// The master key of that database, where something is signed or merged.
    #[arg(long, value_name = "FILE", global = true, requires = "store")]
    master_key_file: Option<PathBuf>,
    /// Print JSON.
    #[arg(long, global = true)]
    pub(super) json: bool,
}

impl House {
    /// The words that lead to this house, for the next command to type.
    pub(super) fn words(&self) -> String {
        let word = |option: &str, path: &Option<PathBuf>| {
            let path = path.as_ref()?;
            Some(format!(" {option} {}", path.display()))
        };
        [
            word("--config", &self.place.config),
            word("--data", &self.place.data),
            word("--store", &self.store),
            word("--master-key-file", &self.master_key_file),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The database file, how it is opened, and the rules of the house.
    fn file(&self) -> Result<(PathBuf, Options, LoginSettings), String> {
        if let Some(file) = &self.store {
            return Ok((file.clone(), Options::default(), LoginSettings::default()));
        }
        if let Some(data) = &self.place.data {
            let file = sandbox::login_database(data);
            return Ok((file, Options::default(), LoginSettings::default()));
        }
        let path = self.place.config_path().unwrap_or_default();
        if self.place.config.is_none() && !path.exists() {
            return Err(nowhere());
        }
        let config = read_config(&path)?;
        let login = config.login;
        let login = login.ok_or_else(|| format!("{} has no [login]", path.display()))?;
        let options = Options {
            max_pages: config.max_pages,
            ..Options::default()
        };
        Ok((login.store_path, options, login.settings.login))
    }

    /// The rules of the house alone; the usual ones where none is named.
    pub(super) fn settings(&self) -> Result<LoginSettings, String> {
        let is_named = self.place.config.is_some() || self.place.data.is_some();
        if is_named || self.store.is_some() || Path::new("yufu.toml").exists() {
            return Ok(self.file()?.2);
        }
        Ok(LoginSettings::default())
    }

    /// Opens the data alone: what only looks needs no keys.
    pub(super) fn store(&self) -> Result<(SqliteStore, LoginSettings), String> {
        let (file, options, login) = self.file()?;
        if !file.exists() {
            return Err(absent(&file));
        }
        let store = SqliteStore::open(&file, &options).map_err(|error| error.to_string())?;
        Ok((store, login))
    }

    /// Opens the data to bring something in. A database that is not there yet is made, but not by
    /// a dry run; and a folder of `yufu dev` has one from the start.
    pub(super) fn shelf(&self, dry_run: bool) -> Result<Shelf, String> {
        let (file, options, _) = self.file()?;
        if !file.exists() && self.place.data.is_some() {
            return Err(absent(&file));
        }
        if !file.exists() && dry_run {
            return Ok(Shelf::Empty(Box::default()));
        }
        let options = Options {
            bulk: true,
            ..options
        };
        let store = SqliteStore::open(&file, &options).map_err(|error| error.to_string())?;
        Ok(Shelf::House(store))
    }

    /// Opens data and engine.
    pub(super) async fn home(&self) -> Result<Home, String> {
        let Some(file) = &self.store else {
            if self.place.config.is_none()
                && self.place.data.is_none()
                && !Path::new("yufu.toml").exists()
            {
                return Err(nowhere());
            }
            return self.place.open_login().await;
        };
        if !file.exists() {
            return Err(absent(file));
        }
        let Some(key) = &self.master_key_file else {
            return Err(
                "merging signs things: give --master-key-file FILE with --store".to_owned(),
            );
        };
        let text = std::fs::read_to_string(key)
            .map_err(|error| format!("{} cannot be read: {error}", key.display()))?;
        let master = MasterKey::parse(&text)
            .ok_or_else(|| format!("{} is no master key: 64 hexadecimal digits", key.display()))?;
        let (options, settings) = (Options::default(), Settings::default());
        home::open(file, &options, 1000, &master, settings, clock::real()).await
    }
}

/// Where imported accounts go.
pub(super) enum Shelf {
    /// To a house.
    House(SqliteStore),
    /// Nowhere: there is no house, and nothing is to be written.
    Empty(Box<MemoryStore>),
}

impl Shelf {
    /// The port to it.
    pub(super) fn port(&self) -> &dyn Store {
        match self {
            Self::House(store) => store,
            Self::Empty(store) => &**store,
        }
    }

    /// Ends its writer.
    pub(super) fn close(self) {
        if let Self::House(store) = self {
            store.close();
        }
    }
}

fn absent(file: &Path) -> String {
    format!("there is no login backend's database {}", file.display())
}

fn nowhere() -> String {
    "which login backend? Give --config yufu.toml, --data DIR of `yufu dev --data DIR`, or --store FILE"
        .to_owned()
}
