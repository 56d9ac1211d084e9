//! Pages of the sandbox (`yufu dev`): start, inbox, codes.

use askama::Template;

use super::{
    lang::Lang,
    part::{Age, DevPerson, Field},
    sample::{self, Sample},
    text::Text as T,
};

/// A seeded client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevClient {
    /// Its name.
    pub name: String,
    /// What kind, in a word or two, such as `website`.
    pub kind: String,
    /// The appid.
    pub appid: String,
    /// The secret.
    pub secret: String,
    /// The registered return domain or package.
    pub redirect: String,
}

/// The start page of the sandbox.
#[derive(Clone, Debug, Template)]
#[template(path = "dev_start.html")]
pub struct DevStart {
    /// The language.
    pub lang: Lang,
    /// The same page in the other language.
    pub lang_href: Option<String>,
    /// The address of this server.
    pub base_url: String,
    /// The demo app.
    pub demo_href: String,
    /// The inbox.
    pub inbox_href: String,
    /// The page that issues mini program codes.
    pub codes_href: String,
    /// The account page.
    pub account_href: String,
    /// The people.
    pub people: Vec<DevPerson>,
    /// The clients.
    pub clients: Vec<DevClient>,
    /// More places to go: label and address.
    pub links: Vec<(String, String)>,
}

/// A passcode that would have been sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxItem {
    /// To whom.
    pub to: String,
    /// The passcode.
    pub passcode: String,
    /// The text of the message.
    pub text: String,
    /// How long ago.
    pub age: Age,
    /// Whether it can still be used.
    pub live: bool,
}

/// The inbox of the sandbox. Loads itself again every few seconds.
#[derive(Clone, Debug, Template)]
#[template(path = "inbox.html")]
pub struct Inbox {
    /// The language.
    pub lang: Lang,
    /// Newest first.
    pub items: Vec<InboxItem>,
    /// Seconds between loads.
    pub refresh: u32,
    /// The start page.
    pub start_href: String,
}

/// A code that was issued on [`DevCodes`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedCode {
    /// The code.
    pub code: String,
    /// For which client.
    pub client: String,
    /// For which person.
    pub person: String,
    /// How long it lives.
    pub seconds_left: u32,
}

/// Issues login codes for mini programs. Posts `client` (appid), `user`, `act=issue`.
#[derive(Clone, Debug, Template)]
#[template(path = "dev_codes.html")]
pub struct DevCodes {
    /// The language.
    pub lang: Lang,
    /// The token that proves that the form is ours.
    pub csrf: String,
    /// Where the form posts to.
    pub action: String,
    /// The clients to choose from.
    pub clients: Vec<DevClient>,
    /// The people to choose from.
    pub people: Vec<DevPerson>,
    /// The chosen appid.
    pub client: String,
    /// The chosen person.
    pub user: String,
    /// The code just issued.
    pub issued: Option<IssuedCode>,
    /// The start page.
    pub start_href: String,
}

/// What a browser is shown that has not brought the token of this run.
#[derive(Clone, Debug, Template)]
#[template(path = "dev_locked.html")]
pub struct DevLocked {
    /// The language.
    pub lang: Lang,
    /// It brought another token.
    pub wrong: bool,
    /// The path that it asked for: the form goes there with `token`.
    pub action: String,
    /// The other parameters that it sent.
    pub more: Vec<Field>,
}

fn clients() -> Vec<DevClient> {
    [
        (
            "小屋 Rooms",
            "website",
            "wx0000000000000001",
            "127.0.0.1:8085",
        ),
        (
            "小屋 Rooms App",
            "mobile",
            "wx0000000000000002",
            "com.example.rooms",
        ),
        (
            "Petit déjeuner 🐟",
            "mini program",
            "wx0000000000000003",
            "—",
        ),
    ]
    .into_iter()
    .map(|(name, kind, appid, redirect)| DevClient {
        name: name.to_owned(),
        kind: kind.to_owned(),
        appid: appid.to_owned(),
        secret: "0123456789abcdef0123456789abcdef".to_owned(),
        redirect: redirect.to_owned(),
    })
    .collect()
}

