//! The upstream's moods, row by row of the conformance matrix: a programmable server behind the
//! port, and time that passes as fast as nothing happens in it.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};

use async_trait::async_trait;
use tokio::time::Instant;
use yufu_core::client::ClientKind;
use yufu_core::id::ClientId;
use yufu_dialects::wechat::call::MAX_ANSWER_BYTES;

use super::*;
use crate::fetch::{FetchError, Incoming, Outgoing};

/// Ten seconds before a full minute; eight in the evening in China.
const NOW: Timestamp = Timestamp::from_seconds(1_800_014_390);
const APP_SECRET: &str = "0123456789abcdef0123456789abcdef";
const CODE: &str = "c0de-c0de-c0de";
const ACCESS: &str = "83_access";
const OPENID: &str = "o6_bmjrPTlm6_2sgVt7hMZOPfL2M";
const UNIONID: &str = "oUnion";

/// What comes back for a call, and after how long.
struct Step(Duration, Result<Incoming, FetchError>);

#[derive(Default)]
struct Fake {
    steps: Mutex<VecDeque<Step>>,
    calls: Mutex<Vec<(Instant, String)>>,
}

#[async_trait]
impl Fetch for Fake {
    async fn fetch(&self, request: Outgoing) -> Result<Incoming, FetchError> {
        assert_eq!(request.method, "GET");
        assert_eq!(request.most, MAX_ANSWER_BYTES);
        let url = request.url.expose().to_owned();
        self.calls.lock().unwrap().push((Instant::now(), url));
        let step = self.steps.lock().unwrap().pop_front();
        let Step(after, answer) = step.expect("a call that was not expected");
        if after > request.patience {
            tokio::time::sleep(request.patience).await;
            return Err(FetchError::Lost);
        }
        tokio::time::sleep(after).await;
        answer
    }
}

impl Fake {
    fn then(&self, steps: impl IntoIterator<Item = Step>) {
        self.steps.lock().unwrap().extend(steps);
    }

    /// The paths that were called since the last time.
    fn paths(&self) -> Vec<String> {
        let calls: Vec<_> = self.calls.lock().unwrap().drain(..).collect();
        assert!(self.steps.lock().unwrap().is_empty(), "calls are missing");
        let path = |url: &str| url.split(['?']).next().unwrap().to_owned();
        let paths = calls.iter().map(|(_, url)| path(url));
        paths
            .map(|path| path.replace("https://api.weixin.qq.com/sns/", ""))
            .collect()
    }

    fn count(&self) -> usize {
        self.paths().len()
    }
}

/// Random bits that count, so that pauses differ.
#[derive(Default)]
struct Counted(AtomicU16);

impl Entropy for Counted {
    fn fill(&self, buffer: &mut [u8]) {
        let next = self.0.fetch_add(20_011, Ordering::Relaxed).to_be_bytes();
        for (byte, drawn) in buffer.iter_mut().zip(next) {
            *byte = drawn;
        }
    }

    fn millis(&self) -> u64 {
        0
    }
}

struct World {
    fake: Arc<Fake>,
    upstreams: Arc<Upstreams>,
    begun: Instant,
}

fn access(kind: UpstreamKind) -> UpstreamAccess {
    let client = match kind {
        UpstreamKind::WechatMobile | UpstreamKind::WechatMini => ClientKind::Mobile,
        UpstreamKind::WechatWebsite => ClientKind::Website,
        UpstreamKind::WechatService => ClientKind::Service,
    };
    let appid = ClientId::new(&format!("wx-{}", kind.word()));
    UpstreamAccess {
        app: UpstreamApp {
            name: kind.word().to_owned(),
            kind,
            appid: appid.clone(),
            union_scope: Some("main".to_owned()),
        },
        upstream: Upstream::new(client, appid, Secret::new(APP_SECRET)),
    }
}

const APP: &str = "wechat-mobile";

