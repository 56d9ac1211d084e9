//! The parameter reader agrees with another library on everything that is UTF-8.

/// Reads a request's parameters.
pub fn run(data: &[u8]) {
    let request = crate::request(data);
    let params = request.params();
    for (name, expected) in crate::parameters(&request) {
        if name.contains('\u{fffd}') {
            continue;
        }
        match params.get(&name) {
            Some(value) => assert_eq!(value, expected, "{name}"),
            None => assert!(
                params.is_malformed(&name) && expected.contains('\u{fffd}'),
                "{name} is lost"
            ),
        }
        let filled = params.filled(&name);
        assert_eq!(
            filled.is_some(),
            params.get(&name).is_some_and(|v| !v.is_empty())
        );
    }
    if !crate::has_replacement(&request) {
        let again = crate::rewritten(&request).params();
        for name in crate::parameters(&request).keys() {
            assert_eq!(params.get(name), again.get(name), "{name} does not survive");
        }
    }
}
