//! What every database can do: the contract between the executor and a database folder.

use std::collections::BTreeSet;
use std::fmt;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use futures::stream::BoxStream;
use sequor_planner::Dialect;
use sequor_planner::ops::WriteMode;

use super::naming::Naming;
use super::overlap::Overlap;
use super::sql::quote;
use super::transaction::{Load, LoadTransaction};
use crate::batch::column::Column;
use crate::batch::types::ColumnType;
use crate::error::{Error, ErrorKind, Result};

/// A table's full name. Parts are names, not SQL: quoting is the database's work.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableName {
    pub database: Option<String>,
    pub namespace: Option<String>,
    pub table: String,
}

impl TableName {
    /// Creates a table of the source's default database and namespace.
    pub fn new(table: impl Into<String>) -> Self {
        TableName {
            database: None,
            namespace: None,
            table: table.into(),
        }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [&self.database, &self.namespace].into_iter().flatten() {
            write!(f, "{part}.")?;
        }
        f.write_str(&self.table)
    }
}

/// Rows as a stream of Arrow batches.
pub struct Rows {
    pub schema: SchemaRef,
    pub batches: BoxStream<'static, Result<RecordBatch>>,
}

/// A database of the project. Cheap to share; every method can be called concurrently.
#[async_trait]
pub trait Database: Send + Sync {
    /// The SQL it speaks.
    fn dialect(&self) -> Dialect;

    /// How a column declared with the type name `sql` ("numeric(10,2)") is held in Arrow and in this database.
    fn column_type(&self, sql: &str) -> Result<ColumnType>;

    /// How it takes the names that a flow writes.
    fn naming(&self) -> Naming;

    /// A name as the flow writes it, as the database keeps it.
    fn fold(&self, name: &str) -> String {
        self.naming().fold(name)
    }

    /// Runs a query and streams its rows; memory does not grow with the result.
    async fn query(&self, sql: &str) -> Result<Rows>;

    /// All rows of a table, streamed.
    async fn scan(&self, table: &TableName) -> Result<Rows>;

    /// The rows of a table with only these columns, found in any case; all of them when one is not there, so that the
    /// error for it can name those that are.
    async fn scan_columns(&self, table: &TableName, wanted: Option<&BTreeSet<String>>) -> Result<Rows> {
        match self.some_columns(table, wanted).await? {
            None => self.scan(table).await,
            Some(names) => {
                let names: Vec<String> = names.iter().map(|name| self.quote(name)).collect();
                let names = names.join(", ");
                self.query(&format!("SELECT {names} FROM {}", self.quoted(table)))
                    .await
            }
        }
    }

    /// The names of those columns as the table has them; none when all of its columns are to be read.
    async fn some_columns(
        &self,
        table: &TableName,
        wanted: Option<&BTreeSet<String>>,
    ) -> Result<Option<Vec<String>>> {
        let (Some(wanted), Some(there)) = (wanted, self.columns(table).await?) else {
            return Ok(None);
        };
        let found: Option<Vec<&Column>> = wanted
            .iter()
            .map(|name| {
                let exact = there.iter().find(|c| c.name == *name);
                exact.or_else(|| there.iter().find(|c| c.name.eq_ignore_ascii_case(name)))
            })
            .collect();
        let Some(found) = found.filter(|found| found.len() < there.len()) else {
            return Ok(None);
        };
        // Rows without any column would not be rows.
        let found = if found.is_empty() { vec![&there[0]] } else { found };
        let mut names: Vec<String> = found.iter().map(|c| c.name.clone()).collect();
        names.dedup();
        Ok(Some(names))
    }

    /// The columns of a table; none when there is no such table.
    async fn columns(&self, table: &TableName) -> Result<Option<Vec<Column>>>;

    /// A name as SQL, quoted.
    fn quote(&self, name: &str) -> String {
        quote(name)
    }

    /// A table's full name as SQL, its parts quoted.
    fn quoted(&self, table: &TableName) -> String;

    /// Whether it reads texts for columns that we can't: [`Database::read_texts`].
    fn reads_texts(&self) -> bool {
        false
    }

