//! Browsers: cookies, origins, the way to the upstream and back, and the pages.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};

use crate::world::{HERE, P1, P2, Raw, SITE, TERMS, World, cookies, device, plan};

/// A browser with its cookies.
struct Browser {
    world: Arc<World>,
    jar: BTreeMap<String, String>,
    origin: &'static str,
}

impl Browser {
    fn new(world: &Arc<World>) -> Self {
        Self {
            world: world.clone(),
            jar: BTreeMap::new(),
            origin: HERE,
        }
    }

    async fn send(&mut self, method: &str, path: &str, media: &str, body: String) -> Raw {
        let line: Vec<_> = self
            .jar
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("cookie", line.join("; "));
        if method != "GET" {
            request = request
                .header("origin", self.origin)
                .header("content-type", media);
        }
        let raw = self
            .world
            .raw(request.body(Body::from(body)).unwrap())
            .await;
        for (name, value) in cookies(&raw.headers) {
            match value.is_empty() {
                true => self.jar.remove(&name),
                false => self.jar.insert(name, value),
            };
        }
        raw
    }

    async fn get(&mut self, path: &str) -> Raw {
        self.send("GET", path, "", String::new()).await
    }

    async fn post(&mut self, path: &str, body: Value) -> Value {
        let raw = self
            .send("POST", path, "application/json", body.to_string())
            .await;
        serde_json::from_str(&raw.text()).unwrap()
    }

    /// Opens an address, sends its first form with these fields, and answers what comes.
    async fn fill(&mut self, page: &Raw, fields: &[(&str, &str)]) -> Raw {
        let html = page.text();
        let between = |from: &str| {
            html.split(from)
                .nth(1)
                .and_then(|rest| rest.split('"').next())
                .unwrap_or_else(|| panic!("{from}: {html}"))
        };
        let action = between("action=\"")
            .replace("&#38;", "&")
            .replace("&amp;", "&");
        let mut form = format!("csrf={}", between("name=\"csrf\" value=\""));
        for hidden in html.split("<input type=\"hidden\" name=\"").skip(1) {
            let name = hidden.split('"').next().unwrap();
            let value = hidden
                .split("value=\"")
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap();
            if name != "csrf"
                && !form.contains(&format!("&{name}="))
                && !fields.iter().any(|(given, _)| *given == name)
            {
                form.push_str(&format!(
                    "&{name}={}",
                    utf8_percent_encode(value, NON_ALPHANUMERIC)
                ));
            }
        }
        for (name, value) in fields {
            form.push_str(&format!(
                "&{name}={}",
                utf8_percent_encode(value, NON_ALPHANUMERIC)
            ));
        }
        self.send("POST", &action, "application/x-www-form-urlencoded", form)
            .await
    }

    /// Goes to the upstream and comes back with a code.
    async fn through(&mut self, path: &str, code: &str) -> Raw {
        let away = self.get(path).await;
        assert_eq!(away.status.as_u16(), 303, "{}", away.text());
        self.back(&away, code).await
    }

    async fn back(&mut self, away: &Raw, code: &str) -> Raw {
        let state = state(away.header("location"));
        self.get(&format!("/login/wechat/callback?code={code}&state={state}"))
            .await
    }
}

fn state(location: &str) -> String {
    let state = location
        .split("state=")
        .nth(1)
        .unwrap_or_else(|| panic!("{location}"));
    let state = state.split(['&', '#']).next().unwrap();
    percent_decode_str(state)
        .decode_utf8()
        .unwrap()
        .into_owned()
}

fn leave(return_to: &str) -> String {
    format!(
        "/login/wechat?consent_version={TERMS}&return_to={}",
        utf8_percent_encode(return_to, NON_ALPHANUMERIC)
    )
}

