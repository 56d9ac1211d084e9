//! A store that fails: nothing is burnt, nothing is paid twice, nobody is told a lie.

use yufu_core::engine::{Proof, SignUp};
use yufu_core::message::{Act, Step};
use yufu_core::refusal::Refusal;
use yufu_core::secret::Secret;
use yufu_core::store::Browse;
use yufu_core::ticket::Scene;
use yufu_core::user::Phone;

use crate::world::*;

const LOST: [Weather; 2] = [Weather::Failed, Weather::UnknownLost];

#[tokio::test]
async fn a_failed_exchange_never_burns_the_code() {
    for weather in LOST {
        let w = World::new().await;
        let code = w.code(&w.site, &w.mei, NOW).await;
        for _ in 0..3 {
            w.store.forecast(&[weather]);
            failed(w.exchange(&w.site, &code, NOW).await);
            assert!(w.store.changes().is_empty(), "tried once, applied never");
        }
        w.exchange(&w.site, &code, NOW).await.unwrap();
    }
}

#[tokio::test]
async fn an_exchange_of_unknown_outcome_answers_what_the_store_knows() {
    let w = World::new().await;
    let code = w.code(&w.site, &w.mei, NOW).await;
    w.store.forecast(&[Weather::UnknownApplied]);
    let tokens = w.exchange(&w.site, &code, NOW).await.unwrap();
    w.profile(&tokens.access, NOW).await.unwrap();
    w.refresh(&w.site, tokens.refresh.as_ref().unwrap(), NOW)
        .await
        .unwrap();
    let again = w.exchange(&w.site, &code, NOW).await;
    assert_eq!(refused(again), Refusal::SpentCode);
}

#[tokio::test]
async fn an_exchange_whose_outcome_stays_unknown_is_busy_and_pays_no_second_time() {
    let w = World::new().await;
    let code = w.code(&w.site, &w.mei, NOW).await;
    w.store.forecast(&[Weather::UnknownBlind]);
    failed(w.exchange(&w.site, &code, NOW).await);
    assert_eq!(w.store.changes().len(), 1);
    w.store.forecast(&[]);
    let again = w.exchange(&w.site, &code, NOW).await;
    assert_eq!(refused(again), Refusal::SpentCode);
}

#[tokio::test]
async fn a_mini_login_is_treated_like_an_exchange() {
    let w = World::new().await;
    let code = w
        .engine
        .issue_mini_code(&w.page.id, w.mei.id, NOW)
        .await
        .unwrap();
    let request = token_request(&w.page, by_code(&code, None));
    for weather in LOST {
        w.store.forecast(&[weather]);
        failed(w.engine.mini_login(&request, HERE, NOW).await);
    }
    w.store.forecast(&[Weather::UnknownApplied]);
    w.engine.mini_login(&request, HERE, NOW).await.unwrap();
    let again = w.engine.mini_login(&request, HERE, NOW).await;
    assert_eq!(refused(again), Refusal::SpentCode);
}

#[tokio::test]
async fn rows_of_somebody_else_are_not_taken_for_ones_own() {
    let w = World::new().await;
    let taken = || w.store.forecast(&[Weather::UnknownTaken]);
    let code = w.code(&w.site, &w.mei, NOW).await;
    taken();
    failed(w.exchange(&w.site, &code, NOW).await);
    w.exchange(&w.site, &code, NOW).await.unwrap();
    taken();
    failed(w.client_token(&w.mobile, NOW).await);
    taken();
    let sent = w
        .engine
        .send_passcode(&w.mei.phone, Scene::SignIn, HERE, NOW)
        .await;
    failed(sent);
    assert_eq!(w.letters().await, 0);
    taken();
    failed(w.begin(scan_request(&w.site), &stranger("b"), NOW).await);
}

#[tokio::test]
async fn a_number_in_use_is_a_lost_race_and_drawn_anew() {
    let w = World::new().await;
    let code = w.code(&w.site, &w.mei, NOW).await;
    w.store.forecast(&[Weather::Exists; 5]);
    let tokens = w.exchange(&w.site, &code, NOW).await.unwrap();
    w.store.forecast(&[Weather::Exists]);
    w.engine.revoke_secret(&tokens.access, NOW).await.unwrap();
    w.store.forecast(&[Weather::Exists]);
    w.engine.create_developer("East", NOW).await.unwrap();
    let draft = draft(
        w.developers[0],
        yufu_core::client::ClientKind::Website,
        "New",
        true,
    );
    w.store.forecast(&[Weather::Exists]);
    w.engine.create_client(draft, NOW).await.unwrap();
    w.store.forecast(&[Weather::Exists]);
    w.engine
        .send_passcode(&w.mei.phone, Scene::SignIn, HERE, NOW)
        .await
        .unwrap();
    assert_eq!(w.letters().await, 1);
    let session = w.sign_in(&w.mei, NOW).await;
    w.store.forecast(&[Weather::Exists]);
    let asked = w
        .begin(
            page_request(&w.page, "snsapi_userinfo"),
            &user(&session),
            NOW,
        )
        .await;
    let asked = consent(asked.unwrap());
    w.store.forecast(&[Weather::Exists]);
    let step = w
        .act(
            asked.interaction.expose(),
            Act::Approve,
            &user(&session),
            NOW,
        )
        .await;
    code_of(step.unwrap());
    w.store.forecast(&[Weather::Exists]);
    w.engine.sign_out(Some(&session), NOW).await.unwrap();
    assert!(w.signed_in(&session, NOW).await.is_none());
}

