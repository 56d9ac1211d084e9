//! Phone numbers: passcodes, logging in, changing.

use serde_json::{Value, json};
use yufu_core::limit::Rate;
use yufu_core::time::Lifetime;
use yufu_web::api::sms::SendFailure;

use crate::world::{P1, P2, TERMS, World, cookies, device, plan};

const SEND: &str = "/user/sms/send";
const LOGIN: &str = "/user/phone/login";
const CHANGE: &str = "/user/phone/change";

#[tokio::test]
async fn a_passcode_is_sent_once_a_minute_and_to_nobody_in_particular() {
    let world = World::new().await;
    let app = device(&world);
    let body = json!({"phone": P1, "scene": "login"});
    let data = app.post(SEND, body.clone()).await.ok();
    assert_eq!(
        (&data["resend_after"], &data["ttl"]),
        (&json!(60), &json!(300))
    );
    assert_eq!(data["device_secret"].as_str().unwrap().len(), 39);
    let wait = app.post(SEND, body).await.no(3002);
    assert!((55..=60).contains(&wait["retry_after"].as_i64().unwrap()));
    assert_eq!(world.others.sent.lock().unwrap().len(), 1);
    assert_eq!(world.digits(P1).len(), 6);
    // Known or not: the same.
    world.turn(61);
    device(&world).by_phone(P1).await.ok();
    let known = device(&world)
        .post(SEND, json!({"phone": P1, "scene": "login"}))
        .await
        .ok();
    let unknown = device(&world)
        .post(SEND, json!({"phone": P2, "scene": "login"}))
        .await
        .ok();
    let keys = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&known), keys(&unknown));
}

#[tokio::test]
async fn sending_refuses() {
    let world = World::new().await;
    let app = device(&world);
    app.post(SEND, json!({"phone": P1})).await.bad("scene");
    app.post(SEND, json!({"phone": P1, "scene": "sign_in"}))
        .await
        .bad("scene");
    app.post(SEND, json!({"scene": "login"})).await.bad("phone");
    app.post(SEND, json!({"scene": "verify"}))
        .await
        .bad("phone");
    for phone in [
        "1",
        "hello",
        "010-12345678",
        "12800000000",
        "+1 800 555 0100",
    ] {
        app.post(SEND, json!({"phone": phone, "scene": "login"}))
            .await
            .no(3001);
    }
    let mut forged = app.clone();
    forged.token = Some("1".repeat(39));
    forged.post(SEND, json!({"scene": "verify"})).await.no(5001);
    for phone in [
        "＋86 １３８００００００１１",
        "86 138 0000 0012",
        "(+86) 138-0000-0013",
    ] {
        app.post(SEND, json!({"phone": phone, "scene": "login"}))
            .await
            .ok();
    }
}

#[tokio::test]
async fn a_number_has_its_share() {
    let world = World::new().await;
    let mut app = device(&world);
    for _ in 0..5 {
        app.passcode(P1, "login").await;
    }
    let data = app
        .post(SEND, json!({"phone": P1, "scene": "login"}))
        .await
        .no(3003);
    assert!(data["retry_after"].as_i64().unwrap() > 3000);
}

#[tokio::test]
async fn a_captcha_opens_the_door_again() {
    let mut plan = plan();
    plan.settings.address_passcodes = Rate {
        burst: 1,
        each: Lifetime::minutes(60),
    };
    let world = World::of(plan).await;
    let app = device(&world);
    app.post(
        SEND,
        json!({"phone": P1, "scene": "login", "captcha": "unasked"}),
    )
    .await
    .ok();
    assert_eq!(
        world.others.asked.load(std::sync::atomic::Ordering::SeqCst),
        0
    );
    let with = |captcha: Value| json!({"phone": P2, "scene": "login", "captcha": captcha});
    app.post(SEND, with(Value::Null)).await.no(3008);
    app.post(SEND, with(json!("wrong"))).await.no(3008);
    app.post(SEND, with(json!("solved"))).await.ok();
}

