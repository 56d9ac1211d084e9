//! What somebody tries who wants into an account that is not theirs, or wants it stuck.

use yufu_core::engine::login::{
    Begun, BindRequest, BindStep, CodeRequest, PhoneLogin, PhoneProof, PhoneStep, PrepareRequest,
    Proved, PushedEvent, PushedKind, RelogBy, RelogDone, RelogRequest, RelogStep,
};
use yufu_core::identity::Provider;
use yufu_core::login::{
    Authenticated, Device, Exchanged, Idempotency, LoggedIn, LoginAnswer, LoginRefusal,
    LoginSettings, LoginStop, Mode, Purpose, VerifyUpstream,
};
use yufu_core::secret::Secret;
use yufu_core::store::Browse;
use yufu_core::ticket::Kind;
use yufu_core::time::Timestamp;
use yufu_core::user::{Handle, Phone, UserStatus};

use crate::upstream::*;
use crate::world::*;

const DAY: i64 = 86_400;

fn two_apps(settings: &mut LoginSettings) {
    settings.apps = vec![mobile_app(), website()];
}

fn showing(settings: &mut LoginSettings) {
    at_leisure(settings);
    settings.expose_upstream_token = true;
}

async fn auth(w: &World, session: &LoggedIn, now: Timestamp) -> Authenticated {
    let token = session.pair.token.expose();
    w.engine.authenticate(token, None, now).await.unwrap()
}

/// A proof at the mobile app, by whoever the upstream says it is.
async fn proof(
    w: &World,
    purpose: Purpose,
    who: Option<&Authenticated>,
    given: Exchanged,
    of: Device<'_>,
    now: Timestamp,
) -> Proved {
    let user = who.map(|who| who.user);
    let request = PrepareRequest {
        purpose,
        app: "mobile",
        mode: Mode::App,
        consent: "",
        device: of,
        user,
        return_to: None,
    };
    let state = w.engine.prepare(request, now).await.unwrap().state;
    let code = format!("proof{}", w.engine.noise());
    let request = CodeRequest {
        purposes: &[purpose],
        code: &code,
        state: state.expose(),
        device: of,
        user,
        key: Idempotency(None),
    };
    let Begun::Exchange(exchanging) = w.engine.begin_exchange(request, now).await.unwrap() else {
        panic!("the code was new");
    };
    let done = w.engine.finish_proof(&exchanging, Ok(given), now).await;
    done.unwrap()
}

fn binding<'a>(ticket: &'a Secret, number: &'a Phone, of: Device<'a>) -> BindRequest<'a> {
    BindRequest {
        ticket: ticket.expose(),
        phone: Some(number),
        proof: PhoneProof::Carrier,
        confirm: false,
        fresh: false,
        replace: false,
        reissued: Some(false),
        device: of,
        key: Idempotency(None),
    }
}

async fn bind(w: &World, request: BindRequest<'_>, now: Timestamp) -> Result<LoggedIn, LoginStop> {
    match w.engine.bind(request, now).await? {
        BindStep::Done(done) => Ok(done),
        step @ BindStep::AskCarrier { .. } => panic!("{step:?}"),
    }
}

async fn ticket(w: &World, given: Exchanged, of: Device<'_>, now: Timestamp) -> Secret {
    match w.try_wechat(given, of, now).await.unwrap() {
        LoginAnswer::Unbound { bind_ticket, .. } => bind_ticket,
        LoginAnswer::Bound(_) => panic!("bound"),
    }
}

/// A new account of an identity and a number.
async fn member(w: &World, given: Exchanged, number: &str, of: Device<'_>) -> LoggedIn {
    let ticket = ticket(w, given, of, NOW).await;
    let number = phone(number);
    bind(w, binding(&ticket, &number, of), NOW).await.unwrap()
}

async fn relogin(
    w: &World,
    by: RelogBy<'_>,
    device: Device<'_>,
    now: Timestamp,
) -> Result<LoggedIn, LoginStop> {
    match w
        .engine
        .relogin_begin(RelogRequest { by, device }, now)
        .await?
    {
        RelogStep::Done(RelogDone::LoggedIn(done)) => Ok(done),
        RelogStep::Done(RelogDone::Standing { .. }) => panic!("the session stands"),
        RelogStep::Check(_) | RelogStep::Refresh(_) => panic!("asks the upstream"),
    }
}

