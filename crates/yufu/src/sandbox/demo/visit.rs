//! What the app's server keeps of a browser: its devices, and how far each of them is. All of it is
//! behind one cookie that no script reads; tokens never reach the browser.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use axum::extract::Request as HttpRequest;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Bytes;
use yufu_core::client::ClientKind;
use yufu_core::secret::{Entropy, Secret, same};
use yufu_dialects::http::{Params, Request};
use yufu_web::view::{DemoDone, DemoFrame, Lang, WireCall};

use super::errand::Errand;
use super::{Demo, go};
use crate::ports::SystemEntropy;

/// How many devices one browser may be.
pub(super) const DEVICES: u8 = 3;
/// The most browsers that are remembered.
const MAX_VISITS: usize = 1000;
/// The most authorizations under way of one device.
const MAX_PENDING: usize = 8;
/// The most calls that a page shows.
const MAX_WIRE: usize = 12;
/// The most bytes of a form.
const MAX_FORM: usize = 16 * 1024;

/// All browsers, by their cookie.
pub(super) type Visits = HashMap<String, Visit>;

/// One browser.
#[derive(Default)]
pub(super) struct Visit {
    /// What proves that a form is ours.
    csrf: String,
    seats: [Seat; DEVICES as usize],
}

/// One device.
#[derive(Clone, Default)]
pub(super) struct Seat {
    /// What it proves itself with to the backend.
    pub(super) secret: Option<Secret>,
    /// The terms were accepted.
    pub(super) agreed: bool,
    /// The way by which it last went to WeChat.
    pub(super) way: Option<ClientKind>,
    pub(super) session: Option<Session>,
    /// The authorizations under way, one a tab.
    pub(super) pending: Vec<Pending>,
    /// What somebody is about to do.
    pub(super) errand: Option<Errand>,
    pub(super) wire: Vec<WireCall>,
    /// What the next page says.
    pub(super) done: Option<DemoDone>,
}

/// The tokens of somebody who is logged in.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) token: Secret,
    pub(super) refresh: Secret,
}

/// An authorization that was begun.
#[derive(Clone)]
pub(super) struct Pending {
    pub(super) state: String,
    pub(super) way: ClientKind,
    pub(super) aim: Aim,
}

/// What an authorization is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// Logging in.
    Login,
    /// Linking WeChat to the account.
    Link,
    /// Proving that it is the account's owner.
    Own,
    /// Proving the WeChat that another one shall replace.
    Other,
}

/// The path segment of a way to WeChat.
pub(super) const fn way_word(kind: ClientKind) -> &'static str {
    match kind {
        ClientKind::Website => "scan",
        ClientKind::Mobile => "native",
        ClientKind::Service => "page",
    }
}

impl Seat {
    /// Ends the session here; the backend was told, or told us.
    pub(super) fn logged_out(&mut self) {
        self.session = None;
        self.errand = None;
        self.done = None;
    }

    /// Keeps a call for the page. A page that is loaded again says it once.
    pub(super) fn heard(&mut self, call: WireCall) {
        if call.line.starts_with("GET /user") {
            self.wire.retain(|known| known.line != call.line);
        }
        let surplus = (self.wire.len() + 1).saturating_sub(MAX_WIRE);
        self.wire.drain(..surplus);
        self.wire.push(call);
    }

    /// Keeps an authorization that begins.
    pub(super) fn begins(&mut self, pending: Pending) {
        let surplus = (self.pending.len() + 1).saturating_sub(MAX_PENDING);
        self.pending.drain(..surplus);
        self.way = Some(pending.way);
        self.pending.push(pending);
    }

    /// The path that begins the last login once more.
    pub(super) fn again(&self) -> String {
        self.way
            .map_or("/".to_owned(), |way| format!("/login/{}", way_word(way)))
    }
}