#[tokio::test]
async fn a_message_that_nobody_takes_is_void() {
    let world = World::new().await;
    let app = device(&world);
    *world.others.failure.lock().unwrap() = Some(SendFailure::Failed);
    app.post(SEND, json!({"phone": P1, "scene": "login"}))
        .await
        .no(3007);
    *world.others.failure.lock().unwrap() = Some(SendFailure::Limited);
    let data = app
        .post(SEND, json!({"phone": P2, "scene": "login"}))
        .await
        .no(3002);
    assert!(data["retry_after"].as_i64().unwrap() >= 1);
    // Nothing came, so it does not count.
    *world.others.failure.lock().unwrap() = None;
    app.post(SEND, json!({"phone": P1, "scene": "login"}))
        .await
        .ok();
}

#[tokio::test]
async fn somebody_logs_in_by_number() {
    let world = World::new().await;
    let mut app = device(&world);
    let digits = app.passcode(P1, "login").await;
    let body = json!({"phone": P1, "sms_code": digits, "consent_version": TERMS});
    let first = app.keyed("k").post(LOGIN, body.clone()).await.ok();
    assert_eq!(
        (&first["is_bind"], &first["profile"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(app.keyed("k").post(LOGIN, body.clone()).await.ok(), first);
    app.post(LOGIN, body.clone()).await.no(3005);
    let other = json!({"phone": P2, "sms_code": digits, "consent_version": TERMS});
    app.keyed("k")
        .post(LOGIN, other)
        .await
        .bad("Idempotency-Key");
    assert_eq!(device(&world).by_phone(P1).await.ok()["uid"], first["uid"]);
}

#[tokio::test]
async fn logging_in_by_number_refuses() {
    let world = World::new().await;
    let mut app = device(&world);
    let digits = app.passcode(P1, "login").await;
    let good = json!({"phone": P1, "sms_code": digits, "consent_version": TERMS});
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    app.post(LOGIN, with("consent_version", Value::Null))
        .await
        .no(1003);
    app.post(LOGIN, with("phone", Value::Null))
        .await
        .bad("phone");
    app.post(LOGIN, with("phone", json!("x"))).await.no(3001);
    app.post(LOGIN, with("sms_code", Value::Null))
        .await
        .bad("sms_code");
    app.post(LOGIN, with("sms_code", json!("abc")))
        .await
        .bad("sms_code");
    app.post(LOGIN, with("carrier_token", json!("forged")))
        .await
        .no(3009);
    let wrong = if digits == "000000" {
        "000001"
    } else {
        "000000"
    };
    for _ in 0..4 {
        app.post(LOGIN, with("sms_code", json!(wrong)))
            .await
            .no(3004);
    }
    app.post(LOGIN, with("sms_code", json!(wrong)))
        .await
        .no(3006);
    app.post(LOGIN, good.clone()).await.no(3006);
    // One for another scene is not good here.
    let digits = app.passcode(P2, "bind").await;
    app.post(
        LOGIN,
        json!({"phone": P2, "sms_code": digits, "consent_version": TERMS}),
    )
    .await
    .no(3004);
    let data = app
        .post(
            LOGIN,
            json!({"carrier_token": "sim-13800000009", "consent_version": TERMS}),
        )
        .await
        .ok();
    assert_eq!(data["is_bind"], true);
}

#[tokio::test]
async fn a_number_that_changed_hands_asks_first() {
    let world = World::new().await;
    let old = device(&world).join("mei", P1).await["uid"].clone();
    world.turn(200 * 86_400);
    *world.others.reissued.lock().unwrap() = Some(true);
    let mut app = device(&world);
    let digits = app.passcode(P1, "login").await;
    let body = json!({"phone": P1, "sms_code": digits, "consent_version": TERMS});
    app.post(LOGIN, body.clone()).await.no(4011);
    let mut body = body;
    body["fresh"] = json!(true);
    assert_ne!(app.post(LOGIN, body).await.ok()["uid"], old);
    // Who cannot be asked has heard of nothing.
    world.turn(200 * 86_400);
    *world.others.reissued.lock().unwrap() = None;
    device(&world).by_phone(P1).await.ok();
}

#[tokio::test]
async fn the_number_is_changed_by_a_fresh_proof() {
    let world = World::new().await;
    let mut app = device(&world);
    app.by_phone(P1).await.ok();
    let mut other = device(&world);
    other.by_phone(P2).await.ok();
    world.turn(3600);
    let new = "13800000003";
    let digits = app.passcode(new, "change").await;
    let body = json!({"phone": new, "sms_code": digits});
    assert_eq!(
        app.post(CHANGE, body.clone()).await.no(4010)["proofs"],
        json!(["phone", "wechat"])
    );
    // The account's own number needs no naming.
    let sent = app.post(SEND, json!({"scene": "verify"})).await.ok();
    assert!(sent.get("device_secret").is_none());
    let proof = json!({"sms_code": world.digits(P1)});
    let mut with_proof = body.clone();
    with_proof["proof"] = proof;
    let data = app.post(CHANGE, with_proof).await.ok();
    assert_eq!(data["phone"], "+86 138****0003");
    assert_eq!(app.get("/user/me").await.ok()["phone"], data["phone"]);
    // Somebody else's.
    let digits = app.passcode(P2, "change").await;
    assert_eq!(
        app.post(CHANGE, json!({"phone": P2, "sms_code": digits}))
            .await
            .no(4001)["reason"],
        "other_account"
    );
    app.post(CHANGE, json!({"sms_code": "123456"}))
        .await
        .bad("phone");
    app.post(CHANGE, json!({"phone": "x", "sms_code": "123456"}))
        .await
        .no(3001);
    app.post(CHANGE, json!({"carrier_token": "x"}))
        .await
        .no(3009);
    world.turn(301);
    let asked = world.others.asked.load(std::sync::atomic::Ordering::SeqCst);
    app.post(CHANGE, json!({"carrier_token": "sim-13800000004"}))
        .await
        .no(4010);
    device(&world)
        .post(LOGIN, json!({"carrier_token": "sim-13800000004"}))
        .await
        .no(1003);
    let now = world.others.asked.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(now, asked, "no token was spent for nothing");
    app.post("/user/sms/send", json!({"scene": "verify"}))
        .await
        .ok();
    let proof = json!({"sms_code": world.digits("13800000003")});
    app.post(
        CHANGE,
        json!({"carrier_token": "sim-13800000004", "proof": proof}),
    )
    .await
    .ok();
}

#[tokio::test]
async fn the_number_is_changed_by_wechat_too() {
    let world = World::new().await;
    let mut app = device(&world);
    app.join("mei", P1).await;
    world.turn(1800);
    let digits = app.passcode(P2, "change").await;
    let state = app.prepare(json!({"purpose": "reauth"})).await["state"].clone();
    let proof = json!({"code": world.code("mei"), "state": state});
    let body = json!({"phone": P2, "sms_code": digits, "proof": proof});
    assert_eq!(
        app.post(CHANGE, body).await.ok()["phone"],
        "+86 138****0002"
    );
    // A stranger's WeChat proves nothing.
    world.turn(1800);
    let state = app.prepare(json!({"purpose": "reauth"})).await["state"].clone();
    let proof = json!({"code": world.code("lan"), "state": state});
    app.post(
        CHANGE,
        json!({"phone": P1, "sms_code": "123456", "proof": proof}),
    )
    .await
    .no(1004);
}

#[tokio::test]
async fn a_device_of_which_nobody_heard_logs_in_by_number_alone() {
    let world = World::new().await;
    // By the carrier's word, and by a passcode that another device asked for.
    let mut app = device(&world);
    let tap = json!({"carrier_token": "sim-13800000001", "consent_version": TERMS});
    let said = app.post(LOGIN, tap.clone()).await;
    app.keep(&said);
    let first = said.ok();
    app.device = Some(first["device_secret"].as_str().unwrap().to_owned());
    app.get("/user/me").await.ok();
    let refresh = json!({"refresh_token": first["refresh_token"]});
    let said = app.post("/user/session/refresh", refresh).await;
    app.keep(&said);
    said.ok();
    let digits = device(&world).passcode(P1, "login").await;
    let body = json!({"phone": P1, "sms_code": digits, "consent_version": TERMS});
    let second = device(&world).post(LOGIN, body).await.ok();
    assert_eq!(second["uid"], first["uid"]);
    assert_ne!(second["device_secret"], first["device_secret"]);
    // Whoever proves a device keeps it; what is none of ours is no device.
    let known = app.post(LOGIN, tap.clone()).await.ok();
    assert!(known.get("device_secret").is_none());
    let mut junk = device(&world);
    junk.device = Some("1".repeat(39));
    let drawn = junk.post(LOGIN, tap).await.ok();
    assert_eq!(drawn["device_secret"].as_str().unwrap().len(), 39);
    // Nobody gets one for nothing.
    let nothing = json!({"carrier_token": "forged", "consent_version": TERMS});
    let refused = device(&world).post(LOGIN, nothing).await.no(3009);
    assert!(refused.get("device_secret").is_none());
}

#[tokio::test]
async fn a_browser_of_which_nobody_heard_gets_its_device_as_a_cookie() {
    let world = World::new().await;
    let mut page = device(&world);
    page.headers
        .push(("origin", "https://app.example.com".to_owned()));
    let tap = json!({"carrier_token": "sim-13800000001", "consent_version": TERMS});
    let said = page.post(LOGIN, tap).await;
    let cookies = cookies(&said.headers);
    let data = said.ok();
    let kept = cookies
        .iter()
        .find(|(name, _)| name.starts_with("yufu_device"));
    assert_eq!(kept.unwrap().1, data["device_secret"].as_str().unwrap());
}

#[tokio::test]
async fn a_new_device_may_take_a_deletion_back_that_it_hears_of() {
    let world = World::new().await;
    let mut app = device(&world);
    let uid = app.by_phone(P1).await.ok()["uid"].clone();
    app.post("/user/account/delete", json!({})).await.ok();
    let mut new = device(&world);
    let tap = json!({"carrier_token": "sim-13800000001", "consent_version": TERMS});
    let refused = new.post(LOGIN, tap).await.no(4006);
    let ticket = json!({"cancel_ticket": refused["cancel_ticket"]});
    const CANCEL: &str = "/user/account/delete/cancel";
    new.post(CANCEL, ticket.clone()).await.no(4003);
    new.device = Some(refused["device_secret"].as_str().unwrap().to_owned());
    assert_eq!(new.post(CANCEL, ticket).await.ok()["uid"], uid);
}

#[tokio::test]
async fn where_no_passcodes_are_sent_the_carriers_word_is_all_that_proves_a_number() {
    let mut plan = plan();
    plan.front.passcodes = false;
    let world = World::of(plan).await;
    let mut app = device(&world);
    let config = app.get("/user/config").await.ok();
    assert_eq!(config["passcode"]["enabled"], false);
    for scene in ["login", "bind", "change", "verify"] {
        let body = json!({"phone": P1, "scene": scene});
        app.post(SEND, body).await.bad("phone");
    }
    let typed = json!({"phone": P1, "sms_code": "123456", "consent_version": TERMS});
    app.post(LOGIN, typed).await.bad("phone");
    let ticket = app.ticket("mei").await;
    let bind = |more: Value| {
        let mut body = json!({"bind_ticket": ticket});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        app.post("/user/wechat/bind", body)
    };
    bind(json!({"phone": P1, "sms_code": "123456"}))
        .await
        .bad("phone");
    let said = bind(json!({"carrier_token": "sim-13800000001"})).await;
    let mut bound = app.clone();
    bound.keep(&said);
    said.ok();
    let change = json!({"phone": P2, "sms_code": "123456"});
    bound.post(CHANGE, change).await.bad("phone");
    let tap = json!({"carrier_token": "sim-13800000002", "consent_version": TERMS});
    device(&world).post(LOGIN, tap).await.ok();
    assert!(world.others.sent.lock().unwrap().is_empty());
}

#[tokio::test]
async fn where_no_passcodes_are_sent_the_pages_ask_for_no_number() {
    for (passcodes, expected) in [(true, true), (false, false)] {
        let mut plan = plan();
        plan.front.passcodes = passcodes;
        let world = World::of(plan).await;
        let request = axum::http::Request::get("/login");
        let raw = world
            .raw(request.body(axum::body::Body::empty()).unwrap())
            .await;
        let page = raw.text();
        assert_eq!(page.contains("name=\"phone\""), expected);
        assert_eq!(page.contains("value=\"send_passcode\""), expected);
        assert!(page.contains("value=\"wechat\""), "the other way in stays");
    }
}
