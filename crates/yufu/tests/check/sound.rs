//! The sound backend.

use super::{API, WEB, judged, of, sandbox};
use yufu::check::recipe;
use yufu::check::run::{Check, chosen};
use yufu::check::verdict::{Outcome, Tally};

/// The rows that were skipped.
fn skipped(verdicts: &[yufu::check::verdict::Verdict]) -> Vec<&'static str> {
    let some = verdicts.iter().filter(|it| it.outcome == Outcome::Skipped);
    some.map(|it| it.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_website_passes_every_row_it_is_judged_on() {
    let sandbox = sandbox().await;
    let verdicts = judged(&sandbox.ready, WEB, &[], &[]).await;
    assert_eq!(of(&verdicts, Outcome::Fail), Vec::<String>::new());
    assert_eq!(of(&verdicts, Outcome::Error), Vec::<String>::new());
    let skipped = skipped(&verdicts);
    let groups = ["PHO", "SMS", "REL"];
    let plain = skipped.iter().filter(|id| !groups.contains(&&id[..3]));
    let plain: Vec<_> = plain.copied().collect();
    assert_eq!(
        plain,
        [
            "ACT-09", "COD-10", "COD-11", "LGN-01", "LGN-05", "LGN-09", "LGN-10", "SES-07",
            "CON-02", "DEL-01"
        ]
    );
    assert_eq!(Tally::of(&verdicts).status(), 0);
    sandbox.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_api_passes_every_row_it_is_judged_on() {
    let sandbox = sandbox().await;
    let verdicts = judged(&sandbox.ready, API, &[], &[]).await;
    assert_eq!(of(&verdicts, Outcome::Fail), Vec::<String>::new());
    assert_eq!(of(&verdicts, Outcome::Error), Vec::<String>::new());
    assert_eq!(
        skipped(&verdicts),
        ["ACT-09", "COD-10", "LGN-02", "REL-12", "SES-07", "DEL-02"]
    );
    sandbox.end().await;
}

/// The login backend of the same house, by the recipe that comes with the program.
#[tokio::test(flavor = "multi_thread")]
async fn our_own_backend_passes_every_row_it_is_judged_on() {
    let sandbox = sandbox().await;
    let text = recipe::shipped::named("yufu").unwrap().text;
    let recipe = recipe::read(text, Some(&sandbox.ready.login)).unwrap();
    let mut check = Check::ready(recipe, &sandbox.ready).await.unwrap();
    let rows = chosen(&[]).unwrap();
    let verdicts = check.run(&rows, |_| {}, |_| {}).await;
    check.clean().await;
    assert_eq!(of(&verdicts, Outcome::Fail), Vec::<String>::new());
    assert_eq!(of(&verdicts, Outcome::Error), Vec::<String>::new());
    // Every account has a number.
    assert_eq!(skipped(&verdicts), ["LGN-02", "DEL-02"]);
    sandbox.end().await;
}

/// The recipes of other projects' APIs against the same backend in their shapes.
#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_recipes_fit_the_apis_that_they_are_for() {
    let sandbox = sandbox().await;
    for (name, judged_rows) in [("justauth", 41), ("ruoyi", 44)] {
        let text = recipe::shipped::named(name).unwrap().text;
        let verdicts = judged(&sandbox.ready, text, &[], &[]).await;
        assert_eq!(of(&verdicts, Outcome::Fail), Vec::<String>::new(), "{name}");
        assert_eq!(
            of(&verdicts, Outcome::Error),
            Vec::<String>::new(),
            "{name}"
        );
        assert_eq!(Tally::of(&verdicts).pass, judged_rows, "{name}");
    }
    sandbox.end().await;
}
