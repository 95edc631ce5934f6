//! A load: files into a stage while rows come, and from there into a side table and its target at the end.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;

use super::side::{SnowflakeSide, quoted, side};
use super::stage::{ROW, Stage, numbered, side_type};
use crate::batch::column::Column;
use crate::batch::types::Logical;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::adbc::{Connection, Connections};
use crate::sources::blocking::blocking;
use crate::sources::database::{Load, TableName};
use crate::sources::key::upsert_key;
use crate::sources::landing::{Names, SameKeys};
use crate::sources::sql::{definitions, quote};
use sequor_planner::ops::WriteMode;

/// A load under way. Its connection goes where the work is: the stage is the session's own.
pub struct SnowflakeLoad {
    connections: Arc<Connections>,
    work: Option<(Connection, Stage)>,
    target: TableName,
    columns: Vec<Column>,
    mode: WriteMode,
}

/// Begins a load.
pub async fn begin(
    connections: &Arc<Connections>,
    target: &TableName,
    columns: &[Column],
    mut mode: WriteMode,
) -> Result<SnowflakeLoad> {
    upsert_key(&mut mode, columns.iter().map(|c| c.name.as_str()))?;
    let stage = Stage::new(columns)?;
    let taken = connections.clone();
    let connection = blocking(move || taken.take()).await?;
    Ok(SnowflakeLoad {
        connections: connections.clone(),
        work: Some((connection, stage)),
        target: target.clone(),
        columns: columns.to_vec(),
        mode,
    })
}

fn over() -> Error {
    Error::new(ErrorKind::Internal, "the load is over")
}

#[async_trait]
impl Load for SnowflakeLoad {
    async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        let (mut connection, mut stage) = self.work.take().ok_or_else(over)?;
        let connections = self.connections.clone();
        let work = blocking(move || {
            stage.write(&connections, &mut connection, &batch)?;
            Ok((connection, stage))
        });
        self.work = Some(work.await?);
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> Result<u64> {
        let (mut connection, mut stage) = self.work.take().ok_or_else(over)?;
        blocking(move || {
            let connections = &self.connections;
            stage.send(connections, &mut connection)?;
            let side = side();
            let mut numbered_columns: Vec<Column> = self.columns.clone();
            for (at, column) in numbered_columns.iter_mut().enumerate() {
                column.name = numbered(at);
            }
            let side_columns = definitions(&numbered_columns, side_type);
            // Not a temporary one, which fakesnow's COPY INTO does not find.
            connections.execute(
                &mut connection,
                &format!("CREATE TRANSIENT TABLE {side} ({side_columns}, {ROW} BIGINT)"),
            )?;
            let done = self.land(&mut connection, &stage, &side);
            let dropped = connections.execute(&mut connection, &format!("DROP TABLE IF EXISTS {side}"));
            done.and(dropped.map(|_| ()))?;
            connections.give(connection);
            Ok(stage.rows())
        })
        .await
    }

    async fn abort(self: Box<Self>) {
        // The stage goes with its session, the files with their folder.
    }
}

impl SnowflakeLoad {
    fn land(&self, connection: &mut Connection, stage: &Stage, side: &str) -> Result<()> {
        stage.copy(&self.connections, connection, side)?;
        let mut side = SnowflakeSide {
            connections: &self.connections,
            connection,
            names: Names {
                side: side.to_string(),
                target: quoted(&self.target),
                columns: self.columns.iter().map(|c| c.name.clone()).collect(),
                selected: self.columns.iter().enumerate().map(selected).collect(),
                quote,
            },
            row: Some(ROW),
        };
        side.land(&self.mode, SameKeys::KeepLast)
    }
}

/// What a column of the side table becomes.
fn selected((at, column): (usize, &Column)) -> String {
    let (name, sql) = (numbered(at), &column.column_type.sql);
    match column.column_type.logical {
        Logical::Plain => name,
        Logical::Json if sql.eq_ignore_ascii_case("variant") => format!("PARSE_JSON({name})"),
        Logical::Json | Logical::Array => format!("CAST(PARSE_JSON({name}) AS {sql})"),
        Logical::Numeric | Logical::Other => format!("CAST({name} AS {sql})"),
    }
}
