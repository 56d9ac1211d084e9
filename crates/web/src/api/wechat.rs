//! Logging in with WeChat: beginning, the code that comes back, binding, choosing, coming again.

use serde_json::{Value, json};
use yufu_core::engine::login::{
    BindRequest, BindStep, Outcome, PhoneProof, PrepareRequest, RelogBy, RelogDone, RelogRequest,
    RelogStep,
};
use yufu_core::identity::{Provider, UpstreamApp, UpstreamKind};
use yufu_core::login::{LoggedIn, LoginAnswer, LoginRefusal, LoginStop, Mode, Prepared, Purpose};
use yufu_core::scope::{LOGIN, Scopes, USERINFO};
use yufu_core::secret::Secret;
use yufu_core::user::Phone;
use yufu_dialects::wechat::call::Ask as Question;

use super::cookies::{self, DEVICE_LIFE, Role};
use super::envelope::put;
use super::exchange::{self, Coming};
use super::phone;
use super::read::{Ask, Proof};
use super::{Good, LoginHouse, Said, account};

/// The path that an upstream sends browsers back to.
pub(crate) const CALLBACK: &str = "/login/wechat/callback";

fn bad(field: &'static str) -> LoginStop {
    LoginRefusal::BadRequest { field }.into()
}

/// What an app of this kind asks for.
pub(crate) const fn scope(kind: UpstreamKind) -> &'static str {
    match kind {
        UpstreamKind::WechatWebsite => LOGIN,
        UpstreamKind::WechatMobile | UpstreamKind::WechatService => USERINFO,
        UpstreamKind::WechatMini => "",
    }
}

/// Where a browser meets the upstream of an app; `None` where no browser does.
pub(crate) fn authorize_url(house: &LoginHouse, app: &UpstreamApp, state: &str) -> Option<String> {
    let is_web = matches!(
        app.kind,
        UpstreamKind::WechatWebsite | UpstreamKind::WechatService
    );
    let access = house.upstreams.access(&app.name).filter(|_| is_web)?;
    Some(access.upstream.authorize_url(&Question {
        redirect: format!("{}{CALLBACK}", house.front.public_url),
        scopes: Scopes::of(&[scope(app.kind)]),
        state: Some(state.to_owned()),
        challenge: None,
        force_consent: false,
        native: None,
    }))
}

pub(crate) async fn prepare(ask: Ask) -> Said {
    let purpose = match ask.body.some("purpose") {
        None => Purpose::Login,
        Some(word) => Purpose::parse(word).ok_or_else(|| bad("purpose"))?,
    };
    let mode = match ask.body.some("mode") {
        None => Mode::App,
        Some(word) => Mode::parse(word).ok_or_else(|| bad("mode"))?,
    };
    let return_to = match ask.body.some("return_to") {
        None => None,
        Some(address) => {
            let checked = ask.house.front.checked_return(address);
            Some(checked.ok_or_else(|| bad("return_to"))?)
        }
    };
    let app = ask.body.text("app");
    // A browser cannot go to an app that has no page for it.
    let known = ask.house.engine.upstream_app(Some(app))?;
    let fits = match mode {
        Mode::App => true,
        Mode::Qr => known.kind == UpstreamKind::WechatWebsite,
        Mode::Web => authorize_url(&ask.house, known, "").is_some(),
    };
    if !fits {
        return Err(bad("mode"));
    }
    // Who logs in may well have an old session at hand: it says nothing here.
    let who = match purpose {
        Purpose::Login => None,
        Purpose::Link | Purpose::Reauth | Purpose::Delete => ask.maybe_who().await?,
    };
    let request = PrepareRequest {
        purpose,
        app,
        mode,
        consent: ask.body.text("consent_version"),
        device: ask.device(),
        user: who.map(|who| who.user),
        return_to,
    };
    let prepared = ask.house.engine.prepare(request, ask.now()).await?;
    let good = Good::data(prepared_data(&ask.house, &prepared));
    Ok(with_device(&ask, good, prepared.device_secret.as_ref()))
}

fn prepared_data(house: &LoginHouse, prepared: &Prepared) -> Value {
    let app = &prepared.app;
    let state = prepared.state.expose();
    let mut data = json!({
        "state": state,
        "app": app.name,
        "appid": app.appid.as_str(),
        "kind": app.kind.word(),
        "scope": scope(app.kind),
        "expires_in": prepared.life.as_seconds(),
    });
    let url = authorize_url(house, app, state);
    put(
        &mut data,
        "qr_url",
        url.clone().filter(|_| prepared.mode == Mode::Qr),
    );
    put(&mut data, "authorize_url", url);
    put(
        &mut data,
        "device_secret",
        prepared.device_secret.as_ref().map(Secret::expose),
    );
    data
}

