//! Logging in with WeChat.

use std::time::Duration;

use serde_json::{Value, json};
use yufu_core::login::{BindPolicy, VerifyUpstream};
use yufu_core::time::Lifetime;

use crate::world::{P1, P2, Plan, TERMS, World, device, plan};

const LOGIN: &str = "/user/wechat/login";
const BIND: &str = "/user/wechat/bind";
const DAY: i64 = 86_400;

#[tokio::test]
async fn preparing_tells_where_to_go() {
    let world = World::new().await;
    let mut app = device(&world);
    let data = app.prepare(json!({})).await;
    assert_eq!(
        (data["kind"].as_str(), data["scope"].as_str()),
        (Some("wechat-mobile"), Some("snsapi_userinfo"))
    );
    assert_eq!(data["expires_in"], 600);
    assert!(data.get("authorize_url").is_none() && data.get("qr_url").is_none());
    // Whoever has a secret gets no other.
    assert!(app.prepare(json!({})).await.get("device_secret").is_none());
    let data = app.prepare(json!({"app": "site", "mode": "qr"})).await;
    let url = data["qr_url"].as_str().unwrap();
    assert_eq!(data["authorize_url"], url);
    assert!(url.starts_with("https://open.weixin.qq.com/connect/qrconnect?appid=wx2&redirect_uri=http%3A%2F%2Flogin.test%3A8421%2Flogin%2Fwechat%2Fcallback&"), "{url}");
    assert!(url.contains("scope=snsapi_login"));
    let data = app
        .prepare(json!({"app": "service", "mode": "web", "return_to": "/x"}))
        .await;
    assert!(
        data["authorize_url"]
            .as_str()
            .unwrap()
            .ends_with("#wechat_redirect")
    );
    assert_eq!(app.prepare(json!({"app": "mini"})).await["scope"], "");
}

#[tokio::test]
async fn preparing_refuses() {
    let world = World::new().await;
    let app = device(&world);
    let ask = |more: Value| {
        let mut body = json!({"app": "phone", "consent_version": TERMS});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let app = app.clone();
        async move { app.post("/user/wechat/prepare", body).await }
    };
    for consent in [Value::Null, json!(""), json!("2020-01")] {
        ask(json!({ "consent_version": consent })).await.no(1003);
    }
    ask(json!({"app": "none"})).await.bad("app");
    ask(json!({"app": ""})).await.bad("app");
    ask(json!({"purpose": "steal"})).await.bad("purpose");
    ask(json!({"mode": "qr"})).await.bad("mode");
    ask(json!({"mode": "web"})).await.bad("mode");
    ask(json!({"app": "mini", "mode": "web"})).await.bad("mode");
    ask(json!({"return_to": "https://evil.example/"}))
        .await
        .bad("return_to");
    ask(json!({"device_id": "x".repeat(129)}))
        .await
        .bad("device_id");
    for purpose in ["link", "delete"] {
        ask(json!({ "purpose": purpose })).await.no(5001);
    }
    ask(json!({"purpose": "reauth"})).await.ok();
    // An old session says nothing at a login, and everything at a link.
    let mut stale = app.clone();
    stale.token = Some("1".repeat(39));
    stale.prepare(json!({})).await;
    let body = json!({"app": "phone", "purpose": "reauth"});
    stale.post("/user/wechat/prepare", body).await.no(5001);
    let mut plan = plan();
    plan.settings.address_transactions.burst = 1;
    let mut few = device(&World::of(plan).await);
    few.prepare(json!({})).await;
    let body = json!({"app": "phone", "consent_version": TERMS});
    let data = few.post("/user/wechat/prepare", body).await.no(1002);
    assert!(data["retry_after"].as_i64().unwrap() >= 1);
}

