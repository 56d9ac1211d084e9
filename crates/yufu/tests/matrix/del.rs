//! DEL: unlinking, deletion, pushes of the platform.

use serde_json::json;
use yufu_core::id::ClientId;
use yufu_core::identity::IdentityStatus;
use yufu_core::login::body::Vault;
use yufu_core::secret::Secret;
use yufu_core::subject::Subject;
use yufu_core::ticket::Kind;
use yufu_core::time::Timestamp;
use yufu_core::user::UserStatus;
use yufu_dialects::wechat::push::{
    self, AesKey, Fresh, Mode, PushEvent, PushKeys, PushKind, Spelling,
};

use super::app::App;
use super::rows::Row;
use super::wire::{Answer, Ask, Wire};
use super::world::{Person, World};

const MEI: &str = "13800000001";

/// The answer to a push.
pub(crate) struct Pushed(Answer);

impl Pushed {
    #[track_caller]
    pub(crate) fn expect_success(&self) {
        assert_eq!((self.0.status, self.0.text()), (200, "success"));
    }

    #[track_caller]
    fn expect_refusal(&self) {
        assert_eq!((self.0.status, self.0.text()), (401, ""));
    }
}

fn keys(appid: &ClientId) -> PushKeys {
    PushKeys {
        token: Secret::new("AAAAA"),
        aes_key: AesKey::parse("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG").unwrap(),
        appid: appid.clone(),
    }
}

fn event(world: &World, kind: &str, openid: &str) -> PushEvent {
    PushEvent {
        kind: match kind {
            "user_authorization_revoke" => PushKind::AuthorizationRevoked { info: "301".into() },
            "user_authorization_cancellation" => PushKind::AuthorizationCancelled,
            _ => PushKind::InfoModified,
        },
        appid: world.mobile.appid.clone(),
        openid: Some(Subject::new(openid)),
        unionid: None,
        created_at: world.now(),
    }
}

fn fresh(now: Timestamp, nonce: &str) -> Fresh {
    Fresh {
        now,
        nonce: nonce.into(),
        random: *b"0123456789abcdef",
    }
}

fn deliver(world: &World, query: &str, body: &str, kind: &str) -> Pushed {
    let ask = Ask::new("POST", &format!("/hooks/wechat/events?{query}"))
        .header("content-type", kind)
        .body(body);
    Pushed(Wire::to(world.port).ask(&ask))
}

/// The platform pushes an event, encrypted.
pub(crate) fn push(world: &World, kind: &str, openid: &str, nonce: &str) -> Pushed {
    push_in(world, kind, openid, nonce, Mode::Safe, Spelling::Xml)
}

fn push_in(
    world: &World,
    kind: &str,
    openid: &str,
    nonce: &str,
    mode: Mode,
    spelling: Spelling,
) -> Pushed {
    let keys = keys(&world.mobile.appid);
    let event = event(world, kind, openid);
    let sealed = push::seal(&keys, &event, mode, spelling, &fresh(world.now(), nonce));
    let sealed = sealed.unwrap();
    deliver(world, &sealed.query, &sealed.body, sealed.content_type)
}

pub(crate) fn vault_is_empty(world: &World) -> bool {
    let rows = world.rows(Kind::Vault);
    let empty =
        |raw: &yufu_core::ticket::RawTicket| raw.open::<Vault>().unwrap().body.sealed.0.is_empty();
    rows.iter().all(empty)
}

fn member(world: &World) -> (App, Person, String, String) {
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let uid = world.member(&mut app, &person, MEI);
    let openid = world.openid(&person, &world.mobile);
    (app, person, uid, openid)
}

