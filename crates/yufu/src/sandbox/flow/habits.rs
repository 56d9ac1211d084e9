//! What is remembered of each client from one login to the next: which states it sent, and who was
//! let in. Bounded, and told to the rules as facts of an arrow.

use std::collections::VecDeque;

use super::mark::TieKey;
use super::ties::ByTie;

/// The most clients that are remembered.
const CLIENTS: usize = 1000;
/// The most states of a client that are remembered.
const STATES: usize = 2000;
/// How many logins of one browser may have one state: people go back and try again.
const PATIENCE: u32 = 2;

/// All clients.
#[derive(Default)]
pub(super) struct Habits {
    clients: ByTie<Client>,
}

#[derive(Default)]
struct Client {
    states: ByTie<Sent>,
    /// The states in the order in which they came.
    order: VecDeque<TieKey>,
    /// How many were let in who had a unionid, and who had none.
    with_unionid: u32,
    without_unionid: u32,
}

/// A state that was sent.
struct Sent {
    flow: u64,
    browser: TieKey,
    logins: u32,
}

impl Habits {
    fn client(&mut self, appid: TieKey) -> &mut Client {
        if self.clients.len() >= CLIENTS && !self.clients.contains_key(&appid) {
            self.clients.clear();
        }
        self.clients.entry(appid).or_default()
    }

    /// A client sends a state in a login. Tells whether others had it before: another browser, or
    /// more logins of this one than somebody who goes back would begin.
    pub(super) fn sends(
        &mut self,
        appid: TieKey,
        state: TieKey,
        flow: u64,
        browser: TieKey,
    ) -> bool {
        let client = self.client(appid);
        if let Some(sent) = client.states.get_mut(&state) {
            if sent.flow == flow {
                return sent.logins > PATIENCE;
            }
            let is_other = sent.browser != browser || browser == 0;
            sent.logins = if is_other {
                PATIENCE + 1
            } else {
                sent.logins + 1
            };
            sent.flow = flow;
            return sent.logins > PATIENCE;
        }
        if client.order.len() >= STATES
            && let Some(oldest) = client.order.pop_front()
        {
            client.states.remove(&oldest);
        }
        client.order.push_back(state);
        let sent = Sent {
            flow,
            browser,
            logins: 1,
        };
        client.states.insert(state, sent);
        false
    }

    /// Somebody was let in by a client.
    pub(super) fn let_in(&mut self, appid: TieKey, has_unionid: bool) {
        let client = self.client(appid);
        if has_unionid {
            client.with_unionid += 1;
        } else {
            client.without_unionid += 1;
        }
    }

    /// Whether a client let others in, and all of them had a unionid.
    pub(super) fn only_unionids(&self, appid: TieKey) -> bool {
        let client = self.clients.get(&appid);
        client.is_some_and(|client| client.with_unionid > 0 && client.without_unionid == 0)
    }

    pub(super) fn clear(&mut self) {
        self.clients.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_another_browser_is_told_at_once_and_of_the_same_one_at_the_third_login() {
        let mut habits = Habits::default();
        assert!(!habits.sends(1, 7, 1, 100));
        assert!(!habits.sends(1, 7, 1, 100), "the page was loaded again");
        assert!(!habits.sends(1, 7, 2, 100), "somebody went back");
        assert!(habits.sends(1, 7, 3, 100));
        assert!(!habits.sends(2, 7, 4, 100), "another client's");
        assert!(habits.sends(2, 7, 5, 101));
        assert!(habits.sends(2, 7, 5, 101), "it stays so");
        assert!(!habits.sends(2, 8, 6, 0));
        assert!(
            habits.sends(2, 8, 7, 0),
            "nobody knows which browser it was"
        );
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut habits = Habits::default();
        for n in 0..STATES as u64 * 2 {
            habits.sends(1, n + 1, n, n + 1);
        }
        assert_eq!(habits.clients[&1].states.len(), STATES);
        for n in 0..CLIENTS as u64 * 2 {
            habits.sends(n + 1, 1, n, 1);
        }
        assert!(habits.clients.len() <= CLIENTS);
    }

    #[test]
    fn whoever_was_let_in_without_a_unionid_shows_that_none_is_needed() {
        let mut habits = Habits::default();
        assert!(!habits.only_unionids(1));
        habits.let_in(1, true);
        assert!(habits.only_unionids(1));
        habits.let_in(1, false);
        assert!(!habits.only_unionids(1));
    }
}
