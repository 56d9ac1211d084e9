//! A small programmable upstream: it stands between the backend and the platform, writes down what
//! was asked, and misbehaves as it is told to.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

/// What the upstream does to one call instead of passing it on.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Answers this errcode with HTTP 200, without asking the platform.
    Errcode(i64),
    /// Answers this text with this content type and status, without asking the platform.
    Say(u16, &'static str, String),
    /// Asks the platform and drops the connection without a word of its answer.
    Drop,
    /// Asks the platform and sends only the first half of its answer.
    Half,
    /// Waits, then passes it on.
    Slow(Duration),
    /// Passes it on, and changes the JSON of the answer.
    Change(fn(&mut Value)),
}

/// A call that came.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) path: String,
    pub(crate) query: String,
}

#[derive(Default)]
struct Script {
    /// Path, fault, how often still.
    faults: VecDeque<(String, Fault, u32)>,
    calls: Vec<Call>,
}

/// The upstream.
pub(crate) struct Upstream {
    port: u16,
    script: Arc<Mutex<Script>>,
}

impl Upstream {
    /// Stands in front of a platform on this port of the machine.
    pub(crate) fn before(platform: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = Arc::new(Mutex::new(Script::default()));
        let shared = Arc::clone(&script);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let script = Arc::clone(&shared);
                std::thread::spawn(move || {
                    // A caller who goes away is no concern of the test.
                    let _ = serve(stream, platform, &script);
                });
            }
        });
        Self { port, script }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The next `count` calls of this path misbehave so. Faults of one path queue up.
    pub(crate) fn misbehave(&self, path: &str, count: u32, fault: Fault) {
        let mut script = self.script.lock().unwrap();
        script.faults.push_back((path.to_owned(), fault, count));
    }

    /// Behaves from now on.
    pub(crate) fn behave(&self) {
        self.script.lock().unwrap().faults.clear();
    }

    /// The calls of this path so far.
    pub(crate) fn calls(&self, path: &str) -> Vec<Call> {
        let script = self.script.lock().unwrap();
        let found = script.calls.iter().filter(|call| call.path == path);
        found.cloned().collect()
    }

    /// How often the exchange was called.
    pub(crate) fn exchanges(&self) -> usize {
        self.calls("/sns/oauth2/access_token").len()
    }
}

fn serve(stream: TcpStream, platform: u16, script: &Mutex<Script>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let target = line.split(' ').nth(1).unwrap_or("/").to_owned();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            if header.trim().is_empty() {
                break;
            }
        }
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let fault = {
            let mut script = script.lock().unwrap();
            script.calls.push(Call {
                path: path.to_owned(),
                query: query.to_owned(),
            });
            let found = script
                .faults
                .iter_mut()
                .find(|(of, _, left)| of == path && *left > 0);
            let fault = found.map(|(_, fault, left)| {
                *left -= 1;
                fault.clone()
            });
            script.faults.retain(|(_, _, left)| *left > 0);
            fault
        };
        match fault {
            None => {
                let (head, body) = ask(platform, &target)?;
                pass(&mut stream, &head, &body)?;
            }
            Some(Fault::Errcode(code)) => {
                let body = format!("{{\"errcode\":{code},\"errmsg\":\"told to, rid: 1-2-3\"}}");
                say(&mut stream, 200, "text/plain", body.as_bytes())?;
            }
            Some(Fault::Say(status, kind, body)) => {
                say(&mut stream, status, kind, body.as_bytes())?;
            }
            Some(Fault::Drop) => {
                ask(platform, &target)?;
                return Ok(());
            }
            Some(Fault::Half) => {
                let (_, body) = ask(platform, &target)?;
                let half = &body[..body.len() / 2];
                return say(&mut stream, 200, "text/plain", half);
            }
            Some(Fault::Slow(wait)) => {
                std::thread::sleep(wait);
                let (head, body) = ask(platform, &target)?;
                pass(&mut stream, &head, &body)?;
            }
            Some(Fault::Change(change)) => {
                let (head, body) = ask(platform, &target)?;
                let mut json: Value = serde_json::from_slice(&body)?;
                change(&mut json);
                pass(&mut stream, &head, json.to_string().as_bytes())?;
            }
        }
    }
}

/// Asks the platform itself: the head without its length, and the body.
fn ask(platform: u16, target: &str) -> std::io::Result<(String, Vec<u8>)> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, platform))?;
    write!(
        stream,
        "GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{platform}\r\nConnection: close\r\n\r\n"
    )?;
    let mut all = Vec::new();
    stream.read_to_end(&mut all)?;
    let split = all.windows(4).position(|w| w == b"\r\n\r\n");
    let split = split.ok_or_else(|| std::io::Error::other("no head"))?;
    let head = String::from_utf8_lossy(&all[..split]).into_owned();
    Ok((head, all[split + 4..].to_vec()))
}

fn pass(stream: &mut TcpStream, head: &str, body: &[u8]) -> std::io::Result<()> {
    let mut text = String::new();
    for line in head.lines() {
        let name = line.split(':').next().unwrap_or("").to_ascii_lowercase();
        if name != "content-length" && name != "connection" {
            text.push_str(line);
            text.push_str("\r\n");
        }
    }
    write!(stream, "{text}Content-Length: {}\r\n\r\n", body.len())?;
    stream.write_all(body)
}

fn say(stream: &mut TcpStream, status: u16, kind: &str, body: &[u8]) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status} Told\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)
}
