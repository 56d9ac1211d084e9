//! What every page carries, who may frame what, forms of strangers, sessions and brute force.

use crate::house::{Ask, Browser, House, field, form_of, in_client};

/// The headers of every page.
#[track_caller]
fn guarded(page: &crate::house::Answer) {
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    let policy = page.header("content-security-policy").unwrap();
    for part in [
        "default-src 'none'",
        "base-uri 'none'",
        "frame-ancestors ",
        "script-src 'self'",
    ] {
        assert!(policy.contains(part), "{part} is not in {policy}");
    }
    for part in ["unsafe", "*;", "https:;", "data: 'self'"] {
        assert!(!policy.contains(part), "{part} is in {policy}");
    }
    assert!(!page.text().contains("<script>"), "no inline script");
    assert!(!page.text().contains(" onclick"), "no inline handler");
    assert!(!page.text().contains("style=\""), "no inline style");
}

#[track_caller]
fn unframable(page: &crate::house::Answer) {
    guarded(page);
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.ends_with("frame-ancestors 'none'"), "{policy}");
}

#[test]
fn every_page_carries_the_same_guard_and_only_the_qr_page_may_be_framed() {
    let house = House::dev();
    let mut browser = Browser::of(&house, 0);
    for target in [
        "/",
        "/account/sign-in",
        "/account/sign-up",
        "/account/reset",
        "/dev/inbox",
        "/dev/codes",
        "/nowhere",
        "/connect/oauth2/authorize",
        "/connect/qrconnect",
        "/connect/app/authorize",
        "/connect/confirm?uuid=x",
        "/interaction/x",
        "/account/sign-in?by=passcode&lang=en",
    ] {
        let page = browser.get(target);
        assert_eq!(
            page.status,
            if target == "/nowhere" { 404 } else { 200 },
            "{target}"
        );
        unframable(&page);
    }
    let (phone, _) = house.person(0);
    let page = browser.get("/account/sign-in?by=passcode");
    unframable(&browser.press(&page, "send_passcode", &[("phone", &phone)]));
    let page = browser.get("/account/sign-up");
    unframable(&browser.press(&page, "send_passcode", &[("phone", "+8613700000000")]));
    let first = browser.get(&in_client(
        &house.service().0,
        "http://localhost/x",
        "snsapi_userinfo",
        "s",
    ));
    let page = browser.get(first.location());
    unframable(&page);
    browser.sign_in();
    let page = browser.get(first.location());
    assert!(page.text().contains("value=\"allow\""));
    unframable(&page);
    // Pages that lead on to a client do not bind their forms: browsers apply it to every hop.
    assert!(
        !page
            .header("content-security-policy")
            .unwrap()
            .contains("form-action")
    );
    for target in ["/account", "/account/password", "/account?done=saved"] {
        let page = browser.get(target);
        unframable(&page);
        assert!(
            page.header("content-security-policy")
                .unwrap()
                .contains("form-action 'self'"),
            "{target}"
        );
    }
    let (uuid, qr) = browser.qr(&house.website().0, &[("login_type", "jssdk")]);
    guarded(&qr);
    assert_eq!(qr.header("x-frame-options"), None);
    let policy = qr.header("content-security-policy").unwrap();
    assert!(
        policy.ends_with("frame-ancestors 'self' http://127.0.0.1:* http://localhost:*"),
        "{policy}"
    );
    assert!(!policy.contains("style-src 'self' data:"));
    // Styles from data: addresses only where they were asked for, and no others at all.
    let style = [("href", "data:text/css;base64,LmE+e30=")];
    let (_, styled) = browser.qr(&house.website().0, &style);
    assert!(
        styled
            .header("content-security-policy")
            .unwrap()
            .contains("style-src 'self' data:")
    );
    let (_, styled) = browser.qr(
        &house.website().0,
        &[("href", "https://evil.example/a.css")],
    );
    assert!(!styled.text().contains("evil.example"));
    // The phone's side of a scan is a consent page like any other.
    let page = browser.get(&format!("/connect/confirm?uuid={uuid}"));
    unframable(&browser.get(page.location()));
}

#[test]
fn redirects_tell_no_referrer_and_are_not_kept() {
    let house = House::dev();
    let mut browser = Browser::of(&house, 0);
    browser.sign_in();
    let silent = browser.get(&in_client(
        &house.service().0,
        "http://localhost/x",
        "snsapi_base",
        "s",
    ));
    assert_eq!(silent.status, 302);
    for answer in [
        silent,
        browser.get(&in_client(
            &house.service().0,
            "http://localhost/x",
            "snsapi_userinfo",
            "s",
        )),
    ] {
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.body.len(), 0);
    }
}