// --- more proof than was given --------------------------------------------------------------------

#[tokio::test]
async fn a_session_alone_gives_an_account_no_new_way_in() {
    // A WeChat of the thief's on an account that has a number.
    let w = World::with(two_apps).await;
    let secret = w.device();
    let mine = device(&secret, "a", "ios");
    let session = w.login(&phone("13800000001"), mine, NOW).await;
    let late = at(301);
    let who = auth(&w, &session, late).await;
    let thief = exchanged(&mobile_app(), "o-thief", None);
    let link = proof(&w, Purpose::Link, Some(&who), thief.clone(), mine, late).await;
    let step_up = LoginRefusal::StepUpRequired {
        proofs: &["phone"],
        after: None,
    };
    assert_eq!(refused(w.engine.may_link(&who, late).await), step_up);
    assert_eq!(refused(w.engine.link(&who, &link, late).await), step_up);
    assert_eq!(w.owner(&Handle::of(&thief.vouched.key)).await, None);
    let number = phone("13800000666");
    let moved = w
        .engine
        .change_phone(&who, &number, PhoneProof::Carrier, late);
    assert!(matches!(
        refused(moved.await),
        LoginRefusal::StepUpRequired { .. }
    ));
    let gone = w.engine.request_deletion(&who, late).await;
    assert!(matches!(refused(gone), LoginRefusal::StepUpRequired { .. }));
    // A number of the thief's on an account that has a WeChat.
    let w = World::with(at_leisure).await;
    let mei = exchanged(&mobile_app(), "o-mei", None);
    let session = w.wechat(mei.clone(), mine, NOW).await;
    let who = auth(&w, &session, late).await;
    let moved = w
        .engine
        .change_phone(&who, &number, PhoneProof::Carrier, late);
    let step_up = LoginRefusal::StepUpRequired {
        proofs: &["wechat"],
        after: None,
    };
    assert_eq!(refused(moved.await), step_up);
    assert_eq!(w.user(who.user).await.phone, None);
    // Its owner proves the WeChat.
    let proved = proof(&w, Purpose::Reauth, Some(&who), mei, mine, late).await;
    w.engine.prove_identity(&who, &proved, late).await.unwrap();
    let moved = w
        .engine
        .change_phone(&who, &number, PhoneProof::Carrier, late);
    moved.await.unwrap();
}

#[tokio::test]
async fn a_session_that_ended_while_the_upstream_was_asked_links_nothing() {
    let w = World::with(two_apps).await;
    let secret = w.device();
    let mine = device(&secret, "a", "ios");
    let session = w.login(&phone("13800000001"), mine, NOW).await;
    let who = auth(&w, &session, NOW).await;
    let thief = exchanged(&mobile_app(), "o-thief", None);
    let link = proof(&w, Purpose::Link, Some(&who), thief.clone(), mine, NOW).await;
    w.engine.end_all_sessions(who.user, at(1)).await.unwrap();
    let late = w.engine.link(&who, &link, at(2)).await;
    assert!(matches!(refused(late), LoginRefusal::SessionKicked { .. }));
    assert_eq!(w.owner(&Handle::of(&thief.vouched.key)).await, None);
}

#[tokio::test]
async fn whoever_still_has_the_old_login_stops_its_replacement_by_using_it() {
    let w = World::with(two_apps).await;
    let (secret, other) = (w.device(), w.device());
    let (mine, theirs) = (device(&secret, "a", "ios"), device(&other, "b", "android"));
    let number = phone("13800000001");
    let mei = exchanged(&mobile_app(), "o-mei", Some("u-mei"));
    let owner = member(&w, mei.clone(), "13800000001", mine).await.user;
    // The number is in other hands: they want their own WeChat in the place of mine.
    let thief = exchanged(&mobile_app(), "o-thief", Some("u-thief"));
    let ask = async |now| {
        let ticket = ticket(&w, thief.clone(), theirs, now).await;
        let request = BindRequest {
            replace: true,
            ..binding(&ticket, &number, theirs)
        };
        bind(&w, request, now).await
    };
    assert!(matches!(
        refused(ask(NOW).await),
        LoginRefusal::StepUpRequired { .. }
    ));
    // I am told, and log in.
    assert_eq!(w.wechat(mei.clone(), mine, at(DAY)).await.user, owner);
    assert!(matches!(
        refused(ask(at(3 * DAY)).await),
        LoginRefusal::StepUpRequired { .. }
    ));
    assert!(w.user(owner).await.identity(&mei.vouched.key).is_some());
    // A wish from long ago counts for nothing either: its owner was told too long ago.
    let after = at(200 * DAY);
    assert!(matches!(
        refused(ask(after).await),
        LoginRefusal::StepUpRequired { after: Some(day), .. } if day > after
    ));
}

