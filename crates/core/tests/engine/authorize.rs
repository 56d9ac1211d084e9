//! Authorization: in-client and native, consent and silence, answers and refusals.

use yufu_core::client::{Platform, Review};
use yufu_core::id::ClientId;
use yufu_core::message::{
    Act, AuthorizeRequest, Challenge, Channel, NativeApp, Outcome, Step, Visitor,
};
use yufu_core::refusal::{Refusal, Stop};
use yufu_core::ticket::{Code, Kind};
use yufu_core::user::UserStatus;

use yufu_core::engine::Settings;
use yufu_core::limit::Rate;
use yufu_core::time::Lifetime;

use crate::world::*;

#[tokio::test]
async fn the_first_silent_base_makes_the_grant_and_the_second_only_a_code() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    let request = || page_request(&w.page, "snsapi_base");
    let step = w.begin(request(), &user(&mei), NOW).await.unwrap();
    let answer = returned(step);
    assert_eq!(answer.state.as_deref(), Some("s 1"));
    assert_eq!(
        answer.return_path.with(&[("code", "C")]),
        "https://www.example.com/cb?x=1&code=C#top"
    );
    assert_eq!(code_in(answer).expose().len(), 32);
    assert_eq!(
        w.store.change(),
        [
            "put unionid",
            "put openid",
            "put grant",
            "event grant.given",
            "issue code"
        ]
    );
    let grant = w.grant(&w.mei, &w.page).await.unwrap();
    assert_eq!(grant.scopes, scopes("snsapi_base"));

    code_of(w.begin(request(), &user(&mei), at(1)).await.unwrap());
    assert_eq!(w.store.change(), ["issue code"]);
    assert_eq!(
        w.grant(&w.mei, &w.page).await.unwrap(),
        grant,
        "nothing was confirmed"
    );
}

#[tokio::test]
async fn userinfo_asks_once_and_is_silent_afterwards() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    let request = || page_request(&w.page, "snsapi_userinfo");
    let asked = consent(w.begin(request(), &user(&mei), NOW).await.unwrap());
    assert_eq!(w.store.change(), ["issue interaction"]);
    assert_eq!(
        (asked.client.id.clone(), asked.on_phone),
        (w.page.id.clone(), false)
    );
    assert_eq!(asked.developer.name, "North");
    assert_eq!(asked.scopes, scopes("snsapi_userinfo"));

    let secret = asked.interaction.expose();
    let again = consent(w.engine.look(secret, &user(&mei), at(1)).await.unwrap());
    assert_eq!(again.interaction.expose(), secret);
    assert!(w.store.changes().is_empty(), "looking changes nothing");

    let step = w
        .act(secret, Act::Approve, &user(&mei), at(2))
        .await
        .unwrap();
    code_of(step);
    assert_eq!(
        w.store.change(),
        [
            "put unionid",
            "put openid",
            "put grant",
            "event grant.given",
            "take interaction",
            "issue code"
        ]
    );
    code_of(w.begin(request(), &user(&mei), at(3)).await.unwrap());
    assert_eq!(w.store.change(), ["issue code"]);
}

#[tokio::test]
async fn forced_consent_asks_where_a_grant_stands_and_keeps_the_grant() {
    let w = World::new().await;
    w.tokens(&w.page, &w.mei, NOW).await;
    let before = w.grant(&w.mei, &w.page).await.unwrap();
    let mei = w.sign_in(&w.mei, at(1)).await;
    let request = AuthorizeRequest {
        force_consent: true,
        ..page_request(&w.page, "snsapi_base")
    };
    let asked = consent(w.begin(request, &user(&mei), at(1)).await.unwrap());
    let secret = asked.interaction.expose();
    w.store.lists();
    code_of(
        w.act(secret, Act::Approve, &user(&mei), at(2))
            .await
            .unwrap(),
    );
    assert_eq!(
        w.store.change(),
        [
            "put grant",
            "event grant.given",
            "take interaction",
            "issue code"
        ]
    );
    let after = w.grant(&w.mei, &w.page).await.unwrap();
    assert_eq!(
        (after.id, &after.openid, after.updated_at),
        (before.id, &before.openid, at(2))
    );
    assert!(
        after.scopes.covers(&scopes("snsapi_userinfo")),
        "what was agreed to stands"
    );
}

