//! Reading what crosses the platform's door (`docs/facts/wechat.md` §1).

use serde_json::Value;
use yufu_dialects::DIALECTS;
use yufu_dialects::http::{Params, Request};

use super::arrow::{Bits, Door, Facts, Kind, Outcome};
use super::heard::{Context, Heard, Returned, Sender, header, path, query, said};
use super::ties::Tied;
use crate::sandbox::seen::{Lane, Seen};

/// Reads an exchange at the platform's door; `None` for what is no part of a login.
pub(super) fn read(seen: &Seen, context: Context<'_>) -> Option<Heard> {
    let path = path(seen);
    let sender = Sender::of(seen);
    let mut heard = match path {
        "/connect/qrconnect" => authorize(seen, context, Door::Scan),
        "/connect/oauth2/authorize" => authorize(seen, context, Door::InClient),
        "/connect/app/authorize" => authorize(seen, context, Door::Native),
        "/connect/sdk/qrconnect" => signed_scan(seen, context),
        "/connect/confirm" => confirm(seen, context),
        "/connect/l/qrconnect" => poll(seen, context),
        "/sns/oauth2/access_token" => exchange(seen, context),
        "/sns/oauth2/refresh_token" => refresh(seen, context),
        "/sns/auth" => access(seen, context, Kind::Check),
        "/sns/userinfo" => access(seen, context, Kind::Profile),
        "/sns/jscode2session" => mini(seen, context),
        "/cgi-bin/token" | "/cgi-bin/ticket/getticket" => own(seen, context),
        _ => match path.strip_prefix("/connect/qrcode/") {
            Some(uuid) => picture(seen, context, uuid),
            None => page(seen, context, path.strip_prefix("/interaction/")?),
        },
    };
    heard.set_if(Bits::BROWSER, sender == Sender::Page);
    heard.set_if(Bits::DEVICE, sender == Sender::Device);
    heard.set_if(Bits::PLAIN_HTTP, seen.by_proxy && seen.scheme == "http");
    heard.browser = context.tie(browser(seen).as_deref());
    heard.agent = context.marks.tie(&format!(
        "{}\n{}",
        header(seen, "user-agent"),
        seen.peer
            .map(|peer| peer.ip().to_string())
            .unwrap_or_default()
    ));
    Some(heard)
}

/// The browser's own mark: the cookie that the platform gave it, or gives it now.
fn browser(seen: &Seen) -> Option<String> {
    let marks = |pair: &str| {
        let (name, value) = pair.trim().split_once('=')?;
        let is_mark = name.contains("yufu_scan") || name.contains("yufu_browser");
        (is_mark && !value.is_empty()).then(|| value.to_owned())
    };
    let sent = header(seen, "cookie").split(';').find_map(marks);
    sent.or_else(|| {
        let set = seen.answer.as_ref()?.headers.get_all("set-cookie");
        set.iter()
            .filter_map(|cookie| cookie.to_str().ok()?.split(';').next())
            .find_map(marks)
    })
}

/// The parameters of a request: of the query, and of the form of a POST.
pub(super) fn params(seen: &Seen) -> Params {
    let form = String::from_utf8_lossy(&seen.body);
    let request = if seen.method == "POST" {
        Request::post(path(seen), query(seen), &form)
    } else {
        Request::get(path(seen), query(seen))
    };
    request.params()
}

/// The body of an answer as text.
pub(super) fn body(seen: &Seen) -> &str {
    let body = seen.answer.as_ref().map(|answer| answer.body.as_ref());
    std::str::from_utf8(body.unwrap_or_default()).unwrap_or("")
}

/// The names that a request brings and the platform's table does not have.
fn unknown(path: &str, params: &Params) -> Option<Box<str>> {
    // Sent by clients that work, or left over from older documents (§3, §4.1).
    const HARMLESS: [&str; 16] = [
        "connect_redirect",
        // As OAuth has it: libraries that know many platforms send both names.
        "client_id",
        "redirect_uri",
        "component_appid",
        "_",
        "fast_login",
        "styletype",
        "sizetype",
        "bgcolor",
        "rst",
        "login_type",
        "forcePopup",
        "forceSnapShot",
        "lang",
        "last",
        "f",
    ];
    let mut endpoints = DIALECTS.iter().filter_map(|dialect| dialect.find(path));
    let known = endpoints.next()?.params;
    let names = params.names().filter(|name| {
        !name.is_empty()
            && !HARMLESS.contains(name)
            && !known.iter().any(|param| param.name == *name)
            // A name that is no name may be a secret that was put into the wrong place.
            && name.len() <= 24
            && name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_')
    });
    let names: Vec<&str> = names.take(8).collect();
    (!names.is_empty()).then(|| names.join(", ").into())
}

