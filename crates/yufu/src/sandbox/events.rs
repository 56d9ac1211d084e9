//! Events pushed to an app's own address: what a person took back, changed or closed
//! (`docs/facts/wechat.md` §12). As the platform sends them: signed, encrypted as the app asked,
//! and again where the answer was not right.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use serde_json::{Value, json};
use yufu_core::id::ClientId;
use yufu_core::secret::{Entropy as _, Secret};
use yufu_core::subject::Subject;
use yufu_core::time::Timestamp;
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
const MODES: &[&str] = &["plain", "compatible", "encrypted"];
/// How long an app may take for its answer (§12.1).
const PATIENCE: Duration = Duration::from_secs(5);
/// How often an event is sent in all where nobody answers well (§12.1).
const TIMES: u32 = 3;
/// The most bytes of an answer that are read.
const MOST: usize = 64 * 1024;

/// The calls.
pub const ROWS: &[Endpoint] = &[Endpoint {
    about: "Pushes an event to an app's own address, as the platform does when a person takes an authorization back, the platform cleans a profile, or an account is closed.",
    more: "The app must have a push address (`push` of a client), and the person must have authorized it. The answer tells what was sent and whether the app answered as it should. Revoking on the phone, and closing or editing a person, push by themselves.",
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
        let user = sandbox.person(&person).ok_or_else(|| {
            Refused::missing(
                format!("there is no person {person}"),
                "GET /_sandbox/people lists them",
            )
        })?;
        let all = sandbox
            .house
            .engine
            .authorized(user)
            .await
            .map_err(Refused::fault)?;
        let grant = all.into_iter().find(|(grant, _, _)| grant.client == client);
        let (grant, _, _) = grant.ok_or_else(|| {
            Refused::conflict(
                "person",
                format!("{person} has not authorized {client}: the platform would tell it nothing"),
                "let them log in there first",
            )
        })?;
        let happened = Happened {
            event,
            person,
            client,
            openid: grant.openid,
            unionid: grant.unionid,
        };
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

/// What every app that a person authorized is to be told.
///
/// # Errors
/// Faults of the store.
pub async fn of_person(
    sandbox: &Sandbox,
    person: &str,
    event: &'static str,
) -> Result<Vec<Happened>, Refused> {
    let Some(user) = sandbox.person(person) else {
        return Ok(Vec::new());
    };
    let all = sandbox
        .house
        .engine
        .authorized(user)
        .await
        .map_err(Refused::fault)?;
    let all = all.into_iter().map(|(grant, _, _)| Happened {
        event,
        person: person.to_owned(),
        client: grant.client,
        openid: grant.openid,
        unionid: grant.unionid,
    });
    Ok(all.collect())
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
    note(sandbox, happened, &verdict);
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

fn note(sandbox: &Sandbox, happened: &Happened, verdict: &str) {
    sandbox.flows.note(Note {
        at: clock::real(),
        from: Lane::Platform,
        to: Lane::Backend,
        what: "pushed",
        detail: format!("{}: {verdict}", happened.event),
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
