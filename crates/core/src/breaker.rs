//! A circuit breaker: whether an upstream is called at all, after what it said last.
//!
//! It is a value that is told what happened and when; one stands before each call of each app, for
//! quotas are counted so. Who wants to call asks [`Breaker::admit`] and tells the outcome to
//! [`Breaker::record`].

use crate::time::{Lifetime, Timestamp};

/// China's distance from UTC: the platforms' days end there, and it has no summer time.
const CHINA: i64 = 8 * 3_600_000;
const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;
/// The shortest wait: a promise of less is asked again at once by everybody.
const SHORTEST: i64 = 1000;

/// When a breaker opens and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerSettings {
    /// So many failures in a row open it.
    pub failures: u32,
    /// For how long they do.
    pub rest: Lifetime,
    /// After how long a used-up daily quota is tried again, for an operator may have raised it;
    /// `None` for not before midnight in China.
    pub daily_probe: Option<Lifetime>,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            failures: 5,
            rest: Lifetime::seconds(10),
            daily_probe: Some(Lifetime::minutes(10)),
        }
    }
}

/// What a call came to, as far as a breaker cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was answered with sense, be it a refusal.
    Answered,
    /// Nobody was reached, nothing sensible came back, or the platform said that it is busy.
    Failed,
    /// This minute's quota is used up (45011).
    MinuteQuota,
    /// This day's quota is used up (45009).
    DailyQuota,
}

/// Why and until when a breaker is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    since: Timestamp,
    span: Lifetime,
    by_quota: bool,
    /// When the one that may try was let through.
    probe: Option<Timestamp>,
}

impl Open {
    fn until(&self) -> Timestamp {
        self.since.plus(self.span)
    }
}

/// The state of one breaker.
#[derive(Clone, Copy, Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    failures: u32,
    open: Option<Open>,
}

impl Breaker {
    /// A closed one.
    pub const fn new(settings: BreakerSettings) -> Self {
        Self {
            settings,
            failures: 0,
            open: None,
        }
    }

    /// Whether a call may be made now. When an open breaker's time is over, one may try; the
    /// others wait for what it finds out, but not for ever: it may never tell.
    ///
    /// # Errors
    /// How long to wait, when it may not.
    pub fn admit(&mut self, now: Timestamp) -> Result<(), Lifetime> {
        let patience = self.patience();
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        // Opened in the future: the clock was turned back since. What was to pass still passes,
        // from now.
        if open.since > now {
            open.since = now;
        }
        if now < open.until() {
            return Err(wait(open.until().since(now)));
        }
        match open.probe {
            Some(at) if (at..at.plus(patience)).contains(&now) => {
                Err(wait(at.plus(patience).since(now)))
            }
            _ => {
                open.probe = Some(now);
                Ok(())
            }
        }
    }

    /// Learns what a call that was admitted came to. Tells whether this opened a closed breaker,
    /// so that one alert is raised, not one for every try that fails while it is open.
    #[must_use]
    pub fn record(&mut self, outcome: Outcome, now: Timestamp) -> bool {
        match outcome {
            Outcome::Answered => {
                self.failures = 0;
                // A success that was under way when the quota ran out says nothing about the quota.
                if self.open.is_some_and(|o| !o.by_quota || o.probe.is_some()) {
                    self.open = None;
                }
                false
            }
            Outcome::Failed => {
                self.failures = self.failures.saturating_add(1);
                match self.open {
                    Some(open) if open.probe.is_none() => false,
                    Some(_) => self.shut(self.settings.rest, false, now),
                    None if self.failures < self.settings.failures => false,
                    None => self.shut(self.settings.rest, false, now),
                }
            }
            Outcome::MinuteQuota => self.shut(to_next(now.0, MINUTE), true, now),
            Outcome::DailyQuota => {
                let midnight = to_next(now.0.saturating_add(CHINA), DAY);
                let probe = self.settings.daily_probe.unwrap_or(midnight);
                self.shut(midnight.min(probe), true, now)
            }
        }
    }

    /// Whether calls are refused at this moment: what the login page is told (UPS-05). Not so
    /// once a try is due, or nobody would ever be sent to try.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.open
            .is_some_and(|open| open.since > now || now < open.until())
    }

    /// Opens, or stays open for longer: a shorter span never replaces a longer one that runs.
    fn shut(&mut self, span: Lifetime, by_quota: bool, now: Timestamp) -> bool {
        let before = self.open;
        let fresh = Open {
            since: now,
            span: wait(span),
            by_quota,
            probe: None,
        };
        let runs_longer = before.is_some_and(|open| {
            open.probe.is_none() && open.since <= now && open.until() > fresh.until()
        });
        if !runs_longer {
            self.open = Some(fresh);
        }
        before.is_none()
    }

    /// How long the one that tries is waited for.
    fn patience(&self) -> Lifetime {
        wait(self.settings.rest)
    }
}

