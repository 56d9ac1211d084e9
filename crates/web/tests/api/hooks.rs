//! What others tell, and who is believed.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use yufu_core::id::ClientId;
use yufu_core::secret::Secret;
use yufu_core::subject::Subject;
use yufu_dialects::sms::webhook;
use yufu_dialects::wechat::push::{
    AesKey, Fresh, Mode, PushEvent, PushKeys, PushKind, Sealed, Spelling, echo_query, seal,
};

use crate::world::{GATEWAY_SECRET, P1, PUSH_KEY, PUSH_TOKEN, Raw, World, device, plan, push_keys};

const EVENTS: &str = "/hooks/wechat/events";

fn event(kind: PushKind, openid: &str, world: &World) -> PushEvent {
    PushEvent {
        kind,
        appid: ClientId::new("wx1"),
        openid: Some(Subject::new(openid)),
        unionid: None,
        created_at: world.house.clock.now(),
    }
}

fn push(
    world: &World,
    keys: &PushKeys,
    kind: PushKind,
    openid: &str,
    nonce: &str,
    mode: Mode,
    spelling: Spelling,
) -> Sealed {
    let fresh = Fresh {
        now: world.house.clock.now(),
        nonce: nonce.to_owned(),
        random: [3; 16],
    };
    seal(keys, &event(kind, openid, world), mode, spelling, &fresh).unwrap()
}

async fn tell(world: &World, push: &Sealed) -> Raw {
    let request =
        Request::post(format!("{EVENTS}?{}", push.query)).header("content-type", push.content_type);
    world
        .raw(request.body(Body::from(push.body.clone())).unwrap())
        .await
}

fn revoked() -> PushKind {
    PushKind::AuthorizationRevoked {
        info: "301".to_owned(),
    }
}

#[tokio::test]
async fn the_address_is_checked() {
    let world = World::new().await;
    let fresh = Fresh {
        now: world.house.clock.now(),
        nonce: "n1".to_owned(),
        random: [0; 16],
    };
    let ask = |query: String| {
        let world = world.clone();
        async move {
            world
                .raw(
                    Request::get(format!("{EVENTS}?{query}"))
                        .body(Body::empty())
                        .unwrap(),
                )
                .await
        }
    };
    let good = ask(echo_query(&Secret::new(PUSH_TOKEN), &fresh, "437512094")).await;
    assert_eq!(
        (good.status.as_u16(), good.text().as_str()),
        (200, "437512094")
    );
    assert!(good.header("content-type").starts_with("text/plain"));
    for query in [
        String::new(),
        echo_query(&Secret::new("other"), &fresh, "437512094"),
        echo_query(&Secret::new(PUSH_TOKEN), &fresh, "<script>"),
        echo_query(&Secret::new(PUSH_TOKEN), &fresh, ""),
    ] {
        let bad = ask(query).await;
        assert_eq!((bad.status.as_u16(), bad.text().as_str()), (401, ""));
    }
}

#[tokio::test]
async fn a_user_who_withdraws_authorizes_again() {
    let world = World::new().await;
    let mut app = device(&world);
    let uid = app.join("mei", P1).await["uid"].clone();
    for (nonce, mode, spelling) in [
        ("n1", Mode::Safe, Spelling::Xml),
        ("n2", Mode::Compatible, Spelling::Json),
    ] {
        let push = push(
            &world,
            &push_keys("wx1"),
            revoked(),
            "o_mei_wx1",
            nonce,
            mode,
            spelling,
        );
        let raw = tell(&world, &push).await;
        assert_eq!((raw.status.as_u16(), raw.text().as_str()), (200, "success"));
        assert_eq!(
            app.get("/user/identities").await.ok()["identities"][0]["status"],
            "revoked"
        );
        // A second time it changes nothing.
        assert_eq!(app.wechat("mei").await.ok()["uid"], uid);
        assert_eq!(tell(&world, &push).await.text(), "success");
        assert_eq!(
            app.get("/user/identities").await.ok()["identities"][0]["status"],
            "linked"
        );
    }
}

