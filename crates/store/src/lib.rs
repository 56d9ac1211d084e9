//! yufu store.
