//! What somebody tries over HTTP who has less than they need.

use serde_json::json;
use yufu_core::login::BindPolicy;

use crate::world::{P1, P2, TERMS, World, device, plan};

const LINK: &str = "/user/wechat/link";

#[tokio::test]
async fn a_session_alone_links_nothing_and_spends_no_code() {
    let mut plan = plan();
    plan.settings.access_life = yufu_core::time::Lifetime::days(1);
    let world = World::of(plan).await;
    let mut app = device(&world);
    app.by_phone(P1).await.ok();
    world.turn(301);
    let state = app.prepare(json!({"purpose": "link"})).await["state"].clone();
    let mut body = json!({"code": world.code("mei"), "state": state});
    let asked = app.post(LINK, body.clone()).await.no(4010);
    assert_eq!(asked["proofs"], json!(["phone"]));
    assert_eq!(
        app.get("/user/identities").await.ok()["identities"],
        json!([])
    );
    // Nor does it change the number or end the account.
    let change = json!({"phone": P2, "sms_code": app.passcode(P2, "change").await});
    app.post("/user/phone/change", change).await.no(4010);
    app.post("/user/account/delete", json!({})).await.no(4010);
    // The same code goes through with a proof.
    body["sms_code"] = json!(app.passcode(P1, "verify").await);
    let data = app.post(LINK, body).await.ok();
    assert_eq!(data["identities"][0]["status"], "linked");
}

#[tokio::test]
async fn a_session_alone_binds_no_first_number() {
    let mut plan = plan();
    plan.settings.bind_policy = BindPolicy::Optional;
    plan.settings.access_life = yufu_core::time::Lifetime::days(1);
    let world = World::of(plan).await;
    let mut app = device(&world);
    app.wechat("mei").await.ok();
    world.turn(301);
    let change = "/user/phone/change";
    let mut body = json!({"phone": P1, "sms_code": app.passcode(P1, "change").await});
    let asked = app.post(change, body.clone()).await.no(4010);
    assert_eq!(asked["proofs"], json!(["wechat"]));
    let state = app.prepare(json!({"purpose": "reauth"})).await["state"].clone();
    body["proof"] = json!({"code": world.code("mei"), "state": state});
    app.post(change, body).await.ok();
}

#[tokio::test]
async fn a_carrier_is_not_asked_for_ever_by_whoever_has_no_token() {
    let world = World::new().await;
    let mut app = device(&world);
    app.state().await;
    let enter = "/user/phone/login";
    let body = json!({"carrier_token": "none", "consent_version": TERMS});
    for _ in 0..50 {
        app.post(enter, body.clone()).await.no(3009);
    }
    app.post(enter, body.clone()).await.no(1002);
    world.turn(10);
    app.post(enter, body).await.no(3009);
}
