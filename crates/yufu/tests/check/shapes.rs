//! The same backend in the shapes of other projects' APIs, for the recipes that come with the
//! program.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::backend::{
    Backend, Heard, Shared, answer, authorize_url, device_cookie, read, redirect,
};
use super::db::Outcome;

/// The fixed passcode of a test system.
const PASSCODE: &str = "9999";

pub(super) fn routes() -> Router<Arc<Backend>> {
    Router::new()
        .route("/oauth/render/wechat_open", get(render))
        .route("/oauth/callback/wechat_open", get(callback))
        .route("/user/info", get(info))
        .route("/logout", post(logout))
        .route(
            "/app-api/member/auth/social-auth-redirect",
            get(social_redirect),
        )
        .route("/app-api/member/auth/social-login", post(social_login))
        .route("/app-api/member/user/get", get(member))
        .route("/app-api/member/auth/send-sms-code", post(send_sms))
        .route("/app-api/member/auth/sms-login", post(sms_login))
        .route("/app-api/member/auth/refresh-token", post(refresh))
        .route("/app-api/member/auth/logout", post(member_logout))
}

fn say(code: i64, data: Value, msg: &str, cookies: &[String]) -> Response {
    let body = json!({"code": code, "data": data, "msg": msg}).to_string();
    answer(200.try_into().unwrap(), "application/json", body, cookies)
}

// --- in the manner of JustAuth ------------------------------------------------------------------

async fn render(State(it): Shared, headers: HeaderMap, query: RawQuery) -> Response {
    let heard = read((headers.clone(), query, Bytes::new()));
    let (state, device) = it.begin(&heard, 0, false);
    let to = authorize_url(&it, &headers, "/oauth/callback/wechat_open", &state);
    redirect(&to, &[device_cookie(&device)])
}

async fn callback(State(it): Shared, headers: HeaderMap, query: RawQuery) -> Response {
    let heard = read((headers, query, Bytes::new()));
    match it.login(&heard).await {
        Outcome::In(token) => say(2000, json!({ "token": token }), "ok", &[]),
        Outcome::No(word) => say(5000, Value::Null, word, &[]),
        Outcome::Bind(_) => say(5000, Value::Null, "number", &[]),
    }
}

fn whose(it: &Backend, heard: &Heard, good: i64, bad: i64) -> Response {
    match it.session(heard) {
        Some(user) => {
            let nickname = it.db.lock().unwrap().users[user].nickname.clone();
            say(good, json!({"id": user + 1, "nickname": nickname}), "", &[])
        }
        None => say(bad, Value::Null, "not logged in", &[]),
    }
}

async fn info(State(it): Shared, headers: HeaderMap, query: RawQuery) -> Response {
    whose(&it, &read((headers, query, Bytes::new())), 2000, 401)
}

async fn logout(State(it): Shared, headers: HeaderMap, query: RawQuery) -> Response {
    let heard = read((headers, query, Bytes::new()));
    it.leave(&heard);
    say(2000, Value::Null, "ok", &[])
}

// --- in the manner of ruoyi ---------------------------------------------------------------------

async fn social_redirect(State(it): Shared, headers: HeaderMap, query: RawQuery) -> Response {
    let heard = read((headers.clone(), query, Bytes::new()));
    let (state, device) = it.begin(&heard, 0, false);
    let to = authorize_url(&it, &headers, "/in", &state);
    say(0, json!(to), "", &[device_cookie(&device)])
}

fn session(it: &Backend, token: &str) -> Response {
    let refresh = it.db.lock().unwrap().sessions[token].refresh.clone();
    say(
        0,
        json!({"userId": 1, "accessToken": token, "refreshToken": refresh}),
        "",
        &[],
    )
}

async fn social_login(
    State(it): Shared,
    headers: HeaderMap,
    query: RawQuery,
    body: Bytes,
) -> Response {
    let heard = read((headers, query, body));
    match it.login(&heard).await {
        Outcome::In(token) => session(&it, &token),
        Outcome::No(word) => say(1_004_003_005, Value::Null, word, &[]),
        Outcome::Bind(_) => say(1_004_003_006, Value::Null, "number", &[]),
    }
}

async fn member(State(it): Shared, headers: HeaderMap, query: RawQuery) -> Response {
    whose(&it, &read((headers, query, Bytes::new())), 0, 401)
}

async fn send_sms(State(it): Shared, headers: HeaderMap, query: RawQuery, body: Bytes) -> Response {
    let heard = read((headers, query, body));
    let Some(phone) = it.number(heard.text("mobile")) else {
        return say(400, Value::Null, "mobile", &[]);
    };
    let key = format!("{phone} {}", heard.text("scene"));
    let sent = it.db.lock().unwrap().send(&key, yufu_web::clock::mark());
    match sent {
        true => say(0, json!(true), "", &[]),
        false => say(1_002_014_001, Value::Null, "too soon", &[]),
    }
}

async fn sms_login(
    State(it): Shared,
    headers: HeaderMap,
    query: RawQuery,
    body: Bytes,
) -> Response {
    let heard = read((headers, query, body));
    let phone = it.number(heard.text("mobile")).unwrap_or_default();
    let mut db = it.db.lock().unwrap();
    let sent = db.passcodes.remove(&format!("{phone} 1")).is_some();
    if !sent || heard.text("code") != PASSCODE {
        return say(1_002_014_002, Value::Null, "passcode", &[]);
    }
    let user = match db.owner(&phone) {
        Some(user) => user,
        None => db.add(&super::db::Facts::default(), Some(phone)),
    };
    let token = db.let_in(user);
    drop(db);
    session(&it, &token)
}

async fn refresh(State(it): Shared, headers: HeaderMap, query: RawQuery) -> Response {
    let heard = read((headers, query, Bytes::new()));
    match it.renew(heard.text("refreshToken")) {
        Some(token) => session(&it, &token),
        None => say(401, Value::Null, "refresh token", &[]),
    }
}

async fn member_logout(State(it): Shared, headers: HeaderMap, query: RawQuery) -> Response {
    let heard = read((headers, query, Bytes::new()));
    it.leave(&heard);
    say(0, json!(true), "", &[])
}
