//! The hand that holds the phone: acts as one of the people, through the engine's own operations.
//! What comes out is what a browser or an app would have got, byte for byte.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use yufu_core::client::{AuthorizeRefusal, Client, ClientKind, Platform};
use yufu_core::engine::{AuthorizeStop, Engine};
use yufu_core::id::{ClientId, UserId};
use yufu_core::message::{
    Act, Asked, AuthorizeRequest, Authorized, Channel, NativeApp, Outcome, PollAnswer, PollRequest,
    ScanShown, Step, Visitor,
};
use yufu_core::redirect::RedirectRule;
use yufu_core::refusal::{Refusal, Stop};
use yufu_core::scope::Scopes;
use yufu_core::secret::Secret;
use yufu_core::time::Timestamp;
use yufu_dialects::DIALECTS;
use yufu_dialects::endpoint::{Dialect, Door, Endpoint, Operation, PageContext, PageText};
use yufu_dialects::http::Request;

use super::authority::HOSTS;
use super::state::{Decision, Sandbox};

/// Where the hand's requests come from, for limits that count by address.
const ADDRESS: &str = "sandbox";
/// How many results a phone keeps.
const KEPT: usize = 50;

/// The phones of all people.
#[derive(Default)]
pub struct Phones {
    phones: Mutex<HashMap<UserId, Phone>>,
    without: Mutex<HashSet<UserId>>,
}

/// One person's phone.
#[derive(Clone, Default)]
struct Phone {
    session: Option<Secret>,
    browser: Option<Secret>,
    asks: Vec<Ask>,
    results: Vec<PhoneResult>,
}

/// A question that is open on a phone.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Continues the interaction.
    pub interaction: String,
    /// The app's name.
    pub app: String,
    /// The appid.
    pub appid: ClientId,
    /// The app's owner.
    pub developer: String,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// By which door.
    pub door: Door,
    /// Since when, on the house's clock.
    pub since: Timestamp,
    /// The scan's public name, where it is one.
    pub uuid: Option<String>,
}

/// What an app on the phone was told, as its SDK hands it over (`docs/facts/wechat.md` §11).
#[derive(Clone, Debug)]
pub struct PhoneResult {
    /// When, on the house's clock.
    pub at: Timestamp,
    /// The app's name.
    pub app: String,
    /// The appid.
    pub appid: ClientId,
    /// 0 for yes, −4 for no, −2 for away.
    pub err_code: i32,
    /// Where the answer went.
    pub callback: String,
}

/// How an authorization ended.
#[derive(Clone, Debug)]
pub enum End {
    /// The browser goes back to the app.
    Returned {
        /// The whole address.
        callback: String,
        /// The code in it, where the person agreed.
        code: Option<String>,
        /// The state in it.
        state: Option<String>,
    },
    /// The page stays where it is, as the real one does.
    Stayed(Decision),
    /// An app on the phone gets its result.
    Result {
        /// 0, −2 or −4.
        err_code: i32,
        /// The address that carries it.
        callback: String,
        /// The code, where the person agreed.
        code: Option<String>,
        /// The state.
        state: Option<String>,
    },
}

