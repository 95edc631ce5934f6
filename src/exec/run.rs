//! A run: what all its steps share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use sequor_planner::plan::Plan;
use tokio_util::sync::CancellationToken;

use super::api::Api;
use super::debug::Debug;
use super::event::Events;
use super::scheduler::{self, Prepared};
use super::scope::Scope;
use super::variables::Variables;
use crate::error::{Error, ErrorKind, Result};
use crate::expr::Evaluator;
use crate::secret::Redactor;
use crate::sources::database::Database;

/// The databases of a run, by source.
#[derive(Default)]
pub struct Databases {
    open: HashMap<String, Arc<dyn Database>>,
}

impl Databases {
    /// The databases of these sources.
    pub fn new(open: HashMap<String, Arc<dyn Database>>) -> Self {
        Databases { open }
    }

    /// The database of a source.
    pub fn get(&self, source: &str) -> Result<Arc<dyn Database>> {
        self.open.get(source).cloned().ok_or_else(|| {
            let known: Vec<&str> = self.open.keys().map(String::as_str).collect();
            let error = Error::new(
                ErrorKind::Project,
                format!("no database source is named `{source}`"),
            );
            match sequor_planner::did_you_mean(source, "databases in use", known) {
                Some(help) => error.help(help),
                None => error.help(format!("add sources/{source}.yaml")),
            }
        })
    }

    /// The database of a source, named as SQL names things: in any case.
    pub fn find(&self, source: &str) -> Option<Arc<dyn Database>> {
        let any_case = || {
            self.open
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(source))
        };
        let exact = self.open.get(source);
        exact
            .or_else(|| any_case().map(|(_, database)| database))
            .cloned()
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Arc<dyn Database>> {
        self.open.values()
    }
}

/// What the steps of a run share.
pub struct Run {
    pub variables: Arc<Variables>,
    pub databases: Arc<Databases>,
    /// By source; the empty name is for requests without one.
    pub apis: HashMap<String, Arc<Api>>,
    pub evaluator: Arc<Evaluator>,
    pub redactor: Redactor,
    /// The project's folder: bodies may hold its files.
    pub folder: PathBuf,
    pub events: Events,
    /// What is looked at instead of done.
    pub debug: Debug,
    /// Stops the run in order.
    pub cancel: CancellationToken,
}

impl Run {
    /// The API of a source.
    pub(super) fn api(&self, source: Option<&str>) -> Result<Arc<Api>> {
        let name = source.unwrap_or_default();
        self.apis
            .get(name)
            .cloned()
            .ok_or_else(|| Error::new(ErrorKind::Internal, format!("http source `{name}` is not open")))
    }
}

/// Executes a plan. The first error of a step; the events tell all.
pub async fn execute(run: Arc<Run>, plan: &Plan) -> Result<()> {
    let scope = Scope::new(run.variables.clone(), run.databases.clone(), run.redactor.clone());
    scheduler::region(run, Prepared::new(&plan.root), scope, 0).await
}
