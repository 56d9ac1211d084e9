//! The stores behind the port of `yufu-core`: SQLite, and a cache in front of a store.
//!
//! `db` is the only file that knows the flavour of the database. `read` answers the reads on
//! connections of the calling thread; `commit` applies lists of changes, many in one transaction,
//! on the one thread that writes; `feed` hears what other processes wrote to the same file;
//! `cache` keeps what was committed; `migrate` brings a file to the newest shape, and leaves alone
//! what is not ours; `copy` writes a whole house into a file and puts it back.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod cache;
mod commit;
mod copy;
mod db;
mod feed;
mod migrate;
mod read;
mod sqlite;

pub use cache::Cached;
pub use copy::CopyError;
pub use feed::{Feed, Listener, Touched};
pub use migrate::{OpenError, Schema};
pub use sqlite::{Counts, Options, SqliteStore};
