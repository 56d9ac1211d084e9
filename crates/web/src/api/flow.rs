//! Browsers: sent to the upstream, taken back from it. They use the calls of the table as apps do;
//! only what they hear is a page or an address.

use std::sync::Arc;

use axum::extract::Request as HttpRequest;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use yufu_core::identity::UpstreamKind;
use yufu_core::login::{Device, LoginRefusal, LoginStop, Purpose};
use yufu_dialects::http::{Params, Request};

use super::cookies::{self, Role};
use super::exchange::{self, Coming};
use super::read::{Ask, Caller};
use super::{Good, LoginHouse, Said, envelope, pages, wechat};
use crate::house::Peer;
use crate::pages::{Guard, go, html};
use crate::view::{ErrorPage, Lang, Trouble};
use crate::{fault, form};

/// Where a browser goes that was told no place.
pub(crate) const HOME: &str = "/login";
pub(crate) const LEAVE: &str = "/login/wechat";
/// Where a phone number is bound, in a house without a page of its own for it.
pub(crate) const BIND: &str = "/login/bind";
/// What the browser of the platform's own client calls itself.
const CLIENT: &str = "MicroMessenger";

/// A browser that came.
pub(crate) struct Visit {
    pub(crate) house: Arc<LoginHouse>,
    pub(crate) caller: Caller,
    pub(crate) query: Params,
    in_client: bool,
    /// The path and query, for a link that tries again.
    here: String,
}

impl Visit {
    pub(crate) fn read(house: &Arc<LoginHouse>, request: &HttpRequest) -> Self {
        let peer = request.extensions().get::<Peer>();
        let mut caller = Caller::read(house, request.headers(), peer);
        let query = request.uri().query().unwrap_or("");
        let query = query.get(..query.len().min(form::MAX_TARGET)).unwrap_or("");
        let query = Request::get("", query).params();
        if let Some(lang) = query.get("lang").and_then(Lang::from_param) {
            caller.lang = lang;
        }
        // Whoever loads a page is a browser, whatever it tells of itself.
        caller.is_browser = true;
        let agent = request.headers().get(header::USER_AGENT);
        let agent = agent.and_then(|agent| agent.to_str().ok()).unwrap_or("");
        let here = request
            .uri()
            .path_and_query()
            .map_or("", |here| here.as_str());
        Self {
            house: house.clone(),
            query,
            in_client: agent.contains(CLIENT),
            here: here.to_owned(),
            caller,
        }
    }

    /// The same browser, after something was done in its name.
    pub(crate) fn again(house: Arc<LoginHouse>, caller: Caller) -> Self {
        Self {
            house,
            caller,
            query: Params::default(),
            in_client: false,
            here: String::new(),
        }
    }

    /// A parameter of the address; empty for none.
    pub(crate) fn asked(&self, name: &str) -> &str {
        self.query.get(name).unwrap_or("")
    }

    /// Where the browser wants to go, checked; home when it does not say.
    ///
    /// # Errors
    /// [`LoginRefusal::BadRequest`] for a place that is not ours to send people to.
    pub(crate) fn return_to(&self) -> Result<&str, LoginRefusal> {
        match self.asked("return_to") {
            "" => Ok(HOME),
            address => {
                let checked = self.house.front.checked_return(address);
                checked.ok_or(LoginRefusal::BadRequest { field: "return_to" })
            }
        }
    }

    fn device(&self) -> Device<'_> {
        Device {
            secret: self.caller.cookies.get(Role::Device),
            id: "",
            platform: "web",
            address: &self.caller.address,
        }
    }
}

/// An address with one more parameter in its query.
pub(crate) fn with_param(address: &str, name: &str, value: &str) -> String {
    let (before, fragment) = match address.find('#') {
        Some(at) => address.split_at(at),
        None => (address, ""),
    };
    let mark = if before.contains('?') { '&' } else { '?' };
    let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
    format!("{before}{mark}{name}={value}{fragment}")
}

