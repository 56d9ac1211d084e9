//! What several views show: an app, a person, a face, what is shared, what went wrong.

use askama::Template;

use super::{lang::Lang, text::Text as T};

/// The app (client) that a page talks about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Its name.
    pub name: String,
    /// Who answers for it.
    pub developer: Option<String>,
    /// The address of its icon, on our own origin or a `data:` URL.
    pub icon: Option<String>,
}

impl App {
    /// The icon, or the first letter of the name.
    #[must_use]
    pub fn face(&self) -> Face<'_> {
        Face {
            name: &self.name,
            src: self.icon.as_deref(),
            app: true,
        }
    }
}

/// The person who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The nickname.
    pub name: String,
    /// The phone number, masked already.
    pub phone: String,
    /// The address of the avatar, on our own origin or a `data:` URL.
    pub avatar: Option<String>,
}

impl Person {
    /// The avatar, or the first letter of the nickname.
    #[must_use]
    pub fn face(&self) -> Face<'_> {
        Face {
            name: &self.name,
            src: self.avatar.as_deref(),
            app: false,
        }
    }
}

/// A picture of an app or a person; without one, the first letter of the name on a colour that
/// the name decides. It is decoration: the name always stands beside it.
#[derive(Clone, Copy, Debug, Template)]
#[template(path = "part/face.html")]
pub struct Face<'a> {
    /// Whose face it is.
    pub name: &'a str,
    /// The picture, if there is one.
    pub src: Option<&'a str>,
    /// Apps have square faces, people round ones.
    pub app: bool,
}

impl askama::filters::HtmlSafe for Face<'_> {}

impl Face<'_> {
    /// The letter on the face.
    #[must_use]
    pub fn initial(&self) -> String {
        let letter = self.name.chars().find(|c| c.is_alphanumeric());
        let any = self
            .name
            .chars()
            .find(|c| !c.is_whitespace() && !c.is_control());
        letter.or(any).unwrap_or('·').to_uppercase().collect()
    }

    /// Which of the six colours.
    #[must_use]
    pub fn tone(&self) -> u8 {
        (self.name.bytes().fold(7u32, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(byte.into())
        }) % 6) as u8
    }
}

/// One of the seeded people of the sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevPerson {
    /// The value that stands for this person in a form.
    pub id: String,
    /// The nickname.
    pub name: String,
    /// The phone number, in full.
    pub phone: String,
    /// The password, in full: the sandbox has no secrets from its developer.
    pub password: String,
    /// The address of the avatar.
    pub avatar: Option<String>,
}

impl DevPerson {
    /// The avatar, or the first letter of the nickname.
    #[must_use]
    pub fn face(&self) -> Face<'_> {
        Face {
            name: &self.name,
            src: self.avatar.as_deref(),
            app: false,
        }
    }
}

/// One thing that an app gets to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Share {
    /// An identifier made for this app (`snsapi_base`).
    Id,
    /// Nickname and avatar.
    Profile,
    /// Gender and region, for apps that get full profiles.
    Region,
    /// The phone number.
    Phone,
    /// The mail address.
    Email,
    /// A scope that has no words yet: its raw name.
    Other(String),
}

impl Share {
    /// What a scope means; `full` when the app gets full profiles.
    #[must_use]
    pub fn of(scope: &str, full: bool) -> Vec<Share> {
        match scope {
            "snsapi_base" | "openid" => vec![Share::Id],
            "snsapi_userinfo" | "snsapi_login" | "profile" | "get_user_info" if full => {
                vec![Share::Id, Share::Profile, Share::Region]
            }
            "snsapi_userinfo" | "snsapi_login" | "profile" | "get_user_info" => {
                vec![Share::Id, Share::Profile]
            }
            "phone" => vec![Share::Phone],
            "email" => vec![Share::Email],
            other => vec![Share::Other(other.to_owned())],
        }
    }

    /// What several scopes mean together, each thing once.
    pub fn of_all<'a>(scopes: impl IntoIterator<Item = &'a str>, full: bool) -> Vec<Share> {
        let mut all = Vec::new();
        for share in scopes.into_iter().flat_map(|scope| Share::of(scope, full)) {
            if !all.contains(&share) {
                all.push(share);
            }
        }
        all
    }

    /// In plain words.
    #[must_use]
    pub fn words(&self, lang: Lang) -> &str {
        match self {
            Share::Id => lang.t(T::ShareId),
            Share::Profile => lang.t(T::ShareProfile),
            Share::Region => lang.t(T::ShareRegion),
            Share::Phone => lang.t(T::SharePhone),
            Share::Email => lang.t(T::ShareEmail),
            Share::Other(raw) => raw,
        }
    }

    /// What that means for the person, in smaller print.
    #[must_use]
    pub fn note(&self, lang: Lang) -> &str {
        match self {
            Share::Id => lang.t(T::ShareIdNote),
            Share::Profile => lang.t(T::ShareProfileNote),
            Share::Region => lang.t(T::ShareRegionNote),
            Share::Phone | Share::Email | Share::Other(_) => "",
        }
    }
}

