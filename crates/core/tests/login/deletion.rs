//! The end of an account: asked for, taken back, carried out; and what an upstream pushes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use yufu_core::engine::login::{Pushed, PushedEvent, PushedKind};
use yufu_core::id::{ClientId, UserId};
use yufu_core::identity::IdentityStatus;
use yufu_core::login::body::{Ending, Vault};
use yufu_core::login::{
    Authenticated, Device, Idempotency, LoggedIn, LoginAnswer, LoginRefusal, LoginStop,
};
use yufu_core::secret::Secret;
use yufu_core::store::{Browse, Change, Record, Store};
use yufu_core::ticket::Kind;
use yufu_core::time::Timestamp;
use yufu_core::user::{Handle, UserStatus};

use crate::upstream::*;
use crate::world::*;

const DAY: i64 = 86_400;

/// Mei, with a number and a login at the upstream.
struct Mei {
    w: World,
    secret: String,
    session: LoggedIn,
    user: UserId,
}

impl Mei {
    async fn new() -> Self {
        let w = World::with(at_leisure).await;
        let secret = w.device();
        let given = exchanged(&mobile_app(), "o-mei", Some("u-mei"));
        let session = w
            .wechat(given, device(&secret, "phone", "android"), NOW)
            .await;
        let user = session.user;
        w.give_phone(user, "13800000001").await;
        Self {
            w,
            secret,
            session,
            user,
        }
    }

    fn device(&self) -> Device<'_> {
        device(&self.secret, "phone", "android")
    }

    fn handles(&self) -> [Handle; 3] {
        [
            Handle::Phone(phone("13800000001")),
            Handle::of(&key(&mobile_app(), "o-mei")),
            Handle::of_person(&person("u-mei")),
        ]
    }

    async fn auth(&self, now: Timestamp) -> Authenticated {
        let token = self.session.pair.token.expose();
        self.w.engine.authenticate(token, None, now).await.unwrap()
    }

    async fn request(&self, now: Timestamp) -> Timestamp {
        let auth = self.auth(now).await;
        let until = self.w.engine.request_deletion(&auth, now).await.unwrap();
        self.w.store.lists();
        until
    }

    /// Logs in and hears that the account is about to be deleted.
    async fn cancel_ticket(&self, now: Timestamp) -> Secret {
        let given = exchanged(&mobile_app(), "o-mei", Some("u-mei"));
        let stop = self.w.try_wechat(given, self.device(), now).await;
        let LoginRefusal::Deleting { cancel_ticket, .. } = refused(stop) else {
            panic!("it is about to be deleted");
        };
        self.w.store.lists();
        cancel_ticket.unwrap()
    }

    async fn cancel(&self, ticket: &Secret, now: Timestamp) -> Result<LoggedIn, LoginStop> {
        let key = Idempotency(Some("k"));
        let device = self.device();
        self.w
            .engine
            .cancel_deletion(ticket.expose(), device, key, now)
            .await
    }

    async fn pushed(&self, kind: PushedKind, nonce: &str, now: Timestamp) -> Pushed {
        let app = mobile_app().appid;
        let event = PushedEvent {
            app: &app,
            openid: Some("o-mei"),
            unionid: None,
            kind,
            nonce,
            timestamp: now.seconds(),
        };
        self.w.engine.pushed(event, now).await.unwrap()
    }

    async fn vault(&self) -> Option<Vault> {
        let rows = self.w.lists.tickets(Kind::Vault, None, 10).await.unwrap();
        rows.first().map(|row| row.open::<Vault>().unwrap().body)
    }

    async fn told(&self, about: &str) -> usize {
        let notices = self.w.notices().await;
        notices
            .iter()
            .filter(|notice| notice.about == about)
            .count()
    }
}

// --- asked for --------------------------------------------------------------------------------

