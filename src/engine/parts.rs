//! The parts of a session: variables, databases, APIs, the interpreter.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use sequor_planner::effects::Resource;
use sequor_planner::expr::Prop;
use sequor_planner::plan::Plan;
use sequor_planner::syntax::{Source, SourceKind};
use tokio_util::sync::CancellationToken;

use super::compile::Loaded;
use super::registry::{Files, Opening};
use super::session::Options;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::marks::Marks;
use crate::exec::{Apis, Databases, Events, Opener, Run, Scope, Transports, Variables};
use crate::expr::Evaluator;
use crate::secret::Redactor;
use crate::sources::database::Database;
use crate::staging::Memory;
use crate::value::Value;
use crate::world::World;

/// What steps and queries share.
pub struct Parts {
    marks: Marks,
    variables: Arc<Variables>,
    pub databases: Arc<Databases>,
    apis: Apis,
    evaluator: Arc<Evaluator>,
    redactor: Redactor,
    memory: Memory,
    folder: PathBuf,
}

impl Parts {
    /// Creates the parts over a project, nothing of them open. `frames`: how many flows the plan has.
    ///
    /// # Errors
    /// Folders of recordings that can't be made or read.
    pub fn new(loaded: &Loaded, frames: usize, options: &Options) -> Result<Parts> {
        let environment = loaded.compiler.environment.iter();
        let environment = environment
            .map(|(name, value)| (name.clone(), Value::from(value)))
            .collect();
        let variables = Arc::new(Variables::new(
            frames,
            loaded.overrides.clone(),
            loaded.kept.clone(),
            environment,
        ));
        let evaluator = options.interpreter.clone().unwrap_or_default();
        let redactor = Redactor::default();
        // Variables of the environment that are named like secrets are masked from the start.
        for (name, value) in &loaded.compiler.environment {
            if let Some(text) = value.as_str() {
                redactor.add_variable(name, text);
            }
        }
        let folder = loaded.project.folder().to_path_buf();
        let state = loaded.project.state(&loaded.compiler.project.name);
        let memory = Memory::new(memory_limit()?, Some(state.join("spill")));
        let opener: Arc<dyn Opener> = match &options.databases {
            Some(opener) => opener.clone(),
            None => Arc::new(Registry {
                evaluator: evaluator.clone(),
                redactor: redactor.clone(),
                staging: state.join("staging"),
                memory: memory.clone(),
                folder: folder.clone(),
                files_exist: options.files_exist,
                files: Files::default(),
            }),
        };
        let sources = || loaded.compiler.sources.values().cloned();
        let databases = Arc::new(Databases::new(opener, redactor.clone(), sources()));
        let transports = Transports::new(
            options.record.as_deref(),
            options.replay.as_deref(),
            &redactor,
            &state,
        )?;
        let apis = Apis::new(transports, evaluator.clone(), folder.clone(), sources());
        Ok(Parts {
            variables,
            marks: Marks::new(&state),
            databases,
            apis,
            evaluator,
            redactor,
            memory,
            folder,
        })
    }

    /// Returns the scope outside of all steps. Must be called where the runtime is entered.
    pub fn scope(&self) -> Scope {
        Scope::new(
            self.variables.clone(),
            self.databases.clone(),
            self.redactor.clone(),
        )
    }

    /// Returns what the steps of a run share.
    pub fn run(
        self,
        loaded: &Loaded,
        plan: &Arc<Plan>,
        options: &Options,
        events: Events,
        cancel: CancellationToken,
    ) -> Arc<Run> {
        Arc::new(Run {
            operations: Arc::new(options.preview.clone()),
            compiler: loaded.compiler.clone(),
            in_order: plan.in_order,
            plan: plan.clone(),
            marks: self.marks,
            variables: self.variables,
            databases: self.databases,
            apis: self.apis,
            evaluator: self.evaluator,
            redactor: self.redactor,
            memory: self.memory,
            folder: self.folder,
            events,
            cancel,
        })
    }
}

/// Less is not enough for the batches of a query.
const LEAST_MEMORY: u64 = 16 << 20;

/// The memory that `SEQUOR_MEMORY` allows queries that run here: bytes, or text like `512MB`.
///
/// # Errors
/// Text that is no size.
fn memory_limit() -> Result<Option<u64>> {
    let Some(text) = std::env::var("SEQUOR_MEMORY")
        .ok()
        .filter(|text| !text.is_empty())
    else {
        return Ok(None);
    };
    let wrong = match sequor_planner::syntax::bytes_of(&text) {
        Some(limit) if limit >= LEAST_MEMORY => return Ok(Some(limit)),
        Some(_) => ": queries need 16MB at least",
        None => ", which is no size",
    };
    let message = format!("SEQUOR_MEMORY is `{text}`{wrong}");
    Err(Error::new(ErrorKind::Project, message).help("give a number of bytes, or text like 512MB"))
}

/// Opens what can be opened before the first step: what can't be reached is found out before anything is done.
pub async fn open_at_start(loaded: &Loaded, plan: &Plan, options: &Options, run: &Run) -> Result<()> {
    if options.preview.mode.is_some() {
        // What is only shown may need none of them.
        return Ok(());
    }
    let scope = run.scope();
    for source in ready_at_start(loaded, plan) {
        match source.kind {
            SourceKind::Http(_) => run.apis.get(Some(&source.name), &scope).await.map(|_| ())?,
            SourceKind::Database(_) => run.databases.get(&source.name, &scope).await.map(|_| ())?,
        }
    }
    Ok(())
}

/// Opens databases by their kinds.
struct Registry {
    evaluator: Arc<Evaluator>,
    redactor: Redactor,
    /// Where the staging database keeps its tables.
    staging: PathBuf,
    memory: Memory,
    /// The project's folder: paths in sources are relative to it.
    folder: PathBuf,
    files_exist: bool,
    files: Files,
}

#[async_trait]
impl Opener for Registry {
    async fn evaluate(&self, settings: &[&Prop], world: &Arc<dyn World>) -> Result<Vec<Value>> {
        self.evaluator.all(settings, world, None).await
    }

    async fn open(&self, source: &Source, world: &Arc<dyn World>) -> Result<Option<Arc<dyn Database>>> {
        let opening = Opening {
            evaluator: &self.evaluator,
            world,
            redactor: &self.redactor,
            staging: &self.staging,
            memory: &self.memory,
            folder: &self.folder,
            files_exist: self.files_exist,
            files: &self.files,
        };
        opening.open(source).await
    }
}

/// The sources that the plan names, save those whose address a step may still change: they are opened when a step uses
/// them.
fn ready_at_start<'l>(loaded: &'l Loaded, plan: &Plan) -> Vec<&'l Source> {
    let mut set = Vec::new();
    plan.root.each(&mut |step| set.extend(&step.writes));
    let moves = |name: &String| {
        let known = loaded.overrides.contains_key(name) || loaded.compiler.environment.contains_key(name);
        let sets = |resource: &&Resource| match resource {
            Resource::Variable(set) | Resource::Local { name: set, .. } => set == name,
            Resource::AnyVariable => true,
            _ => false,
        };
        !loaded.overrides.contains_key(name) && (!known || set.iter().any(sets))
    };
    let named = plan.sources.iter();
    let sources = named.filter_map(|named| loaded.compiler.sources.get(&named.name));
    sources
        .filter(|source| {
            let settings = source.settings().into_iter().map(Prop::uses);
            settings
                .into_iter()
                .all(|uses| !uses.any_variable && !uses.variables.iter().any(moves))
        })
        .collect()
}