#[tokio::test]
async fn a_user_who_is_gone_there_stays_here() {
    let world = World::new().await;
    let mut app = device(&world);
    app.join("mei", P1).await;
    let push = push(
        &world,
        &push_keys("wx1"),
        PushKind::AuthorizationCancelled,
        "o_mei_wx1",
        "n1",
        Mode::Safe,
        Spelling::Xml,
    );
    assert_eq!(tell(&world, &push).await.text(), "success");
    device(&world).by_phone(P1).await.ok();
    assert_eq!(app.wechat("mei").await.ok()["is_bind"], false);
}

#[tokio::test]
async fn a_profile_that_changed_is_read_again() {
    let world = World::new().await;
    let mut app = device(&world);
    app.join("mei", P1).await;
    let push = push(
        &world,
        &push_keys("wx1"),
        PushKind::InfoModified,
        "o_mei_wx1",
        "n1",
        Mode::Safe,
        Spelling::Json,
    );
    assert_eq!(tell(&world, &push).await.text(), "success");
    assert_eq!(app.get("/user/me").await.ok()["nickname"], "");
}

#[tokio::test]
async fn nobody_is_believed_without_keys() {
    let world = World::new().await;
    let mut app = device(&world);
    app.join("mei", P1).await;
    let good = |nonce| {
        push(
            &world,
            &push_keys("wx1"),
            revoked(),
            "o_mei_wx1",
            nonce,
            Mode::Safe,
            Spelling::Xml,
        )
    };
    let mut tampered = good("n1");
    tampered.body = tampered
        .body
        .replace("<Encrypt><![CDATA[", "<Encrypt><![CDATA[A");
    let mut unsigned = good("n2");
    unsigned.query = "timestamp=1&nonce=n".to_owned();
    let other = PushKeys {
        aes_key: AesKey::new([8; 32]),
        ..push_keys("wx1")
    };
    let token = PushKeys {
        token: Secret::new("other"),
        ..push_keys("wx1")
    };
    let foreign = PushKeys {
        aes_key: AesKey::new(PUSH_KEY),
        ..push_keys("wx7")
    };
    let plain = push(
        &world,
        &push_keys("wx1"),
        revoked(),
        "o_mei_wx1",
        "n3",
        Mode::Plain,
        Spelling::Xml,
    );
    let empty = Sealed {
        query: good("n4").query,
        content_type: "text/xml",
        body: String::new(),
    };
    let large = Sealed {
        query: good("n5").query,
        content_type: "text/xml",
        body: "x".repeat(70_000),
    };
    for bad in [
        tampered,
        unsigned,
        plain,
        empty,
        large,
        push(
            &world,
            &other,
            revoked(),
            "o_mei_wx1",
            "n6",
            Mode::Safe,
            Spelling::Xml,
        ),
        push(
            &world,
            &token,
            revoked(),
            "o_mei_wx1",
            "n7",
            Mode::Safe,
            Spelling::Xml,
        ),
        push(
            &world,
            &foreign,
            revoked(),
            "o_mei_wx1",
            "n8",
            Mode::Safe,
            Spelling::Xml,
        ),
    ] {
        let raw = tell(&world, &bad).await;
        assert_eq!((raw.status.as_u16(), raw.text().as_str()), (401, ""));
    }
    // Too old.
    let stale = good("n9");
    world.turn(3600);
    assert_eq!(tell(&world, &stale).await.status.as_u16(), 401);
    // Nobody of ours, or nothing of ours: heard, and no more.
    let unknown = push(
        &world,
        &push_keys("wx1"),
        revoked(),
        "o_nobody_wx1",
        "n10",
        Mode::Safe,
        Spelling::Xml,
    );
    assert_eq!(tell(&world, &unknown).await.text(), "success");
    let other = push(
        &world,
        &push_keys("wx1"),
        PushKind::Other("subscribe".to_owned()),
        "o_mei_wx1",
        "n11",
        Mode::Safe,
        Spelling::Xml,
    );
    assert_eq!(tell(&world, &other).await.text(), "success");
    app.wechat("mei").await.ok();
    assert_eq!(
        app.get("/user/identities").await.ok()["identities"][0]["status"],
        "linked"
    );
}

