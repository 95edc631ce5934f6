//! Writes down what a run tells: its events, and what its steps did, in groups.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use indexmap::IndexMap;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use super::events;
use super::home::{Durability, Statement};
use super::runs::shown;
use super::steps::StepRecord;
use super::store::Store;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, EventKind, StepStatus, Totals};

/// How long what was told waits to be written.
const PAUSE: Duration = Duration::from_millis(200);

/// What is written at once, at most.
const GROUP: usize = 500;

/// Writes down the events of a run.
pub struct Recorder {
    flush: mpsc::Sender<oneshot::Sender<Result<()>>>,
    task: JoinHandle<Result<()>>,
}

impl Recorder {
    /// Starts to write down events as they come.
    pub fn start(store: Store, run: Uuid, attempt: u32, events: mpsc::Receiver<Arc<Event>>) -> Recorder {
        let (flush, asked) = mpsc::channel(1);
        let notes = Notes {
            store,
            run,
            attempt,
            steps: IndexMap::new(),
            changed: Vec::new(),
            group: Vec::new(),
            number: 0,
            failed: None,
        };
        Recorder {
            flush,
            task: tokio::spawn(notes.take(events, asked)),
        }
    }

    /// Waits until all that was told so far is written.
    ///
    /// # Errors
    /// What could not be written, now or before.
    pub async fn flush(&self) -> Result<()> {
        let (sender, receiver) = oneshot::channel();
        let gone = || Error::new(ErrorKind::Internal, "the task that records the run is gone");
        self.flush.send(sender).await.map_err(|_| gone())?;
        receiver.await.map_err(|_| gone())?
    }

    /// Waits until the last event is written. Those who send events must be gone.
    ///
    /// # Errors
    /// What could not be written.
    pub async fn close(self) -> Result<()> {
        drop(self.flush);
        let ended = self.task.await;
        ended.map_err(|e| {
            Error::new(
                ErrorKind::Internal,
                format!("the task that records the run ended: {e}"),
            )
        })?
    }
}

struct Notes {
    store: Store,
    run: Uuid,
    attempt: u32,
    steps: IndexMap<String, StepRecord>,
    /// Steps that are to be written again, by their positions.
    changed: Vec<usize>,
    group: Vec<Statement>,
    number: u64,
    failed: Option<Error>,
}

impl Notes {
    async fn take(
        mut self,
        mut events: mpsc::Receiver<Arc<Event>>,
        mut asked: mpsc::Receiver<oneshot::Sender<Result<()>>>,
    ) -> Result<()> {
        let mut ticks = tokio::time::interval(PAUSE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut may_ask = true;
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.note(&event),
                    None => break,
                },
                _ = ticks.tick() => self.write().await,
                asking = asked.recv(), if may_ask => match asking {
                    Some(answer) => {
                        while let Ok(event) = events.try_recv() {
                            self.note(&event);
                        }
                        self.write().await;
                        // Who asked may be gone.
                        let _ = answer.send(self.failed.clone().map_or(Ok(()), Err));
                    }
                    None => may_ask = false,
                },
            }
            if self.group.len() >= GROUP {
                self.write().await;
            }
        }
        self.write().await;
        self.failed.map_or(Ok(()), Err)
    }

    fn note(&mut self, event: &Event) {
        if self.failed.is_some() {
            return;
        }
        self.note_step(event);
        if matches!(event.kind, EventKind::Progress { .. }) {
            return;
        }
        self.number += 1;
        if self.number <= events::MOST || matches!(event.kind, EventKind::RunFinished(_)) {
            self.group
                .extend(events::statement(self.run, self.attempt, self.number, event));
        }
    }

    fn note_step(&mut self, event: &Event) {
        let Some(step) = &event.step else { return };
        match &event.kind {
            EventKind::StepStarted { op, .. } => {
                let at = self.step(step, op, event.at);
                self.steps[at].status = "running".into();
                self.changed.push(at);
            }
            EventKind::Progress { totals } => {
                if let Some((at, _, known)) = self.steps.get_full_mut(step)
                    && known.runs == 0
                {
                    known.totals = *totals;
                    self.changed.push(at);
                }
            }
            EventKind::StepFinished {
                op,
                status,
                totals,
                seconds,
                error,
                because,
                ..
            } => {
                let at = self.step(step, op, event.at);
                let known = &mut self.steps[at];
                if known.runs == 0 {
                    known.totals = Totals::default();
                }
                known.runs += 1;
                known.totals.add(totals);
                known.seconds += seconds;
                // One failure among many iterations is what counts.
                if known.error.is_none() || *status == StepStatus::Failed {
                    known.status = status.as_str().into();
                }
                if error.is_some() {
                    known.error.clone_from(error);
                }
                known.because.clone_from(because);
                self.changed.push(at);
            }
            _ => {}
        }
    }

    /// The position of a step's record, which is there behind this.
    fn step(&mut self, step: &str, op: &str, at: DateTime<Utc>) -> usize {
        if let Some(known) = self.steps.get_index_of(step) {
            return known;
        }
        let number = self.steps.len() as u64;
        let record = StepRecord {
            attempt: self.attempt,
            step: step.to_string(),
            op: op.to_string(),
            status: "running".into(),
            started: shown(at),
            seconds: 0.0,
            runs: 0,
            totals: Totals::default(),
            error: None,
            because: None,
            number,
        };
        self.steps.insert_full(step.to_string(), record).0
    }

    async fn write(&mut self) {
        self.changed.sort_unstable();
        self.changed.dedup();
        for at in self.changed.drain(..) {
            self.group.push(self.steps[at].statement(self.run));
        }
        if self.group.is_empty() || self.failed.is_some() {
            self.group.clear();
            return;
        }
        let written = self
            .store
            .write("history", &self.group, Durability::Process)
            .await;
        self.failed = written.err();
        self.group.clear();
    }
}
