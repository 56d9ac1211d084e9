//! Each setting of a client, set by the command line and felt over HTTP; the review life cycle.

use serde_json::Value;

use crate::house::{Browser, House, in_client, param, query, until};

fn text<'a>(tokens: &'a Value, key: &str) -> &'a str {
    tokens[key].as_str().unwrap_or_else(|| panic!("{tokens}"))
}

/// A house whose service client has a setting, a browser that is signed in, and tokens from
/// before the setting.
struct Case {
    house: House,
    service: (String, String),
    before: Value,
}

impl Case {
    fn new() -> Self {
        let house = House::dev();
        let service = house.service();
        let code = Browser::of(&house, 0).code(&service.0, "snsapi_userinfo");
        let before = house.tokens(&service, &code);
        Self {
            house,
            service,
            before,
        }
    }

    fn set(&self, setting: &str) {
        self.house.set(&self.service.0, setting);
    }

    fn code(&self) -> String {
        Browser::of(&self.house, 0).code(&self.service.0, "snsapi_userinfo")
    }

    fn tokens(&self) -> Value {
        self.house.tokens(&self.service, &self.code())
    }

    fn auth(&self, tokens: &Value) -> i64 {
        self.house
            .auth(text(tokens, "access_token"), text(tokens, "openid"))
            .errcode()
    }
}

#[test]
fn strict_openid_asks_userinfo_for_the_right_one() {
    let case = Case::new();
    let access = text(&case.before, "access_token");
    assert_eq!(case.house.userinfo(access, "x").errcode(), 0);
    case.set("strict_openid=true");
    until("felt", || case.house.userinfo(access, "x").errcode() != 0);
    case.house
        .userinfo(access, "x")
        .refuses(40003, "invalid openid");
    let openid = text(&case.before, "openid");
    assert_eq!(case.house.userinfo(access, openid).json()["openid"], openid);
    case.set("strict_openid=false");
    until("felt", || case.house.userinfo(access, "x").errcode() == 0);
}

#[test]
fn full_profile_tells_what_was_told_before_2021() {
    let case = Case::new();
    let (access, openid) = (
        text(&case.before, "access_token"),
        text(&case.before, "openid"),
    );
    case.set("full_profile=true");
    until("felt", || {
        case.house.userinfo(access, openid).json()["sex"] == 2
    });
    let platform = case.house.platform().replace('/', "\\/");
    let unionid = text(&case.before, "unionid");
    let shape = format!(
        r#"{{"openid":"{openid}","nickname":"梅 Zoé 🐟","sex":2,"language":"zh_CN","city":"长沙","province":"湖南","country":"中国","headimgurl":"{platform}\/mmopen\/vi_32\/mei\/132","privilege":[],"unionid":"{unionid}"}}"#
    );
    case.house
        .userinfo(access, openid)
        .says("text/plain", &shape);
}

#[test]
fn a_codes_life_is_a_setting_and_so_is_its_name_when_it_is_over() {
    let case = Case::new();
    let lived = case.code();
    case.set("code_life=1");
    let mut short = String::new();
    until("felt", || {
        short = case.code();
        std::thread::sleep(std::time::Duration::from_millis(1100));
        case.house.exchange(&case.service, &short).errcode() != 0
    });
    case.house
        .exchange(&case.service, &short)
        .refuses(40029, "invalid code");
    case.set("names_expired_code=true");
    until("felt", || {
        case.house.exchange(&case.service, &short).errcode() != 40029
    });
    case.house
        .exchange(&case.service, &short)
        .refuses(42003, "code expired");
    // What was promised a longer life keeps it.
    assert_eq!(case.house.exchange(&case.service, &lived).errcode(), 0);
}

#[test]
fn a_changed_password_voids_tokens_where_that_is_wanted() {
    let case = Case::new();
    let mut browser = Browser::of(&case.house, 0);
    browser.sign_in();
    let (_, password) = case.house.person(0);
    let page = browser.get("/account/password");
    let fields = [
        ("current", password.as_str()),
        ("password", "another good one"),
    ];
    assert_eq!(browser.press(&page, "change", &fields).status, 303);
    assert_eq!(case.auth(&case.before), 0, "off unless set");
    case.set("password_change_voids=true");
    until("felt", || case.auth(&case.before) != 0);
    let words = "user changed password, access_token and refresh_token invalid";
    let (access, openid) = (
        text(&case.before, "access_token"),
        text(&case.before, "openid"),
    );
    case.house.auth(access, openid).refuses(42007, words);
    case.house.userinfo(access, openid).refuses(42007, words);
    case.house
        .refresh(&case.service.0, text(&case.before, "refresh_token"))
        .refuses(42007, words);
    // What is granted after the change is good.
    let code = browser.code(&case.service.0, "snsapi_userinfo");
    let after = case.house.tokens(&case.service, &code);
    assert_eq!(case.auth(&after), 0);
}

