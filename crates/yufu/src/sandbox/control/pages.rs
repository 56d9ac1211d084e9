//! The living pages of the sandbox: their frame. What moves in them is fetched by their scripts.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum::routing::get;
use yufu_web::{dev, view};

use crate::sandbox::SeededPerson;
use crate::sandbox::fault::{self, KEYS, KINDS, Shape};
use crate::sandbox::proxy;
use crate::sandbox::state::Sandbox;

/// What findings name as their source, by name.
const FACTS: [(&str, &str); 2] = [
    (
        "wechat",
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../docs/facts/wechat.md"
        )),
    ),
    (
        "login",
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../docs/facts/login.md"
        )),
    ),
];

/// The routes of the pages.
pub(super) fn routes(sandbox: Arc<Sandbox>) -> Router {
    Router::new()
        .route("/flows", get(flows))
        .route("/phone", get(phone))
        .route("/flows/facts/{name}/{section}", get(fact))
        .route("/proxy.pac", get(auto_configuration))
        .with_state(sandbox)
}

/// The proxy's own file, at an address that a developer knows already.
async fn auto_configuration(State(sandbox): State<Arc<Sandbox>>) -> Response {
    let file = proxy::pac(dialled(sandbox.addresses.proxy));
    let mut response = Response::new(Body::from(file));
    let kind = HeaderValue::from_static("application/x-ns-proxy-autoconfig");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// How this machine reaches what listens there: what listens at every address does so at this one.
fn dialled(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    address
}

async fn flows(State(sandbox): State<Arc<Sandbox>>, request: Request) -> Response {
    dev::in_language(&sandbox.house, &request, |lang| {
        let page = view::Flows {
            lang,
            lang_href: Some(format!("/flows?lang={}", lang.other().short())),
            demo_href: sandbox.addresses.app.clone(),
        };
        page.render()
    })
}

async fn phone(State(sandbox): State<Arc<Sandbox>>, request: Request) -> Response {
    handset(&sandbox, &request, false)
}

/// The handset. Alone, it leads nowhere else and tells no password.
pub(in crate::sandbox) fn handset(sandbox: &Sandbox, request: &Request, alone: bool) -> Response {
    let query = yufu_dialects::http::Request::get("", request.uri().query().unwrap_or(""));
    let asked = query.params().get("person").unwrap_or("").to_owned();
    let shown = |person: &SeededPerson| {
        let view = person.view();
        view::DevPerson {
            id: person.name.clone(),
            password: if alone { String::new() } else { view.password },
            ..view
        }
    };
    let people: Vec<view::DevPerson> = sandbox.world().people.iter().map(shown).collect();
    let known = people.iter().find(|person| person.id == asked);
    let person = known.or(people.first()).map_or("", |person| &person.id);
    let person = person.to_owned();
    dev::in_language(&sandbox.house, request, |lang| {
        let page = view::Handset {
            lang,
            lang_href: Some(format!("/phone?lang={}", lang.other().short())),
            person: person.clone(),
            people: people.clone(),
            api: "/_sandbox".to_owned(),
            start_href: (!alone).then(|| "/".to_owned()),
        };
        page.render()
    })
}

/// The control as a page.
pub(super) async fn control(State(sandbox): State<Arc<Sandbox>>, request: Request) -> Response {
    dev::in_language(&sandbox.house, &request, |lang| {
        let page = view::Control {
            lang,
            lang_href: Some(format!("/_sandbox?lang={}", lang.other().short())),
            kinds: KINDS.iter().map(kind).collect(),
        };
        page.render()
    })
}

/// A kind of fault, for the form that adds one.
fn kind(row: &fault::Row) -> view::FaultKind {
    view::FaultKind {
        word: row.word.to_owned(),
        about: row.about.to_owned(),
        endpoints: fault::endpoints(row).map(str::to_owned).collect(),
        fields: row.fields.iter().map(field).collect(),
    }
}

fn field(field: &fault::Field) -> view::FaultField {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let plain = view::FaultField {
        name: field.name.to_owned(),
        shape: "text".to_owned(),
        about: field.about.replace('`', ""),
        ..view::FaultField::default()
    };
    let number = |bounds, value: Option<i64>, must| view::FaultField {
        shape: "number".to_owned(),
        bounds: Some(bounds),
        value: value.map(|value| value.to_string()),
        must,
        ..plain.clone()
    };
    match field.shape {
        Shape::Number(least, most, value) => number((least, most), value, value.is_none()),
        Shape::MaybeNumber(least, most) => number((least, most), None, false),
        Shape::Word(all) => view::FaultField {
            must: true,
            words: words(all),
            ..plain
        },
        Shape::Key => view::FaultField {
            must: true,
            words: words(&KEYS),
            ..plain
        },
        Shape::Text(value) => view::FaultField {
            must: value.is_none(),
            value: value.map(str::to_owned),
            ..plain
        },
        Shape::Span => view::FaultField {
            must: true,
            ..plain
        },
        Shape::Maybe => plain,
        Shape::Person => view::FaultField {
            shape: "person".to_owned(),
            ..plain
        },
    }
}

async fn fact(
    State(sandbox): State<Arc<Sandbox>>,
    Path((name, number)): Path<(String, String)>,
    request: Request,
) -> Response {
    let book = FACTS.iter().find(|(known, _)| *known == name);
    let Some((title, text)) = book.and_then(|(_, text)| section(text, &number)) else {
        return dev::not_found(&sandbox.house, &request);
    };
    dev::in_language(&sandbox.house, &request, |lang| {
        let page = view::Fact {
            lang,
            title: title.to_owned(),
            source: format!("docs/facts/{name}.md §{number}"),
            text: text.trim().to_owned(),
        };
        page.render()
    })
}

/// A section by its number: its heading, and what stands below it. The number of a row of a table
/// leads to the section that holds the table.
fn section<'a>(book: &'a str, number: &str) -> Option<(&'a str, &'a str)> {
    let is_it = |heading: &str| {
        let numbers = heading.split([' ', ',']).filter(|word| !word.is_empty());
        let numbers = numbers.take_while(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        numbers
            .map(|word| word.trim_end_matches('.'))
            .any(|word| word == number)
    };
    let mut at = 0;
    let mut found: Option<(&str, usize, usize)> = None;
    for line in book.split_inclusive('\n') {
        let depth = line.bytes().take_while(|byte| *byte == b'#').count();
        let heading = line[depth..].trim();
        match found {
            Some((title, level, begin)) if (1..=level).contains(&depth) => {
                return Some((title, &book[begin..at]));
            }
            None if depth > 0 && is_it(heading) => {
                found = Some((heading, depth, at + line.len()));
            }
            _ => {}
        }
        at += line.len();
    }
    match found {
        Some((title, _, begin)) => Some((title, &book[begin..])),
        None => section(book, number.rsplit_once('.')?.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_everywhere_is_reached_here() {
        for (listens, dials) in [
            ("0.0.0.0:8425", "127.0.0.1:8425"),
            ("[::]:8425", "127.0.0.1:8425"),
            ("192.168.1.7:8425", "192.168.1.7:8425"),
        ] {
            let dialled = dialled(listens.parse().unwrap());
            assert_eq!(dialled, dials.parse().unwrap(), "{listens}");
        }
    }

    #[test]
    fn a_section_is_found_by_its_number() {
        let book = "# Facts\n## 1. One\na\n### 1.1 Deep\nb\n## 2, 3. More\nc\n";
        assert_eq!(section(book, "1"), Some(("1. One", "a\n### 1.1 Deep\nb\n")));
        assert_eq!(section(book, "1.1"), Some(("1.1 Deep", "b\n")));
        assert_eq!(section(book, "3"), Some(("2, 3. More", "c\n")));
        assert_eq!(section(book, "1.7"), section(book, "1"));
        assert_eq!(section(book, "4"), None);
        assert_eq!(section(book, ""), None);
    }

    #[test]
    fn the_facts_that_are_cited_open() {
        for (name, number) in [("wechat", "3"), ("wechat", "11.4"), ("wechat", "17.2")] {
            let (_, text) = FACTS.iter().find(|(known, _)| *known == name).unwrap();
            let (title, body) = section(text, number).unwrap();
            assert!(!title.is_empty() && body.len() > 40, "{name} §{number}");
        }
    }
}
