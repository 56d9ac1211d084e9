//! Verdicts: what a row came to, with what was seen, why it matters and what to do.

use std::time::Duration;

use serde::Serialize;

/// What a row came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// It could not be judged with this recipe, or does not apply.
    Skipped,
    /// The check itself, or what it stands on, did not work.
    Error,
}

impl Outcome {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "FAIL",
            Self::Skipped => "skipped",
            Self::Error => "ERROR",
        }
    }
}

/// The verdict on a row.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The row.
    pub id: &'static str,
    /// What must hold.
    pub holds: &'static str,
    /// What it came to.
    pub outcome: Outcome,
    /// What was seen; why it was skipped; what did not work.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub seen: String,
    /// Why a failure matters.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub why: &'static str,
    /// What to do about it.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub fix: &'static str,
    /// What was noticed besides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The logins in which it was seen, as the sandbox's flows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flows: Vec<String>,
    /// How long it took, in milliseconds.
    pub took: u128,
}

/// Why a scenario ended before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The row does not hold: what was seen.
    Fail(String),
    /// It cannot be judged here: why.
    Skip(String),
    /// The check, or what it stands on, did not work: what.
    Error(String),
}

/// What the sandbox or the recipe cannot do ends a scenario.
impl From<String> for Stop {
    fn from(words: String) -> Self {
        Self::Error(words)
    }
}

/// Whether a scenario came to its end.
pub type Run = Result<(), Stop>;

/// How many of which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Rows that hold.
    pub pass: usize,
    /// Rows that do not.
    pub fail: usize,
    /// Rows that were not judged.
    pub skipped: usize,
    /// Rows where the check did not work.
    pub error: usize,
}

impl Tally {
    /// Counts.
    pub fn of<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) -> Self {
        let mut tally = Self::default();
        for verdict in verdicts {
            match verdict.outcome {
                Outcome::Pass => tally.pass += 1,
                Outcome::Fail => tally.fail += 1,
                Outcome::Skipped => tally.skipped += 1,
                Outcome::Error => tally.error += 1,
            }
        }
        tally
    }

    /// The exit status: 0 when all that was judged holds, 1 when something does not, 2 when the
    /// check did not work, or judged nothing.
    pub fn status(self) -> u8 {
        match self {
            Self { fail: 1.., .. } => 1,
            Self { error: 1.., .. } | Self { pass: 0, .. } => 2,
            _ => 0,
        }
    }
}

/// A time in the unit that is read.
pub fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}
