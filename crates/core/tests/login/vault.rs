//! The upstream's tokens: kept encrypted, asked about at a relogin, renewed, given up.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use yufu_core::engine::Engine;
use yufu_core::engine::login::{
    PhoneProof, RelogBy, RelogDone, RelogRequest, RelogStep, RelogTicket, RenewedTokens, SyncNext,
};
use yufu_core::identity::{IdentityKey, IdentityStatus, Provider, VouchedProfile};
use yufu_core::keyring::Key;
use yufu_core::login::body::{Shown, Sync, Vault};
use yufu_core::login::decide::UpstreamVerdict;
use yufu_core::login::{
    Device, LoggedIn, LoginAnswer, LoginRefusal, LoginSettings, LoginStop, VerifyUpstream,
};
use yufu_core::secret::Secret;
use yufu_core::store::{Browse, Change, Record, Store};
use yufu_core::ticket::{Kind, Ticket};
use yufu_core::time::{Lifetime, Timestamp};
use yufu_core::user::UserStatus;

use crate::upstream::*;
use crate::world::*;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

async fn vaults(w: &World) -> Vec<Ticket<Vault>> {
    let rows = w.lists.tickets(Kind::Vault, None, 100).await.unwrap();
    rows.iter().map(|row| row.open().unwrap()).collect()
}

async fn vault(w: &World) -> Ticket<Vault> {
    let mut all = vaults(w).await;
    assert_eq!(all.len(), 1);
    all.remove(0)
}

async fn syncs(w: &World) -> Vec<Ticket<Sync>> {
    let rows = w.lists.tickets(Kind::Sync, None, 100).await.unwrap();
    let rows = rows.iter().map(|row| row.open().unwrap());
    rows.filter(|row: &Ticket<Sync>| row.taken_at.is_none())
        .collect()
}

fn asking(settings: &mut LoginSettings) {
    at_leisure(settings);
    settings.verify_upstream = VerifyUpstream::OnRelogin;
}

fn mei_key() -> IdentityKey {
    key(&mobile_app(), "o-mei")
}

/// Mei, logged in at a world, and her device.
struct Mei {
    w: World,
    secret: String,
    session: LoggedIn,
}

impl Mei {
    async fn with(change: impl FnOnce(&mut LoginSettings)) -> Self {
        let w = World::with(change).await;
        let secret = w.device();
        let given = exchanged(&mobile_app(), "o-mei", Some("u-mei"));
        let session = w
            .wechat(given, device(&secret, "phone", "android"), NOW)
            .await;
        Self { w, secret, session }
    }

    fn device(&self) -> Device<'_> {
        device(&self.secret, "phone", "android")
    }

    fn engine(&self) -> &Engine {
        &self.w.engine
    }

    async fn begin(&self, by: RelogBy<'_>, now: Timestamp) -> Result<RelogStep, LoginStop> {
        let device = self.device();
        let request = RelogRequest { by, device };
        self.w.engine.relogin_begin(request, now).await
    }

    async fn by_refresh(&self, now: Timestamp) -> Result<RelogStep, LoginStop> {
        let token = self.session.pair.refresh_token.expose().to_owned();
        self.begin(RelogBy::Refresh(&token), now).await
    }

    async fn by_upstream(&self, token: &str, now: Timestamp) -> Result<RelogStep, LoginStop> {
        self.begin(
            RelogBy::Upstream {
                access_token: token,
            },
            now,
        )
        .await
    }
}

fn done(step: RelogStep) -> LoggedIn {
    match step {
        RelogStep::Done(RelogDone::LoggedIn(logged_in)) => logged_in,
        RelogStep::Done(other) => panic!("{other:?}"),
        RelogStep::Check(_) => panic!("the access token is to be checked"),
        RelogStep::Refresh(_) => panic!("the refresh token is to be renewed"),
    }
}

fn check(step: RelogStep) -> RelogTicket {
    match step {
        RelogStep::Check(ticket) => ticket,
        RelogStep::Done(other) => panic!("{other:?}"),
        RelogStep::Refresh(_) => panic!("the refresh token is to be renewed"),
    }
}

fn renew(step: RelogStep) -> RelogTicket {
    match step {
        RelogStep::Refresh(ticket) => ticket,
        RelogStep::Done(other) => panic!("{other:?}"),
        RelogStep::Check(_) => panic!("the access token is to be checked"),
    }
}

fn stopped(step: Result<RelogStep, LoginStop>) -> LoginRefusal {
    refused(step.map(|_| ()))
}

fn renewed(access: &str, refresh: Option<&str>) -> RenewedTokens {
    RenewedTokens {
        access: Secret::new(access),
        access_life: Lifetime::minutes(120),
        refresh: refresh.map(Secret::new),
    }
}

