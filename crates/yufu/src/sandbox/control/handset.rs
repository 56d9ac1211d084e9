//! The phone, authorizations without a browser, and whoever answers unasked: the calls over
//! [`crate::sandbox::hand`].

use axum::http::StatusCode;
use serde_json::{Value, json};
use std::sync::{Arc, PoisonError};

use yufu_core::id::ClientId;
use yufu_core::scope::Scopes;
use yufu_dialects::endpoint::Door;

use super::answer::{Refused, Said};
use super::table::{Asked, Call, Endpoint, Field, Kind, Verb, Work, work};
use super::{glance, people};
use crate::read::Complaints;
use crate::sandbox::adopt;
use crate::sandbox::events;
use crate::sandbox::hand::{Ask, End, Hand, PhoneResult, Trouble, target};
use crate::sandbox::seen::{Behind, Lane, Note, Seen, SeenAnswer, Tie};
use crate::sandbox::state::{Auto, Decision, Sandbox};

const DECISIONS: &[&str] = &["allow", "deny", "cancel"];
const ACTS: &[&str] = &[
    "scan", "agree", "deny", "cancel", "ignore", "revoke", "install",
];
const PERSON: Field = Field::must("person", Kind::Text, "The person, by short name.", "mei");
const DECISION: Field = Field::may(
    "decision",
    Kind::Word(DECISIONS),
    "What they say; `allow` unless told.",
    "allow",
);

