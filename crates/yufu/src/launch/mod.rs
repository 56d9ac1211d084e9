//! Starting other programs so that they reach the sandbox unchanged: `yufu run`, `yufu open`.

pub mod browser;
pub mod ca;
pub mod calls;
pub mod child;
pub mod environment;
pub mod found;
pub mod hint;
pub mod inside;
pub mod keystore;
pub mod ledger;
pub mod net;
pub mod rest;
pub mod roots;
pub mod run;
pub mod runtime;
pub mod strait;
