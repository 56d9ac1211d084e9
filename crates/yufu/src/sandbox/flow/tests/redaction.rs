//! No secret is in anything that is told of a flow, wherever it stood and however it was written.

use proptest::prelude::*;

use super::super::finding::document;
use super::super::picture;
use super::super::show::{Summary, Whole};
use super::scene::{Ask, OPENID, STATE, Scene, code, enc, interaction, scan_query, token, uuid};
use crate::sandbox::seen::Behind;

/// Everything that is told of the flows of a scene.
fn told(scene: &Scene) -> String {
    let shelf = super::super::fold::read(&scene.shelf);
    let mut all = String::new();
    for flow in shelf.before(None) {
        all.push_str(&serde_json::to_string(&Whole::of(flow)).unwrap());
        all.push_str(&serde_json::to_string(&Summary::of(flow)).unwrap());
        all.push_str(&picture::write(flow));
    }
    all
}

/// How a value may come out: as it is, and as JSON and addresses write it.
fn spellings(value: &str) -> Vec<String> {
    let json = serde_json::to_string(value).unwrap();
    let json = json[1..json.len() - 1].to_owned();
    let twice = serde_json::to_string(&json).unwrap();
    let twice = twice[1..twice.len() - 1].to_owned();
    vec![
        value.to_owned(),
        enc(value),
        enc(&enc(value)),
        json.replace('/', "\\/"),
        json,
        twice,
    ]
}

#[track_caller]
fn hides(all: &str, secret: &str) {
    for spelled in spellings(secret) {
        if let Some(at) = all.find(&spelled) {
            let from = all[..at]
                .char_indices()
                .rev()
                .nth(80)
                .map_or(0, |(at, _)| at);
            let to = all[at..]
                .char_indices()
                .nth(120)
                .map_or(all.len(), |(n, _)| at + n);
            panic!("{spelled} is told: {}", &all[from..to]);
        }
    }
}

#[test]
fn the_secrets_of_a_login_are_nowhere() {
    let mut scene = Scene::new();
    scene.login(1, STATE);
    scene.callback(&format!("code={}&state={STATE}", code(1)), 303);
    let all = told(&scene);
    for secret in [
        code(1).as_str(),
        &token(1),
        &token(1_000_001),
        &uuid(1),
        &interaction(1),
        &interaction(901),
        STATE,
        super::scene::SECRET,
        "yufu-dev-2026",
        "13800000001",
        "1CsrfCsrfCsrfCsrf0123456789",
        "s3cr3tSessionValue0001",
    ] {
        hides(&all, secret);
    }
    assert!(
        all.contains("梅 Zoé 🐟") && all.contains(OPENID),
        "names stay"
    );
    assert!(all.contains("phone=%2B86138*****001"), "{all}");
}

#[test]
fn one_value_has_one_mark_wherever_it_stands() {
    let mut scene = Scene::new();
    scene.login(1, STATE);
    let all = told(&scene);
    let mark = all
        .split("wx_code='code‹")
        .nth(1)
        .unwrap()
        .split('…')
        .next()
        .unwrap();
    assert!(all.contains(&format!("&code=code‹{mark}…›")), "{mark}");
}

