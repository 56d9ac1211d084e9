//! Identity and profile.

use super::{Power, Row, scene};
use crate::check::backend::{Side, random};
use crate::check::faults::{self, EXCHANGE, PROFILE};
use crate::check::sandbox::{Draft, Person};
use crate::check::stage::{MARKUP, Stage};
use crate::check::verdict::{Run, Stop};

/// The key of an identity.
const KEY: &str = "Key identities by (provider, appid, openid); keep the unionid beside it as a hint that may come, go and change.";

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "IDN-01",
        does: "A person of whom no unionid is told logs in twice.",
        holds: "It works, and is the same account.",
        why: "The platform tells a unionid only where the app is bound to an Open Platform account.",
        fix: KEY,
        needs: &[],
        powers: &[Power::Faults],
        run: scene!(never),
    },
    Row {
        id: "IDN-02",
        does: "A person logs in without a unionid, and later with one.",
        holds: "It is the same account.",
        why: "The day an app is bound to an Open Platform account, everybody would be new.",
        fix: KEY,
        needs: &[],
        powers: &[Power::Faults],
        run: scene!(comes_later),
    },
    Row {
        id: "IDN-03",
        does: "A person logs in with a unionid, and later without.",
        holds: "It is the same account.",
        why: "The unionid goes with the binding of the app, or with one scope.",
        fix: KEY,
        needs: &[],
        powers: &[Power::Faults],
        run: scene!(goes_away),
    },
    Row {
        id: "IDN-04",
        does: "A person logs in with a unionid, and later with another one.",
        holds: "It is the same account.",
        why: "Apps move between Open Platform accounts, and every unionid changes with them.",
        fix: KEY,
        needs: &[],
        powers: &[Power::Faults],
        run: scene!(changes),
    },
    Row {
        id: "IDN-05",
        does: "People with emoji, joined emoji, right-to-left marks, nothing visible, markup and quotes for a name log in.",
        holds: "Each gets in; the name is shown as it is or replaced, and markup is escaped.",
        why: "Names of four-byte letters break inserts, and names with markup run in other people's browsers.",
        fix: "Store names as utf8mb4, count graphemes, escape on output, and replace what shows nothing.",
        needs: &[],
        powers: &[],
        run: scene!(names),
    },
    Row {
        id: "IDN-06",
        does: "Two people without a picture and with the platform's default name log in.",
        holds: "Both get in, to accounts of their own.",
        why: "The platform gives new apps \"微信用户\" and no picture for everybody.",
        fix: "Expect neither a picture nor a name, and use neither as a key.",
        needs: &[],
        powers: &[],
        run: scene!(no_face),
    },
];

/// From now on the platform tells the unionid, or does not.
async fn tell_unionid(stage: &Stage, person: &Person, told: bool) -> Run {
    stage.mend().await;
    match told {
        true => Ok(()),
        false => stage.no_unionid(person).await,
    }
}

async fn twice(stage: &Stage, before: bool, after: bool) -> Run {
    let person = stage.person().await?;
    tell_unionid(stage, &person, before).await?;
    let (mut one, mut two) = (stage.device(), stage.device());
    let first = stage.enter(&mut one, Side::First, &person).await?;
    tell_unionid(stage, &person, after).await?;
    let second = stage.enter(&mut two, Side::First, &person).await?;
    let what = match (before, after) {
        (false, true) => "the unionid came, and with it another account",
        (true, false) => "the unionid went, and with it the account",
        _ => "without a unionid it is another account each time",
    };
    stage.same(&first, &second, what)?;
    if before == after {
        return Ok(());
    }
    tell_unionid(stage, &person, before).await?;
    let mut three = stage.device();
    let third = stage.enter(&mut three, Side::First, &person).await?;
    stage.same(
        &first,
        &third,
        "when the unionid was as before, it was another account",
    )
}

async fn never(stage: &Stage) -> Run {
    twice(stage, false, false).await?;
    // Nobody without a unionid is everybody without one.
    let mut users = Vec::new();
    for _ in 0..2 {
        let person = stage.person().await?;
        stage.no_unionid(&person).await?;
        let mut device = stage.device();
        users.push(stage.enter(&mut device, Side::First, &person).await?.user);
    }
    match users.first() == users.get(1) {
        true => Err(Stop::Fail(format!(
            "two people without a unionid are both {}",
            users[0]
        ))),
        false => Ok(()),
    }
}

async fn comes_later(stage: &Stage) -> Run {
    twice(stage, false, true).await
}

async fn goes_away(stage: &Stage) -> Run {
    twice(stage, true, false).await
}

async fn changes(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let (mut one, mut two) = (stage.device(), stage.device());
    let first = stage.enter(&mut one, Side::First, &person).await?;
    let other = format!("oChanged_{}xyz", random());
    for endpoint in [EXCHANGE, PROFILE] {
        for fault in faults::with_field(endpoint, "unionid", &other) {
            stage.fault(&person, fault).await?;
        }
    }
    let second = stage.enter(&mut two, Side::First, &person).await?;
    stage.same(
        &first,
        &second,
        "the unionid changed, and with it the account",
    )
}

async fn names(stage: &Stage) -> Run {
    let names = [
        "梅 Zoé 🐟",
        "👨‍👩‍👧‍👦 family 🏳️‍🌈",
        "\u{202e}txt.exe\u{202c}",
        "\u{200b}\u{200d}",
        MARKUP,
        "O'Brien\"; --",
    ];
    for name in names {
        let draft = Draft {
            nickname: Some(name),
            ..Draft::default()
        };
        let person = stage.person_like(&draft).await?;
        let mut device = stage.device();
        let me = match stage.enter(&mut device, Side::First, &person).await {
            Ok(me) => me,
            Err(Stop::Fail(seen)) => {
                return Err(Stop::Fail(format!("\"{}\": {seen}", name.escape_debug())));
            }
            Err(other) => return Err(other),
        };
        if let Some(shown) = me.nickname {
            let visible = name.chars().any(char::is_alphanumeric);
            if shown != name && visible {
                stage.note(format!(
                    "\"{}\" is shown as \"{}\"",
                    name.escape_debug(),
                    shown.escape_debug()
                ));
            }
            if shown.contains('\u{fffd}') || (visible && shown.contains("??")) {
                return Err(Stop::Fail(format!(
                    "\"{}\" is kept as \"{}\": letters were lost",
                    name.escape_debug(),
                    shown.escape_debug()
                )));
            }
        }
    }
    Ok(())
}

async fn no_face(stage: &Stage) -> Run {
    let draft = Draft {
        nickname: Some("微信用户"),
        faceless: true,
    };
    let mut users = Vec::new();
    for _ in 0..2 {
        let person = stage.person_like(&draft).await?;
        let mut device = stage.device();
        users.push(stage.enter(&mut device, Side::First, &person).await?.user);
    }
    match users.first() == users.get(1) {
        true => Err(Stop::Fail(format!(
            "two people with the default name are both {}",
            users[0]
        ))),
        false => Ok(()),
    }
}
