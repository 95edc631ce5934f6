//! One step, from its start to its end.

use std::sync::Arc;
use std::time::Instant;

use sequor_planner::ops::OnError;
use sequor_planner::plan::{Action, Step};

use super::event::{Counters, Event, Outcome};
use super::run::Run;
use super::scheduler::{self, Prepared};
use super::scope::Scope;
use super::{flow, http_step, migrate, sql, unfold};
use crate::error::{Error, ErrorKind, Result};

/// How a step ended.
pub enum End {
    /// It took effect in its turn, and the flow goes on.
    Over,
    /// It failed in its turn, or was interrupted.
    Failed(Error),
    /// A step before it failed: what it did did not take effect.
    TakenBack,
}

/// Runs one step and tells about it.
pub async fn step_to_end(run: Arc<Run>, step: Arc<Step>, scope: Scope, depth: usize) -> End {
    let counters = Arc::new(Counters::default());
    let name: Arc<str> = step.id.as_str().into();
    run.events
        .emit(Event::Started {
            step: name.clone(),
            op: step.op,
            title: step.title.clone(),
            depth,
            counters: counters.clone(),
        })
        .await;
    let started = Instant::now();
    let scope = scope.in_frame(step.frame);
    let interrupted = || Error::new(ErrorKind::Cancelled, "interrupted");
    let result = tokio::select! {
        // Dropping what runs takes it back: a load that was not committed never was.
        () = run.cancel.cancelled() => Err(interrupted()),
        result = perform(run.clone(), step.clone(), scope.clone(), counters.clone(), depth) => result,
    };
    let result = result.map_err(|e| e.map_text(|text| run.redactor.redact(text)).at(&step.place));
    // What became of the step shows in its turn: a step before it may fail yet.
    let result = match (result, scope.turn()) {
        (Err(e), _) if matches!(e.kind(), ErrorKind::Cancelled | ErrorKind::TakenBack) => Err(e),
        (result, None) => result,
        (result, Some(turn)) => {
            let endless = result.as_ref().is_err_and(|e| e.kind() == ErrorKind::Depth);
            if result.is_err() && (step.on_error != OnError::Continue || endless) {
                turn.doomed();
            }
            let come = tokio::select! {
                () = run.cancel.cancelled() => Err(interrupted()),
                come = turn.come() => come,
            };
            come.and(result)
        }
    };
    let outcome = match &result {
        Ok(()) => Outcome::Done,
        Err(e) if e.kind() == ErrorKind::Cancelled => Outcome::Cancelled,
        Err(e) if e.kind() == ErrorKind::TakenBack => Outcome::Skipped {
            because: "a step before it failed: what it did here is taken back".into(),
        },
        Err(e) if scope.caught() => Outcome::Caught((!e.is_told()).then(|| e.clone())),
        Err(e) => Outcome::Failed((!e.is_told()).then(|| e.clone())),
    };
    run.events
        .emit(Event::Finished {
            step: name,
            op: step.op,
            depth,
            outcome,
            totals: counters.read(),
            took: started.elapsed(),
        })
        .await;
    match result {
        Ok(()) => End::Over,
        Err(error) if error.kind() == ErrorKind::TakenBack => End::TakenBack,
        // The failure is told; to the flow the step is done.
        Err(error)
            if step.on_error == OnError::Continue
                && !matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Depth) =>
        {
            End::Over
        }
        Err(error) => End::Failed(error.told()),
    }
}

async fn perform(
    run: Arc<Run>,
    step: Arc<Step>,
    scope: Scope,
    counters: Arc<Counters>,
    depth: usize,
) -> Result<()> {
    // In a step around that runs ahead, its own place is not enough.
    if step.barrier.is_some() && step.action.regions().is_empty() {
        scope.clear().await?;
    }
    if let Some(unfolds) = &step.unfolds {
        let unfolded = unfold::unfold(&run, &step, unfolds, &scope).await?;
        let (step, scope) = (unfolded.step.clone(), unfolded.scope.clone());
        return Box::pin(perform(run, step, scope, counters, depth)).await;
    }
    match &step.action {
        Action::Http(http) => http_step::run(run, &step, http, scope, counters).await,
        Action::Transform(transform) => sql::transform(&run, transform, &scope, &counters).await,
        Action::Execute(execute) => sql::execute(&run, execute, &scope, &counters).await,
        Action::SetVariable(set) => flow::set_variables(&run, &set.set, &scope).await,
        Action::Print(print) => flow::print(&run, &print.message, &scope).await,
        Action::If { branches, otherwise } => flow::branch(&run, branches, otherwise, scope, depth).await,
        Action::ForEach { rows, columns, body } => {
            flow::for_each(&run, rows, columns.as_ref(), body, scope, depth).await
        }
        Action::While {
            condition,
            body,
            max_iterations,
        } => flow::repeat(&run, condition, body, *max_iterations, scope, depth).await,
        Action::Try {
            steps,
            catch,
            finally,
        } => flow::attempt(&run, steps, catch.as_ref(), finally, scope, depth).await,
        Action::Group(body) => scheduler::region(run, Prepared::new(body), scope, depth + 1).await,
        // A call always unfolds.
        Action::Call { flow, .. } => Err(Error::new(
            ErrorKind::Internal,
            format!("the call of `{flow}` was not planned"),
        )),
        Action::MigrateSchema(migrate) => migrate::run(&run, migrate, &scope).await,
        Action::EnterFlow {
            frame, parameters, ..
        } => flow::enter(&run, *frame, parameters.as_ref(), &scope).await,
    }
}
