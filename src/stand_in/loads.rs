//! Loads into a stand-in: they go to the staging database, and what they do to tables is noted.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use sequor_planner::ops::WriteMode;

use super::catalog::{Change, Tables};
use super::names::folded;
use crate::batch::column::Column;
use crate::error::Result;
use crate::event::Written;
use crate::sources::database::{Database, TableName};
use crate::sources::overlap::Overlap;
use crate::sources::transaction::{Finish, LoadTransaction};

/// Loads under way.
pub struct StandInLoads {
    tables: Arc<Tables>,
    inner: Box<dyn LoadTransaction>,
    /// Each table with how it is written, and how many rows it had.
    begun: Vec<(TableName, WriteMode, Option<u64>)>,
}

impl StandInLoads {
    /// Begins loads.
    ///
    /// # Errors
    /// The staging database's.
    pub async fn begin(tables: &Arc<Tables>) -> Result<StandInLoads> {
        Ok(StandInLoads {
            tables: tables.clone(),
            inner: tables.staging.begin_loads().await?,
            begun: Vec::new(),
        })
    }
}

/// Returns a write mode with the names that are stored.
pub fn stored_mode(tables: &Tables, mode: WriteMode) -> WriteMode {
    match mode {
        WriteMode::Upsert(key) => WriteMode::Upsert(
            key.iter()
                .map(|name| folded(tables.names.dialect, name))
                .collect(),
        ),
        other => other,
    }
}

/// Returns how loads end with the names that are stored.
fn stored_finish(tables: &Tables, finish: &Finish) -> Finish {
    let overlaps = finish.overlaps.iter();
    Finish {
        skipped: finish.skipped.clone(),
        overlaps: overlaps
            .map(|(table, overlap)| (*table, stored_overlap(tables, overlap)))
            .collect(),
    }
}

/// Returns what becomes of rows with the names that are stored.
pub fn stored_overlap(tables: &Tables, overlap: &Overlap) -> Overlap {
    let name = |name: &mut String| *name = folded(tables.names.dialect, name);
    let mut overlap = overlap.clone();
    let skips = overlap.skip.iter_mut().chain(&mut overlap.leave_out);
    skips.for_each(|skip| {
        name(&mut skip.column);
        skip.ignored.iter_mut().for_each(name);
    });
    if let Some(unchanged) = &mut overlap.unchanged {
        name(&mut unchanged.key);
        name(&mut unchanged.now);
        name(&mut unchanged.before);
    }
    for region in overlap.delete.iter_mut().chain(&mut overlap.refuse) {
        name(&mut region.column);
        let values = region.parts.iter_mut().flat_map(|part| &mut part.of);
        values.for_each(|(column, _)| name(column));
    }
    overlap
}

#[async_trait]
impl LoadTransaction for StandInLoads {
    async fn add(&mut self, target: &TableName, columns: &[Column], mode: WriteMode) -> Result<usize> {
        self.tables.find(target).await?;
        let before = self.tables.rows(target).await?;
        self.begun.push((target.clone(), mode.clone(), before));
        let columns: Vec<Column> = columns
            .iter()
            .map(|column| Column {
                name: folded(self.tables.names.dialect, &column.name),
                ..column.clone()
            })
            .collect();
        let target = self.tables.names.stored(target);
        self.inner
            .add(&target, &columns, stored_mode(&self.tables, mode))
            .await
    }

    async fn write(&mut self, table: usize, batch: RecordBatch) -> Result<()> {
        self.inner.write(table, batch).await
    }

    fn expect_overlap(&mut self, table: usize) -> Result<()> {
        self.inner.expect_overlap(table)
    }

    async fn commit(self: Box<Self>, finish: &Finish) -> Result<Vec<u64>> {
        let StandInLoads { tables, inner, begun } = *self;
        let rows = inner.commit(&stored_finish(&tables, finish)).await?;
        for (at, (target, mode, before)) in begun.into_iter().enumerate() {
            if !finish.skips(at) {
                let loaded = rows.get(at).copied().unwrap_or_default();
                note(&tables, &target, &mode, (before, loaded)).await?;
            }
        }
        Ok(rows)
    }

    async fn abort(self: Box<Self>) {
        self.inner.abort().await;
    }
}

/// Notes that rows went to a table, which had so many `before`.
pub async fn note(
    tables: &Tables,
    target: &TableName,
    mode: &WriteMode,
    (before, loaded): (Option<u64>, u64),
) -> Result<()> {
    tables.note_key(target, mode).await;
    let after = tables.rows(target).await?.unwrap_or_default();
    let new = after.saturating_sub(before.unwrap_or_default());
    let change = match (before, mode) {
        (None, _) => (Written::Created, after, 0),
        (Some(_), WriteMode::Replace) => (Written::Replaced, after, 0),
        (Some(_), WriteMode::Append) => (Written::Appended, new, 0),
        (Some(_), WriteMode::ReplaceRange) => (Written::RangeReplaced, loaded, 0),
        (Some(_), WriteMode::Upsert(_)) => (Written::Upserted, new, loaded.saturating_sub(new)),
    };
    let (how, new, changed) = change;
    tables.note(target, Change { how, new, changed }).await;
    Ok(())
}
