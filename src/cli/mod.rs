//! The command line: one file per command. The only place that assembles the concrete parts.

mod args;
mod context;
mod engine;
mod estimate;
mod explain;
mod init;
mod log;
mod plan;
mod query;
mod run;
mod schema;
mod validate;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command, EnvCommand};
use context::Context;

use crate::error::ErrorKind;
use crate::report::{SourceText, render};

/// Exit codes, as documented: 0 done, 1 the flow failed, 2 project or command line wrong, 130 interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    Wrong = 2,
    Interrupted = 130,
}

/// Runs the program.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let context = Context::new(&args.global);
    let result = match &args.command {
        Command::Init { folder } => init::project(folder),
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
        Command::Explain { code } => explain::explain(code.as_deref()),
        Command::Schema { file } => schema::schema(*file),
        Command::Query(args) => query::query(&context, args),
    };
    let exit = result.unwrap_or_else(|error| {
        crate::report::err(render(&error, "", &SourceText::default(), context.color));
        match error.kind() {
            ErrorKind::Cancelled => Exit::Interrupted,
            ErrorKind::Project => Exit::Wrong,
            _ => Exit::Failed,
        }
    });
    ExitCode::from(exit as u8)
}
