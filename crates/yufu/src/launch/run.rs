//! `yufu run`: a command, and a sandbox that it reaches unchanged.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};
use yufu_web::clock;

use super::child::{self, Signals};
use super::environment::{Before, Plan, Target, plan};
use super::found::{self, Ready, Which};
use super::net::{self, Net, Ports};
use super::rest::Client;
use super::{roots, runtime};
use crate::cli::variable;
use crate::sandbox::{self, DevOptions, Folder, Running, write_private};

/// What is said when it is yufu itself that fails, and not the command: as `env` and `timeout` do.
pub const OUR_FAULT: u8 = 125;
/// How long the sandbox's own end may hold the command's status up.
const ENDING: Duration = Duration::from_secs(3);

/// How often it is looked whether there is something to say, and how many times at most.
const BETWEEN: Duration = Duration::from_secs(2);
const LOOKS: u32 = 60;

/// How `yufu run` was asked to run.
#[derive(clap::Args, Debug)]
pub struct RunOptions {
    #[command(flatten)]
    which: Which,
    /// Start a sandbox for this command alone, even where one runs.
    #[arg(long, conflicts_with = "sandbox")]
    fresh: bool,
    /// Keep the data of a sandbox that is started for the command in this folder.
    #[arg(long, value_name = "DIR", conflicts_with = "sandbox")]
    data: Option<PathBuf>,
    /// Give the command a network of its own, in which the platform's names lead to the sandbox
    /// whatever the command is set to (Linux).
    #[arg(long)]
    net: bool,
    /// A port of the command in its own network that is to be reached from outside.
    #[arg(long, value_name = "PORT", requires = "net")]
    publish: Vec<u16>,
    /// A port of this machine that the command reaches from its own network, such as a database.
    #[arg(long, value_name = "PORT", requires = "net")]
    reach: Vec<u16>,
    /// Refuse apps that nobody registered, instead of taking them in.
    #[arg(long, conflicts_with = "sandbox")]
    no_adopt: bool,
    /// The command and its arguments.
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    command: Vec<OsString>,
}

/// `yufu run`. What fails before the command has a status of its own.
pub async fn run(options: RunOptions) -> ExitCode {
    match launch(options).await {
        Ok(code) => code,
        Err(words) => {
            eprintln!("yufu: {words}");
            ExitCode::from(OUR_FAULT)
        }
    }
}

async fn launch(options: RunOptions) -> Result<ExitCode, String> {
    let signals = Signals::hear()?;
    let joined = match options.fresh || options.no_adopt || options.data.is_some() {
        true => None,
        // One that was started for another command ends with that command.
        false => found::search(&options.which, |ready| !ready.lent).await?,
    };
    let own = match joined {
        Some(_) => None,
        None => Some(sandbox::start(&own_options(&options)).await?),
    };
    let code = match (&joined, &own) {
        (Some(ready), _) => below(&options, ready, "joined", signals).await,
        (None, Some(own)) => below(&options, &own.ready, "started", signals).await,
        (None, None) => Err("no sandbox".to_owned()),
    };
    if let Some(own) = own {
        end(own).await;
    }
    code
}

/// A command's end waits for no answer that goes on and on.
async fn end(own: Running) {
    let _ = tokio::time::timeout(ENDING, own.end()).await;
}

fn own_options(options: &RunOptions) -> DevOptions {
    DevOptions {
        port: 0,
        app_port: None,
        login_port: None,
        proxy_port: None,
        proxy_listen: None,
        proxy_anywhere: false,
        gate_port: None,
        data: options.data.clone(),
        json: true,
        lent: true,
        until_stdin_closes: false,
        poll_hold: None,
        no_adopt: options.no_adopt,
        lan: None,
        max_pages: None,
    }
}

/// The command, from its start to its end.
async fn below(
    options: &RunOptions,
    ready: &Ready,
    how: &str,
    mut signals: Signals,
) -> Result<ExitCode, String> {
    let folder = Folder::temporary("yufu-run")?;
    let ca = certificate(ready).await?;
    let target = target(ready, &ca)?;
    let plan = prepare(&target, &folder.path)?;
    for words in &plan.words {
        eprintln!("yufu: {words}");
    }
    let net = match options.net {
        true => Some(private(options, ready, &target, &folder.path, &plan).await?),
        false => None,
    };
    let prefix = net.as_ref().map_or(&[][..], |net| &net.prefix);
    let command: Vec<OsString> = prefix.iter().chain(&options.command).cloned().collect();
    let mut child = match child::start(&command, &plan.variables) {
        Ok(child) => child,
        Err(unstarted) => {
            eprintln!("yufu: {}", unstarted.words);
            return Ok(ExitCode::from(unstarted.status));
        }
    };
    eprintln!(
        "yufu: {how} the sandbox {0}; watch it: {0}/flows?token={1}",
        ready.platform, ready.token
    );
    let watch = Watch::begin(options, ready, child.id().unwrap_or(0));
    let watching = tokio::spawn(watch.clone().look());
    let ended = loop {
        tokio::select! {
            ended = child.wait() => break ended,
            signal = signals.next() => child::tell(&child, signal),
        }
    };
    watching.abort();
    watch.end().await;
    let ended = ended.map_err(|error| format!("the command was lost: {error}"))?;
    Ok(ExitCode::from(child::status(ended)))
}

