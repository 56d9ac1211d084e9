//! Sessions of devices: beginning, every call, the ways to end, the list of devices.

use std::sync::atomic::Ordering;

use proptest::prelude::*;
use yufu_core::engine::login::PhoneProof;
use yufu_core::id::{Number, UserId};
use yufu_core::login::body::{Ended, Ending};
use yufu_core::login::{Authenticated, DevicePolicy, LoggedIn, LoginRefusal, LoginStop, Yields};
use yufu_core::store::{Browse as _, Store as _};
use yufu_core::ticket::Kind;
use yufu_core::time::{Lifetime, Timestamp};
use yufu_core::user::{Phone, UserStatus};

use crate::world::{HERE, World, at, device, phone, refused};

/// One person who is logged in on one device.
struct Scene {
    world: World,
    number: Phone,
    secret: String,
    mei: LoggedIn,
}

impl Scene {
    async fn new() -> Self {
        Self::over(World::new().await).await
    }

    async fn over(world: World) -> Self {
        let (number, secret) = (phone("13800000001"), world.device());
        let mei = world
            .login(&number, device(&secret, "Pixel", "android"), at(0))
            .await;
        Self {
            world,
            number,
            secret,
            mei,
        }
    }

    fn token(&self) -> &str {
        self.mei.pair.token.expose()
    }

    fn refresh_token(&self) -> &str {
        self.mei.pair.refresh_token.expose()
    }

    async fn call(&self, token: &str, now: Timestamp) -> Result<Authenticated, LoginStop> {
        self.world.engine.authenticate(token, None, now).await
    }

    async fn auth(&self, now: Timestamp) -> Authenticated {
        self.call(self.token(), now).await.unwrap()
    }

    async fn refresh(&self, token: &str, now: Timestamp) -> Result<LoggedIn, LoginStop> {
        let device = device(&self.secret, "", "");
        self.world.engine.refresh(token, device, now).await
    }

    async fn number_of(&self) -> Number {
        self.world.rows(self.mei.user).await[0].number
    }

    async fn ended(&self, i: usize) -> Option<Ended> {
        self.world.rows(self.mei.user).await[i].body.ended.clone()
    }
}

fn ended(by: Ending, now: Timestamp, device: &str) -> Option<Ended> {
    Some(Ended {
        by,
        at: now,
        device: device.to_owned(),
    })
}

// --- beginning ------------------------------------------------------------------------------

#[tokio::test]
async fn a_login_leaves_one_row_and_one_line() {
    let world = World::new().await;
    let (number, secret) = (phone("13800000001"), world.device());
    let pixel = device(&secret, "Pixel", "android");
    let mei = world.try_login(&number, pixel, at(0)).await.unwrap();
    let change = world.store.change();
    let of_session = |word: &&String| word.contains("device") || word.contains("session");
    let of_session: Vec<_> = change.iter().filter(of_session).collect();
    assert_eq!(of_session, ["issue device", "event session.began"]);
    assert_eq!(mei.pair.expires_in, Lifetime::minutes(120));

    let rows = world.rows(mei.user).await;
    assert_eq!(rows.len(), 1);
    let (row, body) = (&rows[0], &rows[0].body);
    assert_eq!(row.user, Some(mei.user));
    assert_eq!((row.issued_at, row.expires_at), (at(0), at(30 * 86_400)));
    assert_eq!((row.taken_at, row.revoked_at, row.version), (None, None, 1));
    assert_eq!(row.hash, body.refresh);
    assert_eq!(
        (body.device_id.as_str(), body.platform.as_str()),
        ("Pixel", "android")
    );
    assert_eq!(body.address, HERE);
    assert_eq!((body.identity.as_ref(), body.previous), (None, None));
    assert_eq!(body.access_until, at(7200));
    assert_eq!(body.ends_at, at(90 * 86_400));
    assert_eq!((body.began_at, body.seen_at), (at(0), at(0)));
    assert_eq!(body.phone_proved_at, Some(at(0)));
    assert_eq!((body.identity_proved_at, body.suspended), (None, false));
    assert_eq!(body.ended, None);
    let user = world.user(mei.user).await;
    assert_eq!((user.seen_at, body.from), (Some(at(0)), user.sessions_from));
    // No secret is in the row.
    let raw = world
        .store
        .memory
        .tickets(Kind::Device, None, 9)
        .await
        .unwrap();
    let text = String::from_utf8(raw[0].ticket.body.clone()).unwrap();
    for hidden in [
        mei.pair.token.expose(),
        mei.pair.refresh_token.expose(),
        &secret,
    ] {
        assert!(!text.contains(hidden));
    }
}

