//! The platform's mouth: the table of endpoints (`docs/facts/wechat.md` §1).

mod hear;
mod look;
mod say;

pub use say::{errcode, scan_xml};

use super::page::page;
use crate::endpoint::{Dialect, DialectId, Door, Endpoint, Operation, Param, ScanLook};
use crate::http::{Method, Request};

/// WeChat, as a platform.
pub static DIALECT: Dialect = Dialect {
    id: DialectId::WeChat,
    endpoints: ENDPOINTS,
    busy: say::busy,
    finish: say::finish,
    scan_xml: say::scan_xml,
    page,
};

/// §2: the documents say GET, clients POST too.
const BOTH: &[Method] = &[Method::Get, Method::Post];
const GET: &[Method] = &[Method::Get];

const fn must(name: &'static str, about: &'static str) -> Param {
    Param {
        name,
        required: true,
        about,
    }
}

const fn may(name: &'static str, about: &'static str) -> Param {
    Param {
        name,
        required: false,
        about,
    }
}

const APPID: Param = must(
    "appid",
    "The client's public name: wx and 16 hexadecimal digits.",
);
const SECRET: Param = must("secret", "The client's secret, 32 hexadecimal digits.");
const REDIRECT: Param = must(
    "redirect_uri",
    "Where the browser returns to, percent-encoded once; its host is the registered one.",
);
const RESPONSE_TYPE: Param = must("response_type", "Always code.");
const SCOPE: Param = must("scope", "What is asked for, separated by commas.");
const STATE: Param = may("state", "Handed back as it came.");
const LANG: Param = may("lang", "en for English, cn (the default) for Chinese.");
const CHALLENGE: Param = may(
    "code_challenge",
    "PKCE: 43 characters of base64url; enforced at the exchange when sent.",
);
const CHALLENGE_METHOD: Param = may("code_challenge_method", "PKCE: S256.");
const VERIFIER: Param = may("code_verifier", "PKCE: needed when a challenge was sent.");
const ACCESS: Param = must("access_token", "The access token.");
const OPENID: Param = must("openid", "The openid that came with the access token.");

