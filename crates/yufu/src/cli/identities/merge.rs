//! `yufu identities merge`, `merges` and `undo`: one account of two, for a while not for good.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use yufu_core::engine::Engine;
use yufu_core::id::{MergeId, UserId};
use yufu_core::login::body::Merge as MergeBody;
use yufu_core::login::{LoginRefusal, LoginStop};
use yufu_core::store::{Store as _, UserKey};
use yufu_core::ticket::Kind as TicketKind;
use yufu_core::time::Timestamp;
use yufu_core::user::{User, UserStatus};
use yufu_store::SqliteStore;
use yufu_web::clock;

use super::Form;
use super::doctor::{Patient, examine};
use super::examine::Rules;
use super::house::House;
use super::plan::{self, Hindrance, Member, UNJUDGED};
use super::shape::{Shape, Unsure};
use super::{grouped, open};
use crate::home::Home;

/// Making one account of two.
#[derive(Args)]
pub(crate) struct Merge {
    /// The account that is emptied.
    #[arg(long, value_name = "USER", requires = "to")]
    from: Option<String>,
    /// The account that stays.
    #[arg(long, value_name = "USER", requires = "from")]
    to: Option<String>,
    /// Pairs, as `doctor --list duplicates` and `import --pairs` write them.
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    plan: Option<PathBuf>,
    /// Everybody whom the doctor finds to have two accounts.
    #[arg(long, conflicts_with_all = ["from", "plan"])]
    all_duplicates: bool,
    /// Merge accounts with two numbers too: the emptied one keeps its number and stays open.
    #[arg(long)]
    force_phones: bool,
    /// Do it; without this, only say what would be done.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    house: House,
}

/// Two accounts that are to become one.
struct Pair {
    from: UserId,
    to: UserId,
    why: String,
    /// Whether the rules decide which of them stays.
    is_open: bool,
}

/// What became of a pair.
enum Done {
    /// It would be merged.
    Would { from: UserId, to: UserId },
    /// It was.
    Merged {
        from: UserId,
        to: UserId,
        id: MergeId,
    },
    /// It was left alone.
    Left {
        from: UserId,
        to: UserId,
        why: String,
    },
}

/// `yufu identities merge`
pub(super) async fn run(merge: Merge) -> Result<(), String> {
    let home = merge.house.home().await?;
    let pairs = pairs(&merge, &home).await?;
    let now = clock::real();
    let mut done = Vec::new();
    for pair in pairs {
        done.push(one(&merge, &home, &pair, now).await?);
    }
    let until = now.plus(home.engine.login().merge_undo);
    home.store.close();
    if merge.house.json {
        say!(
            "{}",
            json!({"yes": merge.yes, "pairs": done.iter().map(|(pair, done)| value(pair, done, until)).collect::<Vec<_>>()})
        );
    } else {
        said(&merge, &done, until);
    }
    Ok(())
}

async fn pairs(merge: &Merge, home: &Home) -> Result<Vec<Pair>, String> {
    if let (Some(from), Some(to)) = (&merge.from, &merge.to) {
        let (from, to) = (user_id(from)?, user_id(to)?);
        return Ok(vec![Pair {
            from,
            to,
            why: "asked for".to_owned(),
            is_open: false,
        }]);
    }
    if let Some(path) = &merge.plan {
        return read_plan(path);
    }
    if !merge.all_duplicates {
        return Err(
            "which accounts? Give --from USER --to USER, --plan FILE or --all-duplicates"
                .to_owned(),
        );
    }
    let login = home.engine.login();
    let form = Form {
        from: Shape::Plain,
        account: Vec::new(),
        app: Vec::new(),
        keys: Unsure::Keep,
        source: None,
    };
    let rules = Rules {
        scopes: form.scopes(login)?,
        apps: login.apps.iter().map(|app| app.appid.clone()).collect(),
        recycle_after: login.recycle_after,
        now: clock::real(),
    };
    let findings = examine(&Patient::House(&home.store), rules, None).await?;
    let mut pairs = Vec::new();
    for component in &findings.components {
        let why: Vec<&str> = component.why.iter().copied().collect();
        for step in plan::steps(&component.members, merge.force_phones) {
            pairs.push(Pair {
                from: step.from.id,
                to: step.to.id,
                why: why.join("+"),
                is_open: false,
            });
        }
    }
    Ok(pairs)
}

fn user_id(text: &str) -> Result<UserId, String> {
    UserId::parse(text)
        .ok_or_else(|| format!("{text} is no user's id: they look like u0123456789abcdef"))
}

