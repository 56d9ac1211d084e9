//! The 120 situations of `docs/facts/login-matrix.tsv`, each a test that bears its row's name,
//! over HTTP against the backend as the product wires it, a yufu platform as its upstream, and a
//! small server in between that misbehaves when told to. A row asserts what the app hears, and
//! what is left behind.

mod act;
mod app;
mod cod;
mod con;
mod del;
mod gateway;
mod idn;
mod known;
mod lgn;
mod pho;
mod rel;
mod rows;
mod server;
mod ses;
mod sms;
mod ups;
mod upstream;
#[path = "../whole/house/wire.rs"]
#[expect(dead_code, reason = "the tests of the whole process use all of it")]
mod wire;
mod world;