#[test]
fn refreshing_at_access_token_is_a_setting() {
    let case = Case::new();
    let refresh = || {
        let params = [
            ("appid", case.service.0.as_str()),
            ("secret", &case.service.1),
            ("grant_type", "refresh_token"),
            ("refresh_token", text(&case.before, "refresh_token")),
        ];
        case.house.call("/sns/oauth2/access_token", &params)
    };
    refresh().refuses(40002, "invalid grant_type");
    case.set("refresh_at_access_token=true");
    until("felt", || refresh().errcode() == 0);
    assert_eq!(
        refresh().json()["access_token"],
        case.before["access_token"]
    );
}

#[test]
fn a_no_may_return_with_authdeny() {
    let case = Case::new();
    case.set("authdeny=true");
    let deny = || {
        let target = in_client(
            &case.service.0,
            "http://localhost/x",
            "snsapi_userinfo",
            "s",
        );
        let target = format!("{target}&forcePopup=true");
        Browser::of(&case.house, 0)
            .go_through(&target, "deny")
            .location()
            .to_owned()
    };
    until("felt", || {
        deny() == "http://localhost/x?code=authdeny&state=s"
    });
}

#[test]
fn a_code_that_comes_again_may_revoke_what_it_paid_for() {
    let case = Case::new();
    let code = case.code();
    let tokens = case.house.tokens(&case.service, &code);
    case.house
        .exchange(&case.service, &code)
        .refuses(40163, "code been used");
    assert_eq!(case.auth(&tokens), 0, "off unless set");
    case.set("reuse_revokes=true");
    until("felt", || {
        case.house
            .exchange(&case.service, &code)
            .refuses(40163, "code been used");
        case.auth(&tokens) == 40014
    });
    case.house
        .refresh(&case.service.0, text(&tokens, "refresh_token"))
        .refuses(40030, "invalid refresh_token");
    assert_eq!(case.auth(&case.before), 0, "other families live on");
}

#[test]
fn one_live_token_may_be_all_there_is() {
    let case = Case::new();
    let second = case.tokens();
    assert_eq!(case.auth(&case.before), 0, "off unless set");
    case.set("single_live_token=true");
    until("felt", || {
        case.tokens();
        case.auth(&second) == 40014
    });
    let last = case.tokens();
    assert_eq!(case.auth(&last), 0);
    let refresh = text(&case.before, "refresh_token");
    case.house
        .refresh(&case.service.0, refresh)
        .refuses(40030, "invalid refresh_token");
}

#[test]
fn long_states_may_pass_in_client() {
    let case = Case::new();
    case.set("long_state=true");
    let mut browser = Browser::of(&case.house, 0);
    browser.sign_in();
    let target = in_client(
        &case.service.0,
        "http://localhost/x",
        "snsapi_base",
        &"s".repeat(3000),
    );
    until("felt", || browser.get(&target).status == 302);
}

#[test]
fn a_public_scan_is_insecure_and_off() {
    let house = House::dev_with(&["--poll-hold", "0"]);
    let website = house.website();
    let mut phone = Browser::of(&house, 0);
    phone.sign_in();
    let mut stolen = || {
        let (uuid, _) = Browser::of(&house, 0).qr(&website.0, &[]);
        phone.go_through(&format!("/connect/confirm?uuid={uuid}"), "allow");
        house
            .get(&format!("/connect/l/qrconnect?uuid={uuid}"))
            .text()
            .contains("405")
    };
    assert!(!stolen());
    house.set(&website.0, "public_scan=true");
    until("felt", stolen);
}

#[test]
fn a_wechat_compatible_app_needs_no_pkce() {
    let house = House::dev();
    let mobile = house.mobile();
    let params = [
        ("appid", mobile.0.as_str()),
        ("scope", "snsapi_userinfo"),
        ("platform", "ios"),
        ("bundle", "com.example.rooms"),
    ];
    let target = format!("/connect/app/authorize?{}", query(&params));
    house.set(&mobile.0, "wechat_compatible=false");
    until("felt", || house.get(&target).status == 200);
    house.set(&mobile.0, "wechat_compatible=true");
    until("felt", || house.get(&target).status == 303);
    let location = Browser::of(&house, 0).allow(&target);
    house.tokens(&mobile, param(&location, "code").unwrap());
}

