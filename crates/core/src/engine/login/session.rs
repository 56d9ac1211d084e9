//! Sessions of devices: an opaque token, a refresh token that rotates, five ways to end.
