//! Going on with a run that was begun before: which one, and whether it still means the same.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use indexmap::IndexMap;
use sequor_planner::Diagnostics;
use sequor_planner::effects::Resource;
use sequor_planner::plan::{Action, Plan, Step};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::compile::{CompileError, Compiled, Loaded};
use super::plan_file::PlanFile;
use super::project::Project;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::is_secret_variable;
use crate::state::{Entry, Journal, PROJECT, RunRecord, RunStart, RunState, Store, Wanted};
use crate::value::{Value, kept};

/// A run that can be gone on with.
pub struct Resumed {
    pub record: RunRecord,
    pub(super) journal: Journal,
    /// Whether only rows that were rejected are sent again.
    pub(super) retries_rejected: bool,
}

/// What is gone on with, and how.
#[derive(Debug, Clone, Default)]
pub struct ResumeOptions {
    /// The beginning of the run's id; none: the flow's latest.
    pub run: Option<String>,
    /// Variables, in place of those that the run was given.
    pub variables: IndexMap<String, Value>,
    /// Goes on although something changed.
    pub force: bool,
    /// Runs steps again that failed and that the flow went on behind.
    pub retry_failed: bool,
    /// Sends only the rows again that these steps of a run that is done rejected.
    pub rejected_of: Option<HashSet<String>>,
}

/// Returns what is noted of a run when it begins.
///
/// # Errors
/// A bug: a plan that is no JSON.
pub fn start(compiled: &Compiled) -> Result<RunStart> {
    let text = PlanFile::of(compiled)?.text()?;
    let given = compiled.options.variables.iter();
    // Secrets are not written down: they have to be given again.
    let given = given.filter(|(name, _)| !is_secret_variable(name));
    let given: IndexMap<String, Value> = given.map(|(name, value)| (name.clone(), value.clone())).collect();
    let kept = compiled.loaded.kept.iter();
    let kept = kept.map(|(name, value)| (name.clone(), digest(value)));
    let environment = environment(&compiled.loaded.project).map(|digest| (ENVIRONMENT.to_string(), digest));
    let kept: BTreeMap<String, String> = kept.chain(environment).collect();
    let internal = |e: serde_json::Error| Error::new(ErrorKind::Internal, e.to_string());
    Ok(RunStart {
        run: Uuid::now_v7(),
        flow: compiled.plan.flow.clone(),
        environment: compiled.loaded.project.env.clone(),
        program: env!("CARGO_PKG_VERSION").to_string(),
        plan: (format!("{:x}", Sha256::digest(text.as_bytes())), text),
        given: kept::write(&given).unwrap_or_default(),
        kept: serde_json::to_string(&kept).map_err(internal)?,
    })
}

/// The name, which no variable has, under which a digest of the environment's variables is kept.
const ENVIRONMENT: &str = "(environment)";

/// A digest of the environment's file: of what it says, not of how.
fn environment(project: &Project) -> Option<String> {
    let file = project.files.environment.as_ref()?;
    let says: serde_json::Value = serde_saphyr::from_str(&file.text).ok()?;
    Some(format!("{:x}", Sha256::digest(says.to_string().as_bytes())))
}

fn digest(value: &Value) -> String {
    let text = kept::write(&IndexMap::from([(String::new(), value.clone())])).unwrap_or_default();
    format!("{:x}", Sha256::digest(text.as_bytes()))
}

