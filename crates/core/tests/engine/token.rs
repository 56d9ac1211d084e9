//! Tokens: exchange, refresh, use and check, revocation, and clients' own tokens.

use yufu_core::client::{ClientPolicy, Review};
use yufu_core::engine::ClientEdit;
use yufu_core::message::{AccessRequest, TokenGrant, TokenRequest, Tokens};
use yufu_core::refusal::{Refusal, Stop};
use yufu_core::secret::Secret;
use yufu_core::store::{Browse, Change};
use yufu_core::subject::Subject;
use yufu_core::ticket::Kind;
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

// --- use ------------------------------------------------------------------------------------

#[tokio::test]
async fn access_is_refused_in_the_order_of_its_rules() {
    let w = World::new().await;
    w.set(&w.page, |policy| {
        policy.strict_openid = true;
        policy.password_change_voids = true;
    })
    .await;
    let tokens = w.tokens(&w.page, &w.mei, NOW).await;
    let profile = async |openid: &str, now| {
        let request = AccessRequest {
            access: tokens.access.clone(),
            openid: openid.into(),
        };
        w.engine.profile(&request, now).await.map(|_| ())
    };
    let check = async |openid: &str, now| inspect(&w, &tokens.access, openid, now).await;
    let openid = tokens.openid.clone().unwrap();
    let openid = openid.as_str();
    profile(openid, NOW).await.unwrap();

    // From the last rule to the first: each new trouble is the one that is told.
    assert_eq!(refused(profile("x", NOW).await), Refusal::WrongSubject);
    assert_eq!(refused(check("x", NOW).await), Refusal::WrongSubject);
    assert_eq!(refused(check("", NOW).await), Refusal::WrongSubject);
    let mei = w.sign_in(&w.mei, at(1)).await;
    let signed_in = w.signed_in(&mei, at(1)).await.unwrap();
    let (old, new) = (Secret::new(w.mei.password), Secret::new("another password"));
    w.engine
        .change_password(&signed_in, old, new, HERE, at(1))
        .await
        .unwrap();
    assert_eq!(
        refused(profile("x", at(2)).await),
        Refusal::CredentialsChanged
    );
    assert_eq!(
        refused(check("x", at(2)).await),
        Refusal::CredentialsChanged
    );
    let refreshed = w.refresh(&w.page, refresh_of(&tokens), at(2)).await;
    assert_eq!(refused(refreshed), Refusal::CredentialsChanged);
    w.engine
        .set_user_status(w.mei.id, UserStatus::Restricted, NOW)
        .await
        .unwrap();
    assert_eq!(refused(profile("x", at(2)).await), Refusal::UserRestricted);
    let refreshed = w.refresh(&w.page, refresh_of(&tokens), at(2)).await;
    assert_eq!(refused(refreshed), Refusal::UserRestricted);
    w.engine
        .review(&w.page.id, Review::Suspend, "", NOW)
        .await
        .unwrap();
    assert_eq!(refused(profile("x", at(2)).await), Refusal::ClientSuspended);
    assert_eq!(refused(check("x", at(2)).await), Refusal::ClientSuspended);
    let grant = w.grant(&w.mei, &w.page).await.unwrap().id;
    w.engine.revoke_grant(w.mei.id, grant, at(2)).await.unwrap();
    assert_eq!(refused(profile("x", at(2)).await), Refusal::UnknownAccess);
    assert_eq!(
        refused(profile("x", at(TWO_HOURS)).await),
        Refusal::ExpiredAccess
    );
    w.engine.revoke_secret(&tokens.access, at(2)).await.unwrap();
    assert_eq!(
        refused(profile("x", at(TWO_HOURS)).await),
        Refusal::UnknownAccess
    );
    for junk in ["", "é", "82_x", &"8".repeat(110)] {
        let outcome = w.profile(&Secret::new(junk), NOW).await;
        assert_eq!(refused(outcome), Refusal::UnknownAccess);
    }
}

