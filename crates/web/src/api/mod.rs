//! The login API: what an app's own backend calls, and the upstreams that it logs people in with.

pub mod upstream;
