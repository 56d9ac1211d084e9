//! Fuzzing with libFuzzer on the stable toolchain: the compiler pass that counts coverage is asked
//! for by hand, so neither cargo-fuzz nor a nightly compiler is needed.

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};

use crate::run;

/// One per parser, as in `fuzz/Cargo.toml`.
const TARGETS: [&str; 17] = [
    "params",
    "redirect",
    "secret",
    "authorize",
    "token",
    "call",
    "ticket",
    "phone",
    "config",
    "push",
    "sms",
    "login_body",
    "identities",
    "upstream_answer",
    "first_line",
    "recipe",
    "files",
];

/// What the compiler is told: count edges and comparisons for libFuzzer. Only what is built for
/// the target triple gets it, so build scripts and macros run at their own speed.
const FLAGS: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    --cfg fuzzing -Ccodegen-units=1";

const LONG: u32 = 60;
const SMOKE: u32 = 13;
/// How many run at once.
const LANES: usize = 2;

/// `cargo xtask fuzz [TARGET] [--seconds N]`; what was found before is gone on with.
pub(crate) fn chore(words: &[&str]) -> Result<(), String> {
    let mut targets = Vec::new();
    let mut seconds = LONG;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "--seconds" => {
                let number = words.next().and_then(|text| text.parse().ok());
                seconds = number
                    .filter(|n| *n > 0)
                    .ok_or("--seconds wants a number")?;
            }
            name => {
                let known = TARGETS.into_iter().find(|known| *known == name);
                let unknown =
                    || format!("no such target: {name}; there are {}", TARGETS.join(", "));
                targets.push(known.ok_or_else(unknown)?);
            }
        }
    }
    if targets.is_empty() {
        targets.extend(TARGETS);
    }
    all(&targets, seconds, true)
}

/// The smoke test: every target for a short while, from the committed seeds alone.
pub(crate) fn smoke() -> Result<(), String> {
    all(&TARGETS, SMOKE, false)
}

fn all(targets: &[&'static str], seconds: u32, keep: bool) -> Result<(), String> {
    let bin = build(targets)?;
    println!(
        "fuzz: {} targets, {seconds} s each, {LANES} at a time",
        targets.len()
    );
    let waiting: Mutex<VecDeque<_>> = Mutex::new(targets.iter().copied().collect());
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                loop {
                    let next = waiting
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .pop_front();
                    let Some(target) = next else { break };
                    match one(&bin, target, seconds, keep) {
                        Ok(line) => println!("fuzz: {line}"),
                        Err(problem) => {
                            println!("fuzz: {problem}");
                            failures
                                .lock()
                                .unwrap_or_else(PoisonError::into_inner)
                                .push(target);
                        }
                    }
                }
            });
        }
    });
    let failures = failures
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    if failures.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "fuzzing found something in: {}",
            failures.join(", ")
        ))
    }
}

/// Builds the targets; answers the folder they are in.
fn build(targets: &[&str]) -> Result<PathBuf, String> {
    let version = run::output("rustc", &["-vV"]).ok_or("rustc does not tell its version")?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or("rustc does not tell its host")?;
    let mut cargo = run::cargo(&["build", "--release", "--target", host]);
    for target in targets {
        cargo.args(["--bin", target]);
    }
    let folder = folder();
    cargo.current_dir(run::root().join("fuzz"));
    cargo
        .env("CARGO_TARGET_DIR", &folder)
        .env("RUSTFLAGS", FLAGS);
    cargo.env_remove("CARGO_ENCODED_RUSTFLAGS");
    run::stream(cargo)?;
    Ok(folder.join(host).join("release"))
}

fn folder() -> PathBuf {
    run::target().join("fuzz")
}

/// Runs one target to its end; answers a line about it.
fn one(bin: &std::path::Path, target: &str, seconds: u32, keep: bool) -> Result<String, String> {
    let seeds = run::root().join("fuzz").join("seeds").join(target);
    let corpus = folder()
        .join(if keep { "corpus" } else { "smoke" })
        .join(target);
    let artifacts = folder().join("artifacts").join(target);
    let io = |problem: std::io::Error| format!("{target}: {problem}");
    if !keep && corpus.exists() {
        fs::remove_dir_all(&corpus).map_err(io)?;
    }
    for place in [&corpus, &artifacts] {
        fs::create_dir_all(place).map_err(io)?;
    }
    let mut command = run::command(&bin.join(target).to_string_lossy(), &[]);
    command.arg(&corpus).arg(&seeds).args([
        &format!("-max_total_time={seconds}"),
        &format!("-artifact_prefix={}/", artifacts.display()),
        "-max_len=4096",
        "-timeout=10",
        "-rss_limit_mb=1024",
        "-print_final_stats=1",
    ]);
    if !keep {
        // The same walk each time: what the smoke test finds today it would have found yesterday.
        command.arg("-seed=20260420");
    }
    command.env("RUST_BACKTRACE", "0");
    let output = command.stdout(Stdio::null()).output().map_err(io)?;
    let log = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!(
            "{target}: FAILED ({})\n{}",
            output.status,
            told(&log)
        ));
    }
    let executions = log
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))
        .map_or("?", str::trim);
    let (first, last) = (coverage(&log, "INITED"), coverage(&log, "DONE"));
    if last == 0 {
        return Err(format!(
            "{target}: no coverage was counted, so nothing was learnt"
        ));
    }
    Ok(format!(
        "{target}: {executions} executions, {first} edges from the seeds, {last} in the end"
    ))
}

/// The edges that a line of libFuzzer's tells.
fn coverage(log: &str, mark: &str) -> u32 {
    let line = log
        .lines()
        .rfind(|line| line.contains(mark))
        .unwrap_or_default();
    let mut words = line.split_whitespace();
    words.by_ref().find(|word| *word == "cov:");
    words
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

/// What a failing run says to people: the panic and where the input was kept.
fn told(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let start = lines.iter().position(|line| line.contains("panicked at"));
    let start = start.unwrap_or(lines.len().saturating_sub(12));
    let rest = lines.get(start..).unwrap_or_default();
    let end = rest.iter().position(|line| line.starts_with("=="));
    let panic = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
    let kept = lines
        .iter()
        .filter_map(|line| line.split_once("Test unit written to "));
    let kept = kept
        .map(|(_, place)| format!("the input: {place} (give it to the target to see it again)"));
    let panic = panic.iter().map(|line| (*line).to_owned());
    panic.chain(kept).collect::<Vec<_>>().join("\n")
}
