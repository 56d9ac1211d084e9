//! One word each for what the sandbox can be told: people, faults, the clock, and so on.

use clap::Subcommand;

/// What a running sandbox can be told.
#[derive(Subcommand)]
pub(crate) enum ControlCommand {
    /// Back to the world as it was seeded.
    Reset,
}

pub(crate) async fn run(command: ControlCommand) -> Result<(), String> {
    match command {
        ControlCommand::Reset => Err("there is no sandbox running".to_owned()),
    }
}
