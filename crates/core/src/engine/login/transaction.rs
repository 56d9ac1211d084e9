//! Login transactions: begun before the user goes to the upstream, finished with its answer.
//!
//! The exchange of a code has two commits. The first marks the transaction and the code, so that
//! of any number of equal requests, in any number of processes, one goes to the upstream. The
//! second writes what came of it, with the answer sealed under the state, so that the others, and
//! a caller who lost the first answer, hear the very same.

use serde::{Deserialize, Serialize};

use super::{LoginHalt, MAX_WORD_BYTES, Row, amend, check_label, is_near, settled_login};
use crate::engine::Engine;
use crate::id::UserId;
use crate::identity::Vouched;
use crate::keyring::Presented;
use crate::limit::network;
use crate::login::body::{Sealed, Spent, Transaction, TransactionStage};
use crate::login::{
    Candidate, Device, Idempotency, LoginAnswer, LoginRefusal, LoginStop, Mode, Prepared, Purpose,
};
use crate::refusal::Fault;
use crate::secret::{Layout, Secret, SecretHash};
use crate::store::Change;
use crate::ticket::{Kind, Ticket};
use crate::time::Timestamp;

/// How a transaction is begun.
#[derive(Clone, Copy, Debug)]
pub struct PrepareRequest<'a> {
    /// What for.
    pub purpose: Purpose,
    /// Which of our apps; empty for the only one.
    pub app: &'a str,
    /// How the user goes to the upstream.
    pub mode: Mode,
    /// The version of the terms that the user accepted; empty for none.
    pub consent: &'a str,
    /// The device.
    pub device: Device<'a>,
    /// Who is logged in, for every purpose but [`Purpose::Login`].
    pub user: Option<UserId>,
    /// Where the browser goes afterwards; checked by the caller.
    pub return_to: Option<&'a str>,
}

/// A code that came back with its state. It holds secrets: it is not printed.
#[derive(Clone, Copy)]
pub struct CodeRequest<'a> {
    /// For which purposes it may be.
    pub purposes: &'a [Purpose],
    /// The code.
    pub code: &'a str,
    /// The state.
    pub state: &'a str,
    /// The device.
    pub device: Device<'a>,
    /// Who is logged in, for every purpose but [`Purpose::Login`].
    pub user: Option<UserId>,
    /// By which the same answer is asked for again.
    pub key: Idempotency<'a>,
}

/// What becomes of a code that came back.
pub enum Begun {
    /// The caller pays the code at the upstream and brings the outcome to
    /// [`Engine::finish_login`] or [`Engine::finish_proof`].
    Exchange(Box<Exchanging>),
    /// Somebody else is paying it: ask again in a moment.
    Wait,
    /// It came to an answer before; here it is again.
    Answer(Result<Outcome, LoginRefusal>),
}

/// What a transaction came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Of a login.
    Login(LoginAnswer),
    /// Of every other purpose.
    Proved(Proved),
}

/// An upstream identity that was proved for something else than logging in. Nothing but a
/// finished transaction makes one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proved {
    pub(super) purpose: Purpose,
    pub(super) vouched: Vouched,
    pub(super) user: Option<UserId>,
}

impl Proved {
    /// What it was proved for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }
}

/// A code on its way to the upstream.
pub struct Exchanging {
    pub(super) presented: Presented,
    pub(super) ticket: Ticket<Transaction>,
    pub(super) code: SecretHash,
    pub(super) key: Option<SecretHash>,
    pub(super) at: Timestamp,
    pub(super) address: String,
}

impl Exchanging {
    /// The name of our app at whose upstream the code is paid.
    pub fn app(&self) -> &str {
        &self.ticket.body.app
    }

    /// What the transaction is for.
    pub fn purpose(&self) -> Purpose {
        self.ticket.body.purpose
    }
}

/// What a finished transaction keeps, to say it again.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kept {
    Outcome(Outcome),
    Choose {
        candidates: Vec<Candidate>,
        #[serde(with = "crate::login::clear")]
        ticket: Secret,
    },
    Deleting {
        at: Timestamp,
        #[serde(with = "crate::login::clear")]
        ticket: Secret,
    },
    Refused(u16),
}

