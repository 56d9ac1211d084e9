//! Binding a phone number to an upstream login (D2), and choosing between two accounts.
//!
//! A ticket stands for the upstream login until then. A number that was proved with it counts for
//! a few minutes, so that a question in between (is this your account?) costs no second passcode.

use std::fmt;

use crate::engine::Engine;
use crate::id::UserId;
use crate::identity::Vouched;
use crate::keyring::Presented;
use crate::login::body::{BindTicket, GoodFor, Sealed};
use crate::login::decide::{
    BindDecision, BindFacts, PhoneOwner, Relation, Replace, Standing, WechatOwner, bind,
};
use crate::login::{Device, Idempotency, LoggedIn, LoginRefusal, LoginStop, Purpose, Taken};
use crate::refusal::Fault;
use crate::store::{Change, Record};
use crate::ticket::{Kind, Scene, Ticket};
use crate::time::{Lifetime, Timestamp};
use crate::user::{Handle, Phone, User, UserStatus};

use super::ending::EndedBy;
use super::session::NewSession;
use super::transaction::Proved;
use super::{
    LoginHalt, MAX_WORD_BYTES, amend, attach, candidate, detach, is_near, masked_name, owner, put,
    settled_login, shown_name,
};

/// How long a login may be replaced after the time to object is over.
const WISH_STANDS: Lifetime = Lifetime::days(30);

/// How a phone number is proved.
#[derive(Clone, Copy)]
pub enum PhoneProof<'a> {
    /// Not (again): the ticket has the proof.
    None,
    /// By the passcode that was sent to it.
    Passcode(&'a str),
    /// By its carrier, which the caller asked.
    Carrier,
}

impl fmt::Debug for PhoneProof<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Passcode(_) => "Passcode(…)",
            Self::Carrier => "Carrier",
        })
    }
}

/// A number to be bound. It holds secrets: it is not printed.
#[derive(Clone, Copy)]
pub struct BindRequest<'a> {
    /// What proves the upstream login.
    pub ticket: &'a str,
    /// The number; `None` for the one that the ticket has.
    pub phone: Option<&'a Phone>,
    /// What proves the number.
    pub proof: PhoneProof<'a>,
    /// The user said that the account of the number is theirs.
    pub confirm: bool,
    /// The user said that it is not.
    pub fresh: bool,
    /// The user wants this login in the place of the account's other one.
    pub replace: bool,
    /// Whether the carrier gave the number to somebody else since the account was last seen;
    /// `None` when nobody asked yet.
    pub reissued: Option<bool>,
    /// The device.
    pub device: Device<'a>,
    /// By which the same answer is asked for again.
    pub key: Idempotency<'a>,
}

/// What binding comes to.
#[derive(Debug)]
pub enum BindStep {
    /// Logged in.
    Done(LoggedIn),
    /// Ask the carrier whether the number has a new owner since then, and come again with the
    /// answer; the number's proof is kept.
    AskCarrier {
        /// Which number.
        phone: Phone,
        /// Since when.
        since: Timestamp,
    },
}

/// A ticket that may be used now.
pub(super) struct Usable {
    pub(super) presented: Presented,
    pub(super) ticket: Ticket<BindTicket>,
}

/// Everything that D2 is about.
struct Scene2 {
    vouched: Vouched,
    phone: Phone,
    wechat: Option<User>,
    holder: Option<User>,
}

impl Engine {
    /// Binds a number to the upstream login of a ticket, and logs in.
    ///
    /// # Errors
    /// [`LoginRefusal::TicketInvalid`] (PHO-09, PHO-10), those of the passcode, and what D2 says:
    /// [`LoginRefusal::ConfirmNeeded`], [`LoginRefusal::PhoneTaken`],
    /// [`LoginRefusal::StepUpRequired`], [`LoginRefusal::WechatTaken`],
    /// [`LoginRefusal::RecycledSuspected`], [`LoginRefusal::Deleting`],
    /// [`LoginRefusal::Disabled`]. After each of them the ticket is still good, unless it says
    /// otherwise.
    pub async fn bind(
        &self,
        request: BindRequest<'_>,
        now: Timestamp,
    ) -> Result<BindStep, LoginStop> {
        if request.key.0.unwrap_or_default().len() > MAX_WORD_BYTES {
            let field = "Idempotency-Key";
            return Err(LoginRefusal::BadRequest { field }.into());
        }
        if let Some(again) = settled_login!(self.prove_bind(&request, now))? {
            return Ok(BindStep::Done(again));
        }
        settled_login!(self.decide_bind(&request, now))
    }

