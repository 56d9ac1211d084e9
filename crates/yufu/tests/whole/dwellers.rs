//! People and clients that come, change and go while the sandbox runs.

use serde_json::{Value, json};

use crate::house::{Ask, Browser, House, Temp, enc, in_client, param};

const PEOPLE: &str = "/_sandbox/people";
const CLIENTS: &str = "/_sandbox/clients";

fn one(name: &str) -> String {
    format!("{PEOPLE}/{name}")
}

impl House {
    /// Somebody, as the control tells of them.
    #[track_caller]
    fn of(&self, list: &str, key: &str, value: &str) -> Option<Value> {
        let all = self.done("GET", &format!("/_sandbox/{list}"), &Value::Null);
        let all = all[list].as_array().unwrap().clone();
        all.into_iter().find(|it| it[key] == value)
    }

    /// A code of a client for a person, by the control.
    #[track_caller]
    fn code_for(&self, client: &str, person: &str) -> String {
        let body = json!({"client": client, "person": person});
        let answer = self.done("POST", "/_sandbox/codes", &body);
        answer["code"].as_str().unwrap().to_owned()
    }

    /// What a service client hears of a person: the tokens, and the profile.
    #[track_caller]
    fn heard(&self, client: &(String, String), person: &str) -> (Value, Value) {
        let tokens = self
            .exchange(client, &self.code_for(&client.0, person))
            .json();
        let text = |key: &str| tokens[key].as_str().unwrap().to_owned();
        let params = [
            ("access_token", text("access_token")),
            ("openid", text("openid")),
        ];
        let params = params
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        (tokens, self.call("/sns/userinfo", &params).json())
    }
}

#[test]
fn somebody_comes_and_logs_in_by_every_way() {
    let house = House::dev();
    let body = json!({
        "name": "zoe", "phone": "138 0000 0009", "nickname": "Zoé 🦊𠮷", "sex": "female",
        "country": "中国", "province": "湖南", "city": "长沙",
    });
    let told = house.done("POST", PEOPLE, &body);
    let mut expected = body.clone();
    for (key, value) in [
        ("phone", json!("+8613800000009")),
        ("password", json!("yufu-dev-2026")),
        ("avatar", json!("face")),
        ("unionid", json!(true)),
        ("standing", json!("active")),
        ("installed", json!(true)),
    ] {
        expected[key] = value;
    }
    assert_eq!(told, expected);
    assert_eq!(house.of("people", "name", "zoe"), Some(expected));
    let (tokens, profile) = house.heard(&house.service(), "zoe");
    assert!(tokens["unionid"].is_string());
    assert_eq!(profile["nickname"], "Zoé 🦊𠮷");
    let picture = profile["headimgurl"].as_str().unwrap();
    let picture = picture.strip_prefix(house.platform()).unwrap();
    assert_eq!(
        house.get(picture).header("content-type"),
        Some("image/jpeg")
    );
    // In a browser too: with the password, and on the pages of development.
    let person = ("+8613800000009".to_owned(), "yufu-dev-2026".to_owned());
    let mut browser = Browser::new(&house, person);
    assert!(browser.get("/account/sign-in").text().contains("Zoé 🦊𠮷"));
    browser.sign_in();
    assert!(
        house
            .control(Ask::get("/dev/codes"))
            .text()
            .contains("Zoé 🦊𠮷")
    );
    assert!(
        house
            .control(Ask::get("/phone"))
            .text()
            .contains("Zoé 🦊𠮷")
    );
}

#[test]
fn whoever_says_little_is_somebody_all_the_same() {
    let house = House::dev();
    let li = house.done("POST", PEOPLE, &json!({"name": "li"}));
    let bo = house.done(
        "POST",
        PEOPLE,
        &json!({"name": "bo", "avatar": "none", "unionid": false}),
    );
    assert_eq!(
        (&li["nickname"], &bo["avatar"]),
        (&json!("li"), &json!("none"))
    );
    assert_ne!(li["phone"], bo["phone"]);
    assert_eq!(bo["unionid"], false);
    let (_, profile) = house.heard(&house.service(), "bo");
    assert_eq!(profile["headimgurl"], "");
}

