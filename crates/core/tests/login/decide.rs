//! The decision tables D1, D2 and D3, whole: every combination of the facts is judged by rows that
//! are written down here independently, of which exactly one must hold; and whatever the rows say,
//! some things must never happen.

use std::collections::BTreeSet;
use std::fmt::Debug;

use yufu_core::id::{Number, UserId};
use yufu_core::login::decide::{
    BindDecision, BindFacts, LoginDecision, LoginFacts, Note, Owner, PhoneOwner, Relation, Relogin,
    Replace, Standing, Unionid, UpstreamVerdict, VaultFacts, WechatOwner, bind, login, relogin,
    relogin_checked, relogin_refreshed,
};
use yufu_core::login::{BindPolicy, MergePolicy, VerifyUpstream};
use yufu_core::time::{Lifetime, Timestamp};

use crate::world::NOW;

/// Three accounts.
const A: UserId = UserId(Number(1));
const B: UserId = UserId(Number(2));
const C: UserId = UserId(Number(3));

const STANDINGS: [Standing; 3] = [Standing::Active, Standing::Deleting, Standing::Disabled];
const VERDICTS: [UpstreamVerdict; 4] = [
    UpstreamVerdict::Good,
    UpstreamVerdict::Expired,
    UpstreamVerdict::Gone,
    UpstreamVerdict::Unreachable,
];

/// A row of a table: when it holds, and what it says then.
struct Row<F, D> {
    name: &'static str,
    holds: fn(&F) -> bool,
    says: fn(&F) -> D,
}

/// Holds a decision against the rows of its table: for each combination of the facts exactly one
/// row holds and says the same; each row is needed. Answers what was said, by name.
fn compare<F: Debug, D: Debug + PartialEq>(
    all: &[F],
    rows: &[Row<F, D>],
    decide: impl Fn(&F) -> D,
) -> BTreeSet<String> {
    let mut needed = BTreeSet::new();
    let mut said = BTreeSet::new();
    for facts in all {
        let held: Vec<_> = rows.iter().filter(|row| (row.holds)(facts)).collect();
        let names: Vec<_> = held.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), 1, "one row: {names:?} of {facts:?}");
        let decided = decide(facts);
        assert_eq!(decided, (held[0].says)(facts), "{} of {facts:?}", names[0]);
        needed.insert(names[0]);
        said.insert(variant(&decided));
    }
    for row in rows {
        assert!(needed.contains(row.name), "never held: {}", row.name);
    }
    said
}

/// The name of an enum's variant.
fn variant(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    let end = text.find([' ', '{', '(']).unwrap_or(text.len());
    text[..end].to_owned()
}

fn names(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|name| (*name).to_owned()).collect()
}

// --- D1 --------------------------------------------------------------------------------------

/// Nobody, or an account of one of these users in each of its states.
fn owners(users: &[UserId]) -> Vec<Option<Owner>> {
    let mut all = vec![None];
    for user in users {
        for standing in STANDINGS {
            for has_phone in [true, false] {
                all.push(Some(Owner {
                    user: *user,
                    standing,
                    has_phone,
                }));
            }
        }
    }
    all
}

/// Every combination, also those that contradict themselves: the two owners are read one after
/// the other, so that even one account may be seen in two states.
fn logins() -> Vec<LoginFacts> {
    let mut all = Vec::new();
    for by_key in owners(&[A]) {
        for by_person in owners(&[A, B]) {
            for unionid in [
                Unionid::Untold,
                Unionid::Same,
                Unionid::New,
                Unionid::Changed,
            ] {
                for policy in [BindPolicy::PhoneRequired, BindPolicy::Optional] {
                    all.push(LoginFacts {
                        by_key,
                        by_person,
                        unionid,
                        policy,
                    });
                }
            }
        }
    }
    assert_eq!(all.len(), 7 * 13 * 4 * 2);
    all
}

/// The account that the table calls "the" account: the openid's, else the unionid's.
fn hit(facts: &LoginFacts) -> Option<Owner> {
    facts.by_key.or(facts.by_person)
}

fn hit_is(facts: &LoginFacts, standing: Standing) -> bool {
    hit(facts).is_some_and(|owner| owner.standing == standing)
}

fn hit_user(facts: &LoginFacts) -> UserId {
    hit(facts).unwrap().user
}

