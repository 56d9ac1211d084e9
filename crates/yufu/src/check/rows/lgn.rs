//! Login and account.

use super::{Need, Row, scene};
use crate::check::backend::Side;
use crate::check::recipe::Step;
use crate::check::sandbox::Draft;
use crate::check::stage::{After, Stage};
use crate::check::verdict::{Run, Stop};

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "LGN-01",
        does: "Somebody new logs in, at a backend that wants a number.",
        holds: "They get a ticket to bind a number with, and are not logged in yet.",
        why: "A session before the number is bound is an account without one.",
        fix: "Answer with a short-lived ticket for the login, and no session.",
        needs: &[Need::Has(Step::Bind)],
        powers: &[],
        run: scene!(new_needs_a_number),
    },
    Row {
        id: "LGN-02",
        does: "Somebody new logs in, at a backend that wants no number.",
        holds: "They are logged in, to an account of their own.",
        why: "Two new people must never share an account.",
        fix: "Make an account per (app, openid) that is not known.",
        needs: &[],
        powers: &[],
        run: scene!(new_gets_an_account),
    },
    Row {
        id: "LGN-03",
        does: "The same person logs in again, on the same device and on another one.",
        holds: "It is the same account, with a session of its own each time.",
        why: "Accounts that are made anew lose orders, points and friends.",
        fix: "Find the identity by (app, openid) before anything is made.",
        needs: &[],
        powers: &[],
        run: scene!(known_comes_back),
    },
    Row {
        id: "LGN-05",
        does: "Somebody leaves the page for the number, logs in once more, and binds with the new ticket; then the old ticket is tried.",
        holds: "There is one account at the end, and the old ticket makes no second one.",
        why: "People leave that page half of the time.",
        fix: "A new ticket voids the older one; binding looks first whether the login has an account by now.",
        needs: &[Need::Has(Step::Bind), Need::Has(Step::Sms)],
        powers: &[],
        run: scene!(left_the_page),
    },
    Row {
        id: "LGN-07",
        does: "Somebody deletes their account and logs in again.",
        holds: "They are not let silently into the account that is about to go.",
        why: "An old device that logs in by itself would take the deletion back.",
        fix: "Ask: take the deletion back and log in, or leave.",
        needs: &[Need::Has(Step::Delete)],
        powers: &[],
        run: scene!(deletion_is_pending),
    },
    Row {
        id: "LGN-09",
        does: "A person with an account logs in with another app of the same developer.",
        holds: "The same unionid leads to the same account.",
        why: "One person with two accounts is the commonest complaint about login by a platform.",
        fix: "Look up (app, openid) first, then the unionid; add the new openid to the account.",
        needs: &[Need::Second],
        powers: &[],
        run: scene!(by_another_app),
    },
    Row {
        id: "LGN-10",
        does: "Two apps made two accounts while no unionid was told; then one is told, and both apps are logged in with again.",
        holds: "No third account is made, and neither account is silently given away for the other.",
        why: "A silent merge loses one of two accounts, with what was paid on it.",
        fix: "Stay with the account of the openid, and ask the user which one to keep.",
        needs: &[Need::Second],
        powers: &[],
        run: scene!(two_accounts_of_one),
    },
    Row {
        id: "LGN-11",
        does: "Two people of the same name log in, and come back.",
        holds: "Each has an account of their own, and gets it again.",
        why: "Nicknames repeat, and anybody may take anybody's.",
        fix: "Never look anybody up by nickname, and ask for no unique one.",
        needs: &[],
        powers: &[],
        run: scene!(same_nickname),
    },
];

async fn new_needs_a_number(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let mut device = stage.device();
    stage.to_bind(&mut device, &person).await
}

async fn new_gets_an_account(stage: &Stage) -> Run {
    let (one, two) = (stage.person().await?, stage.person().await?);
    let mut users = Vec::new();
    for person in [&one, &two] {
        let mut device = stage.device();
        let heard = stage.try_in(&mut device, Side::First, person).await?;
        match stage.after(&mut device, heard).await? {
            After::In(me) => users.push(me.user),
            After::Bind => {
                return Err(Stop::Skip("your backend wants a number: LGN-01".to_owned()));
            }
            After::Out(heard) => return Err(stage.fail("the login did not work", &heard)),
        }
    }
    match users.first() == users.get(1) {
        true => Err(Stop::Fail(format!("two new people are both {}", users[0]))),
        false => Ok(()),
    }
}

