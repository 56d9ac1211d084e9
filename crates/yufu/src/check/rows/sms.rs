//! Passcodes.

use serde_json::Value;

use super::{Need, Row, scene};
use crate::check::backend::{Device, Heard, Side};
use crate::check::recipe::Step;
use crate::check::sandbox::number;
use crate::check::stage::Stage;
use crate::check::verdict::{Run, Stop};

/// How many wrong ones are tried before the right one.
const GUESSES: usize = 10;

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "SMS-01",
        does: "Passcodes are sent to three numbers.",
        holds: "Each has six digits, and they differ.",
        why: "Four digits are guessed in an evening, and constant ones at once.",
        fix: "Draw six digits from a secure source for each message.",
        needs: &[Need::Has(Step::Sms), Need::RealPasscodes],
        powers: &[],
        run: scene!(six_digits),
    },
    Row {
        id: "SMS-02",
        does: "A passcode is asked for several times at once.",
        holds: "No second one is sent within the minute.",
        why: "Each message costs money, and others use your form to flood phones.",
        fix: "Refuse within 60 seconds of the last one, by number, and say how long to wait.",
        needs: &[Need::Has(Step::Sms)],
        powers: &[],
        run: scene!(not_twice),
    },
    Row {
        id: "SMS-05",
        does: "A wrong passcode is tried, then the right one.",
        holds: "The wrong one is refused, the right one works.",
        why: "Everybody mistypes once.",
        fix: "Count a wrong try, and keep the passcode good for the next.",
        needs: &[Need::Has(Step::Sms), Need::RealPasscodes],
        powers: &[],
        run: scene!(wrong_then_right),
    },
    Row {
        id: "SMS-06",
        does: "Ten wrong passcodes are tried, then the right one.",
        holds: "The right one is refused by then.",
        why: "Without a limit six digits are guessed by a script while they live.",
        fix: "Count tries with the passcode, in the database, and void it at the fifth.",
        needs: &[Need::Has(Step::Sms), Need::RealPasscodes],
        powers: &[],
        run: scene!(guessing),
    },
    Row {
        id: "SMS-07",
        does: "A passcode is used a second time.",
        holds: "It is refused.",
        why: "Passcodes stand in messages that others read later.",
        fix: "Take a passcode in the same transaction that it proves.",
        needs: &[
            Need::Has(Step::Sms),
            Need::Has(Step::PhoneLogin),
            Need::RealPasscodes,
        ],
        powers: &[],
        run: scene!(used_twice),
    },
    Row {
        id: "SMS-10",
        does: "A passcode is asked for by a number that has an account, and by one that has none.",
        holds: "Both are answered alike.",
        why: "Whoever can ask which numbers have an account sells the list.",
        fix: "Answer the same, and tell the difference only in the message.",
        needs: &[Need::Has(Step::Sms), Need::Has(Step::PhoneLogin)],
        powers: &[],
        run: scene!(known_and_unknown),
    },
];

/// A device on which passcodes of the login are asked for.
async fn ready(stage: &Stage) -> Result<Device, Stop> {
    let mut device = stage.device();
    stage.begin_if(&mut device, Side::First).await?;
    Ok(device)
}

async fn six_digits(stage: &Stage) -> Run {
    let mut seen = Vec::new();
    for _ in 0..3 {
        let mut device = ready(stage).await?;
        let passcode = stage.passcode(&mut device, &number(), "login").await?;
        let six = passcode.len() >= 6 && passcode.bytes().all(|b| b.is_ascii_digit());
        if !six {
            return Err(Stop::Fail(format!("a passcode is \"{passcode}\"")));
        }
        seen.push(passcode);
    }
    seen.dedup();
    match seen.len() {
        1 => Err(Stop::Fail(format!(
            "three numbers were sent the same passcode, {}",
            seen[0]
        ))),
        _ => Ok(()),
    }
}

async fn not_twice(stage: &Stage) -> Run {
    let phone = number();
    let mut device = ready(stage).await?;
    let (first, _) = stage.send_passcode(&mut device, &phone, "login").await?;
    if !first.is_success() {
        return Err(stage.fail("no passcode is sent", &first));
    }
    let mut last = first;
    for _ in 0..4 {
        let sent = stage.send_passcode(&mut device, &phone, "login").await;
        last = match sent {
            Ok((heard, _)) if heard.is_success() => heard,
            // A limit by address is a limit too.
            Ok(_) | Err(Stop::Error(_)) => return Ok(()),
            Err(other) => return Err(other),
        };
    }
    Err(stage.fail("five messages were sent to one number at once", &last))
}

/// Where passcodes are tried: at the login by number, or at binding.
struct Lock {
    device: Device,
    phone: String,
    step: Step,
    scene: &'static str,
}

impl Lock {
    async fn new(stage: &Stage) -> Result<Self, Stop> {
        let phone = number();
        if stage.backend.has(Step::PhoneLogin) {
            return Ok(Self {
                device: ready(stage).await?,
                phone,
                step: Step::PhoneLogin,
                scene: "login",
            });
        }
        if !stage.backend.has(Step::Bind) {
            return Err(Stop::Skip(
                "the recipe has neither [step.phone_login] nor [step.bind]".to_owned(),
            ));
        }
        let person = stage.person().await?;
        let mut device = stage.device();
        stage.to_bind(&mut device, &person).await?;
        Ok(Self {
            device,
            phone,
            step: Step::Bind,
            scene: "bind",
        })
    }

