//! My account.

use askama::Template;

use super::{
    lang::Lang,
    part::{App, Face, Moment, Share},
    sample::{self, Sample},
    text::Text as T,
};

/// Gender, as WeChat numbers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sex {
    /// 0
    #[default]
    Unknown,
    /// 1
    Male,
    /// 2
    Female,
}

impl Sex {
    /// All three.
    pub const ALL: [Sex; 3] = [Sex::Unknown, Sex::Male, Sex::Female];

    /// The number on the wire and in the form.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Sex::Unknown => 0,
            Sex::Male => 1,
            Sex::Female => 2,
        }
    }

    /// Reads the number; anything unknown is 0.
    #[must_use]
    pub const fn from_number(number: u8) -> Sex {
        match number {
            1 => Sex::Male,
            2 => Sex::Female,
            _ => Sex::Unknown,
        }
    }

    /// In plain words.
    #[must_use]
    pub const fn words(self, lang: Lang) -> &'static str {
        lang.t(match self {
            Sex::Unknown => T::SexUnknown,
            Sex::Male => T::SexMale,
            Sex::Female => T::SexFemale,
        })
    }
}

/// The profile as edited on [`Account`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileForm {
    /// Field `nickname`.
    pub nickname: String,
    /// The address of the avatar, on our own origin or a `data:` URL.
    pub avatar: Option<String>,
    /// Field `sex`: 0, 1 or 2.
    pub sex: Sex,
    /// Field `province`.
    pub province: String,
    /// Field `city`.
    pub city: String,
    /// Field `country`.
    pub country: String,
    /// Field `language`: `zh_CN`, `zh_TW`, `en` or empty.
    pub language: String,
}

impl ProfileForm {
    /// The avatar, or the first letter of the nickname.
    #[must_use]
    pub fn face(&self) -> Face<'_> {
        Face {
            name: &self.nickname,
            src: self.avatar.as_deref(),
            app: false,
        }
    }
}

/// An app that somebody authorized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantRow {
    /// The value of the hidden field `grant`.
    pub grant: String,
    /// The app.
    pub app: App,
    /// What it knows.
    pub shares: Vec<Share>,
    /// Since when.
    pub since: Moment,
    /// When it last used it.
    pub last_used: Option<Moment>,
}

/// What was just done, said on top of [`Account`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The profile was saved.
    Saved,
    /// An app was revoked.
    Revoked,
    /// The password was changed.
    PasswordChanged,
}

impl Done {
    /// In plain words.
    #[must_use]
    pub const fn words(self, lang: Lang) -> &'static str {
        lang.t(match self {
            Done::Saved => T::DoneSaved,
            Done::Revoked => T::DoneRevoked,
            Done::PasswordChanged => T::DonePasswordChanged,
        })
    }
}

/// The account page. Posts to `action`: `act=save_profile` with the profile fields,
/// `act=sign_out`, `act=sign_out_all`; posts to `/account/revoke`: `grant`.
#[derive(Clone, Debug, Template)]
#[template(path = "account.html")]
pub struct Account {
    /// The language.
    pub lang: Lang,
    /// The same page in the other language.
    pub lang_href: Option<String>,
    /// The token that proves that the forms are ours.
    pub csrf: String,
    /// Where the forms post to (revoking has its own address).
    pub action: String,
    /// The profile.
    pub profile: ProfileForm,
    /// The phone number, masked.
    pub phone: String,
    /// The password change page.
    pub password_href: String,
    /// Whether there is a password.
    pub has_password: bool,
    /// The apps.
    pub grants: Vec<GrantRow>,
    /// What was just done.
    pub done: Option<Done>,
    /// What went wrong.
    pub error: Option<super::part::Problem>,
}

impl Sample for Account {
    const NAME: &'static str = "account";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let row = |grant: &str, app, shares, last_used| GrantRow {
            grant: grant.to_owned(),
            app,
            shares,
            since: Moment(1_780_000_000),
            last_used,
        };
        let empty = Account {
            lang,
            lang_href: Some("/account?lang=en".to_owned()),
            csrf: sample::CSRF.to_owned(),
            action: "/account".to_owned(),
            profile: ProfileForm {
                nickname: "梅 Mei".to_owned(),
                avatar: None,
                sex: Sex::Female,
                province: "Zhejiang".to_owned(),
                city: "Hangzhou".to_owned(),
                country: "CN".to_owned(),
                language: "zh_CN".to_owned(),
            },
            phone: "138****0001".to_owned(),
            password_href: "/account/password".to_owned(),
            has_password: true,
            grants: Vec::new(),
            done: None,
            error: None,
        };
        vec![
            (
                "empty",
                Account {
                    has_password: false,
                    ..empty.clone()
                },
            ),
            (
                "apps",
                Account {
                    grants: vec![
                        row(
                            "g1",
                            sample::app(),
                            Share::of("snsapi_login", true),
                            Some(Moment(1_795_200_000)),
                        ),
                        row("g2", sample::rooms(), Share::of("snsapi_base", false), None),
                    ],
                    done: Some(Done::Saved),
                    ..empty.clone()
                },
            ),
            (
                "hostile",
                Account {
                    profile: ProfileForm {
                        nickname: sample::hostile_person().name,
                        avatar: Some(sample::PIXEL.to_owned()),
                        sex: Sex::Unknown,
                        province: sample::HOSTILE.to_owned(),
                        city: "São Paulo é".to_owned(),
                        country: String::new(),
                        language: "xx".to_owned(),
                    },
                    grants: vec![row(
                        sample::HOSTILE,
                        sample::hostile_app(),
                        vec![Share::Other(sample::HOSTILE.to_owned())],
                        Some(Moment(0)),
                    )],
                    error: Some(super::part::Problem::BadNickname),
                    ..empty
                },
            ),
        ]
    }
}
