//! What somebody who is logged in may do with their account; and logging in by phone number.

use super::bind::{PhoneProof, enterable, relation};
use super::deletion::proofs_of;
use super::ending::EndedBy;
use super::session::NewSession;
use super::transaction::Proved;
use super::{
    LoginHalt, MAX_WORD_BYTES, Row, amend, attach, detach, is_fresh, owner, put, settled_login,
    shown_name,
};
use crate::engine::Engine;
use crate::id::UserId;
use crate::identity::{Identity, IdentityStatus, Provider};
use crate::login::body::{Answer, BindTicket, DeviceSession, GoodFor};
use crate::login::decide::{Relation, Standing};
use crate::login::{
    Authenticated, Device, Idempotency, LoggedIn, LoginRefusal, LoginStop, Purpose, Taken,
};
use crate::refusal::Fault;
use crate::seal::SealKey;
use crate::secret::{Layout, SecretHash};
use crate::store::{Change, Record};
use crate::ticket::{Kind, Scene, Ticket};
use crate::time::Timestamp;
use crate::user::{Handle, Phone, User, UserStatus};

/// A login by phone number.
#[derive(Clone, Copy, Debug)]
pub struct PhoneLogin<'a> {
    /// The number.
    pub phone: &'a Phone,
    /// What proves it.
    pub proof: PhoneProof<'a>,
    /// The version of the terms that the user accepted.
    pub consent: &'a str,
    /// The user said that the account of the number is not theirs.
    pub fresh: bool,
    /// As [`super::BindRequest::reissued`].
    pub reissued: Option<bool>,
    /// The device.
    pub device: Device<'a>,
    /// By which the same answer is asked for again.
    pub key: Idempotency<'a>,
}

/// What a login by phone number comes to.
#[derive(Debug)]
pub enum PhoneStep {
    /// Logged in.
    Done(LoggedIn),
    /// Ask the carrier whether the number has a new owner since then, and come again with the
    /// answer and the same proof.
    AskCarrier {
        /// Since when.
        since: Timestamp,
    },
}

/// An account, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonView {
    /// Who.
    pub user: UserId,
    /// The shown name; may be empty.
    pub nickname: String,
    /// The address of the picture; may be empty.
    pub avatar: String,
    /// The phone number with its middle hidden; empty for none.
    pub phone: String,
    /// Whether a phone number is bound.
    pub is_bind: bool,
    /// When the account was made.
    pub created_at: Timestamp,
    /// The identities.
    pub identities: Vec<IdentityView>,
}

/// An identity, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityView {
    /// By which it is named in calls.
    pub id: String,
    /// Who vouches.
    pub provider: Provider,
    /// The name of our app there.
    pub app: String,
    /// The shown name there; may be empty.
    pub nickname: String,
    /// Whether it may be used.
    pub status: IdentityStatus,
    /// When it was linked.
    pub linked_at: Timestamp,
}

impl Engine {
    // --- by phone number ----------------------------------------------------------------------

    /// Logs in by phone number; makes an account where there is none.
    ///
    /// # Errors
    /// Those of the passcode; [`LoginRefusal::ConsentRequired`], [`LoginRefusal::Deleting`],
    /// [`LoginRefusal::Disabled`], [`LoginRefusal::RecycledSuspected`] (PHO-13),
    /// [`LoginRefusal::DeviceLimit`].
    pub async fn phone_login(
        &self,
        request: PhoneLogin<'_>,
        now: Timestamp,
    ) -> Result<PhoneStep, LoginStop> {
        self.check_phone_login(request.consent, &request.device)?;
        if request.key.0.unwrap_or_default().len() > MAX_WORD_BYTES {
            let field = "Idempotency-Key";
            return Err(LoginRefusal::BadRequest { field }.into());
        }
        let device = self.device_hash(request.device.secret);
        let device = device.ok_or(LoginRefusal::SessionInvalid)?;
        settled_login!(self.enter_by_phone(&request, device, now))
    }

    /// What can be refused before the number is known: to be asked before a carrier is, whose
    /// tokens are good once.
    ///
    /// # Errors
    /// [`LoginRefusal::ConsentRequired`], [`LoginRefusal::BadRequest`].
    pub fn check_phone_login(
        &self,
        consent: &str,
        device: &Device<'_>,
    ) -> Result<(), LoginRefusal> {
        self.check_device(device)?;
        self.check_consent(consent)?;
        match self.device_hash(device.secret) {
            Some(_) => Ok(()),
            None => Err(LoginRefusal::BadRequest {
                field: "device_secret",
            }),
        }
    }

