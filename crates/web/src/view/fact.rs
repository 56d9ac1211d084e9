//! A section of the facts: what a finding stands on, as it is written in the documents.

use askama::Template;

use super::{
    lang::Lang,
    sample::{self, Sample},
    text::Text as T,
};

/// One section of the facts that findings name.
#[derive(Clone, Debug, Template)]
#[template(path = "fact.html")]
pub struct Fact {
    /// The language.
    pub lang: Lang,
    /// The heading of the section.
    pub title: String,
    /// Where it stands.
    pub source: String,
    /// The section in Markdown.
    pub text: String,
}

/// A stretch of a line: plain, or set apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ink<'a> {
    Plain(&'a str),
    Code(&'a str),
    Bold(&'a str),
}

/// A part of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Block<'a> {
    Heading(Vec<Ink<'a>>),
    Paragraph(Vec<Ink<'a>>),
    /// The head, and the rows below it.
    Table(Vec<Vec<Ink<'a>>>, Vec<Vec<Vec<Ink<'a>>>>),
}

impl Fact {
    fn heading(&self) -> Vec<Ink<'_>> {
        inked(&self.title)
    }

    /// The section in parts. Our facts are headings, paragraphs and tables; anything else is read
    /// as a paragraph.
    fn blocks(&self) -> Vec<Block<'_>> {
        let mut blocks = Vec::new();
        let mut lines = self.text.lines().map(str::trim).peekable();
        while let Some(line) = lines.next() {
            if line.is_empty() {
                continue;
            }
            if line.starts_with('#') {
                blocks.push(Block::Heading(inked(line.trim_start_matches(['#', ' ']))));
            } else if line.starts_with('|') {
                let mut rows = Vec::new();
                while let Some(row) = lines.next_if(|line| line.starts_with('|')) {
                    if !row.chars().all(|c| "|-: ".contains(c)) {
                        rows.push(cells(row));
                    }
                }
                blocks.push(Block::Table(cells(line), rows));
            } else {
                blocks.push(Block::Paragraph(inked(line)));
            }
        }
        blocks
    }
}

/// The cells of a row. A bar within backticks, or behind a backslash, ends no cell.
fn cells(row: &str) -> Vec<Vec<Ink<'_>>> {
    let row = row.trim_start_matches('|');
    let mut cells = Vec::new();
    let (mut from, mut in_code, mut before) = (0, false, ' ');
    for (at, c) in row.char_indices() {
        match c {
            '`' => in_code = !in_code,
            '|' if !in_code && before != '\\' => {
                cells.push(inked(row[from..at].trim()));
                from = at + 1;
            }
            _ => {}
        }
        before = c;
    }
    if !row[from..].trim().is_empty() {
        cells.push(inked(row[from..].trim()));
    }
    cells
}

/// A line with what stands in backticks and in double stars set apart.
fn inked(line: &str) -> Vec<Ink<'_>> {
    let mut parts = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find(['`', '*']) {
        let (mark, ink): (&str, fn(&str) -> Ink<'_>) = if rest[at..].starts_with('`') {
            ("`", |text| Ink::Code(text))
        } else {
            ("**", |text| Ink::Bold(text))
        };
        let inside = rest[at..].strip_prefix(mark);
        let Some((inside, after)) = inside.and_then(|inside| inside.split_once(mark)) else {
            // A mark without its fellow is a letter like others.
            parts.push(Ink::Plain(&rest[..=at]));
            rest = &rest[at + 1..];
            continue;
        };
        parts.push(Ink::Plain(&rest[..at]));
        parts.push(ink(inside));
        rest = after;
    }
    parts.push(Ink::Plain(rest));
    parts.retain(|part| !matches!(part, Ink::Plain("")));
    parts
}

impl Sample for Fact {
    const NAME: &'static str = "fact";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let plain = Fact {
            lang,
            title: "3. `/connect/oauth2/authorize`".to_owned(),
            source: "docs/facts/wechat.md §3".to_owned(),
            text: "| Parameter | Notes |\n|---|---|\n| `appid` | who asks |\n\n\
                   **Redirect domain.** The whole host must be equal: `a | b`.\n\n### 3.1 More\n"
                .to_owned(),
        };
        vec![
            ("plain", plain.clone()),
            (
                "hostile",
                Fact {
                    title: sample::HOSTILE.to_owned(),
                    text: format!(
                        "{0}\n|{0}|\n|`{0}`|**{0}**|\n# {0}",
                        sample::HOSTILE.repeat(3)
                    ),
                    ..plain
                },
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_paragraphs_and_tables_are_read() {
        let (_, fact) = Fact::samples(Lang::En).remove(0);
        let blocks = fact.blocks();
        assert_eq!(blocks.len(), 3, "{blocks:?}");
        let Block::Table(head, rows) = &blocks[0] else {
            panic!("{blocks:?}");
        };
        assert_eq!((head.len(), rows.len()), (2, 1));
        assert_eq!(rows[0][0], [Ink::Code("appid")]);
        let words = [
            Ink::Bold("Redirect domain."),
            Ink::Plain(" The whole host must be equal: "),
            Ink::Code("a | b"),
            Ink::Plain("."),
        ];
        assert_eq!(blocks[1], Block::Paragraph(words.to_vec()));
    }

    #[test]
    fn marks_without_their_fellows_are_letters() {
        let text = |line| {
            let parts = inked(line).into_iter();
            let parts = parts.map(|part| match part {
                Ink::Plain(text) | Ink::Code(text) | Ink::Bold(text) => text,
            });
            parts.collect::<String>()
        };
        for line in ["a ` b", "2 * 3", "**", "`", "*a*", "中`文", ""] {
            assert_eq!(text(line), line);
        }
        assert_eq!(cells("| `a|b` | c \\| d |").len(), 2);
    }
}
