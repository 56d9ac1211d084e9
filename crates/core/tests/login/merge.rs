//! Two accounts of one person become one, and can be taken apart again for a while.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use yufu_core::id::{MergeId, Number, UserId};
use yufu_core::login::body::Merge;
use yufu_core::login::{LoggedIn, LoginRefusal, LoginStop, Taken};
use yufu_core::store::Browse;
use yufu_core::ticket::{Kind, Ticket};
use yufu_core::time::Timestamp;
use yufu_core::user::{Handle, User, UserStatus};

use crate::upstream::*;
use crate::world::*;

const DAY: i64 = 86_400;

/// Two accounts of one person: `old` by the mobile app, `new` by a phone number.
struct Two {
    w: World,
    old: LoggedIn,
    new: LoggedIn,
}

impl Two {
    async fn new() -> Self {
        let w = World::with(at_leisure).await;
        let secret = w.device();
        let given = exchanged(&mobile_app(), "o-mei", Some("u-mei"));
        let old = w
            .wechat(given, device(&secret, "phone", "android"), NOW)
            .await;
        let other = w.device();
        let number = phone("13800000001");
        let new = w.login(&number, device(&other, "tablet", "ios"), NOW).await;
        Self { w, old, new }
    }

    fn identity(&self) -> [Handle; 2] {
        [
            Handle::of(&key(&mobile_app(), "o-mei")),
            Handle::of_person(&person("u-mei")),
        ]
    }

    async fn merge(&self, now: Timestamp) -> MergeId {
        self.try_merge(self.old.user, self.new.user, now)
            .await
            .unwrap()
    }

    async fn try_merge(
        &self,
        from: UserId,
        to: UserId,
        now: Timestamp,
    ) -> Result<MergeId, LoginStop> {
        self.w.engine.merge_users(from, to, "operator", now).await
    }

    async fn alive(&self, session: &LoggedIn, now: Timestamp) -> bool {
        let token = session.pair.token.expose();
        self.w.engine.authenticate(token, None, now).await.is_ok()
    }

    async fn users(&self) -> (User, User) {
        let old = self.w.user(self.old.user).await;
        (old, self.w.user(self.new.user).await)
    }

    async fn row(&self) -> Ticket<Merge> {
        let rows = self.w.lists.tickets(Kind::Merge, None, 10).await.unwrap();
        assert_eq!(rows.len(), 1);
        rows[0].open().unwrap()
    }

    /// The phases that webhooks were told.
    async fn phases(&self) -> Vec<String> {
        let notices = self.w.notices().await.into_iter();
        let merged = notices.filter(|notice| notice.about == "user.merged");
        let phase = |data: &str| {
            let data: serde_json::Value = serde_json::from_str(data).unwrap();
            data["phase"].as_str().unwrap().to_owned()
        };
        merged.map(|notice| phase(&notice.data)).collect()
    }
}

/// A user without what counts its changes.
fn timeless(mut user: User) -> User {
    user.version = 1;
    user.sessions_from = Timestamp(0);
    user
}

#[tokio::test]
async fn the_logins_of_one_account_move_to_the_other() {
    let two = Two::new().await;
    let (before, _) = two.users().await;
    let id = two.merge(at(60)).await;
    let (old, new) = two.users().await;
    assert_eq!(old.status, UserStatus::Merged(new.id));
    assert!(old.identities.is_empty() && old.phone.is_none());
    assert_eq!(new.status, UserStatus::Active);
    assert_eq!(new.identities, before.identities);
    assert_eq!(new.phone, Some(phone("13800000001")));
    for handle in two.identity() {
        assert_eq!(two.w.owner(&handle).await, Some(new.id));
    }
    assert!(!two.alive(&two.old, at(61)).await);
    assert!(two.alive(&two.new, at(61)).await);
    let row = two.row().await;
    assert_eq!((MergeId(row.number), row.user), (id, Some(new.id)));
    assert_eq!((row.body.from, row.body.by.as_str()), (old.id, "operator"));
    assert_eq!(row.expires_at, at(60 + 7 * DAY));
    assert_eq!(two.phases().await, ["proposed"]);
    // A login with what moved leads to the account that stays.
    let secret = two.w.device();
    let given = exchanged(&mobile_app(), "o-mei", Some("u-mei"));
    let back = two.w.wechat(given, device(&secret, "", ""), at(61)).await;
    assert_eq!(back.user, new.id);
}

