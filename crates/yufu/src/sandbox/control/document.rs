//! The OpenAPI 3.1 document of the control, and its page of the docs: made from the same table as
//! the routes.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::table::{Asked, Call, Endpoint, Field, Kind, Verb, Work, endpoints, work};

/// The call that tells of all calls.
pub const ROWS: &[Endpoint] = &[Endpoint {
    about: "This interface as an OpenAPI 3.1 document.",
    answer: r#"{"openapi":"3.1.0","info":{},"servers":[],"security":[],"paths":{},"components":{}}"#,
    ..Endpoint::new(
        Verb::Get,
        "/_sandbox/openapi.json",
        "state",
        Call::Json(openapi),
    )
}];

fn openapi(asked: &Asked<'_>) -> Work {
    let sandbox = asked.sandbox.clone();
    work(async move { Ok(document(&sandbox.addresses.platform)) })
}

/// What the variable parts of paths are.
const HOLES: [(&str, &str, &str); 4] = [
    ("name", "The short name.", "mei"),
    ("appid", "The appid.", "wx0123456789abcdef"),
    ("id", "The id.", "f1"),
    ("token", "The token.", "x"),
];

/// The document, as a sandbox at this address serves it.
pub fn document(platform: &str) -> Value {
    let mut paths = Map::new();
    for row in endpoints() {
        let item = paths.entry(row.path).or_insert_with(|| json!({}));
        if let Value::Object(item) = item {
            item.insert(row.verb.word().to_lowercase(), operation(row));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "yufu, the control of the sandbox",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "People, clients, faults, the clock, flows: everything that a sandbox can be told.",
            "description": "Answers on this machine alone, and to whoever holds the token of the run. Times are milliseconds since 1970. A request with mistakes is answered with all of them at once.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"}
        },
        "servers": [{"url": platform}],
        "security": [{"token": []}, {"cookie": []}],
        "paths": paths,
        "components": {
            "schemas": {"Refused": refused()},
            "responses": {"Refused": {
                "description": "Everything that is wrong with the request.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refused"}}}
            }},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "The token that `yufu dev --json` prints."},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "yufu_sandbox_8420", "description": "The same in a browser, set by a visit with ?token=…; its name ends with the platform's port."}
            }
        }
    })
}

fn refused() -> Value {
    let text = json!({"type": "string"});
    json!({"type": "object", "required": ["error"], "properties": {"error": {
        "type": "object", "required": ["code", "complaints"], "properties": {
            "code": {"type": "string", "description": "One word for programs."},
            "complaints": {"type": "array", "items": {"type": "object", "required": ["at", "what", "remedy"],
                "properties": {"line": {"type": "integer"}, "at": text, "what": text, "remedy": text}}}
        }
    }}})
}

fn operation(row: &Endpoint) -> Value {
    let mut operation = json!({
        "operationId": operation_id(row),
        "tags": [row.tag],
        "summary": row.about,
        "responses": {
            "200": {"description": "Done.", "content": {row.kind: {"schema": answer_schema(row), "example": answer(row)}}},
            "4XX": {"$ref": "#/components/responses/Refused"}
        }
    });
    let mut parameters: Vec<Value> = row
        .holes()
        .map(|name| {
            let (about, example) = hole(name);
            json!({"name": name, "in": "path", "required": true, "description": about,
                "schema": {"type": "string"}, "example": example})
        })
        .collect();
    let mut put = |name: &str, value: Value| {
        if let Value::Object(operation) = &mut operation {
            operation.insert(name.to_owned(), value);
        }
    };
    if !row.more.is_empty() {
        put("description", json!(row.more));
    }
    if row.verb.has_body() {
        if !row.fields.is_empty() {
            let must = row.fields.iter().any(|field| field.must);
            put(
                "requestBody",
                json!({"required": must, "content": {"application/json": {
                    "schema": object(row.fields), "example": body(row.fields)}}}),
            );
        }
    } else {
        parameters.extend(row.fields.iter().map(|field| {
            json!({"name": field.name, "in": "query", "required": field.must,
                "description": field.about, "schema": schema(field), "example": example(field)})
        }));
    }
    if !parameters.is_empty() {
        put("parameters", json!(parameters));
    }
    operation
}

