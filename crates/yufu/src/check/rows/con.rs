//! Two at once.

use super::{Need, Power, Row, scene};
use crate::check::backend::{Kind, Side};
use crate::check::recipe::Step;
use crate::check::sandbox::{Says, number};
use crate::check::stage::{After, Stage};
use crate::check::verdict::{Run, Stop};

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "CON-01",
        does: "A new person's callback is delivered twice at the same moment.",
        holds: "They are logged in, to one account; neither answer breaks.",
        why: "Browsers and apps do this by themselves, and the race makes two accounts.",
        fix: "Let the first take the state in the database; let the second wait for its answer. A unique key on the identity is the last line.",
        needs: &[],
        powers: &[Power::Flows],
        run: scene!(callback_twice),
    },
    Row {
        id: "CON-02",
        does: "Two new people bind the same free number at the same moment.",
        holds: "One has it; the other is refused.",
        why: "A number with two accounts cannot be logged in with.",
        fix: "A unique key on the number, and the refusal of the database as your own.",
        needs: &[Need::Has(Step::Bind), Need::Has(Step::Sms)],
        powers: &[],
        run: scene!(number_twice),
    },
    Row {
        id: "CON-03",
        does: "One new person logs in on two devices at the same moment, and binds on both.",
        holds: "There is one account.",
        why: "Two devices that log in at once are one person.",
        fix: "A unique key on the identity, and the loser is logged in to what the winner made.",
        needs: &[],
        powers: &[],
        run: scene!(person_twice),
    },
];

async fn callback_twice(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let mut one = stage.device();
    let begun = stage.begin_if(&mut one, Side::First).await?;
    let returned = stage
        .answer(&begun, Side::First, &person, Says::Allow)
        .await?;
    let mut two = one.clone();
    let (first, second) = tokio::join!(
        stage.deliver(&mut one, Side::First, &returned),
        stage.deliver(&mut two, Side::First, &returned),
    );
    let mut users = Vec::new();
    let mut worked = 0;
    for (device, heard) in [(&mut one, first?), (&mut two, second?)] {
        match &heard.kind {
            Kind::Unclear(words) => {
                return Err(stage.fail(&format!("one of the two: {words}"), &heard));
            }
            Kind::Silent(_) => return Err(stage.fail("one of the two hangs", &heard)),
            Kind::Success | Kind::Refusal => {}
        }
        match stage.after(device, heard).await? {
            After::In(me) => users.push(me.user),
            After::Bind => worked += 1,
            After::Out(_) => {}
        }
    }
    worked += users.len();
    if worked == 0 {
        return Err(Stop::Fail(
            "the callback came twice, and neither logged in".to_owned(),
        ));
    }
    if worked == 1 {
        stage.note("one of the two is refused; the user sees whichever came last");
    }
    let mut later = stage.device();
    let me = stage.enter(&mut later, Side::First, &person).await?;
    if let Some(other) = users.iter().find(|user| **user != me.user) {
        return Err(Stop::Fail(format!(
            "the callback came twice, and there are two accounts: {other} and {}",
            me.user
        )));
    }
    let flows = stage.flows(&person).await?;
    if let Some(flow) = flows.iter().find(|flow| flow.exchanges > 1) {
        stage.note(format!(
            "the code went to the platform {} times (flow {})",
            flow.exchanges, flow.id
        ));
    }
    Ok(())
}

async fn number_twice(stage: &Stage) -> Run {
    let (a, b) = (stage.person().await?, stage.person().await?);
    let (mut one, mut two) = (stage.device(), stage.device());
    stage.to_bind(&mut one, &a).await?;
    stage.to_bind(&mut two, &b).await?;
    let phone = number();
    let passcode = stage.passcode(&mut one, &phone, "bind").await?;
    let (first, second) = tokio::join!(
        stage.bind_with(&mut one, &phone, &passcode, &[]),
        stage.bind_with(&mut two, &phone, &passcode, &[]),
    );
    let mut users = Vec::new();
    for (device, heard) in [(&mut one, first?), (&mut two, second?)] {
        if let Kind::Unclear(words) = &heard.kind {
            return Err(stage.fail(&format!("one of the two: {words}"), &heard));
        }
        users.extend(stage.whoami(device).await?.map(|me| me.user));
    }
    match users.as_slice() {
        [] => Err(Stop::Fail("neither of the two has the number".to_owned())),
        [one, two] if one != two => Err(Stop::Fail(format!(
            "one number has two accounts: {one} and {two}"
        ))),
        [one, _] => Err(Stop::Fail(format!(
            "two people are in one account, {one}, by one passcode"
        ))),
        _ => Ok(()),
    }
}

async fn person_twice(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let (mut one, mut two) = (stage.device(), stage.device());
    let begun = (
        stage.begin_if(&mut one, Side::First).await?,
        stage.begin_if(&mut two, Side::First).await?,
    );
    let returned = (
        stage
            .answer(&begun.0, Side::First, &person, Says::Allow)
            .await?,
        stage
            .answer(&begun.1, Side::First, &person, Says::Allow)
            .await?,
    );
    let (first, second) = tokio::join!(
        stage.deliver(&mut one, Side::First, &returned.0),
        stage.deliver(&mut two, Side::First, &returned.1),
    );
    let mut users = Vec::new();
    let mut waiting = Vec::new();
    for (mut device, heard) in [(one, first?), (two, second?)] {
        if let Kind::Unclear(words) = &heard.kind {
            return Err(stage.fail(&format!("one of the two: {words}"), &heard));
        }
        match stage.after(&mut device, heard).await? {
            After::In(me) => users.push(me.user),
            After::Bind => waiting.push(device),
            After::Out(_) => {}
        }
    }
    // The newest ticket is the one that is surely good.
    for mut device in waiting.into_iter().rev() {
        stage.bind(&mut device, &number(), &[]).await?;
        users.extend(stage.whoami(&mut device).await?.map(|me| me.user));
    }
    let mut later = stage.device();
    let me = stage.enter(&mut later, Side::First, &person).await?;
    match users.iter().find(|user| **user != me.user) {
        None => Ok(()),
        Some(other) => Err(Stop::Fail(format!(
            "one person has two accounts: {other} and {}",
            me.user
        ))),
    }
}
