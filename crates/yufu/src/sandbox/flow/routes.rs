//! Flows by REST: a list, one flow, its text, everything, and what changes.

use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::json;

use super::arrow::Flow;
use super::feed::{self, Pieces};
use super::fold::read;
use super::picture;
use super::show::{Summary, Whole};
use crate::sandbox::control::answer::Refused;
use crate::sandbox::control::table::{Asked, Call, Endpoint, Field, Kind, Verb, Work, work};
use crate::sandbox::state::Sandbox;

/// How many flows a page of the list has, unless it is asked for others.
const PAGE: i64 = 100;
/// The most flows of a page.
const MOST: i64 = 1000;

/// The calls.
pub(in crate::sandbox) const ROWS: &[Endpoint] = &[
    Endpoint {
        about: "The flows, the newest first: each login as it happened on the wire.",
        more: "Secrets are marks such as `code‹3f9a1c…›`: the same value has the same mark within a run. What was seen before the call is in the answer. `dropped` counts the flows that went because there were too many: 10 000 are kept, those that are over go first.",
        fields: &[
            Field::may(
                "after",
                Kind::Text,
                "Go on after this flow: the `next` of the page before.",
                "f18",
            ),
            Field::may(
                "limit",
                Kind::Number,
                "How many, 1000 at most; 100 when left out.",
                "50",
            ),
            Field::may(
                "client",
                Kind::Text,
                "Only those of this appid, or of clients with this in their name.",
                "wx52c1a05f3b9d7e10",
            ),
            Field::may("person", Kind::Text, "Only those of this person.", "mei"),
            Field::may(
                "finding",
                Kind::Text,
                "Only those with this finding; `error`, `warning`, `note` or `any` also do.",
                "code_reused",
            ),
            Field::may(
                "state",
                Kind::Word(STATES),
                "Only those that are so far.",
                "failed",
            ),
            Field::may(
                "text",
                Kind::Text,
                "Only those that have this in names, addresses, notes or numbers.",
                "40029",
            ),
        ],
        answer: r#"{"flows":[{"id":"f17","at":1767225600000,"changed":1767225653207,"took":53207,"dialect":"wechat","door":"scan","client":{"appid":"wx52c1a05f3b9d7e10","name":"小屋 Rooms"},"person":"mei","state":"logged_in","step":"the profile was read","arrows":11,"findings":[{"code":"code_reused","severity":"error"}],"faults":0}],"next":"f17","total":3,"dropped":0}"#,
        ..Endpoint::new(Verb::Get, "/_sandbox/flows", "flows", Call::Json(list))
    },
    Endpoint {
        about: "Forgets all flows.",
        ..Endpoint::new(Verb::Delete, "/_sandbox/flows", "flows", Call::Json(clear))
    },
    Endpoint {
        about: "All flows with everything that is kept of them, the newest first.",
        answer: r#"{"dropped":0,"flows":[]}"#,
        ..Endpoint::new(
            Verb::Get,
            "/_sandbox/flows.json",
            "flows",
            Call::Own(export),
        )
    },
    Endpoint {
        about: "What changes, as server-sent events.",
        more: "`flows`: a list of those that changed, as in the list, at most every 100 ms. `hint`: why nothing arrives from an app that was started. `cleared`: all flows were forgotten. A line of comment every 15 s.",
        answer: "event: flows\ndata: [{\"id\":\"f17\",\"state\":\"returned\"}]",
        kind: "text/event-stream",
        ..Endpoint::new(
            Verb::Get,
            "/_sandbox/flows/stream",
            "flows",
            Call::Own(stream),
        )
    },
    Endpoint {
        about: "One flow: its arrows with request and answer, and its findings.",
        more: "`arrows[].presumed`: nobody saw it, it must have been. `arrows[].count`: so many alike, one after the other. The codes of findings are in `docs/findings.md`.",
        answer: r#"{"id":"f17","state":"logged_in","arrows":[{"n":1,"at":1767225600000,"took":4,"from":"backend","to":"platform","label":"GET /sns/oauth2/access_token","result":"40163","ok":false,"count":1,"note":null,"presumed":false,"by_proxy":true,"faults":[],"findings":[0],"request":{"method":"GET","url":"https://api.weixin.qq.com/sns/oauth2/access_token?code=code‹3f9a1c…›","headers":[["host","api.weixin.qq.com"]],"body":"","body_cut":false},"answer":{"status":200,"headers":[["content-type","text/plain"]],"body":"{\"errcode\":40163}","body_cut":false}}],"findings":[{"code":"code_reused","severity":"error","arrow":1,"said":"× 2","title":"A code was paid twice","why":"…","fix":"…","title_zh":"同一个 code 被兑换了两次","why_zh":"…","fix_zh":"…","source":"docs/facts/wechat.md §10"}],"faults":0}"#,
        ..Endpoint::new(Verb::Get, "/_sandbox/flows/{id}", "flows", Call::Json(one))
    },
    Endpoint {
        about: "One flow as text: a sequence diagram that can be put into an issue.",
        answer: "f17 · logged in · the profile was read",
        kind: "text/plain; charset=utf-8",
        ..Endpoint::new(
            Verb::Get,
            "/_sandbox/flows/{id}.txt",
            "flows",
            Call::Own(text),
        )
    },
];

