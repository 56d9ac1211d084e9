//! Requests as bytes: limits, encodings, methods, and what the parser refuses before any dialect.

use crate::house::{Ask, Browser, House, like, query};

const PATH: &str = "/sns/oauth2/access_token";

/// A target of this many bytes for a code that nobody has.
fn target_of(house: &House, length: usize) -> String {
    let (appid, secret) = house.service();
    let mut target = format!(
        "{PATH}?{}&x=",
        query(&[
            ("appid", &appid),
            ("secret", &secret),
            ("code", "c"),
            ("grant_type", "authorization_code")
        ])
    );
    target.push_str(&"a".repeat(length - target.len()));
    target
}

#[test]
fn a_request_line_over_16_kib_is_refused_in_the_dialects_tongue() {
    let house = House::dev();
    // Under the limit the request is read.
    house
        .get(&target_of(&house, 16 * 1024 - 64))
        .refuses(40029, "invalid code");
    house
        .get(&target_of(&house, 16 * 1024 + 64))
        .refuses(45002, "content size out of limit");
    house
        .get(&target_of(&house, 40_000))
        .refuses(45002, "content size out of limit");
    let long = format!("/cgi-bin/token?x={}", "a".repeat(20_000));
    house.get(&long).says(
        "application/json; encoding=utf-8",
        r#"{"errcode":45002,"errmsg":"content size out of limit rid: <rid>"}"#,
    );
    let poll = house.get(&format!("/connect/l/qrconnect?uuid={}", "a".repeat(20_000)));
    poll.says(
        "text/javascript",
        "window.wx_errcode=500;window.wx_code='';",
    );
    let page = house.get(&format!(
        "/connect/oauth2/authorize?x={}",
        "a".repeat(20_000)
    ));
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
    // What no parser would take is refused by it, and the server lives on.
    let answer = house.get(&format!("{PATH}?x={}", "a".repeat(200_000)));
    assert!([414, 431].contains(&answer.status), "{}", answer.status);
    assert_eq!(house.get("/healthz").status, 200);
}

#[test]
fn a_body_over_64_kib_is_refused_in_the_dialects_tongue() {
    let house = House::dev();
    let (appid, secret) = house.service();
    let form = |length: usize| {
        let mut form = query(&[
            ("appid", &appid),
            ("secret", &secret),
            ("code", "c"),
            ("grant_type", "authorization_code"),
        ]);
        form.push_str("&x=");
        form.push_str(&"a".repeat(length - form.len()));
        Ask::new("POST", PATH).body(form)
    };
    house.ask(&form(64 * 1024)).refuses(40029, "invalid code");
    house
        .ask(&form(64 * 1024 + 1))
        .refuses(45002, "content size out of limit");
    house
        .ask(&form(3_000_000))
        .refuses(45002, "content size out of limit");
    // Pages have the same limit.
    let mut browser = Browser::of(&house, 0);
    let page = browser.post("/account/sign-in", &[("x", &"a".repeat(70_000))]);
    assert_eq!(page.status, 200);
    assert!(page.text().contains("body too long"), "{}", page.text());
}

