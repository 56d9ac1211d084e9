//! Exchanges find their login, and the login comes to the right end.

use yufu_core::time::Timestamp;

use super::super::fold::read;
use super::super::shelf::Limits;
use super::super::show::{Summary, Whole};
use super::scene::{
    APPID, Ask, CALLBACK, OPENID, STATE, Scene, code, enc, error, exchange, interaction,
    scan_query, token, tokens, uuid,
};
use crate::sandbox::seen::{Behind, Lane, Note, Tie};

#[test]
fn a_login_by_scan_is_one_flow() {
    let mut scene = Scene::new();
    scene.qr(1, &scan_query(STATE));
    scene.plays(Ask::get(&format!(
        "/connect/qrcode/{}",
        super::scene::uuid(1)
    )));
    for _ in 0..3 {
        scene.poll(1, 408, "");
    }
    scene.phone(1, "allow");
    scene.poll(1, 405, &code(1));
    scene.paid(&code(1), 1);
    scene.profile(1, OPENID);
    assert!(
        scene.flows.iter().all(|flow| *flow == Some(1)),
        "{:?}",
        scene.flows
    );
    let flow = scene.json(Some(1));
    assert_eq!(flow["state"], "logged_in", "{flow:#}");
    assert_eq!(flow["step"], "the profile was read");
    assert_eq!(flow["door"], "scan");
    assert_eq!(flow["person"], "mei");
    assert_eq!(flow["client"]["name"], "小屋 Rooms");
    assert_eq!(flow["findings"].as_array().unwrap().len(), 0, "{flow:#}");
    let arrows: Vec<String> = flow["arrows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|arrow| {
            format!(
                "{} {}→{} {} {} ×{}",
                arrow["n"],
                arrow["from"].as_str().unwrap(),
                arrow["to"].as_str().unwrap(),
                arrow["label"].as_str().unwrap(),
                arrow["result"].as_str().unwrap_or("-"),
                arrow["count"]
            )
        })
        .collect();
    let expected = [
        "1 browser→platform GET /connect/qrconnect 200 ×1",
        "2 browser→platform GET /connect/qrcode/… cut ×1",
        "3 browser→platform GET /connect/l/qrconnect 408 ×3",
        "4 user→platform GET /connect/confirm 303 ×1",
        "5 user→platform POST /interaction/… 303 ×1",
        "6 user→platform POST /interaction/… 200 ×1",
        "7 browser→platform GET /connect/l/qrconnect 405 ×1",
        "8 browser→backend GET /login/callback - ×1",
        "9 backend→platform GET /sns/oauth2/access_token 200 ×1",
        "10 backend→platform GET /sns/userinfo 200 ×1",
    ];
    assert_eq!(arrows, expected);
}

#[test]
fn a_refused_code_is_a_failed_login() {
    let mut scene = Scene::new();
    scene.qr(1, &scan_query(STATE));
    scene.phone(1, "allow");
    scene.poll(1, 405, &code(1));
    let flow = scene.exchange(&code(1), &error(40125, "invalid appsecret"));
    let json = scene.json(flow);
    assert_eq!(json["state"], "failed");
    assert_eq!(json["step"], "the code was refused: 40125");
    assert_eq!(scene.findings(flow), ["secret_wrong"]);
    // The code is still good.
    let flow = scene.paid(&code(1), 1);
    assert_eq!(scene.json(flow)["state"], "logged_in");
    // A code that nobody saw is a flow of its own.
    let other = scene.says(exchange(&code(77)), &error(40029, "invalid code"));
    assert_ne!(other, flow);
    assert_eq!(scene.json(other)["door"], "other");
}

#[test]
fn a_login_by_scan_reads_well_as_text() {
    let mut scene = Scene::new();
    scene.qr(1, &scan_query(STATE));
    scene.poll(1, 408, "");
    scene.wait(4000);
    scene.phone(1, "allow");
    scene.poll(1, 405, &code(1));
    let flow = scene.paid(&code(1), 1);
    scene.profile(1, OPENID);
    scene.exchange(&code(1), &error(40163, "code been used"));
    let text = scene.flow(flow, super::super::picture::write);
    super::fresh("flow.golden.txt", &text);
}