/// The calls.
pub const ROWS: &[Endpoint] = &[
    Endpoint {
        about: "Answers an authorize address as a person would, without a browser.",
        more: "`url` is the address exactly as the client made it, under the platform's own name or the sandbox's. What comes back is what the browser, or the app's SDK, would have got: `returned` with the callback, `stayed` where the real page stays, `result` for a mobile app.",
        fields: &[
            Field::must(
                "url",
                Kind::Text,
                "The authorize address.",
                "https://open.weixin.qq.com/connect/qrconnect?appid=wx0123456789abcdef&redirect_uri=http%3A%2F%2F127.0.0.1%3A3000%2Fcallback&response_type=code&scope=snsapi_login&state=4fd1c8#wechat_redirect",
            ),
            PERSON,
            DECISION,
        ],
        answer: r#"{"outcome":"returned","callback":"http://127.0.0.1:3000/callback?code=041Y8b0w3xkT1a2&state=4fd1c8","code":"041Y8b0w3xkT1a2","state":"4fd1c8"}"#,
        ..Endpoint::new(
            Verb::Post,
            "/_sandbox/authorize",
            "phone",
            Call::Json(authorize),
        )
    },
    Endpoint {
        about: "A code of a client for a person, for those who have no authorize address: native apps, tests.",
        fields: &[
            Field::must("client", Kind::Text, "The appid.", "wx0123456789abcdef"),
            PERSON,
            Field::may("state", Kind::Text, "Handed back as it is.", "4fd1c8"),
            Field::may(
                "scope",
                Kind::Text,
                "What is asked for; the usual of its kind unless given.",
                "snsapi_userinfo",
            ),
        ],
        answer: r#"{"outcome":"returned","callback":"http://127.0.0.1/?code=041Y8b0w3xkT1a2","code":"041Y8b0w3xkT1a2","state":null}"#,
        ..Endpoint::new(Verb::Post, "/_sandbox/codes", "phone", Call::Json(code))
    },
    Endpoint {
        about: "A person's phone: what it is asked, the apps it authorized, its messages, what apps on it were told.",
        fields: &[PERSON],
        answer: r#"{"person":"mei","now":1767225600000,"installed":true,"asks":[],"apps":[{"appid":"wx0123456789abcdef","name":"Rooms","since":1767225600000}],"sms":[],"results":[{"at":1767225600000,"app":"Rooms","appid":"wx0123456789abcdef","err_code":0,"err_str":null,"code":"041Y8b0w3xkT1a2","state":"4fd1c8","callback":"wx0123456789abcdef://oauth?code=041Y8b0w3xkT1a2&state=4fd1c8"}]}"#,
        ..Endpoint::new(Verb::Get, "/_sandbox/phone", "phone", Call::Json(phone))
    },
    Endpoint {
        about: "Does something with a person's phone.",
        more: "`scan` opens a question; `agree`, `deny`, `cancel` and `ignore` answer it; `revoke` takes an app's authorization back, and the app is told at its push address; `install` says whether the platform's client is installed.",
        fields: &[
            PERSON,
            Field::must("act", Kind::Word(ACTS), "What is done.", "scan"),
            Field::may(
                "what",
                Kind::Text,
                "For `scan`: what the QR code says, its uuid, or the authorize address that an app or page on the phone opened.",
                "041abcDEF",
            ),
            Field::may(
                "interaction",
                Kind::Text,
                "For answers: which question.",
                "1k3Jf0c2",
            ),
            Field::may(
                "appid",
                Kind::Text,
                "For `revoke`: which app.",
                "wx0123456789abcdef",
            ),
            Field::may(
                "installed",
                Kind::Flag,
                "For `install`: whether it is.",
                "false",
            ),
        ],
        answer: r#"{"ask":{"interaction":"1k3Jf0c2","app":"Rooms","appid":"wx0123456789abcdef","developer":"Rooms Ltd","scopes":["snsapi_login"],"door":"scan","since":1767225600000}}"#,
        ..Endpoint::new(Verb::Post, "/_sandbox/phone", "phone", Call::Json(tap))
    },
    Endpoint {
        about: "The QR codes that are on a screen now, newest first.",
        answer: r#"{"scans":[{"uuid":"041abcDEF","app":"Rooms","appid":"wx0123456789abcdef","since":1767225600000,"state":"shown"}]}"#,
        ..Endpoint::new(Verb::Get, "/_sandbox/scans", "phone", Call::Json(scans))
    },
    Endpoint {
        about: "Who answers every authorization by themselves; `null` for nobody.",
        answer: r#"{"auto":{"person":"mei","decision":"allow","page":"skip"}}"#,
        ..Endpoint::new(Verb::Get, "/_sandbox/auto", "auto", Call::Json(auto))
    },
    Endpoint {
        about: "Lets a person answer every authorization by themselves, for unattended runs.",
        more: "With `page: skip` an authorize address answers with the redirect at once; with `show` a QR page is shown and scanned a moment later.",
        fields: &[
            PERSON,
            DECISION,
            Field::may(
                "page",
                Kind::Word(&["skip", "show"]),
                "Whether QR pages are shown; `skip` unless told.",
                "skip",
            ),
        ],
        answer: r#"{"auto":{"person":"mei","decision":"allow","page":"skip"}}"#,
        ..Endpoint::new(Verb::Put, "/_sandbox/auto", "auto", Call::Json(set_auto))
    },
    Endpoint {
        about: "Nobody answers by themselves any more.",
        answer: r#"{"auto":null}"#,
        ..Endpoint::new(Verb::Delete, "/_sandbox/auto", "auto", Call::Json(no_auto))
    },
];

fn decision(word: Option<&str>) -> Decision {
    match word {
        Some("deny") => Decision::Deny,
        Some("cancel") => Decision::Cancel,
        _ => Decision::Allow,
    }
}

fn decision_word(decision: Decision) -> &'static str {
    match decision {
        Decision::Allow => "allow",
        Decision::Deny => "deny",
        Decision::Cancel => "cancel",
    }
}

fn door_word(door: Door) -> &'static str {
    match door {
        Door::Scan | Door::Phone => "scan",
        Door::Native => "native",
        Door::InClient => "in_client",
    }
}

