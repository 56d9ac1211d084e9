//! Callbacks that go astray: delivered twice, with a code of somebody else, with another state.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::Response;
use yufu_core::id::UserId;
use yufu_core::secret::Secret;
use yufu_dialects::http::Request as Asked;
use yufu_web::clock;
use yufu_web::fetch::{Fetch as _, Outgoing};

use super::play::{Stage, body_of, with_body};
use super::scene::{Scene, Who, of_secret};
use super::{Armed, Kind, Spot};
use crate::fetch::{Outbound, OutboundOptions};
use crate::sandbox::seen::{Lane, Note, Tie};
use crate::sandbox::state::Sandbox;

/// A callback on its way to an app.
struct Callback {
    /// The whole address.
    address: String,
    code: String,
    /// The faults that were played on it.
    played: Vec<&'static str>,
}

/// Writes another state into a request to authorize: the house hands back what it is given, so
/// every door does it, also the page that shows a QR code.
pub(super) fn restate(request: &mut Request, state: Option<&str>) {
    let query = restated(request.uri().query().unwrap_or(""), state);
    let path = request.uri().path();
    if let Ok(uri) = Uri::try_from(format!("{path}?{query}")) {
        *request.uri_mut() = uri;
    }
}

fn restated(query: &str, state: Option<&str>) -> String {
    let kept = query.split('&').filter(|piece| {
        let name = piece.split('=').next().unwrap_or("");
        !piece.is_empty() && name != "state"
    });
    let mut pieces: Vec<String> = kept.map(str::to_owned).collect();
    if let Some(state) = state {
        pieces.push(format!("state={}", encoded(state)));
    }
    pieces.join("&")
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let bytes = text.bytes().map(|byte| match byte {
        byte if plain(byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    bytes.collect()
}

/// An authorize URL as the platform would take it: with another state if a fault wants that, and
/// which. For whoever authorizes without a browser.
pub async fn on_authorize(sandbox: &Sandbox, url: &str) -> (String, Option<&'static str>) {
    let (rest, fragment) = match url.split_once('#') {
        Some((rest, fragment)) => (rest, format!("#{fragment}")),
        None => (url, String::new()),
    };
    let (base, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = base.split_once("://").map_or(base, |(_, rest)| {
        rest.find('/').map_or("/", |at| &rest[at..])
    });
    let Some((path, _)) = Spot::of(path) else {
        return (url.to_owned(), None);
    };
    let who = Who {
        client: Asked::get(path, query)
            .params()
            .filled("appid")
            .map(str::to_owned),
        ..Who::default()
    };
    for armed in sandbox.faults.at(path) {
        let state = match &armed.fault.kind {
            Kind::OtherState { state } => Some(state.as_str()),
            Kind::NoState {} => None,
            _ => continue,
        };
        if who.suits(sandbox, &armed.fault) && armed.claim() {
            let astray = format!("{base}?{}{fragment}", restated(query, state));
            return (astray, Some(armed.fault.kind.row().word));
        }
    }
    (url.to_owned(), None)
}

/// A callback and its code as they are delivered: with somebody else's code, or once more by
/// themselves, if faults want that, and which. For whoever authorizes without a browser; `door` is
/// the path at which it was asked.
pub async fn on_callback(
    sandbox: &Arc<Sandbox>,
    door: &str,
    address: &str,
    code: &str,
) -> (String, String, Vec<&'static str>) {
    let mut callback = Callback {
        address: address.to_owned(),
        code: code.to_owned(),
        played: Vec::new(),
    };
    if let Some((path, _)) = Spot::of(door) {
        let armed = sandbox.faults.at(path);
        deliver(sandbox, &armed, &mut callback, None, Armed::claim).await;
    }
    (callback.address, callback.code, callback.played)
}

/// Lets an answer that leads back to an app go astray.
pub(super) async fn astray(
    scene: &Scene,
    stage: &Stage,
    headers: &HeaderMap,
    mut response: Response,
) -> Response {
    let wanted = stage.armed.iter().any(|armed| is_for_callbacks(armed));
    if !wanted {
        return response;
    }
    let sandbox = &scene.sandbox;
    let location = response.headers().get(header::LOCATION);
    let location = location.and_then(|it| it.to_str().ok()).map(str::to_owned);
    if let Some(address) = location {
        let code = Asked::get("", query_of(&address)).params();
        let Some(code) = code.filled("code").map(str::to_owned) else {
            return response;
        };
        let mut callback = Callback {
            address,
            code,
            played: Vec::new(),
        };
        deliver(
            sandbox,
            &stage.armed,
            &mut callback,
            Some(headers),
            |armed| stage.claim(armed),
        )
        .await;
        if let Ok(address) = HeaderValue::try_from(&callback.address) {
            response.headers_mut().insert(header::LOCATION, address);
        }
        return response;
    }
    if stage.spot != Spot::Poll {
        return response;
    }
    let (body, response) = body_of(response).await;
    let text = String::from_utf8_lossy(&body).into_owned();
    let (Some(code), Some((scan, _))) = (polled(&text), scene.scan().await) else {
        return with_body(response, body);
    };
    // The page that polls puts the address together by itself (`docs/facts/wechat.md` §4.2).
    let mut parameters = vec![("code", code.as_str())];
    if let Some(state) = &scan.body.state {
        parameters.push(("state", state));
    }
    let address = scan.body.return_path.as_ref();
    let address = address.map_or(String::new(), |path| path.with(&parameters));
    let mut callback = Callback {
        address,
        code: code.clone(),
        played: Vec::new(),
    };
    deliver(
        sandbox,
        &stage.armed,
        &mut callback,
        Some(headers),
        |armed| stage.claim(armed),
    )
    .await;
    with_body(response, text.replace(&code, &callback.code).into())
}

fn is_for_callbacks(armed: &Armed) -> bool {
    let kind = &armed.fault.kind;
    matches!(kind, Kind::CallbackTwice { .. } | Kind::OtherCode { .. })
}

/// The code that a poll was told, in a script or in JSON.
fn polled(text: &str) -> Option<String> {
    let (_, after) = ["wx_code='", "\"wx_code\":\""]
        .iter()
        .find_map(|mark| text.split_once(mark))?;
    let code: String = after
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect();
    (!code.is_empty()).then_some(code)
}

fn query_of(address: &str) -> &str {
    let address = address.split('#').next().unwrap_or("");
    address.split_once('?').map_or("", |(_, query)| query)
}

async fn deliver(
    sandbox: &Arc<Sandbox>,
    armed: &[Arc<Armed>],
    callback: &mut Callback,
    browser: Option<&HeaderMap>,
    claim: impl Fn(&Armed) -> bool,
) {
    let who = of_secret(sandbox, &callback.code).await;
    if who == Who::default() {
        // A parameter that is called code and is none of ours.
        return;
    }
    for armed in armed.iter().filter(|armed| is_for_callbacks(armed)) {
        if !who.suits(sandbox, &armed.fault) {
            continue;
        }
        match &armed.fault.kind {
            Kind::OtherCode { whose } => {
                let Some(other) = somebody_else(sandbox, whose.as_deref(), who.user) else {
                    continue;
                };
                let engine = &sandbox.house.engine;
                let like = Secret::new(&callback.code);
                let code = engine.code_of_another(&like, other, sandbox.clock.now());
                match code.await {
                    Ok(code) if claim(armed) => {
                        let (old, new) = (callback.code.as_str(), code.expose());
                        callback.address = callback.address.replace(old, new);
                        callback.code = new.to_owned();
                        callback.played.push(armed.fault.kind.row().word);
                    }
                    Ok(_) => {}
                    Err(stop) => tracing::warn!(?stop, "no code of somebody else"),
                }
            }
            Kind::CallbackTwice { ms } if is_here(&callback.address) => {
                let again = Again {
                    sandbox: sandbox.clone(),
                    address: callback.address.clone(),
                    code: callback.code.clone(),
                    headers: browser
                        .map(|headers| cookies(headers, &callback.address))
                        .unwrap_or_default(),
                    who: who.clone(),
                };
                if claim(armed) {
                    callback.played.push(armed.fault.kind.row().word);
                    tokio::spawn(again.after(Duration::from_millis(*ms)));
                }
            }
            _ => {}
        }
    }
}

/// Somebody of the sandbox who is not this user.
fn somebody_else(sandbox: &Sandbox, name: Option<&str>, user: Option<UserId>) -> Option<UserId> {
    if let Some(name) = name {
        return sandbox.person(name);
    }
    let world = sandbox.world.read();
    let world = world.unwrap_or_else(std::sync::PoisonError::into_inner);
    let ids = world
        .people
        .iter()
        .filter_map(|person| UserId::parse(&person.id));
    ids.into_iter().find(|id| Some(*id) != user)
}

/// Whether an address is of this machine: nothing else is called.
fn is_here(address: &str) -> bool {
    let is_http = address.starts_with("http://") || address.starts_with("https://");
    let host = host_of(address);
    let is_loopback = |ip: std::net::Ipv4Addr| ip.is_loopback();
    is_http && (["localhost", "[::1]"].contains(&host) || host.parse().is_ok_and(is_loopback))
}

/// The host of an address, without its port.
fn host_of(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    if authority.starts_with('[') {
        return authority.split_inclusive(']').next().unwrap_or("");
    }
    authority.split(':').next().unwrap_or("")
}

/// What the browser would send along, as far as it can be known here: its name, and the app's
/// cookies where the app has the platform's host, for cookies know no ports. Ours are left out.
fn cookies(headers: &HeaderMap, address: &str) -> Vec<(&'static str, String)> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|it: &HeaderValue| it.to_str().ok())
    };
    let mut sent = Vec::new();
    if let Some(agent) = text(header::USER_AGENT) {
        sent.push(("user-agent", agent.to_owned()));
    }
    let host = text(header::HOST).map(|host| host.split(':').next().unwrap_or(""));
    if host == Some(host_of(address)) {
        let all = headers.get_all(header::COOKIE).iter();
        let pairs = all
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'));
        let theirs: Vec<&str> = pairs
            .map(str::trim)
            .filter(|pair| !pair.starts_with("yufu_"))
            .collect();
        if !theirs.is_empty() {
            sent.push(("cookie", theirs.join("; ")));
        }
    }
    sent
}

/// A callback that is fetched once more.
struct Again {
    sandbox: Arc<Sandbox>,
    address: String,
    code: String,
    headers: Vec<(&'static str, String)>,
    who: Who,
}

impl Again {
    async fn after(self, wait: Duration) {
        tokio::time::sleep(wait).await;
        let courier = self.sandbox.faults.courier.get_or_init(|| {
            let options = OutboundOptions {
                dev: true,
                ..OutboundOptions::default()
            };
            Outbound::new(options)
                .inspect_err(|error| tracing::error!(error, "nobody delivers callbacks twice"))
                .ok()
        });
        let told = match courier {
            Some(courier) => match courier.fetch(self.request()).await {
                Ok(answer) => format!("HTTP {}", answer.status),
                Err(error) => format!("no answer: {error:?}"),
            },
            None => "not sent".to_owned(),
        };
        self.sandbox.flows.note(Note {
            at: clock::real(),
            from: Lane::Browser,
            to: Lane::Backend,
            what: "returned",
            detail: format!("the callback was delivered a second time: {told}"),
            person: None,
            client: self.who.client.clone(),
            ties: vec![(Tie::Code, self.code)],
        });
    }

    fn request(&self) -> Outgoing {
        let secret =
            |(name, value): &(&'static str, String)| ((*name).to_owned(), Secret::new(value));
        Outgoing {
            method: "GET",
            url: Secret::new(&self.address),
            headers: self.headers.iter().map(secret).collect(),
            body: Vec::new(),
            most: 1 << 20,
            patience: Duration::from_secs(10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_replaced_and_nothing_else() {
        let query = "appid=wx1&redirect_uri=http%3A%2F%2Fa%2Fstate%3D&state=x&scope=s";
        let other = restated(query, Some("a b&梅"));
        assert_eq!(
            other,
            "appid=wx1&redirect_uri=http%3A%2F%2Fa%2Fstate%3D&scope=s&state=a%20b%26%E6%A2%85"
        );
        assert_eq!(restated("state=x&a=1&state=y&&", None), "a=1");
        assert_eq!(restated("", Some("")), "state=");
    }

    #[test]
    fn only_this_machine_is_called() {
        for here in [
            "http://127.0.0.1:8421/callback?code=x",
            "http://localhost/callback",
            "https://[::1]:3000/callback",
            "http://127.0.0.2/x",
        ] {
            assert!(is_here(here), "{here}");
        }
        for other in [
            "http://example.com/127.0.0.1",
            "http://localhost.example.com/",
            "http://127.0.0.1@example.com/",
            "wx123://oauth?code=x",
            "",
            "ftp://localhost/",
        ] {
            assert!(!is_here(other), "{other}");
        }
    }

    #[test]
    fn a_polled_code_is_found_in_script_and_json() {
        assert_eq!(
            polled("window.wx_errcode=405;window.wx_code='0a1B';"),
            Some("0a1B".into())
        );
        assert_eq!(
            polled("{\"wx_errcode\":405,\"wx_code\":\"0a1B\"}"),
            Some("0a1B".into())
        );
        assert_eq!(polled("window.wx_errcode=408;window.wx_code='';"), None);
        assert_eq!(polled(""), None);
    }

    #[test]
    fn the_apps_own_cookies_go_along_where_they_would() {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("127.0.0.1:8420"));
        headers.insert("user-agent", HeaderValue::from_static("B"));
        headers.insert(
            "cookie",
            HeaderValue::from_static("yufu_browser_8420=s; sid=1; a=2"),
        );
        let there = cookies(&headers, "http://127.0.0.1:3000/callback");
        assert_eq!(
            there,
            [
                ("user-agent", "B".to_owned()),
                ("cookie", "sid=1; a=2".to_owned())
            ]
        );
        assert_eq!(cookies(&headers, "http://localhost:3000/").len(), 1);
    }
}
