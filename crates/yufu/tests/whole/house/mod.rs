//! What the whole-process tests stand on: the binary as a process, HTTP to the byte, a browser.

mod browser;
mod process;
mod secure;
mod wire;

pub(crate) use browser::{Browser, field, form_of, in_client, param};
pub(crate) use process::{House, Temp, command, until, wait, yufu};
pub(crate) use secure::{Named, at_gate, tunnel};
pub(crate) use wire::{Answer, Ask, Wire, enc, like, query};
