//! Golden answers of the JSON endpoints and the poll.

use yufu_core::client::ClientKind;
use yufu_core::message::{MiniSession, PlatformTicket, PollAnswer, PollState};
use yufu_core::refusal::Refusal;
use yufu_core::scope::Scopes;
use yufu_core::secret::Secret;
use yufu_core::subject::Subject;
use yufu_core::time::Lifetime;
use yufu_dialects::http::Request;
use yufu_dialects::wechat::{DIALECT, errcode, scan_xml};

use crate::world::*;

// 107 characters each, as §2 counts them.
const A107: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const R107: &str = "RRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRR";

/// §15.1, §7.1: key order, number, no errcode, `text/plain` and no charset (§2).
#[test]
fn v15_01_tokens_for_a_code() {
    let reply = tokens_reply(&Request::get("/sns/oauth2/access_token", ""), Ok(tokens()));
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.headers,
        vec![("content-type", "text/plain".to_owned())]
    );
    assert_eq!(
        body(&reply),
        format!(
            r#"{{"access_token":"82_{A107}","expires_in":7200,"refresh_token":"82_{R107}","openid":"oAbCdEfGhIjKlMnOpQrStUvWxYz0","scope":"snsapi_login","unionid":"oZyXwVuTsRqPoNmLkJiHgFeDcBa9"}}"#
        )
    );
}

/// §7.1: commas between scopes, none after them; unionid is left out, not empty.
#[test]
fn v15_01_several_scopes_and_no_unionid() {
    let mut tokens = tokens();
    tokens.unionid = None;
    tokens.scopes = Scopes::of(&["snsapi_base", "snsapi_userinfo"]);
    tokens.scope_trailing_comma = true;
    let reply = tokens_reply(&Request::get("/sns/oauth2/access_token", ""), Ok(tokens));
    assert_eq!(
        body(&reply),
        format!(
            r#"{{"access_token":"82_{A107}","expires_in":7200,"refresh_token":"82_{R107}","openid":"oAbCdEfGhIjKlMnOpQrStUvWxYz0","scope":"snsapi_base,snsapi_userinfo"}}"#
        )
    );
}

/// §3, §7.1: a number, and before unionid (the place is our inference).
#[test]
fn s7_1_a_snapshot_user_is_told_before_the_unionid() {
    let mut tokens = tokens();
    tokens.is_snapshot = true;
    let reply = tokens_reply(&Request::get("/sns/oauth2/access_token", ""), Ok(tokens));
    assert!(body(&reply).ends_with(
        r#""scope":"snsapi_login","is_snapshotuser":1,"unionid":"oZyXwVuTsRqPoNmLkJiHgFeDcBa9"}"#
    ));
}

/// §15.2, §2: `application/json` on the two token endpoints when `Accept` names it.
#[test]
fn v15_02_accept_decides_on_token_endpoints_only() {
    for path in ["/sns/oauth2/access_token", "/sns/oauth2/refresh_token"] {
        for (accept, kind) in [
            ("", "text/plain"),
            ("*/*", "text/plain"),
            ("text/html, application/xhtml+xml, */*;q=0.8", "text/plain"),
            ("application/jsonx", "text/plain"),
            ("application/json", "application/json"),
            ("Application/JSON; charset=utf-8", "application/json"),
            ("text/html, application/json;q=0.9", "application/json"),
        ] {
            let mut request = Request::get(path, "");
            request.accept = accept.to_owned();
            let good = tokens_reply(&request, Ok(tokens()));
            assert_eq!(good.header("content-type"), Some(kind), "{path} {accept}");
            let bad = tokens_reply(&request, Err(Refusal::UnknownCode));
            assert_eq!(bad.header("content-type"), Some(kind), "{path} {accept}");
        }
    }
    for path in ["/sns/userinfo", "/sns/auth", "/sns/jscode2session"] {
        let mut request = Request::get(path, "");
        request.accept = "application/json".to_owned();
        let reply = refused(&request, &Refusal::UnknownAccess).unwrap();
        assert_eq!(reply.header("content-type"), Some("text/plain"), "{path}");
    }
    // §2: "encoding", not "charset".
    for path in ["/cgi-bin/token", "/cgi-bin/ticket/getticket"] {
        let reply = refused(&Request::get(path, ""), &Refusal::UnknownClient).unwrap();
        assert_eq!(
            reply.header("content-type"),
            Some("application/json; encoding=utf-8")
        );
    }
}