#[test]
fn no_app_is_told_the_unionid_of_somebody_who_has_none() {
    let house = House::dev();
    let service = house.service();
    let (before, told) = house.heard(&service, "mei");
    let unionid = before["unionid"].as_str().unwrap();
    assert_eq!(told["unionid"], unionid);
    house.done("PATCH", &one("mei"), &json!({"unionid": false}));
    let (tokens, profile) = house.heard(&service, "mei");
    assert_eq!(
        (tokens.get("unionid"), profile.get("unionid")),
        (None, None)
    );
    assert_eq!(tokens["openid"], before["openid"]);
    assert_eq!(profile["nickname"], told["nickname"]);
    // By a form, as some clients ask; and for a mini program.
    let form = [
        ("access_token", tokens["access_token"].as_str().unwrap()),
        ("openid", tokens["openid"].as_str().unwrap()),
    ];
    let answer = house.ask(&Ask::post("/sns/userinfo", &form));
    let length = answer.body.len().to_string();
    assert_eq!(answer.header("content-length"), Some(length.as_str()));
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    assert_eq!(answer.json().get("unionid"), None);
    let user = house.user_id(0);
    let issued = house.cli(&[
        "token",
        "mini-code",
        "--client",
        &service.0,
        "--user",
        &user,
    ]);
    let params = [
        ("appid", service.0.as_str()),
        ("secret", &service.1),
        ("js_code", issued["code"].as_str().unwrap()),
        ("grant_type", "authorization_code"),
    ];
    let mini = house.call("/sns/jscode2session", &params).json();
    assert!(mini["session_key"].is_string(), "{mini}");
    assert_eq!(mini.get("unionid"), None);
    // Others have theirs, and mei has the same one again.
    assert!(house.heard(&service, "wei").0["unionid"].is_string());
    house.done("PATCH", &one("mei"), &json!({"unionid": true}));
    assert_eq!(house.heard(&service, "mei").0["unionid"], unionid);
}

#[test]
fn a_change_is_seen_at_once_and_what_is_not_said_stays() {
    let house = House::dev();
    let service = house.service();
    let edit = |name: &str, body: Value| house.done("PATCH", &one(name), &body);
    let (before, _) = house.heard(&service, "mei");
    let told = edit(
        "mei",
        json!({
            "nickname": "梅二 🐠", "avatar": "https://img.example/a.png", "phone": "+447700900123"
        }),
    );
    assert_eq!(
        (&told["phone"], &told["province"]),
        (&json!("+447700900123"), &json!("湖南"))
    );
    let (after, profile) = house.heard(&service, "mei");
    assert_eq!(before["openid"], after["openid"]);
    assert_eq!(profile["nickname"], "梅二 🐠");
    assert_eq!(profile["headimgurl"], "https://img.example/a.png");
    // The number moved: it signs in, the old one does not, and may be somebody else's.
    let (_, password) = house.person(0);
    Browser::new(&house, ("+447700900123".to_owned(), password)).sign_in();
    edit("wei", json!({"phone": "+8613800000001"}));
    assert_eq!(edit("mei", json!({"avatar": "none"}))["avatar"], "none");
    assert_eq!(
        edit("mei", json!({})),
        house.of("people", "name", "mei").unwrap()
    );
}

