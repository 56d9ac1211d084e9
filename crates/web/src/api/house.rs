//! What the handlers of the login API share.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use yufu_core::engine::Engine;
use yufu_core::secret::{Secret, SecretHash};
use yufu_dialects::wechat::push::PushKeys;

use super::envelope::Statuses;
use super::ports::{Captcha, CarrierProof, NumberHistory};
use super::sms::Messenger;
use super::upstream::Upstreams;
use crate::clock::Clock;
use crate::metrics::Metrics;

/// Everything a handler of the login API needs.
pub struct LoginHouse {
    /// The rules.
    pub engine: Arc<Engine>,
    /// The time.
    pub clock: Arc<Clock>,
    /// How the house is reached and what it answers.
    pub front: LoginFront,
    /// The upstreams.
    pub upstreams: Arc<Upstreams>,
    /// Who sends passcodes.
    pub messenger: Arc<dyn Messenger>,
    /// Who else is asked.
    pub ports: LoginPorts,
    /// What is counted.
    pub metrics: Metrics,
    closing: AtomicBool,
    running: Arc<Running>,
}

/// Others that may be asked; each is left out where there is none.
#[derive(Clone, Default)]
pub struct LoginPorts {
    /// Whose number a one-tap token is of.
    pub carrier: Option<Arc<dyn CarrierProof>>,
    /// Whether a number has a new owner.
    pub numbers: Option<Arc<dyn NumberHistory>>,
    /// Whether a captcha was solved.
    pub captcha: Option<Arc<dyn Captcha>>,
}

/// How a house of the login API is reached.
#[derive(Clone, Debug)]
pub struct LoginFront {
    /// Its public address without a trailing slash, such as `https://login.example.com`.
    pub public_url: String,
    /// The port in cookie names over plain http.
    pub port: u16,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// `/metrics` answers everybody, not only this machine.
    pub public_metrics: bool,
    /// Origins whose pages may call with their users' cookies, and be returned to.
    pub origins: Vec<String>,
    /// How HTTP statuses are chosen.
    pub statuses: Statuses,
    /// Whether passcodes are sent to phones: without them a number is proved by its carrier alone.
    pub passcodes: bool,
    /// Where browsers bind a phone number; empty for the page of this house.
    pub bind_url: String,
    /// How long a caller waits for an upstream.
    pub answer_budget: Duration,
    /// Servers of the operator's that may ask about sessions.
    pub services: Vec<Service>,
    /// What was agreed on with the upstream for pushes, by app.
    pub pushes: Vec<PushKeys>,
    /// Which gateways tell what became of messages.
    pub arrivals: Vec<Arrivals>,
    /// A house for development: it believes pushes in plain mode too.
    pub is_dev: bool,
}

/// A server of the operator's.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// The hash of its secret.
    pub secret: SecretHash,
}

/// An SMS gateway that tells what became of messages.
#[derive(Clone, Debug)]
pub struct Arrivals {
    /// Its name, as it stands in the path.
    pub gateway: String,
    /// How it writes.
    pub kind: ReceiptKind,
    /// The hash of the secret in the address that it was given.
    pub key: SecretHash,
}

/// How a gateway writes receipts, and what it wants to hear.
#[derive(Clone, Debug)]
pub enum ReceiptKind {
    /// Aliyun's.
    Aliyun,
    /// Tencent Cloud's.
    Tencent,
    /// Our own webhook's: signed with the secret that messages to it are signed with.
    Webhook(Secret),
}

impl LoginFront {
    /// Whether browsers come over TLS.
    pub fn is_secure(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// The origin of the public address.
    pub fn origin(&self) -> &str {
        let after = self.public_url.find("://").map_or(0, |at| at + 3);
        let rest = self.public_url.get(after..).unwrap_or("");
        let end = rest
            .find('/')
            .map_or(self.public_url.len(), |at| after + at);
        self.public_url.get(..end).unwrap_or("")
    }

    /// Whether pages of this origin may act for their users: our own, and the registered ones.
    pub fn is_known(&self, origin: &str) -> bool {
        origin == self.origin() || self.origins.iter().any(|known| known == origin)
    }

    /// Where a browser may be sent when it asks for it itself: a path of ours, or an address whose
    /// origin is known. Anything a browser could read in another way is refused.
    pub fn checked_return<'a>(&self, address: &'a str) -> Option<&'a str> {
        let odd = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
        if address.len() > 2048 || !address.is_ascii() || address.contains(odd) {
            return None;
        }
        if address.starts_with('/') {
            return (!address.starts_with("//")).then_some(address);
        }
        let (scheme, rest) = address.split_once("://")?;
        if !matches!(scheme, "http" | "https") {
            return None;
        }
        let host = rest.split(['/', '?', '#']).next()?;
        self.is_known(&format!("{scheme}://{host}"))
            .then_some(address)
    }
}

