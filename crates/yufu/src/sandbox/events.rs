//! Events pushed to an app's own address: what a person took back, changed or closed
//! (`docs/facts/wechat.md` §12). As the platform sends them: signed, encrypted as the app asked,
//! and again where the answer was not right.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::{self, Next};
use axum::response::Response;
use reqwest::Url;
use serde_json::{Value, json};
use yufu_core::id::{ClientId, UserId};
use yufu_core::secret::{Entropy as _, Secret};
use yufu_core::subject::Subject;
use yufu_core::time::{Lifetime, Timestamp};
use yufu_dialects::wechat::push::{
    self, AesKey, Fresh, Mode, PUSH_ANSWER, PushEvent, PushKeys, PushKind, Spelling,
};
use yufu_web::clock;
use yufu_web::fetch::{Fetch as _, FetchError, Incoming, Outgoing};

use super::control::answer::Refused;
use super::control::table::{Asked, Call, Endpoint, Field, Kind, Verb, Work, work};
use super::seed::Push;
use super::seen::{Lane, Note};
use super::state::Sandbox;
use crate::fetch::{Outbound, OutboundOptions};
use crate::ports::SystemEntropy;

const EVENTS: &[&str] = &[
    "user_authorization_revoke",
    "user_info_modified",
    "user_authorization_cancellation",
];
/// Somebody took the authorization of an app back.
pub const REVOKED: &str = EVENTS[0];
/// The platform cleaned what somebody shows of themselves.
pub const MODIFIED: &str = EVENTS[1];
/// Somebody's account is closed.
pub const CANCELLED: &str = EVENTS[2];
const MODES: &[&str] = &["plain", "compatible", "encrypted"];
/// How long an app may take for its answer (§12.1).
const PATIENCE: Duration = Duration::from_secs(5);
/// How often an event is sent in all where nobody answers well (§12.1).
const TIMES: u32 = 3;
/// Who authorized an app before that is not told of to it when the platform cleans their profile
/// (§12.3).
const RECENT: Lifetime = Lifetime::days(30);
/// Where the platform's own page takes an authorization back.
const REVOKE_PAGE: &str = "/account/revoke";
/// The most bytes of an answer that are read.
const MOST: usize = 64 * 1024;

/// The calls.
pub const ROWS: &[Endpoint] = &[Endpoint {
    about: "Pushes an event to an app's own address, as the platform does when a person takes an authorization back, the platform cleans a profile, or an account is closed.",
    more: "The app must have a push address (`push` of a client), and the person must have authorized it. The answer tells what was sent and whether the app answered as it should. It is sent once here. By themselves, and up to three times where the app does not answer well, are pushed: an authorization that is taken back on the phone or on the platform's own page; an account that is closed here; a profile that is changed here, which stands for the platform's cleaning and is told to apps that were authorized within 30 days. People who change their own profile are not told of: the platform does not do that.",
    fields: &[
        Field::must(
            "event",
            Kind::Word(EVENTS),
            "What happened.",
            "user_authorization_revoke",
        ),
        Field::must("person", Kind::Text, "To whom, by short name.", "mei"),
        Field::must(
            "client",
            Kind::Text,
            "With which app.",
            "wx0123456789abcdef",
        ),
        Field::may(
            "mode",
            Kind::Word(MODES),
            "Another mode than the app's own.",
            "plain",
        ),
    ],
    answer: r#"{"verdict":"the app took it","ok":true,"url":"http://127.0.0.1:3000/events","mode":"encrypted","sent":{"content_type":"text/xml","body":"<xml>…</xml>"},"answer":{"status":200,"body":"success"},"took":12}"#,
    ..Endpoint::new(Verb::Post, "/_sandbox/events", "events", Call::Json(call))
}];