#[tokio::test]
async fn a_strict_client_has_its_openid_checked_and_a_lenient_one_not() {
    let w = World::new().await;
    let tokens = w.tokens(&w.site, &w.mei, NOW).await;
    for strict in [false, true] {
        w.set(&w.site, |policy| policy.strict_openid = strict).await;
        for (openid, is_right) in [
            (tokens.openid.as_ref().map(Subject::as_str), true),
            (tokens.unionid.as_ref().map(Subject::as_str), false),
            (Some("%!s(<nil>)"), false),
        ] {
            let request = AccessRequest {
                access: tokens.access.clone(),
                openid: openid.unwrap().into(),
            };
            let outcome = w.engine.profile(&request, NOW).await;
            match strict && !is_right {
                false => drop(outcome.unwrap()),
                true => assert_eq!(refused(outcome), Refusal::WrongSubject),
            }
        }
    }
    w.set(&w.site, |policy| policy.full_profile = true).await;
    let request = AccessRequest {
        access: tokens.access.clone(),
        openid: tokens.openid.unwrap().as_str().into(),
    };
    assert!(w.engine.profile(&request, NOW).await.unwrap().full);
}

#[tokio::test]
async fn a_changed_password_voids_only_where_that_is_set_and_only_what_was_before_it() {
    let w = World::new().await;
    w.set(&w.page, |policy| policy.password_change_voids = true)
        .await;
    let (page, site) = (
        w.tokens(&w.page, &w.mei, NOW).await,
        w.tokens(&w.site, &w.mei, NOW).await,
    );
    let unspent = w.code(&w.page, &w.mei, NOW).await;
    let mei = w.sign_in(&w.mei, at(1)).await;
    let signed_in = w.signed_in(&mei, at(1)).await.unwrap();
    let (old, new) = (Secret::new(w.mei.password), Secret::new("another password"));
    w.engine
        .change_password(&signed_in, old, new, HERE, at(1))
        .await
        .unwrap();
    let void = w.profile(&page.access, at(2)).await;
    assert_eq!(refused(void), Refusal::CredentialsChanged);
    let void = w.exchange(&w.page, &unspent, at(2)).await;
    assert_eq!(refused(void), Refusal::CredentialsChanged);
    w.profile(&site.access, at(2)).await.unwrap();
    let mei = Person {
        password: "another password",
        ..w.mei.clone()
    };
    let after = w.tokens(&w.page, &mei, at(2)).await;
    w.profile(&after.access, at(2)).await.unwrap();
}

// --- revocation -----------------------------------------------------------------------------

#[tokio::test]
async fn a_yes_taken_back_kills_access_refresh_and_unspent_codes_at_once() {
    let w = World::new().await;
    let tokens = w.tokens(&w.page, &w.mei, NOW).await;
    let others = w.tokens(&w.page, &w.wei, NOW).await;
    let unspent = w.code(&w.page, &w.mei, NOW).await;
    let before = w.grant(&w.mei, &w.page).await.unwrap();
    w.engine
        .revoke_grant(w.mei.id, before.id, NOW)
        .await
        .unwrap();
    assert_eq!(w.store.change(), ["put grant", "event grant.revoked"]);
    assert!(w.grant(&w.mei, &w.page).await.is_none());
    let openid = tokens.openid.clone().unwrap();
    assert_eq!(
        refused(w.profile(&tokens.access, NOW).await),
        Refusal::UnknownAccess
    );
    let checked = inspect(&w, &tokens.access, openid.as_str(), NOW).await;
    assert_eq!(refused(checked), Refusal::UnknownAccess);
    let refreshed = w.refresh(&w.page, refresh_of(&tokens), NOW).await;
    assert_eq!(refused(refreshed), Refusal::UnknownRefresh);
    assert_eq!(
        refused(w.exchange(&w.page, &unspent, NOW).await),
        Refusal::UnknownCode
    );
    assert!(w.store.changes().is_empty());
    w.profile(&others.access, NOW).await.unwrap();

    // A new yes is a new grant with the same names; what was dead stays dead.
    let again = w.tokens(&w.page, &w.mei, NOW).await;
    assert_eq!(
        (again.openid, again.unionid),
        (tokens.openid.clone(), tokens.unionid.clone())
    );
    let after = w.grant(&w.mei, &w.page).await.unwrap();
    assert_ne!(after.id, before.id);
    assert_eq!(
        refused(w.profile(&tokens.access, NOW).await),
        Refusal::UnknownAccess
    );
    assert_eq!(
        refused(w.exchange(&w.page, &unspent, NOW).await),
        Refusal::UnknownCode
    );
    w.profile(&again.access, NOW).await.unwrap();
}

