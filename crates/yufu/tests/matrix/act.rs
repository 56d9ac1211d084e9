//! CLI and ACT: before the upstream, and what the user does there.

use serde_json::json;
use yufu_core::ticket::Kind;

use super::app::TERMS;
use super::rows::Row;
use super::world::World;

#[test]
fn cli_05_nothing_begins_before_the_terms_are_accepted() {
    let row = Row::of("CLI-05");
    let world = World::new();
    let app = world.app("phone", "ios");
    row.hears(&app.post(
        "/user/wechat/prepare",
        &json!({"app": "mobile", "device_id": "phone"}),
    ));
    assert!(world.rows(Kind::Transaction).is_empty());
}

#[test]
fn act_01_agreeing_logs_in_once() {
    let row = Row::of("ACT-01");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let state = app.prepare();
    let code = world.code(&person, &state);
    let said = app.login(&code, &state);
    row.hears(&said);
    assert_eq!(world.upstream.exchanges(), 1);
    assert_eq!(said.data["is_bind"], false);
    assert!(world.users().is_empty());
    world.pass(61);
    app.login(&code, &state).is(2002);
    assert_eq!(world.upstream.exchanges(), 1, "the transaction is used up");
}

#[test]
fn cli_09_a_device_with_a_screen_gets_an_address_for_a_code() {
    let row = Row::of("CLI-09");
    let world = World::new();
    let app = world.app("tv", "tv");
    let said = app.post(
        "/user/wechat/prepare",
        &json!({"app": "web", "device_id": "tv", "platform": "tv", "mode": "qr",
                "consent_version": TERMS}),
    );
    row.hears(&said);
    assert!(
        said.text("qr_url").starts_with("http"),
        "{}",
        said.answer.text()
    );
    assert_eq!(said.number("expires_in"), 600);
    let rows = world.rows(Kind::Transaction);
    assert_eq!(rows.len(), 1);
    assert!(String::from_utf8_lossy(&rows[0].ticket.body).contains("\"mode\":\"qr\""));
}

/// Closes the transaction in a word, and shows that it is over with nobody in it.
fn closes(row: &Row, reason: &str) {
    let world = World::new();
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let state = app.prepare();
    let body = json!({"state": state, "reason": reason});
    row.hears(&app.post("/user/wechat/prepare/close", &body));
    let code = world.code(&person, &state);
    app.login(&code, &state).is(1004);
    assert_eq!(world.upstream.exchanges(), 0);
    assert!(world.users().is_empty());
    let rows = world.rows(Kind::Transaction);
    assert!(String::from_utf8_lossy(&rows[0].ticket.body).contains(reason));
}

#[test]
fn act_02_denying_closes_the_transaction() {
    closes(&Row::of("ACT-02"), "denied");
}

#[test]
fn act_03_cancelling_closes_the_transaction() {
    closes(&Row::of("ACT-03"), "cancelled");
}

#[test]
fn act_04_a_login_of_the_client_itself_in_between_changes_nothing() {
    let row = Row::of("ACT-04");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let state = app.prepare();
    // The user makes an account at the platform first, which takes a while.
    world.pass(240);
    let person = world.person("梅");
    let code = world.code(&person, &state);
    let said = app.login(&code, &state);
    assert_eq!(row.hears(&said).data["is_bind"], false);
}

#[test]
fn act_05_a_late_answer_is_still_taken() {
    let row = Row::of("ACT-05");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let state = app.prepare();
    world.pass(590);
    let code = world.code(&person, &state);
    row.hears(&app.login(&code, &state));
}

#[test]
fn act_06_an_app_that_was_killed_finishes_once() {
    let row = Row::of("ACT-06");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let state = app.prepare();
    // What a new process has is what was kept: the device's secret and the state.
    let mut revived = app.beside("phone", "android");
    revived.device = app.device.clone();
    let code = world.code(&person, &state);
    row.hears(&revived.login(&code, &state));
    assert_eq!(world.upstream.exchanges(), 1);
    world.pass(61);
    app.login(&code, &state).is(2002);
}

#[test]
fn act_07_a_state_that_the_device_does_not_know_spends_no_code() {
    let row = Row::of("ACT-07");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let state = app.prepare();
    let code = world.code(&person, &state);
    // The app's data is gone: a new device secret, no state of its own.
    let mut cleared = app.beside("phone", "android");
    cleared.prepare();
    row.hears(&cleared.login(&code, &state));
    assert_eq!(world.upstream.exchanges(), 0);
    world.pass(600);
    app.login(&code, &state).is(1004);
    assert_eq!(world.upstream.exchanges(), 0, "it expired unused");
}

#[test]
fn act_08_a_newer_transaction_supersedes_the_older() {
    let row = Row::of("ACT-08");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let first = app.prepare();
    let late = world.code(&person, &first);
    let second = app.prepare();
    row.hears(&app.login(&late, &first));
    assert_eq!(world.upstream.exchanges(), 0);
    let code = world.code(&person, &second);
    app.login(&code, &second).ok();
}

#[test]
fn act_09_a_device_that_was_offline_finishes_in_time() {
    let row = Row::of("ACT-09");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let state = app.prepare();
    let code = world.code(&person, &state);
    world.pass(280);
    row.hears(&app.login(&code, &state));
    assert_eq!(world.upstream.exchanges(), 1);
}
