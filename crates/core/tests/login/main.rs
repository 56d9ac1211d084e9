//! The login backend's scenarios: on a store in memory that keeps every list of changes, with
//! counted entropy and a fixed time. Each test asserts the outcome and the state it leaves.

mod attack;
mod decide;
mod deletion;
mod endings;
mod flow;
mod keys;
mod merge;
mod passcode;
mod refresh;
mod session;
mod tables;
mod upstream;
mod vault;
mod world;