fn call(asked: &Asked<'_>) -> Work {
    let body = &asked.body;
    body.needs("event", "which event");
    body.needs("person", "a person's short name");
    body.needs("client", "an appid");
    let event = body.one_of("event", EVENTS).unwrap_or("");
    let person = body.text("person").unwrap_or_default();
    let client = ClientId::new(&body.text("client").unwrap_or_default());
    let mode = body.one_of("mode", MODES);
    let sandbox = asked.sandbox.clone();
    work(async move {
        let to = address(&sandbox, &client).ok_or_else(|| {
            Refused::conflict(
                "client",
                format!("{client} has no push address"),
                format!("give it one: yufu app edit {client} --push-url URL --push-token TOKEN --push-aes-key KEY"),
            )
        })?;
        if sandbox.person(&person).is_none() {
            return Err(Refused::missing(
                format!("there is no person {person}"),
                "GET /_sandbox/people lists them",
            ));
        }
        let all = authorized(&sandbox, &person, event, None).await?;
        let happened = all.into_iter().find(|one| one.client == client);
        let happened = happened.ok_or_else(|| {
            Refused::conflict(
                "person",
                format!("{person} has not authorized {client}: the platform would tell it nothing"),
                "let them log in there first",
            )
        })?;
        send(&sandbox, &happened, &to, mode).await
    })
}

/// Something that an app is to be told.
pub struct Happened {
    /// The event's word.
    pub event: &'static str,
    /// The person, by short name.
    pub person: String,
    /// The app.
    pub client: ClientId,
    /// The app's name for the person.
    pub openid: Subject,
    /// The developer's name for the person.
    pub unionid: Option<Subject>,
}

/// Tells the apps whose people did something, where they have a push address; nobody waits for it.
/// What the apps answer is in the flows.
pub fn happened(sandbox: &Arc<Sandbox>, all: Vec<Happened>) {
    for happened in all {
        let Some(to) = address(sandbox, &happened.client) else {
            continue;
        };
        let sandbox = sandbox.clone();
        tokio::spawn(async move {
            for _ in 0..TIMES {
                match send(&sandbox, &happened, &to, None).await {
                    Ok(said) if said["ok"] != true => {}
                    _ => break,
                }
            }
        });
    }
}

/// What every app that a person authorized is to be told. It is gathered before the engine acts:
/// afterwards nobody knows who was authorized, and as whom.
///
/// # Errors
/// Faults of the store.
pub async fn of_person(
    sandbox: &Sandbox,
    person: &str,
    event: &'static str,
) -> Result<Vec<Happened>, Refused> {
    let within = (event == MODIFIED).then_some(RECENT);
    authorized(sandbox, person, event, within).await
}

/// What the apps that a person authorized, lately or ever, are to be told.
async fn authorized(
    sandbox: &Sandbox,
    person: &str,
    event: &'static str,
    within: Option<Lifetime>,
) -> Result<Vec<Happened>, Refused> {
    let (user, has_unionid) = {
        let world = sandbox.world();
        let known = world.person(person);
        let user = known.and_then(|known| UserId::parse(&known.id));
        (user, known.is_some_and(|known| known.unionid))
    };
    let Some(user) = user else {
        return Ok(Vec::new());
    };
    let engine = &sandbox.house.engine;
    let all = engine.authorized(user).await.map_err(Refused::fault)?;
    let since = within.map(|within| sandbox.clock.now().minus(within));
    let all = all
        .into_iter()
        .filter(|(grant, _, _)| since.is_none_or(|since| grant.updated_at >= since))
        .map(|(grant, _, _)| Happened {
            event,
            person: person.to_owned(),
            client: grant.client,
            openid: grant.openid,
            unionid: grant.unionid.filter(|_| has_unionid),
        });
    Ok(all.collect())
}

/// Tells apps of the authorizations that are taken back on the platform's own page.
pub fn watch(router: Router, sandbox: &Arc<Sandbox>) -> Router {
    router.layer(middleware::from_fn_with_state(sandbox.clone(), pass))
}

