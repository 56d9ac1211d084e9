//! Style sheet, scripts and pictures, compiled in.

/// One file under `/assets/`.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Its media type, with charset where it is text.
    pub content_type: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
    /// A strong entity tag, in its quotes.
    pub etag: &'static str,
}

struct Entry {
    name: &'static str,
    url: &'static str,
    asset: Asset,
}

const fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    hash
}

const fn hex(hash: u64) -> [u8; 16] {
    let mut out = [0; 16];
    let mut at = 0;
    while at < 16 {
        let digit = ((hash >> (60 - 4 * at)) & 15) as u8;
        out[at] = if digit < 10 {
            b'0' + digit
        } else {
            b'a' + digit - 10
        };
        at += 1;
    }
    out
}

const fn text(bytes: &'static [u8]) -> &'static str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => "",
    }
}

/// Concatenates three pieces at compile time.
macro_rules! joined {
    ($a:expr, $b:expr, $c:expr) => {{
        const PARTS: [&[u8]; 3] = [$a, $b, $c];
        const LEN: usize = PARTS[0].len() + PARTS[1].len() + PARTS[2].len();
        const OUT: [u8; LEN] = {
            let mut out = [0; LEN];
            let (mut part, mut to) = (0, 0);
            while part < 3 {
                let mut at = 0;
                while at < PARTS[part].len() {
                    out[to] = PARTS[part][at];
                    at += 1;
                    to += 1;
                }
                part += 1;
            }
            out
        };
        text(&OUT)
    }};
}

macro_rules! assets {
    ($($name:literal: $content_type:literal),* $(,)?) => {
        static ASSETS: &[Entry] = &[$({
            const BYTES: &[u8] = include_bytes!(concat!("../../assets/", $name));
            const HASH: [u8; 16] = hex(fnv1a(BYTES));
            Entry {
                name: $name,
                url: joined!(concat!("/assets/", $name, "?v=").as_bytes(), &HASH, b""),
                asset: Asset { content_type: $content_type, bytes: BYTES, etag: joined!(b"\"", &HASH, b"\"") },
            }
        }),*];
    };
}

assets! {
    "app.css": "text/css; charset=utf-8",
    "handset.css": "text/css; charset=utf-8",
    "handset.js": "text/javascript; charset=utf-8",
    "handset.webmanifest": "application/manifest+json",
    "control.css": "text/css; charset=utf-8",
    "control.js": "text/javascript; charset=utf-8",
    "dom.js": "text/javascript; charset=utf-8",
    "flows.css": "text/css; charset=utf-8",
    "flows.js": "text/javascript; charset=utf-8",
    "sequence.js": "text/javascript; charset=utf-8",
    "once.js": "text/javascript; charset=utf-8",
    "scan.js": "text/javascript; charset=utf-8",
    "wxLogin.js": "text/javascript; charset=utf-8",
    "mark.svg": "image/svg+xml",
    "rooms.svg": "image/svg+xml",
}

/// The file served at `/assets/{name}`, if there is one. The address that pages use carries the
/// hash of the content ([`asset_url`]), so the answer may be kept for a year.
#[must_use]
pub fn asset(name: &str) -> Option<Asset> {
    ASSETS
        .iter()
        .find(|entry| entry.name == name)
        .map(|entry| entry.asset)
}

/// Whether a file is of the sandbox's own pages or its demo app's, and so nothing that is served.
#[must_use]
pub fn is_of_sandbox(name: &str) -> bool {
    let pages = [
        "control.",
        "dom.",
        "flows.",
        "handset.",
        "rooms.",
        "sequence.",
    ];
    pages.iter().any(|page| name.starts_with(page))
}

/// The address of an asset with its version; just the path for a name that does not exist.
#[must_use]
pub fn asset_url(name: &str) -> String {
    match ASSETS.iter().find(|entry| entry.name == name) {
        Some(entry) => entry.url.to_owned(),
        None => format!("/assets/{name}"),
    }
}

/// The names of all assets.
pub fn asset_names() -> impl Iterator<Item = &'static str> {
    ASSETS.iter().map(|entry| entry.name)
}