    async fn enter_by_phone(
        &self,
        request: &PhoneLogin<'_>,
        device: SecretHash,
        now: Timestamp,
    ) -> Result<PhoneStep, LoginHalt> {
        let once = Once::of(request, device);
        if let Some(again) = self.said_before(once.as_ref(), now).await? {
            return Ok(PhoneStep::Done(again));
        }
        let spent = match request.proof {
            PhoneProof::Carrier => None,
            PhoneProof::None => {
                return Err(LoginRefusal::BadRequest { field: "sms_code" }.into());
            }
            PhoneProof::Passcode(digits) => {
                let phone = request.phone;
                Some(
                    self.use_login_passcode(phone, Scene::Login, digits, now)
                        .await?,
                )
            }
        };
        let mut changes: Vec<Change> = spent.into_iter().collect();
        let holder = self.user_of(&Handle::Phone(request.phone.clone())).await?;
        let holder = holder.filter(|user| owner(user).is_some());
        // What the carrier says of the number is said of an account that was silent; not of one
        // that got the number since.
        let silent = self.silent_since(holder.as_ref(), now);
        let stranger = request.fresh && request.reissued == Some(true) && silent.is_some();
        if let Some(user) = &holder {
            match owner(user).map(|owner| owner.standing) {
                Some(Standing::Deleting) => {
                    return self
                        .offer_phone_cancel(request, device, user, changes, now)
                        .await;
                }
                Some(Standing::Disabled) => return Err(LoginRefusal::Disabled.into()),
                _ => {}
            }
            // Judged before the passcode is spent: it is good for the answer too.
            if let Some(since) = silent {
                match (request.reissued, request.fresh) {
                    (None, _) => return Ok(PhoneStep::AskCarrier { since }),
                    (Some(true), false) => return Err(LoginRefusal::RecycledSuspected.into()),
                    _ => {}
                }
            }
        }
        let (user, is_new) = match holder {
            Some(user) if !stranger => (user, false),
            holder => {
                if let Some(from) = holder {
                    changes.extend(self.lose_phone(from, now).await?);
                }
                let mut user = User::new(UserId(self.draw_number()), now);
                user.phone = Some(request.phone.clone());
                (user, true)
            }
        };
        self.phone_session(request, device, user, is_new, changes, now)
            .await
    }

    async fn phone_session(
        &self,
        request: &PhoneLogin<'_>,
        device: SecretHash,
        mut user: User,
        is_new: bool,
        mut changes: Vec<Change>,
        now: Timestamp,
    ) -> Result<PhoneStep, LoginHalt> {
        user.consent = request.consent.to_owned();
        let new = NewSession {
            device,
            device_id: request.device.id,
            platform: request.device.platform,
            address: request.device.address,
            identity: None,
            phone_proved: true,
            identity_proved: false,
        };
        let (pair, session) = self.begin_session(&mut user, new, now).await?;
        let id = user.id;
        if is_new {
            changes.push(Change::Put(Record::User(user)));
            let handle = Handle::Phone(request.phone.clone());
            changes.push(Change::Put(Record::Handle(handle, id)));
            changes.extend(self.tell("user.created", id, "phone", now));
        } else {
            changes.push(put(&mut user));
        }
        changes.extend(session);
        let logged_in = LoggedIn {
            pair,
            user: id,
            is_bind: true,
            profile: None,
            upstream_token: None,
            upstream_unverified: false,
        };
        let once = Once::of(request, device);
        changes.extend(self.say_again(once.as_ref(), &logged_in, now).await?);
        self.commit(changes).await?;
        Ok(PhoneStep::Done(logged_in))
    }

