//! `yufu open`: a browser for which the platform's names are the sandbox. It has a profile of its
//! own, gone with it: the person's everyday browser is not touched, and trusts nobody new.

use std::ffi::OsString;
use std::fs::File;
use std::io::{IsTerminal as _, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokio::process::Command;

use super::child::{self, Signals};
use super::found::{self, Ready, Which};
use crate::cli::variable;
use crate::sandbox::{Folder, make_private};

/// Programs of the Chromium family, the freest first.
const NAMES: [&str; 9] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "microsoft-edge-stable",
    "brave-browser",
    "brave",
];
/// Where macOS has them.
const APPLICATIONS: [&str; 4] = [
    "Chromium.app/Contents/MacOS/Chromium",
    "Google Chrome.app/Contents/MacOS/Google Chrome",
    "Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "Brave Browser.app/Contents/MacOS/Brave Browser",
];
/// How much of a browser's own complaints is shown when it fails.
const LAST_LINES: usize = 5;

/// How `yufu open` was asked to open.
#[derive(clap::Args, Debug)]
pub struct OpenOptions {
    #[command(flatten)]
    which: Which,
    /// The page; the demo app unless given.
    url: Option<String>,
    /// The browser; else the first of the Chromium family that is found.
    #[arg(long, value_name = "PATH")]
    browser: Option<PathBuf>,
    /// Without a window.
    #[arg(long)]
    headless: bool,
    /// More flags for the browser.
    #[arg(last = true, value_name = "FLAGS")]
    flags: Vec<OsString>,
}

/// `yufu open`: until the browser is closed.
///
/// # Errors
/// In the user's words, with what to do.
pub async fn open(options: OpenOptions) -> Result<ExitCode, String> {
    let mut signals = Signals::hear()?;
    let ready = found::find(&options.which).await?;
    let url = match &options.url {
        Some(url) => page(url)?,
        None => ready.app.clone(),
    };
    let browser = match &options.browser {
        Some(path) => path.clone(),
        None => look().ok_or_else(|| no_browser(&ready))?,
    };
    let root = rustix::process::getuid().is_root();
    if root && !options.flags.iter().any(|flag| flag == "--no-sandbox") {
        return Err(
            "a Chromium does not start as root.\n  Run this as another user; in a container: yufu open URL -- --no-sandbox"
                .to_owned(),
        );
    }
    let folder = Folder::temporary("yufu-open")?;
    let profile = folder.path.join("profile");
    make_private(&profile).map_err(|e| format!("{}: {e}", profile.display()))?;
    let complaints = folder.path.join("complaints");
    let said = File::create(&complaints).map_err(|e| format!("{}: {e}", complaints.display()))?;
    let mut command = Command::new(&browser);
    command
        .args(flags(&ready, &profile, options.headless))
        .args(&options.flags)
        .arg(&url)
        .stderr(said)
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| {
        format!(
            "{} cannot be run: {error}.\n  Name a browser of the Chromium family with --browser PATH.",
            browser.display()
        )
    })?;
    if std::io::stderr().is_terminal() {
        eprintln!("yufu: {url} is open in a browser with a profile of its own; close it to end.");
    }
    let ended = loop {
        tokio::select! {
            ended = child.wait() => break ended,
            signal = signals.next() => child::tell(&child, signal),
        }
    };
    let ended = ended.map_err(|error| format!("the browser was lost: {error}"))?;
    let status = child::status(ended);
    if ended.code().is_some_and(|code| code != 0) {
        return Err(format!(
            "the browser ended with status {status}:\n{}",
            last_lines(&complaints)
        ));
    }
    Ok(ExitCode::from(status))
}

/// An address as people write it.
fn page(url: &str) -> Result<String, String> {
    let whole = match url.contains("://") || url.starts_with("about:") {
        true => url.to_owned(),
        false => format!("http://{url}"),
    };
    if url.is_empty() || url.starts_with('-') || url.contains(char::is_whitespace) {
        return Err(format!(
            "{url:?} is no address.\n  Give one such as http://localhost:3000; flags stand behind --"
        ));
    }
    Ok(whole)
}

