//! One step, from its start to its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sequor_planner::ops::OnError;
use sequor_planner::plan::{Action, Step};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::api::seconds as seconds_of;
use super::context::StepContext;
use super::dry::Dry;
use super::event::Counters;
use super::keep;
use super::run::Run;
use super::scope::Scope;
use super::unfold;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{ErrorReport, EventKind, StepStatus, Totals, seconds};
use crate::state::Durability;

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
    if run.journal.is_over(&scope.key(&step.id)) {
        return already_done(&run, &step, &scope, depth).await;
    }
    if let Some(dry) = &run.dry
        && let Some(because) = dry.refuses(&step)
    {
        return not_tried(&run, dry, &step, &scope, (depth, because)).await;
    }
    let counters = Arc::new(Counters::default());
    let begun = EventKind::StepStarted {
        op: step.op.to_string(),
        title: step.title.clone(),
        depth,
    };
    run.events.emit(Some(&step.id), begun).await;
    let started = Instant::now();
    let around = scope.stop().clone();
    let (scope, published) = scope.in_frame(step.frame).stopping().publishing();
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
        () = stopped(&run, &step, &around) => Err(interrupted()),
        result = in_time(&context) => result,
    };
    if let (Some(dry), Err(error)) = (&run.dry, &result)
        && error.kind() == ErrorKind::Variable
        && let Some(because) = dry.named_in(error.message())
    {
        return not_tried(&run, dry, &step, &scope, (depth, because)).await;
    }
    let result = result.map_err(|e| e.map_text(|text| run.redactor.shown(text)).at(&step.place));
    // What became of the step shows in its turn: a step before it may fail yet.
    let result = match (result, scope.turn()) {
        (Err(e), _) if matches!(e.kind(), ErrorKind::Cancelled | ErrorKind::TakenBack) => Err(e),
        (result, None) => result,
        (result, Some(turn)) => {
            let endless = result.as_ref().is_err_and(|e| e.kind() == ErrorKind::Depth);
            if result.is_err() && (step.on_error != OnError::Continue || endless) {
                turn.will_fail();
            }
            let come = tokio::select! {
                () = around.cancelled() => Err(interrupted()),
                waited = turn.wait() => waited,
            };
            come.and(result)
        }
    };
    let goes_on = match &result {
        Ok(()) => true,
        Err(error) => continues(&step, error),
    };
    // Before it is told: what was told is remembered.
    let result = match goes_on {
        true => match keep::over(
            &run,
            &step,
            &scope,
            &published,
            result.is_err(),
            counters.read().rejects,
        )
        .await
        {
            Ok(()) => result,
            Err(error) => Err(error),
        },
        false => result,
    };
    let (status, because) = match &result {
        Ok(()) => (StepStatus::Done, None),
        Err(e) if e.kind() == ErrorKind::Cancelled => (StepStatus::Cancelled, None),
        Err(e) if e.kind() == ErrorKind::TakenBack => {
            let because = "a step before it failed: what it did here is taken back";
            (StepStatus::Skipped, Some(because.to_string()))
        }
        Err(_) if scope.caught() => (StepStatus::Caught, None),
        Err(_) => (StepStatus::Failed, None),
    };
    let failed = matches!(status, StepStatus::Caught | StepStatus::Failed);
    let error = result.as_ref().err().filter(|e| failed && !e.is_reported());
    let ended = EventKind::StepFinished {
        op: step.op.to_string(),
        depth,
        status,
        totals: counters.read(),
        seconds: seconds(started.elapsed()),
        error: error.map(ErrorReport::from),
        because,
    };
    run.events.emit(Some(&step.id), ended).await;
    match result {
        Ok(()) => End::Over,
        Err(error) if error.kind() == ErrorKind::TakenBack => End::TakenBack,
        // The failure is told; to the flow the step is done.
        Err(error) if continues(&step, &error) => End::Over,
        Err(error) => End::Failed(error.reported()),
    }
}

/// Waits until a step has to stop: when it is told to; later where requests under way end in order.
async fn stopped(run: &Run, step: &Step, told: &CancellationToken) {
    told.cancelled().await;
    if ends_in_order(step) {
        tokio::time::sleep(run.grace).await;
    }
}

