//! My account: the profile, the apps I authorized, passwords; signing in and up on their own.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use yufu_core::engine::SignUp;
use yufu_core::id::GrantId;
use yufu_core::message::SignedIn;
use yufu_core::refusal::{Refusal, Stop};
use yufu_core::secret::{Layout, Secret};
use yufu_core::ticket::Scene;
use yufu_core::user::{Phone, Profile, Sex};

use super::sign::{self, Place, problem};
use super::{Guard, Visit, app, go, html, own_picture};
use crate::house::House;
use crate::view;

const ACCOUNT: &str = "/account";
const SIGN_IN: &str = "/account/sign-in";

/// Reads the request; runs the page; adds the cookies.
macro_rules! page {
    ($name:ident, $run:ident) => {
        pub(super) async fn $name(State(house): State<Arc<House>>, request: Request) -> Response {
            let mut visit = match Visit::read(house, request).await {
                Ok(visit) => visit,
                Err(response) => return response,
            };
            let response = $run(&mut visit).await;
            visit.done(response)
        }
    };
}

page!(show, account_page);
page!(act, account_act);
page!(revoke, revoke_act);
page!(show_sign_in, sign_in_page);
page!(sign_in, sign_in_act);
page!(show_sign_up, sign_up_page);
page!(sign_up, sign_up_act);
page!(show_reset, reset_page);
page!(reset, reset_act);
page!(show_password, password_page);
page!(password, password_act);

/// Who is signed in, or the way to the sign-in page.
async fn signed_in(visit: &Visit) -> Result<SignedIn, Response> {
    let session = visit.cookies.session.as_deref();
    match visit.house.engine.session(session, visit.now).await {
        Ok(Some(signed_in)) => Ok(signed_in),
        Ok(None) => Err(go(SIGN_IN)),
        Err(fault) => Err(visit.stopped(fault.into())),
    }
}

/// Where to go after signing in: an interaction or the account, nothing else.
fn next(visit: &Visit) -> String {
    let asked = visit.query.get("next").unwrap_or(ACCOUNT);
    let interaction = asked
        .strip_prefix("/interaction/")
        .is_some_and(|secret| Layout::Own.read(secret).is_some());
    if interaction {
        asked.to_owned()
    } else {
        ACCOUNT.to_owned()
    }
}

fn place(visit: &Visit, path: &str) -> Place {
    let next = next(visit);
    let leads_on = next != ACCOUNT;
    Place {
        action: if leads_on {
            format!("{path}?next={next}")
        } else {
            path.to_owned()
        },
        next,
        app: None,
        leads_on,
    }
}

fn inbox(visit: &Visit) -> Option<String> {
    let front = &visit.house.front;
    // The inbox is under this machine's own names alone.
    let base = visit.by.map_or("", |_| front.public_url.as_str());
    let dev = visit.house.dev.as_ref();
    dev.map(|_| format!("{base}/dev/inbox"))
}

// --- the account -----------------------------------------------------------------------------

async fn account_page(visit: &mut Visit) -> Response {
    match signed_in(visit).await {
        Ok(signed_in) => {
            let done = match visit.query.get("done") {
                Some("saved") => Some(view::Done::Saved),
                Some("revoked") => Some(view::Done::Revoked),
                Some("password") => Some(view::Done::PasswordChanged),
                _ => None,
            };
            account(visit, &signed_in, done, None).await
        }
        Err(response) => response,
    }
}

async fn account(
    visit: &Visit,
    signed_in: &SignedIn,
    done: Option<view::Done>,
    error: Option<view::Problem>,
) -> Response {
    let user = &signed_in.user;
    let authorized = match visit.house.engine.authorized(user.id).await {
        Ok(authorized) => authorized,
        Err(fault) => return visit.stopped(fault.into()),
    };
    let grants = authorized
        .into_iter()
        .map(|(grant, client, developer)| view::GrantRow {
            grant: grant.id.to_string(),
            app: app(&client, Some(&developer)),
            shares: view::Share::of_all(grant.scopes.iter(), client.policy.full_profile),
            since: view::Moment(grant.created_at.seconds()),
            last_used: Some(view::Moment(grant.updated_at.seconds())),
        })
        .collect();
    let profile = &user.profile;
    let page = view::Account {
        lang: visit.lang,
        lang_href: visit.lang_href(),
        csrf: visit.csrf(),
        action: ACCOUNT.to_owned(),
        profile: view::ProfileForm {
            nickname: profile.nickname.clone(),
            avatar: own_picture(&visit.house, &profile.avatar),
            sex: view::Sex::from_number(profile.sex.number()),
            province: profile.province.clone(),
            city: profile.city.clone(),
            country: profile.country.clone(),
            language: profile.language.clone(),
        },
        phone: user.phone.as_ref().map(Phone::masked).unwrap_or_default(),
        password_href: "/account/password".to_owned(),
        has_password: user.password.is_some(),
        grants,
        done,
        error,
    };
    html(StatusCode::OK, page.render(), Guard::OWN)
}

