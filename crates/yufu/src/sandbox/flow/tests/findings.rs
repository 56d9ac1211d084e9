//! Each finding appears where an app does wrong, and does not where it does right.

use super::super::finding::TABLE;
use super::scene::{
    APPID, Ask, BROWSER, CALLBACK, OPENID, SECRET, STATE, Scene, code, enc, error, exchange,
    interaction, scan_query, token, tokens,
};
use crate::sandbox::seen::Behind;

/// A state like [`STATE`], another one each time.
fn fresh(n: u32) -> String {
    format!("q7Xw2LmN8sT4vB6yK{n:03}")
}

fn state_of(query: &str) -> String {
    scan_query(STATE).replace(&format!("state={STATE}"), query)
}

/// An in-client login up to its code.
fn in_client(scene: &mut Scene, n: u32, scope: &str, state: &str, more: &str) -> Option<u64> {
    let target = format!(
        "/connect/oauth2/authorize?appid={APPID}&redirect_uri={}&response_type=code&scope={scope}&state={state}{more}",
        enc(CALLBACK)
    );
    let back = format!("{CALLBACK}?code={}&state={state}", code(n));
    scene.leads(Ask::get(&target).by_browser(&interaction(n)), 302, &back)
}

/// A scan login up to its code.
fn to_the_code(scene: &mut Scene, n: u32, state: &str) -> Option<u64> {
    scene.qr(n, &scan_query(state));
    scene.phone(n, "allow");
    scene.poll(n, 405, &code(n))
}

type Play = fn(&mut Scene) -> Option<u64>;

/// A finding, an app that does wrong, and one that does right.
const CASES: &[(&str, Play, Play)] = &[
    (
        "code_reused",
        code_reused,
        code_asked_again_after_a_lost_answer,
    ),
    ("code_expired", code_expired, code_unknown),
    ("code_foreign", code_foreign, sound),
    ("code_retried", code_retried, code_tried_twice),
    ("verifier_missing", verifier_missing, verifier_sent),
    ("secret_in_browser", secret_in_browser, nodes_fetch),
    ("secret_in_app", secret_in_app, sound),
    ("secret_in_address", secret_in_address, sound),
    (
        "secret_wrong",
        secret_wrong,
        a_fault_says_the_secret_is_wrong,
    ),
    ("appid_unknown", appid_unknown, sound),
    ("parameter_missing", parameter_missing, sound),
    ("state_missing", state_missing, sound),
    ("state_reused", state_reused, states_that_differ),
    ("state_weak", state_weak, sound),
    ("state_long", state_long, a_long_state_at_the_scan_door),
    ("state_odd", state_odd, a_plain_state_in_the_client),
    (
        "state_unchecked",
        state_unchecked,
        a_foreign_state_is_refused,
    ),
    ("authorize_refused", authorize_refused, sound),
    ("redirect_port", redirect_port, a_port_of_this_machine),
    ("redirect_http", redirect_http, a_port_of_this_machine),
    ("redirect_unencoded", redirect_unencoded, sound),
    ("fragment_missing", fragment_missing, fragment_there),
    ("errcode_ignored", errcode_ignored, errcode_heeded),
    ("openid_wrong", openid_wrong, sound),
    ("profile_with_base", profile_with_base, sound),
    ("scope_unused", scope_unused, scope_used),
    ("token_retried", token_retried, sound),
    ("refresh_each_time", refresh_each_time, refreshed_once),
    ("token_in_url", token_in_url, sound),
    ("token_in_redirect", token_in_redirect, sound_callback),
    ("token_shown", token_shown, sound_callback),
    ("plain_http", plain_http, plain_http_on_this_machine),
    (
        "callback_slow",
        callback_slow,
        a_callback_that_waits_for_the_platform,
    ),
    ("unionid_only", unionid_only, unionid_not_needed),
    ("pkce_missing", pkce_missing, pkce_there),
    (
        "unknown_parameters",
        unknown_parameters,
        harmless_parameters,
    ),
];

