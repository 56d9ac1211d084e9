//! The tap: everything that crosses a door of the sandbox passes here. It lets faults play, and
//! tells the book of flows what it saw.
//!
//! Nothing waits for the tap. The body of a request is overheard while the house reads it, by the
//! house's own limits and patience; an answer is kept where it lies in memory already. What the
//! house said goes out byte for byte, unless a fault plays.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http_body_util::BodyExt as _;
use hyper::body::{Body as WireBody, Frame, SizeHint};
use yufu_web::{ByProxy, Peer, clock};

use super::seen::{Behind, Seen, SeenAnswer};
use super::state::Sandbox;
use crate::listen::Cut;

/// The most bytes of a request's body that are kept: the house reads no longer one.
const HEARD: usize = 64 * 1024;
/// The most bytes of an answer's body that are kept.
const SAID: u64 = 256 * 1024;

/// What is the sandbox's own, or no part of any login: it passes without being looked at.
const OWN: [&str; 10] = [
    "/_sandbox",
    "/assets",
    "/dev",
    "/flows",
    "/healthz",
    "/metrics",
    "/openapi.json",
    "/phone",
    "/proxy.pac",
    "/readyz",
];

/// Puts the tap before a router.
pub(super) fn around(router: Router, sandbox: &Arc<Sandbox>, behind: Behind) -> Router {
    let state = (sandbox.clone(), behind);
    router.layer(from_fn_with_state(state, pass))
}

/// Lets a request and its answer pass.
async fn pass(
    State((sandbox, behind)): State<(Arc<Sandbox>, Behind)>,
    request: Request,
    next: Next,
) -> Response {
    // An app of somebody's may call its pages as it likes.
    if behind != Behind::App && is_own(request.uri().path()) {
        return next.run(request).await;
    }
    let mut witness = Witness::new(&sandbox, behind, &request);
    let request = witness.overhear(request);
    let response = next.run(request).await;
    let (response, answer) = keep(response).await;
    witness.tell(answer);
    response
}

/// Whether a path is the sandbox's own.
fn is_own(path: &str) -> bool {
    OWN.iter().any(|own| {
        path.strip_prefix(own)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Whoever saw a request. Tells of it once: with its answer, or without one if nobody waited for
/// that.
struct Witness {
    sandbox: Arc<Sandbox>,
    seen: Option<Seen>,
    began: Instant,
    heard: Option<Arc<Mutex<Heard>>>,
}

impl Witness {
    fn new(sandbox: &Arc<Sandbox>, behind: Behind, request: &Request) -> Self {
        let proxied = request.extensions().get::<ByProxy>();
        let named = request.headers().get(header::HOST);
        let host = match (proxied, named.and_then(|host| host.to_str().ok())) {
            (Some(proxied), None) => proxied.host.to_owned(),
            (_, Some(host)) => host.to_owned(),
            // HTTP/2 has the host in the address.
            (None, None) => request
                .uri()
                .authority()
                .map_or("", |at| at.as_str())
                .into(),
        };
        let seen = Seen {
            began: clock::real(),
            took: std::time::Duration::ZERO,
            behind,
            by_proxy: proxied.is_some(),
            scheme: proxied.map_or("http", |proxied| proxied.scheme),
            host,
            method: request.method().as_str().to_owned(),
            target: request
                .uri()
                .path_and_query()
                .map_or("/", |target| target.as_str())
                .to_owned(),
            headers: request.headers().clone(),
            body: Bytes::new(),
            body_cut: false,
            answer: None,
            faults: Vec::new(),
            peer: request.extensions().get::<Peer>().map(|peer| peer.0),
        };
        Self {
            sandbox: sandbox.clone(),
            seen: Some(seen),
            began: clock::mark(),
            heard: None,
        }
    }

    /// Hears the body along with the house.
    fn overhear(&mut self, request: Request) -> Request {
        if request.body().is_end_stream() {
            return request;
        }
        let heard = Arc::new(Mutex::new(Heard::default()));
        self.heard = Some(heard.clone());
        request.map(|body| Body::new(Overheard { body, heard }))
    }

    /// Tells what was seen.
    fn tell(&mut self, answer: Option<SeenAnswer>) {
        let Some(mut seen) = self.seen.take() else {
            return;
        };
        if let Some(heard) = &self.heard {
            (seen.body, seen.body_cut) = lock(heard).whole();
        }
        seen.took = self.began.elapsed();
        seen.answer = answer;
        self.sandbox.flows.saw(seen);
    }
}

impl Drop for Witness {
    /// The caller went away before there was an answer.
    fn drop(&mut self) {
        self.tell(None);
    }
}

/// What was heard of a body.
#[derive(Default)]
struct Heard {
    pieces: Vec<Bytes>,
    length: usize,
    too_long: bool,
    ended: bool,
}

impl Heard {
    /// The body as far as it was kept, and whether there was more of it, or may have been.
    fn whole(&mut self) -> (Bytes, bool) {
        let body = match self.pieces.as_mut_slice() {
            [] => Bytes::new(),
            [all] => std::mem::take(all),
            pieces => pieces.concat().into(),
        };
        (body, self.too_long || !self.ended)
    }

    fn hear(&mut self, data: &Bytes) {
        self.too_long = self.too_long || self.length + data.len() > HEARD;
        if !self.too_long {
            self.length += data.len();
            self.pieces.push(data.clone());
        }
    }
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A body that is overheard while somebody else reads it. The bytes are shared, not copied.
struct Overheard {
    body: Body,
    heard: Arc<Mutex<Heard>>,
}

impl WireBody for Overheard {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let mut heard = lock(&self.heard);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    heard.hear(data);
                }
                heard.ended = self.body.is_end_stream();
            }
            Poll::Ready(None) => heard.ended = true,
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Keeps a copy of an answer: its body only if it is text, and lies in memory.
async fn keep(response: Response) -> (Response, Option<SeenAnswer>) {
    if response.extensions().get::<Cut>().is_some() {
        return (response, None);
    }
    let (parts, body) = response.into_parts();
    let mut answer = SeenAnswer {
        status: parts.status,
        headers: parts.headers.clone(),
        body: Bytes::new(),
        body_cut: false,
    };
    let length = body.size_hint().exact();
    let body = match length {
        Some(0) => body,
        Some(..=SAID) if is_text(&parts.headers) => match body.collect().await {
            Ok(whole) => {
                answer.body = whole.to_bytes();
                Body::from(answer.body.clone())
            }
            // Nothing that lies in memory fails; an answer without an end would be told as none.
            Err(_) => return (Response::from_parts(parts, Body::empty()), None),
        },
        _ => {
            answer.body_cut = is_text(&parts.headers);
            body
        }
    };
    (Response::from_parts(parts, body), Some(answer))
}

/// Whether an answer can be read, and has an end.
fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let words = ["json", "xml", "javascript", "x-www-form-urlencoded"];
    let text = kind.starts_with("text/") && !kind.starts_with("text/event-stream");
    text || words.iter().any(|word| kind.contains(word))
}
