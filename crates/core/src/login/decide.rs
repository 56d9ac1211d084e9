//! The login decisions as pure functions over facts: who is this (D1), whose number is this (D2),
//! may the session go on (D3). They read nothing and change nothing; their tables are printed in
//! `docs/login-decisions.md`, and `tests/login/decide.rs` tries every combination.

use crate::id::UserId;
use crate::time::{Lifetime, Timestamp};

use super::{BindPolicy, MergePolicy, VerifyUpstream};

/// Whether an account may be entered. A deleted one has no handles: nobody finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It may.
    Active,
    /// Its owner asked for its end and may still change their mind.
    Deleting,
    /// The operator closed it.
    Disabled,
}

/// An account that a handle led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// Whose.
    pub user: UserId,
    /// Whether it may be entered.
    pub standing: Standing,
    /// Whether it has a phone number.
    pub has_phone: bool,
}

/// What the upstream told of the person, beside what is stored at the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unionid {
    /// It told none (IDN-01, IDN-03): what is stored stays.
    Untold,
    /// The one that is stored.
    Same,
    /// One, where none was stored (IDN-02), or the identity itself is new.
    New,
    /// Another than the one that is stored (IDN-04).
    Changed,
}

/// The facts of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LoginFacts {
    /// Whom the identity's key leads to.
    pub by_key: Option<Owner>,
    /// Whom the told unionid leads to; `None` also when none was told.
    pub by_person: Option<Owner>,
    /// What the upstream told of the person.
    pub unionid: Unionid,
    /// Whether a phone number is needed.
    pub policy: BindPolicy,
}

/// What to write down about the identity at a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Note {
    /// Nothing new.
    Known,
    /// The key is new and the person is known: another name of the same identity (LGN-09).
    Alias,
    /// The person is told for the first time (IDN-02).
    BackFill,
    /// Another person is told than before: the new one is stored, the old one kept in history,
    /// an event says so (IDN-04).
    Changed,
    /// The told person leads to an account that cannot be entered: nothing is stored of it.
    Contested,
}

/// D1: who is this?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LoginDecision {
    /// Nobody yet, or somebody without a number: a phone number must be bound first.
    PhoneRequired {
        /// The account that the ticket is tied to.
        tied: Option<UserId>,
    },
    /// Nobody yet, and no number is needed: a new account.
    Create,
    /// This one.
    SignIn {
        /// Who.
        user: UserId,
        /// What to write down.
        note: Note,
    },
    /// The key leads to one account and the person to another: the user chooses (LGN-10).
    Choose {
        /// Whom the key leads to.
        by_key: UserId,
        /// Whom the person leads to.
        by_person: UserId,
    },
    /// The account is about to be deleted.
    Deleting {
        /// Which.
        user: UserId,
    },
    /// The account is disabled.
    Disabled {
        /// Which.
        user: UserId,
    },
}

/// D1. The key decides before the person; nothing is ever merged here.
pub fn login(facts: &LoginFacts) -> LoginDecision {
    let needs_phone = |owner: &Owner| facts.policy == BindPolicy::PhoneRequired && !owner.has_phone;
    let owner = match (facts.by_key, facts.by_person) {
        (None, None) => {
            return match facts.policy {
                BindPolicy::PhoneRequired => LoginDecision::PhoneRequired { tied: None },
                BindPolicy::Optional => LoginDecision::Create,
            };
        }
        (Some(owner), _) | (None, Some(owner)) => owner,
    };
    match owner.standing {
        Standing::Deleting => return LoginDecision::Deleting { user: owner.user },
        Standing::Disabled => return LoginDecision::Disabled { user: owner.user },
        Standing::Active => {}
    }
    let other = facts.by_person.filter(|other| other.user != owner.user);
    if let (Some(_), Some(other)) = (facts.by_key, other)
        && other.standing == Standing::Active
    {
        return LoginDecision::Choose {
            by_key: owner.user,
            by_person: other.user,
        };
    }
    if needs_phone(&owner) {
        return LoginDecision::PhoneRequired {
            tied: Some(owner.user),
        };
    }
    let note = match (facts.by_key, other, facts.unionid) {
        (None, ..) => Note::Alias,
        (Some(_), Some(_), _) => Note::Contested,
        (Some(_), None, Unionid::Untold | Unionid::Same) => Note::Known,
        (Some(_), None, Unionid::New) => Note::BackFill,
        (Some(_), None, Unionid::Changed) => Note::Changed,
    };
    LoginDecision::SignIn {
        user: owner.user,
        note,
    }
}

