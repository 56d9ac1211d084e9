//! People: their profile, their handles and how they prove themselves.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{ClientId, UserId};
use crate::identity::{Identity, IdentityKey, Person, Provider};
use crate::refusal::Refusal;
use crate::time::Timestamp;

/// A phone number in E.164: `+`, then 8 to 15 digits, the first not 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Phone(String);

impl Phone {
    /// Reads a number as people type it: spaces, dashes, dots and brackets are dropped, `00` is
    /// `+`, and eleven digits that start with 1 are a mainland mobile number.
    ///
    /// # Errors
    /// [`Refusal::PhoneMalformed`].
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        if text.len() > 64 {
            return Err(Refusal::PhoneMalformed);
        }
        let plain: String = text
            .chars()
            .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '(' | ')' | '.'))
            .collect();
        let digits = match (plain.strip_prefix('+'), plain.strip_prefix("00")) {
            (Some(digits), _) | (None, Some(digits)) => digits.to_owned(),
            (None, None) if plain.len() == 11 && plain.starts_with('1') => format!("86{plain}"),
            (None, None) => return Err(Refusal::PhoneMalformed),
        };
        let mainland = digits.strip_prefix("86");
        let sound = (8..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|b| b.is_ascii_digit())
            && mainland.is_none_or(|rest| rest.len() == 11 && rest.starts_with('1'));
        if sound {
            Ok(Self(format!("+{digits}")))
        } else {
            Err(Refusal::PhoneMalformed)
        }
    }

    /// The number in E.164.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number with its middle hidden, for pages and logs: `+86 138****0000`.
    pub fn masked(&self) -> String {
        let (head, tail) = match self.0.strip_prefix("+86") {
            Some(rest) => (
                "+86 ".to_owned() + rest.get(..3).unwrap_or(""),
                rest.get(7..),
            ),
            None => (
                self.0.get(..4).unwrap_or("+").to_owned(),
                self.0.get(self.0.len() - 2..),
            ),
        };
        format!("{head}****{}", tail.unwrap_or(""))
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a user is known by outside the platform: unique over all users.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Handle {
    /// A phone number that was proved by a passcode, or set by an operator.
    Phone(Phone),
    /// An upstream identity, by its key.
    Identity(Provider, String),
    /// The person behind upstream identities, by unionid and the account it is valid in.
    Person(Provider, String),
}

impl Handle {
    /// The kind and value under which the store keeps it.
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Phone(phone) => ("phone", phone.as_str()),
            Self::Identity(provider, value) => (provider.word(), value),
            Self::Person(provider, value) => (provider.person_word(), value),
        }
    }

    /// The handle of an identity.
    pub fn of(key: &IdentityKey) -> Self {
        Self::Identity(key.provider, key.value())
    }

    /// The handle of a person.
    pub fn of_person(person: &Person) -> Self {
        Self::Person(person.provider, person.value())
    }
}

/// A user's sex, as the platform numbers it (`docs/facts/wechat.md` §7.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sex {
    /// 0.
    #[default]
    Unknown,
    /// 1.
    Male,
    /// 2.
    Female,
}

impl Sex {
    /// The platform's number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::Male => 1,
            Self::Female => 2,
        }
    }

    /// Reads the platform's number; anything unknown is unknown.
    pub fn from_number(number: u64) -> Self {
        match number {
            1 => Self::Male,
            2 => Self::Female,
            _ => Self::Unknown,
        }
    }
}

/// What a user tells of themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// Shown name: 1 to 64 characters, any script, emoji included.
    pub nickname: String,
    /// Address of a picture; empty for none.
    pub avatar: String,
    /// Sex.
    pub sex: Sex,
    /// Province, free text.
    pub province: String,
    /// City, free text.
    pub city: String,
    /// Country: a code or free text.
    pub country: String,
    /// Language tag such as `zh_CN`.
    pub language: String,
}

impl Profile {
    /// Checks the limits of each field.
    ///
    /// # Errors
    /// [`Refusal::ProfileUnfit`] naming the first field that does not fit.
    pub fn check(&self) -> Result<(), Refusal> {
        let fields = [
            ("nickname", &self.nickname, 64),
            ("avatar", &self.avatar, 512),
            ("province", &self.province, 64),
            ("city", &self.city, 64),
            ("country", &self.country, 64),
            ("language", &self.language, 16),
        ];
        for (name, value, most) in fields {
            if value.chars().count() > most || value.chars().any(char::is_control) {
                return Err(Refusal::ProfileUnfit(name));
            }
        }
        let web = self.avatar.is_empty()
            || self.avatar.starts_with("https://")
            || self.avatar.starts_with("http://");
        if self.nickname.trim().is_empty() {
            Err(Refusal::ProfileUnfit("nickname"))
        } else if !web {
            Err(Refusal::ProfileUnfit("avatar"))
        } else {
            Ok(())
        }
    }
}

/// Whether a user may do anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserStatus {
    /// May.
    Active,
    /// Restricted by the platform: tokens answer 50002; at the login backend, disabled.
    Restricted,
    /// Its owner asked for its end, which comes then (login backend).
    Deleting(Timestamp),
    /// Erased: nothing of the person is left but the id (login backend).
    Deleted,
    /// Emptied into another account (login backend).
    Merged(UserId),
}