#[tokio::test]
async fn del_03_a_fresh_proof_closes_the_account_and_says_when_it_ends() {
    let mei = Mei::new().await;
    let auth = mei.auth(at(60)).await;
    let until = mei.w.engine.request_deletion(&auth, at(60)).await.unwrap();
    assert_eq!(until, at(60 + 7 * DAY));
    assert_eq!(
        mei.w.store.change(),
        [
            "put user",
            "notify session.ended",
            "issue erasure",
            "notify user.deletion_requested",
            "event user.deletion_requested",
        ]
    );
    assert_eq!(
        mei.w.user(mei.user).await.status,
        UserStatus::Deleting(until)
    );
    let token = mei.session.pair.token.expose();
    let stop = mei.w.engine.authenticate(token, None, at(61)).await;
    assert_eq!(refused(stop), LoginRefusal::SessionKicked { at: at(60) });
    // Asking again needs a session, and there is none.
    let again = mei.w.engine.request_deletion(&auth, at(62)).await;
    let refusal = refused(again);
    assert_eq!(
        refusal,
        LoginRefusal::Deleting {
            deletable_at: until,
            cancel_ticket: None,
            device_secret: None,
        }
    );
}

#[tokio::test]
async fn a_proof_that_is_not_fresh_is_asked_for_again() {
    let mei = Mei::new().await;
    let auth = mei.auth(at(300)).await;
    let stop = mei.w.engine.request_deletion(&auth, at(300)).await;
    let proofs: &[&str] = &["phone", "wechat"];
    assert_eq!(
        refused(stop),
        LoginRefusal::StepUpRequired {
            proofs,
            after: None
        }
    );
    assert!(mei.w.store.lists().is_empty());
    let row = mei.w.rows(mei.user).await.remove(0);
    mei.w
        .alter_row(row.number, |row| row.phone_proved_at = Some(at(290)))
        .await;
    mei.w.engine.request_deletion(&auth, at(300)).await.unwrap();
}

#[tokio::test]
async fn a_session_that_ended_since_asks_for_nothing() {
    let mei = Mei::new().await;
    let auth = mei.auth(at(1)).await;
    mei.w
        .engine
        .end_all_sessions(mei.user, at(2))
        .await
        .unwrap();
    let stop = mei.w.engine.request_deletion(&auth, at(3)).await;
    let kicked = LoginRefusal::SessionKicked { at: at(2) };
    assert_eq!(refused(stop), kicked);
    mei.w.set_status(mei.user, UserStatus::Restricted).await;
    let stop = mei.w.engine.request_deletion(&auth, at(3)).await;
    assert_eq!(refused(stop), LoginRefusal::Disabled);
}

// --- taken back -------------------------------------------------------------------------------

#[tokio::test]
async fn lgn_07_the_ticket_of_a_login_takes_it_back_once() {
    let mei = Mei::new().await;
    mei.request(at(60)).await;
    let ticket = mei.cancel_ticket(at(DAY)).await;
    assert!(matches!(
        mei.w.user(mei.user).await.status,
        UserStatus::Deleting(_)
    ));
    let back = mei.cancel(&ticket, at(DAY + 10)).await.unwrap();
    assert_eq!((back.user, back.is_bind), (mei.user, true));
    assert_eq!(mei.w.user(mei.user).await.status, UserStatus::Active);
    let token = back.pair.token.expose();
    mei.w
        .engine
        .authenticate(token, None, at(DAY + 11))
        .await
        .unwrap();
    assert_eq!(mei.told("user.deletion_cancelled").await, 1);
    // The same key hears the same answer; any other is refused.
    let again = mei.cancel(&ticket, at(DAY + 11)).await.unwrap();
    assert_eq!(again, back);
    let none = Idempotency(None);
    let stop = mei
        .w
        .engine
        .cancel_deletion(ticket.expose(), mei.device(), none, at(DAY + 12))
        .await;
    assert_eq!(refused(stop), LoginRefusal::TicketInvalid);
    // The day comes, and nothing happens.
    assert_eq!(mei.w.engine.erase_due(at(8 * DAY), 10).await.unwrap(), 0);
    assert_eq!(mei.w.user(mei.user).await.status, UserStatus::Active);
    assert_eq!(mei.w.engine.erase_due(at(9 * DAY), 10).await.unwrap(), 0);
}

