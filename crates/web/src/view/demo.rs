//! The demo app 小屋 Rooms: the other half of the tally, a relying party with its own brand. Here is
//! how one comes in, and what goes wrong on the way; [`super::rooms`] has the rest.

use askama::Template;

use super::{
    lang::Lang,
    part::{Field, Problem},
    rooms::{DemoFrame, frame, hostile_frame},
    sample::{self, Sample},
    text::Text as T,
};

/// The demo app's front page. Posts `agree` and the way as `act`: `scan`, `native`, `page`, `phone`.
#[derive(Clone, Debug, Template)]
#[template(path = "demo_home.html")]
pub struct DemoHome {
    /// The language.
    pub lang: Lang,
    /// What every page has.
    pub frame: DemoFrame,
    /// Where the form posts to.
    pub action: String,
    /// The terms were accepted before.
    pub agreed: bool,
    /// What went wrong.
    pub error: Option<Problem>,
    /// Which platform is on the other side, such as `http://127.0.0.1:8084`.
    pub platform: String,
    /// Which login backend is in between.
    pub backend: String,
}

/// It did not work, and what to do.
#[derive(Clone, Debug, Template)]
#[template(path = "demo_error.html")]
pub struct DemoError {
    /// The language.
    pub lang: Lang,
    /// What every page has.
    pub frame: DemoFrame,
    /// The number: of the login API, or of a phone's SDK when it is negative; 0 when there was none
    /// (a state that is not ours, no answer).
    pub code: i32,
    /// The words that came with it.
    pub msg: String,
    /// What came with it beside words.
    pub facts: Vec<Field>,
    /// What to do: labels and addresses, the likeliest first.
    pub links: Vec<(String, String)>,
}

impl DemoError {
    /// What the person can do about a number.
    #[must_use]
    pub const fn advice(code: i32, lang: Lang) -> &'static str {
        lang.t(match code {
            0 => T::MeansNoCode,
            -2 => T::NativeCancelled,
            -4 => T::NativeDenied,
            1002 | 3002 | 3003 => T::MeansTooOften,
            1003 => T::LoginNeedAgree,
            1004 | 4003 => T::MeansOver,
            1005 => T::MeansAgain,
            2001 | 2002 => T::MeansBadCode,
            2003 | 2007 => T::MeansUsePhone,
            2004 => T::MeansUpstreamBusy,
            2005 | 2006 | 2008 => T::MeansAuthorize,
            3001 => T::ProblemBadPhone,
            3004 => T::ProblemWrongPasscode,
            3005 | 3006 => T::ProblemPasscodeExpired,
            3007 => T::MeansNotSent,
            3008 => T::MeansCaptcha,
            3009 => T::MeansCarrier,
            4001 => T::MeansOtherWechat,
            4002 => T::MeansWechatTaken,
            4004 => T::MeansLastWay,
            4005 | 4011 => T::MeansWhose,
            4006 => T::MeansDeleting,
            4007 => T::MeansDisabled,
            4009 => T::MeansLinkedOther,
            4010 => T::MeansProveFirst,
            5001 | 5002 => T::MeansLogInAgain,
            5003 => T::MeansReplaced,
            5004 => T::MeansKicked,
            5005 => T::MeansReused,
            5006 => T::MeansTooMany,
            _ => T::MeansUnknown,
        })
    }

    fn heading(&self) -> &'static str {
        self.lang.t(match self.code {
            5001..=5005 => T::RoomsOutTitle,
            _ => T::DemoErrorTitle,
        })
    }
}

/// The result code of a native hand-over, as in the mobile SDKs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NativeCode {
    /// 0: there is a code.
    Ok,
    /// -2: the person closed the page.
    Cancelled,
    /// -4: the person said no.
    Denied,
    /// -6: the app's signature is not the registered one.
    Banned,
}

impl NativeCode {
    /// The number.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            NativeCode::Ok => 0,
            NativeCode::Cancelled => -2,
            NativeCode::Denied => -4,
            NativeCode::Banned => -6,
        }
    }

    /// The name in the SDKs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            NativeCode::Ok => "ERR_OK",
            NativeCode::Cancelled => "ERR_USER_CANCEL",
            NativeCode::Denied => "ERR_AUTH_DENIED",
            NativeCode::Banned => "ERR_BAN",
        }
    }

    /// Reads the number.
    #[must_use]
    pub const fn from_number(number: i32) -> Option<NativeCode> {
        match number {
            0 => Some(NativeCode::Ok),
            -2 => Some(NativeCode::Cancelled),
            -4 => Some(NativeCode::Denied),
            -6 => Some(NativeCode::Banned),
            _ => None,
        }
    }

    /// In plain words.
    #[must_use]
    pub const fn words(self, lang: Lang) -> &'static str {
        lang.t(match self {
            NativeCode::Ok => T::NativeOk,
            NativeCode::Cancelled => T::NativeCancelled,
            NativeCode::Denied => T::NativeDenied,
            NativeCode::Banned => T::NativeBanned,
        })
    }
}

