//! The courier: takes letters out of the store after the commit that wrote them, and delivers
//! them. A letter that could not be delivered stays and is tried again.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use yufu_core::store::{Browse, Change, Letter, Store};
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

/// Delivers until told to stop.
pub async fn run<S: Store + Browse>(
    store: S,
    delivery: Delivery,
    mut closing: watch::Receiver<bool>,
) {
    loop {
        match store.letters(50).await {
            Ok(letters) => {
                for letter in letters {
                    if let Err(error) = deliver(&delivery, &letter) {
                        tracing::error!(%error, "a passcode could not be delivered");
                        break;
                    }
                    let done = vec![Change::Delivered(letter.number)];
                    if let Err(clash) = store.commit(done).await {
                        tracing::error!(?clash, "a delivered letter stays in the bag");
                        break;
                    }
                }
            }
            Err(fault) => tracing::error!(%fault, "the courier's bag cannot be opened"),
        }
        tokio::select! {
            () = tokio::time::sleep(EACH) => {}
            _ = closing.changed() => return,
        }
    }
}

fn deliver(delivery: &Delivery, letter: &Letter) -> std::io::Result<()> {
    match delivery {
        Delivery::Stderr => line(letter),
        Delivery::File(path) => {
            let mut file = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)?;
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