#[tokio::test]
async fn an_owner_who_proved_the_number_takes_it_back_too() {
    let mei = Mei::new().await;
    mei.request(at(60)).await;
    let number = phone("13800000001");
    let stop = mei.w.try_login(&number, mei.device(), at(DAY)).await;
    let LoginRefusal::Deleting {
        cancel_ticket: Some(ticket),
        ..
    } = refused(stop)
    else {
        panic!("it is about to be deleted");
    };
    let back = mei.cancel(&ticket, at(DAY)).await.unwrap();
    assert_eq!((back.user, back.profile), (mei.user, None));
    let rows = mei.w.rows(mei.user).await;
    let row = &rows.last().unwrap().body;
    assert_eq!(row.phone_proved_at, Some(at(DAY)));
    assert_eq!((row.identity_proved_at, &row.identity), (None, &None));
}

#[tokio::test]
async fn a_cancel_ticket_is_of_its_device_and_of_its_kind() {
    let mei = Mei::new().await;
    mei.request(at(60)).await;
    let ticket = mei.cancel_ticket(at(DAY)).await;
    let other = mei.w.device();
    let none = Idempotency(None);
    let elsewhere = device(&other, "", "");
    let stop = mei
        .w
        .engine
        .cancel_deletion(ticket.expose(), elsewhere, none, at(DAY))
        .await;
    assert_eq!(refused(stop), LoginRefusal::TicketInvalid);
    // Shown by another device it is void for its own too (PHO-10).
    let stop = mei.cancel(&ticket, at(DAY)).await;
    assert_eq!(refused(stop), LoginRefusal::TicketInvalid);
    for nonsense in ["", "1", &other] {
        let stop = mei
            .w
            .engine
            .cancel_deletion(nonsense, mei.device(), none, at(DAY))
            .await;
        assert_eq!(refused(stop), LoginRefusal::TicketInvalid);
    }
    let ticket = mei.cancel_ticket(at(DAY + 1)).await;
    let stop = mei.cancel(&ticket, at(DAY + 601)).await;
    assert_eq!(refused(stop), LoginRefusal::TicketInvalid);
    assert!(matches!(
        mei.w.user(mei.user).await.status,
        UserStatus::Deleting(_)
    ));
}

#[tokio::test]
async fn a_second_request_counts_from_its_own_day() {
    let mei = Mei::new().await;
    mei.request(at(60)).await;
    let ticket = mei.cancel_ticket(at(DAY)).await;
    let back = mei.cancel(&ticket, at(DAY)).await.unwrap();
    let auth = mei
        .w
        .engine
        .authenticate(back.pair.token.expose(), None, at(2 * DAY))
        .await;
    assert!(auth.is_err(), "two hours are over");
    let ticket = mei.w.wechat(
        exchanged(&mobile_app(), "o-mei", None),
        mei.device(),
        at(2 * DAY),
    );
    let token = ticket.await.pair.token;
    let auth = mei
        .w
        .engine
        .authenticate(token.expose(), None, at(2 * DAY))
        .await
        .unwrap();
    let until = mei
        .w
        .engine
        .request_deletion(&auth, at(2 * DAY))
        .await
        .unwrap();
    assert_eq!(mei.w.engine.erase_due(at(8 * DAY), 10).await.unwrap(), 0);
    assert_eq!(
        mei.w.user(mei.user).await.status,
        UserStatus::Deleting(until)
    );
    assert_eq!(mei.w.engine.erase_due(until, 10).await.unwrap(), 1);
}

// --- carried out ------------------------------------------------------------------------------

