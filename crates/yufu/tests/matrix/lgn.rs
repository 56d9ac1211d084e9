//! LGN: who logs in.

use serde_json::json;
use yufu_core::ticket::Kind;
use yufu_core::user::UserStatus;

use super::rows::Row;
use super::world::World;

#[test]
fn lgn_01_an_unknown_person_gets_a_ticket_and_no_account() {
    let row = Row::of("LGN-01");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let person = world.person("梅 é 🐟");
    let said = world.arrive(&mut app, &person);
    row.hears(&said);
    assert_eq!(said.text("token"), "");
    assert_eq!(said.data["is_bind"], false);
    assert!(said.text("bind_ticket").len() > 30);
    assert_eq!(said.data["profile"]["nickname"], "梅 é 🐟");
    assert!(
        said.data
            .get("refresh_token")
            .is_none_or(serde_json::Value::is_null)
    );
    assert!(world.users().is_empty());
    let rows = world.rows(Kind::Bind);
    assert_eq!(rows.len(), 1);
    let life = rows[0].ticket.expires_at.since(rows[0].ticket.issued_at);
    assert_eq!(life.as_seconds(), 600);
    app.me().is(5001);
}

#[test]
fn lgn_02_where_a_number_is_optional_there_is_an_account_at_once() {
    let row = Row::of("LGN-02");
    let world = World::login("bind_policy = \"optional\"");
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let said = world.arrive(&mut app, &person);
    row.hears(&said);
    assert_eq!(said.data["is_bind"], false);
    assert_eq!(world.users().len(), 1);
    assert_eq!(world.sessions(), 1);
    let me = app.me();
    assert_eq!(me.ok()["is_bind"], false);
    assert_eq!(me.data["nickname"], "梅");
}

#[test]
fn lgn_03_a_known_person_is_logged_in() {
    let row = Row::of("LGN-03");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let uid = world.member(&mut app, &person, "13800000001");
    let (before, vault) = (world.user(&uid), world.rows(Kind::Vault));
    world.pass(3600);
    let said = world.arrive(&mut app, &person);
    row.hears(&said);
    assert_eq!(said.data["is_bind"], true);
    assert_eq!(said.text("uid"), uid);
    assert!(world.user(&uid).seen_at > before.seen_at);
    assert_ne!(world.rows(Kind::Vault)[0].ticket.body, vault[0].ticket.body);
    assert_eq!(world.users().len(), 1);
    assert_eq!(app.me().text("uid"), uid);
}

#[test]
fn lgn_04_a_known_person_without_a_number_gets_a_ticket_for_the_account() {
    let row = Row::of("LGN-04");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let uid = world.member(&mut app, &person, "13800000001");
    // The number went to somebody else meanwhile.
    let id = world.user(&uid).id;
    world.beside(world.lose_number(id));
    let said = world.arrive(&mut app, &person);
    row.hears(&said);
    assert_eq!(said.text("token"), "");
    let ticket = said.text("bind_ticket").to_owned();
    assert_eq!(world.rows(Kind::Bind).last().unwrap().ticket.user, Some(id));
    let digits = world.passcode(&mut app, "13800000002", "bind");
    let bound = app.bind(
        &ticket,
        &json!({"phone": "13800000002", "sms_code": digits}),
    );
    assert_eq!(bound.ok()["uid"], uid.as_str());
    assert_eq!(world.users().len(), 1, "no second account");
}

#[test]
fn lgn_05_logging_in_again_voids_the_old_ticket() {
    let row = Row::of("LGN-05");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let first = world.arrive(&mut app, &person);
    row.hears(&first);
    let second = world.arrive(&mut app, &person);
    row.hears(&second);
    assert_ne!(first.text("bind_ticket"), second.text("bind_ticket"));
    let digits = world.passcode(&mut app, "13800000001", "bind");
    let body = json!({"phone": "13800000001", "sms_code": digits});
    app.bind(first.text("bind_ticket"), &body).is(4003);
    assert!(world.users().is_empty());
    app.bind(second.text("bind_ticket"), &body).ok();
}

#[test]
fn lgn_06_a_disabled_account_is_not_entered() {
    let row = Row::of("LGN-06");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let uid = world.member(&mut app, &person, "13800000001");
    let id = world.user(&uid).id;
    let status = UserStatus::Restricted;
    world
        .beside(world.engine.set_user_status(id, status, world.now()))
        .unwrap();
    app.me().is(4007);
    app.forget();
    let before = world.rows(Kind::Device).len();
    row.hears(&world.arrive(&mut app, &person));
    assert_eq!(world.rows(Kind::Device).len(), before);
    assert_eq!(world.told("login.disabled"), 1);
    world.pass(61);
    world.try_caller(&mut app, "13800000001").is(4007);
}

