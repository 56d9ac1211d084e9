//! `yufu --help`: the commands in groups, for there are too many for one list. clap has headings
//! for options alone, so the list is laid out here, from what the commands say of themselves.

use clap::Command;

/// Every command that is shown, in the order in which it is.
const GROUPS: [(&str, &[&str]); 4] = [
    ("The sandbox", &["dev", "run", "open", "check", "ca"]),
    (
        "Speaking to a running sandbox",
        &[
            "person",
            "app",
            "fault",
            "clock",
            "expire",
            "auto",
            "authorize",
            "code",
            "inbox",
            "event",
            "flow",
            "reset",
            "snapshot",
            "restore",
        ],
    ),
    (
        "Serving",
        &["serve", "doctor", "migrate", "keys", "bench", "pages"],
    ),
    (
        "The books of a served house, or of dev --data",
        &[
            "client",
            "developer",
            "user",
            "token",
            "users",
            "identities",
            "webhooks",
            "vault",
        ],
    ),
];

/// The command with its help in groups.
pub(super) fn grouped(command: Command) -> Command {
    let mut text = "{about}\n\n{usage-heading} {usage}   (without one: yufu dev)\n".to_owned();
    for (heading, names) in GROUPS {
        text.push_str(&format!("\n{heading}:\n"));
        for name in names {
            let about = command.find_subcommand(name).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            text.push_str(&format!("  {name:12}{about}\n"));
        }
    }
    text.push_str("\nOptions:\n{options}\n");
    command.help_template(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;

    use super::super::Cli;
    use super::*;

    #[test]
    fn every_command_stands_in_one_group_and_says_what_it_is() {
        let command = Cli::command();
        let shown = command.get_subcommands().filter(|it| !it.is_hide_set());
        let shown: BTreeSet<_> = shown.map(Command::get_name).collect();
        let grouped: Vec<_> = GROUPS
            .iter()
            .flat_map(|(_, names)| names.iter().copied())
            .collect();
        let once: BTreeSet<_> = grouped.iter().copied().collect();
        assert_eq!(once.len(), grouped.len(), "a command stands in two groups");
        assert_eq!(once, shown, "the groups are not all");
        for command in command.get_subcommands() {
            let about = command.get_about().map(ToString::to_string);
            let about = about.unwrap_or_default();
            assert!(!about.is_empty(), "{}", command.get_name());
            assert!(!about.contains(['{', '}', '\n']), "{}", command.get_name());
        }
        Cli::command().debug_assert();
    }
}
