//! From a project's files to what can be run: the compiler with what it has to know, and a flow's plan.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use sequor_planner::plan::Plan;
use sequor_planner::{Compiler, CompilerStage, Diagnostic, Diagnostics, PlanOptions, SelectError};

use super::project::Project;
use crate::error::{Error, ErrorKind, Result};
use crate::expr::Evaluator;
use crate::state::Store;
use crate::value::Value;

/// What a flow is compiled with.
#[derive(Debug, Clone, Default)]
pub struct CompileOptions {
    /// Variables that win over every other place they are set.
    pub variables: IndexMap<String, Value>,
    /// Which steps are planned, and how they follow each other.
    pub plan: PlanOptions,
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
    /// The project's state, where it is open already.
    pub state: Option<Store>,
    /// What is to be told, once.
    pub notices: Vec<String>,
}

/// A flow, compiled: what a session executes.
#[derive(Clone)]
pub struct Compiled {
    pub loaded: Loaded,
    pub plan: Plan,
    /// What it was compiled with.
    pub options: CompileOptions,
    /// Warnings.
    pub findings: Vec<Diagnostic>,
}

impl Compiled {
    /// Returns the names of the project and of the environment in use.
    pub fn names(&self) -> (&str, Option<&str>) {
        (&self.plan.project, self.loaded.project.env.as_deref())
    }
}

impl Project {
    /// Reads the files of a project into a compiler. `d` gets what is wrong with them; none where nothing can be compiled. What
    /// is kept in a database is not read yet: [`Loaded::connected`].
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
            state: None,
            notices: Vec::new(),
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
        self.compile_in_stages(flow, options, &mut |_, _| {}).await
    }

    /// Returns the same; `stage` gets each stage of the compiler and the plan as it is behind it.
    ///
    /// # Errors
    /// As [`Project::compile`].
    pub async fn compile_in_stages(
        self: &Arc<Self>,
        flow: &str,
        options: &CompileOptions,
        stage: &mut (dyn FnMut(CompilerStage, &Plan) + Send),
    ) -> Result<Compiled, CompileError> {
        let mut d = Diagnostics::default();
        let loaded = self.load(options.variables.clone(), &mut d)?;
        let planned = match loaded {
            None => None,
            Some(loaded) => {
                let loaded = loaded.connected().await?;
                let plan = loaded.plan(flow, &options.plan, &mut d, stage);
                plan.map_err(select_error)?.map(|plan| (loaded, plan))
            }
        };
        check_jinja2(&mut d).await?;
        let failed = d.has_errors();
        let findings = d.into_sorted();
        let Some((loaded, plan)) = planned.filter(|_| !failed) else {
            return Err(CompileError::Findings(findings));
        };
        Ok(Compiled {
            loaded,
            plan,
            options: options.clone(),
            findings,
        })
    }
}

impl Loaded {
    /// Plans a flow; none, with the reasons in `d`, where it can't be. `stage` gets each stage of the compiler.
    ///
    /// # Errors
    /// Steps are selected that are not there, or none is.
    pub fn plan(
        &self,
        flow: &str,
        options: &PlanOptions,
        d: &mut Diagnostics,
        stage: &mut (dyn FnMut(CompilerStage, &Plan) + Send),
    ) -> Result<Option<Plan>, SelectError> {
        let known = self.kept.keys().chain(self.overrides.keys()).cloned().collect();
        // A flow in a name with its ending is what shells complete.
        let flow = flow.trim_start_matches("./");
        let flow = flow.strip_prefix("flows/").unwrap_or(flow);
        let flow = flow.strip_suffix(".yaml").unwrap_or(flow);
        self.compiler.plan_in_stages(flow, &known, options, d, stage)
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

fn select_error(error: SelectError) -> Error {
    match error {
        SelectError::UnknownStep { id, help } => {
            let error = Error::new(ErrorKind::Project, format!("no step has the id `{id}`"));
            match help {
                Some(help) => error.help(help),
                None => error,
            }
        }
        SelectError::NothingLeft => Error::new(
            ErrorKind::Project,
            "no step is left: --exclude takes out all that is selected",
        ),
    }
}
