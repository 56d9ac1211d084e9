//! People: signing in and up, passcodes, passwords, sessions, the profile.

use std::sync::atomic::Ordering;

use yufu_core::engine::{Proof, Settings, SignUp};
use yufu_core::limit::Rate;
use yufu_core::refusal::{Refusal, Stop};
use yufu_core::secret::Secret;
use yufu_core::store::{Change, Record, Store, UserKey};
use yufu_core::ticket::Scene;
use yufu_core::time::{Lifetime, Timestamp};
use yufu_core::user::{Handle, Phone, Profile, Sex, User, UserStatus};

use crate::world::*;

const DAY: i64 = 86_400;
const SIGN_IN: Scene = Scene::SignIn;

fn unknown() -> Phone {
    Phone::parse("13900000009").unwrap()
}

fn by_password(password: &str) -> Proof {
    Proof::Password(Secret::new(password))
}

fn by_passcode(digits: &str) -> Proof {
    Proof::Passcode(Secret::new(digits))
}

/// Six digits that are not these.
fn wrong(digits: &str) -> String {
    let first = if digits.starts_with('0') { "1" } else { "0" };
    format!("{first}{}", &digits[1..])
}

async fn send(w: &World, phone: &Phone, scene: Scene, now: Timestamp) -> Result<(), Stop> {
    w.engine.send_passcode(phone, scene, HERE, now).await
}

/// Sends a passcode and reads the letter.
async fn passcode(w: &World, phone: &Phone, scene: Scene, now: Timestamp) -> String {
    send(w, phone, scene, now).await.unwrap();
    w.store.lists();
    w.letter().await.passcode
}

async fn sign_in(w: &World, phone: &Phone, proof: Proof, now: Timestamp) -> Result<Secret, Stop> {
    w.engine.sign_in(phone, proof, HERE, now).await
}

fn new_account(phone: &Phone, digits: &str, password: Option<&str>) -> SignUp {
    SignUp {
        phone: phone.clone(),
        passcode: Secret::new(digits),
        nickname: " 新 ".into(),
        password: password.map(Secret::new),
    }
}

// --- signing in -----------------------------------------------------------------------------

