//! Refreshing: the same pair for the same token, once; and a model of all that may be presented.

use std::sync::atomic::Ordering;

use proptest::prelude::*;
use yufu_core::login::body::{Ended, Ending};
use yufu_core::login::{LoggedIn, LoginRefusal, LoginStop, SessionPair};
use yufu_core::time::{Lifetime, Timestamp};

use crate::world::{World, at, device, phone, refused};

/// A person on one device, whose tokens live as shortly as a test likes.
struct Scene {
    world: World,
    secret: String,
    mei: LoggedIn,
}

impl Scene {
    async fn new() -> Self {
        let world = World::with(|login| {
            login.access_life = Lifetime::seconds(100);
            login.refresh_idle = Lifetime::seconds(500);
            login.session_absolute = Lifetime::seconds(1200);
            login.refresh_grace = Lifetime::seconds(10);
        });
        let world = world.await;
        let secret = world.device();
        let pixel = device(&secret, "Pixel", "android");
        let mei = world.login(&phone("13800000001"), pixel, at(0)).await;
        Self { world, secret, mei }
    }

    async fn refresh(&self, token: &str, now: Timestamp) -> Result<LoggedIn, LoginStop> {
        let device = device(&self.secret, "Pixel", "android");
        self.world.engine.refresh(token, device, now).await
    }

    async fn next(&self, pair: &SessionPair, now: Timestamp) -> SessionPair {
        let next = self.refresh(pair.refresh_token.expose(), now).await;
        next.unwrap().pair
    }

    async fn row(&self) -> yufu_core::ticket::Ticket<yufu_core::login::body::DeviceSession> {
        self.world.rows(self.mei.user).await.remove(0)
    }

    async fn is_good(&self, pair: &SessionPair, now: Timestamp) -> bool {
        let token = pair.token.expose();
        let asked = self.world.engine.introspect(token, now).await;
        asked.unwrap().is_some()
    }
}

#[tokio::test]
async fn rel_11_a_refresh_moves_everything_on() {
    let scene = Scene::new().await;
    let before = scene.row().await;
    let next = scene
        .refresh(scene.mei.pair.refresh_token.expose(), at(50))
        .await
        .unwrap();
    assert_eq!(scene.world.store.change(), ["amend device"]);
    assert_eq!((next.user, next.is_bind), (scene.mei.user, true));
    assert_eq!(next.pair.expires_in, Lifetime::seconds(100));
    assert!(next.pair.token != scene.mei.pair.token);
    assert!(next.pair.refresh_token != scene.mei.pair.refresh_token);
    let row = scene.row().await;
    assert_eq!(
        (row.number, row.version),
        (before.number, before.version + 1)
    );
    assert_eq!(row.expires_at, at(550));
    assert_eq!(row.body.access_until, at(150));
    assert_eq!(row.body.previous, Some((before.body.refresh, at(60))));
    assert_eq!((row.body.began_at, row.body.seen_at), (at(0), at(50)));
    assert_eq!(row.body.ends_at, before.body.ends_at);
    assert_ne!(row.body.access, before.body.access);
    assert_ne!(row.body.refresh, before.body.refresh);
    // The session's proofs and place are what they were.
    assert_eq!(row.body.phone_proved_at, before.body.phone_proved_at);
    assert!(scene.is_good(&next.pair, at(51)).await);
    // Calls that were under way with the old token are let in for the grace, and no longer.
    assert!(
        scene
            .is_good(&scene.mei.pair, Timestamp(at(60).0 - 1))
            .await
    );
    assert!(!scene.is_good(&scene.mei.pair, at(60)).await);
    assert!(scene.is_good(&next.pair, at(60)).await);
}

#[tokio::test]
async fn rel_11_within_the_grace_the_same_pair_comes_again() {
    let scene = Scene::new().await;
    let next = scene.next(&scene.mei.pair, at(50)).await;
    scene.world.store.lists();
    for now in [at(50), at(51), Timestamp(at(60).0 - 1)] {
        let again = scene.next(&scene.mei.pair, now).await;
        assert!(again.token == next.token && again.refresh_token == next.refresh_token);
        assert_eq!(again.expires_in, at(150).since(now));
    }
    assert!(scene.world.store.lists().is_empty());
}

