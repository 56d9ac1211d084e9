//! Scans: two screens, one uuid that everybody can see, and a code that only one may have.

use yufu_core::client::Review;
use yufu_core::message::{Act, PollAnswer, PollRequest, PollState, ScanSignature, Step, Visitor};
use yufu_core::refusal::{Refusal, Stop};
use yufu_core::secret::Secret;
use yufu_core::store::Browse;
use yufu_core::time::{Lifetime, Timestamp};

use crate::world::*;

const DESK: Option<&str> = Some("desk");

async fn state(w: &World, uuid: &str, browser: Option<&str>, now: Timestamp) -> PollState {
    state_of(w.poll(uuid, browser, now).await)
}

async fn approve(
    w: &World,
    interaction: &str,
    session: &str,
    now: Timestamp,
) -> Result<Step, Stop> {
    w.act(interaction, Act::Approve, &user(session), now).await
}

#[tokio::test]
async fn who_only_looks_at_a_scan_is_told_how_it_stands_and_pays_nothing() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    // Anybody who polls this one has its code.
    w.set(&w.site, |policy| policy.public_scan = true).await;
    let uuid = w.scan(&w.site, "desk", NOW).await;
    let looks = async |now| w.engine.scan_state(&uuid, now).await.unwrap();
    assert_eq!(looks(NOW).await, PollState::Waiting);
    let interaction = w.open(&uuid, &mei, NOW).await;
    assert_eq!(looks(NOW).await, PollState::Scanned);
    w.act(&interaction, Act::Cancel, &user(&mei), NOW)
        .await
        .unwrap();
    assert_eq!(looks(NOW).await, PollState::Cancelled);
    let interaction = w.open(&uuid, &mei, NOW).await;
    approve(&w, &interaction, &mei, NOW).await.unwrap();
    w.store.lists();
    assert_eq!(looks(NOW).await, PollState::Confirmed);
    assert!(w.store.changes().is_empty());
    paid(w.poll(&uuid, None, NOW).await);
    assert_eq!(looks(NOW).await, PollState::Confirmed);
    assert_eq!(looks(at(3600)).await, PollState::Expired);
    let none = w.engine.scan_state("no scan", NOW).await.unwrap();
    assert_eq!(none, PollState::Expired);
}

#[tokio::test]
async fn a_scan_goes_from_waiting_over_scanned_and_approved_to_its_code() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    let step = w.begin(scan_request(&w.site), &stranger("desk"), NOW).await;
    let shown = shown(step.unwrap());
    assert_eq!(w.store.change(), ["issue scan"]);
    assert_eq!(shown.life, Lifetime::minutes(5));
    assert_eq!(shown.state.as_deref(), Some("s 1"));
    assert_eq!(
        shown.return_path.unwrap().as_str(),
        "https://www.example.com/cb?x=1#top"
    );
    let uuid = shown.uuid.expose();
    assert!(uuid.len() == 16 && uuid.bytes().all(|b| b.is_ascii_alphanumeric()));
    assert_eq!(state(&w, uuid, DESK, NOW).await, PollState::Waiting);
    w.engine.check_scan(uuid, NOW).await.unwrap();
    assert!(w.store.changes().is_empty(), "polls change nothing");

    let asked = consent(w.engine.open_scan(uuid, &user(&mei), at(10)).await.unwrap());
    assert_eq!(w.store.changes(), [["amend scan"], ["issue interaction"]]);
    assert!(asked.on_phone && asked.return_path.is_none());
    assert_eq!(state(&w, uuid, DESK, at(11)).await, PollState::Scanned);

    let step = approve(&w, asked.interaction.expose(), &mei, at(12))
        .await
        .unwrap();
    let Step::ScanAnswered {
        allowed: true,
        scan,
    } = step
    else {
        panic!("{step:?}")
    };
    assert_eq!(
        Ok(scan),
        w.engine.scan_number(uuid),
        "it names itself, to wake its pollers"
    );
    assert_eq!(
        w.store.change(),
        [
            "put unionid",
            "put openid",
            "put grant",
            "event grant.given",
            "take interaction",
            "amend scan"
        ]
    );
    let code = paid(w.poll(uuid, DESK, at(13)).await);
    assert_eq!(w.store.change(), ["amend scan", "issue code"]);
    let tokens = w.exchange(&w.site, &code, at(14)).await.unwrap();
    assert_eq!(tokens.scopes, scopes("snsapi_login"));
}

