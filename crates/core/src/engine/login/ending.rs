//! Sessions that end as a whole: by one value of their user's, and one notice for each.

use serde_json::json;

use super::{LoginHalt, amend};
use crate::engine::Engine;
use crate::engine::account::sessions_end;
use crate::id::Number;
use crate::login::LoginRefusal;
use crate::login::body::DeviceSession;
use crate::refusal::Fault;
use crate::store::Change;
use crate::ticket::Ticket;
use crate::time::Timestamp;
use crate::user::User;

/// What ends the sessions of an account as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum EndedBy {
    /// The account has another phone number.
    PhoneChanged,
    /// Its number went to its new owner.
    PhoneLost,
    /// A login of its own was taken off, by the user or by the upstream.
    Unlinked,
    /// Another login took the place of the one it had.
    LoginReplaced,
    /// Its logins moved to another account, or back.
    Merged,
    /// It is about to be deleted.
    Deleted,
    /// The operator disabled it.
    Disabled,
    /// The operator ended them.
    Operator,
}

impl EndedBy {
    const fn word(self) -> &'static str {
        match self {
            Self::PhoneChanged => "phone_changed",
            Self::PhoneLost => "phone_lost",
            Self::Unlinked => "unlinked",
            Self::LoginReplaced => "login_replaced",
            Self::Merged => "merged",
            Self::Deleted => "deleted",
            Self::Disabled => "disabled",
            Self::Operator => "operator",
        }
    }
}

impl Engine {
    /// Ends every session of a user but `keep`, by value: the user's own change, and that of the
    /// kept session, which both ride in the caller's commit. The webhooks hear of each session.
    ///
    /// # Errors
    /// [`LoginRefusal::SessionInvalid`] and its siblings when the session to be kept is over.
    pub(super) async fn end_others(
        &self,
        user: &mut User,
        keep: Option<Number>,
        by: EndedBy,
        now: Timestamp,
    ) -> Result<Vec<Change>, LoginHalt> {
        // Read before the value moves on: after that none of them lives.
        let mut changes = self.tell_ends(user, keep, by, now).await?;
        if self.login().expose_upstream_token {
            // A token that such a device was shown would lead to whoever has the identity later.
            for session in self.living_but(user, keep, now).await? {
                let family = self.shown_family(&session.body.device);
                changes.push(Change::RevokeFamily { family, at: now });
            }
        }
        let from = sessions_end(user, now);
        if let Some(number) = keep {
            let session = self.session_row(number).await?;
            if session.user != Some(user.id) {
                return Err(LoginRefusal::SessionInvalid.into());
            }
            if session.body.from < user.sessions_from {
                let at = user.sessions_from;
                return Err(LoginRefusal::SessionKicked { at }.into());
            }
            let body = DeviceSession {
                from,
                ..session.body.clone()
            };
            changes.push(amend(&session, &body, session.expires_at)?);
        }
        user.sessions_from = from;
        Ok(changes)
    }

    /// The notices of all sessions of a user but `keep`, which nobody is let in by any more.
    ///
    /// # Errors
    /// Faults of the store.
    pub(in crate::engine) async fn tell_ends(
        &self,
        user: &User,
        keep: Option<Number>,
        by: EndedBy,
        now: Timestamp,
    ) -> Result<Vec<Change>, Fault> {
        if self.login().webhooks.is_empty() {
            return Ok(Vec::new());
        }
        let ending = self.living_but(user, keep, now).await?;
        let ending = ending.iter();
        let told = ending.flat_map(|session| self.tell_end(session, by.word(), now));
        Ok(told.collect())
    }

    /// The living sessions of a user but this one.
    async fn living_but(
        &self,
        user: &User,
        keep: Option<Number>,
        now: Timestamp,
    ) -> Result<Vec<Ticket<DeviceSession>>, Fault> {
        let mut living = self.living_sessions(user, now).await?;
        living.retain(|session| Some(session.number) != keep);
        Ok(living)
    }

    /// The notices of a session's end.
    pub(super) fn tell_end(
        &self,
        session: &Ticket<DeviceSession>,
        reason: &str,
        now: Timestamp,
    ) -> Vec<Change> {
        let Some(user) = session.user else {
            return Vec::new();
        };
        let data = json!({
            "session": self.session_id(session.number),
            "reason": reason,
            "device_id": session.body.device_id,
            "platform": session.body.platform,
        });
        self.notices("session.ended", user, &data, now)
    }
}
