//! The pipeline from rows to a table: builders fill batches, a task per table loads them meanwhile.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use sequor_planner::ops::ResponseTable;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::event::{Counters, Event};
use super::run::Run;
use super::scope::Scope;
use super::sql::write_mode;
use super::table::table_name;
use crate::batch::builder::BatchBuilder;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::database::{Column, Load};

/// Batches waiting for the database. Few: what waits is memory.
const WAITING: usize = 2;

/// The task of one table's load: gives the load back when all batches are written.
type Loader = AbortOnDropHandle<Result<Box<dyn Load>>>;

/// The tables that a step fills.
pub struct Sink {
    /// Builders, filled under a lock that is never held over an await.
    builders: Mutex<Vec<BatchBuilder>>,
    senders: Vec<mpsc::Sender<RecordBatch>>,
    loaders: Mutex<Vec<Loader>>,
    /// Names of the tables, as declared.
    pub names: Vec<String>,
    counters: Arc<Counters>,
}

impl Sink {
    /// Begins the loads. Nothing is seen by others before [`Sink::commit`].
    pub async fn begin(
        run: &Arc<Run>,
        tables: &[ResponseTable],
        scope: &Scope,
        counters: &Arc<Counters>,
    ) -> Result<Sink> {
        let mut builders = Vec::with_capacity(tables.len());
        let mut senders = Vec::with_capacity(tables.len());
        let mut loaders = Vec::with_capacity(tables.len());
        let mut names = Vec::with_capacity(tables.len());
        for table in tables {
            let name = table_name(run, &table.target, scope).await?;
            let database = run.databases.get(&table.target.source)?;
            let columns = table
                .columns
                .iter()
                .map(|c| {
                    Ok(Column {
                        name: database.fold(&c.name),
                        column_type: database.column_type(&c.sql_type).map_err(|e| e.at(&c.place))?,
                    })
                })
                .collect::<Result<Vec<_>>>()?;
            let keys = table.columns.iter().map(|c| c.name.clone()).collect();
            builders.push(BatchBuilder::new(name.table.as_str(), keys, &columns)?);
            let load = database
                .begin_load(&name, &columns, write_mode(table.write_mode))
                .await
                .map_err(|e| e.context(format!("table `{name}`")).at(&table.place))?;
            let (sender, receiver) = mpsc::channel(WAITING);
            senders.push(sender);
            let shown = name.to_string();
            loaders.push(AbortOnDropHandle::new(tokio::spawn(async move {
                write_all(load, receiver)
                    .await
                    .map_err(|e| e.context(format!("table `{shown}`")))
            })));
            names.push(name.table);
        }
        Ok(Sink {
            builders: Mutex::new(builders),
            senders,
            loaders: Mutex::new(loaders),
            names,
            counters: counters.clone(),
        })
    }

    /// Fills builders, synchronously; full batches are given to `f`'s caller to send.
    pub fn fill<T>(
        &self,
        f: impl FnOnce(&mut Vec<BatchBuilder>, &mut Filled) -> Result<T>,
    ) -> Result<(T, Filled)> {
        let mut builders = self.builders.lock().unwrap_or_else(PoisonError::into_inner);
        let mut filled = Filled::default();
        let result = f(&mut builders, &mut filled)?;
        for (table, builder) in builders.iter_mut().enumerate() {
            if builder.is_full() {
                filled.take(table, builder)?;
            }
        }
        Ok((result, filled))
    }

    /// Passes full batches on to the loads; waits while those are behind.
    pub async fn send(&self, filled: Filled) -> Result<()> {
        for (table, batch) in filled.batches {
            let rows = batch.num_rows() as u64;
            if self.senders[table].send(batch).await.is_err() {
                return Err(self.loader_error(table).await);
            }
            self.counters.add_rows(rows);
        }
        Ok(())
    }

    /// Why a load gave up.
    async fn loader_error(&self, table: usize) -> Error {
        let loader = {
            let mut loaders = self.loaders.lock().unwrap_or_else(PoisonError::into_inner);
            (table < loaders.len()).then(|| loaders.remove(table))
        };
        match loader {
            Some(loader) => match loader.await {
                Ok(Err(error)) => error,
                _ => Error::new(ErrorKind::Internal, "the load ended early"),
            },
            None => Error::new(ErrorKind::Internal, "the load ended early"),
        }
    }

    /// A warning for each table with columns that no row had.
    fn never_seen(&self) -> Vec<String> {
        let builders = self.builders.lock().unwrap_or_else(PoisonError::into_inner);
        let tables = builders.iter().zip(&self.names);
        tables
            .filter_map(|(builder, table)| match builder.never_seen().as_slice() {
                [] => None,
                [column] => Some(format!(
                    "table `{table}`: no row has `{column}`, so the column is null"
                )),
                columns => Some(format!(
                    "table `{table}`: no row has any of `{}`, so the columns are null",
                    columns.join("`, `")
                )),
            })
            .collect()
    }

    /// Sends what is left and makes the tables visible.
    pub async fn commit(self, run: &Run) -> Result<()> {
        let mut rest = Filled::default();
        {
            let mut builders = self.builders.lock().unwrap_or_else(PoisonError::into_inner);
            for (table, builder) in builders.iter_mut().enumerate() {
                rest.take(table, builder)?;
            }
        }
        self.send(rest).await?;
        for warning in self.never_seen() {
            run.events.emit(Event::Warning(warning)).await;
        }
        drop(self.senders);
        let loaders = self.loaders.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Every load is complete before the first becomes visible.
        let mut loads = Vec::with_capacity(loaders.len());
        for loader in loaders {
            let load = loader
                .await
                .map_err(|e| Error::new(ErrorKind::Internal, format!("a load broke down: {e}")))?;
            loads.push(load?);
        }
        for (load, name) in loads.into_iter().zip(&self.names) {
            load.commit()
                .await
                .map_err(|e| e.context(format!("table `{name}`")))?;
        }
        Ok(())
    }
}

/// Full batches on their way out of the lock.
#[derive(Default)]
pub struct Filled {
    batches: Vec<(usize, RecordBatch)>,
}

impl Filled {
    /// Takes a table's batch.
    pub fn take(&mut self, table: usize, builder: &mut BatchBuilder) -> Result<()> {
        self.batches.extend(builder.take()?.map(|batch| (table, batch)));
        Ok(())
    }
}

async fn write_all(
    mut load: Box<dyn Load>,
    mut batches: mpsc::Receiver<RecordBatch>,
) -> Result<Box<dyn Load>> {
    while let Some(batch) = batches.recv().await {
        if let Err(error) = load.write(batch).await {
            load.abort().await;
            return Err(error);
        }
    }
    Ok(load)
}
