//! A stage: exchanges of a login are played before a fold, one after the other.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;
use yufu_core::secret::Entropy;
use yufu_core::time::Timestamp;

use super::super::arrow::Flow;
use super::super::fold::{Fold, Names, read};
use super::super::mark::Marks;
use super::super::shelf::{Limits, Shelf};
use super::super::show::Whole;
use crate::sandbox::seen::{Behind, Lane, Note, Seen, SeenAnswer, Tie};

pub(super) const APPID: &str = "wx52c1a05f3b9d7e10";
pub(super) const SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
pub(super) const OPENID: &str = "oV2abKd0f3kZr1yXw7QnB5mT9uHs";
pub(super) const STATE: &str = "q7Xw2LmN8sT4vB6yK1zR";
pub(super) const BROWSER: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Chrome/140";
pub(super) const CALLBACK: &str = "https://www.example.com/login/callback";

/// Counts instead of drawing.
pub(super) struct Counted;

impl Entropy for Counted {
    fn fill(&self, buffer: &mut [u8]) {
        for (at, byte) in buffer.iter_mut().enumerate() {
            *byte = at as u8;
        }
    }

    fn millis(&self) -> u64 {
        0
    }
}

/// Knows one app and two people.
struct World;

impl Names for World {
    fn client(&self, appid: &str) -> Option<String> {
        (appid == APPID).then(|| "小屋 Rooms".to_owned())
    }

    fn phone(&self, phone: &str) -> Option<String> {
        (phone == "+8613800000001").then(|| "mei".to_owned())
    }

    fn secret(&self, secret: &str) -> Option<String> {
        secret.contains("1Wei").then(|| "wei".to_owned())
    }
}

/// A code in the platform's shape.
pub(super) fn code(n: u32) -> String {
    format!("011Wei{n:026}")
}

/// A token in the platform's shape.
pub(super) fn token(n: u32) -> String {
    format!("81_{n:0>107}")
}

pub(super) fn uuid(n: u32) -> String {
    format!("071AZFu5{n:08}")
}

/// A secret of our own pages in its shape.
pub(super) fn interaction(n: u32) -> String {
    format!("1AbCdEfGh{n:030}")
}