#[tokio::test]
async fn wider_scopes_ask_again_and_widen_the_grant_but_not_the_code() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    code_of(
        w.begin(page_request(&w.page, "snsapi_base"), &user(&mei), NOW)
            .await
            .unwrap(),
    );
    let wider = page_request(&w.page, "snsapi_userinfo");
    let asked = consent(w.begin(wider, &user(&mei), NOW).await.unwrap());
    let secret = asked.interaction.expose();
    w.store.lists();
    code_of(w.act(secret, Act::Approve, &user(&mei), NOW).await.unwrap());
    let lists = w.store.lists();
    let issued = lists[0].iter().find_map(|change| match change {
        yufu_core::store::Change::Issue(raw) => Some(raw.open::<Code>().unwrap()),
        _ => None,
    });
    let code = issued.unwrap();
    assert_eq!(code.body.scopes, scopes("snsapi_userinfo"));
    assert_eq!(
        code.expires_at,
        at(300),
        "five minutes for a service client"
    );
    let grant = w.grant(&w.mei, &w.page).await.unwrap();
    assert_eq!(grant.scopes, scopes("snsapi_base,snsapi_userinfo"));
}

#[tokio::test]
async fn who_is_not_signed_in_signs_in_then_is_asked_then_answered() {
    let w = World::new().await;
    let request = page_request(&w.page, "snsapi_userinfo");
    let asked = authenticate(w.begin(request, &stranger("b"), NOW).await.unwrap());
    let secret = asked.interaction.expose();
    authenticate(w.engine.look(secret, &stranger("b"), NOW).await.unwrap());
    authenticate(
        w.act(secret, Act::Approve, &stranger("b"), NOW)
            .await
            .unwrap(),
    );
    assert_eq!(
        w.store.change(),
        ["issue interaction"],
        "nothing else was written"
    );

    let mei = w.sign_in(&w.mei, NOW).await;
    let mei = Visitor {
        address: "192.0.2.1",
        session: Some(&mei),
        browser: Some("b"),
    };
    consent(w.engine.look(secret, &mei, at(1)).await.unwrap());
    let answer = returned(w.act(secret, Act::Approve, &mei, at(2)).await.unwrap());
    assert_eq!(answer.state.as_deref(), Some("s 1"));
    assert!(matches!(answer.outcome, Outcome::Code(_)));
}

#[tokio::test]
async fn a_silent_request_is_answered_by_the_look_after_signing_in() {
    let w = World::new().await;
    let request = || page_request(&w.page, "snsapi_base");
    let asked = authenticate(w.begin(request(), &stranger("b"), NOW).await.unwrap());
    let secret = asked.interaction.expose().to_owned();
    let mei = w.sign_in(&w.mei, NOW).await;
    let mei = Visitor {
        address: "192.0.2.1",
        session: Some(&mei),
        browser: Some("b"),
    };
    code_of(w.engine.look(&secret, &mei, at(1)).await.unwrap());
    assert!(w.store.change().contains(&"take interaction".to_owned()));
    let gone = w.engine.look(&secret, &mei, at(1)).await;
    assert_eq!(refused(gone), Refusal::InteractionGone);

    let before = w.grant(&w.mei, &w.page).await.unwrap();
    let asked = authenticate(w.begin(request(), &stranger("b"), at(2)).await.unwrap());
    w.store.lists();
    code_of(
        w.engine
            .look(asked.interaction.expose(), &mei, at(3))
            .await
            .unwrap(),
    );
    assert_eq!(
        w.store.change(),
        ["take interaction", "issue code"],
        "nobody was asked"
    );
    assert_eq!(w.grant(&w.mei, &w.page).await.unwrap(), before);
}

