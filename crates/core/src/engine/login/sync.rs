//! Profiles that are read again later: after an exchange that could not read them, after the
//! upstream said that they changed, and after a login that nobody could check.
//!
//! A task is claimed by moving its row's end: whoever claims it has that long to do it, and when
//! nothing is heard of it, it comes again.

use std::collections::BTreeSet;

use super::deletion::faulty;
use super::vault::RenewedTokens;
use super::{LoginHalt, amend, put, settled_login};
use crate::engine::Engine;
use crate::id::Number;
use crate::identity::{IdentityKey, IdentityStatus, VouchedProfile};
use crate::login::LoginStop;
use crate::login::body::{Sync, Vault, VaultTokens};
use crate::login::decide::UpstreamVerdict;
use crate::refusal::Fault;
use crate::secret::Secret;
use crate::store::{Change, Clash};
use crate::ticket::{Kind, RawTicket, Ticket};
use crate::time::{Lifetime, Timestamp};

/// How long until a task comes again, by how often it was tried.
const BACKOFF: [Lifetime; 5] = [
    Lifetime::minutes(1),
    Lifetime::minutes(5),
    Lifetime::minutes(30),
    Lifetime::minutes(120),
    Lifetime::minutes(720),
];

/// A profile to be read at an upstream.
#[derive(Clone)]
pub struct SyncTask {
    /// The name of our app there.
    pub app: String,
    /// Whose.
    pub identity: IdentityKey,
    /// The access token; `None` when it must be renewed first.
    pub access: Option<Secret>,
    /// The refresh token.
    pub refresh: Option<Secret>,
    row: Number,
    attempts: u32,
}

/// What comes after a task was tried.
pub enum SyncNext {
    /// Nothing: it is done, or given up.
    Over,
    /// It comes again.
    Later,
    /// The access token is dead: renew it, tell [`Engine::sync_renewed`], and read again (REL-07).
    Renew(SyncTask),
}

/// What a due row asks for.
enum Found {
    /// To be read.
    Task(Box<SyncTask>),
    /// Later: its user is not there yet.
    TooEarly,
    /// Nothing (more).
    Nothing,
}

impl Engine {
    /// The profiles that are due to be read, claimed for the caller; at most `limit`.
    ///
    /// # Errors
    /// The store's faults.
    pub async fn sync_due(&self, now: Timestamp, limit: usize) -> Result<Vec<SyncTask>, Fault> {
        let mut tasks = Vec::new();
        let mut claimed = BTreeSet::new();
        for raw in self.browse().due(Kind::Sync, now, limit).await? {
            let row = raw.open::<Sync>()?;
            let key = row.body.identity.clone();
            // Two rows of one identity are one task.
            let found = if claimed.contains(&key) {
                Found::Nothing
            } else {
                self.sync_task(&row, now).await?
            };
            let changes = match &found {
                Found::Task(_) => {
                    let body = Sync {
                        identity: key.clone(),
                        attempts: row.body.attempts + 1,
                    };
                    vec![amend(&row, &body, now.plus(backoff(row.body.attempts)))?]
                }
                Found::TooEarly => vec![amend(&row, &row.body, now.plus(backoff(0)))?],
                Found::Nothing => drop_row(&row, now)?,
            };
            match self.commit(changes).await {
                Ok(()) => {
                    claimed.insert(key);
                    if let Found::Task(task) = found {
                        tasks.push(*task);
                    }
                }
                Err(Clash::Failed(fault) | Clash::Unknown(fault)) => return Err(fault),
                // Another claimed it in this moment.
                Err(_) => {}
            }
        }
        Ok(tasks)
    }

    /// The task of a row.
    async fn sync_task(&self, row: &Ticket<Sync>, now: Timestamp) -> Result<Found, Fault> {
        let key = &row.body.identity;
        let app = self.upstream_app_of(&key.app);
        let Some(app) = app.filter(|_| !self.is_mini(key)) else {
            return Ok(Found::Nothing);
        };
        let Some((vault, tokens)) = self.opened(key).await? else {
            return Ok(Found::Nothing);
        };
        let owner = self.user_by_key(key).await?;
        let known = owner.as_ref().and_then(|user| user.identity(key));
        let Some(known) = known else {
            // A number is being bound: there is nobody yet whose profile it would be.
            let coming = now < vault.expires_at;
            return Ok(if coming {
                Found::TooEarly
            } else {
                Found::Nothing
            });
        };
        let access = Some(tokens.access).filter(|_| now < vault.body.access_until);
        let refresh = tokens.refresh.filter(|_| now < vault.body.refresh_until);
        let dead = access.is_none() && refresh.is_none();
        let tried = row.body.attempts >= BACKOFF.len() as u32;
        if dead || tried || known.status == IdentityStatus::Revoked {
            return Ok(Found::Nothing);
        }
        Ok(Found::Task(Box::new(SyncTask {
            app: app.name.clone(),
            identity: key.clone(),
            access,
            refresh,
            row: row.number,
            attempts: row.body.attempts + 1,
        })))
    }

    /// Hears what came of reading a profile: name and picture are kept byte for byte (IDN-05).
    ///
    /// # Errors
    /// The store's faults; the task comes again.
    pub async fn sync_done(
        &self,
        task: SyncTask,
        heard: Result<VouchedProfile, UpstreamVerdict>,
        now: Timestamp,
    ) -> Result<SyncNext, Fault> {
        match heard {
            Ok(profile) => {
                let kept: Result<(), LoginStop> =
                    settled_login!(self.keep_profile(&task, &profile, now));
                kept.map_err(faulty)?;
                Ok(SyncNext::Over)
            }
            Err(UpstreamVerdict::Expired | UpstreamVerdict::Gone) => {
                if task.refresh.is_none() {
                    self.drop_task(&task, now).await?;
                    return Ok(SyncNext::Over);
                }
                Ok(SyncNext::Renew(SyncTask {
                    access: None,
                    ..task
                }))
            }
            Err(UpstreamVerdict::Good | UpstreamVerdict::Unreachable) => {
                if task.attempts >= BACKOFF.len() as u32 {
                    self.drop_task(&task, now).await?;
                    return Ok(SyncNext::Over);
                }
                Ok(SyncNext::Later)
            }
        }
    }

