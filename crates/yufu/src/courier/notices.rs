//! Notices on their way to webhooks, at least once each, as Standard Webhooks have it: the message
//! is signed with its id and the moment, and the id stays the same when it comes again.
//!
//! Each webhook is served on its own: one that is slow or gone holds up nobody else. Its notices
//! go in the order in which they were written. When one fails, those behind it wait for it; after
//! ten minutes it has lost its place and comes again beside them, so that one message that a
//! server cannot take does not stop all news for days.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use yufu_core::id::Number;
use yufu_core::secret::Secret;
use yufu_core::store::{Browse, Change, Notice, Store};
use yufu_core::time::{Lifetime, Timestamp};
use yufu_web::clock::{self, Clock};
use yufu_web::fetch::{Fetch, Outgoing};

use crate::config::Webhook;

/// How often the bag is looked into.
const EACH: Duration = Duration::from_millis(250);
/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most bytes of an answer: nobody reads it.
const MOST: usize = 64 * 1024;
/// How many notices are looked at in one go.
const IN_VIEW: usize = 500;
/// How long after each failure a notice comes again; after the last one it is dead. Together about
/// three days.
const BACKOFF: [Lifetime; 9] = [
    Lifetime::seconds(5),
    Lifetime::seconds(30),
    Lifetime::minutes(2),
    Lifetime::minutes(10),
    Lifetime::minutes(60),
    Lifetime::minutes(6 * 60),
    Lifetime::minutes(12 * 60),
    Lifetime::days(1),
    Lifetime::days(1),
];
/// A wait up to this is waited out by the notices behind as well.
const PATIENCE_OF_OTHERS: Lifetime = Lifetime::minutes(10);

/// Tells webhooks until told to stop.
pub async fn run<S: Store + Browse + Clone + 'static>(
    store: S,
    webhooks: Vec<Webhook>,
    fetch: Arc<dyn Fetch>,
    clock: Arc<Clock>,
    mut closing: watch::Receiver<bool>,
) {
    let mut herald = Herald {
        webhooks: webhooks
            .into_iter()
            .map(|it| (it.name.clone(), Arc::new(it)))
            .collect(),
        resting: BTreeMap::new(),
        busy: BTreeSet::new(),
        runs: JoinSet::new(),
        ground: Ground {
            store,
            fetch,
            clock,
            closing: closing.clone(),
        },
    };
    herald.remember().await;
    loop {
        herald.round().await;
        tokio::select! {
            () = tokio::time::sleep(EACH) => {}
            Some(done) = herald.runs.join_next() => {
                if let Ok(done) = done {
                    herald.ended(done);
                }
            }
            _ = closing.changed() => break,
        }
    }
    // Each run ends with the message that is under way.
    while herald.runs.join_next().await.is_some() {}
}

/// What a run needs.
#[derive(Clone)]
struct Ground<S> {
    store: S,
    fetch: Arc<dyn Fetch>,
    clock: Arc<Clock>,
    closing: watch::Receiver<bool>,
}

struct Herald<S> {
    webhooks: BTreeMap<String, Arc<Webhook>>,
    /// Until when nothing goes to a webhook.
    resting: BTreeMap<String, Timestamp>,
    /// To whom something is under way.
    busy: BTreeSet<String>,
    runs: JoinSet<Run>,
    ground: Ground<S>,
}

/// How a run ended.
struct Run {
    webhook: String,
    /// Until when the webhook rests, when one of its notices failed.
    rests: Option<Timestamp>,
}

impl<S: Store + Browse + Clone + 'static> Herald<S> {
    /// Finds out who rested when the last process ended: those behind a notice that failed keep
    /// their places.
    async fn remember(&mut self) {
        let far = Timestamp(i64::MAX);
        let Ok(all) = self.ground.store.notices(far, IN_VIEW).await else {
            return;
        };
        let mut seen = BTreeSet::new();
        for notice in all {
            let failed = usize::try_from(notice.attempts).unwrap_or(usize::MAX);
            let wait = failed.checked_sub(1).and_then(|last| BACKOFF.get(last));
            let waits = wait.is_some_and(|wait| *wait <= PATIENCE_OF_OTHERS);
            if seen.insert(notice.to.clone()) && waits {
                self.resting.insert(notice.to, notice.due_at);
            }
        }
    }

    fn ended(&mut self, run: Run) {
        self.busy.remove(&run.webhook);
        if let Some(until) = run.rests {
            self.resting.insert(run.webhook, until);
        }
    }

    /// Sends everybody on their way who has something to tell.
    async fn round(&mut self) {
        while let Some(Ok(done)) = self.runs.try_join_next() {
            self.ended(done);
        }
        let now = self.ground.clock.now();
        // A rest that is longer than any was begun before the clock was turned back.
        let most = now.plus(PATIENCE_OF_OTHERS);
        self.resting
            .retain(|_, until| now < *until && *until <= most);
        let due = match self.ground.store.notices(now, IN_VIEW).await {
            Ok(due) => due,
            Err(fault) => {
                tracing::error!(%fault, "the bag of notices cannot be opened");
                return;
            }
        };
        let mut by_webhook: BTreeMap<String, Vec<Notice>> = BTreeMap::new();
        for notice in due {
            by_webhook
                .entry(notice.to.clone())
                .or_default()
                .push(notice);
        }
        for (name, notices) in by_webhook {
            if self.busy.contains(&name) {
                continue;
            }
            if let Some(until) = self.resting.get(&name) {
                // Out of view, so that they hide nobody else's.
                postpone(&self.ground.store, notices, *until).await;
                continue;
            }
            let Some(webhook) = self.webhooks.get(&name) else {
                bury(&self.ground.store, notices).await;
                continue;
            };
            let (ground, webhook) = (self.ground.clone(), webhook.clone());
            self.busy.insert(name);
            self.runs.spawn(deliver(ground, webhook, notices));
        }
    }
}

