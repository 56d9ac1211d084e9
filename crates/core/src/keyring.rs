//! The server's own keys, and the secrets they make: sealed numbers, peppered hashes, said-twice
//! secrets. A secret carries the version of the keys it was made under, so keys can be rotated
//! while old secrets go on working.

use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::{aead, hkdf, hmac};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::id::{ClientId, Number};
use crate::refusal::Fault;
use crate::seal::SealKey;
use crate::secret::{Entropy, Halves, Layout, Secret, SecretHash, same};
use crate::ticket::Kind;
use crate::time::{Lifetime, Timestamp};

/// A stored key: its version and its material, wrapped under the master key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// 0 is the root, which is never retired (subjects, look-ups); 1 to 9 take turns at sealing.
    pub version: u8,
    /// 12 bytes of nonce, then the AES-256-GCM of 32 bytes of material.
    pub wrapped: Vec<u8>,
    /// When the key was drawn.
    pub created_at: Timestamp,
}

/// The key that wraps the stored keys: 32 bytes that never enter the database.
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// Reads 64 hexadecimal digits; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        let mut bytes = Zeroizing::new([0; 32]);
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// Draws a new one.
    pub fn draw(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(&mut *bytes);
        Self(bytes)
    }

    /// The form that [`MasterKey::parse`] reads.
    pub fn write(&self) -> Secret {
        Secret::new(hex(&*self.0))
    }

    /// The same key once more, for an engine that opens new keys while it runs.
    pub(crate) fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }

    fn aead(&self) -> Result<aead::LessSafeKey, Fault> {
        aead::UnboundKey::new(&aead::AES_256_GCM, &*self.0)
            .map(aead::LessSafeKey::new)
            .map_err(|_| Fault::new("master key"))
    }
}

impl Key {
    /// Draws the material of a new key and wraps it.
    ///
    /// # Errors
    /// A fault when the cipher refuses, which it does not for keys of this size.
    pub fn draw(
        version: u8,
        master: &MasterKey,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let mut nonce = [0; 12];
        entropy.fill(&mut nonce);
        let mut material = Zeroizing::new(vec![0; 32]);
        entropy.fill(&mut material);
        let mut sealed = material.to_vec();
        master
            .aead()?
            .seal_in_place_append_tag(
                aead::Nonce::assume_unique_for_key(nonce),
                aead::Aad::from([b'k', version]),
                &mut sealed,
            )
            .map_err(|_| Fault::new("wrap a key"))?;
        let mut wrapped = nonce.to_vec();
        wrapped.append(&mut sealed);
        Ok(Self {
            version,
            wrapped,
            created_at: now,
        })
    }

    fn unwrap(&self, master: &MasterKey) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let wrong = || Fault::new("the stored keys were not made under this master key");
        let (nonce, sealed) = self.wrapped.split_at_checked(12).ok_or_else(wrong)?;
        let nonce = aead::Nonce::try_assume_unique_for_key(nonce).map_err(|_| wrong())?;
        let mut open = Zeroizing::new(sealed.to_vec());
        let length = master
            .aead()?
            .open_in_place(nonce, aead::Aad::from([b'k', self.version]), &mut open)
            .map_err(|_| wrong())?
            .len();
        open.truncate(length);
        Ok(open)
    }
}

struct Version {
    version: u8,
    seal: hmac::Key,
    pepper: hmac::Key,
    derive: hmac::Key,
}

/// The versions of one reading, oldest first. There is at least one.
struct Versions {
    all: Vec<Version>,
    /// The version under which new secrets are made.
    current: u8,
}

impl Versions {
    fn get(&self, version: u8) -> Option<&Version> {
        self.all.iter().find(|known| known.version == version)
    }
}

/// All live keys, unwrapped and ready. Holds secrets: has no `Debug`. The root stays as it was
/// opened; versions that were added later are taken in by [`Keyring::reload`].
pub struct Keyring {
    root: hmac::Key,
    versions: RwLock<Arc<Versions>>,
}

