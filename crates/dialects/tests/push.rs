//! Pushes of the platform: what is believed and what is not. The check of an address is
//! the example of the platform's document "Message push"; the encrypted vector was made with another
//! tool than ours.

use aws_lc_rs::cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::digest;
use aws_lc_rs::iv::FixedLength;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::option::of;
use proptest::prelude::*;
use yufu_core::id::ClientId;
use yufu_core::secret::Secret;
use yufu_core::subject::Subject;
use yufu_core::time::Timestamp;
use yufu_dialects::http::Request;
use yufu_dialects::wechat::push::{
    AesKey, Fresh, MAX_PUSH_BYTES, Mode, Push, PushError, PushEvent, PushKeys, PushKind, Sealed,
    Spelling, echo_query, open, open_plain, seal, verify_url,
};

const APPID: &str = "wx7396d7da48f61f10";
const TOKEN: &str = "AAAAA";
const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const KEY_BYTES: &str = "69b71d79f8218a39259a7a29aabb2dbafc31cb3d35db7e39ebbf3d0010831051";
const TIMESTAMP: &str = "1714036504";
const NONCE: &str = "1514711492";
const SIGNATURE: &str = "f464b24fc39322e44b38aa78f5edd27bd1441696";
const ENCRYPT: &str = "Q3stYC6hdFzMh9T8HCvyDEfG2RyGw+2qMG7gXnTIYmGrO+KEpmZASO2MHLU71ru8S4+ltAyLpLSSkqDfc6/fmjZy3PmgS+9qMc/tMOmVUfGYtu0MEcDYZlBRtBrO2WTr";
const MSG_SIGNATURE: &str = "c30039d467ab638b558cc5343219916751dd8114";
const MESSAGE: &str = r#"{"Event":"user_authorization_revoke"}"#;

fn keys() -> PushKeys {
    PushKeys {
        token: Secret::new(TOKEN),
        aes_key: AesKey::parse(KEY).unwrap(),
        appid: ClientId::new(APPID),
    }
}

fn fresh() -> Fresh {
    Fresh {
        now: Timestamp::from_seconds(1_714_036_504),
        nonce: NONCE.to_owned(),
        random: *b"0123456789abcdef",
    }
}

fn event(kind: PushKind) -> PushEvent {
    PushEvent {
        kind,
        appid: ClientId::new(APPID),
        openid: Some(Subject::new("oWmnN4xxxxxxxxxxe92NHIGf1xd8")),
        unionid: Some(Subject::new("o6_bmasdasdsad6_2sgVt7hMZOPfL")),
        created_at: Timestamp::from_seconds(1_714_036_500),
    }
}

fn everything() -> PushKind {
    PushKind::AuthorizationRevoked {
        info: "301".to_owned(),
    }
}

/// SHA-1 of the sorted parts, in hex: written once more, on purpose.
fn sha1(parts: &[&str]) -> String {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    let bytes = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, parts.concat().as_bytes());
    bytes.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

fn signed(encrypt: &str) -> String {
    let signature = sha1(&[TOKEN, TIMESTAMP, NONCE, encrypt]);
    format!("timestamp={TIMESTAMP}&nonce={NONCE}&msg_signature={signature}")
}

/// Whole blocks, encrypted as they are: what is inside is the test's business.
fn encrypt(clear: &[u8]) -> String {
    let byte = |at: usize| u8::from_str_radix(&KEY_BYTES[2 * at..2 * at + 2], 16).unwrap();
    let key: Vec<u8> = (0..32).map(byte).collect();
    let iv: [u8; 16] = key[..16].try_into().unwrap();
    let cipher = EncryptingKey::cbc(UnboundCipherKey::new(&AES_256, &key).unwrap()).unwrap();
    let mut bytes = clear.to_vec();
    let context = EncryptionContext::Iv128(FixedLength::from(iv));
    cipher.less_safe_encrypt(&mut bytes, context).unwrap();
    STANDARD.encode(bytes)
}

