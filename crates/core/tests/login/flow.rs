//! From `prepare` to a session: transactions, tickets, binding, choosing, linking.

use yufu_core::engine::login::{
    Begun, BindRequest, BindStep, CodeRequest, Exchanging, Outcome, PhoneProof, PrepareRequest,
    Proved,
};
use yufu_core::id::{ClientId, Number, UserId};
use yufu_core::identity::{
    IdentityKey, Person, Provider, UpstreamApp, UpstreamKind, Vouched, VouchedProfile,
};
use yufu_core::login::body::VaultTokens;
use yufu_core::login::{
    BindPolicy, Device, ExchangeFailure, Exchanged, Idempotency, LoggedIn, LoginAnswer,
    LoginRefusal, LoginSettings, LoginStop, Mode, Purpose, Taken,
};
use yufu_core::secret::Secret;
use yufu_core::time::{Lifetime, Timestamp};
use yufu_core::user::UserStatus;

use super::world::{NOW, TERMS, World, at, device, mobile_app, phone, refused};

/// The second app of the same Open Platform account.
fn website_app() -> UpstreamApp {
    UpstreamApp {
        name: "site".into(),
        kind: UpstreamKind::WechatWebsite,
        appid: ClientId::new("wxfedcba9876543210"),
        union_scope: Some("main".into()),
    }
}

async fn world() -> World {
    World::with(two_apps).await
}

fn two_apps(settings: &mut LoginSettings) {
    settings.apps = vec![mobile_app(), website_app()];
}

/// What the upstream gives: an openid at the mobile app, and a unionid where one is named.
fn gives(openid: &str, unionid: Option<&str>) -> Exchanged {
    gives_at(&mobile_app(), openid, unionid)
}

fn gives_at(app: &UpstreamApp, openid: &str, unionid: Option<&str>) -> Exchanged {
    Exchanged {
        vouched: Vouched {
            key: IdentityKey {
                provider: Provider::Wechat,
                app: app.appid.clone(),
                subject: openid.into(),
            },
            person: unionid.map(|id| Person {
                provider: Provider::Wechat,
                scope: "main".into(),
                id: id.into(),
            }),
            profile: Some(VouchedProfile {
                nickname: "梅 é 🐟".into(),
                avatar: "https://pic.example.com/1".into(),
            }),
        },
        tokens: VaultTokens {
            access: Secret::new(format!("access of {openid}")),
            refresh: Some(Secret::new(format!("refresh of {openid}"))),
        },
        access_life: Lifetime::seconds(7200),
        refresh_life: Lifetime::days(30),
        profile_due: false,
    }
}

fn ask<'a>(purpose: Purpose, app: &'a str, of: Device<'a>) -> PrepareRequest<'a> {
    PrepareRequest {
        purpose,
        app,
        mode: Mode::App,
        consent: TERMS,
        device: of,
        user: None,
        return_to: None,
    }
}

fn code_of<'a>(
    purposes: &'a [Purpose],
    code: &'a str,
    state: &'a str,
    of: Device<'a>,
) -> CodeRequest<'a> {
    CodeRequest {
        purposes,
        code,
        state,
        device: of,
        user: None,
        key: Idempotency(None),
    }
}

impl World {
    async fn state(&self, app: &str, of: Device<'_>, now: Timestamp) -> String {
        let prepared = self.engine.prepare(ask(Purpose::Login, app, of), now).await;
        prepared.unwrap().state.expose().to_owned()
    }

    async fn exchanging(
        &self,
        code: &str,
        state: &str,
        of: Device<'_>,
        now: Timestamp,
    ) -> Exchanging {
        let request = code_of(&[Purpose::Login], code, state, of);
        match self.engine.begin_exchange(request, now).await {
            Ok(Begun::Exchange(exchanging)) => *exchanging,
            Ok(Begun::Wait) => panic!("told to wait"),
            Ok(Begun::Answer(answer)) => panic!("answered: {answer:?}"),
            Err(stop) => panic!("{stop:?}"),
        }
    }

    /// A whole login with what the upstream gives.
    async fn arrive(
        &self,
        app: &str,
        exchanged: Exchanged,
        of: Device<'_>,
        now: Timestamp,
    ) -> Result<LoginAnswer, LoginStop> {
        let state = self.state(app, of, now).await;
        let code = format!("code-{}", self.engine.noise());
        let exchanging = self.exchanging(&code, &state, of, now).await;
        self.engine
            .finish_login(&exchanging, Ok(exchanged), now)
            .await
    }

