//! Reset, snapshots and restore of a sandbox, while it is used.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::house::{Answer, Ask, Browser, House, Temp, Wire, until};

fn post(house: &House, path: &str, body: &Value) -> Answer {
    let ask = Ask::new("POST", path).header("content-type", "application/json");
    house.control(ask.body(body.to_string()))
}

#[track_caller]
fn good(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn reset(house: &House) -> Value {
    good(&post(house, "/_sandbox/reset", &json!({})))
}

fn keep(house: &House, name: &str) -> Value {
    good(&post(house, "/_sandbox/snapshots", &json!({"name": name})))
}

fn restore(house: &House, name: &str) -> Answer {
    let path = format!("/_sandbox/snapshots/{name}/restore");
    post(house, &path, &json!({}))
}

fn names(house: &House) -> Vec<String> {
    let all = good(&house.control(Ask::get("/_sandbox/snapshots")));
    let all = all["snapshots"].as_array().unwrap().iter();
    all.map(|it| it["name"].as_str().unwrap().to_owned())
        .collect()
}

#[track_caller]
fn refused(answer: &Answer, status: u16, word: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    let error = &answer.json()["error"];
    let complaint = &error["complaints"][0];
    for part in ["what", "remedy"] {
        assert!(
            !complaint[part].as_str().unwrap().is_empty(),
            "{part}: {error}"
        );
    }
    assert!(answer.text().contains(word), "{}", answer.text());
}

/// Whether a token opens its person's profile.
fn works(house: &House, tokens: &Value) -> bool {
    let text = |key: &str| tokens[key].as_str().unwrap();
    let said = house.userinfo(text("access_token"), text("openid")).json();
    match said["errcode"].as_i64() {
        None => true,
        Some(code) => {
            assert!([40001, 42001].contains(&code), "{said}");
            false
        }
    }
}

/// Nothing went wrong behind anybody's back; passcodes are told there too.
#[track_caller]
fn assert_no_faults(house: &House) {
    let errors = house.errors();
    let faults: Vec<_> = errors
        .lines()
        .filter(|line| !line.starts_with("SMS to "))
        .collect();
    assert!(faults.is_empty(), "{errors}");
}

fn login(house: &House, path: &str, body: &Value, device: &str) -> Value {
    let port = house.ready["login"].as_str().unwrap().rsplit(':').next();
    let mut ask = Ask::new("POST", path).header("content-type", "application/json");
    if !device.is_empty() {
        ask = ask.header("x-yufu-device", device);
    }
    Wire::to(port.unwrap().parse().unwrap())
        .ask(&ask.body(body.to_string()))
        .json()
}

/// Logs a phone in at the login backend, and answers the session token.
fn log_in(house: &House, phone: &str) -> String {
    let sent = login(
        house,
        "/user/sms/send",
        &json!({"phone": phone, "scene": "login"}),
        "",
    );
    let device = sent["data"]["device_secret"].as_str();
    let device = device.unwrap_or_else(|| panic!("{sent}"));
    let mut passcode = String::new();
    until("the passcode comes", || {
        let to = format!("/_sandbox/inbox?to={}", phone.replace('+', "%2B"));
        let letters = good(&house.control(Ask::get(&to)));
        let newest = letters["letters"][0]["passcode"].as_str();
        passcode = newest.unwrap_or_default().to_owned();
        !passcode.is_empty()
    });
    let body = json!({"phone": phone, "sms_code": passcode, "consent_version": "2026-01"});
    let said = login(house, "/user/phone/login", &body, device);
    let token = said["data"]["token"].as_str();
    token.unwrap_or_else(|| panic!("{said}")).to_owned()
}

fn is_logged_in(house: &House, token: &str) -> bool {
    let port = house.ready["login"].as_str().unwrap().rsplit(':').next();
    let ask = Ask::get("/user/me").header("authorization", &format!("Bearer {token}"));
    let said = Wire::to(port.unwrap().parse().unwrap()).ask(&ask).json();
    said["code"] == 0
}

#[test]
fn reset_is_the_world_as_it_was_seeded() {
    let house = House::dev();
    let service = house.service();
    let mut mei = Browser::of(&house, 0);
    let code = mei.code(&service.0, "snsapi_userinfo");
    let tokens = house.tokens(&service, &code);
    let session = log_in(&house, "+8613800000001");
    house.cli(&[
        "user",
        "create",
        "--phone",
        "+8613800000009",
        "--nickname",
        "新人",
    ]);
    let people = || house.cli(&["user", "list"]).as_array().unwrap().len();
    assert_eq!(people(), 4);
    assert!(works(&house, &tokens) && is_logged_in(&house, &session));

    assert_eq!(reset(&house)["reset"], true);
    assert_eq!(people(), 3);
    assert!(!works(&house, &tokens) && !is_logged_in(&house, &session));
    assert_eq!(mei.get("/account").location(), "/account/sign-in");
    let letters = good(&house.control(Ask::get("/_sandbox/inbox")));
    assert_eq!(letters["letters"], json!([]));

    // The same people, apps and secrets: tests go on.
    let mut mei = Browser::of(&house, 0);
    let code = mei.code(&service.0, "snsapi_userinfo");
    assert!(works(&house, &house.tokens(&service, &code)));
    assert!(is_logged_in(&house, &log_in(&house, "+8613800000001")));
    assert_no_faults(&house);
    house.stop();
}

#[test]
fn what_is_restored_is_everything_as_it_was() {
    let house = House::dev();
    let service = house.service();
    let mut mei = Browser::of(&house, 0);
    let code = mei.code(&service.0, "snsapi_userinfo");
    let session = log_in(&house, "+8613800000001");
    let kept = keep(&house, "logged-in");
    assert_eq!(kept["replaced"], false);
    assert_eq!(
        (kept["people"].as_u64(), kept["clients"].as_u64()),
        (Some(3), Some(4))
    );
    assert!(kept["bytes"].as_u64().unwrap() > 10_000);

    // What was unspent is unspent again, as often as one likes.
    for _ in 0..3 {
        let tokens = house.tokens(&service, &code);
        assert_eq!(house.exchange(&service, &code).errcode(), 40163);
        let other = log_in(&house, "+8613800000002");
        good(&restore(&house, "logged-in"));
        assert!(!works(&house, &tokens));
        assert!(is_logged_in(&house, &session) && !is_logged_in(&house, &other));
        let letters = good(&house.control(Ask::get("/_sandbox/inbox")));
        assert_eq!(letters["letters"].as_array().unwrap().len(), 1);
        assert_eq!(mei.get("/account").status, 200, "mei is signed in");
    }
    // A second one beside it, and one over it.
    reset(&house);
    assert!(!is_logged_in(&house, &session));
    keep(&house, "empty");
    assert_eq!(names(&house), ["empty", "logged-in"]);
    good(&restore(&house, "logged-in"));
    assert!(is_logged_in(&house, &session));
    assert_eq!(keep(&house, "empty")["replaced"], true);
    good(&restore(&house, "empty"));
    assert!(is_logged_in(&house, &session));
    let gone = house.control(Ask::new("DELETE", "/_sandbox/snapshots/empty"));
    assert_eq!(good(&gone)["removed"], "empty");
    assert_eq!(names(&house), ["logged-in"]);
    assert_no_faults(&house);
    house.stop();
}

#[test]
fn names_and_snapshots_that_are_none_are_refused_in_words() {
    let house = House::dev();
    let take = |body: &Value| post(&house, "/_sandbox/snapshots", body);
    refused(&take(&json!({})), 400, "name");
    refused(&take(&json!({"name": 1})), 400, "text");
    refused(
        &take(&json!({"name": "a", "nam": "b"})),
        400,
        "did you mean name",
    );
    for bad in ["", ".seed", "../x", "a b", "名", &"x".repeat(41)] {
        refused(&take(&json!({"name": bad})), 400, "1 to 40");
    }
    refused(&restore(&house, "none"), 404, "yufu snapshot none");
    refused(&restore(&house, ".seed"), 400, "1 to 40");
    refused(&restore(&house, "..%2F.."), 400, "1 to 40");
    keep(&house, "one");
    refused(&restore(&house, "none"), 404, "there are: one");
    let gone = house.control(Ask::new("DELETE", "/_sandbox/snapshots/.seed"));
    refused(&gone, 400, "1 to 40");
    assert_eq!(names(&house), ["one"]);
    house.stop();
}

/// Damage in the second database is found after the first was put back: then the first is as
/// before again.
#[test]
fn a_damaged_snapshot_changes_nothing() {
    let house = House::dev();
    let service = house.service();
    let folder = Path::new(house.ready["data_dir"].as_str().unwrap()).join("snapshots/one");
    keep(&house, "one");
    let mut mei = Browser::of(&house, 0);
    let tokens = house.tokens(&service, &mei.code(&service.0, "snsapi_userinfo"));
    let session = log_in(&house, "+8613800000001");
    for file in ["rest.json", "login.db", "platform.db"] {
        let bytes = std::fs::read(folder.join(file)).unwrap();
        let mut torn = bytes.clone();
        let (from, to) = (bytes.len() / 20, bytes.len() / 2);
        torn[from..to].fill(0xa5);
        for damaged in [&torn[..], &bytes[..bytes.len() / 2], b""] {
            std::fs::write(folder.join(file), damaged).unwrap();
            refused(&restore(&house, "one"), 409, "snapshot");
            assert!(works(&house, &tokens), "{file}");
            assert!(is_logged_in(&house, &session), "{file}");
        }
        std::fs::remove_file(folder.join(file)).unwrap();
        refused(&restore(&house, "one"), 409, "snapshot");
        assert!(works(&house, &tokens), "{file}");
        std::fs::write(folder.join(file), &bytes).unwrap();
    }
    good(&restore(&house, "one"));
    assert!(!works(&house, &tokens) && !is_logged_in(&house, &session));
    house.stop();
}

#[test]
fn a_snapshot_that_was_edited_by_hand_is_read_with_care() {
    let house = House::dev();
    keep(&house, "edited");
    let data = house.ready["data_dir"].as_str().unwrap();
    let file = Path::new(data).join("snapshots/edited/rest.json");
    let kept: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let edit = |change: &dyn Fn(&mut Value), word: &str| {
        let mut rest = kept.clone();
        change(&mut rest);
        std::fs::write(&file, rest.to_string()).unwrap();
        refused(&restore(&house, "edited"), 409, word);
        let state = good(&house.control(Ask::get("/_sandbox/state")));
        assert_eq!(state["people"].as_array().unwrap().len(), 3, "{word}");
        assert_eq!(state["clock"]["ahead"], 0, "{word}");
    };
    edit(
        &|rest| {
            let people = rest["world"]["people"].as_array_mut().unwrap();
            let again = people[0].clone();
            people.push(again);
        },
        "the person mei has no id in user_ids",
    );
    edit(
        &|rest| {
            for list in ["people", "user_ids", "person_marks"] {
                let list = rest["world"][list].as_array_mut().unwrap();
                let again = list[0].clone();
                list.push(again);
            }
        },
        "the person mei is there twice",
    );
    edit(
        &|rest| {
            let clients = rest["world"]["clients"].as_array_mut().unwrap();
            let again = clients[0].clone();
            clients.push(again);
        },
        "is there twice",
    );
    edit(
        &|rest| rest["ahead"] = json!(1_i64 << 62),
        "its clock is centuries away",
    );
    edit(
        &|rest| rest["stands"] = json!(-(1_i64 << 62)),
        "its clock is centuries away",
    );
    std::fs::write(&file, kept.to_string()).unwrap();
    good(&restore(&house, "edited"));
}

/// People log in on eight threads while the world is exchanged under them: everybody hears an
/// answer that this world or the other one gives, and nothing is left that belongs to both.
#[test]
fn requests_under_way_hear_one_world_or_the_other() {
    let house = House::dev();
    let (over, paid, turned) = (
        AtomicBool::new(false),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    keep(&house, "start");
    std::thread::scope(|scope| {
        for n in 0..6 {
            let (house, over, paid, turned) = (&house, &over, &paid, &turned);
            scope.spawn(move || {
                let service = house.service();
                // The exchanging ends before somebody has to get through.
                while !over.load(Ordering::Relaxed) || paid.load(Ordering::Relaxed) == 0 {
                    let mut browser = Browser::of(house, n % 3);
                    match code(&mut browser, &service.0).map(|code| house.exchange(&service, &code))
                    {
                        Some(answer) if answer.json()["openid"].is_string() => {
                            paid.fetch_add(1, Ordering::Relaxed);
                        }
                        Some(answer) => {
                            assert_eq!(answer.status, 200);
                            let code = answer.json()["errcode"].as_i64();
                            assert!(
                                [Some(40029), Some(40163)].contains(&code),
                                "{}",
                                answer.text()
                            );
                            turned.fetch_add(1, Ordering::Relaxed);
                        }
                        None => {
                            turned.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
        for n in 0..2 {
            let house = &house;
            let over = &over;
            scope.spawn(move || {
                for round in 0..8 {
                    if (round + n) % 2 == 0 {
                        reset(house);
                    } else {
                        good(&restore(house, "start"));
                    }
                    std::thread::sleep(std::time::Duration::from_millis(120));
                }
                over.store(true, Ordering::Relaxed);
            });
        }
    });
    assert!(paid.load(Ordering::Relaxed) > 0, "somebody got through");
    let db = Connection::open(house.database()).unwrap();
    for (table, column) in [
        ("user_grant", "user_id"),
        ("ticket", "user_id"),
        ("subject", "user_id"),
    ] {
        let orphans: i64 = db
            .query_row(
                &format!("SELECT count(*) FROM {table} WHERE {column} IS NOT NULL AND {column} NOT IN (SELECT id FROM user_account)"),
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(orphans, 0, "{table}");
    }
    let rows: i64 = db.query_row("SELECT count(*) FROM ticket WHERE grant_id IS NOT NULL AND grant_id NOT IN (SELECT id FROM user_grant)", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 0, "a code or token without its grant");
    assert_no_faults(&house);
    reset(&house);
    house.stop();
}

/// A code, if the world stays long enough.
fn code(browser: &mut Browser<'_>, appid: &str) -> Option<String> {
    let target = crate::house::in_client(appid, "http://localhost/cb", "snsapi_userinfo", "s");
    let mut answer = browser.get(&target);
    for _ in 0..8 {
        assert!(answer.status < 500, "{}", answer.text());
        let next = answer.header("location").map(str::to_owned);
        answer = match next {
            Some(next) if next.starts_with('/') => browser.get(&next),
            Some(next) => return crate::house::param(&next, "code").map(str::to_owned),
            None if answer.text().contains("value=\"allow\"") => {
                browser.press(&answer, "allow", &[])
            }
            None if answer.text().contains("value=\"sign_in\"") => {
                let (phone, password) = browser.person.clone();
                browser.press(
                    &answer,
                    "sign_in",
                    &[("phone", &phone), ("password", &password)],
                )
            }
            None => return None,
        };
    }
    None
}

#[test]
fn a_folder_keeps_its_beginning_and_its_snapshots() {
    let data = Temp::new();
    let house = House::dev_in(&data);
    let service = house.service();
    let mut mei = Browser::of(&house, 0);
    let code = mei.code(&service.0, "snsapi_userinfo");
    keep(&house, "kept");
    house.stop();

    // Another run has other ports, and the same secrets.
    let house = House::dev_in(&data);
    assert_eq!(names(&house), ["kept"]);
    assert_eq!(house.service(), service);
    let tokens = house.tokens(&service, &code);
    good(&restore(&house, "kept"));
    assert!(!works(&house, &tokens));
    let tokens = house.tokens(&service, &code);
    reset(&house);
    assert!(!works(&house, &tokens));
    let app = house.ready["app"].as_str().unwrap();
    let mobile = house.cli(&["client", "show", &house.mobile().0]);
    let link = mobile["native"]["ios_universal_link"].as_str().unwrap();
    assert!(link.starts_with(app), "{link} is not of this run, {app}");
    house.stop();

    // The world that is in the databases is the one that is told of.
    let house = House::dev_in(&data);
    assert_eq!(house.service(), service);
    house.stop();
    let left: Vec<_> = std::fs::read_dir(data.join("snapshots")).unwrap().collect();
    let mut left: Vec<_> = left.into_iter().map(|it| it.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, [".seed", "kept"]);

    // A folder of an older yufu has no beginning to go back to.
    std::fs::remove_dir_all(data.join("snapshots")).unwrap();
    let house = House::dev_in(&data);
    refused(&post(&house, "/_sandbox/reset", &json!({})), 409, "--data");
    assert_eq!(names(&house), Vec::<String>::new());
    house.stop();
}