#[tokio::test]
async fn the_code_is_said_again_for_a_minute_and_then_the_scan_is_over() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    let uuid = w.scan(&w.site, "desk", NOW).await;
    let interaction = w.open(&uuid, &mei, NOW).await;
    approve(&w, &interaction, &mei, NOW).await.unwrap();
    let code = paid(w.poll(&uuid, DESK, at(5)).await);
    w.store.lists();
    for second in [5, 6, 64] {
        assert!(paid(w.poll(&uuid, DESK, at(second)).await) == code);
    }
    assert!(w.store.changes().is_empty());
    assert_eq!(state(&w, &uuid, DESK, at(65)).await, PollState::Expired);
    // The code itself lives its ten minutes.
    w.exchange(&w.site, &code, at(300)).await.unwrap();
}

#[tokio::test]
async fn a_thief_of_the_uuid_sees_the_scan_move_and_never_its_code() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    let uuid = w.scan(&w.site, "desk", NOW).await;
    let thieves = [None, Some(""), Some("thief"), Some(mei.as_str())];
    for thief in thieves {
        assert_eq!(state(&w, &uuid, thief, NOW).await, PollState::Waiting);
    }
    let interaction = w.open(&uuid, &mei, NOW).await;
    for thief in thieves {
        assert_eq!(state(&w, &uuid, thief, NOW).await, PollState::Scanned);
    }
    approve(&w, &interaction, &mei, NOW).await.unwrap();
    w.store.lists();
    for thief in thieves {
        assert_eq!(
            state(&w, &uuid, thief, NOW).await,
            PollState::Scanned,
            "before payment"
        );
    }
    assert!(w.store.changes().is_empty(), "no thief makes a code");
    let code = paid(w.poll(&uuid, DESK, NOW).await);
    for thief in thieves {
        assert_eq!(
            state(&w, &uuid, thief, NOW).await,
            PollState::Scanned,
            "after payment"
        );
        assert_eq!(state(&w, &uuid, thief, at(61)).await, PollState::Expired);
    }
    w.exchange(&w.site, &code, NOW).await.unwrap();
}

#[tokio::test]
async fn a_public_scan_pays_whoever_knows_the_uuid() {
    let w = World::new().await;
    w.set(&w.site, |policy| policy.public_scan = true).await;
    let mei = w.sign_in(&w.mei, NOW).await;
    let uuid = w.scan(&w.site, "desk", NOW).await;
    let interaction = w.open(&uuid, &mei, NOW).await;
    approve(&w, &interaction, &mei, NOW).await.unwrap();
    let code = paid(w.poll(&uuid, None, NOW).await);
    assert!(paid(w.poll(&uuid, Some("thief"), NOW).await) == code);
}

#[tokio::test]
async fn a_scan_begun_before_a_setting_changed_keeps_its_owner() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    let uuid = w.scan(&w.site, "desk", NOW).await;
    w.set(&w.site, |policy| policy.public_scan = true).await;
    let interaction = w.open(&uuid, &mei, NOW).await;
    approve(&w, &interaction, &mei, NOW).await.unwrap();
    assert_eq!(state(&w, &uuid, None, NOW).await, PollState::Scanned);
}

