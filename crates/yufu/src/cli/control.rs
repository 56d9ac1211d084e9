//! One word each for what a running sandbox can be told: people, apps, faults, the clock, and so
//! on. What is right and wrong is judged by the sandbox; here it is only asked and told.

mod apps;
mod fault;
mod flow;
mod keep;
mod login;
mod people;
mod time;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Map, Value};
use yufu_web::view::Moment;

use crate::launch::found::{self, Which};
use crate::launch::rest::Client;

/// What a running sandbox can be told.
#[derive(Subcommand)]
pub(crate) enum ControlCommand {
    /// People: list, add, edit, close an account.
    Person(people::PersonArgs),
    /// Apps: list, add, edit, where their events are pushed. (Of a stored house: yufu client.)
    App(apps::AppArgs),
    /// What the platform does wrong: list, add, clear.
    Fault(fault::FaultArgs),
    /// The time: turn it, freeze it, back to real.
    Clock(time::ClockArgs),
    /// Ends the life of a code or token now.
    Expire(time::ExpireArgs),
    /// Lets somebody answer every authorization at once.
    Auto(login::AutoArgs),
    /// Answers an authorize address as a person would, and prints the callback.
    Authorize(login::AuthorizeArgs),
    /// Prints a code for an app and a person.
    Code(login::CodeArgs),
    /// Prints the newest passcode.
    Inbox(login::InboxArgs),
    /// Pushes a privacy event to an app.
    Event(login::EventArgs),
    /// The logins: list, show one, export.
    Flow(flow::FlowArgs),
    /// Back to the world as it was seeded.
    Reset(keep::ResetArgs),
    /// Keeps everything as it is now under a name; without a name, lists what was kept.
    Snapshot(keep::SnapshotArgs),
    /// Puts everything back as it was.
    Restore(keep::RestoreArgs),
}

pub(crate) async fn run(command: ControlCommand) -> Result<(), String> {
    match command {
        ControlCommand::Person(args) => people::run(args).await,
        ControlCommand::App(args) => apps::run(args).await,
        ControlCommand::Fault(args) => fault::run(args).await,
        ControlCommand::Clock(args) => time::clock(args).await,
        ControlCommand::Expire(args) => time::expire(args).await,
        ControlCommand::Auto(args) => login::auto(args).await,
        ControlCommand::Authorize(args) => login::authorize(args).await,
        ControlCommand::Code(args) => login::code(args).await,
        ControlCommand::Inbox(args) => login::inbox(args).await,
        ControlCommand::Event(args) => login::event(args).await,
        ControlCommand::Flow(args) => flow::run(args).await,
        ControlCommand::Reset(args) => keep::reset(args).await,
        ControlCommand::Snapshot(args) => keep::snapshot(args).await,
        ControlCommand::Restore(args) => keep::restore(args).await,
    }
}

/// Which sandbox, and how its answer is printed.
#[derive(Args, Clone)]
struct At {
    /// The sandbox: its platform's URL, or a file with the line of `yufu dev --json`; else the one
    /// that YUFU_SANDBOX names, or the newest that runs.
    #[arg(long, value_name = "URL|FILE", global = true)]
    sandbox: Option<String>,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
}

impl At {
    async fn client(&self) -> Result<Client, String> {
        let which = Which {
            sandbox: self.sandbox.clone(),
        };
        Ok(found::find(&which).await?.client())
    }

    /// Prints an answer.
    fn say(&self, value: &Value, words: &str) {
        if self.json {
            say!("{value}");
        } else if !words.is_empty() {
            say!("{words}");
        }
    }
}

/// Fields of a body, those that were given.
#[derive(Default)]
struct Body(Map<String, Value>);

impl Body {
    fn with(mut self, name: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
        self
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn value(self) -> Value {
        Value::Object(self.0)
    }
}

/// Hands a file in, and tells what is wrong with it below its name.
async fn hand_in(at: &At, file: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    let kind = match file.extension().and_then(|ending| ending.to_str()) {
        Some("json") => "application/json",
        _ => "application/toml",
    };
    let client = at.client().await?;
    let made = client.hand_in("/_sandbox/world", kind, text).await;
    let made = made.map_err(|said| format!("{}:\n{said}", file.display()))?;
    let count = |part: &str, one: &str, many: &str| match made[part].as_u64() {
        Some(1) => Some(format!("1 {one}")),
        Some(n) if n > 1 => Some(format!("{n} {many}")),
        _ => None,
    };
    let counts = [
        count("people", "person", "people"),
        count("clients", "app", "apps"),
        count("faults", "fault", "faults"),
    ];
    let counts: Vec<_> = counts.into_iter().flatten().collect();
    at.say(&made, &format!("added {}", counts.join(", ")));
    Ok(())
}

/// Something is added either by its name or by a file.
fn one_of_two(name: Option<String>, file: Option<PathBuf>, usage: &str) -> Result<Added, String> {
    match (name, file) {
        (_, Some(file)) => Ok(Added::File(file)),
        (Some(name), None) => Ok(Added::One(name)),
        (None, None) => Err(usage.to_owned()),
    }
}

enum Added {
    One(String),
    File(PathBuf),
}

/// The rows of a list.
fn rows<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// A text of an answer; empty when it is none.
fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// Columns below each other, each as wide as its widest cell but the last.
fn columns(rows: &[Vec<String>]) -> String {
    let width = |cell: &str| {
        cell.chars()
            .map(|c| if c > '\u{2e7f}' { 2 } else { 1 })
            .sum()
    };
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (n, cell) in row.iter().enumerate() {
            match widths.get_mut(n) {
                Some(known) => *known = (*known).max(width(cell)),
                None => widths.push(width(cell)),
            }
        }
    }
    let lines = rows.iter().map(|row| {
        let mut line = String::new();
        for (cell, most) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(most + 2 - width(cell)));
        }
        line.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A moment in milliseconds, to the second.
fn moment(value: &Value) -> String {
    value
        .as_i64()
        .map_or_else(String::new, |at| Moment(at.div_euclid(1000)).iso())
}

/// A part of an address.
fn part(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// A query of what was given.
fn query(pairs: &[(&str, Option<String>)]) -> String {
    let given = pairs.iter().filter_map(|(name, value)| {
        let value = value.as_deref()?;
        Some(format!("{name}={}", part(value)))
    });
    let given: Vec<_> = given.collect();
    match given.is_empty() {
        true => String::new(),
        false => format!("?{}", given.join("&")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_whatever_the_script() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let text = columns(&[row(["a", "梅 Zoé", "x"]), row(["long", "b", ""])]);
        assert_eq!(text, "a     梅 Zoé  x\nlong  b");
        assert_eq!(columns(&[]), "");
    }

    #[test]
    fn addresses_are_spelled() {
        assert_eq!(part("梅/a b"), "%E6%A2%85%2Fa%20b");
        let given = [("to", Some("+86 1".to_owned())), ("at", None)];
        assert_eq!(query(&given), "?to=%2B86%201");
        assert_eq!(query(&[]), "");
        assert_eq!(
            moment(&serde_json::json!(1_767_225_600_000_i64)),
            "2026-01-01T00:00:00Z"
        );
    }
}
