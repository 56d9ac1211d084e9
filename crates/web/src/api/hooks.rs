//! What others tell: the upstream of its users, SMS gateways of their messages. Who is not believed
//! hears 401 and nothing else.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request as HttpRequest;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use yufu_core::engine::login::{Pushed, PushedEvent, PushedKind};
use yufu_core::login::LoginStop;
use yufu_core::refusal::Fault;
use yufu_core::secret::SecretHash;
use yufu_core::time::Timestamp;
use yufu_dialects::http::{Params, Request};
use yufu_dialects::sms::{MAX_SMS_BYTES, SmsError, SmsReceipt, aliyun, tencent, webhook};
use yufu_dialects::wechat::push::{
    MAX_PUSH_BYTES, PUSH_ANSWER, Push, PushKind, open, open_plain, verify_url,
};

use super::house::{LoginHouse, ReceiptKind};
use super::plain;
use crate::{fault, form};

const EVENTS: &str = "/hooks/wechat/events";
const RECEIPTS: &str = "/hooks/sms/{gateway}";
const TEXT: &str = "text/plain; charset=utf-8";

/// Nothing is said about what was wrong: a forger learns nothing.
fn refused(house: &LoginHouse, place: &'static str) -> Response {
    house.metrics.answer(place, "refused");
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response
}

/// A fault of ours: whoever tells it again is heard then.
fn failed(house: &LoginHouse, place: &'static str, fault: &Fault) -> Response {
    house.metrics.answer(place, "fault");
    fault::note(&house.engine, &house.metrics, place, fault);
    plain(StatusCode::SERVICE_UNAVAILABLE, TEXT, String::new())
}

fn query(request: &HttpRequest) -> &str {
    let query = request.uri().query().unwrap_or("");
    query.get(..query.len().min(form::MAX_TARGET)).unwrap_or("")
}

fn params(query: &str) -> Params {
    Request::get("", query).params()
}

/// The upstream's check of the address.
pub(crate) async fn echo(house: Arc<LoginHouse>, request: HttpRequest) -> Response {
    let params = params(query(&request));
    let get = |name| params.get(name).unwrap_or("");
    let (timestamp, nonce) = (get("timestamp"), get("nonce"));
    let (echo, signature) = (get("echostr"), get("signature"));
    let known = house
        .front
        .pushes
        .iter()
        .find_map(|keys| verify_url(&keys.token, timestamp, nonce, echo, signature).ok());
    match known {
        Some(echo) if !echo.is_empty() => {
            house.metrics.answer(EVENTS, "ok");
            plain(StatusCode::OK, TEXT, echo.to_owned())
        }
        _ => refused(&house, EVENTS),
    }
}

/// A push.
pub(crate) async fn events(house: Arc<LoginHouse>, request: HttpRequest) -> Response {
    let query = query(&request).to_owned();
    let Ok(body) = form::body_within(request.into_body(), MAX_PUSH_BYTES).await else {
        return refused(&house, EVENTS);
    };
    let Some(push) = believed(&house, &query, &body) else {
        return refused(&house, EVENTS);
    };
    let heard = house.run({
        let house = house.clone();
        async move { hear(&house, &push).await }
    });
    match heard.await {
        Ok(Ok(Pushed::Stale)) => refused(&house, EVENTS),
        Ok(Ok(Pushed::Done | Pushed::Replayed | Pushed::Unknown)) => {
            house.metrics.answer(EVENTS, "ok");
            plain(StatusCode::OK, TEXT, PUSH_ANSWER.to_owned())
        }
        Ok(Err(fault)) => failed(&house, EVENTS, &fault),
        Err(_) => failed(&house, EVENTS, &Fault::new("a handler panicked")),
    }
}

