//! The upstream tokens of identities: kept encrypted, asked about, renewed, erased.
//!
//! A vault's row is found by its identity and is amended, never spent or revoked: an erased one is
//! empty, and the next login fills it again.

use serde_json::to_vec;

use super::deletion::faulty;
use super::{LoginHalt, Row, amend, settled_login};
use crate::engine::Engine;
use crate::id::Number;
use crate::identity::{IdentityKey, UpstreamKind};
use crate::login::body::{Sealed, Shown, Sync, Vault, VaultTokens};
use crate::login::{Exchanged, LoginStop};
use crate::refusal::Fault;
use crate::secret::{Secret, SecretHash};
use crate::store::Change;
use crate::ticket::{Kind, Ticket};
use crate::time::{Lifetime, Timestamp};

/// How many vaults are read at a time when all are walked.
const PAGE: usize = 200;

/// What an upstream gave for a refresh token.
#[derive(Clone, PartialEq, Eq)]
pub struct RenewedTokens {
    /// The access token: the same with a later end, or a new one.
    pub access: Secret,
    /// How long it lives from now.
    pub access_life: Lifetime,
    /// The refresh token, where the answer told one.
    pub refresh: Option<Secret>,
}

/// What a row of an identity is found by, and what its tokens are bound to.
pub(super) fn content(key: &IdentityKey) -> String {
    format!("{}\n{}", key.provider, key.value())
}

/// When the last of a vault's tokens ends.
fn end(vault: &Vault) -> Timestamp {
    vault.access_until.max(vault.refresh_until)
}