/// A secret just made: its plain half, its number and its stored half.
pub struct Minted {
    /// The half that goes to the holder.
    pub secret: Secret,
    /// The number that finds the row.
    pub number: Number,
    /// The half that is stored.
    pub hash: SecretHash,
    /// The version of the keys it was made under.
    pub version: u8,
    proof: Zeroizing<Vec<u8>>,
}

impl Minted {
    /// The secret just made, as its holder would present it: the parent of derived secrets.
    pub fn presented(&self) -> Presented {
        Presented {
            number: self.number,
            version: self.version,
            proof: self.proof.clone(),
            hash: self.hash,
        }
    }
}

/// A secret as somebody presented it: it finds a row, and has yet to prove it.
pub struct Presented {
    /// The number that finds the row.
    pub number: Number,
    /// The version of the keys it was made under.
    pub version: u8,
    /// The random bits, for secrets that are derived from this one.
    proof: Zeroizing<Vec<u8>>,
    hash: SecretHash,
}

impl Presented {
    /// Whether the row's stored half matches; in constant time.
    pub fn proves(&self, stored: &SecretHash) -> bool {
        self.hash == *stored
    }

    /// The key under which answers to this secret's holder are sealed.
    ///
    /// # Errors
    /// As [`SealKey::derive`].
    pub fn seal_key(&self) -> Result<SealKey, Fault> {
        SealKey::derive(b"answer", &[&self.proof])
    }
}

impl Keyring {
    /// How old a version is before new secrets are made under it: every process of the house has
    /// reloaded its keys by then, and can read them.
    pub const RIPENS: Lifetime = Lifetime::seconds(60);

    /// Unwraps the stored keys; new secrets are made under the newest.
    ///
    /// # Errors
    /// A fault when the root or every sealing key is missing, or the master key is another one.
    pub fn open(keys: &[Key], master: &MasterKey) -> Result<Self, Fault> {
        Self::open_at(keys, master, Timestamp(i64::MAX))
    }

    /// The same; new secrets are made under the newest that is [`Keyring::RIPENS`] old, or the
    /// oldest when none is.
    ///
    /// # Errors
    /// As [`Keyring::open`].
    pub fn open_at(keys: &[Key], master: &MasterKey, now: Timestamp) -> Result<Self, Fault> {
        let root = keys.iter().find(|key| key.version == 0);
        let root = root.ok_or_else(|| Fault::new("the keyring is empty"))?;
        Ok(Self {
            root: expand(&prk(root, master)?, b"root")?,
            versions: RwLock::new(Arc::new(versions(keys, master, now)?)),
        })
    }

    /// Takes in what was stored since.
    ///
    /// # Errors
    /// As [`Keyring::open`]; the keyring stays as it was then.
    pub fn reload(&self, keys: &[Key], master: &MasterKey, now: Timestamp) -> Result<(), Fault> {
        let read = Arc::new(versions(keys, master, now)?);
        *self
            .versions
            .write()
            .unwrap_or_else(PoisonError::into_inner) = read;
        Ok(())
    }

    /// The versions of this moment: a pointer, so that nobody waits while secrets are made.
    fn known(&self) -> Arc<Versions> {
        let versions = self.versions.read();
        Arc::clone(&versions.unwrap_or_else(PoisonError::into_inner))
    }

    /// The keys of a new house: the root and the first sealing key.
    ///
    /// # Errors
    /// As [`Key::draw`].
    pub fn found(
        master: &MasterKey,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<Vec<Key>, Fault> {
        Ok(vec![
            Key::draw(0, master, entropy, now)?,
            Key::draw(1, master, entropy, now)?,
        ])
    }

    /// Draws a new secret of this kind and layout.
    ///
    /// # Errors
    /// A fault when the keyring is empty, which [`Keyring::open`] excludes.
    pub fn mint(&self, kind: Kind, layout: Layout, entropy: &dyn Entropy) -> Result<Minted, Fault> {
        loop {
            let mut proof = Zeroizing::new(vec![0; layout.proof_bytes()]);
            entropy.fill(&mut proof);
            let number = layout.draw_number(entropy);
            let minted = self.assemble(kind, layout, number, None, proof)?;
            if fit(minted.secret.expose()) {
                return Ok(minted);
            }
        }
    }

    /// Makes the secret that follows from `parent` for this number: the same one each time, so
    /// that it can be said again without being stored (WeChat's access token from the refresh).
    ///
    /// # Errors
    /// As [`Keyring::mint`].
    pub fn mint_from(
        &self,
        parent: &Presented,
        kind: Kind,
        layout: Layout,
        number: Number,
    ) -> Result<Minted, Fault> {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"yufu child");
        let prk = salt.extract(&parent.proof);
        self.derive(&prk, parent.version, kind, layout, number)
    }

