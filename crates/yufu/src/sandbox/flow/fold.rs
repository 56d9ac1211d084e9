//! The fold: each exchange finds its login, or begins one. All of it is the work of one thread.

use std::sync::{Arc, RwLock, RwLockWriteGuard};

use axum::body::Bytes;
use axum::http::HeaderMap;

use super::arrow::{Answer, Arrow, Bits, Door, Flow, Kind, Outcome, Request, State};
use super::finding::judge;
use super::habits::Habits;
use super::heard::{Context, Heard};
use super::mark::{Marks, TieKey};
use super::message::{Line, Lines, Message};
use super::redact::Redactor;
use super::shelf::Shelf;
use super::ties::{Tied, Ties};
use super::{apps, platform, step};
use crate::sandbox::seen::{Behind, Lane, Note, Seen, Tie};

/// How many arrows a flow has before equal ones are counted together.
const MANY: usize = 60;
/// The most arrows of a flow.
const MOST: usize = 200;
/// How long a refused exchange explains a call without a token, in milliseconds.
const SOON: i64 = 10_000;
/// How long a place waits for somebody to come back, in milliseconds.
const PLACE: i64 = 600_000;
/// How long nothing happens before an open login is over, in milliseconds.
const IDLE: i64 = 600_000;
/// How long nothing happens before what never came is looked at, in milliseconds.
const QUIET: i64 = 60_000;

/// Tells names: a client's by its appid, a person's by a telephone number or by a secret.
pub(super) trait Names: Send {
    /// The name of a client.
    fn client(&self, appid: &str) -> Option<String>;
    /// The short name of whoever has this number.
    fn phone(&self, phone: &str) -> Option<String>;
    /// The short name of whoever a code or token belongs to.
    fn secret(&self, secret: &str) -> Option<String>;
}

/// Knows nobody.
pub(super) struct Nobody;

impl Names for Nobody {
    fn client(&self, _: &str) -> Option<String> {
        None
    }

    fn phone(&self, _: &str) -> Option<String> {
        None
    }

    fn secret(&self, _: &str) -> Option<String> {
        None
    }
}

/// What folds.
pub(super) struct Fold {
    marks: Marks,
    ties: Ties,
    habits: Habits,
    lines: Lines,
    pub(super) names: Box<dyn Names>,
    shelf: Arc<RwLock<Shelf>>,
    next: u64,
    /// The last refused exchange of each program.
    refused: super::ties::ByTie<(u64, i64)>,
}

impl Fold {
    /// The version of what is kept.
    pub(super) fn version(&self) -> u64 {
        read(&self.shelf).version()
    }

    pub(super) fn new(marks: Marks, shelf: Arc<RwLock<Shelf>>) -> Self {
        Self {
            marks,
            ties: Ties::default(),
            habits: Habits::default(),
            lines: Lines::default(),
            names: Box::new(Nobody),
            shelf,
            next: 1,
            refused: super::ties::ByTie::default(),
        }
    }

    /// Forgets everything but the marks: the same value keeps its mark for the run.
    pub(super) fn clear(&mut self) {
        self.ties.clear();
        self.habits.clear();
        self.refused.clear();
        write(&self.shelf).clear();
    }

