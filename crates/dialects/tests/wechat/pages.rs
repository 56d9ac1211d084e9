//! What the error pages say (§9, §11.2).

use yufu_core::refusal::Refusal;
use yufu_dialects::endpoint::{Door, PageContext, PageText};
use yufu_dialects::wechat::DIALECT;

const DOORS: [Door; 4] = [Door::InClient, Door::Scan, Door::Native, Door::Phone];

fn page(refusal: &Refusal, door: Door) -> PageText {
    (DIALECT.page)(refusal, &PageContext { door })
}

/// §9.
#[test]
fn numbers_and_words_are_the_platforms() {
    for (refusal, number, text) in [
        (
            Refusal::RedirectMismatch,
            Some(10003),
            "redirect_uri 参数错误",
        ),
        (
            Refusal::RedirectMalformed,
            Some(10003),
            "redirect_uri 参数错误",
        ),
        (
            Refusal::ScopeDenied,
            Some(10005),
            "Scope 参数错误或没有 Scope 权限",
        ),
        (
            Refusal::ScopeUnknown,
            Some(10005),
            "Scope 参数错误或没有 Scope 权限",
        ),
        (
            Refusal::ClientNotApproved,
            Some(10005),
            "Scope 参数错误或没有 Scope 权限",
        ),
        (Refusal::StateTooLong, None, "state too long"),
    ] {
        for door in DOORS {
            let page = page(&refusal, door);
            assert_eq!(
                (page.number, page.text.as_str()),
                (number, text),
                "{refusal:?}"
            );
        }
    }
    for (refusal, number) in [
        (Refusal::ClientSuspended, 10004),
        (Refusal::TooFast, 10009),
        (Refusal::MissingScope, 10010),
        (Refusal::MissingRedirect, 10011),
        (Refusal::MissingClientId, 10012),
    ] {
        for door in DOORS {
            assert_eq!(page(&refusal, door).number, Some(number), "{refusal:?}");
        }
    }
}

/// §9: an Open Platform appid at the in-client door.
#[test]
fn the_wrong_kind_of_client_is_sent_to_its_own_door() {
    let text = page(&Refusal::WrongClientKind, Door::InClient);
    assert_eq!(text.number, Some(10016));
    assert!(text.fix_en.contains("/connect/qrconnect"));
    let text = page(&Refusal::WrongClientKind, Door::Scan);
    assert_eq!(text.number, Some(10005));
    assert!(text.fix_en.contains("/connect/oauth2/authorize"));
}

/// §11.2: −6 names the field; there is no registered value that it could tell.
#[test]
fn an_identity_mismatch_names_the_field() {
    for field in ["platform", "bundle", "signature"] {
        let text = page(&Refusal::IdentityMismatch(field), Door::Native);
        assert_eq!(text.number, Some(-6));
        assert!(text.fix_zh.starts_with(field) && text.fix_en.starts_with(field));
    }
}

/// §3, §4.1, §11.1: the limit of the door.
#[test]
fn a_long_state_is_told_its_limit() {
    for (door, limit) in [
        (Door::InClient, "128"),
        (Door::Scan, "4096"),
        (Door::Native, "1024"),
    ] {
        let text = page(&Refusal::StateTooLong, door);
        assert!(text.fix_zh.contains(limit) && text.fix_en.contains(limit));
    }
}

/// Each refusal, at each door, tells the developer what to do in both languages, and whence.
#[test]
fn every_refusal_has_words_in_both_languages_at_every_door() {
    for refusal in Refusal::all() {
        for door in DOORS {
            let text = page(&refusal, door);
            assert!(!text.text.is_empty(), "{refusal:?}");
            assert!(
                text.fix_en.is_ascii() && text.fix_en.ends_with('.'),
                "{refusal:?}"
            );
            assert!(text.fix_zh.ends_with('。'), "{refusal:?}");
            assert!(text.source.starts_with("docs/facts/wechat.md §"));
        }
    }
}
