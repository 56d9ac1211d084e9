//! The courier: takes letters out of the store after the commit that wrote them, and delivers
//! them. A letter that could not be delivered stays and is tried again.

pub mod notices;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use yufu_core::store::{Browse, Change, Letter, Store};
use yufu_core::time::Lifetime;
use yufu_web::clock::Clock;
use yufu_web::dev::Inbox;

/// Where passcodes go.
#[derive(Clone)]
pub enum Delivery {
    /// To the standard error stream, one line each.
    Stderr,
    /// To the end of a file, one line of JSON each, for a gateway that follows it.
    File(PathBuf),
    /// To the inbox page of the development server, and to the standard error stream.
    Inbox(Arc<Inbox>),
}

/// How often the courier looks into the bag.
const EACH: Duration = Duration::from_millis(150);
/// How long it waits after the first failure; twice as long after each further one, up to
/// [`LONGEST`].
const AGAIN: Duration = Duration::from_secs(1);
/// The longest wait between two tries.
const LONGEST: Duration = Duration::from_secs(60);

/// Opens the file of passcodes for its owner alone.
///
/// # Errors
/// When it cannot be opened, or others may read it: whoever can takes over accounts.
pub fn open_private(path: &Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let mut options = std::fs::OpenOptions::new();
    let file = options.create(true).append(true).mode(0o600).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.permissions().mode() & 0o077 != 0 {
        return Err(std::io::Error::other(format!(
            "{} may be read by others; run: chmod 600 {}",
            path.display(),
            path.display()
        )));
    }
    Ok(file)
}

/// Delivers until told to stop.
pub async fn run<S: Store + Browse>(
    store: S,
    delivery: Delivery,
    clock: Arc<Clock>,
    life: Lifetime,
    mut closing: watch::Receiver<bool>,
) {
    let mut rest = EACH;
    loop {
        let mut failed = false;
        match store.letters(50).await {
            Ok(letters) => {
                for letter in letters {
                    // A passcode that is over helps nobody any more.
                    let over = clock.now() >= letter.posted_at.plus(life);
                    if over {
                        tracing::warn!("a passcode could not be delivered while it lived");
                    } else if let Err(error) = deliver(&delivery, &letter) {
                        tracing::error!(%error, "a passcode could not be delivered");
                        failed = true;
                        break;
                    }
                    let done = vec![Change::Delivered(letter.number)];
                    if let Err(clash) = store.commit(done).await {
                        tracing::error!(?clash, "a delivered letter stays in the bag");
                        failed = true;
                        break;
                    }
                }
            }
            Err(fault) => {
                tracing::error!(%fault, "the courier's bag cannot be opened");
                failed = true;
            }
        }
        rest = match (failed, rest) {
            (false, _) => EACH,
            (true, EACH) => AGAIN,
            (true, rest) => (rest * 2).min(LONGEST),
        };
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            _ = closing.changed() => return,
        }
    }
}

pub(crate) fn deliver(delivery: &Delivery, letter: &Letter) -> std::io::Result<()> {
    match delivery {
        Delivery::Stderr => line(letter),
        Delivery::File(path) => {
            let mut file = open_private(path)?;
            let mut text = serde_json::to_string(letter).map_err(std::io::Error::other)?;
            text.push('\n');
            file.write_all(text.as_bytes())
        }
        Delivery::Inbox(inbox) => {
            inbox.put(letter.clone());
            line(letter)
        }
    }
}

fn line(letter: &Letter) -> std::io::Result<()> {
    let mut stderr = std::io::stderr().lock();
    writeln!(
        stderr,
        "SMS to {}: {} ({})",
        letter.to, letter.passcode, letter.about
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn passcodes_are_for_their_gateway_alone() {
        let path = std::env::temp_dir().join(format!("yufu-passcodes-{}", std::process::id()));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        open_private(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(open_private(&path).is_err());
        std::fs::remove_file(&path).unwrap();
    }
}