/// A web page that stands in for the demo's mobile app: what the SDK would have handed over.
#[derive(Clone, Debug, Template)]
#[template(path = "demo_native.html")]
pub struct DemoNative {
    /// The language.
    pub lang: Lang,
    /// What every page has.
    pub frame: DemoFrame,
    /// The result.
    pub result: NativeCode,
    /// The call-back address as the app received it, secrets masked.
    pub callback: String,
    /// The fields of the response object (`code`, `state`, `lang`, `country`), code masked.
    pub fields: Vec<Field>,
    /// Goes on with the code, when there is one.
    pub continue_href: Option<String>,
    /// Try again here.
    pub again_href: String,
}

impl Sample for DemoHome {
    const NAME: &'static str = "demo_home";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let plain = DemoHome {
            lang,
            frame: DemoFrame {
                wire: Vec::new(),
                ..frame(lang)
            },
            action: "/".to_owned(),
            agreed: false,
            error: None,
            platform: "http://127.0.0.1:8084".to_owned(),
            backend: "http://127.0.0.1:8094".to_owned(),
        };
        vec![
            ("plain", plain.clone()),
            (
                "agree",
                DemoHome {
                    error: Some(Problem::Said(lang.t(T::LoginNeedAgree).to_owned())),
                    ..plain.clone()
                },
            ),
            (
                "hostile",
                DemoHome {
                    frame: hostile_frame(),
                    agreed: true,
                    platform: sample::HOSTILE.to_owned(),
                    backend: sample::HOSTILE.to_owned(),
                    ..plain
                },
            ),
        ]
    }
}

impl Sample for DemoError {
    const NAME: &'static str = "demo_error";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let error = |code, msg: &str| DemoError {
            lang,
            frame: frame(lang),
            code,
            msg: msg.to_owned(),
            facts: Vec::new(),
            links: vec![(lang.t(T::TryAgain).to_owned(), "/".to_owned())],
        };
        let hostile = DemoError {
            frame: hostile_frame(),
            facts: vec![Field::new(sample::HOSTILE, sample::HOSTILE)],
            links: vec![(sample::HOSTILE.to_owned(), "/".to_owned())],
            ..error(9999, sample::HOSTILE)
        };
        let kicked = DemoError {
            facts: vec![Field::new("at", "2026-11-21T10:42:07Z")],
            ..error(
                5004,
                "This device was logged out from elsewhere. Log in again.",
            )
        };
        let withdrawn = DemoError {
            links: vec![
                (
                    lang.t(T::RoomsAuthorize).to_owned(),
                    "/login/page".to_owned(),
                ),
                (lang.t(T::RoomsUsePhone).to_owned(), "/phone".to_owned()),
            ],
            ..error(
                2008,
                "The user must authorize at WeChat again: begin a WeChat login.",
            )
        };
        vec![
            ("withdrawn", withdrawn),
            (
                "used",
                error(
                    2002,
                    "This WeChat code was used before. Let the user log in again.",
                ),
            ),
            ("denied", error(-4, "ERR_AUTH_DENIED")),
            ("no-code", error(0, "state")),
            ("kicked", kicked),
            ("hostile", hostile),
        ]
    }
}

impl Sample for DemoNative {
    const NAME: &'static str = "demo_native";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let native = |result, fields, continue_href| DemoNative {
            lang,
            frame: frame(lang),
            result,
            callback: "wx0000000000000002://oauth?code=051a…q1Yz&state=k3Jf".to_owned(),
            fields,
            continue_href,
            again_href: "/demo/".to_owned(),
        };
        vec![
            (
                "ok",
                native(
                    NativeCode::Ok,
                    vec![
                        Field::new("code", "051a…q1Yz"),
                        Field::new("state", "k3Jf"),
                        Field::new("lang", "zh_CN"),
                        Field::new("country", "CN"),
                    ],
                    Some("/demo/back?code=051aGxzSm1&state=k3Jf".to_owned()),
                ),
            ),
            ("cancelled", native(NativeCode::Cancelled, Vec::new(), None)),
            (
                "denied",
                native(
                    NativeCode::Denied,
                    vec![Field::new("state", sample::HOSTILE)],
                    None,
                ),
            ),
            ("banned", native(NativeCode::Banned, Vec::new(), None)),
        ]
    }
}