async fn account_act(visit: &mut Visit) -> Response {
    let signed_in = match signed_in(visit).await {
        Ok(signed_in) => signed_in,
        Err(response) => return response,
    };
    if !visit.is_ours() {
        return account(visit, &signed_in, None, Some(view::Problem::Stale)).await;
    }
    let house = visit.house.clone();
    let (engine, user) = (&house.engine, &signed_in.user);
    match visit.field("act") {
        "save_profile" => {
            let text = |name| visit.field(name).to_owned();
            let profile = Profile {
                nickname: text("nickname"),
                avatar: user.profile.avatar.clone(),
                sex: Sex::from_number(visit.field("sex").parse().unwrap_or(0)),
                province: text("province"),
                city: text("city"),
                country: text("country"),
                language: text("language"),
            };
            match engine.save_profile(user.id, profile, visit.now).await {
                Ok(()) => go("/account?done=saved"),
                Err(Stop::Refused(refusal)) => {
                    let error = problem(&refusal, Scene::SignIn);
                    account(visit, &signed_in, None, Some(error)).await
                }
                Err(stop) => visit.stopped(stop),
            }
        }
        "sign_out" => {
            let session = visit.cookies.session.take();
            let ended = engine.sign_out(session.as_deref(), visit.now).await;
            signed_out(visit, ended)
        }
        "sign_out_all" => {
            let ended = engine.sign_out_everywhere(user.id, visit.now).await;
            signed_out(visit, ended)
        }
        _ => account(visit, &signed_in, None, Some(view::Problem::Stale)).await,
    }
}

fn signed_out(visit: &mut Visit, ended: Result<(), Stop>) -> Response {
    if let Err(stop) = ended {
        return visit.stopped(stop);
    }
    let house = visit.house.clone();
    visit.set_cookie(visit.cookies.of_no_session(&house));
    let page = view::Plain::signed_out(visit.lang, SIGN_IN);
    html(StatusCode::OK, page.render(), Guard::OWN)
}

async fn revoke_act(visit: &mut Visit) -> Response {
    let signed_in = match signed_in(visit).await {
        Ok(signed_in) => signed_in,
        Err(response) => return response,
    };
    if !visit.is_ours() {
        return account(visit, &signed_in, None, Some(view::Problem::Stale)).await;
    }
    let user = signed_in.user.id;
    let revoked = match GrantId::parse(visit.field("grant")) {
        Some(grant) => {
            visit
                .house
                .engine
                .revoke_grant(user, grant, visit.now)
                .await
        }
        None => Err(Refusal::UnknownGrant.into()),
    };
    match revoked {
        // Gone already is gone: a second click is no error.
        Ok(()) | Err(Stop::Refused(Refusal::UnknownGrant)) => go("/account?done=revoked"),
        Err(stop) => visit.stopped(stop),
    }
}

// --- signing in and up -----------------------------------------------------------------------

async fn sign_in_page(visit: &mut Visit) -> Response {
    let place = place(visit, SIGN_IN);
    sign::show(visit, &place, None)
}

async fn sign_in_act(visit: &mut Visit) -> Response {
    let place = place(visit, SIGN_IN);
    sign::act(visit, &place).await
}

const SIGN_UP: &str = "/account/sign-up";

fn sign_up_view(visit: &Visit, step: view::PhoneStep, error: Option<view::Problem>) -> Response {
    let place = place(visit, SIGN_UP);
    let page = view::SignUp {
        lang: visit.lang,
        csrf: visit.csrf(),
        action: place.action.clone(),
        app: None,
        step,
        phone: visit.field("phone").to_owned(),
        nickname: visit.field("nickname").to_owned(),
        error,
        sign_in_href: if place.leads_on {
            place.next.clone()
        } else {
            SIGN_IN.to_owned()
        },
        dev_inbox: inbox(visit),
    };
    html(StatusCode::OK, page.render(), place.guard())
}

async fn sign_up_page(visit: &mut Visit) -> Response {
    sign_up_view(visit, view::PhoneStep::Phone, None)
}

fn passcode_step(phone: &Phone) -> view::PhoneStep {
    view::PhoneStep::Passcode {
        masked: phone.masked(),
    }
}

