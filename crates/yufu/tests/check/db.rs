//! What the backend under test keeps: people, identities, states, tickets, passcodes, sessions.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backend::Fault;

/// An account.
#[derive(Clone, Debug, Default)]
pub(crate) struct User {
    pub(crate) phone: Option<String>,
    pub(crate) nickname: String,
    pub(crate) deleting: bool,
}

/// What the platform said of somebody.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) appid: String,
    pub(crate) openid: String,
    pub(crate) unionid: Option<String>,
    pub(crate) nickname: String,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// A login of an account.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) facts: Facts,
    pub(crate) user: usize,
}

/// A login that was begun.
#[derive(Clone)]
pub(crate) struct Begun {
    pub(crate) device: String,
    pub(crate) app: usize,
    pub(crate) link: bool,
    /// What came of it; whoever asks while it is worked on waits.
    pub(crate) outcome: Arc<tokio::sync::Mutex<Option<Outcome>>>,
}

/// What a login came to.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    In(String),
    Bind(String),
    No(&'static str),
}

/// A login that waits for a number.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    pub(crate) device: String,
    pub(crate) facts: Facts,
    pub(crate) used: bool,
    /// The account that was found, and the person was asked about.
    pub(crate) asked: Option<(usize, String)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) user: usize,
    pub(crate) refresh: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Passcode {
    pub(crate) digits: String,
    pub(crate) tries: u32,
    pub(crate) sent: Instant,
}

#[derive(Default)]
pub(crate) struct Db {
    pub(crate) faults: Vec<Fault>,
    pub(crate) users: Vec<User>,
    pub(crate) identities: Vec<Identity>,
    pub(crate) begun: HashMap<String, Begun>,
    pub(crate) tickets: HashMap<String, Ticket>,
    pub(crate) sessions: HashMap<String, Session>,
    pub(crate) passcodes: HashMap<String, Passcode>,
    pub(crate) codes: HashMap<String, Facts>,
}

impl Db {
    fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    pub(crate) fn add(&mut self, facts: &Facts, phone: Option<String>) -> usize {
        self.users.push(User {
            phone,
            nickname: facts.nickname.clone(),
            deleting: false,
        });
        let user = self.users.len() - 1;
        if !facts.openid.is_empty() || self.has(Fault::TakesAnything) {
            self.link(facts, user);
        }
        user
    }

    pub(crate) fn link(&mut self, facts: &Facts, user: usize) {
        self.identities.push(Identity {
            facts: facts.clone(),
            user,
        });
    }

    /// Whose login this is: by app and openid, then by unionid.
    pub(crate) fn whose(&mut self, facts: &Facts) -> Option<usize> {
        if self.has(Fault::NewEachTime) {
            return None;
        }
        if self.has(Fault::KeyedByNickname) {
            let same = |user: &User| user.nickname == facts.nickname;
            return self.users.iter().position(same);
        }
        if self.has(Fault::KeyedByUnionid) {
            let key = |facts: &Facts| facts.unionid.clone().unwrap_or(facts.openid.clone());
            let mut all = self.identities.iter();
            return all
                .find(|it| key(&it.facts) == key(facts))
                .map(|it| it.user);
        }
        let own =
            |it: &&mut Identity| it.facts.appid == facts.appid && it.facts.openid == facts.openid;
        if let Some(identity) = self.identities.iter_mut().find(own) {
            let before = identity.facts.unionid.clone();
            identity.facts = facts.clone();
            identity.facts.unionid = before.or(facts.unionid.clone());
            return Some(identity.user);
        }
        let found = match self.has(Fault::NoUnionid) {
            true => None,
            false => {
                let same =
                    |it: &&Identity| facts.unionid.is_some() && it.facts.unionid == facts.unionid;
                self.identities.iter().find(same).map(|it| it.user)
            }
        };
        if let Some(user) = found {
            self.link(facts, user);
        }
        found
    }

    pub(crate) fn owner(&self, phone: &str) -> Option<usize> {
        let has = |user: &User| user.phone.as_deref() == Some(phone);
        self.users.iter().position(has)
    }

    pub(crate) fn has_login(&self, user: usize) -> bool {
        self.identities.iter().any(|it| it.user == user)
    }

    pub(crate) fn let_in(&mut self, user: usize) -> String {
        let token = yufu::check::backend::random();
        let refresh = yufu::check::backend::random();
        self.sessions
            .insert(token.clone(), Session { user, refresh });
        token
    }

    pub(crate) fn ticket(&mut self, facts: Facts, device: &str) -> String {
        if !self.has(Fault::TicketsPile) {
            let same =
                |it: &Ticket| it.facts.openid == facts.openid && it.facts.appid == facts.appid;
            self.tickets.retain(|_, it| !same(it));
        }
        let ticket = yufu::check::backend::random();
        let device = device.to_owned();
        self.tickets.insert(
            ticket.clone(),
            Ticket {
                device,
                facts,
                used: false,
                asked: None,
            },
        );
        ticket
    }

    /// Sends a passcode, unless one was sent just now.
    pub(crate) fn send(&mut self, key: &str, now: Instant) -> bool {
        let recent = |it: &Passcode| now - it.sent < Duration::from_secs(60) && it.tries == 0;
        let recent = self.passcodes.get(key).is_some_and(recent);
        if recent && !self.has(Fault::SendsAlways) {
            return false;
        }
        let drawn = u64::from_str_radix(&yufu::check::backend::random(), 16).unwrap_or(0);
        let digits = match self.has(Fault::FourDigits) {
            true => format!("{:04}", drawn % 10_000),
            false => format!("{:06}", drawn % 1_000_000),
        };
        let passcode = Passcode {
            digits,
            tries: 0,
            sent: now,
        };
        self.passcodes.insert(key.to_owned(), passcode);
        true
    }

    /// Takes a passcode, once.
    pub(crate) fn take(&mut self, key: &str, digits: &str) -> bool {
        let limit = match (self.has(Fault::GuessesForever), self.has(Fault::OneTry)) {
            (true, _) => u32::MAX,
            (_, true) => 1,
            _ => 5,
        };
        let Some(passcode) = self.passcodes.get_mut(key) else {
            return false;
        };
        let good = passcode.digits == digits && passcode.tries < limit;
        passcode.tries += 1;
        if good && !self.has(Fault::PasscodeStays) {
            self.passcodes.remove(key);
        }
        good
    }
}