/// The cookies of a call, on what the browser gets.
pub(crate) fn with_cookies(mut response: Response, cookies: Vec<HeaderValue>) -> Response {
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// The page of something that did not go through.
pub(crate) fn stopped(
    house: &LoginHouse,
    place: &'static str,
    lang: Lang,
    stop: LoginStop,
    back: Option<String>,
) -> Response {
    let refusal = match stop {
        LoginStop::Refused(refusal) => refusal,
        LoginStop::Failed(fault) => {
            house.metrics.answer(place, "fault");
            let incident = fault::note(&house.engine, &house.metrics, place, &fault);
            return crate::pages::busy(lang, incident);
        }
    };
    house.metrics.answer(place, refusal.name());
    let trouble = match refusal {
        LoginRefusal::StateInvalid | LoginRefusal::TicketInvalid => Trouble::Expired,
        LoginRefusal::RateLimited { .. } => Trouble::TooOften,
        LoginRefusal::Disabled | LoginRefusal::UpstreamRestricted => Trouble::Restricted,
        LoginRefusal::UpstreamBusy { .. } => Trouble::Busy,
        _ => Trouble::App,
    };
    let page = ErrorPage {
        text: super::text::to_person(&refusal, lang),
        number: Some(i32::from(refusal.code())),
        back_href: back,
        ..ErrorPage::new(lang, trouble)
    };
    html(
        envelope::status(refusal.code()),
        page.render(),
        Guard::LEADS_ON,
    )
}

/// `/`: every page has a way home.
pub(crate) async fn home(_: Arc<LoginHouse>, _: HttpRequest) -> Response {
    go(HOME)
}

/// `/login/wechat`: to the upstream.
pub(crate) async fn leave(house: Arc<LoginHouse>, request: HttpRequest) -> Response {
    let visit = Visit::read(&house, &request);
    let lang = visit.caller.lang;
    let back = visit
        .return_to()
        .ok()
        .map(|to| with_param(HOME, "return_to", to));
    match depart(visit).await {
        Ok((address, good)) => {
            house.metrics.answer(LEAVE, "ok");
            with_cookies(go(&address), good.cookies)
        }
        Err(stop) => stopped(&house, LEAVE, lang, stop, back),
    }
}

async fn depart(visit: Visit) -> Result<(String, Good), LoginStop> {
    let return_to = visit.return_to()?.to_owned();
    let app = match visit.asked("app") {
        "" => fitting_app(&visit).ok_or(LoginRefusal::BadRequest { field: "app" })?,
        name => name.to_owned(),
    };
    let consent = visit.asked("consent_version").to_owned();
    let fields = [
        ("app", app.as_str()),
        ("mode", "web"),
        ("platform", "web"),
        ("consent_version", &consent),
        ("return_to", &return_to),
    ];
    let ask = Ask::inside(visit.house, visit.caller, &fields);
    let good = wechat::prepare(ask).await?;
    let address = good.data.get("authorize_url").and_then(Value::as_str);
    let address = address
        .ok_or(LoginRefusal::BadRequest { field: "app" })?
        .to_owned();
    Ok((address, good))
}

/// The app whose page this browser can show: the in-client one inside the platform's client, the
/// QR page elsewhere.
fn fitting_app(visit: &Visit) -> Option<String> {
    let (first, second) = if visit.in_client {
        (UpstreamKind::WechatService, UpstreamKind::WechatWebsite)
    } else {
        (UpstreamKind::WechatWebsite, UpstreamKind::WechatService)
    };
    let apps = &visit.house.engine.login().apps;
    let of = |kind| apps.iter().find(|app| app.kind == kind);
    of(first).or_else(|| of(second)).map(|app| app.name.clone())
}

/// `/login/wechat/callback`: back from there.
pub(crate) async fn back(house: Arc<LoginHouse>, request: HttpRequest) -> Response {
    let visit = Visit::read(&house, &request);
    let (lang, here) = (visit.caller.lang, visit.here.clone());
    let (code, state) = (
        visit.asked("code").to_owned(),
        visit.asked("state").to_owned(),
    );
    let now = visit.caller.now;
    let device = visit
        .caller
        .cookies
        .get(Role::Device)
        .unwrap_or_default()
        .to_owned();
    let engine = &house.engine;
    let (purpose, return_to) = match engine.transaction_return(&state, visit.device(), now).await {
        Ok(found) => found,
        Err(stop) => return stopped(&house, wechat::CALLBACK, lang, stop, Some(HOME.to_owned())),
    };
    let return_to = return_to.unwrap_or_else(|| HOME.to_owned());
    if code.is_empty() {
        // Whether it is closed or was over already: the user said no.
        let _ = engine
            .close_transaction(&state, "denied", visit.device(), now)
            .await;
        house.metrics.answer(wechat::CALLBACK, "denied");
        return go(&with_param(&return_to, "error", "denied"));
    }
    let fields = [
        ("code", code.as_str()),
        ("state", state.as_str()),
        ("platform", "web"),
    ];
    let ask = Ask::inside(visit.house, visit.caller, &fields);
    let work = house.run(async move {
        match purpose {
            Purpose::Login => (wechat::login(ask).await, None),
            Purpose::Link | Purpose::Reauth | Purpose::Delete => proved(ask, purpose).await,
        }
    });
    let (said, to) = match work.await {
        Ok(done) => done,
        Err(_) => (
            Err(yufu_core::refusal::Fault::new("a handler panicked").into()),
            None,
        ),
    };
    match said {
        Ok(good) => {
            house.metrics.answer(wechat::CALLBACK, "ok");
            arrived(&house, good, to.as_deref().unwrap_or(&return_to))
        }
        Err(LoginStop::Refused(refusal)) if pages::is_question(&refusal) => {
            house.metrics.answer(wechat::CALLBACK, refusal.name());
            pages::question(&house, lang, &refusal, &device, &return_to)
        }
        Err(stop) => {
            // A busy upstream did not spend the code: the same address may be opened again.
            let is_busy = matches!(&stop, LoginStop::Refused(LoginRefusal::UpstreamBusy { .. }));
            let again = if is_busy {
                here
            } else {
                with_param(HOME, "return_to", &return_to)
            };
            stopped(&house, wechat::CALLBACK, lang, stop, Some(again))
        }
    }
}

/// A proof for something else than logging in; where the browser goes, when that is not where it
/// wanted to.
async fn proved(ask: Ask, purpose: Purpose) -> (Said, Option<String>) {
    match prove(&ask, purpose).await {
        Ok(to) => (Ok(Good::default()), to),
        Err(stop) => (Err(stop), None),
    }
}

async fn prove(ask: &Ask, purpose: Purpose) -> Result<Option<String>, LoginStop> {
    let ticket = ask.caller.cookies.get(Role::Bind);
    let ticket = ticket.filter(|_| purpose == Purpose::Reauth);
    let who = match ask.maybe_who().await {
        Ok(who) => who,
        // An old session says nothing about whoever is on the way into another one.
        Err(_) if ticket.is_some() => None,
        Err(stop) => return Err(stop),
    };
    let purposes: &'static [Purpose] = match purpose {
        Purpose::Link => &[Purpose::Link],
        _ => &[Purpose::Reauth, Purpose::Delete],
    };
    let (code, state) = (ask.body.text("code"), ask.body.text("state"));
    let coming = |user| Coming::of(ask, purposes, code, state, user);
    let engine = &ask.house.engine;
    if let Some(who) = who {
        if purpose == Purpose::Link {
            // Before the code is spent on it.
            engine.may_link(&who, ask.house.clock.now()).await?;
        }
        match exchange::proved(&ask.house, coming(Some(who.user))).await {
            // It was begun without the session: nothing was spent.
            Err(LoginStop::Refused(LoginRefusal::StateInvalid)) if ticket.is_some() => {}
            proved => {
                let (proved, now) = (proved?, ask.house.clock.now());
                match purpose {
                    Purpose::Link => engine.link(&who, &proved, now).await?,
                    _ => engine.prove_identity(&who, &proved, now).await?,
                }
                return Ok(None);
            }
        }
    }
    // Whoever replaces a login proves the old one on the way (PHO-07).
    let ticket = ticket.ok_or(LoginRefusal::SessionInvalid)?;
    let proved = exchange::proved(&ask.house, coming(None)).await?;
    let now = ask.house.clock.now();
    engine
        .prove_other(ticket, &proved, ask.device(), now)
        .await?;
    Ok(Some(bind_address(&ask.house, None)))
}

