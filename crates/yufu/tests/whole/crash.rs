//! Races, kills, full and busy disks, two processes on one folder: a code pays once, what was
//! answered stands, and a fault of ours burns nothing.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;

use crate::house::{Ask, Browser, House, Temp, query, until};

/// The target that redeems a code.
fn redeem(client: &(String, String), code: &str) -> String {
    let params = [
        ("appid", client.0.as_str()),
        ("secret", &client.1),
        ("code", code),
        ("grant_type", "authorization_code"),
    ];
    format!("/sns/oauth2/access_token?{}", query(&params))
}

/// This many unspent codes of the service client.
fn codes(house: &House, many: usize) -> Vec<String> {
    let mut browser = Browser::of(house, 0);
    browser.sign_in();
    let service = house.service();
    // The first asks; the rest are silent.
    (0..many)
        .map(|_| browser.code(&service.0, "snsapi_userinfo"))
        .collect()
}

#[test]
fn of_fifty_redemptions_at_once_one_pays() {
    let house = House::dev();
    let service = house.service();
    for code in codes(&house, 3) {
        let target = redeem(&service, &code);
        let start = Barrier::new(50);
        let answers: Vec<_> = std::thread::scope(|scope| {
            let one = || {
                let mut wire = house.wire();
                start.wait();
                wire.ask(&Ask::get(&target))
            };
            let all: Vec<_> = (0..50).map(|_| scope.spawn(one)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let paid: Vec<_> = answers
            .iter()
            .filter(|a| a.text().contains("access_token"))
            .collect();
        assert_eq!(paid.len(), 1);
        for answer in answers
            .iter()
            .filter(|a| !a.text().contains("access_token"))
        {
            answer.refuses(40163, "code been used");
        }
        let tokens = paid[0].json();
        let text = |key: &str| tokens[key].as_str().unwrap().to_owned();
        assert_eq!(
            house.auth(&text("access_token"), &text("openid")).errcode(),
            0
        );
    }
}

#[test]
fn killed_in_the_middle_of_two_hundred_exchanges_no_code_pays_twice() {
    let data = Temp::new();
    let mut house = House::dev_in(&data);
    let service = house.service();
    let codes = codes(&house, 200);
    let answered = AtomicUsize::new(0);
    let port = house.port;
    let outcomes: Vec<Option<Value>> = std::thread::scope(|scope| {
        let shares: Vec<_> = codes
            .chunks(10)
            .map(|share| {
                let (service, answered) = (&service, &answered);
                scope.spawn(move || {
                    let mut outcomes = Vec::new();
                    let Ok(stream) = std::net::TcpStream::connect(("127.0.0.1", port)) else {
                        return vec![None; share.len()];
                    };
                    drop(stream);
                    let mut wire = crate::house::Wire::to(port);
                    for code in share {
                        wire.send(&Ask::get(&redeem(service, code)).bytes(port));
                        let answer = wire.answer().map(|answer| answer.json());
                        answered.fetch_add(usize::from(answer.is_some()), Ordering::Relaxed);
                        outcomes.push(answer);
                    }
                    outcomes
                })
            })
            .collect();
        until("some are answered", || {
            answered.load(Ordering::Relaxed) >= 60
        });
        house.kill();
        shares
            .into_iter()
            .flat_map(|share| share.join().unwrap())
            .collect()
    });
    let before = outcomes.iter().filter(|outcome| outcome.is_some()).count();
    assert!(
        (60..200).contains(&before),
        "the kill came in the middle: {before}"
    );

    let again = House::dev_in(&data);
    let (mut paid_late, mut spent_unheard) = (0, 0);
    for (code, outcome) in codes.iter().zip(&outcomes) {
        let answer = again.exchange(&service, code);
        match outcome {
            // What was answered stands, and does not pay again.
            Some(tokens) => {
                answer.refuses(40163, "code been used");
                let text = |key: &str| tokens[key].as_str().unwrap_or_else(|| panic!("{tokens}"));
                let profile = again.userinfo(text("access_token"), text("openid"));
                assert_eq!(profile.json()["openid"], text("openid"));
            }
            None if answer.errcode() == 40163 => spent_unheard += 1,
            None => {
                assert!(answer.text().contains("access_token"), "{}", answer.text());
                again
                    .exchange(&service, code)
                    .refuses(40163, "code been used");
                paid_late += 1;
            }
        }
    }
    println!(
        "{before} answered before the kill, {spent_unheard} spent unheard, {paid_late} paid after it"
    );
    again.stop();
}

#[test]
fn a_full_disk_burns_no_code() {
    let data = Temp::new();
    let house = House::dev_in(&data);
    let service = house.service();
    let unspent = codes(&house, 40);
    house.stop();
    let db = Connection::open(data.join("yufu.db")).unwrap();
    let pages: u32 = db
        .query_row("PRAGMA page_count", [], |row| row.get(0))
        .unwrap();
    drop(db);

    let bound = (pages + 3).to_string();
    let full = House::dev_with(&["--data", data.text(), "--max-pages", &bound]);
    let mut refused = Vec::new();
    let mut paid = Vec::new();
    for code in &unspent {
        let answer = full.exchange(&service, code);
        if answer.errcode() == -1 {
            answer.refuses(-1, "system error");
            refused.push(code);
        } else {
            paid.push((code, answer.json()));
        }
    }
    assert!(
        !refused.is_empty(),
        "the bound of {bound} pages was never met"
    );
    // What can be answered without writing still is, and nothing inside is told.
    for (_, tokens) in &paid {
        let text = |key: &str| tokens[key].as_str().unwrap();
        assert_eq!(full.auth(text("access_token"), text("openid")).errcode(), 0);
    }
    assert_eq!(full.get("/healthz").status, 200);
    let log = full.errors();
    assert!(log.contains("fault") && log.contains("incident"), "{log}");
    assert!(
        refused.iter().all(|code| !log.contains(code.as_str())),
        "no code in the log"
    );
    assert!(!log.contains(&service.1), "no secret in the log");
    full.stop();

    let again = House::dev_in(&data);
    for code in refused {
        again.tokens(&service, code);
    }
    for (code, _) in paid {
        again
            .exchange(&service, code)
            .refuses(40163, "code been used");
    }
}

#[test]
fn a_busy_database_burns_no_code() {
    let house = House::dev();
    let service = house.service();
    let unspent = codes(&house, 2);
    let db = Connection::open(house.database()).unwrap();
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    house
        .exchange(&service, &unspent[0])
        .refuses(-1, "system error");
    // Reads go on.
    house.auth("x", "y").says(
        "text/plain",
        r#"{"errcode":40014,"errmsg":"invalid access_token rid: <rid>"}"#,
    );
    db.execute_batch("ROLLBACK").unwrap();
    house.tokens(&service, &unspent[0]);
    // A short lock is waited for.
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| house.exchange(&service, &unspent[1]));
        std::thread::sleep(Duration::from_millis(300));
        db.execute_batch("ROLLBACK").unwrap();
        assert!(waiting.join().unwrap().text().contains("access_token"));
    });
}

