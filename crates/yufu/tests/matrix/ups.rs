//! UPS: the upstream misbehaves.

use std::time::Duration;

use serde_json::{Value, json};
use yufu_core::ticket::Kind;

use super::app::App;
use super::rows::Row;
use super::upstream::Fault;
use super::world::{Wish, World};

const EXCHANGE: &str = "/sns/oauth2/access_token";
const PROFILE: &str = "/sns/userinfo";

/// A login that is about to happen: the app, the code, the state.
fn ready(world: &World) -> (App, String, String) {
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let state = app.prepare();
    let code = world.code(&person, &state);
    (app, code, state)
}

/// That nothing was left of a login.
#[track_caller]
fn nothing_left(world: &World) {
    assert!(world.users().is_empty());
    assert!(world.rows(Kind::Bind).is_empty());
    assert!(world.rows(Kind::Vault).is_empty());
    assert_eq!(world.sessions(), 0);
}

#[test]
fn ups_01_an_upstream_that_cannot_be_reached_spends_no_code() {
    let row = Row::of("UPS-01");
    let world = World::with(Wish {
        closed: true,
        ..Wish::default()
    });
    let (mut app, code, state) = ready(&world);
    let began = yufu_web::clock::mark();
    let said = app.login(&code, &state);
    row.hears(&said);
    assert!(began.elapsed() < Duration::from_secs(6));
    assert!(said.number("retry_after") >= 1);
    nothing_left(&world);
    // The same code and state may be sent again: it is judged by the upstream, not by us.
    let again = app.login(&code, &state);
    again.is(2004);
}

#[test]
fn ups_02_a_lost_answer_means_authorizing_again() {
    let row = Row::of("UPS-02");
    let world = World::new();
    let (mut app, code, state) = ready(&world);
    world.upstream.misbehave(EXCHANGE, 1, Fault::Drop);
    row.hears(&app.login(&code, &state));
    assert_eq!(
        world.upstream.exchanges(),
        2,
        "the retry heard that it was used"
    );
    assert_eq!(world.told("login.lost_response"), 1);
    nothing_left(&world);
}

#[test]
fn ups_03_a_busy_upstream_is_asked_again_twice() {
    let row = Row::of("UPS-03");
    let world = World::new();
    let (mut app, code, state) = ready(&world);
    world.upstream.misbehave(EXCHANGE, 2, Fault::Errcode(-1));
    row.hears(&app.login(&code, &state));
    assert_eq!(world.upstream.exchanges(), 3);
    let world = World::new();
    let (mut app, code, state) = ready(&world);
    world.upstream.misbehave(EXCHANGE, 9, Fault::Errcode(-1));
    row.hears(&app.login(&code, &state));
    assert_eq!(world.upstream.exchanges(), 3);
    nothing_left(&world);
    world.upstream.behave();
    world.pass(60);
    app.login(&code, &state).ok();
}

#[test]
fn ups_04_a_quota_by_the_minute_rests_until_the_next() {
    let row = Row::of("UPS-04");
    let world = World::new();
    let (mut app, code, state) = ready(&world);
    world.upstream.misbehave(EXCHANGE, 1, Fault::Errcode(45011));
    let said = app.login(&code, &state);
    row.hears(&said);
    let wait = said.number("retry_after");
    assert!((1..=60).contains(&wait), "{wait}");
    app.login(&code, &state).is(2004);
    assert_eq!(
        world.upstream.exchanges(),
        1,
        "no retry, and none while it rests"
    );
    world.pass(wait);
    app.login(&code, &state).ok();
    assert_eq!(world.upstream.exchanges(), 2);
}

#[test]
fn ups_05_a_quota_by_the_day_marks_the_button() {
    let row = Row::of("UPS-05");
    let world = World::new();
    let (mut app, code, state) = ready(&world);
    assert_eq!(app.get("/user/config").data["wechat"]["status"], "ok");
    world
        .upstream
        .misbehave(EXCHANGE, 99, Fault::Errcode(45009));
    row.hears(&app.login(&code, &state));
    let config = app.get("/user/config");
    let wechat = &config.data["wechat"];
    let of_app = |name: &str| {
        let apps = wechat["apps"].as_array().unwrap();
        let app = apps.iter().find(|app| app["app"] == name);
        app.map(|app| app["status"].clone()).unwrap_or_default()
    };
    assert_eq!(of_app("mobile"), "degraded");
    // The other app of ours has a quota of its own, so WeChat as a whole is there.
    assert_eq!(
        (of_app("site"), &wechat["status"]),
        (json!("ok"), &json!("ok"))
    );
    app.login(&code, &state).is(2004);
    app.login(&code, &state).is(2004);
    world.until("the alert is written down", || alerts(&world) > 0);
    assert_eq!(alerts(&world), 1);
    nothing_left(&world);
}

/// How often somebody was alerted.
fn alerts(world: &World) -> usize {
    let events = world.events();
    let alerts = events
        .iter()
        .filter(|event| event.what == "upstream.degraded");
    alerts.count()
}