#[tokio::test]
async fn no_and_away_go_back_without_a_code_and_end_the_interaction() {
    let w = World::new().await;
    w.set(&w.page, |policy| policy.authdeny = true).await;
    for (act, signed_in) in [(Act::Deny, true), (Act::Cancel, true), (Act::Deny, false)] {
        let mei = w.sign_in(&w.mei, NOW).await;
        let visitor = if signed_in { user(&mei) } else { stranger("b") };
        let request = page_request(&w.page, "snsapi_userinfo");
        let asked = match w.begin(request, &visitor, NOW).await.unwrap() {
            Step::Consent(asked, _) | Step::Authenticate(asked) => asked,
            step => panic!("{step:?}"),
        };
        let secret = asked.interaction.expose();
        w.store.lists();
        let answer = returned(w.act(secret, act, &visitor, NOW).await.unwrap());
        assert_eq!(w.store.change(), ["take interaction"]);
        match (act, &answer.outcome) {
            (Act::Deny, Outcome::Denied) | (Act::Cancel, Outcome::Cancelled) => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(
            (answer.state.as_deref(), answer.authdeny),
            (Some("s 1"), true)
        );
        for again in [Act::Approve, Act::Deny] {
            let second = w.act(secret, again, &visitor, NOW).await;
            assert_eq!(refused(second), Refusal::InteractionGone);
        }
    }
    assert!(
        w.store
            .changes()
            .iter()
            .flatten()
            .all(|change| change == "issue interaction")
    );
    assert!(w.grant(&w.mei, &w.page).await.is_none());
}

#[tokio::test]
async fn a_second_approval_finds_the_interaction_gone_and_no_second_code() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    let request = page_request(&w.page, "snsapi_userinfo");
    let asked = consent(w.begin(request, &user(&mei), NOW).await.unwrap());
    let secret = asked.interaction.expose();
    code_of(w.act(secret, Act::Approve, &user(&mei), NOW).await.unwrap());
    w.store.lists();
    for act in [Act::Approve, Act::Deny, Act::Cancel] {
        let again = w.act(secret, act, &user(&mei), NOW).await;
        assert_eq!(refused(again), Refusal::InteractionGone);
    }
    assert!(w.store.changes().is_empty());
}

#[tokio::test]
async fn another_browser_and_an_unreadable_secret_are_turned_away() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    let wei = w.sign_in(&w.wei, NOW).await;
    let request = page_request(&w.page, "snsapi_userinfo");
    let asked = consent(w.begin(request.clone(), &user(&mei), NOW).await.unwrap());
    let secret = asked.interaction.expose();
    w.store.lists();
    let nobody = Visitor {
        address: "192.0.2.1",
        session: Some(&mei),
        browser: None,
    };
    for visitor in [user(&wei), stranger("other"), nobody] {
        let looked = w.engine.look(secret, &visitor, NOW).await;
        assert_eq!(refused(looked), Refusal::WrongBrowser);
        for act in [Act::Approve, Act::Deny, Act::Cancel] {
            let acted = w.act(secret, act, &visitor, NOW).await;
            assert_eq!(refused(acted), Refusal::WrongBrowser);
        }
    }
    for secret in ["", "x", &mei, &"0".repeat(39), "é"] {
        let looked = w.engine.look(secret, &user(&mei), NOW).await;
        assert_eq!(refused(looked), Refusal::InteractionGone, "{secret}");
    }
    let begun = w
        .begin(
            request,
            &Visitor {
                address: "192.0.2.1",
                session: Some(&mei),
                browser: None,
            },
            NOW,
        )
        .await;
    assert_eq!(refused(begun), Refusal::WrongBrowser);
    assert!(w.store.changes().is_empty());
}

#[tokio::test]
async fn a_page_shown_to_one_person_is_not_sent_by_another_who_signed_in_meanwhile() {
    // The page's form carries a token bound to the session it was shown in; the door checks it
    // before it proceeds.
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    let wei = w.sign_in(&w.wei, NOW).await;
    let token = w.engine.form_token(&format!("browser\n{mei}"));
    assert_eq!(
        w.engine.check_form(&format!("browser\n{mei}"), &token),
        Ok(())
    );
    for binding in [
        format!("browser\n{wei}"),
        "browser\n".into(),
        format!("\n{mei}"),
    ] {
        assert_eq!(
            w.engine.check_form(&binding, &token),
            Err(Refusal::FormForged)
        );
    }
}