    async fn ticket(&self, exchanged: Exchanged, of: Device<'_>, now: Timestamp) -> String {
        match self.arrive("mobile", exchanged, of, now).await.unwrap() {
            LoginAnswer::Unbound { bind_ticket, .. } => bind_ticket.expose().to_owned(),
            LoginAnswer::Bound(_) => panic!("already bound"),
        }
    }

    async fn bind(&self, request: BindRequest<'_>, now: Timestamp) -> Result<LoggedIn, LoginStop> {
        match self.engine.bind(request, now).await? {
            BindStep::Done(logged_in) => Ok(logged_in),
            BindStep::AskCarrier { .. } => panic!("asks the carrier"),
        }
    }

    /// A new account of this identity and number.
    async fn member(&self, exchanged: Exchanged, number: &str, of: Device<'_>) -> LoggedIn {
        let ticket = self.ticket(exchanged, of, NOW).await;
        let number = phone(number);
        self.bind(binding(&ticket, &number, of), NOW).await.unwrap()
    }

    async fn proved(
        &self,
        purpose: Purpose,
        user: Option<UserId>,
        exchanged: Exchanged,
        of: Device<'_>,
    ) -> Proved {
        let request = PrepareRequest {
            user,
            ..ask(purpose, "mobile", of)
        };
        let state = self.engine.prepare(request, NOW).await.unwrap().state;
        let code = format!("proof-{}", self.engine.noise());
        let purposes = [purpose];
        let request = CodeRequest {
            user,
            ..code_of(&purposes, &code, state.expose(), of)
        };
        let Ok(Begun::Exchange(exchanging)) = self.engine.begin_exchange(request, NOW).await else {
            panic!("no exchange");
        };
        self.engine
            .finish_proof(&exchanging, Ok(exchanged), NOW)
            .await
            .unwrap()
    }
}

fn binding<'a>(
    ticket: &'a str,
    number: &'a yufu_core::user::Phone,
    of: Device<'a>,
) -> BindRequest<'a> {
    BindRequest {
        ticket,
        phone: Some(number),
        proof: PhoneProof::Carrier,
        confirm: false,
        fresh: false,
        replace: false,
        reissued: None,
        device: of,
        key: Idempotency(None),
    }
}

// --- transactions -----------------------------------------------------------------------------

#[tokio::test]
async fn preparing_wants_the_terms_and_gives_a_device_its_secret() {
    let world = World::with(|settings| settings.consent_version = Some(TERMS.into())).await;
    let nobody = Device {
        secret: None,
        ..device("", "phone", "ios")
    };
    for terms in ["", "2025-01"] {
        let request = PrepareRequest {
            consent: terms,
            ..ask(Purpose::Login, "", nobody)
        };
        let outcome = world.engine.prepare(request, NOW).await;
        assert_eq!(refused(outcome), LoginRefusal::ConsentRequired);
    }
    assert!(world.store.lists().is_empty());
    let prepared = world
        .engine
        .prepare(ask(Purpose::Login, "", nobody), NOW)
        .await
        .unwrap();
    let secret = prepared.device_secret.unwrap();
    assert_eq!(world.store.change(), ["revoke family", "issue transaction"]);
    let known = device(secret.expose(), "phone", "ios");
    let again = world
        .engine
        .prepare(ask(Purpose::Login, "", known), NOW)
        .await
        .unwrap();
    assert!(again.device_secret.is_none());
    let link = world
        .engine
        .prepare(ask(Purpose::Link, "", known), NOW)
        .await;
    assert_eq!(refused(link), LoginRefusal::SessionInvalid);
}