#[test]
fn who_is_restricted_can_do_nothing_until_they_may_again() {
    let house = House::dev();
    let service = house.service();
    let edit = |standing| house.done("PATCH", &one("wei"), &json!({"standing": standing}));
    let (tokens, _) = house.heard(&service, "wei");
    assert_eq!(edit("restricted")["standing"], "restricted");
    let params = [
        ("access_token", tokens["access_token"].as_str().unwrap()),
        ("openid", tokens["openid"].as_str().unwrap()),
    ];
    assert_eq!(house.call("/sns/userinfo", &params).errcode(), 50002);
    let body = json!({"client": service.0, "person": "wei"});
    let (status, complaints) = house.refused("POST", "/_sandbox/codes", &body);
    assert_eq!(status, 422, "{complaints:?}");
    edit("active");
    assert_eq!(house.call("/sns/userinfo", &params).errcode(), 0);
    house.heard(&service, "wei");
}

#[test]
fn a_closed_account_stays_closed_and_frees_its_number() {
    let house = House::dev();
    let service = house.service();
    let (tokens, _) = house.heard(&service, "ana");
    let told = house.done("PATCH", &one("ana"), &json!({"standing": "closed"}));
    assert_eq!(told["standing"], "closed");
    let params = [
        ("access_token", tokens["access_token"].as_str().unwrap()),
        ("openid", tokens["openid"].as_str().unwrap()),
    ];
    assert_eq!(house.call("/sns/userinfo", &params).errcode(), 40001);
    for body in [
        json!({"standing": "active"}),
        json!({"nickname": "Ana"}),
        json!({}),
    ] {
        let (status, complaints) = house.refused("PATCH", &one("ana"), &body);
        assert_eq!(status, 409);
        assert!(complaints[0].starts_with("standing: is closed, and stays so; DELETE"));
    }
    let gone = house.done("DELETE", &one("ana"), &Value::Null);
    assert_eq!(gone, json!({"closed": "ana"}));
    assert_eq!(house.of("people", "name", "ana"), None);
    assert_eq!(house.told("DELETE", &one("ana"), &Value::Null).status, 404);
    // Another person with the same name and number is a stranger to every app.
    let body = json!({"name": "ana", "phone": "+8613800000003"});
    house.done("POST", PEOPLE, &body);
    let (again, _) = house.heard(&service, "ana");
    assert_ne!(again["openid"], tokens["openid"]);
    // Who is deleted while active is closed on the way.
    let (tokens, _) = house.heard(&service, "mei");
    house.done("DELETE", &one("mei"), &Value::Null);
    let access = tokens["access_token"].as_str().unwrap();
    let params = [("access_token", access), ("openid", "x")];
    assert_eq!(house.call("/sns/auth", &params).errcode(), 40014);
}

#[test]
fn everything_that_is_wrong_with_a_person_is_told_at_once() {
    let house = House::dev();
    let (status, complaints) = house.refused("POST", PEOPLE, &json!({
        "name": "Mei", "phone": "+8613800000002", "nickname": "a\u{7}", "sex": "f", "avatar": "cat",
        "standing": "closed", "unionid": "no", "fone": 1,
    }));
    assert_eq!(status, 400);
    for start in [
        "name: is no short name; write 1 to 32",
        "phone: is wei's; take another one",
        "nickname: is too long, or holds what cannot be shown; ",
        "sex: is \"f\"; write \"male\" or",
        "avatar: is no picture; write",
        "standing: is closed before there was an account; ",
        "unionid: is no flag; write true or false",
        "fone: is not known; did you mean phone?",
    ] {
        let found = complaints.iter().any(|told| told.starts_with(start));
        assert!(found, "{start}\n{complaints:#?}");
    }
    assert_eq!(complaints.len(), 8, "{complaints:#?}");
    let refused = |method, path: &str, body: Value| house.refused(method, path, &body);
    let (status, complaints) = refused("POST", PEOPLE, json!({"name": "mei"}));
    assert_eq!(
        (status, complaints[0].as_str()),
        (
            400,
            "name: is taken; take another one, or PATCH this person"
        )
    );
    let (status, complaints) = refused("PATCH", &one("meii"), json!({"sex": "male"}));
    assert_eq!(
        (status, complaints[0].as_str()),
        (404, ": there is no person meii; did you mean mei?")
    );
    let (status, complaints) = refused("PATCH", &one("mei"), json!({"name": "x"}));
    assert_eq!(status, 400, "{complaints:?}");
    assert!(
        complaints[0].starts_with("name: is not known; "),
        "{complaints:?}"
    );
    // Somebody who signed up at the platform has this number.
    house.cli(&[
        "user",
        "create",
        "--nickname",
        "Stranger",
        "--phone",
        "+8613900000001",
    ]);
    let (status, complaints) = refused(
        "POST",
        PEOPLE,
        json!({"name": "li", "phone": "13900000001"}),
    );
    assert_eq!(
        (status, complaints[0].as_str()),
        (
            409,
            "phone: is that of another account of the platform; take another one, or leave it out"
        )
    );
    assert_eq!(house.of("people", "name", "li"), None);
}

