//! The report of a run: what each step did, put together from the events.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{ChangeCounts, ErrorReport, Event, EventKind, StepStatus, Totals};
use crate::error::Exit;

/// How a run ended, and what its steps did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    pub flow: String,
    pub status: RunStatus,
    pub seconds: f64,
    /// The steps in the order they ended; one inside a loop stands once.
    pub steps: Vec<StepReport>,
    /// Why it failed.
    pub error: Option<ErrorReport>,
    /// Whether it ended too early, and can be gone on with.
    #[serde(default)]
    pub resumable: bool,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    Done,
    Failed,
    Interrupted,
}

impl RunStatus {
    /// Returns what the program exits with.
    pub fn exit(self) -> Exit {
        match self {
            RunStatus::Done => Exit::Done,
            RunStatus::Failed => Exit::Failed,
            RunStatus::Interrupted => Exit::Interrupted,
        }
    }

    /// Returns the status as JSON and people read it.
    pub fn as_str(self) -> &'static str {
        match self {
            RunStatus::Done => "done",
            RunStatus::Failed => "failed",
            RunStatus::Interrupted => "interrupted",
        }
    }
}

/// What a step did, all its iterations together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    pub step: String,
    pub op: String,
    /// One failure among many iterations is what counts.
    pub status: StepStatus,
    #[serde(flatten)]
    pub totals: Totals,
    pub seconds: f64,
    /// How often it ran.
    pub runs: u64,
    /// How many of its rows had changed since it sent them, where it sends only those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<ChangeCounts>,
}

/// Adds up what steps did.
#[derive(Debug, Default)]
pub struct Tally {
    steps: IndexMap<String, StepReport>,
    /// Of steps that work.
    changes: HashMap<String, ChangeCounts>,
}

impl Tally {
    /// Adds what an event tells.
    pub fn add(&mut self, event: &Event) {
        if let (Some(step), EventKind::Changes { counts }) = (&event.step, &event.kind) {
            self.changes.insert(step.clone(), *counts);
        }
        let (
            Some(step),
            EventKind::StepFinished {
                op,
                status,
                totals,
                seconds,
                ..
            },
        ) = (&event.step, &event.kind)
        else {
            return;
        };
        let line = self.steps.entry(step.clone()).or_insert_with(|| StepReport {
            step: step.clone(),
            op: op.clone(),
            status: *status,
            totals: Totals::default(),
            seconds: 0.0,
            runs: 0,
            changes: None,
        });
        if let Some(counts) = self.changes.remove(step) {
            line.changes = Some(counts);
        }
        if line.status == StepStatus::Done {
            line.status = *status;
        }
        line.totals.add(totals);
        line.seconds = ((line.seconds + seconds) * 1e6).round() / 1e6;
        line.runs += 1;
    }

    /// Returns the steps so far.
    pub fn steps(&self) -> Vec<StepReport> {
        self.steps.values().cloned().collect()
    }
}
