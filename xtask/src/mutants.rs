//! `cargo xtask mutants [GROUP]...`: for each group of the login matrix one bug is put into a copy
//! of the code, and the group must turn red. A group that stays green proves nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run;

/// A bug for a group.
struct Mutant {
    /// The group, as its tests are named.
    group: &'static str,
    /// What the bug is.
    about: &'static str,
    file: &'static str,
    /// What stands there once, and what the bug makes of it.
    right: &'static str,
    wrong: &'static str,
}

const MUTANTS: &[Mutant] = &[
    Mutant {
        group: "cli",
        about: "a login begins without the terms",
        file: "crates/core/src/engine/login/transaction.rs",
        right: "if consent.is_empty() || wanted.is_some_and(|wanted| wanted != consent) {",
        wrong: "if wanted.is_some_and(|wanted| wanted != consent) {",
    },
    Mutant {
        group: "act",
        about: "an older transaction of the device goes on",
        file: "crates/core/src/engine/login/transaction.rs",
        right: "if body.mode != Mode::Web {",
        wrong: "if body.mode == Mode::Web {",
    },
    Mutant {
        group: "cod",
        about: "a state works on any device",
        file: "crates/core/src/engine/login/transaction.rs",
        right: "if self.device_hash(device.secret) != Some(ticket.body.device) {",
        wrong: "if self.device_hash(device.secret).is_none() {",
    },
    Mutant {
        group: "ups",
        about: "the profile's openid is not compared with the token's",
        file: "crates/web/src/api/upstream.rs",
        right: "match (found.openid.as_str() == openid, other_person) {",
        wrong: "match (true, other_person) {",
    },
    Mutant {
        group: "lgn",
        about: "where openid and unionid disagree, the openid's account is taken",
        file: "crates/core/src/login/decide.rs",
        right: "&& other.standing == Standing::Active",
        wrong: "&& other.standing == Standing::Disabled",
    },
    Mutant {
        group: "pho",
        about: "a number's account is joined without asking",
        file: "crates/core/src/login/decide.rs",
        right: "_ if !facts.confirmed && facts.policy == MergePolicy::Confirm => {",
        wrong: "_ if !facts.confirmed && facts.policy == MergePolicy::Auto => {",
    },
    Mutant {
        group: "sms",
        about: "wrong passcodes are not counted",
        file: "crates/core/src/engine/login/passcode.rs",
        right: "attempts: row.body.attempts + 1,",
        wrong: "attempts: row.body.attempts,",
    },
    Mutant {
        group: "rel",
        about: "a refresh token that was used is answered for ever",
        file: "crates/core/src/engine/login/session.rs",
        right: "let again = session.body.previous.is_some_and(|(_, until)| now < until);",
        wrong: "let again = session.body.previous.is_some();",
    },
    Mutant {
        group: "ses",
        about: "a session that was ended from elsewhere lives on",
        file: "crates/core/src/engine/login/session.rs",
        right: "UserStatus::Active if session.body.from < at =>",
        wrong: "UserStatus::Active if session.body.from > at =>",
    },
    Mutant {
        group: "con",
        about: "an equal request goes to the upstream too instead of waiting",
        file: "crates/core/src/engine/login/transaction.rs",
        right: "if is_near(*at, self.login().exchange_patience, now) {",
        wrong: "if *at > now {",
    },
    Mutant {
        group: "idn",
        about: "a unionid that differs takes the place of the old one without a trace",
        file: "crates/core/src/engine/login/mod.rs",
        right: "Some(before) if before != person => known.former.push(before.id),",
        wrong: "Some(before) if before == person => known.former.push(before.id),",
    },
    Mutant {
        group: "del",
        about: "the last way in is unlinked",
        file: "crates/core/src/engine/login/people.rs",
        right: "if user.phone.is_none() && !others {",
        wrong: "if user.phone.is_none() && others {",
    },
];

