//! Many at once, on several threads and on a store that lets all read before any writes.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use yufu_core::engine::{Proof, Settings, SignUp};
use yufu_core::message::Act;
use yufu_core::refusal::{Refusal, Stop};
use yufu_core::secret::Secret;
use yufu_core::store::{Browse, Change};
use yufu_core::ticket::Scene;
use yufu_core::time::Lifetime;
use yufu_core::user::Phone;

use crate::world::*;

const MANY: usize = 50;

/// Runs this many at once and answers what each heard.
async fn at_once<F, T>(each: impl Fn(usize) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let all: Vec<_> = (0..MANY).map(|n| tokio::spawn(each(n))).collect();
    let mut heard = Vec::new();
    for one in all {
        heard.push(one.await.unwrap());
    }
    heard
}

async fn slow_world() -> Arc<World> {
    let w = Arc::new(World::new().await);
    w.store.slow.store(true, Ordering::SeqCst);
    w
}

/// A world that lets a thousand fail.
async fn patient_world() -> Arc<World> {
    let rate = yufu_core::limit::Rate {
        burst: 1000,
        each: Lifetime::seconds(1),
    };
    let settings = Settings {
        account_failures: rate,
        address_failures: rate,
        ..Settings::default()
    };
    Arc::new(World::with(settings).await)
}