/// A device secret that was drawn goes into the browser's cookie too.
pub(crate) fn with_device(ask: &Ask, good: Good, drawn: Option<&Secret>) -> Good {
    match drawn {
        Some(drawn) if ask.wants_cookies() => {
            let front = &ask.house.front;
            good.cookie(cookies::set(
                front,
                Role::Device,
                drawn.expose(),
                DEVICE_LIFE,
            ))
        }
        _ => good,
    }
}

/// The secrets of a session go into the browser's cookies too, and what it was bound with out.
pub(crate) fn with_session(ask: &Ask, data: Value, done: &LoggedIn) -> Good {
    let good = Good::data(data);
    if !ask.wants_cookies() {
        return good;
    }
    session_cookies(&ask.house, done)
        .into_iter()
        .fold(good, Good::cookie)
}

/// The cookies of a session that began.
pub(crate) fn session_cookies(house: &LoginHouse, done: &LoggedIn) -> Vec<axum::http::HeaderValue> {
    let (front, login) = (&house.front, house.engine.login());
    let pair = &done.pair;
    vec![
        cookies::set(
            front,
            Role::Session,
            pair.token.expose(),
            login.session_absolute,
        ),
        cookies::set(
            front,
            Role::Refresh,
            pair.refresh_token.expose(),
            login.session_absolute,
        ),
        cookies::forget(front, Role::Bind),
    ]
}

pub(crate) async fn close(ask: Ask) -> Said {
    let (state, reason) = (ask.body.text("state"), ask.body.text("reason"));
    let engine = &ask.house.engine;
    engine
        .close_transaction(state, reason, ask.device(), ask.now())
        .await?;
    Ok(Good::default())
}

pub(crate) async fn login(ask: Ask) -> Said {
    let (code, state) = (ask.body.text("code"), ask.body.text("state"));
    let coming = Coming::of(&ask, &[Purpose::Login], code, state, None);
    match exchange::outcome(&ask.house, coming).await? {
        Outcome::Login(LoginAnswer::Bound(done)) => {
            Ok(with_session(&ask, exchange::logged_in(&done), &done))
        }
        Outcome::Login(LoginAnswer::Unbound {
            bind_ticket,
            profile,
            upstream_token,
        }) => {
            let mut data = json!({
                "token": "",
                "is_bind": false,
                "bind_ticket": bind_ticket.expose(),
                "profile": exchange::profile(profile.as_ref()),
            });
            put(
                &mut data,
                "access_token",
                upstream_token.as_ref().map(Secret::expose),
            );
            Ok(Good::data(data))
        }
        Outcome::Proved(_) => Err(LoginRefusal::StateInvalid.into()),
    }
}

pub(crate) async fn bind(ask: Ask) -> Said {
    let ticket = ask
        .secret("bind_ticket", Role::Bind)
        .ok_or_else(|| bad("bind_ticket"))?;
    let typed = ask.body.phone()?;
    let engine = &ask.house.engine;
    if let Some(done) = engine
        .bound_before(ticket, typed.as_ref(), ask.device(), ask.key(), ask.now())
        .await?
    {
        return Ok(with_session(&ask, exchange::logged_in(&done), &done));
    }
    match ask.body.proof() {
        Some(Proof::Upstream { code, state }) => {
            // Whoever replaces a login proves the old one without being logged in (PHO-07).
            let coming = Coming::of(&ask, &[Purpose::Reauth], code, state, None);
            let proved = exchange::proved(&ask.house, coming).await?;
            engine
                .prove_other(ticket, &proved, ask.device(), ask.now())
                .await?;
        }
        Some(Proof::Passcode(_)) => return Err(bad("proof")),
        None => {}
    }
    let (phone, proof) = phone::proof(&ask, typed).await?;
    let done = bound(&ask, ticket, phone.as_ref(), proof).await?;
    Ok(with_session(&ask, exchange::logged_in(&done), &done))
}

