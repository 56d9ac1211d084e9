//! `yufu auto`, `authorize`, `code`, `inbox`, `event`: what people do, and what apps are told of
//! it. They print what a script wants and nothing else.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use yufu_web::clock;

use super::{At, Body, query, rows, text};

#[derive(Args)]
pub(crate) struct AutoArgs {
    /// The person's short name, or `off`. Without: who it is.
    person: Option<String>,
    /// allow, deny or cancel.
    decision: Option<String>,
    /// Whether QR pages are shown before they are answered: skip or show.
    #[arg(long, value_name = "WORD")]
    page: Option<String>,
    #[command(flatten)]
    at: At,
}

#[derive(Args)]
pub(crate) struct AuthorizeArgs {
    /// The authorize address, exactly as your app made it.
    url: String,
    /// The person's short name.
    #[arg(long, value_name = "NAME", default_value = "mei")]
    person: String,
    /// allow, deny or cancel.
    #[arg(long, value_name = "WORD", default_value = "allow")]
    decision: String,
    #[command(flatten)]
    at: At,
}

#[derive(Args)]
pub(crate) struct CodeArgs {
    /// The appid.
    #[arg(long, value_name = "APPID")]
    client: String,
    /// The person's short name.
    #[arg(long, value_name = "NAME", default_value = "mei")]
    person: String,
    /// What is asked for; the usual of its kind unless given.
    #[arg(long)]
    scope: Option<String>,
    /// The state that comes back with it.
    #[arg(long)]
    state: Option<String>,
    #[command(flatten)]
    at: At,
}

#[derive(Args)]
pub(crate) struct InboxArgs {
    /// Only those to this number.
    #[arg(long, value_name = "PHONE")]
    to: Option<String>,
    /// Wait until there is one, so many seconds at most.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "10")]
    wait: Option<u64>,
    #[command(flatten)]
    at: At,
}

#[derive(Args)]
pub(crate) struct EventArgs {
    /// user_authorization_revoke, user_info_modified or user_authorization_cancellation.
    event: String,
    /// The person's short name.
    #[arg(long, value_name = "NAME")]
    person: String,
    /// The appid; must have a push address (yufu app edit APPID --push-url …).
    #[arg(long, value_name = "APPID")]
    client: String,
    /// Another mode than the app's: plain, compatible or encrypted.
    #[arg(long, value_name = "WORD")]
    mode: Option<String>,
    #[command(flatten)]
    at: At,
}

pub(super) async fn auto(args: AutoArgs) -> Result<(), String> {
    const PATH: &str = "/_sandbox/auto";
    let client = args.at.client().await?;
    let said = match args.person {
        None => client.get(PATH).await?,
        Some(off) if off == "off" => client.delete(PATH).await?,
        Some(person) => {
            let body = Body::default()
                .with("person", Some(person))
                .with("decision", args.decision)
                .with("page", args.page);
            client.put(PATH, &body.value()).await?
        }
    };
    let auto = &said["auto"];
    let words = match auto.is_object() {
        false => "nobody answers by themselves\nLet somebody: yufu auto mei allow".to_owned(),
        true => {
            let (person, decision) = (text(auto, "person"), text(auto, "decision"));
            format!("{person} answers every authorization: {decision}\nEnd it: yufu auto off")
        }
    };
    args.at.say(&said, &words);
    Ok(())
}

/// What came of an authorization: the address to go on to, or why there is none.
fn outcome(said: &Value) -> String {
    match (said["callback"].as_str(), text(said, "outcome")) {
        (Some(callback), _) => callback.to_owned(),
        (None, "stayed") => format!("the page stayed: {}", text(said, "why")),
        (None, _) => {
            let number = said["err_code"].as_i64().unwrap_or(0);
            format!("err_code {number} {}", text(said, "err_str"))
                .trim()
                .to_owned()
        }
    }
}

pub(super) async fn authorize(args: AuthorizeArgs) -> Result<(), String> {
    let body = json!({"url": args.url, "person": args.person, "decision": args.decision});
    let client = args.at.client().await?;
    let said = client.post("/_sandbox/authorize", &body).await?;
    args.at.say(&said, &outcome(&said));
    Ok(())
}

pub(super) async fn code(args: CodeArgs) -> Result<(), String> {
    let body = Body::default()
        .with("client", Some(args.client))
        .with("person", Some(args.person))
        .with("scope", args.scope)
        .with("state", args.state);
    let client = args.at.client().await?;
    let said = client.post("/_sandbox/codes", &body.value()).await?;
    match said["code"].as_str() {
        Some(code) => args.at.say(&said, code),
        None => return Err(format!("there is no code: {}", outcome(&said))),
    }
    Ok(())
}

pub(super) async fn inbox(args: InboxArgs) -> Result<(), String> {
    let client = args.at.client().await?;
    let path = format!("/_sandbox/inbox{}", query(&[("to", args.to.clone())]));
    let (began, patience) = (clock::mark(), Duration::from_secs(args.wait.unwrap_or(0)));
    loop {
        let all = client.get(&path).await?;
        if let [newest, ..] = rows(&all, "letters") {
            args.at.say(newest, text(newest, "passcode"));
            return Ok(());
        }
        if began.elapsed() >= patience {
            let to = args.to.map_or(String::new(), |to| format!(" to {to}"));
            let remedy = match args.wait {
                Some(_) => "Did the app ask for one? Look at the flows: yufu flow",
                None => "Wait for one: --wait",
            };
            return Err(format!("there is no passcode{to}.\n  {remedy}"));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub(super) async fn event(args: EventArgs) -> Result<(), String> {
    let body = Body::default()
        .with("event", Some(args.event))
        .with("person", Some(args.person))
        .with("client", Some(args.client))
        .with("mode", args.mode);
    let client = args.at.client().await?;
    let said = client.post("/_sandbox/events", &body.value()).await?;
    args.at.say(&said, text(&said, "verdict"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_an_address_or_why_there_is_none() {
        let said = json!({"outcome": "returned", "callback": "http://a/?code=1", "code": "1"});
        assert_eq!(outcome(&said), "http://a/?code=1");
        let said = json!({"outcome": "stayed", "why": "denied"});
        assert_eq!(outcome(&said), "the page stayed: denied");
        let said = json!({"outcome": "result", "err_code": -4, "err_str": "ERR_AUTH_DENIED", "callback": null});
        assert_eq!(outcome(&said), "err_code -4 ERR_AUTH_DENIED");
    }
}
