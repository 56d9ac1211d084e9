//! The login backend: logging an app's own users in with upstream identities and phone numbers.
//!
//! The decisions are pure functions in [`crate::login::decide`]; here they are given their facts,
//! and what they decide is committed. Whatever changes what a user is known by puts the user's
//! next version into the same list: so two changes of one account never both win, and a session
//! never begins beside a deletion.

mod arrival;
mod bind;
mod deletion;
mod ending;
mod export;
mod merge;
mod passcode;
mod people;
mod relogin;
mod session;
mod sync;
mod transaction;
mod vault;

use serde_json::{Value, json};

use super::Engine;
use crate::id::{ClientId, UserId};
use crate::identity::{Identity, IdentityKey, IdentityStatus, Person, UpstreamApp, Vouched};
use crate::keyring::Presented;
use crate::login::decide::{Owner, Standing};
use crate::login::{Candidate, Device, LoginRefusal, LoginSettings, LoginStop};
use crate::refusal::Fault;
use crate::secret::{Layout, Secret, SecretHash};
use crate::store::{Change, Clash, Notice, Record, UserKey};
use crate::ticket::{Kind, RawTicket, Ticket};
use crate::time::{Lifetime, Timestamp};
use crate::user::{Handle, Phone, User, UserStatus};

pub use bind::{BindRequest, BindStep, PhoneProof};
pub use deletion::{Pushed, PushedEvent, PushedKind};
pub(in crate::engine) use ending::EndedBy;
pub use export::{Export, ExportedEvent, ExportedIdentity, ExportedSession};
pub use passcode::{PasscodeRequest, PasscodeSent};
pub use people::{IdentityView, PersonView, PhoneLogin, PhoneStep};
pub use relogin::{RelogBy, RelogDone, RelogRequest, RelogStep, RelogTicket};
pub use session::SessionView;
pub use sync::{SyncNext, SyncTask};
pub use transaction::{Begun, CodeRequest, Exchanging, Outcome, PrepareRequest, Proved};
pub use vault::RenewedTokens;

/// Why an attempt ended: for good, or because of a lost race.
pub(super) enum LoginHalt {
    Stop(LoginStop),
    Clash(Clash),
}

impl<T: Into<LoginStop>> From<T> for LoginHalt {
    fn from(stop: T) -> Self {
        Self::Stop(stop.into())
    }
}

impl From<Clash> for LoginHalt {
    fn from(clash: Clash) -> Self {
        Self::Clash(clash)
    }
}

/// Runs an attempt until it wins, is refused or fails, as the engine's `settled` does.
macro_rules! settled_login {
    ($attempt:expr) => {{
        let mut round = 0u32;
        loop {
            match $attempt.await {
                Ok(done) => break Ok(done),
                Err($crate::engine::login::LoginHalt::Stop(stop)) => break Err(stop),
                Err($crate::engine::login::LoginHalt::Clash(
                    $crate::store::Clash::Failed(fault) | $crate::store::Clash::Unknown(fault),
                )) => break Err($crate::login::LoginStop::Failed(fault)),
                Err($crate::engine::login::LoginHalt::Clash(_))
                    if round + 1 < $crate::engine::ROUNDS =>
                {
                    round += 1;
                }
                Err($crate::engine::login::LoginHalt::Clash(_)) => {
                    break Err($crate::login::LoginRefusal::Conflict.into());
                }
            }
        }
    }};
}
pub(super) use settled_login;

/// The most bytes of a code, a device's name, an idempotency key (COD-07).
const MAX_WORD_BYTES: usize = 512;
/// The most bytes of a device's name, a platform, a version of the terms.
const MAX_LABEL_BYTES: usize = 128;

/// Checks a label that a device gives: short and without control characters.
pub(super) fn check_label(field: &'static str, text: &str) -> Result<(), LoginRefusal> {
    if text.len() <= MAX_LABEL_BYTES && !text.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(LoginRefusal::BadRequest { field })
    }
}

