//! CON: several at once, on two processes over one database, and processes that die.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use serde_json::json;
use yufu_core::login::body::{BindTicket, Transaction, TransactionStage};
use yufu_core::ticket::Kind;
use yufu_core::user::UserStatus;

use super::app::{App, Said};
use super::rows::Row;
use super::server::Server;
use super::upstream::Fault;
use super::world::World;

const MEI: &str = "13800000001";
const WEI: &str = "13800000002";

/// What must hold however things went: each handle has one living account, and each account that
/// is not gone has a way in.
#[track_caller]
fn whole(world: &World) {
    let users = world.users();
    let mut phones = BTreeSet::new();
    let mut keys = BTreeSet::new();
    for user in &users {
        if matches!(user.status, UserStatus::Deleted | UserStatus::Merged(_)) {
            assert!(user.identities.is_empty() && user.phone.is_none());
            assert_eq!(world.sessions_now(&user.id.to_string()), 0);
            continue;
        }
        assert!(
            user.phone.is_some() || !user.identities.is_empty(),
            "{user:?}"
        );
        if let Some(phone) = &user.phone {
            assert!(phones.insert(phone.clone()), "two accounts of {phone}");
            assert_eq!(world.phone_holder(phone.as_str()), Some(user.id));
        }
        for identity in &user.identities {
            assert!(
                keys.insert(identity.key.clone()),
                "two accounts of one identity"
            );
            let handle = yufu_core::user::Handle::of(&identity.key);
            assert_eq!(world.holder(&handle), Some(user.id));
        }
    }
}

/// Runs two at once.
fn both<A: Send, B: Send>(a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B) {
    thread::scope(|scope| {
        let a = scope.spawn(a);
        let b = b();
        (a.join().unwrap(), b)
    })
}

#[test]
fn con_01_two_equal_logins_get_one_answer_from_one_call() {
    let row = Row::of("CON-01");
    let world = World::new();
    let servers = [Server::beside(&world), Server::beside(&world)];
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    world.member(&mut app, &person, MEI);
    app.forget();
    let state = app.prepare();
    let code = world.code(&person, &state);
    let calls = world.upstream.exchanges();
    world.upstream.misbehave(
        "/sns/oauth2/access_token",
        1,
        Fault::Slow(Duration::from_millis(300)),
    );
    let (mut one, mut two) = (app.at(servers[0].port), app.at(servers[1].port));
    let (a, b) = both(|| one.login(&code, &state), || two.login(&code, &state));
    row.hears(&a);
    row.hears(&b);
    assert_eq!(a.data_bytes(), b.data_bytes());
    assert_eq!(world.upstream.exchanges(), calls + 1);
    assert_eq!(world.sessions(), 1);
    whole(&world);
}

/// Two devices of two people, each with a ticket, and passcodes for these numbers.
fn two_tickets(world: &World, phones: [&str; 2], same: bool) -> [(App, String, String); 2] {
    let first = world.person("梅");
    let second = if same {
        first.clone()
    } else {
        world.person("伟")
    };
    let mut app = world.app("phone", "android");
    let mut pad = world.app("pad", "ios");
    let ticket = world.ticket(&mut app, &first);
    let other = world.ticket(&mut pad, &second);
    let digits = world.passcode(&mut app, phones[0], "bind");
    let others = match phones[0] == phones[1] {
        true => digits.clone(),
        false => world.passcode(&mut pad, phones[1], "bind"),
    };
    [(app, ticket, digits), (pad, other, others)]
}

fn bind(app: &mut App, port: u16, ticket: &str, phone: &str, digits: &str) -> Said {
    let mut app = app.at(port);
    app.bind(ticket, &json!({"phone": phone, "sms_code": digits}))
}

