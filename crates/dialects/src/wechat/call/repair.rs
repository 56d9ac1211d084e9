//! Mends what the platform is known to send and JSON forbids: malformed UTF-8, raw control
//! characters and lone surrogates in nicknames (`docs/facts/wechat.md` §7.4).

/// The text of an answer, mended so that a strict reader can read it. Nothing but the broken
/// characters is changed.
pub(super) fn mend(body: &[u8]) -> String {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let text: String = String::from_utf8_lossy(body)
        .chars()
        .map(|c| if c < ' ' { ' ' } else { c })
        .collect();
    mend_surrogates(&text)
}

/// Replaces each `\uD800`–`\uDFFF` that is not half of a pair by `\ufffd`.
fn mend_surrogates(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let taken = match unit(escape) {
            Some(0xd800..=0xdbff) => match escape.get(6..).and_then(unit) {
                Some(0xdc00..=0xdfff) => 12,
                _ => 0,
            },
            Some(0xdc00..=0xdfff) => 0,
            Some(_) => 6,
            // A short escape: the backslash and one character, which may be a backslash.
            None => 1 + escape.chars().nth(1).map_or(0, char::len_utf8),
        };
        if taken == 0 {
            out.push_str("\\ufffd");
            rest = escape.get(6..).unwrap_or_default();
        } else {
            out.push_str(escape.get(..taken).unwrap_or_default());
            rest = escape.get(taken..).unwrap_or_default();
        }
    }
    out.push_str(rest);
    out
}

/// The UTF-16 unit of a `\uXXXX` at the start of the text.
fn unit(text: &str) -> Option<u16> {
    let hex = text.strip_prefix("\\u")?.get(..4)?;
    let plain = hex.bytes().all(|b| b.is_ascii_hexdigit());
    plain.then(|| u16::from_str_radix(hex, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(body: &[u8]) -> Option<String> {
        serde_json::from_str(&mend(body)).ok()
    }

    #[test]
    fn broken_nicknames_become_readable() {
        for (body, text) in [
            (&b"\"plain\""[..], "plain"),
            (b"\xef\xbb\xbf\"bom\"", "bom"),
            (b"\"a\x01b\nc\"", "a b c"),
            (b"\"bad \xff\xfe\"", "bad \u{fffd}\u{fffd}"),
            (br#""lone \ud83d end""#, "lone \u{fffd} end"),
            (br#""lone \udc1f""#, "lone \u{fffd}"),
            (br#""\ud83d\ud83d\udc1f""#, "\u{fffd}🐟"),
            (br#""\ud83d\n""#, "\u{fffd}\n"),
            (
                br#""\uD83D\uDC1F \u6885 \\ud83d \" \\""#,
                "🐟 梅 \\ud83d \" \\",
            ),
            ("\"\u{e056}\"".as_bytes(), "\u{e056}"),
        ] {
            assert_eq!(read(body).as_deref(), Some(text), "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn sound_json_is_left_as_it_is(text in "\\PC{0,40}") {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(mend(json.as_bytes()), json);
        }

        #[test]
        fn nothing_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..80)) {
            mend(&body);
        }

        #[test]
        fn any_mix_of_escapes_in_a_string_reads(
            parts in proptest::collection::vec(
                prop_oneof![
                    Just("\\ud83d".to_owned()), Just("\\udc1f".to_owned()), Just("\\\\".to_owned()),
                    Just("\\\"".to_owned()), Just("u".to_owned()), Just("\\u0041".to_owned()),
                ],
                0..12,
            )
        ) {
            let body = format!("\"{}\"", parts.concat());
            prop_assert!(read(body.as_bytes()).is_some(), "{}", body);
        }
    }
}