    /// Hears what the refresh token of a task gave. Answers the task to go on with, with a living
    /// access token; `None` when it comes again, or there is nothing more to be had.
    ///
    /// # Errors
    /// The store's faults; the task comes again.
    pub async fn sync_renewed(
        &self,
        task: SyncTask,
        heard: Result<RenewedTokens, UpstreamVerdict>,
        now: Timestamp,
    ) -> Result<Option<SyncTask>, Fault> {
        let renewed = match heard {
            Ok(renewed) => renewed,
            Err(UpstreamVerdict::Expired | UpstreamVerdict::Gone) => {
                self.drop_task(&task, now).await?;
                return Ok(None);
            }
            Err(UpstreamVerdict::Good | UpstreamVerdict::Unreachable) => return Ok(None),
        };
        let swapped: Result<Option<Secret>, LoginStop> =
            settled_login!(self.swap(&task.identity, task.refresh.as_ref(), &renewed, now));
        let access = swapped.map_err(faulty)?;
        // One renewal is enough for one try: a profile that calls this token dead too is over.
        Ok(access.map(|access| SyncTask {
            access: Some(access),
            refresh: None,
            ..task
        }))
    }

    /// Puts renewed tokens into an identity's vault, if they were renewed with the refresh token
    /// that is in it. Answers the access token that is in it then; `None` for an empty vault.
    pub(super) async fn swap(
        &self,
        key: &IdentityKey,
        with: Option<&Secret>,
        renewed: &RenewedTokens,
        now: Timestamp,
    ) -> Result<Option<Secret>, LoginHalt> {
        let Some((vault, tokens)) = self.opened(key).await? else {
            return Ok(None);
        };
        if tokens.refresh.as_ref() != with {
            // A new login or another renewal came first: its tokens are the ones that count.
            return Ok(Some(tokens.access));
        }
        self.commit(vec![self.vault_renewed(&vault, &tokens, renewed, now)?])
            .await?;
        Ok(Some(renewed.access.clone()))
    }

    /// An identity's vault and what is in it; `None` when nothing is.
    pub(super) async fn opened(
        &self,
        key: &IdentityKey,
    ) -> Result<Option<(Ticket<Vault>, VaultTokens)>, Fault> {
        let Some(vault) = self.vault_of(key).await? else {
            return Ok(None);
        };
        let tokens = self.open_vault(&vault.body)?;
        Ok(tokens.map(|tokens| (vault, tokens)))
    }

    async fn keep_profile(
        &self,
        task: &SyncTask,
        profile: &VouchedProfile,
        now: Timestamp,
    ) -> Result<(), LoginHalt> {
        let row = self.store().ticket(Kind::Sync, task.row).await?;
        let Some(row) = row.filter(|row| row.ticket.taken_at.is_none()) else {
            return Ok(());
        };
        let mut changes = drop_row(&row.open::<Sync>()?, now)?;
        let mut user = self.user_by_key(&task.identity).await?;
        let mut known = user.iter_mut().flat_map(|user| &mut user.identities);
        let known = known.find(|known| known.key == task.identity);
        // Withdrawn while it was read: what was read must not come back.
        let known = known.filter(|known| known.status == IdentityStatus::Linked);
        if let Some(known) = known {
            known.nickname.clone_from(&profile.nickname);
            known.avatar.clone_from(&profile.avatar);
            changes.extend(user.as_mut().map(put));
            if let Some(vault) = self.vault_of(&task.identity).await? {
                changes.push(Self::vault_verified(&vault, now)?);
            }
        }
        self.commit(changes).await?;
        Ok(())
    }

    async fn drop_task(&self, task: &SyncTask, now: Timestamp) -> Result<(), Fault> {
        let raw: Option<std::sync::Arc<RawTicket>> =
            self.store().ticket(Kind::Sync, task.row).await?;
        let Some(raw) = raw.filter(|raw| raw.ticket.taken_at.is_none()) else {
            return Ok(());
        };
        let mut changes = drop_row(&raw.open::<Sync>()?, now)?;
        let owner = self.user_by_key(&task.identity).await?;
        let owner = owner.map(|user| user.id);
        changes.push(self.event("profile.given_up", owner, None, &task.app, now));
        match self.commit(changes).await {
            Err(Clash::Failed(fault) | Clash::Unknown(fault)) => Err(fault),
            // Whoever has changed the row has claimed it: it is theirs.
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

fn backoff(attempts: u32) -> Lifetime {
    let index = usize::try_from(attempts).unwrap_or(usize::MAX);
    let last = Lifetime::minutes(720);
    BACKOFF.get(index).copied().unwrap_or(last)
}

/// The changes that end a task. Rows of this kind are kept for a year past their end, so that a
/// standstill loses none; one that is done is moved there, since it names an identity.
fn drop_row(row: &Ticket<Sync>, now: Timestamp) -> Result<Vec<Change>, Fault> {
    let long_ago = row.expires_at.min(now).minus(Kind::Sync.retention());
    Ok(vec![
        amend(row, &row.body, long_ago)?,
        Change::Take {
            kind: Kind::Sync,
            number: row.number,
            at: now,
        },
    ])
}
