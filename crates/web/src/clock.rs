//! The only place that reads the wall clock. Everything below is given the time.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use yufu_core::time::{Lifetime, Timestamp};

/// A clock that can be set apart from real time by a fixed distance.
#[derive(Debug, Default)]
pub struct Clock {
    ahead: AtomicI64,
}

impl Clock {
    /// The time of the house: real time, moved by how far the clock was turned.
    pub fn now(&self) -> Timestamp {
        let ahead = Lifetime::from_millis(self.ahead.load(Ordering::Relaxed));
        real().plus(ahead)
    }

    /// Turns the clock by a distance, forward or back, on top of earlier turns.
    pub fn turn(&self, by: Lifetime) {
        self.ahead.fetch_add(by.millis(), Ordering::Relaxed);
    }
}

/// Real time.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the wall clock"
)]
pub fn real() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp(since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }))
}

/// A mark in monotonic time, for how long something took.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads a clock"
)]
pub fn mark() -> std::time::Instant {
    std::time::Instant::now()
}

/// How long something may still take; it does not turn with the clock.
#[derive(Clone, Copy, Debug)]
pub struct Budget(tokio::time::Instant);

impl Budget {
    /// Begins now.
    pub fn new(whole: Duration) -> Self {
        Self(tokio::time::Instant::now() + whole)
    }

    /// What is left of it.
    pub fn left(&self) -> Duration {
        self.0
            .saturating_duration_since(tokio::time::Instant::now())
    }
}
