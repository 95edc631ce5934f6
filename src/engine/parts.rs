//! The parts of a session: variables, databases, APIs, the interpreter.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use sequor_planner::effects::Resource;
use sequor_planner::expr::Prop;
use sequor_planner::plan::Plan;
use sequor_planner::syntax::{PostgresSource, Source, SourceKind};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::compile::Loaded;
use super::registry::{Files, Opening};
use super::session::Options;
use super::stand_ins::StandIns;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::{Apis, Databases, Events, Keeper, Opener, Run, Scope, Transports, Variables};
use crate::expr::Evaluator;
use crate::http::{NoTokens, TokenStore};
use crate::secret::Redactor;
use crate::sources::database::Database;
use crate::sources::postgres;
use crate::staging::Memory;
use crate::state::{Journal, Local, RunFiles, Store};
use crate::value::Value;
use crate::world::World;

/// What steps and queries share.
pub struct Parts {
    variables: Arc<Variables>,
    pub databases: Arc<Databases>,
    apis: Apis,
    evaluator: Arc<Evaluator>,
    redactor: Redactor,
    memory: Memory,
    folder: PathBuf,
}

impl Parts {
    /// Creates the parts over a project, nothing of them open. `frames`: how many flows the plan has; `remembered`: what outlived
    /// runs before.
    ///
    /// # Errors
    /// Folders of recordings that can't be made or read.
    pub fn new(loaded: &Loaded, frames: usize, options: &Options, remembered: Remembered) -> Result<Parts> {
        let environment = loaded.compiler.environment.iter();
        let environment = environment
            .map(|(name, value)| (name.clone(), Value::from(value)))
            .collect();
        let variables = Arc::new(Variables::new(
            frames,
            loaded.overrides.clone(),
            loaded.kept.clone(),
            environment,
            remembered.locals,
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
        let spill = match &options.dry_run {
            Some(dry_run) => dry_run.spill(),
            None => state.join("spill"),
        };
        let script = options.dry_run.as_ref().and_then(|dry_run| dry_run.script());
        let memory = Memory::new(memory_limit()?, Some(spill)).at(script.and_then(|script| script.now));
        if let Some(dry_run) = &options.dry_run {
            dry_run.keep_variables(&variables);
            dry_run.dry.note_sources(loaded.compiler.sources.values());
        }
        let opener: Arc<dyn Opener> = match &options.databases {
            Some(opener) => opener.clone(),
            None => Arc::new(Registry {
                evaluator: evaluator.clone(),
                redactor: redactor.clone(),
                staging: state.join("staging"),
                memory: memory.clone(),
                folder: folder.clone(),
                files_exist: options.files_exist || options.dry_run.is_some(),
                files: Files::default(),
            }),
        };
        let opener = match &options.dry_run {
            Some(dry_run) => Arc::new(StandIns {
                run: dry_run.clone(),
                real: opener,
                memory: memory.clone(),
                staging: state.join("staging"),
            }),
            None => opener,
        };
        let sources = || loaded.compiler.sources.values().cloned();
        let databases = Arc::new(Databases::new(opener, redactor.clone(), sources()));
        let transports = Transports::new(
            options.record.as_deref(),
            options.replay.as_deref(),
            &redactor,
            remembered.tokens,
        )?;
        let apis = Apis::new(transports, evaluator.clone(), folder.clone(), sources());
        Ok(Parts {
            variables,
            databases,
            apis,
            evaluator,
            redactor,
            memory,
            folder,
        })
    }

    /// Gives back the connections that were opened.
    pub async fn close(&self) {
        for database in self.databases.take() {
            database.close().await;
        }
    }

    /// Returns the scope outside of all steps. Must be called where the runtime is entered.
    pub fn scope(&self) -> Scope {
        Scope::new(
            self.variables.clone(),
            self.databases.clone(),
            self.redactor.clone(),
            CancellationToken::new(),
            None,
        )
    }

    /// Returns the value of a property, outside of all steps.
    ///
    /// # Errors
    /// As evaluating it.
    pub async fn value(&self, prop: &Prop) -> Result<Value> {
        self.evaluator.one(prop, &self.scope().world(), None).await
    }

    /// Connects to the database of a source, for what is not a flow's.
    ///
    /// # Errors
    /// As opening it.
    pub async fn pool(&self, source: &PostgresSource) -> Result<sqlx::PgPool> {
        let (world, files) = (self.scope().world(), Files::default());
        postgres::pool(source, &self.opening(&world, &files).settings()).await
    }

    /// Opens the database of a source, where names without a schema are those of this one.
    ///
    /// # Errors
    /// As opening it.
    pub async fn database_in(&self, source: &PostgresSource, namespace: &str) -> Result<Arc<dyn Database>> {
        let (world, files) = (self.scope().world(), Files::default());
        postgres::open_in(source, &self.opening(&world, &files).settings(), namespace).await
    }

    fn opening<'o>(&'o self, world: &'o Arc<dyn World>, files: &'o Files) -> Opening<'o> {
        Opening {
            evaluator: &self.evaluator,
            world,
            redactor: &self.redactor,
            staging: &self.folder,
            memory: &self.memory,
            folder: &self.folder,
            files_exist: true,
            files,
        }
    }

    /// Returns what the steps of a run share.
    pub fn run(
        self,
        loaded: &Loaded,
        plan: &Arc<Plan>,
        options: &Options,
        kept: RunKeeps,
        events: Events,
        cancel: CancellationToken,
    ) -> Arc<Run> {
        Arc::new(Run {
            operations: Arc::new(options.preview.clone()),
            compiler: loaded.compiler.clone(),
            environment: loaded.project.env.clone(),
            in_order: plan.in_order,
            plan: plan.clone(),
            dry: options.dry_run.as_ref().map(|dry_run| dry_run.dry.clone()),
            id: kept.id,
            files: kept.files,
            retries_rejected: kept.retries_rejected,
            in_doubt: options.in_doubt,
            keeps_state: options.keeps_state,
            refreshes: options.refreshes,
            resends: options.resends,
            range: options.range.clone(),
            grace: options.grace,
            state: kept.state,
            journal: kept.journal,
            kept: kept.variables,
            variables: self.variables,
            databases: self.databases,
            apis: self.apis,
            reject_tables: Default::default(),
            evaluator: self.evaluator,
            redactor: self.redactor,
            memory: self.memory,
            folder: self.folder,
            events,
            cancel,
        })
    }
}

/// What outlived runs before.
pub struct Remembered {
    pub tokens: Arc<dyn TokenStore>,
    /// Local variables that earlier attempts at the run left.
    pub locals: Local,
}

impl Default for Remembered {
    fn default() -> Self {
        Remembered {
            tokens: Arc::new(NoTokens),
            locals: Local::new(),
        }
    }
}

/// What a run keeps.
pub struct RunKeeps {
    pub id: Uuid,
    pub files: Option<RunFiles>,
    /// Whether only rows that were rejected are sent again.
    pub retries_rejected: bool,
    pub state: Option<Store>,
    pub journal: Journal,
    pub variables: Option<Keeper>,
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