/// Whose the identity of a ticket is at the moment it is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WechatOwner {
    /// Nobody's.
    Nobody,
    /// The account that the ticket is tied to, which has no number.
    Tied(UserId),
    /// Somebody else's, since the ticket was made (PHO-08).
    Other(UserId),
}

/// How the login of a number's account relates to the ticket's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// The account has no login of this provider.
    Absent,
    /// The same person's: the unionids agree.
    Same,
    /// Another person's: the same app with another openid, or unionids that differ.
    Other,
    /// Logins of other apps only, and nothing to compare them by.
    Unknown,
}

/// The account that has the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PhoneOwner {
    /// Whose.
    pub user: UserId,
    /// Whether it may be entered.
    pub standing: Standing,
    /// Its login of this provider.
    pub relation: Relation,
    /// Long silent, and the carrier says that the number has a new owner (PHO-13).
    pub recycled: bool,
}

/// Whether the account's other login shall be replaced (PHO-07).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Replace {
    /// Nobody asked for it.
    Unasked,
    /// Asked for, with the number's proof alone.
    Unproved,
    /// The other login was proved too, or the time to object is over.
    Proved,
}

/// The facts of a binding. The number itself is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BindFacts {
    /// Whose the identity is.
    pub wechat: WechatOwner,
    /// Whose the number is.
    pub phone: Option<PhoneOwner>,
    /// Whether the user confirmed that this account is meant.
    pub confirmed: bool,
    /// Whether a confirmation is needed.
    pub policy: MergePolicy,
    /// Whether the user said that the account of a recycled number is not theirs.
    pub fresh: bool,
    /// Whether the other login shall be replaced.
    pub replace: Replace,
}

/// D2: what binding does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BindDecision {
    /// A new account of both (PHO-01).
    Create,
    /// The number joins the account that the ticket is tied to.
    AddPhone {
        /// Which.
        user: UserId,
    },
    /// The identity joins the number's account (PHO-03).
    Link {
        /// Which.
        user: UserId,
    },
    /// Another name of an identity that the number's account has (PHO-05).
    Alias {
        /// Which.
        user: UserId,
    },
    /// The identities of one account move to the number's account.
    Merge {
        /// From which.
        from: UserId,
        /// To which.
        to: UserId,
    },
    /// The user must confirm first (PHO-02).
    Confirm {
        /// That this is meant.
        user: UserId,
    },
    /// The number's account has another login (PHO-06).
    OtherWechat {
        /// Which.
        user: UserId,
    },
    /// The same, and it shall be replaced: more proof is needed (PHO-07).
    StepUp {
        /// Which.
        user: UserId,
    },
    /// The identity replaces the account's other login (PHO-07).
    Replace {
        /// Which account.
        user: UserId,
        /// The account that the identity leaves, if it had one.
        from: Option<UserId>,
    },
    /// The number may have a new owner: is this account theirs (PHO-13)?
    Recycled {
        /// Which.
        user: UserId,
    },
    /// It is not: the number leaves it, for the tied account or a new one.
    Fresh {
        /// The account that loses the number.
        from: UserId,
        /// The account that gets it; `None` for a new one.
        to: Option<UserId>,
    },
    /// The number's account is about to be deleted (PHO-12).
    Deleting {
        /// Which.
        user: UserId,
    },
    /// The number's account is disabled (PHO-12).
    Disabled {
        /// Which.
        user: UserId,
    },
    /// The identity got an account meanwhile: log in again (PHO-08).
    WechatTaken {
        /// Which.
        user: UserId,
    },
}

/// D2. Nothing that exists is touched without a confirmation or a second proof.
pub fn bind(facts: &BindFacts) -> BindDecision {
    let tied = match facts.wechat {
        WechatOwner::Other(user) => return BindDecision::WechatTaken { user },
        WechatOwner::Tied(user) => Some(user),
        WechatOwner::Nobody => None,
    };
    let Some(phone) = facts.phone else {
        return match tied {
            Some(user) => BindDecision::AddPhone { user },
            None => BindDecision::Create,
        };
    };
    let user = phone.user;
    match phone.standing {
        Standing::Deleting => return BindDecision::Deleting { user },
        Standing::Disabled => return BindDecision::Disabled { user },
        Standing::Active => {}
    }
    if tied == Some(user) {
        return BindDecision::Alias { user };
    }
    if phone.recycled {
        return if facts.fresh {
            BindDecision::Fresh {
                from: user,
                to: tied,
            }
        } else {
            BindDecision::Recycled { user }
        };
    }
    match (phone.relation, tied) {
        (Relation::Other, from) => match facts.replace {
            Replace::Unasked => BindDecision::OtherWechat { user },
            Replace::Unproved => BindDecision::StepUp { user },
            Replace::Proved => BindDecision::Replace { user, from },
        },
        (Relation::Same, None) => BindDecision::Alias { user },
        _ if !facts.confirmed && facts.policy == MergePolicy::Confirm => {
            BindDecision::Confirm { user }
        }
        (_, None) => BindDecision::Link { user },
        (_, Some(from)) => BindDecision::Merge { from, to: user },
    }
}

