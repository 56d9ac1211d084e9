//! Sessions of devices: an opaque token, a refresh token that rotates, five ways to end.
//!
//! One row per session, found by the number in either token. The first refresh token is drawn;
//! each later one follows from the one before it, and the session token of a generation from the
//! refresh token of that generation. So whoever presents the same refresh token twice gets the
//! same pair, and no answer is kept (REL-11). A row is never spent or revoked: how the session
//! ended is part of it, so that the device can be told. That many sessions end at once is a value
//! of the user's, [`User::sessions_from`], which each session carries as it was at its beginning.

use std::sync::Arc;

use super::ending::EndedBy;
use super::{LoginHalt, Row, amend, settled_login};
use crate::engine::Engine;
use crate::id::{Number, UserId};
use crate::identity::IdentityKey;
use crate::keyring::{Minted, Presented, hex};
use crate::login::body::{DeviceSession, Ended, Ending};
use crate::login::devices::{RoomFacts, room};
use crate::login::{Authenticated, Device, LoggedIn, LoginRefusal, LoginStop, SessionPair};
use crate::refusal::Fault;
use crate::secret::{Layout, SecretHash};
use crate::store::{Change, Record, UserKey};
use crate::ticket::{Kind, RawTicket, Ticket};
use crate::time::Timestamp;
use crate::user::{User, UserStatus};

/// What a new session is made of.
pub(super) struct NewSession<'a> {
    /// The hash of the device's secret.
    pub(super) device: SecretHash,
    /// The app's own name of the device.
    pub(super) device_id: &'a str,
    /// The device's platform.
    pub(super) platform: &'a str,
    /// From which address it begins.
    pub(super) address: &'a str,
    /// The identity that logs in; `None` for a phone number.
    pub(super) identity: Option<IdentityKey>,
    /// Whether the phone number was proved just now.
    pub(super) phone_proved: bool,
    /// Whether an upstream identity was proved just now.
    pub(super) identity_proved: bool,
}

/// A session, as its user sees it in the list of devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// By which it is named in calls: stable, and it tells nothing.
    pub id: String,
    /// The app's own name of the device.
    pub device_id: String,
    /// The device's platform.
    pub platform: String,
    /// From which address it began.
    pub address: String,
    /// When it began.
    pub began_at: Timestamp,
    /// When it was last refreshed.
    pub seen_at: Timestamp,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// What a text that was presented as refresh token is to its session.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    /// The refresh token.
    Current,
    /// The one before it.
    Previous,
    /// The session token, sent by mistake.
    Access,
    /// Nothing that the row knows: an older refresh token, or a forged one.
    Nothing,
}

/// A refresh token that may be paid for a pair.
pub(super) struct Payable {
    presented: Presented,
    /// The session that it belongs to.
    pub(super) session: Ticket<DeviceSession>,
    user: Arc<User>,
    /// Whether it is the latest; else it is answered with the pair that it was paid for.
    is_current: bool,
}

/// A verdict over a session: its user, or why it lets nobody in.
type Verdict = Result<Arc<User>, LoginRefusal>;

impl Engine {
    // --- beginning and ending -----------------------------------------------------------------

