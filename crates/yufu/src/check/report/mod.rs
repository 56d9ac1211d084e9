//! What is told of a check: to people, to CI, to programs.

pub mod junit;
pub mod text;

use serde_json::{Value, json};

use super::verdict::{Tally, Verdict};

/// What was checked.
pub struct About<'a> {
    /// The backend's address.
    pub backend: &'a str,
    /// The sandbox's address.
    pub sandbox: &'a str,
    /// The recipe: a file, or the name of one that comes with the program.
    pub recipe: &'a str,
    /// How long it took, in milliseconds.
    pub took: u128,
}

/// For programs.
pub fn json(about: &About<'_>, verdicts: &[Verdict]) -> Value {
    json!({
        "backend": about.backend,
        "recipe": about.recipe,
        "sandbox": about.sandbox,
        "took": about.took,
        "tally": Tally::of(verdicts),
        "verdicts": verdicts,
    })
}
