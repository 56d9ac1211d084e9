//! Events pushed to an app: by themselves when people act, as the platform spells them, and what is
//! said of an app that does not take them. The receiver is yufu's own login backend.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};
use yufu_core::secret::Secret;
use yufu_core::time::Timestamp;
use yufu_dialects::wechat::push::{Fresh, echo_query};

use crate::house::{Answer, Ask, Browser, House, Wire, field, in_client, until};

const HOOK: &str = "/hooks/wechat/events";
const TOKEN: &str = "yufu-dev-push";
const KEY: &str = "yufuDevPushKeyForTryingOnOnesOwnMachineOnly";
const ANOTHER_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const MODES: [(&str, &str); 6] = [
    ("plain", "xml"),
    ("plain", "json"),
    ("compatible", "xml"),
    ("compatible", "json"),
    ("encrypted", "xml"),
    ("encrypted", "json"),
];

fn backend(house: &House) -> String {
    house.ready["login"].as_str().unwrap().to_owned()
}

/// Where the events of an app go.
fn push_to(house: &House, client: &str, url: &str, more: &Value) {
    let mut push = json!({"url": url, "token": TOKEN, "aes_key": KEY});
    let more = more.as_object().unwrap().clone();
    push.as_object_mut().unwrap().extend(more);
    let path = format!("/_sandbox/clients/{client}");
    house.done("PATCH", &path, &json!({ "push": push }));
}

fn event(house: &House, word: &str, client: &str) -> Value {
    let body = json!({"event": word, "person": "mei", "client": client});
    house.done("POST", "/_sandbox/events", &body)
}

fn revoke(house: &House, client: &str) {
    let body = json!({"person": "mei", "act": "revoke", "appid": client});
    house.done("POST", "/_sandbox/phone", &body);
}

/// Somebody with the app of the login backend.
struct Member<'a> {
    house: &'a House,
    person: &'static str,
    number: String,
    device: String,
    token: String,
    uid: String,
}

impl<'a> Member<'a> {
    /// Logs in for the first time, and binds the number.
    fn new(house: &'a House, n: usize, person: &'static str) -> Self {
        let mut member = Self {
            house,
            person,
            number: house.person(n).0,
            device: String::new(),
            token: String::new(),
            uid: String::new(),
        };
        member.log_in();
        member
    }

    fn call(&self, ask: Ask) -> Answer {
        let port = backend(self.house).rsplit(':').next().unwrap().parse();
        let mut ask = ask.header("content-type", "application/json");
        if !self.device.is_empty() {
            ask = ask.header("x-yufu-device", &self.device);
        }
        if !self.token.is_empty() {
            ask = ask.header("authorization", &format!("Bearer {}", self.token));
        }
        Wire::to(port.unwrap()).ask(&ask)
    }

    #[track_caller]
    fn good(&self, ask: Ask) -> Value {
        let answer = self.call(ask).json();
        assert_eq!(answer["code"], 0, "{answer}");
        answer["data"].clone()
    }

    #[track_caller]
    fn post(&self, path: &'static str, body: &Value) -> Value {
        self.good(Ask::new("POST", path).body(body.to_string()))
    }

    /// Logs in as the app does; a number is bound where the backend asks for one.
    #[track_caller]
    fn log_in(&mut self) {
        self.token.clear();
        let body = json!({
            "purpose": "login", "app": "mobile", "mode": "app", "platform": "android",
            "consent_version": "2026-01",
        });
        let prepared = self.post("/user/wechat/prepare", &body);
        if let Some(device) = prepared["device_secret"].as_str() {
            device.clone_into(&mut self.device);
        }
        let asked = json!({"client": self.house.mobile().0, "person": self.person, "state": prepared["state"]});
        let code = self.house.done("POST", "/_sandbox/codes", &asked)["code"].clone();
        let body = json!({"code": code, "state": prepared["state"]});
        let mut answer = self.post("/user/wechat/login", &body);
        if let Some(ticket) = answer["bind_ticket"].as_str() {
            let passcode = self.passcode("bind");
            let body = json!({"bind_ticket": ticket, "phone": self.number, "sms_code": passcode});
            answer = self.post("/user/wechat/bind", &body);
        }
        self.is_in(&answer);
    }

    #[track_caller]
    fn log_in_by_number(&mut self) {
        self.token.clear();
        let body = json!({
            "phone": self.number, "sms_code": self.passcode("login"),
            "consent_version": "2026-01", "platform": "android",
        });
        let answer = self.post("/user/phone/login", &body);
        self.is_in(&answer);
    }

