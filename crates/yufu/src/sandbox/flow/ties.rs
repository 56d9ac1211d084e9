//! What a value was when it was seen: the ties by which exchanges find their login.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};

use super::mark::TieKey;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tied {
    State,
    Uuid,
    Interaction,
    /// An interaction of a phone that scanned.
    OnPhone,
    Code,
    Access,
    Refresh,
    /// A ticket of the login backend's.
    Ticket,
    Openid,
    /// Where an app is answered: host and path.
    Place,
}

impl Tied {
    /// What a mark of such a value is called; none where the value is no secret.
    pub(super) const fn label(self) -> Option<&'static str> {
        match self {
            Self::Uuid => Some("uuid"),
            Self::Interaction | Self::OnPhone => Some("interaction"),
            Self::Code => Some("code"),
            Self::Access => Some("access_token"),
            Self::Refresh => Some("refresh_token"),
            Self::Ticket => Some("ticket"),
            // A constant state may be an everyday word: it is hidden by its name alone.
            Self::State | Self::Openid | Self::Place => None,
        }
    }
}

/// The keys are hashes already.
#[derive(Default)]
pub(super) struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 << 8) | u64::from(*byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

/// A map by ties.
pub(super) type ByTie<T> = HashMap<TieKey, T, BuildHasherDefault<Same>>;

/// All ties of the flows that are kept.
#[derive(Default)]
pub(super) struct Ties {
    known: ByTie<(Tied, u64)>,
}

impl Ties {
    /// What a value is, and of which flow.
    pub(super) fn get(&self, tie: TieKey) -> Option<(Tied, u64)> {
        self.known.get(&tie).copied()
    }

    /// What a mark of this value is called.
    pub(super) fn label(&self, tie: TieKey) -> Option<&'static str> {
        self.get(tie)?.0.label()
    }

    /// Ties a value to a flow. What may be the same in many flows is the last one's; a secret stays
    /// with the flow that showed it first.
    pub(super) fn put(&mut self, tie: TieKey, kind: Tied, flow: u64) {
        let moves = matches!(kind, Tied::State | Tied::Openid | Tied::Place);
        match self.known.entry(tie) {
            Entry::Occupied(mut known) if moves => {
                known.insert((kind, flow));
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(free) => {
                free.insert((kind, flow));
            }
        }
    }

    /// Lets a value go, if it is this flow's.
    pub(super) fn remove(&mut self, tie: TieKey, flow: u64) {
        if self.get(tie).is_some_and(|(_, of)| of == flow) {
            self.known.remove(&tie);
        }
    }

    pub(super) fn clear(&mut self) {
        self.known.clear();
    }
}