#[tokio::test]
async fn a_cancelled_scan_can_be_scanned_again_and_approved() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    for act in [Act::Cancel, Act::Deny] {
        let uuid = w.scan(&w.site, "desk", NOW).await;
        let first = w.open(&uuid, &mei, at(1)).await;
        w.store.lists();
        let step = w.act(&first, act, &user(&mei), at(2)).await.unwrap();
        assert!(matches!(step, Step::ScanAnswered { allowed: false, .. }));
        assert_eq!(w.store.change(), ["take interaction", "amend scan"]);
        assert_eq!(state(&w, &uuid, DESK, at(3)).await, PollState::Cancelled);
        assert_eq!(
            refused(approve(&w, &first, &mei, at(3)).await),
            Refusal::InteractionGone
        );

        let second = w.open(&uuid, &mei, at(4)).await;
        assert_eq!(state(&w, &uuid, DESK, at(5)).await, PollState::Scanned);
        approve(&w, &second, &mei, at(6)).await.unwrap();
        paid(w.poll(&uuid, DESK, at(7)).await);
    }
}

#[tokio::test]
async fn of_two_phones_that_open_one_scan_the_first_yes_counts() {
    let w = World::new().await;
    let (mei, wei) = (w.sign_in(&w.mei, NOW).await, w.sign_in(&w.wei, NOW).await);
    let uuid = w.scan(&w.site, "desk", NOW).await;
    let meis = w.open(&uuid, &mei, NOW).await;
    let weis = w.open(&uuid, &wei, NOW).await;
    approve(&w, &weis, &wei, NOW).await.unwrap();
    w.store.lists();
    assert_eq!(
        refused(approve(&w, &meis, &mei, NOW).await),
        Refusal::InteractionGone
    );
    assert!(w.store.changes().is_empty());
    assert!(w.grant(&w.mei, &w.site).await.is_none());
    // A late no of the other phone takes nothing back.
    let step = w.act(&meis, Act::Deny, &user(&mei), NOW).await.unwrap();
    assert!(matches!(step, Step::ScanAnswered { allowed: false, .. }));
    assert_eq!(w.store.change(), ["take interaction"]);
    let code = paid(w.poll(&uuid, DESK, NOW).await);
    let tokens = w.exchange(&w.site, &code, NOW).await.unwrap();
    assert_eq!(
        tokens.openid,
        Some(w.grant(&w.wei, &w.site).await.unwrap().openid.clone())
    );
}

#[tokio::test]
async fn one_phone_opens_a_scan_twice_and_answers_once() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    let uuid = w.scan(&w.site, "desk", NOW).await;
    let first = w.open(&uuid, &mei, NOW).await;
    w.store.lists();
    let second = w.open(&uuid, &mei, NOW).await;
    assert_eq!(w.store.change(), ["issue interaction"], "scanned already");
    approve(&w, &second, &mei, NOW).await.unwrap();
    for interaction in [&first, &second] {
        assert_eq!(
            refused(approve(&w, interaction, &mei, NOW).await),
            Refusal::InteractionGone
        );
    }
    for opened in [
        w.engine.open_scan(&uuid, &user(&mei), NOW).await,
        w.engine
            .open_scan("0123456789abcdef", &user(&mei), NOW)
            .await,
        w.engine.open_scan("short", &user(&mei), NOW).await,
    ] {
        assert_eq!(refused(opened), Refusal::InteractionGone);
    }
}

#[tokio::test]
async fn a_phone_without_a_session_signs_in_first() {
    let w = World::new().await;
    let uuid = w.scan(&w.site, "desk", NOW).await;
    let step = w.engine.open_scan(&uuid, &stranger("phone"), NOW).await;
    let asked = authenticate(step.unwrap());
    let secret = asked.interaction.expose();
    assert_eq!(state(&w, &uuid, DESK, NOW).await, PollState::Scanned);
    let mei = w.sign_in(&w.mei, NOW).await;
    let phone = Visitor {
        address: "192.0.2.1",
        session: Some(&mei),
        browser: Some("phone"),
    };
    consent(w.engine.look(secret, &phone, NOW).await.unwrap());
    let step = w.act(secret, Act::Approve, &phone, NOW).await.unwrap();
    assert!(matches!(step, Step::ScanAnswered { allowed: true, .. }));
    let none = Visitor {
        address: "192.0.2.1",
        session: Some(&mei),
        browser: None,
    };
    let opened = w.engine.open_scan(&uuid, &none, NOW).await;
    assert_eq!(refused(opened), Refusal::WrongBrowser);
}

