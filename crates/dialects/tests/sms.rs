//! SMS gateways: what goes out to the byte, and what is read of their answers. The signatures
//! themselves are proved beside them, by the gateways' own vectors; here they are recomputed from
//! the requests as the gateways would.

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use yufu_core::secret::Secret;
use yufu_core::time::{Lifetime, Timestamp};
use yufu_core::user::Phone;
use yufu_dialects::http::{Method, Request};
use yufu_dialects::sms::aliyun::{self, Aliyun, Signing};
use yufu_dialects::sms::tencent::{self, Tencent};
use yufu_dialects::sms::webhook::{self, MAX_SKEW, Webhook, is_signed};
use yufu_dialects::sms::{
    MAX_SMS_BYTES, Slot, SmsError, SmsMessage, SmsReceipt, SmsRequest, SmsSent, Template,
};

const NOW: Timestamp = Timestamp::from_seconds(1_698_315_752);
const NONCE: &str = "3156853299f313e23d1673dc12e1703d";

fn message(phone: &str) -> SmsMessage {
    SmsMessage {
        phone: Phone::parse(phone).unwrap(),
        code: Secret::new("048213"),
        scene: "login".to_owned(),
        minutes: 5,
        text: None,
        id: "m-1".to_owned(),
    }
}

fn template() -> Template {
    Template {
        id: "SMS_71390007".to_owned(),
        gaps: vec![
            ("code".to_owned(), Slot::Code),
            ("minutes".to_owned(), Slot::Minutes),
            ("app".to_owned(), Slot::Fixed("a\"b梅".to_owned())),
        ],
    }
}

fn aliyun() -> Aliyun {
    Aliyun::new(
        "testId",
        Secret::new("testSecret"),
        "阿里云短信测试专用",
        template(),
    )
}

fn tencent() -> Tencent {
    let key = Secret::new("Gu5t9xGARNpq86cd98joQYCN3EXAMPLE");
    Tencent::new("AKIDEXAMPLE", key, "1400006666", "腾讯云", template())
}

fn webhook() -> Webhook {
    Webhook {
        url: Secret::new("https://sms.example/send?key=hush"),
        secret: Secret::new("shared"),
    }
}

