//! HTTP as a browser or an app speaks it to a backend: one request, one answer, within a time.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde_json::Value;
use yufu_web::clock;

/// The most bytes of an answer that are read.
const MOST: usize = 2 * 1024 * 1024;

/// The client of the check. It keeps nothing and follows nothing by itself.
#[derive(Clone)]
pub struct Wire {
    client: reqwest::Client,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The method.
    pub method: Method,
    /// The address.
    pub url: Url,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body, with its kind.
    pub body: Option<(&'static str, String)>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Who was asked.
    pub url: Url,
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as much as is read.
    pub body: String,
    /// How long it took.
    pub took: Duration,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Nobody listens there.
    Down,
    /// The connection was broken off.
    Cut,
    /// Nothing came within the time.
    Hung,
}

impl Wire {
    /// A client.
    ///
    /// # Errors
    /// In the user's words.
    pub fn new() -> Result<Self, String> {
        let tls = crate::fetch::tls(None)?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .http1_only()
            // A request into a connection that just ended would look like a fault of the backend.
            .pool_max_idle_per_host(0)
            .user_agent(concat!(
                "Mozilla/5.0 yufu-check/",
                env!("CARGO_PKG_VERSION")
            ))
            .build()
            .map_err(|error| format!("the client for your backend: {error}"))?;
        Ok(Self { client })
    }

    /// Asks.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn ask(&self, ask: &Ask, patience: Duration) -> Result<Answer, Silence> {
        let began = clock::mark();
        let mut request = reqwest::Request::new(ask.method.clone(), ask.url.clone());
        for (name, value) in &ask.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            let value =
                HeaderValue::from_str(value).or_else(|_| HeaderValue::from_bytes(value.as_bytes()));
            if let (Ok(name), Ok(value)) = (name, value) {
                request.headers_mut().insert(name, value);
            }
        }
        if let Some((kind, body)) = &ask.body {
            let kind = HeaderValue::from_static(kind);
            request
                .headers_mut()
                .insert(reqwest::header::CONTENT_TYPE, kind);
            *request.body_mut() = Some(body.clone().into());
        }
        let whole = async {
            let mut response = self.client.execute(request).await?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let mut body = Vec::new();
            while body.len() < MOST
                && let Some(piece) = response.chunk().await?
            {
                body.extend_from_slice(&piece);
            }
            Ok::<_, reqwest::Error>((status, headers, body))
        };
        match tokio::time::timeout(patience, whole).await {
            Ok(Ok((status, headers, body))) => Ok(Answer {
                url: ask.url.clone(),
                status,
                headers,
                body: String::from_utf8_lossy(&body).into_owned(),
                took: began.elapsed(),
            }),
            Ok(Err(error)) if error.is_connect() => Err(Silence::Down),
            Ok(Err(_)) => Err(Silence::Cut),
            Err(_) => Err(Silence::Hung),
        }
    }
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.body).ok()
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Every `Set-Cookie`.
    pub fn set_cookies(&self) -> impl Iterator<Item = &str> {
        let all = self.headers.get_all(reqwest::header::SET_COOKIE).iter();
        all.filter_map(|value| value.to_str().ok())
    }

    /// The address it leads to, as a whole one.
    pub fn location(&self) -> Option<Url> {
        self.url.join(self.header("location")?).ok()
    }

    /// Whether it is a page.
    pub fn is_page(&self) -> bool {
        let kind = self.header("content-type").unwrap_or_default();
        let body = self.body.trim_start();
        kind.starts_with("text/html") || body.starts_with("<!") || body.starts_with("<html")
    }

    /// One line about it, for people: status, and the beginning of the body.
    pub fn line(&self) -> String {
        let mut line = format!("HTTP {}", self.status);
        if let Some(location) = self.header("location") {
            let plain = location.split('?').next().unwrap_or_default();
            line.push_str(&format!(" to {plain}"));
            // What an error is called in an address is no secret, and says most.
            let query = location.split_once('?').map_or("", |(_, query)| query);
            let error = query.split('&').find(|pair| pair.starts_with("error"));
            if let Some(error) = error {
                line.push_str(&format!("?{error}"));
            }
        }
        let body: String = self.body.split_whitespace().collect::<Vec<_>>().join(" ");
        if !body.is_empty() {
            let mut short: String = body.chars().take(120).collect();
            if short.len() < body.len() {
                short.push('…');
            }
            line.push_str(&format!(": {short}"));
        }
        line
    }
}

impl Silence {
    /// In the user's words.
    pub fn words(self, patience: Duration) -> String {
        match self {
            Self::Down => "nothing listens there".to_owned(),
            Self::Cut => "the connection was broken off without an answer".to_owned(),
            Self::Hung => format!("no answer within {} s", patience.as_secs()),
        }
    }
}
