//! `sequor --help`, with the commands by task; completions of shells and manual pages, made of the same definitions.

use std::path::Path;

use clap::{Command, CommandFactory};
use clap_complete::Shell;

use super::args::Args;
use crate::error::{Error, ErrorKind, Exit, Result};

/// Commands by what they are for.
const TASKS: &[(&str, &[&str])] = &[
    ("Begin", &["init", "env", "doctor"]),
    (
        "Write and check",
        &["validate", "plan", "test", "explain", "schema"],
    ),
    ("Run", &["run", "retry"]),
    ("Look back", &["runs", "show", "logs", "query", "state"]),
    ("This program", &["completions", "man", "version", "help"]),
];

/// What the program reads of its environment.
const VARIABLES: &str = "\
Environment variables:
  SEQUOR_ENV        the environment, where --env does not name one
  SEQUOR_LOG        what the log file gets, like debug or sequor=trace
  SEQUOR_MEMORY     how much memory queries here may take, like 4GB
  SEQUOR_STATE_KEY  what kept tokens are encrypted by, in place of a key in the home folder
  NO_COLOR          no colours
  CLICOLOR_FORCE    colours, though it is no terminal that they go to: logs of CI";

/// Returns the definition of the command line.
pub fn definition() -> Command {
    let mut command = Args::command();
    // Its own `help` is among the commands.
    command.build();
    let width = TASKS.iter().flat_map(|(_, names)| *names).map(|name| name.len());
    let width = width.max().unwrap_or_default();
    let mut tasks = String::new();
    for (task, names) in TASKS {
        tasks.push_str(&format!("{task}:\n"));
        for name in *names {
            let found = command.find_subcommand(name);
            let about = found.and_then(Command::get_about).map(ToString::to_string);
            tasks.push_str(&format!("  {name:width$}  {}\n", about.unwrap_or_default()));
        }
        tasks.push('\n');
    }
    Args::command().help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{tasks}Options:\n{{options}}\n\n{VARIABLES}\n\n\
         Help on a command, with examples: sequor help COMMAND"
    ))
}

/// Prints what a shell completes words by.
pub fn completions(shell: Shell) -> Result<Exit> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "sequor", &mut text);
    crate::report::out(String::from_utf8_lossy(&text).trim_end());
    Ok(Exit::Done)
}

/// Writes a manual page for the program and for each of its commands.
///
/// # Errors
/// A folder that can't be written to.
pub fn manual(folder: &Path) -> Result<Exit> {
    let unwritten = |e: std::io::Error| {
        Error::new(
            ErrorKind::Io,
            format!("{} can't be written to: {e}", folder.display()),
        )
    };
    std::fs::create_dir_all(folder).map_err(unwritten)?;
    clap_mangen::generate_to(Args::command(), folder).map_err(unwritten)?;
    let pages = std::fs::read_dir(folder).map_err(unwritten)?.count();
    crate::report::out(format!(
        "{} in {}: see one with `man {}/sequor.1`",
        crate::report::count(pages as u64, "page"),
        folder.display(),
        folder.display()
    ));
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_its_task() {
        let mut command = Args::command();
        command.build();
        let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
        let mut shown: Vec<&str> = shown.map(Command::get_name).collect();
        let mut told: Vec<&str> = TASKS
            .iter()
            .flat_map(|(_, names)| names.iter().copied())
            .collect();
        shown.sort_unstable();
        told.sort_unstable();
        assert_eq!(shown, told);
    }
}