#[test]
fn con_02_two_people_and_one_free_number_make_one_account() {
    let row = Row::of("CON-02");
    let world = World::login("passcode_resend = 1");
    let servers = [Server::beside(&world), Server::beside(&world)];
    let [mut a, mut b] = two_tickets(&world, [MEI, WEI], false);
    // Each proves the number on its own: by a passcode each, one after the other.
    bind(&mut b.0, servers[1].port, &b.1, "13800000009", "000000").is(3005);
    thread::sleep(Duration::from_millis(1100));
    let second = world.passcode(&mut b.0, MEI, "bind");
    let (ports, digits) = ([servers[0].port, servers[1].port], (a.2.clone(), second));
    // The newer passcode counts; both people are at the number's phone.
    let first = bind(&mut a.0, ports[0], &a.1, MEI, &digits.1);
    let late = bind(&mut b.0, ports[1], &b.1, MEI, &digits.1);
    // One passcode is one proof: whoever comes second asks for another.
    assert_eq!(first.code, 0, "{}", first.answer.text());
    late.is(3005);
    row.hears(&first);
    thread::sleep(Duration::from_millis(1100));
    let third = world.passcode(&mut b.0, MEI, "bind");
    row.hears(&bind(&mut b.0, ports[1], &b.1, MEI, &third));
    assert_eq!(world.users().len(), 1);
    whole(&world);
    at_once(&servers);
}

/// The same at the same moment, with numbers that a carrier vouches for.
fn at_once(servers: &[Server; 2]) {
    assert_ne!(servers[0].port, servers[1].port);
    let carrier = super::gateway::Gateway::open();
    let reply = "{\"phone\":\"+8613800000001\"}".to_owned();
    carrier.answers(super::gateway::Manner::Say(200, reply));
    let world = World::with(super::world::Wish {
        tables: format!(
            "[carrier]\nurl = \"{}\"\nsecret = \"0123456789abcdef0123456789abcdef\"\n",
            carrier.url("/token")
        ),
        ..super::world::Wish::default()
    });
    let servers = [Server::beside(&world), Server::beside(&world)];
    let (mut app, mut pad) = (world.app("phone", "android"), world.app("pad", "ios"));
    let tickets = [
        world.ticket(&mut app, &world.person("梅")),
        world.ticket(&mut pad, &world.person("伟")),
    ];
    let (mut one, mut two) = (app.at(servers[0].port), pad.at(servers[1].port));
    let (a, b) = both(
        || one.bind(&tickets[0], &json!({"carrier_token": "t-1"})),
        || two.bind(&tickets[1], &json!({"carrier_token": "t-2"})),
    );
    let mut codes = [a.code, b.code];
    codes.sort_unstable();
    assert_eq!(codes, [0, 4001], "{} {}", a.answer.text(), b.answer.text());
    assert_eq!(world.users().len(), 1);
    whole(&world);
}

#[test]
fn con_03_one_new_person_on_two_devices_is_one_account() {
    let row = Row::of("CON-03");
    let world = World::new();
    let servers = [Server::beside(&world), Server::beside(&world)];
    let person = world.person("梅");
    let (mut app, mut pad) = (world.app("phone", "android"), world.app("pad", "ios"));
    let first = world.arrive(&mut app, &person);
    let second = world.arrive(&mut pad, &person);
    row.hears(&first);
    row.hears(&second);
    let digits = [
        world.passcode(&mut app, MEI, "bind"),
        world.passcode(&mut pad, WEI, "bind"),
    ];
    let tickets = [first.text("bind_ticket"), second.text("bind_ticket")];
    let (a, b) = both(
        || {
            bind(
                &mut app.clone(),
                servers[0].port,
                tickets[0],
                MEI,
                &digits[0],
            )
        },
        || {
            bind(
                &mut pad.clone(),
                servers[1].port,
                tickets[1],
                WEI,
                &digits[1],
            )
        },
    );
    row.hears_both(&a, &b);
    assert_eq!(world.users().len(), 1);
    whole(&world);
    // Whoever was told so is simply logged in.
    let mut told = if a.code == 4002 { app } else { pad };
    assert_eq!(world.arrive(&mut told, &person).ok()["is_bind"], true);
}

#[test]
fn con_04_changes_of_one_account_end_as_if_one_came_after_the_other() {
    let row = Row::of("CON-04");
    let world = World::new();
    let servers = [Server::beside(&world), Server::beside(&world)];
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let uid = world.member(&mut app, &person, MEI);
    let digits = world.passcode(&mut app, WEI, "change");
    let (one, two) = (app.at(servers[0].port), app.at(servers[1].port));
    let (unlinked, changed) = both(
        || one.post("/user/wechat/unlink", &json!({})),
        || {
            two.post(
                "/user/phone/change",
                &json!({"phone": WEI, "sms_code": digits}),
            )
        },
    );
    // Both are changes that stand beside each other: each is done, or asked to be tried again.
    for said in [&unlinked, &changed] {
        assert!(matches!(said.code, 0 | 1005), "{}", said.answer.text());
    }
    row.hears_one(if unlinked.code == 0 {
        &unlinked
    } else {
        &changed
    });
    let user = world.user(&uid);
    assert!(user.phone.is_some());
    assert_eq!(user.identities.is_empty(), unlinked.code == 0);
    whole(&world);
}

