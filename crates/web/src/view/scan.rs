//! The QR page on the big screen, and what the phone says afterwards.

use askama::Template;

use super::{
    lang::Lang,
    part::App,
    sample::{self, Sample},
    text::Text as T,
};

/// Where the scan stands when the page is sent; the script takes it from there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScanState {
    /// Nobody has scanned yet.
    #[default]
    Waiting,
    /// A phone has scanned and is asking its person.
    Scanned,
    /// The person said no; the code may be scanned again.
    Cancelled,
    /// The code is too old.
    Expired,
}

impl ScanState {
    /// The name in the page.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            ScanState::Waiting => "waiting",
            ScanState::Scanned => "scanned",
            ScanState::Cancelled => "cancelled",
            ScanState::Expired => "expired",
        }
    }

    /// The poll code that was seen last.
    #[must_use]
    pub const fn last(self) -> &'static str {
        match self {
            ScanState::Waiting | ScanState::Expired => "",
            ScanState::Scanned => "404",
            ScanState::Cancelled => "403",
        }
    }
}

/// Where the result opens when the page stands in a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SelfRedirect {
    /// In the frame itself.
    True,
    /// In the top window.
    False,
    /// In the top window.
    #[default]
    Default,
}

impl SelfRedirect {
    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            SelfRedirect::True => "true",
            SelfRedirect::False => "false",
            SelfRedirect::Default => "default",
        }
    }

    /// Reads the parameter; anything unknown is the default.
    #[must_use]
    pub fn from_param(value: &str) -> SelfRedirect {
        match value {
            "true" => SelfRedirect::True,
            "false" => SelfRedirect::False,
            _ => SelfRedirect::Default,
        }
    }
}

/// The colour of the words of a framed page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ink {
    /// Dark words for a light background.
    #[default]
    Black,
    /// Light words for a dark background.
    White,
}

impl Ink {
    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Ink::Black => "black",
            Ink::White => "white",
        }
    }

    /// Reads the `style` parameter; anything unknown is black.
    #[must_use]
    pub fn from_param(value: &str) -> Ink {
        if value == "white" {
            Ink::White
        } else {
            Ink::Black
        }
    }
}

/// The QR page of `/connect/qrconnect`. It holds the class names and ids that integrators style
/// and that scrapers look for.
#[derive(Clone, Debug, Template)]
#[template(path = "scan.html")]
pub struct Scan {
    /// The language.
    pub lang: Lang,
    /// Which app asks.
    pub app: App,
    /// The scan's public number.
    pub uuid: String,
    /// Where the script polls, such as `/connect/l/qrconnect`.
    pub poll_url: String,
    /// The checked return address, without code and state.
    pub redirect_uri: String,
    /// The client's state, decoded; `None` if it sent none.
    pub state: Option<String>,
    /// A no returns to the client with the state alone, instead of staying here.
    pub denial_returns: bool,
    /// Where the result opens.
    pub self_redirect: SelfRedirect,
    /// `jssdk` when wxLogin.js made the frame, else empty.
    pub login_type: String,
    /// The colour of the words in a frame.
    pub style: Ink,
    /// The compact look.
    pub stylelite: bool,
    /// The integrator's style sheet, checked by the server; ignored in the compact look.
    pub href: Option<String>,
    /// In a frame: no header, no footer, transparent, 300 by 400.
    pub framed: bool,
    /// Where the scan stands.
    pub status: ScanState,
    /// How long the code still lives.
    pub seconds_left: u32,
    /// This page's own address, for the "new code" link; empty means a plain reload.
    pub renew_href: String,
    /// The confirm page as a link, in the sandbox.
    pub dev_confirm: Option<String>,
}

impl Scan {
    /// The address of the picture, relative to the site as scrapers expect it.
    #[must_use]
    pub fn qr_src(&self) -> String {
        format!("/connect/qrcode/{}", self.uuid)
    }

