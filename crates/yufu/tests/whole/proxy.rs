//! Behind a proxy: an https address with a plain listener, cookies that only TLS may carry, and
//! whose word counts for the caller's address.

use crate::house::{Ask, Browser, House, Temp, in_client, query};
use crate::serve::{client, person, settings};

const REDIRECT: &str = "https://www.example.com/cb";

fn proxied(temp: &Temp) -> House {
    House::serve(&settings(
        temp,
        "https://login.example.com",
        "[wechat]\npoll_hold = 0\n",
    ))
}

#[test]
fn cookies_are_those_of_tls() {
    let temp = Temp::new();
    let house = proxied(&temp);
    let person = person(&house);
    let website = client(&house, "website", &[]);
    let page = house.get("/account/sign-in");
    let cookies = page.all("set-cookie");
    assert_eq!(cookies.len(), 1);
    assert!(
        cookies[0].starts_with("__Host-yufu_browser="),
        "{cookies:?}"
    );
    let tail = "; Path=/; HttpOnly; Max-Age=15552000; Secure; SameSite=Lax";
    assert!(cookies[0].ends_with(tail), "{cookies:?}");
    let mut browser = Browser::new(&house, person);
    let answer = browser.sign_in();
    let cookies = answer.all("set-cookie");
    let session = cookies
        .iter()
        .find(|c| c.starts_with("__Host-yufu_session="))
        .unwrap();
    assert!(
        session.ends_with("; Path=/; HttpOnly; Max-Age=2592000; Secure; SameSite=Lax"),
        "{session}"
    );
    // The mark of scans goes along in frames, and no sibling host can plant one.
    let (_, qr) = browser.qr_at(&website.0, REDIRECT);
    let cookies = qr.all("set-cookie");
    let scan = cookies
        .iter()
        .find(|c| c.starts_with("__Host-yufu_scan="))
        .unwrap();
    let tail = "; Path=/; HttpOnly; Secure; SameSite=None; Partitioned";
    assert!(scan.ends_with(tail), "{scan}");
    // Only the registered host frames the page, and nobody's page else.
    let policy = qr.header("content-security-policy").unwrap();
    let frames = "frame-ancestors 'self' https://www.example.com http://www.example.com";
    assert!(policy.ends_with(frames), "{policy}");
    // Signing out takes the cookie away under the same name.
    let page = browser.get("/account");
    let out = browser.press(&page, "sign_out", &[]);
    assert!(
        out.all("set-cookie")
            .iter()
            .any(|c| c.starts_with("__Host-yufu_session=;") && c.contains("Max-Age=0"))
    );
    // Names without the prefix are not ours here.
    let plain = format!("yufu_session_{}=x; yufu_session=x", house.port);
    let answer = house.ask(&Ask::get("/account").header("cookie", &plain));
    assert_eq!(answer.location(), "/account/sign-in");
}

#[test]
fn forms_come_from_the_public_origin() {
    let temp = Temp::new();
    let house = proxied(&temp);
    let person = person(&house);
    let mut browser = Browser::new(&house, person.clone());
    let page = browser.ask(Ask::get("/account/sign-in").host("login.example.com"));
    let form = crate::house::form_of(&page, "sign_in");
    let fields = [
        ("csrf", form.csrf.as_str()),
        ("act", "sign_in"),
        ("phone", &person.0),
        ("password", &person.1),
    ];
    for origin in [
        "http://login.example.com",
        "https://evil.example",
        "https://login.example.com.evil.example",
        "https://login.example.com:444",
    ] {
        let ask = Ask::post("/account/sign-in", &fields).host("login.example.com");
        let answer = browser.ask(ask.header("origin", origin));
        assert_eq!(answer.status, 200, "{origin}");
        assert!(browser.session().is_none(), "{origin}");
    }
    let ask = Ask::post("/account/sign-in", &fields).host("login.example.com");
    let answer = browser.ask(ask.header("origin", "https://login.example.com"));
    assert_eq!(answer.location(), "/account");
}

