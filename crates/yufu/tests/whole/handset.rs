//! The phone of the sandbox, authorizations without a browser, and whoever answers unasked.

use serde_json::{Value, json};

use crate::house::{Ask, House, enc, param, query};

fn scan_url(appid: &str, redirect: &str, state: &str) -> String {
    let params = query(&[
        ("appid", appid),
        ("redirect_uri", redirect),
        ("response_type", "code"),
        ("scope", "snsapi_login"),
        ("state", state),
    ]);
    format!("/connect/qrconnect?{params}#wechat_redirect")
}

fn page_url(appid: &str, redirect: &str) -> String {
    let params = query(&[
        ("appid", appid),
        ("redirect_uri", redirect),
        ("response_type", "code"),
        ("scope", "snsapi_userinfo"),
        ("state", "s1"),
    ]);
    format!("/connect/oauth2/authorize?{params}#wechat_redirect")
}

fn native_url(appid: &str) -> String {
    let params = query(&[
        ("appid", appid),
        ("scope", "snsapi_userinfo"),
        ("state", "s2"),
        ("platform", "ios"),
        ("bundle", "com.example.rooms"),
    ]);
    format!("/connect/app/authorize?{params}")
}

const CALLBACK: &str = "http://127.0.0.1:3000/callback?next=%2F";

/// Exchanges a code as the app's server would.
fn exchange(house: &House, (appid, secret): &(String, String), code: &str) -> Value {
    let params = query(&[
        ("appid", appid),
        ("secret", secret),
        ("code", code),
        ("grant_type", "authorization_code"),
    ]);
    house
        .ask(&Ask::get(&format!("/sns/oauth2/access_token?{params}")))
        .json()
}

fn authorize(house: &House, url: &str, person: &str, decision: &str) -> Value {
    let body = json!({"url": url, "person": person, "decision": decision});
    house.done("POST", "/_sandbox/authorize", &body)
}

#[test]
fn an_authorize_address_is_answered_as_a_browser_would_be() {
    let house = House::dev();
    let site = house.website();
    for origin in ["https://open.weixin.qq.com", house.platform()] {
        let url = format!("{origin}{}", scan_url(&site.0, CALLBACK, "st-1"));
        let said = authorize(&house, &url, "mei", "allow");
        let code = said["code"].as_str().unwrap().to_owned();
        assert_eq!(said["outcome"], "returned");
        assert_eq!(said["state"], "st-1");
        assert_eq!(
            said["callback"],
            format!("{CALLBACK}&code={code}&state=st-1")
        );
        let tokens = exchange(&house, &site, &code);
        assert_eq!(tokens["scope"], "snsapi_login", "{tokens}");
        assert_eq!(exchange(&house, &site, &code)["errcode"], 40163);
    }
    // The same person at the same client is the same openid; another person is another.
    let url = format!(
        "https://open.weixin.qq.com{}",
        scan_url(&site.0, CALLBACK, "")
    );
    let openid = |person| {
        let said = authorize(&house, &url, person, "allow");
        let tokens = exchange(&house, &site, said["code"].as_str().unwrap());
        tokens["openid"].as_str().unwrap().to_owned()
    };
    assert_eq!(openid("mei"), openid("mei"));
    assert_ne!(openid("mei"), openid("wei"));
}

#[test]
fn a_no_ends_as_on_the_platform() {
    let house = House::dev();
    let (site, service, app) = (house.website().0, house.service().0, house.mobile().0);
    let at = |target: String| format!("https://open.weixin.qq.com{target}");
    for (decision, why) in [("deny", "denied"), ("cancel", "cancelled")] {
        let said = authorize(&house, &at(scan_url(&site, CALLBACK, "s")), "mei", decision);
        assert_eq!(said, json!({"outcome": "stayed", "why": why}));
    }
    let said = authorize(&house, &at(page_url(&service, CALLBACK)), "mei", "deny");
    let back = format!("{CALLBACK}&state=s1");
    assert_eq!(
        said,
        json!({"outcome": "returned", "callback": back, "code": null, "state": "s1"})
    );
    for (decision, err_code) in [("deny", -4), ("cancel", -2)] {
        let said = authorize(&house, &at(native_url(&app)), "mei", decision);
        assert_eq!(
            (&said["outcome"], &said["err_code"]),
            (&json!("result"), &json!(err_code))
        );
        assert_eq!(said["code"], Value::Null);
    }
    // A yes that stands does not answer for whoever says no now.
    assert!(
        authorize(&house, &at(page_url(&service, CALLBACK)), "mei", "allow")["code"].is_string()
    );
    assert!(authorize(&house, &at(page_url(&service, CALLBACK)), "mei", "deny")["code"].is_null());
}