async fn sign_up_act(visit: &mut Visit) -> Response {
    if !visit.is_ours() {
        return sign_up_view(visit, view::PhoneStep::Phone, Some(view::Problem::Stale));
    }
    let Ok(phone) = Phone::parse(visit.field("phone")) else {
        return sign_up_view(visit, view::PhoneStep::Phone, Some(view::Problem::BadPhone));
    };
    if visit.field("act") == "send_passcode" {
        return match sign::send(visit, &phone, Scene::SignUp).await {
            Ok(error) => sign_up_view(visit, passcode_step(&phone), error),
            Err(stop) => visit.stopped(stop),
        };
    }
    let password = visit.form.filled("password").map(Secret::new);
    let sign_up = SignUp {
        phone: phone.clone(),
        passcode: Secret::new(visit.field("passcode")),
        nickname: visit.field("nickname").to_owned(),
        password,
    };
    let house = visit.house.clone();
    match house
        .engine
        .sign_up(sign_up, &visit.address, visit.now)
        .await
    {
        Ok(session) => {
            let next = next(visit);
            sign::begin(visit, &session, &next).await
        }
        Err(Stop::Refused(refusal)) => {
            let error = problem(&refusal, Scene::SignUp);
            sign_up_view(visit, passcode_step(&phone), Some(error))
        }
        Err(stop) => visit.stopped(stop),
    }
}

// --- passwords -------------------------------------------------------------------------------

const RESET: &str = "/account/reset";

fn reset_view(visit: &Visit, step: view::PhoneStep, error: Option<view::Problem>) -> Response {
    let place = place(visit, RESET);
    let page = view::ResetPassword {
        lang: visit.lang,
        csrf: visit.csrf(),
        action: place.action.clone(),
        app: None,
        step,
        phone: visit.field("phone").to_owned(),
        error,
        sign_in_href: if place.leads_on {
            place.next.clone()
        } else {
            SIGN_IN.to_owned()
        },
        dev_inbox: inbox(visit),
    };
    html(StatusCode::OK, page.render(), place.guard())
}

async fn reset_page(visit: &mut Visit) -> Response {
    reset_view(visit, view::PhoneStep::Phone, None)
}

async fn reset_act(visit: &mut Visit) -> Response {
    if !visit.is_ours() {
        return reset_view(visit, view::PhoneStep::Phone, Some(view::Problem::Stale));
    }
    let Ok(phone) = Phone::parse(visit.field("phone")) else {
        return reset_view(visit, view::PhoneStep::Phone, Some(view::Problem::BadPhone));
    };
    if visit.field("act") == "send_passcode" {
        return match sign::send(visit, &phone, Scene::Reset).await {
            Ok(error) => reset_view(visit, passcode_step(&phone), error),
            Err(stop) => visit.stopped(stop),
        };
    }
    let passcode = Secret::new(visit.field("passcode"));
    let password = Secret::new(visit.form.get("password").unwrap_or(""));
    let house = visit.house.clone();
    let engine = &house.engine;
    let reset = engine.reset_password(&phone, &passcode, password, &visit.address, visit.now);
    match reset.await {
        Ok(session) => {
            let next = next(visit);
            sign::begin(visit, &session, &next).await
        }
        Err(Stop::Refused(refusal)) => {
            let error = problem(&refusal, Scene::Reset);
            reset_view(visit, passcode_step(&phone), Some(error))
        }
        Err(stop) => visit.stopped(stop),
    }
}

const PASSWORD: &str = "/account/password";

fn password_view(visit: &Visit, has_password: bool, error: Option<view::Problem>) -> Response {
    let page = view::ChangePassword {
        lang: visit.lang,
        csrf: visit.csrf(),
        action: PASSWORD.to_owned(),
        has_password,
        error,
        back_href: ACCOUNT.to_owned(),
    };
    html(StatusCode::OK, page.render(), Guard::OWN)
}

async fn password_page(visit: &mut Visit) -> Response {
    match signed_in(visit).await {
        // Without a password there is none to give: the number proves the person.
        Ok(signed_in) if signed_in.user.password.is_none() => go(RESET),
        Ok(_) => password_view(visit, true, None),
        Err(response) => response,
    }
}

async fn password_act(visit: &mut Visit) -> Response {
    let signed_in = match signed_in(visit).await {
        Ok(signed_in) => signed_in,
        Err(response) => return response,
    };
    if !visit.is_ours() {
        return password_view(visit, true, Some(view::Problem::Stale));
    }
    let current = Secret::new(visit.form.get("current").unwrap_or(""));
    let password = Secret::new(visit.form.get("password").unwrap_or(""));
    let house = visit.house.clone();
    let engine = &house.engine;
    let changed = engine.change_password(&signed_in, current, password, &visit.address, visit.now);
    match changed.await {
        Ok(session) => sign::begin(visit, &session, "/account?done=password").await,
        Err(Stop::Refused(Refusal::WrongCredentials)) => {
            password_view(visit, true, Some(view::Problem::WrongCurrent))
        }
        Err(Stop::Refused(refusal)) => {
            password_view(visit, true, Some(problem(&refusal, Scene::SignIn)))
        }
        Err(stop) => visit.stopped(stop),
    }
}
