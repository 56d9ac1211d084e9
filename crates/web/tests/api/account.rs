//! The account that is logged in, its end, and what everybody may know.

use serde_json::json;
use yufu_core::user::UserStatus;

use crate::world::{P1, World, device, plan};

const DELETE: &str = "/user/account/delete";
const CANCEL: &str = "/user/account/delete/cancel";

#[tokio::test]
async fn a_login_page_hears_what_it_needs() {
    let world = World::new().await;
    let app = device(&world);
    let data = app.get("/user/config").await.ok();
    assert_eq!(data["bind_policy"], "phone_required");
    assert_eq!(
        data["passcode"],
        json!({"resend_after": 60, "ttl": 300, "digits": 6, "enabled": true})
    );
    assert_eq!(data["wechat"]["status"], "ok");
    assert_eq!(
        data["wechat"]["apps"][0],
        json!({"app": "phone", "kind": "wechat-mobile", "appid": "wx1", "status": "ok"})
    );
    // The day's quota is used up.
    let mut user = device(&world);
    let body = json!({"code": "e.45009", "state": user.state().await});
    user.post("/user/wechat/login", body.clone()).await.no(2004);
    let data = app.get("/user/config").await.ok();
    assert_eq!(
        (
            &data["wechat"]["status"],
            &data["wechat"]["apps"][0]["status"]
        ),
        (&json!("ok"), &json!("degraded"))
    );
    assert_eq!(data["wechat"]["apps"][1]["status"], "ok");
    user.post("/user/wechat/login", body).await.no(2004);
    assert_eq!(world.platform.count("/access_token"), 1);
}

#[tokio::test]
async fn wechat_is_degraded_when_every_app_of_ours_is() {
    let mut plan = plan();
    plan.settings.apps.truncate(2);
    let world = World::of(plan).await;
    for (app, expected) in [("phone", "ok"), ("site", "degraded")] {
        let mut user = device(&world);
        let state = user.prepare(json!({"app": app})).await["state"].clone();
        let body = json!({"code": "e.45009", "state": state});
        user.post("/user/wechat/login", body).await.no(2004);
        let data = user.get("/user/config").await.ok();
        assert_eq!(data["wechat"]["status"], expected, "after {app}");
    }
}

#[tokio::test]
async fn somebody_sees_themselves() {
    let world = World::new().await;
    let mut app = device(&world);
    let uid = app.join("mei", P1).await["uid"].clone();
    let me = app.get("/user/me").await.ok();
    assert_eq!((&me["uid"], &me["nickname"]), (&uid, &json!("mei")));
    assert_eq!(me["avatar"], "https://img.example/a.png");
    let identities = app.get("/user/identities").await.ok();
    assert_eq!(identities["identities"][0]["app"], "phone");
    let export = app.get("/user/data/export").await.ok();
    assert_eq!(export["phone"], "+8613800000001");
    let text = export.to_string();
    // Times are seconds everywhere, and no secret is told.
    for (at, _) in text.match_indices("_at\":") {
        let digits: String = text[at + 5..]
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        assert!(digits.len() <= 10, "{digits}");
    }
    assert!(!text.contains(app.token.as_deref().unwrap()) && !text.contains("RT_mei"));
}

#[tokio::test]
async fn an_account_is_deleted_by_a_fresh_proof_and_its_owner_may_come_back() {
    let world = World::new().await;
    let mut app = device(&world);
    let uid = app.join("mei", P1).await["uid"].clone();
    world.turn(3600);
    app.post(DELETE, json!({})).await.no(4010);
    let digits = app.passcode(P1, "verify").await;
    app.post(DELETE, json!({"sms_code": "000"}))
        .await
        .bad("sms_code");
    let data = app.post(DELETE, json!({"sms_code": digits})).await.ok();
    assert!(data["deletable_at"].as_i64().unwrap() > 1_500_000_000);
    assert_eq!(data["kept"], json!(["security log", "tombstone"]));
    app.get("/user/me").await.no(5004);
    // By WeChat, and by phone.
    let refused = app.wechat("mei").await.no(4006);
    assert_eq!(refused["deletable_at"], data["deletable_at"]);
    device(&world).by_phone(P1).await.no(4006)["cancel_ticket"]
        .as_str()
        .unwrap();
    let ticket = refused["cancel_ticket"].clone();
    app.post(CANCEL, json!({})).await.bad("cancel_ticket");
    app.post(CANCEL, json!({"cancel_ticket": "1".repeat(39)}))
        .await
        .no(4003);
    let back = app
        .keyed("k")
        .post(CANCEL, json!({"cancel_ticket": ticket}))
        .await;
    app.keep(&back);
    let back = back.ok();
    assert_eq!(back["uid"], uid);
    assert_eq!(
        app.keyed("k")
            .post(CANCEL, json!({"cancel_ticket": ticket}))
            .await
            .ok(),
        back
    );
    app.get("/user/me").await.ok();
}

#[tokio::test]
async fn an_account_is_deleted_by_wechats_word_too() {
    let world = World::new().await;
    let mut app = device(&world);
    app.join("mei", P1).await;
    world.turn(3600);
    let state = app.prepare(json!({"purpose": "delete"})).await["state"].clone();
    let proof = json!({"code": world.code("mei"), "state": state});
    app.post(DELETE, json!({ "proof": proof })).await.ok();
    // Then it is gone, and whoever comes is new.
    world.turn(8 * 86_400);
    let now = world.house.clock.now();
    assert_eq!(world.house.engine.erase_due(now, 10).await.unwrap(), 1);
    assert_eq!(app.wechat("mei").await.ok()["is_bind"], false);
}

#[tokio::test]
async fn a_disabled_account_is_told_so() {
    let world = World::new().await;
    let mut app = device(&world);
    app.by_phone(P1).await.ok();
    let who = world
        .house
        .engine
        .browse()
        .users(1)
        .await
        .unwrap()
        .remove(0)
        .id;
    let now = world.house.clock.now();
    world
        .house
        .engine
        .set_user_status(who, UserStatus::Restricted, now)
        .await
        .unwrap();
    app.get("/user/me").await.no(4007);
    device(&world).by_phone(P1).await.no(4007);
}
