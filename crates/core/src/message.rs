//! What goes into the engine and what comes out: no word of any wire.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::client::{Client, Developer, Platform};
use crate::id::{ClientId, Number};
use crate::redirect::ReturnPath;
use crate::scope::Scopes;
use crate::secret::{Secret, SecretHash};
use crate::subject::Subject;
use crate::time::{Lifetime, Timestamp};
use crate::user::User;

/// A PKCE challenge, S256 only (RFC 7636 §4.2; RFC 9700 §2.1.1 advises against `plain`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Challenge(SecretHash);

impl Challenge {
    /// Reads a challenge and its method. `None` when the method is not `S256` or the challenge is
    /// not 43 characters of base64url.
    pub fn parse(challenge: &str, method: Option<&str>) -> Option<Self> {
        if method != Some("S256") || challenge.len() != 43 {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(challenge).ok()?;
        Some(Self(SecretHash(bytes.try_into().ok()?)))
    }

    /// The challenge of a verifier, as a client computes it.
    pub fn of(verifier: &str) -> Self {
        Self(SecretHash::of(verifier.as_bytes()))
    }

    /// The text of the challenge.
    pub fn write(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.0)
    }

    /// Whether the verifier is well formed (43 to 128 unreserved characters) and hashes to it.
    pub fn is_met_by(&self, verifier: &str) -> bool {
        let unreserved =
            |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
        (43..=128).contains(&verifier.len())
            && verifier.bytes().all(unreserved)
            && SecretHash::of(verifier.as_bytes()) == self.0
    }
}

/// By which door an authorization comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "door", rename_all = "snake_case")]
pub enum Channel {
    /// A page opened inside the platform's own client.
    InClient,
    /// A website's QR code.
    Scan,
    /// A mobile app's QR code, asked for with a signature.
    SignedScan(ScanSignature),
    /// A mobile app handing over to the platform on the same phone.
    Native(NativeApp),
}

/// The signature of a mobile app's request for a QR code (`docs/facts/wechat.md` §6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanSignature {
    /// The nonce, used once.
    pub nonce: String,
    /// Seconds since 1970, as it was written.
    pub timestamp: String,
    /// Hexadecimal SHA-1.
    pub signature: String,
}

/// What an app says of itself at the native hand-over. Public values: they prove nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeApp {
    /// Its operating system.
    pub platform: Platform,
    /// Bundle id, package or bundle name.
    pub bundle: String,
    /// Signing-certificate digest or app identifier.
    pub signature: String,
}

/// A request to authorize, as any dialect hears it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizeRequest {
    /// Who asks.
    pub client: ClientId,
    /// Where the answer shall go, unchecked.
    pub redirect: Option<String>,
    /// `code`, or absent where the dialect allows that.
    pub response_type: Option<String>,
    /// What is asked for; may be empty.
    pub scopes: Scopes,
    /// Handed back as it came; `None` when absent, which differs from empty.
    pub state: Option<String>,
    /// The PKCE challenge.
    pub challenge: Option<Challenge>,
    /// By which door.
    pub channel: Channel,
    /// Ask even where a grant stands.
    pub force_consent: bool,
}

/// Who knocks: what the cookies of a browser say.
#[derive(Clone, Copy)]
pub struct Visitor<'a> {
    /// The session cookie.
    pub session: Option<&'a str>,
    /// The browser's own cookie, which binds interactions and scans to it.
    pub browser: Option<&'a str>,
    /// The caller's IP address: how many authorizations it may leave open is bounded.
    pub address: &'a str,
}

/// A signed-in user with their session's secret read and proved.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The user.
    pub user: Arc<User>,
    /// When they proved themselves.
    pub authenticated_at: Timestamp,
}

/// What happens next in a browser.
#[derive(Debug)]
pub enum Step {
    /// Somebody must sign in first; the page comes back to this interaction.
    Authenticate(Asked),
    /// The signed-in user must say yes or no.
    Consent(Asked, SignedIn),
    /// A QR code must be shown.
    Scan(ScanShown),
    /// The browser goes back to the client.
    Return(Authorized),
    /// The phone's side of a scan is over.
    ScanAnswered {
        /// Whether the user agreed.
        allowed: bool,
        /// Which scan, to wake those who poll it.
        scan: Number,
    },
}

/// An open interaction and who asks in it.
#[derive(Debug)]
pub struct Asked {
    /// The secret that continues the interaction; part of its address.
    pub interaction: Secret,
    /// Who asks.
    pub client: Arc<Client>,
    /// The client's owner.
    pub developer: Arc<Developer>,
    /// What is asked for.
    pub scopes: Scopes,
    /// By which door.
    pub channel: Channel,
    /// Where the answer goes; `None` for the phone's side of a scan.
    pub return_path: Option<ReturnPath>,
    /// Whether this is the phone's side of a scan begun elsewhere.
    pub on_phone: bool,
}

/// A QR code to be shown.
#[derive(Debug)]
pub struct ScanShown {
    /// The public name of the scan, printed in the code.
    pub uuid: Secret,
    /// Who asks.
    pub client: Arc<Client>,
    /// Where the page goes with the code.
    pub return_path: Option<ReturnPath>,
    /// Handed back as it came.
    pub state: Option<String>,
    /// How long the code lives.
    pub life: Lifetime,
}

