//! `yufu bench`: what a request costs, in the server's own CPU time, beside a bare server in the
//! same run. The load comes from this process over loopback; the server is another process, and
//! its cost is read from the system's own books (`/proc`).

mod login;
mod names;

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use yufu_web::clock;

/// How to measure.
#[derive(Args)]
pub struct BenchOptions {
    /// The ready line (`yufu dev --json`) of a server that runs already, as a file; without it,
    /// one is started in a temporary folder.
    #[arg(long, value_name = "FILE")]
    ready: Option<PathBuf>,
    /// The address of a server that runs already: plain http, as behind a proxy. Its service
    /// client and a person are named by the options below; AppSecret and password are read from
    /// the standard input, a line each.
    #[arg(long, value_name = "URL", conflicts_with = "ready", requires_all = ["appid", "phone"])]
    url: Option<String>,
    /// The appid of an approved service client that may redirect to http://127.0.0.1/cb.
    #[arg(long)]
    appid: Option<String>,
    /// The phone number of a person.
    #[arg(long)]
    phone: Option<String>,
    /// The process id of that server, to read its cost.
    #[arg(long)]
    pid: Option<u32>,
    /// Requests per row.
    #[arg(long, default_value_t = 20_000)]
    requests: usize,
    /// Connections at once.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Be the bare server (used by the bench itself).
    #[arg(long, hide = true)]
    bare: bool,
}

/// A measured row.
struct Row {
    name: &'static str,
    requests: usize,
    per_second: f64,
    cpu_ms: Option<f64>,
    written_bytes: Option<f64>,
    p50_ms: f64,
    p99_ms: f64,
    /// Milliseconds of server CPU that the design aims at.
    goal_ms: Option<f64>,
}

/// Measures and prints.
///
/// # Errors
/// In the user's words.
pub async fn run(options: BenchOptions) -> Result<(), String> {
    if options.bare {
        return bare_server().await;
    }
    let mut rows = Vec::new();
    let bare = Server::bare().await?;
    let load = Load {
        connections: options.connections.clamp(1, 1024),
        requests: options.requests.clamp(100, 1_000_000),
    };
    rows.push(
        load.run("bare server: hello JSON", Some(0.010), &bare, |_| get("/"))
            .await?,
    );
    drop(bare);

    let (server, start_ms) = match (&options.ready, &options.url) {
        (Some(path), _) => {
            let text = std::fs::read_to_string(path);
            let text = text.map_err(|e| format!("{}: {e}", path.display()))?;
            (Server::given(&text, options.pid)?, None)
        }
        (None, Some(url)) => (Server::given(&named(&options, url)?, options.pid)?, None),
        (None, None) => {
            let began = clock::mark();
            let server = Server::start().await?;
            (server, Some(began.elapsed().as_secs_f64() * 1000.0))
        }
    };
    let idle_mib = server.memory_mib();
    let measured = async {
        let people = Login::sign_in(&server).await?;
        let mut rows = measure(&load, &server, &people).await?;
        if start_ms.is_some() {
            rows.extend(login::measure(&load, &server).await?);
            rows.extend(names::measure(&load, &server).await?);
        }
        Ok::<_, String>(rows)
    };
    let measured = measured.await;
    let busy_mib = server.memory_mib();
    server.stop().await;
    rows.extend(measured?);
    print(&options, &rows, start_ms, idle_mib, busy_mib);
    Ok(())
}

/// A ready line made of options and of secrets from the standard input.
fn named(options: &BenchOptions, url: &str) -> Result<String, String> {
    let mut lines = std::io::stdin().lines();
    let mut line = |what: &str| match lines.next() {
        Some(Ok(line)) if !line.trim().is_empty() => Ok(line.trim().to_owned()),
        _ => Err(format!(
            "no {what} on the standard input: AppSecret, then password, a line each"
        )),
    };
    let (secret, password) = (line("AppSecret")?, line("password")?);
    let ready = serde_json::json!({
        "platform": url.trim_end_matches('/'),
        "clients": [{"kind": "service", "appid": options.appid, "secret": secret}],
        "people": [{"phone": options.phone, "password": password}],
    });
    Ok(ready.to_string())
}