#[test]
fn files_are_kept_for_long_and_known_again() {
    let house = House::dev();
    let page = house.get("/account/sign-in");
    let css = field(page.text(), "rel=\"stylesheet\" href=\"").unwrap();
    let file = house.get(css);
    assert_eq!(
        (file.status, file.header("content-type")),
        (200, Some("text/css; charset=utf-8"))
    );
    assert!(file.header("cache-control").unwrap().contains("immutable"));
    assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
    let tag = file.header("etag").unwrap();
    let again = house.ask(&Ask::get(css).header("if-none-match", tag));
    assert_eq!((again.status, again.body.len()), (304, 0));
    let script = house.get("/connect/zh_CN/htmledition/js/wxLogin.js");
    assert!(script.text().contains("WxLogin"));
    for target in [
        "/assets/none.css",
        "/assets/..%2fapp.css",
        "/assets/%2e%2e/app.css",
        "/assets/",
    ] {
        assert_eq!(house.get(target).status, 404, "{target}");
    }
}

#[test]
fn cookies_over_plain_http_carry_the_port_and_are_for_us_alone() {
    let house = House::dev();
    let page = house.get("/account/sign-in");
    let cookies = page.all("set-cookie");
    assert_eq!(cookies.len(), 1);
    let name = format!("yufu_browser_{}=", house.port);
    assert!(cookies[0].starts_with(&name), "{cookies:?}");
    assert!(
        cookies[0].ends_with("; Path=/; HttpOnly; Max-Age=15552000; SameSite=Lax"),
        "{cookies:?}"
    );
    let mut browser = Browser::of(&house, 0);
    let answer = browser.sign_in();
    let cookies = answer.all("set-cookie");
    let session = cookies
        .iter()
        .find(|c| c.starts_with(&format!("yufu_session_{}=", house.port)));
    assert!(
        session
            .unwrap()
            .ends_with("; Path=/; HttpOnly; Max-Age=2592000; SameSite=Lax"),
        "{cookies:?}"
    );
    let (_, qr) = browser.qr(&house.website().0, &[]);
    let cookies = qr.all("set-cookie");
    assert!(
        cookies[0].starts_with(&format!("yufu_scan_{}=", house.port)),
        "{cookies:?}"
    );
    assert!(
        cookies[0].ends_with("; Path=/; HttpOnly; SameSite=Lax"),
        "{cookies:?}"
    );
    // A cookie of another port is not ours.
    let jar = format!("yufu_session_1={}", browser.session().unwrap());
    let answer = house.ask(&Ask::get("/account").header("cookie", &jar));
    assert_eq!(answer.location(), "/account/sign-in");
    // Asking for a language is remembered.
    let asked = house.get("/account/sign-in?lang=en");
    assert!(
        asked
            .all("set-cookie")
            .iter()
            .any(|c| c.starts_with("yufu_lang=en; Path=/; "))
    );
    assert!(asked.text().contains("<html lang=\"en\">"));
}

