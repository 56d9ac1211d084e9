//! Every errcode that can be provoked from outside, byte for byte (`docs/facts/wechat.md` §7.6,
//! §8). The rest stands beside its setting (`policy`), the disk (`crash`) or the proxy (`proxy`).

use crate::house::{Ask, Browser, House, in_client, query, until};

const INVALID_CREDENTIAL: &str = "invalid credential, access_token is invalid or not latest";

#[test]
fn missing_parameters_are_named_in_the_order_of_the_checks() {
    let house = House::dev();
    let (appid, secret) = house.service();
    let all = [
        ("appid", appid.as_str()),
        ("secret", &secret),
        ("code", "x"),
        ("grant_type", "authorization_code"),
    ];
    let path = "/sns/oauth2/access_token";
    let words = [
        (41002, "appid missing"),
        (41004, "appsecret missing"),
        (41008, "missing code"),
        (40002, "invalid grant_type"),
    ];
    for (n, (errcode, words)) in words.into_iter().enumerate() {
        // All before it are there, and what comes after does not matter.
        house.call(path, &all[..n]).refuses(errcode, words);
        let mut empty = all;
        empty[n].1 = "";
        house.call(path, &empty).refuses(errcode, words);
        house.ask(&Ask::post(path, &empty)).refuses(errcode, words);
        let without: Vec<_> = all
            .iter()
            .copied()
            .filter(|pair| pair.0 != all[n].0)
            .collect();
        house.call(path, &without).refuses(errcode, words);
    }
    house.call(path, &all).refuses(40029, "invalid code");
    for grant in [
        "x",
        "client_credential",
        "AUTHORIZATION_CODE",
        "refresh_token",
    ] {
        let mut other = all;
        other[3].1 = grant;
        house
            .call(path, &other)
            .refuses(40002, "invalid grant_type");
    }
    let unknown = [("appid", "wx0000000000000000"), all[1], all[2], all[3]];
    house.call(path, &unknown).refuses(40013, "invalid appid");
    let long = "w".repeat(9000);
    house
        .call(path, &[("appid", &long), all[1], all[2], all[3]])
        .refuses(40013, "invalid appid");
    let wrong = [all[0], ("secret", "x"), all[2], all[3]];
    house.call(path, &wrong).refuses(40125, "invalid appsecret");

    let path = "/sns/oauth2/refresh_token";
    let all = [
        ("appid", appid.as_str()),
        ("refresh_token", "x"),
        ("grant_type", "refresh_token"),
    ];
    house.call(path, &all[1..]).refuses(41002, "appid missing");
    house
        .call(path, &[all[0], all[2]])
        .refuses(41003, "refresh_token missing");
    house
        .call(path, &all[..2])
        .refuses(40002, "invalid grant_type");
    house
        .call(path, &all)
        .refuses(40030, "invalid refresh_token");
    house
        .call(path, &[("appid", "wx"), all[1], all[2]])
        .refuses(40013, "invalid appid");

    for path in ["/sns/auth", "/sns/userinfo"] {
        house.call(path, &[]).refuses(41001, "access_token missing");
        house
            .call(path, &[("access_token", "x")])
            .refuses(41009, "missing openid");
        house
            .call(path, &[("openid", "x")])
            .refuses(41001, "access_token missing");
    }
    let both = [("access_token", "x"), ("openid", "x")];
    house
        .call("/sns/userinfo", &both)
        .refuses(40001, INVALID_CREDENTIAL);
    let bare = r#"{"errcode":40014,"errmsg":"invalid access_token rid: <rid>"}"#;
    house.call("/sns/auth", &both).says("text/plain", bare);

    let path = "/sns/jscode2session";
    let all = [
        ("appid", appid.as_str()),
        ("secret", &secret),
        ("js_code", "x"),
        ("grant_type", "authorization_code"),
    ];
    for (n, (errcode, words)) in words.into_iter().enumerate() {
        house.call(path, &all[..n]).refuses(errcode, words);
    }
    house.call(path, &all).refuses(40029, "invalid code");
}

#[test]
fn the_platforms_own_calls_refuse_without_a_comma() {
    let house = House::dev();
    let (appid, secret) = house.mobile();
    let kind = "application/json; encoding=utf-8";
    let says = |path: &str, params: &[(&str, &str)], errcode: i64, words: &str| {
        let shape = format!("{{\"errcode\":{errcode},\"errmsg\":\"{words} rid: <rid>\"}}");
        house.call(path, params).says(kind, &shape);
    };
    let all = [
        ("appid", appid.as_str()),
        ("secret", &secret),
        ("grant_type", "client_credential"),
    ];
    let path = "/cgi-bin/token";
    says(path, &all[1..], 41002, "appid missing");
    says(path, &[all[0], all[2]], 41004, "appsecret missing");
    says(path, &all[..2], 40002, "invalid grant_type");
    says(
        path,
        &[("appid", "wx1"), all[1], all[2]],
        40013,
        "invalid appid",
    );
    says(
        path,
        &[all[0], ("secret", "x"), all[2]],
        40125,
        "invalid appsecret",
    );
    let path = "/cgi-bin/ticket/getticket";
    says(path, &[("type", "2")], 41001, "access_token missing");
    says(
        path,
        &[("access_token", "x"), ("type", "2")],
        40001,
        INVALID_CREDENTIAL,
    );
    // A website has no use for it, and a user's token is none of these.
    let website = house.website();
    let params = [
        ("appid", website.0.as_str()),
        ("secret", &website.1),
        all[2],
    ];
    let own = house.call("/cgi-bin/token", &params).json()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    says(
        path,
        &[("access_token", &own), ("type", "2")],
        48001,
        "api unauthorized",
    );
    let service = house.service();
    let code = Browser::of(&house, 0).code(&service.0, "snsapi_userinfo");
    let token = house.tokens(&service, &code)["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    says(
        path,
        &[("access_token", &token), ("type", "2")],
        40001,
        INVALID_CREDENTIAL,
    );
}

