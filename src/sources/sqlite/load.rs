//! Loads: rows into tables of the connection's own, outside of the file, so that nobody waits for them.

use arrow::array::RecordBatch;
use async_trait::async_trait;
use sqlx::{SqliteConnection, query_with};

use super::error::explain;
use super::side::{SqliteSide, run, side, transaction};
use super::types::DIGITS;
use crate::batch::column::Column;
use crate::batch::types::Logical;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::bind::{Bound, Inserts, bound, refuse_non_finite, written_out};
use crate::sources::database::TableName;
use crate::sources::key::upsert_key;
use crate::sources::landing::{Placing, SameKeys, land};
use crate::sources::loading::{Loading, Message, Messages, over};
use crate::sources::sql::definitions;
use crate::sources::transaction::{Finish, LoadTransaction, about};
use sequor_planner::ops::WriteMode;

/// Rows of one statement.
const ROWS: usize = 500;
/// Parameters that a statement may have: <https://www.sqlite.org/limits.html#max_variable_number>
const PARAMETERS: usize = 32_766;
/// About how many bytes a statement's parameters have.
const BYTES: usize = 4 * 1024 * 1024;

/// Loads under way.
pub struct SqliteLoads {
    tables: Vec<Encoding>,
    loading: Loading<Side, Statements>,
}

type Statements = Vec<Bound<sqlx::Sqlite>>;

/// A table's rows on their way into statements.
struct Encoding {
    target: TableName,
    columns: Vec<Column>,
    rows: usize,
}

impl SqliteLoads {
    /// Begins, on a connection of its own.
    pub fn begin(connection: SqliteConnection) -> SqliteLoads {
        let work = Work { sides: Vec::new() };
        SqliteLoads {
            tables: Vec::new(),
            loading: Loading::start(|messages| work.run(connection, messages)),
        }
    }
}

#[async_trait]
impl LoadTransaction for SqliteLoads {
    async fn add(&mut self, target: &TableName, columns: &[Column], mut mode: WriteMode) -> Result<usize> {
        upsert_key(&mut mode, columns.iter().map(|c| c.name.as_str())).map_err(about(target))?;
        self.tables.push(Encoding {
            target: target.clone(),
            columns: columns.to_vec(),
            rows: (PARAMETERS / columns.len().max(1)).clamp(1, ROWS),
        });
        let names: Vec<String> = columns.iter().map(|c| c.name.clone()).collect();
        self.loading
            .add(Side {
                target: target.clone(),
                inserts: Inserts::new(
                    format!("INSERT INTO {}", side(self.tables.len() - 1)),
                    names.len(),
                ),
                columns: names,
                definitions: definitions(columns, |c| c.column_type.sql.clone()),
                mode,
                rows: 0,
            })
            .await
    }

    async fn write(&mut self, table: usize, batch: RecordBatch) -> Result<()> {
        let encoding = self.tables.get(table).ok_or_else(over)?;
        let statements = encoding.statements(&batch);
        self.loading
            .send(table, statements.map_err(about(&encoding.target))?)
            .await
    }

    async fn commit(self: Box<Self>, finish: &Finish) -> Result<Vec<u64>> {
        self.loading.commit(finish).await
    }

    async fn abort(self: Box<Self>) {
        self.loading.abort().await;
    }
}

impl Encoding {
    fn statements(&self, batch: &RecordBatch) -> Result<Statements> {
        refuse_non_finite(batch)?;
        let batch = written_out(batch, "%Y-%m-%d %H:%M:%S%.f+00:00")?;
        refuse_long_numbers(&batch, &self.columns)?;
        bound(&batch, self.rows, BYTES)
    }
}

/// # Errors
/// Numbers that SQLite would make floats of, and so change.
fn refuse_long_numbers(batch: &RecordBatch, columns: &[Column]) -> Result<()> {
    for (column, values) in columns.iter().zip(batch.columns()) {
        let short = match column.column_type.arrow {
            arrow::datatypes::DataType::Decimal128(precision, _) => usize::from(precision) <= DIGITS,
            _ => column.column_type.logical != Logical::Numeric,
        };
        if short {
            continue;
        }
        let values = arrow::array::as_string_array(values);
        if let Some(long) = values.iter().flatten().find(|text| !kept(text)) {
            let message = format!(
                "column `{}`: {long} has more digits than a number of SQLite keeps ({DIGITS})",
                column.name
            );
            return Err(Error::new(ErrorKind::Value, message)
                .help(format!("give column `{}` the type text", column.name)));
        }
    }
    Ok(())
}

