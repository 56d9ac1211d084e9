//! The QR codes that are on a screen somewhere, and whoever answers authorizations unasked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http_body_util::BodyExt as _;
use yufu_core::id::ClientId;
use yufu_core::message::PollState;
use yufu_core::time::Timestamp;
use yufu_dialects::http::Request as Plain;

use super::hand::{End, Hand, target};
use super::state::{Auto, Sandbox};

/// How many codes are remembered.
const KEPT: usize = 200;
/// How long whoever answers unasked lets a code be seen.
const GLANCE: Duration = Duration::from_millis(300);

/// The QR codes that are being shown.
#[derive(Default)]
pub struct Screens(Mutex<VecDeque<Screen>>);

/// A QR code on a screen.
#[derive(Clone, Debug)]
pub struct Screen {
    /// The scan's public name.
    pub uuid: String,
    /// The app's name.
    pub app: String,
    /// The appid.
    pub appid: ClientId,
    /// Since when, on the house's clock.
    pub since: Timestamp,
}

impl Screens {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Screen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, screen: Screen) {
        let mut screens = self.lock();
        screens.push_front(screen);
        screens.truncate(KEPT);
    }

    /// The codes that can be scanned now, newest first, and whether a phone has opened them.
    pub async fn shown(&self, sandbox: &Sandbox) -> Vec<(Screen, bool)> {
        let all: Vec<Screen> = self.lock().iter().cloned().collect();
        let mut alive = Vec::new();
        for screen in all.iter().cloned() {
            let (engine, now) = (&sandbox.house.engine, sandbox.clock.now());
            match engine.scan_state(&screen.uuid, now).await {
                Ok(PollState::Waiting | PollState::Cancelled) => alive.push((screen, false)),
                Ok(PollState::Scanned) => alive.push((screen, true)),
                // Agreed to: the screen goes on to the app.
                _ => {}
            }
        }
        let dead = |screen: &Screen| {
            let uuid = &screen.uuid;
            all.iter().any(|known| known.uuid == *uuid)
                && !alive.iter().any(|(alive, _)| alive.uuid == *uuid)
        };
        // What was shown meanwhile stays.
        self.lock().retain(|screen| !dead(screen));
        alive
    }

    /// Forgets all of them.
    pub fn clear(&self) {
        self.lock().clear();
    }
}

/// Watches the platform's authorize pages: remembers their codes, and answers for whoever was told
/// to ([`Auto`]).
pub(super) fn watch(router: Router, sandbox: &Arc<Sandbox>) -> Router {
    router.layer(from_fn_with_state(sandbox.clone(), pass))
}

async fn pass(State(sandbox): State<Arc<Sandbox>>, request: Request, next: Next) -> Response {
    let uri = request.uri();
    let (path, query) = (uri.path(), uri.query().unwrap_or(""));
    let is_scan = path == "/connect/qrconnect";
    let is_code = is_scan || path == "/connect/sdk/qrconnect";
    let asks = is_code || path == "/connect/oauth2/authorize" || path == "/connect/app/authorize";
    if request.method() != Method::GET || !asks {
        return next.run(request).await;
    }
    let auto = sandbox
        .auto
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    if let Some(auto) = auto
        .as_ref()
        .filter(|auto| !(auto.shows && is_scan) && path != "/connect/sdk/qrconnect")
    {
        let address = format!("{}{path}?{query}", sandbox.addresses.platform);
        if let Some(response) = unasked(&sandbox, &address, auto).await {
            return response;
        }
    }
    let appid = Plain::get(path, query)
        .params()
        .get("appid")
        .unwrap_or("")
        .to_owned();
    let response = next.run(request).await;
    if !is_code || response.status() != StatusCode::OK {
        return response;
    }
    let (parts, body) = response.into_parts();
    // The house's pages lie in memory whole.
    let Ok(whole) = body.collect().await else {
        return Response::from_parts(parts, Body::empty());
    };
    let bytes = whole.to_bytes();
    if let Some(uuid) = uuid_of(&String::from_utf8_lossy(&bytes)) {
        shown(&sandbox, uuid, ClientId::new(&appid), auto).await;
    }
    Response::from_parts(parts, Body::from(bytes))
}

/// The answer of whoever answers unasked. `None` where the page has to be shown after all: it was
/// refused, or it stays where it is.
async fn unasked(sandbox: &Sandbox, address: &str, auto: &Auto) -> Option<Response> {
    let target = target(address, &sandbox.addresses.platform).ok()?;
    let hand = Hand::of(sandbox, &auto.person).ok()?;
    let end = hand.authorize(&target, auto.decision).await.ok()?;
    let (End::Returned { callback, .. } | End::Result { callback, .. }) = end else {
        return None;
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, HeaderValue::try_from(callback).ok()?);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(response)
}

async fn shown(sandbox: &Arc<Sandbox>, uuid: String, appid: ClientId, auto: Option<Auto>) {
    let client = sandbox.house.engine.client(&appid).await;
    sandbox.screens.show(Screen {
        uuid: uuid.clone(),
        app: client.map_or_else(|_| appid.to_string(), |client| client.name.clone()),
        appid,
        since: sandbox.clock.now(),
    });
    if let Some(auto) = auto {
        let sandbox = sandbox.clone();
        tokio::spawn(async move {
            tokio::time::sleep(GLANCE).await;
            if let Ok(hand) = Hand::of(&sandbox, &auto.person)
                && let Ok(Ok(ask)) = hand.scan(&uuid).await
            {
                let _ = hand.answer(&ask.interaction, auto.decision).await;
            }
        });
    }
}

/// The scan's public name in a QR page, or in the XML that renews one.
fn uuid_of(page: &str) -> Option<String> {
    let marks = ["/connect/qrcode/", "<uuid>", "\"uuid\":\""];
    let rest = marks
        .iter()
        .find_map(|mark| Some(page.split_once(mark)?.1))?;
    let end = rest.find(['"', '\'', ']', '<', '?', '&'])?;
    rest.get(..end)
        .filter(|uuid| !uuid.is_empty())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_tells_its_code() {
        let page = r#"<img class="js_qrcode_img" src="/connect/qrcode/041abc" alt="">"#;
        assert_eq!(uuid_of(page).as_deref(), Some("041abc"));
        assert_eq!(
            uuid_of("<xml><uuid>041abc</uuid></xml>").as_deref(),
            Some("041abc")
        );
        let json = r#"{"errcode":0,"uuid":"041abc","appname":"x"}"#;
        assert_eq!(uuid_of(json).as_deref(), Some("041abc"));
        assert_eq!(uuid_of("<img src=\"/connect/qrcode/\">"), None);
        assert_eq!(uuid_of("no code here"), None);
    }
}
