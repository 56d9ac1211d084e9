//! The clients of the sandbox: apps with their own appids and secrets, and what is unusual about
//! them.

use serde_json::{Value, json};
use yufu_core::client::{Client, ClientKind, NativeIdentity, Review, Status};
use yufu_core::engine::{ClientDraft, ClientEdit, Engine};
use yufu_core::id::{ClientId, DeveloperId};
use yufu_core::redirect::RedirectRule;
use yufu_core::refusal::{Refusal, Stop};
use yufu_core::secret::Secret;
use yufu_core::time::Timestamp;

use super::answer::{Refused, Said};
use super::table::{Asked, Call, Endpoint, Field, Kind, Verb, Work, work};
use crate::read::{Complaints, Table};
use crate::sandbox::SeededClient;
use crate::sandbox::seed::{self, Push};
use crate::sandbox::state::Sandbox;

const KINDS: &[&str] = &["mobile", "website", "service"];
const MODES: &[&str] = &["plain", "compatible", "encrypted"];
const FORMATS: &[&str] = &["xml", "json"];
const NATIVE: [&str; 6] = [
    "ios_bundle",
    "ios_universal_link",
    "android_package",
    "android_signature",
    "harmony_bundle",
    "harmony_identifier",
];
const PATH: &str = "/_sandbox/clients";
const ONE: &str = "/_sandbox/clients/{appid}";
const ANSWER: &str = r#"{"appid":"wx0123456789abcdef","secret":"0123456789abcdef0123456789abcdef","name":"Rooms","kind":"website","developer":"小屋科技 Rooms Ltd","redirects":["www.example.com","loopback"],"listed":true,"bound":true,"adopted":false,"native":{},"push":{"url":"http://127.0.0.1:3000/events","token":"a-token","aes_key":"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG","mode":"encrypted","format":"xml"}}"#;
const LIST: &str = r#"{"clients":[{"appid":"wx0123456789abcdef","secret":"0123456789abcdef0123456789abcdef","name":"Rooms","kind":"website","developer":"小屋科技 Rooms Ltd","redirects":["www.example.com","loopback"],"listed":true,"bound":true,"adopted":false,"native":{},"push":null}]}"#;

