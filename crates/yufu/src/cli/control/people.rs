//! `yufu person …`: the people of a sandbox.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{Added, At, Body, columns, hand_in, one_of_two, part, rows, text};

#[derive(Args)]
pub(crate) struct PersonArgs {
    #[command(subcommand)]
    what: Option<PersonCommand>,
    #[command(flatten)]
    at: At,
}

#[derive(Subcommand)]
enum PersonCommand {
    /// Lists the people.
    List,
    /// Adds somebody, or everybody in a file.
    Add {
        /// A short name for commands, such as lin.
        #[arg(required_unless_present = "file")]
        name: Option<String>,
        #[command(flatten)]
        fields: Fields,
        /// A file of [[people]], TOML or JSON; it may hold [[clients]] and [[faults]] too.
        #[arg(long, value_name = "FILE", conflicts_with = "name")]
        file: Option<PathBuf>,
    },
    /// Changes somebody.
    Edit {
        /// The short name.
        name: String,
        #[command(flatten)]
        fields: Fields,
    },
    /// Closes somebody's account for good.
    Close {
        /// The short name.
        name: String,
    },
}

/// What a person is.
#[derive(Args)]
struct Fields {
    /// The phone number, such as +8613800000004.
    #[arg(long)]
    phone: Option<String>,
    /// The shown name; emoji welcome.
    #[arg(long)]
    nickname: Option<String>,
    /// male, female or unknown.
    #[arg(long)]
    sex: Option<String>,
    /// Country.
    #[arg(long)]
    country: Option<String>,
    /// Province.
    #[arg(long)]
    province: Option<String>,
    /// City.
    #[arg(long)]
    city: Option<String>,
    /// face, none, or the address of a picture.
    #[arg(long)]
    avatar: Option<String>,
    /// Whether apps are told a unionid (true or false).
    #[arg(long, value_name = "BOOL")]
    unionid: Option<bool>,
    /// active, restricted or closed.
    #[arg(long)]
    standing: Option<String>,
    /// Whether the platform's app is on the phone (true or false).
    #[arg(long, value_name = "BOOL")]
    installed: Option<bool>,
}

impl Fields {
    fn body(self) -> Body {
        Body::default()
            .with("phone", self.phone)
            .with("nickname", self.nickname)
            .with("sex", self.sex)
            .with("country", self.country)
            .with("province", self.province)
            .with("city", self.city)
            .with("avatar", self.avatar)
            .with("unionid", self.unionid)
            .with("standing", self.standing)
            .with("installed", self.installed)
    }
}

fn line(person: &Value) -> Vec<String> {
    let mut marks = Vec::new();
    let standing = text(person, "standing");
    if !matches!(standing, "" | "active") {
        marks.push(standing);
    }
    if person["unionid"] == false {
        marks.push("without unionid");
    }
    if person["installed"] == false {
        marks.push("not installed");
    }
    vec![
        text(person, "name").to_owned(),
        text(person, "phone").to_owned(),
        text(person, "nickname").to_owned(),
        marks.join(", "),
    ]
}

pub(super) async fn run(args: PersonArgs) -> Result<(), String> {
    let at = args.at;
    match args.what.unwrap_or(PersonCommand::List) {
        PersonCommand::List => {
            let all = at.client().await?.get("/_sandbox/people").await?;
            let people = rows(&all, "people");
            let lines: Vec<_> = people.iter().map(line).collect();
            at.say(&all, &columns(&lines));
        }
        PersonCommand::Add { name, fields, file } => {
            let name = match one_of_two(name, file, "give a name, or --file people.toml")? {
                Added::File(file) => return hand_in(&at, &file).await,
                Added::One(name) => name,
            };
            let body = fields.body().with("name", Some(name.clone())).value();
            let made = at.client().await?.post("/_sandbox/people", &body).await?;
            let phone = text(&made, "phone");
            let words = format!("{name} is there, {phone}\nNext: yufu auto {name} allow");
            at.say(&made, &words);
        }
        PersonCommand::Edit { name, fields } => {
            let body = fields.body();
            if body.is_empty() {
                return Err(format!(
                    "what shall change?\n  Say it, such as: yufu person edit {name} --nickname 小林"
                ));
            }
            let path = format!("/_sandbox/people/{}", part(&name));
            let made = at.client().await?.patch(&path, &body.value()).await?;
            at.say(&made, &columns(&[line(&made)]));
        }
        PersonCommand::Close { name } => {
            let path = format!("/_sandbox/people/{}", part(&name));
            let gone = at.client().await?.delete(&path).await?;
            let words = format!("{name}'s account is closed\nBack again: yufu reset");
            at.say(&gone, &words);
        }
    }
    Ok(())
}
