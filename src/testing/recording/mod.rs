//! A test made of a recording: what the flow read is laid down, what came out is expected.

mod expect;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use indexmap::IndexMap;
use sequor_planner::effects::Resource;
use sequor_planner::expr::EachProp;
use sequor_planner::plan::Plan;
use sequor_planner::testing::read_tests;
use sequor_planner::{Diagnostics, PlanOptions};
use serde_json::Value as Json;

use super::case;
use super::files::{FOLDER, Suite, TestFileText};
use super::{rows, yaml};
use crate::engine::{
    CompileOptions, Compiled, Copied, DryOptions, DryRun, Keeps, Loaded, Session, read_first,
};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{TestFailure, Written};
use crate::secret::is_secret_variable;
use crate::value::Value;

/// What a new test is made of.
#[derive(Debug, Clone)]
pub struct NewTest {
    /// Its path below `tests`, without `.yaml`.
    pub name: String,
    pub flow: String,
    /// The folder of recordings, below the project's.
    pub recording: PathBuf,
    pub variables: IndexMap<String, Value>,
    /// The time that it sees, in ISO 8601; none: that of the recording.
    pub now: Option<String>,
    /// Rows of each table that are kept.
    pub sample: u64,
}

/// What became of it.
pub enum Made {
    /// Files that were written.
    Files(Vec<String>),
    /// Why the flow does not run from the recording.
    Failed(Vec<TestFailure>),
}

/// Rows of a table that stand in the test itself.
const MOST_INLINE: usize = 20;

/// How long the flow may take.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Makes a test. `loaded`: the project with its environment and the variables that are kept.
///
/// # Errors
/// A test that is there already; files that can't be written; a flow that can't be planned.
pub async fn new_test(loaded: &Loaded, new: &NewTest) -> Result<Made> {
    let folder = loaded.project.folder().join(FOLDER);
    let path = folder.join(format!("{}.yaml", new.name));
    if path.exists() {
        let message = format!("{} is there already", path.display());
        return Err(
            Error::new(ErrorKind::Project, message).help("give the test another name, or remove the file")
        );
    }
    let mut known = loaded.clone();
    known.overrides = new.variables.clone();
    let plan = plan(&known, &new.flow)?;
    let copied = copies(&known, &plan, new).await?;
    let beside = folder.join(&new.name);
    let mut files = Vec::new();
    let head = head(&known, &plan, new, &copied)?;
    for table in &copied {
        files.push(beside.join(format!("{}.{}.jsonl", table.source, table.name.replace('"', ""))));
    }
    for (file, table) in files.iter().zip(&copied) {
        save(file, &rows::json_lines(&rows::cells(&table.rows), &[]))?;
    }
    let made = expected(loaded, new, &path, &head, &mut files).await;
    match &made {
        Ok(Made::Files(_)) => {}
        _ => files.iter().for_each(|file| {
            let _ = std::fs::remove_file(file);
        }),
    }
    made
}

async fn expected(
    loaded: &Loaded,
    new: &NewTest,
    path: &Path,
    head: &str,
    files: &mut Vec<PathBuf>,
) -> Result<Made> {
    let mut bare = loaded.clone();
    bare.compiler = Arc::new({
        let mut compiler = loaded.compiler.as_ref().clone();
        compiler.environment = IndexMap::new();
        compiler
    });
    let mut suite = Suite {
        loaded: bare,
        files: Vec::new(),
        evaluator: Arc::default(),
    };
    suite.files.push(file(new, path, head)?);
    let Some((of_head, test)) = suite
        .files
        .first()
        .and_then(|file| Some((file, file.file.tests.first()?)))
    else {
        return Err(Error::new(ErrorKind::Internal, "the new test has no test"));
    };
    let ran = match case::ran(&suite, of_head, test, TIMEOUT).await {
        Ok(ran) => ran,
        Err(failures) => return Ok(Made::Failed(failures)),
    };
    if let Some(failure) = case::of_run(&ran.observed) {
        ran.dry_run.close().await;
        return Ok(Made::Failed(vec![failure]));
    }
    let text = expect::with_expect(head, &ran, new, path, files).await;
    ran.dry_run.close().await;
    let text = text?;
    let whole = file(new, path, &text)?;
    let Some(test) = whole.file.tests.first() else {
        return Err(Error::new(ErrorKind::Internal, "the new test has no test"));
    };
    // What is written must hold.
    let tested = case::run(&suite, &whole, test, TIMEOUT).await;
    if !tested.outcome.passed {
        return Ok(Made::Failed(tested.outcome.failures));
    }
    save(path, &text)?;
    files.push(path.to_path_buf());
    let shown = files.iter().map(|file| {
        file.strip_prefix(loaded.project.folder())
            .unwrap_or(file)
            .display()
            .to_string()
    });
    Ok(Made::Files(shown.rev().collect()))
}

fn plan(loaded: &Loaded, flow: &str) -> Result<Plan> {
    let mut d = Diagnostics::default();
    let options = PlanOptions {
        in_order: true,
        ..PlanOptions::default()
    };
    let plan = loaded.plan(flow, &options, &mut d, &mut |_, _| {}).ok().flatten();
    plan.filter(|_| !d.has_errors()).ok_or_else(|| {
        Error::new(ErrorKind::Project, format!("the flow `{flow}` can't be planned"))
            .help(format!("see why: sequor validate {flow}"))
    })
}