#[test]
fn each_appears_where_an_app_does_wrong_and_not_where_it_does_right() {
    let words: Vec<&str> = TABLE.iter().map(|entry| entry.word).collect();
    let tried: Vec<&str> = CASES.iter().map(|(word, ..)| *word).collect();
    assert_eq!(tried, words, "every finding is tried");
    for (word, wrong, right) in CASES {
        let mut scene = Scene::new();
        let flow = wrong(&mut scene);
        let found = scene.findings(flow);
        assert!(
            found.contains(word),
            "{word} is missing: {found:?} in {:#}",
            scene.json(flow)
        );
        let mut scene = Scene::new();
        let flow = right(&mut scene);
        let found = scene.findings(flow);
        assert!(
            !found.contains(word),
            "{word} is there: {:#}",
            scene.json(flow)
        );
    }
}

#[test]
fn a_state_that_a_fault_sends_astray_shows_who_does_not_look() {
    for fault in ["other_state", "no_state"] {
        let mut scene = Scene::new();
        let page = format!("<img src=\"/connect/qrcode/{}\">", super::scene::uuid(1));
        let ask = Ask::get(&format!("/connect/qrconnect?{}", scan_query(STATE)));
        let ask = ask.by_browser("").fault(fault);
        let flow = scene.answers(ask, 200, &[("content-type", "text/html")], &page);
        scene.poll(1, 405, &code(1));
        assert_eq!(scene.findings(flow), [""; 0]);
        scene.paid(&code(1), 1);
        assert_eq!(scene.findings(flow), ["state_unchecked"]);
    }
    let mut scene = Scene::new();
    let target = format!(
        "/connect/oauth2/authorize?appid={APPID}&redirect_uri={}&response_type=code&scope=snsapi_base&state={STATE}",
        enc(CALLBACK)
    );
    let back = format!("{CALLBACK}?code={}&state=anotherStateAltogether1", code(1));
    let flow = scene.leads(Ask::get(&target).fault("other_state"), 302, &back);
    scene.exchange(&code(1), &tokens(1, "snsapi_base"));
    assert_eq!(scene.findings(flow), ["state_unchecked"]);
}

#[test]
fn a_state_that_is_missing_where_the_browser_comes_back_is_missed() {
    let mut scene = Scene::new();
    let flow = state_not_missed(&mut scene);
    assert_eq!(scene.findings(flow), ["state_unchecked"]);
}

#[test]
fn a_program_without_cookies_that_always_sends_one_state_is_found() {
    let mut scene = Scene::new();
    asked_twice_without_cookies(&mut scene);
    let flow = asked_twice_without_cookies(&mut scene);
    assert_eq!(scene.findings(flow), ["state_reused"]);
}

#[test]
fn nothing_is_found_in_a_sound_login() {
    for play in [
        sound,
        sound_callback,
        nodes_fetch,
        code_that_somebody_let_expire,
        state_that_a_page_looked_at,
        state_that_an_app_looked_at,
        asked_twice_without_cookies,
        names_of_oauth,
        a_name_of_this_machine,
    ] as [Play; 9]
    {
        let mut scene = Scene::new();
        let flow = play(&mut scene);
        assert_eq!(scene.findings(flow), [""; 0], "{:#}", scene.json(flow));
    }
}

// --- sound apps ---------------------------------------------------------------------------------

fn sound(scene: &mut Scene) -> Option<u64> {
    scene.login(1, STATE)
}

fn sound_callback(scene: &mut Scene) -> Option<u64> {
    to_the_code(scene, 1, STATE);
    scene.paid(&code(1), 1);
    scene.profile(1, OPENID);
    scene.callback(&format!("code={}&state={STATE}", code(1)), 303)
}

// --- codes --------------------------------------------------------------------------------------

fn code_reused(scene: &mut Scene) -> Option<u64> {
    scene.login(1, STATE);
    scene.exchange(&code(1), &error(40163, "code been used"))
}

fn code_asked_again_after_a_lost_answer(scene: &mut Scene) -> Option<u64> {
    to_the_code(scene, 1, STATE);
    scene.plays(exchange(&code(1)).fault("drop_after"));
    scene.exchange(&code(1), &error(40163, "code been used"))
}

