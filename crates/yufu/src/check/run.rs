//! Runs the rows: one after the other, each with people of its own, within a time, and cleans up
//! after itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use yufu_web::clock;

use super::backend::Backend;
use super::recipe::{App, Recipe, shipped};
use super::rows::{self, Row};
use super::sandbox::{KnownApp, Sandbox};
use super::stage::Stage;
use super::template::Vars;
use super::verdict::{Outcome, Stop, Verdict};
use crate::launch::found::Ready;
use crate::read::nearest;

/// What a row may take besides the backend's patience, which it may meet several times: minutes that
/// a second passcode or a quota are waited for, too.
const ROW: Duration = Duration::from_secs(240);
/// How often a scenario may meet the backend's whole patience.
const PATIENCES: u32 = 8;
/// How long a backend that fell over is waited for, in case something starts it again.
const RESTART: Duration = Duration::from_secs(5);
/// What is said of rows that cannot be judged for that.
pub const HINDERED: &str = "the plain login does not work: see";
/// The row without which no other makes sense.
const FIRST: &str = "ACT-01";

/// A check at work.
pub struct Check {
    backend: Arc<Backend>,
    sandbox: Arc<Sandbox>,
    apps: [Option<KnownApp>; 3],
    people: Vec<String>,
    /// Where the platform pushed to before.
    pushed: Option<Value>,
    stopping: watch::Receiver<bool>,
}

/// Which rows are asked for.
///
/// # Errors
/// In the user's words: there is no such row.
pub fn chosen(only: &[String]) -> Result<Vec<&'static Row>, String> {
    let all = rows::all();
    if only.is_empty() {
        return Ok(all);
    }
    let mut wrong = Vec::new();
    let mut ids = BTreeSet::new();
    for word in only.iter().flat_map(|it| it.split(',')) {
        let word = word.trim().to_uppercase();
        let fits = |id: &str| id == word || id.split('-').next() == Some(word.as_str());
        let found: Vec<_> = all.iter().filter(|row| fits(row.id)).collect();
        if !found.is_empty() {
            ids.extend(found.iter().map(|row| row.id));
            continue;
        }
        let reason = rows::UNJUDGED.iter().find(|(id, _)| *id == word);
        wrong.push(
            match (reason, nearest(&word, all.iter().map(|row| row.id))) {
                (Some((id, reason)), _) => format!("{id} is not judged: {reason}"),
                (None, Some(near)) => format!("there is no row {word}; did you mean {near}?"),
                (None, None) => {
                    format!("there is no row or group {word}; `yufu check --list` names them")
                }
            },
        );
    }
    match wrong.is_empty() {
        true => Ok(all.into_iter().filter(|row| ids.contains(row.id)).collect()),
        false => Err(wrong.join("\n")),
    }
}

impl Check {
    /// Makes everything ready: the apps, the backend.
    ///
    /// # Errors
    /// In the user's words.
    pub async fn ready(recipe: Recipe, ready: &Ready) -> Result<Self, String> {
        let sandbox = Sandbox::new(ready.client());
        let apps = apps(&recipe, &sandbox, ready).await?;
        let given = given(&recipe, ready, &apps);
        let pushed = push_here(&recipe, &sandbox, &apps).await?;
        let backend = Backend::new(recipe, given)?;
        Ok(Self {
            backend: Arc::new(backend),
            sandbox: Arc::new(sandbox),
            apps,
            people: Vec::new(),
            pushed,
            stopping: hear(),
        })
    }