    /// What a ticket was answered with before; `None` when it is good. To be asked before anybody
    /// else is: a code or a carrier's token is not spent on a ticket that is none.
    ///
    /// # Errors
    /// [`LoginRefusal::TicketInvalid`].
    pub async fn bound_before(
        &self,
        ticket: &str,
        phone: Option<&Phone>,
        device: Device<'_>,
        key: Idempotency<'_>,
        now: Timestamp,
    ) -> Result<Option<LoggedIn>, LoginStop> {
        settled_login!(async {
            let usable = self.usable(ticket, &device, now).await?;
            self.used_before(&usable, phone, key, now)
        })
    }

    /// Reads a ticket: it must be of this device, and good for something.
    pub(super) async fn usable(
        &self,
        secret: &str,
        device: &Device<'_>,
        now: Timestamp,
    ) -> Result<Usable, LoginHalt> {
        let found = self.presented::<BindTicket>(Kind::Bind, secret).await?;
        let (presented, ticket) = found.ok_or(LoginRefusal::TicketInvalid)?;
        let proved = self.device_hash(device.secret);
        if proved != Some(ticket.body.device) {
            if proved.is_some() && ticket.is_alive(now) {
                self.void_stolen(&ticket, now).await?;
            }
            return Err(LoginRefusal::TicketInvalid.into());
        }
        Ok(Usable { presented, ticket })
    }

    /// A ticket in the hands of another device is good for nobody (PHO-10).
    async fn void_stolen(
        &self,
        ticket: &Ticket<BindTicket>,
        now: Timestamp,
    ) -> Result<(), LoginHalt> {
        let revoke = Change::Revoke {
            kind: Kind::Bind,
            number: ticket.number,
            at: now,
        };
        let event = self.event("ticket_theft", ticket.user, None, &ticket.body.app, now);
        self.commit(vec![revoke, event]).await?;
        Ok(())
    }

    /// The answer to an earlier use under the same key, if that is what is asked for; another
    /// number than the bound one is another request.
    pub(super) fn used_before(
        &self,
        usable: &Usable,
        phone: Option<&Phone>,
        key: Idempotency<'_>,
        now: Timestamp,
    ) -> Result<Option<LoggedIn>, LoginHalt> {
        let ticket = &usable.ticket;
        if ticket.is_alive(now) {
            return Ok(None);
        }
        let key = key.0.map(|key| self.keyed("idempotency", key));
        let life = self.login().ticket_life;
        let fresh = ticket.taken_at.is_some_and(|at| is_near(at, life, now));
        let bound = ticket.body.phone.as_ref().map(|(bound, _)| bound);
        let same = ticket.body.key == key && phone.is_none_or(|asked| Some(asked) == bound);
        match (&ticket.body.answer, fresh && same) {
            (Some(answer), true) => Ok(Some(self.unseal_bound(&usable.presented, answer)?)),
            _ => Err(LoginRefusal::TicketInvalid.into()),
        }
    }

    fn unseal_bound(&self, presented: &Presented, sealed: &Sealed) -> Result<LoggedIn, Fault> {
        let open = presented.seal_key()?.open(b"bind", sealed);
        let open = open.ok_or_else(|| Fault::new("an answer was sealed under another key"))?;
        serde_json::from_slice(&open).map_err(|e| Fault::from("read a kept answer", e))
    }