#[tokio::test]
async fn a_state_of_another_device_or_time_or_purpose_spends_no_code() {
    let world = world().await;
    let (one, two) = (world.device(), world.device());
    let mine = device(&one, "a", "ios");
    let state = world.state("mobile", mine, NOW).await;
    world.store.lists();
    let refuse = async |state: &str, of: Device<'_>, purposes: &[Purpose], now| {
        let request = code_of(purposes, "code", state, of);
        refused(world.engine.begin_exchange(request, now).await.map(|_| ()))
    };
    let login = &[Purpose::Login][..];
    let theirs = device(&two, "a", "ios");
    assert_eq!(
        refuse(&state, theirs, login, NOW).await,
        LoginRefusal::StateInvalid
    );
    assert_eq!(
        refuse("", mine, login, NOW).await,
        LoginRefusal::StateInvalid
    );
    assert_eq!(
        refuse(&state, mine, &[Purpose::Link], NOW).await,
        LoginRefusal::StateInvalid
    );
    assert_eq!(
        refuse(&state, mine, login, at(600)).await,
        LoginRefusal::StateInvalid
    );
    let bad = code_of(login, "no code!", &state, mine);
    let bad = refused(world.engine.begin_exchange(bad, NOW).await.map(|_| ()));
    assert_eq!(bad, LoginRefusal::BadRequest { field: "code" });
    // Only the suspicion was written down, and the owner may go on.
    assert_eq!(world.store.changes(), [["event csrf_suspected"]]);
    world.exchanging("code", &state, mine, at(599)).await;
}

#[tokio::test]
async fn of_equal_requests_one_goes_to_the_upstream_and_all_hear_the_same() {
    let world = world().await;
    let secret = world.device();
    let mine = device(&secret, "a", "ios");
    let state = world.state("mobile", mine, NOW).await;
    let exchanging = world.exchanging("code", &state, mine, NOW).await;
    let again = code_of(&[Purpose::Login], "code", &state, mine);
    assert!(matches!(
        world.engine.begin_exchange(again, NOW).await,
        Ok(Begun::Wait)
    ));
    let answer = world
        .engine
        .finish_login(&exchanging, Ok(gives("o1", None)), NOW)
        .await
        .unwrap();
    let Ok(Begun::Answer(Ok(Outcome::Login(kept)))) =
        world.engine.begin_exchange(again, at(59)).await
    else {
        panic!("no answer");
    };
    assert_eq!(kept, answer);
    // Another server read the time a moment earlier: its caller waits or hears the same, too.
    let skewed = world.engine.begin_exchange(again, at(-1)).await;
    assert!(matches!(skewed, Ok(Begun::Answer(Ok(_)))));
    let late = world.engine.begin_exchange(again, at(60)).await.map(|_| ());
    assert_eq!(refused(late), LoginRefusal::CodeUsed);
    let keyed = CodeRequest {
        key: Idempotency(Some("k")),
        ..again
    };
    let keyed = world.engine.begin_exchange(keyed, NOW).await.map(|_| ());
    assert_eq!(refused(keyed), LoginRefusal::CodeUsed);
    // The same code with another state of the same device.
    let other = world.state("mobile", mine, NOW).await;
    let replay = code_of(&[Purpose::Login], "code", &other, mine);
    let replay = world.engine.begin_exchange(replay, NOW).await.map(|_| ());
    assert_eq!(refused(replay), LoginRefusal::CodeUsed);
    assert!(
        world
            .events()
            .await
            .contains(&("code_replay".into(), "mobile".into()))
    );
}

#[tokio::test]
async fn an_unspent_code_may_come_again_and_a_dead_exchange_is_taken_over() {
    let world = world().await;
    let secret = world.device();
    let mine = device(&secret, "a", "ios");
    let state = world.state("mobile", mine, NOW).await;
    let first = world.exchanging("code", &state, mine, NOW).await;
    let retry_after = Lifetime::seconds(2);
    let unspent = Err(ExchangeFailure::Unspent { retry_after });
    let busy = world.engine.finish_login(&first, unspent, NOW).await;
    assert_eq!(refused(busy), LoginRefusal::UpstreamBusy { retry_after });
    let _died = world.exchanging("code", &state, mine, at(1)).await;
    let meanwhile = code_of(&[Purpose::Login], "code", &state, mine);
    for now in [at(0), at(1), at(30)] {
        let waits = world.engine.begin_exchange(meanwhile, now).await;
        assert!(matches!(waits, Ok(Begun::Wait)), "at {now:?}");
    }
    let taken = world.exchanging("code", &state, mine, at(31)).await;
    let used = world
        .engine
        .finish_login(&taken, Err(ExchangeFailure::CodeUsed), at(31))
        .await;
    assert_eq!(refused(used), LoginRefusal::CodeUsed);
    assert!(world.lists_users().await.is_empty());
}

