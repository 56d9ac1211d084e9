//! What stands after consent: the yes of a user to a client.

use serde::{Deserialize, Serialize};

use crate::id::{ClientId, GrantId, UserId};
use crate::scope::Scopes;
use crate::subject::Subject;
use crate::time::Timestamp;

/// The standing yes of a user to a client. One stands at a time for a pair; tokens hang from it
/// and die with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// Who said yes.
    pub user: UserId,
    /// To whom.
    pub client: ClientId,
    /// To what, all that was ever agreed to while it stands.
    pub scopes: Scopes,
    /// The client's name for the user.
    pub openid: Subject,
    /// The developer's name for the user; `None` when the client gets none.
    pub unionid: Option<Subject>,
    /// When it was first given.
    pub created_at: Timestamp,
    /// When it was last asked for and confirmed.
    pub updated_at: Timestamp,
    /// When all earlier tokens were last ended (a client's setting). Tokens that were not paid for
    /// under this very value are dead: that holds within a millisecond and under a turned clock.
    pub tokens_from: Timestamp,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// Counts its changes; a change of an older version is refused by the store.
    pub version: u32,
}

impl Grant {
    /// Whether it stands.
    pub fn stands(&self) -> bool {
        self.revoked_at.is_none()
    }

    /// Whether it stands and covers these scopes, so that nobody needs to be asked.
    pub fn covers(&self, scopes: &Scopes) -> bool {
        self.stands() && self.scopes.covers(scopes)
    }
}
