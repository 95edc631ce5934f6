//! Which tables the stand-in has: those that the flow wrote, and copies of those that it only reads, made when they are first asked
//! for: from the real database, or from files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use sequor_planner::ops::WriteMode;
use tokio::sync::Mutex;

use super::fixtures;
use super::names::Names;
use crate::batch::column::Column;
use crate::batch::plain::{conformed, plain};
use crate::batch::types::{ColumnType, Logical, arrow_schema, sql_name};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Written;
use crate::sources::database::{Database, Rows, TableName};
use crate::staging::Staging;

/// The real database, opened when it is first asked for.
#[async_trait]
pub trait Real: Send + Sync {
    /// Returns it; why it can't be opened is said each time.
    async fn database(&self) -> Result<Arc<dyn Database>>;

    /// Closes it, where it was opened.
    async fn close(&self);
}

/// What became of a table.
#[derive(Debug, Clone)]
pub struct Change {
    pub how: Written,
    /// Rows that were not there before, where they were added to others.
    pub new: u64,
    /// Rows that took the place of others with their key.
    pub changed: u64,
}

/// The tables of a stand-in.
pub struct Tables {
    pub source: String,
    pub names: Names,
    pub staging: Staging,
    real: Arc<dyn Real>,
    /// A folder with files of tables, by source.
    fixtures: Option<PathBuf>,
    /// How many rows of a table are copied.
    sample: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Tables that were looked for, by their stored names.
    known: BTreeSet<String>,
    changes: BTreeMap<String, (TableName, Change)>,
    /// Copies that have no more rows than were asked for, of tables that may.
    sampled: BTreeSet<String>,
    /// Why the real database was not read.
    unreachable: Option<String>,
}

impl Tables {
    /// Creates the tables of a stand-in, none of them there.
    pub fn new(
        (source, names): (&str, Names),
        staging: Staging,
        real: Arc<dyn Real>,
        fixtures: Option<PathBuf>,
        sample: u64,
    ) -> Tables {
        Tables {
            source: source.to_string(),
            names,
            staging,
            real,
            fixtures,
            sample,
            state: Mutex::default(),
        }
    }

    /// Makes a copy of a table, where it was never looked for and the flow has not made it.
    ///
    /// # Errors
    /// A file, or the real database's rows, that can't be read.
    pub async fn find(&self, table: &TableName) -> Result<()> {
        let there = self.names.stored(table);
        let mut state = self.state.lock().await;
        if !state.known.insert(there.to_string()) {
            return Ok(());
        }
        if let Some(folder) = &self.fixtures
            && let Some(rows) = fixtures::rows(&folder.join(&self.source), table).await?
        {
            return self.copy(&there, rows).await.map(|_| ());
        }
        let real = match self.real.database().await {
            Ok(real) => real,
            Err(error) => {
                state.unreachable.get_or_insert(error.to_string());
                return Ok(());
            }
        };
        if real.columns(table).await?.is_none() {
            return Ok(());
        }
        let sql = format!("SELECT * FROM {} LIMIT {}", real.quoted(table), self.sample);
        if self.copy(&there, real.query(&sql).await?).await? == self.sample {
            state.sampled.insert(there.to_string());
        }
        Ok(())
    }

    async fn copy(&self, there: &TableName, mut rows: Rows) -> Result<u64> {
        let columns: Vec<Column> = rows
            .schema
            .fields()
            .iter()
            .map(|field| Column {
                name: super::names::folded(self.names.dialect, field.name()),
                column_type: ColumnType {
                    declared: None,
                    sql: sql_name(field),
                    arrow: plain(field.data_type()),
                    logical: Logical::of(field),
                },
            })
            .collect();
        let schema = arrow_schema(&columns);
        let mut load = self
            .staging
            .begin_load(there, &columns, WriteMode::Replace)
            .await?;
        while let Some(batch) = rows.batches.next().await {
            load.write(conformed(&batch?, &schema)?).await?;
        }
        load.commit().await
    }

