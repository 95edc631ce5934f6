//! A run: what all its steps share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use sequor_planner::Compiler;
use sequor_planner::plan::Plan;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::apis::Apis;
use super::context::StepContext;
use super::databases::Databases;
use super::dry::Dry;
use super::event::Events;
use super::scheduler::{self, Prepared};
use super::scope::Scope;
use super::variables::Variables;
use crate::error::Result;
use crate::exec::keep::Keeper;
use crate::exec::reject_tables::RejectTables;
use crate::expr::Evaluator;
use crate::local::Memory;
use crate::secret::Redactor;
use crate::state::{Journal, RunFiles, Store};

/// What operations do.
pub trait Operations: Send + Sync {
    /// Performs one step. Called once for each start of a step, when what it waits for is there; dropping the future takes
    /// back what did not take effect yet.
    fn perform(&self, context: StepContext) -> BoxFuture<'static, Result<()>>;
}

/// What is done with rows that may have been sent by an earlier attempt, and must not be sent twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum InDoubt {
    /// They are listed, and the step fails when all others are done.
    #[default]
    Stop,
    /// They are sent again.
    Send,
    /// They count as done.
    Skip,
}

/// Which rows are sent again that steps which send only changes have sent before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resends {
    /// Every row.
    pub full: bool,
    /// Rows that another request has sent, and those in doubt.
    pub others: bool,
}

/// A range of cursors, as it was written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Between {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// What the steps of a run share.
pub struct Run {
    pub operations: Arc<dyn Operations>,
    /// Plans the steps that only the run can.
    pub compiler: Arc<Compiler>,
    /// Whether steps and requests go one by one.
    pub in_order: bool,
    /// The environment in use.
    pub environment: Option<String>,
    /// What outlives it; none: a run that is only looked at.
    pub state: Option<Store>,
    /// What a dry run knows; none: it is none.
    pub dry: Option<Arc<Dry>>,
    /// Its id, the same in each attempt.
    pub id: Uuid,
    /// Where it keeps what it can be gone on with; none: it keeps nothing.
    pub files: Option<RunFiles>,
    /// Whether only rows are sent again that an earlier attempt rejected.
    pub retries_rejected: bool,
    /// What is done with rows that may have been sent by an earlier attempt.
    pub in_doubt: InDoubt,
    /// Whether incremental steps go on from their states though their requests are others now.
    pub keeps_state: bool,
    /// Whether incremental steps begin anew, and so do their tables.
    pub refreshes: bool,
    /// Which rows are sent again.
    pub resends: Resends,
    /// The range that incremental steps ask for, whatever they have covered; none: what is new.
    pub range: Option<Between>,
    /// How long requests under way get to end in order after the run was told to stop.
    pub grace: Duration,
    /// What it carries out.
    pub plan: Arc<Plan>,
    pub variables: Arc<Variables>,
    /// How far it is, for attempts to come.
    pub journal: Journal,
    /// Where the project's variables are kept; none: a run that is only looked at.
    pub kept: Option<Keeper>,
    pub databases: Arc<Databases>,
    pub apis: Apis,
    /// The tables of rejects that were filled.
    pub reject_tables: RejectTables,
    pub evaluator: Arc<Evaluator>,
    /// What queries that run here may take.
    pub memory: Memory,
    pub redactor: Redactor,
    /// The project's folder: bodies may hold its files.
    pub folder: PathBuf,
    pub events: Events,
    /// Stops the run in order.
    pub cancel: CancellationToken,
}

impl Run {
    /// Returns the scope outside of all steps. Must be called where the runtime is entered.
    pub fn scope(&self) -> Scope {
        Scope::new(
            self.variables.clone(),
            self.databases.clone(),
            self.redactor.clone(),
            self.cancel.clone(),
            self.dry.clone(),
        )
    }
}

/// Executes a plan. The first error of a step; the events tell all.
pub async fn execute(run: Arc<Run>, plan: &Plan) -> Result<()> {
    let scope = run.scope();
    scheduler::region(run, Prepared::new(&plan.root), scope, 0).await
}