impl Kept {
    pub(super) fn say(self) -> Result<Outcome, LoginRefusal> {
        match self {
            Self::Outcome(outcome) => Ok(outcome),
            Self::Choose { candidates, ticket } => Err(LoginRefusal::ConfirmNeeded {
                candidates,
                ticket: Some(ticket),
            }),
            Self::Deleting { at, ticket } => Err(LoginRefusal::Deleting {
                deletable_at: at,
                cancel_ticket: Some(ticket),
                device_secret: None,
            }),
            Self::Refused(code) => Err(LoginRefusal::all()
                .into_iter()
                .find(|refusal| refusal.code() == code)
                .unwrap_or(LoginRefusal::StateInvalid)),
        }
    }
}

/// Characters that the platforms' codes are made of.
fn is_code(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_WORD_BYTES
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
}

impl Engine {
    // --- beginning ----------------------------------------------------------------------------

    /// Begins a transaction. A new one of the same device supersedes those before it (ACT-08),
    /// except in browsers, whose tabs do not know of each other.
    ///
    /// # Errors
    /// [`LoginRefusal::ConsentRequired`] for a login without the terms (CLI-05),
    /// [`LoginRefusal::SessionInvalid`] where somebody must be logged in,
    /// [`LoginRefusal::BadRequest`], [`LoginRefusal::RateLimited`].
    pub async fn prepare(
        &self,
        request: PrepareRequest<'_>,
        now: Timestamp,
    ) -> Result<Prepared, LoginStop> {
        let app = self.upstream_app(Some(request.app))?.clone();
        self.check_device(&request.device)?;
        if request.purpose == Purpose::Login {
            self.check_consent(request.consent)?;
        } else if request.user.is_none() && request.purpose != Purpose::Reauth {
            // Whoever replaces a login proves the old one without being logged in (PHO-07).
            return Err(LoginRefusal::SessionInvalid.into());
        }
        self.count_transaction(request.device.address, now)?;
        let known = self.device_hash(request.device.secret);
        let device_secret = match known {
            Some(_) => None,
            None => Some(self.draw_device()?),
        };
        let drawn = device_secret.as_ref().map(Secret::expose);
        let device = known.or_else(|| self.device_hash(drawn));
        let device = device.ok_or_else(|| Fault::new("a device secret of ours is none"))?;
        let body = Transaction {
            purpose: request.purpose,
            mode: request.mode,
            app: app.name.clone(),
            device,
            device_id: request.device.id.to_owned(),
            platform: request.device.platform.to_owned(),
            consent: request.consent.to_owned(),
            return_to: request.return_to.map(str::to_owned),
            stage: TransactionStage::Pending,
        };
        let state = settled_login!(self.issue_transaction(&body, request.user, now))?;
        Ok(Prepared {
            state,
            app,
            mode: request.mode,
            life: self.login().transaction_life,
            device_secret,
        })
    }

    /// Checks that the terms were accepted.
    ///
    /// # Errors
    /// [`LoginRefusal::ConsentRequired`], [`LoginRefusal::BadRequest`].
    pub(super) fn check_consent(&self, consent: &str) -> Result<(), LoginRefusal> {
        check_label("consent_version", consent)?;
        let wanted = self.login().consent_version.as_deref();
        if consent.is_empty() || wanted.is_some_and(|wanted| wanted != consent) {
            return Err(LoginRefusal::ConsentRequired);
        }
        Ok(())
    }

    fn count_transaction(&self, address: &str, now: Timestamp) -> Result<(), LoginRefusal> {
        let key = format!("transaction:{}", network(address));
        let rate = self.login().address_transactions;
        self.limiter
            .attempt(&key, rate, now)
            .map_err(|retry_after| LoginRefusal::RateLimited { retry_after })
    }

    async fn issue_transaction(
        &self,
        body: &Transaction,
        user: Option<UserId>,
        now: Timestamp,
    ) -> Result<Secret, LoginHalt> {
        let minted = self.mint(Kind::Transaction, Layout::Own)?;
        let family = self.keyring.look_up(Kind::Transaction, &body.device.0).0;
        let mut changes = Vec::new();
        if body.mode != Mode::Web {
            changes.push(Change::RevokeFamily { family, at: now });
        }
        let row = Row {
            number: minted.number,
            hash: minted.hash,
            family: (body.mode != Mode::Web).then_some(family),
            user,
            body: body.clone(),
            now,
            expires_at: now.plus(self.login().transaction_life),
        };
        changes.push(row.issue()?);
        self.commit(changes).await?;
        Ok(minted.secret)
    }