fn read_plan(path: &std::path::Path) -> Result<Vec<Pair>, String> {
    let (from, bar) = open(path)?;
    let mut table = csv::Reader::from_reader(from);
    let mut pairs = Vec::new();
    for row in table.records() {
        let row = row.map_err(|error| format!("{}: {error}", path.display()))?;
        let line = row.position().map_or(0, csv::Position::line);
        let field = |at: usize| row.get(at).unwrap_or_default().trim();
        let id = |at| {
            user_id(field(at)).map_err(|error| format!("{}, line {line}: {error}", path.display()))
        };
        pairs.push(Pair {
            from: id(0)?,
            to: id(1)?,
            why: field(2).to_owned(),
            is_open: field(3) == UNJUDGED,
        });
    }
    bar.finish_and_clear();
    Ok(pairs)
}

/// Judges a pair as the accounts are now, and merges it where that was asked for.
async fn one(
    merge: &Merge,
    home: &Home,
    pair: &Pair,
    now: Timestamp,
) -> Result<(Pair, Done), String> {
    let (mut from, mut to) = (pair.from, pair.to);
    let again = |from, to| Pair {
        from,
        to,
        why: pair.why.clone(),
        is_open: false,
    };
    let left = |from, to, why: &str| {
        (
            again(from, to),
            Done::Left {
                from,
                to,
                why: why.to_owned(),
            },
        )
    };
    let (a, b) = (load(&home.store, from).await?, load(&home.store, to).await?);
    let (Some(a), Some(b)) = (a, b) else {
        return Ok(left(from, to, "nobody has this id"));
    };
    if a.status == UserStatus::Merged(to) || b.status == UserStatus::Merged(from) {
        return Ok(left(from, to, "they are one account already"));
    }
    let (a, b) = (Member::of(&a), Member::of(&b));
    let hindrance = if pair.is_open {
        let steps = plan::steps(&[a, b], merge.force_phones);
        match steps.into_iter().next() {
            Some(step) => {
                (from, to) = (step.from.id, step.to.id);
                step.hindrance
            }
            None => return Ok(left(from, to, "they are one account already")),
        }
    } else {
        plan::hindrance(&a, &b, merge.force_phones)
    };
    if let Some(hindrance) = hindrance {
        return Ok(left(from, to, reason(hindrance)));
    }
    let pair = again(from, to);
    if !merge.yes {
        return Ok((pair, Done::Would { from, to }));
    }
    let done = match home.engine.merge_users(from, to, "operator", now).await {
        Ok(id) => Done::Merged { from, to, id },
        Err(LoginStop::Refused(refusal)) => Done::Left {
            from,
            to,
            why: words(&refusal),
        },
        Err(LoginStop::Failed(fault)) => return Err(format!("the store failed: {fault}")),
    };
    Ok((pair, done))
}

async fn load(store: &SqliteStore, id: UserId) -> Result<Option<std::sync::Arc<User>>, String> {
    store
        .user(UserKey::Id(id))
        .await
        .map_err(|fault| format!("the store failed: {fault}"))
}

const fn reason(hindrance: Hindrance) -> &'static str {
    match hindrance {
        Hindrance::Disabled => "one of them is disabled; release it first",
        Hindrance::Ending => "one of them is being deleted, or gone",
        Hindrance::TwoPhones => {
            "they have two numbers, maybe of two people; --force-phones merges them"
        }
        Hindrance::TwoOpenids => "they have two openids at one app: two people in WeChat",
        Hindrance::TwoUnionids => "they have two unionids in one account: two people in WeChat",
    }
}

/// A refusal of the engine in the operator's words.
fn words(refusal: &LoginRefusal) -> String {
    match refusal {
        LoginRefusal::BadRequest { field: "from" } => "there is nothing to move".to_owned(),
        LoginRefusal::BadRequest { .. } => {
            "the account that should stay is known by nothing".to_owned()
        }
        LoginRefusal::PhoneTaken { .. } => {
            "they are two people in WeChat, or the place is taken".to_owned()
        }
        LoginRefusal::WechatTaken => {
            "what moved has another owner since, or its place is taken".to_owned()
        }
        LoginRefusal::LastIdentity => "nothing would be left to the other account".to_owned(),
        LoginRefusal::TicketInvalid => {
            "there is no such merge, or it can no longer be undone. See: yufu identities merges"
                .to_owned()
        }
        LoginRefusal::Deleting { .. } => reason(Hindrance::Ending).to_owned(),
        LoginRefusal::Disabled => reason(Hindrance::Disabled).to_owned(),
        LoginRefusal::Conflict => {
            "others wrote the same accounts all the time; try again".to_owned()
        }
        other => other.name().to_owned(),
    }
}