/// Active, and it has a number or needs none.
fn hit_is_complete(facts: &LoginFacts) -> bool {
    let required = facts.policy == BindPolicy::PhoneRequired;
    hit_is(facts, Standing::Active) && (!required || hit(facts).unwrap().has_phone)
}

/// Openid and unionid lead to two accounts.
fn two_accounts(facts: &LoginFacts) -> Option<(Owner, Owner)> {
    let (key, person) = (facts.by_key?, facts.by_person?);
    (key.user != person.user).then_some((key, person))
}

fn both_active(facts: &LoginFacts) -> bool {
    two_accounts(facts).is_some_and(|(key, person)| {
        key.standing == Standing::Active && person.standing == Standing::Active
    })
}

/// The openid's account is complete and the unionid says nothing against it.
fn undisputed(facts: &LoginFacts) -> bool {
    facts.by_key.is_some() && two_accounts(facts).is_none() && hit_is_complete(facts)
}

fn enters(facts: &LoginFacts, note: Note) -> LoginDecision {
    LoginDecision::SignIn {
        user: hit_user(facts),
        note,
    }
}

const D1: &[Row<LoginFacts, LoginDecision>] = &[
    Row {
        name: "no openid, no unionid, phone required: ticket",
        holds: |f| hit(f).is_none() && f.policy == BindPolicy::PhoneRequired,
        says: |_| LoginDecision::PhoneRequired { tied: None },
    },
    Row {
        name: "no openid, no unionid, phone optional: create",
        holds: |f| hit(f).is_none() && f.policy == BindPolicy::Optional,
        says: |_| LoginDecision::Create,
    },
    Row {
        name: "no openid, unionid: alias, session",
        holds: |f| f.by_key.is_none() && f.by_person.is_some() && hit_is_complete(f),
        says: |f| enters(f, Note::Alias),
    },
    Row {
        name: "openid, unionid absent: session",
        holds: |f| undisputed(f) && f.unionid == Unionid::Untold,
        says: |f| enters(f, Note::Known),
    },
    Row {
        name: "openid, unionid where none was stored: back-fill, session",
        holds: |f| undisputed(f) && f.unionid == Unionid::New,
        says: |f| enters(f, Note::BackFill),
    },
    Row {
        name: "openid and the unionid that is stored: session",
        holds: |f| undisputed(f) && f.unionid == Unionid::Same,
        says: |f| enters(f, Note::Known),
    },
    Row {
        name: "openid, another unionid than is stored: session, recorded",
        holds: |f| undisputed(f) && f.unionid == Unionid::Changed,
        says: |f| enters(f, Note::Changed),
    },
    Row {
        name: "openid and unionid of two active accounts: 4005",
        holds: both_active,
        says: |_| LoginDecision::Choose {
            by_key: A,
            by_person: B,
        },
    },
    Row {
        // The table is silent here. The openid is what WeChat proves, and a closed account must
        // neither be entered nor shut another.
        name: "openid, unionid of an account that cannot be entered: session, nothing stored",
        holds: |f| two_accounts(f).is_some() && !both_active(f) && hit_is_complete(f),
        says: |f| enters(f, Note::Contested),
    },
    Row {
        name: "any hit, active, no phone, required: ticket tied to the account",
        holds: |f| hit_is(f, Standing::Active) && !hit_is_complete(f) && !both_active(f),
        says: |f| LoginDecision::PhoneRequired {
            tied: Some(hit_user(f)),
        },
    },
    Row {
        name: "any hit, deleting: 4006",
        holds: |f| hit_is(f, Standing::Deleting),
        says: |f| LoginDecision::Deleting { user: hit_user(f) },
    },
    Row {
        name: "any hit, disabled: 4007",
        holds: |f| hit_is(f, Standing::Disabled),
        says: |f| LoginDecision::Disabled { user: hit_user(f) },
    },
];

#[test]
fn d1_says_what_its_table_says() {
    let said = compare(&logins(), D1, login);
    let all = [
        "PhoneRequired",
        "Create",
        "SignIn",
        "Choose",
        "Deleting",
        "Disabled",
    ];
    assert_eq!(said, names(&all));
    let notes: BTreeSet<_> = logins()
        .iter()
        .filter_map(|facts| match login(facts) {
            LoginDecision::SignIn { note, .. } => Some(variant(&note)),
            _ => None,
        })
        .collect();
    let all = ["Known", "Alias", "BackFill", "Changed", "Contested"];
    assert_eq!(notes, names(&all));
}