#[tokio::test]
async fn after_a_yes_taken_back_the_user_is_asked_again() {
    let w = World::new().await;
    w.tokens(&w.page, &w.mei, NOW).await;
    let grant = w.grant(&w.mei, &w.page).await.unwrap();
    let mei = w.sign_in(&w.mei, NOW).await;
    let request = || page_request(&w.page, "snsapi_userinfo");
    code_of(w.begin(request(), &user(&mei), NOW).await.unwrap());
    w.engine
        .revoke_grant(w.mei.id, grant.id, NOW)
        .await
        .unwrap();
    consent(w.begin(request(), &user(&mei), NOW).await.unwrap());
}

#[tokio::test]
async fn only_the_user_takes_a_yes_back_and_only_once() {
    let w = World::new().await;
    w.tokens(&w.page, &w.mei, NOW).await;
    let grant = w.grant(&w.mei, &w.page).await.unwrap().id;
    let unknown = yufu_core::id::GrantId(yufu_core::id::Number(7));
    w.store.lists();
    for (user, grant) in [(w.wei.id, grant), (w.mei.id, unknown)] {
        let outcome = w.engine.revoke_grant(user, grant, NOW).await;
        assert_eq!(refused(outcome), Refusal::UnknownGrant);
    }
    assert!(w.store.changes().is_empty());
    w.engine.revoke_grant(w.mei.id, grant, NOW).await.unwrap();
    let again = w.engine.revoke_grant(w.mei.id, grant, NOW).await;
    assert_eq!(refused(again), Refusal::UnknownGrant);
}

#[tokio::test]
async fn an_operator_sees_what_a_secret_is_and_revokes_it_or_its_family() {
    let w = World::new().await;
    let code = w.code(&w.site, &w.mei, NOW).await;
    let tokens = w.exchange(&w.site, &code, NOW).await.unwrap();
    let renewed = w
        .refresh(&w.site, refresh_of(&tokens), at(TWO_HOURS))
        .await
        .unwrap();
    let grant = w.grant(&w.mei, &w.site).await.unwrap().id;
    for (secret, kind) in [
        (&code, Kind::Code),
        (&tokens.access, Kind::Access),
        (&renewed.access, Kind::Access),
        (refresh_of(&tokens), Kind::Refresh),
    ] {
        let report = w.engine.inspect_secret(secret).await.unwrap();
        assert_eq!((report.kind, report.user), (kind, Some(w.mei.id)));
        assert_eq!(report.client.as_ref(), Some(&w.site.id));
        assert_eq!(report.grant, Some((grant, true)));
        assert_eq!(report.taken_at.is_some(), kind == Kind::Code);
        assert_eq!(report.revoked_at, None);
    }
    for junk in ["", "x", w.site.secret.expose()] {
        let outcome = w.engine.inspect_secret(&Secret::new(junk)).await;
        assert_eq!(refused(outcome), Refusal::UnknownAccess);
        let outcome = w.engine.revoke_secret(&Secret::new(junk), NOW).await;
        assert_eq!(refused(outcome), Refusal::UnknownAccess);
    }
    w.store.lists();
    let now = at(TWO_HOURS + 1);
    w.engine.revoke_secret(&renewed.access, now).await.unwrap();
    assert_eq!(w.store.change(), ["revoke access", "event token.revoked"]);
    assert_eq!(
        refused(w.profile(&renewed.access, now).await),
        Refusal::UnknownAccess
    );
    let next = w.refresh(&w.site, refresh_of(&tokens), now).await.unwrap();
    assert!(
        next.access != renewed.access,
        "a revoked token is not said again"
    );
    w.store.lists();
    w.engine
        .revoke_secret(refresh_of(&tokens), now)
        .await
        .unwrap();
    assert_eq!(
        w.store.change(),
        ["revoke refresh", "revoke family", "event token.revoked"]
    );
    assert_eq!(
        refused(w.profile(&next.access, now).await),
        Refusal::UnknownAccess
    );
    let dead = w.refresh(&w.site, refresh_of(&tokens), now).await;
    assert_eq!(refused(dead), Refusal::UnknownRefresh);
    assert!(
        w.grant(&w.mei, &w.site).await.is_some(),
        "the yes itself stands"
    );
}

