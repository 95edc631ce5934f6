//! Partitioning state a row of the for_each stands for, and what else is read of it.

use sequor_planner::ops::Incremental;
use sequor_planner::plan::Asks;

use crate::error::{Error, ErrorKind, Result};
use crate::value::Value;

/// What tells rows of a for_each apart.
#[derive(Debug, Clone, Copy)]
pub struct Partitioning<'s> {
    pub given: &'s Incremental,
    pub asks: &'s Asks,
    /// What the `for_each` calls a row; empty without one.
    pub variable: &'s str,
}

impl Partitioning<'_> {
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
            value => vec![(self.variable.to_string(), value.clone())],
        }
    }

    fn no_column(&self, message: String, fields: &[(String, Value)]) -> Error {
        let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        Error::new(ErrorKind::Project, message)
            .help(format!("they have {}", names.join(", ")))
            .at(&self.given.place)
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
