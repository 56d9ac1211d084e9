use super::raw::Raw;
use super::table::{FIELDS, GROUPS};
use super::*;
use yufu_core::login::{LoginSettings, VerifyUpstream};

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn nothing(_: &str) -> Option<String> {
    None
}

fn minimal() -> String {
    format!(
        "[platform]\npublic_url = \"https://login.example.com/\"\ntrusted_proxies = []\n[store]\npath = \"yufu.db\"\n\
         [keys]\nmaster = \"{KEY}\"\n[sms]\ndeliver = \"stderr\"\n"
    )
}

fn complaints(text: &str) -> Vec<String> {
    match read(text, Path::new("/srv"), &nothing) {
        Ok(_) => panic!("accepted"),
        Err(complaints) => complaints.0,
    }
}

#[test]
fn a_minimal_file_is_enough() {
    let config = read(&minimal(), Path::new("/srv"), &nothing).unwrap_or_else(|c| panic!("{c}"));
    assert_eq!(config.keep_events, Lifetime::days(180));
    assert!(config.login.is_none());
    let platform = config.platform.unwrap();
    assert_eq!(platform.reach.public_url, "https://login.example.com");
    assert_eq!(platform.store_path, Path::new("/srv/yufu.db"));
    assert_eq!(platform.settings.poll_hold, Lifetime::seconds(25));
}

#[test]
fn the_defaults_of_the_table_are_the_defaults_of_the_engine() {
    let config = read(&minimal(), Path::new("/srv"), &nothing).unwrap_or_else(|c| panic!("{c}"));
    assert_eq!(
        format!("{:?}", config.platform.unwrap().settings),
        format!("{:?}", Settings::default())
    );
    let mut settings = login(&login_only()).settings;
    assert_eq!(settings.login.apps.len(), 1);
    settings.login.apps.clear();
    assert_eq!(
        format!("{:?}", settings.login),
        format!("{:?}", LoginSettings::default())
    );
}

#[test]
fn everything_wrong_is_said_at_once_with_its_line() {
    let text = "[platform]\npublic_url = \"http://login.example.com\"\nlisten = 8420\n\
                [stoer]\npath = \"x\"\n[wechat]\npoll_hold = 1000\npol_hold = 3\n[people]\nsession_idle = \"x\"\n";
    let all = complaints(text);
    for expected in [
        "line 2: platform.public_url must be https",
        "line 3: platform.listen must be text in quotes",
        "line 4: there is no setting stoer",
        "line 7: wechat.poll_hold is 1000; it must be a whole number from 0 to 120",
        "line 8: there is no setting wechat.pol_hold; did you mean wechat.poll_hold?",
        "line 10: people.session_idle must be a whole number",
        "missing: store.path is needed",
        "missing: keys.master_file is needed",
        "missing: sms.deliver is needed",
    ] {
        assert!(
            all.iter().any(|c| c.starts_with(expected)),
            "{expected}\n{all:#?}"
        );
    }
}

#[test]
fn a_proxy_in_front_is_named() {
    let text = minimal().replace("trusted_proxies = []\n", "");
    let all = complaints(&text);
    assert!(
        all[0].starts_with("missing: platform.trusted_proxies is needed"),
        "{all:?}"
    );
    let text = minimal().replace("[store]", "poll_host = \"lp.login.example.com\"\n[store]");
    let config = read(&text, Path::new("/"), &nothing).unwrap_or_else(|c| panic!("{c}"));
    assert_eq!(config.platform.unwrap().poll_host, "lp.login.example.com");
    let text = text.replace("lp.login.example.com", "evil.example.com");
    assert!(complaints(&text)[0].contains("must be a name below the public host"));
}

#[test]
fn broken_toml_is_said_with_its_line() {
    let all = complaints("[platform]\npublic_url = \n");
    assert!(all[0].starts_with("line 2: "), "{all:?}");
}

