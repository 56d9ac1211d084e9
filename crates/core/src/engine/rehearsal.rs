//! What a house is asked for when it is rehearsed against: lives that end before their time, codes
//! of somebody else. Only the sandbox asks; the rules are those of every other operation.

use std::sync::Arc;

use super::authorize::code_ticket;
use super::{Engine, Halt, settled};
use crate::id::UserId;
use crate::message::SignedIn;
use crate::refusal::{Refusal, Stop};
use crate::secret::{Layout, Secret};
use crate::store::{Change, UserKey};
use crate::ticket::{Code, Kind, Ticket};
use crate::time::Timestamp;

impl Engine {
    /// Ends the life of a code or token at a moment, as if its time had come; one whose time had
    /// come before stays as it was. Answers what it is. Revoking is another thing: the platform
    /// answers 42001 and 42002 to what is over, 40001 and 40030 to what was revoked.
    ///
    /// # Errors
    /// [`Refusal::UnknownAccess`] when it is none of ours or revoked, [`Refusal::SpentCode`] for a
    /// code that was spent.
    pub async fn expire_secret(&self, secret: &Secret, at: Timestamp) -> Result<Kind, Stop> {
        settled!(|_round| self.expire_secret_once(secret, at))
    }

    async fn expire_secret_once(&self, secret: &Secret, at: Timestamp) -> Result<Kind, Halt> {
        let raw = self.find_secret(secret).await?;
        let ticket = &raw.ticket;
        if ticket.taken_at.is_some() {
            return Err(Refusal::SpentCode.into());
        }
        if ticket.revoked_at.is_some() {
            return Err(Refusal::UnknownAccess.into());
        }
        if at < ticket.expires_at {
            let event = self.event(
                "token.expired",
                ticket.user,
                ticket.client.as_ref(),
                raw.kind.word(),
                at,
            );
            self.commit(vec![
                Change::Extend {
                    kind: raw.kind,
                    number: ticket.number,
                    expires_at: at,
                },
                event,
            ])
            .await?;
        }
        Ok(raw.kind)
    }

    /// A code like this one, for the same client and with the same terms, that speaks for another
    /// user: as if the platform had mixed two logins up. The other user agrees by it to what the
    /// first one agreed to.
    ///
    /// # Errors
    /// [`Refusal::UnknownCode`] when it is no code of ours, [`Refusal::NotSignedIn`] for an unknown
    /// user, [`Refusal::UserRestricted`].
    pub async fn code_of_another(
        &self,
        like: &Secret,
        user: UserId,
        now: Timestamp,
    ) -> Result<Secret, Stop> {
        let raw = self.find_secret(like).await?;
        if raw.kind != Kind::Code {
            return Err(Refusal::UnknownCode.into());
        }
        let code = raw.open::<Code>()?;
        let user = self.store().user(UserKey::Id(user)).await?;
        let signed_in = SignedIn {
            user: user.ok_or(Refusal::NotSignedIn)?,
            authenticated_at: now,
        };
        settled!(|round| self.code_of_another_once(&code, &signed_in, round, now))
    }

    async fn code_of_another_once(
        &self,
        like: &Ticket<Code>,
        signed_in: &SignedIn,
        round: u32,
        now: Timestamp,
    ) -> Result<Secret, Halt> {
        let client = like.client.as_ref().ok_or(Refusal::UnknownCode)?;
        let client = Arc::clone(&self.known_client(client).await?);
        let (grant, mut changes) = self
            .grant_for(&client, signed_in, &like.body.scopes, false, round, now)
            .await?;
        let minted = self.mint(Kind::Code, Layout::WeChatCode)?;
        let body = like.body.clone();
        let code = code_ticket(&client, &grant, minted.number, minted.hash, body, now);
        changes.push(Change::Issue(code.seal()?));
        let (user, client) = (Some(grant.user), Some(&client.id));
        changes.push(self.event("code.of_another", user, client, "", now));
        self.commit(changes).await?;
        Ok(minted.secret)
    }
}
