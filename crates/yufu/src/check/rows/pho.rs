//! Binding a number.

use super::{Need, Row, scene};
use crate::check::backend::{Device, Heard, Side, random};
use crate::check::recipe::Step;
use crate::check::sandbox::{Person, number};
use crate::check::stage::{Me, Stage, local};
use crate::check::verdict::{Run, Stop};

const BIND: &[Need] = &[Need::Has(Step::Bind), Need::Has(Step::Sms)];
const BIND_AND_PHONE: &[Need] = &[
    Need::Has(Step::Bind),
    Need::Has(Step::Sms),
    Need::Has(Step::PhoneLogin),
];

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "PHO-01",
        does: "Somebody new binds a number that nobody has, and comes back later.",
        holds: "They are logged in, and the next login leads straight to the same account.",
        why: "This is the way every new user of an app with numbers goes.",
        fix: "Make account, number and identity in one transaction, and answer with a session.",
        needs: BIND,
        powers: &[],
        run: scene!(free_number),
    },
    Row {
        id: "PHO-02",
        does: "Somebody new binds a number whose account has no such login.",
        holds: "They are asked first; no second account is made for the number.",
        why: "Numbers are given to new owners: silently joining the account hands it to a stranger.",
        fix: "Say which account was found, masked, and link only after a yes.",
        needs: BIND_AND_PHONE,
        powers: &[],
        run: scene!(number_of_an_account),
    },
    Row {
        id: "PHO-03",
        does: "Asked whether that account is theirs, they say yes.",
        holds: "They are logged in to that account, by number and by login from then on.",
        why: "Otherwise one person has two accounts and no way to one.",
        fix: "Keep ticket and proof good for some minutes, so that the yes needs neither again.",
        needs: &[
            Need::Has(Step::Bind),
            Need::Has(Step::Sms),
            Need::Has(Step::PhoneLogin),
            Need::Has(Step::Confirm),
        ],
        powers: &[],
        run: scene!(says_yes),
    },
    Row {
        id: "PHO-04",
        does: "Asked whether that account is theirs, they take another number instead.",
        holds: "The ticket is still good, and the account that was found is as it was.",
        why: "A wrong guess must not send anybody back to the beginning.",
        fix: "A question changes nothing: neither ticket nor account.",
        needs: BIND_AND_PHONE,
        powers: &[],
        run: scene!(takes_another_number),
    },
    Row {
        id: "PHO-06",
        does: "Somebody new binds a number whose account has another person's login.",
        holds: "It is refused; the account keeps its login, and nobody else is in it.",
        why: "Replacing a login by a passcode alone hands an account to whoever got the number next.",
        fix: "Refuse with the ways out: another number, log in with that other login, or replace it with more proof.",
        needs: BIND,
        powers: &[],
        run: scene!(number_of_another),
    },
    Row {
        id: "PHO-08",
        does: "One new login waits for a number on two devices; both bind, each a number of its own.",
        holds: "One account at the end: the second is refused or led to the first's.",
        why: "Two tickets of one person make two accounts where only the ticket is looked at.",
        fix: "Look the identity up again when the ticket is used.",
        needs: BIND,
        powers: &[],
        run: scene!(bound_meanwhile),
    },
    Row {
        id: "PHO-09",
        does: "A ticket that nobody gave out is used; then a good one is used twice.",
        holds: "Both are refused, and nobody is logged in by them.",
        why: "A ticket is the only proof of the login: guessed or used again it must open nothing.",
        fix: "Draw tickets at random, keep them on the server, and take each once.",
        needs: BIND,
        powers: &[],
        run: scene!(bad_ticket),
    },
    Row {
        id: "PHO-10",
        does: "A ticket is used from another device than the one that logged in.",
        holds: "It is refused, and nobody is logged in.",
        why: "Tickets leak through logs and histories like codes.",
        fix: "Bind the ticket to the device or browser, as the state.",
        needs: BIND,
        powers: &[],
        run: scene!(ticket_elsewhere),
    },
    Row {
        id: "PHO-11",
        does: "Instead of a ticket, the openid or unionid of a known user is sent with a number and its passcode.",
        holds: "It is refused: nobody is logged in as that user.",
        why: "An openid is no secret; several well-known backends give accounts away like this.",
        fix: "Take nothing but a ticket that you drew yourself; ignore openid and unionid from clients.",
        needs: BIND,
        powers: &[],
        run: scene!(openid_for_a_ticket),
    },
    Row {
        id: "PHO-12",
        does: "Somebody new binds the number of an account that was deleted.",
        holds: "They do not get into that account.",
        why: "What is about to be erased is nobody's to enter.",
        fix: "Refuse while the deletion is pending, and make a new account once it is done.",
        needs: &[
            Need::Has(Step::Bind),
            Need::Has(Step::Sms),
            Need::Has(Step::Delete),
        ],
        powers: &[],
        run: scene!(number_of_the_deleted),
    },
    Row {
        id: "PHO-15",
        does: "Numbers are typed with +86 and blanks and in full-width digits; then what is no number at all.",
        holds: "However it is typed it is one number, or is refused; what is none is refused.",
        why: "Two spellings of one number are two accounts.",
        fix: "Normalise to E.164 before anything is compared or kept.",
        needs: BIND,
        powers: &[],
        run: scene!(spellings),
    },
];

