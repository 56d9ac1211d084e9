//! Limits on failures: who fails too often waits; who succeeds is never counted.
//!
//! A limit is one moment per key (GCRA): the theoretical time at which the bucket is empty again.
//! The table is of this process and of limited size. A turned clock moves it like everything.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::time::{Lifetime, Timestamp};

/// How many at once, and how long until one more is allowed.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// How many are taken at once.
    pub burst: u32,
    /// How long it takes to earn one back.
    pub each: Lifetime,
}

/// What failures of an address are counted under: the address itself, or its /64 for IPv6, where
/// one subscriber has that many addresses to fail from.
pub fn network(address: &str) -> String {
    match address.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V6(ip)) if ip.to_ipv4_mapped().is_none() => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        _ => address.to_owned(),
    }
}

/// The block of addresses that one party may well have whole: the /24 of an IPv4 address, the /64
/// of an IPv6 one.
pub fn block(address: &str) -> String {
    let v4 = match address.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(ip)) => Some(ip),
        Ok(std::net::IpAddr::V6(ip)) => ip.to_ipv4_mapped(),
        Err(_) => None,
    };
    match v4.map(|ip| ip.octets()) {
        Some([a, b, c, _]) => format!("{a}.{b}.{c}.0/24"),
        None => network(address),
    }
}

/// The most keys that are remembered; beyond, those that are free again are forgotten, and if
/// none is, new keys are refused: an attacker with many addresses cannot push out a victim's key.
const MAX_KEYS: usize = 200_000;
/// How often a full table is looked through for those: it takes milliseconds.
const CLEANING: Lifetime = Lifetime::seconds(1);

/// Failures by key.
#[derive(Default)]
pub struct Limiter(Mutex<Table>);

#[derive(Default)]
struct Table {
    keys: HashMap<String, Timestamp>,
    cleaned_at: Timestamp,
}

