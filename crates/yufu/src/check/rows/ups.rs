//! A platform that misbehaves.

use serde_json::Value;

use super::{Power, Row, scene};
use crate::check::backend::{Device, Heard, Kind, Side};
use crate::check::faults::{self, EXCHANGE, PROFILE};
use crate::check::sandbox::{Person, Says};
use crate::check::stage::{After, Me, Quota, Stage};
use crate::check::verdict::{Run, Stop};

/// What every row here asks for besides its own.
const FIX: &str = "Give every call to the platform a time limit and one place where its answer is read; whatever is no good answer becomes a refusal of your own, in the shape that your app knows.";

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "UPS-01",
        does: "The platform breaks the connection off before it answers the exchange.",
        holds: "A proper refusal within the backend's patience, nobody logged in, and the next login works.",
        why: "Networks to the platform break every day; a page of your framework's is no answer to a user.",
        fix: FIX,
        needs: &[],
        powers: &[Power::Faults],
        run: scene!(unreachable),
    },
    Row {
        id: "UPS-02",
        does: "The platform redeems the code, and the answer is lost.",
        holds: "A proper refusal, nobody logged in, and logging in again leads to one account.",
        why: "The code is burnt: asking with it again hears 40163, and only a new login helps.",
        fix: FIX,
        needs: &[],
        powers: &[Power::Faults],
        run: scene!(answer_lost),
    },
    Row {
        id: "UPS-03",
        does: "The platform says -1 (busy) once, then for good.",
        holds: "Once: the login works or is refused. For good: a proper refusal. Nobody is logged in wrongly, and the next login works.",
        why: "The platform documents -1 as \"try again\", and says it in every busy hour.",
        fix: FIX,
        needs: &[],
        powers: &[Power::Faults],
        run: scene!(busy),
    },
    Row {
        id: "UPS-04",
        does: "The platform says 45011 (too often in this minute) to the exchange.",
        holds: "A proper refusal, nobody logged in, and a login after that minute works.",
        why: "A quota is met exactly when many people log in.",
        fix: FIX,
        needs: &[],
        powers: &[Power::Faults],
        run: scene!(quota_of_the_minute),
    },
    Row {
        id: "UPS-05",
        does: "The platform says 45009 (the day's quota is used up) to the exchange.",
        holds: "A proper refusal, nobody logged in, and a login after that day works.",
        why: "Until midnight every login meets this answer.",
        fix: FIX,
        needs: &[],
        powers: &[Power::Faults],
        run: scene!(quota_of_the_day),
    },
    Row {
        id: "UPS-06",
        does: "The exchange is answered with half a JSON, with a page of HTML, and with status 502.",
        holds: "Each is refused properly, nobody is logged in, and the next login works.",
        why: "Proxies and hotspots answer in the platform's place, with status 200 too.",
        fix: FIX,
        needs: &[],
        powers: &[Power::Faults],
        run: scene!(not_json),
    },
    Row {
        id: "UPS-07",
        does: "A good answer comes as text/plain, with \"errcode\":0 and with fields that nobody knows.",
        holds: "The login works all the same.",
        why: "The real platform answers as text/plain, and adds fields without notice.",
        fix: "Read the body as JSON whatever its content type, take errcode 0 for success, ignore unknown fields.",
        needs: &[],
        powers: &[Power::Faults],
        run: scene!(another_shape),
    },
    Row {
        id: "UPS-08",
        does: "The answer to the exchange has no openid; then the profile bears another openid than the token.",
        holds: "Nobody is logged in, and the next login works.",
        why: "An account under an empty openid is everybody's account.",
        fix: "Refuse an answer without an openid, and a profile whose openid is not the token's.",
        needs: &[],
        powers: &[Power::Faults],
        run: scene!(openid_missing),
    },
    Row {
        id: "UPS-09",
        does: "The exchange takes longer than anybody waits.",
        holds: "An answer within the backend's patience, and the next login works.",
        why: "Without a time limit a slow platform takes all your workers with it.",
        fix: FIX,
        needs: &[],
        powers: &[Power::Faults],
        run: scene!(slow),
    },
    Row {
        id: "UPS-10",
        does: "The platform says 40125 (the secret is wrong) to the exchange.",
        holds: "A proper refusal without the secret in it, nobody logged in, and the next login works.",
        why: "Secrets are rotated; the page must not show the request that failed.",
        fix: FIX,
        needs: &[],
        powers: &[Power::Faults],
        run: scene!(wrong_secret),
    },
    Row {
        id: "UPS-11",
        does: "The exchange works, and the profile does not: -1, half a JSON.",
        holds: "The login works without a profile, or is refused properly; afterwards it is the same account.",
        why: "A name and a picture are no reason to keep somebody out.",
        fix: "Log in by the openid alone, show a placeholder, and read the profile later.",
        needs: &[],
        powers: &[Power::Faults],
        run: scene!(profile_fails),
    },
    Row {
        id: "UPS-12",
        does: "The profile is refused with 48001: the token does not reach it.",
        holds: "The login works without a profile, or is refused properly; afterwards it is the same account.",
        why: "Apps lose scopes in a review, and snsapi_base never had this one.",
        fix: "Log in by the openid alone where the profile may not be read.",
        needs: &[],
        powers: &[Power::Faults],
        run: scene!(profile_not_allowed),
    },
    Row {
        id: "UPS-13",
        does: "The platform says 50002 (this user is restricted) to the exchange.",
        holds: "A proper refusal, and nobody is logged in.",
        why: "Whom the platform restricts has no valid login.",
        fix: FIX,
        needs: &[],
        powers: &[Power::Faults],
        run: scene!(restricted),
    },
];

