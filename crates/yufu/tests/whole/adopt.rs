//! Apps that nobody registered: taken in when they come by the platform's own names, with the
//! secret that they show first, and by no other way.

use serde_json::{Value, json};

use crate::house::{Ask, House, Named, in_client, param, query};

const APPID: &str = "wx5f0e6ad8c21b7390";
const SECRET: &str = "5d41402abc4b2a76b9719d911017c592";
const API: &str = "api.weixin.qq.com";
const OPEN: &str = "open.weixin.qq.com";

fn scan(appid: &str, redirect: &str) -> String {
    let params = query(&[
        ("appid", appid),
        ("redirect_uri", redirect),
        ("response_type", "code"),
        ("scope", "snsapi_login"),
        ("state", "s1"),
    ]);
    format!("/connect/qrconnect?{params}")
}

fn exchange(appid: &str, secret: &str, code: &str) -> String {
    let params = query(&[
        ("appid", appid),
        ("secret", secret),
        ("code", code),
        ("grant_type", "authorization_code"),
    ]);
    format!("/sns/oauth2/access_token?{params}")
}

/// The code that mei gives to whoever asks with this address.
fn code(house: &House, url: &str) -> String {
    let body = json!({"url": url, "person": "mei"});
    let said = house.done("POST", "/_sandbox/authorize", &body);
    said["code"].as_str().unwrap().to_owned()
}

#[test]
fn an_unmodified_app_logs_somebody_in_with_its_own_appid_and_secret() {
    let house = House::dev();
    let redirect = "http://127.0.0.1:3000/callback";
    let page = Named::new(&house, OPEN).get(&scan(APPID, redirect));
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(page.text().contains("/connect/qrcode/"));
    let url = format!("https://{OPEN}{}", scan(APPID, redirect));
    let mut api = Named::new(&house, API);
    let tokens = api
        .get(&exchange(APPID, SECRET, &code(&house, &url)))
        .json();
    assert!(tokens["unionid"].is_string(), "{tokens}");
    // The secret that it showed first is its own: another one is wrong from now on.
    let other = api.get(&exchange(
        APPID,
        "00000000000000000000000000000000",
        &code(&house, &url),
    ));
    assert_eq!(other.errcode(), 40125, "{}", other.text());
    let again = api
        .get(&exchange(APPID, SECRET, &code(&house, &url)))
        .json();
    assert_eq!(again["openid"], tokens["openid"]);
    // In a form as well, and by an app in the client.
    let second = "wx0123456789abcdef";
    let answer = Named::new(&house, OPEN).get(&in_client(second, redirect, "snsapi_base", "s"));
    assert_eq!(answer.status, 303);
    let url = format!(
        "https://{OPEN}{}",
        in_client(second, redirect, "snsapi_base", "s")
    );
    let code = code(&house, &url);
    let form = [
        ("appid", second),
        ("secret", SECRET),
        ("code", &code),
        ("grant_type", "authorization_code"),
    ];
    let ask = Ask::post("/sns/oauth2/access_token", &form);
    let said = Named::new(&house, API).ask(ask).json();
    assert!(said["openid"].is_string(), "{said}");
    // One account owns them, so a person is one unionid at both.
    let info = |tokens: &Value| tokens["unionid"].clone();
    if said["unionid"].is_string() {
        assert_eq!(info(&said), info(&tokens));
    }
}

#[test]
fn its_own_host_is_where_it_may_be_sent_back_to() {
    let house = House::dev();
    let url = |redirect: &str| format!("https://{OPEN}{}", scan(APPID, redirect));
    let body = json!({"url": url("https://www.example.com/cb"), "person": "mei"});
    let said = house.done("POST", "/_sandbox/authorize", &body);
    let callback = said["callback"].as_str().unwrap();
    assert!(
        callback.starts_with("https://www.example.com/cb?code="),
        "{callback}"
    );
    assert_eq!(param(callback, "state"), Some("s1"));
    let body = json!({"url": url("https://evil.example/cb"), "person": "mei"});
    assert_eq!(house.refused("POST", "/_sandbox/authorize", &body).0, 422);
}

#[test]
fn a_mobile_app_is_taken_in_when_a_code_is_asked_for_it() {
    let house = House::dev();
    let body = json!({"client": APPID, "person": "wei"});
    let said = house.done("POST", "/_sandbox/codes", &body);
    assert_eq!(said["outcome"], "result");
    let code = said["code"].as_str().unwrap();
    let tokens = Named::new(&house, API)
        .get(&exchange(APPID, SECRET, code))
        .json();
    assert!(tokens["openid"].is_string(), "{tokens}");
}

#[test]
fn nobody_is_taken_in_by_another_way() {
    let house = House::dev();
    // By this machine's own address, with an appid that is none, or against the will of the owner.
    let direct = house.ask(&Ask::get(&scan(APPID, "http://127.0.0.1/cb")));
    assert!(
        !direct.text().contains("/connect/qrcode/"),
        "{}",
        direct.text()
    );
    assert_eq!(
        house
            .ask(&Ask::get(&exchange(APPID, SECRET, "x")))
            .errcode(),
        40013
    );
    for odd in ["wx1", "gh_0123456789abcdef", "wx0123456789abcdeg"] {
        let page = Named::new(&house, OPEN).get(&scan(odd, "http://127.0.0.1/cb"));
        assert!(!page.text().contains("/connect/qrcode/"), "{odd}");
        let said = Named::new(&house, API).get(&exchange(odd, SECRET, "x"));
        assert_eq!(said.errcode(), 40013, "{odd}");
    }
    let house = House::dev_with(&["--no-adopt"]);
    let page = Named::new(&house, OPEN).get(&scan(APPID, "http://127.0.0.1/cb"));
    assert!(!page.text().contains("/connect/qrcode/"));
    assert_eq!(
        Named::new(&house, API)
            .get(&exchange(APPID, SECRET, "x"))
            .errcode(),
        40013
    );
    // A secret that no client can have is no secret: it is asked for anew.
    let house = House::dev();
    Named::new(&house, OPEN).get(&scan(APPID, "http://127.0.0.1/cb"));
    assert_eq!(
        Named::new(&house, API)
            .get(&exchange(APPID, "short", "x"))
            .errcode(),
        40125
    );
    let url = format!("https://{OPEN}{}", scan(APPID, "http://127.0.0.1/cb"));
    let code = code(&house, &url);
    let tokens = Named::new(&house, API)
        .get(&exchange(APPID, SECRET, &code))
        .json();
    assert!(tokens["openid"].is_string(), "{tokens}");
}