#[tokio::test]
async fn an_event_is_drawn_anew_in_each_round_of_every_list() {
    // A store where a row of the same number exists for good refuses the same list for ever.
    let w = World::new().await;
    let before = w.store.events(1000).await.unwrap().len();
    let session = w.sign_in(&w.mei, NOW).await;
    w.store.forecast(&[Weather::Exists; 20]);
    w.engine.sign_out(Some(&session), NOW).await.unwrap();
    assert_eq!(w.store.events(1000).await.unwrap().len(), before + 2);
}

#[tokio::test]
async fn a_store_that_never_agrees_is_our_fault_and_ends() {
    let w = World::new().await;
    let code = w.code(&w.site, &w.mei, NOW).await;
    w.store.forecast(&[Weather::Exists; 1000]);
    failed(w.exchange(&w.site, &code, NOW).await);
    w.store.forecast(&[]);
    w.exchange(&w.site, &code, NOW).await.unwrap();
}

#[tokio::test]
async fn a_failed_yes_can_be_said_again() {
    for weather in LOST {
        let w = World::new().await;
        let session = w.sign_in(&w.mei, NOW).await;
        let request = page_request(&w.page, "snsapi_userinfo");
        let asked = consent(w.begin(request, &user(&session), NOW).await.unwrap());
        let secret = asked.interaction.expose();
        w.store.lists();
        for act in [Act::Approve, Act::Deny, Act::Cancel] {
            w.store.forecast(&[weather]);
            failed(w.act(secret, act, &user(&session), NOW).await);
        }
        assert!(w.store.changes().is_empty());
        assert!(w.grant(&w.mei, &w.page).await.is_none());
        code_of(
            w.act(secret, Act::Approve, &user(&session), NOW)
                .await
                .unwrap(),
        );
    }
}

#[tokio::test]
async fn a_yes_of_unknown_outcome_is_read_back() {
    let w = World::new().await;
    let session = w.sign_in(&w.mei, NOW).await;
    let request = page_request(&w.page, "snsapi_userinfo");
    let asked = consent(w.begin(request, &user(&session), NOW).await.unwrap());
    w.store.forecast(&[Weather::UnknownApplied]);
    let step = w
        .act(
            asked.interaction.expose(),
            Act::Approve,
            &user(&session),
            NOW,
        )
        .await;
    w.exchange(&w.page, &code_of(step.unwrap()), NOW)
        .await
        .unwrap();

    let uuid = w.scan(&w.site, "desk", NOW).await;
    let interaction = w.open(&uuid, &session, NOW).await;
    w.store.forecast(&[Weather::UnknownApplied]);
    let step = w
        .act(&interaction, Act::Approve, &user(&session), NOW)
        .await;
    assert!(
        matches!(step, Ok(Step::ScanAnswered { allowed: true, .. })),
        "{step:?}"
    );
    w.store.forecast(&[Weather::UnknownApplied]);
    let code = paid(w.poll(&uuid, Some("desk"), NOW).await);
    assert!(paid(w.poll(&uuid, Some("desk"), NOW).await) == code);
    w.exchange(&w.site, &code, NOW).await.unwrap();

    let grant = w.grant(&w.mei, &w.site).await.unwrap().id;
    w.store.forecast(&[Weather::UnknownLost]);
    failed(w.engine.revoke_grant(w.mei.id, grant, NOW).await);
    w.store.forecast(&[Weather::UnknownApplied]);
    w.engine.revoke_grant(w.mei.id, grant, NOW).await.unwrap();
    assert!(w.grant(&w.mei, &w.site).await.is_none());
}

