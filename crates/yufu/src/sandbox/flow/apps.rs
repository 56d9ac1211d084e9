//! Reading what crosses an app's doors: its own server's, as far as it is seen, the login
//! backend's and the demo's.

use serde_json::Value;
use yufu_dialects::http::Request;

use super::arrow::{Bits, Door, Kind, Outcome};
use super::heard::{Context, Heard, Sender, header, path, said};
use super::platform::{asked, body, params};
use super::ties::Tied;
use crate::sandbox::seen::{Behind, Lane, Seen};

/// The platform's addresses that a browser is sent to.
const DOORS: [(&str, Door); 3] = [
    ("/connect/qrconnect?", Door::Scan),
    ("/connect/oauth2/authorize?", Door::InClient),
    ("/connect/app/authorize?", Door::Native),
];
/// The shortest word that may be an access token: the platform's have 110 characters (§2).
const TOKEN: usize = 64;

/// Reads an exchange at an app's door; `None` for what is no part of a login.
pub(super) fn read(seen: &Seen, context: Context<'_>) -> Option<Heard> {
    let mut heard = start(seen, context)
        .or_else(|| callback(seen, context))
        .or_else(|| match seen.behind {
            Behind::Login => call(seen, context),
            Behind::Platform | Behind::Demo | Behind::App => None,
        })
        .or_else(|| leak(seen, context))?;
    leaks(&mut heard, seen, context);
    Some(heard)
}

fn lanes(seen: &Seen) -> (Lane, Lane) {
    let from = match (Sender::of(seen).is_browser(), seen.behind) {
        (true, _) | (false, Behind::Demo | Behind::App) => Lane::Browser,
        (false, _) => Lane::App,
    };
    let to = match seen.behind {
        Behind::Demo => Lane::App,
        Behind::Login | Behind::App => Lane::Backend,
        Behind::Platform => Lane::Platform,
    };
    (from, to)
}

/// The app sends the browser to the platform.
fn start(seen: &Seen, context: Context<'_>) -> Option<Heard> {
    let location = said(seen, "location");
    let (door, query) = DOORS.iter().find_map(|(path, door)| {
        let (_, query) = location.split_once(path)?;
        Some((*door, query))
    })?;
    let (query, fragment) = query.split_once('#').unwrap_or((query, ""));
    let (from, to) = lanes(seen);
    let mut heard = Heard::new(Kind::Start, seen, from, to);
    heard.door = Some(door);
    heard.note = Some("sends the browser to the platform");
    asked(
        &mut heard,
        &Request::get("", query).params(),
        query,
        door,
        context,
    );
    // What the address says is judged once, where the platform hears it.
    let missing = door == Door::InClient && fragment != "wechat_redirect";
    heard.facts.bits = Bits::default();
    heard.set_if(Bits::NO_FRAGMENT, missing);
    heard.facts.said = None;
    Some(heard)
}

/// The browser comes back with a code, or without.
fn callback(seen: &Seen, context: Context<'_>) -> Option<Heard> {
    let params = params(seen);
    let (code, state) = (params.filled("code"), params.filled("state"));
    let is_return = code.is_some() || state.is_some() || params.get("errcode").is_some();
    if !is_return || !matches!(seen.method.as_str(), "GET" | "POST") || is_api(seen) {
        return None;
    }
    let address = format!("{}://{}{}", seen.scheme, seen.host, path(seen));
    let (code, state) = (context.tie(code), context.tie(state));
    let place = context.place(&address).map_or(0, |(tie, _)| tie);
    let (from, to) = lanes(seen);
    let mut heard = Heard::new(Kind::Callback, seen, from, to);
    heard.facts.code = code;
    heard.facts.state = state;
    heard.place = context.place(&address);
    for tie in [code, state, place] {
        heard.ask(tie);
    }
    heard.note = Some("comes back");
    // Any page may have such parameters: only what a login here led to is one.
    heard
        .asks
        .iter()
        .any(|tie| context.knows(*tie))
        .then_some(heard)
}