    /// Makes the secret that takes the place of `parent`, or goes beside it: the same one each
    /// time, as [`Keyring::mint_from`] does, but only this house can. Whoever finds an old refresh
    /// token must not be able to work out those that followed it.
    ///
    /// # Errors
    /// A fault when the version is gone.
    pub fn mint_next(
        &self,
        parent: &Presented,
        kind: Kind,
        layout: Layout,
        number: Number,
    ) -> Result<Minted, Fault> {
        let mut context = Zeroizing::new(b"next".to_vec());
        context.extend_from_slice(&parent.proof);
        self.mint_known(parent.version, kind, layout, number, &context)
    }

    /// Makes the secret that the server itself can say again for this number (a scan's code).
    ///
    /// # Errors
    /// A fault when the version is gone.
    pub fn mint_known(
        &self,
        version: u8,
        kind: Kind,
        layout: Layout,
        number: Number,
        context: &[u8],
    ) -> Result<Minted, Fault> {
        let known = self.known();
        let keys = known
            .get(version)
            .ok_or_else(|| Fault::new("a retired key version"))?;
        let prk = hkdf::Prk::new_less_safe(
            hkdf::HKDF_SHA256,
            hmac::sign(&keys.derive, context).as_ref(),
        );
        self.derive(&prk, version, kind, layout, number)
    }

    /// The key of one version under which this house itself keeps secrets of others; `None` when
    /// the version is gone.
    ///
    /// # Errors
    /// As [`SealKey::derive`].
    pub fn vault_key(&self, version: u8) -> Result<Option<SealKey>, Fault> {
        let known = self.known();
        let Some(keys) = known.get(version) else {
            return Ok(None);
        };
        let material = hmac::sign(&keys.derive, b"vault");
        SealKey::derive(b"vault", &[material.as_ref()]).map(Some)
    }

    /// The 32 bytes from which one version's signing key for session assertions follows; `None`
    /// when the version is gone.
    pub fn signing_seed(&self, version: u8) -> Option<Zeroizing<[u8; 32]>> {
        let known = self.known();
        let keys = known.get(version)?;
        let mut seed = Zeroizing::new([0; 32]);
        seed.copy_from_slice(hmac::sign(&keys.derive, b"signing").as_ref());
        Some(seed)
    }

    /// The versions there are, oldest first.
    pub fn versions(&self) -> Vec<u8> {
        self.known().all.iter().map(|keys| keys.version).collect()
    }

    /// The version under which new secrets are made.
    pub fn current_version(&self) -> u8 {
        self.known().current
    }

    fn derive(
        &self,
        parent: &hkdf::Prk,
        version: u8,
        kind: Kind,
        layout: Layout,
        number: Number,
    ) -> Result<Minted, Fault> {
        for attempt in 0u8..=255 {
            let mut proof = Zeroizing::new(vec![0; layout.proof_bytes()]);
            let number_bytes = number.0.to_be_bytes();
            parent
                .expand(
                    &[&[kind as u8, attempt], &number_bytes],
                    Length(proof.len()),
                )
                .and_then(|okm| okm.fill(&mut proof))
                .map_err(|_| Fault::new("derive a secret"))?;
            let minted = self.assemble(kind, layout, number, Some(version), proof)?;
            if fit(minted.secret.expose()) {
                return Ok(minted);
            }
        }
        Err(Fault::new("no fit secret could be derived"))
    }