fn code_expired(scene: &mut Scene) -> Option<u64> {
    to_the_code(scene, 1, STATE);
    scene.wait(601_000);
    scene.exchange(&code(1), &error(40029, "invalid code"))
}

/// The clock was turned, or the code was made to expire: the app itself lost no time.
fn code_that_somebody_let_expire(scene: &mut Scene) -> Option<u64> {
    to_the_code(scene, 1, STATE);
    scene.wait(2_000);
    scene.exchange(&code(1), &error(40029, "invalid code"))
}

fn code_unknown(scene: &mut Scene) -> Option<u64> {
    to_the_code(scene, 1, STATE);
    scene.exchange(&code(2), &error(40029, "invalid code"))
}

fn code_foreign(scene: &mut Scene) -> Option<u64> {
    to_the_code(scene, 1, STATE);
    let target = format!(
        "/sns/oauth2/access_token?appid=wx0000000000000001&secret={SECRET}&code={}&grant_type=authorization_code",
        code(1)
    );
    scene.says(Ask::call(&target), &error(40029, "invalid code"))
}

fn code_retried(scene: &mut Scene) -> Option<u64> {
    for _ in 0..5 {
        scene.exchange(&code(1), &error(40029, "invalid code"));
    }
    scene.exchange(&code(1), &error(40029, "invalid code"))
}

fn code_tried_twice(scene: &mut Scene) -> Option<u64> {
    scene.exchange(&code(1), &error(40029, "invalid code"));
    scene.exchange(&code(1), &error(40029, "invalid code"))
}

fn with_challenge(scene: &mut Scene) {
    let more =
        "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
    scene.qr(1, &format!("{}{more}", scan_query(STATE)));
    scene.phone(1, "allow");
    scene.poll(1, 405, &code(1));
}

fn verifier_missing(scene: &mut Scene) -> Option<u64> {
    with_challenge(scene);
    scene.exchange(&code(1), &error(40029, "invalid code"))
}

fn verifier_sent(scene: &mut Scene) -> Option<u64> {
    with_challenge(scene);
    let target = format!(
        "/sns/oauth2/access_token?appid={APPID}&secret={SECRET}&code={}&grant_type=authorization_code&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        code(1)
    );
    scene.says(Ask::call(&target), &tokens(1, "snsapi_login"))
}

// --- secrets ------------------------------------------------------------------------------------

fn secret_in_browser(scene: &mut Scene) -> Option<u64> {
    to_the_code(scene, 1, STATE);
    let ask = exchange(&code(1)).header("user-agent", BROWSER);
    let ask = ask.header("origin", "https://www.example.com");
    scene.says(
        ask.header("sec-fetch-site", "cross-site"),
        &tokens(1, "snsapi_login"),
    )
}

/// Node's fetch says `sec-fetch-mode`, and some servers' programs call themselves Mozilla.
fn nodes_fetch(scene: &mut Scene) -> Option<u64> {
    to_the_code(scene, 1, STATE);
    let ask = exchange(&code(1)).header("sec-fetch-mode", "cors");
    scene.says(
        ask.header("accept-language", "*"),
        &tokens(1, "snsapi_login"),
    );
    let ask = Ask::call(&format!(
        "/sns/userinfo?access_token={}&openid={OPENID}",
        token(1)
    ));
    scene.says(ask.header("user-agent", BROWSER), super::scene::PROFILE)
}

fn secret_in_app(scene: &mut Scene) -> Option<u64> {
    to_the_code(scene, 1, STATE);
    let ask = exchange(&code(1)).header("user-agent", "Dalvik/2.1.0 (Linux; U; Android 15)");
    scene.says(ask, &tokens(1, "snsapi_login"))
}

fn secret_in_address(scene: &mut Scene) -> Option<u64> {
    scene.qr(1, &format!("{}&secret={SECRET}", scan_query(STATE)))
}

fn secret_wrong(scene: &mut Scene) -> Option<u64> {
    to_the_code(scene, 1, STATE);
    scene.exchange(&code(1), &error(40125, "invalid appsecret"))
}