#[test]
fn del_01_unlinking_needs_a_fresh_proof_of_the_number() {
    let row = Row::of("DEL-01");
    let world = World::new();
    let (mut app, person, uid, openid) = member(&world);
    world.pass(301);
    let refused = app.post("/user/wechat/unlink", &json!({}));
    let digits = world.passcode(&mut app, MEI, "verify");
    let unlinked = app.post("/user/wechat/unlink", &json!({"sms_code": digits}));
    row.hears(&unlinked);
    row.hears(&refused);
    assert_eq!(refused.data["proofs"], json!(["phone"]));
    assert_eq!(unlinked.data["identities"], json!([]));
    assert_eq!(world.identity_holder(&world.mobile, &openid), None);
    assert!(vault_is_empty(&world));
    assert!(world.user(&uid).identities.is_empty());
    // Any account may have it now.
    let mut other = world.app("pad", "ios");
    assert_ne!(world.member(&mut other, &person, "13800000002"), uid);
}

#[test]
fn del_02_the_last_way_in_is_never_unlinked() {
    let row = Row::of("DEL-02");
    let world = World::login("bind_policy = \"optional\"");
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let said = world.arrive(&mut app, &person);
    let uid = said.text("uid").to_owned();
    let before = world.user(&uid);
    row.hears(&app.post("/user/wechat/unlink", &json!({})));
    assert_eq!(world.user(&uid), before);
    assert!(!vault_is_empty(&world));
}

#[test]
fn del_03_a_deletion_has_a_date_and_leaves_hashes() {
    let row = Row::of("DEL-03");
    let world = World::new();
    let (mut app, _, uid, openid) = member(&world);
    let mut pad = world.app("pad", "ios");
    world.pass(301);
    app.post("/user/account/delete", &json!({})).is(4010);
    let digits = world.passcode(&mut app, MEI, "verify");
    let said = app.post("/user/account/delete", &json!({"sms_code": digits}));
    row.hears(&said);
    let wait = said.number("deletable_at") - world.now().seconds();
    assert!((0..=21 * 86_400).contains(&wait), "{wait}");
    assert!(said.data["kept"].is_array());
    assert_ne!(app.me().code, 0);
    assert_eq!(world.sessions_now(&uid), 0);
    world.pass(wait + 1);
    world.until("the account is erased", || {
        world.user(&uid).status == UserStatus::Deleted
    });
    let user = world.user(&uid);
    assert_eq!((user.phone, user.identities.len()), (None, 0));
    assert_eq!(user.profile.nickname, "");
    assert_eq!(world.phone_holder(MEI), None);
    assert_eq!(world.identity_holder(&world.mobile, &openid), None);
    assert!(vault_is_empty(&world));
    let events = world.events();
    let erased = events
        .iter()
        .find(|event| event.what == "user.erased")
        .unwrap();
    assert!(
        !erased.detail.contains("138") && !erased.detail.is_empty(),
        "{}",
        erased.detail
    );
    world.until("the app is told", || {
        let heard = world.hook.heard();
        heard.iter().any(|one| one.body["type"] == "user.deleted")
    });
    assert_ne!(world.caller(&mut pad, MEI), uid);
}

#[test]
fn del_04_a_withdrawn_authorization_erases_profile_and_tokens() {
    let row = Row::of("DEL-04");
    let world = World::new();
    let (mut app, person, uid, openid) = member(&world);
    push(&world, "user_authorization_revoke", &openid, "n-1").expect_success();
    let identity = world.user(&uid).identities[0].clone();
    assert_eq!(identity.status, IdentityStatus::Revoked);
    assert_eq!(
        (identity.nickname.as_str(), identity.avatar.as_str()),
        ("", "")
    );
    assert!(vault_is_empty(&world));
    assert_eq!(world.arrive(&mut app, &person).ok()["uid"], uid.as_str());
    assert_eq!(
        world.user(&uid).identities[0].status,
        IdentityStatus::Linked
    );
    drop(row);
}

