//! Speaking to a running sandbox's `/_sandbox`, for the commands that do.

use std::time::Duration;

use axum::body::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// The longest that an answer may take: pushing an event waits for the app.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most bytes of an answer: an export of ten thousand flows.
const MOST: usize = 512 * 1024 * 1024;

/// A client of one sandbox. It carries the token, and makes lines for people of what is refused.
#[derive(Clone)]
pub struct Client {
    http: HttpClient<HttpConnector, Full<Bytes>>,
    base: String,
    token: String,
}

impl Client {
    /// A client of the sandbox whose platform is at `base`.
    pub fn new(base: &str, token: &str) -> Self {
        Self {
            // Each request has a connection of its own: one that the sandbox just closed would look
            // like a sandbox that is gone.
            http: HttpClient::builder(TokioExecutor::new())
                .pool_max_idle_per_host(0)
                .build_http(),
            base: base.trim_end_matches('/').to_owned(),
            token: token.to_owned(),
        }
    }

    /// Where it is.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Reads.
    ///
    /// # Errors
    /// In the user's words, every complaint on a line of its own.
    pub async fn get(&self, path: &str) -> Result<Value, String> {
        self.ask(Method::GET, path, &Value::Null).await
    }

    /// Makes, or does.
    ///
    /// # Errors
    /// As for [`Client::get`].
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.ask(Method::POST, path, body).await
    }

    /// Sets.
    ///
    /// # Errors
    /// As for [`Client::get`].
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.ask(Method::PUT, path, body).await
    }

    /// Hands a file in, as it stands.
    ///
    /// # Errors
    /// As for [`Client::get`].
    pub async fn hand_in(&self, path: &str, kind: &str, text: String) -> Result<Value, String> {
        let bytes = self
            .exchange_as(Method::POST, path, kind, Bytes::from(text))
            .await?;
        serde_json::from_slice(&bytes).map_err(|_| self.no_json(path))
    }

    /// Changes.
    ///
    /// # Errors
    /// As for [`Client::get`].
    pub async fn patch(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.ask(Method::PATCH, path, body).await
    }

    /// Takes away.
    ///
    /// # Errors
    /// As for [`Client::get`].
    pub async fn delete(&self, path: &str) -> Result<Value, String> {
        self.ask(Method::DELETE, path, &Value::Null).await
    }

    /// Reads what is not JSON.
    ///
    /// # Errors
    /// As for [`Client::get`].
    pub async fn text(&self, path: &str) -> Result<String, String> {
        let bytes = self.exchange(Method::GET, path, &Value::Null).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Opens an answer that does not end, such as the stream of flows; the caller reads its frames.
    ///
    /// # Errors
    /// As for [`Client::get`].
    pub async fn open(&self, path: &str) -> Result<Incoming, String> {
        let answer = self.send(Method::GET, path, "", Bytes::new()).await?;
        match answer.status().is_success() {
            true => Ok(answer.into_body()),
            false => Err(self.refused(answer).await),
        }
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> Result<Value, String> {
        let bytes = self.exchange(method, path, body).await?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).map_err(|_| self.no_json(path))
    }

    fn no_json(&self, path: &str) -> String {
        let base = &self.base;
        format!("{base}{path} did not answer with JSON: is it a sandbox of this version?")
    }

    async fn exchange(&self, method: Method, path: &str, body: &Value) -> Result<Bytes, String> {
        let (kind, bytes) = match body {
            Value::Null => ("", Bytes::new()),
            body => ("application/json", Bytes::from(body.to_string())),
        };
        self.exchange_as(method, path, kind, bytes).await
    }

    async fn exchange_as(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: Bytes,
    ) -> Result<Bytes, String> {
        let whole = async {
            let answer = self.send(method, path, kind, body).await?;
            if !answer.status().is_success() {
                return Err(self.refused(answer).await);
            }
            let body = Limited::new(answer.into_body(), MOST).collect().await;
            let body = body.map_err(|_| format!("{}{path} broke its answer off", self.base))?;
            Ok(body.to_bytes())
        };
        let in_time = tokio::time::timeout(PATIENCE, whole).await;
        in_time.unwrap_or_else(|_| Err(format!("{}{path} did not answer in time", self.base)))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, String> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        if !self.token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        }
        if !kind.is_empty() {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let request = request.body(Full::new(body));
        let request = request.map_err(|_| format!("{}{path} is no address to ask", self.base))?;
        self.http.request(request).await.map_err(|_| {
            format!(
                "the sandbox at {} does not answer.\n  Start one with: yufu dev",
                self.base
            )
        })
    }

    async fn refused(&self, answer: Response<Incoming>) -> String {
        let status = answer.status();
        let body = Limited::new(answer.into_body(), 1024 * 1024)
            .collect()
            .await;
        let bytes = body.map(|body| body.to_bytes()).unwrap_or_default();
        lines(status, &serde_json::from_slice(&bytes).unwrap_or_default())
    }
}

/// The complaints of a refusal as lines: where, what, and what to do.
fn lines(status: StatusCode, body: &Value) -> String {
    let error = &body["error"];
    let said = |complaint: &Value| {
        let text = |key: &str| complaint[key].as_str().filter(|text| !text.is_empty());
        let what = text("what")?;
        let mut line = match text("at") {
            Some(at) => format!("{at}: {what}"),
            None => what.to_owned(),
        };
        if let Some(number) = complaint["line"].as_u64() {
            line = format!("line {number}: {line}");
        }
        if let Some(remedy) = text("remedy") {
            line.push_str("\n  ");
            line.push_str(remedy);
        }
        Some(line)
    };
    let complaints = error["complaints"].as_array().into_iter().flatten();
    let lines: Vec<_> = complaints.filter_map(said).collect();
    match (lines.is_empty(), error["code"].as_str()) {
        (false, _) => lines.join("\n"),
        (true, Some(code)) => format!("the sandbox refused: {code} ({status})"),
        (true, None) => format!("the sandbox refused: {status}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_complaint_is_a_line_with_its_remedy() {
        let body = json!({"error": {"code": "invalid", "complaints": [
            {"at": "faults[0].status", "what": "699 is no status", "remedy": "Give 400 to 599."},
            {"what": "there is no person zoe"},
        ]}});
        let said = lines(StatusCode::BAD_REQUEST, &body);
        assert_eq!(
            said,
            "faults[0].status: 699 is no status\n  Give 400 to 599.\nthere is no person zoe"
        );
        let said = lines(StatusCode::BAD_GATEWAY, &Value::Null);
        assert_eq!(said, "the sandbox refused: 502 Bad Gateway");
    }

    #[tokio::test]
    async fn a_sandbox_that_is_gone_is_said_with_the_remedy() {
        let said = Client::new("http://127.0.0.1:9", "t")
            .get("/_sandbox/state")
            .await;
        let said = said.unwrap_err();
        assert!(
            said.contains("does not answer") && said.contains("yufu dev"),
            "{said}"
        );
    }
}