#[tokio::test]
async fn the_number_moves_where_there_is_none_and_stays_where_there_is() {
    let two = Two::new().await;
    two.try_merge(two.new.user, two.old.user, at(60))
        .await
        .unwrap();
    let (old, new) = two.users().await;
    assert_eq!(new.status, UserStatus::Merged(old.id));
    assert_eq!(old.phone, Some(phone("13800000001")));
    let number = Handle::Phone(phone("13800000001"));
    assert_eq!(two.w.owner(&number).await, Some(old.id));

    let two = Two::new().await;
    two.w.give_phone(two.old.user, "13800000002").await;
    two.merge(at(60)).await;
    let (old, new) = two.users().await;
    assert_eq!(old.status, UserStatus::Active, "it still has its number");
    assert_eq!(old.phone, Some(phone("13800000002")));
    assert_eq!(new.phone, Some(phone("13800000001")));
    assert_eq!(new.identities.len(), 1);
    assert!(!two.alive(&two.old, at(61)).await);
}

#[tokio::test]
async fn two_people_are_never_merged() {
    let two = Two::new().await;
    let other = |reason| LoginRefusal::PhoneTaken {
        reason,
        other: "n***".into(),
    };
    // Another login of the same app.
    let secret = two.w.device();
    let here = device(&secret, "", "");
    let eve = two
        .w
        .wechat(exchanged(&mobile_app(), "o-eve", None), here, NOW)
        .await;
    let stop = two.try_merge(eve.user, two.old.user, at(60)).await;
    assert_eq!(refused(stop), other(Taken::OtherWechat));
    // Another person of the same account there, at another app.
    let given = exchanged(&website(), "o-bob", Some("u-bob"));
    let bob = two.w.wechat(given, here, NOW).await;
    let stop = two.try_merge(bob.user, two.old.user, at(60)).await;
    assert_eq!(refused(stop), other(Taken::OtherWechat));
    // At another app and nobody told who: that is the operator's word.
    let given = exchanged(&website(), "o-who", None);
    let who = two.w.wechat(given, here, NOW).await;
    two.try_merge(who.user, two.old.user, at(60)).await.unwrap();
    assert_eq!(two.users().await.0.identities.len(), 2);
}

#[tokio::test]
async fn only_accounts_that_may_be_entered_and_have_something_are_merged() {
    let two = Two::new().await;
    let (old, new) = (two.old.user, two.new.user);
    let nobody = UserId(Number(7));
    let bad = |field| LoginRefusal::BadRequest { field };
    for (from, to, refusal) in [
        (old, old, bad("to")),
        (nobody, new, bad("from")),
        (old, nobody, bad("to")),
    ] {
        assert_eq!(refused(two.try_merge(from, to, at(60)).await), refusal);
    }
    let gone = Some(bad("from"));
    for (status, refusal) in [
        (UserStatus::Restricted, Some(LoginRefusal::Disabled)),
        (UserStatus::Deleted, gone.clone()),
        (UserStatus::Merged(nobody), gone),
        (
            UserStatus::Deleting(at(DAY)),
            Some(LoginRefusal::Deleting {
                deletable_at: at(DAY),
                cancel_ticket: None,
                device_secret: None,
            }),
        ),
    ] {
        two.w.set_status(old, status).await;
        let stop = two.try_merge(old, new, at(60)).await;
        assert_eq!(Some(refused(stop)), refusal);
    }
    two.w.set_status(old, UserStatus::Active).await;
    two.w.alter(old, |user| user.identities.clear()).await;
    assert_eq!(refused(two.try_merge(old, new, at(60)).await), bad("from"));
    assert_eq!(refused(two.try_merge(new, old, at(60)).await), bad("to"));
    assert!(two.phases().await.is_empty());
}