#[tokio::test]
async fn a_browser_keeps_its_secrets_in_cookies() {
    let world = World::new().await;
    let mut browser = Browser::new(&world);
    let raw = browser
        .send(
            "POST",
            "/user/sms/send",
            "application/json",
            json!({"phone": P1, "scene": "login"}).to_string(),
        )
        .await;
    let line = raw.header("set-cookie").to_owned();
    assert!(
        line.starts_with("yufu_device_8421=")
            && line.ends_with("; Path=/; Max-Age=34560000; HttpOnly; SameSite=Lax"),
        "{line}"
    );
    let body = json!({"phone": P1, "sms_code": world.digits(P1), "consent_version": TERMS});
    let raw = browser
        .send(
            "POST",
            "/user/phone/login",
            "application/json",
            body.to_string(),
        )
        .await;
    let lines: Vec<_> = raw
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|line| line.to_str().unwrap())
        .collect();
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("yufu_refresh_8421=")
                && line.contains("Path=/user/session/refresh;")),
        "{lines:?}"
    );
    assert!(browser.jar.contains_key("yufu_login_8421"));
    let me = browser.get("/user/me").await;
    assert_eq!(me.status.as_u16(), 200);
    let data = browser.post("/user/session/refresh", json!({})).await;
    assert_eq!(data["code"], 0);
    assert_eq!(
        data["data"]["token"].as_str(),
        browser.jar.get("yufu_login_8421").map(String::as_str)
    );
    // A bearer token wins over a cookie.
    let mut app = device(&world);
    app.token = Some("1".repeat(39));
    app.headers.push((
        "cookie",
        format!("yufu_login_8421={}", browser.jar["yufu_login_8421"]),
    ));
    app.get("/user/me").await.no(5001);
    assert_eq!(
        browser.post("/user/session/logout", json!({})).await["code"],
        0
    );
    assert!(
        !browser.jar.contains_key("yufu_login_8421")
            && !browser.jar.contains_key("yufu_refresh_8421")
    );
    assert!(
        browser.jar.contains_key("yufu_device_8421"),
        "the device stays itself"
    );
    // Apps get none.
    let mut app = device(&world);
    let said = app.by_phone(P2).await;
    assert!(said.headers.get("set-cookie").is_none());
}

#[tokio::test]
async fn under_tls_cookies_have_the_prefix_that_browsers_enforce() {
    let mut plan = plan();
    plan.front.public_url = "https://login.test".to_owned();
    let world = World::of(plan).await;
    let mut browser = Browser {
        origin: "https://login.test",
        ..Browser::new(&world)
    };
    let raw = browser
        .send(
            "POST",
            "/user/sms/send",
            "application/json",
            json!({"phone": P1, "scene": "login"}).to_string(),
        )
        .await;
    let line = raw.header("set-cookie");
    assert!(
        line.starts_with("__Host-yufu_device=") && line.ends_with("; Secure"),
        "{line}"
    );
    assert!(raw.header("strict-transport-security").contains("max-age"));
    let body = json!({"phone": P1, "sms_code": world.digits(P1), "consent_version": TERMS});
    browser.post("/user/phone/login", body).await;
    let names: Vec<_> = browser.jar.keys().cloned().collect();
    assert_eq!(
        names,
        [
            "__Host-yufu_device",
            "__Host-yufu_login",
            "__Secure-yufu_refresh"
        ]
    );
}

#[tokio::test]
async fn cookies_are_good_on_known_pages_alone() {
    let world = World::new().await;
    let mut browser = Browser::new(&world);
    browser
        .post("/user/sms/send", json!({"phone": P1, "scene": "login"}))
        .await;
    let body = json!({"phone": P1, "sms_code": world.digits(P1), "consent_version": TERMS});
    browser.post("/user/phone/login", body).await;
    let cookie = browser
        .jar
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join("; ");
    let send = |method: &str, path: &str, headers: &[(&'static str, &str)]| {
        let mut app = device(&world);
        app.headers.push(("cookie", cookie.clone()));
        app.headers.extend(
            headers
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        let (method, path) = (method.to_owned(), path.to_owned());
        async move { app.call(&method, &path).await }
    };
    let logout = "/user/session/logout";
    for headers in [
        &[("origin", "https://evil.example")][..],
        &[("origin", "null")],
        &[("origin", "http://login.test:8422")],
        &[("origin", "http://login.test:8421.evil.example")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "null"), ("sec-fetch-site", "cross-site")],
        &[],
    ] {
        send("POST", logout, headers).await.bad("Origin");
    }
    send("GET", "/user/me", &[("origin", "https://evil.example")])
        .await
        .bad("Origin");
    send("GET", "/user/me", &[]).await.ok();
    send("GET", "/user/me", &[("origin", SITE)]).await.ok();
    send("POST", "/user/wechat/relogin", &[("origin", SITE)])
        .await
        .ok();
    send("POST", logout, &[("sec-fetch-site", "same-origin")])
        .await
        .ok();
}

#[tokio::test]
async fn a_browser_goes_to_wechat_and_comes_back() {
    let world = World::new().await;
    let mut app = device(&world);
    app.join("mei", P1).await;
    let mut browser = Browser::new(&world);
    let away = browser.get(&leave("/welcome?a=b#c")).await;
    assert!(
        away.header("location")
            .starts_with("https://open.weixin.qq.com/connect/qrconnect?appid=wx2&")
    );
    assert_eq!(away.header("cache-control"), "no-store");
    let back = browser.back(&away, "mei-77").await;
    assert_eq!(
        (back.status.as_u16(), back.header("location")),
        (303, "/welcome?a=b#c")
    );
    assert_eq!(browser.get("/user/me").await.status.as_u16(), 200);
    // The upstream may lead here twice.
    let twice = browser.back(&away, "mei-77").await;
    assert_eq!(twice.header("location"), "/welcome?a=b#c");
    assert_eq!(world.platform.count("code=mei-77"), 1);
    // To a page of a registered origin, and nowhere else.
    let there = browser
        .through(&leave("https://app.example/x"), "mei-78")
        .await;
    assert_eq!(there.header("location"), "https://app.example/x");
    for evil in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
    ] {
        let page = browser.get(&leave(evil)).await;
        assert_eq!(page.status.as_u16(), 400, "{evil}");
        assert!(
            page.header("content-type").starts_with("text/html")
                && page.header("location").is_empty()
        );
    }
    assert_eq!(
        browser
            .get("/login/wechat?return_to=/")
            .await
            .status
            .as_u16(),
        403,
        "without the terms"
    );
    assert_eq!(
        browser
            .get(&format!("{}&app=phone", leave("/")))
            .await
            .status
            .as_u16(),
        400
    );
    // In the platform's own client it is the page for that.
    let request = Request::get(leave("/")).header("user-agent", "Mozilla/5.0 MicroMessenger/8.0");
    let inside = world.raw(request.body(Body::empty()).unwrap()).await;
    assert!(
        inside
            .header("location")
            .contains("/connect/oauth2/authorize?appid=wx3&")
    );
}

