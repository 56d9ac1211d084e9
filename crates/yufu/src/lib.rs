//! The roof: command line, configuration and wiring; the courier, the sweeper and the sandbox.

pub mod bench;
pub mod cli;
pub mod config;
pub mod courier;
pub mod home;
pub mod listen;
pub mod ports;
pub mod sandbox;
pub mod serve;
pub mod sweeper;
