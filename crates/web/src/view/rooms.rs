//! The pages of the demo app 小屋 Rooms around an account: its number, its devices, its logins, its
//! end. Each shows what went over the wire for it.

use askama::Template;

use super::{
    lang::Lang,
    login::Answer,
    part::{Age, Face, Field, Problem},
    sample::{self, Sample},
    text::Text as T,
};

/// What every page of the app has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoFrame {
    /// Which device of this browser the page is on, from 1.
    pub device: u8,
    /// What the device's addresses begin with: nothing, or `/device/2`.
    pub base: String,
    /// The same page in the other language.
    pub lang_href: Option<String>,
    /// The token that proves that a form is ours.
    pub csrf: String,
    /// What went over the wire since the person last did something.
    pub wire: Vec<WireCall>,
    /// The sandbox's picture of the newest login.
    pub flows_href: String,
}

/// One call, or one way of the browser, as it was on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireCall {
    /// Method and path, such as `POST /user/wechat/login`.
    pub line: String,
    /// The code and the message of the answer; none for a way of the browser.
    pub said: Option<(u16, String)>,
    /// What was sent; secrets are masked already.
    pub sent: Vec<Field>,
    /// What came back; secrets are masked already.
    pub got: Vec<Field>,
}

/// What a phone number is proved for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DemoAsk {
    /// Somebody logs in by it.
    Login,
    /// It is added to a login.
    Bind,
    /// It takes another's place.
    Change,
    /// A login is added to the account.
    Link,
    /// A login is taken from the account.
    Unlink,
    /// The account ends.
    Delete,
}

impl DemoAsk {
    /// The heading.
    #[must_use]
    pub const fn title(self, lang: Lang) -> &'static str {
        lang.t(match self {
            DemoAsk::Login => T::RoomsPhoneTitle,
            DemoAsk::Bind => T::BindTitle,
            DemoAsk::Change => T::RoomsChangeTitle,
            DemoAsk::Link => T::RoomsLink,
            DemoAsk::Unlink => T::RoomsUnlinkTitle,
            DemoAsk::Delete => T::RoomsDeleteTitle,
        })
    }

    /// Why a number is asked for, or what is about to happen.
    #[must_use]
    pub const fn why(self, lang: Lang) -> &'static str {
        lang.t(match self {
            DemoAsk::Login => T::RoomsPhoneWhy,
            DemoAsk::Bind => T::BindWhy,
            DemoAsk::Change => T::RoomsChangeWhy,
            DemoAsk::Link => T::RoomsLinkWhy,
            DemoAsk::Unlink => T::RoomsUnlinkWhy,
            DemoAsk::Delete => T::RoomsDeleteWhy,
        })
    }

    /// What stands on the button that ends it.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        lang.t(match self {
            DemoAsk::Login => T::LoginTitle,
            DemoAsk::Bind => T::BindDo,
            DemoAsk::Change => T::RoomsChangeDo,
            DemoAsk::Link => T::RoomsLink,
            DemoAsk::Unlink => T::RoomsUnlinkDo,
            DemoAsk::Delete => T::RoomsDeleteDo,
        })
    }
}

/// How far a proof is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DemoStep {
    /// The account's own number, masked, is to be proved first; or a login at WeChat, where
    /// `wechat` says that this will do too.
    Own {
        /// The number.
        masked: String,
        /// Whether a login at WeChat will do.
        wechat: bool,
    },
    /// The passcode that was sent to the own number, where more is to follow.
    OwnPasscode {
        /// The number.
        masked: String,
    },
    /// A number is asked for.
    Number,
    /// The passcode that was sent to it, and that ends it.
    Passcode {
        /// The number.
        masked: String,
    },
}