/// Tells one webhook what there is, in order, until one fails.
async fn deliver<S: Store + Browse>(
    ground: Ground<S>,
    webhook: Arc<Webhook>,
    mut notices: Vec<Notice>,
) -> Run {
    notices.sort_by_key(|notice| notice.number);
    let mut run = Run {
        webhook: webhook.name.clone(),
        rests: None,
    };
    for mut notice in notices {
        if *ground.closing.borrow() {
            break;
        }
        let told = !hears(&webhook, &notice.about) || tell(&*ground.fetch, &webhook, &notice).await;
        let change = match told {
            true => Change::Notified(notice.number),
            false => {
                run.rests = failed(&mut notice, ground.clock.now());
                Change::Renotify(notice)
            }
        };
        if let Err(clash) = ground.store.commit(vec![change]).await {
            // It comes again: better twice than never.
            tracing::error!(?clash, webhook = webhook.name, "a notice stays in the bag");
            break;
        }
        if run.rests.is_some() {
            break;
        }
    }
    run
}

/// Counts a failure of a notice. Answers until when those behind it wait, if they do.
fn failed(notice: &mut Notice, now: Timestamp) -> Option<Timestamp> {
    let tried = usize::try_from(notice.attempts).unwrap_or(usize::MAX);
    notice.attempts = notice.attempts.saturating_add(1);
    let (webhook, id) = (&notice.to, id(notice.number));
    match BACKOFF.get(tried) {
        Some(wait) => {
            tracing::warn!(
                webhook,
                id,
                attempts = notice.attempts,
                "a notice comes again"
            );
            notice.due_at = now.plus(*wait);
            (*wait <= PATIENCE_OF_OTHERS).then_some(notice.due_at)
        }
        None => {
            tracing::error!(webhook, id, "a notice is given up; see: yufu webhooks list");
            notice.dead = true;
            None
        }
    }
}

async fn postpone<S: Store>(store: &S, notices: Vec<Notice>, until: Timestamp) {
    let later = |notice| {
        Change::Renotify(Notice {
            due_at: until,
            ..notice
        })
    };
    if let Err(clash) = store.commit(notices.into_iter().map(later).collect()).await {
        tracing::error!(?clash, "notices could not be put off");
    }
}

/// Nobody of that name is there any more: the notices are kept for whoever looks after the house.
async fn bury<S: Store>(store: &S, notices: Vec<Notice>) {
    let name = notices.first().map(|notice| notice.to.clone());
    tracing::error!(
        webhook = name,
        "notices for a webhook that is not in the settings"
    );
    let dead = |notice| {
        Change::Renotify(Notice {
            dead: true,
            ..notice
        })
    };
    if let Err(clash) = store.commit(notices.into_iter().map(dead).collect()).await {
        tracing::error!(?clash, "notices could not be laid aside");
    }
}

fn hears(webhook: &Webhook, about: &str) -> bool {
    let mut events = webhook.events.iter();
    webhook.events.is_empty() || events.any(|start| about.starts_with(start.as_str()))
}

/// The id of a message: the same whenever it comes.
pub fn id(number: Number) -> String {
    format!("msg_{:016x}", number.0)
}

/// The body of a message.
fn body(notice: &Notice) -> Vec<u8> {
    let mut data: Map<String, Value> = serde_json::from_str(&notice.data).unwrap_or_default();
    data.insert("uid".to_owned(), notice.user.to_string().into());
    let body = json!({
        "type": notice.about,
        "timestamp": notice.posted_at.seconds(),
        "data": data,
    });
    body.to_string().into_bytes()
}

/// The signature of a message (Standard Webhooks, `v1`).
fn signature(key: &[u8], id: &str, timestamp: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut context = hmac::Context::with_key(&key);
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        context.update(part);
    }
    format!("v1,{}", STANDARD.encode(context.sign()))
}

/// Sends one message. Answers whether it was taken.
async fn tell(fetch: &dyn Fetch, webhook: &Webhook, notice: &Notice) -> bool {
    let (id, body) = (id(notice.number), body(notice));
    // Who hears it compares with a clock of their own: the time that is turned is not theirs.
    let timestamp = clock::real().seconds().to_string();
    let signature = signature(&webhook.signing_key(), &id, &timestamp, &body);
    let header = |name: &str, value: &str| (name.to_owned(), Secret::new(value));
    let request = Outgoing {
        method: "POST",
        url: webhook.url.clone(),
        headers: vec![
            header("content-type", "application/json"),
            header("webhook-id", &id),
            header("webhook-timestamp", &timestamp),
            header("webhook-signature", &signature),
        ],
        body,
        most: MOST,
        patience: PATIENCE,
    };
    match fetch.fetch(request).await {
        Ok(answer) if (200..300).contains(&answer.status) => true,
        Ok(answer) => {
            tracing::info!(
                webhook = webhook.name,
                id,
                status = answer.status,
                "a webhook said no"
            );
            false
        }
        Err(error) => {
            tracing::info!(
                webhook = webhook.name,
                id,
                ?error,
                "a webhook was not reached"
            );
            false
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
