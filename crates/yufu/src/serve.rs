//! `yufu serve`: the house on the network.

use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use yufu_store::Options;
use yufu_web::clock::Clock;
use yufu_web::house::Front;
use yufu_web::{House, router};

use crate::config::Config;
use crate::courier::{self, Delivery};
use crate::{home, listen, sweeper};

/// Runs until a signal asks it to stop.
///
/// # Errors
/// In the user's words, with what to do.
pub async fn run(config: Config, json: bool) -> Result<(), String> {
    let mut signals = Signals::hear()?;
    let clock = Arc::new(Clock::default());
    let tls = match &config.tls {
        Some((certificate, key)) => Some(listen::tls(certificate, key)?),
        None => None,
    };
    if let Some(path) = &config.sms_file {
        courier::open_private(path).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let listener = listen::bind(config.listen).await?;
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    let options = Options {
        max_pages: config.max_pages,
        ..Options::default()
    };
    let home = home::open(
        &config.store_path,
        &options,
        config.cache_entries,
        &config.master,
        config.settings,
        clock.now(),
    )
    .await?;
    let front = Front {
        public_url: config.public_url.clone(),
        port: address.port(),
        trusted_proxies: config.trusted_proxies,
        poll_host: config.poll_host,
        in_client_agent: config.in_client_agent,
        public_metrics: config.public_metrics,
    };
    let house = Arc::new(House::new(home.engine, clock.clone(), front, None));
    let (stop, closing) = watch::channel(false);
    let delivery = config.sms_file.map_or(Delivery::Stderr, Delivery::File);
    let workers = [
        tokio::spawn(courier::run(
            home.store.clone(),
            delivery,
            clock.clone(),
            house.engine.settings().passcode_life,
            closing.clone(),
        )),
        tokio::spawn(sweeper::run(
            home.store.clone(),
            clock,
            config.keep_events,
            closing.clone(),
        )),
    ];
    if json {
        say!(
            "{}",
            serde_json::json!({"platform": config.public_url, "listen": address.to_string()})
        );
    } else {
        say!("yufu serves {} on {address}", config.public_url);
    }
    let server = tokio::spawn(listen::serve(listener, tls, router(house.clone()), closing));
    signals.asked_to_stop().await;
    house.close();
    let _ = stop.send(true);
    let _ = server.await;
    for worker in workers {
        let _ = worker.await;
    }
    let store = home.store;
    let _ = tokio::task::spawn_blocking(move || store.close()).await;
    Ok(())
}

/// SIGTERM, SIGINT and SIGHUP (a terminal that was closed), heard from the moment this is made: before anybody is told that the server
/// is ready, or whoever stops it at once would cut it off.
pub struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// When signals cannot be heard.
    pub fn hear() -> Result<Self, String> {
        let hear = |kind| signal(kind).map_err(|error| format!("signals cannot be heard: {error}"));
        Ok(Self {
            term: hear(SignalKind::terminate())?,
            int: hear(SignalKind::interrupt())?,
            hup: hear(SignalKind::hangup())?,
        })
    }

    /// Waits for any of them.
    pub async fn asked_to_stop(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
            _ = self.hup.recv() => {}
        }
    }
}

/// Waits for SIGTERM or SIGINT from now on.
///
/// # Errors
/// When signals cannot be heard.
pub async fn asked_to_stop() -> Result<(), String> {
    Signals::hear()?.asked_to_stop().await;
    Ok(())
}