/// Lets a fault play while a new person's code is delivered.
async fn under(stage: &Stage, person: &Person, fault: Value) -> Result<(Device, Heard), Stop> {
    let mut device = stage.device();
    let begun = stage.begin_if(&mut device, Side::First).await?;
    let returned = stage
        .answer(&begun, Side::First, person, Says::Allow)
        .await?;
    stage.fault(person, fault).await?;
    let heard = stage.deliver(&mut device, Side::First, &returned).await?;
    stage.mend().await;
    Ok((device, heard))
}

/// The login is refused while the fault plays, and works afterwards.
async fn refuses(stage: &Stage, fault: Value, what: &str) -> Run {
    let person = stage.person().await?;
    let (mut device, heard) = under(stage, &person, fault).await?;
    stage.refused(&mut device, &heard, what).await?;
    stage.recovers(&person).await.map(drop)
}

/// The same with a quota that is used up, and comes back.
async fn refuses_until(stage: &Stage, code: i64, quota: Quota) -> Run {
    let person = stage.person().await?;
    let fault = faults::errcode(EXCHANGE, code);
    let (mut device, heard) = under(stage, &person, fault).await?;
    let what = format!("errcode {code}");
    stage.refused(&mut device, &heard, &what).await?;
    stage.recovers_after(&person, quota).await.map(drop)
}

/// The login works or is refused while the fault plays, and leads to the same account afterwards.
async fn bears(stage: &Stage, fault: Value, what: &str) -> Run {
    let person = stage.person().await?;
    let (mut device, heard) = under(stage, &person, fault).await?;
    let me = match worked(stage, &mut device, &heard, &person, what).await? {
        Some(me) => Some(me),
        None => {
            stage.note(format!(
                "{what} refuses the login, which would work without"
            ));
            None
        }
    };
    let again = stage.recovers(&person).await?;
    match me {
        Some(me) => stage.same(&me, &again, &format!("{what} made an account of its own")),
        None => Ok(()),
    }
}

/// Who got in under a fault; none where it was refused properly.
async fn worked(
    stage: &Stage,
    device: &mut Device,
    heard: &Heard,
    person: &Person,
    what: &str,
) -> Result<Option<Me>, Stop> {
    if let Kind::Success = heard.kind {
        match stage.after(device, heard.clone()).await? {
            After::In(me) => return Ok(Some(me)),
            After::Bind => {
                let bound = stage.bind(device, &person.phone, &[]).await?;
                let me = stage.whoami(device).await?;
                let me = me.ok_or_else(|| stage.fail("binding did not log in", &bound))?;
                return Ok(Some(me));
            }
            After::Out(_) => {}
        }
    }
    stage.refused(device, heard, what).await?;
    Ok(None)
}

async fn unreachable(stage: &Stage) -> Run {
    refuses(stage, faults::cut(EXCHANGE), "a broken connection").await
}

async fn answer_lost(stage: &Stage) -> Run {
    refuses(stage, faults::lost(EXCHANGE), "a lost answer").await
}

async fn busy(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let once = faults::times(faults::errcode(EXCHANGE, -1), 1);
    let (mut device, heard) = under(stage, &person, once).await?;
    let me = worked(stage, &mut device, &heard, &person, "one answer of -1").await?;
    let again = stage.recovers(&person).await?;
    if let Some(me) = me {
        stage.same(&me, &again, "one answer of -1 made an account of its own")?;
    }
    refuses(stage, faults::errcode(EXCHANGE, -1), "errcode -1").await
}

