//! Logging in again.

use serde_json::Value;

use super::{Need, Power, Row, scene};
use crate::check::backend::{Device, Side};
use crate::check::faults::{self, INSPECT, PROFILE, RENEW};
use crate::check::recipe::Step;
use crate::check::sandbox::Person;
use crate::check::stage::{Me, Stage};
use crate::check::verdict::{Run, Stop};

const RELOGIN: &[Need] = &[Need::Has(Step::Relogin)];

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "REL-02",
        does: "A logged-in app starts again, and the platform calls its token good.",
        holds: "The user is straight in, as the same account.",
        why: "Nobody scans a code at every start.",
        fix: "Go on with your own session; ask the platform at most whether the yes still stands.",
        needs: RELOGIN,
        powers: &[],
        run: scene!(straight_in),
    },
    Row {
        id: "REL-03",
        does: "The platform calls the access token dead; the refresh token is alive.",
        holds: "The user is straight in: the token is renewed behind the scenes.",
        why: "Access tokens of the platform live two hours.",
        fix: "On 40001, 40014 and 42001 renew once, keep the new pair, and ask again.",
        needs: RELOGIN,
        powers: &[Power::Faults],
        run: scene!(access_is_dead),
    },
    Row {
        id: "REL-04",
        does: "The platform calls both tokens dead; afterwards the user logs in anew.",
        holds: "The app is told to authorize again, and the login leads to the same account.",
        why: "After 30 days, or 180, this comes for everybody.",
        fix: "On 42002 and 40030 answer \"log in again\", keep the account and its identity.",
        needs: RELOGIN,
        powers: &[Power::Faults],
        run: scene!(both_are_dead),
    },
    Row {
        id: "REL-05",
        does: "The user takes the yes back inside the platform's app, and later logs in anew.",
        holds: "The app is told to authorize again, and the login leads to the same account.",
        why: "Whoever withdrew the yes must not find the app going on as if nothing had been.",
        fix: "Let a dead grant end the session, and keep the identity for the next yes.",
        needs: RELOGIN,
        powers: &[Power::Phone],
        run: scene!(taken_back),
    },
    Row {
        id: "REL-06",
        does: "The platform does not answer when the app starts again.",
        holds: "The user is in, on the strength of the last good answer.",
        why: "An outage of the platform would otherwise log everybody out at once.",
        fix: "Let the last verification count for a day; check again later.",
        needs: RELOGIN,
        powers: &[Power::Faults],
        run: scene!(silent),
    },
    Row {
        id: "REL-07",
        does: "The platform's check calls the token good, and the profile calls it dead.",
        holds: "The user is in, or is told to authorize again; nothing breaks.",
        why: "The two calls disagree now and then.",
        fix: "Treat the token as dead, renew it, and go on.",
        needs: RELOGIN,
        powers: &[Power::Faults],
        run: scene!(they_disagree),
    },
    Row {
        id: "REL-10",
        does: "An access token that another app's login brought is shown to the backend.",
        holds: "It is refused, and nobody is logged in.",
        why: "The platform's check takes no appid: a token of any app passes it, and lets its operator in as your user.",
        fix: "Take only tokens that came through your own exchange; better, take none from clients.",
        needs: &[Need::Has(Step::TokenLogin)],
        powers: &[],
        run: scene!(foreign_token),
    },
    Row {
        id: "REL-11",
        does: "The session is renewed.",
        holds: "It goes on as the same account, with new tokens.",
        why: "Renewing is what keeps people logged in; a renewal that changes nothing renews nothing.",
        fix: "Answer with a new pair, and let the old one end.",
        needs: &[Need::Has(Step::Refresh)],
        powers: &[],
        run: scene!(renewed),
    },
    Row {
        id: "REL-12",
        does: "A refresh token that was used is used again, two minutes later.",
        holds: "It is refused, and the session that came of it is over too.",
        why: "A refresh token that comes back was stolen: by one of the two who brought it.",
        fix: "Rotate refresh tokens, and end the family when an old one returns after a short grace.",
        needs: &[Need::Has(Step::Refresh), Need::Turns],
        powers: &[Power::Clock],
        run: scene!(comes_back),
    },
];

async fn logged_in(stage: &Stage) -> Result<(Person, Device, Me), Stop> {
    let person = stage.person().await?;
    let mut device = stage.device();
    let me = stage.enter(&mut device, Side::First, &person).await?;
    Ok((person, device, me))
}

/// Starts the app again: whether it went on, and as whom.
async fn start_again(stage: &Stage, device: &mut Device, before: &Me, what: &str) -> Run {
    let heard = stage.step(device, Side::First, Step::Relogin, &[]).await?;
    if !heard.is_success() {
        return Err(stage.fail(what, &heard));
    }
    match stage.whoami(device).await? {
        Some(now) => stage.same(before, &now, "it went on as another account"),
        None => Err(stage.fail(what, &heard)),
    }
}

/// Starts the app again: it must be told to authorize anew, which leads to the same account.
async fn sent_back(
    stage: &Stage,
    person: &Person,
    device: &mut Device,
    before: &Me,
    what: &str,
) -> Run {
    let heard = stage.step(device, Side::First, Step::Relogin, &[]).await?;
    if heard.is_success() {
        return Err(stage.fail(&format!("{what}: it went on all the same"), &heard));
    }
    stage.refused(device, &heard, what).await?;
    let again = stage.recovers(person).await?;
    stage.same(
        before,
        &again,
        &format!("{what}: the next login led to another account"),
    )
}