const STATES: &[&str] = &[
    "open",
    "returned",
    "logged_in",
    "failed",
    "denied",
    "expired",
];

/// What the list is asked for.
#[derive(Debug, Default)]
struct Wanted {
    client: String,
    person: String,
    finding: String,
    state: Option<&'static str>,
    text: String,
}

impl Wanted {
    fn has(&self, flow: &Flow) -> bool {
        let has = |text: Option<&str>, part: &str| {
            text.is_some_and(|text| text.to_lowercase().contains(part))
        };
        let client = self.client.is_empty()
            || has(flow.appid.as_deref(), &self.client)
            || has(flow.client.as_deref(), &self.client);
        let person = self.person.is_empty() || flow.person.as_deref() == Some(&*self.person);
        let state = self
            .state
            .is_none_or(|state| flow.state.word().replace(' ', "_") == state);
        client && person && state && self.has_finding(flow) && self.has_text(flow)
    }

    fn has_finding(&self, flow: &Flow) -> bool {
        self.finding.is_empty()
            || flow.findings.iter().any(|found| {
                let entry = found.code.entry();
                self.finding == "any"
                    || entry.word == self.finding
                    || entry.severity.word() == self.finding
            })
    }

    fn has_text(&self, flow: &Flow) -> bool {
        let part = self.text.as_str();
        let has = |text: &str| text.to_lowercase().contains(part);
        part.is_empty()
            || flow.id() == part
            || has(&flow.step)
            || flow.appid.as_deref().is_some_and(has)
            || flow.client.as_deref().is_some_and(has)
            || flow.person.as_deref().is_some_and(has)
            || flow.arrows.iter().any(|arrow| {
                let url = arrow.request.as_ref().map(|request| &*request.url);
                has(&arrow.label)
                    || url.is_some_and(has)
                    || arrow.note.is_some_and(has)
                    || arrow.outcome.word().is_some_and(|word| word == part)
            })
    }
}

/// The number of a flow by its name.
fn number(id: &str) -> Option<u64> {
    let digits = id.strip_prefix('f').unwrap_or(id);
    let is_plain = digits.bytes().all(|b| b.is_ascii_digit());
    is_plain.then(|| digits.parse().ok()).flatten()
}

