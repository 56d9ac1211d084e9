//! What only the development server shows: where to click, the inbox, codes for mini programs.
//! These pages tell secrets, so they answer only under the machine's own names (DNS rebinding).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use yufu_core::id::{ClientId, UserId};
use yufu_core::store::Letter;
use yufu_core::time::Timestamp;
use yufu_dialects::http::Request as Params;

use crate::house::House;
use crate::pages::{self, Guard, Visit, html};
use crate::session::{self, Cookies};
use crate::view;

/// The world of a development server. People and clients come and go while it runs.
pub struct Dev {
    people: RwLock<Vec<view::DevPerson>>,
    clients: RwLock<Vec<view::DevClient>>,
    /// The demo app.
    pub demo_url: String,
    /// Where passcodes land.
    pub inbox: Arc<Inbox>,
}

/// Letters that were delivered to nobody but the developer.
#[derive(Default)]
pub struct Inbox(Mutex<VecDeque<Letter>>);

/// How many letters are kept.
const KEPT: usize = 500;

impl Inbox {
    /// Puts a letter on top.
    pub fn put(&self, letter: Letter) {
        let mut letters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        letters.push_front(letter);
        letters.truncate(KEPT);
    }

    /// Puts other letters in the place of all; the newest comes first.
    pub fn replace(&self, letters: Vec<Letter>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = letters.into();
    }

    /// The letters, newest first.
    pub fn letters(&self) -> Vec<Letter> {
        let letters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        letters.iter().cloned().collect()
    }
}

impl Dev {
    /// A world without anybody in it.
    pub fn new(demo_url: String, inbox: Arc<Inbox>) -> Self {
        Self {
            people: RwLock::default(),
            clients: RwLock::default(),
            demo_url,
            inbox,
        }
    }

    /// From now on these are the people, with passwords, and the clients, with secrets.
    pub fn set_world(&self, people: Vec<view::DevPerson>, clients: Vec<view::DevClient>) {
        *self.people.write().unwrap_or_else(PoisonError::into_inner) = people;
        *self.clients.write().unwrap_or_else(PoisonError::into_inner) = clients;
    }

    pub(crate) fn people(&self) -> Vec<view::DevPerson> {
        let people = self.people.read().unwrap_or_else(PoisonError::into_inner);
        people.clone()
    }

    pub(crate) fn clients(&self) -> Vec<view::DevClient> {
        let clients = self.clients.read().unwrap_or_else(PoisonError::into_inner);
        clients.clone()
    }

    pub(crate) fn start(&self, house: &House, lang: view::Lang) -> view::DevStart {
        view::DevStart {
            lang,
            lang_href: Some(format!("/?lang={}", lang.other().short())),
            base_url: house.front.public_url.clone(),
            demo_href: self.demo_url.clone(),
            inbox_href: "/dev/inbox".to_owned(),
            codes_href: "/dev/codes".to_owned(),
            account_href: "/account".to_owned(),
            people: self.people(),
            clients: self.clients(),
            links: Vec::new(),
        }
    }
}

/// A page of the sandbox's own, with the headers that all pages carry.
pub fn page(status: StatusCode, body: String) -> Response {
    html(status, body, Guard::OWN)
}

/// Whether a request names this machine as its host.
pub fn is_local(headers: &HeaderMap) -> bool {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let name = host.and_then(host_name).unwrap_or("");
    let ours = ["127.0.0.1", "localhost", "::1"];
    ours.iter().any(|ours| ours.eq_ignore_ascii_case(name))
}

/// The name in a host, without its port and without the brackets of an address; `None` where
/// anything else is there too.
pub fn host_name(host: &str) -> Option<&str> {
    let (name, rest) = match host.strip_prefix('[') {
        Some(v6) => v6.split_once(']')?,
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port)).then_some(name)
}