    async fn passcode(&mut self, stage: &Stage) -> Result<String, Stop> {
        stage
            .passcode(&mut self.device, &self.phone, self.scene)
            .await
    }

    async fn turn(&mut self, stage: &Stage, passcode: &str) -> Result<(Heard, bool), Stop> {
        let heard = stage
            .with_phone(
                &mut self.device,
                self.step,
                (&self.phone, self.scene),
                passcode,
                &[],
            )
            .await?;
        let opened = stage.whoami(&mut self.device).await?.is_some();
        Ok((heard, opened))
    }
}

/// Another passcode of the same length.
fn wrong(right: &str, nth: usize) -> String {
    let number: u64 = right.parse().unwrap_or(0);
    let size = 10_u64.pow(u32::try_from(right.len()).unwrap_or(6).min(18));
    let step = u64::try_from(nth).unwrap_or(0) + 1;
    format!("{:0width$}", (number + step) % size, width = right.len())
}

async fn wrong_then_right(stage: &Stage) -> Run {
    let mut lock = Lock::new(stage).await?;
    let right = lock.passcode(stage).await?;
    let (heard, opened) = lock.turn(stage, &wrong(&right, 0)).await?;
    if opened {
        return Err(stage.fail("a wrong passcode logs in", &heard));
    }
    let (heard, opened) = lock.turn(stage, &right).await?;
    match opened {
        true => Ok(()),
        false => Err(stage.fail("after one wrong try the right one is refused", &heard)),
    }
}

async fn guessing(stage: &Stage) -> Run {
    let mut lock = Lock::new(stage).await?;
    let right = lock.passcode(stage).await?;
    for nth in 0..GUESSES {
        let (heard, opened) = match lock.turn(stage, &wrong(&right, nth)).await {
            Ok(turned) => turned,
            // Being stopped for guessing is what is wanted.
            Err(Stop::Error(words)) if words.contains("limits how often") => return Ok(()),
            Err(other) => return Err(other),
        };
        if opened {
            return Err(stage.fail("a wrong passcode logs in", &heard));
        }
    }
    let (heard, opened) = match lock.turn(stage, &right).await {
        Ok(turned) => turned,
        Err(Stop::Error(words)) if words.contains("limits how often") => return Ok(()),
        Err(other) => return Err(other),
    };
    match opened {
        false => Ok(()),
        true => Err(stage.fail(
            &format!("after {GUESSES} wrong guesses the right passcode still opens"),
            &heard,
        )),
    }
}

async fn used_twice(stage: &Stage) -> Run {
    let mut lock = Lock::new(stage).await?;
    let right = lock.passcode(stage).await?;
    let mut again = Lock {
        device: ready(stage).await?,
        phone: lock.phone.clone(),
        step: lock.step,
        scene: lock.scene,
    };
    let (heard, opened) = lock.turn(stage, &right).await?;
    if !opened {
        return Err(stage.fail("the passcode does not log in", &heard));
    }
    let (heard, opened) = again.turn(stage, &right).await?;
    match opened {
        false => Ok(()),
        true => Err(stage.fail("a used passcode logs in on another device", &heard)),
    }
}

async fn known_and_unknown(stage: &Stage) -> Run {
    let known = number();
    let mut owner = stage.device();
    stage.phone_login(&mut owner, &known).await?;
    // Nobody is asked to wait because they just logged in.
    let mut answers = Vec::new();
    for phone in [&known, &number()] {
        let mut device = ready(stage).await?;
        let mut heard = stage.send_passcode(&mut device, phone, "login").await?.0;
        if !heard.is_success() && phone == &known {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            heard = stage.send_passcode(&mut device, phone, "login").await?.0;
            if !heard.is_success() {
                return Err(Stop::Skip(
                    "the number that just logged in has to wait for its next passcode".to_owned(),
                ));
            }
        }
        let last = heard.answers.last();
        let shape = last.map(|answer| (answer.status, shape(&answer.json().unwrap_or_default())));
        answers.push((shape, heard));
    }
    match answers.as_slice() {
        [(one, _), (two, heard)] if one != two => Err(stage.fail(
            "a number with an account and one without are answered differently",
            heard,
        )),
        _ => Ok(()),
    }
}

/// What JSON says, without values that differ each time: names, kinds, and small numbers.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(entries) => entries
            .iter()
            .map(|(name, value)| (name.clone(), shape(value)))
            .collect(),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::String(_) => Value::from("text"),
        Value::Number(number) if number.as_i64().is_some_and(|it| it.abs() < 100_000) => {
            value.clone()
        }
        Value::Number(_) => Value::from("number"),
        plain => plain.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn wrong_passcodes_are_wrong_and_as_long() {
        for right in ["000000", "999999", "123456", "0001"] {
            let all: Vec<String> = (0..GUESSES).map(|nth| wrong(right, nth)).collect();
            assert!(all.iter().all(|it| it != right && it.len() == right.len()));
        }
    }

    #[test]
    fn answers_are_compared_by_what_they_tell() {
        let one = shape(&json!({"code": 0, "id": "a1", "at": 1_800_000_000}));
        assert_eq!(
            one,
            shape(&json!({"code": 0, "id": "b2", "at": 1_900_000_000}))
        );
        assert_ne!(
            one,
            shape(&json!({"code": 404, "id": "b2", "at": 1_900_000_000}))
        );
    }
}
