//! Which tables the stand-in has: those that the flow wrote, and copies of those that it only reads, made when they are first asked
//! for: from the real database, or from files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use sequor_planner::ops::WriteMode;
use tokio::sync::Mutex;

use super::diff;
use super::fixtures;
use super::given::Given;
use super::names::Names;
use super::{numbers, said};
use crate::batch::column::Column;
use crate::batch::plain::{conformed, plain};
use crate::batch::types::{ColumnType, Logical, arrow_schema, sql_name};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{TableDiff, Written};
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
    /// How rows of a table that is nowhere can be given.
    help: Help,
    /// What is kept of copies as they were.
    keeps: Keeps,
    state: Mutex<State>,
}

/// What is kept of copies as they were before the flow changed them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keeps {
    /// Their rows in memory, to be given to a test.
    pub rows: bool,
    /// A second copy, to be compared with what came out.
    pub before: bool,
}

/// The namespace of second copies.
const BEFORE: &str = "__before";

/// How rows of a table that is nowhere can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Help {
    /// By files.
    Fixtures,
    /// By `given` of a test.
    Given,
}

#[derive(Default)]
struct State {
    /// Tables that were looked for, by their stored names.
    known: BTreeSet<String>,
    changes: BTreeMap<String, (TableName, Change)>,
    /// Copies that have no more rows than were asked for, of tables that may.
    sampled: BTreeSet<String>,
    /// Tables whose rows are laid down, by their stored names.
    given: BTreeMap<String, Given>,
    /// The keys by which rows went to tables, by their stored names.
    keys: BTreeMap<String, Vec<String>>,
    /// What was copied of real tables, where it is kept.
    copies: Vec<(TableName, Vec<Column>, Vec<RecordBatch>)>,
    /// Why the real database was not read.
    unreachable: Option<String>,
}

/// The name of a second copy.
fn before(there: &TableName) -> TableName {
    let namespace = there.namespace.as_deref().unwrap_or_default();
    TableName {
        database: None,
        namespace: Some(format!("{BEFORE}{namespace}")),
        table: there.table.clone(),
    }
}

impl Tables {
    /// Creates the tables of a stand-in, none of them there.
    pub fn new(
        (source, names): (&str, Names),
        staging: Staging,
        real: Arc<dyn Real>,
        (fixtures, sample): (Option<PathBuf>, u64),
        help: Help,
    ) -> Tables {
        Tables {
            source: source.to_string(),
            names,
            staging,
            real,
            fixtures,
            sample,
            help,
            keeps: Keeps::default(),
            state: Mutex::default(),
        }
    }

    /// Keeps copies as they were.
    pub fn keeping(self, keeps: Keeps) -> Tables {
        Tables { keeps, ..self }
    }

    /// Returns what was copied of real tables, where it is kept.
    pub async fn copies(&self) -> Vec<(TableName, Vec<Column>, Vec<RecordBatch>)> {
        self.state.lock().await.copies.clone()
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
        if let Some(given) = state.given.get(&there.to_string()) {
            let rows = given.rows(&self.staging, &self.names).await;
            let rows = rows.map_err(|e| e.context(format!("the given table {}.{table}", self.source)))?;
            return self.copy(&there, rows).await.map(|_| ());
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
        let mut sql = format!("SELECT * FROM {}", real.quoted(table));
        if self.sample < u64::MAX {
            sql.push_str(&format!(" LIMIT {}", self.sample));
        }
        let mut rows = real.query(&sql).await?;
        if self.keeps.rows {
            let columns = real.columns(table).await?.unwrap_or_default();
            let batches: Vec<RecordBatch> = rows.batches.try_collect().await?;
            rows.batches = stream::iter(batches.clone().into_iter().map(Ok)).boxed();
            state.copies.push((table.clone(), columns, batches));
        }
        if self.copy(&there, rows).await? == self.sample {
            state.sampled.insert(there.to_string());
        }
        Ok(())
    }

    /// Tells whether a table was looked for.
    pub async fn was_found(&self, table: &TableName) -> bool {
        let there = self.names.stored(table).to_string();
        self.state.lock().await.known.contains(&there)
    }

    /// Lays down the rows of a table.
    pub async fn give(&self, table: &TableName, given: Given) {
        let there = self.names.stored(table).to_string();
        self.state.lock().await.given.insert(there, given);
    }

    async fn copy(&self, there: &TableName, rows: Rows) -> Result<u64> {
        let mut rows = numbers::exact(rows).await?;
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
        let rows = load.commit().await?;
        if self.keeps.before {
            let kept = before(there);
            let sql = format!("SELECT * FROM {}", self.staging.quoted(there));
            self.staging.transform(&sql, &kept, WriteMode::Replace).await?;
        }
        Ok(rows)
    }

    /// Returns what is other in a table than in its copy as it was; none where there was none.
    ///
    /// # Errors
    /// The staging database's.
    pub async fn diff(&self, table: &TableName) -> Result<Option<TableDiff>> {
        let there = self.names.stored(table);
        let kept = before(&there);
        let is_there =
            self.staging.columns(&kept).await?.is_some() && self.staging.columns(&there).await?.is_some();
        if !self.keeps.before || !is_there {
            return Ok(None);
        }
        let key = self
            .state
            .lock()
            .await
            .keys
            .get(&there.to_string())
            .cloned()
            .unwrap_or_default();
        let mut diff = diff::diff(&self.staging, &kept, &there, &key).await?;
        let shown = |names: &mut Vec<String>| names.iter_mut().for_each(|name| *name = self.shown(name));
        shown(&mut diff.key);
        shown(&mut diff.new_columns);
        shown(&mut diff.lost_columns);
        diff.columns
            .iter_mut()
            .for_each(|change| change.column = self.shown(&change.column));
        diff.types
            .iter_mut()
            .for_each(|change| change.column = self.shown(&change.column));
        Ok(Some(diff))
    }

    /// Notes the key by which rows went to a table.
    pub async fn note_key(&self, table: &TableName, mode: &WriteMode) {
        if let WriteMode::Upsert(key) = mode {
            let there = self.names.stored(table).to_string();
            let key = key
                .iter()
                .map(|name| super::names::folded(self.names.dialect, name))
                .collect();
            self.state.lock().await.keys.insert(there, key);
        }
    }

    /// Closes the real database.
    pub async fn close(&self) {
        self.real.close().await;
    }

    /// Returns the error for a table that is nowhere, with how to give it.
    pub async fn explain(&self, error: Error, tables: &[TableName]) -> Error {
        let error = error.map_text(said::of_dry_run);
        if error.kind() != ErrorKind::NoTable {
            return error;
        }
        let names: Vec<String> = tables.iter().map(|table| format!("{table}.csv")).collect();
        let file = names.first().cloned().unwrap_or_default();
        let give = match self.help {
            Help::Fixtures => format!("give its rows: --fixtures DIR, with {}/{file} in it", self.source),
            Help::Given => {
                let table = tables.first().map(ToString::to_string).unwrap_or_default();
                return error.replace_help(format!(
                    "give its rows in `given`: `{}.{table}: [...]`",
                    self.source
                ));
            }
        };
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
            // What was made in this run and is gone again has changed nothing.
            Some(Change {
                how: Written::Created,
                ..
            }) if change.how == Written::Dropped => return,
            // What was made in this run stays made.
            Some(Change {
                how: Written::Created,
                ..
            }) if anew => Change {
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
