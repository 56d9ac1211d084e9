//! Starting other programs so that they reach the sandbox unchanged: `yufu run`, `yufu open`.

pub mod found;
pub mod rest;
