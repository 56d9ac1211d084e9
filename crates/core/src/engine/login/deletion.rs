//! The end of an account: asked for, taken back, carried out; and what an upstream pushes.

use serde_json::json;

use super::ending::EndedBy;
use super::people::Acting;
use super::session::NewSession;
use super::{LoginHalt, Row, amend, attach, persons, put, settled_login};
use crate::engine::Engine;
use crate::id::{ClientId, UserId};
use crate::identity::{
    Identity, IdentityKey, IdentityStatus, Person, Provider, UpstreamApp, Vouched,
};
use crate::login::body::{DeviceSession, Ended, Ending, Erasure, GoodFor};
use crate::login::{Authenticated, Device, Idempotency, LoggedIn, LoginRefusal, LoginStop};
use crate::refusal::Fault;
use crate::store::Change;
use crate::ticket::{Kind, Nonce, RawTicket};
use crate::time::{Lifetime, Timestamp};
use crate::user::{Handle, Profile, User, UserStatus};

/// How far a push's timestamp may be off.
const PUSH_WINDOW: Lifetime = Lifetime::minutes(5);

/// What an upstream tells of a user, its signature checked (`docs/facts/login.md` §9).
#[derive(Clone, Copy, Debug)]
pub struct PushedEvent<'a> {
    /// Our app there.
    pub app: &'a ClientId,
    /// The upstream's name of the user for that app.
    pub openid: Option<&'a str>,
    /// The person; looked at only when no openid was told.
    pub unionid: Option<&'a str>,
    /// What happened.
    pub kind: PushedKind,
    /// The push's nonce, once with its timestamp.
    pub nonce: &'a str,
    /// When it was sent: seconds since 1970.
    pub timestamp: i64,
}

/// What an upstream tells of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PushedKind {
    /// The user withdrew the authorization (DEL-04).
    Revoked,
    /// The user ended what they had with our app there (DEL-05).
    Cancelled,
    /// Name or picture changed (DEL-06).
    ProfileModified,
}

/// What became of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pushed {
    /// It took effect.
    Done,
    /// It was heard before: nothing changed.
    Replayed,
    /// Nobody here is meant.
    Unknown,
    /// It is too old, or from the future.
    Stale,
}

/// A refusal that a job cannot meet but by losing every round of a race.
pub(super) fn faulty(stop: LoginStop) -> Fault {
    match stop {
        LoginStop::Failed(fault) => fault,
        LoginStop::Refused(_) => Fault::new("lost every round of a race"),
    }
}

impl Engine {
    /// Asks for the end of the caller's account: it closes at once and is erased at the answered
    /// time, unless its owner comes back before (DEL-03). All sessions end.
    ///
    /// # Errors
    /// [`LoginRefusal::StepUpRequired`] without a fresh proof; [`LoginRefusal::Deleting`],
    /// [`LoginRefusal::Disabled`], [`LoginRefusal::SessionInvalid`] as the account stands.
    pub async fn request_deletion(
        &self,
        auth: &Authenticated,
        now: Timestamp,
    ) -> Result<Timestamp, LoginStop> {
        settled_login!(self.ask_deletion(auth, now))
    }

    async fn ask_deletion(
        &self,
        auth: &Authenticated,
        now: Timestamp,
    ) -> Result<Timestamp, LoginHalt> {
        let Acting {
            mut user,
            phone,
            identity,
            ..
        } = self.acting(auth, now).await?;
        if !phone && !identity {
            let proofs = proofs_of(&user);
            return Err(LoginRefusal::StepUpRequired {
                proofs,
                after: None,
            }
            .into());
        }
        let (until, closing) = self.close_account(&mut user, "user", now).await?;
        let mut changes = vec![put(&mut user)];
        changes.extend(closing);
        self.commit(changes).await?;
        Ok(until)
    }

