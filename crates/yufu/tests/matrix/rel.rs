//! REL: logging in again with what was stored.

use serde_json::{Value, json};
use yufu_core::identity::IdentityStatus;
use yufu_core::login::body::Vault;
use yufu_core::ticket::{Kind, Ticket};

use super::app::{App, Said};
use super::rows::Row;
use super::upstream::Fault;
use super::world::{Person, World};

const MEI: &str = "13800000001";
const CHECK: &str = "/sns/auth";
const REFRESH: &str = "/sns/oauth2/refresh_token";

/// A member who logged in with WeChat, in a world that asks the upstream at each relogin.
fn member(lines: &str) -> (World, App, Person, String) {
    let world = World::login(lines);
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let uid = world.member(&mut app, &person, MEI);
    (world, app, person, uid)
}

const ASKS: &str = "verify_upstream = \"on_relogin\"";

fn relogin(app: &mut App) -> Said {
    let refresh = app.refresh.clone().unwrap();
    let said = app.post("/user/wechat/relogin", &json!({"refresh_token": refresh}));
    app.keep(&said);
    said
}

fn vault(world: &World) -> Ticket<Vault> {
    let rows = world.rows(Kind::Vault);
    assert_eq!(rows.len(), 1, "one row, never a second");
    rows[0].open().unwrap()
}

#[test]
fn rel_01_a_good_session_enters_without_asking() {
    let row = Row::of("REL-01");
    let (world, mut app, _, uid) = member("");
    world.pass(3600);
    let said = relogin(&mut app);
    row.hears(&said);
    assert_eq!(said.text("uid"), uid);
    assert!(world.upstream.calls(CHECK).is_empty());
    app.me().ok();
}

#[test]
fn rel_02_a_live_token_enters_and_the_time_is_noted() {
    let row = Row::of("REL-02");
    let (world, mut app, _, _) = member(ASKS);
    let before = vault(&world).body.verified_at;
    world.pass(3600);
    row.hears(&relogin(&mut app));
    assert_eq!(world.upstream.calls(CHECK).len(), 1);
    assert!(vault(&world).body.verified_at > before);
    assert!(world.upstream.calls(REFRESH).is_empty());
}

#[test]
fn rel_03_a_dead_token_is_renewed_once() {
    let row = Row::of("REL-03");
    let (world, mut app, _, _) = member(ASKS);
    let before = vault(&world).body;
    world.pass(7300);
    row.hears(&relogin(&mut app));
    assert_eq!(world.upstream.calls(REFRESH).len(), 1);
    let after = vault(&world).body;
    assert_ne!(before.sealed, after.sealed);
    assert!(after.access_until > before.access_until);
    for errcode in [40001, 40003, 40014, 42001] {
        let (world, mut app, _, _) = member(ASKS);
        world.upstream.misbehave(CHECK, 1, Fault::Errcode(errcode));
        let forget = |answer: &mut Value| {
            answer.as_object_mut().unwrap().remove("refresh_token");
        };
        world.upstream.misbehave(REFRESH, 1, Fault::Change(forget));
        relogin(&mut app).ok();
        assert_eq!(world.upstream.calls(REFRESH).len(), 1, "{errcode}");
        // The old refresh token was kept: the next renewal works too.
        world.pass(7300);
        relogin(&mut app).ok();
        assert_eq!(world.upstream.calls(REFRESH).len(), 2, "{errcode}");
    }
}

#[test]
fn rel_04_when_both_tokens_are_dead_the_session_rests() {
    let row = Row::of("REL-04");
    let (world, mut app, person, uid) = member(ASKS);
    world.upstream.misbehave(CHECK, 1, Fault::Errcode(42001));
    world.upstream.misbehave(REFRESH, 1, Fault::Errcode(42002));
    row.hears(&relogin(&mut app));
    app.me().is(2008);
    assert_eq!(
        world.user(&uid).identities[0].nickname,
        "梅",
        "the profile stays"
    );
    let said = world.arrive(&mut app, &person);
    assert_eq!(said.ok()["uid"], uid.as_str());
    app.me().ok();
    assert_eq!(world.users().len(), 1);
}

#[test]
fn rel_05_when_the_authorization_was_taken_back_the_link_stays() {
    let row = Row::of("REL-05");
    let (world, mut app, person, uid) = member(ASKS);
    let openid = world.openid(&person, &world.mobile);
    world.withdraw(&person, &world.mobile);
    row.hears(&relogin(&mut app));
    let identity = world.user(&uid).identities[0].clone();
    assert_eq!(identity.status, IdentityStatus::Revoked);
    assert_eq!(
        (identity.nickname.as_str(), identity.avatar.as_str()),
        ("", "")
    );
    assert!(vault(&world).body.sealed.0.is_empty());
    let holder = world.identity_holder(&world.mobile, &openid);
    assert_eq!(holder, Some(world.user(&uid).id));
    assert_eq!(world.arrive(&mut app, &person).ok()["uid"], uid.as_str());
}

#[test]
fn rel_06_a_silent_upstreams_last_word_counts_for_a_day() {
    let row = Row::of("REL-06");
    let (world, mut app, _, _) = member(ASKS);
    world.upstream.misbehave(CHECK, 99, Fault::Drop);
    world.upstream.misbehave(REFRESH, 99, Fault::Drop);
    world.pass(3600);
    let said = relogin(&mut app);
    row.hears(&said);
    assert_eq!(said.data["upstream_unverified"], true);
    world.pass(86_400);
    relogin(&mut app).is(2004);
    world.upstream.behave();
    let said = relogin(&mut app);
    assert_ne!(said.ok().get("upstream_unverified"), Some(&json!(true)));
}