/// Whose session it is, and which authorization, only the page itself knows: what is there no more
/// after its answer was taken back by it.
async fn pass(State(sandbox): State<Arc<Sandbox>>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || request.uri().path() != REVOKE_PAGE {
        return next.run(request).await;
    }
    let before = revocable(&sandbox).await;
    let response = next.run(request).await;
    let after = revocable(&sandbox).await;
    let gone = |one: &Happened| {
        !after
            .iter()
            .any(|other| other.client == one.client && other.openid == one.openid)
    };
    let gone: Vec<Happened> = before.into_iter().filter(gone).collect();
    for happened in &gone {
        sandbox.flows.note(Note {
            at: clock::real(),
            from: Lane::User,
            to: Lane::Platform,
            what: "revoked",
            detail: String::new(),
            person: Some(happened.person.clone()),
            client: Some(happened.client.to_string()),
            ties: Vec::new(),
        });
    }
    self::happened(&sandbox, gone);
    response
}

/// Every authorization of everybody, as it would be taken back.
async fn revocable(sandbox: &Sandbox) -> Vec<Happened> {
    let people = sandbox.world().people.clone();
    let mut all = Vec::new();
    for person in people {
        let of_person = of_person(sandbox, &person.name, REVOKED).await;
        all.extend(of_person.unwrap_or_default());
    }
    all
}

fn address(sandbox: &Sandbox, client: &ClientId) -> Option<Push> {
    let world = sandbox.world();
    let known = world
        .clients
        .iter()
        .find(|one| one.appid == client.as_str())?;
    known.push.clone()
}

async fn send(
    sandbox: &Sandbox,
    happened: &Happened,
    to: &Push,
    mode: Option<&str>,
) -> Result<Value, Refused> {
    let word = mode.unwrap_or(&to.mode).to_owned();
    let no_key = || {
        Refused::conflict(
            "mode",
            format!(
                "{word} needs an EncodingAESKey, and {} has none",
                happened.client
            ),
            "give it one, or push in plain mode",
        )
    };
    // A plain push encrypts nothing.
    let key = match AesKey::parse(&to.aes_key) {
        Some(key) => key,
        None if word == "plain" => AesKey::new([0; 32]),
        None => return Err(no_key()),
    };
    let keys = PushKeys {
        token: Secret::new(&to.token),
        aes_key: key,
        appid: happened.client.clone(),
    };
    let sealed = push::seal(
        &keys,
        &written(happened, sandbox.clock.now()),
        match word.as_str() {
            "plain" => Mode::Plain,
            "compatible" => Mode::Compatible,
            _ => Mode::Safe,
        },
        if to.format == "json" {
            Spelling::Json
        } else {
            Spelling::Xml
        },
        &fresh(sandbox.clock.now()),
    );
    let sealed = sealed.ok_or_else(|| Refused::fault("an event that cannot be written"))?;
    let request = Outgoing {
        method: "POST",
        url: Secret::new(with_query(&to.url, &sealed.query)),
        headers: vec![("content-type".to_owned(), Secret::new(sealed.content_type))],
        body: sealed.body.clone().into_bytes(),
        most: MOST,
        patience: PATIENCE,
    };
    let outbound = OutboundOptions {
        dev: true,
        ..OutboundOptions::default()
    };
    let outbound = Outbound::new(outbound).map_err(Refused::fault)?;
    let began = clock::mark();
    let answer = outbound.fetch(request).await;
    let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (ok, verdict) = judge(&answer, &to.url);
    note(sandbox, happened, ok, &answer);
    Ok(json!({
        "verdict": verdict,
        "ok": ok,
        "url": to.url,
        "mode": word,
        "sent": {"content_type": sealed.content_type, "body": sealed.body},
        "answer": answer.ok().map(|answer| json!({
            "status": answer.status,
            "body": String::from_utf8_lossy(&answer.body).chars().take(500).collect::<String>(),
        })),
        "took": took,
    }))
}

fn written(happened: &Happened, now: Timestamp) -> PushEvent {
    PushEvent {
        kind: match happened.event {
            // §12.3: 301 is everything that a mobile or website client has.
            "user_authorization_revoke" => PushKind::AuthorizationRevoked {
                info: "301".to_owned(),
            },
            "user_authorization_cancellation" => PushKind::AuthorizationCancelled,
            _ => PushKind::InfoModified,
        },
        appid: happened.client.clone(),
        openid: Some(happened.openid.clone()),
        unionid: happened.unionid.clone(),
        created_at: now,
    }
}