#[test]
fn another_apps_code_and_tokens_are_unknown() {
    let house = House::dev();
    let (service, website) = (house.service(), house.website());
    let mut browser = Browser::of(&house, 0);
    let code = browser.code(&service.0, "snsapi_userinfo");
    house
        .exchange(&website, &code)
        .refuses(40029, "invalid code");
    let tokens = house.tokens(&service, &code);
    house
        .exchange(&website, &code)
        .refuses(40029, "invalid code");
    house
        .exchange(&service, &code)
        .refuses(40163, "code been used");
    let text = |key: &str| tokens[key].as_str().unwrap();
    let (access, refresh, openid) = (text("access_token"), text("refresh_token"), text("openid"));
    house
        .refresh(&website.0, refresh)
        .refuses(40030, "invalid refresh_token");
    house
        .auth(access, "o_another")
        .refuses(40003, "invalid openid");
    // Neither token is the other, and a code is no token.
    let bare = r#"{"errcode":40014,"errmsg":"invalid access_token rid: <rid>"}"#;
    for wrong in [
        refresh,
        &code,
        &access[..109],
        &format!("{access}x"),
        &access.to_ascii_lowercase(),
    ] {
        house.auth(wrong, openid).says("text/plain", bare);
        house
            .userinfo(wrong, openid)
            .refuses(40001, INVALID_CREDENTIAL);
    }
    for wrong in [access, &code, &refresh[1..]] {
        house
            .refresh(&service.0, wrong)
            .refuses(40030, "invalid refresh_token");
    }
    assert_eq!(house.auth(access, openid).errcode(), 0);
    // A revoked one, by the operator.
    house.cli_with(&["token", "revoke"], refresh);
    until("it is felt", || {
        house.auth(access, openid).errcode() == 40014
    });
    house
        .userinfo(access, openid)
        .refuses(40001, INVALID_CREDENTIAL);
    house
        .refresh(&service.0, refresh)
        .refuses(40030, "invalid refresh_token");
}

#[test]
fn what_has_expired_says_so_and_a_refresh_brings_another() {
    let house = House::dev();
    let service = house.service();
    let mut browser = Browser::of(&house, 0);
    house.cli(&[
        "client",
        "edit",
        &service.0,
        "--set",
        "access_life=1",
        "--set",
        "refresh_life=4",
    ]);
    let mut tokens = serde_json::Value::Null;
    until("the setting is felt", || {
        let code = browser.code(&service.0, "snsapi_userinfo");
        tokens = house.tokens(&service, &code);
        tokens["expires_in"] == 1
    });
    let text = |key: &str| tokens[key].as_str().unwrap();
    let (access, refresh, openid) = (text("access_token"), text("refresh_token"), text("openid"));
    until("it expires", || {
        house.userinfo(access, openid).errcode() == 42001
    });
    house
        .userinfo(access, openid)
        .refuses(42001, "access_token expired");
    house
        .auth(access, openid)
        .refuses(42001, "access_token expired");
    // §10: after its end a refresh brings another, with the same refresh token.
    let renewed = house.refresh(&service.0, refresh).json();
    let fresh = renewed["access_token"]
        .as_str()
        .unwrap_or_else(|| panic!("{renewed}"));
    assert_ne!(fresh, access);
    assert_eq!(renewed["refresh_token"], refresh);
    until("the refresh token expires", || {
        house.refresh(&service.0, refresh).errcode() != 0
    });
    house
        .refresh(&service.0, refresh)
        .refuses(42002, "refresh_token expired");
}

/// What a page says: its number, and that it stays where it is.
#[track_caller]
fn page_says(house: &House, target: &str, part: &str) {
    let page = house.get(target);
    assert_eq!(page.status, 200, "{target}");
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert!(page.header("location").is_none(), "{target} redirects");
    assert!(
        page.text().contains(part),
        "{part} at {target}: {}",
        page.text()
    );
}

