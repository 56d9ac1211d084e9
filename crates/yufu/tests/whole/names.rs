//! The sandbox under the platform's own names: a login through the proxy and at the gate, what is
//! told there, and what is not there.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::house::{
    Ask, Browser, House, Named, Temp, at_gate, in_client, param, query, tunnel, yufu,
};

const API: &str = "api.weixin.qq.com";

fn exchange((appid, secret): &(String, String), code: &str) -> String {
    let params = query(&[
        ("appid", appid),
        ("secret", secret),
        ("code", code),
        ("grant_type", "authorization_code"),
    ]);
    format!("/sns/oauth2/access_token?{params}")
}

fn userinfo(tokens: &serde_json::Value) -> String {
    let text = |key: &str| tokens[key].as_str().unwrap();
    let params = query(&[
        ("access_token", text("access_token")),
        ("openid", text("openid")),
    ]);
    format!("/sns/userinfo?{params}")
}

#[test]
fn a_login_goes_through_the_proxy_and_the_gate() {
    let house = House::dev();
    let client = house.service();
    for mut api in [Named::new(&house, API), at_gate(&house, API)] {
        let code = Browser::of(&house, 0).code(&client.0, "snsapi_userinfo");
        // On one connection, as libraries keep it.
        let tokens = api.get(&exchange(&client, &code)).json();
        let profile = api.get(&userinfo(&tokens)).json();
        assert_eq!(profile["openid"], tokens["openid"]);
        assert_eq!(profile["nickname"], house.ready["people"][0]["nickname"]);
        // Its picture has the name that the platform's pictures have, and is there.
        let picture = profile["headimgurl"].as_str().unwrap();
        let host = "thirdwx.qlogo.cn";
        let path = picture.strip_prefix("https://thirdwx.qlogo.cn").unwrap();
        assert!(path.starts_with("/mmopen/vi_32/"), "{picture}");
        let picture = Named::new(&house, host).get(path);
        assert_eq!(picture.header("content-type"), Some("image/jpeg"));
        // Whoever comes by this machine's name is told that.
        let direct = house.get(&userinfo(&tokens)).json();
        let picture = direct["headimgurl"].as_str().unwrap().to_owned();
        assert_eq!(picture, format!("{}{path}", house.platform()));
    }
}

