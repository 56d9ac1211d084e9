//! The client's mouth against answers that no platform should send.

use proptest::prelude::*;
use yufu_core::refusal::Refusal;
use yufu_core::secret::Secret;
use yufu_core::user::Sex;
use yufu_dialects::wechat::call::{
    CallError, MAX_ANSWER_BYTES, Meaning, Reason, Returned, meaning, read_profile, read_return,
    read_tokens, read_verdict,
};

const GOOD: &str = r#"{"access_token":"82_a","expires_in":7200,"refresh_token":"82_r","openid":"oX","scope":"snsapi_login","unionid":"oY"}"#;

fn refused(code: i64, message: &str) -> CallError {
    CallError::Refused {
        code,
        message: message.to_owned(),
    }
}

/// All readers agree on what is no answer.
fn all_say(body: &[u8], error: &CallError) {
    let shown = String::from_utf8_lossy(body);
    assert_eq!(read_tokens(body).as_ref().err(), Some(error), "{shown}");
    assert_eq!(read_profile(body).as_ref().err(), Some(error), "{shown}");
    assert_eq!(read_verdict(body).as_ref().err(), Some(error), "{shown}");
}

/// §2, §8: the captured forms of errors, and those of stand-ins.
#[test]
fn errors_are_read_by_content() {
    for (body, error) in [
        (
            r#"{"errcode":40029,"errmsg":"invalid code, rid: 6aac007a-01234567-89abcdef"}"#,
            refused(40029, "invalid code"),
        ),
        (
            r#"{"errcode":40014,"errmsg":"invalid access_token rid: 6aac007a-01234567-89abcdef"}"#,
            refused(40014, "invalid access_token"),
        ),
        (
            r#"{"errcode":40163,"errmsg":"code been used, hints: [ req_id: X ]"}"#,
            refused(40163, "code been used"),
        ),
        (
            r#"{"errcode":40001,"errmsg":"invalid credential hint: [X]"}"#,
            refused(40001, "invalid credential"),
        ),
        (
            r#"{ "errmsg" : "invalid appid" , "errcode" : "40013" }"#,
            refused(40013, "invalid appid"),
        ),
        (r#"{"errcode":-6}"#, refused(-6, "")),
        (
            r#"{"errcode":40164,"errmsg":"invalid ip 192.0.2.7 ipv6 ::ffff:192.0.2.7, not in whitelist, rid: 1-2-3"}"#,
            refused(
                40164,
                "invalid ip 192.0.2.7 ipv6 ::ffff:192.0.2.7, not in whitelist",
            ),
        ),
        (r#"{"errcode":48001,"errmsg":17}"#, refused(48001, "")),
        (
            r#"{"errcode":40029,"errmsg":"a\u0000b","access_token":"82_a"}"#,
            refused(40029, "ab"),
        ),
        (r#"{"errcode":-1,"errmsg":"system error"}"#, CallError::Busy),
        (r#"{"errcode":"-1"}"#, CallError::Busy),
    ] {
        all_say(body.as_bytes(), &error);
    }
}

#[test]
fn what_is_no_answer_is_unreadable_and_says_why() {
    let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_ANSWER_BYTES));
    let deep = "[".repeat(60_000);
    for (body, reason) in [
        (&b""[..], Reason::Empty),
        (b"  \r\n", Reason::Empty),
        (b"<html><body>502</body></html>", Reason::Html),
        (b"\xef\xbb\xbf<!doctype html>", Reason::Html),
        (br#"{"access_token":"82_a","#, Reason::Truncated),
        (br#"{"errcode":40029"#, Reason::Truncated),
        (b"access_token=82_a&expires_in=7200", Reason::NotJson),
        (b"callback( {\"error\":1} );", Reason::NotJson),
        (br#"{"a":1} {"b":2}"#, Reason::NotJson),
        (b"[]", Reason::NotAnObject),
        (b"null", Reason::NotAnObject),
        (b"\"errcode\"", Reason::NotAnObject),
        (large.as_bytes(), Reason::TooLarge),
        (deep.as_bytes(), Reason::NotJson),
        (br#"{"errcode":{}}"#, Reason::Wrong("errcode")),
        (br#"{"errcode":true}"#, Reason::Wrong("errcode")),
        (br#"{"errcode":"nope"}"#, Reason::Wrong("errcode")),
        (br#"{"errcode":1.5}"#, Reason::Wrong("errcode")),
        (
            br#"{"errcode":99999999999999999999}"#,
            Reason::Wrong("errcode"),
        ),
    ] {
        all_say(body, &CallError::Unreadable(reason));
    }
}

/// §7.1, §7.2, §14: what is tolerated of tokens, and what is not.
#[test]
fn tokens_are_read_strictly_where_it_matters() {
    let good = read_tokens(GOOD.as_bytes()).unwrap();
    assert_eq!(good.access.expose(), "82_a");
    assert_eq!(good.expires_in.as_seconds(), 7200);
    assert_eq!(good.scopes.to_string(), "snsapi_login");
    assert!(!good.is_snapshot);
    // A trailing comma, quoted numbers, an errcode of 0, a snapshot user, others' fields.
    let odd = r#"{"openid":"oX","access_token":"82_a","expires_in":"7200","scope":"snsapi_base,snsapi_userinfo,","errcode":0,"token_type":"bearer","is_snapshotuser":1,"unionid":""}"#;
    let odd = read_tokens(odd.as_bytes()).unwrap();
    assert_eq!(odd.scopes.to_string(), "snsapi_base,snsapi_userinfo");
    assert!(odd.is_snapshot && odd.refresh.is_none() && odd.unionid.is_none());
    let replaced = |from: &str, to: &str| {
        let body = GOOD.replace(from, to);
        assert_ne!(body, GOOD);
        match read_tokens(body.as_bytes()) {
            Err(CallError::Unreadable(reason)) => reason,
            other => panic!("{body}: {other:?}"),
        }
    };
    assert_eq!(
        replaced("access_token", "x"),
        Reason::Missing("access_token")
    );
    assert_eq!(replaced("82_a", ""), Reason::Missing("access_token"));
    assert_eq!(replaced("\"82_a\"", "7"), Reason::Wrong("access_token"));
    assert_eq!(replaced("82_a", "a b"), Reason::Wrong("access_token"));
    assert_eq!(
        replaced("82_a", "a\\u000d\\u000ab"),
        Reason::Wrong("access_token")
    );
    assert_eq!(
        replaced("82_a", &"a".repeat(2049)),
        Reason::Wrong("access_token")
    );
    assert_eq!(
        replaced("\"openid\"", "\"open\""),
        Reason::Missing("openid")
    );
    assert_eq!(replaced("\"oX\"", "null"), Reason::Missing("openid"));
    assert_eq!(replaced("\"oX\"", "[]"), Reason::Wrong("openid"));
    assert_eq!(replaced("oX", &"o".repeat(129)), Reason::Wrong("openid"));
    assert_eq!(replaced("7200", "-1"), Reason::Wrong("expires_in"));
    assert_eq!(replaced("7200", "1e99"), Reason::Wrong("expires_in"));
    assert_eq!(
        replaced("7200", "9999999999999"),
        Reason::Wrong("expires_in")
    );
    assert_eq!(replaced("expires_in", "x"), Reason::Wrong("expires_in"));
    assert_eq!(replaced("\"snsapi_login\"", "[]"), Reason::Wrong("scope"));
    assert_eq!(replaced("snsapi_login", "a b"), Reason::Wrong("scope"));
    assert_eq!(replaced("\"82_r\"", "{}"), Reason::Wrong("refresh_token"));
}

/// §7.4: nicknames may hold control or malformed bytes.
#[test]
fn broken_profiles_are_mended() {
    let mut body = br#"{"openid":"oX","nickname":"a"#.to_vec();
    body.extend(b"\x01\xff\xf0\x9f\x90\x9f");
    body.extend(br#"\ud83d\u0000","sex":"1","privilege":["chinaunicom",7],"headimgurl":"http:\/\/wx.qlogo.cn\/0"}"#);
    let read = read_profile(&body).unwrap();
    assert_eq!(read.profile.nickname, "a \u{fffd}🐟\u{fffd}");
    assert_eq!(read.profile.sex, Sex::Male);
    assert_eq!(read.privilege, ["chinaunicom"]);
    assert_eq!(read.profile.avatar, "http://wx.qlogo.cn/0");
    let odd = br#"{"openid":"oX","nickname":null,"sex":9,"privilege":"x","headimgurl":"javascript:alert(1)"}"#;
    let read = read_profile(odd).unwrap();
    assert_eq!(read.profile.nickname, "");
    assert_eq!(
        (read.profile.sex, read.profile.avatar.as_str()),
        (Sex::Unknown, "")
    );
    assert!(read.privilege.is_empty());
    for (body, reason) in [
        (r#"{"nickname":"a"}"#, Reason::Missing("openid")),
        (r#"{"openid":"oX","nickname":7}"#, Reason::Wrong("nickname")),
        (r#"{"openid":"oX","sex":"x"}"#, Reason::Wrong("sex")),
    ] {
        assert_eq!(
            read_profile(body.as_bytes()).err(),
            Some(CallError::Unreadable(reason)),
            "{body}"
        );
    }
}

/// §7.3: nothing but an errcode of 0 is a yes.
#[test]
fn a_verdict_needs_its_errcode() {
    assert_eq!(read_verdict(br#"{"errcode":0,"errmsg":"ok"}"#), Ok(()));
    assert_eq!(
        read_verdict(b"{}"),
        Err(CallError::Unreadable(Reason::Missing("errcode")))
    );
}

/// §8: what a login does with each errcode.
#[test]
fn errcodes_have_a_meaning() {
    for (code, means) in [
        (40029, Meaning::CodeInvalid),
        (42003, Meaning::CodeInvalid),
        (40163, Meaning::CodeUsed),
        (40001, Meaning::TokenInvalid),
        (40014, Meaning::TokenInvalid),
        (42001, Meaning::TokenInvalid),
        (40030, Meaning::RefreshInvalid),
        (42002, Meaning::RefreshInvalid),
        (42007, Meaning::RefreshInvalid),
        (40003, Meaning::SubjectMismatch),
        (-1, Meaning::Busy),
        (45011, Meaning::Busy),
        (40013, Meaning::Misconfigured),
        (40125, Meaning::Misconfigured),
        (40164, Meaning::Misconfigured),
        (48004, Meaning::Misconfigured),
        (48001, Meaning::ScopeMissing),
        (50002, Meaning::UserLimited),
        (40226, Meaning::UserLimited),
        (12345, Meaning::Unknown),
    ] {
        assert_eq!(meaning(code), means, "{code}");
        assert_eq!(refused(code, "").meaning(), means);
    }
    assert_eq!(CallError::Busy.meaning(), Meaning::Busy);
    let unreadable = CallError::Unreadable(Reason::Html);
    assert_eq!(unreadable.meaning(), Meaning::Unknown);
}

/// §3, §11.2: what comes back in the browser.
#[test]
fn a_return_without_a_code_is_a_no() {
    let returned = |code, state: Option<&str>| Returned {
        code,
        state: state.map(str::to_owned),
    };
    for (query, expected) in [
        ("code=C&state=s", returned(Ok(Secret::new("C")), Some("s"))),
        ("state=s", returned(Err(Refusal::ConsentDenied), Some("s"))),
        (
            "code=&state=",
            returned(Err(Refusal::ConsentDenied), Some("")),
        ),
        (
            "code=authdeny&state=s",
            returned(Err(Refusal::ConsentDenied), Some("s")),
        ),
        (
            "errcode=-4&state=s",
            returned(Err(Refusal::ConsentDenied), Some("s")),
        ),
        (
            "errcode=-2&state=s",
            returned(Err(Refusal::ConsentCancelled), Some("s")),
        ),
        ("code=a%20b", returned(Err(Refusal::ConsentDenied), None)),
        ("", returned(Err(Refusal::ConsentDenied), None)),
    ] {
        assert_eq!(read_return(query), expected, "{query}");
    }
}

/// Secrets are not printed, whatever holds them.
#[test]
fn what_was_read_does_not_print_its_secrets() {
    let read = read_tokens(GOOD.as_bytes()).unwrap();
    assert!(!format!("{read:?}").contains("82_"));
    assert!(!format!("{:?}", read_return("code=C0DE")).contains("C0DE"));
}

proptest! {
    #[test]
    fn no_answer_makes_a_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = (read_tokens(&body), read_profile(&body), read_verdict(&body));
    }

    /// A good answer with one byte changed, or cut short.
    #[test]
    fn no_damage_makes_a_reader_panic(at in 0..GOOD.len(), byte: u8, cut: bool) {
        let mut body = GOOD.as_bytes().to_vec();
        body[at] = byte;
        if cut {
            body.truncate(at);
        }
        let _ = (read_tokens(&body), read_profile(&body), read_verdict(&body));
    }

    #[test]
    fn no_query_makes_the_reader_of_returns_panic(query in "\\PC{0,80}") {
        read_return(&query);
    }
}
