//! The one table of the login API. Routing, the reading of bodies, the OpenAPI document and the
//! table in the docs are all made from it, and the tests loop over it.

use std::pin::Pin;
use std::sync::Arc;

use axum::extract::Request as HttpRequest;
use axum::response::Response;

use super::read::Ask;
use super::{LoginHouse, Said, account, document, flow, hooks, pages, phone, session, wechat};

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// `GET`
    Get,
    /// `POST`
    Post,
    /// `DELETE`
    Delete,
}

impl Verb {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Everybody.
    Nobody,
    /// Everybody; a session counts where the call says so.
    Maybe,
    /// Whoever has a session token.
    Session,
    /// A server of the operator's, by HTTP Basic.
    Service,
}

/// What a field of a body holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text of at most so many bytes, without control characters.
    Text(usize),
    /// A phone number as people type it.
    Phone,
    /// One of these words.
    Word(&'static [&'static str]),
    /// True or false.
    Flag,
    /// An object that holds these texts.
    Proof(&'static [&'static str]),
}

/// Whether a field must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It must, and must not be empty.
    Must,
    /// It may be left out, be `null`, or be empty.
    May,
    /// It must, but what its absence means is the engine's to say: `state` (1004),
    /// `consent_version` (1003).
    Judged,
}

/// A field of a body or a query.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it must be there.
    pub need: Need,
    /// What it is, for documents.
    pub about: &'static str,
    /// An example, for documents.
    pub example: &'static str,
}

/// What a good answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// The envelope with data of this name among the document's schemas.
    Data(&'static str),
    /// Something else of this media type.
    Raw(&'static str),
    /// A page, or a way to somewhere else.
    Page,
}

/// A call that reads fields and answers data.
pub(crate) type Call = fn(Ask) -> Pin<Box<dyn Future<Output = Said> + Send>>;
/// A call that reads and answers in its own way.
pub(crate) type Own =
    fn(Arc<LoginHouse>, HttpRequest) -> Pin<Box<dyn Future<Output = Response> + Send>>;

/// Who answers.
#[derive(Clone, Copy)]
pub(crate) enum Handler {
    Call(Call),
    Own(Own),
}

/// One method at one path.
pub struct Endpoint {
    /// The method.
    pub verb: Verb,
    /// The path, with its variable part in braces.
    pub path: &'static str,
    /// Under which heading it stands.
    pub tag: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// Who may call.
    pub auth: Auth,
    /// Its fields: of the body of a `POST`, else of the query.
    pub fields: &'static [Field],
    /// Fields that no caller may send: they would claim what only an upstream may say (PHO-11).
    pub forbidden: &'static [&'static str],
    /// What a good answer is.
    pub answers: Answers,
    /// The refusals that it can give, beside those that every call of its kind can
    /// ([`Endpoint::codes`]).
    pub refusals: &'static [u16],
    pub(crate) handler: Handler,
}

impl Endpoint {
    /// Every refusal that it can give, in order.
    pub fn codes(&self) -> Vec<u16> {
        let Answers::Data(_) = self.answers else {
            return Vec::new();
        };
        let mut codes = vec![1001, 1005];
        match self.auth {
            Auth::Session => codes.extend([2008, 4007, 5001, 5002, 5003, 5004, 5005]),
            Auth::Service => codes.push(5001),
            Auth::Nobody | Auth::Maybe => {}
        }
        codes.extend(self.refusals);
        codes.sort_unstable();
        codes.dedup();
        codes
    }

