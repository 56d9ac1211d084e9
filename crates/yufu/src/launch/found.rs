//! Which sandboxes run on this machine: each one that is ready says so in a private folder of the
//! user, and every command that speaks to a sandbox looks there.

use std::fs::{DirBuilder, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::rest::Client;
use crate::cli::variable;
use crate::sandbox::{SeededClient, SeededPerson, write_private};

/// Where `yufu run` tells its command the platform's address.
pub const SANDBOX: &str = "YUFU_SANDBOX";
/// Where `yufu run` tells its command the token.
pub const TOKEN: &str = "YUFU_SANDBOX_TOKEN";
/// How long a sandbox that is looked for may take to answer.
const PATIENCE: Duration = Duration::from_millis(800);

/// What a sandbox says when it is ready: the line of `yufu dev --json`, and what is published.
#[derive(Clone, Serialize, Deserialize)]
pub struct Ready {
    /// The platform, such as `http://127.0.0.1:8420`.
    pub platform: String,
    /// The demo app.
    pub app: String,
    /// The login backend.
    pub login: String,
    /// What opens `/_sandbox`.
    pub token: String,
    /// The forward proxy, such as `http://127.0.0.1:8425`.
    pub proxy: String,
    /// Where the platform's own names are served over TLS, such as `127.0.0.1:8426`.
    pub gate: String,
    /// The certificate of the authority.
    pub ca: PathBuf,
    /// What Chromium calls the authority by: base64 of SHA-256 over the intermediate's key.
    #[serde(default)]
    pub spki: String,
    /// The folder of the data.
    pub data_dir: PathBuf,
    /// The process.
    #[serde(default)]
    pub pid: u32,
    /// When it was begun, in real milliseconds.
    #[serde(default)]
    pub began: i64,
    /// The phone for other devices of the network, if there is one: the address with its token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lan: Option<String>,
    /// Whether it ends with the command of a `yufu run`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lent: bool,
    /// The seeded clients, with their secrets.
    #[serde(default)]
    pub clients: Vec<SeededClient>,
    /// The seeded people.
    #[serde(default)]
    pub people: Vec<SeededPerson>,
}

impl Ready {
    /// The line for scripts.
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What speaks to its `/_sandbox`.
    pub fn client(&self) -> Client {
        Client::new(&self.platform, &self.token)
    }

    fn port(&self) -> Option<u16> {
        self.platform.rsplit(':').next()?.parse().ok()
    }

    /// Whether the process is alive and answers.
    async fn lives(&self) -> bool {
        is_alive(self.pid) && answers(&self.platform).await
    }
}

async fn answers(platform: &str) -> bool {
    let client = Client::new(platform, "");
    let asked = tokio::time::timeout(PATIENCE, client.text("/healthz"));
    matches!(asked.await, Ok(Ok(_)))
}

/// Whether there is a process of this id; one of somebody else is as good as none.
fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}

// --- saying -------------------------------------------------------------------------------------

/// A sandbox that is told of; no longer, once this is dropped.
pub struct Published(PathBuf);

/// Tells other commands of this user about a sandbox.
///
/// # Errors
/// In the user's words. The sandbox is as good without it.
pub fn publish(ready: &Ready) -> Result<Published, String> {
    let port = ready.port().ok_or("the platform's address has no port")?;
    let text = serde_json::to_string_pretty(ready).unwrap_or_default();
    let mut refused = String::new();
    for folder in folders() {
        // Another sandbox that ends takes the empty folder away, perhaps just now.
        for _ in 0..3 {
            match write_whole(&folder, port, &text) {
                Ok(path) => return Ok(Published(path)),
                Err(error) => refused = format!("{}: {error}", folder.display()),
            }
        }
    }
    Err(format!("other commands will not find it: {refused}"))
}

impl Drop for Published {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
        // Nothing is left behind by the last one.
        let _ = self.0.parent().map(std::fs::remove_dir);
    }
}

