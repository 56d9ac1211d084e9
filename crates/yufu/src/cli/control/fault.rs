//! `yufu fault …`: what the platform does wrong.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{Added, At, Body, columns, hand_in, one_of_two, part, rows, text};
use crate::sandbox::control::table::{self, Field, Found, Kind};

#[derive(Args)]
pub(crate) struct FaultArgs {
    #[command(subcommand)]
    what: Option<FaultCommand>,
    #[command(flatten)]
    at: At,
}

#[derive(Subcommand)]
enum FaultCommand {
    /// Lists the faults that are set.
    List,
    /// Sets a fault, or every fault in a file. The kinds: docs/sandbox-faults.md.
    Add {
        /// What goes wrong, such as errcode, slow, drop or html.
        #[arg(required_unless_present = "file")]
        kind: Option<String>,
        /// What the kind is told, such as code=45011 or ms=8000.
        #[arg(value_name = "FIELD=VALUE")]
        fields: Vec<String>,
        /// Only for this app.
        #[arg(long, value_name = "APPID")]
        client: Option<String>,
        /// Only for this person.
        #[arg(long, value_name = "NAME")]
        person: Option<String>,
        /// Only at this endpoint, such as access_token.
        #[arg(long, value_name = "PATH")]
        endpoint: Option<String>,
        /// Only so many times.
        #[arg(long, value_name = "N")]
        times: Option<u32>,
        /// Only with this chance, from 0 to 1.
        #[arg(long, value_name = "P")]
        chance: Option<f64>,
        /// A file of [[faults]], TOML or JSON; it may hold [[people]] and [[clients]] too.
        #[arg(long, value_name = "FILE", conflicts_with = "kind")]
        file: Option<PathBuf>,
    },
    /// Takes all faults away, or one.
    Clear {
        /// Its id, from the list.
        id: Option<String>,
    },
}

const PATH: &str = "/_sandbox/faults";

/// The fields of a fault, as the control knows them.
fn known() -> &'static [Field] {
    match table::find("POST", PATH) {
        Found::Row(row, _) => row.fields,
        Found::Verbs(_) | Found::Nothing(_) => &[],
    }
}

/// A value as the field wants it; what it may be is judged by the sandbox.
fn typed(name: &str, text: &str) -> Value {
    let field = known().iter().find(|field| field.name == name);
    let read = match field.map(|field| field.kind) {
        Some(Kind::Number | Kind::Real | Kind::Flag) => serde_json::from_str(text).ok(),
        _ => None,
    };
    match read {
        Some(value @ (Value::Number(_) | Value::Bool(_))) => value,
        _ => Value::String(text.to_owned()),
    }
}

fn line(fault: &Value) -> Vec<String> {
    let plain = |name: &str| match &fault[name] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        value => Some(value.to_string()),
    };
    let aside = [
        "id", "kind", "client", "person", "endpoint", "times", "chance", "left", "played",
    ];
    let own = fault.as_object().into_iter().flatten();
    let own = own.filter(|(name, _)| !aside.contains(&name.as_str()));
    let own: Vec<_> = own
        .filter_map(|(name, _)| Some(format!("{name}={}", plain(name)?)))
        .collect();
    let whom = [("client", "for "), ("person", "of "), ("endpoint", "at ")];
    let whom = whom
        .iter()
        .filter_map(|(name, word)| Some(format!("{word}{}", plain(name)?)));
    let mut whom: Vec<_> = whom.collect();
    if let Some(chance) = plain("chance") {
        whom.push(format!("with chance {chance}"));
    }
    let played = match (plain("left"), plain("times")) {
        (Some(left), Some(times)) => format!("{left} of {times} left"),
        _ => format!(
            "played {}",
            plain("played").unwrap_or_else(|| "0".to_owned())
        ),
    };
    vec![
        text(fault, "id").to_owned(),
        format!("{} {}", text(fault, "kind"), own.join(" "))
            .trim()
            .to_owned(),
        whom.join(" "),
        played,
    ]
}

pub(super) async fn run(args: FaultArgs) -> Result<(), String> {
    let at = args.at;
    match args.what.unwrap_or(FaultCommand::List) {
        FaultCommand::List => {
            let all = at.client().await?.get(PATH).await?;
            let lines: Vec<_> = rows(&all, "faults").iter().map(line).collect();
            let words = match lines.as_slice() {
                [] => "no faults are set\nSet one: yufu fault add errcode code=45011 --times 3"
                    .to_owned(),
                lines => columns(lines),
            };
            at.say(&all, &words);
        }
        FaultCommand::Add {
            kind,
            fields,
            client,
            person,
            endpoint,
            times,
            chance,
            file,
        } => {
            let kind = match one_of_two(kind, file, "give a kind, or --file faults.toml")? {
                Added::File(file) => return hand_in(&at, &file).await,
                Added::One(kind) => kind,
            };
            let mut body = Body::default()
                .with("kind", Some(kind))
                .with("client", client)
                .with("person", person)
                .with("endpoint", endpoint)
                .with("times", times)
                .with("chance", chance);
            for field in fields {
                let (name, value) = field
                    .split_once('=')
                    .ok_or_else(|| format!("{field}: write FIELD=VALUE, such as code=45011"))?;
                body = body.with(name, Some(typed(name, value)));
            }
            let made = at.client().await?.post(PATH, &body.value()).await?;
            let lines: Vec<_> = rows(&made, "faults").iter().map(line).collect();
            at.say(
                &made,
                &format!("{}\nEnd it: yufu fault clear", columns(&lines)),
            );
        }
        FaultCommand::Clear { id } => {
            let path = id.map_or(PATH.to_owned(), |id| format!("{PATH}/{}", part(&id)));
            let gone = at.client().await?.delete(&path).await?;
            let words = match gone["removed"].as_u64() {
                Some(1) => "1 fault is gone".to_owned(),
                Some(n) => format!("{n} faults are gone"),
                None => String::new(),
            };
            at.say(&gone, &words);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fault_is_one_line() {
        let fault = json!({
            "id": "x1", "kind": "errcode", "code": 45011, "when": "before",
            "endpoint": "access_token", "person": "mei", "times": 3, "left": 2, "played": 1,
            "client": null,
        });
        assert_eq!(
            line(&fault),
            [
                "x1",
                "errcode code=45011 when=before",
                "of mei at access_token",
                "2 of 3 left"
            ]
        );
        let fault = json!({"id": "x2", "kind": "html", "chance": 0.5, "played": 7});
        assert_eq!(line(&fault), ["x2", "html", "with chance 0.5", "played 7"]);
    }
}