// --- kept -------------------------------------------------------------------------------------

#[tokio::test]
async fn tokens_are_kept_until_they_end_and_nowhere_in_clear() {
    let w = World::with(at_leisure).await;
    let secret = w.device();
    let given = exchanged(&mobile_app(), "o-mei", None);
    w.try_wechat(given, device(&secret, "", ""), NOW)
        .await
        .unwrap();
    let row = vault(&w).await;
    assert_eq!(row.body.identity, mei_key());
    assert_eq!(row.body.access_until, at(2 * HOUR));
    assert_eq!(row.body.refresh_until, at(30 * DAY));
    assert_eq!(row.expires_at, at(30 * DAY));
    assert_eq!(row.body.verified_at, NOW);
    for list in w.store.lists() {
        for change in list {
            if let Change::Issue(raw) = change {
                let text = String::from_utf8(raw.ticket.body).unwrap();
                assert!(!text.contains("access-o-mei") && !text.contains("refresh-o-mei"));
            }
        }
    }
}

#[tokio::test]
async fn a_second_login_replaces_the_tokens_of_the_same_row() {
    let mei = Mei::with(asking).await;
    let before = vault(&mei.w).await;
    let mut given = exchanged(&mobile_app(), "o-mei", None);
    given.tokens.access = Secret::new("newer");
    mei.w.wechat(given, mei.device(), at(60)).await;
    let after = vault(&mei.w).await;
    assert_eq!(after.number, before.number);
    assert_eq!(after.version, before.version + 1);
    assert_eq!(after.expires_at, at(60 + 30 * DAY));
}

#[tokio::test]
async fn tokens_of_nobody_end_with_the_ticket_and_of_somebody_with_themselves() {
    let w = World::with(|settings| settings.apps = vec![mobile_app()]).await;
    let secret = w.device();
    let given = exchanged(&mobile_app(), "o-mei", None);
    let answer = w
        .try_wechat(given, device(&secret, "", ""), NOW)
        .await
        .unwrap();
    let LoginAnswer::Unbound { bind_ticket, .. } = answer else {
        panic!("nobody knows her yet");
    };
    assert_eq!(vault(&w).await.expires_at, at(600));
    let number = phone("13800000001");
    let request = yufu_core::engine::login::BindRequest {
        ticket: bind_ticket.expose(),
        phone: Some(&number),
        proof: yufu_core::engine::login::PhoneProof::Carrier,
        confirm: false,
        fresh: false,
        replace: false,
        reissued: None,
        device: device(&secret, "", ""),
        key: yufu_core::login::Idempotency(None),
    };
    w.engine.bind(request, at(30)).await.unwrap();
    assert_eq!(vault(&w).await.expires_at, at(30 * DAY));
}

// --- logging in again -------------------------------------------------------------------------

#[tokio::test]
async fn rel_01_without_a_check_nobody_is_asked() {
    let mei = Mei::with(at_leisure).await;
    let again = done(mei.by_refresh(at(HOUR)).await.unwrap());
    assert_eq!(again.user, mei.session.user);
    assert!(!again.upstream_unverified);
    assert_ne!(again.pair.refresh_token, mei.session.pair.refresh_token);
    assert_eq!(vault(&mei.w).await.body.verified_at, NOW);
}

#[tokio::test]
async fn a_phone_login_has_no_upstream_that_could_end_it() {
    let mei = Mei::with(asking).await;
    let secret = mei.w.device();
    let other = device(&secret, "tablet", "ios");
    let session = mei.w.login(&phone("13800000001"), other, NOW).await;
    let by = RelogBy::Refresh(session.pair.refresh_token.expose());
    let request = RelogRequest { by, device: other };
    done(mei.engine().relogin_begin(request, at(60)).await.unwrap());
}

#[tokio::test]
async fn a_session_key_of_a_mini_program_is_nothing_to_ask_with_and_never_shown() {
    let w = World::with(|settings| {
        asking(settings);
        settings.expose_upstream_token = true;
    })
    .await;
    let secret = w.device();
    let mut given = exchanged(&mini_program(), "o-mini", None);
    given.tokens.refresh = None;
    let here = device(&secret, "", "mini");
    let session = w.wechat(given, here, NOW).await;
    assert!(
        w.lists
            .tickets(Kind::Shown, None, 10)
            .await
            .unwrap()
            .is_empty()
    );
    let by = RelogBy::Refresh(session.pair.refresh_token.expose());
    let request = RelogRequest { by, device: here };
    done(w.engine.relogin_begin(request, at(60)).await.unwrap());
    let by = RelogBy::Upstream {
        access_token: "access-o-mini",
    };
    let request = RelogRequest { by, device: here };
    let stop = w.engine.relogin_begin(request, at(60)).await;
    assert_eq!(stopped(stop), LoginRefusal::SessionInvalid);
}

