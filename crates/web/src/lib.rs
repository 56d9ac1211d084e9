//! yufu web.
