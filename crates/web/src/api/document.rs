//! The OpenAPI 3.1 document of the login API, and the tables of the docs: made from the same table
//! as the routes.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::Request as HttpRequest;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};
use yufu_core::login::LoginRefusal;

use super::envelope::{self, status};
use super::read::{MAX_DEVICE, MAX_KEY};
use super::table::{Answers, Auth, ENDPOINTS, Endpoint, Field, Kind, Need, Verb};
use super::{LoginHouse, plain, text as words};
use crate::view::Lang;

/// The document, as a house at this address serves it.
pub fn document(public_url: &str) -> Value {
    let mut paths = Map::new();
    for endpoint in ENDPOINTS {
        let item = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        if let Value::Object(item) = item {
            item.insert(endpoint.verb.word().to_lowercase(), operation(endpoint));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "yufu, the login API",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Logs an app's users in with WeChat and phone numbers.",
            "description": "Every call answers {code, msg, data, request_id}; code 0 is success. In compat mode the HTTP status of refusals is 200 too, in strict mode it is the one given here. Times are seconds since 1970, lives are seconds. Unknown fields of bodies are ignored, and null is the same as a field left out. The facts behind each call stand in docs/facts/login.md.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"}
        },
        "servers": [{"url": public_url}],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "parameters": parameters(),
            "securitySchemes": {
                "session": {"type": "http", "scheme": "bearer", "description": "The session token."},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "__Host-yufu_login", "description": "The same in a browser; over plain http its name is yufu_login_<port>. The Origin must be ours or a registered one."},
                "service": {"type": "http", "scheme": "basic", "description": "Name and secret of a [[service]]."}
            }
        }
    })
}

/// The document as it is kept in the repository.
pub fn text() -> String {
    pretty(&document("http://127.0.0.1:8430"))
}

fn pretty(document: &Value) -> String {
    let mut text = serde_json::to_string_pretty(document).unwrap_or_default();
    text.push('\n');
    text
}

/// `/openapi.json`.
pub(crate) async fn page(house: Arc<LoginHouse>, _: HttpRequest) -> Response {
    plain(
        StatusCode::OK,
        "application/json",
        pretty(&document(&house.front.public_url)),
    )
}

fn identifier(endpoint: &Endpoint) -> String {
    let words = endpoint.path.split(['/', '{', '}', '_', '-', '.']);
    let words = words.filter(|word| !word.is_empty());
    words.fold(endpoint.verb.word().to_lowercase(), |mut name, word| {
        let mut letters = word.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
        name
    })
}

fn operation(endpoint: &Endpoint) -> Value {
    let mut operation = Map::new();
    let mut put = |name: &str, value: Value| operation.insert(name.to_owned(), value);
    put("operationId", json!(identifier(endpoint)));
    put("summary", json!(endpoint.about));
    put("tags", json!([endpoint.tag]));
    put("responses", responses(endpoint));
    let is_call = matches!(endpoint.answers, Answers::Data(_));
    let mut asked = Vec::new();
    if endpoint.has_tail() {
        let name = endpoint.path.rsplit(['{', '}']).nth(1).unwrap_or_default();
        asked.push(json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}}));
    }
    if is_call {
        for name in ["Device", "Language"] {
            asked.push(json!({"$ref": format!("#/components/parameters/{name}")}));
        }
    }
    let in_query = !is_call || endpoint.verb != Verb::Post;
    if in_query {
        for field in endpoint.fields {
            asked.push(
                json!({"name": field.name, "in": "query", "required": field.need != Need::May,
                "description": field.about, "schema": value(field), "example": example(field)}),
            );
        }
    } else {
        asked.push(json!({"$ref": "#/components/parameters/Idempotency"}));
        put("requestBody", request_body(endpoint));
    }
    put("parameters", json!(asked));
    let security = match endpoint.auth {
        Auth::Nobody => json!([]),
        Auth::Maybe => json!([{}, {"session": []}, {"cookie": []}]),
        Auth::Session => json!([{"session": []}, {"cookie": []}]),
        Auth::Service => json!([{"service": []}]),
    };
    put("security", security);
    Value::Object(operation)
}