const NATIVE_FIELDS: &[Field] = &[
    Field::may(NATIVE[0], Kind::Text, "The bundle id.", "com.example.rooms"),
    Field::may(
        NATIVE[1],
        Kind::Text,
        "The universal link; ends with /.",
        "https://www.example.com/app/",
    ),
    Field::may(NATIVE[2], Kind::Text, "The package.", "com.example.rooms"),
    Field::may(
        NATIVE[3],
        Kind::Text,
        "MD5 of the signing certificate, 32 small hexadecimal digits.",
        "0123456789abcdef0123456789abcdef",
    ),
    Field::may(NATIVE[4], Kind::Text, "The bundle name.", ""),
    Field::may(NATIVE[5], Kind::Text, "The app identifier.", ""),
];
const PUSH_FIELDS: &[Field] = &[
    Field::must(
        "url",
        Kind::Text,
        "Where events go; empty for nowhere.",
        "http://127.0.0.1:3000/events",
    ),
    Field::may("token", Kind::Text, "What signs.", "a-token"),
    Field::may(
        "aes_key",
        Kind::Text,
        "The EncodingAESKey, 43 letters and digits; needed unless the mode is plain.",
        "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    ),
    Field::may(
        "mode",
        Kind::Word(MODES),
        "How much is encrypted; all of it unless told.",
        "encrypted",
    ),
    Field::may(
        "format",
        Kind::Word(FORMATS),
        "How events are written; XML unless told.",
        "xml",
    ),
];
const SECRET: Field = Field::may(
    "secret",
    Kind::Text,
    "Its secret; drawn where none is given.",
    "0123456789abcdef0123456789abcdef",
);
const REDIRECTS: Field = Field::may(
    "redirects",
    Kind::Texts,
    "Where it is answered: a host, a whole address, a scheme such as `myapp:`, or `loopback`, which is this machine.",
    r#"["www.example.com","loopback"]"#,
);
const LISTED: Field = Field::may(
    "listed",
    Kind::Flag,
    "Whether it is approved: who asks with one that is not gets the platform's error.",
    "true",
);
const BOUND: Field = Field::may(
    "bound",
    Kind::Flag,
    "Whether it belongs to the Open Platform account: a service account that does not is told no unionid.",
    "true",
);
const NATIVE_FIELD: Field = Field::may(
    "native",
    Kind::Object(NATIVE_FIELDS),
    "What its app says of itself on a phone.",
    "",
);
const PUSH_FIELD: Field = Field::may(
    "push",
    Kind::Object(PUSH_FIELDS),
    "Where it is told of what people do.",
    "",
);
const NEW: &[Field] = &[
    Field::may(
        "appid",
        Kind::Text,
        "Its appid, such as the one that the app has on the real platform; drawn where none is given.",
        "wx0123456789abcdef",
    ),
    SECRET,
    Field::must(
        "name",
        Kind::Text,
        "Its name, as people are shown it.",
        "Rooms",
    ),
    Field::must("kind", Kind::Word(KINDS), "What it is.", "website"),
    Field::may(
        "developer",
        Kind::Text,
        "Who owns it: clients of one developer are told the same unionid. The first one unless told.",
        "",
    ),
    REDIRECTS,
    LISTED,
    BOUND,
    NATIVE_FIELD,
    PUSH_FIELD,
];
const CHANGES: &[Field] = &[
    Field::may(
        "name",
        Kind::Text,
        "Its name, as people are shown it.",
        "Rooms",
    ),
    SECRET,
    REDIRECTS,
    LISTED,
    BOUND,
    NATIVE_FIELD,
    PUSH_FIELD,
];

/// The calls.
pub const ROWS: &[Endpoint] = &[
    Endpoint {
        about: "All clients, with their secrets.",
        answer: LIST,
        ..Endpoint::new(Verb::Get, PATH, "clients", Call::Json(list))
    },
    Endpoint {
        about: "Adds a client, with an appid and a secret of its own or with drawn ones.",
        fields: NEW,
        answer: ANSWER,
        ..Endpoint::new(Verb::Post, PATH, "clients", Call::Json(add))
    },
    Endpoint {
        about: "Changes a client; what is not given stays.",
        fields: CHANGES,
        answer: ANSWER,
        ..Endpoint::new(Verb::Patch, ONE, "clients", Call::Json(edit))
    },
];

/// What is said of a client, as far as it is said.
#[derive(Clone, Debug, Default)]
struct Draft {
    appid: Option<String>,
    secret: Option<String>,
    name: Option<String>,
    kind: Option<ClientKind>,
    developer: Option<String>,
    redirects: Option<Vec<RedirectRule>>,
    listed: Option<bool>,
    bound: Option<bool>,
    native: Option<NativeIdentity>,
    /// The inner one is empty where events shall go nowhere.
    push: Option<Option<Push>>,
}

/// Reads what is said of a client, and complains of it. `kind` is what a known one is.
fn draft(table: &Table<'_>, kind: Option<ClientKind>, is_new: bool) -> Draft {
    let mut draft = Draft::default();
    if is_new {
        draft.appid = table.text("appid");
        if draft.appid.as_deref().is_some_and(|appid| !is_appid(appid)) {
            let remedy =
                "write 1 to 64 letters, digits, - _ or .; real ones are wx and 16 of 0-9a-f";
            table.complain("appid", "is no appid", remedy);
        }
        table.needs("name", "a name: name = \"Rooms\"");
        table.needs("kind", "\"mobile\" or \"website\" or \"service\"");
        let word = table.one_of("kind", KINDS);
        draft.kind = word.and_then(ClientKind::parse);
        draft.developer = table.text("developer");
    }
    let kind = kind.or(draft.kind);
    draft.secret = table.text("secret");
    if let Some(secret) = &draft.secret {
        let visible = secret.bytes().all(|b| b.is_ascii_graphic());
        if !(8..=128).contains(&secret.len()) || !visible {
            let remedy = "write 8 to 128 visible ASCII characters; real ones are 32 of 0-9a-f";
            table.complain("secret", "is no secret", remedy);
        }
    }
    draft.name = table.text("name");
    for (field, text) in [("name", &draft.name), ("developer", &draft.developer)] {
        let Some(text) = text else { continue };
        let fits = (1..=64).contains(&text.trim().chars().count());
        if !fits || text.chars().any(char::is_control) {
            table.complain(
                field,
                "is no name",
                "write 1 to 64 characters that can be shown",
            );
        }
    }
    draft.redirects = table.list("redirects").map(|texts| rules(table, &texts));
    draft.listed = table.flag("listed");
    draft.bound = table.flag("bound");
    if draft.bound == Some(false) && kind.is_some_and(|kind| kind != ClientKind::Service) {
        let remedy = "only a service account can be outside of it; for somebody without a unionid \
                      set the person's unionid to false (docs/facts/wechat.md §7.1)";
        table.complain("bound", "is false for an app of the Open Platform", remedy);
    }
    draft.native = table.table("native").map(|native| identity(&native));
    draft.push = table.table("push").map(|push| address(&push));
    draft
}

fn is_appid(appid: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=ClientId::MAX_BYTES).contains(&appid.len()) && appid.bytes().all(letter)
}

