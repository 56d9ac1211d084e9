//! What a check asks of the sandbox, over its own REST.

use std::time::Duration;

use reqwest::Url;
use serde_json::{Value, json};

use super::backend::random;
use super::template::percent;
use crate::launch::rest::Client;

/// How long a passcode may take to arrive in the inbox.
const PASSCODE: Duration = Duration::from_secs(6);

/// A sandbox, as the check uses it.
pub struct Sandbox {
    rest: Client,
}

/// A person whom the check made.
#[derive(Clone, Debug)]
pub struct Person {
    /// The short name.
    pub name: String,
    /// The shown name.
    pub nickname: String,
    /// The number that they will bind; not the one of their WeChat.
    pub phone: String,
}

/// How a person is made.
#[derive(Clone, Debug, Default)]
pub struct Draft<'a> {
    /// The shown name; else one of their own.
    pub nickname: Option<&'a str>,
    /// Whether they have no picture.
    pub faceless: bool,
}

/// What a person says when an app asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// Yes.
    Allow,
    /// No.
    Deny,
    /// Nothing: goes back.
    Cancel,
}

/// What came of an authorization.
#[derive(Clone, Debug)]
pub struct Returned {
    /// The address that the browser was led to.
    pub callback: Option<Url>,
    /// The code.
    pub code: Option<String>,
    /// The state.
    pub state: Option<String>,
}

/// An app as the sandbox knows it.
#[derive(Clone, Debug, Default)]
pub struct KnownApp {
    /// Its appid.
    pub appid: String,
    /// Its secret.
    pub secret: String,
}

/// A login as the sandbox saw it.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Its id.
    pub id: String,
    /// Calls to the code exchange that arrived at the platform.
    pub exchanges: usize,
    /// What was found: code, severity, title.
    pub findings: Vec<Finding>,
}

/// Something that was found in a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its word.
    pub code: String,
    /// error, warning or note.
    pub severity: String,
    /// One line.
    pub title: String,
    /// What is wrong with it.
    pub why: String,
    /// What to do.
    pub fix: String,
}

impl Sandbox {
    /// A sandbox.
    pub fn new(rest: Client) -> Self {
        Self { rest }
    }

    /// Its own client, for what is not here.
    pub fn rest(&self) -> &Client {
        &self.rest
    }

    // --- people and apps ------------------------------------------------------------------------

    /// Makes a person whom nobody knows yet.
    ///
    /// # Errors
    /// In the user's words.
    pub async fn person(&self, draft: &Draft<'_>) -> Result<Person, String> {
        let name = format!("chk-{}", random());
        let own = format!("Check {}", &name[4..10]);
        let nickname = draft.nickname.unwrap_or(&own).to_owned();
        let body = json!({
            "name": name,
            "nickname": nickname,
            "phone": number(),
            "avatar": if draft.faceless { "none" } else { "face" },
        });
        self.rest.post("/_sandbox/people", &body).await?;
        Ok(Person {
            name,
            nickname,
            phone: number(),
        })
    }

    /// Takes a person away.
    ///
    /// # Errors
    /// In the user's words.
    pub async fn forget(&self, name: &str) -> Result<(), String> {
        let path = format!("/_sandbox/people/{name}");
        self.rest.delete(&path).await.map(drop)
    }

    /// The apps that the sandbox knows.
    ///
    /// # Errors
    /// In the user's words.
    pub async fn clients(&self) -> Result<Vec<Value>, String> {
        let answer = self.rest.get("/_sandbox/clients").await?;
        Ok(list(answer, "clients"))
    }

    /// Sets where an app's pushes go.
    ///
    /// # Errors
    /// In the user's words.
    pub async fn push_to(&self, appid: &str, push: &Value) -> Result<(), String> {
        let path = format!("/_sandbox/clients/{}", percent(appid));
        let body = json!({ "push": push });
        self.rest.patch(&path, &body).await.map(drop)
    }

    // --- authorizing ----------------------------------------------------------------------------

    /// Lets a person answer an authorize address, exactly as the app made it.
    ///
    /// # Errors
    /// In the user's words.
    pub async fn authorize(
        &self,
        url: &str,
        person: &Person,
        says: Says,
    ) -> Result<Returned, String> {
        let decision = match says {
            Says::Allow => "allow",
            Says::Deny => "deny",
            Says::Cancel => "cancel",
        };
        let body = json!({"url": url, "person": person.name, "decision": decision});
        let answer = self.rest.post("/_sandbox/authorize", &body).await?;
        let text = |key: &str| answer[key].as_str().map(str::to_owned);
        Ok(Returned {
            callback: text("callback").and_then(|url| Url::parse(&url).ok()),
            code: text("code"),
            state: text("state"),
        })
    }

    /// A code for an app whose SDK asks by itself.
    ///
    /// # Errors
    /// In the user's words.
    pub async fn code(
        &self,
        appid: &str,
        person: &Person,
        state: Option<&str>,
    ) -> Result<String, String> {
        let body = json!({"client": appid, "person": person.name, "state": state});
        let answer = self.rest.post("/_sandbox/codes", &body).await?;
        let code = answer["code"].as_str().map(str::to_owned);
        code.ok_or_else(|| "the sandbox gave no code".to_owned())
    }

    /// Ends a code or a token now.
    ///
    /// # Errors
    /// In the user's words.
    pub async fn expire(&self, token: &str) -> Result<(), String> {
        let body = json!({ "token": token });
        self.rest
            .post("/_sandbox/tokens/expire", &body)
            .await
            .map(drop)
    }

