//! Prints `docs/refusals.md`: every refusal beside its rule and what WeChat says to it. With
//! `YUFU_BLESS=1` the file is written; without, a stale file fails.

use std::fmt::Write as _;
use std::path::Path;

use yufu_core::refusal::Refusal;
use yufu_dialects::endpoint::{Door, PageContext};
use yufu_dialects::wechat::DIALECT;
use yufu_dialects::wechat::refusal::{Place, errcode};

const HEAD: &str = "\
# Refusals

Every way in which yufu says no to a caller, and how the WeChat dialect says it. The rules are \
enforced in `crates/core`; the words come from the exhaustive matches in \
`crates/dialects/src/wechat/refusal.rs` and `page.rs`. This page is printed by the test \
`refusals` of `yufu-dialects` and must not be edited by hand \
(`YUFU_BLESS=1 cargo test -p yufu-dialects` writes it anew).

The errcode is that of the JSON endpoints; where one of them differs, it is named. Each text is \
followed by the request id (`docs/facts/wechat.md` §2). A poll knows six numbers only \
(`docs/facts/wechat.md` §4.2). A fault of our own is `-1 system error`, or 500 to a poll.

| Refusal | Rule | errcode and text | Page |
|---|---|---|---|
";

/// The rule that a refusal enforces, in one line. Exhaustive.
fn rule(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::TooLarge(_) => "A part of the request is within its size limit.",
        Refusal::Malformed(_) => "A part of the request is well formed: UTF-8, a known shape.",
        Refusal::WrongMethod => "The endpoint is called by a method that it takes.",
        Refusal::TooFast => "A caller stays within the calls of a minute.",
        Refusal::QuotaSpent => "A client stays within the calls of a day.",
        Refusal::MissingClientId => "The client names itself.",
        Refusal::MissingSecret => "The client's secret is shown where one is needed.",
        Refusal::MissingCode => "An exchange brings a code.",
        Refusal::MissingRefresh => "A refresh brings a refresh token.",
        Refusal::MissingAccess => "A call on behalf of a user brings an access token.",
        Refusal::MissingSubject => "The openid stands beside the access token.",
        Refusal::MissingRedirect => "An authorization says where it returns to.",
        Refusal::MissingScope => "An authorization says what it asks for.",
        Refusal::UnknownClient => "The client exists and is of this dialect.",
        Refusal::WrongSecret => "The secret is one of the client's live secrets.",
        Refusal::ClientSuspended => "The client is not suspended.",
        Refusal::ClientNotApproved => "The client has passed its review.",
        Refusal::WrongClientKind => "The client is of the kind that this endpoint serves.",
        Refusal::AddressRefused(_) => {
            "The caller's address is on the client's allow-list, if it has one."
        }
        Refusal::GrantTypeUnsupported => "`grant_type` is one that this endpoint knows.",
        Refusal::ResponseTypeUnsupported => "`response_type` is `code`.",
        Refusal::RedirectMalformed => {
            "The redirect address is absolute and read alike by every browser."
        }
        Refusal::RedirectMismatch => "The redirect address is registered for the client.",
        Refusal::ScopeUnknown => "Every scope exists at this endpoint.",
        Refusal::ScopeDenied => "Every scope has been given to the client.",
        Refusal::StateTooLong => "The state is within the limit of its door.",
        Refusal::OpenInClient => "The in-client page is opened inside the platform's own client.",
        Refusal::IdentityMismatch(_) => {
            "The app's platform, bundle and signature are the registered ones."
        }
        Refusal::ChallengeRequired => {
            "The native hand-over is protected by PKCE (RFC 7636, RFC 8252 §6)."
        }
        Refusal::ChallengeMalformed => {
            "A challenge is S256 and 43 characters of base64url (RFC 7636 §4.2)."
        }
        Refusal::ConsentDenied => "The user agrees.",
        Refusal::ConsentCancelled => "The user answers at all.",
        Refusal::InteractionGone => "The page or scan is still open.",
        Refusal::WrongBrowser => "The browser that began an interaction is the one that ends it.",
        Refusal::UnknownCode => "The code exists and belongs to this client.",
        Refusal::SpentCode => "A code is redeemed once (RFC 6749 §4.1.2).",
        Refusal::ExpiredCode => {
            "The code is in time; said so only if the client is set to be told."
        }
        Refusal::VerifierMismatch => {
            "The verifier meets the challenge that was sent (RFC 7636 §4.6)."
        }
        Refusal::RedirectChanged => {
            "The redirect address at the exchange is that of the request (RFC 6749 §4.1.3)."
        }
        Refusal::UnknownRefresh => "The refresh token exists, lives and belongs to this client.",
        Refusal::ExpiredRefresh => "The refresh token is in time.",
        Refusal::UnknownAccess => "The access token exists and was not revoked.",
        Refusal::ExpiredAccess => "The access token is in time.",
        Refusal::WrongSubject => "The openid is the access token's.",
        Refusal::ScopeInsufficient => "The access token was granted what this call needs.",
        Refusal::CredentialsChanged => {
            "The user's password is the one of the time of the grant; off unless set."
        }
        Refusal::UserRestricted => "The user is not restricted by the platform.",
        Refusal::WrongTokenKind => {
            "The access token is a user's, or the client's own, as the call needs."
        }
        Refusal::SignatureMismatch => "A signed scan is signed with the client's live ticket.",
        Refusal::TimestampSkewed => "A signed scan's timestamp is near the platform's time.",
        Refusal::NonceUsed => "A signed scan's nonce is new.",
        Refusal::NotSignedIn => "Somebody is signed in.",
        Refusal::WrongCredentials => "Phone and password, or phone and passcode, match.",
        Refusal::TooManyFailures(_) => "Failed attempts stay within their limit.",
        Refusal::PasscodeTooSoon(_) => "Passcodes are sent at intervals.",
        Refusal::PhoneMalformed => "The phone number is an E.164 number.",
        Refusal::PasswordUnfit => {
            "A new password is neither short, nor long, nor the number itself."
        }
        Refusal::ProfileUnfit(_) => {
            "Profile fields are within their limits, without control characters."
        }
        Refusal::FormForged => "A form was made by a page of this browser.",
        Refusal::UnknownGrant => "The grant is the user's own.",
    }
}