#[test]
fn a_strangers_form_does_nothing() {
    let house = House::dev();
    let service = house.service();
    let mut browser = Browser::of(&house, 0);
    browser.sign_in();
    let target = in_client(&service.0, "http://localhost/x", "snsapi_userinfo", "s");
    let first = browser.get(&target);
    let page = browser.get(first.location());
    let form = form_of(&page, "allow");
    let mut other = Browser::of(&house, 1);
    other.sign_in();
    let theirs = form_of(&other.get("/account"), "sign_out").csrf;
    let host = format!("127.0.0.1:{}", house.port);
    let ours = format!("http://{host}");
    type Headers = [(&'static str, &'static str)];
    let attacks: [(&str, &str, &Headers); 9] = [
        ("no token", "", &[]),
        ("another's token", &theirs, &[]),
        ("a made-up token", "00000000000000000000000000000000", &[]),
        (
            "another origin",
            &form.csrf,
            &[("origin", "https://evil.example")],
        ),
        (
            "another port",
            &form.csrf,
            &[("origin", "http://127.0.0.1:1")],
        ),
        (
            "cross-site",
            &form.csrf,
            &[("sec-fetch-site", "cross-site")],
        ),
        ("same-site", &form.csrf, &[("sec-fetch-site", "same-site")]),
        ("none", &form.csrf, &[("sec-fetch-site", "none")]),
        (
            "a null origin across sites",
            &form.csrf,
            &[("origin", "null"), ("sec-fetch-site", "cross-site")],
        ),
    ];
    for (name, token, headers) in attacks {
        let mut ask = Ask::post(&form.action, &[("csrf", token), ("act", "allow")]);
        for (header, value) in headers {
            ask = ask.header(header, value);
        }
        let answer = browser.ask(ask);
        assert!(
            answer.header("location").is_none(),
            "{name} got through: {answer:?}"
        );
        assert!(!answer.text().contains("code="), "{name}");
        // The same for the account's forms.
        for (target, act) in [
            ("/account", "sign_out"),
            ("/account", "save_profile"),
            ("/account/password", "change"),
        ] {
            let fields = [
                ("csrf", token),
                ("act", act),
                ("nickname", "Mallory"),
                ("password", "mallory-1234"),
                ("current", "yufu-dev-2026"),
            ];
            // The account's token is the same one: what differs is what the browser says.
            let mut ask = Ask::post(target, &fields);
            for (header, value) in headers {
                ask = ask.header(header, value);
            }
            let answer = browser.ask(ask);
            assert_eq!(answer.status, 200, "{name} at {target} {act}");
        }
    }
    let account = browser.get("/account");
    assert_eq!(account.status, 200, "still signed in");
    assert!(!account.text().contains("Mallory"));
    // Sign-in forms are guarded as well: nobody is signed in as somebody else by a stranger.
    let mut victim = Browser::of(&house, 2);
    let page = victim.get("/account/sign-in");
    let form_in = form_of(&page, "sign_in");
    let (phone, password) = house.person(1);
    let fields = [
        ("csrf", form_in.csrf.as_str()),
        ("act", "sign_in"),
        ("phone", &phone),
        ("password", &password),
    ];
    let forged =
        victim.ask(Ask::post("/account/sign-in", &fields).header("origin", "https://evil.example"));
    assert_eq!(forged.status, 200);
    assert!(victim.session().is_none());
    // With the browser's own headers as they should be, the form passes.
    let ask = Ask::post(&form.action, &[("csrf", &form.csrf), ("act", "allow")]);
    let ask = ask
        .header("origin", &ours)
        .header("sec-fetch-site", "same-origin");
    let answer = browser.ask(ask);
    assert!(answer.location().starts_with("http://localhost/x?code="));
}

#[test]
fn an_interaction_belongs_to_its_browser_and_to_who_saw_it() {
    let house = House::dev();
    let target = in_client(
        &house.service().0,
        "http://localhost/x",
        "snsapi_userinfo",
        "s",
    );
    let mut browser = Browser::of(&house, 0);
    browser.sign_in();
    let address = browser.get(&target).location().to_owned();
    let mut other = Browser::of(&house, 1);
    other.sign_in();
    let page = other.get(&address);
    assert!(
        !page.text().contains("value=\"allow\""),
        "another browser sees nothing"
    );
    // Another person who signs in in the meantime does not answer the page of the first.
    let shown = browser.get(&address);
    browser.person = house.person(1);
    browser.sign_in();
    let answer = browser.press(&shown, "allow", &[]);
    assert!(answer.header("location").is_none(), "{answer:?}");
    assert!(
        answer.text().contains("阿伟"),
        "it is shown anew for who is here now"
    );
    // Switching signs out and asks who one is.
    let answer = browser.press(&answer, "switch", &[]);
    assert_eq!(answer.location(), address);
    assert!(browser.session().is_none());
}

#[test]
fn a_session_is_new_after_each_sign_in_and_the_old_one_is_dead() {
    let house = House::dev();
    let mut browser = Browser::of(&house, 0);
    // Fixation: a session that was planted is not taken over.
    let planted = "1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    browser
        .jar
        .insert(format!("yufu_session_{}", house.port), planted.to_owned());
    browser.sign_in();
    let first = browser.session().unwrap().to_owned();
    assert_ne!(first, planted);
    let cookie = |session: &str| format!("yufu_session_{}={session}", house.port);
    let opens = |session: &str| {
        let answer = house.ask(&Ask::get("/account").header("cookie", &cookie(session)));
        answer.status == 200
    };
    assert!(opens(&first) && !opens(planted));
    let page = browser.get("/account/sign-in");
    let (phone, password) = house.person(0);
    browser.press(
        &page,
        "sign_in",
        &[("phone", &phone), ("password", &password)],
    );
    let second = browser.session().unwrap().to_owned();
    assert_ne!(second, first);
    assert!(opens(&second) && !opens(&first));
    // Signing out ends it on the server too; everywhere ends all.
    let mut other = Browser::of(&house, 0);
    other.sign_in();
    let third = other.session().unwrap().to_owned();
    let page = browser.get("/account");
    let left = browser.press(&page, "sign_out", &[]);
    assert_eq!(left.status, 200);
    assert!(browser.session().is_none());
    assert!(!opens(&second) && opens(&third));
    browser.sign_in();
    let fourth = browser.session().unwrap().to_owned();
    let page = browser.get("/account");
    browser.press(&page, "sign_out_all", &[]);
    assert!(!opens(&third) && !opens(&fourth));
}

