//! Apps that nobody registered here. An unmodified app brings its own appid and secret: when it
//! calls the platform by its own names, the sandbox takes it in, so that nothing of it need change.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http_body_util::{BodyExt as _, Limited};
use yufu_core::client::{ClientKind, ClientPolicy, NativeIdentity, Status};
use yufu_core::engine::ClientDraft;
use yufu_core::id::{ClientId, DeveloperId};
use yufu_core::redirect::RedirectRule;
use yufu_core::refusal::{Refusal, Stop};
use yufu_core::secret::Secret;
use yufu_dialects::http::{Params, Request as Plain};
use yufu_web::{ByProxy, clock};

use super::seed::SeededClient;
use super::seen::{Lane, Note, Tie};
use super::state::Sandbox;

/// Who owns the apps that were taken in: one account, so a person is one unionid at all of them.
const OWNER: &str = "Apps of this machine";
/// The most bytes of a form in which a secret is looked for.
const FORM: usize = 64 * 1024;
/// Where an app shows its secret.
const SHOWS_SECRET: [&str; 3] = [
    "/sns/oauth2/access_token",
    "/sns/jscode2session",
    "/cgi-bin/token",
];

/// Takes apps in.
pub struct Adopter {
    on: bool,
    /// Apps that were taken in and have not shown their secret yet.
    waiting: Mutex<HashSet<String>>,
}

impl Adopter {
    /// One that takes apps in, or none.
    pub fn new(on: bool) -> Self {
        Self {
            on,
            waiting: Mutex::default(),
        }
    }

    /// An app of an earlier run has not shown its secret yet.
    pub fn awaits(&self, appid: &str) {
        self.waiting().insert(appid.to_owned());
    }

