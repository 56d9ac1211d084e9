use std::sync::Mutex;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use yufu_core::id::UserId;
use yufu_store::{Options, SqliteStore};

use super::*;
use crate::fetch::{Outbound, OutboundOptions};

/// A folder of a test, gone at its end.
struct Temp(std::path::PathBuf);

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn store(name: &str) -> (SqliteStore, Temp) {
    let folder = std::env::temp_dir().join(format!("yufu-notices-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let store = SqliteStore::open(&folder.join("x.db"), &Options::default()).unwrap();
    (store, Temp(folder))
}

/// A request as a webhook hears it.
#[derive(Clone, Debug)]
struct Heard {
    id: String,
    timestamp: String,
    signature: String,
    body: String,
}

impl Heard {
    fn about(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        body["type"].as_str().unwrap().to_owned()
    }
}

/// A webhook on this machine, which answers what it is told to and then 204.
#[derive(Clone)]
struct Server {
    port: u16,
    heard: Arc<Mutex<Vec<Heard>>>,
    answers: Arc<Mutex<Vec<&'static str>>>,
}

impl Server {
    /// Its next answers; `""` for none at all.
    async fn start(answers: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            heard: Arc::default(),
            answers: Arc::new(Mutex::new(answers.iter().rev().copied().collect())),
        };
        let this = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(this.clone().serve(stream));
            }
        });
        server
    }

    async fn serve(self, stream: tokio::net::TcpStream) {
        let mut stream = BufReader::new(stream);
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            match line.trim_end().split_once(": ") {
                Some((name, value)) => {
                    headers.insert(name.to_ascii_lowercase(), value.to_owned());
                }
                None if line.trim_end().is_empty() => break,
                None => {}
            }
        }
        let mut body = vec![0; headers["content-length"].parse().unwrap()];
        stream.read_exact(&mut body).await.unwrap();
        self.heard.lock().unwrap().push(Heard {
            id: headers["webhook-id"].clone(),
            timestamp: headers["webhook-timestamp"].clone(),
            signature: headers["webhook-signature"].clone(),
            body: String::from_utf8(body).unwrap(),
        });
        let answer = self
            .answers
            .lock()
            .unwrap()
            .pop()
            .unwrap_or("204 No Content");
        if answer == "hang" {
            std::future::pending::<()>().await;
        }
        let close = "content-length: 0\r\nconnection: close";
        let text = match answer {
            "" => String::new(),
            answer => format!("HTTP/1.1 {answer}\r\n{close}\r\n\r\n"),
        };
        let _ = stream.get_mut().write_all(text.as_bytes()).await;
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    async fn heard_in_time(&self, count: usize) -> Vec<Heard> {
        for _ in 0..400 {
            if self.heard().len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        let heard = self.heard();
        assert_eq!(heard.len(), count, "{heard:?}");
        heard
    }

    fn webhook(&self, name: &str) -> Webhook {
        Webhook {
            name: name.to_owned(),
            url: Secret::new(format!("http://127.0.0.1:{}/hook?a=b", self.port)),
            key: Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            events: Vec::new(),
        }
    }
}

struct Courier {
    store: SqliteStore,
    clock: Arc<Clock>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
    _temp: Temp,
}

fn outbound() -> Arc<dyn Fetch> {
    let options = OutboundOptions {
        dev: true,
        ..OutboundOptions::default()
    };
    Arc::new(Outbound::new(options).unwrap())
}

fn courier(name: &str, webhooks: Vec<Webhook>) -> Courier {
    let (store, temp) = store(name);
    let clock = Arc::new(Clock::default());
    let (stop, closing) = watch::channel(false);
    let task = tokio::spawn(run(
        store.clone(),
        webhooks,
        outbound(),
        clock.clone(),
        closing,
    ));
    Courier {
        store,
        clock,
        stop,
        task,
        _temp: temp,
    }
}

impl Courier {
    async fn post(&self, number: u64, to: &str, about: &str) {
        let notice = notice(number, to, about, self.clock.now());
        self.store
            .commit(vec![Change::Notify(notice)])
            .await
            .unwrap();
    }

    async fn left(&self) -> Vec<Notice> {
        self.store.notices(Timestamp(i64::MAX), 100).await.unwrap()
    }

    async fn end(self) {
        let _ = self.stop.send(true);
        self.task.await.unwrap();
        self.store.close();
    }
}

fn notice(number: u64, to: &str, about: &str, now: Timestamp) -> Notice {
    Notice {
        number: Number(number),
        to: to.to_owned(),
        about: about.to_owned(),
        user: UserId(Number(77)),
        data: "{\"detail\":\"x\"}".to_owned(),
        posted_at: now,
        attempts: 0,
        due_at: now,
        dead: false,
    }
}

