//! How fast the one thread is, and how much a flow keeps. Not a test: run it by hand, optimised, as
//! `cargo test --release -p yufu --lib flow::tests::pace -- --ignored --nocapture`.

use yufu_web::clock;

use super::super::fold::read;
use super::scene::{
    Ask, BROWSER, OPENID, PROFILE, Scene, code, exchange, interaction, scan_query, token, tokens,
    uuid,
};

/// How many logins.
const LOGINS: u32 = 12_000;

/// A page as big as the platform's, with the lines that differ and those that do not.
fn page(n: u32) -> String {
    let line = "<div class=\"status status_browser js_status js_wx_default_tip\" id=\"wx_default_tip\"><p>Scan with the app on your phone</p></div>\n";
    format!(
        "<!DOCTYPE html>\n<div id=\"scan\" data-uuid=\"{0}\" data-poll=\"/connect/l/qrconnect\">\n<img class=\"qrcode lightBorder js_qrcode_img\" src=\"/connect/qrcode/{0}\">\n{1}",
        uuid(n),
        line.repeat(36)
    )
}

fn headers(ask: Ask) -> Ask {
    ask.header("user-agent", BROWSER)
        .header(
            "accept",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        )
        .header("accept-language", "zh-CN,zh;q=0.9,en;q=0.8")
        .header("accept-encoding", "gzip, deflate, br")
        .header("sec-fetch-mode", "navigate")
        .header("sec-fetch-site", "cross-site")
}

#[test]
#[ignore = "a measurement"]
fn exchanges_a_second() {
    let mut scene = Scene::new();
    let began = clock::mark();
    let answer = [
        ("content-type", "text/html; charset=utf-8"),
        (
            "content-security-policy",
            "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'self'",
        ),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
    ];
    let mut exchanges = 0;
    for n in 0..LOGINS {
        let state = format!("aStateThatDiffers{n:08}");
        let ask = headers(Ask::get(&format!(
            "/connect/qrconnect?{}",
            scan_query(&state)
        )));
        scene.answers(ask, 200, &answer, &page(n));
        let target = format!("/connect/l/qrconnect?uuid={}&last=404", uuid(n));
        let ask = headers(Ask::get(&target)).by_browser(&interaction(n));
        let body = format!("window.wx_errcode=405;window.wx_code='{}';", code(n));
        scene.answers(ask, 200, &[("content-type", "text/javascript")], &body);
        scene.says(exchange(&code(n)), &tokens(n, "snsapi_login"));
        let target = format!("/sns/auth?access_token={}&openid={OPENID}", token(n));
        scene.says(Ask::call(&target), "{\"errcode\":0,\"errmsg\":\"ok\"}");
        let target = format!("/sns/userinfo?access_token={}&openid={OPENID}", token(n));
        scene.says(Ask::call(&target), PROFILE);
        exchanges += 5;
    }
    let took = began.elapsed();
    let shelf = read(&scene.shelf);
    let kept = shelf.before(None).count();
    let weight: usize = shelf.before(None).map(|flow| flow.weight()).sum();
    assert!(scene.flows.iter().all(Option::is_some));
    println!(
        "{exchanges} exchanges of {LOGINS} logins in {took:?}: {:.0} a second, {:.1} µs each",
        f64::from(exchanges) / took.as_secs_f64(),
        took.as_secs_f64() * 1e6 / f64::from(exchanges)
    );
    println!(
        "{kept} flows keep {} kB, {} bytes each",
        weight / 1000,
        weight / kept
    );
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    for line in status.lines().filter(|line| line.starts_with("VmRSS")) {
        println!("{line}");
    }
}
