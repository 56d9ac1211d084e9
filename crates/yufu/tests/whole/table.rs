//! The table of every dialect, walked over the wire: whatever comes, each endpoint refuses in its
//! own tongue, never with a fault, and nothing changes.

use rusqlite::Connection;
use yufu_dialects::DIALECTS;
use yufu_dialects::endpoint::{Endpoint, Operation};
use yufu_dialects::http::Method;

use crate::house::{Ask, House, like, query};

/// How many rows each table holds that an answer could have left behind.
fn rows(db: &Connection) -> Vec<(String, i64)> {
    let mut names = db
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        .unwrap();
    let names = names.query_map([], |row| row.get::<_, String>(0)).unwrap();
    names
        .map(|name| {
            let name = name.unwrap();
            let count = db.query_row(&format!("SELECT count(*) FROM \"{name}\""), [], |row| {
                row.get(0)
            });
            (name, count.unwrap())
        })
        .collect()
}

/// What would be a right value for a parameter, as far as there is one.
fn right(name: &str, client: &(String, String)) -> String {
    match name {
        "appid" => client.0.clone(),
        "secret" => client.1.clone(),
        "redirect_uri" => "http://localhost/x".to_owned(),
        "response_type" => "code".to_owned(),
        "scope" => "snsapi_userinfo".to_owned(),
        "platform" => "ios".to_owned(),
        "type" => "2".to_owned(),
        "timestamp" => "1".to_owned(),
        _ => "x".to_owned(),
    }
}

/// Whether an answer is a refusal in the tongue of its endpoint.
#[track_caller]
fn is_refusal(endpoint: &Endpoint, ask: &Ask, answer: &crate::house::Answer) {
    let at = format!(
        "{} {}",
        ask.method,
        ask.target.chars().take(200).collect::<String>()
    );
    let kind = answer.header("content-type").unwrap_or("");
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    match &endpoint.operation {
        Operation::Authorize { .. } | Operation::ScanOpen => {
            assert_eq!(
                (answer.status, kind),
                (200, "text/html; charset=utf-8"),
                "{at}"
            );
            assert!(answer.header("location").is_none(), "{at}");
            assert!(answer.header("content-security-policy").is_some(), "{at}");
        }
        Operation::ScanImage => {
            assert!([200, 404].contains(&answer.status), "{at}");
            assert_eq!(kind, "text/html; charset=utf-8", "{at}");
        }
        Operation::Poll { .. } => {
            assert_eq!((answer.status, kind), (200, "text/javascript"), "{at}");
            let number = ["402", "500"]
                .iter()
                .any(|n| text == format!("window.wx_errcode={n};window.wx_code='';"));
            assert!(number, "{at}: {text}");
        }
        Operation::Document(_) => {}
        _ => {
            assert_eq!(answer.status, 200, "{at}");
            assert!(
                [
                    "text/plain",
                    "application/json",
                    "application/json; encoding=utf-8"
                ]
                .contains(&kind),
                "{at}: {kind}"
            );
            let number: i64 = answer.errcode();
            assert!(number > 0, "{at}: {text}");
            // §15.3: number, words, rid.
            let words = answer.json()["errmsg"].as_str().unwrap().to_owned();
            let (words, _) = words
                .split_once(" rid: ")
                .unwrap_or_else(|| panic!("{at}: {text}"));
            let shape = format!("{{\"errcode\":{number},\"errmsg\":\"{words} rid: <rid>\"}}");
            assert!(like(&text, &shape).is_some(), "{at}: {text}");
        }
    }
}