/// The answer to an authorization, on its way to the client.
#[derive(Debug)]
pub struct Authorized {
    /// Where it goes: checked.
    pub return_path: ReturnPath,
    /// Handed back as it came.
    pub state: Option<String>,
    /// By which door it came.
    pub channel: Channel,
    /// What was decided.
    pub outcome: Outcome,
    /// The client's setting for denials (`docs/facts/wechat.md` §3).
    pub authdeny: bool,
}

/// What was decided.
#[derive(Debug)]
pub enum Outcome {
    /// Yes: the code.
    Code(Secret),
    /// No.
    Denied,
    /// Turned away.
    Cancelled,
}

/// What a user does on an interaction's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Yes.
    Approve,
    /// No.
    Deny,
    /// Away.
    Cancel,
}

/// A request at a token endpoint, complete as far as the dialect wants it.
pub struct TokenRequest {
    /// Who asks.
    pub client: ClientId,
    /// The secret as presented; `None` where the dialect needs none.
    pub secret: Option<Secret>,
    /// What for.
    pub grant: TokenGrant,
}

/// What tokens are asked for.
pub enum TokenGrant {
    /// A code is exchanged (RFC 6749 §4.1.3).
    Code {
        /// The code.
        code: Secret,
        /// The PKCE verifier.
        verifier: Option<Secret>,
    },
    /// A refresh token is used (RFC 6749 §6).
    Refresh {
        /// The refresh token.
        token: Secret,
        /// Whether it was presented where codes are exchanged (a client's setting).
        at_code_endpoint: bool,
    },
    /// A token for the client itself (RFC 6749 §4.4; `/cgi-bin/token`).
    Client,
}

/// Tokens, fresh or said again.
#[derive(Debug)]
pub struct Tokens {
    /// The access token.
    pub access: Secret,
    /// How long it lives from now.
    pub expires_in: Lifetime,
    /// The refresh token; `None` for a client's own token.
    pub refresh: Option<Secret>,
    /// The client's name for the user.
    pub openid: Option<Subject>,
    /// The developer's name for the user, where it may be told.
    pub unionid: Option<Subject>,
    /// What was granted.
    pub scopes: Scopes,
    /// The client's setting for the scope's trailing comma.
    pub scope_trailing_comma: bool,
    /// Whether the subjects are those of a virtual user.
    pub is_snapshot: bool,
}

/// A mini program's login (`docs/facts/wechat.md` §7.5).
#[derive(Debug)]
pub struct MiniSession {
    /// Base64 of 16 random bytes.
    pub session_key: Secret,
    /// The client's name for the user.
    pub openid: Subject,
    /// The developer's name for the user.
    pub unionid: Option<Subject>,
}

/// A request for the profile behind an access token, or for its check.
pub struct AccessRequest {
    /// The access token.
    pub access: Secret,
    /// The subject that the caller believes it belongs to.
    pub openid: String,
}

/// The profile behind an access token.
#[derive(Debug)]
pub struct ProfileAnswer {
    /// The client's name for the user.
    pub openid: Subject,
    /// The developer's name for the user, where it may be told.
    pub unionid: Option<Subject>,
    /// The user.
    pub user: Arc<User>,
    /// Whether sex, language and place are told.
    pub full: bool,
}

/// A poll of a scan.
pub struct PollRequest {
    /// The scan's public name.
    pub uuid: Secret,
    /// The last state that the poller saw; it waits for a change from it.
    pub last: Option<PollState>,
}

/// The state of a scan without its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PollState {
    /// No phone yet.
    Waiting,
    /// A phone has opened it.
    Scanned,
    /// The user turned away.
    Cancelled,
    /// Over.
    Expired,
    /// The user agreed.
    Confirmed,
}

impl PollState {
    /// Whether a poller who last saw `last` is kept waiting at this state
    /// (`docs/facts/wechat.md` §4.2: 404 and 403 are said at once unless they are no news).
    pub fn is_held(self, last: Option<Self>) -> bool {
        match self {
            Self::Waiting => true,
            Self::Scanned | Self::Cancelled => last == Some(self),
            Self::Expired | Self::Confirmed => false,
        }
    }
}

/// What a poller hears.
#[derive(Debug)]
pub enum PollAnswer {
    /// Nothing more than this state.
    State(PollState),
    /// The user agreed: the code.
    Code(Secret),
}

/// The ticket that signs requests for QR codes.
#[derive(Debug)]
pub struct PlatformTicket {
    /// The ticket.
    pub ticket: Secret,
    /// How long it lives from now.
    pub expires_in: Lifetime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_of_rfc_7636_appendix_b() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let read = Challenge::parse(challenge, Some("S256")).unwrap();
        assert_eq!(read, Challenge::of(verifier));
        assert_eq!(read.write(), challenge);
        assert!(read.is_met_by(verifier));
        assert!(!read.is_met_by(&verifier.replace('d', "e")));
        assert!(!read.is_met_by("short"));
    }

    #[test]
    fn plain_and_misshapen_challenges_are_none() {
        let good = Challenge::of("x").write();
        for (challenge, method) in [
            (good.as_str(), Some("plain")),
            (good.as_str(), None),
            ("short", Some("S256")),
            (&good[..42], Some("S256")),
        ] {
            assert_eq!(Challenge::parse(challenge, method), None);
        }
    }
}
