//! Requests and replies as plain values, and the tolerant parameter reader of the Chinese dialects.

use percent_encoding::percent_decode;
use yufu_core::time::Timestamp;

/// The methods that dialects know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
}

/// A request as a dialect hears it: raw, and bounded in size by the door.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, percent-encoding untouched.
    pub path: String,
    /// The query without its `?`, percent-encoding untouched.
    pub query: String,
    /// The `Accept` header; empty when absent.
    pub accept: String,
    /// The `Accept-Language` header; empty when absent.
    pub accept_language: String,
    /// The `Content-Type` header; empty when absent.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// A GET of a path and query, for tests and documents.
    pub fn get(path: &str, query: &str) -> Self {
        Self {
            method: Method::Get,
            path: path.to_owned(),
            query: query.to_owned(),
            accept: String::new(),
            accept_language: String::new(),
            content_type: String::new(),
            body: Vec::new(),
        }
    }

    /// A POST of a form.
    pub fn post(path: &str, query: &str, form: &str) -> Self {
        Self {
            method: Method::Post,
            content_type: "application/x-www-form-urlencoded".to_owned(),
            body: form.as_bytes().to_vec(),
            ..Self::get(path, query)
        }
    }

    /// The parameters of the query and, on a POST, of the form in the body whatever its type
    /// says. On a repeat the last one within a part counts, and the query before the body
    /// (`docs/facts/wechat.md` §2).
    pub fn params(&self) -> Params {
        let mut params = Params::default();
        params.read(self.query.as_bytes());
        let from_query = params.0.len();
        if self.method == Method::Post {
            let mut body = Params::default();
            body.read(&self.body);
            for (name, value) in body.0 {
                if !params
                    .0
                    .iter()
                    .take(from_query)
                    .any(|(known, _)| *known == name)
                {
                    params.set(name, value);
                }
            }
        }
        params
    }

    /// The last segment of the path, for addresses that end in an identifier.
    pub fn last_segment(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or("")
    }
}

/// Decoded parameters. A value that is not UTF-8 after decoding is kept as `None`: it is there,
/// and it is malformed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, Option<String>)>);

impl Params {
    /// Reads `a=b&c=d` as browsers do: `+` is a space, a stray `%` stays as it is, empty pieces
    /// are skipped (one client ends every query with `&`).
    fn read(&mut self, text: &[u8]) {
        for piece in text
            .split(|byte| *byte == b'&')
            .filter(|piece| !piece.is_empty())
        {
            let mut halves = piece.splitn(2, |byte| *byte == b'=');
            let name = decode(halves.next().unwrap_or_default());
            let value = decode(halves.next().unwrap_or_default());
            if let Some(name) = name {
                self.set(name, value);
            }
        }
    }

    fn set(&mut self, name: String, value: Option<String>) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some(slot) => slot.1 = value,
            None => self.0.push((name, value)),
        }
    }

    /// A parameter's value; `None` when absent or malformed.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .and_then(|(_, value)| value.as_deref())
    }

    /// A parameter that is there and not empty.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// The names that are there, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Whether a parameter is there but not UTF-8.
    pub fn is_malformed(&self, name: &str) -> bool {
        self.0
            .iter()
            .any(|(known, value)| known == name && value.is_none())
    }
}

fn decode(bytes: &[u8]) -> Option<String> {
    let spaced: Vec<u8> = bytes
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    percent_decode(&spaced)
        .decode_utf8()
        .ok()
        .map(|text| text.into_owned())
}

/// What a dialect needs besides the outcome to write an answer: when, and a few random bits for
/// the request id that it prints.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// The moment of the request.
    pub now: Timestamp,
    /// Random bits.
    pub noise: u64,
}

/// A reply, to the byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Headers besides the length; names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// A 200 with this content type and body.
    pub fn ok(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            headers: vec![("content-type", content_type.to_owned())],
            body: body.into(),
        }
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_and_form_are_merged_query_first_last_within_a_part() {
        let request = Request::post("/x", "a=1&a=2&b=q", "b=f&c=3&c=4&");
        let params = request.params();
        assert_eq!(params.get("a"), Some("2"));
        assert_eq!(params.get("b"), Some("q"));
        assert_eq!(params.get("c"), Some("4"));
        assert_eq!(params.get("d"), None);
    }

    #[test]
    fn a_get_has_no_form() {
        let mut request = Request::get("/x", "a=1&");
        request.body = b"b=2".to_vec();
        assert_eq!(request.params().get("b"), None);
    }

    #[test]
    fn decoding_is_that_of_browsers() {
        let request = Request::get("/x", "s=a+b%20c%zz%&e=&n&u=%E6%A2%85&bad=%ff");
        let params = request.params();
        assert_eq!(params.get("s"), Some("a b c%zz%"));
        assert_eq!(params.get("e"), Some(""));
        assert_eq!(params.filled("e"), None);
        assert_eq!(params.get("n"), Some(""));
        assert_eq!(params.get("u"), Some("梅"));
        assert_eq!(params.get("bad"), None);
        assert!(params.is_malformed("bad") && !params.is_malformed("u"));
    }
}
