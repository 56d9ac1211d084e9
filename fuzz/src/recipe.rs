//! A recipe of `yufu check` is taken as a whole, or refused with every complaint in words.

use crate::check::recipe::read;
use crate::told;

/// The text of a recipe.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match read(&text, None) {
        Ok(recipe) => {
            assert!(
                ["http", "https"].contains(&recipe.base.scheme()),
                "{}",
                recipe.base
            );
            assert!(recipe.base.has_host() && !recipe.patience.is_zero());
            assert!(["website", "mobile", "service"].contains(&recipe.app.kind.as_str()));
            assert!(recipe.steps.values().all(|calls| !calls.is_empty()));
        }
        Err(complaints) => told(&text, &complaints),
    }
    // Another address mends what was wrong with the one that is written, and nothing else.
    if let Ok(recipe) = read(&text, Some("http://127.0.0.1:1/")) {
        assert_eq!(recipe.base.as_str(), "http://127.0.0.1:1/");
    }
}