    /// Reads the transaction of a state: alive, and of this device.
    async fn transaction(
        &self,
        state: &str,
        device: &Device<'_>,
        now: Timestamp,
    ) -> Result<(Presented, Ticket<Transaction>), LoginStop> {
        let found = self
            .presented::<Transaction>(Kind::Transaction, state)
            .await?;
        let (presented, ticket) = found.ok_or(LoginRefusal::StateInvalid)?;
        if self.device_hash(device.secret) != Some(ticket.body.device) {
            // Each leaves a line in the audit: nobody gets to write as many as they like.
            self.count_exchange(device.address, now)?;
            self.suspect("csrf_suspected", ticket.user, &ticket.body.app, now)
                .await;
            return Err(LoginRefusal::StateInvalid.into());
        }
        if !ticket.is_alive(now) {
            return Err(LoginRefusal::StateInvalid.into());
        }
        Ok((presented, ticket))
    }

    /// Gives a transaction up, in a word of the app's: `denied`, `cancelled`, `unsupported`, …
    ///
    /// # Errors
    /// [`LoginRefusal::StateInvalid`], [`LoginRefusal::BadRequest`].
    pub async fn close_transaction(
        &self,
        state: &str,
        reason: &str,
        device: Device<'_>,
        now: Timestamp,
    ) -> Result<(), LoginStop> {
        let word = !reason.is_empty()
            && reason.len() <= 32
            && reason.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        if !word {
            return Err(LoginRefusal::BadRequest { field: "reason" }.into());
        }
        settled_login!(self.close(state, reason, &device, now))
    }

    async fn close(
        &self,
        state: &str,
        reason: &str,
        device: &Device<'_>,
        now: Timestamp,
    ) -> Result<(), LoginHalt> {
        let (_, ticket) = self.transaction(state, device, now).await?;
        match &ticket.body.stage {
            TransactionStage::Pending => {}
            TransactionStage::Closed { .. } => return Ok(()),
            _ => return Err(LoginRefusal::StateInvalid.into()),
        }
        let body = Transaction {
            stage: TransactionStage::Closed {
                reason: reason.to_owned(),
            },
            ..ticket.body.clone()
        };
        self.commit(vec![amend(&ticket, &body, ticket.expires_at)?])
            .await?;
        Ok(())
    }

    /// What a transaction's browser needs when the upstream sends it back: where it goes.
    ///
    /// # Errors
    /// [`LoginRefusal::StateInvalid`].
    pub async fn transaction_return(
        &self,
        state: &str,
        device: Device<'_>,
        now: Timestamp,
    ) -> Result<(Purpose, Option<String>), LoginStop> {
        let (_, ticket) = self.transaction(state, &device, now).await?;
        Ok((ticket.body.purpose, ticket.body.return_to))
    }

    // --- the code comes back ------------------------------------------------------------------

    /// Takes a code that came back. Everything that can be refused without the upstream is
    /// refused here, and the code is not spent by it.
    ///
    /// # Errors
    /// [`LoginRefusal::BadRequest`] for what cannot be a code (COD-07),
    /// [`LoginRefusal::StateInvalid`] (COD-08 to COD-11, ACT-07, ACT-08),
    /// [`LoginRefusal::CodeUsed`] (COD-04), [`LoginRefusal::RateLimited`].
    pub async fn begin_exchange(
        &self,
        request: CodeRequest<'_>,
        now: Timestamp,
    ) -> Result<Begun, LoginStop> {
        if !is_code(request.code) {
            return Err(LoginRefusal::BadRequest { field: "code" }.into());
        }
        let key = request.key.0.unwrap_or_default();
        if key.len() > MAX_WORD_BYTES {
            let field = "Idempotency-Key";
            return Err(LoginRefusal::BadRequest { field }.into());
        }
        settled_login!(self.take_code(&request, now))
    }

