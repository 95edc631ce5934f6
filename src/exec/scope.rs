//! The scope a step's expressions are evaluated in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sequor_planner::ops::VariableScope;
use tokio::runtime::Handle;

use super::run::Databases;
use super::table::collect;
use super::variables::Variables;
use crate::batch::row::Row;
use crate::error::Result;
use crate::expr::{Ask, World};
use crate::secret::Redactor;
use crate::sources::database::TableName;
use crate::value::Value;

/// Variables above those of the run: a row, a step's own.
#[derive(Debug, Default)]
pub struct Layer {
    values: Mutex<HashMap<String, Value>>,
    /// Where a response parser says that a variable goes when the step is done.
    scopes: Mutex<HashMap<String, VariableScope>>,
}

impl Layer {
    /// A layer with these variables.
    pub fn new(variables: HashMap<String, Value>) -> Arc<Layer> {
        Arc::new(Layer {
            values: Mutex::new(variables),
            scopes: Mutex::default(),
        })
    }

    /// A layer with one variable.
    pub fn one(name: &str, value: Value) -> Arc<Layer> {
        Layer::new(HashMap::from([(name.to_string(), value)]))
    }

    pub fn get(&self, name: &str) -> Option<Value> {
        lock(&self.values).get(name).cloned()
    }

    pub fn set(&self, name: &str, value: Value) {
        lock(&self.values).insert(name.to_string(), value);
    }

    /// Notes the scope that a parser gives a variable.
    pub fn set_scope(&self, name: &str, scope: VariableScope) {
        lock(&self.scopes).insert(name.to_string(), scope);
    }

    /// A copy of all its variables.
    pub fn all(&self) -> HashMap<String, Value> {
        lock(&self.values).clone()
    }

    /// The scopes that parsers gave.
    pub fn scopes(&self) -> HashMap<String, VariableScope> {
        lock(&self.scopes).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

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
    /// Innermost last. A layer is seen only in its own frame: a called flow sees its parameters and nothing else.
    layers: Vec<(usize, Arc<Layer>)>,
}

impl Scope {
    /// The scope of a flow. Must be called where the runtime is entered.
    pub fn new(variables: Arc<Variables>, databases: Arc<Databases>, redactor: Redactor) -> Scope {
        Scope {
            variables,
            databases,
            redactor,
            runtime: Handle::current(),
            frame: 0,
            caught: false,
            layers: Vec::new(),
        }
    }

    /// The same scope, in a frame.
    pub fn in_frame(&self, frame: usize) -> Scope {
        Scope {
            frame,
            ..self.clone()
        }
    }

    /// The scope with one more layer.
    pub fn with(&self, layer: Arc<Layer>) -> Scope {
        let mut scope = self.clone();
        scope.layers.push((self.frame, layer));
        scope
    }

    /// The scope inside a `try` that takes errors.
    pub fn inside_try(&self) -> Scope {
        Scope {
            caught: true,
            ..self.clone()
        }
    }

    /// Whether a `try` around takes errors.
    pub fn caught(&self) -> bool {
        self.caught
    }

    /// The frame that local variables go to.
    pub fn frame(&self) -> usize {
        self.frame
    }

    /// As the evaluator takes it.
    pub fn world(&self) -> Arc<dyn World> {
        Arc::new(self.clone())
    }
}

impl World for Scope {
    fn variable(&self, name: &str) -> Option<Value> {
        let layered = || {
            let mine = self.layers.iter().rev().filter(|(frame, _)| *frame == self.frame);
            mine.into_iter().find_map(|(_, layer)| layer.get(name))
        };
        self.variables
            .overridden(name)
            .or_else(layered)
            .or_else(|| self.variables.get(self.frame, name))
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
        let database = self.databases.get(source)?;
        self.runtime.block_on(async {
            let rows = match ask {
                Ask::Table {
                    table,
                    database: in_database,
                    namespace,
                    ..
                } => {
                    let fold = |name: &String| database.fold(name);
                    let table = TableName {
                        database: in_database.as_ref().map(fold),
                        namespace: namespace.as_ref().map(fold),
                        table: fold(table),
                    };
                    database.scan(&table).await?
                }
                Ask::Query { sql, .. } => database.query(sql).await?,
            };
            collect(rows).await
        })
    }

    fn environment(&self, name: &str) -> Option<String> {
        let value = std::env::var(name).ok()?;
        self.redactor.add_named(name, &value);
        Some(value)
    }
}
