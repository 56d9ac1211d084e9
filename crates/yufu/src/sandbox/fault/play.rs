//! The layer before the platform's router: it lets the faults play that are for a request.
//!
//! In the order of the list. First what happens before the house acts: a wait, another time to be
//! judged by, another state, or an answer in the house's place. Then the house acts. Then what
//! happens to its answer: another one in its place, damage, a callback that goes astray, and at the
//! end a wait or a cut. Of several answers in the house's place the first one counts.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use yufu_core::time::{Lifetime, Timestamp};
use yufu_dialects::http::Stamp;
use yufu_dialects::wechat;
use yufu_web::clock::Turned;

use super::edit::Edit;
use super::scene::Scene;
use super::spot::Spot;
use super::{Armed, Death, Kind, When, callback};
use crate::listen::Cut;
use crate::sandbox::span;
use crate::sandbox::state::Sandbox;
use crate::sandbox::tap::Played;

/// Puts the faults before the platform's router.
pub(in crate::sandbox) fn around(router: Router, sandbox: &Arc<Sandbox>) -> Router {
    let sandbox = sandbox.clone();
    router.layer(from_fn(move |request, next| {
        play(sandbox.clone(), request, next)
    }))
}

async fn play(sandbox: Arc<Sandbox>, request: Request, next: Next) -> Response {
    let desk = &sandbox.faults;
    // A HEAD is answered without a body: there is nothing to damage.
    if desk.is_quiet() || request.method() == Method::HEAD {
        return next.run(request).await;
    }
    let Some((path, spot)) = Spot::of(request.uri().path()) else {
        return next.run(request).await;
    };
    let armed = desk.at(path);
    if armed.is_empty() {
        return next.run(request).await;
    }
    let played = request.extensions().get::<Played>();
    let stage = Stage {
        spot,
        armed,
        played: played.cloned().unwrap_or_default(),
    };
    let cookies = request.headers().clone();
    let (scene, mut request) = Scene::read(&sandbox, request).await;
    let before = stage.before(&scene).await;
    if let Some(state) = &before.state {
        callback::restate(&mut request, state.as_deref());
    }
    if before.turned != NONE {
        request.extensions_mut().insert(Turned(before.turned));
    }
    tokio::time::sleep(before.wait).await;
    let mut response = match before.instead {
        Some(instead) => instead.answer(&scene, before.turned),
        None => next.run(request).await,
    };
    if response.extensions().get::<Cut>().is_some() {
        return response;
    }
    if let Some(skew) = before.skew {
        let now = sandbox.clock.now().plus(skew);
        if let Ok(date) = HeaderValue::try_from(http_date(now)) {
            response.headers_mut().insert(header::DATE, date);
        }
    }
    if Spot::CALLBACK.contains(&spot) {
        response = callback::astray(&scene, &stage, &cookies, response).await;
    }
    stage.after(&scene, response).await
}

const NONE: Lifetime = Lifetime::from_millis(0);

/// The faults that may play on a request, and where they are noted.
pub(super) struct Stage {
    pub(super) spot: Spot,
    pub(super) armed: Vec<Arc<Armed>>,
    played: Played,
}

/// What happens before the house acts.
#[derive(Default)]
struct Before {
    wait: Duration,
    turned: Lifetime,
    /// How far the clock is off that the answer shows.
    skew: Option<Lifetime>,
    /// The state that goes to the house in the place of the app's; none at all for `Some(None)`.
    state: Option<Option<String>>,
    instead: Option<Instead>,
}

/// An answer in the house's place.
enum Instead {
    Errcode(i32, Option<String>),
    Status(StatusCode),
    Page,
    Cut,
}

/// What a fault does.
enum Act {
    Wait(When, Duration),
    Instead(When, Instead),
    /// Judged by the end of what the request brings.
    ToTheEnd,
    Skew(Lifetime),
    State(Option<String>),
    Edit(Edit),
    Retype(String),
    /// What happens to callbacks; see [`callback`].
    Callback,
}