#[tokio::test]
async fn a_session_token_lets_in() {
    let scene = Scene::new().await;
    let auth = scene.auth(at(1)).await;
    assert_eq!(auth.user, scene.mei.user);
    assert_eq!(auth.session, scene.number_of().await);
    assert_eq!(
        (auth.device_id.as_str(), auth.platform.as_str()),
        ("Pixel", "android")
    );
    assert_eq!((auth.expires_at, auth.authenticated_at), (at(7200), at(0)));
    assert!(auth.is_bind);
    // With the device's secret too, and nothing was written.
    let secret = Some(scene.secret.as_str());
    let again = scene
        .world
        .engine
        .authenticate(scene.token(), secret, at(2))
        .await;
    assert_eq!(again.unwrap().session, auth.session);
    assert!(scene.world.store.lists().is_empty());
}

#[tokio::test]
async fn a_new_login_on_the_same_device_ends_the_old_one_without_a_word() {
    let scene = Scene::new().await;
    let pixel = device(&scene.secret, "Pixel", "android");
    let again = scene.world.login(&scene.number, pixel, at(5)).await;
    assert_eq!(scene.ended(0).await, ended(Ending::LoggedOut, at(5), ""));
    assert_eq!(scene.ended(1).await, None);
    assert!(
        scene
            .world
            .notices()
            .await
            .iter()
            .all(|n| n.about != "session.ended")
    );
    assert_eq!(
        refused(scene.call(scene.token(), at(6)).await),
        LoginRefusal::SessionInvalid
    );
    scene.call(again.pair.token.expose(), at(6)).await.unwrap();
}

#[tokio::test]
async fn of_two_logins_at_once_one_sees_the_other() {
    let world = World::with(|login| login.device_policy = DevicePolicy::Exclusive).await;
    let number = phone("13800000001");
    let (a, b, c) = (world.device(), world.device(), world.device());
    let first = world.login(&number, device(&a, "a", "ios"), at(0)).await;
    world.store.slow.store(true, Ordering::SeqCst);
    let (one, two) = tokio::join!(
        world.try_login(&number, device(&b, "b", "ios"), at(1)),
        world.try_login(&number, device(&c, "c", "ios"), at(1)),
    );
    let tokens = [first, one.unwrap(), two.unwrap()];
    let mut good = 0;
    for logged_in in &tokens {
        let token = logged_in.pair.token.expose();
        good += usize::from(
            world
                .engine
                .introspect(token, at(2))
                .await
                .unwrap()
                .is_some(),
        );
    }
    assert_eq!(good, 1);
    let rows = world.rows(tokens[0].user).await;
    let living = rows.iter().filter(|row| row.body.ended.is_none());
    assert_eq!(living.count(), 1);
}

#[tokio::test]
async fn no_session_begins_on_an_account_that_nobody_may_enter() {
    // The bookkeeping is as wrong as it can be: the number still leads to the account.
    for (status, answer) in [
        (UserStatus::Restricted, LoginRefusal::Disabled),
        (UserStatus::Deleting(at(99)), LoginRefusal::Conflict),
        (UserStatus::Deleted, LoginRefusal::Conflict),
        (
            UserStatus::Merged(UserId(Number(7))),
            LoginRefusal::Conflict,
        ),
    ] {
        let scene = Scene::new().await;
        scene.world.set_status(scene.mei.user, status).await;
        let other = scene.world.device();
        let outcome = scene
            .world
            .try_login(&scene.number, device(&other, "", "ios"), at(1))
            .await;
        match refused(outcome) {
            refusal if refusal == answer => {}
            // Judged before the session is begun.
            LoginRefusal::Deleting { .. } | LoginRefusal::Conflict => {}
            other => panic!("{status:?}: {other:?}"),
        }
        assert_eq!(
            scene.world.rows(scene.mei.user).await.len(),
            1,
            "{status:?}"
        );
    }
}

// --- what lets nobody in --------------------------------------------------------------------

#[tokio::test]
async fn what_is_no_token_of_ours_is_told_nothing() {
    let scene = Scene::new().await;
    let unknown = scene.world.device();
    let mut texts = vec![
        String::new(),
        "x".repeat(10_000),
        "1".repeat(39),
        "鱼符".to_owned(),
        unknown,
        scene.secret.clone(),
        scene.refresh_token().to_owned(),
    ];
    for i in 0..scene.token().len() {
        let mut bytes = scene.token().as_bytes().to_vec();
        bytes[i] = if bytes[i] == b'a' { b'b' } else { b'a' };
        texts.push(String::from_utf8(bytes).unwrap());
    }
    for text in &texts {
        let refusal = refused(scene.call(text, at(1)).await);
        assert_eq!(refusal, LoginRefusal::SessionInvalid, "{text}");
    }
    assert!(scene.world.store.lists().is_empty());
    scene.auth(at(1)).await;
}

