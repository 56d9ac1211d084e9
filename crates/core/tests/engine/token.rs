//! Tokens: exchange, refresh, use and check, revocation, and clients' own tokens.

use yufu_core::client::Review;
use yufu_core::engine::ClientEdit;
use yufu_core::message::{AccessRequest, TokenGrant, TokenRequest, Tokens};
use yufu_core::refusal::{Refusal, Stop};
use yufu_core::secret::Secret;
use yufu_core::time::{Lifetime, Timestamp};
use yufu_core::user::UserStatus;

use crate::world::*;

const TWO_HOURS: i64 = 7200;
const DAY: i64 = 86_400;

async fn inspect(w: &World, access: &Secret, openid: &str, now: Timestamp) -> Result<(), Stop> {
    let request = AccessRequest {
        access: access.clone(),
        openid: openid.into(),
    };
    w.engine.inspect(&request, now).await
}

fn refresh_of(tokens: &Tokens) -> &Secret {
    tokens.refresh.as_ref().unwrap()
}

// --- exchange -------------------------------------------------------------------------------

#[tokio::test]
async fn a_code_pays_once_and_its_tokens_name_the_user_to_the_client() {
    let w = World::new().await;
    let code = w.code(&w.site, &w.mei, NOW).await;
    let tokens = w.exchange(&w.site, &code, at(1)).await.unwrap();
    assert_eq!(
        w.store.change(),
        [
            "take code",
            "issue access",
            "issue refresh",
            "event code.exchanged"
        ]
    );
    let grant = w.grant(&w.mei, &w.site).await.unwrap();
    assert_eq!(tokens.openid.as_ref(), Some(&grant.openid));
    assert_eq!(tokens.unionid, grant.unionid);
    assert_eq!(tokens.expires_in, Lifetime::seconds(TWO_HOURS));
    assert_eq!(tokens.scopes, scopes("snsapi_login"));
    for secret in [&tokens.access, refresh_of(&tokens)] {
        assert_eq!(secret.expose().len(), 110);
        assert_eq!(secret.expose()[..3], *"81_");
    }
    assert_eq!(w.profile(&tokens.access, at(2)).await.ok(), Some(()));
    inspect(&w, &tokens.access, grant.openid.as_str(), at(2))
        .await
        .unwrap();

    assert_eq!(
        refused(w.exchange(&w.site, &code, at(2)).await),
        Refusal::SpentCode
    );
    assert!(w.store.changes().is_empty());
    w.profile(&tokens.access, at(3)).await.unwrap();
}

#[tokio::test]
async fn the_first_tokens_outlive_a_second_exchange_unless_reuse_is_set_to_revoke() {
    let w = World::new().await;
    w.set(&w.site, |policy| policy.reuse_revokes = true).await;
    let code = w.code(&w.site, &w.mei, NOW).await;
    let tokens = w.exchange(&w.site, &code, NOW).await.unwrap();
    let refreshed = w
        .refresh(&w.site, refresh_of(&tokens), at(TWO_HOURS))
        .await
        .unwrap();
    let others = w.tokens(&w.site, &w.mei, NOW).await;
    w.store.lists();
    // A stranger's try revokes nothing.
    let foreign = token_request(&w.other, by_code(&code, None));
    let outcome = w.engine.exchange(&foreign, HERE, at(TWO_HOURS)).await;
    assert_eq!(refused(outcome), Refusal::UnknownCode);
    let wrong = TokenRequest {
        secret: Some(Secret::new("wrong")),
        ..token_request(&w.site, by_code(&code, None))
    };
    let outcome = w.engine.exchange(&wrong, HERE, at(TWO_HOURS)).await;
    assert_eq!(refused(outcome), Refusal::WrongSecret);
    assert!(w.store.changes().is_empty());
    w.profile(&refreshed.access, at(TWO_HOURS)).await.unwrap();

    let again = w.exchange(&w.site, &code, at(TWO_HOURS)).await;
    assert_eq!(refused(again), Refusal::SpentCode);
    assert_eq!(w.store.change(), ["revoke family"]);
    let dead = w.profile(&refreshed.access, at(TWO_HOURS)).await;
    assert_eq!(refused(dead), Refusal::UnknownAccess);
    let dead = w.refresh(&w.site, refresh_of(&tokens), at(TWO_HOURS)).await;
    assert_eq!(refused(dead), Refusal::UnknownRefresh);
    w.profile(&others.access, at(1)).await.unwrap();
}