fn rules(table: &Table<'_>, texts: &[String]) -> Vec<RedirectRule> {
    let mut rules = Vec::new();
    for (n, text) in texts.iter().enumerate() {
        match rule(text) {
            Ok(rule) => rules.push(rule),
            Err((what, remedy)) => {
                table.complain(
                    "redirects",
                    &format!("holds {text:?} at {n}, which {what}"),
                    remedy,
                );
            }
        }
    }
    rules
}

/// A rule as people write it.
fn rule(text: &str) -> Result<RedirectRule, (&'static str, &'static str)> {
    let rule = match text.split_once(':') {
        _ if matches!(text, "loopback" | "localhost" | "127.0.0.1") => RedirectRule::Loopback,
        Some((_, rest)) if rest.starts_with("//") && rest.len() > 2 => {
            RedirectRule::Exact(text.to_owned())
        }
        Some((scheme, "" | "//")) => RedirectRule::Scheme(scheme.to_owned()),
        Some((_, port)) if port.bytes().all(|b| b.is_ascii_digit()) => {
            let what = "has a port, and the platform admits none (docs/facts/wechat.md §3)";
            return Err((
                what,
                "write the host alone, or \"loopback\" for this machine",
            ));
        }
        _ => RedirectRule::Host(text.to_ascii_lowercase()),
    };
    if rule.is_sound() {
        return Ok(rule);
    }
    let remedy = "write a host (www.example.com), a whole address without a fragment, a scheme \
                  (myapp:), or \"loopback\"";
    Err(("is no place to return to", remedy))
}

fn written(rule: &RedirectRule) -> String {
    match rule {
        RedirectRule::Exact(address) => address.clone(),
        RedirectRule::Host(host) => host.clone(),
        RedirectRule::Loopback => "loopback".to_owned(),
        RedirectRule::Scheme(scheme) => format!("{scheme}:"),
    }
}