fn in_client_target(state: &str) -> String {
    format!(
        "/connect/oauth2/authorize?appid={APPID}&redirect_uri={}&response_type=code&scope=snsapi_userinfo&state={state}",
        enc(CALLBACK)
    )
}

#[test]
fn an_in_client_login_goes_over_its_pages() {
    let mut scene = Scene::new();
    let page = format!("/interaction/{}", interaction(1));
    let html = [("content-type", "text/html; charset=utf-8")];
    scene.leads(
        Ask::get(&in_client_target(STATE)).by_browser(""),
        303,
        &page,
    );
    scene.answers(Ask::get(&page).by_browser(""), 200, &html, "<p>sign in</p>");
    let back = format!("{CALLBACK}?code={}&state={STATE}", code(1));
    scene.leads(Ask::form(&page, "csrf=abcdefgh&act=allow"), 303, &back);
    scene.callback(&format!("code={}&state={STATE}", code(1)), 303);
    scene.exchange(&code(1), &tokens(1, "snsapi_userinfo"));
    let flow = scene.profile(1, OPENID);
    assert_eq!(flow, Some(1));
    assert!(
        scene.flows.iter().all(|flow| *flow == Some(1)),
        "{:?}",
        scene.flows
    );
    let json = scene.json(flow);
    assert_eq!(
        (&json["door"], &json["state"]),
        (&"in_client".into(), &"logged_in".into())
    );
    assert_eq!(json["person"], "wei", "whose code it is");
    let notes: Vec<_> = json["arrows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a["note"].clone())
        .collect();
    assert!(
        notes.contains(&"agreed".into()) && notes.contains(&"comes back".into()),
        "{notes:?}"
    );
    assert!(
        json["arrows"]
            .as_array()
            .unwrap()
            .iter()
            .all(|a| a["presumed"] == false)
    );
}

#[test]
fn who_says_no_is_a_denied_login_at_every_door() {
    let mut scene = Scene::new();
    let page = format!("/interaction/{}", interaction(1));
    scene.leads(Ask::get(&in_client_target(STATE)), 303, &page);
    let back = format!("{CALLBACK}?state={STATE}");
    let flow = scene.leads(Ask::form(&page, "act=deny"), 303, &back);
    assert_eq!(scene.json(flow)["state"], "denied");
    // An app that answers 401 to a no does right.
    assert_eq!(scene.callback(&format!("state={STATE}"), 401), flow);
    assert_eq!(scene.json(flow)["state"], "denied");
    // By scan the page stays, and may be scanned again.
    scene.qr(2, &scan_query(STATE));
    scene.phone(2, "cancel");
    let flow = scene.poll(2, 403, "");
    assert_eq!(scene.json(flow)["step"], "the person turned away");
    scene.phone(2, "allow");
    scene.poll(2, 405, &code(2));
    assert_eq!(scene.json(flow)["state"], "returned");
    // A native app hears a number.
    let target = format!(
        "/connect/app/authorize?appid={APPID}&scope=snsapi_userinfo&state={STATE}&platform=ios&bundle=com.example.rooms"
    );
    let back = format!("{APPID}://oauth?errcode=-2&state={STATE}");
    let flow = scene.leads(Ask::get(&target), 302, &back);
    let json = scene.json(flow);
    assert_eq!(
        (&json["door"], &json["state"]),
        (&"native".into(), &"denied".into())
    );
    assert_eq!(json["arrows"][0]["from"], "app");
    assert_eq!(json["arrows"][1]["to"], "app", "{json:#}");
}

#[test]
fn a_qr_code_that_runs_out_is_expired_and_what_nobody_minds_too() {
    let mut scene = Scene::new();
    scene.qr(1, &scan_query(STATE));
    let flow = scene.poll(1, 402, "");
    assert_eq!(scene.json(flow)["step"], "the QR code ran out");
    let idle = scene.qr(2, &scan_query("anotherState12345678"));
    scene.wait(599_000);
    scene.fold.sweep(scene.now);
    assert_eq!(scene.json(idle)["state"], "open");
    scene.wait(10_000);
    scene.fold.sweep(scene.now);
    assert_eq!(scene.json(idle)["state"], "expired");
    // A poll of it later says nothing else.
    assert_eq!(scene.poll(2, 408, ""), idle);
}

#[test]
fn what_people_do_without_a_request_joins_by_its_ties() {
    let mut scene = Scene::new();
    scene.qr(1, &scan_query(STATE));
    let flow = scene.notes("scanned", &[(Tie::Uuid, &uuid(1))]);
    assert_eq!(flow, Some(1));
    assert_eq!(scene.json(flow)["person"], "mei");
    scene.notes("agreed", &[(Tie::Uuid, &uuid(1)), (Tie::Code, &code(1))]);
    assert_eq!(scene.paid(&code(1), 1), flow, "by the code of the note");
    // Tied to nothing: the person's latest login at this app, or none.
    assert_eq!(scene.notes("pushed", &[]), flow);
    for (person, client) in [
        (Some("wei"), Some(APPID)),
        (Some("mei"), Some("wx0000000000000001")),
        (None, Some(APPID)),
        (Some("mei"), None),
    ] {
        let note = Note {
            at: Timestamp(scene.now),
            from: Lane::User,
            to: Lane::Platform,
            what: "pushed",
            detail: String::new(),
            person: person.map(str::to_owned),
            client: client.map(str::to_owned),
            ties: Vec::new(),
        };
        assert_eq!(scene.fold.noted(&note), None, "{person:?} {client:?}");
    }
    // A code that was given without any page begins a flow, and the appid before a state is none.
    let state = format!("{APPID} aStateOfItsOwn12345");
    let own = scene.notes("returned", &[(Tie::Code, &code(2)), (Tie::State, &state)]);
    assert_ne!(own, flow);
    assert_eq!(scene.paid(&code(2), 2), own);
    assert_eq!(scene.callback("state=aStateOfItsOwn12345", 200), own);
}

#[test]
fn the_login_backend_and_the_demo_stand_in_their_lanes() {
    let mut scene = Scene::new();
    let prepared = format!(
        "{{\"code\":0,\"msg\":\"ok\",\"data\":{{\"state\":\"{STATE}\",\"scope\":\"snsapi_login\"}}}}"
    );
    let ask =
        Ask::new(Behind::Login, "POST", "/user/wechat/prepare").body("{\"purpose\":\"login\"}");
    scene.says(ask, &prepared);
    let to = format!(
        "http://127.0.0.1:8420/connect/qrconnect?{}#wechat_redirect",
        scan_query(STATE)
    );
    scene.leads(
        Ask::new(Behind::Demo, "GET", "/login/scan").by_browser(""),
        303,
        &to,
    );
    scene.qr(1, &scan_query(STATE));
    scene.phone(1, "allow");
    scene.poll(1, 405, &code(1));
    scene.paid(&code(1), 1);
    let body = format!("{{\"code\":\"{}\",\"state\":\"{STATE}\"}}", code(1));
    let answer = "{\"code\":0,\"msg\":\"ok\",\"data\":{\"bind_ticket\":\"1BindBindBindBindBind0123456789\"}}";
    scene.says(
        Ask::new(Behind::Login, "POST", "/user/wechat/login").body(&body),
        answer,
    );
    let target = format!("/callback/scan?code={}&state={STATE}", code(1));
    scene.leads(
        Ask::new(Behind::Demo, "GET", &target).by_browser(""),
        303,
        "/bind",
    );
    let body = "{\"bind_ticket\":\"1BindBindBindBindBind0123456789\",\"phone\":\"13800000001\",\"sms_code\":\"246810\"}";
    let bound = "{\"code\":0,\"msg\":\"ok\",\"data\":{\"token\":\"1SessSessSessSess0123\"}}";
    scene.says(
        Ask::new(Behind::Login, "POST", "/user/wechat/bind").body(body),
        bound,
    );
    // What is no part of it stays out.
    let me = Ask::new(Behind::Login, "GET", "/user/me");
    assert_eq!(scene.says(me, "{\"code\":0,\"data\":{}}"), None);
    assert_eq!(
        scene.answers(Ask::new(Behind::Demo, "GET", "/me"), 200, &[], ""),
        None
    );
    scene.flows.truncate(scene.flows.len() - 2);
    assert!(
        scene.flows.iter().all(|flow| *flow == Some(1)),
        "{:?}",
        scene.flows
    );
    let json = scene.json(Some(1));
    let lanes: Vec<String> = json["arrows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| {
            format!(
                "{}→{}",
                a["from"].as_str().unwrap(),
                a["to"].as_str().unwrap()
            )
        })
        .collect();
    for lane in [
        "app→backend",
        "browser→app",
        "user→platform",
        "backend→platform",
    ] {
        assert!(lanes.iter().any(|known| known == lane), "{lane}: {lanes:?}");
    }
    assert_eq!(json["step"], "bound: the app has a session");
    assert_eq!(json["findings"], serde_json::json!([]));
    // The backend says no.
    let flow = scene.says(
        Ask::new(Behind::Login, "POST", "/user/wechat/login")
            .body(&format!("{{\"code\":\"{}\",\"state\":\"x\"}}", code(1))),
        "{\"code\":2002,\"msg\":\"used\",\"data\":{}}",
    );
    assert_eq!(scene.json(flow)["state"], "failed");
}

