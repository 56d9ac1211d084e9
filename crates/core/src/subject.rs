//! Pairwise subjects: what a client may know a user by.
//!
//! openid is pairwise by client, unionid pairwise by developer (`docs/facts/wechat.md` §10). Both
//! are drawn by HMAC and then persisted at the first grant, so a lost key never makes strangers
//! of everybody, and a migration can bring its own.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::id::{ClientId, DeveloperId, UserId};
use crate::keyring::{Keyring, fit};

/// A pairwise name of a user: 28 characters of `[A-Za-z0-9_-]`, the first an `o`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Subject(Arc<str>);

impl Subject {
    /// Takes a persisted or migrated subject.
    pub fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The text as it stands on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Within what a subject is the same: one client, or all clients of one developer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sector {
    /// One client: the subject is an openid.
    Client(ClientId),
    /// All clients of one developer: the subject is a unionid.
    Developer(DeveloperId),
}

impl fmt::Display for Sector {
    /// The form kept in the store: `c:` or `d:`, then the id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(id) => write!(f, "c:{id}"),
            Self::Developer(id) => write!(f, "d:{id}"),
        }
    }
}

impl Keyring {
    /// Draws the subject of a user within a sector; `attempt` counts up when one is taken already.
    ///
    /// Six characters are common to the sector, as on WeChat (§2); the other 22 hold 132 bits.
    pub fn subject(&self, user: UserId, sector: &Sector, attempt: u32) -> Subject {
        let sector = sector.to_string();
        let head = self.digest("subject sector", &[sector.as_bytes()]);
        let head = URL_SAFE_NO_PAD.encode(head);
        let mut attempt = u64::from(attempt) << 8;
        loop {
            let body = self.digest(
                "subject",
                &[
                    sector.as_bytes(),
                    &user.0.0.to_be_bytes(),
                    &attempt.to_be_bytes(),
                ],
            );
            let body = URL_SAFE_NO_PAD.encode(body);
            let text = format!("o{}{}", head.split_at(5).0, body.split_at(22).0);
            if fit(&text) {
                return Subject::new(&text);
            }
            attempt += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Number;
    use crate::keyring::tests::{Counted, keyring};

    #[test]
    fn subjects_have_the_platforms_shape_and_differ_by_user_and_sector() {
        let ring = keyring(&Counted::default());
        let (mei, wei) = (UserId(Number(1)), UserId(Number(2)));
        let app = Sector::Client(ClientId::new("wx0123456789abcdef"));
        let other = Sector::Client(ClientId::new("wxfedcba9876543210"));
        let openid = ring.subject(mei, &app, 0);
        assert_eq!(openid.as_str().len(), 28);
        assert!(openid.as_str().starts_with('o'));
        assert!(
            openid
                .as_str()
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        );
        assert_eq!(openid, ring.subject(mei, &app, 0));
        assert_eq!(
            openid.as_str()[..6],
            ring.subject(wei, &app, 0).as_str()[..6]
        );
        for another in [
            ring.subject(wei, &app, 0),
            ring.subject(mei, &other, 0),
            ring.subject(mei, &app, 1),
            ring.subject(mei, &Sector::Developer(DeveloperId(Number(1))), 0),
        ] {
            assert_ne!(openid, another);
        }
    }
}
