//! Recipes: how an app's own login backend is talked to, as a short TOML file.

mod read;
pub mod shipped;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Url;
use serde_json::Value;

use super::template::Template;
pub use read::read;

/// How a backend is talked to.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Where it is.
    pub base: Url,
    /// How long an answer may take before the backend counts as hanging.
    pub patience: Duration,
    /// Whether the backend's clock is the sandbox's, so that jumps reach it.
    pub turns: bool,
    /// The app at the platform.
    pub app: App,
    /// Another app of the same developer, if the backend has one.
    pub second: Option<Second>,
    /// Values of the recipe's own, for its holes.
    pub vars: Vec<(String, String)>,
    /// Headers of every request; one whose value is missing is not sent.
    pub headers: Vec<(String, Template)>,
    /// What an answer that worked looks like, where a step does not say.
    pub success: Option<Rule>,
    /// What a refusal looks like, where a step does not say.
    pub refusal: Option<Rule>,
    /// How passcodes are had.
    pub sms: Sms,
    /// The name of the value that binds sessions to a device, if there is one.
    pub device_key: Option<String>,
    /// The steps.
    pub steps: BTreeMap<Step, Vec<Call>>,
    /// Where the platform pushes to.
    pub push: Option<Push>,
    /// What the backend's program is given when the check starts it.
    pub environment: Vec<(String, Template)>,
}

/// An app at the platform.
#[derive(Clone, Debug, Default)]
pub struct App {
    /// Its appid; else the sandbox's own app of this kind.
    pub appid: Option<String>,
    /// Its secret, for an app that the sandbox does not know yet.
    pub secret: Option<String>,
    /// website, mobile or service.
    pub kind: String,
    /// The addresses it may be returned to, for an app that the sandbox does not know yet.
    pub redirects: Vec<String>,
}

/// Another app: what differs from the first.
#[derive(Clone, Debug)]
pub struct Second {
    /// The app.
    pub app: App,
    /// Values that replace the first's.
    pub vars: Vec<(String, String)>,
    /// Steps that replace the first's.
    pub steps: BTreeMap<Step, Vec<Call>>,
}

/// How passcodes are had.
#[derive(Clone, Debug)]
pub struct Sms {
    /// One that always works, as test systems have; else it is captured, or lies in the sandbox's
    /// inbox.
    pub fixed: Option<String>,
    /// The backend's own words for what a passcode is for.
    pub scenes: Vec<(String, String)>,
}

/// Where the platform pushes to.
#[derive(Clone, Debug)]
pub struct Push {
    /// The address, on the base unless it is a whole one.
    pub path: String,
    /// The token of the signature.
    pub token: String,
    /// The key of encrypted messages.
    pub aes_key: Option<String>,
    /// plain, compatible or encrypted.
    pub mode: String,
    /// xml or json.
    pub format: String,
}

/// What the check does with a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Begins a login.
    Begin,
    /// Delivers code and state.
    Deliver,
    /// Asks who is logged in.
    WhoAmI,
    /// Logs out.
    LogOut,
    /// Renews the session.
    Refresh,
    /// Goes on without the user at the next start.
    Relogin,
    /// Logs in with a token of the platform.
    TokenLogin,
    /// Has a passcode sent.
    Sms,
    /// Reads a passcode that was sent.
    Passcode,
    /// Binds a number to a login that waits for one.
    Bind,
    /// Says yes to the account that was found.
    Confirm,
    /// Logs in with a number.
    PhoneLogin,
    /// Begins to link, logged in.
    BeginLink,
    /// Delivers code and state of a link.
    Link,
    /// Takes the login from the account.
    Unlink,
    /// Deletes the account.
    Delete,
}

impl Step {
    /// All of them, by the word of the recipe, with what they are.
    pub const ALL: [(Self, &'static str, &'static str); 16] = [
        (
            Self::Begin,
            "begin",
            "begins a login; captures `authorize`, the address of the platform's page, or `state`",
        ),
        (
            Self::Deliver,
            "deliver",
            "delivers {code} and {state}: follows {callback} as a browser, or posts them",
        ),
        (
            Self::WhoAmI,
            "whoami",
            "asks who is logged in; captures `user`",
        ),
        (Self::LogOut, "logout", "ends the session"),
        (
            Self::Refresh,
            "refresh",
            "renews the session with what was captured",
        ),
        (
            Self::Relogin,
            "relogin",
            "what the app calls at its next start, to go on without the user",
        ),
        (
            Self::TokenLogin,
            "token_login",
            "logs in with the platform's {access_token} and {openid}, if there is such a call",
        ),
        (
            Self::Sms,
            "sms",
            "has a passcode sent to {phone}, for {scene}",
        ),
        (
            Self::Passcode,
            "passcode",
            "reads the passcode that was sent to {phone}; captures `passcode`",
        ),
        (
            Self::Bind,
            "bind",
            "binds {phone} by {passcode} to the login of {ticket}",
        ),
        (
            Self::Confirm,
            "confirm",
            "says yes when `bind` asked whether the account that was found is meant",
        ),
        (
            Self::PhoneLogin,
            "phone_login",
            "logs in with {phone} and {passcode}",
        ),
        (
            Self::BeginLink,
            "begin_link",
            "begins to link a login to the account that is logged in; captures as `begin`",
        ),
        (Self::Link, "link", "delivers {code} and {state} of that"),
        (
            Self::Unlink,
            "unlink",
            "takes the login from the account, with {passcode} where it wants one",
        ),
        (
            Self::Delete,
            "delete",
            "deletes the account, with {passcode} where it wants one",
        ),
    ];

