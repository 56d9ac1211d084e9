//! One engine knows what is true: who may have which code and token, when, once.