/// The places where a secret may stand, each with the text around it.
const PLACES: &[(&str, &str)] = &[
    ("query", "secret={}"),
    ("query", "a=b&access_token={}&c=d"),
    (
        "query",
        "next=https%3A%2F%2Fa.example%2F%3Fcode%3D{}%26x%3D1",
    ),
    (
        "query",
        "next=https%253A%252F%252Fa.example%252F%253Fcode%253D{}%2526x%253D1",
    ),
    ("form", "password={}&act=x"),
    ("form", "user[password]={}&act=x"),
    ("form", "user%5Bpassword%5D={}&act=x"),
    ("form", "csrf={}"),
    ("form", "phone=1&sms_code={}"),
    ("json", "{\"code\":\"{}\"}"),
    ("json", "{ \"data\" : { \"bind_ticket\" : \"{}\" } }"),
    ("json", "{\"session_key\":\"{}\",\"openid\":\"o\"}"),
    ("json", "{\"tokens\":{\"refreshToken\":\"{}\"}}"),
    ("json", "{\"device_secret\":\"{}\""),
    ("json", "{\"text\":\"{\\\"encryptedData\\\":\\\"{}\\\"}\"}"),
    ("json", "[{\"sdk_ticket\":[\"{}\"]}]"),
    ("json", "[{\"name\":\"password\",\"value\":\"{}\"}]"),
    ("html", "<input type=\"hidden\" name=\"csrf\" value=\"{}\">"),
    ("html", "<input value='{}' id=x name='password'>"),
    ("html", "<div data-state=\"{}\">"),
    ("html", "<a href=\"/cb?x=1&amp;code={}&amp;y\">"),
    ("html", "<script>window.wx_code='{}';</script>"),
    ("html", "<script>const password = `{}`;</script>"),
    ("html", "<a href=\"/cb?x&#x3D;1&amp;code&#x3D;{}&amp;y\">"),
    (
        "html",
        "<script>go(\"\\/cb?x\\u003d1\\u0026code\\u003d{}\\u0026y\")</script>",
    ),
    ("html", "<meta name=\"csrf-token\" content=\"{}\">"),
    (
        "html",
        "<p data-x=\"{&quot;access_token&quot;:&quot;{}&quot;}\">",
    ),
    ("xml", "<xml><Encrypt><![CDATA[{}]]></Encrypt></xml>"),
    ("xml", "<xml><uuid>{}</uuid></xml>"),
    (
        "multipart",
        "--x\r\nContent-Disposition: form-data; name=\"code\"\r\n\r\n{}\r\n--x--",
    ),
    (
        "multipart",
        "--x\r\nContent-Disposition: form-data; name=\"password\"\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Length: 9\r\n\r\n{}\r\n--x--",
    ),
    (
        "multipart",
        "--x\r\nContent-Disposition: form-data; name=\"secret\"; filename=\"s\"\r\n\r\n{}\r\n--x--",
    ),
    (
        "multipart",
        "--x\nContent-Disposition: form-data; name=\"password\"\n\n{}\n--x--\n",
    ),
    (
        "multipart",
        "--x\r\nContent-Disposition: form-data; name=password\r\n\r\n{}\r\n--x--",
    ),
    ("header:authorization", "Bearer {}"),
    ("header:cookie", "a=b; sid={}"),
    ("header:x-yufu-device", "{}"),
    ("header:x-csrf-token", "{}"),
    ("header:referer", "https://a.example/cb?code={}&state=1"),
    ("answer:set-cookie", "sid={}; Path=/; HttpOnly"),
    ("answer:location", "https://a.example/cb?code={}&state=1"),
    ("answer:location", "/interaction/{}"),
];

/// A request and an answer with a text in one place, and the same value again elsewhere in it.
fn planted(scene: &mut Scene, place: &str, text: &str, again: &str) {
    let target = format!("/sns/auth?openid={OPENID}");
    let html = "text/html; charset=utf-8";
    let answer = |scene: &mut Scene, ask: Ask, headers: &[(&str, &str)], body: &str| {
        scene.answers(ask, 200, headers, body);
    };
    match place.split_once(':') {
        Some(("header", name)) => answer(scene, Ask::call(&target).header(name, text), &[], again),
        Some((_, name)) => answer(scene, Ask::call(&target), &[(name, text)], again),
        None if place == "query" => {
            answer(scene, Ask::call(&format!("{target}&{text}")), &[], again);
        }
        None if place == "form" => {
            let ask = Ask::form(&target, text);
            answer(scene, ask, &[("content-type", html)], again);
        }
        None => {
            let ask = Ask::call(&format!("{target}&other={}", enc(again)));
            answer(scene, ask, &[("content-type", html)], text);
        }
    }
}

