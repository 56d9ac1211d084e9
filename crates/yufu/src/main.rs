//! yufu.
fn main() {}