#[test]
fn the_review_life_cycle_is_felt_on_pages_and_at_the_tokens() {
    let house = House::dev();
    let made = house.cli(&[
        "client",
        "create",
        "--developer",
        "Petit Livre 书店",
        "--kind",
        "service",
        "--name",
        "New",
        "--loopback",
    ]);
    let client = (
        text(&made, "appid").to_owned(),
        text(&made, "secret").to_owned(),
    );
    let step = |args: &[&str]| {
        let mut all = vec!["client", args[0], &client.0];
        all.extend(&args[1..]);
        house.cli(&all)["status"].as_str().unwrap().to_owned()
    };
    let target = in_client(&client.0, "http://localhost/x", "snsapi_userinfo", "s");
    let page_holds = |words: &str| until(words, || house.get(&target).text().contains(words));
    let opens = || until("it opens", || house.get(&target).status == 303);
    assert_eq!(made["status"], "draft");
    page_holds("10005");
    assert_eq!(step(&["submit"]), "in_review");
    page_holds("10005");
    assert_eq!(step(&["reject", "--reason", "no icon"]), "rejected");
    assert_eq!(
        house.cli(&["client", "show", &client.0])["reason"],
        "no icon"
    );
    assert_eq!(step(&["submit"]), "in_review");
    assert_eq!(step(&["approve"]), "approved");
    opens();
    let code = Browser::of(&house, 0).code(&client.0, "snsapi_userinfo");
    let unspent = Browser::of(&house, 0).code(&client.0, "snsapi_userinfo");
    let tokens = house.tokens(&client, &code);
    let (access, openid) = (text(&tokens, "access_token"), text(&tokens, "openid"));
    // A change of identity or redirects is reviewed again; tokens live on meanwhile.
    assert_eq!(
        step(&["edit", "--set", "code_life=60"]),
        "approved",
        "settings are the platform's own affair"
    );
    assert_eq!(step(&["edit", "--name", "Renamed"]), "in_review");
    page_holds("10005");
    assert_eq!(house.auth(access, openid).errcode(), 0);
    assert_eq!(step(&["approve"]), "approved");
    opens();
    assert_eq!(
        step(&["edit", "--redirect-host", "www.example.com"]),
        "in_review"
    );
    assert_eq!(step(&["approve"]), "approved");
    page_holds("10003");
    // A suspension is felt everywhere, and lifted by an approval.
    assert_eq!(step(&["suspend", "--reason", "spam"]), "suspended");
    let words = "api forbidden for irregularities";
    until("felt", || house.auth(access, openid).errcode() == 48004);
    house.auth(access, openid).refuses(48004, words);
    house.userinfo(access, openid).refuses(48004, words);
    house
        .refresh(&client.0, text(&tokens, "refresh_token"))
        .refuses(48004, words);
    house.exchange(&client, &unspent).refuses(48004, words);
    let at_home = in_client(
        &client.0,
        "https://www.example.com/",
        "snsapi_userinfo",
        "s",
    );
    assert!(house.get(&at_home).text().contains("10004"));
    assert_eq!(
        step(&["edit", "--name", "Again"]),
        "suspended",
        "an edit lifts nothing"
    );
    assert_eq!(step(&["approve"]), "approved");
    until("felt", || house.auth(access, openid).errcode() == 0);
    house.tokens(&client, &unspent);
}

#[test]
fn a_restricted_user_is_refused_and_released() {
    let house = House::dev();
    let service = house.service();
    let mut browser = Browser::of(&house, 0);
    let code = browser.code(&service.0, "snsapi_userinfo");
    let tokens = house.tokens(&service, &code);
    let unspent = browser.code(&service.0, "snsapi_userinfo");
    let (access, openid) = (text(&tokens, "access_token"), text(&tokens, "openid"));
    let user = house.user_id(0);
    house.cli(&["user", "restrict", &user]);
    until("felt", || house.auth(access, openid).errcode() == 50002);
    house.auth(access, openid).refuses(50002, "user limited");
    house
        .userinfo(access, openid)
        .refuses(50002, "user limited");
    house
        .refresh(&service.0, text(&tokens, "refresh_token"))
        .refuses(50002, "user limited");
    house
        .exchange(&service, &unspent)
        .refuses(50002, "user limited");
    let page = browser.get(&in_client(
        &service.0,
        "http://localhost/x",
        "snsapi_base",
        "s",
    ));
    assert_eq!(page.status, 200);
    assert!(page.text().contains("50002"));
    house.cli(&["user", "release", &user]);
    until("felt", || house.auth(access, openid).errcode() == 0);
    house.tokens(&service, &unspent);
}

