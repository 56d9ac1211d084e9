//! Aliyun's SMS: `SendSms` of 2017-05-25, under the V3 signature (`ACS3-HMAC-SHA256`, "V3 request
//! structure and signature") or the old RPC one (HMAC-SHA1, "RPC signature, version 1.0").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use yufu_core::secret::Secret;
use yufu_core::time::Timestamp;

use super::sign::{beijing, escape, hex, hmac_sha1, hmac_sha256, iso, sha256_hex, sorted_query};
use super::{SmsError, SmsMessage, SmsReceipt, SmsRequest, SmsSent, Template};
use super::{json, phone, receipts, word};
use crate::http::Method;

const ACTION: &str = "SendSms";
const VERSION: &str = "2017-05-25";
/// What to answer to receipts; else they come again ("SmsReport, HTTP batch push").
pub const RECEIPTS_ANSWER: &str = r#"{"code":0,"msg":"ok"}"#;

/// How requests are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// `ACS3-HMAC-SHA256`.
    V3,
    /// HMAC-SHA1 over the query: for accounts and stand-ins that know nothing newer.
    V1,
}

/// An account at Aliyun's SMS, with what it sends.
#[derive(Clone, Debug)]
pub struct Aliyun {
    /// The AccessKey's id.
    pub key_id: String,
    /// The AccessKey's secret.
    pub key_secret: Secret,
    /// The approved signature that stands before the text.
    pub sign_name: String,
    /// The approved text.
    pub template: Template,
    /// How requests are signed.
    pub signing: Signing,
    /// The gateway's host.
    pub host: String,
    /// The region; only the old signature names it.
    pub region: String,
}

impl Aliyun {
    /// An account at the public gateway, under the V3 signature.
    pub fn new(key_id: &str, key_secret: Secret, sign_name: &str, template: Template) -> Self {
        Self {
            key_id: key_id.to_owned(),
            key_secret,
            sign_name: sign_name.to_owned(),
            template,
            signing: Signing::V3,
            host: "dysmsapi.aliyuncs.com".to_owned(),
            region: "cn-hangzhou".to_owned(),
        }
    }

    /// A request that sends a message. The nonce is drawn for it and never used again.
    pub fn send(&self, message: &SmsMessage, now: Timestamp, nonce: &str) -> SmsRequest {
        let params = self.params(message);
        match self.signing {
            Signing::V3 => self.send_v3(params, now, nonce),
            Signing::V1 => self.send_v1(params, now, nonce),
        }
    }

    fn params(&self, message: &SmsMessage) -> Vec<(&'static str, String)> {
        let gaps = self.template.fill(message);
        let gaps = gaps.map(|(name, value)| (name.to_owned(), Value::String(value)));
        // Mainland numbers go bare, all others with their country, none with a plus.
        let phone = message.phone.as_str();
        let phone = phone.strip_prefix("+86").unwrap_or(phone);
        vec![
            ("PhoneNumbers", phone.trim_start_matches('+').to_owned()),
            ("SignName", self.sign_name.clone()),
            ("TemplateCode", self.template.id.clone()),
            ("TemplateParam", Value::Object(gaps.collect()).to_string()),
            ("OutId", message.id.clone()),
        ]
    }