/// A trouble of the hand, as the control says it.
fn said(trouble: Trouble) -> Refused {
    let one = |at: &str, what: String, remedy: &str| Complaints::one(at, what, remedy);
    match trouble {
        Trouble::Address(words) => Refused::bad(one(
            "url",
            words,
            "give the authorize address exactly as the client made it",
        )),
        Trouble::Person(words) => Refused::missing(words, "give one of them as `person`"),
        Trouble::Gone => Refused::missing(
            "there is no such question: it was answered, or its life is over",
            "scan again, or look what is open with GET /_sandbox/phone",
        ),
        Trouble::NotInstalled => Refused::conflict(
            "person",
            "the client is not installed on this phone: the SDK would say so and open nothing",
            "install it: POST /_sandbox/phone {\"act\":\"install\",\"installed\":true}",
        ),
        Trouble::Refused(text) => {
            let number = text
                .number
                .map_or(String::new(), |number| format!("{number} "));
            let what = format!("the platform refuses: {number}{}", text.text);
            let remedy = format!("{} ({})", text.fix_en, text.source);
            Refused {
                status: StatusCode::UNPROCESSABLE_ENTITY,
                code: "refused",
                complaints: one("url", what, &remedy),
            }
        }
        Trouble::Fault(fault) => Refused::fault(fault),
    }
}

fn end(end: &End) -> Value {
    match end {
        End::Returned {
            callback,
            code,
            state,
        } => json!({
            "outcome": "returned", "callback": callback, "code": code, "state": state,
        }),
        End::Stayed(decision) => json!({
            "outcome": "stayed",
            "why": if *decision == Decision::Deny { "denied" } else { "cancelled" },
        }),
        End::Result {
            err_code,
            callback,
            code,
            state,
        } => json!({
            "outcome": "result", "err_code": err_code, "err_str": err_str(*err_code),
            "callback": callback, "code": code, "state": state,
        }),
    }
}

/// `docs/facts/wechat.md` §11: the constants of the SDK.
fn err_str(err_code: i32) -> Option<&'static str> {
    match err_code {
        -2 => Some("ERR_USER_CANCEL"),
        -4 => Some("ERR_AUTH_DENIED"),
        _ => None,
    }
}

fn authorize(asked: &Asked<'_>) -> Work {
    let body = &asked.body;
    body.needs(
        "url",
        "the authorize address, exactly as the client made it",
    );
    body.needs("person", "a person's short name");
    let url = body.text("url").unwrap_or_default();
    let person = body.text("person").unwrap_or_default();
    let decision = decision(body.one_of("decision", DECISIONS));
    let sandbox = asked.sandbox.clone();
    work(async move {
        let target = target(&url, &sandbox.addresses.platform).map_err(said)?;
        let hand = Hand::of(&sandbox, &person).map_err(said)?;
        if target.is_named {
            adopt::for_address(&sandbox, &target.request.path, &target.request.query).await;
        }
        let began = yufu_web::clock::real();
        // Faults that lead callbacks astray play here as they do in a browser.
        let (asked, astray) = crate::sandbox::fault::on_authorize(&sandbox, &url).await;
        let target = self::target(&asked, &sandbox.addresses.platform).map_err(said)?;
        let ended = hand.authorize(&target, decision).await.map_err(said)?;
        let (ended, played) = delivered(&sandbox, &target.request.path, ended).await;
        let faults = astray.into_iter().chain(played);
        let faults = faults.map(str::to_owned).collect();
        tell(&sandbox, &url, began, &person, decision, &ended, faults);
        Ok(end(&ended))
    })
}

/// The end as the platform delivers it: with somebody else's code, or twice, if faults want that.
async fn delivered(sandbox: &Arc<Sandbox>, door: &str, mut ended: End) -> (End, Vec<&'static str>) {
    let mut played = Vec::new();
    if let End::Returned { callback, code, .. } | End::Result { callback, code, .. } = &mut ended
        && let Some(old) = code.clone()
    {
        let (address, new, faults) =
            crate::sandbox::fault::on_callback(sandbox, door, callback, &old).await;
        *callback = address;
        *code = Some(new);
        played = faults;
    }
    (ended, played)
}

