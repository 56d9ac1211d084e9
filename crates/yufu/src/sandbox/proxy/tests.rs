use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use axum::extract::State;
use axum::middleware::{Next, from_fn_with_state};
use axum::routing::{any, get};
use http_body_util::BodyExt as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::traffic::{HandshakeFault, Mark, TrafficSum, What};
use super::*;

const WECHAT: &str = "api.weixin.qq.com";

/// A proxy and a gate before a platform of three pages.
struct House {
    proxy: SocketAddr,
    gate: SocketAddr,
    authority: Arc<Authority>,
    traffic: Arc<Traffic>,
    /// What was looked on at.
    looked: Arc<Mutex<Vec<String>>>,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

/// Says how the request came.
async fn tell(request: axum::extract::Request) -> String {
    let by = request.extensions().get::<ByProxy>().copied();
    let peer = request.extensions().get::<Peer>().is_some();
    let host = request.headers().get(header::HOST).cloned().unwrap();
    let by = by.map(|by| format!("{}://{}", by.scheme, by.host));
    let spoken = request.headers().contains_key("proxy-connection");
    assert!(!spoken, "that was for the proxy");
    format!("{by:?} {peer} {} {}", request.uri(), host.to_str().unwrap())
}

async fn cut() -> Response {
    let mut answer = Response::new(Body::from("never told"));
    answer.extensions_mut().insert(listen::Cut);
    answer
}

async fn look(
    State(looked): State<Arc<Mutex<Vec<String>>>>,
    request: axum::extract::Request,
    next: Next,
) -> Response {
    looked.lock().unwrap().push(request.uri().to_string());
    next.run(request).await
}

impl House {
    async fn open() -> Self {
        let (proxy, gate) = (bind().await, bind().await);
        let (stop, closing) = watch::channel(false);
        let authority = Arc::new(Authority::open(Path::new("/nowhere"), false).unwrap());
        let traffic = Arc::new(Traffic::default());
        let looked: Arc<Mutex<Vec<String>>> = Arc::default();
        let parts = Parts {
            platform: Router::new().route("/cut", get(cut)).fallback(any(tell)),
            own: proxy.local_addr().unwrap(),
            doors: Vec::new(),
            authority: &authority,
            traffic: traffic.clone(),
            closing,
        };
        let onlooker = looked.clone();
        let around = |apps: Router| apps.layer(from_fn_with_state(onlooker, look));
        let keeper = super::open(parts, around).unwrap();
        Self {
            proxy: proxy.local_addr().unwrap(),
            gate: gate.local_addr().unwrap(),
            server: tokio::spawn(keeper.serve(proxy, gate)),
            authority,
            traffic,
            looked,
            stop,
        }
    }

    async fn dial(&self) -> TcpStream {
        TcpStream::connect(self.proxy).await.unwrap()
    }

    /// Asks for a tunnel; the status and the connection, up to the end of the answer's head.
    async fn connect(&self, target: &str) -> (u16, TcpStream) {
        let mut stream = self.dial().await;
        let ask = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
        stream.write_all(ask.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, stream)
    }

    /// A TLS connection under a name, through a tunnel to it.
    async fn secure(&self, host: &str) -> TlsStream<TcpStream> {
        let (status, stream) = self.connect(&format!("{host}:443")).await;
        assert_eq!(status, 200);
        self.shake(stream, host).await.unwrap()
    }

    async fn shake(&self, stream: TcpStream, host: &str) -> std::io::Result<TlsStream<TcpStream>> {
        shake(stream, host, Some(self.authority.root_pem())).await
    }

    /// A request in absolute form.
    async fn ask(&self, address: &str) -> (u16, String) {
        ask(self.dial().await, address, "elsewhere.example")
            .await
            .unwrap()
    }

    fn sum(&self) -> TrafficSum {
        self.traffic.since(&Mark::default())
    }