/// A page in the language of whoever asked for it; a language that `?lang=` asks for is remembered.
pub fn in_language(
    house: &House,
    request: &Request,
    draw: impl FnOnce(view::Lang) -> String,
) -> Response {
    let params = Params::get("", request.uri().query().unwrap_or("")).params();
    let asked = params.get("lang");
    let lang = Cookies::read(house, request.headers(), None).lang(asked, request.headers());
    let mut response = html(StatusCode::OK, draw(lang), Guard::ALIVE);
    if asked.and_then(view::Lang::from_param).is_some() {
        let cookie = session::lang_cookie(lang);
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// The page of an address that is none.
pub fn not_found(house: &House, request: &Request) -> Response {
    pages::not_found(house, request)
}

/// Adds the routes of the development pages.
pub(crate) fn routes(router: Router<Arc<House>>) -> Router<Arc<House>> {
    router
        .route("/dev/inbox", get(inbox))
        .route("/dev/codes", get(codes).post(issue))
        .route("/mmopen/vi_32/{name}/{size}", get(face))
}

async fn inbox(State(house): State<Arc<House>>, request: Request) -> Response {
    if !is_local(request.headers()) {
        return pages::not_found(&house, &request);
    }
    let mut visit = match Visit::read(house, request).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    let life = visit.house.engine.settings().passcode_life;
    let letters = visit.house.dev.as_ref().map(|dev| dev.inbox.letters());
    let items = letters.unwrap_or_default().into_iter().map(|letter| {
        let age = visit.now.since(letter.posted_at);
        view::InboxItem {
            to: letter.to.as_str().to_owned(),
            text: sms(visit.lang, &letter),
            passcode: letter.passcode,
            age: view::Age(age.as_seconds()),
            live: age < life,
        }
    });
    let page = view::Inbox {
        lang: visit.lang,
        items: items.collect(),
        refresh: 3,
        start_href: "/".to_owned(),
    };
    let response = html(StatusCode::OK, page.render(), Guard::OWN);
    visit.done(response)
}

/// The text of a message, as a phone would show it.
pub fn sms(lang: view::Lang, letter: &Letter) -> String {
    let code = &letter.passcode;
    match lang {
        view::Lang::Zh => format!("【yufu】验证码 {code}，5 分钟内有效，请勿告诉他人。"),
        view::Lang::En => {
            format!("[yufu] {code} is your code. It works for 5 minutes; tell nobody.")
        }
    }
}

/// The picture of a seeded person at the platform's kind of address; the last segment is the size
/// (`docs/facts/wechat.md` §7.4: 0 is 640).
async fn face(
    State(house): State<Arc<House>>,
    Path((name, size)): Path<(String, String)>,
    request: Request,
) -> Response {
    let side = match size.as_str() {
        "0" => 640,
        "46" => 46,
        "64" => 64,
        "96" => 96,
        "132" => 132,
        _ => return pages::not_found(&house, &request),
    };
    match crate::picture::face_jpeg(&name, side) {
        Ok(jpeg) => crate::door::to_response(yufu_dialects::http::Reply::ok("image/jpeg", jpeg)),
        Err(fault) => pages::busy(view::Lang::Zh, crate::fault::log(&house, "face", &fault)),
    }
}

async fn codes(State(house): State<Arc<House>>, request: Request) -> Response {
    if !is_local(request.headers()) {
        return pages::not_found(&house, &request);
    }
    let mut visit = match Visit::read(house, request).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    let response = codes_page(&visit, None);
    visit.done(response)
}

fn codes_page(visit: &Visit, issued: Option<view::IssuedCode>) -> Response {
    let Some(dev) = &visit.house.dev else {
        return pages::go("/");
    };
    let page = view::DevCodes {
        lang: visit.lang,
        csrf: visit.csrf(),
        action: "/dev/codes".to_owned(),
        clients: dev.clients(),
        people: dev.people(),
        client: visit.field("client").to_owned(),
        user: visit.field("user").to_owned(),
        issued,
        start_href: "/".to_owned(),
    };
    html(StatusCode::OK, page.render(), Guard::OWN)
}

async fn issue(State(house): State<Arc<House>>, request: Request) -> Response {
    if !is_local(request.headers()) {
        return pages::not_found(&house, &request);
    }
    let mut visit = match Visit::read(house, request).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    let response = issued(&visit).await;
    visit.done(response)
}

async fn issued(visit: &Visit) -> Response {
    let user = UserId::parse(visit.field("user"));
    let (true, Some(user)) = (visit.is_ours(), user) else {
        return codes_page(visit, None);
    };
    let client = ClientId::new(visit.field("client"));
    let engine = &visit.house.engine;
    let now: Timestamp = visit.now;
    match engine.issue_mini_code(&client, user, now).await {
        Ok(code) => {
            let (name, life) = match engine.client(&client).await {
                Ok(client) => (client.name.clone(), client.policy.code_life.as_seconds()),
                Err(_) => (client.to_string(), 0),
            };
            let person = match engine.user(user).await {
                Ok(user) => user.profile.nickname.clone(),
                Err(_) => user.to_string(),
            };
            let issued = view::IssuedCode {
                code: code.expose().to_owned(),
                client: name,
                person,
                seconds_left: u32::try_from(life).unwrap_or(0),
            };
            codes_page(visit, Some(issued))
        }
        Err(stop) => visit.stopped(stop),
    }
}