#[tokio::test]
async fn every_failure_of_the_upstream_has_its_code_and_leaves_nobody() {
    for (failure, refusal) in [
        (ExchangeFailure::CodeInvalid, LoginRefusal::CodeInvalid),
        (ExchangeFailure::CodeUsed, LoginRefusal::CodeUsed),
        (ExchangeFailure::Lost, LoginRefusal::CodeInvalid),
        (
            ExchangeFailure::Misconfigured,
            LoginRefusal::AppMisconfigured,
        ),
        (
            ExchangeFailure::Unreadable("<html>".into()),
            LoginRefusal::UpstreamUnreadable,
        ),
        (
            ExchangeFailure::Restricted,
            LoginRefusal::UpstreamRestricted,
        ),
        (ExchangeFailure::ScopeMissing, LoginRefusal::ScopeMissing),
    ] {
        let world = world().await;
        let secret = world.device();
        let mine = device(&secret, "a", "ios");
        let state = world.state("mobile", mine, NOW).await;
        let exchanging = world.exchanging("code", &state, mine, NOW).await;
        let outcome = world
            .engine
            .finish_login(&exchanging, Err(failure), NOW)
            .await;
        assert_eq!(refused(outcome), refusal);
        // Said again to a second tap.
        let again = code_of(&[Purpose::Login], "code", &state, mine);
        let again = world.engine.begin_exchange(again, NOW).await;
        assert!(matches!(again, Ok(Begun::Answer(Err(said))) if said == refusal));
        assert!(world.lists_users().await.is_empty());
    }
}

#[tokio::test]
async fn a_newer_transaction_supersedes_the_older_and_a_closed_one_is_over() {
    let world = world().await;
    let secret = world.device();
    let mine = device(&secret, "a", "ios");
    let first = world.state("mobile", mine, NOW).await;
    let second = world.state("mobile", mine, NOW).await;
    let late = code_of(&[Purpose::Login], "code", &first, mine);
    let late = world.engine.begin_exchange(late, NOW).await.map(|_| ());
    assert_eq!(refused(late), LoginRefusal::StateInvalid);
    world
        .engine
        .close_transaction(&second, "denied", mine, NOW)
        .await
        .unwrap();
    world
        .engine
        .close_transaction(&second, "denied", mine, NOW)
        .await
        .unwrap();
    let closed = code_of(&[Purpose::Login], "code", &second, mine);
    let closed = world.engine.begin_exchange(closed, NOW).await.map(|_| ());
    assert_eq!(refused(closed), LoginRefusal::StateInvalid);
    for reason in ["", "Denied", "a b", &"x".repeat(33)] {
        let outcome = world
            .engine
            .close_transaction(&second, reason, mine, NOW)
            .await;
        assert_eq!(
            refused(outcome),
            LoginRefusal::BadRequest { field: "reason" }
        );
    }
}

// --- who is this ------------------------------------------------------------------------------

#[tokio::test]
async fn an_unknown_person_is_nobody_until_a_number_is_bound() {
    let world = world().await;
    let secret = world.device();
    let mine = device(&secret, "a", "ios");
    let old = world.ticket(gives("o1", Some("u1")), mine, NOW).await;
    let new = world.ticket(gives("o1", Some("u1")), mine, NOW).await;
    assert!(world.lists_users().await.is_empty());
    let number = phone("13800000001");
    let void = world.bind(binding(&old, &number, mine), NOW).await;
    assert_eq!(refused(void), LoginRefusal::TicketInvalid);
    world.store.lists();
    let logged_in = world.bind(binding(&new, &number, mine), NOW).await.unwrap();
    assert!(logged_in.is_bind);
    let lists = world.store.changes();
    assert_eq!(lists[0], ["amend bind"], "the number's proof");
    assert_eq!(
        lists[1],
        [
            "amend bind",
            "take bind",
            "put user",
            "put handle",
            "put handle",
            "put handle",
            "issue device",
            "event session.began",
            "amend vault",
            "notify user.created",
            "event user.created"
        ]
    );
    let user = world.user(logged_in.user).await;
    assert_eq!(user.identities.len(), 1);
    assert_eq!(user.phone, Some(number));
    assert_eq!(user.consent, TERMS);
}

