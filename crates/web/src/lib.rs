//! yufu web.

pub mod view;