/// `cargo xtask mutants [GROUP]...`
pub(crate) fn chore(words: &[&str]) -> Result<(), String> {
    if let Some(odd) = words
        .iter()
        .find(|word| MUTANTS.iter().all(|mutant| mutant.group != **word))
    {
        let known: Vec<&str> = MUTANTS.iter().map(|mutant| mutant.group).collect();
        return Err(format!("no group {odd}; there are {}", known.join(", ")));
    }
    let copy = run::target().join("mutants");
    let mut green = Vec::new();
    for mutant in MUTANTS {
        if !words.is_empty() && !words.contains(&mutant.group) {
            continue;
        }
        println!("=== {}: {}", mutant.group, mutant.about);
        refresh(&copy)?;
        put(&copy, mutant)?;
        match tests(&copy, mutant.group)? {
            Verdict::Red(failed) => println!("    red, as it must be: {failed} tests"),
            Verdict::Green => {
                println!("    GREEN");
                green.push(mutant.group);
            }
        }
    }
    match green.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "these groups do not see their bug: {}",
            green.join(", ")
        )),
    }
}

/// Copies what is under version control, as it stands.
fn refresh(copy: &Path) -> Result<(), String> {
    let listed = run::output(
        "git",
        &[
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ],
    )
    .ok_or("the files of the repository cannot be listed")?;
    for name in listed.split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (run::root().join(name), copy.join(name));
        let Ok(bytes) = std::fs::read(&from) else {
            continue;
        };
        // What did not change keeps its time, or everything would be built anew.
        if std::fs::read(&to).is_ok_and(|old| old == bytes) {
            continue;
        }
        let folder = to.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&to, bytes))
            .map_err(|problem| format!("{}: {problem}", to.display()))?;
    }
    Ok(())
}

fn put(copy: &Path, mutant: &Mutant) -> Result<(), String> {
    let path = copy.join(mutant.file);
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", mutant.file))?;
    if text.matches(mutant.right).count() != 1 {
        return Err(format!("{}: not there once: {}", mutant.file, mutant.right));
    }
    let text = text.replace(mutant.right, mutant.wrong);
    std::fs::write(&path, text).map_err(|e| format!("{}: {e}", mutant.file))
}

/// What a group says of a bug.
enum Verdict {
    Red(usize),
    Green,
}

fn tests(copy: &Path, group: &str) -> Result<Verdict, String> {
    let module = if group == "cli" { "act" } else { group };
    let filter = format!("test(/^{module}::{group}_/)");
    let mut cargo = Command::new("cargo");
    cargo
        .args([
            "nextest",
            "run",
            "--no-fail-fast",
            "-p",
            "yufu",
            "--test",
            "matrix",
            "-E",
        ])
        .arg(&filter)
        .current_dir(copy)
        .env("CARGO_TARGET_DIR", copy.join("target"))
        .env("PATH", run::path());
    let output = cargo
        .output()
        .map_err(|problem| format!("cargo: {problem}"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !said.contains("Summary [") {
        return Err(format!("the mutant of {group} was not tried:\n{said}"));
    }
    let failed = said
        .lines()
        .filter(|line| line.trim().starts_with("FAIL ["))
        .count();
    Ok(match output.status.success() {
        true => Verdict::Green,
        false => Verdict::Red(failed.max(1) / 2 + failed % 2),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_has_a_bug_and_each_bug_has_its_place() {
        for mutant in MUTANTS {
            let text = std::fs::read_to_string(run::root().join(mutant.file)).unwrap();
            let places = text.matches(mutant.right).count();
            assert_eq!(places, 1, "{}: {}", mutant.file, mutant.right);
            assert_ne!(mutant.right, mutant.wrong);
        }
        let groups: Vec<&str> = MUTANTS.iter().map(|mutant| mutant.group).collect();
        let all = [
            "cli", "act", "cod", "ups", "lgn", "pho", "sms", "rel", "ses", "con", "idn", "del",
        ];
        assert_eq!(groups, all);
    }
}
