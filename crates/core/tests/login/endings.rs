//! Sessions that end as a whole: webhooks hear of each of them.

use yufu_core::engine::login::PhoneProof;
use yufu_core::id::UserId;
use yufu_core::identity::Provider;
use yufu_core::login::{Authenticated, LoggedIn};
use yufu_core::time::Timestamp;
use yufu_core::user::UserStatus;

use crate::upstream::{at_leisure, exchanged};
use crate::world::*;

/// Mei with a WeChat, a number, and three devices.
struct Three {
    w: World,
    user: UserId,
    sessions: Vec<LoggedIn>,
}

impl Three {
    async fn new() -> Self {
        let w = World::with(at_leisure).await;
        let number = phone("13800000001");
        let secrets = [w.device(), w.device(), w.device()];
        let given = exchanged(&mobile_app(), "o-mei", Some("u-mei"));
        let first = w
            .wechat(given, device(&secrets[0], "d0", "android"), NOW)
            .await;
        let user = first.user;
        let mut three = Self {
            w,
            user,
            sessions: vec![first],
        };
        let auth = three.auth(0).await;
        let engine = &three.w.engine;
        let proof = PhoneProof::Carrier;
        engine
            .change_phone(&auth, &number, proof, NOW)
            .await
            .unwrap();
        for (secret, name) in secrets[1..].iter().zip(["d1", "d2"]) {
            let of = device(secret, name, "ios");
            three.sessions.push(three.w.login(&number, of, NOW).await);
        }
        three
    }

    async fn auth(&self, index: usize) -> Authenticated {
        let token = self.sessions[index].pair.token.expose();
        let engine = &self.w.engine;
        engine.authenticate(token, None, NOW).await.unwrap()
    }

    async fn ids(&self) -> Vec<String> {
        let mut ids = Vec::new();
        for index in 0..3 {
            ids.push(self.w.engine.session_id(self.auth(index).await.session));
        }
        ids
    }

    /// The sessions whose end was told, with the device's name and why.
    async fn told(&self) -> Vec<(String, String, String)> {
        let notices = self.w.notices().await;
        let mut told: Vec<_> = notices
            .iter()
            .filter(|notice| notice.about == "session.ended")
            .map(|notice| {
                assert_eq!(notice.user, self.user);
                let data: serde_json::Value = serde_json::from_str(&notice.data).unwrap();
                let text = |name: &str| data[name].as_str().unwrap().to_owned();
                (text("device_id"), text("session"), text("reason"))
            })
            .collect();
        told.sort();
        told
    }

    /// What should be told when these of the three ended.
    fn expected(ids: &[String], ended: &[usize], why: &str) -> Vec<(String, String, String)> {
        let one = |at: &usize| (format!("d{at}"), ids[*at].clone(), why.to_owned());
        ended.iter().map(one).collect()
    }
}

#[tokio::test]
async fn a_change_of_the_account_tells_of_every_session_that_it_ends() {
    for (why, ended) in [
        ("phone_changed", &[1, 2][..]),
        ("unlinked", &[0, 2]),
        ("deleted", &[0, 1, 2]),
        ("operator", &[0, 1, 2]),
        ("disabled", &[0, 1, 2]),
    ] {
        let three = Three::new().await;
        let ids = three.ids().await;
        assert_eq!(three.told().await, [], "nothing has ended");
        let (first, second) = (three.auth(0).await, three.auth(1).await);
        let (engine, number) = (&three.w.engine, phone("13800000002"));
        let done = match why {
            "phone_changed" => {
                let proof = PhoneProof::Carrier;
                engine.change_phone(&first, &number, proof, NOW).await
            }
            "unlinked" => engine.unlink(&second, Provider::Wechat, NOW).await,
            "deleted" => engine.request_deletion(&second, NOW).await.map(|_| ()),
            "operator" => engine.end_all_sessions(three.user, NOW).await,
            _ => {
                let status = UserStatus::Restricted;
                engine
                    .set_user_status(three.user, status, NOW)
                    .await
                    .unwrap();
                Ok(())
            }
        };
        done.unwrap();
        assert_eq!(three.told().await, Three::expected(&ids, ended, why));
    }
}

#[tokio::test]
async fn no_session_ends_twice() {
    let three = Three::new().await;
    let ids = three.ids().await;
    let engine = &three.w.engine;
    // One that was logged out, and one that is over by itself, have ended before.
    engine.logout(&three.auth(2).await, NOW).await.unwrap();
    let second = three.auth(1).await.session;
    three
        .w
        .alter_row(second, |row| row.from = Timestamp(-1))
        .await;
    let auth = three.auth(0).await;
    engine.request_deletion(&auth, NOW).await.unwrap();
    let mut expected = Three::expected(&ids, &[0], "deleted");
    expected.extend(Three::expected(&ids, &[2], "logged_out"));
    assert_eq!(three.told().await, expected);
    engine.erase_due(at(8 * 86_400), 10).await.unwrap();
    engine
        .end_all_sessions(three.user, at(8 * 86_400))
        .await
        .unwrap();
    assert_eq!(three.told().await, expected);
}
