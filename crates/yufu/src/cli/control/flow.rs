//! `yufu flow …`: the logins of a sandbox, as the page /flows shows them.

use clap::Args;
use serde_json::Value;

use super::{At, columns, moment, part, query, rows, text};

#[derive(Args)]
pub(crate) struct FlowArgs {
    /// One of them, such as f17; `list` or nothing for the newest.
    id: Option<String>,
    /// Only those of this app.
    #[arg(long, value_name = "APPID")]
    client: Option<String>,
    /// Only those of this person.
    #[arg(long, value_name = "NAME")]
    person: Option<String>,
    /// Only those with this finding.
    #[arg(long, value_name = "CODE")]
    finding: Option<String>,
    /// Only those with this text in them.
    #[arg(long)]
    text: Option<String>,
    /// How many.
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u32,
    /// Print all of them, whole, as JSON.
    #[arg(long, conflicts_with = "id")]
    export: bool,
    /// Forget all of them.
    #[arg(long, conflicts_with_all = ["id", "export"])]
    clear: bool,
    #[command(flatten)]
    at: At,
}

fn line(flow: &Value) -> Vec<String> {
    let findings = rows(flow, "findings").iter().map(|it| text(it, "code"));
    let findings: Vec<_> = findings.collect();
    vec![
        text(flow, "id").to_owned(),
        moment(&flow["at"]),
        text(flow, "door").to_owned(),
        text(&flow["client"], "name").to_owned(),
        text(flow, "person").to_owned(),
        text(flow, "state").to_owned(),
        findings.join(" "),
    ]
}

pub(super) async fn run(args: FlowArgs) -> Result<(), String> {
    let client = args.at.client().await?;
    if args.clear {
        let gone = client.delete("/_sandbox/flows").await?;
        args.at.say(&gone, "the flows are forgotten");
        return Ok(());
    }
    if args.export {
        say!("{}", client.text("/_sandbox/flows.json").await?.trim_end());
        return Ok(());
    }
    if let Some(id) = args.id.filter(|id| id != "list") {
        let path = format!("/_sandbox/flows/{}", part(&id));
        if args.at.json {
            args.at.say(&client.get(&path).await?, "");
        } else {
            say!("{}", client.text(&format!("{path}.txt")).await?.trim_end());
        }
        return Ok(());
    }
    let asked = query(&[
        ("limit", Some(args.limit.to_string())),
        ("client", args.client),
        ("person", args.person),
        ("finding", args.finding),
        ("text", args.text),
    ]);
    let all = client.get(&format!("/_sandbox/flows{asked}")).await?;
    let lines: Vec<_> = rows(&all, "flows").iter().map(line).collect();
    let words = match lines.as_slice() {
        [] => "no logins yet\nSee them as they happen: yufu run -- your command, then /flows"
            .to_owned(),
        lines => columns(lines),
    };
    args.at.say(&all, &words);
    Ok(())
}