/// A row for something that is known by its secret, or by its content.
pub(super) struct Row<B> {
    pub(super) number: crate::id::Number,
    pub(super) hash: SecretHash,
    pub(super) family: Option<crate::id::Number>,
    pub(super) user: Option<UserId>,
    pub(super) body: B,
    pub(super) now: Timestamp,
    pub(super) expires_at: Timestamp,
}

impl<B: crate::ticket::Body> Row<B> {
    /// The change that issues it.
    pub(super) fn issue(self) -> Result<Change, Fault> {
        let ticket = Ticket {
            number: self.number,
            hash: self.hash,
            grant: None,
            family: self.family,
            client: None,
            user: self.user,
            body: self.body,
            issued_at: self.now,
            expires_at: self.expires_at,
            taken_at: None,
            revoked_at: None,
            version: 1,
        };
        Ok(Change::Issue(ticket.seal()?))
    }
}

/// The change that gives a ticket another body and end, if nobody else did since it was read.
pub(super) fn amend<A, B: crate::ticket::Body>(
    read: &Ticket<A>,
    body: &B,
    expires_at: Timestamp,
) -> Result<Change, Fault> {
    Ok(Change::Amend {
        kind: B::KIND,
        number: read.number,
        version: read.version,
        body: serde_json::to_vec(body).map_err(|e| Fault::from("write a ticket", e))?,
        expires_at,
    })
}

impl Engine {
    /// The settings of the login backend.
    pub fn login(&self) -> &LoginSettings {
        &self.settings.login
    }