#[tokio::test]
async fn a_transaction_is_given_up() {
    let world = World::new().await;
    let mut app = device(&world);
    let state = app.state().await;
    let close = |state: &str, reason: &str| {
        let body = json!({"state": state, "reason": reason});
        let app = app.clone();
        async move { app.post("/user/wechat/prepare/close", body).await }
    };
    close(&state, "").await.bad("reason");
    close(&state, "Not a word").await.bad("reason");
    close("", "denied").await.no(1004);
    close(&state, "denied").await.ok();
    close(&state, "denied").await.ok();
    app.post(LOGIN, json!({"code": "mei", "state": state}))
        .await
        .no(1004);
    assert_eq!(world.platform.count("/sns/"), 0);
}

#[tokio::test]
async fn somebody_new_binds_a_number_and_is_known_from_then_on() {
    let world = World::new().await;
    let mut app = device(&world);
    let data = app.wechat("mei").await.ok();
    assert_eq!(
        (&data["token"], &data["is_bind"]),
        (&json!(""), &json!(false))
    );
    assert_eq!(data["profile"]["nickname"], "mei");
    assert!(data.get("access_token").is_none());
    let digits = app.passcode(P1, "bind").await;
    let body = json!({"bind_ticket": data["bind_ticket"], "phone": "+86 138-0000-0001", "sms_code": digits});
    let bound = app.keyed("k").post(BIND, body.clone()).await.ok();
    assert_eq!(bound["is_bind"], true);
    // The answer was lost: the same again.
    assert_eq!(app.keyed("k").post(BIND, body.clone()).await.ok(), bound);
    app.post(BIND, body).await.no(4003);
    let again = app.wechat("mei").await.ok();
    assert_eq!(
        (&again["is_bind"], &again["uid"]),
        (&json!(true), &bound["uid"])
    );
    assert_eq!(app.get("/user/me").await.ok()["phone"], "+86 138****0001");
    // On another app of the same account there, too.
    let mut site = device(&world);
    let state = site.prepare(json!({"app": "site", "mode": "qr"})).await["state"].clone();
    let code = world.code("mei");
    let there = site
        .post(LOGIN, json!({"code": code, "state": state}))
        .await
        .ok();
    assert_eq!(there["uid"], bound["uid"]);
}

#[tokio::test]
async fn a_number_may_wait_where_that_is_allowed() {
    let mut plan = plan();
    plan.settings.bind_policy = BindPolicy::Optional;
    plan.settings.expose_upstream_token = true;
    let mut app = device(&World::of(plan).await);
    let data = app.wechat("mei").await.ok();
    assert_eq!(data["is_bind"], false);
    assert!(!data["token"].as_str().unwrap().is_empty());
    assert!(data["access_token"].as_str().unwrap().starts_with("AT_mei"));
}

#[tokio::test]
async fn the_same_request_hears_the_same_and_the_upstream_is_asked_once() {
    let world = World::new().await;
    let mut app = device(&world);
    let body = json!({"code": "mei", "state": app.state().await});
    let keyed = app.keyed("k");
    let (one, two, three) = tokio::join!(
        keyed.post(LOGIN, body.clone()),
        keyed.post(LOGIN, body.clone()),
        keyed.post(LOGIN, body.clone()),
    );
    let data = |text: &str| {
        let from = text.find("\"data\":").unwrap();
        text[from..text.find(",\"request_id\"").unwrap()].to_owned()
    };
    assert_eq!(data(&one.text), data(&two.text));
    assert_eq!(data(&one.text), data(&three.text));
    let first = one.ok();
    assert_eq!(app.keyed("k").post(LOGIN, body.clone()).await.ok(), first);
    assert_eq!(world.platform.count("/access_token"), 1);
    app.keyed("other").post(LOGIN, body.clone()).await.no(2002);
    world.turn(61);
    app.keyed("k").post(LOGIN, body).await.no(2002);
    assert_eq!(world.platform.count("/access_token"), 1);
}