fn count(lists: &[Vec<Change>], which: impl Fn(&Change) -> bool) -> usize {
    lists
        .iter()
        .flatten()
        .filter(|change| which(change))
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_redemptions_of_one_code_one_pays() {
    for single in [false, true] {
        let w = slow_world().await;
        w.set(&w.site, |policy| policy.single_live_token = single)
            .await;
        let code = w.code(&w.site, &w.mei, NOW).await;
        let heard = at_once(|_| {
            let (w, code) = (w.clone(), code.clone());
            async move { w.exchange(&w.site, &code, NOW).await }
        })
        .await;
        let (paid, rest): (Vec<_>, Vec<_>) = heard.into_iter().partition(Result::is_ok);
        assert_eq!(paid.len(), 1);
        for spent in rest {
            assert_eq!(refused(spent), Refusal::SpentCode);
        }
        assert_eq!(w.store.changes().len(), 1, "one list was applied");
        w.profile(&paid.into_iter().next().unwrap().unwrap().access, NOW)
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_mini_logins_by_one_code_one_pays() {
    let w = slow_world().await;
    let code = w
        .engine
        .issue_mini_code(&w.page.id, w.mei.id, NOW)
        .await
        .unwrap();
    let heard = at_once(|_| {
        let (w, code) = (w.clone(), code.clone());
        async move {
            let request = token_request(&w.page, by_code(&code, None));
            w.engine.mini_login(&request, HERE, NOW).await
        }
    })
    .await;
    let (paid, rest): (Vec<_>, Vec<_>) = heard.into_iter().partition(Result::is_ok);
    assert_eq!(paid.len(), 1);
    for spent in rest {
        assert_eq!(refused(spent), Refusal::SpentCode);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_first_approvals_make_one_grant_and_one_openid() {
    let w = slow_world().await;
    let session = w.sign_in(&w.mei, NOW).await;
    let mut interactions = Vec::new();
    for _ in 0..MANY {
        let request = page_request(&w.page, "snsapi_userinfo");
        let asked = consent(w.begin(request, &user(&session), NOW).await.unwrap());
        interactions.push(asked.interaction);
    }
    w.store.lists();
    let interactions = Arc::new(interactions);
    let heard = at_once(|n| {
        let (w, session, all) = (w.clone(), session.clone(), interactions.clone());
        async move {
            let step = w
                .act(all[n].expose(), Act::Approve, &user(&session), NOW)
                .await;
            let tokens = w.exchange(&w.page, &code_of(step?), NOW).await?;
            Ok::<_, Stop>((tokens.openid, tokens.unionid))
        }
    })
    .await;
    let names: HashSet<_> = heard.into_iter().map(Result::unwrap).collect();
    assert_eq!(names.len(), 1, "each was answered, with one name");
    let lists = w.store.lists();
    let ids: HashSet<_> = lists
        .iter()
        .flatten()
        .filter_map(|change| match change {
            Change::Put(yufu_core::store::Record::Grant(grant)) => Some(grant.id),
            _ => None,
        })
        .collect();
    assert_eq!(ids.len(), 1, "one grant");
    assert_eq!(w.store.grants_of(w.mei.id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn of_many_yeses_in_one_moment_one_is_written_down() {
    // On one thread all fifty read before any writes: the losers rely on what the winner wrote.
    let w = slow_world().await;
    let session = w.sign_in(&w.mei, NOW).await;
    let mut interactions = Vec::new();
    for _ in 0..MANY {
        let request = page_request(&w.page, "snsapi_userinfo");
        let asked = consent(w.begin(request, &user(&session), NOW).await.unwrap());
        interactions.push(asked.interaction);
    }
    w.store.lists();
    let interactions = Arc::new(interactions);
    let heard = at_once(|n| {
        let (w, session, all) = (w.clone(), session.clone(), interactions.clone());
        async move {
            w.act(all[n].expose(), Act::Approve, &user(&session), NOW)
                .await
        }
    })
    .await;
    for step in heard {
        code_of(step.unwrap());
    }
    let mut lists = w.store.changes();
    assert!(lists.remove(0).contains(&"put grant".to_owned()));
    assert_eq!(lists, vec![["take interaction", "issue code"]; MANY - 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_silent_requests_of_a_new_user_are_all_answered() {
    let w = slow_world().await;
    let session = w.sign_in(&w.mei, NOW).await;
    let heard = at_once(|n| {
        let (w, session) = (w.clone(), session.clone());
        async move {
            // Two clients of one developer, so that the unionid is raced for as well.
            let app = if n % 2 == 0 { &w.page } else { &w.loose };
            let request = page_request(app, "snsapi_base");
            let step = w.begin(request, &user(&session), NOW).await?;
            w.exchange(app, &code_of(step), NOW)
                .await
                .map(|tokens| (n % 2, tokens.openid))
        }
    })
    .await;
    let names: HashSet<_> = heard.into_iter().map(Result::unwrap).collect();
    assert_eq!(names.len(), 2, "one openid at each client");
    assert_eq!(w.store.grants_of(w.mei.id).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_answers_to_one_interaction_make_one_code() {
    let w = slow_world().await;
    let session = w.sign_in(&w.mei, NOW).await;
    let request = page_request(&w.page, "snsapi_userinfo");
    let asked = consent(w.begin(request, &user(&session), NOW).await.unwrap());
    let heard = at_once(|n| {
        let (w, session, secret) = (w.clone(), session.clone(), asked.interaction.clone());
        async move {
            let act = [Act::Approve, Act::Deny, Act::Cancel][n % 3];
            w.act(secret.expose(), act, &user(&session), NOW).await
        }
    })
    .await;
    let (answered, rest): (Vec<_>, Vec<_>) = heard.into_iter().partition(Result::is_ok);
    assert_eq!(answered.len(), 1);
    for gone in rest {
        assert_eq!(refused(gone), Refusal::InteractionGone);
    }
    let lists = w.store.lists();
    let taken = |change: &Change| matches!(change, Change::Take { .. });
    assert_eq!(count(&lists, taken), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_polls_of_one_approved_scan_hear_one_code() {
    let w = slow_world().await;
    let mei = w.sign_in(&w.mei, NOW).await;
    let uuid = w.scan(&w.site, "desk", NOW).await;
    let interaction = w.open(&uuid, &mei, NOW).await;
    w.act(&interaction, Act::Approve, &user(&mei), NOW)
        .await
        .unwrap();
    w.store.lists();
    let heard = at_once(|_| {
        let (w, uuid) = (w.clone(), uuid.clone());
        async move {
            paid(w.poll(&uuid, Some("desk"), NOW).await)
                .expose()
                .to_owned()
        }
    })
    .await;
    assert_eq!(heard.into_iter().collect::<HashSet<_>>().len(), 1);
    assert_eq!(w.store.change(), ["amend scan", "issue code"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_phones_at_one_scan_one_answers_it() {
    let w = slow_world().await;
    let people = [&w.mei, &w.wei, &w.an];
    let uuid = w.scan(&w.site, "desk", NOW).await;
    let mut phones = Vec::new();
    for n in 0..MANY {
        let session = w.sign_in(people[n % 3], NOW).await;
        phones.push((w.open(&uuid, &session, NOW).await, session));
    }
    w.store.lists();
    let phones = Arc::new(phones);
    let heard = at_once(|n| {
        let (w, phones) = (w.clone(), phones.clone());
        async move {
            let (interaction, session) = &phones[n];
            w.act(interaction, Act::Approve, &user(session), NOW).await
        }
    })
    .await;
    assert_eq!(heard.iter().filter(|one| one.is_ok()).count(), 1);
    for gone in heard.into_iter().filter(|one| one.is_err()) {
        assert_eq!(refused(gone), Refusal::InteractionGone);
    }
    assert_eq!(w.store.changes().len(), 1, "and one grant was given");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_refreshes_of_a_dead_token_give_one_new_one() {
    let w = slow_world().await;
    let tokens = w.tokens(&w.site, &w.mei, NOW).await;
    let heard = at_once(|_| {
        let (w, refresh) = (w.clone(), tokens.refresh.clone().unwrap());
        async move {
            let renewed = w.refresh(&w.site, &refresh, at(7200)).await.unwrap();
            assert!(renewed.refresh.as_ref() == Some(&refresh));
            renewed.access.expose().to_owned()
        }
    })
    .await;
    assert_eq!(heard.iter().collect::<HashSet<_>>().len(), 1);
    assert_ne!(heard[0], tokens.access.expose());
    w.profile(&Secret::new(&*heard[0]), at(7200)).await.unwrap();
    let lists = w.store.lists();
    assert_eq!(
        count(&lists, |change| matches!(change, Change::Issue(_))),
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_client_tokens_at_once_are_fifty_tokens() {
    let w = slow_world().await;
    let heard = at_once(|_| {
        let w = w.clone();
        async move {
            w.client_token(&w.mobile, NOW)
                .await
                .unwrap()
                .access
                .expose()
                .to_owned()
        }
    })
    .await;
    assert_eq!(heard.iter().collect::<HashSet<_>>().len(), MANY);
    for access in heard {
        w.engine
            .platform_ticket(&Secret::new(access), NOW)
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_sign_ups_of_one_number_make_one_user() {
    let w = slow_world().await;
    let phone = Phone::parse("13900000009").unwrap();
    w.engine
        .send_passcode(&phone, Scene::SignUp, HERE, NOW)
        .await
        .unwrap();
    let digits = w.letter().await.passcode;
    let before = w.store.users(1000).await.unwrap().len();
    let heard = at_once(|n| {
        let (w, phone, digits) = (w.clone(), phone.clone(), digits.clone());
        async move {
            let sign_up = SignUp {
                phone,
                passcode: Secret::new(digits),
                nickname: format!("n{n}"),
                password: None,
            };
            w.engine.sign_up(sign_up, HERE, NOW).await
        }
    })
    .await;
    assert_eq!(heard.iter().filter(|one| one.is_ok()).count(), 1);
    for other in heard.into_iter().filter(|one| one.is_err()) {
        let refusal = refused(other);
        let waits = matches!(refusal, Refusal::TooManyFailures(_));
        assert!(waits || refusal == Refusal::WrongCredentials, "{refusal}");
    }
    assert_eq!(w.store.users(1000).await.unwrap().len(), before + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn guesses_at_once_never_get_more_than_five_tries() {
    let w = patient_world().await;
    w.store.slow.store(true, Ordering::SeqCst);
    w.engine
        .send_passcode(&w.mei.phone, Scene::SignIn, HERE, NOW)
        .await
        .unwrap();
    let right: u32 = w.letter().await.passcode.parse().unwrap();
    w.store.lists();
    let heard = at_once(|n| {
        let w = w.clone();
        async move {
            let guess = (right + 1 + n as u32) % 1_000_000;
            let proof = Proof::Passcode(Secret::new(format!("{guess:06}")));
            w.engine.sign_in(&w.mei.phone, proof, HERE, NOW).await
        }
    })
    .await;
    for one in heard {
        assert_eq!(refused(one), Refusal::WrongCredentials);
    }
    assert_eq!(w.store.changes(), [["amend passcode"]; 5]);
    let proof = Proof::Passcode(Secret::new(format!("{right:06}")));
    let late = w.engine.sign_in(&w.mei.phone, proof, HERE, NOW).await;
    assert_eq!(
        refused(late),
        Refusal::WrongCredentials,
        "the right one comes too late"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_passcode_used_many_times_at_once_begins_one_session() {
    let w = slow_world().await;
    w.engine
        .send_passcode(&w.mei.phone, Scene::SignIn, HERE, NOW)
        .await
        .unwrap();
    let digits = w.letter().await.passcode;
    let heard = at_once(|_| {
        let (w, digits) = (w.clone(), digits.clone());
        async move {
            let proof = Proof::Passcode(Secret::new(digits));
            w.engine.sign_in(&w.mei.phone, proof, HERE, NOW).await
        }
    })
    .await;
    assert_eq!(heard.into_iter().filter(Result::is_ok).count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_requests_for_a_passcode_at_once_send_one_letter() {
    let w = slow_world().await;
    let heard = at_once(|n| {
        let w = w.clone();
        async move {
            let address = format!("192.0.2.{n}");
            w.engine
                .send_passcode(&w.mei.phone, Scene::SignIn, &address, NOW)
                .await
        }
    })
    .await;
    assert_eq!(heard.into_iter().filter(Result::is_ok).count(), 1);
    assert_eq!(w.letters().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_changes_of_one_password_at_once_are_one() {
    let w = slow_world().await;
    let session = w.sign_in(&w.mei, NOW).await;
    let signed_in = w.signed_in(&session, NOW).await.unwrap();
    let heard = at_once(|n| {
        let (w, signed_in) = (w.clone(), signed_in.clone());
        async move {
            let (old, new) = (
                Secret::new(w.mei.password),
                Secret::new(format!("password {n}")),
            );
            let address = format!("192.0.2.{n}");
            // Each reads its own clock: nobody overwrites what another has changed meanwhile.
            w.engine
                .change_password(&signed_in, old, new, &address, at(n as i64))
                .await
        }
    })
    .await;
    assert_eq!(heard.into_iter().filter(Result::is_ok).count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sign_in_judged_before_a_reset_begins_no_session_after_it() {
    let w = patient_world().await;
    w.engine
        .send_passcode(&w.mei.phone, Scene::Reset, HERE, NOW)
        .await
        .unwrap();
    let code = Secret::new(w.letter().await.passcode);
    w.store.slow.store(true, Ordering::SeqCst);
    let thieves = at_once(|n| {
        let (w, code) = (w.clone(), code.clone());
        async move {
            if n == 25 {
                let new = Secret::new("a new password");
                let reset = w.engine.reset_password(&w.mei.phone, &code, new, HERE, NOW);
                reset.await.unwrap();
                return None;
            }
            let proof = Proof::Password(Secret::new(w.mei.password));
            let address = format!("192.0.2.{n}");
            w.engine
                .sign_in(&w.mei.phone, proof, &address, at(5))
                .await
                .ok()
        }
    })
    .await;
    for session in thieves.into_iter().flatten() {
        assert!(
            w.signed_in(session.expose(), at(6)).await.is_none(),
            "by the old password"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_yes_given_and_taken_back_at_once_leaves_nothing_alive_without_a_grant() {
    let w = slow_world().await;
    w.tokens(&w.page, &w.mei, NOW).await;
    let session = w.sign_in(&w.mei, NOW).await;
    let heard = at_once(|n| {
        let (w, session) = (w.clone(), session.clone());
        async move {
            if n % 5 == 0 {
                if let Some(grant) = w.grant(&w.mei, &w.page).await {
                    let _ = w.engine.revoke_grant(w.mei.id, grant.id, NOW).await;
                }
                return None;
            }
            let request = page_request(&w.page, "snsapi_base");
            let step = w.begin(request, &user(&session), NOW).await.unwrap();
            w.exchange(&w.page, &code_of(step), NOW).await.ok()
        }
    })
    .await;
    let standing = w.grant(&w.mei, &w.page).await.map(|grant| grant.id);
    for tokens in heard.into_iter().flatten() {
        let report = w.engine.inspect_secret(&tokens.access).await.unwrap();
        let (grant, stands) = report.grant.unwrap();
        assert_eq!(stands, Some(grant) == standing);
        let works = !matches!(
            w.profile(&tokens.access, NOW).await,
            Err(Stop::Refused(Refusal::UnknownAccess))
        );
        assert_eq!(works, stands);
    }
}
