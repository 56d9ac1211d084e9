//! Opening the data: the store, the keys, the engine over them.

use std::path::Path;
use std::sync::Arc;

use yufu_core::engine::{Engine, Ports, Settings};
use yufu_core::keyring::MasterKey;
use yufu_core::time::Timestamp;
use yufu_store::{Cached, Options, SqliteStore};

use crate::ports::{Argon2Hasher, SystemEntropy};

/// An open house: the engine, and the store under it for courier and sweeper.
pub struct Home {
    /// The rules.
    pub engine: Arc<Engine>,
    /// The data.
    pub store: SqliteStore,
}

/// Opens a database file and the engine over it.
///
/// # Errors
/// In the user's words: what is wrong with the file or the keys, and what to do.
pub async fn open(
    path: &Path,
    options: &Options,
    cache_entries: usize,
    master: &MasterKey,
    settings: Settings,
    now: Timestamp,
) -> Result<Home, String> {
    let store = SqliteStore::open(path, options).map_err(|error| error.to_string())?;
    let cached = Arc::new(Cached::new(store.clone(), cache_entries));
    let ports = Ports {
        store: cached.clone(),
        browse: cached,
        entropy: Arc::new(SystemEntropy),
        hasher: Arc::new(Argon2Hasher::default()),
    };
    let engine = Engine::open(ports, master, settings, now).await;
    match engine {
        Ok(engine) => Ok(Home {
            engine: Arc::new(engine),
            store,
        }),
        Err(fault) => {
            // Here, where the keys were read: with the last connection its log goes too, and the
            // file is as it was.
            store.close();
            Err(format!(
                "the keys in {} cannot be read ({fault}).\n  Give the master key that this database was made with.",
                path.display()
            ))
        }
    }
}
