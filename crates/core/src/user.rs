//! People: their profile, their handles and how they prove themselves.

use std::fmt;

use phonenumber::metadata::DATABASE;
use phonenumber::{Metadata, Type};
use serde::{Deserialize, Serialize};

use crate::id::{ClientId, UserId};
use crate::identity::{Identity, IdentityKey, Person, Provider};
use crate::refusal::Refusal;
use crate::time::Timestamp;

/// A phone number in E.164: `+`, then 8 to 15 digits, the first not 0. One number has one spelling:
/// it is a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Phone(String);

impl Phone {
    /// Reads a number as people type or paste it. Blanks, dashes, dots, brackets and invisible
    /// marks are dropped, full-width characters are plain ones, `00` is `+`, and what has no
    /// country is a mainland mobile number. A `0` that is only dialled within a country is
    /// dropped too.
    ///
    /// # Errors
    /// [`Refusal::PhoneMalformed`].
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let digits = typed(text).and_then(|plain| {
            let abroad = plain.strip_prefix('+').or_else(|| plain.strip_prefix("00"));
            let digits = match abroad {
                Some(digits) => digits,
                None => return Some(format!("86{}", mainland(&plain)?)),
            };
            if !digits.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            match digits.strip_prefix("86") {
                Some(rest) => Some(format!("86{}", mainland(rest)?)),
                None => foreign(digits),
            }
        });
        match digits {
            Some(digits) => Ok(Self(format!("+{digits}"))),
            None => Err(Refusal::PhoneMalformed),
        }
    }

    /// The number in E.164.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it could be a mobile phone's. The mainland's are 1 and a digit from 3 on, whatever
    /// ranges are in use today; elsewhere the numbering plan knows, and what it does not know
    /// could be.
    pub fn is_mobile(&self) -> bool {
        let digits = self.0.trim_start_matches('+');
        if let Some(rest) = digits.strip_prefix("86") {
            return is_mainland_mobile(rest);
        }
        let Some((code, plans)) = plans(digits) else {
            return true;
        };
        let national = digits.get(code.len()..).unwrap_or_default();
        let is_any = |kinds: &[Type]| plans.iter().any(|plan| is_of(plan, kinds, national));
        is_any(&[Type::Mobile]) || !is_any(KINDS)
    }

    /// The calling code of its country, such as `86`. Some countries share one.
    pub fn country(&self) -> &str {
        let digits = self.0.trim_start_matches('+');
        match digits.strip_prefix("86") {
            Some(_) => digits.get(..2).unwrap_or_default(),
            None => plans(digits).map(|(code, _)| code).unwrap_or_default(),
        }
    }

    /// Its region by ISO 3166, such as `CN`, where the numbering plan knows: finer than
    /// [`Phone::country`], since `1` is a continent, and a little less certain.
    pub fn region(&self) -> Option<&'static str> {
        let digits = self.0.trim_start_matches('+');
        if digits.starts_with("86") {
            return Some("CN");
        }
        let (code, plans) = plans(digits)?;
        let national = digits.get(code.len()..)?;
        let is_its = |plan: &&Metadata| match plan.leading_digits() {
            Some(leading) => leading
                .find(national)
                .is_some_and(|found| found.start() == 0),
            None => is_of(plan, KINDS, national),
        };
        let found = plans.into_iter().find(is_its)?.id();
        // Numbers of no region, such as +800, have `001`.
        (found.len() == 2).then_some(found)
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

/// What was typed, without what only pleases the eye; still with its `+`. `None` when it is far too
/// long.
fn typed(text: &str) -> Option<String> {
    if text.len() > 256 {
        return None;
    }
    let plain: String = text.chars().filter_map(plain).collect();
    // "+44 (0)20": the bracketed zero is for callers within the country.
    let abroad = plain.trim_start_matches('(').starts_with(['+', '0']);
    let plain = if abroad {
        plain.replacen("(0)", "", 1)
    } else {
        plain
    };
    let plain = plain.replace(['(', ')'], "");
    (plain.len() <= 64).then_some(plain)
}