impl Project {
    /// Compiles the flow of a run again, to go on with it.
    ///
    /// # Errors
    /// No such run; one that is done, or under way; a flow, an environment or variables that changed since; mistakes in the
    /// project's files.
    pub async fn resume(
        self: &Arc<Self>,
        flow: &str,
        options: ResumeOptions,
    ) -> Result<(Compiled, Resumed), CompileError> {
        let mut d = Diagnostics::default();
        let Some(loaded) = self.load(IndexMap::new(), &mut d)? else {
            return Err(CompileError::Findings(d.into_sorted()));
        };
        let loaded = loaded.connected().await?;
        let store = loaded.open_state().await?;
        let record = find(&store, flow, &options).await?;
        let file = planned(&store, &record).await?;
        // The flow is compiled with a state of its own.
        store.close().await;
        let given = given(&record, &options.variables)?;
        let compiled = self.compile(&record.flow, &file.options(given)).await?;
        let refused = |why: &str| {
            let message = format!("the run {} can't be gone on with: {why}", record.run);
            Error::new(ErrorKind::Resume, message)
                .help("start anew: sequor run FLOW; or go on nevertheless: --resume --force")
        };
        let store = compiled.loaded.open_state().await?;
        let mut journal = Journal::of(&store, &loaded.sealer(&store), record.run).await?;
        if options.retry_failed {
            journal.retry_failed();
        }
        let rejected_of = match journal.decided(RETRY, Entry::Retrying) {
            // A retry that ended too early is gone on with.
            Some(steps) if options.rejected_of.is_none() => Some(steps.lines().map(str::to_string).collect()),
            _ => options.rejected_of.clone(),
        };
        let retries_rejected = rejected_of.is_some();
        if let (Some(_), false) = (&options.rejected_of, options.force)
            && let Some(later) = latest(&store, &record.flow).await?
            && later.run > record.run
        {
            let message = format!(
                "the flow ran again since, as {}: its tables have what that run gave, and would be set back",
                later.run
            );
            return Err(Error::new(ErrorKind::Resume, message)
                .help("retry the rows of the latest run; or set the tables back: sequor retry RUN --force")
                .into());
        }
        if let Some(steps) = rejected_of {
            // A step that sends only changes ends with its rows in doubt: where nothing else is left, they are sent.
            let is_sent = |step: &Step| steps.contains(&step.id) && sends_changes(step);
            let mut all = compiled.plan.root.steps.iter();
            let left = all.find(|step| !journal.is_over(&step.id) && !is_sent(step));
            if let Some(left) = left.filter(|_| record.state != RunState::Done) {
                let (run, state) = (record.run, record.state.as_str());
                let message = format!("the run {run} is {state}, and step `{}` is not done", left.id);
                return Err(Error::new(ErrorKind::Resume, message)
                    .help(format!(
                        "rows that it rejected can be sent again when it is done: sequor run {flow} --resume"
                    ))
                    .into());
            }
            let around = around(&compiled.plan, &steps)?;
            journal.only(steps.into_iter().chain(around).collect());
        }
        if !options.force {
            if let Some(difference) = file.difference(&compiled)? {
                return Err(refused(&difference).into());
            }
            let at_start: BTreeMap<String, String> = serde_json::from_str(&record.kept).unwrap_or_default();
            if let Some(known) = at_start.get(ENVIRONMENT)
                && environment(&compiled.loaded.project).as_ref() != Some(known)
            {
                return Err(refused("the environment's variables were changed since").into());
            }
            if let Some((name, why)) = journal.all(Entry::Unkept).next() {
                return Err(refused(&format!("the variable `{name}` could not be kept ({why})")).into());
            }
        }
        let mut compiled = compiled;
        compiled.loaded.state = Some(store.clone());
        let changed = restore_variables(&mut compiled, &record, &journal, &store).await?;
        if let (Some(name), false) = (changed, options.force) {
            return Err(refused(&format!("the variable `{name}` was changed since")).into());
        }
        let resumed = Resumed {
            record,
            journal,
            retries_rejected,
        };
        Ok((compiled, resumed))
    }
}

fn sends_changes(step: &Step) -> bool {
    matches!(&step.action, Action::Http(http) if http.synced.is_some())
}

/// The steps that others are in.
///
/// # Errors
/// One that is in a loop, or in a flow that was planned when it was called: what it had around it is not there any more.
fn around(plan: &Plan, steps: &HashSet<String>) -> Result<Vec<String>> {
    let mut all = Vec::new();
    let refused = |what: String| {
        let message = format!("{what}: its rows can't be sent again by themselves");
        Error::new(ErrorKind::Resume, message).help(
            "its table of rejects has them, of all rounds: send them by a flow that goes through that table",
        )
    };
    for step in steps {
        let Some(path) = plan.root.path_to(step) else {
            return Err(refused(format!("step `{step}` was planned when it ran")));
        };
        for around in path {
            let what = match &around.action {
                Action::ForEach { .. } | Action::While { .. } => "loop",
                Action::Call { .. } => "call",
                _ if around.unfolds.is_some() => "step",
                _ => {
                    all.push(around.id.clone());
                    continue;
                }
            };
            return Err(refused(format!(
                "step `{step}` is inside of the {what} `{}`",
                around.id
            )));
        }
    }
    Ok(all)
}