#[tokio::test]
async fn on_its_day_everything_of_the_person_goes_but_a_tombstone() {
    let mei = Mei::new().await;
    mei.w
        .alter(mei.user, |user| {
            user.profile.nickname = "Mei".into();
            user.password = Some("phc".into());
        })
        .await;
    let until = mei.request(at(60)).await;
    assert_eq!(
        mei.w
            .engine
            .erase_due(Timestamp(until.0 - 1), 10)
            .await
            .unwrap(),
        0
    );
    assert_eq!(mei.w.engine.erase_due(until, 10).await.unwrap(), 1);
    let user = mei.w.user(mei.user).await;
    assert_eq!(user.status, UserStatus::Deleted);
    assert!(is_empty(&user), "{user:?}");
    for handle in mei.handles() {
        assert_eq!(mei.w.owner(&handle).await, None);
    }
    assert_eq!(mei.vault().await.unwrap().sealed.0, "");
    for row in mei.w.rows(mei.user).await {
        assert_eq!(row.body.ended.unwrap().by, Ending::Kicked);
        assert!(row.body.identity.is_none());
        assert_eq!(
            (row.body.device_id, row.body.address),
            (String::new(), String::new())
        );
    }
    assert_eq!(mei.told("user.deleted").await, 1);
    let events = mei.w.events().await;
    let (_, stones) = events
        .iter()
        .find(|(what, _)| what == "user.erased")
        .unwrap();
    let [number, identity, _] = mei.handles();
    for handle in [&number, &identity] {
        assert!(stones.contains(&mei.w.engine.tombstone(handle)));
    }
    assert!(!stones.contains("13800000001") && !stones.contains("o-mei"));
    // Once is enough.
    assert_eq!(mei.w.engine.erase_due(at(30 * DAY), 10).await.unwrap(), 0);
    assert_eq!(mei.told("user.deleted").await, 1);
}

#[tokio::test]
async fn lgn_08_whoever_comes_back_after_that_is_new() {
    let mei = Mei::new().await;
    let until = mei.request(at(60)).await;
    mei.w.engine.erase_due(until, 10).await.unwrap();
    let given = exchanged(&mobile_app(), "o-mei", Some("u-mei"));
    let back = mei.w.wechat(given, mei.device(), until).await;
    assert_ne!(back.user, mei.user);
    let number = phone("13800000001");
    let other = mei.w.device();
    let third = mei.w.login(&number, device(&other, "", ""), until).await;
    assert_ne!(third.user, mei.user);
}

