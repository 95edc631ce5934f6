//! Runs the flow of a test, and notes what it does.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sequor_planner::plan::Action;

use super::files::Suite;
use crate::engine::{Compiled, DryRun, Session};
use crate::error::Error;
use crate::event::{ErrorReport, EventKind, StepStatus};

/// What a flow did.
#[derive(Default)]
pub struct Observed {
    /// The texts of its `print` steps.
    pub printed: Vec<String>,
    /// The steps that began.
    pub steps: Vec<String>,
    /// Rows that were rejected, by step.
    pub rejects: HashMap<String, u64>,
    /// The source and the name of the tables that they go to, by step.
    pub reject_tables: HashMap<String, (String, String)>,
    pub error: Option<ErrorReport>,
    /// The innermost step that failed.
    pub failed_step: Option<String>,
}

/// How long requests under way get to end: none is.
const GRACE: Duration = Duration::from_millis(100);

/// Runs a flow. `replay`: a folder of recordings.
pub async fn execute(
    suite: &Suite,
    compiled: &Compiled,
    dry_run: Arc<DryRun>,
    (replay, timeout): (Option<PathBuf>, Duration),
) -> Observed {
    let mut observed = Observed {
        reject_tables: reject_tables(compiled),
        ..Observed::default()
    };
    let session = Session::new(&compiled.loaded)
        .interpreter(suite.evaluator.clone())
        .replay(replay)
        .grace(GRACE)
        .timeout(Some(timeout))
        .dry_run(Some(dry_run));
    let fail = |observed: &mut Observed, error: &Error| observed.error = Some(ErrorReport::from(error));
    let mut run = match session.start(compiled).await {
        Ok(run) => run,
        Err(error) => {
            fail(&mut observed, &error);
            return observed;
        }
    };
    while let Some(event) = run.next_event().await {
        let step = event.step.clone().unwrap_or_default();
        match &event.kind {
            EventKind::StepStarted { .. } => observed.steps.push(step),
            EventKind::Printed { text } => observed.printed.push(text.clone()),
            EventKind::StepFinished {
                status,
                totals,
                error,
                ..
            } => {
                if totals.rejects > 0 {
                    *observed.rejects.entry(step.clone()).or_default() += totals.rejects;
                }
                if *status == StepStatus::Failed && error.is_some() {
                    observed.failed_step.get_or_insert(step);
                }
            }
            _ => {}
        }
    }
    match run.wait().await {
        Ok(report) => observed.error = report.error,
        Err(error) => fail(&mut observed, &error),
    }
    observed
}

fn reject_tables(compiled: &Compiled) -> HashMap<String, (String, String)> {
    let mut found = HashMap::new();
    compiled.plan.root.each(&mut |step| {
        if let Action::Http(http) = &step.action
            && let Some(rejects) = &http.rejects
            && let Some(table) = rejects.table.as_text()
        {
            let namespace = rejects
                .namespace
                .as_ref()
                .and_then(|namespace| namespace.as_text());
            let name =
                namespace.map_or_else(|| table.to_string(), |namespace| format!("{namespace}.{table}"));
            found.insert(step.id.clone(), (rejects.source.clone(), name));
        }
    });
    found
}
