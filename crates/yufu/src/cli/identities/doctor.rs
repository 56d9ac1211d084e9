//! `yufu identities doctor`: the walks over a house or an export, and what is said of them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use yufu_core::id::UserId;
use yufu_core::store::Browse as _;
use yufu_core::user::User;
use yufu_store::SqliteStore;
use yufu_web::clock;

use super::entry::{self, Scopes, account_of};
use super::examine::{Findings, First, Kind, Rules};
use super::house::House;
use super::{Form, grouped, open, plan};

/// Accounts or handles in one step of a walk.
const PAGE: usize = 2000;

/// Looking at accounts.
#[derive(Args)]
pub(crate) struct Doctor {
    /// Look at this export instead, without importing it.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    form: Form,
    /// Print the ids of this kind as CSV; `duplicates` prints a plan for merging.
    #[arg(long, value_enum, value_name = "KIND")]
    list: Option<Kind>,
    /// In that plan, let accounts with two numbers be merged too.
    #[arg(long)]
    force_phones: bool,
    #[command(flatten)]
    house: House,
}

/// What is looked at.
pub(super) enum Patient<'a> {
    House(&'a SqliteStore),
    Export(&'a Path, &'a Form, &'a Scopes),
}

/// `yufu identities doctor`
pub(super) async fn run(doctor: Doctor) -> Result<(), String> {
    let began = clock::mark();
    let findings = match &doctor.file {
        Some(file) if file.as_os_str() == "-" => {
            return Err("an export is read twice: give --file a file".to_owned());
        }
        Some(file) => {
            let login = doctor.house.settings()?;
            let scopes = doctor.form.scopes(&login)?;
            let apps = login.apps.iter().map(|app| app.appid.clone()).collect();
            let rules = Rules {
                scopes: scopes.clone(),
                apps,
                recycle_after: login.recycle_after,
                now: clock::real(),
            };
            let patient = Patient::Export(file, &doctor.form, &scopes);
            examine(&patient, rules, doctor.list).await?
        }
        None => {
            let (store, login) = doctor.house.store()?;
            let rules = Rules {
                scopes: doctor.form.scopes(&login)?,
                apps: login.apps.iter().map(|app| app.appid.clone()).collect(),
                recycle_after: login.recycle_after,
                now: clock::real(),
            };
            let findings = examine(&Patient::House(&store), rules, doctor.list).await;
            store.close();
            findings?
        }
    };
    let is_export = doctor.file.is_some();
    match doctor.list {
        Some(Kind::Duplicates) => plan_rows(&findings, doctor.force_phones, doctor.house.json)?,
        Some(_) => {}
        None if doctor.house.json => say!("{}", value(&findings, is_export)),
        None => {
            let took = began.elapsed().as_secs_f64();
            say!("{}", report(&doctor, &findings, took).trim_end());
        }
    }
    Ok(())
}

/// Walks over the patient as often as it takes.
pub(super) async fn examine(
    patient: &Patient<'_>,
    rules: Rules,
    list: Option<Kind>,
) -> Result<Findings, String> {
    let mut first = First::new(rules);
    let mut ids = Vec::new();
    let is_export = matches!(patient, Patient::Export(..));
    walk(patient, |user, _| {
        if is_export {
            ids.push(user.id);
        }
        first.see(user);
    })
    .await?;
    let mut seen = first.end();
    if let Patient::House(store) = patient {
        handles(store, |kind, value, owner| seen.handle(kind, value, owner))?;
    }
    let mut second = seen.end(!is_export);
    let listed = list.filter(|kind| *kind != Kind::Duplicates);
    if second.is_needed() || listed.is_some() {
        let mut lines = listed.map(|_| csv::Writer::from_writer(std::io::stdout()));
        if let Some(lines) = &mut lines {
            let _ = lines.write_record(["user", "what"]);
        }
        walk(patient, |user, name| {
            second.see(user, name);
            if let (Some(kind), Some(lines)) = (listed, &mut lines)
                && second.kinds(user).contains(&kind)
            {
                let id = name.map_or_else(|| user.id.to_string(), str::to_owned);
                // A reader that went away is no reason to stop looking.
                let _ = lines.write_record([id.as_str(), word(kind)]);
            }
        })
        .await?;
        if let Some(lines) = &mut lines {
            let _ = lines.flush();
        }
    }
    let mut findings = second.end();
    if is_export {
        ids.sort_unstable();
        ids.dedup();
        findings.people = ids.len() as u64;
        // An export tells nothing of what happens here.
        findings.counts.retain(|kind, _| of_exports(*kind));
    }
    Ok(findings)
}

/// What an export can show.
const fn of_exports(kind: Kind) -> bool {
    matches!(kind, Kind::Duplicates | Kind::AtRisk | Kind::Unkeyed)
}

const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Duplicates => "duplicates",
        Kind::AtRisk => "at-risk",
        Kind::Unkeyed => "unkeyed",
        Kind::Orphans => "orphans",
        Kind::ShutOut => "shut-out",
        Kind::Silent => "silent",
        Kind::Revoked => "revoked",
    }
}

