//! What somebody who is logged in may do with their account; and logging in by phone number.