#[test]
fn ups_06_what_is_no_answer_logs_nobody_in() {
    let row = Row::of("UPS-06");
    let world = World::new();
    let (mut app, code, state) = ready(&world);
    world.upstream.misbehave(EXCHANGE, 1, Fault::Half);
    row.hears(&app.login(&code, &state));
    nothing_left(&world);
    let kept = world.events();
    let kept = kept
        .iter()
        .find(|event| event.what == "login.upstream_unreadable");
    let kept = &kept.expect("an event").detail;
    assert!(kept.contains("access_token"), "{kept}");
    assert!(
        kept.len() < 700 && !kept.contains(&world.mobile.secret),
        "{kept}"
    );
    let page = "<html><body>Bad Gateway</body></html>".to_owned();
    let large = format!("{{\"access_token\":\"{}\"}}", "x".repeat(200_000));
    for (kind, body) in [
        ("text/html", page),
        ("application/json", large),
        ("text/plain", String::new()),
        ("text/plain", "[]".into()),
        ("text/plain", "null".into()),
        ("text/plain", "{\"access_token\":1,\"openid\":[]}".into()),
        ("text/plain", "[".repeat(60_000)),
    ] {
        let world = World::new();
        let (mut app, code, state) = ready(&world);
        world
            .upstream
            .misbehave(EXCHANGE, 1, Fault::Say(200, kind, body.clone()));
        let said = app.login(&code, &state);
        assert_eq!(said.code, 2005, "{:.80}: {}", body, said.answer.text());
        nothing_left(&world);
    }
}

#[test]
fn ups_07_an_answer_is_read_by_what_it_holds() {
    let row = Row::of("UPS-07");
    let world = World::new();
    let (mut app, code, state) = ready(&world);
    world.upstream.misbehave(
        EXCHANGE,
        1,
        Fault::Change(|answer| {
            answer["errcode"] = json!(0);
            answer["errmsg"] = json!("ok");
            answer["new_thing"] = json!({"errcode": 40029, "a": [1, 2]});
        }),
    );
    let said = app.login(&code, &state);
    assert_eq!(row.hears(&said).data["is_bind"], false);
}

#[test]
fn ups_08_an_answer_without_an_openid_or_of_two_logs_nobody_in() {
    let row = Row::of("UPS-08");
    let world = World::new();
    let (mut app, code, state) = ready(&world);
    world.upstream.misbehave(
        EXCHANGE,
        1,
        Fault::Change(|answer| {
            answer.as_object_mut().unwrap().remove("openid");
        }),
    );
    row.hears(&app.login(&code, &state));
    nothing_left(&world);
    let changes: [fn(&mut Value); 2] = [
        |answer| answer["openid"] = json!("oSomebodyElse000000000000000"),
        |answer| answer["unionid"] = json!("oSomebodyElse000000000000000"),
    ];
    for change in changes {
        let world = World::new();
        let (mut app, code, state) = ready(&world);
        world.upstream.misbehave(PROFILE, 1, Fault::Change(change));
        app.login(&code, &state).is(2005);
        nothing_left(&world);
        assert_eq!(world.told("login.upstream_unreadable"), 1);
    }
}

#[test]
fn ups_09_an_answer_after_the_budget_is_attached_and_said_at_the_next_asking() {
    let row = Row::of("UPS-09");
    let world = World::login("answer_budget = 1");
    let (mut app, code, state) = ready(&world);
    world
        .upstream
        .misbehave(EXCHANGE, 1, Fault::Slow(Duration::from_millis(1800)));
    let began = yufu_web::clock::mark();
    let said = app.login(&code, &state);
    row.hears(&said);
    assert!(began.elapsed() < Duration::from_millis(1700));
    let mut second = app.login(&code, &state);
    if second.code == 2004 {
        second = app.login(&code, &state);
    }
    assert_eq!(row.hears(&second).data["is_bind"], false);
    assert_eq!(world.upstream.exchanges(), 1);
}

#[test]
fn ups_10_a_wrong_secret_is_alerted_and_never_echoed() {
    let row = Row::of("UPS-10");
    let world = World::new();
    let (mut app, code, state) = ready(&world);
    world.upstream.misbehave(EXCHANGE, 1, Fault::Errcode(40125));
    let said = app.login(&code, &state);
    row.hears(&said);
    assert!(!said.answer.text().contains(&world.mobile.secret));
    assert_eq!(world.upstream.exchanges(), 1, "no retry");
    assert_eq!(world.told("alert.upstream_config"), 1);
    nothing_left(&world);
    for code in [40013, 40001] {
        let world = World::new();
        let (mut app, given, state) = ready(&world);
        world.upstream.misbehave(EXCHANGE, 1, Fault::Errcode(code));
        app.login(&given, &state).is(2003);
    }
}

#[test]
fn ups_11_a_profile_that_cannot_be_read_comes_later() {
    let row = Row::of("UPS-11");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let uid = world.member(&mut app, &person, "13800000001");
    world.rename(&person, "新名", "https://pic.example.com/new");
    world.upstream.misbehave(PROFILE, 1, Fault::Errcode(-1));
    let said = world.arrive(&mut app, &person);
    row.hears(&said);
    assert!(said.data["profile"].is_null(), "{}", said.answer.text());
    assert_eq!(said.data["is_bind"], true);
    world.upstream.behave();
    world.until("the profile is read later", || {
        world.user(&uid).identities[0].nickname == "新名"
    });
}

#[test]
fn ups_12_a_token_without_the_profile_logs_in_without_one() {
    let row = Row::of("UPS-12");
    let world = World::new();
    let (mut app, code, state) = ready(&world);
    world.upstream.misbehave(PROFILE, 1, Fault::Errcode(48001));
    let said = app.login(&code, &state);
    row.hears(&said);
    assert!(said.data["profile"].is_null());
    assert!(world.rows(Kind::Sync).is_empty(), "nothing to read later");
}

#[test]
fn ups_13_a_restricted_user_is_not_logged_in() {
    let row = Row::of("UPS-13");
    let world = World::new();
    let (mut app, code, state) = ready(&world);
    world.upstream.misbehave(EXCHANGE, 1, Fault::Errcode(50002));
    row.hears(&app.login(&code, &state));
    nothing_left(&world);
    let world = World::new();
    let (mut app, code, state) = ready(&world);
    world.upstream.misbehave(PROFILE, 1, Fault::Errcode(50002));
    app.login(&code, &state).is(2007);
    nothing_left(&world);
}
