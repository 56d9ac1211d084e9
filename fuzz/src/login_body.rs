//! The body of a login call: what is read is what was sent, of the kinds and lengths that the table
//! names, and a refusal names something that the caller knows.

use serde_json::{Map, Value};
use yufu_web::api::table::{ENDPOINTS, Endpoint, Kind, Need, Verb};
use yufu_web::api::try_body;

/// A request: the body is tried at the endpoint of its path, or else at all.
pub fn run(data: &[u8]) {
    let heard = crate::request(data);
    let media = match heard.content_type.as_str() {
        "" => "application/json",
        media => media,
    };
    let posts = || {
        ENDPOINTS
            .iter()
            .filter(|endpoint| endpoint.verb == Verb::Post)
    };
    let named = posts().any(|endpoint| endpoint.path == heard.path);
    for endpoint in posts().filter(|endpoint| !named || endpoint.path == heard.path) {
        tried(endpoint, media, &heard.body);
    }
}

fn tried(endpoint: &Endpoint, media: &str, body: &[u8]) {
    let read = match try_body(endpoint, media, body) {
        Ok(read) => read,
        Err(name) => {
            let known = ["body", "Content-Type"].contains(&name.as_str())
                || endpoint.field(&name).is_some()
                || endpoint.forbidden.contains(&name.as_str());
            assert!(known, "a refusal for {name:?}");
            return;
        }
    };
    // Told by another reader.
    let sent = match serde_json::from_slice(body) {
        Ok(Value::Object(sent)) => sent,
        _ => {
            assert!(body.is_empty(), "no object, and it was read");
            Map::new()
        }
    };
    for name in endpoint.forbidden {
        assert!(
            !sent.contains_key(*name),
            "{name} may only come from an upstream"
        );
    }
    for (name, text) in &read {
        let field = endpoint.field(name).expect("a field of the table");
        match (field.kind, text) {
            (Kind::Text(most), Some(text)) => {
                assert!(text.len() <= most && !text.chars().any(char::is_control));
            }
            (Kind::Word(known), Some(text)) => assert!(known.contains(&text.as_str())),
            (Kind::Phone, Some(_)) => {}
            (Kind::Flag, None) => assert!(sent[*name].is_boolean()),
            (Kind::Proof(_), None) => assert!(sent[*name].is_object()),
            (kind, text) => panic!("{name} is {kind:?} and holds {text:?}"),
        }
        if let Some(text) = text {
            assert_eq!(sent[*name].as_str(), Some(text.as_str()), "{name}");
            assert!(!text.is_empty(), "{name} is empty and is there");
        }
    }
    for field in endpoint.fields {
        let is_read = read.iter().filter(|(name, _)| *name == field.name).count();
        let is_sent = match sent.get(field.name) {
            None | Some(Value::Null) => 0,
            Some(Value::String(text)) if text.is_empty() => 0,
            Some(_) => 1,
        };
        assert_eq!(is_read, is_sent, "{}", field.name);
        assert!(is_read == 1 || field.need != Need::Must, "{}", field.name);
    }
}
