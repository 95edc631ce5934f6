//! Assembles the parts of a run: databases, APIs, the interpreter.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use sequor_planner::effects::Resource;
use sequor_planner::expr::Prop;
use sequor_planner::syntax::{Source, SourceKind};
use tokio_util::sync::CancellationToken;

use super::plan::Compiled;
use crate::engine::registry::{Files, Opening};
use crate::error::Result;
use crate::exec::{
    AllOperations, Apis, Databases, Events, Opener, Preview, Run, Scope, Transports, Variables,
};
use crate::expr::Evaluator;
use crate::secret::Redactor;
use crate::sources::database::Database;
use crate::value::Value;
use crate::world::World;

/// What is outside of the program.
#[derive(Default)]
pub struct Outside<'a> {
    /// Where requests and answers are kept, or taken from.
    pub record: Option<&'a Path>,
    pub replay: Option<&'a Path>,
    /// Files of databases are there already: one that is not is a slip, and is not made.
    pub files_exist: bool,
}

/// Opens what the plan uses.
pub async fn assemble(
    compiled: &Compiled,
    outside: &Outside<'_>,
    preview: Preview,
    events: Events,
    cancel: CancellationToken,
) -> Result<Arc<Run>> {
    let environment = compiled.compiler.environment.iter();
    let environment = environment
        .map(|(name, value)| (name.clone(), Value::from(value)))
        .collect();
    let variables = Arc::new(Variables::new(
        compiled.plan.frames,
        compiled.overrides.clone(),
        compiled.kept.clone(),
        environment,
    ));
    let evaluator = Arc::new(Evaluator::default());
    let redactor = Redactor::default();
    // Variables of the environment that are named like secrets are masked from the start.
    for (name, value) in &compiled.compiler.environment {
        if let Some(text) = value.as_str() {
            redactor.add_named(name, text);
        }
    }
    let folder = compiled.project.folder().to_path_buf();
    let state = compiled.project.state(&compiled.compiler.project.name);
    let registry = Registry {
        evaluator: evaluator.clone(),
        redactor: redactor.clone(),
        staging: state.join("staging"),
        folder: folder.clone(),
        files_exist: outside.files_exist,
        files: Files::default(),
    };
    let sources = || compiled.compiler.sources.values().cloned();
    let databases = Arc::new(Databases::new(Arc::new(registry), redactor.clone(), sources()));
    let transports = Transports::new(outside.record, outside.replay, &redactor)?;
    let apis = Apis::new(transports, evaluator.clone(), folder.clone(), sources());
    // What can't be reached is found out before anything is done.
    let scope = Scope::new(variables.clone(), databases.clone(), redactor.clone());
    let ready = match preview.mode {
        None => ready_at_start(compiled),
        // What is only looked at may need none of them.
        Some(_) => Vec::new(),
    };
    for source in ready {
        match source.kind {
            SourceKind::Http(_) => apis.get(Some(&source.name), &scope).await.map(|_| ())?,
            SourceKind::Database(_) => databases.get(&source.name, &scope).await.map(|_| ())?,
        }
    }
    Ok(Arc::new(Run {
        operations: Arc::new(AllOperations),
        compiler: compiled.compiler.clone(),
        in_order: compiled.plan.in_order,
        variables,
        databases,
        apis,
        evaluator,
        redactor,
        folder,
        events,
        preview,
        cancel,
    }))
}

/// Opens databases by their kinds.
struct Registry {
    evaluator: Arc<Evaluator>,
    redactor: Redactor,
    /// Where the staging database keeps its tables.
    staging: PathBuf,
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
            folder: &self.folder,
            files_exist: self.files_exist,
            files: &self.files,
        };
        opening.open(source).await
    }
}

/// The sources that the plan names, save those whose address a step may still change: they are opened when a step uses
/// them.
fn ready_at_start(compiled: &Compiled) -> Vec<&Source> {
    let mut set = Vec::new();
    compiled.plan.root.each(&mut |step| set.extend(&step.writes));
    let moves = |name: &String| {
        let known = compiled.overrides.contains_key(name) || compiled.compiler.environment.contains_key(name);
        let sets = |resource: &&Resource| match resource {
            Resource::Variable(set) | Resource::Local { name: set, .. } => set == name,
            Resource::AnyVariable => true,
            _ => false,
        };
        !compiled.overrides.contains_key(name) && (!known || set.iter().any(sets))
    };
    let named = compiled.plan.sources.iter();
    let sources = named.filter_map(|named| compiled.compiler.sources.get(&named.name));
    sources
        .filter(|source| {
            let settings = source.settings().into_iter().map(Prop::uses);
            settings
                .into_iter()
                .all(|uses| !uses.any_variable && !uses.variables.iter().any(moves))
        })
        .collect()
}
