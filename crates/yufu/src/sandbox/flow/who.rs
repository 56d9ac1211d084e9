//! Who is who: the names of clients and people, asked of the running sandbox.

use std::sync::{Arc, PoisonError, Weak};

use tokio::runtime::Handle;
use yufu_core::secret::Secret;
use yufu_core::user::Phone;

use super::fold::Names;
use crate::sandbox::state::Sandbox;

/// A running sandbox, which the book of flows is a part of.
struct World {
    sandbox: Weak<Sandbox>,
    runtime: Handle,
}

/// Lets the book of flows know who is who. Called once, within the runtime.
pub(in crate::sandbox) fn introduce(sandbox: &Arc<Sandbox>) {
    sandbox.flows.knows(Box::new(World {
        sandbox: Arc::downgrade(sandbox),
        runtime: Handle::current(),
    }));
}

impl Names for World {
    fn client(&self, appid: &str) -> Option<String> {
        let sandbox = self.sandbox.upgrade()?;
        let world = sandbox.world.read().unwrap_or_else(PoisonError::into_inner);
        let client = world.clients.iter().find(|client| client.appid == appid)?;
        Some(client.name.clone())
    }

    fn phone(&self, phone: &str) -> Option<String> {
        let sandbox = self.sandbox.upgrade()?;
        let phone = Phone::parse(phone).ok()?;
        let world = sandbox.world.read().unwrap_or_else(PoisonError::into_inner);
        let is_this = |known: &str| Phone::parse(known).ok().as_ref() == Some(&phone);
        let person = world.people.iter().find(|person| is_this(&person.phone))?;
        Some(person.name.clone())
    }

    fn secret(&self, secret: &str) -> Option<String> {
        let sandbox = self.sandbox.upgrade()?;
        let secret = Secret::new(secret);
        // This is a thread of its own: it may wait.
        let report = self
            .runtime
            .block_on(sandbox.house.engine.inspect_secret(&secret))
            .ok()?;
        let user = report.user?.to_string();
        let world = sandbox.world.read().unwrap_or_else(PoisonError::into_inner);
        let person = world.people.iter().find(|person| person.id == user)?;
        Some(person.name.clone())
    }
}