#[tokio::test]
async fn a_unionid_that_comes_late_goes_and_changes_never_makes_a_second_account() {
    let world = world().await;
    let secret = world.device();
    let mine = device(&secret, "a", "ios");
    let user = world
        .member(gives("o1", None), "13800000001", mine)
        .await
        .user;
    for (unionid, stored, former) in [
        (Some("u1"), "u1", 0),
        (None, "u1", 0),
        (Some("u2"), "u2", 1),
        (Some("u2"), "u2", 1),
    ] {
        let answer = world
            .arrive("mobile", gives("o1", unionid), mine, NOW)
            .await
            .unwrap();
        assert!(matches!(answer, LoginAnswer::Bound(in_) if in_.user == user && in_.is_bind));
        let identity = &world.user(user).await.identities[0];
        assert_eq!(identity.person.as_ref().unwrap().id, stored);
        assert_eq!(identity.former.len(), former);
    }
    let site = website_app();
    let answer = world
        .arrive("site", gives_at(&site, "o9", Some("u2")), mine, NOW)
        .await
        .unwrap();
    assert!(matches!(answer, LoginAnswer::Bound(in_) if in_.user == user));
    assert_eq!(world.user(user).await.identities.len(), 2);
    assert_eq!(world.lists_users().await.len(), 1);
}

#[tokio::test]
async fn where_openid_and_unionid_disagree_the_user_chooses() {
    for (keep, kept_first) in [("a", true), ("b", false)] {
        let world = world().await;
        let secret = world.device();
        let mine = device(&secret, "a", "ios");
        let first = world
            .member(gives("o1", None), "13800000001", mine)
            .await
            .user;
        let ticket = match world
            .arrive(
                "site",
                gives_at(&website_app(), "o2", Some("u1")),
                mine,
                NOW,
            )
            .await
            .unwrap()
        {
            LoginAnswer::Unbound { bind_ticket, .. } => bind_ticket,
            LoginAnswer::Bound(_) => panic!("bound"),
        };
        let number = phone("13800000002");
        let second = world
            .bind(binding(ticket.expose(), &number, mine), NOW)
            .await
            .unwrap()
            .user;
        assert_ne!(first, second);
        let asked = refused(
            world
                .arrive("mobile", gives("o1", Some("u1")), mine, NOW)
                .await,
        );
        let LoginRefusal::ConfirmNeeded {
            candidates,
            ticket: Some(ticket),
        } = asked
        else {
            panic!("{asked:?}");
        };
        assert_eq!(candidates[0].phone, "+86 138****0001");
        assert_eq!(candidates[1].phone, "+86 138****0002");
        assert!(candidates.iter().all(|one| one.nickname == "梅***"));
        let choose = async |keep: &str| {
            let ticket = ticket.expose();
            world
                .engine
                .choose(ticket, keep, mine, Idempotency(Some("k")), NOW)
                .await
        };
        assert_eq!(
            refused(choose("c").await),
            LoginRefusal::BadRequest { field: "keep" }
        );
        let chosen = choose(keep).await.unwrap();
        assert_eq!(choose(keep).await.unwrap(), chosen, "said again");
        let (kept, left) = if kept_first {
            (first, second)
        } else {
            (second, first)
        };
        assert_eq!(chosen.user, kept);
        assert_eq!(world.user(kept).await.identities.len(), 2);
        let left = world.user(left).await;
        assert!(left.identities.is_empty());
        // It had a number of its own, and stays.
        assert_eq!(left.status, UserStatus::Active);
        let answer = world
            .arrive("mobile", gives("o1", Some("u1")), mine, NOW)
            .await
            .unwrap();
        assert!(matches!(answer, LoginAnswer::Bound(in_) if in_.user == kept));
    }
}

#[tokio::test]
async fn closed_and_ending_accounts_are_not_entered() {
    let world = world().await;
    let secret = world.device();
    let mine = device(&secret, "a", "ios");
    let user = world
        .member(gives("o1", None), "13800000001", mine)
        .await
        .user;
    world.set_status(user, UserStatus::Restricted).await;
    let outcome = world.arrive("mobile", gives("o1", None), mine, NOW).await;
    assert_eq!(refused(outcome), LoginRefusal::Disabled);
    world.set_status(user, UserStatus::Deleting(at(1000))).await;
    let outcome = refused(world.arrive("mobile", gives("o1", None), mine, NOW).await);
    assert!(
        matches!(outcome, LoginRefusal::Deleting { deletable_at, cancel_ticket: Some(_), .. } if deletable_at == at(1000))
    );
    assert!(
        world
            .rows(user)
            .await
            .iter()
            .all(|row| row.issued_at == NOW)
    );
}

