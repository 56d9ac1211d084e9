//! The known faults of others, each as a test that would find it here (`docs/facts/login.md` §1).

use serde_json::{Value, json};
use yufu_core::ticket::Kind;

use super::upstream::Fault;
use super::world::World;

const MEI: &str = "13800000001";
const WEI: &str = "13800000002";

/// JeecgBoot: the page posts the openid that shall be bound, and the server believes it.
#[test]
fn an_openid_that_a_client_sends_binds_nothing() {
    let world = World::new();
    let person = world.person("梅");
    let mut victim = world.app("phone", "android");
    let uid = world.member(&mut victim, &person, MEI);
    let openid = world.openid(&person, &world.mobile);
    let mut thief = world.app("other", "ios");
    thief.prepare();
    let digits = world.passcode(&mut thief, WEI, "bind");
    for name in ["openid", "thirdUserUuid", "unionid", "bind_ticket"] {
        let body = json!({name: openid, "phone": WEI, "sms_code": digits});
        let said = thief.post("/user/wechat/bind", &body);
        assert!(
            matches!(said.code, 1001 | 4003),
            "{name}: {}",
            said.answer.text()
        );
    }
    let state = thief.prepare();
    let said = thief.post(
        "/user/wechat/login",
        &json!({"state": state, "openid": openid, "code": "none"}),
    );
    assert_ne!(said.code, 0);
    assert_eq!(world.users().len(), 1);
    assert_eq!(world.user(&uid).identities.len(), 1);
}

/// yudao: the pair of code and state is looked up in one's own table first, so a callback that is
/// replayed logs in again.
#[test]
fn a_replayed_callback_logs_nobody_in() {
    let world = World::new();
    let person = world.person("梅");
    let mut app = world.app("phone", "android");
    world.member(&mut app, &person, MEI);
    let state = app.prepare();
    let code = world.code(&person, &state);
    app.login(&code, &state).ok();
    let sessions = world.rows(Kind::Device).len();
    world.pass(61);
    for _ in 0..3 {
        app.login(&code, &state).is(2002);
    }
    let mut thief = app.beside("phone", "android");
    thief.prepare();
    thief.login(&code, &state).is(1004);
    assert_eq!(world.rows(Kind::Device).len(), sessions);
    assert_eq!(
        world.upstream.exchanges(),
        2,
        "one for each login that was one"
    );
}

/// better-auth, Logto, Casdoor: the key is the unionid, or else the openid; the day the unionid
/// appears the same person is somebody else.
#[test]
fn a_unionid_that_appears_makes_no_second_account() {
    let world = World::new();
    let person = world.person("梅");
    let mut app = world.app("phone", "android");
    world.without_unionid();
    let uid = world.member(&mut app, &person, MEI);
    for round in 0..3 {
        if round == 1 {
            world.without_unionid();
        }
        assert_eq!(world.arrive(&mut app, &person).ok()["uid"], uid.as_str());
    }
    let mut page = world.page("browser");
    assert_eq!(
        world.arrive_at_page(&mut page, &person).ok()["uid"],
        uid.as_str()
    );
    assert_eq!(world.users().len(), 1);
}

/// Auth.js: the unionid alone is the key, so whoever has none cannot log in.
#[test]
fn without_a_unionid_people_log_in_too() {
    let world = World::new();
    let person = world.person("梅");
    let mut app = world.app("phone", "android");
    world.without_unionid();
    let uid = world.member(&mut app, &person, MEI);
    world.without_unionid();
    assert_eq!(world.arrive(&mut app, &person).ok()["uid"], uid.as_str());
    assert_eq!(world.user(&uid).identities[0].person, None);
}

