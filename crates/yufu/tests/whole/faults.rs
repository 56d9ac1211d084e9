//! Faults and the clock, to the byte: what is set by REST is what the wire says.

use serde_json::{Value, json};
use yufu_web::clock;

use crate::house::{Answer, Ask, Browser, House, Wire, in_client, param, query, until};

const JSON_BUSY: &str = "{\"errcode\":-1,\"errmsg\":\"system error, rid: <rid>\"}";

/// Sets a fault and answers its name.
#[track_caller]
fn set(house: &House, fault: Value) -> String {
    let ask = Ask::new("POST", "/_sandbox/faults").body(fault.to_string());
    let answer = house.control(ask);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let id = &answer.json()["faults"][0]["id"];
    id.as_str().unwrap().to_owned()
}

fn clear(house: &House) {
    let answer = house.control(Ask::new("DELETE", "/_sandbox/faults"));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// The faults as they stand.
fn list(house: &House) -> Vec<Value> {
    let answer = house.control(Ask::get("/_sandbox/faults"));
    answer.json()["faults"].as_array().unwrap().clone()
}

#[track_caller]
fn turn(house: &House, what: Value) -> Value {
    let ask = Ask::new("POST", "/_sandbox/clock").body(what.to_string());
    let answer = house.control(ask);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn code_of(house: &House, person: usize) -> String {
    let mut phone = Browser::of(house, person);
    phone.code(&house.service().0, "snsapi_userinfo")
}

/// A person's tokens at the service client.
fn tokens_of(house: &House, person: usize) -> (String, String, String) {
    let tokens = house.tokens(&house.service(), &code_of(house, person));
    let text = |key: &str| tokens[key].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"), text("openid"))
}

/// What comes of a request whose connection may be cut.
fn try_to(house: &House, target: &str) -> Option<Answer> {
    let mut wire = Wire::to(house.port);
    wire.send(&Ask::get(target).bytes(house.port));
    wire.answer()
}

fn exchange_target(house: &House, code: &str) -> String {
    let (appid, secret) = house.service();
    let params = [
        ("appid", appid.as_str()),
        ("secret", &secret),
        ("code", code),
        ("grant_type", "authorization_code"),
    ];
    format!("/sns/oauth2/access_token?{}", query(&params))
}

#[test]
fn refusals_are_in_the_platforms_words_and_spend_nothing() {
    let house = House::dev();
    let service = house.service();
    let code = code_of(&house, 0);
    for (number, words) in [
        (-1, "system error"),
        (
            45011,
            "api minute-quota reach limit, must slower, retry next minute",
        ),
        (45009, "reach max api daily quota limit"),
        (
            40001,
            "invalid credential, access_token is invalid or not latest",
        ),
        (48001, "api unauthorized"),
    ] {
        set(
            &house,
            json!({"kind": "errcode", "code": number, "times": 1}),
        );
        house.exchange(&service, &code).refuses(number, words);
    }
    // The content type follows the request, as ever; words may be given.
    set(
        &house,
        json!({"kind": "errcode", "code": 40243, "text": "frozen", "times": 1}),
    );
    let asked = Ask::get(&exchange_target(&house, &code)).header("accept", "application/json");
    let shape = "{\"errcode\":40243,\"errmsg\":\"frozen, rid: <rid>\"}";
    house.ask(&asked).says("application/json", shape);
    house.tokens(&service, &code);
    assert_eq!(list(&house).len(), 6);
    assert!(
        list(&house)
            .iter()
            .all(|fault| fault["played"] == 1 && fault["left"] == 0)
    );
}

#[test]
fn what_comes_after_the_house_acted_burns_the_code() {
    let house = House::dev();
    let service = house.service();
    let after = [
        json!({"kind": "errcode", "code": -1, "when": "after", "times": 1}),
        json!({"kind": "status", "status": 504, "when": "after", "times": 1}),
        json!({"kind": "html", "when": "after", "times": 1}),
        json!({"kind": "truncated", "times": 1}),
        json!({"kind": "drop", "times": 1}),
    ];
    for fault in after {
        let code = code_of(&house, 0);
        set(&house, fault.clone());
        let answer = try_to(&house, &exchange_target(&house, &code));
        match fault["kind"].as_str().unwrap() {
            "errcode" => {
                answer.unwrap().says("text/plain", JSON_BUSY);
            }
            "status" => assert_eq!(answer.unwrap().status, 504),
            "html" => {
                let answer = answer.unwrap();
                assert_eq!(
                    (answer.status, answer.header("content-type")),
                    (200, Some("text/html"))
                );
                assert!(answer.text().starts_with("<!DOCTYPE html>"));
            }
            "truncated" => {
                let answer = answer.unwrap();
                assert_eq!(answer.header("content-type"), Some("text/plain"));
                let length = answer.header("content-length").unwrap().parse();
                assert_eq!(length, Ok(answer.body.len()));
                assert!(answer.text().starts_with("{\"access_token\":\"8"));
                assert!(serde_json::from_str::<Value>(answer.text()).is_err());
            }
            _ => assert!(answer.is_none(), "not a byte came"),
        }
        house
            .exchange(&service, &code)
            .refuses(40163, "code been used");
    }
}

#[test]
fn what_comes_before_the_house_acts_leaves_the_code_good() {
    let house = House::dev();
    let code = code_of(&house, 0);
    set(
        &house,
        json!({"kind": "drop", "when": "before", "times": 1}),
    );
    assert!(try_to(&house, &exchange_target(&house, &code)).is_none());
    set(&house, json!({"kind": "status", "times": 1}));
    let answer = house.exchange(&house.service(), &code);
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (502, Some("text/html"))
    );
    set(&house, json!({"kind": "html", "times": 1}));
    assert_eq!(house.exchange(&house.service(), &code).status, 200);
    house.tokens(&house.service(), &code);
}

#[test]
fn answers_are_damaged_where_it_was_asked_for_and_nowhere_else() {
    let house = House::dev();
    let (access, refresh, openid) = tokens_of(&house, 0);
    let whole = house.userinfo(&access, &openid);
    let bytes = whole.text().to_owned();
    let damaged = |fault: Value| {
        set(&house, fault);
        let answer = house.userinfo(&access, &openid);
        clear(&house);
        let length = answer.header("content-length").unwrap().parse();
        assert_eq!(length, Ok(answer.body.len()));
        answer
    };
    let text = |fault| damaged(fault).text().to_owned();
    let unionid = whole.json()["unionid"].as_str().unwrap().to_owned();
    assert_eq!(
        text(json!({"kind": "missing", "field": "unionid"})),
        bytes.replace(&format!(",\"unionid\":\"{unionid}\""), "")
    );
    let again = text(json!({"kind": "duplicate", "field": "unionid", "value": "oX"}));
    assert_eq!(again, bytes.replace('}', ",\"unionid\":\"oX\"}"));
    let zero = text(json!({"kind": "errcode_zero"}));
    assert_eq!(
        zero,
        bytes.replacen('{', "{\"errcode\":0,\"errmsg\":\"ok\",", 1)
    );
    let extra = text(json!({"kind": "extra"}));
    assert_eq!(extra, bytes.replacen('{', "{\"token_type\":\"bearer\",", 1));
    let strings = text(json!({"kind": "strings"}));
    assert_eq!(strings, bytes.replace("\"sex\":0", "\"sex\":\"0\""));
    let other = damaged(json!({"kind": "other_openid"})).json();
    let (other, own) = (other["openid"].as_str().unwrap(), openid.as_str());
    assert!(other != own && other.len() == own.len() && other[..6] == own[..6]);
    let latin = damaged(json!({"kind": "mojibake"})).json();
    assert!(
        latin["nickname"]
            .as_str()
            .unwrap()
            .starts_with("æ¢\u{85} ZoÃ©")
    );
    let cut = damaged(json!({"kind": "mojibake", "how": "bytes"}));
    assert!(std::str::from_utf8(&cut.body).is_err());
    let control = text(json!({"kind": "mojibake", "how": "control"}));
    assert!(control.contains('\u{2}'));
    let typed = damaged(json!({"kind": "content_type", "type": "text/plain; charset=utf-8"}));
    assert_eq!(
        typed.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(typed.text(), bytes);
    let cut = damaged(json!({"kind": "truncated", "bytes": 7}));
    assert_eq!(cut.text(), &bytes[..7]);
    // A refresh answer without a refresh token.
    set(
        &house,
        json!({"kind": "missing", "field": "refresh_token", "endpoint": "refresh_token"}),
    );
    let renewed = house.refresh(&house.service().0, &refresh);
    assert!(renewed.json()["refresh_token"].is_null() && renewed.json()["openid"] == openid);
    assert_eq!(
        house.userinfo(&access, &openid).text(),
        bytes,
        "elsewhere all is well"
    );
}

#[test]
fn what_cannot_be_damaged_does_not_count() {
    let house = House::dev();
    let (access, _, openid) = tokens_of(&house, 0);
    set(
        &house,
        json!({"kind": "missing", "field": "unionid", "times": 1}),
    );
    house.userinfo("81_x", &openid).refuses(
        40001,
        "invalid credential, access_token is invalid or not latest",
    );
    assert_eq!(list(&house)[0]["left"], 1);
    assert!(house.userinfo(&access, &openid).json()["unionid"].is_null());
    assert_eq!(list(&house)[0]["left"], 0);
}

#[test]
fn lives_are_judged_to_be_over_for_whom_it_was_asked() {
    let house = House::dev();
    let (access, refresh, openid) = tokens_of(&house, 0);
    let appid = house.service().0;
    let code = code_of(&house, 0);
    set(&house, json!({"kind": "code_expired", "times": 1}));
    house
        .exchange(&house.service(), &code)
        .refuses(40029, "invalid code");
    set(
        &house,
        json!({"kind": "access_expired", "person": "mei", "times": 2}),
    );
    house
        .userinfo(&access, &openid)
        .refuses(42001, "access_token expired");
    house
        .auth(&access, &openid)
        .refuses(42001, "access_token expired");
    set(
        &house,
        json!({"kind": "refresh_dead", "client": appid, "times": 1}),
    );
    house
        .refresh(&appid, &refresh)
        .refuses(42002, "refresh_token expired");
    set(
        &house,
        json!({"kind": "refresh_dead", "how": "revoked", "times": 1}),
    );
    house
        .refresh(&appid, &refresh)
        .refuses(40030, "invalid refresh_token");
    set(&house, json!({"kind": "userinfo_denied", "times": 1}));
    house
        .userinfo(&access, &openid)
        .refuses(48001, "api unauthorized");
    // Judged once, and not changed by it.
    house.tokens(&house.service(), &code);
    assert_eq!(house.userinfo(&access, &openid).json()["openid"], openid);
    assert_eq!(
        house.refresh(&appid, &refresh).json()["access_token"],
        access
    );
}

#[test]
fn faults_are_for_a_client_a_person_and_an_endpoint() {
    let house = House::dev();
    let (access, _, openid) = tokens_of(&house, 0);
    let (theirs, _, their_openid) = tokens_of(&house, 1);
    let fails = |answer: Answer| answer.errcode() == 45009;
    let fault = |more: Value| {
        clear(&house);
        let mut fault = json!({"kind": "errcode", "code": 45009});
        for (name, value) in more.as_object().unwrap() {
            fault[name] = value.clone();
        }
        set(&house, fault);
    };
    fault(json!({"person": "wei"}));
    assert!(!fails(house.userinfo(&access, &openid)));
    assert!(fails(house.userinfo(&theirs, &their_openid)));
    // A code says whose it is, in a form too.
    let code = code_of(&house, 1);
    let (appid, secret) = house.service();
    let form = [
        ("appid", appid.as_str()),
        ("secret", &secret),
        ("code", &code),
        ("grant_type", "authorization_code"),
    ];
    assert!(fails(
        house.ask(&Ask::post("/sns/oauth2/access_token", &form))
    ));
    fault(json!({"person": "mei"}));
    let paid = house.ask(&Ask::post("/sns/oauth2/access_token", &form));
    assert!(paid.json()["access_token"].is_string(), "{}", paid.text());
    fault(json!({"client": house.website().0}));
    assert!(!fails(house.userinfo(&access, &openid)));
    fault(json!({"client": house.service().0, "endpoint": "auth"}));
    assert!(!fails(house.userinfo(&access, &openid)));
    assert!(fails(house.auth(&access, &openid)));
    fault(json!({"endpoint": "/sns/userinfo", "chance": 0}));
    assert!(!fails(house.userinfo(&access, &openid)));
    fault(json!({"endpoint": "/sns/userinfo", "chance": 1}));
    assert!(fails(house.userinfo(&access, &openid)));
}

#[test]
fn three_times_are_three_of_fifty_at_once() {
    let house = House::dev();
    let (access, _, openid) = tokens_of(&house, 0);
    set(
        &house,
        json!({"kind": "errcode", "code": -1, "person": "mei", "times": 3}),
    );
    let failed = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..50)
            .map(|_| scope.spawn(|| house.userinfo(&access, &openid).errcode() == -1))
            .collect();
        asked
            .into_iter()
            .map(|it| it.join().unwrap())
            .filter(|it| *it)
            .count()
    });
    assert_eq!(failed, 3);
    assert_eq!(
        (
            list(&house)[0]["left"].clone(),
            list(&house)[0]["played"].clone()
        ),
        (json!(0), json!(3))
    );
}