#[tokio::test]
async fn rel_12_after_the_grace_the_session_is_over() {
    for now in [at(60), at(100), at(549)] {
        let scene = Scene::new().await;
        let next = scene.next(&scene.mei.pair, at(50)).await;
        scene.world.store.lists();
        let again = scene
            .refresh(scene.mei.pair.refresh_token.expose(), now)
            .await;
        assert_eq!(refused(again), LoginRefusal::RefreshReused);
        assert_eq!(
            scene.world.store.change(),
            [
                "amend device",
                "notify session.ended",
                "event session.ended"
            ]
        );
        let ended = Ended {
            by: Ending::Reused,
            at: now,
            device: String::new(),
        };
        let row = scene.row().await;
        assert_eq!((row.body.ended, row.expires_at), (Some(ended), now));
        let notice = scene.world.notices().await.pop().unwrap();
        assert_eq!(notice.user, scene.mei.user);
        assert!(notice.data.contains(r#""reason":"reused""#));
        // Whoever holds the present pair is told.
        let token = next.token.expose();
        let call = scene.world.engine.authenticate(token, None, now).await;
        assert_eq!(refused(call), LoginRefusal::RefreshReused);
        let last = scene.refresh(next.refresh_token.expose(), now).await;
        assert_eq!(refused(last), LoginRefusal::RefreshReused);
    }
}

#[tokio::test]
async fn a_token_two_steps_behind_ends_the_session_at_once() {
    let scene = Scene::new().await;
    let second = scene.next(&scene.mei.pair, at(1)).await;
    scene.next(&second, at(2)).await;
    let first = scene
        .refresh(scene.mei.pair.refresh_token.expose(), at(3))
        .await;
    assert_eq!(refused(first), LoginRefusal::RefreshReused);
    assert_eq!(scene.row().await.body.ended.unwrap().by, Ending::Reused);
}

#[tokio::test]
async fn a_forged_token_that_finds_the_session_ends_it() {
    // Only somebody who saw one of its tokens can write its number.
    let scene = Scene::new().await;
    let mut forged = scene.mei.pair.refresh_token.expose().to_owned();
    let last = if forged.ends_with('A') { "g" } else { "A" };
    forged.replace_range(38.., last);
    let outcome = scene.refresh(&forged, at(1)).await;
    let refusal = refused(outcome);
    // A change of the last character may leave no canonical text.
    if refusal == LoginRefusal::SessionInvalid {
        assert_eq!(scene.row().await.body.ended, None);
    } else {
        assert_eq!(refusal, LoginRefusal::RefreshReused);
        assert_eq!(scene.row().await.body.ended.unwrap().by, Ending::Reused);
    }
    let scene = Scene::new().await;
    let mut forged = scene.mei.pair.refresh_token.expose().to_owned();
    let other = if &forged[20..21] == "x" { "y" } else { "x" };
    forged.replace_range(20..21, other);
    assert_eq!(
        refused(scene.refresh(&forged, at(1)).await),
        LoginRefusal::RefreshReused
    );
    assert_eq!(scene.row().await.body.ended.unwrap().by, Ending::Reused);
}

#[tokio::test]
async fn the_session_token_sent_by_mistake_costs_nothing() {
    let scene = Scene::new().await;
    let outcome = scene.refresh(scene.mei.pair.token.expose(), at(1)).await;
    let field = "refresh_token";
    assert_eq!(refused(outcome), LoginRefusal::BadRequest { field });
    assert!(scene.world.store.lists().is_empty());
    assert!(scene.is_good(&scene.mei.pair, at(1)).await);
    scene.next(&scene.mei.pair, at(2)).await;
}

#[tokio::test]
async fn what_is_no_refresh_token_of_ours_is_told_nothing() {
    let scene = Scene::new().await;
    let unknown = scene.world.device();
    for text in ["", "x", "鱼", &"1".repeat(39), &unknown, &scene.secret] {
        let refusal = refused(scene.refresh(text, at(1)).await);
        assert_eq!(refusal, LoginRefusal::SessionInvalid, "{text}");
    }
    assert!(scene.world.store.lists().is_empty());
}

#[tokio::test]
async fn a_refresh_needs_the_device() {
    let scene = Scene::new().await;
    let token = scene.mei.pair.refresh_token.expose();
    for secret in [None, Some(""), Some("Pixel")] {
        let mut pixel = device("", "Pixel", "android");
        pixel.secret = secret;
        let outcome = scene.world.engine.refresh(token, pixel, at(1)).await;
        assert_eq!(refused(outcome), LoginRefusal::SessionInvalid);
    }
    assert!(scene.world.store.lists().is_empty());
    // Another one's secret with it is theft.
    let thief = scene.world.device();
    let stolen = device(&thief, "Pixel", "android");
    let outcome = scene.world.engine.refresh(token, stolen, at(1)).await;
    assert_eq!(refused(outcome), LoginRefusal::SessionInvalid);
    assert_eq!(scene.row().await.body.ended.unwrap().by, Ending::Stolen);
    let events = scene.world.events().await;
    assert_eq!(events.last().unwrap().0, "token_theft");
    assert_eq!(
        refused(scene.refresh(token, at(2)).await),
        LoginRefusal::SessionInvalid
    );
}

#[tokio::test]
async fn rel_13_idleness_and_age_end_a_session() {
    // Idle.
    let scene = Scene::new().await;
    let token = scene.mei.pair.refresh_token.expose();
    assert_eq!(
        refused(scene.refresh(token, at(500)).await),
        LoginRefusal::SessionExpired
    );
    assert!(scene.world.store.lists().is_empty());
    scene
        .refresh(token, Timestamp(at(500).0 - 1))
        .await
        .unwrap();
    // Used all the time: the end does not move.
    let scene = Scene::new().await;
    let mut pair = scene.mei.pair.clone();
    for now in [400, 800, 1150] {
        pair = scene.next(&pair, at(now)).await;
    }
    let row = scene.row().await;
    assert_eq!(
        (row.expires_at, row.body.access_until),
        (at(1200), at(1200))
    );
    assert_eq!(pair.expires_in, Lifetime::seconds(50));
    assert!(scene.is_good(&pair, Timestamp(at(1200).0 - 1)).await);
    assert!(!scene.is_good(&pair, at(1200)).await);
    let token = pair.refresh_token.expose();
    assert_eq!(
        refused(scene.refresh(token, at(1200)).await),
        LoginRefusal::SessionExpired
    );
}

#[tokio::test]
async fn of_two_refreshes_at_once_one_rotates_and_both_get_the_pair() {
    let scene = Scene::new().await;
    scene.world.store.slow.store(true, Ordering::SeqCst);
    let token = scene.mei.pair.refresh_token.expose();
    let (a, b, c) = tokio::join!(
        scene.refresh(token, at(1)),
        scene.refresh(token, at(1)),
        scene.refresh(token, at(2)),
    );
    let (a, b, c) = (a.unwrap().pair, b.unwrap().pair, c.unwrap().pair);
    for other in [b, c] {
        assert!(a.token == other.token && a.refresh_token == other.refresh_token);
    }
    assert_eq!(scene.world.store.changes(), [["amend device"]]);
    assert!(scene.is_good(&a, at(2)).await);
}

#[tokio::test]
async fn a_refresh_beside_a_logout_leaves_nothing_alive() {
    let scene = Scene::new().await;
    let token = scene.mei.pair.token.expose();
    let auth = scene
        .world
        .engine
        .authenticate(token, None, at(1))
        .await
        .unwrap();
    scene.world.store.slow.store(true, Ordering::SeqCst);
    let refresh_token = scene.mei.pair.refresh_token.expose();
    let (refreshed, logged_out) = tokio::join!(
        scene.refresh(refresh_token, at(1)),
        scene.world.engine.logout(&auth, at(1)),
    );
    logged_out.unwrap();
    if let Ok(refreshed) = refreshed {
        assert!(!scene.is_good(&refreshed.pair, at(1)).await);
    }
    assert_eq!(scene.row().await.body.ended.unwrap().by, Ending::LoggedOut);
}

// --- a model of everything ------------------------------------------------------------------

/// What may happen next.
#[derive(Clone, Copy, Debug)]
enum Op {
    /// The refresh token this many generations back is presented.
    Refresh(usize),
    /// The session token this many generations back is presented as refresh token.
    Mistake(usize),
    /// A call with the session token this many generations back.
    Call(usize),
    /// Time passes: milliseconds.
    Pass(i64),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        6 => Just(Op::Refresh(0)),
        3 => Just(Op::Refresh(1)),
        1 => (2usize..5).prop_map(Op::Refresh),
        1 => (0usize..3).prop_map(Op::Mistake),
        3 => (0usize..3).prop_map(Op::Call),
        5 => (0i64..12_000).prop_map(Op::Pass),
        2 => (0i64..130_000).prop_map(Op::Pass),
        1 => prop_oneof![Just(9_999i64), Just(10_000), Just(499_999), Just(500_000)]
            .prop_map(Op::Pass),
    ];
    proptest::collection::vec(op, 1..40)
}

/// The session as anybody can work it out on paper.
struct Model {
    now: Timestamp,
    pairs: Vec<SessionPair>,
    grace_until: Timestamp,
    access_until: Timestamp,
    /// Until when the session token before is let in.
    before_until: Timestamp,
    expires_at: Timestamp,
    reused: bool,
}

impl Model {
    /// Why a token of a generation that the session still knows is refused.
    fn over(&self) -> Option<LoginRefusal> {
        if self.reused {
            Some(LoginRefusal::RefreshReused)
        } else if self.now >= self.expires_at {
            Some(LoginRefusal::SessionExpired)
        } else {
            None
        }
    }

    /// The pair this many generations back; the first one when there are not as many.
    fn back(&self, k: usize) -> (usize, SessionPair) {
        let k = k.min(self.pairs.len() - 1);
        (k, self.pairs[self.pairs.len() - 1 - k].clone())
    }

    fn same(&self, pair: &SessionPair) -> bool {
        let last = self.pairs.last().unwrap();
        last.token == pair.token && last.refresh_token == pair.refresh_token
    }
}

async fn present(scene: &Scene, model: &mut Model, k: usize) {
    let (k, pair) = model.back(k);
    let outcome = scene.refresh(pair.refresh_token.expose(), model.now).await;
    match (k, model.over()) {
        (0 | 1, Some(refusal)) => assert_eq!(refused(outcome), refusal),
        (_, Some(_)) => assert_eq!(refused(outcome), LoginRefusal::SessionInvalid),
        (0, None) => {
            let next = outcome.unwrap().pair;
            let known = |old: &SessionPair| {
                old.token == next.token || old.refresh_token == next.refresh_token
            };
            assert!(!model.pairs.iter().any(known));
            model.pairs.push(next);
            model.grace_until = model.now.plus(Lifetime::seconds(10));
            model.before_until = model.grace_until.min(model.access_until);
            model.expires_at = model.now.plus(Lifetime::seconds(500)).min(at(1200));
            model.access_until = model.now.plus(Lifetime::seconds(100)).min(model.expires_at);
        }
        (1, None) if model.now < model.grace_until => {
            assert!(model.same(&outcome.unwrap().pair));
        }
        (_, None) => {
            assert_eq!(refused(outcome), LoginRefusal::RefreshReused);
            model.reused = true;
        }
    }
}

async fn mistake(scene: &Scene, model: &mut Model, k: usize) {
    let (k, pair) = model.back(k);
    let refusal = refused(scene.refresh(pair.token.expose(), model.now).await);
    let expected = match (k, model.over()) {
        (0 | 1, Some(refusal)) => refusal,
        (_, Some(_)) => LoginRefusal::SessionInvalid,
        (0 | 1, None) => LoginRefusal::BadRequest {
            field: "refresh_token",
        },
        (_, None) => {
            model.reused = true;
            LoginRefusal::RefreshReused
        }
    };
    assert_eq!(refusal, expected);
}

async fn call(scene: &Scene, model: &Model, k: usize) {
    let (k, pair) = model.back(k);
    let token = pair.token.expose();
    let outcome = scene
        .world
        .engine
        .authenticate(token, None, model.now)
        .await;
    match (k, model.over()) {
        (0, Some(refusal)) => assert_eq!(refused(outcome), refusal),
        (0, None) if model.now >= model.access_until => {
            assert_eq!(refused(outcome), LoginRefusal::SessionExpired);
        }
        (0, None) => assert_eq!(outcome.unwrap().expires_at, model.access_until),
        (1, over) if model.now < model.before_until => match over {
            Some(refusal) => assert_eq!(refused(outcome), refusal),
            None => assert_eq!(outcome.unwrap().session, scene.row().await.number),
        },
        _ => assert_eq!(refused(outcome), LoginRefusal::SessionInvalid),
    }
}

async fn play(ops: Vec<Op>) {
    let scene = Scene::new().await;
    let mut model = Model {
        now: at(0),
        pairs: vec![scene.mei.pair.clone()],
        grace_until: at(0),
        access_until: at(100),
        before_until: at(0),
        expires_at: at(500),
        reused: false,
    };
    for op in ops {
        match op {
            Op::Refresh(k) => present(&scene, &mut model, k).await,
            Op::Mistake(k) => mistake(&scene, &mut model, k).await,
            Op::Call(k) => call(&scene, &model, k).await,
            Op::Pass(millis) => model.now = Timestamp(model.now.0 + millis),
        }
        // Never two live pairs but for the grace, and none where the session is over.
        let mut good = 0;
        for pair in &model.pairs {
            good += usize::from(scene.is_good(pair, model.now).await);
        }
        let lives = |until: Timestamp| usize::from(model.over().is_none() && model.now < until);
        let rotated = usize::from(model.pairs.len() > 1);
        let expected = lives(model.access_until) + rotated * lives(model.before_until);
        assert_eq!(good, expected);
        let row = scene.row().await;
        let reused = row.body.ended.map(|ended| ended.by) == Some(Ending::Reused);
        assert_eq!(reused, model.reused);
        assert_eq!(scene.world.rows(scene.mei.user).await.len(), 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_is_presented_there_is_one_pair_at_most(ops in ops()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(play(ops));
    }
}