    /// The integrator's style sheet, where it counts.
    #[must_use]
    pub fn sheet(&self) -> Option<&str> {
        if self.stylelite {
            None
        } else {
            self.href.as_deref()
        }
    }

    /// `4:59`
    #[must_use]
    pub fn clock(&self) -> String {
        format!("{}:{:02}", self.seconds_left / 60, self.seconds_left % 60)
    }
}

/// How the scan ended on the phone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScanEnd {
    /// Allowed.
    #[default]
    Allowed,
    /// Cancelled.
    Cancelled,
    /// Too late.
    Expired,
}

/// What the phone shows when the scan is over: go back to your computer.
#[derive(Clone, Debug, Template)]
#[template(path = "scan_done.html")]
pub struct ScanDone {
    /// The language.
    pub lang: Lang,
    /// Which app asked.
    pub app: App,
    /// How it ended.
    pub end: ScanEnd,
}

impl Sample for Scan {
    const NAME: &'static str = "scan";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let plain = Scan {
            lang,
            app: sample::app(),
            uuid: "051aGxzSm1ped3aq".to_owned(),
            poll_url: "/connect/l/qrconnect".to_owned(),
            redirect_uri: "https://books.example/login/back?from=head#top".to_owned(),
            state: Some("a/b c&d".to_owned()),
            denial_returns: false,
            self_redirect: SelfRedirect::Default,
            login_type: String::new(),
            style: Ink::Black,
            stylelite: false,
            href: None,
            framed: false,
            status: ScanState::Waiting,
            seconds_left: 299,
            renew_href: String::new(),
            dev_confirm: None,
        };
        let framed = Scan {
            framed: true,
            login_type: "jssdk".to_owned(),
            ..plain.clone()
        };
        vec![
            ("waiting", plain.clone()),
            ("scanned", Scan { status: ScanState::Scanned, ..plain.clone() }),
            ("cancelled", Scan { status: ScanState::Cancelled, ..plain.clone() }),
            (
                "expired",
                Scan {
                    status: ScanState::Expired,
                    seconds_left: 0,
                    renew_href: "/connect/qrconnect?appid=wx1&scope=snsapi_login".to_owned(),
                    ..plain.clone()
                },
            ),
            (
                "dev",
                Scan {
                    app: sample::rooms(),
                    dev_confirm: Some("/connect/confirm?uuid=051aGxzSm1ped3aq".to_owned()),
                    ..plain.clone()
                },
            ),
            (
                "hostile",
                Scan {
                    app: sample::hostile_app(),
                    state: Some(sample::HOSTILE.to_owned()),
                    redirect_uri: format!("https://books.example/?q={}", sample::HOSTILE),
                    login_type: sample::HOSTILE.to_owned(),
                    ..plain
                },
            ),
            ("frame", framed.clone()),
            (
                "frame-white",
                Scan { style: Ink::White, self_redirect: SelfRedirect::True, ..framed.clone() },
            ),
            ("frame-lite", Scan { stylelite: true, ..framed.clone() }),
            (
                "frame-styled",
                Scan {
                    href: Some(
                        "data:text/css;base64,LmltcG93ZXJCb3ggLnFyY29kZXt3aWR0aDoxODBweH0uaW1wb3dlckJveCAudGl0bGV7ZGlzcGxheTpub25lfQ=="
                            .to_owned(),
                    ),
                    self_redirect: SelfRedirect::False,
                    status: ScanState::Scanned,
                    state: None,
                    ..framed
                },
            ),
        ]
    }
}

impl Sample for ScanDone {
    const NAME: &'static str = "scan_done";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let done = |app, end| ScanDone { lang, app, end };
        vec![
            ("allowed", done(sample::app(), ScanEnd::Allowed)),
            ("cancelled", done(sample::rooms(), ScanEnd::Cancelled)),
            ("expired", done(sample::hostile_app(), ScanEnd::Expired)),
        ]
    }
}
