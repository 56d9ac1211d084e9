//! Upstreams as the login backend sees them: a code becomes an identity, a token a verdict.
//!
//! The requests and the reading of answers are the dialect's; whether a call is made at all is the
//! breaker's to say; here is what happens between them: trying again, giving up, and what each
//! ending means. The hard question is always the same: was the code spent? Only who knows that it
//! was not says so.

mod alert;
mod call;
mod mask;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use yufu_core::breaker::BreakerSettings;
use yufu_core::engine::login::RenewedTokens;
use yufu_core::identity::{
    IdentityKey, Person, UpstreamApp, UpstreamKind, Vouched, VouchedProfile,
};
use yufu_core::login::body::VaultTokens;
use yufu_core::login::decide::UpstreamVerdict;
use yufu_core::login::{ExchangeFailure, Exchanged};
use yufu_core::scope::{LOGIN, Scopes, USERINFO};
use yufu_core::secret::{Entropy, Secret};
use yufu_core::subject::Subject;
use yufu_core::time::{Lifetime, Timestamp};
use yufu_dialects::wechat::call::{
    Granted, Meaning, Reason, Upstream, UpstreamProfile, meaning, read_mini, read_profile,
    read_tokens, read_verdict,
};

use crate::clock::Budget;
use crate::fetch::Fetch;
use alert::Alerts;
use call::{Asked, Asking, Gate, Miss};

pub use alert::{Alert, AlertKind};

/// How long to wait before the same code is sent again after nobody was reached.
const AGAIN: Lifetime = Lifetime::seconds(2);
/// The pause before the first retry; each further one is three times as long.
const PAUSE: Duration = Duration::from_millis(150);
/// With less time left than this no call is begun.
const TOO_LATE: Duration = Duration::from_millis(250);
/// How long a mini program's session key is kept: the platform tells no end of it.
const SESSION_KEY_LIFE: Lifetime = Lifetime::days(3);
/// The most characters of a shown name, far above what the platform allows.
const MAX_NICKNAME_CHARS: usize = 128;
/// The most bytes of a picture's address.
const MAX_AVATAR_BYTES: usize = 1024;

/// Tells the time of the house.
pub type Now<'a> = &'a (dyn Fn() -> Timestamp + Send + Sync);

/// An app of ours at an upstream, and how the upstream is reached.
#[derive(Clone, Debug)]
pub struct UpstreamAccess {
    /// The app, as the rules see it.
    pub app: UpstreamApp,
    /// Where it is and what we prove ourselves with.
    pub upstream: Upstream,
}

/// How much patience there is with upstreams.
#[derive(Clone, Copy, Debug)]
pub struct UpstreamSettings {
    /// How long an exchange may take with all tries and the profile.
    pub budget: Duration,
    /// How long one call may take.
    pub patience: Duration,
    /// How long a check, a refresh or a profile may take: somebody waits, or it is done later.
    pub short_patience: Duration,
    /// How often a call is made again after nobody was reached or the upstream was busy.
    pub retries: u32,
    /// When calls are not made at all.
    pub breaker: BreakerSettings,
}

impl Default for UpstreamSettings {
    fn default() -> Self {
        Self {
            budget: Duration::from_secs(20),
            patience: Duration::from_secs(10),
            short_patience: Duration::from_secs(4),
            retries: 2,
            breaker: BreakerSettings::default(),
        }
    }
}

/// All upstreams that people can log in with.
pub struct Upstreams {
    apps: Vec<Gate>,
    fetch: Arc<dyn Fetch>,
    entropy: Arc<dyn Entropy>,
    settings: UpstreamSettings,
    alerts: Alerts,
}

/// What an exchange gave, whatever the kind of app.
struct Paid {
    tokens: VaultTokens,
    openid: Subject,
    unionid: Option<Subject>,
    access_life: Lifetime,
    refresh_life: Lifetime,
    /// Whether there is a profile to ask for.
    has_profile: bool,
}

/// What the profile adds to an exchange.
struct Greeting {
    profile: Option<VouchedProfile>,
    unionid: Option<Subject>,
    due: bool,
}

impl Greeting {
    const fn without(due: bool) -> Self {
        Self {
            profile: None,
            unionid: None,
            due,
        }
    }
}

