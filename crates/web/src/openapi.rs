//! The OpenAPI 3.1 document of the platform's endpoints, made from the dialects' own tables, and
//! the catalogue entry (`apis.yml`) that points to it.

use std::fmt::Write as _;

use axum::http::{HeaderValue, header};
use axum::response::Response;
use serde_json::{Map, Value, json};
use yufu_dialects::DIALECTS;
use yufu_dialects::endpoint::{Endpoint, Operation};
use yufu_dialects::http::Method;

/// The document.
pub fn document() -> Value {
    let mut paths = Map::new();
    for dialect in DIALECTS {
        for endpoint in dialect.endpoints {
            let mut item = Map::new();
            for method in endpoint.methods {
                let (word, operation) = match method {
                    Method::Get => ("get", by_query(endpoint)),
                    Method::Post => ("post", by_form(endpoint)),
                };
                item.insert(word.to_owned(), operation);
            }
            paths.insert(endpoint.path.to_owned(), Value::Object(item));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "yufu, the platform's endpoints",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "An OAuth 2.0 authorization server compatible with WeChat login.",
            "description": "Business errors come with status 200 and an errcode in the body. GET and POST (form, query, or a mix) are taken alike, in any order of parameters; unknown ones are ignored. The facts behind each endpoint stand in docs/facts/wechat.md.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"}
        },
        "servers": [{"url": "http://127.0.0.1:8420", "description": "yufu dev"}],
        "paths": paths,
        "components": {"schemas": schemas()},
    })
}

fn base(endpoint: &Endpoint) -> Map<String, Value> {
    let mut operation = Map::new();
    operation.insert("summary".into(), json!(endpoint.summary));
    operation.insert("tags".into(), json!([tag(endpoint)]));
    operation.insert("responses".into(), json!({"200": answer(endpoint)}));
    if matches!(
        endpoint.operation,
        Operation::Authorize { .. } | Operation::ScanOpen
    ) {
        let led = json!({"description": "To the sign-in or consent page, or back to the client."});
        operation.insert(
            "responses".into(),
            json!({"200": answer(endpoint), "302": led, "303": led}),
        );
    }
    operation
}

fn tag(endpoint: &Endpoint) -> &'static str {
    match endpoint.path.split('/').nth(1) {
        Some("connect") => "authorize",
        Some("sns") => "tokens and profiles",
        _ => "the client's own tokens",
    }
}

fn identifier(endpoint: &Endpoint, method: &str) -> String {
    let words = endpoint.path.split(['/', '{', '}', '_', '-']);
    words
        .filter(|word| !word.is_empty())
        .fold(method.to_owned(), |mut name, word| {
            let mut letters = word.chars();
            if let Some(first) = letters.next() {
                name.push(first.to_ascii_uppercase());
                name.push_str(letters.as_str());
            }
            name
        })
}

fn by_query(endpoint: &Endpoint) -> Value {
    let mut operation = base(endpoint);
    let mut parameters: Vec<Value> = endpoint
        .params
        .iter()
        .map(|param| {
            json!({"name": param.name, "in": "query", "required": param.required,
                   "description": param.about, "schema": {"type": "string"}})
        })
        .collect();
    if endpoint.path.ends_with("{uuid}") {
        parameters.push(json!({"name": "uuid", "in": "path", "required": true,
            "description": "The scan's public name.", "schema": {"type": "string"}}));
    }
    operation.insert("operationId".into(), json!(identifier(endpoint, "get")));
    operation.insert("parameters".into(), json!(parameters));
    Value::Object(operation)
}

fn by_form(endpoint: &Endpoint) -> Value {
    let mut operation = base(endpoint);
    let properties: Map<String, Value> = endpoint
        .params
        .iter()
        .map(|param| {
            let schema = json!({"type": "string", "description": param.about});
            (param.name.to_owned(), schema)
        })
        .collect();
    let required: Vec<_> = endpoint
        .params
        .iter()
        .filter(|p| p.required)
        .map(|p| p.name)
        .collect();
    operation.insert("operationId".into(), json!(identifier(endpoint, "post")));
    operation.insert(
        "requestBody".into(),
        json!({"required": true, "content": {"application/x-www-form-urlencoded": {
            "schema": {"type": "object", "properties": properties, "required": required}}}}),
    );
    Value::Object(operation)
}