/// Proves a phone number. Posts `act=own`, `act=wechat`; `phone` and `act=send`; `passcode` and
/// `act=enter`.
#[derive(Clone, Debug, Template)]
#[template(path = "demo_phone.html")]
pub struct DemoPhone {
    /// The language.
    pub lang: Lang,
    /// What every page has.
    pub frame: DemoFrame,
    /// What for.
    pub ask: DemoAsk,
    /// How far it is.
    pub step: DemoStep,
    /// Where the forms post to.
    pub action: String,
    /// Who WeChat says it is: name and picture.
    pub who: Option<(String, Option<String>)>,
    /// What was typed as number.
    pub phone: String,
    /// What went wrong.
    pub error: Option<Problem>,
    /// Where the passcode can be read.
    pub inbox_href: String,
    /// Away from here.
    pub back_href: String,
}

impl DemoPhone {
    /// Whether the account's own number is all that may be proved.
    const fn own_only(&self) -> bool {
        matches!(self.ask, DemoAsk::Link | DemoAsk::Unlink | DemoAsk::Delete)
    }
}

/// Asks one thing, or says one.
#[derive(Clone, Debug, Template)]
#[template(path = "demo_question.html")]
pub struct DemoQuestion {
    /// The language.
    pub lang: Lang,
    /// What every page has.
    pub frame: DemoFrame,
    /// The heading.
    pub title: String,
    /// A sentence.
    pub text: String,
    /// The code of the refusal that asks.
    pub code: Option<u16>,
    /// Where the form posts to.
    pub action: String,
    /// The answers, the likeliest first.
    pub answers: Vec<Answer>,
    /// Other ways out: labels and addresses.
    pub links: Vec<(String, String)>,
}

/// What the app just did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DemoDone {
    /// Somebody logged in.
    LoggedIn,
    /// Logged in again without the authorization page: the old token and the new one, masked.
    Again(String, String),
    /// The session was refreshed: the old token and the new one, masked.
    Refreshed(String, String),
    /// A device was logged out.
    Removed,
    /// WeChat was linked.
    Linked,
    /// WeChat was unlinked.
    Unlinked,
    /// The phone number was changed.
    Changed,
    /// The account stays.
    Kept,
}

impl DemoDone {
    /// In plain words.
    #[must_use]
    pub const fn words(&self, lang: Lang) -> &'static str {
        lang.t(match self {
            DemoDone::LoggedIn => T::RoomsDoneLogin,
            DemoDone::Again(..) => T::RoomsDoneAgain,
            DemoDone::Refreshed(..) => T::RoomsDoneRefreshed,
            DemoDone::Removed => T::RoomsDoneRemoved,
            DemoDone::Linked => T::RoomsDoneLinked,
            DemoDone::Unlinked => T::RoomsDoneUnlinked,
            DemoDone::Changed => T::RoomsDoneChanged,
            DemoDone::Kept => T::RoomsDoneKept,
        })
    }

    /// The tokens before and after.
    #[must_use]
    pub fn tokens(&self) -> Option<(&str, &str)> {
        match self {
            DemoDone::Again(old, new) | DemoDone::Refreshed(old, new) => Some((old, new)),
            _ => None,
        }
    }
}

/// Somebody's own page. Posts `act=again`, `act=refresh`, `act=log_out`.
#[derive(Clone, Debug, Template)]
#[template(path = "demo_me.html")]
pub struct DemoMe {
    /// The language.
    pub lang: Lang,
    /// What every page has.
    pub frame: DemoFrame,
    /// The nickname; the number where there is none.
    pub name: String,
    /// The picture.
    pub avatar: Option<String>,
    /// The number, masked; empty for none.
    pub phone: String,
    /// The account's id.
    pub uid: String,
    /// Since when there is the account: a day.
    pub since: String,
    /// Which device this is, as the list of devices names it.
    pub device: String,
    /// What was just done.
    pub done: Option<DemoDone>,
}

impl DemoMe {
    /// The picture, or the first letter of the name.
    #[must_use]
    pub fn face(&self) -> Face<'_> {
        Face {
            name: &self.name,
            src: self.avatar.as_deref(),
            app: false,
        }
    }
}

/// A device that is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoDevice {
    /// By which it is named in calls.
    pub id: String,
    /// What it calls itself.
    pub name: String,
    /// Which system.
    pub platform: String,
    /// From where.
    pub address: String,
    /// Since when: a day.
    pub since: String,
    /// How long ago it was last heard of.
    pub seen: Age,
    /// Whether it is this one.
    pub current: bool,
}

