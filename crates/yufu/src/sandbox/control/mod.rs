//! `/_sandbox`: people, clients, faults, the clock, flows, by REST. Absent in `serve`.

pub mod answer;
pub mod clients;
pub mod document;
mod door;
pub mod file;
pub mod glance;
pub mod guard;
pub mod handset;
mod pages;
pub mod people;
pub mod person;
pub mod table;

use std::sync::Arc;

use axum::Router;
use axum::routing::{any, get};

pub(super) use door::open;
pub(super) use pages::handset as handset_page;

use super::state::Sandbox;

/// The routes of the control, of the phone and of the flows.
pub(super) fn routes(sandbox: Arc<Sandbox>) -> Router {
    Router::new()
        .route("/_sandbox", get(pages::control).fallback(door::open))
        .route("/_sandbox/{*rest}", any(door::open))
        .with_state(sandbox.clone())
        .merge(pages::routes(sandbox))
}
