//! The login backend's role: its data, its ports to other servers, its routes, its workers.

use axum::Router;
use axum::routing::get;

use crate::config::Login;
use crate::serve::{Ground, OpenRole};
use crate::{home, sweeper};

/// What only the development server has.
pub struct Dev {}

/// Opens the role.
///
/// # Errors
/// In the user's words, with what to do.
pub async fn role(
    login: Login,
    _port: u16,
    ground: &Ground,
    _dev: Option<Dev>,
) -> Result<OpenRole, String> {
    let home = home::open(
        &login.store_path,
        &ground.options,
        ground.cache_entries,
        &ground.master,
        login.settings,
        ground.clock.now(),
    )
    .await?;
    let workers = vec![tokio::spawn(sweeper::run(
        home.store.clone(),
        ground.clock.clone(),
        ground.keep_events,
        ground.closing.clone(),
    ))];
    Ok(OpenRole {
        store: home.store,
        router: Router::new().route("/healthz", get(|| async { "ok" })),
        workers,
        close: Box::new(|| {}),
    })
}
