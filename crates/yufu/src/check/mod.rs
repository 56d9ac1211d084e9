//! `yufu check`: the verdict on an app's own login backend.