    /// The first step: the number's proof becomes part of the ticket, and the passcode is spent.
    async fn prove_bind(
        &self,
        request: &BindRequest<'_>,
        now: Timestamp,
    ) -> Result<Option<LoggedIn>, LoginHalt> {
        let usable = self.usable(request.ticket, &request.device, now).await?;
        if let Some(again) = self.used_before(&usable, request.phone, request.key, now)? {
            return Ok(Some(again));
        }
        let ticket = &usable.ticket;
        if !matches!(ticket.body.good_for, GoodFor::Binding { .. }) {
            return Err(LoginRefusal::TicketInvalid.into());
        }
        let kept = ticket.body.phone.as_ref();
        let kept = kept.filter(|(phone, until)| {
            now < *until && request.phone.is_none_or(|asked| asked == phone)
        });
        if kept.is_some() {
            return Ok(None);
        }
        let field = |field| LoginRefusal::BadRequest { field };
        let phone = request.phone.ok_or(field("phone"))?;
        let spent = match request.proof {
            PhoneProof::None => return Err(field("sms_code").into()),
            PhoneProof::Carrier => None,
            PhoneProof::Passcode(digits) => {
                let spent = self
                    .use_login_passcode(phone, Scene::Bind, digits, now)
                    .await?;
                Some(spent)
            }
        };
        let body = BindTicket {
            phone: Some((phone.clone(), now.plus(self.login().proof_life))),
            ..ticket.body.clone()
        };
        let mut changes = vec![amend(ticket, &body, ticket.expires_at)?];
        changes.extend(spent);
        self.commit(changes).await?;
        Ok(None)
    }

    /// The second step: D2 with its facts, and what it decides.
    async fn decide_bind(
        &self,
        request: &BindRequest<'_>,
        now: Timestamp,
    ) -> Result<BindStep, LoginHalt> {
        let usable = self.usable(request.ticket, &request.device, now).await?;
        if let Some(again) = self.used_before(&usable, request.phone, request.key, now)? {
            return Ok(BindStep::Done(again));
        }
        let body = &usable.ticket.body;
        let (GoodFor::Binding { vouched }, Some((phone, _))) = (&body.good_for, &body.phone) else {
            return Err(LoginRefusal::TicketInvalid.into());
        };
        let mut wechat = self.user_by_key(&vouched.key).await?;
        if wechat.is_none() {
            wechat = self.user_by_person(vouched.person.as_ref()).await?;
        }
        let scene = Scene2 {
            vouched: vouched.clone(),
            phone: phone.clone(),
            wechat: wechat.filter(|user| owner(user).is_some()),
            holder: self.user_of(&Handle::Phone(phone.clone())).await?,
        };
        if let Some(tied) = scene
            .wechat
            .as_ref()
            .filter(|user| Some(user.id) == usable.ticket.user)
        {
            open_to_ticket(tied)?;
        }
        if let Some(since) = self.silent_since(scene.holder.as_ref(), now)
            && request.reissued.is_none()
        {
            let phone = scene.phone;
            return Ok(BindStep::AskCarrier { phone, since });
        }
        let facts = self.bind_facts(&scene, &usable, request, now);
        let decision = bind(&facts);
        self.act(decision, scene, usable, request, now).await
    }

    /// Since when the account of a number was silent, when that is long enough to ask its carrier
    /// (PHO-13).
    pub(super) fn silent_since(&self, holder: Option<&User>, now: Timestamp) -> Option<Timestamp> {
        let holder = holder?;
        let since = holder.seen_at.unwrap_or(holder.created_at);
        (now >= since.plus(self.login().recycle_after)).then_some(since)
    }

    fn bind_facts(
        &self,
        scene: &Scene2,
        usable: &Usable,
        request: &BindRequest<'_>,
        now: Timestamp,
    ) -> BindFacts {
        let wechat = match &scene.wechat {
            None => WechatOwner::Nobody,
            // A number that it got meanwhile makes it an account like any other, unless it is
            // this very number.
            Some(user)
                if usable.ticket.user == Some(user.id)
                    && user
                        .phone
                        .as_ref()
                        .is_none_or(|phone| *phone == scene.phone) =>
            {
                WechatOwner::Tied(user.id)
            }
            Some(user) => WechatOwner::Other(user.id),
        };
        let phone = scene.holder.as_ref().and_then(|user| {
            let owner = owner(user)?;
            Some(PhoneOwner {
                user: owner.user,
                standing: owner.standing,
                relation: relation(user, &scene.vouched),
                // Said of an account that was silent; not of one that got the number since.
                recycled: request.reissued == Some(true)
                    && self.silent_since(Some(user), now).is_some(),
            })
        });
        let proved = scene.holder.as_ref().is_some_and(|holder| {
            let other = usable.ticket.body.other;
            let other = other.is_some_and(|(user, until)| user == holder.id && now < until);
            let delay = self.login().replace_delay;
            let asked = self.asked_to_replace(holder, &scene.vouched, now);
            other || asked.is_some_and(|since| now >= since.plus(delay))
        });
        BindFacts {
            wechat,
            phone,
            confirmed: request.confirm,
            policy: self.login().merge_policy,
            fresh: request.fresh,
            replace: match (request.replace, proved) {
                (false, _) => Replace::Unasked,
                (true, false) => Replace::Unproved,
                (true, true) => Replace::Proved,
            },
        }
    }