#[test]
fn lgn_07_an_account_that_ends_offers_to_stay() {
    let row = Row::of("LGN-07");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let uid = world.member(&mut app, &person, "13800000001");
    let asked = app.post("/user/account/delete", &json!({}));
    let deletable_at = asked.ok()["deletable_at"].as_i64().unwrap();
    app.forget();
    let said = world.arrive(&mut app, &person);
    row.hears(&said);
    assert_eq!(said.number("deletable_at"), deletable_at);
    assert!(matches!(world.user(&uid).status, UserStatus::Deleting(_)));
    assert_eq!(world.sessions_now(&uid), 0);
    let cancel = said.text("cancel_ticket").to_owned();
    let mut thief = app.beside("other", "ios");
    thief.prepare();
    thief
        .post(
            "/user/account/delete/cancel",
            &json!({"cancel_ticket": cancel}),
        )
        .is(4003);
    // In another's hands it was void; the owner logs in once more.
    let said = world.arrive(&mut app, &person);
    let cancel = said.is(4006)["cancel_ticket"].as_str().unwrap().to_owned();
    let back = app.post(
        "/user/account/delete/cancel",
        &json!({"cancel_ticket": cancel}),
    );
    app.keep(&back);
    assert_eq!(back.ok()["uid"], uid.as_str());
    assert_eq!(world.user(&uid).status, UserStatus::Active);
    world.pass(30 * 86_400);
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert_eq!(world.user(&uid).status, UserStatus::Active);
}

#[test]
fn lgn_08_what_belonged_to_a_deleted_account_begins_anew() {
    let row = Row::of("LGN-08");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let old = world.member(&mut app, &person, "13800000001");
    let asked = app.post("/user/account/delete", &json!({}));
    let wait = asked.ok()["deletable_at"].as_i64().unwrap() - world.now().seconds();
    world.pass(wait + 1);
    world.until("the account is erased", || {
        world.user(&old).status == UserStatus::Deleted
    });
    app.forget();
    let said = world.arrive(&mut app, &person);
    row.hears(&said);
    assert_eq!(said.data["is_bind"], false);
    let digits = world.passcode(&mut app, "13800000001", "bind");
    let body = json!({"phone": "13800000001", "sms_code": digits});
    let bound = app.bind(said.text("bind_ticket"), &body);
    let new = bound.ok()["uid"].as_str().unwrap().to_owned();
    assert_ne!(new, old);
    let me = app.me();
    assert!(me.ok()["created_at"].as_i64().unwrap() >= world.now().seconds() - 60);
}

#[test]
fn lgn_09_another_app_of_the_same_company_leads_to_the_same_user() {
    let row = Row::of("LGN-09");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let uid = world.member(&mut app, &person, "13800000001");
    let mut page = world.page("browser");
    let said = world.arrive_at_page(&mut page, &person);
    row.hears(&said);
    assert_eq!(said.text("uid"), uid);
    assert_eq!(said.data["is_bind"], true);
    let user = world.user(&uid);
    assert_eq!(user.identities.len(), 2);
    assert_ne!(user.identities[0].key, user.identities[1].key);
    assert_eq!(user.identities[0].person, user.identities[1].person);
    assert_eq!(world.users().len(), 1);
}

#[test]
fn lgn_10_an_openid_of_one_and_a_unionid_of_another_is_the_users_to_choose() {
    let row = Row::of("LGN-10");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    world.without_unionid();
    let first = world.member(&mut app, &person, "13800000001");
    let mut page = world.page("browser");
    let said = world.arrive_at_page(&mut page, &person);
    let digits = world.passcode(&mut page, "13800000002", "bind");
    let body = json!({"phone": "13800000002", "sms_code": digits});
    let second = page.bind(said.text("bind_ticket"), &body);
    let second = second.ok()["uid"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    let before = (world.user(&first), world.user(&second));
    let said = world.arrive(&mut app, &person);
    row.hears(&said);
    let candidates = said.data["candidates"].as_array().unwrap();
    assert_eq!(candidates.len(), 2);
    let text = said.answer.text();
    assert!(
        !text.contains("13800000001") && !text.contains("13800000002"),
        "{text}"
    );
    assert_eq!(
        (world.user(&first), world.user(&second)),
        before,
        "nothing is merged"
    );
    let ticket = said.text("merge_ticket").to_owned();
    let body = json!({"merge_ticket": ticket, "keep": "a"});
    let kept = app.post("/user/wechat/merge", &body);
    assert_eq!(kept.ok()["uid"], first.as_str());
    app.keep(&kept);
    assert_eq!(world.user(&first).identities.len(), 2);
    assert_eq!(world.user(&second).identities.len(), 0);
    assert_eq!(world.arrive_at_page(&mut page, &person).text("uid"), first);
}

#[test]
fn lgn_11_a_nickname_is_no_key() {
    let row = Row::of("LGN-11");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let first = world.member(&mut app, &world.person("梅"), "13800000001");
    let mut other = world.app("other", "ios");
    let twin = world.person("梅");
    let second = world.member(&mut other, &twin, "13800000002");
    assert_ne!(first, second);
    row.hears(&world.arrive(&mut other, &twin));
    assert_eq!(other.me().data["nickname"], "梅");
}
