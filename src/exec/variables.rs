//! Variables of a run, in their scopes.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use indexmap::IndexMap;

use sequor_planner::expr::Prop;
use sequor_planner::ops::VariableSet;

use crate::error::{Error, ErrorKind, Result};
use crate::state::Local;
use crate::value::{self, Value};

/// Returns what an expression gave for a variable: `{"value": V, "scope": S}` says the scope, too. Gives the value,
/// and whether it is local where it says so.
///
/// # Errors
/// A scope that is none.
pub fn scoped(variable: &VariableSet, value: Value) -> Result<(Value, Option<bool>)> {
    if !matches!(variable.value, Prop::Python { .. }) {
        return Ok((value, None));
    }
    value::scoped(value).map_err(|scope| {
        let message = format!("variable `{}` has the scope `{scope}`", variable.name);
        Error::new(ErrorKind::Data, message).help("scopes are local and project")
    })
}

/// Returns the variables that a value sets: one, or those of a map.
///
/// # Errors
/// What is no map where variables are due; a scope that is none.
pub fn expanded(variable: &VariableSet, value: Value) -> Result<Vec<(String, Value, Option<bool>)>> {
    if !variable.many {
        let (value, local) = scoped(variable, value)?;
        return Ok(vec![(variable.name.clone(), value, local)]);
    }
    let none = |value: &Value| {
        let message = format!(
            "variables must be a map of names to values, and are {}",
            value.kind()
        );
        Error::new(ErrorKind::Data, message)
    };
    let below = match variable.name.as_str() {
        "" => value,
        key => value
            .entries()
            .ok_or_else(|| none(&value))?
            .get(key)
            .cloned()
            .unwrap_or(Value::Null),
    };
    if matches!(below, Value::Null) {
        return Ok(Vec::new());
    }
    let entries = below.entries().ok_or_else(|| none(&below))?;
    let each = entries.iter().map(|(name, value)| {
        let (value, local) = scoped(variable, value.clone())?;
        Ok((name.clone(), value, local))
    });
    each.collect()
}

/// The local variables of a flow's run.
type Locals = Arc<RwLock<HashMap<String, Value>>>;

/// The variables of a frame as an earlier attempt left them.
fn found(remembered: &Local, frame: &str) -> Locals {
    let found = remembered.get(frame).into_iter().flatten();
    Arc::new(RwLock::new(
        found.map(|(name, value)| (name.clone(), value.clone())).collect(),
    ))
}

/// The scopes that outlive a step: command line, frames of flows, project, environment.
pub struct Variables {
    overrides: IndexMap<String, Value>,
    frames: Vec<Locals>,
    /// Frames of calls that were planned when they started, by number, each with its name.
    called: RwLock<HashMap<usize, (Locals, String)>>,
    /// What earlier attempts at the run left in frames, by their names.
    remembered: Local,
    /// The number of the next such frame.
    next: AtomicUsize,
    project: RwLock<IndexMap<String, Value>>,
    environment: IndexMap<String, Value>,
}

/// Numbers for the frames of one call: more than a call can have.
const RESERVED: usize = 1 << 12;

impl Variables {
    /// Variables at the start of a run: `--var`, those kept from earlier runs, the environment's; `remembered`: what earlier
    /// attempts at the run left in frames.
    pub fn new(
        frames: usize,
        overrides: IndexMap<String, Value>,
        project: IndexMap<String, Value>,
        environment: IndexMap<String, Value>,
        remembered: Local,
    ) -> Self {
        let frames = frames.max(1);
        let locals = |frame: usize| found(&remembered, &frame.to_string());
        Variables {
            overrides,
            frames: (0..frames).map(locals).collect(),
            remembered,
            called: RwLock::default(),
            next: AtomicUsize::new(frames),
            project: RwLock::new(project),
            environment,
        }
    }

    /// Returns the number of the first frame of a call.
    pub fn reserve(&self) -> usize {
        self.next.fetch_add(RESERVED, Ordering::Relaxed)
    }