    /// Whoever proved the number of an account that is about to be deleted may take that back.
    async fn offer_phone_cancel(
        &self,
        request: &PhoneLogin<'_>,
        device: SecretHash,
        user: &User,
        mut changes: Vec<Change>,
        now: Timestamp,
    ) -> Result<PhoneStep, LoginHalt> {
        let UserStatus::Deleting(deletable_at) = user.status else {
            return Err(Fault::new("a deletion without an end").into());
        };
        let minted = self.mint(Kind::Bind, Layout::Own)?;
        let row = Row {
            number: minted.number,
            hash: minted.hash,
            family: None,
            user: Some(user.id),
            body: BindTicket {
                device,
                device_id: request.device.id.to_owned(),
                platform: request.device.platform.to_owned(),
                consent: request.consent.to_owned(),
                app: String::new(),
                good_for: GoodFor::Cancelling { vouched: None },
                phone: Some((request.phone.clone(), now.plus(self.login().ticket_life))),
                other: None,
                key: None,
                answer: None,
            },
            now,
            expires_at: now.plus(self.login().ticket_life),
        };
        changes.push(row.issue()?);
        self.commit(changes).await?;
        Err(LoginRefusal::Deleting {
            deletable_at,
            cancel_ticket: Some(minted.secret),
            device_secret: None,
        }
        .into())
    }

    /// The answer that was given to the same device under the same key.
    async fn said_before(
        &self,
        once: Option<&Once<'_>>,
        now: Timestamp,
    ) -> Result<Option<LoggedIn>, LoginHalt> {
        let Some(once) = once else { return Ok(None) };
        let kept = self
            .looked_up::<Answer>(Kind::Answer, &once.content())
            .await?;
        let Some(kept) = kept.filter(|kept| kept.is_alive(now)) else {
            return Ok(None);
        };
        if kept.body.request != self.keyed("request", once.words) {
            return Err(LoginRefusal::BadRequest {
                field: "Idempotency-Key",
            }
            .into());
        }
        let open = once.seal_key()?.open(b"answer", &kept.body.sealed);
        let open = open.ok_or_else(|| Fault::new("an answer was sealed under another key"))?;
        let answer = serde_json::from_slice(&open);
        Ok(Some(
            answer.map_err(|e| Fault::from("read a kept answer", e))?,
        ))
    }

    async fn say_again(
        &self,
        once: Option<&Once<'_>>,
        answer: &LoggedIn,
        now: Timestamp,
    ) -> Result<Option<Change>, Fault> {
        let Some(once) = once else { return Ok(None) };
        let plain = serde_json::to_vec(answer).map_err(|e| Fault::from("keep an answer", e))?;
        let content = once.content();
        let body = Answer {
            sealed: once
                .seal_key()?
                .seal(b"answer", &plain, &*self.ports.entropy)?,
            request: self.keyed("request", once.words),
        };
        let expires_at = now.plus(self.login().ticket_life);
        // One that is over stands until it is swept: a key that comes again takes its row.
        if let Some(before) = self.looked_up::<Answer>(Kind::Answer, &content).await? {
            return amend(&before, &body, expires_at).map(Some);
        }
        let (number, hash) = self.keyring.look_up(Kind::Answer, content.as_bytes());
        let row = Row {
            number,
            hash,
            family: None,
            user: Some(answer.user),
            body,
            now,
            expires_at,
        };
        row.issue().map(Some)
    }

    // --- proofs -------------------------------------------------------------------------------

    /// Proves the number of the account that is logged in: it counts for a few minutes.
    ///
    /// # Errors
    /// Those of the passcode; [`LoginRefusal::BadRequest`] when the account has no number.
    pub async fn prove_phone(
        &self,
        auth: &Authenticated,
        digits: &str,
        now: Timestamp,
    ) -> Result<(), LoginStop> {
        settled_login!(async {
            let user = self
                .load(auth.user)
                .await?
                .ok_or(LoginRefusal::SessionInvalid)?;
            let phone = user
                .phone
                .ok_or(LoginRefusal::BadRequest { field: "sms_code" })?;
            let spent = self
                .use_login_passcode(&phone, Scene::Verify, digits, now)
                .await?;
            let session = self.session_row(auth.session).await?;
            let proved = self.proved(&session, true, false, now)?;
            self.commit(vec![spent, proved]).await?;
            Ok::<(), LoginHalt>(())
        })
    }

