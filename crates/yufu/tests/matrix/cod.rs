//! COD: code and state.

use serde_json::json;
use yufu_core::ticket::Kind;

use super::rows::Row;
use super::world::World;

#[test]
fn cod_01_a_fresh_code_is_paid_once_and_its_tokens_are_encrypted() {
    let row = Row::of("COD-01");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    row.hears(&world.arrive(&mut app, &person));
    assert_eq!(world.upstream.exchanges(), 1);
    let vaults = world.rows(Kind::Vault);
    assert_eq!(vaults.len(), 1);
    let call = &world.upstream.calls("/sns/userinfo")[0];
    let access = call
        .query
        .split('&')
        .find_map(|pair| pair.strip_prefix("access_token="));
    let access = access.expect("an access token").as_bytes();
    let holds = |bytes: &[u8]| bytes.windows(access.len()).any(|window| window == access);
    for file in ["login.db", "login.db-wal"] {
        let bytes = std::fs::read(world.folder.join(file)).unwrap_or_default();
        assert!(!holds(&bytes), "{file} holds the token in clear");
    }
}

#[test]
fn cod_02_a_code_past_its_time_is_refused() {
    let row = Row::of("COD-02");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let state = app.prepare();
    let code = world.code(&person, &state);
    world.pass(301);
    row.hears(&app.login(&code, &state));
    assert!(world.users().is_empty());
    assert!(world.rows(Kind::Bind).is_empty());
    assert!(world.rows(Kind::Vault).is_empty());
}

#[test]
fn cod_03_the_same_key_gets_the_same_bytes() {
    let row = Row::of("COD-03");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    world.member(&mut app, &person, "13800000001");
    let before = world.sessions();
    let state = app.prepare();
    let code = world.code(&person, &state);
    app.forget();
    let first = app.clone().login_once(&code, &state, Some("key-1"));
    row.hears(&first);
    world.pass(59);
    let second = app.login_once(&code, &state, Some("key-1"));
    row.hears(&second);
    assert_eq!(first.data_bytes(), second.data_bytes());
    assert!(first.text("token").len() > 30);
    assert_eq!(world.upstream.exchanges(), 2, "one for each login");
    assert_eq!(world.sessions(), before, "the device has one session");
}

#[test]
fn cod_04_a_paid_code_is_refused_elsewhere_and_the_platform_revokes() {
    let row = Row::of("COD-04");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let state = app.prepare();
    let code = world.code(&person, &state);
    app.login(&code, &state).ok();
    let mut thief = app.beside("other", "ios");
    let other = thief.prepare();
    row.hears(&thief.login(&code, &other));
    assert_eq!(world.upstream.exchanges(), 1, "the upstream is not asked");
    assert_eq!(world.sessions(), 0);
    assert_eq!(world.told("code_replay"), 1);
}

#[test]
fn cod_05_a_forged_code_counts_against_the_address() {
    let row = Row::of("COD-05");
    let world = World::login("address_failures = 2");
    let mut app = world.app("phone", "android");
    let state = app.prepare();
    row.hears(&app.login("0A1forgedforgedforgedforgedforge", &state));
    assert_eq!(world.upstream.exchanges(), 1);
    let state = app.prepare();
    app.login("0A1forgedforgedforgedforgedforg2", &state)
        .is(2001);
    let state = app.prepare();
    app.login("0A1forgedforgedforgedforgedforg3", &state)
        .is(1002);
    assert_eq!(world.upstream.exchanges(), 2);
    assert!(world.users().is_empty());
}

#[test]
fn cod_06_a_code_of_another_app_is_refused() {
    let row = Row::of("COD-06");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let state = app.prepare();
    let code = world.code_for(&person, &world.site, "snsapi_userinfo", &state);
    row.hears(&app.login(&code, &state));
    assert!(world.rows(Kind::Vault).is_empty());
}

