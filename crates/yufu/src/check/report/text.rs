//! For people: a table by groups, then what failed, then what was noticed.

use std::fmt::Write as _;

use super::About;
use crate::check::rows;
use crate::check::run::HINDERED;
use crate::check::verdict::{Outcome, Tally, Verdict, seconds};

/// How wide the terminal is taken to be.
const WIDTH: usize = 100;

/// The whole report. `all` also lists what passed and was skipped.
pub fn write(about: &About<'_>, verdicts: &[Verdict], all: bool) -> String {
    let mut text = String::new();
    for (group, about_it) in rows::groups() {
        let some: Vec<&Verdict> = verdicts
            .iter()
            .filter(|it| it.id.starts_with(group))
            .collect();
        if some.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{group}  {about_it}");
        for verdict in some {
            if verdict.outcome == Outcome::Skipped && !all {
                continue;
            }
            let words = match verdict.outcome {
                Outcome::Pass => verdict.holds,
                _ => verdict.seen.as_str(),
            };
            let mark = if verdict.notes.is_empty() { ' ' } else { '*' };
            let line = format!("  {:7} {}{mark}", verdict.outcome.word(), verdict.id);
            let room = match all {
                true => usize::MAX,
                false => WIDTH - line.len() - 1,
            };
            let _ = writeln!(text, "{line} {}", short(words, room));
        }
        if !all {
            skipped(&mut text, group, verdicts);
        }
    }
    for verdict in verdicts {
        if verdict.outcome == Outcome::Fail {
            failure(&mut text, about, verdict);
        }
    }
    errors(&mut text, verdicts);
    let noted = verdicts.iter().filter(|it| !it.notes.is_empty());
    let mut heading = "\n* noticed besides\n";
    for verdict in noted {
        for note in &verdict.notes {
            let _ = write!(text, "{heading}");
            let _ = writeln!(text, "  {}  {}", verdict.id, folded(note, 10));
            heading = "";
        }
    }
    let _ = writeln!(text, "\n{}", last(about, verdicts));
    text
}

/// The rows of a group that were skipped, a line for each reason.
fn skipped(text: &mut String, group: &str, verdicts: &[Verdict]) {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for verdict in verdicts {
        if verdict.outcome != Outcome::Skipped || !verdict.id.starts_with(group) {
            continue;
        }
        let number = &verdict.id[group.len() + 1..];
        let reason = verdict.seen.as_str();
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, numbers)) => numbers.push(number),
            None => reasons.push((reason, vec![number])),
        }
    }
    for (reason, numbers) in reasons {
        let line = format!("  skipped {group}-{}: {reason}", numbers.join(" "));
        let _ = writeln!(text, "{}", folded_from(&line, 10));
    }
}

/// What could not be judged, each reason once and in full.
fn errors(text: &mut String, verdicts: &[Verdict]) {
    let mut told: Vec<&str> = Vec::new();
    for verdict in verdicts {
        let is_error = verdict.outcome == Outcome::Error;
        let known = told.contains(&verdict.seen.as_str());
        if is_error && !known && !verdict.seen.starts_with(HINDERED) {
            let lines = verdict.seen.replace('\n', "\n        ");
            let _ = writeln!(text, "\n{}  could not be judged\n  {lines}", verdict.id);
            told.push(&verdict.seen);
        }
    }
}

fn failure(text: &mut String, about: &About<'_>, verdict: &Verdict) {
    let does = rows::all().into_iter().find(|row| row.id == verdict.id);
    let does = does.map_or("", |row| row.does);
    let _ = writeln!(text, "\n{}  {}", verdict.id, folded(does, 8));
    for (name, words) in [
        ("must", verdict.holds),
        ("seen", verdict.seen.as_str()),
        ("why", verdict.why),
        ("fix", verdict.fix),
    ] {
        let _ = writeln!(text, "  {name:5} {}", folded(words, 8));
    }
    if let Some(flow) = verdict.flows.first() {
        let _ = writeln!(text, "  flow  {}/flows?flow={flow}", about.sandbox);
    }
}