#[tokio::test]
async fn a_failed_poll_leaves_the_code_to_the_next() {
    for weather in LOST {
        let w = World::new().await;
        let session = w.sign_in(&w.mei, NOW).await;
        let uuid = w.scan(&w.site, "desk", NOW).await;
        let interaction = w.open(&uuid, &session, NOW).await;
        w.act(&interaction, Act::Approve, &user(&session), NOW)
            .await
            .unwrap();
        let request = yufu_core::message::PollRequest {
            uuid: Secret::new(uuid.clone()),
            last: None,
        };
        w.store.forecast(&[weather]);
        failed(w.engine.poll(&request, Some("desk"), NOW).await);
        let code = paid(w.poll(&uuid, Some("desk"), NOW).await);
        w.exchange(&w.site, &code, NOW).await.unwrap();
    }
}

#[tokio::test]
async fn a_failed_refresh_changes_nothing_and_an_unknown_one_is_read_back() {
    let w = World::new().await;
    let tokens = w.tokens(&w.site, &w.mei, NOW).await;
    let refresh = tokens.refresh.as_ref().unwrap();
    for weather in LOST {
        for now in [at(1), at(7200)] {
            w.store.forecast(&[weather]);
            failed(w.refresh(&w.site, refresh, now).await);
        }
    }
    assert!(w.store.changes().is_empty());
    w.store.forecast(&[Weather::UnknownApplied]);
    let renewed = w.refresh(&w.site, refresh, at(7200)).await.unwrap();
    let again = w.refresh(&w.site, refresh, at(7201)).await.unwrap();
    assert!(renewed.access == again.access);
    w.profile(&again.access, at(7201)).await.unwrap();
}

#[tokio::test]
async fn a_failed_sign_up_leaves_the_passcode_good() {
    let w = World::new().await;
    let phone = Phone::parse("13900000009").unwrap();
    w.engine
        .send_passcode(&phone, Scene::SignUp, HERE, NOW)
        .await
        .unwrap();
    let digits = w.letter().await.passcode;
    let account = || SignUp {
        phone: phone.clone(),
        passcode: Secret::new(digits.clone()),
        nickname: "x".into(),
        password: None,
    };
    let before = w.store.users(100).await.unwrap().len();
    for weather in LOST {
        w.store.forecast(&[weather]);
        failed(w.engine.sign_up(account(), HERE, NOW).await);
    }
    assert_eq!(w.store.users(100).await.unwrap().len(), before);
    w.store.forecast(&[Weather::UnknownApplied]);
    let session = w.engine.sign_up(account(), HERE, NOW).await.unwrap();
    assert!(w.signed_in(session.expose(), NOW).await.is_some());
    assert_eq!(w.store.users(100).await.unwrap().len(), before + 1);
}

#[tokio::test]
async fn a_wrong_passcode_that_could_not_be_counted_is_not_judged() {
    // Else a full disk would give an attacker as many tries as they like.
    let w = World::new().await;
    w.engine
        .send_passcode(&w.mei.phone, Scene::SignIn, HERE, NOW)
        .await
        .unwrap();
    let digits = w.letter().await.passcode;
    let wrong = if digits == "000000" {
        "000001"
    } else {
        "000000"
    };
    for _ in 0..50 {
        w.store.forecast(&[Weather::Failed]);
        let proof = Proof::Passcode(Secret::new(wrong));
        failed(w.engine.sign_in(&w.mei.phone, proof, HERE, NOW).await);
    }
    let proof = Proof::Passcode(Secret::new(digits));
    w.store.forecast(&[]);
    w.engine
        .sign_in(&w.mei.phone, proof, HERE, NOW)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_scan_that_could_not_be_begun_spends_no_nonce() {
    let w = World::new().await;
    let token = w.client_token(&w.mobile, NOW).await.unwrap();
    let ticket = w
        .engine
        .platform_ticket(&token.access, NOW)
        .await
        .unwrap()
        .ticket;
    let text = format!(
        "appid={}&noncestr=n&sdk_ticket={}&timestamp=1800000000",
        w.mobile.id,
        ticket.expose()
    );
    let algorithm = &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY;
    let digest = aws_lc_rs::digest::digest(algorithm, text.as_bytes());
    let signed = yufu_core::message::ScanSignature {
        nonce: "n".into(),
        timestamp: "1800000000".into(),
        signature: yufu_core::keyring::hex(digest.as_ref()),
    };
    let request = || signed_request(&w.mobile, signed.clone());
    for weather in LOST {
        w.store.forecast(&[weather]);
        failed(w.begin(request(), &stranger("b"), NOW).await);
    }
    w.store.forecast(&[Weather::UnknownApplied]);
    shown(w.begin(request(), &stranger("b"), NOW).await.unwrap());
    let again = w.begin(request(), &stranger("b"), NOW).await;
    assert_eq!(refused(again), Refusal::NonceUsed);
}