#[tokio::test]
async fn unionid_is_told_by_kind_scope_and_binding() {
    let w = World::new().await;
    for (app, told) in [
        (&w.site, true),
        (&w.mobile, true),
        (&w.page, true),
        (&w.loose, false),
    ] {
        let tokens = w.tokens(app, &w.mei, NOW).await;
        assert!(tokens.openid.is_some());
        assert_eq!(tokens.unionid.is_some(), told, "{:?}", app.kind);
        let request = AccessRequest {
            access: tokens.access,
            openid: String::new(),
        };
        let profile = w.engine.profile(&request, NOW).await.unwrap();
        assert_eq!(profile.unionid.is_some(), told);
        assert_eq!(Some(profile.openid), tokens.openid);
        assert_eq!(profile.user.id, w.mei.id);
        assert!(!profile.full);
    }
    // One developer, one unionid; another developer, another; each client its own openid.
    let site = w.tokens(&w.site, &w.mei, NOW).await;
    let page = w.tokens(&w.page, &w.mei, NOW).await;
    let other = w.tokens(&w.other, &w.mei, NOW).await;
    assert_eq!(site.unionid, page.unionid);
    assert_ne!(site.unionid, other.unionid);
    assert_ne!(site.openid, page.openid);
    assert_ne!(site.openid, other.openid);
}