#[tokio::test]
async fn a_browser_that_did_not_begin_gets_nowhere() {
    let world = World::new().await;
    let (mut one, mut two) = (Browser::new(&world), Browser::new(&world));
    let away = one.get(&leave("/")).await;
    two.get(&leave("/")).await;
    let page = two.back(&away, "mei").await;
    assert_eq!(page.status.as_u16(), 400);
    assert!(!two.jar.contains_key("yufu_login_8421"));
    for path in [
        "/login/wechat/callback",
        "/login/wechat/callback?code=a",
        "/login/wechat/callback?code=a&state=b",
    ] {
        assert_eq!(two.get(path).await.status.as_u16(), 400, "{path}");
    }
    assert_eq!(world.platform.count("/sns/"), 0);
    // One who said no goes back with that.
    let state = state(away.header("location"));
    let no = one
        .get(&format!("/login/wechat/callback?state={state}"))
        .await;
    assert_eq!(no.header("location"), "/?error=denied");
    assert_eq!(
        one.back(&away, "mei").await.status.as_u16(),
        400,
        "it is closed"
    );
}

#[tokio::test]
async fn somebody_new_binds_a_number_on_the_page() {
    let world = World::new().await;
    let mut browser = Browser::new(&world);
    let back = browser.through(&leave("/welcome"), "mei").await;
    assert_eq!(back.header("location"), "/login/bind?return_to=%2Fwelcome");
    assert!(!browser.jar.contains_key("yufu_login_8421"));
    let page = browser.get(back.header("location")).await;
    assert!(
        page.header("content-security-policy")
            .contains("default-src 'none'")
    );
    let page = browser
        .fill(&page, &[("phone", "x"), ("act", "send_passcode")])
        .await;
    assert!(
        page.text().contains("请输入能收短信的手机号"),
        "{}",
        page.text()
    );
    let page = browser
        .fill(&page, &[("phone", P1), ("act", "send_passcode")])
        .await;
    assert!(page.text().contains("138****0001"));
    let page = browser
        .fill(&page, &[("passcode", "000"), ("act", "enter")])
        .await;
    assert!(page.text().contains("请输入验证码"));
    let done = browser
        .fill(&page, &[("passcode", &world.digits(P1)), ("act", "enter")])
        .await;
    assert_eq!(
        (done.status.as_u16(), done.header("location")),
        (303, "/welcome")
    );
    assert!(!browser.jar.contains_key("yufu_bind_8421"));
    assert_eq!(browser.get("/user/me").await.status.as_u16(), 200);
    // Without a ticket there is nothing to bind.
    assert_eq!(
        browser.get("/login/bind").await.header("location"),
        "/login?return_to=%2Flogin"
    );
}

