//! §17: what is most likely to be got wrong, as far as the dialect decides it.

use proptest::prelude::*;
use yufu_core::message::{Channel, Outcome, PollAnswer, PollState, TokenGrant};
use yufu_core::refusal::Refusal;
use yufu_core::secret::Secret;
use yufu_core::subject::Subject;
use yufu_core::time::{Lifetime, Timestamp};
use yufu_core::user::Profile;
use yufu_dialects::endpoint::{Door, PageContext};
use yufu_dialects::http::{Request, Stamp};
use yufu_dialects::wechat::DIALECT;
use yufu_dialects::wechat::refusal::rid;

use crate::world::*;

const ACCESS: &str = "/sns/oauth2/access_token";
const REFRESH: &str = "/sns/oauth2/refresh_token";
const USERINFO: &str = "/sns/userinfo";

#[test]
fn s17_01_errors_are_always_200() {
    for endpoint in DIALECT.endpoints {
        let request = Request::get(endpoint.path, "");
        for refusal in Refusal::all() {
            if let Some(reply) = refused(&request, &refusal) {
                assert_eq!(reply.status, 200, "{} {refusal:?}", endpoint.path);
            }
        }
        assert_eq!((DIALECT.busy)(&request, &STAMP).status, 200);
    }
}

#[test]
fn s17_02_userinfo_is_text_plain_without_charset() {
    let mut request = Request::get(USERINFO, "");
    request.accept = "application/json, text/plain; charset=utf-8".into();
    let reply = profile_reply(&request, Ok(profile_answer(false)));
    assert_eq!(reply.headers, [("content-type", "text/plain".to_owned())]);
}

#[test]
fn s17_03_content_types_are_set_by_hand_once() {
    for endpoint in DIALECT.endpoints {
        let request = Request::get(endpoint.path, "");
        if let Some(reply) = refused(&request, &Refusal::UnknownClient) {
            let types = reply
                .headers
                .iter()
                .filter(|(name, _)| *name == "content-type");
            assert_eq!(types.count(), 1);
            assert!(!reply.header("content-type").unwrap().contains("charset"));
        }
    }
}

#[test]
fn s17_04_token_endpoints_say_json_to_who_asks_for_it() {
    let mut request = Request::post(ACCESS, "appid=a", "code=c");
    request.accept = "application/json".into();
    let reply = tokens_reply(&request, Ok(tokens()));
    assert_eq!(reply.header("content-type"), Some("application/json"));
}

#[test]
fn s17_05_no_errcode_zero_in_success() {
    for path in [ACCESS, REFRESH, "/cgi-bin/token"] {
        let reply = tokens_reply(&Request::get(path, ""), Ok(tokens()));
        assert!(!body(&reply).contains("errcode"), "{path}");
    }
    let reply = profile_reply(&Request::get(USERINFO, ""), Ok(profile_answer(true)));
    assert!(!body(&reply).contains("errcode"));
}

proptest! {
    /// The dialect adds the word nowhere: it can only come from a token, and the engine draws
    /// those again.
    #[test]
    fn s17_06_the_word_errcode_is_never_added(
        access in "[A-Za-z0-9_-]{1,110}",
        refresh in proptest::option::of("[A-Za-z0-9_-]{1,110}"),
        openid in "o[A-Za-z0-9_-]{27}",
        unionid in proptest::option::of("o[A-Za-z0-9_-]{27}"),
        seconds in 0..100_000_000_i64,
        comma: bool,
    ) {
        let parts = [Some(&access), refresh.as_ref(), Some(&openid), unionid.as_ref()];
        prop_assume!(!parts.iter().flatten().any(|part| part.contains("errcode")));
        for path in [ACCESS, REFRESH, "/cgi-bin/token"] {
            let mut answer = tokens();
            answer.access = Secret::new(access.clone());
            answer.refresh = refresh.clone().map(Secret::new);
            answer.openid = Some(Subject::new(&openid));
            answer.unionid = unionid.as_deref().map(Subject::new);
            answer.expires_in = Lifetime::seconds(seconds);
            answer.scope_trailing_comma = comma;
            let reply = tokens_reply(&Request::get(path, ""), Ok(answer));
            prop_assert!(!body(&reply).contains("errcode"));
        }
    }

    /// In a profile the word may stand in what the user wrote, but never as a key.
    #[test]
    fn s17_06_a_profile_never_has_the_key_errcode(
        nickname in prop_oneof!["\\PC{0,64}", Just("\"errcode\":0".to_owned())],
        city in "\\PC{0,20}",
        full: bool,
    ) {
        let mut answer = profile_answer(full);
        answer.user = user(Profile { nickname: nickname.clone(), city, ..mei() });
        let reply = profile_reply(&Request::get(USERINFO, ""), Ok(answer));
        let read: serde_json::Value = serde_json::from_str(body(&reply)).unwrap();
        prop_assert!(read.get("errcode").is_none() && read.get("errmsg").is_none());
        prop_assert_eq!(read["nickname"].as_str(), Some(nickname.as_str()));
    }
}

