//! The backend under check, as its recipe tells to talk to it.

use std::time::Duration;

use reqwest::Url;
use yufu_core::secret::Entropy as _;
use yufu_web::clock;

use super::jar::Jar;
use super::recipe::{Body, Call, Recipe, Rule, Source, Step, Wanted};
use super::template::{Vars, fill_json, percent};
use super::trace;
use super::wire::{Answer, Ask, Silence, Wire};
use crate::ports::SystemEntropy;

/// The most redirects that are followed.
const HOPS: usize = 10;

/// The backend under check.
pub struct Backend {
    /// How it is talked to.
    pub recipe: Recipe,
    /// Values that hold for every request.
    pub given: Vars,
    wire: Wire,
}

/// Which of the backend's apps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that is checked.
    First,
    /// Another one of the same developer.
    Second,
}

/// A browser, or an app on a phone: its cookies, and what it captured.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// The cookies.
    pub jar: Jar,
    /// What was captured.
    pub vars: Vars,
}

/// What a step is done with.
#[derive(Clone, Copy, Debug, Default)]
pub struct With<'a> {
    /// Values for its holes; `None` takes a value away.
    pub values: &'a [(&'a str, Option<&'a str>)],
    /// Fields that nobody asked for, as somebody would add them who tries.
    pub smuggled: &'a [(&'a str, &'a str)],
}

impl<'a> With<'a> {
    /// With these values.
    pub fn values(values: &'a [(&'a str, Option<&'a str>)]) -> Self {
        Self {
            values,
            smuggled: &[],
        }
    }

    /// Adds the fields that nobody asked for: to the body if it has fields, else to the address.
    fn smuggle(&self, ask: &mut Ask) {
        if self.smuggled.is_empty() {
            return;
        }
        let spelled = self
            .smuggled
            .iter()
            .map(|(name, value)| format!("{name}={}", percent(value)));
        let spelled = spelled.collect::<Vec<_>>().join("&");
        match &mut ask.body {
            Some(("application/json", body)) => {
                if let Ok(serde_json::Value::Object(mut fields)) = serde_json::from_str(body) {
                    for (name, value) in self.smuggled {
                        fields.insert((*name).to_owned(), (*value).into());
                    }
                    *body = serde_json::Value::Object(fields).to_string();
                }
            }
            Some((_, body)) => {
                body.push('&');
                body.push_str(&spelled);
            }
            None => {
                let before = ask.url.query().map(|query| format!("{query}&"));
                let query = before.unwrap_or_default() + &spelled;
                ask.url.set_query(Some(&query));
            }
        }
    }
}

/// What came of a step.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Which step.
    pub step: Step,
    /// Every answer, redirects and all.
    pub answers: Vec<Answer>,
    /// What it comes to.
    pub kind: Kind,
    /// How long it took.
    pub took: Duration,
}

/// What an answer comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It worked.
    Success,
    /// It was refused, in words that the app can use.
    Refusal,
    /// It neither worked nor was it refused properly.
    Unclear(String),
    /// There was no answer.
    Silent(Silence),
}

impl Heard {
    /// What was seen, in one line.
    pub fn line(&self, patience: Duration) -> String {
        let word = self.step.word();
        match (&self.kind, self.answers.last()) {
            (Kind::Silent(silence), _) => format!("{word}: {}", silence.words(patience)),
            (_, Some(answer)) => format!("{word}: {}", answer.line()),
            (_, None) => format!("{word}: nothing"),
        }
    }

    /// Whether it worked.
    pub fn is_success(&self) -> bool {
        self.kind == Kind::Success
    }
}

impl Backend {
    /// A backend.
    ///
    /// # Errors
    /// In the user's words.
    pub fn new(recipe: Recipe, given: Vars) -> Result<Self, String> {
        let wire = Wire::new()?;
        Ok(Self {
            recipe,
            given,
            wire,
        })
    }