#[tokio::test]
async fn an_expired_scan_is_over_for_every_one() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    let uuid = w.scan(&w.site, "desk", NOW).await;
    let interaction = w.open(&uuid, &mei, at(299)).await;
    w.store.lists();
    assert_eq!(state(&w, &uuid, DESK, at(300)).await, PollState::Expired);
    assert_eq!(
        refused(w.engine.check_scan(&uuid, at(300)).await),
        Refusal::InteractionGone
    );
    for act in [Act::Approve, Act::Deny, Act::Cancel] {
        let late = w.act(&interaction, act, &user(&mei), at(300)).await;
        assert_eq!(refused(late), Refusal::InteractionGone);
    }
    let opened = w.engine.open_scan(&uuid, &user(&mei), at(300)).await;
    assert_eq!(refused(opened), Refusal::InteractionGone);
    assert!(w.store.changes().is_empty());
    for unknown in ["", "0000000000000000", "é", "0123456789abcde-"] {
        assert_eq!(state(&w, unknown, DESK, NOW).await, PollState::Expired);
    }
}

#[tokio::test]
async fn a_yes_in_the_last_second_leaves_a_minute_to_fetch_the_code() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    let uuid = w.scan(&w.site, "desk", NOW).await;
    let interaction = w.open(&uuid, &mei, at(298)).await;
    approve(&w, &interaction, &mei, at(299)).await.unwrap();
    assert_eq!(state(&w, &uuid, None, at(358)).await, PollState::Scanned);
    paid(w.poll(&uuid, DESK, at(358)).await);
    paid(w.poll(&uuid, DESK, at(417)).await);
    assert_eq!(state(&w, &uuid, DESK, at(418)).await, PollState::Expired);

    let uuid = w.scan(&w.site, "desk", NOW).await;
    let interaction = w.open(&uuid, &mei, at(298)).await;
    approve(&w, &interaction, &mei, at(299)).await.unwrap();
    assert_eq!(
        state(&w, &uuid, DESK, at(359)).await,
        PollState::Expired,
        "not fetched in time"
    );
}

#[tokio::test]
async fn a_yes_taken_back_before_the_poll_pays_nothing() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    let uuid = w.scan(&w.site, "desk", NOW).await;
    let interaction = w.open(&uuid, &mei, NOW).await;
    approve(&w, &interaction, &mei, NOW).await.unwrap();
    let grant = w.grant(&w.mei, &w.site).await.unwrap().id;
    w.engine.revoke_grant(w.mei.id, grant, NOW).await.unwrap();
    w.store.lists();
    assert_eq!(state(&w, &uuid, DESK, NOW).await, PollState::Expired);
    assert!(w.store.changes().is_empty());
}

#[tokio::test]
async fn a_suspended_clients_scan_is_not_opened_and_does_not_move() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    let uuid = w.scan(&w.site, "desk", NOW).await;
    w.engine
        .review(&w.site.id, Review::Suspend, "spam", NOW)
        .await
        .unwrap();
    w.store.lists();
    let opened = w.engine.open_scan(&uuid, &user(&mei), NOW).await;
    assert_eq!(refused(opened), Refusal::ClientSuspended);
    assert!(
        w.store.changes().is_empty(),
        "a refused request changes nothing"
    );
    assert_eq!(state(&w, &uuid, DESK, NOW).await, PollState::Waiting);
}

#[test]
fn a_poller_is_held_while_there_is_no_news() {
    use PollState::*;
    let every = [Waiting, Scanned, Cancelled, Expired, Confirmed];
    for state in every {
        for last in [None].into_iter().chain(every.map(Some)) {
            let same = matches!(
                (state, last),
                (Scanned, Some(Scanned)) | (Cancelled, Some(Cancelled))
            );
            let held = state == Waiting || same;
            assert_eq!(state.is_held(last), held, "{state:?} after {last:?}");
        }
    }
}

// --- signed scans -------------------------------------------------------------------------------