    /// Waits until the counts are as they should be.
    async fn counts(&self, fit: impl Fn(&TrafficSum) -> bool) {
        for _ in 0..500 {
            if fit(&self.sum()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{:?}", self.sum());
    }
}

async fn bind() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap()
}

async fn shake(
    stream: TcpStream,
    host: &str,
    root: Option<&str>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    if let Some(root) = root {
        let root = CertificateDer::from_pem_slice(root.as_bytes()).unwrap();
        roots.add(root).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await
}

/// The first words of a TLS client.
fn hello() -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from(WECHAT).unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

/// Sends a request over a connection; `None` when it ended without an answer.
async fn ask<S>(stream: S, target: &str, host: &str) -> Option<(u16, String)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get(target)
        .header("host", host)
        .header("proxy-connection", "keep-alive")
        .header("x-mine", "1")
        .body(Body::empty())
        .unwrap();
    let answer = sender.send_request(request).await.ok()?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.ok()?.to_bytes();
    connection.abort();
    Some((status, String::from_utf8(body.to_vec()).unwrap()))
}

#[tokio::test]
async fn every_name_of_the_platform_is_answered_over_tls() {
    let house = House::open().await;
    for host in HOSTS {
        let stream = house.secure(host).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        let answer = ask(stream, "/sns/auth?x=%20y", host).await.unwrap();
        let said = format!("Some(\"https://{host}\") true /sns/auth?x=%20y {host}");
        assert_eq!(answer, (200, said));
    }
    let sum = house.sum();
    assert_eq!((sum.connections, sum.tunnels, sum.handshakes), (9, 9, 9));
    assert_eq!(sum.requests, HOSTS.map(|host| (host, 1)));
    assert_eq!(
        (sum.others, sum.failures, sum.silent, sum.gate),
        (0, 0, 0, 0)
    );
}

#[tokio::test]
async fn names_are_answered_however_they_are_spelt_and_asked_for() {
    let house = House::open().await;
    for target in ["API.Weixin.QQ.com:443", "api.weixin.qq.com.:443"] {
        let (status, stream) = house.connect(target).await;
        assert_eq!(status, 200);
        let stream = house.shake(stream, WECHAT).await.unwrap();
        let answer = ask(stream, "/", WECHAT).await.unwrap();
        assert_eq!(answer.0, 200, "{target}");
    }
    let (status, stream) = house.connect("api.weixin.qq.com:80").await;
    assert_eq!(status, 200);
    let (_, said) = ask(stream, "/a", "api.weixin.qq.com:80").await.unwrap();
    assert_eq!(
        said,
        "Some(\"http://api.weixin.qq.com\") true /a api.weixin.qq.com:80"
    );
    // The address counts, not the header beside it.
    for (address, said) in [
        (
            "http://graph.qq.com/a?b=c",
            "http://graph.qq.com\") true /a?b=c graph.qq.com",
        ),
        (
            "http://graph.qq.com:80/",
            "http://graph.qq.com\") true / graph.qq.com:80",
        ),
        (
            "https://graph.qq.com/a",
            "https://graph.qq.com\") true /a graph.qq.com",
        ),
        (
            "https://GRAPH.qq.com:443/a",
            "https://graph.qq.com\") true /a GRAPH.qq.com:443",
        ),
        (
            "http://me:you@graph.qq.com/",
            "http://graph.qq.com\") true / graph.qq.com",
        ),
    ] {
        let answer = house.ask(address).await;
        assert_eq!(answer, (200, format!("Some(\"{said}")), "{address}");
    }
}

#[tokio::test]
async fn the_gate_answers_by_the_name_that_is_asked_for() {
    let house = House::open().await;
    for host in HOSTS {
        let stream = TcpStream::connect(house.gate).await.unwrap();
        let stream = house.shake(stream, host).await.unwrap();
        let (status, said) = ask(stream, "/x", host).await.unwrap();
        assert_eq!((status, said.contains(host)), (200, true), "{said}");
    }
    let sum = house.sum();
    assert_eq!((sum.gate, sum.connections, sum.arrived()), (9, 0, 9));
}

#[tokio::test]
async fn no_certificate_is_shown_for_another_name() {
    let house = House::open().await;
    for stranger in [
        "example.com",
        "weixin.qq.com",
        "mp.weixin.qq.com",
        "x.api.weixin.qq.com",
        "127.0.0.1",
        "localhost",
    ] {
        // Through the gate, and through a tunnel that says it is for one of ours.
        let direct = TcpStream::connect(house.gate).await.unwrap();
        let (_, tunnel) = house.connect("api.weixin.qq.com:443").await;
        for stream in [direct, tunnel] {
            let refused = house.shake(stream, stranger).await.unwrap_err();
            let inner = refused.get_ref().unwrap();
            let inner = inner.downcast_ref::<rustls::Error>().unwrap();
            let alert = rustls::AlertDescription::AccessDenied;
            assert_eq!(inner, &rustls::Error::AlertReceived(alert), "{stranger}");
        }
    }
    house.counts(|sum| sum.failures == 12).await;
    let sum = house.sum();
    assert_eq!((sum.handshakes, sum.arrived()), (0, 0));
    assert_eq!(sum.last_failure().unwrap().1, HandshakeFault::Nameless);
}

#[tokio::test]
async fn a_request_for_another_host_is_not_answered_under_our_names() {
    let house = House::open().await;
    for host in [
        "example.com",
        "127.0.0.1:8420",
        "localhost",
        "",
        "api.weixin.qq.com.evil.example",
    ] {
        let stream = house.secure(WECHAT).await;
        let (status, said) = ask(stream, "/", host).await.unwrap();
        assert_eq!(status, 421, "{host}");
        assert!(
            said.contains("this connection is to api.weixin.qq.com"),
            "{said}"
        );
    }
    assert_eq!(house.sum().arrived(), 0);
}

#[tokio::test]
async fn our_names_elsewhere_than_at_their_ports_are_not_passed_on() {
    let house = House::open().await;
    for port in [8443, 22, 8080] {
        let (status, _) = house.connect(&format!("api.weixin.qq.com:{port}")).await;
        assert_eq!(status, 403);
        let (status, said) = house
            .ask(&format!("http://api.weixin.qq.com:{port}/"))
            .await;
        assert_eq!(status, 403);
        assert!(
            said.contains("ports 443 (https) and 80 (http) alone"),
            "{said}"
        );
    }
    let sum = house.sum();
    assert_eq!((sum.others, sum.forwarded, sum.arrived()), (0, 0, 0));
}

#[tokio::test]
async fn who_does_not_trust_us_is_counted_with_their_reason() {
    let house = House::open().await;
    let (_, stream) = house.connect("api.weixin.qq.com:443").await;
    assert!(shake(stream, WECHAT, None).await.is_err());
    house.counts(|sum| sum.failures == 1).await;
    assert_eq!(
        house.sum().last_failure(),
        Some((WECHAT, HandshakeFault::Untrusted))
    );
    assert!(house.sum().is_distrusted());
    // Whoever shakes hands and then says nothing.
    let mark = house.traffic.mark();
    drop(house.secure("graph.qq.com").await);
    house.counts(|sum| sum.silent == 1).await;
    assert!(house.traffic.since(&mark).is_distrusted());
    let (_, mut stream) = house.connect("api.weixin.qq.com:443").await;
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    house.counts(|sum| sum.failures == 2).await;
    assert_eq!(
        house.sum().last_failure(),
        Some((WECHAT, HandshakeFault::NotTls))
    );
    let (_, stream) = house.connect("api.weixin.qq.com:443").await;
    drop(stream);
    house.counts(|sum| sum.failures == 3).await;
    assert_eq!(
        house.sum().last_failure(),
        Some((WECHAT, HandshakeFault::Gone))
    );
    // Whoever says hello, looks at the certificate and goes without a word.
    let (_, mut stream) = house.connect("api.weixin.qq.com:443").await;
    stream.write_all(&hello()).await.unwrap();
    stream.read_u8().await.unwrap();
    drop(stream);
    house.counts(|sum| sum.failures == 4).await;
    assert_eq!(
        house.sum().last_failure(),
        Some((WECHAT, HandshakeFault::Left))
    );
}

#[tokio::test]
async fn an_answer_that_is_cut_is_cut_through_the_proxy_too() {
    let house = House::open().await;
    let mut stream = house.secure(WECHAT).await;
    let head = format!("GET /cut HTTP/1.1\r\nHost: {WECHAT}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    // Without a word, be it with TLS's own good-bye or without.
    let _ = stream.read_to_end(&mut said).await;
    assert_eq!(said, b"");
    let mut stream = house.dial().await;
    let head = format!("GET http://{WECHAT}/cut HTTP/1.1\r\nHost: {WECHAT}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(stream.read_to_end(&mut said).await.unwrap(), 0);
}

#[tokio::test]
async fn other_hosts_get_every_byte_as_it_is() {
    let house = House::open().await;
    let other = bind().await;
    let address = other.local_addr().unwrap();
    let echo = tokio::spawn(async move {
        let (mut stream, _) = other.accept().await.unwrap();
        let (mut read, mut write) = stream.split();
        tokio::io::copy(&mut read, &mut write).await.unwrap()
    });
    let (status, mut tunnel) = house.connect(&address.to_string()).await;
    assert_eq!(status, 200);
    let sent: Vec<u8> = (0..300_000u32).map(|n| (n * 7 % 256) as u8).collect();
    let (mut read, mut write) = tunnel.split();
    let mut back = vec![0; sent.len()];
    let (wrote, heard) = tokio::join!(write.write_all(&sent), read.read_exact(&mut back));
    wrote.unwrap();
    heard.unwrap();
    assert_eq!(back, sent);
    // Half closed is not closed.
    write.shutdown().await.unwrap();
    assert_eq!(echo.await.unwrap(), sent.len() as u64);
    assert_eq!(read.read(&mut back).await.unwrap(), 0);
    let sum = house.sum();
    assert_eq!((sum.tunnels, sum.others), (0, 1));
    assert_eq!(sum.last_other(), Some(address.to_string().as_str()));
    assert!(house.looked.lock().unwrap().is_empty());
}

/// A server of somebody's; answers with the head that it got.
async fn somebody() -> SocketAddr {
    let listener = bind().await;
    let address = listener.local_addr().unwrap();
    let say = |request: axum::extract::Request| async move {
        let mut lines: Vec<String> = vec![format!("{} {}", request.method(), request.uri())];
        let headers = request.headers().iter();
        lines.extend(headers.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())));
        let body = request.into_body().collect().await.unwrap().to_bytes();
        lines.push(String::from_utf8(body.to_vec()).unwrap());
        (
            [("connection", "x-hop"), ("x-hop", "1"), ("x-kept", "1")],
            lines.join("\n"),
        )
    };
    let router = Router::new().fallback(any(say));
    let (_stop, closing) = watch::channel(false);
    tokio::spawn(async move {
        let _stop = _stop;
        listen::serve(listener, None, router, closing).await;
    });
    address
}

#[tokio::test]
async fn a_plain_request_for_an_app_is_passed_on_and_looked_on_at() {
    let house = House::open().await;
    let address = somebody().await;
    let (status, said) = house
        .ask(&format!("http://{address}/callback?code=1&state=2"))
        .await;
    assert_eq!(status, 200);
    let mut lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.remove(0), "GET /callback?code=1&state=2");
    lines.sort_unstable();
    assert_eq!(lines, [&format!("host: {address}"), "x-mine: 1"]);
    let url = format!("http://{address}/callback?code=1&state=2");
    assert_eq!(*house.looked.lock().unwrap(), [url]);
    let sum = house.sum();
    assert_eq!((sum.forwarded, sum.others), (1, 0));
    // A body of a length that nobody told.
    let mut stream = house.dial().await;
    let ask = format!(
        "POST http://{address}/ HTTP/1.1\r\nHost: {address}\r\nTransfer-Encoding: chunked\r\n\
         Connection: close\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
    );
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "{said}");
    assert!(said.contains("\nbody"), "{said}");
    assert!(
        said.contains("x-kept: 1") && !said.contains("x-hop"),
        "{said}"
    );
}