    /// Takes the person's yes to an app back, on their phone.
    ///
    /// # Errors
    /// In the user's words.
    pub async fn revoke(&self, person: &Person, appid: &str) -> Result<(), String> {
        let body = json!({"person": person.name, "act": "revoke", "appid": appid});
        self.rest.post("/_sandbox/phone", &body).await.map(drop)
    }

    /// Redeems a code as a backend would: access token, openid, unionid.
    ///
    /// # Errors
    /// In the user's words.
    pub async fn redeem(&self, app: &KnownApp, code: &str) -> Result<Value, String> {
        let path = format!(
            "/sns/oauth2/access_token?appid={}&secret={}&code={}&grant_type=authorization_code",
            percent(&app.appid),
            percent(&app.secret),
            percent(code)
        );
        let answer = self.rest.get(&path).await?;
        match answer["openid"].is_string() {
            true => Ok(answer),
            false => Err(format!(
                "the sandbox does not exchange a code of {}: {answer}",
                app.appid
            )),
        }
    }

    // --- faults and time ------------------------------------------------------------------------

    /// Lets the platform misbehave towards a person; answers the fault's id.
    ///
    /// # Errors
    /// In the user's words.
    pub async fn fault(&self, person: &Person, fault: &Value) -> Result<String, String> {
        let mut fault = fault.clone();
        fault["person"] = json!(person.name);
        let answer = self.rest.post("/_sandbox/faults", &fault).await?;
        let id = answer["faults"][0]["id"].as_str().map(str::to_owned);
        id.ok_or_else(|| "the sandbox gave the fault no id".to_owned())
    }

    /// Ends a fault. One that ended by itself is no error.
    pub async fn mend(&self, id: &str) {
        let _ = self
            .rest
            .delete(&format!("/_sandbox/faults/{}", percent(id)))
            .await;
    }

    /// Turns the clock.
    ///
    /// # Errors
    /// In the user's words.
    pub async fn clock(&self, turn: &Value) -> Result<(), String> {
        self.rest.post("/_sandbox/clock", turn).await.map(drop)
    }

    // --- what arrived ---------------------------------------------------------------------------

    /// The passcodes that a number was sent, newest first: when, and which.
    ///
    /// # Errors
    /// In the user's words.
    pub async fn inbox(&self, phone: &str) -> Result<Vec<String>, String> {
        let path = format!("/_sandbox/inbox?to={}", percent(phone));
        let messages = list(self.rest.get(&path).await?, "letters");
        let passcode = |message: &Value| Some(message["passcode"].as_str()?.to_owned());
        Ok(messages.iter().filter_map(passcode).collect())
    }

    /// The passcode that arrives after `before` messages.
    ///
    /// # Errors
    /// In the user's words: none arrives.
    pub async fn passcode(&self, phone: &str, before: usize) -> Result<String, String> {
        let arrives = async {
            loop {
                let messages = self.inbox(phone).await?;
                if messages.len() > before
                    && let Some(newest) = messages.into_iter().next()
                {
                    return Ok(newest);
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let in_time = tokio::time::timeout(PASSCODE, arrives).await;
        in_time.unwrap_or_else(|_| {
            Err(format!("no passcode for {phone} arrived in the sandbox's inbox. Where your backend sends none there, let a [step.passcode] read it, or write a fixed one under [sms]"))
        })
    }

    /// Sends an event to the app's push address; answers what the app said.
    ///
    /// # Errors
    /// In the user's words.
    pub async fn event(&self, body: &Value) -> Result<Value, String> {
        self.rest.post("/_sandbox/events", body).await
    }

    /// The logins of a person, as the sandbox saw them.
    ///
    /// # Errors
    /// In the user's words.
    pub async fn flows(&self, person: &Person) -> Result<Vec<Flow>, String> {
        let path = format!("/_sandbox/flows?person={}&limit=50", percent(&person.name));
        let summaries = list(self.rest.get(&path).await?, "flows");
        let mut flows = Vec::new();
        for summary in &summaries {
            let Some(id) = summary["id"].as_str() else {
                continue;
            };
            flows.push(Flow::read(
                &self.rest.get(&format!("/_sandbox/flows/{id}")).await?,
            ));
        }
        Ok(flows)
    }
}

impl Flow {
    /// Reads a flow of the REST.
    pub fn read(flow: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let arrows = flow["arrows"].as_array().into_iter().flatten();
        let exchange = |arrow: &&Value| {
            let label = arrow["label"].as_str().unwrap_or_default();
            arrow["to"] == "platform" && label.contains("/sns/oauth2/access_token")
        };
        let findings = flow["findings"].as_array().into_iter().flatten();
        Self {
            id: text(&flow["id"]),
            exchanges: arrows.filter(exchange).count(),
            findings: findings
                .map(|finding| Finding {
                    code: text(&finding["code"]),
                    severity: text(&finding["severity"]),
                    title: text(&finding["title"]),
                    why: text(&finding["why"]),
                    fix: text(&finding["fix"]),
                })
                .collect(),
        }
    }
}

/// A list that is the whole answer, or stands in it under a name.
fn list(answer: Value, name: &str) -> Vec<Value> {
    match answer {
        Value::Array(items) => items,
        Value::Object(mut entries) => match entries.remove(name) {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// A mobile number that nobody has.
pub fn number() -> String {
    let drawn = u64::from_str_radix(&random(), 16).unwrap_or(0);
    format!("+8613{:09}", drawn % 1_000_000_000)
}