#[test]
fn plain_http_is_for_this_machine_alone() {
    for (url, good) in [
        ("http://127.0.0.1:8420", true),
        ("http://localhost", true),
        ("http://[::1]:1", true),
        ("http://10.0.0.1", false),
        ("http://127.0.0.1.evil.org", false),
        ("https://a.example/path", false),
        ("ftp://a.example", false),
        ("login.example.com", false),
    ] {
        let text = minimal().replace("https://login.example.com/", url);
        assert_eq!(read(&text, Path::new("/"), &nothing).is_ok(), good, "{url}");
    }
}

#[test]
fn the_environment_overrides_the_file() {
    let environment = |name: &str| match name {
        "YUFU_STORE_PATH" => Some("/other.db".to_owned()),
        "YUFU_WECHAT_POLL_HOLD" => Some("1".to_owned()),
        "YUFU_PLATFORM_TRUSTED_PROXIES" => Some("127.0.0.1, ::1".to_owned()),
        _ => None,
    };
    let config =
        read(&minimal(), Path::new("/srv"), &environment).unwrap_or_else(|c| panic!("{c}"));
    let platform = config.platform.unwrap();
    assert_eq!(platform.store_path, Path::new("/other.db"));
    assert_eq!(platform.settings.poll_hold, Lifetime::seconds(1));
    assert_eq!(platform.reach.trusted_proxies.len(), 2);
    let wrong = |name: &str| (name == "YUFU_WECHAT_POLL_HOLD").then(|| "soon".to_owned());
    match read(&minimal(), Path::new("/srv"), &wrong) {
        Err(all) => assert!(
            all.0[0].starts_with("YUFU_WECHAT_POLL_HOLD must be"),
            "{all}"
        ),
        Ok(_) => panic!("accepted"),
    }
}

#[test]
fn a_secret_is_never_in_a_complaint() {
    let text = minimal().replace(KEY, "my-secret-in-the-wrong-form");
    assert!(complaints(&text).iter().all(|c| !c.contains("my-secret")));
}