#[tokio::test]
async fn a_revoked_code_is_unknown() {
    let w = World::new().await;
    let code = w.code(&w.site, &w.mei, NOW).await;
    w.engine.revoke_secret(&code, NOW).await.unwrap();
    assert_eq!(w.store.change(), ["revoke code", "event token.revoked"]);
    assert_eq!(
        refused(w.exchange(&w.site, &code, NOW).await),
        Refusal::UnknownCode
    );
}

#[tokio::test]
async fn the_broom_leaves_true_answers_for_a_day() {
    let w = World::new().await;
    let code = w.code(&w.site, &w.mei, NOW).await;
    let tokens = w.exchange(&w.site, &code, NOW).await.unwrap();
    w.store.sweep(at(600 + DAY - 1), NOW).await.unwrap();
    let spent = w.exchange(&w.site, &code, at(600 + DAY - 1)).await;
    assert_eq!(refused(spent), Refusal::SpentCode);
    w.store.sweep(at(TWO_HOURS + DAY), NOW).await.unwrap();
    let gone = w.exchange(&w.site, &code, at(TWO_HOURS + DAY)).await;
    assert_eq!(refused(gone), Refusal::UnknownCode);
    let gone = w.profile(&tokens.access, at(TWO_HOURS + DAY)).await;
    assert_eq!(refused(gone), Refusal::UnknownAccess);
    // A refresh finds no access token any more and makes a new one.
    w.refresh(&w.site, refresh_of(&tokens), at(TWO_HOURS + DAY))
        .await
        .unwrap();
    w.store.sweep(at(59 * DAY), NOW).await.unwrap();
    let over = w.refresh(&w.site, refresh_of(&tokens), at(59 * DAY)).await;
    assert_eq!(refused(over), Refusal::ExpiredRefresh);
}

// --- a client's own tokens ------------------------------------------------------------------

#[tokio::test]
async fn a_new_client_token_leaves_the_old_one_alive_for_five_minutes() {
    let w = World::new().await;
    let first = w.client_token(&w.mobile, NOW).await.unwrap();
    assert_eq!(w.store.change(), ["issue access", "issue platform"]);
    assert!(first.refresh.is_none() && first.openid.is_none() && first.unionid.is_none());
    assert_eq!(first.expires_in, Lifetime::seconds(TWO_HOURS));
    let second = w.client_token(&w.mobile, at(100)).await.unwrap();
    assert_eq!(
        w.store.change(),
        ["issue access", "extend access", "amend platform"]
    );
    assert!(first.access != second.access);
    let ticket = async |tokens: &Tokens, now| w.engine.platform_ticket(&tokens.access, now).await;
    ticket(&first, at(399)).await.unwrap();
    assert_eq!(
        refused(ticket(&first, at(400)).await),
        Refusal::ExpiredAccess
    );
    ticket(&second, at(400)).await.unwrap();
    w.store.lists();
    // Near its own end the old one is not prolonged, and a dead one is left alone.
    w.client_token(&w.mobile, at(100 + 7100)).await.unwrap();
    assert_eq!(w.store.change(), ["issue access", "amend platform"]);
    assert_eq!(
        refused(ticket(&second, at(100 + 7200)).await),
        Refusal::ExpiredAccess
    );
    w.client_token(&w.mobile, at(3 * DAY)).await.unwrap();
    assert_eq!(w.store.change(), ["issue access", "amend platform"]);
}

