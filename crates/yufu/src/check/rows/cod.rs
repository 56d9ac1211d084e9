//! Code and state.

use super::{Need, Power, Row, scene};
use crate::check::backend::{Kind, Side, random};
use crate::check::recipe::Step;
use crate::check::sandbox::{Returned, Says};
use crate::check::stage::{After, MARKUP, Stage};
use crate::check::verdict::{Run, Stop};

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "COD-01",
        does: "A plain login, looked at from the platform's side.",
        holds: "The sandbox finds nothing in it that the real platform refuses, or that is unsafe.",
        why: "What works here and is refused by the real platform fails on the day of the launch.",
        fix: "Open the flow: each finding names what to do and where it is written.",
        needs: &[],
        powers: &[Power::Flows],
        run: scene!(plain),
    },
    Row {
        id: "COD-02",
        does: "The code has expired when it is delivered.",
        holds: "A proper refusal, nobody logged in, and the next login works.",
        why: "Users let the page lie; \"authorize again\" is what they need to hear.",
        fix: "Map the platform's 40029 and 42003 to \"please log in again\".",
        needs: &[],
        powers: &[],
        run: scene!(expired),
    },
    Row {
        id: "COD-03",
        does: "The same device delivers the same code and state a second time.",
        holds: "The same answer again or a proper refusal; the session of the first stays as it is.",
        why: "Browsers load callbacks twice and apps retry; the second load must not end in an error page over a good login.",
        fix: "Remember the answer to a code for a minute and say it again, or refuse without touching the session.",
        needs: &[],
        powers: &[Power::Flows],
        run: scene!(delivered_twice),
    },
    Row {
        id: "COD-04",
        does: "A code that was paid is delivered by another device, in a login of its own.",
        holds: "It is refused, and nobody is logged in.",
        why: "Codes stand in addresses, logs and histories; a used one must open nothing.",
        fix: "Never look a login up by its old code; let each code go to the platform once.",
        needs: &[],
        powers: &[],
        run: scene!(used),
    },
    Row {
        id: "COD-05",
        does: "A forged code is delivered within a good login, with the openid and unionid of a known user beside it.",
        holds: "It is refused, and nobody is logged in.",
        why: "An openid is no secret: whoever takes one from a client lets everybody in as everybody.",
        fix: "Take openid and unionid from the platform's answer to the code, and from nowhere else.",
        needs: &[],
        powers: &[],
        run: scene!(forged),
    },
    Row {
        id: "COD-06",
        does: "A code that was given to another developer's app is delivered.",
        holds: "It is refused, and nobody is logged in.",
        why: "Another app's operator could otherwise log in as their users at yours.",
        fix: "Exchange codes with your own appid and secret only.",
        needs: &[],
        powers: &[],
        run: scene!(of_another_app),
    },
    Row {
        id: "COD-07",
        does: "What cannot be a code is delivered: nothing, 600 characters, markup and control characters.",
        holds: "Each is refused properly, and none comes back as markup.",
        why: "The callback is open to the world, and is the first address that scanners try.",
        fix: "Refuse what is empty, longer than 512 characters, or not of letters, digits, - and _.",
        needs: &[],
        powers: &[],
        run: scene!(no_code_at_all),
    },
    Row {
        id: "COD-08",
        does: "A good code is delivered without a state.",
        holds: "It is refused, and the code never goes to the platform.",
        why: "Leaving the state out is the simplest way round a check that compares only what is there.",
        fix: "Refuse a callback without a state before anything else.",
        needs: &[Need::State],
        powers: &[Power::Flows],
        run: scene!(without_state),
    },
    Row {
        id: "COD-09",
        does: "An attacker's code and state, from the attacker's own login, are delivered in a victim's browser.",
        holds: "It is refused: the victim is not logged in as the attacker.",
        why: "This is login CSRF: what the victim enters from then on belongs to the attacker's account.",
        fix: "Bind the state to the browser by a cookie, or to the device, and compare both.",
        needs: &[Need::State],
        powers: &[Power::Flows],
        run: scene!(state_of_another),
    },
    Row {
        id: "COD-10",
        does: "Code and state are delivered eleven minutes after the login began, the code fresh.",
        holds: "It is refused, and nobody is logged in.",
        why: "A state that never ends gives an attacker all the time in the world.",
        fix: "Let a state end ten minutes after it was given out.",
        needs: &[Need::State, Need::Turns],
        powers: &[Power::Clock],
        run: scene!(state_too_old),
    },
    Row {
        id: "COD-11",
        does: "Code and state of a link are delivered to the login.",
        holds: "It is refused, and nobody is logged in by it.",
        why: "A link that was begun for one purpose must not serve another.",
        fix: "Keep the purpose with the state, and compare it.",
        needs: &[Need::Has(Step::BeginLink), Need::Has(Step::Link)],
        powers: &[],
        run: scene!(of_a_link),
    },
];

