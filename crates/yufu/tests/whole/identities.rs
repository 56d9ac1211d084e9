//! Bringing users in from other projects, finding people with two accounts, making one of two.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::house::{Temp, command, until, yufu};

/// A login backend's database and its key, in a folder of their own.
struct Backend {
    temp: Temp,
    place: Vec<String>,
}

impl Backend {
    fn new() -> Self {
        let temp = Temp::new();
        temp.write("key", "5a".repeat(32));
        let path = |name: &str| temp.join(name).to_str().unwrap().to_owned();
        let place = vec![
            "--store".to_owned(),
            path("login.db"),
            "--master-key-file".to_owned(),
            path("key"),
        ];
        Self { temp, place }
    }

    fn args<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        let mut all = vec!["identities"];
        all.extend(args);
        all.extend(self.place.iter().map(String::as_str));
        all
    }

    fn run(&self, args: &[&str]) -> Output {
        yufu(&self.args(args))
    }

    /// What a command says that must succeed.
    #[track_caller]
    fn says(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {err}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        let mut all = args.to_vec();
        all.push("--json");
        let said = self.says(&all);
        assert_eq!(said.lines().count(), 1, "one line: {said}");
        serde_json::from_str(&said).unwrap()
    }

    #[track_caller]
    fn fails(&self, args: &[&str], part: &str) {
        let output = self.run(args);
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {err}");
        assert!(output.stdout.is_empty(), "{args:?}");
        let last = err.lines().rev().find(|line| line.starts_with("yufu: "));
        assert!(
            last.is_some() && err.contains(part),
            "{part} is not in {err}"
        );
    }

    fn db(&self) -> Connection {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        Connection::open_with_flags(self.temp.join("login.db"), flags).unwrap()
    }

    fn count(&self, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        self.db().query_row(&sql, [], |row| row.get(0)).unwrap()
    }

    /// The accounts as they are stored, by name.
    fn accounts(&self) -> Vec<Value> {
        let db = self.db();
        let mut rows = db
            .prepare("SELECT body FROM user_account ORDER BY id")
            .unwrap();
        let bodies = rows.query_map([], |row| row.get::<_, String>(0)).unwrap();
        let mut accounts: Vec<Value> = bodies
            .map(|body| short(&serde_json::from_str(&body.unwrap()).unwrap()))
            .collect();
        accounts.sort_by_key(|account| account["name"].to_string());
        accounts
    }

    /// Where handles lead, each to the name of an account.
    fn handles(&self) -> Vec<String> {
        let db = self.db();
        let sql = "SELECT kind, value, json_extract(body, '$.profile.nickname') FROM handle \
                   LEFT JOIN user_account ON id = user_id ORDER BY kind, value";
        let mut rows = db.prepare(sql).unwrap();
        let lines = rows.query_map([], |row| {
            let (kind, value): (String, String) = (row.get(0)?, row.get(1)?);
            let name: Option<String> = row.get(2)?;
            Ok(format!(
                "{kind} {} {}",
                value.replace('\n', " "),
                name.unwrap_or_default()
            ))
        });
        lines.unwrap().map(Result::unwrap).collect()
    }
}

/// An account without what differs from run to run.
fn short(body: &Value) -> Value {
    let identities = body["identities"].as_array().cloned().unwrap_or_default();
    let logins = identities.iter().map(|it| {
        let person = &it["person"];
        let told = person["id"]
            .as_str()
            .map(|id| format!("{id} in {}", person["scope"].as_str().unwrap()));
        json!([it["app"], it["subject"], told])
    });
    json!({
        "name": body["profile"]["nickname"],
        "avatar": body["profile"]["avatar"],
        "phone": body["phone"],
        "status": body["status"],
        "created_at": body["created_at"],
        "seen_at": body["seen_at"],
        "logins": logins.collect::<Vec<_>>(),
    })
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/identities")
        .join(name)
}

/// Each export, how it is imported, and what comes of it.
const EXPORTS: &[(&str, &[&str])] = &[
    ("plain.csv", &["--account", "north"]),
    ("plain.jsonl", &["--account", "north"]),
    (
        "justauth.csv",
        &[
            "--from",
            "justauth",
            "--account",
            "north",
            "--app",
            "WECHAT_OPEN=wxsite",
            "--app",
            "wechat_mp=wxpage",
        ],
    ),
    (
        "ruoyi.csv",
        &[
            "--from",
            "ruoyi",
            "--account",
            "north",
            "--app",
            "32=wxsite",
            "--app",
            "34=wxmini",
            "--app",
            "31=wxpage",
        ],
    ),
    ("casdoor.json", &["--from", "casdoor", "--account", "north"]),
    (
        "logto.json",
        &[
            "--from",
            "logto",
            "--account",
            "north",
            "--app",
            "wechat=wxapp",
        ],
    ),
];