#[test]
fn con_05_no_session_lives_on_an_erased_account() {
    let row = Row::of("CON-05");
    // These servers keep real time: nothing is turned here.
    let world = World::login("deletion_delay = 0\ndevice_passcodes = 1000");
    let servers = [Server::beside(&world), Server::beside(&world)];
    let person = world.person("梅");
    let mut app = world.app("phone", "android");
    let mut heard = None;
    for round in 0..6 {
        let said = world.arrive(&mut app, &person);
        let uid = match said.data["bind_ticket"].as_str() {
            Some(ticket) => {
                let phone = format!("1380000001{round}");
                let digits = world.passcode(&mut app, &phone, "bind");
                let body = json!({"phone": phone, "sms_code": digits});
                app.bind(ticket, &body).ok()["uid"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            }
            None => said.text("uid").to_owned(),
        };
        let mut pad = world.app(&format!("pad-{round}"), "ios");
        let state = pad.prepare();
        let code = world.code(&person, &state);
        let (deleter, mut pad) = (app.at(servers[0].port), pad.at(servers[1].port));
        let (deleted, login) = both(
            || deleter.post("/user/account/delete", &json!({})),
            || pad.login(&code, &state),
        );
        deleted.ok();
        assert!(matches!(login.code, 0 | 4006), "{}", login.answer.text());
        if login.code == 4006 {
            heard = Some(login);
        }
        world.until("the account is erased", || {
            world.user(&uid).status == UserStatus::Deleted
        });
        assert_eq!(world.sessions_now(&uid), 0);
        assert_ne!(pad.me().code, 0);
        whole(&world);
    }
    // The order that the row names, for certain.
    if heard.is_none() {
        let world = World::new();
        let mut app = world.app("phone", "android");
        let person = world.person("梅");
        world.member(&mut app, &person, MEI);
        app.post("/user/account/delete", &json!({})).ok();
        heard = Some(world.arrive(&mut app, &person));
    }
    row.hears(&heard.unwrap());
}

#[test]
fn con_06_after_a_crash_behind_the_commit_the_same_key_brings_the_same_answer() {
    let row = Row::of("CON-06");
    let world = World::new();
    let mut doomed = Server::beside(&world);
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let ticket = world.ticket(&mut app, &person);
    let digits = world.passcode(&mut app, MEI, "bind");
    let body = json!({"bind_ticket": ticket, "phone": MEI, "sms_code": digits});
    fire(&app, doomed.port, "/user/wechat/bind", &body);
    world.until("the account is there", || world.users().len() == 1);
    doomed.kill();
    let heir = Server::beside(&world);
    let mut app = app.at(heir.port);
    let body = json!({"phone": MEI, "sms_code": digits});
    let said = app.bind_once(&ticket, &body, Some("key-1"));
    row.hears(&said);
    app.me().ok();
    assert_eq!(world.users().len(), 1);
    assert_eq!(world.sessions(), 1);
    whole(&world);
}

/// Sends a request with the idempotency key `key-1`, and does not wait for its answer.
fn fire(app: &App, port: u16, path: &str, body: &serde_json::Value) {
    let ask = super::wire::Ask::new("POST", path)
        .header("content-type", "application/json")
        .header("idempotency-key", "key-1")
        .header("x-yufu-device", app.device.as_deref().unwrap())
        .body(body.to_string());
    let mut wire = super::wire::Wire::to(port);
    wire.send(&ask.bytes(port));
    // The connection stays open until the server dies.
    thread::spawn(move || wire.answer());
}

#[test]
fn con_07_after_a_crash_before_the_commit_the_user_authorizes_again() {
    let row = Row::of("CON-07");
    let world = World::login("exchange_patience = 1");
    let mut doomed = Server::beside(&world);
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let state = app.prepare();
    let code = world.code(&person, &state);
    // The exchange is answered; the profile is slow, and the server dies in between.
    world
        .upstream
        .misbehave("/sns/userinfo", 1, Fault::Slow(Duration::from_secs(3)));
    fire(
        &app,
        doomed.port,
        "/user/wechat/login",
        &json!({"code": code, "state": state}),
    );
    world.until("the profile is asked for", || {
        !world.upstream.calls("/sns/userinfo").is_empty()
    });
    doomed.kill();
    assert!(world.users().is_empty() && world.rows(Kind::Vault).is_empty());
    thread::sleep(Duration::from_millis(1100));
    let heir = Server::beside(&world);
    let mut app = app.at(heir.port);
    row.hears_one(&app.login_once(&code, &state, Some("key-1")));
    assert!(world.users().is_empty());
    assert!(world.rows(Kind::Bind).is_empty());
    assert!(world.rows(Kind::Vault).is_empty());
    whole(&world);
    app.port_of(&world);
    world.arrive(&mut app, &person).ok();
}

/// The stages of a login and a binding, as the database shows them: each is a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Exchanging,
    Answered,
    NumberProved,
    Bound,
}

