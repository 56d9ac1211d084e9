//! A file of people, apps and faults: everything in it is read and judged by the calls that make
//! one each, and only if there is nothing to complain of anywhere is anything made.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::header;
use axum::response::Response;
use serde_json::{Map, Value};
use yufu_core::user::Phone;

use super::answer::Refused;
use super::door;
use super::table::{self, Asked, Call, Endpoint, Field, Found, Kind, Verb, Work};
use crate::read::{Complaint, Complaints, Document, Table};
use crate::sandbox::fault::{self, Known};
use crate::sandbox::state::Sandbox;

/// What a file may hold, and the call that makes one of each.
const PARTS: [(&str, &str); 3] = [
    ("people", "/_sandbox/people"),
    ("clients", "/_sandbox/clients"),
    ("faults", "/_sandbox/faults"),
];

/// The calls.
pub const ROWS: &[Endpoint] = &[Endpoint {
    about: "Brings in what a file tells of: people, apps, faults.",
    more: "JSON, or TOML with the content type application/toml. Each of them is written as for the call that makes one. If anything is wrong anywhere, all of it is told with its line, and nothing is made.",
    fields: &[
        Field::may(
            "people",
            Kind::Objects(&[]),
            "As for `POST /_sandbox/people`.",
            r#"[{"name":"lin","phone":"+8613800000004"}]"#,
        ),
        Field::may(
            "clients",
            Kind::Objects(&[]),
            "As for `POST /_sandbox/clients`.",
            "[]",
        ),
        Field::may(
            "faults",
            Kind::Objects(&[]),
            "As for `POST /_sandbox/faults`.",
            r#"[{"kind":"slow","ms":8000}]"#,
        ),
    ],
    answer: r#"{"people":1,"clients":0,"faults":1}"#,
    ..Endpoint::new(Verb::Post, "/_sandbox/world", "people", Call::Own(bring))
}];

fn bring(
    sandbox: Arc<Sandbox>,
    request: Request,
) -> Pin<Box<dyn Future<Output = Response> + Send>> {
    Box::pin(async move {
        match brought(&sandbox, request).await {
            Ok(value) => super::answer::json_answer(axum::http::StatusCode::OK, &value),
            Err(refused) => refused.answer(),
        }
    })
}

async fn brought(sandbox: &Arc<Sandbox>, request: Request) -> Result<Value, Refused> {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let is_toml = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/toml"));
    let text = door::text(request.into_body()).await?;
    let document = match is_toml {
        true => Document::toml(&text),
        false => Document::json(&text),
    };
    let works = read(sandbox, document)?;
    let mut made = Map::new();
    for (part, _) in PARTS {
        made.insert(part.to_owned(), 0.into());
    }
    for (part, at, work) in works {
        // What can only be seen while it is made, such as a name that is taken.
        work.await.map_err(|refused| within(refused, &at))?;
        let count = made.get(part).and_then(Value::as_u64).unwrap_or(0);
        made.insert(part.to_owned(), (count + 1).into());
    }
    Ok(Value::Object(made))
}

/// Lets every call read its part of the document.
fn read(
    sandbox: &Arc<Sandbox>,
    document: Document,
) -> Result<Vec<(&'static str, String, Work)>, Refused> {
    let mut works = Vec::new();
    // Those whom the file brings are known to what comes behind them in it.
    let mut known = sandbox.known();
    let mut brought = Brought::default();
    for (part, path) in PARTS {
        let Found::Row(row, holes) = table::find("POST", path) else {
            continue;
        };
        let Call::Json(call) = row.call else {
            continue;
        };
        for body in document.root().tables(part) {
            let at = body.at().to_owned();
            let (sandbox, holes) = (sandbox, holes.as_slice());
            let asked = Asked {
                sandbox,
                body,
                holes,
            };
            brought.look(part, &asked.body, &mut known);
            let work = match part {
                "faults" => fault::bring(&asked, &known),
                _ => call(&asked),
            };
            works.push((part, at, work));
        }
    }
    if works.is_empty() {
        let root = document.root();
        root.complain_of_it(
            "this tells of nobody",
            "write people, clients or faults, such as [[people]]",
        );
    }
    document.finish().map_err(Refused::bad)?;
    Ok(works)
}

/// What a file tells of so far: the calls that make one each know only what is there already.
#[derive(Default)]
struct Brought {
    names: HashSet<String>,
    phones: HashSet<String>,
    appids: HashSet<String>,
}

impl Brought {
    /// Complains of what stands in the file twice and can be there once.
    fn look(&mut self, part: &str, body: &Table<'_>, known: &mut Known) {
        let once = |field: &str, value: Option<String>, seen: &mut HashSet<String>| {
            let value = value.filter(|value| !value.is_empty())?;
            if seen.insert(value.clone()) {
                return Some(value);
            }
            body.complain(field, "is taken in this very file", "take another one");
            None
        };
        match part {
            "people" => {
                let name = once("name", body.peek("name"), &mut self.names);
                known.people.extend(name);
                let phone = body.peek("phone").and_then(|text| Phone::parse(&text).ok());
                let phone = phone.map(|phone| phone.as_str().to_owned());
                once("phone", phone, &mut self.phones);
            }
            "clients" => {
                let appid = once("appid", body.peek("appid"), &mut self.appids);
                known.clients.extend(appid);
            }
            _ => {}
        }
    }
}

/// The complaints of one of many.
fn within(refused: Refused, at: &str) -> Refused {
    let complaints = refused.complaints.0.into_iter().map(|complaint| {
        let at = match complaint.at.as_str() {
            "" => at.to_owned(),
            inner => format!("{at}.{inner}"),
        };
        Complaint { at, ..complaint }
    });
    Refused {
        complaints: Complaints(complaints.collect()),
        ..refused
    }
}
