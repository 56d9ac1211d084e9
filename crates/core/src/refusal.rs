//! What went wrong, named by whose fault it is.
//!
//! [`Refusal`] is the caller's fault and says which rule was broken; each dialect renders it in
//! its own tongue by one exhaustive match. [`Fault`] is ours; it is logged once with an incident
//! number and never shown. A lost race ([`crate::store::Clash`]) never leaves the engine.

use std::error::Error;
use std::fmt;

use crate::time::Lifetime;

/// Makes the list of refusals once: the enum, the list of all for tests and documents, the names.
macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident $( ( $field:ty = $sample:expr ) )?),* $(,)?) => {
        /// The caller's fault: the rule that was broken. A flat list; each variant documents the rule.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Refusal { $($(#[$doc])* $name $( ($field) )?,)* }

        impl Refusal {
            /// One sample of every refusal, in the order of their declaration.
            pub fn all() -> Vec<Refusal> {
                vec![$(Refusal::$name $( ({ let sample: $field = $sample; sample }) )?,)*]
            }

            /// The refusal's name, for logs, counters and documents; holds nothing of the caller.
            pub fn name(&self) -> &'static str {
                match self { $(Refusal::$name { .. } => stringify!($name),)* }
            }
        }
    };
}

refusals! {
    // --- the request itself -------------------------------------------------------------
    /// A part of the request is larger than its limit; the field names the part.
    TooLarge(&'static str = "state"),
    /// A part of the request is not well formed (encoding, shape); the field names the part.
    Malformed(&'static str = "state"),
    /// The call was made by a method that this endpoint does not take.
    WrongMethod,
    /// Too many calls within a minute.
    TooFast,
    /// The day's quota of calls is spent.
    QuotaSpent,

    // --- what is missing ----------------------------------------------------------------
    /// No client id was given.
    MissingClientId,
    /// No client secret was given where one is needed.
    MissingSecret,
    /// No code was given.
    MissingCode,
    /// No refresh token was given.
    MissingRefresh,
    /// No access token was given.
    MissingAccess,
    /// No subject (openid) was given beside the access token.
    MissingSubject,
    /// No redirect address was given.
    MissingRedirect,
    /// No scope was given.
    MissingScope,

    // --- the client ---------------------------------------------------------------------
    /// No such client, or one of another dialect.
    UnknownClient,
    /// The secret is not one of the client's live secrets.
    WrongSecret,
    /// The client was suspended by the platform.
    ClientSuspended,
    /// The client has not been approved (draft, in review or rejected).
    ClientNotApproved,
    /// A client of this kind cannot use this endpoint.
    WrongClientKind,
    /// The caller's address is not on the client's allow-list; the field is the address.
    AddressRefused(String = "192.0.2.7".to_owned()),
    /// `grant_type` is missing or none that this endpoint knows.
    GrantTypeUnsupported,

    // --- authorization ------------------------------------------------------------------
    /// `response_type` is not `code`.
    ResponseTypeUnsupported,
    /// The redirect address is not an absolute address that could be redirected to.
    RedirectMalformed,
    /// The redirect address is not one the client registered.
    RedirectMismatch,
    /// A scope that does not exist, or not on this endpoint.
    ScopeUnknown,
    /// A scope that the client has not been given.
    ScopeDenied,
    /// The state is longer than this endpoint takes.
    StateTooLong,
    /// The page may only be opened inside the platform's own client.
    OpenInClient,
    /// A native identity does not match the registered one; the field names which part.
    IdentityMismatch(&'static str = "bundle"),
    /// S256 PKCE is required here and no challenge was sent (RFC 7636, RFC 8252 §6).
    ChallengeRequired,
    /// The challenge is not S256 or not 43 characters of base64url (RFC 7636 §4.2).
    ChallengeMalformed,
    /// The user said no.
    ConsentDenied,
    /// The user turned away without an answer.
    ConsentCancelled,
    /// The interaction or scan is over, unknown or expired.
    InteractionGone,
    /// The interaction belongs to another browser.
    WrongBrowser,

    // --- codes and tokens ---------------------------------------------------------------
    /// No such code, or one of another client.
    UnknownCode,
    /// The code was redeemed before (RFC 6749 §4.1.2: at most once).
    SpentCode,
    /// The code's life is over, and the client is set to be told so.
    ExpiredCode,
    /// The verifier does not match the challenge (RFC 7636 §4.6), or one is missing.
    VerifierMismatch,
    /// The redirect address at the exchange is not the one of the request (RFC 6749 §4.1.3).
    RedirectChanged,
    /// No such refresh token, or one of another client, or revoked.
    UnknownRefresh,
    /// The refresh token's life is over.
    ExpiredRefresh,
    /// No such access token, or revoked.
    UnknownAccess,
    /// The access token's life is over.
    ExpiredAccess,
    /// The subject is not the access token's.
    WrongSubject,
    /// The access token's scope does not allow this call.
    ScopeInsufficient,
    /// The user changed the password after this was granted.
    CredentialsChanged,
    /// The user is restricted by the platform.
    UserRestricted,
    /// The access token is not of the kind that this call needs (a user's instead of a client's).
    WrongTokenKind,

    // --- signed scans of mobile apps ------------------------------------------------------
    /// The signature does not match, or the client has no live ticket to sign with.
    SignatureMismatch,
    /// The timestamp is too far from the platform's time.
    TimestampSkewed,
    /// The nonce was used before.
    NonceUsed,

    // --- people ---------------------------------------------------------------------------
    /// Nobody is signed in.
    NotSignedIn,
    /// Phone and password, or phone and passcode, do not match; also for unknown numbers.
    WrongCredentials,
    /// Too many failures; the field says how long to wait.
    TooManyFailures(Lifetime = Lifetime::seconds(60)),
    /// A passcode was sent a moment ago; the field says how long to wait.
    PasscodeTooSoon(Lifetime = Lifetime::seconds(60)),
    /// The phone number is not an E.164 number.
    PhoneMalformed,
    /// The password is too short, too long or the number itself.
    PasswordUnfit,
    /// A field of the profile is too long or holds control characters; the field names it.
    ProfileUnfit(&'static str = "nickname"),
    /// The form was not made by this browser's page (CSRF), or is too old.
    FormForged,
    /// No such grant of this user.
    UnknownGrant,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Our fault: what failed below, with its cause. Logged once, never shown.
#[derive(Debug)]
pub struct Fault {
    what: &'static str,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Fault {
    /// A fault without a deeper cause.
    pub fn new(what: &'static str) -> Self {
        Self { what, cause: None }
    }

    /// A fault with the error that caused it.
    pub fn from(what: &'static str, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            what,
            cause: Some(cause.into()),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause
            .as_deref()
            .map(|error| error as &(dyn Error + 'static))
    }
}

/// Why an operation of the engine did not go through.
#[derive(Debug)]
pub enum Stop {
    /// The caller's fault; said to the caller in the dialect's tongue.
    Refused(Refusal),
    /// Ours; the caller hears "busy".
    Failed(Fault),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_a_name_of_its_own() {
        let mut names: Vec<_> = Refusal::all().iter().map(Refusal::name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn a_fault_tells_its_whole_chain_to_the_log() {
        let fault = Fault::from("commit", std::io::Error::other("disk full"));
        assert_eq!(fault.to_string(), "commit: disk full");
    }
}
