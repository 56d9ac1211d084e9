//! Logging in again with what the device still has (D3), while the upstream's word still counts.
//!
//! The upstream is asked by the caller, between two steps: each step says what to ask next, or
//! that it is over. The caller's secret is judged in each step before anything else, and pays for
//! a new pair only in the last one: an upstream that cannot be reached costs nobody a session.

use super::bind::enterable;
use super::session::NewSession;
use super::vault::RenewedTokens;
use super::{LoginHalt, MAX_WORD_BYTES, put, settled_login};
use crate::engine::Engine;
use crate::identity::{IdentityKey, IdentityStatus};
use crate::login::body::{DeviceSession, Shown, Vault, VaultTokens};
use crate::login::decide::{Relogin, UpstreamVerdict, VaultFacts};
use crate::login::{Authenticated, BindPolicy, Device, LoggedIn, LoginRefusal, LoginStop, decide};
use crate::refusal::Fault;
use crate::secret::Secret;
use crate::ticket::{Kind, Ticket};
use crate::time::{Lifetime, Timestamp};
use crate::user::User;

/// How long to wait for an upstream that cannot be asked.
const BUSY: Lifetime = Lifetime::seconds(5);

/// With what somebody logs in again.
#[derive(Clone, Copy)]
pub enum RelogBy<'a> {
    /// Our refresh token: it is rotated.
    Refresh(&'a str),
    /// Our session token: the session stands as it is.
    Token(&'a str),
    /// The upstream's access token, which the device was shown: a new session begins (REL-09).
    Upstream {
        /// The token.
        access_token: &'a str,
    },
}

/// A wish to be let in again.
#[derive(Clone, Copy)]
pub struct RelogRequest<'a> {
    /// With what.
    pub by: RelogBy<'a>,
    /// On which device.
    pub device: Device<'a>,
}

/// Somebody who was let in again.
#[derive(Debug)]
pub enum RelogDone {
    /// With a new pair.
    LoggedIn(LoggedIn),
    /// In the session that they had.
    Standing {
        /// The session.
        session: Authenticated,
        /// Whether the upstream could not be asked and its last word counts (REL-06).
        unverified: bool,
    },
}

/// What comes next.
pub enum RelogStep {
    /// Nothing: let in.
    Done(RelogDone),
    /// Ask the upstream whether the access token is good, then [`Engine::relogin_checked`].
    Check(RelogTicket),
    /// Have the refresh token renewed, then [`Engine::relogin_refreshed`].
    Refresh(RelogTicket),
}

/// A login between two steps. It never leaves the server.
pub struct RelogTicket {
    /// The name of our app at the upstream.
    pub app: String,
    /// The upstream's name of the user for that app.
    pub openid: String,
    /// What the upstream is asked with: its access token, or its refresh token.
    pub token: Secret,
    held: Held,
}

/// What the caller presented, kept between the steps.
struct Held {
    by: HeldBy,
    device: Option<Secret>,
    device_id: String,
    platform: String,
    address: String,
}

enum HeldBy {
    Refresh(Secret),
    Token(Secret),
    Upstream(Secret),
}

impl Held {
    fn of(request: &RelogRequest<'_>) -> Result<Self, LoginRefusal> {
        let (by, text) = match request.by {
            RelogBy::Refresh(text) => (HeldBy::Refresh(Secret::new(text)), text),
            RelogBy::Token(text) => (HeldBy::Token(Secret::new(text)), text),
            RelogBy::Upstream { access_token: text } => (HeldBy::Upstream(Secret::new(text)), text),
        };
        if text.is_empty() || text.len() > MAX_WORD_BYTES {
            return Err(LoginRefusal::SessionInvalid);
        }
        Ok(Self {
            by,
            device: request.device.secret.map(Secret::new),
            device_id: request.device.id.to_owned(),
            platform: request.device.platform.to_owned(),
            address: request.device.address.to_owned(),
        })
    }

