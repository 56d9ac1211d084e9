//! Whatever comes in whatever order: nothing breaks, and each exchange is in exactly one flow.

use proptest::prelude::*;

use super::super::arrow::Kind;
use super::super::finding::judge;
use super::super::fold::read;
use super::super::picture;
use super::super::shelf::Limits;
use super::super::show::Whole;
use super::scene::{
    APPID, Ask, CALLBACK, OPENID, Scene, code, enc, error, exchange, interaction, scan_query,
    token, tokens, uuid,
};
use crate::sandbox::seen::{Behind, Tie};

/// One thing that happens, with a number that several of them may share.
fn happens(scene: &mut Scene, what: u8, n: u32, odd: &str) {
    let state = format!("aStateThatDiffers{n:08}");
    let page = format!("/interaction/{}", interaction(n));
    let back = format!("{CALLBACK}?code={}&state={state}", code(n));
    match what {
        0 => drop(scene.qr(n, &scan_query(&state))),
        1 => drop(scene.poll(n, 408, "")),
        2 => drop(scene.poll(n, 405, &code(n))),
        3 => drop(scene.phone(n, "allow")),
        4 => drop(scene.phone(n, "cancel")),
        5 => drop(scene.paid(&code(n), n)),
        6 => drop(scene.exchange(&code(n), &error(40163, "code been used"))),
        7 => drop(scene.profile(n, OPENID)),
        8 => drop(scene.callback(&format!("code={}&state={state}", code(n)), 303)),
        9 => drop(scene.leads(Ask::form(&page, "act=allow"), 303, &back)),
        10 => drop(scene.leads(Ask::get(&page), 303, odd)),
        11 => drop(scene.plays(exchange(&code(n)).fault("drop"))),
        12 => drop(scene.says(exchange(odd), odd)),
        13 => drop(scene.says(Ask::call(&format!("/sns/userinfo?{odd}")), odd)),
        14 => drop(scene.answers(
            Ask::get(&format!("/connect/qrconnect?{odd}")),
            200,
            &[],
            odd,
        )),
        15 => drop(scene.notes("agreed", &[(Tie::Uuid, &uuid(n)), (Tie::Code, &code(n))])),
        16 => drop(scene.notes("scanned", &[(Tie::State, odd)])),
        17 => {
            let target = format!(
                "/sns/oauth2/refresh_token?appid={APPID}&grant_type=refresh_token&refresh_token={}",
                token(n + 1_000_000)
            );
            scene.says(Ask::call(&target), &tokens(n, "snsapi_login"));
        }
        18 => {
            let target = format!(
                "/connect/oauth2/authorize?appid={APPID}&redirect_uri={}&state={state}&{odd}",
                enc(CALLBACK)
            );
            scene.leads(Ask::get(&target), 302, &back);
        }
        19 => drop(scene.says(
            Ask::new(Behind::Login, "POST", "/user/wechat/login").body(odd),
            odd,
        )),
        20 => drop(scene.leads(Ask::new(Behind::App, "GET", &format!("/x?{odd}")), 302, odd)),
        21 => scene.wait(700_000),
        22 => scene.fold.sweep(scene.now),
        _ => drop(scene.answers(
            Ask::get(&format!("/connect/l/qrconnect?uuid={}&{odd}", uuid(n))),
            200,
            &[],
            odd,
        )),
    }
}

/// Texts as they should not be, and as they nearly should.
fn odd() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[ -~]{0,40}",
        Just("{\"access_token\":\"".to_owned()),
        Just("{\"errcode\":\"40029\",\"code\":null}".to_owned()),
        Just("wx_errcode=99999999999999999999;wx_code='".to_owned()),
        Just("https://www.example.com/cb?code=&state=&code=%zz#x?y".to_owned()),
        Just("code=%E6%A2&state=%ff&&=&appid=".to_owned()),
        Just("{\"state\":{\"a\":[1,2,{\"token\":[\"x\",null]}]},\"proof\":7}".to_owned()),
        Just("<span class=\"number\"><p class=\"said\"><code>".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn each_exchange_is_in_one_flow_and_nothing_breaks(
        acts in proptest::collection::vec((0u8..24, 0u32..4, odd()), 0..60),
    ) {
        let mut scene = Scene::with(Limits { flows: usize::MAX, bytes: usize::MAX });
        for (what, n, odd) in &acts {
            // A header holds no line feeds; all else may be anything.
            happens(&mut scene, *what, *n, odd);
        }
        let told = scene.flows.iter().flatten().count();
        let shelf = read(&scene.shelf);
        let mut counted = 0;
        for flow in shelf.before(None) {
            let real = flow.arrows.iter().filter(|arrow| arrow.kind != Kind::Presumed);
            counted += real.map(|arrow| arrow.count as usize).sum::<usize>();
            // What is told can be read again, and the rules judge alike each time.
            let json = serde_json::to_string(&Whole::of(flow)).unwrap();
            prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
            prop_assert!(!picture::write(flow).is_empty());
            prop_assert_eq!(&judge(flow), &flow.findings);
            for found in &flow.findings {
                prop_assert!(found.arrow.is_none_or(|serial| flow.number(serial).is_some()));
            }
            let places: Vec<i64> = flow.arrows.iter().map(|arrow| arrow.place()).collect();
            prop_assert!(places.windows(2).all(|pair| pair[0] <= pair[1]), "{:?}", places);
        }
        prop_assert_eq!(counted, told);
    }

    #[test]
    fn few_are_kept_whatever_comes(
        acts in proptest::collection::vec((0u8..24, 0u32..40, odd()), 0..120),
    ) {
        let mut scene = Scene::with(Limits { flows: 5, bytes: 60_000 });
        for (what, n, odd) in &acts {
            happens(&mut scene, *what, *n, odd);
            let shelf = read(&scene.shelf);
            let kept = shelf.before(None).count();
            let weight: usize = shelf.before(None).map(|flow| flow.weight()).sum();
            prop_assert!(kept <= 5 && (weight <= 60_000 || kept == 1), "{} {}", kept, weight);
        }
    }
}