    /// The account enters the path to its end; its record is the caller's to put. Answers when the
    /// end comes.
    async fn close_account(
        &self,
        user: &mut User,
        by: &str,
        now: Timestamp,
    ) -> Result<(Timestamp, Vec<Change>), LoginHalt> {
        let until = now.plus(self.login().deletion_delay);
        user.status = UserStatus::Deleting(until);
        user.replacing = None;
        let mut changes = self.end_others(user, None, EndedBy::Deleted, now).await?;
        let number = self.draw_number();
        let row = Row {
            number,
            hash: self.numbered(Kind::Erasure, number),
            family: None,
            user: Some(user.id),
            body: Erasure {
                asked_at: now,
                by: by.to_owned(),
            },
            now,
            expires_at: until,
        };
        changes.push(row.issue()?);
        let about = "user.deletion_requested";
        let data = json!({ "by": by, "deletable_at": until.seconds() });
        changes.extend(self.notices(about, user.id, &data, now));
        changes.push(self.event(about, Some(user.id), None, by, now));
        Ok((until, changes))
    }

    /// Takes a deletion back with the ticket that a login gave for it (LGN-07), and logs in. The
    /// ticket works once, on its device, also when the day came and nobody has erased the account
    /// yet.
    ///
    /// # Errors
    /// [`LoginRefusal::TicketInvalid`]; [`LoginRefusal::DeviceLimit`].
    pub async fn cancel_deletion(
        &self,
        cancel_ticket: &str,
        device: Device<'_>,
        key: Idempotency<'_>,
        now: Timestamp,
    ) -> Result<LoggedIn, LoginStop> {
        settled_login!(self.take_back(cancel_ticket, &device, key, now))
    }

    async fn take_back(
        &self,
        cancel_ticket: &str,
        device: &Device<'_>,
        key: Idempotency<'_>,
        now: Timestamp,
    ) -> Result<LoggedIn, LoginHalt> {
        let usable = self.usable(cancel_ticket, device, now).await?;
        if let Some(again) = self.used_before(&usable, None, key, now)? {
            return Ok(again);
        }
        let ticket = &usable.ticket;
        let GoodFor::Cancelling { vouched } = &ticket.body.good_for else {
            return Err(LoginRefusal::TicketInvalid.into());
        };
        let owner = ticket.user.ok_or(LoginRefusal::TicketInvalid)?;
        let user = self.load(owner).await?;
        let mut user = user.ok_or(LoginRefusal::TicketInvalid)?;
        if !matches!(user.status, UserStatus::Deleting(_)) {
            return Err(LoginRefusal::TicketInvalid.into());
        }
        // A number proves the owner for as long as it is the account's.
        let proved = ticket.body.phone.as_ref().map(|(phone, _)| phone);
        if vouched.is_none() && proved != user.phone.as_ref() {
            return Err(LoginRefusal::TicketInvalid.into());
        }
        user.status = UserStatus::Active;
        let mut handles = Vec::new();
        if let Some(vouched) = vouched {
            handles = self.welcome(&mut user, vouched, now).await?;
        }
        let new = NewSession {
            device: ticket.body.device,
            device_id: &ticket.body.device_id,
            platform: &ticket.body.platform,
            address: device.address,
            identity: vouched.as_ref().map(|vouched| vouched.key.clone()),
            phone_proved: vouched.is_none(),
            identity_proved: vouched.is_some(),
        };
        let (pair, session) = self.begin_session(&mut user, new, now).await?;
        let logged_in = LoggedIn {
            pair,
            user: user.id,
            is_bind: user.phone.is_some(),
            profile: vouched.as_ref().and_then(|vouched| vouched.profile.clone()),
            upstream_token: None,
            upstream_unverified: false,
        };
        let mut changes = self.spend_bind(&usable, key, &logged_in, now)?;
        changes.push(put(&mut user));
        changes.extend(handles);
        changes.extend(session);
        changes.extend(self.tell("user.deletion_cancelled", user.id, "", now));
        self.commit(changes).await?;
        Ok(logged_in)
    }

    /// What the upstream told at the login that the ticket stands for is written down, if the
    /// identity is still the account's: it may have been cancelled there since (DEL-05).
    async fn welcome(
        &self,
        user: &mut User,
        vouched: &Vouched,
        now: Timestamp,
    ) -> Result<Vec<Change>, LoginHalt> {
        let by_key = self.user_by_key(&vouched.key).await?;
        let by_person = self.user_by_person(vouched.person.as_ref()).await?;
        let is_other =
            |found: &Option<User>| found.as_ref().is_some_and(|found| found.id != user.id);
        let known = by_key.is_some() || by_person.is_some();
        if !known || is_other(&by_key) || (by_key.is_none() && is_other(&by_person)) {
            return Err(LoginRefusal::TicketInvalid.into());
        }
        let contested = is_other(&by_person);
        let mut changes = attach(user, vouched, contested, now);
        changes.extend(self.vault_keep(&vouched.key, now).await?);
        Ok(changes)
    }