async fn measure(load: &Load, server: &Server, login: &Login) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    let (client, secret) = (
        server.client("service", "appid")?,
        server.client("service", "secret")?,
    );
    rows.push(
        load.run("/healthz", None, server, |_| get("/healthz"))
            .await?,
    );
    let path = login.authorize_path.clone();
    let cookie = login.cookie.clone();
    let codes = Arc::new(Answers::default());
    let keep = codes.clone();
    rows.push(
        load.run_keeping(
            "authorize, live session, standing consent",
            Some(0.06),
            server,
            move |_| {
                let request = Request::get(path.as_str()).header("cookie", cookie.as_str());
                request.body(Full::default()).ok()
            },
            move |status, headers, _| {
                let location = headers
                    .get("location")
                    .and_then(|v| v.to_str().ok())
                    .unwrap_or("");
                let code = location
                    .split("code=")
                    .nth(1)
                    .and_then(|rest| rest.split('&').next());
                if let (StatusCode::FOUND, Some(code)) = (status, code) {
                    keep.put(code.to_owned());
                }
            },
        )
        .await?,
    );
    let codes = codes.take();
    if codes.len() < load.requests {
        return Err(format!(
            "only {} of {} authorizations gave a code",
            codes.len(),
            load.requests
        ));
    }
    let tokens = Arc::new(Answers::default());
    let keep = tokens.clone();
    let base = format!(
        "/sns/oauth2/access_token?appid={client}&secret={secret}&grant_type=authorization_code&code="
    );
    rows.push(
        load.run_keeping(
            "code exchange, durable, one-time",
            Some(0.08),
            server,
            move |i| get(&format!("{base}{}", codes[i])),
            move |_, _, body| {
                let text = |name: &str| body[name].as_str().unwrap_or("").to_owned();
                if body["errcode"].is_null() {
                    keep.put(format!(
                        "{} {} {}",
                        text("access_token"),
                        text("openid"),
                        text("refresh_token")
                    ));
                }
            },
        )
        .await?,
    );
    let tokens: Arc<Vec<[String; 3]>> = Arc::new(
        tokens
            .take()
            .iter()
            .filter_map(|line| {
                let mut parts = line.split(' ').map(str::to_owned);
                Some([parts.next()?, parts.next()?, parts.next()?])
            })
            .collect(),
    );
    if tokens.len() < load.requests {
        return Err(format!(
            "only {} of {} exchanges gave tokens",
            tokens.len(),
            load.requests
        ));
    }
    for (name, goal, path) in [
        ("/sns/auth", 0.018, "/sns/auth?access_token="),
        (
            "/sns/userinfo",
            0.018,
            "/sns/userinfo?lang=zh_CN&access_token=",
        ),
    ] {
        let tokens = tokens.clone();
        let make = move |i: usize| {
            let [access, openid, _] = &tokens[i % tokens.len()];
            get(&format!("{path}{access}&openid={openid}"))
        };
        rows.push(load.run(name, Some(goal), server, make).await?);
    }
    let base =
        format!("/sns/oauth2/refresh_token?appid={client}&grant_type=refresh_token&refresh_token=");
    let make = move |i: usize| get(&format!("{base}{}", tokens[i % tokens.len()][2]));
    rows.push(load.run("refresh", Some(0.05), server, make).await?);
    Ok(rows)
}

fn print(
    options: &BenchOptions,
    rows: &[Row],
    start_ms: Option<f64>,
    idle: Option<f64>,
    busy: Option<f64>,
) {
    let bare = rows.first().and_then(|row| row.cpu_ms);
    if options.json {
        let rows: Vec<_> = rows
            .iter()
            .map(|row| {
                serde_json::json!({
                    "row": row.name, "requests": row.requests, "per_second": row.per_second,
                    "server_cpu_ms": row.cpu_ms, "written_bytes": row.written_bytes,
                    "p50_ms": row.p50_ms, "p99_ms": row.p99_ms,
                    "ratio_to_bare": ratio(row, bare), "goal_ms": row.goal_ms,
                })
            })
            .collect();
        say!(
            "{}",
            serde_json::json!({"rows": rows, "start_to_first_answer_ms": start_ms,
                "memory_idle_mib": idle, "memory_busy_mib": busy})
        );
        return;
    }
    say!(
        "{:44} {:>9} {:>11} {:>7} {:>7} {:>8} {:>8} {:>10}",
        "",
        "req/s",
        "CPU ms/req",
        "× bare",
        "goal",
        "p50 ms",
        "p99 ms",
        "written B"
    );
    let text = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
    };
    for row in rows {
        say!(
            "{:44} {:>9.0} {:>11} {:>7} {:>7} {:>8.2} {:>8.2} {:>10}",
            row.name,
            row.per_second,
            text(row.cpu_ms, 4),
            text(ratio(row, bare), 1),
            text(row.goal_ms, 3),
            row.p50_ms,
            row.p99_ms,
            text(row.written_bytes, 0),
        );
    }
    say!(
        "start to first answer {} ms (goal 150) · memory idle {} MiB (goal 20), after the run {} MiB",
        text(start_ms, 0),
        text(idle, 1),
        text(busy, 1)
    );
}