/// The tables that the flow reads and does not make, as they are now.
async fn copies(loaded: &Loaded, plan: &Plan, new: &NewTest) -> Result<Vec<Copied>> {
    let options = DryOptions {
        sample: new.sample,
        fixtures: None,
        offline: false,
        keeps: Keeps {
            rows: true,
            before: false,
        },
        out: None,
    };
    let dry_run = DryRun::new(options)?;
    let compiled = Compiled {
        loaded: loaded.clone(),
        plan: plan.clone(),
        options: CompileOptions::default(),
        findings: Vec::new(),
    };
    let replay = loaded.project.folder().join(&new.recording);
    let session = Session::new(loaded)
        .replay(Some(replay))
        .dry_run(Some(dry_run.clone()));
    // What it fails with, the test itself will tell.
    if let Ok(run) = session.timeout(Some(TIMEOUT)).start(&compiled).await {
        let _ = run.wait().await;
    }
    let mut copied = dry_run.copies().await;
    let changed = dry_run.changed().await;
    dry_run.close().await;
    // What is made anew need not be there, unless it is read before.
    let first = read_first(plan);
    copied.retain(|copy| {
        let plain = copy.name.rsplit('.').next().unwrap_or_default().trim_matches('"');
        let is_read = first.iter().any(|resource| match resource {
            Resource::Table { source, table, .. } => {
                *source == copy.source && table.eq_ignore_ascii_case(plain)
            }
            _ => false,
        });
        let is_anew = |(source, name, how): &(String, String, Written)| {
            *source == copy.source
                && *name == copy.name
                && matches!(how, Written::Replaced | Written::Created)
        };
        is_read || !changed.iter().any(is_anew)
    });
    Ok(copied)
}

fn file(new: &NewTest, path: &Path, text: &str) -> Result<TestFileText> {
    let mut d = Diagnostics::default();
    let shown: Arc<str> = format!("{FOLDER}/{}.yaml", new.name).into();
    let file = read_tests(&shown, text, &mut d);
    match file.filter(|_| !d.has_errors()) {
        Some(file) => Ok(TestFileText {
            name: new.name.clone(),
            path: path.to_path_buf(),
            text: text.into(),
            file,
        }),
        None => {
            let found: Vec<String> = d.into_sorted().into_iter().map(|found| found.message).collect();
            Err(Error::new(
                ErrorKind::Internal,
                format!("the new test can't be read: {}", found.join("; ")),
            ))
        }
    }
}

fn save(path: &Path, text: &str) -> Result<()> {
    let failed =
        |e: std::io::Error| Error::new(ErrorKind::Io, format!("{} can't be written: {e}", path.display()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(path, text).map_err(failed)
}

/// What is laid down, as text.
fn head(loaded: &Loaded, plan: &Plan, new: &NewTest, copied: &[Copied]) -> Result<String> {
    let recording = new.recording.to_string_lossy().replace('\\', "/");
    let name = |text: &str| yaml::line(&Json::from(text));
    let mut text = format!(
        "# Made of the recording in {recording}: `sequor test --update` writes anew what is expected.\nflow: {}\ntests:\n  - name: from the recording\n    replay: {}\n",
        name(&new.flow),
        name(&recording)
    );
    let now = match &new.now {
        Some(now) => now.clone(),
        None => recorded(&loaded.project.folder().join(&new.recording))?
            .to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
    };
    text.push_str(&format!("    now: {now}\n"));
    let variables = variables(loaded, plan);
    if !variables.is_empty() {
        text.push_str("    variables:\n");
    }
    for (variable, value) in variables {
        text.push_str(&format!(
            "      {}: {}\n",
            name(&variable),
            yaml::line(&yaml::json(&value))
        ));
    }
    if !copied.is_empty() {
        text.push_str("    given:\n");
    }
    for table in copied {
        let beside = new.name.rsplit('/').next().unwrap_or_default();
        let file = format!("{beside}/{}.{}.jsonl", table.source, table.name.replace('"', ""));
        text.push_str(&format!(
            "      {}:\n        file: {}\n        columns:\n",
            key(&table.source, &table.name),
            name(&file)
        ));
        for (column, sql) in &table.columns {
            text.push_str(&format!("          {}: {}\n", name(column), name(sql)));
        }
    }
    Ok(text)
}

/// The key of a table.
fn key(source: &str, name: &str) -> String {
    yaml::line(&Json::from(format!("{source}.{name}")))
}

/// When the oldest of the recordings was written.
fn recorded(folder: &Path) -> Result<DateTime<Utc>> {
    let mut files = Vec::new();
    crate::engine::Project::yaml_files(folder, &mut files)?;
    let times = files
        .iter()
        .filter_map(|file| std::fs::metadata(file).ok()?.modified().ok());
    let oldest = times.min().ok_or_else(|| {
        Error::new(
            ErrorKind::Project,
            format!("there are no recordings in {}", folder.display()),
        )
        .help("record them first: sequor run FLOW --record DIR")
    })?;
    Ok(oldest.into())
}

/// The variables that the flow and the sources read and that have a value; those that are named like secrets with another one.
fn variables(loaded: &Loaded, plan: &Plan) -> BTreeMap<String, Value> {
    let mut names = BTreeSet::new();
    plan.root.each(&mut |step| {
        step.each_prop(&mut |prop| names.extend(prop.uses().variables));
    });
    for source in loaded.compiler.sources.values() {
        source.each_prop(&mut |prop| names.extend(prop.uses().variables));
    }
    let value = |name: &String| {
        let environment = loaded.compiler.environment.get(name).map(Value::from);
        let value = loaded
            .overrides
            .get(name)
            .or_else(|| loaded.kept.get(name))
            .cloned()
            .or(environment)?;
        Some(match is_secret_variable(name) {
            true => Value::text("of-the-test"),
            false => value,
        })
    };
    names
        .into_iter()
        .filter_map(|name| value(&name).map(|value| (name, value)))
        .collect()
}
