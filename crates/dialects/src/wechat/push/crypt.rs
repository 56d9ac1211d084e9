//! The encryption of pushes ("Message push"): AES-256-CBC over 16 random bytes, the
//! length, the message and the client's name, padded to blocks of 32.

use std::fmt;

use aws_lc_rs::cipher::{
    AES_256, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use yufu_core::secret::same;
use zeroize::Zeroizing;

use super::PushError;

/// The key's text is 43 characters of 6 bits, two more than 32 bytes have, and a random key has
/// them set: they are left out of account, as everywhere.
const KEY_TEXT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);
/// PKCS#7 with another block than the cipher's own, which has 16.
const BLOCK: usize = 32;
const RANDOM_BYTES: usize = 16;
const LENGTH_BYTES: usize = 4;

/// The EncodingAESKey of pushes. It is not printed, and is wiped when dropped.
#[derive(Clone)]
pub struct AesKey(Zeroizing<[u8; 32]>);

impl AesKey {
    /// Reads the 43 characters that the platform's console shows. `None` when they are no such
    /// key.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 43 {
            return None;
        }
        let bytes = Zeroizing::new(KEY_TEXT.decode(text).ok()?);
        let mut key = Zeroizing::new([0; 32]);
        if bytes.len() != key.len() {
            return None;
        }
        key.copy_from_slice(&bytes);
        Some(Self(key))
    }

    /// Takes 32 random bytes; [`AesKey::text`] shows them.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The 43 characters for the other side's console.
    pub fn text(&self) -> yufu_core::secret::Secret {
        let text = Zeroizing::new(STANDARD.encode(*self.0));
        yufu_core::secret::Secret::new(text.trim_end_matches('='))
    }

    fn cipher_key(&self) -> Option<UnboundCipherKey> {
        UnboundCipherKey::new(&AES_256, &*self.0).ok()
    }

    /// The initialization vector is the key's first half; the random bytes in front of the
    /// message stand in for it.
    fn iv(&self) -> [u8; 16] {
        let mut iv = [0; 16];
        iv.iter_mut()
            .zip(self.0.iter())
            .for_each(|(to, from)| *to = *from);
        iv
    }
}

impl fmt::Debug for AesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AesKey(…)")
    }
}

/// Decrypts an `Encrypt` whose signature was checked before.
pub(super) fn decrypt(key: &AesKey, encrypted: &str, appid: &str) -> Result<Vec<u8>, PushError> {
    let mut bytes = STANDARD
        .decode(encrypted)
        .map_err(|_| PushError("base64"))?;
    if bytes.is_empty() || !bytes.len().is_multiple_of(BLOCK) {
        return Err(PushError("blocks"));
    }
    let context = DecryptionContext::Iv128(FixedLength::from(key.iv()));
    let cipher = key
        .cipher_key()
        .and_then(|key| DecryptingKey::cbc(key).ok());
    let clear = cipher
        .and_then(|cipher| cipher.decrypt(&mut bytes, context).ok())
        .ok_or(PushError("cipher"))?;
    let inner = unpad(clear).ok_or(PushError("padding"))?;
    let (message, name) = take_apart(inner).ok_or(PushError("length"))?;
    if same(name, appid.as_bytes()) {
        Ok(message.to_vec())
    } else {
        Err(PushError("appid"))
    }
}

/// The bytes without their padding: its last byte says how many it has, and all are the same.
fn unpad(bytes: &[u8]) -> Option<&[u8]> {
    let count = usize::from(*bytes.last()?);
    let (inner, padding) = bytes.split_at_checked(bytes.len().checked_sub(count)?)?;
    let sound = (1..=BLOCK).contains(&count) && padding.iter().all(|b| usize::from(*b) == count);
    sound.then_some(inner)
}

/// The message and the name of the client behind it.
fn take_apart(inner: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, rest) = inner.split_at_checked(RANDOM_BYTES)?;
    let (length, rest) = rest.split_first_chunk::<LENGTH_BYTES>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// Encrypts a message for a client. `None` for one of more than 4 GiB.
pub(super) fn encrypt(
    key: &AesKey,
    random: &[u8; RANDOM_BYTES],
    message: &[u8],
    appid: &str,
) -> Option<String> {
    let length = u32::try_from(message.len()).ok()?;
    let mut bytes = [
        &random[..],
        &length.to_be_bytes(),
        message,
        appid.as_bytes(),
    ]
    .concat();
    let count = BLOCK - bytes.len() % BLOCK;
    bytes.resize(bytes.len() + count, u8::try_from(count).ok()?);
    let cipher = EncryptingKey::cbc(key.cipher_key()?).ok()?;
    let context = EncryptionContext::Iv128(FixedLength::from(key.iv()));
    cipher.less_safe_encrypt(&mut bytes, context).ok()?;
    Some(STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_43_characters_and_their_last_bits_may_be_anything() {
        let key = AesKey::parse("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG").unwrap();
        let hex: String = key.0.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            hex,
            "69b71d79f8218a39259a7a29aabb2dbafc31cb3d35db7e39ebbf3d0010831051"
        );
        // The last character's two spare bits: A and D have the same four in front.
        let even = AesKey::parse(&("x".repeat(42) + "A")).unwrap();
        let odd = AesKey::parse(&("x".repeat(42) + "D")).unwrap();
        assert_eq!(*even.0, *odd.0);
        for bad in [
            "",
            &"x".repeat(42),
            &"x".repeat(44),
            &("x".repeat(42) + "="),
            &("x".repeat(42) + "-"),
        ] {
            assert!(AesKey::parse(bad).is_none(), "{bad}");
        }
        assert_eq!(format!("{key:?}"), "AesKey(…)");
    }

    #[test]
    fn a_key_shown_is_the_key_read() {
        for byte in [0, 7, 255] {
            let key = AesKey::new([byte; 32]);
            let text = key.text();
            assert_eq!(text.expose().len(), 43);
            assert_eq!(*AesKey::parse(text.expose()).unwrap().0, *key.0);
        }
    }

    #[test]
    fn padding_is_checked_to_the_last_byte() {
        let padded =
            |inner: usize, count: u8| [vec![b'x'; inner], vec![count; usize::from(count)]].concat();
        assert_eq!(unpad(&padded(31, 1)), Some(&[b'x'; 31][..]));
        assert_eq!(unpad(&padded(0, 32)), Some(&[][..]));
        assert_eq!(unpad(&padded(31, 33)), None);
        assert_eq!(unpad(&[0; 32]), None);
        assert_eq!(unpad(&[]), None);
        assert_eq!(unpad(&[9; 4]), None);
        let mut broken = padded(16, 16);
        broken[17] = 15;
        assert_eq!(unpad(&broken), None);
    }

    #[test]
    fn a_length_beyond_the_end_is_none() {
        let inner = |length: u32| [&[0; 16][..], &length.to_be_bytes(), b"{}wx1"].concat();
        assert_eq!(take_apart(&inner(2)), Some((&b"{}"[..], &b"wx1"[..])));
        assert_eq!(take_apart(&inner(5)), Some((&b"{}wx1"[..], &b""[..])));
        assert_eq!(take_apart(&inner(6)), None);
        assert_eq!(take_apart(&inner(u32::MAX)), None);
        assert_eq!(take_apart(&[0; 19]), None);
    }
}