impl Limiter {
    /// Counts an attempt before it is made, so that a thousand at once are a thousand.
    ///
    /// # Errors
    /// How long to wait, when the key has no attempt left; nothing is counted then.
    pub fn attempt(&self, key: &str, rate: Rate, now: Timestamp) -> Result<(), Lifetime> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Table { keys, cleaned_at } = &mut *table;
        if keys.len() >= MAX_KEYS && !keys.contains_key(key) {
            if !(*cleaned_at..cleaned_at.plus(CLEANING)).contains(&now) {
                *cleaned_at = now;
                keys.retain(|_, empty_at| *empty_at > now);
            }
            if keys.len() >= MAX_KEYS {
                return Err(rate.each);
            }
        }
        let full = rate.each.millis().saturating_mul(i64::from(rate.burst));
        // No bucket is fuller than full: what says so was written before the clock was turned
        // back. By a little it counts as full, for requests overtake each other; by much it is
        // forgotten, or a turned clock would shut everybody out until it comes round again.
        let latest = now.plus(Lifetime::from_millis(full));
        let forgotten = latest.plus(Lifetime::from_millis(full));
        let known = keys.get(key).copied().filter(|at| *at <= forgotten);
        let empty_at = known.unwrap_or(now).min(latest).max(now);
        let next = empty_at.plus(rate.each);
        let over = next.0.saturating_sub(now.0).saturating_sub(full);
        if over > 0 {
            keys.insert(key.to_owned(), empty_at);
            return Err(Lifetime::from_millis(over));
        }
        keys.insert(key.to_owned(), next);
        Ok(())
    }

    /// Forgets everything.
    pub fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Table::default();
    }

    /// Takes an attempt back because it succeeded.
    pub fn forgive(&self, key: &str, rate: Rate, now: Timestamp) {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = &mut table.keys;
        if let Some(empty_at) = keys.get_mut(key) {
            *empty_at = empty_at.minus(rate.each);
            if *empty_at <= now {
                keys.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        burst: 3,
        each: Lifetime::seconds(60),
    };

    #[test]
    fn what_is_forgotten_was_never_counted() {
        let (limiter, now) = (Limiter::default(), Timestamp(0));
        for _ in 0..RATE.burst {
            limiter.attempt("k", RATE, now).unwrap();
        }
        limiter.attempt("k", RATE, now).unwrap_err();
        limiter.forget();
        limiter.attempt("k", RATE, now).unwrap();
    }

    #[test]
    fn a_burst_is_allowed_then_one_per_interval() {
        let limiter = Limiter::default();
        let now = Timestamp::from_seconds(1000);
        for _ in 0..3 {
            assert!(limiter.attempt("k", RATE, now).is_ok());
        }
        assert_eq!(limiter.attempt("k", RATE, now), Err(Lifetime::seconds(60)));
        assert!(limiter.attempt("other", RATE, now).is_ok());
        let later = now.plus(Lifetime::seconds(60));
        assert!(limiter.attempt("k", RATE, later).is_ok());
        assert!(limiter.attempt("k", RATE, later).is_err());
    }

    #[test]
    fn a_full_table_keeps_whom_it_knows_and_refuses_whom_it_does_not() {
        let limiter = Limiter::default();
        let now = Timestamp::from_seconds(1000);
        for _ in 0..3 {
            limiter.attempt("victim", RATE, now).unwrap();
        }
        for n in 1..MAX_KEYS {
            limiter.attempt(&n.to_string(), RATE, now).unwrap();
        }
        let refused = Err(Lifetime::seconds(60));
        assert_eq!(limiter.attempt("new", RATE, now), refused);
        assert_eq!(limiter.attempt("victim", RATE, now), refused);
        assert_eq!(limiter.attempt("1", RATE, now), Ok(()));
        let later = now.plus(Lifetime::seconds(60));
        assert_eq!(limiter.attempt("new", RATE, later), Ok(()));
        let keys = limiter.0.lock().unwrap().keys.len();
        assert_eq!(keys, 3, "the victim, the first and the new one");
    }

    #[test]
    fn a_clock_turned_back_shuts_nobody_out_and_lets_nobody_in() {
        let limiter = Limiter::default();
        let now = Timestamp::from_seconds(1000);
        let tomorrow = now.plus(Lifetime::days(1));
        let soon = now.plus(Lifetime::seconds(60));
        for _ in 0..3 {
            assert!(limiter.attempt("k", RATE, tomorrow).is_ok());
            assert!(limiter.attempt("overtaken", RATE, soon).is_ok());
        }
        assert!(
            limiter.attempt("k", RATE, now).is_ok(),
            "by much: forgotten"
        );
        // By a little: still full, and free again after one interval.
        let refused = Err(Lifetime::seconds(60));
        assert_eq!(limiter.attempt("overtaken", RATE, now), refused);
        assert!(limiter.attempt("overtaken", RATE, soon).is_ok());
        assert!(limiter.attempt("overtaken", RATE, soon).is_err());
    }

    #[test]
    fn an_ipv6_subscriber_is_one_address() {
        assert_eq!(network("2001:db8:1:2:3::4"), "2001:db8:1:2::/64");
        assert_eq!(network("2001:db8:1:2::9"), network("2001:db8:1:2:3::4"));
        assert_ne!(network("2001:db8:1:3::9"), network("2001:db8:1:2::9"));
        assert_eq!(network("192.0.2.1"), "192.0.2.1");
        assert_eq!(network("::ffff:192.0.2.1"), "::ffff:192.0.2.1");
        assert_eq!(network(""), "");
    }

    #[test]
    fn a_block_is_what_one_party_may_have_whole() {
        assert_eq!(block("192.0.2.1"), "192.0.2.0/24");
        assert_eq!(block("::ffff:192.0.2.9"), "192.0.2.0/24");
        assert_ne!(block("192.0.3.1"), block("192.0.2.1"));
        assert_eq!(block("2001:db8:1:2:3::4"), "2001:db8:1:2::/64");
        assert_eq!(block("elsewhere"), "elsewhere");
    }

    #[test]
    fn successes_never_count() {
        let limiter = Limiter::default();
        let now = Timestamp::from_seconds(1000);
        for _ in 0..100 {
            assert!(limiter.attempt("k", RATE, now).is_ok());
            limiter.forgive("k", RATE, now);
        }
        assert!(
            limiter.0.lock().unwrap().keys.is_empty(),
            "nothing is left behind"
        );
    }
}