impl Upstreams {
    /// Upstreams, none of them called yet.
    pub fn new(
        apps: Vec<UpstreamAccess>,
        fetch: Arc<dyn Fetch>,
        entropy: Arc<dyn Entropy>,
        settings: UpstreamSettings,
    ) -> Self {
        let gate = |access| Gate::new(access, settings.breaker);
        Self {
            apps: apps.into_iter().map(gate).collect(),
            fetch,
            entropy,
            settings,
            alerts: Alerts::default(),
        }
    }

    /// Forgets every failure, quota and alert: the data was exchanged for others.
    pub fn forget(&self) {
        for gate in &self.apps {
            gate.forget(self.settings.breaker);
        }
        self.alerts.take();
    }

    /// The app of this name and how its upstream is reached.
    pub fn access(&self, app: &str) -> Option<&UpstreamAccess> {
        self.gate(app).map(|gate| &gate.access)
    }

    /// Whether the login page had better offer another way first (UPS-05).
    pub fn degraded(&self, app: &str, now: Timestamp) -> bool {
        let gate = self.gate(app);
        gate.is_none_or(|gate| gate.is_shut(Asked::Exchange, now))
    }

    /// Takes the alerts that nobody has taken yet, oldest first.
    pub fn take_alerts(&self) -> Vec<Alert> {
        self.alerts.take()
    }

    /// Pays a code: who it is, the tokens, and the profile where there is one.
    ///
    /// It may take as long as [`UpstreamSettings::budget`]; who answers somebody sooner lets it go
    /// on, for a code is good for one exchange and a late answer is still one (UPS-09).
    ///
    /// # Errors
    /// [`ExchangeFailure`]; [`ExchangeFailure::Unspent`] only when the code certainly is.
    pub async fn exchange(
        &self,
        app: &str,
        code: &Secret,
        now: Now<'_>,
    ) -> Result<Exchanged, ExchangeFailure> {
        let gate = self.gate(app).ok_or(ExchangeFailure::Misconfigured)?;
        let budget = Budget::new(self.settings.budget);
        let upstream = &gate.access.upstream;
        let kind = gate.access.app.kind;
        let hide = &[code.expose()];
        let paid = if kind == UpstreamKind::WechatMini {
            let asking = Asking {
                gate,
                asked: Asked::Exchange,
                call: upstream.exchange_mini(code),
                read: read_mini,
                hide,
            };
            let session = self.pay(&asking, &budget, now).await?;
            Paid {
                tokens: VaultTokens {
                    access: session.session_key,
                    refresh: None,
                },
                openid: session.openid,
                unionid: session.unionid,
                access_life: SESSION_KEY_LIFE,
                refresh_life: Lifetime::default(),
                has_profile: false,
            }
        } else {
            let asking = Asking {
                gate,
                asked: Asked::Exchange,
                call: upstream.exchange(code, None),
                read: read_tokens,
                hide,
            };
            paid(kind, self.pay(&asking, &budget, now).await?)?
        };
        gate.mended();
        let greeting = self.greet(gate, &paid, &budget, now).await?;
        Ok(exchanged(&gate.access.app, paid, greeting))
    }

    /// Asks whether an access token is alive and its openid's (`/sns/auth`).
    pub async fn check(
        &self,
        app: &str,
        access: &Secret,
        openid: &str,
        now: Now<'_>,
    ) -> UpstreamVerdict {
        let Some(gate) = self.with_tokens(app) else {
            return UpstreamVerdict::Unreachable;
        };
        let asking = Asking {
            gate,
            asked: Asked::Check,
            call: gate.access.upstream.check(access, openid),
            read: read_verdict,
            hide: &[access.expose(), openid],
        };
        match self.ask(&asking, self.settings.short_patience, now).await {
            Ok(()) => UpstreamVerdict::Good,
            Err(miss) => self.access_verdict(gate, &miss, now),
        }
    }

    /// Renews the tokens of an openid; no refresh token in the answer means that it stays.
    ///
    /// # Errors
    /// The verdict on the refresh token, never [`UpstreamVerdict::Good`].
    pub async fn refresh(
        &self,
        app: &str,
        refresh: &Secret,
        openid: &str,
        now: Now<'_>,
    ) -> Result<RenewedTokens, UpstreamVerdict> {
        let gate = self.with_tokens(app).ok_or(UpstreamVerdict::Unreachable)?;
        let asking = Asking {
            gate,
            asked: Asked::Refresh,
            call: gate.access.upstream.refresh(refresh),
            read: read_tokens,
            hide: &[refresh.expose(), openid],
        };
        let granted = match self.ask(&asking, self.settings.short_patience, now).await {
            Ok(granted) => granted,
            Err(miss) => return Err(self.refresh_verdict(gate, &miss, now)),
        };
        if granted.openid.as_str() != openid {
            self.mismatch(gate, Asked::Refresh, "the tokens are another user's", now);
            return Err(UpstreamVerdict::Unreachable);
        }
        Ok(RenewedTokens {
            access: granted.access,
            access_life: granted.expires_in,
            refresh: granted.refresh,
        })
    }