#[test]
fn rel_07_a_profile_that_calls_the_token_dead_counts() {
    let row = Row::of("REL-07");
    let (world, mut app, _, uid) = member(ASKS);
    let openid = world.user(&uid).identities[0].key.subject.clone();
    // A push asks for the profile to be read again; the platform says 40001 for it.
    world
        .upstream
        .misbehave("/sns/userinfo", 1, Fault::Errcode(40001));
    super::del::push(&world, "user_info_modified", &openid, "n-1").expect_success();
    world.until("the profile was asked for", || {
        world.upstream.calls("/sns/userinfo").len() >= 2
    });
    row.hears(&relogin(&mut app));
    world.until("the profile came", || {
        world.user(&uid).identities[0].nickname == "梅"
    });
}

#[test]
fn rel_08_the_same_token_with_a_later_end_is_one_row() {
    let row = Row::of("REL-08");
    let (world, mut app, _, _) = member(ASKS);
    let before = vault(&world).body;
    world.pass(600);
    world.upstream.misbehave(CHECK, 1, Fault::Errcode(42001));
    row.hears(&relogin(&mut app));
    let calls = world.upstream.calls(REFRESH);
    assert_eq!(calls.len(), 1);
    let after = vault(&world).body;
    assert!(after.access_until > before.access_until);
    // The platform keeps the token that lives: the next check is of the very same.
    relogin(&mut app).ok();
    let checks = world.upstream.calls(CHECK);
    assert_eq!(checks[0].query, checks[1].query);
}

#[test]
fn rel_09_a_token_that_the_device_was_shown_logs_it_in_again() {
    let row = Row::of("REL-09");
    let world = World::login(&format!("{ASKS}\nexpose_upstream_token = true"));
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let uid = world.member(&mut app, &person, MEI);
    let said = world.arrive(&mut app, &person);
    let token = said.ok()["access_token"].as_str().unwrap().to_owned();
    app.forget();
    let said = app.post("/user/wechat/relogin", &json!({"access_token": token}));
    row.hears(&said);
    assert_eq!(said.text("uid"), uid);
    app.keep(&said);
    app.me().ok();
    assert_eq!(world.upstream.calls(CHECK).len(), 1);
    world.pass(7300);
    app.forget();
    let said = app.post("/user/wechat/relogin", &json!({"access_token": token}));
    said.ok();
    assert_eq!(world.upstream.calls(REFRESH).len(), 1);
    // Shown to this device alone.
    let mut thief = app.beside("other", "ios");
    thief.prepare();
    thief
        .post("/user/wechat/relogin", &json!({"access_token": token}))
        .is(5001);
}

#[test]
fn rel_10_a_token_that_did_not_come_through_us_logs_nobody_in() {
    let row = Row::of("REL-10");
    let world = World::login(&format!("{ASKS}\nexpose_upstream_token = true"));
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    world.member(&mut app, &person, MEI);
    // Another app of the same person got a token that is good at the platform.
    let code = world.code_for(&person, &world.site, "snsapi_userinfo", "s");
    let foreign = world.foreign_token(&world.site, &code);
    app.forget();
    let body = json!({"access_token": foreign});
    row.hears(&app.post("/user/wechat/relogin", &body));
    assert!(world.upstream.calls(CHECK).is_empty());
    // And where tokens are not shown, none logs in at all.
    let world = World::login(ASKS);
    let mut app = world.app("phone", "android");
    app.prepare();
    app.post("/user/wechat/relogin", &body).is(5001);
}

#[test]
fn rel_11_refreshing_changes_both_tokens() {
    let row = Row::of("REL-11");
    let (world, mut app, _, _) = member("");
    world.pass(7300);
    app.me().is(5002);
    let old = app.refresh.clone().unwrap();
    let first = app.refresh();
    row.hears(&first);
    assert_ne!(first.text("refresh_token"), old);
    app.me().ok();
    let pair = |said: &Said| {
        said.ok();
        (
            said.text("token").to_owned(),
            said.text("refresh_token").to_owned(),
        )
    };
    assert_eq!(
        pair(&app.refresh_with(&old)),
        pair(&first),
        "the very same pair"
    );
    world.pass(8);
    let again = app.refresh_with(&old);
    assert_eq!(pair(&again), pair(&first));
    assert!(again.number("expires_in") <= 7192, "its life goes on");
    assert_eq!(world.sessions(), 1);
}

#[test]
fn rel_12_a_refresh_token_that_comes_back_late_ends_the_session() {
    let row = Row::of("REL-12");
    let (world, mut app, _, _) = member("");
    let old = app.refresh.clone().unwrap();
    app.refresh().ok();
    world.pass(10);
    row.hears(&app.refresh_with(&old));
    assert_eq!(world.sessions(), 0);
    app.me().is(5005);
    assert_ne!(app.refresh().code, 0);
    world.until("the user is told", || {
        let heard = world.hook.heard();
        heard.iter().any(|one| one.body["type"] == "session.ended")
    });
}

#[test]
fn rel_13_a_refresh_token_past_its_time_leaves_the_link() {
    let row = Row::of("REL-13");
    let (world, mut app, person, uid) = member("");
    world.pass(30 * 86_400);
    let refresh = app.refresh.clone().unwrap();
    row.hears(&app.refresh_with(&refresh));
    let said = world.arrive(&mut app, &person);
    assert_eq!(said.ok()["uid"], uid.as_str());
    // However often it is used, a session has an end.
    let (world, mut app, _, _) = member("");
    for _ in 0..4 {
        world.pass(20 * 86_400);
        app.refresh().ok();
    }
    world.pass(11 * 86_400);
    let refresh = app.refresh.clone().unwrap();
    app.refresh_with(&refresh).is(5002);
}