#[tokio::test]
async fn where_a_number_is_optional_an_unknown_person_has_an_account_at_once() {
    let world = World::with(|settings| settings.bind_policy = BindPolicy::Optional).await;
    let secret = world.device();
    let mine = device(&secret, "a", "ios");
    let answer = world
        .arrive("mobile", gives("o1", None), mine, NOW)
        .await
        .unwrap();
    let LoginAnswer::Bound(in_) = answer else {
        panic!("not bound");
    };
    assert!(!in_.is_bind);
    assert_eq!(world.user(in_.user).await.identities.len(), 1);
}

// --- whose number is this ---------------------------------------------------------------------

#[tokio::test]
async fn a_number_with_an_account_is_joined_only_when_its_owner_says_so() {
    let world = world().await;
    let secret = world.device();
    let mine = device(&secret, "a", "ios");
    let number = phone("13800000001");
    let owner = world.login(&number, mine, NOW).await.user;
    let ticket = world.ticket(gives("o1", None), mine, NOW).await;
    let before = world.user(owner).await;
    let asked = refused(world.bind(binding(&ticket, &number, mine), NOW).await);
    assert!(
        matches!(&asked, LoginRefusal::ConfirmNeeded { candidates, ticket: None } if candidates.len() == 1)
    );
    assert_eq!(world.user(owner).await, before);
    // The number stays proved with the ticket: no second passcode.
    let confirmed = BindRequest {
        confirm: true,
        phone: None,
        proof: PhoneProof::None,
        ..binding(&ticket, &number, mine)
    };
    let late = world.bind(confirmed, at(300)).await;
    assert_eq!(refused(late), LoginRefusal::BadRequest { field: "phone" });
    let logged_in = world.bind(confirmed, at(299)).await.unwrap();
    assert_eq!(logged_in.user, owner);
    assert_eq!(world.lists_users().await.len(), 1);
}

#[tokio::test]
async fn another_persons_login_is_replaced_by_proof_or_by_time_and_not_otherwise() {
    for waits in [false, true] {
        let world = world().await;
        let secret = world.device();
        let mine = device(&secret, "a", "ios");
        let number = phone("13800000001");
        let owner = world
            .member(gives("o1", Some("u1")), "13800000001", mine)
            .await
            .user;
        let ticket = world.ticket(gives("o2", Some("u2")), mine, NOW).await;
        let plain = binding(&ticket, &number, mine);
        let taken = refused(world.bind(plain, NOW).await);
        let (reason, other) = (Taken::OtherWechat, "梅***".to_owned());
        assert_eq!(taken, LoginRefusal::PhoneTaken { reason, other });
        let replace = BindRequest {
            replace: true,
            ..plain
        };
        let delay = world.engine.login().replace_delay;
        let asked = refused(world.bind(replace, NOW).await);
        let after = Some(NOW.plus(delay));
        let step_up = LoginRefusal::StepUpRequired {
            proofs: &["wechat"],
            after,
        };
        assert_eq!(asked, step_up);
        assert_eq!(
            refused(world.bind(replace, at(1)).await),
            step_up,
            "the clock goes on"
        );
        let logged_in = if waits {
            let later = NOW.plus(delay);
            let ticket = world.ticket(gives("o2", Some("u2")), mine, later).await;
            let replace = BindRequest {
                replace: true,
                ..binding(&ticket, &number, mine)
            };
            world.bind(replace, later).await.unwrap()
        } else {
            let proved = world
                .proved(Purpose::Reauth, None, gives("o1", Some("u1")), mine)
                .await;
            world
                .engine
                .prove_other(&ticket, &proved, mine, NOW)
                .await
                .unwrap();
            world.bind(replace, NOW).await.unwrap()
        };
        assert_eq!(logged_in.user, owner);
        let user = world.user(owner).await;
        assert_eq!(user.identities.len(), 1);
        assert_eq!(user.identities[0].key.subject, "o2");
        assert_eq!(user.replacing, None);
        // The old login is free for anybody.
        let later = NOW.plus(delay);
        let answer = world
            .arrive("mobile", gives("o1", Some("u1")), mine, later)
            .await
            .unwrap();
        assert!(matches!(answer, LoginAnswer::Unbound { .. }));
    }
}

