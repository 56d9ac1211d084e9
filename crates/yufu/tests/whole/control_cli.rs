//! The words of the command line that a running sandbox is told, and what they print.

use std::process::Output;

use serde_json::Value;

use crate::house::{Ask, Browser, House, Temp, command, in_client};

fn say(house: &House, args: &[&str]) -> Output {
    house.beside().args(args).output().unwrap()
}

/// What a command printed that had to succeed.
#[track_caller]
fn said(house: &House, args: &[&str]) -> String {
    let output = say(house, args);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{args:?}: {error}");
    assert_eq!(error, "", "{args:?}");
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

#[track_caller]
fn told(house: &House, args: &[&str]) -> Value {
    let mut all = args.to_vec();
    all.push("--json");
    let text = said(house, &all);
    assert_eq!(text.lines().count(), 1, "{args:?}: {text}");
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{args:?}: {text}"))
}

/// What a command said that had to fail.
#[track_caller]
fn refused(house: &House, args: &[&str]) -> String {
    let output = say(house, args);
    assert!(!output.status.success(), "{args:?}");
    assert!(output.stdout.is_empty(), "{args:?}");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("yufu: "), "{error}");
    error
}

#[test]
fn without_a_sandbox_every_word_says_how_to_start_one() {
    let temp = Temp::new();
    for args in [
        &["person"][..],
        &["app"],
        &["fault"],
        &["clock", "-5m"],
        &["expire", "x"],
        &["auto", "mei"],
        &["authorize", "http://x/"],
        &["code", "--client", "wx1"],
        &["inbox"],
        &[
            "event",
            "user_info_modified",
            "--person",
            "mei",
            "--client",
            "wx1",
        ],
        &["flow"],
        &["reset"],
        &["snapshot", "a"],
        &["restore", "a"],
    ] {
        let output = command(&temp).args(args).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{args:?}");
        assert!(error.contains("yufu dev"), "{args:?}: {error}");
    }
    let output = command(&temp)
        .args(["reset", "--sandbox", "http://127.0.0.1:9"])
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("nothing answers at http://127.0.0.1:9"),
        "{error}"
    );
}

#[test]
fn a_login_without_a_browser() {
    let house = House::dev();
    let service = house.service();
    let code = said(&house, &["code", "--client", &service.0, "--person", "wei"]);
    assert_eq!(code.lines().count(), 1);
    let tokens = house.tokens(&service, &code);
    let openid = tokens["openid"].as_str().unwrap();
    let profile = house.userinfo(tokens["access_token"].as_str().unwrap(), openid);
    assert_eq!(profile.json()["nickname"], "阿伟");

    // The address as an app makes it, under the platform's own name.
    let path = in_client(&service.0, "http://localhost/cb", "snsapi_userinfo", "st");
    let url = format!("https://open.weixin.qq.com{path}#wechat_redirect");
    let callback = said(&house, &["authorize", &url, "--person", "mei"]);
    assert!(
        callback.starts_with("http://localhost/cb?code="),
        "{callback}"
    );
    assert!(callback.ends_with("&state=st"), "{callback}");
    let stayed = said(&house, &["authorize", &url, "--decision", "deny"]);
    assert!(!stayed.contains("code="), "{stayed}");
    let json = told(&house, &["authorize", &url]);
    assert_eq!(json["outcome"], "returned");

    for (args, part) in [
        (&["code", "--client", "wx0"][..], "appid"),
        (&["code", "--client", &service.0, "--person", "zoe"], "zoe"),
        (
            &["authorize", "https://example.com/"],
            "exactly as the client made it",
        ),
        (&["authorize", &url, "--decision", "maybe"], "allow"),
    ] {
        let error = refused(&house, args);
        assert!(error.contains(part), "{args:?}: {error}");
    }
    house.stop();
}

#[test]
fn somebody_answers_at_once_until_told_off() {
    let house = House::dev();
    assert!(said(&house, &["auto"]).contains("Let somebody: yufu auto mei allow"));
    let words = said(&house, &["auto", "mei"]);
    assert_eq!(
        words,
        "mei answers every authorization: allow\nEnd it: yufu auto off"
    );
    let service = house.service();
    let path = in_client(&service.0, "http://localhost/cb", "snsapi_userinfo", "s");
    let answer = house.get(&path);
    assert!(answer.location().starts_with("http://localhost/cb?code="));
    assert_eq!(told(&house, &["auto"])["auto"]["person"], "mei");
    let error = refused(&house, &["auto", "mei", "perhaps"]);
    assert!(error.contains("allow"), "{error}");
    said(&house, &["auto", "off"]);
    assert!(
        house
            .get(&path)
            .header("location")
            .is_none_or(|to| !to.contains("code="))
    );
    house.stop();
}

