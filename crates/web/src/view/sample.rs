//! Made-up data for the gallery and the tests.

use super::{
    lang::Lang,
    part::{App, DevPerson, Person},
};

/// A view that can show itself with made-up data.
pub trait Sample: askama::Template + Sized {
    /// The name of the view in file names.
    const NAME: &'static str;

    /// Realistic and hostile data, each with a name.
    fn samples(lang: Lang) -> Vec<(&'static str, Self)>;
}

/// Text that must never reach a page unescaped.
pub const HOSTILE: &str = "<script>alert(\"é\")</script>'&🦊 onclick=x";

/// A token as it stands in a form.
pub const CSRF: &str = "c5rf-s4mpl3-0123456789abcdef";

/// A one-pixel picture.
pub const PIXEL: &str =
    "data:image/gif;base64,R0lGODlhAQABAIAAALB5Ov///yH5BAAAAAAALAAAAAABAAEAAAICRAEAOw==";

pub(crate) fn app() -> App {
    App {
        name: "青石书店".to_owned(),
        developer: Some("青石文化传播(杭州)有限公司".to_owned()),
        icon: None,
    }
}

pub(crate) fn rooms() -> App {
    App {
        name: "小屋 Rooms".to_owned(),
        developer: Some("yufu demo".to_owned()),
        icon: None,
    }
}

pub(crate) fn hostile_app() -> App {
    App {
        name: format!("{HOSTILE} {}", "LoremIpsumDolorSitAmet".repeat(6)),
        developer: Some(format!("Développeur é 🐟 {}", "很长的公司名称".repeat(8))),
        icon: Some(PIXEL.to_owned()),
    }
}

pub(crate) fn person() -> Person {
    Person {
        name: "梅 Mei".to_owned(),
        phone: "138****0001".to_owned(),
        avatar: None,
    }
}

pub(crate) fn hostile_person() -> Person {
    Person {
        name: format!("{HOSTILE}👩‍👩‍👧‍👦{}", "名".repeat(60)),
        phone: "+44*****0123".to_owned(),
        avatar: Some(PIXEL.to_owned()),
    }
}

pub(crate) fn people() -> Vec<DevPerson> {
    [
        ("mei", "梅 Mei", "13800000001", "mei-loves-fish"),
        ("jose", "José 🦊", "13800000002", "jose-loves-fish"),
        (
            "long",
            "阿卜杜拉·伊本·穆罕默德·阿勒马克图姆 <b>",
            "13800000003",
            "p\"w<3",
        ),
    ]
    .into_iter()
    .map(|(id, name, phone, password)| DevPerson {
        id: id.to_owned(),
        name: name.to_owned(),
        phone: phone.to_owned(),
        password: password.to_owned(),
        avatar: None,
    })
    .collect()
}