#[test]
fn a_slow_answer_is_as_slow_as_it_was_asked_to_be() {
    let house = House::dev();
    let (access, _, openid) = tokens_of(&house, 0);
    for when in ["before", "after"] {
        clear(&house);
        set(&house, json!({"kind": "slow", "ms": 300, "when": when}));
        let began = clock::mark();
        assert_eq!(house.userinfo(&access, &openid).json()["openid"], openid);
        assert!(began.elapsed().as_millis() >= 300);
    }
    // A patience that ends before does not stop the house: the code is burnt.
    clear(&house);
    let code = code_of(&house, 0);
    set(
        &house,
        json!({"kind": "slow", "ms": 30_000, "endpoint": "access_token", "times": 1}),
    );
    let mut wire = Wire::to(house.port);
    wire.send(&Ask::get(&exchange_target(&house, &code)).bytes(house.port));
    until("the fault played", || list(&house)[0]["played"] == 1);
    drop(wire);
    house
        .exchange(&house.service(), &code)
        .refuses(40163, "code been used");
}

#[test]
fn callbacks_carry_somebody_elses_code_or_another_state() {
    let house = House::dev();
    let appid = house.service().0;
    let at = |state| {
        in_client(
            &appid,
            "http://localhost/cb?keep=1",
            "snsapi_userinfo",
            state,
        )
    };
    let mut phone = Browser::of(&house, 0);
    let own = phone.allow(&at("s-1"));
    let openid_of = |callback: &str| {
        let code = param(callback, "code").unwrap();
        let tokens = house.tokens(&house.service(), code);
        tokens["openid"].as_str().unwrap().to_owned()
    };
    let mei = openid_of(&own);
    set(
        &house,
        json!({"kind": "other_code", "person": "mei", "whose": "wei", "times": 1}),
    );
    let callback = phone.allow(&at("s-2"));
    assert_eq!(
        (param(&callback, "state"), param(&callback, "keep")),
        (Some("s-2"), Some("1"))
    );
    let (_, _, wei) = tokens_of(&house, 1);
    assert_eq!(openid_of(&callback), wei);
    assert_eq!(openid_of(&phone.allow(&at("s-3"))), mei, "it was for once");

    set(
        &house,
        json!({"kind": "other_state", "state": "x y", "client": appid, "times": 1}),
    );
    assert_eq!(param(&phone.allow(&at("s-4")), "state"), Some("x%20y"));
    set(&house, json!({"kind": "no_state", "times": 1}));
    assert_eq!(param(&phone.allow(&at("s-5")), "state"), None);
    assert_eq!(param(&phone.allow(&at("s-6")), "state"), Some("s-6"));
}

