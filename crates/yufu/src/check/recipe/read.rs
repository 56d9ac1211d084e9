//! Reading a recipe: all complaints at once, each with its line and what to write instead.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reqwest::{Method, Url};
use serde_json::Value;

use super::{App, Body, Call, Push, Recipe, Rule, Second, Sms, Source, Step, Wanted};
use crate::check::template::{Template, holes_of_json};
use crate::read::{Complaints, Document, Table};

/// Values that the check brings itself.
pub(super) const GIVEN: [&str; 20] = [
    "access_token",
    "appid",
    "callback",
    "code",
    "device",
    "openid",
    "passcode",
    "phone",
    "phone_local",
    "port",
    "random",
    "sandbox",
    "scene",
    "second_appid",
    "second_secret",
    "secret",
    "state",
    "ticket",
    "unionid",
    "base",
];

/// The parts of a step's table.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
/// The kinds of apps.
const KINDS: [&str; 3] = ["website", "mobile", "service"];
/// The most seconds of patience.
const MOST_PATIENCE: i64 = 120;

/// Reads a recipe; `base` replaces the one that is written.
///
/// # Errors
/// Everything that is wrong.
pub fn read(text: &str, base: Option<&str>) -> Result<Recipe, Complaints> {
    let document = Document::toml(text);
    let recipe = whole(&document.root(), base);
    document.finish()?;
    recipe.ok_or_else(|| Complaints::one("", "this is no recipe", "make one with: yufu check init"))
}

/// What stands in the holes of requests: who wants it, and in which part.
type Wants<'a> = RefCell<Vec<(Table<'a>, &'static str, String)>>;

fn whole(root: &Table<'_>, base: Option<&str>) -> Option<Recipe> {
    let wants = Wants::default();
    let base = address(root, base);
    let steps = steps(root, &wants);
    let vars = root.pairs("vars").unwrap_or_default();
    let second = root.table("second").map(|table| Second {
        app: app(&table),
        vars: table.pairs("vars").unwrap_or_default(),
        steps: self::steps(&table, &wants),
    });
    let headers = templates(root, "headers");
    let recipe = Recipe {
        // Whatever else is wrong is told too.
        base: base
            .clone()
            .or_else(|| Url::parse("http://localhost").ok())?,
        patience: patience(root),
        turns: root.one_of("clock", &["own", "sandbox"]) == Some("sandbox"),
        app: root.table("app").map_or_else(
            || App {
                kind: KINDS[0].to_owned(),
                ..App::default()
            },
            |table| app(&table),
        ),
        second,
        vars,
        headers,
        success: rule(root, "success"),
        refusal: rule(root, "refusal"),
        sms: sms(root),
        device_key: root.text("device_key"),
        steps,
        push: root.table("push").and_then(|table| push(&table)),
        environment: templates(root, "environment"),
    };
    complete(root, &recipe);
    known_holes(root, &recipe, wants.into_inner());
    base.map(|_| recipe)
}

fn address(root: &Table<'_>, given: Option<&str>) -> Option<Url> {
    let written = root.text("base");
    let remedy = "base = \"http://127.0.0.1:3000\", where your backend answers";
    let Some(text) = given.map(str::to_owned).or(written) else {
        root.needs("base", remedy);
        return None;
    };
    let url = Url::parse(&text).ok();
    let url = url.filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host());
    if url.is_none() {
        root.complain(
            "base",
            &format!("is \"{}\", no address", text.escape_debug()),
            &format!("write {remedy}"),
        );
    }
    url
}

fn patience(root: &Table<'_>) -> Duration {
    let seconds = root.number("patience", 1..=MOST_PATIENCE).unwrap_or(10);
    Duration::from_secs(u64::try_from(seconds).unwrap_or(10))
}

fn app(table: &Table<'_>) -> App {
    let app = App {
        appid: table.text("appid"),
        secret: table.text("secret"),
        kind: table.one_of("kind", &KINDS).unwrap_or(KINDS[0]).to_owned(),
        redirects: table.list("redirects").unwrap_or_default(),
    };
    if app.secret.is_some() && app.appid.is_none() {
        table.complain(
            "secret",
            "belongs to no app",
            "write its appid beside it, or take both out for the sandbox's own app",
        );
    }
    app
}

