//! A server of the app's own that hears what the backend sends it: messages, news, questions.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

/// How the server answers.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// With this status and body.
    Say(u16, String),
    /// Not at all.
    Silent,
}

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) body: Value,
}

struct State {
    manner: Manner,
    heard: Vec<Heard>,
}

/// A server that hears.
pub(crate) struct Gateway {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl Gateway {
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State {
            manner: Manner::Say(200, "{}".into()),
            heard: Vec::new(),
        }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || {
                    // A caller who goes away is no concern of the test.
                    let _ = hear(stream, &state);
                });
            }
        });
        Self { port, state }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Answers like this from now on.
    pub(crate) fn answers(&self, manner: Manner) {
        self.state.lock().unwrap().manner = manner;
    }

    /// What was heard so far.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.state.lock().unwrap().heard.clone()
    }

    /// The passcode of the last message to a number.
    #[track_caller]
    pub(crate) fn passcode(&self, phone: &str) -> String {
        let heard = self.heard();
        let to = |one: &&Heard| one.body["phone"].as_str() == Some(phone);
        let last = heard.iter().rev().find(to);
        let last = last.unwrap_or_else(|| panic!("nothing was sent to {phone}: {heard:?}"));
        last.body["code"].as_str().expect("a code").to_owned()
    }
}

fn hear(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut headers = Vec::new();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.trim().split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length
            .and_then(|(_, value)| value.parse().ok())
            .unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let manner = {
            let mut state = state.lock().unwrap();
            state.heard.push(Heard { body });
            state.manner.clone()
        };
        match manner {
            Manner::Say(status, text) => write!(
                stream,
                "HTTP/1.1 {status} Told\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{text}",
                text.len()
            )?,
            Manner::Silent => std::thread::sleep(Duration::from_secs(20)),
        }
    }
}