/// How long from a moment to the next full minute or day.
fn to_next(millis: i64, unit: i64) -> Lifetime {
    Lifetime::from_millis(unit.saturating_sub(millis.rem_euclid(unit)))
}

fn wait(span: Lifetime) -> Lifetime {
    span.max(Lifetime::from_millis(SHORTEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2027-01-15T08:00:00Z, 16:00 in China.
    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn breaker() -> Breaker {
        Breaker::new(BreakerSettings::default())
    }

    fn after(millis: i64) -> Timestamp {
        NOW.plus(Lifetime::from_millis(millis))
    }

    #[test]
    fn five_failures_in_a_row_open_it_once_for_ten_seconds() {
        let mut breaker = breaker();
        for _ in 0..4 {
            assert_eq!(breaker.admit(NOW), Ok(()));
            assert!(!breaker.record(Outcome::Failed, NOW));
        }
        assert!(!breaker.is_open(NOW));
        assert!(breaker.record(Outcome::Failed, NOW), "told");
        assert!(!breaker.record(Outcome::Failed, NOW), "told once");
        assert!(breaker.is_open(NOW));
        assert_eq!(breaker.admit(after(4000)), Err(Lifetime::seconds(6)));
        assert_eq!(breaker.admit(after(9999)), Err(Lifetime::seconds(1)));
    }

    #[test]
    fn an_answer_in_between_starts_the_count_anew() {
        let mut breaker = breaker();
        for _ in 0..3 {
            for _ in 0..4 {
                assert!(!breaker.record(Outcome::Failed, NOW));
            }
            assert!(!breaker.record(Outcome::Answered, NOW));
        }
        assert_eq!(breaker.admit(NOW), Ok(()));
    }

    fn opened() -> Breaker {
        let mut breaker = breaker();
        let told = (0..5).filter(|_| breaker.record(Outcome::Failed, NOW));
        assert_eq!(told.count(), 1);
        breaker
    }

    #[test]
    fn one_tries_and_an_answer_closes_it() {
        let mut breaker = opened();
        let later = after(10_000);
        assert!(!breaker.is_open(later));
        assert_eq!(breaker.admit(later), Ok(()));
        assert_eq!(breaker.admit(later), Err(Lifetime::seconds(10)));
        assert!(!breaker.record(Outcome::Answered, later));
        assert_eq!(breaker.admit(later), Ok(()));
        assert_eq!(breaker.admit(later), Ok(()));
        assert!(!breaker.record(Outcome::Failed, later), "counts from one");
    }

    #[test]
    fn a_try_that_fails_opens_it_again_without_a_word() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(after(10_000)), Ok(()));
        assert!(!breaker.record(Outcome::Failed, after(10_500)));
        assert_eq!(breaker.admit(after(20_000)), Err(Lifetime::seconds(1)));
        assert_eq!(breaker.admit(after(20_500)), Ok(()));
        // It came back, and went again: that is news.
        assert!(!breaker.record(Outcome::Answered, after(20_500)));
        let told = (0..5).filter(|_| breaker.record(Outcome::Failed, after(21_000)));
        assert_eq!(told.count(), 1);
    }

    #[test]
    fn a_try_that_never_tells_is_not_waited_for_for_ever() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(after(10_000)), Ok(()));
        assert_eq!(breaker.admit(after(19_000)), Err(Lifetime::seconds(1)));
        assert_eq!(breaker.admit(after(20_000)), Ok(()));
    }

    #[test]
    fn a_minutes_quota_comes_back_with_the_minute() {
        let mut breaker = breaker();
        assert!(breaker.record(Outcome::MinuteQuota, after(15_000)));
        assert_eq!(breaker.admit(after(15_000)), Err(Lifetime::seconds(45)));
        assert!(
            !breaker.record(Outcome::MinuteQuota, after(16_000)),
            "told once"
        );
        // A success that was under way does not make it more.
        assert!(!breaker.record(Outcome::Answered, after(16_000)));
        assert_eq!(breaker.admit(after(59_500)), Err(Lifetime::seconds(1)));
        assert_eq!(breaker.admit(after(60_000)), Ok(()));
        assert!(!breaker.record(Outcome::Answered, after(60_000)));
        assert_eq!(breaker.admit(after(60_000)), Ok(()));
        // A minute that ends at once is a second.
        assert!(breaker.record(Outcome::MinuteQuota, after(119_999)));
        assert_eq!(breaker.admit(after(119_999)), Err(Lifetime::seconds(1)));
        assert_eq!(breaker.admit(after(120_999)), Ok(()));
    }

    #[test]
    fn a_days_quota_comes_back_at_midnight_in_china() {
        let mut breaker = Breaker::new(BreakerSettings {
            daily_probe: None,
            ..BreakerSettings::default()
        });
        assert!(breaker.record(Outcome::DailyQuota, NOW));
        assert_eq!(breaker.admit(NOW), Err(Lifetime::seconds(8 * 3600)));
        assert_eq!(breaker.admit(after(8 * 3_600_000)), Ok(()));
    }

    #[test]
    fn a_days_quota_is_tried_now_and_then() {
        let mut breaker = breaker();
        assert!(breaker.record(Outcome::DailyQuota, NOW));
        assert_eq!(breaker.admit(NOW), Err(Lifetime::minutes(10)));
        let later = after(600_000);
        assert_eq!(breaker.admit(later), Ok(()));
        assert!(!breaker.record(Outcome::DailyQuota, later));
        assert_eq!(breaker.admit(later), Err(Lifetime::minutes(10)));
        // Never beyond midnight.
        let late = after(8 * 3_600_000 - 60_000);
        assert_eq!(breaker.admit(late), Ok(()));
        assert!(!breaker.record(Outcome::DailyQuota, late));
        assert_eq!(breaker.admit(late), Err(Lifetime::minutes(1)));
    }

    #[test]
    fn a_minutes_quota_does_not_shorten_a_days() {
        let mut breaker = breaker();
        assert!(breaker.record(Outcome::DailyQuota, NOW));
        assert!(!breaker.record(Outcome::MinuteQuota, NOW));
        assert_eq!(breaker.admit(NOW), Err(Lifetime::minutes(10)));
    }

    #[test]
    fn a_clock_turned_back_does_not_shut_it_for_ever() {
        let mut breaker = opened();
        let past = NOW.minus(Lifetime::days(365));
        assert!(breaker.is_open(past));
        assert_eq!(breaker.admit(past), Err(Lifetime::seconds(10)));
        assert_eq!(breaker.admit(past.plus(Lifetime::seconds(10))), Ok(()));
        // A try in the future is forgotten too.
        let mut breaker = opened();
        assert_eq!(breaker.admit(after(10_000)), Ok(()));
        assert_eq!(breaker.admit(past), Err(Lifetime::seconds(10)));
        assert_eq!(breaker.admit(past.plus(Lifetime::seconds(10))), Ok(()));
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Admit,
        Record(Outcome),
        Turn(i64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let outcome = prop_oneof![
            Just(Outcome::Answered),
            Just(Outcome::Failed),
            Just(Outcome::MinuteQuota),
            Just(Outcome::DailyQuota),
        ];
        let step = prop_oneof![
            Just(Step::Admit),
            outcome.prop_map(Step::Record),
            (-100_000_000i64..100_000_000).prop_map(Step::Turn),
            (0i64..20_000).prop_map(Step::Turn),
        ];
        proptest::collection::vec(step, 0..60)
    }

    proptest! {
        /// Whatever happened and however the clock was turned: who is refused and waits as long
        /// as they were told is let in, and no wait is longer than a day.
        #[test]
        fn a_promised_wait_is_kept(steps in steps(), probe in proptest::option::of(0i64..900)) {
            let mut breaker = Breaker::new(BreakerSettings {
                daily_probe: probe.map(Lifetime::seconds),
                ..BreakerSettings::default()
            });
            let mut now = NOW;
            for step in steps {
                match step {
                    Step::Admit => {
                        let _ = breaker.admit(now);
                    }
                    Step::Record(outcome) => {
                        let _ = breaker.record(outcome, now);
                    }
                    Step::Turn(by) => now = now.plus(Lifetime::from_millis(by)),
                }
                let mut asked = breaker;
                if let Err(wait) = asked.admit(now) {
                    prop_assert!(wait >= Lifetime::seconds(1) && wait <= Lifetime::days(1));
                    prop_assert_eq!(asked.admit(now.plus(wait)), Ok(()));
                }
            }
        }

        /// It never tells twice without an answer in between.
        #[test]
        fn an_alert_is_raised_once(steps in steps()) {
            let mut breaker = breaker();
            let (mut now, mut told) = (NOW, false);
            for step in steps {
                match step {
                    Step::Admit => {
                        let _ = breaker.admit(now);
                    }
                    Step::Record(outcome) => {
                        let tells = breaker.record(outcome, now);
                        prop_assert!(!(tells && told));
                        told = (told || tells) && outcome != Outcome::Answered;
                    }
                    Step::Turn(by) => now = now.plus(Lifetime::from_millis(by)),
                }
            }
        }

        /// While answers come, nobody is refused.
        #[test]
        fn answers_keep_it_closed(turns in proptest::collection::vec(-1_000_000i64..1_000_000, 0..40)) {
            let mut breaker = breaker();
            let mut now = NOW;
            for by in turns {
                now = now.plus(Lifetime::from_millis(by));
                prop_assert_eq!(breaker.admit(now), Ok(()));
                prop_assert!(!breaker.record(Outcome::Answered, now));
            }
        }
    }
}