async fn ticket(w: &World, now: Timestamp) -> Secret {
    let token = w.client_token(&w.mobile, now).await.unwrap();
    let ticket = w.engine.platform_ticket(&token.access, now).await.unwrap();
    w.store.lists();
    ticket.ticket
}

fn sha1(text: &str) -> String {
    let algorithm = &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY;
    let digest = aws_lc_rs::digest::digest(algorithm, text.as_bytes());
    yufu_core::keyring::hex(digest.as_ref())
}

/// Signs as §6 has it.
fn sign(app: &App, ticket: &Secret, nonce: &str, timestamp: &str) -> ScanSignature {
    let signature = sha1(&format!(
        "appid={}&noncestr={nonce}&sdk_ticket={}&timestamp={timestamp}",
        app.id,
        ticket.expose()
    ));
    ScanSignature {
        nonce: nonce.into(),
        timestamp: timestamp.into(),
        signature,
    }
}

async fn begin(w: &World, signature: ScanSignature, now: Timestamp) -> Result<Step, Stop> {
    let nobody = Visitor {
        address: "192.0.2.1",
        session: None,
        browser: None,
    };
    w.begin(signed_request(&w.mobile, signature), &nobody, now)
        .await
}

#[test]
fn the_signatures_of_these_tests_follow_the_vector_of_the_facts() {
    // wechat.md §6.
    let app = App {
        id: yufu_core::id::ClientId::new("wx0000000000000000"),
        kind: yufu_core::client::ClientKind::Mobile,
        secret: Secret::new(""),
    };
    let signed = sign(&app, &Secret::new("T"), "abc", "1");
    assert_eq!(signed.signature, "c797558ea63341e27f7c5c0238208b291e5ecdbc");
}

#[tokio::test]
async fn a_signed_scan_is_polled_by_its_uuid_alone() {
    let w = World::new().await;
    let ticket = ticket(&w, NOW).await;
    let signed = sign(&w.mobile, &ticket, "n1", "1800000000");
    let shown = shown(begin(&w, signed, NOW).await.unwrap());
    assert_eq!(w.store.change(), ["issue nonce", "issue scan"]);
    assert!(shown.return_path.is_none() && shown.state.is_none());
    let uuid = shown.uuid.expose();
    let mei = w.sign_in(&w.mei, NOW).await;
    let interaction = w.open(uuid, &mei, NOW).await;
    approve(&w, &interaction, &mei, NOW).await.unwrap();
    let code = paid(w.poll(uuid, None, NOW).await);
    let request = token_request(&w.mobile, by_code(&code, None));
    w.engine.exchange(&request, HERE, NOW).await.unwrap();
}

#[tokio::test]
async fn a_signature_is_read_in_either_case_and_refused_when_wrong() {
    let w = World::new().await;
    let ticket = ticket(&w, NOW).await;
    let good = sign(&w.mobile, &ticket, "n", "1800000000");
    let with = |signature: &str| ScanSignature {
        signature: signature.into(),
        ..good.clone()
    };
    let zeros = "0".repeat(40);
    for wrong in ["", "é", zeros.as_str(), &good.signature[..39]] {
        assert_eq!(
            refused(begin(&w, with(wrong), NOW).await),
            Refusal::SignatureMismatch
        );
    }
    let foreign = sign(&w.mobile, &Secret::new("T"), "n", "1800000000");
    let other = sign(&w.site, &ticket, "n", "1800000000");
    let moved = ScanSignature {
        timestamp: "1800000001".into(),
        ..good.clone()
    };
    let nonce = ScanSignature {
        nonce: "m".into(),
        ..good.clone()
    };
    for wrong in [foreign, other, moved, nonce] {
        assert_eq!(
            refused(begin(&w, wrong, NOW).await),
            Refusal::SignatureMismatch
        );
    }
    assert!(
        w.store.changes().is_empty(),
        "a refused signature spends no nonce"
    );
    shown(
        begin(&w, with(&good.signature.to_uppercase()), NOW)
            .await
            .unwrap(),
    );
}

