//! Loads: COPY into side tables in one transaction, which ends with the side tables in their targets' places.

use arrow::array::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use sqlx::PgConnection;

use super::copy::{END, Encoder, HEADER, side_type, travels_as_text};
use super::database::run;
use super::error::explain;
use super::nul;
use super::side::{PgSide, take_turn};
use super::sql;
use crate::batch::column::Column;
use crate::error::Result;
use crate::sources::database::TableName;
use crate::sources::key::upsert_key;
use crate::sources::landing::{Names, Placing, SameKeys, land};
use crate::sources::loading::{Loading, Message, Messages, over};
use crate::sources::overlap::Overlap;
use crate::sources::transaction::{Finish, LoadTransaction, about};
use sequor_planner::ops::WriteMode;

/// Loads under way. The connection lives in a task, so that encoding and sending overlap.
pub struct PgLoads {
    tables: Vec<Encoding>,
    loading: Loading<Side, Bytes>,
}

/// A table's rows on their way into bytes.
struct Encoding {
    encoder: Encoder,
    target: TableName,
    /// Which columns hold JSON.
    is_json: Vec<bool>,
    rows: u64,
}

impl PgLoads {
    /// Begins. The transaction opens with the first table.
    pub fn begin(connection: PgConnection) -> PgLoads {
        let work = Work {
            sides: Vec::new(),
            rows: Vec::new(),
        };
        PgLoads {
            tables: Vec::new(),
            loading: Loading::start(|messages| work.run(connection, messages)),
        }
    }
}

#[async_trait]
impl LoadTransaction for PgLoads {
    async fn add(&mut self, target: &TableName, columns: &[Column], mut mode: WriteMode) -> Result<usize> {
        let encoder = Encoder::new(columns).map_err(about(target))?;
        upsert_key(&mut mode, columns.iter().map(|c| c.name.as_str())).map_err(about(target))?;
        let side = match mode.replaces() {
            true => sql::side(target),
            false => TableName::new(sql::side(target).table),
        };
        let side = Side {
            target: target.clone(),
            side,
            columns: columns.to_vec(),
            mode,
        };
        self.tables.push(Encoding {
            encoder,
            target: target.clone(),
            is_json: columns
                .iter()
                .map(|column| column.column_type.sql.to_ascii_lowercase().starts_with("json"))
                .collect(),
            rows: 0,
        });
        self.loading.add(side).await
    }

    async fn write(&mut self, table: usize, batch: RecordBatch) -> Result<()> {
        let encoding = self.tables.get_mut(table).ok_or_else(over)?;
        let about = about(&encoding.target);
        nul::check(&encoding.target.table, &batch, &encoding.is_json, encoding.rows).map_err(&about)?;
        encoding.rows += batch.num_rows() as u64;
        let data = encoding.encoder.batch(&batch).map_err(&about)?;
        self.loading.send(table, data).await
    }

    async fn commit(self: Box<Self>, finish: &Finish) -> Result<Vec<u64>> {
        self.loading.commit(finish).await
    }

    async fn abort(self: Box<Self>) {
        self.loading.abort().await;
    }
}

/// A table to be loaded, and the one that its rows wait in.
struct Side {
    target: TableName,
    side: TableName,
    columns: Vec<Column>,
    mode: WriteMode,
}

/// What the task does.
struct Work {
    sides: Vec<Side>,
    rows: Vec<u64>,
}

type Received = Message<Side, Bytes>;

impl Work {
    async fn run(
        mut self,
        mut connection: PgConnection,
        mut messages: Messages<Side, Bytes>,
    ) -> Result<Vec<u64>> {
        let mut next = messages.recv().await;
        loop {
            next = match next {
                // The server takes the transaction back when the connection closes.
                None => return Ok(Vec::new()),
                Some(Message::Table(side, there)) => {
                    self.add(&mut connection, side).await?;
                    let _ = there.send(());
                    messages.recv().await
                }
                Some(Message::Rows(table, rows)) => {
                    let side = self.sides.get(table).ok_or_else(over)?;
                    let copied = side.copy(&mut connection, (table, rows), &mut messages).await;
                    let (count, next) = copied.map_err(about(&side.target))?;
                    self.rows[table] += count;
                    next
                }
                Some(Message::Commit(finish)) => {
                    self.commit(&mut connection, &finish).await?;
                    return Ok(self.rows);
                }
            };
        }
    }