#[test]
fn a_folder_that_is_opened_again_tells_the_same_people_and_clients() {
    let data = Temp::new();
    let house = House::dev_in(&data);
    house.done(
        "POST",
        PEOPLE,
        &json!({"name": "zoe", "unionid": false, "installed": false}),
    );
    house.done(
        "PATCH",
        &one("mei"),
        &json!({"nickname": "梅二", "avatar": "none"}),
    );
    house.done("DELETE", &one("wei"), &Value::Null);
    let body = json!({
        "appid": "wx00000000deadbeef", "secret": "0123456789abcdef0123456789abcdef", "name": "Mine",
        "kind": "website", "redirects": ["www.example.com"],
        "push": {"url": "http://127.0.0.1:9/e", "token": "t", "mode": "plain"},
    });
    house.done("POST", CLIENTS, &body);
    let all = |house: &House, list: &str| {
        house.done("GET", &format!("/_sandbox/{list}"), &Value::Null)[list].clone()
    };
    // The app of this machine has another port each time.
    let clients = |house: &House| {
        let app = house.ready["app"].as_str().unwrap();
        all(house, "clients").to_string().replace(app, "APP")
    };
    let before = (all(&house, "people"), clients(&house));
    house.stop();
    let house = House::dev_in(&data);
    assert_eq!(all(&house, "people"), before.0);
    let names: Vec<_> = before
        .0
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].clone())
        .collect();
    assert_eq!(names, ["mei", "ana", "zoe"]);
    assert_eq!(clients(&house), before.1);
    let phone = house.done("GET", "/_sandbox/phone?person=zoe", &Value::Null);
    assert_eq!(phone["installed"], false);
}