    /// Begins the frames of a call. `name`: that of the call, which is the same in each attempt at the run.
    pub fn open(&self, frames: Range<usize>, name: &str) {
        let mut called = self.called.write().unwrap_or_else(PoisonError::into_inner);
        called.extend(frames.enumerate().map(|(at, frame)| {
            let name = format!("{name}#{at}");
            (frame, (found(&self.remembered, &name), name))
        }));
    }

    /// Returns the name of a frame, which is the same in each attempt at the run.
    pub fn frame_name(&self, frame: usize) -> String {
        if frame < self.frames.len() {
            return frame.to_string();
        }
        let called = self.called.read().unwrap_or_else(PoisonError::into_inner);
        called
            .get(&frame)
            .map_or_else(|| frame.to_string(), |(_, name)| name.clone())
    }

    /// Ends the frames of a call.
    pub fn leave(&self, frames: Range<usize>) {
        let mut called = self.called.write().unwrap_or_else(PoisonError::into_inner);
        frames.for_each(|frame| {
            called.remove(&frame);
        });
    }

    fn locals(&self, frame: usize) -> Option<Locals> {
        self.frames.get(frame).cloned().or_else(|| {
            let called = self.called.read().unwrap_or_else(PoisonError::into_inner);
            called.get(&frame).map(|(locals, _)| locals.clone())
        })
    }

    /// Returns the value from the command line, which wins over every other.
    pub fn overridden(&self, name: &str) -> Option<Value> {
        self.overrides.get(name).cloned()
    }

    /// Returns the value in a frame.
    pub fn local(&self, frame: usize, name: &str) -> Option<Value> {
        let locals = self.locals(frame)?;
        let locals = locals.read().unwrap_or_else(PoisonError::into_inner);
        locals.get(name).cloned()
    }

    /// Returns the project's value.
    pub fn project_value(&self, name: &str) -> Option<Value> {
        let project = self.project.read().unwrap_or_else(PoisonError::into_inner);
        project.get(name).cloned()
    }

    /// Returns the environment's value.
    pub fn environment_value(&self, name: &str) -> Option<Value> {
        self.environment.get(name).cloned()
    }

    /// Sets a variable that is kept between runs.
    pub fn set_project(&self, name: &str, value: Value) {
        let mut project = self.project.write().unwrap_or_else(PoisonError::into_inner);
        project.insert(name.to_string(), value);
    }

    /// Sets a variable of one run of one flow.
    pub fn set_local(&self, frame: usize, name: &str, value: Value) {
        if let Some(locals) = self.locals(frame) {
            let mut locals = locals.write().unwrap_or_else(PoisonError::into_inner);
            locals.insert(name.to_string(), value);
        }
    }

    /// Replaces a variable of one run of one flow, if it is set.
    pub fn keep_local(&self, frame: usize, name: &str, value: Value) {
        if let Some(locals) = self.locals(frame) {
            let mut locals = locals.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = locals.get_mut(name) {
                *known = value;
            }
        }
    }

    /// Starts a frame anew with its parameters.
    pub fn enter(&self, frame: usize, parameters: HashMap<String, Value>) {
        if let Some(locals) = self.locals(frame) {
            *locals.write().unwrap_or_else(PoisonError::into_inner) = parameters;
        }
    }

    /// Returns the project's variables, to be kept.
    pub fn project(&self) -> IndexMap<String, Value> {
        self.project
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Returns the values that the people who run the flow gave it: those of the command line and of the environment.
    pub fn given(&self) -> impl Iterator<Item = &Value> {
        self.overrides.values().chain(self.environment.values())
    }

    /// Returns every name that is defined in a frame's sight.
    pub fn names(&self, frame: usize) -> Vec<String> {
        let mut names: Vec<String> = self
            .overrides
            .keys()
            .chain(self.environment.keys())
            .cloned()
            .collect();
        names.extend(
            self.project
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .keys()
                .cloned(),
        );
        if let Some(locals) = self.locals(frame) {
            names.extend(
                locals
                    .read()
                    .unwrap_or_else(PoisonError::into_inner)
                    .keys()
                    .cloned(),
            );
        }
        names
    }
}