async fn walk(
    patient: &Patient<'_>,
    mut see: impl FnMut(&User, Option<&str>),
) -> Result<(), String> {
    match patient {
        Patient::House(store) => {
            let bar = spinner("accounts");
            let mut after = None;
            loop {
                let page = store
                    .users_after(after, PAGE)
                    .await
                    .map_err(|f| f.to_string())?;
                for user in &page {
                    see(user, None);
                }
                bar.inc(page.len() as u64);
                match page.last() {
                    Some(last) if page.len() == PAGE => after = Some(last.id),
                    _ => break,
                }
            }
            bar.finish_and_clear();
            Ok(())
        }
        Patient::Export(file, form, scopes) => {
            let (from, bar) = open(file)?;
            let now = clock::real();
            let mut export = form.export(from)?;
            while let Some((_, rows)) = export.next() {
                // What is wrong with rows is for the import to say.
                for row in rows.unwrap_or_default() {
                    if let Some(entry) = entry::judge(row, scopes, now, &mut |_| {}) {
                        let id = account_of(form.source(), &entry.user);
                        let mut user = User::new(id, entry.created_at.unwrap_or(now));
                        user.phone = entry.phone;
                        user.identities.extend(entry.identity);
                        see(&user, Some(&entry.user));
                    }
                }
            }
            bar.finish_and_clear();
            Ok(())
        }
    }
}

fn handles(store: &SqliteStore, mut see: impl FnMut(&str, &str, UserId)) -> Result<(), String> {
    let bar = spinner("keys");
    let mut after = (String::new(), String::new());
    loop {
        let page = store.handles_after((&after.0, &after.1), PAGE);
        let page = page.map_err(|fault| fault.to_string())?;
        for (kind, value, owner) in &page {
            see(kind, value, *owner);
        }
        bar.inc(page.len() as u64);
        let length = page.len();
        match page.into_iter().next_back() {
            Some((kind, value, _)) if length == PAGE => after = (kind, value),
            _ => break,
        }
    }
    bar.finish_and_clear();
    Ok(())
}

fn spinner(what: &'static str) -> ProgressBar {
    use std::io::IsTerminal as _;
    let target = match std::io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(None, target);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {human_pos} {msg}") {
        bar.set_style(style);
    }
    bar.with_message(what)
}

// --- what is said --------------------------------------------------------------------------------

/// A finding in words: how many of what, and what to do.
fn line(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Duplicates => ("people have two accounts or more", "merge --all-duplicates"),
        Kind::AtRisk => (
            "logins without a unionid, beside other apps of the account: the next app makes a second account",
            "doctor --list at-risk",
        ),
        Kind::Unkeyed => (
            "keys of no app, openid or unionid: a login may not find them",
            "doctor --list unkeyed",
        ),
        Kind::Orphans => (
            "accounts whose keys lead elsewhere, or to which keys lead in vain",
            "doctor --list orphans",
        ),
        Kind::ShutOut => ("accounts that nobody can enter", "doctor --list shut-out"),
        Kind::Silent => (
            "accounts silent so long that the number may have a new owner",
            "doctor --list silent",
        ),
        Kind::Revoked => (
            "logins that were withdrawn in WeChat",
            "doctor --list revoked",
        ),
    }
}