fn hostile_client() -> DevClient {
    let app = sample::hostile_app();
    DevClient {
        name: app.name,
        kind: sample::HOSTILE.to_owned(),
        appid: sample::HOSTILE.to_owned(),
        secret: sample::HOSTILE.to_owned(),
        redirect: sample::HOSTILE.to_owned(),
    }
}

impl Sample for DevStart {
    const NAME: &'static str = "dev_start";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let plain = DevStart {
            lang,
            lang_href: Some("/?lang=en".to_owned()),
            base_url: "http://127.0.0.1:8084".to_owned(),
            demo_href: "/demo/".to_owned(),
            inbox_href: "/dev/inbox".to_owned(),
            codes_href: "/dev/codes".to_owned(),
            account_href: "/account".to_owned(),
            people: sample::people(),
            clients: clients(),
            links: vec![(
                "OpenID Connect".to_owned(),
                "/.well-known/openid-configuration".to_owned(),
            )],
        };
        vec![
            ("plain", plain.clone()),
            (
                "hostile",
                DevStart {
                    clients: vec![hostile_client()],
                    links: vec![(sample::HOSTILE.to_owned(), sample::HOSTILE.to_owned())],
                    ..plain
                },
            ),
        ]
    }
}

impl Sample for Inbox {
    const NAME: &'static str = "inbox";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let item = |to: &str, passcode: &str, text: &str, age, live| InboxItem {
            to: to.to_owned(),
            passcode: passcode.to_owned(),
            text: text.to_owned(),
            age: Age(age),
            live,
        };
        let empty = Inbox {
            lang,
            items: Vec::new(),
            refresh: 3,
            start_href: "/".to_owned(),
        };
        vec![
            ("empty", empty.clone()),
            (
                "some",
                Inbox {
                    items: vec![
                        item(
                            "+8613800000001",
                            "493027",
                            "【鱼符】验证码 493027，5 分钟内有效。",
                            1,
                            true,
                        ),
                        item(
                            "+8613800000002",
                            "100200",
                            "【鱼符】验证码 100200，5 分钟内有效。",
                            75,
                            true,
                        ),
                        item("+447700900123", "887766", sample::HOSTILE, 90_000, false),
                    ],
                    ..empty
                },
            ),
        ]
    }
}

impl Sample for DevLocked {
    const NAME: &'static str = "dev_locked";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let plain = DevLocked {
            lang,
            wrong: false,
            action: "/phone".to_owned(),
            more: Vec::new(),
        };
        vec![
            ("plain", plain.clone()),
            (
                "wrong",
                DevLocked {
                    wrong: true,
                    action: format!("/flows/{}", sample::HOSTILE),
                    more: vec![Field::new(sample::HOSTILE, sample::HOSTILE)],
                    ..plain
                },
            ),
        ]
    }
}

impl Sample for DevCodes {
    const NAME: &'static str = "dev_codes";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let plain = DevCodes {
            lang,
            csrf: sample::CSRF.to_owned(),
            action: "/dev/codes".to_owned(),
            clients: clients(),
            people: sample::people(),
            client: String::new(),
            user: String::new(),
            issued: None,
            start_href: "/".to_owned(),
        };
        let mut mixed = clients();
        mixed.push(hostile_client());
        vec![
            ("plain", plain.clone()),
            (
                "issued",
                DevCodes {
                    clients: mixed,
                    client: "wx0000000000000003".to_owned(),
                    user: "jose".to_owned(),
                    issued: Some(IssuedCode {
                        code: "0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P".to_owned(),
                        client: "Petit déjeuner 🐟".to_owned(),
                        person: "José 🦊".to_owned(),
                        seconds_left: 300,
                    }),
                    ..plain
                },
            ),
        ]
    }
}
