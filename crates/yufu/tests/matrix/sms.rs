//! SMS: passcodes.

use serde_json::json;
use yufu_core::ticket::{Kind, Scene};

use super::app::{App, Said, TERMS};
use super::gateway::{Gateway, Manner};
use super::rows::Row;
use super::world::{Wish, World};

const MEI: &str = "13800000001";

fn send(app: &App, phone: &str, scene: &str) -> Said {
    app.post("/user/sms/send", &json!({"phone": phone, "scene": scene}))
}

/// An app whose device has a secret.
fn app(world: &World) -> App {
    let mut app = world.app("phone", "android");
    app.prepare();
    app
}

fn enter(app: &App, phone: &str, digits: &str) -> Said {
    app.post(
        "/user/phone/login",
        &json!({"phone": phone, "sms_code": digits, "consent_version": TERMS}),
    )
}

/// Six digits that are not these.
fn other(digits: &str, n: u32) -> String {
    let value: u32 = digits.parse().unwrap();
    format!("{:06}", (value + n) % 1_000_000)
}

#[test]
fn sms_01_a_passcode_is_six_digits_and_kept_as_a_hash() {
    let row = Row::of("SMS-01");
    let world = World::new();
    let app = app(&world);
    let said = send(&app, MEI, "login");
    row.hears(&said);
    assert_eq!((said.number("resend_after"), said.number("ttl")), (60, 300));
    assert_eq!(world.sms.heard().len(), 1, "one call of the gateway");
    let digits = world.sms.passcode("+8613800000001");
    assert!(
        digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_digit()),
        "{digits}"
    );
    let rows = world.rows(Kind::Passcode);
    assert_eq!(rows.len(), 1);
    let body = String::from_utf8_lossy(&rows[0].ticket.body).into_owned();
    assert!(!body.contains(&digits), "{body}");
    assert!(body.contains(Scene::Login.word()), "{body}");
    assert!(!said.answer.text().contains(&digits));
}

#[test]
fn sms_02_within_a_minute_no_second_one_is_sent() {
    let row = Row::of("SMS-02");
    let world = World::new();
    let app = app(&world);
    send(&app, MEI, "login").ok();
    world.pass(20);
    let said = send(&app, MEI, "login");
    row.hears(&said);
    assert!(
        (38..=40).contains(&said.number("retry_after")),
        "{}",
        said.answer.text()
    );
    assert_eq!(world.sms.heard().len(), 1);
    world.pass(40);
    send(&app, MEI, "login").ok();
}

#[test]
fn sms_03_five_an_hour_and_ten_a_day_are_the_most() {
    let row = Row::of("SMS-03");
    let world = World::login("device_passcodes = 1000");
    let app = app(&world);
    for _ in 0..5 {
        send(&app, MEI, "login").ok();
        world.pass(61);
    }
    let said = send(&app, MEI, "bind");
    row.hears(&said);
    let wait = said.number("retry_after");
    assert!((3200..=3300).contains(&wait), "{wait}");
    world.pass(wait + 1);
    for _ in 0..5 {
        let said = send(&app, MEI, "login");
        said.ok();
        world.pass(900);
    }
    let said = send(&app, MEI, "login");
    assert!(said.is(3003)["retry_after"].as_i64().unwrap() > 3600);
    assert_eq!(world.sms.heard().len(), 10);
    send(&app, "13800000002", "login").ok();
}

#[test]
fn sms_04_too_many_from_one_place_ask_for_a_captcha() {
    let row = Row::of("SMS-04");
    let captcha = Gateway::open();
    captcha.answers(Manner::Say(200, "{\"success\":true}".into()));
    let world = World::with(Wish {
        login: "device_passcodes = 2".into(),
        tables: format!(
            "[captcha]\nurl = \"{}\"\nsecret = \"0123456789abcdef0123456789abcdef\"\n",
            captcha.url("/verify")
        ),
        ..Wish::default()
    });
    let app = app(&world);
    send(&app, "13800000001", "login").ok();
    send(&app, "13800000002", "login").ok();
    row.hears(&send(&app, "13800000003", "login"));
    assert_eq!(world.sms.heard().len(), 2);
    let solved = json!({"phone": "13800000003", "scene": "login", "captcha": "solved"});
    row.hears(&app.post("/user/sms/send", &solved));
    assert_eq!(captcha.heard()[0].body["response"], "solved");
    captcha.answers(Manner::Say(200, "{\"success\":false}".into()));
    let failed = json!({"phone": "13800000004", "scene": "login", "captcha": "wrong"});
    let said = app.post("/user/sms/send", &failed);
    assert!(matches!(said.code, 3008), "{}", said.answer.text());
    assert_eq!(world.sms.heard().len(), 3);
}

