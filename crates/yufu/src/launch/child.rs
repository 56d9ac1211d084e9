//! A command below this process: it has the terminal, it hears the signals that we hear, and its
//! end is ours.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, getpgrp, kill_process};
use tokio::process::{Child, Command};
use tokio::signal::unix::{self, SignalKind};

/// What a shell says of a command that is not there, and of one that may not be run.
const NOT_FOUND: u8 = 127;
const NOT_RUNNABLE: u8 = 126;

/// A command that could not be started: the status that a shell gives for it, and words.
pub struct Unstarted {
    /// The exit status.
    pub status: u8,
    /// In the user's words.
    pub words: String,
}

/// The signals that are handed on, as one hears them.
pub struct Signals(Vec<(unix::Signal, Signal)>);

impl Signals {
    /// Begins to hear. From now on none of them ends this process.
    ///
    /// # Errors
    /// In the user's words.
    pub fn hear() -> Result<Self, String> {
        let all = [
            (SignalKind::interrupt(), Signal::INT),
            (SignalKind::terminate(), Signal::TERM),
            (SignalKind::hangup(), Signal::HUP),
            (SignalKind::quit(), Signal::QUIT),
            (SignalKind::user_defined1(), Signal::USR1),
            (SignalKind::user_defined2(), Signal::USR2),
            (SignalKind::window_change(), Signal::WINCH),
        ];
        let heard = all.into_iter().map(|(kind, signal)| {
            let stream = unix::signal(kind);
            let stream = stream.map_err(|error| format!("signals cannot be heard: {error}"))?;
            Ok((stream, signal))
        });
        heard.collect::<Result<_, String>>().map(Self)
    }

    /// The next one.
    pub async fn next(&mut self) -> Signal {
        std::future::poll_fn(|context| {
            for (stream, signal) in &mut self.0 {
                if stream.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready(*signal);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}

/// Starts a command with more in its environment. Its streams are ours.
///
/// # Errors
/// With the status that a shell gives.
pub fn start(
    command: &[OsString],
    variables: &[(&'static str, String)],
) -> Result<Child, Unstarted> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Unstarted {
            status: NOT_FOUND,
            words: "which command? Give it behind --".to_owned(),
        });
    };
    let mut child = Command::new(program);
    child
        .args(arguments)
        .envs(variables.iter().map(|(name, value)| (name, value)));
    child.spawn().map_err(|error| {
        let name = program.to_string_lossy();
        match error.kind() {
            ErrorKind::NotFound => Unstarted {
                status: NOT_FOUND,
                words: format!("{name}: there is no such command.\n  Look at its spelling, or at PATH; shell words want: yufu run -- sh -c '…'"),
            },
            ErrorKind::PermissionDenied => Unstarted {
                status: NOT_RUNNABLE,
                words: format!("{name} may not be run.\n  Make it executable (chmod +x), or name what runs it."),
            },
            _ => Unstarted {
                status: NOT_RUNNABLE,
                words: format!("{name} cannot be run: {error}"),
            },
        }
    })
}

/// Hands a signal on, unless the terminal has told the command already: what is typed there goes to
/// every process in front of it.
pub fn tell(child: &Child, signal: Signal) {
    let typed = [Signal::INT, Signal::QUIT, Signal::WINCH].contains(&signal);
    if typed && in_front() {
        return;
    }
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    if let Some(id) = id.and_then(Pid::from_raw) {
        // It may just have ended.
        let _ = kill_process(id, signal);
    }
}

/// Whether this process is in front of a terminal, and so its command too.
fn in_front() -> bool {
    fn at(stream: impl AsFd) -> bool {
        rustix::termios::tcgetpgrp(stream).is_ok_and(|front| front == getpgrp())
    }
    at(std::io::stdin()) || at(std::io::stdout()) || at(std::io::stderr())
}

/// The status that a shell gives for an end: its own, or 128 and the signal's number.
pub fn status(ended: ExitStatus) -> u8 {
    let code = ended.code().or_else(|| ended.signal().map(|it| 128 + it));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_as_a_shell_tells_it() {
        let of = |raw| status(ExitStatus::from_raw(raw));
        assert_eq!((of(0), of(7 << 8), of(255 << 8)), (0, 7, 255));
        assert_eq!((of(15), of(9)), (143, 137));
    }

    #[tokio::test]
    async fn what_cannot_be_started_has_the_status_of_a_shell() {
        let start = |word: &str| start(&[word.into()], &[]).err().unwrap();
        let missing = start("yufu-no-such-command");
        assert_eq!(missing.status, 127);
        assert!(missing.words.contains("PATH"), "{}", missing.words);
        let folder = start("/tmp");
        assert_eq!(folder.status, 126);
        assert!(
            folder.words.starts_with("/tmp may not be run"),
            "{}",
            folder.words
        );
    }
}