    fn assemble(
        &self,
        kind: Kind,
        layout: Layout,
        number: Number,
        version: Option<u8>,
        proof: Zeroizing<Vec<u8>>,
    ) -> Result<Minted, Fault> {
        if layout == Layout::ScanUuid {
            let secret = layout.write(&Halves {
                version: 0,
                sealed: 0,
                proof: proof.clone(),
            });
            let (number, hash) = self.look_up(kind, secret.expose().as_bytes());
            return Ok(Minted {
                secret,
                number,
                hash,
                version: 0,
                proof,
            });
        }
        let known = self.known();
        let keys = known
            .get(version.unwrap_or(known.current))
            .ok_or_else(|| Fault::new("a retired key version"))?;
        let hash = pepper(&keys.pepper, kind, number, &proof);
        let sealed = permute(&keys.seal, number.0, layout.number_bits(), false);
        let version = keys.version;
        let secret = layout.write(&Halves {
            version,
            sealed,
            proof: proof.clone(),
        });
        Ok(Minted {
            secret,
            number,
            hash,
            version,
            proof,
        })
    }

    /// Reads a presented secret: `None` when it cannot be one of ours.
    pub fn read(&self, kind: Kind, layout: Layout, text: &str) -> Option<Presented> {
        let halves = layout.read(text)?;
        if layout == Layout::ScanUuid {
            let (number, hash) = self.look_up(kind, text.as_bytes());
            return Some(Presented {
                number,
                version: 0,
                proof: halves.proof,
                hash,
            });
        }
        let known = self.known();
        let keys = known.get(halves.version)?;
        let number = Number(permute(
            &keys.seal,
            halves.sealed,
            layout.number_bits(),
            true,
        ));
        if number.0 >> 63 != 0 {
            return None;
        }
        let hash = pepper(&keys.pepper, kind, number, &halves.proof);
        Some(Presented {
            number,
            version: halves.version,
            proof: halves.proof,
            hash,
        })
    }

    /// The number and hash of something that is looked up by its content (a scan's uuid, a nonce,
    /// a phone number's passcode): keyed, so that the content cannot be guessed from the row.
    pub fn look_up(&self, kind: Kind, content: &[u8]) -> (Number, SecretHash) {
        let mut context = hmac::Context::with_key(&self.root);
        context.update(b"look-up");
        context.update(&[kind as u8]);
        context.update(content);
        let tag = context.sign();
        let mut bytes = [0; 32];
        bytes.copy_from_slice(tag.as_ref());
        let mut head = [0; 8];
        head.copy_from_slice(bytes.split_at(8).0);
        // The hash shows none of the bits of the number.
        let hash = SecretHash::of(&bytes);
        (Number(u64::from_be_bytes(head) >> 1), hash)
    }

    /// A keyed digest under the root key, for one purpose named by `domain`; parts are
    /// length-prefixed so that no two lists of parts read alike.
    pub fn digest(&self, domain: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.root);
        for part in std::iter::once(&domain.as_bytes()).chain(parts) {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.sign().as_ref());
        bytes
    }

    /// The token that a form must bring back: proves that this server made the form for the
    /// holder of `binding` (a session or browser secret).
    pub fn form_token(&self, binding: &str) -> String {
        let digest = self.digest("form", &[binding.as_bytes()]);
        hex(digest.split_at(16).0)
    }

    /// Whether a form's token is the one made for this binding; in constant time.
    pub fn form_token_matches(&self, binding: &str, token: &str) -> bool {
        same(self.form_token(binding).as_bytes(), token.as_bytes())
    }

    /// The `sdk_ticket` of a client for a number: HMAC under the server's key, so that it can be
    /// said again and is not stored (`docs/facts/wechat.md` §6).
    pub fn platform_ticket(&self, client: &ClientId, number: Number) -> Secret {
        let number = number.0.to_be_bytes();
        let a = self.digest("sdk_ticket", &[client.as_str().as_bytes(), &number, b"1"]);
        let b = self.digest("sdk_ticket", &[client.as_str().as_bytes(), &number, b"2"]);
        let mut text = hex(&a);
        text.push_str(hex(&b).split_at(22).0);
        Secret::new(text)
    }
}

