//! Time as a value: read once at the door, passed down, never asked for.

use serde::{Deserialize, Serialize};

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The moment this many whole seconds after 1970-01-01T00:00:00Z.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This moment moved by a lifetime; saturates at the end of time.
    pub const fn plus(self, life: Lifetime) -> Self {
        Self(self.0.saturating_add(life.millis()))
    }

    /// This moment moved back by a lifetime.
    pub const fn minus(self, life: Lifetime) -> Self {
        Self(self.0.saturating_sub(life.millis()))
    }

    /// How long from `earlier` to here; zero when `earlier` is later.
    pub const fn since(self, earlier: Self) -> Lifetime {
        let millis = self.0.saturating_sub(earlier.0);
        Lifetime::from_millis(if millis < 0 { 0 } else { millis })
    }
}

/// A span of time, kept in milliseconds; written in configuration as seconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Lifetime(i64);

impl Lifetime {
    /// A span of whole seconds.
    pub const fn seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// A span of whole minutes.
    pub const fn minutes(minutes: i64) -> Self {
        Self::seconds(minutes.saturating_mul(60))
    }

    /// A span of whole days of 24 hours.
    pub const fn days(days: i64) -> Self {
        Self::seconds(days.saturating_mul(86_400))
    }

    /// A span of milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The span in milliseconds.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// The span in whole seconds, rounded down: what `expires_in` says.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_added_is_the_lifetime_between() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let life = Lifetime::minutes(10);
        assert_eq!(now.plus(life).since(now), life);
        assert_eq!(now.since(now.plus(life)), Lifetime::seconds(0));
        assert_eq!(now.plus(life).minus(life), now);
    }

    #[test]
    fn seconds_round_down_before_the_epoch_too() {
        assert_eq!(Timestamp(-1).seconds(), -1);
        assert_eq!(Timestamp(1999).seconds(), 1);
    }

    #[test]
    fn the_end_of_time_saturates() {
        assert_eq!(
            Timestamp(i64::MAX).plus(Lifetime::days(1)),
            Timestamp(i64::MAX)
        );
    }
}
