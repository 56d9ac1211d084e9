//! How far a login is: what each exchange means for it, and the phrase that says so.

use std::borrow::Cow;

use super::arrow::{Arrow, Bits, Door, Flow, Kind, Outcome, State};
use super::heard::Heard;

/// An exchange joins the flow.
pub(super) fn exchanged(flow: &mut Flow, heard: &Heard, arrow: &Arrow) {
    if let Some(door) = heard.door
        && flow.door == Door::Other
    {
        flow.door = door;
    }
    let before = flow.state;
    let (state, step) = next(flow, heard, arrow);
    if let Some(state) = state {
        flow.state = state;
    }
    // A late poll of a login that is done says nothing new.
    if let Some(step) = step
        && (state.is_some() || !before.is_over() || says_more(arrow.kind))
    {
        flow.step = step;
    }
    if !flow.state.is_over() {
        flow.memory.quiet = false;
    }
}

/// Kinds that go on where a login is done.
const fn says_more(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Profile | Kind::Check | Kind::Refresh | Kind::Login | Kind::Bind | Kind::Exchange
    )
}

type Next = (Option<State>, Option<Cow<'static, str>>);

fn said(state: State, step: &'static str) -> Next {
    (Some(state), Some(step.into()))
}

fn next(flow: &Flow, heard: &Heard, arrow: &Arrow) -> Next {
    if let Some(returned) = &heard.returns {
        return match (returned.code != 0, returned.no) {
            (true, _) if flow.state == State::LoggedIn => (None, None),
            (true, _) => said(State::Returned, "the code is on its way to the app"),
            (false, no) => said(State::Denied, no.unwrap_or("the person said no")),
        };
    }
    match arrow.kind {
        Kind::Start | Kind::Prepare => (None, Some("the app begins a login".into())),
        Kind::Close => match flow.state {
            State::Open | State::Returned => said(State::Denied, "the app gave it up"),
            _ => (None, None),
        },
        Kind::Authorize | Kind::SignedScan => authorize(flow, arrow),
        Kind::Confirm if arrow.ok => said(State::Open, "scanned: the phone is asked"),
        Kind::Confirm | Kind::Picture | Kind::Presumed | Kind::Note => (None, None),
        Kind::Page => match flow.state {
            State::Open => (None, Some("waits for the person".into())),
            _ => (None, None),
        },
        Kind::Form => form(arrow),
        Kind::Poll => poll(flow, arrow),
        Kind::Exchange | Kind::Mini => paid(flow, arrow),
        Kind::Refresh => renewed(flow, arrow),
        Kind::Profile => told(
            flow,
            arrow,
            "the profile was read",
            "the profile was refused",
        ),
        Kind::Check => told(flow, arrow, "the token is alive", "the token was refused"),
        Kind::Own => told(
            flow,
            arrow,
            "the app got a token of its own",
            "the app was refused",
        ),
        Kind::Callback => callback(flow, arrow),
        Kind::Login | Kind::Bind => backend(flow, arrow),
    }
}

fn authorize(flow: &Flow, arrow: &Arrow) -> Next {
    if arrow.has(Bits::ERROR_PAGE) || !arrow.ok {
        let step = match (&arrow.facts.said, arrow.outcome) {
            (Some(said), _) => format!("refused: {said}"),
            (None, outcome) => format!("refused: {}", word(outcome)),
        };
        return (Some(State::Failed), Some(step.into()));
    }
    if arrow.has(Bits::DENIED) {
        return said(State::Denied, "the person said no");
    }
    let step = match flow.door {
        Door::Scan => "shows the QR code",
        _ => "waits for the person",
    };
    said(State::Open, step)
}

fn form(arrow: &Arrow) -> Next {
    match arrow.note {
        Some("agreed") => (None, Some("agreed".into())),
        Some("denied") => said(State::Denied, "the person said no"),
        // On the phone: the code may be scanned again.
        Some("cancelled") => said(State::Denied, "the person turned away"),
        Some("signed in") => (None, Some("signed in: waits for the answer".into())),
        _ => (None, None),
    }
}

fn poll(flow: &Flow, arrow: &Arrow) -> Next {
    let is_done = matches!(
        flow.state,
        State::Returned | State::LoggedIn | State::Failed
    );
    match arrow.outcome {
        _ if is_done => (None, None),
        Outcome::Number(404) => said(State::Open, "scanned: the phone is asked"),
        Outcome::Number(403) => said(State::Denied, "the person turned away"),
        Outcome::Number(402) if flow.state != State::Denied => {
            said(State::Expired, "the QR code ran out")
        }
        _ => (None, None),
    }
}

fn paid(flow: &Flow, arrow: &Arrow) -> Next {
    let is_in = flow.state == State::LoggedIn;
    match (arrow.ok, arrow.outcome) {
        (true, _) => said(State::LoggedIn, "the code was paid"),
        (false, Outcome::Cut) if is_in => (None, None),
        (false, Outcome::Cut) => (None, Some("the answer with the tokens was lost".into())),
        (false, outcome) => {
            let what = if is_in {
                "paid again"
            } else {
                "the code was refused"
            };
            let step = format!("{what}: {}", word(outcome)).into();
            ((!is_in).then_some(State::Failed), Some(step))
        }
    }
}

fn renewed(flow: &Flow, arrow: &Arrow) -> Next {
    let alone = flow.door == Door::Refresh;
    match arrow.ok {
        true if alone => said(State::LoggedIn, "the token was renewed"),
        true => (None, Some("the token was renewed".into())),
        false => {
            let step = format!("the renewal was refused: {}", word(arrow.outcome)).into();
            (alone.then_some(State::Failed), Some(step))
        }
    }
}

fn told(flow: &Flow, arrow: &Arrow, good: &'static str, bad: &'static str) -> Next {
    // A flow of its own: the login that the token came from is not kept.
    let alone = flow.door == Door::Other && flow.memory.code == 0;
    if arrow.ok {
        return (alone.then_some(State::LoggedIn), Some(good.into()));
    }
    let step = format!("{bad}: {}", word(arrow.outcome)).into();
    (alone.then_some(State::Failed), Some(step))
}

fn callback(flow: &Flow, arrow: &Arrow) -> Next {
    match (arrow.outcome, flow.state) {
        (_, State::Denied) => (None, None),
        (Outcome::Status(status @ 400..), _) => {
            let step = format!("the app answered {status}").into();
            (Some(State::Failed), Some(step))
        }
        (Outcome::Cut, _) => (None, Some("the app did not answer".into())),
        (_, State::LoggedIn) => (None, None),
        (_, _) => (None, Some("the app has the code".into())),
    }
}

fn backend(flow: &Flow, arrow: &Arrow) -> Next {
    let Outcome::Number(number) = arrow.outcome else {
        let step = match (arrow.ok, arrow.kind) {
            (true, Kind::Bind) => Some("bound: the app has a session".into()),
            (true, _) => Some("the app's backend answered".into()),
            (false, _) => None,
        };
        return (None, step);
    };
    let step = format!("the app's backend answered {number}").into();
    // 3xxx and 4xxx ask for something more (`docs/facts/login.md`).
    let is_question = (3000..5000).contains(&number);
    let fails = !is_question && !matches!(flow.state, State::Denied);
    (fails.then_some(State::Failed), Some(step))
}

fn word(outcome: Outcome) -> Cow<'static, str> {
    outcome.word().unwrap_or_default()
}

/// What somebody did, without a request of its own.
pub(super) fn noted(flow: &mut Flow, what: &str, gives_code: bool) {
    const ON_ITS_WAY: &str = "the code is on its way to the app";
    let (state, step) = match what {
        "scanned" => (State::Open, "scanned: the phone is asked"),
        _ if gives_code => (State::Returned, ON_ITS_WAY),
        "returned" => (State::Returned, ON_ITS_WAY),
        "agreed" if flow.state == State::Returned => return,
        "agreed" => (flow.state, "agreed"),
        "denied" => (State::Denied, "the person said no"),
        "cancelled" => (State::Denied, "the person turned away"),
        "ignored" => (flow.state, "the person does nothing"),
        _ => return,
    };
    if flow.state == State::LoggedIn {
        return;
    }
    flow.state = state;
    flow.step = step.into();
}

/// Nothing happened for a while.
pub(super) fn idle(flow: &mut Flow) {
    if !flow.state.is_over() {
        flow.step = match flow.state {
            State::Returned => "the app never paid the code".into(),
            _ => "nothing happened any more".into(),
        };
        flow.state = State::Expired;
    }
}