/// No random text may contain "errcode": one client looks for that word anywhere in a body
/// (`docs/facts/wechat.md` §17.6).
pub(crate) fn fit(text: &str) -> bool {
    !text.to_ascii_lowercase().contains("errcode")
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn prk(key: &Key, master: &MasterKey) -> Result<hkdf::Prk, Fault> {
    let material = key.unwrap(master)?;
    Ok(hkdf::Salt::new(hkdf::HKDF_SHA256, b"yufu keyring").extract(&material))
}

fn versions(keys: &[Key], master: &MasterKey, now: Timestamp) -> Result<Versions, Fault> {
    let mut keys: Vec<_> = keys.iter().filter(|key| key.version != 0).collect();
    keys.sort_by_key(|key| (key.created_at, key.version));
    let ripe = |key: &&&Key| key.created_at.plus(Keyring::RIPENS) <= now;
    let current = keys.iter().rev().find(ripe).or(keys.first());
    let current = current.ok_or_else(|| Fault::new("the keyring is empty"))?;
    let mut all = Vec::with_capacity(keys.len());
    for key in &keys {
        let prk = prk(key, master)?;
        all.push(Version {
            version: key.version,
            seal: expand(&prk, b"seal")?,
            pepper: expand(&prk, b"pepper")?,
            derive: expand(&prk, b"derive")?,
        });
    }
    Ok(Versions {
        all,
        current: current.version,
    })
}

fn expand(prk: &hkdf::Prk, label: &[u8]) -> Result<hmac::Key, Fault> {
    let mut bytes = Zeroizing::new([0; 32]);
    prk.expand(&[label], Length(32))
        .and_then(|okm| okm.fill(&mut *bytes))
        .map_err(|_| Fault::new("derive a key"))?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &*bytes))
}

fn pepper(key: &hmac::Key, kind: Kind, number: Number, proof: &[u8]) -> SecretHash {
    let mut context = hmac::Context::with_key(key);
    context.update(&[kind as u8]);
    context.update(&number.0.to_be_bytes());
    context.update(proof);
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.sign().as_ref());
    SecretHash(bytes)
}