/// What is wrong with a form that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Phone or password is wrong: which, is not said.
    WrongPassword,
    /// The current password is wrong.
    WrongCurrent,
    /// The passcode is wrong.
    WrongPasscode,
    /// The passcode is too old, or used already.
    PasscodeExpired,
    /// Too many tries; wait so many seconds.
    TooOften(u32),
    /// That is not a phone number.
    BadPhone,
    /// The new password is too short or too long.
    BadPassword,
    /// The nickname is empty or too long.
    BadNickname,
    /// The phone number has an account already.
    PhoneTaken,
    /// The page was open too long: send the form again.
    Stale,
    /// A sentence from elsewhere, in the right language already.
    Said(String),
}

impl Problem {
    /// In plain words.
    #[must_use]
    pub fn words(&self, lang: Lang) -> String {
        let text = match self {
            Problem::WrongPassword => T::ProblemWrongPassword,
            Problem::WrongCurrent => T::ProblemWrongCurrent,
            Problem::WrongPasscode => T::ProblemWrongPasscode,
            Problem::PasscodeExpired => T::ProblemPasscodeExpired,
            Problem::TooOften(seconds) => return lang.with(T::ProblemTooOften, seconds),
            Problem::BadPhone => T::ProblemBadPhone,
            Problem::BadPassword => T::ProblemBadPassword,
            Problem::BadNickname => T::ProblemBadNickname,
            Problem::PhoneTaken => T::ProblemPhoneTaken,
            Problem::Stale => T::ProblemStale,
            Problem::Said(words) => return words.clone(),
        };
        lang.t(text).to_owned()
    }
}

/// A moment in Unix seconds, shown as a day or to the second (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

impl Moment {
    /// `2026-11-21`
    #[must_use]
    pub fn day(self) -> String {
        // Days to civil date, by 400-year eras that begin in March.
        let days = self.0.div_euclid(86_400) + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let (year, month) = if month < 10 {
            (year_of_era + era * 400, month + 3)
        } else {
            (year_of_era + era * 400 + 1, month - 9)
        };
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// `2026-11-21T10:42:07Z`
    #[must_use]
    pub fn iso(self) -> String {
        let second = self.0.rem_euclid(86_400);
        format!(
            "{}T{:02}:{:02}:{:02}Z",
            self.day(),
            second / 3600,
            second / 60 % 60,
            second % 60
        )
    }
}

/// How long ago, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age(pub i64);

impl Age {
    /// In plain words: just now, seconds, minutes, hours or days.
    #[must_use]
    pub fn words(self, lang: Lang) -> String {
        match self.0 {
            ..=2 => lang.t(T::JustNow).to_owned(),
            s @ 3..60 => lang.with(T::SecondsAgo, s),
            s @ 60..3600 => lang.with(T::MinutesAgo, s / 60),
            s @ 3600..86_400 => lang.with(T::HoursAgo, s / 3600),
            s => lang.with(T::DaysAgo, s / 86_400),
        }
    }
}

/// One line of an answer: a field and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name on the wire.
    pub name: String,
    /// The value; secrets are masked already.
    pub value: String,
}

impl Field {
    /// A field of an answer.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Field {
        Field {
            name: name.into(),
            value: value.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_civil_dates() {
        assert_eq!(Moment(0).iso(), "1970-01-01T00:00:00Z");
        assert_eq!(Moment(951_782_400).day(), "2000-02-29");
        assert_eq!(Moment(1_795_257_727).iso(), "2026-11-21T10:42:07Z");
        assert_eq!(Moment(-1).iso(), "1969-12-31T23:59:59Z");
    }

    #[test]
    fn a_face_has_a_letter_for_any_name() {
        for (name, letter) in [
            ("梅 Mei", "梅"),
            ("émile", "É"),
            ("<script>", "S"),
            ("🦊", "🦊"),
            ("", "·"),
            (" \u{7}", "·"),
        ] {
            assert_eq!(
                Face {
                    name,
                    src: None,
                    app: false
                }
                .initial(),
                letter
            );
        }
    }

    #[test]
    fn scopes_are_said_once() {
        assert_eq!(
            Share::of_all(["snsapi_login", "snsapi_base"], false),
            [Share::Id, Share::Profile]
        );
        assert_eq!(
            Share::of("snsapi_x", true),
            [Share::Other("snsapi_x".to_owned())]
        );
    }
}