/// How an account of the facts stands by what was read of it as the key's owner, else the
/// person's.
fn seen(facts: &LoginFacts, user: UserId) -> Option<Owner> {
    let owners = [facts.by_key, facts.by_person];
    owners
        .into_iter()
        .flatten()
        .find(|owner| owner.user == user)
}

#[test]
fn d1_never_opens_what_is_closed_nor_invents_what_exists() {
    for facts in logins() {
        let about = |user| seen(&facts, user).unwrap_or_else(|| panic!("a stranger: {facts:?}"));
        match login(&facts) {
            LoginDecision::SignIn { user, .. } => {
                let owner = about(user);
                assert_eq!(owner.standing, Standing::Active, "{facts:?}");
                let bare = facts.policy == BindPolicy::PhoneRequired && !owner.has_phone;
                assert!(!bare, "without a number: {facts:?}");
            }
            LoginDecision::PhoneRequired { tied: Some(user) } => {
                assert_eq!(about(user).standing, Standing::Active, "{facts:?}");
                assert!(!about(user).has_phone, "{facts:?}");
                assert_eq!(facts.policy, BindPolicy::PhoneRequired, "{facts:?}");
            }
            LoginDecision::PhoneRequired { tied: None } | LoginDecision::Create => {
                assert_eq!((facts.by_key, facts.by_person), (None, None), "{facts:?}");
            }
            LoginDecision::Choose { by_key, by_person } => {
                assert_ne!(by_key, by_person, "{facts:?}");
                for user in [by_key, by_person] {
                    assert_eq!(about(user).standing, Standing::Active, "{facts:?}");
                }
            }
            LoginDecision::Deleting { user } => {
                assert_eq!(about(user).standing, Standing::Deleting, "{facts:?}");
            }
            LoginDecision::Disabled { user } => {
                assert_eq!(about(user).standing, Standing::Disabled, "{facts:?}");
            }
        }
    }
}

#[test]
fn d1_follows_the_key_wherever_it_leads() {
    for facts in logins() {
        let Some(owner) = facts.by_key else { continue };
        let led = match login(&facts) {
            LoginDecision::SignIn { user, .. }
            | LoginDecision::Deleting { user }
            | LoginDecision::Disabled { user }
            | LoginDecision::PhoneRequired { tied: Some(user) }
            | LoginDecision::Choose { by_key: user, .. } => user,
            other => panic!("{other:?} of {facts:?}"),
        };
        assert_eq!(led, owner.user, "{facts:?}");
    }
}

// --- D2 --------------------------------------------------------------------------------------

/// The identity may be nobody's, of the tied account A, or of C; the number nobody's, of A, of B,
/// or of C.
fn binds() -> Vec<BindFacts> {
    let mut all = Vec::new();
    for wechat in [
        WechatOwner::Nobody,
        WechatOwner::Tied(A),
        WechatOwner::Other(C),
    ] {
        for phone in phone_owners() {
            for replace in [Replace::Unasked, Replace::Unproved, Replace::Proved] {
                for policy in [MergePolicy::Confirm, MergePolicy::Auto] {
                    for (confirmed, fresh) in pairs() {
                        all.push(BindFacts {
                            wechat,
                            phone,
                            confirmed,
                            policy,
                            fresh,
                            replace,
                        });
                    }
                }
            }
        }
    }
    assert_eq!(all.len(), 3 * (1 + 3 * 3 * 4 * 2) * 3 * 2 * 4);
    all
}

fn pairs() -> [(bool, bool); 4] {
    [(false, false), (false, true), (true, false), (true, true)]
}

fn phone_owners() -> Vec<Option<PhoneOwner>> {
    let mut all = vec![None];
    for user in [A, B, C] {
        for standing in STANDINGS {
            for relation in [
                Relation::Absent,
                Relation::Same,
                Relation::Other,
                Relation::Unknown,
            ] {
                for recycled in [false, true] {
                    all.push(Some(PhoneOwner {
                        user,
                        standing,
                        relation,
                        recycled,
                    }));
                }
            }
        }
    }
    all
}

