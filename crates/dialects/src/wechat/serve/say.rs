//! Writing answers, byte for byte (`docs/facts/wechat.md` §2–§8). The status is always 200
//! (§17.1), and content types are set by hand: several clients break on a charset (§17.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use yufu_core::message::{
    Authorized, Channel, MiniSession, Outcome, PlatformTicket, PollAnswer, PollState,
    ProfileAnswer, ScanShown, Tokens,
};
use yufu_core::refusal::Refusal;
use yufu_core::secret::Secret;
use yufu_core::subject::Subject;

use super::super::json::Object;
use super::super::refusal::{self, Place};
use crate::http::{Reply, Request, Stamp};

const TEXT: &str = "text/plain";
const JSON: &str = "application/json";
const SCRIPT: &str = "text/javascript";

/// The content type of a JSON endpoint (§2).
fn content_type(request: &Request, place: Place) -> &'static str {
    match place {
        Place::Tokens if names_json(&request.accept) => JSON,
        Place::Tokens | Place::Auth | Place::Userinfo | Place::Mini => TEXT,
        // "encoding", not "charset": as it was captured.
        Place::Platform => "application/json; encoding=utf-8",
        Place::SignedScan => JSON,
    }
}

/// Whether an `Accept` header names `application/json` itself.
fn names_json(accept: &str) -> bool {
    accept.split(',').any(|range| {
        let kind = range.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case(JSON)
    })
}

fn reply(request: &Request, stamp: &Stamp, place: Place, body: Result<String, Refusal>) -> Reply {
    let body = body.unwrap_or_else(|refusal| refusal::body(&refusal, place, stamp));
    Reply::ok(content_type(request, place), body)
}

/// What is said for a fault of ours: −1, or 500 to a poll (§4.2, §8).
pub(super) fn busy(request: &Request, stamp: &Stamp) -> Reply {
    if request.path == "/connect/l/qrconnect" {
        return poll_reply(request, 500, "");
    }
    let place = Place::of(&request.path);
    Reply::ok(content_type(request, place), refusal::busy(place, stamp))
}

/// An error with any number, as the platform would write it at this address: the known words of
/// the number unless others are given (§8).
pub fn errcode(request: &Request, stamp: &Stamp, code: i32, text: Option<&str>) -> Reply {
    let place = Place::of(&request.path);
    let text = text
        .or_else(|| refusal::words(code))
        .unwrap_or("unknown error");
    Reply::ok(
        content_type(request, place),
        refusal::numbered(code, text, place, stamp),
    )
}

/// The answer of `/sns/oauth2/access_token` (§7.1).
pub(super) fn tokens(request: &Request, stamp: &Stamp, outcome: Result<Tokens, Refusal>) -> Reply {
    // §7.2: a refresh that was let in here is answered like one.
    if request.params().get("grant_type") == Some("refresh_token") {
        return refreshed(request, stamp, outcome);
    }
    let body = outcome.map(|tokens| {
        Object::new()
            .text("access_token", tokens.access.expose())
            .number("expires_in", tokens.expires_in.as_seconds())
            .maybe("refresh_token", tokens.refresh.as_ref().map(Secret::expose))
            .maybe("openid", tokens.openid.as_ref().map(Subject::as_str))
            .text("scope", &tokens.scopes.joined(","))
            .flag("is_snapshotuser", tokens.is_snapshot)
            .maybe("unionid", tokens.unionid.as_ref().map(Subject::as_str))
            .end()
    });
    reply(request, stamp, Place::Tokens, body)
}

/// The answer of `/sns/oauth2/refresh_token` (§7.2): openid first, no unionid.
pub(super) fn refreshed(
    request: &Request,
    stamp: &Stamp,
    outcome: Result<Tokens, Refusal>,
) -> Reply {
    let body = outcome.map(|tokens| {
        let mut scope = tokens.scopes.joined(",");
        if tokens.scope_trailing_comma {
            scope.push(',');
        }
        Object::new()
            .maybe("openid", tokens.openid.as_ref().map(Subject::as_str))
            .text("access_token", tokens.access.expose())
            .number("expires_in", tokens.expires_in.as_seconds())
            .maybe("refresh_token", tokens.refresh.as_ref().map(Secret::expose))
            .text("scope", &scope)
            .end()
    });
    reply(request, stamp, Place::Tokens, body)
}

/// The answer of `/cgi-bin/token` (§6).
pub(super) fn own_token(
    request: &Request,
    stamp: &Stamp,
    outcome: Result<Tokens, Refusal>,
) -> Reply {
    let body = outcome.map(|tokens| {
        Object::new()
            .text("access_token", tokens.access.expose())
            .number("expires_in", tokens.expires_in.as_seconds())
            .end()
    });
    reply(request, stamp, Place::Platform, body)
}

/// The answer of `/cgi-bin/ticket/getticket` (§6).
pub(super) fn platform_ticket(
    request: &Request,
    stamp: &Stamp,
    outcome: Result<PlatformTicket, Refusal>,
) -> Reply {
    let body = outcome.map(|ticket| {
        Object::new()
            .number("errcode", 0)
            .text("errmsg", "ok")
            .text("ticket", ticket.ticket.expose())
            .number("expires_in", ticket.expires_in.as_seconds())
            .end()
    });
    reply(request, stamp, Place::Platform, body)
}