fn request_body(endpoint: &Endpoint) -> Value {
    let fields = endpoint.fields.iter();
    let properties: Map<String, Value> = fields
        .clone()
        .map(|field| {
            let mut schema = value(field);
            envelope::put(&mut schema, "description", Some(field.about));
            (field.name.to_owned(), schema)
        })
        .collect();
    let required: Vec<_> = fields
        .clone()
        .filter(|f| f.need != Need::May)
        .map(|f| f.name)
        .collect();
    let example: Map<String, Value> = fields
        .filter(|field| field.need != Need::May)
        .map(|field| (field.name.to_owned(), example(field)))
        .collect();
    let mut schema = json!({"type": "object", "properties": properties, "required": required});
    if !endpoint.forbidden.is_empty() {
        let nor: Vec<_> = endpoint
            .forbidden
            .iter()
            .map(|name| json!({"required": [name]}))
            .collect();
        envelope::put(&mut schema, "not", Some(json!({"anyOf": nor})));
    }
    json!({"required": !required.is_empty(),
        "content": {"application/json": {"schema": schema, "example": example}}})
}

/// The schema of a field.
fn value(field: &Field) -> Value {
    let may = field.need == Need::May;
    let kind = |word: &str| {
        if may {
            json!([word, "null"])
        } else {
            json!(word)
        }
    };
    let least = u8::from(field.need == Need::Must);
    match field.kind {
        Kind::Text(most) => json!({"type": kind("string"), "minLength": least, "maxLength": most}),
        Kind::Phone => json!({"type": kind("string"), "maxLength": 256}),
        Kind::Word(known) => {
            let mut known: Vec<Value> = known.iter().map(|word| json!(word)).collect();
            if may {
                known.extend([json!(""), Value::Null]);
            }
            json!({"enum": known})
        }
        Kind::Flag => json!({"type": kind("boolean")}),
        Kind::Proof(parts) => {
            let properties: Map<String, Value> = parts
                .iter()
                .map(|part| {
                    (
                        (*part).to_owned(),
                        json!({"type": "string", "minLength": 1, "maxLength": 512}),
                    )
                })
                .collect();
            let mut ways = vec![json!({"required": ["code", "state"]})];
            if parts.contains(&"sms_code") {
                ways.push(json!({"required": ["sms_code"]}));
            }
            json!({"type": kind("object"), "properties": properties, "oneOf": ways})
        }
    }
}

fn example(field: &Field) -> Value {
    match field.kind {
        Kind::Flag | Kind::Proof(_) => serde_json::from_str(field.example).unwrap_or_default(),
        _ => json!(field.example),
    }
}

