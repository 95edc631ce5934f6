//! A load: rows into a table of the connection's own, outside of the file, so that nobody waits for them.

use arrow::array::RecordBatch;
use async_trait::async_trait;
use sqlx::{SqliteConnection, query_with};
use tokio::sync::mpsc;

use super::error::explain;
use super::side::{SIDE, SqliteSide, run};
use super::types::DIGITS;
use crate::batch::column::Column;
use crate::batch::types::Logical;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::bind::{Bound, Inserts, bound, refuse_non_finite, written_out};
use crate::sources::database::{Load, TableName};
use crate::sources::key::upsert_key;
use crate::sources::landing::SameKeys;
use crate::sources::loading::{Loading, Message};
use crate::sources::sql::definitions;
use sequor_planner::ops::WriteMode;

/// Rows of one statement.
const ROWS: usize = 500;
/// Parameters that a statement may have: https://www.sqlite.org/limits.html#max_variable_number
const PARAMETERS: usize = 32_766;
/// About how many bytes a statement's parameters have.
const BYTES: usize = 4 * 1024 * 1024;

/// A load under way.
pub struct SqliteLoad {
    columns: Vec<Column>,
    rows: usize,
    loading: Loading<Vec<Bound<sqlx::Sqlite>>>,
}

/// Makes the side table, of memory as long as it is small.
pub async fn begin(
    mut connection: SqliteConnection,
    target: &TableName,
    columns: &[Column],
    mut mode: WriteMode,
) -> Result<SqliteLoad> {
    upsert_key(&mut mode, columns.iter().map(|c| c.name.as_str()))?;
    let definitions = definitions(columns, |c| c.column_type.sql.clone());
    // What a crash leaves of it nobody reads.
    run(&mut connection, "PRAGMA temp.journal_mode = OFF").await?;
    run(&mut connection, &format!("CREATE TABLE {SIDE} ({definitions})")).await?;
    let work = Work {
        target: target.clone(),
        columns: columns.iter().map(|c| c.name.clone()).collect(),
        definitions,
        mode,
    };
    Ok(SqliteLoad {
        columns: columns.to_vec(),
        rows: (PARAMETERS / columns.len().max(1)).clamp(1, ROWS),
        loading: Loading::start(|messages| work.run(connection, messages)),
    })
}

#[async_trait]
impl Load for SqliteLoad {
    async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        refuse_non_finite(&batch)?;
        let batch = written_out(&batch, "%Y-%m-%d %H:%M:%S%.f+00:00")?;
        refuse_long_numbers(&batch, &self.columns)?;
        self.loading.send(bound(&batch, self.rows, BYTES)?).await
    }

    async fn commit(self: Box<Self>) -> Result<u64> {
        self.loading.commit(None).await
    }

    async fn abort(self: Box<Self>) {
        self.loading.abort().await;
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

struct Work {
    target: TableName,
    columns: Vec<String>,
    definitions: String,
    mode: WriteMode,
}

type Messages = mpsc::Receiver<Message<Vec<Bound<sqlx::Sqlite>>>>;

impl Work {
    async fn run(self, mut connection: SqliteConnection, mut messages: Messages) -> Result<u64> {
        let mut rows = 0;
        let mut inserts = Inserts::new(format!("INSERT INTO {SIDE}"), self.columns.len());
        loop {
            match messages.recv().await {
                Some(Message::Data(statements)) => {
                    for Bound {
                        rows: some,
                        arguments,
                    } in statements
                    {
                        let done = query_with(inserts.of(some), arguments)
                            .execute(&mut connection)
                            .await;
                        done.map_err(|e| explain(&e))?;
                        rows += some as u64;
                    }
                }
                Some(Message::Commit) => break,
                None => return Ok(0),
            }
        }
        let mut side = SqliteSide::new(&mut connection, &self.target, self.columns, &self.definitions);
        side.land(&self.mode, SameKeys::KeepLast).await?;
        Ok(rows)
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