/// `/sns/auth` takes no appid: the token of another app passes it.
#[test]
fn a_token_of_another_app_is_no_proof() {
    let world = World::login("verify_upstream = \"on_relogin\"\nexpose_upstream_token = true");
    let person = world.person("梅");
    let mut app = world.app("phone", "android");
    world.member(&mut app, &person, MEI);
    let code = world.code_for(&person, &world.site, "snsapi_userinfo", "s");
    let token = world.foreign_token(&world.site, &code);
    app.forget();
    let openid = world.openid(&person, &world.site);
    for body in [
        json!({"access_token": token}),
        json!({"access_token": token, "openid": openid}),
        json!({"access_token": token, "app": "site"}),
        json!({"access_token": token, "app": "mobile"}),
    ] {
        app.post("/user/wechat/relogin", &body).is(5001);
    }
    assert!(world.upstream.calls("/sns/auth").is_empty());
}

/// better-auth and Casdoor lose the openid at a refresh, and with it whose tokens they hold.
#[test]
fn a_refresh_keeps_whose_tokens_they_are() {
    let world = World::login("verify_upstream = \"on_relogin\"");
    let person = world.person("梅");
    let mut app = world.app("phone", "android");
    let uid = world.member(&mut app, &person, MEI);
    let openid = world.openid(&person, &world.mobile);
    // The platform answers a refresh for somebody else: the tokens are not taken.
    let other = |answer: &mut Value| answer["openid"] = json!("oSomebodyElse000000000000000");
    world
        .upstream
        .misbehave("/sns/oauth2/refresh_token", 1, Fault::Change(other));
    world
        .upstream
        .misbehave("/sns/auth", 1, Fault::Errcode(42001));
    let before = world.rows(Kind::Vault);
    let refresh = app.refresh.clone().unwrap();
    let said = app.post("/user/wechat/relogin", &json!({"refresh_token": refresh}));
    app.keep(&said);
    let sealed = |rows: &[yufu_core::ticket::RawTicket]| {
        let vault = rows[0].open::<yufu_core::login::body::Vault>().unwrap();
        vault.body.sealed
    };
    assert_eq!(sealed(&world.rows(Kind::Vault)), sealed(&before));
    // After a good one the profile is read with the same openid.
    world.pass(7300);
    let refresh = app.refresh.clone().unwrap();
    app.post("/user/wechat/relogin", &json!({"refresh_token": refresh}))
        .ok();
    super::del::push(&world, "user_info_modified", &openid, "n-1").expect_success();
    world.until("the profile is read again", || {
        world.user(&uid).identities[0].nickname == "梅"
    });
    let calls = world.upstream.calls("/sns/userinfo");
    assert!(calls.iter().all(|call| call.query.contains(&openid)));
}

/// MeEdu: a number that has an account is a dead end at the first binding.
#[test]
fn a_number_that_exists_is_no_dead_end() {
    let world = World::new();
    let mut old = world.app("old", "ios");
    let uid = world.caller(&mut old, MEI);
    world.pass(3600);
    let mut app = world.app("phone", "android");
    let ticket = world.ticket(&mut app, &world.person("梅"));
    let digits = world.passcode(&mut app, MEI, "bind");
    app.bind(&ticket, &json!({"phone": MEI, "sms_code": digits}))
        .is(4005);
    let said = app.bind(&ticket, &json!({"phone": MEI, "confirm": true}));
    assert_eq!(said.ok()["uid"], uid.as_str());
}

/// yudao keeps passcodes in clear, without a limit of attempts; Casdoor forgets them at a restart.
#[test]
fn attempts_at_a_passcode_outlive_the_process() {
    let world = World::new();
    let mut app = world.app("phone", "android");
    let digits = world.passcode(&mut app, MEI, "login");
    let wrong = format!("{:06}", (digits.parse::<u32>().unwrap() + 1) % 1_000_000);
    let body = |digits: &str| json!({"phone": MEI, "sms_code": digits, "consent_version": super::app::TERMS});
    for _ in 0..4 {
        app.post("/user/phone/login", &body(&wrong)).is(3004);
    }
    let heir = super::server::Server::beside(&world);
    let app = app.at(heir.port);
    app.post("/user/phone/login", &body(&wrong)).is(3006);
    let said = app.post("/user/phone/login", &body(&digits));
    assert!(matches!(said.code, 3005 | 3006), "{}", said.answer.text());
}
