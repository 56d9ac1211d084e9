//! How flows are told by REST: typed, and written once.

use serde::{Serialize, Serializer};

use super::arrow::{Arrow, Door, Flow, Found, State};
use super::finding::Severity;
use super::message::Message;
use crate::sandbox::seen::Lane;

/// A flow at a glance.
#[derive(Serialize)]
pub(super) struct Summary<'a> {
    id: String,
    at: i64,
    changed: i64,
    took: i64,
    dialect: &'static str,
    door: Door,
    client: Option<Client<'a>>,
    person: Option<&'a str>,
    state: State,
    step: &'a str,
    arrows: usize,
    findings: Vec<Mark>,
    faults: usize,
}

#[derive(Serialize)]
struct Client<'a> {
    appid: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
struct Mark {
    code: &'static str,
    severity: Severity,
}

/// A flow with everything that is kept of it.
#[derive(Serialize)]
pub(super) struct Whole<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    arrows: Vec<Arrowed<'a>>,
    findings: Vec<Finding<'a>>,
    faults: usize,
}

#[derive(Serialize)]
struct Head<'a> {
    id: String,
    at: i64,
    changed: i64,
    took: i64,
    dialect: &'static str,
    door: Door,
    client: Option<Client<'a>>,
    person: Option<&'a str>,
    state: State,
    step: &'a str,
}

#[derive(Serialize)]
struct Arrowed<'a> {
    n: usize,
    at: i64,
    took: u32,
    from: Lane,
    to: Lane,
    label: &'a str,
    result: Option<String>,
    ok: bool,
    count: u32,
    note: Option<&'a str>,
    /// Nobody saw it: it must have been.
    presumed: bool,
    by_proxy: bool,
    faults: Vec<&'a str>,
    findings: Vec<usize>,
    request: Option<Asked<'a>>,
    answer: Option<Said<'a>>,
}

#[derive(Serialize)]
struct Asked<'a> {
    method: &'a str,
    url: &'a str,
    #[serde(flatten)]
    message: Told<'a>,
}

#[derive(Serialize)]
struct Said<'a> {
    status: u16,
    #[serde(flatten)]
    message: Told<'a>,
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(serialize_with = "headers")]
    headers: &'a Message,
    #[serde(serialize_with = "body")]
    body: &'a Message,
    body_cut: bool,
}

#[derive(Serialize)]
struct Finding<'a> {
    code: &'static str,
    severity: Severity,
    /// The number of the arrow that shows it.
    arrow: Option<usize>,
    /// What it was, in words or numbers of no language.
    said: Option<&'a str>,
    title: &'static str,
    why: &'static str,
    fix: &'static str,
    title_zh: &'static str,
    why_zh: &'static str,
    fix_zh: &'static str,
    source: &'static str,
}

fn headers<S: Serializer>(message: &&Message, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(message.headers())
}

fn body<S: Serializer>(message: &&Message, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&message.text())
}

impl<'a> Head<'a> {
    fn of(flow: &'a Flow) -> Self {
        Self {
            id: flow.id(),
            at: flow.at,
            changed: flow.changed,
            took: flow.changed.saturating_sub(flow.at),
            dialect: "wechat",
            door: flow.door,
            client: client(flow),
            person: flow.person.as_deref(),
            state: flow.state,
            step: &flow.step,
        }
    }
}

fn client(flow: &Flow) -> Option<Client<'_>> {
    let appid = flow.appid.as_deref()?;
    Some(Client {
        appid,
        name: flow.client.as_deref().unwrap_or(appid),
    })
}

impl<'a> Summary<'a> {
    pub(super) fn of(flow: &'a Flow) -> Self {
        let marks = flow.findings.iter().map(|found| {
            let entry = found.code.entry();
            Mark {
                code: entry.word,
                severity: entry.severity,
            }
        });
        let head = Head::of(flow);
        Self {
            id: head.id,
            at: head.at,
            changed: head.changed,
            took: head.took,
            dialect: head.dialect,
            door: head.door,
            client: head.client,
            person: head.person,
            state: head.state,
            step: head.step,
            arrows: flow.arrows.len(),
            findings: marks.collect(),
            faults: flow.faults(),
        }
    }
}

impl<'a> Whole<'a> {
    pub(super) fn of(flow: &'a Flow) -> Self {
        let arrows = flow.arrows.iter().enumerate();
        Self {
            head: Head::of(flow),
            arrows: arrows
                .map(|(at, arrow)| arrowed(flow, at + 1, arrow))
                .collect(),
            findings: flow
                .findings
                .iter()
                .map(|found| finding(flow, found))
                .collect(),
            faults: flow.faults(),
        }
    }
}

fn arrowed<'a>(flow: &'a Flow, n: usize, arrow: &'a Arrow) -> Arrowed<'a> {
    let findings = flow.findings.iter().enumerate();
    let of_this = findings.filter(|(_, found)| found.arrow == Some(arrow.serial));
    Arrowed {
        n,
        at: arrow.at,
        took: arrow.took,
        from: arrow.from,
        to: arrow.to,
        label: &arrow.label,
        result: arrow.outcome.word().map(|word| word.into_owned()),
        ok: arrow.ok,
        count: arrow.count,
        note: arrow.note,
        presumed: arrow.kind == super::arrow::Kind::Presumed,
        by_proxy: arrow.has(super::arrow::Bits::BY_PROXY),
        faults: arrow.faults.iter().map(|fault| &**fault).collect(),
        findings: of_this.map(|(at, _)| at).collect(),
        request: arrow.request.as_ref().map(|request| Asked {
            method: &request.method,
            url: &request.url,
            message: told(&request.message),
        }),
        answer: arrow.answer.as_ref().map(|answer| Said {
            status: answer.status,
            message: told(&answer.message),
        }),
    }
}

fn told(message: &Message) -> Told<'_> {
    Told {
        headers: message,
        body: message,
        body_cut: message.cut,
    }
}

fn finding<'a>(flow: &Flow, found: &'a Found) -> Finding<'a> {
    let entry = found.code.entry();
    Finding {
        code: entry.word,
        severity: entry.severity,
        arrow: found.arrow.and_then(|serial| flow.number(serial)),
        said: found.said.as_deref(),
        title: entry.title,
        why: entry.why,
        fix: entry.fix,
        title_zh: entry.title_zh,
        why_zh: entry.why_zh,
        fix_zh: entry.fix_zh,
        source: entry.source,
    }
}
