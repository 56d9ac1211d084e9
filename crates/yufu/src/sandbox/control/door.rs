//! The door of the control: finds the row, reads the fields, lets the operation do its work, and
//! says what came of it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::{Map, Value};
use yufu_dialects::http as plain;

use super::answer::{Refused, json_answer};
use super::table::{self, Asked, Call, Endpoint, Field, Found, Kind, Work};
use crate::read::{Complaints, Document};
use crate::sandbox::state::Sandbox;

/// The most bytes of a body.
const MAX_BODY: usize = 1024 * 1024;

/// Opens the door to a request.
pub(in crate::sandbox) async fn open(
    State(sandbox): State<Arc<Sandbox>>,
    request: Request,
) -> Response {
    let (method, path) = (request.method().as_str(), request.uri().path());
    let (row, holes) = match table::find(method, path) {
        Found::Row(row, holes) => (row, holes),
        Found::Verbs(verbs) => return other_method(method, &verbs),
        Found::Nothing(near) => {
            let remedy = match near {
                Some(near) => format!("did you mean {near}?"),
                None => "GET /_sandbox/openapi.json lists every call".to_owned(),
            };
            return Refused::missing("there is no such call", remedy).answer();
        }
    };
    let call = match row.call {
        Call::Json(call) => call,
        Call::Own(own) => return own(sandbox, request).await,
    };
    let document = match document(row, request).await {
        Ok(document) => document,
        Err(refused) => return refused.answer(),
    };
    let said = match asked(&sandbox, document, &holes, call) {
        Ok(work) => work.await,
        Err(refused) => Err(refused),
    };
    match said {
        Ok(value) => json_answer(StatusCode::OK, &value),
        Err(refused) => refused.answer(),
    }
}

/// Lets an operation read. What it is to do stays undone where there is something to complain of.
fn asked(
    sandbox: &Arc<Sandbox>,
    document: Document,
    holes: &[(&'static str, String)],
    call: fn(&Asked<'_>) -> Work,
) -> Result<Work, Refused> {
    let work = call(&Asked {
        sandbox,
        body: document.root(),
        holes,
    });
    document.look();
    document.finish().map_err(Refused::bad)?;
    Ok(work)
}

fn other_method(method: &str, verbs: &[&str]) -> Response {
    let allowed = verbs.join(", ");
    let refused = Refused {
        status: StatusCode::METHOD_NOT_ALLOWED,
        code: "method",
        complaints: Complaints::one(
            "",
            format!("this call is not made by {}", method.escape_debug()),
            format!("use {allowed}"),
        ),
    };
    let mut response = refused.answer();
    if let Ok(allowed) = HeaderValue::try_from(allowed) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

/// The fields of a request as a document.
async fn document(row: &Endpoint, request: Request) -> Result<Document, Refused> {
    if !row.verb.has_body() {
        let query = request.uri().query().unwrap_or("");
        return Ok(Document::value(&of_query(row, query)));
    }
    let text = text(request.into_body()).await?;
    Ok(match text.trim() {
        "" => Document::value(&Value::Object(Map::new())),
        line if !line.contains('\n') => Document::json(line).in_one_line(),
        _ => Document::json(&text),
    })
}

/// A body as text.
pub(super) async fn text(from: Body) -> Result<String, Refused> {
    String::from_utf8(body(from).await?).map_err(|_| {
        let complaints = Complaints::one("", "the body is not UTF-8", "send it in UTF-8");
        Refused::bad(complaints)
    })
}

async fn body(body: Body) -> Result<Vec<u8>, Refused> {
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => Ok(body.to_bytes().to_vec()),
        Err(error) if !error.is::<LengthLimitError>() => Err(Refused {
            status: StatusCode::REQUEST_TIMEOUT,
            code: "request",
            complaints: Complaints::one(
                "",
                "the body did not arrive",
                "send as many bytes as Content-Length tells, within 15 seconds",
            ),
        }),
        Err(_) => Err(Refused {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            code: "too_large",
            complaints: Complaints::one("", "the body is too long", "send at most 1 MiB"),
        }),
    }
}

/// The parameters of a query as the fields are: a number that reads as one is a number.
fn of_query(row: &Endpoint, query: &str) -> Value {
    let params = plain::Request::get("", query).params();
    let pieces = query.split('&').filter(|piece| !piece.is_empty());
    let names = pieces.filter_map(|piece| {
        let name = piece.split('=').next()?;
        let alone = plain::Request::get("", &format!("x={name}")).params();
        alone.get("x").map(str::to_owned)
    });
    let fields = names.map(|name| {
        let kind = row.fields.iter().find(|field| field.name == name);
        let value = params.get(&name).unwrap_or("\u{fffd}");
        let value = typed(kind, value);
        (name, value)
    });
    Value::Object(fields.collect())
}

fn typed(field: Option<&Field>, text: &str) -> Value {
    let read = match field.map(|field| field.kind) {
        Some(Kind::Flag | Kind::Number | Kind::Real) => serde_json::from_str(text).ok(),
        _ => None,
    };
    match read {
        Some(value @ (Value::Bool(_) | Value::Number(_))) => value,
        _ => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::{Verb, work};
    use super::*;
    use serde_json::json;

    /// A body whose sender went away.
    struct Broken;

    impl hyper::body::Body for Broken {
        type Data = axum::body::Bytes;
        type Error = axum::Error;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
            std::task::Poll::Ready(Some(Err(axum::Error::new("gone"))))
        }
    }

    #[tokio::test]
    async fn a_body_that_does_not_arrive_is_not_called_too_long() {
        let broken = text(Body::new(Broken)).await.unwrap_err();
        assert_eq!(broken.status, StatusCode::REQUEST_TIMEOUT);
        assert_eq!(broken.complaints.0[0].what, "the body did not arrive");
        let long = text(Body::from("x".repeat(MAX_BODY + 1))).await;
        let long = long.unwrap_err();
        assert_eq!(long.status, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[test]
    fn a_query_is_read_by_the_fields_of_its_row() {
        const FIELDS: &[Field] = &[
            Field::may("limit", Kind::Number, "", "1"),
            Field::may("live", Kind::Flag, "", "true"),
            Field::may("text", Kind::Text, "", ""),
        ];
        let call = Call::Json(|_| work(async { Ok(Value::Null) }));
        let row = Endpoint {
            fields: FIELDS,
            ..Endpoint::new(Verb::Get, "/x", "", call)
        };
        let read = |query| of_query(&row, query);
        assert_eq!(
            read("limit=12&live=true&text=12&&x=%E6%A2%85+a"),
            json!({"limit": 12, "live": true, "text": "12", "x": "梅 a"})
        );
        assert_eq!(read("limit=ab&live=1"), json!({"limit": "ab", "live": 1}));
        assert_eq!(read("text=%ff"), json!({"text": "\u{fffd}"}));
        assert_eq!(read(""), json!({}));
    }
}