#[test]
fn a_page_with_a_qr_code_is_led_astray_too() {
    let house = House::dev_with(&["--poll-hold", "1"]);
    let website = house.website();
    let (mut desk, mut phone) = (Browser::of(&house, 0), Browser::of(&house, 0));
    let openid_of = |code: &str| {
        let tokens = house.tokens(&website, code);
        tokens["openid"].as_str().unwrap().to_owned()
    };
    let mei = openid_of(&desk.scan(&website.0, &mut phone));
    set(
        &house,
        json!({"kind": "other_code", "person": "mei", "times": 1}),
    );
    let other = desk.scan(&website.0, &mut phone);
    assert_ne!(openid_of(&other), mei);
    // The page is given another state to hand back.
    set(&house, json!({"kind": "other_state", "times": 1}));
    let (_, page) = desk.qr(&website.0, &[("state", "mine")]);
    assert!(page.text().contains("another-state") && !page.text().contains("mine"));
    // Its code is over at once.
    let (uuid, _) = desk.qr(&website.0, &[]);
    set(
        &house,
        json!({"kind": "scan_expired", "client": website.0, "times": 1}),
    );
    let over = desk.poll(&uuid, "");
    over.says(
        "text/javascript",
        "window.wx_errcode=402;window.wx_code='';",
    );
}

