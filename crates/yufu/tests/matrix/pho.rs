//! PHO: whose number is this.

use serde_json::{Value, json};
use yufu_core::ticket::Kind;
use yufu_core::user::UserStatus;

use super::app::{App, Said};
use super::gateway::{Gateway, Manner};
use super::rows::Row;
use super::world::{Person, Wish, World};

const MEI: &str = "13800000001";
const WEI: &str = "13800000002";

/// A ticket of a new person, and the app that has it.
fn newcomer(world: &World, device: &str, nickname: &str) -> (App, Person, String) {
    let mut app = world.app(device, "android");
    let person = world.person(nickname);
    let ticket = world.ticket(&mut app, &person);
    (app, person, ticket)
}

/// Binds a number with its passcode, and whatever else is said.
fn bind(world: &World, app: &mut App, ticket: &str, phone: &str, more: Value) -> Said {
    let digits = world.passcode(app, phone, "bind");
    let mut body = json!({"phone": phone, "sms_code": digits});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    app.bind(ticket, &body)
}

#[test]
fn pho_01_a_number_of_nobody_makes_one_account_of_both() {
    let row = Row::of("PHO-01");
    let world = World::new();
    let (mut app, person, ticket) = newcomer(&world, "phone", "梅");
    let said = bind(&world, &mut app, &ticket, MEI, json!({}));
    row.hears(&said);
    assert_eq!(said.data["is_bind"], true);
    let users = world.users();
    assert_eq!(users.len(), 1);
    assert_eq!(world.phone_holder(MEI), Some(users[0].id));
    let openid = world.openid(&person, &world.mobile);
    assert_eq!(
        world.identity_holder(&world.mobile, &openid),
        Some(users[0].id)
    );
    assert!(world.rows(Kind::Bind)[0].ticket.taken_at.is_some());
    assert_eq!(world.sessions(), 1);
    app.me().ok();
}

#[test]
fn pho_02_a_number_with_an_account_asks_first() {
    let row = Row::of("PHO-02");
    let world = World::new();
    let mut owner = world.app("old", "ios");
    let uid = world.caller(&mut owner, MEI);
    world.pass(3600);
    let before = world.user(&uid);
    let (mut app, _, ticket) = newcomer(&world, "phone", "梅");
    let said = bind(&world, &mut app, &ticket, MEI, json!({}));
    row.hears(&said);
    assert_eq!(said.data["account"]["phone"], "+86 138****0001");
    assert!(!said.answer.text().contains(MEI));
    assert_eq!(world.user(&uid), before);
    assert_eq!(world.users().len(), 1);
    // Ticket and proof stay good: no second passcode is asked for.
    world.pass(290);
    app.bind(&ticket, &json!({"confirm": true})).ok();
}

#[test]
fn pho_03_confirming_links_the_login() {
    let row = Row::of("PHO-03");
    let world = World::new();
    let mut owner = world.app("old", "ios");
    let uid = world.caller(&mut owner, MEI);
    world.pass(3600);
    let (mut app, person, ticket) = newcomer(&world, "phone", "梅");
    bind(&world, &mut app, &ticket, MEI, json!({})).is(4005);
    let said = app.bind(&ticket, &json!({"phone": MEI, "confirm": true}));
    row.hears(&said);
    assert_eq!(said.data["is_bind"], true);
    assert_eq!(said.text("uid"), uid);
    let openid = world.openid(&person, &world.mobile);
    assert_eq!(
        world.identity_holder(&world.mobile, &openid),
        Some(world.user(&uid).id)
    );
    world.until("the app is told", || {
        let heard = world.hook.heard();
        heard.iter().any(|one| one.body["type"] == "user.linked")
    });
    owner.me().ok();
}

#[test]
fn pho_04_declining_leaves_everything() {
    let row = Row::of("PHO-04");
    let world = World::new();
    let mut owner = world.app("old", "ios");
    let uid = world.caller(&mut owner, MEI);
    world.pass(3600);
    let (mut app, _, ticket) = newcomer(&world, "phone", "梅");
    bind(&world, &mut app, &ticket, MEI, json!({})).is(4005);
    let before = world.user(&uid);
    // The user goes back and types another number.
    let said = bind(&world, &mut app, &ticket, WEI, json!({}));
    assert_ne!(said.ok()["uid"], uid.as_str());
    assert_eq!(world.user(&uid), before);
    drop(row);
}