/// Percent-encodes everything but unreserved characters.
pub(super) fn enc(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A request that is about to be answered.
pub(super) struct Ask {
    pub(super) seen: Seen,
}

impl Ask {
    pub(super) fn new(behind: Behind, method: &str, target: &str) -> Self {
        let host = match behind {
            Behind::Platform => "open.weixin.qq.com",
            Behind::Login => "127.0.0.1:8430",
            Behind::Demo => "127.0.0.1:8421",
            Behind::App => "www.example.com",
        };
        let is_ours = behind == Behind::Platform;
        let ask = Self {
            seen: Seen {
                began: Timestamp(0),
                took: Duration::from_millis(2),
                behind,
                by_proxy: is_ours || behind == Behind::App,
                scheme: if is_ours { "https" } else { "http" },
                host: host.to_owned(),
                method: method.to_owned(),
                target: target.to_owned(),
                headers: HeaderMap::new(),
                body: Bytes::new(),
                body_cut: false,
                answer: None,
                faults: Vec::new(),
                peer: None,
            },
        };
        ask.header("host", host)
    }

    pub(super) fn get(target: &str) -> Self {
        Self::new(Behind::Platform, "GET", target)
    }

    /// A server's call.
    pub(super) fn call(target: &str) -> Self {
        let mut ask = Self::get(target).header("user-agent", "node");
        ask.seen.host = "api.weixin.qq.com".to_owned();
        ask.header("host", "api.weixin.qq.com")
            .header("accept", "*/*")
    }

    /// A POST of a form.
    pub(super) fn form(target: &str, form: &str) -> Self {
        let ask = Self::new(Behind::Platform, "POST", target);
        let kind = "application/x-www-form-urlencoded";
        ask.header("content-type", kind).body(form)
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::try_from(name).unwrap();
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        self.seen.headers.insert(name, value);
        self
    }

    pub(super) fn body(mut self, body: &str) -> Self {
        self.seen.body = Bytes::from(body.to_owned());
        self
    }

    pub(super) fn fault(mut self, fault: &str) -> Self {
        self.seen.faults.push(fault.to_owned());
        self
    }

    pub(super) fn took(mut self, millis: u64) -> Self {
        self.seen.took = Duration::from_millis(millis);
        self
    }

    pub(super) fn host(mut self, scheme: &'static str, host: &str) -> Self {
        self.seen.scheme = scheme;
        self.seen.host = host.to_owned();
        self
    }

    /// By a page in a browser.
    pub(super) fn by_browser(self, cookie: &str) -> Self {
        let ask = self.header("user-agent", BROWSER);
        if cookie.is_empty() {
            return ask;
        }
        ask.header("cookie", &format!("yufu_lang=en; yufu_scan_8420={cookie}"))
    }
}

/// The stage.
pub(super) struct Scene {
    pub(super) fold: Fold,
    pub(super) shelf: Arc<RwLock<Shelf>>,
    pub(super) now: i64,
    /// The flow of each exchange, in order.
    pub(super) flows: Vec<Option<u64>>,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(super) fn with(limits: Limits) -> Self {
        let shelf = Arc::new(RwLock::new(Shelf::new(limits)));
        let mut fold = Fold::new(Marks::draw(&Counted), shelf.clone());
        fold.names = Box::new(World);
        Self {
            fold,
            shelf,
            now: 1_785_100_000_000,
            flows: Vec::new(),
        }
    }

    /// Time passes.
    pub(super) fn wait(&mut self, millis: i64) {
        self.now += millis;
    }

    /// An exchange; tells its flow.
    pub(super) fn plays(&mut self, ask: Ask) -> Option<u64> {
        let mut seen = ask.seen;
        seen.began = Timestamp(self.now);
        self.now += seen.took.as_millis() as i64 + 1;
        let flow = self.fold.saw(&seen);
        self.flows.push(flow);
        flow
    }

    /// A request that is answered so.
    pub(super) fn answers(
        &mut self,
        mut ask: Ask,
        status: u16,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Option<u64> {
        let mut kept = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::try_from(*name).unwrap();
            kept.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        ask.seen.answer = Some(SeenAnswer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: kept,
            body: Bytes::from(body.to_owned()),
            body_cut: false,
        });
        self.plays(ask)
    }

    /// A request that is answered with JSON as the platform writes it.
    pub(super) fn says(&mut self, ask: Ask, body: &str) -> Option<u64> {
        self.answers(ask, 200, &[("content-type", "text/plain")], body)
    }

    /// A request that is answered with a way elsewhere.
    pub(super) fn leads(&mut self, ask: Ask, status: u16, location: &str) -> Option<u64> {
        self.answers(ask, status, &[("location", location)], "")
    }

    pub(super) fn notes(&mut self, what: &'static str, ties: &[(Tie, &str)]) -> Option<u64> {
        let note = Note {
            at: Timestamp(self.now),
            from: Lane::User,
            to: Lane::Platform,
            what,
            detail: String::new(),
            person: Some("mei".to_owned()),
            client: Some(APPID.to_owned()),
            ties: ties
                .iter()
                .map(|(kind, value)| (*kind, (*value).to_owned()))
                .collect(),
        };
        self.now += 1;
        let flow = self.fold.noted(&note);
        self.flows.push(flow);
        flow
    }

    pub(super) fn flow<T>(&self, no: Option<u64>, look: impl FnOnce(&Flow) -> T) -> T {
        let shelf = read(&self.shelf);
        look(shelf.get(no.expect("it is of a flow")).expect("it is kept"))
    }

    pub(super) fn json(&self, no: Option<u64>) -> Value {
        self.flow(no, |flow| serde_json::to_value(Whole::of(flow)).unwrap())
    }

    /// The findings of a flow, by their words.
    pub(super) fn findings(&self, no: Option<u64>) -> Vec<&'static str> {
        self.flow(no, |flow| {
            let found = flow.findings.iter();
            found.map(|found| found.code.entry().word).collect()
        })
    }

    // --- the acts of a login --------------------------------------------------------------------

    /// The page with the QR code.
    pub(super) fn qr(&mut self, n: u32, query: &str) -> Option<u64> {
        let page = format!(
            "<!DOCTYPE html>\n<html lang=\"zh-CN\">\n<div id=\"scan\" data-uuid=\"{0}\" \
             data-redirect=\"{CALLBACK}\" data-state=\"{STATE}\">\n\
             <img class=\"qrcode lightBorder js_qrcode_img\" src=\"/connect/qrcode/{0}\">\n</div>",
            uuid(n)
        );
        let ask = Ask::get(&format!("/connect/qrconnect?{query}")).by_browser("");
        let cookie = format!("yufu_scan_8420={}; Path=/; HttpOnly", interaction(n + 900));
        let headers = [
            ("content-type", "text/html; charset=utf-8"),
            ("set-cookie", cookie.as_str()),
        ];
        self.answers(ask, 200, &headers, &page)
    }

    /// A poll of that page.
    pub(super) fn poll(&mut self, n: u32, number: u16, code: &str) -> Option<u64> {
        let target = format!("/connect/l/qrconnect?uuid={}&_=1785100000120", uuid(n));
        let ask = Ask::get(&target).by_browser(&interaction(n + 900));
        let body = format!("window.wx_errcode={number};window.wx_code='{code}';");
        self.answers(ask, 200, &[("content-type", "text/javascript")], &body)
    }

    /// The phone scans, signs in and agrees.
    pub(super) fn phone(&mut self, n: u32, act: &str) -> Option<u64> {
        let opened = Ask::get(&format!("/connect/confirm?uuid={}", uuid(n)));
        let page = format!("/interaction/{}", interaction(n));
        self.leads(opened, 303, &page);
        let sign_in = "csrf=1CsrfCsrfCsrfCsrf0123456789&phone=%2B8613800000001&password=yufu-dev-2026&act=sign_in";
        self.leads(Ask::form(&page, sign_in), 303, &page);
        let form = format!("csrf=1CsrfCsrfCsrfCsrf0123456789&act={act}");
        let html = [("content-type", "text/html; charset=utf-8")];
        self.answers(Ask::form(&page, &form), 200, &html, "<p>done</p>")
    }

    /// A server pays a code.
    pub(super) fn exchange(&mut self, code: &str, answer: &str) -> Option<u64> {
        self.says(exchange(code), answer)
    }

    /// The same, with tokens.
    pub(super) fn paid(&mut self, code: &str, n: u32) -> Option<u64> {
        self.exchange(code, &tokens(n, "snsapi_login"))
    }

    pub(super) fn profile(&mut self, n: u32, openid: &str) -> Option<u64> {
        let target = format!(
            "/sns/userinfo?access_token={}&openid={openid}&lang=zh_CN",
            token(n)
        );
        self.says(Ask::call(&target), PROFILE)
    }

    /// The browser comes back to the app, which answers with this status.
    pub(super) fn callback(&mut self, query: &str, status: u16) -> Option<u64> {
        let target = format!("/login/callback?{query}");
        let ask = Ask::new(Behind::App, "GET", &target).by_browser("");
        self.answers(
            ask,
            status,
            &[("set-cookie", "sid=s3cr3tSessionValue0001; HttpOnly")],
            "",
        )
    }

    /// A whole login by scan, without a fault.
    pub(super) fn login(&mut self, n: u32, state: &str) -> Option<u64> {
        self.qr(n, &scan_query(state));
        self.phone(n, "allow");
        self.poll(n, 405, &code(n));
        self.paid(&code(n), n);
        self.profile(n, OPENID)
    }
}

