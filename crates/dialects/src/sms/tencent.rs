//! Tencent Cloud's SMS: `SendSms` of 2021-01-11, under `TC3-HMAC-SHA256` ("Signature method v3").

use serde::Serialize;
use serde_json::{Map, Value};
use yufu_core::secret::Secret;
use yufu_core::time::Timestamp;

use super::sign::{beijing, day, hex, hmac_sha256, sha256_hex};
use super::{SmsError, SmsMessage, SmsReceipt, SmsRequest, SmsSent, Template};
use super::{json, phone, receipts, word};
use crate::http::Method;

const ACTION: &str = "SendSms";
const VERSION: &str = "2021-01-11";
const CONTENT_TYPE: &str = "application/json; charset=utf-8";
/// What to answer to receipts; else they come again ("SMS delivery status callback").
pub const RECEIPTS_ANSWER: &str = r#"{"result":0,"errmsg":"OK"}"#;

/// An account at Tencent Cloud's SMS, with what it sends.
#[derive(Clone, Debug)]
pub struct Tencent {
    /// The key's id.
    pub secret_id: String,
    /// The key.
    pub secret_key: Secret,
    /// The SMS application.
    pub sdk_app_id: String,
    /// The approved signature that stands before the text.
    pub sign_name: String,
    /// The approved text.
    pub template: Template,
    /// The gateway's host.
    pub host: String,
    /// The region.
    pub region: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SendSms<'a> {
    phone_number_set: [&'a str; 1],
    sms_sdk_app_id: &'a str,
    template_id: &'a str,
    sign_name: &'a str,
    template_param_set: Vec<String>,
    session_context: &'a str,
}

impl Tencent {
    /// An account at the public gateway.
    pub fn new(
        secret_id: &str,
        secret_key: Secret,
        sdk_app_id: &str,
        sign_name: &str,
        template: Template,
    ) -> Self {
        Self {
            secret_id: secret_id.to_owned(),
            secret_key,
            sdk_app_id: sdk_app_id.to_owned(),
            sign_name: sign_name.to_owned(),
            template,
            host: "sms.tencentcloudapi.com".to_owned(),
            region: "ap-guangzhou".to_owned(),
        }
    }

    /// A request that sends a message.
    pub fn send(&self, message: &SmsMessage, now: Timestamp) -> SmsRequest {
        let body = SendSms {
            phone_number_set: [message.phone.as_str()],
            sms_sdk_app_id: &self.sdk_app_id,
            template_id: &self.template.id,
            sign_name: &self.sign_name,
            template_param_set: self
                .template
                .fill(message)
                .map(|(_, value)| value)
                .collect(),
            session_context: &message.id,
        };
        // Texts alone: there is nothing in it that JSON could not say.
        let body = serde_json::to_string(&body).unwrap_or_default();
        let call = Tc3 {
            service: "sms",
            now,
            headers: &[
                ("content-type", CONTENT_TYPE),
                ("host", &self.host),
                ("x-tc-action", "sendsms"),
            ],
            body: &body,
        };
        let authorization = call.authorization(&self.secret_id, &self.secret_key);
        SmsRequest {
            method: Method::Post,
            url: Secret::new(format!("https://{}/", self.host)),
            headers: vec![
                ("authorization", authorization),
                ("content-type", CONTENT_TYPE.to_owned()),
                ("x-tc-action", ACTION.to_owned()),
                ("x-tc-region", self.region.clone()),
                ("x-tc-timestamp", now.seconds().to_string()),
                ("x-tc-version", VERSION.to_owned()),
            ],
            body: body.into_bytes(),
        }
    }
}

/// A POST to the root under the TC3 signature.
struct Tc3<'a> {
    service: &'a str,
    now: Timestamp,
    /// What is signed: names in order and in lower case, and so the values.
    headers: &'a [(&'a str, &'a str)],
    body: &'a str,
}