#[test]
fn what_the_platform_refuses_is_told_in_its_words_and_what_is_wrong_all_at_once() {
    let house = House::dev();
    let call = |body: Value| house.refused("POST", "/_sandbox/authorize", &body);
    let unknown = format!(
        "{}{}",
        house.platform(),
        scan_url("wx0000000000000000", CALLBACK, "")
    );
    let (status, said) = call(json!({"url": unknown, "person": "mei"}));
    assert_eq!(status, 422);
    assert!(
        said[0].contains("40013") || said[0].contains("AppID"),
        "{said:?}"
    );
    let foreign = format!(
        "https://open.weixin.qq.com{}",
        scan_url(&house.website().0, "https://evil.example/cb", "")
    );
    let (status, said) = call(json!({"url": foreign, "person": "mei"}));
    assert_eq!(status, 422, "{said:?}");
    assert!(
        said[0].contains("redirect_uri") && said[0].contains("docs/facts/wechat.md"),
        "{said:?}"
    );
    let (status, said) = call(json!({"url": "https://example.com/", "person": "mei"}));
    assert_eq!((status, said.len()), (400, 1), "{said:?}");
    let (status, said) = call(json!({"url": unknown, "person": "nobody"}));
    assert_eq!(status, 404);
    assert!(said[0].contains("mei, wei, ana"), "{said:?}");
    let (status, said) = call(json!({"decision": "maybe", "persn": "mei"}));
    assert_eq!((status, said.len()), (400, 4), "{said:?}");
}

#[test]
fn a_code_is_had_without_an_address() {
    let house = House::dev();
    for client in [house.website(), house.service(), house.mobile()] {
        let body = json!({"client": client.0, "person": "wei", "state": "x"});
        let said = house.done("POST", "/_sandbox/codes", &body);
        assert_eq!(said["state"], "x");
        let tokens = exchange(&house, &client, said["code"].as_str().unwrap());
        assert!(tokens["openid"].is_string(), "{tokens}");
    }
    let (status, said) = house.refused(
        "POST",
        "/_sandbox/codes",
        &json!({"client": "wx0", "person": "wei"}),
    );
    assert_eq!(status, 422, "{said:?}");
}

/// What a person's phone shows.
fn phone(house: &House, person: &str) -> Value {
    house.done(
        "GET",
        &format!("/_sandbox/phone?person={person}"),
        &Value::Null,
    )
}

fn tap(house: &House, body: Value) -> Value {
    house.done("POST", "/_sandbox/phone", &body)
}

#[test]
fn a_code_on_a_screen_is_scanned_and_agreed_to_by_the_phone() {
    let house = House::dev();
    let site = house.website();
    let page = house.ask(&Ask::get(&scan_url(&site.0, CALLBACK, "st")[..]));
    assert_eq!(page.status, 200);
    let cookie = page
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let scans = house.done("GET", "/_sandbox/scans", &Value::Null);
    let scan = &scans["scans"][0];
    assert_eq!(
        (&scan["app"], &scan["state"]),
        (&json!("小屋 Rooms"), &json!("shown"))
    );
    let uuid = scan["uuid"].as_str().unwrap();
    assert!(page.text().contains(&format!("/connect/qrcode/{uuid}")));
    let opened = tap(
        &house,
        json!({"person": "mei", "act": "scan", "what": uuid}),
    );
    let ask = &opened["ask"];
    assert_eq!(
        (&ask["app"], &ask["developer"], &ask["door"], &ask["scopes"]),
        (
            &json!("小屋 Rooms"),
            &json!("小屋科技 Rooms Ltd"),
            &json!("scan"),
            &json!(["snsapi_login"])
        )
    );
    assert_eq!(phone(&house, "mei")["asks"][0], *ask);
    assert_eq!(phone(&house, "wei")["asks"], json!([]));
    let scans = house.done("GET", "/_sandbox/scans", &Value::Null);
    assert_eq!(scans["scans"][0]["state"], "scanned");
    let agreed = json!({"person": "mei", "act": "agree", "interaction": ask["interaction"]});
    assert_eq!(tap(&house, agreed.clone()), json!({"outcome": "scan"}));
    let poll = Ask::get(&format!("/connect/l/qrconnect?uuid={uuid}")).header("cookie", &cookie);
    let polled = house.ask(&poll);
    assert!(
        polled
            .text()
            .starts_with("window.wx_errcode=405;window.wx_code='"),
        "{}",
        polled.text()
    );
    // Once answered, it is gone; and the app is among those that were authorized.
    let (status, _) = house.refused("POST", "/_sandbox/phone", &agreed);
    assert_eq!(status, 404);
    let shown = phone(&house, "mei");
    assert_eq!(shown["asks"], json!([]));
    assert_eq!(shown["apps"][0]["appid"], json!(site.0));
    assert_eq!(
        house.done("GET", "/_sandbox/scans", &Value::Null)["scans"],
        json!([])
    );
    let revoked = tap(
        &house,
        json!({"person": "mei", "act": "revoke", "appid": site.0}),
    );
    assert_eq!(revoked, json!({"revoked": site.0}));
    assert_eq!(phone(&house, "mei")["apps"], json!([]));
}

