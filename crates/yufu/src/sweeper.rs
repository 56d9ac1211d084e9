//! The sweeper: removes what is past its retention, a little at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use yufu_core::store::Browse;
use yufu_core::time::Lifetime;
use yufu_web::clock::Clock;

/// How long the sweeper rests when there is nothing left to do.
const REST: Duration = Duration::from_secs(60);
/// How long it rests between two rounds that found something, so that others may write.
const PAUSE: Duration = Duration::from_millis(50);

/// Sweeps until told to stop.
pub async fn run<S: Browse>(
    store: S,
    clock: Arc<Clock>,
    keep_events: Lifetime,
    mut closing: watch::Receiver<bool>,
) {
    loop {
        // A clock that was turned ahead takes nothing away: it may be turned back.
        let now = clock.earliest();
        let rest = match store.sweep(now, now.minus(keep_events)).await {
            Ok(0) => REST,
            Ok(_) => PAUSE,
            Err(fault) => {
                tracing::error!(%fault, "sweep");
                REST
            }
        };
        tokio::select! {
            () = clock.rest(rest) => {}
            _ = closing.changed() => return,
        }
    }
}
