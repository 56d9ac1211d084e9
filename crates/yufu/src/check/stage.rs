//! What every scenario is made of: people, devices, logins, and what must be seen of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Url;
use serde_json::{Value, json};

use super::backend::{Backend, Device, Heard, Kind, Side, With, random};
use super::faults::{self, EXCHANGE, PROFILE};
use super::recipe::{Recipe, Step};
use super::sandbox::{Draft, Flow, KnownApp, Person, Returned, Sandbox, Says};
use super::verdict::Stop;
use super::wire::Silence;

/// Markup that must never come back as markup, wherever it was written.
pub const MARKUP: &str = "<script>alert(1)</script>";

/// A little more than the minute of a quota.
const A_MINUTE: Duration = Duration::from_secs(62);

/// A quota of the platform's that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// This minute's.
    Minute,
    /// This day's.
    Day,
}

impl Quota {
    /// What passes until it is there again, as the sandbox's clock reads it.
    const fn span(self) -> &'static str {
        match self {
            Self::Minute => "62s",
            Self::Day => "24h",
        }
    }
}

/// Where a scenario plays.
pub struct Stage {
    /// The backend under check.
    pub backend: Arc<Backend>,
    /// The sandbox.
    pub sandbox: Arc<Sandbox>,
    /// The app.
    pub app: KnownApp,
    /// Another app of the same developer.
    pub second: Option<KnownApp>,
    /// An app of somebody else.
    pub stranger: Option<KnownApp>,
    notes: Mutex<Vec<String>>,
    people: Mutex<Vec<Person>>,
    faults: Mutex<Vec<String>>,
    sent: Mutex<Vec<String>>,
    turned: AtomicBool,
}

/// A login that was begun.
#[derive(Clone, Debug)]
pub struct Begun {
    /// The platform's page, where a browser is led there.
    pub authorize: Option<String>,
    /// The state.
    pub state: Option<String>,
}

/// Who is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Me {
    /// The account.
    pub user: String,
    /// The shown name, where the recipe captures it.
    pub nickname: Option<String>,
}

/// Where a login led.
#[derive(Clone, Debug)]
pub enum After {
    /// In.
    In(Me),
    /// To binding a number, with this ticket.
    Bind,
    /// Nowhere.
    Out(Heard),
}

impl Stage {
    /// A stage for one scenario.
    pub fn new(
        backend: Arc<Backend>,
        sandbox: Arc<Sandbox>,
        [app, second, stranger]: [Option<KnownApp>; 3],
    ) -> Self {
        Self {
            backend,
            sandbox,
            app: app.unwrap_or_default(),
            second,
            stranger,
            notes: Mutex::default(),
            people: Mutex::default(),
            faults: Mutex::default(),
            sent: Mutex::default(),
            turned: AtomicBool::new(false),
        }
    }

    /// The recipe.
    pub fn recipe(&self) -> &Recipe {
        &self.backend.recipe
    }

    /// Notes something that is no failure.
    pub fn note(&self, words: impl Into<String>) {
        let words = words.into();
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if !notes.contains(&words) {
            notes.push(words);
        }
    }

    /// What was noted.
    pub fn notes(&self) -> Vec<String> {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.clone()
    }

    /// The people of this scenario, the last one first.
    pub fn people(&self) -> Vec<Person> {
        let people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        people.iter().rev().cloned().collect()
    }

    /// Ends what was begun: faults, and a turned clock. People are left for whoever looks at the
    /// flows, until the whole check is over.
    pub async fn clear(&self) {
        let faults: Vec<String> = {
            let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
            faults.drain(..).collect()
        };
        for id in faults {
            self.sandbox.mend(&id).await;
        }
        if self.turned.swap(false, Ordering::Relaxed) {
            let _ = self.sandbox.clock(&json!({"real": true})).await;
        }
    }

    // --- people, devices, faults ----------------------------------------------------------------

    /// A person whom nobody knows.
    pub async fn person(&self) -> Result<Person, Stop> {
        self.person_like(&Draft::default()).await
    }

    /// A person of a kind.
    pub async fn person_like(&self, draft: &Draft<'_>) -> Result<Person, Stop> {
        let person = self.sandbox.person(draft).await?;
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        people.push(person.clone());
        Ok(person)
    }

    /// A browser or a phone that was never here.
    pub fn device(&self) -> Device {
        let label = format!("check-{}", &random()[..8]);
        Device {
            vars: [("device".to_owned(), label)].into(),
            ..Device::default()
        }
    }

