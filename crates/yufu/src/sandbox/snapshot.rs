//! The sandbox as it was: reset to the world that was seeded, snapshots by name, and restore.
//!
//! A snapshot is a folder: copies of both databases, and a file with what is in memory alone. What
//! is put back is put back whole. Requests that are under way are let finish first, those that
//! come meanwhile wait for a few milliseconds, and if the second database cannot be put back, the
//! first one is as it was before.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{Mutex, RwLock, RwLockWriteGuard};
use tokio::task::JoinHandle;
use yufu_core::id::UserId;
use yufu_core::store::Letter;
use yufu_core::time::{Lifetime, Timestamp};
use yufu_store::{CopyError, SqliteStore};
use yufu_web::clock::{self, Clock};

use super::control::answer::{Refused, Said};
use super::control::table::{Asked, Call, Endpoint, Field, Kind, Verb, Work, work};
use super::fault::Fault;
use super::state::{Auto, Sandbox};
use super::{World, make_private, write_private};
use crate::read::Complaints;
use crate::serve::OpenRole;

/// The folder of the snapshots, in the folder of the run.
const FOLDER: &str = "snapshots";
/// The world as it was seeded: no name that could be given.
const SEED: &str = ".seed";
/// The file of what is in memory alone.
const REST: &str = "rest.json";
/// How long requests under way may take to finish before they are no longer waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Where a poll is held for long: it looks again by itself, and is not waited for.
const HELD: [&str; 1] = ["/connect/l/qrconnect"];
/// How far the clock of a snapshot may be from real time, in milliseconds: a century, which nobody
/// reaches by jumps of ten years.
const FARTHEST: u64 = 100 * 366 * 86_400_000;
/// The longest name of a snapshot.
const LONGEST_NAME: usize = 40;

/// A door that requests go through, and that is shut while the data behind it is exchanged.
#[derive(Clone, Default)]
struct Latch(Arc<RwLock<()>>);

impl Latch {
    fn around(&self, router: Router) -> Router {
        router.layer(from_fn_with_state(self.clone(), pass))
    }

    /// Shuts the door when whoever is inside is out. `None`: somebody stays too long, and is left
    /// to the rules by which any two requests do not disturb each other.
    async fn shut(&self) -> Option<RwLockWriteGuard<'_, ()>> {
        tokio::time::timeout(PATIENCE, self.0.write()).await.ok()
    }
}

async fn pass(State(latch): State<Latch>, request: Request, next: Next) -> Response {
    if HELD.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let _inside = latch.0.read().await;
    next.run(request).await
}

/// One database, and what must be forgotten when it is exchanged.
struct Room {
    file: &'static str,
    store: SqliteStore,
    engine: Arc<yufu_core::engine::Engine>,
    forget: Arc<dyn Fn() + Send + Sync>,
    latch: Latch,
}

impl Room {
    fn new(file: &'static str, role: &OpenRole) -> Self {
        Self {
            file,
            store: role.store.clone(),
            engine: role.engine.clone(),
            forget: role.forget.clone(),
            latch: Latch::default(),
        }
    }

    /// What is in memory alone was about another world.
    async fn begin_anew(&self, now: Timestamp) -> Result<(), String> {
        self.engine.forget_failures();
        (self.forget)();
        let read = self.engine.reload_keys(now).await;
        read.map_err(|fault| format!("the keys could not be read again: {fault}"))
    }
}

/// Where the snapshots are, and what they are made of.
pub struct Shelf {
    folder: PathBuf,
    platform: Room,
    login: Room,
    /// One at a time: what is put back is put back whole.
    turn: Mutex<()>,
    seeding: Mutex<Option<JoinHandle<()>>>,
}

/// What a snapshot keeps beside the databases.
#[derive(Serialize, Deserialize)]
struct Rest {
    /// When it was taken, in real time.
    taken: Timestamp,
    /// How far the clock was ahead, in milliseconds.
    ahead: i64,
    /// Where it stood, if it was frozen.
    #[serde(default)]
    stands: Option<Timestamp>,
    #[serde(default)]
    faults: Vec<Fault>,
    /// The people and clients, as [`World::kept`] writes them.
    world: Value,
    /// The people whose phones are without the platform's app, by short name.
    #[serde(default)]
    without_app: Vec<String>,
    auto: Option<Auto>,
    inbox: Vec<Letter>,
}

