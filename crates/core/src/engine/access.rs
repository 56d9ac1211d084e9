//! Access tokens at work: the profile behind one, and whether it is alive.

use std::sync::Arc;

use super::Engine;
use crate::client::{Client, Status};
use crate::grant::Grant;
use crate::limit::Rate;
use crate::message::{AccessRequest, ProfileAnswer};
use crate::refusal::{Fault, Refusal, Stop};
use crate::scope::{self, Scopes};
use crate::secret::{Layout, Secret};
use crate::store::{GrantKey, UserKey};
use crate::subject::{Sector, Subject};
use crate::ticket::{Access, Kind, Ticket};
use crate::time::{Lifetime, Timestamp};
use crate::user::{Profile, User, UserStatus};

/// A live access token and all that it speaks for.
struct LiveAccess {
    scopes: Scopes,
    grant: Arc<Grant>,
    client: Arc<Client>,
    user: Arc<User>,
    snapshot: bool,
}

/// By which names a client is told of a user.
pub(super) struct Named {
    pub(super) openid: Subject,
    pub(super) unionid: Option<Subject>,
    pub(super) snapshot: bool,
}

impl Engine {
    pub(super) async fn access_ticket(
        &self,
        access: &Secret,
        now: Timestamp,
    ) -> Result<Ticket<Access>, Stop> {
        let presented = self
            .keyring
            .read(Kind::Access, Layout::WeChatToken, access.expose())
            .ok_or(Refusal::UnknownAccess)?;
        let raw = self.store().ticket(Kind::Access, presented.number).await?;
        let raw = raw
            .filter(|raw| presented.proves(&raw.ticket.hash))
            .ok_or(Refusal::UnknownAccess)?;
        let ticket = raw.open::<Access>()?;
        if ticket.revoked_at.is_some() {
            return Err(Refusal::UnknownAccess.into());
        }
        if now >= ticket.expires_at {
            return Err(Refusal::ExpiredAccess.into());
        }
        Ok(ticket)
    }

    async fn live_access(&self, access: &Secret, now: Timestamp) -> Result<LiveAccess, Stop> {
        let ticket = self.access_ticket(access, now).await?;
        let id = ticket.grant.ok_or(Refusal::UnknownAccess)?;
        let grant = self.store().grant(GrantKey::Id(id)).await?;
        let grant = grant
            .filter(|grant| grant.stands() && ticket.body.from == grant.tokens_from)
            .ok_or(Refusal::UnknownAccess)?;
        let client = self.store().client(&grant.client).await?;
        let client = client.ok_or(Refusal::UnknownAccess)?;
        self.count_call(&client, now)?;
        if client.status == Status::Suspended {
            return Err(Refusal::ClientSuspended.into());
        }
        let user = self.store().user(UserKey::Id(grant.user)).await?;
        let user = user.ok_or_else(|| Fault::new("a grant without its user"))?;
        check_user(&client, &user, ticket.issued_at)?;
        Ok(LiveAccess {
            scopes: ticket.body.scopes,
            grant,
            client,
            user,
            snapshot: ticket.body.snapshot,
        })
    }

    /// The names under which a client knows the user of a grant; made up for a snapshot page,
    /// where neither is ever the real one (`docs/facts/wechat.md` §3).
    pub(super) fn named(&self, grant: &Grant, snapshot: bool) -> Named {
        /// Far beyond any round of a race for a real subject.
        const VIRTUAL: u32 = 1 << 20;
        if !snapshot {
            return Named {
                openid: grant.openid.clone(),
                unionid: grant.unionid.clone(),
                snapshot,
            };
        }
        let sector = Sector::Client(grant.client.clone());
        let virtual_subject = |round| self.keyring.subject(grant.user, &sector, round);
        Named {
            openid: virtual_subject(VIRTUAL),
            unionid: grant.unionid.as_ref().map(|_| virtual_subject(VIRTUAL + 1)),
            snapshot,
        }
    }

    /// Counts a call against the client's own bound (§8: 45011).
    pub(super) fn count_call(&self, client: &Client, now: Timestamp) -> Result<(), Refusal> {
        let burst = client.policy.calls_per_minute;
        if burst == 0 {
            return Ok(());
        }
        let rate = Rate {
            burst,
            each: Lifetime::from_millis((60_000 / i64::from(burst)).max(1)),
        };
        let counted = self
            .limiter
            .attempt(&format!("calls:{}", client.id), rate, now);
        counted.map_err(|_| Refusal::TooFast)
    }

    /// The profile behind an access token.
    ///
    /// # Errors
    /// [`Refusal::UnknownAccess`], [`Refusal::ExpiredAccess`], [`Refusal::ScopeInsufficient`];
    /// [`Refusal::WrongSubject`] where the client wants the openid checked (§7.4).
    pub async fn profile(
        &self,
        request: &AccessRequest,
        now: Timestamp,
    ) -> Result<ProfileAnswer, Stop> {
        let live = self.live_access(&request.access, now).await?;
        if !live.scopes.contains(scope::USERINFO) && !live.scopes.contains(scope::LOGIN) {
            return Err(Refusal::ScopeInsufficient.into());
        }
        let named = self.named(&live.grant, live.snapshot);
        if live.client.policy.strict_openid && request.openid != named.openid.as_str() {
            return Err(Refusal::WrongSubject.into());
        }
        let told = live.client.tells_unionid(&live.scopes);
        let user = if live.snapshot {
            Arc::new(User {
                profile: Profile {
                    nickname: SNAPSHOT_NICKNAME.to_owned(),
                    ..Profile::default()
                },
                ..User::clone(&live.user)
            })
        } else {
            live.user
        };
        Ok(ProfileAnswer {
            openid: named.openid,
            unionid: named.unionid.filter(|_| told),
            user,
            full: live.client.policy.full_profile,
        })
    }

    /// Whether an access token is alive and belongs to this subject.
    ///
    /// # Errors
    /// [`Refusal::UnknownAccess`], [`Refusal::ExpiredAccess`], [`Refusal::WrongSubject`].
    pub async fn inspect(&self, request: &AccessRequest, now: Timestamp) -> Result<(), Stop> {
        let live = self.live_access(&request.access, now).await?;
        if request.openid != self.named(&live.grant, live.snapshot).openid.as_str() {
            return Err(Refusal::WrongSubject.into());
        }
        Ok(())
    }
}

/// What a snapshot page calls its virtual user.
const SNAPSHOT_NICKNAME: &str = "微信用户";

/// Whether a user may be spoken for by something issued at this moment.
pub(super) fn check_user(
    client: &Client,
    user: &User,
    issued_at: Timestamp,
) -> Result<(), Refusal> {
    if user.status != UserStatus::Active {
        return Err(Refusal::UserRestricted);
    }
    let changed = user.password_changed_at.is_some_and(|at| issued_at < at);
    if changed && client.policy.password_change_voids {
        return Err(Refusal::CredentialsChanged);
    }
    Ok(())
}
