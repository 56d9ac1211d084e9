//! Logins at a running sandbox, and the flows that they leave: the right end, the right lanes, the
//! findings of a careless app, and no secret anywhere.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::house::{Answer, Ask, Browser, House, Wire, in_client, param, query};

fn flows(house: &House, query: &str) -> Value {
    let answer = house.control(Ask::get(&format!("/_sandbox/flows{query}")));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn flow(house: &House, id: &Value) -> Value {
    let id = id.as_str().unwrap();
    let answer = house.control(Ask::get(&format!("/_sandbox/flows/{id}")));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// The newest flow, whole.
fn newest(house: &House) -> Value {
    let all = flows(house, "");
    flow(house, &all["flows"][0]["id"])
}

fn findings(flow: &Value) -> Vec<&str> {
    let found = flow["findings"].as_array().unwrap().iter();
    found.map(|found| found["code"].as_str().unwrap()).collect()
}

/// Everything that is told of all flows.
fn everything(house: &House) -> String {
    let export = Ask::get("/_sandbox/flows.json").header("connection", "close");
    let export = house.control(export);
    assert_eq!(export.status, 200);
    let mut all = whole(&export);
    let list = flows(house, "?limit=1000");
    for flow in list["flows"].as_array().unwrap() {
        let id = flow["id"].as_str().unwrap();
        let text = house.control(Ask::get(&format!("/_sandbox/flows/{id}.txt")));
        assert_eq!(
            text.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        all.push_str(text.text());
    }
    all + &list.to_string()
}

/// The body of an answer that came in pieces.
fn whole(answer: &Answer) -> String {
    let text = answer.text();
    if answer.header("transfer-encoding") != Some("chunked") {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        out.push_str(&after[..size]);
        rest = after[size..].trim_start_matches("\r\n");
    }
    out
}

#[track_caller]
fn hides(text: &str, secrets: &[&str]) {
    for secret in secrets {
        assert!(!secret.is_empty());
        if let Some(at) = text.find(secret) {
            let from = text[..at]
                .char_indices()
                .rev()
                .nth(100)
                .map_or(0, |(at, _)| at);
            panic!("{secret} is told: {}", &text[from..at + secret.len()]);
        }
    }
}

#[test]
fn a_login_by_scan_is_a_flow_without_its_secrets() {
    let house = House::dev_with(&["--poll-hold", "0"]);
    let website = house.website();
    let (mut desk, mut phone) = (Browser::of(&house, 0), Browser::of(&house, 0));
    let state = "q7Xw2LmN8sT4vB6yK1zR";
    let (uuid, _) = desk.qr(&website.0, &[("state", state)]);
    desk.get(&format!("/connect/qrcode/{uuid}"));
    desk.poll(&uuid, "");
    phone.go_through(&format!("/connect/confirm?uuid={uuid}"), "allow");
    let told = desk.poll(&uuid, "&last=404");
    let code = told.says(
        "text/javascript",
        "window.wx_errcode=405;window.wx_code='<code>';",
    )[0]
    .clone();
    let tokens = house.tokens(&website, &code);
    let (access, refresh) = (
        tokens["access_token"].as_str().unwrap(),
        tokens["refresh_token"].as_str().unwrap(),
    );
    house.userinfo(access, tokens["openid"].as_str().unwrap());
    let all = flows(&house, "");
    assert_eq!(all["total"], 1, "{all:#}");
    let flow = newest(&house);
    assert_eq!(flow["state"], "logged_in", "{flow:#}");
    assert_eq!(
        (&flow["door"], &flow["person"]),
        (&json!("scan"), &json!("mei"))
    );
    assert_eq!(flow["client"]["appid"], website.0.as_str());
    assert_eq!(flow["step"], "the profile was read");
    assert_eq!(findings(&flow), [""; 0]);
    let notes: Vec<&str> = flow["arrows"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|a| a["note"].as_str())
        .collect();
    for note in ["scanned", "signed in", "agreed"] {
        assert!(notes.contains(&note), "{notes:?}");
    }
    let (_, password) = house.person(0);
    let (session, csrf) = (phone.session().unwrap().to_owned(), phone.get("/account"));
    let csrf = crate::house::field(csrf.text(), "name=\"csrf\" value=\"").unwrap();
    let all = everything(&house);
    hides(
        &all,
        &[
            &code,
            access,
            refresh,
            &website.1,
            state,
            &uuid,
            &password,
            &session,
            csrf,
            "13800000001",
        ],
    );
    assert!(
        all.contains("code‹") && all.contains("梅 Zoé 🐟"),
        "marks and names are there"
    );
}

#[test]
fn in_client_and_native_logins_are_flows_of_their_doors() {
    let house = House::dev();
    let mut person = Browser::of(&house, 1);
    let service = house.service();
    let target = in_client(
        &service.0,
        "http://localhost/cb",
        "snsapi_base",
        "aStateOfOurOwn123456",
    );
    let back = person.allow(&target);
    let code = param(&back, "code").unwrap();
    house.tokens(&service, code);
    let flow = newest(&house);
    assert_eq!(
        (&flow["door"], &flow["state"], &flow["person"]),
        (&json!("in_client"), &json!("logged_in"), &json!("wei")),
        "{flow:#}"
    );
    assert_eq!(findings(&flow), [""; 0]);
    // What nobody saw is told as such.
    let presumed = flow["arrows"]
        .as_array()
        .unwrap()
        .iter()
        .find(|a| a["presumed"] == true)
        .unwrap();
    assert_eq!(
        (&presumed["label"], &presumed["request"]),
        (&json!("GET /cb"), &Value::Null)
    );
    let mobile = house.mobile();
    let params = [
        ("appid", mobile.0.as_str()),
        ("scope", "snsapi_userinfo"),
        ("state", "anotherState12345678"),
        ("platform", "ios"),
        ("bundle", "com.example.rooms"),
    ];
    let target = format!("/connect/app/authorize?{}", query(&params));
    let denied = person.go_through(&target, "deny");
    assert!(denied.location().contains("errcode=-4"));
    let flow = newest(&house);
    assert_eq!(
        (&flow["door"], &flow["state"]),
        (&json!("native"), &json!("denied")),
        "{flow:#}"
    );
    assert_eq!(findings(&flow), ["pkce_missing"]);
}

#[test]
fn the_login_backend_stands_between_the_app_and_the_platform() {
    let house = House::dev();
    let login: u16 = house.ready["login"]
        .as_str()
        .unwrap()
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let call = |path: &str, body: Value, device: &str| {
        let ask = Ask::new("POST", path).header("content-type", "application/json");
        let ask = ask.header("x-yufu-device", device);
        Wire::to(login).ask(&ask.body(body.to_string())).json()
    };
    let prepared = call(
        "/user/wechat/prepare",
        json!({"purpose": "login", "app": "service", "mode": "web", "consent_version": "2026-01"}),
        "",
    );
    let state = prepared["data"]["state"].as_str().unwrap().to_owned();
    let device = prepared["data"]["device_secret"].as_str().unwrap();
    let mut person = Browser::of(&house, 0);
    let (service, app) = (house.service(), house.ready["app"].as_str().unwrap());
    let target = in_client(
        &service.0,
        &format!("{app}/callback/page"),
        "snsapi_userinfo",
        &state,
    );
    let back = person.allow(&target);
    let code = param(&back, "code").unwrap();
    let answer = call(
        "/user/wechat/login",
        json!({"code": code, "state": state}),
        device,
    );
    assert_eq!(answer["code"], 0, "{answer}");
    let all = flows(&house, "");
    assert_eq!(all["total"], 1, "{all:#}");
    let flow = newest(&house);
    assert_eq!(flow["state"], "logged_in", "{flow:#}");
    let lanes: Vec<String> = flow["arrows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| {
            format!(
                "{} {} {}",
                a["from"].as_str().unwrap(),
                a["to"].as_str().unwrap(),
                a["label"].as_str().unwrap()
            )
        })
        .collect();
    for lane in [
        "app backend POST /user/wechat/prepare",
        "app backend POST /user/wechat/login",
        "backend platform GET /sns/oauth2/access_token",
        "backend platform GET /sns/userinfo",
    ] {
        assert!(lanes.iter().any(|known| known == lane), "{lane}: {lanes:?}");
    }
    let ticket = answer["data"]["bind_ticket"].as_str().unwrap();
    hides(
        &everything(&house),
        &[code, &state, ticket, device, &service.1],
    );
}

#[test]
fn a_careless_app_is_told_what_it_did() {
    let house = House::dev();
    let service = house.service();
    let (mut one, mut other) = (Browser::of(&house, 0), Browser::of(&house, 1));
    let target = in_client(
        &service.0,
        "http://localhost/cb",
        "snsapi_base",
        "constantState",
    );
    let back = one.allow(&target);
    let code = param(&back, "code").unwrap().to_owned();
    let tokens = house.tokens(&service, &code);
    house
        .exchange(&service, &code)
        .refuses(40163, "code been used");
    let access = tokens["access_token"].as_str().unwrap();
    house
        .userinfo(access, "oSomebodyElsesOpenid00000000")
        .refuses(48001, "api unauthorized");
    let flow = newest(&house);
    assert_eq!(
        findings(&flow),
        ["code_reused", "openid_wrong", "profile_with_base"],
        "{flow:#}"
    );
    let found = &flow["findings"][0];
    let arrow = found["arrow"].as_u64().unwrap() as usize;
    assert_eq!(flow["arrows"][arrow - 1]["result"], "40163");
    assert_eq!(flow["arrows"][arrow - 1]["findings"], json!([0]));
    for key in [
        "title", "why", "fix", "title_zh", "why_zh", "fix_zh", "source",
    ] {
        assert!(!found[key].as_str().unwrap().is_empty(), "{key}");
    }
    // The same state in another browser; and a secret that a page sends.
    let back = other.allow(&target);
    let code = param(&back, "code").unwrap();
    let params = [
        ("appid", service.0.as_str()),
        ("secret", service.1.as_str()),
        ("code", code),
        ("grant_type", "authorization_code"),
    ];
    let page = Ask::get(&format!("/sns/oauth2/access_token?{}", query(&params)))
        .header("user-agent", "Mozilla/5.0 Chrome/140")
        .header("origin", "http://localhost")
        .header("sec-fetch-site", "cross-site");
    house.ask(&page);
    let flow = newest(&house);
    assert_eq!(
        findings(&flow),
        ["state_reused", "secret_in_browser"],
        "{flow:#}"
    );
    // Filters, and pages of the list.
    assert_eq!(flows(&house, "?finding=code_reused")["total"], 1);
    assert_eq!(flows(&house, "?finding=error")["total"], 2);
    assert_eq!(flows(&house, "?finding=note")["total"], 0);
    assert_eq!(flows(&house, "?person=wei")["total"], 1);
    assert_eq!(flows(&house, "?text=40163")["total"], 1);
    assert_eq!(flows(&house, &format!("?client={}", service.0))["total"], 2);
    assert_eq!(flows(&house, "?state=failed")["total"], 0);
    let first = flows(&house, "?limit=1");
    let next = first["next"].as_str().unwrap();
    let second = flows(&house, &format!("?limit=1&after={next}"));
    assert_ne!(first["flows"][0]["id"], second["flows"][0]["id"]);
    assert_eq!(
        (&second["next"], &second["total"]),
        (&Value::Null, &json!(2))
    );
    // A wrong question is told what is wrong with it; and all is forgotten on demand.
    let answer = house.control(Ask::get("/_sandbox/flows?limit=0&after=x&state=odd"));
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.json()["error"]["complaints"]
            .as_array()
            .unwrap()
            .len(),
        3,
        "{}",
        answer.text()
    );
    for missing in [
        "/_sandbox/flows/f999",
        "/_sandbox/flows/f999.txt",
        "/_sandbox/flows/x",
    ] {
        assert_eq!(house.control(Ask::get(missing)).status, 404, "{missing}");
    }
    assert_eq!(
        house.control(Ask::new("DELETE", "/_sandbox/flows")).status,
        200
    );
    assert_eq!(flows(&house, "")["total"], 0);
}

#[test]
fn a_fault_is_shown_and_not_held_against_the_app() {
    let house = House::dev();
    let service = house.service();
    let fault = json!({"kind": "errcode", "code": 40029, "times": 1});
    let set = house.control(Ask::new("POST", "/_sandbox/faults").body(fault.to_string()));
    assert_eq!(set.status, 200, "{}", set.text());
    let mut person = Browser::of(&house, 0);
    let code = person.code(&service.0, "snsapi_base");
    house.exchange(&service, &code);
    house.tokens(&service, &code);
    let flow = newest(&house);
    assert_eq!(
        (&flow["faults"], &flow["state"]),
        (&json!(1), &json!("logged_in")),
        "{flow:#}"
    );
    // The state of the test's browser is a short one, that alone is told.
    assert_eq!(findings(&flow), ["state_weak"], "{flow:#}");
    let text = house.control(Ask::get(&format!(
        "/_sandbox/flows/{}.txt",
        flow["id"].as_str().unwrap()
    )));
    assert!(text.text().contains("[fault: errcode]"), "{}", text.text());
}

/// Reads until something is there.
fn read_until(stream: &mut TcpStream, heard: &mut String, what: &str) {
    let mut piece = [0; 4096];
    while !heard.contains(what) {
        let read = stream.read(&mut piece).expect("the stream goes on");
        assert!(read > 0, "the stream ended: {heard}");
        heard.push_str(&String::from_utf8_lossy(&piece[..read]));
    }
}

#[test]
fn the_stream_tells_what_changes_and_ends_with_the_server() {
    let house = House::dev();
    let token = house.token().unwrap().to_owned();
    let mut stream = TcpStream::connect(("127.0.0.1", house.port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let head = format!(
        "GET /_sandbox/flows/stream HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {token}\r\n\r\n",
        house.port
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut heard = String::new();
    read_until(&mut stream, &mut heard, ": alive");
    assert!(heard.contains("text/event-stream"), "{heard}");
    let service = house.service();
    house
        .exchange(&service, "0110000000000000000000000000abcd")
        .refuses(40029, "invalid code");
    read_until(&mut stream, &mut heard, "event: flows");
    read_until(&mut stream, &mut heard, "the code was refused: 40029");
    assert!(!heard.contains("0110000000000000000000000000abcd"));
    house.control(Ask::new("DELETE", "/_sandbox/flows"));
    read_until(&mut stream, &mut heard, "event: cleared");
    // Without the token there is nothing to hear.
    let locked = house.ask(&Ask::get("/_sandbox/flows/stream"));
    assert_eq!(locked.status, 401);
    house.stop();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
}

#[test]
fn what_is_authorized_by_rest_names_the_person_and_the_faults_that_were_played() {
    let house = House::dev();
    let (site, _) = house.website();
    let url = |state: &str| {
        let params = query(&[
            ("appid", &site),
            ("redirect_uri", "http://127.0.0.1:3000/callback"),
            ("response_type", "code"),
            ("scope", "snsapi_login"),
            ("state", state),
        ]);
        format!("https://open.weixin.qq.com/connect/qrconnect?{params}#wechat_redirect")
    };
    let authorize = |state: &str, decision: &str| {
        let body = json!({"url": url(state), "person": "wei", "decision": decision});
        house.done("POST", "/_sandbox/authorize", &body);
        newest(&house)
    };
    for (decision, note) in [("deny", "denied"), ("cancel", "cancelled")] {
        let flow = authorize(&format!("s-{decision}"), decision);
        assert_eq!(flow["person"], "wei", "{flow:#}");
        let arrows = flow["arrows"].as_array().unwrap();
        assert_eq!(arrows.last().unwrap()["label"], note, "{flow:#}");
    }
    for fault in ["other_state", "other_code"] {
        house.done(
            "POST",
            "/_sandbox/faults",
            &json!({"kind": fault, "times": 1}),
        );
        let flow = authorize(&format!("s-{fault}"), "allow");
        assert_eq!(flow["arrows"][0]["faults"], json!([fault]), "{flow:#}");
    }
}
