//! Sessions: how they go on, how they end, who is told.

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use yufu_core::login::DevicePolicy;

use crate::world::{P1, World, device, plan};

const REFRESH: &str = "/user/session/refresh";
const INTROSPECT: &str = "/user/session/introspect";
const DAY: i64 = 86_400;

#[tokio::test]
async fn a_session_is_refreshed() {
    let world = World::new().await;
    let mut app = device(&world);
    app.by_phone(P1).await.ok();
    world.turn(7201);
    app.get("/user/me").await.no(5002);
    let old = app.refresh.clone();
    let said = app.post(REFRESH, json!({"refresh_token": old})).await;
    app.keep(&said);
    let first = said.ok();
    app.get("/user/me").await.ok();
    // The answer was lost: the same pair for a moment.
    assert_eq!(
        app.post(REFRESH, json!({"refresh_token": old})).await.ok()["token"],
        first["token"]
    );
    app.post(REFRESH, json!({"refresh_token": app.token}))
        .await
        .bad("refresh_token");
    app.post(REFRESH, json!({})).await.bad("refresh_token");
    let mut bare = app.clone();
    bare.device = None;
    bare.post(REFRESH, json!({"refresh_token": app.refresh}))
        .await
        .no(5001);
    // After it, somebody has a copy.
    world.turn(11);
    app.post(REFRESH, json!({"refresh_token": old}))
        .await
        .no(5005);
    app.get("/user/me").await.no(5005);
    app.post(REFRESH, json!({"refresh_token": app.refresh}))
        .await
        .no(5005);
}

#[tokio::test]
async fn a_refresh_token_that_nobody_uses_is_over() {
    let world = World::new().await;
    let mut app = device(&world);
    app.by_phone(P1).await.ok();
    world.turn(31 * DAY);
    app.post(REFRESH, json!({"refresh_token": app.refresh}))
        .await
        .no(5002);
}

#[tokio::test]
async fn logging_out_ends_one_session() {
    let world = World::new().await;
    let (mut one, mut two) = (device(&world), device(&world));
    one.by_phone(P1).await.ok();
    two.by_phone(P1).await.ok();
    one.post("/user/session/logout", json!({})).await.ok();
    one.get("/user/me").await.no(5001);
    one.post("/user/session/logout", json!({})).await.no(5001);
    two.get("/user/me").await.ok();
}

#[tokio::test]
async fn devices_are_listed_and_removed() {
    let world = World::new().await;
    let (mut one, mut two) = (device(&world), device(&world));
    one.by_phone(P1).await.ok();
    two.by_phone(P1).await.ok();
    let sessions = one.get("/user/sessions").await.ok()["sessions"].clone();
    assert_eq!(sessions.as_array().unwrap().len(), 2);
    let other = sessions
        .as_array()
        .unwrap()
        .iter()
        .find(|session| session["current"] == false)
        .unwrap();
    assert_eq!(
        (&other["platform"], &other["device_id"]),
        (&json!("ios"), &json!("iPhone"))
    );
    let path = format!("/user/sessions/{}", other["id"].as_str().unwrap());
    one.call("DELETE", &path).await.ok();
    assert!(two.get("/user/me").await.no(5004)["at"].as_i64().unwrap() > 1_500_000_000);
    one.call("DELETE", &path).await.bad("id");
    for odd in ["x", "%00", "%ff", "..%2f..", "%F0%9F%A6%8A"] {
        one.call("DELETE", &format!("/user/sessions/{odd}"))
            .await
            .bad("id");
    }
}

#[tokio::test]
async fn somebody_who_is_replaced_hears_by_whom() {
    let mut plan = plan();
    plan.settings.device_policy = DevicePolicy::Exclusive;
    let world = World::of(plan).await;
    let (mut one, mut two) = (device(&world), device(&world));
    one.by_phone(P1).await.ok();
    two.by_phone(P1).await.ok();
    let data = one.get("/user/me").await.no(5003);
    assert!(data["device"].as_str().unwrap().contains("ios"));
}

#[tokio::test]
async fn a_token_in_other_hands_is_over() {
    let world = World::new().await;
    let (mut owner, mut thief) = (device(&world), device(&world));
    owner.by_phone(P1).await.ok();
    thief.state().await;
    thief.token = owner.token.clone();
    thief.get("/user/me").await.no(5001);
    owner.get("/user/me").await.no(5001);
}

#[tokio::test]
async fn services_ask_about_tokens() {
    let world = World::new().await;
    let mut app = device(&world);
    let uid = app.by_phone(P1).await.ok()["uid"].clone();
    let service = |name: &str, secret: &str| {
        let mut service = device(&world);
        let pair = STANDARD.encode(format!("{name}:{secret}"));
        service
            .headers
            .push(("authorization", format!("Basic {pair}")));
        service
    };
    let orders = service("orders", "orders-secret");
    let data = orders
        .post(INTROSPECT, json!({"token": app.token}))
        .await
        .ok();
    assert_eq!(
        (&data["active"], &data["uid"], &data["is_bind"]),
        (&json!(true), &uid, &json!(true))
    );
    assert_eq!(data["platform"], "ios");
    for token in ["x", &"1".repeat(39)] {
        assert_eq!(
            orders.post(INTROSPECT, json!({"token": token})).await.ok(),
            json!({"active": false})
        );
    }
    app.post("/user/session/logout", json!({})).await.ok();
    assert_eq!(
        orders
            .post(INTROSPECT, json!({"token": app.token}))
            .await
            .ok(),
        json!({"active": false})
    );
    for (name, secret) in [
        ("orders", "wrong"),
        ("other", "orders-secret"),
        ("", ""),
        ("orders", ""),
    ] {
        let said = service(name, secret)
            .post(INTROSPECT, json!({"token": "x"}))
            .await;
        assert!(
            said.headers["www-authenticate"]
                .to_str()
                .unwrap()
                .starts_with("Basic")
        );
        said.no(5001);
    }
    orders.post(INTROSPECT, json!({})).await.bad("token");
    let mut broken = device(&world);
    broken
        .headers
        .push(("authorization", "Basic %%%".to_owned()));
    broken
        .post(INTROSPECT, json!({"token": "x"}))
        .await
        .no(5001);
}

#[tokio::test]
async fn an_assertion_names_its_audience() {
    let world = World::new().await;
    let mut app = device(&world);
    let uid = app.by_phone(P1).await.ok()["uid"].clone();
    app.post("/user/session/jwt", json!({}))
        .await
        .bad("audience");
    let data = app
        .post("/user/session/jwt", json!({"audience": "orders"}))
        .await
        .ok();
    assert!((1..=300).contains(&data["expires_in"].as_i64().unwrap()));
    let parts: Vec<_> = data["jwt"].as_str().unwrap().split('.').collect();
    let part = |n: usize| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[n]).unwrap()).unwrap()
    };
    let (head, claims) = (part(0), part(1));
    assert_eq!((&claims["sub"], &claims["aud"]), (&uid, &json!("orders")));
    assert_eq!(claims["iss"], "http://login.test:8421");
    let raw = world
        .raw(
            Request::get("/.well-known/jwks.json")
                .body(Body::empty())
                .unwrap(),
        )
        .await;
    let keys: Value = serde_json::from_str(&raw.text()).unwrap();
    assert!(
        keys["keys"]
            .as_array()
            .unwrap()
            .iter()
            .any(|key| key["kid"] == head["kid"])
    );
}
