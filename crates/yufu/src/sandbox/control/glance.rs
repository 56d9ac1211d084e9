//! What the sandbox is at this moment: everything at a glance, and the inbox.

use serde_json::{Value, json};

use super::table::{Asked, Call, Endpoint, Field, Kind, Verb, Work, work};
use super::{clients, handset, people};
use crate::sandbox::state::Sandbox;

/// The calls.
pub const ROWS: &[Endpoint] = &[
    Endpoint {
        about: "Everything at a glance.",
        answer: r#"{"now":1767225600000,"clock":{"now":1767225600000,"real":1767225600000,"ahead":0},"people":[],"clients":[],"auto":null,"counts":{"letters":0,"scans":0},"addresses":{"platform":"http://127.0.0.1:8420","app":"http://127.0.0.1:8421","login":"http://127.0.0.1:8430","proxy":"http://127.0.0.1:8425","gate":"127.0.0.1:8426"}}"#,
        ..Endpoint::new(Verb::Get, "/_sandbox/state", "state", Call::Json(state))
    },
    Endpoint {
        about: "The messages that would have been sent, newest first.",
        fields: &[Field::may(
            "to",
            Kind::Text,
            "Only those to this number.",
            "+8613800000001",
        )],
        answer: r#"{"letters":[{"to":"+8613800000001","passcode":"246810","text":"[yufu] 246810 is your code. It works for 5 minutes; tell nobody.","scene":"login","at":1767225600000}]}"#,
        ..Endpoint::new(Verb::Get, "/_sandbox/inbox", "inbox", Call::Json(inbox))
    },
];

fn state(asked: &Asked<'_>) -> Work {
    let sandbox = asked.sandbox.clone();
    work(async move {
        let addresses = &sandbox.addresses;
        let (now, real) = (sandbox.clock.now(), yufu_web::clock::real());
        let scans = sandbox.screens.shown(&sandbox).await.len();
        Ok(json!({
            "now": now.0,
            "clock": {"now": now.0, "real": real.0, "ahead": now.since(real).millis()},
            "people": people::all(&sandbox).await?,
            "clients": clients::all(&sandbox).await?,
            "auto": handset::auto_now(&sandbox)["auto"],
            "counts": {"letters": sandbox.inbox.letters().len(), "scans": scans},
            "addresses": {
                "platform": addresses.platform,
                "app": addresses.app,
                "login": addresses.login,
                "proxy": format!("http://{}", addresses.proxy),
                "gate": addresses.gate.to_string(),
            },
        }))
    })
}

fn inbox(asked: &Asked<'_>) -> Work {
    let to = asked.body.text("to");
    let sandbox = asked.sandbox.clone();
    work(async move { Ok(json!({"letters": letters(&sandbox, to.as_deref())})) })
}

/// The messages to a number, or to all, newest first.
pub fn letters(sandbox: &Sandbox, to: Option<&str>) -> Vec<Value> {
    let letters = sandbox.inbox.letters().into_iter();
    let letters = letters.filter(|letter| to.is_none_or(|to| letter.to.as_str() == to));
    let letters = letters.map(|letter| {
        json!({
            "to": letter.to.as_str(),
            "passcode": letter.passcode,
            "text": yufu_web::dev::sms(yufu_web::view::Lang::En, &letter),
            "scene": letter.about,
            "at": letter.posted_at.0,
        })
    });
    letters.collect()
}
