//! The login API's own pages, for houses without pages of theirs.

use askama::Template;

use super::{
    lang::Lang,
    part::Problem,
    sample::{self, Sample},
    sign::PhoneStep,
    text::Text as T,
};

/// Asks for a phone number, then for the passcode that was sent to it. Posts `phone`, `agree` and
/// `act=send_passcode` or `act=wechat`, then `phone`, `passcode`, `act=enter`.
#[derive(Clone, Debug, Template)]
#[template(path = "login_form.html")]
pub struct LoginForm {
    /// The language.
    pub lang: Lang,
    /// The same page in the other language.
    pub lang_href: Option<String>,
    /// The token that proves that the form is ours.
    pub csrf: String,
    /// Where the forms post to; also the way back to the first step.
    pub action: String,
    /// A number is added to a login; else somebody logs in by it.
    pub binds: bool,
    /// One may log in with WeChat instead.
    pub has_wechat: bool,
    /// Passcodes are sent to phones.
    pub has_phone: bool,
    /// The terms were accepted.
    pub agreed: bool,
    /// The step.
    pub step: PhoneStep,
    /// What was typed as phone; carried along in the second step.
    pub phone: String,
    /// What went wrong.
    pub error: Option<Problem>,
}

/// A button: what it posts as `act`, and what stands on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it posts.
    pub act: &'static str,
    /// What stands on it.
    pub label: String,
}

/// A page that asks one thing. Posts what it carries, and the `act` of the chosen answer.
#[derive(Clone, Debug, Template)]
#[template(path = "question.html")]
pub struct Question {
    /// The language.
    pub lang: Lang,
    /// The token that proves that the form is ours.
    pub csrf: String,
    /// Where the form posts to.
    pub action: String,
    /// The heading.
    pub title: String,
    /// A sentence.
    pub text: String,
    /// Fields that go along: names and values.
    pub carries: Vec<(&'static str, String)>,
    /// The answers, the likeliest first.
    pub answers: Vec<Answer>,
    /// Another way out: label and address.
    pub link: Option<(String, String)>,
}

impl Sample for LoginForm {
    const NAME: &'static str = "login_form";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let plain = LoginForm {
            lang,
            lang_href: Some(format!("/login?lang={}", lang.other().short())),
            csrf: sample::CSRF.to_owned(),
            action: "/login?return_to=%2Fwelcome".to_owned(),
            binds: false,
            has_wechat: true,
            has_phone: true,
            agreed: false,
            step: PhoneStep::Phone,
            phone: String::new(),
            error: None,
        };
        let passcode = LoginForm {
            step: PhoneStep::Passcode {
                masked: "+86 138****0001".to_owned(),
            },
            phone: "13800000001".to_owned(),
            lang_href: None,
            ..plain.clone()
        };
        let bind = LoginForm {
            binds: true,
            has_wechat: false,
            action: "/login/bind?return_to=%2Fwelcome".to_owned(),
            ..plain.clone()
        };
        vec![
            (
                "agree",
                LoginForm {
                    error: Some(Problem::Said(lang.t(T::LoginNeedAgree).to_owned())),
                    ..plain.clone()
                },
            ),
            (
                "phone",
                LoginForm {
                    agreed: true,
                    ..plain.clone()
                },
            ),
            (
                "wrong",
                LoginForm {
                    error: Some(Problem::WrongPasscode),
                    ..passcode.clone()
                },
            ),
            (
                "wechat",
                LoginForm {
                    has_phone: false,
                    ..plain.clone()
                },
            ),
            (
                "elsewhere",
                LoginForm {
                    has_phone: false,
                    error: Some(Problem::Said(lang.t(T::BindElsewhere).to_owned())),
                    ..bind.clone()
                },
            ),
            ("passcode", passcode.clone()),
            ("bind", bind.clone()),
            (
                "bind-passcode",
                LoginForm {
                    binds: true,
                    has_wechat: false,
                    ..passcode
                },
            ),
            (
                "hostile",
                LoginForm {
                    phone: sample::HOSTILE.to_owned(),
                    error: Some(Problem::Said(sample::HOSTILE.repeat(4))),
                    ..bind
                },
            ),
        ]
    }
}

impl Sample for Question {
    const NAME: &'static str = "question";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let confirm = Question {
            lang,
            csrf: sample::CSRF.to_owned(),
            action: "/login/bind".to_owned(),
            title: lang.t(T::BindConfirmTitle).to_owned(),
            text: lang.with(T::BindConfirmText, "梅***"),
            carries: Vec::new(),
            answers: vec![Answer {
                act: "confirm",
                label: lang.t(T::BindConfirmYes).to_owned(),
            }],
            link: Some((lang.t(T::OtherNumber).to_owned(), "/login/bind".to_owned())),
        };
        let keep = |act, name: &str| Answer {
            act,
            label: lang.with(T::ChooseKeep, name),
        };
        vec![
            ("confirm", confirm.clone()),
            (
                "choose",
                Question {
                    title: lang.t(T::ChooseTitle).to_owned(),
                    text: lang.t(T::ChooseText).to_owned(),
                    answers: vec![
                        keep("keep_a", "梅*** +86 138****0001"),
                        keep("keep_b", "M*** +86 139****0002"),
                    ],
                    link: None,
                    ..confirm.clone()
                },
            ),
            (
                "hostile",
                Question {
                    title: sample::HOSTILE.to_owned(),
                    text: sample::HOSTILE.repeat(4),
                    carries: vec![("phone", sample::HOSTILE.to_owned())],
                    answers: vec![keep("keep_a", &sample::HOSTILE.repeat(3))],
                    link: Some((sample::HOSTILE.to_owned(), "/login".to_owned())),
                    ..confirm
                },
            ),
        ]
    }
}