    /// Whether anything answers there at all.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn answers(&self) -> Result<(), Silence> {
        let ask = Ask {
            method: reqwest::Method::GET,
            url: self.recipe.base.clone(),
            headers: Vec::new(),
            body: None,
        };
        match self.wire.ask(&ask, self.recipe.patience).await {
            // Whatever it says to a question it does not know, it is there.
            Ok(_) | Err(Silence::Cut) => Ok(()),
            Err(silence) => Err(silence),
        }
    }

    /// Whether a step is there on this side.
    pub fn has(&self, step: Step) -> bool {
        self.recipe.has(step)
    }

    fn calls(&self, side: Side, step: Step) -> &[Call] {
        let second = self.recipe.second.as_ref();
        let own = second
            .filter(|_| side == Side::Second)
            .and_then(|second| second.steps.get(&step));
        let calls = own.or_else(|| self.recipe.steps.get(&step));
        calls.map_or(&[], Vec::as_slice)
    }

    /// Does a step.
    ///
    /// # Errors
    /// In the user's words: the recipe lacks something.
    pub async fn step(
        &self,
        device: &mut Device,
        side: Side,
        step: Step,
        with: &With<'_>,
    ) -> Result<Heard, String> {
        let began = clock::mark();
        let mut heard = Heard {
            step,
            answers: Vec::new(),
            kind: Kind::Success,
            took: Duration::ZERO,
        };
        for call in self.calls(side, step) {
            let vars = self.vars(device, side, with.values);
            let first = heard.answers.len();
            heard.kind = self.call(device, call, &vars, with, &mut heard).await?;
            let answers = heard.answers.get(first..).unwrap_or_default();
            self.capture(device, call, answers);
            if heard.kind != Kind::Success {
                break;
            }
        }
        heard.took = began.elapsed();
        Ok(heard)
    }

    fn vars(&self, device: &Device, side: Side, more: &[(&str, Option<&str>)]) -> Vars {
        let mut vars = self.given.clone();
        vars.extend(self.recipe.vars.iter().cloned());
        if let (Side::Second, Some(second)) = (side, &self.recipe.second) {
            vars.extend(second.vars.iter().cloned());
            for (name, from) in [("appid", "second_appid"), ("secret", "second_secret")] {
                if let Some(value) = vars.get(from).cloned() {
                    vars.insert(name.to_owned(), value);
                }
            }
        }
        vars.insert("random".to_owned(), random());
        for (name, value) in &device.vars {
            vars.insert(name.clone(), value.clone());
        }
        for (name, value) in more {
            match value {
                Some(value) => vars.insert((*name).to_owned(), (*value).to_owned()),
                None => vars.remove(*name),
            };
        }
        vars
    }

    async fn call(
        &self,
        device: &mut Device,
        call: &Call,
        vars: &Vars,
        with: &With<'_>,
        heard: &mut Heard,
    ) -> Result<Kind, String> {
        let mut ask = self.write(call, vars, heard.step)?;
        with.smuggle(&mut ask);
        let answers = &mut heard.answers;
        // The platform's page leads here: what must not follow from elsewhere does not.
        let mut from_elsewhere = call.path.holes().any(|hole| hole == "callback");
        let first = answers.len();
        for _ in 0..HOPS {
            let now = clock::real();
            let cookies = device.jar.header(&ask.url, from_elsewhere, now);
            let mut sent = ask.clone();
            sent.headers
                .extend(cookies.map(|it| ("cookie".to_owned(), it)));
            let answer = match self.wire.ask(&sent, self.recipe.patience).await {
                Ok(answer) => answer,
                Err(silence) => return Ok(Kind::Silent(silence)),
            };
            device
                .jar
                .keep(&answer.url, answer.set_cookies(), clock::real());
            let next = answer.location().filter(|next| {
                call.follow
                    && (300..400).contains(&answer.status)
                    && next.origin() == self.recipe.base.origin()
            });
            answers.push(answer);
            let Some(next) = next else {
                break;
            };
            from_elsewhere = false;
            ask = Ask {
                method: reqwest::Method::GET,
                url: next,
                headers: ask.headers,
                body: None,
            };
        }
        let answers = answers.get(first..).unwrap_or_default();
        Ok(self.judge(call, answers, vars))
    }

    /// The request of a call.
    fn write(&self, call: &Call, vars: &Vars, step: Step) -> Result<Ask, String> {
        let lacks = |hole: String| {
            format!(
                "step {} wants {{{hole}}}, and no answer brought it so far",
                step.word()
            )
        };
        let path = call.path.fill_address(vars).map_err(lacks)?;
        let mut url = self
            .recipe
            .base
            .join(&path)
            .map_err(|_| format!("step {} leads to \"{path}\", no address", step.word()))?;
        let pairs: Vec<String> = call
            .query
            .iter()
            .filter_map(|pair| pair.fill_address(vars).ok())
            .collect();
        if !pairs.is_empty() {
            let before = url.query().map(|query| format!("{query}&"));
            let query = before.unwrap_or_default() + &pairs.join("&");
            url.set_query(Some(&query));
        }
        let headers = self.recipe.headers.iter().chain(&call.headers);
        let headers = headers
            .filter_map(|(name, value)| Some((name.to_lowercase(), value.fill(vars).ok()?)))
            .collect();
        let body = match &call.body {
            Body::Empty => None,
            Body::Json(json) => {
                let json = fill_json(json, vars).unwrap_or_default();
                Some(("application/json", json.to_string()))
            }
            Body::Form(form) => {
                let pairs = form
                    .iter()
                    .filter_map(|(name, value)| Some((name, value.fill(vars).ok()?)));
                let pairs: Vec<String> = pairs
                    .map(|(name, value)| format!("{}={}", percent(name), percent(&value)))
                    .collect();
                Some(("application/x-www-form-urlencoded", pairs.join("&")))
            }
        };
        Ok(Ask {
            method: call.method.clone(),
            url,
            headers,
            body,
        })
    }

    /// What the answers to a request come to.
    fn judge(&self, call: &Call, answers: &[Answer], vars: &Vars) -> Kind {
        let Some(last) = answers.last() else {
            return Kind::Unclear("it leads round in circles".to_owned());
        };
        for answer in answers {
            if let Some(what) = trace::found(&answer.body) {
                return Kind::Unclear(format!("it shows a stack trace ({what})"));
            }
            let secret = vars.get("secret").filter(|secret| secret.len() > 8);
            if secret.is_some_and(|secret| answer.body.contains(secret.as_str())) {
                return Kind::Unclear("it shows the app's secret".to_owned());
            }
        }
        let refuse = call.refuse.as_ref().or(self.recipe.refusal.as_ref());
        if refuse.is_some_and(|rule| rule.holds(answers)) {
            return Kind::Refusal;
        }
        let expect = call.expect.as_ref().or(self.recipe.success.as_ref());
        let worked = match expect {
            Some(rule) => rule.holds(answers),
            None => (200..400).contains(&last.status),
        };
        if worked {
            return Kind::Success;
        }
        let wants_json = expect.is_some_and(|rule| !rule.points.is_empty());
        if wants_json && last.is_page() {
            return Kind::Unclear("it answers with a page where the app expects JSON".to_owned());
        }
        if last.status == 500 {
            let what = "it answers with status 500, as a program does that broke";
            return Kind::Unclear(what.to_owned());
        }
        if wants_json && last.json().is_none() {
            return Kind::Unclear("it answers with no JSON where the app expects it".to_owned());
        }
        Kind::Refusal
    }

    fn capture(&self, device: &mut Device, call: &Call, answers: &[Answer]) {
        for (name, source) in &call.capture {
            let found = answers
                .iter()
                .rev()
                .find_map(|answer| source.find(answer))
                .or_else(|| match source {
                    Source::Cookie(name) => device.jar.value(name).map(str::to_owned),
                    _ => None,
                });
            match found {
                // What is said to be empty is over.
                Some(value) if value.is_empty() => {
                    device.vars.remove(name);
                }
                Some(value) => {
                    device.vars.insert(name.clone(), value);
                }
                None => {}
            }
        }
    }

    /// A callback, on the backend: the path to which the platform returns, with these values.
    pub fn callback(&self, returned: &Url, code: Option<&str>, state: Option<&str>) -> String {
        let mut url = self.recipe.base.clone();
        url.set_path(returned.path());
        let others: Vec<(String, String)> = returned
            .query_pairs()
            .filter(|(name, _)| name != "code" && name != "state")
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        url.set_query(None);
        let given = [("code", code), ("state", state)];
        let given = given
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
        let pairs: Vec<_> = others.into_iter().chain(given).collect();
        if !pairs.is_empty() {
            url.query_pairs_mut().extend_pairs(pairs);
        }
        url.to_string()
    }
}

