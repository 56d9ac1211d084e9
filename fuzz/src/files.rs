//! Files of people and of faults, in TOML and JSON: all is read or nothing, every complaint has
//! words and a line that is there, and a fault that was read is written and read as itself.

use crate::read::Document;
use crate::sandbox::control::person;
use crate::sandbox::fault::read::{Known, read};
use crate::told;

/// The text of a file.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for open in [Document::toml, Document::json] {
        faults(&text, open);
        people(&text, open);
    }
}

fn faults(text: &str, open: fn(&str) -> Document) {
    let known = Known {
        clients: vec!["wx0123456789abcdef".to_owned()],
        people: vec!["mei".to_owned(), "wei".to_owned()],
    };
    match read(open(text), &known) {
        Ok(faults) => {
            for fault in faults {
                assert!(fault.times.is_none_or(|times| times > 0));
                assert!(
                    fault
                        .chance
                        .is_none_or(|chance| (0.0..=1.0).contains(&chance))
                );
                assert!(
                    fault
                        .person
                        .as_ref()
                        .is_none_or(|name| known.people.contains(name))
                );
                let mut value = serde_json::to_value(&fault).expect("a fault as JSON");
                let members = value.as_object_mut().expect("an object");
                for own in ["id", "left", "played"] {
                    members.remove(own);
                }
                let again = read(Document::json(&value.to_string()), &known);
                let again = again.unwrap_or_else(|wrong| panic!("{value}: {wrong}"));
                assert_eq!(again, [fault]);
            }
        }
        Err(complaints) => told(text, &complaints),
    }
}

fn people(text: &str, open: fn(&str) -> Document) {
    let document = open(text);
    let drafts: Vec<_> = document
        .rows("people")
        .iter()
        .map(|row| person::draft(row, true))
        .collect();
    match document.finish() {
        Ok(()) => {
            for draft in drafts {
                assert!(
                    draft.name.as_deref().is_some_and(person::is_name),
                    "{draft:?}"
                );
                assert!(draft.standing != Some("closed"));
                for (_, text) in &draft.texts {
                    assert!(text.chars().count() <= 64 && !text.chars().any(char::is_control));
                }
            }
        }
        Err(complaints) => told(text, &complaints),
    }
}
