//! The platform's books: review, edits, secrets, names, operators' people.

use std::sync::Arc;

use yufu_core::client::{ClientKind, ClientPolicy, NativeIdentity, Review, Status};
use yufu_core::engine::{ClientDraft, ClientEdit, Engine, Ports, Proof, Settings, UserDraft};
use yufu_core::id::{ClientId, DeveloperId, Number};
use yufu_core::keyring::MasterKey;
use yufu_core::redirect::RedirectRule;
use yufu_core::refusal::Refusal;
use yufu_core::secret::{Entropy, Secret};
use yufu_core::store::{Browse, Change, Record, Store};
use yufu_core::user::{Phone, Profile, UserStatus};

use crate::world::*;

#[tokio::test]
async fn every_step_from_every_standing_is_as_the_table_has_it() {
    use Review::*;
    use Status::*;
    let table = [
        (Draft, Submit, Some(InReview)),
        (Draft, Approve, None),
        (Draft, Reject, None),
        (Draft, Suspend, Some(Suspended)),
        (Draft, Edit, Some(Draft)),
        (InReview, Submit, None),
        (InReview, Approve, Some(Approved)),
        (InReview, Reject, Some(Rejected)),
        (InReview, Suspend, Some(Suspended)),
        (InReview, Edit, Some(InReview)),
        (Approved, Submit, None),
        (Approved, Approve, None),
        (Approved, Reject, None),
        (Approved, Suspend, Some(Suspended)),
        (Approved, Edit, Some(InReview)),
        (Rejected, Submit, Some(InReview)),
        (Rejected, Approve, None),
        (Rejected, Reject, None),
        (Rejected, Suspend, Some(Suspended)),
        (Rejected, Edit, Some(Rejected)),
        (Suspended, Submit, None),
        (Suspended, Approve, Some(Approved)),
        (Suspended, Reject, None),
        (Suspended, Suspend, Some(Suspended)),
        (Suspended, Edit, Some(Suspended)),
    ];
    let w = World::new().await;
    for (from, step, to) in table {
        let mut draft = draft(w.developers[0], ClientKind::Website, "New", true);
        draft.status = from;
        let (client, _) = w.engine.create_client(draft, NOW).await.unwrap();
        w.store.lists();
        let outcome = w.engine.review(&client.id, step, "because", NOW).await;
        match to {
            None => {
                assert_eq!(
                    refused(outcome),
                    Refusal::Malformed("status"),
                    "{from:?} {step:?}"
                );
                assert!(w.store.changes().is_empty());
            }
            Some(to) => {
                let after = outcome.unwrap();
                assert_eq!((after.status, after.version), (to, 2), "{from:?} {step:?}");
                let told = matches!(step, Reject | Suspend);
                assert_eq!(after.reason, if told { "because" } else { "" });
                assert_eq!(w.store.change()[0], "put client");
                assert_eq!(*w.engine.client(&client.id).await.unwrap(), after);
            }
        }
    }
    let nobody = ClientId::new("wx00");
    let outcome = w.engine.review(&nobody, Approve, "", NOW).await;
    assert_eq!(refused(outcome), Refusal::UnknownClient);
}

#[tokio::test]
async fn a_reason_stands_until_somebody_decides_again() {
    let w = World::new().await;
    let step = async |step, reason| {
        w.engine
            .review(&w.site.id, step, reason, NOW)
            .await
            .unwrap()
    };
    assert_eq!(step(Review::Suspend, "spam").await.reason, "spam");
    assert_eq!(step(Review::Edit, "ignored").await.reason, "spam");
    assert_eq!(step(Review::Suspend, "fraud").await.reason, "fraud");
    assert_eq!(step(Review::Approve, "ignored").await.reason, "");
}

