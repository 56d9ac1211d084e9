//! The client against small servers that do as they are told, to the byte.

use std::future::Future;
use std::process::Command;
use std::sync::Mutex;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use yufu_core::secret::Secret;

use super::*;

const SHORT: Duration = Duration::from_millis(400);
const LONG: Duration = Duration::from_secs(10);

fn outbound(allow: &[&str], dev: bool) -> Outbound {
    Outbound::new(OutboundOptions {
        allow: allow.iter().map(|entry| (*entry).to_owned()).collect(),
        dev,
        extra_roots: None,
    })
    .unwrap()
}

fn get(url: &str) -> Outgoing {
    Outgoing {
        method: "GET",
        url: Secret::new(url),
        headers: Vec::new(),
        body: Vec::new(),
        most: 1000,
        patience: LONG,
    }
}

/// A server that answers each connection with this; its port.
async fn server<F, R>(answer: F) -> u16
where
    F: Fn(TcpStream) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    port
}

/// Reads the head of a request and what came with it.
async fn head(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while !text.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut piece = [0; 1024];
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => break,
            Ok(n) => text.extend_from_slice(&piece[..n]),
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// A server that reads a request, says these bytes and closes.
async fn says(bytes: impl Into<Vec<u8>>) -> u16 {
    let bytes: Arc<[u8]> = bytes.into().into();
    server(move |mut stream| {
        let bytes = bytes.clone();
        async move {
            head(&mut stream).await;
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
    })
    .await
}

async fn ask(port: u16, patience: Duration) -> Result<Incoming, FetchError> {
    let url = format!("http://127.0.0.1:{port}/sns/auth?access_token=hush");
    let request = Outgoing {
        patience,
        ..get(&url)
    };
    outbound(&[], true).fetch(request).await
}

#[tokio::test]
async fn an_answer_comes_back_whatever_its_status() {
    let port = says("HTTP/1.1 502 Bad\r\ncontent-length: 4\r\n\r\noops").await;
    let answer = ask(port, LONG).await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (502, &b"oops"[..]));
    let port = says("HTTP/1.0 200 OK\r\n\r\nuntil the end").await;
    assert_eq!(ask(port, LONG).await.unwrap().body, b"until the end");
}

#[tokio::test]
async fn a_request_is_sent_as_it_was_written_and_connections_are_kept() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = heard.clone();
    let port = server(move |mut stream| {
        let log = log.clone();
        async move {
            loop {
                let text = head(&mut stream).await;
                if text.is_empty() {
                    break;
                }
                log.lock()
                    .unwrap()
                    .push((stream.peer_addr().unwrap(), text));
                let ok = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                let _ = stream.write_all(ok).await;
            }
        }
    })
    .await;
    let outbound = outbound(&[], true);
    let url = format!("http://localhost:{port}/a?b=%2F#c");
    assert_eq!(outbound.fetch(get(&url)).await.unwrap().body, b"ok");
    let post = Outgoing {
        method: "POST",
        headers: vec![("x-token".to_owned(), Secret::new("hush"))],
        body: b"a=b".to_vec(),
        ..get(&url)
    };
    assert_eq!(outbound.fetch(post).await.unwrap().status, 200);
    let empty = Outgoing {
        method: "POST",
        ..get(&url)
    };
    assert_eq!(outbound.fetch(empty).await.unwrap().status, 200);
    let heard = heard.lock().unwrap();
    let first = heard[0].1.to_lowercase();
    assert!(first.starts_with("get /a?b=%2f http/1.1\r\n"), "{first}");
    assert!(first.contains(&format!("host: localhost:{port}\r\n")));
    for absent in ["content-length", "cookie", "referer", "accept-encoding"] {
        assert!(!first.contains(absent), "{absent}: {first}");
    }
    let second = heard[1].1.to_lowercase();
    assert!(second.starts_with("post /a?b=%2f http/1.1\r\n"), "{second}");
    assert!(second.contains("x-token: hush\r\n") && second.contains("content-length: 3\r\n"));
    assert!(heard[2].1.to_lowercase().contains("content-length: 0\r\n"));
    assert!(
        heard.iter().all(|(peer, _)| *peer == heard[0].0),
        "one connection"
    );
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    assert_eq!(ask(port, LONG).await, Err(FetchError::Unreachable));
    let nowhere = Outgoing {
        // Some machines take long to find out that there is nothing.
        patience: SHORT,
        ..get("https://nowhere.invalid/")
    };
    let nowhere = outbound(&[], false).fetch(nowhere).await;
    assert_eq!(nowhere, Err(FetchError::Unreachable));
}

