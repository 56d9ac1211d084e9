//! `cargo xtask test`: everything that must hold, in the order in which it is cheapest to fail.

use std::time::{Duration, Instant};

use crate::{fuzz, needs, run};

struct Step {
    name: &'static str,
    about: &'static str,
    work: fn() -> Result<(), String>,
}

const STEPS: &[Step] = &[
    Step {
        name: "format",
        about: "the code is formatted",
        work: format,
    },
    Step {
        name: "clippy",
        about: "the lints are quiet",
        work: clippy,
    },
    Step {
        name: "docs",
        about: "the reference can be built",
        work: docs,
    },
    Step {
        name: "tests",
        about: "the tests of the code",
        work: tests,
    },
    Step {
        name: "release",
        about: "the binary as it is shipped",
        work: release,
    },
    Step {
        name: "conformance",
        about: "real client libraries log in, and are judged",
        work: conformance,
    },
    Step {
        name: "programs",
        about: "programs that know nothing of yufu log in under yufu run",
        work: programs,
    },
    Step {
        name: "browser",
        about: "people log in with a real browser",
        work: browser,
    },
    Step {
        name: "fuzz",
        about: "every parser meets odd input",
        work: fuzz::smoke,
    },
];

/// The steps, in order.
pub(crate) fn step_names() -> Vec<&'static str> {
    STEPS.iter().map(|step| step.name).collect()
}

/// `cargo xtask test [--keep-going] [--only STEP]...`
pub(crate) fn chore(words: &[&str]) -> Result<(), String> {
    let (mut keep_going, mut only) = (false, Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "--keep-going" => keep_going = true,
            "--only" => {
                let name = words.next().copied().unwrap_or_default();
                if !step_names().contains(&name) {
                    return Err(format!("--only wants one of {}", step_names().join(", ")));
                }
                only.push(name);
            }
            other => return Err(format!("what is {other}? see `cargo xtask help`")),
        }
    }
    let chosen: Vec<&Step> = STEPS
        .iter()
        .filter(|step| only.is_empty() || only.contains(&step.name))
        .collect();
    let names: Vec<&str> = chosen.iter().map(|step| step.name).collect();
    needs::meet(&names)?;
    through(&chosen, keep_going)
}

fn through(chosen: &[&Step], keep_going: bool) -> Result<(), String> {
    let mut table = Vec::new();
    let mut first_failure = None;
    for step in chosen {
        if first_failure.is_some() && !keep_going {
            table.push((step.name, "not run", Duration::ZERO));
            continue;
        }
        println!("\n=== {}: {}", step.name, step.about);
        let started = now();
        let outcome = (step.work)();
        let took = started.elapsed();
        match outcome {
            Ok(()) => {
                println!("=== {}: passed in {:.1} s", step.name, took.as_secs_f64());
                table.push((step.name, "passed", took));
            }
            Err(problem) => {
                println!(
                    "=== {}: FAILED in {:.1} s\n{problem}",
                    step.name,
                    took.as_secs_f64()
                );
                println!("again: cargo xtask test --only {}", step.name);
                table.push((step.name, "FAILED", took));
                first_failure.get_or_insert(step.name);
            }
        }
    }
    println!();
    for (name, outcome, took) in &table {
        println!("{name:<12} {outcome:<8} {:>7.1} s", took.as_secs_f64());
    }
    let total: Duration = table.iter().map(|(_, _, took)| *took).sum();
    println!("{:<12} {:<8} {:>7.1} s", "all", "", total.as_secs_f64());
    match first_failure {
        None => Ok(()),
        Some(name) => Err(format!("{name} failed")),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a stopwatch for people, in no product"
)]
fn now() -> Instant {
    Instant::now()
}

fn format() -> Result<(), String> {
    run::stream(run::cargo(&["fmt", "--all", "--check"]))?;
    let mut fuzz = run::cargo(&["fmt", "--check"]);
    fuzz.current_dir(run::root().join("fuzz"));
    run::stream(fuzz)
}

fn clippy() -> Result<(), String> {
    run::stream(run::cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))
}

fn docs() -> Result<(), String> {
    let mut cargo = run::cargo(&["doc", "--workspace", "--no-deps"]);
    cargo.env("RUSTDOCFLAGS", "-D warnings");
    run::stream(cargo)
}

/// With nextest where it is, since it runs every test in a process of its own; installing it
/// would take longer than it saves.
fn tests() -> Result<(), String> {
    if run::succeeds("cargo", &["nextest", "--version"]) {
        run::stream(run::cargo(&[
            "nextest",
            "run",
            "--workspace",
            "--no-fail-fast",
        ]))?;
        run::stream(run::cargo(&["test", "--workspace", "--doc", "--quiet"]))?;
    } else {
        println!("xtask: no cargo-nextest here; cargo test it is");
        run::stream(run::cargo(&["test", "--workspace"]))?;
    }
    tally()
}

/// All tests have passed: how many rows of the login matrix they hold, by group.
fn tally() -> Result<(), String> {
    let test = "rows::every_row_has_its_test_and_no_manual_row_has_one";
    let words = ["test", "-p", "yufu", "--test", "matrix", "--quiet", test];
    let said = run::output("cargo", &[&words[..], &["--", "--nocapture"]].concat());
    let said = said.ok_or("the tally of the login matrix cannot be told")?;
    println!("the login matrix:");
    for line in said.lines().filter(|line| line.contains("held by tests")) {
        println!("  {line}");
    }
    Ok(())
}

fn release() -> Result<(), String> {
    run::stream(run::cargo(&["build", "--release"]))
}

fn conformance() -> Result<(), String> {
    release()?;
    run::stream(run::command(
        "python3",
        &["conformance/run.py", "--yufu", &yufu()],
    ))?;
    run::stream(run::command(
        "python3",
        &["conformance/check/run.py", "--yufu", &yufu()],
    ))
}

/// The Rust one among them is built as the tests are: its dependencies are there already.
fn programs() -> Result<(), String> {
    release()?;
    let example = ["build", "--package", "yufu", "--example", "wechat_login"];
    run::stream(run::cargo(&example))?;
    let rust = run::target().join("debug/examples/wechat_login");
    let rust = rust.to_string_lossy();
    let words = [
        "conformance/unmodified/run.py",
        "--yufu",
        &yufu(),
        "--rust",
        &rust,
    ];
    run::stream(run::command("python3", &words))
}

fn browser() -> Result<(), String> {
    let folder = run::root().join("browser");
    if !folder.join("run.mjs").is_file() {
        return Err("FAIL: browser/run.mjs is missing".to_owned());
    }
    release()?;
    run::stream(run::command(
        "node",
        &["browser/run.mjs", "--yufu", &yufu()],
    ))
}

fn yufu() -> String {
    let place = run::target().join("release").join("yufu");
    place.to_string_lossy().into_owned()
}