fn tied(facts: &BindFacts) -> Option<UserId> {
    match facts.wechat {
        WechatOwner::Tied(user) => Some(user),
        WechatOwner::Nobody | WechatOwner::Other(_) => None,
    }
}

fn phone_user(facts: &BindFacts) -> UserId {
    facts.phone.unwrap().user
}

/// The ticket is good, and the number has an account of this standing.
fn number_is(facts: &BindFacts, standing: Standing) -> bool {
    let taken = matches!(facts.wechat, WechatOwner::Other(_));
    !taken && facts.phone.is_some_and(|phone| phone.standing == standing)
}

/// The number has an active account that the ticket is not tied to.
fn meets_another(facts: &BindFacts) -> bool {
    number_is(facts, Standing::Active) && tied(facts) != Some(phone_user(facts))
}

fn meets_recycled(facts: &BindFacts) -> bool {
    meets_another(facts) && facts.phone.unwrap().recycled
}

/// The number has another active account whose login relates so to the ticket's.
fn meets(facts: &BindFacts, relations: &[Relation]) -> bool {
    let relation = facts.phone.map(|phone| phone.relation);
    meets_another(facts)
        && !meets_recycled(facts)
        && relation.is_some_and(|relation| relations.contains(&relation))
}

/// The two accounts may become one, or the identity join the account, once that is meant.
fn may_join(facts: &BindFacts) -> bool {
    match tied(facts) {
        None => meets(facts, &[Relation::Absent, Relation::Unknown]),
        // An account is more than an identity: the same person must mean it too.
        Some(_) => meets(
            facts,
            &[Relation::Absent, Relation::Unknown, Relation::Same],
        ),
    }
}

fn is_meant(facts: &BindFacts) -> bool {
    facts.confirmed || facts.policy == MergePolicy::Auto
}

const D2: &[Row<BindFacts, BindDecision>] = &[
    Row {
        name: "WeChat of another account: 4002",
        holds: |f| matches!(f.wechat, WechatOwner::Other(_)),
        says: |_| BindDecision::WechatTaken { user: C },
    },
    Row {
        name: "nobody's WeChat, nobody's number: create",
        holds: |f| f.wechat == WechatOwner::Nobody && f.phone.is_none(),
        says: |_| BindDecision::Create,
    },
    Row {
        name: "WeChat of A without number, nobody's number: add it",
        holds: |f| tied(f).is_some() && f.phone.is_none(),
        says: |_| BindDecision::AddPhone { user: A },
    },
    Row {
        name: "number of an account about to be deleted: 4006",
        holds: |f| number_is(f, Standing::Deleting),
        says: |f| BindDecision::Deleting {
            user: phone_user(f),
        },
    },
    Row {
        name: "number of a disabled account: 4007",
        holds: |f| number_is(f, Standing::Disabled),
        says: |f| BindDecision::Disabled {
            user: phone_user(f),
        },
    },
    Row {
        // Not in the table: the number came to A meanwhile, by another of its devices.
        name: "WeChat and number of A: session",
        holds: |f| number_is(f, Standing::Active) && tied(f) == Some(phone_user(f)),
        says: |_| BindDecision::Alias { user: A },
    },
    Row {
        name: "recycled number: 4011",
        holds: |f| meets_recycled(f) && !f.fresh,
        says: |f| BindDecision::Recycled {
            user: phone_user(f),
        },
    },
    Row {
        name: "recycled number, fresh: it moves",
        holds: |f| meets_recycled(f) && f.fresh,
        says: |f| BindDecision::Fresh {
            from: phone_user(f),
            to: tied(f),
        },
    },
    Row {
        name: "number of an account with another WeChat: 4001",
        holds: |f| meets(f, &[Relation::Other]) && f.replace == Replace::Unasked,
        says: |f| BindDecision::OtherWechat {
            user: phone_user(f),
        },
    },
    Row {
        name: "the same, to be replaced, proof missing: 4010",
        holds: |f| meets(f, &[Relation::Other]) && f.replace == Replace::Unproved,
        says: |f| BindDecision::StepUp {
            user: phone_user(f),
        },
    },
    Row {
        name: "the same, to be replaced, proved: replaced",
        holds: |f| meets(f, &[Relation::Other]) && f.replace == Replace::Proved,
        says: |f| BindDecision::Replace {
            user: phone_user(f),
            from: tied(f),
        },
    },
    Row {
        name: "nobody's WeChat, number of the same person: alias",
        holds: |f| tied(f).is_none() && meets(f, &[Relation::Same]),
        says: |f| BindDecision::Alias {
            user: phone_user(f),
        },
    },
    Row {
        name: "number of an account that may be joined: 4005",
        holds: |f| may_join(f) && !is_meant(f),
        says: |f| BindDecision::Confirm {
            user: phone_user(f),
        },
    },
    Row {
        name: "nobody's WeChat, confirmed: link",
        holds: |f| may_join(f) && is_meant(f) && tied(f).is_none(),
        says: |f| BindDecision::Link {
            user: phone_user(f),
        },
    },
    Row {
        name: "WeChat of A without number, confirmed: merge",
        holds: |f| may_join(f) && is_meant(f) && tied(f).is_some(),
        says: |f| BindDecision::Merge {
            from: A,
            to: phone_user(f),
        },
    },
];

