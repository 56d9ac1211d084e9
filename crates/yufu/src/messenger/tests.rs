use std::collections::VecDeque;

use yufu_dialects::sms::webhook::is_signed;
use yufu_web::fetch::{FetchError, Incoming};

use super::*;
use crate::config::Peer;
use crate::ports::SystemEntropy;

/// Says what it was told to, and keeps what it was sent.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Result<Incoming, FetchError>>>,
    sent: Mutex<Vec<Outgoing>>,
}

#[async_trait]
impl Fetch for Script {
    async fn fetch(&self, request: Outgoing) -> Result<Incoming, FetchError> {
        self.sent.lock().unwrap().push(request);
        let answer = self.answers.lock().unwrap().pop_front();
        answer.unwrap_or(Err(FetchError::Unreachable))
    }
}

impl Script {
    fn says(&self, answers: &[Result<(u16, &str), FetchError>]) {
        let incoming = |(status, body): (u16, &str)| Incoming {
            status,
            body: body.as_bytes().to_vec(),
        };
        let answers = answers.iter().map(|answer| answer.map(incoming));
        *self.answers.lock().unwrap() = answers.collect();
    }

    /// The hosts that were asked since the last time.
    fn hosts(&self) -> Vec<String> {
        let sent = std::mem::take(&mut *self.sent.lock().unwrap());
        let host = |request: &Outgoing| {
            let url = request.url.expose().to_owned();
            url.split('/').nth(2).unwrap().to_owned()
        };
        sent.iter().map(host).collect()
    }
}

fn hook(name: &str) -> Gateway {
    Gateway {
        name: name.to_owned(),
        kind: GatewayKind::Webhook {
            peer: Peer {
                url: Secret::new(format!("https://{name}.example/send")),
                secret: Secret::new("a secret of 24 characters"),
            },
            text: Some("{code} for {minutes} minutes".to_owned()),
        },
        receipt_key: None,
    }
}

fn house(gateways: Vec<Gateway>) -> (Gateways, Arc<Script>, Arc<Clock>) {
    let (script, clock) = (Arc::new(Script::default()), Arc::new(Clock::default()));
    let all = Gateways::new(
        gateways,
        script.clone(),
        Arc::new(SystemEntropy),
        clock.clone(),
        Lifetime::seconds(300),
    );
    (all, script, clock)
}

async fn send(gateways: &Gateways) -> Result<(), SendFailure> {
    let phone = Phone::parse("+8613800000001").unwrap();
    let digits = Secret::new("123456");
    gateways.send(&phone, "login", &digits, Number(7)).await
}

const TAKEN: Result<(u16, &str), FetchError> = Ok((200, "{}"));
const LOST: Result<(u16, &str), FetchError> = Err(FetchError::Lost);

#[tokio::test]
async fn the_next_gateway_sends_the_same_digits() {
    let (gateways, script, _) = house(vec![hook("a"), hook("b")]);
    script.says(&[LOST, TAKEN]);
    assert_eq!(send(&gateways).await, Ok(()));
    let sent = script.sent.lock().unwrap().clone();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].patience, PATIENCE);
    let body: serde_json::Value = serde_json::from_slice(&sent[1].body).unwrap();
    assert_eq!(sent[0].body, sent[1].body);
    assert_eq!(body["code"], "123456");
    assert_eq!(body["text"], "123456 for 5 minutes");
    assert_eq!(body["phone"], "+8613800000001");
    assert_eq!(body["id"], "0000000000000007");
    let header = |name: &str| {
        let mut headers = sent[1].headers.iter();
        headers.find(|(known, _)| known == name).unwrap().1.clone()
    };
    assert!(is_signed(
        &Secret::new("a secret of 24 characters"),
        header("x-yufu-timestamp").expose(),
        header("x-yufu-signature").expose(),
        &sent[1].body,
        clock::real(),
    ));
}

#[tokio::test]
async fn a_refusal_goes_on_to_the_next_and_a_limit_does_not() {
    let (gateways, script, _) = house(vec![hook("a"), hook("b")]);
    script.says(&[Ok((400, "{\"error\":\"bad_template\"}")), TAKEN]);
    assert_eq!(send(&gateways).await, Ok(()));
    assert_eq!(script.hosts(), ["a.example", "b.example"]);
    script.says(&[Ok((429, "{}")), TAKEN]);
    assert_eq!(send(&gateways).await, Err(SendFailure::Limited));
    assert_eq!(script.hosts(), ["a.example"]);
    script.says(&[Ok((500, "")), LOST]);
    assert_eq!(send(&gateways).await, Err(SendFailure::Failed));
    assert_eq!(script.hosts(), ["a.example", "b.example"]);
}