#[test]
fn logins_at_once_do_not_mix() {
    let mut scene = Scene::new();
    let state = |n: u32| format!("aStateThatDiffers{n:08}");
    for n in 1..=50 {
        scene.qr(n, &scan_query(&state(n)));
    }
    for n in (1..=50).rev() {
        scene.phone(n, "allow");
    }
    for n in 1..=50 {
        scene.poll(n, 405, &code(n));
    }
    for n in (1..=50).rev() {
        let flow = scene.paid(&code(n), n);
        assert_eq!(flow, Some(u64::from(n)));
        assert_eq!(scene.profile(n, OPENID), flow);
    }
    for n in 1..=50 {
        assert_eq!(scene.json(Some(n))["state"], "logged_in");
    }
}

#[test]
fn a_browser_that_loads_the_page_again_stays_in_its_login() {
    let mut scene = Scene::new();
    let first = scene.qr(1, &scan_query(STATE));
    let again = Ask::get(&format!("/connect/qrconnect?{}", scan_query(STATE)))
        .by_browser(&interaction(901));
    let page = format!("<img src=\"/connect/qrcode/{}\">", uuid(2));
    let html = [("content-type", "text/html")];
    assert_eq!(scene.answers(again, 200, &html, &page), first);
    assert_eq!(scene.poll(2, 408, ""), first);
    // Another browser with the same address is another login.
    assert_ne!(scene.qr(3, &scan_query(STATE)), first);
}