#[tokio::test]
async fn a_password_begins_a_session_of_its_user() {
    let w = World::new().await;
    let session = sign_in(&w, &w.mei.phone, by_password(w.mei.password), NOW)
        .await
        .unwrap();
    assert_eq!(w.store.change(), ["issue session", "event session.began"]);
    let signed_in = w.signed_in(session.expose(), at(1)).await.unwrap();
    assert_eq!(
        (signed_in.user.id, signed_in.authenticated_at),
        (w.mei.id, NOW)
    );
    assert!(w.store.changes().is_empty());
    for cookie in [None, Some(""), Some("x"), Some(&session.expose()[..38])] {
        assert!(w.engine.session(cookie, NOW).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn unknown_numbers_and_wrong_passwords_refuse_alike_and_cost_alike() {
    let w = World::new().await;
    let (verified, nothing) = (&w.hasher.verified, &w.hasher.verified_nothing);
    let wrong = sign_in(&w, &w.mei.phone, by_password("wrong"), NOW).await;
    assert_eq!(refused(wrong), Refusal::WrongCredentials);
    assert_eq!(
        (
            verified.load(Ordering::SeqCst),
            nothing.load(Ordering::SeqCst)
        ),
        (1, 0)
    );
    let stranger = sign_in(&w, &unknown(), by_password("wrong"), NOW).await;
    assert_eq!(refused(stranger), Refusal::WrongCredentials);
    assert_eq!(
        (
            verified.load(Ordering::SeqCst),
            nothing.load(Ordering::SeqCst)
        ),
        (2, 1)
    );
    assert!(w.store.changes().is_empty());
}

#[tokio::test]
async fn an_account_without_a_password_is_not_signed_in_by_any() {
    let w = World::new().await;
    let phone = unknown();
    let digits = passcode(&w, &phone, Scene::SignUp, NOW).await;
    w.engine
        .sign_up(new_account(&phone, &digits, None), HERE, NOW)
        .await
        .unwrap();
    w.store.lists();
    for password in ["", "password"] {
        let outcome = sign_in(&w, &phone, by_password(password), NOW).await;
        assert_eq!(refused(outcome), Refusal::WrongCredentials);
    }
    assert!(w.store.changes().is_empty());
}

#[tokio::test]
async fn ten_failures_make_an_account_wait_a_minute_for_each_more() {
    let w = World::new().await;
    for _ in 0..10 {
        let outcome = sign_in(&w, &w.mei.phone, by_password("wrong"), NOW).await;
        assert_eq!(refused(outcome), Refusal::WrongCredentials);
    }
    let right = || by_password(w.mei.password);
    let verified = w.hasher.verified.load(Ordering::SeqCst);
    for wait in [60, 30] {
        let now = at(60 - wait);
        let outcome = sign_in(&w, &w.mei.phone, right(), now).await;
        assert_eq!(
            refused(outcome),
            Refusal::TooManyFailures(Lifetime::seconds(wait))
        );
    }
    assert_eq!(
        w.hasher.verified.load(Ordering::SeqCst),
        verified,
        "nothing was hashed"
    );
    assert!(w.store.changes().is_empty());
    // Another account, and the same after a minute.
    sign_in(&w, &w.wei.phone, by_password(w.wei.password), NOW)
        .await
        .unwrap();
    sign_in(&w, &w.mei.phone, right(), at(60)).await.unwrap();
    // The success was forgiven: one more may fail, and that one is counted.
    let outcome = sign_in(&w, &w.mei.phone, by_password("wrong"), at(60)).await;
    assert_eq!(refused(outcome), Refusal::WrongCredentials);
    let outcome = sign_in(&w, &w.mei.phone, right(), at(60)).await;
    assert_eq!(
        refused(outcome),
        Refusal::TooManyFailures(Lifetime::seconds(60))
    );
}

#[tokio::test]
async fn unknown_numbers_are_limited_like_known_ones() {
    let w = World::new().await;
    for _ in 0..10 {
        let outcome = sign_in(&w, &unknown(), by_password("x"), NOW).await;
        assert_eq!(refused(outcome), Refusal::WrongCredentials);
    }
    let outcome = sign_in(&w, &unknown(), by_password("x"), NOW).await;
    assert_eq!(
        refused(outcome),
        Refusal::TooManyFailures(Lifetime::seconds(60))
    );
}

#[tokio::test]
async fn successes_and_our_own_faults_never_count() {
    let w = World::new().await;
    for _ in 0..100 {
        sign_in(&w, &w.mei.phone, by_password(w.mei.password), NOW)
            .await
            .unwrap();
    }
    for _ in 0..100 {
        w.store.forecast(&[Weather::Failed]);
        failed(sign_in(&w, &w.mei.phone, by_password(w.mei.password), NOW).await);
    }
    sign_in(&w, &w.mei.phone, by_password(w.mei.password), NOW)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_address_with_many_failures_waits_and_costs_no_account_anything() {
    let rate = Rate {
        burst: 3,
        each: Lifetime::seconds(10),
    };
    let w = World::with(Settings {
        address_failures: rate,
        ..Settings::default()
    })
    .await;
    for n in 0..3 {
        let phone = Phone::parse(&format!("1390000000{n}")).unwrap();
        let outcome = sign_in(&w, &phone, by_password("x"), NOW).await;
        assert_eq!(refused(outcome), Refusal::WrongCredentials);
    }
    for _ in 0..20 {
        let outcome = sign_in(&w, &w.mei.phone, by_password("x"), NOW).await;
        assert_eq!(
            refused(outcome),
            Refusal::TooManyFailures(Lifetime::seconds(10))
        );
    }
    // From another address the account has lost nothing.
    for _ in 0..10 {
        let outcome = w
            .engine
            .sign_in(&w.mei.phone, by_password("x"), "192.0.2.2", NOW)
            .await;
        let refusal = refused(outcome);
        let waits = matches!(refusal, Refusal::TooManyFailures(_));
        assert!(waits || refusal == Refusal::WrongCredentials);
    }
    let elsewhere = w
        .engine
        .sign_in(&w.mei.phone, by_password(w.mei.password), "192.0.2.3", NOW);
    elsewhere.await.unwrap();
}

#[tokio::test]
async fn a_clock_turned_back_does_not_lock_anybody_out() {
    let w = World::new().await;
    let day = at(DAY);
    let outcome = sign_in(&w, &w.mei.phone, by_password("wrong"), day).await;
    assert_eq!(refused(outcome), Refusal::WrongCredentials);
    let right = || by_password(w.mei.password);
    sign_in(&w, &w.mei.phone, right(), NOW).await.unwrap();

    for minute in 0..5 {
        let day = day.plus(Lifetime::minutes(minute));
        passcode(&w, &w.wei.phone, SIGN_IN, day).await;
    }
    let digits = passcode(&w, &w.wei.phone, SIGN_IN, NOW).await;
    sign_in(&w, &w.wei.phone, by_passcode(&digits), NOW)
        .await
        .unwrap();
}

// --- passcodes ------------------------------------------------------------------------------

#[tokio::test]
async fn a_passcode_signs_in_once() {
    let w = World::new().await;
    send(&w, &w.mei.phone, SIGN_IN, NOW).await.unwrap();
    assert_eq!(w.store.change(), ["issue passcode", "post"]);
    let letter = w.letter().await;
    assert_eq!(
        (letter.to, letter.about.as_str()),
        (w.mei.phone.clone(), "sign_in")
    );
    let digits = letter.passcode;
    assert!(digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_digit()));
    let padded = format!(" {digits} ");
    let session = sign_in(&w, &w.mei.phone, by_passcode(&padded), at(299))
        .await
        .unwrap();
    assert_eq!(
        w.store.change(),
        ["amend passcode", "issue session", "event session.began"]
    );
    assert_eq!(
        w.signed_in(session.expose(), at(299))
            .await
            .unwrap()
            .user
            .id,
        w.mei.id
    );
    let again = sign_in(&w, &w.mei.phone, by_passcode(&digits), at(299)).await;
    assert_eq!(refused(again), Refusal::WrongCredentials);
    assert!(w.store.changes().is_empty());
}

#[tokio::test]
async fn the_digits_of_a_passcode_are_in_its_letter_only() {
    let w = World::new().await;
    send(&w, &w.mei.phone, SIGN_IN, NOW).await.unwrap();
    let digits = w.letter().await.passcode;
    for change in w.store.lists().iter().flatten() {
        if let Change::Issue(raw) = change {
            let body = String::from_utf8(raw.ticket.body.clone()).unwrap();
            assert!(
                !body.contains(&digits) && !body.contains(w.mei.phone.as_str()),
                "{body}"
            );
        }
    }
}

#[tokio::test]
async fn a_passcode_dies_with_five_minutes_or_five_wrong_tries() {
    let w = World::new().await;
    let digits = passcode(&w, &w.mei.phone, SIGN_IN, NOW).await;
    let late = sign_in(&w, &w.mei.phone, by_passcode(&digits), at(300)).await;
    assert_eq!(refused(late), Refusal::WrongCredentials);
    assert!(w.store.changes().is_empty());
    for _ in 0..5 {
        let tried = sign_in(&w, &w.mei.phone, by_passcode(&wrong(&digits)), at(299)).await;
        assert_eq!(refused(tried), Refusal::WrongCredentials);
        assert_eq!(
            w.store.change(),
            ["amend passcode"],
            "counted before it was answered"
        );
    }
    let dead = sign_in(&w, &w.mei.phone, by_passcode(&digits), at(299)).await;
    assert_eq!(refused(dead), Refusal::WrongCredentials);
    assert!(w.store.changes().is_empty());

    // A new one has five tries of its own, and the old digits are forgotten.
    let fresh = passcode(&w, &w.mei.phone, SIGN_IN, at(300)).await;
    let old = sign_in(&w, &w.mei.phone, by_passcode(&digits), at(300)).await;
    assert_eq!(refused(old), Refusal::WrongCredentials);
    sign_in(&w, &w.mei.phone, by_passcode(&fresh), at(300))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_passcode_is_for_its_scene_and_number_only() {
    let w = World::new().await;
    let digits = passcode(&w, &w.mei.phone, Scene::Reset, NOW).await;
    let other = sign_in(&w, &w.mei.phone, by_passcode(&digits), NOW).await;
    assert_eq!(refused(other), Refusal::WrongCredentials);
    let up = w
        .engine
        .sign_up(new_account(&w.mei.phone, &digits, None), HERE, NOW)
        .await;
    assert_eq!(refused(up), Refusal::WrongCredentials);
    let another = sign_in(&w, &w.wei.phone, by_passcode(&digits), NOW).await;
    assert_eq!(refused(another), Refusal::WrongCredentials);
    let fresh = Secret::new("a new password");
    let code = Secret::new(digits);
    w.engine
        .reset_password(&w.mei.phone, &code, fresh, HERE, NOW)
        .await
        .unwrap();
}

#[tokio::test]
async fn letters_go_to_accounts_and_to_new_numbers_that_sign_up() {
    let w = World::new().await;
    for (phone, scene, posted) in [
        (w.mei.phone.clone(), Scene::SignIn, true),
        (w.mei.phone.clone(), Scene::Reset, true),
        (w.mei.phone.clone(), Scene::SignUp, true),
        (unknown(), Scene::SignIn, false),
        (unknown(), Scene::Reset, false),
        (unknown(), Scene::SignUp, true),
    ] {
        let before = w.letters().await;
        send(&w, &phone, scene, NOW).await.unwrap();
        let posts = w.letters().await - before;
        assert_eq!(posts, usize::from(posted), "{phone} {scene:?}");
        let change = w.store.change();
        assert_eq!(change[0], "issue passcode", "the same row either way");
        // The same answer to the next request too.
        let soon = send(&w, &phone, scene, at(59)).await;
        assert_eq!(
            refused(soon),
            Refusal::PasscodeTooSoon(Lifetime::seconds(1))
        );
    }
    assert!(w.store.changes().is_empty());
}

#[tokio::test]
async fn a_number_without_an_account_is_not_signed_in_by_any_passcode() {
    let w = World::new().await;
    send(&w, &unknown(), SIGN_IN, NOW).await.unwrap();
    w.store.lists();
    let tried = sign_in(&w, &unknown(), by_passcode("000000"), NOW).await;
    assert_eq!(refused(tried), Refusal::WrongCredentials);
    assert_eq!(
        w.store.change(),
        ["amend passcode"],
        "counted like a known number's"
    );
}

#[tokio::test]
async fn passcodes_are_limited_per_number_and_address_and_a_refusal_costs_nothing() {
    let minute = Lifetime::minutes(1);
    let settings = Settings {
        number_passcodes: Rate {
            burst: 2,
            each: Lifetime::minutes(10),
        },
        address_passcodes: Rate {
            burst: 3,
            each: minute,
        },
        passcode_resend: Lifetime::seconds(0),
        ..Settings::default()
    };
    let w = World::with(settings).await;
    send(&w, &w.mei.phone, SIGN_IN, NOW).await.unwrap();
    send(&w, &w.mei.phone, SIGN_IN, NOW).await.unwrap();
    let third = send(&w, &w.mei.phone, SIGN_IN, NOW).await;
    assert_eq!(
        refused(third),
        Refusal::PasscodeTooSoon(Lifetime::minutes(10))
    );
    send(&w, &w.wei.phone, SIGN_IN, NOW).await.unwrap();
    for _ in 0..10 {
        // The address is spent; the number loses nothing by that.
        let outcome = send(&w, &w.an.phone, SIGN_IN, NOW).await;
        assert_eq!(refused(outcome), Refusal::PasscodeTooSoon(minute));
    }
    assert_eq!(w.store.changes().len(), 3);
    for _ in 0..2 {
        let sent = w
            .engine
            .send_passcode(&w.an.phone, SIGN_IN, "192.0.2.2", NOW)
            .await;
        sent.unwrap();
    }
}

#[tokio::test]
async fn who_asks_again_at_once_waits_and_loses_no_allowance() {
    let w = World::new().await;
    send(&w, &w.mei.phone, SIGN_IN, NOW).await.unwrap();
    for _ in 0..100 {
        let soon = send(&w, &w.mei.phone, SIGN_IN, at(30)).await;
        assert_eq!(
            refused(soon),
            Refusal::PasscodeTooSoon(Lifetime::seconds(30))
        );
    }
    for minute in 1..5 {
        send(&w, &w.mei.phone, SIGN_IN, at(60 * minute))
            .await
            .unwrap();
    }
    assert_eq!(w.letters().await, 5);
}

// --- signing up -----------------------------------------------------------------------------

#[tokio::test]
async fn a_proved_number_makes_an_account_and_signs_it_in() {
    let w = World::new().await;
    let phone = unknown();
    let digits = passcode(&w, &phone, Scene::SignUp, NOW).await;
    let account = new_account(&phone, &digits, Some("a long password"));
    let session = w.engine.sign_up(account, HERE, NOW).await.unwrap();
    assert_eq!(
        w.store.change(),
        [
            "amend passcode",
            "put user",
            "put handle",
            "event user.created",
            "issue session",
            "event session.began"
        ]
    );
    let signed_in = w.signed_in(session.expose(), NOW).await.unwrap();
    assert_eq!(signed_in.user.profile.nickname, "新");
    assert_eq!(signed_in.user.phone.as_ref(), Some(&phone));
    sign_in(&w, &phone, by_password("a long password"), NOW)
        .await
        .unwrap();
}

#[tokio::test]
async fn signing_up_a_number_that_has_an_account_signs_in_to_it_unchanged() {
    let w = World::new().await;
    let before = w.user(&w.mei).await;
    let digits = passcode(&w, &w.mei.phone, Scene::SignUp, NOW).await;
    let account = new_account(&w.mei.phone, &digits, Some("the thief's password"));
    let session = w.engine.sign_up(account, HERE, NOW).await.unwrap();
    assert_eq!(
        w.store.change(),
        ["amend passcode", "issue session", "event session.began"]
    );
    assert_eq!(
        w.signed_in(session.expose(), NOW).await.unwrap().user,
        before
    );
    assert_eq!(w.user(&w.mei).await, before);
    sign_in(&w, &w.mei.phone, by_password(w.mei.password), NOW)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_unfit_account_is_refused_before_anything_is_counted_or_hashed() {
    let w = World::new().await;
    let phone = unknown();
    let digits = passcode(&w, &phone, Scene::SignUp, NOW).await;
    let hashed = w.hasher.hashed.load(Ordering::SeqCst);
    for _ in 0..20 {
        let named = |nickname: &str, password: Option<&str>| SignUp {
            nickname: nickname.into(),
            ..new_account(&phone, &digits, password)
        };
        for (account, refusal) in [
            (named("", None), Refusal::ProfileUnfit("nickname")),
            (named("a\u{7}", None), Refusal::ProfileUnfit("nickname")),
            (
                named(&"x".repeat(65), None),
                Refusal::ProfileUnfit("nickname"),
            ),
            (named("x", Some("short")), Refusal::PasswordUnfit),
            (named("x", Some("13900000009")), Refusal::PasswordUnfit),
        ] {
            assert_eq!(refused(w.engine.sign_up(account, HERE, NOW).await), refusal);
        }
    }
    assert_eq!(w.hasher.hashed.load(Ordering::SeqCst), hashed);
    assert!(w.store.changes().is_empty());
    w.engine
        .sign_up(new_account(&phone, &digits, None), HERE, NOW)
        .await
        .unwrap();
}

#[tokio::test]
async fn guessing_at_a_sign_up_is_limited_and_makes_no_account() {
    let w = World::new().await;
    let phone = unknown();
    let digits = passcode(&w, &phone, Scene::SignUp, NOW).await;
    let hashed = w.hasher.hashed.load(Ordering::SeqCst);
    let mut waits = 0;
    for _ in 0..15 {
        let account = new_account(&phone, &wrong(&digits), Some("a long password"));
        match refused(w.engine.sign_up(account, HERE, NOW).await) {
            Refusal::WrongCredentials => {}
            Refusal::TooManyFailures(_) => waits += 1,
            refusal => panic!("{refusal}"),
        }
    }
    assert_eq!(waits, 5);
    let hashed = w.hasher.hashed.load(Ordering::SeqCst) - hashed;
    assert_eq!(hashed, 10, "who waits does not make us hash");
    assert_eq!(w.store.changes().len(), 5, "five tries of the passcode");
    let handle = Handle::Phone(phone);
    assert!(
        w.store
            .user(UserKey::Handle(&handle))
            .await
            .unwrap()
            .is_none()
    );
}

// --- passwords ------------------------------------------------------------------------------

#[tokio::test]
async fn a_reset_ends_every_other_session_within_a_millisecond_too() {
    let w = World::new().await;
    let old = w.sign_in(&w.mei, NOW).await;
    let future = w.sign_in(&w.mei, at(DAY)).await;
    let weis = w.sign_in(&w.wei, NOW).await;
    let code = Secret::new(passcode(&w, &w.mei.phone, Scene::Reset, NOW).await);
    let fresh = Secret::new("a new password");
    let session = w
        .engine
        .reset_password(&w.mei.phone, &code, fresh, HERE, NOW)
        .await
        .unwrap();
    assert_eq!(
        w.store.change(),
        [
            "amend passcode",
            "put user",
            "event password.changed",
            "issue session",
            "event session.began"
        ]
    );
    for dead in [&old, &future] {
        assert!(w.signed_in(dead, NOW).await.is_none());
        assert!(w.signed_in(dead, at(DAY)).await.is_none());
    }
    assert!(w.signed_in(session.expose(), NOW).await.is_some());
    assert!(w.signed_in(&weis, NOW).await.is_some());
    assert_eq!(w.user(&w.mei).await.password_changed_at, Some(NOW));
    let outcome = sign_in(&w, &w.mei.phone, by_password(w.mei.password), NOW).await;
    assert_eq!(refused(outcome), Refusal::WrongCredentials);
    sign_in(&w, &w.mei.phone, by_password("a new password"), NOW)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_reset_needs_a_fit_password_and_an_account() {
    let w = World::new().await;
    let code = Secret::new(passcode(&w, &w.mei.phone, Scene::Reset, NOW).await);
    let reset = async |phone: &Phone, code: &Secret, password: &str| {
        w.engine
            .reset_password(phone, code, Secret::new(password), HERE, NOW)
            .await
    };
    assert_eq!(
        refused(reset(&w.mei.phone, &code, "short").await),
        Refusal::PasswordUnfit
    );
    assert!(w.store.changes().is_empty());
    let wrong = Secret::new(wrong(code.expose()));
    let outcome = reset(&w.mei.phone, &wrong, "a new password").await;
    assert_eq!(refused(outcome), Refusal::WrongCredentials);
    send(&w, &unknown(), Scene::Reset, NOW).await.unwrap();
    let outcome = reset(&unknown(), &Secret::new("000000"), "a new password").await;
    assert_eq!(refused(outcome), Refusal::WrongCredentials);
    reset(&w.mei.phone, &code, "a new password").await.unwrap();
}

#[tokio::test]
async fn a_changed_password_needs_the_current_one_and_begins_a_new_session() {
    let w = World::new().await;
    let (here, there) = (w.sign_in(&w.mei, NOW).await, w.sign_in(&w.mei, NOW).await);
    let signed_in = w.signed_in(&here, NOW).await.unwrap();
    let change = async |current: &str, fresh: &str| {
        let (current, fresh) = (Secret::new(current), Secret::new(fresh));
        w.engine
            .change_password(&signed_in, current, fresh, HERE, NOW)
            .await
    };
    assert_eq!(
        refused(change("wrong", "a new password").await),
        Refusal::WrongCredentials
    );
    assert_eq!(
        refused(change(w.mei.password, "short").await),
        Refusal::PasswordUnfit
    );
    assert!(w.store.changes().is_empty());
    let session = change(w.mei.password, "a new password").await.unwrap();
    assert_eq!(
        w.store.change(),
        [
            "put user",
            "event password.changed",
            "issue session",
            "event session.began"
        ]
    );
    for dead in [&here, &there] {
        assert!(w.signed_in(dead, NOW).await.is_none());
    }
    assert!(w.signed_in(session.expose(), NOW).await.is_some());
    // What was read before the change proves nothing any more.
    let again = change(w.mei.password, "another password").await;
    assert_eq!(refused(again), Refusal::WrongCredentials);
    assert!(w.store.changes().is_empty());
    sign_in(&w, &w.mei.phone, by_password("a new password"), NOW)
        .await
        .unwrap();
}

#[tokio::test]
async fn guessing_the_current_password_is_limited() {
    let w = World::new().await;
    let session = w.sign_in(&w.mei, NOW).await;
    let signed_in = w.signed_in(&session, NOW).await.unwrap();
    let mut refusals = Vec::new();
    for _ in 0..11 {
        let (current, fresh) = (Secret::new("wrong"), Secret::new("a new password"));
        let outcome = w
            .engine
            .change_password(&signed_in, current, fresh, HERE, NOW)
            .await;
        refusals.push(refused(outcome));
    }
    assert_eq!(
        refusals.pop(),
        Some(Refusal::TooManyFailures(Lifetime::seconds(60)))
    );
    assert!(
        refusals
            .iter()
            .all(|refusal| *refusal == Refusal::WrongCredentials)
    );
}

// --- sessions -------------------------------------------------------------------------------

#[tokio::test]
async fn signing_out_ends_this_session_only() {
    let w = World::new().await;
    let (here, there) = (w.sign_in(&w.mei, NOW).await, w.sign_in(&w.mei, NOW).await);
    w.engine.sign_out(Some(&here), NOW).await.unwrap();
    assert_eq!(w.store.change(), ["revoke session", "event session.ended"]);
    assert!(w.signed_in(&here, NOW).await.is_none());
    assert!(w.signed_in(&there, NOW).await.is_some());
    for cookie in [Some(here.as_str()), None, Some("x")] {
        w.engine.sign_out(cookie, NOW).await.unwrap();
    }
    assert!(w.store.changes().is_empty(), "nothing left to end");
}

#[tokio::test]
async fn signing_out_everywhere_ends_all_and_the_next_one_lives_at_once() {
    let w = World::new().await;
    let old = w.sign_in(&w.mei, NOW).await;
    let future = w.sign_in(&w.mei, at(1)).await;
    let weis = w.sign_in(&w.wei, NOW).await;
    w.engine.sign_out_everywhere(w.mei.id, NOW).await.unwrap();
    assert_eq!(w.store.change(), ["put user", "event session.all_ended"]);
    // In the same millisecond, as under a stopped clock.
    let next = w.sign_in(&w.mei, NOW).await;
    assert!(w.signed_in(&next, NOW).await.is_some());
    for dead in [&old, &future] {
        assert!(w.signed_in(dead, at(1)).await.is_none());
    }
    w.engine.sign_out_everywhere(w.mei.id, NOW).await.unwrap();
    assert!(w.signed_in(&next, NOW).await.is_none());
    assert!(w.signed_in(&weis, NOW).await.is_some());
}

#[tokio::test]
async fn who_is_gone_or_going_cannot_sign_in_and_is_not_signed_in() {
    let w = World::new().await;
    let mut user = User::clone(&*w.user(&w.mei).await);
    for status in [
        UserStatus::Deleting(at(DAY)),
        UserStatus::Deleted,
        UserStatus::Merged(w.wei.id),
    ] {
        let session = w.sign_in(&w.mei, NOW).await;
        let tokens = w.tokens(&w.page, &w.mei, NOW).await;
        let mut put = async |status| {
            user.status = status;
            user.version += 1;
            let put = Change::Put(Record::User(user.clone()));
            w.store.commit(vec![put]).await.unwrap();
        };
        put(status).await;
        assert!(w.signed_in(&session, at(1)).await.is_none());
        let proof = by_password(w.mei.password);
        let outcome = sign_in(&w, &w.mei.phone, proof, at(1)).await;
        assert_eq!(refused(outcome), Refusal::UserRestricted, "{status:?}");
        let refresh = tokens.refresh.as_ref().unwrap();
        let outcome = w.refresh(&w.page, refresh, at(1)).await;
        assert_eq!(refused(outcome), Refusal::UserRestricted, "{status:?}");
        // Not an operator's switch.
        let back = w.engine.set_user_status(w.mei.id, UserStatus::Active, NOW);
        assert_eq!(refused(back.await), Refusal::NotSignedIn);
        put(UserStatus::Active).await;
    }
}

#[tokio::test]
async fn a_session_lives_on_with_use_and_is_written_once_in_a_tenth() {
    let w = World::new().await;
    let week = 7 * DAY;
    let session = w.sign_in(&w.mei, NOW).await;
    let tenth = week / 10;
    assert!(w.signed_in(&session, at(tenth)).await.is_some());
    assert!(
        w.store.changes().is_empty(),
        "a tenth is not more than a tenth"
    );
    assert!(w.signed_in(&session, at(tenth + 1)).await.is_some());
    assert_eq!(w.store.change(), ["extend session"]);
    assert!(w.signed_in(&session, at(tenth + 2)).await.is_some());
    assert!(w.store.changes().is_empty());
    let end = tenth + 1 + week;
    assert!(
        w.signed_in(&session, at(end)).await.is_none(),
        "idle for a week"
    );
    let unused = w.sign_in(&w.mei, NOW).await;
    assert!(w.signed_in(&unused, at(week)).await.is_none());
    let unused = w.sign_in(&w.mei, NOW).await;
    assert!(w.signed_in(&unused, at(week - 1)).await.is_some());
}

#[tokio::test]
async fn no_use_carries_a_session_past_its_absolute_end() {
    let w = World::new().await;
    let session = w.sign_in(&w.mei, NOW).await;
    for day in 1..30 {
        assert!(
            w.signed_in(&session, at(day * DAY)).await.is_some(),
            "day {day}"
        );
    }
    assert!(w.signed_in(&session, at(30 * DAY - 1)).await.is_some());
    assert!(w.signed_in(&session, at(30 * DAY)).await.is_none());
    let extended = w.store.changes();
    assert!(extended.len() <= 29 && extended.iter().all(|list| *list == ["extend session"]));
}

#[tokio::test]
async fn a_session_works_though_its_extension_could_not_be_written() {
    let w = World::new().await;
    let session = w.sign_in(&w.mei, NOW).await;
    w.store.forecast(&[Weather::Failed]);
    assert!(w.signed_in(&session, at(3 * DAY)).await.is_some());
    assert!(w.store.changes().is_empty());
}

// --- my account -----------------------------------------------------------------------------

#[tokio::test]
async fn a_profile_within_its_limits_is_saved_and_nothing_else_changes() {
    let w = World::new().await;
    let before = w.user(&w.mei).await;
    let profile = Profile {
        nickname: "é 梅 🐟".into(),
        avatar: "https://img.example.com/1/132".into(),
        sex: Sex::Female,
        province: "湖南".into(),
        city: "长沙".into(),
        country: "CN".into(),
        language: "zh_CN".into(),
    };
    w.engine
        .save_profile(w.mei.id, profile.clone(), NOW)
        .await
        .unwrap();
    assert_eq!(w.store.change(), ["put user", "event profile.changed"]);
    let after = w.user(&w.mei).await;
    assert_eq!(after.profile, profile);
    assert_eq!(
        (after.version, after.sessions_from),
        (before.version + 1, before.sessions_from)
    );
    assert_eq!(after.password, before.password);
}

#[tokio::test]
async fn a_profile_beyond_its_limits_names_the_field_and_is_not_saved() {
    let w = World::new().await;
    let fit = Profile {
        nickname: "x".into(),
        ..Profile::default()
    };
    let long = "x".repeat(65);
    for (profile, field) in [
        (
            Profile {
                nickname: " ".into(),
                ..fit.clone()
            },
            "nickname",
        ),
        (
            Profile {
                nickname: long.clone(),
                ..fit.clone()
            },
            "nickname",
        ),
        (
            Profile {
                avatar: "javascript:alert(1)".into(),
                ..fit.clone()
            },
            "avatar",
        ),
        (
            Profile {
                avatar: format!("https://{}", "x".repeat(505)),
                ..fit.clone()
            },
            "avatar",
        ),
        (
            Profile {
                province: long.clone(),
                ..fit.clone()
            },
            "province",
        ),
        (
            Profile {
                city: "a\nb".into(),
                ..fit.clone()
            },
            "city",
        ),
        (
            Profile {
                country: long.clone(),
                ..fit.clone()
            },
            "country",
        ),
        (
            Profile {
                language: "x".repeat(17),
                ..fit.clone()
            },
            "language",
        ),
    ] {
        let outcome = w.engine.save_profile(w.mei.id, profile, NOW).await;
        assert_eq!(refused(outcome), Refusal::ProfileUnfit(field));
    }
    assert!(w.store.changes().is_empty());
    let nobody = yufu_core::id::UserId(yufu_core::id::Number(1));
    let outcome = w.engine.save_profile(nobody, fit, NOW).await;
    assert_eq!(refused(outcome), Refusal::NotSignedIn);
    let outcome = w.engine.sign_out_everywhere(nobody, NOW).await;
    assert_eq!(refused(outcome), Refusal::NotSignedIn);
}

#[tokio::test]
async fn the_apps_a_user_authorized_are_listed_newest_first_until_revoked() {
    let w = World::new().await;
    w.tokens(&w.page, &w.mei, NOW).await;
    w.tokens(&w.site, &w.mei, at(1)).await;
    w.tokens(&w.other, &w.wei, at(2)).await;
    let names = async || {
        let apps = w.engine.authorized(w.mei.id).await.unwrap();
        let line = |(_, client, developer): &_| {
            let (client, developer): (&std::sync::Arc<_>, &std::sync::Arc<_>) = (client, developer);
            named(client, developer)
        };
        apps.iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["Site by North", "Page by North"]);
    let site = w.grant(&w.mei, &w.site).await.unwrap().id;
    w.engine.revoke_grant(w.mei.id, site, at(3)).await.unwrap();
    assert_eq!(names().await, ["Page by North"]);
}

fn named(client: &yufu_core::client::Client, developer: &yufu_core::client::Developer) -> String {
    format!("{} by {}", client.name, developer.name)
}

#[tokio::test]
async fn strangers_elsewhere_do_not_lock_somebody_out_at_once() {
    let settings = Settings {
        account_failures: Rate {
            burst: 3,
            each: Lifetime::minutes(1),
        },
        account_failures_all: Rate {
            burst: 5,
            each: Lifetime::minutes(1),
        },
        ..Settings::default()
    };
    let w = World::with(settings).await;
    let phone = &w.mei.phone;
    let attempt = async |password: &str, address: &str| {
        let proof = Proof::Password(Secret::new(password));
        w.engine.sign_in(phone, proof, address, NOW).await
    };
    for _ in 0..3 {
        let refusal = refused(attempt("no", "198.51.100.1").await);
        assert_eq!(refusal, Refusal::WrongCredentials);
    }
    let waits = |refusal: Refusal| matches!(refusal, Refusal::TooManyFailures(_));
    assert!(waits(refused(attempt("no", "198.51.100.1").await)));
    attempt(w.mei.password, "192.0.2.1").await.unwrap();
    // Together they have a bound too.
    for address in ["198.51.100.2", "198.51.100.3"] {
        assert_eq!(
            refused(attempt("no", address).await),
            Refusal::WrongCredentials
        );
    }
    assert!(waits(refused(attempt(w.mei.password, "192.0.2.1").await)));
}