fn responses(endpoint: &Endpoint) -> Value {
    let name = match endpoint.answers {
        Answers::Data(name) => name,
        Answers::Raw(media) => {
            let mut answers = json!({"200": {"description": "The answer.", "content": {media: {"schema": match media {
                "application/json" => json!({"type": "object"}),
                _ => json!({"type": "string"}),
            }}}}});
            if endpoint.path.starts_with("/hooks/") {
                let refused = json!({"description": "Not believed; nothing is said about why."});
                envelope::put(&mut answers, "401", Some(refused));
            }
            return answers;
        }
        Answers::Page => {
            return json!({
                "200": {"description": "A page.", "content": {"text/html": {"schema": {"type": "string"}}}},
                "303": {"description": "To somewhere else."},
                "400": {"description": "A page that says what is wrong.", "content": {"text/html": {"schema": {"type": "string"}}}}
            });
        }
    };
    let codes = endpoint.codes();
    let refused = |codes: &[u16]| {
        json!({"allOf": [{"$ref": "#/components/schemas/Refused"},
            {"properties": {"code": {"enum": codes}}}]})
    };
    let fine = json!({"allOf": [{"$ref": "#/components/schemas/Fine"},
        {"properties": {"data": {"$ref": format!("#/components/schemas/{name}")}}}]});
    let mut answers = Map::new();
    answers.insert(
        "200".to_owned(),
        json!({
        "description": "What was asked for; in compat mode also every refusal.",
        "content": {"application/json": {"schema": {"oneOf": [fine, refused(&codes)]}}}}),
    );
    let statuses: BTreeSet<u16> = codes.iter().map(|code| status(*code).as_u16()).collect();
    for number in statuses {
        let here: Vec<u16> = codes
            .iter()
            .copied()
            .filter(|code| status(*code).as_u16() == number)
            .collect();
        let mut answer = json!({"description": "Refused, in strict mode.",
            "content": {"application/json": {"schema": refused(&here)}}});
        if matches!(number, 429 | 503) {
            let after = json!({"Retry-After": {"schema": {"type": "integer", "minimum": 1}}});
            envelope::put(&mut answer, "headers", Some(after));
        }
        answers.insert(number.to_string(), answer);
    }
    answers.insert(
        "500".to_owned(),
        json!({"description": "A fault of ours, in strict mode.",
        "content": {"application/json": {"schema": refused(&[1005])}}}),
    );
    Value::Object(answers)
}

fn parameters() -> Value {
    let header = |name: &str, about: &str, most: Option<usize>| {
        let mut schema = json!({"type": "string"});
        envelope::put(&mut schema, "maxLength", most);
        json!({"name": name, "in": "header", "required": false, "description": about, "schema": schema})
    };
    json!({
        "Device": header("X-Yufu-Device", "The device secret, once there is one. It binds states, tickets and sessions to the device.", Some(MAX_DEVICE)),
        "Language": header("Accept-Language", "Chinese unless English is preferred.", None),
        "Idempotency": header("Idempotency-Key", "The same key with the same request is answered with the same data: at login, bind, merge, phone login and the cancelling of a deletion.", Some(MAX_KEY))
    })
}

fn object(properties: Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required})
}

/// The schemas of all data.
fn schemas() -> Value {
    let text = || json!({"type": "string"});
    let number = || json!({"type": "integer"});
    let flag = || json!({"type": "boolean"});
    let profile = json!({"oneOf": [{"type": "null"},
        object(json!({"nickname": text(), "avatar": text()}), &["nickname", "avatar"])]});
    let session = json!({"token": text(), "refresh_token": text(), "expires_in": number(),
        "is_bind": flag(), "uid": text(), "profile": profile, "access_token": text(),
        "upstream_unverified": flag()});
    let mut phone_session = session.clone();
    envelope::put(&mut phone_session, "device_secret", Some(text()));
    let list = |of: Value| json!({"type": "array", "items": of});
    let codes: Vec<u16> = LoginRefusal::all().iter().map(LoginRefusal::code).collect();
    let mut schemas = json!({
        "Fine": object(json!({"code": {"const": 0}, "msg": text(), "data": {"type": "object"}, "request_id": text()}),
            &["code", "msg", "data", "request_id"]),
        "Refused": object(json!({"code": {"enum": codes}, "msg": text(), "data": {"$ref": "#/components/schemas/RefusedData"}, "request_id": text()}),
            &["code", "msg", "data", "request_id"]),
        "RefusedData": refused_data(),
        "Nothing": object(json!({}), &[]),
        "Session": object(session.clone(), &["token", "refresh_token", "expires_in", "is_bind", "uid", "profile"]),
        "PhoneSession": object(phone_session, &["token", "refresh_token", "expires_in", "is_bind", "uid", "profile"]),
        "Refreshed": object(json!({"token": text(), "refresh_token": text(), "expires_in": number(), "is_bind": flag(), "uid": text()}),
            &["token", "refresh_token", "expires_in", "is_bind", "uid"]),
        "LoginAnswer": {"oneOf": [{"$ref": "#/components/schemas/Session"}, {"$ref": "#/components/schemas/Unbound"}]},
        "Unbound": object(json!({"token": {"const": ""}, "is_bind": {"const": false}, "bind_ticket": text(), "profile": profile, "access_token": text()}),
            &["token", "is_bind", "bind_ticket", "profile"]),
        "Relogin": object(session, &["token", "expires_in", "is_bind", "uid"]),
        "Sent": object(json!({"resend_after": number(), "ttl": number(), "device_secret": text()}), &["resend_after", "ttl"]),
        "Phone": object(json!({"phone": text()}), &["phone"]),
        "Jwt": object(json!({"jwt": text(), "expires_in": number()}), &["jwt", "expires_in"]),
        "Deletion": object(json!({"deletable_at": number(), "kept": list(text())}), &["deletable_at", "kept"]),
        "Person": object(json!({"uid": text(), "nickname": text(), "avatar": text(), "phone": text(), "is_bind": flag(), "created_at": number()}),
            &["uid", "nickname", "avatar", "phone", "is_bind", "created_at"]),
        "Prepared": object(json!({"state": text(), "app": text(), "appid": text(), "kind": text(), "scope": text(), "expires_in": number(),
            "authorize_url": text(), "qr_url": text(), "device_secret": text()}), &["state", "app", "appid", "kind", "scope", "expires_in"]),
    });
    for (name, schema) in lists() {
        envelope::put(&mut schemas, name, Some(schema));
    }
    schemas
}

