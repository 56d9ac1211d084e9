//! Where a browser may be sent: redirect rules, and the proof that an address passed them.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// The most bytes of a redirect address.
pub const MAX_REDIRECT_BYTES: usize = 2048;

/// One rule of a client: which addresses it may be answered at.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "rule", content = "value", rename_all = "snake_case")]
pub enum RedirectRule {
    /// The very same string (RFC 9700 §2.1).
    Exact(String),
    /// Any path of exactly this host, over http or https, without a port
    /// (`docs/facts/wechat.md` §3: full host equality; sub-domains and ports do not match).
    Host(String),
    /// `http(s)://localhost`, `127.0.0.1` or `[::1]`, any port and path (RFC 8252 §7.3).
    Loopback,
    /// A private-use scheme, whatever follows it (RFC 8252 §7.1).
    Scheme(String),
}

/// An address taken apart without changing a byte of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parts<'a> {
    scheme: &'a str,
    host: &'a str,
    port: Option<&'a str>,
}

/// A redirect address that passed a rule. Nothing else can be redirected to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReturnPath(String);

impl RedirectRule {
    /// Checks a rule as a developer writes it.
    ///
    /// `None` when it can never match or would match too much (a host with a port or path, an
    /// address with a fragment, a scheme that browsers know).
    pub fn is_sound(&self) -> bool {
        match self {
            Self::Exact(address) => parts(address).is_some() && !address.contains('#'),
            Self::Host(host) => {
                host.contains('.')
                    && parts(&format!("https://{host}/")).is_some_and(|p| p.host == host)
            }
            Self::Loopback => true,
            Self::Scheme(scheme) => {
                let known = [
                    "http",
                    "https",
                    "javascript",
                    "data",
                    "file",
                    "blob",
                    "vbscript",
                    "about",
                ];
                scheme_is_well_formed(scheme)
                    && !known.contains(&scheme.to_ascii_lowercase().as_str())
            }
        }
    }

    fn admits(&self, address: &str) -> bool {
        match self {
            Self::Exact(registered) => registered == address,
            Self::Host(host) => parts(address).is_some_and(|p| {
                is_web(p.scheme) && p.port.is_none() && p.host.eq_ignore_ascii_case(host)
            }),
            Self::Loopback => parts(address).is_some_and(|p| {
                is_web(p.scheme) && ["localhost", "127.0.0.1", "[::1]"].contains(&p.host)
            }),
            Self::Scheme(scheme) => address
                .split_once(':')
                .is_some_and(|(s, _)| s.eq_ignore_ascii_case(scheme)),
        }
    }
}

impl ReturnPath {
    /// Checks an address against a client's rules.
    ///
    /// # Errors
    /// [`crate::refusal::Refusal::RedirectMalformed`] when it is no address to redirect to, and
    /// [`crate::refusal::Refusal::RedirectMismatch`] when no rule admits it.
    pub fn check(address: &str, rules: &[RedirectRule]) -> Result<Self, crate::refusal::Refusal> {
        use crate::refusal::Refusal;
        if address.len() > MAX_REDIRECT_BYTES || !is_an_address(address) {
            return Err(Refusal::RedirectMalformed);
        }
        if rules.iter().any(|rule| rule.admits(address)) {
            Ok(Self(address.to_owned()))
        } else {
            Err(Refusal::RedirectMismatch)
        }
    }

    /// A return path to a registered native target (scheme or universal link) that the client's
    /// own identity names; the caller has checked the identity.
    pub(crate) fn native(address: String) -> Self {
        Self(address)
    }

    /// The address as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The scheme and host, for the page's `form-action` and for showing where one goes.
    pub fn origin(&self) -> &str {
        match self.0.split_once("://") {
            Some((scheme, rest)) => {
                let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
                let length = scheme.len() + 3 + end;
                self.0.get(..length).unwrap_or(&self.0)
            }
            None => &self.0,
        }
    }

    /// Whether it leads to a private-use scheme, which any app could have claimed.
    pub fn is_custom_scheme(&self) -> bool {
        self.0
            .split_once(':')
            .is_none_or(|(scheme, _)| !is_web(scheme))
    }