fn at_json(refusal: &Refusal) -> String {
    let usual = errcode(refusal, Place::Tokens);
    let mut text = format!("{} {}", usual.0, usual.1);
    // The same elsewhere is said once.
    let differing = |place: &&Place| errcode(refusal, **place) != usual;
    let others: Vec<_> = Place::ALL.iter().filter(differing).collect();
    for place in others {
        let (code, words) = errcode(refusal, *place);
        let _ = write!(text, "; `{}`: {code} {words}", place.paths());
    }
    text
}

fn on_page(refusal: &Refusal) -> String {
    let said = |door| {
        let page = (DIALECT.page)(refusal, &PageContext { door });
        match page.number {
            Some(number) => format!("{number} {}", page.text),
            None => page.text,
        }
    };
    let (in_client, scan, native) = (said(Door::InClient), said(Door::Scan), said(Door::Native));
    if in_client == scan && scan == native {
        in_client
    } else {
        format!("in-client: {in_client}; scan: {scan}; native: {native}")
    }
}

#[test]
fn the_page_of_refusals_is_fresh() {
    let mut text = HEAD.to_owned();
    for refusal in Refusal::all() {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            refusal.name(),
            rule(&refusal),
            at_json(&refusal),
            on_page(&refusal)
        );
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/refusals.md");
    if std::env::var_os("YUFU_BLESS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == text,
        "docs/refusals.md is stale: run YUFU_BLESS=1 cargo test -p yufu-dialects"
    );
}