// --- the pages ----------------------------------------------------------------------------------

fn authorize(seen: &Seen, context: Context<'_>, door: Door) -> Heard {
    let params = params(seen);
    let native = door == Door::Native && !Sender::of(seen).is_browser();
    let from = if native { Lane::App } else { Lane::Browser };
    let mut heard = Heard::new(Kind::Authorize, seen, from, Lane::Platform);
    heard.door = Some(door);
    asked(&mut heard, &params, query(seen), door, context);
    heard.facts.unknown = unknown(path(seen), &params);
    let (status, text) = (heard.outcome, body(seen));
    if let Some(returned) = returned(said(seen, "location"), context) {
        back(&mut heard, returned);
    } else if let Some(at) = said(seen, "location").strip_prefix("/interaction/") {
        heard.give(Tied::Interaction, context.tie(Some(secret_of(at))));
    } else if let Some(uuid) = uuid_of(text).filter(|_| door == Door::Scan) {
        heard.give(Tied::Uuid, context.tie(Some(uuid)));
    } else if text.is_empty() && status == Outcome::Status(200) {
        // Asked without a browser: the page stays as it is.
        heard.facts.bits.set(Bits::DENIED);
        heard.note = Some("stays");
    } else if matches!(status, Outcome::Status(_)) {
        heard.ok = false;
        heard.facts.bits.set(Bits::ERROR_PAGE);
        heard.facts.said = page_words(text);
        if let Some(number) = heard.facts.said.as_deref().and_then(number_of) {
            heard.outcome = Outcome::Number(number);
        }
    }
    heard
}

/// What an address that asks for authorization says, wherever it stands.
pub(super) fn asked(
    heard: &mut Heard,
    params: &Params,
    query: &str,
    door: Door,
    context: Context<'_>,
) {
    let appid = params.filled("appid");
    heard.appid = appid.map(str::to_owned);
    heard.facts.appid = context.tie(appid);
    if let Some(state) = params.filled("state") {
        let tie = context.marks.tie(state);
        heard.facts.state = tie;
        heard.facts.bits.set(Bits::STATE);
        heard.set_if(Bits::STATE_WEAK, is_weak(state));
        heard.set_if(Bits::STATE_LONG, state.len() > 128);
        let is_plain = state.bytes().all(|b| b.is_ascii_alphanumeric());
        heard.set_if(Bits::STATE_ODD, !is_plain);
        heard.ask(tie);
        heard.give(Tied::State, tie);
    }
    heard.set_if(Bits::CHALLENGE, params.filled("code_challenge").is_some());
    let leaks = ["secret", "appsecret", "app_secret", "client_secret"];
    heard.set_if(
        Bits::SECRET,
        leaks.iter().any(|name| params.filled(name).is_some()),
    );
    let scope = params.get("scope").unwrap_or("");
    let wants = |word: &str| scope.split(',').any(|scope| scope.trim() == word);
    heard.set_if(Bits::SCOPE_USERINFO, wants("snsapi_userinfo"));
    heard.set_if(
        Bits::SCOPE_BASE,
        wants("snsapi_base") && !wants("snsapi_userinfo"),
    );
    if door == Door::Native {
        return;
    }
    let raw = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("redirect_uri="));
    heard.set_if(Bits::UNENCODED, raw.is_some_and(|raw| raw.contains("://")));
    if let Some(redirect) = params.filled("redirect_uri") {
        redirect_facts(&mut heard.facts, redirect);
        heard.place = context.place(redirect);
        if let Some((tie, _)) = &heard.place {
            heard.gives.push((Tied::Place, *tie));
        }
    }
}

/// A state that others can guess: too short, a small number, one letter many times.
fn is_weak(state: &str) -> bool {
    let digits = state.bytes().all(|b| b.is_ascii_digit());
    let mut kinds: Vec<u8> = state.bytes().collect();
    kinds.sort_unstable();
    kinds.dedup();
    // Thirteen digits are a moment in milliseconds.
    state.len() < super::redact::SHORT_STATE || (digits && state.len() <= 13) || kinds.len() < 4
}