#[tokio::test]
async fn a_choice_between_accounts_counts_while_the_login_leads_to_both() {
    let w = World::with(two_apps).await;
    let secret = w.device();
    let mine = device(&secret, "a", "ios");
    let first = member(
        &w,
        exchanged(&mobile_app(), "o1", None),
        "13800000001",
        mine,
    )
    .await;
    let second = exchanged(&website(), "o2", Some("u1"));
    let second = member(&w, second, "13800000002", mine).await;
    let told = exchanged(&mobile_app(), "o1", Some("u1"));
    let asked = refused(w.try_wechat(told, mine, NOW).await);
    let LoginRefusal::ConfirmNeeded {
        ticket: Some(ticket),
        ..
    } = asked
    else {
        panic!("{asked:?}");
    };
    // The owner of the second account takes that WeChat off it.
    let who = auth(&w, &second, NOW).await;
    w.engine.unlink(&who, Provider::Wechat, NOW).await.unwrap();
    for keep in ["a", "b"] {
        let chosen = w
            .engine
            .choose(ticket.expose(), keep, mine, Idempotency(None), at(1));
        assert_eq!(refused(chosen.await), LoginRefusal::TicketInvalid, "{keep}");
    }
    let user = w.user(second.user).await;
    assert_eq!(user.phone, Some(phone("13800000002")));
    assert_eq!(user.status, UserStatus::Active);
    assert_eq!(w.user(first.user).await.identities.len(), 1);
}

#[tokio::test]
async fn a_deletion_is_not_taken_back_with_a_number_that_was_given_up() {
    let w = World::new().await;
    let (secret, other) = (w.device(), w.device());
    let (mine, theirs) = (device(&secret, "a", "ios"), device(&other, "b", "android"));
    let (old, new) = (phone("13800000001"), phone("13800000002"));
    let session = w.login(&old, mine, NOW).await;
    let who = auth(&w, &session, NOW).await;
    w.engine.request_deletion(&who, NOW).await.unwrap();
    let ticket = |outcome| match refused(outcome) {
        LoginRefusal::Deleting {
            cancel_ticket: Some(ticket),
            ..
        } => ticket,
        other => panic!("{other:?}"),
    };
    let of_old = ticket(w.try_login(&old, theirs, at(1)).await);
    let of_mine = ticket(w.try_login(&old, mine, at(1)).await);
    let cancel = async |ticket: &Secret, device, now| {
        let key = Idempotency(None);
        w.engine
            .cancel_deletion(ticket.expose(), device, key, now)
            .await
    };
    let back = cancel(&of_mine, mine, at(2)).await.unwrap();
    let who = auth(&w, &back, at(2)).await;
    let moved = w
        .engine
        .change_phone(&who, &new, PhoneProof::Carrier, at(3));
    moved.await.unwrap();
    w.engine.request_deletion(&who, at(4)).await.unwrap();
    let late = cancel(&of_old, theirs, at(5)).await;
    assert_eq!(refused(late), LoginRefusal::TicketInvalid);
}

// --- coming back ----------------------------------------------------------------------------------

