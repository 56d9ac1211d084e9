//! What WeChat says to each refusal: one errcode and text at the JSON endpoints
//! (`docs/facts/wechat.md` §8), one number and text on pages (§9).

use std::net::IpAddr;

use yufu_core::refusal::Refusal;

use super::json::Object;
use crate::http::Stamp;

/// The JSON endpoints that differ in how they refuse (`docs/facts/wechat.md` §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `/sns/oauth2/access_token` and `/sns/oauth2/refresh_token`.
    Tokens,
    /// `/sns/auth`.
    Auth,
    /// `/sns/userinfo`.
    Userinfo,
    /// `/sns/jscode2session`.
    Mini,
    /// `/cgi-bin/token` and `/cgi-bin/ticket/getticket`.
    Platform,
    /// `/connect/sdk/qrconnect`.
    SignedScan,
}

impl Place {
    /// All places.
    pub const ALL: [Self; 6] = [
        Self::Tokens,
        Self::Auth,
        Self::Userinfo,
        Self::Mini,
        Self::Platform,
        Self::SignedScan,
    ];

    /// The place of a path; paths that are no JSON endpoint speak as the token endpoints do.
    pub fn of(path: &str) -> Self {
        match path {
            "/sns/auth" => Self::Auth,
            "/sns/userinfo" => Self::Userinfo,
            "/sns/jscode2session" => Self::Mini,
            "/connect/sdk/qrconnect" => Self::SignedScan,
            path if path.starts_with("/cgi-bin/") => Self::Platform,
            _ => Self::Tokens,
        }
    }

    /// The paths, for documents.
    pub fn paths(self) -> &'static str {
        match self {
            Self::Tokens => "/sns/oauth2/*",
            Self::Auth => "/sns/auth",
            Self::Userinfo => "/sns/userinfo",
            Self::Mini => "/sns/jscode2session",
            Self::Platform => "/cgi-bin/*",
            Self::SignedScan => "/connect/sdk/qrconnect",
        }
    }
}

/// The errcode and text of a refusal at a JSON endpoint, without the request id
/// (`docs/facts/wechat.md` §8). Exhaustive: a new refusal cannot be forgotten.
pub fn errcode(refusal: &Refusal, place: Place) -> (i32, String) {
    let (code, text) = match refusal {
        // Not known from the platform; the numbers are those of its global table (§8).
        Refusal::TooLarge(_) => (45002, "content size out of limit"),
        Refusal::Malformed(_) => (40097, "invalid args"),
        Refusal::WrongMethod => (43001, "require GET method"),
        Refusal::TooFast => (
            45011,
            "api minute-quota reach limit, must slower, retry next minute",
        ),
        Refusal::QuotaSpent => (45009, "reach max api daily quota limit"),

        Refusal::MissingClientId => (41002, "appid missing"),
        Refusal::MissingSecret => (41004, "appsecret missing"),
        Refusal::MissingCode => (41008, "missing code"),
        Refusal::MissingRefresh => (41003, "refresh_token missing"),
        Refusal::MissingAccess => (41001, "access_token missing"),
        Refusal::MissingSubject => (41009, "missing openid"),
        Refusal::MissingRedirect => (10011, "redirect_uri missing"),
        Refusal::MissingScope => (10010, "scope missing"),

        Refusal::UnknownClient => (40013, "invalid appid"),
        Refusal::WrongSecret => (40125, "invalid appsecret"),
        Refusal::ClientSuspended => (48004, "api forbidden for irregularities"),
        Refusal::ClientNotApproved | Refusal::WrongClientKind => (48001, "api unauthorized"),
        Refusal::AddressRefused(address) => return (40164, address_refused(address)),
        Refusal::GrantTypeUnsupported => (40002, "invalid grant_type"),

        // Said on pages; in JSON only by the signed scan, with the numbers of §9.
        Refusal::ResponseTypeUnsupported => (40097, "invalid response_type"),
        Refusal::RedirectMalformed | Refusal::RedirectMismatch => (10003, "invalid redirect_uri"),
        Refusal::ScopeUnknown | Refusal::ScopeDenied => (10005, "scope unauthorized"),
        Refusal::StateTooLong => (45002, "state too long"),
        Refusal::OpenInClient => (48001, "api unauthorized"),
        Refusal::IdentityMismatch(_) => (-6, "app identity mismatch"),
        Refusal::ChallengeRequired => (40097, "code_challenge missing"),
        Refusal::ChallengeMalformed => (40097, "invalid code_challenge"),
        Refusal::ConsentDenied => (-4, "authorization denied"),
        Refusal::ConsentCancelled => (-2, "authorization cancelled"),
        Refusal::InteractionGone | Refusal::WrongBrowser => (40097, "invalid uuid"),

        Refusal::UnknownCode | Refusal::VerifierMismatch | Refusal::RedirectChanged => {
            (40029, "invalid code")
        }
        Refusal::SpentCode => (40163, "code been used"),
        Refusal::ExpiredCode => (42003, "code expired"),
        Refusal::UnknownRefresh => (40030, "invalid refresh_token"),
        Refusal::ExpiredRefresh => (42002, "refresh_token expired"),
        Refusal::UnknownAccess | Refusal::WrongTokenKind => match place {
            Place::Auth => (40014, "invalid access_token"),
            Place::Tokens | Place::Userinfo | Place::Mini | Place::Platform | Place::SignedScan => {
                (
                    40001,
                    "invalid credential, access_token is invalid or not latest",
                )
            }
        },
        Refusal::ExpiredAccess => (42001, "access_token expired"),
        Refusal::WrongSubject => (40003, "invalid openid"),
        Refusal::ScopeInsufficient => (48001, "api unauthorized"),
        Refusal::CredentialsChanged => (
            42007,
            "user changed password, access_token and refresh_token invalid",
        ),
        Refusal::UserRestricted => (50002, "user limited"),

        // The platform's words for a signed scan are not known (§6).
        Refusal::SignatureMismatch => (87009, "invalid signature"),
        Refusal::TimestampSkewed => (40097, "invalid timestamp"),
        Refusal::NonceUsed => (40097, "noncestr been used"),

        // Said to people on our own pages, never on this wire.
        Refusal::NotSignedIn | Refusal::WrongCredentials | Refusal::UnknownGrant => {
            (50001, "user unauthorized")
        }
        Refusal::TooManyFailures(_) | Refusal::PasscodeTooSoon(_) => (
            45011,
            "api minute-quota reach limit, must slower, retry next minute",
        ),
        Refusal::PhoneMalformed
        | Refusal::PasswordUnfit
        | Refusal::ProfileUnfit(_)
        | Refusal::FormForged => (40097, "invalid args"),
    };
    (code, text.to_owned())
}