/// A character of a number as plain as it can be; `None` for one that says nothing.
fn plain(c: char) -> Option<char> {
    match c {
        c if c.is_whitespace() => None,
        '-'
        | '.'
        | '．'
        | '\u{2010}'..='\u{2015}'
        | '\u{2212}'
        | '\u{fe58}'
        | '\u{fe63}'
        | '\u{ff0d}' => None,
        // Marks of direction and joining, as telephone books paste them.
        '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' => None,
        '０'..='９' => char::from_digit(u32::from(c) - u32::from('０'), 10),
        '＋' | '\u{fe62}' => Some('+'),
        '（' => Some('('),
        '）' => Some(')'),
        c => Some(c),
    }
}

/// A mainland number without its country: eleven digits that start with 1; with the zero of
/// long-distance calls, or the country without a `+`, where no other number looks so.
fn mainland(plain: &str) -> Option<&str> {
    let rest = match plain.len() {
        12 => plain
            .strip_prefix('0')
            .filter(|rest| is_mainland_mobile(rest))?,
        13 => plain
            .strip_prefix("86")
            .filter(|rest| is_mainland_mobile(rest))?,
        _ => plain,
    };
    let digits = rest.len() == 11 && rest.bytes().all(|b| b.is_ascii_digit());
    (digits && rest.starts_with('1')).then_some(rest)
}

fn is_mainland_mobile(rest: &str) -> bool {
    rest.len() == 11
        && rest.bytes().all(|b| b.is_ascii_digit())
        && rest
            .strip_prefix('1')
            .is_some_and(|rest| rest.starts_with(|c| c > '2'))
}

/// The digits of a number from abroad. Its country must exist; whether the number does, nobody
/// knows for long.
fn foreign(digits: &str) -> Option<String> {
    let (code, plans) = plans(digits)?;
    let national = digits.get(code.len()..)?;
    let is_whole = |number: &str| plans.iter().any(|plan| is_of(plan, KINDS, number));
    // Where zeros in front belong to the number, as in Italy, the plan has no such prefix.
    let bare = plans
        .first()
        .and_then(|plan| national.strip_prefix(plan.national_prefix()?))
        .filter(|bare| !is_whole(national) && is_whole(bare));
    let digits = format!("{code}{}", bare.unwrap_or(national));
    (8..=15).contains(&digits.len()).then_some(digits)
}

/// What a numbering plan tells apart.
const KINDS: &[Type] = &[
    Type::Mobile,
    Type::FixedLine,
    Type::TollFree,
    Type::PremiumRate,
    Type::SharedCost,
    Type::PersonalNumber,
    Type::Voip,
    Type::Pager,
    Type::Uan,
    Type::Voicemail,
];

/// Whether a plan has the number among one of these kinds.
fn is_of(plan: &Metadata, kinds: &[Type], national: &str) -> bool {
    let mut kinds = kinds
        .iter()
        .filter_map(|kind| plan.descriptors().get(*kind));
    kinds.any(|kind| kind.is_match(national))
}

