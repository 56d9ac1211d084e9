//! `yufu check`: the verdict on an app's own login backend.
//!
//! A recipe says how the backend is talked to. For each row of the login matrix that can be judged
//! from outside, a scenario makes fresh people, lets them log in, lets the platform misbehave, and
//! looks at what the backend shows and at what the sandbox saw.

pub mod backend;
pub mod faults;
pub mod jar;
pub mod recipe;
pub mod report;
pub mod rows;
pub mod run;
pub mod sandbox;
pub mod stage;
pub mod start;
pub mod template;
pub mod trace;
pub mod verdict;
pub mod watch;
pub mod wire;