#[tokio::test]
async fn a_client_token_needs_the_secret_and_is_no_users_token() {
    let w = World::new().await;
    let wrong = TokenRequest {
        secret: Some(Secret::new("x")),
        ..token_request(&w.mobile, TokenGrant::Client)
    };
    let outcome = w.engine.exchange(&wrong, HERE, NOW).await;
    assert_eq!(refused(outcome), Refusal::WrongSecret);
    let own = w.client_token(&w.mobile, NOW).await.unwrap();
    assert_eq!(
        refused(w.profile(&own.access, NOW).await),
        Refusal::UnknownAccess
    );
    let checked = inspect(&w, &own.access, "", NOW).await;
    assert_eq!(refused(checked), Refusal::UnknownAccess);
    let report = w.engine.inspect_secret(&own.access).await.unwrap();
    assert_eq!((report.user, report.grant), (None, None));
}

#[tokio::test]
async fn the_platform_ticket_stays_the_same_until_it_ends() {
    let w = World::new().await;
    let own = w.client_token(&w.mobile, NOW).await.unwrap();
    w.store.lists();
    let first = w.engine.platform_ticket(&own.access, NOW).await.unwrap();
    assert_eq!(w.store.change(), ["amend platform"]);
    assert_eq!(first.expires_in, Lifetime::seconds(TWO_HOURS));
    let second = w.client_token(&w.mobile, at(100)).await.unwrap();
    w.store.lists();
    let again = w
        .engine
        .platform_ticket(&second.access, at(100))
        .await
        .unwrap();
    assert!(again.ticket == first.ticket);
    assert_eq!(again.expires_in, Lifetime::seconds(TWO_HOURS - 100));
    assert!(w.store.changes().is_empty());
    let next = w
        .engine
        .platform_ticket(&second.access, at(TWO_HOURS))
        .await
        .unwrap();
    assert!(next.ticket != first.ticket);
    assert_eq!(w.store.change(), ["amend platform"]);
}

#[tokio::test]
async fn a_platform_ticket_outlives_the_broom() {
    let settings = yufu_core::engine::Settings {
        platform_ticket_life: Lifetime::days(10),
        ..Default::default()
    };
    let w = World::with(settings).await;
    let own = w.client_token(&w.mobile, NOW).await.unwrap();
    let first = w.engine.platform_ticket(&own.access, NOW).await.unwrap();
    w.store.sweep(at(9 * DAY), NOW).await.unwrap();
    let own = w.client_token(&w.mobile, at(9 * DAY)).await.unwrap();
    let again = w
        .engine
        .platform_ticket(&own.access, at(9 * DAY))
        .await
        .unwrap();
    assert!(again.ticket == first.ticket);
}

#[tokio::test]
async fn a_platform_ticket_is_for_a_mobile_clients_own_live_token() {
    let w = World::new().await;
    let users = w.tokens(&w.mobile, &w.mei, NOW).await;
    let ticket = async |access: &Secret, now| w.engine.platform_ticket(access, now).await;
    assert_eq!(
        refused(ticket(&users.access, NOW).await),
        Refusal::WrongTokenKind
    );
    let page = w.client_token(&w.page, NOW).await.unwrap();
    assert_eq!(
        refused(ticket(&page.access, NOW).await),
        Refusal::WrongClientKind
    );
    let own = w.client_token(&w.mobile, NOW).await.unwrap();
    assert_eq!(
        refused(ticket(&own.access, at(TWO_HOURS)).await),
        Refusal::ExpiredAccess
    );
    assert_eq!(
        refused(ticket(&Secret::new("x"), NOW).await),
        Refusal::UnknownAccess
    );
    w.engine
        .review(&w.mobile.id, Review::Suspend, "", NOW)
        .await
        .unwrap();
    assert_eq!(
        refused(ticket(&own.access, NOW).await),
        Refusal::ClientSuspended
    );
    w.engine.revoke_secret(&own.access, NOW).await.unwrap();
    assert_eq!(
        refused(ticket(&own.access, NOW).await),
        Refusal::UnknownAccess
    );
}

