//! Access tokens at work, revocation, and a client's own tokens.

use yufu_core::client::{ClientPolicy, Review};
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
