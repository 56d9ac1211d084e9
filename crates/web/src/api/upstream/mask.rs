//! An answer that cannot be believed, made fit for the audit: its shape stays, what it holds does not.

/// The most characters that are kept.
const MOST: usize = 500;
/// Words of this many characters are taken for tokens, openids or addresses.
const LONG: usize = 16;
/// What stands for what was taken out.
const HIDDEN: &str = "***";
/// The fields whose text is the platform's own and not a user's.
const TOLD: &[&str] = &["errmsg", "errcode", "error", "message", "msg", "scope"];

/// The text of a body without secrets and without what it tells of a person: known secrets, every
/// value in quotes but those of [`TOLD`], and every long word.
pub(super) fn mask(body: &[u8], secrets: &[&str]) -> String {
    let mut text = String::from_utf8_lossy(body).into_owned();
    for secret in secrets.iter().filter(|secret| secret.len() > 3) {
        text = text.replace(secret, HIDDEN);
    }
    let mut out = String::new();
    let mut field = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find('"') {
        let (before, quoted) = rest.split_at(at);
        words(before, &mut out);
        let (inside, after) = quoted_text(quoted);
        let is_name = after.trim_start().starts_with(':');
        out.push('"');
        if is_name {
            words(inside, &mut out);
            field = inside.to_owned();
        } else if TOLD.contains(&field.as_str()) {
            words(inside, &mut out);
        } else if !inside.is_empty() {
            out.push_str(HIDDEN);
        }
        out.push('"');
        rest = after;
    }
    words(rest, &mut out);
    out.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MOST)
        .collect()
}

/// What is between this quote and the next one that is not escaped, and what comes after it.
fn quoted_text(quoted: &str) -> (&str, &str) {
    let inside = quoted.get(1..).unwrap_or_default();
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        match c {
            '"' if !escaped => {
                let after = inside.get(at + 1..).unwrap_or_default();
                return (inside.get(..at).unwrap_or_default(), after);
            }
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    (inside, "")
}

/// Copies text, long words hidden.
fn words(text: &str, out: &mut String) {
    let is_word = |c: char| !c.is_whitespace() && !"<>{}[](),;'`".contains(c);
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.chars().count() < LONG {
            out.push_str(word);
        } else {
            out.push_str(HIDDEN);
        }
        let next = after.find(is_word).unwrap_or(after.len());
        let (gap, after) = after.split_at(next);
        out.push_str(gap);
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_stays_and_the_secrets_do_not() {
        for (body, text) in [
            (
                r#"{"access_token":"83_abc","expires_in":7200,"openid":"o6"}"#,
                r#"{"access_token":"***","expires_in":7200,"openid":"***"}"#,
            ),
            (
                r#"{"errcode":40029,"errmsg":"invalid code, rid: 65f1a2b3-0a1b2c3d-4e5f6a7b"}"#,
                r#"{"errcode":40029,"errmsg":"invalid code, rid: ***"}"#,
            ),
            (
                "<html>\n<title>502 Bad Gateway</title></html>",
                "<html> <title>502 Bad Gateway</title></html>",
            ),
            (
                "see https://api.example.com/sns?secret=0123456789abcdef0123 now",
                "see *** now",
            ),
            (
                r#"{"nickname":"\"梅\\","a":""}"#,
                r#"{"nickname":"***","a":""}"#,
            ),
            (r#"{"access_token":"83_ab"#, r#"{"access_token":"***""#),
            (
                r#"{"errmsg":"the code c0de was"#,
                r#"{"errmsg":"the code *** was""#,
            ),
            ("", ""),
        ] {
            assert_eq!(mask(body.as_bytes(), &["c0de"]), text);
        }
    }

    #[test]
    fn no_token_shows_wherever_an_answer_is_cut() {
        let token = "83_qwertyuiopasdfghjklzxcvbnm0123456789";
        let body = format!(
            r#"{{"access_token":"{token}","openid":"o6_bmjrPTlm6_2sgVt7hMZOPfL2M","nickname":"Mei"}}"#
        );
        for cut in 0..=body.len() {
            let text = mask(&body.as_bytes()[..cut], &[]);
            for piece in ["83_q", "o6_b", "Mei"] {
                assert!(!text.contains(piece), "{text}");
            }
        }
    }

    #[test]
    fn what_is_kept_is_short() {
        let body = "<p> ".repeat(16_000);
        assert_eq!(mask(body.as_bytes(), &[]).chars().count(), MOST);
        let body = [0xff, 0x00, b'"', b'\\'];
        assert_eq!(mask(&body, &[]), "\u{fffd} \"***\"");
    }
}