#[tokio::test]
async fn base_tells_an_openid_and_nothing_else() {
    let w = World::new().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    let step = w
        .begin(page_request(&w.page, "snsapi_base"), &user(&mei), NOW)
        .await;
    let tokens = w
        .exchange(&w.page, &code_of(step.unwrap()), NOW)
        .await
        .unwrap();
    assert!(tokens.openid.is_some() && tokens.unionid.is_none());
    assert_eq!(
        refused(w.profile(&tokens.access, NOW).await),
        Refusal::ScopeInsufficient
    );
    inspect(&w, &tokens.access, tokens.openid.unwrap().as_str(), NOW)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_refused_exchange_never_spends_the_code() {
    let w = World::new().await;
    w.set(&w.mobile, |policy| {
        policy.allowed_addresses = vec![HERE.into()]
    })
    .await;
    let code = w.code(&w.mobile, &w.mei, NOW).await;
    let request =
        |client: &App, secret: Option<&str>, code: &Secret, verifier: Option<&str>| TokenRequest {
            client: client.id.clone(),
            secret: secret.map(Secret::new),
            grant: by_code(code, verifier.map(Secret::new)),
        };
    let nobody = App {
        id: yufu_core::id::ClientId::new("wx00"),
        ..w.mobile.clone()
    };
    let right = Some(w.mobile.secret.expose());
    let upper = w.mobile.secret.expose().to_uppercase();
    let (page, good) = (&w.page, Some(VERIFIER));
    let junk = Secret::new("0".repeat(32));
    let short = Secret::new("x");
    let foreign = Some(page.secret.expose());
    for (name, request, address, refusal) in [
        (
            "unknown client",
            request(&nobody, right, &code, good),
            HERE,
            Refusal::UnknownClient,
        ),
        (
            "another address",
            request(&w.mobile, right, &code, good),
            "192.0.2.9",
            Refusal::AddressRefused("192.0.2.9".into()),
        ),
        (
            "wrong secret",
            request(&w.mobile, Some("x"), &code, good),
            HERE,
            Refusal::WrongSecret,
        ),
        (
            "upper case",
            request(&w.mobile, Some(&upper), &code, good),
            HERE,
            Refusal::WrongSecret,
        ),
        (
            "no secret",
            request(&w.mobile, None, &code, good),
            HERE,
            Refusal::WrongSecret,
        ),
        (
            "another's secret",
            request(&w.mobile, foreign, &code, good),
            HERE,
            Refusal::WrongSecret,
        ),
        (
            "another's code",
            request(page, foreign, &code, good),
            HERE,
            Refusal::UnknownCode,
        ),
        (
            "no verifier",
            request(&w.mobile, right, &code, None),
            HERE,
            Refusal::VerifierMismatch,
        ),
        (
            "wrong verifier",
            request(&w.mobile, right, &code, Some(&VERIFIER.replace('d', "e"))),
            HERE,
            Refusal::VerifierMismatch,
        ),
        (
            "an unknown code",
            request(&w.mobile, right, &junk, good),
            HERE,
            Refusal::UnknownCode,
        ),
        (
            "no code at all",
            request(&w.mobile, right, &short, good),
            HERE,
            Refusal::UnknownCode,
        ),
    ] {
        let outcome = w.engine.exchange(&request, address, NOW).await;
        assert_eq!(refused(outcome), refusal, "{name}");
    }
    assert!(w.store.changes().is_empty());
    w.exchange(&w.mobile, &code, NOW).await.unwrap();
}

#[tokio::test]
async fn the_address_is_judged_before_the_secret_and_both_before_the_suspension() {
    let w = World::new().await;
    w.set(&w.site, |policy| {
        policy.allowed_addresses = vec!["192.0.2.2".into()]
    })
    .await;
    let code = w.code(&w.site, &w.mei, NOW).await;
    w.engine
        .review(&w.site.id, Review::Suspend, "", NOW)
        .await
        .unwrap();
    let wrong = TokenRequest {
        secret: Some(Secret::new("wrong")),
        ..token_request(&w.site, by_code(&code, None))
    };
    let right = token_request(&w.site, by_code(&code, None));
    for (request, address, refusal) in [
        (&wrong, HERE, Refusal::AddressRefused(HERE.into())),
        (&wrong, "192.0.2.2", Refusal::WrongSecret),
        (&right, "192.0.2.2", Refusal::ClientSuspended),
    ] {
        let outcome = w.engine.exchange(request, address, NOW).await;
        assert_eq!(refused(outcome), refusal);
    }
    w.engine
        .review(&w.site.id, Review::Approve, "", NOW)
        .await
        .unwrap();
    w.engine.exchange(&right, "192.0.2.2", NOW).await.unwrap();
}

#[tokio::test]
async fn a_verifier_without_a_challenge_is_ignored() {
    let w = World::new().await;
    let code = w.code(&w.site, &w.mei, NOW).await;
    let request = token_request(&w.site, by_code(&code, Some(Secret::new("anything"))));
    w.engine.exchange(&request, HERE, NOW).await.unwrap();
}

#[tokio::test]
async fn an_expired_code_is_unknown_or_named_as_the_client_is_set() {
    let w = World::new().await;
    for (names, refusal) in [(false, Refusal::UnknownCode), (true, Refusal::ExpiredCode)] {
        w.set(&w.page, |policy| policy.names_expired_code = names)
            .await;
        let code = w.code(&w.page, &w.mei, NOW).await;
        assert_eq!(refused(w.exchange(&w.page, &code, at(300)).await), refusal);
        assert_eq!(refused(w.exchange(&w.page, &code, at(301)).await), refusal);
        assert!(w.store.changes().is_empty());
        w.exchange(&w.page, &code, at(299)).await.unwrap();
        // Once spent it stays spent, also past its time.
        assert_eq!(
            refused(w.exchange(&w.page, &code, at(400)).await),
            Refusal::SpentCode
        );
        w.store.lists();
    }
}

#[tokio::test]
async fn a_mini_code_pays_at_its_own_endpoint_only_and_once() {
    let w = World::new().await;
    let code = w
        .engine
        .issue_mini_code(&w.page.id, w.mei.id, NOW)
        .await
        .unwrap();
    let request = token_request(&w.page, by_code(&code, None));
    w.store.lists();
    let outcome = w.engine.exchange(&request, HERE, NOW).await;
    assert_eq!(refused(outcome), Refusal::UnknownCode);
    let session = w.engine.mini_login(&request, HERE, NOW).await.unwrap();
    assert_eq!(
        w.store.change(),
        ["take code", "issue nonce", "event mini.exchanged"]
    );
    assert_eq!(session.session_key.expose().len(), 24);
    let grant = w.grant(&w.mei, &w.page).await.unwrap();
    assert_eq!(
        (session.openid, session.unionid),
        (grant.openid.clone(), grant.unionid.clone())
    );
    let again = w.engine.mini_login(&request, HERE, NOW).await;
    assert_eq!(refused(again), Refusal::SpentCode);

    let code = w.code(&w.page, &w.mei, NOW).await;
    let request = token_request(&w.page, by_code(&code, None));
    let outcome = w.engine.mini_login(&request, HERE, NOW).await;
    assert_eq!(refused(outcome), Refusal::UnknownCode);
    w.exchange(&w.page, &code, NOW).await.unwrap();
    let other = token_request(&w.page, TokenGrant::Client);
    let outcome = w.engine.mini_login(&other, HERE, NOW).await;
    assert_eq!(refused(outcome), Refusal::GrantTypeUnsupported);
}

#[tokio::test]
async fn a_mini_login_tells_no_unionid_of_a_client_that_is_bound_no_more() {
    let w = World::new().await;
    let bound = |bound| ClientEdit {
        bound: Some(bound),
        ..ClientEdit::default()
    };
    for (edit, told) in [(bound(true), true), (bound(false), false)] {
        w.engine.edit_client(&w.page.id, edit, NOW).await.unwrap();
        let code = w
            .engine
            .issue_mini_code(&w.page.id, w.mei.id, NOW)
            .await
            .unwrap();
        let request = token_request(&w.page, by_code(&code, None));
        let session = w.engine.mini_login(&request, HERE, NOW).await.unwrap();
        assert_eq!(session.unionid.is_some(), told);
    }
}

#[tokio::test]
async fn mini_codes_are_for_approved_clients_and_known_unrestricted_users() {
    let w = World::new().await;
    let nobody = yufu_core::id::UserId(yufu_core::id::Number(1));
    let issued = w.engine.issue_mini_code(&w.page.id, nobody, NOW).await;
    assert_eq!(refused(issued), Refusal::NotSignedIn);
    w.engine
        .set_user_status(w.mei.id, UserStatus::Restricted, NOW)
        .await
        .unwrap();
    let issued = w.engine.issue_mini_code(&w.page.id, w.mei.id, NOW).await;
    assert_eq!(refused(issued), Refusal::UserRestricted);
    w.engine
        .review(&w.page.id, Review::Suspend, "", NOW)
        .await
        .unwrap();
    let issued = w.engine.issue_mini_code(&w.page.id, w.wei.id, NOW).await;
    assert_eq!(refused(issued), Refusal::ClientNotApproved);
}

#[tokio::test]
async fn during_a_rotation_two_secrets_work_and_the_older_one_dies() {
    let w = World::new().await;
    let fresh = w.engine.rotate_secret(&w.site.id, NOW).await.unwrap();
    let week = 7 * DAY;
    for (secret, now, works) in [
        (&w.site.secret, NOW, true),
        (&fresh, NOW, true),
        (&w.site.secret, at(week - 1), true),
        (&w.site.secret, at(week), false),
        (&fresh, at(week), true),
    ] {
        let app = App {
            secret: secret.clone(),
            ..w.site.clone()
        };
        let code = w.code(&app, &w.mei, now).await;
        let outcome = w.exchange(&app, &code, now).await;
        match works {
            true => drop(outcome.unwrap()),
            false => assert_eq!(refused(outcome), Refusal::WrongSecret),
        }
    }
}

#[tokio::test]
async fn a_single_live_token_ends_the_earlier_ones_within_a_millisecond_too() {
    let w = World::new().await;
    w.set(&w.page, |policy| policy.single_live_token = true)
        .await;
    let first = w.tokens(&w.page, &w.mei, NOW).await;
    let code = w.code(&w.page, &w.mei, NOW).await;
    let second = w.exchange(&w.page, &code, NOW).await.unwrap();
    assert_eq!(
        w.store.change(),
        [
            "take code",
            "put grant",
            "issue access",
            "issue refresh",
            "event code.exchanged"
        ]
    );
    assert_eq!(
        refused(w.profile(&first.access, NOW).await),
        Refusal::UnknownAccess
    );
    let old = w.refresh(&w.page, refresh_of(&first), NOW).await;
    assert_eq!(refused(old), Refusal::UnknownRefresh);
    w.profile(&second.access, NOW).await.unwrap();

    // The clock is turned back by an hour: the third ends the second all the same, and what is
    // refreshed under it lives.
    let third = w.tokens(&w.page, &w.mei, at(-3600)).await;
    assert_eq!(
        refused(w.profile(&second.access, at(-3600)).await),
        Refusal::UnknownAccess
    );
    w.profile(&third.access, at(-3600)).await.unwrap();
    let now = at(-3600 + TWO_HOURS);
    let renewed = w.refresh(&w.page, refresh_of(&third), now).await.unwrap();
    w.profile(&renewed.access, now).await.unwrap();
}

#[tokio::test]
async fn a_single_live_token_ends_what_was_refreshed_in_the_same_moment_or_the_future() {
    let w = World::new().await;
    w.set(&w.page, |policy| policy.single_live_token = true)
        .await;
    for refreshed_at in [0, 3600] {
        let first = w.tokens(&w.page, &w.mei, NOW).await;
        w.engine.revoke_secret(&first.access, NOW).await.unwrap();
        let now = at(refreshed_at);
        let renewed = w.refresh(&w.page, refresh_of(&first), now).await.unwrap();
        w.profile(&renewed.access, now).await.unwrap();
        let second = w.tokens(&w.page, &w.mei, NOW).await;
        for moment in [NOW, now] {
            let dead = w.profile(&renewed.access, moment).await;
            assert_eq!(refused(dead), Refusal::UnknownAccess);
            w.profile(&second.access, moment).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_setting_for_a_single_live_token_ends_what_was_before_it_at_the_next_exchange() {
    let w = World::new().await;
    let before = w.tokens(&w.page, &w.mei, NOW).await;
    let future = w.tokens(&w.page, &w.mei, at(3600)).await;
    w.set(&w.page, |policy| policy.single_live_token = true)
        .await;
    w.profile(&before.access, NOW).await.unwrap();
    let single = w.tokens(&w.page, &w.mei, NOW).await;
    for dead in [&before, &future] {
        assert_eq!(
            refused(w.profile(&dead.access, NOW).await),
            Refusal::UnknownAccess
        );
    }
    w.set(&w.page, |policy| policy.single_live_token = false)
        .await;
    let beside = w.tokens(&w.page, &w.mei, NOW).await;
    for alive in [&single, &beside] {
        w.profile(&alive.access, NOW).await.unwrap();
        w.refresh(&w.page, refresh_of(alive), at(7200))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn earlier_tokens_live_on_beside_later_ones_by_default() {
    let w = World::new().await;
    let first = w.tokens(&w.page, &w.mei, NOW).await;
    let second = w.tokens(&w.page, &w.mei, at(1)).await;
    assert!(first.access != second.access);
    assert_eq!(first.openid, second.openid);
    for tokens in [first, second] {
        w.profile(&tokens.access, at(2)).await.unwrap();
        w.refresh(&w.page, refresh_of(&tokens), at(2))
            .await
            .unwrap();
    }
}

// --- refresh --------------------------------------------------------------------------------

#[tokio::test]
async fn a_live_access_token_is_said_again_and_lives_longer() {
    let w = World::new().await;
    let tokens = w.tokens(&w.page, &w.mei, NOW).await;
    assert!(
        !tokens.scope_trailing_comma,
        "on refresh answers only (§7.2)"
    );
    let again = w
        .refresh(&w.page, refresh_of(&tokens), at(7199))
        .await
        .unwrap();
    assert_eq!(w.store.change(), ["extend access"]);
    assert!(again.access == tokens.access && again.refresh == tokens.refresh);
    assert_eq!(again.expires_in, Lifetime::seconds(TWO_HOURS));
    assert_eq!(again.openid, tokens.openid);
    assert!(again.unionid.is_none(), "no sample has one (§7.2)");
    assert!(again.scope_trailing_comma, "a service client");
    assert_eq!(again.scopes, tokens.scopes);
    w.profile(&tokens.access, at(7199 + 7199)).await.unwrap();
    let over = w.profile(&tokens.access, at(7199 + 7200)).await;
    assert_eq!(refused(over), Refusal::ExpiredAccess);
}

#[tokio::test]
async fn a_dead_access_token_is_replaced_and_the_refresh_token_stays() {
    let w = World::new().await;
    let tokens = w.tokens(&w.site, &w.mei, NOW).await;
    let renewed = w
        .refresh(&w.site, refresh_of(&tokens), at(TWO_HOURS))
        .await
        .unwrap();
    assert_eq!(w.store.change(), ["amend refresh", "issue access"]);
    assert!(renewed.access != tokens.access && renewed.refresh == tokens.refresh);
    assert!(!renewed.scope_trailing_comma, "a website client");
    let now = at(TWO_HOURS);
    assert_eq!(
        refused(w.profile(&tokens.access, now).await),
        Refusal::ExpiredAccess
    );
    w.profile(&renewed.access, now).await.unwrap();
    let again = w
        .refresh(&w.site, refresh_of(&tokens), at(TWO_HOURS + 1))
        .await
        .unwrap();
    assert!(again.access == renewed.access);
    assert_eq!(w.store.change(), ["extend access"]);
}

#[tokio::test]
async fn a_refresh_token_ends_with_its_days_and_is_not_prolonged() {
    let w = World::new().await;
    for (app, days) in [(&w.site, 30), (&w.page, 30), (&w.mobile, 180)] {
        let tokens = w.tokens(app, &w.mei, NOW).await;
        let refresh = refresh_of(&tokens);
        w.refresh(app, refresh, at(DAY)).await.unwrap();
        let last = w.refresh(app, refresh, at(days * DAY - 1)).await.unwrap();
        w.store.lists();
        let over = w.refresh(app, refresh, at(days * DAY)).await;
        assert_eq!(refused(over), Refusal::ExpiredRefresh);
        assert!(w.store.changes().is_empty());
        // What was answered in time works until its own end.
        w.profile(&last.access, at(days * DAY + 7198))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_clock_turned_far_ahead_or_back_leaves_true_answers() {
    let w = World::new().await;
    let tokens = w.tokens(&w.site, &w.mei, NOW).await;
    let far = at(1000 * 365 * DAY);
    assert_eq!(
        refused(w.profile(&tokens.access, far).await),
        Refusal::ExpiredAccess
    );
    let over = w.refresh(&w.site, refresh_of(&tokens), far).await;
    assert_eq!(refused(over), Refusal::ExpiredRefresh);
    let end = Timestamp(i64::MAX);
    assert_eq!(
        refused(w.profile(&tokens.access, end).await),
        Refusal::ExpiredAccess
    );
    w.profile(&tokens.access, at(-DAY)).await.unwrap();
    w.refresh(&w.site, refresh_of(&tokens), at(-DAY))
        .await
        .unwrap();
    w.profile(&tokens.access, at(-DAY + 7199)).await.unwrap();
}

#[tokio::test]
async fn a_refresh_token_that_is_not_the_callers_is_unknown() {
    let w = World::new().await;
    let tokens = w.tokens(&w.site, &w.mei, NOW).await;
    let refresh = refresh_of(&tokens);
    let mut broken = refresh.expose().to_owned();
    let last = if broken.ends_with('A') { "B" } else { "A" };
    broken.replace_range(60..61, last);
    for (app, token) in [
        (&w.other, refresh.clone()),
        (&w.page, refresh.clone()),
        (&w.site, tokens.access.clone()),
        (&w.site, Secret::new(broken)),
        (&w.site, Secret::new("")),
        (&w.site, Secret::new("é")),
    ] {
        let outcome = w.refresh(app, &token, NOW).await;
        assert_eq!(refused(outcome), Refusal::UnknownRefresh);
    }
    let nobody = App {
        id: yufu_core::id::ClientId::new(""),
        ..w.site.clone()
    };
    assert_eq!(
        refused(w.refresh(&nobody, refresh, NOW).await),
        Refusal::UnknownClient
    );
    assert_eq!(
        refused(w.profile(refresh, NOW).await),
        Refusal::UnknownAccess
    );
    assert!(w.store.changes().is_empty());
}

#[tokio::test]
async fn a_refresh_is_judged_by_address_and_suspension_but_needs_no_secret() {
    let w = World::new().await;
    let tokens = w.tokens(&w.site, &w.mei, NOW).await;
    let with_wrong_secret = TokenRequest {
        client: w.site.id.clone(),
        secret: Some(Secret::new("wrong")),
        grant: TokenGrant::Refresh {
            token: refresh_of(&tokens).clone(),
            at_code_endpoint: false,
        },
    };
    w.engine
        .exchange(&with_wrong_secret, HERE, NOW)
        .await
        .unwrap();
    w.set(&w.site, |policy| {
        policy.allowed_addresses = vec!["192.0.2.2".into()]
    })
    .await;
    let outcome = w.refresh(&w.site, refresh_of(&tokens), NOW).await;
    assert_eq!(refused(outcome), Refusal::AddressRefused(HERE.into()));
    w.set(&w.site, |policy| policy.allowed_addresses.clear())
        .await;
    w.engine
        .review(&w.site.id, Review::Suspend, "", NOW)
        .await
        .unwrap();
    let outcome = w.refresh(&w.site, refresh_of(&tokens), NOW).await;
    assert_eq!(refused(outcome), Refusal::ClientSuspended);
}

#[tokio::test]
async fn a_refresh_at_the_code_endpoint_is_a_setting() {
    let w = World::new().await;
    let tokens = w.tokens(&w.site, &w.mei, NOW).await;
    let request = || TokenRequest {
        client: w.site.id.clone(),
        secret: Some(w.site.secret.clone()),
        grant: TokenGrant::Refresh {
            token: refresh_of(&tokens).clone(),
            at_code_endpoint: true,
        },
    };
    let outcome = w.engine.exchange(&request(), HERE, NOW).await;
    assert_eq!(refused(outcome), Refusal::GrantTypeUnsupported);
    w.set(&w.site, |policy| policy.refresh_at_access_token = true)
        .await;
    let again = w.engine.exchange(&request(), HERE, NOW).await.unwrap();
    assert!(again.access == tokens.access);
}