#[test]
fn pho_05_a_number_of_the_same_person_is_logged_in() {
    let row = Row::of("PHO-05");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let uid = world.member(&mut app, &person, MEI);
    world.pass(3600);
    // At the other app the unionid leads there at once; only where it came too late for the
    // ticket, the number finds it.
    world.without_unionid();
    let mut page = world.page("browser");
    let said = world.arrive_at_page(&mut page, &person);
    let ticket = said.ok()["bind_ticket"].as_str().unwrap().to_owned();
    let said = bind(&world, &mut page, &ticket, MEI, json!({"confirm": true}));
    row.hears(&said);
    assert_eq!(said.text("uid"), uid);
    assert_eq!(world.user(&uid).identities.len(), 2);
    assert_eq!(world.users().len(), 1);
}

#[test]
fn pho_06_a_number_of_another_persons_account_is_refused_with_the_ways_out() {
    let row = Row::of("PHO-06");
    let world = World::new();
    let mut owner = world.app("old", "ios");
    let uid = world.member(&mut owner, &world.person("旧"), MEI);
    world.pass(3600);
    let before = world.user(&uid);
    let (mut app, _, ticket) = newcomer(&world, "phone", "梅");
    let said = bind(&world, &mut app, &ticket, MEI, json!({}));
    row.hears(&said);
    assert_eq!(said.text("reason"), "other_wechat");
    assert_eq!(said.text("other"), "旧***");
    bind(&world, &mut app, &ticket, WEI, json!({})).ok();
    assert_eq!(world.user(&uid), before);
    owner.me().ok();
}

#[test]
fn pho_07_replacing_needs_proof_or_time() {
    let row = Row::of("PHO-07");
    let world = World::new();
    let mut owner = world.app("old", "ios");
    let old = world.person("旧");
    let uid = world.member(&mut owner, &old, MEI);
    world.pass(3600);
    let (mut app, new, ticket) = newcomer(&world, "phone", "梅");
    let replace = json!({"replace": true});
    let said = bind(&world, &mut app, &ticket, MEI, replace.clone());
    row.hears(&said);
    assert!(said.number("after") > world.now().seconds());
    owner.me().ok();
    // The old login is proved on this device too, for this purpose alone.
    let prepared = app.prepare_for("reauth");
    let state = prepared.text("state").to_owned();
    let code = world.code(&old, &state);
    let proof = json!({"code": code, "state": state});
    let said = app.bind(
        &ticket,
        &json!({"phone": MEI, "replace": true, "proof": proof}),
    );
    row.hears(&said);
    assert_eq!(said.text("uid"), uid);
    owner.me().is(5004);
    let user = world.user(&uid);
    assert_eq!(user.identities.len(), 1);
    assert_eq!(
        user.identities[0].key.subject,
        world.openid(&new, &world.mobile)
    );
    let openid = world.openid(&old, &world.mobile);
    assert_eq!(
        world.identity_holder(&world.mobile, &openid),
        None,
        "it is free"
    );
    assert_eq!(world.told("user.replaced"), 1);
    assert_eq!(world.told("user.replace_requested"), 1);
}

#[test]
fn pho_08_a_login_that_found_an_account_meanwhile_is_told_to_log_in() {
    let row = Row::of("PHO-08");
    let world = World::new();
    let person = world.person("梅");
    let (mut app, mut other) = (world.app("phone", "android"), world.app("pad", "ios"));
    let ticket = world.ticket(&mut app, &person);
    world.member(&mut other, &person, MEI);
    row.hears(&bind(&world, &mut app, &ticket, WEI, json!({})));
    bind_void(&mut app, &ticket);
    assert_eq!(world.users().len(), 1);
    world.arrive(&mut app, &person).ok();
}

fn bind_void(app: &mut App, ticket: &str) {
    app.bind(ticket, &json!({"phone": WEI, "sms_code": "123456"}))
        .is(4003);
}