#[test]
fn whoever_authorizes_without_a_browser_is_led_astray_too() {
    let house = House::dev();
    let service = house.service();
    let target = in_client(&service.0, "http://localhost/cb", "snsapi_userinfo", "mine");
    let url = format!("{}{target}", house.platform());
    let authorize = || {
        let body = json!({"url": url, "person": "mei"}).to_string();
        let answer = house.control(Ask::new("POST", "/_sandbox/authorize").body(body));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    };
    let openid_of = |ended: &Value| {
        let code = ended["code"].as_str().unwrap();
        assert!(ended["callback"].as_str().unwrap().contains(code));
        house.tokens(&service, code)["openid"].clone()
    };
    let mei = openid_of(&authorize());
    set(&house, json!({"kind": "other_code", "times": 1}));
    assert_ne!(openid_of(&authorize()), mei);
    set(&house, json!({"kind": "other_state", "times": 1}));
    let ended = authorize();
    assert_eq!(ended["state"], "another-state");
    assert_eq!(openid_of(&ended), mei);
}

#[test]
fn a_callback_to_this_machine_is_delivered_twice() {
    let app = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = app.local_addr().unwrap().port();
    let house = House::dev();
    let appid = house.service().0;
    set(&house, json!({"kind": "callback_twice", "times": 1}));
    let mut phone = Browser::of(&house, 0);
    phone.jar.insert("app_session".into(), "1".into());
    let redirect = format!("http://127.0.0.1:{port}/cb");
    let callback = phone.allow(&in_client(&appid, &redirect, "snsapi_userinfo", "s"));
    // The browser goes there by itself; this is the second time.
    let (stream, _) = app.accept().unwrap();
    let mut line = String::new();
    let mut reader = std::io::BufReader::new(stream);
    std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
    let target = callback
        .strip_prefix(&format!("http://127.0.0.1:{port}"))
        .unwrap();
    assert_eq!(line, format!("GET {target} HTTP/1.1\r\n"));
    let mut cookies = String::new();
    while !line.trim().is_empty() {
        line.clear();
        std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
        if line.to_lowercase().starts_with("cookie:") {
            cookies.clone_from(&line);
        }
    }
    assert_eq!(
        cookies.trim().to_lowercase(),
        "cookie: app_session=1",
        "the app's, and none of ours"
    );
}

