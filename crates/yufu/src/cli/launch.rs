//! `yufu run`, `yufu open`, `yufu ca`: other programs, sent to the sandbox.

use clap::Subcommand;

/// Starting other programs.
#[derive(Subcommand)]
pub(crate) enum LaunchCommand {
    /// Prints the certificate of the sandbox's authority.
    Ca,
}

pub(crate) async fn run(command: LaunchCommand) -> Result<(), String> {
    match command {
        LaunchCommand::Ca => Err("there is no sandbox running".to_owned()),
    }
}
