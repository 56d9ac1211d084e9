//! The script contract of `yufu dev`: its one line, how it ends, what it keeps and what it leaves.

use std::net::{Ipv4Addr, TcpListener};

use serde_json::Value;
use yufu_web::clock;

use crate::house::{Browser, House, Temp, until, yufu};

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

#[test]
fn the_line_has_the_documented_keys_and_no_others() {
    let house = House::dev();
    let line = &house.ready;
    assert_eq!(
        keys(line),
        [
            "app", "began", "ca", "clients", "data_dir", "gate", "login", "people", "pid",
            "platform", "proxy", "spki", "token"
        ]
    );
    let clients = line["clients"].as_array().unwrap();
    for client in clients {
        let expected = ["appid", "developer", "kind", "name", "redirect", "secret"];
        assert_eq!(keys(client), expected);
        assert!(client.as_object().unwrap().values().all(Value::is_string));
        let appid = client["appid"].as_str().unwrap();
        let secret = client["secret"].as_str().unwrap();
        let hex = |text: &str| {
            text.bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        assert!(
            appid.len() == 18 && appid.starts_with("wx") && hex(&appid[2..]),
            "{appid}"
        );
        assert!(secret.len() == 32 && hex(secret));
    }
    let of = |key: &str| {
        clients
            .iter()
            .map(|c| c[key].as_str().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(of("kind"), ["website", "mobile", "service", "website"]);
    let developers = of("developer");
    assert!(
        developers[..3].iter().all(|d| *d == developers[0]),
        "{developers:?}"
    );
    assert_ne!(developers[3], developers[0]);
    let people = line["people"].as_array().unwrap();
    assert_eq!(people.len(), 3);
    for person in people {
        // Who has no picture says so.
        let mut known = keys(person);
        known.retain(|key| *key != "face");
        assert_eq!(known, ["name", "nickname", "password", "phone"]);
        assert!(person["phone"].as_str().unwrap().starts_with('+'));
    }
    let nickname = people[0]["nickname"].as_str().unwrap();
    let in_range = |from: char, to: char| nickname.chars().any(|c| (from..=to).contains(&c));
    assert!(in_range('\u{4e00}', '\u{9fff}'), "no Chinese in {nickname}");
    assert!(in_range('\u{1f300}', '\u{1faff}'), "no emoji in {nickname}");
    assert!(nickname.contains('é'), "{nickname}");
}

#[test]
fn both_addresses_of_the_line_answer_and_are_two_origins() {
    let house = House::dev();
    let platform = house.get("/");
    assert_eq!(platform.status, 200);
    let app = house.ready["app"].as_str().unwrap().to_owned();
    assert_ne!(app, house.platform());
    assert!(
        platform.text().contains(&app),
        "the first page leads to the demo app"
    );
    let port = app.rsplit(':').next().unwrap().parse().unwrap();
    let home = crate::house::Wire::to(port).ask(&crate::house::Ask::get("/"));
    assert_eq!(home.status, 200);
    assert_eq!(
        home.header("content-type"),
        Some("text/html; charset=utf-8")
    );
}

#[test]
fn it_says_one_line_and_leaves_nothing_behind_however_it_is_ended() {
    for end in ["TERM", "INT", "stdin"] {
        let mut house = House::dev();
        let data = std::path::PathBuf::from(house.ready["data_dir"].as_str().unwrap());
        assert!(data.join("yufu.db").exists());
        assert_eq!(
            house.left_behind().len(),
            2,
            "its own folder, and the one where sandboxes are told of"
        );
        assert_eq!(house.get("/healthz").text(), "ok\n");
        match end {
            "stdin" => house.close_stdin(),
            signal => house.signal(signal),
        }
        assert!(house.ended().success(), "{end}");
        assert_eq!(house.rest(), Vec::<String>::new(), "one line alone");
        assert!(!data.exists(), "{end}");
        assert_eq!(house.left_behind(), Vec::<String>::new(), "{end}");
        assert_eq!(house.errors(), "", "{end}");
    }
}

#[test]
fn without_the_flag_the_end_of_stdin_means_nothing() {
    let mut house = House::start(&["dev", "--json", "--port", "0"], &[]);
    house.line();
    house.close_stdin();
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(house.runs());
    house.stop();
}

#[test]
fn a_folder_that_is_kept_tells_the_same_world_again_on_any_port() {
    let data = Temp::new();
    let first = House::dev_in(&data);
    let (line, port) = (first.ready.clone(), first.port);
    let service = first.service();
    let code = Browser::of(&first, 0).code(&service.0, "snsapi_userinfo");
    let tokens = first.tokens(&service, &code);
    first.stop();
    // What must stay private is for its owner alone.
    for name in ["yufu.db", "login.db", "yufu.key", "dev.json"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(data.join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let again = House::dev_in(&data);
    assert_ne!(again.port, port);
    for part in ["data_dir", "people"] {
        assert_eq!(again.ready[part], line[part]);
    }
    let parts = |line: &Value, key: &str| -> Vec<Value> {
        line["clients"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c[key].clone())
            .collect()
    };
    for key in ["appid", "secret", "kind", "name", "developer"] {
        assert_eq!(parts(&again.ready, key), parts(&line, key), "{key}");
    }
    let text = |key: &str| tokens[key].as_str().unwrap().to_owned();
    let answer = again.userinfo(&text("access_token"), &text("openid"));
    assert_eq!(answer.json()["nickname"], line["people"][0]["nickname"]);
    assert_eq!(again.exchange(&service, &code).errcode(), 40163);
    // The demo app has another port now, and the redirects that are told lead to it.
    let app = again.ready["app"].as_str().unwrap();
    for client in again.ready["clients"].as_array().unwrap() {
        let redirect = client["redirect"].as_str().unwrap();
        assert!(redirect.starts_with(app), "{redirect} is not of {app}");
    }
    again.stop();
    assert!(data.join("yufu.db").exists());
}

#[test]
fn the_human_form_has_ten_lines_at_most_and_says_where_to_click() {
    let mut house = House::start(&["dev", "--port", "0", "--until-stdin-closes"], &[]);
    let first = house.line();
    house.close_stdin();
    assert!(house.ended().success());
    let mut lines = vec![first];
    lines.extend(house.rest());
    assert!(lines.len() <= 10, "{lines:#?}");
    assert!(lines[0].contains("http://127.0.0.1:"), "{}", lines[0]);
    let text = lines.join("\n");
    for word in ["website", "mobile", "service", "+8613800000001", "wx"] {
        assert!(text.contains(word), "{word} is missing:\n{text}");
    }
}

#[test]
fn bare_yufu_is_yufu_dev_on_its_own_ports() {
    let mut house = House::start(&[], &[]);
    // Either the ports of the contract are free, or the refusal names one of them.
    until("it is ready or refuses", || {
        !house.errors().is_empty() || !house.left_behind().is_empty()
    });
    if house.left_behind().is_empty() && !house.runs() {
        let refusal = house.errors();
        assert!(refusal.contains("127.0.0.1:84"), "{refusal}");
        return;
    }
    let mut started = String::new();
    until("it speaks", || {
        if started.is_empty() && house.runs() {
            started = house.line();
        }
        !started.is_empty() || !house.runs()
    });
    assert!(started.contains("127.0.0.1:8421"), "{started}");
    house.stop();
}

#[test]
fn from_start_to_first_answer() {
    let mut all = Vec::new();
    for _ in 0..5 {
        let began = clock::mark();
        let house = House::dev();
        assert_eq!(house.get("/sns/auth").errcode(), 41001);
        all.push(began.elapsed());
        house.stop();
    }
    all.sort();
    println!(
        "start to first answer, debug build: median {:?}, worst {:?}",
        all[2], all[4]
    );
    assert!(all[2] < std::time::Duration::from_secs(5), "{all:?}");
}

#[test]
fn a_port_in_use_is_one_clear_message_and_nothing_is_left() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for args in [
        vec!["dev", "--json", "--port", &port],
        vec!["dev", "--json", "--port", "0", "--app-port", &port],
        vec!["dev", "--json", "--port", "0", "--login-port", &port],
    ] {
        let output = yufu(&args);
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.starts_with(&format!("yufu: 127.0.0.1:{port} is in use.")),
            "{said}"
        );
        assert_eq!(said.matches("in use").count(), 1, "{said}");
        assert!(said.contains("another port"), "the remedy: {said}");
    }
    // A folder that was to be kept stays as it was, too.
    let data = Temp::new();
    let output = yufu(&["dev", "--port", &port, "--data", data.text()]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(data.names(), Vec::<String>::new());
}