    /// Closes the real database.
    pub async fn close(&self) {
        self.real.close().await;
    }

    /// Returns the error for a table that is nowhere, with how to give it.
    pub async fn explain(&self, error: Error, tables: &[TableName]) -> Error {
        let error = error.map_text(|text| {
            let here = text.replace("the staging database", "a dry run");
            here.replace(" does not exist in staging", " is nowhere")
        });
        if error.kind() != ErrorKind::NoTable {
            return error;
        }
        let names: Vec<String> = tables.iter().map(|table| format!("{table}.csv")).collect();
        let file = names.first().cloned().unwrap_or_default();
        let give = format!("give its rows: --fixtures DIR, with {}/{file} in it", self.source);
        let why = self.state.lock().await.unreachable.clone();
        error.replace_help(match why {
            Some(why) => format!("{give}; source `{}` can't be read: {why}", self.source),
            None => give,
        })
    }

    /// Notes what a flow did to a table.
    pub async fn note(&self, table: &TableName, change: Change) {
        let there = self.names.stored(table).to_string();
        let mut state = self.state.lock().await;
        state.known.insert(there.clone());
        let known = state.changes.remove(&there).map(|(_, known)| known);
        let anew = matches!(
            change.how,
            Written::Created | Written::Replaced | Written::Dropped
        );
        let change = match known {
            // What was made in this run stays made.
            Some(Change {
                how: Written::Created,
                ..
            }) if anew && change.how != Written::Dropped => Change {
                how: Written::Created,
                ..change
            },
            Some(known) if !anew => Change {
                how: match known.how {
                    Written::Created | Written::Replaced => known.how,
                    how if how == change.how => how,
                    _ => Written::Changed,
                },
                new: known.new + change.new,
                changed: known.changed + change.changed,
            },
            _ => change,
        };
        state.changes.insert(there, (table.clone(), change));
    }

    /// Tells whether a table is there, and how many rows it has.
    ///
    /// # Errors
    /// The staging database's.
    pub async fn rows(&self, table: &TableName) -> Result<Option<u64>> {
        let there = self.names.stored(table);
        if self.staging.columns(&there).await?.is_none() {
            return Ok(None);
        }
        let sql = format!("SELECT count(*) AS n FROM {}", self.staging.quoted(&there));
        let mut rows = self.staging.query(&sql).await?;
        let first = rows.batches.next().await.transpose()?;
        let count = first.and_then(|batch| {
            use arrow::array::AsArray;
            let column = batch
                .column(0)
                .as_primitive_opt::<arrow::datatypes::Int64Type>()?
                .clone();
            u64::try_from(column.value(0)).ok()
        });
        Ok(Some(count.unwrap_or_default()))
    }

    /// Returns the name of a column as the real database gives it.
    pub fn shown(&self, column: &str) -> String {
        super::names::shown(self.names.dialect, column)
    }

    /// Returns the first rows of a table, as they are stored; none where it is not there.
    ///
    /// # Errors
    /// The staging database's.
    pub async fn first(&self, table: &TableName, most: usize) -> Result<Option<Rows>> {
        let there = self.names.stored(table);
        if self.staging.columns(&there).await?.is_none() {
            return Ok(None);
        }
        let sql = format!("SELECT * FROM {} LIMIT {most}", self.staging.quoted(&there));
        self.staging.query(&sql).await.map(Some)
    }

    /// Returns what became of tables, by their names.
    pub async fn changes(&self) -> Vec<(TableName, Change)> {
        self.state.lock().await.changes.values().cloned().collect()
    }

    /// Returns the copies that may have fewer rows than the real tables, and why the real database was not read.
    pub async fn limits(&self) -> (Vec<String>, Option<String>) {
        let state = self.state.lock().await;
        (state.sampled.iter().cloned().collect(), state.unreachable.clone())
    }
}