/// A name for generated clients: `postPeople`, `getFlowsIdTxt`.
fn operation_id(row: &Endpoint) -> String {
    let words = row.path.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty() && *word != "sandbox");
    let words = words.map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    });
    row.verb.word().to_lowercase() + &words.collect::<String>()
}

fn hole(name: &str) -> (&'static str, &'static str) {
    let found = HOLES.iter().find(|(known, ..)| *known == name);
    found.map_or(("", ""), |(_, about, example)| (*about, *example))
}

fn object(fields: &[Field]) -> Value {
    let properties: Map<String, Value> = fields
        .iter()
        .map(|field| {
            let mut schema = schema(field);
            if let Value::Object(schema) = &mut schema {
                schema.insert("description".to_owned(), json!(field.about));
            }
            (field.name.to_owned(), schema)
        })
        .collect();
    let must = fields.iter().filter(|field| field.must);
    let must: Vec<_> = must.map(|field| field.name).collect();
    json!({"type": "object", "properties": properties, "required": must, "additionalProperties": false})
}

fn schema(field: &Field) -> Value {
    match field.kind {
        Kind::Text => json!({"type": "string"}),
        Kind::Word(words) => json!({"enum": words}),
        Kind::Flag => json!({"type": "boolean"}),
        Kind::Number => json!({"type": "integer"}),
        Kind::Real => json!({"type": "number"}),
        Kind::Texts => json!({"type": "array", "items": {"type": "string"}}),
        Kind::Object(fields) => object(fields),
        Kind::Objects(fields) => json!({"type": "array", "items": object(fields)}),
    }
}

/// The example of a field as JSON.
pub fn example(field: &Field) -> Value {
    match field.kind {
        Kind::Text | Kind::Word(_) => json!(field.example),
        Kind::Object(fields) if field.example.is_empty() => body(fields),
        Kind::Objects(fields) if field.example.is_empty() => json!([body(fields)]),
        _ => serde_json::from_str(field.example).unwrap_or_default(),
    }
}

/// A body of examples; those that may be left out and have none are.
pub fn body(fields: &[Field]) -> Value {
    let shown = fields.iter().filter(|field| {
        !field.example.is_empty() || matches!(field.kind, Kind::Object(_) | Kind::Objects(_))
    });
    let pairs = shown.map(|field| (field.name.to_owned(), example(field)));
    Value::Object(pairs.collect())
}

fn answer(row: &Endpoint) -> Value {
    match row.kind {
        "application/json" => serde_json::from_str(row.answer).unwrap_or_default(),
        _ => json!(row.answer),
    }
}

fn answer_schema(row: &Endpoint) -> Value {
    match row.kind {
        "application/json" => shape(&answer(row)),
        _ => json!({"type": "string"}),
    }
}

/// The schema of whatever looks like an example.
fn shape(example: &Value) -> Value {
    match example {
        Value::Null => json!({}),
        Value::Bool(_) => json!({"type": "boolean"}),
        Value::Number(number) if number.is_f64() => json!({"type": "number"}),
        Value::Number(_) => json!({"type": "integer"}),
        Value::String(_) => json!({"type": "string"}),
        Value::Array(items) => match items.first() {
            Some(first) => json!({"type": "array", "items": shape(first)}),
            None => json!({"type": "array"}),
        },
        Value::Object(members) => {
            let members = members.iter();
            let properties: Map<String, Value> = members
                .map(|(name, value)| (name.clone(), shape(value)))
                .collect();
            json!({"type": "object", "properties": properties})
        }
    }
}

