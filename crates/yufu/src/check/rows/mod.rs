//! The rows of the login matrix (`docs/facts/login-matrix.tsv`): which of them are judged, how, and
//! why the others are not.

mod act;
mod cod;
mod con;
mod del;
mod idn;
mod lgn;
mod pho;
mod rel;
mod ses;
mod sms;
mod unjudged;
mod ups;

use std::future::Future;
use std::pin::Pin;

use super::recipe::{Recipe, Step};
use super::stage::Stage;
use super::verdict::Run;

pub use unjudged::UNJUDGED;

/// A scenario at work.
pub type Scene<'a> = Pin<Box<dyn Future<Output = Run> + Send + 'a>>;

/// A row that is judged.
pub struct Row {
    /// Its id in the matrix.
    pub id: &'static str,
    /// What is done.
    pub does: &'static str,
    /// What must hold.
    pub holds: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What to do where it does not hold.
    pub fix: &'static str,
    /// What the recipe has to have.
    pub needs: &'static [Need],
    /// What the sandbox has to do.
    pub powers: &'static [Power],
    /// The scenario.
    pub run: fn(&Stage) -> Scene<'_>,
}

/// What a row needs of the recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A step.
    Has(Step),
    /// Logins that begin at the backend, with a state.
    State,
    /// Another app of the same developer.
    Second,
    /// An address for pushes.
    Push,
    /// What binds sessions to a device.
    DeviceKey,
    /// A clock that follows the sandbox's.
    Turns,
    /// Passcodes that are really sent.
    RealPasscodes,
}

/// What a row needs of the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// Faults.
    Faults,
    /// A clock that turns.
    Clock,
    /// What a person does on their phone.
    Phone,
    /// Pushed events.
    Events,
    /// The list of logins.
    Flows,
}

impl Need {
    /// Why a row is skipped without it; none when the recipe has it.
    pub fn missing(self, recipe: &Recipe) -> Option<String> {
        let (there, words) = match self {
            Self::Has(step) => (
                recipe.has(step),
                format!("the recipe has no [step.{}]", step.word()),
            ),
            Self::State => (
                recipe.has_state(),
                "the recipe begins no login at your backend, so there is no state to judge"
                    .to_owned(),
            ),
            Self::Second => (
                recipe.second.is_some(),
                "the recipe has no [second] app of the same developer".to_owned(),
            ),
            Self::Push => (
                recipe.push.is_some(),
                "the recipe has no [push] address".to_owned(),
            ),
            Self::DeviceKey => (
                recipe.device_key.is_some(),
                "the recipe names no device_key".to_owned(),
            ),
            Self::Turns => (
                recipe.turns,
                "it would take real time: only a backend whose clock is the sandbox's (clock = \"sandbox\") can be judged"
                    .to_owned(),
            ),
            Self::RealPasscodes => (
                recipe.sms.fixed.is_none(),
                "the recipe has a fixed passcode".to_owned(),
            ),
        };
        (!there).then_some(words)
    }

    /// Its word in documents.
    pub fn word(self) -> String {
        match self {
            Self::Has(step) => format!("`step.{}`", step.word()),
            Self::State => "`step.begin`".to_owned(),
            Self::Second => "`second`".to_owned(),
            Self::Push => "`push`".to_owned(),
            Self::DeviceKey => "`device_key`".to_owned(),
            Self::Turns => "`clock = \"sandbox\"`".to_owned(),
            Self::RealPasscodes => "passcodes that are really sent".to_owned(),
        }
    }
}

impl Power {
    /// Its word in documents.
    pub fn word(self) -> &'static str {
        match self {
            Self::Faults => "faults",
            Self::Clock => "clock",
            Self::Phone => "phone",
            Self::Events => "events",
            Self::Flows => "flows",
        }
    }
}

/// The groups, in the order of the matrix, with what they are about.
pub fn groups() -> &'static [(&'static str, &'static str)] {
    &[
        ("ACT", "what the user does at the authenticator"),
        ("COD", "code and state"),
        ("UPS", "a platform that misbehaves"),
        ("LGN", "login and account"),
        ("PHO", "binding a number"),
        ("SMS", "passcodes"),
        ("REL", "logging in again"),
        ("SES", "devices and sessions"),
        ("CON", "two at once"),
        ("IDN", "identity and profile"),
        ("DEL", "unlinking, deletion, pushes"),
    ]
}

/// Every row that is judged, in the order of the matrix.
pub fn all() -> Vec<&'static Row> {
    [
        act::ROWS,
        cod::ROWS,
        ups::ROWS,
        lgn::ROWS,
        pho::ROWS,
        sms::ROWS,
        rel::ROWS,
        ses::ROWS,
        con::ROWS,
        idn::ROWS,
        del::ROWS,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A scenario as a row holds it.
macro_rules! scene {
    ($scenario:ident) => {{
        fn scene(stage: &crate::check::stage::Stage) -> crate::check::rows::Scene<'_> {
            Box::pin($scenario(stage))
        }
        scene
    }};
}
use scene;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_row_of_the_matrix_is_judged_or_named_with_the_reason() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/facts/login-matrix.tsv");
        let text = std::fs::read_to_string(path).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let matrix: Vec<&str> = lines.filter_map(|line| line.split('\t').next()).collect();
        let judged: Vec<&str> = all().iter().map(|row| row.id).collect();
        let unjudged: Vec<&str> = UNJUDGED.iter().map(|(id, _)| *id).collect();
        let both: BTreeSet<&str> = judged.iter().chain(&unjudged).copied().collect();
        assert_eq!(
            both.len(),
            judged.len() + unjudged.len(),
            "no row stands twice"
        );
        assert_eq!(both, matrix.iter().copied().collect());
        let in_order = |some: &[&str]| {
            let place = |id: &&str| matrix.iter().position(|it| it == id);
            some.windows(2).all(|two| place(&two[0]) < place(&two[1]))
        };
        assert!(in_order(&judged), "{judged:?}");
        assert!(in_order(&unjudged), "{unjudged:?}");
    }

    #[test]
    fn every_row_says_what_why_and_how_to_mend_it() {
        for row in all() {
            for words in [row.does, row.holds, row.why, row.fix] {
                assert!(
                    words.ends_with('.') && words.len() > 10,
                    "{}: {words}",
                    row.id
                );
            }
        }
        for (id, reason) in UNJUDGED {
            assert!(reason.ends_with('.') && reason.len() > 20, "{id}: {reason}");
        }
    }
}