    async fn act(
        &self,
        decision: BindDecision,
        scene: Scene2,
        usable: Usable,
        request: &BindRequest<'_>,
        now: Timestamp,
    ) -> Result<BindStep, LoginHalt> {
        let gone = || Fault::new("a decided user is gone");
        let Scene2 {
            vouched,
            phone,
            wechat,
            holder,
        } = scene;
        let mut ending = Ending {
            usable,
            vouched,
            phone,
            request,
            from: None,
            now,
        };
        match decision {
            BindDecision::Create => {
                let user = User::new(UserId(self.draw_number()), now);
                self.take_phone(ending, user, true, Vec::new()).await
            }
            BindDecision::AddPhone { .. } => {
                let user = wechat.ok_or_else(gone)?;
                self.take_phone(ending, user, false, Vec::new()).await
            }
            BindDecision::Link { .. } => {
                let user = holder.ok_or_else(gone)?;
                self.finish_bind(ending, user, false, "user.linked", Vec::new())
                    .await
            }
            BindDecision::Alias { .. } => {
                let user = holder.or(wechat).ok_or_else(gone)?;
                self.finish_bind(ending, user, false, "user.linked", Vec::new())
                    .await
            }
            BindDecision::Merge { .. } => {
                let (from, mut to) = (wechat.ok_or_else(gone)?, holder.ok_or_else(gone)?);
                ending.from = Some(from.id);
                let moved = self.merge_changes(from, &mut to, "user", now).await?;
                self.finish_bind(ending, to, false, "user.linked", moved)
                    .await
            }
            BindDecision::Replace { from, .. } => {
                let user = holder.ok_or_else(gone)?;
                let from = wechat.filter(|user| Some(user.id) == from);
                ending.from = from.as_ref().map(|from| from.id);
                self.replace(ending, user, from).await
            }
            BindDecision::Fresh { to, .. } => {
                let from = holder.ok_or_else(gone)?;
                let lost = self.lose_phone(from, now).await?;
                let to = wechat.filter(|user| Some(user.id) == to);
                let is_new = to.is_none();
                let to = to.unwrap_or_else(|| User::new(UserId(self.draw_number()), now));
                self.take_phone(ending, to, is_new, lost).await
            }
            BindDecision::StepUp { .. } => {
                let user = holder.ok_or_else(gone)?;
                Err(self
                    .start_replacing(user, &ending.vouched, now)
                    .await?
                    .into())
            }
            BindDecision::Confirm { .. } => {
                let candidates = vec![candidate("a", &holder.ok_or_else(gone)?)];
                let ticket = None;
                Err(LoginRefusal::ConfirmNeeded { candidates, ticket }.into())
            }
            BindDecision::OtherWechat { .. } => {
                let reason = Taken::OtherWechat;
                let other = masked_name(&shown_name(&holder.ok_or_else(gone)?));
                Err(LoginRefusal::PhoneTaken { reason, other }.into())
            }
            BindDecision::Recycled { .. } => Err(LoginRefusal::RecycledSuspected.into()),
            BindDecision::Deleting { .. } | BindDecision::Disabled { .. } => {
                open_to_ticket(&holder.ok_or_else(gone)?)?;
                Err(gone().into())
            }
            BindDecision::WechatTaken { .. } => {
                // The ticket says what is no longer so (PHO-08).
                let revoke = Change::Revoke {
                    kind: Kind::Bind,
                    number: ending.usable.ticket.number,
                    at: now,
                };
                self.commit(vec![revoke]).await?;
                Err(LoginRefusal::WechatTaken.into())
            }
        }
    }