    async fn take_code(
        &self,
        request: &CodeRequest<'_>,
        now: Timestamp,
    ) -> Result<Begun, LoginHalt> {
        let (presented, ticket) = self
            .transaction(request.state, &request.device, now)
            .await?;
        let purpose = ticket.body.purpose;
        let is_theirs = purpose == Purpose::Login || ticket.user == request.user;
        if !request.purposes.contains(&purpose) || !is_theirs {
            return Err(LoginRefusal::StateInvalid.into());
        }
        let code = self.keyed("code", &format!("{}\n{}", ticket.body.app, request.code));
        let key = request.key.0.map(|key| self.keyed("idempotency", key));
        match &ticket.body.stage {
            TransactionStage::Pending => {}
            TransactionStage::Exchanging { code: of, at, .. } => {
                if *of != code {
                    return Err(LoginRefusal::StateInvalid.into());
                }
                // Whoever was at it may be gone: then the code is tried once more, and the
                // upstream says what became of it (CON-07).
                if is_near(*at, self.login().exchange_patience, now) {
                    return Ok(Begun::Wait);
                }
            }
            TransactionStage::Done {
                code: of,
                key: with,
                at,
                answer,
            } => {
                if *of != code {
                    return Err(LoginRefusal::StateInvalid.into());
                }
                if *with != key || !is_near(*at, self.login().replay_life, now) {
                    return Err(LoginRefusal::CodeUsed.into());
                }
                return Ok(Begun::Answer(self.unseal(&presented, answer)?.say()));
            }
            TransactionStage::Closed { .. } => return Err(LoginRefusal::StateInvalid.into()),
        }
        self.spend(request, presented, ticket, code, key, now).await
    }

    /// The first commit: marks the transaction, and the code for this transaction alone.
    async fn spend(
        &self,
        request: &CodeRequest<'_>,
        presented: Presented,
        ticket: Ticket<Transaction>,
        code: SecretHash,
        key: Option<SecretHash>,
        now: Timestamp,
    ) -> Result<Begun, LoginHalt> {
        let (number, hash) = self.keyring.look_up(Kind::Spent, &code.0);
        let spent = self.store().ticket(Kind::Spent, number).await?;
        self.count_exchange(request.device.address, now)?;
        let mut changes = Vec::new();
        match spent {
            Some(raw) if raw.open::<Spent>()?.body.transaction != ticket.number => {
                self.suspect("code_replay", ticket.user, &ticket.body.app, now)
                    .await;
                return Err(LoginRefusal::CodeUsed.into());
            }
            Some(_) => {}
            None => {
                let row = Row {
                    number,
                    hash,
                    family: None,
                    user: None,
                    body: Spent {
                        transaction: ticket.number,
                    },
                    now,
                    expires_at: now.plus(self.login().transaction_life),
                };
                changes.push(row.issue()?);
            }
        }
        let body = Transaction {
            stage: TransactionStage::Exchanging { code, key, at: now },
            ..ticket.body.clone()
        };
        changes.push(amend(&ticket, &body, ticket.expires_at)?);
        if let Err(clash) = self.commit(changes).await {
            self.forgive_exchange(request.device.address, now);
            return Err(clash.into());
        }
        let ticket = Ticket {
            version: ticket.version + 1,
            body,
            ..ticket
        };
        Ok(Begun::Exchange(Box::new(Exchanging {
            presented,
            ticket,
            code,
            key,
            at: now,
            address: request.device.address.to_owned(),
        })))
    }

    /// Counts an exchange before it is made; forgiven unless the code is nothing (COD-05).
    fn count_exchange(&self, address: &str, now: Timestamp) -> Result<(), LoginRefusal> {
        let key = format!("exchange:{}", network(address));
        self.limiter
            .attempt(&key, self.login().address_failures, now)
            .map_err(|retry_after| LoginRefusal::RateLimited { retry_after })
    }

    pub(super) fn forgive_exchange(&self, address: &str, now: Timestamp) {
        let key = format!("exchange:{}", network(address));
        self.limiter
            .forgive(&key, self.login().address_failures, now);
    }

    pub(super) fn unseal(&self, presented: &Presented, sealed: &Sealed) -> Result<Kept, Fault> {
        let open = presented.seal_key()?.open(b"transaction", sealed);
        let open = open.ok_or_else(|| Fault::new("an answer was sealed under another key"))?;
        serde_json::from_slice(&open).map_err(|e| Fault::from("read a kept answer", e))
    }
}