/// Binds, asking the carrier about the number's past where the engine wants to know.
async fn bound(
    ask: &Ask,
    ticket: &str,
    phone: Option<&Phone>,
    proof: PhoneProof<'_>,
) -> Result<LoggedIn, LoginStop> {
    let mut request = BindRequest {
        ticket,
        phone,
        proof,
        confirm: ask.body.flag("confirm"),
        fresh: ask.body.flag("fresh"),
        replace: ask.body.flag("replace"),
        reissued: None,
        device: ask.device(),
        key: ask.key(),
    };
    loop {
        let now = ask.house.clock.now();
        match ask.house.engine.bind(request, now).await? {
            BindStep::Done(done) => return Ok(done),
            BindStep::AskCarrier { phone, since } => {
                request.reissued = Some(phone::reissued(&ask.house, &phone, since).await);
            }
        }
    }
}

pub(crate) async fn merge(ask: Ask) -> Said {
    let (ticket, keep) = (ask.body.text("merge_ticket"), ask.body.text("keep"));
    let engine = &ask.house.engine;
    let done = engine
        .choose(ticket, keep, ask.device(), ask.key(), ask.now())
        .await?;
    Ok(with_session(&ask, exchange::logged_in(&done), &done))
}

pub(crate) async fn relogin(ask: Ask) -> Said {
    let by = if let Some(token) = ask.body.some("access_token") {
        RelogBy::Upstream {
            access_token: token,
        }
    } else if let Some(token) = ask.body.some("refresh_token") {
        RelogBy::Refresh(token)
    } else {
        RelogBy::Token(ask.token().unwrap_or_default())
    };
    let request = RelogRequest {
        by,
        device: ask.device(),
    };
    let house = &ask.house;
    let now = || house.clock.now();
    let mut step = house.engine.relogin_begin(request, now()).await?;
    // Checked, renewed, and checked once more: no path is longer.
    for _ in 0..4 {
        step = match step {
            RelogStep::Done(done) => return Ok(let_in(&ask, done)),
            RelogStep::Check(ticket) => {
                let upstreams = &house.upstreams;
                let heard = upstreams
                    .check(&ticket.app, &ticket.token, &ticket.openid, &now)
                    .await;
                house.engine.relogin_checked(ticket, heard, now()).await?
            }
            RelogStep::Refresh(ticket) => {
                let upstreams = &house.upstreams;
                let heard = upstreams
                    .refresh(&ticket.app, &ticket.token, &ticket.openid, &now)
                    .await;
                house.engine.relogin_refreshed(ticket, heard, now()).await?
            }
        };
    }
    match step {
        RelogStep::Done(done) => Ok(let_in(&ask, done)),
        _ => Err(LoginRefusal::Conflict.into()),
    }
}

fn let_in(ask: &Ask, done: RelogDone) -> Good {
    match done {
        RelogDone::LoggedIn(done) => with_session(ask, exchange::logged_in(&done), &done),
        RelogDone::Standing {
            session,
            unverified,
        } => {
            let mut data = json!({
                "token": ask.token().unwrap_or_default(),
                "expires_in": session.expires_at.since(ask.now()).as_seconds(),
                "uid": session.user.to_string(),
                "is_bind": session.is_bind,
            });
            put(&mut data, "upstream_unverified", unverified.then_some(true));
            Good::data(data)
        }
    }
}

pub(crate) async fn link(ask: Ask) -> Said {
    let who = ask.who()?;
    account::prove(&ask, who, &[Purpose::Reauth], ask.body.some("sms_code")).await?;
    // Before the code is spent on it.
    let now = ask.house.clock.now();
    ask.house.engine.may_link(who, now).await?;
    let (code, state) = (ask.body.text("code"), ask.body.text("state"));
    let coming = Coming::of(&ask, &[Purpose::Link], code, state, Some(who.user));
    let proved = exchange::proved(&ask.house, coming).await?;
    ask.house
        .engine
        .link(who, &proved, ask.house.clock.now())
        .await?;
    account::identities_of(&ask, who).await
}

pub(crate) async fn unlink(ask: Ask) -> Said {
    let who = ask.who()?;
    let engine = &ask.house.engine;
    // Before the passcode is spent: somebody without a WeChat unlinks nothing.
    let person = engine.person(who).await?;
    let mut linked = person.identities.iter();
    if !linked.any(|identity| identity.provider == Provider::Wechat) {
        return Err(bad("wechat"));
    }
    // The number is what is left, so a WeChat proves nothing here, and none is asked for.
    if let Some(digits) = ask.body.some("sms_code") {
        engine.prove_phone(who, digits, ask.now()).await?;
    }
    engine
        .unlink(who, Provider::Wechat, ask.house.clock.now())
        .await?;
    account::identities_of(&ask, who).await
}
