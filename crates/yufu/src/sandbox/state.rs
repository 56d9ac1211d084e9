//! What the parts of the sandbox share.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use yufu_core::id::UserId;
use yufu_core::secret::Secret;
use yufu_core::time::Timestamp;
use yufu_store::SqliteStore;
use yufu_web::House;
use yufu_web::clock::Clock;
use yufu_web::dev::Inbox;

use super::World;
use super::adopt::Adopter;
use super::authority::{Authority, Files};
use super::fault::Desk;
use super::flow::Book;
use super::hand::Phones;
use super::proxy::traffic::Traffic;
use super::screens::Screens;
use super::snapshot::Shelf;
use crate::launch::ledger::Ledger;

/// The addresses of a run.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// The platform, such as `http://127.0.0.1:8420`.
    pub platform: String,
    /// The demo app.
    pub app: String,
    /// The login backend.
    pub login: String,
    /// The forward proxy.
    pub proxy: SocketAddr,
    /// Where the platform's own names are served over TLS without a proxy.
    pub gate: SocketAddr,
}

/// Everything that the sandbox's parts share.
pub struct Sandbox {
    /// The platform.
    pub house: Arc<House>,
    /// The platform's data.
    pub platform_store: SqliteStore,
    /// The login backend's data.
    pub login_store: SqliteStore,
    /// The clock of all roles.
    pub clock: Arc<Clock>,
    /// Where passcodes land.
    pub inbox: Arc<Inbox>,
    /// The people and clients.
    pub world: RwLock<World>,
    /// Whoever changes people or clients does so alone.
    pub editing: tokio::sync::Mutex<()>,
    /// When it was begun, in real time.
    pub began: Timestamp,
    /// What opens `/_sandbox`, the inbox and the phone: drawn for this run.
    pub token: Secret,
    /// Where everything answers.
    pub addresses: Addresses,
    /// The folder of the run.
    pub folder: PathBuf,
    /// Signs for the platform's own names.
    pub authority: Arc<Authority>,
    /// Where its certificates are, as PEM.
    pub ca: Files,
    /// What came by the proxy and the gate.
    pub traffic: Arc<Traffic>,
    /// The programs that were started to reach it.
    pub launches: Ledger,
    /// The faults that are played.
    pub faults: Desk,
    /// The flows.
    pub flows: Book,
    /// Who answers every authorization at once, for unattended runs.
    pub auto: Mutex<Option<Auto>>,
    /// Takes unknown apps in.
    pub adopter: Adopter,
    /// The phones of the people.
    pub phones: Phones,
    /// The QR codes that are being shown.
    pub screens: Screens,
    /// The snapshots.
    pub shelf: Shelf,
}

/// Who answers authorizations by themselves.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Auto {
    /// The person, by short name.
    pub person: String,
    /// What they say.
    pub decision: Decision,
    /// Show QR codes and scan them a moment later, instead of answering without a page.
    pub shows: bool,
}

/// What a person says to an authorization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Agrees.
    Allow,
    /// Refuses.
    Deny,
    /// Closes the page, or goes back.
    Cancel,
}

impl Sandbox {
    /// The people and clients as they are now.
    pub fn world(&self) -> RwLockReadGuard<'_, World> {
        self.world.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the people and clients, on the pages and beside the databases too.
    ///
    /// # Errors
    /// In the user's words, when it cannot be written.
    pub fn change_world(&self, change: impl FnOnce(&mut World)) -> Result<(), String> {
        let mut world = self.world.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut world);
        if let Some(dev) = &self.house.dev {
            world.show(dev);
        }
        world.write(&self.folder)
    }

    /// A person's id by their short name.
    pub fn person(&self, name: &str) -> Option<UserId> {
        UserId::parse(&self.world().person(name)?.id)
    }
}
