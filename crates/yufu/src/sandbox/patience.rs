//! How long the body of a request may take to arrive. The house has patience of its own with what
//! it reads; in the sandbox others read before it, and must not wait for ever either.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::map_request;
use hyper::body::{Body as WireBody, Frame, SizeHint};
use tokio::time::Sleep;

use crate::listen::PATIENCE;

/// A body did not arrive in time.
#[derive(Clone, Copy, Debug)]
pub(super) struct TooSlow;

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body took too long")
    }
}

impl std::error::Error for TooSlow {}

/// Bounds how long bodies take before a router.
pub(super) fn around(router: Router) -> Router {
    within(router, PATIENCE)
}

fn within(router: Router, patience: Duration) -> Router {
    router.layer(map_request(move |request: Request| async move {
        if request.body().is_end_stream() {
            return request;
        }
        request.map(|body| {
            let end = Box::pin(tokio::time::sleep(patience));
            Body::new(Bounded { body, end })
        })
    }))
}

/// A body that fails where it does not end in time.
struct Bounded {
    body: Body,
    end: Pin<Box<Sleep>>,
}

impl WireBody for Bounded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame);
        }
        ready!(self.end.as_mut().poll(context));
        Poll::Ready(Some(Err(axum::Error::new(TooSlow))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::post;
    use http_body_util::BodyExt as _;
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;

    use super::*;

    /// Begins, and never ends.
    struct Endless(Option<&'static str>);

    impl WireBody for Endless {
        type Data = Bytes;
        type Error = axum::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
            match self.0.take() {
                Some(begin) => Poll::Ready(Some(Ok(Frame::data(begin.into())))),
                None => Poll::Pending,
            }
        }
    }

    async fn read(body: Body) -> String {
        match body.collect().await {
            Ok(whole) => format!("{:?}", whole.to_bytes()),
            Err(error) => error.to_string(),
        }
    }

    async fn said(body: Body) -> String {
        let router = Router::new().route("/", post(read));
        let request = Request::builder().method("POST").uri("/").body(body);
        let router = TowerToHyperService::new(within(router, Duration::from_millis(1)));
        let Ok(answer) = router.call(request.unwrap()).await;
        let answer = answer.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(answer.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_body_without_an_end_ends_in_an_error() {
        let endless = Body::new(Endless(Some("a=")));
        assert_eq!(said(endless).await, "the body took too long");
    }

    #[tokio::test]
    async fn what_arrives_is_as_it_was() {
        assert_eq!(said(Body::from("a=1")).await, "b\"a=1\"");
        assert_eq!(said(Body::empty()).await, "b\"\"");
    }
}