    /// Begins a session: its pair, and the changes that ride in the caller's commit. The caller
    /// puts the user in the same list: that makes one of two logins at once see the other.
    ///
    /// A new login ends what the same device had before, without a word; of other devices as the
    /// device policy says (SES-01..03).
    ///
    /// # Errors
    /// [`LoginRefusal::DeviceLimit`] when the new one has to yield; nothing is changed then.
    /// [`LoginRefusal::Disabled`] and [`LoginRefusal::Conflict`] for an account that nobody may
    /// enter: no path leads to a living session on one (CON-05).
    pub(super) async fn begin_session(
        &self,
        user: &mut User,
        new: NewSession<'_>,
        now: Timestamp,
    ) -> Result<(SessionPair, Vec<Change>), LoginHalt> {
        match user.status {
            UserStatus::Active => {}
            UserStatus::Restricted => return Err(LoginRefusal::Disabled.into()),
            UserStatus::Deleting(_) | UserStatus::Deleted | UserStatus::Merged(_) => {
                return Err(LoginRefusal::Conflict.into());
            }
        }
        let living = self.living_sessions(user, now).await?;
        let (same, others): (Vec<_>, Vec<_>) = living
            .into_iter()
            .partition(|session| session.body.device == new.device);
        let settings = self.login();
        let platforms: Vec<_> = others
            .iter()
            .map(|other| other.body.platform.as_str())
            .collect();
        let ends = room(&RoomFacts {
            policy: settings.device_policy,
            yields: settings.yields,
            limit: settings.session_limit,
            platform: new.platform,
            others: &platforms,
        });
        let ends = ends.ok_or(LoginRefusal::DeviceLimit)?;
        let mut changes = Vec::new();
        for session in &same {
            changes.push(ended(session, Ending::LoggedOut, "", now)?);
        }
        let label = label(new.platform, new.device_id);
        for (session, _) in others.iter().zip(ends).filter(|(_, ends)| *ends) {
            changes.extend(self.end(session, Ending::Replaced, &label, now)?);
        }
        user.seen_at = Some(now);
        // Whoever still has the old login stands in the way of its replacement by using it.
        let using = new.identity.as_ref().filter(|_| new.identity_proved);
        let objected = user
            .replacing
            .as_ref()
            .is_some_and(|(wanted, _)| using.is_some_and(|key| key != wanted));
        if objected {
            user.replacing = None;
            changes.push(self.event("user.replace_stopped", Some(user.id), None, "", now));
        }
        let (pair, issue) = self.issue_session(user, new, now)?;
        changes.push(issue);
        changes.push(self.event("session.began", Some(user.id), None, &label, now));
        Ok((pair, changes))
    }

    fn issue_session(
        &self,
        user: &User,
        new: NewSession<'_>,
        now: Timestamp,
    ) -> Result<(SessionPair, Change), Fault> {
        let settings = self.login();
        let refresh = self.mint(Kind::Refresh, Layout::Own)?;
        let access = self.session_token(&refresh)?;
        let ends_at = now.plus(settings.session_absolute);
        let expires_at = now.plus(settings.refresh_idle).min(ends_at);
        let access_until = now.plus(settings.access_life).min(expires_at);
        let body = DeviceSession {
            device: new.device,
            device_id: new.device_id.to_owned(),
            platform: new.platform.to_owned(),
            address: new.address.to_owned(),
            identity: new.identity,
            access: access.hash,
            access_until,
            refresh: refresh.hash,
            access_before: None,
            previous: None,
            ends_at,
            from: user.sessions_from,
            began_at: now,
            seen_at: now,
            phone_proved_at: new.phone_proved.then_some(now),
            identity_proved_at: new.identity_proved.then_some(now),
            suspended: false,
            ended: None,
        };
        let row = Row {
            number: refresh.number,
            hash: refresh.hash,
            family: None,
            user: Some(user.id),
            body,
            now,
            expires_at,
        };
        Ok((pair(access, refresh, access_until, now), row.issue()?))
    }

    /// The changes that end one session and tell of it.
    fn end(
        &self,
        session: &Ticket<DeviceSession>,
        by: Ending,
        device: &str,
        now: Timestamp,
    ) -> Result<Vec<Change>, Fault> {
        let mut changes = vec![ended(session, by, device, now)?];
        if self.login().expose_upstream_token {
            // Else the device would come back at once, by a token that it was shown.
            let family = self.shown_family(&session.body.device);
            changes.push(Change::RevokeFamily { family, at: now });
        }
        changes.extend(self.tell_end(session, word(by), now));
        changes.push(self.event("session.ended", session.user, None, word(by), now));
        Ok(changes)
    }

    /// The change that notes a proof in a session.
    pub(super) fn proved(
        &self,
        session: &Ticket<DeviceSession>,
        phone: bool,
        identity: bool,
        now: Timestamp,
    ) -> Result<Change, Fault> {
        let mut body = session.body.clone();
        if phone {
            body.phone_proved_at = Some(now);
        }
        if identity {
            body.identity_proved_at = Some(now);
        }
        amend(session, &body, session.expires_at)
    }

