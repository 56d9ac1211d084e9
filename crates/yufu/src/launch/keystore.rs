//! A trust store as Java reads it, written by hand: the format is a header, the certificates one
//! after the other, and a digest. (`sun.security.provider.JavaKeyStore`, version 2.)

use aws_lc_rs::digest;

/// The password of the digest: Java's own default. It guards nothing, certificates are no secret.
pub const PASSWORD: &str = "changeit";
const MAGIC: u32 = 0xFEED_FEED;
const VERSION: u32 = 2;
const TRUSTED_CERTIFICATE: u32 = 2;
/// What Java mixes between the password and the content.
const WHITENER: &[u8] = b"Mighty Aphrodite";

/// Writes a trust store with these certificates.
pub fn write<C: AsRef<[u8]>>(certificates: &[C], millis: i64) -> Vec<u8> {
    let mut out = Vec::new();
    let count = u32::try_from(certificates.len()).unwrap_or(u32::MAX);
    for word in [MAGIC, VERSION, count] {
        out.extend(word.to_be_bytes());
    }
    for (n, certificate) in certificates.iter().enumerate() {
        out.extend(TRUSTED_CERTIFICATE.to_be_bytes());
        text(&mut out, &format!("root-{n}"));
        out.extend(millis.to_be_bytes());
        text(&mut out, "X.509");
        let bytes = certificate.as_ref();
        out.extend(u32::try_from(bytes.len()).unwrap_or(0).to_be_bytes());
        out.extend(bytes);
    }
    // The format knows no other digest, and nothing is proved by it: whoever can change the file
    // can make a new one.
    let mut seal = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    for unit in PASSWORD.encode_utf16() {
        seal.update(&unit.to_be_bytes());
    }
    seal.update(WHITENER);
    seal.update(&out);
    out.extend(seal.finish().as_ref());
    out
}

fn text(out: &mut Vec<u8>, ascii: &str) {
    out.extend(u16::try_from(ascii.len()).unwrap_or(0).to_be_bytes());
    out.extend(ascii.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_store_is_the_bytes_that_java_writes() {
        // Made once with `KeyStore.getInstance("JKS")`, `load(null, null)` and
        // `store(out, "changeit".toCharArray())` of OpenJDK 17.
        let expected = "feedfeed0000000200000000e2686e45fb43dfa4d992dd41ceb6b21c6330d792";
        let written = write::<&[u8]>(&[], 0);
        assert_eq!(yufu_core::keyring::hex(&written), expected);
    }
}