#[tokio::test]
async fn a_session_token_ends_at_its_millisecond() {
    let scene = Scene::new().await;
    let end = at(7200);
    scene.auth(Timestamp(end.0 - 1)).await;
    assert_eq!(
        refused(scene.call(scene.token(), end).await),
        LoginRefusal::SessionExpired
    );
    // Long after the row's own end too, as long as the row is there.
    let late = at(400 * 86_400);
    assert_eq!(
        refused(scene.call(scene.token(), late).await),
        LoginRefusal::SessionExpired
    );
    // A clock that was turned back brings it back.
    scene.auth(at(-10)).await;
}

#[tokio::test]
async fn each_ending_is_told_to_the_last_tokens_and_to_nobody_else() {
    let replaced = LoginRefusal::SessionReplaced {
        at: at(9),
        device: "ios/Y".to_owned(),
    };
    for (by, said) in [
        (Ending::LoggedOut, LoginRefusal::SessionInvalid),
        (Ending::Stolen, LoginRefusal::SessionInvalid),
        (Ending::Replaced, replaced),
        (Ending::Kicked, LoginRefusal::SessionKicked { at: at(9) }),
        (Ending::Reused, LoginRefusal::RefreshReused),
    ] {
        let scene = Scene::new().await;
        let next = scene.refresh(scene.refresh_token(), at(1)).await.unwrap();
        let third = scene
            .refresh(next.pair.refresh_token.expose(), at(2))
            .await
            .unwrap();
        let number = scene.number_of().await;
        let end = ended(by, at(9), "ios/Y");
        scene.world.alter_row(number, |body| body.ended = end).await;
        scene.world.store.lists();
        for now in [at(12), at(9000), at(100 * 86_400)] {
            let last = refused(scene.call(third.pair.token.expose(), now).await);
            assert_eq!(last, said);
            for known in [&third, &next] {
                let token = known.pair.refresh_token.expose();
                assert_eq!(refused(scene.refresh(token, now).await), said);
            }
            for older in [scene.token(), next.pair.token.expose()] {
                let refusal = refused(scene.call(older, now).await);
                assert_eq!(refusal, LoginRefusal::SessionInvalid);
            }
            let first = refused(scene.refresh(scene.refresh_token(), now).await);
            assert_eq!(first, LoginRefusal::SessionInvalid);
        }
        assert!(scene.world.store.lists().is_empty(), "{by:?}");
    }
}

#[tokio::test]
async fn the_account_decides_before_the_session() {
    for (status, said) in [
        (UserStatus::Restricted, LoginRefusal::Disabled),
        (
            UserStatus::Deleting(at(99)),
            LoginRefusal::SessionKicked { at: at(3) },
        ),
        (UserStatus::Deleted, LoginRefusal::SessionInvalid),
        (
            UserStatus::Merged(UserId(Number(7))),
            LoginRefusal::SessionInvalid,
        ),
    ] {
        let scene = Scene::new().await;
        let alter = |user: &mut yufu_core::user::User| {
            user.status = status;
            user.sessions_from = at(3);
        };
        scene.world.alter(scene.mei.user, alter).await;
        assert_eq!(refused(scene.call(scene.token(), at(4)).await), said);
        let refreshed = scene.refresh(scene.refresh_token(), at(4)).await;
        assert_eq!(refused(refreshed), said);
        let introspected = scene.world.engine.introspect(scene.token(), at(4)).await;
        assert!(introspected.unwrap().is_none());
        assert!(scene.world.store.lists().is_empty());
    }
}

#[tokio::test]
async fn a_suspended_session_asks_for_the_upstream() {
    let scene = Scene::new().await;
    let number = scene.number_of().await;
    scene
        .world
        .alter_row(number, |body| body.suspended = true)
        .await;
    assert_eq!(
        refused(scene.call(scene.token(), at(1)).await),
        LoginRefusal::Reauthorize
    );
    let refreshed = scene.refresh(scene.refresh_token(), at(1)).await;
    assert_eq!(refused(refreshed), LoginRefusal::Reauthorize);
    assert!(scene.world.store.lists().is_empty());
    // Also when its time is over, and it ends as any other does.
    let late = refused(scene.call(scene.token(), at(8000)).await);
    assert_eq!(late, LoginRefusal::Reauthorize);
    let pixel = device(&scene.secret, "Pixel", "android");
    scene.world.login(&scene.number, pixel, at(9)).await;
    assert_eq!(scene.ended(0).await, ended(Ending::LoggedOut, at(9), ""));
}

