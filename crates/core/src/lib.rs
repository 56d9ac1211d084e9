//! yufu core.