#[test]
fn pages_of_refusals_show_the_number_and_never_lead_away() {
    let house = House::dev();
    let (service, website) = (house.service().0, house.website().0);
    let path = "/connect/oauth2/authorize";
    let at = |path: &str, params: &[(&str, &str)]| format!("{path}?{}", query(params));
    let to = ("redirect_uri", "http://localhost/x");
    let code = ("response_type", "code");
    let scope = ("scope", "snsapi_userinfo");
    let app = ("appid", service.as_str());
    page_says(&house, &at(path, &[to, code, scope]), "10012");
    page_says(&house, &at(path, &[app, code, scope]), "10011");
    page_says(&house, &at(path, &[app, to, code]), "10010");
    page_says(&house, &at(path, &[app, to, scope]), "response_type");
    page_says(
        &house,
        &at(path, &[app, to, ("response_type", "token"), scope]),
        "response_type",
    );
    page_says(
        &house,
        &at(path, &[("appid", "wx0000000000000000"), to, code, scope]),
        "AppID",
    );
    page_says(
        &house,
        &at(
            path,
            &[app, ("redirect_uri", "https://evil.example/"), code, scope],
        ),
        "10003",
    );
    page_says(
        &house,
        &at(path, &[app, to, code, ("scope", "snsapi_login")]),
        "10005",
    );
    page_says(
        &house,
        &at(path, &[app, to, code, ("scope", "nonsense")]),
        "10005",
    );
    page_says(
        &house,
        &at(path, &[("appid", &website), to, code, scope]),
        "10016",
    );
    let scan = "/connect/qrconnect";
    page_says(
        &house,
        &at(scan, &[app, to, code, ("scope", "snsapi_login")]),
        "10005",
    );
    let site = ("appid", website.as_str());
    page_says(
        &house,
        &at(scan, &[site, to, code, ("scope", "snsapi_base")]),
        "10005",
    );
    // Both languages, and the words of the platform in either.
    let target = at(
        path,
        &[app, ("redirect_uri", "https://evil.example/"), code, scope],
    );
    page_says(
        &house,
        &format!("{target}&lang=en"),
        "The host of redirect_uri must be exactly",
    );
    page_says(&house, &target, "redirect_uri 参数错误");
    page_says(
        &house,
        "/interaction/1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "页面已过期",
    );
    page_says(
        &house,
        "/connect/confirm?uuid=0000000000000000",
        "页面已过期",
    );
    page_says(
        &house,
        &format!(
            "{path}?appid={service}&redirect_uri=http://localhost/&response_type=code&scope=snsapi_base&state=%ff"
        ),
        "state",
    );
}

#[test]
fn states_have_their_limits_and_come_back_to_the_byte() {
    let house = House::dev();
    let service = house.service().0;
    let mut browser = Browser::of(&house, 0);
    browser.sign_in();
    let ask = |browser: &mut Browser<'_>, state: &str| {
        browser.get(&in_client(
            &service,
            "http://localhost/x",
            "snsapi_base",
            state,
        ))
    };
    // §15.7: 128 bytes pass, 129 do not; bytes count, not characters.
    for state in [
        "a".repeat(128),
        "é".repeat(64),
        "%20+/=&#?\\\"'<>~".to_owned(),
        " ".to_owned(),
    ] {
        let answer = ask(&mut browser, &state);
        let back = format!("&state={}", crate::house::enc(&state));
        assert!(answer.location().ends_with(&back), "{}", answer.location());
    }
    for state in ["a".repeat(129), "é".repeat(65)] {
        let page = ask(&mut browser, &state);
        assert_eq!(page.status, 200);
        assert!(page.text().contains("state too long"));
    }
    // Without a state there is none on the way back.
    let params = [
        ("appid", service.as_str()),
        ("redirect_uri", "http://localhost/x?y"),
        ("response_type", "code"),
        ("scope", "snsapi_base"),
    ];
    let answer = browser.get(&format!("/connect/oauth2/authorize?{}", query(&params)));
    assert!(
        !answer.location().contains("state"),
        "{}",
        answer.location()
    );
    // §3: any order, with what others send along.
    let mut backwards = params;
    backwards.reverse();
    let more = [
        ("connect_redirect", "1"),
        ("component_appid", "x"),
        ("client_id", "y"),
        ("uin", ""),
    ];
    let target = format!(
        "/connect/oauth2/authorize?{}&{}&",
        query(&backwards),
        query(&more)
    );
    assert_eq!(browser.get(&target).status, 302);
    // JustAuth (§14) does not encode: what follows the first & is lost, as on the platform.
    let raw = format!(
        "/connect/oauth2/authorize?response_type=code&appid={service}&scope=snsapi_base&state=s&redirect_uri=http://localhost/x?a=1&b=2"
    );
    let answer = browser.get(&raw);
    assert!(
        answer
            .location()
            .starts_with("http://localhost/x?a=1&code="),
        "{}",
        answer.location()
    );
    // At a scan, long ones are common.
    let website = house.website().0;
    let (_, page) = browser.qr(&website, &[("state", &"s".repeat(4096))]);
    assert_eq!(page.status, 200);
    let params = [
        ("appid", website.as_str()),
        params[1],
        params[2],
        ("scope", "snsapi_login"),
    ];
    let long = format!(
        "/connect/qrconnect?{}&state={}",
        query(&params),
        "s".repeat(4097)
    );
    assert!(browser.get(&long).text().contains("state too long"));
}
