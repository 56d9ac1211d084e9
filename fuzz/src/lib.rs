//! What the fuzz targets hold true, one module per parser. Inputs are text where that is possible,
//! so that seeds can be read and written by hand.

pub mod authorize;
pub mod call;
pub mod config;
pub mod files;
pub mod first_line;
pub mod identities;
pub mod login_body;
mod own;
pub mod params;
pub mod phone;
pub mod push;
pub mod recipe;
pub mod redirect;
pub mod secret;
pub mod sms;
pub mod ticket;
pub mod token;
pub mod upstream_answer;

/// Stands where the binary has its client for other servers: its settings fill this in.
mod fetch {
    use std::path::PathBuf;

    #[expect(dead_code, reason = "filled in, and read by the real client alone")]
    pub struct OutboundOptions {
        pub allow: Vec<String>,
        pub dev: bool,
        pub extra_roots: Option<PathBuf>,
    }
}

// What the binary's sources call by these names is here.
extern crate self as axum;
extern crate self as reqwest;
pub use ::http::{self, Method};
pub use url::Url;

pub(crate) use own::{check, read, sandbox};

use std::collections::HashMap;

use yufu_dialects::http::{Method as Verb, Request};

/// A request from text that looks like one: `GET /path?query`, headers, an empty line, a body.
pub fn request(data: &[u8]) -> Request {
    let (head, body) = match data.windows(2).position(|pair| pair == b"\n\n") {
        Some(at) => (&data[..at], &data[at + 2..]),
        None => (data, &data[data.len()..]),
    };
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split('\n');
    let first = lines.next().unwrap_or_default();
    let (method, target) = match first.split_once(' ') {
        Some(("POST", target)) => (Verb::Post, target),
        Some(("GET", target)) => (Verb::Get, target),
        _ => (Verb::Get, first),
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request::get(path, query);
    request.method = method;
    request.body = body.to_vec();
    for line in lines {
        match line.split_once(": ") {
            Some(("accept", value)) => request.accept = value.to_owned(),
            Some(("accept-language", value)) => request.accept_language = value.to_owned(),
            Some(("content-type", value)) => request.content_type = value.to_owned(),
            _ => {}
        }
    }
    request
}

/// The parameters of a request as another library reads them: the last within a part, the query
/// before the body. Bytes that are not UTF-8 show as U+FFFD.
pub fn parameters(request: &Request) -> HashMap<String, String> {
    let mut all = HashMap::new();
    if request.method == Verb::Post {
        all.extend(url::form_urlencoded::parse(&request.body).into_owned());
    }
    all.extend(url::form_urlencoded::parse(request.query.as_bytes()).into_owned());
    all
}

/// The same parameters written anew, all in the query.
pub fn rewritten(request: &Request) -> Request {
    let mut pairs: Vec<_> = parameters(request).into_iter().collect();
    pairs.sort();
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    Request {
        query,
        body: Vec::new(),
        ..request.clone()
    }
}

/// Whether any of the request's parameters was not UTF-8 (or held U+FFFD to begin with).
pub fn has_replacement(request: &Request) -> bool {
    let odd = |text: &String| text.contains('\u{fffd}');
    parameters(request)
        .iter()
        .any(|(name, value)| odd(name) || odd(value))
}

/// Every complaint has words, and a line that is there.
fn told(text: &str, complaints: &read::Complaints) {
    assert!(!complaints.0.is_empty(), "refused without a word");
    for complaint in &complaints.0 {
        assert!(!complaint.to_string().trim().is_empty());
        assert!(!complaint.what.is_empty(), "{complaint:?}");
        let lines = text.lines().count().max(1) + 1;
        assert!(
            complaint
                .line
                .is_none_or(|line| (1..=lines).contains(&line)),
            "{complaint:?}"
        );
    }
}