/// An account with this number and no other login.
async fn owner(stage: &Stage, phone: &str) -> Result<Me, Stop> {
    let mut device = stage.device();
    stage.phone_login(&mut device, phone).await
}

/// A new person's login with a ticket, and the number already tried with it.
async fn asked(stage: &Stage, person: &Person, phone: &str) -> Result<(Device, Heard), Stop> {
    let mut device = stage.device();
    stage.to_bind(&mut device, person).await?;
    let heard = stage.bind(&mut device, phone, &[]).await?;
    Ok((device, heard))
}

/// The person still has no account.
async fn still_waits(stage: &Stage, person: &Person, what: &str) -> Run {
    let mut device = stage.device();
    match stage.to_bind(&mut device, person).await {
        Err(Stop::Skip(_)) => Err(Stop::Fail(what.to_owned())),
        other => other,
    }
}

async fn free_number(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let (mut device, heard) = asked(stage, &person, &person.phone).await?;
    let me = stage.whoami(&mut device).await?;
    let me = me.ok_or_else(|| stage.fail("binding the number did not log in", &heard))?;
    let mut later = stage.device();
    let heard = stage.try_in(&mut later, Side::First, &person).await?;
    match stage.whoami(&mut later).await? {
        Some(again) => stage.same(&me, &again, "the next login led to another account"),
        None => Err(stage.fail("the next login asks for a number again", &heard)),
    }
}

async fn number_of_an_account(stage: &Stage) -> Run {
    let phone = number();
    let before = owner(stage, &phone).await?;
    let person = stage.person().await?;
    let (mut device, heard) = asked(stage, &person, &phone).await?;
    match stage.whoami(&mut device).await? {
        Some(me) if me.user == before.user => {
            stage.note("the login is joined to the number's account without a question; the passcode is all that was asked for");
            Ok(())
        }
        Some(me) => Err(stage.fail(
            &format!(
                "one number has two accounts: {} and {}",
                before.user, me.user
            ),
            &heard,
        )),
        None => {
            let what = "the question gave the person an account already";
            still_waits(stage, &person, what).await
        }
    }
}

async fn says_yes(stage: &Stage) -> Run {
    let phone = number();
    let before = owner(stage, &phone).await?;
    let person = stage.person().await?;
    let (mut device, _) = asked(stage, &person, &phone).await?;
    if stage.whoami(&mut device).await?.is_some() {
        return Err(Stop::Skip("your backend does not ask".to_owned()));
    }
    let heard = stage
        .with_phone(
            &mut device,
            Step::Confirm,
            (&phone, "bind"),
            "",
            &[("passcode", None)],
        )
        .await?;
    let me = stage.whoami(&mut device).await?;
    let me = me.ok_or_else(|| stage.fail("the yes did not log in", &heard))?;
    stage.same(&before, &me, "the yes led to another account")?;
    let mut later = stage.device();
    let again = stage.enter(&mut later, Side::First, &person).await?;
    stage.same(&before, &again, "the next login led to another account")
}

async fn takes_another_number(stage: &Stage) -> Run {
    let phone = number();
    let before = owner(stage, &phone).await?;
    let person = stage.person().await?;
    let (mut device, _) = asked(stage, &person, &phone).await?;
    if stage.whoami(&mut device).await?.is_some() {
        return Err(Stop::Skip("your backend does not ask".to_owned()));
    }
    let heard = stage.bind(&mut device, &person.phone, &[]).await?;
    let me = stage.whoami(&mut device).await?;
    let me = me.ok_or_else(|| stage.fail("the ticket is gone after the question", &heard))?;
    if me.user == before.user {
        let words = "another number led into the account that was declined";
        return Err(stage.fail(words, &heard));
    }
    let after = owner(stage, &phone).await?;
    stage.same(
        &before,
        &after,
        "the number that was declined has another account now",
    )
}

