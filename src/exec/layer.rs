//! Variables that lie above those of a run, while a step is at work.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sequor_planner::ops::VariableScope;

use crate::value::Value;

/// Variables above those of the run: a row, a step's own.
#[derive(Debug, Default)]
pub struct Layer {
    values: Mutex<HashMap<String, Value>>,
    /// Where a response parser says that a variable goes when the step is done.
    scopes: Mutex<HashMap<String, VariableScope>>,
}

impl Layer {
    /// Creates a layer with these variables.
    pub fn new(variables: HashMap<String, Value>) -> Arc<Layer> {
        Arc::new(Layer {
            values: Mutex::new(variables),
            scopes: Mutex::default(),
        })
    }

    /// Returns a layer with one variable.
    pub fn one(name: &str, value: Value) -> Arc<Layer> {
        Layer::new(HashMap::from([(name.to_string(), value)]))
    }

    /// Returns the value of a variable; none where the layer has no such.
    pub fn get(&self, name: &str) -> Option<Value> {
        lock(&self.values).get(name).cloned()
    }

    /// Sets a variable.
    pub fn set(&self, name: &str, value: Value) {
        lock(&self.values).insert(name.to_string(), value);
    }

    /// Notes the scope that a parser gives a variable.
    pub fn set_scope(&self, name: &str, scope: VariableScope) {
        lock(&self.scopes).insert(name.to_string(), scope);
    }

    /// Returns a copy of all its variables.
    pub fn all(&self) -> HashMap<String, Value> {
        lock(&self.values).clone()
    }

    /// Returns the scopes that parsers gave.
    pub fn scopes(&self) -> HashMap<String, VariableScope> {
        lock(&self.scopes).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
