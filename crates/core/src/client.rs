//! Clients, their developers, and the rules a client is judged by.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{ClientId, DeveloperId};
use crate::message::{AuthorizeRequest, Challenge, Channel};
use crate::redirect::{RedirectRule, ReturnPath};
use crate::refusal::Refusal;
use crate::scope::{self, Scopes};
use crate::secret::{Secret, SecretHash};
use crate::subject::Sector;
use crate::time::{Lifetime, Timestamp};

/// What a client is, and so by which door it may come (`docs/facts/wechat.md` §1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientKind {
    /// An app on a phone: native hand-over and signed scans.
    Mobile,
    /// A website: login by scan of `/connect/qrconnect`.
    Website,
    /// Pages inside the platform's own client: `/connect/oauth2/authorize`.
    Service,
}

impl ClientKind {
    /// All kinds, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Mobile, Self::Website, Self::Service];

    /// The word for it in commands, JSON and configuration.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Mobile => "mobile",
            Self::Website => "website",
            Self::Service => "service",
        }
    }

    /// Reads the word that [`ClientKind::word`] writes.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// The scopes that a client of this kind is given unless told otherwise.
    pub fn scopes(self) -> Scopes {
        Scopes::of(match self {
            Self::Mobile => &[scope::USERINFO],
            Self::Website => &[scope::LOGIN, scope::USERINFO, "snsapi_runtime_pcsdk"],
            Self::Service => &[scope::BASE, scope::USERINFO],
        })
    }
}

impl fmt::Display for ClientKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Where a client stands in its review (`docs/facts/wechat.md` §12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Being written by its developer.
    Draft,
    /// Handed in, waiting for the platform.
    InReview,
    /// May authorize.
    Approved,
    /// Sent back; may be edited and handed in again.
    Rejected,
    /// Taken off the platform; its tokens are refused.
    Suspended,
}

impl Status {
    /// The word for it in commands and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::InReview => "in_review",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Suspended => "suspended",
        }
    }
}

/// What somebody does to a client's standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Review {
    /// The developer hands it in.
    Submit,
    /// The platform says yes.
    Approve,
    /// The platform says no.
    Reject,
    /// The platform takes it off.
    Suspend,
    /// The developer changed its identity or redirects.
    Edit,
}

impl Status {
    /// The standing after a review step; `None` when the step is impossible from here.
    pub const fn after(self, step: Review) -> Option<Self> {
        match (self, step) {
            (Self::Draft | Self::Rejected, Review::Submit) => Some(Self::InReview),
            (Self::InReview | Self::Suspended, Review::Approve) => Some(Self::Approved),
            (Self::InReview, Review::Reject) => Some(Self::Rejected),
            (Self::Draft, Review::Edit) => Some(Self::Draft),
            (Self::Rejected, Review::Edit) => Some(Self::Rejected),
            // What was reviewed is no longer what it is.
            (Self::Approved | Self::InReview, Review::Edit) => Some(Self::InReview),
            // An edit does not lift a suspension.
            (Self::Suspended, Review::Edit) => Some(Self::Suspended),
            (_, Review::Suspend) => Some(Self::Suspended),
            _ => None,
        }
    }
}

/// The stored half of a client secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientSecret {
    /// SHA-256: the secret is 128 random bits, a slow hash would buy nothing.
    pub hash: SecretHash,
    /// When it was drawn.
    pub created_at: Timestamp,
    /// When it stops working; `None` for the current one.
    pub retires_at: Option<Timestamp>,
}

/// What a mobile client registered of itself on each system (`docs/facts/wechat.md` §11).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NativeIdentity {
    /// iOS bundle id.
    pub ios_bundle: Option<String>,
    /// iOS universal link: https, ends with `/`.
    pub ios_universal_link: Option<String>,
    /// Android application id.
    pub android_package: Option<String>,
    /// MD5 of the Android signing certificate, 32 lower-case hexadecimal digits.
    pub android_signature: Option<String>,
    /// HarmonyOS bundle name.
    pub harmony_bundle: Option<String>,
    /// HarmonyOS app identifier.
    pub harmony_identifier: Option<String>,
}

/// A phone's operating system, as the native hand-over names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// iOS.
    Ios,
    /// Android.
    Android,
    /// HarmonyOS.
    Harmony,
}