#[tokio::test]
async fn what_can_be_refused_here_never_reaches_the_upstream() {
    let world = World::new().await;
    let mut app = device(&world);
    let state = app.state().await;
    let send = |code: Value, state: &str| {
        let (app, body) = (app.clone(), json!({"code": code, "state": state}));
        async move { app.post(LOGIN, body).await }
    };
    for code in [
        json!(""),
        Value::Null,
        json!("x".repeat(513)),
        json!("a b"),
        json!("ä"),
        json!("a\u{0}"),
        json!("a/b"),
    ] {
        send(code, &state).await.bad("code");
    }
    send(json!("mei"), "").await.no(1004);
    send(json!("mei"), "nothing of ours").await.no(1004);
    app.keyed(&"k".repeat(513))
        .post(LOGIN, json!({"code": "mei", "state": state}))
        .await
        .bad("Idempotency-Key");
    // Another device's state.
    let mut other = device(&world);
    other.state().await;
    other
        .post(LOGIN, json!({"code": "mei", "state": state}))
        .await
        .no(1004);
    // For another purpose.
    let reauth = app
        .prepare(json!({"purpose": "reauth", "app": "site", "mode": "qr"}))
        .await["state"]
        .clone();
    app.post(LOGIN, json!({"code": "mei", "state": reauth}))
        .await
        .no(1004);
    // Superseded by the last one.
    app.post(LOGIN, json!({"code": "mei", "state": state}))
        .await
        .no(1004);
    let state = app.state().await;
    world.turn(601);
    app.post(LOGIN, json!({"code": "mei", "state": state}))
        .await
        .no(1004);
    assert_eq!(world.platform.count("/sns/"), 0);
}