#[test]
fn d2_says_what_its_table_says() {
    let said = compare(&binds(), D2, bind);
    let all = [
        "Create",
        "AddPhone",
        "Link",
        "Alias",
        "Merge",
        "Confirm",
        "OtherWechat",
        "StepUp",
        "Replace",
        "Recycled",
        "Fresh",
        "Deleting",
        "Disabled",
        "WechatTaken",
    ];
    assert_eq!(said, names(&all));
}

#[test]
fn d2_touches_nothing_that_exists_without_a_confirmation_or_a_second_proof() {
    for facts in binds() {
        let meant = facts.confirmed || facts.policy == MergePolicy::Auto;
        match bind(&facts) {
            BindDecision::Link { .. } | BindDecision::Merge { .. } => {
                assert!(meant, "{facts:?}");
            }
            BindDecision::Replace { .. } => {
                assert_eq!(facts.replace, Replace::Proved, "{facts:?}");
            }
            BindDecision::Fresh { from, .. } => {
                let phone = facts.phone.unwrap();
                assert!(
                    facts.fresh && phone.recycled && phone.user == from,
                    "{facts:?}"
                );
            }
            // The same account, or the same person by their unionid.
            BindDecision::Alias { user } => {
                let same = facts
                    .phone
                    .is_some_and(|phone| phone.relation == Relation::Same);
                assert!(same || facts.wechat == WechatOwner::Tied(user), "{facts:?}");
            }
            BindDecision::Create | BindDecision::AddPhone { .. } => {
                assert_eq!(facts.phone, None, "{facts:?}");
            }
            BindDecision::Confirm { .. }
            | BindDecision::OtherWechat { .. }
            | BindDecision::StepUp { .. }
            | BindDecision::Recycled { .. }
            | BindDecision::Deleting { .. }
            | BindDecision::Disabled { .. }
            | BindDecision::WechatTaken { .. } => {}
        }
    }
}

#[test]
fn d2_answers_4002_whenever_the_identity_has_another_owner_and_only_then() {
    for facts in binds() {
        let taken = matches!(bind(&facts), BindDecision::WechatTaken { .. });
        let owned = matches!(facts.wechat, WechatOwner::Other(_));
        assert_eq!(taken, owned, "{facts:?}");
    }
}

#[test]
fn d2_neither_shows_nor_enters_the_account_of_a_recycled_number() {
    for facts in binds() {
        let Some(phone) = facts.phone else { continue };
        let mine = facts.wechat == WechatOwner::Tied(phone.user);
        let taken = matches!(facts.wechat, WechatOwner::Other(_));
        if !phone.recycled || mine || taken || phone.standing != Standing::Active {
            continue;
        }
        // Only that there is one is said, and with `fresh` it loses no more than the number.
        let decided = bind(&facts);
        let user = phone.user;
        let to = tied(&facts);
        match facts.fresh {
            false => assert_eq!(decided, BindDecision::Recycled { user }, "{facts:?}"),
            true => assert_eq!(decided, BindDecision::Fresh { from: user, to }, "{facts:?}"),
        }
    }
}

