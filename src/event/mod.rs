//! What a run tells about itself, as data: events while it goes, and a report at its end. Both are read back as they were
//! written.

mod count;
mod doctor;
mod dry_run;
mod report;
mod test;

use std::time::Duration;

use chrono::{DateTime, Utc};
use sequor_planner::Place;
pub use sequor_planner::plan::ChangeCounts;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use count::{count, grouped};
pub use doctor::{Check, CheckStatus};
pub use dry_run::{
    ColumnChange, DryReport, DryTable, Example, Findings, TableDiff, TypeChange, Unsent, Written,
};
pub use report::{RunReport, RunStatus, StepReport, Tally};
pub use test::{Coverage, Missed, TestFailure, TestOutcome, TestSummary};

use crate::error::{Error, ErrorKind};

/// The version of [`Event`]'s form. It grows when a reader of the old form would misread the new one.
pub const EVENT_VERSION: u32 = 1;

/// One thing that happened. As JSON it is one object: these fields, `event` with the name of the kind, and the kind's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub version: u32,
    /// The run, as a UUID of version 7: later runs sort behind earlier ones.
    pub run: Uuid,
    pub at: DateTime<Utc>,
    /// The step's id; none for what belongs to the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Which attempt at the step it is, from 1.
    pub attempt: u32,
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// The first event of a run.
    RunStarted {
        flow: String,
        /// The digest of the plan that is executed.
        plan: String,
        /// The environment in use.
        environment: Option<String>,
        /// The version of this program.
        program: String,
    },
    StepStarted {
        /// The step's operation.
        op: String,
        title: Option<String>,
        /// How many steps are around it.
        depth: usize,
    },
    /// The counts of a step that works, twice a second where they changed.
    Progress {
        #[serde(flatten)]
        totals: Totals,
    },
    /// The text of a `print`.
    Printed {
        text: String,
    },
    Warning {
        text: String,
    },
    /// How many rows of a step have changed since it sent them: before the first is sent.
    Changes {
        #[serde(flatten)]
        counts: ChangeCounts,
    },
    StepFinished {
        op: String,
        depth: usize,
        status: StepStatus,
        #[serde(flatten)]
        totals: Totals,
        seconds: f64,
        /// Why it failed; none where a step inside it failed, which told it already.
        error: Option<ErrorReport>,
        /// Why it was skipped.
        because: Option<String>,
    },
    /// The last event of a run.
    RunFinished(RunReport),
}

/// Returns a time in seconds, to the microsecond: so that it is read back as it was written.
pub fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e6
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    Done,
    Failed,
    /// It failed, and a `try` around it took the error.
    Caught,
    /// It never ran, or what it did was taken back, since a step before it failed.
    Skipped,
    /// An interrupt stopped it.
    Cancelled,
    /// An earlier attempt at the run did it.
    AlreadyDone,
}

impl StepStatus {
    /// Returns the status as JSON and people read it.
    pub fn as_str(self) -> &'static str {
        match self {
            StepStatus::Done => "done",
            StepStatus::Failed => "failed",
            StepStatus::Caught => "caught",
            StepStatus::Skipped => "skipped",
            StepStatus::Cancelled => "cancelled",
            StepStatus::AlreadyDone => "already_done",
        }
    }
}

/// What a step did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Rows written to tables.
    pub rows: u64,
    /// Requests sent, without retries.
    pub requests: u64,
    pub retries: u64,
    /// Bytes of responses, unpacked.
    #[serde(default, skip_serializing_if = "is_none")]
    pub bytes: u64,
    /// Milliseconds that requests waited for limits, all of them together.
    #[serde(default, skip_serializing_if = "is_none")]
    pub waited_ms: u64,
    /// Rows that failed for good and were kept apart.
    #[serde(default, skip_serializing_if = "is_none")]
    pub rejects: u64,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

impl Totals {
    /// Adds what was done besides.
    pub fn add(&mut self, other: &Totals) {
        self.rows += other.rows;
        self.requests += other.requests;
        self.retries += other.retries;
        self.bytes += other.bytes;
        self.waited_ms += other.waited_ms;
        self.rejects += other.rejects;
    }
}

/// An error as events hold it. Secrets are hidden already.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorReport {
    /// The code that `sequor explain` knows.
    pub code: String,
    /// What happened, with what was being done.
    pub message: String,
    /// Where in the project's files.
    pub place: Option<Place>,
    /// What to do about it.
    pub help: Option<String>,
    /// Python's traceback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceback: Option<String>,
}

impl ErrorReport {
    /// Tells whether somebody has to say what becomes of what may have been sent.
    pub fn is_in_doubt(&self) -> bool {
        self.code == ErrorKind::InDoubt.code()
    }
}

impl From<&Error> for ErrorReport {
    fn from(error: &Error) -> Self {
        ErrorReport {
            code: error.kind().code().to_string(),
            message: error.to_string(),
            place: error.place().cloned(),
            help: error.advice().map(str::to_string),
            traceback: error.traceback().map(str::to_string),
        }
    }
}
