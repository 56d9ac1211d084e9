//! The row of the sandbox's proxy: whole logins under the platform's own names, over TLS that is
//! kept. And whether the book of flows lost any.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{HeaderMap, Request};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use yufu_web::clock;

use super::{Connection, Load, Row, Server, get};

/// The most logins of the row: each is three requests.
const LOGINS: usize = 5000;
/// A backend's connections: programs keep a few, not hundreds.
const CONNECTIONS: usize = 16;
/// What a login may cost the server: three requests and TLS.
const GOAL_MS: f64 = 1.0;

/// What a worker needs.
struct Plan {
    authorize: String,
    exchange: String,
    total: usize,
    next: AtomicUsize,
}

/// Measures logins through the proxy of a server that this process started.
///
/// # Errors
/// In the user's words; also when a login is missing among the flows.
pub(super) async fn measure(load: &Load, server: &Server) -> Result<Vec<Row>, String> {
    let (Some(proxy), Some(ca)) = (server.ready["proxy"].as_str(), server.ready["ca"].as_str())
    else {
        return Ok(Vec::new());
    };
    let proxy = proxy.strip_prefix("http://").unwrap_or(proxy).to_owned();
    let tls = TlsConnector::from(trust(ca)?);
    // The rows before have filled the book.
    control(server, "DELETE", "/_sandbox/flows", String::new()).await?;
    let auto = serde_json::json!({"person": "mei", "decision": "allow"});
    control(server, "PUT", "/_sandbox/auto", auto.to_string()).await?;
    let (appid, secret) = (
        server.client("service", "appid")?,
        server.client("service", "secret")?,
    );
    let plan = Arc::new(Plan {
        authorize: format!(
            "/connect/oauth2/authorize?appid={appid}&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcb\
             &response_type=code&scope=snsapi_userinfo&state="
        ),
        exchange: format!(
            "/sns/oauth2/access_token?appid={appid}&secret={secret}\
             &grant_type=authorization_code&code="
        ),
        total: load.requests.min(LOGINS),
        next: AtomicUsize::new(0),
    });
    let mut open = Vec::new();
    for _ in 0..load.connections.min(CONNECTIONS) {
        let pages = named(&proxy, &tls, "open.weixin.qq.com").await?;
        open.push((pages, named(&proxy, &tls, "api.weixin.qq.com").await?));
    }
    let (cpu, wrote) = (server.cpu_ms(), server.written());
    let began = clock::mark();
    let workers: Vec<_> = open
        .into_iter()
        .map(|(pages, api)| tokio::spawn(logins(pages, api, plan.clone())))
        .collect();
    let mut times = Vec::with_capacity(plan.total);
    for worker in workers {
        times.extend(worker.await.map_err(|e| e.to_string())??);
    }
    let seconds = began.elapsed().as_secs_f64();
    let count = times.len() as f64;
    let each = |after: Option<f64>, before: Option<f64>| Some((after? - before?) / count);
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get(((count - 1.0) * share) as usize).copied();
    let row = Row {
        name: "login through the proxy: three requests, TLS",
        requests: times.len(),
        per_second: count / seconds,
        cpu_ms: each(server.cpu_ms(), cpu),
        written_bytes: each(server.written(), wrote),
        p50_ms: at(0.5).unwrap_or(0.0),
        p99_ms: at(0.99).unwrap_or(0.0),
        goal_ms: Some(GOAL_MS),
    };
    control(server, "DELETE", "/_sandbox/auto", String::new()).await?;
    let (logins, seen) = (times.len() as u64, flows(server).await?);
    if seen != logins {
        return Err(format!("of {logins} logins, {seen} are among the flows"));
    }
    Ok(vec![row])
}

/// Logs in again and again, and answers how long each took.
async fn logins(
    mut pages: Connection,
    mut api: Connection,
    plan: Arc<Plan>,
) -> Result<Vec<f64>, String> {
    let mut times = Vec::new();
    loop {
        let n = plan.next.fetch_add(1, Ordering::Relaxed);
        if n >= plan.total {
            return Ok(times);
        }
        let began = clock::mark();
        let (_, headers, _) = pages.send(ask(&format!("{}{n}", plan.authorize))?).await?;
        let code = code(&headers).ok_or("an authorization without a code")?;
        let target = format!("{}{code}", plan.exchange);
        let (_, _, body) = api.send(ask(&target)?).await?;
        let tokens = read(&body);
        let text = |key: &str| tokens[key].as_str().ok_or("an exchange without a token");
        let (access, openid) = (text("access_token")?, text("openid")?);
        let target = format!("/sns/userinfo?access_token={access}&openid={openid}");
        let (_, _, body) = api.send(ask(&target)?).await?;
        if read(&body)["nickname"].is_null() {
            return Err("a login without a name".to_owned());
        }
        times.push(began.elapsed().as_secs_f64() * 1000.0);
    }
}

fn ask(target: &str) -> Result<Request<Full<Bytes>>, String> {
    get(target).ok_or_else(|| "a request could not be made".to_owned())
}

fn read(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or(Value::Null)
}

fn code(headers: &HeaderMap) -> Option<String> {
    let location = headers.get("location")?.to_str().ok()?;
    let rest = location.split("code=").nth(1)?;
    rest.split('&').next().map(str::to_owned)
}

/// Opens a connection under one of the platform's names.
async fn named(proxy: &str, tls: &TlsConnector, host: &str) -> Result<Connection, String> {
    let open = async || -> std::io::Result<TlsStream<TcpStream>> {
        let mut stream = TcpStream::connect(proxy).await?;
        stream.set_nodelay(true)?;
        let ask = format!("CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n");
        stream.write_all(ask.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let name = ServerName::try_from(host.to_owned()).map_err(std::io::Error::other)?;
        tls.connect(name, stream).await
    };
    let stream = open().await.map_err(|error| format!("{host}: {error}"))?;
    Connection::over(stream, host).await
}

fn trust(ca: &str) -> Result<Arc<rustls::ClientConfig>, String> {
    let read = || -> Result<_, Box<dyn std::error::Error>> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca)?)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        Ok(rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth())
    };
    read()
        .map(Arc::new)
        .map_err(|error| format!("{ca}: {error}"))
}

/// How many logins the book of flows has seen, those included that it had no more room for.
async fn flows(server: &Server) -> Result<u64, String> {
    let body = control(server, "GET", "/_sandbox/flows?limit=1", String::new()).await?;
    let number = |key: &str| body[key].as_u64().ok_or("the flows are not told");
    Ok(number("total")? + number("dropped")?)
}

async fn control(server: &Server, method: &str, path: &str, body: String) -> Result<Value, String> {
    let token = server.ready["token"].as_str().unwrap_or_default();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(Full::from(body))
        .map_err(|error| error.to_string())?;
    let mut connection = Connection::open(&server.address).await?;
    let (_, _, body) = connection.send(request).await?;
    Ok(read(&body))
}