async fn known_comes_back(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let mut device = stage.device();
    let me = stage.enter(&mut device, Side::First, &person).await?;
    let mut tokens = vec![device.vars.get("token").cloned()];
    let mut other = stage.device();
    let there = stage.enter(&mut other, Side::First, &person).await?;
    stage.same(&me, &there, "on another device it was another account")?;
    let again = stage.enter(&mut device, Side::First, &person).await?;
    stage.same(
        &me,
        &again,
        "coming back on the same device it was another account",
    )?;
    tokens.push(device.vars.get("token").cloned());
    let theirs = other.vars.get("token").cloned();
    match theirs.is_some() && tokens.contains(&theirs) {
        true => Err(Stop::Fail(
            "two devices are given the same session token".to_owned(),
        )),
        false => Ok(()),
    }
}

async fn left_the_page(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let mut device = stage.device();
    stage.to_bind(&mut device, &person).await?;
    let mut old = device.clone();
    stage.to_bind(&mut device, &person).await?;
    let heard = stage.bind(&mut device, &person.phone, &[]).await?;
    let me = stage.whoami(&mut device).await?;
    let me = me.ok_or_else(|| stage.fail("the second ticket does not bind", &heard))?;
    let another = crate::check::sandbox::number();
    let heard = stage.bind(&mut old, &another, &[]).await?;
    match stage.whoami(&mut old).await? {
        Some(them) if them.user != me.user => Err(stage.fail(
            &format!("one person has two accounts: {} and {}", me.user, them.user),
            &heard,
        )),
        Some(_) => {
            stage.note("an older ticket of the same login is still taken");
            Ok(())
        }
        None => Ok(()),
    }
}

async fn deletion_is_pending(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let mut device = stage.device();
    let me = stage.enter(&mut device, Side::First, &person).await?;
    super::del::delete(stage, &mut device, &person).await?;
    let mut later = stage.device();
    let heard = stage.try_in(&mut later, Side::First, &person).await?;
    match stage.after(&mut later, heard).await? {
        After::In(now) if now.user == me.user => Err(Stop::Fail(format!(
            "the login after the deletion led back into {}, without a question",
            now.user
        ))),
        After::In(_) | After::Bind => Ok(()),
        After::Out(heard) => {
            stage
                .refused(&mut later, &heard, "a login after the deletion")
                .await
        }
    }
}

async fn by_another_app(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let (mut one, mut two) = (stage.device(), stage.device());
    let me = stage.enter(&mut one, Side::First, &person).await?;
    let heard = stage.try_in(&mut two, Side::Second, &person).await?;
    match stage.after(&mut two, heard).await? {
        After::In(there) => stage.same(&me, &there, "the other app led to another account"),
        After::Bind => Err(Stop::Fail(
            "the other app asks a known person for a number again".to_owned(),
        )),
        After::Out(heard) => Err(stage.fail("the other app does not log in", &heard)),
    }
}

async fn two_accounts_of_one(stage: &Stage) -> Run {
    let person = stage.person().await?;
    stage.no_unionid(&person).await?;
    let (mut one, mut two) = (stage.device(), stage.device());
    let first = stage.enter(&mut one, Side::First, &person).await?;
    // The second account has a number of its own.
    let mut other = person.clone();
    other.phone = crate::check::sandbox::number();
    let second = stage.enter(&mut two, Side::Second, &other).await?;
    if first.user == second.user {
        return Err(Stop::Skip(
            "your backend found the same person without a unionid".to_owned(),
        ));
    }
    stage.mend().await;
    for (side, before, what) in [
        (Side::Second, &second, "the second app"),
        (Side::First, &first, "the first app"),
    ] {
        let mut device = stage.device();
        let heard = stage.try_in(&mut device, side, &person).await?;
        match stage.after(&mut device, heard).await? {
            After::In(now) => {
                stage.same(
                    before,
                    &now,
                    &format!("{what} leads to another account now"),
                )?;
            }
            After::Bind => {
                return Err(Stop::Fail(format!(
                    "{what} asks a known person for a number again"
                )));
            }
            After::Out(heard) => {
                stage.refused(&mut device, &heard, what).await?;
            }
        }
    }
    Ok(())
}

async fn same_nickname(stage: &Stage) -> Run {
    let draft = Draft {
        nickname: Some("同名 Same"),
        ..Draft::default()
    };
    let (one, two) = (
        stage.person_like(&draft).await?,
        stage.person_like(&draft).await?,
    );
    let (mut a, mut b) = (stage.device(), stage.device());
    let first = stage.enter(&mut a, Side::First, &one).await?;
    let second = stage.enter(&mut b, Side::First, &two).await?;
    if first.user == second.user {
        return Err(Stop::Fail(format!(
            "two people of the same name are both {}",
            first.user
        )));
    }
    let mut later = stage.device();
    let again = stage.enter(&mut later, Side::First, &one).await?;
    stage.same(
        &first,
        &again,
        "after the second of the same name came, the first is somebody else",
    )
}
