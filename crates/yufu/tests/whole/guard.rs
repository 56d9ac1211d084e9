//! Who gets at the sandbox's own pages and its control: the holder of the run's token, from this
//! machine.

use crate::house::{Answer, Ask, House, Wire};

/// One path below each that the guard keeps; what is not there yet is kept all the same.
const KEPT: [&str; 6] = [
    "/_sandbox/state",
    "/_sandbox/nothing",
    "/dev/inbox",
    "/dev/codes",
    "/phone",
    "/flows",
];

#[track_caller]
fn turned_away(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    let error = &answer.json()["error"];
    assert_eq!(error["code"], code);
    let complaint = &error["complaints"][0];
    for part in ["at", "what", "remedy"] {
        assert!(!complaint[part].as_str().unwrap().is_empty(), "{part}");
    }
}

#[test]
fn nothing_opens_without_the_token() {
    let house = House::dev();
    let token = house.token().unwrap().to_owned();
    for path in KEPT {
        let bare = house.get(path);
        turned_away(&bare, 401, "token");
        assert_eq!(bare.header("www-authenticate"), Some("Bearer"));
        assert!(!bare.text().contains(&token));
        for wrong in ["", "x", &token[1..], &format!("{token}0")] {
            let ask = Ask::get(path).header("authorization", &format!("Bearer {wrong}"));
            turned_away(&house.ask(&ask), 401, "token");
            let cookie = format!("yufu_sandbox_{}={wrong}", house.port);
            turned_away(
                &house.ask(&Ask::get(path).header("cookie", &cookie)),
                401,
                "token",
            );
        }
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE"] {
            assert_eq!(
                house.ask(&Ask::new(method, path)).status,
                401,
                "{method} {path}"
            );
        }
        let cookie = format!("a=b; yufu_sandbox_{}={token}", house.port);
        for open in [
            house.control(Ask::get(path)),
            house.ask(&Ask::get(path).header("cookie", &cookie)),
        ] {
            assert!([200, 404].contains(&open.status), "{path}: {}", open.status);
        }
    }
}

#[test]
fn a_browser_without_the_token_is_told_where_it_is() {
    let house = House::dev();
    let ask = Ask::get("/phone?lang=en&person=mei").header("accept", "text/html,*/*");
    let page = house.ask(&ask);
    assert_eq!(page.status, 401);
    assert!(
        page.text().contains("The token is in the terminal"),
        "{}",
        page.text()
    );
    for part in [
        "action=\"/phone\"",
        "name=\"token\"",
        "name=\"person\" value=\"mei\"",
    ] {
        assert!(page.text().contains(part), "{part}");
    }
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.ends_with("frame-ancestors 'none'"), "{policy}");
    // A program that sends a form gets words that it can read.
    let ask = Ask::post("/dev/codes", &[]).header("accept", "text/html");
    turned_away(&house.ask(&ask), 401, "token");
}

#[test]
fn a_visit_with_the_token_opens_all_pages_of_this_host() {
    let house = House::dev();
    let token = house.token().unwrap();
    let app = house.ready["app"].as_str().unwrap();
    let app = app.rsplit(':').next().unwrap().parse().unwrap();
    for (port, target, then) in [
        (house.port, "/", "/"),
        (app, "/", "/"),
        (house.port, "/dev/inbox", "/dev/inbox"),
        (house.port, "/phone?person=mei", "/phone?person=mei"),
    ] {
        let joint = if target.contains('?') { '&' } else { '?' };
        let answer = Wire::to(port).ask(&Ask::get(&format!("{target}{joint}token={token}")));
        assert_eq!((answer.status, answer.location()), (303, then));
        let cookie = answer.header("set-cookie").unwrap();
        let (pair, attributes) = cookie.split_once("; ").unwrap();
        assert_eq!(pair, format!("yufu_sandbox_{}={token}", house.port));
        assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Strict");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        let inbox = house.ask(&Ask::get("/dev/inbox").header("cookie", pair));
        assert_eq!(inbox.status, 200);
        let wrong = Wire::to(port).ask(&Ask::get(&format!("{target}{joint}token=x{token}")));
        turned_away(&wrong, 401, "token");
        assert_eq!(wrong.header("set-cookie"), None);
    }
}

#[test]
fn a_strange_name_gets_nothing_though_it_has_the_token() {
    let house = House::dev();
    for host in [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:80",
        "evil.example:127.0.0.1",
        "api.weixin.qq.com",
    ] {
        for path in KEPT {
            turned_away(&house.control(Ask::get(path).host(host)), 403, "host");
        }
    }
    for host in [
        "localhost",
        "[::1]:8420",
        &format!("127.0.0.1:{}", house.port),
    ] {
        assert_eq!(house.control(Ask::get("/dev/inbox").host(host)).status, 200);
    }
}

#[test]
fn a_page_of_another_origin_gets_nothing_though_the_browser_has_the_cookie() {
    let house = House::dev();
    let cookie = format!("yufu_sandbox_{}={}", house.port, house.token().unwrap());
    let ask = |pairs: &[(&str, &str)]| {
        let ask = Ask::get("/dev/inbox").header("cookie", &cookie);
        house.ask(
            &pairs
                .iter()
                .fold(ask, |ask, (name, value)| ask.header(name, value)),
        )
    };
    let platform = house.platform();
    let app = house.ready["app"].as_str().unwrap();
    for pairs in [
        &[("origin", platform), ("sec-fetch-site", "same-origin")][..],
        &[("origin", app), ("sec-fetch-site", "same-site")],
        &[("origin", "null"), ("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none")],
    ] {
        assert_eq!(ask(pairs).status, 200, "{pairs:?}");
    }
    for pairs in [
        &[
            ("origin", "http://127.0.0.1:3000"),
            ("sec-fetch-site", "same-site"),
        ][..],
        &[("origin", "http://evil.example")],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
    ] {
        turned_away(&ask(pairs), 403, "origin");
    }
}

#[test]
fn people_at_the_terminal_are_given_the_address_that_opens_everything() {
    let house = House::start(&["dev", "--port", "0", "--until-stdin-closes"], &[]);
    let line = house.line();
    let (_, address) = line
        .split_once("Click here first:  http://127.0.0.1:")
        .unwrap();
    let (port, token) = address.split_once("/?token=").unwrap();
    assert_eq!(token.len(), 32);
    let answer = Wire::to(port.parse().unwrap()).ask(&Ask::get(&format!("/?token={token}")));
    assert_eq!(answer.status, 303);
}
