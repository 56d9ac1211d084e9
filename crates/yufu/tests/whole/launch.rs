//! `yufu run`: the command's environment, its signals and its end; and which sandbox it joins.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::house::{House, Temp, command, wait};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `yufu run -- sh -c SCRIPT` in a folder of its own.
fn run(temp: &Temp, script: &str) -> Output {
    let mut run = command(temp);
    run.args(["run", "--", "sh", "-c", script])
        .stdin(Stdio::null());
    run.output().unwrap()
}

#[test]
fn the_status_of_the_command_is_ours_and_nothing_is_left() {
    let temp = Temp::new();
    for (script, status) in [
        ("exit 0", 0),
        ("exit 7", 7),
        ("exit 255", 255),
        ("kill -9 $$", 137),
        ("kill -s TERM $$", 143),
    ] {
        let output = run(&temp, script);
        assert_eq!(output.status.code(), Some(status), "{script}");
        assert_eq!(text(&output.stdout), "", "{script}");
        let said = text(&output.stderr);
        assert!(
            said.starts_with("yufu: started the sandbox http://127.0.0.1:"),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
        assert_eq!(temp.names(), Vec::<String>::new(), "{script}");
    }
}

#[test]
fn what_cannot_be_run_has_the_status_of_a_shell() {
    let temp = Temp::new();
    temp.write("plain.txt", "no program");
    for (program, status, part) in [
        ("yufu-no-such-command", 127, "there is no such command"),
        ("./plain.txt", 126, "chmod +x"),
    ] {
        let output = command(&temp)
            .args(["run", "--", program])
            .output()
            .unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{said}");
        assert!(said.contains(part) && said.lines().count() == 2, "{said}");
    }
    let no_folder = temp.join("plain.txt");
    let output = command(&temp)
        .args(["run", "--", "true"])
        .env("TMPDIR", no_folder)
        .output()
        .unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(125), "yufu's own fault: {said}");
    assert!(said.contains("TMPDIR"), "{said}");
}

#[test]
fn the_streams_are_the_commands_own() {
    let temp = Temp::new();
    let mut child = command(&temp)
        .args(["run", "--", "sh", "-c", "cat; echo error >&2"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all("läuft\n".as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stdout), "läuft\n");
    assert!(text(&output.stderr).lines().any(|line| line == "error"));
}

#[test]
fn the_environment_leads_to_the_sandbox_and_its_files_are_private() {
    let temp = Temp::new();
    let own = temp.write("own.pem", "no certificate");
    let script = "env; echo; cd \"${SSL_CERT_FILE%/*}\" && ls -A | tr '\\n' ' '; \
                  find . -perm /077 | wc -l; grep -c 'BEGIN CERTIFICATE' \"$NODE_EXTRA_CA_CERTS\"";
    let output = command(&temp)
        .args(["run", "--", "sh", "-c", script])
        .env("NODE_OPTIONS", "--no-warnings")
        .env("NO_PROXY", "intern.example,.qq.com")
        .env("CURL_CA_BUNDLE", &own)
        .env_remove("NODE_EXTRA_CA_CERTS")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (out, said) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said}");
    let value = |name: &str| {
        let line = out
            .lines()
            .find(|line| line.starts_with(&format!("{name}=")));
        line.unwrap_or_else(|| panic!("{name} is missing: {out}"))[name.len() + 1..].to_owned()
    };
    assert_eq!(value("https_proxy"), value("HTTP_PROXY"));
    assert_eq!(value("no_proxy"), "localhost,127.0.0.1,::1,intern.example");
    assert!(value("NODE_OPTIONS").starts_with("--no-warnings --require /"));
    assert_eq!(value("YUFU_SANDBOX_TOKEN").len(), 32);
    assert!(said.contains(&value("YUFU_SANDBOX")), "{said}");
    assert!(
        said.contains("CURL_CA_BUNDLE=") && said.contains("holds no certificate"),
        "{said}"
    );
    let rest: Vec<_> = out.split("\n\n").nth(1).unwrap().lines().collect();
    assert!(rest[0].contains("preload.cjs") && rest[0].contains("truststore.jks"));
    assert!(
        rest[0].ends_with(" 0"),
        "others may read something: {rest:?}"
    );
    assert_eq!(rest[1], "1", "Node is given our root and no other");
}