#[tokio::test]
async fn an_undone_merge_leaves_no_trace_in_the_accounts() {
    for swapped in [false, true] {
        let two = Two::new().await;
        let (old, new) = two.users().await;
        let id = match swapped {
            false => two.merge(at(60)).await,
            true => two.try_merge(new.id, old.id, at(60)).await.unwrap(),
        };
        two.w.engine.undo_merge(id, at(7 * DAY)).await.unwrap();
        let (old_after, new_after) = two.users().await;
        assert_eq!(timeless(old_after), timeless(old.clone()));
        assert_eq!(timeless(new_after), timeless(new.clone()));
        for handle in two.identity() {
            assert_eq!(two.w.owner(&handle).await, Some(old.id));
        }
        let number = Handle::Phone(phone("13800000001"));
        assert_eq!(two.w.owner(&number).await, Some(new.id));
        assert!(!two.alive(&two.old, at(61)).await && !two.alive(&two.new, at(61)).await);
        assert_eq!(two.phases().await, ["proposed", "undone"]);
        let row = two.row().await;
        assert!(row.body.undone && row.body.identities.is_empty() && row.body.phone.is_none());
        // Once, and nothing is left to be made final.
        let again = two.w.engine.undo_merge(id, at(7 * DAY)).await;
        assert_eq!(refused(again), LoginRefusal::TicketInvalid);
        assert_eq!(
            two.w.engine.finish_merges(at(8 * DAY), 10).await.unwrap(),
            0
        );
    }
}

#[tokio::test]
async fn a_merge_is_final_after_its_time() {
    let two = Two::new().await;
    two.w
        .alter(two.old.user, |user| user.profile.nickname = "Mei".into())
        .await;
    let id = two.merge(at(60)).await;
    let end = at(60 + 7 * DAY);
    assert_eq!(
        two.w
            .engine
            .finish_merges(Timestamp(end.0 - 1), 10)
            .await
            .unwrap(),
        0
    );
    assert_eq!(two.users().await.0.profile.nickname, "Mei");
    let stop = two.w.engine.undo_merge(id, end).await;
    assert_eq!(refused(stop), LoginRefusal::TicketInvalid);
    assert_eq!(two.w.engine.finish_merges(end, 10).await.unwrap(), 1);
    assert_eq!(two.w.engine.finish_merges(end, 10).await.unwrap(), 0);
    assert_eq!(two.phases().await, ["proposed", "final"]);
    let (old, new) = two.users().await;
    assert!(is_empty(&old));
    assert_eq!(old.status, UserStatus::Merged(new.id));
    let row = two.row().await;
    assert!(row.body.identities.is_empty() && !row.body.undone);
}

#[tokio::test]
async fn what_has_another_owner_since_is_not_taken_back() {
    // The login was unlinked and is somebody else's now.
    let two = Two::new().await;
    let id = two.merge(at(60)).await;
    let event = yufu_core::engine::login::PushedEvent {
        app: &mobile_app().appid,
        openid: Some("o-mei"),
        unionid: None,
        kind: yufu_core::engine::login::PushedKind::Cancelled,
        nonce: "n",
        timestamp: at(61).seconds(),
    };
    two.w.engine.pushed(event, at(61)).await.unwrap();
    let secret = two.w.device();
    let given = exchanged(&mobile_app(), "o-mei", Some("u-mei"));
    let third = two.w.wechat(given, device(&secret, "", ""), at(62)).await;
    let stop = two.w.engine.undo_merge(id, at(63)).await;
    assert_eq!(refused(stop), LoginRefusal::WechatTaken);
    for handle in two.identity() {
        assert_eq!(two.w.owner(&handle).await, Some(third.user));
    }

    // The number was changed.
    let two = Two::new().await;
    let id = two
        .try_merge(two.new.user, two.old.user, at(60))
        .await
        .unwrap();
    two.w
        .alter(two.old.user, |user| user.phone = Some(phone("13800000009")))
        .await;
    let stop = two.w.engine.undo_merge(id, at(63)).await;
    let LoginRefusal::PhoneTaken {
        reason: Taken::OtherAccount,
        ..
    } = refused(stop)
    else {
        panic!("the number is another");
    };

    // Nothing would be left to the account that stays.
    let two = Two::new().await;
    let id = two.merge(at(60)).await;
    two.w.alter(two.new.user, |user| user.phone = None).await;
    let stop = two.w.engine.undo_merge(id, at(63)).await;
    assert_eq!(refused(stop), LoginRefusal::LastIdentity);

    // The account that stays is closed, or was merged on.
    let two = Two::new().await;
    let id = two.merge(at(60)).await;
    two.w.set_status(two.new.user, UserStatus::Restricted).await;
    assert_eq!(
        refused(two.w.engine.undo_merge(id, at(63)).await),
        LoginRefusal::Disabled
    );
    two.w
        .set_status(two.new.user, UserStatus::Merged(UserId(Number(7))))
        .await;
    assert_eq!(
        refused(two.w.engine.undo_merge(id, at(63)).await),
        LoginRefusal::TicketInvalid
    );
    let unknown = MergeId(Number(7));
    assert_eq!(
        refused(two.w.engine.undo_merge(unknown, at(63)).await),
        LoginRefusal::TicketInvalid
    );
}

