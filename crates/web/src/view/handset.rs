//! The phone of the sandbox: a handset that is one of its people.

use askama::Template;

use super::{
    lang::Lang,
    part::DevPerson,
    sample::{self, Sample},
    text::Text as T,
};

/// A simulated handset. Its script asks the sandbox's control; the texts of what it builds stand
/// in the page's `<template>` elements.
#[derive(Clone, Debug, Template)]
#[template(path = "handset.html")]
pub struct Handset {
    /// The language.
    pub lang: Lang,
    /// The same page in the other language.
    pub lang_href: Option<String>,
    /// The people whose phone it can be; `id` is the short name.
    pub people: Vec<DevPerson>,
    /// The short name of whose phone it is.
    pub person: String,
    /// Where the control answers, such as `/_sandbox`.
    pub api: String,
    /// The start page; `None` for a handset on the network, which sees nothing else.
    pub start_href: Option<String>,
}

impl Handset {
    fn of_whom(&self) -> &str {
        let person = self.people.iter().find(|person| person.id == self.person);
        person.map_or("", |person| &person.name)
    }
}

impl Sample for Handset {
    const NAME: &'static str = "handset";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let plain = Self {
            lang,
            lang_href: Some("/phone?lang=en".to_owned()),
            people: sample::people(),
            person: "mei".to_owned(),
            api: "/_sandbox".to_owned(),
            start_href: Some("/".to_owned()),
        };
        vec![
            ("plain", plain.clone()),
            (
                "lan",
                Self {
                    start_href: None,
                    lang_href: None,
                    ..plain.clone()
                },
            ),
            (
                "hostile",
                Self {
                    person: sample::HOSTILE.to_owned(),
                    api: sample::HOSTILE.to_owned(),
                    people: vec![DevPerson {
                        id: sample::HOSTILE.to_owned(),
                        name: sample::HOSTILE.to_owned(),
                        phone: sample::HOSTILE.to_owned(),
                        password: String::new(),
                        avatar: None,
                    }],
                    ..plain
                },
            ),
        ]
    }
}
