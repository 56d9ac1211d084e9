//! Cookies of the login API: the same secrets that apps carry in headers, for browsers.

use axum::http::{HeaderMap, HeaderValue, header};
use yufu_core::time::Lifetime;

use super::LoginFront;

/// What a cookie holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The session token.
    Session,
    /// The refresh token; it goes to one path alone.
    Refresh,
    /// The device secret.
    Device,
    /// The ticket of a login that waits for a phone number.
    Bind,
}

impl Role {
    const ALL: [Self; 4] = [Self::Session, Self::Refresh, Self::Device, Self::Bind];

    const fn word(self) -> &'static str {
        match self {
            Self::Session => "yufu_login",
            Self::Refresh => "yufu_refresh",
            Self::Device => "yufu_device",
            Self::Bind => "yufu_bind",
        }
    }

    /// Browsers refuse `__Host-` for a cookie with a path of its own.
    const fn path(self) -> &'static str {
        match self {
            Self::Refresh => "/user/session/refresh",
            Self::Session | Self::Device | Self::Bind => "/",
        }
    }
}

/// How long a browser keeps its device secret: as long as browsers keep anything.
pub(crate) const DEVICE_LIFE: Lifetime = Lifetime::days(400);

/// A cookie's name: with a prefix that browsers enforce where there is TLS, with the port where
/// there is not.
fn name(front: &LoginFront, role: Role) -> String {
    let word = role.word();
    match (front.is_secure(), role) {
        (true, Role::Refresh) => format!("__Secure-{word}"),
        (true, _) => format!("__Host-{word}"),
        (false, _) => format!("{word}_{}", front.port),
    }
}

/// The cookies of a request that are ours.
#[derive(Clone, Default)]
pub(crate) struct Cookies([Option<String>; 4]);

impl Cookies {
    pub(crate) fn read(front: &LoginFront, headers: &HeaderMap) -> Self {
        let names = Role::ALL.map(|role| name(front, role));
        let mut found = Self::default();
        for line in headers.get_all(header::COOKIE) {
            let Ok(line) = line.to_str() else { continue };
            for pair in line.split(';') {
                let Some((key, value)) = pair.trim().split_once('=') else {
                    continue;
                };
                let slot = names.iter().position(|known| known == key);
                // Our secrets are 39 characters; anything much longer is not ours.
                if let Some(slot) = slot.and_then(|at| found.0.get_mut(at))
                    && !value.is_empty()
                    && value.len() <= 64
                {
                    *slot = Some(value.to_owned());
                }
            }
        }
        found
    }

    /// Takes one as sent: it is set with this very answer.
    pub(crate) fn keep(&mut self, role: Role, value: &str) {
        if let Some(slot) = self.0.get_mut(role as usize) {
            *slot = Some(value.to_owned());
        }
    }

    /// Takes one as not sent.
    pub(crate) fn ignore(&mut self, role: Role) {
        if let Some(slot) = self.0.get_mut(role as usize) {
            *slot = None;
        }
    }

    pub(crate) fn get(&self, role: Role) -> Option<&str> {
        self.0.get(role as usize)?.as_deref()
    }
}

/// The line that sets a cookie.
pub(crate) fn set(front: &LoginFront, role: Role, value: &str, life: Lifetime) -> HeaderValue {
    let seconds = life.as_seconds().max(0);
    let secure = if front.is_secure() { "; Secure" } else { "" };
    let text = format!(
        "{}={value}; Path={}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}",
        name(front, role),
        role.path(),
    );
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The line that forgets one.
pub(crate) fn forget(front: &LoginFront, role: Role) -> HeaderValue {
    set(front, role, "", Lifetime::seconds(0))
}
