//! Prints `docs/login-decisions.md`: the tables D1, D2 and D3 as the code decides them, one row for
//! whatever is decided alike. With `YUFU_BLESS=1` the file is written; without, a stale file fails.

use std::fmt::Write as _;
use std::path::Path;

use yufu_core::id::{Number, UserId};
use yufu_core::login::decide::{
    BindDecision, BindFacts, LoginDecision, LoginFacts, Note, Owner, PhoneOwner, Relation, Relogin,
    Replace, Standing, Unionid, UpstreamVerdict, VaultFacts, WechatOwner, bind, login, relogin,
    relogin_checked, relogin_refreshed,
};
use yufu_core::login::{BindPolicy, MergePolicy, VerifyUpstream};
use yufu_core::time::Lifetime;

use crate::world::NOW;

const HEAD: &str = "\
# Login decisions

Who is this (D1), whose number is this (D2), may the session go on (D3): what the pure functions of \
`crates/core/src/login/decide.rs` answer to every combination of their facts. This page is printed \
by the test `the_decision_tables_are_fresh` of `yufu-core` and must not be edited by hand \
(`YUFU_BLESS=1 cargo test -p yufu-core --test login` writes it anew).

Each table is read from left to right; exactly one row fits. `·` stands between values that are \
decided alike, `–` where a fact makes no difference. Numbers are codes of the answer; 0 logs in.
";

/// One fact: its name and the values it can have.
struct Fact {
    name: &'static str,
    values: &'static [&'static str],
}

/// A row: a cell for each fact, then what is decided.
type Row = Vec<String>;

/// The rows for all combinations that begin with these values; what is decided alike is one row.
/// Combinations that cannot be have no decision.
fn rows(facts: &[Fact], decide: &dyn Fn(&[usize]) -> Option<String>, chosen: &[usize]) -> Vec<Row> {
    let Some(fact) = facts.get(chosen.len()) else {
        return decide(chosen).map(|said| vec![said]).into_iter().collect();
    };
    // The values that go on alike, with how they go on.
    let mut groups: Vec<(Vec<usize>, Vec<Row>)> = Vec::new();
    for value in 0..fact.values.len() {
        let chosen = [chosen, &[value]].concat();
        let rest = rows(facts, decide, &chosen);
        if rest.is_empty() {
            continue;
        }
        match groups.iter_mut().find(|(_, known)| *known == rest) {
            Some((values, _)) => values.push(value),
            None => groups.push((vec![value], rest)),
        }
    }
    let all = groups.len() == 1;
    let cells = groups.into_iter().flat_map(|(values, rest)| {
        let values: Vec<_> = values.iter().map(|value| fact.values[*value]).collect();
        let cell = match all {
            true => "–".to_owned(),
            false => values.join(" · "),
        };
        rest.into_iter()
            .map(move |row| [vec![cell.clone()], row].concat())
    });
    cells.collect()
}

fn print(page: &mut String, facts: &[Fact], decide: &dyn Fn(&[usize]) -> Option<String>) {
    let names: Vec<_> = facts.iter().map(|fact| fact.name).collect();
    let _ = writeln!(page, "\n| {} | Decision |", names.join(" | "));
    let _ = writeln!(page, "{}|", "|---".repeat(facts.len() + 1));
    for row in rows(facts, decide, &[]) {
        let _ = writeln!(page, "| {} |", row.join(" | "));
    }
}

/// The three accounts of the tables.
const KEYS: UserId = UserId(Number(1));
const PERSONS: UserId = UserId(Number(2));
const NUMBERS: UserId = UserId(Number(3));

// --- D1 --------------------------------------------------------------------------------------

const D1: &[Fact] = &[
    Fact {
        name: "The key leads to",
        values: &[
            "nobody",
            "active",
            "active, no number",
            "deleting",
            "disabled",
        ],
    },
    Fact {
        name: "The unionid leads to",
        values: &[
            "nobody",
            "the same",
            "another: active",
            "another: active, no number",
            "another: deleting",
            "another: disabled",
        ],
    },
    Fact {
        name: "Phone number",
        values: &["required", "optional"],
    },
    Fact {
        name: "Unionid told",
        values: &[
            "none",
            "the stored one",
            "none was stored",
            "another than stored",
        ],
    },
];

/// The account of a value of [`D1`]'s owners, counted from `active`.
fn account(user: UserId, value: usize) -> Owner {
    Owner {
        user,
        standing: [
            Standing::Active,
            Standing::Active,
            Standing::Deleting,
            Standing::Disabled,
        ][value],
        has_phone: value != 1,
    }
}