#[tokio::test]
async fn a_timestamp_may_be_ten_minutes_off_either_way() {
    let w = World::new().await;
    let ticket = ticket(&w, NOW).await;
    for (nonce, seconds, fits) in [
        ("a", 1_800_000_000 - 600, true),
        ("b", 1_800_000_000 + 600, true),
        ("c", 1_800_000_000 - 601, false),
        ("d", 1_800_000_000 + 601, false),
        ("e", i64::MAX, false),
        ("f", i64::MIN, false),
        ("g", 0, false),
    ] {
        let begun = begin(
            &w,
            sign(&w.mobile, &ticket, nonce, &seconds.to_string()),
            NOW,
        )
        .await;
        match fits {
            true => drop(shown(begun.unwrap())),
            false => assert_eq!(refused(begun), Refusal::TimestampSkewed, "{seconds}"),
        }
    }
    for text in ["", "x", "1.8e9", "99999999999999999999", "1800000000 "] {
        let begun = begin(&w, sign(&w.mobile, &ticket, "h", text), NOW).await;
        assert_eq!(refused(begun), Refusal::TimestampSkewed, "{text}");
    }
}

#[tokio::test]
async fn a_nonce_works_once_per_client_for_as_long_as_its_timestamp_could() {
    let w = World::new().await;
    let ticket = ticket(&w, NOW).await;
    let signed = sign(&w.mobile, &ticket, "n", "1800000600");
    shown(begin(&w, signed.clone(), NOW).await.unwrap());
    w.store.lists();
    for second in [0, 600, 1200] {
        // The broom keeps it for as long as the timestamp could pass.
        w.store.sweep(at(second), NOW).await.unwrap();
        assert_eq!(
            refused(begin(&w, signed.clone(), at(second)).await),
            Refusal::NonceUsed
        );
    }
    assert_eq!(
        refused(begin(&w, signed, at(1201)).await),
        Refusal::TimestampSkewed
    );
    assert!(w.store.changes().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_at_once_with_one_nonce_one_begins() {
    let w = std::sync::Arc::new(World::new().await);
    let ticket = ticket(&w, NOW).await;
    let signed = sign(&w.mobile, &ticket, "n", "1800000000");
    w.store
        .slow
        .store(true, std::sync::atomic::Ordering::SeqCst);
    let many = (0..50).map(|_| {
        let (w, signed) = (w.clone(), signed.clone());
        tokio::spawn(async move { begin(&w, signed, NOW).await })
    });
    let mut begun = 0;
    for one in many.collect::<Vec<_>>() {
        match one.await.unwrap() {
            Ok(_) => begun += 1,
            other => assert_eq!(refused(other), Refusal::NonceUsed),
        }
    }
    assert_eq!(begun, 1);
    assert_eq!(w.store.change(), ["issue nonce", "issue scan"]);
}

#[tokio::test]
async fn without_a_live_ticket_nothing_can_be_signed() {
    let w = World::new().await;
    let begun = begin(
        &w,
        sign(&w.mobile, &Secret::new(""), "n", "1800000000"),
        NOW,
    )
    .await;
    assert_eq!(refused(begun), Refusal::SignatureMismatch, "no ticket yet");
    let ticket = ticket(&w, NOW).await;
    let signed = |second: i64| {
        sign(
            &w.mobile,
            &ticket,
            &second.to_string(),
            &at(second).seconds().to_string(),
        )
    };
    shown(begin(&w, signed(7199), at(7199)).await.unwrap());
    let begun = begin(&w, signed(7200), at(7200)).await;
    assert_eq!(
        refused(begun),
        Refusal::SignatureMismatch,
        "the ticket ended"
    );
}

#[tokio::test]
async fn only_the_state_and_the_code_are_ever_told_to_a_poller() {
    let w = World::new().await;
    let uuid = w.scan(&w.site, "desk", NOW).await;
    for last in [None, Some(PollState::Waiting), Some(PollState::Scanned)] {
        let request = PollRequest {
            uuid: Secret::new(uuid.clone()),
            last,
        };
        let answer = w.engine.poll(&request, DESK, NOW).await.unwrap();
        assert!(matches!(answer, PollAnswer::State(PollState::Waiting)));
    }
}
