//! The scope a step's expressions are evaluated in.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use sequor_planner::ops::VariableScope;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::databases::Databases;
use super::dry::Dry;
use super::layer::Layer;
use super::script::{self, Script};
use super::tables::{Relation, collect};
use super::turn::{Turn, Variable};
use super::variables::Variables;
use crate::error::Result;
use crate::secret::{Redactor, Secret, is_secret_variable};
use crate::sources::database::Database;
use crate::value::Row;
use crate::value::Value;
use crate::world::{Ask, World};

/// What a step has published, in order.
pub type Published = Arc<Mutex<Vec<(Variable, Value)>>>;

/// Where names are looked up: command line, layers from the innermost, the flow's locals, project, environment.
#[derive(Clone)]
pub struct Scope {
    variables: Arc<Variables>,
    databases: Arc<Databases>,
    redactor: Redactor,
    runtime: Handle,
    frame: usize,
    /// Whether a `try` around takes errors.
    caught: bool,
    /// How deep calls are that were planned when they started.
    calls: usize,
    /// When what the step does takes effect; none outside of steps.
    turn: Option<Turn>,
    /// Tells steps to stop in order: the run's, or that of a step around which took too long.
    stop: CancellationToken,
    /// What a dry run knows.
    dry: Option<Arc<Dry>>,
    /// The rounds of loops and the calls around, as the journal names them.
    path: Arc<str>,
    /// Whether it is one of a loop's rounds.
    in_round: bool,
    /// What the step has published.
    published: Published,
    /// Innermost last. A layer is seen only in its own frame: a called flow sees its parameters and nothing else.
    layers: Vec<(usize, Arc<Layer>)>,
}

impl Scope {
    /// Creates the scope of a flow. Must be called where the runtime is entered.
    pub fn new(
        variables: Arc<Variables>,
        databases: Arc<Databases>,
        redactor: Redactor,
        stop: CancellationToken,
        dry: Option<Arc<Dry>>,
    ) -> Scope {
        Scope {
            variables,
            databases,
            redactor,
            runtime: Handle::current(),
            frame: 0,
            caught: false,
            calls: 0,
            turn: None,
            stop,
            dry,
            path: "".into(),
            in_round: false,
            published: Published::default(),
            layers: Vec::new(),
        }
    }

    /// Returns the same scope, in a frame.
    pub fn in_frame(&self, frame: usize) -> Scope {
        Scope {
            frame,
            ..self.clone()
        }
    }

    /// Returns the scope with one more layer.
    pub fn with(&self, layer: Arc<Layer>) -> Scope {
        let mut scope = self.clone();
        scope.layers.push((self.frame, layer));
        scope
    }

    /// Returns the scope of what is inside a part of a step: a round of a loop, a call.
    pub fn inside(&self, part: &str) -> Scope {
        Scope {
            path: format!("{}{part}>", self.path).into(),
            ..self.clone()
        }
    }

    /// Returns the scope of a round of a loop.
    pub fn round(&self, part: &str) -> Scope {
        Scope {
            in_round: true,
            ..self.inside(part)
        }
    }

    /// Tells whether a loop is around, also one around calls.
    pub fn is_in_round(&self) -> bool {
        self.in_round
    }

    /// Returns the name of a step here, as the journal has it: unlike its id, it is another one in each round of a loop.
    pub fn key(&self, step: &str) -> String {
        format!("{}{step}", self.path)
    }

    /// Returns what all names begin with inside of a part of a step.
    pub fn keys_inside(&self, part: &str) -> String {
        format!("{}{part}>", self.path)
    }

    /// Returns the scope, and what is published in it from now on.
    pub fn publishing(&self) -> (Scope, Published) {
        let published = Published::default();
        let scope = Scope {
            published: published.clone(),
            ..self.clone()
        };
        (scope, published)
    }

    /// Returns the scope of a step that can be told to stop alone.
    pub fn stopping(&self) -> Scope {
        Scope {
            stop: self.stop.child_token(),
            ..self.clone()
        }
    }

    /// Returns what tells steps here to stop in order.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Returns the scope of a step.
    pub fn with_turn(&self, turn: Turn) -> Scope {
        Scope {
            turn: Some(turn),
            ..self.clone()
        }
    }

    /// Returns the step's turn.
    pub fn turn(&self) -> Option<&Turn> {
        self.turn.as_ref()
    }

    /// Tells whether what the step does takes effect at once.
    pub fn is_current(&self) -> bool {
        self.turn.as_ref().is_none_or(Turn::is_current)
    }

    /// Waits until what the step does may take effect.
    ///
    /// # Errors
    /// A step before failed.
    pub async fn wait_for_turn(&self) -> Result<()> {
        match &self.turn {
            Some(turn) => turn.wait().await,
            None => Ok(()),
        }
    }

    /// Waits until what can't be held back may be done.
    ///
    /// # Errors
    /// A step before failed.
    pub async fn wait_for_barriers(&self) -> Result<()> {
        match &self.turn {
            Some(turn) => turn.wait_for_barriers().await,
            None => Ok(()),
        }
    }

    /// Stages what the step sets, its work done: the steps behind it can read it.
    pub fn stage(&self, values: &[(Variable, Value)]) {
        self.turn.iter().for_each(|turn| turn.stage(values));
    }

    /// Publishes what the step sets, in its turn.
    pub fn publish(&self, values: Vec<(Variable, Value)>) {
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        for ((frame, name), value) in values {
            published.push(((frame, name.clone()), value.clone()));
            match frame {
                Some(frame) => self.variables.set_local(frame, &name, value),
                None => self.variables.set_project(&name, value),
            }
        }
        drop(published);
        self.turn.iter().for_each(Turn::published);
    }