#[tokio::test]
async fn a_host_that_is_not_there_is_said_so() {
    let house = House::open().await;
    let nobody = bind().await.local_addr().unwrap();
    let (status, mut stream) = house.connect(&nobody.to_string()).await;
    assert_eq!(status, 502);
    let mut said = [0; 512];
    let length = stream.read(&mut said).await.unwrap();
    let said = String::from_utf8_lossy(&said[..length]).into_owned();
    let words = format!("yufu: {nobody} was not reached: Connection refused");
    assert!(said.starts_with(&words), "{said}");
    for scheme in ["http", "https"] {
        let (status, said) = house.ask(&format!("{scheme}://{nobody}/x")).await;
        assert_eq!(status, 502);
        assert!(said.starts_with(&words), "{said}");
    }
    let events = house.sum().events;
    let unreached = events.iter().filter(|event| event.what == What::Unreached);
    assert_eq!(unreached.count(), 3);
}

#[tokio::test]
async fn https_in_absolute_form_is_passed_on_over_tls_that_is_checked() {
    let house = House::open().await;
    // Somebody with a certificate that nobody trusts: the gate will do.
    let (status, said) = house
        .ask(&format!("https://localhost:{}/", house.gate.port()))
        .await;
    assert_eq!(status, 502);
    assert!(
        said.contains("AccessDenied") || said.contains("certificate"),
        "{said}"
    );
}