impl Act {
    fn of(kind: &Kind) -> Self {
        let errcode = |code| Self::Instead(When::Before, Instead::Errcode(code, None));
        match kind {
            Kind::Errcode { code, text, when } => {
                Self::Instead(*when, Instead::Errcode(*code, text.clone()))
            }
            Kind::Slow { ms, when } => Self::Wait(*when, Duration::from_millis(*ms)),
            Kind::Drop { when } => Self::Instead(*when, Instead::Cut),
            Kind::Status { status, when } => {
                let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY);
                Self::Instead(*when, Instead::Status(status))
            }
            Kind::Html { when } => Self::Instead(*when, Instead::Page),
            Kind::Truncated { bytes } => Self::Edit(Edit::Truncated(*bytes)),
            Kind::ContentType { kind } => Self::Retype(kind.clone()),
            Kind::ErrcodeZero {} => Self::Edit(Edit::ErrcodeZero),
            Kind::Extra { field, value } => Self::Edit(Edit::Extra(field.clone(), value.clone())),
            Kind::Missing { field } => Self::Edit(Edit::Missing(field.clone())),
            Kind::Duplicate { field, value } => {
                Self::Edit(Edit::Duplicate(field.clone(), value.clone()))
            }
            Kind::Strings {} => Self::Edit(Edit::Strings),
            Kind::OtherOpenid {} => Self::Edit(Edit::OtherOpenid),
            Kind::Mojibake { how } => Self::Edit(Edit::Mojibake(*how)),
            Kind::CodeExpired {} | Kind::AccessExpired {} | Kind::ScanExpired {} => Self::ToTheEnd,
            Kind::RefreshDead {
                how: Death::Expired,
            } => Self::ToTheEnd,
            Kind::RefreshDead {
                how: Death::Revoked,
            } => errcode(40030),
            Kind::UserinfoDenied {} => errcode(48001),
            Kind::ClockSkew { by } => Self::Skew(span::read(by).unwrap_or_default()),
            Kind::OtherState { state } => Self::State(Some(state.clone())),
            Kind::NoState {} => Self::State(None),
            Kind::CallbackTwice { .. } | Kind::OtherCode { .. } => Self::Callback,
        }
    }
}

impl Stage {
    /// Takes one of a fault's times and notes that it played.
    pub(super) fn claim(&self, armed: &Armed) -> bool {
        let claimed = armed.claim();
        if claimed {
            self.played.add(armed.fault.kind.row().word);
        }
        claimed
    }

    async fn before(&self, scene: &Scene) -> Before {
        let mut before = Before::default();
        for armed in &self.armed {
            let act = Act::of(&armed.fault.kind);
            let is_now = match &act {
                Act::Wait(when, _) => *when == When::Before,
                Act::Instead(when, _) => *when == When::Before && before.instead.is_none(),
                Act::ToTheEnd => scene.to_the_end().await.is_some(),
                Act::Skew(_) => true,
                Act::State(_) => before.state.is_none(),
                Act::Edit(_) | Act::Retype(_) | Act::Callback => false,
            };
            if !is_now || !scene.suits(armed).await || !self.claim(armed) {
                continue;
            }
            match act {
                Act::Wait(_, wait) => before.wait += wait,
                Act::Instead(_, instead) => before.instead = Some(instead),
                Act::ToTheEnd => {
                    let end = scene.to_the_end().await.unwrap_or(NONE);
                    before.turned = sum(before.turned, end);
                }
                Act::Skew(by) => {
                    before.turned = sum(before.turned, by);
                    before.skew = Some(sum(before.skew.unwrap_or(NONE), by));
                }
                Act::State(state) => before.state = Some(state),
                Act::Edit(_) | Act::Retype(_) | Act::Callback => {}
            }
        }
        before
    }

