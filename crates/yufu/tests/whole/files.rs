//! Databases and folders that are not for us: refused with a reason, and not touched.

use std::path::Path;

use aws_lc_rs::digest;
use rusqlite::Connection;

use crate::house::{House, Temp, yufu};

/// Starts `yufu dev` over a folder that must be refused; answers what it said.
#[track_caller]
fn refusal(data: &Path) -> String {
    let data = data.to_str().unwrap();
    let output = yufu(&["dev", "--json", "--port", "0", "--data", data]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(output.stdout.is_empty());
    assert!(said.starts_with("yufu: "), "{said}");
    assert!(
        said.lines().count() <= 2,
        "a message and its remedy: {said}"
    );
    said
}

/// Everything in a folder: names, and a digest of the bytes.
fn contents(data: &Temp) -> Vec<(String, String)> {
    let read = |name: String| {
        let bytes = std::fs::read(data.join(&name)).unwrap();
        let digest = digest::digest(&digest::SHA256, &bytes);
        (name, format!("{digest:?}"))
    };
    let files = data.names().into_iter();
    files
        .filter(|name| data.join(name).is_file())
        .map(read)
        .collect()
}

#[test]
fn a_folder_that_cannot_be_made_is_refused() {
    let temp = Temp::new();
    let file = temp.write("file", "no folder");
    let said = refusal(&file.join("below"));
    assert!(said.contains("cannot be made"), "{said}");
    assert!(said.contains("--data"), "the remedy: {said}");
    let said = refusal(&file);
    assert!(said.contains("file"), "{said}");
    assert_eq!(std::fs::read(&file).unwrap(), b"no folder");
}

#[test]
fn a_folder_that_cannot_be_written_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let temp = Temp::new();
    let data = temp.join("locked");
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o500)).unwrap();
    // Who may do everything is not held up by this; /proc takes no files from anybody.
    let all_powerful = std::fs::write(data.join("probe"), "").is_ok();
    let data = if all_powerful {
        "/proc/self".into()
    } else {
        data
    };
    let said = refusal(&data);
    assert!(said.contains("cannot"), "{said}");
}

#[test]
fn files_that_are_not_ours_are_refused_and_stay_as_they_are() {
    let foreign = |temp: &Temp| {
        let db = Connection::open(temp.join("yufu.db")).unwrap();
        db.execute_batch("CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('mine');")
            .unwrap();
    };
    let text = |temp: &Temp| {
        temp.write(
            "yufu.db",
            "Dear diary, this is no database but a text of mine.\n",
        );
    };
    let noise = |temp: &Temp| {
        temp.write("yufu.db", [0xff; 8192]);
    };
    type Make<'a> = &'a dyn Fn(&Temp);
    let cases: [(&str, Make<'_>); 3] = [
        ("another program's database", &foreign),
        ("a text", &text),
        ("noise", &noise),
    ];
    for (name, make) in cases {
        let data = Temp::new();
        make(&data);
        let before = contents(&data);
        let said = refusal(data.path());
        assert!(said.contains("not a yufu database"), "{name}: {said}");
        assert!(
            said.contains("another path"),
            "the remedy for {name}: {said}"
        );
        assert_eq!(contents(&data), before, "{name}");
    }
}

#[test]
fn a_newer_database_is_refused_and_stays_as_it_is() {
    let data = Temp::new();
    House::dev_in(&data).stop();
    let db = Connection::open(data.join("yufu.db")).unwrap();
    db.pragma_update(None, "user_version", 4711).unwrap();
    drop(db);
    // The login backend's file is well, and whoever opens it may leave a log beside it.
    for name in data.names() {
        if name.starts_with("login.db") {
            std::fs::remove_file(data.join(&name)).unwrap();
        }
    }
    let before = contents(&data);
    let said = refusal(data.path());
    assert!(said.contains("4711") && said.contains("newer"), "{said}");
    assert_eq!(contents(&data), before);
    for args in [["migrate", "--data"], ["doctor", "--data"]] {
        let output = yufu(&[args[0], args[1], data.text()]);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert_eq!(contents(&data), before, "{args:?}");
    }
}

#[test]
fn a_lost_or_wrong_key_is_refused_and_nothing_new_is_written() {
    let data = Temp::new();
    House::dev_in(&data).stop();
    let key = std::fs::read(data.join("yufu.key")).unwrap();
    std::fs::remove_file(data.join("yufu.key")).unwrap();
    let before = contents(&data);
    let said = refusal(data.path());
    assert!(said.contains("key"), "{said}");
    assert_eq!(contents(&data), before, "no new key beside an old database");
    data.write("yufu.key", "0".repeat(64));
    let said = refusal(data.path());
    assert!(said.contains("master key"), "{said}");
    data.write("yufu.key", "not a key");
    let said = refusal(data.path());
    assert!(said.contains("64 hexadecimal digits"), "{said}");
    // And with the right key everything is there again.
    data.write("yufu.key", key);
    House::dev_in(&data).stop();
}

#[test]
fn a_torn_database_is_refused() {
    let data = Temp::new();
    House::dev_in(&data).stop();
    let path = data.join("yufu.db");
    let whole = std::fs::read(&path).unwrap();
    let mut torn = whole.clone();
    let length = torn.len();
    torn[4096..length.min(40_000)].fill(0x5a);
    std::fs::write(&path, &torn).unwrap();
    let said = refusal(data.path());
    assert!(said.contains("yufu.db"), "{said}");
}