#[tokio::test]
async fn the_proxy_says_what_it_is_and_calls_not_itself() {
    let house = House::open().await;
    for (path, status, words) in [
        ("/", 200, "This is the proxy of a yufu sandbox"),
        ("/else", 404, "This is the proxy of a yufu sandbox"),
        ("/proxy.pac", 200, "function FindProxyForURL"),
        ("/ca.pem", 200, "BEGIN CERTIFICATE"),
    ] {
        let (got, said) = ask(house.dial().await, path, "127.0.0.1").await.unwrap();
        assert_eq!(got, status, "{path}");
        assert!(said.contains(words), "{said}");
    }
    let port = house.proxy.port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let (status, _) = house.connect(&format!("{host}:{port}")).await;
        assert_eq!(status, 502);
        let (status, said) = house.ask(&format!("http://{host}:{port}/")).await;
        assert_eq!(status, 502);
        assert!(said.contains("that is this proxy itself"), "{said}");
    }
}

#[tokio::test]
async fn what_is_no_request_for_a_proxy_is_refused() {
    let house = House::open().await;
    for (head, status) in [
        ("CONNECT example.com HTTP/1.1", 400),
        ("GET ftp://example.com/ HTTP/1.1", 400),
        ("CONNECT http://example.com/ HTTP/1.1", 400),
        ("GET HTTP/1.1", 400),
        ("CONNECT :443 HTTP/1.1", 400),
    ] {
        let mut stream = house.dial().await;
        let ask = format!("{head}\r\nHost: x\r\n\r\n");
        stream.write_all(ask.as_bytes()).await.unwrap();
        let mut said = [0; 1024];
        let length = stream.read(&mut said).await.unwrap();
        let said = String::from_utf8_lossy(&said[..length]).into_owned();
        assert!(
            said.starts_with(&format!("HTTP/1.1 {status} ")),
            "{head}: {said}"
        );
    }
    let mut stream = house.dial().await;
    let ask = format!(
        "GET http://{WECHAT}/ HTTP/1.1\r\nX: {}\r\n\r\n",
        "x".repeat(300_000)
    );
    let _ = stream.write_all(ask.as_bytes()).await;
    let mut said = [0; 1024];
    // The words may be lost with what nobody read.
    let length = stream.read(&mut said).await.unwrap_or(0);
    let said = String::from_utf8_lossy(&said[..length]);
    assert!(
        said.is_empty() || said.starts_with("HTTP/1.1 431 "),
        "{said}"
    );
    assert_eq!(house.sum().arrived(), 0);
}