#[tokio::test]
async fn ses_07_a_token_with_another_devices_secret_ends_the_session() {
    let scene = Scene::new().await;
    let thief = scene.world.device();
    let before = scene.world.events().await.len();
    let call = scene
        .world
        .engine
        .authenticate(scene.token(), Some(&thief), at(1));
    assert_eq!(refused(call.await), LoginRefusal::SessionInvalid);
    assert_eq!(
        scene.world.store.change(),
        [
            "amend device",
            "notify session.ended",
            "event session.ended",
            "event token_theft"
        ]
    );
    assert_eq!(scene.ended(0).await, ended(Ending::Stolen, at(1), ""));
    let events = scene.world.events().await;
    let words: Vec<_> = events[before..]
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    assert_eq!(
        words,
        [
            ("session.ended", "stolen"),
            ("token_theft", "android/Pixel")
        ]
    );
    // Neither the thief nor the owner may go on, and neither is told why.
    for secret in [&thief, &scene.secret] {
        let call = scene
            .world
            .engine
            .authenticate(scene.token(), Some(secret), at(2));
        assert_eq!(refused(call.await), LoginRefusal::SessionInvalid);
    }
    let refreshed = scene.refresh(scene.refresh_token(), at(2)).await;
    assert_eq!(refused(refreshed), LoginRefusal::SessionInvalid);
    assert!(scene.world.store.lists().is_empty());
}

#[tokio::test]
async fn what_is_no_device_secret_proves_no_theft() {
    let scene = Scene::new().await;
    for secret in ["", "Pixel", "1AAAA"] {
        let call = scene
            .world
            .engine
            .authenticate(scene.token(), Some(secret), at(1));
        assert_eq!(
            refused(call.await),
            LoginRefusal::SessionInvalid,
            "{secret}"
        );
    }
    assert!(scene.world.store.lists().is_empty());
    scene.auth(at(1)).await;
}

#[tokio::test]
async fn a_house_may_want_the_device_at_every_call() {
    let world = World::with(|login| login.device_on_every_call = true).await;
    let scene = Scene::over(world).await;
    assert_eq!(
        refused(scene.call(scene.token(), at(1)).await),
        LoginRefusal::SessionInvalid
    );
    let secret = Some(scene.secret.as_str());
    scene
        .world
        .engine
        .authenticate(scene.token(), secret, at(1))
        .await
        .unwrap();
    // Who only asks about a token has no device.
    let asked = scene.world.engine.introspect(scene.token(), at(1)).await;
    assert_eq!(asked.unwrap().unwrap().user, scene.mei.user);
    assert!(scene.world.store.lists().is_empty());
}

// --- all at once, by value ------------------------------------------------------------------

#[tokio::test]
async fn ending_all_bites_within_the_same_millisecond() {
    let scene = Scene::new().await;
    let mut token = scene.token().to_owned();
    for _ in 0..3 {
        scene.call(&token, at(0)).await.unwrap();
        scene
            .world
            .engine
            .end_all_sessions(scene.mei.user, at(0))
            .await
            .unwrap();
        let change = scene.world.store.change();
        assert_eq!(
            change,
            [
                "notify session.ended",
                "put user",
                "notify session.all_ended",
                "event session.all_ended"
            ]
        );
        let from = scene.world.user(scene.mei.user).await.sessions_from;
        let kicked = LoginRefusal::SessionKicked { at: from };
        assert_eq!(refused(scene.call(&token, at(0)).await), kicked);
        // The next one, in the same millisecond and on a new device, lives.
        let next = scene.world.device();
        let next = scene
            .world
            .login(&scene.number, device(&next, "", "ios"), at(0))
            .await;
        token = next.pair.token.expose().to_owned();
    }
    scene.call(&token, at(0)).await.unwrap();
    let first = refused(scene.refresh(scene.refresh_token(), at(0)).await);
    assert!(matches!(first, LoginRefusal::SessionKicked { .. }));
    let rows = scene.world.rows(scene.mei.user).await;
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| row.body.ended.is_none()));
}

#[tokio::test]
async fn ending_all_holds_under_a_clock_that_is_turned_back() {
    let scene = Scene::new().await;
    let user = scene.mei.user;
    scene
        .world
        .engine
        .end_all_sessions(user, at(100))
        .await
        .unwrap();
    scene
        .world
        .engine
        .end_all_sessions(user, at(-100))
        .await
        .unwrap();
    let at = Timestamp(at(100).0 + 1);
    let kicked = LoginRefusal::SessionKicked { at };
    assert_eq!(
        refused(scene.call(scene.token(), crate::world::at(-50)).await),
        kicked
    );
}

