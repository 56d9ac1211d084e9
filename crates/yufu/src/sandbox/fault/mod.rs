//! Faults: what the platform does wrong on demand, for whom, and how often.
//!
//! A fault is a [`Kind`] and whom it is for: a client, a person, an endpoint, so many times or with
//! a chance. The [`Desk`] holds them; `play` is the layer before the platform's router that lets
//! them play. Everything a fault does is said in the platform's own tongue or by the engine's own
//! operations: nothing of the house knows of it.

mod callback;
mod calls;
mod edit;
mod kind;
mod page;
mod play;
mod read;
mod scene;
mod spot;

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use yufu_core::secret::Entropy as _;

pub use edit::How;
pub use kind::{Death, Fault, Field, KEYS, KINDS, Kind, Row, Shape, When};
pub use page::{endpoints, openapi, reference};
pub use read::{Known, faults, read};
pub use spot::{SPOTS, Spot};

pub use callback::{on_authorize, on_callback};
pub use calls::{ROWS, bring};
pub(super) use play::around;

use crate::fetch::Outbound;
use crate::ports::SystemEntropy;

/// The most faults at once.
const MOST: usize = 1000;

/// A fault that waits for its request.
#[derive(Debug)]
struct Armed {
    fault: Fault,
    /// Where it plays.
    spots: Vec<&'static str>,
    /// How many times are left; counts only where `times` is given.
    left: AtomicU32,
    played: AtomicU64,
}

impl Armed {
    fn new(fault: Fault) -> Self {
        let named = fault.endpoint.as_deref();
        let row = fault.kind.row();
        let reach = if named.is_some() {
            row.plays
        } else {
            row.by_itself
        };
        let spots = SPOTS.iter().filter(|(path, spot)| {
            reach.contains(spot) && named.is_none_or(|written| spot::names(written, path))
        });
        Self {
            spots: spots.map(|(path, _)| *path).collect(),
            left: AtomicU32::new(fault.left.or(fault.times).unwrap_or(u32::MAX)),
            played: AtomicU64::new(fault.played),
            fault,
        }
    }

    /// Takes one of its times, if there is one left and chance will have it. Of any number of
    /// requests at once, exactly as many get one as there are.
    fn claim(&self) -> bool {
        if let Some(chance) = self.fault.chance {
            let mut bytes = [0; 4];
            SystemEntropy.fill(&mut bytes);
            if f64::from(u32::from_be_bytes(bytes)) >= chance * 4_294_967_296.0 {
                return false;
            }
        }
        if self.fault.times.is_some() {
            let (set, fetch) = (Ordering::AcqRel, Ordering::Acquire);
            let taken = self
                .left
                .fetch_update(set, fetch, |left| left.checked_sub(1));
            if taken.is_err() {
                return false;
            }
        }
        self.played.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// The fault as it stands now.
    fn seen(&self) -> Fault {
        Fault {
            left: self.fault.times.map(|_| self.left.load(Ordering::Acquire)),
            played: self.played.load(Ordering::Relaxed),
            ..self.fault.clone()
        }
    }
}

/// The faults that are played.
#[derive(Default)]
pub struct Desk {
    armed: RwLock<Arc<Vec<Arc<Armed>>>>,
    /// How many there are: most of the time none, and then nobody waits for the lock.
    count: AtomicUsize,
    /// The number of the last one.
    last: AtomicU64,
    /// Who delivers callbacks a second time; made when it is needed.
    courier: OnceLock<Option<Outbound>>,
}

impl Desk {
    /// The faults, as they stand, in the order in which they play.
    pub fn list(&self) -> Vec<Fault> {
        self.armed().iter().map(|armed| armed.seen()).collect()
    }

    /// Adds faults; answers them with their names. All or none: `Err` says how many fit.
    ///
    /// # Errors
    /// How many more would fit, when these do not.
    pub fn add(&self, faults: Vec<Fault>) -> Result<Vec<Fault>, usize> {
        let named = faults.into_iter().map(|fault| Fault {
            id: format!("x{}", self.last.fetch_add(1, Ordering::Relaxed) + 1),
            left: None,
            played: 0,
            ..fault
        });
        let new: Vec<_> = named.map(|fault| Arc::new(Armed::new(fault))).collect();
        self.change(|armed| {
            if armed.len() + new.len() > MOST {
                return Err(MOST.saturating_sub(armed.len()));
            }
            armed.extend(new.iter().cloned());
            Ok(new.iter().map(|armed| armed.seen()).collect())
        })
    }

    /// Takes a fault away; whether there was one of this name.
    pub fn remove(&self, id: &str) -> bool {
        self.change(|armed| {
            let before = armed.len();
            armed.retain(|armed| armed.fault.id != id);
            armed.len() < before
        })
    }

    /// Takes all faults away; how many there were.
    pub fn clear(&self) -> usize {
        self.change(|armed| std::mem::take(armed).len())
    }

    /// Puts faults in the place of all others, with their names and what is left of them: those of
    /// a snapshot.
    pub fn restore(&self, faults: Vec<Fault>) {
        let numbers = faults
            .iter()
            .filter_map(|fault| fault.id.strip_prefix('x')?.parse().ok());
        self.last
            .fetch_max(numbers.max().unwrap_or(0), Ordering::Relaxed);
        let new: Vec<_> = faults
            .into_iter()
            .map(|fault| Arc::new(Armed::new(fault)))
            .collect();
        self.change(|armed| *armed = new);
    }

    /// Whether there is nothing to play.
    fn is_quiet(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// The faults that may play at a path of the table.
    fn at(&self, path: &'static str) -> Vec<Arc<Armed>> {
        let armed = self.armed();
        let there = armed.iter().filter(|armed| armed.spots.contains(&path));
        there.cloned().collect()
    }

    fn armed(&self) -> Arc<Vec<Arc<Armed>>> {
        self.armed
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn change<T>(&self, change: impl FnOnce(&mut Vec<Arc<Armed>>) -> T) -> T {
        let mut armed = self.armed.write().unwrap_or_else(PoisonError::into_inner);
        let changed = change(Arc::make_mut(&mut armed));
        self.count.store(armed.len(), Ordering::Release);
        changed
    }
}

#[cfg(test)]
mod tests;
