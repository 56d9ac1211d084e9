//! How the backend under test speaks to the platform.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::backend::Fault;

/// The platform, as a backend sees it.
pub(crate) struct Platform {
    http: Client<HttpConnector, Full<Bytes>>,
    base: String,
    patience: Duration,
    insists: bool,
}

/// Why a call did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The platform's errcode.
    Errcode(i64),
    /// No answer, or none that can be read.
    Unread,
    /// Half an answer.
    Half(String),
}

impl Platform {
    pub(crate) fn new(base: &str, faults: &[Fault]) -> Self {
        let has = |fault| faults.contains(&fault);
        Self {
            http: Client::builder(TokioExecutor::new()).build_http(),
            base: base.to_owned(),
            patience: match has(Fault::WaitsForever) {
                true => Duration::from_secs(600),
                false => Duration::from_secs(2),
            },
            insists: has(Fault::InsistsOnJson),
        }
    }

    pub(crate) async fn get(&self, path: &str, pairs: &[(&str, &str)]) -> Result<Value, Trouble> {
        let pairs: Vec<String> = pairs
            .iter()
            .map(|(name, value)| format!("{name}={}", yufu::check::template::percent(value)))
            .collect();
        let url = format!("{}{path}?{}", self.base, pairs.join("&"));
        let asked = async {
            let request = hyper::Request::get(&url).header("accept", "application/json");
            let request = request.body(Full::new(Bytes::new())).ok()?;
            let answer = self.http.request(request).await.ok()?;
            let kind = answer.headers().get("content-type").cloned();
            let is_json = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
            let insists = self.insists && path.ends_with("access_token");
            let bytes = answer.into_body().collect().await.ok()?.to_bytes();
            (is_json || !insists).then_some(bytes)
        };
        let bytes = tokio::time::timeout(self.patience, asked).await;
        let bytes = bytes.ok().flatten().ok_or(Trouble::Unread)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let value: Value = serde_json::from_str(&text).map_err(|_| Trouble::Half(text))?;
        match value["errcode"].as_i64() {
            Some(0) | None => Ok(value),
            Some(errcode) => Err(Trouble::Errcode(errcode)),
        }
    }
}