    /// Takes an upstream proof for the account that is logged in: it counts for a few minutes.
    ///
    /// # Errors
    /// [`LoginRefusal::StateInvalid`] when it proves another account, or was for something else.
    pub async fn prove_identity(
        &self,
        auth: &Authenticated,
        proved: &Proved,
        now: Timestamp,
    ) -> Result<(), LoginStop> {
        let fits = matches!(proved.purpose, Purpose::Reauth | Purpose::Delete);
        if !fits || proved.user != Some(auth.user) {
            return Err(LoginRefusal::StateInvalid.into());
        }
        settled_login!(async {
            let owner = self.owner_of(&proved.vouched).await?;
            if owner.is_none_or(|owner| owner.id != auth.user) {
                return Err(LoginRefusal::StateInvalid.into());
            }
            let session = self.session_row(auth.session).await?;
            let change = self.proved(&session, false, true, now)?;
            self.commit(vec![change]).await?;
            Ok::<(), LoginHalt>(())
        })
    }

    /// The session's row and user, and which proofs are fresh in it.
    pub(super) async fn acting(
        &self,
        auth: &Authenticated,
        now: Timestamp,
    ) -> Result<Acting, LoginHalt> {
        let user = self
            .load(auth.user)
            .await?
            .ok_or(LoginRefusal::SessionInvalid)?;
        enterable(&user)?;
        let session = self.session_row(auth.session).await?;
        // The caller was let in before this was read, maybe before an upstream was asked: all
        // sessions may have ended since.
        if session.body.from < user.sessions_from {
            let at = user.sessions_from;
            return Err(LoginRefusal::SessionKicked { at }.into());
        }
        let life = self.login().proof_life;
        Ok(Acting {
            phone: is_fresh(session.body.phone_proved_at, life, now),
            identity: is_fresh(session.body.identity_proved_at, life, now),
            session,
            user,
        })
    }

    // --- identities ---------------------------------------------------------------------------

    /// Whether the account that is logged in may get another login now: to be asked before a code
    /// is spent on it.
    ///
    /// # Errors
    /// As [`Engine::link`], before the identity is looked at.
    pub async fn may_link(&self, auth: &Authenticated, now: Timestamp) -> Result<(), LoginStop> {
        settled_login!(async {
            let acting = self.acting(auth, now).await?;
            may_add(&acting)?;
            Ok::<(), LoginHalt>(())
        })
    }

    /// Links a proved identity to the account that is logged in.
    ///
    /// # Errors
    /// [`LoginRefusal::StateInvalid`] when the proof was for something or somebody else,
    /// [`LoginRefusal::StepUpRequired`] when nothing that the account had before was proved
    /// lately, [`LoginRefusal::WechatTaken`], [`LoginRefusal::AlreadyLinked`].
    pub async fn link(
        &self,
        auth: &Authenticated,
        proved: &Proved,
        now: Timestamp,
    ) -> Result<(), LoginStop> {
        if proved.purpose != Purpose::Link || proved.user != Some(auth.user) {
            return Err(LoginRefusal::StateInvalid.into());
        }
        settled_login!(self.link_vouched(auth, proved, now))
    }

    async fn link_vouched(
        &self,
        auth: &Authenticated,
        proved: &Proved,
        now: Timestamp,
    ) -> Result<(), LoginHalt> {
        let acting = self.acting(auth, now).await?;
        may_add(&acting)?;
        let Acting {
            mut user, session, ..
        } = acting;
        let vouched = &proved.vouched;
        let by_key = self.user_by_key(&vouched.key).await?;
        let by_person = self.user_by_person(vouched.person.as_ref()).await?;
        let others = by_key.iter().chain(&by_person);
        if others.into_iter().any(|owner| owner.id != user.id) {
            return Err(LoginRefusal::WechatTaken.into());
        }
        if relation(&user, vouched) == Relation::Other {
            return Err(LoginRefusal::AlreadyLinked.into());
        }
        let handles = attach(&mut user, vouched, false, now);
        let id = user.id;
        let mut changes = vec![put(&mut user)];
        changes.extend(handles);
        changes.push(self.proved(&session, false, true, now)?);
        changes.extend(self.vault_keep(&vouched.key, now).await?);
        changes.extend(self.tell("user.linked", id, vouched.key.provider.word(), now));
        self.commit(changes).await?;
        Ok(())
    }