#[tokio::test]
async fn an_app_with_a_page_of_its_own_binds_there() {
    let mut plan = plan();
    plan.front.bind_url = "https://app.example/bind".to_owned();
    let world = World::of(plan).await;
    let mut browser = Browser::new(&world);
    let back = browser.through(&leave("/welcome"), "mei").await;
    assert_eq!(
        back.header("location"),
        "https://app.example/bind?return_to=%2Fwelcome"
    );
    browser.origin = SITE;
    browser
        .post("/user/sms/send", json!({"phone": P1, "scene": "bind"}))
        .await;
    let said = browser
        .post(
            "/user/wechat/bind",
            json!({"phone": P1, "sms_code": world.digits(P1)}),
        )
        .await;
    assert_eq!(said["code"], 0, "the ticket is in the cookie");
}

#[tokio::test]
async fn the_page_asks_what_has_to_be_asked() {
    let world = World::new().await;
    device(&world).by_phone(P1).await.ok();
    device(&world).join("old", P2).await;
    let mut browser = Browser::new(&world);
    let back = browser.through(&leave("/"), "mei").await;
    let page = browser.get(back.header("location")).await;
    // A number with an account: is it yours?
    let page = browser
        .fill(&page, &[("phone", P1), ("act", "send_passcode")])
        .await;
    let asked = browser
        .fill(&page, &[("passcode", &world.digits(P1)), ("act", "enter")])
        .await;
    assert!(asked.text().contains("这个号码已有账号"));
    // Another number: it has another WeChat.
    world.turn(61);
    let page = browser.get("/login/bind?return_to=%2F").await;
    let page = browser
        .fill(&page, &[("phone", P2), ("act", "send_passcode")])
        .await;
    let taken = browser
        .fill(&page, &[("passcode", &world.digits(P2)), ("act", "enter")])
        .await;
    assert!(
        taken.text().contains("那个微信是“o***”"),
        "{}",
        taken.text()
    );
    let prove = browser.fill(&taken, &[("act", "replace")]).await;
    assert!(
        prove.text().contains("还需要验证原来的微信"),
        "{}",
        prove.text()
    );
    let away = browser.fill(&prove, &[("act", "prove")]).await;
    let code = world.code("old");
    // The old login is known by its openid there, which this app has never seen.
    let back = browser.back(&away, &code).await;
    assert_eq!(back.status.as_u16(), 303, "{}", back.text());
    assert_eq!(back.header("location"), "/login/bind?step=replace");
    let page = browser.get(back.header("location")).await;
    let done = browser.fill(&page, &[("act", "replace")]).await;
    assert_eq!(done.status.as_u16(), 303, "{}", done.text());
}

#[tokio::test]
async fn somebody_logs_in_on_the_page() {
    let world = World::new().await;
    let mut browser = Browser::new(&world);
    let page = browser.get("/login?return_to=/welcome").await;
    assert!(page.text().contains("微信登录"));
    let refused = browser
        .fill(&page, &[("phone", P1), ("act", "send_passcode")])
        .await;
    assert!(
        refused.text().contains("请先勾选同意协议"),
        "nothing is sent without the terms"
    );
    assert!(world.others.sent.lock().unwrap().is_empty());
    let wechat = browser
        .fill(&page, &[("agree", "yes"), ("act", "wechat")])
        .await;
    assert_eq!(
        wechat.header("location"),
        format!(
            "/login/wechat?return_to=%2Fwelcome&consent_version={}",
            TERMS.replace('-', "%2D")
        )
    );
    let page = browser
        .fill(
            &page,
            &[("phone", P1), ("agree", "yes"), ("act", "send_passcode")],
        )
        .await;
    let again = browser.fill(&page, &[("act", "send_passcode")]).await;
    assert!(again.text().contains("秒后再试"), "it can still be typed");
    let wrong = if world.digits(P1) == "000000" {
        "000001"
    } else {
        "000000"
    };
    let page = browser
        .fill(&again, &[("passcode", wrong), ("act", "enter")])
        .await;
    assert!(page.text().contains("还可以试 4 次"));
    let done = browser
        .fill(&page, &[("passcode", &world.digits(P1)), ("act", "enter")])
        .await;
    assert_eq!(done.header("location"), "/welcome");
    // One who lost the device's cookie is no thief.
    let device = browser.jar.remove("yufu_device_8421").unwrap();
    assert!(browser.get("/login").await.text().contains("已登录"));
    browser.jar.insert("yufu_device_8421".to_owned(), device);
    // Whoever is in goes on.
    assert_eq!(
        browser
            .get("/login?return_to=/welcome")
            .await
            .header("location"),
        "/welcome"
    );
    assert!(browser.get("/login").await.text().contains("已登录"));
    assert!(
        Browser::new(&world)
            .get("/login?lang=en")
            .await
            .text()
            .contains("Log in with WeChat")
    );
    assert_eq!(
        Browser::new(&world)
            .get("/login?return_to=//evil.example")
            .await
            .status
            .as_u16(),
        400
    );
}