#[tokio::test]
async fn what_the_upstream_refuses_has_a_code_of_ours() {
    for (code, ours) in [
        ("e.40029", 2001),
        ("e.42003", 2001),
        ("e.40163", 2002),
        ("e.40013", 2003),
        ("e.40125", 2003),
        ("junk", 2005),
        ("e.50002", 2007),
        ("e.48001", 2006),
    ] {
        let world = World::new().await;
        let mut app = device(&world);
        let body = json!({"code": code, "state": app.state().await});
        app.post(LOGIN, body.clone()).await.no(ours);
        // Said again, without another look.
        app.post(LOGIN, body).await.no(ours);
        assert_eq!(world.platform.count("/access_token"), 1, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstream_out_of_reach_costs_no_code() {
    let world = World::new().await;
    let mut app = device(&world);
    for code in ["nobody", "busy"] {
        let state = app.state().await;
        let data = app
            .post(LOGIN, json!({"code": code, "state": state}))
            .await
            .no(2004);
        assert!(data["retry_after"].as_i64().unwrap() >= 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_kept_for_whoever_asks_again() {
    let world = World::new().await;
    let mut app = device(&world);
    let body = json!({"code": "mei-slow", "state": app.state().await});
    let began = tokio::time::Instant::now();
    let data = app.post(LOGIN, body.clone()).await.no(2004);
    assert_eq!(data["retry_after"], 2);
    assert_eq!(began.elapsed().as_secs(), 5);
    let data = app.post(LOGIN, body.clone()).await.ok();
    assert_eq!(data["is_bind"], false);
    assert_eq!(world.platform.count("/access_token"), 1);
    // A caller who hangs up stops nothing.
    let body = json!({"code": "lan-slow", "state": app.state().await});
    let hung = tokio::time::timeout(Duration::from_secs(1), app.post(LOGIN, body.clone())).await;
    assert!(hung.is_err());
    world.house.close();
    world.house.finished().await;
    assert!(began.elapsed().as_secs() >= 15);
    app.post(LOGIN, body).await.ok();
    assert_eq!(world.platform.count("/access_token"), 2);
}

#[tokio::test]
async fn a_bug_is_said_as_one() {
    let world = World::new().await;
    let mut app = device(&world);
    let state = app.state().await;
    let said = app
        .post(LOGIN, json!({"code": "bug", "state": state}))
        .await;
    assert_eq!(said.status.as_u16(), 500);
    assert!(said.no(1005)["incident"].is_string());
}

#[tokio::test]
async fn a_number_with_an_account_is_linked_when_its_owner_says_so() {
    let world = World::new().await;
    let uid = device(&world).by_phone(P1).await.ok()["uid"].clone();
    let mut app = device(&world);
    let ticket = app.ticket("mei").await;
    let digits = app.passcode(P1, "bind").await;
    let data = app
        .post(
            BIND,
            json!({"bind_ticket": ticket, "phone": P1, "sms_code": digits}),
        )
        .await
        .no(4005);
    assert_eq!(data["candidates"][0], data["account"]);
    assert_eq!(data["account"]["phone"], "+86 138****0001");
    assert!(data.get("merge_ticket").is_none());
    let data = app
        .post(BIND, json!({"bind_ticket": ticket, "confirm": true}))
        .await
        .ok();
    assert_eq!(data["uid"], uid);
}

#[tokio::test]
async fn a_number_with_another_wechat_is_replaced_by_both_proofs() {
    let world = World::new().await;
    let mut owner = device(&world);
    let uid = owner.join("old", P1).await["uid"].clone();
    let mut app = device(&world);
    let ticket = app.ticket("new").await;
    let digits = app.passcode(P1, "bind").await;
    let data = app
        .post(
            BIND,
            json!({"bind_ticket": ticket, "phone": P1, "sms_code": digits}),
        )
        .await
        .no(4001);
    assert_eq!(
        (&data["reason"], &data["other"]),
        (&json!("other_wechat"), &json!("o***"))
    );
    let data = app
        .post(BIND, json!({"bind_ticket": ticket, "replace": true}))
        .await
        .no(4010);
    assert_eq!(data["proofs"], json!(["wechat"]));
    assert!(data["after"].as_i64().is_some());
    let state = app.prepare(json!({"purpose": "reauth"})).await["state"].clone();
    let proof = json!({"code": world.code("old"), "state": state});
    let data = app
        .post(
            BIND,
            json!({"bind_ticket": ticket, "replace": true, "proof": proof}),
        )
        .await
        .ok();
    assert_eq!(data["uid"], uid);
    owner.get("/user/me").await.no(5004);
    device(&world).wechat("old").await.ok()["bind_ticket"]
        .as_str()
        .unwrap();
}

#[tokio::test]
async fn binding_refuses() {
    let world = World::new().await;
    let mut app = device(&world);
    let ticket = app.ticket("mei").await;
    let digits = app.passcode(P1, "bind").await;
    let good = json!({"bind_ticket": ticket, "phone": P1, "sms_code": digits});
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    app.post(BIND, json!({"phone": P1, "sms_code": digits}))
        .await
        .bad("bind_ticket");
    app.post(BIND, with("bind_ticket", json!("1".repeat(39))))
        .await
        .no(4003);
    app.post(BIND, json!({"bind_ticket": ticket}))
        .await
        .bad("phone");
    app.post(BIND, json!({"bind_ticket": ticket, "phone": P1}))
        .await
        .bad("sms_code");
    app.post(BIND, with("phone", json!("010-12345678")))
        .await
        .no(3001);
    app.post(BIND, with("phone", json!("hello"))).await.no(3001);
    for name in ["openid", "unionid", "wx_openid"] {
        app.post(BIND, with(name, json!("o_mei"))).await.bad(name);
    }
    for proof in [
        json!("x"),
        json!({}),
        json!({"code": "a"}),
        json!({"sms_code": "1"}),
        json!({"code": 1, "state": "s"}),
    ] {
        app.post(BIND, with("proof", proof)).await.bad("proof");
    }
    let wrong = if digits == "000000" {
        "000001"
    } else {
        "000000"
    };
    for left in [4, 3, 2, 1] {
        assert_eq!(
            app.post(BIND, with("sms_code", json!(wrong)))
                .await
                .no(3004)["left"],
            left
        );
    }
    app.post(BIND, with("sms_code", json!(wrong)))
        .await
        .no(3006);
    app.post(BIND, good.clone()).await.no(3006);
    app.post(BIND, with("phone", json!(P2))).await.no(3005);
    // In another's hands it is void.
    let mut thief = device(&world);
    thief.state().await;
    thief.post(BIND, good.clone()).await.no(4003);
    app.post(BIND, good).await.no(4003);
}

#[tokio::test]
async fn binding_hears_of_accounts_that_nobody_may_enter() {
    let world = World::new().await;
    let mut owner = device(&world);
    owner.join("old", P1).await;
    owner.post("/user/account/delete", json!({})).await.ok();
    let mut app = device(&world);
    let ticket = app.ticket("mei").await;
    let digits = app.passcode(P1, "bind").await;
    let data = app
        .post(
            BIND,
            json!({"bind_ticket": ticket, "phone": P1, "sms_code": digits}),
        )
        .await
        .no(4006);
    assert!(data.get("cancel_ticket").is_none());
}

#[tokio::test]
async fn two_tickets_of_one_wechat_make_one_account() {
    let world = World::new().await;
    let (mut one, mut two) = (device(&world), device(&world));
    let (first, second) = (one.ticket("mei").await, two.ticket("mei").await);
    let digits = one.passcode(P1, "bind").await;
    one.post(
        BIND,
        json!({"bind_ticket": first, "phone": P1, "sms_code": digits}),
    )
    .await
    .ok();
    let digits = two.passcode(P2, "bind").await;
    two.post(
        BIND,
        json!({"bind_ticket": second, "phone": P2, "sms_code": digits}),
    )
    .await
    .no(4002);
}

#[tokio::test]
async fn a_carriers_word_takes_the_place_of_a_passcode() {
    let world = World::new().await;
    let mut app = device(&world);
    let ticket = app.ticket("mei").await;
    app.post(
        BIND,
        json!({"bind_ticket": ticket, "carrier_token": "forged"}),
    )
    .await
    .no(3009);
    app.post(
        BIND,
        json!({"bind_ticket": ticket, "carrier_token": "sim-13800000001", "phone": P2}),
    )
    .await
    .no(3009);
    *world.others.carrier_down.lock().unwrap() = true;
    app.post(
        BIND,
        json!({"bind_ticket": ticket, "carrier_token": "sim-13800000001"}),
    )
    .await
    .no(3007);
    *world.others.carrier_down.lock().unwrap() = false;
    let body = json!({"bind_ticket": ticket, "carrier_token": "sim-13800000001"});
    assert_eq!(app.post(BIND, body).await.ok()["is_bind"], true);
    // A dead ticket spends no token of the carrier's.
    let asked = world.others.asked.load(std::sync::atomic::Ordering::SeqCst);
    let body = json!({"bind_ticket": ticket, "carrier_token": "sim-13800000002"});
    app.keyed("another").post(BIND, body).await.no(4003);
    assert_eq!(
        world.others.asked.load(std::sync::atomic::Ordering::SeqCst),
        asked
    );
}

#[tokio::test]
async fn a_number_that_changed_hands_starts_anew() {
    let world = World::new().await;
    let old = device(&world).join("old", P1).await["uid"].clone();
    world.turn(200 * DAY);
    *world.others.reissued.lock().unwrap() = Some(true);
    let mut app = device(&world);
    let ticket = app.ticket("mei").await;
    let digits = app.passcode(P1, "bind").await;
    app.post(
        BIND,
        json!({"bind_ticket": ticket, "phone": P1, "sms_code": digits}),
    )
    .await
    .no(4011);
    let data = app
        .post(BIND, json!({"bind_ticket": ticket, "fresh": true}))
        .await
        .ok();
    assert_ne!(data["uid"], old);
}

#[tokio::test]
async fn one_person_with_two_accounts_keeps_one() {
    let world = World::new().await;
    let a = device(&world).join("lone", P1).await["uid"].clone();
    let mut site = device(&world);
    let state = site.prepare(json!({"app": "site"})).await["state"].clone();
    let data = site
        .post(LOGIN, json!({"code": world.code("mei"), "state": state}))
        .await
        .ok();
    let digits = site.passcode(P2, "bind").await;
    let body = json!({"bind_ticket": data["bind_ticket"], "phone": P2, "sms_code": digits});
    let b = site.post(BIND, body).await.ok()["uid"].clone();
    assert_ne!(a, b);
    world
        .platform
        .unions
        .lock()
        .unwrap()
        .insert("lone".to_owned(), "u_mei".to_owned());
    let mut app = device(&world);
    let data = app.wechat("lone").await.no(4005);
    assert_eq!(data["candidates"].as_array().unwrap().len(), 2);
    assert_eq!(data["candidates"][1]["phone"], "+86 138****0002");
    let body = json!({"merge_ticket": data["merge_ticket"], "keep": "b"});
    let kept = app
        .keyed("k")
        .post("/user/wechat/merge", body.clone())
        .await
        .ok();
    assert_eq!(kept["uid"], b);
    assert_eq!(
        app.keyed("k").post("/user/wechat/merge", body).await.ok(),
        kept
    );
    assert_eq!(device(&world).wechat("lone").await.ok()["uid"], b);
    app.post(
        "/user/wechat/merge",
        json!({"merge_ticket": "1".repeat(39), "keep": "a"}),
    )
    .await
    .no(4003);
    app.post(
        "/user/wechat/merge",
        json!({"merge_ticket": "1".repeat(39), "keep": "c"}),
    )
    .await
    .bad("keep");
    app.post(
        "/user/wechat/merge",
        json!({"merge_ticket": "1".repeat(39)}),
    )
    .await
    .bad("keep");
    app.post("/user/wechat/merge", json!({"keep": "a"}))
        .await
        .bad("merge_ticket");
}

// --- coming again -------------------------------------------------------------------------------

const RELOGIN: &str = "/user/wechat/relogin";

fn checking() -> Plan {
    let mut plan = plan();
    plan.settings.verify_upstream = VerifyUpstream::OnRelogin;
    plan.settings.expose_upstream_token = true;
    plan
}

#[tokio::test]
async fn coming_again_with_a_session_or_its_refresh_token() {
    let world = World::new().await;
    let mut app = device(&world);
    let uid = app.join("mei", P1).await["uid"].clone();
    let calls = world.platform.count("/sns/");
    let data = app.post(RELOGIN, json!({})).await.ok();
    assert_eq!(
        (data["token"].as_str(), &data["uid"]),
        (app.token.as_deref(), &uid)
    );
    assert!(data.get("refresh_token").is_none());
    let said = app
        .post(RELOGIN, json!({"refresh_token": app.refresh}))
        .await;
    app.keep(&said);
    assert_eq!(said.ok()["uid"], uid);
    assert_eq!(
        world.platform.count("/sns/"),
        calls,
        "nobody asked the upstream"
    );
    device(&world).post(RELOGIN, json!({})).await.no(5001);
    let forged = json!({"refresh_token": "1".repeat(39)});
    app.post(RELOGIN, forged).await.no(5001);
}

#[tokio::test]
async fn coming_again_asks_the_upstream_where_that_is_wanted() {
    let world = World::of(checking()).await;
    let mut app = device(&world);
    app.join("mei", P1).await;
    app.post(RELOGIN, json!({})).await.ok();
    assert_eq!(world.platform.count("/sns/auth"), 1);
    // The access token is dead, the refresh token lives.
    *world.platform.check.lock().unwrap() = Some(40001);
    app.post(RELOGIN, json!({})).await.ok();
    assert_eq!(world.platform.count("/refresh_token"), 1);
    // Both are dead: the session waits for the user.
    *world.platform.refresh.lock().unwrap() = Some(42002);
    app.post(RELOGIN, json!({})).await.no(2008);
    app.get("/user/me").await.no(2008);
    app.wechat("mei").await.ok();
    app.get("/user/me").await.ok();
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_cannot_be_asked_is_taken_at_its_last_word_for_a_day() {
    let world = World::of(checking()).await;
    let mut app = device(&world);
    app.join("mei", P1).await;
    *world.platform.check.lock().unwrap() = Some(-1);
    *world.platform.refresh.lock().unwrap() = Some(-1);
    let data = app
        .post(RELOGIN, json!({"refresh_token": app.refresh}))
        .await;
    app.keep(&data);
    assert_eq!(data.ok()["upstream_unverified"], true);
    world.turn(DAY + 1);
    app.post(RELOGIN, json!({"refresh_token": app.refresh}))
        .await
        .no(2004);
}

#[tokio::test]
async fn coming_again_with_a_token_that_was_shown() {
    let world = World::of(checking()).await;
    let mut app = device(&world);
    app.join("mei", P1).await;
    let shown = app.wechat("mei").await.ok()["access_token"].clone();
    app.token = None;
    let data = app.post(RELOGIN, json!({"access_token": shown})).await.ok();
    assert_eq!(data["is_bind"], true);
    // A token of somewhere else, or on another device, is nothing.
    let calls = world.platform.count("/sns/");
    app.post(RELOGIN, json!({"access_token": "AT_elsewhere"}))
        .await
        .no(5001);
    let mut other = device(&world);
    other.state().await;
    other
        .post(RELOGIN, json!({"access_token": shown}))
        .await
        .no(5001);
    assert_eq!(world.platform.count("/sns/"), calls);
}

// --- linking ------------------------------------------------------------------------------------

#[tokio::test]
async fn an_identity_is_linked_and_unlinked() {
    let world = World::new().await;
    let mut app = device(&world);
    app.by_phone(P1).await.ok();
    let link = "/user/wechat/link";
    let state = app.prepare(json!({"purpose": "link"})).await["state"].clone();
    let body = json!({"code": world.code("mei"), "state": state});
    let data = app.post(link, body.clone()).await.ok();
    assert_eq!(data["identities"][0]["status"], "linked");
    assert_eq!(app.post(link, body).await.ok(), data, "said again");
    let state = app.prepare(json!({"purpose": "link"})).await["state"].clone();
    app.post(link, json!({"code": world.code("lan"), "state": state}))
        .await
        .no(4009);
    let state = app.state().await;
    app.post(link, json!({"code": world.code("mei"), "state": state}))
        .await
        .no(1004);
    device(&world)
        .post(link, json!({"code": "mei", "state": "x"}))
        .await
        .no(5001);
    // Somebody else's.
    let mut other = device(&world);
    other.by_phone(P2).await.ok();
    let state = other.prepare(json!({"purpose": "link"})).await["state"].clone();
    other
        .post(link, json!({"code": world.code("mei"), "state": state}))
        .await
        .no(4002);
    // Nothing is spent on somebody who has nothing to unlink.
    let digits = other.passcode(P2, "verify").await;
    other
        .post("/user/wechat/unlink", json!({"sms_code": digits}))
        .await
        .bad("wechat");
    let proved = json!({"phone": P1, "proof": {"sms_code": digits}});
    let taken = other.post("/user/phone/change", proved).await;
    taken.bad("sms_code");
    // Off again, by a fresh proof of the number.
    world.turn(600);
    assert_eq!(
        app.post("/user/wechat/unlink", json!({})).await.no(4010)["proofs"],
        json!(["phone"])
    );
    // A WeChat proves nothing here, and its code is not paid.
    let state = app.prepare(json!({"purpose": "reauth"})).await["state"].clone();
    let paid = world.platform.count("/access_token");
    let proof = json!({"code": world.code("mei"), "state": state});
    app.post("/user/wechat/unlink", json!({ "proof": proof }))
        .await
        .no(4010);
    assert_eq!(world.platform.count("/access_token"), paid);
    let digits = app.passcode(P1, "verify").await;
    let data = app
        .post("/user/wechat/unlink", json!({"sms_code": digits}))
        .await
        .ok();
    assert_eq!(data["identities"], json!([]));
}

#[tokio::test]
async fn the_last_way_in_stays() {
    let mut plan = plan();
    plan.settings.bind_policy = BindPolicy::Optional;
    let mut app = device(&World::of(plan).await);
    app.wechat("mei").await.ok();
    app.post("/user/wechat/unlink", json!({})).await.no(4004);
}

#[tokio::test]
async fn devices_have_a_limit() {
    let mut plan = plan();
    plan.settings.session_limit = 1;
    plan.settings.yields = yufu_core::login::Yields::New;
    plan.settings.access_life = Lifetime::days(1);
    let world = World::of(plan).await;
    device(&world).join("mei", P1).await;
    device(&world).wechat("mei").await.no(5006);
}