#[test]
fn d2_enters_only_active_accounts() {
    for facts in binds() {
        let Some(phone) = facts.phone else { continue };
        let enters = matches!(
            bind(&facts),
            BindDecision::Link { .. }
                | BindDecision::Alias { .. }
                | BindDecision::Merge { .. }
                | BindDecision::Replace { .. }
        );
        assert!(!enters || phone.standing == Standing::Active, "{facts:?}");
    }
}

// --- D3 --------------------------------------------------------------------------------------

/// The spans of policy and trust.
const SPAN: Lifetime = Lifetime::minutes(60);

/// Moments of the last verification around the bounds of a span, and far from them.
fn moments(span: Lifetime) -> Vec<Timestamp> {
    let oldest = NOW.minus(span);
    vec![
        NOW,
        Timestamp(NOW.0 - 1),
        Timestamp(oldest.0 + 1),
        oldest,
        Timestamp(oldest.0 - 1),
        Timestamp(0),
        // Before the clock was turned back.
        Timestamp(NOW.0 + 1),
        NOW.plus(Lifetime::days(365)),
        Timestamp(i64::MAX),
    ]
}

fn vaults(span: Lifetime) -> Vec<VaultFacts> {
    let mut all = Vec::new();
    for verified_at in moments(span) {
        for (access, refresh) in pairs() {
            all.push(VaultFacts {
                access,
                refresh,
                verified_at,
            });
        }
    }
    all
}

/// Whether a word of the upstream is younger than this.
fn younger(vault: &VaultFacts, span: Lifetime) -> bool {
    let age = i128::from(NOW.0) - i128::from(vault.verified_at.0);
    (0..i128::from(span.millis())).contains(&age)
}

type Asked = (VerifyUpstream, Option<VaultFacts>);

fn is_due(asked: &Asked) -> bool {
    match asked {
        (_, None) | (VerifyUpstream::Never, _) => false,
        (VerifyUpstream::OnRelogin, Some(_)) => true,
        (VerifyUpstream::Every(each), Some(vault)) => !younger(vault, *each),
    }
}

fn holds(asked: &Asked, access: bool, refresh: bool) -> bool {
    let vault = asked.1;
    vault.is_some_and(|vault| vault.access == access && vault.refresh == refresh)
}

const D3_FIRST: &[Row<Asked, Relogin>] = &[
    Row {
        name: "REL-01: not due: straight in",
        holds: |f| !is_due(f),
        says: |_| Relogin::Admit,
    },
    Row {
        name: "REL-02: an access token: asked about",
        holds: |f| is_due(f) && (holds(f, true, true) || holds(f, true, false)),
        says: |_| Relogin::Check,
    },
    Row {
        name: "REL-03: a refresh token alone: renewed",
        holds: |f| is_due(f) && holds(f, false, true),
        says: |_| Relogin::Refresh,
    },
    Row {
        name: "REL-04: neither: authorize again",
        holds: |f| is_due(f) && holds(f, false, false),
        says: |_| Relogin::Reauthorize { erase: false },
    },
];

#[test]
fn d3_says_what_its_table_says_before_the_upstream_is_asked() {
    let mut all = Vec::new();
    let spans = [Lifetime::seconds(0), SPAN, Lifetime::days(365)];
    for span in spans {
        for policy in [
            VerifyUpstream::Never,
            VerifyUpstream::OnRelogin,
            VerifyUpstream::Every(span),
        ] {
            all.push((policy, None));
            for vault in vaults(span) {
                all.push((policy, Some(vault)));
            }
        }
    }
    assert_eq!(all.len(), 3 * 3 * (1 + 9 * 4));
    let said = compare(&all, D3_FIRST, |(policy, vault)| {
        relogin(*policy, *vault, NOW)
    });
    assert_eq!(said, names(&["Admit", "Check", "Refresh", "Reauthorize"]));
}

type Heard = (UpstreamVerdict, VaultFacts);