#[tokio::test]
async fn rel_02_a_good_token_lets_in_and_is_noted() {
    let mei = Mei::with(asking).await;
    let ticket = check(mei.by_refresh(at(HOUR)).await.unwrap());
    assert_eq!(ticket.app, "mobile");
    assert_eq!(ticket.openid, "o-mei");
    assert_eq!(ticket.token, Secret::new("access-o-mei"));
    assert!(
        mei.w.store.lists().is_empty(),
        "nothing is paid before the upstream has spoken"
    );
    let step = mei
        .engine()
        .relogin_checked(ticket, UpstreamVerdict::Good, at(HOUR + 1))
        .await;
    assert_eq!(done(step.unwrap()).user, mei.session.user);
    assert_eq!(vault(&mei.w).await.body.verified_at, at(HOUR + 1));
}

#[tokio::test]
async fn a_session_token_lets_in_as_it_stands() {
    let mei = Mei::with(asking).await;
    let token = mei.session.pair.token.expose().to_owned();
    let ticket = check(mei.begin(RelogBy::Token(&token), at(60)).await.unwrap());
    let step = mei
        .engine()
        .relogin_checked(ticket, UpstreamVerdict::Unreachable, at(61))
        .await;
    let RelogStep::Done(RelogDone::Standing {
        session,
        unverified,
    }) = step.unwrap()
    else {
        panic!("no new pair");
    };
    assert_eq!(session.user, mei.session.user);
    assert!(unverified);
    mei.engine()
        .authenticate(&token, None, at(62))
        .await
        .unwrap();
}

#[tokio::test]
async fn rel_03_a_dead_token_is_renewed_and_a_missing_refresh_token_kept() {
    for told in [None, Some("refresh-2")] {
        let mei = Mei::with(asking).await;
        let ticket = check(mei.by_refresh(at(HOUR)).await.unwrap());
        let step = mei
            .engine()
            .relogin_checked(ticket, UpstreamVerdict::Expired, at(HOUR))
            .await;
        let ticket = renew(step.unwrap());
        assert_eq!(ticket.token, Secret::new("refresh-o-mei"));
        let fresh = Ok(renewed("access-2", told));
        let step = mei
            .engine()
            .relogin_refreshed(ticket, fresh, at(HOUR))
            .await;
        let again = done(step.unwrap());
        let row = vault(&mei.w).await;
        assert_eq!(row.body.access_until, at(3 * HOUR));
        assert_eq!(
            row.body.refresh_until,
            at(30 * DAY),
            "no upstream prolongs it"
        );
        assert_eq!(row.body.verified_at, at(HOUR));
        // What is in it now is asked with next.
        let by = RelogBy::Refresh(again.pair.refresh_token.expose());
        let ticket = check(mei.begin(by, at(HOUR + 60)).await.unwrap());
        assert_eq!(ticket.token, Secret::new("access-2"));
        let step = mei
            .engine()
            .relogin_checked(ticket, UpstreamVerdict::Gone, at(HOUR + 60))
            .await;
        let expected = told.unwrap_or("refresh-o-mei");
        assert_eq!(renew(step.unwrap()).token, Secret::new(expected));
    }
}

#[tokio::test]
async fn an_access_token_past_its_time_is_renewed_without_asking() {
    let mei = Mei::with(asking).await;
    let ticket = renew(mei.by_refresh(at(2 * HOUR)).await.unwrap());
    // REL-08: the same access token, later.
    let fresh = Ok(renewed("access-o-mei", None));
    done(
        mei.engine()
            .relogin_refreshed(ticket, fresh, at(2 * HOUR))
            .await
            .unwrap(),
    );
    let row = vault(&mei.w).await;
    assert_eq!(row.body.access_until, at(4 * HOUR));
    assert_eq!(vaults(&mei.w).await.len(), 1);
}