    // --- carried out ---------------------------------------------------------------------------

    /// Erases the accounts whose day has come, at most `limit`; answers how many. Whoever took the
    /// deletion back in the meantime stays.
    ///
    /// # Errors
    /// The store's faults, after the others were erased.
    pub async fn erase_due(&self, now: Timestamp, limit: usize) -> Result<u64, Fault> {
        let mut erased = 0;
        let mut failed = None;
        for raw in self.browse().due(Kind::Erasure, now, limit).await? {
            let done: Result<bool, LoginStop> = settled_login!(self.erase(&raw, now));
            // One account that cannot be erased does not keep the others.
            match done {
                Ok(done) => erased += u64::from(done),
                Err(stop) => failed = failed.or(Some(faulty(stop))),
            }
        }
        failed.map_or(Ok(erased), Err)
    }

    async fn erase(&self, raw: &RawTicket, now: Timestamp) -> Result<bool, LoginHalt> {
        let number = raw.ticket.number;
        let row = self.store().ticket(Kind::Erasure, number).await?;
        let open =
            row.is_some_and(|row| row.ticket.taken_at.is_none() && row.ticket.revoked_at.is_none());
        if !open {
            return Ok(false);
        }
        let mut changes = vec![Change::Take {
            kind: Kind::Erasure,
            number,
            at: now,
        }];
        let user = match raw.ticket.user {
            Some(id) => self.load(id).await?,
            None => None,
        };
        let due = user.filter(|user| match user.status {
            UserStatus::Deleting(until) => until <= now,
            _ => false,
        });
        let Some(mut user) = due else {
            // Taken back, or asked for again with a later row.
            self.commit(changes).await?;
            return Ok(false);
        };
        let id = user.id;
        let tombstone = self.tombstones(&user);
        changes.extend(self.empty(&mut user, now).await?);
        changes.extend(self.forget_sessions(id, now).await?);
        changes.extend(self.forget_merges(id, now).await?);
        user.status = UserStatus::Deleted;
        changes.extend(
            self.end_others(&mut user, None, EndedBy::Deleted, now)
                .await?,
        );
        changes.push(put(&mut user));
        changes.extend(self.notices("user.deleted", id, &json!({}), now));
        changes.push(self.event("user.erased", Some(id), None, &tombstone, now));
        self.commit(changes).await?;
        Ok(true)
    }

    /// What is written of a handle when its account is erased: whoever asks later with the handle
    /// in hand can be told that it was here; nobody can read it back.
    pub fn tombstone(&self, handle: &Handle) -> String {
        let (kind, value) = handle.parts();
        format!(
            "{kind}:{}",
            String::from(self.keyed("tombstone", &format!("{kind}\n{value}")))
        )
    }

    fn tombstones(&self, user: &User) -> String {
        let mut handles: Vec<_> = user.phone.iter().cloned().map(Handle::Phone).collect();
        handles.extend(
            user.identities
                .iter()
                .map(|identity| Handle::of(&identity.key)),
        );
        let stones: Vec<_> = handles
            .iter()
            .map(|handle| self.tombstone(handle))
            .collect();
        stones.join(" ")
    }

    /// Takes everything of the person out of an account: the changes that free its handles and
    /// empty its vaults.
    async fn empty(&self, user: &mut User, now: Timestamp) -> Result<Vec<Change>, LoginHalt> {
        let keys: Vec<_> = user
            .identities
            .iter()
            .map(|known| known.key.clone())
            .collect();
        let mut changes = self.release(user, &keys, now).await?;
        if let Some(phone) = user.phone.take() {
            changes.push(Change::DropHandle(Handle::Phone(phone), user.id));
        }
        forget(user);
        Ok(changes)
    }