/// A keyed permutation of numbers of `bits` bits (even): a Feistel network of six rounds whose
/// round function is HMAC-SHA256. It hides when and in what order secrets were made.
fn permute(key: &hmac::Key, value: u64, bits: u32, backwards: bool) -> u64 {
    const ROUNDS: u8 = 6;
    let half = bits / 2;
    let mask = (1u64 << half) - 1;
    let (mut left, mut right) = ((value >> half) & mask, value & mask);
    let round = |number: u8, input: u64| {
        let mut block = [0; 10];
        let (head, tail) = block.split_at_mut(2);
        head.copy_from_slice(&[number, bits as u8]);
        tail.copy_from_slice(&input.to_be_bytes());
        let tag = hmac::sign(key, &block);
        let mut first = [0; 8];
        first.copy_from_slice(tag.as_ref().split_at(8).0);
        u64::from_be_bytes(first) & mask
    };
    for step in 0..ROUNDS {
        if backwards {
            let number = ROUNDS - 1 - step;
            (left, right) = (right ^ round(number, left), left);
        } else {
            (left, right) = (right, left ^ round(step, right));
        }
    }
    (left << half) | right
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Entropy that counts: every draw differs, every run is the same.
    #[derive(Default)]
    pub(crate) struct Counted(AtomicU64);

    impl Entropy for Counted {
        fn fill(&self, buffer: &mut [u8]) {
            for chunk in buffer.chunks_mut(8) {
                let n = self.0.fetch_add(1, Ordering::Relaxed) + 1;
                let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (n << 7);
                chunk.copy_from_slice(&mixed.to_be_bytes()[..chunk.len()]);
            }
        }
        fn millis(&self) -> u64 {
            1_800_000_000_000 + self.0.load(Ordering::Relaxed)
        }
    }

    pub(crate) fn keyring(entropy: &Counted) -> Keyring {
        let master = MasterKey::draw(entropy);
        let keys = Keyring::found(&master, entropy, Timestamp(1)).unwrap();
        Keyring::open(&keys, &master).unwrap()
    }

    proptest! {
        #[test]
        fn sealing_is_a_permutation(value: u64) {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
            for bits in [48, 56, 64] {
                let value = if bits == 64 { value } else { value & ((1 << bits) - 1) };
                let sealed = permute(&key, value, bits, false);
                if bits < 64 { prop_assert!(sealed >> bits == 0); }
                prop_assert_eq!(permute(&key, sealed, bits, true), value);
            }
        }
    }

    #[test]
    fn a_minted_secret_finds_and_proves_its_row_and_no_other() {
        let entropy = Counted::default();
        let ring = keyring(&entropy);
        for layout in [
            Layout::WeChatCode,
            Layout::WeChatToken,
            Layout::Own,
            Layout::ScanUuid,
        ] {
            let minted = ring.mint(Kind::Code, layout, &entropy).unwrap();
            let other = ring.mint(Kind::Code, layout, &entropy).unwrap();
            let read = ring
                .read(Kind::Code, layout, minted.secret.expose())
                .unwrap();
            assert_eq!(read.number, minted.number);
            assert!(read.proves(&minted.hash) && !read.proves(&other.hash));
            let as_another_kind = ring
                .read(Kind::Access, layout, minted.secret.expose())
                .unwrap();
            assert!(
                !as_another_kind.proves(&minted.hash),
                "a code is no access token"
            );
        }
    }

    #[test]
    fn a_child_secret_is_the_same_each_time_and_depends_on_its_parent() {
        let entropy = Counted::default();
        let ring = keyring(&entropy);
        let layout = Layout::WeChatToken;
        let parents: Vec<_> = (0..2)
            .map(|_| ring.mint(Kind::Refresh, layout, &entropy).unwrap())
            .map(|minted| {
                ring.read(Kind::Refresh, layout, minted.secret.expose())
                    .unwrap()
            })
            .collect();
        let number = layout.draw_number(&entropy);
        let child = |parent| {
            ring.mint_from(parent, Kind::Access, layout, number)
                .unwrap()
        };
        assert!(child(&parents[0]).secret == child(&parents[0]).secret);
        assert!(child(&parents[0]).secret != child(&parents[1]).secret);
        let again = ring
            .read(Kind::Access, layout, child(&parents[0]).secret.expose())
            .unwrap();
        assert!(again.proves(&child(&parents[0]).hash) && again.number == number);
    }

    #[test]
    fn numbers_follow_time_but_sealed_numbers_do_not_show_it() {
        let entropy = Counted::default();
        let ring = keyring(&entropy);
        let minted: Vec<_> = (0..50)
            .map(|_| ring.mint(Kind::Session, Layout::Own, &entropy).unwrap())
            .collect();
        assert!(minted.windows(2).all(|w| w[0].number < w[1].number));
        let mut texts: Vec<_> = minted
            .iter()
            .map(|m| m.secret.expose().to_owned())
            .collect();
        texts.sort();
        assert!(
            texts
                .iter()
                .zip(&minted)
                .any(|(text, m)| text != m.secret.expose())
        );
    }

    #[test]
    fn another_master_key_opens_nothing() {
        let entropy = Counted::default();
        let master = MasterKey::draw(&entropy);
        let keys = Keyring::found(&master, &entropy, Timestamp(1)).unwrap();
        let same = MasterKey::parse(master.write().expose()).unwrap();
        assert!(Keyring::open(&keys, &same).is_ok());
        assert!(Keyring::open(&keys, &MasterKey::draw(&entropy)).is_err());
        assert!(Keyring::open(&[], &master).is_err());
    }

    #[test]
    fn old_secrets_outlive_a_rotation() {
        let entropy = Counted::default();
        let master = MasterKey::draw(&entropy);
        let mut keys = Keyring::found(&master, &entropy, Timestamp(1)).unwrap();
        let old = Keyring::open(&keys, &master).unwrap();
        let minted = old.mint(Kind::Session, Layout::Own, &entropy).unwrap();
        keys.push(Key::draw(2, &master, &entropy, Timestamp(2)).unwrap());
        let new = Keyring::open(&keys, &master).unwrap();
        assert_eq!(new.current_version(), 2);
        let read = new
            .read(Kind::Session, Layout::Own, minted.secret.expose())
            .unwrap();
        assert!(read.proves(&minted.hash));
    }

    #[test]
    fn a_new_version_is_read_at_once_and_written_when_it_is_ripe() {
        let entropy = Counted::default();
        let master = MasterKey::draw(&entropy);
        let made = Timestamp::from_seconds(1000);
        let mut keys = Keyring::found(&master, &entropy, Timestamp(1)).unwrap();
        let ring = Keyring::open_at(&keys, &master, made).unwrap();
        keys.push(Key::draw(2, &master, &entropy, made).unwrap());
        let minted = Keyring::open(&keys, &master)
            .unwrap()
            .mint(Kind::Session, Layout::Own, &entropy)
            .unwrap();
        assert_eq!(minted.version, 2);
        let text = minted.secret.expose();
        assert!(ring.read(Kind::Session, Layout::Own, text).is_none());
        for (millis, current) in [(0, 1), (59_999, 1), (60_000, 2), (-5, 1)] {
            let now = made.plus(Lifetime::from_millis(millis));
            ring.reload(&keys, &master, now).unwrap();
            assert_eq!(ring.current_version(), current, "{millis}");
            let again = ring.read(Kind::Session, Layout::Own, text).unwrap();
            assert!(again.proves(&minted.hash));
        }
        // Another master key changes nothing.
        let other = MasterKey::draw(&entropy);
        assert!(ring.reload(&keys, &other, made).is_err());
        assert_eq!(ring.versions(), [1, 2]);
    }

    #[test]
    fn a_house_of_one_moment_has_a_version_to_write_with() {
        let entropy = Counted::default();
        let master = MasterKey::draw(&entropy);
        let keys = Keyring::found(&master, &entropy, Timestamp(1)).unwrap();
        let ring = Keyring::open_at(&keys, &master, Timestamp(1)).unwrap();
        assert_eq!(ring.current_version(), 1);
    }

    #[test]
    fn what_follows_a_secret_is_the_same_again_and_only_under_the_same_keys() {
        let entropy = Counted::default();
        let (ours, theirs) = (keyring(&entropy), keyring(&entropy));
        let parent = ours.mint(Kind::Refresh, Layout::Own, &entropy).unwrap();
        let next = |ring: &Keyring, kind| {
            ring.mint_next(&parent.presented(), kind, Layout::Own, parent.number)
                .unwrap()
        };
        let child = next(&ours, Kind::Refresh);
        assert!(child.secret == next(&ours, Kind::Refresh).secret);
        assert!(child.secret != parent.secret);
        let read = ours.read(Kind::Refresh, Layout::Own, child.secret.expose());
        let read = read.unwrap();
        assert!(read.number == parent.number && read.proves(&child.hash));
        // Not even the random bits are those that other keys would give.
        let proof = |minted: &Minted| minted.proof.to_vec();
        assert!(proof(&child) != proof(&next(&theirs, Kind::Refresh)));
        assert!(proof(&child) != proof(&next(&ours, Kind::Device)));
    }

    #[test]
    fn the_word_that_breaks_clients_is_never_written() {
        assert!(!fit("abcERRcodeX"));
        assert!(fit("abcdef"));
    }

    #[test]
    fn form_tokens_are_bound() {
        let entropy = Counted::default();
        let ring = keyring(&entropy);
        let token = ring.form_token("browser");
        assert!(ring.form_token_matches("browser", &token));
        assert!(!ring.form_token_matches("another", &token));
        assert!(!ring.form_token_matches("browser", ""));
    }
}