#[test]
fn who_answers_unasked_does_so_under_a_name_too() {
    let house = House::dev();
    let auto = Ask::new("PUT", "/_sandbox/auto")
        .header("content-type", "application/json")
        .body(r#"{"person":"mei","decision":"allow"}"#);
    assert_eq!(house.control(auto).status, 200);
    let client = house.service();
    let target = in_client(&client.0, "http://localhost/cb", "snsapi_userinfo", "s1");
    let answer = Named::new(&house, "open.weixin.qq.com").get(&target);
    assert_eq!(answer.status, 302);
    let code = param(answer.location(), "code").unwrap();
    let tokens = Named::new(&house, API).get(&exchange(&client, code)).json();
    assert!(tokens["access_token"].is_string(), "{tokens}");
}

#[test]
fn an_answer_is_dropped_through_the_proxy_and_at_the_gate() {
    let house = House::dev();
    let client = house.service();
    for open in [Named::new, at_gate] {
        let fault = Ask::new("POST", "/_sandbox/faults")
            .header("content-type", "application/json")
            .body(r#"{"kind":"drop","endpoint":"access_token","times":1}"#);
        let set = house.control(fault);
        assert!([200, 201].contains(&set.status), "{}", set.text());
        let code = Browser::of(&house, 0).code(&client.0, "snsapi_userinfo");
        let target = exchange(&client, &code);
        assert!(open(&house, API).is_cut(&target));
        // It was redeemed all the same: nobody heard of it.
        assert_eq!(open(&house, API).get(&target).errcode(), 40163);
    }
}

#[test]
fn the_script_of_websites_is_under_its_name() {
    let house = House::dev();
    let script = Named::new(&house, "res.wx.qq.com");
    let path = "/connect/zh_CN/htmledition/js/wxLogin.js";
    let answer = { script }.get(path);
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("'//open.weixin.qq.com'"));
}

#[test]
fn cookies_under_a_name_are_those_of_tls() {
    let house = House::dev();
    let (website, _) = house.website();
    let params = query(&[
        ("appid", &website),
        ("redirect_uri", "http://localhost/cb"),
        ("response_type", "code"),
        ("scope", "snsapi_login"),
    ]);
    let target = format!("/connect/qrconnect?{params}");
    let tail = "; Path=/; HttpOnly; Secure; SameSite=None; Partitioned";
    let page = Named::new(&house, "open.weixin.qq.com").get(&target);
    let cookie = page.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-yufu_scan="), "{cookie}");
    assert!(cookie.ends_with(tail), "{cookie}");
    // By this machine's own name there is no TLS.
    let page = house.get(&target);
    let cookie = page.header("set-cookie").unwrap();
    let name = format!("yufu_scan_{}=", house.port);
    assert!(
        cookie.starts_with(&name) && cookie.ends_with("; SameSite=Lax"),
        "{cookie}"
    );
}

#[test]
fn a_form_of_another_origin_is_refused_under_a_name() {
    let house = House::dev();
    let mut open = Named::new(&house, "open.weixin.qq.com");
    let page = open.get("/account/sign-in");
    let cookie = page.header("set-cookie").unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let csrf = crate::house::field(page.text(), "name=\"csrf\" value=\"").unwrap();
    let (phone, password) = house.person(0);
    let fields = [
        ("csrf", csrf),
        ("act", "sign_in"),
        ("phone", &phone),
        ("password", &password),
    ];
    let mut send = |origin: &str| {
        let form = Ask::post("/account/sign-in", &fields);
        let form = form.header("cookie", cookie).header("origin", origin);
        open.ask(form).status
    };
    for origin in [
        "http://open.weixin.qq.com",
        "https://graph.qq.com",
        house.platform(),
        "https://evil.example",
    ] {
        assert_ne!(send(origin), 303, "{origin}");
    }
    assert_eq!(send("https://open.weixin.qq.com"), 303);
}

#[test]
fn nothing_of_the_sandbox_is_under_the_platforms_names() {
    let house = House::dev();
    let token = house.token().unwrap();
    for path in ["/_sandbox/state", "/dev/inbox", "/phone", "/flows", "/"] {
        for host in ["open.weixin.qq.com", "127.0.0.1:8420", "localhost"] {
            let ask = Ask::get(path)
                .host(host)
                .header("authorization", &format!("Bearer {token}"));
            let answer = Named::new(&house, "open.weixin.qq.com").ask(ask);
            let refused = [401, 403, 404, 421].contains(&answer.status);
            assert!(refused, "{path} as {host}: {}", answer.status);
        }
    }
}

#[test]
fn what_is_not_the_platforms_is_not_answered_for() {
    let house = House::dev();
    let platform = house.platform().strip_prefix("http://").unwrap();
    // A tunnel to somebody else is a tunnel: here to the platform's own port.
    let (status, stream) = tunnel(&house, platform);
    assert_eq!(status, 200);
    let mut wire = crate::house::Wire::over(house.port, Box::new(stream));
    assert_eq!(wire.ask(&Ask::get("/readyz")).status, 200);
    for (target, status) in [("api.weixin.qq.com:8443", 403), ("127.0.0.1:1", 502)] {
        assert_eq!(tunnel(&house, target).0, status, "{target}");
    }
}

#[test]
fn the_proxy_does_not_listen_for_others_unless_that_was_said_twice() {
    let output = yufu(&["dev", "--port", "0", "--proxy-listen", "0.0.0.0"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    let words = "yufu: the proxy would listen on 0.0.0.0, where other machines reach it";
    assert!(said.starts_with(words), "{said}");
    assert!(said.contains("add --proxy-anywhere"), "{said}");
}

#[test]
fn a_folder_keeps_its_authority_and_a_run_takes_its_own_along() {
    let data = Temp::new();
    let root = |house: &House| std::fs::read(house.ready["ca"].as_str().unwrap()).unwrap();
    let first = House::dev_in(&data);
    let kept = root(&first);
    first.stop();
    let second = House::dev_in(&data);
    assert_eq!(root(&second), kept);
    // What was told to trust it once trusts what is shown now.
    Named::new(&second, API).get("/readyz");
    second.stop();
    for file in ["authority.json", "ca.pem", "ca-chain.pem"] {
        let mode = std::fs::metadata(data.join(file)).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600, "{file}");
    }
    let run = House::dev();
    assert_ne!(root(&run), kept);
    let file = Path::new(run.ready["ca"].as_str().unwrap()).to_owned();
    assert!(!file.parent().unwrap().join("authority.json").exists());
    run.stop();
    assert!(!file.exists());
}