fn redirect_facts(facts: &mut Facts, redirect: &str) {
    let Some((scheme, rest)) = redirect.split_once("://") else {
        return;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (host, Some(port)),
        _ => (authority, None),
    };
    let host = host.to_ascii_lowercase();
    let is_here = host == "localhost"
        || host.ends_with(".localhost")
        || host.starts_with("127.")
        || host == "[::1]";
    if is_here {
        return;
    }
    facts.bits.set_if(Bits::PORT, port.is_some());
    facts
        .bits
        .set_if(Bits::REDIRECT_HTTP, scheme.eq_ignore_ascii_case("http"));
    if facts.bits.has_any(Bits::PORT.and(Bits::REDIRECT_HTTP)) && authority.len() <= 100 {
        facts.said = Some(format!("{scheme}://{authority}").into());
    }
}

/// The uuid in a page or an XML that shows a QR code.
fn uuid_of(text: &str) -> Option<&str> {
    let marks = [
        ("/connect/qrcode/", '"'),
        ("<uuid>", '<'),
        ("\"uuid\":\"", '"'),
    ];
    marks.into_iter().find_map(|(mark, end)| {
        let (_, rest) = text.split_once(mark)?;
        rest.split(end).next().filter(|uuid| uuid.len() <= 64)
    })
}

/// The number and the words of an error page.
fn page_words(text: &str) -> Option<Box<str>> {
    let after = |mark: &str| text.split_once(mark).map(|(_, rest)| rest);
    let words = after("<p class=\"said\"><code>").and_then(|rest| rest.split('<').next());
    let number = after("<span class=\"number\">").and_then(|rest| rest.split('<').next());
    let number = number.and_then(|text| text.rsplit(' ').next());
    let all: Vec<&str> = [number, words].into_iter().flatten().collect();
    (!all.is_empty()).then(|| all.join(" ").into())
}

fn number_of(words: &str) -> Option<i32> {
    words.split(' ').next()?.parse().ok()
}

/// The secret at the end of a path.
fn secret_of(rest: &str) -> &str {
    rest.split(['?', '#', '/']).next().unwrap_or("")
}

/// The way back that a redirect takes, if it leaves the platform.
fn returned(location: &str, context: Context<'_>) -> Option<Returned> {
    if location.is_empty() || location.starts_with('/') {
        return None;
    }
    let bare = location.split('#').next()?;
    let (to, query) = bare.split_once('?').unwrap_or((bare, ""));
    let params = Request::get("", query).params();
    let code = params.filled("code").filter(|code| *code != "authdeny");
    let no = match (code, params.get("errcode")) {
        (Some(_), _) => None,
        (None, Some("-2")) => Some("the person turned away"),
        (None, _) => Some("the person said no"),
    };
    Some(Returned {
        code: context.tie(code),
        state: context.tie(params.filled("state")),
        no,
        to: Some(to.to_owned()),
    })
}

fn back(heard: &mut Heard, returned: Returned) {
    heard.give(Tied::Code, returned.code);
    heard.set_if(Bits::GIVES_CODE, returned.code != 0);
    heard.set_if(Bits::DENIED, returned.no.is_some());
    heard.facts.code = returned.code;
    heard.returns = Some(returned);
}

fn picture(seen: &Seen, context: Context<'_>, uuid: &str) -> Heard {
    let mut heard = Heard::new(Kind::Picture, seen, Lane::Browser, Lane::Platform);
    heard.ask(context.tie(Some(uuid)));
    heard.label = format!("{} /connect/qrcode/…", seen.method);
    heard
}

fn confirm(seen: &Seen, context: Context<'_>) -> Heard {
    let mut heard = Heard::new(Kind::Confirm, seen, Lane::User, Lane::Platform);
    heard.ask(context.tie(params(seen).filled("uuid")));
    match said(seen, "location").strip_prefix("/interaction/") {
        Some(at) => {
            heard.give(Tied::OnPhone, context.tie(Some(secret_of(at))));
            heard.note = Some("scanned");
        }
        None => heard.ok = false,
    }
    heard
}

fn page(seen: &Seen, context: Context<'_>, rest: &str) -> Heard {
    let tie = context.tie(Some(secret_of(rest)));
    let on_phone = matches!(context.ties.get(tie), Some((Tied::OnPhone, _)));
    let from = if on_phone { Lane::User } else { Lane::Browser };
    let is_form = seen.method == "POST";
    let kind = if is_form { Kind::Form } else { Kind::Page };
    let mut heard = Heard::new(kind, seen, from, Lane::Platform);
    heard.label = format!("{} /interaction/…", seen.method);
    heard.ask(tie);
    let location = said(seen, "location");
    if let Some(returned) = returned(location, context) {
        heard.secret = code_in(location);
        back(&mut heard, returned);
    }
    if !is_form {
        return heard;
    }
    let params = params(seen);
    let act = params.get("act").unwrap_or("");
    let went_on = matches!(heard.outcome, Outcome::Status(200..=399));
    heard.note = match act {
        "allow" if went_on => Some("agreed"),
        "deny" if went_on => Some("denied"),
        "cancel" if went_on => Some("cancelled"),
        "sign_in" if heard.outcome == Outcome::Status(303) => {
            heard.phone = params.filled("phone").map(str::to_owned);
            Some("signed in")
        }
        "switch" => Some("signs in as somebody else"),
        _ => None,
    };
    heard
}

