//! Starting the backend: below `yufu run`, in a process group of its own, until its port answers.

use std::process::Stdio;
use std::time::Duration;

use reqwest::Url;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use yufu_web::clock::Budget;

use crate::launch::found::{Ready, SANDBOX, TOKEN};

/// How long a program may take until it listens.
const LISTENS: Duration = Duration::from_secs(60);
/// How long it may take to end when it is asked to.
const ENDS: Duration = Duration::from_secs(5);

/// A program that was started for the check; it ends with it.
pub struct Started {
    child: Child,
    group: Option<Pid>,
}

/// Starts a command of a shell so that it reaches the sandbox, and waits until `base` listens.
///
/// # Errors
/// In the user's words.
pub async fn start(
    command: &str,
    base: &Url,
    ready: &Ready,
    environment: &[(String, String)],
) -> Result<Started, String> {
    let at = listens_at(base)?;
    if TcpStream::connect(&at).await.is_ok() {
        return Err(format!(
            "something listens at {at} already, before \"{command}\" was started.\n  Stop it, or leave --start out to check it as it is."
        ));
    }
    let program = std::env::current_exe().map_err(|error| format!("yufu itself: {error}"))?;
    let child = Command::new(program)
        .args([
            "run",
            "--sandbox",
            &ready.platform,
            "--",
            "sh",
            "-c",
            command,
        ])
        .env(SANDBOX, &ready.platform)
        .env(TOKEN, &ready.token)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        // Reports go to our own standard output.
        .stdout(std::io::stderr())
        .stderr(std::io::stderr())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("\"{command}\" cannot be started: {error}"))?;
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    let mut started = Started {
        child,
        group: id.and_then(Pid::from_raw),
    };
    let budget = Budget::new(LISTENS);
    loop {
        if TcpStream::connect(&at).await.is_ok() {
            return Ok(started);
        }
        if let Ok(Some(status)) = started.child.try_wait() {
            return Err(format!(
                "\"{command}\" ended before it listened at {at} ({status})"
            ));
        }
        if budget.left().is_zero() {
            started.end().await;
            return Err(format!(
                "\"{command}\" does not listen at {at} after {} s.\n  Is it the port of `base` in your recipe?",
                LISTENS.as_secs()
            ));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn listens_at(base: &Url) -> Result<String, String> {
    let host = base.host_str().unwrap_or("127.0.0.1");
    let port = base.port_or_known_default();
    let port = port.ok_or_else(|| format!("{base} has no port"))?;
    Ok(format!("{host}:{port}"))
}

impl Started {
    /// Asks it to end, with everything that it started, and sees to it.
    pub async fn end(mut self) {
        let Some(group) = self.group else {
            return;
        };
        let _ = kill_process_group(group, Signal::TERM);
        if tokio::time::timeout(ENDS, self.child.wait()).await.is_err() {
            let _ = kill_process_group(group, Signal::KILL);
            let _ = self.child.wait().await;
        }
    }
}
