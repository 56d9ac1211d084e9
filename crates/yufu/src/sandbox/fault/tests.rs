//! The desk, and the reading of faults.

use std::sync::Arc;

use super::*;
use crate::read::Document;

fn known() -> Known {
    Known {
        clients: vec!["wx0000000000000001".into()],
        people: vec!["mei".into(), "wei".into()],
    }
}

fn one(text: &str) -> Fault {
    let mut faults = read(Document::json(text), &known())
        .unwrap_or_else(|complaints| panic!("{text}: {complaints}"));
    assert_eq!(faults.len(), 1);
    faults.remove(0)
}

fn wrong(text: &str) -> String {
    read(Document::json(text), &known())
        .expect_err("it is wrong")
        .to_string()
}

#[test]
fn every_kind_is_read_and_knows_its_row() {
    for row in &KINDS {
        let fault = one(row.example);
        assert_eq!(fault.kind.row().word, row.word);
        // Without anything but what is needed, too.
        let needed: Vec<String> = row
            .fields
            .iter()
            .filter_map(|field| match field.shape {
                Shape::Number(least, _, None) => {
                    Some(format!("\"{}\":{}", field.name, least.max(1)))
                }
                Shape::Span => Some(format!("\"{}\":\"5m\"", field.name)),
                Shape::Key => Some(format!("\"{}\":\"openid\"", field.name)),
                _ => None,
            })
            .collect();
        let mut text = format!("{{\"kind\":\"{}\"", row.word);
        for field in needed {
            text.push(',');
            text.push_str(&field);
        }
        text.push('}');
        assert_eq!(one(&text).kind.row().word, row.word, "{text}");
        assert!(
            !Armed::new(one(&text)).spots.is_empty(),
            "{} plays somewhere",
            row.word
        );
        for spot in row.by_itself {
            assert!(row.plays.contains(spot), "{}", row.word);
        }
    }
}