fn d1(chosen: &[usize]) -> Option<String> {
    let &[key, person, policy, unionid] = chosen else {
        return None;
    };
    let by_key = key.checked_sub(1).map(|value| account(KEYS, value));
    let by_person = match person {
        0 => None,
        1 => Some(by_key?),
        value => Some(account(PERSONS, value - 2)),
    };
    let unionid = [
        Unionid::Untold,
        Unionid::Same,
        Unionid::New,
        Unionid::Changed,
    ][unionid];
    // What was not told leads nowhere, and to an identity that is new nothing is stored.
    let absurd = (unionid == Unionid::Untold && by_person.is_some())
        || (by_key.is_none() && matches!(unionid, Unionid::Same | Unionid::Changed));
    let facts = LoginFacts {
        by_key,
        by_person,
        unionid,
        policy: [BindPolicy::PhoneRequired, BindPolicy::Optional][policy],
    };
    (!absurd).then(|| say_login(login(&facts)))
}

fn say_login(decision: LoginDecision) -> String {
    let whose = |user| match user == KEYS {
        true => "the key's account",
        false => "the unionid's account",
    };
    match decision {
        LoginDecision::PhoneRequired { tied: None } => "0 with a `bind_ticket`".to_owned(),
        LoginDecision::PhoneRequired { tied: Some(user) } => {
            format!("0 with a `bind_ticket` tied to {}", whose(user))
        }
        LoginDecision::Create => "0 a new account".to_owned(),
        LoginDecision::SignIn { user, note } => {
            let note = match note {
                Note::Known => "",
                Note::Alias => "; the key is another name of the identity",
                Note::BackFill => "; the unionid is stored",
                Note::Changed => "; the unionid is stored, the old one kept in history, an event",
                Note::Contested => "; the unionid is not stored, an event",
            };
            format!("0 {}{note}", whose(user))
        }
        LoginDecision::Choose { .. } => "4005 between the two accounts".to_owned(),
        LoginDecision::Deleting { user } => format!("4006 {}", whose(user)),
        LoginDecision::Disabled { user } => format!("4007 {}", whose(user)),
    }
}

// --- D2 --------------------------------------------------------------------------------------

const D2: &[Fact] = &[
    Fact {
        name: "The identity is",
        values: &["nobody's", "the tied account's", "another account's"],
    },
    Fact {
        name: "The number is",
        values: &["nobody's", "the tied account's", "an account's"],
    },
    Fact {
        name: "which is",
        values: &["active", "deleting", "disabled"],
    },
    Fact {
        name: "Recycled",
        values: &["no", "yes"],
    },
    Fact {
        name: "`fresh`",
        values: &["no", "yes"],
    },
    Fact {
        name: "Its login is",
        values: &[
            "none",
            "the same person's",
            "another person's",
            "not comparable",
        ],
    },
    Fact {
        name: "`replace`",
        values: &["no", "proof missing", "proved"],
    },
    Fact {
        name: "Merging",
        values: &["to be confirmed", "automatic"],
    },
    Fact {
        name: "`confirm`",
        values: &["no", "yes"],
    },
];

fn d2(chosen: &[usize]) -> Option<String> {
    let &[
        wechat,
        phone,
        standing,
        recycled,
        fresh,
        relation,
        replace,
        policy,
        confirmed,
    ] = chosen
    else {
        return None;
    };
    let owner = |user| PhoneOwner {
        user,
        standing: [Standing::Active, Standing::Deleting, Standing::Disabled][standing],
        relation: [
            Relation::Absent,
            Relation::Same,
            Relation::Other,
            Relation::Unknown,
        ][relation],
        recycled: recycled == 1,
    };
    let phone = match (phone, wechat) {
        (0, _) => None,
        (1, 1) => Some(owner(KEYS)),
        (1, _) => return None,
        _ => Some(owner(NUMBERS)),
    };
    Some(say_bind(bind(&BindFacts {
        wechat: [
            WechatOwner::Nobody,
            WechatOwner::Tied(KEYS),
            WechatOwner::Other(PERSONS),
        ][wechat],
        phone,
        confirmed: confirmed == 1,
        policy: [MergePolicy::Confirm, MergePolicy::Auto][policy],
        fresh: fresh == 1,
        replace: [Replace::Unasked, Replace::Unproved, Replace::Proved][replace],
    })))
}

fn say_bind(decision: BindDecision) -> String {
    match decision {
        BindDecision::Create => "0 a new account of both",
        BindDecision::AddPhone { .. } => "0 the number joins the tied account",
        BindDecision::Link { .. } => "0 the identity joins the number's account",
        BindDecision::Alias { user: KEYS } => "0 the tied account",
        BindDecision::Alias { .. } => "0 the number's account, under another name",
        BindDecision::Merge { .. } => "0 the tied account is merged into the number's",
        BindDecision::Confirm { .. } => "4005",
        BindDecision::OtherWechat { .. } => "4001",
        BindDecision::StepUp { .. } => "4010",
        BindDecision::Replace { from: None, .. } => "0 the identity replaces the account's login",
        BindDecision::Replace { from: Some(_), .. } => {
            "0 the identity leaves the tied account and replaces the number's account's login"
        }
        BindDecision::Recycled { .. } => "4011",
        BindDecision::Fresh { to: None, .. } => "0 the number moves to a new account",
        BindDecision::Fresh { to: Some(_), .. } => "0 the number moves to the tied account",
        BindDecision::Deleting { .. } => "4006",
        BindDecision::Disabled { .. } => "4007",
        BindDecision::WechatTaken { .. } => "4002",
    }
    .to_owned()
}