/// §7.2: openid first, no unionid; a service client's scope ends with a comma.
#[test]
fn v15_04_a_refreshed_token() {
    let request = Request::get("/sns/oauth2/refresh_token", "");
    let mut service = tokens();
    service.scopes = Scopes::of(&["snsapi_base", "snsapi_userinfo"]);
    service.scope_trailing_comma = true;
    assert_eq!(
        body(&tokens_reply(&request, Ok(service))),
        format!(
            r#"{{"openid":"oAbCdEfGhIjKlMnOpQrStUvWxYz0","access_token":"82_{A107}","expires_in":7200,"refresh_token":"82_{R107}","scope":"snsapi_base,snsapi_userinfo,"}}"#
        )
    );
    let website = format!(
        r#"{{"openid":"oAbCdEfGhIjKlMnOpQrStUvWxYz0","access_token":"82_{A107}","expires_in":7200,"refresh_token":"82_{R107}","scope":"snsapi_login"}}"#
    );
    assert_eq!(body(&tokens_reply(&request, Ok(tokens()))), website);
    // A refresh let in at the other endpoint (§7.2) is answered alike.
    let request = Request::post(
        "/sns/oauth2/access_token",
        "",
        "grant_type=refresh_token&refresh_token=x",
    );
    assert_eq!(body(&tokens_reply(&request, Ok(tokens()))), website);
}

/// §7.3.
#[test]
fn v15_05_a_living_token() {
    let reply = verdict_reply(Ok(()));
    assert_eq!(body(&reply), r#"{"errcode":0,"errmsg":"ok"}"#);
    assert_eq!(reply.header("content-type"), Some("text/plain"));
}

/// §15.6, §7.4: order, `\/`, raw UTF-8, an emoji, blanks since 2021-10.
#[test]
fn v15_06_a_profile() {
    let reply = profile_reply(
        &Request::get("/sns/userinfo", ""),
        Ok(profile_answer(false)),
    );
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.headers,
        vec![("content-type", "text/plain".to_owned())]
    );
    assert_eq!(
        body(&reply),
        r#"{"openid":"oAbCdEfGhIjKlMnOpQrStUvWxYz0","nickname":"梅 é 🐟 a\/b","sex":0,"language":"","city":"","province":"","country":"","headimgurl":"https:\/\/thirdwx.qlogo.cn\/mmopen\/vi_32\/Q0j4TwGTfTK\/132","privilege":[],"unionid":"oZyXwVuTsRqPoNmLkJiHgFeDcBa9"}"#
    );
}

/// §7.4: as before 2021-10 for clients set so; unionid left out; no avatar is "".
#[test]
fn v15_06_a_full_profile() {
    let mut answer = profile_answer(true);
    answer.unionid = None;
    let mut profile = mei();
    profile.avatar.clear();
    answer.user = user(profile);
    let reply = profile_reply(&Request::get("/sns/userinfo", ""), Ok(answer));
    assert_eq!(
        body(&reply),
        r#"{"openid":"oAbCdEfGhIjKlMnOpQrStUvWxYz0","nickname":"梅 é 🐟 a\/b","sex":2,"language":"zh_CN","city":"长沙","province":"湖南","country":"中国","headimgurl":"","privilege":[]}"#
    );
}

/// §7.5.
#[test]
fn a_mini_programs_session() {
    let session = |unionid: Option<&str>| MiniSession {
        session_key: Secret::new("MDEyMzQ1Njc4OWFiY2RlZg=="),
        openid: Subject::new(OPENID),
        unionid: unionid.map(Subject::new),
    };
    let reply = mini_reply(Ok(session(Some(UNIONID))));
    assert_eq!(reply.header("content-type"), Some("text/plain"));
    assert_eq!(
        body(&reply),
        r#"{"session_key":"MDEyMzQ1Njc4OWFiY2RlZg==","openid":"oAbCdEfGhIjKlMnOpQrStUvWxYz0","unionid":"oZyXwVuTsRqPoNmLkJiHgFeDcBa9"}"#
    );
    assert_eq!(
        body(&mini_reply(Ok(session(None)))),
        r#"{"session_key":"MDEyMzQ1Njc4OWFiY2RlZg==","openid":"oAbCdEfGhIjKlMnOpQrStUvWxYz0"}"#
    );
}

