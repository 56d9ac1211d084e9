//! The WeChat dialect, byte for byte. Expected bytes are typed from `docs/facts/wechat.md`, whose
//! section stands beside them; none was copied from an answer of ours.

mod book;
mod finish;
mod golden;
mod hear;
mod hostile;
mod loops;
mod mirror;
mod pages;
mod refusals;
mod seventeen;
mod world;