#[test]
fn a_scan_login_across_the_hosts() {
    let temp = Temp::new();
    let config = settings(
        &temp,
        "https://login.example.com",
        "[wechat]\npoll_hold = 0\n",
    );
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace("[store]", "poll_host = \"lp.login.example.com\"\n[store]");
    std::fs::write(&config, text).unwrap();
    let house = House::serve(&config);
    let who = person(&house);
    let website = client(&house, "website", &[]);
    let mut desk = Browser::new(&house, who.clone());
    let mut phone = Browser::new(&house, who);
    let (uuid, qr) = desk.qr_at(&website.0, REDIRECT);
    // Where a second poll host is set, the mark goes there too.
    let tail = "; Path=/; HttpOnly; Domain=login.example.com; Secure; SameSite=None; Partitioned";
    let cookies = qr.all("set-cookie");
    assert!(
        cookies
            .iter()
            .any(|c| c.starts_with("__Secure-yufu_scan=") && c.ends_with(tail)),
        "{cookies:?}"
    );
    assert_eq!(
        qr.header("strict-transport-security"),
        Some("max-age=31536000")
    );
    phone.go_through(&format!("/connect/confirm?uuid={uuid}"), "allow");
    let cookie = format!("__Secure-yufu_scan={}", desk.cookie("scan").unwrap());
    let ask = Ask::get(&format!("/connect/l/qrconnect?uuid={uuid}")).host("lp.login.example.com");
    let bare = house.ask(&ask);
    assert!(!bare.text().contains("405"));
    let answer = house.ask(&ask.header("cookie", &cookie));
    let holes = answer.says(
        "text/javascript",
        "window.wx_errcode=405;window.wx_code='<code>';",
    );
    house.tokens(&website, &holes[0]);
}

#[test]
fn redirects_match_the_registered_host_and_nothing_else() {
    let temp = Temp::new();
    let house = proxied(&temp);
    let who = person(&house);
    let service = client(&house, "service", &[]);
    let mut browser = Browser::new(&house, who);
    browser.sign_in();
    for good in [
        "https://www.example.com/",
        "http://www.example.com/a/b?c=d",
        "https://WWW.example.com/x#y",
    ] {
        let answer = browser.get(&in_client(&service.0, good, "snsapi_base", "s"));
        assert_eq!(answer.status, 302, "{good}");
    }
    for bad in [
        "https://example.com/",
        "https://a.www.example.com/",
        "https://www.example.com:8443/",
        "https://www.example.com.evil.example/",
        "https://www.example.com@evil.example/",
        "https://evil.example/www.example.com",
        "https://evil.example\\@www.example.com/",
        "//www.example.com/",
        "www.example.com",
        "javascript://www.example.com/%0aalert(1)",
        "http://localhost/",
        "https://www.example.com/\r\nX: y",
        "",
    ] {
        let answer = browser.get(&in_client(&service.0, bad, "snsapi_base", "s"));
        assert_eq!(answer.status, 200, "{bad}");
        assert!(answer.header("location").is_none(), "{bad}");
        let number = if bad.is_empty() { "10011" } else { "10003" };
        assert!(answer.text().contains(number), "{bad}: {}", answer.text());
    }
}

#[test]
fn the_callers_address_is_the_proxys_word_only_from_a_trusted_proxy() {
    let call = |house: &House, client: &(String, String), forwarded: Option<&str>| {
        let params = [
            ("appid", client.0.as_str()),
            ("secret", &client.1),
            ("grant_type", "client_credential"),
        ];
        let mut ask = Ask::get(&format!("/cgi-bin/token?{}", query(&params)));
        if let Some(forwarded) = forwarded {
            ask = ask.header("x-forwarded-for", forwarded);
        }
        house.ask(&ask)
    };
    let kind = "application/json; encoding=utf-8";
    let refused = |ip: &str| {
        format!(
            r#"{{"errcode":40164,"errmsg":"invalid ip {ip} ipv6 ::ffff:{ip}, not in whitelist rid: <rid>"}}"#
        )
    };
    let good = r#"{"access_token":"<token>","expires_in":7200}"#;
    let temp = Temp::new();
    let house = proxied(&temp);
    let website = client(
        &house,
        "website",
        &["--set", "allowed_addresses=203.0.113.7,2001:db8::7"],
    );
    call(&house, &website, Some("203.0.113.7")).says(kind, good);
    call(&house, &website, Some("2001:db8::7")).says(kind, good);
    call(&house, &website, Some("198.51.100.1, 203.0.113.7")).says(kind, good);
    // What the caller put in front of the proxy's word does not count.
    call(&house, &website, Some("203.0.113.7, 198.51.100.1")).says(kind, &refused("198.51.100.1"));
    call(&house, &website, Some("203.0.113.7, nonsense")).says(kind, &refused("127.0.0.1"));
    call(&house, &website, None).says(kind, &refused("127.0.0.1"));
    // At the token endpoint with the comma (§8), before the secret is looked at.
    let wrong = (website.0.clone(), "0".repeat(32));
    house.exchange(&wrong, "x").refuses(
        40164,
        "invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist",
    );
    house.stop();

    // Nobody is trusted in development: the header is the caller's own invention.
    let house = House::dev();
    let website = house.website();
    house.set(&website.0, "allowed_addresses=203.0.113.7");
    crate::house::until("the setting is felt", || {
        call(&house, &website, None).errcode() == 40164
    });
    call(&house, &website, Some("203.0.113.7")).says(kind, &refused("127.0.0.1"));
    house.set(&website.0, "allowed_addresses=127.0.0.1");
    crate::house::until("the setting is felt", || {
        call(&house, &website, None).errcode() == 0
    });
    house.set(&website.0, "allowed_addresses=");
}

