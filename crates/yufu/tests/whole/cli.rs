//! The command line: what each command says in both forms, how it fails, and that secrets stay in.

use serde_json::Value;

use crate::house::{Browser, House, Temp, yufu};

/// A command that must fail: one message with its remedy on stderr, nothing on stdout.
#[track_caller]
fn fails(house: &House, args: &[&str], input: &str, part: &str) {
    for json in [false, true] {
        let mut all = args.to_vec();
        if json {
            all.push("--json");
        }
        let output = house.run(&all, input);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(output.stdout.is_empty(), "{args:?}");
        assert!(said.starts_with("yufu: "), "{args:?}: {said}");
        assert!(said.contains(part), "{args:?}: {part} is not in {said}");
        assert!(said.lines().count() <= 2, "one message: {said}");
    }
}

/// A command in the form for people.
#[track_caller]
fn says(house: &House, args: &[&str]) -> String {
    let output = house.run(args, "");
    let (out, err) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    assert!(output.status.success(), "{args:?}: {err}");
    assert!(
        serde_json::from_str::<Value>(&out).is_err() || out.starts_with('{'),
        "{out}"
    );
    assert_eq!(err, "", "{args:?}");
    out
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

#[test]
fn developers_and_clients_in_both_forms() {
    let house = House::dev();
    let made = house.cli(&["developer", "create", "Ünï Ltd 公司"]);
    assert_eq!(keys(&made), ["created_at", "id", "name"]);
    let all = house.cli(&["developer", "list"]);
    assert!(all.as_array().unwrap().contains(&made));
    let text = says(&house, &["developer", "list"]);
    assert!(
        text.contains("Ünï Ltd 公司") && text.lines().count() == 3,
        "{text}"
    );
    let text = says(&house, &["developer", "create", "Another"]);
    assert!(
        text.contains("Next: yufu client create --developer"),
        "the next line to type: {text}"
    );

    let id = made["id"].as_str().unwrap();
    let client = house.cli(&[
        "client",
        "create",
        "--developer",
        id,
        "--kind",
        "website",
        "--name",
        "Site",
        "--redirect-host",
        "www.example.com",
    ]);
    let secret = client["secret"].as_str().unwrap().to_owned();
    assert_eq!(
        (secret.len(), client["status"].as_str()),
        (32, Some("draft"))
    );
    let appid = client["appid"].as_str().unwrap().to_owned();
    let shown = house.cli(&["client", "show", &appid]);
    let mut expected = keys(&shown);
    expected.push("secret");
    expected.sort_unstable();
    assert_eq!(keys(&client), expected, "the same, and the secret once");
    assert_eq!(shown["secrets"], 1, "a count, no secret");
    let listed = house.cli(&["client", "list"]);
    assert!(listed.as_array().unwrap().contains(&shown));
    assert_eq!(listed.as_array().unwrap().len(), 5);
    for text in [
        says(&house, &["client", "show", &appid]),
        says(&house, &["client", "list"]),
    ] {
        assert!(text.contains(&appid) && text.contains("draft"), "{text}");
        assert!(!text.contains(&secret));
        assert!(!text.contains(&house.service().1));
    }
    let text = says(&house, &["client", "submit", &appid]);
    assert!(
        text.contains("in_review") && text.contains(&format!("Next: yufu client approve {appid}")),
        "{text}"
    );
    let text = says(&house, &["client", "reject", &appid, "--reason", "why not"]);
    assert!(
        text.contains("rejected") && text.contains("why not") && text.contains("Next: "),
        "{text}"
    );
    let text = says(&house, &["client", "submit", &appid]);
    assert!(!text.contains("why not"), "{text}");
    says(&house, &["client", "approve", &appid]);
    let text = says(&house, &["client", "edit", &appid, "--name", "Other"]);
    assert!(
        text.contains("Other") && text.contains("in_review"),
        "{text}"
    );
    let text = says(&house, &["client", "rotate-secret", &appid]);
    assert!(
        text.contains("AppSecret ") && text.contains("168 more hours"),
        "{text}"
    );
    let text = says(
        &house,
        &[
            "client",
            "create",
            "--developer",
            id,
            "--kind",
            "service",
            "--name",
            "Once",
            "--approved",
            "--loopback",
        ],
    );
    assert!(text.contains("shown once"), "{text}");
    assert!(says(&house, &["client", "suspend", &appid]).contains("suspended"));
}

#[test]
fn people_and_tokens_in_both_forms() {
    let house = House::dev();
    let args = [
        "user",
        "create",
        "--phone",
        "+8613600000001",
        "--nickname",
        "新人",
        "--password-stdin",
        "--city",
        "深圳",
    ];
    let made = house.cli_with(&args, "correct horse\n");
    assert_eq!(
        keys(&made),
        [
            "created_at",
            "has_password",
            "id",
            "nickname",
            "phone",
            "status"
        ]
    );
    assert_eq!(
        (&made["has_password"], &made["status"]),
        (&Value::Bool(true), &Value::from("active"))
    );
    Browser::new(&house, ("+8613600000001".into(), "correct horse".into())).sign_in();
    let all = house.cli(&["user", "list"]);
    assert_eq!(all.as_array().unwrap().len(), 4);
    assert_eq!(
        house
            .cli(&["user", "list", "--limit", "2"])
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let text = says(&house, &["user", "list"]);
    assert!(
        text.contains("新人") && !text.contains("13600000001"),
        "numbers are masked for people: {text}"
    );
    let id = made["id"].as_str().unwrap();
    says(&house, &["user", "restrict", id]);
    assert!(says(&house, &["user", "list"]).contains("restricted"));
    says(&house, &["user", "release", id]);

    let service = house.service();
    let mut browser = Browser::of(&house, 0);
    let code = browser.code(&service.0, "snsapi_userinfo");
    let inspect = |secret: &str| house.cli_with(&["token", "inspect"], secret);
    let report = inspect(&code);
    assert_eq!(
        (report["kind"].as_str(), report["live"].as_bool()),
        (Some("code"), Some(true))
    );
    assert_eq!(report["client"], service.0.as_str());
    let tokens = house.tokens(&service, &code);
    let report = inspect(&code);
    assert_eq!(report["live"], false);
    assert!(report["spent_at"].is_number());
    let access = tokens["access_token"].as_str().unwrap();
    let refresh = tokens["refresh_token"].as_str().unwrap();
    assert_eq!(inspect(access)["kind"], "access");
    assert_eq!(house.cli(&["token", "inspect", access])["kind"], "access");
    assert_eq!(inspect(refresh)["kind"], "refresh");
    for secret in [&code, access, refresh] {
        let output = house.run(&["token", "inspect"], secret);
        let out = String::from_utf8(output.stdout).unwrap();
        assert!(
            !out.contains(&secret[4..20]),
            "the secret is not said again"
        );
    }
    let output = house.run(&["token", "revoke"], &format!("{access}\n"));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "revoked\n");
    assert_eq!(inspect(access)["live"], false);
    assert_eq!(inspect(refresh)["live"], true, "the access token alone");
    assert_eq!(
        house.cli_with(&["token", "revoke"], refresh)["revoked"],
        true
    );
    assert_eq!(inspect(refresh)["live"], false);
    let user = house.user_id(0);
    let text = says(
        &house,
        &[
            "token",
            "mini-code",
            "--client",
            &service.0,
            "--user",
            &user,
        ],
    );
    assert_eq!(text.trim().len(), 32, "{text}");
}

#[test]
fn what_goes_wrong_is_one_message_with_a_remedy() {
    let house = House::dev();
    let appid = house.service().0;
    for step in [
        "show",
        "submit",
        "approve",
        "reject",
        "suspend",
        "edit",
        "rotate-secret",
    ] {
        fails(
            &house,
            &["client", step, "wx0000000000000000"],
            "",
            "yufu client list",
        );
    }
    fails(
        &house,
        &["client", "submit", &appid],
        "",
        "yufu client show",
    );
    let create = [
        "client",
        "create",
        "--developer",
        "Petit Livre 书店",
        "--name",
        "x",
        "--kind",
    ];
    let with = |more: &[&'static str]| [&create[..], more].concat();
    fails(
        &house,
        &with(&["desktop"]),
        "",
        "mobile, website or service",
    );
    fails(
        &house,
        &with(&["website", "--redirect-host", "example.com:8080"]),
        "",
        "a host is a name alone",
    );
    fails(
        &house,
        &with(&["website", "--redirect", "https://x.example/#y"]),
        "",
        "no fragment",
    );
    fails(
        &house,
        &with(&["mobile", "--android-signature", "AB:CD"]),
        "",
        "32 lower-case",
    );
    fails(
        &house,
        &with(&["mobile", "--ios-universal-link", "http://x"]),
        "",
        "https",
    );
    fails(
        &house,
        &[
            "client",
            "create",
            "--developer",
            "Nobody",
            "--kind",
            "website",
            "--name",
            "x",
        ],
        "",
        "yufu developer create",
    );
    fails(
        &house,
        &["client", "edit", &appid, "--name", ""],
        "",
        "empty",
    );
    fails(
        &house,
        &["client", "edit", &appid, "--set", "nonsense=1"],
        "",
        "there is no such setting",
    );
    fails(
        &house,
        &["client", "edit", &appid, "--set", "strict_openid"],
        "",
        "NAME=VALUE",
    );
    fails(
        &house,
        &["client", "edit", &appid, "--set", "strict_openid=maybe"],
        "",
        "true or false",
    );
    fails(
        &house,
        &["client", "edit", &appid, "--set", "code_life=0"],
        "",
        "seconds, from 1",
    );
    fails(&house, &["developer", "create", ""], "", "empty");
    fails(
        &house,
        &["developer", "create", "a\u{7}b"],
        "",
        "control characters",
    );
    fails(
        &house,
        &["user", "create", "--phone", "12", "--nickname", "x"],
        "",
        "+8613800000000",
    );
    fails(
        &house,
        &[
            "user",
            "create",
            "--phone",
            "+8613800000001",
            "--nickname",
            "x",
        ],
        "",
        "has an account already",
    );
    fails(
        &house,
        &[
            "user",
            "create",
            "--phone",
            "+8613600000009",
            "--nickname",
            "x",
            "--password-stdin",
        ],
        "short",
        "8 to 128",
    );
    fails(
        &house,
        &[
            "user",
            "create",
            "--phone",
            "+8613600000009",
            "--nickname",
            "x",
            "--password-stdin",
        ],
        "",
        "printf %s",
    );
    fails(&house, &["user", "restrict", "u0"], "", "yufu user list");
    for step in ["inspect", "revoke"] {
        fails(&house, &["token", step], "", "printf %s SECRET | yufu");
        fails(
            &house,
            &["token", step],
            "nonsense",
            "no live or past code or token",
        );
    }
    fails(
        &house,
        &["token", "mini-code", "--client", "wx1", "--user", "u1"],
        "",
        "yufu user list",
    );
    // An address without a fragment of a client's own is no setting that may be emptied by accident.
    assert_eq!(house.cli(&["client", "show", &appid])["status"], "approved");
}

#[test]
fn wrong_usage_is_told_by_its_own_number() {
    for args in [
        &["nonsense"][..],
        &["client"],
        &["client", "create"],
        &["dev", "--port", "70000"],
        &["serve"],
        &["client", "list", "--data", "x", "--config", "y"],
        &["token", "nonsense"],
    ] {
        let output = yufu(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(
            output.stdout.is_empty() && !output.stderr.is_empty(),
            "{args:?}"
        );
    }
    let help = yufu(&["--help"]);
    assert!(help.status.success());
    let text = String::from_utf8(help.stdout).unwrap();
    for command in [
        "dev",
        "serve",
        "client",
        "developer",
        "user",
        "token",
        "doctor",
        "migrate",
        "bench",
        "pages",
    ] {
        assert!(
            text.contains(&format!("\n  {command} ")),
            "{command} is not in\n{text}"
        );
    }
    assert!(yufu(&["--version"]).status.success());
    // No house at all.
    let temp = Temp::new();
    for args in [
        vec!["client", "list"],
        vec!["client", "list", "--data", temp.text()],
    ] {
        let output = yufu(&args);
        assert_eq!(output.status.code(), Some(1));
        assert!(
            String::from_utf8(output.stderr).unwrap().contains("--data"),
            "the remedy"
        );
    }
    assert_eq!(temp.names(), Vec::<String>::new());
}

#[test]
fn the_doctor_says_what_is_well_and_what_is_not() {
    let house = House::dev();
    let report = house.cli(&["doctor"]);
    assert_eq!(report["ok"], true, "{report}");
    let names: Vec<_> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["check"].as_str().unwrap())
        .collect();
    // The platform's, and the login backend's.
    let each = ["database", "disk", "keys"];
    assert_eq!(names, [&each[..], &each, &["clock"]].concat());
    let text = says(&house, &["doctor"]);
    assert!(text.lines().all(|line| line.starts_with("ok ")), "{text}");

    let temp = Temp::new();
    let config = crate::serve::settings(&temp, "http://localhost", "");
    let config = config.to_str().unwrap();
    let output = yufu(&["doctor", "--json", "--config", config]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        report["ok"], true,
        "a house that was not opened yet: {report}"
    );
    assert!(
        !temp.names().contains(&"yufu.db".to_owned()),
        "the doctor changes nothing"
    );
    // What serve would stumble over.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(temp.join("master.key"), open).unwrap();
    let text = std::fs::read_to_string(config).unwrap();
    temp.write(
        "yufu.toml",
        text.replace("sms.jsonl", "nowhere/sms.jsonl")
            + "[tls]\ncertificate = \"none.pem\"\nkey = \"none.pem\"\n",
    );
    let output = yufu(&["doctor", "--config", config]);
    let said = String::from_utf8(output.stdout).unwrap();
    for wants in ["MEND  tls", "MEND  sms", "MEND  key file"] {
        assert!(said.contains(wants), "{wants}\n{said}");
    }
    temp.write("yufu.toml", text);
    temp.write("master.key", crate::serve::KEY);
    // A text where the database should be.
    temp.write(
        "yufu.db",
        "a text that is long enough to be no database at all",
    );
    let output = yufu(&["doctor", "--json", "--config", config]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["ok"], false);
    let bad: Vec<_> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c["ok"] == false)
        .collect();
    assert!(
        bad.iter().any(|c| c["check"] == "database"
            && c["says"].as_str().unwrap().contains("not a yufu database")),
        "{report}"
    );
    let text = String::from_utf8(yufu(&["doctor", "--config", config]).stdout).unwrap();
    assert!(text.contains("MEND  database"), "{text}");
    // Settings that are wrong.
    temp.write(
        "bad.toml",
        "[platform]\npublic_url = \"http://login.example.com\"\n",
    );
    let output = yufu(&[
        "doctor",
        "--config",
        temp.join("bad.toml").to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("MEND  settings")
    );
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("want mending")
    );
}

#[test]
fn migrating_says_what_it_would_do_before_it_does() {
    let temp = Temp::new();
    let config = crate::serve::settings(&temp, "http://localhost", "");
    let config = config.to_str().unwrap();
    let migrate = |more: &[&str]| -> Value {
        let output = yufu(&[&["migrate", "--json", "--config", config], more].concat());
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let dry = migrate(&["--dry-run"]);
    assert_eq!(
        (&dry["version"], &dry["done"]),
        (&Value::from(0), &Value::Bool(false))
    );
    assert!(!dry["pending"].as_array().unwrap().is_empty());
    assert!(!temp.join("yufu.db").exists());
    assert_eq!(migrate(&[])["done"], true);
    assert!(temp.join("yufu.db").exists());
    let again = migrate(&["--dry-run"]);
    assert!(again["version"].as_i64().unwrap() >= 1);
    assert_eq!(again["pending"], Value::Array(Vec::new()));
    let text = String::from_utf8(yufu(&["migrate", "--config", config]).stdout).unwrap();
    assert!(text.contains("is up to date"), "{text}");
}

#[test]
fn pages_are_written_for_a_designer() {
    let temp = Temp::new();
    let out = temp.join("gallery");
    let output = yufu(&["pages", "--json", "--out", out.to_str().unwrap()]);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let pages = std::fs::read_dir(&out).unwrap().filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .path()
            .extension()
            .is_some_and(|kind| kind == "html")
    });
    assert_eq!(
        pages.count(),
        usize::try_from(said["pages"].as_u64().unwrap()).unwrap() + 1,
        "and the index"
    );
    assert!(out.join("assets/app.css").exists());
    let index = std::fs::read_to_string(out.join("index.html")).unwrap();
    for link in index.split("href=\"").skip(1) {
        let page = std::fs::read_to_string(out.join(link.split('"').next().unwrap())).unwrap();
        for file in page.split("=\"assets/").skip(1) {
            let file = file.split(['"', '?']).next().unwrap();
            assert!(out.join("assets").join(file).exists(), "{file} of {link}");
        }
    }
    let text = String::from_utf8(yufu(&["pages", "--out", out.to_str().unwrap()]).stdout).unwrap();
    assert!(text.contains("index.html"), "{text}");
    let file = temp.write("file", "");
    let output = yufu(&["pages", "--out", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn logs_hold_no_secret() {
    let house = House::dev();
    let service = house.service();
    let mut browser = Browser::of(&house, 0);
    let code = browser.code(&service.0, "snsapi_userinfo");
    let tokens = house.tokens(&service, &code);
    let access = tokens["access_token"].as_str().unwrap();
    house.userinfo(access, tokens["openid"].as_str().unwrap());
    house.exchange(&service, &code);
    house.get("/interaction/1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    // A fault, so that there is something in the log.
    let db = rusqlite::Connection::open(house.database()).unwrap();
    let code = browser.code(&service.0, "snsapi_userinfo");
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(house.exchange(&service, &code).errcode(), -1);
    db.execute_batch("ROLLBACK").unwrap();
    crate::house::until("it is logged", || house.errors().contains("incident"));
    let log = house.errors();
    let session = browser.session().unwrap().to_owned();
    let (_, password) = house.person(0);
    for secret in [
        &service.1,
        &code,
        access,
        tokens["refresh_token"].as_str().unwrap(),
        &session,
        &password,
    ] {
        assert!(!log.contains(secret), "{log}");
    }
    assert_eq!(log.lines().count(), 1, "a fault is logged once: {log}");
    // Nothing secret lies in the database either: hashes only.
    drop(db);
    let mut bytes = std::fs::read(house.database()).unwrap();
    bytes.extend(std::fs::read(house.database().with_extension("db-wal")).unwrap_or_default());
    for secret in [&service.1, &code, access, &session, &password] {
        let found = bytes
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "a secret lies in the database");
    }
}

#[test]
fn the_bench_prints_every_row_and_leaves_nothing_behind() {
    let temp = Temp::new();
    let output = crate::house::command(&temp)
        .args(["bench", "--requests", "100", "--connections", "8", "--json"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 10, "{report}");
    assert!(rows.iter().all(|row| row["requests"] == 100), "{report}");
    assert_eq!(temp.names(), Vec::<String>::new());
}
