//! Rows whose request failed for good: kept in a table, so that the others can go on.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sequor_planner::syntax::MostRows;

use crate::batch::cell::Cell;
use crate::batch::target::RowTarget;
use crate::error::{Blame, Error, ErrorKind, Result};
use crate::exec::event::Counters;
use crate::exec::load::sink::Sink;
use crate::exec::reject_tables::RejectTable;
use crate::exec::request::ask::Failure;
use crate::exec::request::checkpoint::Exchange;
use crate::python::ParserTables;
use crate::state::Rejection;
use crate::value::Value;

/// The columns of a table of rejects.
pub const COLUMNS: [(&str, &str); 5] = [
    ("row", "jsonb"),
    ("status", "integer"),
    ("error", "text"),
    ("attempts", "integer"),
    ("time", "timestamp with time zone"),
];

/// The rejects of a step.
pub struct Rejects {
    /// Which table of the sink they go to, and what it is; none: those of an earlier attempt come again, and are rejected then.
    pub table: Option<(usize, RejectTable)>,
    /// Whether they are added to what the run has put there.
    pub adds: bool,
    /// Whether any failure of a request rejects its row; else only rules do.
    pub all: bool,
    pub count: AtomicU64,
    /// What the last row failed with.
    pub last: Mutex<String>,
    pub counters: Arc<Counters>,
    /// How many may be; none: any number.
    pub most: Option<MostRows>,
    /// What is rejected, one and many.
    pub what: (&'static str, &'static str),
}

impl Rejects {
    /// Returns the table that they go to.
    pub fn target(&self) -> Option<RejectTable> {
        self.table.as_ref().map(|(_, target)| target.clone())
    }

    /// Tells whether the failure is the row's alone.
    pub fn take(&self, failure: &Failure) -> bool {
        if self.table.is_none() && !failure.judges() && failure.status.is_none_or(|status| status < 500) {
            return false;
        }
        match failure.blame {
            Some(blame) => blame == Blame::Row,
            // What befalls every row is no row's fault.
            None => {
                let blame = failure.error.kind().policy().blame;
                self.all && failure.before_response && blame == Blame::Row
            }
        }
    }

    /// Keeps a row.
    pub async fn keep(&self, sink: &Sink, exchange: &Exchange, row: &Value, failure: &Failure) -> Result<()> {
        if exchange.is_over() {
            // What was rejected then is kept already.
            return Ok(());
        }
        let row = serde_json::to_string(row).map_err(|e| Error::new(ErrorKind::Data, e.to_string()))?;
        let rejection = Rejection {
            status: failure.status,
            error: failure.error.whole_message().to_string(),
            attempts: u32::try_from(failure.attempts).unwrap_or(u32::MAX),
            time: chrono::Utc::now().to_rfc3339(),
            data: row,
        };
        self.put(sink, &rejection).await?;
        exchange.reject(rejection);
        let last = failure.error.message().to_string();
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = last;
        Ok(())
    }

    /// # Errors
    /// More rows were rejected than may be.
    pub fn enough(&self) -> Result<()> {
        match self.most {
            Some(MostRows::Rows(most)) if self.count.load(Ordering::Relaxed) > most => {
                Err(self.too_many(&format!("more than {most}"), most))
            }
            _ => Ok(()),
        }
    }

    /// `last`: the number that stands last in `how_many`.
    fn too_many(&self, how_many: &str, last: u64) -> Error {
        let what = match last {
            1 => format!("{} was", self.what.0),
            _ => format!("{} were", self.what.1),
        };
        let mut message = format!("{how_many} {what} rejected");
        match self.last.lock().unwrap_or_else(PoisonError::into_inner).as_str() {
            "" => {}
            last => message.push_str(&format!("; the last: {last}")),
        }
        Error::new(ErrorKind::Limit, message)
            .help("`max_rejects` says how many may be: look at why they fail, or allow more")
    }

    /// # Errors
    /// More of all rows were rejected than may be.
    pub fn check(&self, all: u64) -> Result<()> {
        let count = self.count.load(Ordering::Relaxed);
        match self.most {
            Some(MostRows::Percent(most)) if count as f64 > all as f64 * most / 100.0 => {
                Err(self.too_many(&format!("more than {most} %: {count} of {all}"), all))
            }
            _ => Ok(()),
        }
    }

    /// Puts a row into the table.
    pub async fn put(&self, sink: &Sink, rejection: &Rejection) -> Result<()> {
        let Rejection {
            status,
            error,
            attempts,
            time,
            data,
        } = rejection;
        let Some((table, _)) = &self.table else {
            return Ok(());
        };
        let number = |n: Option<u64>| n.map_or(Cell::Null, |n| Cell::Number(Cow::Owned(n.to_string())));
        let (_, filled) = sink.fill(|tables| {
            tables.with(*table, &mut |target, full| {
                let RowTarget::Typed(builder) = target else {
                    return Ok(0);
                };
                builder.set(0, Cell::Json(Cow::Borrowed(data)))?;
                builder.set(1, number(status.map(u64::from)))?;
                builder.set(2, Cell::Text(Cow::Borrowed(error)))?;
                builder.set(3, number(Some(u64::from(*attempts))))?;
                builder.set(4, Cell::Text(Cow::Borrowed(time)))?;
                builder.end_row()?;
                if builder.is_full() {
                    full(builder)?;
                }
                Ok(1)
            })
        })?;
        sink.send(filled).await?;
        self.count.fetch_add(1, Ordering::Relaxed);
        self.counters.add_reject();
        Ok(())
    }

    /// Returns what is reported when the step is done.
    pub fn warning(&self, step: &str, table: &str) -> Option<String> {
        let (one, many) = self.what;
        let rows = match self.count.load(Ordering::Relaxed) {
            0 => return None,
            1 => format!("1 {one} was rejected and is"),
            n => format!("{n} {many} were rejected and are"),
        };
        Some(format!("{step}: {rows} in table `{table}`"))
    }
}
