//! `yufu serve`: what it refuses to start with, TLS, health, and an end that lets answers finish.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};

use crate::house::{Ask, Browser, House, Temp, until, yufu};

/// A master key of tests.
pub(crate) const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// Writes a minimal file of settings for this public address, with more at its end.
pub(crate) fn settings(temp: &Temp, public_url: &str, more: &str) -> PathBuf {
    temp.write("master.key", KEY);
    let text = format!(
        "[platform]\npublic_url = \"{public_url}\"\nlisten = \"127.0.0.1:0\"\n\
         trusted_proxies = [\"127.0.0.1\"]\n\
         [store]\npath = \"yufu.db\"\n[keys]\nmaster_file = \"master.key\"\n\
         [sms]\ndeliver = \"file\"\nfile = \"sms.jsonl\"\n{more}"
    );
    temp.write("yufu.toml", text)
}

/// Makes an approved client through the command line: its appid and secret.
pub(crate) fn client(house: &House, kind: &str, more: &[&str]) -> (String, String) {
    let developers = house.cli(&["developer", "list"]);
    if developers.as_array().unwrap().is_empty() {
        house.cli(&["developer", "create", "Example Ltd"]);
    }
    let mut args = vec![
        "client",
        "create",
        "--developer",
        "Example Ltd",
        "--kind",
        kind,
    ];
    args.extend([
        "--name",
        "Example",
        "--approved",
        "--redirect-host",
        "www.example.com",
    ]);
    args.extend(more);
    let client = house.cli(&args);
    let text = |key: &str| client[key].as_str().unwrap().to_owned();
    (text("appid"), text("secret"))
}

pub(crate) fn website(house: &House) -> (String, String) {
    client(house, "website", &[])
}

/// Makes a person; phone and password.
pub(crate) fn person(house: &House) -> (String, String) {
    let args = [
        "user",
        "create",
        "--phone",
        "+8613900000009",
        "--nickname",
        "客人",
        "--password-stdin",
    ];
    house.cli_with(&args, "a good password\n");
    ("+8613900000009".to_owned(), "a good password".to_owned())
}