/// Every line that is a setting or the head of a table, without the mark that leaves it out.
fn bare(sample: &str) -> String {
    let once = FIELDS.iter().filter_map(|field| field.path.split_once('.'));
    let several = GROUPS.iter().flat_map(|group| group.fields);
    let keys = once
        .map(|(_, key)| key)
        .chain(several.map(|field| field.path));
    let starts: Vec<_> = keys.map(|key| format!("{key} = ")).collect();
    let is_setting =
        |line: &str| line.starts_with('[') || starts.iter().any(|start| line.starts_with(start));
    let lines = sample.lines().map(|line| match line.strip_prefix("# ") {
        Some(rest) if is_setting(rest) => format!("{rest}\n"),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn the_sample_is_a_file_of_defaults() {
    let bare = bare(&sample());
    let raw = Raw::read(&bare, &nothing);
    assert_eq!(raw.complaints, Vec::<String>::new());
    assert_eq!(raw.once.count(), FIELDS.len(), "{bare}");
    assert_eq!(raw.items.len(), GROUPS.len());
    for item in &raw.items {
        let group = GROUPS.iter().find(|group| group.name == item.group());
        assert_eq!(
            item.count(),
            group.unwrap().fields.len(),
            "{}",
            item.group()
        );
    }
}

/// A login backend behind its own TLS, with an upstream and a gateway.
fn login_only() -> String {
    format!(
        "[login]\npublic_url = \"https://id.example.com\"\ntrusted_proxies = []\nstore_path = \"login.db\"\n\
         [keys]\nmaster = \"{KEY}\"\n\
         [[upstream]]\nname = \"app\"\nkind = \"wechat-mobile\"\nappid = \"wx1\"\nsecret = \"s\"\n\
         [[sms_gateway]]\nname = \"ali\"\nkind = \"aliyun\"\nkey_id = \"k\"\nkey_secret = \"s\"\n\
         sign_name = \"n\"\ntemplate = \"SMS_1\"\n"
    )
}

fn login(text: &str) -> Login {
    login_with(text, &nothing)
}

fn login_with(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Login {
    let config = read(text, Path::new("/srv"), environment).unwrap_or_else(|c| panic!("{c}"));
    config.login.unwrap()
}

/// Asserts that the first text, put in place of the second, is complained about by the third.
fn refused(cases: &[(&str, &str, &str)]) {
    for (there, instead, expected) in cases {
        let text = login_only();
        assert!(text.contains(there), "{there}");
        let all = complaints(&text.replacen(there, instead, 1));
        assert!(
            all.iter().any(|c| c.contains(expected)),
            "{instead}: {expected}\n{all:#?}"
        );
    }
}

#[test]
fn each_half_may_be_alone_but_not_none() {
    let config = read(&login_only(), Path::new("/srv"), &nothing).unwrap_or_else(|c| panic!("{c}"));
    assert!(config.platform.is_none());
    let login = config.login.unwrap();
    assert_eq!(login.store_path, Path::new("/srv/login.db"));
    assert_eq!(login.reach.public_url, "https://id.example.com");
    assert!(!login.strict && login.phone);
    assert_eq!(login.gateways.len(), 1);
    let both = format!(
        "{}{}",
        minimal(),
        login_only().replacen(&format!("[keys]\nmaster = \"{KEY}\"\n"), "", 1)
    );
    let config = read(&both, Path::new("/srv"), &nothing).unwrap_or_else(|c| panic!("{c}"));
    assert!(config.platform.is_some() && config.login.is_some());
    let neither = format!("[keys]\nmaster = \"{KEY}\"\n[store]\npath = \"x\"\n");
    assert_eq!(
        complaints(&neither),
        ["missing: there is neither [platform] nor [login]; write one of them"]
    );
}

#[test]
fn the_halves_share_no_file_and_no_port() {
    let both = format!(
        "{}{}",
        minimal(),
        login_only().replacen(&format!("[keys]\nmaster = \"{KEY}\"\n"), "", 1)
    );
    let both = both.replace("\"login.db\"", "\"yufu.db\"\nlisten = \"127.0.0.1:8420\"");
    let all = complaints(&both);
    assert!(
        all[0].contains("login.store_path is the platform's file"),
        "{all:?}"
    );
    assert!(all[1].contains("login.listen is the platform's"), "{all:?}");
}

#[test]
fn a_table_of_a_role_that_is_not_there_is_complained_about() {
    let all = complaints(&format!("{}[[service]]\nname = \"x\"\n", minimal()));
    assert!(
        all[0].contains("[login] is not there, and service belongs to it"),
        "{all:?}"
    );
    let all = complaints(&format!("{}[sms]\ndeliver = \"stderr\"\n", login_only()));
    assert!(
        all[0].contains("[platform] is not there, and sms belongs to it"),
        "{all:?}"
    );
}

#[test]
fn the_login_backend_is_complained_about_with_its_lines() {
    refused(&[
        (
            "https://id.example.com",
            "http://id.example.com",
            "line 2: login.public_url must be https",
        ),
        (
            "https://id.example.com",
            "",
            "line 2: login.public_url is needed",
        ),
        (
            "trusted_proxies = []\n",
            "",
            "missing: login.trusted_proxies is needed",
        ),
        (
            "store_path = \"login.db\"\n",
            "",
            "missing: login.store_path is needed",
        ),
        (
            "[keys]",
            "deletion_delay = 1814401\n[keys]",
            "line 5: login.deletion_delay is 1814401; it must be a whole number from 0 to 1814400",
        ),
        (
            "[keys]",
            "statuses = \"loud\"\n[keys]",
            "line 5: login.statuses is \"loud\"; it must be \"compat\" or \"strict\"",
        ),
        (
            "[keys]",
            "verify_upstream = \"daily\"\n[keys]",
            "it must be \"never\" or \"on_relogin\" or a whole number from 1",
        ),
        (
            "[keys]",
            "origins = [\"https://a.example/path\"]\n[keys]",
            "line 5: login.origins must hold origins only",
        ),
        (
            "[keys]",
            "origins = [\"http://a.example\"]\n[keys]",
            "line 5: login.origins must hold origins only",
        ),
        (
            "[keys]",
            "bind_url = \"https://a.example/bind\"\n[keys]",
            "line 5: login.bind_url must be a path",
        ),
        (
            "[keys]",
            "bind_url = \"//a.example\"\n[keys]",
            "line 5: login.bind_url must be a path",
        ),
        (
            "[keys]",
            "test_numbers = [\"+8613800000000=123456\"]\n[keys]",
            "line 5: login.test_numbers is for development alone",
        ),
        (
            "[keys]",
            "countries = [\"+86\"]\n[keys]",
            "line 5: login.countries must hold calling codes",
        ),
        (
            "[keys]",
            "phone = false\n[keys]",
            "login.bind_policy is \"phone_required\", and nobody could prove",
        ),
        (
            "[keys]",
            "[captcha]\nurl = \"ftp://x\"\n[keys]",
            "line 6: captcha.url must be an address",
        ),
        (
            "[keys]",
            "[carrier]\nurl = \"https://x.example\"\n[keys]",
            "missing: carrier.secret is needed, or secret_file",
        ),
        (
            "[keys]",
            "[number_history]\nurl = \"http://x.example\"\nsecret = \"short\"\n[keys]",
            "line 6: number_history.url must be https, unless its host stands in login.outgoing_allow",
        ),
        (
            "[keys]",
            "[number_history]\nurl = \"https://x.example\"\nsecret = \"short\"\n[keys]",
            "line 7: number_history.secret must have 24 characters",
        ),
    ]);
}

#[test]
fn somebody_must_be_able_to_log_in() {
    let text = login_only();
    let text = text.split("[[upstream]]").next().unwrap();
    let all = complaints(text);
    assert!(
        all[0].contains("login.phone needs an [[sms_gateway]]"),
        "{all:?}"
    );
    let text = text.replace(
        "[keys]",
        "phone = false\nbind_policy = \"optional\"\n[keys]",
    );
    let all = complaints(&text);
    assert!(
        all[0].contains("there is no [[upstream]]: nobody could log in"),
        "{all:?}"
    );
}

#[test]
fn upstreams_are_complained_about_with_their_lines() {
    refused(&[
        ("name = \"app\"\n", "", "line 7: upstream.name is needed"),
        (
            "name = \"app\"",
            "name = \"Our App\"",
            "line 8: upstream.name must be lower-case",
        ),
        (
            "kind = \"wechat-mobile\"",
            "kind = \"weibo\"",
            "line 9: upstream.kind is \"weibo\"; it must be \"wechat-mobile\" or",
        ),
        (
            "kind = \"wechat-mobile\"\n",
            "",
            "line 7: upstream.kind of \"app\" is needed",
        ),
        (
            "appid = \"wx1\"\n",
            "",
            "line 7: upstream.appid of \"app\" is needed",
        ),
        (
            "secret = \"s\"\n[[sms",
            "[[sms",
            "line 7: upstream.secret of \"app\" is needed, or secret_file",
        ),
        (
            "secret = \"s\"\n[[sms",
            "secret_file = \"/nowhere/at/all\"\n[[sms",
            "line 11: upstream.secret_file of \"app\" cannot be read",
        ),
        (
            "secret = \"s\"\n[[sms",
            "secret = \"s\"\nsecret_file = \"x\"\n[[sms",
            "line 12: upstream.secret_file of \"app\" is given twice",
        ),
        (
            "appid = \"wx1\"",
            "appid = \"wx1\"\nbase_url = \"https://a.example/x\"",
            "line 11: upstream.base_url of \"app\" must be an origin",
        ),
        (
            "appid = \"wx1\"",
            "appid = \"wx1\"\nbase_url = \"http://a.example\"",
            "must be https, unless its host stands in login.outgoing_allow",
        ),
        (
            "appid = \"wx1\"",
            "appid = \"wx1\"\npush_token = \"t\"",
            "upstream.push_key of \"app\" is needed with push_token",
        ),
        (
            "appid = \"wx1\"",
            "appid = \"wx1\"\npush_key = \"t\"",
            "upstream.push_token of \"app\" is needed with push_key",
        ),
        (
            "appid = \"wx1\"",
            "appid = \"wx1\"\npush_token = \"t\"\npush_key = \"t\"",
            "upstream.push_key of \"app\" must be 43 letters and digits",
        ),
        (
            "appid = \"wx1\"",
            "apid = \"wx1\"",
            "line 10: there is no setting upstream.apid; did you mean upstream.appid?",
        ),
        (
            "[[upstream]]",
            "[upstream]",
            "line 7: there may be several of upstream; write [[upstream]]",
        ),
        (
            "[[sms",
            "[[upstream]]\nname = \"app\"\nkind = \"wechat-mini\"\nappid = \"wx1\"\nsecret = \"x\"\n[[sms",
            "line 13: upstream.name is \"app\" for the second time",
        ),
        (
            "[[sms",
            "[[upstream]]\nname = \"other\"\nkind = \"wechat-mini\"\nappid = \"wx1\"\nsecret = \"x\"\n[[sms",
            "upstream.appid of \"other\" is another upstream's already",
        ),
    ]);
}

#[test]
fn gateways_webhooks_and_services_are_complained_about_with_their_lines() {
    refused(&[
        (
            "kind = \"aliyun\"",
            "kind = \"pigeon\"",
            "sms_gateway.kind is \"pigeon\"",
        ),
        (
            "kind = \"aliyun\"",
            "kind = \"console\"",
            "passcodes in a log are for a login.public_url on this machine alone",
        ),
        (
            "kind = \"aliyun\"",
            "kind = \"file\"",
            "sms_gateway.path of \"ali\" is needed",
        ),
        (
            "kind = \"aliyun\"",
            "kind = \"webhook\"",
            "sms_gateway.url of \"ali\" is needed",
        ),
        (
            "kind = \"aliyun\"",
            "kind = \"webhook\"",
            "sms_gateway.secret of \"ali\" is needed",
        ),
        (
            "kind = \"aliyun\"",
            "kind = \"tencent\"",
            "sms_gateway.app_id of \"ali\" is needed",
        ),
        (
            "key_id = \"k\"\n",
            "",
            "sms_gateway.key_id of \"ali\" is needed",
        ),
        (
            "template = \"SMS_1\"\n",
            "",
            "sms_gateway.template of \"ali\" is needed, or templates for every scene",
        ),
        (
            "template = \"SMS_1\"\n",
            "templates = { sign_in = \"x\" }\n",
            "sms_gateway.templates of \"ali\" may name the scenes login, bind, change, verify only",
        ),
        (
            "template = \"SMS_1\"\n",
            "template = \"x\"\ngaps = [\"minutes={minutes}\"]\n",
            "sms_gateway.gaps of \"ali\" must be written",
        ),
        (
            "template = \"SMS_1\"\n",
            "template = \"x\"\nreceipt_key = \"short\"\n",
            "sms_gateway.receipt_key of \"ali\" must have 24 characters",
        ),
        (
            "[[sms",
            "[[webhook]]\nname = \"hook\"\nurl = \"https://a.example/h\"\nsecret = \"short\"\n[[sms",
            "line 15: webhook.secret of \"hook\" must be whsec_",
        ),
        (
            "[[sms",
            "[[webhook]]\nname = \"hook\"\nurl = \"https://a.example/h\"\nsecret = \"whsec_AAAA\"\n[[sms",
            "line 15: webhook.secret of \"hook\" must be whsec_",
        ),
        (
            "[[sms",
            "[[webhook]]\nname = \"hook\"\nurl = \"nowhere\"\n[[sms",
            "line 14: webhook.url of \"hook\" must be an address",
        ),
        (
            "[[sms",
            "[[service]]\nname = \"api\"\nsecret = \"short\"\n[[sms",
            "line 14: service.secret of \"api\" must have 24 characters",
        ),
    ]);
}

#[test]
fn all_complaints_about_several_tables_come_at_once() {
    let text = "[login]\n[keys]\n[[upstream]]\n[[upstream]]\nname = \"b\"\n[[sms_gateway]]\n[[webhook]]\n[[service]]\n";
    let all = complaints(text).join("\n");
    for expected in [
        "missing: login.public_url is needed",
        "missing: login.store_path is needed",
        "line 3: upstream.name is needed",
        "line 4: upstream.kind of \"b\" is needed",
        "line 6: sms_gateway.kind is needed",
        "line 7: webhook.url is needed",
        "line 8: service.secret is needed",
        "missing: keys.master_file is needed",
    ] {
        assert!(all.contains(expected), "{expected}\n{all}");
    }
}

#[test]
fn what_the_login_backend_was_told_is_what_it_goes_by() {
    let text = login_only()
        .replace(
            "[keys]",
            "verify_upstream = 3600\nbind_policy = \"optional\"\nyields = \"new\"\norigins = [\"https://App.example.com:443/\"]\n\
             bind_url = \"https://app.example.com/bind\"\noutgoing_allow = [\"10.0.0.7\"]\n[keys]",
        )
        .replace(
            "appid = \"wx1\"",
            &format!(
                "appid = \"wx1\"\naccount = \"main\"\nbase_url = \"http://10.0.0.7:8420/\"\npush_token = \"t\"\npush_key = \"{}\"",
                "a".repeat(43)
            ),
        )
        .replace(
            "template = \"SMS_1\"\n",
            "templates = { login = \"A\", bind = \"B\", change = \"C\", verify = \"D\" }\ngaps = [\"code={code}\", \"min={minutes}\"]\n",
        );
    let login = login(&text);
    let settings = &login.settings.login;
    assert_eq!(
        settings.verify_upstream,
        VerifyUpstream::Every(Lifetime::seconds(3600))
    );
    assert_eq!(login.origins, ["https://app.example.com"]);
    let upstream = &login.upstreams[0];
    assert_eq!(upstream.base_url.as_deref(), Some("http://10.0.0.7:8420"));
    assert_eq!(upstream.app.union_scope.as_deref(), Some("main"));
    assert_eq!(settings.apps[0], upstream.app);
    assert_eq!(upstream.push.as_ref().unwrap().token.expose(), "t");
    let GatewayKind::Aliyun(aliyun, scenes) = &login.gateways[0].kind else {
        panic!("another kind")
    };
    assert_eq!(aliyun.template.gaps.len(), 2);
    assert_eq!(scenes["bind"].id, "B");
}

#[test]
fn the_environment_reaches_into_tables_by_their_names() {
    let environment = |name: &str| match name {
        "YUFU_UPSTREAM__APP__SECRET" => Some("from outside".to_owned()),
        "YUFU_SMS_GATEWAY__ALI__TEMPLATES" => Some("login=A, bind=B".to_owned()),
        "YUFU_LOGIN_VERIFY_UPSTREAM" => Some("60".to_owned()),
        _ => None,
    };
    let login = login_with(&login_only(), &environment);
    assert_eq!(login.upstreams[0].secret.expose(), "from outside");
    let GatewayKind::Aliyun(_, scenes) = &login.gateways[0].kind else {
        panic!("another kind")
    };
    assert_eq!(scenes.len(), 2);
    assert_eq!(
        login.settings.login.verify_upstream,
        VerifyUpstream::Every(Lifetime::seconds(60))
    );
}

#[test]
fn a_webhook_signs_with_the_bytes_that_its_secret_stands_for() {
    let with = |secret: &str| {
        let text = format!(
            "{}[[webhook]]\nname = \"hook\"\nurl = \"https://a.example/h\"\nsecret = \"{secret}\"\nevents = [\"user.\"]\n",
            login_only()
        );
        login(&text).webhooks.remove(0)
    };
    let hook = with("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    assert_eq!(hook.signing_key().len(), 24);
    assert_eq!(hook.events, ["user."]);
    assert_eq!(with(&"x".repeat(24)).signing_key(), [b'x'; 24]);
}

#[test]
fn secrets_come_from_files_without_their_last_line_break() {
    let folder = std::env::temp_dir().join(format!("yufu-config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("secret"), "from a file\n").unwrap();
    let text = login_only().replace("secret = \"s\"\n[[sms", "secret_file = \"secret\"\n[[sms");
    let config = read(&text, &folder, &nothing).unwrap_or_else(|c| panic!("{c}"));
    assert_eq!(
        config.login.unwrap().upstreams[0].secret.expose(),
        "from a file"
    );
    std::fs::write(folder.join("secret"), "\n").unwrap();
    assert!(read(&text, &folder, &nothing).is_err());
    std::fs::remove_dir_all(&folder).unwrap();
}