#[tokio::test]
async fn rel_04_dead_tokens_suspend_the_session_until_the_user_was_seen() {
    let mei = Mei::with(asking).await;
    let ticket = renew(mei.by_refresh(at(3 * HOUR)).await.unwrap());
    let heard = Err(UpstreamVerdict::Expired);
    let stop = mei
        .engine()
        .relogin_refreshed(ticket, heard, at(3 * HOUR))
        .await;
    assert_eq!(stopped(stop), LoginRefusal::Reauthorize);
    let user = mei.session.user;
    let rows = mei.w.rows(user).await;
    assert!(rows[0].body.suspended && rows[0].body.ended.is_none());
    // Nothing of the account is gone, and the next step is the same.
    let known = mei.w.identity(user, &mei_key()).await.unwrap();
    assert_eq!(known.status, IdentityStatus::Linked);
    assert_eq!(known.nickname, "name of o-mei");
    assert_eq!(
        stopped(mei.by_refresh(at(3 * HOUR + 1)).await),
        LoginRefusal::Reauthorize
    );
    // Whoever authorizes again is back in the same account.
    let given = exchanged(&mobile_app(), "o-mei", None);
    let back = mei.w.wechat(given, mei.device(), at(3 * HOUR + 60)).await;
    assert_eq!(back.user, user);
}

#[tokio::test]
async fn rel_05_what_was_revoked_there_is_erased_here_and_the_link_kept() {
    let mei = Mei::with(asking).await;
    let ticket = check(mei.by_refresh(at(60)).await.unwrap());
    let ticket = renew(
        mei.engine()
            .relogin_checked(ticket, UpstreamVerdict::Gone, at(60))
            .await
            .unwrap(),
    );
    let stop = mei
        .engine()
        .relogin_refreshed(ticket, Err(UpstreamVerdict::Gone), at(60))
        .await;
    assert_eq!(stopped(stop), LoginRefusal::Reauthorize);
    let known = mei.w.identity(mei.session.user, &mei_key()).await.unwrap();
    assert_eq!(known.status, IdentityStatus::Revoked);
    assert_eq!((known.nickname.as_str(), known.avatar.as_str()), ("", ""));
    let row = vault(&mei.w).await;
    assert_eq!(row.body.sealed.0, "");
    assert_eq!(row.expires_at, at(60));
    assert!(
        mei.w
            .notices()
            .await
            .iter()
            .any(|notice| notice.about == "identity.revoked")
    );
    // Authorizing again leads to the same account, and everything is there again.
    let given = exchanged(&mobile_app(), "o-mei", None);
    let back = mei.w.wechat(given, mei.device(), at(120)).await;
    assert_eq!(back.user, mei.session.user);
    let known = mei.w.identity(back.user, &mei_key()).await.unwrap();
    assert_eq!(known.status, IdentityStatus::Linked);
    assert_eq!(vault(&mei.w).await.expires_at, at(120 + 30 * DAY));
}

#[tokio::test]
async fn rel_06_an_outage_is_survived_for_a_day() {
    let mei = Mei::with(asking).await;
    let ticket = check(mei.by_refresh(at(60)).await.unwrap());
    let unreachable = UpstreamVerdict::Unreachable;
    let again = done(
        mei.engine()
            .relogin_checked(ticket, unreachable, at(60))
            .await
            .unwrap(),
    );
    assert!(again.upstream_unverified);
    assert_eq!(syncs(&mei.w).await.len(), 1, "it is asked again soon");
    // A day after the last word, the same outage shuts the door, and costs nobody a session.
    let by = RelogBy::Refresh(again.pair.refresh_token.expose());
    let late = at(DAY);
    let ticket = renew(mei.begin(by, late).await.unwrap());
    let stop = mei
        .engine()
        .relogin_refreshed(ticket, Err(unreachable), late)
        .await;
    let LoginRefusal::UpstreamBusy { .. } = stopped(stop) else {
        panic!("busy");
    };
    let ticket = renew(mei.begin(by, late).await.unwrap());
    let fresh = Ok(renewed("access-2", None));
    done(
        mei.engine()
            .relogin_refreshed(ticket, fresh, late)
            .await
            .unwrap(),
    );
}

#[tokio::test]
async fn every_so_often_is_asked_once_in_that_time() {
    let mei = Mei::with(|settings| {
        at_leisure(settings);
        settings.verify_upstream = VerifyUpstream::Every(Lifetime::minutes(60));
    })
    .await;
    let again = done(mei.by_refresh(at(HOUR - 1)).await.unwrap());
    let by = RelogBy::Refresh(again.pair.refresh_token.expose());
    check(mei.begin(by, at(HOUR)).await.unwrap());
}

#[tokio::test]
async fn a_vault_that_was_swept_has_nothing_more_to_say() {
    let mei = Mei::with(asking).await;
    let later = at(29 * DAY);
    let renewed_pair = {
        let ticket = renew(mei.by_refresh(later).await.unwrap());
        let fresh = Ok(renewed("access-2", None));
        done(
            mei.engine()
                .relogin_refreshed(ticket, fresh, later)
                .await
                .unwrap(),
        )
    };
    let end = at(32 * DAY);
    mei.w.lists.sweep(end, NOW).await.unwrap();
    assert!(vaults(&mei.w).await.is_empty());
    let by = RelogBy::Refresh(renewed_pair.pair.refresh_token.expose());
    assert_eq!(stopped(mei.begin(by, end).await), LoginRefusal::Reauthorize);
}

