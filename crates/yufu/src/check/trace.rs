//! What a program shows of itself when it broke: stack traces, as the common languages print them.

/// What a text shows, if anything.
pub fn found(text: &str) -> Option<&'static str> {
    let sign = |(signs, name): &(&[&str], &'static str)| {
        signs
            .iter()
            .all(|sign| text.contains(sign))
            .then_some(*name)
    };
    SIGNS.iter().find_map(sign)
}

/// All of the signs, and whose they are.
const SIGNS: [(&[&str], &str); 12] = [
    (&["    at ", ".js:"], "JavaScript"),
    (&["    at ", ".mjs:"], "JavaScript"),
    (&["    at ", ".ts:"], "JavaScript"),
    (&["&nbsp; &nbsp;at ", "js:"], "JavaScript"),
    (&["Traceback (most recent call last)"], "Python"),
    (&["\tat ", ".java:"], "Java"),
    (&["\\tat ", ".java:"], "Java"),
    (&["\tat ", ".kt:"], "Kotlin"),
    (&["panicked at ", ".rs:"], "Rust"),
    (&["goroutine ", ".go:"], "Go"),
    (&["Stack trace:", ".php"], "PHP"),
    (&["/gems/", ".rb:"], "Ruby"),
];

#[cfg(test)]
mod tests {
    use super::found;

    #[test]
    fn traces_are_seen_and_words_are_not() {
        let node = "TypeError: x\n    at login (file:///app/server.js:12:3)\n";
        assert_eq!(found(node), Some("JavaScript"));
        let express = "<pre>TypeError: x<br> &nbsp; &nbsp;at login (/app/a.js:1:2)</pre>";
        assert_eq!(found(express), Some("JavaScript"));
        let spring = r#"{"trace":"java.lang.NullPointerException\n\tat a.B.c(B.java:1)"}"#;
        assert_eq!(found(spring), Some("Java"));
        assert_eq!(
            found("Traceback (most recent call last):\n  File"),
            Some("Python")
        );
        assert_eq!(
            found("thread 'main' panicked at src/main.rs:3:5"),
            Some("Rust")
        );
        for plain in [
            "{\"code\":500,\"msg\":\"please look at server.js\"}",
            "Internal Server Error",
        ] {
            assert_eq!(found(plain), None);
        }
    }
}
