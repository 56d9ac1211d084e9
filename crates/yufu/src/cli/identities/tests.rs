//! What an import does and what the doctor counts, against a plain reckoning.
