//! Cookies, who is calling, and the checks that every form passes.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue, header};
use yufu_core::message::Visitor;
use yufu_core::refusal::{Fault, Refusal};
use yufu_core::secret::Secret;

use crate::house::{ByProxy, House, Peer};
use crate::view::Lang;

/// The cookies of a request that are ours.
#[derive(Default)]
pub(crate) struct Cookies {
    /// The signed-in session.
    pub(crate) session: Option<String>,
    /// The browser's own mark, which interactions are bound to.
    pub(crate) browser: Option<String>,
    /// The mark that scans are bound to; it goes along in frames, where the platform is a third
    /// party.
    pub(crate) scan: Option<String>,
    lang: Option<Lang>,
    /// The browser came over TLS.
    secure: bool,
}

#[derive(Clone, Copy)]
enum Role {
    Session,
    Browser,
    Scan,
}

/// How long a browser keeps its own mark: 180 days.
const BROWSER_SECONDS: u32 = 180 * 86_400;

/// A cookie's name: with a prefix that browsers enforce where there is TLS, with the port where
/// there is not.
fn name(house: &House, role: Role, secure: bool) -> String {
    let word = match role {
        Role::Session => "yufu_session",
        Role::Browser => "yufu_browser",
        Role::Scan => "yufu_scan",
    };
    match (secure, role) {
        // Sent to the poll host too, and then a sibling host could plant one: only where it is set.
        (true, Role::Scan) if !house.front.poll_host.is_empty() => format!("__Secure-{word}"),
        (true, _) => format!("__Host-{word}"),
        (false, _) => format!("{word}_{}", house.front.port),
    }
}

impl Cookies {
    pub(crate) fn read(house: &House, headers: &HeaderMap, by: Option<&ByProxy>) -> Self {
        let mut cookies = Self {
            secure: house.front.is_secure_by(by),
            ..Self::default()
        };
        let roles = [Role::Session, Role::Browser, Role::Scan];
        let names = roles.map(|role| name(house, role, cookies.secure));
        for line in headers.get_all(header::COOKIE) {
            let Ok(line) = line.to_str() else { continue };
            for pair in line.split(';') {
                let Some((key, value)) = pair.trim().split_once('=') else {
                    continue;
                };
                // Our secrets are 39 characters; anything longer is not ours.
                if value.len() > 64 {
                    continue;
                }
                let slot = match names.iter().position(|known| known == key) {
                    Some(0) => &mut cookies.session,
                    Some(1) => &mut cookies.browser,
                    Some(2) => &mut cookies.scan,
                    _ => {
                        if key == "yufu_lang" {
                            cookies.lang = Lang::from_param(value);
                        }
                        continue;
                    }
                };
                *slot = Some(value.to_owned());
            }
        }
        cookies
    }

    pub(crate) fn visitor<'a>(&'a self, address: &'a str) -> Visitor<'a> {
        Visitor {
            address,
            session: self.session.as_deref(),
            browser: self.browser.as_deref(),
        }
    }

    /// What a form's token is bound to: this browser and this session, so that a page made for
    /// one person is not sent by another who signed in meanwhile.
    pub(crate) fn binding(&self) -> String {
        let part = |cookie: &Option<String>| cookie.clone().unwrap_or_default();
        format!("{}\n{}", part(&self.browser), part(&self.session))
    }

    /// The language: asked for in the address, else remembered, else what the browser prefers.
    pub(crate) fn lang(&self, asked: Option<&str>, headers: &HeaderMap) -> Lang {
        let accept = headers.get(header::ACCEPT_LANGUAGE);
        asked
            .and_then(Lang::from_param)
            .or(self.lang)
            .unwrap_or_else(|| {
                Lang::from_accept(accept.and_then(|v| v.to_str().ok()).unwrap_or(""))
            })
    }

    /// Makes sure that the browser has a mark; answers the cookie to set when it is new.
    pub(crate) fn mark_browser(&mut self, house: &House) -> Result<Option<HeaderValue>, Fault> {
        if self.browser.is_some() {
            return Ok(None);
        }
        let secret = house.engine.draw_browser()?;
        self.browser = Some(secret.expose().to_owned());
        Ok(Some(self.set(
            house,
            Role::Browser,
            secret.expose(),
            Some(BROWSER_SECONDS),
        )))
    }

    /// The same for the mark that scans are bound to.
    pub(crate) fn mark_scan(&mut self, house: &House) -> Result<Option<HeaderValue>, Fault> {
        if self.scan.is_some() {
            return Ok(None);
        }
        let secret = house.engine.draw_browser()?;
        self.scan = Some(secret.expose().to_owned());
        Ok(Some(self.set(house, Role::Scan, secret.expose(), None)))
    }

