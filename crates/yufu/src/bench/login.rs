//! The rows of the login backend: a call with a warm session, a binding, a refresh.
//!
//! Tickets to bind are made beside the server, over the same database, with an upstream's word
//! that nobody gave: so the row measures the binding and nothing of an upstream.

use std::path::Path;
use std::sync::Arc;

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use serde_json::{Value, json};
use yufu_core::engine::Settings;
use yufu_core::engine::login::{Begun, CodeRequest, PrepareRequest};
use yufu_core::id::ClientId;
use yufu_core::identity::{IdentityKey, Provider, UpstreamApp, UpstreamKind, Vouched};
use yufu_core::login::body::VaultTokens;
use yufu_core::login::{Device, Exchanged, Idempotency, LoginAnswer, Mode, Purpose};
use yufu_core::secret::Secret;
use yufu_core::time::Lifetime;
use yufu_store::Options;
use yufu_web::clock;

use super::{Answers, Load, Row, Server};
use crate::{home, sandbox};

/// The most bindings of the row: each needs a ticket that is made before.
const BINDINGS: usize = 3000;

/// A ticket, and the device that it is for.
struct Ticket {
    secret: String,
    device: String,
}

/// Measures the login backend of a server that this process started.
///
/// # Errors
/// In the user's words.
pub(super) async fn measure(load: &Load, server: &Server) -> Result<Vec<Row>, String> {
    let (Some(url), Some(folder)) = (
        server.ready["login"].as_str(),
        server.ready["data_dir"].as_str(),
    ) else {
        return Ok(Vec::new());
    };
    let backend = server.at(url)?;
    let count = load.requests.min(BINDINGS);
    let tickets = Arc::new(tickets(Path::new(folder), count).await?);
    let few = Load {
        connections: load.connections,
        requests: count,
    };
    let mut rows = Vec::new();
    let pairs = Arc::new(Answers::default());
    let (keep, wanted) = (pairs.clone(), tickets.clone());
    rows.push(
        few.run_keeping(
            "login: bind, beside the passcode check",
            Some(0.15),
            &backend,
            move |i| {
                let ticket = wanted.get(i)?;
                let body = json!({
                    "bind_ticket": ticket.secret,
                    "carrier_token": format!("carrier:139{:08}", 10_000 + i),
                });
                post("/user/wechat/bind", &ticket.device, &body)
            },
            move |_, _, body| {
                if body["code"] == 0 {
                    let text = |name: &str| body["data"][name].as_str().unwrap_or("").to_owned();
                    keep.put(format!("{} {}", text("token"), text("refresh_token")));
                }
            },
        )
        .await?,
    );
    let pairs = Arc::new(pairs.take());
    if pairs.len() < count {
        return Err(format!(
            "only {} of {count} bindings logged in",
            pairs.len()
        ));
    }
    let tokens = pairs.clone();
    rows.push(
        load.run(
            "login: /user/me, warm session",
            Some(0.05),
            &backend,
            move |i| {
                let token = tokens.get(i % tokens.len())?.split(' ').next()?;
                Request::get("/user/me")
                    .header("authorization", format!("Bearer {token}"))
                    .body(Full::default())
                    .ok()
            },
        )
        .await?,
    );
    Ok(rows)
}

fn post(path: &str, device: &str, body: &Value) -> Option<Request<Full<Bytes>>> {
    Request::post(path)
        .header("content-type", "application/json")
        .header("x-yufu-device", device)
        .body(Full::from(body.to_string()))
        .ok()
}

/// Makes tickets to bind, each of another person on another device.
async fn tickets(folder: &Path, count: usize) -> Result<Vec<Ticket>, String> {
    let now = clock::real();
    let app = UpstreamApp {
        name: "bench".to_owned(),
        kind: UpstreamKind::WechatMobile,
        appid: ClientId::new("wx00000000000bench"),
        union_scope: None,
    };
    let mut settings = Settings::default();
    settings.login.apps = vec![app.clone()];
    settings.login.address_transactions.burst = 1_000_000;
    settings.login.address_failures.burst = 1_000_000;
    let master = sandbox::master_key(folder)?;
    let path = folder.join("login.db");
    let home = home::open(&path, &Options::default(), 1000, &master, settings, now).await?;
    let stopped = |what: &str| format!("a ticket could not be made: {what}");
    let mut made = Vec::with_capacity(count);
    for n in 0..count {
        let nobody = Device {
            secret: None,
            id: "bench",
            platform: "android",
            address: "127.0.0.1",
        };
        let request = PrepareRequest {
            purpose: Purpose::Login,
            app: &app.name,
            mode: Mode::App,
            consent: "bench",
            device: nobody,
            user: None,
            return_to: None,
        };
        let prepared = home.engine.prepare(request, now).await;
        let prepared = prepared.map_err(|_| stopped("no transaction"))?;
        let device = prepared.device_secret.ok_or_else(|| stopped("no device"))?;
        let request = CodeRequest {
            purposes: &[Purpose::Login],
            code: &format!("bench-{n}"),
            state: prepared.state.expose(),
            device: Device {
                secret: Some(device.expose()),
                ..nobody
            },
            user: None,
            key: Idempotency(None),
        };
        let Ok(Begun::Exchange(exchanging)) = home.engine.begin_exchange(request, now).await else {
            return Err(stopped("no exchange"));
        };
        let word = exchanged(&app, n);
        let answer = home.engine.finish_login(&exchanging, Ok(word), now).await;
        let Ok(LoginAnswer::Unbound { bind_ticket, .. }) = answer else {
            return Err(stopped("no ticket"));
        };
        made.push(Ticket {
            secret: bind_ticket.expose().to_owned(),
            device: device.expose().to_owned(),
        });
    }
    let store = home.store;
    let _ = tokio::task::spawn_blocking(move || store.close()).await;
    Ok(made)
}

/// What an upstream would have given.
fn exchanged(app: &UpstreamApp, n: usize) -> Exchanged {
    Exchanged {
        vouched: Vouched {
            key: IdentityKey {
                provider: Provider::Wechat,
                app: app.appid.clone(),
                subject: format!("oBench{n:022}"),
            },
            person: None,
            profile: None,
        },
        tokens: VaultTokens {
            access: Secret::new(format!("access {n}")),
            refresh: Some(Secret::new(format!("refresh {n}"))),
        },
        access_life: Lifetime::seconds(7200),
        refresh_life: Lifetime::days(30),
        profile_due: false,
    }
}