pub(super) const PROFILE: &str = "{\"openid\":\"oV2abKd0f3kZr1yXw7QnB5mT9uHs\",\"nickname\":\"梅 Zoé 🐟\",\"sex\":0,\"headimgurl\":\"http:\\/\\/127.0.0.1:8420\\/mmopen\\/vi_32\\/mei\\/132\",\"privilege\":[],\"unionid\":\"oU9KdLr2m4yQx8ZbN6tWc1vJf3Ha\"}";

/// The parameters of a website's login.
pub(super) fn scan_query(state: &str) -> String {
    format!(
        "appid={APPID}&redirect_uri={}&response_type=code&scope=snsapi_login&state={state}",
        enc(CALLBACK)
    )
}

pub(super) fn exchange(code: &str) -> Ask {
    Ask::call(&format!(
        "/sns/oauth2/access_token?appid={APPID}&secret={SECRET}&code={code}&grant_type=authorization_code"
    ))
}

pub(super) fn tokens(n: u32, scope: &str) -> String {
    format!(
        "{{\"access_token\":\"{}\",\"expires_in\":7200,\"refresh_token\":\"{}\",\"openid\":\"{OPENID}\",\"scope\":\"{scope}\",\"unionid\":\"oU9KdLr2m4yQx8ZbN6tWc1vJf3Ha\"}}",
        token(n),
        token(n + 1_000_000)
    )
}

pub(super) fn error(number: i32, words: &str) -> String {
    format!("{{\"errcode\":{number},\"errmsg\":\"{words}, rid: 6a6621f5-0a1b2c3d-4e5f6a7b\"}}")
}