#[test]
fn both_secrets_work_during_a_rotation_and_no_third() {
    let house = House::dev();
    let service = house.service();
    let mut browser = Browser::of(&house, 0);
    let rotate = || {
        let made = house.cli(&["client", "rotate-secret", &service.0]);
        (service.0.clone(), text(&made, "secret").to_owned())
    };
    let second = rotate();
    assert_ne!(second.1, service.1);
    // The server hears of it, and then both are good.
    until("felt", || house.exchange(&second, "x").errcode() == 40029);
    for client in [&service, &second] {
        let code = browser.code(&client.0, "snsapi_base");
        house.tokens(client, &code);
    }
    let third = rotate();
    until("felt", || house.exchange(&third, "x").errcode() == 40029);
    assert_eq!(house.exchange(&second, "x").errcode(), 40029);
    house
        .exchange(&service, "x")
        .refuses(40125, "invalid appsecret");
    assert_eq!(house.cli(&["client", "show", &service.0])["secrets"], 2);
}

#[test]
fn an_unbound_service_client_gets_no_unionid() {
    let case = Case::new();
    assert!(case.before["unionid"].is_string());
    case.house
        .cli(&["client", "edit", &case.service.0, "--bound", "false"]);
    until("felt", || case.tokens()["unionid"].is_null());
    let tokens = case.tokens();
    let answer = case
        .house
        .userinfo(text(&tokens, "access_token"), text(&tokens, "openid"));
    assert!(
        !answer.text().contains("unionid"),
        "the key is left out, not empty"
    );
}

#[test]
fn a_scans_no_may_return_to_the_website() {
    let house = House::dev_with(&["--poll-hold", "0"]);
    let website = house.website();
    let (_, page) = Browser::of(&house, 0).qr(&website.0, &[]);
    assert!(!page.text().contains("data-denial"));
    house.set(&website.0, "scan_denial_returns=true");
    until("felt", || {
        Browser::of(&house, 0)
            .qr(&website.0, &[])
            .1
            .text()
            .contains("data-denial")
    });
}

#[test]
fn a_bound_of_calls_is_told_by_45011_and_counts_for_one_client_alone() {
    let case = Case::new();
    let (access, openid) = (
        text(&case.before, "access_token").to_owned(),
        text(&case.before, "openid").to_owned(),
    );
    let codes = [case.code(), case.code()];
    case.set("calls_per_minute=5");
    until("felt", || {
        case.house.userinfo(&access, &openid).errcode() == 45011
    });
    let words = "api minute-quota reach limit, must slower, retry next minute";
    case.house.userinfo(&access, &openid).refuses(45011, words);
    for code in &codes {
        let answer = case.house.exchange(&case.service, code);
        if answer.errcode() != 0 {
            answer.refuses(45011, words);
        }
    }
    // Others go on, and without the bound no code was burnt.
    let stranger = case.house.stranger();
    case.house
        .exchange(&stranger, "x")
        .refuses(40029, "invalid code");
    case.set("calls_per_minute=0");
    until("felt", || {
        case.house.userinfo(&access, &openid).errcode() == 0
    });
    for code in &codes {
        let errcode = case.house.exchange(&case.service, code).errcode();
        assert!(errcode == 0 || errcode == 40163, "{errcode}");
    }
}

/// §3: a virtual person, marked as such; nothing of the real one is told.
#[test]
fn a_snapshot_page_gives_a_virtual_person() {
    let case = Case::new();
    case.set("snapshot_pages=true");
    let shape = r#"{"access_token":"<token>","expires_in":7200,"refresh_token":"<token>","openid":"<id>","scope":"snsapi_userinfo","is_snapshotuser":1,"unionid":"<id>"}"#;
    let mut last = None;
    until("felt", || {
        let answer = case.house.exchange(&case.service, &case.code());
        let is_so = answer.text().contains("is_snapshotuser");
        last = Some(answer);
        is_so
    });
    let holes = last.unwrap().says("text/plain", shape);
    assert_ne!(holes[2], text(&case.before, "openid"));
    assert_ne!(holes[3], text(&case.before, "unionid"));
    let profile = case.house.userinfo(&holes[0], &holes[2]);
    assert!(!profile.text().contains('梅'), "{}", profile.text());
    assert_eq!(case.house.auth(&holes[0], &holes[2]).errcode(), 0);
}