/// A request to the app, read.
pub(super) struct Knock {
    pub(super) demo: Arc<Demo>,
    pub(super) method: Method,
    id: String,
    fresh: bool,
    /// Which device, from 1.
    pub(super) device: u8,
    /// What the device's paths begin with.
    pub(super) base: String,
    /// The path below that.
    pub(super) path: String,
    pub(super) lang: Lang,
    pub(super) query: String,
    pub(super) params: Params,
    pub(super) form: Params,
    /// The name of the system that the browser runs on.
    system: &'static str,
}

impl Knock {
    pub(super) async fn read(demo: Arc<Demo>, request: HttpRequest) -> Self {
        let (parts, body) = request.into_parts();
        let headers = &parts.headers;
        let query = parts.uri.query().unwrap_or("").to_owned();
        let params = Request::get("", &query).params();
        let text = |name: &str| {
            headers
                .get(name)
                .and_then(|v| v.to_str().ok())
                .unwrap_or("")
        };
        let lang = params
            .get("lang")
            .or(cookie(headers, "yufu_lang").as_deref())
            .and_then(Lang::from_param)
            .unwrap_or_else(|| Lang::from_accept(text("accept-language")));
        let body = match Limited::new(body, MAX_FORM).collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => Bytes::new(),
        };
        let mut form = Request::post("", "", &String::from_utf8_lossy(&body)).params();
        // A name that we did not give is no browser of ours.
        let known = cookie(headers, &demo.cookie);
        let known = known.and_then(|id| demo.csrf(&id).map(|csrf| (id, csrf)));
        let (site, sent) = (text("sec-fetch-site"), form.get("csrf").unwrap_or(""));
        let csrf = known.as_ref().map_or("", |(_, csrf)| csrf.as_str());
        let is_ours = same(sent.as_bytes(), csrf.as_bytes())
            && matches!(site, "" | "same-origin")
            && !csrf.is_empty();
        if !is_ours {
            form = Params::default();
        }
        let (device, base, path) = place(parts.uri.path());
        Self {
            fresh: known.is_none(),
            id: known.map_or_else(random, |(id, _)| id),
            device,
            base,
            path,
            lang,
            query,
            params,
            form,
            system: system(text("user-agent")),
            method: parts.method,
            demo,
        }
    }

    /// A field of a form of ours; empty when it is not there or the form is none of ours.
    pub(super) fn field(&self, name: &str) -> &str {
        self.form.get(name).unwrap_or("").trim()
    }

    /// The device as it calls itself.
    pub(super) fn device_name(&self) -> String {
        format!("{} · {}", self.system, self.device)
    }

    /// What is known of the device.
    pub(super) fn seat(&self) -> Seat {
        let visits = self
            .demo
            .visits
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let seat = visits
            .get(&self.id)
            .and_then(|visit| visit.seats.get(self.at()));
        seat.cloned().unwrap_or_default()
    }

    fn at(&self) -> usize {
        usize::from(self.device) - 1
    }

    /// Changes what is known of the device.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Seat) -> T) -> T {
        let mut visits = self
            .demo
            .visits
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let visit = seated(&mut visits, &self.id);
        change(&mut visit.seats[self.at()])
    }

    /// The authorization that a state belongs to, whichever device of this browser began it: the
    /// knock is that device's from here on. It is taken away unless it is only looked at.
    pub(super) fn pending(&mut self, state: &str, take: bool) -> Option<Pending> {
        let mut visits = self
            .demo
            .visits
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let seats = &mut visits.get_mut(&self.id)?.seats;
        for (device, seat) in (1u8..).zip(seats.iter_mut()) {
            let is_this = |known: &Pending| same(known.state.as_bytes(), state.as_bytes());
            let Some(at) = seat.pending.iter().position(is_this) else {
                continue;
            };
            self.device = device;
            self.base = base(device);
            return match take {
                true => Some(seat.pending.remove(at)),
                false => seat.pending.get(at).cloned(),
            };
        }
        None
    }

    /// To another page of this device.
    pub(super) fn leave(&self, path: &str) -> Response {
        go(&format!("{}{path}", self.base))
    }

    /// What every page has. `path` is where it can be opened again, in the other language.
    pub(super) fn frame(&self, path: Option<&str>) -> DemoFrame {
        let mut visits = self
            .demo
            .visits
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let visit = seated(&mut visits, &self.id);
        let other = self.lang.other().short();
        DemoFrame {
            device: self.device,
            base: self.base.clone(),
            lang_href: path.map(|path| format!("{}{path}?lang={other}", self.base)),
            csrf: visit.csrf.clone(),
            wire: visit.seats[self.at()].wire.clone(),
            flows_href: format!("{}/flows?flow=latest", self.demo.platform),
        }
    }

    /// The answer, with the cookies that the browser has not yet.
    pub(super) fn done(&self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        let mut set = |cookie: String| {
            if let Ok(cookie) = HeaderValue::try_from(cookie) {
                headers.append(header::SET_COOKIE, cookie);
            }
        };
        if self.fresh {
            let (name, id) = (&self.demo.cookie, &self.id);
            set(format!("{name}={id}; Path=/; HttpOnly; SameSite=Lax"));
        }
        if let Some(lang) = self.params.get("lang").and_then(Lang::from_param) {
            let lang = lang.short();
            set(format!("yufu_lang={lang}; Path=/; HttpOnly; SameSite=Lax"));
        }
        response
    }
}