/// Whether SQLite keeps a number as it is.
fn kept(text: &str) -> bool {
    let mantissa = text.split(['e', 'E']).next().unwrap_or(text);
    let digits = mantissa.trim_start_matches(['-', '+', '0', '.']);
    let digits = match digits.contains('.') || mantissa.contains('.') {
        true => digits.trim_end_matches('0'),
        false => digits,
    };
    digits.bytes().filter(u8::is_ascii_digit).count() <= DIGITS || text.parse::<i64>().is_ok()
}

/// A table to be loaded, whose rows wait in a table of memory as long as they are few.
struct Side {
    target: TableName,
    columns: Vec<String>,
    definitions: String,
    mode: WriteMode,
    inserts: Inserts,
    rows: u64,
}

/// What the task does.
struct Work {
    sides: Vec<Side>,
}

impl Work {
    async fn run(
        mut self,
        mut connection: SqliteConnection,
        mut messages: Messages<Side, Statements>,
    ) -> Result<Vec<u64>> {
        while let Some(message) = messages.recv().await {
            match message {
                Message::Table(side, there) => {
                    self.add(&mut connection, side).await?;
                    let _ = there.send(());
                }
                Message::Rows(table, statements) => {
                    let side = self.sides.get_mut(table).ok_or_else(over)?;
                    let inserted = side.insert(&mut connection, statements).await;
                    inserted.map_err(about(&side.target))?;
                }
                Message::Commit(finish) => {
                    let rows = self.sides.iter().map(|side| side.rows).collect();
                    self.commit(&mut connection, &finish).await?;
                    return Ok(rows);
                }
            }
        }
        Ok(Vec::new())
    }

    /// Makes a side table.
    async fn add(&mut self, connection: &mut SqliteConnection, new: Side) -> Result<()> {
        if self.sides.is_empty() {
            // What a crash leaves of it nobody reads.
            run(connection, "PRAGMA temp.journal_mode = OFF").await?;
        }
        let create = format!("CREATE TABLE {} ({})", side(self.sides.len()), new.definitions);
        run(connection, &create).await.map_err(about(&new.target))?;
        self.sides.push(new);
        Ok(())
    }

    async fn commit(&mut self, connection: &mut SqliteConnection, finish: &Finish) -> Result<()> {
        if self.sides.len() == finish.skipped.len() {
            return Ok(());
        }
        transaction(connection, async |connection| {
            for (number, side) in self.sides.iter_mut().enumerate() {
                if finish.skips(number) {
                    continue;
                }
                let columns = std::mem::take(&mut side.columns);
                let at = (number, &side.target);
                let mut rows = SqliteSide::new(&mut *connection, at, columns, &side.definitions);
                let placing = Placing {
                    overlap: finish.overlap(number),
                    ..Placing::of(&side.mode, SameKeys::KeepLast)
                };
                let landed = land(&mut rows, placing).await;
                landed.map_err(about(&side.target))?;
            }
            Ok(())
        })
        .await
    }
}

impl Side {
    async fn insert(&mut self, connection: &mut SqliteConnection, statements: Statements) -> Result<()> {
        for Bound { rows, arguments } in statements {
            let done = query_with(self.inserts.of(rows), arguments)
                .execute(&mut *connection)
                .await;
            done.map_err(|e| explain(&e))?;
            self.rows += rows as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::kept;

    #[test]
    fn digits_that_a_float_keeps() {
        for good in [
            "1.10",
            "-0.000000000000000001",
            "123456789012345",
            "9223372036854775807",
            "12345678.12345670",
            "1e300",
        ] {
            assert!(kept(good), "{good}");
        }
        for bad in [
            "12345678901234567890.123456789",
            "1234567890.1234567",
            "92233720368547758070",
        ] {
            assert!(!kept(bad), "{bad}");
        }
    }
}