#[tokio::test]
async fn an_erased_account_takes_what_was_merged_into_it_along() {
    let two = Two::new().await;
    two.w
        .alter(two.old.user, |user| user.profile.nickname = "Mei".into())
        .await;
    let id = two.merge(at(60)).await;
    two.w.set_status(two.new.user, UserStatus::Active).await;
    let token = two.new.pair.token.expose();
    let auth = two
        .w
        .engine
        .authenticate(token, None, at(61))
        .await
        .unwrap();
    let until = two.w.engine.request_deletion(&auth, at(61)).await.unwrap();
    assert_eq!(two.w.engine.erase_due(until, 10).await.unwrap(), 1);
    let (old, new) = two.users().await;
    assert!(is_empty(&old) && is_empty(&new));
    let row = two.row().await;
    assert!(row.body.identities.is_empty() && row.body.phone.is_none());
    let stop = two.w.engine.undo_merge(id, until).await;
    assert_eq!(refused(stop), LoginRefusal::TicketInvalid);
}

#[tokio::test]
async fn the_names_of_merges_read_back() {
    let two = Two::new().await;
    let id = two.merge(at(60)).await;
    assert_eq!(MergeId::parse(&id.to_string()), Some(id));
    assert!(
        two.w
            .events()
            .await
            .iter()
            .any(|(what, detail)| { what == "user.merged" && detail.starts_with(&id.to_string()) })
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_merges_both_ways_at_once_one_wins() {
    for _ in 0..20 {
        let two = Arc::new(Two::new().await);
        two.w.store.slow.store(true, Ordering::SeqCst);
        let (old, new) = (two.old.user, two.new.user);
        let run = |from, to| {
            let two = two.clone();
            tokio::spawn(async move { two.try_merge(from, to, at(60)).await })
        };
        let (there, back) = (run(old, new), run(new, old));
        let won = [there.await.unwrap(), back.await.unwrap()];
        assert_eq!(won.iter().filter(|won| won.is_ok()).count(), 1);
        let (old, new) = two.users().await;
        let merged = |user: &User| matches!(user.status, UserStatus::Merged(_));
        assert!(merged(&old) != merged(&new));
        let stays = if merged(&old) { new } else { old };
        assert_eq!((stays.identities.len(), stays.phone.is_some()), (1, true));
        assert_eq!(two.phases().await, ["proposed"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_login_beside_a_merge_or_its_undoing_lives_where_the_identity_is() {
    for _ in 0..20 {
        let two = Arc::new(Two::new().await);
        let id = two.merge(at(60)).await;
        two.w.store.slow.store(true, Ordering::SeqCst);
        let undo = {
            let two = two.clone();
            tokio::spawn(async move { two.w.engine.undo_merge(id, at(61)).await.unwrap() })
        };
        let login = {
            let two = two.clone();
            tokio::spawn(async move {
                let secret = two.w.device();
                let given = exchanged(&mobile_app(), "o-mei", Some("u-mei"));
                two.w.wechat(given, device(&secret, "", ""), at(61)).await
            })
        };
        undo.await.unwrap();
        let session = login.await.unwrap();
        let owner = two.w.owner(&two.identity()[0]).await.unwrap();
        assert_eq!(owner, two.old.user);
        assert!(session.user == owner || !two.alive(&session, at(61)).await);
    }
}
