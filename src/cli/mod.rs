//! The command line: one file per command. The only place that assembles the concrete parts.

mod args;
mod compile;
mod context;
mod doctor;
mod explain;
mod help;
mod init;
mod log;
mod logs;
mod plan;
mod query;
mod retry;
mod run;
mod run_args;
mod runs;
mod runtime;
mod schema;
mod show;
mod state;
mod step_options;
mod step_states;
mod templates;
mod test;
mod test_args;
mod test_new;
mod validate;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::FromArgMatches;
use tokio_util::sync::CancellationToken;

use args::{Args, Command, EnvCommand};
use context::Context;

use crate::error::{Exit, Result};
use crate::event::RunReport;
use crate::report::SourceText;

/// What a command came to.
#[derive(Debug)]
pub struct Invoked {
    pub exit: Exit,
    /// What a run did; none of other commands, and where none began.
    pub report: Option<RunReport>,
}

/// Runs the program, with the arguments of its process.
pub fn main() -> ExitCode {
    ExitCode::from(invoke(std::env::args_os(), None).exit as u8)
}

/// Runs a command, given as words, the first of them the program's name. `stop`: what stops its runs in order; none: signals do,
/// as if it were alone in its process.
pub fn invoke(words: impl IntoIterator<Item = OsString>, stop: Option<CancellationToken>) -> Invoked {
    let parsed = help::definition().try_get_matches_from(words);
    let args = match parsed.and_then(|matches| Args::from_arg_matches(&matches)) {
        Ok(args) => args,
        Err(error) => {
            // A reader that has gone away is no reason to break down.
            let _ = error.print();
            let exit = match error.exit_code() {
                0 => Exit::Done,
                _ => Exit::Wrong,
            };
            return Invoked { exit, report: None };
        }
    };
    let mut context = Context::new(&args.global);
    context.stop = stop;
    let exit = command(&context, &args.command).unwrap_or_else(|error| {
        context.complain(&error, &SourceText::default());
        error.kind().policy().exit
    });
    Invoked {
        exit,
        report: context.report.into_inner(),
    }
}

fn command(context: &Context, command: &Command) -> Result<Exit> {
    match command {
        Command::Init { folder, template } => init::project(folder, template.as_deref()),
        Command::Env {
            command: EnvCommand::Init { name },
        } => init::environment(context, name),
        Command::Version => {
            crate::report::out(format!("sequor {}", env!("CARGO_PKG_VERSION")));
            Ok(Exit::Done)
        }
        Command::Completions { shell } => help::completions(*shell),
        Command::Man { folder } => help::manual(folder),
        Command::Validate(args) => validate::validate(context, args),
        Command::Plan(args) => plan::plan(context, args),
        Command::Run(args) => run::run(context, args),
        Command::Doctor { format } => doctor::doctor(context, *format),
        Command::Test(args) => test::test(context, args),
        Command::Explain { code } => explain::explain(code.as_deref()),
        Command::Schema { file } => schema::schema(*file),
        Command::Runs(args) => runs::runs(context, args),
        Command::Show(args) => show::show(context, args),
        Command::Retry(args) => retry::retry(context, args),
        Command::Logs(args) => logs::logs(context, args),
        Command::Query(args) => query::query(context, args),
        Command::State { command } => step_states::state(context, command),
    }
}
