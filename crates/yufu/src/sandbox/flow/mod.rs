//! Flows: every login as it happened on the wire, with findings.
//!
//! Whoever sees something hands it to the [`Book`] and goes on. One thread takes it from there: it
//! redacts, finds the login that it belongs to, folds it in, and judges. Readers see what is done;
//! who wants to see what they just did waits for the thread to come to it.

mod apps;
mod arrow;
mod feed;
mod finding;
mod fold;
mod habits;
mod heard;
mod mark;
mod message;
mod names;
mod picture;
mod platform;
mod redact;
mod routes;
mod shelf;
mod show;
mod step;
mod ties;
mod walk;
mod who;

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{broadcast, oneshot, watch};
use yufu_core::secret::Entropy;
use yufu_web::clock;

use super::seen::{Note, Seen};
use crate::ports::SystemEntropy;
use fold::{Fold, Names};
use mark::Marks;
pub(super) use routes::ROWS;
use shelf::{Limits, Shelf};
pub(super) use who::introduce;

/// How often what nothing happens to is looked at.
const SWEEP: Duration = Duration::from_secs(10);
/// How long a reader waits for what was seen before.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many hints a slow reader may be behind.
const HINTS: usize = 64;

/// What the thread is given.
enum Entry {
    Seen(Box<Seen>),
    Note(Box<Note>),
    /// Names are known from now on.
    Names(Box<dyn Names>),
    /// Forget everything.
    Clear,
    /// Everything before this is done.
    Done(oneshot::Sender<()>),
}

/// The book of flows.
pub struct Book {
    entries: Mutex<Option<Sender<Entry>>>,
    shelf: Arc<RwLock<Shelf>>,
    changed: watch::Receiver<u64>,
    hints: broadcast::Sender<Arc<str>>,
    closing: watch::Sender<bool>,
}

impl Default for Book {
    fn default() -> Self {
        Self::new(&SystemEntropy, Limits::default())
    }
}

impl Book {
    fn new(entropy: &dyn Entropy, limits: Limits) -> Self {
        let shelf = Arc::new(RwLock::new(Shelf::new(limits)));
        let (entries, taken) = channel();
        let (tell, changed) = watch::channel(0);
        let fold = Fold::new(Marks::draw(entropy), shelf.clone());
        let worker = std::thread::Builder::new().name("flows".to_owned());
        let spawned = worker.spawn(move || work(fold, &taken, &tell));
        if let Err(error) = spawned {
            tracing::error!(%error, "flows cannot be kept");
        }
        Self {
            entries: Mutex::new(Some(entries)),
            shelf,
            changed,
            hints: broadcast::channel(HINTS).0,
            closing: watch::channel(false).0,
        }
    }

    fn enter(&self, entry: Entry) {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entries) = entries.as_ref() {
            // The thread ends with the book alone.
            let _ = entries.send(entry);
        }
    }

    /// Writes down an exchange. Does not wait.
    pub fn saw(&self, seen: Seen) {
        self.enter(Entry::Seen(Box::new(seen)));
    }

    /// Writes down what somebody did. Does not wait.
    pub fn note(&self, note: Note) {
        self.enter(Entry::Note(Box::new(note)));
    }

    /// Tells everybody who looks why nothing arrives from an app that was started. `json` is an
    /// object.
    pub fn hint(&self, json: &serde_json::Value) {
        // Nobody may be looking.
        let _ = self.hints.send(json.to_string().into());
    }

    /// Forgets all flows, once those are folded that were seen before.
    pub async fn clear(&self) {
        self.enter(Entry::Clear);
        self.done().await;
    }

    /// Waits until everything is folded that was seen before.
    pub async fn done(&self) {
        let (tell, told) = oneshot::channel();
        self.enter(Entry::Done(tell));
        // Whoever waited long enough sees what is there.
        let _ = tokio::time::timeout(PATIENCE, told).await;
    }

    /// Ends all streams, so that the server can end.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    fn knows(&self, names: Box<dyn Names>) {
        self.enter(Entry::Names(names));
    }
}

impl Drop for Book {
    fn drop(&mut self) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        *entries = None;
    }
}

/// The one thread that writes.
fn work(mut fold: Fold, entries: &Receiver<Entry>, changed: &watch::Sender<u64>) {
    let mut swept = clock::mark();
    loop {
        match entries.recv_timeout(SWEEP) {
            Ok(entry) => {
                take(&mut fold, entry);
                // What waits is taken before anybody is told.
                for entry in entries.try_iter().take(256) {
                    take(&mut fold, entry);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if swept.elapsed() >= SWEEP {
            fold.sweep(clock::real().0);
            swept = clock::mark();
        }
        let version = fold.version();
        changed.send_if_modified(|known| std::mem::replace(known, version) != version);
    }
}

fn take(fold: &mut Fold, entry: Entry) {
    match entry {
        Entry::Seen(seen) => {
            fold.saw(&seen);
        }
        Entry::Note(note) => {
            fold.noted(&note);
        }
        Entry::Names(names) => fold.names = names,
        Entry::Clear => fold.clear(),
        Entry::Done(tell) => {
            // Whoever asked may have gone.
            let _ = tell.send(());
        }
    }
}

/// The document of all findings, for `docs/findings.md`.
pub fn findings() -> String {
    finding::document()
}

#[cfg(test)]
mod tests;