/// Nobody reads half of it: it is written beside its place, then moved there.
fn write_whole(folder: &Path, port: u16, text: &str) -> std::io::Result<PathBuf> {
    let made = DirBuilder::new().mode(0o700).create(folder);
    match made {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    if !is_private(&std::fs::symlink_metadata(folder)?, true) {
        let words = "it is not a folder of yours alone (0700)";
        return Err(std::io::Error::new(ErrorKind::PermissionDenied, words));
    }
    let path = folder.join(format!("{port}.json"));
    let draft = folder.join(format!("{port}.{}.draft", std::process::id()));
    let placed = write_private(&draft, text).and_then(|()| std::fs::rename(&draft, &path));
    if placed.is_err() {
        let _ = std::fs::remove_file(&draft);
    }
    placed.map(|()| path)
}

/// Where sandboxes are told of: the user's own run folder where the system has one, else a folder
/// beside the temporary files. Both are looked into, since not every shell has the first.
fn folders() -> Vec<PathBuf> {
    let own = variable("XDG_RUNTIME_DIR").map(PathBuf::from);
    let own = own.filter(|folder| folder.is_absolute());
    let uid = rustix::process::getuid().as_raw();
    let beside = std::env::temp_dir().join(format!("yufu-{uid}"));
    own.map(|own| own.join("yufu"))
        .into_iter()
        .chain([beside])
        .collect()
}

/// Whether it belongs to this user and nobody else gets at it. The folder for temporary files is
/// everybody's: what lies there under our name may have been put there by another.
fn is_private(about: &Metadata, folder: bool) -> bool {
    let kind = match folder {
        true => about.file_type().is_dir(),
        false => about.file_type().is_file(),
    };
    kind && about.uid() == rustix::process::getuid().as_raw() && about.mode() & 0o077 == 0
}

// --- finding ------------------------------------------------------------------------------------

/// Which sandbox a command speaks to.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Which {
    /// The sandbox: its platform's URL, or a file with the line of `yufu dev --json`. Else the one
    /// that YUFU_SANDBOX names, or the newest that runs.
    #[arg(long, value_name = "URL|FILE")]
    pub sandbox: Option<String>,
}

/// Finds the sandbox that is meant.
///
/// # Errors
/// In the user's words, with what to do.
pub async fn find(which: &Which) -> Result<Ready, String> {
    search(which, |_| true).await?.ok_or_else(|| {
        "no sandbox is running here.\n  Start one with: yufu dev (or name one with --sandbox URL)"
            .to_owned()
    })
}

/// Finds the sandbox that is meant, or none when none was named and none runs that will do.
///
/// # Errors
/// In the user's words: the one that was named is not there.
pub async fn search(
    which: &Which,
    will_do: impl Fn(&Ready) -> bool,
) -> Result<Option<Ready>, String> {
    if let Some(named) = &which.sandbox {
        return named_by(named, "--sandbox").await.map(Some);
    }
    if let Some(named) = variable(SANDBOX).filter(|named| !named.is_empty()) {
        return named_by(&named, SANDBOX).await.map(Some);
    }
    let mut living = Vec::new();
    for ready in published(&folders()) {
        if will_do(&ready) && ready.lives().await {
            living.push(ready);
        }
    }
    living.sort_by_key(|ready| std::cmp::Reverse(ready.began));
    if let [newest, others @ ..] = living.as_slice()
        && !others.is_empty()
    {
        let others: Vec<_> = others.iter().map(|it| it.platform.as_str()).collect();
        eprintln!(
            "yufu: several sandboxes run; this is for the newest, {}. Another: --sandbox {}",
            newest.platform,
            others.join(", or ")
        );
    }
    Ok(living.into_iter().next())
}

async fn named_by(named: &str, by: &str) -> Result<Ready, String> {
    if !named.contains("://") {
        let text = std::fs::read_to_string(named).map_err(|error| {
            format!("{by} {named} cannot be read: {error}.\n  Give a URL such as http://127.0.0.1:8420, or a file with the line of `yufu dev --json`.")
        })?;
        return serde_json::from_str(text.trim()).map_err(|error| {
            format!("{named} is not the line of `yufu dev --json`: {error}.\n  Write it anew with: yufu dev --json > {named}")
        });
    }
    let platform = plain(named).ok_or_else(|| {
        format!("{by} {named} is no sandbox's address.\n  It is the platform's, such as http://127.0.0.1:8420, with nothing behind the port.")
    })?;
    let token = variable(TOKEN).filter(|token| !token.is_empty());
    if let Some(token) = &token {
        // The whole line is there for whoever has the token; also where the folder is out of
        // reach, as in a container.
        let client = Client::new(&platform, token);
        if let Ok(value) = client.get("/_sandbox/ready").await
            && let Ok(ready) = serde_json::from_value(value)
        {
            return Ok(ready);
        }
    }
    let mut told = published(&folders()).into_iter();
    if let Some(ready) = told.find(|ready| plain(&ready.platform).as_deref() == Some(&platform)) {
        if ready.lives().await {
            return Ok(ready);
        }
        return Err(format!(
            "the sandbox at {platform} does not answer any more.\n  Start one with: yufu dev"
        ));
    }
    match (answers(&platform).await, token) {
        (false, _) => Err(format!(
            "nothing answers at {platform} ({by}).\n  Start a sandbox with: yufu dev"
        )),
        (true, Some(_)) => Err(format!(
            "{platform} does not take the token of {TOKEN}, or is no sandbox.\n  Its token is in the line of `yufu dev --json`."
        )),
        (true, None) => Err(format!(
            "{platform} was not started by you here, so its token is not known.\n  Set {TOKEN} to the token of the line of `yufu dev --json`."
        )),
    }
}