#[test]
fn pho_09_a_ticket_that_is_unknown_over_or_used_is_refused() {
    let row = Row::of("PHO-09");
    let world = World::new();
    let (mut app, _, ticket) = newcomer(&world, "phone", "梅");
    row.hears(&app.bind("1unknown", &json!({"phone": MEI, "sms_code": "123456"})));
    let digits = world.passcode(&mut app, MEI, "bind");
    let body = json!({"phone": MEI, "sms_code": digits});
    let first = app.clone().bind_once(&ticket, &body, Some("key-1"));
    first.ok();
    app.clone()
        .bind_once(&ticket, &body, Some("key-2"))
        .is(4003);
    let again = app.clone().bind_once(&ticket, &body, Some("key-1"));
    assert_eq!(again.data_bytes(), first.data_bytes());
    // Another number is another request, whatever its key.
    let digits = world.passcode(&mut app, "13800000004", "bind");
    let other = json!({"phone": "13800000004", "sms_code": digits});
    app.bind_once(&ticket, &other, Some("key-1")).is(4003);
    let (mut free, _, unkeyed) = newcomer(&world, "phone", "朵");
    let digits = world.passcode(&mut free, "13800000003", "bind");
    let body = json!({"phone": "13800000003", "sms_code": digits});
    free.clone().bind_once(&unkeyed, &body, None).ok();
    free.bind_once(&unkeyed, &other, None).is(4003);
    let (mut late, _, ticket) = newcomer(&world, "pad", "伟");
    let digits = world.passcode(&mut late, WEI, "bind");
    world.pass(600);
    late.bind(&ticket, &json!({"phone": WEI, "sms_code": digits}))
        .is(4003);
    assert_eq!(world.users().len(), 2);
}

#[test]
fn pho_10_a_ticket_on_another_device_is_void() {
    let row = Row::of("PHO-10");
    let world = World::new();
    let (mut app, _, ticket) = newcomer(&world, "phone", "梅");
    let mut thief = app.beside("phone", "android");
    thief.prepare();
    row.hears(&bind(&world, &mut thief, &ticket, MEI, json!({})));
    assert_eq!(world.told("ticket_theft"), 1);
    bind_void(&mut app, &ticket);
    assert!(world.users().is_empty());
}

#[test]
fn pho_11_nobody_binds_by_saying_an_openid() {
    let row = Row::of("PHO-11");
    let world = World::new();
    let person = world.person("梅");
    let mut victim = world.app("phone", "android");
    world.member(&mut victim, &person, MEI);
    let openid = world.openid(&person, &world.mobile);
    let mut thief = world.app("other", "ios");
    thief.prepare();
    let digits = world.passcode(&mut thief, WEI, "bind");
    let body = json!({"openid": openid, "phone": WEI, "sms_code": digits});
    row.hears(&thief.post("/user/wechat/bind", &body));
    for field in ["openid", "unionid", "wx_openid"] {
        let ticket = world.ticket(&mut thief, &world.person("贼"));
        let mut body = json!({"bind_ticket": ticket, "phone": WEI, "sms_code": digits});
        body[field] = json!(openid);
        thief.post("/user/wechat/bind", &body).is(1001);
    }
    assert_eq!(world.users().len(), 1);
    assert_eq!(world.phone_holder(WEI), None);
}

#[test]
fn pho_12_a_number_of_an_account_that_ends_or_is_disabled() {
    let row = Row::of("PHO-12");
    let world = World::new();
    let mut owner = world.app("old", "ios");
    let uid = world.caller(&mut owner, MEI);
    owner.post("/user/account/delete", &json!({})).ok();
    let before = world.user(&uid);
    let (mut app, _, ticket) = newcomer(&world, "phone", "梅");
    world.pass(61);
    let said = bind(&world, &mut app, &ticket, MEI, json!({"confirm": true}));
    row.hears(&said);
    assert!(said.number("deletable_at") > 0);
    assert!(said.data.get("cancel_ticket").is_none_or(Value::is_null));
    assert_eq!(world.user(&uid), before);
    let mut second = world.app("older", "ios");
    let uid = world.caller(&mut second, WEI);
    let id = world.user(&uid).id;
    let status = UserStatus::Restricted;
    world
        .beside(world.engine.set_user_status(id, status, world.now()))
        .unwrap();
    world.pass(61);
    row.hears(&bind(
        &world,
        &mut app,
        &ticket,
        WEI,
        json!({"confirm": true}),
    ));
    bind(&world, &mut app, &ticket, "13800000003", json!({})).ok();
}