/// Why nothing came of it, in words.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// The address is none that can be authorized at.
    Address(String),
    /// The platform refuses: its number, its words, what to mend, and the source.
    Refused(Box<PageText>),
    /// There is no such person.
    Person(String),
    /// There is no such question on the phone.
    Gone,
    /// The client is not installed on this phone.
    NotInstalled,
    /// Our own fault.
    Fault(String),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Phones {
    /// Whether the platform's own client is installed on this phone.
    pub fn is_installed(&self, user: UserId) -> bool {
        !lock(&self.without).contains(&user)
    }

    /// Installs it, or takes it away.
    pub fn set_installed(&self, user: UserId, installed: bool) {
        let mut without = lock(&self.without);
        if installed {
            without.remove(&user);
        } else {
            without.insert(user);
        }
    }

    /// The open questions of a phone, oldest first.
    pub fn asks(&self, user: UserId) -> Vec<Ask> {
        let phones = lock(&self.phones);
        phones
            .get(&user)
            .map_or_else(Vec::new, |phone| phone.asks.clone())
    }

    /// What apps on this phone were told, newest first.
    pub fn results(&self, user: UserId) -> Vec<PhoneResult> {
        let phones = lock(&self.phones);
        phones
            .get(&user)
            .map_or_else(Vec::new, |phone| phone.results.clone())
    }

    /// Puts every phone down: the world was set back, and their sessions are no more.
    pub fn forget(&self) {
        lock(&self.phones).clear();
        lock(&self.without).clear();
    }

    fn drop_session(&self, user: UserId) {
        if let Some(phone) = lock(&self.phones).get_mut(&user) {
            phone.session = None;
        }
    }

    fn ask(&self, user: UserId, ask: Ask) {
        lock(&self.phones).entry(user).or_default().asks.push(ask);
    }

    fn take(&self, user: UserId, interaction: &str) -> Option<Ask> {
        let mut phones = lock(&self.phones);
        let asks = &mut phones.get_mut(&user)?.asks;
        let at = asks.iter().position(|ask| ask.interaction == interaction)?;
        Some(asks.remove(at))
    }

    fn tell(&self, user: UserId, result: PhoneResult) {
        let mut phones = lock(&self.phones);
        let results = &mut phones.entry(user).or_default().results;
        results.insert(0, result);
        results.truncate(KEPT);
    }

    /// The secrets that stand for this phone: the browser's mark and the session.
    async fn marks(
        &self,
        engine: &Engine,
        user: UserId,
        now: Timestamp,
    ) -> Result<(Secret, Secret), Stop> {
        let known = {
            let phones = lock(&self.phones);
            phones.get(&user).cloned().unwrap_or_default()
        };
        if let Phone {
            session: Some(session),
            browser: Some(browser),
            ..
        } = known
        {
            return Ok((browser, session));
        }
        let browser = match known.browser {
            Some(browser) => browser,
            None => engine.draw_browser()?,
        };
        let session = engine.sign_in_as(user, now).await?;
        let mut phones = lock(&self.phones);
        let phone = phones.entry(user).or_default();
        phone.browser = Some(browser.clone());
        phone.session = Some(session.clone());
        Ok((browser, session))
    }
}

/// An address to authorize at, taken apart: the dialect, its endpoint, and the request.
pub struct Target {
    /// The dialect whose address it is.
    pub dialect: &'static Dialect,
    /// The endpoint.
    pub endpoint: &'static Endpoint,
    /// The request as the endpoint would hear it.
    pub request: Request,
    /// Whether it goes to one of the platform's own names, as unmodified apps do.
    pub is_named: bool,
}

/// Reads an authorize address exactly as a client made it: any of the platform's names or the
/// sandbox's own address, with or without a fragment.
///
/// # Errors
/// [`Trouble::Address`], in words.
pub fn target(url: &str, platform: &str) -> Result<Target, Trouble> {
    let plain = url.trim().split('#').next().unwrap_or("");
    let no = |what: &str| Err(Trouble::Address(what.to_owned()));
    let Some((scheme, rest)) = plain.split_once("://") else {
        return no(
            "This is no address: it begins with https://open.weixin.qq.com, or with the sandbox's own address.",
        );
    };
    let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let name = host.split(':').next().unwrap_or("").to_ascii_lowercase();
    let own = platform.split_once("://").map_or("", |(_, own)| own);
    let is_ours = HOSTS.contains(&name.as_str())
        || host == own
        || (["127.0.0.1", "localhost"].contains(&name.as_str())
            && host.rsplit(':').next() == own.rsplit(':').next());
    if !["http", "https"].contains(&scheme) || !is_ours {
        return Err(Trouble::Address(format!(
            "{host} is not the platform: an authorize address begins with https://open.weixin.qq.com/connect/, or with {platform}/connect/."
        )));
    }
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let found = DIALECTS
        .iter()
        .find_map(|dialect| Some((*dialect, dialect.find(path)?)));
    match found {
        Some((dialect, endpoint)) if matches!(endpoint.operation, Operation::Authorize { .. }) => {
            Ok(Target {
                dialect,
                endpoint,
                request: Request::get(path, query),
                is_named: HOSTS.contains(&name.as_str()),
            })
        }
        Some((_, endpoint))
            if matches!(
                endpoint.operation,
                Operation::ScanOpen | Operation::ScanImage
            ) =>
        {
            no("This is what a QR code says, not an authorize address: scan it with the phone.")
        }
        _ => Err(Trouble::Address(format!(
            "{path} is no authorize address of the platform: those are /connect/qrconnect, /connect/oauth2/authorize and /connect/app/authorize."
        ))),
    }
}

