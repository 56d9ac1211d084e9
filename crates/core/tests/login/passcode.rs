//! Passcodes of the login backend: SMS-01 to SMS-10, and what many at once may do.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use yufu_core::engine::login::{PasscodeRequest, PasscodeSent, PhoneLogin, PhoneProof, PhoneStep};
use yufu_core::engine::{Engine, Settings};
use yufu_core::id::Number;
use yufu_core::limit::Rate;
use yufu_core::login::body::Sends;
use yufu_core::login::{Device, Idempotency, LoggedIn, LoginRefusal, LoginSettings, LoginStop};
use yufu_core::secret::Secret;
use yufu_core::store::Browse as _;
use yufu_core::ticket::{Kind, Passcode, Scene};
use yufu_core::time::{Lifetime, Timestamp};
use yufu_core::user::Phone;

use crate::world::{HERE, NOW, TERMS, World, at, phone, refused};

const MANY: usize = 50;

fn mei() -> Phone {
    phone("13800000001")
}

fn wei() -> Phone {
    phone("13800000002")
}

/// The n-th of many numbers.
fn number(n: usize) -> Phone {
    phone(&format!("139{n:08}"))
}

/// Somebody without a device at an address.
fn from(address: &str) -> Device<'_> {
    Device {
        secret: None,
        id: "",
        platform: "ios",
        address,
    }
}

fn request<'a>(phone: &'a Phone, scene: Scene, device: Device<'a>) -> PasscodeRequest<'a> {
    PasscodeRequest {
        phone,
        scene,
        device,
        captcha_passed: false,
    }
}

impl World {
    async fn send(&self, phone: &Phone, now: Timestamp) -> Result<PasscodeSent, LoginStop> {
        self.send_for(phone, Scene::Login, now).await
    }

    async fn send_for(
        &self,
        phone: &Phone,
        scene: Scene,
        now: Timestamp,
    ) -> Result<PasscodeSent, LoginStop> {
        let request = request(phone, scene, from(HERE));
        self.engine.send_login_passcode(request, now).await
    }

    async fn send_from(
        &self,
        phone: &Phone,
        device: Device<'_>,
        captcha_passed: bool,
        now: Timestamp,
    ) -> Result<PasscodeSent, LoginStop> {
        let request = PasscodeRequest {
            captcha_passed,
            ..request(phone, Scene::Login, device)
        };
        self.engine.send_login_passcode(request, now).await
    }

    /// Uses a passcode for logging in.
    async fn enter(
        &self,
        phone: &Phone,
        digits: &str,
        now: Timestamp,
    ) -> Result<LoggedIn, LoginStop> {
        enter_at(&self.engine, &self.device(), phone, digits, now).await
    }

    /// Tells that a passcode for logging in was not delivered.
    async fn undelivered(&self, phone: &Phone, sent: &PasscodeSent, limited: bool, now: Timestamp) {
        self.engine
            .passcode_undelivered(phone, Scene::Login, sent.id, limited, now)
            .await
            .unwrap();
    }

    /// The stored passcodes of a scene.
    async fn passcodes(&self, scene: Scene) -> Vec<Passcode> {
        let rows = self.lists.tickets(Kind::Passcode, None, 100).await.unwrap();
        let bodies = rows.iter().map(|row| row.open::<Passcode>().unwrap().body);
        bodies.filter(|body| body.scene == scene).collect()
    }