/// The run that is meant.
async fn find(store: &Store, flow: &str, options: &ResumeOptions) -> Result<RunRecord> {
    let record = match &options.run {
        Some(run) => store.run(Some(run)).await?,
        None => {
            let none = || {
                let message = format!("no run of the flow `{flow}` is remembered");
                Error::new(ErrorKind::Project, message).help(format!("start one: sequor run {flow}"))
            };
            latest(store, flow).await?.ok_or_else(none)?
        }
    };
    if record.flow != flow {
        let message = format!("the run {} is one of the flow `{}`", record.run, record.flow);
        return Err(Error::new(ErrorKind::Project, message).help("name that flow, or another run"));
    }
    match record.state {
        RunState::Done if !options.retry_failed && options.rejected_of.is_none() => {
            let message = format!("the run {} is done: nothing is left of it", record.run);
            Err(Error::new(ErrorKind::Resume, message).help(format!("start anew: sequor run {flow}")))
        }
        RunState::Running => {
            let message = format!("the run {} is under way since {}", record.run, record.started);
            Err(Error::new(ErrorKind::Locked, message).help("wait until it has ended, or end it"))
        }
        _ => Ok(record),
    }
}

/// The name under which it is noted that a run sends rejected rows again.
pub(super) const RETRY: &str = "(retry)";

/// Returns the flow's latest run; none where none is remembered.
pub(super) async fn latest(store: &Store, flow: &str) -> Result<Option<RunRecord>> {
    let wanted = Wanted {
        flow: Some(flow.to_string()),
        limit: Some(1),
        ..Wanted::default()
    };
    Ok(store.runs(&wanted).await?.pop())
}

/// What a run carries out.
async fn planned(store: &Store, record: &RunRecord) -> Result<PlanFile> {
    let text = store.plan_text(&record.plan).await?;
    let text = text.ok_or_else(|| {
        let message = format!(
            "what the run {} carried out is not remembered any more",
            record.run
        );
        Error::new(ErrorKind::Resume, message).help("start anew: sequor run FLOW")
    })?;
    PlanFile::parse(&format!("of the run {}", record.run), &text)
}

/// The variables that the run was given, and those that are given now.
fn given(record: &RunRecord, now: &IndexMap<String, Value>) -> Result<IndexMap<String, Value>> {
    let given = kept::read("the state", &record.given).map_err(|why| {
        let message = format!("the variables of the run {} can't be read: {why}", record.run);
        Error::new(ErrorKind::State, message)
    });
    // As the command line gives them: texts.
    let mut given: IndexMap<String, Value> = given?;
    given.extend(now.iter().map(|(name, value)| (name.clone(), value.clone())));
    Ok(given)
}

/// Puts variables of the project in their place that the run set at its end. The first of those that it reads which something
/// else has changed since.
async fn restore_variables(
    compiled: &mut Compiled,
    record: &RunRecord,
    journal: &Journal,
    store: &Store,
) -> Result<Option<String>> {
    let set = journal.locals().await?.remove(PROJECT).unwrap_or_default();
    let lost: Vec<(String, Value)> = journal
        .all(Entry::Unsaved)
        .filter_map(|(name, _)| Some((name.to_string(), set.get(name)?.clone())))
        .collect();
    let mut at_start: BTreeMap<String, String> = serde_json::from_str(&record.kept).unwrap_or_default();
    at_start.remove(ENVIRONMENT);
    let loaded = &mut compiled.loaded;
    let expected = |name: &str| match set.get(name) {
        Some(value) => Some(digest(value)),
        None => at_start.get(name).cloned(),
    };
    let now = |loaded: &Loaded, name: &str| loaded.kept.get(name).map(digest);
    let read = read_variables(&compiled.plan);
    let names = at_start.keys().chain(set.keys()).chain(loaded.kept.keys());
    let is_lost = |name: &str| lost.iter().any(|(lost, _)| lost == name);
    let changed = names
        .filter(|name| read.as_ref().is_none_or(|read| read.contains(name)))
        .find(|name| !is_lost(name) && expected(name) != now(loaded, name))
        .cloned();
    if changed.is_none() && !lost.is_empty() {
        loaded.kept_variables(store).set(&lost).await?;
        loaded.kept.extend(lost);
    }
    Ok(changed)
}

/// The variables that a plan reads; none: any.
fn read_variables(plan: &Plan) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut any = false;
    plan.root.each(&mut |step| {
        for resource in &step.reads {
            match resource {
                Resource::Variable(name) => names.push(name.clone()),
                Resource::AnyVariable => any = true,
                _ => {}
            }
        }
    });
    (!any).then_some(names)
}