async fn plain(stage: &Stage) -> Run {
    if stage.recipe().has_state() {
        let (mut one, mut two) = (stage.device(), stage.device());
        let first = stage.begin(&mut one, Side::First).await?.state;
        let second = stage.begin(&mut two, Side::First).await?.state;
        match first {
            None => return Err(Stop::Fail("a login begins without a state".to_owned())),
            same if same == second => {
                return Err(Stop::Fail("every login has the same state".to_owned()));
            }
            Some(_) => {}
        }
    }
    let person = stage.person().await?;
    let mut device = stage.device();
    stage.enter(&mut device, Side::First, &person).await?;
    let flows = stage.flows(&person).await?;
    let mut errors = Vec::new();
    for finding in flows.iter().flat_map(|flow| &flow.findings) {
        let words = format!("{} ({}): {}", finding.title, finding.code, finding.fix);
        match finding.severity.as_str() {
            "error" => errors.push(words),
            "warning" => stage.note(words),
            _ => {}
        }
    }
    match errors.is_empty() {
        true => Ok(()),
        false => Err(Stop::Fail(errors.join("; "))),
    }
}

async fn expired(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let mut device = stage.device();
    let begun = stage.begin_if(&mut device, Side::First).await?;
    let returned = stage
        .answer(&begun, Side::First, &person, Says::Allow)
        .await?;
    let code = returned.code.clone().unwrap_or_default();
    stage.sandbox.expire(&code).await?;
    let heard = stage.deliver(&mut device, Side::First, &returned).await?;
    stage
        .refused(&mut device, &heard, "an expired code")
        .await?;
    stage.recovers(&person).await.map(drop)
}

async fn delivered_twice(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let mut device = stage.device();
    let begun = stage.begin_if(&mut device, Side::First).await?;
    let returned = stage
        .answer(&begun, Side::First, &person, Says::Allow)
        .await?;
    let heard = stage.deliver(&mut device, Side::First, &returned).await?;
    let first = stage.after(&mut device, heard).await?;
    if let After::Out(heard) = &first {
        return Err(stage.fail("the login did not work", heard));
    }
    let mut second = device.clone();
    let heard = stage.deliver(&mut second, Side::First, &returned).await?;
    let unclear = match &heard.kind {
        Kind::Unclear(words) => Some(words.clone()),
        Kind::Silent(silence) => Some(silence.words(stage.recipe().patience)),
        _ => None,
    };
    if let Some(words) = unclear {
        return Err(stage.fail(&format!("the second delivery: {words}"), &heard));
    }
    let again = stage.whoami(&mut second).await?;
    let before = stage.whoami(&mut device).await?;
    if let After::In(me) = &first {
        let Some(before) = before else {
            let words = "the second delivery ended the session of the first";
            return Err(stage.fail(words, &heard));
        };
        stage.same(me, &before, "the session changed hands")?;
        match again {
            Some(again) => stage.same(me, &again, "the second delivery led to another account")?,
            None => {
                let words = "the second delivery logged the browser out again";
                return Err(stage.fail(words, &heard));
            }
        }
    }
    let exchanges = stage.exchanges(&person).await?;
    if exchanges > 1 {
        stage.note(format!(
            "the code went to the platform {exchanges} times; the real one may end the tokens of a code that comes twice"
        ));
    }
    Ok(())
}

async fn used(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let mut device = stage.device();
    let begun = stage.begin_if(&mut device, Side::First).await?;
    let returned = stage
        .answer(&begun, Side::First, &person, Says::Allow)
        .await?;
    let heard = stage.deliver(&mut device, Side::First, &returned).await?;
    if let After::Out(heard) = stage.after(&mut device, heard).await? {
        return Err(stage.fail("the login did not work", &heard));
    }
    let mut thief = stage.device();
    let own = stage.begin_if(&mut thief, Side::First).await?;
    let parts = (returned.code.as_deref(), own.state.as_deref());
    let heard = stage
        .deliver_parts(&mut thief, Side::First, &returned, parts, &[])
        .await?;
    stage.refused(&mut thief, &heard, "a used code").await
}

async fn forged(stage: &Stage) -> Run {
    let victim = stage.person().await?;
    let mut device = stage.device();
    stage.enter(&mut device, Side::First, &victim).await?;
    let code = stage.code(Side::First, &victim, None).await?;
    let known = stage.sandbox.redeem(&stage.app, &code).await?;
    let text = |key: &str| known[key].as_str().unwrap_or_default().to_owned();
    let (openid, unionid) = (text("openid"), text("unionid"));

    let mut thief = stage.device();
    let own = stage.begin_if(&mut thief, Side::First).await?;
    // Where a callback goes is seen where the thief's own login would have led.
    let returned = match own.authorize.is_some() {
        true => {
            let thief = stage.person().await?;
            stage.answer(&own, Side::First, &thief, Says::Allow).await?
        }
        false => Returned {
            callback: None,
            code: None,
            state: own.state.clone(),
        },
    };
    let code = format!("0{}{}", random(), &random()[..15]);
    let smuggled = [
        ("openid", openid.as_str()),
        ("openId", openid.as_str()),
        ("open_id", openid.as_str()),
        ("unionid", unionid.as_str()),
        ("unionId", unionid.as_str()),
        ("uuid", openid.as_str()),
    ];
    let parts = (Some(code.as_str()), returned.state.as_deref());
    let heard = stage
        .deliver_parts(&mut thief, Side::First, &returned, parts, &smuggled)
        .await?;
    stage
        .refused(
            &mut thief,
            &heard,
            "a forged code with somebody's openid beside it",
        )
        .await
}

