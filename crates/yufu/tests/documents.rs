//! The documents that are printed from the code are as fresh as the code.
//! `YUFU_BLESS=1 cargo test -p yufu --test documents` prints them anew.

use std::path::Path;

use yufu::config;
use yufu::sandbox::control::document;

fn fresh(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name);
    if std::env::var_os("YUFU_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == text,
        "docs/{name} is stale: print it anew with YUFU_BLESS=1"
    );
}

#[test]
fn the_reference_and_the_sample_of_the_settings_are_fresh() {
    fresh("settings.md", &config::reference());
    fresh("yufu.toml", &config::sample());
}

#[test]
fn the_page_of_the_control_is_fresh() {
    fresh("sandbox-api.md", &document::page());
}
