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
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use http_body_util::BodyExt as _;
use hyper::body::{Body as WireBody, Frame, SizeHint};
use yufu_web::{ByProxy, Peer, clock};

use super::fault;
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
    let router = match behind {
        Behind::Platform => fault::around(router, sandbox),
        Behind::Login | Behind::Demo | Behind::App => router,
    };
    let told = sandbox.clone();
    listen(router, behind, move |seen| told.flows.saw(seen))
}

/// Who is told of what was seen.
trait Told: Fn(Seen) + Clone + Send + Sync + 'static {}

impl<T: Fn(Seen) + Clone + Send + Sync + 'static> Told for T {}

/// Tells somebody of everything that passes on its way to a router.
fn listen<T: Told>(router: Router, behind: Behind, told: T) -> Router {
    router.layer(from_fn(move |request, next| {
        pass(request, next, behind, told.clone())
    }))
}

/// The words of the faults that were played on a request: whoever plays one adds to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Played(Arc<Mutex<Vec<String>>>);

impl Played {
    /// Notes that a fault was played.
    pub(super) fn add(&self, word: &str) {
        lock(&self.0).push(word.to_owned());
    }
}

/// Lets a request and its answer pass.
async fn pass<T: Told>(mut request: Request, next: Next, behind: Behind, told: T) -> Response {
    // An app of somebody's may call its pages as it likes.
    if behind != Behind::App && is_own(request.uri().path()) {
        return next.run(request).await;
    }
    let mut witness = Witness::new(told, behind, &request);
    request.extensions_mut().insert(witness.played.clone());
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
struct Witness<T: Told> {
    told: T,
    seen: Option<Seen>,
    began: Instant,
    played: Played,
    heard: Option<Arc<Mutex<Heard>>>,
}

impl<T: Told> Witness<T> {
    fn new(told: T, behind: Behind, request: &Request) -> Self {
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
            told,
            seen: Some(seen),
            began: clock::mark(),
            played: Played::default(),
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
        seen.faults = std::mem::take(&mut lock(&self.played.0));
        (self.told)(seen);
    }
}

impl<T: Told> Drop for Witness<T> {
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

fn lock<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use axum::response::IntoResponse as _;
    use axum::routing::{any, get, post};
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;

    use super::*;

    type Book = Arc<Mutex<Vec<Seen>>>;

    /// A house with answers of every shape.
    fn house() -> Router {
        let stream = |kind: &'static str| {
            move || async move {
                // A body whose length nobody knows beforehand.
                let body = Body::new(Overheard {
                    body: Body::from("data: news\n\n"),
                    heard: Arc::default(),
                });
                let body = Body::new(Unmeasured(body));
                ([(header::CONTENT_TYPE, kind)], body)
            }
        };
        Router::new()
            .route(
                "/json",
                any(|| async { ([(header::CONTENT_TYPE, "application/json")], "{\"a\":1}") }),
            )
            .route("/echo", post(|body: Bytes| async move { body }))
            .route("/deaf", post(|| async { StatusCode::NO_CONTENT }))
            .route(
                "/picture",
                get(|| async { ([(header::CONTENT_TYPE, "image/jpeg")], vec![255u8; 10]) }),
            )
            .route("/long", get(|| async { "x".repeat(300 * 1024) }))
            .route("/events", get(stream("text/event-stream")))
            .route("/stream", get(stream("text/plain")))
            .route(
                "/go",
                get(|| async { (StatusCode::FOUND, [(header::LOCATION, "/json")]) }),
            )
            .route(
                "/cut",
                get(|| async {
                    let mut response = "never told".into_response();
                    response.extensions_mut().insert(Cut);
                    response
                }),
            )
            .route("/never", get(std::future::pending::<()>))
            .route("/phone/json", any(|| async { "own" }))
            .route("/phones", any(|| async { "not own" }))
    }

    /// Hides how long a body is.
    struct Unmeasured(Body);

    impl WireBody for Unmeasured {
        type Data = Bytes;
        type Error = axum::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
            Pin::new(&mut self.0).poll_frame(context)
        }
    }

    fn tapped() -> (Router, Book) {
        let book = Book::default();
        let told = book.clone();
        let router = listen(house(), Behind::Platform, move |seen| {
            lock(&told).push(seen)
        });
        (router, book)
    }

    fn request(method: &str, target: &str, body: impl Into<Body>) -> Request {
        Request::builder()
            .method(method)
            .uri(target)
            .header("host", "127.0.0.1:8420")
            .body(body.into())
            .unwrap()
    }

    async fn call(router: Router, request: Request) -> Response {
        let Ok(response) = TowerToHyperService::new(router).call(request).await;
        response
    }

    async fn wire(response: Response) -> (StatusCode, HeaderMap, SizeHint, Bytes) {
        let (parts, body) = response.into_parts();
        let hint = body.size_hint();
        let bytes = body.collect().await.unwrap().to_bytes();
        (parts.status, parts.headers, hint, bytes)
    }

    #[tokio::test]
    async fn what_the_house_said_goes_out_as_it_was() {
        let (tapped, _) = tapped();
        for method in ["GET", "HEAD", "POST", "DELETE"] {
            for path in [
                "/json",
                "/echo",
                "/deaf",
                "/picture",
                "/long",
                "/events",
                "/stream",
                "/go",
                "/cut",
                "/phone/json",
                "/phones",
                "/nowhere",
            ] {
                let bare = wire(call(house(), request(method, path, "a=1&b=2")).await).await;
                let heard =
                    wire(call(tapped.clone(), request(method, path, "a=1&b=2")).await).await;
                assert_eq!(bare.0, heard.0, "{method} {path}");
                assert_eq!(bare.1, heard.1, "{method} {path}");
                assert_eq!(bare.2.exact(), heard.2.exact(), "{method} {path}");
                assert_eq!(bare.3, heard.3, "{method} {path}");
            }
        }
    }

    async fn seen(request: Request) -> Option<Seen> {
        let (router, book) = tapped();
        let _ = wire(call(router, request).await).await;
        let mut seen = std::mem::take(&mut *lock(&book));
        assert!(seen.len() < 2, "one request is told of once");
        seen.pop()
    }

    #[tokio::test]
    async fn requests_and_answers_are_told_of() {
        let seen = seen(request("POST", "/echo?q=%E6%A2%85", "a=1"))
            .await
            .unwrap();
        assert_eq!(
            (seen.method.as_str(), seen.target.as_str()),
            ("POST", "/echo?q=%E6%A2%85")
        );
        assert_eq!(
            (seen.scheme, seen.host.as_str(), seen.by_proxy),
            ("http", "127.0.0.1:8420", false)
        );
        assert_eq!((seen.body.as_ref(), seen.body_cut), (&b"a=1"[..], false));
        assert_eq!(seen.headers["host"], "127.0.0.1:8420");
        let answer = seen.answer.unwrap();
        assert_eq!(answer.status, StatusCode::OK);
        // Bytes without a type are no text.
        assert_eq!((answer.body.len(), answer.body_cut), (0, false));
    }

    #[tokio::test]
    async fn by_the_proxy_the_name_is_the_platforms() {
        let mut request = request("GET", "/json", "");
        request.headers_mut().remove("host");
        let (host, scheme) = ("api.weixin.qq.com", "https");
        request.extensions_mut().insert(ByProxy { host, scheme });
        let seen = seen(request).await.unwrap();
        assert_eq!(
            (seen.scheme, seen.host.as_str(), seen.by_proxy),
            (scheme, host, true)
        );
        assert_eq!(seen.answer.unwrap().body, "{\"a\":1}");
    }

    #[tokio::test]
    async fn what_is_kept_is_text_with_an_end() {
        for (path, kept, cut) in [
            ("/json", 7, false),
            ("/picture", 0, false),
            ("/events", 0, false),
            ("/stream", 0, true),
            ("/long", 0, true),
            ("/go", 0, false),
        ] {
            let seen = seen(request("GET", path, "")).await.unwrap();
            let answer = seen.answer.unwrap();
            assert_eq!((answer.body.len(), answer.body_cut), (kept, cut), "{path}");
        }
        assert!(
            seen(request("GET", "/cut", ""))
                .await
                .unwrap()
                .answer
                .is_none()
        );
    }

    #[tokio::test]
    async fn bodies_that_nobody_reads_or_that_are_too_long_are_marked() {
        let unread = seen(request("POST", "/deaf", "a=1")).await.unwrap();
        assert_eq!((unread.body.len(), unread.body_cut), (0, true));
        let long = seen(request("POST", "/echo", "x".repeat(HEARD + 1)))
            .await
            .unwrap();
        assert_eq!((long.body.len(), long.body_cut), (0, true));
        let whole = seen(request("POST", "/echo", "x".repeat(HEARD)))
            .await
            .unwrap();
        assert_eq!((whole.body.len(), whole.body_cut), (HEARD, false));
    }

    #[tokio::test]
    async fn the_sandboxs_own_pages_are_no_part_of_a_login() {
        assert!(seen(request("GET", "/phone/json", "")).await.is_none());
        assert!(seen(request("GET", "/assets/x.js", "")).await.is_none());
        assert!(seen(request("GET", "/phones", "")).await.is_some());
    }

    #[tokio::test]
    async fn whoever_does_not_wait_for_the_answer_is_told_of_all_the_same() {
        let (router, book) = tapped();
        let call = call(router, request("GET", "/never", ""));
        let hasty = tokio::time::timeout(std::time::Duration::from_millis(10), call);
        assert!(hasty.await.is_err());
        let seen = lock(&book).pop().unwrap();
        assert_eq!(
            (seen.target.as_str(), seen.answer.is_none()),
            ("/never", true)
        );
    }
}
