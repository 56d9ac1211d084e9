//! Names of things: newtypes, so that a user is never mistaken for a grant.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A time-ordered number that finds a row: real milliseconds, then random bits, 63 bits at most.
///
/// It orders rows as they were made, so that they are appended instead of scattered, and it is
/// never shown in clear: see [`crate::keyring::Keyring`] for how it is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Number(pub u64);

impl Number {
    /// The number as the signed integer that databases know. Lossless: numbers have 63 bits.
    pub const fn to_i64(self) -> i64 {
        self.0 as i64
    }

    /// The number back from a database.
    pub const fn from_i64(value: i64) -> Self {
        Self(value as u64)
    }
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Number);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{:016x}"), self.0.0)
            }
        }

        impl $name {
            /// Reads the form that `Display` writes; `None` for anything else.
            pub fn parse(text: &str) -> Option<Self> {
                let hex = text.strip_prefix($prefix)?;
                let plain = hex.len() == 16
                    && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                let value = u64::from_str_radix(hex, 16).ok()?;
                (plain && value >> 63 == 0).then_some(Self(Number(value)))
            }
        }
    };
}

number_id!(
    /// A person who can say yes: the resource owner of RFC 6749 §1.1.
    UserId, "u"
);
number_id!(
    /// Who owns clients; the sector of unionid (OpenID Connect Core §8.1 calls it sector).
    DeveloperId, "d"
);
number_id!(
    /// The standing yes of a user to a client.
    GrantId, "g"
);
number_id!(
    /// A merge of two accounts, for as long as it can be undone.
    MergeId, "m"
);

/// A client's public name: `appid` on WeChat's wire, `client_id` in RFC 6749 §2.2.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(Arc<str>);

impl ClientId {
    /// The most bytes a client id may have; longer ones are unknown without a look.
    pub const MAX_BYTES: usize = 64;

    /// Takes any text; whether such a client exists is the store's to say.
    pub fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The text as it stands on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_what_they_wrote() {
        let id = UserId(Number(0x0123_4567_89ab_cdef));
        assert_eq!(id.to_string(), "u0123456789abcdef");
        assert_eq!(UserId::parse(&id.to_string()), Some(id));
    }

    #[test]
    fn an_id_of_another_kind_or_shape_is_none() {
        for text in [
            "",
            "u",
            "g0123456789abcdef",
            "u0123456789ABCDEF",
            "u123456789abcdef",
            "u00123456789abcdef",
            "u+123456789abcdef",
            "uffffffffffffffff",
        ] {
            assert_eq!(UserId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_survive_a_database() {
        let number = Number((1 << 63) - 1);
        assert_eq!(Number::from_i64(number.to_i64()), number);
        assert!(number.to_i64() > 0);
    }
}
