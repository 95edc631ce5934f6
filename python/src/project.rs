//! A project: checked, planned, run, and its databases read and written.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use sequor::engine::{
    CompileError, CompileOptions, Compiled, DryOptions, DryRun, Keeps, Location, Project, ResumeOptions,
    Session,
};
use sequor::error::{Error, ErrorKind};
use sequor::python::from_python;
use sequor::value::Value;
use sequor_planner::ops::WriteMode;
use sequor_planner::{PlanOptions, explain};

use crate::errors::{json, not_compiled, raised};
use crate::rows::{Rows, given};
use crate::stop::Stop;
use crate::waiting::{Told, threads, wait};

/// A project's folder, with the environment and the variables that its flows are given.
#[pyclass(frozen, module = "sequor_engine._engine")]
pub struct Engine {
    location: Location,
    variables: IndexMap<String, Value>,
}

/// How a flow is run.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct RunOptions {
    select: Vec<String>,
    exclude: Vec<String>,
    in_order: bool,
    from_step: Option<String>,
    /// The beginning of a run's id; empty: the flow's latest.
    resume: Option<String>,
    force: bool,
    record: Option<PathBuf>,
    replay: Option<PathBuf>,
    wait: Option<f64>,
    timeout: Option<f64>,
    dry_run: Option<DryRunOptions>,
}

/// How a flow is tried.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct DryRunOptions {
    sample: u64,
    fixtures: Option<PathBuf>,
    offline: bool,
    diff: bool,
}

/// What is read of a source.
enum Wanted {
    Query(String),
    Table(String),
}

fn seconds(given: Option<f64>) -> PyResult<Option<Duration>> {
    let wrong = |e| pyo3::exceptions::PyValueError::new_err(format!("seconds: {e}"));
    given
        .map(|given| Duration::try_from_secs_f64(given).map_err(wrong))
        .transpose()
}

fn variables(given: &Bound<'_, PyDict>) -> PyResult<IndexMap<String, Value>> {
    let each = given
        .iter()
        .map(|(name, value)| Ok((name.extract()?, from_python(&value)?)));
    each.collect()
}

#[pymethods]
impl Engine {
    #[new]
    fn new(
        path: PathBuf,
        home: Option<PathBuf>,
        env: Option<String>,
        vars: &Bound<'_, PyDict>,
    ) -> PyResult<Engine> {
        let mut location = Location::of(path);
        if let Some(home) = home {
            location.home = home;
        }
        location.env = env;
        let engine = Engine {
            location,
            variables: variables(vars)?,
        };
        // That it is none is told at once.
        engine.open()?;
        Ok(engine)
    }

    /// All findings in the project, or in one flow, as JSON.
    fn validate(&self, py: Python<'_>, flow: Option<String>) -> PyResult<String> {
        let (project, variables) = (self.open()?, self.variables.clone());
        let work = async move {
            let checked = project.check(variables, flow.as_deref()).await;
            checked.map(|checked| checked.found).map_err(|e| raised(&e))
        };
        let runtime = threads()?;
        let found = wait(py, &runtime, None, work, None);
        runtime.shutdown_background();
        json(&found?)
    }

    /// The plan of a flow as JSON, as text and as a picture.
    fn plan(
        &self,
        py: Python<'_>,
        flow: String,
        vars: &Bound<'_, PyDict>,
        select: Vec<String>,
        exclude: Vec<String>,
        in_order: bool,
    ) -> PyResult<(String, String, String)> {
        let options = self.options(vars, select, exclude, in_order)?;
        let project = self.open()?;
        let work = async move {
            project
                .compile(&flow, &options)
                .await
                .map_err(|e| not_compiled(&e))
        };
        let runtime = threads()?;
        let compiled = wait(py, &runtime, None, work, None);
        runtime.shutdown_background();
        let plan = compiled?.plan.without_secrets();
        Ok((json(&plan)?, explain::text(&plan), explain::svg(&plan)))
    }

    /// Runs a flow. The report as JSON, and that of the dry run where it is one.
    fn run(
        &self,
        py: Python<'_>,
        flow: String,
        vars: &Bound<'_, PyDict>,
        options: RunOptions,
        stop: &Stop,
        on_event: Option<Py<PyAny>>,
    ) -> PyResult<(String, Option<String>)> {
        let (select, exclude) = (options.select.clone(), options.exclude.clone());
        let compile = self.options(vars, select, exclude, options.in_order)?;
        let location = self.location.clone();
        let token = stop.token.clone();
        let (wait_for, timeout) = (seconds(options.wait)?, seconds(options.timeout)?);
        let dry_run = options.dry_run.as_ref().map(dry).transpose()?;
        let runtime = threads()?;
        let tried = dry_run.clone();
        let starting = async move {
            let project = match &tried {
                Some(_) => Project::open_dry(&location).map(|(project, _)| project),
                None => Project::open(&location),
            };
            let project = Arc::new(project.map_err(|e| raised(&e))?);
            let (compiled, resumed) = match options.resume {
                None => (project.compile(&flow, &compile).await, None),
                Some(run) => {
                    let resume = ResumeOptions {
                        run: Some(run).filter(|run| !run.is_empty()),
                        variables: compile.variables,
                        force: options.force,
                        ..ResumeOptions::default()
                    };
                    match project.resume(&flow, resume).await {
                        Ok((compiled, resumed)) => (Ok(compiled), Some(resumed)),
                        Err(error) => (Err(error), None),
                    }
                }
            };
            let compiled: Compiled = compiled.map_err(|e: CompileError| not_compiled(&e))?;
            let session = Session::new(&compiled.loaded)
                .record(options.record)
                .replay(options.replay)
                .dry_run(tried)
                .resume(resumed)
                .timeout(timeout)
                .from_step(options.from_step)
                .wait(wait_for, None)
                .cancel(token);
            session.start(&compiled).await.map_err(|e| raised(&e))
        };
        let run = wait(py, &runtime, Some(&stop.token), starting, None).and_then(|mut run| {
            let told = on_event.and_then(|to| {
                Some(Told {
                    events: run.events()?,
                    to,
                })
            });
            let ending = async move { run.wait().await.map_err(|e| raised(&e)) };
            wait(py, &runtime, Some(&stop.token), ending, told)
        });
        let tried = dry_run.map(|dry_run| {
            let looking = async move {
                let report = dry_run.report().await;
                dry_run.close().await;
                report.map_err(|e| raised(&e))
            };
            wait(py, &runtime, None, looking, None)
        });
        // A query of Python's that blocks must not keep the process.
        py.detach(|| runtime.shutdown_timeout(Duration::from_millis(100)));
        let report = json(&run?)?;
        let tried = tried.transpose()?.as_ref().map(json).transpose()?;
        Ok((report, tried))
    }