fn list(asked: &Asked<'_>) -> Work {
    let body = &asked.body;
    let word = |name: &str| body.text(name).unwrap_or_default().trim().to_lowercase();
    let wanted = Wanted {
        client: word("client"),
        person: word("person"),
        finding: word("finding"),
        state: body.one_of("state", STATES),
        text: word("text"),
    };
    let after = body.text("after").filter(|after| !after.is_empty());
    if after
        .as_deref()
        .is_some_and(|after| number(after).is_none())
    {
        body.complain(
            "after",
            "is no flow",
            "give the `next` of the page before, such as f17",
        );
    }
    let limit = body.number("limit", 1..=MOST).unwrap_or(PAGE);
    let sandbox = asked.sandbox.clone();
    work(async move {
        sandbox.flows.done().await;
        let shelf = read(&sandbox.flows.shelf);
        let total = shelf.before(None).filter(|flow| wanted.has(flow)).count();
        let after = after.as_deref().and_then(number);
        let mut page = shelf.before(after).filter(|flow| wanted.has(flow));
        let limit = usize::try_from(limit).unwrap_or(1);
        let flows: Vec<&Flow> = page.by_ref().take(limit).collect();
        let next = page.next().and(flows.last()).map(|flow| flow.id());
        let flows: Vec<Summary<'_>> = flows.into_iter().map(Summary::of).collect();
        let dropped = shelf.dropped();
        Ok(json!({ "flows": flows, "next": next, "total": total, "dropped": dropped }))
    })
}

fn clear(asked: &Asked<'_>) -> Work {
    let sandbox = asked.sandbox.clone();
    work(async move {
        sandbox.flows.clear().await;
        Ok(json!({}))
    })
}

fn one(asked: &Asked<'_>) -> Work {
    let (sandbox, id) = (asked.sandbox.clone(), asked.hole("id").to_owned());
    work(async move {
        sandbox.flows.done().await;
        let shelf = read(&sandbox.flows.shelf);
        let flow = number(&id)
            .and_then(|no| shelf.get(no))
            .ok_or_else(missing)?;
        serde_json::to_value(Whole::of(flow)).map_err(Refused::fault)
    })
}

fn missing() -> Refused {
    Refused::missing(
        "no flow has this name; it may have gone, or the sandbox was started anew",
        "GET /_sandbox/flows lists those that are kept",
    )
}

type Answered = Pin<Box<dyn Future<Output = Response> + Send>>;

fn text(sandbox: Arc<Sandbox>, request: Request) -> Answered {
    Box::pin(async move {
        sandbox.flows.done().await;
        let id = request.uri().path().rsplit('/').next().unwrap_or("");
        let no = number(id.trim_end_matches(".txt"));
        let shelf = read(&sandbox.flows.shelf);
        match no.and_then(|no| shelf.get(no)) {
            Some(flow) => reply("text/plain; charset=utf-8", picture::write(flow).into()),
            None => missing().answer(),
        }
    })
}

/// All flows, written one by one: they need not be in memory twice.
fn export(sandbox: Arc<Sandbox>, _: Request) -> Answered {
    Box::pin(async move {
        sandbox.flows.done().await;
        let (to, body) = Pieces::pair();
        let mut closing = sandbox.flows.closing.subscribe();
        tokio::spawn(async move {
            let write = async {
                let dropped = read(&sandbox.flows.shelf).dropped();
                let head = format!("{{\"dropped\":{dropped},\"flows\":[");
                to.send(head.into()).await.ok()?;
                let mut last = None;
                loop {
                    let piece = {
                        let shelf = read(&sandbox.flows.shelf);
                        let Some(flow) = shelf.before(last).next() else {
                            break;
                        };
                        let json = serde_json::to_string(&Whole::of(flow)).unwrap_or_default();
                        let comma = if last.is_some() { ",\n" } else { "" };
                        last = Some(flow.no);
                        format!("{comma}{json}")
                    };
                    to.send(piece.into()).await.ok()?;
                }
                to.send("]}\n".into()).await.ok()
            };
            tokio::select! {
                _ = write => {}
                _ = closing.changed() => {}
            }
        });
        let mut response = reply("application/json", body);
        let name = HeaderValue::from_static("attachment; filename=\"flows.json\"");
        response
            .headers_mut()
            .insert(header::CONTENT_DISPOSITION, name);
        response
    })
}

fn stream(sandbox: Arc<Sandbox>, _: Request) -> Answered {
    Box::pin(async move {
        let (to, body) = Pieces::pair();
        tokio::spawn(feed::run(sandbox, to));
        reply("text/event-stream", body)
    })
}

fn reply(kind: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}
