//! Rows on their way into a table, looked at: whose they are, how new they are, and whether they are kept.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{Array, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, FieldRef};
use arrow::util::display::array_value_to_string;
use sequor_planner::ops::{Incremental, OnMissing, Order};

use super::position::{Kind, Positions};
use super::round::Round;
use crate::batch::field::Field;
use crate::error::{Error, ErrorKind, Result};
use crate::value::Value;

/// Looks at the rows of one table.
pub struct Tracker {
    round: Arc<Round>,
    /// The cursor's column, as the flow names it.
    column: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The rows of a request, one after the other: whose they are, and the number of the row behind the last.
    segments: Vec<(u64, u64)>,
    /// How many segments are done.
    done: usize,
    /// How many rows were looked at.
    rows: u64,
}

impl Tracker {
    /// Returns one for the table with the cursor.
    pub fn new(round: &Arc<Round>, column: &str) -> Tracker {
        Tracker {
            round: round.clone(),
            column: column.to_string(),
            state: Mutex::default(),
        }
    }

    /// Returns the field of a column as it is read: of the cursor the moment counts.
    pub fn field(&self, column: &str, field: Field) -> Field {
        match column.eq_ignore_ascii_case(&self.column) {
            true => field.as_moment(),
            false => field,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that all rows up to now, of which there are `rows`, are of the row `of` of the for_each.
    pub fn note(&self, of: u64, rows: u64) {
        let mut state = self.state();
        let before = state.segments.last().map_or(0, |(_, end)| *end);
        if rows > before {
            state.segments.push((of, rows));
        }
    }

    /// Sees to it that a row says in the table whose it is, as the row of the for_each says it: all rows of one are alike.
    ///
    /// # Errors
    /// Another value.
    fn check_whose(&self, of: u64, batch: &RecordBatch, at: usize) -> Result<()> {
        for (name, value) in self.round.values_of(of) {
            let named = |field: &FieldRef| field.name().eq_ignore_ascii_case(&name);
            let Some(column) = batch.schema_ref().fields().iter().position(named) else {
                continue;
            };
            let column = batch.column(column);
            let is_plain = column.data_type().is_integer() || *column.data_type() == DataType::Utf8;
            let there = match column.is_null(at) {
                true => None,
                false => array_value_to_string(column, at).ok(),
            };
            let wanted = (!matches!(value, Value::Null)).then(|| value.to_text());
            if is_plain && there != wanted {
                let message = format!(
                    "column `{name}` is {}, and the for_each's row has {}: whose rows are to be replaced is not known",
                    there.as_deref().unwrap_or("null"),
                    wanted.as_deref().unwrap_or("null")
                );
                return Err(Error::new(ErrorKind::Data, message).help(format!(
                    "give the column the row's own value, as it is: `value: \"{{{{ var('row')['{name}'] }}}}\"`"
                )));
            }
        }
        Ok(())
    }

    /// Whether each page is looked at when it is there.
    pub fn looks_at_pages(&self) -> bool {
        self.round.settings.given.order != Order::None
    }

    /// Looks at the rows of a page.
    ///
    /// # Errors
    /// Rows that come in another order than the flow says.
    pub fn page(&self, of: u64, rows: &RecordBatch) -> Result<()> {
        let named = |field: &FieldRef| field.name().eq_ignore_ascii_case(&self.column);
        let at = rows.schema_ref().fields().iter().position(named);
        let positions = at.and_then(|at| Positions::of(rows.column(at)));
        // What is no position is told when the rows are taken.
        let positions = positions.and_then(|positions| {
            let kind = self.round.kind().unwrap_or(Kind::Text);
            positions.into_times(kind).ok()
        });
        match positions {
            Some(positions) => self.round.page(of, &positions, rows.num_rows()),
            None => Ok(()),
        }
    }

    /// Returns the rows that are kept of the next ones in the order of [`Tracker::note`].
    ///
    /// # Errors
    /// A cursor that is no position, or missing where it may not be.
    pub fn take(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let schema = batch.schema();
        let found = schema
            .fields()
            .iter()
            .position(|field| field.name().eq_ignore_ascii_case(&self.column));
        let column = found.map(|at| batch.column(at));
        let Some(positions) = column.and_then(Positions::of) else {
            return Err(match column {
                None => Error::new(
                    ErrorKind::Data,
                    format!("no row has the cursor `{}`", self.column),
                )
                .help("`incremental.cursor` names the column that says how new a row is"),
                Some(column) => {
                    let message = format!("the cursor `{}` is a {}", self.column, column.data_type());
                    Error::new(ErrorKind::Data, message)
                        .help("a cursor is a time, a date, a whole number, or a text that sorts: give its column such a type")
                }
            });
        };
        if let Some(column) = column {
            self.round.settle_kind(column.data_type())?;
        }
        let positions = positions
            .into_times(self.round.kind().unwrap_or(Kind::Text))
            .map_err(|text| {
                let message = format!(
                    "the cursor `{}` is `{text}`, which is no time as `initial` is one",
                    self.column
                );
                Error::new(ErrorKind::Data, message)
                    .help("give its column a type, like timestamptz, and the `format` in which it is written")
            })?;
        let mut kept: Option<Vec<bool>> = None;
        let mut state = self.state();
        let mut at = 0;
        while at < batch.num_rows() {
            let (of, end) = match state.segments.get(state.done) {
                Some(segment) => *segment,
                None => return Err(Error::new(ErrorKind::Internal, "rows of nobody")),
            };
            let rest = usize::try_from(end - state.rows).unwrap_or(usize::MAX);
            let to = batch.num_rows().min(at + rest);
            if at < to {
                self.check_whose(of, &batch, at)?;
            }
            let (from, until) = self.round.kept(of);
            if let Some(asked) = self.round.asked_from(of) {
                let kind = self.round.kind().unwrap_or(Kind::Text);
                self.round.ignored.note(&positions, (at, to), (kind, &asked));
            }
            let (mut most, missing) = positions.largest(at, to);
            let on_missing = self.round.settings.on_missing();
            if missing && on_missing == OnMissing::Fail {
                let message = format!("a row has no cursor `{}`", self.column);
                let help = match self.round.settings.is_exact() {
                    true => "leave such rows out by `on_missing: exclude`, or use `write_mode: upsert`",
                    false => {
                        "load such rows by `on_missing: include`, or leave them out by `on_missing: exclude`"
                    }
                };
                return Err(Error::new(ErrorKind::Data, message).help(help));
            }
            let excludes = missing && on_missing == OnMissing::Exclude;
            if from.is_some() || until.is_some() || excludes {
                let mask = kept.get_or_insert_with(|| vec![true; batch.num_rows()]);
                for (row, keep) in mask.iter_mut().enumerate().take(to).skip(at) {
                    let within = positions.within(row, from.as_ref(), until.as_ref());
                    *keep = within.unwrap_or(!excludes);
                }
            }
            if from.is_some() && most < from {
                most = None;
            }
            if let Some(most) = most {
                self.round.saw(of, most);
            }
            state.rows += (to - at) as u64;
            if state.rows == end {
                state.done += 1;
            }
            at = to;
        }
        // What is done is not looked at again.
        let done = std::mem::take(&mut state.done);
        state.segments.drain(..done);
        match kept {
            None => Ok(batch),
            Some(kept) => Ok(filter_record_batch(&batch, &BooleanArray::from(kept))?),
        }
    }
}

/// Returns what a column's values are as positions.
///
/// # Errors
/// A column whose values are none.
pub fn kind_of(column: &DataType, given: &Incremental) -> Result<Kind> {
    Kind::of(column, given.format.as_ref()).map_err(|kind| {
        let message = format!("the cursor `{}` is a {kind}", given.cursor);
        Error::new(ErrorKind::Data, message).help(
            "a cursor is a time, a date, a whole number, or a text that sorts: give its column such a type",
        )
    })
}