/// The schemas that hold lists.
fn lists() -> [(&'static str, Value); 5] {
    let text = || json!({"type": "string"});
    let number = || json!({"type": "integer"});
    let flag = || json!({"type": "boolean"});
    let list = |of: Value| json!({"type": "array", "items": of});
    let state = || json!({"enum": ["ok", "degraded"]});
    let identity = object(
        json!({"id": text(), "provider": text(), "app": text(), "nickname": text(),
        "status": {"enum": ["linked", "revoked"]}, "linked_at": number()}),
        &["id", "provider", "app", "nickname", "status", "linked_at"],
    );
    let device = object(
        json!({"id": text(), "device_id": text(), "platform": text(), "address": text(),
        "began_at": number(), "seen_at": number(), "current": flag()}),
        &[
            "id",
            "device_id",
            "platform",
            "address",
            "began_at",
            "seen_at",
            "current",
        ],
    );
    let app = object(
        json!({"app": text(), "kind": text(), "appid": text(), "status": state()}),
        &["app", "kind", "appid", "status"],
    );
    let introspection = json!({"oneOf": [
        object(json!({"active": {"const": false}}), &["active"]),
        object(json!({"active": {"const": true}, "uid": text(), "is_bind": flag(), "exp": number(), "sid": text(),
            "device_id": text(), "platform": text(), "auth_time": number()}),
            &["active", "uid", "is_bind", "exp", "sid", "device_id", "platform", "auth_time"])]});
    [
        (
            "Identities",
            object(json!({"identities": list(identity)}), &["identities"]),
        ),
        (
            "Sessions",
            object(json!({"sessions": list(device)}), &["sessions"]),
        ),
        ("Introspection", introspection),
        ("Export", export()),
        (
            "Config",
            object(
                json!({"bind_policy": {"enum": ["phone_required", "optional"]}, "consent_version": text(),
            "passcode": object(json!({"resend_after": number(), "ttl": number(), "digits": number(), "enabled": flag()}), &["resend_after", "ttl", "digits", "enabled"]),
            "expose_upstream_token": flag(),
            "wechat": object(json!({"status": state(), "apps": list(app)}), &["status", "apps"])}),
                &[
                    "bind_policy",
                    "consent_version",
                    "passcode",
                    "expose_upstream_token",
                    "wechat",
                ],
            ),
        ),
    ]
}

/// An object whose members are all told, always.
fn whole(properties: Value) -> Value {
    let names = properties.as_object().into_iter().flat_map(Map::keys);
    let names: Vec<String> = names.cloned().collect();
    json!({"type": "object", "properties": properties, "required": names})
}

/// Everything that is kept of a person.
fn export() -> Value {
    let text = || json!({"type": "string"});
    let number = || json!({"type": "integer"});
    let flag = || json!({"type": "boolean"});
    let list = |of: Value| json!({"type": "array", "items": of});
    let profile = whole(
        json!({"nickname": text(), "avatar": text(), "sex": text(), "country": text(),
        "province": text(), "city": text(), "language": text()}),
    );
    let identity = whole(
        json!({"provider": text(), "app": text(), "openid": text(), "unionids": list(text()),
        "revoked": flag(), "linked_at": number(), "nickname": text(), "avatar": text()}),
    );
    let ended = ["logged_out", "replaced", "kicked", "reused", "stolen"].map(Value::from);
    let ended: Vec<_> = ended.into_iter().chain([Value::Null]).collect();
    let session = whole(
        json!({"device_id": text(), "platform": text(), "address": text(), "began_at": number(),
        "seen_at": number(), "ends_at": number(), "ended": {"enum": ended}}),
    );
    let event = whole(json!({"at": number(), "what": text(), "detail": text()}));
    whole(
        json!({"user": text(), "created_at": number(), "seen_at": {"type": ["integer", "null"]},
        "consent": text(), "profile": profile, "phone": {"type": ["string", "null"]},
        "has_password": flag(), "identities": list(identity), "sessions": list(session),
        "events": list(event)}),
    )
}

/// What a refusal may tell beside its code: the members of all of them.
fn refused_data() -> Value {
    let text = || json!({"type": "string"});
    let number = || json!({"type": "integer"});
    let candidate = || {
        object(
            json!({"key": text(), "nickname": text(), "phone": text()}),
            &["key", "nickname", "phone"],
        )
    };
    object(
        json!({
            "field": text(), "incident": text(), "retry_after": {"type": "integer", "minimum": 1},
            "left": number(), "reason": text(), "other": text(),
            "candidates": {"type": "array", "items": candidate()}, "account": candidate(), "merge_ticket": text(),
            "deletable_at": number(), "cancel_ticket": text(), "device_secret": text(),
            "proofs": {"type": "array", "items": text()}, "after": number(),
            "at": number(), "device": text(),
        }),
        &[],
    )
}

/// The calls and the codes as tables, for the docs.
pub fn catalogue() -> String {
    let mut text = String::from(
        "# The login API at a glance\n\nPrinted from crates/web/src/api/table.rs; a test keeps it fresh. \
         [login-openapi.json](login-openapi.json) has the same with every schema.\n\n\
         ## Calls\n\n| Call | Who | Fields | Refuses with | What it does |\n|---|---|---|---|---|\n",
    );
    for endpoint in ENDPOINTS {
        let fields = endpoint.fields.iter().map(|field| match field.need {
            Need::May => format!("{}?", field.name),
            Need::Must | Need::Judged => field.name.to_owned(),
        });
        let fields: Vec<String> = fields.collect();
        let codes: Vec<_> = endpoint.codes().iter().map(u16::to_string).collect();
        let who = match endpoint.auth {
            Auth::Nobody => "",
            Auth::Maybe => "a session or nobody",
            Auth::Session => "a session",
            Auth::Service => "a service",
        };
        let _ = writeln!(
            text,
            "| `{} {}` | {who} | {} | {} | {} |",
            endpoint.verb.word(),
            endpoint.path,
            fields.join(", "),
            codes.join(" "),
            endpoint.about,
        );
    }
    text.push_str("\n## Codes\n\n| Code | Name | Strict status | data | 中文 | English |\n|---|---|---|---|---|---|\n");
    for refusal in LoginRefusal::all() {
        let data = envelope::data(&refusal);
        let members: Vec<_> = data.keys().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            refusal.code(),
            refusal.name(),
            status(refusal.code()).as_u16(),
            members.join(" "),
            words::message(&refusal, Lang::Zh),
            words::message(&refusal, Lang::En),
        );
    }
    text
}
