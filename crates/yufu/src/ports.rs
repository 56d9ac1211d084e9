//! The ports of the engine that are no data: randomness and password hashing.

use std::num::NonZero;
use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use async_trait::async_trait;
use tokio::sync::Semaphore;
use yufu_core::engine::Hasher;
use yufu_core::refusal::Fault;
use yufu_core::secret::{Entropy, Secret};
use yufu_web::clock;

/// The system's random bits, and real milliseconds for new numbers.
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(
        clippy::disallowed_methods,
        clippy::expect_used,
        reason = "the one place that draws randomness; a system without any must not go on"
    )]
    fn fill(&self, buffer: &mut [u8]) {
        aws_lc_rs::rand::fill(buffer).expect("the system has random bits");
    }

    fn millis(&self) -> u64 {
        u64::try_from(clock::real().0).unwrap_or(0)
    }
}

/// argon2id with 19 MiB and two passes (the defaults of the crate, OWASP's first choice), off the
/// async threads, as many at a time as there are cores: more would only wait for each other.
pub struct Argon2Hasher {
    permits: Arc<Semaphore>,
}

/// What a password is compared with when there is none, so that it takes as long. Its own
/// password is not asked for: the answer is no either way.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGlzIGF0IGhvbWU$\
                      m/ygSgWaNbAm0EOF7FbwfC0QuNKo8Bx2/wLchjCwnEQ";

impl Default for Argon2Hasher {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            permits: Arc::new(Semaphore::new(cores)),
        }
    }
}

impl Argon2Hasher {
    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let permit = self.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|e| Fault::from("wait for a core", e))?;
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        })
        .await
        .map_err(|e| Fault::from("hash a password", e))?
    }
}

fn hash(password: &[u8]) -> Result<String, Fault> {
    let mut salt = [0; 16];
    SystemEntropy.fill(&mut salt);
    Argon2::default()
        .hash_password_with_salt(password, &salt)
        .map(|hash| hash.to_string())
        .map_err(|e| Fault::from("hash a password", e.to_string()))
}

#[async_trait]
impl Hasher for Argon2Hasher {
    async fn hash(&self, password: Secret) -> Result<String, Fault> {
        self.apart(move || hash(password.expose().as_bytes())).await
    }

    async fn verify(&self, password: Secret, phc: Option<String>) -> Result<bool, Fault> {
        let known = phc.is_some();
        let phc = phc.unwrap_or_else(|| NOBODY.to_owned());
        self.apart(move || {
            let stored = PasswordHash::new(&phc)
                .map_err(|e| Fault::from("read a password hash", e.to_string()))?;
            let matches = Argon2::default()
                .verify_password(password.expose().as_bytes(), &stored)
                .is_ok();
            Ok(matches && known)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_matches_its_hash_only_and_nobody_matches_nothing() {
        let hasher = Argon2Hasher::default();
        let phc = hasher.hash(Secret::new("correct horse")).await.unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        let verify =
            |password: &str, phc: Option<String>| hasher.verify(Secret::new(password), phc);
        assert!(verify("correct horse", Some(phc.clone())).await.unwrap());
        assert!(!verify("wrong horse", Some(phc)).await.unwrap());
        assert!(!verify("x", None).await.unwrap());
    }
}
