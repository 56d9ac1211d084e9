//! The house's own keys while it runs: reloaded, rotated, and used to sign assertions of sessions
//! for servers behind an app's backend.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::Engine;
use crate::jws::{SigningKey, key_set};
use crate::keyring::Key;
use crate::login::Authenticated;
use crate::refusal::Fault;
use crate::secret::Secret;
use crate::store::{Change, Clash, Record};
use crate::time::{Lifetime, Timestamp};

/// How long an assertion holds at most: nobody can take it back.
const ASSERTION_LIFE: Lifetime = Lifetime::minutes(5);

/// The last version: a secret carries it as one digit.
const LAST_VERSION: u8 = 9;

/// Why no new version of the keys was made.
#[derive(Debug, thiserror::Error)]
pub enum RotateStop {
    /// There are nine, and a tenth cannot be written into a secret.
    #[error("the keys were rotated eight times, and cannot be rotated again")]
    Exhausted,
    /// Ours.
    #[error(transparent)]
    Failed(#[from] Fault),
}

impl Engine {
    /// Takes in keys that another process made, and begins to use a new version when its time has
    /// come. To be called every few seconds, and well within [`crate::keyring::Keyring::RIPENS`]
    /// of a rotation anywhere.
    ///
    /// # Errors
    /// Faults of the store; a key that was made under another master key. What was known goes on.
    pub async fn reload_keys(&self, now: Timestamp) -> Result<(), Fault> {
        let keys = self.store().keys().await?;
        self.keyring.reload(&keys, &self.master, now)
    }

    /// Forgets who failed how often. For a house whose data was exchanged for others.
    pub fn forget_failures(&self) {
        self.limiter.forget();
    }

    /// Makes the next version of the keys and answers its number. Secrets made under it are read
    /// at once; new ones are made under it when every process knows it. Those under older versions
    /// go on working.
    ///
    /// # Errors
    /// [`RotateStop::Exhausted`]; faults of the store.
    pub async fn rotate_keys(&self, now: Timestamp) -> Result<u8, RotateStop> {
        // Of two processes at once one makes the version, and the other one the next.
        for _ in 0..LAST_VERSION {
            let keys = self.store().keys().await?;
            let newest = keys.iter().map(|key| key.version).max().unwrap_or(0);
            let version = newest + 1;
            if version > LAST_VERSION {
                return Err(RotateStop::Exhausted);
            }
            let key = Key::draw(version, &self.master, &*self.ports.entropy, now)?;
            let detail = format!("version {version}");
            let changes = vec![
                Change::Put(Record::Key(key)),
                self.event("keys.rotated", None, None, &detail, now),
            ];
            match self.store().commit(changes).await {
                Ok(()) => {
                    self.reload_keys(now).await?;
                    return Ok(version);
                }
                Err(Clash::Failed(fault) | Clash::Unknown(fault)) => return Err(fault.into()),
                Err(Clash::Taken(..) | Clash::Exists | Clash::Stale) => {}
            }
        }
        Err(Fault::new("lost every round of a race").into())
    }

    fn signing_key(&self, version: u8) -> Result<SigningKey, Fault> {
        let seed = self.keyring.signing_seed(version);
        let seed = seed.ok_or_else(|| Fault::new("a retired key version"))?;
        SigningKey::from_seed(&seed)
    }

    /// An assertion that `auth` is logged in, for one server behind an app's backend, and how long
    /// it holds: five minutes at most, and never beyond the session token. Whoever takes it must
    /// know `audience` as its own name and `issuer` as ours; the keys are in [`Engine::jwks`].
    /// That the session was ended meanwhile is not to be seen in it.
    ///
    /// # Errors
    /// A fault when the key cannot be made.
    pub fn assertion(
        &self,
        auth: &Authenticated,
        audience: &str,
        issuer: &str,
        now: Timestamp,
    ) -> Result<(Secret, Lifetime), Fault> {
        let ends_at = now.plus(ASSERTION_LIFE).min(auth.expires_at);
        // Claims count whole seconds: the end is rounded down, so that it is never too late.
        let ends_at = Timestamp::from_seconds(ends_at.seconds());
        let mut id = [0; 16];
        self.ports.entropy.fill(&mut id);
        let claims = json!({
            "iss": issuer,
            "sub": auth.user.to_string(),
            "aud": audience,
            "iat": now.seconds(),
            "exp": ends_at.seconds(),
            "sid": self.session_id(auth.session),
            "jti": URL_SAFE_NO_PAD.encode(id),
        });
        let key = self.signing_key(self.keyring.current_version())?;
        Ok((key.sign(&claims), ends_at.since(now)))
    }

    /// The public keys of all versions, as a JSON Web Key Set (RFC 7517): a version stands in it
    /// before anything is signed with it.
    ///
    /// # Errors
    /// A fault when a key cannot be made.
    pub fn jwks(&self) -> Result<String, Fault> {
        let versions = self.keyring.versions().into_iter();
        let keys: Vec<_> = versions
            .map(|version| self.signing_key(version))
            .collect::<Result<_, _>>()?;
        Ok(key_set(keys.iter().map(SigningKey::public)))
    }
}