#[tokio::test]
async fn a_gateway_that_failed_rests_unless_nothing_else_is_left() {
    let (gateways, script, clock) = house(vec![hook("a"), hook("b")]);
    for _ in 0..FAILURES {
        script.says(&[LOST, TAKEN]);
        assert_eq!(send(&gateways).await, Ok(()));
    }
    script.hosts();
    script.says(&[TAKEN]);
    assert_eq!(send(&gateways).await, Ok(()));
    assert_eq!(script.hosts(), ["b.example"], "the first one rests");
    script.says(&[LOST, TAKEN]);
    assert_eq!(send(&gateways).await, Ok(()));
    assert_eq!(
        script.hosts(),
        ["b.example", "a.example"],
        "nothing else is left"
    );
    // It took that one: it is well again.
    script.says(&[TAKEN]);
    assert_eq!(send(&gateways).await, Ok(()));
    assert_eq!(script.hosts(), ["a.example"]);
    for _ in 0..FAILURES {
        script.says(&[LOST, TAKEN]);
        assert_eq!(send(&gateways).await, Ok(()));
    }
    script.hosts();
    clock.turn(REST);
    script.says(&[TAKEN]);
    assert_eq!(send(&gateways).await, Ok(()));
    assert_eq!(script.hosts(), ["a.example"], "it has rested");
}

#[tokio::test]
async fn each_account_is_spoken_to_in_its_own_tongue() {
    let template = Template::of_code("SMS_1");
    let scenes = BTreeMap::from([("login".to_owned(), Template::of_code("SMS_LOGIN"))]);
    let aliyun = Aliyun::new("id", Secret::new("s"), "sign", template.clone());
    let tencent = Tencent::new("id", Secret::new("s"), "1400", "sign", template);
    let gateway = |name: &str, kind| Gateway {
        name: name.to_owned(),
        kind,
        receipt_key: None,
    };
    let (gateways, script, _) = house(vec![
        gateway("ali", GatewayKind::Aliyun(Box::new(aliyun), scenes.clone())),
        gateway("tx", GatewayKind::Tencent(Box::new(tencent), scenes)),
    ]);
    let limited = "{\"Code\":\"isv.BUSINESS_LIMIT_CONTROL\",\"Message\":\"x\"}";
    script.says(&[Ok((200, limited))]);
    assert_eq!(send(&gateways).await, Err(SendFailure::Limited));
    script.says(&[
        Ok((
            400,
            "{\"Code\":\"InvalidAccessKeyId.NotFound\",\"Message\":\"x\"}",
        )),
        Ok((
            200,
            "{\"Response\":{\"SendStatusSet\":[{\"Code\":\"Ok\",\"SerialNo\":\"1\"}]}}",
        )),
    ]);
    assert_eq!(send(&gateways).await, Ok(()));
    let sent = script.sent.lock().unwrap().clone();
    assert!(sent[1].url.expose().contains("TemplateCode=SMS_LOGIN"));
    assert!(String::from_utf8_lossy(&sent[2].body).contains("SMS_LOGIN"));
}

#[tokio::test]
async fn a_file_gets_one_line_each_and_is_its_owners_alone() {
    let path = std::env::temp_dir().join(format!("yufu-messenger-{}", std::process::id()));
    let gateway = Gateway {
        name: "file".to_owned(),
        kind: GatewayKind::File(path.clone()),
        receipt_key: None,
    };
    let (gateways, ..) = house(vec![gateway]);
    assert_eq!(send(&gateways).await, Ok(()));
    assert_eq!(send(&gateways).await, Ok(()));
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 2);
    let letter: Letter = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(
        (letter.passcode.as_str(), letter.about.as_str()),
        ("123456", "login")
    );
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(send(&gateways).await, Err(SendFailure::Failed));
    std::fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn what_is_here_is_the_last_resort() {
    let inbox = Arc::new(yufu_web::dev::Inbox::default());
    let (gateways, script, _) = house(vec![hook("a")]);
    let gateways = gateways.and_here("inbox", Delivery::Inbox(inbox.clone()));
    script.says(&[LOST]);
    assert_eq!(send(&gateways).await, Ok(()));
    assert_eq!(inbox.letters().len(), 1);
}