/// Tells the sandbox of the command, and the person why nothing of it arrives there.
#[derive(Clone)]
struct Watch {
    client: Client,
    started: Value,
    id: Arc<OnceLock<String>>,
}

impl Watch {
    fn begin(options: &RunOptions, ready: &Ready, pid: u32) -> Self {
        let words = options.command.iter();
        let words: Vec<String> = words.map(|it| it.to_string_lossy().into_owned()).collect();
        let runtime = runtime::of(&words, &runtime::beginning);
        let command = label(&words);
        Self {
            client: ready.client(),
            started: json!({"pid": pid, "command": command, "runtime": runtime, "net": options.net}),
            id: Arc::default(),
        }
    }

    /// Says one hint at most. That nothing can be told of a command is no reason to disturb it.
    async fn look(self) {
        let told = self.client.post("/_sandbox/launches", &self.started).await;
        let id = told.ok().and_then(|it| Some(it["id"].as_str()?.to_owned()));
        let Some(id) = id else { return };
        let id = self.id.get_or_init(|| id);
        for _ in 0..LOOKS {
            tokio::time::sleep(BETWEEN).await;
            let Ok(all) = self.client.get("/_sandbox/launches").await else {
                continue;
            };
            let mut launches = all["launches"].as_array().into_iter().flatten();
            let hint = launches.find(|it| it["id"] == **id).map(|it| &it["hint"]);
            let text = |key: &str| hint.and_then(|hint| hint[key].as_str());
            if let (Some(title), Some(remedy)) = (text("title"), text("remedy")) {
                eprintln!("yufu: {title}\n  {remedy}");
                return;
            }
        }
    }

    async fn end(self) {
        if let Some(id) = self.id.get() {
            let path = format!("/_sandbox/launches/{id}/ended");
            let nothing = json!({});
            let told = self.client.post(&path, &nothing);
            let _ = tokio::time::timeout(ENDING, told).await;
        }
    }
}

/// The first words of a command: its flags may hold secrets, and addresses a password.
fn label(words: &[String]) -> String {
    let name = words.first().and_then(|it| it.rsplit('/').next());
    let next = words
        .get(1)
        .filter(|it| !it.starts_with('-') && !it.contains('='))
        .filter(|it| !(it.contains("://") && it.contains('@')));
    let words = [name, next.map(String::as_str)];
    let words: Vec<&str> = words.into_iter().flatten().collect();
    words.join(" ").chars().take(80).collect()
}

/// A network of the command's own.
async fn private(
    options: &RunOptions,
    ready: &Ready,
    target: &Target<'_>,
    folder: &Path,
    plan: &Plan,
) -> Result<Net, String> {
    let mut reach = options.reach.clone();
    for address in [&ready.app, &ready.login] {
        reach.push(port(address)?);
    }
    let publish = &options.publish;
    net::open(target, Ports { publish, reach }, folder, plan).await
}

fn port(address: &str) -> Result<u16, String> {
    let port = address.rsplit(':').next().and_then(|it| it.parse().ok());
    port.ok_or_else(|| format!("the sandbox names an address without a port: {address}"))
}

fn target<'a>(ready: &'a Ready, ca: &'a str) -> Result<Target<'a>, String> {
    Ok(Target {
        platform: &ready.platform,
        token: &ready.token,
        proxy: port(&ready.proxy)?,
        gate: port(&ready.gate)?,
        plain: port(&ready.platform)?,
        ca,
    })
}

/// Plans the environment, and writes its files.
fn prepare(target: &Target<'_>, folder: &Path) -> Result<Plan, String> {
    let roots = roots::system();
    let before = Before {
        variable: &variable,
        read: &roots::read,
        roots: roots.as_deref(),
        now: clock::real().0,
    };
    let plan = plan(target, folder, &before);
    for (name, content) in &plan.files {
        let path = folder.join(name);
        let wrong = |error| format!("{} cannot be written: {error}", path.display());
        if let Some(inner) = path.parent().filter(|inner| *inner != folder) {
            sandbox::make_private(inner).map_err(wrong)?;
        }
        write_private(&path, content).map_err(wrong)?;
    }
    Ok(plan)
}

/// The root of the sandbox's authority.
async fn certificate(ready: &Ready) -> Result<String, String> {
    // A sandbox that is reached from a container has its files elsewhere.
    match std::fs::read_to_string(&ready.ca) {
        Ok(text) => Ok(text),
        Err(_) => ready.client().text("/_sandbox/ca.pem").await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_told_of_by_its_first_words() {
        let of = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            label(&words)
        };
        assert_eq!(
            of("/usr/bin/python3 app.py --secret s3cret"),
            "python3 app.py"
        );
        assert_eq!(of("app --token=abc"), "app");
        assert_eq!(of("env TOKEN=abc node x.js"), "env");
        assert_eq!(of("curl https://mei:s3cret@a.example/"), "curl");
        assert_eq!(of("npx @scope/tool"), "npx @scope/tool");
    }
}
