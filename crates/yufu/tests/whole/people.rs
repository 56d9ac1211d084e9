//! Signing up, passcodes and new passwords over the pages; the demo app as a relying party; the
//! page that issues codes for mini programs.

use serde_json::Value;

use crate::house::{Answer, Ask, Browser, House, Temp, Wire, param, until};
use crate::serve::{client, settings};

/// The newest passcode that was sent to a number, out of the file of `sms.deliver = "file"`.
fn sent_to(temp: &Temp, phone: &str, about: &str) -> String {
    let mut found = String::new();
    until("a passcode is delivered", || {
        let text = std::fs::read_to_string(temp.join("sms.jsonl")).unwrap_or_default();
        let letters = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut mine = letters.filter(|letter| letter["to"] == phone && letter["about"] == about);
        if let Some(letter) = mine.next_back() {
            found = letter["passcode"].as_str().unwrap().to_owned();
        }
        !found.is_empty()
    });
    found
}

fn nobody(house: &House) -> Browser<'_> {
    Browser::new(house, (String::new(), String::new()))
}

#[test]
fn from_no_account_to_a_login_and_a_new_password() {
    let temp = Temp::new();
    let house = House::serve(&settings(&temp, "http://127.0.0.1:9", ""));
    let phone = "+8613500000001";
    let mut browser = nobody(&house);
    let page = browser.get("/account/sign-up");
    let page = browser.press(&page, "send_passcode", &[("phone", phone)]);
    let passcode = sent_to(&temp, phone, "sign_up");
    assert!(
        passcode.len() == 6 && passcode.bytes().all(|b| b.is_ascii_digit()),
        "{passcode}"
    );
    // What does not fit is said on the page and the passcode stays good.
    let sign_up = |browser: &mut Browser<'_>, passcode: &str, nickname: &str, password: &str| {
        let fields = [
            ("phone", phone),
            ("passcode", passcode),
            ("nickname", nickname),
            ("password", password),
        ];
        browser.press(&page, "sign_up", &fields)
    };
    let long = "n".repeat(3000);
    for (nickname, password) in [
        ("", "a good password"),
        (long.as_str(), "a good password"),
        ("新人", "short"),
        ("新人", phone),
    ] {
        let answer = sign_up(&mut browser, &passcode, nickname, password);
        assert_eq!(answer.status, 200, "{nickname} {password}");
        assert!(answer.text().contains("role=\"alert\""));
    }
    let answer = sign_up(&mut browser, &passcode, "新人 <b>", "a good password");
    assert_eq!((answer.status, answer.location()), (303, "/account"));
    let account = browser.get("/account");
    assert!(account.text().contains("新人 ") && !account.text().contains("<b>新"));
    assert!(!account.text().contains("新人 <b>"), "a name is no markup");
    assert!(!account.text().contains(phone), "the number is masked");
    // A second sign-up of the number is a sign-in to the account that is there, with its password.
    Browser::new(&house, (phone.to_owned(), "a good password".to_owned())).sign_in();
    assert_eq!(house.cli(&["user", "list"]).as_array().unwrap().len(), 1);

    // A new password by passcode: the old one and every session are over.
    let mut other = nobody(&house);
    let page = other.get("/account/reset");
    let page = other.press(&page, "send_passcode", &[("phone", phone)]);
    let passcode = sent_to(&temp, phone, "reset");
    let fields = [
        ("phone", phone),
        ("passcode", passcode.as_str()),
        ("password", "quite another one"),
    ];
    let button = if page.text().contains("value=\"reset\"") {
        "reset"
    } else {
        "change"
    };
    let answer = other.press(&page, button, &fields);
    assert_eq!(
        (answer.status, answer.location()),
        (303, "/account"),
        "{}",
        answer.text()
    );
    assert_eq!(browser.get("/account").location(), "/account/sign-in");
    Browser::new(&house, (phone.to_owned(), "quite another one".to_owned())).sign_in();
    // No passcode is in the log when it goes to a file.
    assert_eq!(house.errors(), "");
}

