//! The programs that were started to reach this sandbox, and what is to be said of each.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use yufu_core::time::Timestamp;

use super::hint::{Facts, Hint, hint};
use super::runtime::Runtime;
use crate::sandbox::proxy::traffic::{Mark, Traffic};

/// How many are remembered.
const KEPT: usize = 50;

/// What `yufu run` says when it has started a command.
#[derive(Clone, Debug, Serialize)]
pub struct Started {
    /// Its process.
    pub pid: u32,
    /// Its first words.
    pub command: String,
    /// What it is written in.
    pub runtime: Runtime,
    /// Whether it runs in a private network.
    pub net: bool,
}

/// A program, as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct Launch {
    /// Its id here.
    pub id: String,
    #[serde(flatten)]
    started: Started,
    began: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Requests under the platform's names since it was started.
    pub arrived: u64,
    /// Why nothing of it arrives.
    pub hint: Option<Hint>,
}

struct Entry {
    launch: Launch,
    mark: Mark,
}

/// The programs of a run.
#[derive(Default)]
pub struct Ledger {
    entries: Mutex<(u64, Vec<Entry>)>,
}

impl Ledger {
    /// Writes down that a program was started, and answers its id.
    pub fn begin(&self, started: Started, traffic: &Traffic, now: Timestamp) -> String {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, all) = &mut *entries;
        *count += 1;
        let id = format!("l{count}");
        if all.len() == KEPT {
            all.remove(0);
        }
        let launch = Launch {
            id: id.clone(),
            started,
            began: now,
            ended: None,
            arrived: 0,
            hint: None,
        };
        all.push(Entry {
            launch,
            mark: traffic.mark(),
        });
        id
    }

    /// Writes down that a program ended; whether there was one of this id.
    pub fn end(&self, id: &str, traffic: &Traffic, now: Timestamp) -> bool {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let found = entries.1.iter_mut().find(|entry| entry.launch.id == id);
        let Some(entry) = found else {
            return false;
        };
        if entry.launch.ended.is_none() {
            entry.look(traffic, now);
            entry.launch.ended = Some(now);
        }
        true
    }

    /// All that are remembered, the newest first, with what is to be said of those that run.
    pub fn list(&self, traffic: &Traffic, now: Timestamp) -> Vec<Launch> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let all = entries.1.iter_mut().rev();
        let looked = all.map(|entry| {
            if entry.launch.ended.is_none() {
                entry.look(traffic, now);
            }
            entry.launch.clone()
        });
        looked.collect()
    }
}

impl Entry {
    /// The proxy does not know whose connection is whose: of several programs at a time, each is
    /// judged by what came from all of them since it was started.
    fn look(&mut self, traffic: &Traffic, now: Timestamp) {
        let sum = traffic.since(&self.mark);
        let seconds = (now.0 - self.launch.began.0).max(0) / 1000;
        let facts = Facts {
            runtime: self.launch.started.runtime,
            net: self.launch.started.net,
            seconds: u64::try_from(seconds).unwrap_or(0),
            ..Facts::default()
        };
        self.launch.arrived = sum.arrived();
        self.launch.hint = hint(&facts.counted(&sum));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(command: &str) -> Started {
        Started {
            pid: 7,
            command: command.to_owned(),
            runtime: Runtime::Python,
            net: false,
        }
    }

    #[test]
    fn a_program_is_judged_while_it_runs_and_as_it_was_at_its_end() {
        let (ledger, traffic) = (Ledger::default(), Traffic::default());
        let at = |seconds: i64| Timestamp(1_000_000 + seconds * 1000);
        let id = ledger.begin(started("python app.py"), &traffic, at(0));
        assert!(ledger.list(&traffic, at(29))[0].hint.is_none());
        let said = ledger.list(&traffic, at(30))[0].hint.clone().unwrap();
        assert_eq!(said.code, "proxy_ignored");
        assert!(ledger.end(&id, &traffic, at(20)));
        let over = &ledger.list(&traffic, at(99))[0];
        assert_eq!((over.ended, &over.hint), (Some(at(20)), &None));
        assert!(!ledger.end("l9", &traffic, at(1)));
    }

    #[test]
    fn the_last_are_remembered_newest_first() {
        let (ledger, traffic) = (Ledger::default(), Traffic::default());
        for n in 0..KEPT + 2 {
            ledger.begin(started(&format!("p{n}")), &traffic, Timestamp(0));
        }
        let all = ledger.list(&traffic, Timestamp(0));
        assert_eq!(all.len(), KEPT);
        assert_eq!(all[0].started.command, format!("p{}", KEPT + 1));
        assert_eq!(all[KEPT - 1].id, "l3");
    }
}
