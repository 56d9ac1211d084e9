//! Sessions: refreshed, listed, ended; told of to other servers.

use std::sync::Arc;

use axum::extract::Request as HttpRequest;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use yufu_core::login::LoginRefusal;

use super::cookies::{self, Role};
use super::read::Ask;
use super::wechat::with_session;
use super::{Good, LoginHouse, Said, exchange, plain};
use crate::fault;

pub(crate) async fn refresh(ask: Ask) -> Said {
    let token = ask.secret("refresh_token", Role::Refresh);
    let token = token.ok_or(LoginRefusal::BadRequest {
        field: "refresh_token",
    })?;
    let done = ask
        .house
        .engine
        .refresh(token, ask.device(), ask.now())
        .await?;
    let mut data = exchange::logged_in(&done);
    if let Value::Object(data) = &mut data {
        data.remove("profile");
    }
    Ok(with_session(&ask, data, &done))
}

/// An answer after which a browser is logged out.
pub(crate) fn without_session(ask: &Ask, good: Good) -> Good {
    if !ask.wants_cookies() {
        return good;
    }
    let front = &ask.house.front;
    good.cookie(cookies::forget(front, Role::Session))
        .cookie(cookies::forget(front, Role::Refresh))
}

pub(crate) async fn logout(ask: Ask) -> Said {
    ask.house.engine.logout(ask.who()?, ask.now()).await?;
    Ok(without_session(&ask, Good::default()))
}

pub(crate) async fn list(ask: Ask) -> Said {
    let sessions = ask.house.engine.sessions(ask.who()?, ask.now()).await?;
    let sessions: Vec<_> = sessions
        .iter()
        .map(|session| {
            json!({
                "id": session.id,
                "device_id": session.device_id,
                "platform": session.platform,
                "address": session.address,
                "began_at": session.began_at.seconds(),
                "seen_at": session.seen_at.seconds(),
                "current": session.current,
            })
        })
        .collect();
    Ok(Good::data(json!({ "sessions": sessions })))
}

pub(crate) async fn end(ask: Ask) -> Said {
    ask.house
        .engine
        .end_session(ask.who()?, &ask.tail, ask.now())
        .await?;
    Ok(Good::default())
}

pub(crate) async fn introspect(ask: Ask) -> Said {
    let engine = &ask.house.engine;
    let found = engine.introspect(ask.body.text("token"), ask.now()).await?;
    Ok(Good::data(match found {
        None => json!({ "active": false }),
        Some(who) => json!({
            "active": true,
            "uid": who.user.to_string(),
            "is_bind": who.is_bind,
            "exp": who.expires_at.seconds(),
            "sid": engine.session_id(who.session),
            "device_id": who.device_id,
            "platform": who.platform,
            "auth_time": who.authenticated_at.seconds(),
        }),
    }))
}

pub(crate) async fn jwt(ask: Ask) -> Said {
    let (audience, issuer) = (ask.body.text("audience"), &ask.house.front.public_url);
    let signed = ask
        .house
        .engine
        .assertion(ask.who()?, audience, issuer, ask.now());
    let (jwt, life) = signed?;
    Ok(Good::data(
        json!({ "jwt": jwt.expose(), "expires_in": life.as_seconds() }),
    ))
}

pub(crate) async fn jwks(house: Arc<LoginHouse>, _: HttpRequest) -> Response {
    match house.engine.jwks() {
        Ok(keys) => plain(StatusCode::OK, "application/json", keys),
        Err(fault) => {
            fault::note(&house.engine, &house.metrics, "jwks", &fault);
            plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                "application/json",
                "{}".to_owned(),
            )
        }
    }
}
