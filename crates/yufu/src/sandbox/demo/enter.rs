//! Coming in: the front page, the three ways to WeChat and back, and what stands in for a phone.

use axum::response::Response;
use serde_json::{Value, json};
use yufu_core::client::{ClientKind, Platform};
use yufu_core::message::NativeApp;
use yufu_core::refusal::Refusal;
use yufu_core::scope::Scopes;
use yufu_dialects::wechat::call::{self, Ask};
use yufu_web::view::{
    DemoDone, DemoError, DemoHome, DemoNative, Field, NativeCode, Problem, Text as T, WireCall,
};

use super::api::{Answer, masked};
use super::errand::{self, Errand};
use super::visit::{Aim, Knock, Pending, way_word};
use super::{failed, go, page, refused};
use crate::sandbox::backend::TERMS;
use crate::sandbox::seed::BUNDLE;

/// The terms were not accepted.
const CONSENT: u16 = 1003;

/// The front page; whoever is logged in goes on to their own.
pub(super) fn home(knock: &Knock, error: Option<Problem>) -> Response {
    let seat = knock.seat();
    if seat.session.is_some() && knock.params.get("lang").is_none() {
        return knock.leave("/me");
    }
    let view = DemoHome {
        lang: knock.lang,
        frame: knock.frame(Some("/")),
        action: format!("{}/", knock.base),
        agreed: seat.agreed,
        error,
        platform: knock.demo.platform.clone(),
        backend: knock.demo.api.base().to_owned(),
    };
    page(&knock.demo, view.render())
}

/// A way was chosen.
pub(super) fn chosen(knock: &Knock) -> Response {
    let agreed = !knock.field("agree").is_empty();
    let way = match knock.field("act") {
        "phone" => "/phone".to_owned(),
        way if way_of(way).is_some() => format!("/login/{way}"),
        _ => return knock.leave("/"),
    };
    knock.change(|seat| seat.agreed = agreed);
    knock.leave(&way)
}

fn way_of(way: &str) -> Option<ClientKind> {
    match way {
        "scan" => Some(ClientKind::Website),
        "native" => Some(ClientKind::Mobile),
        "page" => Some(ClientKind::Service),
        _ => None,
    }
}

/// Off to WeChat, to log in.
pub(super) async fn leave(knock: &Knock, way: &str) -> Response {
    let Some(way) = way_of(way) else {
        return knock.leave("/");
    };
    knock.change(|seat| seat.wire.clear());
    begin(knock, way, Aim::Login).await
}

/// Has the backend begin an authorization, and sends the browser to WeChat with its state. The
/// address is ours to build: it is made of what prepare answers and of our own return address, as
/// it is registered at WeChat.
pub(super) async fn begin(knock: &Knock, way: ClientKind, aim: Aim) -> Response {
    let is_native = way == ClientKind::Mobile;
    let body = json!({
        "purpose": match aim {
            Aim::Login => "login",
            Aim::Link => "link",
            Aim::Own | Aim::Other => "reauth",
        },
        "app": way.word(),
        "mode": match way {
            ClientKind::Mobile => "app",
            // A browser goes there itself, and its tabs do not end each other's logins.
            ClientKind::Website | ClientKind::Service => "web",
        },
        "platform": if is_native { "ios" } else { "web" },
        "device_id": knock.device_name(),
        "consent_version": knock.seat().agreed.then_some(TERMS),
    });
    let answer = knock.call("POST", "/user/wechat/prepare", body).await;
    match answer.code {
        0 => {}
        CONSENT => return home(knock, Some(errand::problem(knock, &answer))),
        5001..=5005 => return ended(knock, &answer),
        _ => return refused(knock, &answer),
    }
    let state = answer.text("state").to_owned();
    let ask = Ask {
        redirect: format!("{}/callback/{}", knock.demo.app_url, way_word(way)),
        scopes: Scopes::of(&[answer.text("scope")]),
        state: Some(state.clone()),
        challenge: None,
        force_consent: false,
        native: is_native.then(|| NativeApp {
            platform: Platform::Ios,
            bundle: BUNDLE.to_owned(),
            signature: String::new(),
        }),
    };
    let address = knock.demo.upstream(way).authorize_url(&ask);
    let call = way_out(knock, &address, &state);
    knock.change(|seat| {
        seat.heard(call);
        seat.begins(Pending { state, way, aim });
    });
    go(&address)
}

