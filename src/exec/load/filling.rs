//! Tables of one database that a step fills: their rows become visible together.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, FieldRef};
use sequor_planner::Place;
use sequor_planner::ops::WriteMode;

use crate::batch::column::Column;
use crate::batch::types::{arrow_schema, narrows};
use crate::error::{Error, ErrorKind, Result};
use crate::exec::event::Emitter;
use crate::exec::load::columns::named_as_there;
use crate::exec::load::unparsed::{self, Batch};
use crate::incremental::{StateRows, Tracker};
use crate::sources::database::{Database, TableName};
use crate::sources::overlap::{Overlap, Region};
use crate::sources::transaction::{Finish, LoadTransaction};

/// Tables that are being filled.
pub struct Filling {
    database: Arc<dyn Database>,
    /// Opened with the first table.
    transaction: Option<Box<dyn LoadTransaction>>,
    tables: Vec<Table>,
    /// What becomes of rows that tables have.
    overlaps: Vec<(usize, Overlap)>,
}

struct Table {
    beginning: Beginning,
    rows: u64,
}

/// A table whose load is about to begin.
pub struct Beginning {
    pub target: TableName,
    pub columns: Vec<Column>,
    /// The columns' names as the flow writes them.
    pub given: Vec<String>,
    pub mode: WriteMode,
    pub place: Place,
    /// Where warnings go.
    pub emitter: Emitter,
    /// What looks at its rows.
    pub tracker: Option<Arc<Tracker>>,
}

impl Filling {
    /// Returns no tables yet.
    pub fn new(database: &Arc<dyn Database>) -> Filling {
        Filling {
            database: database.clone(),
            transaction: None,
            tables: Vec::new(),
            overlaps: Vec::new(),
        }
    }

    /// Tells whether a table can be filled together with those that are: it is of the same database, and not one of them.
    pub fn takes(&self, database: &Arc<dyn Database>, target: &TableName) -> bool {
        let known = |table: &Table| table.beginning.target == *target;
        Arc::ptr_eq(&self.database, database) && !self.tables.iter().any(known)
    }

    /// Adds a table; returns its number. Names that the database folds are looked up in the table that is there.
    pub async fn add(&mut self, mut beginning: Beginning) -> Result<usize> {
        let done = beginning.look(&*self.database).await;
        let done = match done {
            Ok(()) => self.begin(&beginning).await,
            Err(error) => Err(error),
        };
        let begun = done.map_err(|e| e.about_table(&beginning.target.to_string()).at(&beginning.place))?;
        self.tables.push(Table { beginning, rows: 0 });
        Ok(begun)
    }

    /// Adds a table whose columns have the names that it has.
    pub async fn add_known(&mut self, beginning: Beginning) -> Result<usize> {
        let begun = self.begin(&beginning).await?;
        self.tables.push(Table { beginning, rows: 0 });
        Ok(begun)
    }

    async fn begin(&mut self, beginning: &Beginning) -> Result<usize> {
        if beginning.compares() {
            beginning.refuse_narrower(&*self.database).await?;
        }
        let transaction = match &mut self.transaction {
            Some(transaction) => transaction,
            none => none.insert(self.database.begin_loads().await?),
        };
        let mode = beginning.mode.clone();
        let table = transaction
            .add(&beginning.target, &beginning.columns, mode)
            .await?;
        if beginning.compares() {
            transaction.expect_overlap(table)?;
        }
        Ok(table)
    }

    /// Adds rows to a table; the database reads what we can't.
    pub async fn write(&mut self, table: usize, batch: Batch) -> Result<()> {
        let to = self.tables.get(table).ok_or_else(unknown)?;
        let rows = to.beginning.read(&*self.database, batch).await;
        let rows = rows.map_err(|e| self.placed(table, e))?;
        self.load(table, rows).await
    }

    /// Adds rows that are read.
    pub async fn load(&mut self, table: usize, rows: RecordBatch) -> Result<()> {
        let to = self.tables.get_mut(table).ok_or_else(unknown)?;
        let rows = match &to.beginning.tracker {
            Some(tracker) => tracker.take(rows).map_err(|e| e.at(&to.beginning.place))?,
            None => rows,
        };
        to.rows += rows.num_rows() as u64;
        let rows = to.beginning.named(rows)?;
        let transaction = self.transaction.as_mut().ok_or_else(unknown)?;
        let written = transaction.write(table, rows).await;
        written.map_err(|e| self.placed(table, e))
    }

    /// Returns the columns of a table's rows.
    pub fn columns(&self, table: usize) -> &[Column] {
        let found = self.tables.get(table);
        found.map_or(&[], |table| &table.beginning.columns)
    }

    /// Says what becomes of rows that a table has.
    pub fn overlap(&mut self, table: usize, overlap: Overlap) {
        self.overlaps.push((table, overlap));
    }