/// Reads what an app says of itself; the engine judges it as it would a developer's.
fn identity(table: &Table<'_>) -> NativeIdentity {
    let text = |name: &str| {
        let text = table.text(name).filter(|text| !text.is_empty());
        let plain = |text: &String| text.len() <= 256 && text.bytes().all(|b| b.is_ascii_graphic());
        if text.as_ref().is_some_and(|text| !plain(text)) {
            table.complain(
                name,
                "is no identifier",
                "write at most 256 visible ASCII characters",
            );
        }
        text
    };
    let native = NativeIdentity {
        ios_bundle: text(NATIVE[0]),
        ios_universal_link: text(NATIVE[1]),
        android_package: text(NATIVE[2]),
        android_signature: text(NATIVE[3]),
        harmony_bundle: text(NATIVE[4]),
        harmony_identifier: text(NATIVE[5]),
    };
    let link = native.ios_universal_link.as_deref();
    if link.is_some_and(|link| !link.contains("://") || !link.ends_with('/') || link.contains('?'))
    {
        let remedy = "write an https address that ends with / (docs/facts/wechat.md §11.3)";
        table.complain(NATIVE[1], "is no universal link", remedy);
    }
    let digest = native.android_signature.as_deref();
    let is_digest = |text: &str| {
        text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    if digest.is_some_and(|text| !is_digest(text)) {
        let remedy =
            "write 32 small hexadecimal digits without colons (docs/facts/wechat.md §11.4)";
        table.complain(NATIVE[3], "is no signature", remedy);
    }
    native
}

/// Reads where events go.
fn address(table: &Table<'_>) -> Option<Push> {
    table.needs("url", "an address: url = \"http://127.0.0.1:3000/events\"");
    let url = table.text("url").unwrap_or_default();
    let token = table.text("token").unwrap_or_default();
    let aes_key = table.text("aes_key").unwrap_or_default();
    let mode = table.one_of("mode", MODES).unwrap_or("encrypted");
    let format = table.one_of("format", FORMATS).unwrap_or("xml");
    if url.is_empty() {
        return None;
    }
    if !url.starts_with("http://") && !url.starts_with("https://") {
        table.complain("url", "is no address", "write one of http or https");
    }
    if token.is_empty() {
        table.complain(
            "token",
            "is empty",
            "write the Token of the console: it signs every event",
        );
    }
    let is_key = aes_key.len() == 43 && aes_key.bytes().all(|b| b.is_ascii_alphanumeric());
    if !(is_key || mode == "plain" && aes_key.is_empty()) {
        let remedy = "write the EncodingAESKey of the console: 43 letters and digits";
        table.complain("aes_key", "is no key", remedy);
    }
    Some(Push {
        url,
        token,
        aes_key,
        mode: mode.to_owned(),
        format: format.to_owned(),
    })
}

fn list(asked: &Asked<'_>) -> Work {
    let sandbox = asked.sandbox.clone();
    work(async move { Ok(json!({"clients": all(&sandbox).await?})) })
}

/// All clients, as the control tells of them.
///
/// # Errors
/// Faults of the store.
pub async fn all(sandbox: &Sandbox) -> Result<Vec<Value>, Refused> {
    let clients = sandbox.world().clients.clone();
    let mut told = Vec::with_capacity(clients.len());
    for client in &clients {
        told.push(one(sandbox, client).await?);
    }
    Ok(told)
}

async fn one(sandbox: &Sandbox, known: &SeededClient) -> Said {
    let engine = &sandbox.house.engine;
    let client = engine
        .client(&ClientId::new(&known.appid))
        .await
        .map_err(unfit)?;
    Ok(json!({
        "appid": known.appid,
        "secret": known.secret,
        "name": client.name,
        "kind": known.kind,
        "developer": known.developer,
        "redirects": client.redirects.iter().map(written).collect::<Vec<_>>(),
        "listed": client.status == Status::Approved,
        "bound": client.bound,
        "adopted": known.adopted,
        "native": native(&client.native),
        "push": known.push,
    }))
}

fn native(native: &NativeIdentity) -> Value {
    let all = [
        &native.ios_bundle,
        &native.ios_universal_link,
        &native.android_package,
        &native.android_signature,
        &native.harmony_bundle,
        &native.harmony_identifier,
    ];
    let told = NATIVE.into_iter().zip(all);
    let told = told.filter_map(|(name, value)| Some((name.to_owned(), value.clone()?.into())));
    Value::Object(told.collect())
}

/// What the engine would not take.
fn unfit(stop: Stop) -> Refused {
    match stop {
        Stop::Refused(Refusal::Malformed("client")) => Refused::conflict(
            "appid",
            "is that of another client of the platform",
            "PATCH that one, or take another appid",
        ),
        Stop::Refused(Refusal::Malformed(field)) => Refused::bad(Complaints::one(
            field,
            "is not what the platform takes",
            "see docs/facts/wechat.md §11 for its shape",
        )),
        Stop::Refused(refusal) => Refused::fault(refusal),
        Stop::Failed(fault) => Refused::fault(fault),
    }
}

fn add(asked: &Asked<'_>) -> Work {
    let (body, sandbox) = (&asked.body, asked.sandbox.clone());
    let draft = draft(body, None, true);
    let appid = draft.appid.as_deref();
    let taken = sandbox
        .world()
        .clients
        .iter()
        .any(|known| Some(known.appid.as_str()) == appid);
    if taken {
        body.complain(
            "appid",
            "is taken",
            "PATCH that client, or take another appid",
        );
    }
    work(async move {
        let _turn = sandbox.editing.lock().await;
        let now = sandbox.clock.now();
        let engine = &sandbox.house.engine;
        let kind = draft.kind.unwrap_or(ClientKind::Website);
        let first = sandbox
            .world()
            .clients
            .first()
            .map(|it| it.developer.clone());
        let (developer, owner) = owner(engine, draft.developer.clone().or(first), now).await?;
        let new = ClientDraft {
            developer,
            kind,
            name: draft.name.clone().unwrap_or_default(),
            redirects: draft
                .redirects
                .clone()
                .unwrap_or_else(|| vec![RedirectRule::Loopback]),
            native: draft.native.clone().unwrap_or_default(),
            bound: draft.bound.unwrap_or(true),
            policy: seed::policy(kind),
            status: if draft.listed == Some(false) {
                Status::InReview
            } else {
                Status::Approved
            },
        };
        let (client, secret) = bring(engine, new, &draft, now).await?;
        let known = SeededClient {
            kind: kind.word().to_owned(),
            name: client.name.clone(),
            appid: client.id.to_string(),
            secret,
            developer: owner,
            redirect: redirect(&client),
            added: true,
            adopted: false,
            push: draft.push.clone().flatten(),
        };
        let told = one(&sandbox, &known).await;
        let kept = sandbox.change_world(|world| world.clients.push(known));
        kept.map_err(Refused::fault)?;
        told
    })
}

/// Makes the client, with what it brought or with what is drawn.
async fn bring(
    engine: &Engine,
    new: ClientDraft,
    draft: &Draft,
    now: Timestamp,
) -> Result<(Client, String), Refused> {
    let Some(appid) = &draft.appid else {
        let (client, drawn) = engine.create_client(new, now).await.map_err(unfit)?;
        let Some(secret) = &draft.secret else {
            return Ok((client, drawn.expose().to_owned()));
        };
        let brought = engine
            .give_secret(&client.id, &Secret::new(secret), now)
            .await;
        brought.map_err(unfit)?;
        return Ok((client, secret.clone()));
    };
    let id = ClientId::new(appid);
    let secret = draft.secret.clone().unwrap_or_else(draw_secret);
    let brought = engine
        .bring_client(new, &id, &Secret::new(&secret), now)
        .await;
    Ok((brought.map_err(unfit)?, secret))
}

/// 32 hexadecimal digits (`docs/facts/wechat.md` §2).
fn draw_secret() -> String {
    let mut bytes = [0; 16];
    yufu_core::secret::Entropy::fill(&crate::ports::SystemEntropy, &mut bytes);
    yufu_core::keyring::hex(&bytes)
}

/// Who owns a client, by name: made if there is nobody yet.
async fn owner(
    engine: &Engine,
    name: Option<String>,
    now: Timestamp,
) -> Result<(DeveloperId, String), Refused> {
    let name = name.unwrap_or_else(|| "Developers".to_owned());
    let all = engine.browse().developers().await.map_err(Refused::fault)?;
    if let Some(found) = all.into_iter().find(|it| it.name == name.trim()) {
        return Ok((found.id, found.name));
    }
    let made = engine.create_developer(&name, now).await;
    made.map(|made| (made.id, made.name)).map_err(unfit)
}

/// Where a client is answered, for the pages of development.
fn redirect(client: &Client) -> String {
    let all: Vec<String> = client.redirects.iter().map(written).collect();
    all.join(", ")
}

fn edit(asked: &Asked<'_>) -> Work {
    let (body, sandbox) = (&asked.body, asked.sandbox.clone());
    let appid = asked.hole("appid").to_owned();
    let known = known(&sandbox, &appid);
    let kind = known
        .as_ref()
        .ok()
        .and_then(|known| ClientKind::parse(&known.kind));
    let draft = draft(body, kind, false);
    work(async move {
        let _turn = sandbox.editing.lock().await;
        let mut known = known?;
        let (engine, now) = (&sandbox.house.engine, sandbox.clock.now());
        let id = ClientId::new(&appid);
        let before = engine.client(&id).await.map_err(unfit)?;
        let edit = ClientEdit {
            name: draft.name.clone(),
            redirects: draft.redirects.clone(),
            native: draft.native.clone(),
            bound: draft.bound,
            policy: None,
        };
        let after = engine.edit_client(&id, edit, now).await.map_err(unfit)?;
        if let Some(secret) = &draft.secret {
            let brought = engine.give_secret(&id, &Secret::new(secret), now).await;
            brought.map_err(unfit)?;
            known.secret.clone_from(secret);
        }
        let listed = draft.listed.unwrap_or(before.status == Status::Approved);
        list_or_not(engine, &id, after.status, listed, now).await?;
        known.name.clone_from(&after.name);
        if draft.redirects.is_some() {
            known.redirect = redirect(&after);
            // From now on it is answered where it was said, not where the demo app is.
            known.added = true;
        }
        if let Some(push) = &draft.push {
            known.push.clone_from(push);
        }
        let told = one(&sandbox, &known).await;
        let kept = sandbox.change_world(|world| {
            let place = world.clients.iter_mut().find(|it| it.appid == known.appid);
            if let Some(place) = place {
                *place = known;
            }
        });
        kept.map_err(Refused::fault)?;
        told
    })
}

/// Brings a client online, or takes it off: here an edit needs nobody's review.
async fn list_or_not(
    engine: &Engine,
    id: &ClientId,
    status: Status,
    listed: bool,
    now: Timestamp,
) -> Result<(), Refused> {
    let steps: &[Review] = match (listed, status) {
        (true, Status::Draft | Status::Rejected) => &[Review::Submit, Review::Approve],
        (true, Status::InReview | Status::Suspended) => &[Review::Approve],
        (false, Status::Approved) => &[Review::Edit],
        _ => &[],
    };
    for step in steps {
        engine.review(id, *step, "", now).await.map_err(unfit)?;
    }
    Ok(())
}

/// A client by its appid.
fn known(sandbox: &Sandbox, appid: &str) -> Result<SeededClient, Refused> {
    let world = sandbox.world();
    let found = world.clients.iter().find(|known| known.appid == appid);
    found.cloned().ok_or_else(|| {
        let all = world.clients.iter().map(|known| known.appid.as_str());
        let remedy = match crate::read::nearest(appid, all) {
            Some(near) => format!("did you mean {near}?"),
            None => "GET /_sandbox/clients lists them; POST there adds one".to_owned(),
        };
        Refused::missing(
            format!("there is no client {}", appid.escape_debug()),
            remedy,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_to_return_to_are_read_as_people_write_them() {
        let host = |host: &str| RedirectRule::Host(host.to_owned());
        for (text, expected) in [
            ("www.example.com", host("www.example.com")),
            ("WWW.Example.com", host("www.example.com")),
            ("loopback", RedirectRule::Loopback),
            ("localhost", RedirectRule::Loopback),
            ("myapp:", RedirectRule::Scheme("myapp".to_owned())),
            ("myapp://", RedirectRule::Scheme("myapp".to_owned())),
            (
                "https://www.example.com/cb?x=1",
                RedirectRule::Exact("https://www.example.com/cb?x=1".to_owned()),
            ),
        ] {
            let read = rule(text);
            assert_eq!(read, Ok(expected.clone()), "{text}");
            assert_eq!(rule(&written(&expected)), Ok(expected), "{text}");
        }
        for (text, told) in [
            ("www.example.com:8080", "has a port"),
            ("example", "is no place"),
            ("", "is no place"),
            ("https:", "is no place"),
            ("https://a.example/#x", "is no place"),
            ("www.example.com/cb", "is no place"),
            ("a b.example", "is no place"),
        ] {
            let (what, _) = rule(text).unwrap_err();
            assert!(what.starts_with(told), "{text}: {what}");
        }
    }

    #[test]
    fn appids_are_those_that_the_engine_takes() {
        for appid in ["wx0123456789abcdef", "a", "my-app_1.0"] {
            assert!(is_appid(appid), "{appid}");
        }
        for appid in ["", "wx 1", "wx/1", "梅", &"x".repeat(65)] {
            assert!(!is_appid(appid), "{appid}");
        }
    }
}
