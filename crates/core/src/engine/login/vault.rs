//! The vault: upstream tokens, encrypted; logging in again with them (D3).