    /// Our app of this name, or the only one there is.
    ///
    /// # Errors
    /// [`LoginRefusal::BadRequest`] when no app is meant.
    pub fn upstream_app(&self, name: Option<&str>) -> Result<&UpstreamApp, LoginRefusal> {
        let apps = &self.settings.login.apps;
        let found = match (name.filter(|name| !name.is_empty()), apps.as_slice()) {
            (Some(name), _) => apps.iter().find(|app| app.name == name),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        found.ok_or(LoginRefusal::BadRequest { field: "app" })
    }

    /// Our app with this appid at a platform.
    pub fn upstream_app_of(&self, appid: &ClientId) -> Option<&UpstreamApp> {
        let apps = &self.settings.login.apps;
        apps.iter().find(|app| app.appid == *appid)
    }

    /// A new device secret. It is not stored: what it binds keeps its hash.
    pub(super) fn draw_device(&self) -> Result<Secret, Fault> {
        Ok(self.mint(Kind::Device, Layout::Own)?.secret)
    }

    /// A new device secret for whoever presents none of ours; `None` for whoever does.
    ///
    /// # Errors
    /// A fault when the keyring is empty.
    pub fn device_secret(&self, presented: Option<&str>) -> Result<Option<Secret>, Fault> {
        match self.device_hash(presented) {
            Some(_) => Ok(None),
            None => self.draw_device().map(Some),
        }
    }

    /// The hash under which a device is known; `None` when it proved nothing of ours.
    pub(super) fn device_hash(&self, secret: Option<&str>) -> Option<SecretHash> {
        let secret = secret?;
        self.keyring.read(Kind::Device, Layout::Own, secret)?;
        let digest = self.keyring.digest("device", &[secret.as_bytes()]);
        Some(SecretHash(digest))
    }

    /// A keyed hash of something a caller sent, to compare it later without keeping it.
    pub(super) fn keyed(&self, domain: &str, text: &str) -> SecretHash {
        SecretHash(self.keyring.digest(domain, &[text.as_bytes()]))
    }

    /// Checks a device's labels.
    pub(super) fn check_device(&self, device: &Device<'_>) -> Result<(), LoginRefusal> {
        check_label("device_id", device.id)?;
        check_label("platform", device.platform)
    }

    /// Reads a ticket by a secret that must prove it. Alive or not is the caller's to ask.
    pub(super) async fn presented<B: crate::ticket::Body>(
        &self,
        kind: Kind,
        secret: &str,
    ) -> Result<Option<(Presented, Ticket<B>)>, Fault> {
        let Some(presented) = self.keyring.read(kind, Layout::Own, secret) else {
            return Ok(None);
        };
        let Some(raw) = self.store().ticket(kind, presented.number).await? else {
            return Ok(None);
        };
        if !presented.proves(&raw.ticket.hash) {
            return Ok(None);
        }
        Ok(Some((presented, raw.open::<B>()?)))
    }

    /// A row that is found by its content.
    pub(super) async fn looked_up<B: crate::ticket::Body>(
        &self,
        kind: Kind,
        content: &str,
    ) -> Result<Option<Ticket<B>>, Fault> {
        let (number, _) = self.keyring.look_up(kind, content.as_bytes());
        let raw = self.store().ticket(kind, number).await?;
        raw.map(|raw: std::sync::Arc<RawTicket>| raw.open::<B>())
            .transpose()
    }

    /// A user, whatever their standing.
    pub(super) async fn load(&self, id: UserId) -> Result<Option<User>, Fault> {
        let user = self.store().user(UserKey::Id(id)).await?;
        Ok(user.map(|user| User::clone(&user)))
    }

    /// The user that a handle leads to.
    pub(super) async fn user_of(&self, handle: &Handle) -> Result<Option<User>, Fault> {
        let user = self.store().user(UserKey::Handle(handle)).await?;
        Ok(user.map(|user| User::clone(&user)))
    }

    /// The user who owns an identity.
    pub(super) async fn user_by_key(&self, key: &IdentityKey) -> Result<Option<User>, Fault> {
        self.user_of(&Handle::of(key)).await
    }

    /// The user whom a person's unionid leads to.
    pub(super) async fn user_by_person(
        &self,
        person: Option<&Person>,
    ) -> Result<Option<User>, Fault> {
        match person {
            Some(person) => self.user_of(&Handle::of_person(person)).await,
            None => Ok(None),
        }
    }

    /// The user whom a vouched identity belongs to; of one that is new here, the user whom its
    /// person leads to. It proves the same person at whichever of our apps it was shown.
    pub(super) async fn owner_of(&self, vouched: &Vouched) -> Result<Option<User>, Fault> {
        match self.user_by_key(&vouched.key).await? {
            Some(user) => Ok(Some(user)),
            None => self.user_by_person(vouched.person.as_ref()).await,
        }
    }

    /// The changes that tell every webhook.
    pub(super) fn notices(
        &self,
        about: &str,
        user: UserId,
        data: &Value,
        now: Timestamp,
    ) -> Vec<Change> {
        let hooks = self.settings.login.webhooks.iter();
        hooks
            .map(|hook| {
                Change::Notify(Notice {
                    number: self.draw_number(),
                    to: hook.clone(),
                    about: about.to_owned(),
                    user,
                    data: data.to_string(),
                    posted_at: now,
                    attempts: 0,
                    due_at: now,
                    dead: false,
                })
            })
            .collect()
    }

    /// The line of the audit and the notices of something that happened to an account.
    pub(super) fn tell(
        &self,
        about: &str,
        user: UserId,
        detail: &str,
        now: Timestamp,
    ) -> Vec<Change> {
        let mut changes = self.notices(about, user, &json!({ "detail": detail }), now);
        changes.push(self.event(about, Some(user), None, detail, now));
        changes
    }

    /// Writes down something suspicious that changes nothing else. Losing it to a failing store
    /// must not turn the refusal that goes with it into something else.
    pub(super) async fn suspect(
        &self,
        what: &str,
        user: Option<UserId>,
        detail: &str,
        now: Timestamp,
    ) {
        let event = self.event(what, user, None, detail, now);
        let _ = self.store().commit(vec![event]).await;
    }
}

/// The account as the decisions see it; `None` when nobody can ever enter it again.
pub(super) fn owner(user: &User) -> Option<Owner> {
    let standing = match user.status {
        UserStatus::Active => Standing::Active,
        UserStatus::Restricted => Standing::Disabled,
        UserStatus::Deleting(_) => Standing::Deleting,
        UserStatus::Deleted | UserStatus::Merged(_) => return None,
    };
    Some(Owner {
        user: user.id,
        standing,
        has_phone: user.phone.is_some(),
    })
}

/// An account as somebody may see it who has not entered it: enough to know one's own.
pub(super) fn candidate(key: &str, user: &User) -> Candidate {
    Candidate {
        key: key.to_owned(),
        nickname: masked_name(&shown_name(user)),
        phone: user.phone.as_ref().map(Phone::masked).unwrap_or_default(),
    }
}

/// The name an account shows: its own, or that of its first identity.
pub(super) fn shown_name(user: &User) -> String {
    if !user.profile.nickname.trim().is_empty() {
        return user.profile.nickname.clone();
    }
    let names = user.identities.iter().map(|identity| &identity.nickname);
    names
        .into_iter()
        .find(|name| !name.trim().is_empty())
        .cloned()
        .unwrap_or_default()
}

/// A name with everything hidden but its first character.
pub(super) fn masked_name(name: &str) -> String {
    match name.trim().chars().next() {
        Some(first) => format!("{first}***"),
        None => "***".to_owned(),
    }
}

/// Whether a proof is fresh: given at most `life` ago, and not in the future before the clock was
/// turned back.
pub(super) fn is_fresh(proved_at: Option<Timestamp>, life: Lifetime, now: Timestamp) -> bool {
    proved_at.is_some_and(|at| at <= now && now < at.plus(life))
}

/// Whether something happened within `life` of now, before or after: two servers, and two requests
/// of one, do not read the same moment, and the one that comes second may have read the earlier.
pub(super) fn is_near(at: Timestamp, life: Lifetime, now: Timestamp) -> bool {
    now < at.plus(life) && at < now.plus(life)
}

/// The next version of a user, and the change that puts it.
pub(super) fn put(user: &mut User) -> Change {
    user.version += 1;
    Change::Put(Record::User(user.clone()))
}

/// Gives a vouched identity to a user, or notes what is new about one that the user has: the
/// user's body and the handles that must ride in the same list. The person's handle is left out
/// when `contested`: it leads elsewhere.
pub(super) fn attach(
    user: &mut User,
    vouched: &Vouched,
    contested: bool,
    now: Timestamp,
) -> Vec<Change> {
    let mut changes = vec![Change::Put(Record::Handle(
        Handle::of(&vouched.key),
        user.id,
    ))];
    let person = vouched.person.clone().filter(|_| !contested);
    if let Some(person) = &person {
        let handle = Handle::of_person(person);
        changes.push(Change::Put(Record::Handle(handle, user.id)));
    }
    let known = user
        .identities
        .iter_mut()
        .find(|known| known.key == vouched.key);
    match known {
        Some(known) => {
            known.status = IdentityStatus::Linked;
            if let Some(person) = person {
                match known.person.replace(person.clone()) {
                    Some(before) if before != person => known.former.push(before.id),
                    _ => {}
                }
            }
            if let Some(profile) = &vouched.profile {
                known.nickname.clone_from(&profile.nickname);
                known.avatar.clone_from(&profile.avatar);
            }
        }
        None => {
            let profile = vouched.profile.clone().unwrap_or_default();
            user.identities.push(Identity {
                key: vouched.key.clone(),
                person,
                former: Vec::new(),
                status: IdentityStatus::Linked,
                linked_at: now,
                nickname: profile.nickname,
                avatar: profile.avatar,
            });
        }
    }
    changes
}

/// Takes all identities of a provider from a user: the changes that free their handles.
pub(super) fn detach(
    user: &mut User,
    provider: crate::identity::Provider,
) -> (Vec<Identity>, Vec<Change>) {
    let (gone, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut user.identities)
        .into_iter()
        .partition(|identity| identity.key.provider == provider);
    user.identities = kept;
    let mut changes = Vec::new();
    for identity in &gone {
        changes.push(Change::DropHandle(Handle::of(&identity.key), user.id));
        for person in persons(identity) {
            changes.push(Change::DropHandle(Handle::of_person(&person), user.id));
        }
    }
    (gone, changes)
}

/// The person of an identity and those that it was told before.
pub(super) fn persons(identity: &Identity) -> Vec<Person> {
    let Some(person) = &identity.person else {
        return Vec::new();
    };
    let former = identity.former.iter().map(|id| Person {
        id: id.clone(),
        ..person.clone()
    });
    former.chain([person.clone()]).collect()
}