/// Where a phone number is bound.
fn bind_address(house: &LoginHouse, return_to: Option<&str>) -> String {
    let at = match house.front.bind_url.as_str() {
        "" => BIND,
        url => url,
    };
    match return_to {
        Some(to) => with_param(at, "return_to", to),
        None if at == BIND => with_param(BIND, "step", "replace"),
        None => at.to_owned(),
    }
}

/// On, with the session; or to where a phone number is bound, with the ticket.
pub(crate) fn arrived(house: &LoginHouse, good: Good, return_to: &str) -> Response {
    let ticket = good.data.get("bind_ticket").and_then(Value::as_str);
    let Some(ticket) = ticket else {
        return with_cookies(go(return_to), good.cookies);
    };
    let life = house.engine.login().ticket_life;
    let cookie = cookies::set(&house.front, Role::Bind, ticket, life);
    let mut response = go(&bind_address(house, Some(return_to)));
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_stands_before_the_fragment() {
        for (address, expected) in [
            ("/a", "/a?error=denied"),
            ("/a?b=c", "/a?b=c&error=denied"),
            (
                "https://app.example.com/#/x?y",
                "https://app.example.com/?error=denied#/x?y",
            ),
        ] {
            assert_eq!(with_param(address, "error", "denied"), expected);
        }
        assert_eq!(
            with_param("/a", "to", "/b?c=d&e#f"),
            "/a?to=%2Fb%3Fc%3Dd%26e%23f"
        );
    }
}