/// The calling code that the digits begin with, and the numbering plans under it, the main one
/// first. No code begins another one.
fn plans(digits: &str) -> Option<(&str, Vec<&'static Metadata>)> {
    (1..=3).find_map(|length| {
        let code = digits.get(..length).filter(|code| !code.starts_with('0'))?;
        let plans = DATABASE.by_code(&code.parse::<u16>().ok()?)?;
        Some((code, plans))
    })
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
    use proptest::prelude::*;

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

    fn parsed(typed: &str) -> String {
        let phone = Phone::parse(typed);
        phone.map_or("malformed".to_owned(), |phone| phone.as_str().to_owned())
    }

    #[test]
    fn one_number_has_one_spelling() {
        for typed in [
            "13800000001",
            "１３８０００００００１",
            "＋８６ １３８－００００－０００１",
            "＋86 138 0000 0001",
            "\u{202d}+86 138\u{a0}0000\u{2011}0001\u{202c}",
            "\u{feff}138\u{200b}00000001",
            "（+86）138.0000.0001",
            "(+86) 138 0000 0001",
            "0086-138-0000-0001",
            "8613800000001",
            "86 138 0000 0001",
            "013800000001",
            "+86 013800000001",
            "+86 (0) 13800000001",
            "\u{3000}138　0000　0001\n",
        ] {
            assert_eq!(parsed(typed), "+8613800000001", "{typed}");
        }
        for (typed, number) in [
            ("+44 (0)20 7946 0958", "+442079460958"),
            ("+44 020 7946 0958", "+442079460958"),
            ("0044 20 7946 0958", "+442079460958"),
            ("+81 090-1234-5678", "+819012345678"),
            ("+7 8 912 345-67-89", "+79123456789"),
            ("+852 9123 4567", "+85291234567"),
            ("+886 0912 345 678", "+886912345678"),
        ] {
            assert_eq!(parsed(typed), number, "{typed}");
        }
    }

    #[test]
    fn zeros_that_belong_to_a_number_stay() {
        for number in [
            "+390236618300",
            "+393123456789",
            "+2250123456789",
            "+24106031234",
            "+80012345678",
            "+8821234567890",
            "+3780549886377",
        ] {
            assert_eq!(parsed(number), number);
        }
    }

    #[test]
    fn what_is_no_number_is_malformed() {
        for typed in [
            "+",
            "00",
            "86",
            "12345678901a",
            "+86 10 1234 5678",
            "010 1234 5678",
            "+86 23800000001",
            "012000000001",
            "8612000000001",
            "+999123456789",
            "+2101234567",
            "+390",
            "+13800000001 ext 5",
            "tel:+8613800000001",
            "＋＋8613800000001",
            "138,00000001",
            "+1²155550100",
            "+44(0)(0)2079460958x",
            "００００００００",
            &" ".repeat(300),
            &"1".repeat(65),
        ] {
            assert_eq!(parsed(typed), "malformed", "{typed}");
        }
    }

    #[test]
    fn every_mainland_range_is_mobile_and_nothing_else_there() {
        for second in 0..=9 {
            for third in 0..=9 {
                let phone = Phone::parse(&format!("1{second}{third}00000001")).unwrap();
                assert_eq!(phone.is_mobile(), second > 2, "{phone}");
                assert_eq!((phone.country(), phone.region()), ("86", Some("CN")));
            }
        }
    }

    #[test]
    fn elsewhere_the_plan_says_what_could_be_mobile() {
        for (number, mobile, country, region) in [
            ("+14155550100", true, "1", Some("US")),
            ("+18005550100", false, "1", Some("US")),
            ("+18765550100", true, "1", Some("JM")),
            ("+447911123456", true, "44", Some("GG")),
            ("+447400123456", true, "44", Some("GB")),
            ("+442079460958", false, "44", Some("GB")),
            ("+85291234567", true, "852", Some("HK")),
            ("+85328281234", false, "853", Some("MO")),
            ("+85321234567", true, "853", None),
            ("+85366123456", true, "853", Some("MO")),
            ("+886912345678", true, "886", Some("TW")),
            ("+79123456789", true, "7", Some("RU")),
            ("+77012345678", true, "7", Some("KZ")),
            ("+80012345678", false, "800", None),
            ("+999123456789", true, "", None),
        ] {
            let phone = Phone(number.to_owned());
            assert_eq!(phone.is_mobile(), mobile, "{number}");
            assert_eq!(phone.country(), country, "{number}");
            assert_eq!(phone.region(), region, "{number}");
        }
    }

    #[test]
    fn no_calling_code_begins_another() {
        let known = |code: u16| DATABASE.by_code(&code).is_some();
        let codes: Vec<String> = (1..1000)
            .filter(|c| known(*c))
            .map(|c| c.to_string())
            .collect();
        assert!(codes.len() > 200, "{}", codes.len());
        for code in &codes {
            let longer = codes
                .iter()
                .find(|other| *other != code && other.starts_with(code));
            assert_eq!(longer, None, "{code}");
        }
    }

    proptest! {
        #[test]
        fn a_number_read_is_read_again(typed in "[+＋]?[0-9]{6,16}|\\PC{0,20}|(00|\\+)[0-9() -]{8,20}") {
            if let Ok(phone) = Phone::parse(&typed) {
                let digits = phone.as_str().strip_prefix('+').unwrap();
                prop_assert!((8..=15).contains(&digits.len()), "{}", phone);
                prop_assert!(digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0'));
                prop_assert_eq!(Phone::parse(phone.as_str()), Ok(phone.clone()));
                prop_assert!(!phone.country().is_empty());
                let _ = (phone.is_mobile(), phone.region(), phone.masked());
            }
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