#[tokio::test]
async fn an_interaction_ends_with_its_half_hour() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    let request = page_request(&w.page, "snsapi_userinfo");
    let asked = consent(w.begin(request, &user(&mei), NOW).await.unwrap());
    let secret = asked.interaction.expose();
    w.store.lists();
    consent(w.engine.look(secret, &user(&mei), at(1799)).await.unwrap());
    for act in [Act::Approve, Act::Deny] {
        let late = w.act(secret, act, &user(&mei), at(1800)).await;
        assert_eq!(refused(late), Refusal::InteractionGone);
    }
    assert!(w.store.changes().is_empty());
}

#[tokio::test]
async fn a_client_suspended_between_request_and_yes_gets_no_code() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    let request = page_request(&w.page, "snsapi_userinfo");
    let asked = consent(w.begin(request, &user(&mei), NOW).await.unwrap());
    let secret = asked.interaction.expose();
    w.engine
        .review(&w.page.id, Review::Suspend, "spam", NOW)
        .await
        .unwrap();
    w.store.lists();
    let looked = w.engine.look(secret, &user(&mei), NOW).await;
    assert_eq!(refused(looked), Refusal::ClientSuspended);
    for act in [Act::Approve, Act::Deny] {
        let acted = w.act(secret, act, &user(&mei), NOW).await;
        assert_eq!(refused(acted), Refusal::ClientSuspended);
    }
    assert!(w.store.changes().is_empty());
    assert!(w.grant(&w.mei, &w.page).await.is_none());
    w.engine
        .review(&w.page.id, Review::Approve, "", NOW)
        .await
        .unwrap();
    code_of(w.act(secret, Act::Approve, &user(&mei), NOW).await.unwrap());
}

#[tokio::test]
async fn a_restricted_user_gives_no_grant_silently_or_asked() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    let asked = w
        .begin(page_request(&w.page, "snsapi_userinfo"), &user(&mei), NOW)
        .await;
    let asked = consent(asked.unwrap());
    w.engine
        .set_user_status(w.mei.id, UserStatus::Restricted, NOW)
        .await
        .unwrap();
    assert_eq!(
        w.store.changes().pop().unwrap(),
        ["put user", "event user.status"]
    );
    let silent = w
        .begin(page_request(&w.page, "snsapi_base"), &user(&mei), NOW)
        .await;
    assert_eq!(refused(silent), Refusal::UserRestricted);
    let acted = w
        .act(asked.interaction.expose(), Act::Approve, &user(&mei), NOW)
        .await;
    assert_eq!(refused(acted), Refusal::UserRestricted);
    assert!(w.store.changes().is_empty());
    w.engine
        .set_user_status(w.mei.id, UserStatus::Active, NOW)
        .await
        .unwrap();
    code_of(
        w.act(asked.interaction.expose(), Act::Approve, &user(&mei), NOW)
            .await
            .unwrap(),
    );
}

// --- admission --------------------------------------------------------------------------------