/// The devices that are logged in. Posts `id` and `act=remove`.
#[derive(Clone, Debug, Template)]
#[template(path = "demo_devices.html")]
pub struct DemoDevices {
    /// The language.
    pub lang: Lang,
    /// What every page has.
    pub frame: DemoFrame,
    /// The devices.
    pub devices: Vec<DemoDevice>,
    /// What was just done.
    pub done: Option<DemoDone>,
    /// Another device of this browser.
    pub other: u8,
    /// Where it begins.
    pub other_href: String,
}

/// A login that is linked to the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoLogin {
    /// The shown name there.
    pub name: String,
    /// The name of our app there.
    pub app: String,
    /// Since when: a day.
    pub since: String,
    /// Whether it may be used.
    pub live: bool,
}

/// What keeps an account safe. Posts `act=link`.
#[derive(Clone, Debug, Template)]
#[template(path = "demo_security.html")]
pub struct DemoSecurity {
    /// The language.
    pub lang: Lang,
    /// What every page has.
    pub frame: DemoFrame,
    /// The number, masked; empty for none.
    pub phone: String,
    /// The linked logins.
    pub logins: Vec<DemoLogin>,
    /// What was just done.
    pub done: Option<DemoDone>,
}

pub(super) fn frame(lang: Lang) -> DemoFrame {
    DemoFrame {
        device: 1,
        base: String::new(),
        lang_href: Some(format!("/me?lang={}", lang.other().short())),
        csrf: sample::CSRF.to_owned(),
        wire: vec![
            WireCall {
                line: "GET /callback/page".to_owned(),
                said: None,
                sent: vec![
                    Field::new("code", "051aGx…q1Yz"),
                    Field::new("state", "1k3JfQ…a9Bc"),
                ],
                got: Vec::new(),
            },
            WireCall {
                line: "POST /user/wechat/login".to_owned(),
                said: Some((0, "OK".to_owned())),
                sent: vec![
                    Field::new("code", "051aGx…q1Yz"),
                    Field::new("state", "1k3JfQ…a9Bc"),
                ],
                got: vec![
                    Field::new("token", "1AbCdE…wXyZ"),
                    Field::new("expires_in", "7200"),
                    Field::new("is_bind", "true"),
                ],
            },
        ],
        flows_href: "/flows?flow=latest".to_owned(),
    }
}

pub(super) fn hostile_frame() -> DemoFrame {
    DemoFrame {
        device: 2,
        base: "/device/2".to_owned(),
        lang_href: None,
        csrf: sample::CSRF.to_owned(),
        wire: vec![WireCall {
            line: format!("GET /{}", sample::HOSTILE),
            said: Some((4005, sample::HOSTILE.to_owned())),
            sent: vec![Field::new(sample::HOSTILE, sample::HOSTILE.repeat(4))],
            got: vec![Field::new(sample::HOSTILE, "")],
        }],
        flows_href: sample::HOSTILE.to_owned(),
    }
}

