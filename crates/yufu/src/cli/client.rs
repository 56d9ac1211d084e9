//! `yufu client …`: apps, their review and their secrets.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use yufu_core::client::{
    Client, ClientKind, ClientPolicy, Developer, NativeIdentity, Review, Status,
};
use yufu_core::engine::{ClientDraft, ClientEdit};
use yufu_core::id::{ClientId, DeveloperId};
use yufu_core::redirect::RedirectRule;
use yufu_web::clock;

use super::manage::{Output, print, words};
use crate::home::Home;

#[derive(Subcommand)]
pub(crate) enum ClientCommand {
    /// Makes an app and tells its AppSecret, once.
    Create {
        /// The owner's id or name.
        #[arg(long)]
        developer: String,
        /// mobile, website or service.
        #[arg(long)]
        kind: String,
        /// Its name.
        #[arg(long)]
        name: String,
        /// Approve it at once.
        #[arg(long)]
        approved: bool,
        #[command(flatten)]
        parts: Parts,
        #[command(flatten)]
        output: Output,
    },
    /// Shows an app.
    Show {
        /// Its appid.
        appid: String,
        #[command(flatten)]
        output: Output,
    },
    /// Lists the apps.
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Hands an app in for review.
    Submit(Step),
    /// Says yes to an app, or lifts its suspension.
    Approve(Step),
    /// Sends an app back.
    Reject(Step),
    /// Takes an app off the platform; its tokens are refused.
    Suspend(Step),
    /// Changes an app; a change of name, redirects or native identity goes back to review.
    Edit {
        /// Its appid.
        appid: String,
        /// Its new name.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        parts: Parts,
        #[command(flatten)]
        output: Output,
    },
    /// Draws a new AppSecret; the old one works on for a while.
    RotateSecret {
        /// Its appid.
        appid: String,
        #[command(flatten)]
        output: Output,
    },
}

/// A step of a review.
#[derive(Args)]
pub(crate) struct Step {
    /// The appid.
    appid: String,
    /// Why; shown to the developer.
    #[arg(long, default_value = "")]
    reason: String,
    #[command(flatten)]
    output: Output,
}

/// The parts of an app that may be given.
#[derive(Args)]
pub(crate) struct Parts {
    /// A host that may be redirected to (may be given again).
    #[arg(long = "redirect-host", value_name = "HOST")]
    hosts: Vec<String>,
    /// An exact address that may be redirected to (may be given again).
    #[arg(long = "redirect", value_name = "URL")]
    exact: Vec<String>,
    /// Every loopback address may be redirected to: for tests.
    #[arg(long)]
    loopback: bool,
    /// iOS bundle id.
    #[arg(long)]
    ios_bundle: Option<String>,
    /// iOS universal link: https, ends with a slash.
    #[arg(long)]
    ios_universal_link: Option<String>,
    /// Android package.
    #[arg(long)]
    android_package: Option<String>,
    /// MD5 of the Android signing certificate, 32 hexadecimal digits.
    #[arg(long)]
    android_signature: Option<String>,
    /// HarmonyOS bundle name.
    #[arg(long)]
    harmony_bundle: Option<String>,
    /// HarmonyOS identifier.
    #[arg(long)]
    harmony_identifier: Option<String>,
    /// Whether it belongs to the developer's Open Platform account (true or false).
    #[arg(long)]
    bound: Option<bool>,
    /// A setting, such as code_life=60 (seconds) or strict_openid=true (may be given again).
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
}

impl Parts {
    fn redirects(&self) -> Option<Vec<RedirectRule>> {
        let mut rules: Vec<_> = self.hosts.iter().cloned().map(RedirectRule::Host).collect();
        rules.extend(self.exact.iter().cloned().map(RedirectRule::Exact));
        if self.loopback {
            rules.push(RedirectRule::Loopback);
        }
        (!rules.is_empty()).then_some(rules)
    }

