//! Marks: what stands in a flow where a secret stood. The same value has the same mark within a
//! run, and a mark tells nothing: it is made by a key that is drawn for the run and never shown.

use std::fmt::Write as _;

use yufu_core::secret::Entropy;

/// The key of a run's marks.
#[derive(Clone)]
pub(super) struct Marks {
    key: (u64, u64),
}

/// Stands for a value: two values are the same if their ties are.
pub(super) type TieKey = u64;

impl Marks {
    /// Draws a key.
    pub(super) fn draw(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes);
        let (low, high) = bytes.split_at(8);
        let word = |half: &[u8]| half.iter().fold(0, |word, b| (word << 8) | u64::from(*b));
        Self {
            key: (word(low), word(high)),
        }
    }

    /// The keyed hash of a value.
    pub(super) fn tie(&self, value: &str) -> TieKey {
        sip(self.key, value.as_bytes())
    }

    /// The keyed hash of two values.
    pub(super) fn tie_of(&self, one: &str, other: &str) -> TieKey {
        let mut bytes = Vec::with_capacity(one.len() + other.len() + 1);
        bytes.extend_from_slice(one.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(other.as_bytes());
        sip(self.key, &bytes)
    }
}

/// Writes a mark: `code‹3f9a1c…›`.
pub(super) fn write(label: &str, tie: TieKey, out: &mut String) {
    // A string takes everything that is written to it.
    let _ = write!(out, "{label}‹{:06x}…›", tie >> 40);
}

/// SipHash-2-4: a keyed hash for short texts (Aumasson and Bernstein, 2012).
fn sip((k0, k1): (u64, u64), bytes: &[u8]) -> u64 {
    let mut v = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        block(&mut v, u64::from_le_bytes(word));
    }
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(chunks.remainder()) {
        *to = *from;
    }
    last[7] = (bytes.len() & 0xff) as u8;
    block(&mut v, u64::from_le_bytes(last));
    v[2] ^= 0xff;
    for _ in 0..4 {
        round(&mut v);
    }
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

fn block(v: &mut [u64; 4], word: u64) {
    v[3] ^= word;
    round(v);
    round(v);
    v[0] ^= word;
}

fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[2] = v[2].rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_siphash() {
        // The vector of the paper's appendix: key 00 01 … 0f, message 00 01 … 0e.
        let key = (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        let message: Vec<u8> = (0..15).collect();
        assert_eq!(sip(key, &message), 0xa129_ca61_49be_45e5);
        // And of the authors' code, of nothing at all.
        assert_eq!(sip(key, &[]), 0x726f_db47_dd0e_0e31);
    }

    #[test]
    fn another_run_has_other_marks() {
        let (one, other) = (Marks { key: (1, 2) }, Marks { key: (1, 3) });
        assert_eq!(one.tie("a"), one.tie("a"));
        assert_ne!(one.tie("a"), other.tie("a"));
        assert_ne!(one.tie_of("ab", "c"), one.tie_of("a", "bc"));
        let mut text = String::new();
        write("code", 0x3f9a_1c00_0000_0000, &mut text);
        assert_eq!(text, "code‹3f9a1c…›");
    }
}
