//! The control of the sandbox over HTTP: every call of its table, good and bad.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use yufu::sandbox::control::document;
use yufu::sandbox::control::table::{Call, Endpoint, Verb, endpoints};
use yufu_web::view::is_of_sandbox;

use crate::house::{Answer, Ask, House, Temp};
use crate::serve::settings;

impl House {
    /// A call of the control.
    pub(crate) fn told(&self, method: &'static str, path: &str, body: &Value) -> Answer {
        let ask = Ask::new(method, path);
        self.control(match body {
            Value::Null => ask,
            body => ask.body(body.to_string()),
        })
    }

    /// A call that is done; its answer.
    #[track_caller]
    pub(crate) fn done(&self, method: &'static str, path: &str, body: &Value) -> Value {
        let answer = self.told(method, path, body);
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text());
        answer.json()
    }

    /// A call that is refused: its status, and each complaint as `at: what; remedy`.
    #[track_caller]
    pub(crate) fn refused(
        &self,
        method: &'static str,
        path: &str,
        body: &Value,
    ) -> (u16, Vec<String>) {
        let answer = self.told(method, path, body);
        assert!(answer.status >= 400, "{method} {path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let said = answer.json();
        let complaints = said["error"]["complaints"].as_array().unwrap().iter();
        let complaints = complaints.map(|complaint| {
            let text = |key: &str| complaint[key].as_str().unwrap();
            format!("{}: {}; {}", text("at"), text("what"), text("remedy"))
        });
        (answer.status, complaints.collect())
    }
}

/// The path of a row with examples in its holes.
fn path(row: &Endpoint) -> String {
    let mut path = row.path.to_owned();
    for name in row.holes() {
        path = path.replace(&format!("{{{name}}}"), "x");
    }
    path
}

#[test]
fn every_call_asks_for_the_fields_of_its_row_and_for_no_others() {
    let house = House::dev();
    for row in endpoints().filter(|row| !row.fields.is_empty()) {
        if matches!(row.call, Call::Own(_)) {
            continue;
        }
        let (verb, path) = (row.verb.word(), path(row));
        let (status, complaints) = if row.verb.has_body() {
            house.refused(verb, &path, &json!({"qqqqqqqqqqqqqq": 1}))
        } else {
            let path = format!("{path}?qqqqqqqqqqqqqq=1");
            house.refused(verb, &path, &Value::Null)
        };
        assert_eq!(status, 400, "{verb} {path}: {complaints:?}");
        let start = "qqqqqqqqqqqqqq: is not known; take it out, or write one of: ";
        let asked = complaints.iter().find_map(|line| line.strip_prefix(start));
        let asked: BTreeSet<&str> = asked.unwrap().split(", ").collect();
        let told: BTreeSet<&str> = row.fields.iter().map(|field| field.name).collect();
        assert_eq!(asked, told, "{verb} {path}");
        // What must be there is missed, and nothing else is.
        for field in row.fields.iter().filter(|field| field.must) {
            let line = format!("{}: is missing; ", field.name);
            let missed = complaints.iter().any(|told| told.starts_with(&line));
            assert!(missed, "{verb} {path}: {complaints:?}");
        }
        let must = row.fields.iter().filter(|field| field.must).count();
        let missed = complaints.iter();
        let missed = missed.filter(|line| line.contains(": is missing; "));
        assert_eq!(missed.count(), must, "{verb} {path}: {complaints:?}");
    }
}

#[test]
fn a_call_that_asks_for_nothing_takes_nothing() {
    let house = House::dev();
    let mut tried = 0;
    for row in endpoints().filter(|row| row.fields.is_empty()) {
        if matches!(row.call, Call::Own(_)) {
            continue;
        }
        let (verb, path) = (row.verb.word(), path(row));
        let (status, complaints) = if row.verb.has_body() {
            house.refused(verb, &path, &json!({"client": "wx1"}))
        } else {
            house.refused(verb, &format!("{path}?client=wx1"), &Value::Null)
        };
        assert_eq!(status, 400, "{verb} {path}: {complaints:?}");
        assert_eq!(
            complaints,
            ["client: is not known; take it out: nothing is asked for here"],
            "{verb} {path}"
        );
        tried += 1;
    }
    assert!(tried > 5, "{tried}");
    // What such a call would have taken away is there.
    house.done("POST", "/_sandbox/faults", &json!({"kind": "drop"}));
    house.refused("DELETE", "/_sandbox/faults?client=wx1", &Value::Null);
    let faults = house.done("GET", "/_sandbox/faults", &Value::Null);
    assert_eq!(faults["faults"].as_array().unwrap().len(), 1, "{faults}");
}

