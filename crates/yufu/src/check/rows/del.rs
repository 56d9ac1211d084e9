//! Unlinking, deletion, pushes.

use serde_json::json;

use super::{Need, Power, Row, scene};
use crate::check::backend::{Device, Side};
use crate::check::recipe::Step;
use crate::check::sandbox::Person;
use crate::check::stage::{After, Me, Stage};
use crate::check::verdict::{Run, Stop};

const PUSH: &[Need] = &[Need::Push];

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "DEL-01",
        does: "Somebody unlinks the login from an account that has a number, and logs in with it again.",
        holds: "The login is free: it does not lead into that account any more.",
        why: "People sell phones and hand accounts on; what was unlinked must be unlinked.",
        fix: "Release (app, openid) and the unionid, and end the sessions that came by it.",
        needs: &[
            Need::Has(Step::Unlink),
            Need::Has(Step::Bind),
            Need::Has(Step::Sms),
        ],
        powers: &[],
        run: scene!(unlinked),
    },
    Row {
        id: "DEL-02",
        does: "Somebody unlinks the only login that their account has.",
        holds: "It is refused, and the account can still be entered.",
        why: "An account without a way in is lost.",
        fix: "Refuse to unlink the last identity; offer a number or the deletion instead.",
        needs: &[Need::Has(Step::Unlink)],
        powers: &[],
        run: scene!(last_way_in),
    },
    Row {
        id: "DEL-03",
        does: "Somebody deletes their account.",
        holds: "Their session is over at once.",
        why: "Whoever deletes an account expects that nobody is in it any more.",
        fix: "End all sessions with the request, not with the erasure.",
        needs: &[Need::Has(Step::Delete)],
        powers: &[],
        run: scene!(deleted),
    },
    Row {
        id: "DEL-04",
        does: "The platform pushes user_authorization_revoke; later the person logs in again.",
        holds: "The push is answered with success, and the login leads to the same account.",
        why: "The law and the platform want name and picture gone, not the account.",
        fix: "Erase profile and tokens, keep the identity, answer \"success\".",
        needs: PUSH,
        powers: &[Power::Events],
        run: scene!(revoked),
    },
    Row {
        id: "DEL-05",
        does: "The platform pushes user_authorization_cancellation: the person closed their account there.",
        holds: "The push is answered with success, and the login does not lead into the old account by itself.",
        why: "A closed account of the platform proves nothing any more.",
        fix: "Unlink the identity; an account with nothing left goes its way out.",
        needs: PUSH,
        powers: &[Power::Events],
        run: scene!(cancelled),
    },
    Row {
        id: "DEL-06",
        does: "The platform pushes user_info_modified; later the person logs in again.",
        holds: "The push is answered with success, and the login leads to the same account.",
        why: "Names and pictures that people changed must not stay as they were.",
        fix: "Clear name and picture, read them anew, answer \"success\".",
        needs: PUSH,
        powers: &[Power::Events],
        run: scene!(modified),
    },
    Row {
        id: "DEL-07",
        does: "A push with a wrong signature arrives, and one without any.",
        holds: "Both are refused or do nothing: the account is as it was.",
        why: "The address is open to the world; a forged push would unlink anybody.",
        fix: "Check the signature before the body is read, and refuse what does not fit.",
        needs: PUSH,
        powers: &[Power::Events],
        run: scene!(forged),
    },
];

/// Deletes the account that is logged in on a device, with a passcode where the recipe wants one.
pub(super) async fn delete(stage: &Stage, device: &mut Device, person: &Person) -> Run {
    let heard = with_proof(stage, device, Step::Delete, person).await?;
    match heard.is_success() {
        true => Ok(()),
        false => Err(stage.fail("the deletion is refused", &heard)),
    }
}

/// Does a step, with a passcode where the recipe wants one.
async fn with_proof(
    stage: &Stage,
    device: &mut Device,
    step: Step,
    person: &Person,
) -> Result<crate::check::backend::Heard, Stop> {
    if !stage.recipe().wants(step, "passcode") {
        return stage.step(device, Side::First, step, &[]).await;
    }
    let passcode = stage.passcode(device, &person.phone, "verify").await?;
    stage
        .with_phone(device, step, (&person.phone, "verify"), &passcode, &[])
        .await
}

async fn in_with_number(stage: &Stage) -> Result<(Person, Device, Me), Stop> {
    let person = stage.person().await?;
    let mut device = stage.device();
    let me = stage.enter(&mut device, Side::First, &person).await?;
    Ok((person, device, me))
}

async fn unlinked(stage: &Stage) -> Run {
    let (person, mut device, me) = in_with_number(stage).await?;
    // The number was proved a moment ago, when it was bound; a backend may let that count for a
    // while. Whether it ends is seen where the clock can be turned.
    let turns = stage.recipe().turns;
    if stage.recipe().wants(Step::Unlink, "passcode") {
        if turns {
            stage.jump("30m").await?;
        }
        let none = [("passcode", None)];
        let heard = stage
            .step(&mut device, Side::First, Step::Unlink, &none)
            .await?;
        if heard.is_success() && turns {
            return Err(stage.fail("the login is unlinked without the passcode", &heard));
        }
        if heard.is_success() {
            stage.note("right after binding the login is unlinked without another passcode");
            return released(stage, &person, &me).await;
        }
    }
    let heard = with_proof(stage, &mut device, Step::Unlink, &person).await?;
    if !heard.is_success() {
        return Err(stage.fail("unlinking is refused", &heard));
    }
    released(stage, &person, &me).await
}