/// The way of the browser to WeChat, as a line of the wire.
fn way_out(knock: &Knock, address: &str, state: &str) -> WireCall {
    let bare = address.split('#').next().unwrap_or(address);
    let (place, query) = bare.split_once('?').unwrap_or((bare, ""));
    let platform = &knock.demo.platform;
    let path = place.strip_prefix(platform.as_str()).unwrap_or(place);
    let params = yufu_dialects::http::Request::get("", query).params();
    let names = [
        "appid",
        "redirect_uri",
        "response_type",
        "scope",
        "platform",
        "bundle",
        "state",
    ];
    let sent = names.into_iter().filter_map(|name| {
        let value = params.get(name)?;
        let value = if value == state {
            masked(value)
        } else {
            value.to_owned()
        };
        Some(Field::new(name, value))
    });
    WireCall {
        line: format!("→ GET {path}"),
        said: None,
        sent: std::iter::once(Field::new("host", platform))
            .chain(sent)
            .collect(),
        got: Vec::new(),
    }
}

/// The way back, as a line of the wire.
fn way_in(knock: &Knock, returned: &call::Returned) -> WireCall {
    let mut sent = Vec::new();
    match &returned.code {
        Ok(code) => sent.push(Field::new("code", masked(code.expose()))),
        Err(refusal) => sent.push(Field::new("errcode", said_no(refusal).number().to_string())),
    }
    sent.push(Field::new(
        "state",
        masked(returned.state.as_deref().unwrap_or("")),
    ));
    WireCall {
        line: format!("← GET {}", knock.path),
        said: None,
        sent,
        got: Vec::new(),
    }
}

fn said_no(refusal: &Refusal) -> NativeCode {
    match refusal {
        Refusal::ConsentCancelled => NativeCode::Cancelled,
        _ => NativeCode::Denied,
    }
}

/// Back from WeChat: the code goes to the backend, with the state that it gave.
pub(super) async fn back(knock: &mut Knock) -> Response {
    let returned = call::read_return(&knock.query);
    let state = returned.state.clone().unwrap_or_default();
    // The state is of this browser and of one authorization; a foreign one is not acted on.
    let Some(pending) = knock.pending(&state, true) else {
        return failed(knock, 0, "state", Vec::new(), &[(T::TryAgain, "/")]);
    };
    let call = way_in(knock, &returned);
    knock.change(|seat| seat.heard(call));
    let code = match &returned.code {
        Ok(code) => code.expose().to_owned(),
        Err(refusal) => return denied(knock, &pending, said_no(refusal)).await,
    };
    let proof = json!({ "code": code, "state": state });
    match pending.aim {
        Aim::Login => {
            let answer = knock.call("POST", "/user/wechat/login", proof).await;
            arrived(knock, &answer)
        }
        Aim::Link => linked(knock, proof).await,
        Aim::Own => errand::own_proved(knock, proof).await,
        Aim::Other => errand::other_proved(knock, proof).await,
    }
}

/// The backend is told that nothing comes, and the person what that means.
async fn denied(knock: &Knock, pending: &Pending, code: NativeCode) -> Response {
    close(knock, &pending.state, code).await;
    let again = match pending.aim {
        Aim::Login => format!("/login/{}", way_word(pending.way)),
        Aim::Link | Aim::Own => "/security".to_owned(),
        Aim::Other => "/bind".to_owned(),
    };
    let links = [(T::TryAgain, again.as_str()), (T::RoomsUsePhone, "/phone")];
    let shown = if pending.aim == Aim::Login { 2 } else { 1 };
    let links = links.get(..shown).unwrap_or_default();
    failed(knock, code.number(), code.name(), Vec::new(), links)
}

