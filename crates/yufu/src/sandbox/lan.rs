//! The phone for other devices: a listener that the network reaches, which serves the handset and
//! what it asks for, to whoever has the address with its token, and nothing else at all.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{any, get};
use tokio::net::TcpListener;
use yufu_core::secret::Secret;
use yufu_web::{dev, picture, view};

use super::control;
use super::control::guard::{self, Keeper};
use super::draw_token;
use super::state::Sandbox;
use crate::listen;

/// The files that its page loads.
const OF_PAGE: [&str; 6] = [
    "app.css",
    "handset.css",
    "handset.js",
    "handset.webmanifest",
    "mark.svg",
    "once.js",
];

/// A door of the phone that stands open to the network.
pub(super) struct Door {
    pub(super) listener: TcpListener,
    port: u16,
    token: Secret,
}

impl Door {
    /// Opens it on every address of this machine. Its token is its own: whoever has it has the
    /// phone, and nothing of the control.
    ///
    /// # Errors
    /// In the user's words.
    pub(super) async fn open(port: u16) -> Result<Self, String> {
        let listener = listen::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))).await?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        Ok(Self {
            listener,
            port: address.port(),
            token: draw_token(),
        })
    }

    /// What another device opens.
    pub(super) fn url(&self) -> String {
        let (address, token) = (own_address(), self.token.expose());
        format!("http://{address}:{}/phone?token={token}", self.port)
    }

    /// All that is behind it.
    pub(super) fn router(&self, sandbox: &Arc<Sandbox>) -> Router {
        let router = Router::new()
            .route("/phone", get(page))
            .route("/assets/{name}", get(asset))
            .route("/mmopen/vi_32/{name}/{size}", get(face))
            .route("/_sandbox/phone", any(control::open))
            .route("/_sandbox/scans", any(control::open))
            .fallback(nothing)
            .with_state(sandbox.clone());
        guard::around(router, &Keeper::beyond(self.token.clone(), self.port))
    }
}

/// The address by which others of the network reach this machine: the one that leads out of it. A
/// datagram socket is told where it would send to, and sends nothing.
fn own_address() -> IpAddr {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        // An address of documents, which nobody has (RFC 5737).
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    });
    socket.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip())
}

async fn page(State(sandbox): State<Arc<Sandbox>>, request: Request) -> Response {
    control::handset_page(&sandbox, &request, true)
}

async fn asset(Path(name): Path<String>) -> Response {
    let is_of_page = OF_PAGE.contains(&name.as_str());
    match view::asset(&name).filter(|_| is_of_page) {
        Some(asset) => bytes(asset.content_type, asset.bytes.to_vec()),
        None => nothing().await,
    }
}

/// The drawn picture of somebody who is here.
async fn face(
    State(sandbox): State<Arc<Sandbox>>,
    Path((name, _)): Path<(String, String)>,
) -> Response {
    let known = sandbox.world().person(&name).is_some();
    match picture::face_jpeg(&name, 132) {
        Ok(jpeg) if known => bytes("image/jpeg", jpeg),
        _ => nothing().await,
    }
}

fn bytes(kind: &'static str, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

async fn nothing() -> Response {
    let page = "There is a phone here, and nothing else.\n".to_owned();
    dev::page(StatusCode::NOT_FOUND, page)
}
