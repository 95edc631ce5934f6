//! The command line: one file per command. The only place that assembles the concrete parts.

mod args;
mod compile;
mod context;
mod doctor;
mod explain;
mod init;
mod log;
mod logs;
mod plan;
mod query;
mod retry;
mod run;
mod run_args;
mod runs;
mod schema;
mod show;
mod state;
mod templates;
mod test;
mod test_args;
mod test_new;
mod validate;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command, EnvCommand};
use context::Context;

use crate::error::Exit;
use crate::report::SourceText;

/// Runs the program.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let context = Context::new(&args.global);
    let result = match &args.command {
        Command::Init { folder, template } => init::project(folder, template.as_deref()),
        Command::Env {
            command: EnvCommand::Init { name },
        } => init::environment(&context, name),
        Command::Version => {
            crate::report::out(format!("sequor {}", env!("CARGO_PKG_VERSION")));
            Ok(Exit::Done)
        }
        Command::Validate(args) => validate::validate(&context, args),
        Command::Plan(args) => plan::plan(&context, args),
        Command::Run(args) => run::run(&context, args),
        Command::Doctor { format } => doctor::doctor(&context, *format),
        Command::Test(args) => test::test(&context, args),
        Command::Explain { code } => explain::explain(code.as_deref()),
        Command::Schema { file } => schema::schema(*file),
        Command::Runs(args) => runs::runs(&context, args),
        Command::Show(args) => show::show(&context, args),
        Command::Retry(args) => retry::retry(&context, args),
        Command::Logs(args) => logs::logs(&context, args),
        Command::Query(args) => query::query(&context, args),
    };
    let exit = result.unwrap_or_else(|error| {
        context.complain(&error, &SourceText::default());
        error.kind().policy().exit
    });
    ExitCode::from(exit as u8)
}
