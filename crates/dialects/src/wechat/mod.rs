//! The WeChat dialect (`docs/facts/wechat.md`).
//!
//! [`serve`] is the platform's mouth: it hears the requests of WeChat's clients and answers byte
//! for byte as the platform does. [`call`] is the client's mouth: it logs in with the platform,
//! or with a yufu that stands in for it.

pub mod call;
mod json;
pub mod page;
pub mod push;
pub mod refusal;
pub mod serve;

pub use serve::{DIALECT, errcode, scan_xml};