#[test]
fn a_changed_password_ends_every_session_but_the_new_one() {
    let house = House::dev();
    let mut desk = Browser::of(&house, 0);
    let mut lost = Browser::of(&house, 0);
    desk.sign_in();
    lost.sign_in();
    let (_, password) = house.person(0);
    let page = desk.get("/account/password");
    let wrong = desk.press(
        &page,
        "change",
        &[("current", "no"), ("password", "another good one")],
    );
    assert_eq!(wrong.status, 200);
    let short = desk.press(
        &page,
        "change",
        &[("current", &password), ("password", "short")],
    );
    assert_eq!(short.status, 200);
    let done = desk.press(
        &page,
        "change",
        &[("current", &password), ("password", "another good one")],
    );
    assert_eq!(done.location(), "/account?done=password");
    assert_eq!(desk.get("/account").status, 200);
    assert_eq!(lost.get("/account").location(), "/account/sign-in");
    let page = lost.get("/account/sign-in");
    let (phone, _) = house.person(0);
    let old = lost.press(
        &page,
        "sign_in",
        &[("phone", &phone), ("password", &password)],
    );
    assert_eq!(old.status, 200, "the old password is dead");
    lost.person.1 = "another good one".to_owned();
    lost.sign_in();
}

#[test]
fn dev_pages_open_under_the_machines_own_names_only() {
    let house = House::dev();
    for target in ["/", "/dev/inbox", "/dev/codes"] {
        for host in ["127.0.0.1", "localhost", "localhost:8420", "[::1]:8420"] {
            let page = house.control(Ask::get(target).host(host));
            assert_eq!(page.status, 200, "{target} at {host}");
        }
        // DNS rebinding: the name is the attacker's though the address is ours.
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:80",
            "evil.example:127.0.0.1",
            "",
            "@localhost",
        ] {
            let page = house.control(Ask::get(target).host(host));
            assert!(
                [400, 403, 404].contains(&page.status),
                "{target} at {host}: {}",
                page.status
            );
            assert!(!page.text().contains(&house.service().1), "{host}");
        }
    }
    // The sign-in page in development holds passwords of seeded people, so the same goes for it.
    let page = house.ask(&Ask::get("/account/sign-in").host("evil.example"));
    assert!(
        !page.text().contains("yufu-dev-2026"),
        "passwords are told to a strange name"
    );
}

#[test]
fn next_leads_nowhere_but_home() {
    let house = House::dev();
    for next in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/interaction/../../evil",
        "/interaction/https://evil.example",
        "javascript:alert(1)",
        "/interaction/",
        "/dev/codes",
        "%0d%0aLocation: x",
        "/account%0d%0aSet-Cookie: a=b",
    ] {
        let mut browser = Browser::of(&house, 0);
        let page = browser.get(&format!(
            "/account/sign-in?next={}",
            crate::house::enc(next)
        ));
        let (phone, password) = house.person(0);
        let answer = browser.press(
            &page,
            "sign_in",
            &[("phone", &phone), ("password", &password)],
        );
        assert_eq!(
            (answer.status, answer.location()),
            (303, "/account"),
            "{next}"
        );
        assert!(!page.text().contains("evil"), "{next}");
    }
    // An interaction of ours is a place to go on to.
    let mut browser = Browser::of(&house, 0);
    let target = in_client(
        &house.service().0,
        "http://localhost/x",
        "snsapi_userinfo",
        "s",
    );
    let address = browser.get(&target).location().to_owned();
    let page = browser.get(&format!("/account/sign-in?next={address}"));
    let (phone, password) = house.person(0);
    let answer = browser.press(
        &page,
        "sign_in",
        &[("phone", &phone), ("password", &password)],
    );
    assert_eq!(answer.location(), address);
}