    fn send_v3(
        &self,
        params: Vec<(&'static str, String)>,
        now: Timestamp,
        nonce: &str,
    ) -> SmsRequest {
        let call = Acs3 {
            host: &self.host,
            action: ACTION,
            version: VERSION,
            query: sorted_query(params),
            date: iso(now),
            nonce,
        };
        let authorization = call.authorization(&self.key_id, &self.key_secret);
        let mut headers: Vec<_> = call.headers().into_iter().collect();
        // The client writes it from the address.
        headers.retain(|(name, _)| *name != "host");
        headers.push(("authorization", authorization));
        SmsRequest {
            method: Method::Post,
            url: Secret::new(format!("https://{}/?{}", self.host, call.query)),
            headers,
            body: Vec::new(),
        }
    }

    fn send_v1(
        &self,
        params: Vec<(&'static str, String)>,
        now: Timestamp,
        nonce: &str,
    ) -> SmsRequest {
        let mut all = vec![
            ("AccessKeyId", self.key_id.clone()),
            ("Action", ACTION.to_owned()),
            ("Format", "JSON".to_owned()),
            ("RegionId", self.region.clone()),
            ("SignatureMethod", "HMAC-SHA1".to_owned()),
            ("SignatureNonce", nonce.to_owned()),
            ("SignatureVersion", "1.0".to_owned()),
            ("Timestamp", iso(now)),
            ("Version", VERSION.to_owned()),
        ];
        all.extend(params);
        let query = sorted_query(all);
        let signature = escape(&rpc_signature(&self.key_secret, &query));
        let host = &self.host;
        SmsRequest {
            method: Method::Get,
            url: Secret::new(format!("https://{host}/?Signature={signature}&{query}")),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }
}

/// A call without a body under the V3 signature.
struct Acs3<'a> {
    host: &'a str,
    action: &'a str,
    version: &'a str,
    query: String,
    date: String,
    nonce: &'a str,
}

impl Acs3<'_> {
    /// The signed headers in order of their names.
    fn headers(&self) -> [(&'static str, String); 6] {
        [
            ("host", self.host.to_owned()),
            ("x-acs-action", self.action.to_owned()),
            ("x-acs-content-sha256", sha256_hex(b"")),
            ("x-acs-date", self.date.clone()),
            ("x-acs-signature-nonce", self.nonce.to_owned()),
            ("x-acs-version", self.version.to_owned()),
        ]
    }

    fn signed_names(&self) -> String {
        self.headers().map(|(name, _)| name).join(";")
    }

    fn canonical_hash(&self) -> String {
        let lines = self
            .headers()
            .map(|(name, value)| format!("{name}:{value}\n"));
        let canonical = format!(
            "POST\n/\n{}\n{}\n{}\n{}",
            self.query,
            lines.concat(),
            self.signed_names(),
            sha256_hex(b"")
        );
        sha256_hex(canonical.as_bytes())
    }

    fn signature(&self, secret: &Secret) -> String {
        let text = format!("ACS3-HMAC-SHA256\n{}", self.canonical_hash());
        hex(hmac_sha256(secret.expose().as_bytes(), &text).as_ref())
    }

    fn authorization(&self, key_id: &str, secret: &Secret) -> String {
        format!(
            "ACS3-HMAC-SHA256 Credential={key_id},SignedHeaders={},Signature={}",
            self.signed_names(),
            self.signature(secret)
        )
    }
}

/// The old signature over a sorted query, sent by GET. The key ends with an ampersand.
fn rpc_signature(secret: &Secret, query: &str) -> String {
    let key = Secret::new(format!("{}&", secret.expose()));
    let text = format!("GET&%2F&{}", escape(query));
    STANDARD.encode(hmac_sha1(key.expose().as_bytes(), &text))
}

/// Reads the answer to a request, whatever its status.
///
/// # Errors
/// [`SmsError`]: the gateway's refusal, or that the answer is none.
pub fn read_sent(body: &[u8]) -> Result<SmsSent, SmsError> {
    let answer = json(body)?;
    let answer = answer.as_object().ok_or(SmsError::Unreadable)?;
    match word(answer, "Code").ok_or(SmsError::Unreadable)? {
        code if code == "OK" => Ok(SmsSent {
            message_id: word(answer, "BizId").ok_or(SmsError::Unreadable)?,
        }),
        code if is_limit(&code) => Err(SmsError::Limited(code)),
        code => Err(SmsError::Refused(code)),
    }
}

/// Limits to one phone, and of our pace; a day's or month's budget that is spent is the
/// operator's own and not among them.
fn is_limit(code: &str) -> bool {
    code == "isv.BUSINESS_LIMIT_CONTROL" || code == "Throttling" || code.starts_with("Throttling.")
}

/// Reads receipts, which come as a list.
///
/// # Errors
/// [`SmsError::Unreadable`].
pub fn read_receipts(body: &[u8]) -> Result<Vec<SmsReceipt>, SmsError> {
    receipts(body, receipt)
}

fn receipt(object: &Map<String, Value>) -> Option<SmsReceipt> {
    let delivered = match object.get("success")? {
        Value::Bool(delivered) => *delivered,
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        _ => return None,
    };
    Some(SmsReceipt {
        message_id: word(object, "biz_id")?,
        phone: word(object, "phone_number").and_then(|text| phone(&text)),
        delivered,
        code: word(object, "err_code").unwrap_or_default(),
        at: object
            .get("report_time")
            .and_then(Value::as_str)
            .and_then(beijing),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_v3_signature_is_the_documents() {
        let params = vec![
            (
                "ImageId",
                "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd".to_owned(),
            ),
            ("RegionId", "cn-shanghai".to_owned()),
        ];
        let call = Acs3 {
            host: "ecs.cn-shanghai.aliyuncs.com",
            action: "RunInstances",
            version: "2014-05-26",
            query: sorted_query(params),
            date: iso(Timestamp::from_seconds(1_698_315_752)),
            nonce: "3156853299f313e23d1673dc12e1703d",
        };
        assert_eq!(call.date, "2023-10-26T10:22:32Z");
        assert_eq!(
            call.canonical_hash(),
            "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259"
        );
        assert_eq!(
            call.authorization("YourAccessKeyId", &Secret::new("YourAccessKeySecret")),
            "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;\
             x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,Signature=\
             06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
        );
    }

    #[test]
    fn the_old_signature_is_the_documents() {
        let text = |text: &str| text.to_owned();
        let query = sorted_query(vec![
            ("AccessKeyId", text("testId")),
            ("Action", text("SendSms")),
            ("Format", text("XML")),
            ("OutId", text("123")),
            ("PhoneNumbers", text("15300000001")),
            ("RegionId", text("cn-hangzhou")),
            ("SignName", text("阿里云短信测试专用")),
            ("SignatureMethod", text("HMAC-SHA1")),
            (
                "SignatureNonce",
                text("45e25e9b-0a6f-4070-8c85-2956eda1b466"),
            ),
            ("SignatureVersion", text("1.0")),
            ("TemplateCode", text("SMS_71390007")),
            ("TemplateParam", text(r#"{"customer":"test"}"#)),
            ("Timestamp", text("2017-07-12T02:42:19Z")),
            ("Version", text("2017-05-25")),
        ]);
        let secret = Secret::new("testSecret");
        assert_eq!(
            rpc_signature(&secret, &query),
            "zJDF+Lrzhj/ThnlvIToysFRq6t4="
        );
        // The capital S matters.
        assert_ne!(
            rpc_signature(&Secret::new("testsecret"), &query),
            "zJDF+Lrzhj/ThnlvIToysFRq6t4="
        );
    }
}