/// The last line: what it comes to, and what to type next.
fn last(about: &About<'_>, verdicts: &[Verdict]) -> String {
    let tally = Tally::of(verdicts);
    let Tally {
        pass,
        fail,
        skipped,
        error,
    } = tally;
    let took = std::time::Duration::from_millis(u64::try_from(about.took).unwrap_or(0));
    let mut line = format!("{} rows judged: {pass} pass, {fail} fail", pass + fail);
    if skipped > 0 {
        let _ = write!(line, "; {skipped} skipped");
    }
    if error > 0 {
        let _ = write!(line, "; {error} could not be judged");
    }
    let _ = write!(line, " ({})", seconds(took));
    let failed: Vec<&str> = verdicts
        .iter()
        .filter(|it| it.outcome == Outcome::Fail)
        .map(|it| it.id)
        .collect();
    if !failed.is_empty() && failed.len() < verdicts.len() {
        let _ = write!(
            line,
            "\nThese alone again: yufu check --only {}",
            failed.join(",")
        );
    }
    line
}

/// The beginning of a text, on one line.
fn short(text: &str, most: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= most && line.len() == text.len() {
        return line.to_owned();
    }
    let cut: String = line.chars().take(most.saturating_sub(1)).collect();
    let end = cut.rfind(' ').filter(|end| *end > most / 2);
    format!("{}…", cut.get(..end.unwrap_or(cut.len())).unwrap_or(&cut))
}

/// As [`folded`], for a line that has its own beginning.
fn folded_from(line: &str, indent: usize) -> String {
    let blanks = line.len() - line.trim_start().len();
    " ".repeat(blanks) + &folded(line, indent)
}

/// A text over several lines, each but the first begun with blanks.
fn folded(text: &str, indent: usize) -> String {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + word.chars().count() + 1 > WIDTH - indent {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines.join(&format!("\n{}", " ".repeat(indent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_at_a_word_and_folded() {
        assert_eq!(short("a few words", 20), "a few words");
        assert_eq!(short("one two three four", 12), "one two…");
        assert_eq!(short("one\ntwo", 20), "one…");
        let text = "word ".repeat(40);
        let folded = folded(&text, 8);
        assert!(folded.lines().count() > 1);
        assert!(
            folded
                .lines()
                .skip(1)
                .all(|line| line.starts_with("        word"))
        );
        assert!(folded.lines().all(|line| line.len() <= WIDTH));
    }

    #[test]
    fn the_report_says_what_failed_and_what_to_type_next() {
        let about = About {
            backend: "http://127.0.0.1:3000",
            sandbox: "http://127.0.0.1:8420",
            recipe: "yufu-check.toml",
            took: 2500,
        };
        let mut verdicts: Vec<Verdict> = rows::all()
            .into_iter()
            .take(3)
            .map(|row| Verdict {
                id: row.id,
                holds: row.holds,
                outcome: Outcome::Pass,
                seen: String::new(),
                why: row.why,
                fix: row.fix,
                notes: Vec::new(),
                flows: Vec::new(),
                took: 1,
            })
            .collect();
        verdicts[1].outcome = Outcome::Fail;
        verdicts[1].seen = "it logged somebody in".to_owned();
        verdicts[1].flows = vec!["f17".to_owned()];
        verdicts[2].notes = vec!["something".to_owned()];
        let text = write(&about, &verdicts, false);
        for part in [
            "  pass    ACT-01  They are logged in",
            "  FAIL    ACT-02  it logged somebody in",
            "  pass    ACT-03* ",
            "  flow  http://127.0.0.1:8420/flows?flow=f17",
            "* noticed besides\n  ACT-03  something",
            "3 rows judged: 2 pass, 1 fail (2.5 s)",
            "These alone again: yufu check --only ACT-02",
        ] {
            assert!(text.contains(part), "{part}\nis not in\n{text}");
        }
    }
}