impl Backend {
    /// Sends pushes that are not the platform's: with a wrong signature, and with none. Answers
    /// whether one of them was taken with a 2xx.
    ///
    /// # Errors
    /// In the user's words.
    pub async fn forge_push(&self, openid: &str, appid: &str) -> Result<bool, String> {
        let Some(push) = &self.recipe.push else {
            return Err("the recipe has no [push] address".to_owned());
        };
        let base = self.recipe.base.join(&push.path);
        let base = base.map_err(|_| format!("push.path is \"{}\", no address", push.path))?;
        let xml = format!(
            "<xml><ToUserName><![CDATA[gh_check]]></ToUserName><FromUserName><![CDATA[{openid}]]></FromUserName>\
             <CreateTime>1800000000</CreateTime><MsgType><![CDATA[event]]></MsgType>\
             <Event><![CDATA[user_authorization_cancellation]]></Event><OpenID><![CDATA[{openid}]]></OpenID>\
             <AppID><![CDATA[{appid}]]></AppID><RevokeInfo><![CDATA[301]]></RevokeInfo></xml>"
        );
        let wrong = "signature=0000000000000000000000000000000000000000&msg_signature=0000000000000000000000000000000000000000&timestamp=1800000000&nonce=check";
        let mut taken = false;
        for query in [Some(wrong), None] {
            let mut url = base.clone();
            url.set_query(query);
            let ask = Ask {
                method: reqwest::Method::POST,
                url,
                headers: Vec::new(),
                body: Some(("text/xml", xml.clone())),
            };
            match self.wire.ask(&ask, self.recipe.patience).await {
                Ok(answer) => taken = taken || (200..300).contains(&answer.status),
                Err(Silence::Down) => {
                    return Err(format!("nothing listens at {base}, the address for pushes"));
                }
                Err(_) => {}
            }
        }
        Ok(taken)
    }
}

