use super::*;

fn complaints(text: &str) -> Vec<String> {
    let complaints = read(text, None).expect_err("mistakes");
    complaints.0.iter().map(ToString::to_string).collect()
}

fn all_of(said: &[String], expected: &[&str]) {
    for line in expected {
        assert!(
            said.iter().any(|it| it == line),
            "{line}\nis not in\n{}",
            said.join("\n")
        );
    }
}

#[test]
fn every_shipped_recipe_is_sound() {
    for shipped in &shipped::ALL {
        let read = read(shipped.text, None);
        let recipe = read.unwrap_or_else(|complaints| panic!("{}:\n{complaints}", shipped.name));
        assert!(recipe.has(Step::Deliver) && recipe.has(Step::WhoAmI));
        assert!(shipped.text.starts_with("# "), "{}", shipped.name);
    }
    assert!(read(shipped::ALL[0].text, None).unwrap().is_native());
    assert!(!read(shipped::ALL[1].text, None).unwrap().is_native());
}

#[test]
fn a_recipe_with_mistakes_is_told_all_of_them_with_their_lines() {
    let text = r#"base = "localhost:3000"
patience = 900
clok = "own"

[success]
code = 0
"/code" = { never = 1 }
status = ["2xx", 42]

[step.begin]
path = "auth/wechat"
capture = { Authorize = "location" }

[step.deliverr]
path = "/callback"

[[step.whoami]]
path = "/me?token={tokn}"
method = "FETCH"
json = {}
form = { a = "b" }
capture = { user_id = "data.id", token = "query:" }
"#;
    let said = complaints(text);
    all_of(
        &said,
        &[
            "line 1: base is \"localhost:3000\", no address; write base = \"http://127.0.0.1:3000\", where your backend answers",
            "line 2: patience is 900; write a whole number from 1 to 120",
            "line 3: there is no clok; did you mean clock?",
            "line 6: success.code is no part of a rule; write status, location, body, or a place in JSON such as \"/code\"",
            "line 7: success./code is no rule; write a value, a list of values, { not = … } or { there = true }",
            "line 8: success.status holds what is no status; write 200, \"4xx\", or a list of such",
            "line 11: step.begin.path is \"auth/wechat\"; begin it with / for a path on the base, or with http for a whole address",
            "line 12: step.begin.capture.Authorize is no name for a value; use small letters, digits and _",
            "line 14: step.deliverr is no step; did you mean deliver?",
            "line 19: step.whoami[0].method is \"FETCH\"; did you mean \"PATCH\"?",
            "line 21: step.whoami[0].form stands beside json; write one of the two",
        ],
    );
    let both = said
        .iter()
        .filter(|line| line.contains("write where it stands"));
    assert_eq!(both.count(), 2, "{}", said.join("\n"));
}

#[test]
fn what_is_missing_is_told_with_the_rest() {
    let text = r#"base = "http://127.0.0.1:1"
[step.begin]
path = "/in?x={what}"
[step.whoami]
path = "/me"
[headers]
A = "{tokne}"
[vars]
token = "x"
"#;
    let said = complaints(text);
    let expected = [
        "line 2: step.deliver is missing; write [step.deliver], what takes code and state",
        "line 2: step.begin captures neither authorize nor state; write capture = { authorize = \"location\" } where it leads to the platform's page, or { state = \"/data/state\" }",
        "line 3: step.begin.path wants {what}, which nothing brings; capture it from an earlier answer, or write what under [vars]",
        "line 4: step.whoami captures no user; write capture = { user = \"/data/id\" }: what stays the same for one account and is nobody else's",
        "line 7: headers.A wants {tokne}, which nothing brings; did you mean {token}?",
    ];
    all_of(&said, &expected);
    assert_eq!(said.len(), expected.len(), "{}", said.join("\n"));
    let said = complaints("");
    all_of(
        &said,
        &[
            "line 1: base is missing; write base = \"http://127.0.0.1:3000\", where your backend answers",
            "line 1: step is missing; write [step.begin], [step.deliver] and [step.whoami]",
        ],
    );
}

#[test]
fn a_base_on_the_command_line_replaces_the_written_one() {
    let text = shipped::named("justauth").unwrap().text;
    let recipe = read(text, Some("http://127.0.0.1:9")).unwrap();
    assert_eq!(recipe.base.port(), Some(9));
    assert!(recipe.speaks_json());
    assert!(read(text, Some("nowhere")).is_err());
}