impl Target {
    fn refused(&self, refusal: &Refusal) -> Trouble {
        refused(self.dialect, self.door(), refusal)
    }

    fn door(&self) -> Door {
        match self.endpoint.operation {
            Operation::Authorize { door, .. } => door,
            _ => Door::Phone,
        }
    }

    fn parse(&self) -> Result<AuthorizeRequest, Trouble> {
        match self.endpoint.operation {
            Operation::Authorize { parse, .. } => {
                parse(&self.request).map_err(|refusal| self.refused(&refusal))
            }
            _ => Err(Trouble::Gone),
        }
    }
}

fn refused(dialect: &Dialect, door: Door, refusal: &Refusal) -> Trouble {
    Trouble::Refused(Box::new((dialect.page)(refusal, &PageContext { door })))
}

/// The dialect that speaks for requests that name none.
fn first_dialect() -> &'static Dialect {
    DIALECTS[0]
}

/// A person with a phone in their hand.
pub struct Hand<'a> {
    sandbox: &'a Sandbox,
    user: UserId,
    now: Timestamp,
}

impl<'a> Hand<'a> {
    /// The hand of a person.
    ///
    /// # Errors
    /// [`Trouble::Person`].
    pub fn of(sandbox: &'a Sandbox, person: &str) -> Result<Self, Trouble> {
        let user = sandbox.person(person).ok_or_else(|| {
            let world = sandbox.world.read().unwrap_or_else(PoisonError::into_inner);
            let names: Vec<&str> = world.people.iter().map(|one| one.name.as_str()).collect();
            Trouble::Person(format!(
                "There is no {person:?} here; there are {}.",
                names.join(", ")
            ))
        })?;
        Ok(Self {
            sandbox,
            user,
            now: sandbox.clock.now(),
        })
    }

    fn engine(&self) -> &Engine {
        &self.sandbox.house.engine
    }

    fn stopped(&self, dialect: &Dialect, door: Door, stop: Stop) -> Trouble {
        match stop {
            Stop::Refused(refusal) => refused(dialect, door, &refusal),
            Stop::Failed(fault) => Trouble::Fault(fault.to_string()),
        }
    }

    /// Answers an authorization that a client asks for with this address.
    ///
    /// # Errors
    /// What the platform would refuse, in its own words.
    pub async fn authorize(&self, target: &Target, decision: Decision) -> Result<End, Trouble> {
        let request = target.parse()?;
        self.decide(target.dialect, target.door(), request, decision)
            .await
    }

    /// Answers an authorization that this client could ask for: for those who have no address.
    ///
    /// # Errors
    /// As [`Hand::authorize`].
    pub async fn code(
        &self,
        client: &ClientId,
        state: Option<String>,
        scopes: Option<Scopes>,
    ) -> Result<End, Trouble> {
        let dialect = first_dialect();
        let client = self.engine().client(client).await;
        let client = client.map_err(|stop| self.stopped(dialect, Door::Native, stop))?;
        let (channel, word) = channel_of(&client);
        let door = Door::of(&channel);
        let request = AuthorizeRequest {
            client: client.id.clone(),
            redirect: redirect_of(&client),
            response_type: Some("code".to_owned()),
            scopes: scopes.unwrap_or_else(|| Scopes::of(&[word])),
            state,
            challenge: None,
            channel,
            force_consent: false,
        };
        self.decide(dialect, door, request, Decision::Allow).await
    }

    async fn decide(
        &self,
        dialect: &'static Dialect,
        door: Door,
        mut request: AuthorizeRequest,
        decision: Decision,
    ) -> Result<End, Trouble> {
        if matches!(request.channel, Channel::Native(_))
            && !self.sandbox.phones.is_installed(self.user)
        {
            return Err(Trouble::NotInstalled);
        }
        // Where a yes stands the platform asks no more; whoever wants to hear a no must be asked.
        request.force_consent |= decision != Decision::Allow;
        let again = request.clone();
        match self.decided(dialect, door, request, decision).await {
            Err(Trouble::Gone) => {
                // The session was ended meanwhile, by a reset perhaps: a phone signs in again.
                self.sandbox.phones.drop_session(self.user);
                self.decided(dialect, door, again, decision).await
            }
            decided => decided,
        }
    }

