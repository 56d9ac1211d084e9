//! Devices and sessions.

use super::{Need, Row, scene};
use crate::check::backend::Side;
use crate::check::recipe::Step;
use crate::check::stage::Stage;
use crate::check::verdict::{Run, Stop};

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "SES-02",
        does: "One person logs in on two devices.",
        holds: "Both work, or the older one is logged out properly: never both half.",
        why: "People have a phone and a computer.",
        fix: "Keep a session per device, and decide openly who yields.",
        needs: &[],
        powers: &[],
        run: scene!(two_devices),
    },
    Row {
        id: "SES-05",
        does: "One of two devices logs out; then its old token or cookie is used again.",
        holds: "The old token is dead, and the other device is still in.",
        why: "A copy of a token that outlives the logout is a stolen session that nobody can end.",
        fix: "Keep sessions on the server, or a list of ended ones beside signed tokens.",
        needs: &[Need::Has(Step::LogOut)],
        powers: &[],
        run: scene!(logs_out),
    },
    Row {
        id: "SES-07",
        does: "A session's token is used with another device's secret.",
        holds: "It is refused.",
        why: "A token that was stolen comes from another device.",
        fix: "Bind sessions to the device's secret, and end them when another is shown.",
        needs: &[Need::DeviceKey],
        powers: &[],
        run: scene!(another_device),
    },
];

async fn two_devices(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let (mut one, mut two) = (stage.device(), stage.device());
    let me = stage.enter(&mut one, Side::First, &person).await?;
    let there = stage.enter(&mut two, Side::First, &person).await?;
    stage.same(&me, &there, "the second device is in another account")?;
    match stage.whoami(&mut one).await? {
        Some(still) => stage.same(&me, &still, "the first device changed accounts"),
        None => {
            stage.note("a newer login on another device logs the older one out (SES-01)");
            Ok(())
        }
    }
}

async fn logs_out(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let (mut one, mut two) = (stage.device(), stage.device());
    stage.enter(&mut one, Side::First, &person).await?;
    let me = stage.enter(&mut two, Side::First, &person).await?;
    let there_before = stage.whoami(&mut one).await?.is_some();
    let mut copy = two.clone();
    let heard = stage.step(&mut two, Side::First, Step::LogOut, &[]).await?;
    if !heard.is_success() {
        return Err(stage.fail("logging out is refused", &heard));
    }
    if stage.whoami(&mut two).await?.is_some() {
        return Err(stage.fail("after logging out the device is still in", &heard));
    }
    if let Some(still) = stage.whoami(&mut copy).await? {
        stage.same(&me, &still, "the old token is another account's")?;
        return Err(stage.fail("the old token outlives the logout", &heard));
    }
    if there_before && stage.whoami(&mut one).await?.is_none() {
        return Err(stage.fail("logging out ended the other device's session too", &heard));
    }
    let mut later = stage.device();
    let again = stage.enter(&mut later, Side::First, &person).await?;
    stage.same(
        &me,
        &again,
        "after logging out the login leads to another account",
    )
}

async fn another_device(stage: &Stage) -> Run {
    let Some(key) = stage.recipe().device_key.clone() else {
        return Err(Stop::Skip("the recipe names no device_key".to_owned()));
    };
    let (one, two) = (stage.person().await?, stage.person().await?);
    let (mut theirs, mut other) = (stage.device(), stage.device());
    stage.enter(&mut theirs, Side::First, &one).await?;
    stage.enter(&mut other, Side::First, &two).await?;
    let Some(secret) = other.vars.get(&key).cloned() else {
        return Err(Stop::Error(format!("no answer brought {{{key}}}")));
    };
    theirs.vars.insert(key, secret);
    match stage.whoami(&mut theirs).await? {
        None => Ok(()),
        Some(me) => Err(Stop::Fail(format!(
            "{} is in with another device's secret",
            me.user
        ))),
    }
}