#[test]
fn the_settings_of_each_kind_are_the_platforms() {
    use yufu_core::client::ClientKind::*;
    for (kind, code, refresh) in [(Mobile, 10, 180), (Website, 10, 30), (Service, 5, 30)] {
        let policy = ClientPolicy::of(kind);
        assert_eq!(policy.code_life, Lifetime::minutes(code));
        assert_eq!(policy.access_life, Lifetime::seconds(TWO_HOURS));
        assert_eq!(policy.refresh_life, Lifetime::days(refresh));
        assert_eq!(policy.scope_trailing_comma, kind == Service);
    }
}

#[tokio::test]
async fn no_stored_change_of_an_exchange_holds_a_secret_in_clear() {
    let w = World::new().await;
    let code = w.code(&w.site, &w.mei, NOW).await;
    let tokens = w.exchange(&w.site, &code, NOW).await.unwrap();
    w.refresh(&w.site, refresh_of(&tokens), at(TWO_HOURS))
        .await
        .unwrap();
    for change in w.store.lists().iter().flatten() {
        let mut text = format!("{change:?}");
        if let Change::Issue(raw) = change {
            text.push_str(&String::from_utf8_lossy(&raw.ticket.body));
        }
        for secret in [&code, &tokens.access, refresh_of(&tokens), &w.site.secret] {
            assert!(!text.contains(secret.expose()));
        }
    }
}

#[tokio::test]
async fn a_snapshot_page_tells_nothing_of_the_real_user() {
    let w = World::new().await;
    let real = w.tokens(&w.page, &w.mei, NOW).await;
    assert!(!real.is_snapshot);
    w.set(&w.page, |policy| policy.snapshot_pages = true).await;
    let first = w.tokens(&w.page, &w.mei, NOW).await;
    let second = w.tokens(&w.page, &w.mei, NOW).await;
    assert!(first.is_snapshot);
    assert_eq!(
        (&first.openid, &first.unionid),
        (&second.openid, &second.unionid)
    );
    assert_ne!(first.openid, real.openid);
    assert!(first.unionid.is_some() && first.unionid != real.unionid);
    let request = AccessRequest {
        access: first.access.clone(),
        openid: first.openid.clone().unwrap().as_str().into(),
    };
    let profile = w.engine.profile(&request, NOW).await.unwrap();
    assert_eq!(Some(profile.openid), first.openid);
    assert_eq!(profile.user.profile.nickname, "微信用户");
    assert_eq!(profile.user.profile.avatar, "");
    w.engine.inspect(&request, NOW).await.unwrap();
    let refreshed = w
        .refresh(&w.page, &first.refresh.unwrap(), NOW)
        .await
        .unwrap();
    assert_eq!(refreshed.openid, first.openid);
    // What was granted before, and other doors, stay as they are.
    assert_eq!(
        w.grant(&w.mei, &w.page).await.map(|g| g.openid.clone()),
        real.openid
    );
    w.set(&w.site, |policy| policy.snapshot_pages = true).await;
    assert!(!w.tokens(&w.site, &w.mei, NOW).await.is_snapshot);
}

#[tokio::test]
async fn a_client_with_a_bound_of_calls_hears_of_it_and_burns_nothing() {
    let w = World::new().await;
    let codes = [
        w.code(&w.site, &w.mei, NOW).await,
        w.code(&w.site, &w.mei, NOW).await,
        w.code(&w.site, &w.mei, NOW).await,
    ];
    w.set(&w.site, |policy| policy.calls_per_minute = 2).await;
    for code in &codes[..2] {
        w.exchange(&w.site, code, NOW).await.unwrap();
    }
    assert_eq!(
        refused(w.exchange(&w.site, &codes[2], NOW).await),
        Refusal::TooFast
    );
    let later = NOW.plus(Lifetime::seconds(30));
    let tokens = w.exchange(&w.site, &codes[2], later).await.unwrap();
    assert_eq!(
        refused(w.profile(&tokens.access, later).await),
        Refusal::TooFast
    );
    // Another client is not held up.
    w.tokens(&w.other, &w.mei, later).await;
}