    #[track_caller]
    fn is_in(&mut self, answer: &Value) {
        answer["token"]
            .as_str()
            .unwrap()
            .clone_into(&mut self.token);
        let uid = self.good(Ask::get("/user/me"))["uid"].clone();
        uid.as_str().unwrap().clone_into(&mut self.uid);
    }

    /// The passcode that comes when one is asked for.
    #[track_caller]
    fn passcode(&self, scene: &str) -> Value {
        let sent = json!({"phone": self.number, "scene": scene}).to_string();
        until("another passcode may be sent", || {
            let ask = Ask::new("POST", "/user/sms/send").body(sent.clone());
            self.call(ask).json()["code"] == 0
        });
        let inbox = format!("/_sandbox/inbox?to={}", self.number.replace('+', "%2B"));
        let mut passcode = Value::Null;
        until("a passcode comes", || {
            let letter = self.house.done("GET", &inbox, &Value::Null)["letters"][0].clone();
            passcode = letter["passcode"].clone();
            letter["scene"] == scene
        });
        passcode
    }

    fn until_is_out(&self) {
        until("the session is over", || {
            self.call(Ask::get("/user/me")).json()["code"] == 5004
        });
    }

    fn identities(&self) -> Vec<Value> {
        let all = self.good(Ask::get("/user/identities"));
        all["identities"].as_array().unwrap().clone()
    }

    /// Waits until the one identity is so.
    #[track_caller]
    fn until_is(&self, status: &str, nickname: &str) {
        until(&format!("the identity is {status} {nickname:?}"), || {
            let all = self.identities();
            all.len() == 1 && all[0]["status"] == status && all[0]["nickname"] == nickname
        });
    }
}