#[test]
fn the_platforms_clock_is_off_for_some() {
    let house = House::dev();
    let (access, _, openid) = tokens_of(&house, 0);
    let date = |answer: &Answer| answer.header("date").unwrap().to_owned();
    let before = date(&house.userinfo(&access, &openid));
    set(
        &house,
        json!({"kind": "clock_skew", "by": "3h", "endpoint": "userinfo"}),
    );
    let answer = house.userinfo(&access, &openid);
    answer.refuses(42001, "access_token expired");
    assert_ne!(date(&answer)[..22], before[..22], "the hour is another one");
    clear(&house);
    set(&house, json!({"kind": "clock_skew", "by": "-3h"}));
    assert_eq!(house.userinfo(&access, &openid).json()["openid"], openid);
}

#[test]
fn the_clock_is_turned_frozen_and_real_again() {
    let house = House::dev();
    let appid = house.service().0;
    let (access, refresh, openid) = tokens_of(&house, 0);
    let code = code_of(&house, 0);
    let stands = turn(&house, json!({"jump": "2h"}));
    assert_eq!(
        (&stands["ahead"], &stands["frozen"]),
        (&json!(7_200_000), &json!(false))
    );
    assert_eq!(stands["ahead_words"], "2h");
    house
        .userinfo(&access, &openid)
        .refuses(42001, "access_token expired");
    house
        .exchange(&house.service(), &code)
        .refuses(40029, "invalid code");
    // A token of the new time, and all is well until the refresh token is over.
    let renewed = house.refresh(&appid, &refresh).json()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_ne!(renewed, access);
    assert_eq!(house.userinfo(&renewed, &openid).json()["openid"], openid);
    turn(&house, json!({"jump": "31d"}));
    house
        .refresh(&appid, &refresh)
        .refuses(42002, "refresh_token expired");
    // At real time everything is as good as before: nothing was swept.
    turn(&house, json!({"real": true}));
    assert_eq!(house.userinfo(&access, &openid).json()["openid"], openid);
    house.tokens(&house.service(), &code);
    assert!(house.refresh(&appid, &refresh).json()["access_token"].is_string());
    // It stands, and goes on.
    let frozen = turn(&house, json!({"freeze": true}));
    let later = house.control(Ask::get("/_sandbox/clock")).json();
    assert_eq!(
        (&later["now"], &later["frozen"]),
        (&frozen["now"], &json!(true))
    );
    turn(&house, json!({"freeze": false}));
    until("the clock goes on", || {
        house.control(Ask::get("/_sandbox/clock")).json()["now"] != frozen["now"]
    });
    let wrong = Ask::new("POST", "/_sandbox/clock").body(r#"{"jump":"soon","reel":true}"#);
    let answer = house.control(wrong);
    assert_eq!(answer.status, 400);
    let complaints = &answer.json()["error"]["complaints"];
    assert_eq!(complaints.as_array().unwrap().len(), 2, "{complaints}");
}

#[test]
fn half_a_year_takes_nothing_away_that_a_jump_back_would_need() {
    let house = House::dev();
    let (access, refresh, openid) = tokens_of(&house, 0);
    // The sweeper wakes at each turn: whatever it would take is gone by then.
    for _ in 0..3 {
        turn(&house, json!({"jump": "181d"}));
    }
    house
        .refresh(&house.service().0, &refresh)
        .refuses(42002, "refresh_token expired");
    turn(&house, json!({"real": true}));
    assert_eq!(house.userinfo(&access, &openid).json()["openid"], openid);
}

#[test]
fn a_code_or_token_is_ended_on_demand() {
    let house = House::dev();
    let appid = house.service().0;
    let (access, refresh, openid) = tokens_of(&house, 0);
    let code = code_of(&house, 0);
    let expire = |token: &str| {
        let body = json!({"token": token}).to_string();
        house.control(Ask::new("POST", "/_sandbox/tokens/expire").body(body))
    };
    assert_eq!(expire(&access).json(), json!({"expired": "access"}));
    house
        .userinfo(&access, &openid)
        .refuses(42001, "access_token expired");
    house
        .auth(&access, &openid)
        .refuses(42001, "access_token expired");
    let renewed = house.refresh(&appid, &refresh).json();
    assert_ne!(renewed["access_token"], access);
    assert_eq!(expire(&refresh).json(), json!({"expired": "refresh"}));
    house
        .refresh(&appid, &refresh)
        .refuses(42002, "refresh_token expired");
    assert_eq!(expire(&code).json(), json!({"expired": "code"}));
    house
        .exchange(&house.service(), &code)
        .refuses(40029, "invalid code");
    // What was ended stays so, whatever the clock says.
    turn(&house, json!({"jump": "1h"}));
    turn(&house, json!({"real": true}));
    house
        .userinfo(&access, &openid)
        .refuses(42001, "access_token expired");
    let spent = code_of(&house, 0);
    house.tokens(&house.service(), &spent);
    assert_eq!(expire(&spent).status, 409);
    assert_eq!(expire("nothing").status, 404);
}

#[test]
fn mistakes_in_faults_are_told_all_at_once() {
    let house = House::dev();
    let body = json!({"faults": [
        {"kind": "errcod", "person": "mai"},
        {"kind": "status", "status": 99, "endpoint": "user_info"},
    ]});
    let answer = house.control(Ask::new("POST", "/_sandbox/faults").body(body.to_string()));
    assert_eq!(answer.status, 400);
    let complaints = answer.json()["error"]["complaints"]
        .as_array()
        .unwrap()
        .clone();
    let at: Vec<&str> = complaints
        .iter()
        .map(|it| it["at"].as_str().unwrap())
        .collect();
    assert_eq!(
        at,
        [
            "faults[0].kind",
            "faults[0].person",
            "faults[1].endpoint",
            "faults[1].status"
        ]
    );
    assert_eq!(complaints[0]["remedy"], "did you mean \"errcode\"?");
    assert_eq!(complaints[2]["remedy"], "did you mean \"userinfo\"?");
    assert!(list(&house).is_empty(), "all or none");
    assert_eq!(
        house
            .control(Ask::new("DELETE", "/_sandbox/faults/x1"))
            .status,
        404
    );
    let id = set(&house, json!({"kind": "drop"}));
    let gone = house.control(Ask::new("DELETE", &format!("/_sandbox/faults/{id}")));
    assert_eq!(gone.json(), json!({"removed": 1}));
    assert!(list(&house).is_empty());
}