#[test]
fn ten_wrong_passwords_then_wait_and_the_right_one_never_counts() {
    let house = House::dev();
    let (phone, password) = house.person(0);
    let mut browser = Browser::of(&house, 0);
    let page = browser.get("/account/sign-in");
    let said = |answer: &crate::house::Answer| {
        let problem = answer.text().split("role=\"alert\">").nth(1).unwrap_or("");
        problem.split('<').next().unwrap().to_owned()
    };
    let attempt = |browser: &mut Browser<'_>, phone: &str, password: &str| {
        browser.press(
            &page,
            "sign_in",
            &[("phone", phone), ("password", password)],
        )
    };
    let mut wrong = String::new();
    for n in 0..9 {
        let answer = attempt(&mut browser, &phone, "no");
        assert_eq!(answer.status, 200);
        wrong = said(&answer);
        assert!(!wrong.is_empty(), "{n}");
    }
    // In between the right one opens, from another browser, and does not count.
    for _ in 0..3 {
        Browser::of(&house, 0).sign_in();
    }
    assert_eq!(
        said(&attempt(&mut browser, &phone, "no")),
        wrong,
        "the tenth"
    );
    let too_often = said(&attempt(&mut browser, &phone, "no"));
    assert_ne!(too_often, wrong);
    // Now the right one waits as well, and nobody learns that it was right.
    let kept_out = attempt(&mut browser, &phone, &password);
    assert_eq!(kept_out.status, 200);
    assert!(browser.session().is_none());
    let words = |text: &str| {
        text.chars()
            .filter(|c| !c.is_ascii_digit())
            .collect::<String>()
    };
    assert_eq!(words(&said(&kept_out)), words(&too_often));
    // Another account is not held up, and a number that nobody has is answered in the same words.
    Browser::of(&house, 1).sign_in();
    for _ in 0..10 {
        assert_eq!(said(&attempt(&mut browser, "+8613999999999", "no")), wrong);
    }
    assert_eq!(
        words(&said(&attempt(&mut browser, "+8613999999999", "no"))),
        words(&too_often)
    );
}

#[test]
fn passcodes_go_to_the_inbox_and_say_nothing_of_who_has_an_account() {
    let house = House::dev();
    let (phone, _) = house.person(1);
    let strange = "+8613777777777";
    let send = |phone: &str| {
        let mut browser = Browser::of(&house, 1);
        let page = browser.get("/account/sign-in?by=passcode");
        let answer = browser.press(&page, "send_passcode", &[("phone", phone)]);
        assert_eq!(answer.status, 200);
        (browser, answer)
    };
    let (mut browser, known) = send(&phone);
    let (_, unknown) = send(strange);
    let plain = |page: &crate::house::Answer, phone: &str| {
        let csrf = form_of(page, "passcode").csrf;
        let masked: String = page.text().replace(&csrf, "").replace(phone, "");
        masked.split("<strong>").next().unwrap().to_owned()
    };
    assert_eq!(plain(&known, &phone), plain(&unknown, strange));
    let mut digits = String::new();
    crate::house::until("the courier brings it", || {
        let inbox = house.control(Ask::get("/dev/inbox"));
        let at = inbox.text().find(&phone);
        let after = at.map_or("", |at| &inbox.text()[at..]).to_owned();
        digits = after
            .split(|c: char| !c.is_ascii_digit())
            .find(|run| run.len() == 6)
            .unwrap_or("")
            .to_owned();
        !digits.is_empty()
    });
    assert!(
        !house
            .control(Ask::get("/dev/inbox"))
            .text()
            .contains(strange),
        "nothing was sent to nobody"
    );
    let wrong = if digits == "000000" {
        "000001"
    } else {
        "000000"
    };
    let answer = browser.press(
        &known,
        "passcode",
        &[("phone", &phone), ("passcode", wrong)],
    );
    assert_eq!(answer.status, 200);
    let answer = browser.press(
        &known,
        "passcode",
        &[("phone", &phone), ("passcode", &digits)],
    );
    assert_eq!(answer.location(), "/account");
    let again = Browser::of(&house, 1).get("/account/sign-in");
    drop(again);
    let mut other = Browser::of(&house, 1);
    let page = other.get("/account/sign-in?by=passcode");
    let page = other.press(&page, "send_passcode", &[("phone", &phone)]);
    assert!(
        page.text().contains("role=\"alert\""),
        "a second one so soon is not sent"
    );
    let spent = other.press(
        &page,
        "passcode",
        &[("phone", &phone), ("passcode", &digits)],
    );
    assert_eq!(spent.status, 200, "a passcode is good once");
}