/// `docs/facts/wechat.md` §8: the address twice, the second time as IPv6.
fn address_refused(address: &str) -> String {
    match address.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V4(ip)) => format!("invalid ip {ip} ipv6 ::ffff:{ip}, not in whitelist"),
        Ok(IpAddr::V6(ip)) => format!("invalid ip {ip} ipv6 {ip}, not in whitelist"),
        Err(_) => "invalid ip, not in whitelist".to_owned(),
    }
}

/// The JSON of a refusal (`docs/facts/wechat.md` §2, §8).
pub fn body(refusal: &Refusal, place: Place, stamp: &Stamp) -> String {
    let (code, text) = errcode(refusal, place);
    numbered(code, &text, place, stamp)
}

/// The JSON of an error with this number and these words.
pub(super) fn numbered(code: i32, text: &str, place: Place, stamp: &Stamp) -> String {
    // Gateway-style errors have no comma before the request id.
    let bare = place == Place::Platform || (place == Place::Auth && code == 40014);
    error(code, text, if bare { " rid: " } else { ", rid: " }, stamp)
}

/// The words of a number, where they are known and always the same (`docs/facts/wechat.md` §8).
pub fn words(code: i32) -> Option<&'static str> {
    let known = WORDS.iter().find(|(number, _)| *number == code);
    known.map(|(_, words)| *words)
}

/// The numbers whose words are known.
const WORDS: [(i32, &str); 27] = [
    (-1, "system error"),
    (
        40001,
        "invalid credential, access_token is invalid or not latest",
    ),
    (40002, "invalid grant_type"),
    (40003, "invalid openid"),
    (40013, "invalid appid"),
    (40014, "invalid access_token"),
    (40029, "invalid code"),
    (40030, "invalid refresh_token"),
    (40097, "invalid args"),
    (40125, "invalid appsecret"),
    (40163, "code been used"),
    (41001, "access_token missing"),
    (41002, "appid missing"),
    (41003, "refresh_token missing"),
    (41004, "appsecret missing"),
    (41008, "missing code"),
    (41009, "missing openid"),
    (42001, "access_token expired"),
    (42002, "refresh_token expired"),
    (42003, "code expired"),
    (43001, "require GET method"),
    (45002, "content size out of limit"),
    (45009, "reach max api daily quota limit"),
    (
        45011,
        "api minute-quota reach limit, must slower, retry next minute",
    ),
    (48001, "api unauthorized"),
    (48004, "api forbidden for irregularities"),
    (50002, "user limited"),
];

/// The JSON of a fault: −1, with nothing inside (`docs/facts/wechat.md` §8).
pub fn busy(place: Place, stamp: &Stamp) -> String {
    let separator = match place {
        Place::Platform => " rid: ",
        _ => ", rid: ",
    };
    error(-1, "system error", separator, stamp)
}

fn error(code: i32, text: &str, separator: &str, stamp: &Stamp) -> String {
    Object::new()
        .number("errcode", code.into())
        .text("errmsg", &format!("{text}{separator}{}", rid(stamp)))
        .end()
}

/// The request id: three groups of eight lower-case hexadecimal digits, the first the Unix
/// seconds (`docs/facts/wechat.md` §2, §17.25).
pub fn rid(stamp: &Stamp) -> String {
    format!(
        "{:08x}-{:08x}-{:08x}",
        stamp.now.seconds() & 0xffff_ffff,
        stamp.noise >> 32,
        stamp.noise & 0xffff_ffff
    )
}

/// The number that a poll answers to a refusal (`docs/facts/wechat.md` §4.2). A poll knows six
/// numbers only: a scan that is not there is an expired one, a hasty poller waits, and anything
/// else makes the page load anew.
pub(super) fn poll_number(refusal: &Refusal) -> u16 {
    match refusal {
        Refusal::InteractionGone => 402,
        Refusal::TooFast | Refusal::QuotaSpent => 408,
        _ => 500,
    }
}
