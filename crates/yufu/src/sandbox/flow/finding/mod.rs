//! Findings: what an app did that the real platform refuses, or that is unsafe. One table of words;
//! the rules stand beside it.

mod rules;
mod table;

use serde::Serialize;

pub(super) use rules::judge;
pub(super) use table::TABLE;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Severity {
    /// The real platform refuses it, or it is unsafe.
    Error,
    /// It breaks sooner or later, or is unsafe together with something else.
    Warning,
    /// Good to know.
    Note,
}

impl Severity {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// Which rule was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Breach {
    CodeReused,
    CodeExpired,
    CodeForeign,
    CodeRetried,
    VerifierMissing,
    SecretInBrowser,
    SecretInApp,
    SecretInAddress,
    SecretWrong,
    AppidUnknown,
    ParameterMissing,
    StateMissing,
    StateReused,
    StateWeak,
    StateLong,
    StateOdd,
    StateUnchecked,
    AuthorizeRefused,
    RedirectPort,
    RedirectHttp,
    RedirectUnencoded,
    FragmentMissing,
    ErrcodeIgnored,
    OpenidWrong,
    ProfileWithBase,
    ScopeUnused,
    TokenRetried,
    RefreshEachTime,
    TokenInUrl,
    TokenInRedirect,
    TokenShown,
    PlainHttp,
    CallbackSlow,
    UnionidOnly,
    PkceMissing,
    UnknownParameters,
}

/// What is said about a broken rule. No word of it depends on a flow.
pub(super) struct Entry {
    #[cfg_attr(
        not(test),
        expect(
            dead_code,
            reason = "its place in the table says it; a test compares the two"
        )
    )]
    pub(super) code: Breach,
    pub(super) word: &'static str,
    pub(super) severity: Severity,
    pub(super) title: &'static str,
    pub(super) title_zh: &'static str,
    pub(super) why: &'static str,
    pub(super) why_zh: &'static str,
    pub(super) fix: &'static str,
    pub(super) fix_zh: &'static str,
    pub(super) source: &'static str,
}

impl Breach {
    /// What is said about it.
    pub(super) fn entry(self) -> &'static Entry {
        &TABLE[self as usize]
    }
}

/// The document of all findings.
pub(super) fn document() -> String {
    let mut text = String::from(
        "# Findings\n\n\
         What `/flows` and `yufu flow` point out in a login. A finding is claimed only where the \
         flow shows it; what a fault of the sandbox brought about is never held against the app. \
         An *error* is refused by the real platform or unsafe, a *warning* breaks sooner or later, \
         a *note* is good to know.\n\n\
         This page is printed from the code: `YUFU_BLESS=1 cargo test -p yufu --test documents`.\n\n\
         | Code | | What | Source |\n|---|---|---|---|\n",
    );
    for entry in TABLE {
        text.push_str(&format!(
            "| [`{0}`](#{0}) | {1} | {2} · {3} | {4} |\n",
            entry.word,
            entry.severity.word(),
            entry.title,
            entry.title_zh,
            entry.source
        ));
    }
    for entry in TABLE {
        text.push_str(&format!(
            "\n## {}\n\n**{}** {} {}\n\n**{}** {} {}\n",
            entry.word,
            with_stop(entry.title, '.'),
            entry.why,
            entry.fix,
            with_stop(entry.title_zh, '。'),
            entry.why_zh,
            entry.fix_zh
        ));
    }
    text
}

fn with_stop(title: &str, stop: char) -> String {
    format!("{title}{stop}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_complete() {
        for (at, entry) in TABLE.iter().enumerate() {
            assert_eq!(entry.code as usize, at, "{}", entry.word);
            let debug = format!("{:?}", entry.code);
            let snake: String = debug.chars().fold(String::new(), |mut out, c| {
                if c.is_uppercase() && !out.is_empty() {
                    out.push('_');
                }
                out.push(c.to_ascii_lowercase());
                out
            });
            assert_eq!(entry.word, snake);
            for text in [entry.why, entry.fix] {
                assert!(text.ends_with('.'), "{}: {text}", entry.word);
            }
            for text in [entry.why_zh, entry.fix_zh] {
                assert!(text.ends_with('。'), "{}: {text}", entry.word);
            }
            assert!(!entry.title.ends_with('.') && !entry.title_zh.ends_with('。'));
            let source = entry.source;
            let is_known = source.contains("docs/facts/wechat.md §") || source.contains("RFC ");
            assert!(is_known, "{source}");
        }
        assert_eq!(
            TABLE.last().map(|e| e.code),
            Some(Breach::UnknownParameters)
        );
    }
}