#[tokio::test]
async fn nobody_unknown_is_logged_out() {
    let world = World::new().await;
    let nobody = UserId(Number(1));
    let unknown = LoginRefusal::BadRequest { field: "user" };
    let ended = world.engine.end_all_sessions(nobody, at(0)).await;
    assert_eq!(refused(ended), unknown);
    assert_eq!(
        refused(world.engine.sessions_of(nobody, at(0)).await),
        unknown
    );
}

#[tokio::test]
async fn ses_06_a_changed_number_ends_the_others_and_keeps_this_one() {
    let scene = Scene::new().await;
    let other = scene.world.device();
    let other = device(&other, "Pad", "ios");
    let other = scene.world.login(&scene.number, other, at(1)).await;
    let auth = scene.auth(at(2)).await;
    let new = phone("13800000009");
    let change = scene
        .world
        .engine
        .change_phone(&auth, &new, PhoneProof::Carrier, at(2));
    change.await.unwrap();
    let from = scene.world.user(scene.mei.user).await.sessions_from;
    assert_eq!(scene.world.rows(scene.mei.user).await[0].body.from, from);
    scene.auth(at(3)).await;
    let kicked = LoginRefusal::SessionKicked { at: from };
    assert_eq!(
        refused(scene.call(other.pair.token.expose(), at(3)).await),
        kicked
    );
    // What was kept can be refreshed, and what was ended keeps nobody.
    scene.refresh(scene.refresh_token(), at(3)).await.unwrap();
    let stale = Authenticated {
        session: scene.world.rows(scene.mei.user).await[1].number,
        ..auth
    };
    let again = phone("13800000010");
    let change = scene
        .world
        .engine
        .change_phone(&stale, &again, PhoneProof::Carrier, at(4));
    assert_eq!(refused(change.await), kicked);
    assert_eq!(scene.world.user(scene.mei.user).await.phone, Some(new));
}

#[tokio::test]
async fn a_session_that_is_over_keeps_nothing() {
    let scene = Scene::new().await;
    let auth = scene.auth(at(1)).await;
    scene.world.engine.logout(&auth, at(1)).await.unwrap();
    let new = phone("13800000009");
    let change = scene
        .world
        .engine
        .change_phone(&auth, &new, PhoneProof::Carrier, at(2));
    assert_eq!(refused(change.await), LoginRefusal::SessionInvalid);
    assert_eq!(
        scene.world.user(scene.mei.user).await.phone,
        Some(scene.number.clone())
    );
}

#[tokio::test]
async fn a_row_kept_in_memory_turns_nobody_away_who_is_in() {
    let scene = Scene::new().await;
    let keep = async || {
        let number = scene.number_of().await;
        let store = &scene.world.store;
        let raw = store.memory.ticket(Kind::Device, number).await.unwrap();
        *store.kept.lock().unwrap() = raw;
    };
    // Another process rotated the pair; this one still has the row of before.
    keep().await;
    let next = scene.refresh(scene.refresh_token(), at(1)).await.unwrap();
    let token = next.pair.token.expose();
    let auth = scene.call(token, at(2)).await.unwrap();
    let third = scene.refresh(next.pair.refresh_token.expose(), at(2)).await;
    let third = third.unwrap().pair;
    // It kept this session while all others ended.
    keep().await;
    let new = phone("13800000009");
    let change = scene
        .world
        .engine
        .change_phone(&auth, &new, PhoneProof::Carrier, at(3));
    change.await.unwrap();
    scene.call(third.token.expose(), at(3)).await.unwrap();
    // It ended it: what is changed is never what was kept.
    keep().await;
    let number = scene.number_of().await;
    let end = ended(Ending::Kicked, at(4), "");
    scene
        .world
        .alter_row(number, |body| body.ended = end.clone())
        .await;
    scene.world.engine.logout(&auth, at(5)).await.unwrap();
    assert_eq!(scene.ended(0).await, end);
    let refreshed = scene.refresh(third.refresh_token.expose(), at(5)).await;
    assert_eq!(
        refused(refreshed),
        LoginRefusal::SessionKicked { at: at(4) }
    );
}

// --- the list of devices --------------------------------------------------------------------