#[test]
fn many_of_the_same_are_counted_and_a_flow_stays_small() {
    let mut scene = Scene::new();
    let flow = scene.login(1, STATE);
    for _ in 0..5000 {
        assert_eq!(scene.profile(1, OPENID), flow);
    }
    let (arrows, counted, weight) = scene.flow(flow, |flow| {
        let counted: u32 = flow.arrows.iter().map(|arrow| arrow.count).sum();
        (flow.arrows.len(), counted, flow.weight())
    });
    assert!(arrows <= 200, "{arrows}");
    assert_eq!(
        counted as usize,
        scene.flows.len() + 1,
        "and one that is presumed"
    );
    assert!(weight < 300_000, "{weight}");
}

#[test]
fn what_is_over_goes_first_when_there_is_too_much() {
    let limits = Limits {
        flows: 10,
        bytes: usize::MAX,
    };
    let mut scene = Scene::with(limits);
    let state = |n: u32| format!("aStateThatDiffers{n:08}");
    let open = scene.qr(1, &scan_query(&state(1)));
    for n in 2..=14 {
        scene.login(n, &state(n));
    }
    let shelf = read(&scene.shelf);
    assert_eq!((shelf.before(None).count(), shelf.dropped()), (10, 4));
    assert!(shelf.get(open.unwrap()).is_some(), "it is still open");
    assert!(shelf.get(2).is_none() && shelf.get(14).is_some());
    drop(shelf);
    // What went is not found any more: its token is a flow of its own.
    let late = scene.profile(2, "oV2abKsomebodyElse0000000000");
    assert!(late > Some(14), "{late:?}");
    // Many that are open and old do not push out those that just ended.
    for n in 20..40 {
        scene.qr(n, &scan_query(&state(n)));
    }
    let done = scene.login(50, &state(50));
    assert!(read(&scene.shelf).get(done.unwrap()).is_some());
}

