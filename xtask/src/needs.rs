//! What the tests need from the machine, and how it gets there: Debian's packages by `apt-get`,
//! the toolchain's parts by `rustup`.

use std::fs;
use std::io::IsTerminal as _;
use std::path::Path;

use crate::run;

/// Something the tests need.
struct Need {
    /// What it is, for people.
    what: &'static str,
    /// The Debian packages that bring it.
    packages: &'static [&'static str],
    /// Whether it is here.
    here: fn() -> bool,
    /// The steps that need it.
    steps: &'static [&'static str],
}

const NEEDS: &[Need] = &[
    Need {
        what: "a C and C++ compiler",
        packages: &["build-essential"],
        here: || program("cc") && program("c++"),
        steps: &["clippy", "docs", "tests", "release", "programs", "fuzz"],
    },
    Need {
        what: "Python 3 with venv and pip",
        packages: &["python3", "python3-venv", "python3-pip"],
        here: || run::succeeds("python3", &["-c", "import venv, ensurepip"]),
        steps: &["conformance", "programs"],
    },
    Need {
        what: "Node",
        packages: &["nodejs"],
        here: || program("node"),
        steps: &["conformance", "programs", "browser"],
    },
    Need {
        what: "npm",
        packages: &["npm"],
        here: || program("npm"),
        steps: &["conformance", "programs", "browser"],
    },
    Need {
        what: "openssl",
        packages: &["openssl"],
        here: || program("openssl"),
        steps: &["conformance", "programs"],
    },
    Need {
        what: "unshare (private networks)",
        packages: &["util-linux", "mount"],
        here: || program("unshare") && program("mount"),
        steps: &["conformance", "programs"],
    },
    Need {
        what: "ip (private networks)",
        packages: &["iproute2"],
        here: || program("ip"),
        steps: &["conformance", "programs"],
    },
    Need {
        what: "curl",
        packages: &["curl"],
        here: || program("curl"),
        steps: &["programs"],
    },
    Need {
        what: "Java, 17 or newer",
        packages: &["default-jdk-headless"],
        here: || program("javac"),
        steps: &["programs"],
    },
    Need {
        what: "JUnit 5",
        packages: &["junit5"],
        here: || Path::new("/usr/share/java/junit-platform-console-standalone.jar").is_file(),
        steps: &["programs"],
    },
    Need {
        what: "Chromium",
        packages: &["chromium"],
        here: || program("chromium"),
        steps: &["browser"],
    },
    Need {
        what: "Chinese fonts",
        packages: &["fonts-noto-cjk"],
        here: || font("CJK"),
        steps: &["browser"],
    },
    Need {
        what: "an emoji font",
        packages: &["fonts-noto-color-emoji"],
        here: || font("Emoji"),
        steps: &["browser"],
    },
];

/// The oldest Node that the suites are tried with.
const NODE: u32 = 20;

/// Looks what these steps need and lacks, and installs it.
///
/// An error says what to install by hand.
pub(crate) fn meet(steps: &[&str]) -> Result<(), String> {
    parts(steps)?;
    let missing = || {
        NEEDS
            .iter()
            .filter(|need| need.steps.iter().any(|step| steps.contains(step)) && !(need.here)())
    };
    let packages: Vec<&str> = missing().flat_map(|need| need.packages).copied().collect();
    if !packages.is_empty() {
        for need in missing() {
            println!(
                "xtask: missing: {} (Debian: {})",
                need.what,
                need.packages.join(" ")
            );
        }
        install(&packages)?;
        if let Some(need) = missing().next() {
            return Err(format!(
                "{} is still missing after the installation",
                need.what
            ));
        }
    }
    old_node(steps);
    Ok(())
}

/// rustfmt and clippy come with the toolchain.
fn parts(steps: &[&str]) -> Result<(), String> {
    for (step, command, part) in [("format", "fmt", "rustfmt"), ("clippy", "clippy", "clippy")] {
        if !steps.contains(&step) || run::succeeds("cargo", &[command, "--version"]) {
            continue;
        }
        println!("xtask: missing: {part}; adding it to the toolchain");
        let rustup = run::command("rustup", &["component", "add", part]);
        run::stream(rustup).map_err(|problem| {
            format!("{problem}\nadd {part} to the Rust toolchain and run this again")
        })?;
    }
    Ok(())
}

fn install(packages: &[&str]) -> Result<(), String> {
    let by_hand = format!("install by hand: apt-get install {}", packages.join(" "));
    if !program("apt-get") {
        return Err(format!("there is no apt-get here; {by_hand}"));
    }
    let is_root = run::output("id", &["-u"]).as_deref() == Some("0");
    // Where nobody can type a password, sudo must not ask for one.
    let prefix: &[&str] = match (is_root, program("sudo"), std::io::stdin().is_terminal()) {
        (true, _, _) => &[],
        (false, true, true) => &["sudo"],
        (false, true, false) if run::succeeds("sudo", &["-n", "true"]) => &["sudo", "-n"],
        _ => return Err(format!("only root may install packages; {by_hand}")),
    };
    let apt = |words: &[&str]| {
        let noninteractive = [
            "env",
            "DEBIAN_FRONTEND=noninteractive",
            "apt-get",
            "--quiet",
        ];
        let line = [prefix, &noninteractive, words].concat();
        let (program, arguments) = line.split_first().ok_or("an empty command")?;
        let mut command = run::command(program, arguments);
        if prefix == ["sudo"] {
            command.stdin(std::process::Stdio::inherit());
        }
        println!("xtask: {}", run::shown(&command));
        run::stream(command)
    };
    let all = [&["install", "--yes", "--no-install-recommends"], packages].concat();
    apt(&["update"])
        .and_then(|()| apt(&all))
        .map_err(|problem| format!("{problem}\n{by_hand}"))
}

fn old_node(steps: &[&str]) {
    if !steps
        .iter()
        .any(|step| ["conformance", "programs", "browser"].contains(step))
    {
        return;
    }
    let version = run::output("node", &["--version"]).unwrap_or_default();
    let major = version
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|text| text.parse().ok());
    if major.is_none_or(|major: u32| major < NODE) {
        println!(
            "xtask: Node {NODE} or newer is wanted, this one is {version}: libraries may not load"
        );
    }
}

/// Whether a program of this name can be run.
fn program(name: &str) -> bool {
    std::env::split_paths(&run::path()).any(|place| place.join(name).is_file())
}

fn font(mark: &str) -> bool {
    fn holds(folder: &Path, mark: &str, depth: u32) -> bool {
        let Ok(entries) = fs::read_dir(folder) else {
            return false;
        };
        entries.flatten().any(|entry| {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            entry.file_name().to_string_lossy().contains(mark)
                || (is_folder && depth > 0 && holds(&entry.path(), mark, depth - 1))
        })
    }
    holds(Path::new("/usr/share/fonts"), mark, 4)
        || holds(Path::new("/usr/local/share/fonts"), mark, 4)
}
