//! The login backend as a role of the binary: beside the platform, alone, and from the command
//! line.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::house::{Answer, Ask, House, Temp, Wire, until, yufu};
use crate::serve::KEY;

const LOGIN: &str = "[login]\npublic_url = \"http://localhost\"\nlisten = \"127.0.0.1:0\"\n\
                     store_path = \"login.db\"\n";
const GATEWAY: &str =
    "[[sms_gateway]]\nname = \"file\"\nkind = \"file\"\npath = \"login-sms.jsonl\"\n";

/// Settings of a login backend without an upstream; `more` begins inside `[login]`.
fn settings(temp: &Temp, more: &str) -> PathBuf {
    temp.write("master.key", KEY);
    let keys = "[keys]\nmaster_file = \"master.key\"\n";
    temp.write("yufu.toml", format!("{LOGIN}{more}{keys}{GATEWAY}"))
}

fn port(address: &Value) -> u16 {
    address
        .as_str()
        .unwrap()
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap()
}

/// A login backend alone, and a wire to it.
struct Backend {
    house: House,
    port: u16,
    config: String,
}

impl Backend {
    fn start(config: &Path) -> Self {
        let config = config.to_str().unwrap().to_owned();
        let house = House::start(&["serve", "--json", "--config", &config], &[]);
        let ready: Value = serde_json::from_str(&house.line()).unwrap();
        assert_eq!(ready["login"], "http://localhost");
        let port = port(&ready["login_listen"]);
        Self {
            house,
            port,
            config,
        }
    }

    fn post(&self, path: &str, body: &Value, bearer: &str) -> Answer {
        let mut ask = Ask::new("POST", path)
            .header("content-type", "application/json")
            .body(body.to_string());
        if !bearer.is_empty() {
            ask = ask.header("authorization", &format!("Bearer {bearer}"));
        }
        Wire::to(self.port).ask(&ask)
    }

    fn good(&self, path: &str, body: &Value, bearer: &str) -> Value {
        let answer = self.post(path, body, bearer).json();
        assert_eq!(answer["code"], 0, "{path}: {answer}");
        answer["data"].clone()
    }

