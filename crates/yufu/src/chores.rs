//! What a role does beside answering: the ends of accounts and merges when their time has come,
//! profiles that are read again, keys that another process made, alerts that become events.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use yufu_core::engine::Engine;
use yufu_core::engine::login::{SyncNext, SyncTask};
use yufu_core::refusal::Fault;
use yufu_core::secret::Layout;
use yufu_core::store::{Change, Event, Store};
use yufu_web::api::upstream::{Alert, Upstreams};
use yufu_web::clock::Clock;

use crate::ports::SystemEntropy;

/// How long a chore rests when there was nothing (more) to do.
const REST: Duration = Duration::from_secs(1);
/// How often the keys are read: well within the time in which new ones ripen.
const KEYS: Duration = Duration::from_secs(5);
/// How many rows are taken at once.
const AT_ONCE: usize = 50;

/// Rests, and says whether to go on.
async fn rested(rest: Duration, closing: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = tokio::time::sleep(rest) => !*closing.borrow(),
        _ = closing.changed() => false,
    }
}

/// Takes in keys that another process made, until told to stop.
pub async fn keys(engine: Arc<Engine>, clock: Arc<Clock>, mut closing: watch::Receiver<bool>) {
    while rested(KEYS, &mut closing).await {
        if let Err(fault) = engine.reload_keys(clock.now()).await {
            tracing::error!(%fault, "the keys could not be read again");
        }
    }
}

/// Erases accounts and makes merges final when their time has come, until told to stop.
pub async fn ends(engine: Arc<Engine>, clock: Arc<Clock>, mut closing: watch::Receiver<bool>) {
    while rested(REST, &mut closing).await {
        let now = clock.now();
        if let Err(fault) = engine.erase_due(now, AT_ONCE).await {
            tracing::error!(%fault, "an account that is due could not be erased");
        }
        if let Err(fault) = engine.finish_merges(now, AT_ONCE).await {
            tracing::error!(%fault, "a merge that is due could not be made final");
        }
    }
}

/// Reads profiles again that are due, until told to stop.
pub async fn profiles(
    engine: Arc<Engine>,
    upstreams: Arc<Upstreams>,
    clock: Arc<Clock>,
    mut closing: watch::Receiver<bool>,
) {
    while rested(REST, &mut closing).await {
        let tasks = match engine.sync_due(clock.now(), AT_ONCE).await {
            Ok(tasks) => tasks,
            Err(fault) => {
                tracing::error!(%fault, "profiles that are due");
                continue;
            }
        };
        for task in tasks {
            // What was claimed and not done comes again by itself.
            if *closing.borrow() {
                return;
            }
            if let Err(fault) = profile(&engine, &upstreams, &clock, task).await {
                tracing::error!(%fault, "a profile could not be kept");
            }
        }
    }
}

async fn profile(
    engine: &Engine,
    upstreams: &Upstreams,
    clock: &Clock,
    mut task: SyncTask,
) -> Result<(), Fault> {
    let now = || clock.now();
    loop {
        let (app, openid) = (task.app.clone(), task.identity.subject.clone());
        if let Some(access) = task.access.clone() {
            let heard = upstreams.profile(&app, &access, &openid, &now).await;
            match engine.sync_done(task, heard, clock.now()).await? {
                SyncNext::Renew(next) => task = next,
                SyncNext::Over | SyncNext::Later => return Ok(()),
            }
        } else if let Some(refresh) = task.refresh.clone() {
            let heard = upstreams.refresh(&app, &refresh, &openid, &now).await;
            match engine.sync_renewed(task, heard, clock.now()).await? {
                Some(next) => task = next,
                None => return Ok(()),
            }
        } else {
            return Ok(());
        }
    }
}

/// Writes what upstreams want looked at into the audit, until told to stop.
pub async fn alerts<S: Store>(
    store: S,
    upstreams: Arc<Upstreams>,
    mut closing: watch::Receiver<bool>,
) {
    let mut goes_on = true;
    while goes_on {
        goes_on = rested(REST, &mut closing).await;
        let events: Vec<_> = upstreams.take_alerts().into_iter().map(event).collect();
        if !events.is_empty()
            && let Err(clash) = store.commit(events).await
        {
            tracing::error!(?clash, "alerts stand in the log alone");
        }
    }
}

fn event(alert: Alert) -> Change {
    Change::Record(Event {
        number: Layout::Own.draw_number(&SystemEntropy),
        at: alert.at,
        what: format!("upstream.{}", alert.kind.word()),
        user: None,
        client: None,
        detail: format!("{}: {}", alert.app, alert.detail),
    })
}