fn padded(mut clear: Vec<u8>) -> Vec<u8> {
    let count = 32 - clear.len() % 32;
    clear.resize(clear.len() + count, count as u8);
    clear
}

fn framed(length: u32, message: &str, appid: &str) -> Vec<u8> {
    [
        b"0123456789abcdef",
        &length.to_be_bytes()[..],
        message.as_bytes(),
        appid.as_bytes(),
    ]
    .concat()
}

/// Opens a push whose signature and encryption are right and whose message is this.
fn open_message(message: &str) -> Result<Push, PushError> {
    let clear = padded(framed(message.len() as u32, message, APPID));
    open_clear(&clear)
}

fn open_clear(clear: &[u8]) -> Result<Push, PushError> {
    let encrypted = encrypt(clear);
    let body = format!(r#"{{"Encrypt":"{encrypted}"}}"#);
    open(&keys(), &signed(&encrypted), body.as_bytes())
}

fn reason<T: std::fmt::Debug>(outcome: Result<T, PushError>) -> &'static str {
    outcome.unwrap_err().reason()
}

#[test]
fn the_check_of_an_address_is_the_documents() {
    let token = Secret::new(TOKEN);
    let check = |echo, signature| verify_url(&token, TIMESTAMP, NONCE, echo, signature);
    assert_eq!(
        check("4375120948345356249", SIGNATURE),
        Ok("4375120948345356249")
    );
    let loud = SIGNATURE.to_uppercase();
    for bad in ["", &SIGNATURE[1..], &loud, MSG_SIGNATURE] {
        assert_eq!(reason(check("1", bad)), "signature");
    }
    let long = "1".repeat(257);
    for echo in ["<script>", "a b", "\r\nSet-Cookie: a=b", "梅", &long] {
        assert_eq!(reason(check(echo, SIGNATURE)), "echostr", "{echo}");
    }
}

#[test]
fn our_check_of_an_address_is_read_by_ours() {
    let query = echo_query(&Secret::new(TOKEN), &fresh(), "4375120948345356249");
    assert_eq!(
        query,
        format!(
            "signature={SIGNATURE}&timestamp={TIMESTAMP}&nonce={NONCE}&echostr=4375120948345356249"
        )
    );
}