    /// The number joins an account, new or tied.
    async fn take_phone(
        &self,
        ending: Ending<'_>,
        mut user: User,
        is_new: bool,
        mut before: Vec<Change>,
    ) -> Result<BindStep, LoginHalt> {
        user.phone = Some(ending.phone.clone());
        let handle = Handle::Phone(ending.phone.clone());
        before.push(Change::Put(Record::Handle(handle, user.id)));
        let about = if is_new {
            "user.created"
        } else {
            "user.phone_bound"
        };
        self.finish_bind(ending, user, is_new, about, before).await
    }

    /// An account loses its number to somebody who does not know it (PHO-13).
    pub(super) async fn lose_phone(
        &self,
        mut user: User,
        now: Timestamp,
    ) -> Result<Vec<Change>, LoginHalt> {
        let Some(phone) = user.phone.take() else {
            return Err(Fault::new("a number's account has no number").into());
        };
        user.replacing = None;
        let mut changes = vec![Change::DropHandle(Handle::Phone(phone), user.id)];
        changes.extend(
            self.end_others(&mut user, None, EndedBy::PhoneLost, now)
                .await?,
        );
        let id = user.id;
        changes.push(put(&mut user));
        changes.extend(self.tell("user.phone_lost", id, "recycled", now));
        Ok(changes)
    }

    /// The identity takes the place of the account's other login (PHO-07): all sessions end.
    async fn replace(
        &self,
        ending: Ending<'_>,
        mut user: User,
        from: Option<User>,
    ) -> Result<BindStep, LoginHalt> {
        let now = ending.now;
        let (gone, mut changes) = detach(&mut user, ending.vouched.key.provider);
        for identity in &gone {
            changes.extend(self.vault_erase(&identity.key, now).await?);
        }
        if let Some(from) = from {
            changes.extend(self.merge_changes(from, &mut user, "user", now).await?);
        }
        user.replacing = None;
        changes.extend(
            self.end_others(&mut user, None, EndedBy::LoginReplaced, now)
                .await?,
        );
        self.finish_bind(ending, user, false, "user.replaced", changes)
            .await
    }

    /// Since when this login is wanted in the place of an account's other one. A wish from long ago
    /// is none: its owner would have to be told again.
    fn asked_to_replace(
        &self,
        user: &User,
        vouched: &Vouched,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let (key, since) = user.replacing.as_ref()?;
        let over = since.plus(self.login().replace_delay).plus(WISH_STANDS);
        (*key == vouched.key && *since <= now && now < over).then_some(*since)
    }

    /// Notes that somebody with the number wants another login in the place of the present one,
    /// tells its owner, and answers what would prove it now, or when it may be had without.
    async fn start_replacing(
        &self,
        mut user: User,
        vouched: &Vouched,
        now: Timestamp,
    ) -> Result<LoginRefusal, LoginHalt> {
        let id = user.id;
        let since = match self.asked_to_replace(&user, vouched, now) {
            Some(since) => since,
            None => {
                user.replacing = Some((vouched.key.clone(), now));
                let mut changes = vec![put(&mut user)];
                changes.extend(self.tell("user.replace_requested", id, "", now));
                self.commit(changes).await?;
                now
            }
        };
        Ok(LoginRefusal::StepUpRequired {
            proofs: &["wechat"],
            after: Some(since.plus(self.login().replace_delay)),
        })
    }

    /// The one commit of a binding: the account and its handles, the session, the ticket spent
    /// with its answer.
    async fn finish_bind(
        &self,
        ending: Ending<'_>,
        mut user: User,
        is_new: bool,
        about: &str,
        before: Vec<Change>,
    ) -> Result<BindStep, LoginHalt> {
        let Ending {
            usable,
            vouched,
            request,
            from,
            now,
            ..
        } = ending;
        let ticket = &usable.ticket;
        let by_person = self.user_by_person(vouched.person.as_ref()).await?;
        let contested =
            by_person.is_some_and(|owner| owner.id != user.id && Some(owner.id) != from);
        let mut handles = before;
        handles.extend(attach(&mut user, &vouched, contested, now));
        if !ticket.body.consent.is_empty() {
            user.consent.clone_from(&ticket.body.consent);
        }
        let (pair, session) = self
            .begin_session(
                &mut user,
                self.bound_session(ticket, request, &vouched),
                now,
            )
            .await?;
        let logged_in = LoggedIn {
            pair,
            user: user.id,
            is_bind: user.phone.is_some(),
            profile: vouched.profile.clone(),
            upstream_token: None,
            upstream_unverified: false,
        };
        let id = user.id;
        let mut changes = self.spend_bind(&usable, request.key, &logged_in, now)?;
        changes.push(match is_new {
            true => Change::Put(Record::User(user)),
            false => put(&mut user),
        });
        changes.extend(handles);
        changes.extend(session);
        changes.extend(self.vault_keep(&vouched.key, now).await?);
        changes.extend(self.tell(about, id, "bind", now));
        self.commit(changes).await?;
        Ok(BindStep::Done(logged_in))
    }