#[test]
fn del_05_a_cancelled_authorization_unlinks() {
    let row = Row::of("DEL-05");
    let world = World::new();
    let (mut app, _, uid, openid) = member(&world);
    let kind = "user_authorization_cancellation";
    push_in(&world, kind, &openid, "n-1", Mode::Safe, Spelling::Json).expect_success();
    assert!(world.user(&uid).identities.is_empty());
    assert_eq!(world.identity_holder(&world.mobile, &openid), None);
    world.pass(61);
    app.forget();
    assert_eq!(world.caller(&mut app, MEI), uid, "the number still works");
    // With nothing left, the account is on its way out.
    let world = World::login("bind_policy = \"optional\"");
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let uid = world.arrive(&mut app, &person).text("uid").to_owned();
    let openid = world.openid(&person, &world.mobile);
    push_in(
        &world,
        kind,
        &openid,
        "n-1",
        Mode::Compatible,
        Spelling::Xml,
    )
    .expect_success();
    assert!(matches!(world.user(&uid).status, UserStatus::Deleting(_)));
    world.until("the app is told", || {
        let heard = world.hook.heard();
        heard
            .iter()
            .any(|one| one.body["type"] == "user.deletion_requested")
    });
    drop(row);
}

#[test]
fn del_06_a_changed_profile_is_cleared_and_read_again() {
    let row = Row::of("DEL-06");
    let world = World::new();
    let (_, person, uid, openid) = member(&world);
    world.rename(&person, "新名", "https://pic.example.com/new");
    push(&world, "user_info_modified", &openid, "n-1").expect_success();
    world.until("the profile is read again", || {
        world.user(&uid).identities[0].nickname == "新名"
    });
    assert_eq!(world.told("code_replay"), 0);
    drop(row);
}

#[test]
fn del_07_a_push_that_is_forged_replayed_or_of_nobody_changes_nothing() {
    let row = Row::of("DEL-07");
    let world = World::new();
    let (mut app, person, uid, openid) = member(&world);
    let before = world.user(&uid);
    let kind = "user_authorization_revoke";
    let mine = keys(&world.mobile.appid);
    let good = event(&world, kind, &openid);
    let seal = |keys: &PushKeys, now, mode| {
        push::seal(keys, &good, mode, Spelling::Xml, &fresh(now, "n-9")).unwrap()
    };
    let sealed = seal(&mine, world.now(), Mode::Safe);
    for query in [
        sealed.query.replace("msg_signature=", "msg_signature=0"),
        sealed.query.replace("nonce=n-9", "nonce=n-8"),
        String::new(),
    ] {
        deliver(&world, &query, &sealed.body, "text/xml").expect_refusal();
    }
    let stale = seal(
        &mine,
        world.now().minus(yufu_core::time::Lifetime::seconds(400)),
        Mode::Safe,
    );
    deliver(&world, &stale.query, &stale.body, "text/xml").expect_refusal();
    let plain = seal(&mine, world.now(), Mode::Plain);
    deliver(&world, &plain.query, &plain.body, "text/xml").expect_refusal();
    let foreign = seal(
        &keys(&ClientId::new("wx0000000000000000")),
        world.now(),
        Mode::Safe,
    );
    deliver(&world, &foreign.query, &foreign.body, "text/xml").expect_refusal();
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\">]><xml><Encrypt>&a;</Encrypt></xml>";
    deliver(&world, &sealed.query, bomb, "text/xml").expect_refusal();
    assert_eq!(world.user(&uid), before);
    // Of nobody: taken without effect.
    push(&world, kind, "oNobody000000000000000000000", "n-2").expect_success();
    assert_eq!(world.user(&uid), before);
    // Replayed: the first is acted on, the second is not.
    deliver(&world, &sealed.query, &sealed.body, "text/xml").expect_success();
    assert_eq!(
        world.user(&uid).identities[0].status,
        IdentityStatus::Revoked
    );
    world.arrive(&mut app, &person).ok();
    deliver(&world, &sealed.query, &sealed.body, "text/xml").expect_success();
    assert_eq!(
        world.user(&uid).identities[0].status,
        IdentityStatus::Linked
    );
    drop(row);
}