#[test]
fn a_member_that_is_there_twice_is_complained_of_in_one_line_as_in_many() {
    let house = House::dev();
    for text in [
        "{\"name\":\"one\",\"name\":\"two\"}",
        "{\"name\":\"one\",\n\"name\":\"two\"}",
    ] {
        let ask = Ask::new("POST", "/_sandbox/people").body(text);
        let answer = house.control(ask);
        assert_eq!(answer.status, 400, "{}", answer.text());
        let complaint = &answer.json()["error"]["complaints"][0];
        let what = complaint["what"].as_str().unwrap();
        assert!(what.contains("\"name\" is there twice"), "{what}");
        let lined = complaint.get("line").is_some();
        assert_eq!(lined, text.contains('\n'), "{complaint}");
    }
    let people = house.done("GET", "/_sandbox/people", &Value::Null);
    assert_eq!(people["people"].as_array().unwrap().len(), 3);
}

#[test]
fn a_file_is_brought_in_whole_or_not_at_all() {
    let house = House::dev();
    let before = house.done("GET", "/_sandbox/state", &Value::Null);
    let file = json!({
        "people": [
            {"name": "lin", "phone": "+8613911110001"},
            {"name": "bo", "phone": "13911110001"},
            {"name": "lin", "phone": "+8613911110002"},
        ],
        "clients": [
            {"appid": "wxaaaaaaaaaaaaaaaa", "kind": "website", "name": "One"},
            {"appid": "wxaaaaaaaaaaaaaaaa", "kind": "website", "name": "Two"},
        ],
    });
    let (status, complaints) = house.refused("POST", "/_sandbox/world", &file);
    assert_eq!(status, 400, "{complaints:?}");
    for at in ["people[1].phone", "people[2].name", "clients[1].appid"] {
        let told = format!("{at}: is taken in this very file; take another one");
        assert!(complaints.contains(&told), "{at}: {complaints:?}");
    }
    assert_eq!(complaints.len(), 3, "{complaints:?}");
    let after = house.done("GET", "/_sandbox/state", &Value::Null);
    for part in ["people", "clients", "faults"] {
        assert_eq!(after[part], before[part], "{part}");
    }
    // Faults may be for those whom the file itself brings.
    let file = json!({
        "people": [{"name": "lin", "phone": "+8613911110001"}],
        "clients": [{"appid": "wxaaaaaaaaaaaaaaaa", "kind": "website", "name": "One"}],
        "faults": [
            {"kind": "drop", "person": "lin"},
            {"kind": "drop", "client": "wxaaaaaaaaaaaaaaaa"},
        ],
    });
    let made = house.done("POST", "/_sandbox/world", &file);
    assert_eq!(made, json!({"people": 1, "clients": 1, "faults": 2}));
}

#[test]
fn the_proxys_file_is_at_the_platforms_address_too() {
    let house = House::dev();
    let answer = house.get("/proxy.pac");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let kind = answer.header("content-type").unwrap();
    assert_eq!(kind, "application/x-ns-proxy-autoconfig");
    let proxy = house.ready["proxy"].as_str().unwrap();
    let named = format!("PROXY {}", proxy.strip_prefix("http://").unwrap());
    assert!(answer.text().contains(&named), "{}", answer.text());
    let strange = house.ask(&Ask::get("/proxy.pac").host("evil.example"));
    assert_eq!(strange.status, 403);
}

#[test]
fn the_document_is_the_one_that_is_kept_and_names_every_call() {
    let house = House::dev();
    let served = house.done("GET", "/_sandbox/openapi.json", &Value::Null);
    assert_eq!(served, document::document(house.platform()));
    let mut ids = BTreeSet::new();
    for row in endpoints() {
        let operation = &served["paths"][row.path][row.verb.word().to_lowercase()];
        assert_eq!(operation["summary"], row.about);
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()));
        assert!(row.path.starts_with("/_sandbox/"), "{}", row.path);
        assert!(row.about.ends_with('.'), "{}", row.about);
        for name in row.holes() {
            let found = operation["parameters"].as_array().unwrap().iter();
            let found = found.filter(|parameter| parameter["name"] == name);
            assert_eq!(found.count(), 1, "{} tells nothing of {name}", row.path);
        }
        for field in row.fields {
            assert!(field.about.ends_with('.'), "{}: {}", row.path, field.name);
        }
        if row.kind == "application/json" {
            serde_json::from_str::<Value>(row.answer).unwrap();
        }
    }
}

