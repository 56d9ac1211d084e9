//! The forward proxy on loopback: it answers the platform's own names, and tunnels every other
//! host untouched.
