//! What is counted, and whether the house is well. No label holds anything of a caller.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::house::{House, Peer};

/// The labels of an answer: which endpoint, and `ok`, the name of a refusal, or `fault`.
type Labels = Vec<(&'static str, &'static str)>;

/// The counters of a house.
pub struct Metrics {
    registry: Registry,
    answers: Family<Labels, Counter<u64, AtomicU64>>,
    seconds: Histogram,
    faults: Counter<u64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("yufu");
        let answers = Family::<Labels, Counter<u64, AtomicU64>>::default();
        let seconds = Histogram::new([0.0001, 0.0005, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5]);
        let faults = Counter::<u64, AtomicU64>::default();
        registry.register(
            "answers",
            "Answers of dialect endpoints, by endpoint and outcome",
            answers.clone(),
        );
        registry.register(
            "answer_seconds",
            "How long dialect endpoints took, waiting polls left out",
            seconds.clone(),
        );
        registry.register("faults", "Faults of our own", faults.clone());
        Self {
            registry,
            answers,
            seconds,
            faults,
        }
    }
}

impl Metrics {
    pub(crate) fn answer(&self, endpoint: &'static str, outcome: &'static str) {
        let labels = vec![("endpoint", endpoint), ("outcome", outcome)];
        self.answers.get_or_create(&labels).inc();
    }

    pub(crate) fn took(&self, seconds: f64) {
        self.seconds.observe(seconds);
    }

    pub(crate) fn fault(&self) {
        self.faults.inc();
    }
}

/// `/healthz`: the process answers.
pub(crate) async fn alive() -> &'static str {
    "ok\n"
}

/// `/readyz`: the store answers too, and the server is not about to stop.
pub(crate) async fn ready(State(house): State<Arc<House>>) -> (StatusCode, &'static str) {
    if house.is_closing() {
        return (StatusCode::SERVICE_UNAVAILABLE, "closing\n");
    }
    match house.engine.browse().users(1).await {
        Ok(_) => (StatusCode::OK, "ok\n"),
        Err(fault) => {
            crate::fault::log(&house, "readyz", &fault);
            (StatusCode::SERVICE_UNAVAILABLE, "store\n")
        }
    }
}

/// `/metrics` in the OpenMetrics text form; for this machine alone unless set otherwise.
pub(crate) async fn page(State(house): State<Arc<House>>, request: Request) -> Response {
    show(&house.metrics, house.front.public_metrics, &request)
}

/// The counters, to whoever may see them.
pub(crate) fn show(metrics: &Metrics, is_public: bool, request: &Request) -> Response {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    let near = peer.is_some_and(|ip: IpAddr| ip.to_canonical().is_loopback());
    let proxied = ["x-forwarded-for", "forwarded", "x-real-ip"];
    let proxied = proxied
        .iter()
        .any(|name| request.headers().contains_key(*name));
    let mut response = Response::new(Body::empty());
    if !is_public && (!near || proxied) {
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    }
    let mut text = String::new();
    if encode(&mut text, &metrics.registry).is_err() {
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return response;
    }
    let kind = header::HeaderValue::from_static(
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
    );
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    *response.body_mut() = Body::from(text);
    response
}