impl Shelf {
    /// The shelf of a run's folder.
    pub(super) fn new(folder: &Path, platform: &OpenRole, login: &OpenRole) -> Self {
        Self {
            folder: folder.join(FOLDER),
            platform: Room::new("platform.db", platform),
            login: Room::new("login.db", login),
            turn: Mutex::default(),
            seeding: Mutex::default(),
        }
    }

    /// Puts the latch before the platform's routes.
    pub(super) fn around_platform(&self, router: Router) -> Router {
        self.platform.latch.around(router)
    }

    /// Puts the latch before the login backend's routes.
    pub(super) fn around_login(&self, router: Router) -> Router {
        self.login.latch.around(router)
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Keeps the world as it was just seeded. It is copied before anything else can be written;
    /// nobody waits for it.
    pub(super) fn keep_seed(&self, world: &World) -> Result<(), String> {
        let place = self.place(SEED);
        let draft = Draft::new(&self.folder)?;
        let copied = self.copy(&draft.0);
        let rest = Rest {
            taken: clock::real(),
            ahead: 0,
            stands: None,
            faults: Vec::new(),
            world: world.kept().map_err(|error| error.to_string())?,
            without_app: Vec::new(),
            auto: None,
            inbox: Vec::new(),
        };
        let kept = tokio::spawn(async move {
            let kept = match copied.await {
                Ok(()) => draft.finish(&rest, &place),
                Err(error) => Err(error.to_string()),
            };
            if let Err(error) = kept {
                tracing::warn!(
                    error,
                    "the seeded world was not kept: there will be no reset"
                );
            }
        });
        // Nobody else has it yet.
        if let Ok(mut seeding) = self.seeding.try_lock() {
            *seeding = Some(kept);
        }
        Ok(())
    }

    /// Copies both databases as they are now.
    fn copy(&self, to: &Path) -> impl Future<Output = Result<(), CopyError>> + use<> {
        let platform = self.platform.store.snapshot(&to.join(self.platform.file));
        let login = self.login.store.snapshot(&to.join(self.login.file));
        async move { tokio::try_join!(platform, login).map(|_| ()) }
    }

    /// Puts both databases back, or none.
    async fn put_back(&self, from: &Path, undo: &Path) -> Result<(), CopyError> {
        let (platform, login) = (&self.platform, &self.login);
        let before = undo.join(platform.file);
        platform.store.snapshot(&before).await?;
        platform.store.restore(&from.join(platform.file)).await?;
        let done = login.store.restore(&from.join(login.file)).await;
        if done.is_err()
            && let Err(error) = platform.store.restore(&before).await
        {
            tracing::error!(%error, "one half of the sandbox was put back, and the other was not");
        }
        done
    }
}

/// A snapshot that is being made, gone unless it is finished.
struct Draft(PathBuf);

impl Draft {
    fn new(folder: &Path) -> Result<Self, String> {
        let mut bytes = [0; 8];
        yufu_core::secret::Entropy::fill(&crate::ports::SystemEntropy, &mut bytes);
        let path = folder.join(format!(".draft-{}", yufu_core::keyring::hex(&bytes)));
        make_private(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }

    /// Gives it its name. What had that name is gone.
    fn finish(&self, rest: &Rest, place: &Path) -> Result<(), String> {
        let text = serde_json::to_string_pretty(rest).map_err(|error| error.to_string())?;
        let unwritten = |error: std::io::Error| format!("{}: {error}", place.display());
        write_private(&self.0.join(REST), &text).map_err(unwritten)?;
        let _ = std::fs::remove_dir_all(place);
        std::fs::rename(&self.0, place).map_err(unwritten)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

// --- what the control asks for --------------------------------------------------------------------

/// The calls.
pub const ROWS: &[Endpoint] = &[
    Endpoint {
        about: "Back to the world as it was seeded.",
        more: "The same people, apps and secrets; real time, no faults, nobody who answers by themselves, an empty inbox and no flows. Snapshots stay.",
        answer: r#"{"reset":true}"#,
        ..Endpoint::new(
            Verb::Post,
            "/_sandbox/reset",
            "snapshots",
            Call::Json(|asked| {
                let sandbox = asked.sandbox.clone();
                work(async move { reset(&sandbox).await })
            }),
        )
    },
    Endpoint {
        about: "The snapshots, the newest first.",
        answer: r#"{"snapshots":[{"name":"logged-in","taken":1767225600000,"ahead":0,"people":3,"clients":4,"bytes":180224}]}"#,
        ..Endpoint::new(
            Verb::Get,
            "/_sandbox/snapshots",
            "snapshots",
            Call::Json(|asked| {
                let sandbox = asked.sandbox.clone();
                work(async move { list(&sandbox) })
            }),
        )
    },
    Endpoint {
        about: "Keeps everything as it is now under a name.",
        more: "Both databases, the clock's distance from real time, people and apps, faults, who answers by themselves, and the inbox. An older snapshot of that name goes.",
        fields: &[Field::must(
            "name",
            Kind::Text,
            "1 to 40 letters, digits, dashes and underscores.",
            "logged-in",
        )],
        answer: r#"{"name":"logged-in","taken":1767225600000,"ahead":0,"people":3,"clients":4,"bytes":180224,"replaced":false}"#,
        ..Endpoint::new(
            Verb::Post,
            "/_sandbox/snapshots",
            "snapshots",
            Call::Json(asked_to_take),
        )
    },
    Endpoint {
        about: "Puts everything back as it was.",
        more: "Requests under way finish before it, and new ones wait for it. Flows stay.",
        answer: r#"{"name":"logged-in","taken":1767225600000,"ahead":0,"people":3,"clients":4,"bytes":180224}"#,
        ..Endpoint::new(
            Verb::Post,
            "/_sandbox/snapshots/{name}/restore",
            "snapshots",
            Call::Json(|asked| {
                let (sandbox, name) = (asked.sandbox.clone(), asked.hole("name").to_owned());
                work(async move { restore(&sandbox, &name).await })
            }),
        )
    },
    Endpoint {
        about: "Removes a snapshot.",
        answer: r#"{"removed":"logged-in"}"#,
        ..Endpoint::new(
            Verb::Delete,
            "/_sandbox/snapshots/{name}",
            "snapshots",
            Call::Json(|asked| {
                let (sandbox, name) = (asked.sandbox.clone(), asked.hole("name").to_owned());
                work(async move { remove(&sandbox, &name).await })
            }),
        )
    },
];

fn asked_to_take(asked: &Asked<'_>) -> Work {
    asked.body.needs("name", "\"name\": \"logged-in\"");
    let name = asked.body.text("name").unwrap_or_default();
    if asked.body.has("name") && !is_name(&name) {
        asked.body.complain("name", NO_NAME.0, NO_NAME.1);
    }
    let sandbox = asked.sandbox.clone();
    work(async move { take(&sandbox, &name).await })
}

/// Back to the world as it was seeded.
///
/// # Errors
/// In the user's words; nothing was changed.
pub async fn reset(sandbox: &Sandbox) -> Said {
    let shelf = &sandbox.shelf;
    if let Some(seeding) = shelf.seeding.lock().await.take() {
        let _ = seeding.await;
    }
    if !shelf.place(SEED).exists() {
        return Err(Refused::conflict(
            "",
            "the world of this folder was seeded before yufu kept how it began",
            "start with another --data folder, or without one",
        ));
    }
    let _turn = shelf.turn.lock().await;
    exchange(sandbox, SEED).await?;
    sandbox.flows.clear().await;
    Ok(json!({"reset": true}))
}

/// Keeps everything under a name, which was checked.
///
/// # Errors
/// In the user's words; an older snapshot of that name is there as before.
async fn take(sandbox: &Sandbox, name: &str) -> Said {
    let shelf = &sandbox.shelf;
    let _turn = shelf.turn.lock().await;
    let place = shelf.place(name);
    let replaced = place.exists();
    let draft = Draft::new(&shelf.folder).map_err(unwritten)?;
    let rest = {
        // Of both databases the same moment.
        let _login = shelf.login.latch.shut().await;
        let _platform = shelf.platform.latch.shut().await;
        let rest = Rest::of(sandbox).map_err(Refused::fault)?;
        shelf.copy(&draft.0).await.map_err(refused)?;
        rest
    };
    draft.finish(&rest, &place).map_err(unwritten)?;
    let mut told = rest.told(name, &place);
    told["replaced"] = json!(replaced);
    Ok(told)
}

/// The snapshots, the newest first.
fn list(sandbox: &Sandbox) -> Said {
    let shelf = &sandbox.shelf;
    let entries = std::fs::read_dir(&shelf.folder).into_iter().flatten();
    let names = entries.flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        is_name(&name).then_some(name)
    });
    let mut rests: Vec<_> = names
        .filter_map(|name| {
            let place = shelf.place(&name);
            let rest = Rest::read(&place).ok()?;
            Some((rest.taken, rest.told(&name, &place)))
        })
        .collect();
    rests.sort_by_key(|(taken, _)| std::cmp::Reverse(*taken));
    let told: Vec<Value> = rests.into_iter().map(|(_, told)| told).collect();
    Ok(json!({"snapshots": told}))
}

/// Puts everything back as it was. The phones are put down: what they were asked is not.
///
/// # Errors
/// In the user's words; nothing was changed.
async fn restore(sandbox: &Sandbox, name: &str) -> Said {
    let shelf = &sandbox.shelf;
    known(sandbox, name)?;
    let _turn = shelf.turn.lock().await;
    let rest = exchange(sandbox, name).await?;
    Ok(rest.told(name, &shelf.place(name)))
}

/// Removes a snapshot.
///
/// # Errors
/// When there is none of this name, or it cannot be removed.
async fn remove(sandbox: &Sandbox, name: &str) -> Said {
    let shelf = &sandbox.shelf;
    known(sandbox, name)?;
    let _turn = shelf.turn.lock().await;
    std::fs::remove_dir_all(shelf.place(name)).map_err(|error| unwritten(error.to_string()))?;
    Ok(json!({"removed": name}))
}

const NO_NAME: (&str, &str) = (
    "is no name",
    "write 1 to 40 letters, digits, dashes and underscores",
);

fn is_name(name: &str) -> bool {
    let fits = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(fits)
}

/// Refuses a name of nothing.
fn known(sandbox: &Sandbox, name: &str) -> Result<(), Refused> {
    if !is_name(name) {
        let complaints = Complaints::one("name", NO_NAME.0, NO_NAME.1);
        return Err(Refused::bad(complaints));
    }
    if sandbox.shelf.place(name).is_dir() {
        return Ok(());
    }
    let names = list(sandbox)?;
    let names: Vec<_> = names["snapshots"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|known| known["name"].as_str())
        .collect();
    let remedy = match names.as_slice() {
        [] => format!("take one with: yufu snapshot {name}"),
        names => format!("there are: {}", names.join(", ")),
    };
    Err(Refused::missing(
        format!("there is no snapshot {name}"),
        remedy,
    ))
}

/// Exchanges everything. Whoever calls has the turn.
async fn exchange(sandbox: &Sandbox, name: &str) -> Result<Rest, Refused> {
    let shelf = &sandbox.shelf;
    let place = shelf.place(name);
    let read = Rest::read(&place).and_then(|rest| {
        let world = World::of(rest.world.clone()).map_err(|error| error.to_string())?;
        Ok((rest, world))
    });
    let (rest, mut world) = read.map_err(|error| {
        let what = format!("the snapshot cannot be read: {error}");
        Refused::conflict("name", what, "take another one")
    })?;
    let undo = Draft::new(&shelf.folder).map_err(unwritten)?;
    // The login backend calls the platform: whoever is in it must still get through there.
    let _login = shelf.login.latch.shut().await;
    let _platform = shelf.platform.latch.shut().await;
    shelf.put_back(&place, &undo.0).await.map_err(refused)?;
    set_clock(&sandbox.clock, &rest);
    let now = sandbox.clock.now();
    for room in [&shelf.platform, &shelf.login] {
        room.begin_anew(now).await.map_err(Refused::fault)?;
    }
    let (platform, app) = (&sandbox.addresses.platform, &sandbox.addresses.app);
    let engine = &shelf.platform.engine;
    let settled = world.settle(engine, platform, app, now).await;
    settled.map_err(Refused::fault)?;
    sandbox.phones.forget();
    for person in &world.people {
        if let Some(user) = UserId::parse(&person.id) {
            let without = rest.without_app.contains(&person.name);
            sandbox.phones.set_installed(user, !without);
        }
    }
    sandbox.screens.clear();
    let changed = sandbox.change_world(|known| *known = world);
    changed.map_err(Refused::fault)?;
    let auto = sandbox.auto.lock();
    auto.unwrap_or_else(PoisonError::into_inner)
        .clone_from(&rest.auto);
    sandbox.inbox.replace(rest.inbox.clone());
    sandbox.faults.restore(rest.faults.clone());
    Ok(rest)
}

/// The clock goes as far ahead of real time as it did; one that stood stands where it did.
fn set_clock(clock: &Clock, rest: &Rest) {
    clock.back_to_real();
    match rest.stands {
        None => clock.turn(Lifetime::from_millis(rest.ahead)),
        Some(stands) => {
            clock.freeze();
            clock.turn(stands.since(clock.now()));
        }
    }
}

impl Rest {
    fn of(sandbox: &Sandbox) -> Result<Self, serde_json::Error> {
        let world = sandbox.world.read();
        let world = world.unwrap_or_else(PoisonError::into_inner);
        let without = world.people.iter().filter(|person| {
            let user = UserId::parse(&person.id);
            user.is_some_and(|user| !sandbox.phones.is_installed(user))
        });
        let auto = sandbox.auto.lock();
        Ok(Self {
            taken: clock::real(),
            ahead: sandbox.clock.ahead().millis(),
            stands: sandbox.clock.frozen().then(|| sandbox.clock.now()),
            faults: sandbox.faults.list(),
            without_app: without.map(|person| person.name.clone()).collect(),
            world: world.kept()?,
            auto: auto.unwrap_or_else(PoisonError::into_inner).clone(),
            inbox: sandbox.inbox.letters(),
        })
    }

