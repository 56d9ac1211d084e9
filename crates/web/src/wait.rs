//! Who waits for a scan to change: woken by this process at once, by others at the next look.

use std::time::Duration;

use tokio::sync::Notify;
use yufu_core::id::Number;

/// Wakes those who wait for a number. Several numbers share a bell; a needless look costs little.
pub(crate) struct Waiters(Vec<Notify>);

/// How often a waiter looks although nobody rang: another process may have changed the scan.
pub(crate) const LOOK_EACH: Duration = Duration::from_millis(500);

impl Default for Waiters {
    fn default() -> Self {
        Self((0..256).map(|_| Notify::new()).collect())
    }
}

impl Waiters {
    /// The bell of a number. Take its `notified()` before looking, so that no ring is missed.
    pub(crate) fn bell(&self, number: Number) -> &Notify {
        let index = (number.0 as usize) % self.0.len();
        &self.0[index]
    }

    pub(crate) fn wake(&self, number: Number) {
        self.bell(number).notify_waiters();
    }

    pub(crate) fn wake_all(&self) {
        for bell in &self.0 {
            bell.notify_waiters();
        }
    }
}
