//! A mini program's login, from both mouths (`docs/facts/wechat.md` §7.5).

use proptest::option::of;
use proptest::prelude::*;
use yufu_core::client::ClientKind;
use yufu_core::id::ClientId;
use yufu_core::message::{MiniSession, TokenGrant, TokenRequest};
use yufu_core::refusal::Refusal;
use yufu_core::secret::Secret;
use yufu_core::subject::Subject;
use yufu_core::time::Timestamp;
use yufu_dialects::endpoint::Operation;
use yufu_dialects::http::{Method, Reply, Request, Stamp};
use yufu_dialects::wechat::DIALECT;
use yufu_dialects::wechat::call::{CallError, Meaning, Reason, Upstream, read_mini};

const PATH: &str = "/sns/jscode2session";

fn operation() -> &'static Operation {
    let there = DIALECT.endpoints.iter().find(|e| e.path == PATH);
    &there.unwrap().operation
}

fn heard(request: &Request) -> Result<TokenRequest, Refusal> {
    match operation() {
        Operation::Mini { parse, .. } => parse(request),
        _ => panic!("no mini program's exchange"),
    }
}

fn said(outcome: Result<MiniSession, Refusal>) -> Reply {
    let stamp = Stamp {
        now: Timestamp::from_seconds(1_714_036_504),
        noise: 7,
    };
    match operation() {
        Operation::Mini { render, .. } => render(&Request::get(PATH, ""), &stamp, outcome),
        _ => panic!("no mini program's exchange"),
    }
}

fn upstream(secret: &str) -> Upstream {
    let appid = ClientId::new("wx7396d7da48f61f10");
    Upstream::new(ClientKind::Service, appid, Secret::new(secret))
}

#[test]
fn the_request_is_the_documents() {
    let call = upstream("s&1").exchange_mini(&Secret::new("0a1 +"));
    assert_eq!(call.method, Method::Get);
    assert_eq!(
        call.url.expose(),
        "https://api.weixin.qq.com/sns/jscode2session?appid=wx7396d7da48f61f10&secret=s%261\
         &js_code=0a1%20%2B&grant_type=authorization_code"
    );
    assert!(!format!("{call:?}").contains("s%261"));
}

#[test]
fn answers_of_the_platform_are_read() {
    let session = read_mini(
        br#"{"session_key":"tiihtNczf5v6AKRyjwEUhQ==","openid":"oWmnN4xxxxxxxxxxe92NHIGf1xd8"}"#,
    )
    .unwrap();
    assert_eq!(session.session_key.expose(), "tiihtNczf5v6AKRyjwEUhQ==");
    assert_eq!(session.openid.as_str(), "oWmnN4xxxxxxxxxxe92NHIGf1xd8");
    assert_eq!(session.unionid, None);
    assert!(!format!("{session:?}").contains("tiiht"));
    // Slashes may be escaped, an empty unionid is none, and success may name itself.
    let session = read_mini(
        br#"{"errcode":0,"errmsg":"ok","session_key":"a\/b==","openid":"o1","unionid":""}"#,
    )
    .unwrap();
    assert_eq!(session.session_key.expose(), "a/b==");
    assert_eq!(session.unionid, None);
}

#[test]
fn answers_without_what_was_asked_for_are_unreadable() {
    for (body, reason) in [
        (&b""[..], Reason::Empty),
        (b"<html>", Reason::Html),
        (b"{}", Reason::Missing("session_key")),
        (br#"{"openid":"o1"}"#, Reason::Missing("session_key")),
        (
            br#"{"session_key":"k","openid":""}"#,
            Reason::Missing("openid"),
        ),
        (
            br#"{"session_key":"k k","openid":"o1"}"#,
            Reason::Wrong("session_key"),
        ),
        (
            br#"{"session_key":1,"openid":"o1"}"#,
            Reason::Wrong("session_key"),
        ),
        (
            br#"{"session_key":"k","openid":["o1"]}"#,
            Reason::Wrong("openid"),
        ),
    ] {
        let error = read_mini(body).unwrap_err();
        assert_eq!(error, CallError::Unreadable(reason), "{body:?}");
    }
}

#[test]
fn refusals_of_the_platform_keep_their_meaning() {
    for (code, meaning) in [
        (40029, Meaning::CodeInvalid),
        (40163, Meaning::CodeUsed),
        (45011, Meaning::Busy),
        (40226, Meaning::UserLimited),
        (-1, Meaning::Busy),
    ] {
        let body = format!(r#"{{"errcode":{code},"errmsg":"x, rid: 1-2-3"}}"#);
        assert_eq!(read_mini(body.as_bytes()).unwrap_err().meaning(), meaning);
    }
    let reply = said(Err(Refusal::SpentCode));
    let error = read_mini(&reply.body).unwrap_err();
    assert_eq!(error.meaning(), Meaning::CodeUsed);
}

proptest! {
    #[test]
    fn one_hears_what_the_other_asked(
        code in "[!-~]{1,40}", secret in "[!-~]{1,40}",
    ) {
        let call = upstream(&secret).at("http://127.0.0.1:1").exchange_mini(&Secret::new(&*code));
        let rest = call.url.expose().strip_prefix("http://127.0.0.1:1").unwrap();
        let (path, query) = rest.split_once('?').unwrap();
        let request = heard(&Request::get(path, query)).unwrap();
        prop_assert_eq!(request.client.as_str(), "wx7396d7da48f61f10");
        prop_assert_eq!(request.secret, Some(Secret::new(secret)));
        match request.grant {
            TokenGrant::Code { code: heard, verifier: None } => prop_assert_eq!(heard.expose(), code),
            _ => prop_assert!(false, "no code"),
        }
    }

    #[test]
    fn one_reads_what_the_other_said(
        key in "[A-Za-z0-9+/]{22}==", openid in "o[A-Za-z0-9_-]{27}",
        unionid in of("o[A-Za-z0-9_-]{27}"),
    ) {
        let reply = said(Ok(MiniSession {
            session_key: Secret::new(&*key),
            openid: Subject::new(&openid),
            unionid: unionid.as_deref().map(Subject::new),
        }));
        let session = read_mini(&reply.body).unwrap();
        prop_assert_eq!(session.session_key.expose(), key);
        prop_assert_eq!(session.openid, Subject::new(&openid));
        prop_assert_eq!(session.unionid, unionid.as_deref().map(Subject::new));
    }

    #[test]
    fn nothing_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..120)) {
        let _ = read_mini(&body);
    }
}
