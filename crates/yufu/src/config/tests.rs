use super::*;

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
    assert_eq!(config.public_url, "https://login.example.com");
    assert_eq!(config.store_path, Path::new("/srv/yufu.db"));
    assert_eq!(config.settings.poll_hold, Lifetime::seconds(25));
    assert_eq!(config.keep_events, Lifetime::days(180));
}

#[test]
fn the_defaults_of_the_table_are_the_defaults_of_the_engine() {
    let config = read(&minimal(), Path::new("/srv"), &nothing).unwrap_or_else(|c| panic!("{c}"));
    assert_eq!(
        format!("{:?}", config.settings),
        format!("{:?}", Settings::default())
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
    assert_eq!(config.poll_host, "lp.login.example.com");
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
    assert_eq!(config.store_path, Path::new("/other.db"));
    assert_eq!(config.settings.poll_hold, Lifetime::seconds(1));
    assert_eq!(config.trusted_proxies.len(), 2);
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

#[test]
fn the_sample_is_a_file_of_defaults() {
    let sample = sample();
    for line in sample
        .lines()
        .filter(|line| line.starts_with("# ") && line.contains(" = "))
    {
        let _ = line;
    }
    let bare: String = sample
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest)
                if FIELDS.iter().any(|f| {
                    rest.starts_with(&format!("{} = ", f.path.split_once('.').unwrap().1))
                }) =>
            {
                format!("{rest}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    let mut raw = Raw::default();
    raw.file(&bare);
    assert_eq!(raw.complaints, Vec::<String>::new());
    assert_eq!(raw.values.len(), FIELDS.len(), "{bare}");
}
