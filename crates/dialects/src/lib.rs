//! The dialects: tables of pure functions between bytes and the words of `yufu-core`.
//!
//! A dialect hears bytes and says a command; it hears an outcome and says bytes. It holds no
//! rule, reads no clock and keeps no state. Each has two mouths: `serve` (be the platform) and
//! `call` (log in with the platform).
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod endpoint;
pub mod http;
pub mod sms;
pub mod wechat;

use endpoint::Dialect;

/// All dialects. They live on one origin, at the platforms' own paths, and do not collide.
pub static DIALECTS: &[&Dialect] = &[&wechat::DIALECT];