// --- D3 --------------------------------------------------------------------------------------

const D3_FIRST: &[Fact] = &[
    Fact {
        name: "Checking",
        values: &["never", "at each `relogin`", "after a time"],
    },
    Fact {
        name: "Identity",
        values: &["none", "with a vault"],
    },
    Fact {
        name: "Last verified",
        values: &["within that time", "before", "in the future"],
    },
    Fact {
        name: "Access token",
        values: &["none", "held"],
    },
    Fact {
        name: "Refresh token",
        values: &["none", "held"],
    },
];

const D3_CHECKED: &[Fact] = &[
    Fact {
        name: "The upstream says",
        values: VERDICTS,
    },
    Fact {
        name: "Refresh token",
        values: &["none", "held"],
    },
    Fact {
        name: "Last verified",
        values: TRUSTED,
    },
];

const D3_REFRESHED: &[Fact] = &[
    Fact {
        name: "The upstream says",
        values: VERDICTS,
    },
    Fact {
        name: "Last verified",
        values: TRUSTED,
    },
];

const VERDICTS: &[&str] = &["good", "expired", "gone", "nothing"];
const TRUSTED: &[&str] = &["within the time of trust", "before", "in the future"];
const SPAN: Lifetime = Lifetime::minutes(60);

fn vault(verified: usize, access: usize, refresh: usize) -> VaultFacts {
    VaultFacts {
        access: access == 1,
        refresh: refresh == 1,
        verified_at: [NOW, NOW.minus(SPAN), NOW.plus(SPAN)][verified],
    }
}

fn verdict(value: usize) -> UpstreamVerdict {
    [
        UpstreamVerdict::Good,
        UpstreamVerdict::Expired,
        UpstreamVerdict::Gone,
        UpstreamVerdict::Unreachable,
    ][value]
}

fn d3_first(chosen: &[usize]) -> Option<String> {
    let &[policy, identity, verified, access, refresh] = chosen else {
        return None;
    };
    let policy = [
        VerifyUpstream::Never,
        VerifyUpstream::OnRelogin,
        VerifyUpstream::Every(SPAN),
    ][policy];
    let vault = (identity == 1).then(|| vault(verified, access, refresh));
    Some(say_relogin(relogin(policy, vault, NOW)))
}

fn d3_checked(chosen: &[usize]) -> Option<String> {
    let &[said, refresh, verified] = chosen else {
        return None;
    };
    let vault = vault(verified, 1, refresh);
    let decision = relogin_checked(verdict(said), &vault, SPAN, NOW);
    Some(say_relogin(decision))
}

fn d3_refreshed(chosen: &[usize]) -> Option<String> {
    let &[said, verified] = chosen else {
        return None;
    };
    let decision = relogin_refreshed(verdict(said), &vault(verified, 0, 1), SPAN, NOW);
    Some(say_relogin(decision))
}

fn say_relogin(decision: Relogin) -> String {
    match decision {
        Relogin::Admit => "0",
        Relogin::AdmitUnverified => "0 `upstream_unverified`",
        Relogin::Check => "the upstream is asked about the access token",
        Relogin::Refresh => "the access token is renewed",
        Relogin::Reauthorize { erase: false } => "2008",
        Relogin::Reauthorize { erase: true } => "2008; tokens and profile are erased",
        Relogin::Busy => "2004",
    }
    .to_owned()
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("\n## D1: an upstream vouches for somebody\n");
    page.push_str("\nThe key is the openid at one of our apps; nothing is ever merged here.\n");
    print(&mut page, D1, &d1);
    page.push_str("\n## D2: a number is proved for an upstream login\n");
    page.push_str(
        "\nA `bind_ticket` may be tied to an account that has no number. An account is what the \
         number leads to; its login is the one at the same provider.\n",
    );
    print(&mut page, D2, &d2);
    page.push_str("\n## D3: a device logs in again\n\nBefore the upstream is asked:\n");
    print(&mut page, D3_FIRST, &d3_first);
    page.push_str("\nAfter it was asked about the access token:\n");
    print(&mut page, D3_CHECKED, &d3_checked);
    page.push_str("\nAfter the refresh token was presented:\n");
    print(&mut page, D3_REFRESHED, &d3_refreshed);
    page
}

#[test]
fn the_decision_tables_are_fresh() {
    let page = page();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/login-decisions.md");
    if std::env::var_os("YUFU_BLESS").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == page,
        "docs/login-decisions.md is stale: print it anew with YUFU_BLESS=1"
    );
}
