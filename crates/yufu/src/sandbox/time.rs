//! The clock of the sandbox, as the control turns it; and lives that end on demand.
//!
//! A turn is heard at once by those who wait for a scan, and by whoever does things at their time.
//! Real time is one step away from everywhere: nothing that is over by the turned clock alone is
//! swept (`yufu_web::clock`).

use serde_json::{Value, json};
use yufu_core::refusal::{Refusal, Stop};
use yufu_core::secret::Secret;
use yufu_core::time::Lifetime;
use yufu_web::clock;

use super::control::answer::Refused;
use super::control::table::{Asked, Call, Endpoint, Field, Kind, Verb, Work, work};
use super::seen::{Lane, Note};
use super::span;
use super::state::Sandbox;
use crate::read::Table;

/// What is done to the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is turned this far, forward or back.
    Jump(Lifetime),
    /// It stops.
    Freeze,
    /// It goes on.
    Thaw,
    /// It is real time again, and goes.
    Real,
}

/// The calls of the control.
pub const ROWS: &[Endpoint] = &[
    Endpoint {
        about: "How the clock stands: now and ahead in milliseconds.",
        answer: STANDS,
        ..Endpoint::new(Verb::Get, "/_sandbox/clock", "clock", Call::Json(stands))
    },
    Endpoint {
        about: "Turns the clock of the platform and of the login backend; answers how it stands then.",
        more: "A jump and a freeze may be asked for together, and are done in this order. What the turned clock alone has made old is not swept: back at real time every code and token is as good as it was. What was done meanwhile stays done.",
        fields: &[
            Field::may(
                "jump",
                Kind::Text,
                "How far, forward or back: 90s, 5m, 2h, 31d, 181d, -5m.",
                "2h",
            ),
            Field::may(
                "freeze",
                Kind::Flag,
                "Stops the clock, or lets it go on.",
                "true",
            ),
            Field::may("real", Kind::Flag, "Real time again, and going.", "true"),
        ],
        answer: STANDS,
        ..Endpoint::new(Verb::Post, "/_sandbox/clock", "clock", Call::Json(turn))
    },
    Endpoint {
        about: "Ends the life of a code, an access token or a refresh token now: 40029, 42001 or 42002 from here on.",
        fields: &[Field::must(
            "token",
            Kind::Text,
            "The code or token.",
            "81_…",
        )],
        answer: r#"{"expired":"access"}"#,
        ..Endpoint::new(
            Verb::Post,
            "/_sandbox/tokens/expire",
            "clock",
            Call::Json(expire),
        )
    },
];

const STANDS: &str = r#"{"now":1767232800000,"real":1767225600000,"ahead":7200000,"ahead_words":"2h","frozen":false}"#;

fn stands(asked: &Asked<'_>) -> Work {
    let sandbox = asked.sandbox.clone();
    work(async move { Ok(sandbox.clock_stands()) })
}

fn turn(asked: &Asked<'_>) -> Work {
    let turns = turns(&asked.body);
    let sandbox = asked.sandbox.clone();
    work(async move {
        sandbox.turn_clock(&turns);
        Ok(sandbox.clock_stands())
    })
}

fn expire(asked: &Asked<'_>) -> Work {
    asked.body.needs(
        "token",
        "{\"token\":\"…\"}: a code, an access token or a refresh token",
    );
    let token = asked.body.text("token").unwrap_or_default();
    let sandbox = asked.sandbox.clone();
    work(async move {
        let expired = sandbox.expire_token(&token).await?;
        Ok(json!({"expired": expired}))
    })
}

/// Reads `{"jump":"2h"}`, `{"freeze":true}`, `{"freeze":false}`, `{"real":true}`; what is wrong is told
/// by the document.
pub fn turns(table: &Table<'_>) -> Vec<Turn> {
    const ALL: &str =
        "write one of {\"jump\":\"2h\"}, {\"freeze\":true}, {\"freeze\":false}, {\"real\":true}";
    let jump = table.text("jump").and_then(|text| match span::read(&text) {
        Ok(by) => Some(Turn::Jump(by)),
        Err(why) => {
            table.complain("jump", &why, span::REMEDY);
            None
        }
    });
    let freeze = table.flag("freeze");
    let freeze = freeze.map(|freeze| if freeze { Turn::Freeze } else { Turn::Thaw });
    let real = table.flag("real");
    match (table.has("jump") || table.has("freeze"), table.has("real")) {
        (true, true) => table.complain("real", "cannot be asked for beside jump or freeze", ALL),
        (false, false) => table.complain_of_it("this turns no clock", ALL),
        (false, true) if real == Some(false) => table.complain("real", "is false", ALL),
        _ => {}
    }
    let real = real.filter(|real| *real).map(|_| Turn::Real);
    [jump, freeze, real].into_iter().flatten().collect()
}

