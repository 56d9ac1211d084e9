//! Upstream identities: what a user is known by at another platform, and what keeps two of them apart.
//!
//! An identity is keyed by provider, our app there, and the subject (openid) that the platform
//! made for that app. A unionid never keys an identity: it may be absent today and appear
//! tomorrow. It names the person behind several identities, and only within one Open Platform
//! account (`docs/facts/login.md` §2).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::ClientId;
use crate::time::Timestamp;

/// Who vouches for an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// A platform that speaks WeChat's dialect.
    Wechat,
}

impl Provider {
    /// All providers.
    pub const ALL: [Self; 1] = [Self::Wechat];

    /// The word for it in addresses, rows and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Wechat => "wechat",
        }
    }

    /// The word under which the store keeps the people of this provider.
    pub const fn person_word(self) -> &'static str {
        match self {
            Self::Wechat => "wechat_person",
        }
    }

    /// Reads the word; `None` for any other.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.word() == word)
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What we are at an upstream: it decides by which door people are sent and how a code is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpstreamKind {
    /// A mobile app: the platform's client hands the code to the app.
    WechatMobile,
    /// A website: the platform's QR page.
    WechatWebsite,
    /// A service account: pages inside the platform's client.
    WechatService,
    /// A mini program: the code is paid at another address and brings no tokens.
    WechatMini,
}

impl UpstreamKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [
        Self::WechatMobile,
        Self::WechatWebsite,
        Self::WechatService,
        Self::WechatMini,
    ];

    /// The word for it in configuration and answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::WechatMobile => "wechat-mobile",
            Self::WechatWebsite => "wechat-website",
            Self::WechatService => "wechat-service",
            Self::WechatMini => "wechat-mini",
        }
    }

    /// Reads the word; `None` for any other.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.word() == word)
    }

    /// Who vouches for identities of this kind.
    pub const fn provider(self) -> Provider {
        match self {
            Self::WechatMobile | Self::WechatWebsite | Self::WechatService | Self::WechatMini => {
                Provider::Wechat
            }
        }
    }
}

/// An app of ours at an upstream, as the rules see it: without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamApp {
    /// Its name in our configuration, by which calls choose it.
    pub name: String,
    /// What we are there.
    pub kind: UpstreamKind,
    /// Our public name there.
    pub appid: ClientId,
    /// The name of the Open Platform account it belongs to; `None` when unionids mean nothing.
    pub union_scope: Option<String>,
}

/// The key of an upstream identity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IdentityKey {
    /// Who vouches.
    pub provider: Provider,
    /// Our app there.
    pub app: ClientId,
    /// The platform's name of the user for that app: the openid.
    pub subject: String,
}

impl IdentityKey {
    /// The most bytes of a subject; the platforms' have 28 to 40.
    pub const MAX_SUBJECT_BYTES: usize = 128;

    /// The value under which the store keeps it. No app id or subject holds a line break.
    pub fn value(&self) -> String {
        format!("{}\n{}", self.app, self.subject)
    }
}

/// The person behind identities of several apps of one Open Platform account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Person {
    /// Who vouches.
    pub provider: Provider,
    /// The Open Platform account within which the id means anything.
    pub scope: String,
    /// The unionid.
    pub id: String,
}

impl Person {
    /// The value under which the store keeps it.
    pub fn value(&self) -> String {
        format!("{}\n{}", self.scope, self.id)
    }
}

/// Whether an identity may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityStatus {
    /// It may.
    #[default]
    Linked,
    /// The user withdrew the authorization at the platform: the link is kept, so that authorizing
    /// again leads to the same account; profile and tokens are gone.
    Revoked,
}

/// An upstream identity of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// What it is keyed by.
    #[serde(flatten)]
    pub key: IdentityKey,
    /// The person behind it, once the platform told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Person>,
    /// Unionids that the platform told before it told another one, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<String>,
    /// Whether it may be used.
    #[serde(default)]
    pub status: IdentityStatus,
    /// When it was linked.
    pub linked_at: Timestamp,
    /// The shown name at the platform, byte for byte; empty when unknown or erased.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub nickname: String,
    /// The address of the picture at the platform; empty when unknown or erased.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub avatar: String,
}

/// What an upstream told of a login, read and checked: nothing of it comes from the user's device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vouched {
    /// Who it is there.
    pub key: IdentityKey,
    /// The person, when the upstream told a unionid and the app belongs to a named account.
    pub person: Option<Person>,
    /// The shown name; `None` when the profile could not be read.
    pub profile: Option<VouchedProfile>,
}

/// The part of an upstream profile that is kept: name and picture, nothing else
/// (`docs/facts/login.md` §2, minimisation).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VouchedProfile {
    /// The shown name, byte for byte.
    pub nickname: String,
    /// The address of the picture; empty for none.
    pub avatar: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back() {
        for kind in UpstreamKind::ALL {
            assert_eq!(UpstreamKind::parse(kind.word()), Some(kind));
            let json = serde_json::to_string(&kind).unwrap();
            assert_eq!(json, format!("\"{}\"", kind.word()));
        }
        for provider in Provider::ALL {
            assert_eq!(Provider::parse(provider.word()), Some(provider));
        }
        assert_eq!(UpstreamKind::parse("wechat"), None);
    }

    #[test]
    fn the_same_openid_at_two_apps_is_two_identities() {
        let key = |app: &str| IdentityKey {
            provider: Provider::Wechat,
            app: ClientId::new(app),
            subject: "o1".into(),
        };
        assert_ne!(key("wx1").value(), key("wx2").value());
    }
}