impl Sample for DemoPhone {
    const NAME: &'static str = "demo_phone";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let masked = || "+86 138****0001".to_owned();
        let bind = DemoPhone {
            lang,
            frame: frame(lang),
            ask: DemoAsk::Bind,
            step: DemoStep::Number,
            action: "/bind".to_owned(),
            who: Some(("梅 Mei".to_owned(), None)),
            phone: String::new(),
            error: None,
            inbox_href: "http://127.0.0.1:8420/dev/inbox".to_owned(),
            back_href: "/".to_owned(),
        };
        let own = |ask, wechat| DemoPhone {
            ask,
            step: DemoStep::Own {
                masked: masked(),
                wechat,
            },
            who: None,
            ..bind.clone()
        };
        let passcode = |ask, step| DemoPhone {
            ask,
            step,
            phone: "13800000001".to_owned(),
            ..bind.clone()
        };
        vec![
            (
                "login",
                DemoPhone {
                    ask: DemoAsk::Login,
                    who: None,
                    ..bind.clone()
                },
            ),
            ("bind", bind.clone()),
            (
                "bind-passcode",
                DemoPhone {
                    error: Some(Problem::WrongPasscode),
                    ..passcode(DemoAsk::Bind, DemoStep::Passcode { masked: masked() })
                },
            ),
            ("change", own(DemoAsk::Change, true)),
            (
                "change-old",
                passcode(DemoAsk::Change, DemoStep::OwnPasscode { masked: masked() }),
            ),
            (
                "change-number",
                DemoPhone {
                    ask: DemoAsk::Change,
                    ..bind.clone()
                },
            ),
            ("link", own(DemoAsk::Link, false)),
            ("unlink", own(DemoAsk::Unlink, false)),
            ("delete", own(DemoAsk::Delete, true)),
            (
                "delete-passcode",
                passcode(DemoAsk::Delete, DemoStep::Passcode { masked: masked() }),
            ),
            (
                "hostile",
                DemoPhone {
                    frame: hostile_frame(),
                    who: Some((
                        sample::hostile_person().name,
                        Some(sample::PIXEL.to_owned()),
                    )),
                    phone: sample::HOSTILE.to_owned(),
                    error: Some(Problem::Said(sample::HOSTILE.repeat(3))),
                    ..bind
                },
            ),
        ]
    }
}

impl Sample for DemoQuestion {
    const NAME: &'static str = "demo_question";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let answer = |act, label: &str| Answer {
            act,
            label: label.to_owned(),
        };
        let confirm = DemoQuestion {
            lang,
            frame: frame(lang),
            title: lang.t(T::BindConfirmTitle).to_owned(),
            text: lang.with(T::BindConfirmText, "梅***"),
            code: Some(4005),
            action: "/bind".to_owned(),
            answers: vec![answer("confirm", lang.t(T::BindConfirmYes))],
            links: vec![(
                lang.t(T::OtherNumber).to_owned(),
                "/bind?step=number".to_owned(),
            )],
        };
        vec![
            ("confirm", confirm.clone()),
            (
                "choose",
                DemoQuestion {
                    title: lang.t(T::ChooseTitle).to_owned(),
                    text: lang.t(T::ChooseText).to_owned(),
                    answers: vec![
                        answer("keep_a", &lang.with(T::ChooseKeep, "梅*** +86 138****0001")),
                        answer("keep_b", &lang.with(T::ChooseKeep, "M*** +86 139****0002")),
                    ],
                    links: Vec::new(),
                    ..confirm.clone()
                },
            ),
            (
                "taken",
                DemoQuestion {
                    title: lang.t(T::BindTakenTitle).to_owned(),
                    text: lang.with(T::BindTakenText, "M***"),
                    code: Some(4001),
                    answers: vec![answer("replace", lang.t(T::BindTakenReplace))],
                    links: vec![
                        (
                            lang.t(T::OtherNumber).to_owned(),
                            "/bind?step=number".to_owned(),
                        ),
                        (lang.t(T::RoomsOtherWechat).to_owned(), "/".to_owned()),
                    ],
                    ..confirm.clone()
                },
            ),
            (
                "deleted",
                DemoQuestion {
                    title: lang.t(T::RoomsDeletedTitle).to_owned(),
                    text: lang.with(T::RoomsDeletedText, "2026-11-28"),
                    code: None,
                    answers: Vec::new(),
                    links: vec![(lang.t(T::RoomsBackHome).to_owned(), "/".to_owned())],
                    ..confirm.clone()
                },
            ),
            (
                "hostile",
                DemoQuestion {
                    frame: hostile_frame(),
                    title: sample::HOSTILE.to_owned(),
                    text: sample::HOSTILE.repeat(3),
                    answers: vec![
                        answer("replace", sample::HOSTILE),
                        answer("prove", sample::HOSTILE),
                    ],
                    links: vec![(sample::HOSTILE.to_owned(), "/".to_owned())],
                    ..confirm
                },
            ),
        ]
    }
}