#[tokio::test]
async fn a_ticket_is_for_its_device_once_and_says_its_answer_again() {
    let world = world().await;
    let (one, two) = (world.device(), world.device());
    let (mine, theirs) = (device(&one, "a", "ios"), device(&two, "a", "ios"));
    let number = phone("13800000001");
    let ticket = world.ticket(gives("o1", None), mine, NOW).await;
    let keyed = BindRequest {
        key: Idempotency(Some("k")),
        ..binding(&ticket, &number, mine)
    };
    let logged_in = world.bind(keyed, NOW).await.unwrap();
    assert_eq!(world.bind(keyed, at(10)).await.unwrap(), logged_in);
    let other_key = BindRequest {
        key: Idempotency(Some("l")),
        ..keyed
    };
    assert_eq!(
        refused(world.bind(other_key, NOW).await),
        LoginRefusal::TicketInvalid
    );
    let stolen = world.ticket(gives("o2", None), mine, NOW).await;
    let thief = binding(&stolen, &number, theirs);
    assert_eq!(
        refused(world.bind(thief, NOW).await),
        LoginRefusal::TicketInvalid
    );
    let void = binding(&stolen, &number, mine);
    assert_eq!(
        refused(world.bind(void, NOW).await),
        LoginRefusal::TicketInvalid
    );
    let events = world.events().await;
    assert_eq!(
        events
            .iter()
            .filter(|(what, _)| what == "ticket_theft")
            .count(),
        1
    );
}

#[tokio::test]
async fn one_new_person_on_two_devices_is_one_account() {
    let world = world().await;
    let (one, two) = (world.device(), world.device());
    let (here, there) = (device(&one, "a", "ios"), device(&two, "b", "android"));
    let first = world.ticket(gives("o1", None), here, NOW).await;
    let second = world.ticket(gives("o1", None), there, NOW).await;
    let numbers = [phone("13800000001"), phone("13800000002")];
    world
        .bind(binding(&first, &numbers[0], here), NOW)
        .await
        .unwrap();
    let late = world.bind(binding(&second, &numbers[1], there), NOW).await;
    assert_eq!(refused(late), LoginRefusal::WechatTaken);
    assert_eq!(world.lists_users().await.len(), 1);
}

#[tokio::test]
async fn two_people_and_one_free_number_make_one_account_of_it() {
    let world = world().await;
    let (one, two) = (world.device(), world.device());
    let (here, there) = (device(&one, "a", "ios"), device(&two, "b", "android"));
    let first = world.ticket(gives("o1", None), here, NOW).await;
    let second = world.ticket(gives("o2", None), there, NOW).await;
    let number = phone("13800000001");
    world
        .store
        .slow
        .store(true, std::sync::atomic::Ordering::SeqCst);
    let (a, b) = tokio::join!(
        world.bind(binding(&first, &number, here), NOW),
        world.bind(binding(&second, &number, there), NOW)
    );
    let (won, lost) = if a.is_ok() { (a, b) } else { (b, a) };
    won.unwrap();
    assert!(matches!(
        refused(lost),
        LoginRefusal::PhoneTaken {
            reason: Taken::OtherWechat,
            ..
        }
    ));
    assert_eq!(world.lists_users().await.len(), 1);
}

#[tokio::test]
async fn a_number_that_was_given_to_somebody_else_starts_afresh() {
    let world = world().await;
    let secret = world.device();
    let mine = device(&secret, "a", "ios");
    let number = phone("13800000001");
    let old = world
        .member(gives("o1", None), "13800000001", mine)
        .await
        .user;
    let later = NOW.plus(world.engine.login().recycle_after);
    let ticket = world.ticket(gives("o2", None), mine, later).await;
    let plain = binding(&ticket, &number, mine);
    let asked = world.engine.bind(plain, later).await.unwrap();
    assert!(matches!(asked, BindStep::AskCarrier { since, .. } if since == NOW));
    let reissued = BindRequest {
        reissued: Some(true),
        ..plain
    };
    assert_eq!(
        refused(world.bind(reissued, later).await),
        LoginRefusal::RecycledSuspected
    );
    let fresh = BindRequest {
        fresh: true,
        ..reissued
    };
    let new = world.bind(fresh, later).await.unwrap().user;
    assert_ne!(new, old);
    let old = world.user(old).await;
    assert_eq!((old.phone, old.identities.len()), (None, 1));
    assert_eq!(world.user(new).await.phone, Some(number));
}

