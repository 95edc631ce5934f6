//! A load: COPY into a side table in one transaction, which ends with the side table in the target's place.

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use async_trait::async_trait;
use bytes::Bytes;
use sqlx::PgConnection;
use tokio::sync::mpsc;

use super::copy::{Encoder, side_type, travels_as_text};
use super::database::run;
use super::error::explain;
use super::replace::{exists, make_room, swap, take_turn};
use super::upsert::{self, Upsert};
use super::{columns, sql};
use crate::batch::column::Column;
use crate::batch::types::Logical;
use crate::error::Result;
use crate::sources::database::{Load, TableName};
use crate::sources::key::upsert_key;
use crate::sources::loading::{Loading, Message, over};
use sequor_planner::ops::WriteMode;

/// A load under way. The connection lives in a task, so that encoding and sending overlap.
pub struct PgLoad {
    encoder: Option<Encoder>,
    loading: Loading<Bytes>,
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
        encoder: Some(encoder),
        loading: Loading::start(|messages| work.run(connection, messages)),
    })
}

#[async_trait]
impl Load for PgLoad {
    async fn write(&mut self, batch: RecordBatch) -> Result<()> {
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
        self.settle(&mut connection).await?;
        run(&mut connection, "COMMIT").await?;
        Ok(rows)
    }

    /// Columns get their types, and the rows their place.
    async fn settle(&self, connection: &mut PgConnection) -> Result<()> {
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
        let (side, target) = (sql::table(&self.side), sql::table(&self.target));
        take_turn(connection, &self.target).await?;
        match &self.mode {
            WriteMode::Replace if self.declares_more() => {
                let definitions =
                    sql::definitions(&self.columns, |c| c.column_type.declaration().to_string());
                make_room(connection, &self.target, &definitions).await?;
                let columns = sql::column_list(self.columns.iter().map(|c| c.name.as_str()));
                run(
                    connection,
                    &format!("INSERT INTO {target} ({columns}) SELECT {columns} FROM {side}"),
                )
                .await?;
                run(connection, &format!("DROP TABLE {side}")).await.map(|_| ())
            }
            WriteMode::Replace => swap(connection, &self.side, &self.target).await,
            WriteMode::Upsert(key) => {
                let columns: Vec<String> = self.columns.iter().map(|c| c.name.clone()).collect();
                if !exists(connection, &self.target).await? {
                    let definitions =
                        sql::definitions(&self.columns, |c| c.column_type.declaration().to_string());
                    upsert::create(connection, &self.target, &definitions, key).await?;
                }
                let upsert = Upsert {
                    side: &self.side,
                    target: &self.target,
                    columns: &columns,
                    key,
                };
                upsert.unique_last(connection).await?;
                upsert.merge(connection).await?;
                run(connection, &format!("DROP TABLE {side}")).await.map(|_| ())
            }
            WriteMode::Append => {
                let columns = sql::column_list(self.columns.iter().map(|c| c.name.as_str()));
                if !exists(connection, &self.target).await? {
                    let definitions =
                        sql::definitions(&self.columns, |c| c.column_type.declaration().to_string());
                    run(connection, &format!("CREATE TABLE {target} ({definitions})")).await?;
                }
                let selected = self.selected(connection).await?;
                run(
                    connection,
                    &format!("INSERT INTO {target} ({columns}) SELECT {selected} FROM {side}"),
                )
                .await?;
                run(connection, &format!("DROP TABLE {side}")).await.map(|_| ())
            }
        }
    }

    /// Whether columns are declared with more than their type: the side table does not have that.
    fn declares_more(&self) -> bool {
        self.columns.iter().any(|c| c.column_type.declared.is_some())
    }

    /// What is taken from the side table for the target's columns. Text is read as what the target has, as a literal is.
    async fn selected(&self, connection: &mut PgConnection) -> Result<String> {
        let there = columns::of(connection, &self.target).await?.unwrap_or_default();
        let selected = self.columns.iter().map(|column| {
            let name = sql::quote(&column.name);
            let known = there.iter().find(|t| t.name == column.name);
            match known.map(|known| &known.column_type) {
                // A cast to a length would cut the text.
                Some(known)
                    if column.column_type.arrow == DataType::Utf8
                        && column.column_type.logical == Logical::Plain
                        && (known.arrow != DataType::Utf8 || known.logical != Logical::Plain) =>
                {
                    format!("{name}::{}", known.sql)
                }
                _ => name,
            }
        });
        Ok(selected.collect::<Vec<_>>().join(", "))
    }
}