    /// The rows of a query.
    fn query(&self, py: Python<'_>, source: String, sql: String) -> PyResult<Rows> {
        self.read(py, source, Wanted::Query(sql))
    }

    /// The rows of a table.
    fn table(&self, py: Python<'_>, source: String, name: String) -> PyResult<Rows> {
        self.read(py, source, Wanted::Table(name))
    }

    /// Loads rows into a table. How many they are.
    fn load(
        &self,
        py: Python<'_>,
        source: String,
        table: String,
        data: &Bound<'_, PyAny>,
        write_mode: &str,
        primary_key: Vec<String>,
    ) -> PyResult<u64> {
        let mode = mode(write_mode, primary_key)?;
        let rows = given(data)?;
        let (project, variables) = (self.open()?, self.variables.clone());
        let work = async move {
            let loaded = project.ready(variables).await.map_err(|e| not_compiled(&e))?;
            let mut session = Session::new(&loaded);
            let done = session.load(&source, &table, &mode, rows).await;
            session.close().await;
            done.map_err(|e| raised(&e))
        };
        let runtime = threads()?;
        let done = wait(py, &runtime, None, work, None);
        runtime.shutdown_background();
        done
    }
}

impl Engine {
    fn open(&self) -> PyResult<Arc<Project>> {
        Project::open(&self.location)
            .map(Arc::new)
            .map_err(|e| raised(&e))
    }

    fn options(
        &self,
        vars: &Bound<'_, PyDict>,
        select: Vec<String>,
        exclude: Vec<String>,
        in_order: bool,
    ) -> PyResult<CompileOptions> {
        let mut all = self.variables.clone();
        all.extend(variables(vars)?);
        Ok(CompileOptions {
            variables: all,
            plan: PlanOptions {
                select,
                exclude,
                in_order,
            },
        })
    }

    fn read(&self, py: Python<'_>, source: String, wanted: Wanted) -> PyResult<Rows> {
        let (project, variables) = (self.open()?, self.variables.clone());
        let work = async move {
            let loaded = project.ready(variables).await.map_err(|e| not_compiled(&e))?;
            let mut session = Session::new(&loaded);
            let rows = match &wanted {
                Wanted::Query(sql) => session.query(&source, sql).await,
                Wanted::Table(name) => session.table(&source, name).await,
            };
            match rows {
                Ok(rows) => Ok((rows, session)),
                Err(error) => {
                    session.close().await;
                    Err(raised(&error))
                }
            }
        };
        let runtime = threads()?;
        let (rows, session) = wait(py, &runtime, None, work, None)?;
        Ok(Rows::new(rows, session, runtime))
    }
}

fn dry(given: &DryRunOptions) -> PyResult<Arc<DryRun>> {
    let options = DryOptions {
        // What is compared must be whole.
        sample: if given.diff { u64::MAX } else { given.sample },
        fixtures: given.fixtures.clone(),
        offline: given.offline,
        keeps: Keeps {
            rows: false,
            before: given.diff,
        },
        out: None,
    };
    DryRun::new(options).map_err(|e| raised(&e))
}

fn mode(name: &str, key: Vec<String>) -> PyResult<WriteMode> {
    let wrong = |message: &str, help: &str| raised(&Error::new(ErrorKind::Project, message).help(help));
    let mode = match (name, key.is_empty()) {
        ("create" | "replace", true) => WriteMode::Replace,
        ("append", true) => WriteMode::Append,
        ("upsert", false) => WriteMode::Upsert(key),
        ("upsert", true) => {
            return Err(wrong(
                "an upsert needs the columns that tell rows apart",
                "primary_key=[\"id\"]",
            ));
        }
        ("create" | "replace" | "append", false) => {
            return Err(wrong("`primary_key` is for upserts", "write_mode=\"upsert\""));
        }
        _ => {
            return Err(wrong(
                &format!("`{name}` is no write mode"),
                "create, replace, append or upsert",
            ));
        }
    };
    Ok(mode)
}
