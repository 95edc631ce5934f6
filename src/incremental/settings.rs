//! What an incremental step asks by: its range, and whose state a row stands for.

use chrono::{DateTime, TimeDelta, Utc};
use sequor_planner::ops::{Incremental, OnMissing, WriteMode};
use sequor_planner::plan::Asks;

use super::position::{Kind, Position};
use crate::error::{Error, ErrorKind, Result};
use crate::value::Value;

/// What an incremental step asks by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the flow says.
    pub given: Incremental,
    pub initial: Option<Position>,
    pub asks: Asks,
    /// What the `for_each` calls a row; empty without one.
    pub variable: String,
    /// The range that this run is told to ask for, whatever is covered: its start and its end.
    pub range: Option<(Option<Position>, Option<Position>)>,
    /// What becomes of the rows of the table with the cursor.
    pub mode: WriteMode,
    /// Whether the table begins anew, whatever was covered.
    pub refresh: bool,
    /// When the step started.
    pub now: DateTime<Utc>,
}

impl Settings {
    /// Returns where a range ends at most: when the step started, less `delay`; none where the cursor is no time.
    pub fn end(&self, kind: Kind) -> Option<Position> {
        let micros = (self.given.delay.unwrap_or(0.0) * 1_000_000.0).round() as i64;
        let end = self.now.checked_sub_signed(TimeDelta::microseconds(micros))?;
        let end = kind.at(end);
        match &self.range {
            Some((_, Some(until))) => Some(end.map_or_else(|| until.clone(), |end| end.min(until.clone()))),
            _ => end,
        }
    }

    /// Tells whether rows outside of what is asked for are left out: they come with the range that they are in, and would be
    /// there twice.
    pub fn is_exact(&self) -> bool {
        matches!(self.mode, WriteMode::Append | WriteMode::ReplaceRange)
    }

    /// Returns what becomes of a row without a cursor.
    pub fn on_missing(&self) -> OnMissing {
        self.given.on_missing.unwrap_or(match self.is_exact() {
            true => OnMissing::Fail,
            false => OnMissing::Include,
        })
    }

    /// Returns a row's own cursor as JSON, where only those that have moved are asked for; none where it has none.
    ///
    /// # Errors
    /// Rows without such a column.
    pub fn parent_of(&self, row: &Value) -> Result<Option<String>> {
        if !self.given.changed_parents || matches!(row, Value::Null) {
            return Ok(None);
        }
        let fields = self.fields_of(row);
        let Some((_, value)) = named(&fields, &self.given.cursor) else {
            let message = format!(
                "`changed_parents` looks at the cursor `{}` of the for_each's rows, which have no such column",
                self.given.cursor
            );
            return Err(self.no_column(message, &fields));
        };
        match value {
            Value::Null => Ok(None),
            value => serde_json::to_string(&value)
                .map(Some)
                .map_err(|e| Error::new(ErrorKind::Data, e.to_string())),
        }
    }

    /// Returns the columns that tell whose state it is that a row stands for, with its values.
    ///
    /// # Errors
    /// A row that has not these columns.
    pub fn values_of(&self, row: &Value) -> Result<Vec<(String, Value)>> {
        let (Some(columns), false) = (&self.asks.partition, matches!(row, Value::Null)) else {
            return Ok(Vec::new());
        };
        let fields = self.fields_of(row);
        let values = columns.iter().map(|column| match named(&fields, column) {
            Some((_, value)) => Ok((column.clone(), value.clone())),
            None => {
                let message =
                    format!("`partition` names `{column}`, which is no column of the for_each's rows");
                Err(self.no_column(message, &fields))
            }
        });
        values.collect()
    }

    /// The columns of a row with its values. A value that is no row is a column of its own, called as the `for_each` calls it.
    fn fields_of(&self, row: &Value) -> Vec<(String, Value)> {
        match row {
            Value::Null => Vec::new(),
            Value::Row(row) => row
                .iter()
                .map(|(name, value)| (name.to_string(), value))
                .collect(),
            Value::Map(entries) => {
                let entries = entries.iter();
                entries
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect()
            }
            value => vec![(self.variable.clone(), value.clone())],
        }
    }

    fn no_column(&self, message: String, fields: &[(String, Value)]) -> Error {
        let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        Error::new(ErrorKind::Project, message)
            .help(format!("they have {}", names.join(", ")))
            .at(&self.given.place)
    }

    /// Returns from where everything is asked for; none: from the first row.
    pub fn start(&self) -> Option<&Position> {
        match &self.range {
            Some((Some(from), _)) => Some(from),
            _ => self.initial.as_ref(),
        }
    }

    /// Returns what the step reads of a row, as text.
    ///
    /// # Errors
    /// A row that is no data.
    pub fn read_of(&self, row: &Value) -> Result<String> {
        let text = match &self.asks.reads {
            None => serde_json::to_string(row),
            Some(columns) => {
                let mut fields = self.fields_of(row);
                fields.retain(|(name, _)| columns.iter().any(|column| column.eq_ignore_ascii_case(name)));
                serde_json::to_string(&Value::map(fields))
            }
        };
        text.map_err(|e| Error::new(ErrorKind::Data, e.to_string()))
    }

    /// Returns whose state it is that a row stands for, as text.
    ///
    /// # Errors
    /// A row that is no data, or has not the columns that tell it.
    pub fn partition_of(&self, row: &Value) -> Result<String> {
        let wrong = |e: serde_json::Error| Error::new(ErrorKind::Data, e.to_string());
        if matches!(row, Value::Null) {
            return Ok(String::new());
        }
        if self.asks.partition.is_none() {
            return serde_json::to_string(row).map_err(wrong);
        }
        let mut found = self.values_of(row)?;
        found.sort_by(|a, b| a.0.cmp(&b.0));
        match found.as_slice() {
            [(_, value)] => serde_json::to_string(value).map_err(wrong),
            _ => serde_json::to_string(&Value::map(found)).map_err(wrong),
        }
    }
}

/// A column of that name, in any case.
fn named<'f>(fields: &'f [(String, Value)], wanted: &str) -> Option<&'f (String, Value)> {
    fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted))
}
