//! The stream of what changes. A reader is told what changed since it was told last: one that is
//! slow is told less often, and nothing piles up for it.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Body as WireBody, Frame};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, watch};
use yufu_web::clock;

use super::fold::read;
use super::show::Summary;
use crate::sandbox::state::Sandbox;

/// The shortest time between two events.
const PACE: Duration = Duration::from_millis(100);
/// The longest time without a sign of life.
const ALIVE: Duration = Duration::from_secs(15);
/// The most flows of one event; more come with the next one.
const MOST: usize = 200;

/// A body that is written piece by piece. The writer waits for the reader.
pub(super) struct Pieces(mpsc::Receiver<Bytes>);

impl Pieces {
    pub(super) fn pair() -> (mpsc::Sender<Bytes>, Body) {
        let (tell, told) = mpsc::channel(1);
        (tell, Body::new(Self(told)))
    }
}

impl WireBody for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = self.0.poll_recv(context);
        polled.map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

/// How often the programs that were started are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Where a reader is.
struct Reader {
    sandbox: Arc<Sandbox>,
    version: u64,
    epoch: u64,
    /// The programs of which a reader was told why nothing arrives.
    told: HashSet<(String, &'static str)>,
}

/// Tells a reader what changes from now on, until it goes or the server ends.
pub(super) async fn run(sandbox: Arc<Sandbox>, to: mpsc::Sender<Bytes>) {
    let mut changed = sandbox.flows.changed.clone();
    let mut hints = sandbox.flows.hints.subscribe();
    let mut closing = sandbox.flows.closing.subscribe();
    let mut reader = Reader::new(sandbox.clone());
    let mut text = ALIVE_LINE.to_owned();
    loop {
        // The writer waits for the reader here: what changes meanwhile is told in one.
        tokio::select! {
            sent = to.send(text.into()) => if sent.is_err() { return },
            _ = closing.changed() => return,
        }
        tokio::select! {
            () = tokio::time::sleep(PACE) => {}
            () = to.closed() => return,
            _ = closing.changed() => return,
        }
        text = tokio::select! {
            biased;
            _ = closing.changed() => return,
            () = to.closed() => return,
            hint = hints.recv() => match hint {
                Ok(hint) => event("hint", &hint),
                Err(RecvError::Lagged(_)) => ALIVE_LINE.to_owned(),
                Err(RecvError::Closed) => return,
            },
            news = reader.news(&mut changed) => match news {
                Some(news) => news,
                None => return,
            },
            () = tokio::time::sleep(ALIVE) => ALIVE_LINE.to_owned(),
        };
    }
}

/// A line that readers pass over; it keeps the connection.
const ALIVE_LINE: &str = ": alive\n\n";

fn event(name: &str, json: &str) -> String {
    format!("event: {name}\ndata: {json}\n\n")
}

impl Reader {
    fn new(sandbox: Arc<Sandbox>) -> Self {
        let shelf = read(&sandbox.flows.shelf);
        let (version, epoch) = (shelf.version(), shelf.epoch());
        drop(shelf);
        Self {
            sandbox,
            version,
            epoch,
            told: HashSet::new(),
        }
    }

    /// Waits for something to tell.
    async fn news(&mut self, changed: &mut watch::Receiver<u64>) -> Option<String> {
        loop {
            if let Some(news) = self.changes().or_else(|| self.hint()) {
                return Some(news);
            }
            // Nothing changed: that may be what is to be told.
            if let Ok(changed) = tokio::time::timeout(LOOK, changed.changed()).await {
                changed.ok()?;
            }
        }
    }

    /// Why nothing arrives of a program that was started, once for each reason.
    fn hint(&mut self) -> Option<String> {
        let sandbox = &self.sandbox;
        let launches = sandbox.launches.list(&sandbox.traffic, clock::real());
        let mut running = launches.into_iter().filter(|launch| launch.ended.is_none());
        running.find_map(|launch| {
            let hint = launch.hint?;
            let is_new = self.told.insert((launch.id.clone(), hint.code));
            let json = json!({
                "launch": launch.id,
                "code": hint.code,
                "title": hint.title,
                "remedy": hint.remedy,
                "title_zh": hint.title_zh,
                "remedy_zh": hint.remedy_zh,
            });
            is_new.then(|| event("hint", &json.to_string()))
        })
    }

    /// What changed since it was told last: the flows as they are now, the oldest change first.
    fn changes(&mut self) -> Option<String> {
        let shelf = read(&self.sandbox.flows.shelf);
        if shelf.epoch() != self.epoch {
            (self.version, self.epoch) = (shelf.version(), shelf.epoch());
            return Some(event("cleared", "{}"));
        }
        let flows: Vec<_> = shelf.changed_after(self.version).take(MOST).collect();
        self.version = flows.last()?.version;
        let flows: Vec<Summary<'_>> = flows.into_iter().map(Summary::of).collect();
        let json = serde_json::to_string(&flows).unwrap_or_default();
        Some(event("flows", &json))
    }
}