#[tokio::test]
async fn the_silent_stop_nobody_and_the_end_comes() {
    let house = House::open().await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(house.dial().await);
        silent.push(house.connect("api.weixin.qq.com:443").await.1);
        silent.push(TcpStream::connect(house.gate).await.unwrap());
    }
    let other = bind().await;
    let (_, mut tunnel) = house
        .connect(&other.local_addr().unwrap().to_string())
        .await;
    let kept = house.secure(WECHAT).await;
    let (status, _) = ask(house.secure(WECHAT).await, "/", WECHAT).await.unwrap();
    assert_eq!(status, 200);
    house.stop.send(true).unwrap();
    // Neither silence nor a tunnel nor a connection that is kept holds the end up.
    tokio::time::timeout(Duration::from_secs(5), house.server)
        .await
        .expect("the proxy ends")
        .unwrap();
    assert_eq!(tunnel.read(&mut [0]).await.unwrap_or(0), 0);
    assert!(TcpStream::connect(house.proxy).await.is_err());
    drop(kept);
}

#[test]
fn the_proxy_stays_on_this_machine_unless_that_was_said_twice() {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    assert_eq!(place(None, false), Ok(ip("127.0.0.1")));
    for here in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
        assert_eq!(place(Some(ip(here)), false), Ok(ip(here)));
    }
    for elsewhere in ["0.0.0.0", "::", "192.168.1.7", "10.0.0.1", "203.0.113.7"] {
        let words = place(Some(ip(elsewhere)), false).unwrap_err();
        assert!(
            words.contains(elsewhere) && words.contains("--proxy-anywhere"),
            "{words}"
        );
        assert_eq!(place(Some(ip(elsewhere)), true), Ok(ip(elsewhere)));
    }
}

#[test]
fn a_pac_file_sends_our_names_and_no_others() {
    let file = pac("127.0.0.1:8425".parse().unwrap());
    let tried = [
        ("api.weixin.qq.com", true),
        ("API.weixin.qq.com", true),
        ("api.weixin.qq.com.", true),
        ("x.api.weixin.qq.com", false),
        ("weixin.qq.com", false),
        ("example.com", false),
        ("constructor", false),
        ("", false),
    ];
    let hosts = tried.map(|(host, _)| format!("{host:?}")).join(",");
    let script = format!(
        "{file}\nconsole.log([{hosts}].map(h => FindProxyForURL('https://' + h + '/', h)).join('\\n'))"
    );
    let output = std::process::Command::new("node")
        .args(["-e", &script])
        .output();
    let said = String::from_utf8(output.expect("node is installed").stdout).unwrap();
    let expected = tried.map(|(_, ours)| match ours {
        true => "PROXY 127.0.0.1:8425",
        false => "DIRECT",
    });
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
}