async fn straight_in(stage: &Stage) -> Run {
    let (_, mut device, me) = logged_in(stage).await?;
    start_again(stage, &mut device, &me, "a good session does not go on").await
}

async fn under(stage: &Stage, faults: Vec<Value>, what: &str) -> Run {
    let (person, mut device, me) = logged_in(stage).await?;
    for fault in faults {
        stage.fault(&person, fault).await?;
    }
    start_again(stage, &mut device, &me, what).await
}

async fn access_is_dead(stage: &Stage) -> Run {
    let dead = |endpoint| faults::times(faults::errcode(endpoint, 42001), 1);
    let what = "the access token was dead, and the user has to authorize again";
    under(stage, vec![dead(INSPECT), dead(PROFILE)], what).await
}

async fn both_are_dead(stage: &Stage) -> Run {
    let (person, mut device, me) = logged_in(stage).await?;
    for (endpoint, errcode) in [(INSPECT, 42001), (PROFILE, 42001), (RENEW, 42002)] {
        stage
            .fault(&person, faults::errcode(endpoint, errcode))
            .await?;
    }
    sent_back(stage, &person, &mut device, &me, "both tokens are dead").await
}

async fn taken_back(stage: &Stage) -> Run {
    let (person, mut device, me) = logged_in(stage).await?;
    stage.sandbox.revoke(&person, &stage.app.appid).await?;
    sent_back(
        stage,
        &person,
        &mut device,
        &me,
        "the user took the yes back",
    )
    .await
}

async fn silent(stage: &Stage) -> Run {
    let what = "the platform was silent, and the user is logged out";
    under(
        stage,
        vec![faults::cut(INSPECT), faults::cut(PROFILE)],
        what,
    )
    .await
}

async fn they_disagree(stage: &Stage) -> Run {
    let (person, mut device, me) = logged_in(stage).await?;
    let fault = faults::times(faults::errcode(PROFILE, 40001), 1);
    stage.fault(&person, fault).await?;
    let heard = stage
        .step(&mut device, Side::First, Step::Relogin, &[])
        .await?;
    if !heard.is_success() {
        let what = "a profile that calls the token dead";
        stage.refused(&mut device, &heard, what).await?;
        stage
            .note("a profile that calls the token dead ends the session, though renewing would do");
    }
    let again = stage.recovers(&person).await?;
    stage.same(&me, &again, "the next login led to another account")
}

async fn foreign_token(stage: &Stage) -> Run {
    let Some(stranger) = &stage.stranger else {
        return Err(Stop::Skip(
            "the sandbox has no other developer's app".to_owned(),
        ));
    };
    let (person, _, _) = logged_in(stage).await?;
    for app in [stranger, &stage.app] {
        let code = stage.sandbox.code(&app.appid, &person, None).await?;
        let tokens = stage.sandbox.redeem(app, &code).await?;
        let text = |key: &str| tokens[key].as_str().unwrap_or_default();
        let mut thief = stage.device();
        stage.begin_if(&mut thief, Side::First).await?;
        let values = [
            ("access_token", Some(text("access_token"))),
            ("openid", Some(text("openid"))),
            ("unionid", Some(text("unionid"))),
        ];
        let heard = stage
            .step(&mut thief, Side::First, Step::TokenLogin, &values)
            .await?;
        let what = match app.appid == stage.app.appid {
            true => "a token that did not come through the backend",
            false => "a token of another app",
        };
        stage.refused(&mut thief, &heard, what).await?;
    }
    Ok(())
}

async fn renewed(stage: &Stage) -> Run {
    let (_, mut device, me) = logged_in(stage).await?;
    let before = (device.vars.clone(), device.jar.clone());
    let heard = stage
        .step(&mut device, Side::First, Step::Refresh, &[])
        .await?;
    if !heard.is_success() {
        return Err(stage.fail("the session is not renewed", &heard));
    }
    let Some(now) = stage.whoami(&mut device).await? else {
        return Err(stage.fail("the renewed session is nobody's", &heard));
    };
    stage.same(&me, &now, "the renewed session is another account's")?;
    let changed = |name: &str| before.0.get(name) != device.vars.get(name);
    if before.0.contains_key("token") && !changed("token") {
        return Err(stage.fail("renewing brought the same token", &heard));
    }
    if before.0.contains_key("refresh_token") && !changed("refresh_token") {
        stage.note("the refresh token stays the same: a stolen one is never noticed");
    }
    Ok(())
}

async fn comes_back(stage: &Stage) -> Run {
    let (_, mut device, _) = logged_in(stage).await?;
    let mut thief = device.clone();
    let heard = stage
        .step(&mut device, Side::First, Step::Refresh, &[])
        .await?;
    if !heard.is_success() {
        return Err(stage.fail("the session is not renewed", &heard));
    }
    stage.jump("2m").await?;
    let heard = stage
        .step(&mut thief, Side::First, Step::Refresh, &[])
        .await?;
    if heard.is_success() {
        return Err(stage.fail("a used refresh token is good for another session", &heard));
    }
    match stage.whoami(&mut device).await? {
        None => Ok(()),
        Some(_) => Err(stage.fail(
            "a used refresh token came back, and the session goes on",
            &heard,
        )),
    }
}
