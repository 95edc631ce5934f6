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
        let (true, Value::Row(row)) = (self.given.changed_parents, row) else {
            return Ok(None);
        };
        let mut values = row.iter();
        let found = values.find(|(name, _)| name.eq_ignore_ascii_case(&self.given.cursor));
        let Some((_, value)) = found else {
            let message = format!(
                "`changed_parents` looks at the cursor `{}` of the for_each's rows, which have no such column",
                self.given.cursor
            );
            let names: Vec<&str> = row.iter().map(|(name, _)| name).collect();
            return Err(Error::new(ErrorKind::Project, message)
                .help(format!("they have {}", names.join(", ")))
                .at(&self.given.place));
        };
        match value {
            Value::Null => Ok(None),
            value => serde_json::to_string(&value)
                .map(Some)
                .map_err(|e| Error::new(ErrorKind::Data, e.to_string())),
        }
    }

    /// Returns the columns that tell whose state it is that a row stands for, with its values.
    pub fn values_of(&self, row: &Value) -> Vec<(String, Value)> {
        let (Value::Row(row), Some(columns)) = (row, &self.asks.partition) else {
            return Vec::new();
        };
        let of_row = |column: &String| {
            let mut values = row.iter();
            let found = values.find(|(name, _)| name.eq_ignore_ascii_case(column));
            found.map(|(_, value)| (column.clone(), value))
        };
        columns.iter().filter_map(of_row).collect()
    }

    /// Returns from where everything is asked for; none: from the first row.
    pub fn start(&self) -> Option<&Position> {
        match &self.range {
            Some((Some(from), _)) => Some(from),
            _ => self.initial.as_ref(),
        }
    }

    /// Returns whose state it is that a row stands for, as text.
    ///
    /// # Errors
    /// A row that is no data.
    pub fn partition_of(&self, row: &Value) -> Result<String> {
        let wrong = |e: serde_json::Error| Error::new(ErrorKind::Data, e.to_string());
        match (row, &self.asks.partition) {
            (Value::Null, _) => Ok(String::new()),
            (Value::Row(row), Some(columns)) => {
                let mut found: Vec<(String, Value)> = row
                    .iter()
                    .filter(|(name, _)| columns.iter().any(|column| column.eq_ignore_ascii_case(name)))
                    .map(|(name, value)| (name.to_string(), value))
                    .collect();
                let missing =
                    |column: &&String| !found.iter().any(|(name, _)| name.eq_ignore_ascii_case(column));
                if let Some(missing) = columns.iter().find(missing) {
                    let message =
                        format!("`partition` names `{missing}`, which is no column of the for_each's rows");
                    let names: Vec<&str> = row.iter().map(|(name, _)| name).collect();
                    return Err(Error::new(ErrorKind::Project, message)
                        .help(format!("they have {}", names.join(", ")))
                        .at(&self.given.place));
                }
                found.sort_by(|a, b| a.0.cmp(&b.0));
                match found.as_slice() {
                    [(_, value)] => serde_json::to_string(value).map_err(wrong),
                    _ => serde_json::to_string(&Value::map(found)).map_err(wrong),
                }
            }
            (value, _) => serde_json::to_string(value).map_err(wrong),
        }
    }
}