#[tokio::test]
async fn an_edit_of_identity_or_redirects_goes_back_to_review() {
    let w = World::new().await;
    let native = NativeIdentity {
        ios_bundle: Some("com.example.two".into()),
        ..NativeIdentity::default()
    };
    for edit in [
        ClientEdit {
            name: Some("Renamed".into()),
            ..ClientEdit::default()
        },
        ClientEdit {
            redirects: Some(vec![RedirectRule::Host("two.example.com".into())]),
            ..ClientEdit::default()
        },
        ClientEdit {
            native: Some(native),
            ..ClientEdit::default()
        },
    ] {
        let edited = w
            .engine
            .edit_client(&w.site.id, edit.clone(), NOW)
            .await
            .unwrap();
        assert_eq!(edited.status, Status::InReview);
        assert_eq!(w.store.change(), ["put client", "event client.edited"]);
        let begun = w.begin(scan_request(&w.site), &stranger("b"), NOW).await;
        assert!(begun.is_err(), "not approved any more, or not its redirect");
        w.engine
            .review(&w.site.id, Review::Approve, "", NOW)
            .await
            .unwrap();
        let same = w.engine.edit_client(&w.site.id, edit, NOW).await.unwrap();
        assert_eq!(
            same.status,
            Status::Approved,
            "an edit that changes nothing"
        );
        w.store.lists();
    }
    let own_affair = ClientEdit {
        bound: Some(false),
        policy: Some(ClientPolicy {
            authdeny: true,
            ..ClientPolicy::of(ClientKind::Website)
        }),
        ..ClientEdit::default()
    };
    let edited = w
        .engine
        .edit_client(&w.site.id, own_affair, NOW)
        .await
        .unwrap();
    assert_eq!(edited.status, Status::Approved);
    assert!(!edited.bound && edited.policy.authdeny);
}

#[tokio::test]
async fn no_edit_lifts_a_suspension() {
    let w = World::new().await;
    w.engine
        .review(&w.site.id, Review::Suspend, "spam", NOW)
        .await
        .unwrap();
    let edit = ClientEdit {
        name: Some("Innocent".into()),
        redirects: Some(Vec::new()),
        policy: Some(ClientPolicy::of(ClientKind::Website)),
        ..ClientEdit::default()
    };
    let edited = w.engine.edit_client(&w.site.id, edit, NOW).await.unwrap();
    assert_eq!(
        (edited.status, edited.reason.as_str()),
        (Status::Suspended, "spam")
    );
    let outcome = w.engine.review(&w.site.id, Review::Submit, "", NOW).await;
    assert_eq!(refused(outcome), Refusal::Malformed("status"));
}

#[tokio::test]
async fn a_client_has_the_platforms_shape_and_its_secret_is_not_stored() {
    let w = World::new().await;
    let draft = draft(w.developers[0], ClientKind::Website, " New ", true);
    let (client, secret) = w.engine.create_client(draft, NOW).await.unwrap();
    let lists = w.store.lists();
    let id = client.id.as_str();
    let hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    assert!(
        id.len() == 18 && id.starts_with("wx") && hex(&id[2..]),
        "{id}"
    );
    assert!(secret.expose().len() == 32 && hex(secret.expose()));
    assert_eq!((client.name.as_str(), client.version), ("New", 1));
    assert!(!format!("{lists:?}").contains(secret.expose()));
    assert_eq!(client.scopes, ClientKind::Website.scopes());
}

#[tokio::test]
async fn a_third_secret_drops_the_first_at_once() {
    let w = World::new().await;
    let second = w.engine.rotate_secret(&w.site.id, NOW).await.unwrap();
    assert_eq!(
        w.store.change(),
        ["put client", "event client.secret_rotated"]
    );
    let third = w.engine.rotate_secret(&w.site.id, NOW).await.unwrap();
    assert_eq!(w.client(&w.site).await.secrets.len(), 2);
    let works = async |secret: &Secret| {
        let app = App {
            secret: secret.clone(),
            ..w.site.clone()
        };
        w.client_token(&app, NOW).await
    };
    assert_eq!(refused(works(&w.site.secret).await), Refusal::WrongSecret);
    works(&second).await.unwrap();
    works(&third).await.unwrap();
    let outcome = w.engine.rotate_secret(&ClientId::new("wx00"), NOW).await;
    assert_eq!(refused(outcome), Refusal::UnknownClient);
}