#[test]
fn sms_05_a_wrong_one_is_counted() {
    let row = Row::of("SMS-05");
    let world = World::new();
    let app = app(&world);
    send(&app, MEI, "login").ok();
    let digits = world.sms.passcode("+8613800000001");
    let said = enter(&app, MEI, &other(&digits, 1));
    row.hears(&said);
    assert_eq!(said.number("left"), 4);
    let rows = world.rows(Kind::Passcode);
    let body = String::from_utf8_lossy(&rows[0].ticket.body).into_owned();
    assert!(body.contains("\"attempts\":1"), "{body}");
    enter(&app, MEI, &digits).ok();
}

#[test]
fn sms_06_the_fifth_wrong_one_voids_it() {
    let row = Row::of("SMS-06");
    let world = World::new();
    let app = app(&world);
    send(&app, MEI, "login").ok();
    let digits = world.sms.passcode("+8613800000001");
    for n in 1..5 {
        enter(&app, MEI, &other(&digits, n)).is(3004);
    }
    row.hears(&enter(&app, MEI, &other(&digits, 5)));
    let said = enter(&app, MEI, &digits);
    assert!(matches!(said.code, 3005 | 3006), "{}", said.answer.text());
    assert!(world.users().is_empty());
}

#[test]
fn sms_07_one_that_is_over_used_replaced_or_of_another_scene_is_refused() {
    let row = Row::of("SMS-07");
    let world = World::new();
    let app = app(&world);
    send(&app, MEI, "login").ok();
    let old = world.sms.passcode("+8613800000001");
    world.pass(300);
    row.hears(&enter(&app, MEI, &old));
    send(&app, MEI, "login").ok();
    let replaced = world.sms.passcode("+8613800000001");
    world.pass(61);
    send(&app, MEI, "login").ok();
    let newest = world.sms.passcode("+8613800000001");
    if replaced != newest {
        enter(&app, MEI, &replaced).is(3005);
    }
    enter(&app, MEI, &newest).ok();
    enter(&app, MEI, &newest).is(3005);
    // One of another scene.
    let phone = "13800000002";
    send(&app, phone, "bind").ok();
    let bind = world.sms.passcode("+8613800000002");
    row.hears(&enter(&app, phone, &bind));
    assert_eq!(world.phone_holder(phone), None);
}

#[test]
fn sms_08_a_gateways_own_limit_is_passed_on() {
    let row = Row::of("SMS-08");
    let world = World::new();
    let app = app(&world);
    world
        .sms
        .answers(Manner::Say(429, "{\"error\":\"limited\"}".into()));
    row.hears(&send(&app, MEI, "login"));
    let digits = world.sms.passcode("+8613800000001");
    enter(&app, MEI, &digits).is(3005);
    assert!(world.users().is_empty());
}

#[test]
fn sms_09_a_silent_gateway_is_followed_by_the_next_with_the_same_digits() {
    let row = Row::of("SMS-09");
    let second = Gateway::open();
    let world = World::with(Wish {
        tables: format!(
            "[[sms_gateway]]\nname = \"second\"\nkind = \"webhook\"\nurl = \"{}\"\n\
             secret = \"0123456789abcdef0123456789abcdef\"\n",
            second.url("/sms")
        ),
        ..Wish::default()
    });
    let app = app(&world);
    world.sms.answers(Manner::Silent);
    row.hears(&send(&app, MEI, "login"));
    let (first, next) = (
        world.sms.passcode("+8613800000001"),
        second.passcode("+8613800000001"),
    );
    assert_eq!(first, next, "a late message still works");
    enter(&app, MEI, &first).ok();
    second.answers(Manner::Say(500, "{}".into()));
    let phone = "13800000002";
    row.hears(&send(&app, phone, "login"));
    let digits = second.passcode("+8613800000002");
    enter(&app, phone, &digits).is(3005);
}

#[test]
fn sms_10_known_and_unknown_numbers_are_answered_alike() {
    let row = Row::of("SMS-10");
    let world = World::new();
    let mut member = world.app("old", "ios");
    world.caller(&mut member, MEI);
    world.pass(3600);
    let app = app(&world);
    let known = send(&app, MEI, "login");
    row.hears(&known);
    let unknown = send(&app, "13800000009", "login");
    unknown.ok();
    assert_eq!(known.data_bytes(), unknown.data_bytes());
    let headers = |said: &Said| {
        let names = said.answer.headers.iter().map(|(name, _)| name.clone());
        names.collect::<Vec<_>>()
    };
    assert_eq!(headers(&known), headers(&unknown));
    let wrong = |phone: &str| {
        let digits = world.sms.passcode(&format!("+86{phone}"));
        enter(&app, phone, &other(&digits, 1))
            .data_bytes()
            .to_owned()
    };
    assert_eq!(wrong(MEI), wrong("13800000009"));
}