    /// Whether it was asked to stop.
    pub fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// The backend.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Runs rows; `before` hears of each before it runs, `after` of each verdict.
    pub async fn run(
        &mut self,
        rows: &[&'static Row],
        mut before: impl FnMut(&'static Row),
        mut after: impl FnMut(&Verdict),
    ) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        // Nothing can be said of a backend whose plain login does not work.
        let mut hindered = None;
        let asks_first = rows.first().is_some_and(|row| row.id == FIRST);
        if !asks_first && let Some(first) = rows::all().into_iter().find(|row| row.id == FIRST) {
            before(first);
            let verdict = self.judge(first).await;
            hindered = hindrance(&verdict);
            if hindered.is_some() {
                after(&verdict);
                verdicts.push(verdict);
            }
        }
        for row in rows {
            if self.is_stopping() {
                break;
            }
            before(row);
            let verdict = match (&hindered, self.missing(row)) {
                (_, Some(words)) => verdict(row, Outcome::Skipped, words),
                (Some(words), None) => verdict(row, Outcome::Error, words.clone()),
                (None, None) => self.judge(row).await,
            };
            if row.id == FIRST {
                hindered = hindrance(&verdict);
            }
            if verdict.outcome == Outcome::Error && hindered.is_none() {
                hindered = self.down(row).await;
            }
            after(&verdict);
            verdicts.push(verdict);
        }
        verdicts
    }

    /// Why a row is skipped.
    fn missing(&self, row: &Row) -> Option<String> {
        let recipe = &self.backend.recipe;
        let missing = |need: &rows::Need| need.missing(recipe);
        row.needs.iter().find_map(missing)
    }

    /// Whether the backend fell over, and stays down.
    async fn down(&self, row: &Row) -> Option<String> {
        if self.backend.answers().await.is_ok() {
            return None;
        }
        tokio::time::sleep(RESTART).await;
        let still = self.backend.answers().await.is_err();
        still.then(|| format!("your backend is down since {}", row.id))
    }

    async fn judge(&mut self, row: &'static Row) -> Verdict {
        let began = clock::mark();
        let stage = Stage::new(
            self.backend.clone(),
            self.sandbox.clone(),
            self.apps.clone(),
        );
        let limit = ROW + self.backend.recipe.patience * PATIENCES;
        let mut stopping = self.stopping.clone();
        let ran = tokio::select! {
            ran = (row.run)(&stage) => ran,
            () = tokio::time::sleep(limit) => {
                let words = format!("it was not done after {} s", limit.as_secs());
                Err(Stop::Error(words))
            }
            _ = stopping.wait_for(|stop| *stop) => Err(Stop::Error("stopped".to_owned())),
        };
        stage.clear().await;
        let (outcome, seen) = match ran {
            Ok(()) => (Outcome::Pass, String::new()),
            Err(Stop::Fail(seen)) => (Outcome::Fail, seen),
            Err(Stop::Skip(seen)) => (Outcome::Skipped, seen),
            Err(Stop::Error(seen)) => (Outcome::Error, seen),
        };
        let mut verdict = verdict(row, outcome, seen);
        verdict.notes = stage.notes();
        let people = stage.people();
        if verdict.outcome == Outcome::Fail {
            verdict.flows = self.flows(&people).await;
        }
        self.people
            .extend(people.into_iter().map(|person| person.name));
        verdict.took = began.elapsed().as_millis();
        verdict
    }

    /// The logins of these people, as ids.
    async fn flows(&self, people: &[super::sandbox::Person]) -> Vec<String> {
        let mut ids = Vec::new();
        for person in people {
            let flows = self.sandbox.flows(person).await.unwrap_or_default();
            ids.extend(flows.into_iter().map(|flow| flow.id));
        }
        ids
    }

    /// Takes away what was made: the people, and where pushes went.
    pub async fn clean(&mut self) {
        if let (Some(before), [Some(app), ..]) = (self.pushed.take(), &self.apps) {
            let _ = self.sandbox.push_to(&app.appid, &before).await;
        }
        for name in std::mem::take(&mut self.people) {
            let _ = self.sandbox.forget(&name).await;
        }
    }
}

/// Hears Ctrl-C and polite ends: what was begun is cleared away before the process goes.
fn hear() -> watch::Receiver<bool> {
    use tokio::signal::unix::{SignalKind, signal};
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(async move {
        let Ok(mut ended) = signal(SignalKind::terminate()) else {
            return;
        };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = ended.recv() => {}
            () = stop.closed() => return,
        }
        let _ = stop.send(true);
    });
    stopping
}

fn verdict(row: &'static Row, outcome: Outcome, seen: String) -> Verdict {
    let failed = outcome == Outcome::Fail;
    Verdict {
        id: row.id,
        holds: row.holds,
        outcome,
        seen,
        why: if failed { row.why } else { "" },
        fix: if failed { row.fix } else { "" },
        notes: Vec::new(),
        flows: Vec::new(),
        took: 0,
    }
}

/// Why no other row can be judged after this verdict on the first.
fn hindrance(verdict: &Verdict) -> Option<String> {
    match verdict.outcome {
        Outcome::Fail | Outcome::Error => Some(format!("{HINDERED} {FIRST}")),
        Outcome::Pass | Outcome::Skipped => None,
    }
}

/// Lets the platform push to the backend; answers where it pushed before.
async fn push_here(
    recipe: &Recipe,
    sandbox: &Sandbox,
    [app, ..]: &[Option<KnownApp>; 3],
) -> Result<Option<Value>, String> {
    let (Some(push), Some(app)) = (&recipe.push, app) else {
        return Ok(None);
    };
    let url = recipe.base.join(&push.path);
    let url = url.map_err(|_| format!("push.path is \"{}\", no address", push.path))?;
    let mut body = json!({
        "url": url.as_str(), "token": push.token, "mode": push.mode, "format": push.format,
    });
    if let Some(key) = &push.aes_key {
        body["aes_key"] = json!(key);
    }
    let clients = sandbox.clients().await?;
    let client = clients.iter().find(|client| client["appid"] == *app.appid);
    let before = client.map(|client| client["push"].clone());
    let before = before.filter(|push| push.is_object());
    sandbox.push_to(&app.appid, &body).await?;
    // An empty address is none.
    Ok(Some(before.unwrap_or_else(|| json!({"url": ""}))))
}