fn header<'a>(request: &'a SmsRequest, name: &str) -> &'a str {
    let mut named = request.headers.iter().filter(|(known, _)| *known == name);
    let value = named.next().unwrap_or_else(|| panic!("no {name}"));
    assert_eq!(named.next(), None, "{name} once");
    &value.1
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn sha256(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

fn hmac256(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

const ALIYUN_QUERY: &str = "OutId=m-1&PhoneNumbers=13800000001&SignName=%E9%98%BF%E9%87%8C%E4%BA%91%E7%9F%AD%E4%BF%A1%E6%B5%8B%E8%AF%95%E4%B8%93%E7%94%A8&TemplateCode=SMS_71390007&TemplateParam=%7B%22app%22%3A%22a%5C%22b%E6%A2%85%22%2C%22code%22%3A%22048213%22%2C%22minutes%22%3A%225%22%7D";

#[test]
fn aliyun_is_asked_as_its_documents_say() {
    let request = aliyun().send(&message("13800000001"), NOW, NONCE);
    assert_eq!(request.method, Method::Post);
    assert_eq!(
        request.url.expose(),
        format!("https://dysmsapi.aliyuncs.com/?{ALIYUN_QUERY}")
    );
    assert!(request.body.is_empty());
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let names = "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;\
                 x-acs-version";
    let canonical = format!(
        "POST\n/\n{ALIYUN_QUERY}\nhost:dysmsapi.aliyuncs.com\nx-acs-action:SendSms\n\
         x-acs-content-sha256:{empty}\nx-acs-date:2023-10-26T10:22:32Z\n\
         x-acs-signature-nonce:{NONCE}\nx-acs-version:2017-05-25\n\n{names}\n{empty}"
    );
    let text = format!("ACS3-HMAC-SHA256\n{}", sha256(&canonical));
    let signature = hex(&hmac256(b"testSecret", &text));
    let expected = [
        ("x-acs-action", "SendSms".to_owned()),
        ("x-acs-content-sha256", empty.to_owned()),
        ("x-acs-date", "2023-10-26T10:22:32Z".to_owned()),
        ("x-acs-signature-nonce", NONCE.to_owned()),
        ("x-acs-version", "2017-05-25".to_owned()),
        (
            "authorization",
            format!(
                "ACS3-HMAC-SHA256 Credential=testId,SignedHeaders={names},Signature={signature}"
            ),
        ),
    ];
    assert_eq!(request.headers, expected);
}

#[test]
fn old_aliyun_is_asked_by_get() {
    let old = Aliyun {
        signing: Signing::V1,
        ..aliyun()
    };
    let request = old.send(&message("13800000001"), NOW, NONCE);
    assert_eq!(request.method, Method::Get);
    assert!(request.headers.is_empty() && request.body.is_empty());
    let url = request.url.expose();
    let (signature, query) = url
        .strip_prefix("https://dysmsapi.aliyuncs.com/?Signature=")
        .and_then(|rest| rest.split_once('&'))
        .unwrap();
    let rest = ALIYUN_QUERY.replace("&SignName", "&RegionId=cn-hangzhou&SignName");
    let rest = rest.replace(
        "&TemplateCode",
        &format!(
            "&SignatureMethod=HMAC-SHA1&SignatureNonce={NONCE}&SignatureVersion=1.0&TemplateCode"
        ),
    );
    assert_eq!(
        query,
        format!(
            "AccessKeyId=testId&Action=SendSms&Format=JSON&{rest}\
             &Timestamp=2023-10-26T10%3A22%3A32Z&Version=2017-05-25"
        )
    );
    let escaped = query
        .replace('%', "%25")
        .replace('=', "%3D")
        .replace('&', "%26");
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"testSecret&");
    let tag = hmac::sign(&key, format!("GET&%2F&{escaped}").as_bytes());
    let heard = Request::get("/", &format!("s={signature}")).params();
    assert_eq!(heard.get("s"), Some(STANDARD.encode(tag).as_str()));
}

#[test]
fn foreign_numbers_go_to_aliyun_with_their_country_and_without_a_plus() {
    let request = aliyun().send(&message("+85291234567"), NOW, NONCE);
    assert!(request.url.expose().contains("PhoneNumbers=85291234567&"));
}

#[test]
fn tencent_is_asked_as_its_documents_say() {
    let request = tencent().send(&message("13800000001"), NOW);
    assert_eq!(request.method, Method::Post);
    assert_eq!(request.url.expose(), "https://sms.tencentcloudapi.com/");
    let body = r#"{"PhoneNumberSet":["+8613800000001"],"SmsSdkAppId":"1400006666","TemplateId":"SMS_71390007","SignName":"腾讯云","TemplateParamSet":["048213","5","a\"b梅"],"SessionContext":"m-1"}"#;
    assert_eq!(String::from_utf8_lossy(&request.body), body);
    let canonical = format!(
        "POST\n/\n\ncontent-type:application/json; charset=utf-8\n\
         host:sms.tencentcloudapi.com\nx-tc-action:sendsms\n\n\
         content-type;host;x-tc-action\n{}",
        sha256(body)
    );
    let day = hmac256(b"TC3Gu5t9xGARNpq86cd98joQYCN3EXAMPLE", "2023-10-26");
    let key = hmac256(&hmac256(&day, "sms"), "tc3_request");
    let text = format!(
        "TC3-HMAC-SHA256\n1698315752\n2023-10-26/sms/tc3_request\n{}",
        sha256(&canonical)
    );
    let signature = hex(&hmac256(&key, &text));
    let expected = [
        (
            "authorization",
            format!(
                "TC3-HMAC-SHA256 Credential=AKIDEXAMPLE/2023-10-26/sms/tc3_request, \
                 SignedHeaders=content-type;host;x-tc-action, Signature={signature}"
            ),
        ),
        ("content-type", "application/json; charset=utf-8".to_owned()),
        ("x-tc-action", "SendSms".to_owned()),
        ("x-tc-region", "ap-guangzhou".to_owned()),
        ("x-tc-timestamp", "1698315752".to_owned()),
        ("x-tc-version", "2021-01-11".to_owned()),
    ];
    assert_eq!(request.headers, expected);
}

#[test]
fn a_webhook_is_asked_with_a_signature_over_time_and_body() {
    let mut said = message("13800000001");
    let request = webhook().send(&said, NOW);
    assert_eq!(request.method, Method::Post);
    assert_eq!(request.url.expose(), "https://sms.example/send?key=hush");
    let body = r#"{"phone":"+8613800000001","code":"048213","scene":"login","id":"m-1"}"#;
    assert_eq!(String::from_utf8_lossy(&request.body), body);
    let signature = hex(&hmac256(b"shared", &format!("1698315752.{body}")));
    let expected = [
        ("content-type", "application/json".to_owned()),
        ("x-yufu-timestamp", "1698315752".to_owned()),
        ("x-yufu-signature", format!("sha256={signature}")),
    ];
    assert_eq!(request.headers, expected);
    said.text = Some("【yufu】048213".to_owned());
    let request = webhook().send(&said, NOW);
    let body = r#"{"phone":"+8613800000001","code":"048213","scene":"login","text":"【yufu】048213","id":"m-1"}"#;
    assert_eq!(String::from_utf8_lossy(&request.body), body);
}

#[test]
fn a_webhooks_signature_is_checked_with_its_time() {
    let (secret, body) = (Secret::new("shared"), b"[]");
    let timestamp = NOW.seconds().to_string();
    let good = format!(
        "sha256={}",
        hex(&hmac256(b"shared", &format!("{timestamp}.[]")))
    );
    let check =
        |timestamp: &str, signature: &str, now| is_signed(&secret, timestamp, signature, body, now);
    assert!(check(&timestamp, &good, NOW));
    assert!(check(&timestamp, &good, NOW.plus(MAX_SKEW)));
    assert!(check(&timestamp, &good, NOW.minus(MAX_SKEW)));
    let late = Lifetime::from_millis(MAX_SKEW.millis() + 1);
    assert!(!check(&timestamp, &good, NOW.plus(late)));
    assert!(!check(&timestamp, &good, NOW.minus(late)));
    assert!(!check(&timestamp, &good[7..], NOW));
    assert!(!check(&timestamp, &good.to_uppercase(), NOW));
    assert!(!check("1698315753", &good, NOW));
    for bad in ["", "-1", "x", "99999999999999999999", " 1698315752"] {
        assert!(!check(bad, &good, NOW), "{bad}");
    }
    assert!(!is_signed(&secret, &timestamp, &good, b"[] ", NOW));
    assert!(!is_signed(
        &Secret::new("other"),
        &timestamp,
        &good,
        body,
        NOW
    ));
}

#[test]
fn nothing_printed_bears_a_secret() {
    let message = message("13800000001");
    let requests = [
        aliyun().send(&message, NOW, NONCE),
        tencent().send(&message, NOW),
        webhook().send(&message, NOW),
    ];
    let text = format!(
        "{message:?} {requests:?} {:?} {:?} {:?}",
        aliyun(),
        tencent(),
        webhook()
    );
    for secret in [
        "048213",
        "testSecret",
        "Gu5t9x",
        "shared",
        "hush",
        "Signature=",
    ] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

type Read = fn(&[u8]) -> Result<SmsSent, SmsError>;

fn sent(id: &str) -> Result<SmsSent, SmsError> {
    Ok(SmsSent {
        message_id: id.to_owned(),
    })
}

fn limited(code: &str) -> Result<SmsSent, SmsError> {
    Err(SmsError::Limited(code.to_owned()))
}

fn refused(code: &str) -> Result<SmsSent, SmsError> {
    Err(SmsError::Refused(code.to_owned()))
}

#[test]
fn aliyuns_answers_are_read() {
    let read: Read = aliyun::read_sent;
    assert_eq!(
        read(br#"{"Message":"OK","RequestId":"873043ac-bcda-44db-9052-2e204c6ed20f","BizId":"607300000000000000^0","Code":"OK"}"#),
        sent("607300000000000000^0")
    );
    for (code, outcome) in [
        ("isv.BUSINESS_LIMIT_CONTROL", limited as fn(&str) -> _),
        ("Throttling", limited),
        ("Throttling.User", limited),
        ("isv.DAY_LIMIT_CONTROL", refused),
        ("isv.MOBILE_NUMBER_ILLEGAL", refused),
        ("isv.AMOUNT_NOT_ENOUGH", refused),
        ("SignatureDoesNotMatch", refused),
        ("isv.BUSINESS_LIMIT_CONTROLS", refused),
    ] {
        let body =
            format!(r#"{{"RequestId":"a","Code":"{code}","Message":"触发小时级流控Permits:5"}}"#);
        assert_eq!(read(body.as_bytes()), outcome(code));
    }
    assert_eq!(
        read(br#"{"Code":"OK","Message":"OK"}"#),
        Err(SmsError::Unreadable)
    );
}

#[test]
fn tencents_answers_are_read() {
    let read: Read = tencent::read_sent;
    let status = |code: &str| {
        format!(
            r#"{{"Response":{{"SendStatusSet":[{{"SerialNo":"5000:1045710669157053657849499619","PhoneNumber":"+8613800000001","Fee":1,"SessionContext":"m-1","Code":"{code}","Message":"x","IsoCode":"CN"}}],"RequestId":"a0aabda6"}}}}"#
        )
    };
    let error = |code: &str| {
        format!(r#"{{"Response":{{"Error":{{"Code":"{code}","Message":"x"}},"RequestId":"a"}}}}"#)
    };
    assert_eq!(
        read(status("Ok").as_bytes()),
        sent("5000:1045710669157053657849499619")
    );
    for (code, outcome) in [
        (
            "LimitExceeded.PhoneNumberDailyLimit",
            limited as fn(&str) -> _,
        ),
        ("LimitExceeded.DeliveryFrequencyLimit", limited),
        ("LimitExceeded", limited),
        ("RequestLimitExceeded", limited),
        ("FailedOperation.PhoneNumberInBlacklist", refused),
        ("AuthFailure.SignatureExpire", refused),
    ] {
        assert_eq!(read(status(code).as_bytes()), outcome(code));
        assert_eq!(read(error(code).as_bytes()), outcome(code));
    }
    // An error is one, whatever it is called.
    assert_eq!(read(error("Ok").as_bytes()), refused("Ok"));
    for body in [
        r#"{"Response":{}}"#,
        r#"{"Response":{"SendStatusSet":[]}}"#,
        r#"{"Response":{"SendStatusSet":[{"Code":"Ok"}]}}"#,
        r#"{"Response":{"SendStatusSet":[{"Code":"Ok","SerialNo":"1"},{"Code":"Ok","SerialNo":"2"}]}}"#,
        r#"{"Response":{"Error":null}}"#,
        r#"{"SendStatusSet":[{"Code":"Ok","SerialNo":"1"}]}"#,
    ] {
        assert_eq!(read(body.as_bytes()), Err(SmsError::Unreadable), "{body}");
    }
}

#[test]
fn a_webhooks_answers_are_read() {
    let read = |status, body: &str| webhook::read_sent(status, body.as_bytes(), "m-1");
    assert_eq!(read(200, r#"{"message_id":"w-9"}"#), sent("w-9"));
    assert_eq!(read(200, r#"{"message_id":9}"#), sent("9"));
    for body in [
        "",
        "ok",
        "{}",
        "[]",
        r#"{"message_id":""}"#,
        r#"{"message_id":"a b"}"#,
    ] {
        assert_eq!(read(204, body), sent("m-1"), "{body}");
    }
    assert_eq!(read(429, ""), limited("429"));
    assert_eq!(read(429, r#"{"error":"hourly"}"#), limited("hourly"));
    assert_eq!(read(400, r#"{"error":"limited"}"#), limited("limited"));
    assert_eq!(read(403, ""), refused("403"));
    assert_eq!(
        read(422, r#"{"error":"no_such_number"}"#),
        refused("no_such_number")
    );
    for status in [0, 100, 301, 500, 503] {
        assert_eq!(
            read(status, r#"{"error":"limited"}"#),
            Err(SmsError::Unreadable)
        );
    }
    let long = "x".repeat(MAX_SMS_BYTES + 1);
    assert_eq!(read(200, &long), Err(SmsError::Unreadable));
}

#[test]
fn what_is_no_answer_is_unreadable() {
    let long = format!(r#"{{"Code":"OK","BizId":"{}"}}"#, "1".repeat(MAX_SMS_BYTES));
    let wide = format!(r#"{{"Code":"{}"}}"#, "a".repeat(129));
    for read in [aliyun::read_sent as Read, tencent::read_sent] {
        for body in [
            "",
            "<html>",
            "[]",
            "null",
            "{}",
            r#"{"Code":""}"#,
            r#"{"Code":null}"#,
            r#"{"Code":"a b"}"#,
            r#"{"Code":"O"#,
            &long,
            &wide,
        ] {
            assert_eq!(read(body.as_bytes()), Err(SmsError::Unreadable));
        }
    }
}

#[test]
fn receipts_are_read() {
    let receipt = |message_id: &str, delivered, code: &str| SmsReceipt {
        message_id: message_id.to_owned(),
        phone: Some(Phone::parse("13800000001").unwrap()),
        delivered,
        code: code.to_owned(),
        at: Some(Timestamp::from_seconds(1_551_113_065)),
    };
    let read = aliyun::read_receipts(
        br#"[{"send_time":"2019-02-26 00:44:20","report_time":"2019-02-26 00:44:25","success":true,"err_msg":"\u7528\u6237\u63a5\u6536\u6210\u529f","err_code":"DELIVERED","phone_number":"13800000001","sms_size":"1","biz_id":"607^0","out_id":"m-1"},
            {"report_time":"2019-02-26 00:44:25","success":"false","err_code":"MK:0001","phone_number":"8613800000001","biz_id":"608^0"}]"#,
    );
    assert_eq!(
        read,
        Ok(vec![
            receipt("607^0", true, "DELIVERED"),
            receipt("608^0", false, "MK:0001")
        ])
    );
    let read = tencent::read_receipts(
        br#"[{"user_receive_time":"2019-02-26 00:44:25","nationcode":"86","mobile":"13800000001","report_status":"SUCCESS","errmsg":"DELIVRD","description":"x","sid":"8:xpEf"},
            {"user_receive_time":"2019-02-26 00:44:25","nationcode":"86","mobile":"+8613800000001","report_status":"FAIL","errmsg":"MBBLACK","sid":"9"}]"#,
    );
    assert_eq!(
        read,
        Ok(vec![
            receipt("8:xpEf", true, "DELIVRD"),
            receipt("9", false, "MBBLACK")
        ])
    );
    let read = webhook::read_receipts(
        br#"{"message_id":"w-9","phone":"+8613800000001","delivered":true,"code":"DELIVRD","at":1551113065}"#,
    );
    assert_eq!(read, Ok(vec![receipt("w-9", true, "DELIVRD")]));
    // What matters is which message, and whether.
    let read = webhook::read_receipts(br#"[{"message_id":"w-9","delivered":false}]"#);
    let bare = SmsReceipt {
        phone: None,
        code: String::new(),
        at: None,
        ..receipt("w-9", false, "")
    };
    assert_eq!(read, Ok(vec![bare]));
    let foreign =
        br#"[{"sid":"1","report_status":"SUCCESS","nationcode":"852","mobile":"91234567"}]"#;
    let phone = tencent::read_receipts(foreign).unwrap().remove(0).phone;
    assert_eq!(phone, Some(Phone::parse("+85291234567").unwrap()));
}

#[test]
fn receipts_without_their_message_are_unreadable() {
    for read in [
        aliyun::read_receipts as fn(&[u8]) -> _,
        tencent::read_receipts,
        webhook::read_receipts,
    ] {
        assert_eq!(read(b"[]"), Ok(Vec::new()));
        for body in [
            "",
            "null",
            "1",
            "{}",
            "[{}]",
            "[1]",
            r#"[{"success":true,"report_status":"SUCCESS","delivered":true}]"#,
            r#"[{"biz_id":"1","sid":"1","message_id":"1"}]"#,
        ] {
            assert_eq!(read(body.as_bytes()), Err(SmsError::Unreadable), "{body}");
        }
    }
}

proptest! {
    #[test]
    fn a_webhook_passes_its_own_check(code in "\\PC{0,12}", id in "\\PC{0,12}", text in proptest::option::of("\\PC{0,40}"), seconds in 0i64..99_999_999_999) {
        let now = Timestamp::from_seconds(seconds);
        let message = SmsMessage { code: Secret::new(&*code), id: id.clone(), text, ..message("13800000001") };
        let request = webhook().send(&message, now);
        let (timestamp, signature) = (header(&request, "x-yufu-timestamp"), header(&request, "x-yufu-signature"));
        prop_assert!(is_signed(&webhook().secret, timestamp, signature, &request.body, now));
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        prop_assert_eq!(body["code"].as_str(), Some(&*code));
        prop_assert_eq!(body["id"].as_str(), Some(&*id));
    }

    #[test]
    fn aliyun_hears_what_was_meant(sign in "\\PC{0,12}", fixed in "\\PC{0,12}") {
        let template = Template { id: "t".to_owned(), gaps: vec![("x".to_owned(), Slot::Fixed(fixed.clone()))] };
        let gateway = Aliyun { sign_name: sign.clone(), template, ..aliyun() };
        let request = gateway.send(&message("13800000001"), NOW, NONCE);
        let query = request.url.expose().split_once('?').unwrap().1;
        prop_assert!(query.is_ascii());
        let params = Request::get("/", query).params();
        prop_assert_eq!(params.get("SignName"), Some(&*sign));
        let gaps: serde_json::Value = serde_json::from_str(params.get("TemplateParam").unwrap()).unwrap();
        prop_assert_eq!(gaps["x"].as_str(), Some(&*fixed));
    }

    #[test]
    fn nothing_makes_it_panic(status: u16, body in proptest::collection::vec(any::<u8>(), 0..120)) {
        let _ = (aliyun::read_sent(&body), tencent::read_sent(&body), webhook::read_sent(status, &body, ""));
        let _ = (aliyun::read_receipts(&body), tencent::read_receipts(&body), webhook::read_receipts(&body));
    }
}
