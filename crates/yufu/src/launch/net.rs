//! `yufu run --net`, seen from outside: a network of the command's own, in which the platform's
//! names lead here whatever the command is set to. It needs Linux and no other rights: `unshare`
//! makes the network, and this program, begun again within it ([`super::inside`]), furnishes it.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::net::UnixListener;
use tokio::process::Command;
use tokio::task::JoinSet;

use super::environment::{Plan, Target};
use super::{roots, strait};
use crate::cli::variable;
use crate::sandbox::authority::HOSTS;
use crate::sandbox::write_private;

/// What the inner side is told.
#[derive(Serialize, Deserialize)]
pub struct Spec {
    /// Ports to listen on inside, and the ports outside that they lead to.
    pub ports: Vec<(u16, u16)>,
    /// Ports of the command that are led to from outside.
    pub publish: Vec<u16>,
    /// Files that lie over files of the system.
    pub files: Vec<(PathBuf, PathBuf)>,
    /// The socket by which the outside is reached.
    pub out: PathBuf,
    /// The socket by which the inside is reached.
    pub into: PathBuf,
    /// The `ip` of iproute2.
    pub ip: PathBuf,
}

/// A network that is ready for its command.
pub struct Net {
    /// What goes before the command.
    pub prefix: Vec<OsString>,
    /// Leads streams across as long as it is held.
    _straits: JoinSet<()>,
}

/// Which ports pass.
pub struct Ports<'a> {
    /// From outside to the command.
    pub publish: &'a [u16],
    /// From the command to outside, under the same number.
    pub reach: Vec<u16>,
}

/// Prepares a network: everything that can go wrong outside does so here.
///
/// # Errors
/// In the user's words, with what to do instead.
pub async fn open(
    target: &Target<'_>,
    ports: Ports<'_>,
    folder: &Path,
    plan: &Plan,
) -> Result<Net, String> {
    if !cfg!(target_os = "linux") {
        return Err(format!("--net needs Linux.\n  {WITHOUT}"));
    }
    let unshare = tool("unshare", "util-linux")?;
    let ip = tool("ip", "iproute2")?;
    let options = options(&unshare).await?;
    let mut led = vec![(443, target.gate), (80, target.plain)];
    let same = [target.gate, target.proxy, target.plain];
    for port in same.into_iter().chain(ports.reach) {
        if !led.iter().any(|(inner, _)| *inner == port) && !ports.publish.contains(&port) {
            led.push((port, port));
        }
    }
    let spec = Spec {
        publish: ports.publish.to_vec(),
        files: files(folder, plan)?,
        out: folder.join("out.sock"),
        into: folder.join("in.sock"),
        ports: led,
        ip,
    };
    let mut straits = JoinSet::new();
    for port in ports.publish {
        let listener = strait::open(*port).await?;
        straits.spawn(strait::across(listener, spec.into.clone(), *port));
    }
    let known: Arc<[u16]> = spec.ports.iter().map(|(_, outer)| *outer).collect();
    let listener = UnixListener::bind(&spec.out).map_err(|error| {
        format!(
            "{} cannot be made: {error}.\n  Give a shorter place for temporary files with TMPDIR.",
            spec.out.display()
        )
    })?;
    straits.spawn(strait::ashore(listener, known));
    let path = folder.join("net.json");
    let text = serde_json::to_string(&spec).unwrap_or_default();
    write_private(&path, text)
        .map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    let own = std::env::current_exe()
        .map_err(|error| format!("this program does not find itself: {error}"))?;
    let mut prefix = vec![unshare.into_os_string()];
    prefix.extend(options.iter().map(OsString::from));
    prefix.extend([
        "--".into(),
        own.into(),
        "inside".into(),
        path.into(),
        "--".into(),
    ]);
    Ok(Net {
        prefix,
        _straits: straits,
    })
}

const WITHOUT: &str = "Without it, programs that look at HTTPS_PROXY are led here all the same; others take the platform's address as their base URL.";