async fn quota_of_the_minute(stage: &Stage) -> Run {
    refuses_until(stage, 45011, Quota::Minute).await
}

async fn quota_of_the_day(stage: &Stage) -> Run {
    refuses_until(stage, 45009, Quota::Day).await
}

async fn not_json(stage: &Stage) -> Run {
    refuses(stage, faults::truncated(EXCHANGE), "half a JSON").await?;
    refuses(stage, faults::html(EXCHANGE), "a page of HTML").await?;
    refuses(stage, faults::status(EXCHANGE, 502), "status 502").await
}

async fn another_shape(stage: &Stage) -> Run {
    let faults = [
        (
            faults::content_type(EXCHANGE, "text/plain"),
            "a good answer as text/plain",
        ),
        (
            faults::errcode_zero(EXCHANGE),
            "a good answer with errcode 0",
        ),
        (
            faults::extra(EXCHANGE, "new_field", "new"),
            "a field that nobody knows",
        ),
        (
            faults::without(EXCHANGE, "refresh_token"),
            "an answer without a refresh token",
        ),
    ];
    for (fault, what) in faults {
        let person = stage.person().await?;
        let (mut device, heard) = under(stage, &person, fault).await?;
        if worked(stage, &mut device, &heard, &person, what)
            .await?
            .is_some()
        {
            continue;
        }
        // Some go without a refresh token, some do not; the others are good answers.
        match what.contains("refresh") {
            true => stage.note(format!("{what} is refused")),
            false => return Err(stage.fail(&format!("{what} is refused"), &heard)),
        }
    }
    Ok(())
}

async fn openid_missing(stage: &Stage) -> Run {
    refuses(
        stage,
        faults::without(EXCHANGE, "openid"),
        "an answer without an openid",
    )
    .await?;
    // Then the profile is somebody else's: of a user whom the backend knows.
    let (victim, person) = (stage.person().await?, stage.person().await?);
    let mut theirs = stage.device();
    let known = stage.enter(&mut theirs, Side::First, &victim).await?;
    let code = stage.code(Side::First, &victim, None).await?;
    let told = stage.sandbox.redeem(&stage.app, &code).await?;
    let openid = told["openid"].as_str().unwrap_or_default();
    let mut device = stage.device();
    let begun = stage.begin_if(&mut device, Side::First).await?;
    let returned = stage
        .answer(&begun, Side::First, &person, Says::Allow)
        .await?;
    for fault in faults::with_field(PROFILE, "openid", openid) {
        stage.fault(&person, fault).await?;
    }
    let heard = stage.deliver(&mut device, Side::First, &returned).await?;
    stage.mend().await;
    let what = "a profile of another openid";
    let me = worked(stage, &mut device, &heard, &person, what).await?;
    if me.as_ref().is_some_and(|me| me.user == known.user) {
        let words = "a profile of somebody else's openid led into that person's account";
        return Err(stage.fail(words, &heard));
    }
    let again = stage.recovers(&person).await?;
    if let Some(me) = me {
        stage.same(
            &me,
            &again,
            "a profile of another openid led to another account",
        )?;
        stage.note("the openid of the profile is not compared with the token's");
    }
    Ok(())
}

async fn slow(stage: &Stage) -> Run {
    let seconds = stage.recipe().patience.as_secs() + 20;
    let person = stage.person().await?;
    let fault = faults::slow(EXCHANGE, seconds);
    let (mut device, heard) = under(stage, &person, fault).await?;
    if let Kind::Silent(_) = heard.kind {
        return Err(stage.fail("a slow platform makes your backend hang", &heard));
    }
    stage
        .refused(&mut device, &heard, "a platform that is too slow")
        .await?;
    stage.recovers(&person).await.map(drop)
}

async fn wrong_secret(stage: &Stage) -> Run {
    refuses(stage, faults::errcode(EXCHANGE, 40125), "errcode 40125").await
}

async fn profile_fails(stage: &Stage) -> Run {
    bears(
        stage,
        faults::errcode(PROFILE, -1),
        "a profile that says -1",
    )
    .await?;
    bears(stage, faults::truncated(PROFILE), "half a profile").await
}

async fn profile_not_allowed(stage: &Stage) -> Run {
    bears(
        stage,
        faults::errcode(PROFILE, 48001),
        "a profile that is not allowed",
    )
    .await
}

async fn restricted(stage: &Stage) -> Run {
    refuses(stage, faults::errcode(EXCHANGE, 50002), "errcode 50002").await
}
