//! The house's keys while it runs, and the assertions that they sign.

use std::sync::Arc;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use yufu_core::engine::{Engine, RotateStop, Settings};
use yufu_core::login::Authenticated;
use yufu_core::time::{Lifetime, Timestamp};

use crate::world::{NOW, World, at, device, phone};

/// Another process of the same house.
async fn beside(world: &World, now: Timestamp) -> Engine {
    let opened = Engine::open(world.ports.clone(), &world.master, Settings::default(), now);
    opened.await.unwrap()
}

async fn logged_in(world: &World, now: Timestamp) -> (String, Authenticated) {
    let secret = world.device();
    let mei = world
        .login(&phone("13800000001"), device(&secret, "", "ios"), now)
        .await;
    let token = mei.pair.token.expose().to_owned();
    let auth = world.engine.authenticate(&token, None, now).await.unwrap();
    (token, auth)
}

fn part(token: &str, i: usize) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(i).unwrap());
    serde_json::from_slice(&bytes.unwrap()).unwrap()
}

/// Verifies as a stranger would: with the key set alone.
fn verified(token: &str, jwks: &str) -> bool {
    let jwks: Value = serde_json::from_str(jwks).unwrap();
    let kid = part(token, 0)["kid"].clone();
    let keys = jwks["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| key["kid"] == kid).unwrap();
    let x = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let key = UnparsedPublicKey::new(&ED25519, x);
    key.verify(signed.as_bytes(), &signature).is_ok()
}

#[tokio::test]
async fn an_assertion_says_who_to_whom_and_until_when() {
    let world = World::new().await;
    let (_, auth) = logged_in(&world, NOW).await;
    let now = Timestamp(at(5).0 + 700);
    let (jwt, life) = world
        .engine
        .assertion(&auth, "orders", "https://login.example", now)
        .unwrap();
    assert!(verified(jwt.expose(), &world.engine.jwks().unwrap()));
    let header = part(jwt.expose(), 0);
    assert_eq!(
        (&header["alg"], &header["typ"]),
        (&json!("EdDSA"), &json!("JWT"))
    );
    let mut claims = part(jwt.expose(), 1);
    let id = claims.as_object_mut().unwrap().remove("jti").unwrap();
    assert_eq!(
        URL_SAFE_NO_PAD.decode(id.as_str().unwrap()).unwrap().len(),
        16
    );
    let views = world.engine.sessions(&auth, now).await.unwrap();
    assert_eq!(
        claims,
        json!({
            "iss": "https://login.example",
            "sub": auth.user.to_string(),
            "aud": "orders",
            "iat": at(5).seconds(),
            "exp": at(305).seconds(),
            "sid": views[0].id,
        })
    );
    assert_eq!(life, Lifetime::from_millis(299_300));
    // No two are the same one.
    let (again, _) = world
        .engine
        .assertion(&auth, "orders", "https://login.example", now)
        .unwrap();
    assert_ne!(part(again.expose(), 1)["jti"], id);
}

#[tokio::test]
async fn an_assertion_never_outlives_the_session_token() {
    let world = World::new().await;
    let (_, auth) = logged_in(&world, NOW).await;
    for (now, exp, life) in [
        (at(6899), at(7199), 300),
        (at(6900), at(7200), 300),
        (at(6901), at(7200), 299),
        (at(7199), at(7200), 1),
        (at(7200), at(7200), 0),
    ] {
        let (jwt, lives) = world.engine.assertion(&auth, "a", "i", now).unwrap();
        assert_eq!(part(jwt.expose(), 1)["exp"], exp.seconds());
        assert_eq!(lives, Lifetime::seconds(life));
    }
    let odd = Authenticated {
        expires_at: Timestamp(at(10).0 + 999),
        ..auth
    };
    let (jwt, _) = world.engine.assertion(&odd, "a", "i", at(0)).unwrap();
    assert_eq!(part(jwt.expose(), 1)["exp"], at(10).seconds());
}

#[tokio::test]
async fn a_rotation_is_known_everywhere_before_it_is_used() {
    let world = World::new().await;
    let (token, auth) = logged_in(&world, NOW).await;
    let other = beside(&world, NOW).await;
    let (before, _) = world.engine.assertion(&auth, "a", "i", NOW).unwrap();
    assert_eq!(world.engine.rotate_keys(at(100)).await.unwrap(), 2);
    assert_eq!(world.store.change(), ["put key", "event keys.rotated"]);
    let is_of = |engine: &Engine, version: &str| {
        let secret = engine.draw_browser().unwrap();
        secret.expose().starts_with(version)
    };
    // Not yet, here or there; and the other process has it in its list when it is used here.
    world
        .engine
        .reload_keys(Timestamp(at(160).0 - 1))
        .await
        .unwrap();
    assert!(is_of(&world.engine, "1") && is_of(&other, "1"));
    other.reload_keys(at(102)).await.unwrap();
    world.engine.reload_keys(at(160)).await.unwrap();
    assert!(is_of(&world.engine, "2") && is_of(&other, "1"));
    let (fresh, auth) = logged_in(&world, at(160)).await;
    assert!(fresh.starts_with('2') && token.starts_with('1'));
    assert!(other.introspect(&fresh, at(160)).await.unwrap().is_some());
    // Assertions of both, with either process's key set.
    let (after, _) = world.engine.assertion(&auth, "a", "i", at(160)).unwrap();
    assert_ne!(
        part(before.expose(), 0)["kid"],
        part(after.expose(), 0)["kid"]
    );
    for engine in [&*world.engine, &other] {
        let jwks = engine.jwks().unwrap();
        assert!(verified(before.expose(), &jwks) && verified(after.expose(), &jwks));
    }
    // A process that begins now uses it at once.
    assert!(is_of(&beside(&world, at(161)).await, "2"));
    assert!(is_of(&beside(&world, at(120)).await, "1"));
}

#[tokio::test]
async fn old_sessions_outlive_a_rotation() {
    let world = World::new().await;
    let secret = world.device();
    let pixel = device(&secret, "", "ios");
    let mei = world.login(&phone("13800000001"), pixel, NOW).await;
    let session = mei.pair.token.expose();
    let refresh = |pair: &yufu_core::login::SessionPair| pair.refresh_token.expose().to_owned();
    world.engine.rotate_keys(at(1)).await.unwrap();
    world.engine.reload_keys(at(61)).await.unwrap();
    let device_secret = Some(secret.as_str());
    let auth = world
        .engine
        .authenticate(session, device_secret, at(62))
        .await;
    assert_eq!(auth.unwrap().user, mei.user);
    let next = world
        .engine
        .refresh(&refresh(&mei.pair), pixel, at(62))
        .await
        .unwrap();
    let again = world
        .engine
        .refresh(&refresh(&mei.pair), pixel, at(63))
        .await
        .unwrap();
    assert!(next.pair.token == again.pair.token);
    let token = next.pair.token.expose();
    world
        .engine
        .authenticate(token, None, at(64))
        .await
        .unwrap();
    let third = world
        .engine
        .refresh(&refresh(&next.pair), pixel, at(65))
        .await
        .unwrap();
    let token = third.pair.token.expose();
    world
        .engine
        .authenticate(token, None, at(66))
        .await
        .unwrap();
}

#[tokio::test]
async fn nine_versions_are_all_there_are() {
    let world = World::new().await;
    for version in 2..=9 {
        assert_eq!(
            world
                .engine
                .rotate_keys(at(i64::from(version)))
                .await
                .unwrap(),
            version
        );
    }
    let refused = world.engine.rotate_keys(at(10)).await;
    assert!(matches!(refused, Err(RotateStop::Exhausted)));
    let jwks: Value = serde_json::from_str(&world.engine.jwks().unwrap()).unwrap();
    assert_eq!(jwks["keys"].as_array().unwrap().len(), 9);
}

#[tokio::test]
async fn two_rotations_at_once_make_two_versions() {
    let world = World::new().await;
    let other = Arc::new(beside(&world, NOW).await);
    world
        .store
        .slow
        .store(true, std::sync::atomic::Ordering::SeqCst);
    let (a, b) = tokio::join!(world.engine.rotate_keys(at(1)), other.rotate_keys(at(1)));
    let mut versions = [a.unwrap(), b.unwrap()];
    versions.sort_unstable();
    assert_eq!(versions, [2, 3]);
}
