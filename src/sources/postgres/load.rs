//! A load: COPY into a side table in one transaction, which ends with the side table in the target's place.

use arrow::array::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use sqlx::PgConnection;
use tokio::sync::mpsc;

use super::copy::{Encoder, side_type, travels_as_text};
use super::database::run;
use super::error::explain;
use super::nul;
use super::side::{PgSide, take_turn};
use super::sql;
use crate::batch::column::Column;
use crate::error::Result;
use crate::sources::database::{Load, TableName};
use crate::sources::key::upsert_key;
use crate::sources::landing::{Names, SameKeys, land};
use crate::sources::loading::{Loading, Message, over};
use sequor_planner::ops::WriteMode;

/// A load under way. The connection lives in a task, so that encoding and sending overlap.
pub struct PgLoad {
    encoder: Option<Encoder>,
    loading: Loading<Bytes>,
    /// For messages.
    table: String,
    /// Which columns hold JSON.
    is_json: Vec<bool>,
    rows: u64,
}

/// Begins: opens the transaction and makes the side table.
pub async fn begin(
    mut connection: PgConnection,
    target: &TableName,
    columns: &[Column],
    mut mode: WriteMode,
) -> Result<PgLoad> {
    let encoder = Encoder::new(columns)?;
    upsert_key(&mut mode, columns.iter().map(|c| c.name.as_str()))?;
    run(&mut connection, "BEGIN").await?;
    let (side, kind) = match mode.replaces() {
        true => (sql::side(target), "TABLE"),
        false => (TableName::new(sql::side(target).table), "TEMPORARY TABLE"),
    };
    let definitions = sql::definitions(columns, side_type);
    run(
        &mut connection,
        &format!("CREATE {kind} {} ({definitions})", sql::table(&side)),
    )
    .await?;
    let work = Work {
        target: target.clone(),
        side,
        columns: columns.to_vec(),
        mode,
    };
    Ok(PgLoad {
        table: target.table.clone(),
        is_json: columns
            .iter()
            .map(|column| column.column_type.sql.to_ascii_lowercase().starts_with("json"))
            .collect(),
        rows: 0,
        encoder: Some(encoder),
        loading: Loading::start(|messages| work.run(connection, messages)),
    })
}

#[async_trait]
impl Load for PgLoad {
    async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        nul::check(&self.table, &batch, &self.is_json, self.rows)?;
        self.rows += batch.num_rows() as u64;
        let encoder = self.encoder.as_mut().ok_or_else(over)?;
        let data = encoder.batch(&batch)?;
        self.loading.send(data).await
    }

    async fn commit(mut self: Box<Self>) -> Result<u64> {
        let end = self.encoder.take().ok_or_else(over)?.end()?;
        self.loading.commit(Some(end)).await
    }

    async fn abort(self: Box<Self>) {
        self.loading.abort().await;
    }
}

/// What the task does.
struct Work {
    target: TableName,
    side: TableName,
    columns: Vec<Column>,
    mode: WriteMode,
}

impl Work {
    async fn run(
        self,
        mut connection: PgConnection,
        mut messages: mpsc::Receiver<Message<Bytes>>,
    ) -> Result<u64> {
        let columns = sql::column_list(self.columns.iter().map(|c| c.name.as_str()));
        let side = sql::table(&self.side);
        let copy = format!("COPY {side} ({columns}) FROM STDIN (FORMAT binary)");
        let mut committed = false;
        let mut sink = connection.copy_in_raw(&copy).await.map_err(|e| explain(&e))?;
        while let Some(message) = messages.recv().await {
            match message {
                Message::Data(bytes) => {
                    sink.send(bytes).await.map_err(|e| explain(&e))?;
                }
                Message::Commit => {
                    committed = true;
                    break;
                }
            }
        }
        if !committed {
            // The server takes the transaction back when the connection closes.
            let _ = sink.abort("taken back").await;
            return Ok(0);
        }
        let rows = sink.finish().await.map_err(|e| explain(&e))?;
        self.land(&mut connection).await?;
        run(&mut connection, "COMMIT").await?;
        Ok(rows)
    }

    /// Columns get their types, and the rows their place.
    async fn land(&self, connection: &mut PgConnection) -> Result<()> {
        for column in self.columns.iter().filter(|c| travels_as_text(c)) {
            let (name, sql_type) = (sql::quote(&column.name), &column.column_type.sql);
            let alter = format!(
                "ALTER TABLE {} ALTER COLUMN {name} TYPE {sql_type} USING {name}::{sql_type}",
                sql::table(&self.side)
            );
            run(connection, &alter)
                .await
                .map_err(|e| e.context(format!("column `{}`", column.name)))?;
        }
        take_turn(connection, &self.target).await?;
        let names: Vec<String> = self.columns.iter().map(|c| c.name.clone()).collect();
        let (side, target) = (sql::table(&self.side), sql::table(&self.target));
        let mut side = PgSide {
            connection,
            target: &self.target,
            side: &self.side,
            names: Names::plain(side, target, names, sql::quote),
            columns: Some(&self.columns),
        };
        land(&mut side, &self.mode, SameKeys::KeepLast).await
    }
}