    /// Returns the variable that a name means when it is set in a scope.
    pub fn target(&self, name: &str, kept: VariableScope) -> Variable {
        let frame = match kept {
            VariableScope::Project => None,
            VariableScope::Local => Some(self.frame),
        };
        (frame, name.to_string())
    }

    /// Returns the scope inside a `try` that takes errors.
    pub fn inside_try(&self) -> Scope {
        Scope {
            caught: true,
            ..self.clone()
        }
    }

    /// Returns the scope inside a call that was planned when it started.
    pub fn called(&self) -> Scope {
        Scope {
            calls: self.calls + 1,
            ..self.clone()
        }
    }

    /// Returns how deep such calls are.
    pub fn calls(&self) -> usize {
        self.calls
    }

    /// Tells whether a `try` around takes errors.
    pub fn caught(&self) -> bool {
        self.caught
    }

    /// Returns the frame that local variables go to.
    pub fn frame(&self) -> usize {
        self.frame
    }

    /// Returns the same scope, in which expressions see no tables.
    pub fn without_databases(&self) -> Scope {
        Scope {
            databases: Arc::default(),
            ..self.clone()
        }
    }

    /// Returns the database of a source, for code outside of the runtime's own threads.
    ///
    /// # Errors
    /// As opening it.
    pub fn database(&self, source: &str) -> Result<Arc<dyn Database>> {
        self.runtime.block_on(self.databases.get(source, self))
    }

    /// As the evaluator takes it.
    pub fn world(&self) -> Arc<dyn World> {
        Arc::new(self.clone())
    }
}

impl Scope {
    fn script(&self) -> Option<&Script> {
        self.dry.as_ref()?.script.as_ref()
    }

    fn look_up(&self, name: &str) -> Option<Value> {
        // A null lets the next scope be seen: behind the flow's own variables the project's, behind those the environment's.
        let known = |value: &Value| !matches!(value, Value::Null);
        let environment = || self.variables.environment_value(name).filter(known);
        if let Some(value) = self.variables.overridden(name) {
            return Some(value);
        }
        let mut layers = self.layers.iter().rev().filter(|(frame, _)| *frame == self.frame);
        if let Some(value) = layers.find_map(|(_, layer)| layer.get(name)) {
            // What a step sets stands for what the project has.
            return Some(value)
                .filter(known)
                .or_else(environment)
                .or(Some(Value::Null));
        }
        let staged = |frame| self.turn.as_ref().and_then(|turn| turn.staged(frame, name));
        let local = staged(Some(self.frame)).or_else(|| self.variables.local(self.frame, name));
        let project = || staged(None).or_else(|| self.variables.project_value(name));
        match local {
            Some(value) if known(&value) => Some(value),
            local => match project() {
                Some(value) if known(&value) => Some(value),
                project => environment()
                    .or(project)
                    .or(local)
                    .or_else(|| self.variables.environment_value(name)),
            },
        }
    }
}

impl World for Scope {
    fn variable(&self, name: &str) -> Option<Value> {
        let value = self.look_up(name)?;
        if is_secret_variable(name)
            && let Value::Text(text) = &value
        {
            self.redactor.add(&Secret::new(text.clone()));
        }
        Some(value)
    }

    fn keep(&self, name: &str, value: Value) {
        if self.variables.overridden(name).is_some() {
            return;
        }
        let mut layers = self.layers.iter().rev().filter(|(frame, _)| *frame == self.frame);
        match layers.find(|(_, layer)| !matches!(layer.get(name), None | Some(Value::Null))) {
            Some((_, layer)) => layer.set(name, value),
            None => self.variables.keep_local(self.frame, name, value),
        }
    }

    fn near(&self, name: &str) -> Option<String> {
        let mut names = self.variables.names(self.frame);
        for (_, layer) in &self.layers {
            names.extend(layer.all().into_keys());
        }
        sequor_planner::nearest(name, names.iter().map(String::as_str)).map(str::to_string)
    }

    fn rows(&self, ask: &Ask) -> Result<Vec<Row>> {
        let (Ask::Table { source, .. } | Ask::Query { source, .. }) = ask;
        self.runtime.block_on(async {
            let database = self.databases.get(source, self).await?;
            let rows = match ask {
                Ask::Table {
                    table,
                    database: in_database,
                    namespace,
                    ..
                } => {
                    let (catalog, namespace) = (in_database.clone(), namespace.clone());
                    let relation = Relation::of(&*database, catalog, namespace, table).await?;
                    relation.scan(&*database, None).await?
                }
                Ask::Query { sql, .. } => database.query(&sequor_planner::plain_colons(sql)).await?,
            };
            collect(rows).await
        })
    }

    fn environment(&self, name: &str) -> Option<String> {
        let value = script::process_variable(self.script(), name)?;
        self.redactor.add_variable(name, &value);
        Some(value)
    }

    fn missing_environment(&self, name: &str) -> Option<String> {
        self.dry.as_ref().map(|dry| dry.missing(name))
    }

    fn missing_variable(&self, name: &str) -> Option<Value> {
        let dry = self.dry.as_ref().filter(|dry| dry.is_of_sources(name))?;
        Some(Value::text(dry.missing(name)))
    }

    fn secret(&self, name: &str) -> Option<String> {
        let value = script::process_variable(self.script(), name)?;
        self.redactor.add(&Secret::new(value.as_str()));
        Some(value)
    }

    fn now(&self) -> DateTime<Utc> {
        let now = self.script().and_then(|script| script.now);
        now.unwrap_or_else(Utc::now)
    }
}