fn written(place: &str, text: &str, secret: &str) -> String {
    let inside_json = text.contains("\\\"");
    let secret = match place {
        "json" => {
            let once = serde_json::to_string(secret).unwrap();
            let once = once[1..once.len() - 1].to_owned();
            if inside_json {
                let twice = serde_json::to_string(&once).unwrap();
                twice[1..twice.len() - 1].to_owned()
            } else {
                once
            }
        }
        "query" if text.contains("%253D") => enc(&enc(&enc(secret))),
        "query" | "form" if text.contains("%3D") => enc(&enc(secret)),
        "query" | "form" | "header:referer" | "answer:location" => enc(secret),
        "html" if text.contains("href") || text.contains("script") => enc(secret),
        "html" => secret
            .replace('&', "&amp;")
            .replace('"', "&quot;")
            .replace('\'', "&#39;")
            .replace('<', "&lt;")
            .replace('>', "&gt;"),
        _ => secret.to_owned(),
    };
    text.replace("{}", &secret)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_stands_under_a_secrets_name_is_told_nowhere(
        at in 0..PLACES.len(),
        secret in prop_oneof![
            "[A-Za-z0-9_-]{8,60}",
            "[A-Za-z0-9+/]{10,40}={0,2}",
        ],
        around in "[ a-z<>&\"',;:.]{0,40}",
    ) {
        // A text that stands in the sample itself shows nothing.
        prop_assume!(!document().contains(&secret));
        let (place, text) = PLACES[at];
        // Cookies and headers hold no such bytes.
        let text = written(place, text, &secret);
        let mut scene = Scene::new();
        planted(&mut scene, place, &text, &format!("{around} {secret} {around}"));
        let all = told(&scene);
        hides(&all, &secret);
    }

    #[test]
    fn passwords_of_any_letters_are_told_nowhere(
        secret in "[a-zA-Z0-9 é梅!@$%&*+=?/.:;~\"'<>-]{7,30}",
        json in any::<bool>(),
        around in "[ a-z]{0,10}",
    ) {
        let secret = secret.trim().to_owned();
        prop_assume!(secret.chars().count() >= 7);
        let mut scene = Scene::new();
        if json {
            let text = serde_json::json!({ "password": secret }).to_string();
            planted(&mut scene, "json", &text, &format!("{around} {secret}"));
        } else {
            let text = format!("x=1&password={}&y=2", enc(&secret));
            planted(&mut scene, "form", &text, &format!("{around} {secret} {around}"));
        }
        hides(&told(&scene), &secret);
    }

    #[test]
    fn what_was_a_secret_once_is_one_in_later_exchanges(
        n in 1u32..1000,
        around in "[ /=&;:,.\"'<>{}]{0,30}",
    ) {
        let mut scene = Scene::new();
        scene.login(n, STATE);
        for secret in [code(n), token(n), uuid(n), interaction(n)] {
            let body = format!("{around}{secret}{around}");
            // Where letters and digits touch it, it is another word.
            let ask = Ask::new(Behind::App, "GET", &format!("/cb?code={}&state={STATE}", code(n)));
            scene.answers(ask, 200, &[("content-type", "text/plain")], &body);
            hides(&told(&scene), &secret);
        }
    }

    #[test]
    fn telephone_numbers_are_told_without_their_middle(
        head in "1[3-9]", rest in "[0-9]{9}", style in 0..5usize,
    ) {
        let number = format!("{head}{rest}");
        let mut scene = Scene::new();
        let (place, text) = match style {
            0 => ("form", format!("phone={number}")),
            1 => ("form", format!("phone=%2B86{number}")),
            2 => ("json", format!("{{\"phone\":\"+86{number}\"}}")),
            3 => ("json", format!("{{\"purePhoneNumber\":\"{number}\",\"x\":1}}")),
            _ => ("html", format!("<input name=\"phone\" value=\"{number}\"><b>{number}</b>")),
        };
        planted(&mut scene, place, &text, "");
        hides(&told(&scene), &number);
    }

    #[test]
    fn any_text_is_taken_and_all_but_the_secrets_stays(text in ".{0,200}") {
        let mut scene = Scene::new();
        planted(&mut scene, "html", &text, "");
        let mut all = String::new();
        super::super::walk::walk(&text, &mut |piece| {
            use super::super::walk::Piece;
            match piece {
                Piece::Plain(text) | Piece::Named(_, text) | Piece::Phone(text) | Piece::Word(text, _) => {
                    all.push_str(text);
                }
            }
        });
        prop_assert_eq!(all, text);
    }
}

#[test]
fn what_is_no_secret_stays_as_it_was() {
    let mut scene = Scene::new();
    let kept = "{\"errcode\":40029,\"errmsg\":\"invalid code\",\"code\":0,\"scope\":\"snsapi_login\",\"expires_in\":7200,\"token_type\":null}";
    planted(&mut scene, "html", kept, "");
    let flow = scene.json(Some(1));
    assert_eq!(flow["arrows"][0]["answer"]["body"], kept);
    let html = "<p><code>com.example</code></p><i class=\"status status_succ\" id=\"wx_after_scan\"></i><a href=\"/me?page=2\">1785100000000</a>";
    let mut scene = Scene::new();
    planted(&mut scene, "html", html, "");
    assert_eq!(scene.json(Some(1))["arrows"][0]["answer"]["body"], html);
    // A state that protects nothing is shown: that is what is wrong with it.
    let mut scene = Scene::new();
    scene.qr(1, &scan_query("STATE"));
    let url = scene.json(Some(1))["arrows"][0]["request"]["url"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(url.ends_with("&state=STATE"), "{url}");
}