    fn bound_session<'a>(
        &self,
        ticket: &'a Ticket<BindTicket>,
        request: &BindRequest<'a>,
        vouched: &Vouched,
    ) -> NewSession<'a> {
        NewSession {
            device: ticket.body.device,
            device_id: &ticket.body.device_id,
            platform: &ticket.body.platform,
            address: request.device.address,
            identity: Some(vouched.key.clone()),
            phone_proved: true,
            identity_proved: true,
        }
    }

    /// Spends a ticket with the answer that it is spent for.
    pub(super) fn spend_bind(
        &self,
        usable: &Usable,
        key: Idempotency<'_>,
        answer: &LoggedIn,
        now: Timestamp,
    ) -> Result<Vec<Change>, Fault> {
        let ticket = &usable.ticket;
        let plain = serde_json::to_vec(answer).map_err(|e| Fault::from("keep an answer", e))?;
        let seal = usable.presented.seal_key()?;
        let body = BindTicket {
            key: key.0.map(|key| self.keyed("idempotency", key)),
            answer: Some(seal.seal(b"bind", &plain, &*self.ports.entropy)?),
            ..ticket.body.clone()
        };
        Ok(vec![
            amend(ticket, &body, ticket.expires_at)?,
            Change::Take {
                kind: Kind::Bind,
                number: ticket.number,
                at: now,
            },
        ])
    }

    /// Notes with a ticket that the other login of the number's account was proved too (PHO-07).
    ///
    /// # Errors
    /// [`LoginRefusal::TicketInvalid`]; [`LoginRefusal::StateInvalid`] when the proof was for
    /// something else.
    pub async fn prove_other(
        &self,
        ticket: &str,
        proved: &Proved,
        device: Device<'_>,
        now: Timestamp,
    ) -> Result<(), LoginStop> {
        if proved.purpose != Purpose::Reauth {
            return Err(LoginRefusal::StateInvalid.into());
        }
        settled_login!(async {
            let usable = self.usable(ticket, &device, now).await?;
            let ticket = &usable.ticket;
            if !ticket.is_alive(now) {
                return Err(LoginRefusal::TicketInvalid.into());
            }
            let owner = self.owner_of(&proved.vouched).await?;
            let owner = owner.ok_or(LoginRefusal::StateInvalid)?;
            let body = BindTicket {
                other: Some((owner.id, now.plus(self.login().proof_life))),
                ..ticket.body.clone()
            };
            self.commit(vec![amend(ticket, &body, ticket.expires_at)?])
                .await?;
            Ok::<(), LoginHalt>(())
        })
    }

    // --- one upstream login, two accounts (LGN-10) --------------------------------------------

    /// Keeps one of two accounts that the same person turned out to have: `a`, whom the openid
    /// led to, or `b`, whom the unionid led to. The other one's logins move to it.
    ///
    /// # Errors
    /// [`LoginRefusal::TicketInvalid`]; [`LoginRefusal::BadRequest`];
    /// [`LoginRefusal::Disabled`], [`LoginRefusal::Deleting`] when that changed meanwhile.
    pub async fn choose(
        &self,
        ticket: &str,
        keep: &str,
        device: Device<'_>,
        key: Idempotency<'_>,
        now: Timestamp,
    ) -> Result<LoggedIn, LoginStop> {
        if !["a", "b"].contains(&keep) {
            return Err(LoginRefusal::BadRequest { field: "keep" }.into());
        }
        settled_login!(self.keep_one(ticket, keep == "a", &device, key, now))
    }

    async fn keep_one(
        &self,
        ticket: &str,
        keep_first: bool,
        device: &Device<'_>,
        key: Idempotency<'_>,
        now: Timestamp,
    ) -> Result<LoggedIn, LoginHalt> {
        let usable = self.usable(ticket, device, now).await?;
        if let Some(again) = self.used_before(&usable, None, key, now)? {
            return Ok(again);
        }
        let GoodFor::Choosing {
            vouched,
            by_key,
            by_person,
        } = &usable.ticket.body.good_for
        else {
            return Err(LoginRefusal::TicketInvalid.into());
        };
        let (keep, leave) = if keep_first {
            (*by_key, *by_person)
        } else {
            (*by_person, *by_key)
        };
        let (Some(mut user), Some(from)) = (self.load(keep).await?, self.load(leave).await?) else {
            return Err(LoginRefusal::TicketInvalid.into());
        };
        open_to_ticket(&user)?;
        open_to_ticket(&from)?;
        // The login proves both while it leads to both: one may have been taken off meanwhile.
        let leads = |found: Option<User>, to: UserId| found.is_some_and(|found| found.id == to);
        let of_key = leads(self.user_by_key(&vouched.key).await?, *by_key);
        let of_person = self.user_by_person(vouched.person.as_ref()).await?;
        if !of_key || !leads(of_person, *by_person) {
            return Err(LoginRefusal::TicketInvalid.into());
        }
        let mut changes = self.merge_changes(from, &mut user, "user", now).await?;
        changes.extend(attach(&mut user, vouched, false, now));
        let new = NewSession {
            device: usable.ticket.body.device,
            device_id: &usable.ticket.body.device_id,
            platform: &usable.ticket.body.platform,
            address: device.address,
            identity: Some(vouched.key.clone()),
            phone_proved: false,
            identity_proved: true,
        };
        let (pair, session) = self.begin_session(&mut user, new, now).await?;
        let logged_in = LoggedIn {
            pair,
            user: user.id,
            is_bind: user.phone.is_some(),
            profile: vouched.profile.clone(),
            upstream_token: None,
            upstream_unverified: false,
        };
        let mut list = self.spend_bind(&usable, key, &logged_in, now)?;
        list.extend(changes);
        list.push(put(&mut user));
        list.extend(session);
        list.extend(self.vault_keep(&vouched.key, now).await?);
        self.commit(list).await?;
        Ok(logged_in)
    }
}