#[tokio::test]
async fn a_device_whose_session_was_ended_does_not_come_back_by_a_shown_token() {
    let by = RelogBy::Upstream {
        access_token: "access-o-mei",
    };
    for way in ["one", "all", "logout", "stolen"] {
        let w = World::with(showing).await;
        let (secret, other) = (w.device(), w.device());
        let (mine, lost) = (device(&secret, "a", "ios"), device(&other, "b", "android"));
        let mei = exchanged(&mobile_app(), "o-mei", None);
        let session = w.wechat(mei.clone(), lost, NOW).await;
        let mut later = mei.clone();
        later.tokens.access = Secret::new("access-2");
        let kept = w.wechat(later, mine, NOW).await;
        let again = relogin(&w, by, lost, at(1)).await.unwrap();
        assert_eq!(again.user, session.user);
        let who = auth(&w, &kept, at(2)).await;
        let token = again.pair.token.expose();
        match way {
            "one" => {
                let all = w.engine.sessions(&who, at(2)).await.unwrap();
                let lost = all.iter().find(|session| !session.current).unwrap();
                w.engine.end_session(&who, &lost.id, at(2)).await.unwrap();
            }
            "all" => {
                let number = phone("13800000001");
                let moved = w
                    .engine
                    .change_phone(&who, &number, PhoneProof::Carrier, at(2));
                moved.await.unwrap();
            }
            "logout" => {
                let lost = auth(&w, &again, at(2)).await;
                w.engine.logout(&lost, at(2)).await.unwrap();
            }
            _ => {
                let third = w.device();
                let stolen = w.engine.authenticate(token, Some(&third), at(2)).await;
                assert_eq!(refused(stolen.map(|_| ())), LoginRefusal::SessionInvalid);
            }
        }
        let back = relogin(&w, by, lost, at(3)).await;
        assert_eq!(refused(back), LoginRefusal::SessionInvalid, "{way}");
        // By the upstream itself it does, also when that gives the very same token.
        let session = w.wechat(mei, lost, at(4)).await;
        assert_eq!(session.user, who.user, "{way}");
    }
}

#[tokio::test]
async fn what_was_withdrawn_at_the_upstream_logs_nobody_in_again() {
    let w = World::with(showing).await;
    let secret = w.device();
    let mine = device(&secret, "a", "ios");
    w.wechat(exchanged(&mobile_app(), "o-mei", None), mine, NOW)
        .await;
    let event = PushedEvent {
        app: &mobile_app().appid,
        openid: Some("o-mei"),
        unionid: None,
        kind: PushedKind::Revoked,
        nonce: "n",
        timestamp: NOW.seconds(),
    };
    w.engine.pushed(event, NOW).await.unwrap();
    let by = RelogBy::Upstream {
        access_token: "access-o-mei",
    };
    let back = relogin(&w, by, mine, at(1)).await;
    assert_eq!(refused(back), LoginRefusal::Reauthorize);
}

#[tokio::test]
async fn an_upstream_has_no_say_over_an_account_that_has_no_login_of_it_any_more() {
    let w = World::with(|settings| {
        at_leisure(settings);
        settings.verify_upstream = VerifyUpstream::OnRelogin;
    })
    .await;
    let (secret, other) = (w.device(), w.device());
    let (mine, theirs) = (device(&secret, "a", "ios"), device(&other, "b", "android"));
    let mei = exchanged(&mobile_app(), "o-mei", None);
    let session = w.wechat(mei.clone(), mine, NOW).await;
    let who = auth(&w, &session, NOW).await;
    let number = phone("13800000001");
    let moved = w
        .engine
        .change_phone(&who, &number, PhoneProof::Carrier, NOW);
    moved.await.unwrap();
    let sent = w.engine.send_login_passcode(
        yufu_core::engine::login::PasscodeRequest {
            phone: &number,
            scene: yufu_core::ticket::Scene::Verify,
            device: mine,
            captcha_passed: false,
        },
        NOW,
    );
    let digits = sent.await.unwrap().digits;
    w.engine
        .prove_phone(&who, digits.expose(), NOW)
        .await
        .unwrap();
    w.engine.unlink(&who, Provider::Wechat, NOW).await.unwrap();
    // The WeChat has another account now; what is in its vault is none of the first one's.
    let second = w.wechat(mei, theirs, at(1)).await;
    assert_ne!(second.user, session.user);
    let by = RelogBy::Refresh(session.pair.refresh_token.expose());
    let again = relogin(&w, by, mine, at(2)).await.unwrap();
    assert_eq!(again.user, session.user);
}