    /// What the database makes of texts for a column, as texts that [`crate::batch::builder`] takes; those of bytes in
    /// hexadecimal. Fails when one of them is none of the column's type.
    async fn read_texts(&self, column: &Column, _texts: &[String]) -> Result<Vec<Option<String>>> {
        let message = format!("column `{}`: texts are not read by this database", column.name);
        Err(Error::new(ErrorKind::Internal, message))
    }

    /// Adds columns to a table, null in the rows it has, and drops others, in one change.
    async fn alter(&self, table: &TableName, add: &[Column], drop: &[String]) -> Result<()> {
        let added = add.iter().map(|c| {
            format!(
                "ADD COLUMN {} {}",
                self.quote(&c.name),
                c.column_type.declaration()
            )
        });
        let dropped = drop
            .iter()
            .map(|name| format!("DROP COLUMN {}", self.quote(name)));
        let changes: Vec<String> = added.chain(dropped).collect();
        let statement = format!("ALTER TABLE {} {}", self.quoted(table), changes.join(", "));
        self.execute(&statement).await.map(|_| ())
    }

    /// Gives columns of a table the types that these have. Values that do not fit are an error.
    async fn retype(&self, table: &TableName, columns: &[Column]) -> Result<()> {
        for column in columns {
            let statement = format!(
                "ALTER TABLE {} ALTER COLUMN {} SET DATA TYPE {}",
                self.quoted(table),
                self.quote(&column.name),
                column.column_type.declaration()
            );
            self.execute(&statement).await?;
        }
        Ok(())
    }

    /// Gives text columns of a table, none of which is null, the collations of columns of the same names, where a database has
    /// several: what is one text there is one here. `from`: what stands behind FROM for those.
    async fn follow_collations(&self, _table: &TableName, _from: &str, _names: &[String]) -> Result<()> {
        Ok(())
    }

    /// A connection for statements that belong together: what one sets, or begins, the next finds.
    async fn session(&self) -> Result<Box<dyn Session + '_>>;

    /// Runs one statement, in a session of its own.
    async fn execute(&self, statement: &str) -> Result<Option<u64>> {
        self.session().await?.execute(statement).await
    }

    /// Replaces `target` by, or appends to it, the rows of `query`, atomically. The number of rows written.
    async fn transform(&self, query: &str, target: &TableName, mode: WriteMode) -> Result<u64> {
        self.transform_over(query, target, mode, None).await
    }

    /// As [`Database::transform`]; `overlap` says what becomes of rows that the target has, besides what the mode says.
    async fn transform_over(
        &self,
        query: &str,
        target: &TableName,
        mode: WriteMode,
        overlap: Option<&Overlap>,
    ) -> Result<u64>;

    /// Waits until no load or transform of ours writes a table: that of a program that was killed may go on in the server.
    async fn wait_for_writers(&self, _table: &TableName) -> Result<()> {
        Ok(())
    }

    /// Returns how often loads that were bound by `scope` ([`LoadTransaction::bind`]) were committed to a table, none of them:
    /// nothing; none where a transaction is seen all at once, so that nobody has to know.
    async fn bound(&self, _table: &TableName, _scope: &str) -> Result<Option<Option<i64>>> {
        Ok(None)
    }

    /// Starts loads that become visible together.
    async fn begin_loads(&self) -> Result<Box<dyn LoadTransaction>>;

    /// Starts the load of one table. Nothing of it is seen by others before [`Load::commit`].
    async fn begin_load(&self, target: &TableName, columns: &[Column], mode: WriteMode) -> Result<Load> {
        Load::begin(self.begin_loads().await?, target, columns, mode).await
    }

    /// Gives back connections. Called once, at the end of a run.
    async fn close(&self) {}
}

/// A connection for the statements of one step. What they leave open ends with it: a transaction is taken back.
#[async_trait]
pub trait Session: Send {
    /// Runs one statement; the number of rows it touched, where the database tells.
    async fn execute(&mut self, statement: &str) -> Result<Option<u64>>;
}
