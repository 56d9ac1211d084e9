//! Bytes that only the holder of a secret, or this house, can read again: AES-256-GCM under keys
//! derived by HKDF. What is sealed is bound to a context, so that it cannot be put elsewhere.

use aws_lc_rs::{aead, hkdf};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::login::body::Sealed;
use crate::refusal::Fault;
use crate::secret::Entropy;

/// A key that seals and opens. Wiped when dropped.
pub struct SealKey(aead::LessSafeKey);

struct Length;

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        32
    }
}

impl SealKey {
    /// The key that follows from `material` for one purpose.
    ///
    /// # Errors
    /// A fault when the cipher refuses, which it does not for keys of this size.
    pub fn derive(purpose: &'static [u8], material: &[&[u8]]) -> Result<Self, Fault> {
        let mut joined = Zeroizing::new(Vec::new());
        for part in material {
            joined.extend_from_slice(&(part.len() as u64).to_be_bytes());
            joined.extend_from_slice(part);
        }
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, b"yufu seal").extract(&joined);
        let mut bytes = Zeroizing::new([0; 32]);
        prk.expand(&[purpose], Length)
            .and_then(|okm| okm.fill(&mut *bytes))
            .map_err(|_| Fault::new("derive a sealing key"))?;
        aead::UnboundKey::new(&aead::AES_256_GCM, &*bytes)
            .map(|key| Self(aead::LessSafeKey::new(key)))
            .map_err(|_| Fault::new("make a sealing key"))
    }

    /// Seals bytes for a context.
    ///
    /// # Errors
    /// A fault when the cipher refuses, which it does not for bytes of these sizes.
    pub fn seal(
        &self,
        context: &[u8],
        plain: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Sealed, Fault> {
        let mut nonce = [0; 12];
        entropy.fill(&mut nonce);
        let mut sealed = plain.to_vec();
        self.0
            .seal_in_place_append_tag(
                aead::Nonce::assume_unique_for_key(nonce),
                aead::Aad::from(context),
                &mut sealed,
            )
            .map_err(|_| Fault::new("seal"))?;
        let mut bytes = nonce.to_vec();
        bytes.append(&mut sealed);
        Ok(Sealed(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Opens what was sealed for this context; `None` when it was not, or not under this key.
    pub fn open(&self, context: &[u8], sealed: &Sealed) -> Option<Zeroizing<Vec<u8>>> {
        let bytes = URL_SAFE_NO_PAD.decode(&sealed.0).ok()?;
        let (nonce, rest) = bytes.split_at_checked(12)?;
        let nonce = aead::Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut open = Zeroizing::new(rest.to_vec());
        let length = self
            .0
            .open_in_place(nonce, aead::Aad::from(context), &mut open)
            .ok()?
            .len();
        open.truncate(length);
        Some(open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring::tests::Counted;

    #[test]
    fn only_the_same_key_and_context_open_it() {
        let entropy = Counted::default();
        let key = SealKey::derive(b"a", &[b"secret"]).unwrap();
        let sealed = key.seal(b"here", b"bytes", &entropy).unwrap();
        assert_eq!(key.open(b"here", &sealed).unwrap().as_slice(), b"bytes");
        assert!(key.open(b"there", &sealed).is_none());
        let other = SealKey::derive(b"b", &[b"secret"]).unwrap();
        assert!(other.open(b"here", &sealed).is_none());
        let other = SealKey::derive(b"a", &[b"secre", b"t"]).unwrap();
        assert!(other.open(b"here", &sealed).is_none());
        for broken in ["", "AAAA", "!", &sealed.0[1..]] {
            assert!(key.open(b"here", &Sealed(broken.into())).is_none());
        }
    }
}
