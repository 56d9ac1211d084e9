//! `yufu run --net`, seen from inside: a hidden command of this program, begun in a network where
//! there is nothing yet. It furnishes it, runs the command, and hands its end on.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::child::{self, Signals};
use super::net::Spec;
use super::run::OUR_FAULT;

/// How the inner side is called; people do not.
#[derive(clap::Args, Debug)]
pub struct InsideOptions {
    /// What it is told.
    spec: PathBuf,
    /// The command.
    #[arg(last = true)]
    command: Vec<OsString>,
}

/// Runs the command in the network that we are in.
pub async fn run(options: InsideOptions) -> ExitCode {
    match furnished(&options).await {
        Ok(code) => code,
        Err(words) => {
            eprintln!("yufu: {words}");
            ExitCode::from(OUR_FAULT)
        }
    }
}

async fn furnished(options: &InsideOptions) -> Result<ExitCode, String> {
    let mut signals = Signals::hear()?;
    let spec = read(&options.spec)?;
    #[cfg(target_os = "linux")]
    furnish::all(&spec).await?;
    #[cfg(not(target_os = "linux"))]
    return Err(format!("there is no network for {}", spec.ip.display()));
    let started = child::start(&options.command, &[]);
    let mut child = match started {
        Ok(child) => child,
        Err(unstarted) => {
            eprintln!("yufu: {}", unstarted.words);
            return Ok(ExitCode::from(unstarted.status));
        }
    };
    let ended = loop {
        tokio::select! {
            ended = child.wait() => break ended,
            signal = signals.next() => child::tell(&child, signal),
        }
    };
    let ended = ended.map_err(|error| format!("the command was lost: {error}"))?;
    Ok(ExitCode::from(child::status(ended)))
}

fn read(path: &Path) -> Result<Spec, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| {
        format!(
            "{}: {error}.\n  This is for yufu itself: yufu run --net -- COMMAND",
            path.display()
        )
    })
}

#[cfg(target_os = "linux")]
mod furnish {
    use std::sync::Arc;

    use tokio::net::UnixListener;
    use tokio::process::Command;

    use super::super::strait;
    use super::Spec;

    /// Everything that the command needs, in the order in which it needs it.
    pub(super) async fn all(spec: &Spec) -> Result<(), String> {
        up(spec).await?;
        for (source, target) in &spec.files {
            rustix::mount::mount_bind(source, target).map_err(|error| {
                format!("nothing can be laid over {}: {error}", target.display())
            })?;
        }
        for (inner, outer) in &spec.ports {
            let listener = strait::open(*inner).await?;
            tokio::spawn(strait::across(listener, spec.out.clone(), *outer));
        }
        let listener = UnixListener::bind(&spec.into)
            .map_err(|error| format!("{} cannot be made: {error}", spec.into.display()))?;
        let known = Arc::from(spec.publish.as_slice());
        tokio::spawn(strait::ashore(listener, known));
        // The rights that this took are not the command's. Where there were none, none are given up.
        let _ = rustix::thread::clear_ambient_capability_set();
        Ok(())
    }

    async fn up(spec: &Spec) -> Result<(), String> {
        let ip = Command::new(&spec.ip)
            .args(["link", "set", "lo", "up"])
            .output()
            .await
            .map_err(|error| format!("{} cannot be run: {error}", spec.ip.display()))?;
        match ip.status.success() {
            true => Ok(()),
            false => Err(format!(
                "the private network cannot be set up: {}",
                String::from_utf8_lossy(&ip.stderr).trim()
            )),
        }
    }
}