/// Tells the book of flows what a browser would have shown it.
fn tell(
    sandbox: &Sandbox,
    url: &str,
    began: yufu_core::time::Timestamp,
    person: &str,
    decision: Decision,
    ended: &End,
    faults: Vec<String>,
) {
    let plain = url.trim().split('#').next().unwrap_or("");
    let rest = plain.split_once("://").map_or(plain, |(_, rest)| rest);
    let (host, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let params = yufu_dialects::http::Request::get("", query).params();
    let named = |name| params.get(name).filter(|text| !text.is_empty());
    let state = named("state").map(str::to_owned);
    let client = named("appid").map(ClientId::new);
    let answer = match ended {
        End::Returned { callback, .. } | End::Result { callback, .. } => {
            let mut headers = axum::http::HeaderMap::new();
            if let Ok(callback) = callback.parse() {
                headers.insert(axum::http::header::LOCATION, callback);
            }
            SeenAnswer {
                status: StatusCode::FOUND,
                headers,
                body: Default::default(),
                body_cut: false,
            }
        }
        End::Stayed(_) => SeenAnswer {
            status: StatusCode::OK,
            headers: axum::http::HeaderMap::new(),
            body: Default::default(),
            body_cut: false,
        },
    };
    let now = yufu_web::clock::real();
    let took = u64::try_from(now.since(began).millis()).unwrap_or(0);
    sandbox.flows.saw(Seen {
        began,
        took: std::time::Duration::from_millis(took),
        behind: Behind::Platform,
        by_proxy: false,
        scheme: if plain.starts_with("https") {
            "https"
        } else {
            "http"
        },
        host: host.to_owned(),
        method: "GET".to_owned(),
        target: target.to_owned(),
        headers: axum::http::HeaderMap::new(),
        body: Default::default(),
        body_cut: false,
        answer: Some(answer),
        faults,
        peer: None,
    });
    let ties = match ended {
        End::Returned {
            code: Some(code), ..
        }
        | End::Result {
            code: Some(code), ..
        } => {
            vec![(Tie::Code, code.clone())]
        }
        // A no has nothing but the state to be known by.
        _ => state.into_iter().map(|state| (Tie::State, state)).collect(),
    };
    let what = decision_note(decision);
    note(sandbox, person, what, client.as_ref(), ties);
}

fn decision_note(decision: Decision) -> &'static str {
    match decision {
        Decision::Allow => "agreed",
        Decision::Deny => "denied",
        Decision::Cancel => "cancelled",
    }
}

fn note(
    sandbox: &Sandbox,
    person: &str,
    what: &'static str,
    client: Option<&ClientId>,
    ties: Vec<(Tie, String)>,
) {
    sandbox.flows.note(Note {
        at: yufu_web::clock::real(),
        from: Lane::User,
        to: Lane::Platform,
        what,
        detail: String::new(),
        person: Some(person.to_owned()),
        client: client.map(ToString::to_string),
        ties,
    });
}

fn code(asked: &Asked<'_>) -> Work {
    let body = &asked.body;
    body.needs("client", "an appid");
    body.needs("person", "a person's short name");
    let client = ClientId::new(&body.text("client").unwrap_or_default());
    let person = body.text("person").unwrap_or_default();
    let state = body.text("state");
    let scopes = body.text("scope").map(|scope| {
        let scopes: Vec<&str> = scope
            .split([',', ' '])
            .filter(|one| !one.is_empty())
            .collect();
        Scopes::of(&scopes)
    });
    let sandbox = asked.sandbox.clone();
    work(async move {
        let hand = Hand::of(&sandbox, &person).map_err(said)?;
        adopt::for_code(&sandbox, client.as_str()).await;
        let ended = hand.code(&client, state, scopes).await.map_err(said)?;
        if let End::Returned {
            code: Some(code), ..
        }
        | End::Result {
            code: Some(code), ..
        } = &ended
        {
            let ties = vec![(Tie::Code, code.clone())];
            note(&sandbox, &person, "agreed", Some(&client), ties);
        }
        Ok(end(&ended))
    })
}