#[test]
fn s17_07_numbers_are_numbers() {
    let reply = tokens_reply(&Request::get(ACCESS, ""), Ok(tokens()));
    assert!(body(&reply).contains(r#""expires_in":7200,"#));
    let reply = tokens_reply(&Request::get(ACCESS, ""), Err(Refusal::UnknownCode));
    assert!(body(&reply).starts_with(r#"{"errcode":40029,"#));
    let reply = profile_reply(&Request::get(USERINFO, ""), Ok(profile_answer(true)));
    assert!(body(&reply).contains(r#""sex":2,"#));
}

#[test]
fn s17_08_no_token_type() {
    for path in [ACCESS, REFRESH, "/cgi-bin/token"] {
        let reply = tokens_reply(&Request::get(path, ""), Ok(tokens()));
        assert!(!body(&reply).contains("token_type"), "{path}");
    }
}

#[test]
fn s17_09_names_are_appid_and_secret_and_refresh_takes_none() {
    let query = "client_id=a&client_secret=s&code=c&grant_type=authorization_code";
    assert_eq!(
        heard(&Request::get(ACCESS, query)),
        Some(Refusal::MissingClientId)
    );
    let query = "appid=a&grant_type=refresh_token&refresh_token=r";
    let asked = token_request(&Request::get(REFRESH, query)).unwrap();
    assert!(asked.secret.is_none());
}

#[test]
fn s17_10_query_and_form_are_merged() {
    let request = Request::post(
        ACCESS,
        "appid=a&secret=s",
        "grant_type=authorization_code&code=c&redirect_uri=r",
    );
    let asked = token_request(&request).unwrap();
    assert_eq!(asked.client.as_str(), "a");
    assert!(matches!(asked.grant, TokenGrant::Code { .. }));
}

#[test]
fn s17_11_unknown_parameters_and_any_order_are_taken() {
    let query = "z=1&state=s&scope=snsapi_login&connect_redirect=1&response_type=code&nonce=n&redirect_uri=r&lang=cn&appid=a";
    assert_eq!(heard(&Request::get("/connect/qrconnect", query)), None);
}

#[test]
fn s17_12_no_fragment_and_an_empty_state_are_taken() {
    let query = "appid=a&redirect_uri=r&response_type=code&scope=snsapi_base&state=";
    let asked = authorize_request(&Request::get("/connect/oauth2/authorize", query)).unwrap();
    assert_eq!(asked.state.as_deref(), Some(""));
}

#[test]
fn s17_13_state_is_echoed_exactly() {
    let query = "appid=a&redirect_uri=r&response_type=code&scope=s&state=CfDJ8%2B%2F%3D%26%20x";
    let asked = authorize_request(&Request::get("/connect/qrconnect", query)).unwrap();
    assert_eq!(asked.state.as_deref(), Some("CfDJ8+/=& x"));
    assert_eq!(
        finished(
            "https://www.example.com/",
            Channel::Scan,
            Outcome::Code(Secret::new("C")),
            asked.state.as_deref()
        ),
        "https://www.example.com/?code=C&state=CfDJ8%2B%2F%3D%26%20x"
    );
}

#[test]
fn s17_14_the_query_is_kept_and_the_fragment_stays_last() {
    assert_eq!(
        finished(
            "https://www.example.com/cb?_oauthstate=x#top",
            Channel::InClient,
            Outcome::Code(Secret::new("C")),
            Some("_oauthstate")
        ),
        "https://www.example.com/cb?_oauthstate=x&code=C&state=_oauthstate#top"
    );
}

#[test]
fn s17_16_errors_are_never_sent_to_the_redirect_address() {
    for outcome in [Outcome::Denied, Outcome::Cancelled] {
        let address = finished(
            "https://www.example.com/cb",
            Channel::InClient,
            outcome,
            None,
        );
        assert!(!address.contains("error"));
    }
}

#[test]
fn s17_17_a_spent_code_is_40163_and_no_40029() {
    for path in [ACCESS, "/sns/jscode2session"] {
        let reply = refused(&Request::get(path, ""), &Refusal::SpentCode).unwrap();
        assert!(body(&reply).starts_with(r#"{"errcode":40163,"errmsg":"code been used"#));
    }
}

#[test]
fn s17_19_a_refresh_begins_with_openid_and_has_no_unionid() {
    let mut answer = tokens();
    answer.scope_trailing_comma = true;
    let reply = tokens_reply(&Request::get(REFRESH, ""), Ok(answer));
    let text = body(&reply);
    assert!(text.starts_with(r#"{"openid":""#) && text.ends_with(r#""scope":"snsapi_login,"}"#));
    assert!(!text.contains("unionid"));
}

#[test]
fn s17_20_unionid_is_left_out_rather_than_empty() {
    let mut answer = tokens();
    answer.unionid = None;
    let reply = tokens_reply(&Request::get(ACCESS, ""), Ok(answer));
    assert!(!body(&reply).contains("unionid"));
    let mut answer = profile_answer(false);
    answer.unionid = None;
    let reply = profile_reply(&Request::get(USERINFO, ""), Ok(answer));
    assert!(body(&reply).ends_with(r#""privilege":[]}"#));
}

#[test]
fn s17_21_slashes_are_escaped_and_nothing_else() {
    let reply = profile_reply(&Request::get(USERINFO, ""), Ok(profile_answer(false)));
    let text = body(&reply);
    assert!(text.contains(r"https:\/\/thirdwx.qlogo.cn\/mmopen"));
    assert!(text.contains("梅 é 🐟") && !text.contains("\\u"));
    assert!(text.contains(r#""privilege":[]"#) && !text.contains("null"));
    assert!(text.contains(r#""sex":0,"language":"","city":"","province":"","country":"""#));
}

#[test]
fn s17_22_userinfo_takes_an_openid_of_garbage() {
    let query = "access_token=t&openid=%25!s(%3Cnil%3E)";
    let asked = access_request(&Request::get(USERINFO, query)).unwrap();
    assert_eq!(asked.openid, "%!s(<nil>)");
}

#[test]
fn s17_23_a_poll_is_the_exact_two_assignments() {
    let reply = poll_reply("uuid=u", Ok(PollAnswer::State(PollState::Waiting)));
    assert_eq!(reply.body, b"window.wx_errcode=408;window.wx_code='';");
    assert_eq!(reply.header("content-type"), Some("text/javascript"));
}

#[test]
fn s17_25_the_request_id_is_three_groups_and_the_words_are_exact() {
    assert_eq!(rid(&STAMP), "6aac007a-01234567-89abcdef");
    for (seconds, noise, expected) in [
        (0, 0, "00000000-00000000-00000000"),
        (1, u64::MAX, "00000001-ffffffff-ffffffff"),
        (-1, 1, "ffffffff-00000000-00000001"),
        (0x1_0000_0002, 1 << 32, "00000002-00000001-00000000"),
    ] {
        let now = Timestamp::from_seconds(seconds);
        assert_eq!(rid(&Stamp { now, noise }), expected);
    }
    let said = |refusal: Refusal| {
        let reply = refused(&Request::get(ACCESS, ""), &refusal).unwrap();
        body(&reply).to_owned()
    };
    assert!(said(Refusal::MissingCode).contains(r#""missing code, rid: "#));
    assert!(said(Refusal::MissingClientId).contains(r#""appid missing, rid: "#));
}

/// §17.16 again: a page, not a redirect, and it says what to fix.
#[test]
fn s17_16_an_unregistered_redirect_is_a_page() {
    let context = PageContext { door: Door::Scan };
    let page = (DIALECT.page)(&Refusal::RedirectMismatch, &context);
    assert_eq!(page.text, "redirect_uri 参数错误");
    assert!(!page.fix_zh.is_empty() && !page.fix_en.is_empty());
}