#[test]
fn pho_13_a_number_that_was_given_to_somebody_else_starts_afresh() {
    let row = Row::of("PHO-13");
    let history = Gateway::open();
    history.answers(Manner::Say(200, "{\"reissued\":true}".into()));
    let world = World::with(Wish {
        tables: format!(
            "[number_history]\nurl = \"{}\"\nsecret = \"0123456789abcdef0123456789abcdef\"\n",
            history.url("/history")
        ),
        ..Wish::default()
    });
    let mut owner = world.app("old", "ios");
    let uid = world.member(&mut owner, &world.person("旧"), MEI);
    world.pass(181 * 86_400);
    let (mut app, _, ticket) = newcomer(&world, "phone", "梅");
    let said = bind(&world, &mut app, &ticket, MEI, json!({}));
    row.hears(&said);
    assert!(
        !said.answer.text().contains("旧"),
        "nothing of the account is shown"
    );
    assert_eq!(
        world
            .user(&uid)
            .phone
            .as_ref()
            .map(|phone| phone.as_str().len()),
        Some(14)
    );
    let said = app.bind(&ticket, &json!({"phone": MEI, "fresh": true}));
    row.hears(&said);
    assert_ne!(said.text("uid"), uid);
    let old = world.user(&uid);
    assert_eq!((old.phone, old.identities.len()), (None, 1));
    assert!(
        history
            .heard()
            .iter()
            .all(|one| one.body["phone"] == "+8613800000001")
    );
}

#[test]
fn pho_14_a_carriers_token_proves_a_number_once() {
    let row = Row::of("PHO-14");
    let carrier = Gateway::open();
    carrier.answers(Manner::Say(200, "{\"phone\":\"+8613800000001\"}".into()));
    let world = World::with(Wish {
        tables: format!(
            "[carrier]\nurl = \"{}\"\nsecret = \"0123456789abcdef0123456789abcdef\"\n",
            carrier.url("/token")
        ),
        ..Wish::default()
    });
    let (mut app, _, ticket) = newcomer(&world, "phone", "梅");
    let said = app.bind(&ticket, &json!({"carrier_token": "t-1"}));
    row.hears(&said);
    assert!(world.phone_holder(MEI).is_some());
    assert_eq!(carrier.heard().len(), 1);
    assert_eq!(carrier.heard()[0].body["token"], "t-1");
    carrier.answers(Manner::Say(400, "{\"error\":\"used\"}".into()));
    let (mut other, _, ticket) = newcomer(&world, "pad", "伟");
    row.hears(&other.bind(&ticket, &json!({"carrier_token": "t-1"})));
    assert_eq!(world.users().len(), 1);
    // The form for a passcode is still there.
    bind(&world, &mut other, &ticket, WEI, json!({})).ok();
}

#[test]
fn pho_15_however_a_number_is_typed_it_is_one_number() {
    let row = Row::of("PHO-15");
    let world = World::new();
    let (mut app, _, ticket) = newcomer(&world, "phone", "梅");
    let digits = world.passcode(&mut app, "+86 138 0000 0001", "bind");
    let typed = "１３８-０００００００１";
    let said = app.bind(&ticket, &json!({"phone": typed, "sms_code": digits}));
    row.hears(&said);
    assert!(world.phone_holder("0086 13800000001").is_some());
    assert_eq!(
        world.users()[0].phone.as_ref().unwrap().as_str(),
        "+8613800000001"
    );
    let bad = app.post(
        "/user/sms/send",
        &json!({"phone": "12345", "scene": "bind"}),
    );
    row.hears(&bad);
    for bad in [
        "",
        "1380000000",
        "138000000011",
        "01012345678",
        "+860101234567",
        "abc",
        "12800000001",
    ] {
        let said = app.post("/user/sms/send", &json!({"phone": bad, "scene": "login"}));
        assert!(
            matches!(said.code, 3001 | 1001),
            "{bad}: {}",
            said.answer.text()
        );
    }
    assert_eq!(world.sms.heard().len(), 1);
}