#[tokio::test]
async fn ses_05_a_logout_ends_this_session_and_no_other() {
    let scene = Scene::new().await;
    let pad = scene.world.device();
    let pad = scene
        .world
        .login(&scene.number, device(&pad, "Pad", "ios"), at(1))
        .await;
    let auth = scene.auth(at(2)).await;
    scene.world.engine.logout(&auth, at(2)).await.unwrap();
    assert_eq!(
        scene.world.store.change(),
        [
            "amend device",
            "notify session.ended",
            "event session.ended"
        ]
    );
    assert_eq!(scene.ended(0).await, ended(Ending::LoggedOut, at(2), ""));
    let rows = scene.world.rows(scene.mei.user).await;
    assert_eq!(rows[0].expires_at, at(2));
    assert_eq!(
        refused(scene.call(scene.token(), at(3)).await),
        LoginRefusal::SessionInvalid
    );
    scene.call(pad.pair.token.expose(), at(3)).await.unwrap();
    // Once more is nothing.
    scene.world.engine.logout(&auth, at(4)).await.unwrap();
    assert!(scene.world.store.lists().is_empty());
    assert_eq!(scene.ended(0).await, ended(Ending::LoggedOut, at(2), ""));
}

#[tokio::test]
async fn the_list_shows_what_lives_and_hides_when_it_was_made() {
    let scene = Scene::new().await;
    let (pad, web) = (scene.world.device(), scene.world.device());
    scene
        .world
        .login(&scene.number, device(&pad, "Pad", "ios"), at(1))
        .await;
    let web = scene
        .world
        .login(&scene.number, device(&web, "", "web"), at(2))
        .await;
    scene.refresh(scene.refresh_token(), at(3)).await.unwrap();
    let auth = scene.call(web.pair.token.expose(), at(4)).await.unwrap();
    let list = scene.world.engine.sessions(&auth, at(4)).await.unwrap();
    let seen: Vec<_> = list
        .iter()
        .map(|s| {
            (
                s.platform.as_str(),
                s.device_id.as_str(),
                s.began_at,
                s.seen_at,
                s.current,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("web", "", at(2), at(2), true),
            ("ios", "Pad", at(1), at(1), false),
            ("android", "Pixel", at(0), at(3), false),
        ]
    );
    assert!(list.iter().all(|session| session.address == HERE));
    let rows = scene.world.rows(scene.mei.user).await;
    for (view, row) in list.iter().rev().zip(&rows) {
        assert!(!view.id.contains(&format!("{:x}", row.number.0 >> 21)));
        assert_eq!(view.id.len(), 32);
    }
    // Stable, and each its own.
    let again = scene
        .world
        .engine
        .sessions_of(scene.mei.user, at(5))
        .await
        .unwrap();
    let ids = |list: &[yufu_core::engine::login::SessionView]| {
        list.iter().map(|s| s.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&again), ids(&list));
    assert!(again.iter().all(|session| !session.current));
    let mut unique = ids(&list);
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), 3);
    // What is over, in whatever way, is not shown.
    scene.world.engine.logout(&auth, at(6)).await.unwrap();
    let rest = scene
        .world
        .engine
        .sessions_of(scene.mei.user, at(6))
        .await
        .unwrap();
    assert_eq!(ids(&rest), ids(&list)[1..]);
    let late = at(31 * 86_400);
    assert!(
        scene
            .world
            .engine
            .sessions_of(scene.mei.user, late)
            .await
            .unwrap()
            .is_empty()
    );
    scene
        .world
        .engine
        .end_all_sessions(scene.mei.user, at(7))
        .await
        .unwrap();
    assert!(
        scene
            .world
            .engine
            .sessions_of(scene.mei.user, at(7))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn ses_04_a_device_that_is_removed_is_told_so() {
    let scene = Scene::new().await;
    let pad = scene.world.device();
    let pad = scene
        .world
        .login(&scene.number, device(&pad, "Pad", "ios"), at(1))
        .await;
    let auth = scene.call(pad.pair.token.expose(), at(2)).await.unwrap();
    let list = scene.world.engine.sessions(&auth, at(2)).await.unwrap();
    let pixel = &list[1];
    scene
        .world
        .engine
        .end_session(&auth, &pixel.id, at(2))
        .await
        .unwrap();
    let notices = scene.world.notices().await;
    let notice = notices.iter().find(|n| n.about == "session.ended").unwrap();
    let expected = format!(
        r#"{{"device_id":"Pixel","platform":"android","reason":"kicked","session":"{}"}}"#,
        pixel.id
    );
    assert_eq!(
        (notice.data.as_str(), notice.user),
        (expected.as_str(), scene.mei.user)
    );
    assert_eq!(scene.ended(0).await, ended(Ending::Kicked, at(2), ""));
    let kicked = LoginRefusal::SessionKicked { at: at(2) };
    assert_eq!(refused(scene.call(scene.token(), at(3)).await), kicked);
    assert_eq!(
        refused(scene.refresh(scene.refresh_token(), at(3)).await),
        kicked
    );
    // The own one is a logout.
    scene
        .world
        .engine
        .end_session(&auth, &list[0].id, at(3))
        .await
        .unwrap();
    assert_eq!(scene.ended(1).await, ended(Ending::LoggedOut, at(3), ""));
}

#[tokio::test]
async fn nobody_removes_what_they_do_not_have() {
    let scene = Scene::new().await;
    let wei = scene.world.device();
    let wei = scene
        .world
        .login(&phone("13800000002"), device(&wei, "", "ios"), at(1))
        .await;
    let of_wei = scene
        .world
        .engine
        .sessions_of(wei.user, at(1))
        .await
        .unwrap();
    let auth = scene.auth(at(2)).await;
    let number = format!("{}", auth.session.0);
    for id in ["", "x", &of_wei[0].id, &number, scene.token()] {
        let outcome = scene.world.engine.end_session(&auth, id, at(2)).await;
        assert_eq!(
            refused(outcome),
            LoginRefusal::BadRequest { field: "id" },
            "{id}"
        );
    }
    assert!(scene.world.store.lists().is_empty());
    scene.call(wei.pair.token.expose(), at(3)).await.unwrap();
}

#[tokio::test]
async fn asking_about_a_token_changes_nothing() {
    let scene = Scene::new().await;
    let engine = &scene.world.engine;
    let auth = engine
        .introspect(scene.token(), at(1))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((auth.user, auth.expires_at), (scene.mei.user, at(7200)));
    for (token, now) in [
        (scene.refresh_token(), at(1)),
        (scene.token(), at(7200)),
        ("", at(1)),
    ] {
        assert!(engine.introspect(token, now).await.unwrap().is_none());
    }
    assert!(scene.world.store.lists().is_empty());
}

// --- who yields -----------------------------------------------------------------------------

const POLICIES: [DevicePolicy; 3] = [
    DevicePolicy::Concurrent,
    DevicePolicy::OnePerPlatform,
    DevicePolicy::Exclusive,
];

/// Every policy, who yields, whether the new device is of the same platform, whether the limit
/// is reached: who is out afterwards, told by hand.
#[tokio::test]
async fn ses_01_to_03_every_combination() {
    use DevicePolicy::{Concurrent, Exclusive, OnePerPlatform};
    // The old session is on android. Yields::New refuses exactly where Yields::Old replaces.
    let table = [
        (Concurrent, "android", false, false),
        (Concurrent, "android", true, true),
        (Concurrent, "ios", false, false),
        (Concurrent, "ios", true, true),
        (OnePerPlatform, "android", false, true),
        (OnePerPlatform, "android", true, true),
        (OnePerPlatform, "ios", false, false),
        (OnePerPlatform, "ios", true, true),
        (Exclusive, "android", false, true),
        (Exclusive, "android", true, true),
        (Exclusive, "ios", false, true),
        (Exclusive, "ios", true, true),
    ];
    for (policy, platform, full, yields) in table {
        for who in [Yields::Old, Yields::New] {
            let case = format!("{policy:?} {who:?} {platform} {full}");
            let world = World::with(|login| {
                login.device_policy = policy;
                login.yields = who;
                login.session_limit = if full { 1 } else { 2 };
            });
            let scene = Scene::over(world.await).await;
            let new = scene.world.device();
            let new = device(&new, "Y", platform);
            let outcome = scene.world.try_login(&scene.number, new, at(60)).await;
            let refused_new = yields && who == Yields::New;
            let replaced_old = yields && who == Yields::Old;
            if refused_new {
                assert_eq!(refused(outcome), LoginRefusal::DeviceLimit, "{case}");
                assert!(scene.world.store.lists().is_empty(), "{case}");
                assert_eq!(scene.world.rows(scene.mei.user).await.len(), 1, "{case}");
            } else {
                let token = outcome.unwrap().pair.token;
                scene.call(token.expose(), at(61)).await.unwrap();
            }
            let old = scene.call(scene.token(), at(61)).await;
            let notices = scene.world.notices().await;
            let told = notices
                .iter()
                .filter(|n| n.about == "session.ended")
                .count();
            if replaced_old {
                let device = format!("{platform}/Y");
                let end = ended(Ending::Replaced, at(60), &device);
                assert_eq!(scene.ended(0).await, end, "{case}");
                let said = LoginRefusal::SessionReplaced { at: at(60), device };
                assert_eq!(refused(old), said, "{case}");
                assert_eq!(told, 1, "{case}");
            } else {
                old.unwrap();
                assert_eq!(scene.ended(0).await, None, "{case}");
                assert_eq!(told, 0, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn the_same_device_is_never_its_own_rival() {
    for policy in POLICIES {
        let world = World::with(|login| {
            login.device_policy = policy;
            login.yields = Yields::New;
            login.session_limit = 1;
        });
        let scene = Scene::over(world.await).await;
        let pixel = device(&scene.secret, "Pixel", "android");
        let again = scene
            .world
            .try_login(&scene.number, pixel, at(1))
            .await
            .unwrap();
        scene.call(again.pair.token.expose(), at(2)).await.unwrap();
        assert_eq!(scene.ended(0).await, ended(Ending::LoggedOut, at(1), ""));
    }
}

#[tokio::test]
async fn the_oldest_of_many_yields_and_the_dead_take_no_room() {
    let world = World::with(|login| login.session_limit = 3).await;
    let number = phone("13800000001");
    let mut all = Vec::new();
    for i in 0..6 {
        let secret = world.device();
        let name = format!("d{i}");
        all.push(
            world
                .login(&number, device(&secret, &name, "ios"), at(i))
                .await,
        );
    }
    let rows = world.rows(all[0].user).await;
    let living = |row: &&yufu_core::ticket::Ticket<_>| -> bool {
        let body: &yufu_core::login::body::DeviceSession = &row.body;
        body.ended.is_none()
    };
    let names: Vec<_> = rows
        .iter()
        .filter(living)
        .map(|r| r.body.device_id.as_str())
        .collect();
    assert_eq!(names, ["d3", "d4", "d5"]);
    for (i, row) in rows.iter().take(3).enumerate() {
        let by = format!("ios/d{}", i + 3);
        assert_eq!(
            row.body.ended,
            ended(Ending::Replaced, at(i as i64 + 3), &by)
        );
    }
    // Two log out: two more come and nobody yields.
    for logged_in in &all[3..5] {
        let token = logged_in.pair.token.expose();
        let auth = world
            .engine
            .authenticate(token, None, at(10))
            .await
            .unwrap();
        world.engine.logout(&auth, at(10)).await.unwrap();
    }
    for i in [11, 12] {
        let secret = world.device();
        world
            .login(&number, device(&secret, "", "ios"), at(i))
            .await;
    }
    world
        .engine
        .authenticate(all[5].pair.token.expose(), None, at(13))
        .await
        .unwrap();
    // Nor do those whose time is over.
    let late = at(40 * 86_400);
    let secret = world.device();
    world.login(&number, device(&secret, "", "ios"), late).await;
    let rows = world.rows(all[0].user).await;
    let replaced = rows.iter().filter(|row| {
        let ended = row.body.ended.as_ref();
        ended.is_some_and(|ended| ended.by == Ending::Replaced)
    });
    assert_eq!(replaced.count(), 3);
}

proptest! {
    /// Whatever was there: afterwards the policy and the limit hold, nobody yields without need,
    /// the oldest go first, and the new one is refused exactly where somebody would have to go.
    #[test]
    fn room_is_made_where_it_is_needed(
        policy in 0usize..3,
        limit in 0u32..6,
        others in proptest::collection::vec(0usize..3, 0..8),
    ) {
        use yufu_core::login::devices::{RoomFacts, room};
        let names = ["ios", "android", "web"];
        let others: Vec<_> = others.iter().map(|i| names[*i]).collect();
        let facts = |yields| RoomFacts {
            policy: POLICIES[policy],
            yields,
            limit,
            platform: "ios",
            others: &others,
        };
        let ends = room(&facts(Yields::Old)).unwrap();
        prop_assert_eq!(ends.len(), others.len());
        let suffered = |i: &usize| match POLICIES[policy] {
            DevicePolicy::Concurrent => true,
            DevicePolicy::OnePerPlatform => others[*i] != "ios",
            DevicePolicy::Exclusive => false,
        };
        let staying: Vec<_> = (0..others.len()).filter(|i| !ends[*i]).collect();
        prop_assert!(staying.iter().all(suffered));
        prop_assert!(staying.len() < limit.max(1) as usize);
        // Nobody yields without need: those who stay are the newest of the suffered.
        let suffered: Vec<_> = (0..others.len()).filter(suffered).collect();
        let room_for = (limit.max(1) as usize - 1).min(suffered.len());
        prop_assert_eq!(&staying[..], &suffered[suffered.len() - room_for..]);
        let nobody = !ends.contains(&true);
        prop_assert_eq!(room(&facts(Yields::New)), nobody.then_some(ends));
    }
}