#[test]
fn what_each_project_exports_comes_in_as_written_down() {
    for (name, options) in EXPORTS {
        let backend = Backend::new();
        let file = fixture(name);
        let mut args = vec!["import", file.to_str().unwrap()];
        args.extend(*options);
        let said = backend.json(&args);
        let came = json!({
            "said": said,
            "accounts": backend.accounts(),
            "handles": backend.handles(),
        });
        let written = file.with_extension(format!(
            "{}.expected",
            file.extension().unwrap().to_str().unwrap()
        ));
        if std::env::var_os("YUFU_BLESS").is_some() {
            let text = serde_json::to_string_pretty(&came).unwrap();
            std::fs::write(&written, format!("{text}\n")).unwrap();
        }
        let text = std::fs::read_to_string(&written).unwrap();
        let expected: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(came, expected, "{name}");
        let (handles, rows) = (backend.handles(), backend.count("event"));
        let again = backend.json(&args);
        assert_eq!(
            (&again["made"], &again["changed"]),
            (&json!(0), &json!(0)),
            "{name}"
        );
        assert_eq!(
            (backend.handles(), backend.count("event")),
            (handles, rows),
            "{name}"
        );
    }
}

#[test]
fn the_two_forms_of_our_own_columns_say_the_same() {
    let read = |name: &str| -> Value {
        let text = std::fs::read_to_string(fixture(name)).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let (table, objects) = (read("plain.csv.expected"), read("plain.jsonl.expected"));
    assert_eq!(table["accounts"], objects["accounts"]);
    assert_eq!(table["handles"], objects["handles"]);
}

#[test]
fn keys_of_which_nobody_knows_what_they_are_can_be_told_later() {
    let backend = Backend::new();
    let file = fixture("logto.json");
    let import = |more: &[&str]| {
        let mut args = vec!["import", file.to_str().unwrap(), "--from", "logto"];
        args.extend(["--account", "north", "--app", "wechat=wxapp"]);
        args.extend(more);
        backend.json(&args)
    };
    assert_eq!(import(&[])["unkeyed"], 1);
    assert_eq!(backend.json(&["doctor"])["findings"]["unkeyed"], 1);
    let listed = backend.says(&["doctor", "--list", "unkeyed"]);
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert_eq!(import(&["--keys", "openid"])["changed"], 1);
    let found = backend.json(&["doctor"]);
    assert_eq!(found["findings"]["unkeyed"], 0);
    assert_eq!(found["findings"]["orphans"], 0);
    assert!(
        backend
            .handles()
            .contains(&"wechat wxapp oWhichL2 阿竹".to_owned())
    );
}

/// A small export with one of everything that goes wrong.
const TROUBLE: &str = "\
user,provider,appid,openid,unionid,phone,created_at
1,wechat,wxapp,oA1,uA,13800000001,2020-01-01
2,wechat,wxsite,oS1,uA,,2021-01-01
3,wechat,wxsite,oS3,uC,13800000003,2019-01-01
4,wechat,wxapp,oA4,uC,13800000004,2020-01-01
5,wechat,wxapp,oA1,,+86 138 0000 0001,2021-01-01
6,wechat,wxapp,,,12345,
7,wechat,,oX,,13800000007,
,wechat,wxapp,oA8,,,
";

#[test]
fn what_is_wrong_is_said_with_its_line() {
    let backend = Backend::new();
    let file = backend.temp.write("users.csv", TROUBLE);
    let (file, list) = (file.to_str().unwrap(), backend.temp.join("wrong.csv"));
    let pairs = backend.temp.join("pairs.csv");
    let args = [
        "import",
        file,
        "--account",
        "north",
        "--complaints",
        list.to_str().unwrap(),
        "--pairs",
        pairs.to_str().unwrap(),
    ];
    let output = backend.run(&args);
    assert!(output.status.success());
    let err = String::from_utf8(output.stderr).unwrap();
    for part in [
        "line 3 (user 2): has a unionid that another account has",
        "line 6 (user 5): has an openid that another account has",
        "line 6 (user 5): has a phone number that another account has",
        "line 7 (user 6): has a phone number that is none",
        "line 7 (user 6): has an app but no openid",
        "line 8 (user 7): has an openid without its app (give --app NAME=APPID)",
        "line 9: names no user",
    ] {
        assert!(err.contains(part), "{part} is not in {err}");
    }
    assert!(
        !err.contains("13800000001") && !err.contains("oA1"),
        "no numbers, no keys: {err}"
    );
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(
        out.starts_with("8 rows: 5 accounts made, 0 changed, 0 as they were"),
        "{out}"
    );
    assert!(
        out.contains("Next: yufu identities doctor --store "),
        "{out}"
    );
    let list = std::fs::read_to_string(list).unwrap();
    assert!(list.starts_with("line,user,what,says\n"), "{list}");
    assert!(list.contains("\n3,2,unionid-taken,"), "{list}");
    let pairs = std::fs::read_to_string(pairs).unwrap();
    assert_eq!(
        pairs.lines().count(),
        3,
        "users 5 and 6 were not made: {pairs}"
    );
}

#[test]
fn a_dry_run_makes_nothing_not_even_a_database() {
    let backend = Backend::new();
    let file = backend.temp.write("users.csv", TROUBLE);
    let file = file.to_str().unwrap();
    let would = backend.json(&["import", file, "--account", "north", "--dry-run"]);
    assert_eq!(backend.temp.names(), ["key", "users.csv"]);
    let mut did = backend.json(&["import", file, "--account", "north"]);
    did["dry_run"] = json!(true);
    assert_eq!(would, did);
    let again = backend.json(&["import", file, "--account", "north", "--dry-run"]);
    assert_eq!((&again["made"], &again["same"]), (&json!(0), &json!(5)));
}

#[test]
fn the_doctor_says_what_to_type_and_merging_can_be_undone() {
    let backend = Backend::new();
    let file = backend.temp.write("users.csv", TROUBLE);
    let file = file.to_str().unwrap();
    backend.says(&["import", file, "--account", "north"]);
    let before = backend.handles();
    let text = backend.says(&["doctor"]);
    for part in [
        "5 accounts with 4 WeChat logins",
        "2  people have two accounts or more",
        "Next: yufu identities merge --all-duplicates --store ",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let plan = backend.says(&["doctor", "--list", "duplicates"]);
    let hindrances: Vec<_> = plan
        .lines()
        .skip(1)
        .map(|line| line.rsplit(',').next().unwrap())
        .collect();
    assert_eq!(
        hindrances.iter().filter(|it| **it == "two-phones").count(),
        1,
        "{plan}"
    );
    assert_eq!(hindrances.len(), 2, "{plan}");

    let would = backend.says(&["merge", "--all-duplicates"]);
    assert!(
        would.contains("1 would be merged, 1 left alone; nothing was done"),
        "{would}"
    );
    assert_eq!(backend.handles(), before);
    assert_eq!(backend.json(&["merges"]), json!([]));

    let plan = backend.temp.write("plan.csv", &plan);
    let done = backend.json(&["merge", "--plan", plan.to_str().unwrap(), "--yes"]);
    let merged: Vec<_> = done["pairs"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["done"] == "merged")
        .collect();
    assert_eq!(merged.len(), 1, "{done}");
    let open = backend.json(&["merges"]);
    assert_eq!(open[0]["merge"], merged[0]["merge"]);
    assert_eq!(open[0]["by"], "operator");
    assert_eq!(backend.json(&["doctor"])["findings"]["duplicates"], 1);
    // The rows come again: the account that stayed has what they hold.
    let again = backend.json(&["import", file, "--account", "north"]);
    assert_eq!((&again["made"], &again["changed"]), (&json!(0), &json!(0)));

    let forced = backend.says(&["merge", "--all-duplicates", "--force-phones", "--yes"]);
    assert!(
        forced.contains("1 merged, 0 left alone; until "),
        "{forced}"
    );
    assert_eq!(backend.json(&["doctor"])["findings"]["duplicates"], 0);
    for row in backend.json(&["merges"]).as_array().unwrap() {
        let id = row["merge"].as_str().unwrap();
        assert_eq!(backend.json(&["undo", id]), json!({"undone": id}));
        backend.fails(&["undo", id], "no such merge");
    }
    // Of a unionid that both accounts have, either may be the one it leads to.
    let keys = |all: Vec<String>| -> Vec<String> {
        all.into_iter()
            .filter(|it| !it.starts_with("wechat_person "))
            .collect()
    };
    assert_eq!(
        keys(backend.handles()),
        keys(before),
        "every key leads where it led"
    );
    assert_eq!(backend.json(&["doctor"])["findings"]["orphans"], 0);
    assert!(backend.says(&["merges"]).contains("no merge can be undone"));
}

#[test]
fn pairs_are_merged_by_their_ids_or_as_the_import_wrote_them() {
    let backend = Backend::new();
    let file = backend.temp.write("users.csv", TROUBLE);
    let pairs = backend.temp.join("pairs.csv");
    let (file, pairs) = (file.to_str().unwrap(), pairs.to_str().unwrap());
    backend.says(&["import", file, "--account", "north", "--pairs", pairs]);
    let would = backend.json(&["merge", "--plan", pairs]);
    let would: Vec<_> = would["pairs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["done"].as_str().unwrap())
        .collect();
    assert_eq!(
        would,
        ["would", "left"],
        "two people with two numbers are left alone"
    );
    let text = std::fs::read_to_string(pairs).unwrap();
    let ids: Vec<_> = text.lines().nth(1).unwrap().split(',').collect();
    let done = backend.says(&["merge", "--from", ids[0], "--to", ids[1], "--yes"]);
    assert!(done.contains("1 merged, 0 left alone"), "{done}");
    let again = backend.says(&["merge", "--from", ids[0], "--to", ids[1], "--yes"]);
    assert!(again.contains("they are one account already"), "{again}");
}

#[test]
fn an_export_is_examined_without_importing_it() {
    let backend = Backend::new();
    let file = backend.temp.write("users.csv", TROUBLE);
    let file = file.to_str().unwrap();
    let found = backend.json(&["doctor", "--file", file, "--account", "north"]);
    assert_eq!(found["people"], 7);
    assert_eq!(
        found["findings"],
        json!({"duplicates": 2, "at_risk": 1, "unkeyed": 0})
    );
    assert_eq!(
        found["duplicates_by"],
        json!({"openid": 1, "phone": 1, "unionid": 2})
    );
    let plan = backend.says(&[
        "doctor",
        "--file",
        file,
        "--account",
        "north",
        "--list",
        "duplicates",
    ]);
    assert!(plan.contains("\n5,1,"), "the export's own ids: {plan}");
    assert_eq!(
        backend.temp.names(),
        ["key", "users.csv"],
        "no database was made"
    );
}

#[test]
fn an_import_that_was_killed_goes_on_where_it_was() {
    let (whole, cut) = (Backend::new(), Backend::new());
    let rows = yufu(&["identities", "generate", "12000", "--duplicates", "50"]);
    let file = whole.temp.write("users.csv", &rows.stdout);
    let import = ["import", file.to_str().unwrap(), "--account", "north"];
    whole.says(&import);

    let folder = Temp::new();
    let mut child = command(&folder)
        .args(cut.args(&import))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let some = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let db = Connection::open_with_flags(cut.temp.join("login.db"), flags);
        let count = db.and_then(|db| {
            db.query_row("SELECT count(*) FROM event", [], |row| row.get::<_, i64>(0))
        });
        count.is_ok_and(|count| count > 0)
    };
    until("the first list is in", some);
    child.kill().unwrap();
    child.wait().unwrap();
    let half = cut.count("user_account");
    let all = whole.count("user_account");
    assert!(0 < half && half <= all, "{half} of {all}");
    let rest = cut.json(&import);
    assert_eq!(rest["made"].as_i64().unwrap() + half, all);
    assert_eq!(cut.count("handle"), whole.count("handle"));
    assert_eq!(cut.accounts(), whole.accounts());
    let mut found = [&cut, &whole].map(|backend| backend.json(&["doctor"]));
    assert!(found[0]["findings"]["duplicates"].as_i64().unwrap() > 100);
    assert_eq!(found[0]["findings"]["orphans"], 0);
    // In which order apps are met depends on nothing that matters.
    for found in &mut found {
        found["apps"]
            .as_array_mut()
            .unwrap()
            .sort_by_key(|app| app["appid"].to_string());
    }
    assert_eq!(found[0], found[1]);
}

#[test]
fn what_cannot_be_done_says_what_to_do() {
    let backend = Backend::new();
    for (args, part) in [
        (&["doctor"][..], "there is no login backend's database"),
        (
            &["merge", "--all-duplicates"],
            "there is no login backend's database",
        ),
        (&["import", "nobody.csv"], "nobody.csv cannot be read"),
        (&["undo", "x"], "x is no merge's id"),
        (&["doctor", "--file", "-"], "an export is read twice"),
    ] {
        backend.fails(args, part);
    }
    let file = backend.temp.write("odd.csv", "name,mail\na,b\n");
    let file = file.to_str().unwrap();
    backend.fails(
        &["import", file],
        "the export has no column user or user_id or uid",
    );
    backend.fails(
        &["import", file, "--from", "casdoor"],
        "the export has no column wechat",
    );
    backend.fails(
        &["import", file, "--account", "=x"],
        "--account =x is neither NAME nor APPID=NAME",
    );
    assert_eq!(
        backend.temp.names(),
        ["key", "odd.csv"],
        "what fails makes no database"
    );

    let file = backend
        .temp
        .write("one.csv", "user,appid,openid\n1,wx1,o1\n");
    backend.says(&["import", file.to_str().unwrap()]);
    let store = backend.temp.join("login.db");
    let store = store.to_str().unwrap();
    let output = yufu(&["identities", "doctor", "--store", store]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("Everybody has one account"),
        "a look needs no key: {text}"
    );
    let output = yufu(&["identities", "merges", "--store", store]);
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("give --master-key-file FILE")
    );
    backend.fails(&["merge"], "which accounts? Give --from USER --to USER");
    backend.fails(&["merge", "--from", "1", "--to", "2"], "1 is no user's id");
}