/// The answer with status 200: the good one or an error in the same media type.
fn answer(endpoint: &Endpoint) -> Value {
    let one_of = |media: &str, name: &str| {
        json!({"description": "The answer, or an errcode.", "content": {media: {"schema": {"oneOf": [
            {"$ref": format!("#/components/schemas/{name}")},
            {"$ref": "#/components/schemas/Error"}]}}}})
    };
    let cgi = "application/json; encoding=utf-8";
    let on_cgi = endpoint.path.starts_with("/cgi-bin/");
    match &endpoint.operation {
        Operation::Authorize { .. } | Operation::ScanOpen => json!({
            "description": "A page: the QR code, or what was wrong. Errors are never sent to the redirect address.",
            "content": {"text/html; charset=utf-8": {"schema": {"type": "string"}}}}),
        Operation::ScanImage => json!({"description": "The QR code.",
            "content": {"image/jpeg": {"schema": {"type": "string", "contentMediaType": "image/jpeg"}}}}),
        Operation::SignedScan { .. } => one_of("application/json", "SignedScan"),
        Operation::Poll { .. } => json!({
            "description": "How the scan stands: 408 nothing new, 404 scanned, 405 confirmed (with the code), 403 cancelled, 402 expired, 500 busy.",
            "content": {
                "text/javascript": {"schema": {"type": "string"}, "example": "window.wx_errcode=408;window.wx_code='';"},
                "application/json": {"schema": {"$ref": "#/components/schemas/Poll"}}}}),
        Operation::Token { .. } if on_cgi => one_of(cgi, "ClientToken"),
        Operation::Token { .. } => one_of("text/plain", "Tokens"),
        Operation::Mini { .. } => one_of("text/plain", "MiniSession"),
        Operation::Profile { .. } => one_of("text/plain", "Profile"),
        Operation::Inspect { .. } => json!({"description": "errcode 0, or what is wrong.",
            "content": {"text/plain": {"schema": {"$ref": "#/components/schemas/Error"}}}}),
        Operation::PlatformTicket { .. } => one_of(cgi, "PlatformTicket"),
        Operation::Document(_) => json!({"description": "A document."}),
    }
}

fn schemas() -> Value {
    let text = || json!({"type": "string"});
    let number = || json!({"type": "integer"});
    let object = |properties: Value, required: &[&str]| json!({"type": "object", "properties": properties, "required": required});
    json!({
        "Error": object(json!({"errcode": number(), "errmsg": text()}), &["errcode", "errmsg"]),
        "Tokens": object(json!({"access_token": text(), "expires_in": number(),
            "refresh_token": text(), "openid": text(), "scope": text(), "unionid": text()}),
            &["access_token", "expires_in", "refresh_token", "openid", "scope"]),
        "Profile": object(json!({"openid": text(), "nickname": text(), "sex": number(),
            "language": text(), "city": text(), "province": text(), "country": text(),
            "headimgurl": text(), "privilege": {"type": "array", "items": text()}, "unionid": text()}),
            &["openid", "nickname", "sex", "language", "city", "province", "country", "headimgurl", "privilege"]),
        "MiniSession": object(json!({"session_key": text(), "openid": text(), "unionid": text()}),
            &["session_key", "openid"]),
        "ClientToken": object(json!({"access_token": text(), "expires_in": number()}),
            &["access_token", "expires_in"]),
        "PlatformTicket": object(json!({"errcode": number(), "errmsg": text(), "ticket": text(),
            "expires_in": number()}), &["errcode", "errmsg", "ticket", "expires_in"]),
        "SignedScan": object(json!({"errcode": number(), "uuid": text(), "appname": text(),
            "qrcode": object(json!({"qrcodebase64": text(), "qrcodeurl": text()}),
                &["qrcodebase64", "qrcodeurl"])}), &["errcode", "uuid", "appname", "qrcode"]),
        "Poll": object(json!({"wx_errcode": number(), "wx_code": text()}), &["wx_errcode", "wx_code"]),
    })
}

/// The catalogue entry, in the APIs.json form written as YAML.
pub fn catalogue() -> String {
    let mut text = String::from(
        "# Printed from crates/web/src/openapi.rs; a test keeps it fresh.\n\
         aid: yufu\nname: yufu\n\
         description: \"Both halves of WeChat login, to be run by yourself: an OAuth 2.0 authorization server, and the backend that logs an app's users in.\"\n\
         type: Index\nspecificationVersion: '0.19'\ntags:\n  - Authentication\n  - OAuth\n  - Login\napis:\n",
    );
    let parts = [
        (
            "authorize",
            "Authorize",
            "Pages and redirects that end with a code: in-client, by QR code, by native hand-over.",
        ),
        (
            "tokens",
            "Tokens and profiles",
            "Exchange a code, refresh, check a token, read the profile.",
        ),
        (
            "platform",
            "The client's own tokens",
            "A client's own token and the ticket that signs QR codes of mobile apps.",
        ),
    ];
    for (id, name, about) in parts {
        let _ = write!(
            text,
            "  - aid: \"yufu:{id}\"\n    name: \"{name}\"\n    description: \"{about}\"\n    humanURL: facts/wechat.md\n    \
             properties:\n      - type: OpenAPI\n        url: openapi.json\n      - type: Documentation\n        \
             url: facts/wechat.md\n      - type: ErrorCodes\n        url: refusals.md\n"
        );
    }
    text.push_str(
        "  - aid: \"yufu:login\"\n    name: \"The login backend\"\n    description: \"Logs an app's own users in \
         with WeChat and phone numbers: prepare, log in, bind, sessions, the account and its end.\"\n    \
         humanURL: login-backend.md\n    properties:\n      - type: OpenAPI\n        url: login-openapi.json\n      \
         - type: Documentation\n        url: login-backend.md\n      - type: ErrorCodes\n        url: login-codes.md\n",
    );
    text.push_str("maintainers:\n  - FN: The yufu developers\n");
    text
}

/// The document as it is kept in the repository and served.
pub fn text() -> String {
    let mut text = serde_json::to_string_pretty(&document()).unwrap_or_default();
    text.push('\n');
    text
}

/// `/openapi.json`.
pub(crate) async fn page() -> Response {
    let mut response = Response::new(text().into());
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}
