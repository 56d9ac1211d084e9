//! `yufu run`, `yufu open`, `yufu ca`: other programs, sent to the sandbox.

use std::process::ExitCode;

use clap::Subcommand;

use crate::launch::run::{self, RunOptions};

/// Starting other programs.
#[derive(Subcommand)]
pub(crate) enum LaunchCommand {
    /// Runs a command so that its own code reaches the sandbox instead of WeChat, QQ and Weibo.
    Run(RunOptions),
    /// Prints the certificate of the sandbox's authority.
    Ca,
}

pub(crate) async fn run(command: LaunchCommand) -> Result<ExitCode, String> {
    match command {
        LaunchCommand::Run(options) => Ok(run::run(options).await),
        LaunchCommand::Ca => Err("there is no sandbox running".to_owned()),
    }
}