/// The page of the docs.
pub fn page() -> String {
    let mut text = String::from(
        "# The control of the sandbox\n\n\
         Printed from the table of the control (`crates/yufu/src/sandbox/control/table.rs`); a test keeps it fresh. A\n\
         running sandbox has the same as OpenAPI at `/_sandbox/openapi.json`. Nothing of it is in `yufu serve`.\n\n\
         Every call wants the token of the run, which `yufu dev --json` prints as `token`: as `Authorization: Bearer …`,\n\
         or in a browser as the cookie that a visit with `?token=…` sets. It answers under this machine's own names only,\n\
         and to no page of another origin. Bodies are JSON; times are milliseconds since 1970.\n\n\
         ```\n\
         curl -H \"Authorization: Bearer $YUFU_SANDBOX_TOKEN\" $YUFU_SANDBOX/_sandbox/state\n\
         ```\n\n\
         A request with mistakes is answered with all of them at once, and status 400; 404 where something is not there,\n\
         409 where something stands in the way, 401 without the token, 403 from elsewhere:\n\n\
         ```json\n\
         {\"error\":{\"code\":\"request\",\"complaints\":[{\"at\":\"fone\",\"what\":\"is not known\",\"remedy\":\"did you mean phone?\"}]}}\n\
         ```\n\n## Calls\n\n| Call | What it does |\n|---|---|\n",
    );
    for row in endpoints() {
        let (verb, path) = (row.verb.word(), row.path);
        let _ = writeln!(text, "| `{verb} {path}` | {} |", row.about);
    }
    for row in endpoints() {
        let (verb, path) = (row.verb.word(), row.path);
        let _ = write!(text, "\n## {verb} {path}\n\n{}\n", row.about);
        if !row.more.is_empty() {
            let _ = write!(text, "\n{}\n", row.more);
        }
        if !row.fields.is_empty() {
            let whose = if row.verb.has_body() {
                "Field"
            } else {
                "Query"
            };
            let _ = write!(text, "\n| {whose} | Holds | |\n|---|---|---|\n");
            fields(&mut text, "", row.fields);
        }
        let _ = write!(text, "\n```\n{verb} {}", filled(row));
        if row.verb.has_body() && !row.fields.is_empty() {
            let _ = write!(text, "\n{}", body(row.fields));
        }
        let _ = write!(text, "\n\n{}\n```\n", row.answer);
    }
    text
}

fn fields(text: &mut String, within: &str, all: &[Field]) {
    for field in all {
        let holds = match field.kind {
            Kind::Text => "text".to_owned(),
            Kind::Word(words) => words
                .iter()
                .map(|word| format!("`{word}`"))
                .collect::<Vec<_>>()
                .join(", "),
            Kind::Flag => "`true`, `false`".to_owned(),
            Kind::Number => "whole number".to_owned(),
            Kind::Real => "number".to_owned(),
            Kind::Texts => "list of texts".to_owned(),
            Kind::Object(_) => "object".to_owned(),
            Kind::Objects(_) => "list of objects".to_owned(),
        };
        let name = format!("{within}{}", field.name);
        let must = if field.must { "" } else { "?" };
        let _ = writeln!(text, "| `{name}`{must} | {holds} | {} |", field.about);
        if let Kind::Object(inner) | Kind::Objects(inner) = field.kind {
            fields(text, &format!("{name}."), inner);
        }
    }
}

/// The path of a row with examples in its holes, and its query.
fn filled(row: &Endpoint) -> String {
    let mut path = row.path.to_owned();
    for name in row.holes() {
        path = path.replace(&format!("{{{name}}}"), hole(name).1);
    }
    if row.verb.has_body() || row.fields.is_empty() {
        return path;
    }
    let pairs = row.fields.iter().filter(|field| !field.example.is_empty());
    let pairs = pairs.map(|field| format!("{}={}", field.name, field.example.replace('+', "%2B")));
    format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"))
}
