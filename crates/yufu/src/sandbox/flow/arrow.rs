//! What a flow is made of, as it is kept: small, and without a secret.

use std::borrow::Cow;

use super::mark::TieKey;
use super::message::{Line, Message};
use crate::sandbox::seen::Lane;

/// What an exchange is within a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// An app's own server sends the browser to the platform.
    Start,
    /// The login backend begins a login.
    Prepare,
    /// The login backend is told that nothing comes of it.
    Close,
    /// The platform is asked to authorize.
    Authorize,
    /// The picture of a QR code.
    Picture,
    /// The phone opens what a QR code says.
    Confirm,
    /// A page of an authorization.
    Page,
    /// A form of such a page.
    Form,
    /// A page waits for the phone.
    Poll,
    /// A mobile app asks for a QR code.
    SignedScan,
    /// The browser, or the app, comes back to the app with a code.
    Callback,
    /// Nobody saw it come back: it must have.
    Presumed,
    /// A code is paid.
    Exchange,
    /// A token is renewed.
    Refresh,
    /// A token is asked about.
    Check,
    /// A profile is read.
    Profile,
    /// A mini program's code is paid.
    Mini,
    /// A client gets a token of its own, or a ticket with it.
    Own,
    /// An app brings its code to the login backend.
    Login,
    /// A number is bound, two accounts are merged.
    Bind,
    /// Somebody did something.
    Note,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// By its HTTP status.
    Status(u16),
    /// By the platform's number, or the login backend's.
    Number(i32),
    /// The connection was cut.
    Cut,
    /// With a body that is not what it should be.
    Unreadable,
    /// It is no exchange.
    None,
}

impl Outcome {
    /// As it is shown.
    pub(super) fn word(self) -> Option<Cow<'static, str>> {
        match self {
            Self::Status(status) => Some(status.to_string().into()),
            Self::Number(number) => Some(number.to_string().into()),
            Self::Cut => Some("cut".into()),
            Self::Unreadable => Some("unreadable".into()),
            Self::None => None,
        }
    }
}

/// What is true of an exchange: one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bits(u64);