impl NativeIdentity {
    /// Checks what an app says of itself against what was registered.
    ///
    /// # Errors
    /// [`Refusal::IdentityMismatch`] naming the field, never the registered value (−6, §11.2).
    pub fn check(&self, platform: Platform, bundle: &str, signature: &str) -> Result<(), Refusal> {
        let (registered_bundle, registered_signature, name) = match platform {
            Platform::Ios => (&self.ios_bundle, &None, "bundle"),
            Platform::Android => (&self.android_package, &self.android_signature, "bundle"),
            Platform::Harmony => (&self.harmony_bundle, &self.harmony_identifier, "bundle"),
        };
        match registered_bundle {
            None => return Err(Refusal::IdentityMismatch("platform")),
            Some(registered) if registered != bundle => {
                return Err(Refusal::IdentityMismatch(name));
            }
            Some(_) => {}
        }
        match (platform, registered_signature) {
            (Platform::Ios, _) => Ok(()),
            (_, Some(registered)) if registered.eq_ignore_ascii_case(signature) => Ok(()),
            _ => Err(Refusal::IdentityMismatch("signature")),
        }
    }
}

/// The settings of one client. Every default is the platform's, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientPolicy {
    /// Life of a code (§10: 10 minutes for website and mobile, 5 for service).
    pub code_life: Lifetime,
    /// Life of an access token (§10: 7200 s).
    pub access_life: Lifetime,
    /// Life of a refresh token (§10, sources contradict: 180 days for mobile, else 30).
    pub refresh_life: Lifetime,
    /// Say that a code is expired (42003) instead of unknown (40029) (§8, sources contradict).
    pub names_expired_code: bool,
    /// On denial in-client return `code=authdeny` besides the state (§3, old clients).
    pub authdeny: bool,
    /// On denial of a scan let the page return with the state alone (§16) instead of staying.
    pub scan_denial_returns: bool,
    /// Check the openid given to userinfo (§7.4: the platform probably does not).
    pub strict_openid: bool,
    /// A new authorization ends the earlier tokens (§10, unknown).
    pub single_live_token: bool,
    /// A code redeemed twice revokes what it paid for (RFC 6749 §4.1.2; no evidence on WeChat).
    pub reuse_revokes: bool,
    /// A changed password voids what was granted before it (42007).
    pub password_change_voids: bool,
    /// Callers allowed at the token endpoints; empty for all (40164).
    pub allowed_addresses: Vec<String>,
    /// Take states over 128 bytes in-client (§3).
    pub long_state: bool,
    /// A scan's uuid alone may fetch its code: insecure, for pollers without cookies.
    pub public_scan: bool,
    /// Native hand-over without PKCE, as WeChat has it (`docs/facts/wechat.md` §11).
    pub wechat_compatible: bool,
    /// Tell sex, language and place in the profile, as before 2021-10 (§7.4).
    pub full_profile: bool,
    /// Refresh answers end the scope with a comma (§7.2; seen for service accounts only).
    pub scope_trailing_comma: bool,
    /// Take `grant_type=refresh_token` at the access_token endpoint too (§7.2, unknown).
    pub refresh_at_access_token: bool,
    /// Treat every in-client request for the profile as one from a snapshot page: the app gets a
    /// virtual user and `is_snapshotuser` (§3). For trying out how an app takes it.
    pub snapshot_pages: bool,
    /// Calls that the client may make in a minute before it hears 45011; 0 for no bound (§8).
    pub calls_per_minute: u32,
}

impl ClientPolicy {
    /// The defaults of a kind.
    pub fn of(kind: ClientKind) -> Self {
        let service = kind == ClientKind::Service;
        Self {
            code_life: Lifetime::minutes(if service { 5 } else { 10 }),
            access_life: Lifetime::seconds(7200),
            refresh_life: Lifetime::days(if kind == ClientKind::Mobile { 180 } else { 30 }),
            names_expired_code: false,
            authdeny: false,
            scan_denial_returns: false,
            strict_openid: false,
            single_live_token: false,
            reuse_revokes: false,
            password_change_voids: false,
            allowed_addresses: Vec::new(),
            long_state: false,
            public_scan: false,
            wechat_compatible: false,
            full_profile: false,
            scope_trailing_comma: service,
            refresh_at_access_token: false,
            snapshot_pages: false,
            calls_per_minute: 0,
        }
    }
}

impl Default for ClientPolicy {
    fn default() -> Self {
        Self::of(ClientKind::Website)
    }
}

/// Who owns clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Developer {
    /// Its id.
    pub id: DeveloperId,
    /// Its name, shown on the consent page.
    pub name: String,
    /// When it came.
    pub created_at: Timestamp,
}