impl Sandbox {
    /// Turns the clock.
    pub fn turn_clock(&self, turns: &[Turn]) {
        for turn in turns {
            let words = match turn {
                Turn::Jump(by) => {
                    self.clock.turn(*by);
                    let way = if by.millis() < 0 { "back" } else { "ahead" };
                    let far = Lifetime::from_millis(by.millis().saturating_abs());
                    format!("turned {} {way}", span::write(far))
                }
                Turn::Freeze => {
                    self.clock.freeze();
                    "frozen".to_owned()
                }
                Turn::Thaw => {
                    self.clock.thaw();
                    "goes on".to_owned()
                }
                Turn::Real => {
                    self.clock.back_to_real();
                    "back to real time".to_owned()
                }
            };
            self.flows.note(Note {
                at: clock::real(),
                from: Lane::User,
                to: Lane::Platform,
                what: "clock",
                detail: words,
                person: None,
                client: None,
                ties: Vec::new(),
            });
        }
        self.house.wake_all();
    }

    /// How the clock stands: `now` and `ahead` in milliseconds.
    pub fn clock_stands(&self) -> Value {
        let ahead = self.clock.ahead();
        json!({
            "now": self.clock.now().0,
            "real": clock::real().0,
            "ahead": ahead.millis(),
            "ahead_words": span::write(ahead),
            "frozen": self.clock.frozen(),
        })
    }

    /// Ends the life of a code or token now; answers what it was: `access`, `refresh` or `code`. It
    /// stays over when the clock is turned back to real time.
    ///
    /// # Errors
    /// What it is instead, or a fault.
    pub async fn expire_token(&self, token: &str) -> Result<&'static str, Refused> {
        let at = self.clock.earliest();
        let token = Secret::new(token);
        let ended = self.house.engine.expire_secret(&token, at).await;
        ended.map(|kind| kind.word()).map_err(|stop| match stop {
            Stop::Refused(Refusal::SpentCode) => Refused::conflict(
                "token",
                "is a code that was spent already",
                "a spent code answers 40163; take a fresh one",
            ),
            Stop::Refused(_) => Refused::missing(
                "this is no live code or token of the sandbox",
                "write a code, an access token or a refresh token that this run gave out",
            ),
            Stop::Failed(fault) => Refused::fault(fault),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::Document;

    fn said(body: &str) -> Result<Vec<Turn>, String> {
        let document = Document::json(body);
        let turns = turns(&document.root());
        let finished = document.finish();
        finished.map_err(|complaints| complaints.to_string())?;
        Ok(turns)
    }

    #[test]
    fn turns_are_read() {
        let two_hours = Turn::Jump(Lifetime::minutes(120));
        assert_eq!(said(r#"{"jump":"2h"}"#), Ok(vec![two_hours]));
        let back = Turn::Jump(Lifetime::minutes(-5));
        assert_eq!(said(r#"{"jump":"-5m"}"#), Ok(vec![back]));
        assert_eq!(said(r#"{"freeze":true}"#), Ok(vec![Turn::Freeze]));
        assert_eq!(said(r#"{"freeze":false}"#), Ok(vec![Turn::Thaw]));
        assert_eq!(said(r#"{"real":true}"#), Ok(vec![Turn::Real]));
        let both = said(r#"{"freeze":true,"jump":"2h"}"#);
        assert_eq!(both, Ok(vec![two_hours, Turn::Freeze]));
    }

    #[test]
    fn mistakes_are_told_all_at_once() {
        let wrong = said(r#"{"jump":"soon","freeze":1,"reel":true}"#).unwrap_err();
        assert_eq!(wrong.lines().count(), 3, "{wrong}");
        assert!(
            wrong.contains("jump is \"soon\", which is no span of time; write a number with s"),
            "{wrong}"
        );
        assert!(wrong.contains("freeze is no flag"), "{wrong}");
        assert!(
            wrong.contains("there is no reel; did you mean real?"),
            "{wrong}"
        );
        assert!(
            said("{}")
                .unwrap_err()
                .contains("this turns no clock; write one of")
        );
        assert!(
            said(r#"{"real":true,"jump":"1s"}"#)
                .unwrap_err()
                .contains("beside jump or freeze")
        );
        assert!(
            said(r#"{"real":false}"#)
                .unwrap_err()
                .contains("real is false")
        );
        assert!(said("[]").is_err() && said("{").is_err());
    }
}