impl Stage {
    fn is_reached(self, world: &World) -> bool {
        let transaction = || {
            let rows = world.rows(Kind::Transaction);
            rows.last()
                .map(|raw| raw.open::<Transaction>().unwrap().body.stage)
        };
        let ticket = || {
            let rows = world.rows(Kind::Bind);
            rows.last().map(|raw| raw.open::<BindTicket>().unwrap())
        };
        match self {
            Self::Exchanging => matches!(
                transaction(),
                Some(TransactionStage::Exchanging { .. } | TransactionStage::Done { .. })
            ),
            Self::Answered => matches!(transaction(), Some(TransactionStage::Done { .. })),
            Self::NumberProved => ticket().is_some_and(|ticket| ticket.body.phone.is_some()),
            Self::Bound => ticket().is_some_and(|ticket| ticket.taken_at.is_some()),
        }
    }
}

/// Kills the server at a commit of the way, and goes on with the heir as an app would: with the
/// same requests under the same keys, and from the beginning when it is told to.
fn survives(stage: Stage) {
    let world = World::login("exchange_patience = 1");
    let mut doomed = Server::beside(&world);
    let mut app = world.app("phone", "android");
    let person = world.person("梅");
    let state = app.prepare();
    let code = world.code(&person, &state);
    let login = json!({"code": code, "state": state});
    let digits = world.passcode(&mut app, MEI, "bind");
    let mut ticket = None;
    match stage {
        Stage::Exchanging | Stage::Answered => {
            fire(&app, doomed.port, "/user/wechat/login", &login);
        }
        Stage::NumberProved | Stage::Bound => {
            let said = app.at(doomed.port).login_once(&code, &state, Some("key-1"));
            ticket = Some(said.text("bind_ticket").to_owned());
            let body = json!({"bind_ticket": ticket, "phone": MEI, "sms_code": digits});
            fire(&app, doomed.port, "/user/wechat/bind", &body);
        }
    }
    world.until("the stage is reached", || stage.is_reached(&world));
    doomed.kill();
    whole(&world);
    thread::sleep(Duration::from_millis(1100));
    let heir = Server::beside(&world);
    let mut app = app.at(heir.port);
    let ticket = ticket.unwrap_or_else(|| {
        let said = app.login_once(&code, &state, Some("key-1"));
        match said.code {
            0 => said.text("bind_ticket").to_owned(),
            2001 | 2002 => {
                let state = app.prepare();
                let code = world.code(&person, &state);
                app.login(&code, &state).text("bind_ticket").to_owned()
            }
            _ => panic!("{stage:?}: {}", said.answer.text()),
        }
    });
    let body = json!({"phone": MEI, "sms_code": digits});
    app.bind_once(&ticket, &body, Some("key-1")).ok();
    app.me().ok();
    assert_eq!(world.users().len(), 1, "{stage:?}");
    assert_eq!(world.sessions(), 1, "{stage:?}");
    whole(&world);
}

#[test]
fn a_server_may_die_at_each_commit_of_a_login() {
    survives(Stage::Exchanging);
    survives(Stage::Answered);
}

#[test]
fn a_server_may_die_at_each_commit_of_a_binding() {
    survives(Stage::NumberProved);
    survives(Stage::Bound);
}