/// An app that asks people to log in with the platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its public name, `appid`.
    pub id: ClientId,
    /// Who owns it.
    pub developer: DeveloperId,
    /// What it is.
    pub kind: ClientKind,
    /// Its name, shown on the consent page.
    pub name: String,
    /// The stored halves of its live secrets; two at most.
    pub secrets: Vec<ClientSecret>,
    /// Where it stands in its review.
    pub status: Status,
    /// Why it was rejected or suspended; empty otherwise.
    pub reason: String,
    /// Where it may be answered.
    pub redirects: Vec<RedirectRule>,
    /// What it may ask for.
    pub scopes: Scopes,
    /// What it registered of itself on phones.
    #[serde(default)]
    pub native: NativeIdentity,
    /// Whether it belongs to the developer's Open Platform account; without, there is no unionid
    /// for a service client (§7.1).
    pub bound: bool,
    /// Its settings.
    #[serde(default)]
    pub policy: ClientPolicy,
    /// When it was made.
    pub created_at: Timestamp,
    /// Counts its changes; a change of an older version is refused by the store.
    pub version: u32,
}

/// A client that proved itself. Nothing else makes one.
pub struct AuthenticatedClient(Arc<Client>);

impl AuthenticatedClient {
    /// The client.
    pub fn client(&self) -> &Arc<Client> {
        &self.0
    }
}

/// An authorization request that passed all of the client's rules. Nothing else makes one.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// The client.
    pub client: Arc<Client>,
    /// Where the answer goes; `None` for a signed scan, whose answer goes to the poller.
    pub return_path: Option<ReturnPath>,
    /// What is asked for, as far as the client may.
    pub scopes: Scopes,
    /// Handed back as it came.
    pub state: Option<String>,
    /// The PKCE challenge.
    pub challenge: Option<Challenge>,
    /// By which door it came.
    pub channel: Channel,
    /// Ask even where a grant stands.
    pub force_consent: bool,
}

/// Why an authorization request was not admitted, and whether the client may be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorizeRefusal {
    /// Said on a page of our own; nothing goes to the redirect address.
    Stay(Refusal),
    /// Said to the client at a checked address.
    Return(ReturnPath, Refusal),
}

impl Client {
    /// Checks that a token request comes from this client.
    ///
    /// `secret` is what was presented; a refresh on WeChat's wire has none (§7.2) and passes
    /// `None` with `needs_secret` off. `address` is the caller's IP address.
    ///
    /// # Errors
    /// [`Refusal::AddressRefused`], [`Refusal::WrongSecret`], then [`Refusal::ClientSuspended`].
    pub fn authenticate(
        self: &Arc<Self>,
        secret: Option<&Secret>,
        needs_secret: bool,
        address: &str,
        now: Timestamp,
    ) -> Result<AuthenticatedClient, Refusal> {
        let allowed = &self.policy.allowed_addresses;
        if !allowed.is_empty() && !allowed.iter().any(|known| known == address) {
            return Err(Refusal::AddressRefused(address.to_owned()));
        }
        if needs_secret {
            let presented = SecretHash::of(secret.map_or("", Secret::expose).as_bytes());
            let live = |known: &ClientSecret| known.retires_at.is_none_or(|at| now < at);
            // Looks at every secret, so that the time taken tells nothing.
            let matched = self
                .secrets
                .iter()
                .filter(|known| live(known) & (known.hash == presented))
                .count();
            if matched == 0 {
                return Err(Refusal::WrongSecret);
            }
        }
        if self.status == Status::Suspended {
            return Err(Refusal::ClientSuspended);
        }
        Ok(AuthenticatedClient(self.clone()))
    }

    /// Judges an authorization request. The redirect is checked before anything that could be
    /// answered through it.
    ///
    /// # Errors
    /// [`AuthorizeRefusal::Stay`] for everything in this dialect: WeChat never reports an error
    /// to the redirect address (`docs/facts/wechat.md` §9, §17.16).
    pub fn admit(
        self: &Arc<Self>,
        request: AuthorizeRequest,
        limits: &StateLimits,
    ) -> Result<Admitted, AuthorizeRefusal> {
        self.judge(request, limits).map_err(AuthorizeRefusal::Stay)
    }