#[test]
fn an_app_on_the_phone_gets_its_result() {
    let house = House::dev();
    let url = format!(
        "https://open.weixin.qq.com{}",
        native_url(&house.mobile().0)
    );
    for (act, err_code, err_str) in [
        ("deny", -4, json!("ERR_AUTH_DENIED")),
        ("cancel", -2, json!("ERR_USER_CANCEL")),
        ("agree", 0, Value::Null),
    ] {
        let opened = tap(&house, json!({"person": "ana", "act": "scan", "what": url}));
        let interaction = &opened["ask"]["interaction"];
        assert_eq!(opened["ask"]["door"], "native", "{opened}");
        let ended = tap(
            &house,
            json!({"person": "ana", "act": act, "interaction": interaction}),
        );
        assert_eq!(
            (&ended["outcome"], &ended["err_code"]),
            (&json!("result"), &json!(err_code))
        );
        let result = &phone(&house, "ana")["results"][0];
        assert_eq!(
            (&result["err_code"], &result["err_str"]),
            (&json!(err_code), &err_str)
        );
        assert_eq!(result["code"].is_string(), err_code == 0, "{result}");
        assert_eq!(result["state"], "s2");
    }
    // Without the client nothing opens.
    tap(
        &house,
        json!({"person": "ana", "act": "install", "installed": false}),
    );
    assert_eq!(phone(&house, "ana")["installed"], false);
    let scan = json!({"person": "ana", "act": "scan", "what": url});
    let (status, said) = house.refused("POST", "/_sandbox/phone", &scan);
    assert_eq!(status, 409);
    assert!(said[0].contains("not installed"), "{said:?}");
    let body = json!({"url": url, "person": "ana"});
    assert_eq!(house.refused("POST", "/_sandbox/authorize", &body).0, 409);
    tap(
        &house,
        json!({"person": "ana", "act": "install", "installed": true}),
    );
    assert!(authorize(&house, &url, "ana", "allow")["code"].is_string());
}

#[test]
fn a_question_is_ignored_and_a_wrong_tap_complained_of() {
    let house = House::dev();
    let page = house.ask(&Ask::get(&scan_url(&house.website().0, CALLBACK, "st")[..]));
    assert_eq!(page.status, 200);
    let scans = house.done("GET", "/_sandbox/scans", &Value::Null);
    let uuid = scans["scans"][0]["uuid"].clone();
    let opened = tap(
        &house,
        json!({"person": "mei", "act": "scan", "what": uuid}),
    );
    let interaction = &opened["ask"]["interaction"];
    tap(
        &house,
        json!({"person": "mei", "act": "ignore", "interaction": interaction}),
    );
    assert_eq!(phone(&house, "mei")["asks"], json!([]));
    for (body, status, words) in [
        (json!({"person": "mei", "act": "scan"}), 400, "what"),
        (json!({"person": "mei", "act": "agree"}), 400, "interaction"),
        (json!({"person": "mei", "act": "revoke"}), 400, "appid"),
        (json!({"person": "mei", "act": "jump"}), 400, "act"),
        (json!({"act": "scan", "what": "x"}), 400, "person"),
        (
            json!({"person": "mei", "act": "agree", "interaction": "zz"}),
            404,
            "no such question",
        ),
        (
            json!({"person": "mei", "act": "scan", "what": "nonsense"}),
            422,
            "the platform refuses",
        ),
        (
            json!({"person": "mei", "act": "scan", "what": "https://example.com/"}),
            400,
            "is not the platform",
        ),
        (
            json!({"person": "mei", "act": "revoke", "appid": "wx1"}),
            404,
            "",
        ),
    ] {
        let (said, complaints) = house.refused("POST", "/_sandbox/phone", &body);
        assert_eq!(said, status, "{body}: {complaints:?}");
        assert!(
            complaints.iter().any(|one| one.contains(words)),
            "{body}: {complaints:?}"
        );
    }
}