fn ratio(row: &Row, bare: Option<f64>) -> Option<f64> {
    Some(row.cpu_ms? / bare.filter(|bare| *bare > 0.0)?)
}

fn get(path: &str) -> Option<Request<Full<Bytes>>> {
    Request::get(path).body(Full::default()).ok()
}

/// Texts gathered from answers.
#[derive(Default)]
struct Answers(std::sync::Mutex<Vec<String>>);

impl Answers {
    fn put(&self, text: String) {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(text);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(
            &mut *self
                .0
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        )
    }
}

// --- the load ------------------------------------------------------------------------------------

struct Load {
    connections: usize,
    requests: usize,
}

impl Load {
    async fn run(
        &self,
        name: &'static str,
        goal_ms: Option<f64>,
        server: &Server,
        make: impl Fn(usize) -> Option<Request<Full<Bytes>>> + Send + Sync + 'static,
    ) -> Result<Row, String> {
        self.run_keeping(name, goal_ms, server, make, |_, _, _| {})
            .await
    }

    async fn run_keeping(
        &self,
        name: &'static str,
        goal_ms: Option<f64>,
        server: &Server,
        make: impl Fn(usize) -> Option<Request<Full<Bytes>>> + Send + Sync + 'static,
        keep: impl Fn(StatusCode, &HeaderMap, Value) + Send + Sync + 'static,
    ) -> Result<Row, String> {
        let (make, keep) = (Arc::new(make), Arc::new(keep));
        let next = Arc::new(AtomicUsize::new(0));
        let (before, wrote) = (server.cpu_ms(), server.written());
        let began = clock::mark();
        let mut workers = Vec::new();
        for _ in 0..self.connections {
            let mut connection = Connection::open(&server.address).await?;
            let (make, keep, next, total) =
                (make.clone(), keep.clone(), next.clone(), self.requests);
            workers.push(tokio::spawn(async move {
                let mut times = Vec::new();
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    if i >= total {
                        return Ok::<_, String>(times);
                    }
                    let request = make(i).ok_or("a request could not be made")?;
                    let sent: Instant = clock::mark();
                    let (status, headers, body) = connection.send(request).await?;
                    times.push(sent.elapsed().as_secs_f64() * 1000.0);
                    if status.is_server_error() {
                        return Err(format!("{status} in the row {name}"));
                    }
                    keep(
                        status,
                        &headers,
                        serde_json::from_slice(&body).unwrap_or(Value::Null),
                    );
                }
            }));
        }
        let mut times = Vec::with_capacity(self.requests);
        for worker in workers {
            times.extend(worker.await.map_err(|e| e.to_string())??);
        }
        let seconds = began.elapsed().as_secs_f64();
        let count = times.len() as f64;
        times.sort_by(f64::total_cmp);
        let at = |share: f64| {
            times
                .get(((count - 1.0) * share) as usize)
                .copied()
                .unwrap_or(0.0)
        };
        Ok(Row {
            name,
            requests: times.len(),
            per_second: count / seconds,
            cpu_ms: server
                .cpu_ms()
                .zip(before)
                .map(|(after, before)| (after - before) / count),
            written_bytes: server
                .written()
                .zip(wrote)
                .map(|(after, before)| (after - before) / count),
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            goal_ms,
        })
    }
}

/// One connection that is kept open.
struct Connection(SendRequest<Full<Bytes>>, String);

