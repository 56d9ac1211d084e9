//! What a client asks to do: scopes, and lists of them.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The most scopes that one request may name; more is refused as malformed.
pub const MAX_SCOPES: usize = 16;
/// The most bytes of one scope.
pub const MAX_SCOPE_BYTES: usize = 64;

/// `snsapi_base`: silent, an openid and nothing else (`docs/facts/wechat.md` §3).
pub const BASE: &str = "snsapi_base";
/// `snsapi_userinfo`: the profile, after consent.
pub const USERINFO: &str = "snsapi_userinfo";
/// `snsapi_login`: website login by scan; the profile is allowed.
pub const LOGIN: &str = "snsapi_login";

/// A list of scopes in the order in which they were asked for, without repeats.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scopes(Vec<Arc<str>>);

impl Scopes {
    /// Reads a list separated by `separator`; empty parts are skipped, repeats dropped.
    ///
    /// `None` when a scope is too long, holds anything but visible ASCII (RFC 6749 §3.3), or
    /// there are more than [`MAX_SCOPES`].
    pub fn parse(text: &str, separator: char) -> Option<Self> {
        let mut list = Self::default();
        for part in text.split(separator).filter(|part| !part.is_empty()) {
            let visible = part
                .bytes()
                .all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
            if !visible || part.len() > MAX_SCOPE_BYTES {
                return None;
            }
            if !list.contains(part) {
                list.0.push(Arc::from(part));
            }
        }
        (list.0.len() <= MAX_SCOPES).then_some(list)
    }

    /// A list from names known to be well formed.
    pub fn of(names: &[&str]) -> Self {
        Self(names.iter().map(|name| Arc::from(*name)).collect())
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this scope is in the list.
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|scope| &**scope == name)
    }

    /// Whether every scope of `other` is in this list.
    pub fn covers(&self, other: &Self) -> bool {
        other.iter().all(|scope| self.contains(scope))
    }

    /// This list, then what `other` adds to it.
    pub fn union(&self, other: &Self) -> Self {
        let mut all = self.clone();
        for scope in &other.0 {
            if !all.contains(scope) {
                all.0.push(scope.clone());
            }
        }
        all
    }

    /// The scopes, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|scope| &**scope)
    }

    /// The list written with commas, as the Chinese dialects write it.
    pub fn joined(&self, separator: &str) -> String {
        self.0.join(separator)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.joined(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_and_repeats_are_dropped() {
        let scopes = Scopes::parse("snsapi_login,,snsapi_userinfo,snsapi_login", ',').unwrap();
        assert_eq!(scopes.to_string(), "snsapi_login,snsapi_userinfo");
        assert!(scopes.contains(LOGIN) && !scopes.contains(BASE));
    }

    #[test]
    fn what_is_not_visible_ascii_is_refused() {
        for text in [
            "snsapi_base\u{7f}",
            "a b",
            "é",
            "a\"b",
            "a\\b",
            &"x".repeat(65),
        ] {
            assert_eq!(Scopes::parse(text, ','), None, "{text}");
        }
        let many = (0..17)
            .map(|i| format!("s{i}"))
            .collect::<Vec<_>>()
            .join(",");
        assert_eq!(Scopes::parse(&many, ','), None);
    }

    #[test]
    fn a_list_covers_its_parts_only() {
        let all = Scopes::of(&[LOGIN, USERINFO]);
        assert!(all.covers(&Scopes::of(&[LOGIN])) && !Scopes::of(&[LOGIN]).covers(&all));
        assert_eq!(Scopes::of(&[LOGIN]).union(&all), all);
    }
}