    /// Makes a side table.
    async fn add(&mut self, connection: &mut PgConnection, side: Side) -> Result<()> {
        if self.sides.is_empty() {
            run(connection, "BEGIN").await?;
        }
        let kind = match side.mode.replaces() {
            true => "TABLE",
            false => "TEMPORARY TABLE",
        };
        let definitions = sql::definitions(&side.columns, side_type);
        let create = format!("CREATE {kind} {} ({definitions})", sql::table(&side.side));
        run(connection, &create).await.map_err(about(&side.target))?;
        self.sides.push(side);
        self.rows.push(0);
        Ok(())
    }

    async fn commit(&self, connection: &mut PgConnection, finish: &Finish) -> Result<()> {
        if self.sides.is_empty() {
            return Ok(());
        }
        let kept = |(at, _): &(usize, &Side)| !finish.skips(*at);
        let mut targets: Vec<&TableName> = Vec::new();
        for (_, side) in self.sides.iter().enumerate().filter(kept) {
            side.give_types(connection).await.map_err(about(&side.target))?;
            targets.push(&side.target);
        }
        // In one order, whoever writes them: two would wait for each other.
        targets.sort_by_key(|target| target.to_string());
        targets.dedup();
        for target in targets {
            take_turn(connection, target).await.map_err(about(target))?;
        }
        for (at, side) in self.sides.iter().enumerate() {
            match finish.skips(at) {
                true => run(connection, &format!("DROP TABLE {}", sql::table(&side.side)))
                    .await
                    .map(|_| ())?,
                false => {
                    let landed = side.land(connection, finish.overlap(at)).await;
                    landed.map_err(about(&side.target))?
                }
            }
        }
        run(connection, "COMMIT").await.map(|_| ())
    }
}

impl Side {
    /// Copies rows, and those that follow for the same table. The number of rows, and the message that ended them.
    async fn copy(
        &self,
        connection: &mut PgConnection,
        (table, first): (usize, Bytes),
        messages: &mut Messages<Side, Bytes>,
    ) -> Result<(u64, Option<Received>)> {
        let columns = sql::column_list(self.columns.iter().map(|c| c.name.as_str()));
        let side = sql::table(&self.side);
        let copy = format!("COPY {side} ({columns}) FROM STDIN (FORMAT binary)");
        let mut sink = connection.copy_in_raw(&copy).await.map_err(|e| explain(&e))?;
        sink.send(HEADER).await.map_err(|e| explain(&e))?;
        let mut rows = first;
        let next = loop {
            sink.send(rows).await.map_err(|e| explain(&e))?;
            match messages.recv().await {
                Some(Message::Rows(same, more)) if same == table => rows = more,
                other => break other,
            }
        };
        if next.is_none() {
            let _ = sink.abort("taken back").await;
            return Ok((0, None));
        }
        sink.send(END).await.map_err(|e| explain(&e))?;
        let count = sink.finish().await.map_err(|e| explain(&e))?;
        Ok((count, next))
    }

    /// Columns that travelled as text get their types.
    async fn give_types(&self, connection: &mut PgConnection) -> Result<()> {
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
        Ok(())
    }

    /// The rows get their place.
    async fn land(&self, connection: &mut PgConnection, overlap: Option<&Overlap>) -> Result<()> {
        let names: Vec<String> = self.columns.iter().map(|c| c.name.clone()).collect();
        let (side, target) = (sql::table(&self.side), sql::table(&self.target));
        let mut side = PgSide {
            connection,
            target: &self.target,
            side: &self.side,
            names: Names::plain(side, target, names, sql::quote),
            columns: Some(&self.columns),
        };
        let placing = Placing {
            overlap,
            ..Placing::of(&self.mode, SameKeys::KeepLast)
        };
        land(&mut side, placing).await
    }
}
