//! Proving who one is: sign in, sign up, passwords.

use askama::Template;

use super::{
    lang::Lang,
    part::{App, DevPerson, Problem},
    sample::{self, Sample},
    text::Text as T,
};

/// By what a person signs in on [`SignIn`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// Phone and password.
    #[default]
    Password,
    /// Phone, then a passcode.
    Passcode,
}

/// The sign-in page. Posts `phone`, `password`, `act=sign_in`, or `phone`, `act=send_passcode`.
#[derive(Clone, Debug, Template)]
#[template(path = "sign_in.html")]
pub struct SignIn {
    /// The language.
    pub lang: Lang,
    /// The same page in the other language.
    pub lang_href: Option<String>,
    /// The token that proves that the form is ours.
    pub csrf: String,
    /// Where the forms post to.
    pub action: String,
    /// Which app asks, inside an authorization.
    pub app: Option<App>,
    /// Which of the two forms is open.
    pub by: By,
    /// The same page with the other form.
    pub other_href: String,
    /// What was typed as phone.
    pub phone: String,
    /// What went wrong.
    pub error: Option<Problem>,
    /// The sign-up page.
    pub sign_up_href: String,
    /// The password reset page.
    pub reset_href: String,
    /// The seeded people of the sandbox; empty in production.
    pub dev_people: Vec<DevPerson>,
}

/// The page that asks for the passcode. Posts `phone`, `passcode`, `act=passcode`, or `phone`,
/// `act=send_passcode`.
#[derive(Clone, Debug, Template)]
#[template(path = "passcode.html")]
pub struct Passcode {
    /// The language.
    pub lang: Lang,
    /// The token that proves that the form is ours.
    pub csrf: String,
    /// Where the forms post to.
    pub action: String,
    /// Which app asks, inside an authorization.
    pub app: Option<App>,
    /// The phone number in full, carried along.
    pub phone: String,
    /// The phone number as shown.
    pub masked: String,
    /// What went wrong.
    pub error: Option<Problem>,
    /// Back to the sign-in page.
    pub back_href: String,
    /// The sandbox inbox, where the passcode was "sent".
    pub dev_inbox: Option<String>,
}

/// Where a person stands in [`SignUp`] or [`ResetPassword`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PhoneStep {
    /// The phone number is asked for.
    #[default]
    Phone,
    /// The passcode was sent to this number, shown masked.
    Passcode {
        /// The phone number as shown.
        masked: String,
    },
}

/// The sign-up page. Posts `phone`, `act=send_passcode`, then `phone`, `passcode`, `nickname`,
/// `password` (may be empty), `act=sign_up`.
#[derive(Clone, Debug, Template)]
#[template(path = "sign_up.html")]
pub struct SignUp {
    /// The language.
    pub lang: Lang,
    /// The token that proves that the form is ours.
    pub csrf: String,
    /// Where the forms post to.
    pub action: String,
    /// Which app asks, inside an authorization.
    pub app: Option<App>,
    /// The step.
    pub step: PhoneStep,
    /// What was typed as phone; carried along in the second step.
    pub phone: String,
    /// What was typed as nickname.
    pub nickname: String,
    /// What went wrong.
    pub error: Option<Problem>,
    /// The sign-in page.
    pub sign_in_href: String,
    /// The sandbox inbox.
    pub dev_inbox: Option<String>,
}

/// The password reset page. Posts `phone`, `act=send_passcode`, then `phone`, `passcode`,
/// `password`, `act=reset`.
#[derive(Clone, Debug, Template)]
#[template(path = "reset_password.html")]
pub struct ResetPassword {
    /// The language.
    pub lang: Lang,
    /// The token that proves that the form is ours.
    pub csrf: String,
    /// Where the forms post to.
    pub action: String,
    /// Which app asks, inside an authorization.
    pub app: Option<App>,
    /// The step.
    pub step: PhoneStep,
    /// What was typed as phone; carried along in the second step.
    pub phone: String,
    /// What went wrong.
    pub error: Option<Problem>,
    /// The sign-in page.
    pub sign_in_href: String,
    /// The sandbox inbox.
    pub dev_inbox: Option<String>,
}

/// The password change page of somebody signed in. Posts `current` (unless there is none yet),
/// `password`, `act=change`.
#[derive(Clone, Debug, Template)]
#[template(path = "change_password.html")]
pub struct ChangePassword {
    /// The language.
    pub lang: Lang,
    /// The token that proves that the form is ours.
    pub csrf: String,
    /// Where the form posts to.
    pub action: String,
    /// Whether there is a password to give.
    pub has_password: bool,
    /// What went wrong.
    pub error: Option<Problem>,
    /// Back to the account page.
    pub back_href: String,
}

