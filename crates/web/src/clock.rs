//! The only place that reads the wall clock. Everything below is given the time.
//!
//! The house's clock is real time in `serve`, always. In the sandbox it can be turned, frozen and
//! set back, and a single request can be judged at another time than the house's ([`Turned`]).
//!
//! **What a jump back needs is kept.** What is past its retention is swept by the earlier of the
//! house's time and real time ([`Clock::earliest`]): so a clock that was turned half a year ahead
//! leaves every code and token where it was, and they are as good as before once it is turned back.
//! What was *done* while the clock was ahead stays done: tokens that were renewed, accounts whose
//! day of deletion had come.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::Extensions;
use tokio::sync::Notify;
use yufu_core::time::{Lifetime, Timestamp};

/// A clock that can be turned, frozen, and set back to real time.
#[derive(Debug)]
pub struct Clock {
    /// How far it is from real time while it goes.
    ahead: AtomicI64,
    /// Where it stands; [`GOES`] while it goes.
    stands: AtomicI64,
    /// Held by whoever turns it, so that two turns are one after the other.
    hand: Mutex<()>,
    /// Rung when it was turned.
    bell: Notify,
}

/// No moment: the clock goes.
const GOES: i64 = i64::MIN;

impl Default for Clock {
    fn default() -> Self {
        Self {
            ahead: AtomicI64::new(0),
            stands: AtomicI64::new(GOES),
            hand: Mutex::default(),
            bell: Notify::new(),
        }
    }
}

impl Clock {
    /// The time of the house.
    pub fn now(&self) -> Timestamp {
        match self.stands.load(Ordering::Acquire) {
            GOES => real().plus(Lifetime::from_millis(self.ahead.load(Ordering::Acquire))),
            stands => Timestamp(stands),
        }
    }

    /// The earlier of the house's time and real time: what is not over by either is over for
    /// nobody.
    pub fn earliest(&self) -> Timestamp {
        self.now().min(real())
    }

    /// Turns the clock by a distance, forward or back, on top of earlier turns. A frozen clock
    /// stands at another moment then.
    pub fn turn(&self, by: Lifetime) {
        let _hand = self.hand();
        match self.stands.load(Ordering::Acquire) {
            GOES => {
                let ahead = self.ahead.load(Ordering::Acquire);
                let ahead = ahead.saturating_add(by.millis());
                self.ahead.store(ahead, Ordering::Release);
            }
            stands => self.stands.store(
                stands.saturating_add(by.millis()).max(GOES + 1),
                Ordering::Release,
            ),
        }
        self.bell.notify_waiters();
    }

    /// Stops the clock where it is.
    pub fn freeze(&self) {
        let _hand = self.hand();
        self.stands.store(self.now().0, Ordering::Release);
        self.bell.notify_waiters();
    }

    /// Lets a frozen clock go on from where it stands.
    pub fn thaw(&self) {
        let _hand = self.hand();
        let stands = self.stands.load(Ordering::Acquire);
        if stands != GOES {
            // First the distance: whoever reads in between still sees where it stood.
            let ahead = stands.saturating_sub(real().0);
            self.ahead.store(ahead, Ordering::Release);
            self.stands.store(GOES, Ordering::Release);
        }
        self.bell.notify_waiters();
    }

    /// Sets the clock to real time, and lets it go.
    pub fn back_to_real(&self) {
        let _hand = self.hand();
        self.ahead.store(0, Ordering::Release);
        self.stands.store(GOES, Ordering::Release);
        self.bell.notify_waiters();
    }

    /// How far the clock is ahead of real time; negative when it is behind.
    pub fn ahead(&self) -> Lifetime {
        match self.stands.load(Ordering::Acquire) {
            GOES => Lifetime::from_millis(self.ahead.load(Ordering::Acquire)),
            stands => Lifetime::from_millis(stands.saturating_sub(real().0)),
        }
    }

    /// Whether the clock stands.
    pub fn frozen(&self) -> bool {
        self.stands.load(Ordering::Acquire) != GOES
    }

    /// Rests for this long, or until the clock is turned, for whoever does things at their time.
    pub async fn rest(&self, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.bell.notified()).await;
    }

    fn hand(&self) -> MutexGuard<'_, ()> {
        self.hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Among the extensions of a request: it is judged this much later than the house's clock says, or
/// earlier. Put there by the sandbox alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turned(pub Lifetime);

impl Turned {
    /// How far a request is turned.
    pub(crate) fn of(extensions: &Extensions) -> Lifetime {
        let turned = extensions.get::<Self>();
        turned.map_or(Lifetime::from_millis(0), |turned| turned.0)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Real time goes on while a test runs, but not by a minute.
    fn is_about(a: Lifetime, b: Lifetime) -> bool {
        (a.millis() - b.millis()).abs() < 60_000
    }

    fn distance(clock: &Clock) -> Lifetime {
        Lifetime::from_millis(clock.now().0 - real().0)
    }

    const HOUR: Lifetime = Lifetime::minutes(60);
    const NONE: Lifetime = Lifetime::from_millis(0);

    #[test]
    fn turns_add_up_and_go_both_ways() {
        let clock = Clock::default();
        assert!(is_about(distance(&clock), NONE) && clock.ahead() == NONE && !clock.frozen());
        clock.turn(Lifetime::days(181));
        clock.turn(HOUR);
        assert_eq!(clock.ahead(), Lifetime::minutes(181 * 24 * 60 + 60));
        assert!(is_about(distance(&clock), clock.ahead()));
        clock.turn(Lifetime::minutes(-182 * 24 * 60));
        assert_eq!(clock.ahead(), Lifetime::minutes(-23 * 60));
        assert_eq!(clock.earliest(), clock.now());
    }

    #[test]
    fn a_frozen_clock_stands_and_goes_on_from_there() {
        let clock = Clock::default();
        clock.turn(HOUR);
        clock.freeze();
        let stood = clock.now();
        let begun = real();
        while real() == begun {}
        assert_eq!(clock.now(), stood);
        assert!(clock.frozen() && is_about(clock.ahead(), HOUR));
        // Turned, it stands elsewhere; frozen again, it stays there.
        clock.turn(HOUR);
        clock.freeze();
        assert_eq!(clock.now(), stood.plus(HOUR));
        clock.thaw();
        assert!(!clock.frozen() && clock.now() >= stood.plus(HOUR));
        assert!(is_about(clock.ahead(), Lifetime::minutes(120)));
        clock.thaw();
        assert!(is_about(clock.ahead(), Lifetime::minutes(120)));
    }

    #[test]
    fn real_time_is_one_step_away_from_everywhere() {
        let clock = Clock::default();
        clock.turn(Lifetime::days(31));
        clock.freeze();
        clock.back_to_real();
        assert!(!clock.frozen() && clock.ahead() == NONE);
        assert!(is_about(distance(&clock), NONE));
    }

    #[test]
    fn the_end_of_time_saturates() {
        for far in [i64::MAX, i64::MIN] {
            let clock = Clock::default();
            clock.freeze();
            clock.turn(Lifetime::from_millis(far));
            clock.turn(Lifetime::from_millis(far));
            assert!(clock.frozen(), "no turn lets it go");
        }
    }

    #[tokio::test]
    async fn whoever_rests_hears_that_the_clock_was_turned() {
        let clock = std::sync::Arc::new(Clock::default());
        let rests = {
            let clock = clock.clone();
            tokio::spawn(async move { clock.rest(Duration::from_secs(3600)).await })
        };
        while !rests.is_finished() {
            clock.turn(HOUR);
            tokio::task::yield_now().await;
        }
    }
}
