//! The client's mouth.