fn code_in(location: &str) -> Option<String> {
    let query = location.split('#').next()?.split_once('?')?.1;
    let params = Request::get("", query).params();
    params.filled("code").map(str::to_owned)
}

fn poll(seen: &Seen, context: Context<'_>) -> Heard {
    let params = params(seen);
    let is_json = params.get("f") == Some("json");
    let from = if is_json && !Sender::of(seen).is_browser() {
        Lane::App
    } else {
        Lane::Browser
    };
    let mut heard = Heard::new(Kind::Poll, seen, from, Lane::Platform);
    heard.ask(context.tie(params.filled("uuid")));
    let Outcome::Status(status) = heard.outcome else {
        // A page that is left or loaded again waits no more.
        heard.ok = seen.faults.is_empty();
        heard.note = Some("left");
        return heard;
    };
    let text = body(seen);
    let after = |mark: &str| text.split_once(mark).map(|(_, rest)| rest);
    let number = after("wx_errcode=").or_else(|| after("\"wx_errcode\":"));
    let number = number.map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    let Some(number) = number.flatten().and_then(|digits| digits.parse().ok()) else {
        heard.ok = false;
        heard.outcome = if status == 200 {
            Outcome::Unreadable
        } else {
            heard.outcome
        };
        return heard;
    };
    heard.outcome = Outcome::Number(number);
    heard.ok = number != 500;
    heard.note = Some(match number {
        408 => "waits",
        404 => "scanned",
        403 => "turned away",
        402 => "over",
        405 => "agreed",
        _ => "",
    })
    .filter(|note| !note.is_empty());
    let code = after("wx_code='").or_else(|| after("\"wx_code\":\""));
    let code = code.and_then(|rest| rest.split(['\'', '"']).next());
    if let Some(code) = code.filter(|code| !code.is_empty()) {
        heard.secret = Some(code.to_owned());
        let returned = Returned {
            code: context.tie(Some(code)),
            ..Returned::default()
        };
        back(&mut heard, returned);
    }
    heard
}

fn signed_scan(seen: &Seen, context: Context<'_>) -> Heard {
    let params = params(seen);
    let mut heard = Heard::new(Kind::SignedScan, seen, Lane::App, Lane::Platform);
    heard.door = Some(Door::Scan);
    heard.appid = params.filled("appid").map(str::to_owned);
    heard.facts.appid = context.tie(params.filled("appid"));
    heard.set_if(Bits::CHALLENGE, params.filled("code_challenge").is_some());
    heard.set_if(Bits::SECRET, params.filled("secret").is_some());
    heard.facts.unknown = unknown(path(seen), &params);
    let answer = json(&mut heard, seen);
    heard.give(Tied::Uuid, context.tie(text_of(&answer, "uuid")));
    heard
}

// --- the calls ----------------------------------------------------------------------------------

/// The JSON of an answer, and how it ended by the platform's number.
fn json(heard: &mut Heard, seen: &Seen) -> Value {
    let Some(answer) = &seen.answer else {
        return Value::Null;
    };
    let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if !value.is_object() {
        heard.ok = false;
        if heard.outcome == Outcome::Status(200) {
            heard.outcome = Outcome::Unreadable;
        }
        return Value::Null;
    }
    let errcode = value.get("errcode").and_then(Value::as_i64).unwrap_or(0);
    if errcode != 0 {
        heard.ok = false;
        heard.outcome = Outcome::Number(i32::try_from(errcode).unwrap_or(i32::MAX));
    }
    value
}

fn text_of<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value
        .get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

/// A call of a server: who sends it is told by its headers.
fn call(kind: Kind, seen: &Seen, params: &Params, context: Context<'_>) -> Heard {
    let from = match Sender::of(seen) {
        Sender::Page => Lane::Browser,
        Sender::Device => Lane::App,
        Sender::Browser | Sender::Server => Lane::Backend,
    };
    let mut heard = Heard::new(kind, seen, from, Lane::Platform);
    heard.appid = params.filled("appid").map(str::to_owned);
    heard.facts.appid = context.tie(params.filled("appid"));
    heard.set_if(Bits::SECRET, params.filled("secret").is_some());
    heard.facts.unknown = unknown(path(seen), params);
    heard
}