    async fn decided(
        &self,
        dialect: &'static Dialect,
        door: Door,
        request: AuthorizeRequest,
        decision: Decision,
    ) -> Result<End, Trouble> {
        let failed = |stop| self.stopped(dialect, door, stop);
        let marks = self
            .sandbox
            .phones
            .marks(self.engine(), self.user, self.now)
            .await;
        let (browser, session) = marks.map_err(failed)?;
        let phone = Visitor {
            session: Some(session.expose()),
            browser: Some(browser.expose()),
            address: ADDRESS,
        };
        // A QR code is on another screen than the phone's.
        let screen = match request.channel {
            Channel::Scan => self
                .engine()
                .draw_browser()
                .map_err(|fault| failed(fault.into()))?,
            _ => browser.clone(),
        };
        let visitor = Visitor {
            browser: Some(screen.expose()),
            ..phone
        };
        let begun = self.engine().begin(request, &visitor, self.now).await;
        let step = begun.map_err(|stop| match stop {
            AuthorizeStop::Refused(
                AuthorizeRefusal::Stay(refusal) | AuthorizeRefusal::Return(_, refusal),
            ) => refused(dialect, door, &refusal),
            AuthorizeStop::Failed(fault) => Trouble::Fault(fault.to_string()),
        })?;
        match step {
            Step::Return(authorized) => Ok(self.end(dialect, &authorized, decision)),
            Step::Scan(shown) => {
                self.answer_scan(dialect, &shown, &phone, &screen, decision)
                    .await
            }
            Step::Consent(asked, _) => {
                let step = self
                    .proceed(&asked, &phone, decision)
                    .await
                    .map_err(failed)?;
                match step {
                    Step::Return(authorized) => Ok(self.end(dialect, &authorized, decision)),
                    _ => Err(Trouble::Gone),
                }
            }
            Step::Authenticate(_) | Step::ScanAnswered { .. } => Err(Trouble::Gone),
        }
    }

    async fn proceed(
        &self,
        asked: &Asked,
        phone: &Visitor<'_>,
        decision: Decision,
    ) -> Result<Step, Stop> {
        let secret = asked.interaction.expose();
        self.engine()
            .proceed(secret, act(decision), phone, self.now)
            .await
    }

    async fn answer_scan(
        &self,
        dialect: &'static Dialect,
        shown: &ScanShown,
        phone: &Visitor<'_>,
        screen: &Secret,
        decision: Decision,
    ) -> Result<End, Trouble> {
        let failed = |stop| self.stopped(dialect, Door::Scan, stop);
        let engine = self.engine();
        let opened = engine
            .open_scan(shown.uuid.expose(), phone, self.now)
            .await
            .map_err(failed)?;
        let Step::Consent(asked, _) = opened else {
            return Err(Trouble::Gone);
        };
        // The phone's page of a scan knows no refusal, only going back.
        let said = if decision == Decision::Allow {
            decision
        } else {
            Decision::Cancel
        };
        let step = self.proceed(&asked, phone, said).await.map_err(failed)?;
        if let Step::ScanAnswered { scan, .. } = step {
            self.sandbox.house.wake_scan(scan);
        }
        let request = PollRequest {
            uuid: shown.uuid.clone(),
            last: None,
        };
        let polled = engine
            .poll(&request, Some(screen.expose()), self.now)
            .await
            .map_err(failed)?;
        let outcome = match polled {
            PollAnswer::Code(code) => Outcome::Code(code),
            PollAnswer::State(_) if shown.client.policy.scan_denial_returns => Outcome::Cancelled,
            PollAnswer::State(_) => return Ok(End::Stayed(decision)),
        };
        let Some(return_path) = shown.return_path.clone() else {
            return Ok(End::Stayed(decision));
        };
        let authorized = Authorized {
            return_path,
            state: shown.state.clone(),
            channel: Channel::Scan,
            outcome,
            authdeny: false,
        };
        Ok(self.end(dialect, &authorized, decision))
    }

    fn end(&self, dialect: &Dialect, authorized: &Authorized, decision: Decision) -> End {
        let callback = (dialect.finish)(authorized);
        let code = match &authorized.outcome {
            Outcome::Code(code) => Some(code.expose().to_owned()),
            Outcome::Denied | Outcome::Cancelled => None,
        };
        let state = authorized.state.clone();
        if !matches!(authorized.channel, Channel::Native(_)) {
            return End::Returned {
                callback,
                code,
                state,
            };
        }
        let err_code = match (&code, decision) {
            (Some(_), _) => 0,
            (None, Decision::Deny) => -4,
            (None, _) => -2,
        };
        End::Result {
            err_code,
            callback,
            code,
            state,
        }
    }