#[tokio::test]
async fn a_request_that_is_not_admitted_names_its_rule_and_changes_nothing() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    let page = || page_request(&w.page, "snsapi_base");
    let redirect = |address: &str| AuthorizeRequest {
        redirect: Some(address.into()),
        ..page()
    };
    let table: Vec<(&str, AuthorizeRequest, Refusal)> = vec![
        (
            "unknown client",
            AuthorizeRequest {
                client: ClientId::new("wx0000000000000000"),
                ..page()
            },
            Refusal::UnknownClient,
        ),
        (
            "a client id beyond any length",
            AuthorizeRequest {
                client: ClientId::new(&"w".repeat(65)),
                ..page()
            },
            Refusal::UnknownClient,
        ),
        (
            "no redirect",
            AuthorizeRequest {
                redirect: None,
                ..page()
            },
            Refusal::MissingRedirect,
        ),
        ("an empty redirect", redirect(""), Refusal::MissingRedirect),
        (
            "another host",
            redirect("https://example.com/"),
            Refusal::RedirectMismatch,
        ),
        (
            "a sub-domain",
            redirect("https://a.www.example.com/"),
            Refusal::RedirectMismatch,
        ),
        (
            "a port",
            redirect("https://www.example.com:8443/"),
            Refusal::RedirectMismatch,
        ),
        (
            "localhost",
            redirect("http://localhost/"),
            Refusal::RedirectMismatch,
        ),
        (
            "no address",
            redirect("www.example.com/cb"),
            Refusal::RedirectMalformed,
        ),
        (
            "user information",
            redirect("https://www.example.com@evil.org/"),
            Refusal::RedirectMalformed,
        ),
        (
            "another response type",
            AuthorizeRequest {
                response_type: Some("token".into()),
                ..page()
            },
            Refusal::ResponseTypeUnsupported,
        ),
        (
            "an empty response type",
            AuthorizeRequest {
                response_type: Some(String::new()),
                ..page()
            },
            Refusal::ResponseTypeUnsupported,
        ),
        ("no scope", page_request(&w.page, ""), Refusal::MissingScope),
        (
            "an unknown scope",
            page_request(&w.page, "snsapi_bass"),
            Refusal::ScopeUnknown,
        ),
        (
            "a scope not given",
            page_request(&w.page, "snsapi_login"),
            Refusal::ScopeDenied,
        ),
        (
            "one given, one not",
            page_request(&w.page, "snsapi_base,snsapi_login"),
            Refusal::ScopeDenied,
        ),
        (
            "legacy scopes are for mobile",
            page_request(&w.page, "snsapi_base,snsapi_friend"),
            Refusal::ScopeUnknown,
        ),
        (
            "a scan without snsapi_login",
            AuthorizeRequest {
                scopes: scopes("snsapi_userinfo"),
                ..scan_request(&w.site)
            },
            Refusal::ScopeUnknown,
        ),
        (
            "a website in-client",
            page_request(&w.site, "snsapi_login"),
            Refusal::WrongClientKind,
        ),
        (
            "a page by scan",
            scan_request(&w.page),
            Refusal::WrongClientKind,
        ),
        (
            "a mobile client by scan has no redirect to check",
            scan_request(&w.mobile),
            Refusal::RedirectMismatch,
        ),
        (
            "a website by native hand-over",
            native_request(&w.site),
            Refusal::WrongClientKind,
        ),
        (
            "a legacy scope alone",
            AuthorizeRequest {
                scopes: scopes("snsapi_friend"),
                ..native_request(&w.mobile)
            },
            Refusal::ScopeUnknown,
        ),
    ];
    for (name, request, refusal) in table {
        let begun = w.begin(request, &user(&mei), NOW).await;
        assert_eq!(refused(begun), refusal, "{name}");
    }
    assert!(w.store.changes().is_empty());
    assert!(w.grant(&w.mei, &w.page).await.is_none());
}

#[tokio::test]
async fn any_path_of_the_registered_host_over_http_or_https_is_admitted() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    for address in [
        "https://www.example.com",
        "http://www.example.com/a/b?c=d",
        "https://WWW.example.com/#/route",
    ] {
        let request = AuthorizeRequest {
            redirect: Some(address.into()),
            response_type: None,
            ..page_request(&w.page, "snsapi_base")
        };
        let answer = returned(w.begin(request, &user(&mei), NOW).await.unwrap());
        assert_eq!(answer.return_path.as_str(), address);
    }
}

#[tokio::test]
async fn the_redirect_is_judged_before_the_clients_standing() {
    let w = World::new().await;
    w.engine
        .review(&w.page.id, Review::Suspend, "", NOW)
        .await
        .unwrap();
    let mut request = page_request(&w.page, "snsapi_base");
    let begun = w.begin(request.clone(), &stranger("b"), NOW).await;
    assert_eq!(refused(begun), Refusal::ClientSuspended);
    request.redirect = Some("https://evil.org/".into());
    let begun = w.begin(request, &stranger("b"), NOW).await;
    assert_eq!(refused(begun), Refusal::RedirectMismatch);
}