/// The answer of `/sns/jscode2session` (§7.5).
pub(super) fn mini(
    request: &Request,
    stamp: &Stamp,
    outcome: Result<MiniSession, Refusal>,
) -> Reply {
    let body = outcome.map(|session| {
        Object::new()
            .text("session_key", session.session_key.expose())
            .text("openid", session.openid.as_str())
            .maybe("unionid", session.unionid.as_ref().map(Subject::as_str))
            .end()
    });
    reply(request, stamp, Place::Mini, body)
}

/// The answer of `/sns/auth` (§7.3): one of the few good answers with an errcode.
pub(super) fn verdict(request: &Request, stamp: &Stamp, outcome: Result<(), Refusal>) -> Reply {
    let body = outcome.map(|()| {
        Object::new()
            .number("errcode", 0)
            .text("errmsg", "ok")
            .end()
    });
    reply(request, stamp, Place::Auth, body)
}

/// The answer of `/sns/userinfo` (§7.4): every key is there, unionid last and only if told.
pub(super) fn profile(
    request: &Request,
    stamp: &Stamp,
    outcome: Result<ProfileAnswer, Refusal>,
) -> Reply {
    let body = outcome.map(|answer| {
        let profile = &answer.user.profile;
        let told = |value: &'_ str| {
            if answer.full {
                value.to_owned()
            } else {
                String::new()
            }
        };
        let sex = if answer.full { profile.sex.number() } else { 0 };
        Object::new()
            .text("openid", answer.openid.as_str())
            .slashed("nickname", &profile.nickname)
            .number("sex", sex.into())
            .slashed("language", &told(&profile.language))
            .slashed("city", &told(&profile.city))
            .slashed("province", &told(&profile.province))
            .slashed("country", &told(&profile.country))
            .slashed("headimgurl", &profile.avatar)
            .json("privilege", "[]")
            .maybe("unionid", answer.unionid.as_ref().map(Subject::as_str))
            .end()
    });
    reply(request, stamp, Place::Userinfo, body)
}

/// The answer of `/connect/l/qrconnect` (§4.2).
pub(super) fn poll(request: &Request, _: &Stamp, outcome: Result<PollAnswer, Refusal>) -> Reply {
    match outcome {
        Ok(PollAnswer::Code(code)) => poll_reply(request, 405, code.expose()),
        Ok(PollAnswer::State(state)) => poll_reply(
            request,
            match state {
                PollState::Waiting => 408,
                PollState::Scanned => 404,
                PollState::Cancelled => 403,
                PollState::Expired => 402,
                PollState::Confirmed => 405,
            },
            "",
        ),
        Err(refusal) => poll_reply(request, refusal::poll_number(&refusal), ""),
    }
}

fn poll_reply(request: &Request, number: u16, code: &str) -> Reply {
    // A code is letters and digits; anything else must not stand in a script.
    let (number, code) = if code.bytes().all(|b| b.is_ascii_alphanumeric()) {
        (number, code)
    } else {
        (500, "")
    };
    if request.params().get("f") == Some("json") {
        let body = Object::new()
            .number("wx_errcode", number.into())
            .text("wx_code", code)
            .end();
        return Reply::ok(JSON, body);
    }
    Reply::ok(
        SCRIPT,
        format!("window.wx_errcode={number};window.wx_code='{code}';"),
    )
}

/// The answer of `/connect/sdk/qrconnect` (§6): the code's picture and where it leads.
pub(super) fn signed_scan(
    request: &Request,
    stamp: &Stamp,
    outcome: Result<(&ScanShown, &[u8], &str), Refusal>,
) -> Reply {
    let body = outcome.map(|(shown, picture, address)| {
        let code = Object::new()
            .text("qrcodebase64", &STANDARD.encode(picture))
            .text("qrcodeurl", address)
            .end();
        Object::new()
            .number("errcode", 0)
            .text("uuid", shown.uuid.expose())
            .text("appname", &shown.client.name)
            .json("qrcode", &code)
            .end()
    });
    reply(request, stamp, Place::SignedScan, body)
}

/// The answer of `/connect/qrconnect?f=xml` (§4.1): only its `<uuid>` is known.
pub fn scan_xml(shown: &ScanShown) -> Reply {
    Reply::ok(
        "text/xml",
        format!("<xml><uuid>{}</uuid></xml>", shown.uuid.expose()),
    )
}

/// The address that the browser goes to with the answer: after the address's own query, before
/// its fragment; the state as it came and only if it came; never an OAuth error
/// (§3, §11.2, §11.3, §17.13, §17.14, §17.16).
pub(super) fn finish(authorized: &Authorized) -> String {
    let native = matches!(authorized.channel, Channel::Native(_));
    let authdeny = authorized.authdeny && matches!(authorized.channel, Channel::InClient);
    let mut parameters = Vec::with_capacity(2);
    match &authorized.outcome {
        Outcome::Code(code) => parameters.push(("code", code.expose())),
        Outcome::Denied if native => parameters.push(("errcode", "-4")),
        Outcome::Cancelled if native => parameters.push(("errcode", "-2")),
        Outcome::Denied if authdeny => parameters.push(("code", "authdeny")),
        Outcome::Denied | Outcome::Cancelled => {}
    }
    if let Some(state) = &authorized.state {
        parameters.push(("state", state.as_str()));
    }
    authorized.return_path.with(&parameters)
}
