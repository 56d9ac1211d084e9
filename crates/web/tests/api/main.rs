//! The login API as its callers see it: over a store in memory, with upstreams, gateways and
//! carriers that do as they are told, and a clock that is turned.

mod account;
mod attack;
mod browser;
mod hooks;
mod phone;
mod schema;
mod session;
mod table;
mod wechat;
mod world;