    fn judge(
        self: &Arc<Self>,
        request: AuthorizeRequest,
        limits: &StateLimits,
    ) -> Result<Admitted, Refusal> {
        let return_path = self.return_path(&request)?;
        match self.status {
            Status::Approved => {}
            Status::Suspended => return Err(Refusal::ClientSuspended),
            Status::Draft | Status::InReview | Status::Rejected => {
                return Err(Refusal::ClientNotApproved);
            }
        }
        let kind = match request.channel {
            Channel::InClient => ClientKind::Service,
            Channel::Scan => ClientKind::Website,
            Channel::SignedScan(_) | Channel::Native(_) => ClientKind::Mobile,
        };
        if self.kind != kind {
            return Err(Refusal::WrongClientKind);
        }
        if request
            .response_type
            .as_deref()
            .is_some_and(|kind| kind != "code")
        {
            return Err(Refusal::ResponseTypeUnsupported);
        }
        let scopes = self.admit_scopes(&request)?;
        let limit = match request.channel {
            Channel::InClient if !self.policy.long_state => limits.in_client,
            Channel::Native(_) => limits.native,
            _ => limits.scan,
        };
        if request
            .state
            .as_ref()
            .is_some_and(|state| state.len() > limit)
        {
            return Err(Refusal::StateTooLong);
        }
        if let Channel::Native(app) = &request.channel {
            self.native
                .check(app.platform, &app.bundle, &app.signature)?;
            // bundle and signature are public values and prove nothing.
            if request.challenge.is_none() && !self.policy.wechat_compatible {
                return Err(Refusal::ChallengeRequired);
            }
        }
        Ok(Admitted {
            client: self.clone(),
            return_path,
            scopes,
            state: request.state,
            challenge: request.challenge,
            channel: request.channel,
            force_consent: request.force_consent,
        })
    }

    fn return_path(&self, request: &AuthorizeRequest) -> Result<Option<ReturnPath>, Refusal> {
        match &request.channel {
            Channel::InClient | Channel::Scan => {
                let address = request.redirect.as_deref().filter(|text| !text.is_empty());
                let address = address.ok_or(Refusal::MissingRedirect)?;
                ReturnPath::check(address, &self.redirects).map(Some)
            }
            Channel::SignedScan(_) => Ok(None),
            // §11.3: the app's own scheme is its appid; a universal link is better where there is one.
            Channel::Native(app) => {
                let link = match app.platform {
                    Platform::Ios => self.native.ios_universal_link.as_deref(),
                    Platform::Android | Platform::Harmony => None,
                };
                Ok(Some(ReturnPath::native(match link {
                    Some(link) => format!("{link}{}/oauth", self.id),
                    None => format!("{}://oauth", self.id),
                })))
            }
        }
    }

    fn admit_scopes(&self, request: &AuthorizeRequest) -> Result<Scopes, Refusal> {
        // Asked for by old mobile SDKs, granted to nobody any more (§6.6).
        const LEGACY: [&str; 2] = ["snsapi_timeline", "snsapi_friend"];
        const KNOWN: [&str; 4] = [
            scope::BASE,
            scope::USERINFO,
            scope::LOGIN,
            "snsapi_runtime_pcsdk",
        ];
        if request.scopes.is_empty() {
            return Err(Refusal::MissingScope);
        }
        let mut admitted = Vec::new();
        for asked in request.scopes.iter() {
            if self.kind == ClientKind::Mobile && LEGACY.contains(&asked) {
                continue;
            }
            if !KNOWN.contains(&asked) && !self.scopes.contains(asked) {
                return Err(Refusal::ScopeUnknown);
            }
            if !self.scopes.contains(asked) {
                return Err(Refusal::ScopeDenied);
            }
            admitted.push(asked);
        }
        let wanted = match request.channel {
            Channel::Scan => admitted.contains(&scope::LOGIN),
            _ => !admitted.is_empty(),
        };
        if wanted {
            Ok(Scopes::of(&admitted))
        } else {
            Err(Refusal::ScopeUnknown)
        }
    }

    /// Within what this client's users have one unionid; `None` when it gets none (§7.1).
    pub fn union_sector(&self) -> Option<Sector> {
        let bound = self.bound || self.kind != ClientKind::Service;
        bound.then_some(Sector::Developer(self.developer))
    }

    /// Whether an answer for these scopes names the unionid (§7.1: not for `snsapi_base`).
    pub fn tells_unionid(&self, scopes: &Scopes) -> bool {
        self.union_sector().is_some()
            && (scopes.contains(scope::USERINFO) || scopes.contains(scope::LOGIN))
    }
}

/// The most bytes of a state by channel (`docs/facts/wechat.md` §3, §4.1, §11.1).
#[derive(Clone, Copy, Debug)]
pub struct StateLimits {
    /// In-client authorize: 128 bytes.
    pub in_client: usize,
    /// Scans: the platform has no limit of its own; ours is 4 KiB.
    pub scan: usize,
    /// Native hand-over: 1024, as the SDKs check.
    pub native: usize,
}

impl Default for StateLimits {
    fn default() -> Self {
        Self {
            in_client: 128,
            scan: 4096,
            native: 1024,
        }
    }
}
