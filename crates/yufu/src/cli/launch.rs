//! `yufu run`, `yufu open`, `yufu ca`: other programs, sent to the sandbox.

use std::process::ExitCode;

use clap::Subcommand;

use crate::launch::browser::{self, OpenOptions};
use crate::launch::ca::{self, CaOptions};
use crate::launch::inside::{self, InsideOptions};
use crate::launch::run::{self, RunOptions};

/// Starting other programs.
#[derive(Subcommand)]
pub(crate) enum LaunchCommand {
    /// Runs a command so that its own code reaches the sandbox instead of WeChat, QQ and Weibo.
    Run(RunOptions),
    /// Runs the command of `yufu run --net` within its network.
    #[command(hide = true)]
    Inside(InsideOptions),
    /// Opens a browser for which the platform's names are the sandbox.
    Open(OpenOptions),
    /// Prints the certificate of the sandbox's authority.
    Ca(CaOptions),
}

pub(crate) async fn run(command: LaunchCommand) -> Result<ExitCode, String> {
    match command {
        LaunchCommand::Run(options) => Ok(run::run(options).await),
        LaunchCommand::Inside(options) => Ok(inside::run(options).await),
        LaunchCommand::Open(options) => browser::open(options).await,
        LaunchCommand::Ca(options) => ca::print(options).await,
    }
}