    /// The change that makes a session wait until the upstream has seen its user again (REL-04).
    ///
    /// # Errors
    /// As [`Engine::session_row`]; [`LoginRefusal::SessionExpired`].
    pub(super) async fn suspend(
        &self,
        number: Number,
        now: Timestamp,
    ) -> Result<Change, LoginHalt> {
        let session = self.session_row(number).await?;
        if !session.is_alive(now) {
            return Err(LoginRefusal::SessionExpired.into());
        }
        let body = DeviceSession {
            suspended: true,
            ..session.body.clone()
        };
        Ok(amend(&session, &body, session.expires_at)?)
    }

    // --- reading ------------------------------------------------------------------------------

    /// A session's row, as the next change must find it.
    ///
    /// # Errors
    /// [`LoginRefusal::SessionInvalid`] when there is none; how it ended when it did.
    pub(super) async fn session_row(
        &self,
        number: Number,
    ) -> Result<Ticket<DeviceSession>, LoginHalt> {
        let session = self.newest_row(number).await?;
        let session = session.ok_or(LoginRefusal::SessionInvalid)?;
        match &session.body.ended {
            Some(ended) => Err(said(ended).into()),
            None => Ok(session),
        }
    }

    /// A session's row as it may be kept in memory: another process may have moved it on.
    async fn kept_row(&self, number: Number) -> Result<Option<Ticket<DeviceSession>>, Fault> {
        let raw = self.store().ticket(Kind::Device, number).await?;
        raw.map(|raw| raw.open::<DeviceSession>()).transpose()
    }

    /// A session's row as it is: the list of a user's rows is never kept in memory.
    async fn newest_row(&self, number: Number) -> Result<Option<Ticket<DeviceSession>>, Fault> {
        let raw = self.store().ticket(Kind::Device, number).await?;
        let Some(user) = raw.and_then(|raw| raw.ticket.user) else {
            return Ok(None);
        };
        let rows = self.store().tickets_of(user, Kind::Device).await?;
        let row = rows.iter().find(|row| row.ticket.number == number);
        row.map(RawTicket::open::<DeviceSession>).transpose()
    }

    /// The user's sessions that live, oldest first; those that wait for the upstream are of them.
    pub(super) async fn living_sessions(
        &self,
        user: &User,
        now: Timestamp,
    ) -> Result<Vec<Ticket<DeviceSession>>, Fault> {
        let rows = self.store().tickets_of(user.id, Kind::Device).await?;
        let mut living = Vec::new();
        for row in rows.iter().filter(|row| row.ticket.is_alive(now)) {
            let session = row.open::<DeviceSession>()?;
            if session.body.ended.is_none() && session.body.from >= user.sessions_from {
                living.push(session);
            }
        }
        Ok(living)
    }

    /// By which a session is named to its user and to other servers: a keyed digest, so that it
    /// tells neither when the session began nor how to find its row.
    pub fn session_id(&self, number: Number) -> String {
        let digest = self
            .keyring
            .digest("session id", &[&number.0.to_be_bytes()]);
        hex(digest.split_at(16).0)
    }

    /// Whether a session lets somebody in who has proved it; the user, or how it ended.
    async fn verdict(
        &self,
        session: &Ticket<DeviceSession>,
        now: Timestamp,
    ) -> Result<Verdict, Fault> {
        if let Some(ended) = &session.body.ended {
            return Ok(Err(said(ended)));
        }
        if session.body.suspended {
            return Ok(Err(LoginRefusal::Reauthorize));
        }
        if !session.is_alive(now) {
            return Ok(Err(LoginRefusal::SessionExpired));
        }
        let user = match session.user {
            Some(id) => self.store().user(UserKey::Id(id)).await?,
            None => None,
        };
        let Some(user) = user else {
            return Ok(Err(LoginRefusal::SessionInvalid));
        };
        let at = user.sessions_from;
        Ok(match user.status {
            UserStatus::Restricted => Err(LoginRefusal::Disabled),
            UserStatus::Deleting(_) => Err(LoginRefusal::SessionKicked { at }),
            UserStatus::Deleted | UserStatus::Merged(_) => Err(LoginRefusal::SessionInvalid),
            // Each end is a later value than the one before. So a session with a later value than
            // the user's only tells that the user was read from memory a moment too early.
            UserStatus::Active if session.body.from < at => Err(LoginRefusal::SessionKicked { at }),
            UserStatus::Active => Ok(user),
        })
    }