// --- stuck ----------------------------------------------------------------------------------------

#[tokio::test]
async fn a_person_that_leads_elsewhere_keeps_nobody_from_binding_a_number() {
    let w = World::with(two_apps).await;
    let secret = w.device();
    let mine = device(&secret, "a", "ios");
    let other = exchanged(&website(), "o2", Some("u1"));
    let other = member(&w, other, "13800000002", mine).await.user;
    let first = member(
        &w,
        exchanged(&mobile_app(), "o1", None),
        "13800000001",
        mine,
    )
    .await;
    // It lost its number to a new owner, and the other account was closed by the operator.
    let old = phone("13800000001");
    let request = PhoneLogin {
        phone: &old,
        proof: PhoneProof::Carrier,
        consent: TERMS,
        fresh: true,
        reissued: Some(true),
        device: mine,
        key: Idempotency(None),
    };
    let late = at(181 * DAY);
    let PhoneStep::Done(_) = w.engine.phone_login(request, late).await.unwrap() else {
        panic!("asks again");
    };
    w.set_status(other, UserStatus::Restricted).await;
    let told = exchanged(&mobile_app(), "o1", Some("u1"));
    let ticket = ticket(&w, told, mine, late).await;
    let number = phone("13800000003");
    let bound = bind(&w, binding(&ticket, &number, mine), late).await;
    assert_eq!(bound.unwrap().user, first.user);
    assert_eq!(
        w.owner(&Handle::of_person(&person("u1"))).await,
        Some(other)
    );
}

#[tokio::test]
async fn a_number_starts_afresh_once() {
    let w = World::new().await;
    let (secret, other) = (w.device(), w.device());
    let (mine, theirs) = (device(&secret, "a", "ios"), device(&other, "b", "android"));
    let number = phone("13800000001");
    w.login(&number, mine, NOW).await;
    let late = at(181 * DAY);
    // The carrier was asked about the account of then; the answer is not about the next one.
    let enter = async |device| {
        let request = PhoneLogin {
            phone: &number,
            proof: PhoneProof::Carrier,
            consent: TERMS,
            fresh: true,
            reissued: Some(true),
            device,
            key: Idempotency(None),
        };
        match w.engine.phone_login(request, late).await.unwrap() {
            PhoneStep::Done(done) => done.user,
            PhoneStep::AskCarrier { .. } => panic!("asks again"),
        }
    };
    let first = enter(mine).await;
    assert_eq!(enter(theirs).await, first);
    assert_eq!(w.user(first).await.phone, Some(number.clone()));
    // Nor at a binding.
    let given = exchanged(&mobile_app(), "o-mei", None);
    let ticket = ticket(&w, given, theirs, late).await;
    let request = BindRequest {
        fresh: true,
        confirm: true,
        reissued: Some(true),
        ..binding(&ticket, &number, theirs)
    };
    assert_eq!(bind(&w, request, late).await.unwrap().user, first);
}

#[tokio::test]
async fn a_key_that_comes_again_after_its_answer_is_over_is_a_new_one() {
    let w = World::new().await;
    let secret = w.device();
    let mine = device(&secret, "a", "ios");
    let number = phone("13800000001");
    let enter = async |now| {
        let request = PhoneLogin {
            phone: &number,
            proof: PhoneProof::Carrier,
            consent: TERMS,
            fresh: false,
            reissued: Some(false),
            device: mine,
            key: Idempotency(Some("always the same")),
        };
        match w.engine.phone_login(request, now).await.unwrap() {
            PhoneStep::Done(done) => done,
            PhoneStep::AskCarrier { .. } => panic!("asks again"),
        }
    };
    let first = enter(NOW).await;
    assert_eq!(enter(at(599)).await, first);
    let second = enter(at(600)).await;
    assert_ne!(second.pair, first.pair);
    assert_eq!(enter(at(601)).await, second);
}

// --- what is left, and what piles up --------------------------------------------------------------

