//! The pages of a house without pages of its own: logging in, binding a phone number, and the
//! questions in between. They call what apps call.

use std::sync::Arc;

use axum::extract::Request as HttpRequest;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use serde_json::Value;
use yufu_core::login::{LoginRefusal, LoginStop, Purpose};
use yufu_core::user::Phone;
use yufu_dialects::http::{Params, Request};

use super::cookies::{self, DEVICE_LIFE, Role};
use super::flow::{self, BIND, HOME, LEAVE, Visit, with_cookies, with_param};
use super::read::Ask;
use super::{Good, LoginFront, LoginHouse, Said, account, phone, text, wechat};
use crate::pages::{Guard, go, html};
use crate::view::{
    Answer, Lang, LoginForm, Moment, PhoneStep, Plain, Problem, Question, Text as T,
};
use crate::{form, session};

/// What the terms are called where the house names no version.
const ANY_TERMS: &str = "1";

/// A browser on one of these pages, with what it sent.
struct Here {
    visit: Visit,
    lang: Lang,
    /// The path of the page.
    page: &'static str,
    /// Where the browser goes in the end.
    return_to: String,
    /// The device's secret: forms are bound to it.
    device: String,
    /// It was drawn for this answer.
    is_new: bool,
    cookies: Vec<HeaderValue>,
    fields: Params,
}

impl Here {
    /// Reads a request. A browser without a device secret gets one with the page.
    async fn read(
        house: &Arc<LoginHouse>,
        page: &'static str,
        request: HttpRequest,
    ) -> Result<Self, Response> {
        let mut visit = Visit::read(house, &request);
        let lang = visit.caller.lang;
        let stopped = |stop: LoginStop| flow::stopped(house, page, lang, stop, None);
        let return_to = visit
            .return_to()
            .map_err(|refusal| stopped(refusal.into()))?
            .to_owned();
        let mut cookies = Vec::new();
        let mut is_new = false;
        let drawn = house
            .engine
            .device_secret(visit.caller.cookies.get(Role::Device));
        if let Some(drawn) = drawn.map_err(|fault| stopped(fault.into()))? {
            cookies.push(cookies::set(
                &house.front,
                Role::Device,
                drawn.expose(),
                DEVICE_LIFE,
            ));
            visit.caller.cookies.keep(Role::Device, drawn.expose());
            is_new = true;
        }
        let device = visit
            .caller
            .cookies
            .get(Role::Device)
            .unwrap_or_default()
            .to_owned();
        let is_post = *request.method() == Method::POST;
        let (parts, body) = request.into_parts();
        let mut fields = Params::default();
        if is_post {
            let body = form::body(body).await.unwrap_or_default();
            fields = Request::post("", "", &String::from_utf8_lossy(&body)).params();
            let token = fields.get("csrf").unwrap_or("");
            if !is_ours(&house.front, &parts.headers)
                || house.engine.check_form(&binding(&device), token).is_err()
            {
                return Err(stopped(LoginRefusal::StateInvalid.into()));
            }
        }
        Ok(Self {
            visit,
            lang,
            page,
            return_to,
            device,
            is_new,
            cookies,
            fields,
        })
    }

    fn field(&self, name: &str) -> &str {
        self.fields.get(name).unwrap_or("").trim()
    }

    fn house(&self) -> &Arc<LoginHouse> {
        &self.visit.house
    }

    /// Where this page's forms go.
    fn action(&self) -> String {
        action(self.page, &self.return_to)
    }

    /// The answer with what the page sets.
    fn show(self, page: String) -> Response {
        self.house().metrics.answer(self.page, "ok");
        with_cookies(html(StatusCode::OK, page, Guard::LEADS_ON), self.cookies)
    }

    fn plain_form(&self) -> LoginForm {
        let apps = &self.house().engine.login().apps;
        let binds = self.page == BIND;
        LoginForm {
            lang: self.lang,
            lang_href: Some(with_param(
                &self.action(),
                "lang",
                self.lang.other().short(),
            )),
            csrf: self.house().engine.form_token(&binding(&self.device)),
            action: self.action(),
            binds,
            has_wechat: !binds
                && apps
                    .iter()
                    .any(|app| wechat::authorize_url(self.house(), app, "").is_some()),
            has_phone: self.house().front.passcodes,
            agreed: !self.field("agree").is_empty(),
            step: PhoneStep::Phone,
            phone: self.field("phone").to_owned(),
            error: None,
        }
    }