    /// Devices are told for a week that their session was ended, and nothing else is left of it.
    pub(super) async fn forget_sessions(
        &self,
        user: UserId,
        now: Timestamp,
    ) -> Result<Vec<Change>, LoginHalt> {
        let mut changes = Vec::new();
        for raw in self.store().tickets_of(user, Kind::Device).await? {
            let read = raw.open::<DeviceSession>()?;
            if read.taken_at.is_some() || read.revoked_at.is_some() {
                continue;
            }
            let ended = read.body.ended.clone().unwrap_or(Ended {
                by: Ending::Kicked,
                at: now,
                device: String::new(),
            });
            let bare = DeviceSession {
                device_id: String::new(),
                platform: String::new(),
                address: String::new(),
                identity: None,
                ended: Some(Ended {
                    device: String::new(),
                    ..ended
                }),
                ..read.body.clone()
            };
            changes.push(amend(&read, &bare, read.expires_at.min(now))?);
        }
        Ok(changes)
    }

    /// Takes identities from a user: their handles are free, their vaults empty. A person stays
    /// where another identity of theirs does.
    pub(super) async fn release(
        &self,
        user: &mut User,
        keys: &[IdentityKey],
        now: Timestamp,
    ) -> Result<Vec<Change>, LoginHalt> {
        let (gone, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut user.identities)
            .into_iter()
            .partition(|identity| keys.contains(&identity.key));
        let staying: Vec<Person> = kept.iter().flat_map(persons).collect();
        user.identities = kept;
        let mut changes = Vec::new();
        for identity in &gone {
            changes.push(Change::DropHandle(Handle::of(&identity.key), user.id));
            for person in persons(identity) {
                if !staying.contains(&person) {
                    changes.push(Change::DropHandle(Handle::of_person(&person), user.id));
                }
            }
            changes.extend(self.vault_erase(&identity.key, now).await?);
        }
        Ok(changes)
    }

    // --- what an upstream pushes ---------------------------------------------------------------

    /// Hears what an upstream tells of a user; its signature was checked.
    ///
    /// # Errors
    /// The store's faults: the upstream is to push again.
    pub async fn pushed(&self, event: PushedEvent<'_>, now: Timestamp) -> Result<Pushed, Fault> {
        let heard: Result<Pushed, LoginStop> = settled_login!(self.hear(&event, now));
        heard.map_err(faulty)
    }

    async fn hear(&self, event: &PushedEvent<'_>, now: Timestamp) -> Result<Pushed, LoginHalt> {
        let Some(app) = self.upstream_app_of(event.app) else {
            return Ok(Pushed::Unknown);
        };
        let sent = Timestamp::from_seconds(event.timestamp);
        if now > sent.plus(PUSH_WINDOW) || sent > now.plus(PUSH_WINDOW) {
            return Ok(Pushed::Stale);
        }
        let words = format!("push\n{}\n{}\n{}", event.app, event.timestamp, event.nonce);
        let (number, hash) = self.keyring.look_up(Kind::Nonce, words.as_bytes());
        if self.store().ticket(Kind::Nonce, number).await?.is_some() {
            self.suspect("push.replayed", None, app.appid.as_str(), now)
                .await;
            return Ok(Pushed::Replayed);
        }
        let row = Row {
            number,
            hash,
            family: None,
            user: None,
            body: Nonce {},
            now,
            expires_at: sent.plus(PUSH_WINDOW).plus(PUSH_WINDOW),
        };
        let mut changes = vec![row.issue()?];
        let Some((mut user, keys)) = self.concerned(app, event).await? else {
            self.commit(changes).await?;
            return Ok(Pushed::Unknown);
        };
        changes.extend(match event.kind {
            PushedKind::Revoked => self.withdrawn(&mut user, &keys, now).await?,
            PushedKind::Cancelled => self.cancelled(&mut user, &keys, now).await?,
            PushedKind::ProfileModified => self.modified(&mut user, &keys, now)?,
        });
        changes.push(put(&mut user));
        self.commit(changes).await?;
        Ok(Pushed::Done)
    }