/// Whether a step gets time to end what is under way, once it is told to stop.
fn ends_in_order(step: &Step) -> bool {
    let sends = matches!(step.action, Action::Http(_)) && step.outside;
    sends || !step.action.regions().is_empty() || step.unfolds.is_some()
}

/// Whether the flow goes on behind a step that failed.
fn continues(step: &Step, error: &Error) -> bool {
    let ends_all = matches!(
        error.kind(),
        ErrorKind::Cancelled | ErrorKind::Depth | ErrorKind::TakenBack | ErrorKind::State
    );
    step.on_error == OnError::Continue && !ends_all
}

/// Passes over a step that an earlier attempt at the run did.
async fn already_done(run: &Run, step: &Step, scope: &Scope, depth: usize) -> End {
    let because = run.journal.why_over(&scope.key(&step.id)).to_string();
    passed_over(run, step, scope, (depth, StepStatus::AlreadyDone, because)).await
}

/// Passes over a step of a dry run that needs what only a real answer gives.
async fn not_tried(
    run: &Run,
    dry: &Dry,
    step: &Step,
    scope: &Scope,
    (depth, because): (usize, String),
) -> End {
    dry.not_tried(step, &because);
    passed_over(run, step, scope, (depth, StepStatus::Skipped, because)).await
}

async fn passed_over(
    run: &Run,
    step: &Step,
    scope: &Scope,
    (depth, status, because): (usize, StepStatus, String),
) -> End {
    scope.stage(&[]);
    let come = tokio::select! {
        () = scope.stop().cancelled() => Err(Error::new(ErrorKind::Cancelled, "interrupted")),
        come = scope.wait_for_turn() => come,
    };
    match come {
        Ok(()) => {
            let passed = EventKind::StepFinished {
                op: step.op.to_string(),
                depth,
                status,
                totals: Totals::default(),
                seconds: 0.0,
                error: None,
                because: Some(because),
            };
            run.events.emit(Some(&step.id), passed).await;
            End::Over
        }
        Err(error) if error.kind() == ErrorKind::TakenBack => End::TakenBack,
        Err(error) => End::Failed(error.reported()),
    }
}

/// Performs the step within the time that it may take.
async fn in_time(context: &StepContext) -> Result<()> {
    let most = context.step.timeout.filter(|_| context.step.unfolds.is_none());
    within(most, context, with_progress(context)).await
}

/// Does the work of a step within `most` seconds. Behind them, requests under way get the run's grace to end, so that it is
/// known what became of them; all else is dropped.
async fn within(
    most: Option<f64>,
    context: &StepContext,
    work: impl Future<Output = Result<()>>,
) -> Result<()> {
    let Some(most) = most else { return work.await };
    let mut work = std::pin::pin!(work);
    tokio::select! {
        done = &mut work => return done,
        () = tokio::time::sleep(seconds_of(most)) => context.scope.stop().cancel(),
    }
    if ends_in_order(&context.step)
        && let Ok(Ok(())) = tokio::time::timeout(context.run.grace, work).await
    {
        // It was about to end: what it did took effect.
        return Ok(());
    }
    let message = format!("the step took longer than its `timeout` of {most} s");
    Err(Error::new(ErrorKind::Limit, message).help("allow it more, or look at what takes so long"))
}

/// How often a step that works tells its counts.
const PROGRESS: Duration = Duration::from_millis(500);

/// Performs the step, and tells its counts meanwhile where they change.
async fn with_progress(context: &StepContext) -> Result<()> {
    let mut performing = std::pin::pin!(perform(context.clone()));
    let mut ticks = tokio::time::interval(PROGRESS);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once.
    ticks.tick().await;
    let mut last = Totals::default();
    loop {
        tokio::select! {
            biased;
            result = &mut performing => return result,
            _ = ticks.tick() => {
                let totals = context.counters.read();
                if totals != last {
                    context.emit(EventKind::Progress { totals }).await;
                    last = totals;
                }
            }
        }
    }
}

/// Plans what only now can be planned, and has the step's operation performed.
async fn perform(context: StepContext) -> Result<()> {
    let step = &context.step;
    // In a step around that runs ahead, its own place is not enough.
    if step.barrier.is_some() && step.action.regions().is_empty() {
        context.scope.wait_for_barriers().await?;
    }
    if keep::has_effects(step) {
        context.run.journal.sync(Durability::Process).await?;
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
    Box::pin(within(planned.step.timeout, &planned, perform(planned.clone()))).await
}
