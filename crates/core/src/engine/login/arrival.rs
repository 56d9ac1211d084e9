//! The upstream has answered: what its word does to the transaction, and who is logged in by it
//! (D1).

use super::session::NewSession;
use super::transaction::{Exchanging, Kept, Outcome, Proved};
use super::{LoginHalt, Row, amend, attach, candidate, owner, put, settled_login};
use crate::engine::Engine;
use crate::id::{Number, UserId};
use crate::identity::Vouched;
use crate::login::body::{BindTicket, GoodFor, Transaction, TransactionStage};
use crate::login::decide::{LoginDecision, LoginFacts, Note, Unionid, login};
use crate::login::{ExchangeFailure, Exchanged, LoggedIn, LoginAnswer, LoginRefusal, LoginStop};
use crate::refusal::Fault;
use crate::secret::{Layout, Secret};
use crate::store::{Change, Clash, Record};
use crate::ticket::Kind;
use crate::time::Timestamp;
use crate::user::{User, UserStatus};

impl Engine {
    /// Finishes a login with the upstream's outcome. The outcome is committed with everything
    /// that follows from it, or nothing is.
    ///
    /// # Errors
    /// What the upstream's failure means; [`LoginRefusal::ConfirmNeeded`] (LGN-10),
    /// [`LoginRefusal::Deleting`], [`LoginRefusal::Disabled`], [`LoginRefusal::DeviceLimit`].
    pub async fn finish_login(
        &self,
        exchanging: &Exchanging,
        outcome: Result<Exchanged, ExchangeFailure>,
        now: Timestamp,
    ) -> Result<LoginAnswer, LoginStop> {
        let exchanged = self.judged(exchanging, outcome, now).await?;
        match settled_login!(self.sign_in_vouched(exchanging, &exchanged, now))? {
            Ok(Outcome::Login(answer)) => Ok(answer),
            Ok(Outcome::Proved(_)) => Err(LoginRefusal::StateInvalid.into()),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Finishes a proof with the upstream's outcome.
    ///
    /// # Errors
    /// What the upstream's failure means.
    pub async fn finish_proof(
        &self,
        exchanging: &Exchanging,
        outcome: Result<Exchanged, ExchangeFailure>,
        now: Timestamp,
    ) -> Result<Proved, LoginStop> {
        let exchanged = self.judged(exchanging, outcome, now).await?;
        let proved = Proved {
            purpose: exchanging.purpose(),
            vouched: exchanged.vouched.clone(),
            user: exchanging.ticket.user,
        };
        let outcome = Outcome::Proved(proved.clone());
        let done = settled_login!(async {
            let until = self.unowned_until(&exchanged.vouched, now).await?;
            let changes = self.vault_put(&exchanged, until, now).await?;
            let kept = Kept::Outcome(outcome.clone());
            self.conclude(exchanging, kept, changes, now).await
        })?;
        match done {
            Ok(Outcome::Proved(proved)) => Ok(proved),
            Ok(Outcome::Login(_)) => Err(LoginRefusal::StateInvalid.into()),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// What an upstream's failure does to the transaction, and says to the caller.
    async fn judged(
        &self,
        exchanging: &Exchanging,
        outcome: Result<Exchanged, ExchangeFailure>,
        now: Timestamp,
    ) -> Result<Exchanged, LoginStop> {
        let failure = match outcome {
            Ok(exchanged) => {
                self.forgive_exchange(&exchanging.address, exchanging.at);
                return Ok(exchanged);
            }
            Err(failure) => failure,
        };
        if !matches!(
            failure,
            ExchangeFailure::CodeInvalid | ExchangeFailure::CodeUsed
        ) {
            self.forgive_exchange(&exchanging.address, exchanging.at);
        }
        let (refusal, event, detail) = match &failure {
            ExchangeFailure::Unspent { retry_after } => {
                settled_login!(self.reopen(exchanging))?;
                let retry_after = *retry_after;
                return Err(LoginRefusal::UpstreamBusy { retry_after }.into());
            }
            ExchangeFailure::CodeInvalid => (LoginRefusal::CodeInvalid, "login.code_invalid", ""),
            ExchangeFailure::CodeUsed => (LoginRefusal::CodeUsed, "code_replay", "upstream"),
            ExchangeFailure::Lost => (LoginRefusal::CodeInvalid, "login.lost_response", ""),
            ExchangeFailure::Misconfigured => {
                (LoginRefusal::AppMisconfigured, "alert.upstream_config", "")
            }
            ExchangeFailure::Unreadable(body) => (
                LoginRefusal::UpstreamUnreadable,
                "login.upstream_unreadable",
                body.as_str(),
            ),
            ExchangeFailure::Restricted => (
                LoginRefusal::UpstreamRestricted,
                "login.upstream_restricted",
                "",
            ),
            ExchangeFailure::ScopeMissing => {
                (LoginRefusal::ScopeMissing, "login.scope_missing", "")
            }
        };
        let detail = format!("{} {detail}", exchanging.app());
        let said = settled_login!(async {
            let event = self.event(event, exchanging.ticket.user, None, detail.trim(), now);
            let kept = Kept::Refused(refusal.code());
            self.conclude(exchanging, kept, vec![event], now).await
        })?;
        match said {
            Ok(_) => Err(LoginRefusal::StateInvalid.into()),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// The code was not spent: the same code and state may be sent again (UPS-01, UPS-03).
    async fn reopen(&self, exchanging: &Exchanging) -> Result<(), LoginHalt> {
        let ticket = &exchanging.ticket;
        let body = Transaction {
            stage: TransactionStage::Pending,
            ..ticket.body.clone()
        };
        match self
            .commit(vec![amend(ticket, &body, ticket.expires_at)?])
            .await
        {
            // Superseded, closed or taken over meanwhile: there is nothing to open again.
            Err(crate::store::Clash::Stale) | Ok(()) => Ok(()),
            Err(clash) => Err(clash.into()),
        }
    }

    /// The second commit: the transaction's answer, and what follows from it. Answers what stands
    /// in the end: that of another when the transaction was taken over meanwhile.
    async fn conclude(
        &self,
        exchanging: &Exchanging,
        kept: Kept,
        mut changes: Vec<Change>,
        now: Timestamp,
    ) -> Result<Result<Outcome, LoginRefusal>, LoginHalt> {
        let read = self
            .store()
            .ticket(Kind::Transaction, exchanging.ticket.number)
            .await?;
        let Some(read) = read else {
            return Ok(Err(LoginRefusal::StateInvalid));
        };
        let read = read.open::<Transaction>()?;
        if read.revoked_at.is_some() {
            return Ok(Err(LoginRefusal::StateInvalid));
        }
        match &read.body.stage {
            TransactionStage::Done { answer, .. } => {
                return Ok(self.unseal(&exchanging.presented, answer)?.say());
            }
            TransactionStage::Exchanging { at, .. } if *at == exchanging.at => {}
            _ => return Ok(Err(LoginRefusal::StateInvalid)),
        }
        let plain = serde_json::to_vec(&kept).map_err(|e| Fault::from("keep an answer", e))?;
        let key = exchanging.presented.seal_key()?;
        let body = Transaction {
            stage: TransactionStage::Done {
                code: exchanging.code,
                key: exchanging.key,
                at: now,
                answer: key.seal(b"transaction", &plain, &*self.ports.entropy)?,
            },
            ..read.body.clone()
        };
        changes.insert(0, amend(&read, &body, read.expires_at)?);
        self.commit(changes).await?;
        Ok(kept.say())
    }

    /// D1 with its facts, and what it decides.
    async fn sign_in_vouched(
        &self,
        exchanging: &Exchanging,
        exchanged: &Exchanged,
        now: Timestamp,
    ) -> Result<Result<Outcome, LoginRefusal>, LoginHalt> {
        let vouched = &exchanged.vouched;
        let by_key = self.user_by_key(&vouched.key).await?;
        let by_person = self.user_by_person(vouched.person.as_ref()).await?;
        let facts = LoginFacts {
            by_key: by_key.as_ref().and_then(owner),
            by_person: by_person.as_ref().and_then(owner),
            unionid: unionid(by_key.as_ref(), vouched),
            policy: self.login().bind_policy,
        };
        let find = |id: UserId| {
            let both = by_key.iter().chain(&by_person);
            both.into_iter().find(|user| user.id == id).cloned()
        };
        let gone = || Fault::new("a decided user is gone");
        match login(&facts) {
            LoginDecision::PhoneRequired { tied } => {
                self.ask_phone(exchanging, exchanged, tied, now).await
            }
            LoginDecision::Create => {
                let user = User::new(UserId(self.draw_number()), now);
                self.let_in(exchanging, exchanged, user, None, now).await
            }
            LoginDecision::SignIn { user, note } => {
                let user = find(user).ok_or_else(gone)?;
                self.let_in(exchanging, exchanged, user, Some(note), now)
                    .await
            }
            LoginDecision::Choose { by_key, by_person } => {
                // The two were read one after the other: a merge or its undoing in between makes
                // one person look like two.
                let again = self.user_by_key(&vouched.key).await?;
                if again.is_none_or(|again| again.id != by_key) {
                    return Err(Clash::Stale.into());
                }
                let pair = (
                    find(by_key).ok_or_else(gone)?,
                    find(by_person).ok_or_else(gone)?,
                );
                self.ask_choice(exchanging, exchanged, pair, now).await
            }
            LoginDecision::Deleting { user } => {
                let user = find(user).ok_or_else(gone)?;
                self.offer_cancel(exchanging, exchanged, &user, now).await
            }
            LoginDecision::Disabled { user } => {
                let refusal = Kept::Refused(LoginRefusal::Disabled.code());
                let event = self.event("login.disabled", Some(user), None, "", now);
                self.conclude(exchanging, refusal, vec![event], now).await
            }
        }
    }

    /// Lets somebody in: the identity's news, the session, the vault, the answer, in one commit.
    /// Without a note the account is new.
    async fn let_in(
        &self,
        exchanging: &Exchanging,
        exchanged: &Exchanged,
        mut user: User,
        note: Option<Note>,
        now: Timestamp,
    ) -> Result<Result<Outcome, LoginRefusal>, LoginHalt> {
        let transaction = &exchanging.ticket.body;
        let contested = note == Some(Note::Contested);
        let mut changes = attach(&mut user, &exchanged.vouched, contested, now);
        if !transaction.consent.is_empty() {
            user.consent.clone_from(&transaction.consent);
        }
        let new = NewSession {
            device: transaction.device,
            device_id: &transaction.device_id,
            platform: &transaction.platform,
            address: &exchanging.address,
            identity: Some(exchanged.vouched.key.clone()),
            phone_proved: false,
            identity_proved: true,
        };
        let (pair, session) = self.begin_session(&mut user, new, now).await?;
        let id = user.id;
        let is_bind = user.phone.is_some();
        let said = match note {
            None => Some(("user.created", "wechat")),
            Some(Note::Alias) => Some(("user.linked", "alias")),
            Some(Note::BackFill) => Some(("user.linked", "unionid")),
            Some(Note::Changed) => Some(("identity.unionid_changed", "")),
            Some(Note::Contested) => Some(("identity.unionid_contested", "")),
            Some(Note::Known) => None,
        };
        changes.insert(
            0,
            match note {
                None => Change::Put(Record::User(user)),
                Some(_) => put(&mut user),
            },
        );
        changes.extend(session);
        changes.extend(self.vault_put(exchanged, None, now).await?);
        changes.extend(self.show_token(exchanged, transaction.device, now).await?);
        if let Some((about, detail)) = said {
            changes.extend(self.tell(about, id, detail, now));
        }
        let answer = LoginAnswer::Bound(LoggedIn {
            pair,
            user: id,
            is_bind,
            profile: exchanged.vouched.profile.clone(),
            upstream_token: self.shown_token(exchanged),
            upstream_unverified: false,
        });
        self.conclude(
            exchanging,
            Kept::Outcome(Outcome::Login(answer)),
            changes,
            now,
        )
        .await
    }

    /// The upstream's access token, where clients may see it.
    pub(super) fn shown_token(&self, exchanged: &Exchanged) -> Option<Secret> {
        self.may_show(&exchanged.vouched.key)
            .then(|| exchanged.tokens.access.clone())
    }

    /// How long the tokens of an identity are kept that nobody owns: as long as the ticket.
    async fn unowned_until(
        &self,
        vouched: &Vouched,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Fault> {
        let owned = self.user_by_key(&vouched.key).await?.is_some();
        Ok((!owned).then(|| now.plus(self.login().ticket_life)))
    }

    /// A ticket for what the user must do next. An older one of the same identity and device is
    /// void (LGN-05); on another device it stays, where the first binding wins (CON-03).
    fn issue_bind(
        &self,
        exchanging: &Exchanging,
        good_for: GoodFor,
        user: Option<UserId>,
        exchanged: &Exchanged,
        now: Timestamp,
    ) -> Result<(Secret, Vec<Change>), LoginHalt> {
        let transaction = &exchanging.ticket.body;
        let minted = self.mint(Kind::Bind, Layout::Own)?;
        let mut content = exchanged.vouched.key.value().into_bytes();
        content.extend_from_slice(&transaction.device.0);
        let family: Number = self.keyring.look_up(Kind::Bind, &content).0;
        let row = Row {
            number: minted.number,
            hash: minted.hash,
            family: Some(family),
            user,
            body: BindTicket {
                device: transaction.device,
                device_id: transaction.device_id.clone(),
                platform: transaction.platform.clone(),
                consent: transaction.consent.clone(),
                app: transaction.app.clone(),
                good_for,
                phone: None,
                other: None,
                key: None,
                answer: None,
            },
            now,
            expires_at: now.plus(self.login().ticket_life),
        };
        let changes = vec![Change::RevokeFamily { family, at: now }, row.issue()?];
        Ok((minted.secret, changes))
    }

    async fn ask_phone(
        &self,
        exchanging: &Exchanging,
        exchanged: &Exchanged,
        tied: Option<UserId>,
        now: Timestamp,
    ) -> Result<Result<Outcome, LoginRefusal>, LoginHalt> {
        let good_for = GoodFor::Binding {
            vouched: exchanged.vouched.clone(),
        };
        let (ticket, mut changes) = self.issue_bind(exchanging, good_for, tied, exchanged, now)?;
        let until = self.unowned_until(&exchanged.vouched, now).await?;
        changes.extend(self.vault_put(exchanged, until, now).await?);
        changes.extend(
            self.show_token(exchanged, exchanging.ticket.body.device, now)
                .await?,
        );
        let answer = LoginAnswer::Unbound {
            bind_ticket: ticket,
            profile: exchanged.vouched.profile.clone(),
            upstream_token: self.shown_token(exchanged),
        };
        self.conclude(
            exchanging,
            Kept::Outcome(Outcome::Login(answer)),
            changes,
            now,
        )
        .await
    }

    async fn ask_choice(
        &self,
        exchanging: &Exchanging,
        exchanged: &Exchanged,
        (by_key, by_person): (User, User),
        now: Timestamp,
    ) -> Result<Result<Outcome, LoginRefusal>, LoginHalt> {
        let good_for = GoodFor::Choosing {
            vouched: exchanged.vouched.clone(),
            by_key: by_key.id,
            by_person: by_person.id,
        };
        let (ticket, mut changes) = self.issue_bind(exchanging, good_for, None, exchanged, now)?;
        let until = self.unowned_until(&exchanged.vouched, now).await?;
        changes.extend(self.vault_put(exchanged, until, now).await?);
        let kept = Kept::Choose {
            candidates: vec![candidate("a", &by_key), candidate("b", &by_person)],
            ticket,
        };
        self.conclude(exchanging, kept, changes, now).await
    }

    async fn offer_cancel(
        &self,
        exchanging: &Exchanging,
        exchanged: &Exchanged,
        user: &User,
        now: Timestamp,
    ) -> Result<Result<Outcome, LoginRefusal>, LoginHalt> {
        let UserStatus::Deleting(at) = user.status else {
            return Err(Fault::new("a deletion without an end").into());
        };
        let good_for = GoodFor::Cancelling {
            vouched: Some(exchanged.vouched.clone()),
        };
        let (ticket, changes) =
            self.issue_bind(exchanging, good_for, Some(user.id), exchanged, now)?;
        self.conclude(exchanging, Kept::Deleting { at, ticket }, changes, now)
            .await
    }
}

/// What the upstream told of the person, beside what is stored.
fn unionid(by_key: Option<&User>, vouched: &Vouched) -> Unionid {
    let known = by_key.and_then(|user| user.identity(&vouched.key));
    let stored = known.and_then(|identity| identity.person.as_ref());
    match (&vouched.person, stored) {
        (None, _) => Unionid::Untold,
        (Some(_), None) => Unionid::New,
        (Some(told), Some(stored)) if told == stored => Unionid::Same,
        (Some(_), Some(_)) => Unionid::Changed,
    }
}
