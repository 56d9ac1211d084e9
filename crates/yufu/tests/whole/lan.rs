//! The phone for other devices: what `yufu dev --lan` opens to the network, and all that it does
//! not.

use serde_json::{Value, json};
use yufu::sandbox::control::table::endpoints;
use yufu_dialects::DIALECTS;

use crate::house::{Answer, Ask, Browser, House, Wire};

/// A handset on the network.
struct Phone {
    port: u16,
    token: String,
}

impl Phone {
    fn of(house: &House) -> Self {
        let address = house.ready["lan"].as_str().expect("an address");
        let (base, token) = address.split_once("/phone?token=").unwrap();
        Self {
            port: base.rsplit(':').next().unwrap().parse().unwrap(),
            token: token.to_owned(),
        }
    }

    fn bare(&self, ask: &Ask) -> Answer {
        Wire::to(self.port).ask(ask)
    }

    /// One request with the phone's token.
    fn ask(&self, ask: Ask) -> Answer {
        self.bare(&ask.header("authorization", &format!("Bearer {}", self.token)))
    }
}

#[test]
fn a_phone_of_the_network_scans_and_agrees() {
    let house = House::dev_with(&["--lan=0"]);
    let phone = Phone::of(&house);
    // The address that was printed opens it, by a cookie of its own.
    let entered = phone.bare(&Ask::get(&format!("/phone?token={}", phone.token)));
    assert_eq!((entered.status, entered.location()), (303, "/phone"));
    let cookie = entered
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    assert_eq!(cookie, format!("yufu_phone_{}={}", phone.port, phone.token));
    let page = phone.bare(&Ask::get("/phone").header("cookie", cookie));
    assert_eq!(page.status, 200);
    assert!(!page.text().contains("yufu-dev-2026"), "a password is told");
    for asset in ["/assets/app.css", "/assets/handset.js"] {
        assert_eq!(phone.bare(&Ask::get(asset)).status, 200, "{asset}");
    }
    assert_eq!(phone.ask(Ask::get("/mmopen/vi_32/mei/132")).status, 200);
    let website = house.website();
    let mut desk = Browser::of(&house, 0);
    let (uuid, _) = desk.qr(&website.0, &[]);
    let scans = phone.ask(Ask::get("/_sandbox/scans")).json();
    assert_eq!(scans["scans"][0]["uuid"], uuid);
    let tap = |body: Value| {
        let answer = phone.ask(Ask::new("POST", "/_sandbox/phone").body(body.to_string()));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    };
    let ask = tap(json!({"person": "mei", "act": "scan", "what": uuid}));
    let interaction = &ask["ask"]["interaction"];
    tap(json!({"person": "mei", "act": "agree", "interaction": interaction}));
    let holes = desk.poll(&uuid, "").says(
        "text/javascript",
        "window.wx_errcode=405;window.wx_code='<code>';",
    );
    assert_eq!(house.exchange(&website, &holes[0]).errcode(), 0);
}

#[test]
fn nothing_but_the_phone_is_behind_that_door() {
    let house = House::dev_with(&["--lan=0"]);
    let phone = Phone::of(&house);
    let open = ["/_sandbox/phone", "/_sandbox/scans"];
    let mut paths: Vec<(&str, String)> = endpoints()
        .map(|row| (row.verb.word(), row.path.replace(['{', '}'], "")))
        .filter(|(_, path)| !open.contains(&path.as_str()))
        .collect();
    for dialect in DIALECTS {
        paths.extend(
            dialect
                .endpoints
                .iter()
                .map(|it| ("GET", it.path.to_owned())),
        );
    }
    for page in [
        "/",
        "/account",
        "/account/sign-in",
        "/interaction/x",
        "/dev/inbox",
        "/dev/codes",
        "/flows",
        "/_sandbox",
        "/_sandbox/",
        "/_sandbox/phone/",
        "/_sandbox/phone/x",
        "/phone/",
        "/proxy.pac",
        "/openapi.json",
        "/healthz",
        "/metrics",
        "/assets/nothing",
        "/assets/control.js",
        "/assets/flows.js",
        "/mmopen/vi_32/nobody/132",
        "/_sandbox/scans/../state",
        "/_sandbox%2fstate",
        "//_sandbox/state",
    ] {
        paths.push(("GET", page.to_owned()));
        paths.push(("POST", page.to_owned()));
    }
    for (verb, path) in &paths {
        let answer = phone.ask(Ask::new(verb, path));
        assert!(
            [404, 405].contains(&answer.status),
            "{verb} {path}: {}",
            answer.status
        );
        assert!(!answer.text().contains(&house.service().1), "{verb} {path}");
    }
}

#[test]
fn each_token_opens_its_own_door_alone() {
    let house = House::dev_with(&["--lan=0"]);
    let phone = Phone::of(&house);
    let main = house.token().unwrap();
    assert_ne!(main, phone.token);
    let with = |token: &str| {
        Ask::get("/_sandbox/scans").header("authorization", &format!("Bearer {token}"))
    };
    assert_eq!(phone.bare(&with(&phone.token)).status, 200);
    assert_eq!(phone.bare(&with(main)).status, 401);
    assert_eq!(house.ask(&with(&phone.token)).status, 401);
    for path in [
        "/phone",
        "/_sandbox/phone",
        "/_sandbox/scans",
        "/",
        "/nothing",
    ] {
        assert_eq!(phone.bare(&Ask::get(path)).status, 401, "{path}");
    }
    // Another name was turned here; another page asks.
    for host in ["evil.example", "localhost", "phone.local:80"] {
        assert_eq!(
            phone.ask(Ask::get("/phone").host(host)).status,
            403,
            "{host}"
        );
    }
    let asked = phone.ask(Ask::get("/_sandbox/scans").header("origin", "http://evil.example"));
    assert_eq!(asked.status, 403);
    let own = format!("http://127.0.0.1:{}", phone.port);
    assert_eq!(
        phone
            .ask(Ask::get("/_sandbox/scans").header("origin", &own))
            .status,
        200
    );
}

#[test]
fn there_is_no_such_door_unless_it_is_asked_for() {
    let house = House::dev();
    assert_eq!(house.ready.get("lan"), None);
    let told = House::start(
        &["dev", "--port", "0", "--lan=0", "--until-stdin-closes"],
        &[],
    );
    let lines: Vec<String> = (0..4).map(|_| told.line()).collect();
    assert!(lines[3].starts_with("  phone     http://"), "{lines:?}");
    assert!(lines[3].contains("/phone?token="), "{lines:?}");
}
