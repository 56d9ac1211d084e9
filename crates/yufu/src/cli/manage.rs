//! The platform's books from the command line: developers, users, tokens.

use std::io::Read as _;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use yufu_core::client::Developer;
use yufu_core::engine::{Engine, TokenReport, UserDraft};
use yufu_core::id::{ClientId, UserId};
use yufu_core::refusal::{Refusal, Stop};
use yufu_core::secret::Secret;
use yufu_core::user::{Phone, Profile, Sex, User, UserStatus};
use yufu_web::clock;

use super::Place;

/// How an answer is printed.
#[derive(Args, Clone)]
pub(crate) struct Output {
    #[command(flatten)]
    pub(super) place: Place,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
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

pub(super) fn words(stop: Stop) -> String {
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

pub(super) fn print(output: &Output, value: &Value, text: &str) {
    if output.json {
        say!("{value}");
    } else {
        say!("{text}");
    }
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
    let status = match user.status {
        UserStatus::Active => String::new(),
        UserStatus::Restricted => "  restricted".to_owned(),
        UserStatus::Deleting(_) => "  deleting".to_owned(),
        UserStatus::Deleted => "  deleted".to_owned(),
        UserStatus::Merged(into) => format!("  merged into {into}"),
    };
    format!("{}  {phone}  {}{status}", user.id, user.profile.nickname)
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