#[test]
fn a_body_in_chunks_is_a_body() {
    let house = House::dev();
    let service = house.service();
    let code = Browser::of(&house, 0).code(&service.0, "snsapi_userinfo");
    let form = query(&[
        ("appid", &service.0),
        ("secret", &service.1),
        ("code", &code),
        ("grant_type", "authorization_code"),
    ]);
    let mut bytes =
        format!("POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            .into_bytes();
    for piece in form.as_bytes().chunks(7) {
        bytes.extend(format!("{:x}\r\n", piece.len()).into_bytes());
        bytes.extend(piece);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n\r\n");
    let mut wire = house.wire();
    wire.send(&bytes);
    assert!(wire.answer().unwrap().text().contains("access_token"));
    // The connection is whole: a second request on it is answered.
    assert_eq!(wire.ask(&Ask::get("/healthz")).text(), "ok\n");
    // Too much in chunks, and two lengths that contradict each other.
    let mut wire = house.wire();
    wire.send(
        format!("POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").as_bytes(),
    );
    for _ in 0..5 {
        wire.send(format!("4000\r\n{}\r\n", "a".repeat(0x4000)).as_bytes());
    }
    wire.answer()
        .unwrap()
        .refuses(45002, "content size out of limit");
    let mut wire = house.wire();
    wire.send(
        format!(
            "POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"
        )
        .as_bytes(),
    );
    assert_eq!(wire.answer().unwrap().status, 400);
    assert!(wire.is_closed());
    // RFC 9112 §6.1: where both are sent the chunks count, and what follows is no second request.
    let mut wire = house.wire();
    wire.send(
        format!(
            "POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        .as_bytes(),
    );
    let first = wire.answer().unwrap();
    assert!(
        first.status == 400 || first.errcode() == 41002,
        "{}",
        first.text()
    );
}

#[test]
fn repeats_and_broken_encodings_are_read_as_the_facts_say() {
    let house = House::dev();
    let service = house.service();
    let mut browser = Browser::of(&house, 0);
    let code = browser.code(&service.0, "snsapi_userinfo");
    let good = query(&[
        ("secret", &service.1),
        ("code", &code),
        ("grant_type", "authorization_code"),
    ]);
    let call = |query: &str| house.get(&format!("{PATH}?{query}"));
    // Bytes that are no text are a value that nobody has: nothing is burnt.
    call(&format!("appid=%ff%fe&{good}")).refuses(40013, "invalid appid");
    call(&format!("appid={}&{good}&secret=%80", service.0)).refuses(40125, "invalid appsecret");
    call(&format!("appid={}&{good}&code=%c3%28", service.0)).refuses(40029, "invalid code");
    call(&format!("appid={}&{good}&grant_type=%ff", service.0))
        .refuses(40002, "invalid grant_type");
    // A stray percent is itself, and a NUL is a character.
    call(&format!("appid={}&{good}&code=%zz%", service.0)).refuses(40029, "invalid code");
    call(&format!("appid={}%00&{good}", service.0)).refuses(40013, "invalid appid");
    // The last of a repeat counts, and the query before the body (§2).
    call(&format!("appid={}&{good}&code=x", service.0)).refuses(40029, "invalid code");
    let ask = Ask::new("POST", &format!("{PATH}?appid={}&{good}", service.0))
        .body("code=x&appid=y&&&=&a&");
    assert!(house.ask(&ask).text().contains("access_token"));
    call(&format!("code=x&appid=x&appid={}&{good}&", service.0)).refuses(40163, "code been used");
    // Non-ASCII in the target itself.
    let mut wire = house.wire();
    wire.send(format!("GET {PATH}?appid=梅 HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
    let answer = wire.answer().unwrap();
    assert!(
        answer.status == 400 || answer.errcode() == 41004,
        "{answer:?}"
    );
}

/// §7.4: the parser's own 400. Nothing is rewritten in front of it.
#[test]
fn casdoors_request_line_is_the_parsers_400() {
    let house = House::dev();
    let mut wire = house.wire();
    wire.send(b"GET /sns/userinfo?access_token=x&openid=%!s(<nil>) HTTP/1.1\r\nHost: x\r\n\r\n");
    let answer = wire.answer().unwrap();
    assert_eq!((answer.status, answer.body.len()), (400, 0));
    assert!(wire.is_closed());
    assert_eq!(house.get("/healthz").status, 200);
}

#[test]
fn head_and_other_methods() {
    let house = House::dev();
    let head = house.ask(&Ask::new("HEAD", "/sns/auth"));
    assert_eq!(
        (head.status, head.header("content-type")),
        (200, Some("text/plain"))
    );
    assert!(
        head.header("content-length")
            .unwrap()
            .parse::<usize>()
            .unwrap()
            > 60
    );
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        house
            .ask(&Ask::new(method, PATH))
            .refuses(43001, "require GET method");
    }
    let page = house.ask(&Ask::new("POST", "/connect/qrconnect"));
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
    assert!(page.text().contains("43001"));
    for (method, target) in [
        ("PUT", "/account"),
        ("GET", "/account/revoke"),
        ("POST", "/healthz"),
    ] {
        assert_eq!(
            house.ask(&Ask::new(method, target)).status,
            405,
            "{method} {target}"
        );
    }
    // HEAD spends nothing: it would keep the answer to itself.
    house
        .ask(&Ask::new("HEAD", PATH))
        .header("content-length")
        .unwrap();
    let service = house.service();
    let mut browser = Browser::of(&house, 0);
    browser.sign_in();
    assert_eq!(house.ask(&Ask::new("HEAD", "/nowhere")).status, 404);
    let code = browser.code(&service.0, "snsapi_base");
    let target = format!(
        "{PATH}?appid={}&secret={}&code={code}&grant_type=authorization_code",
        service.0, service.1
    );
    house.ask(&Ask::new("HEAD", &target));
    house.tokens(&service, &code);
}

#[test]
fn requests_in_one_piece_and_in_many() {
    let house = House::dev();
    let mut wire = house.wire();
    let one = Ask::get("/sns/auth").bytes(house.port);
    let two = Ask::get("/sns/userinfo?access_token=x").bytes(house.port);
    wire.send(&[one.clone(), two, one.clone()].concat());
    let codes = [0, 1, 2].map(|_| wire.answer().unwrap().errcode());
    assert_eq!(codes, [41001, 41009, 41001], "in order");
    for byte in one.chunks(3) {
        wire.send(byte);
        std::thread::yield_now();
    }
    assert_eq!(wire.answer().unwrap().errcode(), 41001);
    // HTTP/1.0 and nonsense.
    let mut wire = house.wire();
    wire.send(b"NONSENSE\r\n\r\n");
    assert_eq!(wire.answer().unwrap().status, 400);
    // A header that never ends is cut off by size.
    let mut wire = house.wire();
    wire.send(b"GET / HTTP/1.1\r\nHost: x\r\nX: ");
    for _ in 0..40 {
        wire.send(&[b'a'; 4096]);
    }
    let answer = wire.answer();
    assert!(answer.is_none_or(|answer| answer.status == 431));
    assert_eq!(house.get("/healthz").status, 200);
}

#[test]
fn slow_headers_and_slow_bodies_are_cut_off() {
    let house = House::dev();
    let mut head = house.wire();
    head.send(b"GET /sns/auth HTTP/1.1\r\nHost: ");
    // Nothing at all, and the beginning of another version, which only TLS may bring.
    let mut silent = house.wire();
    let mut other = house.wire();
    other.send(b"PRI * HT");
    let mut idle = house.wire();
    idle.send(b"GET /sns/auth HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(idle.answer().unwrap().status, 200);
    let mut body = house.wire();
    body.send(
        format!("POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nappid=").as_bytes(),
    );
    let began = yufu_web::clock::mark();
    assert!(head.is_closed());
    assert!(silent.is_closed());
    assert!(other.is_closed());
    assert!(idle.is_closed());
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    // A body that does not come is an answer or an end, not a connection for ever.
    let answer = body.answer();
    assert!(began.elapsed().as_secs() < 36, "{:?}", began.elapsed());
    if let Some(answer) = answer {
        assert!(answer.status == 408 || answer.errcode() != 0, "{answer:?}");
    }
}

#[test]
fn no_success_holds_the_word_errcode() {
    let house = House::dev();
    let service = house.service();
    let mut browser = Browser::of(&house, 0);
    browser.sign_in();
    for _ in 0..100 {
        let code = browser.code(&service.0, "snsapi_base");
        let answer = house.exchange(&service, &code);
        assert_eq!(answer.status, 200);
        assert!(!answer.text().contains("errcode"), "{}", answer.text());
    }
    assert!(like("ab-12", "ab-<seconds>").is_some());
}