#[tokio::test]
async fn a_handshake_that_fails_or_never_ends_is_unreachable() {
    let port = says("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let url = format!("https://127.0.0.1:{port}/?secret=hush");
    let outbound = outbound(&[], true);
    let failed = outbound.fetch(get(&url)).await;
    assert_eq!(failed, Err(FetchError::Unreachable));
    let port = server(|mut stream| async move {
        let mut hello = [0; 5];
        let _ = stream.read_exact(&mut hello).await;
        tokio::time::sleep(LONG).await;
    })
    .await;
    let url = format!("https://127.0.0.1:{port}/?secret=hush");
    let silent = Outgoing {
        patience: SHORT,
        ..get(&url)
    };
    assert_eq!(outbound.fetch(silent).await, Err(FetchError::Unreachable));
}

#[tokio::test]
async fn a_slow_answer_is_lost() {
    let port = server(|mut stream| async move {
        head(&mut stream).await;
        tokio::time::sleep(LONG).await;
    })
    .await;
    assert_eq!(ask(port, SHORT).await, Err(FetchError::Lost));
    // A body that drips counts as slow too: the time is for all of it.
    let port = server(|mut stream| async move {
        head(&mut stream).await;
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n")
            .await;
        for _ in 0..900 {
            let _ = stream.write_all(b"x").await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(ask(port, SHORT).await, Err(FetchError::Lost));
}

#[tokio::test]
async fn a_connection_that_ends_before_its_answer_does_is_lost() {
    for bytes in [
        &b""[..],
        b"HTTP/1.1 20",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"no HTTP at all\r\n\r\n",
    ] {
        let port = says(bytes).await;
        let answer = ask(port, LONG).await;
        assert_eq!(answer, Err(FetchError::Lost), "{:?}", bytes.escape_ascii());
    }
    let reset = server(|mut stream| async move {
        head(&mut stream).await;
        let _ = stream.set_zero_linger();
    })
    .await;
    assert_eq!(ask(reset, LONG).await, Err(FetchError::Lost));
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_read() {
    let most = "x".repeat(1000);
    let port = says(format!(
        "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{most}"
    ))
    .await;
    assert_eq!(ask(port, LONG).await.unwrap().body.len(), 1000);
    let big = "x".repeat(1001);
    for bytes in [
        format!("HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n{big}"),
        // It says that it is large; whether it is does not matter.
        "HTTP/1.1 200 OK\r\ncontent-length: 1099511627776\r\n\r\nx".to_owned(),
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3e9\r\n{big}\r\n0\r\n\r\n"),
        format!("HTTP/1.0 200 OK\r\n\r\n{big}"),
    ] {
        let port = says(bytes).await;
        assert_eq!(ask(port, LONG).await, Err(FetchError::TooLarge));
    }
    // It says that it is small and is not: no more than it said is read.
    let port = says(format!("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{big}")).await;
    assert_eq!(ask(port, LONG).await.unwrap().body, b"xxx");
    let endless = server(|mut stream| async move {
        head(&mut stream).await;
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
        while stream.write_all(b"4\r\nxxxx\r\n").await.is_ok() {}
    })
    .await;
    assert_eq!(ask(endless, LONG).await, Err(FetchError::TooLarge));
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let port =
        says("HTTP/1.1 302 Found\r\nlocation: http://10.0.0.1/\r\ncontent-length: 0\r\n\r\n");
    let answer = ask(port.await, LONG).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (302, 0));
}

#[tokio::test]
async fn what_may_not_be_called_is_not_called() {
    let port = says("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let production = outbound(&[], false);
    for url in [
        format!("http://127.0.0.1:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        // Names are judged by where they lead.
        format!("https://localhost:{port}/"),
        "http://example.com/".to_owned(),
        "no address".to_owned(),
    ] {
        let answer = production.fetch(get(&url)).await;
        assert_eq!(answer, Err(FetchError::Forbidden), "{url}");
    }
    for allow in ["127.0.0.1", "127.0.0.0/8"] {
        let url = format!("http://127.0.0.1:{port}/");
        assert!(outbound(&[allow], false).fetch(get(&url)).await.is_ok());
    }
    let url = format!("http://localhost:{port}/");
    assert!(
        outbound(&["localhost"], false)
            .fetch(get(&url))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_request_that_is_none_is_not_sent() {
    let outbound = outbound(&[], true);
    let odd = |name: &str, value: &str| Outgoing {
        headers: vec![(name.to_owned(), Secret::new(value))],
        ..get("http://127.0.0.1:9/")
    };
    for request in [
        odd("x", "a\r\nb: c"),
        odd("x y", "z"),
        Outgoing {
            method: "TRACE",
            ..get("http://127.0.0.1:9/")
        },
    ] {
        assert_eq!(outbound.fetch(request).await, Err(FetchError::Forbidden));
    }
}

/// A directory with a certificate for this machine, made by openssl.
fn certificate() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("yufu-fetch-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
                 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
                 -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out cert.pem";
    let done = Command::new("openssl")
        .args(words.split_whitespace())
        .current_dir(&folder)
        .output()
        .expect("openssl is installed");
    assert!(done.status.success());
    folder
}

#[tokio::test]
async fn roots_are_those_of_the_web_and_of_the_file() {
    let folder = certificate();
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let acceptor = crate::listen::tls(&cert, &key).unwrap();
    let port = server(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                return;
            };
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let ok = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
            let _ = stream.write_all(ok).await;
            let _ = stream.shutdown().await;
        }
    })
    .await;
    let url = format!("https://localhost:{port}/");
    let stranger = outbound(&[], true).fetch(get(&url)).await;
    assert_eq!(stranger, Err(FetchError::Unreachable));
    let with = |file: PathBuf| {
        Outbound::new(OutboundOptions {
            allow: Vec::new(),
            dev: true,
            extra_roots: Some(file),
        })
    };
    let known = with(cert).unwrap();
    assert_eq!(known.fetch(get(&url)).await.unwrap().body, b"ok");
    // The certificate is for another name.
    let other = format!("https://127.0.0.1:{port}/");
    let other = known.fetch(get(&other)).await;
    assert_eq!(other, Err(FetchError::Unreachable));
    for file in [key, folder.join("none.pem")] {
        let error = with(file.clone()).err().unwrap();
        assert!(error.starts_with(&file.display().to_string()), "{error}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// Everything that is logged, at every level and by every library.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn secrets_are_not_logged() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let dropped = says("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhush").await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed_port = closed.local_addr().unwrap().port();
    drop(closed);
    for url in [
        format!("http://127.0.0.1:{dropped}/hush?secret=hush"),
        format!("http://127.0.0.1:{closed_port}/hush?secret=hush"),
        format!("https://127.0.0.1:{dropped}/hush?secret=hush"),
        "https://10.0.0.1/hush?secret=hush".to_owned(),
        "https://nowhere.invalid/hush?secret=hush".to_owned(),
        "hush".to_owned(),
    ] {
        let request = Outgoing {
            method: "POST",
            headers: vec![("authorization".to_owned(), Secret::new("hush"))],
            body: b"hush".to_vec(),
            patience: SHORT,
            ..get(&url)
        };
        assert!(outbound(&[], true).fetch(request).await.is_err());
    }
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("another server"), "{text}");
    assert!(!text.contains("hush"), "{text}");
}
