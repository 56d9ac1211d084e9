//! HTTP/1.1 to the byte.

use std::io::{BufRead as _, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// A request to be written.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) host: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Ask {
    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub(crate) fn new(method: &'static str, target: &str) -> Self {
        Self {
            method,
            target: target.to_owned(),
            host: None,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A POST of a form.
    pub(crate) fn post(target: &str, form: &[(&str, &str)]) -> Self {
        Self::new("POST", target)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(query(form))
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Another `Host` than the address that is connected to.
    pub(crate) fn host(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn bytes(&self, port: u16) -> Vec<u8> {
        let host = self
            .host
            .clone()
            .unwrap_or_else(|| format!("127.0.0.1:{port}"));
        let mut text = format!(
            "{} {} HTTP/1.1\r\nHost: {host}\r\n",
            self.method, self.target
        );
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() || self.method == "POST" {
            text.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend(&self.body);
        bytes
    }
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header that may be there once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} is there {} times", all.len());
        all.first().copied()
    }

    /// Every value of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let found = self.headers.iter().filter(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is UTF-8")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.text()).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(crate) fn location(&self) -> &str {
        self.header("location")
            .unwrap_or_else(|| panic!("{self:?} leads nowhere"))
    }

    /// The errcode of a body of JSON; 0 when there is none.
    pub(crate) fn errcode(&self) -> i64 {
        self.json()["errcode"].as_i64().unwrap_or(0)
    }

    /// Asserts an answer of the JSON endpoints: 200, this content type to the byte, a body of this
    /// shape (see [`like`]), its length told. Answers what stood in the holes.
    #[track_caller]
    pub(crate) fn says(&self, content_type: &str, shape: &str) -> Vec<String> {
        assert_eq!(self.status, 200, "{}", self.text());
        assert_eq!(self.header("content-type"), Some(content_type));
        assert_eq!(
            self.header("content-length"),
            Some(self.body.len().to_string().as_str())
        );
        assert_eq!(self.header("cache-control"), Some("no-store"));
        match like(self.text(), shape) {
            Some(holes) => holes,
            None => panic!("not of the shape\n  {shape}\n  {}", self.text()),
        }
    }

    /// Asserts a refusal of `/sns/*`: `text/plain` and the errcode with its words and rid
    /// (`docs/facts/wechat.md` §2, §8).
    #[track_caller]
    pub(crate) fn refuses(&self, errcode: i64, words: &str) {
        let shape = format!("{{\"errcode\":{errcode},\"errmsg\":\"{words}, rid: <rid>\"}}");
        self.says("text/plain", &shape);
    }
}

/// Whether a text has a shape: plain text with holes, and what stands in the holes. `<rid>`,
/// `<token>`, `<code>`, `<id>` (an openid or unionid), `<uuid>`, `<key>` (24 of base64),
/// `<ticket>` (letters and digits), `<b64>` (base64) and `<seconds>` (digits).
pub(crate) fn like(text: &str, shape: &str) -> Option<Vec<String>> {
    let Some((before, rest)) = shape.split_once('<') else {
        return (text == shape).then(Vec::new);
    };
    let (hole, after) = rest.split_once('>').expect("a hole is closed");
    let text = text.strip_prefix(before)?;
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let base64 = |b: u8| b.is_ascii_alphanumeric() || b"+/=".contains(&b);
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let length = match hole {
        "rid" => 26,
        "token" => 110,
        "code" => 32,
        "id" => 28,
        "uuid" => 16,
        "key" => 24,
        "ticket" => text.bytes().take_while(|b| word(*b)).count(),
        "b64" => text.bytes().take_while(|b| base64(*b)).count(),
        "seconds" => text.bytes().take_while(u8::is_ascii_digit).count(),
        other => panic!("no hole is called {other}"),
    };
    let found = text.get(..length)?;
    let fits = length > 0
        && match hole {
            "rid" => found.bytes().enumerate().all(|(i, b)| match i {
                8 | 17 => b == b'-',
                _ => hex(b),
            }),
            "token" => {
                found.starts_with('8') && found[2..].starts_with('_') && found.bytes().all(word)
            }
            "code" => found.starts_with('0') && found.bytes().all(|b| b.is_ascii_alphanumeric()),
            "id" => found.starts_with('o') && found.bytes().all(word),
            "uuid" => found.bytes().all(|b| b.is_ascii_alphanumeric()),
            "key" => found.ends_with("==") && found.bytes().all(base64),
            _ => true,
        };
    if !fits {
        return None;
    }
    let mut holes = vec![found.to_owned()];
    holes.extend(like(&text[length..], after)?);
    Some(holes)
}

/// Percent-encodes everything but unreserved characters.
pub(crate) fn enc(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Parameters as a query.
pub(crate) fn query(params: &[(&str, &str)]) -> String {
    let pairs: Vec<_> = params
        .iter()
        .map(|(name, value)| format!("{name}={}", enc(value)))
        .collect();
    pairs.join("&")
}

/// What bytes go over, TLS or not.
pub(crate) trait Stream: Read + Write + Send {}

impl<S: Read + Write + Send> Stream for S {}

/// A connection.
pub(crate) struct Wire {
    port: u16,
    stream: BufReader<Box<dyn Stream>>,
}

impl Wire {
    pub(crate) fn to(port: u16) -> Self {
        Self::over(port, Box::new(Self::dial(port)))
    }

    /// Over a connection that is there already.
    pub(crate) fn over(port: u16, stream: Box<dyn Stream>) -> Self {
        Self {
            port,
            stream: BufReader::new(stream),
        }
    }

    /// A bare connection to a port of this machine.
    pub(crate) fn dial(port: u16) -> TcpStream {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(40)))
            .unwrap();
        stream
    }

    pub(crate) fn ask(&mut self, ask: &Ask) -> Answer {
        self.send(&ask.bytes(self.port));
        self.answer_to(ask.method)
            .unwrap_or_else(|| panic!("no answer to {}", ask.target))
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        // A server that refuses early may have closed its ear already; its answer counts.
        let _ = self.stream.get_mut().write_all(bytes);
    }

    /// Reads the next answer to a GET or POST.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        self.answer_to("GET")
    }

    /// Reads the next answer; `None` when the connection ended before one came.
    pub(crate) fn answer_to(&mut self, method: &str) -> Option<Answer> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        let status = line
            .strip_prefix("HTTP/1.1 ")
            .unwrap_or_else(|| panic!("{line:?}"));
        let status = status[..3].parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            let (name, value) = line
                .split_once(": ")
                .unwrap_or((line.trim_end_matches(':'), ""));
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let mut answer = Answer {
            status,
            headers,
            body: Vec::new(),
        };
        let bodiless = method == "HEAD" || status == 304 || status == 204;
        match answer
            .header("content-length")
            .map(|text| text.parse().unwrap())
        {
            _ if bodiless => {}
            Some(length) => {
                answer.body = vec![0; length];
                self.stream.read_exact(&mut answer.body).ok()?;
            }
            None => {
                self.stream.read_to_end(&mut answer.body).ok()?;
            }
        }
        Some(answer)
    }

    /// Whether the server has ended the connection: reads on to the end.
    pub(crate) fn is_closed(&mut self) -> bool {
        match self.stream.read_to_end(&mut Vec::new()) {
            Ok(_) => true,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }
}