#[test]
fn the_vector_opens_in_either_spelling() {
    let query = format!(
        "signature={SIGNATURE}&timestamp={TIMESTAMP}&nonce={NONCE}&openid=oAnybody\
         &encrypt_type=aes&msg_signature={MSG_SIGNATURE}"
    );
    let json = format!(r#"{{"ToUserName":"gh_1","Encrypt":"{ENCRYPT}"}}"#);
    let xml = format!(
        "<xml>\n<ToUserName><![CDATA[gh_1]]></ToUserName>\n<Encrypt><![CDATA[{ENCRYPT}]]></Encrypt>\n</xml>"
    );
    let compatible = format!(
        "<xml><Event>user_authorization_cancellation</Event><OpenID>oAnother</OpenID>\
         <Encrypt>{ENCRYPT}</Encrypt></xml>"
    );
    for body in [json, xml, compatible] {
        let push = open(&keys(), &query, body.as_bytes()).unwrap();
        // The message says no more than its event: the rest comes from what is signed.
        let signed_at = Timestamp::from_seconds(1_714_036_504);
        assert_eq!(
            push,
            Push {
                event: PushEvent {
                    kind: PushKind::AuthorizationRevoked {
                        info: String::new()
                    },
                    appid: ClientId::new(APPID),
                    openid: None,
                    unionid: None,
                    created_at: signed_at,
                },
                signed_at,
                nonce: NONCE.to_owned(),
            }
        );
    }
    // The test's own encryption is the vector's too: the hostile tests below stand on it.
    assert_eq!(encrypt(&padded(framed(37, MESSAGE, APPID))), ENCRYPT);
    assert_eq!(
        signed(ENCRYPT),
        format!("timestamp={TIMESTAMP}&nonce={NONCE}&msg_signature={MSG_SIGNATURE}")
    );
}

#[test]
fn pushes_are_written_as_the_facts_have_them() {
    let event = event(everything());
    let plain = seal(&keys(), &event, Mode::Plain, Spelling::Json, &fresh()).unwrap();
    assert_eq!(
        plain,
        Sealed {
            query: format!(
                "signature={SIGNATURE}&timestamp={TIMESTAMP}&nonce={NONCE}\
                 &openid=oWmnN4xxxxxxxxxxe92NHIGf1xd8"
            ),
            content_type: "application/json",
            body: format!(
                r#"{{"ToUserName":"{APPID}","FromUserName":"oWmnN4xxxxxxxxxxe92NHIGf1xd8","CreateTime":1714036500,"MsgType":"event","Event":"user_authorization_revoke","OpenID":"oWmnN4xxxxxxxxxxe92NHIGf1xd8","AppID":"{APPID}","RevokeInfo":"301","UnionID":"o6_bmasdasdsad6_2sgVt7hMZOPfL"}}"#
            ),
        }
    );
    let xml = "<xml><ToUserName><![CDATA[wx7396d7da48f61f10]]></ToUserName>\
        <FromUserName><![CDATA[oWmnN4xxxxxxxxxxe92NHIGf1xd8]]></FromUserName>\
        <CreateTime>1714036500</CreateTime><MsgType><![CDATA[event]]></MsgType>\
        <Event><![CDATA[user_authorization_revoke]]></Event>\
        <OpenID><![CDATA[oWmnN4xxxxxxxxxxe92NHIGf1xd8]]></OpenID>\
        <AppID><![CDATA[wx7396d7da48f61f10]]></AppID>\
        <RevokeInfo><![CDATA[301]]></RevokeInfo>\
        <UnionID><![CDATA[o6_bmasdasdsad6_2sgVt7hMZOPfL]]></UnionID></xml>";
    let plain = seal(&keys(), &event, Mode::Plain, Spelling::Xml, &fresh()).unwrap();
    assert_eq!((plain.content_type, plain.body.as_str()), ("text/xml", xml));

    let encrypted = encrypt(&padded(framed(xml.len() as u32, xml, APPID)));
    let safe = seal(&keys(), &event, Mode::Safe, Spelling::Xml, &fresh()).unwrap();
    assert_eq!(
        safe.body,
        format!(
            "<xml><ToUserName><![CDATA[{APPID}]]></ToUserName>\
             <Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
        )
    );
    let signature = sha1(&[TOKEN, TIMESTAMP, NONCE, &encrypted]);
    assert!(
        safe.query
            .ends_with(&format!("&encrypt_type=aes&msg_signature={signature}"))
    );

    let both = seal(&keys(), &event, Mode::Compatible, Spelling::Xml, &fresh()).unwrap();
    let end = format!("<Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>");
    assert_eq!(both.body, xml.replace("</xml>", &end));
}

#[test]
fn names_with_a_blank_in_front_are_read_and_the_sound_name_wins() {
    let push = open_message(
        r#"{" MsgType":"event"," Event":"user_authorization_revoke"," OpenID":"oBlank",
            "RevokeInfo":301," AppID":"wx7396d7da48f61f10","CreateTime":"1714036500"}"#,
    )
    .unwrap();
    assert_eq!(push.event.kind, everything());
    assert_eq!(push.event.openid, Some(Subject::new("oBlank")));
    assert_eq!(
        push.event.created_at,
        Timestamp::from_seconds(1_714_036_500)
    );
    for body in [
        r#"{"Event":"user_info_modified"," OpenID":"oBlank","OpenID":"oSound"}"#,
        r#"{"Event":"user_info_modified","OpenID":"oSound"," OpenID":"oBlank"}"#,
    ] {
        let push = open_message(body).unwrap();
        assert_eq!(push.event.openid, Some(Subject::new("oSound")));
    }
}

