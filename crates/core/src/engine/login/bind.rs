//! Binding a phone number to an upstream login (D2), and choosing between two accounts.