fn a_fault_says_the_secret_is_wrong(scene: &mut Scene) -> Option<u64> {
    to_the_code(scene, 1, STATE);
    let ask = exchange(&code(1)).fault("errcode");
    scene.says(ask, &error(40125, "invalid appsecret"))
}

fn appid_unknown(scene: &mut Scene) -> Option<u64> {
    scene.exchange(&code(1), &error(40013, "invalid appid"))
}

fn parameter_missing(scene: &mut Scene) -> Option<u64> {
    to_the_code(scene, 1, STATE);
    scene.exchange(&code(1), &error(40002, "invalid grant_type"))
}

// --- state --------------------------------------------------------------------------------------

fn state_missing(scene: &mut Scene) -> Option<u64> {
    scene.qr(1, &state_of("state="))
}

fn state_reused(scene: &mut Scene) -> Option<u64> {
    scene.login(1, "aConstantState00");
    // The cookie that the page sets is another one: this is another browser.
    scene.login(2, "aConstantState00")
}

fn states_that_differ(scene: &mut Scene) -> Option<u64> {
    for n in 1..10 {
        scene.login(n, &fresh(n));
    }
    scene.login(10, &fresh(10))
}

fn state_weak(scene: &mut Scene) -> Option<u64> {
    scene.qr(1, &scan_query("STATE"))
}

fn state_long(scene: &mut Scene) -> Option<u64> {
    let state = fresh(1).repeat(7);
    in_client(scene, 1, "snsapi_base", &state, "")
}

fn a_long_state_at_the_scan_door(scene: &mut Scene) -> Option<u64> {
    scene.qr(1, &scan_query(&fresh(1).repeat(7)))
}

fn state_odd(scene: &mut Scene) -> Option<u64> {
    in_client(scene, 1, "snsapi_base", "a-state-of-a-uuid-0123", "")
}

fn a_plain_state_in_the_client(scene: &mut Scene) -> Option<u64> {
    in_client(scene, 1, "snsapi_base", STATE, "")
}

/// The browser comes back without the state, and the app does not miss it.
fn state_not_missed(scene: &mut Scene) -> Option<u64> {
    to_the_code(scene, 1, STATE);
    scene.callback(&format!("code={}", code(1)), 302);
    scene.paid(&code(1), 1)
}

fn state_unchecked(scene: &mut Scene) -> Option<u64> {
    to_the_code(scene, 1, STATE);
    scene.callback(
        &format!("code={}&state=anotherStateAltogether1", code(1)),
        302,
    );
    scene.paid(&code(1), 1)
}

/// The browser comes back to a page, whose script looks at the state and hands the code on.
fn state_that_a_page_looked_at(scene: &mut Scene) -> Option<u64> {
    to_the_code(scene, 1, STATE);
    scene.callback(&format!("code={}&state={STATE}", code(1)), 200);
    let target = format!("/api/wechat/login?code={}", code(1));
    scene.answers(
        Ask::new(Behind::App, "GET", &target).by_browser(""),
        200,
        &[],
        "",
    );
    scene.paid(&code(1), 1);
    scene.profile(1, OPENID)
}

/// An app got both from the SDK, and sends its server what that needs.
fn state_that_an_app_looked_at(scene: &mut Scene) -> Option<u64> {
    native(scene, "&code_challenge=x&code_challenge_method=S256");
    let page = format!("/interaction/{}", interaction(1));
    let back = format!("{APPID}://oauth?code={}&state={STATE}", code(1));
    scene.leads(Ask::form(&page, "act=allow&csrf=1CsrfCsrfCsrf"), 303, &back);
    let target = format!("/api/wechat/login?code={}", code(1));
    scene.answers(Ask::new(Behind::App, "POST", &target), 200, &[], "");
    let verified = format!("{}&code_verifier=v", exchange_target(1));
    scene.says(Ask::call(&verified), &tokens(1, "snsapi_userinfo"));
    scene.profile(1, OPENID)
}

fn exchange_target(n: u32) -> String {
    format!(
        "/sns/oauth2/access_token?appid={APPID}&secret={SECRET}&code={}&grant_type=authorization_code",
        code(n)
    )
}

