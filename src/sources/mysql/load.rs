//! A load: rows into a side table, which then takes its place.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use sqlx::{MySqlConnection, query_with};
use tokio::sync::mpsc;

use super::error::explain;
use super::side::{MySqlSide, ROW, claim, side_of};
use super::sql::{check, column_list, quote, quoted, run};
use super::stop::{Stops, Watched, number};
use super::types::defined;
use crate::batch::column::Column;
use crate::error::Result;
use crate::sources::bind::{Bound, Inserts, bound, refuse_non_finite, written_out};
use crate::sources::database::{Load, TableName};
use crate::sources::key::upsert_key;
use crate::sources::landing::{Names, SameKeys};
use crate::sources::loading::{Loading, Message};
use sequor_planner::ops::WriteMode;

/// Rows of one statement.
const ROWS: usize = 1000;
/// Parameters that a statement may have.
const PARAMETERS: usize = 65_535;
/// About how many bytes a statement's parameters have: servers take 16 MB at least, unless told otherwise.
const BYTES: usize = 2 * 1024 * 1024;

/// A load under way.
pub struct MySqlLoad {
    rows: usize,
    loading: Loading<Vec<Bound<sqlx::MySql>>>,
}

/// Makes the side table.
pub async fn begin(
    mut connection: MySqlConnection,
    (stops, collation): (&Arc<Stops>, &str),
    target: &TableName,
    columns: &[Column],
    mut mode: WriteMode,
) -> Result<MySqlLoad> {
    upsert_key(&mut mode, columns.iter().map(|c| c.name.as_str()))?;
    check(target)?;
    let side = side_of(target);
    claim(&mut connection, &side).await?;
    let drop = format!("DROP TABLE IF EXISTS {}", quoted(&side));
    let watched = stops.watch(number(&mut connection).await?, Some(drop));
    let mut definitions: Vec<String> = columns
        .iter()
        .map(|c| format!("{} {}", quote(&c.name), defined(&c.column_type, collation)))
        .collect();
    if matches!(mode, WriteMode::Upsert(_)) {
        definitions.push(format!("{ROW} BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY"));
    }
    let create = format!("CREATE TABLE {} ({})", quoted(&side), definitions.join(", "));
    run(&mut connection, &create).await?;
    let work = Work {
        target: target.clone(),
        side,
        columns: columns.iter().map(|c| c.name.clone()).collect(),
        mode,
        watched,
    };
    Ok(MySqlLoad {
        rows: (PARAMETERS / columns.len().max(1)).clamp(1, ROWS),
        loading: Loading::start(|messages| work.run(connection, messages)),
    })
}

#[async_trait]
impl Load for MySqlLoad {
    async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        refuse_non_finite(&batch)?;
        let batch = written_out(&batch, "%Y-%m-%d %H:%M:%S%.f")?;
        self.loading.send(bound(&batch, self.rows, BYTES)?).await
    }

    async fn commit(self: Box<Self>) -> Result<u64> {
        self.loading.commit(None).await
    }

    async fn abort(self: Box<Self>) {
        self.loading.abort().await;
    }
}

struct Work {
    target: TableName,
    side: TableName,
    columns: Vec<String>,
    mode: WriteMode,
    /// Given up in the middle, a load leaves nothing behind.
    watched: Watched,
}

type Messages = mpsc::Receiver<Message<Vec<Bound<sqlx::MySql>>>>;

impl Work {
    async fn run(self, mut connection: MySqlConnection, messages: Messages) -> Result<u64> {
        let done = self.load(&mut connection, messages).await;
        if !matches!(done, Ok(Some(_))) {
            let _ = run(&mut connection, "ROLLBACK").await;
            let drop = format!("DROP TABLE IF EXISTS {}", quoted(&self.side));
            let _ = run(&mut connection, &drop).await;
        }
        self.watched.done();
        Ok(done?.unwrap_or(0))
    }

    /// The number of rows loaded; none when they are taken back.
    async fn load(&self, connection: &mut MySqlConnection, mut messages: Messages) -> Result<Option<u64>> {
        let mut rows = 0;
        let columns = column_list(self.columns.iter().map(String::as_str));
        let into = format!("INSERT INTO {} ({columns})", quoted(&self.side));
        let mut inserts = Inserts::new(into, self.columns.len());
        // One transaction: each statement of its own would wait for the disk.
        run(connection, "START TRANSACTION").await?;
        loop {
            match messages.recv().await {
                Some(Message::Data(statements)) => {
                    for Bound {
                        rows: some,
                        arguments,
                    } in statements
                    {
                        let done = query_with(inserts.of(some), arguments)
                            .execute(&mut *connection)
                            .await;
                        done.map_err(|e| explain(&e))?;
                        rows += some as u64;
                    }
                }
                Some(Message::Commit) => break,
                None => return Ok(None),
            }
        }
        run(connection, "COMMIT").await?;
        let (side, target) = (quoted(&self.side), quoted(&self.target));
        let mut side = MySqlSide {
            connection,
            side: &self.side,
            target: &self.target,
            names: Names::plain(side, target, self.columns.clone(), quote),
            numbered: matches!(self.mode, WriteMode::Upsert(_)),
        };
        side.land(&self.mode, SameKeys::KeepLast).await?;
        Ok(Some(rows))
    }
}