#[test]
fn passcodes_are_printed_bare() {
    let house = House::dev();
    let error = refused(&house, &["inbox"]);
    assert!(error.contains("--wait"), "{error}");
    let error = refused(&house, &["inbox", "--to", "+8613800000001", "--wait", "0"]);
    assert!(error.contains("+8613800000001"), "{error}");
    let mut waiting = house.beside();
    let waiting = waiting.args(["inbox", "--to", "+8613800000001", "--wait"]);
    let waiting = waiting
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut browser = Browser::new(&house, (String::new(), String::new()));
    let page = browser.get("/account/sign-in?by=passcode");
    let page = browser.press(&page, "send_passcode", &[("phone", "+8613800000001")]);
    let output = waiting.wait_with_output().unwrap();
    let passcode = String::from_utf8(output.stdout).unwrap();
    let passcode = passcode.trim_end();
    assert_eq!(passcode.len(), 6, "{passcode}");
    let fields = [("phone", "+8613800000001"), ("passcode", passcode)];
    let answer = browser.press(&page, "passcode", &fields);
    assert_eq!(answer.location(), "/account");
    assert_eq!(told(&house, &["inbox"])["scene"], "sign_in");
    house.stop();
}

#[test]
fn everything_is_kept_restored_and_reset() {
    let house = House::dev();
    assert_eq!(
        said(&house, &["snapshot"]),
        "no snapshots yet\nTake one: yufu snapshot NAME"
    );
    let service = house.service();
    let code = said(&house, &["code", "--client", &service.0]);
    assert_eq!(
        said(&house, &["snapshot", "before"]),
        "kept as before\nNext: yufu restore before"
    );
    assert!(said(&house, &["snapshot", "before"]).starts_with("kept anew as before"));
    let list = said(&house, &["snapshot", "list"]);
    assert!(
        list.starts_with("before  2") && list.contains("3 people, 4 apps"),
        "{list}"
    );
    assert_eq!(
        told(&house, &["snapshot"])["snapshots"][0]["name"],
        "before"
    );
    house.tokens(&service, &code);
    assert!(said(&house, &["restore", "before"]).starts_with("everything is as it was in before"));
    house.tokens(&service, &code);
    assert_eq!(said(&house, &["reset"]), "everything is as it was seeded");
    assert_eq!(house.exchange(&service, &code).errcode(), 40029);
    let error = refused(&house, &["restore", "after"]);
    assert!(error.contains("there are: before"), "{error}");
    let error = refused(&house, &["snapshot", "no/name"]);
    assert!(error.contains("1 to 40 letters"), "{error}");
    said(&house, &["snapshot", "before", "--remove"]);
    let error = refused(&house, &["restore", "before"]);
    assert!(error.contains("yufu snapshot before"), "{error}");
    house.stop();
}

/// By the address with the token in the environment, by the line in a file, by the newest.
#[test]
fn the_sandbox_is_the_one_that_is_meant() {
    let (one, two) = (House::dev(), House::dev());
    let temp = Temp::new();
    let line = temp.write("ready.json", one.ready.to_string());
    let line = line.to_str().unwrap();
    said(&two, &["snapshot", "mine", "--sandbox", line]);
    let names = |house: &House| {
        let all = house.control(Ask::get("/_sandbox/snapshots")).json();
        all["snapshots"].as_array().unwrap().len()
    };
    assert_eq!((names(&one), names(&two)), (1, 0));
    let output = command(&temp)
        .args(["snapshot", "mine"])
        .env("YUFU_SANDBOX", two.platform())
        .env("YUFU_SANDBOX_TOKEN", two.token().unwrap())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(names(&two), 1);
    let output = command(&temp)
        .args(["snapshot", "--sandbox", two.platform()])
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("YUFU_SANDBOX_TOKEN"), "{error}");
    one.stop();
    two.stop();
}

#[test]
fn a_file_that_tells_of_nobody_is_sent_back_whole() {
    let house = House::dev();
    let temp = Temp::new();
    let file = |name: &str, text: &str| temp.write(name, text).to_str().unwrap().to_owned();
    let empty = file("empty.toml", "");
    let error = refused(&house, &["person", "add", "--file", &empty]);
    assert!(
        error.contains("empty.toml:") && error.contains("[[people]]"),
        "{error}"
    );
    let broken = file("broken.toml", "[[people]]\nname = \n[[faults]\n");
    let error = refused(&house, &["person", "add", "--file", &broken]);
    assert!(
        error.contains("line 2") && error.contains("line 3"),
        "{error}"
    );
    let unknown = file("unknown.toml", "[[peple]]\nname = \"lin\"\n");
    let error = refused(&house, &["fault", "add", "--file", &unknown]);
    assert!(error.contains("line 1"), "{error}");
    let error = refused(&house, &["person", "add", "--file", "none.toml"]);
    assert!(error.contains("none.toml cannot be read"), "{error}");
    house.stop();
}