/// A program that keeps no cookies looks at the page, and then at it again.
fn asked_twice_without_cookies(scene: &mut Scene) -> Option<u64> {
    let target = format!("/connect/qrconnect?{}", scan_query(STATE));
    let mut last = None;
    for n in 1..3 {
        let page = format!("<img src=\"/connect/qrcode/{}\">", super::scene::uuid(n));
        let ask = Ask::get(&target).header("user-agent", "curl/8.5.0");
        last = scene.answers(ask, 200, &[("content-type", "text/html")], &page);
    }
    last
}

/// Libraries that know many platforms send the names of OAuth beside WeChat's.
fn names_of_oauth(scene: &mut Scene) -> Option<u64> {
    scene.qr(
        1,
        &format!("{}&client_id={APPID}&response_type=code", scan_query(STATE)),
    );
    scene.phone(1, "allow");
    scene.poll(1, 405, &code(1));
    let more = format!("&client_id={APPID}&redirect_uri={}", enc(CALLBACK));
    let ask = Ask::call(&format!("{}{more}", exchange_target(1)));
    scene.says(ask, &tokens(1, "snsapi_login"));
    scene.profile(1, OPENID)
}

fn a_name_of_this_machine(scene: &mut Scene) -> Option<u64> {
    returning_to(scene, &enc("http://Shop.LocalHost:3000/back"))
}

fn a_foreign_state_is_refused(scene: &mut Scene) -> Option<u64> {
    to_the_code(scene, 1, STATE);
    scene.callback(
        &format!("code={}&state=anotherStateAltogether1", code(1)),
        403,
    )
}

// --- addresses ----------------------------------------------------------------------------------

fn authorize_refused(scene: &mut Scene) -> Option<u64> {
    let page = "<p class=\"said\"><code>redirect_uri 参数错误</code></p>\
                <h2>For developers <span class=\"number\">Error 10003</span></h2>";
    let ask = Ask::get(&format!("/connect/qrconnect?{}", scan_query(STATE))).by_browser("");
    let flow = scene.answers(ask, 200, &[("content-type", "text/html")], page);
    let json = scene.json(flow);
    assert_eq!(json["findings"][0]["said"], "10003 redirect_uri 参数错误");
    assert_eq!(
        (&json["state"], &json["arrows"][0]["result"]),
        (&"failed".into(), &"10003".into())
    );
    flow
}

fn returning_to(scene: &mut Scene, redirect: &str) -> Option<u64> {
    let query = scan_query(STATE).replace(&enc(CALLBACK), redirect);
    scene.qr(1, &query)
}

fn redirect_port(scene: &mut Scene) -> Option<u64> {
    returning_to(scene, &enc("https://www.example.com:8443/cb"))
}

fn redirect_http(scene: &mut Scene) -> Option<u64> {
    returning_to(scene, &enc("http://www.example.com/cb"))
}

fn a_port_of_this_machine(scene: &mut Scene) -> Option<u64> {
    returning_to(scene, &enc("http://127.0.0.1:3000/cb"))
}

fn redirect_unencoded(scene: &mut Scene) -> Option<u64> {
    returning_to(scene, CALLBACK)
}

fn starts(scene: &mut Scene, tail: &str) -> Option<u64> {
    let to = format!(
        "https://open.weixin.qq.com/connect/oauth2/authorize?appid={APPID}&redirect_uri={}&response_type=code&scope=snsapi_base&state={STATE}{tail}",
        enc(CALLBACK)
    );
    let ask = Ask::new(Behind::App, "GET", "/login").by_browser("");
    let began = scene.leads(ask, 302, &to);
    assert_eq!(
        in_client(scene, 1, "snsapi_base", STATE, ""),
        began,
        "it is one login"
    );
    began
}

fn fragment_missing(scene: &mut Scene) -> Option<u64> {
    starts(scene, "")
}

fn fragment_there(scene: &mut Scene) -> Option<u64> {
    starts(scene, "#wechat_redirect")
}

// --- calls --------------------------------------------------------------------------------------

