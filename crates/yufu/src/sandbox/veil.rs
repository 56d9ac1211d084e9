//! People of whom no app is told a unionid: it is taken out of what the platform answers about
//! them, as if they had none.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http_body_util::{BodyExt as _, Limited};
use hyper::header;
use yufu_core::secret::Secret;
use yufu_dialects::http::Request as Plain;

use super::state::Sandbox;

/// The calls whose answers name a unionid, and what tells whose answer it is: a member of the
/// answer, or a parameter of the request (`docs/facts/wechat.md` §7.1, §7.4, §7.5).
const CALLS: [(&str, Whose); 3] = [
    ("/sns/oauth2/access_token", Whose::Answer("access_token")),
    ("/sns/userinfo", Whose::Request("access_token")),
    ("/sns/jscode2session", Whose::Request("js_code")),
];
/// The most bytes of a form: the house reads no longer one.
const FORM: usize = 64 * 1024;

#[derive(Clone, Copy)]
enum Whose {
    Answer(&'static str),
    Request(&'static str),
}

/// Puts the veil before the platform's router.
pub(super) fn over(router: Router, sandbox: &Arc<Sandbox>) -> Router {
    router.layer(from_fn_with_state(sandbox.clone(), pass))
}

async fn pass(State(sandbox): State<Arc<Sandbox>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let call = CALLS.iter().find(|(known, _)| *known == path);
    let Some((_, whose)) = call.filter(|_| is_needed(&sandbox)) else {
        return next.run(request).await;
    };
    let query = request.uri().query().unwrap_or("").to_owned();
    let (parts, body) = request.into_parts();
    // A longer form is refused by the house as well.
    let Ok(form) = Limited::new(body, FORM).collect().await else {
        return next.run(Request::from_parts(parts, Body::empty())).await;
    };
    let form = form.to_bytes();
    let asked = match whose {
        Whose::Request(name) => {
            let form = String::from_utf8_lossy(&form);
            let params = Plain::post("", &query, &form).params();
            params.filled(name).map(str::to_owned)
        }
        Whose::Answer(_) => None,
    };
    let request = Request::from_parts(parts, Body::from(form));
    let (mut parts, body) = next.run(request).await.into_parts();
    let Ok(answer) = body.collect().await else {
        return Response::from_parts(parts, Body::empty());
    };
    let mut answer = answer.to_bytes();
    let secret = match whose {
        Whose::Answer(name) => member(&answer, name),
        Whose::Request(_) => asked,
    };
    if let Some(secret) = secret
        && is_veiled(&sandbox, &secret).await
        && let Some(without) = without_unionid(&answer)
    {
        parts.headers.remove(header::CONTENT_LENGTH);
        answer = without;
    }
    Response::from_parts(parts, Body::from(answer))
}

/// Whether there is anybody without a unionid.
fn is_needed(sandbox: &Sandbox) -> bool {
    sandbox.world().people.iter().any(|person| !person.unionid)
}

/// Whether a code or token is that of somebody without a unionid.
async fn is_veiled(sandbox: &Sandbox, secret: &str) -> bool {
    let engine = &sandbox.house.engine;
    let Ok(report) = engine.inspect_secret(&Secret::new(secret)).await else {
        return false;
    };
    let Some(user) = report.user.map(|user| user.to_string()) else {
        return false;
    };
    let world = sandbox.world();
    let mut people = world.people.iter();
    people.any(|person| person.id == user && !person.unionid)
}

fn member(answer: &[u8], name: &str) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_slice(answer).ok()?;
    Some(answer.get(name)?.as_str()?.to_owned())
}

/// An answer without its unionid; the rest stays to the byte. The unionid is the last member of
/// every answer that has one (§7.1, §7.4, §7.5), and its letters need no escape, so nothing that
/// somebody calls themselves is taken for it.
fn without_unionid(answer: &[u8]) -> Option<Bytes> {
    let text = std::str::from_utf8(answer).ok()?;
    let (before, rest) = text.rsplit_once(",\"unionid\":\"")?;
    let (value, end) = rest.split_once('"')?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let is_it = end == "}" && value.bytes().all(plain);
    is_it.then(|| format!("{before}}}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_member_goes_and_nothing_else() {
        let cut = |text: &str| without_unionid(text.as_bytes());
        assert_eq!(
            cut(r#"{"openid":"o1","scope":"snsapi_login","unionid":"oU-_9"}"#).unwrap(),
            r#"{"openid":"o1","scope":"snsapi_login"}"#
        );
        // A nickname that looks like one is escaped, and stays.
        let odd = r#"{"nickname":",\"unionid\":\"x","privilege":[],"unionid":"oU"}"#;
        assert_eq!(
            cut(odd).unwrap(),
            r#"{"nickname":",\"unionid\":\"x","privilege":[]}"#
        );
        for other in [
            r#"{"openid":"o1"}"#,
            r#"{"errcode":40029,"errmsg":"invalid code"}"#,
            r#"{"nickname":",\"unionid\":\"x"}"#,
            r#"{"a":{"openid":"o","unionid":"x"}}"#,
            "",
        ] {
            assert_eq!(cut(other), None, "{other}");
        }
        assert_eq!(without_unionid(&[0xff]), None);
    }
}
