//! A dialect as data: which address is which operation, and the functions that read and write it.

use yufu_core::message::{
    AccessRequest, AuthorizeRequest, Authorized, Channel, MiniSession, PlatformTicket, PollAnswer,
    PollRequest, ProfileAnswer, ScanShown, TokenRequest, Tokens,
};
use yufu_core::refusal::Refusal;
use yufu_core::secret::Secret;

use crate::http::{Method, Reply, Request, Stamp};

/// Which dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DialectId {
    /// WeChat: `/connect/*`, `/sns/*`, `/cgi-bin/*`.
    WeChat,
}

/// A dialect: its table, and what it says outside of any operation.
pub struct Dialect {
    /// Which.
    pub id: DialectId,
    /// The table.
    pub endpoints: &'static [Endpoint],
    /// What it says for a fault of ours, with nothing inside.
    pub busy: fn(&Request, &Stamp) -> Reply,
    /// The address to which the browser goes with the answer to an authorization.
    pub finish: fn(&Authorized) -> String,
    /// A new scan for pages that renew their code by script instead of reloading.
    pub scan_xml: fn(&ScanShown) -> Reply,
    /// What its error page says to a refused authorization.
    pub page: fn(&Refusal, &PageContext) -> PageText,
}

/// What an error page may depend on.
#[derive(Clone, Debug)]
pub struct PageContext {
    /// By which door the request came.
    pub door: Door,
}

/// The doors that lead to pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// In-client authorize.
    InClient,
    /// Website scan.
    Scan,
    /// Native hand-over.
    Native,
    /// The phone's side of a scan.
    Phone,
}

impl Door {
    /// The door of a channel.
    pub fn of(channel: &Channel) -> Self {
        match channel {
            Channel::InClient => Self::InClient,
            Channel::Scan => Self::Scan,
            Channel::SignedScan(_) => Self::Phone,
            Channel::Native(_) => Self::Native,
        }
    }
}

/// What an error page says: the platform's number and words, and what the developer should fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageText {
    /// The platform's number; `None` where it prints words only.
    pub number: Option<i32>,
    /// The platform's own short text.
    pub text: String,
    /// What the developer should do, in zh-CN.
    pub fix_zh: String,
    /// What the developer should do, in English.
    pub fix_en: String,
    /// Where the rule comes from, such as `docs/facts/wechat.md §9`.
    pub source: &'static str,
}

/// One address of a dialect.
pub struct Endpoint {
    /// The methods it takes.
    pub methods: &'static [Method],
    /// The path; a last segment `{uuid}` stands for anything.
    pub path: &'static str,
    /// What it does.
    pub operation: Operation,
    /// One line for the API document.
    pub summary: &'static str,
    /// Its parameters, for the API document and the tests that loop over the table.
    pub params: &'static [Param],
}

/// A parameter of an endpoint.
pub struct Param {
    /// Its name on the wire.
    pub name: &'static str,
    /// Whether its absence is refused.
    pub required: bool,
    /// One line for the API document.
    pub about: &'static str,
}

/// Reads a request into a command of the engine.
pub type Parse<T> = fn(&Request) -> Result<T, Refusal>;
/// Writes an outcome of the engine.
pub type Render<T> = fn(&Request, &Stamp, Result<T, Refusal>) -> Reply;
/// Writes a QR code for a mobile app: the scan, its picture as JPEG, the address in the picture.
pub type RenderScan = fn(&Request, &Stamp, Result<(&ScanShown, &[u8], &str), Refusal>) -> Reply;

/// What an endpoint does. The door has one arm for each.
pub enum Operation {
    /// A browser asks to authorize; the answer is a page or a redirect.
    Authorize {
        /// Reads the request.
        parse: Parse<AuthorizeRequest>,
        /// Which door its pages are of.
        door: Door,
        /// How the QR page shall look, for doors that show one.
        look: fn(&Request) -> ScanLook,
    },
    /// A mobile app asks for a QR code with a signature.
    SignedScan {
        /// Reads the request.
        parse: Parse<AuthorizeRequest>,
        /// Writes the code; the bytes are the QR picture as JPEG, the text its content address.
        render: RenderScan,
    },
    /// The picture of a scan's code; the web draws it.
    ScanImage,
    /// The phone opens a scan.
    ScanOpen,
    /// The page or app asks how a scan stands.
    Poll {
        /// Reads the request.
        parse: Parse<PollRequest>,
        /// Writes the state.
        render: Render<PollAnswer>,
    },
    /// Tokens for a code, a refresh token or a client.
    Token {
        /// Reads the request.
        parse: Parse<TokenRequest>,
        /// Writes the tokens.
        render: Render<Tokens>,
    },
    /// A mini program's login.
    Mini {
        /// Reads the request.
        parse: Parse<TokenRequest>,
        /// Writes the session.
        render: Render<MiniSession>,
    },
    /// The profile behind an access token.
    Profile {
        /// Reads the request.
        parse: Parse<AccessRequest>,
        /// Writes the profile.
        render: Render<ProfileAnswer>,
    },
    /// Whether an access token is alive and whose.
    Inspect {
        /// Reads the request.
        parse: Parse<AccessRequest>,
        /// Writes the verdict.
        render: Render<()>,
    },
    /// The ticket that signs requests for QR codes; the secret is the client's own access token.
    PlatformTicket {
        /// Reads the request.
        parse: Parse<Secret>,
        /// Writes the ticket.
        render: Render<PlatformTicket>,
    },
    /// Bytes that never change (a script for web pages).
    Document(fn() -> Reply),
}

/// How a QR page shall look, as the request asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanLook {
    /// Answer XML that holds a new uuid instead of a page.
    pub xml: bool,
    /// The page stands in an iframe made by the login script.
    pub iframe: bool,
    /// Where the result opens.
    pub self_redirect: SelfRedirect,
    /// White text for dark backgrounds.
    pub white: bool,
    /// The compact look.
    pub lite: bool,
    /// A stylesheet from a `data:text/css` address of limited size; `https` ones are dropped,
    /// since pages load nothing from third parties.
    pub href: Option<String>,
    /// `en` was asked for.
    pub english: bool,
}

/// Where the result of a framed scan opens (`docs/facts/wechat.md` §4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SelfRedirect {
    /// Tries the top window.
    #[default]
    Default,
    /// In the frame itself.
    Frame,
    /// In the top window.
    Top,
}

impl Dialect {
    /// The endpoint of a path. `None` when the path is not this dialect's.
    pub fn find(&self, path: &str) -> Option<&'static Endpoint> {
        self.endpoints
            .iter()
            .find(|endpoint| endpoint.matches(path))
    }
}

impl Endpoint {
    /// Whether a path is this endpoint's.
    pub fn matches(&self, path: &str) -> bool {
        match self.path.strip_suffix("{uuid}") {
            Some(prefix) => path
                .strip_prefix(prefix)
                .is_some_and(|rest| !rest.is_empty() && !rest.contains('/')),
            None => self.path == path,
        }
    }
}
