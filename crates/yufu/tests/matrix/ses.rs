//! SES: devices and sessions.

use std::time::Duration;

use serde_json::json;

use super::rows::Row;
use super::world::World;

const MEI: &str = "13800000001";

#[test]
fn ses_01_the_older_device_of_a_platform_is_told_by_what_it_was_replaced() {
    let row = Row::of("SES-01");
    let world = World::login("device_policy = \"one_per_platform\"");
    let person = world.person("梅");
    let mut x = world.app("phone-x", "android");
    world.member(&mut x, &person, MEI);
    world.pass(600);
    let mut y = world.app("phone-y", "android");
    row.hears(&world.arrive(&mut y, &person));
    let told = x.me();
    row.hears(&told);
    assert!((told.number("at") - world.now().seconds()).abs() <= 5);
    assert!(
        told.text("device").contains("phone-y"),
        "{}",
        told.answer.text()
    );
    y.me().ok();
    assert_eq!(world.sessions(), 1);
}

#[test]
fn ses_02_another_platform_is_another_device() {
    let row = Row::of("SES-02");
    let world = World::login("device_policy = \"one_per_platform\"");
    let person = world.person("梅");
    let mut x = world.app("phone", "android");
    world.member(&mut x, &person, MEI);
    let mut y = world.app("pad", "ios");
    row.hears(&world.arrive(&mut y, &person));
    x.me().ok();
    y.me().ok();
    assert_eq!(world.sessions(), 2);
}

#[test]
fn ses_03_where_the_newer_one_yields_it_is_refused() {
    let row = Row::of("SES-03");
    let world = World::login("device_policy = \"one_per_platform\"\nyields = \"new\"");
    let person = world.person("梅");
    let mut x = world.app("phone-x", "android");
    world.member(&mut x, &person, MEI);
    let mut y = world.app("phone-y", "android");
    row.hears(&world.arrive(&mut y, &person));
    x.me().ok();
    assert_eq!(world.sessions(), 1);
    // By the limit of devices as well.
    let world = World::login("session_limit = 1\nyields = \"new\"");
    let person = world.person("梅");
    let mut x = world.app("phone-x", "android");
    world.member(&mut x, &person, MEI);
    let mut y = world.app("pad", "ios");
    world.arrive(&mut y, &person).is(5006);
    // The device that is in may come again.
    world.arrive(&mut x, &person).ok();
}

#[test]
fn ses_04_a_removed_device_is_out_within_a_second() {
    let row = Row::of("SES-04");
    let world = World::new();
    let person = world.person("梅");
    let mut x = world.app("phone", "android");
    world.member(&mut x, &person, MEI);
    let mut y = world.app("pad", "ios");
    world.arrive(&mut y, &person).ok();
    y.me().ok();
    let list = x.get("/user/sessions");
    let sessions = list.ok()["sessions"].as_array().unwrap().clone();
    assert_eq!(sessions.len(), 2);
    let pad = sessions
        .iter()
        .find(|one| one["device_id"] == "pad")
        .unwrap();
    assert_eq!(
        (&pad["current"], &pad["platform"]),
        (&json!(false), &json!("ios"))
    );
    let id = pad["id"].as_str().unwrap();
    x.delete(&format!("/user/sessions/{id}")).ok();
    let began = yufu_web::clock::mark();
    row.hears(&y.me());
    assert!(began.elapsed() < Duration::from_secs(1));
    x.me().ok();
    let mut stranger = world.app("other", "web");
    world.caller(&mut stranger, "13800000002");
    let mine = x.get("/user/sessions").data["sessions"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    stranger.delete(&format!("/user/sessions/{mine}")).is(1001);
    x.me().ok();
}

#[test]
fn ses_05_logging_out_ends_this_session_alone() {
    let row = Row::of("SES-05");
    let world = World::new();
    let person = world.person("梅");
    let mut x = world.app("phone", "android");
    let uid = world.member(&mut x, &person, MEI);
    let mut y = world.app("pad", "ios");
    world.arrive(&mut y, &person).ok();
    x.post("/user/session/logout", &json!({})).ok();
    row.hears(&x.me());
    let refresh = x.refresh.clone().unwrap();
    assert_ne!(x.refresh_with(&refresh).code, 0);
    y.me().ok();
    assert_eq!(world.user(&uid).identities.len(), 1);
    assert!(!super::del::vault_is_empty(&world));
}

#[test]
fn ses_06_a_changed_number_ends_the_other_sessions() {
    let row = Row::of("SES-06");
    let world = World::new();
    let person = world.person("梅");
    let mut x = world.app("phone", "android");
    world.member(&mut x, &person, MEI);
    let mut y = world.app("pad", "ios");
    world.arrive(&mut y, &person).ok();
    world.pass(61);
    let digits = world.passcode(&mut x, "13800000002", "change");
    let body = json!({"phone": "13800000002", "sms_code": digits});
    x.post("/user/phone/change", &body).ok();
    row.hears(&y.me());
    x.me().ok();
    assert_eq!(world.phone_holder(MEI), None);
}

#[test]
fn ses_07_a_token_with_another_devices_secret_is_void() {
    let row = Row::of("SES-07");
    let world = World::new();
    let person = world.person("梅");
    let mut x = world.app("phone", "android");
    world.member(&mut x, &person, MEI);
    let mut thief = x.beside("phone", "android");
    thief.prepare();
    thief.token = x.token.clone();
    row.hears(&thief.me());
    assert_eq!(world.told("token_theft"), 1);
    assert_ne!(x.me().code, 0, "it is void for everybody");
    assert_eq!(world.sessions(), 0);
}