fn sms(root: &Table<'_>) -> Sms {
    let Some(table) = root.table("sms") else {
        return Sms {
            fixed: None,
            scenes: Vec::new(),
        };
    };
    let passcode = table.text("passcode");
    Sms {
        fixed: passcode.filter(|from| from != "inbox"),
        scenes: table.pairs("scenes").unwrap_or_default(),
    }
}

fn push(table: &Table<'_>) -> Option<Push> {
    let path = table.needs("path", "path = \"/hooks/wechat/events\"");
    let token = table.needs("token", "token = \"…\", the one of the push's signature");
    if !path || !token {
        return None;
    }
    Some(Push {
        path: table.text("path")?,
        token: table.text("token")?,
        aes_key: table.text("aes_key"),
        mode: table
            .one_of("mode", &["plain", "compatible", "encrypted"])
            .unwrap_or("plain")
            .to_owned(),
        format: table
            .one_of("format", &["xml", "json"])
            .unwrap_or("xml")
            .to_owned(),
    })
}

fn templates(table: &Table<'_>, name: &str) -> Vec<(String, Template)> {
    let pairs = table.pairs(name).unwrap_or_default();
    pairs
        .into_iter()
        .map(|(name, text)| (name, Template::read(&text)))
        .collect()
}

// --- steps --------------------------------------------------------------------------------------

fn steps<'a>(table: &Table<'a>, wants: &Wants<'a>) -> BTreeMap<Step, Vec<Call>> {
    let mut steps = BTreeMap::new();
    let Some(table) = table.table("step") else {
        return steps;
    };
    for word in table.names() {
        let Some(step) = Step::parse(word) else {
            let near = crate::read::nearest(word, Step::ALL.iter().map(|(_, word, _)| *word));
            let remedy = match near {
                Some(near) => format!("did you mean {near}?"),
                None => {
                    let words: Vec<_> = Step::ALL.iter().map(|(_, word, _)| *word).collect();
                    format!("the steps are: {}", words.join(", "))
                }
            };
            table.complain(word, "is no step", &remedy);
            continue;
        };
        // One request, or several in turn.
        let calls = match table.value(word) {
            Some(Value::Array(_)) => table.tables(word),
            _ => table.table(word).into_iter().collect(),
        };
        let calls: Vec<Call> = calls
            .iter()
            .filter_map(|table| call(table, wants))
            .collect();
        steps.insert(step, calls);
    }
    steps
}

fn call<'a>(table: &Table<'a>, wants: &Wants<'a>) -> Option<Call> {
    let body = body(table);
    let has_body = !matches!(body, Body::Empty);
    let asked = table.one_of("method", &METHODS);
    let method = asked.unwrap_or(if has_body { "POST" } else { "GET" });
    table.needs("path", "path = \"/…\", on the base, or a whole address");
    let whole = table.text("path");
    let expect = rule(table, "expect");
    let refuse = rule(table, "refuse");
    let capture = capture(table);
    let headers = templates(table, "headers");
    let follow = table.flag("follow").unwrap_or(false);
    let whole = whole?;
    let is_address = ["/", "{", "http://", "https://"];
    if !is_address.iter().any(|start| whole.starts_with(start)) {
        table.complain(
            "path",
            &format!("is \"{}\"", whole.escape_debug()),
            "begin it with / for a path on the base, or with http for a whole address",
        );
    }
    let (path, query) = match whole.split_once('?') {
        Some((path, query)) => (path, query.split('&').map(Template::read).collect()),
        None => (whole.as_str(), Vec::new()),
    };
    let call = Call {
        method: method.parse().unwrap_or(Method::GET),
        path: Template::read(path),
        query,
        headers,
        body,
        follow,
        expect,
        refuse,
        capture,
    };
    let mut wants = wants.borrow_mut();
    wants.extend(holes(&call).map(|(part, hole)| (table.clone(), part, hole)));
    Some(call)
}

/// The holes of a request, with the part they stand in.
fn holes(call: &Call) -> impl Iterator<Item = (&'static str, String)> {
    let pairs = |pairs: &[(String, Template)]| -> Vec<String> {
        let holes = pairs.iter().flat_map(|(_, value)| value.holes());
        holes.map(str::to_owned).collect()
    };
    let path = [&call.path].into_iter().chain(&call.query);
    let path: Vec<String> = path.flat_map(Template::holes).map(str::to_owned).collect();
    let (part, body) = match &call.body {
        Body::Empty => ("json", Vec::new()),
        Body::Json(json) => ("json", holes_of_json(json)),
        Body::Form(form) => ("form", pairs(form)),
    };
    [
        ("path", path),
        ("headers", pairs(&call.headers)),
        (part, body),
    ]
    .into_iter()
    .flat_map(|(part, holes)| holes.into_iter().map(move |hole| (part, hole)))
}