#[test]
fn a_wrong_secret_or_a_stranger_never_burns_a_code() {
    let house = House::dev();
    let (service, stranger) = (house.service(), house.stranger());
    let code = codes(&house, 1).remove(0);
    for _ in 0..3 {
        let wrong = (service.0.clone(), "0".repeat(32));
        house
            .exchange(&wrong, &code)
            .refuses(40125, "invalid appsecret");
        house
            .exchange(&stranger, &code)
            .refuses(40029, "invalid code");
        house
            .exchange(&("wx0000000000000000".into(), service.1.clone()), &code)
            .refuses(40013, "invalid appid");
        let mut torn = code.clone();
        torn.pop();
        house
            .exchange(&service, &torn)
            .refuses(40029, "invalid code");
        let mut other = code.clone().into_bytes();
        let last = other.len() - 1;
        other[last] = if other[last] == b'a' { b'b' } else { b'a' };
        house
            .exchange(&service, std::str::from_utf8(&other).unwrap())
            .refuses(40029, "invalid code");
    }
    house.tokens(&service, &code);
}

#[test]
fn a_revocation_on_the_account_page_is_felt_at_once() {
    let house = House::dev();
    let service = house.service();
    let mut browser = Browser::of(&house, 0);
    let code = browser.code(&service.0, "snsapi_userinfo");
    let unspent = browser.code(&service.0, "snsapi_userinfo");
    let tokens = house.tokens(&service, &code);
    let text = |key: &str| tokens[key].as_str().unwrap();
    let (access, openid) = (text("access_token"), text("openid"));
    assert_eq!(house.userinfo(access, openid).json()["openid"], openid);
    let page = browser.get("/account");
    assert!(page.text().contains("小屋服务号 Rooms Pages"));
    let grant = crate::house::field(page.text(), "name=\"grant\" value=\"")
        .unwrap()
        .to_owned();
    let done = browser.press(&page, "revoke", &[("grant", &grant)]);
    assert_eq!(
        (done.status, done.location()),
        (303, "/account?done=revoked")
    );
    house.userinfo(access, openid).refuses(
        40001,
        "invalid credential, access_token is invalid or not latest",
    );
    house.auth(access, openid).says(
        "text/plain",
        r#"{"errcode":40014,"errmsg":"invalid access_token rid: <rid>"}"#,
    );
    house
        .refresh(&service.0, text("refresh_token"))
        .refuses(40030, "invalid refresh_token");
    house
        .exchange(&service, &unspent)
        .refuses(40029, "invalid code");
    // A second click is no error, and somebody else's grant is not theirs to revoke.
    assert_eq!(
        browser.press(&page, "revoke", &[("grant", &grant)]).status,
        303
    );
    // Who agrees again is the same person.
    let code = browser.code(&service.0, "snsapi_userinfo");
    assert_eq!(house.tokens(&service, &code)["openid"], openid);
    assert_eq!(
        house.auth(access, openid).errcode(),
        40014,
        "the old token stays dead"
    );
}