    /// The address with parameters added: after its own query, before its fragment
    /// (`docs/facts/wechat.md` §17.14), everything else untouched, bytes beyond ASCII escaped.
    pub fn with(&self, parameters: &[(&str, &str)]) -> String {
        let (before, fragment) = match self.0.split_once('#') {
            Some((before, fragment)) => (before, Some(fragment)),
            None => (self.0.as_str(), None),
        };
        let mut out = String::with_capacity(self.0.len() + 160);
        push_ascii(&mut out, before);
        for (i, (name, value)) in parameters.iter().enumerate() {
            match before.split_once('?') {
                None if i == 0 => out.push('?'),
                // A query of its own that is empty, or ends with a separator, needs none.
                Some((_, query)) if i == 0 && (query.is_empty() || query.ends_with('&')) => {}
                _ => out.push('&'),
            }
            out.push_str(name);
            out.push('=');
            push_encoded(&mut out, value);
        }
        if let Some(fragment) = fragment {
            out.push('#');
            push_ascii(&mut out, fragment);
        }
        out
    }
}

/// Percent-encodes everything but RFC 3986 unreserved characters.
pub(crate) fn push_encoded(out: &mut String, value: &str) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

fn push_ascii(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii() {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

fn is_web(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

fn scheme_is_well_formed(scheme: &str) -> bool {
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

/// Absolute, and without a byte that a browser would read otherwise than we do: no spaces or
/// control characters, no backslash, no user information.
fn is_an_address(address: &str) -> bool {
    let plain = address.chars().all(|c| {
        !c.is_control() && !c.is_whitespace() && c != '\\' && c != '"' && c != '<' && c != '>'
    });
    let Some((scheme, _)) = address.split_once(':') else {
        return false;
    };
    let sound = if is_web(scheme) {
        parts(address).is_some()
    } else {
        !names_a_user(address)
    };
    plain && scheme_is_well_formed(scheme) && sound
}

/// Whether the authority carries user information: an app's scheme needs none, and readers of
/// addresses disagree about where it ends.
fn names_a_user(address: &str) -> bool {
    address.split_once("://").is_some_and(|(_, rest)| {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        rest.get(..end)
            .is_some_and(|authority| authority.contains('@'))
    })
}

/// Takes an address with an authority apart; strict on purpose, so that browsers agree with it.
fn parts(address: &str) -> Option<Parts<'_>> {
    let (scheme, rest) = address.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..end)?;
    let host_end = match authority.strip_prefix('[') {
        Some(v6) => v6.find(']')? + 2,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at_checked(host_end)?;
    let port = match port.strip_prefix(':') {
        Some(port) => Some(port),
        None if port.is_empty() => None,
        None => return None,
    };
    let well_formed = scheme_is_well_formed(scheme)
        && !host.is_empty()
        && (host == "[::1]"
            || host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')))
        && port
            .is_none_or(|p| !p.is_empty() && p.len() <= 5 && p.bytes().all(|b| b.is_ascii_digit()));
    well_formed.then_some(Parts { scheme, host, port })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::Refusal;

    fn host() -> Vec<RedirectRule> {
        vec![RedirectRule::Host("www.example.com".into())]
    }

    #[test]
    fn a_host_rule_wants_the_whole_host_and_no_port() {
        for good in [
            "https://www.example.com",
            "http://www.example.com/a/b?c=d#e",
            "https://WWW.Example.com/x",
            "https://www.example.com?x",
        ] {
            assert!(ReturnPath::check(good, &host()).is_ok(), "{good}");
        }
        for bad in [
            "https://example.com/",
            "https://a.www.example.com/",
            "https://www.example.com:443/",
            "https://www.example.com.evil.org/",
            "ftp://www.example.com/",
            "https://www.example.org/?https://www.example.com/",
        ] {
            assert_eq!(
                ReturnPath::check(bad, &host()),
                Err(Refusal::RedirectMismatch),
                "{bad}"
            );
        }
    }

    #[test]
    fn what_a_browser_might_read_otherwise_is_malformed() {
        for bad in [
            "",
            "/relative",
            "//www.example.com/",
            "https:www.example.com/",
            "https://evil.org\\@www.example.com/",
            "https://www.example.com\\.evil.org/",
            "https://evil.org@www.example.com/",
            "https://www.example.com@evil.org/",
            "https://www.example.com%2eevil.org/",
            "https://www.example.com\t.evil.org/",
            "https://www.example.com/ x",
            "https://www.example.com/\r\nSet-Cookie: a=b",
            "https://ｗww.example.com/",
            "https://[::2]/",
            "https:///www.example.com/",
            "https://www.example.com:port/",
        ] {
            assert_eq!(
                ReturnPath::check(bad, &host()),
                Err(Refusal::RedirectMalformed),
                "{bad:?}"
            );
        }
        let long = format!("https://www.example.com/{}", "a".repeat(2048));
        assert_eq!(
            ReturnPath::check(&long, &host()),
            Err(Refusal::RedirectMalformed)
        );
    }

    #[test]
    fn loopback_takes_any_port_and_path_of_this_machine_only() {
        let rules = [RedirectRule::Loopback];
        for good in [
            "http://127.0.0.1:8421/cb",
            "http://localhost/",
            "http://[::1]:1/x",
        ] {
            assert!(ReturnPath::check(good, &rules).is_ok(), "{good}");
        }
        for bad in [
            "http://127.0.0.2/",
            "http://localhost.evil.org/",
            "http://10.0.0.1/",
        ] {
            assert_eq!(
                ReturnPath::check(bad, &rules),
                Err(Refusal::RedirectMismatch),
                "{bad}"
            );
        }
    }

    #[test]
    fn exact_means_exact_and_schemes_stand_alone() {
        let rules = [RedirectRule::Exact("https://a.example/cb".into())];
        assert!(ReturnPath::check("https://a.example/cb", &rules).is_ok());
        assert!(ReturnPath::check("https://a.example/cb/", &rules).is_err());
        let rules = [RedirectRule::Scheme("com.example.app".into())];
        assert!(ReturnPath::check("com.example.app:/oauth", &rules).is_ok());
        assert!(ReturnPath::check("com.example.app2:/oauth", &rules).is_err());
        assert!(ReturnPath::check("com.example.app://back/@me?a@b", &rules).is_ok());
        for bad in [
            "com.example.app://@",
            "com.example.app://me@back/",
            "com.example.app://me:word@back?x",
        ] {
            assert_eq!(
                ReturnPath::check(bad, &rules),
                Err(Refusal::RedirectMalformed),
                "{bad}"
            );
        }
    }

    #[test]
    fn parameters_go_after_the_query_and_before_the_fragment() {
        for (address, expected) in [
            (
                "https://a.example/cb",
                "https://a.example/cb?code=C&state=s%20%26",
            ),
            (
                "https://a.example/cb?x=1",
                "https://a.example/cb?x=1&code=C&state=s%20%26",
            ),
            (
                "https://a.example/cb?",
                "https://a.example/cb?code=C&state=s%20%26",
            ),
            (
                "https://a.example/cb?x=1?",
                "https://a.example/cb?x=1?&code=C&state=s%20%26",
            ),
            (
                "https://a.example/cb?x=1&",
                "https://a.example/cb?x=1&code=C&state=s%20%26",
            ),
            (
                "https://a.example/#/page",
                "https://a.example/?code=C&state=s%20%26#/page",
            ),
            (
                "https://a.example/路?x=é#ü",
                "https://a.example/%E8%B7%AF?x=%C3%A9&code=C&state=s%20%26#%C3%BC",
            ),
        ] {
            assert_eq!(
                ReturnPath(address.into()).with(&[("code", "C"), ("state", "s &")]),
                expected
            );
        }
    }

    #[test]
    fn unsound_rules_are_told_apart() {
        for sound in [
            RedirectRule::Host("www.example.com".into()),
            RedirectRule::Exact("https://a.example/cb".into()),
            RedirectRule::Scheme("com.example.app".into()),
        ] {
            assert!(sound.is_sound(), "{sound:?}");
        }
        for unsound in [
            RedirectRule::Host("example.com/path".into()),
            RedirectRule::Host("example.com:80".into()),
            RedirectRule::Host("*.example.com".into()),
            RedirectRule::Host("localhost".into()),
            RedirectRule::Exact("https://a.example/cb#f".into()),
            RedirectRule::Scheme("javascript".into()),
            RedirectRule::Scheme("HTTPS".into()),
        ] {
            assert!(!unsound.is_sound(), "{unsound:?}");
        }
    }

    #[test]
    fn origin_and_scheme_are_told() {
        let path = ReturnPath("https://a.example/cb?x".into());
        assert_eq!(path.origin(), "https://a.example");
        assert!(!path.is_custom_scheme());
        assert!(ReturnPath("wx0123456789abcdef://oauth".into()).is_custom_scheme());
    }
}
