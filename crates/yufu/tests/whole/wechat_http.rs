//! Whole logins over the wire, byte for byte (`docs/facts/wechat.md` §3, §6, §7, §15). Shapes are
//! typed from the facts; what varies stands in holes.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::house::{Ask, Browser, House, in_client, param, query, until};

const TOKENS: &str = r#"{"access_token":"<token>","expires_in":7200,"refresh_token":"<token>","openid":"<id>","scope":"snsapi_userinfo","unionid":"<id>"}"#;
const BASE_TOKENS: &str = r#"{"access_token":"<token>","expires_in":7200,"refresh_token":"<token>","openid":"<id>","scope":"snsapi_base"}"#;
const SCAN_TOKENS: &str = r#"{"access_token":"<token>","expires_in":7200,"refresh_token":"<token>","openid":"<id>","scope":"snsapi_login","unionid":"<id>"}"#;

/// PKCE's verifier and challenge (RFC 7636 §4.1, §4.2).
pub(crate) fn pkce() -> (String, String) {
    let verifier = "a-verifier-of-forty-three-characters-at-least-0123456789".to_owned();
    let hash = digest::digest(&digest::SHA256, verifier.as_bytes());
    (verifier, URL_SAFE_NO_PAD.encode(hash.as_ref()))
}

#[test]
fn an_in_client_login_from_the_first_page_to_the_profile() {
    let house = House::dev();
    let service = house.service();
    let mut browser = Browser::of(&house, 0);
    let target = in_client(
        &service.0,
        "http://localhost:9/cb?a=1#frag",
        "snsapi_userinfo",
        "A b&=ü",
    );
    let location = browser.allow(&target);
    // §17.14: the address's own query stays, the fragment stays last, the state comes back as sent.
    let code = param(&location, "code").unwrap().to_owned();
    assert_eq!(
        location,
        format!("http://localhost:9/cb?a=1&code={code}&state=A%20b%26%3D%C3%BC#frag")
    );
    let answer = house.exchange(&service, &code);
    let holes = answer.says("text/plain", TOKENS);
    assert!(!answer.text().contains("errcode"));
    let (access, refresh, openid, unionid) = (&holes[0], &holes[1], &holes[2], &holes[3]);
    // §2: both tokens of a grant share their head.
    assert_eq!(access[..3], refresh[..3]);
    assert_ne!(openid, unionid);
    // §7.3, §7.4
    house
        .auth(access, openid)
        .says("text/plain", r#"{"errcode":0,"errmsg":"ok"}"#);
    let profile = house.userinfo(access, openid);
    let platform = house.platform().replace('/', "\\/");
    let shape = format!(
        r#"{{"openid":"{openid}","nickname":"梅 Zoé 🐟","sex":0,"language":"","city":"","province":"","country":"","headimgurl":"{platform}\/mmopen\/vi_32\/mei\/132","privilege":[],"unionid":"{unionid}"}}"#
    );
    profile.says("text/plain", &shape);
    // §7.2, §10: openid first, the same tokens, the comma at the end, no unionid.
    let shape = format!(
        r#"{{"openid":"{openid}","access_token":"{access}","expires_in":7200,"refresh_token":"{refresh}","scope":"snsapi_userinfo,"}}"#
    );
    house
        .refresh(&service.0, refresh)
        .says("text/plain", &shape);
    // The standing yes: the second time nobody is asked, and the codes differ.
    let silent = browser.get(&target);
    assert_eq!(silent.status, 302);
    let again = param(silent.location(), "code").unwrap().to_owned();
    assert_ne!(again, code);
    let holes = house.exchange(&service, &again).says("text/plain", TOKENS);
    assert_eq!((&holes[2], &holes[3]), (openid, unionid), "the same person");
    // §10: the first tokens live on.
    assert_eq!(house.auth(access, openid).errcode(), 0);
    // forcePopup asks all the same.
    let asked = browser.get(&format!("{target}&forcePopup=true"));
    assert!(asked.location().starts_with("/interaction/"), "{asked:?}");
}

#[test]
fn the_sign_in_page_is_a_form_that_holds_all_it_needs() {
    let house = House::dev();
    let mut browser = Browser::of(&house, 1);
    let target = in_client(
        &house.service().0,
        "http://127.0.0.1/x",
        "snsapi_userinfo",
        "s",
    );
    let first = browser.get(&target);
    assert_eq!(first.status, 303);
    let interaction = first.location().to_owned();
    let page = browser.get(&interaction);
    assert_eq!(page.status, 200);
    assert!(
        page.text().contains("小屋服务号 Rooms Pages"),
        "the app is named"
    );
    // A wrong password stays on the page and says so; the right one goes on to the consent page.
    let (phone, password) = house.person(1);
    let wrong = browser.press(&page, "sign_in", &[("phone", &phone), ("password", "no")]);
    assert_eq!(wrong.status, 200);
    assert!(wrong.text().contains("role=\"alert\""));
    assert!(browser.session().is_none());
    let right = browser.press(
        &wrong,
        "sign_in",
        &[("phone", &phone), ("password", &password)],
    );
    assert_eq!(
        (right.status, right.location()),
        (303, interaction.as_str())
    );
    let consent = browser.get(&interaction);
    for words in ["阿伟", "小屋科技 Rooms Ltd", "http://127.0.0.1"] {
        assert!(consent.text().contains(words), "{words} is missing");
    }
    assert!(!consent.text().contains(&phone), "the number is masked");
    let done = browser.press(&consent, "allow", &[]);
    assert_eq!(done.status, 303, "never again with the form");
    assert!(done.location().starts_with("http://127.0.0.1/x?code=0"));
    // The same page is good once.
    let again = browser.press(&consent, "allow", &[]);
    assert_eq!(again.status, 200);
    assert!(again.header("location").is_none());
}

#[test]
fn base_is_silent_has_no_unionid_and_no_profile() {
    let house = House::dev();
    let service = house.service();
    let mut browser = Browser::of(&house, 0);
    browser.sign_in();
    let answer = browser.get(&in_client(
        &service.0,
        "http://localhost/cb",
        "snsapi_base",
        "",
    ));
    assert_eq!(answer.status, 302, "nobody is asked");
    // An empty state that was sent comes back empty (§14).
    let code = param(answer.location(), "code").unwrap();
    assert_eq!(
        answer.location(),
        format!("http://localhost/cb?code={code}&state=")
    );
    let holes = house
        .exchange(&service, code)
        .says("text/plain", BASE_TOKENS);
    house
        .userinfo(&holes[0], &holes[2])
        .refuses(48001, "api unauthorized");
    assert_eq!(house.auth(&holes[0], &holes[2]).errcode(), 0);
}

#[test]
fn no_returns_with_the_state_alone() {
    let house = House::dev();
    let target = in_client(
        &house.service().0,
        "http://localhost/cb",
        "snsapi_userinfo",
        "st",
    );
    let answer = Browser::of(&house, 0).go_through(&target, "deny");
    assert_eq!(answer.location(), "http://localhost/cb?state=st");
}

#[test]
fn a_scan_login_with_a_jar_of_cookies() {
    let house = House::dev_with(&["--poll-hold", "1"]);
    let website = house.website();
    let (mut desk, mut phone) = (Browser::of(&house, 0), Browser::of(&house, 0));
    let code = desk.scan(&website.0, &mut phone);
    let holes = house
        .exchange(&website, &code)
        .says("text/plain", SCAN_TOKENS);
    assert_eq!(
        house.userinfo(&holes[0], &holes[2]).json()["unionid"],
        holes[3].as_str()
    );
    // §16: no comma for websites.
    let refreshed = house.refresh(&website.0, &holes[1]).json();
    assert_eq!(refreshed["scope"], "snsapi_login");
    // §10: one unionid within a developer, another one at another developer's.
    let service = house.service();
    let code = phone.code(&service.0, "snsapi_userinfo");
    let tokens = house.tokens(&service, &code);
    assert_eq!(tokens["unionid"], holes[3].as_str());
    assert_ne!(tokens["openid"], holes[2].as_str());
    let stranger = house.stranger();
    let code = desk.scan(&stranger.0, &mut phone);
    assert_ne!(house.tokens(&stranger, &code)["unionid"], holes[3].as_str());
}

fn native(appid: &str, more: &[(&str, &str)]) -> String {
    let mut params = vec![
        ("appid", appid),
        ("scope", "snsapi_userinfo"),
        ("state", "n"),
    ];
    params.extend(more);
    format!("/connect/app/authorize?{}", query(&params))
}

#[test]
fn a_native_login_on_each_system_with_pkce() {
    let house = House::dev();
    let mobile = house.mobile();
    let (verifier, challenge) = pkce();
    let app = house.ready["app"].as_str().unwrap();
    let bundle = "com.example.rooms";
    let systems = [
        ("ios", "", format!("{app}/app/{}/oauth", mobile.0)),
        (
            "android",
            "0123456789abcdef0123456789abcdef",
            format!("{}://oauth", mobile.0),
        ),
        ("harmony", "1234567890", format!("{}://oauth", mobile.0)),
    ];
    let mut browser = Browser::of(&house, 2);
    for (platform, signature, back) in systems {
        let params = [
            ("platform", platform),
            ("bundle", bundle),
            ("signature", signature),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let location = browser.allow(&native(&mobile.0, &params));
        let code = param(&location, "code")
            .unwrap_or_else(|| panic!("{location}"))
            .to_owned();
        assert_eq!(location, format!("{back}?code={code}&state=n"));
        // Without the verifier, or with another, the code does not pay and is not spent.
        house
            .exchange(&mobile, &code)
            .refuses(40029, "invalid code");
        let with = |verifier: &str| {
            let params = [
                ("appid", mobile.0.as_str()),
                ("secret", &mobile.1),
                ("code", &code),
                ("grant_type", "authorization_code"),
                ("code_verifier", verifier),
            ];
            house.call("/sns/oauth2/access_token", &params)
        };
        with("another-verifier-of-forty-three-characters-at-least").refuses(40029, "invalid code");
        with(&verifier).says("text/plain", TOKENS);
        with(&verifier).refuses(40163, "code been used");
        // §11.2: no and cancel are numbers, with the state.
        let ask = native(&mobile.0, &params);
        let denied = browser.go_through(&format!("{ask}&forcePopup=true"), "deny");
        if let Some(location) = denied.header("location")
            && !location.contains("code=")
        {
            assert_eq!(location, format!("{back}?errcode=-4&state=n"));
        }
    }
}

#[test]
fn no_to_an_app_is_a_number() {
    let house = House::dev();
    let mobile = house.mobile();
    let (_, challenge) = pkce();
    let params = [
        ("platform", "android"),
        ("bundle", "com.example.rooms"),
        ("signature", "0123456789abcdef0123456789abcdef"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
    ];
    for (act, number) in [("deny", "-4"), ("cancel", "-2")] {
        let mut browser = Browser::of(&house, 0);
        // The page has a button for no; turning away is the same form with another word.
        browser.sign_in();
        let page = browser.get(&native(&mobile.0, &params));
        let page = browser.get(page.location());
        let form = crate::house::form_of(&page, "deny");
        let answer = browser.post(&form.action, &[("csrf", &form.csrf), ("act", act)]);
        assert_eq!(
            answer.location(),
            format!("{}://oauth?errcode={number}&state=n", mobile.0)
        );
    }
}

#[test]
fn a_native_identity_that_does_not_match_is_a_page_and_tells_nothing() {
    let house = House::dev();
    let mobile = house.mobile();
    let (_, challenge) = pkce();
    let signature = "0123456789abcdef0123456789abcdef";
    for (platform, bundle, given, field) in [
        ("android", "com.evil", signature, "bundle"),
        (
            "android",
            "com.example.rooms",
            "ffffffffffffffffffffffffffffffff",
            "signature",
        ),
        ("android", "com.example.rooms", "", "signature"),
        ("ios", "com.evil", "", "bundle"),
        ("symbian", "com.example.rooms", "", "platform"),
    ] {
        let params = [
            ("platform", platform),
            ("bundle", bundle),
            ("signature", given),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        let page = house.get(&native(&mobile.0, &params));
        assert_eq!(page.status, 200);
        assert!(page.header("location").is_none(), "never a redirect");
        assert!(page.text().contains("-6"), "{platform} {bundle}");
        assert!(page.text().contains(field), "{field} is named");
        if bundle != "com.example.rooms" {
            assert!(
                !page.text().contains("com.example.rooms"),
                "the registered value is told"
            );
        }
        assert!(!page.text().contains(signature));
    }
    // Only S256 will do, and where the app is not as WeChat's are, PKCE is needed.
    let base = [("platform", "ios"), ("bundle", "com.example.rooms")];
    house.set(&mobile.0, "wechat_compatible=false");
    let bare = native(&mobile.0, &base);
    until("felt", || {
        house.get(&bare).text().contains("code_challenge")
    });
    let plain = [
        base[0],
        base[1],
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "plain"),
    ];
    let page = house.get(&native(&mobile.0, &plain));
    assert!(page.text().contains("code_challenge"), "{}", page.text());
}

/// §15.2: the same exchange, by every way in which clients send it.
#[test]
fn an_exchange_may_come_in_every_way_that_clients_have() {
    let house = House::dev();
    let service = house.service();
    let mut browser = Browser::of(&house, 0);
    let path = "/sns/oauth2/access_token";
    for way in 0..6 {
        let code = browser.code(&service.0, "snsapi_userinfo");
        let all = [
            ("appid", service.0.as_str()),
            ("secret", &service.1),
            ("code", &code),
            ("grant_type", "authorization_code"),
        ];
        let (ask, kind) = match way {
            0 => (Ask::get(&format!("{path}?{}", query(&all))), "text/plain"),
            1 => (Ask::post(path, &all), "text/plain"),
            2 => (
                Ask::new("POST", &format!("{path}?{}", query(&all))),
                "text/plain",
            ),
            // Auth.js (§14): the client in the query, the rest in the body, Basic, Accept.
            3 => {
                let target = format!("{path}?{}", query(&all[..2]));
                let form = [all[2], all[3], ("redirect_uri", "http://localhost/cb")];
                let ask = Ask::post(&target, &form)
                    .header("authorization", "Basic d3g6bm9uc2Vuc2U=")
                    .header("accept", "application/json");
                (ask, "application/json")
            }
            // A body without a type, and one with the wrong type.
            4 => (Ask::new("POST", path).body(query(&all)), "text/plain"),
            _ => {
                let ask = Ask::new("POST", path).header("content-type", "application/json");
                (
                    ask.header("accept", "text/html, application/json;q=0.9")
                        .body(query(&all)),
                    "application/json",
                )
            }
        };
        let answer = house.ask(&ask);
        answer.says(kind, TOKENS);
        assert!(!answer.text().contains("errcode"), "way {way}");
        // And a used code by the same way is refused in the same tongue.
        let again = house.ask(&ask);
        again.says(
            kind,
            r#"{"errcode":40163,"errmsg":"code been used, rid: <rid>"}"#,
        );
    }
    // §2: userinfo stays text/plain whatever is accepted.
    let code = browser.code(&service.0, "snsapi_userinfo");
    let tokens = house.tokens(&service, &code);
    let text = |key: &str| tokens[key].as_str().unwrap();
    let params = [
        ("access_token", text("access_token")),
        ("openid", text("openid")),
    ];
    let ask = Ask::post("/sns/userinfo", &params).header("accept", "application/json");
    assert_eq!(house.ask(&ask).header("content-type"), Some("text/plain"));
    for lang in ["zh_CN", "zh_TW", "en", "xx", ""] {
        let answer = house.call("/sns/userinfo", &[params[0], params[1], ("lang", lang)]);
        assert_eq!(answer.json()["nickname"], "梅 Zoé 🐟");
    }
    // §7.4: whatever the openid holds, but it must be there.
    for openid in ["x", "%!s(<nil>)", text("unionid")] {
        assert_eq!(
            house.userinfo(text("access_token"), openid).json()["openid"],
            text("openid")
        );
    }
}

#[test]
fn a_mini_programs_login() {
    let house = House::dev();
    let service = house.service();
    let user = house.user_id(0);
    let code = || {
        let args = [
            "token",
            "mini-code",
            "--client",
            &service.0,
            "--user",
            &user,
        ];
        house.cli(&args)["code"].as_str().unwrap().to_owned()
    };
    let call = |code: &str, secret: &str| {
        let params = [
            ("appid", service.0.as_str()),
            ("secret", secret),
            ("js_code", code),
            ("grant_type", "authorization_code"),
        ];
        house.call("/sns/jscode2session", &params)
    };
    let first = code();
    // A mini program's code is no code of a login, and the other way round.
    house
        .exchange(&service, &first)
        .refuses(40029, "invalid code");
    call(&first, &"0".repeat(32)).refuses(40125, "invalid appsecret");
    let shape = r#"{"session_key":"<key>","openid":"<id>","unionid":"<id>"}"#;
    let holes = call(&first, &service.1).says("text/plain", shape);
    call(&first, &service.1).refuses(40163, "code been used");
    let login = Browser::of(&house, 0).code(&service.0, "snsapi_userinfo");
    call(&login, &service.1).refuses(40029, "invalid code");
    assert_eq!(
        house.tokens(&service, &login)["openid"],
        holes[1].as_str(),
        "one person"
    );
    let second = call(&code(), &service.1).says("text/plain", shape);
    assert_ne!(second[0], holes[0]);
    assert_eq!(second[1..], holes[1..]);
}

/// The signature of §6.
fn signature(appid: &str, nonce: &str, ticket: &str, timestamp: &str) -> String {
    let text = format!("appid={appid}&noncestr={nonce}&sdk_ticket={ticket}&timestamp={timestamp}");
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    hash.as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[test]
fn a_signed_scan_of_an_app() {
    // §6, computed there.
    let vector = signature("wx0000000000000000", "abc", "T", "1");
    assert_eq!(vector, "c797558ea63341e27f7c5c0238208b291e5ecdbc");

    let house = House::dev_with(&["--poll-hold", "1"]);
    let mobile = house.mobile();
    let platform = "application/json; encoding=utf-8";
    let own = |client: &(String, String)| {
        let params = [
            ("grant_type", "client_credential"),
            ("appid", client.0.as_str()),
            ("secret", &client.1),
        ];
        let answer = house.call("/cgi-bin/token", &params);
        answer.says(platform, r#"{"access_token":"<token>","expires_in":7200}"#)[0].clone()
    };
    let ticket = |access: &str| {
        let params = [("access_token", access), ("type", "2")];
        house.call("/cgi-bin/ticket/getticket", &params)
    };
    let shape = r#"{"errcode":0,"errmsg":"ok","ticket":"<ticket>","expires_in":<seconds>}"#;
    let access = own(&mobile);
    let sdk_ticket = ticket(&access).says(platform, shape)[0].clone();
    // A new token leaves the old one alive, and the ticket stays until it ends.
    let newer = own(&mobile);
    assert_ne!(newer, access);
    assert_eq!(ticket(&access).says(platform, shape)[0], sdk_ticket);
    assert_eq!(ticket(&newer).says(platform, shape)[0], sdk_ticket);
    // A client's own token is nobody's token.
    house.userinfo(&access, "o").refuses(
        40001,
        "invalid credential, access_token is invalid or not latest",
    );

    let now = (yufu_web::clock::real().seconds()).to_string();
    let scan = |nonce: &str, timestamp: &str, signature: &str| {
        let params = [
            ("appid", mobile.0.as_str()),
            ("noncestr", nonce),
            ("timestamp", timestamp),
            ("scope", "snsapi_userinfo"),
            ("signature", signature),
        ];
        house.call("/connect/sdk/qrconnect", &params)
    };
    let sign = |nonce: &str, timestamp: &str| signature(&mobile.0, nonce, &sdk_ticket, timestamp);
    let answer = scan("n1", &now, &sign("n1", &now));
    let url = format!("{}/connect/confirm?uuid=<uuid>", house.platform()).replace('/', "/");
    let escaped = url.replace('/', "\\/");
    let body = answer.json();
    let url_shape = if answer.text().contains("\\/connect") {
        escaped
    } else {
        url
    };
    let shape = format!(
        r#"{{"errcode":0,"uuid":"<uuid>","appname":"小屋 Rooms App","qrcode":{{"qrcodebase64":"<b64>","qrcodeurl":"{url_shape}"}}}}"#
    );
    let holes = answer.says("application/json", &shape);
    assert_eq!(holes[0], holes[2], "the picture leads to the uuid");
    let jpeg = base64::engine::general_purpose::STANDARD
        .decode(&holes[1])
        .unwrap();
    assert_eq!(jpeg[..3], [0xff, 0xd8, 0xff]);
    assert!(
        body["qrcode"]["qrcodeurl"]
            .as_str()
            .unwrap()
            .starts_with(house.platform())
    );

    let refuses = |answer: &crate::house::Answer, errcode: i64| {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.errcode(), errcode, "{}", answer.text());
    };
    refuses(&scan("n1", &now, &sign("n1", &now)), 40097); // the nonce was used
    refuses(&scan("n2", &now, &sign("other", &now)), 87009);
    let old = (yufu_web::clock::real().seconds() - 601).to_string();
    refuses(&scan("n3", &old, &sign("n3", &old)), 40097);
    refuses(&scan("n4", "soon", &sign("n4", "soon")), 40097);

    // The app polls without a cookie, in JSON.
    let poll = |more: &str| {
        let answer = house.get(&format!(
            "/connect/l/qrconnect?f=json&uuid={}{more}",
            holes[0]
        ));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        answer.text().to_owned()
    };
    assert_eq!(poll(""), r#"{"wx_errcode":408,"wx_code":""}"#);
    let mut phone = Browser::of(&house, 0);
    phone.sign_in();
    let page = phone.get(&format!("/connect/confirm?uuid={}", holes[0]));
    let page = phone.get(page.location());
    assert_eq!(poll(""), r#"{"wx_errcode":404,"wx_code":""}"#);
    phone.press(&page, "allow", &[]);
    let said: Value = serde_json::from_str(&poll("&last=404")).unwrap();
    assert_eq!(said["wx_errcode"], 405);
    let code = said["wx_code"].as_str().unwrap();
    house.exchange(&mobile, code).says("text/plain", TOKENS);
}
