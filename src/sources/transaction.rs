//! Loads: batches into tables of one database, and one change at the end that makes all of them visible.

use arrow::array::RecordBatch;
use async_trait::async_trait;
use sequor_planner::ops::WriteMode;

use super::database::TableName;
use super::overlap::Overlap;
use crate::batch::column::Column;
use crate::error::{Error, Result};

/// How loads end.
#[derive(Debug, Clone, Default)]
pub struct Finish {
    /// Tables of which no rows become visible.
    pub skipped: Vec<usize>,
    /// What becomes of rows that tables have, besides what their write modes say.
    pub overlaps: Vec<(usize, Overlap)>,
}

impl Finish {
    /// Tells whether no rows of a table become visible.
    pub fn skips(&self, table: usize) -> bool {
        self.skipped.contains(&table)
    }

    /// Returns what becomes of rows that a table has.
    pub fn overlap(&self, table: usize) -> Option<&Overlap> {
        let found = self.overlaps.iter().find(|(of, _)| *of == table);
        found.map(|(_, overlap)| overlap)
    }
}

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

    /// Is told, before any of its rows, that an [`Overlap`] comes for a table with the end.
    fn expect_overlap(&mut self, _table: usize) -> Result<()> {
        Ok(())
    }

    /// Binds a table's rows to those of another table of this transaction, whose rows say `generation`: where each table is
    /// committed by itself, those count only when the table's own commit has come to that generation.
    fn bind(&mut self, _table: usize, _scope: &str, _generation: i64) {}

    /// Makes the rows visible, all at once. The numbers of rows loaded, by table.
    async fn commit(self: Box<Self>, finish: &Finish) -> Result<Vec<u64>>;

    /// Takes everything back.
    async fn abort(self: Box<Self>);
}

/// The load of one table.
pub struct Load {
    transaction: Box<dyn LoadTransaction>,
    finish: Finish,
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
            Ok(_) => Ok(Load {
                transaction,
                finish: Finish::default(),
            }),
            Err(error) => {
                transaction.abort().await;
                Err(error)
            }
        }
    }

    /// Says, before any row, what becomes of rows that the table has.
    pub fn over(&mut self, overlap: Overlap) -> Result<()> {
        self.finish.overlaps.push((0, overlap));
        self.transaction.expect_overlap(0)
    }

    /// Adds a batch; its schema is that of the columns the load was begun with.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        self.transaction.write(0, batch).await
    }

    /// Makes the rows visible, all at once. The number of rows loaded.
    pub async fn commit(self) -> Result<u64> {
        Ok(self.transaction.commit(&self.finish).await?.into_iter().sum())
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