#[test]
fn the_signature_is_that_of_the_standard() {
    let hook = Webhook {
        name: "x".to_owned(),
        url: Secret::new("https://a.example/"),
        key: Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        events: Vec::new(),
    };
    let signature = signature(
        &hook.signing_key(),
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "1614265330",
        b"{\"test\": 2432232314}",
    );
    assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[test]
fn a_webhook_hears_what_it_asked_for() {
    let mut hook = Webhook {
        name: "x".to_owned(),
        url: Secret::new("https://a.example/"),
        key: Secret::new("x"),
        events: Vec::new(),
    };
    assert!(hears(&hook, "user.created"));
    hook.events = vec!["session.".to_owned(), "user.merged".to_owned()];
    for (about, heard) in [
        ("session.began", true),
        ("user.merged", true),
        ("user.created", false),
    ] {
        assert_eq!(hears(&hook, about), heard, "{about}");
    }
}

#[test]
fn after_three_days_a_notice_is_dead() {
    let now = Timestamp::from_seconds(0);
    let mut it = notice(1, "x", "y", now);
    let mut at = now;
    let mut waited = Vec::new();
    while !it.dead {
        let rests = failed(&mut it, at);
        assert_eq!(rests.is_some(), it.attempts <= 4, "{}", it.attempts);
        if !it.dead {
            waited.push(it.due_at.since(at).as_seconds());
            at = it.due_at;
        }
    }
    assert_eq!(it.attempts, 10);
    assert_eq!(
        waited,
        [5, 30, 120, 600, 3600, 21_600, 43_200, 86_400, 86_400]
    );
    assert!(
        (2 * 86_400..=3 * 86_400).contains(&at.seconds()),
        "{}",
        at.seconds()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_comes_again_and_those_behind_it_wait() {
    let server = Server::start(&["500 No", "", "302 Found\r\nlocation: http://127.0.0.1:1/"]).await;
    let courier = courier("again", vec![server.webhook("hook")]);
    courier.post(1, "hook", "user.one").await;
    courier.post(2, "hook", "user.two").await;
    server.heard_in_time(1).await;
    // A second of rest brings nobody anything.
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(server.heard().len(), 1);
    for (turn, tries) in [(5, 2), (30, 3)] {
        courier.clock.turn(Lifetime::seconds(turn));
        server.heard_in_time(tries).await;
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    courier.clock.turn(Lifetime::minutes(2));
    let heard = server.heard_in_time(5).await;
    let abouts: Vec<_> = heard.iter().map(Heard::about).collect();
    assert_eq!(
        abouts,
        ["user.one", "user.one", "user.one", "user.one", "user.two"]
    );
    assert!(
        heard[..4]
            .iter()
            .all(|it| it.id == heard[0].id && it.body == heard[0].body)
    );
    assert_ne!(heard[4].id, heard[0].id);
    let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    for it in &heard {
        let expected = signature(&key, &it.id, &it.timestamp, it.body.as_bytes());
        assert_eq!(it.signature, expected);
    }
    let body: Value = serde_json::from_str(&heard[0].body).unwrap();
    assert_eq!(body["data"]["uid"], UserId(Number(77)).to_string());
    assert_eq!(body["data"]["detail"], "x");
    for _ in 0..100 {
        if courier.left().await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(courier.left().await, []);
    courier.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_hangs_holds_up_nobody_else() {
    let (slow, quick) = (Server::start(&["hang"]).await, Server::start(&[]).await);
    let courier = courier("slow", vec![slow.webhook("slow"), quick.webhook("quick")]);
    for number in 0..20 {
        courier.post(2 * number, "slow", "user.x").await;
        courier
            .post(2 * number + 1, "quick", &format!("user.{number}"))
            .await;
    }
    let heard = quick.heard_in_time(20).await;
    let abouts: Vec<_> = heard.iter().map(Heard::about).collect();
    let expected: Vec<_> = (0..20).map(|number| format!("user.{number}")).collect();
    assert_eq!(abouts, expected);
    assert_eq!(slow.heard().len(), 1);
    courier.task.abort();
    courier.store.close();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_nobody_takes_does_not_stop_the_others_for_days() {
    let server = Server::start(&["400 No"; 5]).await;
    let courier = courier("poison", vec![server.webhook("hook")]);
    courier.post(1, "hook", "user.poison").await;
    courier.post(2, "hook", "user.fine").await;
    for (tries, turn) in [(1, 5), (2, 30), (3, 120), (4, 600)] {
        server.heard_in_time(tries).await;
        tokio::time::sleep(Duration::from_millis(400)).await;
        courier.clock.turn(Lifetime::seconds(turn));
    }
    let heard = server.heard_in_time(6).await;
    assert_eq!(heard[5].about(), "user.fine");
    // It is taken out of the bag a moment after it was taken.
    let mut left = courier.left().await;
    for _ in 0..200 {
        if left.len() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
        left = courier.left().await;
    }
    assert_eq!((left.len(), left[0].attempts, left[0].dead), (1, 5, false));
    courier.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notices_for_nobody_are_laid_aside() {
    let courier = courier("nobody", Vec::new());
    courier.post(1, "gone", "user.x").await;
    for _ in 0..200 {
        if !courier.store.dead_notices(10).await.unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(courier.store.dead_notices(10).await.unwrap().len(), 1);
    courier.end().await;
}
