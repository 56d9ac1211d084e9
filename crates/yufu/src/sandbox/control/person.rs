//! What is said of a person, in a call or in a file.

use yufu_core::user::Phone;

use crate::read::Table;

/// The words for a sex.
pub const SEXES: &[&str] = &["male", "female", "unknown"];
/// The words for how an account stands.
pub const STANDINGS: &[&str] = &["active", "restricted", "closed"];

/// What is said of a person, as far as it is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonDraft {
    /// The short name.
    pub name: Option<String>,
    /// The number.
    pub phone: Option<Phone>,
    /// The texts of the profile, by field.
    pub texts: Vec<(&'static str, String)>,
    /// As a word.
    pub sex: Option<&'static str>,
    /// `face`, `none`, or an address.
    pub avatar: Option<String>,
    /// As a word.
    pub standing: Option<&'static str>,
    /// Whether apps are told one.
    pub unionid: Option<bool>,
    /// Whether the platform's app is on the phone.
    pub installed: Option<bool>,
}

/// Reads what is said of a person, and complains of it.
pub fn draft(table: &Table<'_>, is_new: bool) -> PersonDraft {
    let mut draft = PersonDraft::default();
    if is_new {
        table.needs("name", "a short name: name = \"zoe\"");
        draft.name = table.text("name");
        if draft.name.as_deref().is_some_and(|name| !is_name(name)) {
            let remedy = "write 1 to 32 small letters, digits, - or _, a letter first";
            table.complain("name", "is no short name", remedy);
        }
    }
    if let Some(text) = table.text("phone") {
        draft.phone = Phone::parse(&text).ok();
        if draft.phone.is_none() {
            let remedy = "write a number with its country code: +8613800000009";
            table.complain("phone", "is no phone number", remedy);
        }
    }
    for name in ["nickname", "country", "province", "city"] {
        let Some(text) = table.text(name) else {
            continue;
        };
        if text.chars().count() > 64 || text.chars().any(char::is_control) {
            let remedy = "write at most 64 characters, none of them a control character";
            table.complain(name, "is too long, or holds what cannot be shown", remedy);
        } else if name == "nickname" && text.trim().is_empty() {
            table.complain(name, "is empty", "write at least one character");
        }
        draft.texts.push((name, text));
    }
    draft.sex = table.one_of("sex", SEXES);
    draft.avatar = table.text("avatar");
    if let Some(avatar) = &draft.avatar {
        let address = avatar.starts_with("https://") || avatar.starts_with("http://");
        let fits = address && avatar.len() <= 512 && !avatar.chars().any(char::is_control);
        if !fits && !["face", "none"].contains(&avatar.as_str()) {
            let remedy = "write \"face\", \"none\", or an address of http or https";
            table.complain("avatar", "is no picture", remedy);
        }
    }
    draft.standing = table.one_of("standing", STANDINGS);
    if is_new && draft.standing == Some("closed") {
        let remedy = "add them first, and close the account then";
        table.complain("standing", "is closed before there was an account", remedy);
    }
    draft.unionid = table.flag("unionid");
    draft.installed = table.flag("installed");
    draft
}

/// Whether it is a short name: small letters, digits, `-` and `_`, a letter first.
pub fn is_name(name: &str) -> bool {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    name.len() <= 32
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(letter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::Document;

    #[test]
    fn every_mistake_of_a_file_is_told_with_its_line() {
        let toml = "[[people]]\nname = \"Zoe\"\nphone = \"12\"\nsex = \"femal\"\nfone = \"1\"\n\
                    [[people]]\nname = \"li\"\navatar = \"cat\"\nnickname = \" \"\n\
                    [[people]]\nname = \"bo\"\nstanding = \"closed\"\n[[people]]\n";
        let document = Document::toml(toml);
        for table in document.rows("people") {
            draft(&table, true);
        }
        let complaints = document.finish().unwrap_err().to_string();
        for line in [
            "line 2: people[0].name is no short name; write 1 to 32 small letters",
            "line 3: people[0].phone is no phone number; write a number with",
            "line 4: people[0].sex is \"femal\"; did you mean \"female\"?",
            "line 5: there is no people[0].fone; did you mean phone?",
            "line 8: people[1].avatar is no picture; write \"face\"",
            "line 9: people[1].nickname is empty; write at least",
            "line 12: people[2].standing is closed before",
            "line 13: people[3].name is missing; write a short name",
        ] {
            assert!(complaints.contains(line), "{line}\n{complaints}");
        }
        assert_eq!(complaints.lines().count(), 8, "{complaints}");
    }

    #[test]
    fn short_names_are_words_for_commands() {
        for name in ["a", "mei", "li-2", "x_y", &"a".repeat(32)] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "",
            "2li",
            "-a",
            "Mei",
            "梅",
            "a b",
            "a/b",
            "é",
            &"a".repeat(33),
        ] {
            assert!(!is_name(name), "{name}");
        }
    }
}