fn body(table: &Table<'_>) -> Body {
    let (json, form) = (table.value("json"), table.has("form"));
    match json {
        Some(_) if form => {
            table.complain("form", "stands beside json", "write one of the two");
            Body::Empty
        }
        Some(json) => Body::Json(json),
        None if form => Body::Form(templates(table, "form")),
        None => Body::Empty,
    }
}

fn capture(table: &Table<'_>) -> Vec<(String, Source)> {
    let pairs = table.pairs("capture").unwrap_or_default();
    let inner = table.table("capture");
    let read = |(name, from): (String, String)| {
        let word = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
        if !name.bytes().all(word) {
            let inner = inner.as_ref()?;
            inner.complain(
                &name,
                "is no name for a value",
                "use small letters, digits and _",
            );
            return None;
        }
        let source = source(&from);
        if source.is_none() {
            inner.as_ref()?.complain(
                &name,
                &format!("is \"{}\"", from.escape_debug()),
                "write where it stands: \"/data/token\" in JSON, \"header:x-token\", \"location\", \"query:state\" of the location, \"cookie:sid\", or \"field:csrf\" of a form",
            );
        }
        Some((name, source?))
    };
    pairs.into_iter().filter_map(read).collect()
}

fn source(from: &str) -> Option<Source> {
    if from.starts_with('/') || from.is_empty() {
        return Some(Source::Pointer(from.to_owned()));
    }
    if from == "location" {
        return Some(Source::Location);
    }
    let (kind, name) = from.split_once(':')?;
    if name.is_empty() {
        return None;
    }
    let name = name.to_owned();
    Some(match kind {
        "header" => Source::Header(name.to_lowercase()),
        "query" => Source::Query(name),
        "cookie" => Source::Cookie(name),
        "field" => Source::Field(name),
        _ => return None,
    })
}

// --- rules --------------------------------------------------------------------------------------

fn rule(table: &Table<'_>, name: &str) -> Option<Rule> {
    let table = table.table(name)?;
    let mut rule = Rule {
        status: statuses(&table),
        location: texts(&table, "location"),
        body: table.text("body"),
        points: Vec::new(),
    };
    for key in table.names() {
        match key {
            "status" | "location" | "body" => {}
            pointer if pointer.starts_with('/') => {
                let wanted = table.value(pointer).and_then(|value| wanted(&value));
                match wanted {
                    Some(wanted) => rule.points.push((pointer.to_owned(), wanted)),
                    None => table.complain(
                        pointer,
                        "is no rule",
                        "write a value, a list of values, { not = … } or { there = true }",
                    ),
                }
            }
            other => table.complain(
                other,
                "is no part of a rule",
                "write status, location, body, or a place in JSON such as \"/code\"",
            ),
        }
    }
    Some(rule)
}

/// A text, or a list of them.
fn texts(table: &Table<'_>, name: &str) -> Vec<String> {
    match table.value(name) {
        None => Vec::new(),
        Some(Value::Array(_)) => table.list(name).unwrap_or_default(),
        Some(_) => table.text(name).into_iter().collect(),
    }
}

/// 200, "2xx", or a list of them.
fn statuses(table: &Table<'_>) -> Vec<(u16, u16)> {
    let items = match table.value("status") {
        None => return Vec::new(),
        Some(Value::Array(items)) => items,
        Some(one) => vec![one],
    };
    let read = |item: &Value| match item {
        Value::Number(number) => {
            let status = u16::try_from(number.as_u64()?).ok()?;
            (100..=599).contains(&status).then_some((status, status))
        }
        Value::String(text) => {
            let digit = text.strip_suffix("xx")?.parse::<u16>().ok()?;
            (1..=5)
                .contains(&digit)
                .then_some((digit * 100, digit * 100 + 99))
        }
        _ => None,
    };
    let found: Vec<_> = items.iter().filter_map(read).collect();
    if found.len() < items.len() {
        table.complain(
            "status",
            "holds what is no status",
            "write 200, \"4xx\", or a list of such",
        );
    }
    found
}