/// A command that says which signals it hears, until it hears USR2.
const LISTENER: &str = "for s in INT TERM HUP QUIT USR1 WINCH; do trap \"echo $s\" $s; done; \
                        trap 'exit 9' USR2; echo ready; while :; do sleep 0.05; done";

#[test]
fn signals_reach_the_command_once() {
    let temp = Temp::new();
    let mut child = command(&temp)
        .args(["run", "--", "sh", "-c", LISTENER])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(next(), "ready");
    for signal in ["INT", "TERM", "HUP", "QUIT", "USR1", "WINCH", "TERM"] {
        send(child.id(), signal);
        assert_eq!(next(), signal);
    }
    send(child.id(), "USR2");
    assert_eq!(wait(&mut child).code(), Some(9));
    assert_eq!(temp.names(), Vec::<String>::new());
}

fn send(pid: u32, signal: &str) {
    let line = ["-c", "kill -s \"$0\" \"$1\"", signal, &pid.to_string()];
    assert!(Command::new("sh").args(line).status().unwrap().success());
}

// --- a network of its own -----------------------------------------------------------------------

/// Whether this system lets anybody make a network; where it does not, that has to be said.
fn has_networks(temp: &Temp) -> bool {
    let output = command(temp)
        .args(["run", "--net", "--", "true"])
        .output()
        .unwrap();
    let said = text(&output.stderr);
    if !output.status.success() {
        assert_eq!(output.status.code(), Some(125), "{said}");
        assert!(
            said.contains("Without it, programs that look at HTTPS_PROXY"),
            "{said}"
        );
    }
    output.status.success()
}

/// A program that does not outlive its test. It is asked first: killed at once, it could not end
/// what it started.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        for _ in 0..50 {
            if matches!(self.0.try_wait(), Ok(Some(_))) {
                return;
            }
            let id = self.0.id().to_string();
            let _ = Command::new("kill").args(["-TERM", &id]).status();
            std::thread::sleep(Duration::from_millis(100));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn in_a_network_of_its_own_the_names_lead_here_whatever_is_set() {
    let temp = Temp::new();
    if !has_networks(&temp) {
        return;
    }
    let script = "unset HTTPS_PROXY https_proxy HTTP_PROXY http_proxy; id -u; \
                  grep -c '^127.0.0.1 api.weixin.qq.com$' /etc/hosts; \
                  exec 3<>/dev/tcp/127.0.0.1/443 && echo gate; \
                  exec 3<>/dev/tcp/127.0.0.1/${YUFU_SANDBOX##*:} && \
                  printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 && tail -n 1 <&3; exit 9";
    let output = command(&temp)
        .args(["run", "--net", "--", "bash", "-c", script])
        .output()
        .unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(9), "{said}");
    let uid = Command::new("id").arg("-u").output().unwrap().stdout;
    assert_eq!(
        text(&output.stdout),
        format!("{}1\ngate\nok\n", text(&uid)),
        "{said}"
    );
    assert_eq!(temp.names(), Vec::<String>::new());
}

