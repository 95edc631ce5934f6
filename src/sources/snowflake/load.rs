//! Loads: files into stages while rows come, and from there into side tables and their targets at the end.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;

use super::side::{Merges, SnowflakeSide, quoted, side};
use super::stage::{ROW, Stage, numbered, side_type};
use crate::batch::column::Column;
use crate::batch::types::Logical;
use crate::error::Result;
use crate::sources::adbc::{Connection, Connections};
use crate::sources::blocking::blocking;
use crate::sources::database::TableName;
use crate::sources::key::upsert_key;
use crate::sources::landing::{Names, Placing, Room, SameKeys};
use crate::sources::loading::over;
use crate::sources::overlap::Overlap;
use crate::sources::sql::{definitions, quote};
use crate::sources::transaction::{Finish, LoadTransaction, about};
use sequor_planner::ops::WriteMode;

/// Loads under way. Their connection goes where the work is: stages are the session's own.
pub struct SnowflakeLoads {
    connections: Arc<Connections>,
    work: Option<(Connection, Vec<Table>)>,
}

/// A table to be loaded.
struct Table {
    stage: Stage,
    target: TableName,
    columns: Vec<Column>,
    mode: WriteMode,
}

impl SnowflakeLoads {
    /// Begins loads.
    pub async fn begin(connections: &Arc<Connections>) -> Result<SnowflakeLoads> {
        let taken = connections.clone();
        let connection = blocking(move || taken.take()).await?;
        Ok(SnowflakeLoads {
            connections: connections.clone(),
            work: Some((connection, Vec::new())),
        })
    }
}

#[async_trait]
impl LoadTransaction for SnowflakeLoads {
    async fn add(&mut self, target: &TableName, columns: &[Column], mut mode: WriteMode) -> Result<usize> {
        upsert_key(&mut mode, columns.iter().map(|c| c.name.as_str())).map_err(about(target))?;
        let (_, tables) = self.work.as_mut().ok_or_else(over)?;
        tables.push(Table {
            stage: Stage::new(columns).map_err(about(target))?,
            target: target.clone(),
            columns: columns.to_vec(),
            mode,
        });
        Ok(tables.len() - 1)
    }

    async fn write(&mut self, table: usize, batch: RecordBatch) -> Result<()> {
        let (mut connection, mut tables) = self.work.take().ok_or_else(over)?;
        let connections = self.connections.clone();
        let work = blocking(move || {
            let to = tables.get_mut(table).ok_or_else(over)?;
            let written = to.stage.write(&connections, &mut connection, &batch);
            written.map_err(about(&to.target))?;
            Ok((connection, tables))
        });
        self.work = Some(work.await?);
        Ok(())
    }

    async fn commit(mut self: Box<Self>, finish: &Finish) -> Result<Vec<u64>> {
        let (mut connection, mut tables) = self.work.take().ok_or_else(over)?;
        let finish = finish.clone();
        blocking(move || {
            let connections = &self.connections;
            let rows = tables.iter().map(|table| table.stage.rows()).collect();
            let kept = tables.iter_mut().enumerate();
            let kept = kept.filter(|(at, _)| !finish.skips(*at));
            let mut kept: Vec<(usize, &mut Table)> = kept.collect();
            for (_, table) in &mut kept {
                let sent = table.stage.send(connections, &mut connection);
                sent.map_err(about(&table.target))?;
            }
            let kept: Vec<(&Table, Option<&Overlap>)> = kept
                .into_iter()
                .map(|(at, table)| (&*table, finish.overlap(at)))
                .collect();
            let mut left = Vec::new();
            let done = place(connections, &mut connection, &kept, &mut left);
            for table in left {
                let dropped = connections.execute(&mut connection, &format!("DROP TABLE IF EXISTS {table}"));
                if done.is_ok() {
                    dropped?;
                }
            }
            done?;
            connections.give(connection);
            Ok(rows)
        })
        .await
    }

    async fn abort(self: Box<Self>) {
        // The stages go with their session, the files with their folders.
    }
}