/// A platform's address with nothing behind the port; this machine by its number.
fn plain(url: &str) -> Option<String> {
    let rest = url.strip_prefix("http://")?.trim_end_matches('/');
    let rest = match rest.strip_prefix("localhost") {
        Some(port) if port.is_empty() || port.starts_with(':') => format!("127.0.0.1{port}"),
        _ => rest.to_owned(),
    };
    let is_address = rest
        .bytes()
        .all(|c| c.is_ascii_alphanumeric() || b".-:[]".contains(&c));
    (is_address && !rest.is_empty()).then(|| format!("http://{rest}"))
}

/// All that are told of in folders that can be trusted, living or not. What a dead process left
/// is cleared away.
fn published(folders: &[PathBuf]) -> Vec<Ready> {
    let mut all = Vec::new();
    for folder in folders {
        let trusted = std::fs::symlink_metadata(folder).is_ok_and(|it| is_private(&it, true));
        let Some(entries) = trusted.then(|| std::fs::read_dir(folder).ok()).flatten() else {
            continue;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            let is_ours = path.extension().is_some_and(|kind| kind == "json")
                && std::fs::symlink_metadata(&path).is_ok_and(|it| is_private(&it, false));
            let text = is_ours.then(|| std::fs::read_to_string(&path).ok());
            let ready = text
                .flatten()
                .and_then(|text| serde_json::from_str::<Ready>(&text).ok());
            match ready {
                Some(ready) if is_alive(ready.pid) => all.push(ready),
                Some(_) => {
                    let _ = std::fs::remove_file(&path);
                }
                None => {}
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn ready(port: u16, pid: u32) -> Ready {
        let line = serde_json::json!({
            "platform": format!("http://127.0.0.1:{port}"), "app": "", "login": "", "token": "t",
            "proxy": "", "gate": "", "ca": "", "data_dir": "", "pid": pid,
        });
        serde_json::from_value(line).unwrap()
    }

    struct Temp(PathBuf);

    impl Temp {
        fn new(name: &str) -> Self {
            let name = format!("yufu-found-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            let _ = std::fs::remove_dir_all(&path);
            Self(path)
        }
    }

    impl Drop for Temp {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_is_told_is_private_and_goes_with_the_process() {
        let temp = Temp::new("told");
        let line = ready(8420, std::process::id()).line();
        let path = write_whole(&temp.0, 8420, &line).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&temp.0), mode(&path)), (0o700, 0o600));
        let found = published(std::slice::from_ref(&temp.0));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].platform, "http://127.0.0.1:8420");
        drop(Published(path));
        assert!(!temp.0.exists(), "the last one takes the folder with it");
    }

    #[test]
    fn what_others_could_have_written_is_not_believed() {
        let temp = Temp::new("open");
        let line = ready(8420, std::process::id()).line();
        let path = write_whole(&temp.0, 8420, &line).unwrap();
        let folders = [temp.0.clone()];
        let mode = |path: &Path, mode: u32| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(&path, 0o644);
        assert!(published(&folders).is_empty());
        mode(&path, 0o600);
        assert_eq!(published(&folders).len(), 1);
        mode(&temp.0, 0o755);
        assert!(published(&folders).is_empty());
        assert!(write_whole(&temp.0, 8421, &line).is_err());
        // A link to a folder of ours is no folder.
        mode(&temp.0, 0o700);
        let link = temp.0.with_extension("link");
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(&temp.0, &link).unwrap();
        assert!(published(std::slice::from_ref(&link)).is_empty());
        assert!(write_whole(&link, 8421, &line).is_err());
        std::fs::remove_file(&link).unwrap();
    }

    #[test]
    fn the_dead_are_cleared_away() {
        let temp = Temp::new("dead");
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let path = write_whole(&temp.0, 8420, &ready(8420, child.id()).line()).unwrap();
        assert!(published(std::slice::from_ref(&temp.0)).is_empty());
        assert!(!path.exists());
    }

    #[test]
    fn an_address_is_read_as_people_write_it() {
        for url in [
            "http://localhost:8420",
            "http://127.0.0.1:8420/",
            "http://127.0.0.1:8420",
        ] {
            assert_eq!(plain(url).as_deref(), Some("http://127.0.0.1:8420"));
        }
        for url in [
            "https://127.0.0.1:8420",
            "http://127.0.0.1:8420/x",
            "http://",
            "8420",
            "http://a@b",
        ] {
            assert_eq!(plain(url), None, "{url}");
        }
    }

    #[tokio::test]
    async fn one_that_is_not_there_is_said_with_the_remedy() {
        let which = |named: &str| Which {
            sandbox: Some(named.to_owned()),
        };
        let said = find(&which("http://127.0.0.1:9")).await.err().unwrap();
        assert!(
            said.contains("nothing answers at http://127.0.0.1:9") && said.contains("yufu dev")
        );
        let said = find(&which("/nowhere/ready.json")).await.err().unwrap();
        assert!(
            said.contains("cannot be read") && said.contains("--json"),
            "{said}"
        );
        let said = find(&which("https://example.com/")).await.err().unwrap();
        assert!(said.contains("no sandbox's address"), "{said}");
    }
}