    /// Folds an exchange; tells the flow that it became part of.
    pub(super) fn saw(&mut self, seen: &Seen) -> Option<u64> {
        let context = Context {
            marks: &self.marks,
            ties: &self.ties,
        };
        let mut heard = match seen.behind {
            Behind::Platform => platform::read(seen, context)?,
            Behind::Login | Behind::Demo | Behind::App => apps::read(seen, context)?,
        };
        let no = self.find(&heard, seen.began.0);
        let room = no.and_then(|no| Some(read(&self.shelf).get(no)?.room()));
        let arrow = self.arrow(seen, &heard, room.unwrap_or(usize::MAX));
        let (no, is_new) = match no {
            Some(no) => (no, false),
            None => (self.number(), true),
        };
        self.remember(&mut heard, no, is_new, seen.began.0);
        let person = heard
            .phone
            .as_deref()
            .and_then(|phone| self.names.phone(phone));
        let client = heard
            .appid
            .as_deref()
            .and_then(|appid| self.names.client(appid));
        let appid = heard.appid.as_deref().map(|appid| self.lines.share(appid));
        let client = client.map(|name| self.lines.share(&name));
        let person = person.map(|name| self.lines.share(&name));
        let mut arrow = arrow;
        arrow.facts.bits = heard.facts.bits;
        let (door, secret) = (door(&heard), heard.secret.take());
        let begin = arrow.at;
        let mut shelf = write(&self.shelf);
        let make = || Flow::new(no, begin, door);
        let (let_in, who) = shelf.change(no, make, |flow| {
            name(flow, appid, client);
            if person.is_some() {
                flow.person = person;
            }
            enter(flow, &heard, arrow);
            flow.findings = judge(flow);
            let was_let_in = heard.kind == Kind::Callback
                && flow.state == State::LoggedIn
                && matches!(heard.outcome, Outcome::Status(200..=399));
            let let_in = was_let_in.then(|| (flow.memory.appid, has_unionid(flow)));
            (let_in, flow.person.is_none() && flow.memory.code != 0)
        });
        let gone = shelf.trim();
        drop(shelf);
        if let Some((appid, has_unionid)) = let_in {
            self.habits.let_in(appid, has_unionid);
        }
        for flow in gone {
            self.forget(&flow);
        }
        if let Some(secret) = secret.filter(|_| who) {
            self.whose(no, &secret);
        }
        Some(no)
    }

    /// Asks whose a code or token is.
    fn whose(&mut self, no: u64, secret: &str) {
        let Some(person) = self.names.secret(secret) else {
            return;
        };
        let person = self.lines.share(&person);
        let mut shelf = write(&self.shelf);
        if shelf.get(no).is_some() {
            let make = || Flow::new(no, 0, Door::Other);
            shelf.change(no, make, |flow| flow.person = Some(person));
        }
    }