/// §6.1, §6.3.
#[test]
fn v15_09_the_clients_own_token_its_ticket_and_a_signed_scan() {
    let mut own = tokens();
    own.refresh = None;
    own.openid = None;
    own.unionid = None;
    own.scopes = Scopes::default();
    let reply = tokens_reply(&Request::get("/cgi-bin/token", ""), Ok(own));
    assert_eq!(
        body(&reply),
        format!(r#"{{"access_token":"82_{A107}","expires_in":7200}}"#)
    );
    let reply = ticket_reply(Ok(PlatformTicket {
        ticket: Secret::new("ticket-1"),
        expires_in: Lifetime::seconds(7200),
    }));
    assert_eq!(
        body(&reply),
        r#"{"errcode":0,"errmsg":"ok","ticket":"ticket-1","expires_in":7200}"#
    );
    // The picture is base64 with padding; here the three bytes that start a JPEG, and one more.
    let shown = shown(ClientKind::Mobile);
    let address = "https://open.weixin.qq.com/connect/confirm?uuid=061p2Za447CUkl2X";
    let reply = signed_scan_reply(Ok((&shown, &[0xff, 0xd8, 0xff, 0xe0], address)));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(
        body(&reply),
        r#"{"errcode":0,"uuid":"061p2Za447CUkl2X","appname":"鱼市","qrcode":{"qrcodebase64":"/9j/4A==","qrcodeurl":"https://open.weixin.qq.com/connect/confirm?uuid=061p2Za447CUkl2X"}}"#
    );
}

/// §15.8, §4.2: the captured body, 40 bytes without a newline, and its kin.
#[test]
fn v15_08_polls_are_two_assignments() {
    let waiting = poll_reply("uuid=U", Ok(PollAnswer::State(PollState::Waiting)));
    assert_eq!(body(&waiting), "window.wx_errcode=408;window.wx_code='';");
    assert_eq!(waiting.body.len(), 40);
    assert_eq!(waiting.status, 200);
    assert_eq!(waiting.header("content-type"), Some("text/javascript"));
    for (state, text) in [
        (
            PollState::Scanned,
            "window.wx_errcode=404;window.wx_code='';",
        ),
        (
            PollState::Cancelled,
            "window.wx_errcode=403;window.wx_code='';",
        ),
        (
            PollState::Expired,
            "window.wx_errcode=402;window.wx_code='';",
        ),
    ] {
        let reply = poll_reply("uuid=U&last=404", Ok(PollAnswer::State(state)));
        assert_eq!(body(&reply), text);
        assert_eq!(reply.body.len(), 40);
    }
    let paid = poll_reply("uuid=U", Ok(PollAnswer::Code(Secret::new(CODE))));
    assert_eq!(
        body(&paid),
        "window.wx_errcode=405;window.wx_code='01128NFwGJ8hI9CBAJEFnDEuJLRxbZ5D';"
    );
    // A scan that is not there is over; a fault makes the page load anew.
    let gone = poll_reply("uuid=U", Err(Refusal::InteractionGone));
    assert_eq!(body(&gone), "window.wx_errcode=402;window.wx_code='';");
    let request = Request::get("/connect/l/qrconnect", "uuid=U");
    let busy = (DIALECT.busy)(&request, &STAMP);
    assert_eq!(body(&busy), "window.wx_errcode=500;window.wx_code='';");
    assert_eq!(busy.header("content-type"), Some("text/javascript"));
}

/// §4.2, §6.4: the variant of the mobile SDKs.
#[test]
fn v15_08_polls_in_json() {
    let reply = poll_reply("f=json&uuid=U", Ok(PollAnswer::State(PollState::Waiting)));
    assert_eq!(body(&reply), r#"{"wx_errcode":408,"wx_code":""}"#);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let reply = poll_reply("f=json&uuid=U", Ok(PollAnswer::Code(Secret::new(CODE))));
    assert_eq!(
        body(&reply),
        r#"{"wx_errcode":405,"wx_code":"01128NFwGJ8hI9CBAJEFnDEuJLRxbZ5D"}"#
    );
    let request = Request::get("/connect/l/qrconnect", "f=json&uuid=U");
    assert_eq!(
        body(&(DIALECT.busy)(&request, &STAMP)),
        r#"{"wx_errcode":500,"wx_code":""}"#
    );
}

/// A code is letters and digits (§2); anything else would run as a script.
#[test]
fn nothing_but_letters_and_digits_gets_into_the_polls_script() {
    let reply = poll_reply("", Ok(PollAnswer::Code(Secret::new("';alert(1);'"))));
    assert_eq!(body(&reply), "window.wx_errcode=500;window.wx_code='';");
}

/// §4.1: only `<uuid>` is known.
#[test]
fn a_new_uuid_in_xml() {
    let reply = scan_xml(&shown(ClientKind::Website));
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("text/xml"));
    assert_eq!(body(&reply), "<xml><uuid>061p2Za447CUkl2X</uuid></xml>");
}

const RID: &str = "6aac007a-01234567-89abcdef";

/// §8, row by row: where, what was wrong, and the text before the request id.
#[test]
fn v15_03_every_errcode_to_the_byte() {
    let access = "/sns/oauth2/access_token";
    let refresh = "/sns/oauth2/refresh_token";
    let (auth, info) = ("/sns/auth", "/sns/userinfo");
    let rows: Vec<(&str, Refusal, String)> = vec![
        (
            info,
            Refusal::UnknownAccess,
            format!(
                r#"{{"errcode":40001,"errmsg":"invalid credential, access_token is invalid or not latest, rid: {RID}"}}"#
            ),
        ),
        (
            info,
            Refusal::WrongTokenKind,
            format!(
                r#"{{"errcode":40001,"errmsg":"invalid credential, access_token is invalid or not latest, rid: {RID}"}}"#
            ),
        ),
        (
            access,
            Refusal::GrantTypeUnsupported,
            format!(r#"{{"errcode":40002,"errmsg":"invalid grant_type, rid: {RID}"}}"#),
        ),
        (
            refresh,
            Refusal::GrantTypeUnsupported,
            format!(r#"{{"errcode":40002,"errmsg":"invalid grant_type, rid: {RID}"}}"#),
        ),
        (
            auth,
            Refusal::WrongSubject,
            format!(r#"{{"errcode":40003,"errmsg":"invalid openid, rid: {RID}"}}"#),
        ),
        (
            info,
            Refusal::WrongSubject,
            format!(r#"{{"errcode":40003,"errmsg":"invalid openid, rid: {RID}"}}"#),
        ),
        (
            access,
            Refusal::UnknownClient,
            format!(r#"{{"errcode":40013,"errmsg":"invalid appid, rid: {RID}"}}"#),
        ),
        // §2: without a comma.
        (
            auth,
            Refusal::UnknownAccess,
            format!(r#"{{"errcode":40014,"errmsg":"invalid access_token rid: {RID}"}}"#),
        ),
        (
            access,
            Refusal::UnknownCode,
            format!(r#"{{"errcode":40029,"errmsg":"invalid code, rid: {RID}"}}"#),
        ),
        (
            access,
            Refusal::VerifierMismatch,
            format!(r#"{{"errcode":40029,"errmsg":"invalid code, rid: {RID}"}}"#),
        ),
        (
            refresh,
            Refusal::UnknownRefresh,
            format!(r#"{{"errcode":40030,"errmsg":"invalid refresh_token, rid: {RID}"}}"#),
        ),
        (
            access,
            Refusal::WrongSecret,
            format!(r#"{{"errcode":40125,"errmsg":"invalid appsecret, rid: {RID}"}}"#),
        ),
        (
            access,
            Refusal::SpentCode,
            format!(r#"{{"errcode":40163,"errmsg":"code been used, rid: {RID}"}}"#),
        ),
        (
            access,
            Refusal::AddressRefused("192.0.2.7".into()),
            format!(
                r#"{{"errcode":40164,"errmsg":"invalid ip 192.0.2.7 ipv6 ::ffff:192.0.2.7, not in whitelist, rid: {RID}"}}"#
            ),
        ),
        (
            info,
            Refusal::MissingAccess,
            format!(r#"{{"errcode":41001,"errmsg":"access_token missing, rid: {RID}"}}"#),
        ),
        (
            access,
            Refusal::MissingClientId,
            format!(r#"{{"errcode":41002,"errmsg":"appid missing, rid: {RID}"}}"#),
        ),
        (
            refresh,
            Refusal::MissingRefresh,
            format!(r#"{{"errcode":41003,"errmsg":"refresh_token missing, rid: {RID}"}}"#),
        ),
        (
            access,
            Refusal::MissingSecret,
            format!(r#"{{"errcode":41004,"errmsg":"appsecret missing, rid: {RID}"}}"#),
        ),
        (
            access,
            Refusal::MissingCode,
            format!(r#"{{"errcode":41008,"errmsg":"missing code, rid: {RID}"}}"#),
        ),
        (
            info,
            Refusal::MissingSubject,
            format!(r#"{{"errcode":41009,"errmsg":"missing openid, rid: {RID}"}}"#),
        ),
        (
            info,
            Refusal::ExpiredAccess,
            format!(r#"{{"errcode":42001,"errmsg":"access_token expired, rid: {RID}"}}"#),
        ),
        (
            refresh,
            Refusal::ExpiredRefresh,
            format!(r#"{{"errcode":42002,"errmsg":"refresh_token expired, rid: {RID}"}}"#),
        ),
        (
            access,
            Refusal::ExpiredCode,
            format!(r#"{{"errcode":42003,"errmsg":"code expired, rid: {RID}"}}"#),
        ),
        (
            access,
            Refusal::QuotaSpent,
            format!(
                r#"{{"errcode":45009,"errmsg":"reach max api daily quota limit, rid: {RID}"}}"#
            ),
        ),
        (
            access,
            Refusal::TooFast,
            format!(
                r#"{{"errcode":45011,"errmsg":"api minute-quota reach limit, must slower, retry next minute, rid: {RID}"}}"#
            ),
        ),
        (
            info,
            Refusal::ScopeInsufficient,
            format!(r#"{{"errcode":48001,"errmsg":"api unauthorized, rid: {RID}"}}"#),
        ),
        (
            access,
            Refusal::ClientSuspended,
            format!(
                r#"{{"errcode":48004,"errmsg":"api forbidden for irregularities, rid: {RID}"}}"#
            ),
        ),
        (
            info,
            Refusal::UserRestricted,
            format!(r#"{{"errcode":50002,"errmsg":"user limited, rid: {RID}"}}"#),
        ),
        // The number is documented, the words are ours (§8).
        (
            info,
            Refusal::CredentialsChanged,
            format!(
                r#"{{"errcode":42007,"errmsg":"user changed password, access_token and refresh_token invalid, rid: {RID}"}}"#
            ),
        ),
        (
            refresh,
            Refusal::CredentialsChanged,
            format!(
                r#"{{"errcode":42007,"errmsg":"user changed password, access_token and refresh_token invalid, rid: {RID}"}}"#
            ),
        ),
        (
            access,
            Refusal::TooLarge("body"),
            format!(r#"{{"errcode":45002,"errmsg":"content size out of limit, rid: {RID}"}}"#),
        ),
        (
            access,
            Refusal::WrongMethod,
            format!(r#"{{"errcode":43001,"errmsg":"require GET method, rid: {RID}"}}"#),
        ),
        // §2: cgi-bin has no comma anywhere.
        (
            "/cgi-bin/token",
            Refusal::UnknownClient,
            format!(r#"{{"errcode":40013,"errmsg":"invalid appid rid: {RID}"}}"#),
        ),
        (
            "/cgi-bin/token",
            Refusal::WrongSecret,
            format!(r#"{{"errcode":40125,"errmsg":"invalid appsecret rid: {RID}"}}"#),
        ),
        (
            "/cgi-bin/token",
            Refusal::GrantTypeUnsupported,
            format!(r#"{{"errcode":40002,"errmsg":"invalid grant_type rid: {RID}"}}"#),
        ),
        (
            "/cgi-bin/token",
            Refusal::AddressRefused("2001:db8::7".into()),
            format!(
                r#"{{"errcode":40164,"errmsg":"invalid ip 2001:db8::7 ipv6 2001:db8::7, not in whitelist rid: {RID}"}}"#
            ),
        ),
        (
            "/cgi-bin/token",
            Refusal::AddressRefused("::ffff:192.0.2.7".into()),
            format!(
                r#"{{"errcode":40164,"errmsg":"invalid ip 192.0.2.7 ipv6 ::ffff:192.0.2.7, not in whitelist rid: {RID}"}}"#
            ),
        ),
        (
            "/cgi-bin/ticket/getticket",
            Refusal::UnknownAccess,
            format!(
                r#"{{"errcode":40001,"errmsg":"invalid credential, access_token is invalid or not latest rid: {RID}"}}"#
            ),
        ),
        (
            "/sns/jscode2session",
            Refusal::UnknownCode,
            format!(r#"{{"errcode":40029,"errmsg":"invalid code, rid: {RID}"}}"#),
        ),
        (
            "/sns/jscode2session",
            Refusal::SpentCode,
            format!(r#"{{"errcode":40163,"errmsg":"code been used, rid: {RID}"}}"#),
        ),
    ];
    for (path, refusal, expected) in rows {
        let reply = refused(&Request::get(path, ""), &refusal).unwrap();
        assert_eq!(reply.status, 200, "{path} {refusal:?}");
        assert_eq!(body(&reply), expected, "{path} {refusal:?}");
        // The same number on demand has the same words, unless it has several.
        let written: serde_json::Value = serde_json::from_str(&expected).unwrap();
        let code = i32::try_from(written["errcode"].as_i64().unwrap()).unwrap();
        let asked = errcode(&Request::get(path, ""), &STAMP, code, None);
        if ![40097, 40164, 42007].contains(&code) {
            assert_eq!(asked, reply, "{path} {code}");
        }
    }
}

/// Numbers that yufu never says come with words that were given, or with none of the platform's.
#[test]
fn an_errcode_on_demand_may_be_any() {
    let say = |code, text| {
        let reply = errcode(&Request::get("/sns/auth", ""), &STAMP, code, text);
        String::from_utf8(reply.body).unwrap()
    };
    assert_eq!(
        say(-1, None),
        format!(r#"{{"errcode":-1,"errmsg":"system error, rid: {RID}"}}"#)
    );
    assert_eq!(
        say(40243, Some("frozen \"secret\"")),
        format!(r#"{{"errcode":40243,"errmsg":"frozen \"secret\", rid: {RID}"}}"#)
    );
    assert_eq!(
        say(7, None),
        format!(r#"{{"errcode":7,"errmsg":"unknown error, rid: {RID}"}}"#)
    );
}

/// §8: −1, with nothing inside.
#[test]
fn a_fault_is_system_error() {
    for path in [
        "/sns/oauth2/access_token",
        "/sns/oauth2/refresh_token",
        "/sns/auth",
        "/sns/userinfo",
        "/sns/jscode2session",
        "/connect/sdk/qrconnect",
    ] {
        let reply = (DIALECT.busy)(&Request::get(path, ""), &STAMP);
        assert_eq!(reply.status, 200);
        assert_eq!(
            body(&reply),
            r#"{"errcode":-1,"errmsg":"system error, rid: 6aac007a-01234567-89abcdef"}"#
        );
    }
    let reply = (DIALECT.busy)(&Request::get("/cgi-bin/token", ""), &STAMP);
    assert_eq!(
        body(&reply),
        r#"{"errcode":-1,"errmsg":"system error rid: 6aac007a-01234567-89abcdef"}"#
    );
}

/// §15.3: the shape that all errors of the exchange have.
#[test]
fn v15_03_errors_have_one_shape() {
    for refusal in Refusal::all() {
        for path in [
            "/sns/oauth2/access_token",
            "/sns/userinfo",
            "/cgi-bin/token",
        ] {
            let reply = refused(&Request::get(path, ""), &refusal).unwrap();
            let text = body(&reply);
            let rest = text.strip_prefix(r#"{"errcode":"#).expect("errcode first");
            let (number, rest) = rest.split_once(r#","errmsg":""#).expect("errmsg second");
            assert!(number.parse::<i32>().is_ok_and(|n| n != 0), "{text}");
            let (words, rid) = rest.rsplit_once(" rid: ").expect("a request id");
            assert!(!words.is_empty() && !words.contains('"'), "{text}");
            assert_eq!(rid, format!(r#"{RID}"}}"#));
        }
    }
}