/// An app that answers each push with the next of these statuses and bodies, and tells what came.
fn receiver(answers: &[(u16, &'static str)]) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/events?mine=1", listener.local_addr().unwrap());
    let (tell, heard) = channel();
    let answers = answers.to_vec();
    std::thread::spawn(move || {
        for (status, body) in answers {
            let Ok((mut stream, _)) = listener.accept() else {
                return;
            };
            let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
            let (mut request, mut part) = (Vec::new(), [0; 4096]);
            while let Ok(n) = stream.read(&mut part) {
                request.extend_from_slice(&part[..n]);
                let text = String::from_utf8_lossy(&request);
                let length = text.lines().find_map(|line| {
                    let (name, value) = line.split_once(": ")?;
                    let is_it = name.eq_ignore_ascii_case("content-length");
                    is_it.then(|| value.trim().parse::<usize>().ok())?
                });
                let has = text
                    .split_once("\r\n\r\n")
                    .map_or(0, |(_, body)| body.len());
                if n == 0 || length.is_some_and(|length| text.contains("\r\n\r\n") && has >= length)
                {
                    break;
                }
            }
            let _ = write!(
                stream,
                "HTTP/1.1 {status} Fine\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = tell.send(String::from_utf8_lossy(&request).into_owned());
        }
    });
    (url, heard)
}

fn came(heard: &Receiver<String>) -> String {
    heard
        .recv_timeout(Duration::from_secs(10))
        .expect("a push comes")
}

#[test]
fn del_04_what_is_revoked_on_the_phone_is_pushed_in_every_mode_and_spelling() {
    let house = House::dev();
    let mobile = house.mobile().0;
    let mut mei = Member::new(&house, 0, "mei");
    let uid = mei.uid.clone();
    for (mode, format) in MODES {
        mei.until_is("linked", "梅 Zoé 🐟");
        let url = format!("{}{HOOK}", backend(&house));
        push_to(
            &house,
            &mobile,
            &url,
            &json!({"mode": mode, "format": format}),
        );
        revoke(&house, &mobile);
        // Name and picture are gone, the account and its session are not.
        mei.until_is("revoked", "");
        mei.log_in();
        assert_eq!(mei.uid, uid, "{mode} {format}");
    }
}

#[test]
fn del_05_a_closed_account_is_pushed_to_every_app_and_unlinks() {
    let house = House::dev();
    let (mobile, url) = (house.mobile().0, format!("{}{HOOK}", backend(&house)));
    let mut mei = Member::new(&house, 0, "mei");
    let (wei, uid) = (Member::new(&house, 1, "wei"), mei.uid.clone());
    push_to(&house, &mobile, &url, &json!({"format": "json"}));
    // A second app of the same people hears of its own openid.
    let service = house.service();
    let code = Browser::of(&house, 0).code(&service.0, "snsapi_userinfo");
    let openid = house.tokens(&service, &code)["openid"].clone();
    let (other, heard) = receiver(&[(200, "success")]);
    push_to(&house, &service.0, &other, &json!({"mode": "plain"}));
    let body = json!({"standing": "closed"});
    house.done("PATCH", "/_sandbox/people/mei", &body);
    // What the login began is over; the number still works, and leads to the same account.
    mei.until_is_out();
    mei.log_in_by_number();
    assert_eq!(mei.identities(), Vec::<Value>::new());
    let push = came(&heard);
    assert!(push.contains("user_authorization_cancellation"), "{push}");
    assert!(push.contains(openid.as_str().unwrap()), "{push}");
    assert!(!wei.identities().is_empty(), "somebody else's stays");
    house.done("DELETE", "/_sandbox/people/wei", &Value::Null);
    wei.until_is_out();
    assert_eq!(mei.uid, uid);
}

#[test]
fn del_06_a_cleaned_profile_is_pushed_to_apps_of_the_last_30_days() {
    let house = House::dev();
    let (mobile, url) = (house.mobile().0, format!("{}{HOOK}", backend(&house)));
    let mei = Member::new(&house, 0, "mei");
    push_to(&house, &mobile, &url, &json!({"mode": "compatible"}));
    let nickname = |text: &str| {
        let body = json!({ "nickname": text });
        house.done("PATCH", "/_sandbox/people/mei", &body);
    };
    nickname("已清理");
    mei.until_is("linked", "已清理");
    // What changes nothing of the profile is nobody's business, nor what people change themselves.
    let (other, heard) = receiver(&[(200, ""), (200, "success")]);
    push_to(&house, &mobile, &other, &json!({"mode": "plain"}));
    house.done(
        "PATCH",
        "/_sandbox/people/mei",
        &json!({"nickname": "已清理", "installed": false}),
    );
    let mut browser = Browser::of(&house, 0);
    browser.sign_in();
    let page = browser.get("/account");
    let mine = [
        ("nickname", "自己改的"),
        ("sex", "2"),
        ("language", "zh_CN"),
    ];
    assert_eq!(browser.press(&page, "save_profile", &mine).status, 303);
    // Nor is somebody who came by longer ago than 30 days.
    house.done("POST", "/_sandbox/clock", &json!({"jump": "31d"}));
    nickname("再清理");
    house.done("POST", "/_sandbox/clock", &json!({"real": true}));
    nickname("第三次");
    revoke(&house, &mobile);
    let pushes = [came(&heard), came(&heard)];
    let of = |word: &str| pushes.iter().filter(|push| push.contains(word)).count();
    assert_eq!(
        (of("user_info_modified"), of("user_authorization_revoke")),
        (1, 1),
        "{pushes:#?}"
    );
}

#[test]
fn what_is_revoked_on_the_platforms_own_page_is_pushed_once() {
    let house = House::dev();
    let service = house.service();
    let mut browser = Browser::of(&house, 0);
    let code = browser.code(&service.0, "snsapi_userinfo");
    let openid = house.tokens(&service, &code)["openid"].clone();
    let (url, heard) = receiver(&[(200, "success"), (200, "success")]);
    push_to(&house, &service.0, &url, &json!({"mode": "plain"}));
    let page = browser.get("/account");
    let grant = field(page.text(), "name=\"grant\" value=\"")
        .unwrap()
        .to_owned();
    for _ in 0..2 {
        let done = browser.press(&page, "revoke", &[("grant", &grant)]);
        assert_eq!(done.status, 303);
    }
    let push = came(&heard);
    assert!(push.starts_with("POST /events?mine=1&signature="), "{push}");
    assert!(push.contains("user_authorization_revoke"), "{push}");
    assert!(push.contains(openid.as_str().unwrap()), "{push}");
    // The second click took nothing back; the next push is another one.
    browser.allow(&in_client(
        &service.0,
        "http://localhost/cb",
        "snsapi_userinfo",
        "s",
    ));
    assert_eq!(event(&house, "user_info_modified", &service.0)["ok"], true);
    assert!(came(&heard).contains("user_info_modified"));
}

#[test]
fn an_app_that_answers_badly_is_told_three_times_and_no_more() {
    let house = House::dev();
    let service = house.service().0;
    let mut browser = Browser::of(&house, 0);
    let bad = (500, "no");
    let (url, heard) = receiver(&[bad, (200, "ok"), bad, (200, ""), bad, (200, "success"), bad]);
    push_to(&house, &service, &url, &json!({}));
    browser.code(&service, "snsapi_userinfo");
    revoke(&house, &service);
    let pushes = [came(&heard), came(&heard), came(&heard)];
    for push in &pushes {
        assert!(
            push.contains("<Encrypt>") && !push.contains("OpenID"),
            "{push}"
        );
    }
    assert_ne!(pushes[0], pushes[1], "each is signed anew");
    // Each attempt is in the picture, with what was wrong.
    until("three attempts are told of", || {
        let all = house.done("GET", "/_sandbox/flows", &Value::Null);
        let id = all["flows"][0]["id"].as_str().unwrap().to_owned();
        let flow = house.told("GET", &format!("/_sandbox/flows/{id}.txt"), &Value::Null);
        let told = |how: &str| {
            let words = format!("user_authorization_revoke, {how}");
            flow.text().matches(&words).count()
        };
        flow.text().contains("revoked")
            && told("HTTP 500") == 2
            && told("HTTP 200, no success") == 1
    });
    // A fourth attempt would have taken the answer that this one gets.
    browser.code(&service, "snsapi_userinfo");
    let sent = event(&house, "user_authorization_revoke", &service);
    assert_eq!(
        (&sent["ok"], &sent["answer"]["status"]),
        (&json!(true), &json!(200))
    );
    came(&heard);
    // Whoever takes it at the second attempt is left alone.
    revoke(&house, &service);
    came(&heard);
    came(&heard);
    browser.code(&service, "snsapi_userinfo");
    let sent = event(&house, "user_info_modified", &service);
    assert_eq!(sent["answer"]["status"], 500, "{sent}");
}

#[test]
fn what_is_wrong_with_a_receiver_is_said() {
    let house = House::dev();
    let mobile = house.mobile().0;
    Member::new(&house, 0, "mei");
    let word = "user_info_modified";
    let own = format!("{}{HOOK}", backend(&house));
    let dead = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/gone", listener.local_addr().unwrap())
    };
    let (odd, _odd) = receiver(&[(200, "{\"errcode\":0}"), (404, "where?")]);
    let distrust = "did not believe it: compare Token, EncodingAESKey and mode";
    for (url, more, words) in [
        (&own, json!({"token": "wrong"}), distrust),
        (&own, json!({"token": "wrong", "mode": "plain"}), distrust),
        (&own, json!({"aes_key": ANOTHER_KEY}), distrust),
        (
            &own,
            json!({"aes_key": ANOTHER_KEY, "mode": "compatible"}),
            "",
        ),
        (&dead, json!({}), "nobody answers at http://127.0.0.1:"),
        (&odd, json!({}), "neither success nor nothing"),
        (&odd, json!({}), "the app answered 404"),
    ] {
        push_to(&house, &mobile, url, &more);
        let sent = event(&house, word, &mobile);
        let verdict = sent["verdict"].as_str().unwrap();
        assert_eq!(sent["ok"], words.is_empty(), "{more}: {sent}");
        assert!(verdict.contains(words), "{more}: {sent}");
    }
    for (mode, format) in MODES {
        push_to(
            &house,
            &mobile,
            &own,
            &json!({"mode": mode, "format": format}),
        );
        let sent = event(&house, word, &mobile);
        assert_eq!(
            (&sent["ok"], &sent["answer"]),
            (&json!(true), &json!({"status": 200, "body": "success"})),
            "{mode} {format}: {sent}"
        );
        let body = sent["sent"]["body"].as_str().unwrap();
        assert_eq!(body.contains("Encrypt"), mode != "plain", "{body}");
        assert_eq!(body.contains("OpenID"), mode != "encrypted", "{body}");
        assert_eq!(body.starts_with('<'), format == "xml", "{body}");
    }
    // A key is needed where something is encrypted.
    push_to(
        &house,
        &mobile,
        &own,
        &json!({"aes_key": "", "mode": "plain"}),
    );
    let body = json!({"event": word, "person": "mei", "client": mobile, "mode": "encrypted"});
    let (status, complaints) = house.refused("POST", "/_sandbox/events", &body);
    assert_eq!(status, 409);
    assert!(
        complaints[0].contains("needs an EncodingAESKey"),
        "{complaints:?}"
    );
}

#[test]
fn the_receiver_proves_its_address() {
    let house = House::dev();
    let port = backend(&house).rsplit(':').next().unwrap().parse().unwrap();
    let ask = |token: &str, echo: &str| {
        let fresh = Fresh {
            now: Timestamp::from_seconds(1_714_036_504),
            nonce: "1514711492".to_owned(),
            random: [0; 16],
        };
        let query = echo_query(&Secret::new(token), &fresh, echo);
        Wire::to(port).ask(&Ask::get(&format!("{HOOK}?{query}")))
    };
    let good = ask(TOKEN, "4375120948345356249");
    assert_eq!((good.status, good.text()), (200, "4375120948345356249"));
    let bad = ask("AAAAA", "4375120948345356249");
    assert_eq!((bad.status, bad.text()), (401, ""));
    assert_eq!(ask(TOKEN, "").status, 401);
}
