//! What one step runs with.

use std::sync::Arc;

use sequor_planner::expr::Prop;
use sequor_planner::plan::{Region, Step};

use super::event::{Counters, Emitter};
use super::run::Run;
use super::scheduler::{self, Prepared};
use super::scope::Scope;
use crate::error::Result;
use crate::event::EventKind;
use crate::secret::Secret;
use crate::sources::database::Database;
use crate::value::Value;

/// What one step runs with. Cheap to clone.
#[derive(Clone)]
pub struct StepContext {
    /// What all steps of the run share.
    pub run: Arc<Run>,
    pub step: Arc<Step>,
    /// What the step's expressions see.
    pub scope: Scope,
    pub counters: Arc<Counters>,
    /// How many steps are around it.
    pub depth: usize,
}

impl StepContext {
    /// Returns the step's id.
    pub fn id(&self) -> &str {
        &self.step.id
    }

    /// Returns the same step with another scope.
    pub fn in_scope(&self, scope: Scope) -> StepContext {
        StepContext {
            scope,
            ..self.clone()
        }
    }

    /// Returns the value of a property.
    ///
    /// # Errors
    /// As evaluating it.
    pub async fn value(&self, prop: &Prop) -> Result<Value> {
        self.run.evaluator.one(prop, &self.scope.world(), None).await
    }

    /// Returns the value of a property as text.
    ///
    /// # Errors
    /// As evaluating it.
    pub async fn text(&self, prop: &Prop) -> Result<String> {
        Ok(self.value(prop).await?.to_text())
    }

    /// Returns the value of a property that no output shows from now on.
    ///
    /// # Errors
    /// As evaluating it.
    pub async fn secret(&self, prop: &Prop) -> Result<Secret> {
        let secret = Secret::new(self.text(prop).await?);
        self.run.redactor.add(&secret);
        Ok(secret)
    }

    /// Shows no text of a value from now on.
    pub fn hide(&self, value: &Value) {
        match value {
            Value::Text(text) => self.run.redactor.add(&Secret::new(text.clone())),
            Value::List(items) => items.iter().for_each(|item| self.hide(item)),
            Value::Map(entries) => entries.values().for_each(|entry| self.hide(entry)),
            _ => {}
        }
    }

    /// Returns the database of a source.
    ///
    /// # Errors
    /// As opening it.
    pub async fn database(&self, source: &str) -> Result<Arc<dyn Database>> {
        self.run.databases.get(source, &self.scope).await
    }

    /// Tells what happens in the step.
    pub fn emitter(&self) -> Emitter {
        Emitter {
            events: self.run.events.clone(),
            step: self.step.id.as_str().into(),
        }
    }

    /// Tells what happened.
    pub async fn emit(&self, kind: EventKind) {
        self.run.events.emit(Some(self.id()), kind).await;
    }

    /// Warns of something; secrets in the text are hidden.
    pub async fn warn(&self, text: impl AsRef<str>) {
        let text = self.run.redactor.shown(text.as_ref());
        self.emit(EventKind::Warning { text }).await;
    }

    /// Runs steps inside this one to their end.
    ///
    /// # Errors
    /// The first error of a step.
    pub async fn steps(&self, region: &Region, scope: Scope) -> Result<()> {
        self.prepared(Prepared::new(region), scope).await
    }

    /// As [`StepContext::steps`], for steps that run more than once.
    ///
    /// # Errors
    /// The first error of a step.
    pub async fn prepared(&self, region: Arc<Prepared>, scope: Scope) -> Result<()> {
        scheduler::region(self.run.clone(), region, scope, self.depth + 1).await
    }
}
