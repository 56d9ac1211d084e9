//! An exchange at an upstream, whatever it answers: who comes out of it is named by the answers
//! alone, and what is kept of an answer that cannot be believed holds no secret.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use serde_json::Value;
use yufu_core::client::ClientKind;
use yufu_core::id::ClientId;
use yufu_core::identity::{UpstreamApp, UpstreamKind};
use yufu_core::login::{ExchangeFailure, Exchanged};
use yufu_core::secret::{Entropy, Secret};
use yufu_core::time::Timestamp;
use yufu_dialects::wechat::call::Upstream;
use yufu_web::api::upstream::{UpstreamAccess, UpstreamSettings, Upstreams};
use yufu_web::fetch::{Fetch, FetchError, Incoming, Outgoing};

const CODE: &str = "c0de-c0de-c0de";
const APP_SECRET: &str = "0123456789abcdef0123456789abcdef";
const APPID: &str = "wx0123456789abcdef";

/// Answers in the order in which they were said; after the last, nobody is there.
struct Said(Mutex<VecDeque<Incoming>>);

#[async_trait]
impl Fetch for Said {
    async fn fetch(&self, request: Outgoing) -> Result<Incoming, FetchError> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match said.pop_front() {
            Some(answer) if answer.body.len() > request.most => Err(FetchError::TooLarge),
            Some(answer) => Ok(answer),
            None => Err(FetchError::Unreachable),
        }
    }
}

struct Zero;

impl Entropy for Zero {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }

    fn millis(&self) -> u64 {
        0
    }
}

/// Two answers, of an exchange and of a profile, apart by an empty line; each may begin with a
/// line that is its status.
pub fn run(data: &[u8]) {
    let (first, second) = match data.windows(2).position(|pair| pair == b"\n\n") {
        Some(at) => (&data[..at], &data[at + 2..]),
        None => (data, &[][..]),
    };
    let answers = [incoming(first), incoming(second)];
    for kind in UpstreamKind::ALL {
        match exchange(kind, &answers) {
            Ok(exchanged) => vouched(kind, &answers, &exchanged),
            Err(failure) => missed(kind, &answers, &failure),
        }
    }
}

fn incoming(data: &[u8]) -> Incoming {
    let line = data.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let status = std::str::from_utf8(line)
        .ok()
        .and_then(|line| line.parse().ok());
    match status {
        Some(status) => Incoming {
            status,
            body: data.get(line.len() + 1..).unwrap_or_default().to_vec(),
        },
        None => Incoming {
            status: 200,
            body: data.to_vec(),
        },
    }
}

fn exchange(kind: UpstreamKind, answers: &[Incoming]) -> Result<Exchanged, ExchangeFailure> {
    let client = match kind {
        UpstreamKind::WechatMobile | UpstreamKind::WechatMini => ClientKind::Mobile,
        UpstreamKind::WechatWebsite => ClientKind::Website,
        UpstreamKind::WechatService => ClientKind::Service,
    };
    let appid = ClientId::new(APPID);
    let access = UpstreamAccess {
        app: UpstreamApp {
            name: "app".to_owned(),
            kind,
            appid: appid.clone(),
            union_scope: Some("main".to_owned()),
        },
        upstream: Upstream::new(client, appid, Secret::new(APP_SECRET)),
    };
    let said = Said(Mutex::new(answers.iter().cloned().collect()));
    // Whoever tries again waits a while first, and nothing is learnt from that here.
    let settings = UpstreamSettings {
        retries: 0,
        ..UpstreamSettings::default()
    };
    let upstreams = Upstreams::new(vec![access], Arc::new(said), Arc::new(Zero), settings);
    let (code, now) = (Secret::new(CODE), || Timestamp::from_seconds(1_800_000_000));
    let mut going = pin!(upstreams.exchange("app", &code, &now));
    match going.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it waits for something"),
    }
}

/// A field of an answer, told by another reader. Broken text is mended before it is read, so there
/// may be none to be told.
fn told(answer: &Incoming, name: &str) -> Option<String> {
    let value: Value = serde_json::from_slice(&answer.body).ok()?;
    value.get(name)?.as_str().map(str::to_owned)
}

fn vouched(kind: UpstreamKind, answers: &[Incoming; 2], exchanged: &Exchanged) {
    let [first, second] = answers;
    let vouched = &exchanged.vouched;
    assert_eq!(vouched.key.app.as_str(), APPID);
    plain(&vouched.key.subject);
    plain(exchanged.tokens.access.expose());
    if let Some(openid) = told(first, "openid") {
        assert_eq!(vouched.key.subject, openid);
    }
    if let Ok(value) = serde_json::from_slice::<Value>(&first.body) {
        let errcode = value["errcode"].as_i64().unwrap_or(0);
        assert_eq!(errcode, 0, "a refusal was taken for an answer");
        // A snapshot page's user is nobody.
        assert!(kind == UpstreamKind::WechatMini || value["is_snapshotuser"].as_i64() != Some(1));
    }
    if let Some(person) = &vouched.person {
        assert_eq!(person.scope, "main");
        plain(&person.id);
        let named = [told(first, "unionid"), told(second, "unionid")];
        let readable = answers
            .iter()
            .all(|answer| serde_json::from_slice::<Value>(&answer.body).is_ok());
        assert!(!readable || named.contains(&Some(person.id.clone())));
    }
    assert!(!exchanged.profile_due || vouched.profile.is_none());
    if let Some(profile) = &vouched.profile {
        assert!(kind != UpstreamKind::WechatMini);
        if let Some(openid) = told(second, "openid") {
            assert_eq!(vouched.key.subject, openid, "another user's profile");
        }
        for text in [&profile.nickname, &profile.avatar] {
            assert!(!text.chars().any(char::is_control));
        }
        assert!(profile.nickname.chars().count() <= 128 && profile.avatar.len() <= 1024);
    }
    assert!(exchanged.access_life.as_seconds() >= 0 && exchanged.refresh_life.as_seconds() >= 0);
    assert!(exchanged.tokens.refresh.is_some() || exchanged.refresh_life.as_seconds() == 0);
}

fn missed(kind: UpstreamKind, answers: &[Incoming; 2], failure: &ExchangeFailure) {
    match failure {
        ExchangeFailure::Unreadable(text) => {
            assert!(text.chars().count() <= 600 && !text.chars().any(char::is_control));
            for secret in [CODE, APP_SECRET] {
                assert!(!text.contains(secret), "{text}");
            }
            // The tokens were good, only the profile was not: they must not be told either.
            for name in ["access_token", "refresh_token", "session_key"] {
                let token = told(&answers[0], name).filter(|token| token.len() >= 16);
                assert!(token.is_none_or(|token| !text.contains(&token)), "{text}");
            }
        }
        ExchangeFailure::Unspent { retry_after } => assert!(retry_after.as_seconds() >= 0),
        ExchangeFailure::ScopeMissing => {
            assert!(kind != UpstreamKind::WechatMini || told(&answers[0], "session_key").is_none())
        }
        _ => {}
    }
}

fn plain(text: &str) {
    assert!(!text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()));
}