    /// Reads the profile of an openid again.
    ///
    /// # Errors
    /// The verdict on the access token; [`UpstreamVerdict::Good`] when it is alive and there is no
    /// profile to be had with it.
    pub async fn profile(
        &self,
        app: &str,
        access: &Secret,
        openid: &str,
        now: Now<'_>,
    ) -> Result<VouchedProfile, UpstreamVerdict> {
        let gate = self.with_tokens(app).ok_or(UpstreamVerdict::Good)?;
        let patience = self.settings.short_patience;
        match self.ask_profile(gate, access, openid, patience, now).await {
            Ok(found) if found.openid.as_str() == openid => Ok(kept(found)),
            Ok(_) => {
                self.mismatch(gate, Asked::Profile, "the profile is another user's", now);
                Err(UpstreamVerdict::Unreachable)
            }
            Err(Miss::Refused(code, _)) if meaning(code) == Meaning::ScopeMissing => {
                Err(UpstreamVerdict::Good)
            }
            Err(miss) => Err(self.access_verdict(gate, &miss, now)),
        }
    }

    fn gate(&self, app: &str) -> Option<&Gate> {
        self.apps.iter().find(|gate| gate.access.app.name == app)
    }

    /// An app whose users have tokens that can be asked about: a mini program's have none.
    fn with_tokens(&self, app: &str) -> Option<&Gate> {
        self.gate(app)
            .filter(|gate| gate.access.app.kind != UpstreamKind::WechatMini)
    }

    /// Makes a call that spends a code, as often as needed and possible.
    async fn pay<T>(
        &self,
        asking: &Asking<'_, T>,
        budget: &Budget,
        now: Now<'_>,
    ) -> Result<T, ExchangeFailure> {
        // Whether the upstream may have spent the code already, and whether an answer is missing.
        let (mut heard, mut lost) = (false, false);
        for attempt in 0..=self.settings.retries {
            let patience = self.settings.patience.min(budget.left());
            match self.ask(asking, patience, now).await {
                Ok(answer) => return Ok(answer),
                Err(Miss::Unreachable) => {}
                Err(Miss::Busy) => heard = true,
                Err(Miss::Lost) => (heard, lost) = (true, true),
                Err(Miss::Shut(_)) if lost => return Err(ExchangeFailure::Lost),
                Err(miss) => return Err(self.failure(asking.gate, miss, heard, now)),
            }
            let pause = self.pause(attempt);
            if attempt == self.settings.retries || budget.left() < pause + TOO_LATE {
                break;
            }
            tokio::time::sleep(pause).await;
        }
        Err(if lost {
            ExchangeFailure::Lost
        } else {
            ExchangeFailure::Unspent { retry_after: AGAIN }
        })
    }

    /// What a miss that is not tried again means for a code. A code that was used after it was
    /// sent before was used by ourselves, and the platform may call that unknown as well (UPS-02).
    fn failure(&self, gate: &Gate, miss: Miss, heard: bool, now: Now<'_>) -> ExchangeFailure {
        let (code, message) = match miss {
            Miss::Refused(code, message) => (code, message),
            Miss::Unreadable(reason, text) => {
                if is_about_nobody(reason) {
                    self.mismatch(gate, Asked::Exchange, "the tokens are nobody's", now);
                }
                return ExchangeFailure::Unreadable(text);
            }
            Miss::Shut(retry_after) => return ExchangeFailure::Unspent { retry_after },
            Miss::Forbidden => {
                self.misconfigured(gate, "its address may not be called", now);
                return ExchangeFailure::Misconfigured;
            }
            Miss::Unreachable | Miss::Lost | Miss::Busy => return ExchangeFailure::Lost,
        };
        match meaning(code) {
            Meaning::CodeInvalid | Meaning::CodeUsed if heard => ExchangeFailure::Lost,
            Meaning::CodeInvalid => ExchangeFailure::CodeInvalid,
            Meaning::CodeUsed => ExchangeFailure::CodeUsed,
            Meaning::Misconfigured | Meaning::TokenInvalid => {
                self.misconfigured(gate, &format!("errcode {code}: {message}"), now);
                ExchangeFailure::Misconfigured
            }
            Meaning::ScopeMissing => ExchangeFailure::ScopeMissing,
            Meaning::UserLimited => ExchangeFailure::Restricted,
            Meaning::RefreshInvalid
            | Meaning::SubjectMismatch
            | Meaning::Busy
            | Meaning::Unknown => ExchangeFailure::Unreadable(format!("errcode {code}: {message}")),
        }
    }