fn showing(settings: &mut LoginSettings) {
    asking(settings);
    settings.expose_upstream_token = true;
}

#[tokio::test]
async fn rel_09_a_shown_token_logs_in_on_its_device() {
    let mei = Mei::with(showing).await;
    assert_eq!(
        mei.session.upstream_token,
        Some(Secret::new("access-o-mei"))
    );
    let ticket = check(mei.by_upstream("access-o-mei", at(60)).await.unwrap());
    let step = mei
        .engine()
        .relogin_checked(ticket, UpstreamVerdict::Good, at(60))
        .await;
    let again = done(step.unwrap());
    assert_eq!(again.user, mei.session.user);
    assert_eq!(again.upstream_token, Some(Secret::new("access-o-mei")));
    mei.engine()
        .authenticate(again.pair.token.expose(), None, at(61))
        .await
        .unwrap();
    // When it is dead there it is renewed here, and the device is told the new one, which works.
    let late = at(3 * HOUR);
    let ticket = renew(mei.by_upstream("access-o-mei", late).await.unwrap());
    let fresh = Ok(renewed("access-2", None));
    let again = done(
        mei.engine()
            .relogin_refreshed(ticket, fresh, late)
            .await
            .unwrap(),
    );
    assert_eq!(again.upstream_token, Some(Secret::new("access-2")));
    check(mei.by_upstream("access-2", late).await.unwrap());
    assert_eq!(
        mei.w
            .lists
            .tickets(Kind::Shown, None, 10)
            .await
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn rel_10_a_token_from_elsewhere_is_nothing() {
    let mei = Mei::with(showing).await;
    for token in [
        "access-of-another-app",
        "",
        "refresh-o-mei",
        &"x".repeat(600),
    ] {
        let stop = mei.by_upstream(token, at(60)).await;
        assert_eq!(stopped(stop), LoginRefusal::SessionInvalid, "{token}");
    }
    // Nor is the right one on another device.
    let secret = mei.w.device();
    let by = RelogBy::Upstream {
        access_token: "access-o-mei",
    };
    let request = RelogRequest {
        by,
        device: device(&secret, "", ""),
    };
    let stop = mei.engine().relogin_begin(request, at(60)).await;
    assert_eq!(stopped(stop), LoginRefusal::SessionInvalid);
    assert!(
        mei.w
            .events()
            .await
            .iter()
            .any(|(what, _)| what == "token_theft")
    );
    // Nor where tokens are not shown.
    let mei = Mei::with(asking).await;
    assert_eq!(mei.session.upstream_token, None);
    let stop = mei.by_upstream("access-o-mei", at(60)).await;
    assert_eq!(stopped(stop), LoginRefusal::SessionInvalid);
}

#[tokio::test]
async fn a_shown_token_opens_no_account_that_may_not_be_entered() {
    let mei = Mei::with(showing).await;
    let user = mei.session.user;
    mei.w.set_status(user, UserStatus::Restricted).await;
    let stop = mei.by_upstream("access-o-mei", at(60)).await;
    assert_eq!(stopped(stop), LoginRefusal::Disabled);
    mei.w.set_status(user, UserStatus::Deleting(at(DAY))).await;
    let stop = mei.by_upstream("access-o-mei", at(60)).await;
    assert_eq!(
        stopped(stop),
        LoginRefusal::Deleting {
            deletable_at: at(DAY),
            cancel_ticket: None,
            device_secret: None,
        }
    );
}

#[tokio::test]
async fn a_shown_token_is_of_no_use_once_its_identity_has_left_the_account() {
    for (way, later) in [("unlink", 60), ("unlink", DAY), ("erase", 8 * DAY)] {
        let mei = Mei::with(showing).await;
        let (engine, number) = (mei.engine(), phone("13800000001"));
        let token = mei.session.pair.token.expose();
        let who = engine.authenticate(token, None, NOW).await.unwrap();
        let moved = engine.change_phone(&who, &number, PhoneProof::Carrier, NOW);
        moved.await.unwrap();
        let other = mei.w.device();
        let session = mei.w.login(&number, device(&other, "b", "ios"), NOW).await;
        let token = session.pair.token.expose();
        let who = engine.authenticate(token, None, NOW).await.unwrap();
        match way {
            "unlink" => engine.unlink(&who, Provider::Wechat, NOW).await.unwrap(),
            _ => {
                engine.request_deletion(&who, NOW).await.unwrap();
                assert_eq!(engine.erase_due(at(later), 10).await.unwrap(), 1);
            }
        }
        let stop = mei.by_upstream("access-o-mei", at(later)).await;
        assert_eq!(stopped(stop), LoginRefusal::SessionInvalid, "{way}");
        // Nor does it lead to the account that has the identity now.
        let mut given = exchanged(&mobile_app(), "o-mei", Some("u-mei"));
        given.tokens.access = Secret::new("access-2");
        let third = mei.w.device();
        let new = device(&third, "c", "ios");
        let session = mei.w.wechat(given, new, at(later)).await;
        assert_ne!(session.user, mei.session.user);
        let stop = mei.by_upstream("access-o-mei", at(later + 1)).await;
        assert_eq!(stopped(stop), LoginRefusal::SessionInvalid, "{way} {later}");
    }
}

#[tokio::test]
async fn a_shown_token_without_a_number_that_is_needed_meanwhile_opens_nothing() {
    let mei = Mei::with(showing).await;
    let mut settings = yufu_core::engine::Settings::default();
    showing(&mut settings.login);
    settings.login.bind_policy = yufu_core::login::BindPolicy::PhoneRequired;
    let engine = Engine::open(mei.w.ports.clone(), &mei.w.master, settings, NOW)
        .await
        .unwrap();
    let by = RelogBy::Upstream {
        access_token: "access-o-mei",
    };
    let request = RelogRequest {
        by,
        device: mei.device(),
    };
    let stop = engine.relogin_begin(request, at(60)).await;
    assert_eq!(stopped(stop), LoginRefusal::SessionInvalid);
}

#[tokio::test]
async fn a_login_between_two_steps_counts_more_than_what_was_heard_of_the_old_tokens() {
    let mei = Mei::with(asking).await;
    let ticket = check(mei.by_refresh(at(60)).await.unwrap());
    let secret = mei.w.device();
    let mut given = exchanged(&mobile_app(), "o-mei", None);
    given.tokens.access = Secret::new("newer");
    given.tokens.refresh = Some(Secret::new("newer-refresh"));
    mei.w
        .wechat(given, device(&secret, "", "ios"), at(61))
        .await;
    done(
        mei.engine()
            .relogin_checked(ticket, UpstreamVerdict::Gone, at(62))
            .await
            .unwrap(),
    );
    let known = mei.w.identity(mei.session.user, &mei_key()).await.unwrap();
    assert_eq!(known.status, IdentityStatus::Linked);
}

#[tokio::test]
async fn tokens_renewed_after_they_were_erased_stay_away() {
    let mei = Mei::with(asking).await;
    let ticket = renew(mei.by_refresh(at(3 * HOUR)).await.unwrap());
    let event = yufu_core::engine::login::PushedEvent {
        app: &mobile_app().appid,
        openid: Some("o-mei"),
        unionid: None,
        kind: yufu_core::engine::login::PushedKind::Revoked,
        nonce: "n",
        timestamp: at(3 * HOUR).seconds(),
    };
    mei.engine().pushed(event, at(3 * HOUR)).await.unwrap();
    let fresh = Ok(renewed("access-2", None));
    let step = mei
        .engine()
        .relogin_refreshed(ticket, fresh, at(3 * HOUR))
        .await;
    assert!(step.is_ok(), "the upstream has just said that it is good");
    assert_eq!(vault(&mei.w).await.body.sealed.0, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_relogins_at_once_each_gets_the_same_pair_and_one_row_stays() {
    let mei = Mei::with(asking).await;
    let mut tickets = Vec::new();
    for _ in 0..20 {
        tickets.push(renew(mei.by_refresh(at(3 * HOUR)).await.unwrap()));
    }
    mei.w.store.slow.store(true, Ordering::SeqCst);
    let engine = Arc::clone(&mei.w.engine);
    let all: Vec<_> = tickets
        .into_iter()
        .enumerate()
        .map(|(n, ticket)| {
            let engine = engine.clone();
            tokio::spawn(async move {
                let access = format!("access-{n}");
                let fresh = Ok(renewed(&access, Some(&format!("refresh-{n}"))));
                engine.relogin_refreshed(ticket, fresh, at(3 * HOUR)).await
            })
        })
        .collect();
    let mut pairs = Vec::new();
    for one in all {
        pairs.push(done(one.await.unwrap().unwrap()).pair);
    }
    pairs.dedup();
    assert_eq!(pairs.len(), 1);
    let row = vault(&mei.w).await;
    assert_eq!(
        row.version, 2,
        "one renewal was kept: the others were made from the same token"
    );
}

// --- profiles read later ----------------------------------------------------------------------

/// Mei, whose profile could not be read at the exchange.
async fn unread() -> Mei {
    let w = World::with(at_leisure).await;
    let secret = w.device();
    let mut given = exchanged(&mobile_app(), "o-mei", None);
    given.vouched.profile = None;
    given.profile_due = true;
    let session = w
        .wechat(given, device(&secret, "phone", "android"), NOW)
        .await;
    Mei { w, secret, session }
}

#[tokio::test]
async fn ups_11_a_profile_is_read_later_and_kept_byte_for_byte() {
    let names = [
        "梅 👩‍👩‍👧‍👦",
        "\u{202e}abc\u{202c}",
        "\u{200b}",
        "   ",
        "a\u{301}\u{0}b",
    ];
    for name in names {
        let mei = unread().await;
        let mut due = mei.engine().sync_due(NOW, 10).await.unwrap();
        let task = due.remove(0);
        assert_eq!((task.app.as_str(), &task.identity), ("mobile", &mei_key()));
        assert_eq!(task.access, Some(Secret::new("access-o-mei")));
        let again = mei.engine().sync_due(NOW, 10).await.unwrap();
        assert!(again.is_empty(), "claimed");
        let profile = VouchedProfile {
            nickname: name.into(),
            avatar: "https://wx.example/a".into(),
        };
        let next = mei
            .engine()
            .sync_done(task, Ok(profile), at(1))
            .await
            .unwrap();
        assert!(matches!(next, SyncNext::Over));
        let known = mei.w.identity(mei.session.user, &mei_key()).await.unwrap();
        assert_eq!(known.nickname, name);
        assert_eq!(known.avatar, "https://wx.example/a");
        assert!(syncs(&mei.w).await.is_empty());
        mei.w.lists.sweep(at(1), NOW).await.unwrap();
        let rows = mei.w.lists.tickets(Kind::Sync, None, 10).await.unwrap();
        assert!(rows.is_empty(), "what is done does not stay for a year");
    }
}

#[tokio::test]
async fn a_profile_is_tried_five_times_ever_later() {
    let mei = unread().await;
    let mut now = NOW;
    for wait in [60, 300, 1800, 7200, 43200] {
        let mut due = mei.engine().sync_due(now, 10).await.unwrap();
        assert_eq!(due.len(), 1);
        let task = due.remove(0);
        // The vault's access token ends in between: the task says so.
        assert_eq!(task.access.is_some(), now < at(2 * HOUR));
        let next = mei
            .engine()
            .sync_done(task, Err(UpstreamVerdict::Unreachable), now)
            .await;
        let over = matches!(next.unwrap(), SyncNext::Over);
        assert_eq!(over, wait == 43200);
        let early = now.plus(Lifetime::seconds(wait - 1));
        assert!(mei.engine().sync_due(early, 10).await.unwrap().is_empty());
        now = now.plus(Lifetime::seconds(wait));
    }
    assert!(mei.engine().sync_due(now, 10).await.unwrap().is_empty());
    assert!(
        mei.w
            .events()
            .await
            .iter()
            .any(|(what, _)| what == "profile.given_up")
    );
}

#[tokio::test]
async fn rel_07_a_profile_that_calls_the_token_dead_has_it_renewed() {
    let mei = unread().await;
    let task = mei.engine().sync_due(NOW, 10).await.unwrap().remove(0);
    let next = mei
        .engine()
        .sync_done(task, Err(UpstreamVerdict::Gone), NOW)
        .await
        .unwrap();
    let SyncNext::Renew(task) = next else {
        panic!("there is a refresh token");
    };
    assert_eq!(task.refresh, Some(Secret::new("refresh-o-mei")));
    let fresh = Ok(renewed("access-2", None));
    let task = mei
        .engine()
        .sync_renewed(task, fresh, NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(task.access, Some(Secret::new("access-2")));
    // A second death in the same try is the end of it.
    let next = mei
        .engine()
        .sync_done(task, Err(UpstreamVerdict::Gone), NOW)
        .await
        .unwrap();
    assert!(matches!(next, SyncNext::Over));
    assert!(syncs(&mei.w).await.is_empty());
}

#[tokio::test]
async fn a_profile_that_was_withdrawn_while_it_was_read_stays_away() {
    let mei = unread().await;
    let task = mei.engine().sync_due(NOW, 10).await.unwrap().remove(0);
    mei.w
        .alter(mei.session.user, |user| {
            user.identities[0].status = IdentityStatus::Revoked
        })
        .await;
    let profile = VouchedProfile {
        nickname: "mei".into(),
        avatar: String::new(),
    };
    mei.engine()
        .sync_done(task, Ok(profile), NOW)
        .await
        .unwrap();
    let known = mei.w.identity(mei.session.user, &mei_key()).await.unwrap();
    assert_eq!(known.nickname, "");
}

#[tokio::test]
async fn a_profile_waits_until_its_user_is_there() {
    let w = World::with(|settings| settings.apps = vec![mobile_app()]).await;
    let secret = w.device();
    let mut given = exchanged(&mobile_app(), "o-mei", None);
    given.profile_due = true;
    w.try_wechat(given, device(&secret, "", ""), NOW)
        .await
        .unwrap();
    assert!(w.engine.sync_due(NOW, 10).await.unwrap().is_empty());
    assert_eq!(syncs(&w).await.len(), 1);
    // The ticket is over and nobody came: it is given up.
    assert!(w.engine.sync_due(at(600), 10).await.unwrap().is_empty());
    assert!(syncs(&w).await.is_empty());
}

// --- other keys -------------------------------------------------------------------------------

#[tokio::test]
async fn all_vaults_are_encrypted_anew_under_the_newest_keys() {
    let w = World::with(asking).await;
    let mut sessions = Vec::new();
    for n in 0..5 {
        let secret = w.device();
        let given = exchanged(&mobile_app(), &format!("o-{n}"), None);
        let session = w.wechat(given, device(&secret, "", ""), NOW).await;
        sessions.push((secret, session));
    }
    let draw = |version| Key::draw(version, &w.master, &*w.ports.entropy, at(1)).unwrap();
    let put = Change::Put(Record::Key(draw(2)));
    w.store.commit(vec![put]).await.unwrap();
    let mut settings = yufu_core::engine::Settings::default();
    asking(&mut settings.login);
    let engine = Engine::open(w.ports.clone(), &w.master, settings, at(120))
        .await
        .unwrap();
    let mut told = Vec::new();
    let changed = engine
        .reseal_vault(&mut |seen| told.push(seen), at(121))
        .await
        .unwrap();
    assert_eq!((changed, told), (5, vec![5]));
    for row in vaults(&w).await {
        assert_eq!((row.body.key, row.expires_at), (2, at(30 * DAY)));
    }
    assert_eq!(engine.reseal_vault(&mut |_| {}, at(122)).await.unwrap(), 0);
    for (n, (secret, session)) in sessions.iter().enumerate() {
        let by = RelogBy::Refresh(session.pair.refresh_token.expose());
        let device = device(secret, "", "");
        let request = RelogRequest { by, device };
        let ticket = check(engine.relogin_begin(request, at(180)).await.unwrap());
        assert_eq!(ticket.token, Secret::new(format!("access-o-{n}")));
    }
}

#[tokio::test]
async fn tokens_of_one_identity_do_not_open_as_those_of_another() {
    let mei = Mei::with(asking).await;
    let secret = mei.w.device();
    let given = exchanged(&mobile_app(), "o-eve", None);
    let eve = mei.w.wechat(given, device(&secret, "", ""), NOW).await;
    let rows = vaults(&mei.w).await;
    let (from, to) = match rows[0].body.identity == mei_key() {
        true => (&rows[0], &rows[1]),
        false => (&rows[1], &rows[0]),
    };
    let body = Vault {
        sealed: from.body.sealed.clone(),
        ..to.body.clone()
    };
    let swap = Change::Amend {
        kind: Kind::Vault,
        number: to.number,
        version: to.version,
        body: serde_json::to_vec(&body).unwrap(),
        expires_at: to.expires_at,
    };
    mei.w.store.commit(vec![swap]).await.unwrap();
    let by = RelogBy::Refresh(eve.pair.refresh_token.expose());
    let request = RelogRequest {
        by,
        device: device(&secret, "", ""),
    };
    let stop = mei.engine().relogin_begin(request, at(60)).await;
    assert!(matches!(stop, Err(LoginStop::Failed(_))));
}

#[tokio::test]
async fn a_shown_token_is_kept_by_its_hash_alone() {
    let mei = Mei::with(showing).await;
    let rows = mei.w.lists.tickets(Kind::Shown, None, 10).await.unwrap();
    let row = rows[0].open::<Shown>().unwrap();
    assert_eq!(row.body.identity, mei_key());
    assert_eq!(row.expires_at, at(30 * DAY));
    assert!(
        !String::from_utf8(rows[0].ticket.body.clone())
            .unwrap()
            .contains("access-o-mei")
    );
}