#[test]
fn what_is_not_there_or_not_so_is_told() {
    let house = House::dev();
    let refused = |method, path, body: Value| house.refused(method, path, &body);
    assert_eq!(
        refused("GET", "/_sandbox/stat", Value::Null),
        (
            404,
            vec![": there is no such call; did you mean /_sandbox/state?".to_owned()]
        )
    );
    let (status, complaints) = refused("DELETE", "/_sandbox/state", Value::Null);
    assert_eq!(
        (status, complaints),
        (
            405,
            vec![": this call is not made by DELETE; use GET".to_owned()]
        )
    );
    let answer = house.told("DELETE", "/_sandbox/state", &Value::Null);
    assert_eq!(answer.header("allow"), Some("GET"));
    let answer = house.told("HEAD", "/_sandbox/state", &Value::Null);
    assert_eq!(answer.status, 200);
    let row = endpoints().find(|row| row.verb == Verb::Post && matches!(row.call, Call::Json(_)));
    let Some(row) = row else { return };
    for (body, status) in [
        (vec![0xff, 0xfe], 400),
        (b"[1]".to_vec(), 400),
        (b"{".to_vec(), 400),
        (b"{}{}".to_vec(), 400),
        (b"\"x\"".to_vec(), 400),
        (vec![b' '; 1024 * 1024 + 1], 413),
    ] {
        let answer = house.control(Ask::new("POST", &path(row)).body(body.clone()));
        assert_eq!(answer.status, status, "{:?}", body.get(..9));
        assert!(answer.json()["error"]["complaints"][0]["remedy"].is_string());
    }
}

#[test]
fn the_inbox_is_told_to_programs() {
    let house = House::dev();
    let none = house.done("GET", "/_sandbox/inbox", &Value::Null);
    assert_eq!(none, json!({"letters": []}));
    let login = house.ready["login"].as_str().unwrap();
    let port = login.rsplit(':').next().unwrap().parse().unwrap();
    for phone in ["13800000009", "13800000008"] {
        let body = json!({"phone": phone, "scene": "login"}).to_string();
        let ask = Ask::new("POST", "/user/sms/send").header("content-type", "application/json");
        let answer = crate::house::Wire::to(port).ask(&ask.body(body));
        assert_eq!(answer.json()["code"], 0, "{}", answer.text());
    }
    let of = |query: &str| {
        let path = format!("/_sandbox/inbox{query}");
        house.done("GET", &path, &Value::Null)["letters"]
            .as_array()
            .unwrap()
            .clone()
    };
    crate::house::until("both are there", || of("").len() == 2);
    assert_eq!(of("")[0]["to"], "+8613800000008");
    let one = of("?to=%2B8613800000009");
    assert_eq!(one.len(), 1);
    let digits = one[0]["passcode"].as_str().unwrap();
    assert!(one[0]["text"].as_str().unwrap().contains(digits));
    assert_eq!(one[0]["scene"], "login");
}

#[test]
fn nothing_of_the_sandbox_is_served() {
    let temp = Temp::new();
    let config = settings(&temp, "http://127.0.0.1:9", "");
    let house = House::serve(&config);
    let mut paths: Vec<(&str, String)> = endpoints()
        .map(|row| (row.verb.word(), path(row)))
        .collect();
    assert!(paths.len() > 20, "the table was walked");
    for page in [
        "/_sandbox",
        "/_sandbox/",
        "/_sandbox/nothing",
        "/phone",
        "/phone/x",
        "/flows",
        "/flows/facts/wechat/3",
        "/dev",
        "/dev/inbox",
        "/dev/codes",
        "/proxy.pac",
        "/mmopen/vi_32/mei/132",
        "/ca.pem",
        "/callback/scan",
        "/devices",
    ] {
        paths.push(("GET", page.to_owned()));
        paths.push(("POST", page.to_owned()));
    }
    for name in yufu_web::view::asset_names().filter(|name| is_of_sandbox(name)) {
        paths.push(("GET", format!("/assets/{name}")));
    }
    for (verb, path) in &paths {
        // Whatever it brings: there is no token that opens what is not there.
        for ask in [
            Ask::new(verb, path),
            Ask::new(verb, path)
                .header("authorization", "Bearer x")
                .body("{}"),
            Ask::new(verb, &format!("{path}?token=x")).host("127.0.0.1"),
        ] {
            let answer = house.ask(&ask);
            assert_eq!(answer.status, 404, "{verb} {path}: {}", answer.text());
            assert_eq!(answer.header("set-cookie"), None, "{verb} {path}");
        }
    }
    for shown in ["app.css", "scan.js", "once.js", "mark.svg", "wxLogin.js"] {
        let path = format!("/assets/{shown}");
        assert_eq!(house.get(&path).status, 200, "{path} is of pages here");
    }
    // A visit with a token is a visit like any other.
    let answer = house.get("/?token=x");
    assert_eq!((answer.status, answer.location()), (303, "/account"));
    assert_eq!(answer.header("set-cookie"), None);
}
