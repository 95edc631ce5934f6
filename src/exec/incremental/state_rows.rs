//! States as rows of their table.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};

use super::digest::digest;
use super::state::TableState;
use crate::batch::types::arrow_schema;
use crate::error::Result;
use crate::exec::load::columns::{ColumnSpec, typed};
use crate::incremental::{Known, Parents, Ranges, StateRows};
use crate::sources::overlap::Unchanged;

/// The column with the ranges that are covered, and that with those that were before.
pub(super) const COVERED: &str = "covered";
pub(super) const BEFORE: &str = "before";

/// The column with the cursors that rows of the for_each had themselves, as a JSON list.
pub(super) const PARENT: &str = "parent";

/// The column with the time at which the run began that wrote it.
pub(super) const UPDATED: &str = "updated_at";

/// Its columns. `id` tells rows apart: a digest of all that follows up to `part`; `scope` is one without `part`.
const COLUMNS: [(&str, &str); 13] = [
    ("id", "varchar(64)"),
    ("scope", "varchar(64)"),
    ("project", "text"),
    ("flow", "text"),
    ("step", "text"),
    ("target", "text"),
    ("part", "text"),
    (COVERED, "text"),
    (BEFORE, "text"),
    ("generation", "bigint"),
    ("definition", "varchar(64)"),
    (UPDATED, "text"),
    (PARENT, "text"),
];

impl TableState {
    /// Returns the rows of what is covered now, to be committed with those of the table.
    ///
    /// # Errors
    /// As typing its columns.
    pub fn rows(
        &self,
        (covered, parents): (&Known, &Parents),
        definition: &str,
        now: &str,
    ) -> Result<StateRows> {
        let generation = self.generation + 1;
        let specs: Vec<ColumnSpec> = COLUMNS
            .iter()
            .map(|(name, sql)| ColumnSpec::new(*name, *sql))
            .collect();
        let columns = typed(&*self.database, &specs)?;
        let (scope, owner) = (self.scope(), &self.owner);
        let mut parts: Vec<(&String, &Ranges)> = covered.iter().collect();
        parts.sort_by_key(|(part, _)| *part);
        let nothing = Ranges::default().to_json();
        let texts = |f: &dyn Fn(&str, &Ranges) -> String| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(
                parts.iter().map(|(part, ranges)| f(part, ranges)),
            ))
        };
        let arrays: Vec<ArrayRef> = vec![
            texts(&|part, _| digest(&[&scope, part])),
            texts(&|_, _| scope.clone()),
            texts(&|_, _| owner.project.clone()),
            texts(&|_, _| owner.flow.clone()),
            texts(&|_, _| owner.step.clone()),
            texts(&|_, _| self.target.table.clone()),
            texts(&|part, _| part.to_string()),
            texts(&|_, ranges| ranges.to_json()),
            texts(&|part, _| self.written.get(part).cloned().unwrap_or_else(|| nothing.clone())),
            Arc::new(Int64Array::from(vec![generation; parts.len()])),
            texts(&|_, _| definition.to_string()),
            texts(&|_, _| now.to_string()),
            texts(&|part, _| {
                // A row of which not all came keeps what it had.
                let known = parents.get(part).or(self.parents.get(part));
                known.map_or_else(
                    || "[]".to_string(),
                    |known| serde_json::Value::from_iter(known.iter().cloned()).to_string(),
                )
            }),
        ];
        Ok(StateRows {
            table: self.table(),
            key: vec![columns[0].name.clone()],
            unchanged: Unchanged {
                key: columns[0].name.clone(),
                now: self.database.fold(COVERED),
                before: self.database.fold(BEFORE),
                nothing: nothing.clone(),
                is_bound: self.is_bound,
            },
            rows: RecordBatch::try_new(arrow_schema(&columns), arrays)?,
            columns,
            scope,
            generation,
            gone: None,
        })
    }
}
