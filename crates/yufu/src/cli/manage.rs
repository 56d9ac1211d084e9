//! The platform's books from the command line: clients, developers, users, tokens.

use std::io::Read as _;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use yufu_core::client::{
    Client, ClientKind, ClientPolicy, Developer, NativeIdentity, Review, Status,
};
use yufu_core::engine::{ClientDraft, ClientEdit, Engine, TokenReport, UserDraft};
use yufu_core::id::{ClientId, DeveloperId, UserId};
use yufu_core::redirect::RedirectRule;
use yufu_core::refusal::{Refusal, Stop};
use yufu_core::secret::Secret;
use yufu_core::user::{Phone, Profile, Sex, User, UserStatus};
use yufu_web::clock;

use super::Place;
use crate::home::Home;

/// How an answer is printed.
#[derive(Args, Clone)]
pub(crate) struct Output {
    #[command(flatten)]
    place: Place,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
}

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

#[derive(Subcommand)]
pub(crate) enum DeveloperCommand {
    /// Makes a developer.
    Create {
        /// Its name.
        name: String,
        #[command(flatten)]
        output: Output,
    },
    /// Lists the developers.
    List {
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Subcommand)]
pub(crate) enum UserCommand {
    /// Makes a person whose number you vouch for.
    Create {
        /// The phone number.
        #[arg(long)]
        phone: String,
        /// The shown name.
        #[arg(long)]
        nickname: String,
        /// Read a password from the standard input.
        #[arg(long)]
        password_stdin: bool,
        /// Province.
        #[arg(long, default_value = "")]
        province: String,
        /// City.
        #[arg(long, default_value = "")]
        city: String,
        /// Country.
        #[arg(long, default_value = "")]
        country: String,
        #[command(flatten)]
        output: Output,
    },
    /// Lists people, oldest first.
    List {
        /// How many at most.
        #[arg(long, default_value_t = 100)]
        limit: usize,
        #[command(flatten)]
        output: Output,
    },
    /// Restricts a person: their tokens answer 50002.
    Restrict {
        /// The user's id.
        id: String,
        #[command(flatten)]
        output: Output,
    },
    /// Lifts a restriction.
    Release {
        /// The user's id.
        id: String,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Subcommand)]