    fn read(place: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(place.join(REST)).map_err(|error| error.to_string())?;
        let rest: Self = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let ahead = match rest.stands {
            Some(stands) => stands.0.saturating_sub(clock::real().0),
            None => rest.ahead,
        };
        if ahead.unsigned_abs() > FARTHEST {
            return Err("its clock is centuries away".to_owned());
        }
        Ok(rest)
    }

    /// What is told of a snapshot.
    fn told(&self, name: &str, place: &Path) -> Value {
        let files = std::fs::read_dir(place).into_iter().flatten().flatten();
        let bytes: u64 = files
            .filter_map(|file| Some(file.metadata().ok()?.len()))
            .sum();
        let count = |what: &str| self.world[what].as_array().map_or(0, Vec::len);
        json!({
            "name": name,
            "taken": self.taken.0,
            "ahead": self.ahead,
            "people": count("people"),
            "clients": count("clients"),
            "bytes": bytes,
        })
    }
}

fn refused(error: CopyError) -> Refused {
    match error {
        CopyError::Failed(fault) => Refused::fault(fault),
        error => Refused::conflict("name", error.to_string(), "take another snapshot"),
    }
}

fn unwritten(error: String) -> Refused {
    Refused::conflict(
        "",
        format!("the snapshot cannot be written: {error}"),
        "make room on the disk, or start with another --data folder",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_latch_waits_for_those_inside_and_holds_off_those_who_come() {
        let latch = Latch::default();
        let inside = latch.0.read().await;
        let shut = tokio::spawn({
            let latch = latch.clone();
            async move { latch.shut().await.is_some() }
        });
        while latch.0.try_read().is_ok() {
            tokio::task::yield_now().await;
        }
        assert!(!shut.is_finished());
        drop(inside);
        assert!(shut.await.unwrap());
        assert!(latch.0.try_read().is_ok());
    }

    #[test]
    fn names_are_names_of_files_and_nothing_else() {
        for good in ["a", "logged-in", "A_1", &"x".repeat(40)] {
            assert!(is_name(good), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            ".seed",
            "a/b",
            "a b",
            "名",
            "a.db",
            &"x".repeat(41),
        ] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
