//! What all commands share: where things are, how output looks, and reading the project.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use indexmap::IndexMap;
use sequor_planner::{Diagnostic, ProjectFiles, Severity};
use tokio_util::sync::CancellationToken;

use super::args::Global;
use crate::engine::{Location, Project};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{ErrorReport, RunReport};
use crate::report::{SourceText, count, render};
use crate::value::Value;

/// What all commands share.
pub struct Context {
    pub location: Location,
    pub quiet: bool,
    /// Whether standard error takes colours.
    pub color: bool,
    /// Whether standard output does.
    pub color_out: bool,
    /// Whether standard error is a terminal that can move its cursor.
    pub terminal: bool,
    /// Stops runs in order, where another program says when; none: signals do.
    pub stop: Option<CancellationToken>,
    /// The report of the run, once it is over.
    pub report: OnceLock<RunReport>,
}

impl Context {
    /// Reads options and the process's environment.
    pub fn new(global: &Global) -> Context {
        let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
        // https://bixense.com/clicolors, https://no-color.org
        let forced = std::env::var("CLICOLOR_FORCE").is_ok_and(|v| !v.is_empty() && v != "0");
        let colored = |terminal: bool| (terminal || forced) && !set("NO_COLOR");
        let dumb = std::env::var("TERM").is_ok_and(|t| t == "dumb");
        let terminal = std::io::stderr().is_terminal() && !dumb;
        let user = || std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE"));
        // In quotes, shells leave `~` to the program.
        let expanded = |path: PathBuf| match (path.strip_prefix("~"), user()) {
            (Ok(rest), Some(user)) => PathBuf::from(user).join(rest),
            _ => path,
        };
        let home = global.home_dir.clone().map(expanded);
        let home = home.or_else(|| Some(PathBuf::from(user()?).join(".sequor")));
        Context {
            location: Location {
                project: global.project_dir.clone(),
                home: home.unwrap_or_else(|| PathBuf::from(".sequor")),
                env: global.env.clone(),
            },
            quiet: global.quiet,
            color: colored(terminal),
            color_out: colored(std::io::stdout().is_terminal() && !dumb),
            terminal: terminal && !set("CI"),
            stop: None,
            report: OnceLock::new(),
        }
    }

    /// Reads the project.
    pub fn project(&self) -> Result<Arc<Project>> {
        Project::open(&self.location).map(Arc::new)
    }

    /// Shows an error on standard error.
    pub fn complain(&self, error: &Error, source: &SourceText) {
        crate::report::err(render(&ErrorReport::from(error), "", source, self.color));
    }

    /// Shows findings on standard error.
    pub fn show(&self, found: &[Diagnostic], files: &ProjectFiles) {
        for diagnostic in found {
            if self.quiet && diagnostic.severity == Severity::Warning {
                continue;
            }
            let source = diagnostic.place.as_ref().and_then(|p| files.text(&p.file));
            crate::report::err(format!("{}\n", diagnostic.render(source, self.color)));
        }
    }
}

/// Reads `NAME=VALUE` pairs. Values are text.
pub fn overrides(pairs: &[String]) -> Result<IndexMap<String, Value>> {
    let mut variables = IndexMap::with_capacity(pairs.len());
    for pair in pairs {
        let Some((name, value)) = pair.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(Error::new(
                ErrorKind::Project,
                format!("`--var {pair}` is not NAME=VALUE"),
            ));
        };
        variables.insert(name.to_string(), Value::text(value));
    }
    Ok(variables)
}

/// Returns the count of errors and warnings, in words.
pub fn tally(found: &[Diagnostic]) -> String {
    let errors = found.iter().filter(|d| d.severity == Severity::Error).count();
    let warnings = found.len() - errors;
    let say = |n: usize, what: &str| count(n as u64, what);
    match (errors, warnings) {
        (0, w) => say(w, "warning"),
        (e, 0) => say(e, "error"),
        (e, w) => format!("{}, {}", say(e, "error"), say(w, "warning")),
    }
}