    /// Lets the platform misbehave towards a person, until the scenario ends or `mend`.
    pub async fn fault(&self, person: &Person, fault: Value) -> Result<(), Stop> {
        let id = self.sandbox.fault(person, &fault).await?;
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.push(id);
        Ok(())
    }

    /// From now on the platform tells no unionid of this person, until `mend`.
    pub async fn no_unionid(&self, person: &Person) -> Result<(), Stop> {
        for endpoint in [EXCHANGE, PROFILE] {
            self.fault(person, faults::without(endpoint, "unionid"))
                .await?;
        }
        Ok(())
    }

    /// Ends all faults of this scenario.
    pub async fn mend(&self) {
        self.clear().await;
    }

    /// Turns the clock on, until the scenario ends.
    pub async fn jump(&self, by: &str) -> Result<(), Stop> {
        self.turned.store(true, Ordering::Relaxed);
        self.sandbox.clock(&json!({ "jump": by })).await?;
        Ok(())
    }

    // --- the ways of a login --------------------------------------------------------------------

    /// Does a step.
    pub async fn step(
        &self,
        device: &mut Device,
        side: Side,
        step: Step,
        values: &[(&str, Option<&str>)],
    ) -> Result<Heard, Stop> {
        self.step_with(device, side, step, &With::values(values))
            .await
    }

    /// Does a step, with what nobody asked for.
    pub async fn step_with(
        &self,
        device: &mut Device,
        side: Side,
        step: Step,
        with: &With<'_>,
    ) -> Result<Heard, Stop> {
        let heard = self.backend.step(device, side, step, with).await?;
        let patience = self.recipe().patience;
        if heard.kind == Kind::Silent(Silence::Down) {
            return Err(Stop::Error(format!(
                "your backend does not answer any more at {}",
                self.recipe().base
            )));
        }
        if heard.answers.last().is_some_and(|last| last.status == 429) {
            return Err(Stop::Error(format!(
                "your backend limits how often it is asked ({}). Raise its limits while it is checked",
                heard.line(patience)
            )));
        }
        let mut pages = heard.answers.iter().filter(|answer| answer.is_page());
        if pages.any(|page| page.body.contains(MARKUP)) {
            return Err(self.fail("markup is shown as markup: it runs in the browser", &heard));
        }
        Ok(heard)
    }

    /// Begins a login.
    pub async fn begin(&self, device: &mut Device, side: Side) -> Result<Begun, Stop> {
        self.begin_by(device, side, Step::Begin).await
    }

    /// Begins a login or a link.
    pub async fn begin_by(
        &self,
        device: &mut Device,
        side: Side,
        step: Step,
    ) -> Result<Begun, Stop> {
        for old in ["authorize", "state", "ticket"] {
            device.vars.remove(old);
        }
        let heard = self.step(device, side, step, &[]).await?;
        if !heard.is_success() {
            let seen = heard.line(self.recipe().patience);
            return Err(Stop::Fail(format!("the login does not begin: {seen}")));
        }
        let authorize = device.vars.get("authorize").cloned();
        let state = authorize
            .as_deref()
            .and_then(|url| Url::parse(url).ok())
            .and_then(|url| {
                let found = url.query_pairs().find(|(name, _)| name == "state");
                found.map(|(_, value)| value.into_owned())
            });
        Ok(Begun {
            state: device.vars.get("state").cloned().or(state),
            authorize,
        })
    }

    /// Lets a person answer.
    pub async fn answer(
        &self,
        begun: &Begun,
        side: Side,
        person: &Person,
        says: Says,
    ) -> Result<Returned, Stop> {
        let returned = match (&begun.authorize, says) {
            (Some(url), says) => match self.sandbox.authorize(url, person, says).await {
                // What the real platform refuses is the app's fault, not the sandbox's.
                Err(words) if words.contains("the platform refuses") => {
                    return Err(Stop::Fail(words.replace('\n', ";")));
                }
                answered => answered?,
            },
            (None, Says::Allow) => Returned {
                callback: None,
                code: Some(self.code(side, person, begun.state.as_deref()).await?),
                state: begun.state.clone(),
            },
            // The SDK tells the app, and the app has nothing to tell the backend.
            (None, _) => Returned {
                callback: None,
                code: None,
                state: begun.state.clone(),
            },
        };
        if says == Says::Allow && returned.code.is_none() {
            return Err(Stop::Fail(
                "the platform refused the authorize address, and stayed on its page: see the flow"
                    .to_owned(),
            ));
        }
        Ok(returned)
    }