    /// Asks for the profile of somebody who was just vouched for. A login does not fail for want
    /// of a name (UPS-11, UPS-12), but it does when the answers contradict each other (UPS-08).
    async fn greet(
        &self,
        gate: &Gate,
        paid: &Paid,
        budget: &Budget,
        now: Now<'_>,
    ) -> Result<Greeting, ExchangeFailure> {
        if !paid.has_profile {
            return Ok(Greeting::without(false));
        }
        let patience = self.settings.short_patience.min(budget.left());
        if patience < TOO_LATE {
            return Ok(Greeting::without(true));
        }
        let (access, openid) = (&paid.tokens.access, paid.openid.as_str());
        let found = match self.ask_profile(gate, access, openid, patience, now).await {
            Ok(found) => found,
            Err(miss) => return self.faceless(gate, miss, now),
        };
        let other_person = match (&paid.unionid, &found.unionid) {
            (Some(one), Some(other)) => one != other,
            _ => false,
        };
        let contradiction = match (found.openid.as_str() == openid, other_person) {
            (false, _) => "the profile is another user's",
            (true, true) => "token and profile name two persons",
            (true, false) => {
                return Ok(Greeting {
                    unionid: found.unionid.clone(),
                    profile: Some(kept(found)),
                    due: false,
                });
            }
        };
        self.mismatch(gate, Asked::Profile, contradiction, now);
        Err(ExchangeFailure::Unreadable(contradiction.to_owned()))
    }

    /// What a login is without a profile.
    fn faceless(&self, gate: &Gate, miss: Miss, now: Now<'_>) -> Result<Greeting, ExchangeFailure> {
        match miss {
            Miss::Refused(code, message) => match meaning(code) {
                Meaning::UserLimited => Err(ExchangeFailure::Restricted),
                Meaning::ScopeMissing => Ok(Greeting::without(false)),
                Meaning::SubjectMismatch => {
                    let told = format!("errcode {code}: {message}");
                    self.mismatch(gate, Asked::Profile, &told, now);
                    Err(ExchangeFailure::Unreadable(told))
                }
                Meaning::Misconfigured => {
                    self.misconfigured(gate, &format!("errcode {code}: {message}"), now);
                    Ok(Greeting::without(true))
                }
                _ => Ok(Greeting::without(true)),
            },
            // A profile of nobody is no profile that could not be read.
            Miss::Unreadable(reason, text) if is_about_nobody(reason) => {
                self.mismatch(gate, Asked::Profile, "the profile is nobody's", now);
                Err(ExchangeFailure::Unreadable(text))
            }
            _ => Ok(Greeting::without(true)),
        }
    }

    async fn ask_profile(
        &self,
        gate: &Gate,
        access: &Secret,
        openid: &str,
        patience: Duration,
        now: Now<'_>,
    ) -> Result<UpstreamProfile, Miss> {
        let asking = Asking {
            gate,
            asked: Asked::Profile,
            call: gate.access.upstream.profile(access, openid, None),
            read: read_profile,
            hide: &[access.expose(), openid],
        };
        self.ask(&asking, patience, now).await
    }

    /// What a miss says of an access token. Of its deaths only one is of age; the others may mean
    /// that the user withdrew the authorization (REL-03, REL-05).
    fn access_verdict(&self, gate: &Gate, miss: &Miss, now: Now<'_>) -> UpstreamVerdict {
        let Miss::Refused(code, message) = miss else {
            return UpstreamVerdict::Unreachable;
        };
        match (*code, meaning(*code)) {
            (42001, _) => UpstreamVerdict::Expired,
            (_, Meaning::TokenInvalid | Meaning::SubjectMismatch) => UpstreamVerdict::Gone,
            // The user changed the password: all tokens are void.
            (42007, _) => UpstreamVerdict::Gone,
            (_, Meaning::Misconfigured) => {
                self.misconfigured(gate, &format!("errcode {code}: {message}"), now);
                UpstreamVerdict::Unreachable
            }
            _ => UpstreamVerdict::Unreachable,
        }
    }

