//! The client's mouth: requests to the platform as plain values, and its answers read by content
//! and never by header (`docs/facts/wechat.md` §2, §14).

mod read;
mod repair;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use yufu_core::client::{ClientKind, Platform};
use yufu_core::id::ClientId;
use yufu_core::message::{Challenge, NativeApp};
use yufu_core::scope::Scopes;
use yufu_core::secret::Secret;

pub use read::{
    CallError, Granted, MAX_ANSWER_BYTES, Meaning, Reason, Returned, UpstreamProfile, meaning,
    read_mini, read_profile, read_return, read_tokens, read_verdict,
};

use crate::http::Method;

/// Everything but the unreserved characters of RFC 3986 §2.3 is escaped.
pub(super) const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A platform to log in with, and who we are there.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// What we are there: it decides by which door people are sent.
    pub kind: ClientKind,
    /// Our public name there.
    pub appid: ClientId,
    /// Our secret there.
    pub secret: Secret,
    /// Where `/sns/*` is, without a slash at its end.
    pub api: String,
    /// Where `/connect/*` is, without a slash at its end.
    pub open: String,
}

/// What people are asked for, and where the answer goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Where the browser returns to; not used by the native hand-over, which returns to the app.
    pub redirect: String,
    /// What is asked for.
    pub scopes: Scopes,
    /// Comes back as it is; bind it to the browser.
    pub state: Option<String>,
    /// The PKCE challenge (RFC 7636 §4.2). The platform itself ignores it; a yufu enforces it.
    pub challenge: Option<Challenge>,
    /// In-client: ask even where a grant stands (§3).
    pub force_consent: bool,
    /// What the app says of itself, for the native hand-over.
    pub native: Option<NativeApp>,
}

/// The language of a profile's places (§7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lang {
    /// `zh_CN`
    Simplified,
    /// `zh_TW`
    Traditional,
    /// `en`
    English,
}

impl Lang {
    /// The word for it on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Simplified => "zh_CN",
            Self::Traditional => "zh_TW",
            Self::English => "en",
        }
    }
}

/// A request to be sent from server to server. Its address bears secrets and is not printed.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The address with its query.
    pub url: Secret,
}

impl Upstream {
    /// A client of the real platform (§1).
    pub fn new(kind: ClientKind, appid: ClientId, secret: Secret) -> Self {
        Self {
            kind,
            appid,
            secret,
            api: "https://api.weixin.qq.com".to_owned(),
            open: "https://open.weixin.qq.com".to_owned(),
        }
    }

    /// The same client of a platform that lives on one origin, such as a yufu.
    pub fn at(self, origin: &str) -> Self {
        let origin = origin.trim_end_matches('/');
        Self {
            api: origin.to_owned(),
            open: origin.to_owned(),
            ..self
        }
    }

    /// Where people are sent: the scan page for a website (§4.1), the in-client page for a
    /// service client (§3), the hand-over for a mobile app (§11.6).
    pub fn authorize_url(&self, ask: &Ask) -> String {
        match self.kind {
            ClientKind::Website => self.web_url("/connect/qrconnect", ask).end(),
            ClientKind::Service => {
                let url = self.web_url("/connect/oauth2/authorize", ask);
                url.maybe("forcePopup", ask.force_consent.then_some("true"))
                    .end()
                    + "#wechat_redirect"
            }
            ClientKind::Mobile => self.native_url(ask),
        }
    }

    /// §3: the documents want this order of parameters.
    fn web_url(&self, path: &str, ask: &Ask) -> Url {
        Url::new(&self.open, path)
            .with("appid", self.appid.as_str())
            .with("redirect_uri", &ask.redirect)
            .with("response_type", "code")
            .with("scope", &ask.scopes.joined(","))
            .maybe("state", ask.state.as_deref())
            .challenge(ask.challenge)
    }

    fn native_url(&self, ask: &Ask) -> String {
        let url = Url::new(&self.open, "/connect/app/authorize")
            .with("appid", self.appid.as_str())
            .with("scope", &ask.scopes.joined(","))
            .maybe("state", ask.state.as_deref());
        let url = match &ask.native {
            Some(app) => url
                .with(
                    "platform",
                    match app.platform {
                        Platform::Ios => "ios",
                        Platform::Android => "android",
                        Platform::Harmony => "harmony",
                    },
                )
                .with("bundle", &app.bundle)
                .with("signature", &app.signature),
            None => url,
        };
        url.challenge(ask.challenge).end()
    }

    /// Exchanges a code for tokens (§7.1).
    pub fn exchange(&self, code: &Secret, verifier: Option<&Secret>) -> Call {
        Url::new(&self.api, "/sns/oauth2/access_token")
            .with("appid", self.appid.as_str())
            .with("secret", self.secret.expose())
            .with("code", code.expose())
            .with("grant_type", "authorization_code")
            .maybe("code_verifier", verifier.map(Secret::expose))
            .call()
    }

    /// Exchanges a mini program's login code for its session (§7.5).
    pub fn exchange_mini(&self, code: &Secret) -> Call {
        Url::new(&self.api, "/sns/jscode2session")
            .with("appid", self.appid.as_str())
            .with("secret", self.secret.expose())
            .with("js_code", code.expose())
            .with("grant_type", "authorization_code")
            .call()
    }

    /// Refreshes an access token; no secret goes out (§7.2).
    pub fn refresh(&self, refresh: &Secret) -> Call {
        Url::new(&self.api, "/sns/oauth2/refresh_token")
            .with("appid", self.appid.as_str())
            .with("grant_type", "refresh_token")
            .with("refresh_token", refresh.expose())
            .call()
    }

    /// Asks whether an access token is alive and whose (§7.3).
    pub fn check(&self, access: &Secret, openid: &str) -> Call {
        Url::new(&self.api, "/sns/auth")
            .with("access_token", access.expose())
            .with("openid", openid)
            .call()
    }

    /// Asks for the profile (§7.4).
    pub fn profile(&self, access: &Secret, openid: &str, lang: Option<Lang>) -> Call {
        Url::new(&self.api, "/sns/userinfo")
            .with("access_token", access.expose())
            .with("openid", openid)
            .maybe("lang", lang.map(Lang::word))
            .call()
    }
}

/// An address under construction.
struct Url {
    text: String,
    separator: char,
}

impl Url {
    fn new(base: &str, path: &str) -> Self {
        Self {
            text: format!("{base}{path}"),
            separator: '?',
        }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.text.push(self.separator);
        self.separator = '&';
        self.text.push_str(name);
        self.text.push('=');
        self.text.extend(utf8_percent_encode(value, ESCAPED));
        self
    }

    fn maybe(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    fn challenge(self, challenge: Option<Challenge>) -> Self {
        match challenge {
            Some(challenge) => self
                .with("code_challenge", &challenge.write())
                .with("code_challenge_method", "S256"),
            None => self,
        }
    }

    fn end(self) -> String {
        self.text
    }

    fn call(self) -> Call {
        Call {
            method: Method::Get,
            url: Secret::new(self.text),
        }
    }
}