#[tokio::test]
async fn an_erased_account_leaves_no_device_of_those_that_were_merged_into_it() {
    for finished in [false, true] {
        let w = World::with(at_leisure).await;
        let (secret, other) = (w.device(), w.device());
        let (mine, tablet) = (device(&secret, "a", "ios"), device(&other, "tablet", "ios"));
        let mei = exchanged(&mobile_app(), "o-mei", None);
        let from = w.wechat(mei, tablet, NOW).await.user;
        let to = w.login(&phone("13800000001"), mine, NOW).await.user;
        w.engine
            .merge_users(from, to, "operator", NOW)
            .await
            .unwrap();
        let mut now = at(60);
        if finished {
            now = at(8 * DAY);
            assert_eq!(w.engine.finish_merges(now, 10).await.unwrap(), 1);
        }
        let session = w.login(&phone("13800000001"), mine, now).await;
        let who = auth(&w, &session, now).await;
        let end = w.engine.request_deletion(&who, now).await.unwrap();
        assert_eq!(w.engine.erase_due(end, 10).await.unwrap(), 1);
        for user in [from, to] {
            for row in w.rows(user).await {
                let body = row.body;
                assert_eq!((body.address.as_str(), body.device_id.as_str()), ("", ""));
                assert_eq!(body.identity, None);
            }
        }
    }
}

#[tokio::test]
async fn nothing_of_merges_before_the_last_outlives_the_account() {
    let w = World::with(at_leisure).await;
    let secret = w.device();
    let mine = device(&secret, "a", "ios");
    let first = w
        .wechat(exchanged(&mobile_app(), "o1", None), mine, NOW)
        .await;
    let second = w.wechat(exchanged(&website(), "o2", None), mine, NOW).await;
    let last = w.login(&phone("13800000001"), mine, NOW).await.user;
    let (first, second) = (first.user, second.user);
    w.engine
        .merge_users(first, second, "operator", NOW)
        .await
        .unwrap();
    w.engine
        .merge_users(second, last, "operator", NOW)
        .await
        .unwrap();
    let session = w.login(&phone("13800000001"), mine, at(60)).await;
    let who = auth(&w, &session, at(60)).await;
    w.engine.request_deletion(&who, at(60)).await.unwrap();
    // Its day came early, as where an operator chose another delay.
    w.alter(last, |user| user.status = UserStatus::Deleting(at(61)))
        .await;
    let end = at(60).plus(w.engine.login().deletion_delay);
    assert_eq!(w.engine.erase_due(end, 10).await.unwrap(), 1);
    for raw in w.lists.tickets(Kind::Merge, None, 10).await.unwrap() {
        let text = String::from_utf8(raw.ticket.body.clone()).unwrap();
        assert!(!text.contains("o1") && !text.contains("o2"), "{text}");
    }
}

#[tokio::test]
async fn a_state_in_the_wrong_hands_fills_no_audit() {
    let w = World::new().await;
    let (secret, other) = (w.device(), w.device());
    let (mine, theirs) = (device(&secret, "a", "ios"), device(&other, "b", "ios"));
    let request = PrepareRequest {
        purpose: Purpose::Login,
        app: "mobile",
        mode: Mode::App,
        consent: TERMS,
        device: mine,
        user: None,
        return_to: None,
    };
    let state = w.engine.prepare(request, NOW).await.unwrap().state;
    let mut last = LoginRefusal::StateInvalid;
    for _ in 0..200 {
        let request = CodeRequest {
            purposes: &[Purpose::Login],
            code: "code",
            state: state.expose(),
            device: theirs,
            user: None,
            key: Idempotency(None),
        };
        match w.engine.begin_exchange(request, NOW).await {
            Err(LoginStop::Refused(refusal)) => last = refusal,
            _ => panic!("let in"),
        }
    }
    assert!(matches!(last, LoginRefusal::RateLimited { .. }), "{last:?}");
    let events = w.events().await;
    let suspected = events.iter().filter(|(what, _)| what == "csrf_suspected");
    assert_eq!(suspected.count(), 50);
}

#[test]
fn secrets_are_not_printed() {
    let of = format!("{:?}", device("a-device-secret", "a", "ios"));
    assert!(!of.contains("a-device-secret"), "{of}");
    let proof = format!("{:?}", PhoneProof::Passcode("135790"));
    assert!(!proof.contains("135790"), "{proof}");
}
