//! The login backend's scenarios: on a store in memory that keeps every list of changes, with
//! counted entropy and a fixed time. Each test asserts the outcome and the state it leaves.

mod decide;
mod flow;
mod session;
mod tables;
mod world;