    /// A code for the app's SDK.
    pub async fn code(
        &self,
        side: Side,
        person: &Person,
        state: Option<&str>,
    ) -> Result<String, Stop> {
        let app = match side {
            Side::First => Some(&self.app),
            Side::Second => self.second.as_ref(),
        };
        let appid = app.map_or("", |app| app.appid.as_str());
        Ok(self.sandbox.code(appid, person, state).await?)
    }

    /// Delivers what came back.
    pub async fn deliver(
        &self,
        device: &mut Device,
        side: Side,
        returned: &Returned,
    ) -> Result<Heard, Stop> {
        let parts = (returned.code.as_deref(), returned.state.as_deref());
        self.deliver_parts(device, side, returned, parts, &[]).await
    }

    /// Delivers to where something came back, with other parts.
    pub async fn deliver_parts(
        &self,
        device: &mut Device,
        side: Side,
        returned: &Returned,
        (code, state): (Option<&str>, Option<&str>),
        smuggled: &[(&str, &str)],
    ) -> Result<Heard, Stop> {
        let callback = returned.callback.as_ref();
        let callback = callback.map(|url| self.backend.callback(url, code, state));
        device.vars.remove("ticket");
        let values = [
            ("code", code),
            ("state", state),
            ("callback", callback.as_deref()),
        ];
        let with = With {
            values: &values,
            smuggled,
        };
        self.step_with(device, side, Step::Deliver, &with).await
    }

    /// Begins, lets the person agree, and delivers.
    pub async fn try_in(
        &self,
        device: &mut Device,
        side: Side,
        person: &Person,
    ) -> Result<Heard, Stop> {
        let begun = self.begin_if(device, side).await?;
        let returned = self.answer(&begun, side, person, Says::Allow).await?;
        self.deliver(device, side, &returned).await
    }

    /// Begins a login, where logins begin at the backend.
    pub async fn begin_if(&self, device: &mut Device, side: Side) -> Result<Begun, Stop> {
        match self.recipe().has_state() {
            true => self.begin(device, side).await,
            false => Ok(Begun {
                authorize: None,
                state: None,
            }),
        }
    }

    /// Where an answer to `deliver` led.
    pub async fn after(&self, device: &mut Device, heard: Heard) -> Result<After, Stop> {
        if let Some(me) = self.whoami(device).await? {
            return Ok(After::In(me));
        }
        Ok(
            match heard.is_success() && device.vars.contains_key("ticket") {
                true => After::Bind,
                false => After::Out(heard),
            },
        )
    }

    /// Logs a person in, and binds their number where that is asked for.
    pub async fn enter(
        &self,
        device: &mut Device,
        side: Side,
        person: &Person,
    ) -> Result<Me, Stop> {
        let heard = self.try_in(device, side, person).await?;
        match self.after(device, heard).await? {
            After::In(me) => Ok(me),
            After::Bind => {
                let heard = self.bind(device, &person.phone, &[]).await?;
                match self.whoami(device).await? {
                    Some(me) => Ok(me),
                    None => Err(self.fail("binding the number did not log in", &heard)),
                }
            }
            After::Out(heard) => Err(self.fail("the login did not work", &heard)),
        }
    }

    /// Who is logged in.
    pub async fn whoami(&self, device: &mut Device) -> Result<Option<Me>, Stop> {
        for old in ["user", "nickname"] {
            device.vars.remove(old);
        }
        let heard = self.step(device, Side::First, Step::WhoAmI, &[]).await?;
        if let Kind::Silent(_) = heard.kind {
            return Err(self.fail("nobody can be asked who is logged in", &heard));
        }
        // What stands in a refusal names nobody.
        let user = device.vars.get("user").filter(|_| heard.is_success());
        Ok(user.map(|user| Me {
            user: user.clone(),
            nickname: device.vars.get("nickname").cloned(),
        }))
    }

    /// Has a passcode sent, and reads it.
    pub async fn passcode(
        &self,
        device: &mut Device,
        phone: &str,
        scene: &str,
    ) -> Result<String, Stop> {
        let (mut heard, mut before) = self.send_passcode(device, phone, scene).await?;
        // A second one for a number within the minute may well be refused (SMS-02).
        if !heard.is_success() && self.was_sent(phone) {
            self.a_minute_passes().await?;
            (heard, before) = self.send_passcode(device, phone, scene).await?;
        }
        match heard.is_success() {
            true => {
                self.note_sent(phone);
                self.read_passcode(device, phone, scene, before).await
            }
            false => Err(self.fail("no passcode is sent", &heard)),
        }
    }

    /// Whether a passcode was sent to this number in this scenario.
    fn was_sent(&self, phone: &str) -> bool {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.iter().any(|it| it == phone)
    }