    /// The one stored passcode for logging in.
    async fn stored(&self) -> Passcode {
        let mut all = self.passcodes(Scene::Login).await;
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    /// When passcodes were sent to the one number that has any.
    async fn sends(&self) -> Vec<Timestamp> {
        let rows = self.lists.tickets(Kind::Sends, None, 2).await.unwrap();
        assert_eq!(rows.len(), 1);
        rows[0].open::<Sends>().unwrap().body.at
    }

    /// Another process of the same backend.
    async fn beside(&self) -> Engine {
        let settings = Settings {
            login: self.engine.login().clone(),
            ..Settings::default()
        };
        let opened = Engine::open(self.ports.clone(), &self.master, settings, NOW).await;
        opened.unwrap()
    }
}

async fn enter_at(
    engine: &Engine,
    secret: &str,
    phone: &Phone,
    digits: &str,
    now: Timestamp,
) -> Result<LoggedIn, LoginStop> {
    let request = PhoneLogin {
        phone,
        proof: PhoneProof::Passcode(digits),
        consent: TERMS,
        fresh: false,
        reissued: Some(false),
        device: Device {
            secret: Some(secret),
            ..from(HERE)
        },
        key: Idempotency(None),
    };
    match engine.phone_login(request, now).await? {
        PhoneStep::Done(logged_in) => Ok(logged_in),
        step @ PhoneStep::AskCarrier { .. } => panic!("{step:?}"),
    }
}

/// Six digits that are not these: the n-th of them.
fn other(digits: &Secret, n: u32) -> String {
    let right: u32 = digits.expose().parse().unwrap();
    format!("{:06}", (right + 1 + n) % 1_000_000)
}

fn too_soon(millis: i64) -> LoginRefusal {
    let retry_after = Lifetime::from_millis(millis);
    LoginRefusal::PasscodeTooSoon { retry_after }
}

fn limit(seconds: i64) -> LoginRefusal {
    let retry_after = Lifetime::seconds(seconds);
    LoginRefusal::PasscodeLimit { retry_after }
}

fn wrong(left: u32) -> LoginRefusal {
    LoginRefusal::PasscodeWrong { left }
}

fn rate(burst: u32, seconds: i64) -> Rate {
    Rate {
        burst,
        each: Lifetime::seconds(seconds),
    }
}

/// No limit but those of a number.
fn roomy(settings: &mut LoginSettings) {
    for rate in [
        &mut settings.address_passcodes,
        &mut settings.network_passcodes,
        &mut settings.device_passcodes,
        &mut settings.country_passcodes,
        &mut settings.all_passcodes,
    ] {
        rate.burst = 100_000;
    }
}

// --- sending ---------------------------------------------------------------------------------

#[tokio::test]
async fn sms_01_six_digits_are_answered_and_only_their_mac_is_stored() {
    let w = World::new().await;
    let sent = w.send(&mei(), NOW).await.unwrap();
    assert_eq!(sent.digits.expose().len(), 6);
    assert!(sent.digits.expose().bytes().all(|b| b.is_ascii_digit()));
    assert_eq!(sent.resend_after, Lifetime::seconds(60));
    assert_eq!(sent.ttl, Lifetime::seconds(300));
    assert!(!sent.is_test);
    assert_eq!(w.store.change(), ["issue sends", "issue passcode"]);
    for kind in [Kind::Passcode, Kind::Sends] {
        for row in w.lists.tickets(kind, None, 9).await.unwrap() {
            let body = String::from_utf8(row.ticket.body).unwrap();
            assert!(!body.contains(sent.digits.expose()), "{body}");
            assert!(!body.contains(mei().as_str()), "{body}");
        }
    }
    w.enter(&mei(), sent.digits.expose(), NOW).await.unwrap();
}

#[tokio::test]
async fn two_passcodes_of_the_same_digits_have_two_macs() {
    let given = |settings: &mut LoginSettings| {
        settings.test_numbers = vec![(mei(), Secret::new("246810"))];
    };
    let w = World::with(given).await;
    let first = w.send(&mei(), NOW).await.unwrap();
    let before = w.stored().await;
    let second = w.send(&mei(), NOW).await.unwrap();
    assert_ne!(first.id, second.id);
    assert_ne!(w.stored().await.mac, before.mac);
}

#[tokio::test]
async fn sms_02_a_minute_lies_between_two_passcodes_of_a_number_in_whatever_scene() {
    let w = World::new().await;
    w.send(&mei(), NOW).await.unwrap();
    w.store.lists();
    for scene in Scene::OF_LOGIN {
        let again = w.send_for(&mei(), scene, Timestamp(NOW.0 + 1)).await;
        assert_eq!(refused(again), too_soon(59_999));
        let again = w.send_for(&mei(), scene, Timestamp(NOW.0 + 59_999)).await;
        assert_eq!(refused(again), too_soon(1));
    }
    assert!(w.store.lists().is_empty(), "nothing was written");
    w.send(&wei(), NOW).await.unwrap();
    w.send_for(&mei(), Scene::Bind, at(60)).await.unwrap();
}

#[tokio::test]
async fn asking_again_at_once_counts_nothing() {
    let w = World::with(|settings| settings.address_passcodes = rate(2, 3600)).await;
    w.send(&mei(), NOW).await.unwrap();
    for _ in 0..100 {
        assert_eq!(refused(w.send(&mei(), NOW).await), too_soon(60_000));
    }
    w.send(&wei(), NOW).await.unwrap();
    assert_eq!(w.send(&mei(), at(60)).await.map_err(code).err(), Some(3008));
}

fn code(stop: LoginStop) -> u16 {
    match stop {
        LoginStop::Refused(refusal) => refusal.code(),
        LoginStop::Failed(fault) => panic!("{fault:?}"),
    }
}

#[tokio::test]
async fn sms_03_five_an_hour_and_ten_a_day_with_exact_waits() {
    let w = World::with(roomy).await;
    for n in 0..5 {
        w.send(&mei(), at(n * 100)).await.unwrap();
    }
    w.store.lists();
    assert_eq!(refused(w.send(&mei(), at(500)).await), limit(3100));
    assert_eq!(refused(w.send(&mei(), at(3599)).await), limit(1));
    assert!(w.store.lists().is_empty());
    // The windows roll: one leaves, one may come.
    w.send(&mei(), at(3600)).await.unwrap();
    assert_eq!(refused(w.send(&mei(), at(3660)).await), limit(40));
    for n in 1..5 {
        w.send(&mei(), at(3600 + n * 100)).await.unwrap();
    }
    // Ten within the day; the hour has room again long before it.
    assert_eq!(refused(w.send(&mei(), at(10_000)).await), limit(76_400));
    assert_eq!(refused(w.send(&mei(), at(86_399)).await), limit(1));
    w.send(&mei(), at(86_400)).await.unwrap();
    assert_eq!(w.sends().await.len(), 10, "what is over is forgotten");
    assert_eq!(refused(w.send(&mei(), at(86_460)).await), limit(40));
}

#[tokio::test]
async fn the_longer_of_two_waits_is_told() {
    let both = |settings: &mut LoginSettings| {
        roomy(settings);
        (settings.passcodes_hourly, settings.passcodes_daily) = (2, 2);
    };
    let w = World::with(both).await;
    w.send(&mei(), NOW).await.unwrap();
    w.send(&mei(), at(60)).await.unwrap();
    assert_eq!(refused(w.send(&mei(), at(120)).await), limit(86_280));
}

#[tokio::test]
async fn no_passcodes_at_all_is_a_setting_too() {
    let w = World::with(|settings| settings.passcodes_hourly = 0).await;
    // A first one has nothing to be counted against.
    let first = w.send(&mei(), NOW).await;
    assert_eq!(refused(first), limit(3600));
}

#[tokio::test]
async fn a_captcha_does_not_move_the_limits_of_a_number() {
    let w = World::with(roomy).await;
    w.send(&mei(), NOW).await.unwrap();
    let again = w.send_from(&mei(), from(HERE), true, at(1)).await;
    assert_eq!(refused(again), too_soon(59_000));
    for n in 1..5 {
        w.send(&mei(), at(n * 60)).await.unwrap();
    }
    let again = w.send_from(&mei(), from(HERE), true, at(300)).await;
    assert_eq!(refused(again), limit(3300));
}

#[tokio::test]
async fn the_limits_of_a_number_hold_over_processes_and_scenes() {
    let w = World::with(roomy).await;
    let beside = w.beside().await;
    let mei = mei();
    for n in 0..5_i64 {
        let scene = Scene::OF_LOGIN[n as usize % 4];
        let request = request(&mei, scene, from(HERE));
        let engine = if n % 2 == 0 { &w.engine } else { &beside };
        engine
            .send_login_passcode(request, at(n * 60))
            .await
            .unwrap();
    }
    assert_eq!(refused(w.send(&mei, at(300)).await), limit(3300));
    let request = request(&mei, Scene::Verify, from(HERE));
    let refusal = refused(beside.send_login_passcode(request, at(300)).await);
    assert_eq!(refusal, limit(3300));
}

#[tokio::test]
async fn a_clock_turned_back_by_much_shuts_nobody_out_and_by_a_little_lets_nobody_in() {
    let w = World::with(roomy).await;
    w.send(&mei(), at(86_400)).await.unwrap();
    w.send(&mei(), NOW).await.unwrap();
    assert_eq!(w.sends().await, [NOW], "what is to come never was");
    let ahead = World::with(roomy).await;
    ahead.send(&mei(), Timestamp(NOW.0 + 500)).await.unwrap();
    // Another process whose clock is half a second behind.
    assert_eq!(refused(ahead.send(&mei(), NOW).await), too_soon(60_000));
}

#[tokio::test]
async fn sms_04_an_address_has_twenty_an_hour_then_a_captcha() {
    let w = World::new().await;
    for n in 0..20 {
        w.send(&number(n), NOW).await.unwrap();
    }
    let next = w.send(&number(20), NOW).await;
    assert_eq!(refused(next), LoginRefusal::CaptchaRequired);
    w.send_from(&number(20), from(HERE), true, NOW)
        .await
        .unwrap();
    let next = w.send(&number(21), NOW).await;
    assert_eq!(refused(next), LoginRefusal::CaptchaRequired);
    w.send_from(&number(21), from("192.0.2.2"), false, NOW)
        .await
        .unwrap();
    w.send(&number(22), at(180)).await.unwrap();
}

#[tokio::test]
async fn sms_04_a_network_has_its_share_too() {
    let few = |settings: &mut LoginSettings| settings.network_passcodes = rate(3, 3600);
    for (inside, outside) in [
        (
            ["198.51.100.1", "198.51.100.77", "::ffff:198.51.100.9"],
            "198.51.101.1",
        ),
        (
            ["2001:db8::1", "2001:db8::2", "2001:db8:0:0:9::"],
            "2001:db8:0:1::1",
        ),
    ] {
        let w = World::with(few).await;
        for (n, address) in inside.into_iter().enumerate() {
            w.send_from(&number(n), from(address), false, NOW)
                .await
                .unwrap();
        }
        let next = w.send_from(&number(3), from(inside[0]), false, NOW).await;
        assert_eq!(refused(next), LoginRefusal::CaptchaRequired);
        w.send_from(&number(3), from(inside[0]), true, NOW)
            .await
            .unwrap();
        w.send_from(&number(4), from(outside), false, NOW)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn sms_04_a_device_has_five_an_hour_wherever_it_is() {
    let w = World::new().await;
    let secret = w.device();
    let devices = |address| {
        let named = Device {
            id: "phone",
            ..from(address)
        };
        let proved = Device {
            secret: Some(&secret),
            ..named
        };
        [proved, named]
    };
    let mut free = (0..100).map(number);
    let mut next = || free.next().unwrap();
    let places = ["10.0.0.1", "10.0.1.1", "10.0.2.1", "10.0.3.1", "10.0.4.1"];
    for address in places {
        for device in devices(address) {
            w.send_from(&next(), device, false, NOW).await.unwrap();
        }
    }
    for device in devices("10.0.9.1") {
        let more = w.send_from(&next(), device, false, NOW).await;
        assert_eq!(refused(more), LoginRefusal::CaptchaRequired);
        w.send_from(&next(), device, true, NOW).await.unwrap();
    }
    let elsewhere = from("10.0.9.1");
    w.send_from(&next(), elsewhere, false, NOW).await.unwrap();
}

#[tokio::test]
async fn sms_04_other_countries_are_limited_and_home_is_not() {
    let abroad = |settings: &mut LoginSettings| {
        settings.countries = vec!["86".into(), "852".into(), "65".into()];
        settings.country_passcodes = rate(1, 3600);
    };
    let w = World::with(abroad).await;
    let (first, second) = (phone("+85291234567"), phone("+85291234568"));
    w.send(&first, NOW).await.unwrap();
    assert_eq!(
        refused(w.send(&second, NOW).await),
        LoginRefusal::CaptchaRequired
    );
    w.send_from(&second, from(HERE), true, NOW).await.unwrap();
    w.send(&phone("+6581234567"), NOW).await.unwrap();
    for n in 0..5 {
        w.send(&number(n), NOW).await.unwrap();
    }
}

#[tokio::test]
async fn the_budget_of_all_ends_everything_and_is_told_once() {
    let poor = |settings: &mut LoginSettings| {
        roomy(settings);
        settings.all_passcodes = rate(3, 100);
    };
    let w = World::with(poor).await;
    for n in 0..3 {
        w.send(&number(n), NOW).await.unwrap();
    }
    let over = |seconds| LoginRefusal::RateLimited {
        retry_after: Lifetime::seconds(seconds),
    };
    for n in 3..10 {
        assert_eq!(refused(w.send(&number(n), NOW).await), over(100));
        let solved = w.send_from(&number(n), from(HERE), true, NOW).await;
        assert_eq!(
            refused(solved),
            over(100),
            "a captcha costs nobody anything"
        );
    }
    // Earned back one by one and used up again: the same opening.
    w.send(&number(3), at(100)).await.unwrap();
    assert_eq!(refused(w.send(&number(4), at(100)).await), over(100));
    let alerts = || async {
        let events = w.events().await;
        events
            .iter()
            .filter(|(what, _)| what == "alert.sms_budget")
            .count()
    };
    assert_eq!(alerts().await, 1);
    for n in 10..13 {
        w.send(&number(n), at(1000)).await.unwrap();
    }
    assert_eq!(alerts().await, 1);
    assert_eq!(refused(w.send(&number(13), at(1000)).await), over(100));
    assert_eq!(alerts().await, 2, "another opening");
}

#[tokio::test]
async fn a_refusal_counts_against_nobody() {
    let poor = |settings: &mut LoginSettings| {
        settings.all_passcodes = rate(1, 100);
        settings.address_passcodes = rate(2, 3600);
        settings.network_passcodes = rate(2, 3600);
    };
    let w = World::with(poor).await;
    w.send(&number(0), NOW).await.unwrap();
    for n in 1..20 {
        assert_eq!(
            w.send(&number(n), NOW).await.map_err(code).err(),
            Some(1002)
        );
    }
    // Nineteen refusals later the address has still one.
    w.send(&number(1), at(100)).await.unwrap();
    assert_eq!(
        w.send(&number(2), at(200)).await.map_err(code).err(),
        Some(3008)
    );
    // And the captcha that was asked for did not use up the budget.
    w.send_from(&number(2), from("192.0.9.1"), false, at(200))
        .await
        .unwrap();
}

#[tokio::test]
async fn pho_15_only_numbers_that_take_messages_and_are_served() {
    let w = World::new().await;
    for text in ["12345678901", "+85291234567", "+14155550123"] {
        let refusal = refused(w.send(&phone(text), NOW).await);
        assert_eq!(refusal, LoginRefusal::PhoneInvalid, "{text}");
    }
    assert!(w.store.lists().is_empty());
    let everywhere = World::with(|settings| settings.countries = Vec::new()).await;
    everywhere.send(&phone("+85291234567"), NOW).await.unwrap();
    let line = everywhere.send(&phone("+85221234567"), NOW).await;
    assert_eq!(refused(line), LoginRefusal::PhoneInvalid, "a fixed line");
    // One number, one key, however it is typed.
    w.send(&phone("+86 138-0000-0001"), NOW).await.unwrap();
    let typed = phone("１３８ ００００ ０００１");
    assert_eq!(refused(w.send(&typed, NOW).await), too_soon(60_000));
}

#[tokio::test]
async fn a_device_that_does_not_fit_is_refused_before_it_is_counted() {
    let w = World::new().await;
    let long = "x".repeat(200);
    let device = Device {
        id: &long,
        ..from(HERE)
    };
    let refusal = refused(w.send_from(&mei(), device, false, NOW).await);
    assert_eq!(refusal, LoginRefusal::BadRequest { field: "device_id" });
}

#[tokio::test]
async fn sms_10_known_and_unknown_numbers_are_answered_alike() {
    let w = World::new().await;
    let sent = w.send(&mei(), NOW).await.unwrap();
    w.enter(&mei(), sent.digits.expose(), NOW).await.unwrap();
    let mut answers = Vec::new();
    for (known, scene) in [(mei(), Scene::Bind), (wei(), Scene::Bind)] {
        w.store.lists();
        let sent = w.send_for(&known, scene, at(60)).await.unwrap();
        let again = refused(w.send_for(&known, scene, at(61)).await);
        let passcode = w.store.change().pop();
        answers.push((sent.resend_after, sent.ttl, sent.is_test, passcode, again));
    }
    assert_eq!(answers[0], answers[1]);
}

// --- using -----------------------------------------------------------------------------------

#[tokio::test]
async fn sms_05_a_wrong_one_is_counted_in_the_store_before_the_answer() {
    let w = World::new().await;
    let sent = w.send(&mei(), NOW).await.unwrap();
    w.store.lists();
    for n in 0..4 {
        let outcome = w.enter(&mei(), &other(&sent.digits, n), at(1)).await;
        assert_eq!(refused(outcome), wrong(4 - n));
        assert_eq!(w.store.change(), ["amend passcode"]);
        assert_eq!(w.stored().await.attempts, n + 1);
    }
    // A restart forgets nothing, and the right one still has its try.
    let beside = w.beside().await;
    let digits = sent.digits.expose();
    enter_at(&beside, &w.device(), &mei(), digits, at(2))
        .await
        .unwrap();
}

#[tokio::test]
async fn sms_06_the_fifth_wrong_one_voids_it() {
    let w = World::new().await;
    let sent = w.send(&mei(), NOW).await.unwrap();
    for n in 0..4 {
        let outcome = w.enter(&mei(), &other(&sent.digits, n), NOW).await;
        assert_eq!(refused(outcome), wrong(4 - n));
    }
    let fifth = w.enter(&mei(), &other(&sent.digits, 4), NOW).await;
    assert_eq!(refused(fifth), LoginRefusal::PasscodeExhausted);
    w.store.lists();
    for digits in [sent.digits.expose(), &other(&sent.digits, 5)] {
        let outcome = w.enter(&mei(), digits, NOW).await;
        assert_eq!(refused(outcome), LoginRefusal::PasscodeExhausted);
    }
    assert!(w.store.lists().is_empty());
    let sent = w.send(&mei(), at(60)).await.unwrap();
    w.enter(&mei(), sent.digits.expose(), at(60)).await.unwrap();
}

#[tokio::test]
async fn sms_07_expired_used_or_never_sent_is_over() {
    let w = World::new().await;
    let never = w.enter(&mei(), "123456", NOW).await;
    assert_eq!(refused(never), LoginRefusal::PasscodeOver);
    let sent = w.send(&mei(), NOW).await.unwrap();
    let digits = sent.digits.expose();
    let late = w.enter(&mei(), digits, at(300)).await;
    assert_eq!(refused(late), LoginRefusal::PasscodeOver);
    let wrong_and_late = w.enter(&mei(), &other(&sent.digits, 0), at(300)).await;
    assert_eq!(refused(wrong_and_late), LoginRefusal::PasscodeOver);
    w.enter(&mei(), digits, Timestamp(at(300).0 - 1))
        .await
        .unwrap();
    let again = w.enter(&mei(), digits, at(299)).await;
    assert_eq!(refused(again), LoginRefusal::PasscodeOver);
    let foreign = w.enter(&wei(), digits, at(1)).await;
    assert_eq!(refused(foreign), LoginRefusal::PasscodeOver);
}

#[tokio::test]
async fn sms_07_the_newest_wins_and_a_late_message_is_no_guess() {
    let w = World::with(roomy).await;
    let mut sent = Vec::new();
    for n in 0..5 {
        sent.push(w.send(&mei(), at(n * 60)).await.unwrap());
    }
    assert_eq!(w.stored().await.former.len(), 3);
    w.store.lists();
    for former in &sent[1..4] {
        let outcome = w.enter(&mei(), former.digits.expose(), at(241)).await;
        assert_eq!(refused(outcome), LoginRefusal::PasscodeOver);
    }
    assert!(w.store.lists().is_empty(), "not counted");
    // Four back is too long ago to be told apart.
    let oldest = w.enter(&mei(), sent[0].digits.expose(), at(241)).await;
    assert_eq!(refused(oldest), wrong(4));
    let newest = sent[4].digits.expose();
    w.enter(&mei(), newest, at(241)).await.unwrap();
}

#[tokio::test]
async fn sms_07_one_for_another_scene_is_wrong_here_and_stays_good_there() {
    let w = World::new().await;
    let sent = w.send_for(&mei(), Scene::Bind, NOW).await.unwrap();
    w.store.lists();
    for digits in [sent.digits.expose(), &other(&sent.digits, 0)] {
        for _ in 0..10 {
            let outcome = w.enter(&mei(), digits, at(1)).await;
            assert_eq!(refused(outcome), wrong(5), "whatever the digits");
        }
    }
    assert!(w.store.lists().is_empty(), "nothing is consumed");
    let kept = w.passcodes(Scene::Bind).await.remove(0);
    assert_eq!((kept.attempts, kept.used), (0, false));
    let over = w.enter(&mei(), sent.digits.expose(), at(300)).await;
    assert_eq!(refused(over), LoginRefusal::PasscodeOver);
}

#[tokio::test]
async fn what_was_used_here_is_over_though_another_scene_waits() {
    let w = World::new().await;
    let used = w.send(&mei(), NOW).await.unwrap();
    w.enter(&mei(), used.digits.expose(), NOW).await.unwrap();
    let bind = w.send_for(&mei(), Scene::Bind, at(60)).await.unwrap();
    let again = w.enter(&mei(), used.digits.expose(), at(61)).await;
    assert_eq!(refused(again), LoginRefusal::PasscodeOver);
    let astray = w.enter(&mei(), bind.digits.expose(), at(61)).await;
    assert_eq!(refused(astray), wrong(5));
}

#[tokio::test]
async fn what_is_no_passcode_is_not_judged() {
    let w = World::new().await;
    let sent = w.send(&mei(), NOW).await.unwrap();
    w.store.lists();
    let long = "1".repeat(1000);
    for text in [
        "",
        "123",
        "123456789",
        "12345a",
        "12 3456",
        "-12345",
        "١٢٣٤٥٦",
        &long,
    ] {
        let refusal = refused(w.enter(&mei(), text, NOW).await);
        assert_eq!(
            refusal,
            LoginRefusal::BadRequest { field: "sms_code" },
            "{text}"
        );
    }
    assert!(w.store.lists().is_empty());
    let wide: String = sent
        .digits
        .expose()
        .chars()
        .map(|c| char::from_u32(u32::from(c) - u32::from('0') + 0xff10).unwrap())
        .collect();
    w.enter(&mei(), &format!(" {wide}\u{3000}"), NOW)
        .await
        .unwrap();
}

// --- test numbers ----------------------------------------------------------------------------

#[tokio::test]
async fn a_test_number_has_its_passcode_and_no_limits() {
    let abroad = phone("+14155550123");
    let given = |settings: &mut LoginSettings| {
        settings.test_numbers = vec![(phone("+14155550123"), Secret::new("246810"))];
        settings.all_passcodes = rate(0, 3600);
        settings.passcodes_daily = 0;
    };
    let w = World::with(given).await;
    for n in 0..30 {
        let sent = w.send(&abroad, at(n)).await.unwrap();
        assert!(sent.is_test);
        assert_eq!(sent.digits.expose(), "246810");
    }
    // All else is as with any number.
    assert_eq!(refused(w.enter(&abroad, "246811", at(30)).await), wrong(4));
    w.enter(&abroad, "246810", at(30)).await.unwrap();
    let again = w.enter(&abroad, "246810", at(31)).await;
    assert_eq!(refused(again), LoginRefusal::PasscodeOver);
    assert_eq!(refused(w.send(&mei(), NOW).await), limit(86_400));
}

// --- what became of it -----------------------------------------------------------------------

#[tokio::test]
async fn sms_08_what_no_gateway_took_is_void_and_does_not_count() {
    let w = World::new().await;
    for n in 0..20 {
        let sent = w.send(&number(n), NOW).await.unwrap();
        w.undelivered(&number(n), &sent, false, NOW).await;
        let outcome = w.enter(&number(n), sent.digits.expose(), NOW).await;
        assert_eq!(refused(outcome), LoginRefusal::PasscodeOver);
    }
    let w = World::with(roomy).await;
    for _ in 0..20 {
        let sent = w.send(&mei(), NOW).await.unwrap();
        w.store.lists();
        w.undelivered(&mei(), &sent, false, NOW).await;
        let changes = ["amend passcode", "amend sends", "event sms.undelivered"];
        assert_eq!(w.store.change(), changes);
    }
    assert!(w.sends().await.is_empty());
    let sent = w.send(&mei(), NOW).await.unwrap();
    w.enter(&mei(), sent.digits.expose(), NOW).await.unwrap();
}

#[tokio::test]
async fn sms_08_what_a_gateway_limited_is_void_and_counts() {
    let w = World::new().await;
    let sent = w.send(&mei(), NOW).await.unwrap();
    w.undelivered(&mei(), &sent, true, at(1)).await;
    assert_eq!(refused(w.send(&mei(), at(1)).await), too_soon(59_000));
    let outcome = w.enter(&mei(), sent.digits.expose(), at(1)).await;
    assert_eq!(refused(outcome), LoginRefusal::PasscodeOver);
    assert_eq!(w.sends().await, [NOW]);
    let (what, detail) = w.events().await.remove(0);
    assert_eq!(what, "sms.undelivered");
    assert_eq!(detail, "+86 138****0001 login: limited");
}

#[tokio::test]
async fn only_that_very_sending_is_voided() {
    let w = World::new().await;
    let first = w.send(&mei(), NOW).await.unwrap();
    let second = w.send(&mei(), at(60)).await.unwrap();
    w.store.lists();
    let (engine, mei) = (&w.engine, mei());
    let undelivered = |scene, id| engine.passcode_undelivered(&mei, scene, id, false, NOW);
    undelivered(Scene::Login, first.id).await.unwrap();
    undelivered(Scene::Bind, second.id).await.unwrap();
    undelivered(Scene::Login, Number(0)).await.unwrap();
    assert!(w.store.lists().is_empty());
    w.enter(&mei, second.digits.expose(), at(60)).await.unwrap();
    w.store.lists();
    undelivered(Scene::Login, second.id).await.unwrap();
    assert!(w.store.lists().is_empty(), "it did arrive, for it was used");
    assert_eq!(refused(w.send(&mei, at(61)).await), too_soon(59_000));
}

#[tokio::test]
async fn what_was_not_sent_gives_the_budget_back() {
    let poor = |settings: &mut LoginSettings| settings.all_passcodes = rate(1, 3600);
    let w = World::with(poor).await;
    let sent = w.send(&mei(), NOW).await.unwrap();
    w.undelivered(&mei(), &sent, false, NOW).await;
    w.send(&wei(), NOW).await.unwrap();
    assert_eq!(w.send(&mei(), NOW).await.map_err(code).err(), Some(1002));
}

#[tokio::test]
async fn a_receipt_is_a_line_of_the_audit_without_a_number() {
    let w = World::new().await;
    let engine = &w.engine;
    let long = "x".repeat(500);
    for (id, delivered, code) in [
        ("9006195469365^0", true, "DELIVERED"),
        ("0f3a", false, "MK:0001"),
        ("13800000001", false, "+86 138 0000 0001"),
        ("<b>\"a b\"\n", true, ""),
        ("8613800000001", true, "x:1"),
        (&long, true, ""),
    ] {
        engine
            .passcode_receipt(id, delivered, code, NOW)
            .await
            .unwrap();
    }
    let events = w.events().await;
    assert!(events.iter().all(|(what, _)| what == "sms.receipt"));
    let details: Vec<_> = events.iter().map(|(_, detail)| detail.as_str()).collect();
    let cut = format!("{} delivered", &long[..64]);
    let masked = "+86 138****0001 failed +86 138****0001";
    let expected = [
        "9006195469365^0 delivered DELIVERED",
        "0f3a failed MK:0001",
        masked,
        "bab delivered",
        "+86 138****0001 delivered x:1",
        &cut,
    ];
    assert_eq!(details, expected);
}

// --- many at once ----------------------------------------------------------------------------

/// Runs many at once, each in a task of its own.
async fn at_once<T, F>(make: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> = (0..MANY).map(|n| tokio::spawn(make(n))).collect();
    let mut all = Vec::new();
    for task in tasks {
        all.push(task.await.unwrap());
    }
    all
}

/// A world where all read before any writes.
async fn slow() -> Arc<World> {
    let w = World::with(roomy).await;
    w.store.slow.store(true, Ordering::SeqCst);
    Arc::new(w)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn guesses_at_once_never_get_more_than_five_tries() {
    let w = slow().await;
    let sent = w.send(&mei(), NOW).await.unwrap();
    w.store.lists();
    let digits = sent.digits.clone();
    let heard = at_once(|n| {
        let (w, guess) = (w.clone(), other(&digits, n as u32));
        async move { refused(w.enter(&mei(), &guess, NOW).await) }
    })
    .await;
    assert_eq!(w.store.changes(), [["amend passcode"]; 5]);
    for left in 1..5 {
        assert_eq!(heard.iter().filter(|one| **one == wrong(left)).count(), 1);
    }
    let exhausted = |one: &&LoginRefusal| **one == LoginRefusal::PasscodeExhausted;
    assert_eq!(heard.iter().filter(exhausted).count(), MANY - 4);
    let late = w.enter(&mei(), sent.digits.expose(), NOW).await;
    assert_eq!(refused(late), LoginRefusal::PasscodeExhausted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_right_one_used_many_times_at_once_wins_once() {
    let w = slow().await;
    let sent = w.send(&mei(), NOW).await.unwrap();
    let heard = at_once(|_| {
        let (w, digits) = (w.clone(), sent.digits.clone());
        async move { w.enter(&mei(), digits.expose(), NOW).await }
    })
    .await;
    let (won, lost): (Vec<_>, Vec<_>) = heard.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    for one in lost {
        assert_eq!(refused(one), LoginRefusal::PasscodeOver);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_requests_at_once_in_two_processes_one_sends() {
    let w = slow().await;
    let beside = Arc::new(w.beside().await);
    let heard = at_once(|n| {
        let engine = if n % 2 == 0 {
            w.engine.clone()
        } else {
            beside.clone()
        };
        async move {
            let scene = Scene::OF_LOGIN[n % 4];
            let mei = mei();
            let sent = engine.send_login_passcode(request(&mei, scene, from(HERE)), NOW);
            sent.await
        }
    })
    .await;
    let (sent, rest): (Vec<_>, Vec<_>) = heard.into_iter().partition(Result::is_ok);
    assert_eq!(sent.len(), 1);
    for one in rest {
        assert_eq!(refused(one), too_soon(60_000));
    }
    assert_eq!(w.sends().await, [NOW]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_callers_at_once_no_more_than_allowed_are_served() {
    let few = |settings: &mut LoginSettings| {
        roomy(settings);
        settings.address_passcodes = rate(7, 3600);
    };
    let w = Arc::new(World::with(few).await);
    w.store.slow.store(true, Ordering::SeqCst);
    let heard = at_once(|n| {
        let w = w.clone();
        async move { w.send(&number(n), NOW).await }
    })
    .await;
    let (sent, rest): (Vec<_>, Vec<_>) = heard.into_iter().partition(Result::is_ok);
    assert_eq!(sent.len(), 7);
    for one in rest {
        assert_eq!(refused(one), LoginRefusal::CaptchaRequired);
    }
}