/// What was begun and is not over: it goes on when its caller is gone.
#[derive(Default)]
struct Running {
    count: AtomicUsize,
    idle: Notify,
}

/// One of them.
struct Run(Arc<Running>);

impl Run {
    fn begin(running: &Arc<Running>) -> Self {
        running.count.fetch_add(1, Ordering::AcqRel);
        Self(running.clone())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

impl LoginHouse {
    /// A house around an engine.
    pub fn new(
        engine: Arc<Engine>,
        clock: Arc<Clock>,
        front: LoginFront,
        upstreams: Arc<Upstreams>,
        messenger: Arc<dyn Messenger>,
        ports: LoginPorts,
    ) -> Self {
        Self {
            engine,
            clock,
            front,
            upstreams,
            messenger,
            ports,
            metrics: Metrics::default(),
            closing: AtomicBool::new(false),
            running: Arc::default(),
        }
    }

    /// The server is about to stop: `/readyz` says so.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Whether the server is about to stop.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// Waits until everything that was begun is over: an exchange that is cut off may have spent
    /// a code that nobody hears of.
    pub async fn finished(&self) {
        loop {
            let idle = self.running.idle.notified();
            tokio::pin!(idle);
            // In line before the look: the last one may end in between.
            idle.as_mut().enable();
            if self.running.count.load(Ordering::Acquire) == 0 {
                return;
            }
            idle.await;
        }
    }

    /// Begins something that goes on without whoever asked for it.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let run = Run::begin(&self.running);
        tokio::spawn(async move {
            let _run = run;
            work.await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn front() -> LoginFront {
        LoginFront {
            public_url: "https://login.example.com".to_owned(),
            port: 443,
            trusted_proxies: Vec::new(),
            public_metrics: false,
            origins: vec![
                "https://app.example.com".to_owned(),
                "http://127.0.0.1:5173".to_owned(),
            ],
            statuses: Statuses::Strict,
            passcodes: true,
            bind_url: String::new(),
            answer_budget: Duration::from_secs(5),
            services: Vec::new(),
            pushes: Vec::new(),
            arrivals: Vec::new(),
            is_dev: false,
        }
    }

    #[test]
    fn browsers_are_sent_to_known_places_alone() {
        let front = front();
        for good in [
            "/",
            "/welcome?a=b#c",
            "https://login.example.com/x",
            "https://app.example.com",
            "https://app.example.com/x?y=//z",
            "http://127.0.0.1:5173/",
            "https://app.example.com?x",
        ] {
            assert_eq!(front.checked_return(good), Some(good), "{good}");
        }
        for bad in [
            "",
            "x",
            "//evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "/a\nb",
            "/a b",
            " /a",
            "https://evil.example/",
            "https://app.example.com.evil.example/",
            "https://app.example.com@evil.example/",
            "https://app.example.com:444/",
            "http://app.example.com/",
            "javascript:alert(1)",
            "javascript://app.example.com/%0aalert(1)",
            "data:text/html,x",
            "https:/app.example.com",
            "https:app.example.com",
            "HTTPS://evil.example",
            "https://app.example.com\u{3002}evil",
            "https://",
            "/\u{e9}",
        ] {
            assert_eq!(front.checked_return(bad), None, "{bad}");
        }
        assert_eq!(
            front.checked_return(&format!("/{}", "a".repeat(2048))),
            None
        );
    }

    #[test]
    fn the_own_origin_is_that_of_the_public_address() {
        let mut front = front();
        assert_eq!(front.origin(), "https://login.example.com");
        assert!(front.is_known("https://login.example.com"));
        assert!(front.is_known("https://app.example.com"));
        assert!(!front.is_known("null"));
        front.public_url = "http://127.0.0.1:8421/login".to_owned();
        assert_eq!(front.origin(), "http://127.0.0.1:8421");
    }
}
