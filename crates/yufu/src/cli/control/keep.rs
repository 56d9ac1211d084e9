//! `yufu reset`, `yufu snapshot`, `yufu restore`: a sandbox as it was.

use clap::Args;
use serde_json::{Value, json};

use super::{At, columns, moment, part, rows, text};

#[derive(Args)]
pub(crate) struct ResetArgs {
    #[command(flatten)]
    at: At,
}

#[derive(Args)]
pub(crate) struct SnapshotArgs {
    /// Its name; `list` or nothing for what there is.
    name: Option<String>,
    /// Remove it instead.
    #[arg(long, requires = "name")]
    remove: bool,
    #[command(flatten)]
    at: At,
}

#[derive(Args)]
pub(crate) struct RestoreArgs {
    /// Its name.
    name: String,
    #[command(flatten)]
    at: At,
}

const PATH: &str = "/_sandbox/snapshots";

pub(super) async fn reset(args: ResetArgs) -> Result<(), String> {
    let client = args.at.client().await?;
    let said = client.post("/_sandbox/reset", &json!({})).await?;
    args.at.say(&said, "everything is as it was seeded");
    Ok(())
}

fn line(snapshot: &Value) -> Vec<String> {
    let count = |name: &str| snapshot[name].as_u64().unwrap_or(0);
    vec![
        text(snapshot, "name").to_owned(),
        moment(&snapshot["taken"]),
        format!("{} people, {} apps", count("people"), count("clients")),
        format!("{} kB", count("bytes").div_ceil(1000)),
    ]
}

pub(super) async fn snapshot(args: SnapshotArgs) -> Result<(), String> {
    let client = args.at.client().await?;
    let Some(name) = args.name.filter(|name| name != "list") else {
        let all = client.get(PATH).await?;
        let lines: Vec<_> = rows(&all, "snapshots").iter().map(line).collect();
        let words = match lines.as_slice() {
            [] => "no snapshots yet\nTake one: yufu snapshot NAME".to_owned(),
            lines => columns(lines),
        };
        args.at.say(&all, &words);
        return Ok(());
    };
    if args.remove {
        let gone = client.delete(&format!("{PATH}/{}", part(&name))).await?;
        args.at.say(&gone, &format!("{name} is gone"));
        return Ok(());
    }
    let said = client.post(PATH, &json!({"name": name})).await?;
    let how = match said["replaced"] == true {
        true => "kept anew",
        false => "kept",
    };
    args.at.say(
        &said,
        &format!("{how} as {name}\nNext: yufu restore {name}"),
    );
    Ok(())
}

pub(super) async fn restore(args: RestoreArgs) -> Result<(), String> {
    let client = args.at.client().await?;
    let path = format!("{PATH}/{}/restore", part(&args.name));
    let said = client.post(&path, &json!({})).await?;
    let taken = moment(&said["taken"]);
    let words = format!("everything is as it was in {}, taken {taken}", args.name);
    args.at.say(&said, &words);
    Ok(())
}
