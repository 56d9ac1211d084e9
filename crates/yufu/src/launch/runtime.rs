//! What a command is written in, as far as its words tell: each runtime has its own way to a proxy
//! and to its roots, and its own remedy when it does not take the one that is offered.

use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// What runs an app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Runtime {
    /// Node, and the package managers that start it.
    Node,
    /// Bun.
    Bun,
    /// Deno.
    Deno,
    /// Python.
    Python,
    /// Java, Kotlin, Scala: a Java virtual machine.
    Java,
    /// Go.
    Go,
    /// Rust.
    Rust,
    /// Ruby.
    Ruby,
    /// PHP.
    Php,
    /// .NET.
    Dotnet,
    /// curl.
    Curl,
    /// A browser.
    Browser,
    /// Anything else, as a program that was built somewhere else.
    #[default]
    #[serde(other)]
    Unknown,
}

impl Runtime {
    /// Their words, in their order.
    pub const WORDS: &'static [&'static str] = &[
        "node", "bun", "deno", "python", "java", "go", "rust", "ruby", "php", "dotnet", "curl",
        "browser", "unknown",
    ];

    /// Reads a word.
    pub fn parse(word: &str) -> Self {
        let word = serde_json::Value::from(word);
        serde_json::from_value(word).unwrap_or_default()
    }
}

/// Programs by name, without a version at the end.
const PROGRAMS: &[(&[&str], Runtime)] = &[
    (
        &[
            "node",
            "nodejs",
            "npm",
            "npx",
            "pnpm",
            "pnpx",
            "yarn",
            "corepack",
            "next",
            "nuxt",
            "nest",
            "vite",
            "vitest",
            "jest",
            "mocha",
            "tsx",
            "ts-node",
            "nodemon",
            "pm2",
            "turbo",
            "nx",
            "playwright",
            "egg-bin",
            "umi",
        ],
        Runtime::Node,
    ),
    (&["bun", "bunx"], Runtime::Bun),
    (&["deno"], Runtime::Deno),
    (
        &[
            "python",
            "pypy",
            "uv",
            "uvx",
            "poetry",
            "pipenv",
            "pdm",
            "hatch",
            "rye",
            "flask",
            "uvicorn",
            "gunicorn",
            "hypercorn",
            "daphne",
            "celery",
            "pytest",
            "tox",
            "nox",
            "fastapi",
            "django-admin",
            "ipython",
            "jupyter",
        ],
        Runtime::Python,
    ),
    (
        &[
            "java",
            "mvn",
            "mvnw",
            "mvnd",
            "gradle",
            "gradlew",
            "sbt",
            "kotlin",
            "scala",
            "groovy",
            "jbang",
            "catalina.sh",
            "quarkus",
            "bazel-java",
        ],
        Runtime::Java,
    ),
    (&["go", "air", "dlv", "gotestsum", "kratos"], Runtime::Go),
    (&["cargo", "rustc", "bacon"], Runtime::Rust),
    (
        &[
            "ruby", "rails", "bundle", "rake", "rackup", "puma", "rspec", "jruby",
        ],
        Runtime::Ruby,
    ),
    (
        &[
            "php",
            "composer",
            "artisan",
            "symfony",
            "phpunit",
            "php-fpm",
            "frankenphp",
        ],
        Runtime::Php,
    ),
    (&["dotnet"], Runtime::Dotnet),
    (&["curl"], Runtime::Curl),
    (
        &[
            "chromium",
            "chromium-browser",
            "google-chrome",
            "chrome",
            "firefox",
            "brave",
        ],
        Runtime::Browser,
    ),
];
/// What stands before a command without being one.
const BEFORE: &[&str] = &[
    "env",
    "nice",
    "nohup",
    "time",
    "timeout",
    "sudo",
    "exec",
    "dotenv",
    "direnv",
    "caffeinate",
    "stdbuf",
    "setsid",
    "xvfb-run",
    "doas",
];
/// Shells, which run what stands behind `-c`, or a file.
const SHELLS: &[&str] = &["sh", "bash", "zsh", "dash", "fish", "ash"];
/// Files by how they end.
const FILES: &[(&str, Runtime)] = &[
    ("js", Runtime::Node),
    ("mjs", Runtime::Node),
    ("cjs", Runtime::Node),
    ("ts", Runtime::Node),
    ("py", Runtime::Python),
    ("jar", Runtime::Java),
    ("rb", Runtime::Ruby),
    ("php", Runtime::Php),
    ("go", Runtime::Go),
];

