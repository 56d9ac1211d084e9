//! Pages that only say something: errors, and short messages.

use askama::Template;

use super::{
    lang::Lang,
    part::Field,
    sample::{self, Sample},
    text::Text as T,
};

/// What is wrong, as the person in front of the page needs to hear it. The platform's number and
/// words, and what the developer should fix, come from the dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// The app asked wrongly.
    App,
    /// The app is switched off.
    Closed,
    /// Too often.
    TooOften,
    /// The page is for the client on the phone.
    OpenInClient,
    /// The login is too old, was used, or belongs to another browser.
    Expired,
    /// The form did not come from our page.
    Forged,
    /// The person is restricted by the platform.
    Restricted,
    /// There is no such page.
    NotFound,
    /// It is our fault.
    Busy,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Trouble; 9] = [
        Trouble::App,
        Trouble::Closed,
        Trouble::TooOften,
        Trouble::OpenInClient,
        Trouble::Expired,
        Trouble::Forged,
        Trouble::Restricted,
        Trouble::NotFound,
        Trouble::Busy,
    ];

    /// The heading for the person.
    #[must_use]
    pub const fn title(self, lang: Lang) -> &'static str {
        lang.t(match self {
            Trouble::App => T::TroubleAppTitle,
            Trouble::Closed => T::TroubleClosedTitle,
            Trouble::TooOften => T::TroubleTooOftenTitle,
            Trouble::OpenInClient => T::TroubleOpenInClientTitle,
            Trouble::Expired => T::TroubleExpiredTitle,
            Trouble::Forged => T::TroubleForgedTitle,
            Trouble::Restricted => T::TroubleRestrictedTitle,
            Trouble::NotFound => T::TroubleNotFoundTitle,
            Trouble::Busy => T::TroubleBusyTitle,
        })
    }

    /// What the person may do.
    #[must_use]
    pub const fn advice(self, lang: Lang) -> &'static str {
        lang.t(match self {
            Trouble::App => T::TroubleAppAdvice,
            Trouble::Closed => T::TroubleClosedAdvice,
            Trouble::TooOften => T::TroubleTooOftenAdvice,
            Trouble::OpenInClient => T::TroubleOpenInClientAdvice,
            Trouble::Expired => T::TroubleExpiredAdvice,
            Trouble::Forged => T::TroubleForgedAdvice,
            Trouble::Restricted => T::TroubleRestrictedAdvice,
            Trouble::NotFound => T::TroubleNotFoundAdvice,
            Trouble::Busy => T::TroubleBusyAdvice,
        })
    }
}

/// An error page. The HTTP status is the caller's business (WeChat says 200).
#[derive(Clone, Debug, Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    /// The language.
    pub lang: Lang,
    /// What is wrong.
    pub trouble: Trouble,
    /// The short text that developers look for, shown as it is; empty for none.
    pub text: String,
    /// More facts for the developer, such as what was sent and what is registered.
    pub facts: Vec<Field>,
    /// Where the rule comes from, such as `docs: WeChat, §9`.
    pub source: Option<String>,
    /// The platform's number, where it has one.
    pub number: Option<i32>,
    /// What the developer should do.
    pub fix: Option<String>,
    /// The number under which our log has it, for faults of our own.
    pub incident: Option<String>,
    /// Where to go from here.
    pub back_href: Option<String>,
}

impl ErrorPage {
    /// The page of a trouble, with nothing added.
    #[must_use]
    pub fn new(lang: Lang, trouble: Trouble) -> ErrorPage {
        ErrorPage {
            lang,
            trouble,
            text: String::new(),
            facts: Vec::new(),
            source: None,
            number: None,
            fix: None,
            incident: None,
            back_href: None,
        }
    }
}

/// A page that says one thing.
#[derive(Clone, Debug, Template)]
#[template(path = "plain.html")]
pub struct Plain {
    /// The language.
    pub lang: Lang,
    /// The heading.
    pub title: String,
    /// A sentence.
    pub text: String,
    /// Where to go on: label and address.
    pub link: Option<(String, String)>,
}

impl Plain {
    /// Signed out; `sign_in` is where to sign in again.
    #[must_use]
    pub fn signed_out(lang: Lang, sign_in: impl Into<String>) -> Plain {
        Plain {
            lang,
            title: lang.t(T::SignedOutTitle).to_owned(),
            text: lang.t(T::SignedOutText).to_owned(),
            link: Some((lang.t(T::SignInAgain).to_owned(), sign_in.into())),
        }
    }

    /// Saved; `back` is where to go on.
    #[must_use]
    pub fn saved(lang: Lang, back: impl Into<String>) -> Plain {
        Plain {
            lang,
            title: lang.t(T::DoneSaved).to_owned(),
            text: String::new(),
            link: Some((lang.t(T::GoOn).to_owned(), back.into())),
        }
    }

    /// The person said no and the app gets nothing: the page may be closed.
    #[must_use]
    pub fn denied(lang: Lang) -> Plain {
        Plain {
            lang,
            title: lang.t(T::DeniedTitle).to_owned(),
            text: lang.t(T::DeniedText).to_owned(),
            link: None,
        }
    }
}

impl Sample for ErrorPage {
    const NAME: &'static str = "error";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        vec![
            (
                "redirect",
                ErrorPage {
                    facts: vec![
                        Field::new(
                            "redirect_uri",
                            "https://evil.example/?q=<script>alert(1)</script>",
                        ),
                        Field::new("registered", "books.example"),
                        Field::new("appid", "wx0000000000000001"),
                    ],
                    source: Some("WeChat §3, §9".to_owned()),
                    number: Some(10003),
                    text: "redirect_uri域名与后台配置不一致，错误码:10003".to_owned(),
                    fix: Some("授权回调域 = redirect_uri host, no port".to_owned()),
                    ..ErrorPage::new(lang, Trouble::App)
                },
            ),
            ("closed", ErrorPage::new(lang, Trouble::Closed)),
            ("client", ErrorPage::new(lang, Trouble::OpenInClient)),
            (
                "expired",
                ErrorPage {
                    back_href: Some("/".to_owned()),
                    ..ErrorPage::new(lang, Trouble::Expired)
                },
            ),
            (
                "busy",
                ErrorPage {
                    incident: Some("6f1d-90aa-27c4".to_owned()),
                    ..ErrorPage::new(lang, Trouble::Busy)
                },
            ),
            (
                "hostile",
                ErrorPage {
                    text: sample::HOSTILE.to_owned(),
                    facts: vec![Field::new(sample::HOSTILE, sample::HOSTILE.repeat(6))],
                    source: Some(sample::HOSTILE.to_owned()),
                    incident: Some(sample::HOSTILE.to_owned()),
                    fix: Some(sample::HOSTILE.to_owned()),
                    back_href: None,
                    ..ErrorPage::new(lang, Trouble::Closed)
                },
            ),
        ]
    }
}

impl Sample for Plain {
    const NAME: &'static str = "plain";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        vec![
            ("signed-out", Plain::signed_out(lang, "/sign-in")),
            ("saved", Plain::saved(lang, "/account")),
            ("denied", Plain::denied(lang)),
            (
                "hostile",
                Plain {
                    lang,
                    title: sample::HOSTILE.to_owned(),
                    text: sample::hostile_person().name,
                    link: Some((sample::HOSTILE.to_owned(), "/account".to_owned())),
                },
            ),
        ]
    }
}
