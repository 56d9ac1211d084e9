//! The two halves of the tally: the plain secret its holder keeps, and the hash that is stored.
//!
//! A secret is two parts. A time-ordered [`Number`] finds the row; it is sealed by a keyed
//! permutation so that it tells nothing. Random bits prove the row; only their HMAC is kept.
//! [`Layout`] gives each kind its shape on the wire. [`crate::keyring::Keyring`] makes and reads them.

use aws_lc_rs::{constant_time, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::id::Number;

/// Random bits and real milliseconds, drawn in the wiring. Tests count instead.
pub trait Entropy: Send + Sync {
    /// Fills the buffer with random bytes.
    fn fill(&self, buffer: &mut [u8]);
    /// Real milliseconds since 1970 for new numbers; never the turned clock of a sandbox.
    fn millis(&self) -> u64;
}

/// A secret in clear. It has no `Debug` and no `Display`, and is wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text; from here on it cannot be printed by accident.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself: only for the wire, a cookie, or a letter to its holder.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The stored half: 32 bytes that prove a secret and cannot be turned back into it.
/// In bodies it is written as base64url.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SecretHash(pub [u8; 32]);

impl From<SecretHash> for String {
    fn from(hash: SecretHash) -> Self {
        URL_SAFE_NO_PAD.encode(hash.0)
    }
}

impl TryFrom<String> for SecretHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| "no base64url")?;
        let bytes = bytes.try_into().map_err(|_| "not 32 bytes")?;
        Ok(Self(bytes))
    }
}

impl SecretHash {
    /// SHA-256 of a secret that is long and random itself (a client secret, a PKCE verifier).
    pub fn of(secret: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, secret).as_ref());
        Self(bytes)
    }
}

impl PartialEq for SecretHash {
    /// In constant time.
    fn eq(&self, other: &Self) -> bool {
        same(&self.0, &other.0)
    }
}

impl Eq for SecretHash {}

/// Whether two byte strings are equal; the time taken tells only whether their lengths are.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// The shape of a secret on the wire: how many bits number, how many prove, how they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Layout {
    /// A WeChat code: `0`, the version digit, `1`, then 29 base-62 characters of 56 + 112 bits
    /// (`docs/facts/wechat.md` §2: 32 characters of `[0-9A-Za-z]`).
    WeChatCode,
    /// A WeChat access or refresh token: `8`, the version digit, `_`, then 107 characters of
    /// base64url of 64 + 576 bits (110 characters, §2).
    WeChatToken,
    /// A scan's uuid: 16 alphanumerics, all random, looked up by hash; no version, no number in it.
    ScanUuid,
    /// Our own (sessions, interactions): the version digit, then base64url of 64 + 160 bits.
    Own,
}

/// A secret taken apart: what finds the row, and what must prove it.
#[derive(Clone)]
pub struct Halves {
    /// The key version that sealed it, 1 to 9; 0 for a layout without one.
    pub version: u8,
    /// The sealed number, as it stands in the secret.
    pub sealed: u64,
    /// The random bits.
    pub proof: Zeroizing<Vec<u8>>,
}

impl Layout {
    /// Bits of the number in this layout.
    pub const fn number_bits(self) -> u32 {
        match self {
            Self::WeChatCode => 56,
            Self::WeChatToken | Self::Own => 64,
            Self::ScanUuid => 0,
        }
    }

    /// Bytes of random proof in this layout.
    pub const fn proof_bytes(self) -> usize {
        match self {
            Self::WeChatCode => 14,
            Self::WeChatToken => 72,
            Self::Own => 20,
            Self::ScanUuid => 12,
        }
    }

    /// Characters of a whole secret.
    pub const fn length(self) -> usize {
        match self {
            Self::WeChatCode => 32,
            Self::WeChatToken => 110,
            Self::Own => 39,
            Self::ScanUuid => 16,
        }
    }

    /// Writes the halves as the text that goes out.
    pub fn write(self, halves: &Halves) -> Secret {
        let digit = char::from(b'0' + halves.version % 10);
        let mut bytes = Zeroizing::new(Vec::with_capacity(96));
        let width = (self.number_bits() / 8) as usize;
        bytes.extend(halves.sealed.to_be_bytes().iter().skip(8 - width));
        bytes.extend_from_slice(&halves.proof);
        Secret::new(match self {
            Self::WeChatCode => format!("0{digit}1{}", base62(&bytes, 29)),
            Self::WeChatToken => format!("8{digit}_{}", URL_SAFE_NO_PAD.encode(&*bytes)),
            Self::Own => format!("{digit}{}", URL_SAFE_NO_PAD.encode(&*bytes)),
            // 62^16 is a little under 2^96: the highest digit is dropped.
            Self::ScanUuid => base62(&bytes, 16),
        })
    }

