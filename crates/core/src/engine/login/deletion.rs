//! The end of an account: asked for, taken back, carried out; and what an upstream pushes.