const D3_CHECKED: &[Row<Heard, Relogin>] = &[
    Row {
        name: "REL-02: alive: straight in",
        holds: |(verdict, _)| *verdict == UpstreamVerdict::Good,
        says: |_| Relogin::Admit,
    },
    Row {
        name: "REL-03, REL-07: dead, a refresh token is there: renewed",
        holds: |(verdict, vault)| is_dead(*verdict) && vault.refresh,
        says: |_| Relogin::Refresh,
    },
    Row {
        name: "REL-04: expired, no refresh token: authorize again",
        holds: |(verdict, vault)| *verdict == UpstreamVerdict::Expired && !vault.refresh,
        says: |_| Relogin::Reauthorize { erase: false },
    },
    Row {
        name: "REL-05: gone, no refresh token: erased, authorize again",
        holds: |(verdict, vault)| *verdict == UpstreamVerdict::Gone && !vault.refresh,
        says: |_| Relogin::Reauthorize { erase: true },
    },
    Row {
        name: "REL-06: no answer, a fresh word: straight in, unverified",
        holds: |(verdict, vault)| is_silent(*verdict) && younger(vault, SPAN),
        says: |_| Relogin::AdmitUnverified,
    },
    Row {
        name: "REL-06: no answer, an old word: busy",
        holds: |(verdict, vault)| is_silent(*verdict) && !younger(vault, SPAN),
        says: |_| Relogin::Busy,
    },
];

const D3_REFRESHED: &[Row<Heard, Relogin>] = &[
    Row {
        name: "REL-03: renewed: straight in",
        holds: |(verdict, _)| *verdict == UpstreamVerdict::Good,
        says: |_| Relogin::Admit,
    },
    Row {
        name: "REL-04: expired too: authorize again",
        holds: |(verdict, _)| *verdict == UpstreamVerdict::Expired,
        says: |_| Relogin::Reauthorize { erase: false },
    },
    Row {
        name: "REL-05: gone too: erased, authorize again",
        holds: |(verdict, _)| *verdict == UpstreamVerdict::Gone,
        says: |_| Relogin::Reauthorize { erase: true },
    },
    Row {
        name: "REL-06: no answer, a fresh word: straight in, unverified",
        holds: |(verdict, vault)| is_silent(*verdict) && younger(vault, SPAN),
        says: |_| Relogin::AdmitUnverified,
    },
    Row {
        name: "REL-06: no answer, an old word: busy",
        holds: |(verdict, vault)| is_silent(*verdict) && !younger(vault, SPAN),
        says: |_| Relogin::Busy,
    },
];

fn is_dead(verdict: UpstreamVerdict) -> bool {
    matches!(verdict, UpstreamVerdict::Expired | UpstreamVerdict::Gone)
}

fn is_silent(verdict: UpstreamVerdict) -> bool {
    verdict == UpstreamVerdict::Unreachable
}

fn heard() -> Vec<Heard> {
    let mut all = Vec::new();
    for verdict in VERDICTS {
        all.extend(vaults(SPAN).into_iter().map(|vault| (verdict, vault)));
    }
    all
}

#[test]
fn d3_says_what_its_table_says_after_the_upstream_was_asked() {
    let said = compare(&heard(), D3_CHECKED, |(verdict, vault)| {
        relogin_checked(*verdict, vault, SPAN, NOW)
    });
    let all = ["Admit", "AdmitUnverified", "Refresh", "Reauthorize", "Busy"];
    assert_eq!(said, names(&all));
    let said = compare(&heard(), D3_REFRESHED, |(verdict, vault)| {
        relogin_refreshed(*verdict, vault, SPAN, NOW)
    });
    let all = ["Admit", "AdmitUnverified", "Reauthorize", "Busy"];
    assert_eq!(said, names(&all), "what was renewed is never renewed again");
}

#[test]
fn d3_erases_only_what_the_upstream_disowned_and_trusts_nobody_for_ever() {
    for (verdict, vault) in heard() {
        for decided in [
            relogin_checked(verdict, &vault, SPAN, NOW),
            relogin_refreshed(verdict, &vault, SPAN, NOW),
        ] {
            let about = format!("{verdict:?} {vault:?}");
            let erased = decided == Relogin::Reauthorize { erase: true };
            assert!(!erased || verdict == UpstreamVerdict::Gone, "{about}");
            let admitted = matches!(decided, Relogin::Admit | Relogin::AdmitUnverified);
            let backed = verdict == UpstreamVerdict::Good || is_silent(verdict);
            assert!(!admitted || backed, "{about}");
        }
        // Nobody is trusted for no time at all.
        let none = Lifetime::seconds(0);
        let decided = relogin_checked(UpstreamVerdict::Unreachable, &vault, none, NOW);
        assert_eq!(decided, Relogin::Busy);
    }
}
