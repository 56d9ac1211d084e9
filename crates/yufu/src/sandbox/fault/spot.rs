//! Where a fault can play: the platform's addresses, by what is asked there.

/// What is asked at an address of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// Tokens for a code.
    Exchange,
    /// A token renewed.
    Refresh,
    /// Whether a token is alive.
    Check,
    /// A profile.
    Profile,
    /// A mini program's session.
    Mini,
    /// A client's own token.
    OwnToken,
    /// The ticket that signs scans.
    Ticket,
    /// A QR code for a mobile app.
    SignedScan,
    /// How a scan stands.
    Poll,
    /// A login begins in a browser.
    Begin,
    /// A page that a person acts on.
    Page,
    /// A picture.
    Picture,
    /// The login script of web pages.
    Script,
}

/// Every address at which faults play. A last segment in braces stands for anything.
pub const SPOTS: [(&str, Spot); 17] = [
    ("/sns/oauth2/access_token", Spot::Exchange),
    ("/sns/oauth2/refresh_token", Spot::Refresh),
    ("/sns/auth", Spot::Check),
    ("/sns/userinfo", Spot::Profile),
    ("/sns/jscode2session", Spot::Mini),
    ("/cgi-bin/token", Spot::OwnToken),
    ("/cgi-bin/ticket/getticket", Spot::Ticket),
    ("/connect/sdk/qrconnect", Spot::SignedScan),
    ("/connect/l/qrconnect", Spot::Poll),
    ("/connect/qrconnect", Spot::Begin),
    ("/connect/oauth2/authorize", Spot::Begin),
    ("/connect/app/authorize", Spot::Begin),
    ("/connect/confirm", Spot::Page),
    ("/interaction/{secret}", Spot::Page),
    ("/connect/qrcode/{uuid}", Spot::Picture),
    ("/mmopen/vi_32/{name}/{size}", Spot::Picture),
    ("/connect/zh_CN/htmledition/js/wxLogin.js", Spot::Script),
];

impl Spot {
    /// What an app's server asks, in JSON: where most faults play unless they name an endpoint.
    pub const SERVER: &[Self] = &[
        Self::Exchange,
        Self::Refresh,
        Self::Check,
        Self::Profile,
        Self::Mini,
        Self::OwnToken,
        Self::Ticket,
        Self::SignedScan,
    ];
    /// Everything.
    pub const ALL: &[Self] = &[
        Self::Exchange,
        Self::Refresh,
        Self::Check,
        Self::Profile,
        Self::Mini,
        Self::OwnToken,
        Self::Ticket,
        Self::SignedScan,
        Self::Poll,
        Self::Begin,
        Self::Page,
        Self::Picture,
        Self::Script,
    ];
    /// Where a browser is sent back to the app.
    pub const CALLBACK: &[Self] = &[Self::Begin, Self::Page, Self::Poll];

    /// What is asked at a path, and the path as the table has it; `None` where no fault plays.
    pub fn of(path: &str) -> Option<(&'static str, Self)> {
        SPOTS
            .iter()
            .find(|(known, _)| matches(known, path))
            .copied()
    }

    /// Whether the answers there are JSON.
    pub fn is_json(self) -> bool {
        Self::SERVER.contains(&self)
    }

    /// Whether a person's name can be known there when the request comes: it brings a code or a
    /// token of theirs.
    pub fn knows_people(self) -> bool {
        !matches!(
            self,
            Self::OwnToken
                | Self::Ticket
                | Self::SignedScan
                | Self::Begin
                | Self::Picture
                | Self::Script
        )
    }
}

/// Whether a path is the one of the table.
fn matches(known: &str, path: &str) -> bool {
    let Some((prefix, _)) = known.split_once('{') else {
        return known == path;
    };
    let segments = known.matches('{').count();
    path.strip_prefix(prefix).is_some_and(|rest| {
        let mut parts = rest.split('/');
        parts
            .by_ref()
            .take(segments)
            .filter(|part| !part.is_empty())
            .count()
            == segments
            && parts.next().is_none()
    })
}

/// Whether an endpoint as a person wrote it, a path or its last words, names a path of the table:
/// `access_token`, `sns/auth`, `/connect/l/qrconnect`.
pub(super) fn names(written: &str, known: &str) -> bool {
    let plain = known.split("/{").next().unwrap_or(known);
    let written = written.strip_suffix('/').unwrap_or(written);
    if written.starts_with('/') {
        return written == plain || matches(known, written);
    }
    plain
        .strip_suffix(written)
        .is_some_and(|before| before.ends_with('/'))
}

/// The shortest way to write a path of the table so that it names no other.
pub(super) fn word(known: &str) -> &str {
    let plain = known.split("/{").next().unwrap_or(known);
    let starts = plain.rmatch_indices('/').map(|(at, _)| &plain[at + 1..]);
    let mut words = starts.filter(|word| {
        let others = SPOTS.iter().filter(|(other, _)| names(word, other));
        others.count() == 1
    });
    words.next().unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_of_the_dialects_is_a_spot() {
        for endpoint in yufu_dialects::DIALECTS.iter().flat_map(|it| it.endpoints) {
            let path = endpoint.path.replace("{uuid}", "0123456789abcdef");
            assert!(Spot::of(&path).is_some(), "{path}");
        }
    }

    #[test]
    fn paths_are_found_whole() {
        assert_eq!(Spot::of("/sns/auth"), Some(("/sns/auth", Spot::Check)));
        let face = Some(("/mmopen/vi_32/{name}/{size}", Spot::Picture));
        assert_eq!(Spot::of("/mmopen/vi_32/mei/132"), face);
        for none in [
            "/sns/auth/",
            "/sns",
            "/interaction/",
            "/interaction/a/b",
            "/mmopen/vi_32/mei",
            "/mmopen/vi_32/mei/",
            "/mmopen/vi_32/mei/132/x",
            "/account",
            "/_sandbox/faults",
        ] {
            assert_eq!(Spot::of(none), None, "{none}");
        }
    }

    #[test]
    fn endpoints_are_written_by_path_or_last_words() {
        for (written, known) in [
            ("/sns/oauth2/access_token", "/sns/oauth2/access_token"),
            ("access_token", "/sns/oauth2/access_token"),
            ("oauth2/access_token", "/sns/oauth2/access_token"),
            ("l/qrconnect", "/connect/l/qrconnect"),
            ("/connect/l/qrconnect", "/connect/l/qrconnect"),
            ("qrconnect", "/connect/qrconnect"),
            ("qrconnect", "/connect/l/qrconnect"),
            ("interaction", "/interaction/{secret}"),
            ("/interaction/abc", "/interaction/{secret}"),
        ] {
            assert!(names(written, known), "{written} {known}");
        }
        for (written, known) in [
            ("token", "/sns/oauth2/access_token"),
            ("", "/sns/auth"),
            ("/qrconnect", "/connect/qrconnect"),
            ("/connect/qrconnect", "/connect/l/qrconnect"),
        ] {
            assert!(!names(written, known), "{written} {known}");
        }
    }

    #[test]
    fn each_has_a_word_of_its_own() {
        let words: Vec<_> = SPOTS.iter().map(|(path, _)| word(path)).collect();
        assert_eq!(
            words,
            [
                "access_token",
                "refresh_token",
                "auth",
                "userinfo",
                "jscode2session",
                "token",
                "getticket",
                "sdk/qrconnect",
                "l/qrconnect",
                "connect/qrconnect",
                "oauth2/authorize",
                "app/authorize",
                "confirm",
                "interaction",
                "qrcode",
                "vi_32",
                "wxLogin.js",
            ]
        );
    }
}