/// What every end of a binding needs.
struct Ending<'a> {
    usable: Usable,
    vouched: Vouched,
    phone: Phone,
    request: &'a BindRequest<'a>,
    /// The account whose logins move to the one that is entered.
    from: Option<UserId>,
    now: Timestamp,
}

/// Whether an account may be entered, said to somebody who has proved to be its owner in part:
/// there is no ticket to take a deletion back with.
pub(super) fn enterable(user: &User) -> Result<(), LoginRefusal> {
    match (user.status, owner(user).map(|owner| owner.standing)) {
        (_, Some(Standing::Active)) => Ok(()),
        (UserStatus::Deleting(deletable_at), _) => Err(LoginRefusal::Deleting {
            deletable_at,
            cancel_ticket: None,
            device_secret: None,
        }),
        (_, Some(_)) => Err(LoginRefusal::Disabled),
        (_, None) => Err(LoginRefusal::SessionInvalid),
    }
}

/// The same for whoever came with a ticket: of an account that is gone, that is what is over.
pub(super) fn open_to_ticket(user: &User) -> Result<(), LoginRefusal> {
    match owner(user) {
        Some(_) => enterable(user),
        None => Err(LoginRefusal::TicketInvalid),
    }
}

/// How an account's login of the same provider relates to what was vouched.
pub(super) fn relation(user: &User, vouched: &Vouched) -> Relation {
    let mut relation = Relation::Absent;
    for known in user.identities_of(vouched.key.provider) {
        let agrees = |a: &crate::identity::Person, b: &crate::identity::Person| {
            (a.scope == b.scope).then_some(a.id == b.id)
        };
        let same_person = match (&known.person, &vouched.person) {
            (Some(known), Some(told)) => agrees(known, told),
            _ => None,
        };
        let same_app = known.key.app == vouched.key.app;
        if known.key == vouched.key || same_person == Some(true) {
            return Relation::Same;
        }
        if same_person == Some(false) || same_app {
            relation = Relation::Other;
        } else if relation == Relation::Absent {
            relation = Relation::Unknown;
        }
    }
    relation
}
