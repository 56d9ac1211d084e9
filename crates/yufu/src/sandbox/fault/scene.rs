//! Who asks for what: read out of a request once, and only if a fault wants to know.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{Method as WireMethod, header};
use http_body_util::BodyExt as _;
use tokio::sync::OnceCell;
use yufu_core::id::UserId;
use yufu_core::secret::Secret;
use yufu_core::store::Store as _;
use yufu_core::ticket::{Kind as TicketKind, Scan};
use yufu_core::time::{Lifetime, Timestamp};
use yufu_dialects::http::{Method, Params, Request as Asked};

use super::{Armed, Fault};
use crate::sandbox::state::Sandbox;

/// The most bytes of a body that are read ahead: the house reads no more.
const HEARD: usize = 64 * 1024;
/// How long a body may take to be read ahead; the house is as patient.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(15);

/// Who a request is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Who {
    pub(super) client: Option<String>,
    pub(super) user: Option<UserId>,
    /// The end of what the request brings: of its code or token.
    pub(super) ends: Option<Timestamp>,
}

impl Who {
    /// Whether a fault is for them.
    pub(super) fn suits(&self, sandbox: &Sandbox, fault: &Fault) -> bool {
        let client = fault.client.as_ref();
        let person = fault.person.as_deref();
        client.is_none_or(|client| self.client.as_ref() == Some(client))
            && person.is_none_or(|name| self.user.is_some() && sandbox.person(name) == self.user)
    }
}

/// A request on its way to the house, and what is known of it.
pub(super) struct Scene {
    pub(super) sandbox: Arc<Sandbox>,
    /// The request as a dialect hears it.
    pub(super) asked: Asked,
    params: Params,
    who: OnceCell<Who>,
}

impl Scene {
    /// Reads a request, its form too, and gives it back as it came.
    pub(super) async fn read(sandbox: &Arc<Sandbox>, request: Request) -> (Self, Request) {
        let (parts, body) = request.into_parts();
        let text = |name| {
            let value = parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok());
            value.unwrap_or("").to_owned()
        };
        let is_post = parts.method == WireMethod::POST;
        let (form, body) = if is_post {
            ahead(body).await
        } else {
            (Bytes::new(), body)
        };
        let asked = Asked {
            method: if is_post { Method::Post } else { Method::Get },
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or("").to_owned(),
            accept: text(header::ACCEPT),
            accept_language: text(header::ACCEPT_LANGUAGE),
            content_type: text(header::CONTENT_TYPE),
            body: form.to_vec(),
        };
        let scene = Self {
            sandbox: sandbox.clone(),
            params: asked.params(),
            asked,
            who: OnceCell::new(),
        };
        (scene, Request::from_parts(parts, body))
    }

    /// Whether a fault is for whoever asks.
    pub(super) async fn suits(&self, armed: &Armed) -> bool {
        let fault = &armed.fault;
        let for_all = fault.client.is_none() && fault.person.is_none();
        for_all || self.who().await.suits(&self.sandbox, fault)
    }

    /// How far the house's clock is from the end of what the request brings.
    pub(super) async fn to_the_end(&self) -> Option<Lifetime> {
        let ends = self.who().await.ends?;
        let now = self.sandbox.clock.now();
        Some(Lifetime::from_millis(ends.0.saturating_sub(now.0).max(0)))
    }

    /// The scan that a request polls or opens.
    pub(super) async fn scan(&self) -> Option<(yufu_core::ticket::Ticket<Scan>, String)> {
        let uuid = match self.params.filled("uuid") {
            Some(uuid) => uuid,
            None => self.asked.path.strip_prefix("/connect/qrcode/")?,
        };
        let number = self.sandbox.house.engine.scan_number(uuid).ok()?;
        let store = &self.sandbox.platform_store;
        let raw = store.ticket(TicketKind::Scan, number).await.ok()??;
        Some((raw.open::<Scan>().ok()?, uuid.to_owned()))
    }

    async fn who(&self) -> &Who {
        self.who.get_or_init(|| self.find()).await
    }

    async fn find(&self) -> Who {
        let mut who = Who::default();
        let secrets = ["code", "js_code", "access_token", "refresh_token"];
        if let Some(secret) = secrets.iter().find_map(|name| self.params.filled(name)) {
            who = of_secret(&self.sandbox, secret).await;
        } else if let Some((scan, _)) = self.scan().await {
            who.client = scan.client.map(|client| client.to_string());
            who.ends = Some(scan.expires_at);
        }
        // Whoever asks is who they say, also when what they bring is not theirs.
        if let Some(appid) = self.params.filled("appid") {
            who.client = Some(appid.to_owned());
        }
        who
    }
}

/// Whose a code or token is; nobody's when it is none of ours.
pub(super) async fn of_secret(sandbox: &Sandbox, secret: &str) -> Who {
    let secret = Secret::new(secret);
    match sandbox.house.engine.inspect_secret(&secret).await {
        Ok(report) => Who {
            client: report.client.map(|client| client.to_string()),
            user: report.user,
            ends: Some(report.expires_at),
        },
        Err(_) => Who::default(),
    }
}

/// Reads a body ahead; what the house would not read whole is handed on unread, as it comes.
async fn ahead(mut body: Body) -> (Bytes, Body) {
    let mut pieces: Vec<Bytes> = Vec::new();
    let mut length = 0;
    let all = async {
        while length <= HEARD {
            match body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        length += data.len();
                        pieces.push(data);
                    }
                }
                Some(Err(_)) => return false,
                None => return true,
            }
        }
        false
    };
    let is_whole = tokio::time::timeout(PATIENCE, all).await.unwrap_or(false);
    let heard: Bytes = match pieces.as_slice() {
        [all] => all.clone(),
        pieces => pieces.concat().into(),
    };
    if is_whole {
        return (heard.clone(), Body::from(heard));
    }
    (
        Bytes::new(),
        Body::new(Chained {
            first: Some(heard),
            rest: body,
        }),
    )
}

/// What was read of a body, then the rest of it.
struct Chained {
    first: Option<Bytes>,
    rest: Body,
}

impl hyper::body::Body for Chained {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, axum::Error>>> {
        match self.first.take() {
            Some(first) => std::task::Poll::Ready(Some(Ok(hyper::body::Frame::data(first)))),
            None => std::pin::Pin::new(&mut self.rest).poll_frame(context),
        }
    }
}
