//! Without a recipe: the logins that pass by are judged as they come, by what the sandbox finds in
//! them, until Ctrl-C or for a time.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use yufu_web::clock::Budget;

use super::sandbox::{Finding, Flow};
use crate::launch::rest::Client;

/// How often the sandbox is asked.
const PACE: Duration = Duration::from_millis(400);
/// How many of the newest logins are looked at each time.
const NEWEST: usize = 200;

/// How long one watches, and what is told meanwhile.
pub struct Watch {
    /// How long; else until Ctrl-C.
    pub lasts: Option<Duration>,
    /// Whether each finding is told as one line of JSON.
    pub json: bool,
}

/// What was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Logins that came or changed.
    pub flows: usize,
    /// Findings that the real platform refuses, or that are unsafe.
    pub errors: usize,
    /// Findings that want a look.
    pub warnings: usize,
}

impl Seen {
    /// The exit status: 1 when something was found that must be mended.
    pub fn status(self) -> u8 {
        u8::from(self.errors > 0)
    }
}

/// Watches; each finding is handed to `tell` once.
///
/// # Errors
/// In the user's words: the sandbox is gone.
pub async fn watch(
    sandbox: &Client,
    watch: &Watch,
    mut tell: impl FnMut(&str),
) -> Result<Seen, String> {
    let mut seen = Seen::default();
    let mut known = Known::default();
    // What was there before is not judged.
    known.news(&newest(sandbox).await?);
    let budget = watch.lasts.map(Budget::new);
    loop {
        let pause = budget.map_or(PACE, |budget| budget.left().min(PACE));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = tokio::signal::ctrl_c() => return Ok(seen),
        }
        for id in known.news(&newest(sandbox).await?) {
            let whole = sandbox.get(&format!("/_sandbox/flows/{id}")).await?;
            if known.told.insert(id.clone(), Vec::new()).is_none() {
                seen.flows += 1;
            }
            let flow = Flow::read(&whole);
            for finding in known.fresh(&flow) {
                match finding.severity.as_str() {
                    "error" => seen.errors += 1,
                    "warning" => seen.warnings += 1,
                    _ => {}
                }
                tell(&line(&whole, &finding, sandbox.base(), watch.json));
            }
        }
        if budget.is_some_and(|budget| budget.left().is_zero()) {
            return Ok(seen);
        }
    }
}

async fn newest(sandbox: &Client) -> Result<Vec<Value>, String> {
    let path = format!("/_sandbox/flows?limit={NEWEST}");
    let mut answer = sandbox.get(&path).await?;
    match answer["flows"].take() {
        Value::Array(flows) => Ok(flows),
        _ => Err(format!("{}{path} tells of no flows", sandbox.base())),
    }
}

/// What was seen already.
#[derive(Default)]
struct Known {
    changed: BTreeMap<String, i64>,
    told: BTreeMap<String, Vec<(String, String)>>,
}

impl Known {
    /// The logins that changed since, the oldest first.
    fn news(&mut self, summaries: &[Value]) -> Vec<String> {
        let mut news = Vec::new();
        for summary in summaries.iter().rev() {
            let Some(id) = summary["id"].as_str() else {
                continue;
            };
            let changed = summary["changed"].as_i64().unwrap_or(0);
            if self.changed.insert(id.to_owned(), changed) != Some(changed) {
                news.push(id.to_owned());
            }
        }
        news
    }

    /// The findings of a login that were not told yet.
    fn fresh(&mut self, flow: &Flow) -> Vec<Finding> {
        let told = self.told.entry(flow.id.clone()).or_default();
        let findings = flow.findings.iter();
        let fresh: Vec<Finding> = findings
            .filter(|it| !told.contains(&(it.code.clone(), it.title.clone())))
            .cloned()
            .collect();
        told.extend(fresh.iter().map(|it| (it.code.clone(), it.title.clone())));
        fresh
    }
}

fn line(flow: &Value, finding: &Finding, base: &str, as_json: bool) -> String {
    let id = flow["id"].as_str().unwrap_or_default();
    let app = flow["client"]["name"].as_str().unwrap_or("an app");
    if as_json {
        return json!({
            "flow": id, "client": flow["client"], "person": flow["person"],
            "code": finding.code, "severity": finding.severity, "title": finding.title,
            "why": finding.why, "fix": finding.fix,
        })
        .to_string();
    }
    format!(
        "{:8} {}  {app}: {}\n         {}\n         {}\n         {base}/flows?flow={id}",
        finding.severity, finding.code, finding.title, finding.why, finding.fix
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(id: &str, findings: &[&str]) -> Flow {
        Flow {
            id: id.to_owned(),
            exchanges: 0,
            findings: findings
                .iter()
                .map(|code| Finding {
                    code: (*code).to_owned(),
                    severity: "error".to_owned(),
                    title: String::new(),
                    why: String::new(),
                    fix: String::new(),
                })
                .collect(),
        }
    }

    #[test]
    fn each_change_is_looked_at_and_each_finding_told_once() {
        let mut known = Known::default();
        let list = |changed: i64| {
            vec![
                json!({"id": "f2", "changed": changed}),
                json!({"id": "f1", "changed": 1}),
            ]
        };
        assert_eq!(known.news(&list(5)), ["f1", "f2"]);
        assert!(known.news(&list(5)).is_empty());
        assert_eq!(known.news(&list(6)), ["f2"]);
        assert_eq!(known.fresh(&flow("f2", &["a"])).len(), 1);
        assert!(known.fresh(&flow("f2", &["a"])).is_empty());
        assert_eq!(known.fresh(&flow("f2", &["a", "b"]))[0].code, "b");
        assert_eq!(known.fresh(&flow("f1", &["a"])).len(), 1);
    }
}