fn is_api(seen: &Seen) -> bool {
    seen.behind == Behind::Login && path(seen).starts_with("/user/")
}

/// A call of the login API (`docs/facts/login.md`).
fn call(seen: &Seen, context: Context<'_>) -> Option<Heard> {
    let kind = match path(seen) {
        "/user/wechat/prepare" => Kind::Prepare,
        "/user/wechat/prepare/close" => Kind::Close,
        "/user/wechat/bind" | "/user/wechat/merge" => Kind::Bind,
        "/user/wechat/login"
        | "/user/wechat/link"
        | "/user/phone/change"
        | "/user/account/delete" => Kind::Login,
        _ => return None,
    };
    let (from, to) = lanes(seen);
    let mut heard = Heard::new(kind, seen, from, to);
    let sent: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
    let proof = sent.get("proof").unwrap_or(&sent);
    let text = |value: &Value, name: &str| {
        let text = value.get(name).and_then(Value::as_str).unwrap_or("");
        context.tie(Some(text))
    };
    heard.facts.code = text(proof, "code");
    heard.facts.state = text(proof, "state");
    for tie in [
        text(&sent, "bind_ticket"),
        text(&sent, "merge_ticket"),
        heard.facts.code,
        heard.facts.state,
    ] {
        heard.ask(tie);
    }
    let answer: Value = serde_json::from_str(body(seen)).unwrap_or_default();
    let data = answer.get("data").unwrap_or(&Value::Null);
    if let Some(code) = answer.get("code").and_then(Value::as_i64) {
        heard.ok = code == 0;
        if code != 0 {
            heard.outcome = Outcome::Number(i32::try_from(code).unwrap_or(i32::MAX));
        }
    } else if seen.answer.is_some() {
        heard.ok = false;
    }
    let name = if kind == Kind::Prepare { "state" } else { "" };
    heard.give(Tied::State, text(data, name));
    heard.facts.state = if name.is_empty() {
        heard.facts.state
    } else {
        text(data, name)
    };
    for name in ["bind_ticket", "merge_ticket"] {
        heard.give(Tied::Ticket, text(data, name));
    }
    // Without anything that ties it to a login, it is about something else.
    let is_tied = heard.asks.iter().any(|tie| context.knows(*tie));
    (is_tied || (kind == Kind::Prepare && heard.ok)).then_some(heard)
}

/// Something else of an app's that shows a token of a login.
fn leak(seen: &Seen, context: Context<'_>) -> Option<Heard> {
    let access =
        token_in(&seen.target, context).or_else(|| token_in(said(seen, "location"), context))?;
    let (from, to) = lanes(seen);
    let mut heard = Heard::new(Kind::Login, seen, from, to);
    heard.facts.access = access;
    heard.ask(access);
    Some(heard)
}

/// Where access tokens stand that should not.
fn leaks(heard: &mut Heard, seen: &Seen, context: Context<'_>) {
    let in_url = token_in(&seen.target, context);
    let in_redirect = token_in(said(seen, "location"), context);
    let in_body = token_in(body(seen), context);
    heard.set_if(
        Bits::TOKEN_IN_URL,
        in_url.is_some() || in_referer(seen, context),
    );
    heard.set_if(Bits::TOKEN_IN_REDIRECT, in_redirect.is_some());
    heard.set_if(Bits::TOKEN_SHOWN, in_body.is_some());
}

fn in_referer(seen: &Seen, context: Context<'_>) -> bool {
    token_in(header(seen, "referer"), context).is_some()
}

/// An access token of a login in a text.
fn token_in(text: &str, context: Context<'_>) -> Option<u64> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    text.split(|c| !is_word(c))
        .filter(|word| word.len() >= TOKEN)
        .map(|word| context.marks.tie(word))
        .find(|tie| matches!(context.ties.get(*tie), Some((Tied::Access, _))))
}