#[tokio::test]
async fn only_an_approved_client_authorizes() {
    let w = World::new().await;
    for status in [
        yufu_core::client::Status::Draft,
        yufu_core::client::Status::InReview,
        yufu_core::client::Status::Rejected,
    ] {
        let mut draft = draft(
            w.developers[0],
            yufu_core::client::ClientKind::Service,
            "New",
            true,
        );
        draft.status = status;
        let (client, secret) = w.engine.create_client(draft, NOW).await.unwrap();
        let app = App {
            id: client.id,
            kind: client.kind,
            secret,
        };
        w.store.lists();
        let begun = w
            .begin(page_request(&app, "snsapi_base"), &stranger("b"), NOW)
            .await;
        assert_eq!(refused(begun), Refusal::ClientNotApproved, "{status:?}");
        assert!(w.store.changes().is_empty());
    }
}

#[tokio::test]
async fn a_state_has_the_limit_of_its_door_and_comes_back_byte_by_byte() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    let state = |length: usize| Some("é".repeat(length / 2) + &"x".repeat(length % 2));
    let page = |length| AuthorizeRequest {
        state: state(length),
        ..page_request(&w.page, "snsapi_base")
    };
    let native = |length| AuthorizeRequest {
        state: state(length),
        ..native_request(&w.mobile)
    };
    let scan = |length| AuthorizeRequest {
        state: state(length),
        ..scan_request(&w.site)
    };
    for (request, fits) in [
        (page(128), true),
        (page(129), false),
        (native(1024), true),
        (native(1025), false),
        (scan(4096), true),
        (scan(4097), false),
    ] {
        let length = request.state.as_ref().unwrap().len();
        let begun = w.begin(request, &user(&mei), NOW).await;
        match fits {
            true => drop(begun.unwrap()),
            false => assert_eq!(refused(begun), Refusal::StateTooLong, "{length}"),
        }
    }
    w.set(&w.page, |policy| policy.long_state = true).await;
    let answer = returned(w.begin(page(4096), &user(&mei), NOW).await.unwrap());
    assert_eq!(answer.state, state(4096));
    assert_eq!(
        refused(w.begin(page(4097), &user(&mei), NOW).await),
        Refusal::StateTooLong
    );
    for state in [None, Some(String::new())] {
        let request = AuthorizeRequest {
            state: state.clone(),
            ..page_request(&w.page, "snsapi_base")
        };
        let answer = returned(w.begin(request, &user(&mei), NOW).await.unwrap());
        assert_eq!(answer.state, state, "absent differs from empty");
    }
}

// --- native hand-over -------------------------------------------------------------------------

fn native(w: &World, platform: Platform, bundle: &str, signature: &str) -> AuthorizeRequest {
    AuthorizeRequest {
        channel: Channel::Native(NativeApp {
            platform,
            bundle: bundle.into(),
            signature: signature.into(),
        }),
        ..native_request(&w.mobile)
    }
}

#[tokio::test]
async fn a_native_app_is_answered_at_its_link_or_scheme() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    let upper = DIGEST.to_uppercase();
    let scheme = format!("{}://oauth", w.mobile.id);
    let link = format!("https://app.example.com/wx/{}/oauth", w.mobile.id);
    for (platform, bundle, signature, address) in [
        (Platform::Ios, "com.example.app", "", &link),
        (Platform::Android, "com.example.droid", DIGEST, &scheme),
        (Platform::Android, "com.example.droid", &upper, &scheme),
        (
            Platform::Harmony,
            "com.example.oh",
            "5765880207853",
            &scheme,
        ),
    ] {
        let request = native(&w, platform, bundle, signature);
        let asked = consent(w.begin(request, &user(&mei), NOW).await.unwrap());
        assert_eq!(asked.return_path.unwrap().as_str(), address);
        let step = w
            .act(asked.interaction.expose(), Act::Approve, &user(&mei), NOW)
            .await;
        let answer = returned(step.unwrap());
        assert_eq!(answer.return_path.as_str(), address);
        assert!(matches!(answer.channel, Channel::Native(_)));
        code_in(answer);
    }
}