    fn waiting(&self) -> MutexGuard<'_, HashSet<String>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts whoever takes apps in before the platform's router.
pub(super) fn before(router: Router, sandbox: &Arc<Sandbox>) -> Router {
    router.layer(from_fn_with_state(sandbox.clone(), pass))
}

async fn pass(State(sandbox): State<Arc<Sandbox>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let concerns = kind_at(path).is_some() || SHOWS_SECRET.contains(&path);
    let named = request.extensions().get::<ByProxy>().is_some();
    if !sandbox.adopter.on || !named || !concerns {
        return next.run(request).await;
    }
    let path = path.to_owned();
    let query = request.uri().query().unwrap_or("").to_owned();
    let params = Plain::get(&path, &query).params();
    if let Some(kind) = kind_at(&path) {
        look(&sandbox, kind, &params).await;
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    // A longer body is refused by the house as well; what was read of it is lost to nobody.
    let Ok(form) = Limited::new(body, FORM).collect().await else {
        return next.run(Request::from_parts(parts, Body::empty())).await;
    };
    let form = form.to_bytes();
    let form_params = Plain::get("", &String::from_utf8_lossy(&form)).params();
    let said = |name: &str| {
        params
            .filled(name)
            .or(form_params.filled(name))
            .map(str::to_owned)
    };
    if let (Some(appid), Some(secret)) = (said("appid"), said("secret")) {
        show_secret(&sandbox, &appid, &secret).await;
    }
    next.run(Request::from_parts(parts, Body::from(form))).await
}

/// What kind of app asks at this address.
fn kind_at(path: &str) -> Option<ClientKind> {
    match path {
        "/connect/qrconnect" => Some(ClientKind::Website),
        "/connect/oauth2/authorize" => Some(ClientKind::Service),
        "/connect/app/authorize" | "/connect/sdk/qrconnect" => Some(ClientKind::Mobile),
        _ => None,
    }
}

/// Takes the app of an authorize request in, if nobody knows it.
async fn look(sandbox: &Sandbox, kind: ClientKind, params: &Params) {
    let appid = params.get("appid").unwrap_or("");
    if !is_appid(appid) || is_known(sandbox, appid).await {
        return;
    }
    let native = match kind {
        ClientKind::Mobile => native(params),
        ClientKind::Website | ClientKind::Service => NativeIdentity::default(),
    };
    let redirects = redirects(params.get("redirect_uri").unwrap_or(""));
    let state = params.get("state").unwrap_or("");
    let ties = vec![(Tie::State, format!("{appid}\n{state}"))];
    take_in(sandbox, appid, kind, redirects, native, None, ties).await;
}

/// Takes in an app that an authorize address of the platform's own name, or a request for a code,
/// tells of. Does nothing where it is known, or where apps are not taken in.
pub async fn for_address(sandbox: &Sandbox, path: &str, query: &str) {
    if let Some(kind) = kind_at(path).filter(|_| sandbox.adopter.on) {
        look(sandbox, kind, &Plain::get(path, query).params()).await;
    }
}

/// Takes in a mobile app for which a code is asked: it has no authorize address to be known by.
pub async fn for_code(sandbox: &Sandbox, appid: &str) {
    if !sandbox.adopter.on || !is_appid(appid) || is_known(sandbox, appid).await {
        return;
    }
    let native = NativeIdentity {
        ios_bundle: Some("com.example.app".to_owned()),
        ..NativeIdentity::default()
    };
    let rules = vec![RedirectRule::Loopback];
    take_in(
        sandbox,
        appid,
        ClientKind::Mobile,
        rules,
        native,
        None,
        Vec::new(),
    )
    .await;
}

/// An app shows its secret: it becomes the app's own if it was taken in and has shown none.
async fn show_secret(sandbox: &Sandbox, appid: &str, secret: &str) {
    if !is_appid(appid) {
        return;
    }
    if !is_known(sandbox, appid).await {
        // It logs people in by codes that come from a phone: a mobile app.
        let (kind, native) = (ClientKind::Mobile, NativeIdentity::default());
        take_in(
            sandbox,
            appid,
            kind,
            vec![RedirectRule::Loopback],
            native,
            Some(secret),
            Vec::new(),
        )
        .await;
        return;
    }
    if !sandbox.adopter.waiting().remove(appid) {
        return;
    }
    let engine = &sandbox.house.engine;
    let given = engine
        .give_secret(
            &ClientId::new(appid),
            &Secret::new(secret),
            sandbox.clock.now(),
        )
        .await;
    match given {
        Ok(()) => keep_secret(sandbox, appid, secret),
        // Not one that a client can have: it stays open for the next.
        Err(_) => {
            sandbox.adopter.waiting().insert(appid.to_owned());
        }
    }
}

fn keep_secret(sandbox: &Sandbox, appid: &str, secret: &str) {
    keep(sandbox.change_world(|world| {
        let mut clients = world.clients.iter_mut();
        if let Some(client) = clients.find(|client| client.appid == appid) {
            secret.clone_into(&mut client.secret);
        }
    }));
}

/// The app is taken in all the same; only a folder that stays will not know of it.
fn keep(kept: Result<(), String>) {
    if let Err(words) = kept {
        tracing::warn!("{words}");
    }
}

async fn is_known(sandbox: &Sandbox, appid: &str) -> bool {
    let client = sandbox.house.engine.client(&ClientId::new(appid)).await;
    !matches!(client, Err(Stop::Refused(Refusal::UnknownClient)))
}

/// An appid as the platform gives them (`docs/facts/wechat.md` §2): anything else is a typing
/// error, and is told as one.
fn is_appid(text: &str) -> bool {
    text.strip_prefix("wx")
        .is_some_and(|rest| rest.len() == 16 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// This machine, and the host that the app names.
fn redirects(address: &str) -> Vec<RedirectRule> {
    let mut rules = vec![RedirectRule::Loopback];
    let host = address.split_once("://").map_or("", |(_, rest)| rest);
    let host = host.split(['/', '?', '#', ':']).next().unwrap_or("");
    let rule = RedirectRule::Host(host.to_ascii_lowercase());
    if rule.is_sound() && host.parse::<std::net::IpAddr>().is_err() {
        rules.push(rule);
    }
    rules
}

fn native(params: &Params) -> NativeIdentity {
    let said = |name: &str| params.filled(name).map(str::to_owned);
    let (bundle, signature) = (said("bundle"), said("signature"));
    let none = NativeIdentity::default();
    match params.get("platform") {
        Some("android") => NativeIdentity {
            android_package: bundle,
            android_signature: signature,
            ..none
        },
        Some("harmony") => NativeIdentity {
            harmony_bundle: bundle,
            harmony_identifier: signature,
            ..none
        },
        _ => NativeIdentity {
            ios_bundle: bundle,
            ..none
        },
    }
}

async fn owner(sandbox: &Sandbox) -> Result<DeveloperId, Stop> {
    let engine = &sandbox.house.engine;
    let all = engine.browse().developers().await?;
    match all.into_iter().find(|developer| developer.name == OWNER) {
        Some(developer) => Ok(developer.id),
        None => Ok(engine
            .create_developer(OWNER, sandbox.clock.now())
            .await?
            .id),
    }
}

async fn take_in(
    sandbox: &Sandbox,
    appid: &str,
    kind: ClientKind,
    redirects: Vec<RedirectRule>,
    native: NativeIdentity,
    secret: Option<&str>,
    ties: Vec<(Tie, String)>,
) {
    let engine = &sandbox.house.engine;
    let Ok(developer) = owner(sandbox).await else {
        return;
    };
    let draft = ClientDraft {
        developer,
        kind,
        name: appid.to_owned(),
        redirects,
        native,
        bound: true,
        policy: ClientPolicy {
            // It speaks as it would to the platform, which has no PKCE.
            wechat_compatible: kind == ClientKind::Mobile,
            ..ClientPolicy::of(kind)
        },
        status: Status::Approved,
    };
    // Until it shows its own, it has one that nobody knows.
    let drawn = super::draw_token();
    let known = secret.map_or(drawn, Secret::new);
    let now = sandbox.clock.now();
    let brought = engine
        .bring_client(draft, &ClientId::new(appid), &known, now)
        .await;
    if brought.is_err() {
        // Another request was first, or the secret is none: the house says what there is to say.
        return;
    }
    if secret.is_none() {
        sandbox.adopter.waiting().insert(appid.to_owned());
    }
    let client = SeededClient {
        kind: kind.word().to_owned(),
        name: appid.to_owned(),
        appid: appid.to_owned(),
        secret: secret.unwrap_or("").to_owned(),
        developer: OWNER.to_owned(),
        redirect: String::new(),
        added: true,
        adopted: true,
        push: None,
    };
    keep(sandbox.change_world(|world| world.clients.push(client)));
    sandbox.flows.note(Note {
        at: clock::real(),
        from: Lane::Platform,
        to: Lane::Platform,
        what: "adopted",
        detail: format!(
            "{appid} was not registered here; taken in as a {} app",
            kind.word()
        ),
        person: None,
        client: Some(appid.to_owned()),
        ties,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_app_may_be_sent_back_to_is_its_own_host_and_this_machine() {
        let host = |name: &str| RedirectRule::Host(name.to_owned());
        for (address, more) in [
            (
                "https://www.Example.com/cb?x=1",
                Some(host("www.example.com")),
            ),
            (
                "http://dev.example.com:3000/cb",
                Some(host("dev.example.com")),
            ),
            ("http://127.0.0.1:3000/cb", None),
            ("http://localhost:3000/cb", None),
            ("not an address", None),
            ("", None),
        ] {
            let expected: Vec<_> = [RedirectRule::Loopback].into_iter().chain(more).collect();
            assert_eq!(redirects(address), expected, "{address}");
        }
    }

    #[test]
    fn an_appid_is_told_from_a_typing_error() {
        assert!(is_appid("wx5f0e6ad8c21b7390"));
        for bad in [
            "",
            "wx",
            "wx5f0e6ad8c21b739",
            "wx5f0e6ad8c21b739g",
            "gh_5f0e6ad8c21b7390",
            "wx5f0e6ad8c21b73900",
        ] {
            assert!(!is_appid(bad), "{bad}");
        }
    }
}