    /// The native identity with what was given on top of what there was.
    fn native(&self, before: &NativeIdentity) -> NativeIdentity {
        let pick = |given: &Option<String>, before: &Option<String>| {
            given.clone().or_else(|| before.clone())
        };
        NativeIdentity {
            ios_bundle: pick(&self.ios_bundle, &before.ios_bundle),
            ios_universal_link: pick(&self.ios_universal_link, &before.ios_universal_link),
            android_package: pick(&self.android_package, &before.android_package),
            android_signature: pick(&self.android_signature, &before.android_signature),
            harmony_bundle: pick(&self.harmony_bundle, &before.harmony_bundle),
            harmony_identifier: pick(&self.harmony_identifier, &before.harmony_identifier),
        }
    }

    /// The settings with what was given on top; lifetimes are given in seconds.
    fn policy(&self, before: ClientPolicy) -> Result<ClientPolicy, String> {
        let mut value = serde_json::to_value(&before).map_err(|e| e.to_string())?;
        for pair in &self.set {
            let (name, text) = pair
                .split_once('=')
                .ok_or_else(|| format!("--set {pair}: write NAME=VALUE"))?;
            let known = value.get_mut(name).ok_or_else(|| {
                format!("--set {name}: there is no such setting; see `yufu client show`")
            })?;
            *known = match known {
                Value::Bool(_) => json!(
                    text.parse::<bool>()
                        .map_err(|_| format!("--set {name}: true or false"))?
                ),
                Value::Number(_) if !name.ends_with("_life") => {
                    let count = text.parse::<u32>();
                    json!(count.map_err(|_| format!("--set {name}: a whole number"))?)
                }
                Value::Number(_) => {
                    let seconds = text
                        .parse::<i64>()
                        .ok()
                        .filter(|s| (1..=315_360_000).contains(s));
                    json!(
                        seconds
                            .ok_or_else(|| format!("--set {name}: seconds, from 1 to 315360000"))?
                            * 1000
                    )
                }
                Value::Array(_) => json!(
                    text.split(',')
                        .filter(|t| !t.is_empty())
                        .collect::<Vec<_>>()
                ),
                _ => json!(text),
            };
        }
        serde_json::from_value(value).map_err(|error| format!("--set: {error}"))
    }
}

async fn find_developer(home: &Home, text: &str) -> Result<Developer, String> {
    let all = home
        .engine
        .browse()
        .developers()
        .await
        .map_err(|f| f.to_string())?;
    let id = DeveloperId::parse(text);
    let mut found = all
        .into_iter()
        .filter(|d| Some(d.id) == id || d.name == text);
    match (found.next(), found.next()) {
        (Some(developer), None) => Ok(developer),
        (Some(_), Some(_)) => Err(format!("several developers are called {text}; give the id")),
        (None, _) => Err(format!(
            "there is no developer {text}.\n  Make one with: yufu developer create \"{text}\""
        )),
    }
}

fn client_json(client: &Client) -> Value {
    json!({
        "appid": client.id,
        "kind": client.kind,
        "name": client.name,
        "status": client.status,
        "reason": client.reason,
        "developer": client.developer.to_string(),
        "redirects": client.redirects,
        "scopes": client.scopes,
        "native": client.native,
        "bound": client.bound,
        "policy": client.policy,
        "secrets": client.secrets.len(),
        "created_at": client.created_at.seconds(),
    })
}

fn client_line(client: &Client) -> String {
    let reason = if client.reason.is_empty() {
        String::new()
    } else {
        format!("  ({})", client.reason)
    };
    format!(
        "{}  {:8}  {:9}  {}{reason}",
        client.id,
        client.kind.word(),
        client.status.word(),
        client.name
    )
}

