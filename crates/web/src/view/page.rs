//! Pages that only say something: errors, and short messages.

use askama::Template;

use super::{
    lang::Lang,
    part::Field,
    sample::{self, Sample},
    text::Text as T,
};

/// What is wrong, as an authorize page says it. Each kind has the platform's number or short
/// text, words for the person, and a remedy for the developer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// 10003: the host of `redirect_uri` is not the registered one.
    RedirectHost,
    /// 10004: the client is banned.
    Banned,
    /// 10005: the client may not ask for this scope.
    NoScope,
    /// 10006: a test account that must be followed first.
    FollowFirst,
    /// 10009: too often.
    TooOften,
    /// 10010: `scope` is empty.
    ScopeEmpty,
    /// 10011: `redirect_uri` is empty.
    RedirectEmpty,
    /// 10012: `appid` is empty.
    AppidEmpty,
    /// 10013: `state` is empty.
    StateEmpty,
    /// 10015: the account has not authorized this third-party platform.
    ThirdParty,
    /// 10016: an Open Platform appid on the in-client page.
    WrongKind,
    /// Text: `appid` is unknown or malformed.
    Appid,
    /// Text: `redirect_uri` is wrong.
    Redirect,
    /// Text: `scope` is wrong or not granted.
    Scope,
    /// Text: `state` is too long.
    StateTooLong,
    /// Text: `response_type` is not `code`.
    ResponseType,
    /// The page is for the client on the phone.
    OpenInClient,
    /// The login is too old or was used.
    Expired,
    /// The form did not come from our page.
    Forged,
    /// There is no such page.
    NotFound,
    /// It is our fault.
    Busy,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Trouble; 21] = [
        Trouble::RedirectHost,
        Trouble::Banned,
        Trouble::NoScope,
        Trouble::FollowFirst,
        Trouble::TooOften,
        Trouble::ScopeEmpty,
        Trouble::RedirectEmpty,
        Trouble::AppidEmpty,
        Trouble::StateEmpty,
        Trouble::ThirdParty,
        Trouble::WrongKind,
        Trouble::Appid,
        Trouble::Redirect,
        Trouble::Scope,
        Trouble::StateTooLong,
        Trouble::ResponseType,
        Trouble::OpenInClient,
        Trouble::Expired,
        Trouble::Forged,
        Trouble::NotFound,
        Trouble::Busy,
    ];

    /// The platform's number, if it has one.
    #[must_use]
    pub const fn number(self) -> Option<u32> {
        match self {
            Trouble::RedirectHost => Some(10003),
            Trouble::Banned => Some(10004),
            Trouble::NoScope => Some(10005),
            Trouble::FollowFirst => Some(10006),
            Trouble::TooOften => Some(10009),
            Trouble::ScopeEmpty => Some(10010),
            Trouble::RedirectEmpty => Some(10011),
            Trouble::AppidEmpty => Some(10012),
            Trouble::StateEmpty => Some(10013),
            Trouble::ThirdParty => Some(10015),
            Trouble::WrongKind => Some(10016),
            Trouble::Appid
            | Trouble::Redirect
            | Trouble::Scope
            | Trouble::StateTooLong
            | Trouble::ResponseType
            | Trouble::OpenInClient
            | Trouble::Expired
            | Trouble::Forged
            | Trouble::NotFound
            | Trouble::Busy => None,
        }
    }

    /// The short text that developers know, the same in both languages.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Trouble::RedirectHost => "redirect_uri域名与后台配置不一致，错误码:10003",
            Trouble::Banned => "此账号已被封禁，错误码:10004",
            Trouble::NoScope => "该账号没有这些scope的权限，错误码:10005",
            Trouble::FollowFirst => "必须关注此测试号，错误码:10006",
            Trouble::TooOften => "操作太频繁，请稍后重试，错误码:10009",
            Trouble::ScopeEmpty => "scope不能为空，错误码:10010",
            Trouble::RedirectEmpty => "redirect_uri不能为空，错误码:10011",
            Trouble::AppidEmpty => "appid不能为空，错误码:10012",
            Trouble::StateEmpty => "state不能为空，错误码:10013",
            Trouble::ThirdParty => "账号未授权第三方平台，错误码:10015",
            Trouble::WrongKind => "不支持开放平台的appid，请使用公众号appid，错误码:10016",
            Trouble::Appid => "AppID 参数错误",
            Trouble::Redirect => "redirect_uri 参数错误",
            Trouble::Scope => "Scope 参数错误或没有 Scope 权限",
            Trouble::StateTooLong => "state 参数过长",
            Trouble::ResponseType => "response_type 参数错误",
            Trouble::OpenInClient => "请在客户端打开链接",
            Trouble::Expired => "链接已失效",
            Trouble::Forged => "请求无效",
            Trouble::NotFound => "页面不存在",
            Trouble::Busy => "系统繁忙",
        }
    }

    /// The heading for the person.
    #[must_use]
    pub const fn title(self, lang: Lang) -> &'static str {
        lang.t(match self {
            Trouble::TooOften => T::TroubleTooOftenTitle,
            Trouble::OpenInClient => T::TroubleOpenInClientTitle,
            Trouble::Expired => T::TroubleExpiredTitle,
            Trouble::Forged => T::TroubleForgedTitle,
            Trouble::NotFound => T::TroubleNotFoundTitle,
            Trouble::Busy => T::TroubleBusyTitle,
            Trouble::Banned | Trouble::FollowFirst => T::TroubleClosedTitle,
            Trouble::RedirectHost
            | Trouble::NoScope
            | Trouble::ScopeEmpty
            | Trouble::RedirectEmpty
            | Trouble::AppidEmpty
            | Trouble::StateEmpty
            | Trouble::ThirdParty
            | Trouble::WrongKind
            | Trouble::Appid
            | Trouble::Redirect
            | Trouble::Scope
            | Trouble::StateTooLong
            | Trouble::ResponseType => T::TroubleAppTitle,
        })
    }

    /// What the person may do.
    #[must_use]
    pub const fn advice(self, lang: Lang) -> &'static str {
        lang.t(match self {
            Trouble::TooOften => T::TroubleTooOftenAdvice,
            Trouble::OpenInClient => T::TroubleOpenInClientAdvice,
            Trouble::Expired => T::TroubleExpiredAdvice,
            Trouble::Forged => T::TroubleForgedAdvice,
            Trouble::NotFound => T::TroubleNotFoundAdvice,
            Trouble::Busy => T::TroubleBusyAdvice,
            Trouble::Banned => T::TroubleBannedAdvice,
            Trouble::FollowFirst => T::TroubleFollowAdvice,
            Trouble::RedirectHost
            | Trouble::NoScope
            | Trouble::ScopeEmpty
            | Trouble::RedirectEmpty
            | Trouble::AppidEmpty
            | Trouble::StateEmpty
            | Trouble::ThirdParty
            | Trouble::WrongKind
            | Trouble::Appid
            | Trouble::Redirect
            | Trouble::Scope
            | Trouble::StateTooLong
            | Trouble::ResponseType => T::TroubleAppAdvice,
        })
    }

    /// What the developer has to mend; nothing for troubles that are not theirs.
    #[must_use]
    pub const fn remedy(self, lang: Lang) -> Option<&'static str> {
        Some(lang.t(match self {
            Trouble::RedirectHost => T::FixRedirectHost,
            Trouble::Banned => T::FixBanned,
            Trouble::NoScope => T::FixNoScope,
            Trouble::FollowFirst => T::FixFollowFirst,
            Trouble::TooOften => T::FixTooOften,
            Trouble::ScopeEmpty | Trouble::RedirectEmpty | Trouble::AppidEmpty => T::FixEmpty,
            Trouble::StateEmpty => T::FixStateEmpty,
            Trouble::ThirdParty => T::FixThirdParty,
            Trouble::WrongKind => T::FixWrongKind,
            Trouble::Appid => T::FixAppid,
            Trouble::Redirect => T::FixRedirect,
            Trouble::Scope => T::FixScope,
            Trouble::StateTooLong => T::FixStateTooLong,
            Trouble::ResponseType => T::FixResponseType,
            Trouble::OpenInClient => T::FixOpenInClient,
            Trouble::Forged => T::FixForged,
            Trouble::Expired | Trouble::NotFound | Trouble::Busy => return None,
        }))
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
    /// The short text that developers look for, shown as it is; see [`Trouble::text`].
    pub text: String,
    /// More facts for the developer, such as what was sent and what is registered.
    pub facts: Vec<Field>,
    /// Where the rule comes from, such as `docs: WeChat, §9`.
    pub source: Option<String>,
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
            text: trouble.text().to_owned(),
            facts: Vec::new(),
            source: None,
            incident: None,
            back_href: None,
        }
    }

    /// What the developer has to mend.
    #[must_use]
    pub const fn remedy(&self) -> Option<&'static str> {
        self.trouble.remedy(self.lang)
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
                    ..ErrorPage::new(lang, Trouble::RedirectHost)
                },
            ),
            ("scope", ErrorPage::new(lang, Trouble::Scope)),
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
                    back_href: None,
                    ..ErrorPage::new(lang, Trouble::Banned)
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
