//! A flow as text: a sequence diagram that reads well in an issue, what was found, and what was
//! said on the wire.

use std::fmt::Write as _;

use super::arrow::{Arrow, Flow, Kind};
use crate::sandbox::seen::Lane;

/// Columns between two lanes.
const WIDE: usize = 11;
/// Columns before the first lane.
const MARGIN: usize = 18;
/// The most characters of an answer that are shown.
const ANSWER: usize = 600;

const LANES: [(Lane, &str); 5] = [
    (Lane::User, "user"),
    (Lane::App, "app"),
    (Lane::Browser, "browser"),
    (Lane::Backend, "backend"),
    (Lane::Platform, "platform"),
];

/// Writes a flow.
pub(super) fn write(flow: &Flow) -> String {
    let mut out = String::new();
    // A string takes everything that is written to it.
    let _ = head(flow, &mut out)
        .and_then(|()| lanes(flow, &mut out))
        .and_then(|()| findings(flow, &mut out))
        .and_then(|()| wire(flow, &mut out));
    out
}

type Written = std::fmt::Result;

fn head(flow: &Flow, out: &mut String) -> Written {
    let door = match flow.door {
        super::arrow::Door::Scan => "scan",
        super::arrow::Door::InClient => "in-client page",
        super::arrow::Door::Native => "native",
        super::arrow::Door::Mini => "mini program",
        super::arrow::Door::Refresh => "refresh",
        super::arrow::Door::Other => "other",
    };
    writeln!(out, "{} · {} · {}", flow.id(), flow.state.word(), flow.step)?;
    let client = match (&flow.client, &flow.appid) {
        (Some(name), Some(appid)) => format!("{name} ({appid})"),
        (_, Some(appid)) => appid.to_string(),
        _ => "no app named".to_owned(),
    };
    let person = flow.person.as_deref().unwrap_or("nobody named");
    writeln!(out, "{door} · {client} · {person}")?;
    let took = flow.changed.saturating_sub(flow.at);
    writeln!(out, "{} · {}\n", moment(flow.at), span(took))
}

/// Milliseconds as people say them.
fn span(millis: i64) -> String {
    match millis {
        ..1000 => format!("{millis} ms"),
        _ => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
    }
}

/// A moment in UTC.
fn moment(millis: i64) -> String {
    let seconds = millis.div_euclid(1000);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// The date of a day, counted from 1970 (the Gregorian calendar, from March on).
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day = days.rem_euclid(146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, month % 12 + 3);
    let (month, next) = if month > 12 {
        (month - 12, 1)
    } else {
        (month, 0)
    };
    (era * 400 + year + next, month, day)
}

/// The lanes that somebody stands in, and each arrow in its row.
fn lanes(flow: &Flow, out: &mut String) -> Written {
    let stands = |lane: &Lane| flow.arrows.iter().any(|a| a.from == *lane || a.to == *lane);
    let lanes: Vec<(Lane, &str)> = LANES.into_iter().filter(|(lane, _)| stands(lane)).collect();
    out.push_str(&" ".repeat(MARGIN));
    let mut row = String::new();
    for (_, name) in &lanes {
        write!(row, "{name:<WIDE$}")?;
    }
    writeln!(out, "{}", row.trim_end())?;
    for (at, arrow) in flow.arrows.iter().enumerate() {
        let since = arrow.at.saturating_sub(flow.at);
        let time = format!("+{}.{:03}", since / 1000, since % 1000);
        let margin = format!("{:>3} {time:>11}", at + 1);
        writeln!(
            out,
            "{margin:<MARGIN$}{}  {}",
            row_of(arrow, &lanes),
            words(flow, arrow)
        )?;
    }
    Ok(())
}