fn phone(asked: &Asked<'_>) -> Work {
    asked.body.needs("person", "a person's short name");
    let person = asked.body.text("person").unwrap_or_default();
    let sandbox = asked.sandbox.clone();
    work(async move {
        let hand = Hand::of(&sandbox, &person).map_err(said)?;
        shown(&sandbox, &person, &hand).await
    })
}

async fn shown(sandbox: &Arc<Sandbox>, person: &str, hand: &Hand<'_>) -> Said {
    let (engine, phones) = (&sandbox.house.engine, &sandbox.phones);
    let user = engine.user(hand.user()).await;
    let number = user.ok().and_then(|user| user.phone.clone());
    let sms = number.map_or_else(Vec::new, |number| {
        glance::letters(sandbox, Some(number.as_str()))
    });
    let apps = engine
        .authorized(hand.user())
        .await
        .map_err(Refused::fault)?;
    let apps: Vec<Value> = apps
        .into_iter()
        .map(|(grant, client, _)| {
            json!({"appid": client.id.as_str(), "name": client.name, "since": grant.created_at.0})
        })
        .collect();
    Ok(json!({
        "person": person,
        "now": sandbox.clock.now().0,
        "installed": phones.is_installed(hand.user()),
        "asks": phones.asks(hand.user()).iter().map(ask).collect::<Vec<_>>(),
        "apps": apps,
        "sms": sms,
        "results": phones.results(hand.user()).iter().map(result).collect::<Vec<_>>(),
    }))
}

fn ask(ask: &Ask) -> Value {
    json!({
        "interaction": ask.interaction, "app": ask.app, "appid": ask.appid.as_str(),
        "developer": ask.developer, "scopes": ask.scopes, "door": door_word(ask.door),
        "since": ask.since.0,
    })
}

fn result(result: &PhoneResult) -> Value {
    let query = yufu_dialects::http::Request::get(
        "",
        result
            .callback
            .split_once('?')
            .map_or("", |(_, query)| query),
    );
    let params = query.params();
    json!({
        "at": result.at.0, "app": result.app, "appid": result.appid.as_str(),
        "err_code": result.err_code, "err_str": err_str(result.err_code),
        "code": params.get("code"), "state": params.get("state"), "callback": result.callback,
    })
}

fn tap(asked: &Asked<'_>) -> Work {
    let body = &asked.body;
    body.needs("person", "a person's short name");
    body.needs("act", "what is done with the phone");
    let person = body.text("person").unwrap_or_default();
    let act = body.one_of("act", ACTS).unwrap_or("");
    let wanted = |name: &str, of: bool, remedy: &str| {
        if of {
            body.needs(name, remedy);
        }
        body.text(name).unwrap_or_default()
    };
    let answers = ["agree", "deny", "cancel", "ignore"].contains(&act);
    let what = wanted("what", act == "scan", "what the QR code says");
    let interaction = wanted(
        "interaction",
        answers,
        "which question: GET /_sandbox/phone tells",
    );
    let appid = wanted("appid", act == "revoke", "the appid");
    let installed = body.flag("installed");
    if act == "install" {
        body.needs("installed", "true or false");
    }
    let sandbox = asked.sandbox.clone();
    work(async move {
        let hand = Hand::of(&sandbox, &person).map_err(said)?;
        match act {
            "scan" => scan(&sandbox, &person, &hand, &what).await,
            "install" => {
                people::set_installed(&sandbox, &person, installed.unwrap_or(true))?;
                Ok(json!({"installed": installed}))
            }
            "revoke" => {
                let mut told = events::of_person(&sandbox, &person, events::REVOKED).await?;
                let client = hand.revoke(&ClientId::new(&appid)).await.map_err(said)?;
                note(&sandbox, &person, "revoked", Some(&client.id), Vec::new());
                told.retain(|happened| happened.client == client.id);
                events::happened(&sandbox, told);
                Ok(json!({"revoked": client.id.as_str()}))
            }
            "ignore" => {
                let ask = hand.ignore(&interaction).map_err(said)?;
                note(&sandbox, &person, "ignored", Some(&ask.appid), ties(&ask));
                Ok(json!({}))
            }
            word => {
                let decision = match word {
                    "agree" => Decision::Allow,
                    "deny" => Decision::Deny,
                    _ => Decision::Cancel,
                };
                let (ask, ended) = hand.answer(&interaction, decision).await.map_err(said)?;
                let what = decision_note(decision);
                note(&sandbox, &person, what, Some(&ask.appid), ties(&ask));
                Ok(ended
                    .as_ref()
                    .map_or_else(|| json!({"outcome": "scan"}), end))
            }
        }
    })
}

