//! The binary as a process.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use yufu_web::clock;

use super::wire::{Answer, Ask, Wire, query};

/// The longest that anything is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Looks again and again until something is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = clock::mark();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A folder of one test, gone with it.
pub(crate) struct Temp(PathBuf);

impl Temp {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("whole-{}-{next}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The path as text, for command lines.
    pub(crate) fn text(&self) -> &str {
        self.0.to_str().unwrap()
    }

    /// Writes a file and answers its path.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        std::fs::write(&path, bytes).unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, private).unwrap();
        path
    }

    /// The names of what lies in it, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn command(temp: &Temp) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_yufu"));
    // Settings of whoever runs the tests must not reach the servers.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("YUFU_") {
            command.env_remove(name);
        }
    }
    // Nor must sandboxes that run beside the tests be found, or be told of theirs.
    command
        .env_remove("XDG_RUNTIME_DIR")
        .env("TMPDIR", temp.path())
        .current_dir(temp.path());
    command
}

/// Runs a command to its end.
pub(crate) fn yufu<S: AsRef<OsStr>>(args: &[S]) -> Output {
    yufu_with(args, "")
}

/// Runs a command to its end with this on its standard input. The command may not take longer
/// than anything else.
fn yufu_with<S: AsRef<OsStr>>(args: &[S], input: &str) -> Output {
    let temp = Temp::new();
    let mut child = command(&temp)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that does not read its input may be gone before it was written.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = err.read_to_end(&mut bytes);
        bytes
    });
    let watch = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = out.read_to_end(&mut bytes);
        bytes
    });
    let status = wait(&mut child);
    assert_eq!(
        temp.names(),
        Vec::<String>::new(),
        "the command left something behind"
    );
    Output {
        status,
        stdout: watch.join().unwrap(),
        stderr: reader.join().unwrap(),
    }
}

/// Waits for a process, but not for ever.
pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    let began = clock::mark();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if began.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("the process did not end by itself");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A running server.
pub(crate) struct House {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Mutex<Receiver<String>>,
    errors: Arc<Mutex<String>>,
    temp: Temp,
    /// The line it said when it was ready; `Null` in the human form.
    pub(crate) ready: Value,
    /// Where it listens.
    pub(crate) port: u16,
    /// Its folder, or its settings file: where commands find it.
    place: Vec<String>,
}

impl House {
    /// `yufu dev` on a free port.
    pub(crate) fn dev() -> Self {
        Self::dev_with(&[])
    }

    /// `yufu dev` on a free port with more options.
    pub(crate) fn dev_with(more: &[&str]) -> Self {
        let mut args = vec!["dev", "--json", "--port", "0", "--until-stdin-closes"];
        args.extend(more);
        let mut house = Self::start(&args, &[]);
        house.get_ready();
        house.place = vec![
            "--data".into(),
            house.ready["data_dir"].as_str().unwrap().into(),
        ];
        house
    }

    /// `yufu dev` over a folder that stays.
    pub(crate) fn dev_in(data: &Temp) -> Self {
        Self::dev_with(&["--data", data.text()])
    }

    /// `yufu serve` with a file of settings.
    pub(crate) fn serve(config: &Path) -> Self {
        let config = config.to_str().unwrap();
        let mut house = Self::start(&["serve", "--json", "--config", config], &[]);
        house.get_ready();
        house.place = vec!["--config".into(), config.into()];
        house
    }