    /// Its word in a recipe.
    pub fn word(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(step, ..)| *step == self)
            .map_or("", |(_, word, _)| word)
    }

    fn parse(word: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, known, _)| *known == word);
        found.map(|(step, ..)| *step)
    }
}

/// One request of a step.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: reqwest::Method,
    /// The path on the base, or a whole address.
    pub path: Template,
    /// Its parameters; one whose value is missing is left out.
    pub query: Vec<Template>,
    /// Headers of this request.
    pub headers: Vec<(String, Template)>,
    /// The body.
    pub body: Body,
    /// Whether redirects within the backend are followed.
    pub follow: bool,
    /// What an answer that worked looks like.
    pub expect: Option<Rule>,
    /// What a refusal looks like.
    pub refuse: Option<Rule>,
    /// What is kept of the answer.
    pub capture: Vec<(String, Source)>,
}

/// The body of a request. An entry whose value is missing is left out.
#[derive(Clone, Debug)]
pub enum Body {
    /// None.
    Empty,
    /// JSON.
    Json(Value),
    /// A form.
    Form(Vec<(String, Template)>),
}

/// Where a value stands in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the JSON of the body (RFC 6901).
    Pointer(String),
    /// A header.
    Header(String),
    /// The address that the answer leads to.
    Location,
    /// A parameter of that address.
    Query(String),
    /// A cookie.
    Cookie(String),
    /// The value of a form's field in a page.
    Field(String),
}

/// What an answer has to look like; everything has to hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rule {
    /// One of these statuses, each from, to.
    pub status: Vec<(u16, u16)>,
    /// It leads, or led on the way, to an address that holds one of these.
    pub location: Vec<String>,
    /// Its body holds this.
    pub body: Option<String>,
    /// What stands in its JSON.
    pub points: Vec<(String, Wanted)>,
}

/// What has to stand at a place of a body.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// One of these.
    OneOf(Vec<Value>),
    /// Something else than these, or nothing.
    Not(Vec<Value>),
    /// Anything, if true; nothing, null or an empty text, if false.
    There(bool),
}

impl Recipe {
    /// Whether a step is there.
    pub fn has(&self, step: Step) -> bool {
        self.steps.contains_key(&step)
    }

    /// Whether the app's users are asked on a phone by an SDK, without a browser.
    pub fn is_native(&self) -> bool {
        let begin = self.steps.get(&Step::Begin).into_iter().flatten();
        !begin
            .flat_map(|call| &call.capture)
            .any(|(name, _)| name == "authorize")
    }

    /// Whether states are part of its logins.
    pub fn has_state(&self) -> bool {
        self.has(Step::Begin)
    }

    /// Whether the answer to `deliver` is JSON, so that a page is no answer.
    pub fn speaks_json(&self) -> bool {
        let rules = self.steps.get(&Step::Deliver).into_iter().flatten();
        let of_step = rules.filter_map(|call| call.expect.as_ref());
        let mut all = of_step.chain(&self.success);
        all.any(|rule| !rule.points.is_empty())
    }

    /// Whether a step has a hole of this name.
    pub fn wants(&self, step: Step, name: &str) -> bool {
        let calls = self.steps.get(&step).into_iter().flatten();
        calls
            .into_iter()
            .any(|call| call.holes().any(|hole| hole == name))
    }
}

impl Call {
    /// The names of all its holes.
    fn holes(&self) -> impl Iterator<Item = String> {
        let pairs = |pairs: &[(String, Template)]| -> Vec<String> {
            let holes = pairs.iter().flat_map(|(_, value)| value.holes());
            holes.map(str::to_owned).collect()
        };
        let path = [&self.path].into_iter().chain(&self.query);
        let path = path.flat_map(Template::holes).map(str::to_owned);
        let body = match &self.body {
            Body::Empty => Vec::new(),
            Body::Json(json) => super::template::holes_of_json(json),
            Body::Form(form) => pairs(form),
        };
        path.chain(pairs(&self.headers))
            .chain(body)
            .collect::<Vec<_>>()
            .into_iter()
    }
}
