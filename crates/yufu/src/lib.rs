//! The roof: command line, configuration and wiring; the courier, the sweeper and the sandbox.

/// Prints a line. A reader that went away (`yufu client list | head -1`) is no reason to panic.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}

pub mod bench;
pub mod check;
pub mod chores;
pub mod cli;
pub mod config;
pub mod courier;
pub mod fetch;
pub mod home;
pub mod launch;
pub mod listen;
pub mod login;
pub mod messenger;
pub mod peer;
pub mod ports;
pub mod read;
pub mod sandbox;
pub mod serve;
pub mod sweeper;
