//! The cookies of one browser, as far as a login needs them (RFC 6265).

use reqwest::Url;
use yufu_core::time::Timestamp;

/// The cookies of one browser.
#[derive(Clone, Debug, Default)]
pub struct Jar {
    cookies: Vec<Cookie>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Cookie {
    name: String,
    value: String,
    host: String,
    /// Whether hosts below this one get it too.
    wide: bool,
    path: String,
    secure: bool,
    /// Whether it stays at home when another site leads here.
    strict: bool,
    /// When it ends, in real milliseconds.
    ends: Option<i64>,
}

impl Jar {
    /// Keeps the cookies of an answer.
    pub fn keep<'a>(
        &mut self,
        url: &Url,
        set_cookies: impl Iterator<Item = &'a str>,
        now: Timestamp,
    ) {
        for line in set_cookies {
            let Some(cookie) = read(url, line, now) else {
                continue;
            };
            let same = |it: &Cookie| {
                (&it.name, &it.host, &it.path) == (&cookie.name, &cookie.host, &cookie.path)
            };
            self.cookies.retain(|it| !same(it));
            if cookie.ends.is_none_or(|ends| ends > now.0) {
                self.cookies.push(cookie);
            }
        }
    }

    /// The header for a request; `from_elsewhere` when another site leads here, as the platform's
    /// page does: what is `SameSite=Strict` is not sent then.
    pub fn header(&self, url: &Url, from_elsewhere: bool, now: Timestamp) -> Option<String> {
        let pairs: Vec<String> = self
            .cookies
            .iter()
            .filter(|cookie| cookie.goes_to(url) && cookie.ends.is_none_or(|ends| ends > now.0))
            .filter(|cookie| !(from_elsewhere && cookie.strict))
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// The value of a cookie.
    pub fn value(&self, name: &str) -> Option<&str> {
        let mut found = self.cookies.iter().rev();
        let found = found.find(|cookie| cookie.name == name);
        found.map(|cookie| cookie.value.as_str())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.cookies.is_empty()
    }
}

impl Cookie {
    fn goes_to(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let below = host
            .strip_suffix(&self.host)
            .is_some_and(|head| head.ends_with('.'));
        let path = url.path();
        let under = path.strip_prefix(&self.path).is_some_and(|rest| {
            rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/')
        });
        (host == self.host || (self.wide && below))
            && under
            && (!self.secure || url.scheme() == "https" || is_this_machine(host))
    }
}

/// Browsers take this machine for safe without TLS.
fn is_this_machine(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host.starts_with("127.")
        || host == "[::1]"
}

fn read(url: &Url, line: &str, now: Timestamp) -> Option<Cookie> {
    let mut parts = line.split(';').map(str::trim);
    let (name, value) = parts.next()?.split_once('=')?;
    let host = url.host_str()?.to_owned();
    // The folder of the path that set it (RFC 6265 §5.1.4).
    let folder = url.path().rsplit_once('/').map_or("/", |(head, _)| head);
    let mut cookie = Cookie {
        name: name.trim().to_owned(),
        value: value.trim().to_owned(),
        host,
        wide: false,
        path: if folder.is_empty() { "/" } else { folder }.to_owned(),
        secure: false,
        strict: false,
        ends: None,
    };
    let mut age = None;
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        match key.to_ascii_lowercase().as_str() {
            "domain" => {
                let domain = value.trim_start_matches('.').to_ascii_lowercase();
                let ours = cookie.host == domain || cookie.host.ends_with(&format!(".{domain}"));
                if !ours {
                    return None;
                }
                cookie.host = domain;
                cookie.wide = true;
            }
            "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
            "secure" => cookie.secure = true,
            "samesite" => cookie.strict = value.eq_ignore_ascii_case("strict"),
            "max-age" => age = value.parse::<i64>().ok(),
            // A date of the past is how cookies are taken away; which date does not matter.
            "expires" if value.contains("1970") => cookie.ends = Some(0),
            _ => {}
        }
    }
    if let Some(age) = age {
        cookie.ends = Some(now.0.saturating_add(age.saturating_mul(1000)));
    }
    Some(cookie)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn jar(at: &str, lines: &[&str]) -> Jar {
        let mut jar = Jar::default();
        jar.keep(&Url::parse(at).unwrap(), lines.iter().copied(), NOW);
        jar
    }

    fn sent(jar: &Jar, to: &str) -> String {
        let url = Url::parse(to).unwrap();
        jar.header(&url, false, NOW).unwrap_or_default()
    }

    #[test]
    fn cookies_go_where_they_belong() {
        let jar = jar(
            "http://127.0.0.1:3000/auth/in",
            &[
                "a=1; Path=/",
                "b=2",
                "c=3; Path=/auth; Secure",
                "d=4; Domain=example.com",
            ],
        );
        assert_eq!(
            sent(&jar, "http://127.0.0.1:3000/auth/out"),
            "a=1; b=2; c=3"
        );
        assert_eq!(sent(&jar, "http://127.0.0.1:3000/"), "a=1");
        assert_eq!(sent(&jar, "http://127.0.0.1:3000/authority"), "a=1");
        assert_eq!(sent(&jar, "http://127.0.0.2:3000/auth/"), "");
        assert_eq!(jar.value("b"), Some("2"));
    }

    #[test]
    fn a_cookie_is_replaced_and_taken_away() {
        let at = Url::parse("https://a.example.com/").unwrap();
        let mut jar = jar(
            "https://a.example.com/",
            &["s=1", "t=1; Domain=.example.com; Max-Age=60"],
        );
        jar.keep(&at, ["s=2", "s3=x; Max-Age=0"].into_iter(), NOW);
        assert_eq!(sent(&jar, "https://a.example.com/"), "t=1; s=2");
        assert_eq!(sent(&jar, "https://b.example.com/"), "t=1");
        assert_eq!(sent(&jar, "https://badexample.com/"), "");
        jar.keep(
            &at,
            ["s=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"].into_iter(),
            NOW,
        );
        let later = Timestamp(NOW.0 + 61_000);
        assert_eq!(jar.header(&at, false, later), None);
    }

    #[test]
    fn what_is_strict_stays_at_home_when_another_site_leads_here() {
        let jar = jar(
            "http://127.0.0.1/",
            &["s=1; SameSite=Strict", "l=1; SameSite=Lax"],
        );
        let url = Url::parse("http://127.0.0.1/cb").unwrap();
        assert_eq!(jar.header(&url, true, NOW).as_deref(), Some("l=1"));
        assert_eq!(jar.header(&url, false, NOW).as_deref(), Some("s=1; l=1"));
    }
}
