//! Who yields when somebody logs in on another device (concurrent or
//! exclusive, old out or new refused, one per platform, a limit). A pure function over facts.

use super::{DevicePolicy, Yields};

/// The facts of a new session.
#[derive(Clone, Copy, Debug)]
pub struct RoomFacts<'a> {
    /// Who else may be logged in.
    pub policy: DevicePolicy,
    /// Who yields.
    pub yields: Yields,
    /// The most sessions of one user, the new one counted; none is read as one.
    pub limit: u32,
    /// The platform of the new session.
    pub platform: &'a str,
    /// The platforms of the user's other living sessions, oldest first.
    pub others: &'a [&'a str],
}

/// Which of the others end, in their order, so that the new session has room: those that the
/// policy does not suffer beside it, then the oldest beyond the limit, which holds under every
/// policy because a platform is a word that the caller chooses. `None` when the new one is the one
/// to yield.
pub fn room(facts: &RoomFacts<'_>) -> Option<Vec<bool>> {
    let suffers = |platform: &str| match facts.policy {
        DevicePolicy::Concurrent => true,
        DevicePolicy::OnePerPlatform => platform != facts.platform,
        DevicePolicy::Exclusive => false,
    };
    let mut ends: Vec<bool> = facts.others.iter().map(|other| !suffers(other)).collect();
    let beside = usize::try_from(facts.limit.max(1) - 1).unwrap_or(usize::MAX);
    let staying = ends.iter().filter(|ends| !**ends).count();
    let oldest = ends.iter_mut().filter(|ends| !**ends);
    oldest
        .take(staying.saturating_sub(beside))
        .for_each(|ends| *ends = true);
    let yields = facts.yields == Yields::Old || !ends.contains(&true);
    yields.then_some(ends)
}
