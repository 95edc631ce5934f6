//! What the steps of a run did, by attempt.

use serde::Serialize;
use uuid::Uuid;

use super::home::{Record, Statement};
use super::store::Store;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{ErrorReport, Totals};

/// What a step did in one attempt at its run, all its iterations together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepRecord {
    pub attempt: u32,
    pub step: String,
    pub op: String,
    pub status: String,
    /// When it was first started, in UTC.
    pub started: String,
    pub seconds: f64,
    /// How often it ran.
    pub runs: u64,
    #[serde(flatten)]
    pub totals: Totals,
    pub error: Option<ErrorReport>,
    /// Why it was skipped.
    pub because: Option<String>,
    /// Its place among the steps that began.
    #[serde(skip)]
    pub number: u64,
}

impl StepRecord {
    /// Returns what keeps it, over what is kept of the same step and attempt.
    pub(super) fn statement(&self, run: Uuid) -> Statement {
        Statement::new(
            "INSERT INTO @steps (run, attempt, step, number, op, status, started, seconds, times, rows_written, requests, retries,
               bytes, waited, rejects, error_code, error, because)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
             ON CONFLICT (run, attempt, step) DO UPDATE SET status = excluded.status, seconds = excluded.seconds,
               times = excluded.times, rows_written = excluded.rows_written, requests = excluded.requests,
               retries = excluded.retries, bytes = excluded.bytes, waited = excluded.waited, rejects = excluded.rejects,
               error_code = excluded.error_code, error = excluded.error, because = excluded.because",
            [
                run.to_string().into(),
                u64::from(self.attempt).into(),
                self.step.as_str().into(),
                self.number.into(),
                self.op.as_str().into(),
                self.status.as_str().into(),
                self.started.as_str().into(),
                self.seconds.into(),
                self.runs.into(),
                self.totals.rows.into(),
                self.totals.requests.into(),
                self.totals.retries.into(),
                self.totals.bytes.into(),
                (self.totals.waited_ms as f64 / 1000.0).into(),
                self.totals.rejects.into(),
                self.error.as_ref().map(|e| e.code.clone()).into(),
                self.error
                    .as_ref()
                    .and_then(|e| serde_json::to_string(e).ok())
                    .into(),
                self.because.clone().into(),
            ],
        )
    }
}

impl Store {
    /// Returns what the steps of a run did, attempt by attempt, in the order they began.
    ///
    /// # Errors
    /// A state that can't be read.
    pub async fn steps(&self, run: Uuid) -> Result<Vec<StepRecord>> {
        let sql = "SELECT attempt, step, op, status, started, seconds, times, rows_written, requests, retries, bytes, waited, rejects,
            error, because, number FROM @steps WHERE run = $1 ORDER BY attempt, number";
        let found = self.read(sql, vec![run.to_string().into()]).await?;
        found.iter().map(step).collect()
    }
}

fn step(record: &Record) -> Result<StepRecord> {
    let [
        attempt,
        step,
        op,
        status,
        started,
        seconds,
        times,
        rows,
        requests,
        retries,
        bytes,
        waited,
        rejects,
        error,
        because,
        number,
    ] = record.as_slice()
    else {
        return Err(Error::new(
            ErrorKind::State,
            "a step that is remembered has other columns",
        ));
    };
    let count = |field: &super::Field| u64::try_from(field.int()).unwrap_or_default();
    Ok(StepRecord {
        attempt: u32::try_from(attempt.int()).unwrap_or(1),
        step: step.text().to_string(),
        op: op.text().to_string(),
        status: status.text().to_string(),
        started: started.text().to_string(),
        seconds: seconds.float(),
        runs: count(times),
        totals: Totals {
            rows: count(rows),
            requests: count(requests),
            retries: count(retries),
            bytes: count(bytes),
            waited_ms: (waited.float() * 1000.0) as u64,
            rejects: count(rejects),
        },
        error: error
            .optional_text()
            .and_then(|text| serde_json::from_str(&text).ok()),
        because: because.optional_text(),
        number: count(number),
    })
}