    /// The cookie of a session that began.
    pub(crate) fn of_session(&self, house: &House, session: &Secret) -> HeaderValue {
        let life = house.engine.settings().session_absolute.as_seconds();
        let seconds = u32::try_from(life).unwrap_or(u32::MAX);
        self.set(house, Role::Session, session.expose(), Some(seconds))
    }

    /// The cookie that ends a session in the browser.
    pub(crate) fn of_no_session(&self, house: &House) -> HeaderValue {
        self.set(house, Role::Session, "", Some(0))
    }

    fn set(&self, house: &House, role: Role, value: &str, seconds: Option<u32>) -> HeaderValue {
        let mut text = format!(
            "{}={value}; Path=/; HttpOnly",
            name(house, role, self.secure)
        );
        if let Some(seconds) = seconds {
            text.push_str(&format!("; Max-Age={seconds}"));
        }
        match (self.secure, role) {
            (true, Role::Scan) => {
                // The poll host is a name below ours.
                if !house.front.poll_host.is_empty() {
                    text.push_str(&format!("; Domain={}", house.front.host()));
                }
                text.push_str("; Secure; SameSite=None; Partitioned");
            }
            (true, _) => text.push_str("; Secure; SameSite=Lax"),
            (false, _) => text.push_str("; SameSite=Lax"),
        }
        HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

/// Remembers a language that was asked for.
pub(crate) fn lang_cookie(lang: Lang) -> HeaderValue {
    let text = format!(
        "yufu_lang={}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax",
        lang.short()
    );
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The caller's address: the peer's, or what a trusted proxy says of it.
pub(crate) fn address(house: &House, peer: Option<&Peer>, headers: &HeaderMap) -> String {
    caller(&house.front.trusted_proxies, peer, headers)
}

/// The same for whoever trusts these proxies.
pub(crate) fn caller(proxies: &[IpAddr], peer: Option<&Peer>, headers: &HeaderMap) -> String {
    let Some(peer) = peer.map(|peer| peer.0.ip().to_canonical()) else {
        return String::new();
    };
    let mut address = peer;
    if proxies.contains(&peer) {
        // From the right: the first that is no trusted proxy is the caller.
        let lines = headers.get_all("x-forwarded-for").iter();
        let text: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
        let hops = text.join(",");
        for hop in hops.rsplit(',') {
            let Ok(ip) = hop.trim().parse::<IpAddr>() else {
                break;
            };
            address = ip.to_canonical();
            if !proxies.contains(&address) {
                break;
            }
        }
    }
    address.to_string()
}

/// Checks that a form comes from a page of ours: the origin where the browser tells it, and the
/// token always.
pub(crate) fn check_form(
    house: &House,
    headers: &HeaderMap,
    cookies: &Cookies,
    token: &str,
) -> Result<(), Refusal> {
    if !is_same_origin(headers, cookies.secure) {
        return Err(Refusal::FormForged);
    }
    house.engine.check_form(&cookies.binding(), token)
}

/// Whether the browser says that the form comes from this origin, or says nothing.
///
/// Our pages send no referrer, and browsers then write `Origin: null` on their forms; the fetch
/// metadata still tells a page of ours from a stranger's. Browsers without it are held to the
/// token alone.
pub(crate) fn is_same_origin(headers: &HeaderMap, secure: bool) -> bool {
    let text = |name: header::HeaderName| headers.get(name).and_then(|v| v.to_str().ok());
    let site = headers.get("sec-fetch-site").and_then(|v| v.to_str().ok());
    if site.is_some_and(|site| site != "same-origin") {
        return false;
    }
    match text(header::ORIGIN) {
        None | Some("null") => true,
        Some(origin) => {
            let Some((scheme, host)) = origin.split_once("://") else {
                return false;
            };
            // Where we speak TLS, a page that came without it may be anybody's.
            (!secure || scheme == "https") && text(header::HOST) == Some(host)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_of_another_site_is_told_by_its_headers() {
        let case = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            headers.insert("host", HeaderValue::from_static("login.example.com"));
            for (name, value) in pairs {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            is_same_origin(&headers, true)
        };
        assert!(case(&[]));
        assert!(case(&[("origin", "null")]));
        assert!(case(&[
            ("origin", "null"),
            ("sec-fetch-site", "same-origin")
        ]));
        assert!(case(&[("origin", "https://login.example.com")]));
        assert!(!case(&[
            ("origin", "null"),
            ("sec-fetch-site", "cross-site")
        ]));
        assert!(!case(&[("sec-fetch-site", "same-site")]));
        assert!(!case(&[("origin", "https://evil.example")]));
        assert!(!case(&[("origin", "https://login.example.com.evil.org")]));
        assert!(!case(&[("origin", "login.example.com")]));
        assert!(!case(&[("origin", "http://login.example.com")]));
    }
}