// --- linking ----------------------------------------------------------------------------------

#[tokio::test]
async fn linking_takes_what_is_free_and_refuses_what_is_not() {
    let world = world().await;
    let secret = world.device();
    let mine = device(&secret, "a", "ios");
    let number = phone("13800000001");
    let logged_in = world.login(&number, mine, NOW).await;
    let token = logged_in.pair.token.expose();
    let auth = world
        .engine
        .authenticate(token, Some(&secret), NOW)
        .await
        .unwrap();
    let user = Some(auth.user);
    let other = world.device();
    let elsewhere = device(&other, "b", "android");
    world
        .member(gives("o9", Some("u9")), "13800000009", elsewhere)
        .await;
    let taken = world
        .proved(Purpose::Link, user, gives("o9", Some("u9")), mine)
        .await;
    assert_eq!(
        refused(world.engine.link(&auth, &taken, NOW).await),
        LoginRefusal::WechatTaken
    );
    let free = world
        .proved(Purpose::Link, user, gives("o1", Some("u1")), mine)
        .await;
    world.engine.link(&auth, &free, NOW).await.unwrap();
    world.engine.link(&auth, &free, NOW).await.unwrap();
    let second = world
        .proved(Purpose::Link, user, gives("o2", Some("u2")), mine)
        .await;
    assert_eq!(
        refused(world.engine.link(&auth, &second, NOW).await),
        LoginRefusal::AlreadyLinked
    );
    let reauth = world
        .proved(Purpose::Reauth, user, gives("o1", Some("u1")), mine)
        .await;
    assert_eq!(
        refused(world.engine.link(&auth, &reauth, NOW).await),
        LoginRefusal::StateInvalid
    );
    // The number was proved at the login, five minutes ago.
    let late = world.engine.unlink(&auth, Provider::Wechat, at(300)).await;
    assert!(matches!(refused(late), LoginRefusal::StepUpRequired { .. }));
    world
        .engine
        .unlink(&auth, Provider::Wechat, at(299))
        .await
        .unwrap();
    assert!(world.user(auth.user).await.identities.is_empty());
    let none = world.engine.unlink(&auth, Provider::Wechat, at(299)).await;
    assert_eq!(refused(none), LoginRefusal::BadRequest { field: "wechat" });
}

#[tokio::test]
async fn the_last_way_in_is_not_unlinked() {
    let world = World::with(|settings| settings.bind_policy = BindPolicy::Optional).await;
    let secret = world.device();
    let mine = device(&secret, "a", "ios");
    let answer = world
        .arrive("mobile", gives("o1", None), mine, NOW)
        .await
        .unwrap();
    let LoginAnswer::Bound(in_) = answer else {
        panic!("not bound");
    };
    let token = in_.pair.token.expose();
    let auth = world.engine.authenticate(token, None, NOW).await.unwrap();
    let outcome = world.engine.unlink(&auth, Provider::Wechat, NOW).await;
    assert_eq!(refused(outcome), LoginRefusal::LastIdentity);
    let number = phone("13800000001");
    world
        .engine
        .change_phone(&auth, &number, PhoneProof::Carrier, NOW)
        .await
        .unwrap();
    let outcome = world.engine.unlink(&auth, Provider::Wechat, NOW).await;
    assert!(matches!(
        refused(outcome),
        LoginRefusal::StepUpRequired { .. }
    ));
}

#[tokio::test]
async fn whose_account_is_gone_meanwhile_has_no_session_rather_than_a_bad_ticket() {
    let world = World::new().await;
    let secret = world.device();
    let mine = device(&secret, "a", "ios");
    let number = phone("13800000001");
    let in_ = world.login(&number, mine, NOW).await;
    let token = in_.pair.token.expose();
    let auth = world.engine.authenticate(token, None, NOW).await.unwrap();
    for status in [UserStatus::Deleted, UserStatus::Merged(UserId(Number(7)))] {
        world.set_status(auth.user, status).await;
        let other = phone("13800000002");
        let proof = PhoneProof::Carrier;
        for outcome in [
            world.engine.unlink(&auth, Provider::Wechat, NOW).await,
            world.engine.change_phone(&auth, &other, proof, NOW).await,
            world.engine.request_deletion(&auth, NOW).await.map(|_| ()),
        ] {
            assert_eq!(refused(outcome), LoginRefusal::SessionInvalid);
        }
    }
}
