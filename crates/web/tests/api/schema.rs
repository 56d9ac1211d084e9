//! As much of JSON Schema as the document uses.

use serde_json::Value;

/// What is wrong with a value, by the document's own schema; empty when nothing is.
pub(crate) fn complaints(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(document, schema, value, "$", &mut found);
    found
}

fn check(document: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let mut complain = |what: String| found.push(format!("{at}: {what}"));
    if let Some(reference) = schema["$ref"].as_str() {
        let known = document.pointer(reference.trim_start_matches('#'));
        return check(document, known.expect("a schema"), value, at, found);
    }
    if let Some(constant) = schema.get("const")
        && constant != value
    {
        complain(format!("{value} is not {constant}"));
    }
    if let Some(known) = schema["enum"].as_array()
        && !known.contains(value)
    {
        complain(format!("{value} is none of {known:?}"));
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(word) => vec![word],
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !types.is_empty() && !types.iter().any(|word| is_of(word, value)) {
        complain(format!("{value} is no {types:?}"));
    }
    if let Some(least) = schema["minimum"].as_i64()
        && value.as_i64().is_some_and(|value| value < least)
    {
        complain(format!("{value} is less than {least}"));
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap();
        if value.is_object() && value.get(name).is_none() {
            complain(format!("{name} is missing"));
        }
    }
    for one in schema["allOf"].as_array().into_iter().flatten() {
        check(document, one, value, at, found);
    }
    if let Some(ways) = schema["oneOf"].as_array() {
        let tried: Vec<_> = ways
            .iter()
            .map(|way| complaints(document, way, value))
            .collect();
        if tried.iter().filter(|found| found.is_empty()).count() != 1 {
            found.push(format!("{at}: not one of {tried:?}"));
        }
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(member) = value.get(name) {
            check(document, property, member, &format!("{at}.{name}"), found);
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        if schema.get("items").is_some() {
            check(
                document,
                &schema["items"],
                item,
                &format!("{at}[{index}]"),
                found,
            );
        }
    }
}

fn is_of(word: &str, value: &Value) -> bool {
    match word {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        _ => false,
    }
}

#[test]
fn the_checker_finds_what_is_wrong() {
    use serde_json::json;
    let document = json!({"components": {"schemas": {"A": {"type": "object", "required": ["b"],
        "properties": {"b": {"type": "integer", "minimum": 1}, "c": {"type": "array", "items": {"type": ["string", "null"]}}}}}}});
    let schema = json!({"$ref": "#/components/schemas/A"});
    assert!(complaints(&document, &schema, &json!({"b": 1, "c": ["x", null]})).is_empty());
    for bad in [
        json!({}),
        json!({"b": 0}),
        json!({"b": "1"}),
        json!([]),
        json!({"b": 1, "c": [2]}),
    ] {
        assert!(!complaints(&document, &schema, &bad).is_empty(), "{bad}");
    }
    let either = json!({"oneOf": [{"const": 1}, {"type": "integer"}]});
    assert!(
        !complaints(&document, &either, &json!(1)).is_empty(),
        "both"
    );
    assert!(complaints(&document, &either, &json!(2)).is_empty());
}