async fn number_of_another(stage: &Stage) -> Run {
    let (owner, stranger) = (stage.person().await?, stage.person().await?);
    let mut first = stage.device();
    let mine = stage.enter(&mut first, Side::First, &owner).await?;
    let (mut device, heard) = asked(stage, &stranger, &owner.phone).await?;
    match stage.whoami(&mut device).await? {
        Some(me) if me.user == mine.user => {
            let words = "a passcode was enough to get into the account of somebody else's login";
            return Err(stage.fail(words, &heard));
        }
        Some(me) => {
            let words = format!("one number has two accounts: {} and {}", mine.user, me.user);
            return Err(stage.fail(&words, &heard));
        }
        None => {}
    }
    let mut later = stage.device();
    let again = stage.enter(&mut later, Side::First, &owner).await?;
    stage.same(&mine, &again, "the owner's login was taken off the account")
}

async fn bound_meanwhile(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let (mut one, mut two) = (stage.device(), stage.device());
    stage.to_bind(&mut one, &person).await?;
    stage.to_bind(&mut two, &person).await?;
    // A newer ticket may have voided the older one: whichever is good makes the account.
    let heard = stage.bind(&mut two, &person.phone, &[]).await?;
    let me = stage.whoami(&mut two).await?;
    let me = me.ok_or_else(|| stage.fail("the newer ticket does not bind", &heard))?;
    let another = number();
    let heard = stage.bind(&mut one, &another, &[]).await?;
    match stage.whoami(&mut one).await? {
        Some(them) if them.user != me.user => Err(stage.fail(
            &format!("one person has two accounts: {} and {}", me.user, them.user),
            &heard,
        )),
        _ => {
            let mut later = stage.device();
            let again = stage.enter(&mut later, Side::First, &person).await?;
            stage.same(&me, &again, "afterwards the login leads to another account")
        }
    }
}

async fn bad_ticket(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let mut device = stage.device();
    stage.to_bind(&mut device, &person).await?;
    let mut thief = device.clone();
    let ticket = device.vars.get("ticket").cloned().unwrap_or_default();
    let forged: String = ticket.chars().rev().collect();
    let forged = if forged == ticket { random() } else { forged };
    let another = number();
    let heard = stage
        .bind(&mut thief, &another, &[("ticket", Some(&forged))])
        .await?;
    nobody_by(stage, &mut thief, &heard, "a ticket that nobody gave out").await?;

    let mut copy = device.clone();
    let heard = stage.bind(&mut device, &person.phone, &[]).await?;
    let me = stage.whoami(&mut device).await?;
    let me = me.ok_or_else(|| stage.fail("the good ticket does not bind", &heard))?;
    let heard = stage.bind(&mut copy, &number(), &[]).await?;
    match stage.whoami(&mut copy).await? {
        Some(them) if them.user != me.user => Err(stage.fail(
            &format!("a used ticket made a second account: {}", them.user),
            &heard,
        )),
        Some(_) => Err(stage.fail("a used ticket logged in once more", &heard)),
        None => Ok(()),
    }
}

async fn nobody_by(stage: &Stage, device: &mut Device, heard: &Heard, what: &str) -> Run {
    // The ticket of before is still on the device, and is no ticket for this.
    device.vars.remove("ticket");
    stage.refused(device, heard, what).await
}

async fn ticket_elsewhere(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let mut device = stage.device();
    stage.to_bind(&mut device, &person).await?;
    let ticket = device.vars.get("ticket").cloned();
    let mut other = stage.device();
    // It has begun a login of its own, as any device of the app may.
    stage.begin_if(&mut other, Side::First).await?;
    let heard = stage
        .bind(&mut other, &person.phone, &[("ticket", ticket.as_deref())])
        .await?;
    nobody_by(stage, &mut other, &heard, "a ticket from another device").await
}