    fn device(&self) -> Device<'_> {
        Device {
            secret: self.device.as_ref().map(Secret::expose),
            id: &self.device_id,
            platform: &self.platform,
            address: &self.address,
        }
    }
}

/// Whoever presented something good.
struct Caller {
    user: User,
    session: Option<Ticket<DeviceSession>>,
    authenticated: Option<Authenticated>,
    /// The identity whose upstream has a say; `None` when none has.
    identity: Option<IdentityKey>,
}

/// What the vault of a caller's identity holds.
struct VaultState {
    vault: Option<(Ticket<Vault>, VaultTokens)>,
    facts: VaultFacts,
}

/// What the upstream said since the last step.
#[derive(Clone, Copy)]
enum Heard<'a> {
    Nothing,
    Checked(UpstreamVerdict, &'a Secret),
    Renewed(UpstreamVerdict, &'a Secret),
}

impl Engine {
    /// The first step of logging in again.
    ///
    /// # Errors
    /// Those of the secret that was presented; [`LoginRefusal::Reauthorize`] when the upstream
    /// wants to see the user (REL-04); [`LoginRefusal::Deleting`], [`LoginRefusal::Disabled`].
    pub async fn relogin_begin(
        &self,
        request: RelogRequest<'_>,
        now: Timestamp,
    ) -> Result<RelogStep, LoginStop> {
        self.check_device(&request.device)?;
        let held = Held::of(&request)?;
        self.relogin_step(held, Heard::Nothing, now).await
    }

    /// The step after the access token was checked.
    ///
    /// # Errors
    /// As [`Engine::relogin_begin`]; [`LoginRefusal::UpstreamBusy`] when nobody could be asked and
    /// the last word is too old (REL-06).
    pub async fn relogin_checked(
        &self,
        ticket: RelogTicket,
        verdict: UpstreamVerdict,
        now: Timestamp,
    ) -> Result<RelogStep, LoginStop> {
        let heard = Heard::Checked(verdict, &ticket.token);
        self.relogin_step(ticket.held, heard, now).await
    }

    /// The step after the refresh token was presented.
    ///
    /// # Errors
    /// As [`Engine::relogin_checked`].
    pub async fn relogin_refreshed(
        &self,
        ticket: RelogTicket,
        renewed: Result<RenewedTokens, UpstreamVerdict>,
        now: Timestamp,
    ) -> Result<RelogStep, LoginStop> {
        let verdict = match renewed {
            Ok(renewed) => {
                // What was renewed is kept in any case: the upstream may have taken the old ones
                // out of use.
                let caller = settled_login!(self.caller(&ticket.held, now))?;
                if let Some(key) = &caller.identity {
                    let with = Some(&ticket.token);
                    settled_login!(self.swap(key, with, &renewed, now))?;
                }
                UpstreamVerdict::Good
            }
            // Without tokens nothing was heard that would be good.
            Err(UpstreamVerdict::Good) => UpstreamVerdict::Unreachable,
            Err(verdict) => verdict,
        };
        let heard = Heard::Renewed(verdict, &ticket.token);
        self.relogin_step(ticket.held, heard, now).await
    }

    async fn relogin_step(
        &self,
        held: Held,
        heard: Heard<'_>,
        now: Timestamp,
    ) -> Result<RelogStep, LoginStop> {
        let next = settled_login!(self.relogin_next(&held, heard, now))?;
        Ok(match next {
            Next::Done(done) => RelogStep::Done(done),
            Next::Check(key, token) => RelogStep::Check(self.relogin_ticket(key, token, held)?),
            Next::Refresh(key, token) => RelogStep::Refresh(self.relogin_ticket(key, token, held)?),
        })
    }

    fn relogin_ticket(
        &self,
        key: IdentityKey,
        token: Secret,
        held: Held,
    ) -> Result<RelogTicket, Fault> {
        let app = self.upstream_app_of(&key.app);
        let app = app.ok_or_else(|| Fault::new("an app that is not ours"))?;
        Ok(RelogTicket {
            app: app.name.clone(),
            openid: key.subject,
            token,
            held,
        })
    }

    async fn relogin_next(
        &self,
        held: &Held,
        heard: Heard<'_>,
        now: Timestamp,
    ) -> Result<Next, LoginHalt> {
        let caller = self.caller(held, now).await?;
        let found = match &caller.identity {
            Some(key) => Some(self.held_of(key, now).await?),
            None => None,
        };
        let (facts, trust) = (
            found.as_ref().map(|found| found.facts),
            self.login().upstream_trust,
        );
        let decision = match (heard, facts) {
            (Heard::Nothing, facts) => decide::relogin(self.login().verify_upstream, facts, now),
            (_, None) => Relogin::Admit,
            (Heard::Checked(verdict, _), Some(facts)) => {
                decide::relogin_checked(verdict, &facts, trust, now)
            }
            (Heard::Renewed(verdict, _), Some(facts)) => {
                decide::relogin_refreshed(verdict, &facts, trust, now)
            }
        };
        // Another login or renewal came between the steps: what is in the vault now was never
        // asked about, and whoever put it there has just heard that it is good.
        let moved = found.as_ref().is_some_and(|found| found.moved(heard));
        let against = matches!(decision, Relogin::Reauthorize { .. } | Relogin::Refresh);
        let decision = if moved && against {
            Relogin::Admit
        } else {
            decision
        };
        let vault = found.and_then(|found| found.vault);
        self.follow(decision, held, caller, vault, heard, now).await
    }

    /// Does what was decided.
    async fn follow(
        &self,
        decision: Relogin,
        held: &Held,
        caller: Caller,
        vault: Option<(Ticket<Vault>, VaultTokens)>,
        heard: Heard<'_>,
        now: Timestamp,
    ) -> Result<Next, LoginHalt> {
        let key = caller.identity.clone();
        let nothing = || Fault::new("a decision about an empty vault");
        match decision {
            Relogin::Check => {
                let (_, tokens) = vault.ok_or_else(nothing)?;
                Ok(Next::Check(key.ok_or_else(nothing)?, tokens.access))
            }
            Relogin::Refresh => {
                let refresh = vault.and_then(|(_, tokens)| tokens.refresh);
                Ok(Next::Refresh(
                    key.ok_or_else(nothing)?,
                    refresh.ok_or_else(nothing)?,
                ))
            }
            Relogin::Admit => {
                if let (Heard::Checked(UpstreamVerdict::Good, asked), Some((read, tokens))) =
                    (heard, &vault)
                    && tokens.access == *asked
                {
                    self.commit(vec![Self::vault_verified(read, now)?]).await?;
                }
                self.admit_again(held, caller, vault, false, now).await
            }
            Relogin::AdmitUnverified => {
                if let Some(key) = &key {
                    self.commit(vec![self.sync_soon(key, now)?]).await?;
                }
                self.admit_again(held, caller, vault, true, now).await
            }
            Relogin::Reauthorize { erase } => {
                self.send_back(caller, erase, now).await?;
                Err(LoginRefusal::Reauthorize.into())
            }
            Relogin::Busy => Err(LoginRefusal::UpstreamBusy { retry_after: BUSY }.into()),
        }
    }

    /// Judges what was presented, as if there were no upstream; nothing is spent.
    async fn caller(&self, held: &Held, now: Timestamp) -> Result<Caller, LoginHalt> {
        let (session, authenticated) = match &held.by {
            HeldBy::Upstream(token) => return self.shown_to(token, held, now).await,
            HeldBy::Refresh(token) => {
                let payable = self
                    .judge_refresh(token.expose(), &held.device(), now)
                    .await?;
                (payable.session, None)
            }
            HeldBy::Token(token) => {
                let device = held.device().secret;
                let standing = self.authenticate(token.expose(), device, now).await?;
                (self.session_row(standing.session).await?, Some(standing))
            }
        };
        let user = match session.user {
            Some(user) => self.load(user).await?,
            None => None,
        };
        let user = user.ok_or(LoginRefusal::SessionInvalid)?;
        let identity = session.body.identity.clone();
        // One that was taken off may be another account's now.
        let identity = identity.filter(|key| user.identity(key).is_some());
        Ok(Caller {
            identity: identity.filter(|key| self.has_a_say(key)),
            user,
            session: Some(session),
            authenticated,
        })
    }

    /// Whether an upstream can be asked about an identity: it must be at an app that we still
    /// have, and a mini program's session key is nothing to ask with.
    fn has_a_say(&self, key: &IdentityKey) -> bool {
        self.upstream_app_of(&key.app).is_some() && !self.is_mini(key)
    }

    /// Whoever shows an upstream token is its owner only if the token was shown to this very
    /// device: any app's token passes at the upstream (REL-10).
    async fn shown_to(
        &self,
        token: &Secret,
        held: &Held,
        now: Timestamp,
    ) -> Result<Caller, LoginHalt> {
        let invalid = LoginRefusal::SessionInvalid;
        if !self.login().expose_upstream_token {
            return Err(invalid.into());
        }
        let shown = self.looked_up::<Shown>(Kind::Shown, token.expose()).await?;
        let shown = shown
            .filter(|shown| shown.is_alive(now))
            .filter(|shown| shown.family == Some(self.shown_family(&shown.body.device)))
            .ok_or(invalid.clone())?;
        let key = shown.body.identity;
        let owner = self.user_by_key(&key).await?;
        let device = held.device();
        if self.device_hash(device.secret) != Some(shown.body.device) {
            let owner = owner.map(|owner| owner.id);
            self.suspect("token_theft", owner, "upstream", now).await;
            return Err(invalid.into());
        }
        let user = owner.ok_or(invalid.clone())?;
        let known = user.identity(&key).ok_or(invalid.clone())?;
        let (status, linked_at) = (known.status, known.linked_at);
        let shown_at = shown.body.shown_at.unwrap_or_default();
        // The identity may have been another account's when the token was shown. One that nobody
        // had yet is linked while its ticket lives, or after another login.
        if shown_at < user.sessions_from || shown_at.plus(self.login().ticket_life) < linked_at {
            return Err(invalid.into());
        }
        enterable(&user)?;
        if status == IdentityStatus::Revoked {
            return Err(LoginRefusal::Reauthorize.into());
        }
        if user.phone.is_none() && self.login().bind_policy == BindPolicy::PhoneRequired {
            // The bind page is at the end of a login only (LGN-04).
            return Err(invalid.into());
        }
        Ok(Caller {
            identity: Some(key).filter(|key| self.has_a_say(key)),
            user,
            session: None,
            authenticated: None,
        })
    }

    /// What an identity's vault holds now. One that is gone holds nothing: the upstream's last
    /// word is over.
    async fn held_of(&self, key: &IdentityKey, now: Timestamp) -> Result<VaultState, Fault> {
        let vault = self.opened(key).await?;
        let facts = match &vault {
            Some((read, tokens)) => VaultFacts {
                access: now < read.body.access_until,
                refresh: tokens.refresh.is_some() && now < read.body.refresh_until,
                verified_at: read.body.verified_at,
            },
            None => VaultFacts {
                access: false,
                refresh: false,
                verified_at: Timestamp(0),
            },
        };
        Ok(VaultState { vault, facts })
    }

    /// The last step: a new pair, a new session, or the session as it stands.
    async fn admit_again(
        &self,
        held: &Held,
        caller: Caller,
        vault: Option<(Ticket<Vault>, VaultTokens)>,
        unverified: bool,
        now: Timestamp,
    ) -> Result<Next, LoginHalt> {
        let done = match &held.by {
            HeldBy::Token(_) => {
                let session = caller.authenticated.ok_or(LoginRefusal::SessionInvalid)?;
                RelogDone::Standing {
                    session,
                    unverified,
                }
            }
            HeldBy::Refresh(token) => {
                let mut again = self.refresh(token.expose(), held.device(), now).await?;
                again.upstream_unverified = unverified;
                RelogDone::LoggedIn(again)
            }
            HeldBy::Upstream(_) => {
                let mut again = self.begin_again(held, caller, vault, now).await?;
                again.upstream_unverified = unverified;
                RelogDone::LoggedIn(again)
            }
        };
        Ok(Next::Done(done))
    }

    /// A new session for whoever showed an upstream token; with it goes the token that is good
    /// now, so that the device keeps that one.
    async fn begin_again(
        &self,
        held: &Held,
        caller: Caller,
        vault: Option<(Ticket<Vault>, VaultTokens)>,
        now: Timestamp,
    ) -> Result<LoggedIn, LoginHalt> {
        let Caller {
            mut user, identity, ..
        } = caller;
        let device = self.device_hash(held.device().secret);
        let device = device.ok_or(LoginRefusal::SessionInvalid)?;
        let new = NewSession {
            device,
            device_id: &held.device_id,
            platform: &held.platform,
            address: &held.address,
            identity: identity.clone(),
            phone_proved: false,
            identity_proved: false,
        };
        let (pair, session) = self.begin_session(&mut user, new, now).await?;
        let mut changes = vec![put(&mut user)];
        changes.extend(session);
        let mut upstream_token = None;
        if let (Some(identity), Some((read, tokens))) = (identity, vault) {
            let shown = Shown {
                identity,
                device,
                shown_at: Some(now),
            };
            let until = read.body.access_until.max(read.body.refresh_until);
            changes.extend(
                self.remember_shown(&tokens.access, shown, until, now)
                    .await?,
            );
            upstream_token = Some(tokens.access);
        }
        self.commit(changes).await?;
        Ok(LoggedIn {
            pair,
            user: user.id,
            is_bind: user.phone.is_some(),
            profile: None,
            upstream_token,
            upstream_unverified: false,
        })
    }

    /// The upstream wants to see the user: the session waits for that, and what the upstream took
    /// back goes (REL-04, REL-05).
    async fn send_back(
        &self,
        caller: Caller,
        erase: bool,
        now: Timestamp,
    ) -> Result<(), LoginHalt> {
        let Caller {
            mut user,
            session,
            identity,
            ..
        } = caller;
        let mut changes = Vec::new();
        if let Some(session) = &session {
            changes.push(self.suspend(session.number, now).await?);
        }
        if let Some(key) = identity.filter(|_| erase) {
            let known = user.identity(&key).map(|known| known.status);
            if known == Some(IdentityStatus::Linked) {
                changes.extend(self.withdrawn(&mut user, &[key], now).await?);
                changes.push(put(&mut user));
            } else {
                changes.extend(self.vault_erase(&key, now).await?);
            }
        }
        self.commit(changes).await?;
        Ok(())
    }
}

/// What comes next, before the caller's secret is handed on to it.
enum Next {
    Done(RelogDone),
    Check(IdentityKey, Secret),
    Refresh(IdentityKey, Secret),
}

impl VaultState {
    /// Whether the vault holds another living token than the one that was asked about.
    fn moved(&self, heard: Heard<'_>) -> bool {
        let Some((_, tokens)) = &self.vault else {
            return false;
        };
        match heard {
            Heard::Nothing => false,
            Heard::Checked(_, asked) => self.facts.access && tokens.access != *asked,
            Heard::Renewed(_, asked) => self.facts.access && tokens.refresh.as_ref() != Some(asked),
        }
    }
}