#[tokio::test]
async fn an_ios_app_without_a_universal_link_is_answered_at_its_scheme() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    let mut native_identity = w.client(&w.mobile).await.native.clone();
    native_identity.ios_universal_link = None;
    let edit = yufu_core::engine::ClientEdit {
        native: Some(native_identity),
        ..Default::default()
    };
    w.engine.edit_client(&w.mobile.id, edit, NOW).await.unwrap();
    w.engine
        .review(&w.mobile.id, Review::Approve, "", NOW)
        .await
        .unwrap();
    let request = native(&w, Platform::Ios, "com.example.app", "");
    let asked = consent(w.begin(request, &user(&mei), NOW).await.unwrap());
    let path = asked.return_path.unwrap();
    assert_eq!(path.as_str(), format!("{}://oauth", w.mobile.id));
    assert!(path.is_custom_scheme());
}

#[tokio::test]
async fn a_foreign_native_identity_is_named_by_field_on_every_platform() {
    let w = World::new().await;
    for (platform, bundle, signature, field) in [
        (Platform::Ios, "com.example.droid", "", "bundle"),
        (Platform::Android, "com.example.app", DIGEST, "bundle"),
        (Platform::Android, "com.example.droid", "", "signature"),
        (
            Platform::Android,
            "com.example.droid",
            &"0".repeat(32),
            "signature",
        ),
        (Platform::Android, "COM.EXAMPLE.DROID", DIGEST, "bundle"),
        (
            Platform::Harmony,
            "com.example.app",
            "5765880207853",
            "bundle",
        ),
        (
            Platform::Harmony,
            "com.example.oh",
            "5765880207854",
            "signature",
        ),
        (Platform::Harmony, "com.example.oh", "", "signature"),
    ] {
        let begun = w
            .begin(native(&w, platform, bundle, signature), &stranger("b"), NOW)
            .await;
        let mismatch = Refusal::IdentityMismatch(field);
        assert_eq!(
            refused(begun),
            mismatch,
            "{platform:?} {bundle} {signature}"
        );
    }
    let edit = yufu_core::engine::ClientEdit {
        native: Some(yufu_core::client::NativeIdentity::default()),
        ..Default::default()
    };
    w.engine.edit_client(&w.mobile.id, edit, NOW).await.unwrap();
    w.engine
        .review(&w.mobile.id, Review::Approve, "", NOW)
        .await
        .unwrap();
    w.store.lists();
    for platform in [Platform::Ios, Platform::Android, Platform::Harmony] {
        let begun = w
            .begin(native(&w, platform, "", ""), &stranger("b"), NOW)
            .await;
        assert_eq!(refused(begun), Refusal::IdentityMismatch("platform"));
    }
    assert!(w.store.changes().is_empty());
}

#[tokio::test]
async fn a_native_app_needs_a_challenge_unless_it_is_set_to_be_compatible() {
    let w = World::new().await;
    let request = || AuthorizeRequest {
        challenge: None,
        ..native_request(&w.mobile)
    };
    let begun = w.begin(request(), &stranger("b"), NOW).await;
    assert_eq!(refused(begun), Refusal::ChallengeRequired);
    w.set(&w.mobile, |policy| policy.wechat_compatible = true)
        .await;
    authenticate(w.begin(request(), &stranger("b"), NOW).await.unwrap());
}

#[tokio::test]
async fn a_native_app_and_a_scan_always_ask_where_a_grant_stands() {
    let w = World::new().await;
    w.tokens(&w.mobile, &w.mei, NOW).await;
    w.tokens(&w.site, &w.mei, NOW).await;
    let mei = w.sign_in(&w.mei, NOW).await;
    consent(
        w.begin(native_request(&w.mobile), &user(&mei), at(1))
            .await
            .unwrap(),
    );
    let uuid = w.scan(&w.site, "desk", at(1)).await;
    consent(w.engine.open_scan(&uuid, &user(&mei), at(1)).await.unwrap());
}

#[tokio::test]
async fn legacy_scopes_of_mobile_sdks_are_dropped() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    let request = AuthorizeRequest {
        scopes: scopes("snsapi_userinfo,snsapi_timeline,snsapi_friend"),
        ..native_request(&w.mobile)
    };
    let asked = consent(w.begin(request, &user(&mei), NOW).await.unwrap());
    assert_eq!(asked.scopes, scopes("snsapi_userinfo"));
}

