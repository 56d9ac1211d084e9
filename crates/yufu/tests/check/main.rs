//! The check, checked: a sound backend passes every row that it is judged on, and each way to get
//! it wrong is flagged by the rows that are about it.

mod backend;
mod db;
mod document;
mod faults;
mod platform;
mod shapes;
mod sound;

use yufu::check::recipe;
use yufu::check::run::{Check, chosen};
use yufu::check::verdict::{Outcome, Verdict};
use yufu::launch::found::Ready;
use yufu::sandbox::{self, DevOptions, Running};

use backend::{App, Fault};

const WEB: &str = include_str!("web.toml");
const API: &str = include_str!("api.toml");

/// A sandbox of one test.
async fn sandbox() -> Running {
    let options = DevOptions {
        port: 0,
        app_port: None,
        login_port: None,
        proxy_port: None,
        proxy_listen: None,
        proxy_anywhere: false,
        gate_port: None,
        data: None,
        json: true,
        lent: true,
        no_adopt: false,
        until_stdin_closes: false,
        poll_hold: None,
        lan: None,
        max_pages: None,
    };
    sandbox::start(&options).await.unwrap()
}

fn app(ready: &Ready, kind: &str) -> App {
    let client = ready.clients.iter().find(|it| it.kind == kind).unwrap();
    App {
        appid: client.appid.clone(),
        secret: client.secret.clone(),
    }
}

/// The verdicts on a backend with these faults; all rows when none are named.
async fn judged(ready: &Ready, text: &str, faults: &[Fault], rows: &[&str]) -> Vec<Verdict> {
    let phone = text == API;
    let apps = match phone {
        true => vec![app(ready, "mobile"), app(ready, "website")],
        false => vec![app(ready, "website")],
    };
    let running = backend::run(&ready.platform, apps, phone, faults).await;
    let recipe = recipe::read(text, Some(&running.base)).unwrap();
    let mut check = Check::ready(recipe, ready).await.unwrap();
    let rows: Vec<String> = rows.iter().map(|row| (*row).to_owned()).collect();
    let rows = chosen(&rows).unwrap();
    let verdicts = check.run(&rows, |_| {}, |_| {}).await;
    check.clean().await;
    verdicts
}

/// One line for each verdict of a kind.
fn of(verdicts: &[Verdict], outcome: Outcome) -> Vec<String> {
    let some = verdicts.iter().filter(|it| it.outcome == outcome);
    some.map(|it| format!("{}: {}", it.id, it.seen)).collect()
}