impl Tc3<'_> {
    fn signed_names(&self) -> String {
        let names = self.headers.iter().map(|(name, _)| *name);
        names.collect::<Vec<_>>().join(";")
    }

    fn canonical_hash(&self) -> String {
        let lines = self.headers.iter();
        let lines: String = lines
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        let canonical = format!(
            "POST\n/\n\n{lines}\n{}\n{}",
            self.signed_names(),
            sha256_hex(self.body.as_bytes())
        );
        sha256_hex(canonical.as_bytes())
    }

    /// Where a signature counts: on its day, at its service.
    fn scope(&self) -> String {
        format!("{}/{}/tc3_request", day(self.now), self.service)
    }

    fn signature(&self, secret: &Secret) -> String {
        let key = Secret::new(format!("TC3{}", secret.expose()));
        let mut key = hmac_sha256(key.expose().as_bytes(), &day(self.now));
        for step in [self.service, "tc3_request"] {
            key = hmac_sha256(key.as_ref(), step);
        }
        let text = format!(
            "TC3-HMAC-SHA256\n{}\n{}\n{}",
            self.now.seconds(),
            self.scope(),
            self.canonical_hash()
        );
        hex(hmac_sha256(key.as_ref(), &text).as_ref())
    }

    fn authorization(&self, secret_id: &str, secret: &Secret) -> String {
        format!(
            "TC3-HMAC-SHA256 Credential={secret_id}/{}, SignedHeaders={}, Signature={}",
            self.scope(),
            self.signed_names(),
            self.signature(secret)
        )
    }
}

/// Reads the answer to a request, whatever its status.
///
/// # Errors
/// [`SmsError`]: the gateway's refusal, or that the answer is none.
pub fn read_sent(body: &[u8]) -> Result<SmsSent, SmsError> {
    let answer = json(body)?;
    let field = |name| {
        answer
            .get("Response")
            .and_then(|response| response.get(name))
    };
    let (status, is_whole) = match field("Error") {
        Some(error) => (error.as_object(), true),
        // One message, one status.
        None => match field("SendStatusSet")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
        {
            Some([status]) => (status.as_object(), false),
            _ => return Err(SmsError::Unreadable),
        },
    };
    let status = status.ok_or(SmsError::Unreadable)?;
    match word(status, "Code").ok_or(SmsError::Unreadable)? {
        code if code == "Ok" && !is_whole => Ok(SmsSent {
            message_id: word(status, "SerialNo").ok_or(SmsError::Unreadable)?,
        }),
        code if is_limit(&code) => Err(SmsError::Limited(code)),
        code => Err(SmsError::Refused(code)),
    }
}

fn is_limit(code: &str) -> bool {
    code == "LimitExceeded"
        || code.starts_with("LimitExceeded.")
        || code.starts_with("RequestLimitExceeded")
}

/// Reads receipts, which come as a list.
///
/// # Errors
/// [`SmsError::Unreadable`].
pub fn read_receipts(body: &[u8]) -> Result<Vec<SmsReceipt>, SmsError> {
    receipts(body, receipt)
}

fn receipt(object: &Map<String, Value>) -> Option<SmsReceipt> {
    let nation = word(object, "nationcode").unwrap_or_default();
    let mobile = word(object, "mobile");
    let whole = |mobile: String| match mobile.starts_with('+') {
        true => phone(&mobile),
        false => phone(&format!("+{}{mobile}", nation.trim_start_matches('+'))),
    };
    Some(SmsReceipt {
        message_id: word(object, "sid")?,
        phone: mobile.and_then(whole),
        delivered: word(object, "report_status")? == "SUCCESS",
        code: word(object, "errmsg").unwrap_or_default(),
        at: object
            .get("user_receive_time")
            .and_then(Value::as_str)
            .and_then(beijing),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str =
        r#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#;

    fn call<'a>(headers: &'a [(&'a str, &'a str)]) -> Tc3<'a> {
        Tc3 {
            service: "cvm",
            now: Timestamp::from_seconds(1_551_113_065),
            headers,
            body: BODY,
        }
    }

    #[test]
    fn the_signature_is_the_documents() {
        let secret = Secret::new("Gu5t9xGARNpq86cd98joQYCN3EXAMPLE");
        assert_eq!(
            sha256_hex(BODY.as_bytes()),
            "35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064"
        );
        let headers = [
            ("content-type", CONTENT_TYPE),
            ("host", "cvm.tencentcloudapi.com"),
            ("x-tc-action", "describeinstances"),
        ];
        let two = call(&headers[..2]);
        assert_eq!(
            two.canonical_hash(),
            "5ffe6a04c0664d6b969fab9a13bdab201d63ee709638e2749d62a09ca18d7031"
        );
        assert_eq!(
            two.authorization("AKIDEXAMPLE", &secret),
            "TC3-HMAC-SHA256 Credential=AKIDEXAMPLE/2019-02-25/cvm/tc3_request, \
             SignedHeaders=content-type;host, Signature=\
             72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
        );
        let three = call(&headers);
        assert_eq!(
            three.canonical_hash(),
            "7019a55be8395899b900fb5564e4200d984910f34794a27cb3fb7d10ff6a1e84"
        );
        assert_eq!(
            three.signature(&secret),
            "644be983de9a8a3f00db8eadaba61467c3b429e2215758ba897b738ca469fd26"
        );
    }
}