#[tokio::test]
async fn the_plain_mode_is_for_development_alone() {
    let mut plan = plan();
    plan.front.is_dev = true;
    let world = World::of(plan).await;
    let mut app = device(&world);
    app.join("mei", P1).await;
    let push = push(
        &world,
        &push_keys("wx1"),
        revoked(),
        "o_mei_wx1",
        "n1",
        Mode::Plain,
        Spelling::Xml,
    );
    assert_eq!(tell(&world, &push).await.text(), "success");
    assert_eq!(
        app.get("/user/identities").await.ok()["identities"][0]["status"],
        "revoked"
    );
}

#[tokio::test]
async fn receipts_are_taken_from_gateways_with_a_key() {
    let world = World::new().await;
    let receipt = json!([{"phone_number": "13800000001", "success": true, "err_code": "DELIVERED",
        "err_msg": "ok", "report_time": "2026-01-01 12:00:00", "send_time": "2026-01-01 12:00:00", "sms_size": "1", "biz_id": "900619746936498440^0", "out_id": "1"}]);
    let tell = |path: &str, body: String| {
        let request = Request::post(format!("/hooks/sms/{path}"))
            .body(Body::from(body))
            .unwrap();
        let world = world.clone();
        async move { world.raw(request).await }
    };
    let raw = tell("ali?key=receipt-key", receipt.to_string()).await;
    assert_eq!(
        (raw.status.as_u16(), raw.text().contains("\"code\":0")),
        (200, true)
    );
    for (path, body) in [
        ("ali", receipt.to_string()),
        ("ali?key=wrong", receipt.to_string()),
        ("tencent?key=receipt-key", receipt.to_string()),
        ("ali?key=receipt-key", "junk".to_owned()),
        ("ali?key=receipt-key", "[1]".to_owned()),
    ] {
        let raw = tell(path, body).await;
        assert_eq!(
            (raw.status.as_u16(), raw.text().as_str()),
            (401, ""),
            "{path}"
        );
    }
}

#[tokio::test]
async fn receipts_of_our_own_webhook_are_signed_too() {
    let world = World::new().await;
    let secret = Secret::new(GATEWAY_SECRET);
    let body = json!([{"message_id": "m1", "delivered": true}]).to_string();
    let now = world.house.clock.now().seconds();
    let tell = |secret: &Secret, at: i64, signed: &str, sent: &str, key: &str| {
        let signature = webhook::signature(secret, &at.to_string(), signed.as_bytes());
        let request = Request::post(format!("/hooks/sms/own?key={key}"))
            .header(webhook::TIMESTAMP_HEADER, at.to_string())
            .header(webhook::SIGNATURE_HEADER, signature)
            .body(Body::from(sent.to_owned()))
            .unwrap();
        let world = world.clone();
        async move { world.raw(request).await }
    };
    let raw = tell(&secret, now, &body, &body, "receipt-key").await;
    assert_eq!((raw.status.as_u16(), raw.text().as_str()), (200, "{}"));
    let told = world.house.engine.browse().events(10).await.unwrap();
    let told = told.iter().filter(|event| event.what == "sms.receipt");
    assert_eq!(told.count(), 1);
    let other = Secret::new("shared-with-somebody-else");
    let changed = body.replace("true", "false");
    for raw in [
        tell(&secret, now, &body, &body, "wrong").await,
        tell(&other, now, &body, &body, "receipt-key").await,
        tell(&secret, now, &body, &changed, "receipt-key").await,
        tell(&secret, now - 400, &body, &body, "receipt-key").await,
        tell(&secret, now + 400, &body, &body, "receipt-key").await,
        world
            .raw(
                Request::post("/hooks/sms/own?key=receipt-key")
                    .body(Body::from(body.clone()))
                    .unwrap(),
            )
            .await,
    ] {
        assert_eq!((raw.status.as_u16(), raw.text().as_str()), (401, ""));
    }
}
