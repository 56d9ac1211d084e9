//! What the user does at the authenticator.

use super::{Need, Power, Row, scene};
use crate::check::backend::{Device, Heard, Side};
use crate::check::sandbox::{Person, Returned, Says};
use crate::check::stage::{After, Stage};
use crate::check::verdict::{Run, Stop};

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "ACT-01",
        does: "A new person begins a login, agrees, and the app delivers code and state.",
        holds: "They are logged in, or asked for a number; the code went to the platform once.",
        why: "Nothing else can be judged where the plain way does not work.",
        fix: "Try the login by hand with the sandbox's flows open, and mend the recipe or the backend.",
        needs: &[],
        powers: &[Power::Flows],
        run: scene!(agrees),
    },
    Row {
        id: "ACT-02",
        does: "The person refuses; then the callback is loaded with the state and no code, as some versions of the platform do.",
        holds: "Nobody is logged in, the answer is a proper refusal, and the next try works.",
        why: "A backend that takes the missing code for granted breaks on every refusal.",
        fix: "Treat a callback without a code as \"the user said no\": back to the login page, transaction closed.",
        needs: &[],
        powers: &[],
        run: scene!(denies),
    },
    Row {
        id: "ACT-03",
        does: "The person goes back without an answer, then tries once more on the same device.",
        holds: "Nobody is logged in before, and the second try works.",
        why: "Going back is the commonest end of a login; it must leave nothing that is in the way.",
        fix: "Let an abandoned transaction lie until it expires; a new one begins beside it.",
        needs: &[],
        powers: &[],
        run: scene!(cancels),
    },
    Row {
        id: "ACT-05",
        does: "The app looks who is logged in before the answer comes; then the answer comes.",
        holds: "The late answer is still taken.",
        why: "Users switch back by hand, look, and agree afterwards.",
        fix: "Do not close a transaction because the app came back without an answer.",
        needs: &[Need::State],
        powers: &[],
        run: scene!(comes_late),
    },
    Row {
        id: "ACT-07",
        does: "A device that began nothing delivers a good code with a state that nobody gave out.",
        holds: "It is refused, and the code never goes to the platform.",
        why: "A state that is not checked lets an attacker log a victim in as themselves.",
        fix: "Keep the state with the browser or device that began the login, and compare before the exchange.",
        needs: &[Need::State],
        powers: &[Power::Flows],
        run: scene!(brings_an_unknown_state),
    },
    Row {
        id: "ACT-08",
        does: "Two logins are begun on one device; the answer to the first comes, then the answer to the second.",
        holds: "The late first answer does not disturb the second: afterwards the person is logged in.",
        why: "A double tap or a second tab would otherwise lock the user out.",
        fix: "Keep each state by itself, and let a wrong one end nothing but its own request.",
        needs: &[Need::State],
        powers: &[],
        run: scene!(begins_twice),
    },
    Row {
        id: "ACT-09",
        does: "Code and state are delivered four minutes after the person agreed.",
        holds: "The login works, within the life of code and state.",
        why: "Phones are offline in lifts and trains just when the user comes back.",
        fix: "Let a transaction live as long as its code: ten minutes, five for service accounts.",
        needs: &[Need::State, Need::Turns],
        powers: &[Power::Clock],
        run: scene!(was_offline),
    },
];

async fn agrees(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let mut device = stage.device();
    stage.enter(&mut device, Side::First, &person).await?;
    match stage.exchanges(&person).await? {
        1 => Ok(()),
        0 => {
            stage.note(
                "the sandbox saw no exchange of the code: does your backend call another platform?",
            );
            Ok(())
        }
        many => Err(Stop::Fail(format!(
            "one login took its code to the platform {many} times"
        ))),
    }
}

async fn denies(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let mut device = stage.device();
    let begun = stage.begin_if(&mut device, Side::First).await?;
    let returned = stage
        .answer(&begun, Side::First, &person, Says::Deny)
        .await?;
    nobody(stage, &mut device, "refusing").await?;
    if let Some(url) = &begun.authorize {
        let returned = Returned {
            callback: returned.callback.or_else(|| redirect(url)),
            code: None,
            state: begun.state.clone(),
        };
        let heard = stage.deliver(&mut device, Side::First, &returned).await?;
        stage
            .refused(&mut device, &heard, "a callback without a code")
            .await?;
    }
    again(stage, &mut device, &person).await
}