/// The push, when one of our apps agreed on keys that it was made with. The plain mode leaves the
/// body unsigned: whoever saw one push can write another, so it is for development alone.
fn believed(house: &LoginHouse, query: &str, body: &[u8]) -> Option<Push> {
    let sealed = |keys| open(keys, query, body).ok();
    let all = &house.front.pushes;
    all.iter().find_map(sealed).or_else(|| {
        let dev = all.iter().filter(|_| house.front.is_dev);
        dev.into_iter()
            .find_map(|keys| open_plain(&keys.token, &keys.appid, query, body).ok())
    })
}

async fn hear(house: &LoginHouse, push: &Push) -> Result<Pushed, Fault> {
    let event = &push.event;
    let kind = match &event.kind {
        PushKind::AuthorizationRevoked { .. } => PushedKind::Revoked,
        PushKind::AuthorizationCancelled => PushedKind::Cancelled,
        PushKind::InfoModified => PushedKind::ProfileModified,
        PushKind::Other(_) => return Ok(Pushed::Unknown),
    };
    let event = PushedEvent {
        app: &event.appid,
        openid: event.openid.as_ref().map(|openid| openid.as_str()),
        unionid: event.unionid.as_ref().map(|unionid| unionid.as_str()),
        kind,
        nonce: &push.nonce,
        timestamp: push.signed_at.seconds(),
    };
    house.engine.pushed(event, house.clock.now()).await
}

impl ReceiptKind {
    /// Whether the body is the gateway's own. Aliyun and Tencent Cloud sign nothing: the key in
    /// the address is all that they prove.
    fn is_signed(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> bool {
        let Self::Webhook(secret) = self else {
            return true;
        };
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let timestamp = text(webhook::TIMESTAMP_HEADER).unwrap_or("");
        let signature = text(webhook::SIGNATURE_HEADER).unwrap_or("");
        webhook::is_signed(secret, timestamp, signature, body, now)
    }

    fn read(&self, body: &[u8]) -> Result<Vec<SmsReceipt>, SmsError> {
        match self {
            Self::Aliyun => aliyun::read_receipts(body),
            Self::Tencent => tencent::read_receipts(body),
            Self::Webhook(_) => webhook::read_receipts(body),
        }
    }

    /// What the gateway wants to hear; for anything else it sends the batch again.
    const fn thanks(&self) -> &'static str {
        match self {
            Self::Aliyun => "{\"code\":0,\"msg\":\"OK\"}",
            Self::Tencent => "{\"result\":0,\"errmsg\":\"OK\"}",
            Self::Webhook(_) => "{}",
        }
    }
}

/// What became of messages.
pub(crate) async fn receipts(house: Arc<LoginHouse>, request: HttpRequest) -> Response {
    let name = request
        .uri()
        .path()
        .rsplit('/')
        .next()
        .unwrap_or("")
        .to_owned();
    let key = SecretHash::of(params(query(&request)).get("key").unwrap_or("").as_bytes());
    let known = house
        .front
        .arrivals
        .iter()
        .find(|known| known.gateway == name);
    let Some(kind) = known
        .filter(|known| known.key == key)
        .map(|known| known.kind.clone())
    else {
        return refused(&house, RECEIPTS);
    };
    let (parts, body) = request.into_parts();
    let body = form::body_within(body, MAX_SMS_BYTES).await;
    let now = house.clock.now();
    let signed = body
        .ok()
        .filter(|body| kind.is_signed(&parts.headers, body, now));
    let Some(batch) = signed.and_then(|body| kind.read(&body).ok()) else {
        return refused(&house, RECEIPTS);
    };
    for receipt in batch {
        let now = house.clock.now();
        let (id, code) = (receipt.message_id.as_str(), receipt.code.as_str());
        let kept = house
            .engine
            .passcode_receipt(id, receipt.delivered, code, now)
            .await;
        if let Err(LoginStop::Failed(fault)) = kept {
            return failed(&house, RECEIPTS, &fault);
        }
    }
    house.metrics.answer(RECEIPTS, "ok");
    plain(StatusCode::OK, "application/json", kind.thanks().to_owned())
}