async fn openid_for_a_ticket(stage: &Stage) -> Run {
    let victim = stage.person().await?;
    let mut device = stage.device();
    let me = stage.enter(&mut device, Side::First, &victim).await?;
    let code = stage.code(Side::First, &victim, None).await?;
    let known = stage.sandbox.redeem(&stage.app, &code).await?;
    let text = |key: &str| known[key].as_str().unwrap_or_default().to_owned();
    let (openid, unionid) = (text("openid"), text("unionid"));
    for ticket in [None, Some(openid.as_str()), Some(unionid.as_str())] {
        if ticket == Some("") {
            continue;
        }
        let mut thief = stage.device();
        stage.begin_if(&mut thief, Side::First).await?;
        let phone = number();
        let passcode = stage.passcode(&mut thief, &phone, "bind").await?;
        let own = local(&phone);
        let values = [
            ("phone", Some(phone.as_str())),
            ("phone_local", Some(own.as_str())),
            ("passcode", Some(passcode.as_str())),
            ("ticket", ticket),
            ("openid", Some(openid.as_str())),
            ("unionid", Some(unionid.as_str())),
        ];
        let smuggled = [
            ("openid", openid.as_str()),
            ("openId", openid.as_str()),
            ("open_id", openid.as_str()),
            ("unionid", unionid.as_str()),
            ("uuid", openid.as_str()),
            ("thirdUserUuid", openid.as_str()),
        ];
        let with = crate::check::backend::With {
            values: &values,
            smuggled: &smuggled,
        };
        let heard = stage
            .step_with(&mut thief, Side::First, Step::Bind, &with)
            .await?;
        if let Some(them) = stage.whoami(&mut thief).await? {
            let whose = match them.user == me.user {
                true => "into that person's account",
                false => "to an account of that person's login",
            };
            let words = format!("somebody's openid and a passcode led {whose}");
            return Err(stage.fail(&words, &heard));
        }
        nobody_by(stage, &mut thief, &heard, "an openid instead of a ticket").await?;
    }
    let mut later = stage.device();
    let again = stage.enter(&mut later, Side::First, &victim).await?;
    stage.same(&me, &again, "afterwards the victim's login leads elsewhere")
}

async fn number_of_the_deleted(stage: &Stage) -> Run {
    let (owner, person) = (stage.person().await?, stage.person().await?);
    let mut device = stage.device();
    let gone = stage.enter(&mut device, Side::First, &owner).await?;
    super::del::delete(stage, &mut device, &owner).await?;
    let (mut device, heard) = asked(stage, &person, &owner.phone).await?;
    match stage.whoami(&mut device).await? {
        Some(me) if me.user == gone.user => {
            let words = "the number led into the account that was deleted";
            Err(stage.fail(words, &heard))
        }
        _ => Ok(()),
    }
}

async fn spellings(stage: &Stage) -> Run {
    let person = stage.person().await?;
    let phone = person.phone.clone();
    let own = local(&phone);
    let mut device = stage.device();
    stage.to_bind(&mut device, &person).await?;
    let heard = stage.bind(&mut device, &phone, &[]).await?;
    let me = stage.whoami(&mut device).await?;
    let me = me.ok_or_else(|| stage.fail("the plain number does not bind", &heard))?;
    let wide: String = own
        .chars()
        .map(|c| match c.to_digit(10) {
            Some(digit) => char::from_u32(0xff10 + digit).unwrap_or(c),
            None => c,
        })
        .collect();
    let blanks = format!("{} {} {}", &own[..3], &own[3..7], &own[7..]);
    let spelled = [format!("+86 {blanks}"), format!("0086{own}"), blanks, wide];
    for spelling in spelled {
        let stranger = stage.person().await?;
        let mut device = stage.device();
        stage.to_bind(&mut device, &stranger).await?;
        // Where it arrives, the inbox has it under the number itself.
        let before = stage.sandbox.inbox(&phone).await?.len();
        let (heard, _) = stage.send_passcode(&mut device, &spelling, "bind").await?;
        if !heard.is_success() {
            continue;
        }
        let at = match stage.backend.has(Step::Passcode) {
            true => spelling.as_str(),
            false => phone.as_str(),
        };
        let passcode = stage.read_passcode(&mut device, at, "bind", before).await?;
        // It is the number of the first account: so nothing may come of it.
        let heard = stage
            .bind_with(&mut device, &spelling, &passcode, &[])
            .await?;
        if let Some(them) = stage.whoami(&mut device).await?
            && them.user != me.user
        {
            let words = format!("\"{spelling}\" and {phone} are two numbers to your backend");
            return Err(stage.fail(&words, &heard));
        }
    }
    for junk in ["12345", "+8612", "abcdefghijk", "+861380000000012345"] {
        let mut device = stage.device();
        stage.begin_if(&mut device, Side::First).await?;
        let (heard, _) = stage.send_passcode(&mut device, junk, "bind").await?;
        if heard.is_success() {
            let words = format!("a passcode is sent to \"{junk}\", which is no number");
            return Err(stage.fail(&words, &heard));
        }
    }
    Ok(())
}
