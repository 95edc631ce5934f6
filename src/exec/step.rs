//! One step, from its start to its end.

use std::sync::Arc;
use std::time::Instant;

use sequor_planner::ops::OnError;
use sequor_planner::plan::Step;

use super::context::StepContext;
use super::event::{Counters, Event, Outcome};
use super::run::Run;
use super::scope::Scope;
use super::unfold;
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
    let context = StepContext {
        run: run.clone(),
        step: step.clone(),
        scope: scope.clone(),
        counters: counters.clone(),
        depth,
    };
    let interrupted = || Error::new(ErrorKind::Cancelled, "interrupted");
    let result = tokio::select! {
        // Dropping what runs takes it back: a load that was not committed never was.
        () = run.cancel.cancelled() => Err(interrupted()),
        result = perform(context) => result,
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

/// Plans what only now can be planned, and has the step's operation performed.
async fn perform(context: StepContext) -> Result<()> {
    let step = &context.step;
    // In a step around that runs ahead, its own place is not enough.
    if step.barrier.is_some() && step.action.regions().is_empty() {
        context.scope.clear().await?;
    }
    let operations = context.run.operations.clone();
    let Some(unfolds) = &step.unfolds else {
        return operations.perform(context).await;
    };
    let unfolded = unfold::unfold(&context.run, step, unfolds, &context.scope).await?;
    let planned = StepContext {
        step: unfolded.step.clone(),
        scope: unfolded.scope.clone(),
        ..context.clone()
    };
    Box::pin(perform(planned)).await
}