fn fresh(now: Timestamp) -> Fresh {
    let (mut nonce, mut random) = ([0; 8], [0; 16]);
    SystemEntropy.fill(&mut nonce);
    SystemEntropy.fill(&mut random);
    Fresh {
        now,
        nonce: yufu_core::keyring::hex(&nonce),
        random,
    }
}

fn with_query(url: &str, query: &str) -> String {
    match Url::parse(url) {
        Ok(mut url) => {
            let own = url.query().filter(|own| !own.is_empty()).map(str::to_owned);
            let all = own.map_or_else(|| query.to_owned(), |own| format!("{own}&{query}"));
            url.set_query(Some(&all));
            url.to_string()
        }
        Err(_) => url.to_owned(),
    }
}

/// §12.1: a push is answered `success`, or nothing.
fn judge(answer: &Result<Incoming, FetchError>, url: &str) -> (bool, String) {
    match answer {
        Ok(Incoming { status: 200, body }) => {
            let said = String::from_utf8_lossy(body);
            if said.trim().is_empty() || said.trim() == PUSH_ANSWER {
                (true, "the app took it".to_owned())
            } else {
                (false, "the app answered 200, but neither success nor nothing: the platform would send it again".to_owned())
            }
        }
        Ok(Incoming {
            status: 401 | 403, ..
        }) => (
            false,
            "the app did not believe it: compare Token, EncodingAESKey and mode with its own"
                .to_owned(),
        ),
        Ok(Incoming { status, .. }) => (
            false,
            format!("the app answered {status}: the platform would send it again"),
        ),
        Err(FetchError::Unreachable | FetchError::Forbidden) => (
            false,
            format!("nobody answers at {url}: is the app running?"),
        ),
        Err(FetchError::Lost) => (
            false,
            "the app did not answer within 5 s: the platform would send it again".to_owned(),
        ),
        Err(FetchError::TooLarge) => (false, "the app answered with more than 64 KiB".to_owned()),
    }
}

/// Tells the flows, in no language: they are shown in more than one.
fn note(sandbox: &Sandbox, happened: &Happened, ok: bool, answer: &Result<Incoming, FetchError>) {
    let came = match answer {
        Ok(Incoming { status: 200, .. }) if ok => "HTTP 200, success".to_owned(),
        Ok(Incoming { status: 200, .. }) => "HTTP 200, no success".to_owned(),
        Ok(Incoming { status, .. }) => format!("HTTP {status}"),
        Err(FetchError::Unreachable | FetchError::Forbidden) => "unreachable".to_owned(),
        Err(FetchError::Lost) => "timeout".to_owned(),
        Err(FetchError::TooLarge) => "> 64 KiB".to_owned(),
    };
    sandbox.flows.note(Note {
        at: clock::real(),
        from: Lane::Platform,
        to: Lane::Backend,
        what: "pushed",
        detail: format!("{}, {came}", happened.event),
        person: Some(happened.person.clone()),
        client: Some(happened.client.to_string()),
        ties: Vec::new(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_judged_as_the_platform_judges_it() {
        let said = |status, body: &str| {
            let body = body.as_bytes().to_vec();
            judge(&Ok(Incoming { status, body }), "http://a").0
        };
        assert!(said(200, "success") && said(200, "") && said(200, " success\n"));
        assert!(!said(200, "ok") && !said(500, "success") && !said(401, "") && !said(204, ""));
        let (ok, words) = judge(&Err(FetchError::Unreachable), "http://127.0.0.1:1/x");
        assert!(!ok && words.contains("http://127.0.0.1:1/x"), "{words}");
    }

    #[test]
    fn the_query_of_the_address_stays() {
        assert_eq!(with_query("http://a/x?y=1", "s=2"), "http://a/x?y=1&s=2");
        assert_eq!(with_query("http://a/x", "s=2"), "http://a/x?s=2");
        assert_eq!(with_query("http://a/x?", "s=2"), "http://a/x?s=2");
    }
}
