//! `yufu check`: the verdict on an app's own login backend.

use clap::Subcommand;

/// The verdict.
#[derive(Subcommand)]
pub(crate) enum CheckCommand {
    /// Runs the rows of the login matrix against a login backend.
    Check,
}

pub(crate) async fn run(command: CheckCommand) -> Result<(), String> {
    match command {
        CheckCommand::Check => Err("there is no recipe".to_owned()),
    }
}