/// Sixteen hexadecimal digits that nobody used before.
pub fn random() -> String {
    let mut bytes = [0; 8];
    SystemEntropy.fill(&mut bytes);
    yufu_core::keyring::hex(&bytes)
}

impl Rule {
    /// Whether answers look like this: the last one, and the way to it.
    fn holds(&self, answers: &[Answer]) -> bool {
        let Some(last) = answers.last() else {
            return false;
        };
        let status = |answer: &Answer| {
            let mut ranges = self.status.iter();
            ranges.any(|(from, to)| (*from..=*to).contains(&answer.status))
        };
        let leads = |answer: &Answer| {
            let location = answer.header("location").unwrap_or_default();
            self.location.iter().any(|part| location.contains(part))
        };
        let json = last.json();
        (self.status.is_empty() || answers.iter().any(status))
            && (self.location.is_empty() || answers.iter().any(leads))
            && self.body.iter().all(|part| last.body.contains(part))
            && self.points.iter().all(|(pointer, wanted)| {
                let value = json.as_ref().and_then(|json| json.pointer(pointer));
                json.is_some() && wanted.holds(value)
            })
    }
}

impl Wanted {
    fn holds(&self, value: Option<&serde_json::Value>) -> bool {
        let empty = match value {
            None | Some(serde_json::Value::Null) => true,
            Some(serde_json::Value::String(text)) => text.is_empty(),
            Some(_) => false,
        };
        match self {
            Self::OneOf(values) => value.is_some_and(|value| values.contains(value)),
            Self::Not(values) => value.is_none_or(|value| !values.contains(value)),
            Self::There(there) => *there != empty,
        }
    }
}

impl Source {
    /// The value in an answer; empty where it is said to be nothing.
    fn find(&self, answer: &Answer) -> Option<String> {
        match self {
            Self::Pointer(pointer) => match answer.json()?.pointer(pointer)? {
                serde_json::Value::Null => Some(String::new()),
                serde_json::Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            },
            Self::Header(name) => answer.header(name).map(str::to_owned),
            Self::Location => answer.location().map(|url| url.to_string()),
            Self::Query(name) => {
                let url = answer.location()?;
                let found = url.query_pairs().find(|(key, _)| key == name)?;
                Some(found.1.into_owned())
            }
            // The jar has it; whichever answer brought it.
            Self::Cookie(_) => None,
            Self::Field(name) => field(&answer.body, name),
        }
    }
}

/// The value of a form's field in a page.
fn field(page: &str, name: &str) -> Option<String> {
    let tags = page.split("<input").skip(1);
    for tag in tags {
        let tag = tag.split('>').next().unwrap_or_default();
        let quoted = |key: &str| {
            let (_, rest) = tag.split_once(&format!("{key}="))?;
            let quote = rest.chars().next().filter(|c| ['"', '\''].contains(c))?;
            rest.get(1..)?.split(quote).next()
        };
        if quoted("name") == Some(name) {
            return quoted("value").map(str::to_owned);
        }
    }
    None
}
