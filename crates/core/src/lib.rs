//! What is true: the words, rules and engine of yufu, and the ports it needs.
//!
//! Nothing here reads a clock, a socket, a file or an environment variable. Time comes in as a
//! value ([`time::Timestamp`]), randomness through a port ([`secret::Entropy`]), data through a
//! port ([`store::Store`]). A rule lives on the type it judges and returns a proof of its verdict.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod breaker;
pub mod client;
pub mod engine;
pub mod grant;
pub mod id;
pub mod identity;
pub mod jws;
pub mod keyring;
pub mod limit;
pub mod login;
pub mod message;
pub mod redirect;
pub mod refusal;
pub mod scope;
pub mod seal;
pub mod secret;
pub mod store;
pub mod subject;
pub mod ticket;
pub mod time;
pub mod user;
