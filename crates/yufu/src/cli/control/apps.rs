//! `yufu app …`: the apps of a sandbox. The apps of a stored house are `yufu client`'s.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{Added, At, Body, columns, hand_in, one_of_two, part, rows, text};

#[derive(Args)]
pub(crate) struct AppArgs {
    #[command(subcommand)]
    what: Option<AppCommand>,
    #[command(flatten)]
    at: At,
}

#[derive(Subcommand)]
enum AppCommand {
    /// Lists the apps with their secrets.
    List,
    /// Adds an app, or every app in a file. With --appid and --secret it is the one that your code
    /// has already.
    Add {
        /// Its name.
        #[arg(required_unless_present = "file")]
        name: Option<String>,
        /// mobile, website or service.
        #[arg(long)]
        kind: Option<String>,
        /// Its appid; drawn unless given.
        #[arg(long)]
        appid: Option<String>,
        /// Its AppSecret; drawn unless given.
        #[arg(long)]
        secret: Option<String>,
        #[command(flatten)]
        fields: Fields,
        /// A file of [[clients]], TOML or JSON; it may hold [[people]] and [[faults]] too.
        #[arg(long, value_name = "FILE", conflicts_with = "name")]
        file: Option<PathBuf>,
    },
    /// Changes an app.
    Edit {
        /// Its appid.
        appid: String,
        /// Its new name.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        fields: Fields,
    },
}

/// What an app is.
#[derive(Args)]
struct Fields {
    /// Where it may be answered: a host, a whole address, or scheme:… (may be given again).
    #[arg(long = "redirect", value_name = "WHERE")]
    redirects: Vec<String>,
    /// Whether the platform lists it (true or false).
    #[arg(long, value_name = "BOOL")]
    listed: Option<bool>,
    /// Whether it belongs to the Open Platform account (true or false).
    #[arg(long, value_name = "BOOL")]
    bound: Option<bool>,
    /// Where events are pushed to.
    #[arg(long, value_name = "URL")]
    push_url: Option<String>,
    /// The token of the pushes.
    #[arg(long, value_name = "TEXT")]
    push_token: Option<String>,
    /// Their EncodingAESKey: 43 characters.
    #[arg(long, value_name = "TEXT")]
    push_aes_key: Option<String>,
    /// plain, compatible or encrypted.
    #[arg(long, value_name = "WORD")]
    push_mode: Option<String>,
    /// xml or json.
    #[arg(long, value_name = "WORD")]
    push_format: Option<String>,
}

impl Fields {
    fn body(self) -> Body {
        let push = Body::default()
            .with("url", self.push_url)
            .with("token", self.push_token)
            .with("aes_key", self.push_aes_key)
            .with("mode", self.push_mode)
            .with("format", self.push_format);
        let redirects = (!self.redirects.is_empty()).then_some(self.redirects);
        Body::default()
            .with("redirects", redirects)
            .with("listed", self.listed)
            .with("bound", self.bound)
            .with("push", (!push.is_empty()).then(|| push.value()))
    }
}

fn line(app: &Value) -> Vec<String> {
    let mut marks = Vec::new();
    if app["listed"] == false {
        marks.push("not listed");
    }
    if app["bound"] == false {
        marks.push("not bound");
    }
    if app["push"].is_object() {
        marks.push("takes events");
    }
    vec![
        text(app, "kind").to_owned(),
        text(app, "appid").to_owned(),
        text(app, "secret").to_owned(),
        text(app, "name").to_owned(),
        marks.join(", "),
    ]
}

pub(super) async fn run(args: AppArgs) -> Result<(), String> {
    let at = args.at;
    match args.what.unwrap_or(AppCommand::List) {
        AppCommand::List => {
            let all = at.client().await?.get("/_sandbox/clients").await?;
            let lines: Vec<_> = rows(&all, "clients").iter().map(line).collect();
            at.say(&all, &columns(&lines));
        }
        AppCommand::Add {
            name,
            kind,
            appid,
            secret,
            fields,
            file,
        } => {
            let name = match one_of_two(name, file, "give a name, or --file apps.toml")? {
                Added::File(file) => return hand_in(&at, &file).await,
                Added::One(name) => name,
            };
            let body = fields
                .body()
                .with("name", Some(name))
                .with("kind", kind)
                .with("appid", appid)
                .with("secret", secret);
            let client = at.client().await?;
            let made = client.post("/_sandbox/clients", &body.value()).await?;
            let next = format!(
                "Next: yufu code --client {} --person mei",
                text(&made, "appid")
            );
            at.say(&made, &format!("{}\n{next}", columns(&[line(&made)])));
        }
        AppCommand::Edit {
            appid,
            name,
            fields,
        } => {
            let body = fields.body().with("name", name);
            if body.is_empty() {
                return Err(format!(
                    "what shall change?\n  Say it, such as: yufu app edit {appid} --redirect www.example.com"
                ));
            }
            let path = format!("/_sandbox/clients/{}", part(&appid));
            let made = at.client().await?.patch(&path, &body.value()).await?;
            let mut words = columns(&[line(&made)]);
            if let Some(said) = made["push"]["verified"].as_str() {
                words = format!("{words}\n{said}");
            }
            at.say(&made, &words);
        }
    }
    Ok(())
}