macro_rules! bits {
    ($($(#[doc = $doc:literal])* $name:ident = $at:literal;)*) => {
        impl Bits {
            $($(#[doc = $doc])* pub(super) const $name: Self = Self(1 << $at);)*
        }
    };
}

bits! {
    /// It certainly came from a page in a browser.
    BROWSER = 0;
    /// It certainly came from an app on a phone.
    DEVICE = 1;
    /// It carries a client's secret.
    SECRET = 2;
    /// It went to the platform's own name without TLS.
    PLAIN_HTTP = 3;
    /// It came through the proxy.
    BY_PROXY = 4;
    /// It carries a challenge.
    CHALLENGE = 5;
    /// It carries a verifier.
    VERIFIER = 6;
    /// It carries a state that is not empty.
    STATE = 7;
    /// The state is short, or easily guessed.
    STATE_WEAK = 8;
    /// The state has more than 128 bytes.
    STATE_LONG = 9;
    /// The state is not letters and digits alone.
    STATE_ODD = 10;
    /// The state was used in another login before.
    STATE_REUSED = 11;
    /// Its answer gives a code.
    GIVES_CODE = 12;
    /// Its answer gives a unionid.
    UNIONID = 13;
    /// Only the openid is asked for.
    SCOPE_BASE = 14;
    /// The profile is asked for, in-client or native.
    SCOPE_USERINFO = 15;
    /// An access token stands in a URL of the app's own.
    TOKEN_IN_URL = 16;
    /// The app's server sends an access token to the browser by redirect.
    TOKEN_IN_REDIRECT = 17;
    /// The app's server shows an access token or a session key.
    TOKEN_SHOWN = 18;
    /// The authorize address has no `#wechat_redirect`, and it would be seen.
    NO_FRAGMENT = 19;
    /// The redirect address is not percent-encoded.
    UNENCODED = 20;
    /// The redirect address names a port.
    PORT = 21;
    /// The redirect address is plain HTTP, to another machine.
    REDIRECT_HTTP = 22;
    /// The token is missing, or is a word such as `undefined`.
    NO_TOKEN = 23;
    /// A fault played.
    FAULTED = 24;
    /// The platform shows an error page instead.
    ERROR_PAGE = 25;
    /// The state that came back is not the one that was sent.
    STATE_FOREIGN = 26;
    /// Others came back to this app and were let in, all with a unionid; this person has none.
    OTHERS_HAD_UNIONID = 27;
    /// The person said no.
    DENIED = 28;
}

impl Bits {
    pub(super) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) const fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn set(&mut self, other: Self) {
        self.0 |= other.0;
    }

    pub(super) fn set_if(&mut self, other: Self, is_so: bool) {
        if is_so {
            self.set(other);
        }
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What the rules need of an exchange. Values stand by their ties; zero is none.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) bits: Bits,
    /// The client that the request names.
    pub(super) appid: TieKey,
    pub(super) code: TieKey,
    pub(super) access: TieKey,
    pub(super) refresh: TieKey,
    pub(super) openid: TieKey,
    pub(super) state: TieKey,
    pub(super) given_access: TieKey,
    pub(super) given_openid: TieKey,
    /// How long the given token lives, in seconds.
    pub(super) life: u32,
    /// What a finding shows: a port, names of parameters, a number with its words.
    pub(super) said: Option<Box<str>>,
    /// Parameters that the platform does not know.
    pub(super) unknown: Option<Box<str>>,
}

/// A request as it is kept.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: Line,
    /// Scheme, host, path and query.
    pub(super) url: Box<str>,
    pub(super) message: Message,
}

/// An answer as it is kept.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) message: Message,
}

/// One arrow of the picture.
#[derive(Clone, Debug)]
pub(super) struct Arrow {
    /// Its name within the flow, which does not change when an earlier one comes late.
    pub(super) serial: u32,
    pub(super) kind: Kind,
    /// Milliseconds since 1970, real time.
    pub(super) at: i64,
    /// Milliseconds from its beginning to the end of the last one that it counts.
    pub(super) took: u32,
    /// How many there were, one after the other and all alike.
    pub(super) count: u32,
    pub(super) from: Lane,
    pub(super) to: Lane,
    pub(super) label: Line,
    pub(super) outcome: Outcome,
    pub(super) ok: bool,
    pub(super) note: Option<&'static str>,
    pub(super) faults: Box<[Line]>,
    pub(super) facts: Facts,
    pub(super) request: Option<Box<Request>>,
    pub(super) answer: Option<Box<Answer>>,
}

impl Arrow {
    /// Milliseconds since 1970 at its end.
    pub(super) const fn end(&self) -> i64 {
        self.at.saturating_add(self.took as i64)
    }

    /// Where it stands in the picture: a poll where it was answered, all else where it began.
    pub(super) const fn place(&self) -> i64 {
        match self.kind {
            Kind::Poll => self.end(),
            _ => self.at,
        }
    }

    pub(super) const fn has(&self, bits: Bits) -> bool {
        self.facts.bits.has(bits)
    }

    /// How many bytes it keeps, roughly.
    pub(super) fn weight(&self) -> usize {
        let text = |text: &Option<Box<str>>| text.as_ref().map_or(0, |text| text.len());
        let request = self.request.as_ref().map_or(0, |request| {
            size_of::<Request>() + request.url.len() + request.message.weight()
        });
        let answer = self
            .answer
            .as_ref()
            .map_or(0, |answer| size_of::<Answer>() + answer.message.weight());
        let facts = text(&self.facts.said) + text(&self.facts.unknown);
        size_of::<Self>() + facts + request + answer
    }

    /// The bytes of its bodies.
    pub(super) fn bodies(&self) -> usize {
        let request = self.request.as_ref().map_or(0, |r| r.message.body_len());
        let answer = self.answer.as_ref().map_or(0, |a| a.message.body_len());
        request + answer
    }
}

/// By which door a login came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Door {
    Scan,
    InClient,
    Native,
    Mini,
    Refresh,
    Other,
}

/// How far a login is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Open,
    Returned,
    LoggedIn,
    Failed,
    Denied,
    Expired,
}

impl State {
    /// Whether nothing more is waited for.
    pub(super) const fn is_over(self) -> bool {
        !matches!(self, Self::Open | Self::Returned)
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Returned => "returned",
            Self::LoggedIn => "logged in",
            Self::Failed => "failed",
            Self::Denied => "denied",
            Self::Expired => "expired",
        }
    }
}

