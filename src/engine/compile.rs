//! From a project's files to what can be run: the compiler with what it has to know, and a flow's plan.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use sequor_planner::plan::Plan;
use sequor_planner::{Compiler, Diagnostic, Diagnostics};

use super::project::Project;
use crate::error::{Error, ErrorKind, Result};
use crate::expr::Evaluator;
use crate::value::Value;

/// What a flow is compiled with.
#[derive(Debug, Clone, Default)]
pub struct CompileOptions {
    /// Variables that win over every other place they are set.
    pub variables: IndexMap<String, Value>,
    /// Only the steps with these ids; empty: all.
    pub select: Vec<String>,
    /// Not the steps with these ids.
    pub exclude: Vec<String>,
    /// Whether steps and requests go one by one, in the order of the flow.
    pub in_order: bool,
}

/// Why there is no plan.
#[derive(Debug)]
pub enum CompileError {
    /// Mistakes in the project's files, and warnings: all of them.
    Findings(Vec<Diagnostic>),
    /// What is not a matter of the files' text.
    Error(Error),
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CompileError::Findings(found) => {
                let texts: Vec<&str> = found.iter().map(|d| d.message.as_str()).collect();
                f.write_str(&texts.join("; "))
            }
            CompileError::Error(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CompileError {}

impl From<Error> for CompileError {
    fn from(error: Error) -> Self {
        CompileError::Error(error)
    }
}

/// A project whose files were read, with the variables that its flows start from.
#[derive(Clone)]
pub struct Loaded {
    pub project: Arc<Project>,
    pub compiler: Arc<Compiler>,
    /// Variables that win over every other place they are set.
    pub overrides: IndexMap<String, Value>,
    /// Variables kept from earlier runs.
    pub kept: IndexMap<String, Value>,
}

/// A flow, compiled: what a session executes.
#[derive(Clone)]
pub struct Compiled {
    pub loaded: Loaded,
    pub plan: Plan,
    /// Warnings.
    pub findings: Vec<Diagnostic>,
}

impl Project {
    /// Reads the files of a project into a compiler. `d` gets what is wrong with them; none where nothing can be compiled.
    ///
    /// # Errors
    /// Variables kept from earlier runs that can't be read.
    pub fn load(
        self: &Arc<Self>,
        overrides: IndexMap<String, Value>,
        d: &mut Diagnostics,
    ) -> Result<Option<Loaded>> {
        let Some(compiler) = Compiler::read(&self.files, d) else {
            return Ok(None);
        };
        Ok(Some(Loaded {
            kept: self.kept_variables(&compiler)?,
            project: self.clone(),
            compiler: Arc::new(compiler),
            overrides,
        }))
    }

    /// Compiles a flow, named as its path below `flows/` without `.yaml`.
    ///
    /// # Errors
    /// All mistakes that are found, together with warnings; ids to select that no step has.
    pub async fn compile(
        self: &Arc<Self>,
        flow: &str,
        options: &CompileOptions,
    ) -> Result<Compiled, CompileError> {
        let mut d = Diagnostics::default();
        let loaded = self.load(options.variables.clone(), &mut d)?;
        let planned = loaded.and_then(|loaded| {
            let plan = loaded.plan(flow, &mut d)?;
            Some((loaded, plan))
        });
        check_jinja2(&mut d).await?;
        let failed = d.has_errors();
        let findings = d.into_sorted();
        let Some((loaded, plan)) = planned.filter(|_| !failed) else {
            return Err(CompileError::Findings(findings));
        };
        let plan = select(plan, options)?;
        let plan = match options.in_order {
            true => plan.in_flow_order(),
            false => plan,
        };
        Ok(Compiled {
            loaded,
            plan,
            findings,
        })
    }
}

impl Loaded {
    /// Plans a flow; none, with the reasons in `d`, where it can't be.
    pub fn plan(&self, flow: &str, d: &mut Diagnostics) -> Option<Plan> {
        let known = self.kept.keys().chain(self.overrides.keys()).cloned().collect();
        // A flow in a name with its ending is what shells complete.
        let flow = flow.trim_start_matches("./");
        let flow = flow.strip_prefix("flows/").unwrap_or(flow);
        let flow = flow.strip_suffix(".yaml").unwrap_or(flow);
        self.compiler.plan(flow, &known, d)
    }
}

/// Reports templates that need Python's Jinja2 where it is not installed. The interpreter is asked only when there are some.
///
/// # Errors
/// No interpreter.
pub async fn check_jinja2(d: &mut Diagnostics) -> Result<()> {
    if !d.needs_jinja2() {
        return Ok(());
    }
    let evaluator = Evaluator::default();
    let found = evaluator.python().module_file("jinja2".to_string()).await?;
    if found.is_none() {
        d.jinja2_is_missing();
    }
    Ok(())
}

fn select(plan: Plan, options: &CompileOptions) -> Result<Plan> {
    let all = plan.root.steps.len();
    let selected = plan
        .select(&options.select, &options.exclude)
        .map_err(|unknown| {
            let error = Error::new(ErrorKind::Project, format!("no step has the id `{}`", unknown.id));
            match unknown.help {
                Some(help) => error.help(help),
                None => error,
            }
        })?;
    if all > 0 && selected.root.steps.is_empty() {
        return Err(Error::new(
            ErrorKind::Project,
            "no step is left: --exclude takes out all that is selected",
        ));
    }
    Ok(selected)
}
