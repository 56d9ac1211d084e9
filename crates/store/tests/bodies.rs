//! The bytes of every shape that a ticket's body ever had must still load.
//!
//! `bodies/<kind>_<version>_<what>.json` are such bytes, as they lie in databases. A file is never
//! changed; that today's bodies are written as they are is asserted beside the engine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use yufu_core::id::Number;
use yufu_core::login::body::{
    Answer, BindTicket, DeviceSession, Erasure, Merge, Sends, Shown, Spent, Sync, Transaction,
    Vault,
};
use yufu_core::secret::SecretHash;
use yufu_core::ticket::{
    Access, Code, Interaction, Kind, Nonce, Passcode, PlatformStanding, RawTicket, Refresh, Scan,
    Session, Ticket,
};
use yufu_core::time::Timestamp;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bodies")
}

/// All files by name.
fn files() -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect()
}

fn raw(kind: Kind, body: Vec<u8>) -> RawTicket {
    RawTicket {
        kind,
        ticket: Ticket {
            number: Number(1),
            hash: SecretHash([0; 32]),
            grant: None,
            family: None,
            client: None,
            user: None,
            body,
            issued_at: Timestamp(0),
            expires_at: Timestamp(1),
            taken_at: None,
            revoked_at: None,
            version: 1,
        },
    }
}

fn opens(raw: &RawTicket) -> Result<(), yufu_core::refusal::Fault> {
    match raw.kind {
        Kind::Interaction => raw.open::<Interaction>().map(drop),
        Kind::Session => raw.open::<Session>().map(drop),
        Kind::Scan => raw.open::<Scan>().map(drop),
        Kind::Passcode => raw.open::<Passcode>().map(drop),
        Kind::Code => raw.open::<Code>().map(drop),
        Kind::Access => raw.open::<Access>().map(drop),
        Kind::Refresh => raw.open::<Refresh>().map(drop),
        Kind::Nonce => raw.open::<Nonce>().map(drop),
        Kind::Platform => raw.open::<PlatformStanding>().map(drop),
        Kind::Transaction => raw.open::<Transaction>().map(drop),
        Kind::Bind => raw.open::<BindTicket>().map(drop),
        Kind::Device => raw.open::<DeviceSession>().map(drop),
        Kind::Vault => raw.open::<Vault>().map(drop),
        Kind::Shown => raw.open::<Shown>().map(drop),
        Kind::Spent => raw.open::<Spent>().map(drop),
        Kind::Answer => raw.open::<Answer>().map(drop),
        Kind::Erasure => raw.open::<Erasure>().map(drop),
        Kind::Sync => raw.open::<Sync>().map(drop),
        Kind::Merge => raw.open::<Merge>().map(drop),
        Kind::Sends => raw.open::<Sends>().map(drop),
    }
}

#[test]
fn every_body_of_the_past_still_loads() {
    let files = files();
    for kind in Kind::ALL {
        let mut some = false;
        for (name, bytes) in &files {
            if name.split('_').next() == Some(kind.word()) {
                opens(&raw(kind, bytes.clone())).unwrap_or_else(|e| panic!("{name}: {e}"));
                some = true;
            }
        }
        assert!(some, "no bytes of a {}", kind.word());
    }
}