    /// Takes a provider's identities from the account that is logged in, by a fresh proof of
    /// what is left. All other sessions end.
    ///
    /// # Errors
    /// [`LoginRefusal::BadRequest`] when there is none, [`LoginRefusal::LastIdentity`] (DEL-02),
    /// [`LoginRefusal::StepUpRequired`] (DEL-01).
    pub async fn unlink(
        &self,
        auth: &Authenticated,
        provider: Provider,
        now: Timestamp,
    ) -> Result<(), LoginStop> {
        settled_login!(self.unlink_all(auth, provider, now))
    }

    async fn unlink_all(
        &self,
        auth: &Authenticated,
        provider: Provider,
        now: Timestamp,
    ) -> Result<(), LoginHalt> {
        let acting = self.acting(auth, now).await?;
        let mut user = acting.user;
        if user.identities_of(provider).next().is_none() {
            return Err(LoginRefusal::BadRequest { field: "wechat" }.into());
        }
        let others = user
            .identities
            .iter()
            .any(|identity| identity.key.provider != provider);
        if user.phone.is_none() && !others {
            return Err(LoginRefusal::LastIdentity.into());
        }
        if !acting.phone {
            let (proofs, after) = (&["phone"][..], None);
            return Err(LoginRefusal::StepUpRequired { proofs, after }.into());
        }
        let (gone, handles) = detach(&mut user, provider);
        let mut changes = handles;
        for identity in &gone {
            changes.extend(self.vault_erase(&identity.key, now).await?);
        }
        changes.extend(
            self.end_others(&mut user, Some(auth.session), EndedBy::Unlinked, now)
                .await?,
        );
        let id = user.id;
        changes.push(put(&mut user));
        changes.extend(self.tell("user.unlinked", id, provider.word(), now));
        self.commit(changes).await?;
        Ok(())
    }

    // --- the number ---------------------------------------------------------------------------

    /// Gives the account that is logged in another number, or its first. All other sessions end.
    ///
    /// # Errors
    /// [`LoginRefusal::StepUpRequired`] when the old number or an identity was not proved lately,
    /// [`LoginRefusal::PhoneTaken`], those of the passcode.
    pub async fn change_phone(
        &self,
        auth: &Authenticated,
        phone: &Phone,
        proof: PhoneProof<'_>,
        now: Timestamp,
    ) -> Result<(), LoginStop> {
        settled_login!(self.move_phone(auth, phone, proof, now))
    }

    /// Whether the number may be changed now: to be asked before a carrier is.
    ///
    /// # Errors
    /// As [`Engine::change_phone`], before the number is looked at.
    pub async fn may_change_phone(
        &self,
        auth: &Authenticated,
        now: Timestamp,
    ) -> Result<(), LoginStop> {
        settled_login!(async {
            let acting = self.acting(auth, now).await?;
            may_change(&acting)?;
            Ok::<(), LoginHalt>(())
        })
    }

    async fn move_phone(
        &self,
        auth: &Authenticated,
        phone: &Phone,
        proof: PhoneProof<'_>,
        now: Timestamp,
    ) -> Result<(), LoginHalt> {
        let acting = self.acting(auth, now).await?;
        if acting.user.phone.as_ref() == Some(phone) {
            return Ok(());
        }
        may_change(&acting)?;
        let mut user = acting.user;
        let mut changes = match proof {
            PhoneProof::Carrier => Vec::new(),
            PhoneProof::None => {
                return Err(LoginRefusal::BadRequest { field: "sms_code" }.into());
            }
            PhoneProof::Passcode(digits) => {
                vec![
                    self.use_login_passcode(phone, Scene::Change, digits, now)
                        .await?,
                ]
            }
        };
        // Said to whoever proved the number alone: nobody learns whose numbers are known.
        if self.user_of(&Handle::Phone(phone.clone())).await?.is_some() {
            let (reason, other) = (Taken::OtherAccount, String::new());
            return Err(LoginRefusal::PhoneTaken { reason, other }.into());
        }
        let before = user.phone.replace(phone.clone());
        // Whoever has the old number wished it.
        user.replacing = None;
        let about = if before.is_some() {
            "user.phone_changed"
        } else {
            "user.phone_bound"
        };
        if let Some(before) = before {
            changes.push(Change::DropHandle(Handle::Phone(before), user.id));
        }
        let handle = Handle::Phone(phone.clone());
        changes.push(Change::Put(Record::Handle(handle, user.id)));
        changes.extend(
            self.end_others(&mut user, Some(auth.session), EndedBy::PhoneChanged, now)
                .await?,
        );
        let id = user.id;
        changes.push(put(&mut user));
        changes.extend(self.tell(about, id, "", now));
        self.commit(changes).await?;
        Ok(())
    }