impl World {
    fn new() -> Self {
        let fake = Arc::new(Fake::default());
        let apps = UpstreamKind::ALL.into_iter().map(access).collect();
        let settings = UpstreamSettings::default();
        let entropy = Arc::new(Counted::default());
        Self {
            upstreams: Arc::new(Upstreams::new(apps, fake.clone(), entropy, settings)),
            fake,
            begun: Instant::now(),
        }
    }

    fn now(&self) -> Timestamp {
        let passed = self.begun.elapsed().as_millis();
        NOW.plus(Lifetime::from_millis(i64::try_from(passed).unwrap()))
    }

    async fn exchange_at(&self, app: &str) -> Result<Exchanged, ExchangeFailure> {
        let now = || self.now();
        self.upstreams.exchange(app, &Secret::new(CODE), &now).await
    }

    async fn exchange(&self) -> Result<Exchanged, ExchangeFailure> {
        self.exchange_at(APP).await
    }

    /// An exchange that fails, and how often it called.
    async fn fails(&self, steps: impl IntoIterator<Item = Step>) -> (ExchangeFailure, usize) {
        self.fake.then(steps);
        let failure = self.exchange().await.err().expect("a failure");
        let printed = format!("{failure:?} {:?}", self.upstreams.alerts);
        for secret in [APP_SECRET, CODE, ACCESS, OPENID] {
            assert!(!printed.contains(secret), "{printed}");
        }
        (failure, self.fake.count())
    }

    fn alerts(&self) -> Vec<AlertKind> {
        let alerts = self.upstreams.take_alerts();
        assert!(
            alerts
                .iter()
                .all(|alert| alert.app == APP && !alert.detail.is_empty())
        );
        alerts.iter().map(|alert| alert.kind).collect()
    }
}

fn says(body: impl Into<Vec<u8>>) -> Step {
    with_status(200, body)
}

fn with_status(status: u16, body: impl Into<Vec<u8>>) -> Step {
    let body = body.into();
    Step(Duration::from_millis(20), Ok(Incoming { status, body }))
}

fn errcode(code: i64) -> Step {
    says(format!(
        r#"{{"errcode":{code},"errmsg":"no, {CODE}, rid: 65f1-0a1b"}}"#
    ))
}

fn error(error: FetchError) -> Step {
    Step(Duration::from_millis(20), Err(error))
}

fn unreachable() -> Step {
    error(FetchError::Unreachable)
}

fn lost() -> Step {
    error(FetchError::Lost)
}

fn late() -> Step {
    Step(Duration::from_secs(3600), Err(FetchError::Lost))
}

fn tokens_with(fields: &str) -> String {
    format!(
        r#"{{"access_token":"{ACCESS}","expires_in":7200,"refresh_token":"83_refresh","openid":"{OPENID}"{fields}}}"#
    )
}

