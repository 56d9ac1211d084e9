//! Exports of other projects: every row is read or complained of, and what is read can be stored.
//! The readers are the binary's own sources; the rest of the binary need not be built for them.

#[expect(dead_code, reason = "the binary uses more of it")]
#[path = "../../crates/yufu/src/cli/identities/entry.rs"]
mod entry;
#[expect(dead_code, reason = "the binary uses more of it")]
#[path = "../../crates/yufu/src/cli/identities/row.rs"]
mod row;
#[expect(dead_code, reason = "the binary uses more of it")]
#[path = "../../crates/yufu/src/cli/identities/shape.rs"]
mod shape;

use std::collections::BTreeMap;

use clap::ValueEnum as _;
use entry::{Complaint, Entry, Scopes, account_of, is_imported, judge};
use row::Reader;
use shape::{Row, Shape, Unsure};
use yufu_core::identity::IdentityKey;
use yufu_core::time::Timestamp;
use yufu_core::user::Phone;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// An export, read as one of every shape.
pub fn run(data: &[u8]) {
    let Ok(mut reader) = Reader::new(data) else {
        return;
    };
    let lines = 1 + data
        .iter()
        .filter(|byte| matches!(byte, b'\n' | b'\r'))
        .count() as u64;
    let apps = BTreeMap::from([("wechat".to_owned(), "wx0123456789abcdef".to_owned())]);
    let scopes = Scopes {
        of_app: BTreeMap::new(),
        of_all: Some("main".to_owned()),
    };
    // No row is shorter than a byte and its end.
    let mut left = data.len() + 2;
    while let Some((line, record)) = reader.next() {
        left = left.checked_sub(1).expect("rows without an end");
        assert!(line <= lines, "line {line} of {lines}");
        let record = match record {
            Ok(record) => record,
            Err(what) => {
                assert!(!what.is_empty());
                continue;
            }
        };
        let fields = reader.fields(&record);
        for shape in Shape::value_variants() {
            for unsure in Unsure::value_variants() {
                for row in shape::rows(*shape, &apps, *unsure, &fields, line) {
                    assert_eq!(row.line, line);
                    judged(row, &scopes);
                }
            }
        }
    }
}

fn judged(row: Row, scopes: &Scopes) {
    let mut complaints = Vec::new();
    let entry = judge(row.clone(), scopes, NOW, &mut |complaint| {
        complaints.push(complaint);
    });
    for complaint in &complaints {
        discreet(complaint, &row);
    }
    match entry {
        Some(entry) => storable(&entry),
        None => assert!(!complaints.is_empty(), "a row is left out without a word"),
    }
}

/// Complaints go to terminals and logs: no number, no key, nothing that steers a terminal.
fn discreet(complaint: &Complaint, row: &Row) {
    let text = complaint.text();
    assert!(!text.chars().any(char::is_control), "{text:?}");
    let beside = text.replace(&row.user, "");
    for secret in [&row.phone, &row.openid, &row.unionid, &row.unsure] {
        // Letters alone may be words of the complaint itself: the fuzzer copies them from it.
        let is_telling =
            secret.len() >= 12 && secret.bytes().filter(u8::is_ascii_digit).count() >= 6;
        assert!(!is_telling || !beside.contains(secret.as_str()), "{text}");
    }
}

fn storable(entry: &Entry) {
    let account = account_of("source", &entry.user);
    assert!(is_imported(account) && account == account_of("source", &entry.user));
    let texts = [&entry.user, &entry.nickname, &entry.avatar];
    assert!(!texts.iter().any(|text| text.chars().any(char::is_control)));
    assert!(entry.avatar.is_empty() || entry.avatar.starts_with("http"));
    if let Some(phone) = &entry.phone {
        assert_eq!(Phone::parse(phone.as_str()).as_ref(), Ok(phone));
    }
    let Some(identity) = &entry.identity else {
        return;
    };
    let clean =
        |text: &str| !text.is_empty() && !text.chars().any(|c| c.is_control() || c.is_whitespace());
    let subject = &identity.key.subject;
    assert!(clean(subject) && subject.len() <= IdentityKey::MAX_SUBJECT_BYTES);
    assert!(!identity.key.app.as_str().is_empty());
    if let Some(person) = &identity.person {
        assert!(clean(&person.id), "{:?}", person.id);
        let scope = &person.scope;
        assert!(!scope.chars().any(char::is_control), "{scope:?}");
    }
}
