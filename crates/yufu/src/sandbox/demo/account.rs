//! An account's own pages: home, devices, security; and coming again without the authorization page.

use axum::response::Response;
use serde_json::{Value, json};
use yufu_core::client::ClientKind;
use yufu_web::clock;
use yufu_web::view::{
    Age, DemoDevice, DemoDevices, DemoDone, DemoLogin, DemoMe, DemoSecurity, Moment, Text as T,
};

use super::api::{Answer, masked};
use super::visit::{Aim, DEVICES, Knock, Seat, base};
use super::{enter, page, refused};

/// Reads a page of somebody's own: what is left of an errand is dropped, and the wire tells what
/// the last act did, or this reading alone.
async fn reading(knock: &Knock, path: &str) -> Result<(Answer, Option<DemoDone>), Response> {
    if knock.seat().session.is_none() {
        return Err(knock.leave("/"));
    }
    let done = knock.change(|seat| {
        seat.errand = None;
        if seat.done.is_none() {
            seat.wire.clear();
        }
        seat.done.take()
    });
    match knock.authed("GET", path, Value::Null).await {
        Ok(answer) if answer.code == 0 => Ok((answer, done)),
        Ok(answer) => Err(refused(knock, &answer)),
        Err(answer) => Err(enter::ended(knock, &answer)),
    }
}

/// A page of theirs.
pub(super) async fn me(knock: &Knock) -> Response {
    let (me, done) = match reading(knock, "/user/me").await {
        Ok(read) => read,
        Err(response) => return response,
    };
    let (nickname, phone) = (me.text("nickname"), me.text("phone"));
    let name = [nickname, phone, knock.lang.t(T::RoomsNoPhone)];
    let name = name
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or_default();
    let avatar = Some(me.text("avatar")).filter(|avatar| avatar.starts_with(&knock.demo.platform));
    let view = DemoMe {
        lang: knock.lang,
        frame: knock.frame(Some("/me")),
        name: name.to_owned(),
        avatar: avatar.map(str::to_owned),
        phone: phone.to_owned(),
        uid: me.text("uid").to_owned(),
        since: Moment(me.number("created_at")).day(),
        device: knock.device_name(),
        done,
    };
    page(&knock.demo, view.render())
}

/// Again, refreshed, or out.
pub(super) async fn act(knock: &Knock) -> Response {
    let Some(session) = knock.seat().session else {
        return knock.leave("/");
    };
    knock.change(|seat| seat.wire.clear());
    let (path, done): (_, fn(String, String) -> DemoDone) = match knock.field("act") {
        "again" => ("/user/wechat/relogin", DemoDone::Again),
        "refresh" => ("/user/session/refresh", DemoDone::Refreshed),
        "log_out" => {
            knock
                .call("POST", "/user/session/logout", Value::Null)
                .await;
            knock.change(Seat::logged_out);
            return knock.leave("/");
        }
        _ => return knock.leave("/me"),
    };
    let answer = knock.refresh(path).await;
    match answer.code {
        0 => {
            let done = done(masked(session.token.expose()), masked(answer.text("token")));
            knock.change(|seat| seat.done = Some(done));
            knock.leave("/me")
        }
        5001..=5005 => enter::ended(knock, &answer),
        _ => refused(knock, &answer),
    }
}

/// The devices that are logged in.
pub(super) async fn devices(knock: &Knock) -> Response {
    let (answer, done) = match reading(knock, "/user/sessions").await {
        Ok(read) => read,
        Err(response) => return response,
    };
    let now = clock::real().seconds();
    let devices = answer
        .list("sessions")
        .iter()
        .map(|session| device(session, now));
    let other = knock.device % DEVICES + 1;
    let view = DemoDevices {
        lang: knock.lang,
        frame: knock.frame(Some("/devices")),
        devices: devices.collect(),
        done,
        other,
        other_href: format!("{}/", base(other)),
    };
    page(&knock.demo, view.render())
}

fn device(session: &Value, now: i64) -> DemoDevice {
    let text = |name: &str| {
        session
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or("")
            .to_owned()
    };
    let number = |name: &str| session.get(name).and_then(Value::as_i64).unwrap_or(0);
    DemoDevice {
        id: text("id"),
        name: text("device_id"),
        platform: text("platform"),
        address: text("address"),
        since: Moment(number("began_at")).day(),
        seen: Age(now - number("seen_at")),
        current: session.get("current") == Some(&Value::Bool(true)),
    }
}

/// Logs another device out.
pub(super) async fn remove(knock: &Knock) -> Response {
    let id = knock.field("id");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if id.is_empty() || !id.chars().all(is_plain) {
        return knock.leave("/devices");
    }
    knock.change(|seat| seat.wire.clear());
    match knock
        .authed("DELETE", &format!("/user/sessions/{id}"), Value::Null)
        .await
    {
        Ok(answer) if answer.code == 0 => {
            knock.change(|seat| seat.done = Some(DemoDone::Removed));
            knock.leave("/devices")
        }
        Ok(answer) => refused(knock, &answer),
        Err(answer) => enter::ended(knock, &answer),
    }
}

/// What keeps the account safe.
pub(super) async fn security(knock: &Knock) -> Response {
    let (me, done) = match reading(knock, "/user/me").await {
        Ok(read) => read,
        Err(response) => return response,
    };
    let known = match knock.authed("GET", "/user/identities", Value::Null).await {
        Ok(answer) => answer,
        Err(answer) => return enter::ended(knock, &answer),
    };
    let view = DemoSecurity {
        lang: knock.lang,
        frame: knock.frame(Some("/security")),
        phone: me.text("phone").to_owned(),
        logins: known.list("identities").iter().map(login).collect(),
        done,
    };
    page(&knock.demo, view.render())
}

fn login(identity: &Value) -> DemoLogin {
    let text = |name: &str| {
        identity
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or("")
            .to_owned()
    };
    let since = identity
        .get("linked_at")
        .and_then(Value::as_i64)
        .unwrap_or(0);
    DemoLogin {
        name: text("nickname"),
        app: text("app"),
        since: Moment(since).day(),
        live: identity.get("status") == Some(&json!("linked")),
    }
}

/// Off to WeChat, to link it.
pub(super) async fn link(knock: &Knock) -> Response {
    let seat = knock.seat();
    if seat.session.is_none() || knock.field("act") != "link" {
        return knock.leave("/security");
    }
    knock.change(|seat| seat.wire.clear());
    enter::begin(knock, seat.way.unwrap_or(ClientKind::Service), Aim::Link).await
}