fn wanted(value: &Value) -> Option<Wanted> {
    let many = |value: &Value| match value {
        Value::Array(items) => items.clone(),
        one => vec![one.clone()],
    };
    let Value::Object(entries) = value else {
        return Some(Wanted::OneOf(many(value)));
    };
    let (name, inner) = entries.iter().next().filter(|_| entries.len() == 1)?;
    match name.as_str() {
        "not" => Some(Wanted::Not(many(inner))),
        "there" => inner.as_bool().map(Wanted::There),
        _ => None,
    }
}

// --- the whole ----------------------------------------------------------------------------------

/// What every recipe needs.
fn complete(root: &Table<'_>, recipe: &Recipe) {
    if !root.needs("step", "[step.begin], [step.deliver] and [step.whoami]") {
        return;
    }
    let Some(steps) = root.table("step") else {
        return;
    };
    let captures = |step: Step, name: &str| {
        let calls = recipe.steps.get(&step).into_iter().flatten();
        let mut names = calls.flat_map(|call| &call.capture);
        names.any(|(captured, _)| captured == name)
    };
    for (step, what) in [
        (Step::Deliver, "what takes code and state"),
        (Step::WhoAmI, "what tells who is logged in"),
    ] {
        steps.needs(step.word(), &format!("[step.{}], {what}", step.word()));
    }
    let wants = |step: Step, there: bool, what: &str, remedy: &str| {
        if recipe.has(step) && !there {
            steps.complain(step.word(), what, &format!("write capture = {{ {remedy}"));
        }
    };
    wants(
        Step::WhoAmI,
        captures(Step::WhoAmI, "user"),
        "captures no user",
        "user = \"/data/id\" }: what stays the same for one account and is nobody else's",
    );
    wants(
        Step::Begin,
        captures(Step::Begin, "authorize") || captures(Step::Begin, "state"),
        "captures neither authorize nor state",
        "authorize = \"location\" } where it leads to the platform's page, or { state = \"/data/state\" }",
    );
    wants(
        Step::Passcode,
        captures(Step::Passcode, "passcode"),
        "captures no passcode",
        "passcode = \"/data/code\" }",
    );
    if !recipe.has(Step::Begin) && recipe.app.kind != "mobile" {
        steps.needs(
            "begin",
            "[step.begin], which leads to the platform's page; or kind = \"mobile\" in [app], for an app whose SDK asks by itself",
        );
    }
}

/// Every hole is filled by the check, by the recipe's own values, or by something captured.
fn known_holes(root: &Table<'_>, recipe: &Recipe, wants: Vec<(Table<'_>, &str, String)>) {
    let second = recipe.second.iter();
    let vars = recipe.vars.iter();
    let vars = vars.chain(second.clone().flat_map(|it| &it.vars));
    let steps = recipe.steps.values();
    let calls = steps
        .chain(second.flat_map(|it| it.steps.values()))
        .flatten();
    let captured = calls.flat_map(|call| &call.capture).map(|(name, _)| name);
    let known: BTreeSet<&str> = vars
        .map(|(name, _)| name)
        .chain(captured)
        .map(String::as_str)
        .chain(GIVEN)
        .collect();
    let check = |table: &Table<'_>, part: &str, hole: &str| {
        if known.contains(hole) {
            return;
        }
        let remedy = match crate::read::nearest(hole, known.iter().copied()) {
            Some(near) => format!("did you mean {{{near}}}?"),
            None => format!("capture it from an earlier answer, or write {hole} under [vars]"),
        };
        let what = format!("wants {{{hole}}}, which nothing brings");
        table.complain(part, &what, &remedy);
    };
    for (table, part, hole) in &wants {
        check(table, part, hole);
    }
    for (name, templates) in [
        ("headers", &recipe.headers),
        ("environment", &recipe.environment),
    ] {
        let Some(table) = root.table(name) else {
            continue;
        };
        for (name, template) in templates {
            for hole in template.holes() {
                check(&table, name, hole);
            }
        }
    }
    if let Some(key) = &recipe.device_key
        && !known.contains(key.as_str())
    {
        root.complain(
            "device_key",
            &format!("is \"{key}\", which nothing captures"),
            "name a captured value that binds sessions to a device, or take it out",
        );
    }
}