const KINDS: [Kind; 7] = [
    Kind::Duplicates,
    Kind::AtRisk,
    Kind::Unkeyed,
    Kind::Orphans,
    Kind::ShutOut,
    Kind::Silent,
    Kind::Revoked,
];

fn report(doctor: &Doctor, findings: &Findings, took: f64) -> String {
    let mut text = format!(
        "{} accounts with {} WeChat logins, looked at in {took:.1} s\n\n",
        grouped(findings.people),
        grouped(findings.identities)
    );
    let is_export = doctor.file.is_some();
    let place = match &doctor.file {
        Some(file) => format!(" --file {}{}", file.display(), doctor.form.words()),
        None => doctor.house.words(),
    };
    let shown: Vec<Kind> = KINDS
        .into_iter()
        .filter(|kind| !is_export || of_exports(*kind))
        .collect();
    let bad: Vec<Kind> = shown
        .iter()
        .copied()
        .filter(|kind| findings.count(*kind) > 0)
        .collect();
    let counts = shown
        .iter()
        .map(|kind| grouped(findings.count(*kind)).len());
    let width = counts.max().unwrap_or_default();
    for kind in &shown {
        let (what, next) = line(*kind);
        let count = findings.count(*kind);
        let _ = writeln!(text, "{:>width$}  {what}", grouped(count));
        if count == 0 {
            continue;
        }
        if *kind == Kind::Duplicates {
            let by = findings
                .by
                .iter()
                .map(|(why, n)| format!("{} by {why}", grouped(*n)));
            let _ = writeln!(
                text,
                "{:>width$}  ({})",
                "",
                by.collect::<Vec<_>>().join(", ")
            );
        }
        let next = match (kind, is_export) {
            (Kind::Duplicates, true) => "doctor --list duplicates",
            _ => next,
        };
        let _ = writeln!(text, "{:>width$}  Next: yufu identities {next}{place}", "");
    }
    if bad.contains(&Kind::AtRisk) {
        text.push_str("\nUnionids by app:\n");
        for app in findings.apps.iter().filter(|app| app.untold > 0) {
            let scope = app.scope.as_deref().unwrap_or("no account");
            let _ = writeln!(
                text,
                "  {}  {scope}  {} told, {} not",
                app.appid,
                grouped(app.told),
                grouped(app.untold)
            );
        }
    }
    if bad.is_empty() {
        text.push_str("\nEverybody has one account, and every key leads to it.\n");
    }
    text
}

fn value(findings: &Findings, is_export: bool) -> Value {
    let mut counts = serde_json::Map::new();
    for kind in KINDS
        .into_iter()
        .filter(|kind| !is_export || of_exports(*kind))
    {
        counts.insert(word(kind).replace('-', "_"), json!(findings.count(kind)));
    }
    let apps = findings.apps.iter().map(|app| {
        json!({"appid": app.appid, "account": app.scope, "told": app.told, "untold": app.untold})
    });
    json!({
        "people": findings.people,
        "identities": findings.identities,
        "findings": counts,
        "duplicates_by": findings.by,
        "apps": apps.collect::<Vec<_>>(),
    })
}

/// The plan for merging, as a table that `merge --plan` reads.
fn plan_rows(findings: &Findings, force_phones: bool, as_json: bool) -> Result<(), String> {
    let mut table = csv::Writer::from_writer(std::io::stdout());
    if !as_json {
        let _ = table.write_record(plan::COLUMNS);
    }
    for component in &findings.components {
        let why: Vec<&str> = component.why.iter().copied().collect();
        let why = why.join("+");
        for step in plan::steps(&component.members, force_phones) {
            let (from, to) = (step.from.shown(), step.to.shown());
            let hindrance = step.hindrance.map_or("", plan::Hindrance::word);
            if as_json {
                say!(
                    "{}",
                    json!({"from": from, "to": to, "why": why, "hindrance": hindrance})
                );
            } else if table.write_record([&from, &to, &why, hindrance]).is_err() {
                // The reader went away.
                return Ok(());
            }
        }
    }
    table.flush().or(Ok(()))
}
