//! The account that is logged in: what it is, what is kept of it, and its end.

use serde_json::{Value, json};
use yufu_core::engine::login::IdentityView;
use yufu_core::identity::IdentityStatus;
use yufu_core::login::{Authenticated, BindPolicy, LoginStop, Purpose};
use yufu_core::refusal::Fault;

use super::exchange::{self, Coming};
use super::read::{Ask, Proof};
use super::session::without_session;
use super::wechat::with_session;
use super::{Good, Said};

/// How many digits a passcode has.
const DIGITS: u8 = 6;

pub(crate) async fn config(ask: Ask) -> Said {
    let login = ask.house.engine.login();
    let apps = login.apps.iter().map(|app| {
        let degraded = ask.house.upstreams.degraded(&app.name, ask.now());
        json!({
            "app": app.name,
            "kind": app.kind.word(),
            "appid": app.appid.as_str(),
            "status": status(degraded),
        })
    });
    let apps: Vec<Value> = apps.collect();
    // As long as one of them is fine, there is a button to press.
    let mut all = apps.iter().map(|app| app.get("status"));
    let degraded = !apps.is_empty() && all.all(|of| of == Some(&json!("degraded")));
    Ok(Good::data(json!({
        "bind_policy": match login.bind_policy {
            BindPolicy::PhoneRequired => "phone_required",
            BindPolicy::Optional => "optional",
        },
        "consent_version": login.consent_version.as_deref().unwrap_or(""),
        "passcode": {
            "resend_after": login.passcode_resend.as_seconds(),
            "ttl": login.passcode_life.as_seconds(),
            "digits": DIGITS,
            "enabled": ask.house.front.passcodes,
        },
        "expose_upstream_token": login.expose_upstream_token,
        "wechat": { "status": status(degraded), "apps": apps },
    })))
}

const fn status(degraded: bool) -> &'static str {
    if degraded { "degraded" } else { "ok" }
}

pub(crate) async fn me(ask: Ask) -> Said {
    let person = ask.house.engine.person(ask.who()?).await?;
    Ok(Good::data(json!({
        "uid": person.user.to_string(),
        "nickname": person.nickname,
        "avatar": person.avatar,
        "phone": person.phone,
        "is_bind": person.is_bind,
        "created_at": person.created_at.seconds(),
    })))
}

pub(crate) async fn identities(ask: Ask) -> Said {
    identities_of(&ask, ask.who()?).await
}

/// The identities of an account as they are now.
pub(crate) async fn identities_of(ask: &Ask, who: &Authenticated) -> Said {
    let person = ask.house.engine.person(who).await?;
    let identities: Vec<_> = person.identities.iter().map(identity).collect();
    Ok(Good::data(json!({ "identities": identities })))
}

fn identity(view: &IdentityView) -> Value {
    json!({
        "id": view.id,
        "provider": view.provider.word(),
        "app": view.app,
        "nickname": view.nickname,
        "status": match view.status {
            IdentityStatus::Linked => "linked",
            IdentityStatus::Revoked => "revoked",
        },
        "linked_at": view.linked_at.seconds(),
    })
}

/// Takes the proof that a call brings, if it brings one: it counts for a few minutes. `digits` is
/// the passcode of the account's own number, where the call has it beside the proof.
pub(crate) async fn prove(
    ask: &Ask,
    who: &Authenticated,
    purposes: &'static [Purpose],
    digits: Option<&str>,
) -> Result<(), LoginStop> {
    let engine = &ask.house.engine;
    match (ask.body.proof(), digits) {
        (Some(Proof::Passcode(digits)), _) => engine.prove_phone(who, digits, ask.now()).await,
        (Some(Proof::Upstream { code, state }), _) => {
            let coming = Coming::of(ask, purposes, code, state, Some(who.user));
            let proved = exchange::proved(&ask.house, coming).await?;
            engine
                .prove_identity(who, &proved, ask.house.clock.now())
                .await
        }
        (None, Some(digits)) => engine.prove_phone(who, digits, ask.now()).await,
        (None, None) => Ok(()),
    }
}

pub(crate) async fn delete(ask: Ask) -> Said {
    let who = ask.who()?;
    let digits = ask.body.some("sms_code");
    prove(&ask, who, &[Purpose::Delete, Purpose::Reauth], digits).await?;
    let until = ask
        .house
        .engine
        .request_deletion(who, ask.house.clock.now())
        .await?;
    let data = json!({ "deletable_at": until.seconds(), "kept": ["security log", "tombstone"] });
    Ok(without_session(&ask, Good::data(data)))
}

pub(crate) async fn cancel(ask: Ask) -> Said {
    let ticket = ask.body.text("cancel_ticket");
    let engine = &ask.house.engine;
    let done = engine
        .cancel_deletion(ticket, ask.device(), ask.key(), ask.now())
        .await?;
    Ok(with_session(&ask, exchange::logged_in(&done), &done))
}

pub(crate) async fn export(ask: Ask) -> Said {
    let export = ask.house.engine.export(ask.who()?).await?;
    let value = serde_json::to_value(&export);
    let mut value = value.map_err(|e| Fault::from("write an export", e))?;
    in_seconds(&mut value);
    Ok(Good::data(value))
}

/// The engine counts milliseconds; every time on this wire is in seconds.
fn in_seconds(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_i64() {
                    Some(millis) if name == "at" || name.ends_with("_at") => {
                        *member = json!(millis.div_euclid(1000));
                    }
                    _ => in_seconds(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(in_seconds),
        _ => {}
    }
}