#[test]
fn a_passcode_is_tried_five_times_and_no_more() {
    let temp = Temp::new();
    let house = House::serve(&settings(&temp, "http://127.0.0.1:9", ""));
    let (phone, _) = crate::serve::person(&house);
    let mut browser = nobody(&house);
    let page = browser.get("/account/sign-in?by=passcode");
    let page = browser.press(&page, "send_passcode", &[("phone", &phone)]);
    let passcode = sent_to(&temp, &phone, "sign_in");
    let wrong = if passcode == "111111" {
        "111112"
    } else {
        "111111"
    };
    for _ in 0..5 {
        let answer = browser.press(&page, "passcode", &[("phone", &phone), ("passcode", wrong)]);
        assert_eq!(answer.status, 200);
    }
    let late = browser.press(
        &page,
        "passcode",
        &[("phone", &phone), ("passcode", &passcode)],
    );
    assert_eq!(late.status, 200, "the right one comes too late");
    assert!(browser.session().is_none());
}

/// One request to the demo app with its own cookie.
fn rooms(house: &House, target: &str, cookie: &mut String) -> Answer {
    to_rooms(house, Ask::get(target), cookie)
}

/// Accepts the demo app's terms and begins one of its ways: the platform's address.
fn begin(house: &House, way: &str, cookie: &mut String) -> String {
    let home = rooms(house, "/", cookie);
    let csrf = crate::house::field(home.text(), "name=\"csrf\" value=\"").unwrap();
    let form = [("csrf", csrf), ("agree", "yes"), ("act", way)];
    let chosen = to_rooms(house, Ask::post("/", &form), cookie);
    assert_eq!(chosen.location(), format!("/login/{way}"));
    rooms(house, chosen.location(), cookie)
        .location()
        .to_owned()
}

fn to_rooms(house: &House, ask: Ask, cookie: &mut String) -> Answer {
    let port = house.ready["app"]
        .as_str()
        .unwrap()
        .rsplit(':')
        .next()
        .unwrap();
    let mut ask = ask.host(&format!("127.0.0.1:{port}"));
    if !cookie.is_empty() {
        ask = ask.header("cookie", cookie);
    }
    let answer = Wire::to(port.parse().unwrap()).ask(&ask);
    for set in answer.all("set-cookie") {
        if set.starts_with("rooms_") {
            *cookie = set.split(';').next().unwrap().to_owned();
        }
    }
    answer
}

#[test]
fn the_demo_app_logs_in_by_the_wire_alone() {
    let house = House::dev_with(&["--poll-hold", "1"]);
    let app = house.ready["app"].as_str().unwrap().to_owned();
    let platform = house.platform().to_owned();
    for way in ["scan", "native", "page"] {
        let mut cookie = String::new();
        // Nobody is sent anywhere before the terms are accepted.
        let early = rooms(&house, &format!("/login/{way}"), &mut cookie);
        assert_eq!(early.status, 200, "{way}");
        assert!(early.text().contains("1003"), "{way}");
        let to_platform = begin(&house, way, &mut cookie);
        assert!(to_platform.starts_with(&platform), "{way}: {to_platform}");
        let target = to_platform.strip_prefix(&platform).unwrap();
        let mut browser = Browser::of(&house, 0);
        let back = if target.starts_with("/connect/qrconnect") {
            let page = browser.get(target);
            let uuid = crate::house::field(page.text(), "data-uuid=\"")
                .unwrap()
                .to_owned();
            let state = crate::house::field(page.text(), "data-state=\"")
                .unwrap()
                .to_owned();
            let redirect = crate::house::field(page.text(), "data-redirect=\"")
                .unwrap()
                .to_owned();
            Browser::of(&house, 0).go_through(&format!("/connect/confirm?uuid={uuid}"), "allow");
            let said = browser.poll(&uuid, "&last=404").text().to_owned();
            let code = said.split('\'').nth(1).unwrap();
            format!("{redirect}?code={code}&state={state}")
        } else {
            browser.allow(target)
        };
        assert!(back.starts_with(&app), "{way}: {back}");
        // A forged answer first: another state does not log in.
        let state = param(&back, "state").unwrap();
        let forged = back.replace(state, "forged");
        let answer = rooms(&house, forged.strip_prefix(&app).unwrap(), &mut cookie);
        assert_ne!(answer.header("location"), Some("/me"), "{way}");
        let mut other = String::new();
        let stolen = rooms(&house, back.strip_prefix(&app).unwrap(), &mut other);
        assert_ne!(
            stolen.header("location"),
            Some("/me"),
            "another browser's answer: {way}"
        );
        // And then the whole way again, undisturbed.
        let mut cookie = String::new();
        let start = begin(&house, way, &mut cookie);
        let target = start.strip_prefix(&platform).unwrap().to_owned();
        if target.starts_with("/connect/qrconnect") {
            continue;
        }
        let back = browser.allow(&target);
        let mut answer = rooms(&house, back.strip_prefix(&app).unwrap(), &mut cookie);
        for _ in 0..4 {
            let Some(next) = answer.header("location").map(str::to_owned) else {
                break;
            };
            answer = rooms(
                &house,
                next.strip_prefix(&app).unwrap_or(&next),
                &mut cookie,
            );
        }
        assert_eq!(answer.status, 200, "{way}");
        // Logged in at WeChat, and a number is asked for; no secret is in the page.
        if way == "native" {
            let next = crate::house::field(answer.text(), "href=\"/native/finish?").unwrap();
            let next = format!("/native/finish?{}", next.replace("&#38;", "&"));
            answer = rooms(&house, &next, &mut cookie);
            assert_eq!(answer.location(), "/bind");
            answer = rooms(&house, "/bind", &mut cookie);
        }
        let code = param(&back, "code").unwrap();
        assert!(!answer.text().contains(code), "{way}");
        assert!(
            answer.text().contains("/user/wechat/login"),
            "the wire is shown: {way}"
        );
    }
}

