//! A client's own standing with the platform: its own token, and the ticket that signs scans
//! (`docs/facts/wechat.md` §6).

use super::{Engine, Halt, settled};
use crate::client::{AuthenticatedClient, ClientKind, Status};
use crate::id::ClientId;
use crate::message::{PlatformTicket, Tokens};
use crate::refusal::{Fault, Refusal, Stop};
use crate::scope::Scopes;
use crate::secret::{Layout, Secret};
use crate::store::Change;
use crate::ticket::{Access, Kind, PlatformStanding, Ticket};
use crate::time::{Lifetime, Timestamp};

impl Engine {
    /// A token for the client itself; the one before it lives on for a few minutes (§6).
    pub(super) async fn client_token(
        &self,
        client: &AuthenticatedClient,
        now: Timestamp,
    ) -> Result<Tokens, Halt> {
        let client = client.client();
        let access = self.mint(Kind::Access, Layout::WeChatToken)?;
        let life = client.policy.access_life;
        let ticket = Ticket {
            number: access.number,
            hash: access.hash,
            grant: None,
            family: None,
            client: Some(client.id.clone()),
            user: None,
            body: Access {
                scopes: Scopes::default(),
                from: Timestamp(0),
                snapshot: false,
            },
            issued_at: now,
            expires_at: now.plus(life),
            taken_at: None,
            revoked_at: None,
            version: 1,
        };
        let mut changes = vec![Change::Issue(ticket.seal()?)];
        let standing = self.platform_standing(&client.id).await?;
        let previous = standing.as_ref().and_then(|standing| standing.body.access);
        if let Some(number) = previous {
            let end = now.plus(self.settings.platform_overlap);
            let raw = self.store().ticket(Kind::Access, number).await?;
            if raw.is_some_and(|raw| raw.ticket.is_alive(now) && raw.ticket.expires_at > end) {
                changes.push(Change::Extend {
                    kind: Kind::Access,
                    number,
                    expires_at: end,
                });
            }
        }
        let ticket = standing.as_ref().and_then(|standing| standing.body.ticket);
        let body = PlatformStanding {
            access: Some(access.number),
            ticket,
        };
        changes.push(self.put_standing(&client.id, standing, body, now)?);
        self.commit(changes).await?;
        Ok(Tokens {
            access: access.secret,
            expires_in: life,
            refresh: None,
            openid: None,
            unionid: None,
            scopes: Scopes::default(),
            scope_trailing_comma: false,
            is_snapshot: false,
        })
    }

    /// Writes a client's standing: it never expires before what it names.
    fn put_standing(
        &self,
        client: &ClientId,
        before: Option<Ticket<PlatformStanding>>,
        body: PlatformStanding,
        now: Timestamp,
    ) -> Result<Change, Fault> {
        let ticket_ends_at = body.ticket.map_or(now, |(_, ends_at)| ends_at);
        let expires_at = now.max(ticket_ends_at).plus(Lifetime::days(1));
        Ok(match before {
            Some(before) => Change::Amend {
                kind: Kind::Platform,
                number: before.number,
                version: before.version,
                body: serde_json::to_vec(&body).map_err(|e| Fault::from("write a standing", e))?,
                expires_at,
            },
            None => {
                let (number, hash) = self
                    .keyring
                    .look_up(Kind::Platform, client.as_str().as_bytes());
                let ticket = Ticket {
                    number,
                    hash,
                    grant: None,
                    family: None,
                    client: Some(client.clone()),
                    user: None,
                    body,
                    issued_at: now,
                    expires_at,
                    taken_at: None,
                    revoked_at: None,
                    version: 1,
                };
                Change::Issue(ticket.seal()?)
            }
        })
    }

    /// The ticket that signs requests for QR codes, for a client's own token (§6). It stays the
    /// same until it ends.
    ///
    /// # Errors
    /// [`Refusal::UnknownAccess`], [`Refusal::ExpiredAccess`], [`Refusal::WrongTokenKind`],
    /// [`Refusal::WrongClientKind`], [`Refusal::ClientSuspended`].
    pub async fn platform_ticket(
        &self,
        access: &Secret,
        now: Timestamp,
    ) -> Result<PlatformTicket, Stop> {
        let ticket = self.access_ticket(access, now).await?;
        let id = match (&ticket.client, ticket.grant) {
            (Some(id), None) => id.clone(),
            _ => return Err(Refusal::WrongTokenKind.into()),
        };
        let client = self.known_client(&id).await?;
        if client.status == Status::Suspended {
            return Err(Refusal::ClientSuspended.into());
        }
        if client.kind != ClientKind::Mobile {
            return Err(Refusal::WrongClientKind.into());
        }
        settled!(|_round| self.platform_ticket_once(&id, now))
    }

    async fn platform_ticket_once(
        &self,
        client: &ClientId,
        now: Timestamp,
    ) -> Result<PlatformTicket, Halt> {
        let standing = self.platform_standing(client).await?;
        let live = standing
            .as_ref()
            .and_then(|standing| standing.body.ticket)
            .filter(|(_, ends_at)| now < *ends_at);
        let (number, ends_at) = match live {
            Some(live) => live,
            None => {
                let ends_at = now.plus(self.settings.platform_ticket_life);
                let fresh = (self.draw_number(), ends_at);
                let access = standing.as_ref().and_then(|standing| standing.body.access);
                let body = PlatformStanding {
                    access,
                    ticket: Some(fresh),
                };
                let change = self.put_standing(client, standing, body, now)?;
                self.commit(vec![change]).await?;
                fresh
            }
        };
        Ok(PlatformTicket {
            ticket: self.keyring.platform_ticket(client, number),
            expires_in: ends_at.since(now),
        })
    }
}