    /// Scans a QR code: what it says, its public name, or an authorize address that a page or app
    /// on this phone opened. Answers the question that is now open, or the end where nobody asks.
    ///
    /// # Errors
    /// In words.
    pub async fn scan(&self, what: &str) -> Result<Result<Ask, End>, Trouble> {
        if !self.sandbox.phones.is_installed(self.user) {
            return Err(Trouble::NotInstalled);
        }
        match self.scanned(what).await {
            Err(Trouble::Gone) => {
                self.sandbox.phones.drop_session(self.user);
                self.scanned(what).await
            }
            scanned => scanned,
        }
    }

    async fn scanned(&self, what: &str) -> Result<Result<Ask, End>, Trouble> {
        let dialect = first_dialect();
        let failed = |stop| self.stopped(dialect, Door::Phone, stop);
        let marks = self
            .sandbox
            .phones
            .marks(self.engine(), self.user, self.now)
            .await;
        let (browser, session) = marks.map_err(failed)?;
        let phone = Visitor {
            session: Some(session.expose()),
            browser: Some(browser.expose()),
            address: ADDRESS,
        };
        let uuid = uuid_in(what);
        let (step, door) = match &uuid {
            Some(uuid) => {
                let step = self.engine().open_scan(uuid, &phone, self.now).await;
                let scan = self.engine().scan_number(uuid);
                if let Ok(scan) = scan {
                    self.sandbox.house.wake_scan(scan);
                }
                (step.map_err(failed)?, Door::Scan)
            }
            None => {
                let target = target(what, &self.sandbox.addresses.platform)?;
                let door = target.door();
                if door == Door::Scan {
                    return Err(Trouble::Address(
                        "This address shows a QR code on another screen: open it there, then scan the code.".to_owned(),
                    ));
                }
                let begun = self.engine().begin(target.parse()?, &phone, self.now).await;
                let step = begun.map_err(|stop| match stop {
                    AuthorizeStop::Refused(
                        AuthorizeRefusal::Stay(refusal) | AuthorizeRefusal::Return(_, refusal),
                    ) => target.refused(&refusal),
                    AuthorizeStop::Failed(fault) => Trouble::Fault(fault.to_string()),
                })?;
                (step, door)
            }
        };
        match step {
            Step::Consent(asked, _) => {
                let ask = Ask {
                    interaction: asked.interaction.expose().to_owned(),
                    app: asked.client.name.clone(),
                    appid: asked.client.id.clone(),
                    developer: asked.developer.name.clone(),
                    scopes: asked.scopes.iter().map(str::to_owned).collect(),
                    door,
                    since: self.now,
                    uuid,
                };
                self.sandbox.phones.ask(self.user, ask.clone());
                Ok(Ok(ask))
            }
            Step::Return(authorized) => {
                let end = self.end(dialect, &authorized, Decision::Allow);
                Ok(Err(end))
            }
            _ => Err(Trouble::Gone),
        }
    }

    /// Answers a question that is open on the phone.
    ///
    /// # Errors
    /// [`Trouble::Gone`] for one that is not.
    pub async fn answer(
        &self,
        interaction: &str,
        decision: Decision,
    ) -> Result<(Ask, Option<End>), Trouble> {
        let dialect = first_dialect();
        let ask = self
            .sandbox
            .phones
            .take(self.user, interaction)
            .ok_or(Trouble::Gone)?;
        let failed = |stop| self.stopped(dialect, Door::Phone, stop);
        let marks = self
            .sandbox
            .phones
            .marks(self.engine(), self.user, self.now)
            .await;
        let (browser, session) = marks.map_err(failed)?;
        let phone = Visitor {
            session: Some(session.expose()),
            browser: Some(browser.expose()),
            address: ADDRESS,
        };
        let said = match (ask.door, decision) {
            (Door::Scan, Decision::Deny) => Decision::Cancel,
            (_, decision) => decision,
        };
        let step = self
            .engine()
            .proceed(interaction, act(said), &phone, self.now)
            .await;
        match step.map_err(failed)? {
            Step::ScanAnswered { scan, .. } => {
                self.sandbox.house.wake_scan(scan);
                Ok((ask, None))
            }
            Step::Return(authorized) => {
                let end = self.end(dialect, &authorized, decision);
                if let End::Result {
                    err_code, callback, ..
                } = &end
                {
                    let result = PhoneResult {
                        at: self.now,
                        app: ask.app.clone(),
                        appid: ask.appid.clone(),
                        err_code: *err_code,
                        callback: callback.clone(),
                    };
                    self.sandbox.phones.tell(self.user, result);
                }
                Ok((ask, Some(end)))
            }
            _ => {
                self.sandbox.phones.drop_session(self.user);
                Err(Trouble::Gone)
            }
        }
    }