async fn cancels(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let mut device = stage.device();
    let begun = stage.begin_if(&mut device, Side::First).await?;
    stage
        .answer(&begun, Side::First, &person, Says::Cancel)
        .await?;
    nobody(stage, &mut device, "going back").await?;
    again(stage, &mut device, &person).await
}

async fn comes_late(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let mut device = stage.device();
    let begun = stage.begin(&mut device, Side::First).await?;
    nobody(stage, &mut device, "coming back without an answer").await?;
    let returned = stage
        .answer(&begun, Side::First, &person, Says::Allow)
        .await?;
    let heard = stage.deliver(&mut device, Side::First, &returned).await?;
    is_in(stage, &mut device, heard, "the late answer was not taken").await
}

async fn brings_an_unknown_state(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let (mut other, mut device) = (stage.device(), stage.device());
    // The code is a good one: somebody else's device began this login.
    let begun = stage.begin(&mut other, Side::First).await?;
    let returned = stage
        .answer(&begun, Side::First, &person, Says::Allow)
        .await?;
    let parts = (returned.code.as_deref(), Some("nobody-gave-this-out"));
    let heard = stage
        .deliver_parts(&mut device, Side::First, &returned, parts, &[])
        .await?;
    let what = "a state that nobody gave out";
    stage.refused(&mut device, &heard, what).await?;
    stage.unspent(&person, what).await
}

async fn begins_twice(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let mut device = stage.device();
    let first = stage.begin(&mut device, Side::First).await?;
    let second = stage.begin(&mut device, Side::First).await?;
    let late = stage
        .answer(&first, Side::First, &person, Says::Allow)
        .await?;
    let heard = stage.deliver(&mut device, Side::First, &late).await?;
    if heard.is_success() && stage.whoami(&mut device).await?.is_some() {
        stage.note("the answer to the older of two logins is taken as well");
    }
    let returned = stage
        .answer(&second, Side::First, &person, Says::Allow)
        .await?;
    let heard = stage.deliver(&mut device, Side::First, &returned).await?;
    let what = "a late answer to an older login disturbed the newer one";
    is_in(stage, &mut device, heard, what).await
}

async fn was_offline(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let mut device = stage.device();
    let begun = stage.begin(&mut device, Side::First).await?;
    let returned = stage
        .answer(&begun, Side::First, &person, Says::Allow)
        .await?;
    stage.jump("4m").await?;
    let heard = stage.deliver(&mut device, Side::First, &returned).await?;
    is_in(
        stage,
        &mut device,
        heard,
        "four minutes later it was refused",
    )
    .await
}

/// The address that an authorize address asks to be returned to.
fn redirect(authorize: &str) -> Option<reqwest::Url> {
    let url = reqwest::Url::parse(authorize).ok()?;
    let (_, to) = url.query_pairs().find(|(name, _)| name == "redirect_uri")?;
    reqwest::Url::parse(&to).ok()
}

async fn nobody(stage: &Stage, device: &mut Device, what: &str) -> Run {
    match stage.whoami(device).await? {
        None => Ok(()),
        Some(me) => Err(Stop::Fail(format!("{what} logged in, as {}", me.user))),
    }
}

async fn is_in(stage: &Stage, device: &mut Device, heard: Heard, what: &str) -> Run {
    match stage.after(device, heard).await? {
        After::In(_) | After::Bind => Ok(()),
        After::Out(heard) => Err(stage.fail(what, &heard)),
    }
}

async fn again(stage: &Stage, device: &mut Device, person: &Person) -> Run {
    match stage.enter(device, Side::First, person).await {
        Ok(_) => Ok(()),
        Err(Stop::Fail(seen)) => Err(Stop::Fail(format!(
            "on the same device the next try did not work: {seen}"
        ))),
        Err(other) => Err(other),
    }
}