pub(crate) enum TokenCommand {
    /// Shows what a code or token is.
    Inspect {
        /// The code or token; read from the standard input when left out, since everybody on a
        /// machine can read a command line.
        token: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Revokes a code or token, and all that descends from a refresh token.
    Revoke {
        /// The code or token; read from the standard input when left out.
        token: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Issues a login code for a mini program.
    MiniCode {
        /// The appid.
        #[arg(long)]
        client: String,
        /// The user's id.
        #[arg(long)]
        user: String,
        #[command(flatten)]
        output: Output,
    },
}

fn words(stop: Stop) -> String {
    match stop {
        Stop::Failed(fault) => format!("the store failed: {fault}"),
        Stop::Refused(refusal) => match refusal {
            Refusal::UnknownClient => "there is no such app. See: yufu client list".to_owned(),
            Refusal::UnknownAccess => "that is no live or past code or token of this house".to_owned(),
            Refusal::Malformed("developer") => {
                "there is no such developer. See: yufu developer list".to_owned()
            }
            Refusal::Malformed("status") => {
                "that step is not possible from where the app is. See: yufu client show APPID".to_owned()
            }
            Refusal::Malformed("phone") => "this number has an account already".to_owned(),
            Refusal::Malformed("android_signature") => {
                "android_signature must be 32 lower-case hexadecimal digits".to_owned()
            }
            Refusal::Malformed("ios_universal_link") => {
                "ios_universal_link must be https and end with a slash".to_owned()
            }
            Refusal::Malformed(name) => format!("{name} is not well formed"),
            Refusal::RedirectMalformed => {
                "a redirect is not sound: a host is a name alone (www.example.com), an address has no fragment".to_owned()
            }
            Refusal::ProfileUnfit(name) => format!("{name} is empty, too long, or holds control characters"),
            Refusal::PasswordUnfit => "a password has 8 to 128 characters and is not the number".to_owned(),
            Refusal::PhoneMalformed => "that is no phone number; write +8613800000000".to_owned(),
            Refusal::NotSignedIn => "there is no such user. See: yufu user list".to_owned(),
            Refusal::ClientNotApproved => "this app is not approved. Next: yufu client approve APPID".to_owned(),
            other => other.to_string(),
        },
    }
}

fn print(output: &Output, value: &Value, text: &str) {
    if output.json {
        println!("{value}");
    } else {
        println!("{text}");
    }
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
pub(super) async fn client(command: ClientCommand) -> Result<(), String> {
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

/// `yufu developer …`
pub(super) async fn developer(command: DeveloperCommand) -> Result<(), String> {
    let json_of = |developer: &Developer| {
        json!({"id": developer.id.to_string(), "name": developer.name,
               "created_at": developer.created_at.seconds()})
    };
    match command {
        DeveloperCommand::Create { name, output } => {
            let home = output.place.open().await?;
            let developer = home
                .engine
                .create_developer(&name, clock::real())
                .await
                .map_err(words)?;
            let text = format!(
                "{}  {}\nNext: yufu client create --developer {} --kind website --name NAME --redirect-host HOST",
                developer.id, developer.name, developer.id
            );
            print(&output, &json_of(&developer), &text);
        }
        DeveloperCommand::List { output } => {
            let home = output.place.open().await?;
            let all = home
                .engine
                .browse()
                .developers()
                .await
                .map_err(|f| f.to_string())?;
            let lines: Vec<_> = all
                .iter()
                .map(|d| format!("{}  {}", d.id, d.name))
                .collect();
            let value = json!(all.iter().map(json_of).collect::<Vec<_>>());
            let text = if lines.is_empty() {
                "no developers yet. Next: yufu developer create NAME".to_owned()
            } else {
                lines.join("\n")
            };
            print(&output, &value, &text);
        }
    }
    Ok(())
}

fn user_json(user: &User) -> Value {
    json!({
        "id": user.id.to_string(),
        "nickname": user.profile.nickname,
        "phone": user.phone,
        "has_password": user.password.is_some(),
        "status": user.status,
        "created_at": user.created_at.seconds(),
    })
}

fn user_line(user: &User) -> String {
    let phone = user.phone.as_ref().map_or_else(String::new, Phone::masked);
    let restricted = if user.status == UserStatus::Restricted {
        "  restricted"
    } else {
        ""
    };
    format!(
        "{}  {phone}  {}{restricted}",
        user.id, user.profile.nickname
    )
}

/// `yufu user …`
pub(super) async fn user(command: UserCommand) -> Result<(), String> {
    match command {
        UserCommand::Create {
            phone,
            nickname,
            password_stdin,
            province,
            city,
            country,
            output,
        } => {
            let password = if password_stdin {
                Some(stdin_secret()?)
            } else {
                None
            };
            let home = output.place.open().await?;
            let draft = UserDraft {
                profile: Profile {
                    nickname,
                    province,
                    city,
                    country,
                    sex: Sex::Unknown,
                    ..Profile::default()
                },
                phone: Some(Phone::parse(&phone).map_err(|refusal| words(refusal.into()))?),
                password,
                password_hash: None,
            };
            let user = home
                .engine
                .create_user(draft, clock::real())
                .await
                .map_err(words)?;
            print(&output, &user_json(&user), &user_line(&user));
            Ok(())
        }
        UserCommand::List { limit, output } => {
            let home = output.place.open().await?;
            let all = home
                .engine
                .browse()
                .users(limit)
                .await
                .map_err(|f| f.to_string())?;
            let value = json!(all.iter().map(user_json).collect::<Vec<_>>());
            let lines: Vec<_> = all.iter().map(user_line).collect();
            let text = if lines.is_empty() {
                "nobody yet".to_owned()
            } else {
                lines.join("\n")
            };
            print(&output, &value, &text);
            Ok(())
        }
        UserCommand::Restrict { id, output } => status(&id, UserStatus::Restricted, &output).await,
        UserCommand::Release { id, output } => status(&id, UserStatus::Active, &output).await,
    }
}

async fn status(id: &str, status: UserStatus, output: &Output) -> Result<(), String> {
    let home = output.place.open().await?;
    let user = UserId::parse(id).ok_or_else(|| words(Refusal::NotSignedIn.into()))?;
    home.engine
        .set_user_status(user, status, clock::real())
        .await
        .map_err(words)?;
    print(
        output,
        &json!({"id": id, "status": status}),
        &format!("{id}  {status:?}"),
    );
    Ok(())
}

/// Reads a secret from the standard input: one line of at most 4 KiB.
fn stdin_secret() -> Result<Secret, String> {
    let mut text = String::new();
    let stdin = std::io::stdin().lock();
    stdin
        .take(4096)
        .read_to_string(&mut text)
        .map_err(|error| format!("the standard input cannot be read: {error}"))?;
    let line = text.lines().next().unwrap_or("").trim();
    if line.is_empty() {
        return Err(
            "nothing came on the standard input. Write: printf %s SECRET | yufu …".to_owned(),
        );
    }
    Ok(Secret::new(line))
}

fn report_json(report: &TokenReport) -> Value {
    let now = clock::real();
    let grant_stands = report.grant.is_none_or(|(_, stands)| stands);
    let live = report.taken_at.is_none()
        && report.revoked_at.is_none()
        && grant_stands
        && now < report.expires_at;
    json!({
        "kind": report.kind.word(),
        "live": live,
        "client": report.client,
        "user": report.user.map(|user| user.to_string()),
        "grant": report.grant.map(|(grant, _)| grant.to_string()),
        "grant_stands": report.grant.map(|(_, stands)| stands),
        "issued_at": report.issued_at.seconds(),
        "expires_at": report.expires_at.seconds(),
        "spent_at": report.taken_at.map(|at| at.seconds()),
        "revoked_at": report.revoked_at.map(|at| at.seconds()),
    })
}

/// `yufu token …`
pub(super) async fn token(command: TokenCommand) -> Result<(), String> {
    match command {
        TokenCommand::Inspect { token, output } => {
            let secret = token.map_or_else(stdin_secret, |token| Ok(Secret::new(token)))?;
            let home = output.place.open().await?;
            let report = home.engine.inspect_secret(&secret).await.map_err(words)?;
            let value = report_json(&report);
            let pretty = serde_json::to_string_pretty(&value).unwrap_or_default();
            print(&output, &value, &pretty);
            Ok(())
        }
        TokenCommand::Revoke { token, output } => {
            let secret = token.map_or_else(stdin_secret, |token| Ok(Secret::new(token)))?;
            let home = output.place.open().await?;
            revoke(&home.engine, &secret).await?;
            print(&output, &json!({"revoked": true}), "revoked");
            Ok(())
        }
        TokenCommand::MiniCode {
            client,
            user,
            output,
        } => {
            let home = output.place.open().await?;
            let user = UserId::parse(&user).ok_or_else(|| words(Refusal::NotSignedIn.into()))?;
            let id = ClientId::new(&client);
            let code = home
                .engine
                .issue_mini_code(&id, user, clock::real())
                .await
                .map_err(words)?;
            print(&output, &json!({"code": code.expose()}), code.expose());
            Ok(())
        }
    }
}

async fn revoke(engine: &Engine, secret: &Secret) -> Result<(), String> {
    engine
        .revoke_secret(secret, clock::real())
        .await
        .map_err(words)
}
