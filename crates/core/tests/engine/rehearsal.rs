//! Lives that end before their time, and codes of somebody else.

use yufu_core::message::Tokens;
use yufu_core::refusal::Refusal;
use yufu_core::secret::Secret;
use yufu_core::ticket::Kind;
use yufu_core::user::UserStatus;

use crate::world::*;

const TWO_HOURS: i64 = 7200;

fn refresh_of(tokens: &Tokens) -> &Secret {
    tokens.refresh.as_ref().unwrap()
}

#[tokio::test]
async fn a_token_that_is_ended_is_over_and_not_revoked() {
    let w = World::new().await;
    let tokens = w.tokens(&w.site, &w.mei, NOW).await;
    w.profile(&tokens.access, at(5)).await.unwrap();
    w.store.lists();
    let ended = w.engine.expire_secret(&tokens.access, at(5)).await.unwrap();
    assert_eq!(ended, Kind::Access);
    assert_eq!(w.store.change(), ["extend access", "event token.expired"]);
    // As if its time had come at that moment: not before, and always after.
    w.profile(&tokens.access, at(4)).await.unwrap();
    let after = w.profile(&tokens.access, at(5)).await;
    assert_eq!(refused(after), Refusal::ExpiredAccess);
    // What is over stays over, and nothing is written about it.
    w.store.lists();
    let again = w.engine.expire_secret(&tokens.access, at(9)).await;
    assert_eq!(again.unwrap(), Kind::Access);
    assert!(w.store.changes().is_empty());
    // The refresh token makes another one.
    let renewed = w
        .refresh(&w.site, refresh_of(&tokens), at(6))
        .await
        .unwrap();
    assert_ne!(renewed.access.expose(), tokens.access.expose());
    w.profile(&renewed.access, at(7)).await.unwrap();
}

#[tokio::test]
async fn a_refresh_token_and_a_code_end_in_their_own_words() {
    let w = World::new().await;
    let tokens = w.tokens(&w.site, &w.mei, NOW).await;
    let ended = w.engine.expire_secret(refresh_of(&tokens), at(1)).await;
    assert_eq!(ended.unwrap(), Kind::Refresh);
    let refreshed = w.refresh(&w.site, refresh_of(&tokens), at(2)).await;
    assert_eq!(refused(refreshed), Refusal::ExpiredRefresh);
    // The access token lives on until its own end.
    w.profile(&tokens.access, at(TWO_HOURS - 1)).await.unwrap();

    let code = w.code(&w.site, &w.mei, NOW).await;
    let ended = w.engine.expire_secret(&code, at(1)).await.unwrap();
    assert_eq!(ended, Kind::Code);
    let paid = w.exchange(&w.site, &code, at(2)).await;
    assert_eq!(refused(paid), Refusal::UnknownCode);
}

#[tokio::test]
async fn what_is_none_of_ours_spent_or_revoked_cannot_be_ended() {
    let w = World::new().await;
    let code = w.code(&w.site, &w.mei, NOW).await;
    let tokens = w.exchange(&w.site, &code, NOW).await.unwrap();
    let ended = w.engine.expire_secret(&code, at(1)).await;
    assert_eq!(refused(ended), Refusal::SpentCode);
    w.engine.revoke_secret(&tokens.access, at(1)).await.unwrap();
    let ended = w.engine.expire_secret(&tokens.access, at(1)).await;
    assert_eq!(refused(ended), Refusal::UnknownAccess);
    for junk in ["", "x", &"8".repeat(110)] {
        let ended = w.engine.expire_secret(&Secret::new(junk), at(1)).await;
        assert_eq!(refused(ended), Refusal::UnknownAccess);
    }
}

#[tokio::test]
async fn a_code_of_another_speaks_for_them_on_the_same_terms() {
    let w = World::new().await;
    let code = w.code(&w.site, &w.mei, NOW).await;
    let other = w
        .engine
        .code_of_another(&code, w.wei.id, at(1))
        .await
        .unwrap();
    let theirs = w.exchange(&w.site, &other, at(2)).await.unwrap();
    let grant = w.grant(&w.wei, &w.site).await.unwrap();
    assert_eq!(theirs.openid.as_ref(), Some(&grant.openid));
    // The code that it was made after is as good as before, and its own user's.
    let own = w.exchange(&w.site, &code, at(2)).await.unwrap();
    assert_ne!(own.openid, theirs.openid);
    assert_eq!(own.scopes, theirs.scopes);
    // It is the same client's alone.
    let other = w
        .engine
        .code_of_another(&code, w.wei.id, at(1))
        .await
        .unwrap();
    let foreign = w.exchange(&w.other, &other, at(2)).await;
    assert_eq!(refused(foreign), Refusal::UnknownCode);
}

#[tokio::test]
async fn a_code_of_another_needs_a_code_and_somebody_who_may_sign_in() {
    let w = World::new().await;
    let code = w.code(&w.site, &w.mei, NOW).await;
    let tokens = w.tokens(&w.site, &w.mei, NOW).await;
    let no_code = w.engine.code_of_another(&tokens.access, w.wei.id, at(1));
    assert_eq!(refused(no_code.await), Refusal::UnknownCode);
    w.engine
        .set_user_status(w.wei.id, UserStatus::Restricted, NOW)
        .await
        .unwrap();
    let restricted = w.engine.code_of_another(&code, w.wei.id, at(1));
    assert_eq!(refused(restricted.await), Refusal::UserRestricted);
}