#[test]
fn what_a_list_tells_is_read_again_and_kept_by_snapshots() {
    let desk = Desk::default();
    let all = format!("[{}]", KINDS.map(|row| row.example).join(","));
    let faults = read(Document::json(&all), &known()).unwrap();
    desk.add(faults).unwrap();
    let list = desk.list();
    let json = serde_json::to_string(&list).unwrap();
    let kept: Vec<Fault> = serde_json::from_str(&json).unwrap();
    assert_eq!(kept, list);
    let again = read(Document::json(&json), &known()).unwrap();
    let kinds = |faults: &[Fault]| {
        faults
            .iter()
            .map(|fault| fault.kind.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(kinds(&again), kinds(&list));

    let other = Desk::default();
    other.restore(kept);
    assert_eq!(other.list(), list);
    let more = other.add(vec![one(KINDS[0].example)]).unwrap();
    assert_eq!(
        more[0].id,
        format!("x{}", KINDS.len() + 1),
        "no name is given twice"
    );
}

#[test]
fn faults_are_read_alone_in_a_list_and_from_a_file() {
    let alone = r#"{"kind":"drop","endpoint":"access_token","times":3,"chance":0.5}"#;
    let fault = one(alone);
    assert_eq!(fault.kind, Kind::Drop { when: When::After });
    assert_eq!((fault.times, fault.chance), (Some(3), Some(0.5)));
    assert_eq!(one(&format!("[{alone}]")), fault);
    assert_eq!(one(&format!("{{\"faults\":[{alone}]}}")), fault);
    let file =
        "[[faults]]\nkind = \"drop\"\nendpoint = \"access_token\"\ntimes = 3\nchance = 0.5\n";
    assert_eq!(read(Document::toml(file), &known()).unwrap(), [fault]);
    assert_eq!(read(Document::json("[]"), &known()).unwrap(), []);
}

#[test]
fn complaints_come_all_at_once_with_their_place_and_a_remedy() {
    let complaints = wrong(
        r#"[{"kind":"eror","client":"wx1","person":"mai"},
            {"kind":"status","status":700,"endpont":"userinfo","times":0,"chance":2},
            {"kind":"slow"},
            {"kind":"missing","field":"open_id"},
            {"kind":"clock_skew","by":"10 minutes"},
            {"kind":"code_expired","endpoint":"userinfo"},
            {"kind":"errcode","code":"45011"},
            {}]"#,
    );
    let lines: Vec<&str> = complaints.lines().collect();
    for expected in [
        "faults[0].kind is \"eror\"",
        "faults[0].client is \"wx1\", which is not an appid of the sandbox",
        "faults[0].person is \"mai\", which is not a person of the sandbox; did you mean \"mei\"?",
        "faults[1].status is 700; write a whole number from 400 to 599",
        "there is no faults[1].endpont; did you mean endpoint?",
        "faults[1].times is 0",
        "faults[1].chance is 2",
        "faults[2].ms is missing",
        "faults[3].field is \"open_id\"; did you mean \"openid\"?",
        "faults[4].by is \"10 minutes\", which is no span of time",
        "faults[5].endpoint is \"userinfo\", where code_expired never plays",
        "faults[6].code is no whole number",
        "faults[7].kind is missing",
    ] {
        assert!(
            lines.iter().any(|line| line.contains(expected)),
            "{expected}\n{complaints}"
        );
    }
    assert_eq!(lines.len(), 13, "{complaints}");
    // A line of a file is told.
    let file = read(Document::toml("[[faults]]\nkind = \"drip\"\n"), &known()).unwrap_err();
    assert_eq!(
        file.to_string(),
        "line 2: faults[0].kind is \"drip\"; did you mean \"drop\"?"
    );
}

#[test]
fn a_person_is_asked_for_only_where_one_can_be_known() {
    for known in [
        r#"{"kind":"errcode","code":-1,"person":"mei"}"#,
        r#"{"kind":"other_code","person":"mei"}"#,
        r#"{"kind":"slow","ms":1,"person":"mei","endpoint":"interaction"}"#,
    ] {
        one(known);
    }
    for unknown in [
        r#"{"kind":"other_state","person":"mei"}"#,
        r#"{"kind":"slow","ms":1,"person":"mei","endpoint":"token"}"#,
        r#"{"kind":"slow","ms":1,"person":"mei","endpoint":"oauth2/authorize"}"#,
    ] {
        assert!(
            wrong(unknown).contains("person cannot be known there"),
            "{unknown}"
        );
    }
}

#[test]
fn a_fault_plays_where_its_kind_does_or_where_it_is_told() {
    let spots = |text: &str| Armed::new(one(text)).spots;
    let by_itself = spots(r#"{"kind":"slow","ms":1}"#);
    assert!(by_itself.contains(&"/sns/userinfo") && !by_itself.contains(&"/connect/qrconnect"));
    assert_eq!(
        spots(r#"{"kind":"slow","ms":1,"endpoint":"confirm"}"#),
        ["/connect/confirm"]
    );
    let all = spots(r#"{"kind":"slow","ms":1,"endpoint":"qrconnect"}"#);
    assert_eq!(
        all.len(),
        3,
        "a word that several have means all of them: {all:?}"
    );
    assert_eq!(spots(r#"{"kind":"other_openid"}"#), ["/sns/userinfo"]);
    let exchange = spots(r#"{"kind":"other_openid","endpoint":"access_token"}"#);
    assert_eq!(exchange, ["/sns/oauth2/access_token"]);
}

#[test]
fn faults_are_added_taken_away_and_bounded() {
    let desk = Desk::default();
    assert!(desk.is_quiet());
    let added = desk
        .add(vec![one(KINDS[0].example), one(KINDS[1].example)])
        .unwrap();
    assert_eq!((added[0].id.as_str(), added[1].id.as_str()), ("x1", "x2"));
    assert!(!desk.is_quiet());
    assert!(desk.remove("x1") && !desk.remove("x1"));
    assert_eq!(desk.list()[0].id, "x2");
    assert_eq!((desk.clear(), desk.clear()), (1, 0));
    assert!(desk.is_quiet());
    let many = vec![one(KINDS[0].example); MOST];
    desk.add(many.clone()).unwrap();
    assert_eq!(desk.add(many), Err(0));
    assert_eq!(desk.list().len(), MOST, "all or none");
}

#[test]
fn times_are_counted_exactly_however_many_come_at_once() {
    let armed = Arc::new(Armed::new(one(r#"{"kind":"html","times":3}"#)));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let armed = armed.clone();
            std::thread::spawn(move || (0..1000).filter(|_| armed.claim()).count())
        })
        .collect();
    let claimed: usize = threads.into_iter().map(|it| it.join().unwrap()).sum();
    assert_eq!(claimed, 3);
    let seen = armed.seen();
    assert_eq!((seen.left, seen.played), (Some(0), 3));
}

#[test]
fn chance_is_none_all_or_in_between() {
    let count = |chance: &str| {
        let armed = Armed::new(one(&format!(r#"{{"kind":"html","chance":{chance}}}"#)));
        (0..1000).filter(|_| armed.claim()).count()
    };
    assert_eq!((count("0"), count("1"), count("1.0")), (0, 1000, 1000));
    let half = count("0.5");
    assert!((300..700).contains(&half), "{half}");
    // What chance passes over does not count.
    let armed = Armed::new(one(r#"{"kind":"html","chance":0,"times":1}"#));
    assert!(!armed.claim());
    assert_eq!(armed.seen().left, Some(1));
}

#[test]
fn the_schema_has_a_shape_for_each_kind() {
    let schema = openapi();
    let shapes = schema["oneOf"].as_array().unwrap();
    assert_eq!(shapes.len(), KINDS.len());
    for (shape, row) in shapes.iter().zip(&KINDS) {
        assert_eq!(shape["properties"]["kind"]["const"], row.word);
        assert_eq!(shape["example"]["kind"], row.word);
    }
}
