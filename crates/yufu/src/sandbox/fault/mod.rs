//! Faults: what the platform does wrong on demand, for whom, and how often.

/// The faults that are played.
#[derive(Default)]
pub struct Desk {}