fn flags(ready: &Ready, profile: &Path, headless: bool) -> Vec<OsString> {
    let mut profile_flag = OsString::from("--user-data-dir=");
    profile_flag.push(profile);
    let mut flags = vec![
        profile_flag,
        format!("--proxy-server={}", ready.proxy).into(),
        // Chromium reaches this machine without a proxy unless it is told not to; by the proxy the
        // app's own pages are in the picture, too.
        "--proxy-bypass-list=<-loopback>".into(),
        // Our authority for this browser alone, and for nothing else: no store is written to.
        format!("--ignore-certificate-errors-spki-list={}", ready.spki).into(),
    ];
    let quiet = [
        "--no-first-run",
        "--no-default-browser-check",
        "--disable-sync",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-default-apps",
        "--disable-domain-reliability",
        "--disable-client-side-phishing-detection",
        "--disable-features=Translate,OptimizationHints,MediaRouter",
        "--no-pings",
        "--password-store=basic",
        "--use-mock-keychain",
        // Without it, every window begins with a bar about the flag of the certificate.
        "--test-type",
    ];
    flags.extend(quiet.map(OsString::from));
    if headless {
        flags.push("--headless".into());
    }
    flags
}

/// The first browser of the family that is here.
fn look() -> Option<PathBuf> {
    let path = variable("PATH").unwrap_or_default();
    let here = std::env::split_paths(&path).collect::<Vec<_>>();
    let named = NAMES
        .iter()
        .flat_map(|name| here.iter().map(move |it| it.join(name)));
    let home = variable("HOME").map(|home| PathBuf::from(home).join("Applications"));
    let places = [PathBuf::from("/Applications")].into_iter().chain(home);
    let installed = places.flat_map(|place| APPLICATIONS.map(|name| place.join(name)));
    named.chain(installed).find(|path| path.is_file())
}

fn no_browser(ready: &Ready) -> String {
    format!(
        "no Chromium, Chrome, Edge or Brave was found.\n  \
         Name one with --browser PATH. Or use another browser, with a profile of its own: give it the proxy \
         address {}/proxy.pac, and let it trust the certificate of: yufu ca",
        ready.proxy
    )
}

fn last_lines(complaints: &Path) -> String {
    let mut text = String::new();
    if let Ok(mut file) = File::open(complaints) {
        // A browser may complain a lot.
        let length = file.metadata().map_or(0, |it| it.len());
        let from = length.saturating_sub(16 * 1024);
        let mut bytes = Vec::new();
        let _ = file.seek(std::io::SeekFrom::Start(from));
        let _ = file.read_to_end(&mut bytes);
        text = String::from_utf8_lossy(&bytes).into_owned();
    }
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let last = lines.len().saturating_sub(LAST_LINES);
    let last = lines.get(last..).unwrap_or_default();
    last.iter()
        .map(|line| format!("  {line}\n"))
        .collect::<String>()
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_as_people_write_it() {
        assert_eq!(page("localhost:3000").unwrap(), "http://localhost:3000");
        let whole = "https://open.weixin.qq.com/connect/qrconnect?appid=wx";
        assert_eq!(page(whole).unwrap(), whole);
        for wrong in ["", "--headless", "a b"] {
            assert!(
                page(wrong).unwrap_err().contains("is no address"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_browser_that_failed_is_quoted_but_not_at_length() {
        let path = std::env::temp_dir().join(format!("yufu-complaints-{}", std::process::id()));
        std::fs::write(&path, "1\n\n2\n3\n4\n5\n6\n").unwrap();
        let said = last_lines(&path);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(said, "  2\n  3\n  4\n  5\n  6");
        assert_eq!(last_lines(&path), "");
    }
}
