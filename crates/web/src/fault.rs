//! The one place that logs a fault: once, with its whole chain and an incident number.

use std::any::Any;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use yufu_core::engine::Engine;
use yufu_core::refusal::Fault;

use crate::house::House;
use crate::metrics::Metrics;

/// Logs a fault and answers the incident number that the caller may see.
pub(crate) fn log(house: &House, place: &str, fault: &Fault) -> String {
    note(&house.engine, &house.metrics, place, fault)
}

/// The same for whoever has an engine and counters of another house.
pub(crate) fn note(engine: &Engine, metrics: &Metrics, place: &str, fault: &Fault) -> String {
    let incident = format!("{:016x}", engine.noise());
    tracing::error!(%incident, place, %fault, "fault");
    metrics.fault();
    incident
}

/// Answers a request whose handler panicked: a bug of ours, said as plainly as that.
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Response<Body> {
    let what = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("unknown");
    tracing::error!(what, "a handler panicked");
    let mut response = Response::new(Body::from("internal error\n"));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