#[tokio::test]
async fn names_are_one_to_sixty_four_characters_without_controls() {
    let w = World::new().await;
    for (name, fits) in [
        ("", false),
        ("  ", false),
        ("a\u{0}b", false),
        (&"名".repeat(65), false),
        (&"名".repeat(64), true),
        ("微信 é 🐟", true),
    ] {
        let developer = w.engine.create_developer(name, NOW).await;
        let draft = draft(w.developers[0], ClientKind::Website, name, true);
        let client = w.engine.create_client(draft, NOW).await;
        let edit = ClientEdit {
            name: Some(name.into()),
            ..ClientEdit::default()
        };
        let edited = w.engine.edit_client(&w.site.id, edit, NOW).await;
        match fits {
            true => {
                assert_eq!(developer.unwrap().name, name);
                assert_eq!(client.unwrap().0.name, name);
                assert_eq!(edited.unwrap().name, name);
                assert_eq!(w.store.changes().len(), 3);
            }
            false => {
                assert_eq!(
                    refused(developer),
                    Refusal::ProfileUnfit("name"),
                    "{name:?}"
                );
                assert_eq!(refused(client), Refusal::ProfileUnfit("name"));
                assert_eq!(refused(edited), Refusal::ProfileUnfit("name"));
                assert!(w.store.changes().is_empty());
            }
        }
    }
}

#[tokio::test]
async fn unsound_redirects_and_native_identities_are_named_and_change_nothing() {
    let w = World::new().await;
    let before = w.client(&w.mobile).await;
    for rule in [
        RedirectRule::Host("example.com/path".into()),
        RedirectRule::Host("localhost".into()),
        RedirectRule::Exact("https://a.example/#f".into()),
        RedirectRule::Scheme("javascript".into()),
    ] {
        let edit = ClientEdit {
            redirects: Some(vec![rule]),
            ..ClientEdit::default()
        };
        let outcome = w.engine.edit_client(&w.mobile.id, edit, NOW).await;
        assert_eq!(refused(outcome), Refusal::RedirectMalformed);
    }
    let some = |text: &str| Some(text.to_owned());
    let none = NativeIdentity::default;
    for (native, field) in [
        (
            NativeIdentity {
                ios_bundle: some(""),
                ..none()
            },
            "ios_bundle",
        ),
        (
            NativeIdentity {
                ios_bundle: some("a b"),
                ..none()
            },
            "ios_bundle",
        ),
        (
            NativeIdentity {
                android_package: some("é"),
                ..none()
            },
            "android_package",
        ),
        (
            NativeIdentity {
                harmony_bundle: some(&"x".repeat(257)),
                ..none()
            },
            "harmony_bundle",
        ),
        (
            NativeIdentity {
                harmony_identifier: some("\n"),
                ..none()
            },
            "harmony_identifier",
        ),
        (
            NativeIdentity {
                ios_universal_link: some("http://a.example/"),
                ..none()
            },
            "ios_universal_link",
        ),
        (
            NativeIdentity {
                ios_universal_link: some("https://a.example"),
                ..none()
            },
            "ios_universal_link",
        ),
        (
            NativeIdentity {
                ios_universal_link: some("https://a.example/?x=/"),
                ..none()
            },
            "ios_universal_link",
        ),
        (
            NativeIdentity {
                ios_universal_link: some("https://a.example/#/"),
                ..none()
            },
            "ios_universal_link",
        ),
        (
            NativeIdentity {
                ios_universal_link: some("https://u@a.example/"),
                ..none()
            },
            "ios_universal_link",
        ),
        (
            NativeIdentity {
                android_signature: some("AB:CD"),
                ..none()
            },
            "android_signature",
        ),
        (
            NativeIdentity {
                android_signature: some(&DIGEST.to_uppercase()),
                ..none()
            },
            "android_signature",
        ),
        (
            NativeIdentity {
                android_signature: some(&DIGEST[1..]),
                ..none()
            },
            "android_signature",
        ),
    ] {
        let edit = ClientEdit {
            native: Some(native),
            ..ClientEdit::default()
        };
        let outcome = w.engine.edit_client(&w.mobile.id, edit, NOW).await;
        assert_eq!(refused(outcome), Refusal::Malformed(field));
    }
    assert!(w.store.changes().is_empty());
    assert_eq!(w.client(&w.mobile).await, before);
    let draft = ClientDraft {
        developer: DeveloperId(Number(1)),
        ..draft(w.developers[0], ClientKind::Website, "New", true)
    };
    let outcome = w.engine.create_client(draft, NOW).await;
    assert_eq!(refused(outcome), Refusal::Malformed("developer"));
}