#[tokio::test]
async fn a_cancel_after_the_day_wins_as_long_as_nobody_erased() {
    let mei = Mei::new().await;
    let until = mei.request(at(60)).await;
    let ticket = mei.cancel_ticket(until).await;
    mei.cancel(&ticket, until).await.unwrap();
    assert_eq!(mei.w.engine.erase_due(until, 10).await.unwrap(), 0);
    assert_eq!(mei.w.user(mei.user).await.status, UserStatus::Active);
    // And one after the erasure finds nobody.
    let mei = Mei::new().await;
    let until = mei.request(at(60)).await;
    let ticket = mei.cancel_ticket(until).await;
    mei.w.engine.erase_due(until, 10).await.unwrap();
    assert_eq!(
        refused(mei.cancel(&ticket, until).await),
        LoginRefusal::TicketInvalid
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn con_05_of_erasure_and_cancel_at_once_one_wins_whole() {
    for _ in 0..20 {
        let mei = Mei::new().await;
        let until = mei.request(at(60)).await;
        let ticket = mei.cancel_ticket(until).await;
        mei.w.store.slow.store(true, Ordering::SeqCst);
        let mei = Arc::new(mei);
        let erase = {
            let mei = mei.clone();
            tokio::spawn(async move { mei.w.engine.erase_due(until, 10).await.unwrap() })
        };
        let cancel = {
            let mei = mei.clone();
            tokio::spawn(async move { mei.cancel(&ticket, until).await })
        };
        let (erased, cancelled) = (erase.await.unwrap(), cancel.await.unwrap());
        let user = mei.w.user(mei.user).await;
        match cancelled {
            Ok(back) => {
                assert_eq!((erased, user.status), (0, UserStatus::Active));
                assert!(!user.identities.is_empty());
                let token = back.pair.token.expose();
                mei.w.engine.authenticate(token, None, until).await.unwrap();
            }
            Err(stop) => {
                assert_eq!(refused::<()>(Err(stop)), LoginRefusal::TicketInvalid);
                assert_eq!((erased, user.status), (1, UserStatus::Deleted));
                assert!(is_empty(&user));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn con_05_a_login_beside_a_request_or_an_erasure_never_lives_on_what_is_gone() {
    for erase in [false, true] {
        let mei = Mei::new().await;
        let now = at(60);
        let auth = mei.auth(now).await;
        let now = match erase {
            true => mei.request(now).await,
            false => now,
        };
        mei.w.store.slow.store(true, Ordering::SeqCst);
        let mei = Arc::new(mei);
        let logins: Vec<_> = (0..10)
            .map(|_| {
                let mei = mei.clone();
                tokio::spawn(async move {
                    let secret = mei.w.device();
                    let given = exchanged(&mobile_app(), "o-mei", Some("u-mei"));
                    mei.w
                        .try_wechat(given, device(&secret, "", "ios"), now)
                        .await
                })
            })
            .collect();
        let ending = {
            let mei = mei.clone();
            tokio::spawn(async move {
                match erase {
                    true => drop(mei.w.engine.erase_due(now, 10).await.unwrap()),
                    false => drop(mei.w.engine.request_deletion(&auth, now).await.unwrap()),
                }
            })
        };
        ending.await.unwrap();
        for login in logins {
            match login.await.unwrap() {
                Ok(LoginAnswer::Bound(back)) => {
                    let token = back.pair.token.expose();
                    let alive = mei.w.engine.authenticate(token, None, now).await.is_ok();
                    assert!(!alive || back.user != mei.user);
                }
                Ok(other) => panic!("{other:?}"),
                Err(stop) => {
                    let refusal = refused::<()>(Err(stop));
                    assert!(
                        matches!(refusal, LoginRefusal::Deleting { .. }),
                        "{refusal:?}"
                    );
                }
            }
        }
    }
}

// --- what an upstream pushes ------------------------------------------------------------------

#[tokio::test]
async fn del_04_what_was_withdrawn_is_erased_and_the_link_kept() {
    let mei = Mei::new().await;
    assert_eq!(
        mei.pushed(PushedKind::Revoked, "n1", at(60)).await,
        Pushed::Done
    );
    let known = mei
        .w
        .identity(mei.user, &key(&mobile_app(), "o-mei"))
        .await
        .unwrap();
    assert_eq!(known.status, IdentityStatus::Revoked);
    assert_eq!((known.nickname.as_str(), known.avatar.as_str()), ("", ""));
    assert_eq!(mei.vault().await.unwrap().sealed.0, "");
    assert_eq!(mei.w.user(mei.user).await.status, UserStatus::Active);
    for handle in mei.handles() {
        assert_eq!(mei.w.owner(&handle).await, Some(mei.user));
    }
    mei.auth(at(61)).await;
    assert_eq!(mei.told("identity.revoked").await, 1);
}

#[tokio::test]
async fn del_05_what_was_cancelled_there_is_free_and_the_number_still_works() {
    let mei = Mei::new().await;
    assert_eq!(
        mei.pushed(PushedKind::Cancelled, "n1", at(60)).await,
        Pushed::Done
    );
    let user = mei.w.user(mei.user).await;
    assert_eq!(
        (user.status, user.identities.len()),
        (UserStatus::Active, 0)
    );
    let [number, identity, union] = mei.handles();
    assert_eq!(mei.w.owner(&number).await, Some(mei.user));
    assert_eq!(mei.w.owner(&identity).await, None);
    assert_eq!(mei.w.owner(&union).await, None);
    assert_eq!(mei.vault().await.unwrap().sealed.0, "");
    let secret = mei.w.device();
    let here = device(&secret, "", "");
    let back = mei.w.login(&phone("13800000001"), here, at(61)).await;
    assert_eq!(back.user, mei.user);
    // The free login may go anywhere.
    let given = exchanged(&mobile_app(), "o-mei", Some("u-mei"));
    let other = mei.w.wechat(given, mei.device(), at(62)).await;
    assert_ne!(other.user, mei.user);
}

#[tokio::test]
async fn del_05_an_account_without_another_way_in_enters_the_path_to_its_end() {
    let w = World::with(at_leisure).await;
    let secret = w.device();
    let given = exchanged(&mobile_app(), "o-mei", None);
    let session = w.wechat(given, device(&secret, "", ""), NOW).await;
    let mei = Mei {
        user: session.user,
        w,
        secret,
        session,
    };
    mei.pushed(PushedKind::Cancelled, "n1", at(60)).await;
    let until = at(60 + 7 * DAY);
    assert_eq!(
        mei.w.user(mei.user).await.status,
        UserStatus::Deleting(until)
    );
    assert_eq!(mei.told("user.deletion_requested").await, 1);
    assert_eq!(mei.w.engine.erase_due(until, 10).await.unwrap(), 1);
    assert_eq!(mei.w.user(mei.user).await.status, UserStatus::Deleted);
}

#[tokio::test]
async fn another_login_of_the_same_person_keeps_the_person() {
    let mei = Mei::new().await;
    let given = exchanged(&website(), "o-site", Some("u-mei"));
    let secret = mei.w.device();
    let alias = mei.w.wechat(given, device(&secret, "", "web"), at(1)).await;
    assert_eq!(alias.user, mei.user);
    mei.pushed(PushedKind::Cancelled, "n1", at(60)).await;
    let [_, identity, union] = mei.handles();
    assert_eq!(mei.w.owner(&identity).await, None);
    assert_eq!(mei.w.owner(&union).await, Some(mei.user));
    assert_eq!(mei.w.user(mei.user).await.identities.len(), 1);
}

#[tokio::test]
async fn del_06_a_changed_profile_is_forgotten_and_read_again() {
    let mei = Mei::new().await;
    assert_eq!(
        mei.pushed(PushedKind::ProfileModified, "n1", at(60)).await,
        Pushed::Done
    );
    let known = mei
        .w
        .identity(mei.user, &key(&mobile_app(), "o-mei"))
        .await
        .unwrap();
    assert_eq!(
        (known.nickname.as_str(), known.status),
        ("", IdentityStatus::Linked)
    );
    let due = mei.w.engine.sync_due(at(60), 10).await.unwrap();
    assert_eq!(due.len(), 1);
    mei.auth(at(61)).await;
    // Two pushes are one reading.
    mei.pushed(PushedKind::ProfileModified, "n2", at(200)).await;
    mei.pushed(PushedKind::ProfileModified, "n3", at(200)).await;
    assert_eq!(mei.w.engine.sync_due(at(200), 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn del_07_a_push_counts_once_and_in_its_time() {
    let mei = Mei::new().await;
    let now = at(600);
    assert_eq!(
        mei.pushed(PushedKind::ProfileModified, "n1", now).await,
        Pushed::Done
    );
    mei.w.store.lists();
    assert_eq!(
        mei.pushed(PushedKind::Revoked, "n1", now).await,
        Pushed::Replayed
    );
    assert_eq!(mei.w.store.change(), ["event push.replayed"]);
    let app = mobile_app().appid;
    let event = |openid, seconds: i64| PushedEvent {
        app: &app,
        openid: Some(openid),
        unionid: None,
        kind: PushedKind::Revoked,
        nonce: "n2",
        timestamp: now.seconds() + seconds,
    };
    for seconds in [-301, 301, i64::MAX / 2] {
        let heard = mei
            .w
            .engine
            .pushed(event("o-mei", seconds), now)
            .await
            .unwrap();
        assert_eq!(heard, Pushed::Stale, "{seconds}");
    }
    let heard = mei.w.engine.pushed(event("o-eve", 0), now).await.unwrap();
    assert_eq!(heard, Pushed::Unknown);
    let elsewhere = ClientId::new("wx-not-ours");
    let foreign = PushedEvent {
        app: &elsewhere,
        ..event("o-mei", 0)
    };
    assert_eq!(
        mei.w.engine.pushed(foreign, now).await.unwrap(),
        Pushed::Unknown
    );
    let known = mei
        .w
        .identity(mei.user, &key(&mobile_app(), "o-mei"))
        .await
        .unwrap();
    assert_eq!(known.status, IdentityStatus::Linked);
    // Five minutes either way are in time.
    for seconds in [-300, 300] {
        let heard = mei
            .w
            .engine
            .pushed(event("o-mei", seconds), now)
            .await
            .unwrap();
        assert_eq!(heard, Pushed::Done);
    }
}

#[tokio::test]
async fn a_push_without_an_openid_means_the_person_at_that_app() {
    let mei = Mei::new().await;
    let given = exchanged(&website(), "o-site", Some("u-mei"));
    let secret = mei.w.device();
    mei.w.wechat(given, device(&secret, "", "web"), at(1)).await;
    let app = website().appid;
    let event = |unionid, nonce| PushedEvent {
        app: &app,
        openid: None,
        unionid,
        kind: PushedKind::Revoked,
        nonce,
        timestamp: at(60).seconds(),
    };
    let heard = mei.w.engine.pushed(event(None, "1"), at(60)).await.unwrap();
    assert_eq!(heard, Pushed::Unknown);
    let heard = mei
        .w
        .engine
        .pushed(event(Some("u-eve"), "2"), at(60))
        .await
        .unwrap();
    assert_eq!(heard, Pushed::Unknown);
    let heard = mei
        .w
        .engine
        .pushed(event(Some("u-mei"), "3"), at(60))
        .await
        .unwrap();
    assert_eq!(heard, Pushed::Done);
    for (app, openid, status) in [
        (website(), "o-site", IdentityStatus::Revoked),
        (mobile_app(), "o-mei", IdentityStatus::Linked),
    ] {
        let known = mei.w.identity(mei.user, &key(&app, openid)).await.unwrap();
        assert_eq!(known.status, status);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_one_push_heard_by_many_at_once_one_takes_effect() {
    let mei = Arc::new(Mei::new().await);
    mei.w.store.slow.store(true, Ordering::SeqCst);
    let all: Vec<_> = (0..20)
        .map(|_| {
            let mei = mei.clone();
            tokio::spawn(async move { mei.pushed(PushedKind::Cancelled, "n", at(60)).await })
        })
        .collect();
    let mut effects = 0;
    for one in all {
        effects += usize::from(one.await.unwrap() == Pushed::Done);
    }
    assert_eq!(effects, 1);
    assert_eq!(mei.told("user.unlinked").await, 1);
}

// --- the export -------------------------------------------------------------------------------

#[tokio::test]
async fn an_export_tells_everything_but_secrets() {
    let mei = Mei::new().await;
    let auth = mei.auth(at(1)).await;
    let export = mei.w.engine.export(&auth).await.unwrap();
    assert_eq!(export.phone.as_deref(), Some("+8613800000001"));
    assert_eq!(export.identities[0].openid, "o-mei");
    assert_eq!(export.identities[0].unionids, ["u-mei"]);
    assert_eq!(export.sessions[0].device_id, "phone");
    assert_eq!(export.sessions[0].address, HERE);
    assert!(
        export
            .events
            .iter()
            .any(|event| event.what == "user.created")
    );
    let text = serde_json::to_string(&export).unwrap();
    let pair = &mei.session.pair;
    for secret in [
        pair.token.expose(),
        pair.refresh_token.expose(),
        "access-o-mei",
        &mei.secret,
    ] {
        assert!(!text.contains(secret));
    }
    mei.w.set_status(mei.user, UserStatus::Deleted).await;
    let stop = mei.w.engine.export(&auth).await;
    assert_eq!(refused(stop), LoginRefusal::SessionInvalid);
}

#[tokio::test]
async fn a_row_that_another_process_has_taken_is_theirs() {
    let mei = Mei::new().await;
    let until = mei.request(at(60)).await;
    let row = mei
        .w
        .lists
        .due(Kind::Erasure, until, 1)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(
        (row.ticket.user, row.ticket.expires_at),
        (Some(mei.user), until)
    );
    let taken = Change::Take {
        kind: Kind::Erasure,
        number: row.ticket.number,
        at: until,
    };
    mei.w.store.commit(vec![taken]).await.unwrap();
    assert_eq!(mei.w.engine.erase_due(until, 10).await.unwrap(), 0);
}

impl World {
    /// Gives a user a number behind the engine's back.
    pub(crate) async fn give_phone(&self, user: UserId, number: &str) {
        let number = phone(number);
        let handle = Change::Put(Record::Handle(Handle::Phone(number.clone()), user));
        self.store.memory.commit(vec![handle]).await.unwrap();
        self.alter(user, |user| user.phone = Some(number)).await;
    }
}
