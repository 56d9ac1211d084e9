//! The documents that are printed from the code are as fresh as the code.
//! `YUFU_BLESS=1 cargo test -p yufu-web --test documents` prints them anew.

use std::collections::HashSet;
use std::path::Path;

use yufu_web::openapi;

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
fn the_kept_documents_are_fresh() {
    fresh("openapi.json", &openapi::text());
    fresh("apis.yml", &openapi::catalogue());
}

#[test]
fn every_endpoint_stands_in_the_document_once_and_refers_to_what_exists() {
    let document = openapi::document();
    let mut identifiers = HashSet::new();
    for dialect in yufu_dialects::DIALECTS {
        for endpoint in dialect.endpoints {
            let item = &document["paths"][endpoint.path];
            for method in endpoint.methods {
                let word = format!("{method:?}").to_lowercase();
                let operation = &item[&word];
                let identifier = operation["operationId"].as_str().unwrap();
                assert!(
                    identifiers.insert(identifier.to_owned()),
                    "{identifier} twice"
                );
                let text = operation.to_string();
                for reference in text.split("#/components/schemas/").skip(1) {
                    let name = reference.split('"').next().unwrap();
                    assert!(
                        document["components"]["schemas"][name].is_object(),
                        "{name}"
                    );
                }
            }
        }
    }
    assert_eq!(document["openapi"], "3.1.0");
}