#[tokio::test]
async fn an_operator_makes_people_with_numbers_of_their_own() {
    let w = World::new().await;
    let draft = |nickname: &str, phone: Option<&str>, password: Option<&str>| UserDraft {
        profile: Profile {
            nickname: nickname.into(),
            ..Profile::default()
        },
        phone: phone.map(|phone| yufu_core::user::Phone::parse(phone).unwrap()),
        password: password.map(Secret::new),
        ..UserDraft::default()
    };
    let user = w
        .engine
        .create_user(draft("x", Some("13900000009"), None), NOW)
        .await
        .unwrap();
    assert_eq!(
        w.store.change(),
        ["put user", "put handle", "event user.created"]
    );
    assert_eq!(user.password, None);
    w.engine
        .create_user(draft("x", None, None), NOW)
        .await
        .unwrap();
    assert_eq!(w.store.change(), ["put user", "event user.created"]);
    for (draft, refusal) in [
        (
            draft("x", Some("13900000009"), None),
            Refusal::Malformed("phone"),
        ),
        (draft("", None, None), Refusal::ProfileUnfit("nickname")),
        (
            draft("x", Some("13900000008"), Some("short")),
            Refusal::PasswordUnfit,
        ),
        (
            draft("x", Some("13900000008"), Some("13900000008")),
            Refusal::PasswordUnfit,
        ),
    ] {
        assert_eq!(refused(w.engine.create_user(draft, NOW).await), refusal);
    }
    assert!(w.store.changes().is_empty());
    let brought = UserDraft {
        password_hash: Some("salt$brought along".into()),
        ..draft("x", Some("13900000007"), None)
    };
    let user = w.engine.create_user(brought, NOW).await.unwrap();
    let proof = Proof::Password(Secret::new("brought along"));
    let session = w
        .engine
        .sign_in(&user.phone.unwrap(), proof, HERE, NOW)
        .await;
    session.unwrap();
    let found = w.engine.user(user.id).await.unwrap();
    assert_eq!(found.password.as_deref(), Some("salt$brought along"));
    let nobody = yufu_core::id::UserId(Number(1));
    assert_eq!(refused(w.engine.user(nobody).await), Refusal::NotSignedIn);
    let outcome = w
        .engine
        .set_user_status(nobody, UserStatus::Restricted, NOW)
        .await;
    assert_eq!(refused(outcome), Refusal::NotSignedIn);
}

#[tokio::test]
async fn an_operator_gives_somebody_another_number_and_the_old_one_is_free() {
    let w = World::new().await;
    let phone = |text: &str| Phone::parse(text).unwrap();
    let (old, new) = (w.mei.phone.clone(), phone("13900000009"));
    w.engine.move_number(w.mei.id, &new, NOW).await.unwrap();
    assert_eq!(
        w.store.change(),
        ["drop handle", "put handle", "put user", "event user.phone"]
    );
    w.engine.move_number(w.mei.id, &new, NOW).await.unwrap();
    assert!(w.store.changes().is_empty(), "it has it already");
    let taken = w.engine.move_number(w.mei.id, &w.wei.phone, NOW).await;
    assert_eq!(refused(taken), Refusal::Malformed("phone"));
    let proof = || Proof::Password(Secret::new(w.mei.password));
    let by = |phone| w.engine.sign_in(phone, proof(), HERE, NOW);
    assert_eq!(refused(by(&old).await), Refusal::WrongCredentials);
    by(&new).await.unwrap();
    w.engine.move_number(w.wei.id, &old, NOW).await.unwrap();
    let nobody = yufu_core::id::UserId(Number(1));
    let outcome = w
        .engine
        .move_number(nobody, &phone("13900000008"), NOW)
        .await;
    assert_eq!(refused(outcome), Refusal::NotSignedIn);
}