/// Puts the rows into their places. `left`: what is to be dropped at the end.
///
/// Each statement that makes or replaces a table ends a transaction. Of several tables, rows are read first, which is what can
/// fail; then what changes the rows of tables is one transaction; then tables are made and replaced.
fn place(
    connections: &Connections,
    connection: &mut Connection,
    tables: &[(&Table, Option<&Overlap>)],
    left: &mut Vec<String>,
) -> Result<()> {
    let alone = tables.len() == 1;
    let mut sides = Vec::with_capacity(tables.len());
    for (table, _) in tables {
        let about = about(&table.target);
        let mut names = table.fill_side(connections, connection, left).map_err(&about)?;
        if !alone {
            names = table.read(connections, connection, names, left).map_err(&about)?;
        }
        sides.push(names);
    }
    let targets: Vec<String> = tables.iter().map(|(table, _)| quoted(&table.target)).collect();
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    // Of several of this process that write the same table, one goes after the other; those of other processes wait at
    // Snowflake's own lock.
    connections.turns(&targets, || {
        let merges = match alone {
            true => Merges::LastOf(ROW),
            false => Merges::InTransaction,
        };
        let (mut changed, mut made) = (Vec::new(), Vec::new());
        for ((table, overlap), names) in tables.iter().zip(sides) {
            let placing = Placing {
                overlap: *overlap,
                ..Placing::of(&table.mode, SameKeys::KeepLast)
            };
            let mut side = SnowflakeSide::new(connections, connection, names, merges);
            let found = match side.check(placing) {
                Ok(()) if table.mode.replaces() => Ok(false),
                Ok(()) => side.finds_target(),
                Err(error) => Err(error),
            };
            match found.map_err(about(&table.target))? {
                true => changed.push((&table.target, placing, side.names)),
                false => made.push((&table.target, placing, side.names)),
            }
        }
        let mut placings = changed.iter().map(|(_, placing, _)| placing);
        let in_transaction = changed.len() > 1 || placings.any(|placing| placing.delete().is_some());
        if in_transaction {
            connections.execute(connection, "BEGIN")?;
        }
        for (target, placing, names) in changed {
            let mut side = SnowflakeSide::new(connections, connection, names, merges);
            if let Err(error) = side.change(placing, Room::Empty) {
                if in_transaction {
                    let _ = connections.execute(connection, "ROLLBACK");
                }
                return Err(about(target)(error));
            }
        }
        if in_transaction {
            connections.execute(connection, "COMMIT")?;
        }
        for (target, placing, names) in made {
            let mut side = SnowflakeSide::new(connections, connection, names, merges);
            let room = side.make_room(placing).map_err(about(target))?;
            side.change(placing, room).map_err(about(target))?;
        }
        Ok(())
    })
}

impl Table {
    /// Makes a table of the rows of a side table as the target has them, of those with the same key the last.
    fn read(
        &self,
        connections: &Connections,
        connection: &mut Connection,
        names: Names,
        left: &mut Vec<String>,
    ) -> Result<Names> {
        let read = side();
        let last = match &self.mode {
            WriteMode::Upsert(key) => names.last_of_each(key, ROW),
            WriteMode::Append | WriteMode::ReplaceRange | WriteMode::Replace => String::new(),
        };
        let (named, side) = (names.named(), &names.side);
        let create = format!("CREATE TRANSIENT TABLE {read} AS SELECT {named} FROM {side}{last}");
        left.push(read.clone());
        connections.execute(connection, &create)?;
        Ok(Names::plain(read, names.target, names.columns, quote))
    }

    /// Copies the files of the stage into a side table.
    fn fill_side(
        &self,
        connections: &Connections,
        connection: &mut Connection,
        left: &mut Vec<String>,
    ) -> Result<Names> {
        let side = side();
        let mut numbered_columns: Vec<Column> = self.columns.clone();
        for (at, column) in numbered_columns.iter_mut().enumerate() {
            column.name = numbered(at);
        }
        let side_columns = definitions(&numbered_columns, side_type);
        // Not a temporary one, which fakesnow's COPY INTO does not find.
        let create = format!("CREATE TRANSIENT TABLE {side} ({side_columns}, {ROW} BIGINT)");
        left.push(side.clone());
        connections.execute(connection, &create)?;
        self.stage.copy(connections, connection, &side)?;
        Ok(Names {
            side,
            target: quoted(&self.target),
            columns: self.columns.iter().map(|c| c.name.clone()).collect(),
            selected: self.columns.iter().enumerate().map(selected).collect(),
            quote,
        })
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