    /// Whether the path ends with something variable.
    pub fn has_tail(&self) -> bool {
        self.path.ends_with('}')
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

const fn field(
    name: &'static str,
    kind: Kind,
    need: Need,
    about: &'static str,
    example: &'static str,
) -> Field {
    Field {
        name,
        kind,
        need,
        about,
        example,
    }
}

const WORD: Kind = Kind::Text(512);
const LABEL: Kind = Kind::Text(128);
const TOKEN: Kind = Kind::Text(128);
const CARRIER: Kind = Kind::Text(2048);
/// The parts of a proof by an upstream, and of one by either.
const UPSTREAM_PROOF: Kind = Kind::Proof(&["code", "state"]);
const EITHER_PROOF: Kind = Kind::Proof(&["code", "state", "sms_code"]);

const CODE: Field = field(
    "code",
    WORD,
    Need::Must,
    "The code that the upstream gave.",
    "0a1b2c3d4e5f",
);
const STATE: Field = field(
    "state",
    WORD,
    Need::Judged,
    "The state that prepare gave.",
    "1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
);
const DEVICE_ID: Field = field(
    "device_id",
    LABEL,
    Need::May,
    "The app's own name of the device; it proves nothing.",
    "Pixel 9",
);
const PLATFORM: Field = field(
    "platform",
    LABEL,
    Need::May,
    "`ios`, `android`, `harmony`, `web`, `mini` or another short word.",
    "android",
);
const CONSENT: Field = field(
    "consent_version",
    LABEL,
    Need::Judged,
    "The version of the terms that the user accepted.",
    "2025-01",
);
const PHONE: Field = field(
    "phone",
    Kind::Phone,
    Need::May,
    "A phone number as people type it.",
    "13800000001",
);
const SMS_CODE: Field = field(
    "sms_code",
    Kind::Text(32),
    Need::May,
    "The passcode that was sent to the number.",
    "246810",
);
const CARRIER_TOKEN: Field = field(
    "carrier_token",
    CARRIER,
    Need::May,
    "What the carrier's one-tap SDK gave, in the place of number and passcode.",
    "eyJhbGciOi",
);
const FRESH: Field = field(
    "fresh",
    Kind::Flag,
    Need::May,
    "After 4011: the account of this number is not the user's, start a new one.",
    "true",
);
const REFRESH_TOKEN: Field = field(
    "refresh_token",
    TOKEN,
    Need::May,
    "The refresh token; in a browser the cookie has it.",
    "1BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB",
);
const PROOF: Field = field(
    "proof",
    UPSTREAM_PROOF,
    Need::May,
    "A login at the upstream for the purpose `reauth`: its code and state.",
    "{\"code\":\"0a1b2c3d4e5f\",\"state\":\"1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
);

/// What an exchange at the upstream can end with.
macro_rules! exchange {
    ($($more:literal),*) => {
        &[1002, 1004, 2001, 2002, 2003, 2004, 2005, 2006, 2007, $($more),*]
    };
}

macro_rules! call {
    ($handler:path) => {
        Handler::Call(|ask| Box::pin($handler(ask)))
    };
}

macro_rules! own {
    ($handler:path) => {
        Handler::Own(|house, request| Box::pin($handler(house, request)))
    };
}

/// A row with what most rows have.
const fn row(
    verb: Verb,
    path: &'static str,
    tag: &'static str,
    about: &'static str,
    answers: Answers,
    handler: Handler,
) -> Endpoint {
    Endpoint {
        verb,
        path,
        tag,
        about,
        auth: Auth::Nobody,
        fields: &[],
        forbidden: &[],
        answers,
        refusals: &[],
        handler,
    }
}

impl Endpoint {
    const fn auth(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    const fn reads(mut self, fields: &'static [Field]) -> Self {
        self.fields = fields;
        self
    }

    const fn forbids(mut self, names: &'static [&'static str]) -> Self {
        self.forbidden = names;
        self
    }

    const fn refuses(mut self, codes: &'static [u16]) -> Self {
        self.refusals = codes;
        self
    }
}

use Answers::{Data, Page, Raw};
use Verb::{Delete, Get, Post};

const JSON: &str = "application/json";
const PLAIN: &str = "text/plain";

/// All endpoints, in the order of the documents.
pub static ENDPOINTS: &[Endpoint] = &[
    row(Get, "/user/config", "before login", "What a login page needs to know.", Data("Config"), call!(account::config)),
    // --- WeChat ---------------------------------------------------------------------------------
    row(Post, "/user/wechat/prepare", "wechat", "Begins a login, a link or a proof at the upstream.", Data("Prepared"), call!(wechat::prepare))
        .auth(Auth::Maybe)
        .reads(&[
            field("purpose", Kind::Word(&["login", "link", "reauth", "delete"]), Need::May, "What for: `login` when left out. `link` and `delete` need a session.", "login"),
            field("app", LABEL, Need::May, "The name of our app at the upstream; left out where there is only one.", "phone"),
            DEVICE_ID,
            PLATFORM,
            CONSENT,
            field("mode", Kind::Word(&["app", "qr", "web"]), Need::May, "How the user meets the upstream: `app` when left out.", "app"),
            field("return_to", Kind::Text(2048), Need::May, "Where the browser goes afterwards: a path of ours, or an address of a registered origin.", "/welcome"),
        ])
        .refuses(&[1002, 1003, 2008, 4007, 5001, 5002, 5003, 5004, 5005]),
    row(Post, "/user/wechat/prepare/close", "wechat", "Gives a transaction up: the user denied or cancelled, or the client cannot.", Data("Nothing"), call!(wechat::close))
        .reads(&[
            STATE,
            field("reason", Kind::Text(32), Need::Must, "Why, in a word of small letters: `denied`, `cancelled`, `unsupported`.", "denied"),
        ])
        .refuses(&[1002, 1004]),
    row(Post, "/user/wechat/login", "wechat", "Logs in with the code that came back.", Data("LoginAnswer"), call!(wechat::login))
        .reads(&[CODE, STATE])
        .refuses(exchange![4005, 4006, 4007, 5006]),
    row(Post, "/user/wechat/bind", "wechat", "Binds a phone number to a login that waits for one.", Data("Session"), call!(wechat::bind))
        .reads(&[
            field("bind_ticket", TOKEN, Need::May, "The ticket that the login gave; in a browser the cookie has it.", "1CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"),
            PHONE,
            SMS_CODE,
            CARRIER_TOKEN,
            field("confirm", Kind::Flag, Need::May, "After 4005: the account of this number is the user's.", "true"),
            FRESH,
            field("replace", Kind::Flag, Need::May, "After 4001: this login takes the place of the account's other one.", "true"),
            PROOF,
        ])
        .forbids(&["openid", "unionid", "wx_openid"])
        .refuses(exchange![3001, 3004, 3005, 3006, 3007, 3009, 4001, 4002, 4003, 4005, 4006, 4007, 4010, 4011, 5006]),
    row(Post, "/user/wechat/merge", "wechat", "Keeps one of two accounts that turned out to be one person's.", Data("Session"), call!(wechat::merge))
        .reads(&[
            field("merge_ticket", TOKEN, Need::Must, "The ticket that came with 4005.", "1CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"),
            field("keep", Kind::Word(&["a", "b"]), Need::Must, "The key of the candidate that stays.", "a"),
        ])
        .refuses(&[4001, 4003, 4006, 4007, 5006]),
    row(Post, "/user/wechat/relogin", "wechat", "Goes on without the user: by refresh token, by the session, or by a shown upstream token.", Data("Relogin"), call!(wechat::relogin))
        .auth(Auth::Maybe)
        .reads(&[
            REFRESH_TOKEN,
            field("access_token", WORD, Need::May, "An upstream token that this device was shown.", "ACCESS_TOKEN"),
        ])
        .refuses(&[2004, 2008, 4006, 4007, 5001, 5002, 5003, 5004, 5005, 5006]),
    row(Post, "/user/wechat/link", "wechat", "Links an upstream identity to the account, by a fresh proof of what it has.", Data("Identities"), call!(wechat::link))
        .auth(Auth::Session)
        .reads(&[CODE, STATE, SMS_CODE, PROOF])
        .refuses(exchange![3004, 3005, 3006, 4002, 4006, 4009, 4010]),
    row(Post, "/user/wechat/unlink", "wechat", "Takes the upstream identities from the account, by a fresh proof of what is left.", Data("Identities"), call!(wechat::unlink))
        .auth(Auth::Session)
        .reads(&[SMS_CODE])
        .refuses(&[3004, 3005, 3006, 4004, 4006, 4010]),
    // --- phone ----------------------------------------------------------------------------------
    row(Post, "/user/sms/send", "phone", "Sends a passcode.", Data("Sent"), call!(phone::send))
        .auth(Auth::Maybe)
        .reads(&[
            PHONE,
            field("scene", Kind::Word(&["login", "bind", "change", "verify"]), Need::Must, "What it shall be good for.", "login"),
            field("captcha", Kind::Text(4096), Need::May, "After 3008: the captcha's answer.", "solved"),
        ])
        .refuses(&[1002, 2008, 3001, 3002, 3003, 3007, 3008, 4007, 5001, 5002, 5003, 5004, 5005]),
    row(Post, "/user/phone/login", "phone", "Logs in by phone number; makes an account where there is none, and a device where none is proved.", Data("PhoneSession"), call!(phone::login))
        .reads(&[PHONE, SMS_CODE, CARRIER_TOKEN, CONSENT, DEVICE_ID, PLATFORM, FRESH])
        .refuses(&[1002, 1003, 3001, 3004, 3005, 3006, 3007, 3009, 4006, 4007, 4011, 5006]),
    row(Post, "/user/phone/change", "phone", "Gives the account another number, by a fresh proof of the old one or of an identity.", Data("Phone"), call!(phone::change))
        .auth(Auth::Session)
        .reads(&[
            PHONE,
            SMS_CODE,
            CARRIER_TOKEN,
            field("proof", EITHER_PROOF, Need::May, "The passcode of the old number (`sms_code`), or a login at the upstream for the purpose `reauth`.", "{\"sms_code\":\"135790\"}"),
        ])
        .refuses(exchange![3001, 3004, 3005, 3006, 3007, 3009, 4001, 4006, 4010]),
    // --- sessions -------------------------------------------------------------------------------
    row(Post, "/user/session/refresh", "session", "Pays the refresh token for the next pair.", Data("Refreshed"), call!(session::refresh))
        .reads(&[REFRESH_TOKEN])
        .refuses(&[2008, 4007, 5001, 5002, 5003, 5004, 5005]),
    row(Post, "/user/session/logout", "session", "Ends this session.", Data("Nothing"), call!(session::logout))
        .auth(Auth::Session),
    row(Get, "/user/sessions", "session", "The devices that are logged in.", Data("Sessions"), call!(session::list))
        .auth(Auth::Session),
    row(Delete, "/user/sessions/{id}", "session", "Ends one of them.", Data("Nothing"), call!(session::end))
        .auth(Auth::Session),
    row(Post, "/user/session/introspect", "session", "Tells a server of the operator's whether a session token is good, and whose.", Data("Introspection"), call!(session::introspect))
        .auth(Auth::Service)
        .reads(&[field("token", TOKEN, Need::Must, "The session token.", "1DDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDD")]),
    row(Post, "/user/session/jwt", "session", "A short-lived signed token for another server of the operator's.", Data("Jwt"), call!(session::jwt))
        .auth(Auth::Session)
        .reads(&[field("audience", LABEL, Need::Must, "For which server.", "orders")]),
    row(Get, "/.well-known/jwks.json", "session", "The keys that those tokens are checked with.", Raw(JSON), own!(session::jwks)),
    // --- the account ----------------------------------------------------------------------------
    row(Get, "/user/me", "account", "The account that is logged in.", Data("Person"), call!(account::me))
        .auth(Auth::Session),
    row(Get, "/user/identities", "account", "Its upstream identities.", Data("Identities"), call!(account::identities))
        .auth(Auth::Session),
    row(Post, "/user/account/delete", "account", "Asks for the end of the account, by a fresh proof.", Data("Deletion"), call!(account::delete))
        .auth(Auth::Session)
        .reads(&[SMS_CODE, field("proof", UPSTREAM_PROOF, Need::May, "A login at the upstream for the purpose `delete` or `reauth`.", PROOF.example)])
        .refuses(exchange![3004, 3005, 3006, 4006, 4010]),
    row(Post, "/user/account/delete/cancel", "account", "Takes that back, and logs in.", Data("Session"), call!(account::cancel))
        .reads(&[field("cancel_ticket", TOKEN, Need::Must, "The ticket that came with 4006.", "1CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC")])
        .refuses(&[4003, 5006]),
    row(Get, "/user/data/export", "account", "Everything that is stored of the account.", Data("Export"), call!(account::export))
        .auth(Auth::Session)
        .refuses(&[4006]),
    // --- what others tell -----------------------------------------------------------------------
    row(Get, "/hooks/wechat/events", "hooks", "The upstream's check of this address.", Raw(PLAIN), own!(hooks::echo))
        .reads(&[
            field("signature", WORD, Need::Must, "By the Token.", "7f3b"),
            field("timestamp", WORD, Need::Must, "Seconds since 1970.", "1800000000"),
            field("nonce", WORD, Need::Must, "A word.", "n1"),
            field("echostr", WORD, Need::Must, "What is answered.", "4375120948345356249"),
        ]),
    row(Post, "/hooks/wechat/events", "hooks", "What the upstream tells of users: encrypted, XML or JSON.", Raw(PLAIN), own!(hooks::events)),
    row(Post, "/hooks/sms/{gateway}", "hooks", "What an SMS gateway tells of messages.", Raw(JSON), own!(hooks::receipts))
        .reads(&[field("key", WORD, Need::Must, "The secret of this address.", "from-the-settings")]),
    // --- browsers -------------------------------------------------------------------------------
    row(Get, "/", "browser", "To the page below.", Page, own!(flow::home)),
    row(Get, "/login/wechat", "browser", "Sends a browser to the upstream.", Page, own!(flow::leave))
        .reads(&[
            field("return_to", Kind::Text(2048), Need::May, "Where it goes afterwards.", "/welcome"),
            field("app", LABEL, Need::May, "The name of our app at the upstream.", "site"),
            CONSENT,
        ]),
    row(Get, "/login/wechat/callback", "browser", "Where the upstream sends it back to.", Page, own!(flow::back))
        .reads(&[field("code", WORD, Need::May, "The code; none when the user said no.", CODE.example), STATE]),
    row(Get, "/login", "browser", "A page to log in with.", Page, own!(pages::login)),
    row(Post, "/login", "browser", "Its form.", Page, own!(pages::login)),
    row(Get, "/login/bind", "browser", "A page to bind a phone number with.", Page, own!(pages::bind)),
    row(Post, "/login/bind", "browser", "Its form.", Page, own!(pages::bind)),
    // --- the house ------------------------------------------------------------------------------
    row(Get, "/openapi.json", "house", "This document.", Raw(JSON), own!(document::page)),
    row(Get, "/healthz", "house", "The process answers.", Raw(PLAIN), own!(super::alive)),
    row(Get, "/readyz", "house", "The store answers too.", Raw(PLAIN), own!(super::ready)),
    row(Get, "/metrics", "house", "What is counted, in the OpenMetrics form.", Raw("application/openmetrics-text"), own!(super::metrics)),
];
