//! Starting other programs so that they reach the sandbox unchanged: `yufu run`, `yufu open`.

pub mod child;
pub mod environment;
pub mod found;
pub mod keystore;
pub mod rest;
pub mod roots;
pub mod run;
pub mod runtime;
