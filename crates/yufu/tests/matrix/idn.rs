//! IDN: identity and profile data.

use serde_json::{Value, json};

use super::app::App;
use super::rows::Row;
use super::upstream::Fault;
use super::world::{Person, Wish, World};

const MEI: &str = "13800000001";

fn member(world: &World) -> (App, Person, String) {
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let uid = world.member(&mut app, &person, MEI);
    (app, person, uid)
}

#[test]
fn idn_01_without_any_unionid_app_and_openid_are_the_key() {
    let row = Row::of("IDN-01");
    let world = World::with(Wish {
        loose: true,
        ..Wish::default()
    });
    let (mut app, person, uid) = member(&world);
    let said = world.arrive(&mut app, &person);
    assert_eq!(row.hears(&said).text("uid"), uid);
    let identity = &world.user(&uid).identities[0];
    assert_eq!(identity.person, None);
    assert_eq!(identity.key.app, world.mobile.appid);
    // The other app of the same person is another identity.
    let mut page = world.page("browser");
    assert_eq!(
        world.arrive_at_page(&mut page, &person).data["is_bind"],
        false
    );
}

#[test]
fn idn_02_a_unionid_that_appears_later_joins_the_same_identity() {
    let row = Row::of("IDN-02");
    let world = World::new();
    world.without_unionid();
    let (mut app, person, uid) = member(&world);
    assert_eq!(world.user(&uid).identities[0].person, None);
    let said = world.arrive(&mut app, &person);
    assert_eq!(row.hears(&said).text("uid"), uid);
    let user = world.user(&uid);
    assert_eq!(user.identities.len(), 1);
    let unionid = &user.identities[0].person.as_ref().unwrap().id;
    assert_eq!(world.union_holder(unionid), Some(user.id));
    assert_eq!(world.users().len(), 1);
}

#[test]
fn idn_03_a_unionid_that_is_missing_later_changes_nothing() {
    let row = Row::of("IDN-03");
    let world = World::new();
    let (mut app, person, uid) = member(&world);
    let before = world.user(&uid).identities;
    world.without_unionid();
    let said = world.arrive(&mut app, &person);
    assert_eq!(row.hears(&said).text("uid"), uid);
    assert_eq!(world.user(&uid).identities, before);
    assert_eq!(world.users().len(), 1);
}

#[test]
fn idn_04_another_unionid_than_before_is_noted() {
    let row = Row::of("IDN-04");
    let world = World::new();
    let (mut app, person, uid) = member(&world);
    let before = world.user(&uid).identities[0].person.clone().unwrap();
    for path in ["/sns/oauth2/access_token", "/sns/userinfo"] {
        let change = |answer: &mut Value| answer["unionid"] = json!("oAnotherUnion000000000000000");
        world.upstream.misbehave(path, 1, Fault::Change(change));
    }
    let said = world.arrive(&mut app, &person);
    assert_eq!(row.hears(&said).text("uid"), uid);
    let identity = &world.user(&uid).identities[0];
    assert_eq!(
        identity.person.as_ref().unwrap().id,
        "oAnotherUnion000000000000000"
    );
    assert_eq!(identity.former, [before.id]);
    assert_eq!(world.told("identity.unionid_changed"), 1);
    assert_eq!(world.users().len(), 1);
}

#[test]
fn idn_05_a_nickname_of_any_script_is_kept_byte_for_byte() {
    let row = Row::of("IDN-05");
    let world = World::new();
    let mut heard = None;
    for (n, nickname) in [
        "👩‍👩‍👧‍👦 家",
        "\u{202e}gnirts\u{202c}",
        "a\u{200b}b",
        "é e\u{301}",
        "<script>alert(1)</script> \" ' & \\",
        "梅".repeat(32).as_str(),
    ]
    .into_iter()
    .enumerate()
    {
        let mut app = world.app(&format!("phone-{n}"), "android");
        let person = world.person("x");
        world.rename(&person, nickname, "");
        let phone = format!("1380000000{n}");
        let uid = world.member(&mut app, &person, &phone);
        let said = world.arrive(&mut app, &person);
        assert_eq!(said.ok()["profile"]["nickname"], nickname);
        assert_eq!(world.user(&uid).identities[0].nickname, nickname);
        assert_eq!(app.me().data["nickname"], nickname);
        heard = Some(said);
    }
    row.hears(&heard.unwrap());
    // Only blanks, told by another platform than ours: shown as nobody, kept as it is.
    let mut app = world.app("phone-blank", "android");
    let person = world.person("x");
    let blank = |answer: &mut Value| answer["nickname"] = json!("  \u{3000} ");
    world
        .upstream
        .misbehave("/sns/userinfo", 1, Fault::Change(blank));
    let uid = world.member(&mut app, &person, "13800000009");
    assert_eq!(world.user(&uid).identities[0].nickname, "  \u{3000} ");
    assert_eq!(app.me().data["nickname"], "");
}

#[test]
fn idn_06_no_picture_and_a_default_name_are_no_obstacle() {
    let row = Row::of("IDN-06");
    let world = World::new();
    let mut uids = Vec::new();
    let mut heard = None;
    for n in 1..3 {
        let mut app = world.app(&format!("phone-{n}"), "android");
        let person = world.person("微信用户");
        world.rename(&person, "微信用户", "");
        uids.push(world.member(&mut app, &person, &format!("1380000000{n}")));
        heard = Some(world.arrive(&mut app, &person));
        assert_eq!(app.me().data["avatar"], "");
    }
    row.hears(&heard.unwrap());
    assert_ne!(uids[0], uids[1]);
}

#[test]
fn idn_07_sex_place_and_privileges_are_not_kept() {
    let row = Row::of("IDN-07");
    let world = World::new();
    let add = |answer: &mut Value| {
        answer["sex"] = json!(2);
        answer["city"] = json!("长沙市芙蓉区");
        answer["province"] = json!("湖南省");
        answer["country"] = json!("CN");
        answer["privilege"] = json!(["chinaunicom"]);
    };
    world
        .upstream
        .misbehave("/sns/userinfo", 9, Fault::Change(add));
    let (mut app, person, uid) = member(&world);
    row.hears(&world.arrive(&mut app, &person));
    let kept = serde_json::to_string(&world.user(&uid)).unwrap();
    for word in ["芙蓉", "湖南", "chinaunicom", "\"sex\":\"female\""] {
        assert!(!kept.contains(word), "{kept}");
    }
    for file in ["login.db", "login.db-wal"] {
        let bytes = std::fs::read(world.folder.join(file)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        assert!(
            !text.contains("chinaunicom") && !text.contains("芙蓉"),
            "{file}"
        );
    }
}