static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        methods: GET,
        path: "/connect/oauth2/authorize",
        operation: Operation::Authorize {
            parse: hear::in_client,
            door: Door::InClient,
            look: plain_look,
        },
        summary: "Asks the user of a page inside the platform's client to authorize (§3).",
        params: &[
            APPID,
            REDIRECT,
            RESPONSE_TYPE,
            SCOPE,
            STATE,
            may("forcePopup", "true: ask even where a grant stands."),
            LANG,
            CHALLENGE,
            CHALLENGE_METHOD,
        ],
    },
    Endpoint {
        methods: GET,
        path: "/connect/qrconnect",
        operation: Operation::Authorize {
            parse: hear::scan,
            door: Door::Scan,
            look: look::look,
        },
        summary: "Shows a website's QR code (§4.1).",
        params: &[
            APPID,
            REDIRECT,
            RESPONSE_TYPE,
            SCOPE,
            STATE,
            LANG,
            may(
                "login_type",
                "jssdk: the page stands in the login script's iframe.",
            ),
            may(
                "self_redirect",
                "true, false or default: where the result opens.",
            ),
            may("style", "black or white text."),
            may("stylelite", "1: the compact look."),
            may("href", "A stylesheet as a data:text/css address."),
            may(
                "fast_login",
                "Taken and ignored: there is no desktop client.",
            ),
            may("f", "xml: answer XML with a new uuid instead of a page."),
            CHALLENGE,
            CHALLENGE_METHOD,
        ],
    },
    Endpoint {
        methods: GET,
        path: "/connect/qrcode/{uuid}",
        operation: Operation::ScanImage,
        summary: "The picture of a QR code, as JPEG (§4.1).",
        params: &[],
    },
    Endpoint {
        methods: GET,
        path: "/connect/confirm",
        operation: Operation::ScanOpen,
        summary: "What a QR code leads to: the phone's side of a scan (§4.1).",
        params: &[must("uuid", "The scan's public name.")],
    },
    Endpoint {
        methods: GET,
        path: "/connect/l/qrconnect",
        operation: Operation::Poll {
            parse: hear::poll,
            render: say::poll,
        },
        summary: "Waits for a scan to change (§4.2).",
        params: &[
            must("uuid", "The scan's public name."),
            may(
                "last",
                "The last state seen, 404 or 403: wait for a change from it.",
            ),
            may("f", "json: answer JSON instead of a script."),
            may("_", "Anything: defeats caches."),
        ],
    },
    Endpoint {
        methods: GET,
        path: "/connect/sdk/qrconnect",
        operation: Operation::SignedScan {
            parse: hear::signed_scan,
            render: say::signed_scan,
        },
        summary: "Gives a mobile app a QR code (§6).",
        params: &[
            APPID,
            SCOPE,
            must("noncestr", "Random text, used once."),
            must("timestamp", "Unix seconds."),
            must(
                "signature",
                "SHA-1 of appid, noncestr, sdk_ticket and timestamp, in hexadecimal.",
            ),
            CHALLENGE,
            CHALLENGE_METHOD,
        ],
    },
    Endpoint {
        methods: GET,
        path: "/connect/app/authorize",
        operation: Operation::Authorize {
            parse: hear::native,
            door: Door::Native,
            look: plain_look,
        },
        summary: "Takes over from a mobile app on the same phone (§11.6).",
        params: &[
            APPID,
            SCOPE,
            STATE,
            must("platform", "ios, android or harmony."),
            must("bundle", "Bundle id, package or bundle name."),
            may(
                "signature",
                "Android: MD5 of the signing certificate; HarmonyOS: app identifier.",
            ),
            may("response_type", "code, if anything."),
            LANG,
            CHALLENGE,
            CHALLENGE_METHOD,
        ],
    },
    Endpoint {
        methods: BOTH,
        path: "/sns/oauth2/access_token",
        operation: Operation::Token {
            parse: hear::exchange,
            render: say::tokens,
        },
        summary: "Exchanges a code for tokens (§7.1).",
        params: &[
            APPID,
            SECRET,
            must("code", "The code from the redirect; it works once."),
            must("grant_type", "authorization_code"),
            VERIFIER,
        ],
    },
    Endpoint {
        methods: BOTH,
        path: "/sns/oauth2/refresh_token",
        operation: Operation::Token {
            parse: hear::refresh,
            render: say::refreshed,
        },
        summary: "Prolongs or renews an access token (§7.2).",
        params: &[
            APPID,
            must("refresh_token", "The refresh token."),
            must("grant_type", "refresh_token"),
        ],
    },
    Endpoint {
        methods: BOTH,
        path: "/sns/auth",
        operation: Operation::Inspect {
            parse: hear::access,
            render: say::verdict,
        },
        summary: "Tells whether an access token is alive and whose (§7.3).",
        params: &[ACCESS, OPENID],
    },
    Endpoint {
        methods: BOTH,
        path: "/sns/userinfo",
        operation: Operation::Profile {
            parse: hear::access,
            render: say::profile,
        },
        summary: "The profile of the user behind an access token (§7.4).",
        params: &[
            ACCESS,
            OPENID,
            may(
                "lang",
                "zh_CN, zh_TW or en; places are told as they were entered.",
            ),
        ],
    },
    Endpoint {
        methods: BOTH,
        path: "/sns/jscode2session",
        operation: Operation::Mini {
            parse: hear::mini,
            render: say::mini,
        },
        summary: "Exchanges a mini program's code for its session (§7.5).",
        params: &[
            APPID,
            SECRET,
            must("js_code", "The code from the mini program; it works once."),
            must("grant_type", "authorization_code"),
        ],
    },
    Endpoint {
        methods: BOTH,
        path: "/cgi-bin/token",
        operation: Operation::Token {
            parse: hear::own_token,
            render: say::own_token,
        },
        summary: "An access token of the client itself (§6).",
        params: &[APPID, SECRET, must("grant_type", "client_credential")],
    },
    Endpoint {
        methods: BOTH,
        path: "/cgi-bin/ticket/getticket",
        operation: Operation::PlatformTicket {
            parse: hear::platform_ticket,
            render: say::platform_ticket,
        },
        summary: "The ticket that signs requests for QR codes (§6).",
        params: &[ACCESS, must("type", "2: sdk_ticket.")],
    },
];

fn plain_look(request: &Request) -> ScanLook {
    ScanLook {
        english: look::is_english(request),
        ..ScanLook::default()
    }
}