impl Sample for SignIn {
    const NAME: &'static str = "sign_in";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let plain = SignIn {
            lang,
            lang_href: Some("/sign-in?lang=en".to_owned()),
            csrf: sample::CSRF.to_owned(),
            action: "/sign-in".to_owned(),
            app: None,
            by: By::Password,
            other_href: "/sign-in?by=passcode".to_owned(),
            phone: String::new(),
            error: None,
            sign_up_href: "/sign-up".to_owned(),
            reset_href: "/reset".to_owned(),
            dev_people: Vec::new(),
        };
        vec![
            ("plain", plain.clone()),
            (
                "app",
                SignIn {
                    app: Some(sample::app()),
                    lang_href: None,
                    ..plain.clone()
                },
            ),
            (
                "passcode",
                SignIn {
                    by: By::Passcode,
                    other_href: "/sign-in".to_owned(),
                    app: Some(sample::app()),
                    ..plain.clone()
                },
            ),
            (
                "dev",
                SignIn {
                    app: Some(sample::rooms()),
                    dev_people: sample::people(),
                    ..plain.clone()
                },
            ),
            (
                "hostile",
                SignIn {
                    app: Some(sample::hostile_app()),
                    phone: sample::HOSTILE.to_owned(),
                    error: Some(Problem::WrongPassword),
                    ..plain.clone()
                },
            ),
            (
                "too-often",
                SignIn {
                    phone: "13800000001".to_owned(),
                    error: Some(Problem::TooOften(58)),
                    ..plain
                },
            ),
        ]
    }
}

impl Sample for Passcode {
    const NAME: &'static str = "passcode";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let plain = Passcode {
            lang,
            csrf: sample::CSRF.to_owned(),
            action: "/sign-in".to_owned(),
            app: None,
            phone: "+8613800000001".to_owned(),
            masked: "138****0001".to_owned(),
            error: None,
            back_href: "/sign-in?by=passcode".to_owned(),
            dev_inbox: None,
        };
        vec![
            ("plain", plain.clone()),
            (
                "dev",
                Passcode {
                    app: Some(sample::app()),
                    dev_inbox: Some("/dev/inbox".to_owned()),
                    ..plain.clone()
                },
            ),
            (
                "wrong",
                Passcode {
                    error: Some(Problem::WrongPasscode),
                    app: Some(sample::hostile_app()),
                    ..plain
                },
            ),
        ]
    }
}

impl Sample for SignUp {
    const NAME: &'static str = "sign_up";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let plain = SignUp {
            lang,
            csrf: sample::CSRF.to_owned(),
            action: "/sign-up".to_owned(),
            app: None,
            step: PhoneStep::Phone,
            phone: String::new(),
            nickname: String::new(),
            error: None,
            sign_in_href: "/sign-in".to_owned(),
            dev_inbox: None,
        };
        let second = SignUp {
            step: PhoneStep::Passcode {
                masked: "138****0009".to_owned(),
            },
            phone: "+8613800000009".to_owned(),
            ..plain.clone()
        };
        vec![
            ("phone", plain.clone()),
            (
                "taken",
                SignUp {
                    error: Some(Problem::PhoneTaken),
                    app: Some(sample::app()),
                    ..plain
                },
            ),
            (
                "passcode",
                SignUp {
                    dev_inbox: Some("/dev/inbox".to_owned()),
                    ..second.clone()
                },
            ),
            (
                "hostile",
                SignUp {
                    nickname: sample::HOSTILE.to_owned(),
                    error: Some(Problem::BadNickname),
                    app: Some(sample::hostile_app()),
                    ..second
                },
            ),
        ]
    }
}

impl Sample for ResetPassword {
    const NAME: &'static str = "reset_password";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let plain = ResetPassword {
            lang,
            csrf: sample::CSRF.to_owned(),
            action: "/reset".to_owned(),
            app: None,
            step: PhoneStep::Phone,
            phone: String::new(),
            error: None,
            sign_in_href: "/sign-in".to_owned(),
            dev_inbox: None,
        };
        vec![
            ("phone", plain.clone()),
            (
                "bad-phone",
                ResetPassword {
                    phone: sample::HOSTILE.to_owned(),
                    error: Some(Problem::BadPhone),
                    ..plain.clone()
                },
            ),
            (
                "passcode",
                ResetPassword {
                    step: PhoneStep::Passcode {
                        masked: "138****0001".to_owned(),
                    },
                    phone: "+8613800000001".to_owned(),
                    error: Some(Problem::BadPassword),
                    dev_inbox: Some("/dev/inbox".to_owned()),
                    ..plain
                },
            ),
        ]
    }
}

impl Sample for ChangePassword {
    const NAME: &'static str = "change_password";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let plain = ChangePassword {
            lang,
            csrf: sample::CSRF.to_owned(),
            action: "/account/password".to_owned(),
            has_password: true,
            error: None,
            back_href: "/account".to_owned(),
        };
        vec![
            ("plain", plain.clone()),
            (
                "first",
                ChangePassword {
                    has_password: false,
                    ..plain.clone()
                },
            ),
            (
                "wrong",
                ChangePassword {
                    error: Some(Problem::WrongCurrent),
                    ..plain.clone()
                },
            ),
            (
                "said",
                ChangePassword {
                    error: Some(Problem::Said(sample::HOSTILE.to_owned())),
                    ..plain
                },
            ),
        ]
    }
}