#[test]
fn whoever_answers_unasked_sends_browsers_straight_back() {
    let house = House::dev();
    let (site, service, app) = (house.website(), house.service(), house.mobile());
    let off = json!({"auto": null});
    assert_eq!(house.done("GET", "/_sandbox/auto", &Value::Null), off);
    let auto = json!({"person": "wei"});
    let set = house.done("PUT", "/_sandbox/auto", &auto);
    assert_eq!(
        set,
        json!({"auto": {"person": "wei", "decision": "allow", "page": "skip"}})
    );
    for target in [
        scan_url(&site.0, CALLBACK, "s"),
        page_url(&service.0, CALLBACK),
        native_url(&app.0),
    ] {
        let answer = house.ask(&Ask::get(&target));
        assert_eq!(answer.status, 302, "{target}");
        assert!(
            param(answer.location(), "code").is_some(),
            "{}",
            answer.location()
        );
    }
    // What is refused shows its page, and so does a no at a scan.
    let bad = house.ask(&Ask::get(&scan_url("wx0000000000000000", CALLBACK, "s")));
    assert_ne!(bad.status, 302);
    house.done(
        "PUT",
        "/_sandbox/auto",
        &json!({"person": "wei", "decision": "deny"}),
    );
    assert_eq!(
        house
            .ask(&Ask::get(&scan_url(&site.0, CALLBACK, "s")))
            .status,
        200
    );
    let denied = house.ask(&Ask::get(&page_url(&service.0, CALLBACK)));
    assert_eq!(denied.location(), format!("{CALLBACK}&state=s1"));
    assert_eq!(
        house
            .refused("PUT", "/_sandbox/auto", &json!({"person": "nobody"}))
            .0,
        404
    );
    assert_eq!(house.done("DELETE", "/_sandbox/auto", &Value::Null), off);
    assert_eq!(
        house.ask(&Ask::get(&page_url(&service.0, CALLBACK))).status,
        303
    );
}

#[test]
fn a_shown_code_is_scanned_by_whoever_answers_unasked() {
    let house = House::dev();
    house.done(
        "PUT",
        "/_sandbox/auto",
        &json!({"person": "mei", "page": "show"}),
    );
    let page = house.ask(&Ask::get(&scan_url(&house.website().0, CALLBACK, "s")));
    assert_eq!(page.status, 200);
    let cookie = page
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let (_, rest) = page.text().split_once("/connect/qrcode/").unwrap();
    let uuid = rest.split('"').next().unwrap();
    let poll = format!("/connect/l/qrconnect?uuid={}", enc(uuid));
    crate::house::until("the code", || {
        let polled = house.ask(&Ask::get(&poll).header("cookie", &cookie));
        polled.text().contains("wx_errcode=405")
    });
}

#[test]
fn the_phone_is_a_page_for_those_with_the_token() {
    let house = House::dev();
    let page = house.ask(&Ask::get("/phone").header("accept", "text/html"));
    assert_eq!(page.status, 401);
    let page = house.control(Ask::get("/phone?person=wei"));
    assert_eq!(page.status, 200);
    assert!(
        page.text().contains("data-person=\"wei\""),
        "{}",
        page.text()
    );
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("manifest-src 'self'") && policy.contains("default-src 'none'"));
    let page = house.control(Ask::get("/phone?person=nobody"));
    assert!(page.text().contains("data-person=\"mei\""));
    let manifest = house.ask(&Ask::get("/assets/handset.webmanifest"));
    assert_eq!(
        manifest.header("content-type"),
        Some("application/manifest+json")
    );
    assert_eq!(manifest.json()["start_url"], "/phone");
}
