//! What the login backend refuses, in the codes of `docs/facts/login.md` §3.

use serde::{Deserialize, Serialize};

use crate::refusal::Fault;
use crate::secret::Secret;
use crate::time::{Lifetime, Timestamp};

/// Why a phone number cannot be bound here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Taken {
    /// Its account has another login of the same platform (PHO-06).
    OtherWechat,
    /// It belongs to another account (a change of number).
    OtherAccount,
}

impl Taken {
    /// The word for it on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::OtherWechat => "other_wechat",
            Self::OtherAccount => "other_account",
        }
    }
}

/// Makes the list of refusals once: the enum, its codes, its names, samples of all.
macro_rules! refusals {
    ($($(#[$doc:meta])* $code:literal $name:ident $( { $($(#[$fdoc:meta])* $field:ident : $type:ty = $sample:expr),* $(,)? } )?),* $(,)?) => {
        /// The caller's fault, or the upstream's: what was refused, and what the app needs to go on.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum LoginRefusal {
            $($(#[$doc])* $name $( { $($(#[$fdoc])* $field: $type),* } )?,)*
        }

        impl LoginRefusal {
            /// The number of `docs/facts/login.md` §3.
            pub const fn code(&self) -> u16 {
                match self { $(Self::$name { .. } => $code,)* }
            }

            /// The name, for logs and documents; holds nothing of the caller.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$name { .. } => stringify!($name),)* }
            }

            /// One sample of every refusal, in the order of their codes.
            pub fn all() -> Vec<Self> {
                vec![$(Self::$name $( { $($field: $sample),* } )?,)*]
            }
        }
    };
}

refusals! {
    /// The request is not one of this call's; the field names what is wrong.
    1001 BadRequest {
        /// Which field.
        field: &'static str = "code",
    },
    /// Too many calls.
    1002 RateLimited {
        /// How long to wait.
        retry_after: Lifetime = Lifetime::seconds(60),
    },
    /// The terms were not accepted, or an older version of them.
    1003 ConsentRequired,
    /// The state is unknown, over, of another device or for another purpose.
    1004 StateInvalid,
    /// Somebody else changed the same thing; ask again.
    1005 Conflict,
    /// The upstream does not know the code (any more).
    2001 CodeInvalid,
    /// The code was used before.
    2002 CodeUsed,
    /// We are set up wrongly at the upstream.
    2003 AppMisconfigured,
    /// The upstream cannot be reached, is busy, or has had enough of us.
    2004 UpstreamBusy {
        /// How long to wait.
        retry_after: Lifetime = Lifetime::seconds(2),
    },
    /// The upstream's answer cannot be believed.
    2005 UpstreamUnreadable,
    /// The upstream's token does not reach far enough.
    2006 ScopeMissing,
    /// The upstream restricts this user.
    2007 UpstreamRestricted,
    /// The user must authorize at the upstream again.
    2008 Reauthorize,
    /// Not a phone number, or not one that takes messages.
    3001 PhoneInvalid,
    /// A passcode went out a moment ago.
    3002 PasscodeTooSoon {
        /// How long to wait.
        retry_after: Lifetime = Lifetime::seconds(60),
    },
    /// The number had its share of passcodes.
    3003 PasscodeLimit {
        /// How long to wait.
        retry_after: Lifetime = Lifetime::seconds(3600),
    },
    /// Not the passcode.
    3004 PasscodeWrong {
        /// How many tries are left.
        left: u32 = 4,
    },
    /// The passcode is over, used, replaced, or never was.
    3005 PasscodeOver,
    /// The passcode was tried too often.
    3006 PasscodeExhausted,
    /// No gateway took the message.
    3007 GatewayFailed,
    /// Show a captcha and ask again with its answer.
    3008 CaptchaRequired,
    /// The carrier's token is invalid, over, used, or of another number.
    3009 CarrierInvalid,
    /// The phone number belongs to another account.
    4001 PhoneTaken {
        /// Why that stands in the way.
        reason: Taken = Taken::OtherWechat,
        /// The other login, with its name hidden: `n***`.
        other: String = "n***".to_owned(),
    },
    /// The upstream identity belongs to another account.
    4002 WechatTaken,
    /// The ticket is unknown, over, used, or of another device.
    4003 TicketInvalid,
    /// It is the last way into the account.
    4004 LastIdentity,
    /// The user has to say which account is meant.
    4005 ConfirmNeeded {
        /// The accounts, masked.
        candidates: Vec<Candidate> = vec![Candidate { key: "a".to_owned(), nickname: "n***".to_owned(), phone: "+86 138****0000".to_owned() }],
        /// What the choice is made with; `None` when the caller's own ticket is.
        ticket: Option<Secret> = None,
    },
    /// The account is about to be deleted.
    4006 Deleting {
        /// When it will be gone.
        deletable_at: Timestamp = Timestamp::from_seconds(1_900_000_000),
        /// What takes the deletion back and logs in; only for whoever proved to be the owner.
        cancel_ticket: Option<Secret> = None,
        /// The device secret that was drawn for the call: the ticket is that device's. `None` for
        /// whoever brought one.
        device_secret: Option<Secret> = None,
    },
    /// The account is disabled.
    4007 Disabled,
    /// The account has a login of this platform already.
    4009 AlreadyLinked,
    /// Another proof is needed first.
    4010 StepUpRequired {
        /// Which proofs would do.
        proofs: &'static [&'static str] = &["phone"],
        /// When it may be done without; `None` when never.
        after: Option<Timestamp> = None,
    },
    /// The number may have a new owner.
    4011 RecycledSuspected,
    /// No session of ours, or one that was logged out.
    5001 SessionInvalid,
    /// The session is over.
    5002 SessionExpired,
    /// Somebody logged in elsewhere.
    5003 SessionReplaced {
        /// When.
        at: Timestamp = Timestamp::from_seconds(1_900_000_000),
        /// On which device.
        device: String = "android".to_owned(),
    },
    /// The session was ended from elsewhere.
    5004 SessionKicked {
        /// When.
        at: Timestamp = Timestamp::from_seconds(1_900_000_000),
    },
    /// A refresh token was used twice: the session is over.
    5005 RefreshReused,
    /// No more devices may be logged in.
    5006 DeviceLimit,
}

/// An account that the user may mean, with everything hidden that they need not see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// By which it is chosen.
    pub key: String,
    /// The shown name, all but its first character hidden.
    pub nickname: String,
    /// The phone number with its middle hidden; empty for none.
    pub phone: String,
}

/// Why an operation of the login backend did not go through.
#[derive(Debug)]
pub enum LoginStop {
    /// Refused; said to the caller.
    Refused(LoginRefusal),
    /// Ours; the caller hears to try again.
    Failed(Fault),
}

impl From<LoginRefusal> for LoginStop {
    fn from(refusal: LoginRefusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Fault> for LoginStop {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_four_digits_and_nobody_shares_one() {
        let mut codes: Vec<_> = LoginRefusal::all().iter().map(LoginRefusal::code).collect();
        assert!(codes.is_sorted());
        assert!(codes.iter().all(|code| (1001..=5999).contains(code)));
        let count = codes.len();
        codes.dedup();
        assert_eq!(codes.len(), count);
        assert_eq!(count, 38);
    }
}