/// The files that lie over the system's own: names and roots for those who look at nothing else.
fn files(folder: &Path, plan: &Plan) -> Result<Vec<(PathBuf, PathBuf)>, String> {
    let system = Path::new("/etc/hosts");
    let former = match std::fs::read_to_string(system) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(format!(
                "there is no /etc/hosts to lay another over.\n  Make an empty one, or run it without --net. {WITHOUT}"
            ));
        }
        Err(error) => return Err(format!("/etc/hosts cannot be read: {error}")),
    };
    let hosts = folder.join("hosts");
    // Everybody may read it, as the system's own.
    std::fs::write(&hosts, hosts_file(&former))
        .map_err(|error| format!("{} cannot be written: {error}", hosts.display()))?;
    let mut files = vec![(hosts, real(system))];
    let bundle = plan
        .variables
        .iter()
        .find(|(name, _)| *name == "SSL_CERT_FILE");
    if let (Some((_, bundle)), Some(system)) = (bundle, roots::place()) {
        files.push((PathBuf::from(bundle), real(&system)));
    }
    Ok(files)
}

/// A file that is a link is laid over where it leads to.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The platform's names first: of two lines for one name the first one counts.
fn hosts_file(former: &str) -> String {
    let names: String = HOSTS.map(|host| format!("127.0.0.1 {host}\n")).concat();
    format!("{names}{former}")
}

fn tool(name: &str, package: &str) -> Result<PathBuf, String> {
    let path = variable("PATH").unwrap_or_default();
    // They are where only root looks by default.
    let more = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from);
    let mut places = std::env::split_paths(&path).chain(more);
    let found = places.find_map(|place| Some(place.join(name)).filter(|it| it.is_file()));
    found.ok_or_else(|| {
        format!(
            "--net needs `{name}`, and it is not here.\n  Install the package {package}. {WITHOUT}"
        )
    })
}

/// How a network is made here: by whoever is root as such, by others in a namespace of users. It
/// is tried with nothing in it first, so that what is forbidden is said in our words.
async fn options(unshare: &Path) -> Result<Vec<&'static str>, String> {
    let bare: Vec<&str> = vec!["--net", "--mount"];
    let own = vec![
        "--user",
        "--map-current-user",
        "--keep-caps",
        "--net",
        "--mount",
    ];
    let is_root = rustix::process::getuid().is_root();
    let ways = if is_root { vec![bare, own] } else { vec![own] };
    let mut said = String::new();
    for way in ways {
        let tried = Command::new(unshare)
            .args(&way)
            .args(["--", "true"])
            .stdin(Stdio::null())
            .output()
            .await;
        match tried {
            Ok(output) if output.status.success() => return Ok(way),
            Ok(output) => said = String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => said = error.to_string(),
        }
    }
    Err(forbidden(&said))
}

fn forbidden(said: &str) -> String {
    // What the kernel says where the number of namespaces is limited, be it to none.
    if said.contains("No space left") {
        return format!(
            "this system allows no more namespaces ({said}).\n  \
             sudo sysctl user.max_user_namespaces=15000. {WITHOUT}"
        );
    }
    format!(
        "this system allows no private network ({said}).\n  \
         Ubuntu 24.04 and later: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0. Older ones: \
         sudo sysctl kernel.unprivileged_userns_clone=1. In Docker: --privileged. {WITHOUT}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_of_being_forbidden_has_its_remedy() {
        let said = forbidden("unshare: unshare failed: No space left on device");
        assert!(said.contains("user.max_user_namespaces="), "{said}");
        let said = forbidden("unshare: unshare failed: Operation not permitted");
        assert!(said.contains("unprivileged_userns"), "{said}");
    }

    #[test]
    fn the_platforms_names_win_over_what_stood_there() {
        let file = hosts_file("10.0.0.1 api.weixin.qq.com\n127.0.0.1 localhost\n");
        let first = file
            .lines()
            .find(|line| line.ends_with(" api.weixin.qq.com"));
        assert_eq!(first, Some("127.0.0.1 api.weixin.qq.com"));
        assert!(file.ends_with("127.0.0.1 localhost\n"));
    }

    #[test]
    fn what_is_missing_or_forbidden_is_said_with_what_to_do() {
        let said = tool("yufu-no-such-tool", "some-package").unwrap_err();
        assert!(said.contains("Install the package some-package"), "{said}");
        let said = forbidden("unshare: unshare failed: Operation not permitted");
        assert!(
            said.contains("Operation not permitted") && said.contains("sysctl"),
            "{said}"
        );
    }
}