#[test]
fn cod_07_what_cannot_be_a_code_is_not_sent() {
    let row = Row::of("COD-07");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let state = app.prepare();
    row.hears(&app.login("", &state));
    for code in [
        "a b",
        "a\u{0}b",
        "梅",
        &"x".repeat(513),
        "<code>",
        "a/b",
        "a%20b",
    ] {
        app.login(code, &state).is(1001);
    }
    for code in [
        json!(null),
        json!(1),
        json!(["a"]),
        json!({"a": 1}),
        json!(true),
    ] {
        app.post("/user/wechat/login", &json!({"code": code, "state": state}))
            .is(1001);
    }
    assert_eq!(world.upstream.exchanges(), 0);
}

#[test]
fn cod_08_without_a_state_the_code_stays_unspent() {
    let row = Row::of("COD-08");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let state = app.prepare();
    let code = world.code(&person, &state);
    row.hears(&app.post("/user/wechat/login", &json!({"code": code})));
    app.post("/user/wechat/login", &json!({"code": code, "state": ""}))
        .is(1004);
    assert_eq!(world.upstream.exchanges(), 0);
    app.login(&code, &state).ok();
}

#[test]
fn cod_09_a_state_of_another_device_is_refused_and_stays_good() {
    let row = Row::of("COD-09");
    let world = World::new();
    let mut victim = world.app("phone", "android");
    victim.prepare();
    let mut attacker = victim.beside("phone", "android");
    let person = world.person("鬼");
    let state = attacker.prepare();
    let code = world.code(&person, &state);
    // The attacker's answer is slipped to the victim's app: it would log in as the attacker.
    row.hears(&victim.login(&code, &state));
    assert_eq!(world.upstream.exchanges(), 0);
    assert_eq!(world.told("csrf_suspected"), 1);
    attacker.login(&code, &state).ok();
    // A device id alone is nobody.
    let mut nameless = victim.beside("phone", "android");
    let state = attacker.prepare();
    let code = world.code(&person, &state);
    nameless.login(&code, &state).is(1004);
}

#[test]
fn cod_10_a_state_past_its_time_is_refused() {
    let row = Row::of("COD-10");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let state = app.prepare();
    world.pass(600);
    let code = world.code(&person, &state);
    row.hears(&app.login(&code, &state));
    assert_eq!(world.upstream.exchanges(), 0);
}

#[test]
fn cod_11_a_transaction_for_something_else_logs_nobody_in() {
    let row = Row::of("COD-11");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    world.member(&mut app, &person, "13800000001");
    let before = (world.users().len(), world.rows(Kind::Device).len());
    let exchanges = world.upstream.exchanges();
    let stranger = world.person("鬼");
    let mut heard = Vec::new();
    for purpose in ["link", "reauth", "delete"] {
        let said = app.prepare_for(purpose);
        said.ok();
        let state = said.text("state").to_owned();
        let code = world.code(&stranger, &state);
        heard.push(app.clone().login(&code, &state));
    }
    row.hears(&heard[0]);
    assert!(heard.iter().all(|said| said.code == 1004));
    assert_eq!(world.upstream.exchanges(), exchanges);
    assert_eq!(
        (world.users().len(), world.rows(Kind::Device).len()),
        before
    );
}

#[test]
fn cod_12_whatever_stands_in_a_state_comes_back() {
    let row = Row::of("COD-12");
    let world = World::new();
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    // The platform hands back what it was given, byte for byte; `code` asserts it.
    for state in ["a#b", "a&b=c", "100%", "梅 🐟", "%23", "a+b c"] {
        world.code(&person, state);
    }
    let state = app.prepare();
    assert!(
        state
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    );
    assert!(state.len() <= 128);
    let code = world.code(&person, &state);
    // A state that was changed on its way is another one.
    for changed in [
        state.to_uppercase(),
        format!("{state} "),
        format!("{state}#"),
    ] {
        app.login(&code, &changed).is(1004);
    }
    row.hears(&app.login(&code, &state));
}