#[test]
fn what_is_new_is_no_fault() {
    for (message, word) in [
        (r#"{"MsgType":"event","Event":"later"}"#, "later"),
        (r#"{"MsgType":"text","Content":"hello"}"#, "text"),
        (
            "<xml><MsgType>image</MsgType><Event>x</Event></xml>",
            "image",
        ),
        (
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><!-- c --><xml><New a='1'><Deep>Event</Deep></New>\
             <Event>a&amp;b&#x21;</Event><Empty/></xml>",
            "a&b!",
        ),
        (
            r#"{"Event":"later","Deep":{"Event":"x"},"List":[1,[2]],"No":null,"Yes":true}"#,
            "later",
        ),
    ] {
        let push = open_message(message).unwrap();
        assert_eq!(
            push.event.kind,
            PushKind::Other(word.to_owned()),
            "{message}"
        );
    }
}

#[test]
fn signatures_come_first_and_cover_all_that_counts() {
    let body = format!(r#"{{"Encrypt":"{ENCRYPT}"}}"#);
    let good = signed(ENCRYPT);
    assert!(open(&keys(), &good, body.as_bytes()).is_ok());
    for (query, why) in [
        (String::new(), "msg_signature"),
        (good.replace("msg_signature", "signature"), "msg_signature"),
        (good.replace("nonce=", "once="), "nonce"),
        (good.replace("timestamp", "time"), "timestamp"),
        (good.replace(NONCE, "1514711493"), "signature"),
        (good.replace(TIMESTAMP, "1714036505"), "signature"),
        (good.replace(MSG_SIGNATURE, SIGNATURE), "signature"),
        (
            good.replace(MSG_SIGNATURE, &MSG_SIGNATURE[..39]),
            "signature",
        ),
        (good.replace(NONCE, &"1".repeat(600)), "nonce"),
        // What stands in the body is no parameter.
        (good.replace(&format!("&nonce={NONCE}"), ""), "nonce"),
    ] {
        assert_eq!(
            reason(open(&keys(), &query, body.as_bytes())),
            why,
            "{query}"
        );
    }
    let other = PushKeys {
        token: Secret::new("BBBBB"),
        ..keys()
    };
    assert_eq!(reason(open(&other, &good, body.as_bytes())), "signature");
    // Whatever is wrong with the encryption, an unsigned push does not learn of it.
    for encrypted in ["", "?", "AAAA", &ENCRYPT[4..]] {
        let body = format!(r#"{{"Encrypt":"{encrypted}","a":1}}"#);
        let why = reason(open(&keys(), &good, body.as_bytes()));
        assert_eq!(
            why,
            if encrypted.is_empty() {
                "no Encrypt"
            } else {
                "signature"
            }
        );
    }
}

#[test]
fn a_timestamp_is_a_number_even_when_signed() {
    for timestamp in ["x", "-1", "171403650400", "1e9", " 1714036504"] {
        let signature = sha1(&[TOKEN, timestamp, NONCE, ENCRYPT]);
        let query = format!("timestamp={timestamp}&nonce={NONCE}&msg_signature={signature}");
        let body = format!(r#"{{"Encrypt":"{ENCRYPT}"}}"#);
        let outcome = open(&keys(), &query.replace(' ', "%20"), body.as_bytes());
        assert_eq!(reason(outcome), "timestamp", "{timestamp}");
    }
}

#[test]
fn broken_encryption_is_refused() {
    let inner = framed(37, MESSAGE, APPID);
    assert!(open_clear(&padded(inner.clone())).is_ok());
    let with_padding = |padding: &[u8]| [&inner[..], padding].concat();
    let mut odd = vec![21; 21];
    odd[0] = 20;
    for (padding, what) in [
        (vec![0; 21], "zeros"),
        (odd, "one byte of another value"),
        (vec![33; 21], "a count beyond the block"),
        (vec![255; 21], "a count beyond the text"),
        (vec![22; 21], "a count too high"),
    ] {
        assert_eq!(
            reason(open_clear(&with_padding(&padding))),
            "padding",
            "{what}"
        );
    }
    // Padded for the cipher's block of 16, not for 32.
    assert_eq!(reason(open_clear(&with_padding(&[5; 5]))), "blocks");
    assert_eq!(reason(open_clear(&[32; 32])), "length");
    for encrypted in ["AAAA", "AAAAAAAAAAAAAAAAAAAAAA=="] {
        let body = format!(r#"{{"Encrypt":"{encrypted}"}}"#);
        assert_eq!(
            reason(open(&keys(), &signed(encrypted), body.as_bytes())),
            "blocks"
        );
    }
    for encrypted in ["?", "AAA", "AA==AA==", "Q3st YC6h"] {
        let body = format!(r#"{{"Encrypt":"{encrypted}"}}"#);
        let query = signed(encrypted);
        assert_eq!(reason(open(&keys(), &query, body.as_bytes())), "base64");
    }
    let other = PushKeys {
        aes_key: AesKey::new([7; 32]),
        ..keys()
    };
    let body = format!(r#"{{"Encrypt":"{ENCRYPT}"}}"#);
    assert!(open(&other, &signed(ENCRYPT), body.as_bytes()).is_err());
}

#[test]
fn a_push_for_another_client_is_refused() {
    for appid in [
        "",
        "wx7396d7da48f61f1",
        "wx7396d7da48f61f100",
        "wxffffffffffffffff",
    ] {
        let clear = padded(framed(37, MESSAGE, appid));
        assert_eq!(reason(open_clear(&clear)), "appid", "{appid}");
    }
    for length in [36, 38, 55] {
        let clear = padded(framed(length, MESSAGE, APPID));
        assert_eq!(reason(open_clear(&clear)), "appid");
    }
    let clear = padded(framed(u32::MAX, MESSAGE, APPID));
    assert_eq!(reason(open_clear(&clear)), "length");
    let inside = r#"{"Event":"user_info_modified","AppID":"wxffffffffffffffff"}"#;
    assert_eq!(reason(open_message(inside)), "AppID");
}

#[test]
fn messages_that_no_platform_sends_are_refused() {
    let laughs = "<!DOCTYPE lolz [<!ENTITY a \"lol\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;\">\
                  <!ENTITY c \"&b;&b;&b;&b;&b;&b;\">]><xml><Event>&c;</Event></xml>";
    let deep = format!("{}{}", "<a>".repeat(17), "</a>".repeat(17));
    let deep_json = format!("{{\"Event\":{}{}}}", "[".repeat(200), "]".repeat(200));
    for (message, why) in [
        ("", "no JSON"),
        ("Event=1", "no JSON"),
        ("[]", "no JSON"),
        ("{\"Event\":\"a\"", "no JSON"),
        ("{\"Event\":\"a\"}x", "no JSON"),
        (deep_json.as_str(), "no JSON"),
        ("{}", "no Event"),
        ("{\"MsgType\":\"event\"}", "no Event"),
        ("{\"Event\":{\"Event\":\"x\"}}", "no Event"),
        ("{\"Event\":\"x\",\"OpenID\":\"o\\u0000\"}", "subject"),
        ("{\"Event\":\"x\",\"OpenID\":\"a b\"}", "subject"),
        ("{\"Event\":\"x\",\"CreateTime\":-1}", "CreateTime"),
        ("{\"Event\":\"x\",\"CreateTime\":1.5}", "CreateTime"),
        ("<xml/>", "no Event"),
        ("<xml><a><Event>x</Event></a></xml>", "no Event"),
        ("<xml><Event>x</Event>", "truncated"),
        ("<xml><Event>x</Even", "no XML"),
        ("<xml><Event>x</Evens></xml>", "no XML"),
        ("<xml><Event>x</Event></xml></xml>", "no XML"),
        ("<xml><Event>x</Event></xml><xml/>", "too deep or too long"),
        ("<xml><Event>x</Event></xml>y", "text outside"),
        (
            "<xml><Event>x</Event><Event>y</Event></xml>",
            "a repeated field",
        ),
        (
            "<!DOCTYPE xml><xml><Event>x</Event></xml>",
            "a document type",
        ),
        (
            "<!doctype xml><xml><Event>x</Event></xml>",
            "a document type",
        ),
        (
            "<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><xml><Event>x</Event></xml>",
            "a document type",
        ),
        (laughs, "a document type"),
        ("<xml><Event>&lol;</Event></xml>", "an entity"),
        ("<xml><Event>&#0;</Event></xml>", "an entity"),
        ("<xml><Event>&#x110000;</Event></xml>", "an entity"),
        ("<xml><?php x ?><Event>x</Event></xml>", "an instruction"),
        (deep.as_str(), "too deep or too long"),
    ] {
        assert_eq!(reason(open_message(message)), why, "{message}");
    }
}

#[test]
fn envelopes_are_bounded_too() {
    let good = signed(ENCRYPT);
    let long = format!(
        r#"{{"Encrypt":"{ENCRYPT}","a":"{}"}}"#,
        "x".repeat(MAX_PUSH_BYTES)
    );
    assert_eq!(reason(open(&keys(), &good, long.as_bytes())), "too large");
    assert_eq!(
        reason(open(&keys(), &good, b"{\"Encrypt\":\"\xff\"}")),
        "no UTF-8"
    );
    let declared =
        format!("<!DOCTYPE a [<!ENTITY e '{ENCRYPT}'>]><xml><Encrypt>&e;</Encrypt></xml>");
    assert_eq!(
        reason(open(&keys(), &good, declared.as_bytes())),
        "a document type"
    );
    let twice = format!("<xml><Encrypt>{ENCRYPT}</Encrypt><Encrypt>{ENCRYPT}</Encrypt></xml>");
    assert_eq!(
        reason(open(&keys(), &good, twice.as_bytes())),
        "a repeated field"
    );
    let marked = format!("\u{feff}\n {{\"Encrypt\":\"{ENCRYPT}\"}}");
    assert!(open(&keys(), &good, marked.as_bytes()).is_ok());
}

#[test]
fn a_plain_push_is_never_read_where_an_encrypted_one_is_due() {
    let event = event(everything());
    let sealed = seal(&keys(), &event, Mode::Plain, Spelling::Xml, &fresh()).unwrap();
    let outcome = open(&keys(), &sealed.query, sealed.body.as_bytes());
    assert_eq!(reason(outcome), "no Encrypt");
    let keys = keys();
    let plain = |query: &str| open_plain(&keys.token, &keys.appid, query, sealed.body.as_bytes());
    assert_eq!(plain(&sealed.query).unwrap().event, event);
    assert_eq!(
        reason(plain(&sealed.query.replace(NONCE, "1"))),
        "signature"
    );
    assert_eq!(reason(plain("")), "timestamp");
    let elsewhere = ClientId::new("wxffffffffffffffff");
    let outcome = open_plain(
        &keys.token,
        &elsewhere,
        &sealed.query,
        sealed.body.as_bytes(),
    );
    assert_eq!(reason(outcome), "AppID");
}

#[test]
fn nobody_outside_learns_why() {
    let error = open(&keys(), "", b"{}").unwrap_err();
    assert_eq!(error.to_string(), "the push is not to be believed");
    assert!(!format!("{:?}", keys()).contains("AAAAA"));
}

fn subject() -> impl Strategy<Value = Subject> {
    "o[!-~]{0,40}".prop_map(|text| Subject::new(&text))
}

/// Text without control characters, and without blanks at its ends.
fn word() -> impl Strategy<Value = String> {
    "[a-z\\]>&<\"'\\\\梅🐟 ]{0,20}".prop_map(|text| format!("w{}w", text))
}

fn any_kind() -> impl Strategy<Value = PushKind> {
    prop_oneof![
        word().prop_map(|info| PushKind::AuthorizationRevoked { info }),
        Just(PushKind::AuthorizationCancelled),
        Just(PushKind::InfoModified),
        word().prop_map(PushKind::Other),
    ]
}

fn any_event() -> impl Strategy<Value = PushEvent> {
    (
        any_kind(),
        of(subject()),
        of(subject()),
        0i64..99_999_999_999,
    )
        .prop_map(|(kind, openid, unionid, seconds)| PushEvent {
            kind,
            appid: ClientId::new(APPID),
            openid,
            unionid,
            created_at: Timestamp::from_seconds(seconds),
        })
}

fn any_fresh() -> impl Strategy<Value = Fresh> {
    (
        "[0-9a-zA-Z&+ ]{1,32}",
        any::<[u8; 16]>(),
        0i64..99_999_999_999,
    )
        .prop_map(|(nonce, random, seconds)| Fresh {
            now: Timestamp::from_seconds(seconds),
            nonce,
            random,
        })
}

fn spelling() -> impl Strategy<Value = Spelling> {
    prop_oneof![Just(Spelling::Xml), Just(Spelling::Json)]
}

proptest! {
    #[test]
    fn what_is_sealed_opens(
        event in any_event(), fresh in any_fresh(), spelling in spelling(), aes_key: [u8; 32],
    ) {
        let keys = PushKeys { aes_key: AesKey::new(aes_key), ..keys() };
        let expected = Push {
            event: event.clone(), signed_at: fresh.now, nonce: fresh.nonce.clone(),
        };
        for mode in [Mode::Safe, Mode::Compatible] {
            let sealed = seal(&keys, &event, mode, spelling, &fresh).unwrap();
            let push = open(&keys, &sealed.query, sealed.body.as_bytes());
            prop_assert_eq!(push, Ok(expected.clone()));
        }
        for mode in [Mode::Plain, Mode::Compatible] {
            let sealed = seal(&keys, &event, mode, spelling, &fresh).unwrap();
            let body = sealed.body.as_bytes();
            let push = open_plain(&keys.token, &keys.appid, &sealed.query, body);
            prop_assert_eq!(push, Ok(expected.clone()));
        }
    }

    #[test]
    fn a_checked_address_answers(fresh in any_fresh(), echo in "[0-9A-Za-z+/=]{1,40}") {
        let token = Secret::new(TOKEN);
        let params = Request::get("/", &echo_query(&token, &fresh, &echo)).params();
        let get = |name| params.get(name).unwrap();
        let answer = verify_url(
            &token, get("timestamp"), get("nonce"), get("echostr"), get("signature"),
        );
        prop_assert_eq!(answer, Ok(echo.as_str()));
    }

    #[test]
    fn no_flipped_bit_of_a_sealed_push_passes(
        event in any_event(), fresh in any_fresh(), spelling in spelling(), at: usize, bit in 0u8..7,
    ) {
        let sealed = seal(&keys(), &event, Mode::Safe, spelling, &fresh).unwrap();
        let mut body = sealed.body.into_bytes();
        let at = at % body.len();
        body[at] ^= 1 << bit;
        // A change outside of what is encrypted may be harmless, but changes nothing.
        if let Ok(push) = open(&keys(), &sealed.query, &body) {
            prop_assert_eq!(push.event, event);
        }
    }

    #[test]
    fn nothing_makes_it_panic(query in "\\PC{0,60}", body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = open(&keys(), &query, &body);
        let _ = open_plain(&keys().token, &keys().appid, &query, &body);
    }

    #[test]
    fn no_signed_message_makes_it_panic(message in "[<>/!\\[\\]?a-cA-E&;#x\"'= ]{0,60}") {
        let _ = open_message(&message);
    }
}