#[test]
fn an_app_brings_its_own_appid_and_secret() {
    let house = House::dev();
    let mine = (
        "wx00000000deadbeef".to_owned(),
        "0123456789abcdef0123456789abcdef".to_owned(),
    );
    let told = house.done(
        "POST",
        CLIENTS,
        &json!({
            "appid": mine.0, "secret": mine.1, "name": "Mine", "kind": "website",
            "redirects": ["www.example.com", "https://other.example/cb", "loopback"],
        }),
    );
    assert_eq!(
        told["redirects"],
        json!(["www.example.com", "https://other.example/cb", "loopback"])
    );
    assert_eq!(
        (&told["listed"], &told["adopted"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(house.of("clients", "appid", &mine.0), Some(told));
    let address = |redirect: &str| {
        format!(
            "{}/connect/qrconnect?appid={}&redirect_uri={}&response_type=code&scope=snsapi_login",
            house.platform(),
            mine.0,
            enc(redirect)
        )
    };
    for redirect in [
        "https://www.example.com/any",
        "https://other.example/cb",
        "http://localhost:3000/",
    ] {
        let body = json!({"url": address(redirect), "person": "mei"});
        let came = house.done("POST", "/_sandbox/authorize", &body);
        let code = param(came["callback"].as_str().unwrap(), "code")
            .unwrap()
            .to_owned();
        assert_eq!(house.exchange(&mine, &code).errcode(), 0, "{redirect}");
    }
    let body = json!({"url": address("https://other.example/else"), "person": "mei"});
    assert_eq!(house.told("POST", "/_sandbox/authorize", &body).status, 422);
    assert!(house.get("/").text().contains("wx00000000deadbeef"));
    // Another secret takes the place of the old one at once.
    house.done(
        "PATCH",
        &format!("{CLIENTS}/{}", mine.0),
        &json!({"secret": "another-secret"}),
    );
    let code = house.code_for(&mine.0, "mei");
    assert_eq!(house.exchange(&mine, &code).errcode(), 40125);
    let new = (mine.0.clone(), "another-secret".to_owned());
    assert_eq!(house.exchange(&new, &code).errcode(), 0);
}

#[test]
fn clients_of_every_kind_are_drawn_and_work() {
    let house = House::dev();
    for kind in ["website", "service", "mobile"] {
        let mut body = json!({"name": "Drawn", "kind": kind});
        if kind == "mobile" {
            body["native"] = json!({"ios_bundle": "com.example.x"});
        }
        let told = house.done("POST", CLIENTS, &body);
        let text = |key: &str| told[key].as_str().unwrap().to_owned();
        assert_eq!(
            (text("appid").len(), text("secret").len()),
            (18, 32),
            "{kind}"
        );
        let client = (text("appid"), text("secret"));
        let code = house.code_for(&client.0, "wei");
        assert_eq!(house.exchange(&client, &code).errcode(), 0, "{kind}");
        // Of the same developer, so somebody is one and the same at all of them.
        assert_eq!(told["developer"], "小屋科技 Rooms Ltd");
    }
    let told = house.done(
        "POST",
        CLIENTS,
        &json!({"name": "X", "kind": "service", "developer": "Else"}),
    );
    assert_eq!(told["developer"], "Else");
}

#[test]
fn a_client_that_is_not_online_gets_the_platforms_error_until_it_is() {
    let house = House::dev();
    let service = house.service().0;
    let page = in_client(&service, "http://localhost/cb", "snsapi_userinfo", "s");
    let page = format!("{}{page}", house.platform());
    let number = || {
        let body = json!({"url": page, "person": "mei"});
        let answer = house.told("POST", "/_sandbox/authorize", &body);
        (answer.status == 422).then(|| answer.text().contains("10005"))
    };
    let edit = |body: Value| house.done("PATCH", &format!("{CLIENTS}/{service}"), &body);
    assert_eq!(number(), None);
    assert_eq!(edit(json!({"listed": false}))["listed"], false);
    assert_eq!(number(), Some(true));
    // An edit is no review: it stays as it is, and one that is online stays online.
    assert_eq!(edit(json!({"name": "Renamed"}))["listed"], false);
    assert_eq!(edit(json!({"listed": true}))["listed"], true);
    assert_eq!(
        edit(json!({"name": "Again", "redirects": ["loopback"]}))["listed"],
        true
    );
    assert_eq!(number(), None);
    let draft = house.done(
        "POST",
        CLIENTS,
        &json!({"name": "New", "kind": "website", "listed": false}),
    );
    assert_eq!(draft["listed"], false);
}

#[test]
fn a_service_account_outside_the_open_platform_hears_no_unionid() {
    let house = House::dev();
    let service = house.service();
    let edit = |body: Value| house.done("PATCH", &format!("{CLIENTS}/{}", service.0), &body);
    assert!(house.heard(&service, "mei").0["unionid"].is_string());
    assert_eq!(edit(json!({"bound": false}))["bound"], false);
    let (tokens, profile) = house.heard(&service, "mei");
    assert_eq!(
        (tokens.get("unionid"), profile.get("unionid")),
        (None, None)
    );
    edit(json!({"bound": true}));
    assert!(house.heard(&service, "mei").0["unionid"].is_string());
    let (status, complaints) = house.refused(
        "PATCH",
        &format!("{CLIENTS}/{}", house.website().0),
        &json!({"bound": false}),
    );
    assert_eq!(status, 400);
    assert!(complaints[0].starts_with("bound: is false for an app of the Open Platform; "));
}

#[test]
fn where_events_go_is_kept_until_it_is_taken_back() {
    let house = House::dev();
    let path = format!("{CLIENTS}/{}", house.website().0);
    let key = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
    let push = json!({"url": "http://127.0.0.1:9/e", "token": "t", "aes_key": key});
    let told = house.done("PATCH", &path, &json!({"push": push}));
    assert_eq!(
        told["push"],
        json!({
            "url": "http://127.0.0.1:9/e", "token": "t", "aes_key": key, "mode": "encrypted", "format": "xml"
        })
    );
    assert_eq!(house.done("PATCH", &path, &json!({}))["push"], told["push"]);
    let told = house.done("PATCH", &path, &json!({"push": {"url": ""}}));
    assert_eq!(told["push"], Value::Null);
    let (status, complaints) = house.refused(
        "PATCH",
        &path,
        &json!({
            "push": {"url": "ftp://x", "aes_key": "short", "mode": "encrypt", "formt": "xml"}
        }),
    );
    assert_eq!(status, 400);
    for start in [
        "push.url: is no address; ",
        "push.token: is empty; ",
        "push.aes_key: is no key; ",
        "push.mode: is \"encrypt\"; did you mean \"encrypted\"?",
        "push.formt: is not known; did you mean format?",
    ] {
        let found = complaints.iter().any(|told| told.starts_with(start));
        assert!(found, "{start}\n{complaints:#?}");
    }
}

#[test]
fn everything_that_is_wrong_with_a_client_is_told_at_once() {
    let house = House::dev();
    let website = house.website().0;
    let (status, complaints) = house.refused("POST", CLIENTS, &json!({
        "appid": website, "secret": "short", "kind": "web", "redirects": ["www.example.com:8080", "x"],
        "native": {"android_signature": "AB:CD", "ios_universal_link": "https://a.example/x"}, "listd": true,
    }));
    assert_eq!(status, 400);
    for start in [
        "appid: is taken; PATCH that client",
        "secret: is no secret; write 8 to 128",
        "name: is missing; write a name",
        "kind: is \"web\"; ",
        "redirects: holds \"www.example.com:8080\" at 0, which has a port, ",
        "redirects: holds \"x\" at 1, which is no place to return to; ",
        "native.android_signature: is no signature; ",
        "native.ios_universal_link: is no universal link; ",
        "listd: is not known; did you mean listed?",
    ] {
        let found = complaints.iter().any(|told| told.starts_with(start));
        assert!(found, "{start}\n{complaints:#?}");
    }
    assert_eq!(complaints.len(), 9, "{complaints:#?}");
    let (status, complaints) = house.refused("PATCH", &format!("{CLIENTS}/wx0"), &json!({}));
    assert_eq!(status, 404, "{complaints:?}");
    // An appid that is not told here, but taken at the platform all the same.
    let made = house.cli(&["client", "list"]);
    assert!(made.is_array());
}

#[test]
fn the_state_tells_everything_at_a_glance() {
    let house = House::dev();
    let state = house.done("GET", "/_sandbox/state", &Value::Null);
    assert_eq!(state["people"].as_array().unwrap().len(), 3);
    assert_eq!(state["clients"].as_array().unwrap().len(), 4);
    assert_eq!(
        (&state["auto"], &state["counts"]["scans"]),
        (&Value::Null, &json!(0))
    );
    assert_eq!(state["clock"]["now"], state["now"]);
    assert_eq!(state["addresses"]["platform"], house.platform());
    Browser::of(&house, 0).qr(&house.website().0, &[]);
    let state = house.done("GET", "/_sandbox/state", &Value::Null);
    assert_eq!(state["counts"]["scans"], 1);
}
