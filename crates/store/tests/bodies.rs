//! The bytes of every shape that a ticket's body ever had must still load.
//!
//! `bodies/<kind>_<version>_<what>.json` are such bytes, as they lie in databases. A file is never
//! changed. When a body changes its shape, files of the next version are added here and in
//! [`samples`], and the old ones go on being read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use yufu_core::client::Platform;
use yufu_core::id::{GrantId, Number, UserId};
use yufu_core::message::{Challenge, Channel, NativeApp, ScanSignature};
use yufu_core::redirect::{RedirectRule, ReturnPath};
use yufu_core::scope::Scopes;
use yufu_core::secret::SecretHash;
use yufu_core::ticket::{
    Access, Body, Code, CodePurpose, Interaction, Kind, Nonce, Passcode, PlatformStanding,
    RawTicket, Refresh, Scan, ScanStage, Scene, Session, Ticket,
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

#[test]
fn every_body_of_today_means_what_it_meant() {
    let files = files();
    for (name, sample) in samples() {
        let bytes = files.get(name).unwrap_or_else(|| panic!("no {name}.json"));
        sample(name, bytes);
    }
}

type Check = Box<dyn Fn(&str, &[u8])>;

/// A body of today: its bytes are those of the file, and the file loads as exactly this.
fn same<B: Body + Clone + PartialEq + std::fmt::Debug + Serialize + 'static>(body: B) -> Check {
    Box::new(move |name, bytes| {
        let text = serde_json::to_string(&body).unwrap();
        let found = std::str::from_utf8(bytes).unwrap();
        assert_eq!(
            text,
            found.trim_end(),
            "{name}: the shape changed; add files of a new version"
        );
        let opened = raw(B::KIND, bytes.to_vec()).open::<B>().unwrap();
        assert_eq!(opened.body, body, "{name}");
    })
}

fn samples() -> Vec<(&'static str, Check)> {
    let rules = [RedirectRule::Host("app.example".into())];
    let path = ReturnPath::check("https://app.example/cb?x=1", &rules).unwrap();
    let challenge = Challenge::of(&"v".repeat(43));
    let scopes = Scopes::of(&["snsapi_login", "snsapi_userinfo"]);
    let interaction = Interaction {
        channel: Channel::InClient,
        return_path: Some(path.clone()),
        scopes: scopes.clone(),
        state: Some("状态&=\"".into()),
        challenge: Some(challenge),
        browser: SecretHash([7; 32]),
        force_consent: true,
        scan: None,
    };
    let native = Interaction {
        channel: Channel::Native(NativeApp {
            platform: Platform::Harmony,
            bundle: "com.example.app".into(),
            signature: "0123456789abcdef".into(),
        }),
        return_path: None,
        state: None,
        challenge: None,
        force_consent: false,
        scan: Some(Number((1 << 63) - 1)),
        ..interaction.clone()
    };
    let scan = |stage| Scan {
        channel: Channel::Scan,
        return_path: Some(path.clone()),
        scopes: scopes.clone(),
        state: Some(String::new()),
        challenge: None,
        browser: Some(SecretHash([9; 32])),
        stage,
    };
    let signed = Scan {
        channel: Channel::SignedScan(ScanSignature {
            nonce: "n0nce".into(),
            timestamp: "1800000000".into(),
            signature: "da39a3ee5e6b4b0d3255bfef95601890afd80709".into(),
        }),
        return_path: None,
        browser: None,
        challenge: Some(challenge),
        ..scan(ScanStage::Waiting)
    };
    let approved = ScanStage::Approved {
        grant: GrantId(Number(3)),
        user: UserId(Number(4)),
    };
    let paid = ScanStage::Paid {
        code: Number(5),
        version: 1,
        at: Timestamp(1_800_000_000_000),
    };
    vec![
        ("interaction_1_in_client", same(interaction)),
        ("interaction_1_native", same(native)),
        (
            "session_1",
            same(Session {
                authenticated_at: Timestamp(1_800_000_000_000),
                ends_at: Timestamp(1_802_592_000_000),
                from: Timestamp(1_700_000_000_000),
            }),
        ),
        ("scan_1_waiting_signed", same(signed)),
        ("scan_1_scanned", same(scan(ScanStage::Scanned))),
        ("scan_1_cancelled", same(scan(ScanStage::Cancelled))),
        ("scan_1_approved", same(scan(approved))),
        ("scan_1_paid", same(scan(paid))),
        (
            "passcode_1",
            same(Passcode {
                scene: Scene::SignIn,
                mac: SecretHash([1; 32]),
                attempts: 2,
                sent_at: Timestamp(1_800_000_000_000),
            }),
        ),
        (
            "code_1_tokens",
            same(Code {
                scopes: scopes.clone(),
                challenge: Some(challenge),
                purpose: CodePurpose::Tokens,
            }),
        ),
        (
            "code_1_mini",
            same(Code {
                scopes: Scopes::default(),
                challenge: None,
                purpose: CodePurpose::Mini,
            }),
        ),
        (
            "access_1",
            same(Access {
                scopes: scopes.clone(),
            }),
        ),
        (
            "refresh_1",
            same(Refresh {
                scopes: scopes.clone(),
                access: Number(6),
            }),
        ),
        ("nonce_1", same(Nonce {})),
        ("platform_1_empty", same(PlatformStanding::default())),
        (
            "platform_1",
            same(PlatformStanding {
                access: Some(Number(8)),
                ticket: Some((Number(9), Timestamp(1_800_000_000_000))),
            }),
        ),
    ]
}
