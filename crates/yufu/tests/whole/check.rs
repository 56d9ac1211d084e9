//! `yufu check` from the command line: what it writes, what it says where there is no verdict, and
//! the verdict on the login backend of `yufu dev`.

use std::process::Output;

use crate::house::{House, Temp, command, yufu};

/// Runs a check in a folder of its own, with the sandbox of this house.
fn check(house: &House, temp: &Temp, args: &[&str]) -> Output {
    let line = temp.write("ready.json", house.ready.to_string());
    let mut all = vec!["check", "--sandbox", line.to_str().unwrap()];
    all.extend(args);
    command(temp).args(&all).output().unwrap()
}

fn said(output: &Output) -> (i32, String, String) {
    (
        output.status.code().unwrap(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn init_writes_a_recipe_and_never_over_one() {
    let temp = Temp::new();
    let init = |args: &[&str]| {
        let mut all = vec!["check", "init"];
        all.extend(args);
        said(&command(&temp).args(&all).output().unwrap())
    };
    let (status, out, err) = init(&["--like", "ruoyi"]);
    assert_eq!((status, err.as_str()), (0, ""));
    assert!(out.starts_with("yufu-check.toml is written"), "{out}");
    let text = std::fs::read_to_string(temp.join("yufu-check.toml")).unwrap();
    assert!(text.contains("/app-api/member/auth/social-login"));
    let (status, out, err) = init(&[]);
    assert_eq!((status, out.as_str()), (2, ""));
    assert!(
        err.contains("is there already") && err.contains("--out"),
        "{err}"
    );
    assert_eq!(
        std::fs::read_to_string(temp.join("yufu-check.toml")).unwrap(),
        text
    );
    let (status, out, _) = init(&["--like", "authjs", "--out", "-"]);
    assert_eq!(status, 0);
    assert!(out.contains("/auth/signin/wechat"), "{out}");
    let (status, _, err) = init(&["--like", "nothing", "--out", "-"]);
    assert_eq!(status, 2);
    assert!(
        err.contains("There are: yufu, authjs, better-auth, justauth, ruoyi"),
        "{err}"
    );
}

#[test]
fn the_rows_are_named_without_anything_else() {
    let output = yufu(&["check", "--list"]);
    let (status, out, err) = said(&output);
    assert_eq!((status, err.as_str()), (0, ""));
    assert!(
        out.contains("  COD-09  An attacker's code and state"),
        "{out}"
    );
    assert!(out.contains("  CON-06  Needs your backend to die"), "{out}");
    assert_eq!(
        out.lines().count(),
        120 + 12,
        "a line for each row and heading"
    );
}

#[test]
fn where_there_is_no_verdict_the_status_is_two_and_a_sentence_says_why() {
    let (house, temp) = (House::dev(), Temp::new());
    let fails = |args: &[&str], parts: &[&str]| {
        let (status, out, err) = said(&check(&house, &temp, args));
        assert_eq!((status, out.as_str()), (2, ""), "{args:?}: {err}");
        for part in parts {
            assert!(err.contains(part), "{args:?}: {part} is not in {err}");
        }
    };
    fails(
        &[],
        &["there is no recipe yufu-check.toml", "yufu check init"],
    );
    fails(
        &["--only", "COD-0"],
        &["there is no row COD-0; did you mean COD-0"],
    );
    fails(
        &["--like", "authjs", "--base", "nowhere"],
        &["base is \"nowhere\", no address"],
    );
    // Nobody listens at port 9 of this machine.
    let nobody = ["--like", "authjs", "--base", "http://127.0.0.1:9"];
    fails(
        &nobody,
        &[
            "your backend does not answer at http://127.0.0.1:9",
            "--start",
        ],
    );
    let mut gone = nobody.to_vec();
    gone.extend(["--start", "exit 3"]);
    fails(
        &gone,
        &["\"exit 3\" ended before it listened at 127.0.0.1:9"],
    );
    let recipe = temp.write(
        "bad.toml",
        "base = 1\npatience = \"long\"\n[step.deliver]\npath = \"cb\"\n",
    );
    fails(
        &[recipe.to_str().unwrap()],
        &[
            "bad.toml has to be mended:",
            "line 1: base is no text",
            "line 2: patience is no whole number",
            "line 4: step.deliver.path is \"cb\"",
            "step.whoami is missing",
        ],
    );
    let (status, _, err) = said(&check(&house, &temp, &["--watch", "--for", "soon"]));
    assert_eq!(status, 2);
    assert!(err.contains("write a time such as 60s"), "{err}");
}