// --- apps ---------------------------------------------------------------------------------------

/// The app, the second one, and somebody else's.
async fn apps(
    recipe: &Recipe,
    sandbox: &Sandbox,
    ready: &Ready,
) -> Result<[Option<KnownApp>; 3], String> {
    let known = sandbox.clients().await?;
    let own = known_app(&recipe.app, &known, sandbox, ready).await?;
    let second = match &recipe.second {
        Some(second) => Some(known_app(&second.app, &known, sandbox, ready).await?),
        None => None,
    };
    let developer = |appid: &str| {
        let client = known.iter().find(|client| client["appid"] == appid);
        client.map(|client| client["developer"].clone())
    };
    let own_developer = developer(&own.appid);
    let taken = |appid: &str| {
        own.appid == appid || second.as_ref().is_some_and(|second| second.appid == appid)
    };
    let is_stranger = |client: &&Value| {
        let appid = client["appid"].as_str().unwrap_or_default();
        !taken(appid) && developer(appid) != own_developer && client["secret"].is_string()
    };
    let stranger = known.iter().find(is_stranger).and_then(read_app);
    Ok([Some(own), second, stranger])
}

fn read_app(client: &Value) -> Option<KnownApp> {
    Some(KnownApp {
        appid: client["appid"].as_str()?.to_owned(),
        secret: client["secret"].as_str()?.to_owned(),
    })
}

/// An app that the sandbox knows, or learns of now.
async fn known_app(
    app: &App,
    known: &[Value],
    sandbox: &Sandbox,
    ready: &Ready,
) -> Result<KnownApp, String> {
    let Some(appid) = &app.appid else {
        let seeded = ready.clients.iter().find(|client| client.kind == app.kind);
        let seeded = seeded.map(|client| KnownApp {
            appid: client.appid.clone(),
            secret: client.secret.clone(),
        });
        return seeded.ok_or_else(|| format!("the sandbox has no app of kind {}", app.kind));
    };
    let found = known.iter().find(|client| client["appid"] == **appid);
    if let Some(found) = found.and_then(read_app) {
        return Ok(found);
    }
    let Some(secret) = &app.secret else {
        return Err(format!(
            "the sandbox does not know {appid}.\n  Write its secret beside it under [app]; the sandbox then takes the app in."
        ));
    };
    let body = json!({
        "appid": appid, "secret": secret, "name": "Checked app", "kind": app.kind,
        "redirects": app.redirects,
    });
    sandbox.rest().post("/_sandbox/clients", &body).await?;
    Ok(KnownApp {
        appid: appid.clone(),
        secret: secret.clone(),
    })
}

/// Values that hold for every request.
fn given(recipe: &Recipe, ready: &Ready, [own, second, _]: &[Option<KnownApp>; 3]) -> Vars {
    let mut given = Vars::new();
    let mut give = |name: &str, value: &str| given.insert(name.to_owned(), value.to_owned());
    give("base", recipe.base.as_str().trim_end_matches('/'));
    give("sandbox", &ready.platform);
    if let Some(port) = recipe.base.port_or_known_default() {
        give("port", &port.to_string());
    }
    if let Some(own) = own {
        give("appid", &own.appid);
        give("secret", &own.secret);
    }
    if let Some(second) = second {
        give("second_appid", &second.appid);
        give("second_secret", &second.secret);
    }
    given
}

/// The text of a recipe that comes with the program.
///
/// # Errors
/// In the user's words: there is none of this name.
pub fn like(name: &str) -> Result<&'static str, String> {
    if let Some(found) = shipped::named(name) {
        return Ok(found.text);
    }
    let names: Vec<&str> = shipped::ALL.iter().map(|it| it.name).collect();
    Err(format!(
        "no recipe is named {name}.\n  There are: {}",
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_chosen_by_id_and_by_group() {
        let ids = |only: &[&str]| -> Result<Vec<&str>, String> {
            let only: Vec<String> = only.iter().map(|it| (*it).to_owned()).collect();
            Ok(chosen(&only)?.into_iter().map(|row| row.id).collect())
        };
        assert_eq!(ids(&["cod-09", "ACT-01"]).unwrap(), ["ACT-01", "COD-09"]);
        assert!(ids(&["ups"]).unwrap().len() > 10);
        assert_eq!(ids(&["SES,CON-01"]).unwrap().len(), 4);
        let said = ids(&["COD-0", "SMS-04", "nothing"]).unwrap_err();
        assert_eq!(said.lines().count(), 3, "{said}");
        assert!(said.contains("did you mean COD-0"), "{said}");
        assert!(said.contains("SMS-04 is not judged"), "{said}");
        assert!(said.contains("no row or group NOTHING"), "{said}");
    }
}
