//! The OpenAPI document of the platform's endpoints, made from the dialects' own tables.

/// The document as pretty JSON.
pub fn document() -> String {
    String::new()
}