    /// Takes a text apart. `None` when it is not exactly what [`Layout::write`] would have written.
    pub fn read(self, text: &str) -> Option<Halves> {
        if text.len() != self.length() || !text.is_ascii() {
            return None;
        }
        let mut version = 0;
        let body = match self {
            Self::WeChatCode => text.strip_prefix('0')?,
            Self::WeChatToken => text.strip_prefix('8')?,
            Self::Own | Self::ScanUuid => text,
        };
        let body = if self == Self::ScanUuid {
            body
        } else {
            let digit = body.chars().next()?;
            version = u8::try_from(digit.to_digit(10)?).ok()?;
            body.get(1..)?
        };
        let bytes = Zeroizing::new(match self {
            Self::WeChatCode => unbase62(body.strip_prefix('1')?, 21)?,
            Self::WeChatToken => URL_SAFE_NO_PAD.decode(body.strip_prefix('_')?).ok()?,
            Self::Own => URL_SAFE_NO_PAD.decode(body).ok()?,
            Self::ScanUuid => {
                let plain = body.bytes().all(|b| b.is_ascii_alphanumeric());
                return plain.then(|| Halves {
                    version: 0,
                    sealed: 0,
                    proof: Zeroizing::new(body.as_bytes().to_vec()),
                });
            }
        });
        let width = (self.number_bits() / 8) as usize;
        let (number, proof) = bytes.split_at_checked(width)?;
        let sealed = number.iter().fold(0u64, |n, b| (n << 8) | u64::from(*b));
        (proof.len() == self.proof_bytes()).then(|| Halves {
            version,
            sealed,
            proof: Zeroizing::new(proof.to_vec()),
        })
    }

    /// A fresh number of this layout: real milliseconds first, random bits below.
    pub fn draw_number(self, entropy: &dyn Entropy) -> Number {
        let mut random = [0; 8];
        entropy.fill(&mut random);
        let random = u64::from_be_bytes(random);
        // 42 bits of milliseconds last until the year 2109; 63 bits in all stay positive in SQL.
        let low = self.number_bits().min(63).saturating_sub(42);
        let millis = entropy.millis() & ((1 << 42) - 1);
        Number((millis << low) | (random & ((1 << low) - 1)))
    }
}

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The bytes as one big number in base 62, most significant digit first, exactly `width`
/// digits: padded with zeros, or without the highest ones.
fn base62(bytes: &[u8], width: usize) -> String {
    let mut rest = Zeroizing::new(bytes.to_vec());
    let mut digits = Vec::with_capacity(width);
    for _ in 0..width {
        let mut carry = 0u32;
        for byte in rest.iter_mut() {
            let value = (carry << 8) | u32::from(*byte);
            *byte = (value / 62) as u8;
            carry = value % 62;
        }
        digits.push(
            ALPHABET
                .get(carry as usize)
                .copied()
                .map_or('0', char::from),
        );
    }
    digits.iter().rev().collect()
}

/// Reads what [`base62`] wrote into exactly `length` bytes; `None` when it does not fit.
fn unbase62(text: &str, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0u8; length];
    for digit in text.bytes() {
        let mut carry = ALPHABET.iter().position(|known| *known == digit)? as u32;
        for byte in bytes.iter_mut().rev() {
            let value = u32::from(*byte) * 62 + carry;
            *byte = (value & 0xff) as u8;
            carry = value >> 8;
        }
        if carry != 0 {
            return None;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn halves(layout: Layout, version: u8, number: u64, seed: u8) -> Halves {
        let bits = layout.number_bits();
        Halves {
            version,
            sealed: if bits == 64 {
                number
            } else {
                number & ((1 << bits) - 1)
            },
            proof: Zeroizing::new(
                (0..layout.proof_bytes())
                    .map(|i| seed.wrapping_add(i as u8))
                    .collect(),
            ),
        }
    }

    proptest! {
        #[test]
        fn every_layout_reads_what_it_wrote(version in 1u8..10, number: u64, seed: u8) {
            for layout in [Layout::WeChatCode, Layout::WeChatToken, Layout::Own] {
                let before = halves(layout, version, number, seed);
                let text = layout.write(&before);
                prop_assert_eq!(text.expose().len(), layout.length());
                let after = layout.read(text.expose()).unwrap();
                prop_assert_eq!(after.version, before.version);
                prop_assert_eq!(after.sealed, before.sealed);
                prop_assert_eq!(&*after.proof, &*before.proof);
            }
        }

        #[test]
        fn no_text_makes_a_reader_panic_and_what_reads_is_canonical(text in "\\PC{0,120}") {
            for layout in [Layout::WeChatCode, Layout::WeChatToken, Layout::Own] {
                if let Some(halves) = layout.read(&text) {
                    let again = layout.write(&halves);
                    prop_assert_eq!(again.expose(), text.as_str());
                }
            }
        }
    }

    #[test]
    fn shapes_are_the_platforms() {
        let code = Layout::WeChatCode.write(&halves(Layout::WeChatCode, 1, 7, 3));
        assert_eq!(code.expose().len(), 32);
        assert!(code.expose().starts_with("011"));
        assert!(code.expose().bytes().all(|b| b.is_ascii_alphanumeric()));
        let token = Layout::WeChatToken.write(&halves(Layout::WeChatToken, 2, 7, 3));
        assert_eq!(token.expose().len(), 110);
        assert!(token.expose().starts_with("82_"));
    }

    #[test]
    fn a_value_beyond_168_bits_is_no_code() {
        assert!(
            Layout::WeChatCode
                .read(&format!("011{}", "z".repeat(29)))
                .is_none()
        );
    }

    #[test]
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Secret::new("hush")), "Secret(…)");
    }

    #[test]
    fn hashes_compare_by_content() {
        assert_eq!(SecretHash::of(b"a"), SecretHash::of(b"a"));
        assert_ne!(SecretHash::of(b"a"), SecretHash::of(b"b"));
    }
}