    /// What a miss says of a refresh token (REL-04, REL-05).
    fn refresh_verdict(&self, gate: &Gate, miss: &Miss, now: Now<'_>) -> UpstreamVerdict {
        let Miss::Refused(code, message) = miss else {
            return UpstreamVerdict::Unreachable;
        };
        match (*code, meaning(*code)) {
            (42002, _) => UpstreamVerdict::Expired,
            (_, Meaning::RefreshInvalid) => UpstreamVerdict::Gone,
            (_, Meaning::Misconfigured) => {
                self.misconfigured(gate, &format!("errcode {code}: {message}"), now);
                UpstreamVerdict::Unreachable
            }
            _ => UpstreamVerdict::Unreachable,
        }
    }

    /// A pause before the next try: longer each time, and never the same, so that those who failed
    /// together do not come back together.
    fn pause(&self, attempt: u32) -> Duration {
        let mut random = [0; 2];
        self.entropy.fill(&mut random);
        let share = f64::from(u16::from_be_bytes(random)) / f64::from(u16::MAX);
        let base = PAUSE.saturating_mul(3u32.saturating_pow(attempt));
        base + base.mul_f64(share)
    }

    fn misconfigured(&self, gate: &Gate, why: &str, now: Now<'_>) {
        if gate.tell() {
            let kind = AlertKind::Misconfigured;
            self.alerts.raise(gate.name(), kind, why.to_owned(), now());
        }
    }

    fn mismatch(&self, gate: &Gate, asked: Asked, why: &str, now: Now<'_>) {
        let detail = format!("{}: {why}", asked.word());
        self.alerts
            .raise(gate.name(), AlertKind::Mismatch, detail, now());
    }
}

/// Whether an answer is sound but for saying whom it is about.
fn is_about_nobody(reason: Option<Reason>) -> bool {
    matches!(
        reason,
        Some(Reason::Missing("openid") | Reason::Wrong("openid"))
    )
}

/// What the answer to an exchange gives. A snapshot page's user is nobody: openid and all are made
/// up, and logging them in would make an account that no one can come back to.
fn paid(kind: UpstreamKind, granted: Granted) -> Result<Paid, ExchangeFailure> {
    if granted.is_snapshot {
        return Err(ExchangeFailure::ScopeMissing);
    }
    let refresh_life = match (kind, &granted.refresh) {
        (_, None) | (UpstreamKind::WechatMini, _) => Lifetime::default(),
        (UpstreamKind::WechatMobile, Some(_)) => Lifetime::days(180),
        (UpstreamKind::WechatWebsite | UpstreamKind::WechatService, Some(_)) => Lifetime::days(30),
    };
    Ok(Paid {
        has_profile: reaches_profile(&granted.scopes),
        tokens: VaultTokens {
            access: granted.access,
            refresh: granted.refresh,
        },
        openid: granted.openid,
        unionid: granted.unionid,
        access_life: granted.expires_in,
        refresh_life,
    })
}

/// Whether a token is good for the profile; one whose scopes were not told may be.
fn reaches_profile(scopes: &Scopes) -> bool {
    scopes.is_empty() || scopes.contains(USERINFO) || scopes.contains(LOGIN)
}

fn exchanged(app: &UpstreamApp, paid: Paid, greeting: Greeting) -> Exchanged {
    let provider = app.kind.provider();
    let person = match (&app.union_scope, paid.unionid.or(greeting.unionid)) {
        (Some(scope), Some(unionid)) => Some(Person {
            provider,
            scope: scope.clone(),
            id: unionid.as_str().to_owned(),
        }),
        _ => None,
    };
    Exchanged {
        vouched: Vouched {
            key: IdentityKey {
                provider,
                app: app.appid.clone(),
                subject: paid.openid.as_str().to_owned(),
            },
            person,
            profile: greeting.profile,
        },
        tokens: paid.tokens,
        access_life: paid.access_life,
        refresh_life: paid.refresh_life,
        profile_due: greeting.due,
    }
}

/// The part of a profile that is kept, of a length that can be.
fn kept(found: UpstreamProfile) -> VouchedProfile {
    let profile = found.profile;
    VouchedProfile {
        nickname: profile.nickname.chars().take(MAX_NICKNAME_CHARS).collect(),
        avatar: Some(profile.avatar)
            .filter(|avatar| avatar.len() <= MAX_AVATAR_BYTES)
            .unwrap_or_default(),
    }
}
