//! The bytes of every body that was ever stored must still load.
//!
//! `tests/bodies/<what>_<version>_<which>.json` are such bytes, as they lie in databases: bodies of
//! tickets, and the records that are kept whole. A file is never changed. When a body changes its
//! shape, the old files go on being read and files of the next version come beside them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use yufu_core::client::{Client, ClientPolicy, Developer};
use yufu_core::grant::Grant;
use yufu_core::id::Number;
use yufu_core::login::body::{
    Answer, BindTicket, DeviceSession, Erasure, Merge, Sends, Shown, Spent, Sync, Transaction,
    Vault,
};
use yufu_core::ticket::{
    Access, Code, CodePurpose, Interaction, Kind, Nonce, Passcode, PlatformStanding, Refresh, Scan,
    ScanStage, Session,
};
use yufu_core::time::Timestamp;
use yufu_core::user::User;

/// All files by name.
fn files() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bodies");
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(path).unwrap();
            (name, text.trim_end().to_owned())
        })
        .collect()
}

/// Loads a text and writes it again.
fn again<T: DeserializeOwned + Serialize>(text: &str) -> String {
    let loaded: T = serde_json::from_str(text).unwrap();
    serde_json::to_string(&loaded).unwrap()
}

fn rewritten(what: &str, text: &str) -> String {
    match what {
        "interaction" => again::<Interaction>(text),
        "session" => again::<Session>(text),
        "scan" => again::<Scan>(text),
        "passcode" => again::<Passcode>(text),
        "code" => again::<Code>(text),
        "access" => again::<Access>(text),
        "refresh" => again::<Refresh>(text),
        "nonce" => again::<Nonce>(text),
        "platform" => again::<PlatformStanding>(text),
        "transaction" => again::<Transaction>(text),
        "bind" => again::<BindTicket>(text),
        "device" => again::<DeviceSession>(text),
        "vault" => again::<Vault>(text),
        "shown" => again::<Shown>(text),
        "spent" => again::<Spent>(text),
        "answer" => again::<Answer>(text),
        "erasure" => again::<Erasure>(text),
        "sync" => again::<Sync>(text),
        "merge" => again::<Merge>(text),
        "sends" => again::<Sends>(text),
        "client" => again::<Client>(text),
        "developer" => again::<Developer>(text),
        "user" => again::<User>(text),
        "grant" => again::<Grant>(text),
        other => panic!("what is a {other}?"),
    }
}

#[test]
fn every_stored_body_loads_and_is_written_as_it_was() {
    let files = files();
    for (name, text) in &files {
        let what = name.split('_').next().unwrap();
        assert_eq!(rewritten(what, text), *text, "{name}: the shape changed");
    }
    let records = ["client", "developer", "user", "grant"];
    for what in Kind::ALL.map(Kind::word).into_iter().chain(records) {
        let some = files
            .keys()
            .any(|name| name.starts_with(&format!("{what}_1")));
        assert!(some, "no bytes of a {what}");
    }
    let some_with = |what: &str, field: &str, word: &str| {
        let text = format!("\"{field}\":\"{word}\"");
        let mut of_kind = files.iter().filter(|(name, _)| name.starts_with(what));
        of_kind.any(|(_, stored)| stored.contains(&text))
    };
    for stage in ["waiting", "scanned", "cancelled", "approved", "paid"] {
        assert!(some_with("scan", "stage", stage), "no scan {stage}");
    }
    for stage in ["pending", "exchanging", "done", "closed"] {
        let some = some_with("transaction", "stage", stage);
        assert!(some, "no transaction {stage}");
    }
    for good_for in ["binding", "choosing", "cancelling"] {
        let some = some_with("bind", "good_for", good_for);
        assert!(some, "no ticket for {good_for}");
    }
    for by in ["logged_out", "replaced", "kicked", "reused", "stolen"] {
        assert!(some_with("device", "by", by), "no session {by}");
    }
}

#[test]
fn a_body_without_later_fields_loads_with_their_defaults() {
    let session: Session = serde_json::from_str(r#"{"authenticated_at":1,"ends_at":2}"#).unwrap();
    assert_eq!(session.from, Timestamp(0));
    let access: Access = serde_json::from_str(r#"{"scopes":[]}"#).unwrap();
    let refresh: Refresh = serde_json::from_str(r#"{"scopes":[],"access":6}"#).unwrap();
    assert_eq!((access.from, refresh.from), (Timestamp(0), Timestamp(0)));
    let code: Code =
        serde_json::from_str(r#"{"scopes":["snsapi_base"],"challenge":null}"#).unwrap();
    assert_eq!(code.purpose, CodePurpose::Tokens);
    let standing: PlatformStanding = serde_json::from_str("{}").unwrap();
    assert_eq!(standing, PlatformStanding::default());
    // Of these the files of the first shape have none of what came with the login backend.
    let files = files();
    let passcode: Passcode = serde_json::from_str(&files["passcode_1"]).unwrap();
    assert_eq!((passcode.nonce, passcode.used), (0, false));
    assert!(passcode.former.is_empty());
    let user: User = serde_json::from_str(&files["user_1"]).unwrap();
    assert!(user.identities.is_empty() && user.consent.is_empty());
    assert_eq!((user.seen_at, user.replacing), (None, None));
    let policy: ClientPolicy = serde_json::from_str("{}").unwrap();
    assert_eq!(policy, ClientPolicy::default());
}

#[test]
fn a_paid_scan_of_the_file_means_what_it_meant() {
    let scan: Scan = serde_json::from_str(&files()["scan_1_paid"]).unwrap();
    let paid = ScanStage::Paid {
        code: Number(5),
        version: 1,
        at: Timestamp(1_800_000_000_000),
    };
    assert_eq!(scan.stage, paid);
}