fn exchange(seen: &Seen, context: Context<'_>) -> Heard {
    let params = params(seen);
    let mut heard = call(Kind::Exchange, seen, &params, context);
    heard.facts.code = context.tie(params.filled("code"));
    heard.ask(heard.facts.code);
    heard.set_if(Bits::VERIFIER, params.filled("code_verifier").is_some());
    heard.secret = params.filled("code").map(str::to_owned);
    tokens(&mut heard, seen, context);
    heard
}

fn refresh(seen: &Seen, context: Context<'_>) -> Heard {
    let params = params(seen);
    let mut heard = call(Kind::Refresh, seen, &params, context);
    heard.door = Some(Door::Refresh);
    heard.facts.refresh = context.tie(params.filled("refresh_token"));
    heard.ask(heard.facts.refresh);
    heard.secret = params.filled("refresh_token").map(str::to_owned);
    tokens(&mut heard, seen, context);
    heard
}

fn tokens(heard: &mut Heard, seen: &Seen, context: Context<'_>) {
    let answer = json(heard, seen);
    let access = context.tie(text_of(&answer, "access_token"));
    let openid = context.tie(text_of(&answer, "openid"));
    heard.ok &= access != 0;
    if answer.is_object() && access == 0 && heard.outcome == Outcome::Status(200) {
        heard.outcome = Outcome::Unreadable;
    }
    heard.facts.given_access = access;
    heard.facts.given_openid = openid;
    let life = answer.get("expires_in").and_then(Value::as_i64);
    heard.facts.life = life.and_then(|life| u32::try_from(life).ok()).unwrap_or(0);
    heard.set_if(Bits::UNIONID, text_of(&answer, "unionid").is_some());
    let scope = text_of(&answer, "scope").unwrap_or("");
    heard.set_if(
        Bits::SCOPE_BASE,
        scope.trim_end_matches(',') == "snsapi_base",
    );
    heard.give(Tied::Access, access);
    heard.give(
        Tied::Refresh,
        context.tie(text_of(&answer, "refresh_token")),
    );
    heard.give(Tied::Openid, openid);
}

fn access(seen: &Seen, context: Context<'_>, kind: Kind) -> Heard {
    const WORDS: [&str; 6] = ["undefined", "null", "None", "nil", "[object Object]", "%s"];
    let params = params(seen);
    let mut heard = call(kind, seen, &params, context);
    let access = params.filled("access_token");
    heard.facts.access = context.tie(access);
    heard.facts.openid = context.tie(params.filled("openid"));
    let is_token = access.is_some_and(|access| !WORDS.contains(&access));
    heard.set_if(Bits::NO_TOKEN, !is_token);
    if is_token {
        heard.ask(heard.facts.access);
        heard.secret = access.map(str::to_owned);
    }
    heard.ask(heard.facts.openid);
    let answer = json(&mut heard, seen);
    heard.facts.given_openid = context.tie(text_of(&answer, "openid"));
    heard.set_if(Bits::UNIONID, text_of(&answer, "unionid").is_some());
    heard
}

fn mini(seen: &Seen, context: Context<'_>) -> Heard {
    let params = params(seen);
    let mut heard = call(Kind::Mini, seen, &params, context);
    heard.door = Some(Door::Mini);
    heard.facts.code = context.tie(params.filled("js_code"));
    heard.ask(heard.facts.code);
    heard.secret = params.filled("js_code").map(str::to_owned);
    let answer = json(&mut heard, seen);
    let key = context.tie(text_of(&answer, "session_key"));
    heard.ok &= key != 0;
    heard.facts.given_access = key;
    heard.facts.given_openid = context.tie(text_of(&answer, "openid"));
    heard.set_if(Bits::UNIONID, text_of(&answer, "unionid").is_some());
    heard.give(Tied::Code, heard.facts.code);
    heard.give(Tied::Openid, heard.facts.given_openid);
    heard
}

fn own(seen: &Seen, context: Context<'_>) -> Heard {
    let params = params(seen);
    let mut heard = call(Kind::Own, seen, &params, context);
    let answer = json(&mut heard, seen);
    // A client's own token is tied as any other, so that the ticket is found beside it.
    heard.facts.access = context.tie(params.filled("access_token"));
    heard.ask(heard.facts.access);
    heard.give(Tied::Access, context.tie(text_of(&answer, "access_token")));
    heard
}
