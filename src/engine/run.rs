//! A run under way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sequor_planner::plan::Plan;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::compile::Loaded;
use super::history::History;
use super::resume::RETRY;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{ErrorReport, Event, EventKind, RunReport, RunStatus, seconds};
use crate::exec::{Events, Run, execute};
use crate::state::{Durability, Entry};

/// How long steps get to stop in order after they were told to, behind the time for requests under way.
const GRACE: Duration = Duration::from_secs(10);

/// How soon a run that is interrupted ends when nothing is said about it.
const AT_ONCE: Duration = Duration::from_millis(500);

/// How long connections get to close.
const CLOSING: Duration = Duration::from_secs(2);

/// A run under way. Dropped, it goes on; [`RunHandle::cancel`] stops it.
pub struct RunHandle {
    cancel: CancellationToken,
    events: Option<mpsc::Receiver<Arc<Event>>>,
    task: JoinHandle<RunReport>,
}

impl RunHandle {
    pub(super) fn start(
        loaded: Loaded,
        plan: Arc<Plan>,
        run: Arc<Run>,
        events: Events,
        receiver: mpsc::Receiver<Arc<Event>>,
        history: History,
        timeout: Option<Duration>,
    ) -> RunHandle {
        let cancel = run.cancel.clone();
        let task = tokio::spawn(to_end(loaded, plan, run, events, history, timeout));
        RunHandle {
            cancel,
            events: Some(receiver),
            task,
        }
    }

    /// Returns the events of the run, from its first: the run waits for the one who reads them. None when they were
    /// taken before.
    pub fn events(&mut self) -> Option<mpsc::Receiver<Arc<Event>>> {
        self.events.take()
    }

    /// Returns the next event; none when the run is over, or when [`RunHandle::events`] gave them away.
    pub async fn next_event(&mut self) -> Option<Arc<Event>> {
        self.events.as_mut()?.recv().await
    }

    /// Tells the run to stop: steps take back what did not take effect, within 10 seconds.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Returns what [`RunHandle::cancel`] does, for others to hold.
    pub fn canceller(&self) -> CancellationToken {
        self.cancel.clone()
    }

    /// Waits for the end. Events that nobody took are dropped.
    ///
    /// # Errors
    /// A bug: the run's task ended without a report.
    pub async fn wait(self) -> Result<RunReport> {
        drop(self.events);
        let report = self.task.await;
        report.map_err(|e| {
            Error::new(
                ErrorKind::Internal,
                format!("the run ended without a report: {e}"),
            )
        })
    }
}

/// Executes the plan, closes what is open, keeps the variables.
async fn to_end(
    loaded: Loaded,
    plan: Arc<Plan>,
    run: Arc<Run>,
    events: Events,
    history: History,
    timeout: Option<Duration>,
) -> RunReport {
    let started = Instant::now();
    let begun = EventKind::RunStarted {
        flow: plan.flow.clone(),
        plan: plan.digest(),
        environment: loaded.project.env.clone(),
        program: env!("CARGO_PKG_VERSION").to_string(),
    };
    events.emit(None, begun).await;
    let result = executed(&plan, &run, timeout).await;
    for database in run.databases.take() {
        // A statement under way after an interrupt keeps its connection: the server ends it when we are gone.
        let _ = tokio::time::timeout(CLOSING, database.close()).await;
    }
    if result.is_ok() && run.retries_rejected {
        let mut notes = run.journal.notes();
        notes.forget_entry(RETRY, Entry::Retrying);
        run.journal.add(notes);
    }
    let kept = keep_rest(&run).await;
    drop(run);
    let result = result.and(kept).and(history.flush().await);
    let status = match &result {
        Ok(()) => RunStatus::Done,
        Err(e) if e.kind() == ErrorKind::Cancelled => RunStatus::Interrupted,
        Err(_) => RunStatus::Failed,
    };
    if let Err(error) = &result {
        tracing::error!(flow = %plan.flow, %error, "step failed");
    }
    let seconds = seconds(started.elapsed());
    tracing::info!(flow = %plan.flow, status = status.as_str(), seconds, "run ended");
    let report = RunReport {
        flow: plan.flow.clone(),
        status,
        seconds,
        steps: events.steps(),
        error: result.as_ref().err().map(ErrorReport::from),
        resumable: result.is_err() && history.is_kept(),
    };
    // Before it is told: what was told is remembered.
    let ended = history
        .end(report.status, report.seconds, report.error.as_ref())
        .await;
    let report = match ended {
        Err(error) if report.status == RunStatus::Done => RunReport {
            status: RunStatus::Failed,
            error: Some(ErrorReport::from(&error)),
            ..report
        },
        _ => report,
    };
    events.emit(None, EventKind::RunFinished(report.clone())).await;
    history.close(&loaded).await;
    report
}

/// Keeps what no step has kept yet.
async fn keep_rest(run: &Run) -> Result<()> {
    let kept = match &run.kept {
        Some(kept) => kept.finish(run).await,
        None => Ok(()),
    };
    kept.and(run.journal.sync(Durability::Machine).await)
}

async fn executed(plan: &Plan, run: &Arc<Run>, timeout: Option<Duration>) -> Result<()> {
    let mut executing = std::pin::pin!(execute(run.clone(), plan));
    let late = async {
        match timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        result = &mut executing => result,
        () = late => {
            run.cancel.cancel();
            let _ = tokio::time::timeout(run.grace + GRACE, &mut executing).await;
            let shown = humantime::format_duration(timeout.unwrap_or_default());
            let message = format!("the run took longer than its timeout of {shown}");
            Err(Error::new(ErrorKind::Limit, message).help("go on with it: --resume; or allow it more"))
        }
        () = run.cancel.cancelled() => {
            let ending = async {
                tokio::select! {
                    result = &mut executing => return result,
                    () = tokio::time::sleep(AT_ONCE) => {}
                }
                let grace = humantime::format_duration(run.grace);
                let text = format!("interrupted: what is under way gets {grace} to end in order; a second Ctrl-C ends it at once");
                run.events.emit(None, EventKind::Warning { text }).await;
                executing.await
            };
            let stopped = tokio::time::timeout(run.grace + GRACE, ending).await;
            stopped.unwrap_or_else(|_| Err(Error::new(ErrorKind::Cancelled, "interrupted")))
        }
    }
}
