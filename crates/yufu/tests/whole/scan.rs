//! The long poll and who hears what (`docs/facts/wechat.md` §4.2, §15.8).

use std::time::Duration;

use yufu_web::clock;

use crate::house::{Ask, Browser, House, field, until};

const WAITING: &str = "window.wx_errcode=408;window.wx_code='';";

#[track_caller]
fn says(answer: &crate::house::Answer, number: u16) {
    let body = format!("window.wx_errcode={number};window.wx_code='';");
    answer.says("text/javascript", &body);
}

#[test]
fn nothing_new_is_forty_bytes_after_the_hold_and_not_before() {
    let house = House::dev_with(&["--poll-hold", "1"]);
    let mut desk = Browser::of(&house, 0);
    let (uuid, _) = desk.qr(&house.website().0, &[]);
    let began = clock::mark();
    let answer = desk.poll(&uuid, "&_=1700000000000");
    assert!(
        began.elapsed() >= Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    answer.says("text/javascript", WAITING);
    assert_eq!(answer.body.len(), 40);
    assert_eq!(answer.header("content-length"), Some("40"));
    // With no hold the answer comes at once.
    let quick = House::dev_with(&["--poll-hold", "0"]);
    let mut desk = Browser::of(&quick, 0);
    let (uuid, _) = desk.qr(&quick.website().0, &[]);
    desk.poll(&uuid, "").says("text/javascript", WAITING);
}

#[test]
fn each_state_is_told_at_once_again_without_last_and_held_with_it() {
    let house = House::dev_with(&["--poll-hold", "1"]);
    let website = house.website();
    let mut desk = Browser::of(&house, 0);
    let mut phone = Browser::of(&house, 0);
    phone.sign_in();
    let (uuid, _) = desk.qr(&website.0, &[("state", "x")]);
    let open = |phone: &mut Browser<'_>| {
        let page = phone.get(&format!("/connect/confirm?uuid={uuid}"));
        assert_eq!(page.status, 303);
        phone.get(page.location())
    };
    let page = open(&mut phone);
    says(&desk.poll(&uuid, ""), 404);
    says(&desk.poll(&uuid, ""), 404);
    says(&desk.poll(&uuid, "&last=408"), 404);
    // §17.23: held when it was heard.
    says(&desk.poll(&uuid, "&last=404"), 408);
    // No: the code may be scanned again.
    phone.press(&page, "cancel", &[]);
    says(&desk.poll(&uuid, "&last=404"), 403);
    says(&desk.poll(&uuid, "&last=403"), 408);
    let page = open(&mut phone);
    says(&desk.poll(&uuid, "&last=403"), 404);
    let done = phone.press(&page, "allow", &[]);
    assert_eq!(done.status, 200);
    let shape = "window.wx_errcode=405;window.wx_code='<code>';";
    let first = desk.poll(&uuid, "&last=404").says("text/javascript", shape);
    // Said again to the same poller, the same.
    assert_eq!(
        desk.poll(&uuid, "&last=404").says("text/javascript", shape),
        first
    );
    house.tokens(&website, &first[0]);
    // Over for phones.
    let late = phone.get(&format!("/connect/confirm?uuid={uuid}"));
    assert_eq!(late.status, 200);
    assert!(late.header("location").is_none());
}

#[test]
fn a_held_poll_hears_of_the_scan_at_once() {
    let house = House::dev_with(&["--poll-hold", "20"]);
    let mut desk = Browser::of(&house, 0);
    let mut phone = Browser::of(&house, 0);
    phone.sign_in();
    let (uuid, _) = desk.qr(&house.website().0, &[]);
    std::thread::scope(|scope| {
        let began = clock::mark();
        let held = scope.spawn(|| desk.poll(&uuid, ""));
        phone.get(&format!("/connect/confirm?uuid={uuid}"));
        says(&held.join().unwrap(), 404);
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "{:?}",
            began.elapsed()
        );
    });
}