/// The login leads elsewhere from now on.
async fn released(stage: &Stage, person: &Person, me: &Me) -> Run {
    let mut later = stage.device();
    let heard = stage.try_in(&mut later, Side::First, person).await?;
    match stage.after(&mut later, heard).await? {
        After::In(now) if now.user == me.user => Err(Stop::Fail(format!(
            "the login that was unlinked leads into {} again",
            me.user
        ))),
        _ => Ok(()),
    }
}

async fn last_way_in(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let mut device = stage.device();
    let heard = stage.try_in(&mut device, Side::First, &person).await?;
    let me = match stage.after(&mut device, heard).await? {
        After::In(me) => me,
        After::Bind => {
            return Err(Stop::Skip(
                "every account of your backend has a number beside the login".to_owned(),
            ));
        }
        After::Out(heard) => return Err(stage.fail("the login did not work", &heard)),
    };
    let heard = stage
        .step(&mut device, Side::First, Step::Unlink, &[])
        .await?;
    if heard.is_success() {
        return Err(stage.fail("the only way into the account is unlinked", &heard));
    }
    let mut later = stage.device();
    let again = stage.enter(&mut later, Side::First, &person).await?;
    stage.same(
        &me,
        &again,
        "after the refusal the login leads to another account",
    )
}

async fn deleted(stage: &Stage) -> Run {
    let (person, mut device, _) = in_with_number(stage).await?;
    let mut copy = device.clone();
    delete(stage, &mut device, &person).await?;
    for device in [&mut device, &mut copy] {
        if let Some(me) = stage.whoami(device).await? {
            return Err(Stop::Fail(format!(
                "after the deletion the session of {} goes on",
                me.user
            )));
        }
    }
    Ok(())
}

/// Has the sandbox push an event, which the app must take.
async fn push(stage: &Stage, person: &Person, event: &str) -> Run {
    let body = json!({
        "event": event,
        "person": person.name,
        "client": stage.app.appid,
    });
    let answer = stage.sandbox.event(&body).await?;
    let status = answer["answer"]["status"]
        .as_u64()
        .or(answer["status"].as_u64());
    match status {
        Some(200..=299) => Ok(()),
        Some(status) => Err(Stop::Fail(format!("the push is answered with {status}"))),
        None => Err(Stop::Fail(format!("the push is not answered: {answer}"))),
    }
}

async fn revoked(stage: &Stage) -> Run {
    let (person, _, me) = in_with_number(stage).await?;
    push(stage, &person, "user_authorization_revoke").await?;
    let again = stage.recovers(&person).await?;
    stage.same(&me, &again, "afterwards the login leads to another account")
}

async fn cancelled(stage: &Stage) -> Run {
    let (person, _, me) = in_with_number(stage).await?;
    push(stage, &person, "user_authorization_cancellation").await?;
    let mut later = stage.device();
    let heard = stage.try_in(&mut later, Side::First, &person).await?;
    match stage.after(&mut later, heard).await? {
        After::In(now) if now.user == me.user => Err(Stop::Fail(format!(
            "the login that was cancelled leads into {} again, without a question",
            me.user
        ))),
        _ => Ok(()),
    }
}

async fn modified(stage: &Stage) -> Run {
    let (person, _, me) = in_with_number(stage).await?;
    push(stage, &person, "user_info_modified").await?;
    let again = stage.recovers(&person).await?;
    stage.same(&me, &again, "afterwards the login leads to another account")
}

async fn forged(stage: &Stage) -> Run {
    let (person, mut device, me) = in_with_number(stage).await?;
    let code = stage.code(Side::First, &person, None).await?;
    let known = stage.sandbox.redeem(&stage.app, &code).await?;
    let openid = known["openid"].as_str().unwrap_or_default();
    let taken = stage.backend.forge_push(openid, &stage.app.appid).await?;
    let mut later = stage.device();
    let heard = stage.try_in(&mut later, Side::First, &person).await?;
    let again = match stage.after(&mut later, heard).await? {
        After::In(again) => again,
        After::Bind => {
            return Err(Stop::Fail(
                "a forged push unlinked the login: it asks for a number again".to_owned(),
            ));
        }
        After::Out(heard) => return Err(stage.fail("a forged push closed the login", &heard)),
    };
    stage.same(
        &me,
        &again,
        "after a forged push the login leads to another account",
    )?;
    if stage.whoami(&mut device).await?.is_none() {
        return Err(Stop::Fail("a forged push ended a session".to_owned()));
    }
    if taken {
        stage.note("a forged push is answered like a good one, though it does nothing");
    }
    Ok(())
}