/// Looks at a command. `read` answers the beginning of a file, for scripts that say in their first
/// line what runs them.
pub fn of(command: &[String], read: &dyn Fn(&Path) -> Option<String>) -> Runtime {
    let mut words = command.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let name = name(word);
        if let Some(runtime) = program(&name) {
            return runtime;
        }
        if SHELLS.contains(&name.as_str()) {
            return shell(&mut words, read);
        }
        if let Some(runtime) = file(word) {
            return runtime;
        }
        // Settings and flags of what stands before, and its numbers (`timeout 30`).
        let is_between = word.starts_with('-')
            || word.contains('=')
            || word.starts_with(|c: char| c.is_ascii_digit())
            || BEFORE.contains(&name.as_str());
        if !is_between {
            return script(Path::new(word), read);
        }
    }
    Runtime::Unknown
}

/// The beginning of a file.
pub fn beginning(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).ok()?;
    file.take(4096).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn shell<'a>(
    words: &mut impl Iterator<Item = &'a str>,
    read: &dyn Fn(&Path) -> Option<String>,
) -> Runtime {
    while let Some(word) = words.next() {
        let is_flags = word.strip_prefix('-');
        if is_flags.is_some_and(|flags| flags.ends_with('c')) {
            let script = words.next().unwrap_or_default();
            return mentioned(script);
        }
        if is_flags.is_none() {
            let text = read(Path::new(word)).unwrap_or_default();
            return mentioned(&text);
        }
    }
    Runtime::Unknown
}

/// The first program in a script that is known.
fn mentioned(script: &str) -> Runtime {
    let words = script.split(|c: char| c.is_whitespace() || ";&|()\"'`$".contains(c));
    let mut known = words.filter_map(|word| program(&name(word)).or_else(|| file(word)));
    known.next().unwrap_or_default()
}

/// A program's own first line (`#!/usr/bin/env node`).
fn script(path: &Path, read: &dyn Fn(&Path) -> Option<String>) -> Runtime {
    let text = read(path).unwrap_or_default();
    let first = text.lines().next().unwrap_or_default();
    match first.strip_prefix("#!") {
        Some(line) => match mentioned(line) {
            // A shell script such as gradlew: what it starts.
            Runtime::Unknown => mentioned(&text),
            runtime => runtime,
        },
        None => Runtime::Unknown,
    }
}

fn file(word: &str) -> Option<Runtime> {
    let kind = Path::new(word).extension()?.to_str()?;
    let found = FILES.iter().find(|(ending, _)| *ending == kind);
    found.map(|(_, runtime)| *runtime)
}

/// The name of a program: no folder, no version.
fn name(word: &str) -> String {
    let name = word.rsplit('/').next().unwrap_or_default().to_lowercase();
    let name = name.strip_suffix(".exe").unwrap_or(&name);
    let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    if bare.is_empty() { name } else { bare }.to_owned()
}

fn program(name: &str) -> Option<Runtime> {
    let row = PROGRAMS.iter().find(|(names, _)| names.contains(&name));
    row.map(|(_, runtime)| *runtime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_and_written() {
        for word in Runtime::WORDS {
            assert_eq!(serde_json::json!(Runtime::parse(word)), *word);
        }
        assert_eq!(Runtime::parse("cobol"), Runtime::Unknown);
    }

    #[test]
    fn a_runtime_is_known_by_the_words_of_the_command() {
        let rows: &[(&str, Runtime)] = &[
            ("node server.js", Runtime::Node),
            ("npm run dev", Runtime::Node),
            ("./node_modules/.bin/next dev", Runtime::Node),
            ("/usr/bin/python3.11 app.py", Runtime::Python),
            ("uvicorn app:app --reload", Runtime::Python),
            ("env DEBUG=1 PORT=3000 flask run", Runtime::Python),
            ("timeout -k 5 30 python3 -m app", Runtime::Python),
            ("./gradlew bootRun", Runtime::Java),
            ("java -jar app.jar", Runtime::Java),
            ("go run .", Runtime::Go),
            ("cargo run --release", Runtime::Rust),
            ("bundle exec rails s", Runtime::Ruby),
            ("php artisan serve", Runtime::Php),
            ("php8.2 -S 127.0.0.1:8000", Runtime::Php),
            ("dotnet watch", Runtime::Dotnet),
            ("deno task dev", Runtime::Deno),
            ("bun run dev", Runtime::Bun),
            ("./manage.py runserver", Runtime::Python),
            ("./target/debug/app", Runtime::Unknown),
            ("./script-node", Runtime::Node),
            ("./wrapper", Runtime::Java),
            ("sh start.sh", Runtime::Go),
            ("", Runtime::Unknown),
        ];
        let read = |path: &Path| match path.to_str() {
            Some("./script-node") => Some("#!/usr/bin/env node\nx".to_owned()),
            Some("./wrapper") => Some("#!/bin/sh\nexec java -cp x Main\n".to_owned()),
            Some("start.sh") => Some("cd app\nexec go run .\n".to_owned()),
            _ => None,
        };
        for (command, runtime) in rows {
            let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
            assert_eq!(of(&words, &read), *runtime, "{command}");
        }
        let words = ["bash", "-lc", "cd app && exec npm start"].map(str::to_owned);
        assert_eq!(of(&words, &read), Runtime::Node);
    }
}
