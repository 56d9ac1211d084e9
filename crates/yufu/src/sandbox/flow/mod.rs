//! Flows: every login as it happened on the wire, with findings.

use super::seen::{Note, Seen};

/// The book of flows.
#[derive(Default)]
pub struct Book {}

impl Book {
    /// Writes down an exchange. Does not wait.
    pub fn saw(&self, _seen: Seen) {}

    /// Writes down what somebody did. Does not wait.
    pub fn note(&self, _note: Note) {}
}