fn errcode_ignored(scene: &mut Scene) -> Option<u64> {
    to_the_code(scene, 1, STATE);
    let refused = scene.exchange(&code(1), &error(40029, "invalid code"));
    let ask = Ask::call("/sns/userinfo?access_token=undefined&openid=undefined");
    let flow = scene.says(ask, &error(40001, "invalid credential"));
    assert_eq!(flow, refused, "it is the program that was refused");
    flow
}

fn errcode_heeded(scene: &mut Scene) -> Option<u64> {
    to_the_code(scene, 1, STATE);
    let refused = scene.exchange(&code(1), &error(40029, "invalid code"));
    // Somebody else's mistake.
    let ask = Ask::call("/sns/userinfo?access_token=&openid=").header("user-agent", "Go-http");
    let other = scene.says(ask, &error(41001, "access_token missing"));
    assert_ne!(other, refused);
    refused
}

fn openid_wrong(scene: &mut Scene) -> Option<u64> {
    to_the_code(scene, 1, STATE);
    scene.paid(&code(1), 1);
    scene.profile(1, "oV2abKzzzzzzzzzzzzzzzzzzzzzz")
}

fn profile_with_base(scene: &mut Scene) -> Option<u64> {
    in_client(scene, 1, "snsapi_base", STATE, "");
    scene.exchange(&code(1), &tokens(1, "snsapi_base"));
    let target = format!("/sns/userinfo?access_token={}&openid={OPENID}", token(1));
    scene.says(Ask::call(&target), &error(48001, "api unauthorized"))
}

fn scope_unused(scene: &mut Scene) -> Option<u64> {
    let flow = in_client(scene, 1, "snsapi_userinfo", STATE, "");
    scene.exchange(&code(1), &tokens(1, "snsapi_userinfo"));
    assert!(
        !scene.findings(flow).contains(&"scope_unused"),
        "it may still come"
    );
    scene.wait(120_000);
    scene.fold.sweep(scene.now);
    flow
}

fn scope_used(scene: &mut Scene) -> Option<u64> {
    let flow = in_client(scene, 1, "snsapi_userinfo", STATE, "");
    scene.exchange(&code(1), &tokens(1, "snsapi_userinfo"));
    scene.profile(1, OPENID);
    scene.wait(120_000);
    scene.fold.sweep(scene.now);
    flow
}

fn token_retried(scene: &mut Scene) -> Option<u64> {
    let flow = scene.login(1, STATE);
    for _ in 0..5 {
        let target = format!("/sns/auth?access_token={}&openid={OPENID}", token(1));
        scene.says(Ask::call(&target), &error(42001, "access_token expired"));
    }
    flow
}

fn refresh(scene: &mut Scene, access: u32) -> Option<u64> {
    let target = format!(
        "/sns/oauth2/refresh_token?appid={APPID}&grant_type=refresh_token&refresh_token={}",
        token(1_000_001)
    );
    let body = format!(
        "{{\"openid\":\"{OPENID}\",\"access_token\":\"{}\",\"expires_in\":7200,\"refresh_token\":\"{}\",\"scope\":\"snsapi_login\"}}",
        token(access),
        token(1_000_001)
    );
    scene.says(Ask::call(&target), &body)
}

fn refresh_each_time(scene: &mut Scene) -> Option<u64> {
    let flow = scene.login(1, STATE);
    for _ in 0..3 {
        assert_eq!(refresh(scene, 1), flow, "it is the family of this login");
        scene.profile(1, OPENID);
    }
    flow
}

fn refreshed_once(scene: &mut Scene) -> Option<u64> {
    let flow = scene.login(1, STATE);
    refresh(scene, 1);
    for n in 0..5 {
        refresh(scene, 100 + n);
    }
    flow
}

// --- tokens and callbacks -----------------------------------------------------------------------

fn token_in_url(scene: &mut Scene) -> Option<u64> {
    let flow = scene.login(1, STATE);
    let ask = Ask::new(
        Behind::App,
        "GET",
        &format!("/me?access_token={}", token(1)),
    );
    assert_eq!(scene.answers(ask, 200, &[], "ok"), flow);
    flow
}