#[test]
fn signals_and_ports_pass_into_a_network_of_its_own() {
    let temp = Temp::new();
    if !has_networks(&temp) {
        return;
    }
    let spare = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = spare.local_addr().unwrap().port();
    drop(spare);
    let serve = "import http.server, os, signal, sys\n\
                 signal.signal(signal.SIGTERM, lambda *_: os._exit(9))\n\
                 server = http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), http.server.SimpleHTTPRequestHandler)\n\
                 print('ready', flush=True)\n\
                 server.serve_forever()";
    let child = command(&temp)
        .args(["run", "--net", "--publish", &port.to_string()])
        .args(["--", "python3", "-c", serve, &port.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut child = Ending(child);
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
    send(child.0.id(), "TERM");
    assert_eq!(wait(&mut child.0).code(), Some(9));
    let taken = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let output = command(&temp)
        .args(["run", "--net", "--publish", &port.to_string(), "--", "true"])
        .output()
        .unwrap();
    drop(taken);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(125), "{said}");
    assert!(said.contains("is in use"), "{said}");
    assert_eq!(temp.names(), Vec::<String>::new());
}

// --- why nothing arrives; browsers; certificates ------------------------------------------------

#[test]
fn a_certificate_that_is_refused_is_said_at_once_with_the_remedy() {
    let temp = Temp::new();
    let house = House::dev();
    let script = "curl --silent --cacert /dev/null https://api.weixin.qq.com/sns/auth; sleep 5";
    let output = house
        .beside()
        .args(["run", "--", "sh", "-c", script])
        .output()
        .unwrap();
    let said = text(&output.stderr);
    drop(temp);
    if said.contains("curl: not found") {
        return;
    }
    assert!(said.contains("refused its certificate"), "{said}");
    assert!(
        said.contains("--cacert"),
        "the remedy of this runtime: {said}"
    );
    assert_eq!(said.matches("refused its certificate").count(), 1, "{said}");
}

#[test]
fn a_browser_that_is_not_there_is_said_with_what_to_do() {
    let house = House::dev();
    let open = |change: &dyn Fn(&mut Command)| {
        let mut command = house.beside();
        command.args(["open", "localhost:3000"]);
        change(&mut command);
        let output = command.args(["--", "--no-sandbox"]).output().unwrap();
        (output.status.code(), text(&output.stderr))
    };
    let (code, said) = open(&|command| {
        command.env("PATH", "/nowhere").env("HOME", "/nowhere");
    });
    assert_eq!(code, Some(1));
    assert!(
        said.contains("/proxy.pac") && said.contains("yufu ca"),
        "{said}"
    );
    let (code, said) = open(&|command| {
        command.args(["--browser", "/nowhere/chromium"]);
    });
    assert_eq!(code, Some(1));
    assert!(said.contains("/nowhere/chromium cannot be run"), "{said}");
    // One that fails is quoted; a stand-in tells what it was started with, too.
    let temp = Temp::new();
    let browser = temp.write("browser", "#!/bin/sh\necho \"$@\" >&2\nexit 3\n");
    std::fs::set_permissions(&browser, PermissionsExt::from_mode(0o700)).unwrap();
    let (code, said) = open(&|command| {
        command.arg("--browser").arg(&browser);
    });
    assert_eq!(code, Some(1));
    assert!(said.contains("ended with status 3"), "{said}");
    let text = |key: &str| house.ready[key].as_str().unwrap();
    for part in [
        &format!("--proxy-server={}", text("proxy")),
        &format!("--ignore-certificate-errors-spki-list={}", text("spki")),
        "--proxy-bypass-list=<-loopback>",
        "http://localhost:3000",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let profile = said.split("--user-data-dir=").nth(1).unwrap();
    let profile = profile.split(' ').next().unwrap();
    assert!(
        !Path::new(profile).exists(),
        "the profile goes with the browser"
    );
}

#[test]
fn the_certificate_is_printed_for_those_who_want_it() {
    let house = House::dev();
    let ca = |more: &[&str]| {
        let output = house.beside().arg("ca").args(more).output().unwrap();
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    let (code, root, said) = ca(&[]);
    assert_eq!(code, Some(0));
    assert_eq!(root.matches("BEGIN CERTIFICATE").count(), 1);
    assert!(said.contains("keep it out of the system's store"), "{said}");
    let (_, chain, _) = ca(&["--chain"]);
    assert!(chain.starts_with(&root) && chain.matches("BEGIN CERTIFICATE").count() == 2);
    let (_, path, said) = ca(&["--path"]);
    assert_eq!(path.trim(), house.ready["ca"].as_str().unwrap());
    assert_eq!(said, "");
    let (_, of_folder, _) = ca(&["--data", house.ready["data_dir"].as_str().unwrap()]);
    assert_eq!(of_folder, root);
    let (code, _, said) = ca(&["--data", "/nowhere"]);
    assert_eq!(code, Some(1));
    assert!(
        said.contains("It is made by: yufu dev --data /nowhere"),
        "{said}"
    );
}

// --- which sandbox ------------------------------------------------------------------------------

fn joined(mut command: Command, more: &[&str]) -> (Option<i32>, String, String) {
    let script = "echo $YUFU_SANDBOX";
    command
        .arg("run")
        .args(more)
        .args(["--", "sh", "-c", script]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let code = output.status.code();
    (
        code,
        text(&output.stdout).trim().to_owned(),
        text(&output.stderr),
    )
}

#[test]
fn the_one_that_runs_is_joined_unless_told_otherwise() {
    let house = House::dev();
    let (_, platform, said) = joined(house.beside(), &[]);
    assert_eq!(platform, house.platform());
    assert!(said.starts_with("yufu: joined the sandbox"), "{said}");
    let (_, platform, said) = joined(house.beside(), &["--fresh"]);
    assert_ne!(platform, house.platform());
    assert!(said.starts_with("yufu: started the sandbox"), "{said}");
    // Whoever does not see the folder is told by name.
    let temp = Temp::new();
    let line = temp.write("ready.json", house.ready.to_string());
    let (_, platform, _) = joined(command(&temp), &["--sandbox", line.to_str().unwrap()]);
    assert_eq!(platform, house.platform());
    let (code, _, said) = joined(command(&temp), &["--sandbox", house.platform()]);
    assert_eq!(code, Some(125));
    assert!(said.contains("YUFU_SANDBOX_TOKEN"), "{said}");
    house.stop();
}

#[test]
fn of_several_the_newest_is_joined_and_the_others_are_named() {
    let first = House::dev();
    let second = {
        let temp = Path::new(first.ready["data_dir"].as_str().unwrap());
        let temp = temp.parent().unwrap().to_str().unwrap().to_owned();
        let args = ["dev", "--json", "--port", "0"];
        House::start(&args, &[("TMPDIR", &temp)])
    };
    let line: serde_json::Value = serde_json::from_str(&second.line()).unwrap();
    let (_, platform, said) = joined(first.beside(), &[]);
    assert_eq!(platform, line["platform"].as_str().unwrap());
    assert!(
        said.starts_with("yufu: several sandboxes run") && said.contains(first.platform()),
        "{said}"
    );
    second.stop();
    let (_, platform, said) = joined(first.beside(), &[]);
    assert_eq!(platform, first.platform());
    assert!(said.starts_with("yufu: joined"), "{said}");
}

#[test]
fn one_that_was_killed_is_not_found() {
    let mut house = House::dev();
    house.kill();
    let (_, platform, said) = joined(house.beside(), &[]);
    assert_ne!(platform, house.platform());
    assert!(said.starts_with("yufu: started"), "{said}");
    let (code, _, said) = joined(house.beside(), &["--sandbox", house.platform()]);
    assert_eq!(code, Some(125));
    assert!(said.contains("nothing answers at"), "{said}");
    let mut told = house.beside();
    told.env("YUFU_SANDBOX", house.platform());
    let (code, _, said) = joined(told, &[]);
    assert_eq!(code, Some(125));
    assert!(said.contains("(YUFU_SANDBOX)"), "{said}");
}

#[test]
fn what_others_may_write_to_is_not_believed() {
    let house = House::dev();
    let folder = house.ready["data_dir"].as_str().unwrap();
    let folder = Path::new(folder).parent().unwrap();
    let told = std::fs::read_dir(folder).unwrap().flatten();
    let told = told
        .map(|entry| entry.path())
        .find(|path| path.join(format!("{}.json", house.port)).exists());
    std::fs::set_permissions(told.unwrap(), PermissionsExt::from_mode(0o777)).unwrap();
    let (_, platform, said) = joined(house.beside(), &[]);
    assert_ne!(platform, house.platform());
    assert!(said.contains("yufu: started"), "{said}");
}