impl Engine {
    /// Puts what an exchange gave into the identity's vault. While nobody owns the identity the
    /// vault ends with the ticket, at `until`; else with its tokens.
    pub(super) async fn vault_put(
        &self,
        exchanged: &Exchanged,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Vec<Change>, LoginHalt> {
        let key = &exchanged.vouched.key;
        let refresh_until = match exchanged.tokens.refresh {
            Some(_) => now.plus(exchanged.refresh_life),
            None => now,
        };
        let mut vault = Vault {
            key: 0,
            sealed: Sealed(String::new()),
            access_until: now.plus(exchanged.access_life),
            refresh_until,
            verified_at: now,
            identity: key.clone(),
        };
        self.seal_vault(&mut vault, &exchanged.tokens)?;
        let expires_at = until.unwrap_or_else(|| end(&vault));
        let change = match self.vault_of(key).await? {
            Some(read) => amend(&read, &vault, expires_at)?,
            None => self.found(Kind::Vault, &content(key), vault, now, expires_at)?,
        };
        let mut changes = vec![change];
        if exchanged.profile_due {
            changes.push(self.sync_soon(key, now)?);
        }
        Ok(changes)
    }

    /// The identity got an owner: its vault lives as long as its tokens do.
    pub(super) async fn vault_keep(
        &self,
        key: &IdentityKey,
        _now: Timestamp,
    ) -> Result<Vec<Change>, LoginHalt> {
        let Some(read) = self.vault_of(key).await? else {
            return Ok(Vec::new());
        };
        let expires_at = end(&read.body);
        if expires_at == read.expires_at {
            return Ok(Vec::new());
        }
        Ok(vec![amend(&read, &read.body, expires_at)?])
    }

    /// Empties an identity's vault; what is left of the row goes with the next sweeps.
    pub(super) async fn vault_erase(
        &self,
        key: &IdentityKey,
        now: Timestamp,
    ) -> Result<Vec<Change>, LoginHalt> {
        let Some(read) = self.vault_of(key).await? else {
            return Ok(Vec::new());
        };
        if read.body.sealed.0.is_empty() {
            return Ok(Vec::new());
        }
        let empty = Vault {
            sealed: Sealed(String::new()),
            access_until: now,
            refresh_until: now,
            ..read.body.clone()
        };
        Ok(vec![amend(&read, &empty, now)?])
    }

    /// Whether a client may see the upstream's access token: only where that is allowed, and never
    /// the session key of a mini program, which is the server's alone.
    pub(super) fn may_show(&self, key: &IdentityKey) -> bool {
        self.login().expose_upstream_token && !self.is_mini(key)
    }

    /// Remembers that a device is shown the upstream's access token, so that it may log in with it
    /// again; nothing where [`Engine::may_show`] says no.
    pub(super) async fn show_token(
        &self,
        exchanged: &Exchanged,
        device: SecretHash,
        now: Timestamp,
    ) -> Result<Vec<Change>, LoginHalt> {
        let identity = exchanged.vouched.key.clone();
        if !self.may_show(&identity) {
            return Ok(Vec::new());
        }
        let until = now.plus(exchanged.access_life.max(exchanged.refresh_life));
        let shown = Shown {
            identity,
            device,
            shown_at: Some(now),
        };
        self.remember_shown(&exchanged.tokens.access, shown, until, now)
            .await
    }

    /// What was shown to a device, as one: it ends with the device's session.
    pub(super) fn shown_family(&self, device: &SecretHash) -> Number {
        self.keyring.look_up(Kind::Shown, &device.0).0
    }

    /// The token outlives its own end here: whoever shows it later is let in by the refresh token.
    /// One that the device lost with its session stays lost, though the upstream gave it again.
    pub(super) async fn remember_shown(
        &self,
        token: &Secret,
        shown: Shown,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Change>, LoginHalt> {
        let read = self.looked_up::<Shown>(Kind::Shown, token.expose()).await?;
        Ok(match read {
            Some(read) if read.revoked_at.is_some() => Vec::new(),
            Some(read) => vec![amend(&read, &shown, expires_at)?],
            None => {
                let content = token.expose().as_bytes();
                let (number, hash) = self.keyring.look_up(Kind::Shown, content);
                let row = Row {
                    number,
                    hash,
                    family: Some(self.shown_family(&shown.device)),
                    user: None,
                    body: shown,
                    now,
                    expires_at,
                };
                vec![row.issue()?]
            }
        })
    }

    /// The vault's row of an identity, empty or not.
    pub(super) async fn vault_of(&self, key: &IdentityKey) -> Result<Option<Ticket<Vault>>, Fault> {
        self.looked_up(Kind::Vault, &content(key)).await
    }

    /// Encrypts tokens into a vault under the newest keys.
    fn seal_vault(&self, vault: &mut Vault, tokens: &VaultTokens) -> Result<(), Fault> {
        let version = self.keyring.current_version();
        let key = self.keyring.vault_key(version)?;
        let key = key.ok_or_else(|| Fault::new("no key for the vault"))?;
        let plain = to_vec(tokens).map_err(|e| Fault::from("write tokens", e))?;
        let plain = zeroize::Zeroizing::new(plain);
        let context = content(&vault.identity);
        vault.sealed = key.seal(context.as_bytes(), &plain, &*self.ports.entropy)?;
        vault.key = version;
        Ok(())
    }

    /// The tokens in a vault; `None` when it is empty, or its keys are gone.
    pub(super) fn open_vault(&self, vault: &Vault) -> Result<Option<VaultTokens>, Fault> {
        if vault.sealed.0.is_empty() {
            return Ok(None);
        }
        let Some(key) = self.keyring.vault_key(vault.key)? else {
            return Ok(None);
        };
        let open = key.open(content(&vault.identity).as_bytes(), &vault.sealed);
        let open = open.ok_or_else(|| Fault::new("a vault that its key does not open"))?;
        let tokens = serde_json::from_slice(&open).map_err(|e| Fault::from("read tokens", e))?;
        Ok(Some(tokens))
    }

    /// The upstream vouched for a vault's tokens just now.
    pub(super) fn vault_verified(read: &Ticket<Vault>, now: Timestamp) -> Result<Change, Fault> {
        let vault = Vault {
            verified_at: now,
            ..read.body.clone()
        };
        amend(read, &vault, read.expires_at)
    }

    /// The tokens that a refresh gave take the place of those they came from, unless somebody
    /// else's did since these were read. A refresh token that was not told stays as it is; its
    /// end stays in any case, since no upstream prolongs it (REL-03, REL-08).
    pub(super) fn vault_renewed(
        &self,
        read: &Ticket<Vault>,
        before: &VaultTokens,
        renewed: &RenewedTokens,
        now: Timestamp,
    ) -> Result<Change, Fault> {
        let tokens = VaultTokens {
            access: renewed.access.clone(),
            refresh: renewed.refresh.clone().or_else(|| before.refresh.clone()),
        };
        let mut vault = Vault {
            access_until: now.plus(renewed.access_life),
            verified_at: now,
            ..read.body.clone()
        };
        self.seal_vault(&mut vault, &tokens)?;
        let expires_at = end(&vault).max(read.expires_at);
        amend(read, &vault, expires_at)
    }

    /// Encrypts all vaults under the newest keys, so that older ones can be given up; tells its
    /// caller from time to time how many were seen, and answers how many were changed.
    ///
    /// # Errors
    /// The store's faults; what was changed before stays changed.
    pub async fn reseal_vault(
        &self,
        progress: &mut (dyn FnMut(u64) + Send),
        now: Timestamp,
    ) -> Result<u64, Fault> {
        let (mut after, mut seen, mut changed) = (None, 0, 0);
        loop {
            let page = self.browse().tickets(Kind::Vault, after, PAGE).await?;
            let Some(last) = page.last() else {
                break;
            };
            after = Some(last.ticket.number);
            for raw in &page {
                let number = raw.ticket.number;
                let done: Result<bool, LoginStop> = settled_login!(self.reseal(number));
                changed += u64::from(done.map_err(faulty)?);
            }
            seen += page.len() as u64;
            progress(seen);
        }
        self.suspect("vault.resealed", None, &changed.to_string(), now)
            .await;
        Ok(changed)
    }

    async fn reseal(&self, number: Number) -> Result<bool, LoginHalt> {
        let Some(raw) = self.store().ticket(Kind::Vault, number).await? else {
            return Ok(false);
        };
        let read = raw.open::<Vault>()?;
        if read.body.key == self.keyring.current_version() {
            return Ok(false);
        }
        let Some(tokens) = self.open_vault(&read.body)? else {
            return Ok(false);
        };
        let mut vault = read.body.clone();
        self.seal_vault(&mut vault, &tokens)?;
        self.commit(vec![amend(&read, &vault, read.expires_at)?])
            .await?;
        Ok(true)
    }

    /// A row that is found by its content.
    fn found<B: crate::ticket::Body>(
        &self,
        kind: Kind,
        content: &str,
        body: B,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Change, Fault> {
        let (number, hash) = self.keyring.look_up(kind, content.as_bytes());
        Row {
            number,
            hash,
            family: None,
            user: None,
            body,
            now,
            expires_at,
        }
        .issue()
    }

    /// Has the identity's profile read again as soon as somebody gets to it.
    pub(super) fn sync_soon(&self, key: &IdentityKey, now: Timestamp) -> Result<Change, Fault> {
        let number = self.draw_number();
        Row {
            number,
            hash: self.numbered(Kind::Sync, number),
            family: None,
            user: None,
            body: Sync {
                identity: key.clone(),
                attempts: 0,
            },
            now,
            expires_at: now,
        }
        .issue()
    }

    /// The hash of a row that has no secret: nothing is presented for it.
    pub(super) fn numbered(&self, kind: Kind, number: Number) -> SecretHash {
        self.keyring.look_up(kind, &number.0.to_be_bytes()).1
    }

    /// Whether an identity is a mini program's: its vault holds a session key, which no upstream
    /// can be asked about.
    pub(super) fn is_mini(&self, key: &IdentityKey) -> bool {
        let app = self.upstream_app_of(&key.app);
        app.is_some_and(|app| app.kind == UpstreamKind::WechatMini)
    }
}