    /// Adds the states of tables, which become visible with their rows. All are of one table of states.
    pub async fn keep_states(&mut self, states: Vec<(usize, StateRows)>) -> Result<()> {
        let Some(transaction) = &mut self.transaction else {
            return Ok(());
        };
        let mut at = None;
        let mut gone = Vec::new();
        let mut unchanged = None;
        for (table, state) in states {
            gone.extend(state.gone);
            unchanged = Some(state.unchanged);
            let place = match at {
                Some(place) => place,
                None => {
                    let mode = WriteMode::Upsert(state.key.clone());
                    *at.insert(transaction.add(&state.table, &state.columns, mode).await?)
                }
            };
            transaction.bind(table, &state.scope, state.generation);
            transaction.write(place, state.rows).await?;
        }
        if let Some(place) = at {
            let overlap = Overlap {
                delete: gone.into_iter().reduce(Region::and_also),
                unchanged,
                ..Overlap::default()
            };
            self.overlaps.push((place, overlap));
        }
        Ok(())
    }

    /// Returns how many rows a table has got.
    pub fn rows(&self, table: usize) -> u64 {
        self.tables.get(table).map_or(0, |table| table.rows)
    }

    /// An error with its table's place. It may be of rows that another table got before.
    fn placed(&self, table: usize, error: Error) -> Error {
        let error = match self.tables.get(table) {
            Some(table) => error.about_table(&table.beginning.target.to_string()),
            None => error,
        };
        let about = |table: &&Table| error.table() == Some(table.beginning.target.to_string().as_str());
        match self.tables.iter().find(about) {
            Some(table) => error.at(&table.beginning.place),
            None => error,
        }
    }

    /// Makes the rows visible, all at once; of the tables in `skipped`, none.
    pub async fn commit(self, skipped: &[usize]) -> Result<()> {
        let Some(transaction) = self.transaction else {
            return Ok(());
        };
        if skipped.len() == self.tables.len() {
            transaction.abort().await;
            return Ok(());
        }
        let finish = Finish {
            skipped: skipped.to_vec(),
            overlaps: self.overlaps,
        };
        transaction.commit(&finish).await.map(|_| ())
    }

    /// Takes everything back.
    pub async fn abort(self) {
        if let Some(transaction) = self.transaction {
            transaction.abort().await;
        }
    }
}

fn unknown() -> Error {
    Error::new(ErrorKind::Internal, "rows for a table that is not being loaded")
}

impl Beginning {
    /// Looks at the table that is there.
    async fn look(&mut self, database: &dyn Database) -> Result<()> {
        let there = match self.mode.replaces() {
            true => None,
            false => database.columns(&self.target).await?,
        };
        let mut named = self.columns.iter().zip(&self.given);
        let folded = named.any(|(column, given)| column.name != *given);
        let place = (database, &self.target);
        let known = there.as_deref().filter(|_| folded);
        named_as_there(place, &self.given, &mut self.columns, known, &self.emitter).await?;
        self.warn_of_narrower(database, &there.unwrap_or_default()).await;
        Ok(())
    }

    /// Whether its rows are compared with those that the table has.
    fn compares(&self) -> bool {
        self.tracker.is_some() && matches!(self.mode, WriteMode::Append | WriteMode::ReplaceRange)
    }

    /// # Errors
    /// Columns of the table that change the rows' values: rows that come again would not be known.
    async fn refuse_narrower(&self, database: &dyn Database) -> Result<()> {
        let there = database.columns(&self.target).await?.unwrap_or_default();
        for column in &self.columns {
            let known = database.naming().find(&there, &column.name);
            if let Some(known) = known.filter(|known| narrows(&column.column_type, &known.column_type)) {
                let message = format!(
                    "column `{}` is {} there and {} in the flow, so that rows which come again could not be told from new ones",
                    column.name, known.column_type.sql, column.column_type.sql
                );
                return Err(Error::new(ErrorKind::Project, message).help(
                    "declare the column with the type that the table has, or use `write_mode: upsert`",
                ));
            }
        }
        Ok(())
    }

    /// Warns of columns of a table that stays which may change the values of the rows, as an INSERT does.
    async fn warn_of_narrower(&self, database: &dyn Database, there: &[Column]) {
        let is_declared = |column: &Column| column.column_type.arrow != DataType::Utf8;
        for column in self.columns.iter().filter(|column| is_declared(column)) {
            let known = database.naming().find(there, &column.name);
            if let Some(known) = known.filter(|known| narrows(&column.column_type, &known.column_type)) {
                let warning = format!(
                    "table `{}`: column `{}` is {} there and {} in the flow: values that it does not hold are rounded or cut",
                    self.target, column.name, known.column_type.sql, column.column_type.sql
                );
                self.emitter.warn(warning).await;
            }
        }
    }

    /// Returns rows with everything read.
    pub async fn read(&self, database: &dyn Database, batch: Batch) -> Result<RecordBatch> {
        unparsed::read(database, &self.target.table, &self.columns, batch).await
    }

    /// Rows whose columns have the names that the load was begun with.
    fn named(&self, rows: RecordBatch) -> Result<RecordBatch> {
        let same = |(field, column): (&FieldRef, &Column)| *field.name() == column.name;
        match rows.schema_ref().fields().iter().zip(&self.columns).all(same) {
            true => Ok(rows),
            false => Ok(RecordBatch::try_new(
                arrow_schema(&self.columns),
                rows.columns().to_vec(),
            )?),
        }
    }
}