/// What the vault holds of an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VaultFacts {
    /// Whether there is an access token that should be alive.
    pub access: bool,
    /// Whether there is a refresh token that should be alive.
    pub refresh: bool,
    /// When the upstream last vouched for them.
    pub verified_at: Timestamp,
}

/// D3: the first step of logging in again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relogin {
    /// Straight in (REL-01).
    Admit,
    /// Straight in, though the upstream could not be asked (REL-06).
    AdmitUnverified,
    /// Ask the upstream whether the access token is alive (REL-02).
    Check,
    /// Have the access token renewed (REL-03).
    Refresh,
    /// The user must authorize again (REL-04); `erase` when the upstream said that nothing stands
    /// any more (REL-05).
    Reauthorize {
        /// Whether tokens and profile are erased.
        erase: bool,
    },
    /// The upstream cannot be asked and its last word is too old.
    Busy,
}

/// What an upstream said when it was asked about a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UpstreamVerdict {
    /// It is good, or a new one came.
    Good,
    /// It is over: its time has passed.
    Expired,
    /// It is nothing (any more): revoked or never was.
    Gone,
    /// No answer, or none that says anything about the token.
    Unreachable,
}

/// D3, before the upstream is asked. A session without any upstream identity has no vault and is
/// let in: nothing at an upstream can end it.
pub fn relogin(policy: VerifyUpstream, vault: Option<VaultFacts>, now: Timestamp) -> Relogin {
    let Some(vault) = vault else {
        return Relogin::Admit;
    };
    let due = match policy {
        VerifyUpstream::Never => false,
        VerifyUpstream::OnRelogin => true,
        // What was verified in the future was verified before the clock was turned back.
        VerifyUpstream::Every(each) => {
            !(vault.verified_at..vault.verified_at.plus(each)).contains(&now)
        }
    };
    match (due, vault.access, vault.refresh) {
        (false, ..) => Relogin::Admit,
        (true, true, _) => Relogin::Check,
        (true, false, true) => Relogin::Refresh,
        (true, false, false) => Relogin::Reauthorize { erase: false },
    }
}

/// D3, after `/sns/auth` or the profile was asked for (REL-07: a profile that calls the token
/// dead counts, whatever the check said).
pub fn relogin_checked(
    verdict: UpstreamVerdict,
    vault: &VaultFacts,
    trust: Lifetime,
    now: Timestamp,
) -> Relogin {
    match verdict {
        UpstreamVerdict::Good => Relogin::Admit,
        UpstreamVerdict::Unreachable => trusted(vault, trust, now),
        UpstreamVerdict::Expired | UpstreamVerdict::Gone if vault.refresh => Relogin::Refresh,
        UpstreamVerdict::Expired => Relogin::Reauthorize { erase: false },
        UpstreamVerdict::Gone => Relogin::Reauthorize { erase: true },
    }
}

/// D3, after the refresh token was presented.
pub fn relogin_refreshed(
    verdict: UpstreamVerdict,
    vault: &VaultFacts,
    trust: Lifetime,
    now: Timestamp,
) -> Relogin {
    match verdict {
        UpstreamVerdict::Good => Relogin::Admit,
        UpstreamVerdict::Unreachable => trusted(vault, trust, now),
        UpstreamVerdict::Expired => Relogin::Reauthorize { erase: false },
        UpstreamVerdict::Gone => Relogin::Reauthorize { erase: true },
    }
}

fn trusted(vault: &VaultFacts, trust: Lifetime, now: Timestamp) -> Relogin {
    // As in [`relogin`]: what was verified in the future counts for nothing, or a clock that was
    // turned back would make an old word good for as long as it was turned.
    if (vault.verified_at..vault.verified_at.plus(trust)).contains(&now) {
        Relogin::AdmitUnverified
    } else {
        Relogin::Busy
    }
}
