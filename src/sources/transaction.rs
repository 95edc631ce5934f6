//! Loads: batches into tables of one database, and one change at the end that makes all of them visible.

use arrow::array::RecordBatch;
use async_trait::async_trait;
use sequor_planner::ops::WriteMode;

use super::database::TableName;
use crate::batch::column::Column;
use crate::error::{Error, Result};

/// Loads of several tables of one database. Nothing of them is seen by others before the commit, and then all of it.
/// Dropped without `commit`: as if they had never been.
///
/// Where a database can't do that in one transaction (its CREATE and RENAME end one; its tables have a log each), all that
/// can fail comes first, rows that are added come before tables that change places, and a second time does no harm.
#[async_trait]
pub trait LoadTransaction: Send {
    /// Adds a table to be loaded. Its number: the first is 0.
    async fn add(&mut self, target: &TableName, columns: &[Column], mode: WriteMode) -> Result<usize>;

    /// Adds a batch to a table; its schema is that of the columns ([`crate::batch::types::arrow_schema`]).
    async fn write(&mut self, table: usize, batch: RecordBatch) -> Result<()>;

    /// Binds a table's rows to those of another table of this transaction, whose rows say `generation`: where each table is
    /// committed by itself, those count only when the table's own commit has come to that generation.
    fn bind(&mut self, _table: usize, _scope: &str, _generation: i64) {}

    /// Makes the rows visible, all at once; of the tables in `skipped`, none. The numbers of rows loaded, by table.
    async fn commit(self: Box<Self>, skipped: &[usize]) -> Result<Vec<u64>>;

    /// Takes everything back.
    async fn abort(self: Box<Self>);
}

/// The load of one table.
pub struct Load {
    transaction: Box<dyn LoadTransaction>,
}

impl Load {
    /// Begins the load of a table by a transaction of its own.
    pub async fn begin(
        mut transaction: Box<dyn LoadTransaction>,
        target: &TableName,
        columns: &[Column],
        mode: WriteMode,
    ) -> Result<Load> {
        match transaction.add(target, columns, mode).await {
            Ok(_) => Ok(Load { transaction }),
            Err(error) => {
                transaction.abort().await;
                Err(error)
            }
        }
    }

    /// Adds a batch; its schema is that of the columns the load was begun with.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        self.transaction.write(0, batch).await
    }

    /// Makes the rows visible, all at once. The number of rows loaded.
    pub async fn commit(self) -> Result<u64> {
        Ok(self.transaction.commit(&[]).await?.into_iter().sum())
    }

    /// Takes everything back.
    pub async fn abort(self) {
        self.transaction.abort().await;
    }
}

/// Returns an error with the table that it is about.
pub fn about(target: &TableName) -> impl Fn(Error) -> Error + use<> {
    let target = target.to_string();
    move |error| error.about_table(&target)
}