impl Sample for DemoMe {
    const NAME: &'static str = "demo_me";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let plain = DemoMe {
            lang,
            frame: frame(lang),
            name: "梅 Mei".to_owned(),
            avatar: None,
            phone: "+86 138****0001".to_owned(),
            uid: "1f0c2a7e9b3d4451".to_owned(),
            since: "2026-11-21".to_owned(),
            device: "Android · 1".to_owned(),
            done: None,
        };
        let tokens = || ("1AbCdE…wXyZ".to_owned(), "1FgHiJ…uVwX".to_owned());
        let done = |done| DemoMe {
            done: Some(done),
            ..plain.clone()
        };
        let (old, new) = tokens();
        let (stale, fresh) = tokens();
        vec![
            ("plain", plain.clone()),
            ("logged-in", done(DemoDone::LoggedIn)),
            ("again", done(DemoDone::Again(old, new))),
            ("refreshed", done(DemoDone::Refreshed(stale, fresh))),
            ("kept", done(DemoDone::Kept)),
            (
                "hostile",
                DemoMe {
                    frame: hostile_frame(),
                    name: sample::hostile_person().name,
                    avatar: Some(sample::PIXEL.to_owned()),
                    phone: String::new(),
                    uid: sample::HOSTILE.to_owned(),
                    device: sample::HOSTILE.to_owned(),
                    done: Some(DemoDone::Again(sample::HOSTILE.to_owned(), String::new())),
                    ..plain
                },
            ),
        ]
    }
}

impl Sample for DemoDevices {
    const NAME: &'static str = "demo_devices";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let device = |n: u8, current| DemoDevice {
            id: format!("d{n}"),
            name: format!("Android · {n}"),
            platform: "web".to_owned(),
            address: "127.0.0.1".to_owned(),
            since: "2026-11-21".to_owned(),
            seen: Age(i64::from(n) * 70),
            current,
        };
        let plain = DemoDevices {
            lang,
            frame: frame(lang),
            devices: vec![device(1, true), device(2, false)],
            done: None,
            other: 2,
            other_href: "/device/2/".to_owned(),
        };
        let hostile = DemoDevice {
            id: sample::HOSTILE.to_owned().replace(['<', '>'], ""),
            name: sample::HOSTILE.repeat(3),
            platform: sample::HOSTILE.to_owned(),
            address: sample::HOSTILE.to_owned(),
            ..device(3, false)
        };
        vec![
            ("two", plain.clone()),
            (
                "removed",
                DemoDevices {
                    devices: vec![device(1, true)],
                    done: Some(DemoDone::Removed),
                    ..plain.clone()
                },
            ),
            (
                "hostile",
                DemoDevices {
                    frame: hostile_frame(),
                    devices: vec![device(1, true), hostile],
                    ..plain
                },
            ),
        ]
    }
}

impl Sample for DemoSecurity {
    const NAME: &'static str = "demo_security";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let login = |live| DemoLogin {
            name: "梅 Mei".to_owned(),
            app: "service".to_owned(),
            since: "2026-11-21".to_owned(),
            live,
        };
        let plain = DemoSecurity {
            lang,
            frame: frame(lang),
            phone: "+86 138****0001".to_owned(),
            logins: vec![login(true)],
            done: None,
        };
        let done = |done| DemoSecurity {
            done: Some(done),
            ..plain.clone()
        };
        vec![
            ("linked", done(DemoDone::Linked)),
            (
                "revoked",
                DemoSecurity {
                    logins: vec![login(false)],
                    ..plain.clone()
                },
            ),
            ("changed", done(DemoDone::Changed)),
            (
                "unlinked",
                DemoSecurity {
                    logins: Vec::new(),
                    ..done(DemoDone::Unlinked)
                },
            ),
            (
                "hostile",
                DemoSecurity {
                    frame: hostile_frame(),
                    phone: String::new(),
                    logins: vec![DemoLogin {
                        name: sample::hostile_person().name,
                        app: sample::HOSTILE.to_owned(),
                        ..login(true)
                    }],
                    ..plain
                },
            ),
        ]
    }
}
