//! What is printed from the tables: the sample file and the reference page.

use std::fmt::Write as _;

use super::raw::{item_variable, variable, words};
use super::table::{FIELDS, Field, GROUPS, OF_LOGIN, Shape};

/// The sample file: every setting at its default, with what it means. The login backend's tables
/// are left out by a mark of their own: with `[login]` there is one.
pub fn sample() -> String {
    let mut text = String::from(
        "# yufu.toml: the settings of `yufu serve --config yufu.toml`.\n\
         # Every setting may also come from the environment: YUFU_STORE_PATH for store.path.\n\
         # With [platform] there is a platform, with [login] a login backend; one process may be both.\n",
    );
    let mut table = "";
    for field in FIELDS {
        let (section, key) = field.path.split_once('.').unwrap_or(("", field.path));
        if section != table {
            let mark = if OF_LOGIN.contains(&section) {
                "# "
            } else {
                ""
            };
            let _ = write!(text, "\n{mark}[{section}]\n");
            table = section;
        }
        setting(&mut text, field, key);
    }
    for group in GROUPS {
        let _ = write!(
            text,
            "\n# {} With [login] only.\n# [[{}]]\n",
            group.about, group.name
        );
        for field in group.fields {
            setting(&mut text, field, field.path);
        }
    }
    text
}

fn setting(text: &mut String, field: &Field, key: &str) {
    let is_word = field.default.parse::<i64>().is_err();
    let written = match (field.shape, field.default) {
        (Shape::Word([first, ..]), "") => format!("\"{first}\""),
        (Shape::Text | Shape::Word(_), default) => format!("\"{default}\""),
        (Shape::WordOrNumber(..), default) if is_word => format!("\"{default}\""),
        (_, default) => default.to_owned(),
    };
    let _ = writeln!(text, "# {}\n# {key} = {written}", field.about);
}

/// The reference page.
pub fn reference() -> String {
    const HEAD: &str =
        "| setting | environment | holds | default | meaning |\n|---|---|---|---|---|\n";
    let mut text = format!(
        "# Settings\n\nPrinted from the tables in `crates/yufu/src/config/table.rs`; a test keeps it fresh.\n\n\
         With `[platform]` there is a platform, with `[login]` a login backend; one process may be both.\n\n{HEAD}"
    );
    for field in FIELDS {
        row(&mut text, field.path, &variable(field.path), field);
    }
    for group in GROUPS {
        let _ = write!(
            text,
            "\n## `[[{}]]`\n\n{} It may stand any number of times, with `[login]` only.\n\n{HEAD}",
            group.name, group.about
        );
        for field in group.fields {
            let name = match field.path {
                "name" => "–".to_owned(),
                path => format!("`{}`", item_variable(group.name, "NAME", path)),
            };
            row_of(&mut text, field.path, &name, field);
        }
    }
    text
}

fn row(text: &mut String, path: &str, variable: &str, field: &Field) {
    row_of(text, path, &format!("`{variable}`"), field);
}

fn row_of(text: &mut String, path: &str, variable: &str, field: &Field) {
    let default = if field.default.is_empty() {
        "–"
    } else {
        field.default
    };
    let _ = writeln!(
        text,
        "| `{path}` | {variable} | {} | `{default}` | {} |",
        words(field.shape),
        field.about
    );
}
