//! `yufu ca`: the certificate of a sandbox's authority, for those who want it themselves.

use std::path::PathBuf;
use std::process::ExitCode;

use super::found::{self, Which};

/// How `yufu ca` was asked.
#[derive(clap::Args, Debug)]
pub struct CaOptions {
    #[command(flatten)]
    which: Which,
    /// Of this folder of `yufu dev --data DIR`, which need not run.
    #[arg(long, value_name = "DIR", conflicts_with = "sandbox")]
    data: Option<PathBuf>,
    /// The root and the intermediate.
    #[arg(long)]
    chain: bool,
    /// Where the file is, instead of what is in it.
    #[arg(long)]
    path: bool,
}

/// `yufu ca`.
///
/// # Errors
/// In the user's words, with what to do.
pub async fn print(options: CaOptions) -> Result<ExitCode, String> {
    let (root, ready) = match &options.data {
        Some(folder) => (folder.join("ca.pem"), None),
        None => {
            let ready = found::find(&options.which).await?;
            (ready.ca.clone(), Some(ready))
        }
    };
    let (file, name) = match options.chain {
        true => (root.with_file_name("ca-chain.pem"), "ca-chain.pem"),
        false => (root, "ca.pem"),
    };
    if options.path {
        say!("{}", file.display());
        return Ok(ExitCode::SUCCESS);
    }
    let text = match (std::fs::read_to_string(&file), ready) {
        (Ok(text), _) => text,
        (Err(_), Some(ready)) => ready.client().text(&format!("/_sandbox/{name}")).await?,
        (Err(error), None) => {
            let (file, folder) = (file.display(), options.data.unwrap_or_default());
            return Err(format!(
                "{file} cannot be read: {error}.\n  It is made by: yufu dev --data {}",
                folder.display()
            ));
        }
    };
    eprintln!(
        "yufu: good for the nine names of the platform alone, and not for long. Trust it for one program; \
         keep it out of the system's store."
    );
    say!("{}", text.trim_end());
    Ok(ExitCode::SUCCESS)
}