#[tokio::test]
async fn a_form_of_another_page_is_refused() {
    let world = World::new().await;
    let (mut one, mut two) = (Browser::new(&world), Browser::new(&world));
    let page = one.get("/login").await;
    let fields = [("phone", P1), ("agree", "yes"), ("act", "send_passcode")];
    two.get("/login").await;
    assert_eq!(
        two.fill(&page, &fields).await.status.as_u16(),
        400,
        "another browser's token"
    );
    one.origin = "https://evil.example";
    assert_eq!(one.fill(&page, &fields).await.status.as_u16(), 400);
    one.origin = HERE;
    assert_eq!(one.fill(&page, &fields).await.status.as_u16(), 200);
    assert_eq!(world.others.sent.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_deletion_is_taken_back_and_accounts_are_chosen_on_the_page() {
    let world = World::new().await;
    let mut app = device(&world);
    app.join("mei", P1).await;
    app.post("/user/account/delete", json!({})).await.ok();
    let mut browser = Browser::new(&world);
    let page = browser.through(&leave("/"), "mei-1001").await;
    assert!(page.text().contains("账号正在注销"), "{}", page.text());
    let done = browser.fill(&page, &[("act", "cancel")]).await;
    assert_eq!((done.status.as_u16(), done.header("location")), (303, "/"));
    // By phone it is the same question.
    app.wechat("mei").await.ok();
    app.post("/user/account/delete", json!({})).await.ok();
    world.turn(61);
    let mut browser = Browser::new(&world);
    let page = browser.get("/login").await;
    let page = browser
        .fill(
            &page,
            &[("phone", P1), ("agree", "yes"), ("act", "send_passcode")],
        )
        .await;
    let page = browser
        .fill(&page, &[("passcode", &world.digits(P1)), ("act", "enter")])
        .await;
    assert!(page.text().contains("账号正在注销"), "{}", page.text());
    assert_eq!(
        browser
            .fill(&page, &[("act", "cancel")])
            .await
            .status
            .as_u16(),
        303
    );
    // Two accounts of one person.
    let mut lone = device(&world);
    lone.join("lone", P2).await;
    world
        .platform
        .unions
        .lock()
        .unwrap()
        .insert("lone".to_owned(), "u_mei".to_owned());
    let mut site = Browser::new(&world);
    let page = site
        .through(&format!("{}&app=site", leave("/")), "lone-1")
        .await;
    // There the openid is new: the person leads to one account alone.
    assert_eq!(page.header("location"), "/", "{}", page.text());
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_is_busy_may_be_tried_again_from_the_page() {
    let world = World::new().await;
    device(&world).join("mei", P1).await;
    let mut browser = Browser::new(&world);
    let away = browser.get(&leave("/")).await;
    let page = browser.back(&away, "mei-slow").await;
    assert_eq!(page.status.as_u16(), 503);
    assert!(
        page.text()
            .contains("/login/wechat/callback?code=mei-slow&#38;state="),
        "{}",
        page.text()
    );
    let done = browser.back(&away, "mei-slow").await;
    assert_eq!(done.header("location"), "/", "{}", done.text());
}

#[tokio::test]
async fn an_identity_is_linked_from_a_browser() {
    let world = World::new().await;
    let mut browser = Browser::new(&world);
    browser
        .post("/user/sms/send", json!({"phone": P1, "scene": "login"}))
        .await;
    let body = json!({"phone": P1, "sms_code": world.digits(P1), "consent_version": TERMS});
    browser.post("/user/phone/login", body).await;
    let body = json!({"purpose": "link", "app": "site", "mode": "web", "return_to": "/settings"});
    let prepared = browser.post("/user/wechat/prepare", body).await;
    let state = state(prepared["data"]["authorize_url"].as_str().unwrap());
    let back = browser
        .get(&format!("/login/wechat/callback?code=mei&state={state}"))
        .await;
    assert_eq!(
        (back.status.as_u16(), back.header("location")),
        (303, "/settings")
    );
    let text = browser.get("/user/identities").await.text();
    assert!(text.contains("\"nickname\":\"mei\""), "{text}");
}

#[tokio::test]
async fn the_pages_carry_what_all_pages_carry() {
    let world = World::new().await;
    let page = Browser::new(&world).get("/login").await;
    for (name, value) in [
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(page.header(name), value);
    }
    let html = page.text();
    let sheet = html
        .split("rel=\"stylesheet\" href=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let sheet = Browser::new(&world).get(sheet).await;
    assert_eq!(sheet.status.as_u16(), 200);
    assert!(!html.contains("<script>") && !html.contains("style="));
}