fn value(pair: &Pair, done: &Done, until: Timestamp) -> Value {
    let why = &pair.why;
    match done {
        Done::Would { from, to } => {
            json!({"done": "would", "from": from.to_string(), "to": to.to_string(), "why": why})
        }
        Done::Merged { from, to, id } => json!({
            "done": "merged", "from": from.to_string(), "to": to.to_string(), "why": why,
            "merge": id.to_string(), "until": until.seconds(),
        }),
        Done::Left {
            from,
            to,
            why: reason,
        } => json!({
            "done": "left", "from": from.to_string(), "to": to.to_string(), "why": why,
            "because": reason,
        }),
    }
}

fn said(merge: &Merge, done: &[(Pair, Done)], until: Timestamp) {
    let (mut would, mut merged, mut left) = (0, 0, 0);
    for (pair, done) in done {
        match done {
            Done::Would { from, to } => {
                would += 1;
                say!("would merge  {from}  into  {to}  ({})", pair.why);
            }
            Done::Merged { from, to, id } => {
                merged += 1;
                say!("{id}  {from}  into  {to}  ({})", pair.why);
            }
            Done::Left { from, to, why } => {
                left += 1;
                say!("left alone   {from}  {to}: {why}");
            }
        }
    }
    let (place, left) = (merge.house.words(), grouped(left));
    if merge.yes {
        say!(
            "{} merged, {left} left alone; until {} they can be undone",
            grouped(merged),
            date(until)
        );
        if merged > 0 {
            say!("Next: yufu identities undo ID{place}, should one be wrong");
        }
    } else {
        say!(
            "{} would be merged, {left} left alone; nothing was done",
            grouped(would)
        );
        if would > 0 {
            say!("Next: the same with --yes");
        }
    }
}

// --- what can be undone --------------------------------------------------------------------------

/// Merges in one step of the walk.
const PAGE: usize = 500;

/// `yufu identities merges`
pub(super) async fn list(house: &House) -> Result<(), String> {
    let home = house.home().await?;
    let open = open_merges(&home.engine, clock::real()).await;
    home.store.close();
    let open = open?;
    if house.json {
        let rows = open.iter().map(|(id, to, body, ends)| {
            json!({
                "merge": id.to_string(), "from": body.from.to_string(), "to": to.to_string(),
                "by": body.by, "at": body.at.seconds(), "until": ends.seconds(),
                "identities": body.identities.len(), "phone": body.phone.is_some(),
            })
        });
        say!("{}", Value::from(rows.collect::<Vec<_>>()));
        return Ok(());
    }
    for (id, to, body, ends) in &open {
        let from = body.from;
        say!(
            "{id}  {from}  into  {to}  by {}, until {}",
            body.by,
            date(*ends)
        );
    }
    if open.is_empty() {
        say!("no merge can be undone");
    } else {
        say!("Next: yufu identities undo ID{}", house.words());
    }
    Ok(())
}

type Open = (MergeId, UserId, MergeBody, Timestamp);

async fn open_merges(engine: &Engine, now: Timestamp) -> Result<Vec<Open>, String> {
    let mut open = Vec::new();
    let mut after = None;
    loop {
        let page = engine
            .browse()
            .tickets(TicketKind::Merge, after, PAGE)
            .await;
        let page = page.map_err(|fault| format!("the store failed: {fault}"))?;
        after = page.last().map(|raw| raw.ticket.number);
        for raw in &page {
            let row = raw.open::<MergeBody>().map_err(|fault| fault.to_string())?;
            if let Some(to) = row.user.filter(|_| row.is_alive(now)) {
                open.push((MergeId(row.number), to, row.body, row.expires_at));
            }
        }
        if page.len() < PAGE {
            return Ok(open);
        }
    }
}

/// `yufu identities undo`
pub(super) async fn undo(id: &str, house: &House) -> Result<(), String> {
    let merge = MergeId::parse(id)
        .ok_or_else(|| format!("{id} is no merge's id. See: yufu identities merges"))?;
    let home = house.home().await?;
    let done = home.engine.undo_merge(merge, clock::real()).await;
    home.store.close();
    match done {
        Ok(()) if house.json => say!("{}", json!({"undone": id})),
        Ok(()) => say!("{id} is undone; the sessions of both accounts ended"),
        Err(LoginStop::Refused(refusal)) => return Err(words(&refusal)),
        Err(LoginStop::Failed(fault)) => return Err(format!("the store failed: {fault}")),
    }
    Ok(())
}

/// A day, in UTC.
fn date(at: Timestamp) -> String {
    let days = at.seconds().div_euclid(86_400) + 719_468;
    // The years of the Gregorian calendar repeat after 400; a year begins in March here.
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * of_era + of_era / 4 - of_era / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + of_era + i64::from(month < 3);
    format!("{year}-{month:02}-{day:02}")
}
