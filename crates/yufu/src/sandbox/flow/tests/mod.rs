//! Tests of the flows: exchanges as they cross the doors, and what becomes of them.

mod chance;
mod findings;
mod fold;
mod pace;
mod redaction;
mod scene;

use std::path::Path;

/// Compares with a kept file; `YUFU_BLESS=1` keeps it anew.
#[track_caller]
fn fresh(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name);
    if std::env::var_os("YUFU_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        kept, text,
        "tests/fixtures/{name}: keep it anew with YUFU_BLESS=1"
    );
}