#[tokio::test]
async fn a_closed_account_leaves_nothing_alive_and_frees_its_number() {
    let w = World::new().await;
    let session = w.sign_in(&w.mei, NOW).await;
    let (page, site) = (
        w.tokens(&w.page, &w.mei, NOW).await,
        w.tokens(&w.site, &w.mei, NOW).await,
    );
    w.store.lists();
    w.engine.close_user(w.mei.id, at(1)).await.unwrap();
    assert_eq!(
        w.store.change(),
        [
            "put grant",
            "put grant",
            "drop handle",
            "put user",
            "event user.closed"
        ]
    );
    for tokens in [&page, &site] {
        let outcome = w.profile(&tokens.access, at(2)).await;
        assert_eq!(refused(outcome), Refusal::UnknownAccess);
    }
    assert!(w.signed_in(&session, at(2)).await.is_none());
    let outcome = w.engine.sign_in_as(w.mei.id, at(2)).await;
    assert_eq!(refused(outcome), Refusal::UserRestricted);
    let left = w.engine.user(w.mei.id).await.unwrap();
    assert_eq!((&left.profile, &left.phone), (&Profile::default(), &None));
    assert_eq!(left.password, None);
    // It stays closed; its number has a new owner.
    let again = w.engine.close_user(w.mei.id, at(3)).await;
    assert_eq!(refused(again), Refusal::NotSignedIn);
    w.engine
        .move_number(w.wei.id, &w.mei.phone, at(3))
        .await
        .unwrap();
}

#[tokio::test]
async fn the_books_are_told_in_the_audit_without_a_secret() {
    let w = World::new().await;
    let secret = w.engine.rotate_secret(&w.site.id, NOW).await.unwrap();
    let mei = w.tokens(&w.page, &w.mei, NOW).await;
    let events = w.store.events(1000).await.unwrap();
    let what: Vec<_> = events.iter().map(|event| event.what.as_str()).collect();
    for expected in [
        "developer.created",
        "client.created",
        "client.secret_rotated",
        "user.created",
        "session.began",
        "grant.given",
        "code.exchanged",
    ] {
        assert!(what.contains(&expected), "{expected}");
    }
    let text = format!("{events:?}");
    for secret in [
        &secret,
        &w.site.secret,
        &mei.access,
        mei.refresh.as_ref().unwrap(),
    ] {
        assert!(!text.contains(secret.expose()));
    }
    let mut numbers: Vec<_> = events.iter().map(|event| event.number).collect();
    numbers.dedup();
    assert!(
        numbers.is_sorted_by(|a, b| a > b),
        "newest first, each its own number"
    );
}

// --- the house itself ---------------------------------------------------------------------------