    /// Looks away from a question: it stays open until its life ends, as it would on a phone.
    ///
    /// # Errors
    /// [`Trouble::Gone`].
    pub fn ignore(&self, interaction: &str) -> Result<Ask, Trouble> {
        self.sandbox
            .phones
            .take(self.user, interaction)
            .ok_or(Trouble::Gone)
    }

    /// Takes back the authorization of an app.
    ///
    /// # Errors
    /// In words.
    pub async fn revoke(&self, client: &ClientId) -> Result<Arc<Client>, Trouble> {
        let failed = |stop| self.stopped(first_dialect(), Door::Phone, stop);
        let all = self.engine().authorized(self.user).await;
        let all = all.map_err(|fault| failed(fault.into()))?;
        let found = all
            .into_iter()
            .find(|(grant, _, _)| grant.client == *client);
        let (grant, client, _) = found.ok_or(Trouble::Gone)?;
        let revoked = self
            .engine()
            .revoke_grant(self.user, grant.id, self.now)
            .await;
        revoked.map_err(failed)?;
        Ok(client)
    }

    /// Whose hand it is.
    pub fn user(&self) -> UserId {
        self.user
    }
}

fn act(decision: Decision) -> Act {
    match decision {
        Decision::Allow => Act::Approve,
        Decision::Deny => Act::Deny,
        Decision::Cancel => Act::Cancel,
    }
}

/// By which door a client of this kind would come, and the scope it would ask for.
fn channel_of(client: &Client) -> (Channel, &'static str) {
    match client.kind {
        ClientKind::Website => (Channel::Scan, "snsapi_login"),
        ClientKind::Service => (Channel::InClient, "snsapi_userinfo"),
        ClientKind::Mobile => {
            let native = &client.native;
            let identities = [
                (
                    Platform::Android,
                    &native.android_package,
                    &native.android_signature,
                ),
                (Platform::Ios, &native.ios_bundle, &None),
                (
                    Platform::Harmony,
                    &native.harmony_bundle,
                    &native.harmony_identifier,
                ),
            ];
            let known = identities
                .into_iter()
                .find(|(_, bundle, _)| bundle.is_some());
            let (platform, bundle, signature) = known.unwrap_or((Platform::Ios, &None, &None));
            let app = NativeApp {
                platform,
                bundle: bundle.clone().unwrap_or_default(),
                signature: signature.clone().unwrap_or_default(),
            };
            (Channel::Native(app), "snsapi_userinfo")
        }
    }
}

/// An address that the client's first rule admits.
fn redirect_of(client: &Client) -> Option<String> {
    if client.kind == ClientKind::Mobile {
        return None;
    }
    client.redirects.first().map(|rule| match rule {
        RedirectRule::Exact(address) => address.clone(),
        RedirectRule::Host(host) => format!("https://{host}/"),
        RedirectRule::Loopback => "http://127.0.0.1/".to_owned(),
        RedirectRule::Scheme(scheme) => format!("{scheme}://"),
    })
}

/// The public name of a scan in what a QR code says, in the address of its picture, or alone.
fn uuid_in(what: &str) -> Option<String> {
    let what = what.trim();
    let name = |text: &str| {
        let end = text.find(['&', '#', '?', '/']).unwrap_or(text.len());
        text.get(..end)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    for mark in ["/connect/confirm?uuid=", "/connect/qrcode/"] {
        if let Some((_, rest)) = what.split_once(mark) {
            return name(rest);
        }
    }
    let bare = !what.is_empty()
        && what
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'='));
    bare.then(|| what.to_owned())
}

#[cfg(test)]
mod tests;
