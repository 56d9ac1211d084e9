//! The demo app 小屋 Rooms: the other half of the tally, a relying party with its own brand.

use askama::Template;

use super::{
    lang::Lang,
    part::{Face, Field},
    sample::{self, Sample},
    text::Text as T,
};

/// The demo app's front page.
#[derive(Clone, Debug, Template)]
#[template(path = "demo_home.html")]
pub struct DemoHome {
    /// The language.
    pub lang: Lang,
    /// The same page in the other language.
    pub lang_href: Option<String>,
    /// Log in by QR code on this website.
    pub scan_href: String,
    /// Log in on this phone: hand over to the native stand-in.
    pub native_href: String,
    /// Log in on a page inside the client.
    pub page_href: String,
    /// Which platform is on the other side, such as `http://127.0.0.1:8084`.
    pub platform: String,
}

/// What the demo app received.
#[derive(Clone, Debug, Template)]
#[template(path = "demo_result.html")]
pub struct DemoResult {
    /// The language.
    pub lang: Lang,
    /// The token that proves that the form is ours.
    pub csrf: String,
    /// Where the form posts to: `act=log_out`, `act=userinfo`, `act=refresh`.
    pub action: String,
    /// The nickname.
    pub name: String,
    /// The avatar, on our own origin or a `data:` URL.
    pub avatar: Option<String>,
    /// The code, masked.
    pub code: String,
    /// The state that came back, which was the one sent.
    pub state: String,
    /// The token answer, tokens masked.
    pub token: Vec<Field>,
    /// The userinfo answer; empty for `snsapi_base`.
    pub profile: Vec<Field>,
    /// What was just done, in the demo's words.
    pub done: Option<DemoDone>,
}

/// What the demo app just did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DemoDone {
    /// It called userinfo again.
    Userinfo,
    /// It refreshed the token.
    Refreshed,
}

impl DemoDone {
    /// In plain words.
    #[must_use]
    pub const fn words(self, lang: Lang) -> &'static str {
        lang.t(match self {
            DemoDone::Userinfo => T::DemoDoneUserinfo,
            DemoDone::Refreshed => T::DemoDoneRefreshed,
        })
    }
}

impl DemoResult {
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

/// The platform said no.
#[derive(Clone, Debug, Template)]
#[template(path = "demo_error.html")]
pub struct DemoError {
    /// The language.
    pub lang: Lang,
    /// The number; 0 when there was none (a state that does not match, no code).
    pub errcode: i64,
    /// The platform's words.
    pub errmsg: String,
    /// Try again here.
    pub again_href: String,
}

impl DemoError {
    /// What the number means.
    #[must_use]
    pub const fn meaning(&self) -> &'static str {
        self.lang.t(match self.errcode {
            0 => T::MeansNoCode,
            -1 => T::MeansBusy,
            -2 => T::NativeCancelled,
            -4 => T::NativeDenied,
            40001 | 40014 | 41001 => T::MeansBadAccess,
            40003 => T::MeansBadOpenid,
            40013 | 41002 => T::MeansBadAppid,
            40125 | 41004 => T::MeansBadSecret,
            40029 | 41008 => T::MeansBadCode,
            40163 => T::MeansUsedCode,
            40030 | 41003 => T::MeansBadRefresh,
            42001 => T::MeansOldAccess,
            42002 => T::MeansOldRefresh,
            42003 => T::MeansOldCode,
            42007 => T::MeansPasswordChanged,
            45009 | 45011 => T::MeansTooOften,
            48001 | 50001 => T::MeansNoScope,
            _ => T::MeansUnknown,
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
            lang_href: Some("/demo/?lang=en".to_owned()),
            scan_href: "/demo/login/scan".to_owned(),
            native_href: "/demo/login/native".to_owned(),
            page_href: "/demo/login/page".to_owned(),
            platform: "http://127.0.0.1:8084".to_owned(),
        };
        vec![
            ("plain", plain.clone()),
            (
                "hostile",
                DemoHome {
                    platform: sample::HOSTILE.to_owned(),
                    lang_href: None,
                    ..plain
                },
            ),
        ]
    }
}

impl Sample for DemoResult {
    const NAME: &'static str = "demo_result";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let plain = DemoResult {
            lang,
            csrf: sample::CSRF.to_owned(),
            action: "/demo/".to_owned(),
            name: "梅 Mei".to_owned(),
            avatar: None,
            code: "051aGx…q1Yz".to_owned(),
            state: "k3Jf…9a".to_owned(),
            token: vec![
                Field::new("access_token", "73_vQ8…mR2w"),
                Field::new("expires_in", "7200"),
                Field::new("refresh_token", "73_9xL…0pTc"),
                Field::new("openid", "oYuFu1aBcDeFgHiJkLmNoPqRsTuV"),
                Field::new("scope", "snsapi_login"),
                Field::new("unionid", "oUnIoN1aBcDeFgHiJkLmNoPqRsTu"),
            ],
            profile: vec![
                Field::new("nickname", "梅 Mei"),
                Field::new("sex", "0"),
                Field::new("language", ""),
                Field::new("headimgurl", "http://127.0.0.1:8084/avatar/mei/132"),
                Field::new("privilege", "[]"),
            ],
            done: None,
        };
        vec![
            ("plain", plain.clone()),
            (
                "base",
                DemoResult {
                    profile: Vec::new(),
                    done: Some(DemoDone::Refreshed),
                    ..plain.clone()
                },
            ),
            (
                "hostile",
                DemoResult {
                    name: sample::hostile_person().name,
                    avatar: Some(sample::PIXEL.to_owned()),
                    code: sample::HOSTILE.to_owned(),
                    state: sample::HOSTILE.to_owned(),
                    profile: vec![Field::new(sample::HOSTILE, sample::HOSTILE.repeat(4))],
                    done: Some(DemoDone::Userinfo),
                    ..plain
                },
            ),
        ]
    }
}

impl Sample for DemoError {
    const NAME: &'static str = "demo_error";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let error = |errcode, errmsg: &str| DemoError {
            lang,
            errcode,
            errmsg: errmsg.to_owned(),
            again_href: "/demo/".to_owned(),
        };
        vec![
            (
                "used",
                error(40163, "code been used, rid: 6740a1b2-0badcafe-1234abcd"),
            ),
            (
                "no-code",
                error(0, "no code in the call-back: the person said no"),
            ),
            ("hostile", error(99999, sample::HOSTILE)),
        ]
    }
}

impl Sample for DemoNative {
    const NAME: &'static str = "demo_native";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let native = |result, fields, continue_href| DemoNative {
            lang,
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