async fn of_another_app(stage: &Stage) -> Run {
    let Some(stranger) = &stage.stranger else {
        return Err(Stop::Skip(
            "the sandbox has no other developer's app".to_owned(),
        ));
    };
    let person = stage.person().await?;
    let mut device = stage.device();
    let own = stage.begin_if(&mut device, Side::First).await?;
    let returned = stage
        .answer(&own, Side::First, &person, Says::Allow)
        .await?;
    let code = stage.sandbox.code(&stranger.appid, &person, None).await?;
    let parts = (Some(code.as_str()), returned.state.as_deref());
    let heard = stage
        .deliver_parts(&mut device, Side::First, &returned, parts, &[])
        .await?;
    stage
        .refused(&mut device, &heard, "another app's code")
        .await
}

async fn no_code_at_all(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let long = "a".repeat(600);
    let junk = [
        ("an empty code", ""),
        ("a code of 600 characters", long.as_str()),
        ("markup for a code", MARKUP),
        ("control characters for a code", "a\r\nSet-Cookie: a=b\u{0}"),
    ];
    for (what, code) in junk {
        let mut device = stage.device();
        let begun = stage.begin_if(&mut device, Side::First).await?;
        let returned = stage
            .answer(&begun, Side::First, &person, Says::Allow)
            .await?;
        let parts = (Some(code), returned.state.as_deref());
        let heard = stage
            .deliver_parts(&mut device, Side::First, &returned, parts, &[])
            .await?;
        stage.refused(&mut device, &heard, what).await?;
        let mut answers = heard.answers.iter().flat_map(|answer| answer.set_cookies());
        if answers.any(|cookie| cookie.starts_with("a=b")) {
            return Err(stage.fail("a code with a line break writes headers", &heard));
        }
    }
    Ok(())
}

async fn without_state(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let mut device = stage.device();
    let begun = stage.begin(&mut device, Side::First).await?;
    let returned = stage
        .answer(&begun, Side::First, &person, Says::Allow)
        .await?;
    let parts = (returned.code.as_deref(), None);
    let heard = stage
        .deliver_parts(&mut device, Side::First, &returned, parts, &[])
        .await?;
    let what = "a callback without a state";
    stage.refused(&mut device, &heard, what).await?;
    stage.unspent(&person, what).await
}

async fn state_of_another(stage: &Stage) -> Run {
    let attacker = stage.person().await?;
    let mut theirs = stage.device();
    let begun = stage.begin(&mut theirs, Side::First).await?;
    let returned = stage
        .answer(&begun, Side::First, &attacker, Says::Allow)
        .await?;
    // A victim in the middle of a login of their own, and one who does nothing.
    let mut busy = stage.device();
    stage.begin(&mut busy, Side::First).await?;
    for (mut victim, what) in [
        (
            busy,
            "an attacker's code and state, in the browser of somebody who is logging in,",
        ),
        (
            stage.device(),
            "an attacker's code and state, in a fresh browser,",
        ),
    ] {
        let heard = stage.deliver(&mut victim, Side::First, &returned).await?;
        stage.refused(&mut victim, &heard, what).await?;
    }
    stage
        .unspent(&attacker, "an attacker's code and state")
        .await?;
    let heard = stage.deliver(&mut theirs, Side::First, &returned).await?;
    if let After::Out(heard) = stage.after(&mut theirs, heard).await? {
        stage.note(format!(
            "whoever the code and state belong to cannot finish any more ({})",
            heard.line(stage.recipe().patience)
        ));
    }
    Ok(())
}

async fn state_too_old(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let mut device = stage.device();
    let begun = stage.begin(&mut device, Side::First).await?;
    stage.jump("11m").await?;
    let code = stage
        .code(Side::First, &person, begun.state.as_deref())
        .await?;
    let returned = Returned {
        callback: None,
        code: Some(code),
        state: begun.state.clone(),
    };
    let heard = stage.deliver(&mut device, Side::First, &returned).await?;
    stage
        .refused(&mut device, &heard, "a state of eleven minutes ago")
        .await
}

async fn of_a_link(stage: &Stage) -> Run {
    let (owner, other) = (stage.person().await?, stage.person().await?);
    let mut device = stage.device();
    let me = stage.enter(&mut device, Side::First, &owner).await?;
    let begun = stage
        .begin_by(&mut device, Side::First, Step::BeginLink)
        .await?;
    let returned = stage
        .answer(&begun, Side::First, &other, Says::Allow)
        .await?;
    let heard = stage.deliver(&mut device, Side::First, &returned).await?;
    if heard.is_success() {
        return Err(stage.fail("code and state of a link were taken by the login", &heard));
    }
    match stage.whoami(&mut device).await? {
        Some(now) => stage.same(&me, &now, "the login took a link's code and state"),
        None => Ok(()),
    }
}
