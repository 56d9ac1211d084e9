//! The login backend's books from the command line: its people, its vault, the webhooks that could
//! not be told; and the keys of either half.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use yufu_core::engine::RotateStop;
use yufu_core::id::UserId;
use yufu_core::identity::Identity;
use yufu_core::login::LoginStop;
use yufu_core::refusal::{Fault, Stop};
use yufu_core::store::{Change, Notice, Store as _};
use yufu_core::user::{Phone, User, UserStatus};
use yufu_web::clock;

use super::Role;
use super::manage::{Output, print};
use crate::courier::notices;
use crate::home::Home;

/// How many dead notices a command looks at.
const MOST: usize = 10_000;
/// How often progress is said.
const EACH: Duration = Duration::from_secs(1);

#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    /// Makes the next version of the keys. What was made under older ones goes on working.
    Rotate {
        /// Whose keys.
        #[arg(long, value_enum, default_value = "login")]
        role: KeysOf,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum KeysOf {
    /// The login backend's.
    Login,
    /// The platform's.
    Platform,
}

#[derive(Subcommand)]
pub(crate) enum VaultCommand {
    /// Encrypts the upstream tokens of all users under the newest keys.
    Reseal {
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Subcommand)]
pub(crate) enum WebhooksCommand {
    /// Lists what could not be told, oldest first.
    List {
        /// How many at most.
        #[arg(long, default_value_t = 100)]
        limit: usize,
        #[command(flatten)]
        output: Output,
    },
    /// Tries again, from the beginning.
    Retry(Which),
    /// Throws away.
    Drop(Which),
}

/// Which of those that could not be told.
#[derive(Args)]
pub(crate) struct Which {
    /// The message's id, as `yufu webhooks list` shows it.
    #[arg(required_unless_present = "all")]
    id: Option<String>,
    /// Every one, or every one to a webhook.
    #[arg(long, conflicts_with = "id")]
    all: bool,
    /// Only those to this webhook.
    #[arg(long, value_name = "NAME", requires = "all")]
    to: Option<String>,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
pub(crate) enum UsersCommand {
    /// Lists accounts, oldest first.
    List {
        /// How many at most.
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// Only those after this id.
        #[arg(long, value_name = "UID")]
        after: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Shows an account, its identities and its sessions.
    Show(Who),
    /// Lets nobody into an account, and ends its sessions.
    Disable(Who),
    /// Lets its owner in again.
    Enable(Who),
    /// Ends all sessions of an account.
    EndSessions(Who),
}

/// An account.
#[derive(Args)]
pub(crate) struct Who {
    /// Its uid.
    uid: String,
    #[command(flatten)]
    output: Output,
}

fn broken(fault: &Fault) -> String {
    format!("the store failed: {fault}")
}

fn unknown() -> String {
    "there is no such account. See: yufu users list".to_owned()
}

fn stopped(stop: LoginStop) -> String {
    match stop {
        LoginStop::Failed(fault) => broken(&fault),
        LoginStop::Refused(_) => unknown(),
    }
}

/// The platform's words name its own commands.
fn absent(stop: Stop) -> String {
    match stop {
        Stop::Refused(_) => unknown(),
        Stop::Failed(fault) => broken(&fault),
    }
}

/// `yufu keys …`
pub(super) async fn keys(command: KeysCommand) -> Result<(), String> {
    let KeysCommand::Rotate { role, output } = command;
    let role = match role {
        KeysOf::Login => Role::Login,
        KeysOf::Platform => Role::Platform,
    };
    let home = output.place.open_role(role).await?;
    let version = home.engine.rotate_keys(clock::real()).await;
    let version = version.map_err(|stop| match stop {
        RotateStop::Failed(fault) => broken(&fault),
        exhausted @ RotateStop::Exhausted => exhausted.to_string(),
    })?;
    let next = match role {
        Role::Login => "\nNext, when every process knows it: yufu vault reseal",
        Role::Platform => "",
    };
    let text = format!("version {version}; running processes take it in by themselves{next}");
    print(&output, &json!({ "version": version }), &text);
    Ok(())
}

/// `yufu vault …`
pub(super) async fn vault(command: VaultCommand) -> Result<(), String> {
    let VaultCommand::Reseal { output } = command;
    let home = output.place.open_login().await?;
    let mut said = clock::mark();
    let mut progress = |seen: u64| {
        if said.elapsed() >= EACH {
            said = clock::mark();
            eprintln!("yufu: {seen} seen");
        }
    };
    let done = home.engine.reseal_vault(&mut progress, clock::real()).await;
    let changed = done.map_err(|fault| broken(&fault))?;
    let text = format!("{changed} encrypted anew");
    print(&output, &json!({ "resealed": changed }), &text);
    Ok(())
}

// --- webhooks -------------------------------------------------------------------------------------

/// `yufu webhooks …`
pub(super) async fn webhooks(command: WebhooksCommand) -> Result<(), String> {
    match command {
        WebhooksCommand::List { limit, output } => {
            let home = output.place.open_login().await?;
            let dead = dead(&home, limit).await?;
            let value = json!(dead.iter().map(notice_json).collect::<Vec<_>>());
            let lines: Vec<_> = dead.iter().map(notice_line).collect();
            let text = if lines.is_empty() {
                "everything was told, or is still being tried".to_owned()
            } else {
                format!(
                    "{}\nNext: yufu webhooks retry ID, or --all",
                    lines.join("\n")
                )
            };
            print(&output, &value, &text);
            Ok(())
        }
        WebhooksCommand::Retry(which) => {
            let now = clock::real();
            let again = |notice| {
                Change::Renotify(Notice {
                    attempts: 0,
                    due_at: now,
                    dead: false,
                    ..notice
                })
            };
            treat(which, "retried", again).await
        }
        WebhooksCommand::Drop(which) => {
            treat(which, "dropped", |notice| Change::Notified(notice.number)).await
        }
    }
}

async fn dead(home: &Home, limit: usize) -> Result<Vec<Notice>, String> {
    let dead = home.engine.browse().dead_notices(limit).await;
    dead.map_err(|fault| broken(&fault))
}

/// Does something to those that are meant.
async fn treat(which: Which, word: &str, change: impl Fn(Notice) -> Change) -> Result<(), String> {
    let home = which.output.place.open_login().await?;
    let is_meant = |notice: &Notice| match (&which.id, &which.to) {
        (Some(id), _) => notices::id(notice.number) == *id,
        (None, Some(to)) => notice.to == *to,
        (None, None) => true,
    };
    let mut dead = dead(&home, MOST).await?;
    dead.retain(is_meant);
    if let (Some(id), true) = (&which.id, dead.is_empty()) {
        return Err(format!(
            "there is no dead message {id}. See: yufu webhooks list"
        ));
    }
    let ids: Vec<String> = dead
        .iter()
        .map(|notice| notices::id(notice.number))
        .collect();
    let changes: Vec<_> = dead.into_iter().map(change).collect();
    let done = home.store.commit(changes).await;
    done.map_err(|clash| format!("the store failed: {clash:?}"))?;
    let text = format!("{} {word}", ids.len());
    print(&which.output, &json!({ word: ids }), &text);
    Ok(())
}

fn notice_json(notice: &Notice) -> Value {
    json!({
        "id": notices::id(notice.number),
        "to": notice.to,
        "type": notice.about,
        "uid": notice.user.to_string(),
        "attempts": notice.attempts,
        "posted_at": notice.posted_at.seconds(),
    })
}

fn notice_line(notice: &Notice) -> String {
    let id = notices::id(notice.number);
    let (to, about, user) = (&notice.to, &notice.about, notice.user);
    format!(
        "{id}  {to}  {about}  {user}  tried {} times",
        notice.attempts
    )
}

// --- people ---------------------------------------------------------------------------------------

/// `yufu users …`
pub(super) async fn users(command: UsersCommand) -> Result<(), String> {
    match command {
        UsersCommand::List {
            limit,
            after,
            output,
        } => {
            let after = after.map(|after| UserId::parse(&after).ok_or_else(unknown));
            let after = after.transpose()?;
            let home = output.place.open_login().await?;
            let all = home.engine.browse().users_after(after, limit).await;
            let all = all.map_err(|fault| broken(&fault))?;
            let value = json!(all.iter().map(user_json).collect::<Vec<_>>());
            let lines: Vec<_> = all.iter().map(user_line).collect();
            let text = match lines.is_empty() {
                true => "nobody yet".to_owned(),
                false => lines.join("\n"),
            };
            print(&output, &value, &text);
            Ok(())
        }
        UsersCommand::Show(who) => show(who).await,
        UsersCommand::Disable(who) => status(who, UserStatus::Restricted).await,
        UsersCommand::Enable(who) => status(who, UserStatus::Active).await,
        UsersCommand::EndSessions(who) => {
            let (home, id) = who.open().await?;
            let ended = home.engine.end_all_sessions(id, clock::real()).await;
            ended.map_err(stopped)?;
            let (uid, text) = (&who.uid, format!("{}  all sessions ended", who.uid));
            print(&who.output, &json!({"uid": uid, "sessions": []}), &text);
            Ok(())
        }
    }
}

impl Who {
    async fn open(&self) -> Result<(Home, UserId), String> {
        let id = UserId::parse(&self.uid).ok_or_else(unknown)?;
        Ok((self.output.place.open_login().await?, id))
    }
}

async fn show(who: Who) -> Result<(), String> {
    let (home, id) = who.open().await?;
    let user = home.engine.user(id).await.map_err(absent)?;
    let sessions = home.engine.sessions_of(id, clock::real()).await;
    let sessions = sessions.map_err(stopped)?;
    let mut value = user_json(&user);
    let views = sessions.iter().map(|session| {
        json!({
            "id": session.id,
            "device_id": session.device_id,
            "platform": session.platform,
            "address": session.address,
            "began_at": session.began_at.seconds(),
            "seen_at": session.seen_at.seconds(),
        })
    });
    value["sessions"] = views.collect();
    let pretty = serde_json::to_string_pretty(&value).unwrap_or_default();
    print(&who.output, &value, &pretty);
    Ok(())
}

async fn status(who: Who, status: UserStatus) -> Result<(), String> {
    let (home, id) = who.open().await?;
    let now = clock::real();
    let done = home.engine.set_user_status(id, status, now).await;
    done.map_err(absent)?;
    if status == UserStatus::Restricted {
        let ended = home.engine.end_all_sessions(id, now).await;
        ended.map_err(stopped)?;
    }
    let word = status_word(status);
    let text = format!("{}  {word}", who.uid);
    print(&who.output, &json!({"uid": who.uid, "status": word}), &text);
    Ok(())
}

fn status_word(status: UserStatus) -> &'static str {
    match status {
        UserStatus::Active => "active",
        UserStatus::Restricted => "disabled",
        UserStatus::Deleting(_) => "deleting",
        UserStatus::Deleted => "deleted",
        UserStatus::Merged(_) => "merged",
    }
}

fn user_json(user: &User) -> Value {
    let identity = |it: &Identity| {
        json!({
            "provider": it.key.provider.word(),
            "app": it.key.app,
            "subject": it.key.subject,
            "nickname": it.nickname,
            "status": it.status,
            "linked_at": it.linked_at.seconds(),
        })
    };
    json!({
        "uid": user.id.to_string(),
        "nickname": user.profile.nickname,
        "phone": user.phone,
        "status": status_word(user.status),
        "identities": user.identities.iter().map(identity).collect::<Vec<_>>(),
        "created_at": user.created_at.seconds(),
        "seen_at": user.seen_at.map(|at| at.seconds()),
    })
}

fn user_line(user: &User) -> String {
    let phone = user.phone.as_ref().map_or_else(String::new, Phone::masked);
    let (count, status) = (user.identities.len(), status_word(user.status));
    format!("{}  {status:8}  {phone:16}  {count} identities", user.id)
}