fn tokens() -> Step {
    says(tokens_with(r#","scope":"snsapi_userinfo""#))
}

fn profile_of(openid: &str, fields: &str) -> Step {
    says(format!(
        r#"{{"openid":"{openid}","nickname":"梅 🐟","headimgurl":"https://p/0"{fields}}}"#
    ))
}

fn profile() -> Step {
    profile_of(OPENID, &format!(r#","unionid":"{UNIONID}""#))
}

fn unspent(failure: &ExchangeFailure) -> Lifetime {
    match failure {
        ExchangeFailure::Unspent { retry_after } => *retry_after,
        other => panic!("{other:?}"),
    }
}

fn unreadable(failure: ExchangeFailure) -> String {
    match failure {
        ExchangeFailure::Unreadable(text) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_code_becomes_somebody() {
    let world = World::new();
    world.fake.then([tokens(), profile()]);
    let exchanged = world.exchange().await.ok().unwrap();
    let vouched = &exchanged.vouched;
    assert_eq!(vouched.key.subject, OPENID);
    assert_eq!(vouched.key.app.as_str(), "wx-wechat-mobile");
    let person = vouched.person.as_ref().unwrap();
    assert_eq!(
        (person.scope.as_str(), person.id.as_str()),
        ("main", UNIONID)
    );
    let kept = vouched.profile.as_ref().unwrap();
    assert_eq!(
        (kept.nickname.as_str(), kept.avatar.as_str()),
        ("梅 🐟", "https://p/0")
    );
    assert_eq!(exchanged.tokens.access.expose(), ACCESS);
    assert_eq!(exchanged.tokens.refresh.unwrap().expose(), "83_refresh");
    assert_eq!(exchanged.access_life, Lifetime::seconds(7200));
    assert!(!exchanged.profile_due);
    assert_eq!(world.fake.paths(), ["oauth2/access_token", "userinfo"]);
    assert!(world.alerts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn refresh_tokens_live_as_long_as_the_kind_of_app_says() {
    let world = World::new();
    for (kind, days) in [
        (UpstreamKind::WechatMobile, 180),
        (UpstreamKind::WechatWebsite, 30),
        (UpstreamKind::WechatService, 30),
    ] {
        world.fake.then([tokens(), profile()]);
        let exchanged = world.exchange_at(kind.word()).await.ok().unwrap();
        assert_eq!(exchanged.refresh_life, Lifetime::days(days), "{kind:?}");
    }
    let bare = format!(r#"{{"access_token":"{ACCESS}","expires_in":1,"openid":"{OPENID}"}}"#);
    world.fake.then([says(bare), profile()]);
    let exchanged = world.exchange().await.ok().unwrap();
    assert_eq!(exchanged.refresh_life, Lifetime::default());
    assert_eq!(
        world.exchange_at("nobody").await.err(),
        Some(ExchangeFailure::Misconfigured)
    );
}

#[tokio::test(start_paused = true)]
async fn a_mini_programs_code_brings_a_session_key_and_no_profile() {
    let world = World::new();
    let session = format!(
        r#"{{"session_key":"tiihtNczf5v6AKRyjwEUhQ==","openid":"{OPENID}","unionid":"{UNIONID}"}}"#
    );
    world.fake.then([unreachable(), says(session)]);
    let exchanged = world.exchange_at("wechat-mini").await.ok().unwrap();
    assert_eq!(exchanged.tokens.access.expose(), "tiihtNczf5v6AKRyjwEUhQ==");
    assert!(exchanged.tokens.refresh.is_none() && exchanged.vouched.profile.is_none());
    assert_eq!(exchanged.refresh_life, Lifetime::default());
    assert_eq!(exchanged.vouched.person.unwrap().id, UNIONID);
    assert!(!exchanged.profile_due);
    assert_eq!(world.fake.paths(), ["jscode2session", "jscode2session"]);
    world.fake.then([errcode(40029)]);
    let failure = world.exchange_at("wechat-mini").await.err();
    assert_eq!(failure, Some(ExchangeFailure::CodeInvalid));
    // There are no tokens to ask about.
    let (now, secret) = (|| NOW, Secret::new("x"));
    let asked = world
        .upstreams
        .check("wechat-mini", &secret, OPENID, &now)
        .await;
    assert_eq!(asked, UpstreamVerdict::Unreachable);
    let asked = world
        .upstreams
        .profile("wechat-mini", &secret, OPENID, &now)
        .await;
    assert_eq!(asked, Err(UpstreamVerdict::Good));
}

#[tokio::test(start_paused = true)]
async fn a_person_needs_a_unionid_and_a_named_account() {
    let world = World::new();
    for (token, face, person) in [
        (r#","unionid":"a""#, "", Some("a")),
        ("", r#","unionid":"b""#, Some("b")),
        (r#","unionid":"c""#, r#","unionid":"c""#, Some("c")),
        ("", "", None),
        (r#","unionid":"""#, "", None),
    ] {
        world
            .fake
            .then([says(tokens_with(token)), profile_of(OPENID, face)]);
        let exchanged = world.exchange().await.ok().unwrap();
        let found = exchanged.vouched.person.map(|person| person.id);
        assert_eq!(found.as_deref(), person, "{token} {face}");
    }
    let mut lonely = access(UpstreamKind::WechatMobile);
    lonely.app.union_scope = None;
    let fake = Arc::new(Fake::default());
    let entropy = Arc::new(Counted::default());
    let settings = UpstreamSettings::default();
    let upstreams = Upstreams::new(vec![lonely], fake.clone(), entropy, settings);
    fake.then([tokens(), profile()]);
    let exchanged = upstreams.exchange(APP, &Secret::new(CODE), &|| NOW).await;
    assert_eq!(exchanged.ok().unwrap().vouched.person, None);
}

#[tokio::test(start_paused = true)]
async fn a_virtual_user_of_a_snapshot_page_is_nobody() {
    let world = World::new();
    let snapshot = says(tokens_with(r#","is_snapshotuser":1"#));
    assert_eq!(
        world.fails([snapshot]).await,
        (ExchangeFailure::ScopeMissing, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn ups_01_nobody_is_reached() {
    let world = World::new();
    let nobody = || [unreachable(), unreachable(), unreachable()];
    let begun = Instant::now();
    let (failure, calls) = world.fails(nobody()).await;
    assert_eq!((unspent(&failure), calls), (Lifetime::seconds(2), 3));
    // Two pauses: 150 to 300 and 450 to 900 ms, and never the same.
    let first = begun.elapsed();
    assert!((660..1260).contains(&first.as_millis()), "{first:?}");
    let begun = Instant::now();
    world.fake.then([unreachable(), tokens(), profile()]);
    assert!(
        world.exchange().await.is_ok(),
        "the same code may be sent again"
    );
    world.fails(nobody()).await;
    assert_ne!(begun.elapsed(), first);
}

#[tokio::test(start_paused = true)]
async fn ups_02_an_answer_is_lost_and_the_code_was_spent_by_it() {
    for spent in [40163, 40029] {
        for before in [lost(), late(), errcode(-1), with_status(504, "<html>")] {
            let world = World::new();
            let ended = world.fails([before, errcode(spent)]).await;
            assert_eq!(ended, (ExchangeFailure::Lost, 2), "{spent}");
        }
    }
    // Nothing was sent before: it was somebody else.
    let world = World::new();
    let ended = world.fails([unreachable(), errcode(40163)]).await;
    assert_eq!(ended, (ExchangeFailure::CodeUsed, 2));
    // Whether it was spent never comes out.
    for rest in [
        vec![lost(), lost(), lost()],
        vec![lost(), unreachable(), errcode(-1)],
        vec![lost(), errcode(45011)],
    ] {
        let (world, calls) = (World::new(), rest.len());
        assert_eq!(world.fails(rest).await, (ExchangeFailure::Lost, calls));
    }
    // It was not.
    let world = World::new();
    world.fake.then([lost(), tokens(), profile()]);
    assert!(world.exchange().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn ups_02_what_the_code_is_called_at_once_is_what_it_is() {
    for (code, failure) in [
        (40029, ExchangeFailure::CodeInvalid),
        (42003, ExchangeFailure::CodeInvalid),
        (40163, ExchangeFailure::CodeUsed),
    ] {
        let world = World::new();
        assert_eq!(world.fails([errcode(code)]).await, (failure, 1));
        assert!(world.alerts().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn ups_03_the_upstream_is_busy() {
    let world = World::new();
    world
        .fake
        .then([errcode(-1), errcode(-1), tokens(), profile()]);
    assert!(world.exchange().await.is_ok());
    assert_eq!(world.fake.count(), 4);
    let (failure, calls) = world.fails([errcode(-1), errcode(-1), errcode(-1)]).await;
    assert_eq!((unspent(&failure), calls), (Lifetime::seconds(2), 3));
    // A proxy in front of it that is broken is the same; what it says counts where it says any.
    let world = World::new();
    let broken = || with_status(502, "<html>bad gateway</html>");
    world
        .fake
        .then([broken(), with_status(500, ""), tokens(), profile()]);
    assert!(world.exchange().await.is_ok());
    let (failure, _) = world.fails([broken(), broken(), broken()]).await;
    unspent(&failure);
    let world = World::new();
    let odd = with_status(500, r#"{"errcode":40029,"errmsg":"invalid code"}"#);
    assert_eq!(world.fails([odd]).await, (ExchangeFailure::CodeInvalid, 1));
    let odd = with_status(500, tokens_with(""));
    world.fake.then([odd, profile()]);
    assert!(world.exchange().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn ups_04_a_minutes_quota_is_used_up() {
    for used_up in [errcode(45011), with_status(429, "slow down")] {
        let world = World::new();
        let (failure, calls) = world.fails([used_up]).await;
        let wait = unspent(&failure);
        assert!(
            wait > Lifetime::seconds(9) && wait <= Lifetime::seconds(10),
            "{wait:?}"
        );
        assert_eq!(calls, 1, "no retry");
        let (failure, calls) = world.fails([]).await;
        assert!(unspent(&failure) <= wait);
        assert_eq!(calls, 0, "no call until the minute is over");
        // Another app of ours has its own quota.
        world.fake.then([tokens(), profile()]);
        assert!(world.exchange_at("wechat-website").await.is_ok());
        tokio::time::sleep(Duration::from_secs(10)).await;
        world.fake.then([tokens(), profile()]);
        assert!(world.exchange().await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn ups_05_the_login_page_is_told_and_one_alert_is_raised() {
    let world = World::new();
    assert!(!world.upstreams.degraded(APP, world.now()));
    let (failure, calls) = world.fails([errcode(45009)]).await;
    assert_eq!((unspent(&failure), calls), (Lifetime::minutes(10), 1));
    assert!(world.upstreams.degraded(APP, world.now()));
    assert!(!world.upstreams.degraded("wechat-website", world.now()));
    for _ in 0..3 {
        assert_eq!(world.fails([]).await.1, 0);
    }
    assert_eq!(world.alerts(), [AlertKind::Degraded]);
    // Tried again after a while, and refused again: no news.
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(!world.upstreams.degraded(APP, world.now()));
    world.fails([errcode(45009)]).await;
    assert!(world.upstreams.degraded(APP, world.now()));
    assert!(world.alerts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn ups_05_five_failures_in_a_row_open_the_breaker() {
    let world = World::new();
    world
        .fails([unreachable(), unreachable(), unreachable()])
        .await;
    let (failure, calls) = world.fails([errcode(-1), unreachable()]).await;
    assert_eq!(calls, 2, "the third try is not made");
    assert!(unspent(&failure) > Lifetime::seconds(2));
    assert!(world.upstreams.degraded(APP, world.now()));
    assert_eq!(world.fails([]).await.1, 0);
    assert_eq!(world.alerts(), [AlertKind::Degraded]);
    tokio::time::sleep(Duration::from_secs(10)).await;
    world.fake.then([tokens(), profile()]);
    assert!(world.exchange().await.is_ok());
    assert!(!world.upstreams.degraded(APP, world.now()));
}

#[tokio::test(start_paused = true)]
async fn ups_06_an_answer_that_is_none() {
    for (body, told) in [
        (&tokens_with("")[..90], "access_token"),
        ("<html><title>Sign in to the wifi</title></html>", "wifi"),
        ("", ""),
        ("[]", "[]"),
        (
            r#"{"access_token":"83_access","openid":"o6_bmjrPTlm6_2sgVt7hMZOPfL2M"}"#,
            "openid",
        ),
    ] {
        let world = World::new();
        let (failure, calls) = world.fails([says(body)]).await;
        assert!(unreadable(failure).contains(told), "{body}");
        assert_eq!(calls, 1, "the code is spent");
    }
    let world = World::new();
    let (failure, calls) = world.fails([error(FetchError::TooLarge)]).await;
    assert_eq!(
        (unreadable(failure).as_str(), calls),
        ("more than 65536 bytes", 1)
    );
    let long = format!("{}{CODE}{APP_SECRET}", "<p> ".repeat(1000));
    let (failure, _) = world.fails([says(long)]).await;
    assert_eq!(unreadable(failure).chars().count(), 500);
    let (failure, _) = world.fails([errcode(99_999)]).await;
    assert!(unreadable(failure).starts_with("errcode 99999: no, "));
}

#[tokio::test(start_paused = true)]
async fn ups_07_answers_are_read_by_what_they_say() {
    let world = World::new();
    for body in [
        tokens_with(r#","errcode":0,"errmsg":"ok""#),
        tokens_with(r#","privilege":[],"token_type":"bearer","x":{"errcode":40029}"#),
        format!("\u{feff}{}", tokens_with("")),
    ] {
        world.fake.then([says(body), profile()]);
        assert!(world.exchange().await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn ups_08_answers_that_contradict_each_other() {
    let world = World::new();
    let nobody = r#"{"access_token":"83_access","expires_in":7200}"#;
    assert!(unreadable(world.fails([says(nobody)]).await.0).contains("expires_in"));
    assert_eq!(world.alerts(), [AlertKind::Mismatch]);
    let named = || says(tokens_with(r#","unionid":"one""#));
    for face in [
        profile_of("another", ""),
        profile_of("", ""),
        says(r#"{"nickname":"x"}"#),
        profile_of(OPENID, r#","unionid":"other""#),
        says(r#"{"errcode":40003,"errmsg":"invalid openid"}"#),
    ] {
        let (failure, calls) = world.fails([named(), face]).await;
        unreadable(failure);
        assert_eq!(calls, 2);
        assert_eq!(world.alerts(), [AlertKind::Mismatch]);
    }
}

#[tokio::test(start_paused = true)]
async fn ups_09_a_slow_answer_is_an_answer() {
    let world = World::new();
    let mut slow = tokens();
    slow.0 = Duration::from_secs(8);
    world.fake.then([slow, profile()]);
    // As the caller does: it answers after five seconds, and the exchange goes on without it.
    let (upstreams, now) = (world.upstreams.clone(), world.now());
    let task = tokio::spawn(async move {
        let code = Secret::new(CODE);
        upstreams.exchange(APP, &code, &|| now).await.ok()
    });
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!task.is_finished());
    assert!(task.await.unwrap().is_some());
    assert_eq!(world.fake.count(), 2, "one exchange, one profile");
}

#[tokio::test(start_paused = true)]
async fn ups_09_the_budget_is_kept_whatever_happens() {
    let world = World::new();
    let begun = Instant::now();
    let (failure, calls) = world.fails([late(), late()]).await;
    assert_eq!((failure, calls), (ExchangeFailure::Lost, 2));
    assert!(
        begun.elapsed() <= Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    // With nothing left of it, the profile is read later.
    let begun = Instant::now();
    let mut slow = tokens();
    slow.0 = Duration::from_millis(9_680);
    world.fake.then([late(), slow]);
    let exchanged = world.exchange().await.ok().unwrap();
    assert!(exchanged.profile_due && exchanged.vouched.profile.is_none());
    assert!(
        begun.elapsed() <= Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn ups_10_we_are_set_up_wrongly() {
    for code in [40013, 40125, 40001, 40164, 41004] {
        let world = World::new();
        for _ in 0..3 {
            let ended = world.fails([errcode(code)]).await;
            assert_eq!(ended, (ExchangeFailure::Misconfigured, 1), "{code}");
        }
        assert_eq!(world.alerts(), [AlertKind::Misconfigured], "told once");
        // It was mended, and broke again.
        world.fake.then([tokens(), profile()]);
        assert!(world.exchange().await.is_ok());
        world.fails([errcode(code)]).await;
        assert_eq!(world.alerts(), [AlertKind::Misconfigured]);
    }
    let world = World::new();
    for _ in 0..6 {
        let ended = world.fails([error(FetchError::Forbidden)]).await;
        assert_eq!(ended, (ExchangeFailure::Misconfigured, 1));
    }
    assert_eq!(world.alerts(), [AlertKind::Misconfigured]);
}

#[tokio::test(start_paused = true)]
async fn ups_11_a_login_does_not_fail_for_want_of_a_name() {
    for face in [
        errcode(-1),
        errcode(40001),
        errcode(42001),
        errcode(45009),
        errcode(99_999),
        late(),
        lost(),
        unreachable(),
        error(FetchError::TooLarge),
        says("<html>"),
        with_status(502, ""),
    ] {
        let world = World::new();
        world
            .fake
            .then([says(tokens_with(r#","unionid":"u""#)), face]);
        let exchanged = world.exchange().await.ok().unwrap();
        assert!(exchanged.profile_due && exchanged.vouched.profile.is_none());
        assert_eq!(exchanged.vouched.person.unwrap().id, "u");
        assert_eq!(world.fake.count(), 2);
        assert!(
            !world.upstreams.degraded(APP, world.now()),
            "codes can be paid"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn ups_12_a_token_without_the_scope_has_no_profile() {
    let world = World::new();
    world.fake.then([tokens(), errcode(48001)]);
    let exchanged = world.exchange().await.ok().unwrap();
    assert!(!exchanged.profile_due && exchanged.vouched.profile.is_none());
    world.fake.count();
    for (scope, calls) in [
        ("snsapi_base", 1),
        ("snsapi_login", 2),
        ("snsapi_base,snsapi_userinfo", 2),
        ("", 2),
    ] {
        world
            .fake
            .then([says(tokens_with(&format!(r#","scope":"{scope}""#)))]);
        world.fake.then((calls == 2).then(profile));
        let exchanged = world.exchange().await.ok().unwrap();
        assert_eq!(exchanged.vouched.profile.is_some(), calls == 2, "{scope}");
        assert!(!exchanged.profile_due);
        assert_eq!(world.fake.count(), calls, "{scope}");
    }
    let ended = world.fails([errcode(48001)]).await;
    assert_eq!(ended, (ExchangeFailure::ScopeMissing, 1));
}

#[tokio::test(start_paused = true)]
async fn ups_13_a_restricted_user() {
    let world = World::new();
    for code in [50002, 40226] {
        let ended = world.fails([errcode(code)]).await;
        assert_eq!(ended, (ExchangeFailure::Restricted, 1));
    }
    let ended = world.fails([tokens(), errcode(50002)]).await;
    assert_eq!(ended, (ExchangeFailure::Restricted, 2));
}

#[tokio::test(start_paused = true)]
async fn rel_02_to_06_what_a_check_says_of_a_token() {
    use UpstreamVerdict::{Expired, Gone, Good, Unreachable};
    for (step, verdict) in [
        (errcode(0), Good),
        (errcode(42001), Expired),
        (errcode(40001), Gone),
        (errcode(40003), Gone),
        (errcode(40014), Gone),
        (errcode(42007), Gone),
        (errcode(-1), Unreachable),
        (errcode(45009), Unreachable),
        (errcode(45011), Unreachable),
        (errcode(40013), Unreachable),
        (errcode(50002), Unreachable),
        (errcode(99_999), Unreachable),
        (late(), Unreachable),
        (lost(), Unreachable),
        (unreachable(), Unreachable),
        (says("{}"), Unreachable),
        (says("<html>"), Unreachable),
    ] {
        let world = World::new();
        world.fake.then([step]);
        let (access, now) = (Secret::new(ACCESS), || world.now());
        let said = world.upstreams.check(APP, &access, OPENID, &now).await;
        assert_eq!(said, verdict);
        assert_eq!(world.fake.paths(), ["auth"]);
    }
}

#[tokio::test(start_paused = true)]
async fn rel_03_rel_08_tokens_are_renewed() {
    let world = World::new();
    let (refresh, now) = (Secret::new("83_refresh"), || world.now());
    let renew = || world.upstreams.refresh(APP, &refresh, OPENID, &now);
    world.fake.then([tokens()]);
    let renewed = renew().await.ok().unwrap();
    assert_eq!(renewed.access.expose(), ACCESS);
    assert_eq!(renewed.access_life, Lifetime::seconds(7200));
    assert_eq!(renewed.refresh.unwrap().expose(), "83_refresh");
    assert_eq!(world.fake.paths(), ["oauth2/refresh_token"]);
    // None in the answer: the old one stays.
    let bare = format!(r#"{{"access_token":"b","expires_in":1,"openid":"{OPENID}","scope":","}}"#);
    world.fake.then([says(bare)]);
    assert!(renew().await.ok().unwrap().refresh.is_none());
    // Another user's tokens are not taken.
    let other = r#"{"access_token":"b","expires_in":1,"openid":"other"}"#;
    world.fake.then([says(other)]);
    assert_eq!(renew().await.err(), Some(UpstreamVerdict::Unreachable));
    assert_eq!(world.alerts(), [AlertKind::Mismatch]);
}

#[tokio::test(start_paused = true)]
async fn rel_04_what_a_refresh_says_of_its_token() {
    use UpstreamVerdict::{Expired, Gone, Unreachable};
    for (step, verdict) in [
        (errcode(42002), Expired),
        (errcode(40030), Gone),
        (errcode(42007), Gone),
        (errcode(-1), Unreachable),
        (errcode(40001), Unreachable),
        (errcode(40013), Unreachable),
        (errcode(45011), Unreachable),
        (late(), Unreachable),
        (unreachable(), Unreachable),
        (says("<html>"), Unreachable),
        (says("{}"), Unreachable),
    ] {
        let world = World::new();
        world.fake.then([step]);
        let (refresh, now) = (Secret::new("83_refresh"), || world.now());
        let renewed = world.upstreams.refresh(APP, &refresh, OPENID, &now).await;
        assert_eq!(renewed.err(), Some(verdict));
    }
}

#[tokio::test(start_paused = true)]
async fn rel_07_a_profile_that_calls_the_token_dead() {
    use UpstreamVerdict::{Expired, Gone, Good, Unreachable};
    let world = World::new();
    let (access, now) = (Secret::new(ACCESS), || world.now());
    let read = || world.upstreams.profile(APP, &access, OPENID, &now);
    world.fake.then([profile()]);
    assert_eq!(read().await.unwrap().nickname, "梅 🐟");
    for (step, verdict) in [
        (errcode(40001), Gone),
        (errcode(40014), Gone),
        (errcode(42001), Expired),
        (errcode(48001), Good),
        (errcode(-1), Unreachable),
        (says("<html>"), Unreachable),
        (profile_of("another", ""), Unreachable),
    ] {
        world.fake.then([step]);
        assert_eq!(read().await, Err(verdict));
    }
    assert_eq!(world.alerts(), [AlertKind::Mismatch]);
    let long = format!(r#","nickname":"{}""#, "梅".repeat(500));
    world
        .fake
        .then([says(format!(r#"{{"openid":"{OPENID}"{long}}}"#))]);
    assert_eq!(read().await.unwrap().nickname.chars().count(), 128);
}

#[tokio::test(start_paused = true)]
async fn alerts_that_nobody_takes_do_not_pile_up() {
    let world = World::new();
    for _ in 0..150 {
        world.fake.then([tokens(), profile_of("another", "")]);
        assert!(world.exchange().await.is_err());
    }
    assert_eq!(world.alerts().len(), 100);
    assert!(world.upstreams.take_alerts().is_empty());
}
