//! What SMS gateways say: whatever comes, what is understood is plain, and nothing is taken for
//! sent that the gateway did not say it took.

use serde_json::Value;
use yufu_core::user::Phone;
use yufu_dialects::sms::{SmsError, SmsReceipt, SmsSent, aliyun, tencent, webhook};

/// The most bytes of a gateway's word.
const MOST: usize = 128;

/// An answer or receipts, of any gateway.
pub fn run(data: &[u8]) {
    // Told by another reader.
    let said: Option<Value> = serde_json::from_slice(data).ok();
    let word = |path: &str| said.as_ref()?.pointer(path)?.as_str().map(str::to_owned);

    let sent = aliyun::read_sent(data);
    if sent.is_ok() {
        assert_eq!(word("/Code").as_deref(), Some("OK"));
    }
    taken(&sent);
    let sent = tencent::read_sent(data);
    if sent.is_ok() {
        let code = word("/Response/SendStatusSet/0/Code");
        assert_eq!(code.as_deref(), Some("Ok"));
        let whole = said
            .as_ref()
            .and_then(|said| said.pointer("/Response/Error"));
        assert!(whole.is_none());
    }
    taken(&sent);
    for status in [200, 204, 301, 400, 404, 429, 500, 503] {
        let sent = webhook::read_sent(status, data, "our-id");
        assert_eq!(sent.is_ok(), (200..300).contains(&status));
        taken(&sent);
    }

    let many = match &said {
        Some(Value::Array(items)) => items.len(),
        _ => 1,
    };
    for read in [
        aliyun::read_receipts,
        tencent::read_receipts,
        webhook::read_receipts,
    ] {
        match read(data) {
            Ok(receipts) => {
                assert_eq!(receipts.len(), many, "a receipt is lost");
                receipts.iter().for_each(received);
            }
            Err(error) => assert_eq!(error, SmsError::Unreadable),
        }
    }
}

fn taken(sent: &Result<SmsSent, SmsError>) {
    match sent {
        Ok(sent) => plain(&sent.message_id),
        Err(SmsError::Limited(word) | SmsError::Refused(word)) => plain(word),
        Err(SmsError::Unreadable) => {}
    }
}

fn received(receipt: &SmsReceipt) {
    plain(&receipt.message_id);
    if !receipt.code.is_empty() {
        plain(&receipt.code);
    }
    if let Some(phone) = &receipt.phone {
        assert_eq!(Phone::parse(phone.as_str()).as_ref(), Ok(phone));
    }
    if let Some(at) = receipt.at {
        // Whoever counts from it counts on.
        let _ = at.seconds();
    }
}

fn plain(word: &str) {
    assert!(!word.is_empty() && word.len() <= MOST, "{word}");
    assert!(word.bytes().all(|b| b.is_ascii_graphic()), "{word}");
}