/// Starts `yufu serve` with a file that must be refused; answers what it said.
#[track_caller]
fn refusal(config: &Path) -> String {
    let output = yufu(&["serve", "--config", config.to_str().unwrap()]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(output.stdout.is_empty());
    said
}

#[test]
fn a_minimal_file_is_enough_and_health_is_told() {
    let temp = Temp::new();
    let house = House::serve(&settings(&temp, "http://127.0.0.1:9999", ""));
    assert_eq!(house.ready["platform"], "http://127.0.0.1:9999");
    for path in ["/healthz", "/readyz"] {
        let answer = house.get(path);
        assert_eq!((answer.status, answer.text()), (200, "ok\n"), "{path}");
    }
    assert_eq!(house.get("/sns/auth").errcode(), 41001);
    // Nothing of the development server is here.
    for path in ["/dev/inbox", "/dev/codes"] {
        assert_eq!(house.get(path).status, 404, "{path}");
    }
    assert_eq!(house.get("/").location(), "/account");
    let metrics = house.get("/metrics");
    assert_eq!(metrics.status, 200);
    let kind = metrics.header("content-type").unwrap();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    let counted = "yufu_answers_total{endpoint=\"/sns/auth\",outcome=\"MissingAccess\"} 1";
    assert!(metrics.text().contains(counted), "{}", metrics.text());
    // Through a proxy it is somebody else's.
    let proxied = house.ask(&Ask::get("/metrics").header("x-forwarded-for", "203.0.113.9"));
    assert_eq!((proxied.status, proxied.body.len()), (404, 0));
    let forwarded = house.ask(&Ask::get("/metrics").header("forwarded", "for=203.0.113.9"));
    assert_eq!(forwarded.status, 404, "the standard's header says the same");
    house.stop();
    // The file alone is whole: its log is gone or empty.
    let log = std::fs::metadata(temp.join("yufu.db-wal")).map_or(0, |log| log.len());
    assert_eq!(log, 0);
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_its_line() {
    let temp = Temp::new();
    let text = "[platform]\npublic_url = \"http://login.example.com\"\nlisten = 8420\n\
                [stoer]\npath = \"x\"\n[wechat]\npoll_hold = 1000\npol_hold = 3\n";
    let config = temp.write("yufu.toml", text);
    let said = refusal(&config);
    for expected in [
        "line 2: platform.public_url must be https",
        "line 3: platform.listen must be text in quotes",
        "line 4: there is no setting stoer",
        "line 7: wechat.poll_hold is 1000; it must be a whole number from 0 to 120",
        "line 8: there is no setting wechat.pol_hold; did you mean wechat.poll_hold?",
        "missing: store.path is needed",
        "missing: keys.master_file is needed",
        "missing: sms.deliver is needed",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
    assert_eq!(temp.names(), ["yufu.toml"]);
}

#[test]
fn keys_that_cannot_be_used_are_refused_and_never_printed() {
    let temp = Temp::new();
    let config = settings(&temp, "http://localhost", "");
    for (name, key) in [
        ("missing", None),
        ("short", Some("0123")),
        ("not hex", Some("my-secret-key")),
    ] {
        let path = temp.join("master.key");
        std::fs::remove_file(&path).unwrap();
        match key {
            Some(key) => std::fs::write(&path, key).unwrap(),
            None => std::fs::create_dir(&path).unwrap(),
        }
        let said = refusal(&config);
        assert!(said.contains("keys.master_file"), "{name}: {said}");
        assert!(!said.contains("my-secret"), "{said}");
        if key.is_none() {
            std::fs::remove_dir(&path).unwrap();
            std::fs::write(&path, "").unwrap();
        }
    }
    // Plain http off this machine, and a file that is not there.
    let config = settings(&temp, "http://login.example.com", "");
    let said = refusal(&config);
    assert!(
        said.contains("line 2: platform.public_url must be https"),
        "{said}"
    );
    let said = refusal(&temp.join("nowhere.toml"));
    assert!(said.contains("nowhere.toml cannot be read"), "{said}");
    let config = settings(
        &temp,
        "http://localhost",
        "[tls]\ncertificate = \"none.pem\"\nkey = \"none.pem\"\n",
    );
    let said = refusal(&config);
    assert!(said.contains("none.pem"), "{said}");
    assert!(!temp.names().contains(&"yufu.db".to_owned()));
}

#[test]
fn another_master_key_does_not_open_an_old_database() {
    let temp = Temp::new();
    let config = settings(&temp, "http://localhost", "");
    let house = House::serve(&config);
    website(&house);
    house.stop();
    let before = std::fs::read(temp.join("yufu.db")).unwrap();
    temp.write("master.key", "f".repeat(64));
    let said = refusal(&config);
    assert!(
        said.contains("yufu.db") && said.contains("master key"),
        "{said}"
    );
    assert!(!said.contains("ffff"));
    assert_eq!(std::fs::read(temp.join("yufu.db")).unwrap(), before);
    assert_eq!(
        temp.names(),
        ["master.key", "sms.jsonl", "yufu.db", "yufu.toml"]
    );
    temp.write("master.key", KEY);
    House::serve(&config).stop();
}

#[test]
fn settings_also_come_from_the_environment() {
    let temp = Temp::new();
    let config = settings(&temp, "http://localhost", "");
    let config = config.to_str().unwrap();
    let args = ["serve", "--json", "--config", config];
    let house = House::start(&args, &[("YUFU_PLATFORM_PUBLIC_URL", "http://127.0.0.1:7")]);
    assert!(house.line().contains("http://127.0.0.1:7"));
    house.stop();
    let mut wrong = House::start(&args, &[("YUFU_WECHAT_POLL_HOLD", "soon")]);
    assert_eq!(wrong.ended().code(), Some(1));
    until("it says why", || {
        wrong.errors().contains("YUFU_WECHAT_POLL_HOLD must be")
    });
}

#[test]
fn a_held_poll_is_answered_when_the_server_stops() {
    let house = House::dev_with(&["--poll-hold", "60"]);
    let mut desk = Browser::of(&house, 0);
    let (uuid, _) = desk.qr(&house.website().0, &[]);
    let mut wire = house.wire();
    let scan = desk.cookie("scan").unwrap();
    let cookie = format!("yufu_scan_{}={scan}", house.port);
    let ask = Ask::get(&format!("/connect/l/qrconnect?uuid={uuid}")).header("cookie", &cookie);
    wire.send(&ask.bytes(house.port));
    // The poll is under way when another request of the same server was answered after it.
    std::thread::sleep(std::time::Duration::from_millis(200));
    let began = yufu_web::clock::mark();
    let stopper = std::thread::spawn(move || house.stop());
    let answer = wire.answer().expect("an answer, not a cut");
    answer.says(
        "text/javascript",
        "window.wx_errcode=408;window.wx_code='';",
    );
    stopper.join().unwrap();
    assert!(
        began.elapsed() < std::time::Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn a_connection_without_a_request_does_not_hold_the_end_up() {
    let house = House::dev();
    let _idle = house.wire();
    let mut kept = house.wire();
    assert_eq!(kept.ask(&Ask::get("/healthz")).status, 200);
    let began = yufu_web::clock::mark();
    house.stop();
    assert!(
        began.elapsed() < std::time::Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
}

/// A certificate for localhost, made by openssl.
fn certificate(temp: &Temp) {
    let done = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
        ])
        .args(["-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext"])
        .args([
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(temp.path())
        .output()
        .expect("openssl is installed");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// One GET over TLS; the answer's version, status, cookies and body.
async fn over_tls(
    temp: &Temp,
    port: u16,
    alpn: &[u8],
) -> (hyper::Version, u16, Vec<String>, Bytes) {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(temp.join("cert.pem")).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = connector.connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(alpn));
    let request =
        hyper::Request::get("https://localhost/account/sign-in").header("host", "localhost");
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let answer = if alpn == b"h2" {
        let io = TokioIo::new(stream);
        let (mut send, drive) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
            .await
            .unwrap();
        tokio::spawn(drive);
        send.send_request(request).await.unwrap()
    } else {
        let io = TokioIo::new(stream);
        let (mut send, drive) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(drive);
        send.send_request(request).await.unwrap()
    };
    let cookies = answer.headers().get_all("set-cookie").iter();
    let cookies = cookies.map(|c| c.to_str().unwrap().to_owned()).collect();
    let (version, status) = (answer.version(), answer.status().as_u16());
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (version, status, cookies, body)
}

#[test]
fn tls_speaks_both_versions_and_cookies_are_bound_to_it() {
    let temp = Temp::new();
    certificate(&temp);
    let config = settings(
        &temp,
        "https://localhost",
        "[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n",
    );
    let house = House::serve(&config);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for (alpn, expected) in [
            (&b"h2"[..], hyper::Version::HTTP_2),
            (b"http/1.1", hyper::Version::HTTP_11),
        ] {
            let (version, status, cookies, body) = over_tls(&temp, house.port, alpn).await;
            assert_eq!((version, status), (expected, 200));
            assert!(
                std::str::from_utf8(&body)
                    .unwrap()
                    .contains("name=\"csrf\"")
            );
            assert!(
                cookies
                    .iter()
                    .any(|c| c.starts_with("__Host-yufu_browser=") && c.contains("; Secure")),
                "{cookies:?}"
            );
        }
    });
    // Plain http to that port is no answer at all, and a silent client stops nobody.
    let _silent = house.wire();
    let mut plain = house.wire();
    plain.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(plain.is_closed());
    runtime.block_on(async {
        assert_eq!(over_tls(&temp, house.port, b"h2").await.1, 200);
    });
    // The connections end with their client, so nothing holds the server up.
    drop(runtime);
    house.stop();
    // A key that is not the certificate's.
    let other = Temp::new();
    certificate(&other);
    std::fs::copy(other.join("key.pem"), temp.join("key.pem")).unwrap();
    let said = refusal(&config);
    assert!(said.contains("do not match"), "{said}");
}