    fn note_sent(&self, phone: &str) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.push(phone.to_owned());
    }

    /// Lets a little more than a minute pass: on the sandbox's clock, where the backend follows it.
    async fn a_minute_passes(&self) -> Result<(), Stop> {
        if self.recipe().turns {
            return self.jump(Quota::Minute.span()).await;
        }
        tokio::time::sleep(A_MINUTE).await;
        Ok(())
    }

    /// Reads the passcode that was sent after `before` others.
    pub async fn read_passcode(
        &self,
        device: &mut Device,
        phone: &str,
        scene: &str,
        before: usize,
    ) -> Result<String, Stop> {
        if let Some(fixed) = &self.recipe().sms.fixed {
            return Ok(fixed.clone());
        }
        if let Some(said) = device.vars.remove("passcode") {
            return Ok(said);
        }
        if self.backend.has(Step::Passcode) {
            let values = self.phone_values(phone, scene);
            let values = borrowed(&values);
            let heard = self
                .step(device, Side::First, Step::Passcode, &values)
                .await?;
            let read = device.vars.remove("passcode");
            return read.ok_or_else(|| self.fail("the passcode cannot be read", &heard));
        }
        Ok(self.sandbox.passcode(phone, before).await?)
    }

    /// Has a passcode sent; answers how many there were before.
    pub async fn send_passcode(
        &self,
        device: &mut Device,
        phone: &str,
        scene: &str,
    ) -> Result<(Heard, usize), Stop> {
        let elsewhere = self.recipe().sms.fixed.is_some() || self.backend.has(Step::Passcode);
        let before = match elsewhere {
            true => 0,
            false => self.sandbox.inbox(phone).await?.len(),
        };
        let values = self.phone_values(phone, scene);
        let heard = self
            .step(device, Side::First, Step::Sms, &borrowed(&values))
            .await?;
        Ok((heard, before))
    }

    fn phone_values(&self, phone: &str, scene: &str) -> [(&'static str, String); 3] {
        let scenes = &self.recipe().sms.scenes;
        let own = scenes.iter().find(|(name, _)| name == scene);
        [
            ("phone", phone.to_owned()),
            ("phone_local", local(phone)),
            ("scene", own.map_or(scene, |(_, own)| own).to_owned()),
        ]
    }

    /// Binds a number to the login that waits for one on this device; `more` replaces values.
    pub async fn bind(
        &self,
        device: &mut Device,
        phone: &str,
        more: &[(&str, Option<&str>)],
    ) -> Result<Heard, Stop> {
        let passcode = self.passcode(device, phone, "bind").await?;
        self.bind_with(device, phone, &passcode, more).await
    }

    /// Binds a number by a passcode that was sent.
    pub async fn bind_with(
        &self,
        device: &mut Device,
        phone: &str,
        passcode: &str,
        more: &[(&str, Option<&str>)],
    ) -> Result<Heard, Stop> {
        self.with_phone(device, Step::Bind, (phone, "bind"), passcode, more)
            .await
    }

    /// Logs in with a number.
    pub async fn phone_login(&self, device: &mut Device, phone: &str) -> Result<Me, Stop> {
        // What a login page asks first is asked here too: terms, states, devices.
        self.begin_if(device, Side::First).await?;
        let passcode = self.passcode(device, phone, "login").await?;
        let heard = self
            .with_phone(device, Step::PhoneLogin, (phone, "login"), &passcode, &[])
            .await?;
        let me = self.whoami(device).await?;
        me.ok_or_else(|| self.fail("the number does not log in", &heard))
    }

    /// Does a step with a number and a passcode.
    pub async fn with_phone(
        &self,
        device: &mut Device,
        step: Step,
        (phone, scene): (&str, &str),
        passcode: &str,
        more: &[(&str, Option<&str>)],
    ) -> Result<Heard, Stop> {
        let values = self.phone_values(phone, scene);
        let mut values = borrowed(&values);
        values.push(("passcode", Some(passcode)));
        values.extend(more);
        self.step(device, Side::First, step, &values).await
    }

    /// A login that waits for a number: fails where there is none, skips where none is asked for.
    pub async fn to_bind(&self, device: &mut Device, person: &Person) -> Result<(), Stop> {
        let heard = self.try_in(device, Side::First, person).await?;
        match self.after(device, heard).await? {
            After::Bind => Ok(()),
            After::In(me) if device.vars.contains_key("ticket") => Err(Stop::Fail(format!(
                "the login waits for a number, and is logged in already, as {}",
                me.user
            ))),
            After::In(_) => Err(Stop::Skip(
                "your backend logs new people in without asking for a number".to_owned(),
            )),
            After::Out(heard) => Err(self.fail("the login did not work", &heard)),
        }
    }

    // --- what must be seen ----------------------------------------------------------------------

    /// A failure with what was heard.
    pub fn fail(&self, what: &str, heard: &Heard) -> Stop {
        Stop::Fail(format!("{what} ({})", heard.line(self.recipe().patience)))
    }

    /// It must have been refused, in words that an app can use, and nobody may be logged in.
    pub async fn refused(
        &self,
        device: &mut Device,
        heard: &Heard,
        what: &str,
    ) -> Result<(), Stop> {
        let patience = self.recipe().patience;
        match &heard.kind {
            Kind::Silent(silence) => {
                let words = silence.words(patience);
                return Err(Stop::Fail(format!("{what}: {words}")));
            }
            Kind::Unclear(words) => {
                return Err(self.fail(&format!("{what}: {words}"), heard));
            }
            Kind::Success if device.vars.contains_key("ticket") => {
                let words = format!("{what} was taken, and a ticket was given for it");
                return Err(self.fail(&words, heard));
            }
            Kind::Success | Kind::Refusal => {}
        }
        if let Some(me) = self.whoami(device).await? {
            let words = format!("{what} logged somebody in, as {}", me.user);
            return Err(self.fail(&words, heard));
        }
        if heard.is_success() {
            self.note(format!(
                "{what} logged nobody in, but was not refused in words that the recipe knows ({})",
                heard.line(patience)
            ));
        }
        Ok(())
    }

    /// Afterwards the same person gets in again.
    pub async fn recovers(&self, person: &Person) -> Result<Me, Stop> {
        self.mend().await;
        let mut device = self.device();
        let entered = self.enter(&mut device, Side::First, person).await;
        told_when_over(entered)
    }

    /// The same after a quota was used up, whose time passes first: a backend may well stop asking
    /// until then. Where its clock cannot be turned, a minute is waited for in earnest.
    pub async fn recovers_after(&self, person: &Person, quota: Quota) -> Result<Me, Stop> {
        self.mend().await;
        if self.recipe().turns {
            self.jump(quota.span()).await?;
            let mut device = self.device();
            let entered = self.enter(&mut device, Side::First, person).await;
            return told_when_over(entered);
        }
        match (self.recovers(person).await, quota) {
            (Err(Stop::Fail(_)), Quota::Minute) => {
                self.a_minute_passes().await?;
                self.recovers(person).await
            }
            (Err(Stop::Fail(seen)), Quota::Day) => Err(Stop::Fail(format!(
                "{seen}; if your backend rightly asks no more on this day, judge it with the sandbox's clock"
            ))),
            (other, _) => other,
        }
    }

    /// The same account as before.
    pub fn same(&self, before: &Me, after: &Me, what: &str) -> Result<(), Stop> {
        match before.user == after.user {
            true => Ok(()),
            false => Err(Stop::Fail(format!(
                "{what}: first {}, then {}",
                before.user, after.user
            ))),
        }
    }

    /// The logins of a person, as the sandbox saw them.
    pub async fn flows(&self, person: &Person) -> Result<Vec<Flow>, Stop> {
        Ok(self.sandbox.flows(person).await?)
    }

    /// How often the backend took a code of this person to the platform.
    pub async fn exchanges(&self, person: &Person) -> Result<usize, Stop> {
        let flows = self.flows(person).await?;
        Ok(flows.iter().map(|flow| flow.exchanges).sum())
    }

    /// The code must not have been taken to the platform.
    pub async fn unspent(&self, person: &Person, what: &str) -> Result<(), Stop> {
        match self.exchanges(person).await? {
            0 => Ok(()),
            many => Err(Stop::Fail(format!(
                "{what}: it was refused, but the code had gone to the platform by then ({many}x)"
            ))),
        }
    }
}

/// A number as it is written within the country.
pub fn local(phone: &str) -> String {
    let plain = phone.trim_start();
    plain.strip_prefix("+86").unwrap_or(plain).to_owned()
}

fn borrowed<'a>(values: &'a [(&'static str, String)]) -> Vec<(&'a str, Option<&'a str>)> {
    let values = values.iter();
    values
        .map(|(name, value)| (*name, Some(value.as_str())))
        .collect()
}

/// A login after something was over, told as such where it failed.
fn told_when_over(entered: Result<Me, Stop>) -> Result<Me, Stop> {
    match entered {
        Err(Stop::Fail(seen)) => Err(Stop::Fail(format!(
            "when it was over the same person could not log in any more: {seen}"
        ))),
        other => other,
    }
}
