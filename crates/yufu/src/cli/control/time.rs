//! `yufu clock`, `yufu expire`: the time of a sandbox.

use clap::Args;
use serde_json::{Value, json};

use super::{At, moment, text};

#[derive(Args)]
pub(crate) struct ClockArgs {
    /// How far to turn it, such as 2h, 31d or -5m; `freeze`, or `real`. Without: what time it is.
    #[arg(allow_hyphen_values = true)]
    turn: Option<String>,
    #[command(flatten)]
    at: At,
}

#[derive(Args)]
pub(crate) struct ExpireArgs {
    /// The code or token, as your app has it.
    token: String,
    #[command(flatten)]
    at: At,
}

const PATH: &str = "/_sandbox/clock";

fn words(clock: &Value) -> String {
    let ahead = clock["ahead"].as_i64().unwrap_or(0);
    let mut words = moment(&clock["now"]);
    if clock["frozen"] == true {
        words.push_str("  frozen");
    }
    match ahead {
        -999..=999 => words.push_str("  real time"),
        1000.. => words.push_str(&format!("  {} ahead of real time", span(ahead))),
        _ => words.push_str(&format!("  {} behind real time", span(-ahead))),
    }
    if ahead.abs() > 999 || clock["frozen"] == true {
        words.push_str("\nBack: yufu clock real");
    }
    words
}

/// Days, hours, minutes, seconds; the two largest.
fn span(ms: i64) -> String {
    let mut rest = ms / 1000;
    let mut parts = Vec::new();
    for (seconds, unit) in [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")] {
        if rest >= seconds {
            parts.push(format!("{}{unit}", rest / seconds));
            rest %= seconds;
        }
    }
    parts.truncate(2);
    parts.join(" ")
}

pub(super) async fn clock(args: ClockArgs) -> Result<(), String> {
    let client = args.at.client().await?;
    let said = match args.turn.as_deref() {
        None => client.get(PATH).await?,
        Some("freeze") => client.post(PATH, &json!({"freeze": true})).await?,
        Some("real") => client.post(PATH, &json!({"real": true})).await?,
        Some(jump) => client.post(PATH, &json!({"jump": jump})).await?,
    };
    args.at.say(&said, &words(&said));
    Ok(())
}

pub(super) async fn expire(args: ExpireArgs) -> Result<(), String> {
    let client = args.at.client().await?;
    let body = json!({"token": args.token});
    let said = client.post("/_sandbox/tokens/expire", &body).await?;
    let words = format!("the {} is expired", text(&said, "expired"));
    args.at.say(&said, &words);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_told_in_words() {
        let at = |ahead: i64, frozen: bool| {
            words(&json!({"now": 1_767_225_600_000_i64, "ahead": ahead, "frozen": frozen}))
        };
        assert_eq!(at(3, false), "2026-01-01T00:00:00Z  real time");
        assert_eq!(
            at(2 * 3_600_000 + 61_000, false),
            "2026-01-01T00:00:00Z  2h 1m ahead of real time\nBack: yufu clock real"
        );
        assert_eq!(
            at(-300_000, true),
            "2026-01-01T00:00:00Z  frozen  5m behind real time\nBack: yufu clock real"
        );
    }
}