#[test]
fn the_uuid_alone_is_not_the_key_to_the_code() {
    let house = House::dev_with(&["--poll-hold", "0"]);
    let website = house.website();
    let (mut desk, mut phone) = (Browser::of(&house, 0), Browser::of(&house, 0));
    let mut thief = Browser::of(&house, 1);
    // The thief has a mark of its own, from a scan of its own.
    thief.qr(&website.0, &[]);
    let (uuid, _) = desk.qr(&website.0, &[]);
    phone.go_through(&format!("/connect/confirm?uuid={uuid}"), "allow");
    for more in ["", "&last=404", "&f=json"] {
        let bare = house.get(&format!("/connect/l/qrconnect?uuid={uuid}{more}"));
        assert!(!bare.text().contains("405"), "{}", bare.text());
        assert!(!thief.poll(&uuid, more).text().contains("405"));
    }
    // The owner still gets it, and only then is there one.
    let answer = desk.poll(&uuid, "&last=404");
    let holes = answer.says(
        "text/javascript",
        "window.wx_errcode=405;window.wx_code='<code>';",
    );
    assert!(!thief.poll(&uuid, "").text().contains("405"));
    house.tokens(&website, &holes[0]);
}

#[test]
fn what_is_no_scan_is_an_expired_one() {
    let house = House::dev_with(&["--poll-hold", "0"]);
    let long = "a".repeat(65);
    for uuid in [
        "",
        "x",
        "0000000000000000",
        &long,
        "%ff",
        "..%2f..%2f",
        "<script>",
    ] {
        says(
            &house.get(&format!(
                "/connect/l/qrconnect?uuid={}",
                uuid.replace('<', "%3C").replace('>', "%3E")
            )),
            402,
        );
    }
    says(&house.get("/connect/l/qrconnect"), 402);
    says(&house.ask(&Ask::new("POST", "/connect/l/qrconnect")), 500);
    for target in [
        "/connect/qrcode/0000000000000000",
        "/connect/qrcode/x",
        "/connect/qrcode/%2e%2e",
    ] {
        assert_eq!(house.get(target).status, 404, "{target}");
    }
}

#[test]
fn the_picture_is_a_jpeg_and_the_page_holds_what_scrapers_look_for() {
    let house = House::dev();
    let mut desk = Browser::of(&house, 0);
    let (uuid, page) = desk.qr(&house.website().0, &[("state", "a\"b<c>&é")]);
    let text = page.text();
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    for part in [
        "qrcode lightBorder js_qrcode_img",
        "id=\"wx_default_tip\"",
        "id=\"wx_after_scan\"",
        "id=\"wx_after_cancel\"",
        "impowerBox",
        "js_status",
    ] {
        assert!(text.contains(part), "{part} is missing (§4.1)");
    }
    assert!(!text.contains("a\"b<c>"), "the state is escaped");
    let picture = desk.get(&format!("/connect/qrcode/{uuid}"));
    assert_eq!(
        (picture.status, picture.header("content-type")),
        (200, Some("image/jpeg"))
    );
    assert_eq!(picture.body[..3], [0xff, 0xd8, 0xff]);
    // f=xml renews by script: another uuid, polled with the same cookie.
    let target = "http://localhost/cb";
    let xml = desk.get(&format!(
        "/connect/qrconnect?appid={}&redirect_uri={target}&response_type=code&scope=snsapi_login&f=xml",
        house.website().0
    ));
    assert_eq!(
        (xml.status, xml.header("content-type")),
        (200, Some("text/xml"))
    );
    let fresh = xml
        .text()
        .strip_prefix("<xml><uuid>")
        .and_then(|t| t.strip_suffix("</uuid></xml>"));
    let fresh = fresh.unwrap_or_else(|| panic!("{}", xml.text()));
    assert!(fresh.len() == 16 && fresh != uuid, "{fresh}");
    let mut phone = Browser::of(&house, 0);
    phone.go_through(&format!("/connect/confirm?uuid={fresh}"), "allow");
    assert!(desk.poll(fresh, "").text().contains("wx_errcode=405"));
}

#[test]
fn a_scan_that_is_over_answers_402() {
    let temp = crate::house::Temp::new();
    let config = crate::serve::settings(
        &temp,
        "http://127.0.0.1:1",
        "[wechat]\npoll_hold = 5\nscan_life = 1\n",
    );
    let house = House::serve(&config);
    let appid = crate::serve::website(&house).0;
    let mut desk = Browser::new(&house, (String::new(), String::new()));
    let page = desk.get(&format!(
        "/connect/qrconnect?appid={appid}&redirect_uri=https%3A%2F%2Fwww.example.com%2Fcb&response_type=code&scope=snsapi_login"
    ));
    let uuid = field(page.text(), "src=\"/connect/qrcode/")
        .unwrap()
        .to_owned();
    // A held poll hears of the end, too.
    says(&desk.poll(&uuid, ""), 402);
    until("the picture goes", || {
        house.get(&format!("/connect/qrcode/{uuid}")).status == 404
    });
}
