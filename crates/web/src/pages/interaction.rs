//! The page of an open interaction: sign in, then say yes or no.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use yufu_core::message::{Act, Asked, Channel, SignedIn, Step};

use super::sign::{self, Place};
use super::{Guard, Visit, app, go, html, page_dialect, person};
use crate::house::House;
use crate::view;

/// Shows what the interaction needs.
pub(super) async fn show(
    State(house): State<Arc<House>>,
    Path(secret): Path<String>,
    request: Request,
) -> Response {
    let mut visit = match Visit::read(house, request).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    let response = look(&visit, &secret).await;
    visit.done(response)
}

async fn look(visit: &Visit, secret: &str) -> Response {
    let engine = &visit.house.engine;
    match engine
        .look(secret, &visit.cookies.visitor(&visit.address), visit.now)
        .await
    {
        Ok(Step::Authenticate(asked)) => sign::show(visit, &place(&asked), None),
        Ok(Step::Consent(asked, signed_in)) => consent(visit, &asked, &signed_in),
        Ok(step) => answered(visit, step, None),
        Err(stop) => visit.stopped(stop),
    }
}

fn address(secret: &str) -> String {
    format!("/interaction/{secret}")
}

fn place(asked: &Asked) -> Place {
    let address = address(asked.interaction.expose());
    Place {
        action: address.clone(),
        next: address,
        app: Some(app(&asked.client, Some(&asked.developer))),
        leads_on: true,
    }
}

fn consent(visit: &Visit, asked: &Asked, signed_in: &SignedIn) -> Response {
    let full = asked.client.policy.full_profile;
    let scheme = asked
        .return_path
        .as_ref()
        .filter(|path| path.is_custom_scheme())
        .map(|path| match &asked.channel {
            Channel::Native(native) => native.bundle.clone(),
            _ => path.origin().to_owned(),
        });
    let host = asked
        .return_path
        .as_ref()
        .filter(|path| !path.is_custom_scheme())
        .map(|path| path.origin().to_owned());
    let page = view::Consent {
        lang: visit.lang,
        lang_href: visit.lang_href(),
        csrf: visit.csrf(),
        action: address(asked.interaction.expose()),
        app: app(&asked.client, Some(&asked.developer)),
        shares: view::Share::of_all(asked.scopes.iter(), full),
        person: person(&visit.house, &signed_in.user),
        return_host: host,
        native: scheme,
        scan: asked.on_phone,
    };
    html(StatusCode::OK, page.render(), Guard::LEADS_ON)
}

/// Does what a form of the page asked for.
pub(super) async fn act(
    State(house): State<Arc<House>>,
    Path(secret): Path<String>,
    request: Request,
) -> Response {
    let mut visit = match Visit::read(house, request).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    let response = acted(&mut visit, &secret).await;
    visit.done(response)
}

async fn acted(visit: &mut Visit, secret: &str) -> Response {
    let house = visit.house.clone();
    let engine = &house.engine;
    let step = engine
        .look(secret, &visit.cookies.visitor(&visit.address), visit.now)
        .await;
    let asked = match step {
        Ok(Step::Authenticate(asked)) => return sign::act(visit, &place(&asked)).await,
        Ok(Step::Consent(asked, _)) => asked,
        Ok(step) => return answered(visit, step, None),
        Err(stop) => return visit.stopped(stop),
    };
    if !visit.is_ours() {
        // Shown anew, for whoever is signed in now.
        return look(visit, secret).await;
    }
    let act = match visit.field("act") {
        "allow" => Act::Approve,
        "deny" => Act::Deny,
        "cancel" => Act::Cancel,
        "switch" => return switch(visit, secret).await,
        _ => return look(visit, secret).await,
    };
    match engine
        .proceed(
            secret,
            act,
            &visit.cookies.visitor(&visit.address),
            visit.now,
        )
        .await
    {
        Ok(step) => answered(visit, step, Some(&asked)),
        Err(stop) => visit.stopped(stop),
    }
}

/// Signs out and comes back to sign in as somebody else.
async fn switch(visit: &mut Visit, secret: &str) -> Response {
    let house = visit.house.clone();
    let session = visit.cookies.session.take();
    if let Err(stop) = house.engine.sign_out(session.as_deref(), visit.now).await {
        return visit.stopped(stop);
    }
    visit.set_cookie(visit.cookies.of_no_session(&house));
    go(&address(secret))
}

fn answered(visit: &Visit, step: Step, asked: Option<&Asked>) -> Response {
    match step {
        Step::Return(authorized) => go(&(page_dialect().finish)(&authorized)),
        Step::ScanAnswered { allowed, scan } => {
            visit.house.waiters.wake(scan);
            let page = view::ScanDone {
                lang: visit.lang,
                app: asked.map_or_else(
                    || view::App {
                        name: String::new(),
                        developer: None,
                        icon: None,
                    },
                    |asked| app(&asked.client, Some(&asked.developer)),
                ),
                end: if allowed {
                    view::ScanEnd::Allowed
                } else {
                    view::ScanEnd::Cancelled
                },
            };
            html(StatusCode::OK, page.render(), Guard::OWN)
        }
        Step::Authenticate(asked) | Step::Consent(asked, _) => {
            go(&address(asked.interaction.expose()))
        }
        Step::Scan(_) => go("/"),
    }
}