impl Connection {
    async fn open(address: &str) -> Result<Self, String> {
        let stream = TcpStream::connect(address)
            .await
            .map_err(|e| format!("{address}: {e}"))?;
        let _ = stream.set_nodelay(true);
        Self::over(stream, address).await
    }

    /// Over a connection that is there already, to a host.
    async fn over<S>(stream: S, host: &str) -> Result<Self, String>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| e.to_string())?;
        tokio::spawn(connection);
        Ok(Self(sender, host.to_owned()))
    }

    async fn send(
        &mut self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, HeaderMap, Bytes), String> {
        let host = self.1.parse().map_err(|_| "a bad address")?;
        request.headers_mut().insert("host", host);
        let answer = async {
            self.0.ready().await?;
            let answer = self.0.send_request(request).await?;
            let (parts, body) = answer.into_parts();
            Ok::<_, hyper::Error>((
                parts.status,
                parts.headers,
                body.collect().await?.to_bytes(),
            ))
        };
        match tokio::time::timeout(Duration::from_secs(30), answer).await {
            Ok(answer) => answer.map_err(|e| e.to_string()),
            Err(_) => Err("no answer within 30 s".to_owned()),
        }
    }
}

// --- servers -------------------------------------------------------------------------------------

struct Server {
    /// Ends with this value: its standard input closes.
    _child: Option<Child>,
    pid: Option<u32>,
    address: String,
    ready: Value,
}

impl Server {
    async fn spawn(arguments: &[&str]) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|e| e.to_string())?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| format!("a server could not be started: {e}"))?;
        let stdout = child.stdout.take().ok_or("a server without output")?;
        let mut line = String::new();
        let mut stdout = BufReader::new(stdout);
        let read = tokio::time::timeout(Duration::from_secs(20), stdout.read_line(&mut line));
        read.await
            .map_err(|_| "the server did not get ready".to_owned())?
            .map_err(|e| e.to_string())?;
        let mut server = Self::of(&line)?;
        server.pid = child.id();
        server._child = Some(child);
        Ok(server)
    }

    fn of(line: &str) -> Result<Self, String> {
        let ready: Value = serde_json::from_str(line).map_err(|e| format!("no ready line: {e}"))?;
        let url = ready["platform"].as_str().unwrap_or("");
        let address = url
            .strip_prefix("http://")
            .ok_or("the ready line names no platform")?;
        Ok(Self {
            _child: None,
            pid: None,
            address: address.to_owned(),
            ready,
        })
    }

    /// The same process at another of its addresses.
    fn at(&self, url: &str) -> Result<Self, String> {
        let address = url.strip_prefix("http://");
        Ok(Self {
            _child: None,
            pid: self.pid,
            address: address
                .ok_or("the login backend has no address")?
                .to_owned(),
            ready: Value::Null,
        })
    }

    async fn bare() -> Result<Self, String> {
        Self::spawn(&["bench", "--bare"]).await
    }

    async fn start() -> Result<Self, String> {
        let server = Self::spawn(&["dev", "--json", "--port", "0", "--until-stdin-closes"]).await?;
        let mut connection = Connection::open(&server.address).await?;
        let request = get("/healthz").ok_or("a request could not be made")?;
        connection.send(request).await?;
        Ok(server)
    }

    fn given(line: &str, pid: Option<u32>) -> Result<Self, String> {
        let mut server = Self::of(line)?;
        server.pid = pid;
        Ok(server)
    }

    /// Ends a server of ours as it likes to be ended, so that it leaves nothing behind.
    async fn stop(mut self) {
        if let Some(mut child) = self._child.take() {
            drop(child.stdin.take());
            let _ = tokio::time::timeout(Duration::from_secs(15), child.wait()).await;
        }
    }

    fn client(&self, kind: &str, key: &str) -> Result<String, String> {
        let clients = self.ready["clients"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        clients
            .iter()
            .find(|client| client["kind"] == kind)
            .and_then(|client| client[key].as_str())
            .map(str::to_owned)
            .ok_or_else(|| format!("the ready line names no {kind} client"))
    }

    fn proc(&self, file: &str) -> Option<String> {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.pid?)).ok()
    }

    /// CPU time of the process so far, in milliseconds; the system counts in hundredths.
    fn cpu_ms(&self) -> Option<f64> {
        let stat = self.proc("stat")?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
        Some(ticks * 10.0)
    }

    /// Bytes that the process has had written to disk.
    fn written(&self) -> Option<f64> {
        self.line("io", "write_bytes:")
    }

    fn memory_mib(&self) -> Option<f64> {
        self.line("status", "VmRSS:").map(|kib| kib / 1024.0)
    }

    fn line(&self, file: &str, name: &str) -> Option<f64> {
        let text = self.proc(file)?;
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    }
}