#[test]
fn every_endpoint_refuses_whatever_comes_and_nothing_changes() {
    let house = House::dev_with(&["--poll-hold", "0"]);
    let (service, unknown) = (
        house.service(),
        ("wx0000000000000000".to_owned(), "0".repeat(32)),
    );
    let db = Connection::open(house.database()).unwrap();
    let before = rows(&db);
    let mut asked = 0;
    let mut knock = |endpoint: &Endpoint, ask: Ask| {
        let answer = house.ask(&ask);
        is_refusal(endpoint, &ask, &answer);
        asked += 1;
    };
    for endpoint in DIALECTS.iter().flat_map(|dialect| dialect.endpoints) {
        let path = endpoint.path.replace("{uuid}", "0000000000000000");
        let wrong = (service.0.clone(), "0".repeat(32));
        let params = |client: &(String, String), skip: &str| -> Vec<(String, String)> {
            let named = endpoint
                .params
                .iter()
                .filter(|param| param.required && param.name != skip);
            named
                .map(|param| (param.name.to_owned(), right(param.name, client)))
                .collect()
        };
        let text = |params: &[(String, String)]| {
            let params: Vec<_> = params
                .iter()
                .map(|(k, v)| (k.as_str(), v.as_str()))
                .collect();
            query(&params)
        };
        let mut queries = vec![
            String::new(),
            text(&params(&unknown, "")),
            text(&params(&wrong, "")),
            "&&&=&=&a".to_owned(),
            "%ff=%ff".to_owned(),
        ];
        for param in endpoint.params {
            if param.required {
                queries.push(text(&params(&service, param.name)));
            }
            // Each parameter unreadable, huge, a NUL, a repeat of nonsense.
            let rest = text(&params(&wrong, param.name));
            for value in [
                "%ff%fe",
                "%00",
                "%",
                "",
                "%F0%9F%90%9F",
                "'%22%3E%3Cscript%3E",
                "..%2F..%2F",
                &"9".repeat(7000),
            ] {
                queries.push(format!("{rest}&{}={value}", param.name));
            }
        }
        queries.push("x=".to_owned() + &"a".repeat(20_000));
        for query in &queries {
            // Where the right client's name alone opens a page, an unknown one stands in.
            let opens = matches!(endpoint.operation, Operation::Authorize { .. });
            let query = if opens {
                query.replace(&service.0, &unknown.0)
            } else {
                query.clone()
            };
            for method in endpoint.methods {
                match method {
                    Method::Get => knock(endpoint, Ask::get(&format!("{path}?{query}"))),
                    Method::Post => {
                        knock(endpoint, Ask::new("POST", &path).body(query.clone()));
                        knock(
                            endpoint,
                            Ask::new(
                                "POST",
                                &format!("{path}?{}", &query[..query.len().min(900)]),
                            ),
                        );
                    }
                }
            }
        }
        if endpoint.methods.contains(&Method::Post) {
            knock(endpoint, Ask::new("POST", &path).body(vec![b'a'; 70_000]));
            knock(endpoint, Ask::new("POST", &path).body(vec![0xff; 5000]));
        }
        for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "QUERY"] {
            knock(endpoint, Ask::new(method, &path));
        }
        if !endpoint.methods.contains(&Method::Post) {
            knock(
                endpoint,
                Ask::new("POST", &path).body(text(&params(&service, ""))),
            );
        }
    }
    println!("{asked} requests were refused");
    assert_eq!(rows(&db), before, "a refusal left something behind");
    assert_eq!(house.errors(), "", "a refusal is no fault");
    let metrics = house.get("/metrics");
    assert!(
        metrics.text().contains("yufu_faults_total 0"),
        "{}",
        metrics.text()
    );
}

#[test]
fn pages_that_are_not_of_a_dialect_take_nonsense_as_well() {
    let house = House::dev();
    let db = Connection::open(house.database()).unwrap();
    let before = rows(&db);
    for path in [
        "/",
        "/account",
        "/account/sign-in",
        "/account/sign-up",
        "/account/reset",
        "/account/password",
        "/account/revoke",
        "/interaction/x",
        "/interaction/%ff",
        "/dev/inbox",
        "/dev/codes",
        "/assets/x",
        "/nowhere",
        "//",
        "/..",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/account/",
    ] {
        for ask in [
            Ask::get(path),
            Ask::get(&format!(
                "{path}?lang=%ff&next=%ff&by=%00&x={}",
                "a".repeat(9000)
            )),
            Ask::new("POST", path),
            Ask::new("POST", path).body(vec![0xff; 3000]),
            Ask::new("POST", path).body("csrf=x&act=%ff&phone=%00&password="),
            Ask::new("POST", path).body("act=sign_out&act=revoke&grant=1"),
            Ask::new("HEAD", path),
            Ask::new("TRACE", path),
            Ask::get(path).header(
                "cookie",
                "yufu_session_1; =; ;;\u{e9}=\u{e9}; yufu_browser=%ff",
            ),
            Ask::get(path).header("accept-language", "\u{1F41F};q=zz,,,"),
        ] {
            let answer = house.ask(&ask);
            assert!(
                answer.status < 500,
                "{} {path}: {}",
                ask.method,
                answer.status
            );
        }
    }
    assert_eq!(rows(&db), before);
    assert_eq!(house.errors(), "");
}
