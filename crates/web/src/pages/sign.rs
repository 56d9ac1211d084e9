//! Signing in: the same forms inside an authorization and on their own.

use axum::http::StatusCode;
use axum::response::Response;
use yufu_core::engine::Proof;
use yufu_core::refusal::{Refusal, Stop};
use yufu_core::secret::Secret;
use yufu_core::ticket::Scene;
use yufu_core::user::Phone;

use super::{Guard, Visit, go, html};
use crate::view;

/// Where a sign-in form stands and what comes after it.
pub(super) struct Place {
    /// Where the form posts to.
    pub(super) action: String,
    /// Where the browser goes once signed in: an address of ours.
    pub(super) next: String,
    /// Which app asks.
    pub(super) app: Option<view::App>,
    /// Whether the page leads on to a client.
    pub(super) leads_on: bool,
}

impl Place {
    pub(super) fn guard(&self) -> Guard<'static> {
        if self.leads_on {
            Guard::LEADS_ON
        } else {
            Guard::OWN
        }
    }

    fn sign_up_href(&self) -> String {
        format!("/account/sign-up?next={}", self.next)
    }

    fn reset_href(&self) -> String {
        format!("/account/reset?next={}", self.next)
    }
}

/// The sign-in page.
pub(super) fn show(visit: &Visit, place: &Place, error: Option<view::Problem>) -> Response {
    let by = match visit.query.get("by") {
        Some("passcode") => view::By::Passcode,
        _ => view::By::Password,
    };
    let other = match by {
        view::By::Passcode => "password",
        view::By::Password => "passcode",
    };
    let joint = if place.action.contains('?') { '&' } else { '?' };
    let page = view::SignIn {
        lang: visit.lang,
        lang_href: visit.lang_href(),
        csrf: visit.csrf(),
        action: place.action.clone(),
        app: place.app.clone(),
        by,
        other_href: format!("{}{joint}by={other}", place.action),
        phone: visit.field("phone").to_owned(),
        error,
        sign_up_href: place.sign_up_href(),
        reset_href: place.reset_href(),
        // Passwords are told to this machine's own names alone (DNS rebinding).
        dev_people: visit
            .house
            .dev
            .as_ref()
            .filter(|_| crate::dev::is_local(&visit.headers))
            .map(|dev| dev.people())
            .unwrap_or_default(),
    };
    html(StatusCode::OK, page.render(), place.guard())
}

/// What a form of the sign-in page asked for.
pub(super) async fn act(visit: &mut Visit, place: &Place) -> Response {
    if !visit.is_ours() {
        return show(visit, place, Some(view::Problem::Stale));
    }
    let Ok(phone) = Phone::parse(visit.field("phone")) else {
        return show(visit, place, Some(view::Problem::BadPhone));
    };
    match visit.field("act") {
        "sign_in" => {
            let password = Secret::new(visit.form.get("password").unwrap_or(""));
            sign_in(visit, place, &phone, Proof::Password(password)).await
        }
        "passcode" => {
            let passcode = Secret::new(visit.field("passcode"));
            sign_in(visit, place, &phone, Proof::Passcode(passcode)).await
        }
        "send_passcode" => match send(visit, &phone, Scene::SignIn).await {
            Ok(error) => passcode(visit, place, &phone, error),
            Err(stop) => visit.stopped(stop),
        },
        _ => show(visit, place, Some(view::Problem::Stale)),
    }
}

/// Sends a passcode; a problem that the page of the passcode shows is no stop.
pub(super) async fn send(
    visit: &Visit,
    phone: &Phone,
    scene: Scene,
) -> Result<Option<view::Problem>, Stop> {
    let engine = &visit.house.engine;
    match engine
        .send_passcode(phone, scene, &visit.address, visit.now)
        .await
    {
        Ok(()) => Ok(None),
        Err(Stop::Refused(refusal @ Refusal::PasscodeTooSoon(_))) => {
            Ok(Some(problem(&refusal, scene)))
        }
        Err(stop) => Err(stop),
    }
}

fn passcode(visit: &Visit, place: &Place, phone: &Phone, error: Option<view::Problem>) -> Response {
    let page = view::Passcode {
        lang: visit.lang,
        csrf: visit.csrf(),
        action: place.action.clone(),
        app: place.app.clone(),
        phone: phone.as_str().to_owned(),
        masked: phone.masked(),
        error,
        back_href: place.action.clone(),
        dev_inbox: visit.house.dev.as_ref().map(|_| "/dev/inbox".to_owned()),
    };
    html(StatusCode::OK, page.render(), place.guard())
}

async fn sign_in(visit: &mut Visit, place: &Place, phone: &Phone, proof: Proof) -> Response {
    let by_passcode = matches!(proof, Proof::Passcode(_));
    let house = visit.house.clone();
    match house
        .engine
        .sign_in(phone, proof, &visit.address, visit.now)
        .await
    {
        Ok(session) => begin(visit, &session, &place.next).await,
        Err(Stop::Refused(refusal)) => {
            if by_passcode {
                let error = problem(&refusal, Scene::SignIn);
                passcode(visit, place, phone, Some(error))
            } else {
                let error = match refusal {
                    Refusal::WrongCredentials => view::Problem::WrongPassword,
                    other => problem(&other, Scene::SignIn),
                };
                show(visit, place, Some(error))
            }
        }
        Err(stop) => visit.stopped(stop),
    }
}

/// Puts a new session into the browser, ends the one that was there, and goes on.
pub(super) async fn begin(visit: &mut Visit, session: &Secret, next: &str) -> Response {
    let house = visit.house.clone();
    let before = visit.cookies.session.take();
    if let Err(stop) = house.engine.sign_out(before.as_deref(), visit.now).await {
        return visit.stopped(stop);
    }
    visit.set_cookie(visit.cookies.of_session(&house, session));
    go(next)
}

/// A refusal in the words of a form.
pub(super) fn problem(refusal: &Refusal, scene: Scene) -> view::Problem {
    let _ = scene;
    match refusal {
        Refusal::TooManyFailures(wait) | Refusal::PasscodeTooSoon(wait) => {
            // Rounded up: "0 seconds" would be a lie.
            let seconds = wait.millis().div_euclid(1000) + 1;
            view::Problem::TooOften(u32::try_from(seconds).unwrap_or(u32::MAX))
        }
        Refusal::PhoneMalformed => view::Problem::BadPhone,
        Refusal::PasswordUnfit => view::Problem::BadPassword,
        Refusal::ProfileUnfit(_) => view::Problem::BadNickname,
        Refusal::WrongCredentials => view::Problem::WrongPasscode,
        _ => view::Problem::Stale,
    }
}