/// `yufu client …`
pub(super) async fn run(command: ClientCommand) -> Result<(), String> {
    match command {
        ClientCommand::Create {
            developer,
            kind,
            name,
            approved,
            parts,
            output,
        } => {
            let kind = ClientKind::parse(&kind)
                .ok_or_else(|| format!("--kind {kind}: mobile, website or service"))?;
            let home = output.place.open().await?;
            let developer = find_developer(&home, &developer).await?;
            let draft = ClientDraft {
                developer: developer.id,
                kind,
                name,
                redirects: parts.redirects().unwrap_or_default(),
                native: parts.native(&NativeIdentity::default()),
                bound: parts.bound.unwrap_or(true),
                policy: parts.policy(ClientPolicy::of(kind))?,
                status: if approved {
                    Status::Approved
                } else {
                    Status::Draft
                },
            };
            let (client, secret) = home
                .engine
                .create_client(draft, clock::real())
                .await
                .map_err(words)?;
            let mut value = client_json(&client);
            value["secret"] = json!(secret.expose());
            let next = if approved {
                String::new()
            } else {
                format!("\nNext: yufu client submit {}", client.id)
            };
            let text = format!(
                "{}\nAppSecret {}   (shown once; only its hash is kept){next}",
                client_line(&client),
                secret.expose()
            );
            print(&output, &value, &text);
            Ok(())
        }
        ClientCommand::Show { appid, output } => {
            let home = output.place.open().await?;
            let client = home
                .engine
                .client(&ClientId::new(&appid))
                .await
                .map_err(words)?;
            let value = client_json(&client);
            let pretty = serde_json::to_string_pretty(&value).unwrap_or_default();
            print(
                &output,
                &value,
                &format!("{}\n{pretty}", client_line(&client)),
            );
            Ok(())
        }
        ClientCommand::List { output } => {
            let home = output.place.open().await?;
            let all = home
                .engine
                .browse()
                .clients()
                .await
                .map_err(|f| f.to_string())?;
            let value = json!(all.iter().map(client_json).collect::<Vec<_>>());
            let lines: Vec<_> = all.iter().map(client_line).collect();
            let text = if lines.is_empty() {
                "no apps yet. Next: yufu client create --developer NAME --kind website --name NAME --redirect-host HOST".to_owned()
            } else {
                lines.join("\n")
            };
            print(&output, &value, &text);
            Ok(())
        }
        ClientCommand::Submit(step) => review(step, Review::Submit).await,
        ClientCommand::Approve(step) => review(step, Review::Approve).await,
        ClientCommand::Reject(step) => review(step, Review::Reject).await,
        ClientCommand::Suspend(step) => review(step, Review::Suspend).await,
        ClientCommand::Edit {
            appid,
            name,
            parts,
            output,
        } => {
            let home = output.place.open().await?;
            let id = ClientId::new(&appid);
            let before = home.engine.client(&id).await.map_err(words)?;
            let edit = ClientEdit {
                name,
                redirects: parts.redirects(),
                native: Some(parts.native(&before.native)),
                bound: parts.bound,
                policy: Some(parts.policy(before.policy.clone())?),
            };
            let client = home
                .engine
                .edit_client(&id, edit, clock::real())
                .await
                .map_err(words)?;
            let next = match client.status {
                Status::InReview => format!("\nNext: yufu client approve {}", client.id),
                _ => String::new(),
            };
            print(
                &output,
                &client_json(&client),
                &format!("{}{next}", client_line(&client)),
            );
            Ok(())
        }
        ClientCommand::RotateSecret { appid, output } => {
            let home = output.place.open().await?;
            let id = ClientId::new(&appid);
            let secret = home
                .engine
                .rotate_secret(&id, clock::real())
                .await
                .map_err(words)?;
            let overlap = home.engine.settings().secret_overlap.as_seconds();
            let text = format!(
                "AppSecret {}   (shown once; the old one works for {} more hours)",
                secret.expose(),
                overlap / 3600
            );
            let value = json!({"appid": id, "secret": secret.expose(), "overlap_seconds": overlap});
            print(&output, &value, &text);
            Ok(())
        }
    }
}

async fn review(step: Step, what: Review) -> Result<(), String> {
    let home = step.output.place.open().await?;
    let id = ClientId::new(&step.appid);
    let client = home
        .engine
        .review(&id, what, &step.reason, clock::real())
        .await
        .map_err(words)?;
    let next = match client.status {
        Status::InReview => format!("\nNext: yufu client approve {id}"),
        Status::Rejected => {
            format!("\nNext: yufu client edit {id} …, then yufu client submit {id}")
        }
        _ => String::new(),
    };
    print(
        &step.output,
        &client_json(&client),
        &format!("{}{next}", client_line(&client)),
    );
    Ok(())
}