/// Opens a house over the store of this world.
#[tokio::test]
async fn a_client_moves_here_with_the_id_and_secret_it_had_elsewhere() {
    let w = World::new().await;
    let bring = |id: &'static str, secret: &'static str| {
        let mut draft = draft(w.developers[0], ClientKind::Website, "Moved", true);
        draft.status = Status::Approved;
        let w = &w;
        async move {
            w.engine
                .bring_client(draft, &ClientId::new(id), &Secret::new(secret), NOW)
                .await
        }
    };
    let client = bring("wx00000000deadbeef", "0123456789abcdef0123456789abcdef")
        .await
        .unwrap();
    assert_eq!(client.id.as_str(), "wx00000000deadbeef");
    assert_eq!(w.store.change(), ["put client", "event client.created"]);
    let known = w.engine.client(&client.id).await.unwrap();
    let hash = yufu_core::secret::SecretHash::of(b"0123456789abcdef0123456789abcdef");
    assert_eq!(known.secrets.len(), 1);
    assert_eq!(known.secrets[0].hash, hash);
    for (id, secret, field) in [
        ("wx00000000deadbeef", "another-secret", "client"),
        ("", "another-secret", "client"),
        ("wx 1", "another-secret", "client"),
        ("wx1", "short", "secret"),
        ("wx1", "blank in it", "secret"),
    ] {
        assert_eq!(
            refused(bring(id, secret).await),
            Refusal::Malformed(field),
            "{id:?} {secret:?}"
        );
    }
    // Another secret in its place: the one before is no good any more.
    let give = async |secret: &str| {
        let secret = Secret::new(secret);
        w.engine.give_secret(&client.id, &secret, NOW).await
    };
    give("fedcba9876543210").await.unwrap();
    assert_eq!(
        w.store.change(),
        ["put client", "event client.secret_given"]
    );
    let known = w.engine.client(&client.id).await.unwrap();
    let hashes: Vec<_> = known.secrets.iter().map(|secret| secret.hash).collect();
    assert_eq!(
        hashes,
        [yufu_core::secret::SecretHash::of(b"fedcba9876543210")]
    );
    assert_eq!(refused(give("short").await), Refusal::Malformed("secret"));
    let nobody = ClientId::new("wx2");
    let given = w
        .engine
        .give_secret(&nobody, &Secret::new("fedcba9876543210"), NOW)
        .await;
    assert_eq!(refused(given), Refusal::UnknownClient);
    let long: &'static str = "x".repeat(65).leak();
    assert_eq!(
        refused(bring(long, "another-secret").await),
        Refusal::Malformed("client")
    );
    assert!(w.store.changes().is_empty());
}

#[tokio::test]
async fn the_operator_vouches_for_a_session_of_their_own_people() {
    let w = World::new().await;
    let session = w.engine.sign_in_as(w.mei.id, NOW).await.unwrap();
    assert_eq!(
        w.signed_in(session.expose(), NOW).await.unwrap().user.id,
        w.mei.id
    );
    let nobody = yufu_core::id::UserId(Number(1));
    assert_eq!(
        refused(w.engine.sign_in_as(nobody, NOW).await),
        Refusal::NotSignedIn
    );
}

async fn open(w: &World, seed: u64) -> Result<Engine, yufu_core::refusal::Fault> {
    let entropy = Arc::new(Counted::default());
    let ports = Ports {
        store: w.store.clone(),
        browse: w.store.clone(),
        entropy: entropy.clone(),
        hasher: w.hasher.clone(),
    };
    for _ in 0..seed {
        entropy.fill(&mut [0; 8]);
    }
    let master = MasterKey::draw(&*entropy);
    Engine::open(ports, &master, Settings::default(), NOW).await
}

#[tokio::test]
async fn a_house_opened_again_under_its_master_key_knows_its_own_secrets() {
    let w = World::new().await;
    let tokens = w.tokens(&w.site, &w.mei, NOW).await;
    let again = open(&w, 0).await.unwrap();
    assert!(w.store.changes().is_empty(), "it was founded once");
    let report = again.inspect_secret(&tokens.access).await.unwrap();
    assert_eq!(report.user, Some(w.mei.id));
    assert!(
        open(&w, 1).await.is_err(),
        "another master key opens nothing"
    );
    assert!(w.store.changes().is_empty());
}

#[tokio::test]
async fn a_house_founded_by_another_in_the_same_moment_is_opened_with_its_keys() {
    let w = World::new().await;
    let keys = w.store.keys().await.unwrap();
    let put = |key| Change::Put(Record::Key(key));
    let clash = w
        .store
        .commit(keys.iter().cloned().map(put).collect())
        .await;
    assert!(matches!(clash, Err(yufu_core::store::Clash::Exists)));
    // An empty store that cannot be written is no house.
    let empty = World {
        store: Arc::default(),
        ..World::new().await
    };
    for weather in [Weather::Failed, Weather::UnknownLost, Weather::Exists] {
        empty.store.forecast(&[weather]);
        assert!(open(&empty, 0).await.is_err(), "{weather:?}");
    }
    open(&empty, 0).await.unwrap();
    assert_eq!(empty.store.change(), ["put key", "put key"]);
}
