//! `/_sandbox`: people, clients, faults, the clock, flows, by REST. Absent in `serve`.

pub mod answer;
pub mod guard;

use std::sync::Arc;

use axum::Router;

use super::state::Sandbox;

/// The routes of the control, of the phone and of the flows.
pub(super) fn routes(_sandbox: Arc<Sandbox>) -> Router {
    Router::new()
}