impl UserStatus {
    /// Whether a session of the platform may begin or go on. A restricted user signs in and is
    /// told there; an account that is gone, or about to go, has nobody to tell.
    pub const fn may_sign_in(&self) -> bool {
        match self {
            Self::Active | Self::Restricted => true,
            Self::Deleting(_) | Self::Deleted | Self::Merged(_) => false,
        }
    }
}

/// A person with an account on the platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its id, never shown to clients.
    pub id: UserId,
    /// What the user tells of themselves.
    pub profile: Profile,
    /// The proved phone number.
    pub phone: Option<Phone>,
    /// The password's argon2id hash in PHC form; `None` when only passcodes are used.
    pub password: Option<String>,
    /// Whether the user may do anything.
    pub status: UserStatus,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When the password last changed; tokens granted before may be void (42007).
    pub password_changed_at: Option<Timestamp>,
    /// When all sessions were last ended ("sign out everywhere"). Sessions that did not begin under
    /// this very value are over: that holds within a millisecond and under a turned clock too.
    pub sessions_from: Timestamp,
    /// What the user is known by at upstreams (login backend).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<Identity>,
    /// The version of the terms that was accepted (login backend).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub consent: String,
    /// When the user last logged in (login backend).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<Timestamp>,
    /// A login that somebody with the number wants in the place of the one there is, and since
    /// when: it may be had when the time to object is over (login backend).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacing: Option<(IdentityKey, Timestamp)>,
    /// Counts its changes; a change of an older version is refused by the store.
    pub version: u32,
}

impl User {
    /// A new account that is known by nothing yet.
    pub fn new(id: UserId, now: Timestamp) -> Self {
        Self {
            id,
            profile: Profile::default(),
            phone: None,
            password: None,
            status: UserStatus::Active,
            created_at: now,
            password_changed_at: None,
            sessions_from: Timestamp(0),
            identities: Vec::new(),
            consent: String::new(),
            seen_at: None,
            replacing: None,
            version: 1,
        }
    }

    /// The identity of this key.
    pub fn identity(&self, key: &IdentityKey) -> Option<&Identity> {
        self.identities.iter().find(|identity| identity.key == *key)
    }

    /// The identities at a provider.
    pub fn identities_of(&self, provider: Provider) -> impl Iterator<Item = &Identity> {
        self.identities
            .iter()
            .filter(move |identity| identity.key.provider == provider)
    }

    /// The identity at this app of ours, if there is one.
    pub fn identity_at(&self, provider: Provider, app: &ClientId) -> Option<&Identity> {
        self.identities_of(provider)
            .find(|identity| identity.key.app == *app)
    }
}

/// Checks a new password: 8 to 128 characters, not the phone number.
///
/// # Errors
/// [`Refusal::PasswordUnfit`].
pub fn check_password(password: &str, phone: Option<&Phone>) -> Result<(), Refusal> {
    let length = password.chars().count();
    let is_phone = phone.is_some_and(|phone| phone.as_str().ends_with(password));
    let monotone = password
        .chars()
        .next()
        .is_some_and(|first| password.chars().all(|c| c == first));
    if (8..=128).contains(&length) && !is_phone && !monotone {
        Ok(())
    } else {
        Err(Refusal::PasswordUnfit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_type_them() {
        for (typed, number) in [
            ("13800000001", "+8613800000001"),
            ("138 0000 0001", "+8613800000001"),
            ("+86 138-0000-0001", "+8613800000001"),
            ("0086 13800000001", "+8613800000001"),
            ("+1 (415) 555-0100", "+14155550100"),
        ] {
            assert_eq!(Phone::parse(typed).unwrap().as_str(), number);
        }
        for typed in [
            "",
            "12",
            "138000000012",
            "+86138",
            "+0123456789",
            "abc",
            "+1٣155550100",
            "+12345678901234567",
        ] {
            assert_eq!(Phone::parse(typed), Err(Refusal::PhoneMalformed), "{typed}");
        }
    }

    #[test]
    fn a_masked_number_hides_its_middle() {
        assert_eq!(
            Phone::parse("13812345678").unwrap().masked(),
            "+86 138****5678"
        );
        assert_eq!(Phone::parse("+14155550123").unwrap().masked(), "+141****23");
    }

    #[test]
    fn profiles_take_any_script_but_no_control_characters() {
        let mut profile = Profile {
            nickname: "梅 é 🐟".into(),
            ..Profile::default()
        };
        assert_eq!(profile.check(), Ok(()));
        profile.city = "a\u{0}b".into();
        assert_eq!(profile.check(), Err(Refusal::ProfileUnfit("city")));
        profile.city.clear();
        profile.avatar = "javascript:alert(1)".into();
        assert_eq!(profile.check(), Err(Refusal::ProfileUnfit("avatar")));
        profile.avatar.clear();
        profile.nickname = "x".repeat(65);
        assert_eq!(profile.check(), Err(Refusal::ProfileUnfit("nickname")));
    }

    #[test]
    fn a_password_is_neither_short_nor_the_number() {
        let phone = Phone::parse("13800000001").unwrap();
        assert!(check_password("correct horse", Some(&phone)).is_ok());
        for bad in [
            "short",
            "13800000001",
            "00000001",
            "aaaaaaaaaa",
            &"x1".repeat(65),
        ] {
            assert!(check_password(bad, Some(&phone)).is_err(), "{bad}");
        }
    }
}