/// One row of the diagram.
fn row_of(arrow: &Arrow, lanes: &[(Lane, &str)]) -> String {
    let place = |lane: Lane| lanes.iter().position(|(known, _)| *known == lane);
    let (from, to) = (place(arrow.from).unwrap_or(0), place(arrow.to).unwrap_or(0));
    let (left, right) = (from.min(to), from.max(to));
    let dash = if arrow.kind == Kind::Presumed {
        '╌'
    } else {
        '─'
    };
    let mut row = String::new();
    for lane in 0..lanes.len() {
        let is_inside = lane > left && lane < right;
        row.push(match lane {
            lane if from == to && lane == from => '●',
            lane if lane == from && lane == left => '├',
            lane if lane == from => '┤',
            lane if lane == to && !arrow.ok => '✗',
            lane if lane == to && from < to => '▶',
            lane if lane == to => '◀',
            _ if is_inside => '┼',
            _ => '│',
        });
        if lane + 1 < lanes.len() {
            let fill = if lane >= left && lane < right {
                dash
            } else {
                ' '
            };
            row.extend(std::iter::repeat_n(fill, WIDE - 1));
        }
    }
    row
}

/// What stands beside an arrow.
fn words(flow: &Flow, arrow: &Arrow) -> String {
    let mut words = arrow.label.to_string();
    if let Some(result) = arrow.outcome.word() {
        words.push_str(" → ");
        words.push_str(&result);
    }
    if arrow.count > 1 {
        words.push_str(&format!(" ×{}", arrow.count));
    }
    if let Some(note) = arrow.note.filter(|note| *note != &*arrow.label) {
        words.push_str(&format!(" ({note})"));
    }
    for fault in &arrow.faults {
        words.push_str(&format!(" [fault: {fault}]"));
    }
    let findings = flow.findings.iter().enumerate();
    for (at, _) in findings.filter(|(_, found)| found.arrow == Some(arrow.serial)) {
        words.push_str(&format!(" !{}", at + 1));
    }
    words
}

fn findings(flow: &Flow, out: &mut String) -> Written {
    for (at, found) in flow.findings.iter().enumerate() {
        let entry = found.code.entry();
        let said = found.said.as_deref().map(|said| format!(" ({said})"));
        writeln!(
            out,
            "\n!{} {} {}: {}{}\n   {}\n   {}\n   See {}.",
            at + 1,
            entry.severity.word(),
            entry.word,
            entry.title,
            said.unwrap_or_default(),
            entry.why,
            entry.fix,
            entry.source
        )?;
    }
    Ok(())
}

/// What was said: addresses, and answers that are short.
fn wire(flow: &Flow, out: &mut String) -> Written {
    let told = flow.arrows.iter().enumerate();
    for (at, arrow) in told {
        let Some(request) = &arrow.request else {
            continue;
        };
        write!(out, "\n{:>3} {} {}", at + 1, request.method, request.url)?;
        let Some(answer) = &arrow.answer else {
            writeln!(out, "\n    no answer")?;
            continue;
        };
        let headers: Vec<_> = answer.message.headers().collect();
        let header = |name: &str| headers.iter().find(|(known, _)| *known == name);
        let kind = header("content-type").map_or("", |(_, kind)| kind);
        write!(out, "\n    {} {kind}", answer.status)?;
        if let Some((_, location)) = header("location") {
            write!(out, " → {location}")?;
        }
        writeln!(out)?;
        let body = answer.message.text();
        if !body.is_empty() && !kind.contains("html") {
            let short: String = body.chars().take(ANSWER).collect();
            let more = if short.len() < body.len() { "…" } else { "" };
            writeln!(out, "    {}{more}", short.replace('\n', "\n    "))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        for (days, expected) in [
            (0, (1970, 1, 1)),
            (58, (1970, 2, 28)),
            (59, (1970, 3, 1)),
            (789, (1972, 2, 29)),
            (11_016, (2000, 2, 29)),
            (20_453, (2025, 12, 31)),
            (20_660, (2026, 7, 26)),
        ] {
            assert_eq!(date(days), expected, "{days}");
        }
        assert_eq!(moment(1_785_100_000_000), "2026-07-26 21:06:40 UTC");
    }

    #[test]
    fn spans_are_told_as_people_do() {
        assert_eq!(span(7), "7 ms");
        assert_eq!(span(53_207), "53.2 s");
    }
}