    /// The user and the identities at this app that a push is about.
    async fn concerned(
        &self,
        app: &UpstreamApp,
        event: &PushedEvent<'_>,
    ) -> Result<Option<(User, Vec<IdentityKey>)>, Fault> {
        let provider: Provider = app.kind.provider();
        if let Some(openid) = event.openid.filter(|openid| !openid.is_empty()) {
            let key = IdentityKey {
                provider,
                app: app.appid.clone(),
                subject: openid.to_owned(),
            };
            let user = self.user_by_key(&key).await?;
            let user = user.filter(|user| user.identity(&key).is_some());
            return Ok(user.map(|user| (user, vec![key])));
        }
        let (Some(scope), Some(id)) = (&app.union_scope, event.unionid) else {
            return Ok(None);
        };
        let person = Person {
            provider,
            scope: scope.clone(),
            id: id.to_owned(),
        };
        let Some(user) = self.user_by_person(Some(&person)).await? else {
            return Ok(None);
        };
        let here = user
            .identities_of(provider)
            .filter(|known| known.key.app == app.appid);
        let theirs = here.filter(|known| persons(known).contains(&person));
        let keys: Vec<_> = theirs.map(|known| known.key.clone()).collect();
        Ok((!keys.is_empty()).then_some((user, keys)))
    }

    /// The authorization was withdrawn (DEL-04): name, picture and tokens go, link and account
    /// stay, and authorizing again leads back to them.
    pub(super) async fn withdrawn(
        &self,
        user: &mut User,
        keys: &[IdentityKey],
        now: Timestamp,
    ) -> Result<Vec<Change>, LoginHalt> {
        let mut changes = Vec::new();
        for identity in of_keys(user, keys) {
            identity.status = IdentityStatus::Revoked;
            blank(identity);
        }
        for key in keys {
            changes.extend(self.vault_erase(key, now).await?);
        }
        changes.extend(self.tell("identity.revoked", user.id, "", now));
        Ok(changes)
    }

    /// The upstream ended what the user had with our app there (DEL-05): the identity is free. An
    /// account that nobody could enter any more enters the path to its end.
    async fn cancelled(
        &self,
        user: &mut User,
        keys: &[IdentityKey],
        now: Timestamp,
    ) -> Result<Vec<Change>, LoginHalt> {
        let mut changes = self.release(user, keys, now).await?;
        changes.extend(self.tell("user.unlinked", user.id, "upstream", now));
        let lost = user.phone.is_none() && user.identities.is_empty();
        if lost && user.status == UserStatus::Active {
            changes.extend(self.close_account(user, "upstream", now).await?.1);
        } else {
            changes.extend(self.end_others(user, None, EndedBy::Unlinked, now).await?);
        }
        Ok(changes)
    }

    /// Name or picture changed there (DEL-06): ours are wrong until they were read again.
    fn modified(
        &self,
        user: &mut User,
        keys: &[IdentityKey],
        now: Timestamp,
    ) -> Result<Vec<Change>, Fault> {
        let mut changes = Vec::new();
        for identity in of_keys(user, keys) {
            blank(identity);
            if identity.status == IdentityStatus::Linked {
                changes.push(self.sync_soon(&identity.key, now)?);
            }
        }
        changes.extend(self.tell("identity.profile_modified", user.id, "", now));
        Ok(changes)
    }
}

/// By what a user can prove who they are.
pub(super) fn proofs_of(user: &User) -> &'static [&'static str] {
    match (user.phone.is_some(), user.identities.is_empty()) {
        (true, false) => &["phone", "wechat"],
        (true, true) => &["phone"],
        (false, false) => &["wechat"],
        (false, true) => &[],
    }
}

fn of_keys<'a>(
    user: &'a mut User,
    keys: &'a [IdentityKey],
) -> impl Iterator<Item = &'a mut Identity> {
    let all = user.identities.iter_mut();
    all.filter(|identity| keys.contains(&identity.key))
}

/// An identity without what the upstream told of the person.
fn blank(identity: &mut Identity) {
    identity.nickname.clear();
    identity.avatar.clear();
}

/// An account without what it tells of the person; its handles are another matter.
pub(super) fn forget(user: &mut User) {
    user.profile = Profile::default();
    user.password = None;
    user.password_changed_at = None;
    user.consent.clear();
    user.seen_at = None;
    user.replacing = None;
}