/// The floor: the same HTTP stack with one handler that answers a constant.
async fn bare_server() -> Result<(), String> {
    use axum::http::header::CONTENT_TYPE;
    let hello = || async {
        (
            [(CONTENT_TYPE, "application/json")],
            "{\"hello\":\"world\"}",
        )
    };
    let router = axum::Router::new().route("/", axum::routing::get(hello));
    let listener = crate::listen::bind(([127, 0, 0, 1], 0).into()).await?;
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    say!(
        "{}",
        serde_json::json!({"platform": format!("http://{address}")})
    );
    let (stop, closing) = tokio::sync::watch::channel(false);
    let server = tokio::spawn(crate::listen::serve(listener, None, router, closing));
    crate::serve::asked_to_stop().await?;
    let _ = stop.send(true);
    let _ = server.await;
    Ok(())
}

// --- a signed-in browser -------------------------------------------------------------------------

/// A browser that signed in and agreed once, so that asking again is silent.
struct Login {
    cookie: String,
    authorize_path: String,
}

impl Login {
    async fn sign_in(server: &Server) -> Result<Self, String> {
        let appid = server.client("service", "appid")?;
        let authorize_path = format!(
            "/connect/oauth2/authorize?appid={appid}&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcb\
             &response_type=code&scope=snsapi_userinfo&state=bench"
        );
        let mut browser = Browser {
            connection: Connection::open(&server.address).await?,
            cookies: Vec::new(),
        };
        let person = &server.ready["people"][0];
        let (phone, password) = (person["phone"].as_str(), person["password"].as_str());
        let (phone, password) = phone
            .zip(password)
            .ok_or("the ready line names no people")?;
        let phone = phone.replace('+', "%2B");
        let mut path = browser.go(&authorize_path).await?.0;
        for form in [
            format!("act=sign_in&phone={phone}&password={password}"),
            "act=allow".to_owned(),
        ] {
            let (_, page) = browser.go(&path).await?;
            let token = page
                .split("name=\"csrf\" value=\"")
                .nth(1)
                .and_then(|rest| rest.split('"').next());
            let token = token.ok_or("a page without a form")?;
            path = browser.post(&path, &format!("csrf={token}&{form}")).await?;
        }
        if !path.contains("code=") {
            return Err("the first login did not end with a code".to_owned());
        }
        Ok(Self {
            cookie: browser.cookie(),
            authorize_path,
        })
    }
}

struct Browser {
    connection: Connection,
    cookies: Vec<(String, String)>,
}

impl Browser {
    fn cookie(&self) -> String {
        let pairs: Vec<_> = self
            .cookies
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        pairs.join("; ")
    }

    fn keep(&mut self, headers: &HeaderMap) {
        for line in headers.get_all("set-cookie") {
            let pair = line.to_str().unwrap_or("").split(';').next().unwrap_or("");
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.retain(|(known, _)| known != name);
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    /// Opens an address; answers where it leads to, and the page.
    async fn go(&mut self, path: &str) -> Result<(String, String), String> {
        let request = Request::get(path)
            .header("cookie", self.cookie())
            .body(Full::default());
        let sent = self
            .connection
            .send(request.map_err(|e| e.to_string())?)
            .await?;
        self.keep(&sent.1);
        let page = String::from_utf8_lossy(&sent.2).into_owned();
        Ok((location(&sent.1), page))
    }

    async fn post(&mut self, path: &str, form: &str) -> Result<String, String> {
        let request = Request::post(path)
            .header("cookie", self.cookie())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::from(form.to_owned()));
        let sent = self
            .connection
            .send(request.map_err(|e| e.to_string())?)
            .await?;
        self.keep(&sent.1);
        Ok(location(&sent.1))
    }
}

fn location(headers: &HeaderMap) -> String {
    let text = headers.get("location").and_then(|v| v.to_str().ok());
    text.unwrap_or("").to_owned()
}