#[test]
fn the_bytes_of_all_flows_are_bounded() {
    let limits = Limits {
        flows: usize::MAX,
        bytes: 200_000,
    };
    let mut scene = Scene::with(limits);
    for n in 1..=200 {
        scene.login(n, &format!("aStateThatDiffers{n:08}"));
    }
    let shelf = read(&scene.shelf);
    let kept: usize = shelf.before(None).map(|flow| flow.weight()).sum();
    assert!(kept <= 200_000, "{kept}");
    assert!(shelf.dropped() > 0 && shelf.before(None).count() > 10);
}

#[test]
fn forgetting_forgets_all_and_readers_notice() {
    let mut scene = Scene::new();
    scene.login(1, STATE);
    let (version, epoch) = (scene.fold.version(), read(&scene.shelf).epoch());
    scene.fold.clear();
    let shelf = read(&scene.shelf);
    assert_eq!(shelf.before(None).count(), 0);
    assert!(shelf.version() > version && shelf.epoch() > epoch);
    drop(shelf);
    let late = scene.profile(1, OPENID);
    assert_eq!(late, Some(2), "numbers go on");
}

#[test]
fn readers_are_told_each_flow_once_as_it_is_now() {
    let mut scene = Scene::new();
    scene.login(1, STATE);
    let before = scene.fold.version();
    scene.login(2, "anotherState12345678");
    scene.profile(1, OPENID);
    let shelf = read(&scene.shelf);
    let changed: Vec<u64> = shelf.changed_after(before).map(|flow| flow.no).collect();
    assert_eq!(changed, [2, 1]);
    assert_eq!(shelf.changed_after(shelf.version()).count(), 0);
}

#[test]
fn the_sample_of_the_json_is_fresh() {
    let mut scene = Scene::new();
    scene.qr(
        1,
        &scan_query(STATE).replace(
            &enc(CALLBACK),
            &enc("https://www.example.com:8443/login/callback"),
        ),
    );
    scene.poll(1, 408, "");
    scene.poll(1, 408, "");
    scene.wait(4000);
    scene.phone(1, "allow");
    scene.poll(1, 405, &code(1));
    scene.paid(&code(1), 1);
    let target = format!("/sns/userinfo?access_token={}&openid={OPENID}", token(1));
    scene.says(
        Ask::call(&target).fault("slow").took(700),
        super::scene::PROFILE,
    );
    let flow = scene.exchange(&code(1), &error(40163, "code been used"));
    scene.qr(2, &scan_query("aSecondState12345678"));
    scene.phone(2, "cancel");
    scene.poll(2, 403, "");
    scene.qr(3, &scan_query("STATE"));
    scene.exchange(&code(4), &error(40029, "invalid code"));
    let shelf = read(&scene.shelf);
    let flows: Vec<_> = shelf.before(None).map(Summary::of).collect();
    let sample = serde_json::json!({
        "list": { "flows": flows, "next": null, "total": 4, "dropped": 0 },
        "flow": Whole::of(shelf.get(flow.unwrap()).unwrap()),
        "stream": [
            { "event": "flows", "data": flows },
            { "event": "cleared", "data": {} },
        ],
    });
    let text = serde_json::to_string_pretty(&sample).unwrap();
    super::fresh("flow.sample.json", &format!("{text}\n"));
}

#[test]
fn an_address_that_is_asked_for_without_a_browser_may_be_asked_for_twice() {
    let mut scene = Scene::new();
    let back = format!("{CALLBACK}?code={}&state={STATE}", code(1));
    let bare = || {
        let mut ask = Ask::get(&format!("/connect/qrconnect?{}", scan_query(STATE)));
        ask.seen.headers.clear();
        ask
    };
    let first = scene.leads(bare(), 302, &back);
    assert_eq!(scene.notes("agreed", &[(Tie::Code, &code(1))]), first);
    assert_eq!(
        scene.json(first)["step"],
        "the code is on its way to the app"
    );
    // The page stays where the person says no.
    let second = scene.answers(bare(), 200, &[], "");
    assert_ne!(first, second);
    assert_eq!(scene.json(second)["state"], "denied");
    assert_eq!(scene.findings(second), [""; 0]);
    let given = scene.notes("agreed", &[(Tie::Code, &code(2))]);
    assert_eq!(scene.json(given)["state"], "returned");
}