fn token_in_redirect(scene: &mut Scene) -> Option<u64> {
    to_the_code(scene, 1, STATE);
    scene.paid(&code(1), 1);
    let target = format!("/login/callback?code={}&state={STATE}", code(1));
    let ask = Ask::new(Behind::App, "GET", &target).by_browser("");
    scene.leads(ask, 302, &format!("/#access_token={}", token(1)))
}

fn token_shown(scene: &mut Scene) -> Option<u64> {
    to_the_code(scene, 1, STATE);
    scene.paid(&code(1), 1);
    let target = format!("/login/callback?code={}&state={STATE}", code(1));
    let ask = Ask::new(Behind::App, "GET", &target).by_browser("");
    let body = format!("{{\"wx\":\"{}\"}}", token(1));
    scene.answers(ask, 200, &[("content-type", "application/json")], &body)
}

fn plain_http(scene: &mut Scene) -> Option<u64> {
    to_the_code(scene, 1, STATE);
    scene.says(
        exchange(&code(1)).host("http", "api.weixin.qq.com"),
        &tokens(1, "snsapi_login"),
    )
}

fn plain_http_on_this_machine(scene: &mut Scene) -> Option<u64> {
    to_the_code(scene, 1, STATE);
    let mut ask = exchange(&code(1)).host("http", "127.0.0.1:8420");
    ask.seen.by_proxy = false;
    scene.says(ask, &tokens(1, "snsapi_login"))
}

fn slow_callback(scene: &mut Scene, fault: bool) -> Option<u64> {
    to_the_code(scene, 1, STATE);
    let ask = if fault {
        exchange(&code(1)).fault("slow").took(6000)
    } else {
        exchange(&code(1))
    };
    scene.says(ask, &tokens(1, "snsapi_login"));
    let target = format!("/login/callback?code={}&state={STATE}", code(1));
    let ask = Ask::new(Behind::App, "GET", &target)
        .by_browser("")
        .took(6100);
    scene.answers(ask, 303, &[], "")
}

fn callback_slow(scene: &mut Scene) -> Option<u64> {
    slow_callback(scene, false)
}

fn a_callback_that_waits_for_the_platform(scene: &mut Scene) -> Option<u64> {
    slow_callback(scene, true)
}

/// One person with a unionid is let in; the next one has none.
fn two_people(scene: &mut Scene, second: u16) -> Option<u64> {
    to_the_code(scene, 1, &fresh(1));
    scene.paid(&code(1), 1);
    scene.callback(&format!("code={}&state={}", code(1), fresh(1)), 303);
    to_the_code(scene, 2, &fresh(2));
    let (bare, _) = tokens(2, "snsapi_login")
        .split_once(",\"unionid\"")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    scene.exchange(&code(2), &format!("{bare}}}"));
    scene.callback(&format!("code={}&state={}", code(2), fresh(2)), second)
}

fn unionid_only(scene: &mut Scene) -> Option<u64> {
    two_people(scene, 500)
}

fn unionid_not_needed(scene: &mut Scene) -> Option<u64> {
    two_people(scene, 303)
}

fn native(scene: &mut Scene, more: &str) -> Option<u64> {
    let target = format!(
        "/connect/app/authorize?appid={APPID}&scope=snsapi_userinfo&state={STATE}&platform=ios&bundle=com.example.rooms{more}"
    );
    scene.leads(
        Ask::get(&target),
        303,
        &format!("/interaction/{}", interaction(1)),
    )
}

fn pkce_missing(scene: &mut Scene) -> Option<u64> {
    native(scene, "")
}

fn pkce_there(scene: &mut Scene) -> Option<u64> {
    native(
        scene,
        "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    )
}

fn unknown_parameters(scene: &mut Scene) -> Option<u64> {
    let flow = scene.qr(1, &format!("{}&redirect_url=x", scan_query(STATE)));
    assert_eq!(scene.json(flow)["findings"][0]["said"], "redirect_url");
    flow
}

fn harmless_parameters(scene: &mut Scene) -> Option<u64> {
    scene.qr(
        1,
        &format!("{}&connect_redirect=1&lang=cn&", scan_query(STATE)),
    )
}
