//! `yufu doctor`: what would go wrong, before it does.

use std::path::Path;

use yufu_core::time::Timestamp;
use yufu_store::SqliteStore;
use yufu_web::clock;

use super::{Place, read_config};
use crate::config::GatewayKind;

/// One check and its verdict.
struct Check {
    name: &'static str,
    verdict: Result<String, String>,
}

/// Below this many bytes of free disk the doctor worries.
const FREE_BYTES: u64 = 512 * 1024 * 1024;
/// 2026-01-01: a clock before the year this was written in is wrong.
const NO_EARLIER: Timestamp = Timestamp::from_seconds(1_767_225_600);

/// Runs every check; fails when one does.
pub(super) async fn run(place: &Place, json: bool) -> Result<(), String> {
    let mut checks = Vec::new();
    let mut check = |name, verdict| checks.push(Check { name, verdict });
    let mut readable = true;
    if let Some(path) = place.config_path() {
        let config = read_config(&path);
        readable = config.is_ok();
        if let Ok(config) = &config {
            if let Some((certificate, key)) = &config.tls {
                let verdict = crate::listen::tls(certificate, key);
                check("tls", verdict.map(|_| "certificate and key fit".to_owned()));
            }
            let platform = config.platform.as_ref().and_then(|it| it.sms_file.as_ref());
            let gateways = config.login.iter().flat_map(|login| &login.gateways);
            let gateways = gateways.filter_map(|gateway| match &gateway.kind {
                GatewayKind::File(path) => Some(path),
                _ => None,
            });
            for path in platform.into_iter().chain(gateways) {
                check("sms", sms(path));
            }
            if let Some(login) = &config.login {
                let client = crate::fetch::Outbound::new(login.outbound());
                check(
                    "outgoing",
                    client.map(|_| "other servers can be called".to_owned()),
                );
            }
            if let Some(path) = &config.master_file {
                check("key file", private(path));
            }
        }
        let verdict = config.map(|config| {
            let platform = config.platform.map(|it| it.reach.public_url);
            let login = config.login.map(|it| it.reach.public_url);
            let urls: Vec<_> = platform.into_iter().chain(login).collect();
            format!("{} is sound", urls.join(" and "))
        });
        check("settings", verdict);
    }
    // A file of settings that cannot be read is said once.
    match if readable {
        place.databases()
    } else {
        Err(String::new())
    } {
        Ok(paths) => {
            for (role, path) in paths {
                check("database", database(&path));
                check("disk", disk(&path));
                if path.exists() {
                    let keys = place.open_role(role).await;
                    check("keys", keys.map(|_| "the master key fits".to_owned()));
                }
            }
        }
        Err(error) if error.is_empty() => {}
        Err(error) => check("database", Err(error)),
    }
    check("clock", time());
    let bad = checks.iter().filter(|check| check.verdict.is_err()).count();
    if json {
        let rows: Vec<_> = checks
            .iter()
            .map(|check| {
                let (ok, text) = match &check.verdict {
                    Ok(text) => (true, text),
                    Err(text) => (false, text),
                };
                serde_json::json!({"check": check.name, "ok": ok, "says": text})
            })
            .collect();
        say!("{}", serde_json::json!({"ok": bad == 0, "checks": rows}));
    } else {
        for check in &checks {
            match &check.verdict {
                Ok(text) => say!("ok    {:8}  {text}", check.name),
                Err(text) => say!("MEND  {:8}  {text}", check.name),
            }
        }
    }
    if bad == 0 {
        Ok(())
    } else {
        Err(format!("{bad} of {} checks want mending", checks.len()))
    }
}

fn database(path: &Path) -> Result<String, String> {
    if !path.exists() {
        let parent = folder_of(path);
        return if parent.is_dir() {
            Ok(format!(
                "{} will be made at the first start",
                path.display()
            ))
        } else {
            Err(format!("{} is no folder; make it first", parent.display()))
        };
    }
    let schema = SqliteStore::inspect(path).map_err(|error| error.to_string())?;
    if schema.pending.is_empty() {
        Ok(format!("version {}", schema.version))
    } else {
        Err(format!("version {}; run: yufu migrate", schema.version))
    }
}

/// The folder of a file; this one for a bare name.
fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Whether passcodes can be written, without leaving a file behind.
fn sms(path: &Path) -> Result<String, String> {
    if path.exists() {
        private(path)
    } else if folder_of(path).is_dir() {
        Ok(format!("{} will be made", path.display()))
    } else {
        Err(format!(
            "{} is no folder; make it first",
            folder_of(path).display()
        ))
    }
}

/// Whether a file is for its owner alone.
fn private(path: &Path) -> Result<String, String> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata =
        std::fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
    if metadata.is_file() && metadata.permissions().mode() & 0o077 != 0 {
        let path = path.display();
        return Err(format!(
            "{path} may be read by others; run: chmod 600 {path}"
        ));
    }
    Ok(format!("{} is its owner's alone", path.display()))
}

/// Free disk, as `df` sees it: the standard library has no call for it.
fn disk(path: &Path) -> Result<String, String> {
    let folder = folder_of(path);
    let output = std::process::Command::new("df")
        .arg("-Pk")
        .arg(folder)
        .output();
    let text = match output {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).into_owned()
        }
        _ => return Ok("free space is not known here".to_owned()),
    };
    let free = text
        .lines()
        .nth(1)
        .and_then(|line| line.split_whitespace().nth(3))
        .and_then(|kilobytes| kilobytes.parse::<u64>().ok())
        .map(|kilobytes| kilobytes * 1024);
    match free {
        Some(free) if free < FREE_BYTES => Err(format!(
            "{} MiB free; a full disk stops every login (none is lost)",
            free / 1024 / 1024
        )),
        Some(free) => Ok(format!("{} MiB free", free / 1024 / 1024)),
        None => Ok("free space is not known here".to_owned()),
    }
}

fn time() -> Result<String, String> {
    let now = clock::real();
    if now < NO_EARLIER {
        Err("the clock is years behind; codes and tokens would be dated wrongly".to_owned())
    } else {
        Ok(format!("{} seconds since 1970", now.seconds()))
    }
}
