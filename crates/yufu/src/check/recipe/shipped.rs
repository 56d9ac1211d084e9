//! The recipes that come with the program.

/// A recipe that comes with the program.
pub struct Shipped {
    /// Its name, for `--like`.
    pub name: &'static str,
    /// For whom it is.
    pub about: &'static str,
    /// The recipe.
    pub text: &'static str,
}

/// All of them.
pub const ALL: [Shipped; 5] = [
    Shipped {
        name: "yufu",
        about: "yufu's own login backend",
        text: include_str!("../../../recipes/yufu.toml"),
    },
    Shipped {
        name: "authjs",
        about: "Auth.js (NextAuth) with its WeChat provider",
        text: include_str!("../../../recipes/authjs.toml"),
    },
    Shipped {
        name: "better-auth",
        about: "better-auth with its WeChat provider",
        text: include_str!("../../../recipes/better-auth.toml"),
    },
    Shipped {
        name: "justauth",
        about: "an API in the manner of JustAuth",
        text: include_str!("../../../recipes/justauth.toml"),
    },
    Shipped {
        name: "ruoyi",
        about: "an API in the manner of ruoyi-vue-pro",
        text: include_str!("../../../recipes/ruoyi.toml"),
    },
];

/// The recipe of a name.
pub fn named(name: &str) -> Option<&'static Shipped> {
    ALL.iter().find(|shipped| shipped.name == name)
}
