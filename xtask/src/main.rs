//! The chores of the repository: `cargo xtask <chore>`.

mod fuzz;
mod mutants;
mod needs;
mod run;
mod test;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask test [--keep-going] [--only STEP]...   everything that must hold; installs what is missing
cargo xtask fuzz [TARGET] [--seconds N]            fuzz one parser, or all, 60 s each unless told
cargo xtask mutants [GROUP]...                     put a bug into a copy for each group of the matrix; it must see it
cargo xtask bless                                  write the generated documents anew
cargo xtask help                                   this text

steps of test: ";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.split_first() {
        Some((&"test", rest)) => test::chore(rest),
        Some((&"fuzz", rest)) => fuzz::chore(rest),
        Some((&"mutants", rest)) => mutants::chore(rest),
        Some((&"bless", [])) => bless(),
        Some((&("help" | "--help" | "-h"), _)) | None => {
            println!("{HELP}{}", test::step_names().join(", "));
            Ok(())
        }
        Some((chore, _)) => Err(format!(
            "no such chore: {chore}\n\n{HELP}{}",
            test::step_names().join(", ")
        )),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("xtask: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Documents that are printed from the code are written by the tests that keep them fresh; the
/// names of those tests end so.
fn bless() -> Result<(), String> {
    let mut cargo = run::cargo(&["test", "--workspace", "--quiet", "_fresh"]);
    cargo.env("YUFU_BLESS", "1");
    run::stream(cargo)?;
    println!("xtask: blessed; `git diff docs` shows what changed");
    Ok(())
}