    /// The first step, with what went wrong.
    fn ask_phone(self, mut error: Option<String>) -> Response {
        // Whoever has a number to bind and nothing to prove it with goes on elsewhere.
        if self.page == BIND && !self.house().front.passcodes {
            error = Some(self.lang.t(T::BindElsewhere).to_owned());
        }
        let form = LoginForm {
            error: error.map(Problem::Said),
            ..self.plain_form()
        };
        self.show(form.render())
    }

    /// The second step.
    fn ask_passcode(self, error: Option<String>) -> Response {
        let phone = Phone::parse(self.field("phone"));
        let masked = phone.map(|phone| phone.masked()).unwrap_or_default();
        let form = LoginForm {
            step: PhoneStep::Passcode { masked },
            error: error.map(Problem::Said),
            lang_href: None,
            ..self.plain_form()
        };
        self.show(form.render())
    }

    /// Does something in the browser's name; it goes on when the browser is gone.
    async fn call<F>(
        self,
        call: impl FnOnce(Ask) -> F,
        fields: &[(&'static str, &str)],
        flag: Option<&'static str>,
    ) -> (Said, Self)
    where
        F: Future<Output = Said> + Send + 'static,
    {
        let Self {
            visit,
            lang,
            page,
            return_to,
            device,
            is_new,
            cookies,
            fields: sent,
        } = self;
        let Visit { house, caller, .. } = visit;
        let again = caller.clone();
        let ask = Ask::inside(house.clone(), caller, fields);
        let ask = match flag {
            Some(flag) => ask.flagged(flag),
            None => ask,
        };
        let said = match house.run(call(ask)).await {
            Ok(said) => said,
            Err(_) => Err(yufu_core::refusal::Fault::new("a handler panicked").into()),
        };
        let visit = Visit::again(house, again);
        (
            said,
            Self {
                visit,
                lang,
                page,
                return_to,
                device,
                is_new,
                cookies,
                fields: sent,
            },
        )
    }

    /// On, logged in.
    fn arrive(self, good: Good) -> Response {
        self.house().metrics.answer(self.page, "ok");
        with_cookies(
            flow::arrived(self.house(), good, &self.return_to),
            self.cookies,
        )
    }

    fn stopped(self, stop: LoginStop) -> Response {
        let back = Some(with_param(HOME, "return_to", &self.return_to));
        flow::stopped(self.house(), self.page, self.lang, stop, back)
    }
}

fn action(page: &str, return_to: &str) -> String {
    with_param(page, "return_to", return_to)
}

/// What a form's token is bound to.
fn binding(device: &str) -> String {
    format!("login\n{device}")
}

/// Whether the browser says that a form comes from a page of ours, or says nothing: the token says
/// the rest.
fn is_ours(front: &LoginFront, headers: &HeaderMap) -> bool {
    let origin = headers.get(header::ORIGIN).and_then(|v| v.to_str().ok());
    origin == Some(front.origin()) || session::is_same_origin(headers, front.is_secure())
}

// --- logging in ---------------------------------------------------------------------------------

/// `/login`
pub(crate) async fn login(house: Arc<LoginHouse>, request: HttpRequest) -> Response {
    let is_post = *request.method() == Method::POST;
    let here = match Here::read(&house, HOME, request).await {
        Ok(here) => here,
        Err(response) => return response,
    };
    if !is_post {
        return greet(here).await;
    }
    let act = here.field("act").to_owned();
    let is_known = matches!(act.as_str(), "send_passcode" | "wechat" | "enter" | "fresh");
    if is_known && here.field("agree").is_empty() {
        let words = here.lang.t(T::LoginNeedAgree).to_owned();
        return here.ask_phone(Some(words));
    }
    match act.as_str() {
        "send_passcode" => send(here, "login").await,
        "wechat" => {
            let to = with_param(
                &action(LEAVE, &here.return_to),
                "consent_version",
                &terms(&here),
            );
            with_cookies(go(&to), here.cookies)
        }
        "enter" | "fresh" => enter(here, act == "fresh").await,
        _ => here.ask_phone(None),
    }
}

/// Whoever is logged in already goes on; anybody else gets the form.
async fn greet(here: Here) -> Response {
    let Some(token) = here.visit.caller.cookies.get(Role::Session) else {
        return here.ask_phone(None);
    };
    let engine = &here.house().engine;
    let now = here.visit.caller.now;
    // A secret that was drawn just now would pass for another device's.
    let device = Some(here.device.as_str()).filter(|_| !here.is_new);
    let Ok(who) = engine.authenticate(token, device, now).await else {
        return here.ask_phone(None);
    };
    if here.return_to != HOME {
        return go(&here.return_to);
    }
    let name = engine
        .person(&who)
        .await
        .map(|person| person.nickname)
        .unwrap_or_default();
    let page = Plain {
        lang: here.lang,
        title: here.lang.t(T::LoggedInTitle).to_owned(),
        text: name,
        link: None,
    };
    here.show(page.render())
}

fn terms(here: &Here) -> String {
    let version = here.house().engine.login().consent_version.as_deref();
    version.unwrap_or(ANY_TERMS).to_owned()
}

async fn send(here: Here, scene: &'static str) -> Response {
    let phone = here.field("phone").to_owned();
    let (said, here) = here
        .call(phone::send, &[("phone", &phone), ("scene", scene)], None)
        .await;
    match said {
        Ok(_) => here.ask_passcode(None),
        // One is under way already: it can be typed.
        Err(LoginStop::Refused(refusal @ LoginRefusal::PasscodeTooSoon { .. })) => {
            let words = text::to_person(&refusal, here.lang);
            here.ask_passcode(Some(words))
        }
        Err(LoginStop::Refused(refusal)) => {
            let words = text::to_person(&refusal, here.lang);
            here.ask_phone(Some(words))
        }
        Err(stop) => here.stopped(stop),
    }
}

async fn enter(here: Here, is_fresh: bool) -> Response {
    let (phone, digits) = (
        here.field("phone").to_owned(),
        here.field("passcode").to_owned(),
    );
    let consent = terms(&here);
    let fields = [
        ("phone", phone.as_str()),
        ("sms_code", &digits),
        ("consent_version", &consent),
        ("platform", "web"),
    ];
    let (said, here) = here
        .call(phone::login, &fields, is_fresh.then_some("fresh"))
        .await;
    answered(here, said)
}

/// What comes after a passcode: on, again, or a question.
fn answered(here: Here, said: Said) -> Response {
    let refusal = match said {
        Ok(good) => return here.arrive(good),
        Err(LoginStop::Refused(refusal)) => refusal,
        Err(stop) => return here.stopped(stop),
    };
    if is_question(&refusal) {
        return asked(here, &refusal);
    }
    let words = text::to_person(&refusal, here.lang);
    match refusal {
        LoginRefusal::PasscodeWrong { .. }
        | LoginRefusal::BadRequest { field: "sms_code" }
        | LoginRefusal::RateLimited { .. }
        | LoginRefusal::Conflict => here.ask_passcode(Some(words)),
        LoginRefusal::PasscodeOver
        | LoginRefusal::PasscodeExhausted
        | LoginRefusal::PhoneInvalid
        | LoginRefusal::BadRequest { field: "phone" } => here.ask_phone(Some(words)),
        refusal => here.stopped(refusal.into()),
    }
}

// --- binding ------------------------------------------------------------------------------------

/// `/login/bind`
pub(crate) async fn bind(house: Arc<LoginHouse>, request: HttpRequest) -> Response {
    let is_post = *request.method() == Method::POST;
    let here = match Here::read(&house, BIND, request).await {
        Ok(here) => here,
        Err(response) => return response,
    };
    let Some(ticket) = here.visit.caller.cookies.get(Role::Bind).map(str::to_owned) else {
        return with_cookies(go(&action(HOME, &here.return_to)), here.cookies);
    };
    if !is_post {
        return match here.visit.asked("step") {
            "replace" => replace_page(here),
            _ => here.ask_phone(None),
        };
    }
    let (phone, digits) = (
        here.field("phone").to_owned(),
        here.field("passcode").to_owned(),
    );
    match here.field("act") {
        "send_passcode" => send(here, "bind").await,
        "prove" => prove(here).await,
        act @ ("enter" | "confirm" | "replace" | "fresh") => {
            let flag = match act {
                "confirm" => Some("confirm"),
                "replace" => Some("replace"),
                "fresh" => Some("fresh"),
                _ => None,
            };
            let fields = [("phone", phone.as_str()), ("sms_code", &digits)];
            let (said, here) = here.call(wechat::bind, &fields, flag).await;
            answered(here, said)
        }
        act @ ("keep_a" | "keep_b") => {
            let keep = if act == "keep_a" { "a" } else { "b" };
            let fields = [("merge_ticket", ticket.as_str()), ("keep", keep)];
            let (said, here) = here.call(wechat::merge, &fields, None).await;
            answered(here, said)
        }
        "cancel" => {
            let fields = [("cancel_ticket", ticket.as_str())];
            let (said, here) = here.call(account::cancel, &fields, None).await;
            answered(here, said)
        }
        _ => here.ask_phone(None),
    }
}

/// Off to prove the other WeChat (PHO-07): without the session that the browser may have.
async fn prove(mut here: Here) -> Response {
    here.visit.caller.cookies.ignore(Role::Session);
    let apps = &here.house().engine.login().apps;
    let app = apps
        .iter()
        .find(|app| wechat::authorize_url(here.house(), app, "").is_some());
    let app = app.map(|app| app.name.clone()).unwrap_or_default();
    let return_to = here.return_to.clone();
    let fields = [
        ("purpose", Purpose::Reauth.word()),
        ("app", &app),
        ("mode", "web"),
        ("platform", "web"),
        ("return_to", &return_to),
    ];
    let (said, here) = here.call(wechat::prepare, &fields, None).await;
    match said {
        Ok(good) => match good.data.get("authorize_url").and_then(Value::as_str) {
            Some(address) => with_cookies(go(address), good.cookies),
            None => here.stopped(LoginRefusal::BadRequest { field: "app" }.into()),
        },
        Err(stop) => here.stopped(stop),
    }
}

fn replace_page(here: Here) -> Response {
    let lang = here.lang;
    let page = Question {
        title: lang.t(T::BindReplaceTitle).to_owned(),
        text: lang.t(T::BindReplaceText).to_owned(),
        answers: vec![answer("replace", lang.t(T::BindTakenReplace))],
        ..blank(&here)
    };
    here.show(page.render())
}

// --- questions ----------------------------------------------------------------------------------

fn answer(act: &'static str, label: impl Into<String>) -> Answer {
    Answer {
        act,
        label: label.into(),
    }
}

fn blank(here: &Here) -> Question {
    let carries = ["phone", "passcode", "agree"];
    let carries = carries
        .into_iter()
        .map(|name| (name, here.field(name).to_owned()));
    Question {
        lang: here.lang,
        csrf: here.house().engine.form_token(&binding(&here.device)),
        action: here.action(),
        title: String::new(),
        text: String::new(),
        carries: carries.filter(|(_, value)| !value.is_empty()).collect(),
        answers: Vec::new(),
        link: None,
    }
}

/// Whether a person can go on from a refusal by saying something.
pub(crate) const fn is_question(refusal: &LoginRefusal) -> bool {
    matches!(
        refusal,
        LoginRefusal::ConfirmNeeded { .. }
            | LoginRefusal::PhoneTaken { .. }
            | LoginRefusal::RecycledSuspected
            | LoginRefusal::StepUpRequired { .. }
            | LoginRefusal::Deleting {
                cancel_ticket: Some(_),
                ..
            }
    )
}

/// The page of a question that came up on one of these pages.
fn asked(mut here: Here, refusal: &LoginRefusal) -> Response {
    let front = &here.house().front;
    let cookie = ticket_of(refusal).map(|ticket| bind_cookie(here.house(), front, ticket));
    // What a ticket answers is asked on the page that has the ticket.
    let page = if cookie.is_some() { BIND } else { here.page };
    let mut question = blank(&here);
    question.action = action(page, &here.return_to);
    here.cookies.extend(cookie);
    let question = fill(question, refusal, &action(page, &here.return_to));
    here.show(question.render())
}

/// The same for a browser that just came back from the upstream.
pub(crate) fn question(
    house: &Arc<LoginHouse>,
    lang: Lang,
    refusal: &LoginRefusal,
    device: &str,
    return_to: &str,
) -> Response {
    let blank = Question {
        lang,
        csrf: house.engine.form_token(&binding(device)),
        action: action(BIND, return_to),
        title: String::new(),
        text: String::new(),
        carries: Vec::new(),
        answers: Vec::new(),
        link: None,
    };
    let page = fill(blank, refusal, &action(HOME, return_to)).render();
    let ticket = ticket_of(refusal).map(|ticket| bind_cookie(house, &house.front, ticket));
    with_cookies(
        html(StatusCode::OK, page, Guard::LEADS_ON),
        ticket.into_iter().collect(),
    )
}

fn ticket_of(refusal: &LoginRefusal) -> Option<&str> {
    let ticket = match refusal {
        LoginRefusal::ConfirmNeeded { ticket, .. } => ticket.as_ref(),
        LoginRefusal::Deleting { cancel_ticket, .. } => cancel_ticket.as_ref(),
        _ => None,
    };
    ticket.map(|ticket| ticket.expose())
}

fn bind_cookie(house: &LoginHouse, front: &LoginFront, ticket: &str) -> HeaderValue {
    cookies::set(front, Role::Bind, ticket, house.engine.login().ticket_life)
}

/// The words and answers of a question; `back` is the way out.
fn fill(question: Question, refusal: &LoginRefusal, back: &str) -> Question {
    let lang = question.lang;
    let words = |title: T| lang.t(title).to_owned();
    let other_number = Some((words(T::OtherNumber), back.to_owned()));
    match refusal {
        LoginRefusal::ConfirmNeeded {
            candidates,
            ticket: Some(_),
        } => {
            let keep = |candidate: &yufu_core::login::Candidate| {
                let act = if candidate.key == "a" {
                    "keep_a"
                } else {
                    "keep_b"
                };
                let name = format!("{} {}", candidate.nickname, candidate.phone);
                answer(act, lang.with(T::ChooseKeep, name.trim()))
            };
            Question {
                title: words(T::ChooseTitle),
                text: words(T::ChooseText),
                answers: candidates.iter().map(keep).collect(),
                ..question
            }
        }
        LoginRefusal::ConfirmNeeded {
            candidates,
            ticket: None,
        } => {
            let name = candidates
                .first()
                .map_or("", |candidate| candidate.nickname.as_str());
            Question {
                title: words(T::BindConfirmTitle),
                text: lang.with(T::BindConfirmText, name),
                answers: vec![answer("confirm", words(T::BindConfirmYes))],
                link: other_number,
                ..question
            }
        }
        LoginRefusal::PhoneTaken { other, .. } => Question {
            title: words(T::BindTakenTitle),
            text: lang.with(T::BindTakenText, other),
            answers: vec![answer("replace", words(T::BindTakenReplace))],
            link: other_number,
            ..question
        },
        LoginRefusal::StepUpRequired { after, .. } => {
            let day = after
                .map(|after| Moment(after.seconds()).day())
                .unwrap_or_default();
            Question {
                title: words(T::BindProveTitle),
                text: lang.with(T::BindProveText, day),
                answers: vec![answer("prove", words(T::BindProveDo))],
                link: other_number,
                ..question
            }
        }
        LoginRefusal::Deleting { deletable_at, .. } => Question {
            title: words(T::CancelTitle),
            text: lang.with(T::CancelText, Moment(deletable_at.seconds()).day()),
            answers: vec![answer("cancel", words(T::CancelDo))],
            link: Some((words(T::Back), back.to_owned())),
            ..question
        },
        _ => Question {
            title: words(T::BindRecycledTitle),
            text: words(T::BindRecycledText),
            answers: vec![answer("fresh", words(T::BindRecycledFresh))],
            link: other_number,
            ..question
        },
    }
}