impl Demo {
    /// What the forms of a browser are proved with; none for a browser that is not known.
    fn csrf(&self, id: &str) -> Option<String> {
        let visits = self.visits.lock().unwrap_or_else(PoisonError::into_inner);
        visits.get(id).map(|visit| visit.csrf.clone())
    }
}

fn seated<'a>(visits: &'a mut Visits, id: &str) -> &'a mut Visit {
    if visits.len() >= MAX_VISITS && !visits.contains_key(id) {
        visits.clear();
    }
    let visit = visits.entry(id.to_owned()).or_default();
    if visit.csrf.is_empty() {
        visit.csrf = random();
    }
    visit
}

/// The device, what its paths begin with, and the path below that.
fn place(path: &str) -> (u8, String, String) {
    let below = path.strip_prefix("/device/").and_then(|rest| {
        let (number, below) = rest.split_once('/').unwrap_or((rest, ""));
        let device = number.parse().ok().filter(|n| (2..=DEVICES).contains(n))?;
        Some((device, base(device), format!("/{below}")))
    });
    below.unwrap_or((1, String::new(), path.to_owned()))
}

/// What the paths of a device begin with.
pub(super) fn base(device: u8) -> String {
    match device {
        1 => String::new(),
        device => format!("/device/{device}"),
    }
}

fn system(agent: &str) -> &'static str {
    let known = ["Android", "iPhone", "iPad", "Windows", "Macintosh", "Linux"];
    known
        .into_iter()
        .find(|name| agent.contains(name))
        .unwrap_or("Web")
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let line = headers.get(header::COOKIE)?.to_str().ok()?;
    let mut pairs = line
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='));
    pairs
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
}

/// 32 random bytes as text.
fn random() -> String {
    let mut bytes = [0; 32];
    SystemEntropy.fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_tells_the_device() {
        for (path, expected) in [
            ("/", (1, "", "/")),
            ("/me", (1, "", "/me")),
            ("/device/2/", (2, "/device/2", "/")),
            ("/device/2", (2, "/device/2", "/")),
            ("/device/3/me", (3, "/device/3", "/me")),
            ("/device/1/me", (1, "", "/device/1/me")),
            ("/device/9/me", (1, "", "/device/9/me")),
            ("/device/x", (1, "", "/device/x")),
        ] {
            let (device, base, below) = place(path);
            assert_eq!((device, base.as_str(), below.as_str()), expected, "{path}");
        }
    }
}
