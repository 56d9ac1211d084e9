//! The flows that are kept: how many, how big, and in which order they change.

use std::collections::{BTreeMap, BTreeSet};

use super::arrow::Flow;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The most flows.
    pub(super) flows: usize,
    /// The most bytes of them all, roughly.
    pub(super) bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            flows: 10_000,
            bytes: 192 * 1024 * 1024,
        }
    }
}

/// The kept flows.
#[derive(Default)]
pub(super) struct Shelf {
    flows: BTreeMap<u64, Flow>,
    /// Those that are over: they go first.
    over: BTreeSet<u64>,
    /// By the version at which they changed last.
    changes: BTreeMap<u64, u64>,
    version: u64,
    weight: usize,
    dropped: u64,
    epoch: u64,
    limits: Limits,
}

impl Shelf {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    pub(super) fn get(&self, no: u64) -> Option<&Flow> {
        self.flows.get(&no)
    }

    /// The flows, the newest first, from before this one on.
    pub(super) fn before(&self, no: Option<u64>) -> impl Iterator<Item = &Flow> {
        let range = match no {
            Some(no) => self.flows.range(..no),
            None => self.flows.range(..),
        };
        range.rev().map(|(_, flow)| flow)
    }

    /// The flows that changed after this version, in that order.
    pub(super) fn changed_after(&self, version: u64) -> impl Iterator<Item = &Flow> {
        let changed = self.changes.range(version + 1..);
        changed.filter_map(|(_, no)| self.flows.get(no))
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// How often everything was forgotten.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many flows went because there were too many.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Changes a flow, or puts a new one.
    pub(super) fn change<T>(
        &mut self,
        no: u64,
        make: impl FnOnce() -> Flow,
        change: impl FnOnce(&mut Flow) -> T,
    ) -> T {
        let flow = self.flows.entry(no).or_insert_with(make);
        let before = if flow.version == 0 { 0 } else { flow.weight() };
        let changed = change(flow);
        self.weight = self.weight.saturating_sub(before) + flow.weight();
        self.changes.remove(&flow.version);
        self.version += 1;
        flow.version = self.version;
        self.changes.insert(self.version, no);
        if flow.state.is_over() {
            self.over.insert(no);
        } else {
            self.over.remove(&no);
        }
        changed
    }

    /// Takes out what is too much: the oldest that are over, then the oldest.
    pub(super) fn trim(&mut self) -> Vec<Flow> {
        let mut gone = Vec::new();
        while self.flows.len() > self.limits.flows.max(1)
            || (self.weight > self.limits.bytes && self.flows.len() > 1)
        {
            let Some(flow) = self.next_to_go().and_then(|no| self.remove(no)) else {
                break;
            };
            self.dropped += 1;
            gone.push(flow);
        }
        gone
    }

    /// The oldest that is over. A young one stays: many that are open and old mean that nobody
    /// comes back to them.
    fn next_to_go(&self) -> Option<u64> {
        let (oldest, newest) = (*self.flows.keys().next()?, *self.flows.keys().next_back()?);
        let young = newest - (newest - oldest) / 4;
        let over = self.over.first().copied().filter(|no| *no < young);
        Some(over.unwrap_or(oldest))
    }

    fn remove(&mut self, no: u64) -> Option<Flow> {
        let flow = self.flows.remove(&no)?;
        self.over.remove(&no);
        self.changes.remove(&flow.version);
        self.weight = self.weight.saturating_sub(flow.weight());
        Some(flow)
    }

    /// Forgets everything. The versions go on, so that readers notice.
    pub(super) fn clear(&mut self) {
        *self = Self {
            version: self.version + 1,
            epoch: self.epoch + 1,
            ..Self::new(self.limits)
        };
    }
}