#[test]
fn failures_are_counted_by_the_callers_address_behind_the_proxy() {
    let temp = Temp::new();
    let house = House::serve(&settings(
        &temp,
        "https://login.example.com",
        "[people]\naddress_failures = 2\n",
    ));
    let who = person(&house);
    let attempt = |from: &str, phone: &str, password: &str| {
        let mut browser = Browser::new(&house, who.clone());
        browser
            .headers
            .push(("x-forwarded-for".into(), from.into()));
        let page = browser.get("/account/sign-in");
        browser
            .press(
                &page,
                "sign_in",
                &[("phone", phone), ("password", password)],
            )
            .status
    };
    for n in 0..3 {
        assert_eq!(
            attempt("203.0.113.1", &format!("+86137000000{n:02}"), "no"),
            200
        );
    }
    assert_eq!(
        attempt("203.0.113.1", &who.0, &who.1),
        200,
        "this address waits"
    );
    assert_eq!(
        attempt("203.0.113.2", &who.0, &who.1),
        303,
        "that one does not"
    );
}

#[test]
fn in_client_pages_may_be_bound_to_the_clients_browser() {
    let temp = Temp::new();
    let config = settings(&temp, "https://login.example.com", "");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace("[store]", "in_client_agent = \"MicroMessenger\"\n[store]");
    std::fs::write(&config, text).unwrap();
    let house = House::serve(&config);
    let service = client(&house, "service", &[]);
    let target = in_client(&service.0, REDIRECT, "snsapi_base", "s");
    let page = house.get(&target);
    assert_eq!(page.status, 200);
    assert!(page.header("location").is_none());
    let agent = "Mozilla/5.0 MicroMessenger/8.0.50";
    let page = house.ask(&Ask::get(&target).header("user-agent", agent));
    assert_eq!(page.status, 303);
}

#[test]
fn an_address_begins_a_bounded_number_of_authorizations() {
    let temp = Temp::new();
    let more = "[people]\naddress_authorizations = 3\n";
    let house = House::serve(&settings(&temp, "https://login.example.com", more));
    let website = client(&house, "website", &[]);
    let ask = |from: &str| {
        let params = [
            ("appid", website.0.as_str()),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("scope", "snsapi_login"),
        ];
        let target = format!("/connect/qrconnect?{}", query(&params));
        let page = house.ask(&Ask::get(&target).header("x-forwarded-for", from));
        assert_eq!(page.status, 200);
        page.text().contains("/connect/qrcode/")
    };
    let begun = (0..12).filter(|_| ask("203.0.113.1")).count();
    // Five more each second may have come back meanwhile.
    assert!((3..12).contains(&begun), "{begun}");
    while ask("203.0.113.1") {}
    let refused = house.ask(
        &Ask::get(&format!("/connect/qrconnect?appid={}&redirect_uri={REDIRECT}&response_type=code&scope=snsapi_login", website.0))
            .header("x-forwarded-for", "203.0.113.1"),
    );
    assert!(refused.text().contains("10009") || refused.text().contains("/connect/qrcode/"));
    assert!(ask("203.0.113.2"), "another address is not held up");
}
