//! The question: may this app log you in?

use askama::Template;

use super::{
    lang::Lang,
    part::{App, Person, Share},
    sample::{self, Sample},
    text::Text as T,
};

/// The page that asks. Posts `act=allow`, `act=deny` (or `act=cancel` after a scan), or
/// `act=switch` to sign in as somebody else.
#[derive(Clone, Debug, Template)]
#[template(path = "consent.html")]
pub struct Consent {
    /// The language.
    pub lang: Lang,
    /// The same page in the other language.
    pub lang_href: Option<String>,
    /// The token that proves that the form is ours.
    pub csrf: String,
    /// Where the form posts to.
    pub action: String,
    /// Which app asks.
    pub app: App,
    /// What it would get to know.
    pub shares: Vec<Share>,
    /// Who is signed in.
    pub person: Person,
    /// The host that the browser returns to, to be recognised by the person.
    pub return_host: Option<String>,
    /// The app (such as `com.example.books` or `books://`) that a native return opens.
    pub native: Option<String>,
    /// Whether this phone answers for a screen that shows a QR code.
    pub scan: bool,
}

impl Sample for Consent {
    const NAME: &'static str = "consent";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let plain = Consent {
            lang,
            lang_href: None,
            csrf: sample::CSRF.to_owned(),
            action: "/authorize/act".to_owned(),
            app: sample::app(),
            shares: Share::of("snsapi_userinfo", false),
            person: sample::person(),
            return_host: Some("books.example".to_owned()),
            native: None,
            scan: false,
        };
        vec![
            ("plain", plain.clone()),
            (
                "base",
                Consent {
                    shares: Share::of("snsapi_base", false),
                    ..plain.clone()
                },
            ),
            (
                "full",
                Consent {
                    shares: Share::of("snsapi_login", true),
                    lang_href: Some("/authorize/act?lang=en".to_owned()),
                    ..plain.clone()
                },
            ),
            (
                "scan",
                Consent {
                    scan: true,
                    return_host: None,
                    ..plain.clone()
                },
            ),
            (
                "native",
                Consent {
                    native: Some("com.example.books".to_owned()),
                    return_host: None,
                    ..plain.clone()
                },
            ),
            (
                "hostile",
                Consent {
                    app: sample::hostile_app(),
                    shares: vec![
                        Share::Id,
                        Share::Phone,
                        Share::Email,
                        Share::Other(sample::HOSTILE.to_owned()),
                    ],
                    person: sample::hostile_person(),
                    native: Some(sample::HOSTILE.to_owned()),
                    scan: true,
                    ..plain
                },
            ),
        ]
    }
}
