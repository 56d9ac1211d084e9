//! The engine's scenarios: on a store in memory that keeps every list of changes, with counted
//! entropy, instant hashing and a fixed time. Each test asserts the outcome and what it changed.

mod access;
mod authorize;
mod bodies;
mod chance;
mod fault;
mod people;
mod race;
mod registry;
mod rehearsal;
mod scan;
mod token;
mod world;