    fn forget(&mut self, flow: &Flow) {
        for tie in &flow.ties {
            self.ties.remove(*tie, flow.no);
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    // --- finding --------------------------------------------------------------------------------

    /// The flow that an exchange belongs to.
    fn find(&self, heard: &Heard, at: i64) -> Option<u64> {
        let shelf = read(&self.shelf);
        for tie in &heard.asks {
            let Some((kind, no)) = self.ties.get(*tie) else {
                continue;
            };
            let Some(flow) = shelf.get(no) else { continue };
            let joins = match kind {
                Tied::State => joins_by_state(heard, flow),
                Tied::Place => {
                    heard.kind == Kind::Callback && at.saturating_sub(flow.changed) < PLACE
                }
                Tied::Openid => matches!(heard.kind, Kind::Check | Kind::Profile),
                _ => true,
            };
            if joins {
                return Some(no);
            }
        }
        // A call without a token: of the program that was just refused one.
        if heard.kind == Kind::Profile && heard.facts.bits.has(Bits::NO_TOKEN) {
            let (no, refused) = self.refused.get(&heard.agent).copied()?;
            return (at.saturating_sub(refused) < SOON && shelf.get(no).is_some()).then_some(no);
        }
        None
    }

    /// Ties what an exchange makes known to its flow, and what is known of the client to the
    /// exchange.
    fn remember(&mut self, heard: &mut Heard, no: u64, is_new: bool, at: i64) {
        // An address that was asked for without a browser is a test's: it may ask twice.
        let by_browser = heard.browser != 0 || heard.by_program;
        if heard.kind == Kind::Authorize && heard.facts.bits.has(Bits::STATE) && by_browser {
            let (appid, state) = (heard.facts.appid, heard.facts.state);
            // Whoever keeps no cookies is told by name and address: one program may ask again.
            let browser = match heard.browser {
                0 => heard.agent,
                browser => browser,
            };
            let reused = self.habits.sends(appid, state, no, browser);
            heard.set_if(Bits::STATE_REUSED, reused);
        }
        if heard.kind == Kind::Callback && !is_new {
            let shelf = read(&self.shelf);
            if let Some(flow) = shelf.get(no) {
                let others = self.habits.only_unionids(flow.memory.appid);
                heard.set_if(Bits::OTHERS_HAD_UNIONID, others && !has_unionid(flow));
            }
        }
        if heard.kind == Kind::Exchange && !heard.ok {
            if self.refused.len() > 1000 {
                self.refused.clear();
            }
            self.refused.insert(heard.agent, (no, at));
        }
        let mut given = std::mem::take(&mut heard.gives);
        // What an exchange is found by is its flow's from now on, too: the next one is found.
        if is_new {
            let kind = match heard.kind {
                Kind::Refresh => Some(Tied::Refresh),
                Kind::Check | Kind::Profile | Kind::Own => Some(Tied::Access),
                Kind::Exchange | Kind::Mini => Some(Tied::Code),
                Kind::Confirm | Kind::Poll | Kind::Picture => Some(Tied::Uuid),
                Kind::Page | Kind::Form => Some(Tied::Interaction),
                _ => None,
            };
            if let (Some(kind), Some(tie)) = (kind, heard.asks.first())
                && *tie != heard.facts.openid
            {
                given.push((kind, *tie));
            }
        }
        for (kind, tie) in &given {
            self.ties.put(*tie, *kind, no);
        }
        heard.gives = given;
    }

    // --- keeping --------------------------------------------------------------------------------

    /// An exchange as it is kept: redacted, cut and shared.
    fn arrow(&mut self, seen: &Seen, heard: &Heard, room: usize) -> Arrow {
        let (ties, marks) = (&self.ties, &self.marks);
        let given = |tie: TieKey| {
            let of_this = heard.gives.iter().find(|(_, given)| *given == tie);
            of_this.map(|(kind, _)| *kind)
        };
        let known = |tie: TieKey| {
            let kind = given(tie).or_else(|| ties.get(tie).map(|(kind, _)| kind));
            kind.and_then(Tied::label)
        };
        let mut redactor = Redactor::new(marks, &known);
        let url = format!("{}://{}{}", seen.scheme, seen.host, seen.target);
        let sent = text(&seen.headers, &seen.body, seen.body_cut);
        let answered = seen.answer.as_ref();
        let said = answered.map(|it| text(&it.headers, &it.body, it.body_cut));
        redactor.hear_url(&url);
        redactor.hear_body(&sent);
        hear_headers(&mut redactor, &seen.headers);
        if let (Some(answer), Some(said)) = (&seen.answer, &said) {
            redactor.hear_body(said);
            hear_headers(&mut redactor, &answer.headers);
        }
        let request = Request {
            method: self.lines.share(&seen.method),
            url: redactor.text(&url).into(),
            message: keep(
                &mut self.lines,
                &redactor,
                &seen.headers,
                (&sent, seen.body_cut),
                room,
            ),
        };
        let room = room.saturating_sub(request.message.body_len());
        let answer = seen.answer.as_ref().zip(said).map(|(answer, said)| {
            Box::new(Answer {
                status: answer.status.as_u16(),
                message: keep(
                    &mut self.lines,
                    &redactor,
                    &answer.headers,
                    (&said, answer.body_cut),
                    room,
                ),
            })
        });
        let label = redactor.text(&heard.label);
        let mut facts = heard.facts.clone();
        facts.said = facts.said.map(|said| redactor.text(&said).into());
        Arrow {
            serial: 0,
            kind: heard.kind,
            at: seen.began.0,
            took: u32::try_from(seen.took.as_millis()).unwrap_or(u32::MAX),
            count: 1,
            from: heard.from,
            to: heard.to,
            label: self.lines.share(&label),
            outcome: heard.outcome,
            ok: heard.ok,
            note: heard.note,
            faults: seen
                .faults
                .iter()
                .map(|fault| self.lines.share(fault))
                .collect(),
            facts,
            request: Some(Box::new(request)),
            answer,
        }
    }

    // --- notes ----------------------------------------------------------------------------------

    /// Folds what somebody did; tells the flow that it became part of.
    pub(super) fn noted(&mut self, note: &Note) -> Option<u64> {
        let appid = note.client.as_deref();
        let ties: Vec<(Tied, TieKey)> = note
            .ties
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(kind, value)| self.noted_tie(*kind, value, appid))
            .collect();
        let found = ties
            .iter()
            .find_map(|(_, tie)| Some(self.ties.get(*tie)?.1));
        let found = found.filter(|no| read(&self.shelf).get(*no).is_some());
        let no = match (found, ties.is_empty()) {
            (Some(no), _) => no,
            (None, false) => self.number(),
            // What is tied to nothing is of the person's latest login at this app, or of none.
            (None, true) => self.latest(appid?, note.person.as_deref()?)?,
        };
        for (kind, tie) in &ties {
            self.ties.put(*tie, *kind, no);
        }
        let known = |tie: TieKey| self.ties.label(tie);
        let redactor = Redactor::new(&self.marks, &known);
        let detail = redactor.text(&note.detail);
        let what = match detail.is_empty() {
            true => note.what.to_owned(),
            false => format!("{}: {detail}", note.what),
        };
        let arrow = Arrow {
            serial: 0,
            kind: Kind::Note,
            at: note.at.0,
            took: 0,
            count: 1,
            from: note.from,
            to: note.to,
            label: self.lines.share(&what),
            outcome: Outcome::None,
            ok: true,
            note: Some(note.what),
            faults: Box::default(),
            facts: super::arrow::Facts::default(),
            request: None,
            answer: None,
        };
        let client = appid.and_then(|appid| self.names.client(appid));
        let client = client.map(|name| self.lines.share(&name));
        let shared = appid.map(|appid| self.lines.share(appid));
        let appid_tie = appid.map_or(0, |appid| self.marks.tie(appid));
        let person = note.person.as_deref().map(|name| self.lines.share(name));
        let mut shelf = write(&self.shelf);
        let make = || Flow::new(no, note.at.0, Door::Other);
        shelf.change(no, make, |flow| {
            name(flow, shared, client);
            if flow.memory.appid == 0 {
                flow.memory.appid = appid_tie;
            }
            if person.is_some() {
                flow.person = person;
            }
            for (kind, tie) in &ties {
                flow.tied(*tie);
                if *kind == Tied::Code && flow.memory.code != *tie {
                    flow.memory.code = *tie;
                    flow.memory.code_at = note.at.0;
                }
            }
            step::noted(
                flow,
                note.what,
                ties.iter().any(|(kind, _)| *kind == Tied::Code),
            );
            flow.put(arrow);
            flow.findings = judge(flow);
        });
        let gone = shelf.trim();
        drop(shelf);
        for flow in gone {
            self.forget(&flow);
        }
        Some(no)
    }

    /// The latest login of a person at an app.
    fn latest(&self, appid: &str, person: &str) -> Option<u64> {
        let shelf = read(&self.shelf);
        let mut flows = shelf.before(None);
        let is = |line: &Option<Line>, text: &str| line.as_deref() == Some(text);
        let found = flows.find(|flow| is(&flow.appid, appid) && is(&flow.person, person));
        found.map(|flow| flow.no)
    }

    fn noted_tie(&self, kind: Tie, value: &str, appid: Option<&str>) -> (Tied, TieKey) {
        let kind = match kind {
            Tie::State => {
                // The appid stands before it; the platform's requests name them apart.
                let state = appid.and_then(|appid| value.strip_prefix(appid));
                let state = state.map(|rest| rest.trim_start_matches([' ', ':', '/', '\n', '\0']));
                return (Tied::State, self.marks.tie(state.unwrap_or(value)));
            }
            Tie::Uuid => Tied::Uuid,
            Tie::Interaction => Tied::Interaction,
            Tie::Code => Tied::Code,
            Tie::Access => Tied::Access,
            Tie::Refresh => Tied::Refresh,
        };
        (kind, self.marks.tie(value))
    }

    // --- time -----------------------------------------------------------------------------------

    /// Looks at what nothing happened to for a while.
    pub(super) fn sweep(&mut self, now: i64) {
        let mut shelf = write(&self.shelf);
        let idle: Vec<u64> = shelf
            .before(None)
            .filter(|flow| {
                let idle = now.saturating_sub(flow.changed);
                let over = flow.state.is_over();
                (!over && idle > IDLE) || (over && !flow.memory.quiet && idle > QUIET)
            })
            .map(|flow| flow.no)
            .collect();
        for no in idle {
            shelf.change(
                no,
                || Flow::new(no, 0, Door::Other),
                |flow| {
                    flow.memory.quiet = true;
                    step::idle(flow);
                    flow.findings = judge(flow);
                },
            );
        }
    }
}

fn has_unionid(flow: &Flow) -> bool {
    flow.arrows.iter().any(|arrow| arrow.has(Bits::UNIONID))
}

/// Puts an exchange into its flow.
fn enter(flow: &mut Flow, heard: &Heard, mut arrow: Arrow) {
    for (_, tie) in &heard.gives {
        flow.tied(*tie);
    }
    let memory = &mut flow.memory;
    if heard.kind == Kind::Authorize {
        memory.state = heard.facts.state;
        memory.browser = heard.browser;
        let astray = |fault: &Line| matches!(&**fault, "other_state" | "no_state");
        memory.state_astray = arrow.faults.iter().any(astray);
        if let Some((tie, address)) = &heard.place {
            memory.place = *tie;
            memory.return_to = Some(address.as_str().into());
        }
    }
    if memory.appid == 0 {
        memory.appid = heard.facts.appid;
    }
    let is_home = heard
        .place
        .as_ref()
        .is_some_and(|(tie, _)| *tie == memory.place);
    let came_with = match (&heard.returns, heard.kind) {
        (Some(returned), _) if returned.to.is_some() => Some((returned.code, returned.state)),
        // A state is missed where the browser comes back to. What a page or an app hands on from
        // there may be the code alone: it looked at the state itself.
        (_, Kind::Callback) if heard.facts.state == 0 && !is_home => None,
        (_, Kind::Callback) => Some((heard.facts.code, heard.facts.state)),
        _ => None,
    };
    let is_foreign = came_with
        .is_some_and(|(code, state)| code != 0 && memory.state != 0 && state != memory.state);
    // The page of a scan goes back by itself, with the state that a fault wrote into it.
    let by_page = heard
        .returns
        .as_ref()
        .is_some_and(|it| it.code != 0 && it.to.is_none());
    let astray = by_page && memory.state != 0 && memory.state_astray;
    arrow
        .facts
        .bits
        .set_if(Bits::STATE_FOREIGN, is_foreign || astray);
    if let Some(returned) = &heard.returns
        && returned.code != 0
        && memory.code != returned.code
    {
        memory.code = returned.code;
        memory.code_at = arrow.end();
    }
    step::exchanged(flow, heard, &arrow);
    if heard.kind == Kind::Callback {
        flow.forget_presumed();
    }
    let presumed = presumed(flow, heard, &arrow);
    if let Some(arrow) = counted(flow, arrow) {
        flow.put(arrow);
    }
    if let Some(presumed) = presumed {
        flow.put(presumed);
    }
}

/// Counts an arrow together with the last one, where they are alike; else hands it back.
fn counted(flow: &mut Flow, arrow: Arrow) -> Option<Arrow> {
    let many = flow.arrows.len();
    let Some(last) = flow.arrows.last_mut() else {
        return Some(arrow);
    };
    let alike = last.kind == arrow.kind
        && last.outcome == arrow.outcome
        && last.from == arrow.from
        && last.faults == arrow.faults
        && last.facts.bits == arrow.facts.bits;
    let together = match arrow.kind {
        Kind::Poll => alike,
        _ if many >= MOST => true,
        _ => alike && many >= MANY,
    };
    if !together {
        return Some(arrow);
    }
    let end = last.end().max(arrow.end());
    last.count = last.count.saturating_add(1);
    last.took = u32::try_from(end.saturating_sub(last.at)).unwrap_or(u32::MAX);
    flow.changed = flow.changed.max(end);
    None
}

/// The way back to the app, which nobody sees unless the browser comes through the proxy.
fn presumed(flow: &Flow, heard: &Heard, arrow: &Arrow) -> Option<Arrow> {
    let returned = heard.returns.as_ref()?;
    let is_known = |kind| flow.of(kind).next().is_some();
    if is_known(Kind::Presumed) || is_known(Kind::Callback) {
        return None;
    }
    let address = returned
        .to
        .as_deref()
        .or(flow.memory.return_to.as_deref())?;
    let by_app = flow.door == Door::Native || flow.arrows.iter().any(|a| a.to == Lane::App);
    Some(Arrow {
        serial: 0,
        kind: Kind::Presumed,
        at: arrow.end(),
        took: 0,
        count: 1,
        from: Lane::Browser,
        to: if by_app { Lane::App } else { Lane::Backend },
        label: format!("GET {}", super::heard::short_path(place_path(address))).into(),
        outcome: Outcome::None,
        ok: true,
        note: Some("not seen: the browser does not come through the proxy"),
        faults: Box::default(),
        facts: super::arrow::Facts::default(),
        request: None,
        answer: None,
    })
}

/// The path of an address; all of it where it has no host.
fn place_path(address: &str) -> &str {
    let after = address
        .split_once("://")
        .map_or(address, |(_, after)| after);
    match address.starts_with("http") {
        true => after.find('/').map_or("/", |at| &after[at..]),
        false => after,
    }
}

/// Whether a state leads an exchange to this flow.
fn joins_by_state(heard: &Heard, flow: &Flow) -> bool {
    let asked = flow.of(Kind::Authorize).next().is_some();
    match heard.kind {
        Kind::Prepare => false,
        Kind::Start => !asked && flow.of(Kind::Start).next().is_none(),
        Kind::Authorize => {
            let same_client = flow.memory.appid == 0 || flow.memory.appid == heard.facts.appid;
            let again = flow.state == State::Open
                && heard.browser != 0
                && flow.memory.browser == heard.browser;
            same_client && (!asked || again)
        }
        _ => true,
    }
}

/// By which door a flow of this exchange came.
fn door(heard: &Heard) -> Door {
    heard.door.unwrap_or(match heard.kind {
        Kind::Picture | Kind::Confirm | Kind::Poll | Kind::SignedScan => Door::Scan,
        _ => Door::Other,
    })
}

fn name(flow: &mut Flow, appid: Option<Line>, client: Option<Line>) {
    if flow.appid.is_none() {
        flow.appid = appid;
        flow.client = client;
    }
}

fn hear_headers(redactor: &mut Redactor<'_>, headers: &HeaderMap) {
    for (name, value) in headers {
        redactor.hear_header(name.as_str(), &String::from_utf8_lossy(value.as_bytes()));
    }
}

fn keep(
    lines: &mut Lines,
    redactor: &Redactor<'_>,
    headers: &HeaderMap,
    (body, cut): (&str, bool),
    room: usize,
) -> Message {
    let headers = headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        (name.as_str(), redactor.header(name.as_str(), &value))
    });
    lines.keep(headers, &redactor.text(body), cut, room)
}

/// A body as text; what is none is told by its type and size. The last word of one that was cut
/// may be a part of a secret, and is left out.
fn text(headers: &HeaderMap, body: &Bytes, cut: bool) -> String {
    let kind = headers.get("content-type");
    let kind = kind.and_then(|kind| kind.to_str().ok());
    let is_text = kind.is_none_or(|kind| kind.starts_with("text/") || kind.contains("json"));
    let mut text = match std::str::from_utf8(body) {
        Ok(text) => text.to_owned(),
        Err(_) if is_text => String::from_utf8_lossy(body).into_owned(),
        Err(_) => return format!("({}, {} bytes)", kind.unwrap_or("?"), body.len()),
    };
    if cut {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "_-%+=".contains(c);
        text.truncate(text.trim_end_matches(is_word).len());
    }
    text
}

/// A lock that a panic elsewhere does not close.
pub(super) fn write(shelf: &RwLock<Shelf>) -> RwLockWriteGuard<'_, Shelf> {
    shelf
        .write()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

pub(super) fn read(shelf: &RwLock<Shelf>) -> std::sync::RwLockReadGuard<'_, Shelf> {
    shelf
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
