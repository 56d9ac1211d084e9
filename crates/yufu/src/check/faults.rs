//! The faults that scenarios play, in the words of the sandbox's REST.

use serde_json::{Value, json};

/// The exchange of a code.
pub const EXCHANGE: &str = "/sns/oauth2/access_token";
/// The profile.
pub const PROFILE: &str = "/sns/userinfo";
/// The check of a token.
pub const INSPECT: &str = "/sns/auth";
/// The renewal of a token.
pub const RENEW: &str = "/sns/oauth2/refresh_token";

/// The platform answers with an errcode.
pub fn errcode(endpoint: &str, code: i64) -> Value {
    json!({"kind": "errcode", "endpoint": endpoint, "code": code})
}

/// A gateway before the platform answers.
pub fn status(endpoint: &str, status: u16) -> Value {
    json!({"kind": "status", "endpoint": endpoint, "status": status})
}

/// The answer takes its time.
pub fn slow(endpoint: &str, seconds: u64) -> Value {
    json!({"kind": "slow", "endpoint": endpoint, "ms": seconds * 1000})
}

/// The connection breaks before the platform has done anything.
pub fn cut(endpoint: &str) -> Value {
    json!({"kind": "drop", "endpoint": endpoint, "when": "before"})
}

/// The connection breaks after the platform has done it.
pub fn lost(endpoint: &str) -> Value {
    json!({"kind": "drop", "endpoint": endpoint, "when": "after"})
}

/// The JSON ends in the middle.
pub fn truncated(endpoint: &str) -> Value {
    json!({"kind": "truncated", "endpoint": endpoint})
}

/// A page instead of JSON, with status 200.
pub fn html(endpoint: &str) -> Value {
    json!({"kind": "html", "endpoint": endpoint})
}

/// Another content type than usual.
pub fn content_type(endpoint: &str, kind: &str) -> Value {
    json!({"kind": "content_type", "endpoint": endpoint, "type": kind})
}

/// A good answer says errcode 0 as well.
pub fn errcode_zero(endpoint: &str) -> Value {
    json!({"kind": "errcode_zero", "endpoint": endpoint})
}

/// A field is missing.
pub fn without(endpoint: &str, field: &str) -> Value {
    json!({"kind": "missing", "endpoint": endpoint, "field": field})
}

/// A field is there besides.
pub fn extra(endpoint: &str, field: &str, value: &str) -> Value {
    json!({"kind": "extra", "endpoint": endpoint, "field": field, "value": value})
}

/// A field has another value: it is taken out, and put in anew.
pub fn with_field(endpoint: &str, field: &str, value: &str) -> [Value; 2] {
    [without(endpoint, field), extra(endpoint, field, value)]
}

/// So often, and then no more.
pub fn times(mut fault: Value, times: u32) -> Value {
    fault["times"] = json!(times);
    fault
}