    fn cli(&self, args: &[&str]) -> Value {
        let mut all = args.to_vec();
        all.extend(["--json", "--config", &self.config]);
        let output = yufu(&all);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {error}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// The last passcode of a file.
fn passcode(path: &Path) -> String {
    until("a passcode comes", || path.exists());
    let text = std::fs::read_to_string(path).unwrap();
    let letter: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    letter["passcode"].as_str().unwrap().to_owned()
}

/// Logs a phone in: the session token, and the uid.
fn log_in(backend: &Backend, temp: &Temp, phone: &str) -> (String, String) {
    let sent = json!({"phone": phone, "scene": "login"});
    let sent = backend.good("/user/sms/send", &sent, "");
    let code = passcode(&temp.join("login-sms.jsonl"));
    let device = sent["device_secret"].as_str().unwrap();
    let ask = Ask::new("POST", "/user/phone/login")
        .header("content-type", "application/json")
        .header("x-yufu-device", device)
        .body(json!({"phone": phone, "sms_code": code, "consent_version": "1"}).to_string());
    let answer = Wire::to(backend.port).ask(&ask).json();
    assert_eq!(answer["code"], 0, "{answer}");
    let text = |key: &str| answer["data"][key].as_str().unwrap().to_owned();
    (text("token"), text("uid"))
}

#[test]
fn the_login_backend_is_served_alone() {
    let temp = Temp::new();
    let backend = Backend::start(&settings(&temp, ""));
    let (token, uid) = log_in(&backend, &temp, "+8613800000001");
    let ask = Ask::get("/user/me").header("authorization", &format!("Bearer {token}"));
    assert_eq!(
        Wire::to(backend.port).ask(&ask).json()["data"]["uid"],
        uid.as_str()
    );
    backend.house.stop();
    assert!(!temp.names().contains(&"yufu.db".to_owned()));
}

#[test]
fn both_roles_are_served_by_one_process() {
    let temp = Temp::new();
    let config = crate::serve::settings(&temp, "http://localhost", &format!("{LOGIN}{GATEWAY}"));
    let house = House::serve(&config);
    assert_eq!(house.ready["login"], "http://localhost");
    let login = port(&house.ready["login_listen"]);
    assert_ne!(login, house.port);
    for port in [login, house.port] {
        assert_eq!(Wire::to(port).ask(&Ask::get("/readyz")).status, 200);
        // Nothing of the sandbox is at either of them.
        for path in [
            "/_sandbox/state",
            "/phone",
            "/flows",
            "/proxy.pac",
            "/dev/inbox",
            "/assets/flows.js",
            "/assets/handset.js",
            "/assets/control.css",
        ] {
            assert_eq!(Wire::to(port).ask(&Ask::get(path)).status, 404, "{path}");
        }
        assert_eq!(Wire::to(port).ask(&Ask::get("/assets/app.css")).status, 200);
    }
    house.stop();
    let names = temp.names();
    assert!(names.contains(&"yufu.db".to_owned()) && names.contains(&"login.db".to_owned()));
}

#[test]
fn what_cannot_be_opened_stops_both_roles() {
    let temp = Temp::new();
    let more = format!("{LOGIN}{GATEWAY}");
    let config = crate::serve::settings(&temp, "http://localhost", &more);
    House::serve(&config).stop();
    temp.write(
        "login.db",
        "not a database at all, but long enough to be looked at for a while",
    );
    let output = yufu(&["serve", "--config", config.to_str().unwrap()]);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("login.db"), "{said}");
    assert!(output.stdout.is_empty(), "nobody is told that it is ready");
}

#[test]
fn the_operator_looks_after_accounts() {
    let temp = Temp::new();
    let backend = Backend::start(&settings(&temp, ""));
    let (token, uid) = log_in(&backend, &temp, "+8613800000001");
    let all = backend.cli(&["users", "list"]);
    assert_eq!(
        (all.as_array().unwrap().len(), &all[0]["uid"]),
        (1, &json!(uid))
    );
    assert_eq!(backend.cli(&["users", "list", "--after", &uid]), json!([]));
    let shown = backend.cli(&["users", "show", &uid]);
    assert_eq!(shown["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(shown["status"], "active");
    let code = || {
        let ask = Ask::get("/user/me").header("authorization", &format!("Bearer {token}"));
        Wire::to(backend.port).ask(&ask).json()["code"]
            .as_i64()
            .unwrap()
    };
    assert_eq!(code(), 0);
    assert_eq!(
        backend.cli(&["users", "disable", &uid])["status"],
        "disabled"
    );
    until("the session is over everywhere", || code() != 0);
    assert_eq!(backend.cli(&["users", "enable", &uid])["status"], "active");
    assert_ne!(code(), 0, "what was ended stays ended");
    assert_eq!(
        backend.cli(&["users", "end-sessions", &uid])["sessions"],
        json!([])
    );
    let output = yufu(&[
        "users",
        "show",
        "u0000000000000000",
        "--config",
        &backend.config,
    ]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no such account"));
    backend.house.stop();
}

#[test]
fn keys_turn_and_the_vault_is_sealed_anew_while_it_runs() {
    let temp = Temp::new();
    let backend = Backend::start(&settings(&temp, ""));
    let (token, _) = log_in(&backend, &temp, "+8613800000001");
    assert_eq!(backend.cli(&["keys", "rotate"])["version"], 2);
    assert_eq!(backend.cli(&["vault", "reseal"])["resealed"], 0);
    let ask = Ask::get("/user/me").header("authorization", &format!("Bearer {token}"));
    assert_eq!(Wire::to(backend.port).ask(&ask).json()["code"], 0);
    backend.house.stop();
}

#[test]
fn news_that_nobody_takes_is_listed_tried_again_or_dropped() {
    let temp = Temp::new();
    let config = settings(&temp, "outgoing_allow = [\"127.0.0.1\"]\n");
    let text = std::fs::read_to_string(&config).unwrap();
    let hook = "[[webhook]]\nname = \"gone\"\nurl = \"http://127.0.0.1:1/\"\n\
                secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\n";
    std::fs::write(&config, format!("{text}{hook}")).unwrap();
    let backend = Backend::start(&config);
    log_in(&backend, &temp, "+8613800000001");
    backend.house.stop();
    // A webhook that was taken out of the settings: its news is laid aside, not lost.
    std::fs::write(&config, text).unwrap();
    let backend = Backend::start(&config);
    let list = || backend.cli(&["webhooks", "list"]);
    let count = || list().as_array().unwrap().len();
    until("the news is laid aside", || count() > 0);
    let dead = list();
    assert_eq!(dead[0]["to"], "gone");
    let id = dead[0]["id"].as_str().unwrap();
    assert_eq!(
        backend.cli(&["webhooks", "retry", id])["retried"],
        json!([id])
    );
    until("it is laid aside again", || list()[0]["id"] == id);
    let none = backend.cli(&["webhooks", "drop", "--all", "--to", "another"]);
    assert_eq!(none["dropped"], json!([]));
    assert_eq!(
        backend.cli(&["webhooks", "drop", id])["dropped"],
        json!([id])
    );
    let output = yufu(&["webhooks", "drop", id, "--config", &backend.config]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no dead message"));
    backend.cli(&["webhooks", "drop", "--all"]);
    assert_eq!(list(), json!([]));
    backend.house.stop();
}

#[test]
fn a_gateway_in_a_log_is_warned_about_loudly() {
    let temp = Temp::new();
    let config = settings(&temp, "");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace(
        "kind = \"file\"\npath = \"login-sms.jsonl\"",
        "kind = \"console\"",
    );
    std::fs::write(&config, text).unwrap();
    let backend = Backend::start(&config);
    until("it warns", || {
        backend
            .house
            .errors()
            .contains("PASSCODES GO TO THE STANDARD ERROR")
    });
    let sent = json!({"phone": "+8613800000001", "scene": "login"});
    backend.good("/user/sms/send", &sent, "");
    until("the passcode is there", || {
        backend.house.errors().contains("SMS to +8613800000001")
    });
    backend.house.stop();
}