    /// Starts a server without waiting for its line.
    pub(crate) fn start(args: &[&str], environment: &[(&str, &str)]) -> Self {
        let temp = Temp::new();
        let mut child = command(&temp)
            .args(args)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (tell, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        let errors = Arc::new(Mutex::new(String::new()));
        let (kept, err) = (errors.clone(), BufReader::new(child.stderr.take().unwrap()));
        std::thread::spawn(move || {
            for line in err.lines().map_while(Result::ok) {
                let mut kept = kept.lock().unwrap();
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        Self {
            stdin: child.stdin.take(),
            child,
            lines: Mutex::new(lines),
            errors,
            temp,
            ready: Value::Null,
            port: 0,
            place: Vec::new(),
        }
    }

    /// The next line of the standard output.
    pub(crate) fn line(&self) -> String {
        match self.lines.lock().unwrap().recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(_) => panic!("no line on stdout; stderr: {}", self.errors()),
        }
    }

    fn get_ready(&mut self) {
        let line = self.line();
        self.ready = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        let address = self.ready["listen"]
            .as_str()
            .or(self.ready["platform"].as_str());
        let port = address.unwrap().rsplit(':').next().unwrap();
        self.port = port.parse().unwrap();
    }

    /// What opens the control of `yufu dev`; nothing for a served house.
    pub(crate) fn token(&self) -> Option<&str> {
        self.ready["token"].as_str()
    }

    /// One request with the token of the run.
    pub(crate) fn control(&self, ask: Ask) -> Answer {
        let token = self.token().unwrap();
        self.ask(&ask.header("authorization", &format!("Bearer {token}")))
    }

    pub(crate) fn platform(&self) -> &str {
        self.ready["platform"].as_str().unwrap()
    }

    /// The database file of `yufu dev`.
    pub(crate) fn database(&self) -> PathBuf {
        Path::new(self.ready["data_dir"].as_str().unwrap()).join("yufu.db")
    }

    /// The nth seeded client of `yufu dev`: 0 website, 1 mobile, 2 service, 3 another developer's.
    fn seeded(&self, n: usize) -> (String, String) {
        let client = &self.ready["clients"][n];
        let text = |key: &str| client[key].as_str().unwrap().to_owned();
        (text("appid"), text("secret"))
    }

    /// appid and secret of the website client.
    pub(crate) fn website(&self) -> (String, String) {
        self.seeded(0)
    }

    /// appid and secret of the mobile client.
    pub(crate) fn mobile(&self) -> (String, String) {
        self.seeded(1)
    }

    /// appid and secret of the service client.
    pub(crate) fn service(&self) -> (String, String) {
        self.seeded(2)
    }

    /// appid and secret of the second developer's website.
    pub(crate) fn stranger(&self) -> (String, String) {
        self.seeded(3)
    }

    /// Phone and password of a seeded person.
    pub(crate) fn person(&self, n: usize) -> (String, String) {
        let person = &self.ready["people"][n];
        let text = |key: &str| person[key].as_str().unwrap().to_owned();
        (text("phone"), text("password"))
    }

    /// What it wrote to the standard error stream so far.
    pub(crate) fn errors(&self) -> String {
        self.errors.lock().unwrap().clone()
    }

    /// What it left in its folder for temporary files.
    pub(crate) fn left_behind(&self) -> Vec<String> {
        self.temp.names()
    }

    pub(crate) fn wire(&self) -> Wire {
        Wire::to(self.port)
    }

    /// One request on a connection of its own.
    pub(crate) fn ask(&self, ask: &Ask) -> Answer {
        self.wire().ask(ask)
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        self.ask(&Ask::get(target))
    }

    /// GET of a path with parameters.
    pub(crate) fn call(&self, path: &str, params: &[(&str, &str)]) -> Answer {
        self.get(&format!("{path}?{}", query(params)))
    }

    /// Redeems a code, by GET.
    pub(crate) fn exchange(&self, (appid, secret): &(String, String), code: &str) -> Answer {
        self.call(
            "/sns/oauth2/access_token",
            &[
                ("appid", appid),
                ("secret", secret),
                ("code", code),
                ("grant_type", "authorization_code"),
            ],
        )
    }

    /// Redeems a code that must pay, and answers the tokens.
    pub(crate) fn tokens(&self, client: &(String, String), code: &str) -> Value {
        let answer = self.exchange(client, code);
        let tokens = answer.json();
        assert!(tokens["access_token"].is_string(), "{}", answer.text());
        tokens
    }

    pub(crate) fn userinfo(&self, access: &str, openid: &str) -> Answer {
        let params = [("access_token", access), ("openid", openid)];
        self.call("/sns/userinfo", &params)
    }

    pub(crate) fn auth(&self, access: &str, openid: &str) -> Answer {
        let params = [("access_token", access), ("openid", openid)];
        self.call("/sns/auth", &params)
    }

    pub(crate) fn refresh(&self, appid: &str, token: &str) -> Answer {
        let params = [
            ("appid", appid),
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
        ];
        self.call("/sns/oauth2/refresh_token", &params)
    }

    /// Runs a command on this house's data.
    pub(crate) fn run(&self, args: &[&str], input: &str) -> Output {
        let mut all: Vec<&str> = args.to_vec();
        all.extend(self.place.iter().map(String::as_str));
        yufu_with(&all, input)
    }

    /// A command of somebody on this machine, who shares the folder where sandboxes are told of.
    pub(crate) fn beside(&self) -> Command {
        command(&self.temp)
    }

    /// Runs a command that must succeed, with `--json`, and answers what it said.
    pub(crate) fn cli(&self, args: &[&str]) -> Value {
        self.cli_with(args, "")
    }

    pub(crate) fn cli_with(&self, args: &[&str], input: &str) -> Value {
        let mut all = args.to_vec();
        all.push("--json");
        let output = self.run(&all, input);
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(output.status.success(), "{args:?}: {err}");
        assert_eq!(out.lines().count(), 1, "one line: {out}");
        serde_json::from_str(&out).unwrap_or_else(|_| panic!("no JSON: {out}"))
    }

    /// Sets a setting of a client.
    pub(crate) fn set(&self, appid: &str, setting: &str) {
        self.cli(&["client", "edit", appid, "--set", setting]);
    }

    /// The id of the nth seeded person.
    pub(crate) fn user_id(&self, n: usize) -> String {
        let all = self.cli(&["user", "list"]);
        let phone = &self.ready["people"][n]["phone"];
        let found = all
            .as_array()
            .unwrap()
            .iter()
            .find(|user| user["phone"] == *phone);
        found.unwrap()["id"].as_str().unwrap().to_owned()
    }

    /// Sends a signal by name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let done = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", name, &id])
            .status()
            .unwrap();
        assert!(done.success());
    }

    /// Closes its standard input.
    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        wait(&mut self.child)
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Asks it to stop and waits for the end.
    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        assert!(self.ended().success(), "{}", self.errors());
    }

    /// Kills it as a power cut would, at once.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The lines of stdout that nobody asked for; call after the end.
    pub(crate) fn rest(&self) -> Vec<String> {
        let mut rest = Vec::new();
        while let Ok(line) = self.lines.lock().unwrap().recv_timeout(PATIENCE) {
            rest.push(line);
        }
        rest
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // A server that was ended already is no error; one that was not goes now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
