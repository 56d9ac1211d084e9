//! yufu dialects.