#[test]
fn somebody_elses_grant_is_not_revoked() {
    let house = House::dev();
    let service = house.service();
    let mut owner = Browser::of(&house, 0);
    let code = owner.code(&service.0, "snsapi_userinfo");
    let tokens = house.tokens(&service, &code);
    let page = owner.get("/account");
    let grant = crate::house::field(page.text(), "name=\"grant\" value=\"")
        .unwrap()
        .to_owned();
    let mut other = Browser::of(&house, 1);
    let code = other.code(&service.0, "snsapi_userinfo");
    house.tokens(&service, &code);
    let page = other.get("/account");
    other.press(&page, "revoke", &[("grant", &grant)]);
    let text = |key: &str| tokens[key].as_str().unwrap();
    assert_eq!(
        house.auth(text("access_token"), text("openid")).errcode(),
        0
    );
}

#[test]
fn two_processes_on_one_folder_are_one_house() {
    let data = Temp::new();
    let one = House::dev_in(&data);
    let two = House::dev_in(&data);
    let service = one.service();
    assert_eq!(two.service(), service);
    let mut browser = Browser::of(&one, 0);
    // A code pays once across both, however they race.
    for _ in 0..10 {
        let code = browser.code(&service.0, "snsapi_userinfo");
        let start = Barrier::new(8);
        let pays = |house: &House| {
            start.wait();
            let answer = house.exchange(&service, &code);
            match answer.errcode() {
                0 => 1,
                40163 => 0,
                other => panic!("{other}: {}", answer.text()),
            }
        };
        let paid: usize = std::thread::scope(|scope| {
            let houses = [&one, &two, &one, &two, &one, &two, &one, &two];
            let all = houses.map(|house| scope.spawn(|| pays(house)));
            all.into_iter().map(|one| one.join().unwrap()).sum()
        });
        assert_eq!(paid, 1);
    }
    // Tokens of one are good at the other; a revocation at one is felt at the other within 1 s.
    let code = browser.code(&service.0, "snsapi_userinfo");
    let tokens = one.tokens(&service, &code);
    let text = |key: &str| tokens[key].as_str().unwrap();
    let (access, openid) = (text("access_token"), text("openid"));
    for _ in 0..20 {
        assert_eq!(two.auth(access, openid).errcode(), 0);
    }
    let page = browser.get("/account");
    let grant = crate::house::field(page.text(), "name=\"grant\" value=\"")
        .unwrap()
        .to_owned();
    assert_eq!(
        browser.press(&page, "revoke", &[("grant", &grant)]).status,
        303
    );
    assert_eq!(one.auth(access, openid).errcode(), 40014);
    let began = yufu_web::clock::mark();
    until("the other hears", || {
        two.auth(access, openid).errcode() == 40014
    });
    println!(
        "a revocation was felt in the other process after {:?}",
        began.elapsed()
    );
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    one.stop();
    assert_eq!(two.get("/readyz").status, 200);
    two.stop();
}

#[test]
fn what_another_process_changed_a_moment_ago_is_no_fault_here() {
    let data = Temp::new();
    let (one, two) = (House::dev_in(&data), House::dev_in(&data));
    let (mut here, mut there) = (Browser::of(&one, 2), Browser::of(&two, 2));
    here.sign_in();
    there.sign_in();
    let fields = |nickname| [("nickname", nickname), ("sex", "0"), ("language", "")];
    for n in 0..5 {
        // Both know the person as they are now; then one changes them, and at once the other.
        let (mine, theirs) = (here.get("/account"), there.get("/account"));
        let saved = here.press(&mine, "save_profile", &fields("Here"));
        assert_eq!(saved.status, 303, "{n}");
        let saved = there.press(&theirs, "save_profile", &fields("There"));
        assert_eq!(saved.status, 303, "{n}: {}", two.errors());
        until("it is felt", || {
            here.get("/account").text().contains("There")
        });
    }
}

#[test]
fn processes_that_start_at_once_on_an_empty_folder_found_one_world() {
    for _ in 0..3 {
        let data = Temp::new();
        let houses: Vec<House> = std::thread::scope(|scope| {
            let all = [0, 1, 2].map(|_| scope.spawn(|| House::dev_in(&data)));
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(
            houses
                .iter()
                .all(|house| house.service() == houses[0].service())
        );
        for house in &houses {
            Browser::of(house, 0).sign_in();
        }
    }
}
