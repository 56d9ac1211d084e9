//! The calls of the control that set faults.

use serde_json::{Value, json};

use super::{Fault, Known, faults};
use crate::sandbox::control::answer::{Refused, Said};
use crate::sandbox::control::table::{Asked, Call, Endpoint, Field, Kind, Verb, Work, work};
use crate::sandbox::state::Sandbox;

/// The fields of a fault, of all kinds together; `docs/sandbox-faults.md` tells which kind is told
/// what.
const FAULT: &[Field] = &[
    Field::may(
        "kind",
        Kind::Text,
        "What goes wrong: a word of docs/sandbox-faults.md.",
        "errcode",
    ),
    Field::may(
        "client",
        Kind::Text,
        "Only for this client, by its appid.",
        "wx0123456789abcdef",
    ),
    Field::may(
        "person",
        Kind::Text,
        "Only for this person, by short name.",
        "mei",
    ),
    Field::may(
        "endpoint",
        Kind::Text,
        "Only at this endpoint: a path, or its last words.",
        "access_token",
    ),
    Field::may("times", Kind::Number, "Only so many times.", "3"),
    Field::may(
        "chance",
        Kind::Real,
        "Only with this chance, from 0 to 1.",
        "0.5",
    ),
    Field::may(
        "when",
        Kind::Word(&["before", "after"]),
        "Before the platform acts, or after it did.",
        "before",
    ),
    Field::may("code", Kind::Number, "Of errcode: the number.", "45011"),
    Field::may(
        "text",
        Kind::Text,
        "Of errcode: other words than the platform's.",
        "system busy",
    ),
    Field::may(
        "ms",
        Kind::Number,
        "Of slow and callback_twice: milliseconds.",
        "8000",
    ),
    Field::may("status", Kind::Number, "Of status: the HTTP status.", "502"),
    Field::may(
        "bytes",
        Kind::Number,
        "Of truncated: how many bytes come.",
        "40",
    ),
    Field::may(
        "type",
        Kind::Text,
        "Of content_type: the content type.",
        "text/html",
    ),
    Field::may(
        "field",
        Kind::Text,
        "Of missing, duplicate and extra: the field of the answer.",
        "unionid",
    ),
    Field::may(
        "value",
        Kind::Text,
        "Of duplicate and extra: what the field says.",
        "bearer",
    ),
    Field::may(
        "how",
        Kind::Text,
        "Of mojibake and refresh_dead: in which way.",
        "latin1",
    ),
    Field::may("by", Kind::Text, "Of clock_skew: how far.", "-10m"),
    Field::may("whose", Kind::Text, "Of other_code: whose code.", "wei"),
    Field::may(
        "state",
        Kind::Text,
        "Of other_state: the state.",
        "another-state",
    ),
    Field::may(
        "id",
        Kind::Text,
        "Told by the list, and not looked at.",
        "x1",
    ),
    Field::may(
        "left",
        Kind::Number,
        "Told by the list, and not looked at.",
        "2",
    ),
    Field::may(
        "played",
        Kind::Number,
        "Told by the list, and not looked at.",
        "1",
    ),
];

/// The same, or several of them.
const FAULTS: &[Field] = &{
    let mut fields = [Field::may(
        "faults",
        Kind::Objects(FAULT),
        "Several faults instead of one.",
        "[]",
    ); 23];
    let mut n = 0;
    while n < FAULT.len() {
        fields[n + 1] = FAULT[n];
        n += 1;
    }
    fields
};

/// The calls.
pub const ROWS: &[Endpoint] = &[
    Endpoint {
        about: "The faults, in the order in which they play, with how often each was played.",
        answer: r#"{"faults":[{"id":"x1","kind":"errcode","code":45011,"when":"before","endpoint":"access_token","times":3,"left":2,"played":1}]}"#,
        ..Endpoint::new(Verb::Get, "/_sandbox/faults", "faults", Call::Json(list))
    },
    Endpoint {
        about: "Lets the platform do something wrong. One fault, or several under faults; all or none are set.",
        more: "The kinds, and what each is told, are in docs/sandbox-faults.md.",
        fields: FAULTS,
        answer: r#"{"faults":[{"id":"x1","kind":"errcode","code":45011,"when":"before","endpoint":"access_token","times":3,"left":3,"played":0}]}"#,
        ..Endpoint::new(Verb::Post, "/_sandbox/faults", "faults", Call::Json(add))
    },
    Endpoint {
        about: "Takes all faults away.",
        answer: r#"{"removed":2}"#,
        ..Endpoint::new(
            Verb::Delete,
            "/_sandbox/faults",
            "faults",
            Call::Json(clear),
        )
    },
    Endpoint {
        about: "Takes a fault away.",
        answer: r#"{"removed":1}"#,
        ..Endpoint::new(
            Verb::Delete,
            "/_sandbox/faults/{id}",
            "faults",
            Call::Json(remove),
        )
    },
];

fn told(faults: &[Fault]) -> Said {
    let faults: Result<Vec<Value>, _> = faults.iter().map(serde_json::to_value).collect();
    faults
        .map(|faults| json!({"faults": faults}))
        .map_err(Refused::fault)
}

fn list(asked: &Asked<'_>) -> Work {
    let sandbox = asked.sandbox.clone();
    work(async move { told(&sandbox.faults.list()) })
}

fn add(asked: &Asked<'_>) -> Work {
    bring(asked, &asked.sandbox.known())
}

/// Adds what is told, for those who are known.
pub fn bring(asked: &Asked<'_>, known: &Known) -> Work {
    let sandbox = asked.sandbox.clone();
    let read = faults(&asked.body, known);
    work(async move {
        match sandbox.faults.add(read) {
            Ok(added) => told(&added),
            Err(room) => Err(Refused::conflict(
                "faults",
                format!("are too many: there is room for {room} more"),
                "take others away first: DELETE /_sandbox/faults",
            )),
        }
    })
}

fn clear(asked: &Asked<'_>) -> Work {
    let sandbox = asked.sandbox.clone();
    work(async move { Ok(json!({"removed": sandbox.faults.clear()})) })
}

fn remove(asked: &Asked<'_>) -> Work {
    let (sandbox, id) = (asked.sandbox.clone(), asked.hole("id").to_owned());
    work(async move {
        if sandbox.faults.remove(&id) {
            return Ok(json!({"removed": 1}));
        }
        let there = sandbox.faults.list().into_iter().map(|fault| fault.id);
        let there: Vec<String> = there.collect();
        let remedy = match there.as_slice() {
            [] => "there are no faults at all".to_owned(),
            there => format!("there are {}", there.join(", ")),
        };
        Err(Refused::missing(format!("there is no fault {id}"), remedy))
    })
}

impl Sandbox {
    /// Whom faults may be for.
    pub fn known(&self) -> Known {
        let world = self.world.read();
        let world = world.unwrap_or_else(std::sync::PoisonError::into_inner);
        Known {
            clients: world
                .clients
                .iter()
                .map(|client| client.appid.clone())
                .collect(),
            people: world
                .people
                .iter()
                .map(|person| person.name.clone())
                .collect(),
        }
    }
}