    /// The number of the account that is logged in, if it has one.
    ///
    /// # Errors
    /// [`LoginRefusal::SessionInvalid`] when it is gone.
    pub async fn own_phone(&self, auth: &Authenticated) -> Result<Option<Phone>, LoginStop> {
        let user = self
            .load(auth.user)
            .await?
            .ok_or(LoginRefusal::SessionInvalid)?;
        Ok(user.phone)
    }

    // --- looking ------------------------------------------------------------------------------

    /// The account that is logged in, as its owner sees it.
    ///
    /// # Errors
    /// [`LoginRefusal::SessionInvalid`] when it is gone.
    pub async fn person(&self, auth: &Authenticated) -> Result<PersonView, LoginStop> {
        let user = self
            .load(auth.user)
            .await?
            .ok_or(LoginRefusal::SessionInvalid)?;
        let avatars = user.identities.iter().map(|identity| &identity.avatar);
        let avatar = std::iter::once(&user.profile.avatar).chain(avatars);
        let avatar = avatar.into_iter().find(|avatar| !avatar.is_empty());
        Ok(PersonView {
            user: user.id,
            nickname: shown_name(&user),
            avatar: avatar.cloned().unwrap_or_default(),
            phone: user.phone.as_ref().map(Phone::masked).unwrap_or_default(),
            is_bind: user.phone.is_some(),
            created_at: user.created_at,
            identities: user
                .identities
                .iter()
                .map(|one| self.identity_view(one))
                .collect(),
        })
    }

    pub(super) fn identity_view(&self, identity: &Identity) -> IdentityView {
        let id = self
            .keyring
            .digest("identity", &[identity.key.value().as_bytes()]);
        let app = self.upstream_app_of(&identity.key.app);
        IdentityView {
            id: crate::keyring::hex(id.split_at(8).0),
            provider: identity.key.provider,
            app: app.map_or_else(|| identity.key.app.to_string(), |app| app.name.clone()),
            nickname: identity.nickname.clone(),
            status: identity.status,
            linked_at: identity.linked_at,
        }
    }
}

/// Somebody who is logged in and wants something that needs a fresh proof.
pub(super) struct Acting {
    /// Who.
    pub(super) user: User,
    /// In which session.
    pub(super) session: Ticket<DeviceSession>,
    /// Whether the number was proved lately.
    pub(super) phone: bool,
    /// Whether an identity was.
    pub(super) identity: bool,
}

/// A number is changed by a fresh proof of the old one, or of an identity.
fn may_change(acting: &Acting) -> Result<(), LoginRefusal> {
    if acting.user.phone.is_none() {
        return may_add(acting);
    }
    if acting.phone || acting.identity {
        return Ok(());
    }
    let (proofs, after) = (&["phone", "wechat"][..], None);
    Err(LoginRefusal::StepUpRequired { proofs, after })
}

/// Another way into the account proves its owner from then on: it is added by a fresh proof of one
/// that it has, or whoever finds a session would have the account for good.
fn may_add(acting: &Acting) -> Result<(), LoginRefusal> {
    let proofs = proofs_of(&acting.user);
    if acting.phone || acting.identity || proofs.is_empty() {
        return Ok(());
    }
    let after = None;
    Err(LoginRefusal::StepUpRequired { proofs, after })
}

/// A request that asks for the same answer when it comes again.
struct Once<'a> {
    device: SecretHash,
    secret: &'a str,
    key: &'a str,
    words: &'a str,
}

impl<'a> Once<'a> {
    fn of(request: &PhoneLogin<'a>, device: SecretHash) -> Option<Self> {
        Some(Self {
            device,
            secret: request.device.secret?,
            key: request.key.0?,
            words: request.phone.as_str(),
        })
    }

    fn content(&self) -> String {
        format!("phone\n{}\n{}", String::from(self.device), self.key)
    }

    fn seal_key(&self) -> Result<SealKey, Fault> {
        SealKey::derive(b"once", &[self.secret.as_bytes(), self.key.as_bytes()])
    }
}