async fn close(knock: &Knock, state: &str, code: NativeCode) {
    let reason = match code {
        NativeCode::Cancelled => "cancelled",
        _ => "denied",
    };
    let body = json!({ "state": state, "reason": reason });
    knock.call("POST", "/user/wechat/prepare/close", body).await;
}

/// What a login with WeChat comes to: a session, a number to be bound, or a question.
fn arrived(knock: &Knock, answer: &Answer) -> Response {
    if answer.code != 0 {
        return errand::answered(knock, Errand::bind(None, None), answer);
    }
    match answer.secret("bind_ticket") {
        Some(ticket) => {
            let errand = Errand::bind(Some(ticket), who(answer));
            knock.change(|seat| seat.errand = Some(errand));
            knock.leave("/bind")
        }
        None => logged_in(knock, answer, DemoDone::LoggedIn),
    }
}

/// Whom WeChat says it is.
fn who(answer: &Answer) -> Option<(String, Option<String>)> {
    let profile = answer.data.get("profile")?.as_object()?;
    let text = |name: &str| profile.get(name).and_then(Value::as_str).unwrap_or("");
    let avatar = Some(text("avatar")).filter(|avatar| !avatar.is_empty());
    Some((text("nickname").to_owned(), avatar.map(str::to_owned)))
}

/// In, with the session of an answer.
pub(super) fn logged_in(knock: &Knock, answer: &Answer, done: DemoDone) -> Response {
    knock.keep(answer);
    knock.change(|seat| {
        seat.errand = None;
        seat.done = Some(done);
    });
    knock.leave("/me")
}

async fn linked(knock: &Knock, proof: Value) -> Response {
    let answer = knock
        .authed("POST", "/user/wechat/link", proof.clone())
        .await;
    match answer {
        Ok(answer) if answer.code == 0 => {
            knock.change(|seat| seat.done = Some(DemoDone::Linked));
            knock.leave("/security")
        }
        Ok(answer) if answer.code == 4010 => errand::linking(knock, proof).await,
        Ok(answer) => refused(knock, &answer),
        Err(answer) => ended(knock, &answer),
    }
}

/// The session is over: why, and how to come in again.
pub(super) fn ended(knock: &Knock, answer: &Answer) -> Response {
    knock.change(super::visit::Seat::logged_out);
    let mut facts = Vec::new();
    if answer.number("at") > 0 {
        facts.push(Field::new(
            "at",
            yufu_web::view::Moment(answer.number("at")).iso(),
        ));
    }
    if !answer.text("device").is_empty() {
        facts.push(Field::new("device", answer.text("device")));
    }
    let links = [(T::SignInAgain, "/"), (T::RoomsUsePhone, "/phone")];
    failed(knock, i32::from(answer.code), &answer.msg, facts, &links)
}

/// What the stand-in for the phone's app gets back from the platform.
pub(super) async fn native(knock: &mut Knock, appid: &str) -> Response {
    let returned = call::read_return(&knock.query);
    let state = returned.state.clone().unwrap_or_default();
    let (result, code) = match &returned.code {
        Ok(code) => (NativeCode::Ok, masked(code.expose())),
        Err(refusal) => (said_no(refusal), String::new()),
    };
    let is_good = result == NativeCode::Ok;
    let pending = knock.pending(&state, !is_good);
    if let Some(pending) = pending.filter(|_| !is_good) {
        close(knock, &pending.state, result).await;
    }
    let mut fields = vec![Field::new("errCode", result.number().to_string())];
    if is_good {
        fields.push(Field::new("code", code));
    }
    fields.push(Field::new("state", masked(&state)));
    let view = DemoNative {
        lang: knock.lang,
        frame: knock.frame(None),
        result,
        callback: format!("{}/app/{appid}/oauth?…", knock.demo.app_url),
        fields,
        continue_href: is_good.then(|| format!("/native/finish?{}", knock.query)),
        again_href: format!("{}/login/native", knock.base),
    };
    page(&knock.demo, view.render())
}

/// What the person can do about an answer, with its number.
pub(super) fn advice(knock: &Knock, answer: &Answer) -> String {
    let words = DemoError::advice(i32::from(answer.code), knock.lang);
    format!("{words} ({})", answer.code)
}