    async fn after(&self, scene: &Scene, mut response: Response) -> Response {
        let mut wait = Duration::ZERO;
        let mut is_instead = false;
        for armed in &self.armed {
            let act = Act::of(&armed.fault.kind);
            let is_now = match &act {
                Act::Wait(when, _) => *when == When::After,
                Act::Instead(when, _) => *when == When::After && !is_instead,
                Act::Edit(_) => !is_instead && self.spot.is_json(),
                Act::Retype(_) => true,
                Act::ToTheEnd | Act::Skew(_) | Act::State(_) | Act::Callback => false,
            };
            if !is_now || !scene.suits(armed).await {
                continue;
            }
            if let Act::Edit(edit) = act {
                // Only what can be damaged counts as played.
                response = self.edit(armed, &edit, response).await;
                continue;
            }
            if !self.claim(armed) {
                continue;
            }
            match act {
                Act::Wait(_, more) => wait += more,
                Act::Instead(_, instead) => {
                    is_instead = true;
                    response = instead.answer(scene, NONE);
                }
                Act::Retype(kind) => {
                    if let Ok(kind) = HeaderValue::try_from(kind) {
                        response.headers_mut().insert(header::CONTENT_TYPE, kind);
                    }
                }
                Act::Edit(_) | Act::ToTheEnd | Act::Skew(_) | Act::State(_) | Act::Callback => {}
            }
        }
        tokio::time::sleep(wait).await;
        response
    }

    /// Damages an answer.
    async fn edit(&self, armed: &Armed, edit: &Edit, response: Response) -> Response {
        let (body, response) = body_of(response).await;
        let edited = edit.apply(&body);
        match edited.filter(|_| self.claim(armed)) {
            Some(edited) => with_body(response, edited.into()),
            None => with_body(response, body),
        }
    }
}

/// Takes the body out of an answer of ours, which lies in memory.
pub(super) async fn body_of(response: Response) -> (Bytes, Response) {
    let (parts, body) = response.into_parts();
    let in_memory = body.size_hint().exact().is_some();
    let (taken, left) = if in_memory {
        let taken = body.collect().await.map(|whole| whole.to_bytes());
        (taken.unwrap_or_default(), Body::empty())
    } else {
        (Bytes::new(), body)
    };
    (taken, Response::from_parts(parts, left))
}

/// Puts a body into an answer; its length is told anew.
pub(super) fn with_body(mut response: Response, body: Bytes) -> Response {
    response.headers_mut().remove(header::CONTENT_LENGTH);
    *response.body_mut() = Body::from(body);
    response
}

fn sum(a: Lifetime, b: Lifetime) -> Lifetime {
    Lifetime::from_millis(a.millis().saturating_add(b.millis()))
}

impl Instead {
    fn answer(self, scene: &Scene, turned: Lifetime) -> Response {
        let house = &scene.sandbox.house;
        match self {
            Self::Errcode(code, text) => {
                let stamp = Stamp {
                    now: house.clock.now().plus(turned),
                    noise: house.engine.noise(),
                };
                yufu_web::answer(wechat::errcode(&scene.asked, &stamp, code, text.as_deref()))
            }
            Self::Status(status) => page(status, &format!("{}", status)),
            Self::Page => page(StatusCode::OK, "The service is being looked after"),
            Self::Cut => {
                let mut response = Response::new(Body::empty());
                response.extensions_mut().insert(Cut);
                response
            }
        }
    }
}

/// A page as machines between an app and the platform say it.
fn page(status: StatusCode, words: &str) -> Response {
    let text = format!(
        "<!DOCTYPE html>\n<html>\n<head><title>{words}</title></head>\n\
         <body>\n<h1>{words}</h1>\n<hr><p>gateway</p>\n</body>\n</html>\n"
    );
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/html");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// A moment as HTTP writes it (RFC 9110 §5.6.7).
fn http_date(at: Timestamp) -> String {
    let seconds = u64::try_from(at.seconds()).unwrap_or(0);
    // The year 9999 is the last that has four digits.
    let seconds = seconds.min(253_402_300_799);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}