#[test]
fn the_page_of_codes_issues_one_for_a_mini_program() {
    let house = House::dev();
    let service = house.service();
    let user = house.user_id(1);
    let mut browser = Browser::of(&house, 1);
    let page = browser.get("/dev/codes");
    let action = crate::house::field(page.text(), "action=\"")
        .unwrap()
        .to_owned();
    let csrf = crate::house::field(page.text(), "name=\"csrf\" value=\"")
        .unwrap()
        .to_owned();
    let forged = browser.post(
        &action,
        &[("csrf", "x"), ("client", &service.0), ("user", &user)],
    );
    let code_of = |page: &Answer| {
        let words = page.text().split(|c: char| !c.is_ascii_alphanumeric());
        let mut codes = words.filter(|word| {
            word.len() == 32
                && word.starts_with('0')
                && !word.bytes().all(|b| b.is_ascii_hexdigit())
        });
        codes.next().map(str::to_owned)
    };
    assert_eq!(code_of(&forged), None);
    let issued = browser.post(
        &action,
        &[("csrf", &csrf), ("client", &service.0), ("user", &user)],
    );
    let code = code_of(&issued).unwrap_or_else(|| panic!("{}", issued.text()));
    let params = [
        ("appid", service.0.as_str()),
        ("secret", &service.1),
        ("js_code", &code),
        ("grant_type", "authorization_code"),
    ];
    let answer = house.call("/sns/jscode2session", &params);
    answer.says(
        "text/plain",
        r#"{"session_key":"<key>","openid":"<id>","unionid":"<id>"}"#,
    );
}

#[test]
fn a_login_of_one_app_is_not_a_login_of_another() {
    let temp = Temp::new();
    let house = House::serve(&settings(&temp, "http://127.0.0.1:9", ""));
    let who = crate::serve::person(&house);
    let (one, two) = (
        client(&house, "service", &[]),
        client(&house, "service", &[]),
    );
    let mut browser = Browser::new(&house, who);
    let ask = |appid: &str| {
        crate::house::in_client(appid, "https://www.example.com/cb", "snsapi_userinfo", "s")
    };
    let first = browser.allow(&ask(&one.0));
    // The yes to the first is no yes to the second.
    assert_eq!(browser.get(&ask(&one.0)).status, 302);
    assert_eq!(browser.get(&ask(&two.0)).status, 303);
    let second = browser.allow(&ask(&two.0));
    let openid = |client: &(String, String), location: &str| {
        let tokens = house.tokens(client, param(location, "code").unwrap());
        (tokens["openid"].clone(), tokens["unionid"].clone())
    };
    let (a, b) = (openid(&one, &first), openid(&two, &second));
    assert_ne!(a.0, b.0);
    assert_eq!(a.1, b.1);
}