#[tokio::test]
async fn a_native_no_and_away_come_back_by_the_same_address() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    for (act, expected) in [(Act::Deny, "Denied"), (Act::Cancel, "Cancelled")] {
        let asked = consent(
            w.begin(native_request(&w.mobile), &user(&mei), NOW)
                .await
                .unwrap(),
        );
        let step = w
            .act(asked.interaction.expose(), act, &user(&mei), NOW)
            .await;
        let answer = returned(step.unwrap());
        assert_eq!(
            answer.return_path.as_str(),
            format!("{}://oauth", w.mobile.id)
        );
        assert_eq!(format!("{:?}", answer.outcome), expected);
    }
}

#[tokio::test]
async fn the_challenge_travels_to_the_code_and_codes_have_the_life_of_their_kind() {
    let w = World::new().await;
    for (app, seconds) in [(&w.mobile, 600), (&w.site, 600), (&w.page, 300)] {
        let code = w.code(app, &w.mei, NOW).await;
        let report = w.engine.inspect_secret(&code).await.unwrap();
        assert_eq!((report.kind, report.expires_at), (Kind::Code, at(seconds)));
        assert_eq!(
            (report.user, report.client),
            (Some(w.mei.id), Some(app.id.clone()))
        );
    }
    let code = w.code(&w.mobile, &w.mei, NOW).await;
    let without = token_request(&w.mobile, by_code(&code, None));
    let outcome = w.engine.exchange(&without, HERE, NOW).await;
    assert!(matches!(
        outcome,
        Err(Stop::Refused(Refusal::VerifierMismatch))
    ));
    w.exchange(&w.mobile, &code, NOW).await.unwrap();
    assert_ne!(Challenge::of(VERIFIER), Challenge::of("another"));
}

#[tokio::test]
async fn a_client_bound_later_gives_its_users_a_unionid_without_asking() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    let request = || page_request(&w.loose, "snsapi_base");
    code_of(w.begin(request(), &user(&mei), NOW).await.unwrap());
    assert_eq!(
        w.store.change(),
        ["put openid", "put grant", "event grant.given", "issue code"]
    );
    assert_eq!(w.grant(&w.mei, &w.loose).await.unwrap().unionid, None);
    let edit = yufu_core::engine::ClientEdit {
        bound: Some(true),
        ..Default::default()
    };
    w.engine.edit_client(&w.loose.id, edit, NOW).await.unwrap();
    w.store.lists();
    code_of(w.begin(request(), &user(&mei), NOW).await.unwrap());
    assert_eq!(
        w.store.change(),
        [
            "put unionid",
            "put grant",
            "event grant.given",
            "issue code"
        ]
    );
    w.tokens(&w.site, &w.mei, NOW).await;
    let (loose, site) = (
        w.grant(&w.mei, &w.loose).await,
        w.grant(&w.mei, &w.site).await,
    );
    assert_eq!(
        loose.unwrap().unionid,
        site.unwrap().unionid,
        "one per developer"
    );
}

#[tokio::test]
async fn an_address_may_leave_a_bounded_number_of_authorizations_open() {
    let settings = Settings {
        address_authorizations: Rate {
            burst: 2,
            each: Lifetime::seconds(10),
        },
        ..Settings::default()
    };
    let w = World::with(settings).await;
    let session = w.sign_in(&w.mei, NOW).await;
    w.begin(
        page_request(&w.page, "snsapi_userinfo"),
        &stranger("b"),
        NOW,
    )
    .await
    .unwrap();
    w.scan(&w.site, "b", NOW).await;
    for request in [
        page_request(&w.page, "snsapi_userinfo"),
        scan_request(&w.site),
    ] {
        let stopped = w.begin(request, &stranger("b"), NOW).await;
        assert_eq!(refused(stopped), Refusal::TooFast);
    }
    // What is answered at once leaves nothing open and is not counted.
    let silent = page_request(&w.page, "snsapi_base");
    code_of(w.begin(silent, &user(&session), NOW).await.unwrap());
    w.scan(&w.site, "b", at(10)).await;
}
