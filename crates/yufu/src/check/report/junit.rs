//! For CI: JUnit's XML, as the common servers read it.

use std::fmt::Write as _;

use super::About;
use crate::check::rows;
use crate::check::verdict::{Outcome, Tally, Verdict};

/// The document.
pub fn write(about: &About<'_>, verdicts: &[Verdict]) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let whole = Tally::of(verdicts);
    let _ = writeln!(
        xml,
        "<testsuites name=\"yufu check\" {} time=\"{}\">",
        counts(whole),
        seconds(about.took)
    );
    for (group, about_it) in rows::groups() {
        let of_group = |it: &&Verdict| it.id.starts_with(group);
        let some: Vec<&Verdict> = verdicts.iter().filter(of_group).collect();
        if some.is_empty() {
            continue;
        }
        let took = some.iter().map(|it| it.took).sum();
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{group} {about_it}\" {} time=\"{}\">",
            counts(Tally::of(some.iter().copied())),
            seconds(took)
        );
        for verdict in some {
            case(&mut xml, group, verdict);
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn counts(tally: Tally) -> String {
    let Tally {
        pass,
        fail,
        skipped,
        error,
    } = tally;
    let tests = pass + fail + skipped + error;
    format!("tests=\"{tests}\" failures=\"{fail}\" errors=\"{error}\" skipped=\"{skipped}\"")
}

fn case(xml: &mut String, group: &str, verdict: &Verdict) {
    let _ = write!(
        xml,
        "    <testcase classname=\"yufu.check.{group}\" name=\"{} {}\" time=\"{}\"",
        verdict.id,
        escaped(verdict.holds),
        seconds(verdict.took)
    );
    let seen = escaped(&verdict.seen);
    let inner = match verdict.outcome {
        Outcome::Pass => String::new(),
        Outcome::Skipped => format!("      <skipped message=\"{seen}\"/>\n"),
        Outcome::Error => format!("      <error message=\"{seen}\"/>\n"),
        Outcome::Fail => {
            let mut more = format!("why: {}\nfix: {}", verdict.why, verdict.fix);
            if !verdict.flows.is_empty() {
                let _ = write!(more, "\nflows: {}", verdict.flows.join(", "));
            }
            let more = escaped(&more);
            format!("      <failure message=\"{seen}\">{more}</failure>\n")
        }
    };
    let notes: Vec<String> = verdict.notes.iter().map(|note| escaped(note)).collect();
    let notes = match notes.is_empty() {
        true => String::new(),
        false => format!("      <system-out>{}</system-out>\n", notes.join("\n")),
    };
    if inner.is_empty() && notes.is_empty() {
        xml.push_str("/>\n");
    } else {
        let _ = write!(xml, ">\n{inner}{notes}    </testcase>\n");
    }
}

fn seconds(millis: u128) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

/// Text within XML. What XML cannot hold at all is replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            c if c.is_control() || c == '\u{fffe}' || c == '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(id: &'static str, outcome: Outcome, seen: &str) -> Verdict {
        Verdict {
            id,
            holds: "It holds & stays.",
            outcome,
            seen: seen.to_owned(),
            why: "Because.",
            fix: "Do it.",
            notes: Vec::new(),
            flows: vec!["f1".to_owned()],
            took: 1234,
        }
    }

    #[test]
    fn each_row_is_a_case_and_odd_letters_do_no_harm() {
        let about = About {
            backend: "b",
            sandbox: "s",
            recipe: "r",
            took: 5000,
        };
        let mut noted = verdict("ACT-01", Outcome::Pass, "");
        noted.notes = vec!["<b>".to_owned()];
        let verdicts = [
            noted,
            verdict("COD-01", Outcome::Fail, "\"<x>\" \u{1}\u{202e}"),
            verdict("COD-02", Outcome::Skipped, "no"),
            verdict("DEL-01", Outcome::Error, "down"),
        ];
        let xml = write(&about, &verdicts);
        let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="yufu check" tests="4" failures="1" errors="1" skipped="1" time="5.000">
  <testsuite name="ACT what the user does at the authenticator" tests="1" failures="0" errors="0" skipped="0" time="1.234">
    <testcase classname="yufu.check.ACT" name="ACT-01 It holds &amp; stays." time="1.234">
      <system-out>&lt;b&gt;</system-out>
    </testcase>
  </testsuite>
  <testsuite name="COD code and state" tests="2" failures="1" errors="0" skipped="1" time="2.468">
    <testcase classname="yufu.check.COD" name="COD-01 It holds &amp; stays." time="1.234">
      <failure message="&quot;&lt;x&gt;&quot; �"#;
        assert!(xml.starts_with(expected), "{xml}");
        assert!(xml.contains("why: Because.&#10;fix: Do it.&#10;flows: f1</failure>"));
        assert!(xml.contains("<skipped message=\"no\"/>"));
        assert!(xml.contains("<error message=\"down\"/>"));
        assert!(xml.ends_with("</testsuites>\n"));
        let plain = verdict("ACT-01", Outcome::Pass, "");
        assert!(write(&about, &[plain]).contains("time=\"1.234\"/>\n"));
    }
}