/// A rule that an app broke, as it was found in a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) code: super::finding::Breach,
    /// The serial of the arrow that shows it.
    pub(super) arrow: Option<u32>,
    /// What it was, in a few words or numbers of no language.
    pub(super) said: Option<Box<str>>,
}

/// One login, or what looks like a part of one.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) no: u64,
    pub(super) at: i64,
    pub(super) changed: i64,
    /// The book's version when it changed last.
    pub(super) version: u64,
    pub(super) door: Door,
    pub(super) appid: Option<Line>,
    pub(super) client: Option<Line>,
    pub(super) person: Option<Line>,
    pub(super) state: State,
    /// How far it is, in a short phrase.
    pub(super) step: Cow<'static, str>,
    pub(super) arrows: Vec<Arrow>,
    pub(super) findings: Vec<Found>,
    pub(super) memory: Memory,
    /// What it is found by.
    pub(super) ties: Vec<TieKey>,
    next_serial: u32,
    weight: usize,
    bodies: usize,
}

/// What a flow remembers of itself, besides its arrows.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// The client by its tie.
    pub(super) appid: TieKey,
    /// The state that was sent to the platform.
    pub(super) state: TieKey,
    /// A fault lets another one come back, or none.
    pub(super) state_astray: bool,
    /// The browser that asked, by its cookie.
    pub(super) browser: TieKey,
    /// The code that was given, and when.
    pub(super) code: TieKey,
    pub(super) code_at: i64,
    /// Where the answer goes: host and path.
    pub(super) place: TieKey,
    /// The same as it is written.
    pub(super) return_to: Option<Box<str>>,
    /// Nothing came for a while: what never came is looked at.
    pub(super) quiet: bool,
}

impl Flow {
    /// A new one.
    pub(super) fn new(no: u64, at: i64, door: Door) -> Self {
        Self {
            no,
            at,
            changed: at,
            version: 0,
            door,
            appid: None,
            client: None,
            person: None,
            state: State::Open,
            step: Cow::Borrowed("begins"),
            arrows: Vec::new(),
            findings: Vec::new(),
            memory: Memory::default(),
            ties: Vec::new(),
            next_serial: 1,
            weight: size_of::<Self>(),
            bodies: 0,
        }
    }

    /// Its name.
    pub(super) fn id(&self) -> String {
        format!("f{}", self.no)
    }

    /// Puts an arrow where it belongs; tells its serial.
    pub(super) fn put(&mut self, mut arrow: Arrow) -> u32 {
        arrow.serial = self.next_serial;
        self.next_serial += 1;
        self.weight += arrow.weight();
        self.bodies += arrow.bodies();
        self.at = self.at.min(arrow.at);
        self.changed = self.changed.max(arrow.end());
        let place = arrow.place();
        let at = self.arrows.iter().rposition(|known| known.place() <= place);
        let serial = arrow.serial;
        self.arrows.insert(at.map_or(0, |at| at + 1), arrow);
        serial
    }

    /// Takes out what was presumed and is known now.
    pub(super) fn forget_presumed(&mut self) {
        self.arrows.retain(|arrow| arrow.kind != Kind::Presumed);
    }

    /// How many bytes it keeps, roughly.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// What is left for bodies.
    pub(super) fn room(&self) -> usize {
        const MOST: usize = 64 * 1024;
        MOST.saturating_sub(self.bodies)
    }

    /// Finds the flow by this from now on.
    pub(super) fn tied(&mut self, tie: TieKey) {
        if tie != 0 && !self.ties.contains(&tie) {
            self.ties.push(tie);
            self.weight += size_of::<TieKey>() * 4;
        }
    }

    /// How many arrows had faults.
    pub(super) fn faults(&self) -> usize {
        self.arrows
            .iter()
            .filter(|arrow| !arrow.faults.is_empty())
            .count()
    }

    /// Which arrow this is, from 1.
    pub(super) fn number(&self, serial: u32) -> Option<usize> {
        let at = self.arrows.iter().position(|arrow| arrow.serial == serial);
        at.map(|at| at + 1)
    }

    /// The arrows of a kind, in order.
    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = &Arrow> {
        self.arrows.iter().filter(move |arrow| arrow.kind == kind)
    }
}