fn ties(ask: &Ask) -> Vec<(Tie, String)> {
    let mut ties = vec![(Tie::Interaction, ask.interaction.clone())];
    ties.extend(ask.uuid.clone().map(|uuid| (Tie::Uuid, uuid)));
    ties
}

async fn scan(sandbox: &Sandbox, person: &str, hand: &Hand<'_>, what: &str) -> Said {
    match hand.scan(what).await.map_err(said)? {
        Ok(opened) => {
            note(
                sandbox,
                person,
                "scanned",
                Some(&opened.appid),
                ties(&opened),
            );
            Ok(json!({"ask": ask(&opened)}))
        }
        Err(ended) => Ok(end(&ended)),
    }
}

fn scans(asked: &Asked<'_>) -> Work {
    let sandbox = asked.sandbox.clone();
    work(async move {
        let shown = sandbox.screens.shown(&sandbox).await;
        let scans = shown.into_iter().map(|(screen, scanned)| {
            json!({
                "uuid": screen.uuid, "app": screen.app, "appid": screen.appid.as_str(),
                "since": screen.since.0, "state": if scanned { "scanned" } else { "shown" },
            })
        });
        Ok(json!({"scans": scans.collect::<Vec<_>>()}))
    })
}

/// Who answers unasked, as the control tells it.
pub fn auto_now(sandbox: &Sandbox) -> Value {
    let auto = sandbox.auto.lock().unwrap_or_else(PoisonError::into_inner);
    let auto = auto.as_ref().map(|auto| {
        json!({
            "person": auto.person,
            "decision": decision_word(auto.decision),
            "page": if auto.shows { "show" } else { "skip" },
        })
    });
    json!({"auto": auto})
}

fn auto(asked: &Asked<'_>) -> Work {
    let sandbox = asked.sandbox.clone();
    work(async move { Ok(auto_now(&sandbox)) })
}

fn set_auto(asked: &Asked<'_>) -> Work {
    let body = &asked.body;
    body.needs("person", "a person's short name");
    let person = body.text("person").unwrap_or_default();
    let decision = decision(body.one_of("decision", DECISIONS));
    let shows = body.one_of("page", &["skip", "show"]) == Some("show");
    let sandbox = asked.sandbox.clone();
    work(async move {
        Hand::of(&sandbox, &person).map_err(said)?;
        let auto = Auto {
            person,
            decision,
            shows,
        };
        *sandbox.auto.lock().unwrap_or_else(PoisonError::into_inner) = Some(auto);
        Ok(auto_now(&sandbox))
    })
}

fn no_auto(asked: &Asked<'_>) -> Work {
    let sandbox = asked.sandbox.clone();
    work(async move {
        *sandbox.auto.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(auto_now(&sandbox))
    })
}
