//! What is kept of requests and answers: redacted, cut to a size, and shared where it is the same,
//! line by line. Thousands of logins show the same page and send the same headers.

use std::collections::HashSet;
use std::sync::Arc;

/// The most bytes of a body that are kept.
pub(super) const BODY: usize = 16 * 1024;
/// The most bytes of a header's value that are kept.
const HEADER: usize = 2048;
/// The most headers that are kept.
const HEADERS: usize = 64;
/// How many lines are shared before those that nobody uses any more are let go.
const FEW: usize = 4096;

/// One line of text, shared.
pub(super) type Line = Arc<str>;

/// A request or an answer as it is kept. Its first line is not part of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Message {
    /// Headers: name, colon, space, value.
    pub(super) head: Box<[Line]>,
    /// The body by lines; joined by line feeds they are the body.
    pub(super) body: Box<[Line]>,
    /// Whether there was more of the body.
    pub(super) cut: bool,
}

impl Message {
    /// How many bytes it keeps from others, roughly.
    pub(super) fn weight(&self) -> usize {
        let lines = self.head.iter().chain(self.body.iter());
        lines.map(weight).sum()
    }

    /// The bytes of the body.
    pub(super) fn body_len(&self) -> usize {
        self.body.iter().map(|line| line.len() + 1).sum()
    }

    /// The headers by name and value.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let split = |line: &'_ Line| -> (usize, usize) {
            line.find(": ")
                .map_or((line.len(), line.len()), |at| (at, at + 2))
        };
        self.head.iter().map(move |line| {
            let (name, value) = split(line);
            (&line[..name], &line[value..])
        })
    }

    /// The body as one text.
    pub(super) fn text(&self) -> String {
        let mut text = String::with_capacity(self.body_len());
        for (at, line) in self.body.iter().enumerate() {
            if at > 0 {
                text.push('\n');
            }
            text.push_str(line);
        }
        text
    }
}

/// A line that holds a mark is one login's alone; others are shared.
fn weight(line: &Line) -> usize {
    const POINTER: usize = 16;
    const HEADS: usize = 24;
    if is_shared(line) {
        POINTER
    } else {
        POINTER + HEADS + line.len()
    }
}

fn is_shared(line: &str) -> bool {
    !line.contains('‹')
}

/// The lines that are shared.
#[derive(Default)]
pub(super) struct Lines {
    known: HashSet<Line>,
    limit: usize,
}

impl Lines {
    /// A line, shared if it can be.
    fn line(&mut self, text: &str) -> Line {
        if !is_shared(text) {
            return Arc::from(text);
        }
        if let Some(known) = self.known.get(text) {
            return known.clone();
        }
        if self.known.len() >= self.limit.max(FEW) {
            self.known.retain(|line| Arc::strong_count(line) > 1);
            self.limit = self.known.len() * 2;
        }
        let line: Line = Arc::from(text);
        self.known.insert(line.clone());
        line
    }

    /// Any text that many flows have in common.
    pub(super) fn share(&mut self, text: &str) -> Line {
        self.line(text)
    }

    /// Keeps headers and a body that were redacted. `room` is what the flow has left for bodies.
    pub(super) fn keep<'h>(
        &mut self,
        headers: impl Iterator<Item = (&'h str, String)>,
        body: &str,
        cut: bool,
        room: usize,
    ) -> Message {
        let head = headers.take(HEADERS).map(|(name, value)| {
            let value = start(&value, HEADER);
            self.line(&format!("{name}: {value}"))
        });
        let head = head.collect();
        let kept = start(body, BODY.min(room));
        let body_lines = if kept.is_empty() {
            Box::default()
        } else {
            kept.split('\n').map(|line| self.line(line)).collect()
        };
        Message {
            head,
            body: body_lines,
            cut: cut || kept.len() < body.len(),
        }
    }
}

/// The beginning of a text, of at most so many bytes. A mark is not cut in two.
fn start(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let kept = &text[..end];
    match (kept.rfind('‹'), kept.rfind('›')) {
        (Some(open), close) if close < Some(open) => &kept[..open],
        _ => kept,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_the_text_and_is_shared() {
        let mut lines = Lines::default();
        let body = "<html>\n<p>code‹3f9a1c…›</p>\n\n</html>";
        let headers = || [("host", "a: b".to_owned()), ("x", String::new())].into_iter();
        let one = lines.keep(headers(), body, false, BODY);
        let two = lines.keep(headers(), body, false, BODY);
        assert_eq!(one.text(), body);
        assert!(!one.cut);
        let told: Vec<_> = one.headers().collect();
        assert_eq!(told, [("host", "a: b"), ("x", "")]);
        assert!(Arc::ptr_eq(&one.body[0], &two.body[0]));
        assert!(Arc::ptr_eq(&one.head[0], &two.head[0]));
        assert!(
            !Arc::ptr_eq(&one.body[1], &two.body[1]),
            "one login's alone"
        );
        assert!(one.weight() < body.len() * 10);
        let none = lines.keep(headers(), "", false, BODY);
        assert_eq!((none.text().as_str(), none.body.len()), ("", 0));
    }

    #[test]
    fn long_bodies_are_cut_but_no_mark_is() {
        let mut lines = Lines::default();
        let body = format!("{}code‹3f9a1c…›", "x".repeat(BODY - 8));
        let kept = lines.keep(std::iter::empty(), &body, false, BODY);
        assert!(kept.cut);
        assert_eq!(kept.text(), format!("{}code", "x".repeat(BODY - 8)));
        assert!(lines.keep(std::iter::empty(), "ab", false, 1).cut);
        assert!(
            lines
                .keep(std::iter::empty(), "é", false, 1)
                .text()
                .is_empty()
        );
    }

    #[test]
    fn lines_that_nobody_uses_are_let_go() {
        let mut lines = Lines::default();
        let kept = lines.share("kept");
        for n in 0..FEW * 3 {
            lines.share(&n.to_string());
        }
        assert!(lines.known.len() <= FEW + 1, "{}", lines.known.len());
        assert!(Arc::ptr_eq(&kept, &lines.share("kept")));
    }
}