    /// The verdict for whoever presents a session token. A token that its session never had is
    /// told nothing of how the session ended.
    async fn token_verdict(
        &self,
        presented: &Presented,
        session: &Ticket<DeviceSession>,
        now: Timestamp,
    ) -> Result<Verdict, Fault> {
        let body = &session.body;
        // A call that was under way while the app refreshed comes with the token before.
        let before = body.access_before.filter(|(_, until)| now < *until);
        let before = before.filter(|(hash, _)| presented.proves(hash));
        if before.is_none() && !presented.proves(&body.access) {
            return Ok(Err(LoginRefusal::SessionInvalid));
        }
        let until = before.map_or(body.access_until, |(_, until)| until);
        let verdict = self.verdict(session, now).await?;
        Ok(verdict.and_then(|user| match now < until {
            true => Ok(user),
            false => Err(LoginRefusal::SessionExpired),
        }))
    }

    /// Reads a session token and judges it.
    async fn read_token(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Result<(Ticket<DeviceSession>, Arc<User>), LoginRefusal>, Fault> {
        let invalid = || Ok(Err(LoginRefusal::SessionInvalid));
        let Some(presented) = self.keyring.read(Kind::Device, Layout::Own, token) else {
            return invalid();
        };
        let Some(mut session) = self.kept_row(presented.number).await? else {
            return invalid();
        };
        let mut verdict = self.token_verdict(&presented, &session, now).await?;
        // A pair that another process made a moment ago, or a session that it kept when all others
        // ended, must not be turned away by a row that was kept in memory from before.
        let doubtful = matches!(
            verdict,
            Err(LoginRefusal::SessionInvalid | LoginRefusal::SessionKicked { .. })
        );
        if doubtful
            && let Some(newest) = self.newest_row(presented.number).await?
            && newest.version != session.version
        {
            session = newest;
            verdict = self.token_verdict(&presented, &session, now).await?;
        }
        Ok(verdict.map(|user| (session, user)))
    }

    // --- every call ---------------------------------------------------------------------------

    /// Lets in whoever calls with a session token; `device` is the device's secret, where the
    /// call brought one.
    ///
    /// # Errors
    /// How the session ended (`docs/facts/login.md` §3): [`LoginRefusal::SessionInvalid`] also for
    /// what is no token of ours, [`LoginRefusal::SessionExpired`],
    /// [`LoginRefusal::SessionReplaced`], [`LoginRefusal::SessionKicked`],
    /// [`LoginRefusal::RefreshReused`]; [`LoginRefusal::Disabled`];
    /// [`LoginRefusal::Reauthorize`]. A token with another device's secret ends the session
    /// (SES-07).
    pub async fn authenticate(
        &self,
        token: &str,
        device: Option<&str>,
        now: Timestamp,
    ) -> Result<Authenticated, LoginStop> {
        let (session, user) = self.read_token(token, now).await??;
        match self.device_hash(device) {
            Some(proved) if proved != session.body.device => {
                settled_login!(self.stolen(session.number, now))?;
                Err(LoginRefusal::SessionInvalid.into())
            }
            None if device.is_some() || self.login().device_on_every_call => {
                Err(LoginRefusal::SessionInvalid.into())
            }
            _ => Ok(authenticated(&session, &user)),
        }
    }

    /// As [`Engine::authenticate`] for a server that asks about somebody else's token: `None` for
    /// anything that is not good, and nothing is changed by asking.
    ///
    /// # Errors
    /// Faults of the store.
    pub async fn introspect(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Option<Authenticated>, Fault> {
        let verdict = self.read_token(token, now).await?.ok();
        Ok(verdict.map(|(session, user)| authenticated(&session, &user)))
    }

    /// A session whose token came with another device's secret is over (SES-07).
    async fn stolen(&self, number: Number, now: Timestamp) -> Result<(), LoginHalt> {
        let session = self.session_row(number).await?;
        let detail = label(&session.body.platform, &session.body.device_id);
        let mut changes = self.end(&session, Ending::Stolen, "", now)?;
        changes.push(self.event("token_theft", session.user, None, &detail, now));
        Ok(self.commit(changes).await?)
    }

    // --- refreshing ---------------------------------------------------------------------------

    /// Pays a refresh token for the next pair (REL-11, REL-12). The token before it is answered
    /// with the same pair for a moment, so that a lost answer and two calls at once cost nobody
    /// the session.
    ///
    /// # Errors
    /// [`LoginRefusal::SessionInvalid`], also without the device's secret;
    /// [`LoginRefusal::SessionExpired`]; [`LoginRefusal::RefreshReused`], which ends the session;
    /// [`LoginRefusal::BadRequest`] for the session token; the others as
    /// [`Engine::authenticate`].
    pub async fn refresh(
        &self,
        refresh_token: &str,
        device: Device<'_>,
        now: Timestamp,
    ) -> Result<LoggedIn, LoginStop> {
        settled_login!(self.refresh_once(refresh_token, &device, now))
    }

    async fn refresh_once(
        &self,
        text: &str,
        device: &Device<'_>,
        now: Timestamp,
    ) -> Result<LoggedIn, LoginHalt> {
        let payable = self.judge_refresh(text, device, now).await?;
        let Payable {
            presented,
            session,
            user,
            is_current,
        } = &payable;
        let pair = if *is_current {
            self.rotate(presented, session, now).await?
        } else {
            let (access, refresh) = self.next_pair(presented)?;
            pair(access, refresh, session.body.access_until, now)
        };
        Ok(LoggedIn {
            pair,
            user: user.id,
            is_bind: user.phone.is_some(),
            profile: None,
            upstream_token: None,
            upstream_unverified: false,
        })
    }

    /// Judges a refresh token that shall be paid for the next pair, now or after others were
    /// asked: nothing is paid here. One that tells of a theft ends its session.
    pub(super) async fn judge_refresh(
        &self,
        text: &str,
        device: &Device<'_>,
        now: Timestamp,
    ) -> Result<Payable, LoginHalt> {
        let presented = self.keyring.read(Kind::Refresh, Layout::Own, text);
        let presented = presented.ok_or(LoginRefusal::SessionInvalid)?;
        let session = self.newest_row(presented.number).await?;
        let session = session.ok_or(LoginRefusal::SessionInvalid)?;
        let held = self.held(&presented, text, &session.body);
        let user = match self.verdict(&session, now).await? {
            Ok(user) => user,
            Err(_) if held == Held::Nothing => return Err(LoginRefusal::SessionInvalid.into()),
            Err(refusal) => return Err(refusal.into()),
        };
        match self.device_hash(device.secret) {
            None => return Err(LoginRefusal::SessionInvalid.into()),
            Some(proved) if proved != session.body.device => {
                self.stolen(session.number, now).await?;
                return Err(LoginRefusal::SessionInvalid.into());
            }
            Some(_) => {}
        }
        let again = session.body.previous.is_some_and(|(_, until)| now < until);
        let is_current = held == Held::Current;
        match held {
            Held::Current => {}
            Held::Previous if again => {}
            Held::Access => {
                let field = "refresh_token";
                return Err(LoginRefusal::BadRequest { field }.into());
            }
            Held::Previous | Held::Nothing => {
                let changes = self.end(&session, Ending::Reused, "", now)?;
                self.commit(changes).await?;
                return Err(LoginRefusal::RefreshReused.into());
            }
        }
        Ok(Payable {
            presented,
            session,
            user,
            is_current,
        })
    }

    fn held(&self, presented: &Presented, text: &str, session: &DeviceSession) -> Held {
        let previous = session.previous.as_ref().map(|(hash, _)| hash);
        if presented.proves(&session.refresh) {
            Held::Current
        } else if previous.is_some_and(|hash| presented.proves(hash)) {
            Held::Previous
        } else {
            let access = self.keyring.read(Kind::Device, Layout::Own, text);
            let before = session.access_before.map(|(hash, _)| hash);
            let ours = |access: &Presented| {
                access.proves(&session.access) || before.is_some_and(|hash| access.proves(&hash))
            };
            match access.as_ref().is_some_and(ours) {
                true => Held::Access,
                false => Held::Nothing,
            }
        }
    }

    async fn rotate(
        &self,
        presented: &Presented,
        session: &Ticket<DeviceSession>,
        now: Timestamp,
    ) -> Result<SessionPair, LoginHalt> {
        let settings = self.login();
        let (access, refresh) = self.next_pair(presented)?;
        let ends_at = session.body.ends_at;
        let expires_at = now.plus(settings.refresh_idle).min(ends_at);
        let access_until = now.plus(settings.access_life).min(expires_at);
        let grace = now.plus(settings.refresh_grace);
        let body = DeviceSession {
            access: access.hash,
            access_until,
            access_before: Some((session.body.access, session.body.access_until.min(grace))),
            refresh: refresh.hash,
            previous: Some((session.body.refresh, grace)),
            seen_at: now,
            ..session.body.clone()
        };
        self.commit(vec![amend(session, &body, expires_at)?])
            .await?;
        Ok(pair(access, refresh, access_until, now))
    }

    /// The pair that follows a refresh token: session token and refresh token.
    fn next_pair(&self, before: &Presented) -> Result<(Minted, Minted), Fault> {
        let number = before.number;
        let refresh = self
            .keyring
            .mint_next(before, Kind::Refresh, Layout::Own, number)?;
        Ok((self.session_token(&refresh)?, refresh))
    }

    /// The session token that goes with a refresh token.
    fn session_token(&self, refresh: &Minted) -> Result<Minted, Fault> {
        let parent = refresh.presented();
        self.keyring
            .mint_next(&parent, Kind::Device, Layout::Own, refresh.number)
    }

    // --- the list of devices ------------------------------------------------------------------

    /// Ends the session that asks; a no-op when it is over already (SES-05).
    ///
    /// # Errors
    /// Faults of the store.
    pub async fn logout(&self, auth: &Authenticated, now: Timestamp) -> Result<(), LoginStop> {
        settled_login!(self.end_by(auth.session, Ending::LoggedOut, now))
    }

    async fn end_by(&self, number: Number, by: Ending, now: Timestamp) -> Result<(), LoginHalt> {
        let session = self.newest_row(number).await?;
        let living = session.filter(|session| session.body.ended.is_none());
        if let Some(session) = living.filter(|session| session.is_alive(now)) {
            self.commit(self.end(&session, by, "", now)?).await?;
        }
        Ok(())
    }

    /// The sessions of the user that asks, newest first.
    ///
    /// # Errors
    /// Faults of the store; [`LoginRefusal::SessionInvalid`] when the user is gone meanwhile.
    pub async fn sessions(
        &self,
        auth: &Authenticated,
        now: Timestamp,
    ) -> Result<Vec<SessionView>, LoginStop> {
        let user = self
            .load(auth.user)
            .await?
            .ok_or(LoginRefusal::SessionInvalid)?;
        Ok(self.views(&user, Some(auth.session), now).await?)
    }

    async fn views(
        &self,
        user: &User,
        current: Option<Number>,
        now: Timestamp,
    ) -> Result<Vec<SessionView>, Fault> {
        let living = self.living_sessions(user, now).await?;
        let views = living.into_iter().rev().map(|session| SessionView {
            id: self.session_id(session.number),
            current: Some(session.number) == current,
            device_id: session.body.device_id,
            platform: session.body.platform,
            address: session.body.address,
            began_at: session.body.began_at,
            seen_at: session.body.seen_at,
        });
        Ok(views.collect())
    }

    /// Ends one of the sessions of the user that asks (SES-04); the own one as
    /// [`Engine::logout`] does.
    ///
    /// # Errors
    /// [`LoginRefusal::BadRequest`] when no living session of this user has that id.
    pub async fn end_session(
        &self,
        auth: &Authenticated,
        id: &str,
        now: Timestamp,
    ) -> Result<(), LoginStop> {
        let user = self
            .load(auth.user)
            .await?
            .ok_or(LoginRefusal::SessionInvalid)?;
        let living = self.living_sessions(&user, now).await?;
        let named = living
            .iter()
            .find(|session| self.session_id(session.number) == id);
        let named = named.ok_or(LoginRefusal::BadRequest { field: "id" })?;
        let by = match named.number == auth.session {
            true => Ending::LoggedOut,
            false => Ending::Kicked,
        };
        settled_login!(self.end_by(named.number, by, now))
    }

    // --- the operator -------------------------------------------------------------------------

    /// Ends every session of a user, those in browsers too.
    ///
    /// # Errors
    /// [`LoginRefusal::BadRequest`] for an unknown user.
    pub async fn end_all_sessions(&self, user: UserId, now: Timestamp) -> Result<(), LoginStop> {
        settled_login!(self.end_all_once(user, now))
    }

    async fn end_all_once(&self, id: UserId, now: Timestamp) -> Result<(), LoginHalt> {
        let user = self.load(id).await?;
        let mut user = user.ok_or(LoginRefusal::BadRequest { field: "user" })?;
        let mut changes = self
            .end_others(&mut user, None, EndedBy::Operator, now)
            .await?;
        user.version += 1;
        changes.push(Change::Put(Record::User(user)));
        changes.extend(self.tell("session.all_ended", id, "operator", now));
        Ok(self.commit(changes).await?)
    }

    /// The living sessions of a user, newest first.
    ///
    /// # Errors
    /// [`LoginRefusal::BadRequest`] for an unknown user.
    pub async fn sessions_of(
        &self,
        user: UserId,
        now: Timestamp,
    ) -> Result<Vec<SessionView>, LoginStop> {
        let user = self.load(user).await?;
        let user = user.ok_or(LoginRefusal::BadRequest { field: "user" })?;
        Ok(self.views(&user, None, now).await?)
    }
}

/// The change that ends a session. Its row's own end comes with it, so that how it ended is told
/// for [`Kind::retention`] and no longer.
fn ended(
    session: &Ticket<DeviceSession>,
    by: Ending,
    device: &str,
    now: Timestamp,
) -> Result<Change, Fault> {
    let body = DeviceSession {
        ended: Some(Ended {
            by,
            at: now,
            device: device.to_owned(),
        }),
        ..session.body.clone()
    };
    amend(session, &body, now.min(session.expires_at))
}

/// What the holder of a session is told of its end.
fn said(ended: &Ended) -> LoginRefusal {
    let at = ended.at;
    match ended.by {
        // Whoever brought a token to another device learns nothing more than that.
        Ending::LoggedOut | Ending::Stolen => LoginRefusal::SessionInvalid,
        Ending::Replaced => LoginRefusal::SessionReplaced {
            at,
            device: ended.device.clone(),
        },
        Ending::Kicked => LoginRefusal::SessionKicked { at },
        Ending::Reused => LoginRefusal::RefreshReused,
    }
}

/// The word for an ending in events and notices.
const fn word(by: Ending) -> &'static str {
    match by {
        Ending::LoggedOut => "logged_out",
        Ending::Replaced => "replaced",
        Ending::Kicked => "kicked",
        Ending::Reused => "reused",
        Ending::Stolen => "stolen",
    }
}

/// A device in a word or two, for its owner: `android/Pixel`.
fn label(platform: &str, device_id: &str) -> String {
    match (platform.is_empty(), device_id.is_empty()) {
        (false, false) => format!("{platform}/{device_id}"),
        _ => format!("{platform}{device_id}"),
    }
}

fn pair(access: Minted, refresh: Minted, until: Timestamp, now: Timestamp) -> SessionPair {
    SessionPair {
        token: access.secret,
        refresh_token: refresh.secret,
        expires_in: until.since(now),
    }
}

fn authenticated(session: &Ticket<DeviceSession>, user: &User) -> Authenticated {
    let body = &session.body;
    Authenticated {
        session: session.number,
        user: user.id,
        is_bind: user.phone.is_some(),
        expires_at: body.access_until,
        device_id: body.device_id.clone(),
        platform: body.platform.clone(),
        authenticated_at: body
            .phone_proved_at
            .max(body.identity_proved_at)
            .unwrap_or(body.began_at),
    }
}
