//! What programs that were started for the sandbox ask of it: the line that it said when it was
//! ready, its certificates, and the launches.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use serde_json::json;
use yufu_web::clock;

use super::ledger::Started;
use super::runtime::Runtime;
use crate::sandbox::control::answer::Refused;
use crate::sandbox::control::table::{Asked, Call, Endpoint, Field, Kind, Verb, Work, work};
use crate::sandbox::state::Sandbox;

/// The calls.
pub const ROWS: &[Endpoint] = &[
    Endpoint {
        about: "The line of `yufu dev --json`, for whoever was given the address and the token alone.",
        answer: READY,
        ..Endpoint::new(Verb::Get, "/_sandbox/ready", "launches", Call::Json(ready))
    },
    Endpoint {
        about: "The root of the authority, as `yufu ca` prints it.",
        answer: "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n",
        kind: PEM,
        ..Endpoint::new(
            Verb::Get,
            "/_sandbox/ca.pem",
            "launches",
            Call::Own(|sandbox, _| Box::pin(root(sandbox))),
        )
    },
    Endpoint {
        about: "The root and the intermediate of the authority.",
        answer: "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n",
        kind: PEM,
        ..Endpoint::new(
            Verb::Get,
            "/_sandbox/ca-chain.pem",
            "launches",
            Call::Own(|sandbox, request| Box::pin(chain(sandbox, request))),
        )
    },
    Endpoint {
        about: "The programs that `yufu run` started, newest first, each with a hint where nothing of it arrives.",
        more: "The proxy does not know whose connection is whose: of several programs at a time, each is judged by what \
               came from all of them since it was started.",
        answer: r#"{"launches":[{"id":"l1","pid":4711,"command":"python app.py","runtime":"python","net":false,"began":1767225600000,"ended":null,"arrived":0,"hint":{"code":"proxy_ignored","title":"…","remedy":"…","title_zh":"…","remedy_zh":"…"}}]}"#,
        ..Endpoint::new(
            Verb::Get,
            "/_sandbox/launches",
            "launches",
            Call::Json(list),
        )
    },
    Endpoint {
        about: "Tells that a program was started; `yufu run` does it.",
        fields: &[
            Field::must("pid", Kind::Number, "Its process.", "4711"),
            Field::must("command", Kind::Text, "Its first words.", "python app.py"),
            Field::may(
                "runtime",
                Kind::Word(Runtime::WORDS),
                "What it is written in.",
                "python",
            ),
            Field::may(
                "net",
                Kind::Flag,
                "Whether it runs in a private network.",
                "false",
            ),
        ],
        answer: r#"{"id":"l1"}"#,
        ..Endpoint::new(
            Verb::Post,
            "/_sandbox/launches",
            "launches",
            Call::Json(begin),
        )
    },
    Endpoint {
        about: "Tells that a program ended.",
        answer: r#"{"id":"l1"}"#,
        ..Endpoint::new(
            Verb::Post,
            "/_sandbox/launches/{id}/ended",
            "launches",
            Call::Json(end),
        )
    },
];

const PEM: &str = "application/x-pem-file";
const READY: &str = r#"{"platform":"http://127.0.0.1:8420","app":"http://127.0.0.1:8421","login":"http://127.0.0.1:8430","token":"0123456789abcdef0123456789abcdef","proxy":"http://127.0.0.1:8425","gate":"127.0.0.1:8426","ca":"/tmp/yufu/ca.pem","spki":"…","data_dir":"/tmp/yufu","pid":4710,"began":1767225600000,"clients":[],"people":[]}"#;

fn ready(asked: &Asked<'_>) -> Work {
    let sandbox = asked.sandbox.clone();
    work(async move { Ok(json!(crate::sandbox::ready(&sandbox))) })
}

async fn root(sandbox: Arc<Sandbox>) -> Response {
    pem(sandbox.authority.root_pem().to_owned())
}

async fn chain(sandbox: Arc<Sandbox>, _: Request) -> Response {
    pem(sandbox.authority.chain_pem())
}

fn pem(text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PEM));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn list(asked: &Asked<'_>) -> Work {
    let sandbox = asked.sandbox.clone();
    work(async move {
        let launches = sandbox.launches.list(&sandbox.traffic, clock::real());
        Ok(json!({ "launches": launches }))
    })
}

fn begin(asked: &Asked<'_>) -> Work {
    let body = &asked.body;
    body.needs("pid", "\"pid\": 4711");
    body.needs("command", "\"command\": \"python app.py\"");
    let pid = body.number("pid", 1..=i64::from(u32::MAX)).unwrap_or(0);
    let runtime = body.one_of("runtime", Runtime::WORDS).unwrap_or_default();
    let started = Started {
        pid: u32::try_from(pid).unwrap_or(0),
        command: body.text("command").unwrap_or_default(),
        runtime: Runtime::parse(runtime),
        net: body.flag("net").unwrap_or(false),
    };
    let sandbox = asked.sandbox.clone();
    work(async move {
        let now = clock::real();
        let id = sandbox.launches.begin(started, &sandbox.traffic, now);
        Ok(json!({ "id": id }))
    })
}

fn end(asked: &Asked<'_>) -> Work {
    let (sandbox, id) = (asked.sandbox.clone(), asked.hole("id").to_owned());
    work(async move {
        match sandbox.launches.end(&id, &sandbox.traffic, clock::real()) {
            true => Ok(json!({ "id": id })),
            false => Err(Refused::missing(
                format!("there is no launch {id}"),
                "See: GET /_sandbox/launches",
            )),
        }
    })
}
