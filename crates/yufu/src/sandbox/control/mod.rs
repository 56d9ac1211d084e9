//! `/_sandbox`: people, clients, faults, the clock, flows, by REST. Absent in `serve`.

pub mod answer;
pub mod guard;
mod pages;

use std::sync::Arc;

use axum::Router;

use super::state::Sandbox;

/// The routes of the control, of the phone and of the flows.
pub(super) fn routes(sandbox: Arc<Sandbox>) -> Router {
    Router::new().merge(pages::routes(sandbox))
}
